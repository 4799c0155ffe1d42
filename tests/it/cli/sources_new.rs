//! `source new` and `source check` through the binary: what is proposed, that it reads, and that no value is shown.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use posyandu_gateway::record::proposal::{Ground, write};
use posyandu_gateway::record::reader::Reader;
use posyandu_gateway::source::cells::Cells;
use posyandu_gateway::source::profile::field::{FieldSpec, SHEET_TITLE};
use posyandu_gateway::source::profile::{Kind, Profile, Table, built_in};
use posyandu_gateway::source::sample::{Sample, Sheet};
use posyandu_gateway::words::Language;
use proptest::prelude::*;
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

use super::town::Told;
use crate::city::fixtures;
use crate::servers::{self, PASSWORD};

/// A register with headers of its own; its people are invented.
const RENAMED: &str = "\
POSYANDU CONTOH;;;;;;;;;
No;Nomor Induk;Nama Anak;Kelamin;Tgl. Lahir;Nama Posyandu;Tgl Ukur;Berat (kg);Tinggii Badan;Catatan Khusus
1;1001015803230001;Mawar Khayalan;P;18/03/2023;Melati 1;18/11/2026;12,5;91,2;sehat
2;1001011704230002;Bintang Umpamawan;L;17/04/2023;Melati 1;18/11/2026;13,1;93,0;
3;1001012001240003;Bulan Rekaannya;L;20/01/2024;Melati 1;18/11/2026;11,0;85,4;ulang
";
const NAMES: [&str; 3] = ["Mawar", "Umpamawan", "Rekaannya"];

/// Tables of an application, in words of all three engines.
const APPLICATION: &str = "
CREATE TABLE posyandus (id INTEGER PRIMARY KEY, nama VARCHAR(50));
CREATE TABLE anaks (id INTEGER PRIMARY KEY, nik VARCHAR(16), nama VARCHAR(50), jk VARCHAR(1), tgl_lahir DATE,
  nama_ibu VARCHAR(50), posyandu_id INTEGER);
CREATE TABLE ukurs (id INTEGER PRIMARY KEY, anak_id INTEGER, tgl_ukur DATE, bb DECIMAL(5,2), tb DECIMAL(5,2),
  catatan_khusus VARCHAR(50), updated_at TIMESTAMP NULL, FOREIGN KEY (anak_id) REFERENCES anaks (id));
INSERT INTO posyandus VALUES (1, 'Melati 1');
INSERT INTO anaks VALUES (7, '1001015803230001', 'Mawar Khayalan', 'P', '2023-03-18', 'Ibu Umpamawan', 1);
INSERT INTO ukurs VALUES (1, 7, '2026-11-18', 12.5, 91.2, 'sehat', NULL), (2, 7, '2026-10-18', 12.1, 90.4, NULL, NULL);
";

fn run(folder: &Path, arguments: &[&str]) -> Told {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"));
    Told::of(command.arg("source").args(arguments).current_dir(folder))
}

fn said_no_value(text: &str) {
    assert!(NAMES.iter().all(|name| !text.contains(name)), "{text}");
    assert!(!has_sixteen_digits(text), "{text}");
}

fn has_sixteen_digits(text: &str) -> bool {
    text.split(|character: char| !character.is_ascii_digit()).any(|run| run.len() >= 16)
}

/// A proposal with its comments taken away, as somebody leaves it who trusts every guess.
fn without_comments(yaml: &str) -> String {
    let lines = yaml.lines().map(|line| line.split_once("  # ").map_or(line, |(before, _)| before));
    lines.filter(|line| !line.trim_start().starts_with('#')).collect::<Vec<_>>().join("\n")
}

/// The first header of each column a table reads, in an order in which neighbours stand beside each other.
fn headers(table: &Table) -> (Vec<String>, Vec<String>) {
    let specs: Vec<&FieldSpec> = table.datasets().flat_map(|(_, fields)| fields.values()).collect();
    let (mut columns, mut titles): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for spec in specs.iter().filter(|spec| spec.after.is_none() && seen.insert(spec.name().to_owned())) {
        columns.extend(spec.columns.first().cloned());
        // All titles of a card are more rows than may stand above a header.
        titles.extend(spec.titles.iter().find(|title| !spec.optional && *title != SHEET_TITLE).cloned());
    }
    for spec in specs.iter().filter(|spec| spec.after.is_some()) {
        let after = spec.after.clone().unwrap();
        if seen.insert(spec.name().to_owned()) {
            let at = columns.iter().position(|column| *column == after).map_or(columns.len(), |at| at + 1);
            columns.insert(at, spec.columns[0].clone());
        }
    }
    (columns, titles)
}

#[test]
fn a_file_with_the_headers_of_a_shipped_profile_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in built_in() {
        let profile = Profile::parse(&file, &text).unwrap();
        if profile.kind != Kind::File {
            continue;
        }
        let mut lines = String::new();
        for table in &profile.tables[..1] {
            let (columns, titles) = headers(table);
            titles.iter().for_each(|title| lines.push_str(&format!("\"{title}\",\": Contoh\"\n")));
            let quoted = columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>();
            lines.push_str(&(quoted.join(",") + "\n"));
        }
        std::fs::write(folder.path().join("berkas.csv"), lines).unwrap();
        let told = run(folder.path(), &["new", "berkas.csv"]);
        assert_eq!(told.code, Some(0), "{file}: {}", told.err);
        let fits = told.out.lines().filter(|line| line.contains("cocok")).collect::<Vec<_>>().join("\n");
        assert!(fits.contains(&format!("`{}`", profile.name)), "{file}: {}", told.out);
    }
}

#[test]
fn a_file_with_headers_of_its_own_gets_a_profile_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), RENAMED).unwrap();
    let told = run(folder.path(), &["new", "data.csv"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    said_no_value(&told.out);
    for expected in
        ["nik: {columns: [Nomor Induk]", "tebakan", "Catatan Khusus  # tidak dikenal, 2 nilai berisi", "[day-first]"]
    {
        assert!(told.out.contains(expected), "`{expected}` is missing:\n{}", told.out);
    }
    assert!(!told.out.contains("cocok dengan judul"), "{}", told.out);
    std::fs::write(folder.path().join("usulan.yaml"), without_comments(&told.out)).unwrap();
    let check = run(folder.path(), &["check", "usulan.yaml", "data.csv", "--format", "json"]);
    assert_eq!(check.code, Some(0), "{}{}", check.err, check.out);
    said_no_value(&check.out);
    let whole: Value = check.json();
    assert_eq!(whole["counts"]["read"], 3);
    let cells = whole["rows"][0]["cells"].as_array().unwrap();
    let weight = cells.iter().find(|cell| cell["field"] == "kunjungan_balita.bb").unwrap();
    assert_eq!((&weight["raw"], &weight["value"], &weight["unit"]), (&"12,5".into(), &"12.5".into(), &"kg".into()));
    let text = run(folder.path(), &["check", "usulan.yaml", "data.csv"]);
    said_no_value(&text.out);
    assert!(text.out.contains("3 terbaca"), "{}", text.out);
}

#[test]
fn rows_that_cannot_be_read_end_with_one_and_are_explained_beneath() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), RENAMED.replace("12,5", "125 ons")).unwrap();
    run(folder.path(), &["new", "data.csv", "--output", "usulan.yaml"]);
    let check = run(folder.path(), &["check", "usulan.yaml", "data.csv", "--rows", "1"]);
    assert_eq!(check.code, Some(1), "{}", check.err);
    assert!(check.out.contains("  ! "), "{}", check.out);
    assert!(check.out.contains("2 terbaca, 1 perlu diperbaiki"), "{}", check.out);
}

#[test]
fn what_cannot_be_done_is_said_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data.csv"), RENAMED).unwrap();
    std::fs::write(folder.path().join("usulan.yaml"), "milik orang").unwrap();
    std::fs::write(folder.path().join("orang.csv"), "Mawar;P;1001015803230001\nUmpamawan;L;1001011704230002\n")
        .unwrap();
    for (arguments, words) in [
        (&["new", "data.csv", "--output", "usulan.yaml"] as &[&str], "not overwritten"),
        (&["new", "tidak-ada.csv"], "tidak dapat dibuka"),
        (&["new", "orang.csv"], "Tidak ditemukan judul kolom"),
        (&["check", "eppgbm_ekspr", "data.csv"], "did you mean `eppgbm_ekspor`?"),
        (&["check", "eppgbm_ekspor", "data.csv"], "data.csv"),
        (&["check", "eppgbm_ekspor", "data.csv", "--show-personal"], "on a terminal only"),
        (&["check", "eppgbm_ekspor", "mysql://a@b/c"], "reads files"),
        (&["new", "postgres://a:rahasia@b/c"], "password"),
    ] {
        let told = run(folder.path(), arguments);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(told.err.contains(words) && !told.err.contains("rahasia"), "{arguments:?}: {}", told.err);
        said_no_value(&told.err);
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("usulan.yaml")).unwrap(), "milik orang");
}

#[test]
fn the_database_of_a_shipped_profile_is_recognised_and_any_other_is_proposed() {
    let folder = tempfile::tempdir().unwrap();
    let known = fixtures().join("puskesmas-timur-aplikasi.sqlite");
    let told = run(folder.path(), &["new", known.to_str().unwrap()]);
    assert!(told.out.starts_with("# Profil `posyandu_laravel` sudah cocok"), "{}", told.out);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("a.sqlite"));
        let mut connection = options.create_if_missing(true).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(APPLICATION.to_owned())).execute(&mut connection).await.unwrap();
    });
    reads(folder.path(), "a.sqlite", &[]);
}

#[test]
fn a_database_server_gets_a_profile_that_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sandi.txt"), PASSWORD).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for server in [servers::postgres(), servers::mariadb()] {
        let database = runtime.block_on(server.database(APPLICATION));
        reads(folder.path(), &database.url(), &["--password-file", "sandi.txt"]);
    }
}

/// A proposal for the application reads its two visits.
#[track_caller]
fn reads(folder: &Path, target: &str, more: &[&str]) {
    let told = run(folder, &[&["new", target, "--table", "ukurs"], more].concat());
    assert_eq!(told.code, Some(0), "{}", told.err);
    said_no_value(&told.out);
    for expected in ["changed_at: updated_at", "LEFT JOIN", "catatan_khusus", "kunjungan_balita:"] {
        assert!(told.out.contains(expected), "{target}: `{expected}` is missing:\n{}", told.out);
    }
    std::fs::write(folder.join("usulan.yaml"), without_comments(&told.out)).unwrap();
    let check = run(folder, &[&["check", "usulan.yaml", target, "--format", "json"], more].concat());
    assert_eq!(check.code, Some(0), "{target}: {}{}", check.err, check.out);
    said_no_value(&check.out);
    assert_eq!(check.json()["counts"]["read"], 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_a_file_a_proposal_loads_and_shows_no_number_of_a_person(
        rows in prop::collection::vec(prop::collection::vec(cell(), 1..9), 1..12),
    ) {
        let ground = ground();
        let mut sample = Sample::default();
        let numbered = rows.iter().enumerate().map(|(at, row)| (at as u64 + 1, row.iter().map(String::as_str).collect::<Cells>()));
        sample.sheets.push(Sheet { name: None, rows: numbered.collect() });
        if let Some(proposal) = ground.of_file(&[sample], None, "") {
            let yaml = write::yaml(&proposal, "x", ground, Language::Indonesian);
            prop_assert!(!has_sixteen_digits(&yaml), "{}", yaml);
            let profile = Profile::parse("x.yaml", &yaml);
            prop_assert!(profile.is_ok(), "{:?}\n{}", profile.err(), yaml);
            prop_assert!(Reader::new(Arc::new(profile.unwrap()), &ground.schemas).is_ok(), "{}", yaml);
        }
    }
}

fn ground() -> &'static Ground {
    static GROUND: std::sync::OnceLock<Ground> = std::sync::OnceLock::new();
    GROUND.get_or_init(|| Ground::built_in().unwrap())
}

/// Cells that look like headers, like numbers of people, or like nothing.
fn cell() -> impl Strategy<Value = String> {
    let names =
        ["NIK", "Nama", "L/P", "Tgl Lahir", "BB (kg)", "TB", "Posyandu", "Nama Ortu", "TD", "BCG", "Polio 1", "No"];
    prop_oneof![
        4 => prop::sample::select(names.to_vec()).prop_map(str::to_owned),
        1 => "1001[0-9]{12}",
        1 => "(NIK|Nama) ?:? ?1001[0-9]{12}",
        1 => "[0-9]{1,8}[/. -]?[0-9]{0,8}",
        1 => "[a-zA-Z\"\\\\:#{},é\u{85}😀 \t\n'-]{0,12}",
        1 => Just(String::new()),
    ]
}
