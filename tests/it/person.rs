//! Who a row speaks of: found by number, family, name or mother; completed, held or told apart, never guessed.

mod answers;
mod rules;
mod town;

use posyandu_gateway::issue::Severity;
use town::{Row, Town};

/// A girl and a boy of one mother and day, each with a number of her or his own.
const NIK: &str = "1001014512240001";
const NIK_OF_TWIN: &str = "1001014512240002";
const FAMILY: &str = "1001011505950003";

fn ani() -> Row {
    Row { nik: NIK, name: "Ani Contoh", ..Row::default() }
}

#[tokio::test]
async fn a_number_names_its_person_and_nobody_hears_of_it() {
    let town = Town::new().await;
    town.register(&[ani()]);
    town.visits(&[Row { day: "18/11/2026", ..ani() }]);
    let seen = town.read().await;
    assert_eq!(seen.visits.len(), 1);
    assert_eq!(seen.rules(), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_number_is_taken_from_the_family_or_from_name_mother_and_village() {
    for (known, asking, found) in [
        (Row { family: FAMILY, mother: "", ..ani() }, Row { family: FAMILY, mother: "", ..ani() }, true),
        (ani(), ani(), true),
        (ani(), Row { posyandu: "Melati 2", ..ani() }, true),
        (ani(), Row { posyandu: "Mawar 1", ..ani() }, false),
        (ani(), Row { mother: "Ibu Lain", ..ani() }, false),
        (ani(), Row { name: "Ani", ..ani() }, false),
        (ani(), Row { birth: "06/12/2024", ..ani() }, false),
    ] {
        for nik in ["", "100101451224****", "10010145122400"] {
            let town = Town::new().await;
            town.register(&[known]);
            town.visits(&[Row { nik, day: "18/11/2026", ..asking }]);
            let seen = town.read().await;
            assert_eq!(seen.visits.len(), usize::from(found), "{asking:?}");
            if found {
                assert!(seen.has("person.matched", Severity::Information), "{:?}", seen.issues);
                assert!(
                    seen.visits[0].sasaran.contains(NIK) && !seen.visits[0].sasaran.contains(r#""status_nik":"asli"#)
                );
                assert!(seen.issues.iter().all(|issue| !issue.is_error()), "{:?}", seen.issues);
            } else {
                assert!(seen.issues.iter().any(|issue| issue.is_error() && issue.rule.starts_with("nik.")));
            }
        }
    }
}

#[tokio::test]
async fn several_candidates_wait_for_a_human_with_their_places() {
    let town = Town::new().await;
    let born = Row { name: "By Ny Siti", mother: "Siti", ..ani() };
    town.register(&[ani(), Row { nik: NIK_OF_TWIN, name: "Budi Contoh", ..ani() }]);
    town.visits(&[Row { nik: "", day: "18/11/2026", mother: "Ibu Contoh", ..born }]);
    let seen = town.read().await;
    assert!(seen.visits.is_empty());
    let issue = seen.issues.iter().find(|issue| issue.rule == "person.several").unwrap();
    assert_eq!(issue.arguments[0].1, "register register.csv 2; register register.csv 3");
}

#[tokio::test]
async fn twins_who_share_a_number_are_noticed_in_any_order() {
    for names in [["Hasan Contoh", "Husin Contoh"], ["Rina", "Rani"], ["Siti 1", "Siti 2"]] {
        for [one, other] in [names, [names[1], names[0]]] {
            let town = Town::new().await;
            let twin = |name| Row { name, day: "18/11/2026", ..ani() };
            town.visits(&[twin(one), twin(other)]);
            for _ in 0..2 {
                let seen = town.read().await;
                assert_eq!(seen.visits.len(), 1, "{one} {other}");
                assert!(seen.has("nik.shared", Severity::Error), "{one} {other} {:?}", seen.issues);
                assert!(seen.visits[0].sasaran.contains(one));
            }
        }
    }
}

#[tokio::test]
async fn another_spelling_warns_and_another_person_stops() {
    for (name, rule, severity) in [
        ("Ani Contho", "person.name_varies", Severity::Warning),
        ("Ani", "person.name_varies", Severity::Warning),
        ("Ny. ANI CONTOH", "", Severity::Information),
        ("Budi Contoh", "nik.shared", Severity::Error),
    ] {
        let town = Town::new().await;
        town.register(&[ani()]);
        town.read().await;
        town.visits(&[Row { name, day: "18/11/2026", ..ani() }]);
        let seen = town.read().await;
        assert_eq!(seen.visits.is_empty(), severity == Severity::Error, "{name}");
        assert_eq!(seen.has(rule, severity), !rule.is_empty(), "{name} {:?}", seen.issues);
    }
}

#[tokio::test]
async fn a_second_number_of_the_same_person_waits_for_a_human() {
    let town = Town::new().await;
    town.register(&[ani()]);
    town.read().await;
    town.visits(&[Row { nik: NIK_OF_TWIN, day: "18/11/2026", ..ani() }]);
    let seen = town.read().await;
    assert!(seen.visits.is_empty() && seen.has("person.two_niks", Severity::Error));
}

#[tokio::test]
async fn a_later_number_is_another_name_of_the_same_person() {
    let town = Town::new().await;
    town.register(&[Row { nik: "", ..ani() }]);
    town.visits(&[Row { day: "17/11/2026", ..ani() }]);
    let first = town.read().await;
    assert!(first.has("person.matched", Severity::Information), "{:?}", first.issues);
    let town = town.restarted().await;
    town.visits(&[Row { day: "17/11/2026", ..ani() }, Row { day: "18/11/2026", mother: "", ..ani() }]);
    let second = town.read().await;
    assert_eq!(second.visits.len(), 2);
    assert!(second.visits.iter().any(|visit| visit.key == first.visits[0].key), "the old visit keeps its name");
}

#[tokio::test]
async fn a_newborn_by_its_mothers_name_gets_a_name_later() {
    let town = Town::new().await;
    town.register(&[Row { nik: "", name: "By Ny Siti", mother: "Siti", ..ani() }]);
    town.visits(&[Row { mother: "Siti", day: "18/11/2026", ..ani() }]);
    let seen = town.read().await;
    assert!(seen.has("person.matched", Severity::Information), "{:?}", seen.issues);
    // Named now, it is found by its name alone.
    town.visits(&[
        Row { mother: "Siti", day: "18/11/2026", ..ani() },
        Row { nik: "", mother: "Siti", day: "17/11/2026", ..ani() },
    ]);
    assert_eq!(town.read().await.visits.len(), 2);
}

#[tokio::test]
async fn rows_with_number_and_name_only_are_completed_or_say_which_file_would_tell() {
    let town = Town::new().await;
    let measured = Row { day: "18/11/2026", ..ani() };
    town.measured(&[measured]);
    let alone = town.read().await;
    assert!(alone.visits.is_empty());
    assert_eq!(alone.rules(), ["person.not_told"]);
    town.register(&[ani()]);
    let seen = town.read().await;
    assert_eq!(seen.visits.len(), 1, "{:?}", seen.issues);
    assert_eq!(seen.rules(), ["person.completed"]);
    for field in ["2024-12-05", r#""jenis_kelamin":"P""#, "UTR-01"] {
        assert!(seen.visits[0].sasaran.contains(field), "{field}");
    }
    town.measured(&[Row { name: "Budi Contoh", ..measured }]);
    let other = town.read().await;
    assert!(other.has("nik.shared", Severity::Error), "{:?}", other.issues);
}

#[tokio::test]
async fn a_source_may_come_before_the_one_that_knows_its_persons() {
    let town = Town::new().await;
    // The measurements are read first; register and measurements add up in the same round.
    town.measured(&[Row { day: "18/11/2026", ..ani() }]);
    town.register(&[ani()]);
    let outcomes = town.ingest().await;
    assert_eq!(outcomes.len(), 2, "each source is counted once");
    let tally = outcomes[0].tally;
    assert_eq!((tally.read, tally.new, tally.issue), (1, 1, 0), "{tally:?}");
    assert_eq!(tally.read, tally.new + tally.changed + tally.unchanged + tally.issue + tally.skipped);
    assert_eq!(town.ingest().await[0].tally.unchanged, 1);
}

#[tokio::test]
async fn a_row_later_in_the_same_file_may_tell_who_an_earlier_one_is() {
    let town = Town::new().await;
    town.visits(&[Row { nik: "", day: "17/11/2026", ..ani() }, Row { day: "18/11/2026", ..ani() }]);
    let seen = town.read().await;
    assert_eq!(seen.visits.len(), 2, "{:?}", seen.issues);
}

#[tokio::test]
async fn a_correction_replaces_what_the_row_had_told() {
    let town = Town::new().await;
    let row = Row { day: "18/11/2026", ..ani() };
    town.visits(&[Row { birth: "06/12/2024", ..row }]);
    town.read().await;
    town.visits(&[row]);
    let seen = town.read().await;
    assert_eq!(seen.visits.len(), 1);
    assert!(!seen.issues.iter().any(|issue| issue.is_error()), "{:?}", seen.issues);
    assert!(seen.visits[0].sasaran.contains("2024-12-05"));
}

#[tokio::test]
async fn a_person_is_known_after_a_restart_and_after_its_row_has_left() {
    let town = Town::new().await;
    town.register(&[ani()]);
    town.read().await;
    town.register(&[]);
    let town = town.restarted().await;
    town.measured(&[Row { day: "18/11/2026", ..ani() }]);
    assert_eq!(town.read().await.visits.len(), 1);
}

#[tokio::test]
async fn nothing_personal_is_in_issues_or_on_the_disk() {
    let town = Town::new().await;
    town.register(&[ani(), Row { nik: NIK_OF_TWIN, name: "Budi Contoh", ..ani() }]);
    town.read().await;
    town.visits(&[
        Row { name: "Cici Lain", day: "18/11/2026", ..ani() },
        Row { nik: "", day: "18/11/2026", ..ani() },
        Row { nik: "1001014512240003", day: "18/11/2026", ..ani() },
    ]);
    let seen = town.read().await;
    assert!(seen.has("nik.shared", Severity::Error) && seen.has("person.two_niks", Severity::Error));
    let told = format!("{:?}", seen.issues);
    let disk = town.disk();
    for personal in ["Contoh", "Cici", "2024-12-05", NIK, NIK_OF_TWIN] {
        assert!(!told.contains(personal), "{personal} in {told}");
        assert!(!disk.windows(personal.len()).any(|bytes| bytes == personal.as_bytes()), "{personal} on the disk");
    }
}

#[tokio::test]
async fn a_name_that_too_many_share_leads_nowhere() {
    const MANY: usize = 201;
    let leaked = |text: String| -> &'static str { text.leak() };
    let many: Vec<Row> = (0..MANY)
        .map(|number| Row {
            nik: leaked(format!("100101451224{:04}", number + 1)),
            name: leaked(format!("Anak Ke {number}")),
            mother: "Ibu",
            ..Row::default()
        })
        .collect();
    let town = Town::new().await;
    town.register(&many);
    town.visits(&[
        Row { day: "18/11/2026", ..many[7] },
        Row { nik: "", name: "Anak Kesekian", day: "18/11/2026", ..many[0] },
    ]);
    let seen = town.read().await;
    assert_eq!(seen.visits.len(), 1, "who has a number is known by it");
    assert!(seen.has("person.too_many", Severity::Error), "{:?}", seen.rules());
}
