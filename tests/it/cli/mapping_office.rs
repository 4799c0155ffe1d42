//! What a health office does with a mapping without a programmer: read the dictionary, try a change, see what it does.

use std::path::Path;

use super::town::{CONFIG, Town, copy_folder};

/// An own mapping folder in which the weight has a text.
fn changed(town: &Town, folder: &str) {
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &town.path(folder));
    let file = format!("{folder}/kunjungan_balita.yaml");
    let right = "            display: Body weight\n";
    let text = town.read(&file);
    assert_eq!(text.matches(right).count(), 1);
    town.write(&file, &text.replace(right, &format!("{right}        text: Berat badan\n")));
}

#[test]
fn a_difference_is_counted_by_dataset_and_element_and_shows_no_value_of_a_record() {
    let town = Town::alone();
    changed(&town, "baru");
    let same = town.gateway(&["mapping", "diff", "current", "built-in", "--format", "json"]).json();
    assert!(same["visits"].as_u64().unwrap() > 100);
    assert_eq!((&same["differing"], &same["delivered"]), (&0.into(), &serde_json::Value::Null));

    let told = town.gateway(&["mapping", "diff", "current", "baru", "--format", "json"]).json();
    let weights = told["datasets"]["kunjungan_balita"]["changed"].as_u64().unwrap();
    assert!(weights > 50, "{told}");
    assert_eq!(told["differing"].as_u64(), Some(weights));
    let elements = told["elements"].as_array().unwrap();
    assert_eq!(elements.len(), 1, "{told}");
    assert_eq!(elements[0]["element"], "Observation.code.text");
    assert_eq!((&elements[0]["old"], &elements[0]["new"]), (&serde_json::Value::Null, &"Berat badan".into()));
    assert_eq!(elements[0]["times"].as_u64(), Some(weights));

    // The unit falls away and the value takes another one: values of records are masked.
    let file = "baru/kunjungan_balita.yaml";
    town.write(file, &town.read(file).replace("value: {$field: bb}", "value: 4"));
    town.write(file, &town.read(file).replace("not_reported:\n", "not_reported:\n  bb: dicoba\n"));
    let text = town.gateway(&["mapping", "diff", "current", "baru"]);
    assert_eq!(text.code, Some(0), "{}", text.err);
    assert!(text.out.contains("Observation.valueQuantity.value: ••• → 4"), "{}", text.out);

    let cases = town.gateway(&["mapping", "diff", "built-in", "baru", "--cases", "--format", "json"]).json();
    assert!(cases["visits"].as_u64().unwrap() >= 16 && cases["differing"].as_u64().unwrap() > 0, "{cases}");
}

#[test]
fn a_wrong_folder_or_source_is_told() {
    let town = Town::alone();
    town.gateway(&["mapping", "diff", "current", "nowhere"]).only_sentence(2, &["nowhere", "built-in"]);
    let source = town.gateway(&["mapping", "diff", "current", "built-in", "--records", "sumber tak ada"]);
    source.only_sentence(2, &["sumber tak ada"]);
}

#[test]
fn delivered_visits_are_counted_from_the_ledger() {
    let town = Town::alone();
    assert_eq!(town.gateway(&["init"]).code, Some(0));
    let told = town.gateway(&["mapping", "diff", "current", "built-in", "--format", "json"]).json();
    assert_eq!(told["delivered"]["visits"], 0, "a ledger without deliveries: {told}");
}

#[test]
fn the_dictionary_is_the_same_bytes_and_holds_every_field_escaped() {
    let town = Town::alone();
    let write = |name: &str| {
        let told = town.gateway(&["--lang", "id", "mapping", "dictionary", "--output", name]);
        assert_eq!(told.code, Some(0), "{}", told.err);
        town.read(name)
    };
    let page = write("satu.html");
    assert_eq!(page, write("dua.html"));
    let version = town.gateway(&["mapping", "list", "--format", "json"]).json()["version"].as_str().unwrap().to_owned();
    let head = page.split("</head>").next().unwrap();
    assert!(head.contains(&format!("<meta name=\"mapping-version\" content=\"{version}\">")), "{head}");
    for words in ["284473002", "valueQuantity.value", "id=\"peta-vaksin\"", "resmi", "Tidak dilaporkan:", "lang=\"id\""]
    {
        assert!(page.contains(words), "{words}");
    }
    for forbidden in ["<script", "http-equiv", "src=", "@import", "url(", "<link", "mapping.dictionary."] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/record");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
        for field in schema["properties"].as_object().unwrap().keys() {
            assert!(page.contains(&format!("<code>{field}</code>")), "{field}");
        }
    }

    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &town.path("own"));
    town.edit(CONFIG, "[mapping]", "[mapping]\ndirectory = \"own\"");
    town.edit("own/kunjungan_balita.yaml", "umur_bulan: derived", "umur_bulan: <b onclick=\"x()\">derived");
    let page = write("tiga.html");
    assert!(page.contains("&lt;b onclick=&quot;x()&quot;&gt;derived") && !page.contains("<b onclick"));
}
