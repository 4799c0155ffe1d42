//! The sample city's application on each server: the shipped profiles read from it what they read from SQLite.

use std::path::{Path, PathBuf};

use posyandu_gateway::source::Location;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::{built_in, read, rows};
use crate::servers::{self, Database};

/// The tables that Laravel makes of its migrations on MySQL.
const LARAVEL: &str = "
CREATE TABLE posyandus(id bigint unsigned PRIMARY KEY AUTO_INCREMENT, kode varchar(255), nama varchar(255),
  puskesmas varchar(255), kelurahan varchar(255), rw varchar(255));
CREATE TABLE balitas(id bigint unsigned PRIMARY KEY AUTO_INCREMENT, posyandu_id bigint unsigned, nik varchar(255),
  no_kk varchar(255), nama varchar(255), jenis_kelamin enum('L', 'P'), tanggal_lahir date, nama_ibu varchar(255),
  nik_ibu varchar(255), nama_ayah varchar(255), alamat text, rt varchar(5), rw varchar(5), no_hp varchar(20),
  created_at timestamp NULL, updated_at timestamp NULL, deleted_at timestamp NULL);
CREATE TABLE penimbangans(id bigint unsigned PRIMARY KEY AUTO_INCREMENT, balita_id bigint unsigned, tanggal date,
  berat_badan decimal(9,2), tinggi_badan decimal(9,2), cara_ukur varchar(20), lingkar_kepala decimal(9,2),
  lila decimal(9,2), vitamin_a varchar(20), obat_cacing tinyint(1), asi_eksklusif tinyint(1), petugas varchar(255),
  created_at timestamp NULL, updated_at timestamp NULL, deleted_at timestamp NULL);
CREATE TABLE imunisasis(id bigint unsigned PRIMARY KEY AUTO_INCREMENT, balita_id bigint unsigned, tanggal date,
  jenis_vaksin varchar(50), dosis int, status varchar(20), alasan varchar(255), pelapor varchar(20),
  nomor_batch varchar(50), kedaluwarsa date, petugas varchar(255), created_at timestamp NULL,
  updated_at timestamp NULL, deleted_at timestamp NULL);";

/// The tables of `mappings/sources/posyandu_postgres.yaml`.
pub const POSTGRES: &str = "
CREATE TYPE sex AS ENUM ('L', 'P');
CREATE TABLE posyandus(id int PRIMARY KEY, code text, name text, puskesmas text, village text);
CREATE TABLE children(id uuid PRIMARY KEY, posyandu_id int, nik char(20), full_name text, sex sex, birth_date date,
  mother_name text, mother_nik varchar(20), father_name text, address text, rt text, rw text, phone text,
  deleted_at timestamptz);
CREATE TABLE measurements(id bigint PRIMARY KEY, child_id uuid, measured_at timestamptz, weight_kg numeric(9,2),
  height_cm numeric(9,2), position text, head_cm numeric(9,2), arm_cm numeric(9,2), vitamin_a text, deworming boolean,
  exclusive_breastfeeding boolean, officer text, updated_at timestamptz, deleted_at timestamptz);
CREATE TABLE immunizations(id uuid PRIMARY KEY, child_id uuid, given_on date, vaccine text, dose smallint, status text,
  reason text, reported_by text, batch_number text, expires_on date, officer text, updated_at timestamptz,
  deleted_at timestamptz);";

/// Table, and the columns of the sample in the order of the table above.
const LARAVEL_TABLES: [(&str, &str); 4] = [
    ("posyandus", "id, kode, nama, puskesmas, kelurahan, rw FROM posyandus"),
    (
        "balitas",
        "id, posyandu_id, nik, no_kk, nama, jenis_kelamin, tanggal_lahir, nama_ibu, nik_ibu, nama_ayah, alamat, rt, rw,
         no_hp, created_at, updated_at, deleted_at FROM balitas",
    ),
    (
        "penimbangans",
        "id, balita_id, tanggal, CAST(berat_badan AS REAL), tinggi_badan, cara_ukur, lingkar_kepala, lila, vitamin_a, obat_cacing,
         asi_eksklusif, petugas, created_at, updated_at, deleted_at FROM penimbangans",
    ),
    (
        "imunisasis",
        "id, balita_id, tanggal, jenis_vaksin, dosis, status, alasan, pelapor, nomor_batch, kedaluwarsa, petugas,
         created_at, updated_at, deleted_at FROM imunisasis",
    ),
];

/// The same for PostgreSQL; a visit is noted at five past midnight, which is the day before in UTC.
const POSTGRES_TABLES: [(&str, &str); 4] = [
    ("posyandus", "id, kode, nama, puskesmas, kelurahan FROM posyandus"),
    (
        "children",
        "printf('00000000-0000-4000-8000-%012d', id), posyandu_id, nik, nama, jenis_kelamin, tanggal_lahir, nama_ibu,
         nik_ibu, nama_ayah, alamat, rt, rw, no_hp, deleted_at FROM balitas",
    ),
    (
        "measurements",
        "id, printf('00000000-0000-4000-8000-%012d', balita_id), tanggal || ' 00:05:00+09', CAST(berat_badan AS REAL), tinggi_badan,
         cara_ukur, lingkar_kepala, lila, vitamin_a, CASE obat_cacing WHEN 1 THEN 'yes' WHEN 0 THEN 'no' END, CASE asi_eksklusif WHEN 1 THEN 'yes' WHEN 0 THEN 'no' END,
         petugas, updated_at, deleted_at FROM penimbangans",
    ),
    (
        "immunizations",
        "printf('00000000-0000-4000-8000-%012d', id), printf('00000000-0000-4000-8000-%012d', balita_id), tanggal,
         jenis_vaksin, dosis, status, alasan, pelapor, nomor_batch, kedaluwarsa, petugas, updated_at, deleted_at
         FROM imunisasis",
    ),
];

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kota-contoh/puskesmas-timur-aplikasi.sqlite")
}

/// The sample's rows as statements for another engine.
async fn statements(tables: &[(&str, &str)]) -> String {
    let mut sample =
        SqliteConnectOptions::new().filename(sample()).read_only(true).immutable(true).connect().await.unwrap();
    let mut all = String::new();
    for (table, columns) in tables {
        let (columns, from) = columns.rsplit_once(" FROM ").unwrap();
        let names: Vec<String> = split(columns).iter().map(|column| format!("quote({column})")).collect();
        let text = format!("SELECT {} FROM {from}", names.join(" || ',' || "));
        let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(&mut sample).await.unwrap();
        all += &format!("INSERT INTO {table} VALUES ({});\n", rows.join("),\n("));
    }
    sample.close().await.unwrap();
    all
}

/// Splits at the commas outside of brackets.
fn split(columns: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for character in columns.chars() {
        depth += i32::from(character == '(') - i32::from(character == ')');
        match (character, depth) {
            (',', 0) => parts.push(String::new()),
            _ => parts.last_mut().unwrap().push(character),
        }
    }
    parts
}

pub async fn laravel() -> Database {
    servers::mariadb().database(&format!("{LARAVEL}{}", statements(&LARAVEL_TABLES).await)).await
}

pub async fn postgres() -> Database {
    servers::postgres().database(&format!("{POSTGRES}{}", statements(&POSTGRES_TABLES).await)).await
}

/// The cells that the Laravel profile reads, in one form: numbers without zeros at the end, days without a time.
async fn contents(profile: &str, location: &Location) -> Vec<Vec<String>> {
    const NAMES: &str = "tanggal berat_badan tinggi_badan cara_ukur lingkar_kepala lila vitamin_a obat_cacing petugas \
        asi_eksklusif jenis_vaksin dosis status alasan pelapor nomor_batch kedaluwarsa nik nama jenis_kelamin \
        tanggal_lahir nama_ibu nik_ibu nama_ayah alamat rt rw no_hp kode_posyandu puskesmas kelurahan";
    let readings = read(&built_in(profile), location).await.unwrap();
    let one = |text: &str| match text {
        "" => String::new(),
        number if number.contains('.') && number.parse::<f64>().is_ok() => {
            number.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        other => other.trim_end_matches(" 00:05:00").to_owned(),
    };
    let each = rows(&readings).into_iter().map(|row| {
        let names = NAMES.split_whitespace().map(|name| name.replace('_', " "));
        names.map(|name| row.cell(&name).map_or_else(String::new, |cell| one(cell.raw))).collect()
    });
    each.collect()
}

#[tokio::test(flavor = "current_thread")]
async fn the_shipped_profiles_read_the_same_from_each_server() {
    let mut here = Location::file_at("uji", sample(), PathBuf::new());
    let folder = tempfile::tempdir().unwrap();
    here.path = folder.path().join("aplikasi.sqlite");
    std::fs::copy(sample(), &here.path).unwrap();
    // A weight with its unit, which a column of numbers cannot hold.
    let mut copy = SqliteConnectOptions::new().filename(&here.path).connect().await.unwrap();
    copy.execute("UPDATE penimbangans SET berat_badan = 10 WHERE berat_badan = '10.0 kg'").await.unwrap();
    copy.close().await.unwrap();
    let expected = contents("posyandu_laravel.yaml", &here).await;
    assert_eq!(expected.len(), 191);
    equal(&contents("posyandu_laravel.yaml", &laravel().await.location()).await, &expected);
    let mut location = postgres().await.location();
    location.server.as_mut().unwrap().offset = "+09:00".to_owned();
    equal(&contents("posyandu_postgres.yaml", &location).await, &expected);
}

fn equal(read: &[Vec<String>], expected: &[Vec<String>]) {
    assert_eq!(read.len(), expected.len());
    for (read, expected) in read.iter().zip(expected) {
        assert_eq!(read, expected);
    }
}
