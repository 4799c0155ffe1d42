//! The gateway killed at every named point, before and after each durable write and each send: it starts again, and
//! in the end nothing is lost and nothing stands twice.
//!
//! A point is found by reading the source, so a new one is tried without being listed anywhere, and one that no script
//! reaches fails the test. Each start is killed at the first point that was not tried yet, so a ledger is killed over
//! and over before it is left in peace.

#![allow(clippy::print_stderr)]

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::taken::TakenOutcome;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::armed::{Points, names, start, take, until_it_ends};
use super::run::{Chance, Run};
use crate::cli::town::{copy_folder, free_address, terminate};
use crate::intake::counter::{TOKEN, record};
use crate::kill::{DELIVERY, complete_with_stops, correct, end_of};
use crate::office::{Books, Office, Setting, agree, database, in_database, sound};
use crate::servers::{self, Server};

/// Rows of each source.
const ROWS: usize = 10;
/// Lines of the export that are left when it has lost many of its rows; the first four are its head.
const LINES_LEFT: usize = 6;
/// One patient in so many is not known to the server.
const UNKNOWN_EVERY: usize = 7;
/// Points, by how their names begin, that only a ledger in a file passes; `init` writes no configuration where the
/// server already stands in one.
const FILE_ONLY: [&str; 4] = ["ledger.open.", "ledger.migrate.", "ledger.recover.", "init.configuration."];
/// The same of a ledger on a server.
const SERVER_ONLY: [&str; 1] = ["ledger.connect."];
/// Fewest points there must be on each store (faults.md, section 5).
const POINTS_MIN: usize = 60;
/// Lives side by side that share the points of the city among them.
const LIVES: usize = 2;
/// With another seed than the first a point kills at one of its first passings.
const PASSINGS: u64 = 4;
/// The PostgreSQL that holds the ledger; without one it is a file.
type Store = Option<&'static Server>;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Longer than a lane pauses after its configuration was refused.
const PAUSE_OF_LANE: Duration = Duration::from_secs(3600);

/// Hours until the lanes must have gone on.
const HOURS_MAX: u32 = 24;

/// Between two looks at a folder whose file must lie still for some seconds.
const NAP: Duration = Duration::from_secs(2);

/// The same, and the books are looked at after each kill.
async fn lived_through(office: &Office, left: &mut Points, arguments: &[&str]) {
    loop {
        let child = start(office.folder.path(), left, arguments);
        let (code, said) = spawn_blocking(move || end_of(child)).await.unwrap();
        match code {
            // 3: a token that was refused twice stops a lane; the next run goes on. 2: a decision that was killed after
            // it was stored finds nothing to decide.
            Some(0 | 1 | 3) => return,
            Some(2) if arguments.contains(&"accept") => return,
            Some(code) => panic!("{arguments:?} ended with {code}: {said}"),
            None => {
                let name = take(office.folder.path(), left);
                office.outlast_leases().await;
                assert_sound(office, &name).await;
            }
        }
    }
}

async fn assert_sound(office: &Office, after: &str) {
    if ["ledger.open", "ledger.migrate", "ledger.key_check", "ledger.connect"]
        .iter()
        .any(|name| after.starts_with(name))
    {
        // There may be no ledger yet that could be read.
        return;
    }
    sound(office, &Books::read(&office.ledger().await).await);
}

/// Answers that get lost, so that look-ups are gone through.
fn trouble() -> Vec<Fault> {
    vec![
        Fault::at_calls(FaultKind::DroppedAnswer, AppliesTo::Write, &[2, 5, 9]),
        Fault::at_calls(FaultKind::DroppedBefore, AppliesTo::Write, &[3, 7]),
    ]
}

/// A city with keys and an empty ledger.
async fn city(seed: u64, faults: Vec<Fault>, server: Store) -> Office {
    let setting = Setting {
        faults,
        seed,
        clock: Clock::System,
        delivery: DELIVERY,
        unknown_every: UNKNOWN_EVERY,
        server,
        ..Setting::default()
    };
    let office = Office::open(setting, None).await;
    office.shorten(ROWS).await;
    until_it_ends(office.folder.path(), &mut Points::new(), &["init"]).await;
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

/// Runs until the file in the folder has lain there long enough and this became of it.
async fn run_until(office: &Office, left: &mut Points, outcome: TakenOutcome) {
    let begun = std::time::Instant::now();
    while office.ledger().await.taken_files("utara").await.unwrap().last().map(|file| file.outcome) != Some(outcome) {
        assert!(begun.elapsed() < PATIENCE, "the file was not taken");
        lived_through(office, left, &["run", "--once"]).await;
        tokio::time::sleep(NAP).await;
    }
}

/// A city's life: a day, its corrections, a read-back.
async fn life(seed: u64, mut left: Points, server: Store) -> Points {
    let office = city(seed, trouble(), server).await;
    for _ in 0..2 {
        lived_through(&office, &mut left, &["run", "--once"]).await;
    }
    complete_with_stops(&office).await;
    let books = Books::read(&office.ledger().await).await;
    agree(&office, &books);
    assert!(books.delivered.len() > ROWS, "{} visits", books.delivered.len());
    correct(&office).await;
    lived_through(&office, &mut left, &["run", "--once"]).await;
    complete_with_stops(&office).await;
    agree(&office, &Books::read(&office.ledger().await).await);
    lived_through(&office, &mut left, &["reconcile"]).await;
    left
}

/// What takes a person's decision: a file that lost many of its rows and is let through, and another mapping.
async fn decisions(seed: u64, mut left: Points, server: Store) -> Points {
    let office = city(seed, trouble(), server).await;
    let folder = office.folder.path();
    std::fs::create_dir(folder.join("masuk")).unwrap();
    hand_in(folder, usize::MAX);
    edit(folder, "path = \"puskesmas-utara-eppgbm.csv\"", "folder = \"masuk\"");
    run_until(&office, &mut left, TakenOutcome::Read).await;
    hand_in(folder, LINES_LEFT);
    run_until(&office, &mut left, TakenOutcome::Waiting).await;
    lived_through(&office, &mut left, &["source", "accept", "ekspor.csv"]).await;
    lived_through(&office, &mut left, &["run", "--once"]).await;
    let taken = office.ledger().await.taken_files("utara").await.unwrap();
    assert_eq!(taken.last().unwrap().outcome, TakenOutcome::Read, "the decision was lost");
    other_mapping(folder);
    lived_through(&office, &mut left, &["mapping", "plan"]).await;
    let approve = ["mapping", "approve", "1", "--reason", "dicoba", "--command-id", "satu"];
    lived_through(&office, &mut left, &approve).await;
    lived_through(&office, &mut left, &["run", "--once"]).await;
    complete_with_stops(&office).await;
    let books = Books::read(&office.ledger().await).await;
    agree(&office, &books);
    assert!(books.delivered.iter().any(|entry| entry.version > 1), "the new mapping was not sent");
    left
}

/// A server that refuses look-ups and good tokens: the lanes stop, and go on when their pause is over.
async fn refused(seed: u64, mut left: Points, server: Store) -> Points {
    let faults = vec![
        // Persons cannot be asked for at first, so what was claimed is given back.
        Fault::at_calls(FaultKind::Unavailable, AppliesTo::Read, &[1, 2, 3, 4, 5, 6]),
        Fault::at_calls(FaultKind::ExpiredToken, AppliesTo::Write, &[4, 5, 6, 7, 8]),
        // The three tokens of the beginning are given out, their successors at first are not.
        Fault::at_calls(FaultKind::Unavailable, AppliesTo::Token, &[4, 5, 6, 7, 8]),
    ];
    let mut office = city(seed, faults, server).await;
    lived_through(&office, &mut left, &["run", "--once"]).await;
    // A day later, and then hour by hour.
    office.clock = Clock::manual(Timestamp::now() + SignedDuration::from_hours(24));
    let daemon = office.daemon().await;
    for _ in 0..HOURS_MAX {
        daemon.once(&|_| {}).await.unwrap();
        if Books::read(&daemon.ledger).await.waits() == 0 {
            break;
        }
        office.clock.advance(PAUSE_OF_LANE);
    }
    let books = Books::read(&daemon.ledger).await;
    assert_eq!(books.waits(), 0);
    agree(&office, &books);
    left
}

/// `init` in an empty folder: what is half done is finished by the next `init`, never in the way of it.
async fn beginning(mut left: Points, server: Store) -> Points {
    let folder = tempfile::tempdir().unwrap();
    if let Some(database) = database(server).await {
        std::fs::write(folder.path().join("posyandu-gateway.toml"), in_database(folder.path(), &database)).unwrap();
    }
    until_it_ends(folder.path(), &mut left, &["--data-dir", "data", "init"]).await;
    let (code, _) = until_it_ends(folder.path(), &mut left, &["--data-dir", "data", "status"]).await;
    assert_eq!(code, 0);
    left
}

/// An app that hands in records over HTTP and repeats what it got no answer to.
async fn counter(seed: u64, mut left: Points, server: Store) -> Points {
    let office = city(seed, trouble(), server).await;
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
            None => {
                take(folder, &mut left);
                office.outlast_leases().await;
            }
            Some(code) => {
                assert!(is_answered && matches!(code, 0 | 1), "exit {code}: {said}");
                break;
            }
        }
    }
    complete_with_stops(&office).await;
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

/// The points by the life that reaches them: beginning, counter, refused tokens, decisions, and the city's lives.
fn share(points: &Points) -> [Points; 4 + LIVES] {
    let mut shares: [Points; 4 + LIVES] = Default::default();
    let life_of = [
        ("init.", 0),
        ("keys.", 0),
        ("ledger.migrate", 0),
        ("ledger.key_check", 0),
        ("ledger.connect.migrate.", 0),
        ("ledger.take_rows", 1),
        ("ledger.forget_token", 2),
        ("ledger.release", 2),
        ("ledger.remember_taken", 3),
        ("ledger.accept_taken", 3),
        ("ledger.make_plan", 3),
        ("ledger.approve_plan", 3),
    ];
    for (number, (name, at)) in points.iter().enumerate() {
        let own = life_of.iter().find(|(start, _)| name.starts_with(start)).map(|(_, life)| *life);
        shares[own.unwrap_or(4 + number % LIVES)].insert(name.clone(), *at);
    }
    shares
}

/// Tries all points once; those that were not reached at their passing are left.
async fn tried(seed: u64, points: &Points, server: Store) -> Points {
    let mut running = tokio::task::JoinSet::new();
    let mut tokens = None;
    for (number, points) in share(points).into_iter().enumerate().filter(|(_, points)| !points.is_empty()) {
        let seed = seed + number as u64;
        match number {
            0 => running.spawn(beginning(points, server)),
            1 => running.spawn(counter(seed, points, server)),
            2 => {
                tokens = Some(points);
                continue;
            }
            3 => running.spawn(decisions(seed, points, server)),
            _ => running.spawn(life(seed, points, server)),
        };
    }
    let mut left = match tokens {
        // In this task: a round of the library does not move between threads.
        Some(points) => Box::pin(refused(seed, points, server)).await,
        None => Points::new(),
    };
    while let Some(done) = running.join_next().await {
        left.extend(done.unwrap());
    }
    left
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_at_every_named_point_loses_nothing_and_doubles_nothing() {
    killed_everywhere(Run::of("points", 1, 1), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_a_kill_at_every_named_point_loses_nothing_and_doubles_nothing() {
    killed_everywhere(Run::on("points", "postgresql", 1, 1), Some(servers::postgres())).await;
}

/// Rounds without a new point after which the rest is out of reach.
const FRUITLESS_MAX: u64 = 3;

async fn killed_everywhere(run: Run, server: Store) {
    let others: &[&str] = if server.is_some() { &FILE_ONLY } else { &SERVER_ONLY };
    let is_of_other = |name: &String| others.iter().any(|start| name.starts_with(start));
    let (elsewhere, names): (Vec<String>, Vec<String>) = names().into_iter().partition(is_of_other);
    assert!(others.iter().all(|start| elsewhere.iter().any(|name| name.starts_with(start))), "{elsewhere:?}");
    assert!(names.len() >= POINTS_MIN, "{} points", names.len());
    let mut kills = 0;
    for round in 0..run.size {
        let mut chance = Chance(run.seed + round);
        let at = |chance: &mut Chance| if run.seed + round == 1 { 1 } else { 1 + chance.below(PASSINGS) };
        let points: Points = names.iter().map(|name| (name.clone(), at(&mut chance))).collect();
        let late = tried(run.seed + round, &points, server).await;
        // Not passed that often: at its first passing then.
        let first: Points = late.into_keys().map(|name| (name, 1)).collect();
        let mut left = first;
        // A point may have been passed by a process that another point then killed, or the work took another course this
        // time: again, until nothing new is reached for some rounds.
        let mut fruitless = 0;
        while !left.is_empty() && fruitless < FRUITLESS_MAX {
            eprintln!("again after {:?}: {:?}", run.elapsed(), left.keys());
            let after = tried(run.seed + round + fruitless, &left, server).await;
            fruitless = if after.len() < left.len() { 0 } else { fruitless + 1 };
            left = after;
        }
        assert!(left.is_empty(), "no script reaches these points: {:?}", left.keys());
        kills += names.len() as u64;
    }
    let figures = json!({"points": names.len(), "rounds": run.size});
    run.told(kills, &figures);
}
