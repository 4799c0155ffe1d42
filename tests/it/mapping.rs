//! The mapping files as a health office meets them: proved as shipped, and every mistake told with its place.

use posyandu_gateway::config::assets::{self, AssetsError};

fn problems(folder: &std::path::Path) -> Vec<String> {
    match assets::rules(Some(folder)) {
        Ok(_) => Vec::new(),
        Err(AssetsError::Mapping(problems)) => problems.iter().map(ToString::to_string).collect(),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn the_built_in_mappings_are_proved() {
    if let Err(AssetsError::Mapping(problems)) = assets::rules(None) {
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", text.join("\n"));
    }
}

/// A mistake may show at the line that suffers from it, inside the same resource.
const LINES_APART: usize = 140;

/// Changes one place of a built-in mapping file and expects one sentence about it.
#[track_caller]
fn mistake(file: &str, right: &str, wrong: &str, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    for inside in ["", "concept_maps"] {
        std::fs::create_dir_all(folder.path().join(inside)).unwrap();
        for entry in std::fs::read_dir(root.join(inside)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                std::fs::copy(entry.path(), folder.path().join(inside).join(entry.file_name())).unwrap();
            }
        }
    }
    let path = folder.path().join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(right), "{right} does not stand in {file}");
    let line = text[..text.find(right).unwrap()].matches('\n').count() + 1;
    std::fs::write(&path, text.replacen(right, wrong, 1)).unwrap();
    let found = problems(folder.path());
    let place = format!("{}:", path.display());
    let hit = found.iter().find(|text| text.starts_with(&place) && text.contains(expected));
    let hit = hit.unwrap_or_else(|| panic!("expected `{expected}` in {found:#?}"));
    let told: usize = hit[place.len()..].split(':').next().unwrap().parse().unwrap();
    assert!(told.abs_diff(line) <= LINES_APART, "line {line} was meant, {hit}");
}

#[test]
fn a_misspelt_field_is_found_with_the_nearest_name() {
    mistake("kunjungan_balita.yaml", "{$field: bb}", "{$field: bbb}", "no field `bbb` (did you mean `bb");
}

#[test]
fn an_unknown_element_is_found_with_the_nearest_name() {
    let expected = "did you mean `valueQuantity`?";
    mistake("kunjungan_balita.yaml", "valueQuantity:", "valueQuantiti:", expected);
}

#[test]
fn a_missing_required_element_is_found() {
    mistake("kunjungan_balita.yaml", "      status: final\n", "", "required element `status`");
    mistake("kunjungan.yaml", "      class:\n", "      serviceType:\n", "required element `class`");
}

#[test]
fn an_unmapped_enum_value_is_found() {
    let right = "schemas/record/imunisasi.json,1,JE,http://sys-ids.kemkes.go.id/kfa,,VG129,,equivalent";
    let folder_wrong = "schemas/record/imunisasi.json,1,JX,http://sys-ids.kemkes.go.id/kfa,,VG129,,equivalent";
    // Two lines translate JE: with one left the code is still known, so both must go.
    let folder = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    std::fs::create_dir_all(folder.path().join("concept_maps")).unwrap();
    for inside in ["", "concept_maps"] {
        for entry in std::fs::read_dir(root.join(inside)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let text = std::fs::read_to_string(entry.path()).unwrap();
                let text = text.replace(right, folder_wrong).replace("json,1,JE,", "json,1,JX,");
                std::fs::write(folder.path().join(inside).join(entry.file_name()), text).unwrap();
            }
        }
    }
    let found = problems(folder.path());
    let hit = found.iter().find(|text| text.contains("`antigen` can be `JE`, which `vaksin` does not translate"));
    assert!(hit.is_some_and(|text| text.contains("imunisasi.yaml:")), "{found:#?}");
}

#[test]
fn other_mistakes_are_found_too() {
    mistake("kunjungan_balita.yaml", "code: \"29463-7\"", "code: \"29463-8\"", "is not in the packaged code list");
    mistake("kunjungan_balita.yaml", "unit: kg", "unit: kg\n        kode: x", "R4 has no element");
    mistake("kunjungan_balita.yaml", "code: kg", "code: cm", "`bb` is held in kg, not in cm");
    mistake("kunjungan_balita.yaml", "when: {bb: present}", "when: {lila: present}", "`bb` may be empty here");
    mistake("kunjungan_balita.yaml", "cara_ukur: terlentang", "cara_ukur: terlentan", "did you mean `terlentang`?");
    mistake("kunjungan_balita.yaml", "{$reference: kunjungan}", "{$reference: kunjugan}", "did you mean `kunjungan`?");
    mistake("kunjungan_balita.yaml", "{$field: bb}", "{$feild: bb}", "did you mean `$field`?");
    mistake("kunjungan_balita.yaml", "  petugas: the kader", "  petugass: the kader", "has no field `petugass`");
    mistake("kunjungan_remaja.yaml", "{at_least: 11, below", "{at_leas: 11, below", "did you mean `at_least`?");
    mistake("kunjungan_ibu_hamil.yaml", "{$date: hpht}", "{$date: gravida}", "`gravida` is not a Date");
    mistake("kunjungan_ibu_hamil.yaml", "when: {hpht: present}", "when: {bb: present}", "`hpht` may be empty here");
    mistake(
        "kunjungan.yaml",
        "{$optional_reference: episode_ibu_hamil}",
        "{$optional_reference: episode_hamil}",
        "did you mean",
    );
    mistake("imunisasi.yaml", "map: vaksin}", "map: vaksn}", "did you mean `vaksin`?");
    mistake("kunjungan.yaml", "status: finished", "status: selesai", "R4 refuses it");
    mistake("kunjungan.yaml", "      statusHistory:\n", "      statusHistori:\n", "rule 10122 does not hold");
}

#[test]
fn a_resource_is_found_by_an_identifier_of_its_own() {
    let file = "suplementasi.yaml";
    let prescription = "- $identifier: prescription-item\n        - $identifier: prescription\n";
    let twice = "- $identifier: prescription\n        - $identifier: prescription\n";
    mistake(file, prescription, twice, "`$identifier: prescription` stands twice in `permintaan_ttd`");
    let sometimes = "- {$when: {jumlah: present}, $value: {$identifier: prescription-item}}\n";
    mistake(file, prescription, sometimes, "stands in the resource's own `identifier`, under no condition");
    let inside = "          id: obat\n";
    let deeper = "          id: obat\n          identifier:\n            - $identifier: medication\n";
    mistake(file, inside, deeper, "stands in the resource's own `identifier`, under no condition");
}
