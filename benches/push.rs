//! Delivery from a ledger on the disk against a plain loop that posts the same bytes: what durability costs.
//!
//! Each role runs in its own process: a sink that answers like SATUSEHAT after a given time, the plain loop, and the
//! gateway's delivery, so that memory is measured for delivery alone. Run with `cargo bench --bench push`; the
//! environment variable `PUSH_VISITS` sets another number of visits. With `PUSH_POSTGRES` (the address of a database
//! whose user may make databases, with the password in `PUSH_POSTGRES_PASSWORD` or PGPASSFILE) it also lets 1, 2 and 4
//! daemons empty one ledger on that server.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

#[path = "visits/ledger.rs"]
mod ledger;
#[path = "visits/postgres.rs"]
mod postgres;
#[path = "visits/sender.rs"]
mod sender;
#[path = "visits/sink.rs"]
mod sink;
mod visits;

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use posyandu_gateway::delivery::Tally;
use posyandu_gateway::ledger::server::Server;
use posyandu_gateway::seal::Keys;

/// Visits delivered in each run.
const VISITS: usize = 20_000;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 200;
/// Requests in flight, the same for both.
const CONCURRENCY: u32 = 64;
/// Answer times of the sink, in milliseconds.
const LATENCIES_MS: [u64; 2] = [0, 50];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["sink", latency] => runtime.block_on(sink::run(Duration::from_millis(latency.parse().unwrap()))),
        ["plain", address, folder] => runtime.block_on(plain(address, Path::new(folder))),
        ["gateway", address, folder] => runtime.block_on(gateway(address, Path::new(folder), None)),
        ["daemon", address, folder, url] => {
            runtime.block_on(gateway(address, Path::new(folder), Some(postgres::server(url))));
        }
        _ => {
            let usual = if arguments.iter().any(|argument| argument == "--bench") { VISITS } else { VISITS_TESTED };
            let number = std::env::var("PUSH_VISITS").map_or(usual, |text| text.parse().unwrap());
            runtime.block_on(compare(number));
            match std::env::var("PUSH_POSTGRES") {
                Ok(url) => runtime.block_on(postgres::compare(&url, number)),
                Err(_) => println!("PostgreSQL: not asked for, set PUSH_POSTGRES"),
            }
        }
    }
}

/// Prepares one ledger and lets both sides deliver it at each answer time.
async fn compare(number: usize) {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let bytes = ledger::prepare(folder.path(), None, number).await;
    let prepared = began.elapsed().as_secs_f64();
    println!("{number} visits of {:.0} bytes in the ledger after {prepared:.0} s", bytes as f64 / number as f64);
    for latency in LATENCIES_MS {
        let run = tempfile::tempdir().unwrap();
        for name in ["ledger.sqlite", "keys", "bodies"] {
            std::fs::copy(folder.path().join(name), run.path().join(name)).unwrap();
        }
        let (mut sink, address) = sink::start(latency);
        let plain = role("plain", &address, run.path());
        let gateway = role("gateway", &address, run.path());
        sink.kill().unwrap();
        sink.wait().unwrap();
        let visits = number as f64;
        println!("answer after {latency} ms, {CONCURRENCY} at once:");
        println!("  plain loop     {:>9.0} visits/s", visits / plain["seconds"]);
        println!("  gateway        {:>9.0} visits/s", visits / gateway["seconds"]);
        println!("  ratio          {:>9.2}", plain["seconds"] / gateway["seconds"]);
        println!("  commits        {:>9.3} per visit, each synced to the disk", gateway["commits"] / visits);
        println!("  calls          {:>9.3} per visit", gateway["calls"] / visits);
        println!("  peak memory    {:>9.0} MiB", gateway["peak_kib"] / 1024.0);
    }
}

/// Runs a role to its end and reads its `name=number` words.
fn role(name: &str, address: &str, folder: &Path) -> HashMap<String, f64> {
    let out = this_program().args([name, address]).arg(folder).stderr(Stdio::inherit()).output().unwrap();
    words(&out)
}

/// The `name=number` words of a role that ended well.
fn words(out: &std::process::Output) -> HashMap<String, f64> {
    assert!(out.status.success(), "a role failed");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let words = text.split_whitespace().filter_map(|word| word.split_once('='));
    words.map(|(key, value)| (key.to_owned(), value.parse().unwrap())).collect()
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// Posts every body as it is, as many at once as the gateway, and looks at nothing but the status.
async fn plain(address: &str, folder: &Path) {
    let bodies = Arc::new(ledger::read_bodies(folder));
    // The HTTP library wants to know where its TLS would come from, also for plain loopback.
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let client = reqwest::Client::builder().tcp_nodelay(true).tls_certs_only(std::iter::empty()).build().unwrap();
    let url = reqwest::Url::parse(&format!("{address}/fhir-r4/v1")).unwrap();
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..CONCURRENCY {
        let (bodies, client, url, next) = (Arc::clone(&bodies), client.clone(), url.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                let request =
                    client.post(url.clone()).bearer_auth(sink::TOKEN).header("content-type", "application/json");
                let response = request.body(body.clone()).send().await.unwrap();
                assert_eq!(response.status().as_u16(), 200);
                response.bytes().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    println!("seconds={}", start.elapsed().as_secs_f64());
}

/// Empties the ledger the way the daemon does.
async fn gateway(address: &str, folder: &Path, server: Option<Server>) {
    let keys = Arc::new(Keys::load(&folder.join("keys")).unwrap());
    let is_alone = server.is_none();
    let ledger = Arc::new(ledger::open(folder, server.as_ref(), &keys).await);
    let delivery = sender::delivery(&ledger, &keys);
    let lane = sender::lane(address, CONCURRENCY);
    let before = ledger.commits();
    let start = Instant::now();
    let end = delivery.drain(&lane).await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let commits = ledger.commits() - before;
    let peak_kib = peak_kib();
    let number = if is_alone { ledger::read_bodies(folder).len() as u64 } else { end.tally.delivered };
    assert_eq!(end.tally, Tally { delivered: number, ..Tally::default() }, "{:?}", end.stop);
    let calls = lane.remote.calls();
    let calls = calls.token + calls.transaction + calls.create + calls.update + calls.read + calls.search;
    println!("delivered={number} seconds={seconds} commits={commits} calls={calls} peak_kib={peak_kib}");
}

/// Most memory this process ever held, in KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
