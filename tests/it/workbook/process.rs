//! The process that reads: what happens when it does not do what it should, and what may be given to it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use posyandu_gateway::source::workbook::Workbook;
use posyandu_gateway::source::workbook::look::Held;
use posyandu_gateway::source::{self, Location};

use super::containers::{sheet_xml, xlsx};
use super::{all, location, register, rule, written};
use crate::city::fixtures;

fn stub(name: &str) -> PathBuf {
    fixtures().parent().unwrap().join("workbooks").join(name)
}

/// The rule by which a file is refused when this program reads it, and how long that took.
async fn read_by(program: PathBuf) -> (String, Duration) {
    let (_folder, path) = written("berkas.xls", &xlsx(&sheet_xml(""), &[]));
    let location = Location { program, ..location(&path) };
    let started = Instant::now();
    let held = Held::open(&path).unwrap();
    let opened = Workbook::open(&register(), &location, held, Duration::from_millis(500)).await;
    let error = opened.err().expect("it was read");
    (rule(&error), started.elapsed())
}

#[tokio::test]
async fn a_reader_that_hangs_or_is_killed_costs_the_file() {
    for name in ["silent.sh", "killed.sh"] {
        let (rule, elapsed) = read_by(stub(name)).await;
        assert_eq!(rule, "file.too_heavy", "{name}");
        assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
    }
}

#[tokio::test]
async fn a_reader_that_talks_nonsense_is_not_believed() {
    let programs = ["/usr/bin/yes", "/bin/false", "/bin/true", "/nowhere/at-all"].map(PathBuf::from);
    for program in programs.into_iter().chain([stub("endless.sh"), stub("loses.sh")]) {
        let name = program.display().to_string();
        assert_eq!(read_by(program).await.0, "file.reader", "{name}");
    }
}

#[tokio::test]
async fn only_a_regular_file_is_opened() {
    let (folder, path) = written("berkas.xls", &std::fs::read(stub("register.xls")).unwrap());
    let at = |name: &str| folder.path().join(name);
    assert!(Command::new("mkfifo").arg(at("pipa.xls")).status().unwrap().success());
    std::fs::create_dir(at("folder.xls")).unwrap();
    std::os::unix::fs::symlink(at("pipa.xls"), at("ke-pipa.xls")).unwrap();
    std::os::unix::fs::symlink(at("tidak-ada.xls"), at("putus.xls")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", at("nol.xls")).unwrap();
    for name in ["pipa.xls", "folder.xls", "ke-pipa.xls", "putus.xls", "nol.xls"] {
        let error = source::open(&register(), &location(&at(name))).await.err().expect(name);
        assert_eq!(error.issue(&location(&at(name))).rule.as_ref(), "file.unreadable", "{name}");
    }
    // A link to a workbook is what an administrator meant.
    std::os::unix::fs::symlink(&path, at("ke-berkas.xls")).unwrap();
    assert_eq!(all(&register(), &at("ke-berkas.xls")).await.unwrap().len(), 3);
}

#[test]
fn the_hidden_command_takes_no_path_and_refuses_what_is_no_workbook() {
    let program = Path::new(env!("CARGO_BIN_EXE_posyandu-gateway"));
    let with_path = Command::new(program).args(["read-workbook", "berkas.xls"]).output().unwrap();
    assert_eq!(with_path.status.code(), Some(2));
    let help = Command::new(program).arg("--help").output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("read-workbook"));
}
