//! Files and databases as they arrive, good and damaged, and what is read from them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use posyandu_gateway::issue::Issue;
use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::profile::{self, Profile};
use posyandu_gateway::source::{self, Location, Reading, Row};
use posyandu_gateway::words::{self, Language};
use proptest::prelude::*;
use sqlx::{ConnectOptions, Connection, Executor};

const EPPGBM_HEADER: &str = "No;NIK;Nama;JK;Tgl Lahir;BB Lahir;TB Lahir;Nama Ortu;Prov;Kab/Kota;Kec;Pukesmas;Desa/Kel;Posyandu;RT;RW;Alamat;Usia Saat Ukur;Tanggal Pengukuran;Berat;Tinggi;Cara Ukur;LiLA;BB/U;ZS BB/U;TB/U;ZS TB/U;BB/TB;ZS BB/TB;Naik Berat Badan;Jml Vit A;KPSP;KIA;Detail";
const POSYANDU_HEADER: &str = "kode_posyandu,nama,alias,kode_puskesmas,puskesmas,kode_kelurahan,rw,zona_waktu,jam_buka,jam_tutup,id_organisasi_satusehat,id_lokasi_satusehat,nama_lokasi,nik_nakes,nama_nakes,id_nakes_satusehat";

fn profile(name: &str) -> Arc<Profile> {
    let (file, text) = profile::built_in().into_iter().find(|(file, _)| *file == name).unwrap();
    Arc::new(Profile::parse(&file, &text).unwrap())
}

fn location(path: &Path) -> Location {
    Location::file_at("uji", path.to_owned(), env!("CARGO_BIN_EXE_posyandu-gateway").into())
}

async fn all(profile: &Arc<Profile>, path: &Path) -> Result<Vec<Reading>, SourceError> {
    let mut rows = source::open(profile, &location(path)).await?;
    let mut readings = Vec::new();
    while let Some(reading) = rows.next().await? {
        readings.push(reading);
    }
    Ok(readings)
}

fn written(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("berkas.csv");
    std::fs::write(&path, bytes).unwrap();
    path
}

async fn read(name: &str, bytes: &[u8]) -> Result<Vec<Reading>, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    all(&profile(name), &written(&folder, bytes)).await
}

/// The rule of a file that is refused; its sentence must be complete in both languages.
async fn refused(name: &str, bytes: &[u8]) -> Issue {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, bytes);
    let error = all(&profile(name), &path).await.unwrap_err();
    let issue = error.issue(&location(&path));
    for language in [Language::Indonesian, Language::English] {
        let sentence = words::of_issue(language, &issue);
        assert!(words::knows(&issue.rule) && !sentence.contains('{'), "{}: {sentence}", issue.rule);
    }
    issue
}

fn argument<'a>(issue: &'a Issue, name: &str) -> &'a str {
    issue.arguments.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap()
}

fn summary(readings: &[Reading]) -> Vec<String> {
    let each = readings.iter().map(|reading| match reading {
        Reading::Row(row) => format!("row {}", row.place.row),
        Reading::Skipped { place, reason } => format!("{reason:?} {}", place.row),
        Reading::Broken(issue) => format!("{} {}", issue.rule, issue.place.as_ref().unwrap().row),
    });
    each.collect()
}

fn first_row(readings: &[Reading]) -> &Row {
    readings.iter().find_map(|reading| if let Reading::Row(row) = reading { Some(row) } else { None }).unwrap()
}

fn posyandu(nama: &str) -> String {
    format!("P01,{nama},,PKM1,Utara,,,WIB,08:00,12:00,,,,,,\n")
}

#[tokio::test(flavor = "current_thread")]
async fn the_header_is_found_below_titles_and_footers_are_skipped() {
    let row = |number: u32| {
        format!(
            "{number};'1001014512240001;Anak Contoh;P;05/12/2024;;;;;;;;;Melati;;;\"Jl. A;\n5\";;18/11/2026;10,4;82,5;;;;;;;;;;;;;\n"
        )
    };
    let empty = format!("3{}\n", ";".repeat(33));
    let text = format!(
        "\u{feff}Daftar Anak Berdasarkan Status Gizi\r\nData Tanggal: 2026-11-18\r\n\r\n{EPPGBM_HEADER}\r\n{}{}{empty}Jumlah;;2{}\n\n",
        row(1),
        row(2),
        ";".repeat(31),
    );
    let readings = read("eppgbm_ekspor.yaml", text.as_bytes()).await.unwrap();
    assert_eq!(summary(&readings), ["row 5", "row 7", "Empty 9", "Footer 10", "Empty 11"]);
    let row = first_row(&readings);
    assert_eq!(row.cell("tanggal pengukuran").unwrap().raw, "18/11/2026");
    assert_eq!(&**row.cell("pukesmas").unwrap().column, "Pukesmas");
    assert!(!format!("{row:?}").contains("1001014512240001"));
}

#[tokio::test(flavor = "current_thread")]
async fn each_declared_encoding_is_read() {
    let text = format!("{POSYANDU_HEADER}\n{}", posyandu("Mélati – 1"));
    let (windows, _, _) = encoding_rs::WINDOWS_1252.encode(&text);
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let source = profile::built_in().into_iter().find(|(file, _)| *file == "posyandu_register.yaml").unwrap().1;
    for (encoding, bytes) in [("utf-8", text.as_bytes()), ("windows-1252", &windows), ("utf-16le", &utf16)] {
        let yaml = source.replace("encoding: utf-8", &format!("encoding: {encoding}"));
        let profile = Arc::new(Profile::parse("p.yaml", &yaml).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let readings = all(&profile, &written(&folder, bytes)).await.unwrap();
        assert_eq!(first_row(&readings).cell("nama").unwrap().raw, "Mélati – 1", "{encoding}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_damaged_row_costs_only_itself() {
    let mut bytes = format!("{POSYANDU_HEADER}\n").into_bytes();
    bytes.extend_from_slice(
        &posyandu("Satu")
            .replace("Satu", "S\u{1}tu")
            .into_bytes()
            .iter()
            .map(|byte| if *byte == 1 { 0xff } else { *byte })
            .collect::<Vec<u8>>(),
    );
    bytes.extend_from_slice(b"P02,\"tak ditutup,,\n");
    bytes.extend_from_slice(posyandu("Tiga").as_bytes());
    bytes.extend_from_slice(b"P04,kurang,sel\n");
    bytes.extend_from_slice(format!("P05,{},\n", "x".repeat(70_000)).as_bytes());
    bytes.extend_from_slice(posyandu(&"y".repeat(9_000)).as_bytes());
    bytes.extend_from_slice(posyandu("5\" dinding").as_bytes());
    let readings = read("posyandu_register.yaml", &bytes).await.unwrap();
    let expected = ["encoding.byte 2", "row.quote 3", "row 4", "row.cells 5", "row.long 6", "row.long 7", "row 8"];
    assert_eq!(summary(&readings), expected);
    for reading in &readings {
        if let Reading::Broken(issue) = reading {
            assert!(words::knows(&issue.rule) && !words::of_issue(Language::Indonesian, issue).contains('{'));
        }
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_is_not_what_its_profile_says_is_refused() {
    let rows = posyandu("Satu");
    let good = format!("{POSYANDU_HEADER}\n{rows}");
    let misspelt = refused("posyandu_register.yaml", good.replace("jam_buka", "jam buk").as_bytes()).await;
    assert_eq!((&*misspelt.rule, argument(&misspelt, "kolom")), ("file.columns_missing_near", "jam_buka"));
    assert_eq!(argument(&misspelt, "mirip"), "jam buk");
    let surplus = format!("{POSYANDU_HEADER},warna\n");
    let surplus = refused("posyandu_register.yaml", surplus.as_bytes()).await;
    assert_eq!((&*surplus.rule, argument(&surplus, "kolom")), ("file.column_unknown", "warna"));
    let twice = refused("posyandu_register.yaml", format!("{POSYANDU_HEADER},Nama\n").as_bytes()).await;
    assert_eq!(&*twice.rule, "file.column_twice");
    let utf16: Vec<u8> = std::iter::once(0xfeff).chain(good.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("posyandu_register.yaml", good.replace(',', ";").into_bytes(), "file.delimiter"),
        ("posyandu_register.yaml", b"a,b\n1,2\n".to_vec(), "file.header_missing"),
        ("posyandu_register.yaml", Vec::new(), "file.header_missing"),
        ("posyandu_register.yaml", format!("{}{good}", "\n".repeat(15)).into_bytes(), "file.header_missing"),
        ("posyandu_register.yaml", utf16, "file.encoding"),
        ("register_csv.yaml", "No,NIK Anak\n1,é\n".as_bytes().to_vec(), "file.encoding"),
        ("posyandu_register.yaml", b"PK\x03\x04rest".to_vec(), "file.damaged"),
        ("eppgbm_ekspor.yaml", b"<html><table>".to_vec(), "file.damaged"),
    ];
    for (name, bytes, rule) in cases {
        assert_eq!(&*refused(name, &bytes).await.rule, rule);
    }
    assert_eq!(&*refused("posyandu_laravel.yaml", b"not a database").await.rule, "file.kind");
    let absent = all(&profile("eppgbm_ekspor.yaml"), Path::new("/nowhere/absent.csv")).await.unwrap_err();
    assert!(matches!(absent, SourceError::Open { .. }));
}

#[tokio::test(flavor = "current_thread")]
async fn a_file_that_grows_while_it_is_read_is_not_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, format!("{POSYANDU_HEADER}\n{}", posyandu("Satu")).as_bytes());
    let mut rows = source::open(&profile("posyandu_register.yaml"), &location(&path)).await.unwrap();
    assert!(matches!(rows.next().await, Ok(Some(Reading::Row(_)))));
    std::fs::write(&path, "shorter").unwrap();
    let mut last = rows.next().await;
    while let Ok(Some(_)) = last {
        last = rows.next().await;
    }
    assert!(matches!(last, Err(SourceError::Changed { .. })));
}

const LARAVEL: &str = "
CREATE TABLE posyandus(id INTEGER PRIMARY KEY, kode, nama, puskesmas, kelurahan, rw);
CREATE TABLE balitas(id INTEGER PRIMARY KEY, posyandu_id, nik, no_kk, nama, jenis_kelamin, tanggal_lahir, nama_ibu, nik_ibu,
  nama_ayah, alamat, rt, rw, no_hp, created_at, updated_at, deleted_at);
CREATE TABLE penimbangans(id INTEGER PRIMARY KEY, balita_id, tanggal, berat_badan, tinggi_badan, cara_ukur, lingkar_kepala,
  lila, vitamin_a, obat_cacing, asi_eksklusif, petugas, created_at, updated_at, deleted_at);
CREATE TABLE imunisasis(id INTEGER PRIMARY KEY, balita_id, tanggal, jenis_vaksin, dosis, status, alasan, pelapor, nomor_batch,
  kedaluwarsa, petugas, created_at, updated_at, deleted_at);
INSERT INTO posyandus VALUES (1, 'P01', 'Melati 1', 'Timur', 'Contoh', '01');
INSERT INTO balitas VALUES (1, 1, '1001014512240001', NULL, 'Anak Contoh', 'P', '2024-12-05', 'Ibu Contoh', NULL, NULL,
  'Jl. Contoh', '01', '02', NULL, NULL, NULL, NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1203)
  INSERT INTO penimbangans SELECT i, 1, '2026-11-18', '10.40', 82.5, 'terlentang', NULL, '14.5', NULL, 1, 0, 'Petugas',
  NULL, NULL, CASE WHEN i % 400 = 0 THEN '2026-11-18' END FROM n;
INSERT INTO imunisasis VALUES (5, 1, '2026-11-18', 'MR', 1, 'diberikan', NULL, 'nakes', 'B1', '2027-01-01', NULL, NULL, NULL, NULL);
";

async fn database(path: &Path, journal: &str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = options.connect().await.unwrap();
    connection.execute(sqlx::AssertSqlSafe(format!("PRAGMA journal_mode = {journal};{LARAVEL}"))).await.unwrap();
    connection.close().await.unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test(flavor = "current_thread")]
async fn a_database_is_read_whole_and_left_untouched() {
    for journal in ["DELETE", "WAL"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aplikasi.sqlite");
        database(&path, journal).await;
        let before = (names(folder.path()), std::fs::read(&path).unwrap());
        let mut open = source::open(&profile("posyandu_laravel.yaml"), &location(&path)).await.unwrap();
        let (mut count, mut last) = (0, None);
        while let Some(reading) = open.next().await.unwrap() {
            assert_eq!(names(folder.path()), before.0, "{journal}");
            let Reading::Row(row) = reading else { panic!("{reading:?}") };
            count += 1;
            last = Some(row);
        }
        let last = last.unwrap();
        assert_eq!((count, &*last.place.file, last.place.row.as_str()), (1201, "imunisasis", "5"));
        assert_eq!(last.table, 1);
        assert_eq!(last.cell("dosis").unwrap().raw, "1");
        drop(open);
        assert_eq!((names(folder.path()), std::fs::read(&path).unwrap()), before, "{journal}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_running_application_is_read_and_a_broken_log_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aplikasi.sqlite");
    database(&path, "WAL").await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut application = options.connect().await.unwrap();
    application.execute("DELETE FROM penimbangans WHERE id > 3").await.unwrap();
    let before = names(folder.path());
    let readings = all(&profile("posyandu_laravel.yaml"), &path).await.unwrap();
    assert_eq!(readings.len(), 4);
    assert_eq!(names(folder.path()), before);
    let copy = folder.path().join("salinan");
    std::fs::create_dir(&copy).unwrap();
    for name in ["aplikasi.sqlite", "aplikasi.sqlite-wal"] {
        std::fs::copy(folder.path().join(name), copy.join(name)).unwrap();
    }
    let orphan = copy.join("aplikasi.sqlite");
    let error = all(&profile("posyandu_laravel.yaml"), &orphan).await.unwrap_err();
    assert_eq!(&*error.issue(&location(&orphan)).rule, "file.unfinished");
    application.close().await.unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn a_table_or_column_that_went_missing_is_named() {
    for (change, reason) in [
        ("DROP TABLE imunisasis", "imunisasis"),
        ("ALTER TABLE penimbangans RENAME COLUMN berat_badan TO berat", "berat_badan"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("aplikasi.sqlite");
        database(&path, "DELETE").await;
        let mut connection = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        connection.execute(change).await.unwrap();
        connection.close().await.unwrap();
        let error = all(&profile("posyandu_laravel.yaml"), &path).await.unwrap_err();
        let issue = error.issue(&location(&path));
        assert_eq!(&*issue.rule, "file.query");
        assert!(argument(&issue, "sebab").contains(reason), "{issue:?}");
    }
}

fn quoted(cell: &str) -> String {
    format!("\"{}\"", cell.replace('"', "\"\""))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_line_of_any_bytes_is_accounted_for(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let bytes = [POSYANDU_HEADER.as_bytes(), b"\n", bytes.as_slice()].concat();
        match runtime.block_on(read("posyandu_register.yaml", &bytes)) {
            Ok(readings) => {
                let rows: Vec<u64> = summary(&readings).iter().map(|row| row.rsplit(' ').next().unwrap().parse().unwrap()).collect();
                prop_assert!(rows.windows(2).all(|pair| pair[0] < pair[1]));
            }
            Err(error) => {
                let refused_for_its_encoding = matches!(error, SourceError::Encoding { .. });
                prop_assert!(refused_for_its_encoding);
            }
        }
    }

    #[test]
    fn cells_arrive_as_they_were_written(cells in proptest::collection::vec("[a-z\",;'\n]{1,12}", 16)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let written: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
        let text = format!("{POSYANDU_HEADER}\n{}\n", written.join(","));
        let readings = runtime.block_on(read("posyandu_register.yaml", text.as_bytes())).unwrap();
        let breaks: usize = cells.iter().map(|cell| cell.matches('\n').count()).sum();
        prop_assume!(breaks <= 20 && cells.iter().any(|cell| !cell.trim().is_empty()));
        let raw: Vec<String> = first_row(&readings).texts().map(str::to_owned).collect();
        prop_assert_eq!(raw, cells);
    }
}
