//! Tables on a PostgreSQL and a MariaDB server: the gateway beside the bare driver fetching the same columns as text.

use std::sync::Arc;
use std::time::Instant;

use futures_util::TryStreamExt as _;
use posyandu_gateway::source::profile::Profile;
use sqlx::Row as _;

use super::servers::{self, Database, Owner};
use super::{Best, ROUNDS, ours, print};

/// A plain table of weighings, keyed by a number.
const PROFILE: &str = "
title: Bench
kind: database
dates: [iso]
tables:
  - name: kunjungan
    key: [id]
    query: SELECT id, nik, nama, jk, lahir, posyandu, tanggal, bb, tb, cara FROM kunjungan
    records:
      sasaran:
        nik: {columns: [nik], format: nik}
        nama: {columns: [nama], format: name}
        jenis_kelamin: {columns: [jk], format: words, words: {L: [L], P: [P]}}
        tanggal_lahir: {columns: [lahir], format: date}
        posyandu: {columns: [posyandu]}
      kunjungan_balita:
        tanggal: {columns: [tanggal], format: date}
        bb: {columns: [bb], format: number}
        pb_tb: {columns: [tb], format: number}
        cara_ukur: {columns: [cara], format: words, words: {berdiri: [berdiri], terlentang: [terlentang]}}
";

const TABLE: &str = "CREATE TABLE kunjungan(id bigint PRIMARY KEY, nik varchar(20), nama varchar(100), jk varchar(1),
    lahir date, posyandu varchar(50), tanggal date, bb numeric(5,1), tb numeric(5,1), cara varchar(20));";

/// Both servers, one after the other.
pub async fn compare(rows: usize) {
    let profile = Arc::new(Profile::parse("bench.yaml", PROFILE).unwrap());
    let postgres = servers::postgres().database(TABLE).await;
    postgres
        .run(&format!(
            "INSERT INTO kunjungan SELECT n, (1002021000000000 + n)::text, 'Anak Contoh Rekaan', 'L',
             date '2025-01-01' + (n % 300)::int, 'Anggrek 1', date '2026-11-18', 9.5 + n % 10 * 0.1, 80.5, 'terlentang'
             FROM generate_series(1, {rows}) AS n"
        ))
        .await;
    let query = "SELECT id::text, nik, nama, jk, lahir::text, posyandu, tanggal::text, bb::text, tb::text, cara
                 FROM kunjungan ORDER BY id";
    one("PostgreSQL", &profile, &postgres, query).await;
    let mariadb = servers::mariadb().database(TABLE).await;
    mariadb
        .run(&format!(
            "INSERT INTO kunjungan SELECT seq, CAST(1002021000000000 + seq AS CHAR), 'Anak Contoh Rekaan', 'L',
             DATE_ADD('2025-01-01', INTERVAL seq % 300 DAY), 'Anggrek 1', '2026-11-18', 9.5 + seq % 10 * 0.1, 80.5,
             'terlentang' FROM seq_1_to_{rows}"
        ))
        .await;
    let query = "SELECT CAST(id AS CHAR), nik, nama, jk, CAST(lahir AS CHAR), posyandu, CAST(tanggal AS CHAR),
                 CAST(bb AS CHAR), CAST(tb AS CHAR), cara FROM kunjungan ORDER BY id";
    one("MariaDB", &profile, &mariadb, query).await;
}

async fn one(title: &str, profile: &Arc<Profile>, database: &Database, query: &'static str) {
    let (mut own, mut bare) = (Best::of("gateway"), Best::of("sqlx, columns as text"));
    for _ in 0..ROUNDS {
        let began = Instant::now();
        own.note(began, ours(profile, &database.location()).await);
        let mut owner = database.owner().await;
        let began = Instant::now();
        bare.note(began, driver(&mut owner, query).await);
    }
    print(title, &own, &[bare]);
}

/// Rows that the driver alone gives, each column as a text of its own.
async fn driver(owner: &mut Owner, query: &'static str) -> usize {
    macro_rules! read {
        ($connection:expr) => {{
            let mut rows = sqlx::query(query).fetch($connection);
            let mut number = 0;
            while let Some(row) = rows.try_next().await.unwrap() {
                let texts: Vec<String> = (0..row.len()).map(|at| row.get(at)).collect();
                number += usize::from(!texts.is_empty());
            }
            number
        }};
    }
    match owner {
        Owner::Postgres(connection) => read!(&mut *connection),
        Owner::MariaDb(connection) => read!(&mut *connection),
    }
}
