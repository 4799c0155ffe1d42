//! What each command promises on a good day: help, exit codes, one object, sums, and a check that leaves no trace.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::town::{Satusehat, Town};
use crate::city::{conserved, files};

#[test]
fn every_command_has_examples_and_an_unknown_one_is_refused() {
    let town = Town::alone();
    let commands: [&[&str]; 36] = [
        &[],
        &["demo"],
        &["init"],
        &["check"],
        &["run"],
        &["reconcile"],
        &["discrepancies"],
        &["report"],
        &["report", "seal"],
        &["status"],
        &["issues"],
        &["retry"],
        &["waive"],
        &["account"],
        &["lanes"],
        &["alarms"],
        &["alarms", "test"],
        &["persons"],
        &["removals"],
        &["mapping"],
        &["mapping", "list"],
        &["mapping", "test"],
        &["mapping", "rules"],
        &["source"],
        &["source", "new"],
        &["source", "check"],
        &["source", "files"],
        &["source", "accept"],
        &["ledger"],
        &["ledger", "verify"],
        &["ledger", "backup"],
        &["ledger", "restore"],
        &["provision"],
        &["forget"],
        &["simulate"],
        &["doctor"],
    ];
    for command in commands {
        let told = town.gateway(&[command, &["--help"]].concat());
        assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
        assert!(told.out.contains("\nExamples:\n  posyandu-gateway "), "{command:?}");
    }
    let listed = town.gateway(&["--help"]).out;
    let names = listed.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for name in names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        assert!(commands.iter().any(|command| command.first() == Some(&name)), "{name} is not looked at here");
    }
    let version = town.gateway(&["--version"]);
    assert_eq!(version.code, Some(0));
    assert!(version.out.starts_with("posyandu-gateway 0."), "{}", version.out);
    for wrong in [
        &["recieve"] as &[&str],
        &["run", "--onse"],
        &["report", "--month", "November"],
        &["status", "--date", "yesterday"],
    ] {
        let told = town.gateway(wrong);
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""));
        assert!(told.err.starts_with("error: "), "{}", told.err);
    }
    town.gateway(&["check", "utarra"]).only_sentence(2, &["utarra", "did you mean `utara`"]);
}

fn with_content(town: &Town) -> BTreeMap<PathBuf, Vec<u8>> {
    files(town.folder.path())
}

#[test]
fn a_check_calls_nobody_and_changes_nothing_with_or_without_a_ledger() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepted = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&accepted);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let town = Town::at(&address);
    for _ in 0..2 {
        let before = with_content(&town);
        let told = town.gateway(&["check", "--format", "json"]);
        assert_eq!(told.code, Some(1), "{}", told.err);
        conserved(&told.json()["counts"]);
        assert_eq!(town.gateway(&["check", "utara"]).code, Some(1));
        assert_eq!(with_content(&town), before, "the check changed a file");
        assert_eq!(town.gateway(&["init"]).code, Some(0));
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 0, "the check opened a connection");
    // The listener does notice: a run calls at once. It answers nobody, so it is not waited for.
    let mut run = town.command(&["run", "--once"]);
    let mut child = run.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    while accepted.load(Ordering::SeqCst) == 0 && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    assert!(accepted.load(Ordering::SeqCst) > 0, "the listener is blind");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_check_writes_what_it_would_send_and_what_must_be_mended() {
    let town = Town::alone();
    let told = town.gateway(&["check", "--format", "json", "--output", "hasil"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    let would: u64 =
        told.json()["would_send"].as_array().unwrap().iter().map(|one| one["visits"].as_u64().unwrap()).sum();
    let bundles = town.read("hasil/bundles.ndjson");
    for line in bundles.lines() {
        let bundle: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&bundle["resourceType"], &bundle["type"]), (&"Bundle".into(), &"transaction".into()));
    }
    assert_eq!(bundles.lines().count() as u64, would);
    let issues = town.read("hasil/issues.csv");
    assert_eq!(issues.lines().next(), Some("source,file,row,column,value,severity,rule,message"));
    super::town::no_personal_data(&issues);
    let mut reader = csv::Reader::from_reader(issues.as_bytes());
    assert!(reader.records().map(Result::unwrap).count() > 50);
    town.write("a-file", "");
    town.gateway(&["check", "--output", "a-file"]).one_sentence(2, &["a-file"]);
}

#[test]
fn a_day_leaves_the_same_sums_in_every_command() {
    let server = Satusehat::start(&[]);
    let town = Town::ready(&server.address);
    let run = town.gateway(&["run", "--once", "--format", "json"]);
    assert_eq!((run.code, run.err.lines().filter(|line| line.starts_with("error")).count()), (Some(1), 0));
    let counts = town.counts();
    assert_eq!(run.json()["counts"], counts);
    assert!(counts["delivered"].as_u64().unwrap() > 300, "{counts}");
    for arguments in [&["report", "--date", "2026-11-18"] as &[&str], &["report", "--month", "2026-11"]] {
        let json = town.gateway(&[arguments, &["--format", "json"]].concat());
        assert_eq!(json.code, Some(1), "{}", json.err);
        conserved(&json.json()["counts"]);
        let text = town.gateway(arguments);
        assert!(text.out.contains("Baris dibaca ") && text.err.is_empty(), "{}", text.err);
        let csv = town.gateway(&[arguments, &["--format", "csv"]].concat());
        assert_eq!(csv.out.lines().next(), Some("source,file,row,column,value,severity,rule,message"));
    }
    let empty = town.gateway(&["report", "--month", "2020-01", "--format", "json"]);
    assert_eq!(empty.code, Some(0), "{}", empty.out);
    let by_day = town.gateway(&["status", "--date", "2026-11-18", "--format", "json"]);
    conserved(&by_day.json()["counts"]);
    let doctor = town.gateway(&["doctor", "--format", "json"]);
    assert_eq!(doctor.code, Some(0), "{}", doctor.out);
    assert!(doctor.json()["findings"].as_array().unwrap().iter().all(|finding| finding["fine"] == true));
    let reconciled = town.gateway(&["reconcile", "--date", "2026-11-18"]);
    assert_eq!((reconciled.code, reconciled.err.as_str()), (Some(0), ""));
    let english = town.gateway(&["--lang", "en", "status"]);
    assert!(english.out.contains("waiting") || english.out.contains("rows"), "{}", english.out);
    let again = town.gateway(&["run", "--once", "--format", "json"]);
    assert_eq!(again.json()["counts"], counts);
}

#[test]
fn targets_are_read_by_posyandu_and_a_mistake_in_them_is_named() {
    let town = Town::alone();
    assert_eq!(town.gateway(&["init"]).code, Some(0));
    let report = ["report", "--month", "2026-11", "--level", "kota", "--targets", "sasaran.csv", "--format", "json"];
    let first = town.read("posyandu.csv").lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    town.write("sasaran.csv", &format!("kode_posyandu,s,hari_buka,lansia\n{first},40,2,15\n"));
    let narrowed = town.gateway(&[report.as_slice(), &["--posyandu", &first]].concat());
    let total = &narrowed.json()["total"];
    assert_eq!((&total["targets"]["days"], &total["targets"]["persons"]["lansia"]), (&2.into(), &15.into()));
    assert_eq!((&total["skdn"]["s"], &total["skdn"]["k"]), (&40.into(), &Value::Null));
    let whole = town.gateway(&report).json();
    assert_eq!(whole["total"]["targets"]["days"], Value::Null, "of the others nobody knows it");
    for (text, named) in [
        (format!("kode_posyandu,lanjut_usia\n{first},3\n"), "lanjut_usia"),
        (format!("kode_posyandu,lansia\n{first},banyak\n"), "line 2, column lansia"),
        ("kode_posyandu,lansia\nTIDAK-ADA,3\n".to_owned(), "TIDAK-ADA"),
    ] {
        town.write("sasaran.csv", &text);
        town.gateway(&report).one_sentence(2, &["--targets sasaran.csv", named]);
    }
}

#[test]
fn progress_goes_to_standard_error_in_plain_lines() {
    let server = Satusehat::start(&[]);
    let town = Town::ready(&server.address);
    let told = town.gateway(&["--log-format", "json", "run", "--once", "--format", "json"]);
    told.json();
    let lines: Vec<&str> = told.err.lines().collect();
    assert!(lines.len() > 2, "{}", told.err);
    for line in &lines {
        let (done, of) = line.strip_prefix("sending visits: ").unwrap().split_once(" of ").unwrap();
        assert!(done.parse::<u64>().unwrap() <= of.parse::<u64>().unwrap(), "{line}");
    }
    assert!(!told.err.contains('\r'), "{}", told.err);
    for file in files(town.folder.path()).into_keys() {
        super::town::no_personal_data(&file.display().to_string());
    }
}
