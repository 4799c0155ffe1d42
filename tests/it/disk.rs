//! Disks that fail: power cuts at any moment, syncs that fail, a disk that fills up. Nothing acknowledged is missing
//! afterwards, and nothing is sent twice.
//!
//! Power cuts are modelled from a recording of every write, truncation and completed sync of a real run: what a file's
//! last completed sync covers is there; of each later write any 512-byte sectors may be there, missing or zero, in any
//! combination and whatever their order. It does not model a disk that lies about a sync, nor one that spoils sectors
//! nobody wrote to.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::attempt::AttemptEnd;
use posyandu_gateway::ledger::entry::EntryLine;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::{Ledger, LedgerError};
use posyandu_gateway::seal::Keys;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use super::ledger::{DAY, Desk, accepted, options, sha};
use super::office::{Books, Office, Setting, agree};
use super::proof::run::{Chance, Run};

/// Images of power cuts in every run; `POSYANDU_PROOF_POWER_CUTS` asks for more.
const IMAGES: u64 = 200;
/// Visits written while the disk is watched: enough for the log to be folded into the database more than once.
const VISITS: usize = 120;
/// Bytes that a disk writes as one.
const SECTOR: usize = 512;
/// Where the watched process finds its folder.
const FOLDER: &str = "DISK_FOLDER";
/// Which sync fails, and from which write on the disk is full: early, while reading, while sending.
const FAILS: [&str; 6] = ["sync:3", "sync:25", "sync:60", "full:30", "full:400", "full:900"];

/// An index below `end`.
fn below(chance: &mut Chance, end: usize) -> usize {
    usize::try_from(chance.below(end as u64)).unwrap()
}

/// Compiles the disk that can be watched.
fn shim(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/disk/shim.c");
    let made = folder.join("shim.so");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&made).arg(source).arg("-ldl").status();
    let compiled = compiled.expect("this test needs a C compiler: install `gcc` (or another one that answers to `cc`)");
    assert!(compiled.success(), "the shim does not compile");
    made
}

/// What the disk was asked for.
enum Asked {
    Write { file: usize, at: usize, bytes: Vec<u8> },
    Sync { file: usize },
    Cut { file: usize, length: usize },
}

fn trace(path: &Path) -> Vec<Asked> {
    let bytes = std::fs::read(path).unwrap();
    let (mut rest, mut asked) = (bytes.as_slice(), Vec::new());
    while let Some((head, after)) = rest.split_at_checked(14) {
        let file = usize::from(head[1]);
        let at = usize::try_from(u64::from_le_bytes(head[2..10].try_into().unwrap())).unwrap();
        let length = u32::from_le_bytes(head[10..14].try_into().unwrap()) as usize;
        let (content, after) = if head[0] == 1 { after.split_at(length) } else { (&[][..], after) };
        asked.push(match head[0] {
            1 => Asked::Write { file, at, bytes: content.to_vec() },
            2 => Asked::Sync { file },
            _ => Asked::Cut { file, length: at },
        });
        rest = after;
    }
    asked
}

fn put(content: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if content.len() < at + bytes.len() {
        content.resize(at + bytes.len(), 0);
    }
    content[at..at + bytes.len()].copy_from_slice(bytes);
}

/// A file as the last sync left it, and what was asked for since.
#[derive(Default)]
struct Watched<'a> {
    durable: Vec<u8>,
    since: Vec<&'a Asked>,
}

impl Watched<'_> {
    fn synced(&mut self) {
        for asked in self.since.drain(..) {
            match asked {
                Asked::Write { at, bytes, .. } => put(&mut self.durable, *at, bytes),
                Asked::Cut { length, .. } => self.durable.resize(*length, 0),
                Asked::Sync { .. } => {}
            }
        }
    }

    /// What a power cut may leave. The way of it decides how much of what was not synced is there.
    fn after_cut(&self, way: usize, chance: &mut Chance) -> Vec<u8> {
        let mut content = self.durable.clone();
        for asked in &self.since {
            match asked {
                Asked::Cut { length, .. } if way != 0 && chance.below(2) == 0 => content.resize(*length, 0),
                Asked::Write { at, bytes, .. } => {
                    let whole = way == 1 || (way == 2 && chance.below(2) == 0);
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        let fate = if whole { 0 } else { chance.below(3) };
                        match (way, fate) {
                            (0, _) => {}
                            (1, _) | (2, 0) | (3.., 0) => put(&mut content, at + number * SECTOR, sector),
                            (3.., 1) => put(&mut content, at + number * SECTOR, &vec![0; sector.len()]),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        content
    }
}

/// What a run had acknowledged by a moment: the last word for each entry.
fn acknowledged(log: &[u8]) -> BTreeMap<i64, String> {
    let text = String::from_utf8_lossy(log);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(word, entry)| Some((entry.parse().ok()?, word.to_owned()))).collect()
}

/// The process that is watched: writes visits, begins and ends their sends, and says what it was promised.
#[tokio::test]
async fn the_watched_process_writes_when_it_is_asked_to() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let keys = Arc::new(Keys::load(&folder.join("site.key")).unwrap());
    let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
    let ledger = Ledger::open(&options(&folder), Arc::clone(&keys), clock.clone()).await.unwrap();
    let desk = Desk { folder: tempfile::tempdir().unwrap(), keys, clock, ledger, server: None };
    let mut said = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("acknowledged")).unwrap();
    said.write_all(b"ready 0\n").unwrap();
    desk.visits(VISITS, DAY).await;
    while let [claimed] = desk.ledger.claim("Puskesmas A", 1).await.unwrap().as_slice() {
        let entry = claimed.entry.entry_id;
        let attempt = desk.ledger.begin_attempt(entry, &claimed.lease, sha("request")).await.unwrap();
        said.write_all(format!("begun {}\n", entry.number()).as_bytes()).unwrap();
        let end = AttemptEnd { status: Some(200), accepted: accepted(claimed), ..AttemptEnd::default() };
        desk.ledger.end_attempt(attempt, &claimed.lease, Event::Accepted, end).await.unwrap();
        said.write_all(format!("delivered {}\n", entry.number()).as_bytes()).unwrap();
    }
    desk.ledger.close().await.unwrap();
}

/// Runs the watched process in a folder and returns what its disk was asked for.
fn recorded(folder: &Path) -> Vec<Asked> {
    Keys::create(&folder.join("site.key")).unwrap();
    let traced = folder.join("trace");
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["disk::the_watched_process_writes_when_it_is_asked_to", "--exact"])
        .env("LD_PRELOAD", shim(folder))
        .env("DISK_TRACE", &traced)
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(done.success(), "the watched process failed");
    trace(&traced)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let run = Run::of("power_cuts", IMAGES, 20_261_118);
    let images = usize::try_from(run.size).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().canonicalize().unwrap();
    let asked = recorded(&home);
    let keys = Arc::new(Keys::load(&home.join("site.key")).unwrap());
    let mut chance = Chance(run.seed);
    // Before that nothing was acknowledged that could be missing.
    let first = asked.iter().position(|one| matches!(one, Asked::Write { file: 2, .. })).unwrap();
    let cuts: BTreeMap<usize, Vec<usize>> = (0..images).fold(BTreeMap::new(), |mut cuts, image| {
        cuts.entry(first + below(&mut chance, asked.len() - first)).or_default().push(image % 5);
        cuts
    });
    let (mut files, mut log) = ([Watched::default(), Watched::default()], Vec::new());
    let (mut opened, mut seen, mut folds) = (0, BTreeSet::new(), 0);
    for (moment, one) in asked.iter().enumerate() {
        match one {
            Asked::Write { file: 2, bytes, .. } => log.extend_from_slice(bytes),
            Asked::Write { file, .. } | Asked::Cut { file, .. } => files[*file].since.push(one),
            Asked::Sync { file: 2 } => {}
            Asked::Sync { file } => {
                folds += usize::from(*file == 0);
                files[*file].synced();
            }
        }
        let ways = cuts.get(&moment).map(Vec::as_slice).unwrap_or_default();
        for way in ways {
            let image = files.each_ref().map(|file| file.after_cut(*way, &mut chance));
            seen.extend(look_at(&image, &log, &keys, moment).await);
            opened += 1;
        }
    }
    assert_eq!(opened, run.size);
    assert!(folds > 1, "the log was never folded into the database");
    assert_eq!(seen.len(), 3, "some state was never met: {seen:?}");
    run.told(opened, &json!({"moments": asked.len(), "syncs_of_database": folds}));
}

/// Opens an image: it must be sound and hold everything acknowledged. Returns the states met.
async fn look_at(image: &[Vec<u8>; 2], log: &[u8], keys: &Arc<Keys>, moment: usize) -> Vec<State> {
    let folder = TempDir::new().unwrap();
    for (name, content) in ["ledger.sqlite", "ledger.sqlite-wal"].into_iter().zip(image) {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let clock = Clock::manual("2026-11-18T03:30:00Z".parse().unwrap());
    let ledger = Ledger::open(&options(folder.path()), Arc::clone(keys), clock).await.unwrap();
    let verified = ledger.verify(None).await.unwrap();
    assert!(verified.is_sound(), "moment {moment}: {:?}", verified.findings);
    let lines = ledger.entries(&Filter::default(), &[], 100_000).await.unwrap();
    let states: BTreeMap<i64, State> =
        lines.iter().map(|line: &EntryLine| (line.entry_id.number(), line.state)).collect();
    for (entry, word) in acknowledged(log) {
        let state = states.get(&entry);
        match word.as_str() {
            "begun" => assert!(matches!(state, Some(State::Unknown | State::Delivered)), "moment {moment}: {state:?}"),
            "delivered" => assert_eq!(state, Some(&State::Delivered), "moment {moment}"),
            _ => {}
        }
    }
    ledger.close().await.unwrap();
    states.into_values().collect()
}

/// Runs the gateway on a disk that fails; the exit code and what was said.
fn run_on(office: &Office, shim: &Path, fail: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"));
    command.args(["run", "--once"]).current_dir(office.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
    if let Some(fail) = fail {
        let folder = office.folder.path().canonicalize().unwrap();
        command.env("LD_PRELOAD", shim).env(FOLDER, folder).env("DISK_FAIL", fail);
    }
    let output = command.stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_and_a_full_disk_stop_the_gateway_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let shim = Arc::new(shim(folder.path()));
    let delivery = "concurrency = 4\nprobe_after_seconds = [0]\nonce_seconds = 60";
    let setting = Setting { clock: Clock::System, delivery, ..Setting::default() };
    let office = Arc::new(Office::open(setting, None).await);
    office.shorten(24).await;
    let made =
        Command::new(env!("CARGO_BIN_EXE_posyandu-gateway")).arg("init").current_dir(office.folder.path()).output();
    assert!(made.unwrap().status.success());
    let mut failed = 0;
    for fail in FAILS {
        let (at, by) = (Arc::clone(&office), Arc::clone(&shim));
        let (code, said) = spawn_blocking(move || run_on(&at, &by, Some(fail))).await.unwrap();
        assert!(matches!(code, Some(0 | 1 | 3)), "{fail}: exit {code:?}: {said}");
        if code == Some(3) {
            failed += 1;
            assert!(said.contains("ledger.sqlite") && said.contains("disk"), "{fail}: {said}");
        }
        assert_eq!(office.simulator.stats().duplicates_live, 0, "{fail}");
    }
    assert!(failed >= 3, "only {failed} of the failures were met");
    let (at, by) = (Arc::clone(&office), Arc::clone(&shim));
    let (code, said) = spawn_blocking(move || run_on(&at, &by, None)).await.unwrap();
    assert!(matches!(code, Some(0 | 1)), "exit {code:?}: {said}");
    let ledger = office.ledger().await;
    assert!(ledger.verify(None).await.unwrap().is_sound());
    let books = Books::read(&ledger).await;
    assert_eq!(books.waits(), 0);
    agree(&office, &books);
}

#[tokio::test]
async fn a_ledger_that_is_gone_emptied_cut_or_zeroed_is_told_and_never_begun_anew() {
    type Harm = fn(&Path);
    let cases: [(&str, Harm); 5] = [
        ("gone", |path| std::fs::remove_file(path).unwrap()),
        ("gone", |path| std::fs::write(path, b"").unwrap()),
        ("damaged", |path| {
            let length = usize::try_from(std::fs::metadata(path).unwrap().len()).unwrap();
            std::fs::write(path, vec![0; length]).unwrap();
        }),
        ("damaged", |path| {
            let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("damaged", |path| std::fs::write(path, "SQLite format 4\0".repeat(4_096)).unwrap()),
    ];
    for (number, (expected, harm)) in cases.into_iter().enumerate() {
        let desk = Desk::new().await;
        desk.visits(20, DAY).await;
        let options = options(desk.folder.path());
        desk.ledger.close().await.unwrap();
        harm(&options.path);
        let before = std::fs::read(&options.path).ok();
        let opened = Ledger::open(&options, desk.keys, desk.clock).await;
        let told = match opened.as_ref().unwrap_err() {
            LedgerError::Gone(_) => "gone",
            LedgerError::Damaged => "damaged",
            other => panic!("case {number}: {other:?}"),
        };
        assert_eq!(told, expected, "case {number}");
        assert_eq!(std::fs::read(&options.path).ok(), before, "case {number}: the file was touched");
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told() {
    let desk = Desk::new().await;
    let options = options(desk.folder.path());
    desk.ledger.close().await.unwrap();
    let blocked = super::ledger::options(&desk.folder.path().join("ledger.sqlite"));
    let opened = Ledger::open(&blocked, Arc::clone(&desk.keys), desk.clock.clone()).await;
    assert!(matches!(opened, Err(LedgerError::Folder { .. })), "a file where the folder should be: {opened:?}");
    Ledger::open(&options, desk.keys, desk.clock).await.unwrap().close().await.unwrap();
}
