//! A ledger that cannot record, and keys that do not fit: nothing is sent unrecorded, and the next run finishes all.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::town::{CONFIG, Satusehat, Told, Town, free_address, terminate};
use crate::city::conserved;

const LIMIT: &str = "LEDGER__MEBIBYTES_MAX";
const KEY: &str = "posyandu-data/keys/site.key";

/// A town that looks unknown outcomes up at once.
fn town(address: &str) -> Town {
    let town = Town::ready(address);
    town.edit(CONFIG, "[mapping]", "[delivery]\nprobe_after_seconds = [1, 1, 1]\n\n[mapping]");
    town
}

/// Runs without a limit and shows that everything arrived once.
#[track_caller]
fn finishes(town: &Town, server: &Satusehat) {
    let told = town.gateway(&["run", "--once", "--format", "json"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    let counts = town.counts();
    for word in ["pending", "in_flight", "unknown", "refused", "exhausted"] {
        assert_eq!(counts[word], 0, "{counts}");
    }
    assert_eq!(counts["read"], 575, "this many rows of the sample city");
    let stats = server.stats();
    assert_eq!((&stats["duplicates_live"], &stats["updates"]), (&0.into(), &0.into()), "{stats}");
    let reconciled = town.gateway(&["reconcile", "--format", "json"]);
    assert_eq!(reconciled.code, Some(0), "{}", reconciled.err);
    assert_eq!(reconciled.json()["equal"], stats["creates"], "the server holds what the ledger does not know");
}

#[test]
fn a_ledger_that_fills_up_while_reading_sends_nothing_and_goes_on_later() {
    let server = Satusehat::start(&[]);
    let town = town(&server.address);
    let words = ["posyandu-data/ledger.sqlite", "full", "mebibytes_max"];
    town.with(LIMIT, "1", &["run", "--once"]).only_sentence(3, &words);
    town.with(LIMIT, "3", &["run", "--once", "--format", "json"]).only_sentence(3, &words);
    let counts = town.counts();
    assert!(counts["read"].as_u64().unwrap() > 0 && counts["delivered"] == 0, "{counts}");
    assert_eq!(server.stats()["calls"], serde_json::json!({}));
    finishes(&town, &server);
}

#[test]
fn a_ledger_that_fills_up_while_sending_sends_nothing_unrecorded() {
    let slow = "{when: {of: write, every: 1}, do: {fault: delay, delay_ms: 200}}";
    let server = Satusehat::start(&["--fault", slow]);
    let town = town(&server.address);
    // Everything is read and the first visits are sent; then the disk has no room left.
    let mut daemon = town.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("sending visits:")), "it never sent");
    terminate(&daemon);
    daemon.wait().unwrap();
    let bundles = || server.stats()["calls"]["bundle"].as_u64().unwrap_or(0);
    let (waiting, sent) = (town.counts()["pending"].as_u64().unwrap(), bundles());
    let told = town.with(LIMIT, "1", &["run", "--once"]);
    told.only_sentence(3, &["posyandu-data/ledger.sqlite", "full", "mebibytes_max"]);
    let begun = waiting - town.counts()["pending"].as_u64().unwrap();
    assert!(bundles() - sent <= begun, "{} sent, {begun} recorded", bundles() - sent);
    finishes(&town, &server);
}

#[test]
fn a_write_that_the_system_refuses_ends_in_a_sentence_and_loses_nothing() {
    let server = Satusehat::start(&[]);
    let town = town(&server.address);
    for blocks in ["200", "1500", "5000"] {
        let program = env!("CARGO_BIN_EXE_posyandu-gateway");
        let script = format!("ulimit -f {blocks}; exec '{program}' run --once");
        let told = Told::of(Command::new("bash").args(["-c", &script]).current_dir(town.folder.path()));
        told.only_sentence(3, &["posyandu-data/ledger.sqlite", "disk", "run it again"]);
        town.counts();
        let stats = server.stats();
        assert_eq!(stats["duplicates_live"], 0, "{stats}");
    }
    finishes(&town, &server);
}

#[test]
fn with_few_file_descriptors_less_goes_at_once_and_nothing_is_lost() {
    let server = Satusehat::start(&[]);
    let town = town(&server.address);
    for files in ["20", "28", "64"] {
        let program = env!("CARGO_BIN_EXE_posyandu-gateway");
        let script = format!("ulimit -n {files}; exec '{program}' run --once");
        let told = Told::of(Command::new("bash").args(["-c", &script]).current_dir(town.folder.path()));
        assert!(matches!(told.code, Some(0..=3)), "{files} files: {:?} {}", told.code, told.err);
        town.counts();
        let stats = server.stats();
        assert_eq!(stats["duplicates_live"], 0, "{stats}");
    }
    finishes(&town, &server);
}

#[test]
fn copies_and_looks_beside_a_run_disturb_nobody() {
    let slow = "{when: {of: write, every: 1}, do: {fault: delay, delay_ms: 100}}";
    let server = Satusehat::start(&["--fault", slow]);
    let town = town(&server.address);
    let mut run = town.command(&["run", "--once"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut copies = 0;
    while run.try_wait().unwrap().is_none() {
        copies += 1;
        let copied = town.gateway(&["ledger", "backup", &format!("salinan-{copies}")]);
        assert_eq!(copied.code, Some(0), "{}", copied.err);
        let told = town.gateway(&["report", "--format", "json"]);
        assert!(matches!(told.code, Some(0 | 1)), "{}", told.err);
        town.counts();
    }
    assert!(copies > 2, "only {copies} copies were made beside the run");
    assert_eq!(run.wait().unwrap().code(), Some(1));
    finishes(&town, &server);
}

#[test]
fn keys_that_do_not_fit_are_turned_away_with_both_files_named() {
    let town = town(&free_address());
    assert_eq!(town.gateway(&["run", "--once"]).code, Some(3));
    let before = town.counts();
    let right = town.read(KEY);
    assert_eq!(town.gateway(&["--data-dir", "other", "init"]).code, Some(0));
    town.write(KEY, &town.read("other/keys/site.key"));
    for arguments in [&["run", "--once"] as &[&str], &["status"], &["report"], &["reconcile"]] {
        town.gateway(arguments).only_sentence(2, &[KEY, "posyandu-data/ledger.sqlite", "put the key file back"]);
    }
    town.write(KEY, "seal 00\n");
    town.gateway(&["run", "--once"]).only_sentence(2, &[KEY, "is not a key file"]);
    town.write(KEY, &right);
    mode(&town, "0644");
    town.gateway(&["run", "--once"]).only_sentence(2, &[KEY, "can be read by others", "chmod 600"]);
    mode(&town, "0600");
    assert_eq!(town.counts(), before);
    conserved(&before);
}

fn mode(town: &Town, bits: &str) {
    assert!(Command::new("chmod").arg(bits).arg(town.path(KEY)).status().unwrap().success());
}

#[test]
fn a_ledger_that_is_none_or_gone_is_told() {
    let town = town(&free_address());
    std::fs::remove_file(town.path("posyandu-data/ledger.sqlite")).unwrap();
    for arguments in [&["status"] as &[&str], &["report"]] {
        town.gateway(arguments).only_sentence(2, &["posyandu-data/ledger.sqlite", "init"]);
    }
    std::fs::copy(town.path("puskesmas-timur-aplikasi.sqlite"), town.path("posyandu-data/ledger.sqlite")).unwrap();
    let words = ["posyandu-data/ledger.sqlite", "not a ledger"];
    town.gateway(&["status"]).only_sentence(2, &words);
    town.gateway(&["run", "--once"]).only_sentence(2, &words);
    town.write("posyandu-data/ledger.sqlite", &"this is a text\n".repeat(1000));
    town.gateway(&["status"]).only_sentence(3, &["posyandu-data/ledger.sqlite"]);
    town.gateway(&["run", "--once"]).only_sentence(3, &["posyandu-data/ledger.sqlite"]);
}
