//! The gateway killed at every named point, before and after each durable write and each send: it starts again, and
//! in the end nothing is lost and nothing stands twice.
//!
//! A point is found by reading the source, so a new one is tried without being listed anywhere, and one that no script
//! reaches fails the test. Each start is killed at the first point that was not tried yet, so a ledger is killed over
//! and over before it is left in peace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::run::{Chance, Run};
use crate::cli::town::{copy_folder, free_address, terminate};
use crate::intake::counter::{TOKEN, record};
use crate::kill::{DELIVERY, complete, correct, end_of, gateway};
use crate::office::{Books, Office, Setting, agree, sound};

/// Rows of each source.
const ROWS: usize = 8;
/// Fewest points there must be (faults.md, section 5).
const POINTS_MIN: usize = 60;
/// Lives side by side that share the points of the city among them.
const LIVES: usize = 2;
/// With another seed than the first a point kills at one of its first passings.
const PASSINGS: u64 = 4;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a killed process wrote to its list of points.
const LIST: &str = "crash-points.txt";

/// Points by the passing at which they kill.
type Points = BTreeMap<String, u64>;

/// Every name in the source. A name stands there once.
fn names() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, bytes) in crate::city::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for (call, sides) in [("crash::around(", &[".before", ".after"][..]), ("crash::point(", &[""])] {
            for (at, _) in text.match_indices(call) {
                let rest = text[at + call.len()..].trim_start();
                let name = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()).expect("a name as a literal");
                for side in sides {
                    assert!(found.insert(format!("{name}{side}")), "the point {name} stands twice in the source");
                }
            }
        }
    }
    found
}

/// Starts the gateway with these points armed.
fn start(folder: &Path, left: &Points, arguments: &[&str]) -> Child {
    let list = folder.join(LIST);
    let lines: String = left.iter().map(|(name, at)| format!("{name} {at}\n")).collect();
    std::fs::write(&list, lines).unwrap();
    let mut all = vec!["--crash-at", LIST];
    all.extend(arguments);
    gateway(folder, &all)
}

/// The point that killed a process, taken off the list.
fn take(folder: &Path, left: &mut Points) -> String {
    let told = hit_file(folder);
    let name = std::fs::read_to_string(&told).expect("killed by something else than a point");
    std::fs::remove_file(told).unwrap();
    assert!(left.remove(&name).is_some(), "{name} was not armed");
    name
}

fn hit_file(folder: &Path) -> PathBuf {
    folder.join(format!("{LIST}.hit"))
}

/// Runs a command again and again until it is not killed any more; gives the exit code.
async fn until_it_ends(folder: &Path, left: &mut Points, arguments: &[&str]) -> (i32, Vec<String>) {
    let mut killed = Vec::new();
    loop {
        let child = start(folder, left, arguments);
        let (code, said) = spawn_blocking(move || end_of(child)).await.unwrap();
        match code {
            Some(code @ (0 | 1 | 3)) => return (code, killed),
            Some(code) => panic!("{arguments:?} ended with {code} after {killed:?}: {said}"),
            None => killed.push(take(folder, left)),
        }
    }
}

/// The same, and the books are looked at after each kill.
async fn lived_through(office: &Office, left: &mut Points, arguments: &[&str]) {
    loop {
        let child = start(office.folder.path(), left, arguments);
        let (code, said) = spawn_blocking(move || end_of(child)).await.unwrap();
        match code {
            // 3: a token that was refused twice stops a lane; the next run goes on.
            Some(0 | 1 | 3) => return,
            Some(code) => panic!("{arguments:?} ended with {code}: {said}"),
            None => {
                let name = take(office.folder.path(), left);
                assert_sound(office, &name).await;
            }
        }
    }
}

async fn assert_sound(office: &Office, after: &str) {
    if after.starts_with("ledger.open") || after.starts_with("ledger.migrate") || after.starts_with("ledger.key_check") {
        // There may be no ledger yet that could be read.
        return;
    }
    sound(office, &Books::read(&office.ledger().await).await);
}

/// Answers that get lost and tokens that are refused, so that look-ups and renewals are gone through.
fn trouble() -> Vec<Fault> {
    vec![
        Fault::at_calls(FaultKind::DroppedAnswer, AppliesTo::Write, &[2, 5, 9]),
        Fault::at_calls(FaultKind::DroppedBefore, AppliesTo::Write, &[3, 7]),
        Fault::at_calls(FaultKind::ExpiredToken, AppliesTo::Write, &[12, 13, 14, 15, 16, 17]),
    ]
}

/// A city whose first puskesmas hands in its export through a folder.
async fn city(seed: u64) -> Office {
    let setting = Setting { faults: trouble(), seed, clock: Clock::System, delivery: DELIVERY, ..Setting::default() };
    let office = Office::open(setting, None).await;
    office.shorten(ROWS).await;
    let folder = office.folder.path();
    std::fs::create_dir(folder.join("masuk")).unwrap();
    hand_in(folder, usize::MAX);
    edit(folder, "path = \"puskesmas-utara-eppgbm.csv\"", "folder = \"masuk\"");
    office
}

/// Puts the first lines of the export into the folder, as if they lay there for an hour.
fn hand_in(folder: &Path, lines: usize) {
    let export = std::fs::read(folder.join("puskesmas-utara-eppgbm.csv")).unwrap();
    let kept: Vec<&[u8]> = export.split_inclusive(|byte| *byte == b'\n').take(lines).collect();
    let path = folder.join("masuk/ekspor.csv");
    std::fs::write(&path, kept.concat()).unwrap();
    let written = std::time::SystemTime::now() - Duration::from_secs(3600);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(written).unwrap();
}

fn edit(folder: &Path, old: &str, new: &str) {
    let file = folder.join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(old).count(), 1, "{old}");
    std::fs::write(file, text.replace(old, new)).unwrap();
}

/// An own mapping folder in which the weight has a text, so that what was delivered changes.
fn other_mapping(folder: &Path) {
    copy_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings"), &folder.join("pemetaan"));
    let file = folder.join("pemetaan/kunjungan_balita.yaml");
    let right = "            display: Body weight\n";
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches(right).count(), 1);
    std::fs::write(file, text.replace(right, &format!("{right}        text: Berat badan\n"))).unwrap();
    edit(folder, "[mapping]\n", "[mapping]\ndirectory = \"pemetaan\"\n");
}

/// A city's life: a day, its corrections, a read-back, a shortened file that a person lets through, another mapping.
async fn life(seed: u64, mut left: Points) -> Points {
    let office = city(seed).await;
    let folder = office.folder.path();
    for _ in 0..2 {
        lived_through(&office, &mut left, &["run", "--once"]).await;
    }
    complete(&office).await;
    let books = Books::read(&office.ledger().await).await;
    agree(&office, &books);
    assert!(books.delivered.len() > ROWS, "{} visits", books.delivered.len());
    correct(&office).await;
    lived_through(&office, &mut left, &["run", "--once"]).await;
    complete(&office).await;
    agree(&office, &Books::read(&office.ledger().await).await);
    lived_through(&office, &mut left, &["reconcile"]).await;
    if left.keys().any(|name| name.starts_with("ledger.accept_taken")) {
        hand_in(folder, ROWS / 2);
        lived_through(&office, &mut left, &["run", "--once"]).await;
        lived_through(&office, &mut left, &["source", "accept", "ekspor.csv"]).await;
    }
    if left.keys().any(|name| name.contains("_plan")) {
        other_mapping(folder);
        lived_through(&office, &mut left, &["mapping", "plan"]).await;
        let approve = ["mapping", "approve", "1", "--reason", "dicoba", "--command-id", "satu"];
        lived_through(&office, &mut left, &approve).await;
        lived_through(&office, &mut left, &["run", "--once"]).await;
    }
    complete(&office).await;
    agree(&office, &Books::read(&office.ledger().await).await);
    left
}

/// `init` in an empty folder: what is half done is finished by the next `init`, never in the way of it.
async fn beginning(mut left: Points) -> Points {
    let folder = tempfile::tempdir().unwrap();
    until_it_ends(folder.path(), &mut left, &["--data-dir", "data", "init"]).await;
    let (code, _) = until_it_ends(folder.path(), &mut left, &["--data-dir", "data", "status"]).await;
    assert_eq!(code, 0);
    left
}

/// An app that hands in records over HTTP and repeats what it got no answer to.
async fn counter(seed: u64, mut left: Points) -> Points {
    let office = city(seed).await;
    let folder = office.folder.path();
    let address = free_address();
    let file = folder.join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (kept, rest) = text.split_once("[[source]]\nname = \"utara\"").unwrap();
    let delivery = rest.find("\n[delivery]").map(|at| rest[at..].to_owned()).unwrap();
    std::fs::write(folder.join("token.txt"), format!("{TOKEN}\n")).unwrap();
    let sender = "[[sender]]\nname = \"aplikasi\"\ntoken_file = \"token.txt\"\npuskesmas = \"Puskesmas Utara\"\n";
    std::fs::write(&file, format!("{kept}[http]\nlisten = \"{address}\"\n{sender}{delivery}")).unwrap();
    // The posyandu are known before the points are armed.
    until_it_ends(folder, &mut Points::new(), &["run", "--once"]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    loop {
        let mut child = start(folder, &left, &["run"]);
        let is_answered = post_until_answered(&client, &address, &mut child).await;
        if is_answered {
            terminate(&child);
        }
        let (code, said) = spawn_blocking(move || end_of(child)).await.unwrap();
        match code {
            None => drop(take(folder, &mut left)),
            Some(code) => {
                assert!(is_answered && matches!(code, 0 | 1), "exit {code}: {said}");
                break;
            }
        }
    }
    complete(&office).await;
    let books = Books::read(&office.ledger().await).await;
    agree(&office, &books);
    assert_eq!(books.lines.len(), 1, "one record was handed in, however often");
    left
}

/// Posts one record until the gateway answers that it has it; false when it was killed first.
async fn post_until_answered(client: &reqwest::Client, address: &str, child: &mut Child) -> bool {
    let begun = std::time::Instant::now();
    while begun.elapsed() < PATIENCE {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let request = client.post(format!("http://{address}/v1/records")).bearer_auth(TOKEN);
        let request = request.header("content-type", "application/json").body(record("anak-1", 1).to_string());
        if request.send().await.is_ok_and(|answer| answer.status() == 200) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no answer within {PATIENCE:?}");
}

/// Gives each life its share and what only it can reach.
fn share(points: &Points) -> (Points, Points, Vec<Points>) {
    let of_beginning = ["init.", "keys.", "ledger.migrate", "ledger.key_check"];
    let (mut beginning, mut counter, mut lives) = (Points::new(), Points::new(), vec![Points::new(); LIVES]);
    for (number, (name, at)) in points.iter().enumerate() {
        let to = if of_beginning.iter().any(|start| name.starts_with(start)) {
            &mut beginning
        } else if name.starts_with("ledger.take_rows") {
            &mut counter
        } else if name.contains("_plan") || name.starts_with("ledger.accept_taken") {
            // The long way round is gone once.
            &mut lives[0]
        } else {
            &mut lives[number % LIVES]
        };
        to.insert(name.clone(), *at);
    }
    (beginning, counter, lives)
}

/// Tries all points once; those that were not reached at their passing are left.
async fn tried(seed: u64, points: &Points) -> Points {
    let (first, http, lives) = share(points);
    let mut running = tokio::task::JoinSet::new();
    for (number, points) in lives.into_iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        running.spawn(life(seed + number as u64, points));
    }
    let mut left = if first.is_empty() { first } else { beginning(first).await };
    left.extend(if http.is_empty() { http } else { counter(seed, http).await });
    while let Some(done) = running.join_next().await {
        left.extend(done.unwrap());
    }
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_named_point_loses_nothing_and_doubles_nothing() {
    let run = Run::of("points", 1, 1);
    let names = names();
    assert!(names.len() >= POINTS_MIN, "{} points", names.len());
    let mut kills = 0;
    for round in 0..run.size {
        let mut chance = Chance(run.seed + round);
        let at = |chance: &mut Chance| if run.seed + round == 1 { 1 } else { 1 + chance.below(PASSINGS) };
        let points: Points = names.iter().map(|name| (name.clone(), at(&mut chance))).collect();
        let late = tried(run.seed + round, &points).await;
        // Not passed that often: at its first passing then.
        let first: Points = late.into_keys().map(|name| (name, 1)).collect();
        let left = if first.is_empty() || run.seed + round == 1 { first } else { tried(run.seed + round, &first).await };
        assert!(left.is_empty(), "no script reaches these points: {:?}", left.keys());
        kills += names.len() as u64;
    }
    run.told(kills, &json!({"points": names.len(), "rounds": run.size}));
}
