//! How long each page of the dashboard takes on a ledger with a million visits, for each role and under each filter:
//! 200 ms at p95 are promised.
//!
//! Run with `cargo bench --bench pages`; `PAGES_VISITS` sets another number of visits, `PAGES_ROUNDS` of requests a page,
//! and `PAGES_FOLDER` keeps the ledger in a folder, where the next run finds it.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

#[path = "pages/addresses.rs"]
mod addresses;
#[path = "pages/content.rs"]
mod content;
#[path = "visits/filled.rs"]
mod filled;
#[path = "visits/ledger.rs"]
mod ledger;
#[path = "pages/site.rs"]
mod site;
mod visits;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use posyandu_gateway::http::dashboard::access::{Page, may};
use posyandu_gateway::ledger::account::Role;

use addresses::Address;
use site::Site;

/// Visits in the ledger.
const VISITS: usize = 1_000_000;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 20_000;
/// Requests of each address.
const ROUNDS: usize = 20;
/// Requests of each address when it runs as a test.
const ROUNDS_TESTED: usize = 2;
/// Of those that take too long, so many are named.
const TOLD_MAX: usize = 20;
/// What is promised at p95.
const PROMISED: Duration = Duration::from_millis(200);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (visits, rounds) = if is_bench { (VISITS, ROUNDS) } else { (VISITS_TESTED, ROUNDS_TESTED) };
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    runtime.block_on(measure(number("PAGES_VISITS", visits), number("PAGES_ROUNDS", rounds)));
}

/// What became of the addresses of a page for a role.
#[derive(Default)]
struct Line {
    addresses: usize,
    slowest: Duration,
    slowest_at: String,
    bytes: usize,
}

async fn measure(visits: usize, rounds: usize) {
    let thrown_away = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("PAGES_FOLDER").map(PathBuf::from);
    let folder: &Path = kept.as_deref().unwrap_or(thrown_away.path());
    if !folder.join("ledger.sqlite").exists() {
        let began = Instant::now();
        site::prepare(folder, visits).await;
        println!("prepared in {:.0} s", began.elapsed().as_secs_f64());
    }
    let site = Site::open(folder, visits).await;
    println!("{visits} visits, {} MiB, {rounds} requests of each address:", site.mebibytes());
    println!("  {:<10} {:<10} {:>9} {:>11} {:>9}  slowest", "page", "role", "addresses", "p95 in ms", "KiB");
    let (mut slow, mut measured) = (Vec::new(), BTreeSet::new());
    for role in Role::ALL {
        let mut lines: BTreeMap<Page, Line> = BTreeMap::new();
        for address in addresses::of(role, &site.shown) {
            assert!(may(Some(role), address.page), "{address:?}");
            let (took, bytes) = asked(&site, role, &address, rounds).await;
            measured.insert(address.page);
            let line = lines.entry(address.page).or_default();
            line.addresses += 1;
            line.bytes = line.bytes.max(bytes);
            if took > line.slowest {
                (line.slowest, line.slowest_at) = (took, address.path.clone());
            }
            if took > PROMISED {
                slow.push((role, address.path, took));
            }
        }
        let role = role.word();
        for (page, line) in &lines {
            let (name, slowest) = (format!("{page:?}"), line.slowest.as_secs_f64() * 1e3);
            let (number, size, at) = (line.addresses, line.bytes as f64 / 1_024.0, &line.slowest_at);
            println!("  {name:<10} {role:<10} {number:>9} {slowest:>11.1} {size:>9.1}  {at}");
        }
    }
    for page in Page::ALL.into_iter().filter(|page| !is_decision(*page)) {
        assert!(measured.contains(&page), "{page:?} was not asked for");
    }
    slow.sort_by_key(|(_, _, took)| std::cmp::Reverse(*took));
    for (role, path, took) in slow.iter().take(TOLD_MAX) {
        println!("  NOT met: {:>7.1} ms {} {path}", took.as_secs_f64() * 1e3, role.word());
    }
    let verdict = if slow.is_empty() { "met" } else { "NOT met" };
    println!("at most {} ms at p95: {verdict}", PROMISED.as_millis());
    assert!(slow.is_empty(), "slower than {PROMISED:?} at p95: {}", slow.len());
}

/// A form that changes something, which is shown on another page.
fn is_decision(page: Page) -> bool {
    use Page::{DecideDiscrepancy, DecideLane, DecidePerson, DecidePlan, DecideRemoval, DecideVisit};
    matches!(page, DecideDiscrepancy | DecideLane | DecidePerson | DecidePlan | DecideRemoval | DecideVisit)
}

/// The time at p95, and the largest answer in bytes.
async fn asked(site: &Site, role: Role, address: &Address, rounds: usize) -> (Duration, usize) {
    let (mut times, mut bytes) = (Vec::with_capacity(rounds), 0);
    for _ in 0..rounds {
        let (took, length) = site.ask(role, address).await;
        times.push(took);
        bytes = bytes.max(length);
    }
    times.sort_unstable();
    (times[(times.len() * 95).div_ceil(100) - 1], bytes)
}
