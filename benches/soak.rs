//! Memory over a long life: one process takes in visits and delivers them, leg after leg, and tells what it holds.
//!
//! The sink runs in a process of its own. Run with `cargo bench --bench soak`; the environment variable `SOAK_VISITS`
//! sets another number of visits (a release: 1,000,000, which fill some 15 GB of disk until the end; cells for complaints are left out of them). It fails when
//! more memory is held than allowed, when memory grows, or when threads, open files or the log of the database do.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

#[path = "visits/ledger.rs"]
mod ledger;
#[path = "visits/sender.rs"]
mod sender;
#[path = "visits/sink.rs"]
mod sink;
mod visits;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use posyandu_gateway::config::assets;
use posyandu_gateway::delivery::Tally;
use posyandu_gateway::seal::Keys;

/// What the daemon is run with.
const UNIT: &str = include_str!("../packaging/systemd/posyandu-gateway.service");
/// Visits in each run.
const VISITS: usize = 20_000;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 400;
/// Visits from which on the slope is judged as it stands; before, only when its whole interval is too steep.
const VISITS_JUDGED: usize = 1_000_000;
/// Legs of a run, at least, and visits of a leg, at most.
const LEGS_MIN: usize = 20;
const LEG_MAX: usize = 10_000;
/// One part in so many is warm-up, and the last one is compared with it.
const WARM_UP_PART: usize = 10;
/// Requests in flight.
const CONCURRENCY: u32 = 64;
/// Most memory held, in MiB (faults.md, section 6).
const RSS_MAX: f64 = 150.0;
/// Most that it may grow, in MiB per million visits (the same).
const SLOPE_MAX: f64 = 1.0;
/// Longest log of the database, in MiB (the same).
const WAL_MAX: f64 = 64.0;
/// Others may need the disk too: so many bytes are left to them.
const DISK_LEFT: u64 = 4 * 1024 * 1024 * 1024;
/// Bytes of a MiB.
const MIB: f64 = 1_048_576.0;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let ["sink", latency] = arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        runtime.block_on(sink::run(Duration::from_millis(latency.parse().unwrap())));
        return ExitCode::SUCCESS;
    }
    if let Some(code) = as_the_unit_runs_it(&arguments) {
        return code;
    }
    let usual = if arguments.iter().any(|argument| argument == "--bench") { VISITS } else { VISITS_TESTED };
    let number = std::env::var("SOAK_VISITS").map_or(usual, |text| text.parse().unwrap());
    let legs = runtime.block_on(soak(number));
    let complaints = judged(&legs);
    for complaint in &complaints {
        println!("FAILED: {complaint}");
    }
    if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs this program again with the environment that the systemd unit sets; `None` when it has it already.
fn as_the_unit_runs_it(arguments: &[String]) -> Option<ExitCode> {
    let settings: Vec<_> = UNIT.lines().filter_map(|line| line.strip_prefix("Environment=")?.split_once('=')).collect();
    assert!(!settings.is_empty(), "the unit sets nothing");
    if settings.iter().all(|(name, value)| std::env::var(name).as_deref() == Ok(value)) {
        return None;
    }
    let status = Command::new(std::env::current_exe().unwrap()).args(arguments).envs(settings).status().unwrap();
    Some(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the process held when a leg was done.
struct Leg {
    /// Visits delivered by then.
    visits: usize,
    /// Resident memory in MiB, now and the most there ever was.
    rss: f64,
    rss_most: f64,
    threads: f64,
    /// Open files and sockets.
    files: usize,
    /// Log of the database in MiB.
    wal: f64,
}

async fn soak(number: usize) -> Vec<Leg> {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    // Not in the system's folder for temporary files, which may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let rules = assets::rules(None).unwrap();
    let keys_file = folder.path().join("keys");
    Keys::create(&keys_file).unwrap();
    let keys = Arc::new(Keys::load(&keys_file).unwrap());
    let ledger = Arc::new(ledger::open(folder.path(), None, &keys).await);
    let mut maker = ledger::Maker::new(&rules, &keys);
    maker.with_cells = false;
    let (mut sink, address) = sink::start(0);
    let (delivery, lane) = (sender::delivery(&ledger, &keys), sender::lane(&address, CONCURRENCY));
    let length = number.div_ceil(LEGS_MIN).clamp(1, LEG_MAX);
    println!("{number} visits in legs of {length}; memory and log in MiB");
    println!(
        "{:>9} {:>9} {:>7} {:>7} {:>8} {:>6} {:>6}",
        "visits", "visits/s", "RSS", "most", "threads", "files", "log"
    );
    let mut legs = Vec::new();
    for from in (0..number).step_by(length) {
        let (until, began) = (number.min(from + length), Instant::now());
        let disk = rustix::fs::statvfs(folder.path()).unwrap();
        let left = disk.f_bavail * disk.f_frsize;
        assert!(left > DISK_LEFT, "only {left} bytes are left on this disk: let the soak run on a larger one");
        maker.fill(&ledger, &format!("{from}.csv"), from..until, |_| {}).await;
        let end = delivery.drain(&lane).await.unwrap();
        assert_eq!(end.tally, Tally { delivered: (until - from) as u64, ..Tally::default() }, "{:?}", end.stop);
        let leg = held(until, folder.path());
        let rate = (until - from) as f64 / began.elapsed().as_secs_f64();
        println!(
            "{until:>9} {rate:>9.0} {:>7.1} {:>7.1} {:>8} {:>6} {:>6.1}",
            leg.rss, leg.rss_most, leg.threads, leg.files, leg.wal
        );
        legs.push(leg);
    }
    sink.kill().unwrap();
    sink.wait().unwrap();
    let bytes = std::fs::metadata(folder.path().join("ledger.sqlite")).unwrap().len();
    println!("the ledger holds {:.0} bytes a visit", bytes as f64 / number as f64);
    legs
}

fn held(visits: usize, folder: &Path) -> Leg {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let number = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    Leg {
        visits,
        rss: number("VmRSS:") / 1024.0,
        rss_most: number("VmHWM:") / 1024.0,
        threads: number("Threads:"),
        files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
        wal: std::fs::metadata(folder.join("ledger.sqlite-wal")).map_or(0.0, |log| log.len() as f64 / MIB),
    }
}

/// What is not as it must be.
fn judged(legs: &[Leg]) -> Vec<String> {
    let mut complaints = Vec::new();
    let most = |of: fn(&Leg) -> f64| legs.iter().map(of).fold(0.0, f64::max);
    let (rss, wal) = (most(|leg| leg.rss_most), most(|leg| leg.wal));
    if rss > RSS_MAX {
        complaints.push(format!("{rss:.1} MiB of memory were held, allowed are {RSS_MAX}"));
    }
    if wal > WAL_MAX {
        complaints.push(format!("the log of the database grew to {wal:.1} MiB, allowed are {WAL_MAX}"));
    }
    let part = legs.len().div_ceil(WARM_UP_PART);
    let (warm_up, after) = legs.split_at(part);
    let last = &after[after.len().saturating_sub(part)..];
    for (what, of) in [("threads", (|leg: &Leg| leg.threads) as fn(&Leg) -> f64), ("files", |leg| leg.files as f64)] {
        let begun = warm_up.iter().map(of).fold(0.0, f64::max);
        let ended = last.iter().map(of).fold(f64::MAX, f64::min);
        if last.len() == part && ended > begun {
            complaints.push(format!("{what} grew from {begun} to {ended}"));
        }
    }
    let visits = legs.last().map_or(0, |leg| leg.visits);
    match slope(after) {
        Some((slope, half)) => {
            println!("most memory {rss:.1} MiB; after the first tenth it grows by {slope:.2} MiB per million visits");
            println!("  (95 % interval {:.2} to {:.2})", slope - half, slope + half);
            let sure = if visits >= VISITS_JUDGED { slope } else { slope - half };
            if sure > SLOPE_MAX {
                complaints.push(format!("memory grows by {slope:.2} MiB per million visits, allowed is {SLOPE_MAX}"));
            }
        }
        None => println!("most memory {rss:.1} MiB; too few legs for a slope"),
    }
    complaints
}

/// Least squares of memory over millions of visits, and half of its 95 % interval. The legs are taken as independent,
/// which they are not quite: the true interval is somewhat wider.
fn slope(legs: &[Leg]) -> Option<(f64, f64)> {
    let number = legs.len() as f64;
    let free = number - 2.0;
    if free < 1.0 {
        return None;
    }
    let points: Vec<(f64, f64)> = legs.iter().map(|leg| (leg.visits as f64 / 1e6, leg.rss)).collect();
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / number;
    let (x_mean, y_mean) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    let slope = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|(x, y)| (y - y_mean - slope * (x - x_mean)).powi(2)).sum();
    // Student's t at 97.5 %, by its series around the normal distribution; 2 % too small at 4 degrees of freedom.
    let t = 1.960 + 2.372 / free + 2.823 / free.powi(2);
    Some((slope, t * (rest / free / spread).sqrt()))
}
