//! How long a ledger with a million visits takes to open after a stop without warning.
//!
//! Run with `cargo bench --bench recovery`; the environment variable `RECOVERY_VISITS` sets another number.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

#[path = "visits/filled.rs"]
mod filled;

use std::sync::Arc;
use std::time::Instant;

use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::ledger::{Ledger, Options};
use posyandu_gateway::seal::Keys;

use filled::Filled;

/// Visits in the ledger.
const VISITS: usize = 1_000_000;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 100_000;
/// Of those, in flight when the process stopped; of every second one the send had begun.
const IN_FLIGHT: usize = 1_000;

/// The first ones are in flight, the others waived.
const STATE: &str = "CASE WHEN x < {flying} THEN 'in_flight' ELSE 'waived' END";

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
    let state = STATE.replace("{flying}", &IN_FLIGHT.to_string());
    let began = Instant::now();
    let all = Filled { number: visits, day: "'2026-11-18'", resources: 0, state: &state, more: "" };
    filled::fill(&path, &all).await;
    println!("prepared in {:.1} s", began.elapsed().as_secs_f64());
    let bytes = std::fs::metadata(&path).unwrap().len();
    let began = Instant::now();
    let ledger = Ledger::open(&options, keys, clock).await.unwrap();
    let opened = began.elapsed();
    ledger.claim("Puskesmas 1", 1).await.unwrap();
    let first = began.elapsed();
    let counts = ledger.counts(&Filter::default()).await.unwrap();
    assert_eq!(counts.of(State::InFlight), 1, "the one that was claimed");
    assert_eq!(counts.of(State::Unknown), (IN_FLIGHT.min(visits) / 2) as u64);
    println!("{visits} visits, {} MiB, {IN_FLIGHT} in flight:", bytes / 1_048_576);
    println!("  open and recover  {:>7.3} s", opened.as_secs_f64());
    println!("  first claim       {:>7.3} s after the start", first.as_secs_f64());
    ledger.close().await.unwrap();
}
