//! The sample city through the binary: every planted mess is told with its cell, and every row ends as expected.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const DAY: &str = "2026-11-18";
/// Rows of the register of posyandu.
const POSYANDU: u64 = 12;

pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kota-contoh")
}

fn gateway(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap()
}

/// The sample's configuration without the files of Puskesmas Selatan: rows enough for whoever wants many of them, in a
/// quarter of the time.
pub fn without_selatan(config: &str) -> String {
    let of_selatan = |part: &str| part.starts_with("[[source]]") && part.contains("Puskesmas Selatan");
    let parts: Vec<&str> = config.split("\n\n").filter(|part| !of_selatan(part)).collect();
    parts.join("\n\n")
}

/// Every file below a folder with its content.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    all
}

struct Expected {
    file: String,
    row: String,
    column: String,
    rule: String,
    severity: String,
    outcome: String,
}

fn expectations() -> Vec<Expected> {
    let mut reader = csv::Reader::from_path(fixtures().join("harapan.csv")).unwrap();
    reader
        .records()
        .map(|line| {
            let line = line.unwrap();
            let text = |at: usize| line.get(at).unwrap().to_owned();
            Expected {
                file: text(0),
                row: text(1),
                column: text(2),
                rule: text(3),
                severity: text(4),
                outcome: text(5),
            }
        })
        .collect()
}

/// The place as the gateway writes it: a table stands for its database, a sheet behind its workbook.
fn place(expected: &Expected) -> (String, String) {
    if let Some((sheet, row)) = expected.row.split_once('!') {
        return (format!("{} [{sheet}]", expected.file), row.to_owned());
    }
    match expected.row.split_once('#') {
        Some((table, key)) => (table.to_owned(), key.to_owned()),
        None => (expected.file.clone(), expected.row.clone()),
    }
}

fn rules_at(list: &Value, file: &str, row: &str) -> Vec<(String, String, String)> {
    let of = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
    list.as_array()
        .unwrap()
        .iter()
        .filter(|item| item["file"] == file && item["row"] == row)
        .map(|item| (of(item, "rule"), of(item, "column"), of(item, "severity")))
        .collect()
}

#[test]
fn check_tells_every_planted_problem_and_changes_nothing() {
    let before = files(&fixtures());
    let made = tempfile::tempdir().unwrap();
    let arguments = ["check", "tests/fixtures/kota-contoh", "--today", DAY, "--format", "json", "--output"];
    let output = gateway(&[&arguments[..], &[made.path().to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(files(&fixtures()), before, "the check changed a file");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut missed = Vec::new();
    for expected in expectations() {
        let (file, row) = place(&expected);
        let errors = rules_at(&report["work"], &file, &row);
        let flags = rules_at(&report["warnings"], &file, &row);
        let same = |(rule, column, severity): &(String, String, String)| {
            let near = expected.rule == "posyandu.unknown" && rule == "posyandu.unknown_near";
            (*rule == expected.rule || near) && *severity == expected.severity && *column == expected.column
        };
        let fine = match (expected.outcome.as_str(), expected.severity.as_str()) {
            ("issue", _) => errors.iter().any(same),
            // What the ministry's registry says is not known in a dry run; corrections and skips carry no issue.
            (_, "") | ("blocked", _) => errors.is_empty(),
            (_, _) => errors.is_empty() && flags.iter().any(same),
        };
        if !fine {
            let (rule, column) = (&expected.rule, &expected.column);
            missed.push(format!("{file}:{row}:{column} {rule}, {}: {errors:?} {flags:?}", expected.outcome));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    let planted = expectations().iter().filter(|expected| expected.outcome == "issue").count();
    assert_eq!(report["work"].as_array().unwrap().len(), planted, "a problem was invented");
    for item in report["work"].as_array().unwrap() {
        let message = item["message"].as_str().unwrap();
        assert!(message.ends_with('.') && message.len() > 20, "{item}");
    }
    conserved(&report["counts"]);
    gains_as_expected(&made.path().join("bundles.ndjson"));
    gains_are_told(&made.path().join("issues.csv"));
}

/// Each weighing of the toddlers' cards whose month before is known is sent as gained or not, and no other one is.
fn gains_as_expected(bundles: &Path) {
    let mut expected = BTreeMap::new();
    let mut reader = csv::Reader::from_path(fixtures().join("harapan-kenaikan.csv")).unwrap();
    for line in reader.records() {
        *expected.entry(line.unwrap()[3].to_owned()).or_insert(0) += 1;
    }
    let count = |letter: &str| expected.get(letter).copied().unwrap_or(0);
    assert!(["N", "T", "2T", "O", "B"].iter().all(|letter| count(letter) > 0), "{expected:?}");
    let bundles = std::fs::read_to_string(bundles).unwrap();
    assert_eq!(bundles.matches("\"OC000012\"").count(), count("N"));
    assert_eq!(bundles.matches("\"OC000146\"").count(), count("T") + count("2T"));
}

/// A letter on the card that is not what the weighings say is told at its cell, and so is each child that did not gain
/// twice running; no other card is.
fn gains_are_told(issues: &Path) {
    let mut reader = csv::Reader::from_path(fixtures().join("harapan-kenaikan.csv")).unwrap();
    let mut expected = Vec::new();
    for line in reader.records() {
        let line = line.unwrap();
        let (sheet, row) = line[1].split_once('!').unwrap();
        let place = (format!("{} [{sheet}]", &line[0]), row.to_owned());
        let written = match &line[2] {
            "Naik" => "N",
            "Tidak naik" => "T",
            other => other,
        };
        if written != line[3].trim_start_matches('2') {
            expected.push((place.clone(), "growth.nt_differs".to_owned()));
        }
        if &line[3] == "2T" {
            expected.push((place, "growth.twice_not_enough".to_owned()));
        }
    }
    let mut reader = csv::Reader::from_path(issues).unwrap();
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (file, row, rule) = (at("file"), at("row"), at("rule"));
    let lines = reader.records().map(Result::unwrap);
    let told = lines.filter(|line| ["growth.nt_differs", "growth.twice_not_enough"].contains(&&line[rule]));
    let mut told: Vec<_> =
        told.map(|line| ((line[file].to_owned(), line[row].to_owned()), line[rule].to_owned())).collect();
    told.sort();
    expected.sort();
    assert!(expected.len() > 3, "{expected:?}");
    assert_eq!(told, expected);
}

/// `read` is the sum of the other counts: nothing was lost between them.
#[track_caller]
pub fn conserved(counts: &Value) {
    let words = [
        "pending",
        "blocked",
        "in_flight",
        "unknown",
        "delivered",
        "refused",
        "exhausted",
        "waived",
        "superseded",
        "unchanged",
        "issue",
        "skipped",
    ];
    let sum: u64 = words.iter().map(|word| counts[*word].as_u64().unwrap()).sum();
    assert_eq!(counts["read"].as_u64().unwrap(), sum, "{counts}");
}

#[test]
fn the_demonstration_ends_fine_accounts_for_every_row_and_sends_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("demo");
    let run = || gateway(&["demo", "--data-dir", data.to_str().unwrap()]);
    let first = run();
    let text = String::from_utf8(first.stdout).unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let report: Value = serde_json::from_slice(&std::fs::read(data.join("laporan.json")).unwrap()).unwrap();
    let of = |outcome: &str| expectations().iter().filter(|expected| expected.outcome == outcome).count() as u64;
    let counts = &report["counts"];
    conserved(counts);
    assert_eq!(counts["issue"].as_u64(), Some(of("issue")));
    assert_eq!(counts["superseded"].as_u64(), Some(of("superseded")));
    assert_eq!(counts["blocked"].as_u64(), Some(of("blocked")));
    // The register of posyandu is skipped as well; its rows are no mess.
    assert_eq!(counts["skipped"].as_u64(), Some(of("skipped") + POSYANDU));
    let (read, accepted) = (counts["read"].as_u64().unwrap(), counts["delivered"].as_u64().unwrap());
    let rest = of("issue") + of("superseded") + of("blocked") + of("skipped") + POSYANDU;
    assert_eq!(accepted, read - rest);
    let last = text.trim_end().lines().last().unwrap();
    assert!(last.starts_with(&format!("Baris dibaca {read} = diterima {accepted} + menunggu")), "{last}");
    assert_eq!(report["read_back"]["different"], 0);
    assert_eq!(report["read_back"]["missing"], 0);
    assert_eq!(report["read_back"]["unverified"], 0);
    for expected in expectations().iter().filter(|expected| expected.outcome == "blocked") {
        let (file, row) = place(expected);
        let rules = rules_at(&report["work"], &file, &row);
        assert!(rules.iter().any(|(rule, _, _)| *rule == expected.rule), "{file}:{row} {}: {rules:?}", expected.rule);
    }
    let dump = data.join("satusehat-simulasi.ndjson");
    let (code, told) = crate::dump::validated(&dump);
    assert_eq!(code, Some(0), "what the server holds is no FHIR R4: {told}");
    let second = run();
    assert_eq!(second.status.code(), Some(0));
    let again = String::from_utf8(second.stdout).unwrap();
    assert!(again.contains("dikirim pada putaran ini: 0."), "{again}");
    assert_eq!(again.trim_end().lines().last(), Some(last));
}
