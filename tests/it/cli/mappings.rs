//! Mistakes in own mapping files end a check with file, line, column and a suggestion.

use std::path::Path;

use super::town::{CONFIG, Town, copy_folder};

fn own_mappings() -> Town {
    let town = Town::alone();
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &town.path("own"));
    town.edit(CONFIG, "[mapping]", "[mapping]\ndirectory = \"own\"");
    town
}

#[test]
fn a_mistake_is_told_with_its_place_and_a_suggestion() {
    let town = own_mappings();
    let check = town.gateway(&["check", "--format", "json"]);
    assert_eq!(check.code, Some(1), "an unchanged copy works: {}", check.err);
    let toddler = "own/kunjungan_balita.yaml";
    for (file, old, new, words) in [
        (toddler, "$field: bb}", "$field: bbb}", &["bbb", "bb"] as &[&str]),
        (toddler, "valueQuantity:", "valueQuantitty:", &["valueQuantitty", "valueQuantity"]),
        (toddler, "      status: final\n", "", &["status"]),
        (
            "own/concept_maps/vaksin.csv",
            "schemas/record/imunisasi.json,1,BCG,",
            "schemas/record/imunisasi.json,1,BCGG,",
            &["BCG"],
        ),
    ] {
        let text = town.read(file);
        town.write(file, &text.replacen(old, new, if new.is_empty() { 1 } else { 9 }));
        assert_ne!(town.read(file), text, "{old}");
        let told = town.gateway(&["check"]);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{}", told.err);
        let place = |line: &str| {
            let mut parts = line.splitn(4, ':');
            let name = parts.next().unwrap_or_default();
            name.starts_with("own/") && parts.by_ref().take(2).all(|part| part.parse::<usize>().is_ok_and(|at| at > 0))
        };
        let told_here =
            told.err.lines().filter(|line| place(line)).any(|line| words.iter().all(|word| line.contains(word)));
        assert!(told_here, "{old}: {}", told.err);
        let suggests = told.err.lines().any(|line| line.contains("did you mean") || line.contains('('));
        assert!(suggests, "{old}: {}", told.err);
        let marks = told.err.lines().filter(|line| line.trim_start_matches([' ', '|']).trim_end() == "^").count();
        assert!(marks > 0, "the line stands below with a mark: {}", told.err);
        assert!(told.err.lines().last().unwrap().starts_with("error: "), "{}", told.err);
        town.write(file, &text);
    }
}

#[test]
fn list_and_test_speak_of_the_built_in_and_of_own_files() {
    let town = own_mappings();
    for arguments in [&["mapping", "list"] as &[&str], &["mapping", "test"], &["mapping", "test", "--directory", "own"]]
    {
        let told = town.gateway(arguments);
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""), "{}", told.out);
    }
    let list = town.gateway(&["mapping", "list", "--format", "json"]).json();
    assert!(list["resources"].as_array().unwrap().len() > 10);
    let tested = town.gateway(&["mapping", "test", "--format", "json"]).json();
    assert_eq!(tested["failed"].as_array().unwrap().len(), 0);
    town.gateway(&["mapping", "list", "--directory", "nowhere"]).only_sentence(2, &["nowhere"]);
}

#[test]
fn rules_are_listed_with_what_is_looked_at_and_why_the_others_are_not() {
    let town = own_mappings();
    let listed = town.gateway(&["mapping", "rules"]).out;
    assert!(listed.ends_with("537 rules are looked at before sending, 21 cannot be\n"), "{listed}");
    assert!(listed.contains("20002 not checked    Bundle: only the server knows"));
    let one = town.gateway(&["mapping", "rules", "10398"]).out;
    assert!(one.starts_with("10398 system         Observation.interpretation\n"), "{one}");
    assert!(one.contains("clinical-term (told, not refused)"), "{one}");
    let as_json = town.gateway(&["mapping", "rules", "10121", "--format", "json"]).json();
    assert_eq!((as_json["checked"].as_u64(), as_json["rules"].as_array().unwrap().len()), (Some(1), 3));
    assert_eq!(as_json["rules"][1]["when"], "status = finished");
    town.gateway(&["mapping", "rules", "99999"]).only_sentence(2, &["no published rule"]);
}

#[test]
fn a_plan_that_changes_nothing_is_not_kept_and_an_unknown_one_not_approved() {
    let town = Town::alone();
    assert_eq!(town.gateway(&["init"]).code, Some(0));
    let made = town.gateway(&["mapping", "plan", "--format", "json"]).json();
    assert_eq!((&made["plan"], &made["visits"]), (&serde_json::Value::Null, &0.into()));
    let listed = town.gateway(&["mapping", "plans", "--format", "json"]).json();
    assert_eq!(listed["plans"].as_array().unwrap().len(), 0);
    let approved = town.gateway(&["mapping", "approve", "1", "--reason", "kode diganti"]);
    approved.only_sentence(2, &["there is no plan 1", "mapping plans"]);
    let without = town.gateway(&["mapping", "approve", "1", "--reason", " "]);
    without.only_sentence(2, &["--reason"]);
}
