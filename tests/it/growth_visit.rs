//! Growth beside a child's visit: the derived record, and what a person is told to look at.

use std::sync::OnceLock;

use posyandu_gateway::growth::weighing::Past;
use posyandu_gateway::growth::{Standards, pertumbuhan};
use posyandu_gateway::issue::Place;
use posyandu_gateway::record::Record;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::words::{self, Language};
use serde_json::json;

fn standards() -> &'static Standards {
    static STANDARDS: OnceLock<Standards> = OnceLock::new();
    STANDARDS.get_or_init(|| Standards::built_in().unwrap())
}

/// What the standards say about a visit of a girl of 23 months, as a record and as rules told with the field concerned.
fn derived(
    sasaran: serde_json::Value,
    dataset: &str,
    visit: serde_json::Value,
) -> (Option<serde_json::Value>, Vec<String>) {
    let schemas = Schemas::built_in().unwrap();
    let record = |dataset: &str, json: serde_json::Value| {
        let schema = schemas.get(dataset).unwrap();
        let columns = schema.fields.iter().map(|field| Some(field.name.as_str().into())).collect();
        Record::from_json(schema, &json.to_string(), Place::default(), columns).unwrap()
    };
    let mut person = json!({"nama": "Anak Contoh", "jenis_kelamin": "P", "tanggal_lahir": "2024-12-05"});
    person.as_object_mut().unwrap().extend(sasaran.as_object().unwrap().clone());
    let schema = schemas.get(pertumbuhan::DATASET).unwrap();
    let past = Past::default();
    let found = pertumbuhan::derive(standards(), schema, &record("sasaran", person), &record(dataset, visit), &past);
    let told = found.issues.iter().map(|issue| {
        let arguments: Vec<&str> = issue.arguments.iter().map(|(_, value)| value.as_str()).collect();
        let column = issue.place.as_ref().and_then(|place| place.column.clone()).unwrap_or_default();
        assert!(!words::of_issue(Language::Indonesian, issue).contains('{'));
        format!("{} {column}: {}", issue.rule, arguments.join(", "))
    });
    let record = found.record.map(|record| {
        let json: serde_json::Value = serde_json::from_str(&record.to_json()).unwrap();
        assert!(schema.violations(&json).is_empty(), "{json}");
        json
    });
    (record, told.collect())
}

#[test]
fn a_visit_has_its_growth_beside_it() {
    let visit = json!({"tanggal": "2026-11-18", "umur_bulan": 23, "bb": 10.4, "pb_tb": 82.5, "cara_ukur": "terlentang",
        "lingkar_kepala": 46, "lila": 14.5, "zs_bbu": -0.7, "bbu": "Berat Badan Normal", "bbtb": "Outlier"});
    let (record, told) = derived(json!({}), "kunjungan_balita", visit);
    assert_eq!(told, [""; 0]);
    let expected = json!({"tanggal": "2026-11-18", "umur_hari": 713, "umur_bulan": 23, "standar": "who_2006",
        "dibandingkan_sebagai": "panjang", "imt": 15.28, "zs_bbu": -0.72, "bbu": "normal", "zs_tbu": -1.06,
        "tbu": "normal", "zs_bbtb": -0.24, "bbtb": "gizi_baik", "zs_imtu": -0.11, "imtu": "gizi_baik",
        "zs_lku": -0.79, "lku": "normal", "zs_lilau": -0.28});
    assert_eq!(record.unwrap(), expected);
    let teen = json!({"tanggal": "2026-11-18", "umur_tahun": 12, "bb": 42, "tb": 150, "imt_kategori": "G"});
    let (record, told) = derived(json!({"tanggal_lahir": "2014-05-01"}), "kunjungan_remaja", teen);
    let expected = json!({"tanggal": "2026-11-18", "umur_hari": 4584, "umur_bulan": 150, "standar": "who_2007",
        "dibandingkan_sebagai": "tinggi", "imt": 18.67, "zs_tbu": -0.62, "zs_imtu": 0.09, "imtu": "gizi_baik"});
    assert_eq!(record.unwrap(), expected);
    assert_eq!(told, ["growth.imt_differs imt_kategori: gizi lebih, gizi baik (0.09)"]);
}

#[test]
fn what_the_card_says_otherwise_is_told_with_its_cell() {
    let visit = json!({"tanggal": "2026-11-18", "umur_bulan": 23, "bb": 10.4, "pb_tb": 82.5, "cara_ukur": "terlentang",
        "lingkar_kepala": 46, "zs_bbu": 0.52, "tbu": "PENDEK", "zs_bbtb": -3.1, "lk_hasil": "lebih"});
    let (record, told) = derived(json!({}), "kunjungan_balita", visit);
    assert!(record.is_some());
    let expected = [
        "growth.bbu_differs zs_bbu: 0.52, -0.72",
        "growth.tbu_differs tbu: pendek, normal (-1.06)",
        "growth.bbtb_differs zs_bbtb: -3.1, -0.24",
        "growth.lk_differs lk_hasil: melebihi normal, normal (-0.79)",
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_cannot_be_judged_is_told_and_not_reported() {
    let visit =
        json!({"tanggal": "2026-11-18", "umur_bulan": 23, "bb": 25.5, "pb_tb": 82.5, "cara_ukur": "terlentang"});
    let (record, told) = derived(json!({}), "kunjungan_balita", visit.clone());
    let expected = [
        "growth.implausible bb: BB/U, 7.05",
        "growth.implausible bb: BB/PB atau BB/TB, 11.72",
        "growth.implausible bb: IMT/U, 12",
    ];
    assert_eq!(told, expected);
    let expected = json!({"tanggal": "2026-11-18", "umur_hari": 713, "umur_bulan": 23, "standar": "who_2006",
        "dibandingkan_sebagai": "panjang", "zs_tbu": -1.06, "tbu": "normal"});
    assert_eq!(record.unwrap(), expected);
    let (record, told) = derived(json!({"ketelitian_tanggal": "bulan"}), "kunjungan_balita", visit);
    assert_eq!((record, told), (None, vec!["growth.birth_inexact tanggal_lahir: ".to_owned()]));
    let swollen = json!({"tanggal": "2026-11-18", "umur_bulan": 23, "bb": 9, "pitting_edema": 1});
    let (record, told) = derived(json!({}), "kunjungan_balita", swollen);
    assert_eq!((record, told), (None, vec!["growth.oedema pitting_edema: ".to_owned()]));
    let adult = json!({"tanggal": "2026-11-18", "umur_tahun": 30, "bb": 60, "tb": 150});
    assert_eq!(derived(json!({"tanggal_lahir": "1996-01-01"}), "kunjungan_dewasa", adult), (None, vec![]));
}
