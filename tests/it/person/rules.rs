//! The rules as a table, and a property: the order of rows never makes two persons of one number.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::date;
use posyandu_gateway::issue::Place;
use posyandu_gateway::record::matching::{By, Person, Verdict, judge};
use proptest::prelude::*;

use super::town::{Row, Town};
use super::{FAMILY, NIK, NIK_OF_TWIN};

fn person(nik: Option<&str>, name: &str, row: &str) -> Person {
    Person {
        nik: nik.map(str::to_owned),
        is_genuine: nik.is_some(),
        name: name.to_owned(),
        birth: Some(date(2024, 12, 5)),
        sex: Some("P".to_owned()),
        mother: Some("Siti".to_owned()),
        place: Place { source: "uji".into(), file: "a.csv".into(), row: row.into(), column: None },
        ..Person::default()
    }
}

/// The verdict in one word.
fn word(row: &Person, candidates: &[(By, &Person)]) -> String {
    let keys: Vec<usize> = (0..candidates.len()).collect();
    let candidates: Vec<(By, &usize, &Person)> =
        candidates.iter().zip(&keys).map(|((by, person), key)| (*by, key, *person)).collect();
    match judge(row, &candidates) {
        Verdict::Stranger => "stranger".to_owned(),
        Verdict::Same { by, varies: true, .. } => format!("{by:?} varies"),
        Verdict::Same { by, .. } => format!("{by:?}"),
        Verdict::Stopped(issue, _) => issue.rule.to_string(),
    }
}

#[test]
fn each_rule_by_itself() {
    let (known, nobody) = (person(Some(NIK), "Ani Contoh", "2"), person(None, "Ani Contoh", "3"));
    let baby = person(None, "By Ny Siti", "4");
    let row = |nik: Option<&str>, name: &str| person(nik, name, "9");
    let doubtful = Person { is_genuine: false, ..row(Some(NIK), "Ani Contoh") };
    for (row, candidates, wanted) in [
        (row(Some(NIK), "Ani Contoh"), vec![], "stranger"),
        (row(Some(NIK), "Ani Contoh"), vec![(By::Nik, &known), (By::Name, &nobody)], "Nik"),
        (row(Some(NIK), "Ani Contho"), vec![(By::Nik, &known)], "Nik varies"),
        (row(Some(NIK), "Ali Contoh"), vec![(By::Nik, &known)], "Nik varies"),
        (row(Some(NIK), "Alo Contah"), vec![(By::Nik, &known)], "nik.shared"),
        (row(Some(NIK), "By Ny Siti"), vec![(By::Nik, &known)], "Nik"),
        (Person { mother: None, ..row(Some(NIK), "By Ny Nur") }, vec![(By::Nik, &known)], "nik.shared"),
        (Person { birth: None, ..doubtful.clone() }, vec![(By::Nik, &known)], "stranger"),
        (doubtful, vec![(By::Nik, &known)], "Nik"),
        (
            Person { birth: Some(date(2024, 12, 6)), ..row(Some(NIK), "Ani Contoh") },
            vec![(By::Nik, &known)],
            "nik.shared",
        ),
        (row(None, "Ani Contoh"), vec![(By::Name, &known), (By::Family, &nobody)], "Family"),
        (row(None, "Ani Contoh"), vec![(By::Name, &known)], "Name"),
        (row(None, "Ani Contoh"), vec![(By::Name, &known), (By::Name, &nobody)], "person.several"),
        (row(Some(NIK_OF_TWIN), "Ani Contoh"), vec![(By::Name, &nobody)], "Name"),
        (row(Some(NIK_OF_TWIN), "Ani Contoh"), vec![(By::Name, &known)], "person.two_niks"),
        (row(Some(NIK_OF_TWIN), "Ani Contoh"), vec![(By::Family, &known)], "person.two_niks"),
        (row(Some(NIK), "Ani Contoh"), vec![(By::Baby, &baby)], "Baby"),
        (row(None, "Ani Contoh"), vec![(By::Baby, &known)], "stranger"),
        (row(None, "By Ny Siti"), vec![(By::Baby, &baby)], "stranger"),
        (row(None, "By Ny Siti"), vec![(By::Baby, &known), (By::Baby, &nobody)], "person.several"),
        (row(Some(NIK_OF_TWIN), "By Ny Siti"), vec![(By::Baby, &known)], "stranger"),
    ] {
        assert_eq!(word(&row, &candidates), wanted, "{row:?} {candidates:?}");
    }
}

fn some_row() -> impl Strategy<Value = Row> {
    let nik = prop::sample::select(vec![NIK, NIK_OF_TWIN, "", "100101451224****"]);
    let name = prop::sample::select(vec!["Ani Contoh", "Budi Contoh", "Ani Contho"]);
    let family = prop::sample::select(vec!["", FAMILY]);
    let day = prop::sample::select(vec!["16/11/2026", "17/11/2026", "18/11/2026"]);
    (nik, name, family, day).prop_map(|(nik, name, family, day)| Row { nik, name, family, day, ..Row::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// In each order each number has one person: every accepted visit of a number on a day has one name, whatever the
    /// order, and no visit holds rows of two numbers.
    #[test]
    fn no_order_makes_two_persons_of_one_number(
        rows in prop::collection::vec(some_row(), 1..7),
        order in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut turned = rows.clone();
            turned.rotate_left(order.index(rows.len()));
            turned.reverse();
            for rows in [rows, turned] {
                let town = Town::new().await;
                town.visits(&rows);
                let seen = town.read().await;
                let mut names: BTreeMap<(String, String), BTreeSet<[u8; 32]>> = BTreeMap::new();
                for visit in &seen.visits {
                    let record: serde_json::Value = serde_json::from_str(&visit.sasaran).unwrap();
                    let nik = record["nik"].as_str().unwrap().to_owned();
                    names.entry((nik, visit.day.clone())).or_default().insert(visit.key);
                }
                assert!(names.values().all(|keys| keys.len() == 1), "{rows:?}");
                let keys: BTreeSet<_> = names.values().flatten().collect();
                assert_eq!(keys.len(), names.len(), "{rows:?}");
            }
        });
    }
}
