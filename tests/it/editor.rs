//! The schemas for editors: as shipped they are what the program prints, accept every shipped file and refuse mistakes.

use std::path::Path;

use jsonschema::Validator;
use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::config::editor;
use serde_json::Value;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schemas() -> (Rules, [(&'static str, Value); 2]) {
    let rules = assets::rules(None).unwrap();
    let made = [
        ("mapping", editor::mapping(&rules.schemas, &rules.profiles)),
        ("profile", editor::source_profile(&rules.schemas)),
    ];
    (rules, made)
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::meta::validate(schema).unwrap();
    jsonschema::draft202012::new(schema).unwrap()
}

/// A YAML file as JSON, the way editors read it: anchors written out, `Ya` and `No` are words.
fn read(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap()
}

fn files(inside: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder().join(inside)).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "yaml") {
            all.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(all.len() >= 3);
    all
}

fn mistakes(validator: &Validator, text: &str) -> Vec<String> {
    let file = read(text);
    validator.iter_errors(&file).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_shipped_schemas_are_what_the_program_prints() {
    for (name, made) in schemas().1 {
        let path = folder().join(format!("schemas/editor/{name}.json"));
        let command = if name == "mapping" { "mapping schema" } else { "source schema" };
        let shipped: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert!(shipped == made, "write it again: posyandu-gateway {command} > schemas/editor/{name}.json");
    }
}

#[test]
fn every_shipped_file_is_accepted() {
    let [(_, mapping), (_, profile)] = schemas().1;
    for (inside, schema) in [("mappings", mapping), ("mappings/sources", profile)] {
        let validator = validator(&schema);
        for (file, text) in files(inside) {
            let found = mistakes(&validator, &text);
            assert!(found.is_empty(), "{file}: {found:#?}");
        }
    }
}

#[track_caller]
fn refused(validator: &Validator, file: &str, right: &str, wrong: &str) {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    assert!(text.contains(right), "{right} does not stand in {file}");
    assert!(!mistakes(validator, &text.replacen(right, wrong, 1)).is_empty(), "{wrong} is accepted");
}

#[test]
fn planted_mistakes_in_a_mapping_are_refused() {
    let mapping = validator(&schemas().1[0].1);
    let toddlers = "mappings/kunjungan_balita.yaml";
    for (right, wrong) in [
        ("dataset: kunjungan_balita", "dataset: kunjungan_bayi"),
        ("resources:\n", "resource:\n"),
        ("certainty: official", "certainty: oficial"),
        ("resourceType: Observation", "resourceType: Observasi"),
        ("{$field: bb}", "{$feild: bb}"),
        ("{$field: bb}", "{$field: bbb}"),
        ("{$field: bb}", "{$field: bb, unit: kg}"),
        ("when: {bb: present}", "when: {bbb: present}"),
        ("when: {bb: present}", "when: {bb: {above: 3}}"),
        ("time: posyandu.jam_buka", "waktu: posyandu.jam_buka"),
        ("  - name: berat_badan\n", "  - nama: berat_badan\n"),
        ("  umur_bulan: ", "  umur_tahun: "),
        ("    switch: obat_cacing_sebagai_pernyataan\n", ""),
    ] {
        refused(&mapping, toddlers, right, wrong);
    }
}

#[test]
fn planted_mistakes_in_a_profile_are_refused() {
    let profile = validator(&schemas().1[1].1);
    let register = "mappings/sources/ilp_register.yaml";
    for (right, wrong) in [
        ("kind: file", "kind: berkas"),
        ("decimal: comma", "decimal: koma"),
        ("dates: [day-first", "dates: [day_first"),
        ("group: bayi_balita_apras", "group: balita"),
        ("format: name", "format: nama"),
        ("        nama: {columns", "        namanya: {columns"),
        ("      sasaran:\n", "      sasaranku:\n"),
        ("optional: true", "optional: 3"),
        ("{columns: [Nama Ibu]", "{column: [Nama Ibu]"),
        ("title: ILP", "titel: ILP"),
    ] {
        refused(&profile, register, right, wrong);
    }
}
