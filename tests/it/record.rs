//! Rows as the field writes them, and what the reader makes of each: one case per rule.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::{Date, date};
use posyandu_gateway::issue::{Place, Severity};
use posyandu_gateway::record::reader::Reader;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::record::{Record, RowOutcome, Value};
use posyandu_gateway::source::Row;
use posyandu_gateway::source::cells::Cells;
use posyandu_gateway::source::profile::{self, Profile};
use posyandu_gateway::words::{self, Language};
use proptest::prelude::*;

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
    read("eppgbm_csv.yaml", 0, &EPPGBM, changes)
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
        let outcome = read(changes);
        let expected: Vec<(String, Severity)> =
            expected.iter().map(|(rule, severity)| ((*rule).to_owned(), *severity)).collect();
        assert_eq!(found(&outcome), expected, "{changes:?}");
        for issue in &outcome.issues {
            for language in [Language::Indonesian, Language::English] {
                let sentence = words::of_issue(language, issue);
                assert!(words::knows(&issue.rule) && !sentence.contains('{'), "{}: {sentence}", issue.rule);
            }
            assert!(issue.place.as_ref().is_some_and(|place| place.row == "7"), "{}", issue.rule);
        }
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

#[test]
fn identity_rules() {
    check(
        register,
        &[
            (&[("NIK Anak", "100101451224001")], &[("nik.digits", ERROR)]),
            (&[("NIK Anak", "1.00101E+15")], &[("nik.scientific", ERROR)]),
            (&[("NIK Anak", "100101******0001")], &[("nik.masked", ERROR)]),
            (&[("NIK Anak", "9999014512240001")], &[("nik.placeholder", ERROR)]),
            (&[("NIK Anak", "1111111111111111")], &[("nik.placeholder", ERROR)]),
            (&[("NIK Anak", "-")], &[("nik.missing", ERROR)]),
            (&[("NIK Anak", "1001014612240001")], &[("nik.birth_mismatch", WARNING)]),
            (&[("NIK Anak", "1001013212240001")], &[("nik.not_a_date", WARNING)]),
            (&[("NIK Anak", "1001014512240000.0")], &[("nik.last_digit", WARNING)]),
            (&[("NIK Anak", "1001014512240001.0")], &[]),
            (&[("NIK Anak", "1001010512240001")], &[("sex.nik_contradiction", WARNING)]),
            (&[("NIK Ibu", "123")], &[("nik.related_unusable", WARNING)]),
            (&[("Nama Anak", "")], &[("name.missing", ERROR)]),
            (&[("Nama Anak", "By. Ny. Contoh")], &[("name.baby_of", WARNING)]),
            (&[("L/P", "")], &[("sex.unknown", ERROR)]),
            (&[("L/P", "X")], &[("sex.unknown", ERROR)]),
            (&[("L/P", "Pr")], &[]),
            (&[("Tanggal Lahir", "")], &[("birth_date.missing", ERROR)]),
            (&[("Tanggal Lahir", "lupa")], &[("birth_date.unreadable", ERROR)]),
            (&[("Tanggal Lahir", "05-12-24")], &[("date.ambiguous", ERROR)]),
            (&[("Nama Posyandu", "")], &[("posyandu.missing", ERROR)]),
            (&[("NIK Anak", ""), ("Nama Anak", " ")], &[("row.no_person", ERROR)]),
        ],
    );
    let future = register(&[("Tanggal Lahir", "05-12-2026"), ("NIK Anak", "1001014512260001")]);
    assert_eq!(found(&future), [("birth_date.future".to_owned(), ERROR)]);
    let doubtful = register(&[("NIK Anak", "1001014612240001")]);
    assert_eq!(record(&doubtful, "sasaran").text("status_nik"), Some("perlu_periksa"));
}

#[test]
fn day_rules() {
    check(
        register,
        &[
            (&[("Tgl Kunjungan", ""), ("Imunisasi", "")], &[("date.missing", ERROR)]),
            (&[("Tgl Kunjungan", "besok"), ("Imunisasi", "")], &[("date.unreadable", ERROR)]),
            (&[("Tgl Kunjungan", "18-11-26"), ("Imunisasi", "")], &[("date.ambiguous", ERROR)]),
            (&[("Tgl Kunjungan", "11/18/2026"), ("Imunisasi", "")], &[("date.ambiguous", ERROR)]),
            (&[("Tgl Kunjungan", "18 nopember 2026")], &[]),
            (&[("Tgl Kunjungan", "19-11-2026")], &[("date.future", ERROR)]),
            (&[("Tgl Kunjungan", "04-12-2024"), ("Imunisasi", "")], &[("date.before_birth", ERROR)]),
            (
                &[
                    ("Tanggal Lahir", "05-11-2020"),
                    ("NIK Anak", "1001014511200001"),
                    ("Cara Ukur", "Berdiri"),
                    ("Vit A", ""),
                ],
                &[("visit.age_out_of_group", ERROR)],
            ),
            (
                &[("Tgl Kunjungan", "02-06-2014"), ("Tanggal Lahir", "05-12-2013"), ("NIK Anak", "1001014512130001")],
                &[("date.too_old", ERROR)],
            ),
        ],
    );
    let old = register(&[("Tanggal Lahir", "05-11-2020")]);
    let held = old.issues.iter().find(|issue| issue.rule == "visit.age_out_of_group").unwrap();
    assert_eq!(held.place.as_ref().unwrap().column.as_deref(), Some("Tanggal Lahir"));
    check(eppgbm, &[(&[("Usia Saat Ukur", "1 Tahun - 2 Bulan")], &[("age.mismatch", INFORMATION)])]);
}

#[test]
fn measurement_rules() {
    check(
        eppgbm,
        &[
            (&[("Berat", "8400")], &[("weight.grams", ERROR)]),
            (&[("Berat", "840")], &[("weight.out_of_range", ERROR)]),
            (&[("Berat", "55")], &[("weight.out_of_range", ERROR)]),
            (&[("Berat", "27-Mar")], &[("weight.is_date", ERROR)]),
            (&[("Berat", "menangis")], &[("weight.unreadable", ERROR)]),
            (&[("Berat", "10,4 kg")], &[("number.unit_inside", INFORMATION)]),
            (&[("Berat", "12:5")], &[("number.colon", WARNING)]),
            (&[("Berat", "0")], &[("number.not_measured", INFORMATION)]),
            (&[("Berat", "-")], &[("number.not_measured", INFORMATION)]),
            (&[("Berat", "")], &[]),
            (&[("Berat", "32")], &[("number.unusual", WARNING)]),
            (&[("Tinggi", "185")], &[("height.out_of_range", ERROR)]),
            (&[("Tinggi", "0,85")], &[("height.metres", ERROR)]),
            (&[("Tinggi", "825")], &[("height.millimetres", ERROR)]),
            (&[("Tinggi", "82.Mei")], &[("height.unreadable", ERROR)]),
            (&[("Tinggi", "12.Mei")], &[("height.is_date", ERROR)]),
            (&[("LiLA", "45")], &[("lila.out_of_range", ERROR)]),
            (&[("LiLA", "14.Mei")], &[("lila.is_date", ERROR)]),
            (&[("LiLA", "kecil")], &[("lila.unreadable", ERROR)]),
            (&[("BB/TB", "Outlier"), ("ZS BB/U", "Outlier")], &[("z_score.unreadable", INFORMATION)]),
            (&[("Cara Ukur", "")], &[("position.derived", WARNING)]),
            (&[("Cara Ukur", "Berdiri")], &[("position.contradicts_age", WARNING)]),
            (&[("Cara Ukur", "duduk")], &[("words.unknown", ERROR)]),
            (&[("Naik Berat Badan", "X")], &[("nt.unknown", WARNING)]),
            (&[("Jml Vit A", "1")], &[("vitamin_a.color_derived", WARNING)]),
            (&[("Jml Vit A", "0")], &[]),
        ],
    );
    check(
        register,
        &[
            (&[("LK (cm)", "95")], &[("head.out_of_range", ERROR)]),
            (&[("LK (cm)", "12/3")], &[("head.is_date", ERROR)]),
            (&[("LK (cm)", "besar")], &[("head.unreadable", ERROR)]),
            (&[("Vit A", "biru")], &[("vitamin_a.colour_contradicts_age", ERROR)]),
            (&[("Vit A", "tdk")], &[]),
        ],
    );
    let grams = eppgbm(&[("Berat", "8400")]);
    assert!(words::of_issue(Language::Indonesian, &grams.issues[0]).contains("8.4 kg"));
    let derived = eppgbm(&[("Cara Ukur", "")]);
    let visit = record(&derived, "kunjungan_balita");
    assert_eq!(visit.text("cara_ukur"), Some("terlentang"));
    assert_eq!(visit.get("cara_ukur_diturunkan"), Some(&Value::Boolean(true)));
}

#[test]
fn immunization_rules() {
    check(
        register,
        &[
            (&[("Imunisasi", "Vaksin X")], &[("immunization.unknown_antigen", ERROR)]),
            (&[("Imunisasi", "BCG, Polio 1")], &[("immunization.several", ERROR)]),
            (&[("Imunisasi", "Polio")], &[("immunization.dose_missing", ERROR)]),
            (&[("Imunisasi", "Polio"), ("Dosis", "9")], &[("immunization.dose_missing", ERROR)]),
            (&[("Imunisasi", "Campak")], &[("immunization.dose_missing", ERROR)]),
            (&[("Imunisasi", "Polio"), ("Dosis", "II")], &[]),
            (&[("Imunisasi", "HB0"), ("Dosis", "0")], &[]),
            (&[("Imunisasi", "Polio 2"), ("Dosis", "3")], &[("immunization.dose_conflict", ERROR)]),
            (&[("No Batch", "")], &[("immunization.lot_missing", ERROR)]),
            (&[("No Batch", ""), ("Kedaluwarsa", ""), ("Pelapor", "Kader")], &[]),
            (&[("Kedaluwarsa", "")], &[("immunization.expiry_missing", ERROR)]),
            (&[("Kedaluwarsa", "01-01-2026")], &[("immunization.expiry_before_dose", ERROR)]),
            (&[("Pelapor", "")], &[("immunization.reporter_missing", ERROR)]),
            (&[("Pelapor", "tetangga")], &[("words.unknown", ERROR)]),
            (&[("Pelapor", "Buku KIA")], &[("date.missing", ERROR)]),
            (&[("Tgl Imunisasi", "01-12-2024")], &[("immunization.before_birth", ERROR)]),
            (&[("Keterangan", "tidak diberikan")], &[("immunization.reason_missing", ERROR)]),
            (&[("Keterangan", "demam sesudahnya")], &[]),
        ],
    );
    for (changes, reason) in [
        ([("Imunisasi", "MR 2 (tunda: demam)"), ("Keterangan", "")], "tunda"),
        ([("Imunisasi", "MR 2"), ("Keterangan", "Ditolak ayah")], "ditolak"),
    ] {
        let outcome = register(&changes);
        assert_eq!(found(&outcome), []);
        let dose = record(&outcome, "imunisasi");
        assert_eq!((dose.text("status"), dose.text("alasan_tidak")), (Some("tidak_diberikan"), Some(reason)));
        assert_eq!((dose.text("antigen"), dose.get("dosis_ke")), (Some("MR"), Some(&Value::Integer(2))));
    }
}

const POSYANDU: [(&str, &str); 9] = [
    ("kode_posyandu", "P01"),
    ("nama", "Melati 1"),
    ("kode_puskesmas", "PKM1"),
    ("puskesmas", "Utara"),
    ("zona_waktu", "WIB"),
    ("jam_buka", "08:00"),
    ("jam_tutup", "12.00"),
    ("nik_nakes", ""),
    ("id_organisasi_satusehat", "10000004"),
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

proptest! {
    #[test]
    fn no_cell_breaks_the_reader_and_no_issue_shows_a_person(
        column in 0..REGISTER.len(),
        text in prop_oneof!["\\PC{0,40}", "[0-9.,:/' -]{0,20}", "[0-9]{1,2}[-/. ][A-Za-z]{3}[-/. ]?[0-9]{0,4}"],
    ) {
        let header = REGISTER[column].0;
        let outcome = register(&[(header, &text)]);
        for issue in &outcome.issues {
            for (_, value) in &issue.arguments {
                prop_assert!(!value.contains("Contoh") && !value.contains("1001014512240001"));
            }
        }
    }
}
