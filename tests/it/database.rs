//! Databases of three engines as they are read: values, keys of every kind, and what must never be changed.

mod application;
mod lost;
mod refused;
mod window;

use std::sync::Arc;

use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::profile::{self, Profile};
use posyandu_gateway::source::{self, Location, Reading, Row};

use crate::servers::{self, Database};

/// More rows than two pages.
const ROWS: usize = 1_203;

/// A profile with one table that reads these columns by their own names.
fn table(name: &str, key: &[&str], query: &str, columns: &[&str], more: &str) -> String {
    let fields: Vec<String> =
        columns.iter().map(|column| format!("        {column}: {{columns: [{column}]}}\n")).collect();
    format!(
        "  - name: {name}\n    key: [{}]\n{more}    query: |\n      {query}\n    records:\n      sasaran:\n{}",
        key.join(", "),
        fields.concat()
    )
}

fn tables(tables: &[String]) -> Arc<Profile> {
    let text = format!("title: Uji\nkind: database\ndates: [iso]\ntables:\n{}", tables.concat());
    Arc::new(Profile::parse("uji.yaml", &text).unwrap())
}

fn built_in(name: &str) -> Arc<Profile> {
    let (file, text) = profile::built_in().into_iter().find(|(file, _)| *file == name).unwrap();
    Arc::new(Profile::parse(&file, &text).unwrap())
}

async fn read(profile: &Arc<Profile>, location: &Location) -> Result<Vec<Reading>, SourceError> {
    let mut rows = source::open(profile, location).await?;
    let mut readings = Vec::new();
    while let Some(reading) = rows.next().await? {
        readings.push(reading);
    }
    Ok(readings)
}

fn row_of(reading: &Reading) -> &Row {
    if let Reading::Row(row) = reading { row } else { panic!("{reading:?}") }
}

fn rows(readings: &[Reading]) -> Vec<&Row> {
    readings.iter().map(row_of).collect()
}

fn keys(readings: &[Reading]) -> Vec<&str> {
    rows(readings).into_iter().map(|row| row.place.row.as_str()).collect()
}

/// A query and its values as they are to be read.
async fn values(database: &Database, cases: &[(&str, &str)]) {
    let expressions: Vec<String> =
        cases.iter().enumerate().map(|(at, (expression, _))| format!("{expression} AS k{at}")).collect();
    let names: Vec<String> = (0..cases.len()).map(|at| format!("k{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let query = format!("SELECT id, {} FROM nilai", expressions.join(", "));
    let readings = read(&tables(&[table("nilai", &["id"], &query, &names, "")]), &database.location()).await.unwrap();
    for (name, (expression, expected)) in names.iter().zip(cases) {
        assert_eq!(rows(&readings)[0].cell(name).unwrap().raw, *expected, "{expression}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn values_of_postgres_are_read_as_people_know_them() {
    let database = servers::postgres()
        .database(
            "CREATE TYPE posisi AS ENUM ('berdiri', 'terlentang');
             CREATE TABLE nilai(id int PRIMARY KEY, nik_angka bigint, nik numeric(20), nama char(16), berat numeric(5,2),
               posisi posisi, daftar text[], biner bytea, rusak bytea, data jsonb, asal json, kode uuid, ya boolean,
               saat timestamptz, jam timestamp, hari date, kosong text, pecahan double precision, akhir date);
             INSERT INTO nilai VALUES (1, 1001014512240001, 10010145122400012, 'Anak', 10.40, 'berdiri',
               ARRAY['BCG', 'MR'], 'abc'::bytea, '\\xff61'::bytea, '{\"a\": 1}', '{\"a\":1}',
               '6f1c3c1e-0000-4000-8000-000000000001', true, '2026-11-17 23:30:00+00', '2026-11-18 08:30:00.5',
               '2026-11-18', NULL, 0.1, 'infinity')",
        )
        .await;
    values(
        &database,
        &[
            ("nik_angka", "1001014512240001"),
            ("nik", "10010145122400012"),
            ("nama", "Anak"),
            ("berat", "10.40"),
            ("posisi", "berdiri"),
            ("daftar", "{BCG,MR}"),
            ("biner", "abc"),
            ("data", "{\"a\": 1}"),
            ("asal", "{\"a\":1}"),
            ("kode", "6f1c3c1e-0000-4000-8000-000000000001"),
            ("ya", "1"),
            ("NOT ya", "0"),
            ("saat", "2026-11-18 06:30:00"),
            ("jam", "2026-11-18 08:30:00"),
            ("hari", "2026-11-18"),
            ("kosong", ""),
            ("pecahan", "0.1"),
            ("akhir", "infinity"),
        ],
    )
    .await;
    damaged(&database).await;
}

#[tokio::test(flavor = "current_thread")]
async fn values_of_mariadb_are_read_as_people_know_them() {
    let database = servers::mariadb()
        .database(
            "SET sql_mode = '';
             CREATE TABLE nilai(id int PRIMARY KEY, nik_angka bigint unsigned, nik decimal(20), nama char(16),
               berat decimal(5,2), posisi enum('berdiri', 'terlentang'), tanda set('a', 'b'), biner blob, rusak blob,
               data json, ya tinyint(1), bit_ya bit(1), saat timestamp NULL, jam datetime(3), hari date, kosong text,
               nol date, nol_jam datetime, latin varchar(20) CHARACTER SET latin1, tahun year, jumlah double);
             SET time_zone = '+00:00';
             INSERT INTO nilai VALUES (1, 18446744073709551615, 10010145122400012, 'Anak', 10.40, 'berdiri', 'a,b',
               'abc', X'ff61', '{\"a\": 1}', 1, b'1', '2026-11-17 23:30:00', '2026-11-18 08:30:00.500', '2026-11-18',
               NULL, '0000-00-00', '0000-00-00 00:00:00', 'Mélati', 2026, 0.1)",
        )
        .await;
    values(
        &database,
        &[
            ("nik_angka", "18446744073709551615"),
            ("nik", "10010145122400012"),
            ("nama", "Anak"),
            ("berat", "10.40"),
            ("posisi", "berdiri"),
            ("tanda", "a,b"),
            ("biner", "abc"),
            ("data", "{\"a\": 1}"),
            ("ya", "1"),
            ("bit_ya", "1"),
            ("saat", "2026-11-18 06:30:00"),
            ("jam", "2026-11-18 08:30:00"),
            ("hari", "2026-11-18"),
            ("kosong", ""),
            ("nol", ""),
            ("nol_jam", ""),
            ("latin", "Mélati"),
            ("tahun", "2026"),
            ("jumlah", "0.1"),
            ("nama || '!'", "Anak!"),
        ],
    )
    .await;
    damaged(&database).await;
}

/// Bytes that are no text break their row and nothing else.
async fn damaged(database: &Database) {
    let profile = tables(&[table("nilai", &["id"], "SELECT id, rusak FROM nilai", &["rusak"], "")]);
    let readings = read(&profile, &database.location()).await.unwrap();
    assert!(matches!(&readings[..], [Reading::Broken(issue)] if &*issue.rule == "encoding.byte"), "{readings:?}");
}

/// Every row of the table once, in the order of the server itself.
async fn whole(database: &Database, name: &str, key: &[&str]) -> Vec<String> {
    let query = format!("SELECT {}, nama FROM {name}", key.join(", "));
    let readings = read(&tables(&[table(name, key, &query, &["nama"], "")]), &database.location()).await.unwrap();
    let mut numbers: Vec<&str> = rows(&readings).iter().map(|row| row.cell("nama").unwrap().raw).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!((readings.len(), numbers.len()), (ROWS, ROWS), "{name}");
    keys(&readings).into_iter().map(str::to_owned).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn keys_of_every_kind_page_through_postgres() {
    let database = servers::postgres()
        .database(
            "CREATE TYPE jenis AS ENUM ('z', 'a', 'm');
             CREATE TABLE angka AS SELECT (1::bigint << 53) + i AS id, i AS nama FROM generate_series(1, 1203) i;
             CREATE TABLE teks AS SELECT (CASE i % 3 WHEN 0 THEN 'a''' WHEN 1 THEN 'B\\' ELSE 'é ' END) || i AS id,
               i AS nama FROM generate_series(1, 1203) i;
             CREATE TABLE kode AS SELECT md5(i::text)::uuid AS id, i AS nama FROM generate_series(1, 1203) i;
             CREATE TABLE saat AS SELECT timestamptz '2026-11-18 00:00+07' + i * interval '1.000001 s' AS id, i AS nama
               FROM generate_series(1, 1203) i;
             CREATE TABLE hari AS SELECT date '2020-01-01' + i AS id, i AS nama FROM generate_series(1, 1203) i;
             CREATE TABLE isi AS SELECT lpad(i::text, 8, 'x')::char(16) AS id, i AS nama FROM generate_series(1, 1203) i;
             CREATE TABLE uang AS SELECT i::numeric(20,4) / 7 AS id, i AS nama FROM generate_series(1, 1203) i;
             CREATE TABLE ganda AS SELECT i / 100 AS id, (ARRAY['z', 'a', 'm'])[1 + i % 3]::jenis AS jenis,
               'No ' || i AS nomor, i AS nama FROM generate_series(1, 1203) i",
        )
        .await;
    let numbers = whole(&database, "angka", &["id"]).await;
    // Above what a floating number keeps apart.
    assert_eq!(numbers.last(), Some(&((1_u64 << 53) + 1_203).to_string()));
    for name in ["teks", "kode", "saat", "hari", "isi", "uang"] {
        whole(&database, name, &["id"]).await;
    }
    assert_eq!(whole(&database, "ganda", &["id", "jenis", "nomor"]).await[0], "0/z/No 12");
}

#[tokio::test(flavor = "current_thread")]
async fn keys_of_every_kind_page_through_mariadb() {
    let make = |name: &str, columns: &str, values: &str| {
        format!(
            "CREATE TABLE {name} ({columns}, nama int);
             INSERT INTO {name} SELECT {values}, i FROM (SELECT seq AS i FROM seq_1_to_1203) AS n;"
        )
    };
    let statements = [
        make("angka", "id bigint unsigned", "18446744073709550000 + i"),
        make("besar", "id decimal(30,3)", "10010145122400010000.001 + i"),
        make("teks", "id varchar(40) COLLATE utf8mb4_general_ci", "CONCAT(ELT(1 + i % 3, 'a''', 'B\\\\', 'é '), i)"),
        make("kode", "id char(36)", "CONCAT(MD5(i), '-é')"),
        make("latin", "id varchar(40) CHARACTER SET latin1", "CONCAT(ELT(1 + i % 3, 'a', 'B', 'é'), i)"),
        make("saat", "id timestamp(6)", "TIMESTAMP '2026-11-18 00:00:00' + INTERVAL i * 1.000001 SECOND"),
        make("hari", "id date", "DATE '2020-01-01' + INTERVAL i DAY"),
        make("biner", "id binary(16)", "UNHEX(MD5(i))"),
        make(
            "ganda",
            "id int, jenis enum('z', 'a', 'm'), nomor varchar(20)",
            "i DIV 100, ELT(1 + i % 3, 'z', 'a', 'm'), CONCAT('No ', i)",
        ),
    ];
    let database = servers::mariadb().database(&statements.concat()).await;
    let numbers = whole(&database, "angka", &["id"]).await;
    assert_eq!(numbers.last().map(String::as_str), Some("18446744073709551203"));
    for name in ["besar", "teks", "kode", "latin", "saat", "hari", "biner"] {
        whole(&database, name, &["id"]).await;
    }
    assert_eq!(whole(&database, "ganda", &["id", "jenis", "nomor"]).await[0], "0/a/No 1");
}

#[tokio::test(flavor = "current_thread")]
async fn keys_that_are_one_to_the_server_are_noticed_at_the_end_of_a_page() {
    let postgres = servers::postgres();
    let mariadb = servers::mariadb();
    let lists = [
        postgres.database("CREATE TABLE t AS SELECT CASE WHEN i > 700 THEN NULL ELSE i END AS id, i AS nama FROM generate_series(1, 701) i").await,
        postgres.database("CREATE TABLE t AS SELECT CASE WHEN i = 502 THEN 501 ELSE i END AS id, i AS nama FROM generate_series(1, 701) i").await,
        mariadb.database("CREATE TABLE t(id varchar(9) COLLATE utf8mb4_general_ci, nama int);
            INSERT INTO t SELECT CASE seq WHEN 501 THEN 'k00501' WHEN 502 THEN 'K00501' ELSE CONCAT('k', LPAD(seq, 5, '0')) END, seq
              FROM seq_1_to_701").await,
    ];
    for database in lists {
        let profile = tables(&[table("t", &["id"], "SELECT id, nama FROM t", &["nama"], "")]);
        let error = read(&profile, &database.location()).await.unwrap_err();
        assert!(matches!(error, SourceError::Key { .. }), "{error}");
    }
}
