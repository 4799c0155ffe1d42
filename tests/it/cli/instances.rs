//! Two gateways at one ledger, and a gateway that is told to stop.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::town::{Satusehat, Town, terminate};

/// A stop is obeyed within this time.
const STOPS_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn a_second_gateway_is_turned_away_and_a_stop_is_obeyed() {
    // Slow enough that the stop meets visits in flight.
    let slow = "{when: {of: write, every: 1}, do: {fault: delay, delay_ms: 300}}";
    let server = Satusehat::start(&["--fault", slow]);
    let town = Town::ready(&server.address);
    let mut daemon = town.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("sending visits:")), "it never sent");
    for arguments in [&["run", "--once"] as &[&str], &["reconcile"], &["init"]] {
        town.gateway(arguments).only_sentence(4, &["posyandu-data/ledger.sqlite", "another instance", "stop it"]);
    }
    let during = town.counts();
    assert!(during["pending"].as_u64().unwrap() + during["in_flight"].as_u64().unwrap() > 0, "{during}");
    terminate(&daemon);
    let told_to_stop = Instant::now();
    let status = daemon.wait().unwrap();
    assert!(told_to_stop.elapsed() < STOPS_WITHIN, "{:?}", told_to_stop.elapsed());
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    let stopped = town.counts();
    assert_eq!((&stopped["in_flight"], &stopped["unknown"]), (&0.into(), &0.into()), "work in flight was dropped");
    assert!(stopped["pending"].as_u64().unwrap() > 0, "the stop came too late to prove anything");
    drop(server);
}

#[test]
fn after_a_stop_the_next_run_finishes_without_a_duplicate() {
    let server = Satusehat::start(&[]);
    let town = Town::ready(&server.address);
    let mut daemon = town.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Something was written: it is in the middle of reading.
    let log = town.path("posyandu-data/ledger.sqlite-wal");
    while std::fs::metadata(&log).map_or(0, |about| about.len()) == 0 && daemon.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    terminate(&daemon);
    assert!(matches!(daemon.wait().unwrap().code(), Some(0 | 1)));
    let next = town.gateway(&["run", "--once", "--format", "json"]);
    assert_eq!(next.code, Some(1), "{}", next.err);
    let counts = town.counts();
    assert_eq!((&counts["pending"], &counts["in_flight"], &counts["unknown"]), (&0.into(), &0.into(), &0.into()));
    let stats = server.stats();
    assert_eq!((&stats["duplicates_live"], &stats["updates"]), (&0.into(), &0.into()));
    let reconciled = town.gateway(&["reconcile", "--format", "json"]);
    assert_eq!(reconciled.code, Some(0), "{}", reconciled.err);
    assert_eq!(reconciled.json()["equal"], stats["creates"]);
}

#[test]
fn a_taken_port_is_told_with_the_way_out() {
    let server = Satusehat::start(&[]);
    let town = Town::alone();
    town.gateway(&["simulate", "--listen", &server.address]).only_sentence(2, &[&server.address, "--listen"]);
    town.gateway(&["simulate", "--people", "posyandu.csv"]).only_sentence(2, &["posyandu.csv"]);
}
