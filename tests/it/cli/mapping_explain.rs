//! `mapping explain`: the way of a field to its element, code and certainty, and back.

use serde_json::Value;

use super::town::Town;

fn explained(arguments: &[&str]) -> Value {
    let town = Town::alone();
    town.gateway(&[&["mapping", "explain", "--format", "json"], arguments].concat()).json()
}

fn uses(told: &Value) -> Vec<&Value> {
    told["uses"].as_array().unwrap().iter().collect()
}

#[test]
fn a_field_is_followed_to_its_element_code_and_certainty() {
    let told = explained(&["--field", "lila"]);
    let uses = uses(&told);
    let value = uses.iter().find(|one| one["dataset"] == "kunjungan_balita" && one["role"] == "value").unwrap();
    assert_eq!(value["element"], "Observation.valueQuantity.value");
    assert_eq!(value["codes"][0]["code"], "284473002");
    assert_eq!((&value["certainty"], &value["switch"]), (&"official".into(), &Value::Null));
    assert!(uses.iter().all(|one| one["field"] == "lila"));
}

#[test]
fn a_translated_field_tells_each_word() {
    let told = explained(&["imunisasi", "--field", "antigen"]);
    let rows: Vec<&Value> = uses(&told).iter().flat_map(|one| one["concept_map"].as_array().unwrap()).collect();
    assert!(rows.iter().any(|row| row["word"] == "BCG" && row["code"] == "VG19" && row["certainty"] == "official"));
}

#[test]
fn a_condition_tells_the_codes_it_decides_about() {
    let told = explained(&["imunisasi", "--field", "jadwal"]);
    let ideal = uses(&told).into_iter().find(|one| one["conditions"] == "jadwal: ideal").unwrap().clone();
    assert_eq!((&ideal["role"], &ideal["codes"][0]["code"]), (&"condition".into(), &"IM-Ideal".into()));
}

/// Nothing falls through: each field of each dataset is used or told with a reason.
#[test]
fn every_field_of_every_dataset_has_a_fate() {
    let town = Town::alone();
    let list = town.gateway(&["mapping", "list", "--format", "json"]).json();
    let datasets: std::collections::BTreeSet<&str> =
        list["resources"].as_array().unwrap().iter().map(|one| one["dataset"].as_str().unwrap()).collect();
    assert!(datasets.len() >= 3);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/record");
    for dataset in datasets {
        let told = explained(&[dataset]);
        let schema = std::fs::read_to_string(folder.join(format!("{dataset}.json"))).unwrap();
        let schema: Value = serde_json::from_str(&schema).unwrap();
        for field in schema["properties"].as_object().unwrap().keys() {
            let used = uses(&told).iter().any(|one| one["field"] == field.as_str());
            let kept = told["not_reported"].as_array().unwrap().iter().any(|one| one["field"] == field.as_str());
            assert!(used || kept, "{dataset}.{field}");
        }
    }
}

#[test]
fn a_resource_type_is_followed_back_and_text_speaks_two_languages() {
    let told = explained(&["--resource", "Procedure"]);
    assert!(uses(&told).iter().all(|one| one["resource_type"] == "Procedure"));
    assert!(uses(&told).iter().any(|one| one["field"] == "vit_a"));
    let town = Town::alone();
    let id = town.gateway(&["--lang", "id", "mapping", "explain", "kunjungan_balita"]);
    let en = town.gateway(&["--lang", "en", "mapping", "explain", "kunjungan_balita"]);
    for (text, words) in
        [(&id.out, ["unsur", "kepastian", "Tidak dilaporkan"]), (&en.out, ["element", "code", "Not reported"])]
    {
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
        assert!(text.contains("http://loinc.org|29463-7 Body weight"), "{text}");
        assert!(text.contains("guess (obat_cacing_sebagai_pernyataan)"), "{text}");
    }
}

#[test]
fn a_wrong_name_gets_the_nearest_right_one() {
    let town = Town::alone();
    for (arguments, words) in [
        (&["kunjungan_balit"] as &[&str], "did you mean `kunjungan_balita`?"),
        (&["--field", "lil"], "did you mean `lila`?"),
        (&["--resource", "Observasi"], "did you mean `Observation`?"),
    ] {
        let told = town.gateway(&[&["mapping", "explain"], arguments].concat());
        told.only_sentence(2, &[words]);
    }
}
