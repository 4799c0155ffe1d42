//! How long a ledger with a million visits takes to open after a stop without warning.
//!
//! Run with `cargo bench --bench recovery`; the environment variable `RECOVERY_VISITS` sets another number.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::ledger::{Ledger, Options};
use posyandu_gateway::seal::Keys;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Visits in the ledger.
const VISITS: usize = 1_000_000;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 100_000;
/// Of those, in flight when the process stopped; of every second one the send had begun.
const IN_FLIGHT: usize = 1_000;

/// Delivered visits with their history, the last ones in flight. Written past the gateway, so not in the chain: this
/// is about opening, which does not walk it.
const FILL: &str = "
    CREATE TEMP TABLE n AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {visits}) SELECT x FROM n;
    INSERT INTO pass (id, source, file, day, started_at, finished_at, complete) VALUES (1, 's', 'f', '2026-11-18', 1, 2, 1);
    INSERT INTO visit (id, key, puskesmas, posyandu, service_date, zone, day_ends_at, due_at, revision, entered_revision)
        SELECT x, randomblob(32), 'A', 'P' || (x % 395), '2026-11-18', 'WIB', 5, 1, 1, 1 FROM n;
    INSERT INTO source_row (id, source, file, row_key, occurrence, digest, place_sealed, place_mark, kind, standing,
            visit, counted_date, stamp, first_pass, last_pass)
        SELECT x, 's', 'f', randomblob(32), 1, randomblob(32), zeroblob(80), zeroblob(32), 'records', 'current', x,
            '2026-11-18', x, 1, 1 FROM n;
    INSERT INTO entry (id, visit, version, lane, day_ends_at, state, seq, due_at, lease, lease_until, content_hash,
            mapping_version, created_at, state_since, completed_at)
        SELECT x, x, 1, 'A', 5, CASE WHEN x <= {flying} THEN 'in_flight' ELSE 'waived' END, 1, 1,
            CASE WHEN x <= {flying} THEN 'lease' END, CASE WHEN x <= {flying} THEN 1 END, zeroblob(32), '1', 1, 1,
            CASE WHEN x > {flying} THEN 1 END FROM n;
    INSERT INTO event SELECT x, 0, '\"entered\"', 'pending', 1 FROM n;
    INSERT INTO event SELECT x, 1, CASE WHEN x <= {flying} THEN '\"claimed\"' ELSE '\"waived_by\"' END,
        CASE WHEN x <= {flying} THEN 'in_flight' ELSE 'waived' END, 1 FROM n;
    INSERT INTO attempt (id, entry, lease, request_hash, begun_at) SELECT x, x, 'lease', zeroblob(32), 1 FROM n
        WHERE x > {flying} OR x % 2 = 0;
    INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
        SELECT x, 'released', 'outage', '', '[]', 1, 1 FROM n WHERE x > {flying};";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let usual = if std::env::args().any(|argument| argument == "--bench") { VISITS } else { VISITS_TESTED };
    let visits = std::env::var("RECOVERY_VISITS").map_or(usual, |text| text.parse().unwrap());
    runtime.block_on(measure(visits));
}

async fn measure(visits: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let options = Options { path: path.clone(), lease_seconds: 120, zone: Zone::Wib, bytes_max: None };
    let keys = Arc::new(Keys::generate().unwrap());
    let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
    Ledger::open(&options, Arc::clone(&keys), clock.clone()).await.unwrap().close().await.unwrap();
    fill(&path, visits).await;
    let bytes = std::fs::metadata(&path).unwrap().len();
    let began = Instant::now();
    let ledger = Ledger::open(&options, keys, clock).await.unwrap();
    let opened = began.elapsed();
    ledger.claim("A", 1).await.unwrap();
    let first = began.elapsed();
    let counts = ledger.counts(&Filter::default()).await.unwrap();
    assert_eq!(counts.of(State::InFlight), 1, "the one that was claimed");
    assert_eq!(counts.of(State::Unknown), (IN_FLIGHT.min(visits) / 2) as u64);
    println!("{visits} visits, {} MiB, {IN_FLIGHT} in flight:", bytes / 1_048_576);
    println!("  open and recover  {:>7.3} s", opened.as_secs_f64());
    println!("  first claim       {:>7.3} s after the start", first.as_secs_f64());
    ledger.close().await.unwrap();
}

async fn fill(path: &Path, visits: usize) {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false).pragma("synchronous", "off");
    let mut database = options.connect().await.unwrap();
    let text = FILL.replace("{visits}", &visits.to_string()).replace("{flying}", &IN_FLIGHT.to_string());
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {text} COMMIT;"))).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}
