//! Rows as the field writes them, and what the reader makes of each: one case per rule.

mod carriers;
mod child;
mod derived;
mod groups;
mod hostile;
mod identity;
mod rows;
mod services;
mod vaccines;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::{Date, date};
use posyandu_gateway::issue::{Place, Severity};
use posyandu_gateway::record::reader::Reader;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::record::{Record, RowOutcome, Value};
use posyandu_gateway::source::Row;
use posyandu_gateway::source::cells::{CellKind, Cells};
use posyandu_gateway::source::profile::{self, Profile};
use posyandu_gateway::words::{self, Language};

const TODAY: Date = date(2026, 11, 18);

/// A child of 23 months in the puskesmas register, everything in order.
const REGISTER: [(&str, &str); 26] = [
    ("No", "1"),
    ("Nama Posyandu", "Posyandu Melati 1"),
    ("Tgl Kunjungan", "18-11-2026"),
    ("NIK Anak", "'1001014512240001"),
    ("Nama Anak", "Anak Contoh"),
    ("L/P", "P"),
    ("Tanggal Lahir", "05-12-2024"),
    ("Nama Ibu", "Ibu Contoh"),
    ("NIK Ibu", ""),
    ("Alamat", "Jl. Contoh 1"),
    ("RT/RW", "001/002"),
    ("BB (kg)", "10.4"),
    ("PB/TB (cm)", "82.5"),
    ("Cara Ukur", "Terlentang"),
    ("LK (cm)", "46"),
    ("LiLA (cm)", "14.5"),
    ("Vit A", "merah"),
    ("Obat Cacing", "Ya"),
    ("ASI Eksklusif", ""),
    ("Imunisasi", "DPT-HB-Hib 4"),
    ("Dosis", ""),
    ("Tgl Imunisasi", ""),
    ("No Batch", "B123"),
    ("Kedaluwarsa", "31-12-2027"),
    ("Pelapor", "Bidan"),
    ("Keterangan", ""),
];

/// A child of 23 months in the e-PPGBM export.
const EPPGBM: [(&str, &str); 16] = [
    ("NIK", "1001014512240001"),
    ("Nama", "Anak Contoh"),
    ("JK", "P"),
    ("Tgl Lahir", "05/12/2024"),
    ("Nama Ortu", "Ayah Contoh / Ibu Contoh"),
    ("Posyandu", "MELATI 1"),
    ("Usia Saat Ukur", "1 Tahun - 11 Bulan - 13 Hari"),
    ("Tanggal Pengukuran", "18/11/2026"),
    ("Berat", "10,4"),
    ("Tinggi", "82,5"),
    ("Cara Ukur", "Terlentang"),
    ("LiLA", "14,5"),
    ("ZS BB/U", "-0,4"),
    ("BB/TB", "Normal"),
    ("Naik Berat Badan", "N"),
    ("Jml Vit A", ""),
];

type Known = (Arc<Profile>, Reader);

/// Readers are made once: a property asks for hundreds.
fn reader(name: &str) -> Arc<Known> {
    static READERS: Mutex<BTreeMap<String, Arc<Known>>> = Mutex::new(BTreeMap::new());
    let mut readers = READERS.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(readers.entry(name.to_owned()).or_insert_with(|| Arc::new(new_reader(name))))
}

fn new_reader(name: &str) -> Known {
    let (file, text) = profile::built_in().into_iter().find(|(file, _)| *file == name).unwrap();
    let profile = Arc::new(Profile::parse(&file, &text).unwrap());
    let reader = Reader::new(Arc::clone(&profile), &Schemas::built_in().unwrap()).unwrap();
    (profile, reader)
}

fn read(name: &str, table: usize, base: &[(&str, &str)], changes: &[(&str, &str)]) -> RowOutcome {
    let known = reader(name);
    let (profile, reader) = &*known;
    let place = Place { source: "uji".into(), file: "berkas".into(), row: "7".into(), column: None };
    let changed = |header: &str| changes.iter().find(|(column, _)| *column == header).map(|(_, text)| *text);
    for (column, _) in changes {
        assert!(base.iter().any(|(header, _)| header == column), "no column {column}");
    }
    let headers: Vec<String> = base.iter().map(|(header, _)| (*header).to_owned()).collect();
    let cells: Cells = base.iter().map(|(header, text)| changed(header).unwrap_or(text)).collect();
    reader.read(&Row::new(profile, table, place, &headers, cells), TODAY)
}

fn register(changes: &[(&str, &str)]) -> RowOutcome {
    read("register_csv.yaml", 0, &REGISTER, changes)
}

fn eppgbm(changes: &[(&str, &str)]) -> RowOutcome {
    read("eppgbm_ekspor.yaml", 0, &EPPGBM, changes)
}

/// Reads a row of typed cells with a profile of the test's own.
fn read_cells(known: &Known, table: usize, cells: &[(&str, &str, CellKind)]) -> RowOutcome {
    let (profile, reader) = known;
    let place = Place { source: "uji".into(), file: "berkas".into(), row: "7".into(), column: None };
    let headers: Vec<String> = cells.iter().map(|(header, _, _)| (*header).to_owned()).collect();
    let mut row = Cells::default();
    cells.iter().for_each(|(_, text, kind)| row.push_as(text, *kind));
    reader.read(&Row::new(profile, table, place, &headers, row), TODAY)
}

fn of_text(text: &str) -> Known {
    let profile = Arc::new(Profile::parse("uji.yaml", text).unwrap());
    let reader = Reader::new(Arc::clone(&profile), &Schemas::built_in().unwrap()).unwrap();
    (profile, reader)
}

fn found(outcome: &RowOutcome) -> Vec<(String, Severity)> {
    outcome.issues.iter().map(|issue| (issue.rule.to_string(), issue.severity)).collect()
}

fn record<'a>(outcome: &'a RowOutcome, dataset: &str) -> &'a Record {
    outcome.records.iter().find(|record| record.schema.dataset == dataset).unwrap()
}

/// Each case: the changed cells, and exactly the issues expected.
type Case = (&'static [(&'static str, &'static str)], &'static [(&'static str, Severity)]);

fn check(read: impl Fn(&[(&str, &str)]) -> RowOutcome, cases: &[Case]) {
    for (changes, expected) in cases {
        expect(&read(changes), expected, &format!("{changes:?}"));
    }
}

/// Exactly these issues, each with a sentence in both languages and the row's place.
#[track_caller]
fn expect(outcome: &RowOutcome, expected: &[(&str, Severity)], case: &str) {
    let expected: Vec<(String, Severity)> =
        expected.iter().map(|(rule, severity)| ((*rule).to_owned(), *severity)).collect();
    assert_eq!(found(outcome), expected, "{case}");
    for issue in &outcome.issues {
        for language in [Language::Indonesian, Language::English] {
            let sentence = words::of_issue(language, issue);
            assert!(words::knows(&issue.rule) && !sentence.contains('{'), "{}: {sentence}", issue.rule);
        }
        assert!(issue.place.as_ref().is_some_and(|place| place.row == "7"), "{}", issue.rule);
    }
}

const ERROR: Severity = Severity::Error;
const WARNING: Severity = Severity::Warning;
const INFORMATION: Severity = Severity::Information;

#[test]
fn a_good_row_yields_its_records_without_a_word() {
    let outcome = register(&[]);
    assert_eq!(found(&outcome), []);
    let visit = record(&outcome, "kunjungan_balita");
    assert_eq!(visit.get("umur_bulan"), Some(&Value::Integer(23)));
    assert_eq!(visit.place_of("bb").column.as_deref(), Some("BB (kg)"));
    assert_eq!(record(&outcome, "sasaran").text("status_nik"), Some("asli"));
    assert_eq!(record(&outcome, "sasaran").text("rw"), Some("002"));
    let dose = record(&outcome, "imunisasi");
    assert_eq!((dose.text("antigen"), dose.get("dosis_ke")), (Some("DPT-HB-HIB"), Some(&Value::Integer(4))));
    assert_eq!(dose.date("tanggal"), Some(TODAY));
    assert_eq!(register(&[("Imunisasi", "-")]).records.len(), 2);
    let outcome = eppgbm(&[]);
    assert_eq!(found(&outcome), []);
    assert_eq!(record(&outcome, "sasaran").text("nama_ibu"), Some("Ibu Contoh"));
}

#[test]
fn the_same_values_have_the_same_hash_and_survive_storage() {
    let (one, other) = (register(&[]), register(&[("BB (kg)", " 10.40 "), ("Cara Ukur", "TELENTANG"), ("No", "8")]));
    for (one, other) in one.records.iter().zip(&other.records) {
        assert_eq!(one.content_hash(), other.content_hash());
        let back = Record::from_json(&one.schema, &one.to_json(), one.place.clone(), one.columns.clone()).unwrap();
        assert_eq!(back.values, one.values);
    }
    let visit = record(&one, "kunjungan_balita");
    assert!(visit.to_json().contains("\"bb\":10.4,"), "{}", visit.to_json());
    assert_ne!(visit.content_hash(), record(&register(&[("BB (kg)", "10.5")]), "kunjungan_balita").content_hash());
    assert!(!format!("{one:?}").contains("Contoh"));
}

const POSYANDU: [(&str, &str); 10] = [
    ("kode_posyandu", "P01"),
    ("nama", "Melati 1"),
    ("kode_puskesmas", "PKM1"),
    ("puskesmas", "Utara"),
    ("zona_waktu", "WIB"),
    ("jam_buka", "08:00"),
    ("jam_tutup", "12.00"),
    ("nik_nakes", ""),
    ("id_organisasi_satusehat", "10000004"),
    ("id_lokasi_satusehat", "0f6a3b1c-1111-4222-8333-444455556666"),
];

#[test]
fn register_rules() {
    let read = |changes: &[(&str, &str)]| read("posyandu_register.yaml", 0, &POSYANDU, changes);
    check(
        read,
        &[
            (&[], &[]),
            (&[("nama", "")], &[("field.missing", ERROR)]),
            (&[("jam_buka", "pagi")], &[("time.unreadable", ERROR)]),
            (&[("jam_tutup", "07:00")], &[("posyandu.hours", ERROR)]),
            (&[("zona_waktu", "WITENG")], &[("words.unknown", ERROR)]),
            (&[("nik_nakes", "12")], &[("nik.related_unusable", WARNING)]),
        ],
    );
    assert!(record(&read(&[]), "posyandu").to_json().contains("\"jam_tutup\":\"12:00\""));
}

#[test]
fn what_the_typed_reading_lets_pass_the_schema_still_holds() {
    let mut schemas = Schemas::built_in().unwrap();
    let text = include_str!("../../schemas/record/kunjungan_balita.json").replace("\"maximum\": 71", "\"maximum\": 12");
    let strict = posyandu_gateway::record::schema::Schema::parse("kunjungan_balita", &text).unwrap();
    schemas.0.insert("kunjungan_balita".into(), Arc::new(strict));
    let profile = Arc::clone(&reader("register_csv.yaml").0);
    let reader = Reader::new(Arc::clone(&profile), &schemas).unwrap();
    let headers: Vec<String> = REGISTER.iter().map(|(header, _)| (*header).to_owned()).collect();
    let cells: Cells = REGISTER.iter().map(|(_, text)| *text).collect();
    let outcome = reader.read(&Row::new(&profile, 0, Place::default(), &headers, cells), TODAY);
    assert_eq!(found(&outcome), [("schema.value".to_owned(), ERROR)]);
}
