//! Reading sources beside the bare parser or driver that reads the same input in the same run, and the check of a
//! million rows: how fast, and in how much memory.
//!
//! Run with `cargo bench --bench sources`, or `cargo bench --bench sources -- 100000` for another number of rows; a
//! name (`csv`, `xlsx`, `databases`, `check`) runs that part alone. Needs PostgreSQL and MariaDB on this computer.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

#[path = "sources/check.rs"]
mod check;
#[path = "../tests/it/crowd.rs"]
mod crowd;
#[path = "sources/databases.rs"]
mod databases;
#[path = "sources/files.rs"]
mod files;
#[path = "../tests/it/servers/mod.rs"]
#[allow(dead_code, clippy::panic, reason = "the tests use more of it")]
mod servers;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use posyandu_gateway::source::profile::{self, Profile};
use posyandu_gateway::source::{self, Location, Reading};

/// Rows of the check and of the text file.
const ROWS: usize = 1_000_000;
/// Most rows of the workbook and of the tables: a bare reader holds a whole sheet in memory.
const ROWS_OF_OTHERS_MAX: usize = 100_000;
/// Rows when it runs as a test.
const ROWS_TESTED: usize = 300;
/// Each side reads this often, in turns; the best counts, for a shared machine only ever slows down.
const ROUNDS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let usual = if arguments.iter().any(|argument| argument == "--bench") { ROWS } else { ROWS_TESTED };
    let rows = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(usual);
    let named: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| ["csv", "xlsx", "databases", "check"].contains(word))
        .collect();
    let wanted = |name: &str| named.is_empty() || named.contains(&name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let others = rows.min(ROWS_OF_OTHERS_MAX);
    if wanted("csv") {
        runtime.block_on(files::csv(rows));
    }
    if wanted("xlsx") {
        runtime.block_on(files::xlsx(others));
    }
    if wanted("databases") {
        runtime.block_on(databases::compare(others));
    }
    if wanted("check") {
        check::measure(rows);
    }
}

/// This program's workbook reader runs in a process of its own.
fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_posyandu-gateway").into()
}

fn file(path: &Path) -> Location {
    Location::file_at("bench", path.to_owned(), program())
}

fn built_in(name: &str) -> Arc<Profile> {
    let (file, text) = profile::built_in().into_iter().find(|(file, _)| *file == name).unwrap();
    Arc::new(Profile::parse(&file, &text).unwrap())
}

/// Rows that the gateway reads from a source, to its end.
async fn ours(profile: &Arc<Profile>, location: &Location) -> usize {
    let mut rows = source::open(profile, location).await.unwrap();
    let mut number = 0;
    while let Some(reading) = rows.next().await.unwrap() {
        number += usize::from(matches!(reading, Reading::Row(_) | Reading::Skipped { .. }));
    }
    number
}

/// The best of several rounds, in seconds, and what was counted.
struct Best {
    name: &'static str,
    seconds: f64,
    rows: usize,
}

impl Best {
    fn of(name: &'static str) -> Self {
        Self { name, seconds: f64::INFINITY, rows: 0 }
    }

    fn note(&mut self, began: Instant, rows: usize) {
        self.seconds = self.seconds.min(began.elapsed().as_secs_f64());
        self.rows = rows;
    }

    fn speed(&self) -> f64 {
        self.rows as f64 / self.seconds
    }
}

/// Prints ours beside each rival; both must have seen the same rows.
fn print(title: &str, ours: &Best, rivals: &[Best]) {
    println!("{title}, {} rows:", ours.rows);
    println!("  {:<34} {:>11.0} rows/s", ours.name, ours.speed());
    for rival in rivals {
        assert_eq!(rival.rows, ours.rows, "{} saw other rows", rival.name);
        let ratio = ours.speed() / rival.speed();
        println!("  {:<34} {:>11.0} rows/s, ratio {ratio:.2}", rival.name, rival.speed());
    }
}
