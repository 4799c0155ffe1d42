//! Size: what a check costs must not grow with the rows it reads. The bench `sources` shows it with a million.

use std::fs::File;
use std::io::BufWriter;
use std::process::{Child, Stdio};

use super::town::{Told, Town};
use crate::city::conserved;
use crate::crowd;

/// Rows of the test: enough to tell memory that grows with them, few enough for an unoptimised program.
const ROWS: usize = 2_400;
/// Most memory of a check of its own, in KiB: 64 MiB. The pages of an unoptimised program are left out.
const MEMORY_KIB_MAX: u64 = 64 * 1_024;

/// Most memory of a process of its own (no pages of files) until it ends, in KiB.
fn peak_kib(child: &mut Child) -> u64 {
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let now = line.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        peak = peak.max(now);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    peak
}

#[test]
fn a_check_of_many_rows_stays_small_and_counts_each() {
    let town = Town::alone();
    let file = File::create(town.path("puskesmas-tengah-register.csv")).unwrap();
    let expected = crowd::write(&mut BufWriter::new(file), ROWS);
    let mut command =
        town.command(&["check", "tengah", "--today", "2026-12-01", "--format", "json", "--output", "hasil"]);
    let answer = File::create(town.path("jawaban.json")).unwrap();
    let temporary = town.path("sementara");
    std::fs::create_dir(&temporary).unwrap();
    let mut child = command.env("TMPDIR", &temporary).stdout(answer).stderr(Stdio::null()).spawn().unwrap();
    let peak = peak_kib(&mut child);
    assert!(peak > 0 && peak < MEMORY_KIB_MAX, "{peak} KiB");
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "the temporary file was left behind");

    let report: serde_json::Value = serde_json::from_str(&town.read("jawaban.json")).unwrap();
    let counts = &report["counts"];
    conserved(counts);
    let of = |name: &str| counts[name].as_u64().unwrap();
    // The posyandu of the register are skipped rows as well.
    assert_eq!(of("read") - expected.read, of("skipped") - expected.skipped);
    let found = (of("pending"), of("issue"), of("superseded"));
    assert_eq!(found, (expected.ready, expected.issue, expected.superseded));
    let plan = report["would_send"].as_array().unwrap().iter().find(|plan| plan["puskesmas"] == "Puskesmas Tengah");
    assert_eq!(plan.unwrap()["visits"], expected.ready);
    assert_eq!(town.read("hasil/bundles.ndjson").lines().count() as u64, expected.ready);
    assert_eq!(town.read("hasil/issues.csv").lines().count() as u64, 1 + expected.issue);
    let late = report["late"].as_array().unwrap().len() as u64;
    assert_eq!(late + report["left_out"]["late"].as_u64().unwrap(), expected.ready);
    assert!(late < expected.ready, "the list is cut");
}

#[test]
fn a_check_says_when_there_is_no_room_for_its_temporary_file() {
    let town = Town::alone();
    let mut command = town.command(&["check"]);
    let told = Told::of(command.env("TMPDIR", town.path("tidak-ada")));
    told.only_sentence(3, &["tidak-ada", "temporary file", "TMPDIR"]);
}
