//! kill -9 at any moment of a run, again and again: nothing is lost and nothing is created twice, on a server that
//! would take everything twice.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::reading::Counts;
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};

use super::office::{Books, Office, Setting, agree, copy};

/// Kills in one run of this test, at least.
const KILLS_MIN: u32 = 200;
/// Kills after which a round is let through, so that fresh ledgers are hit too.
const KILLS_IN_ROUND_MAX: u32 = 12;
/// Rows of each source: a round is short, so that many moments of it are hit.
const ROWS: usize = 36;
/// Rounds side by side.
const LANES: u64 = 2;
/// Seed of the moments and of the server.
const SEED: u64 = 20_261_118;
/// Runs of a round after the last kill; one is enough unless time has to pass.
const RUNS_TO_END_MAX: u32 = 20;

const DELIVERY: &str = "concurrency = 4\nprobe_after_seconds = [0]\nonce_seconds = 60";

/// Random numbers that the seed alone decides (SplitMix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A moment between the start and `end`.
    fn moment(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.next() % u64::try_from(end.as_micros()).unwrap().max(1))
    }
}

/// What was seen over all rounds of a lane.
#[derive(Debug, Default)]
struct Seen {
    rounds: u32,
    kills: u32,
    /// Sends that had begun and whose process was killed.
    interrupted: u64,
    /// Of those, found at the server with equal content.
    found_equal: u64,
    /// Of those, found absent and sent again.
    not_found: u64,
    token_calls: u64,
    runs: u32,
}

impl Seen {
    fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.kills += other.kills;
        self.interrupted += other.interrupted;
        self.found_equal += other.found_equal;
        self.not_found += other.not_found;
        self.token_calls += other.token_calls;
        self.runs += other.runs;
    }
}

fn gateway(folder: &Path, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the end; the exit code and what was said.
fn end_of(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Some answers come late, before or after the write; others trickle, so that kills hit what is between.
fn slow() -> Vec<Fault> {
    let fault = |kind, chance, milliseconds, bytes| Fault {
        probability: Some(chance),
        delay_ms: Some(milliseconds),
        bytes: Some(bytes),
        ..Fault::at_calls(kind, AppliesTo::Write, &[])
    };
    vec![fault(FaultKind::Slow, 0.5, 5, 400), fault(FaultKind::Delay, 1.0, 4, 1)]
}

async fn office(faults: Vec<Fault>, seed: u64, storage: Option<&Path>) -> Office {
    let setting = Setting {
        duplicate_check: false,
        faults,
        seed,
        clock: Clock::System,
        delivery: DELIVERY,
        ..Setting::default()
    };
    let office = Office::open(setting, storage).await;
    office.shorten(ROWS).await;
    office
}

/// How the city ends when nobody disturbs it.
struct Undisturbed {
    /// Keys and an empty ledger that all rounds start from: the same keys give the same identifiers.
    storage: PathBuf,
    held: std::collections::BTreeMap<String, String>,
    counts: Counts,
    took: Duration,
}

async fn undisturbed(folder: &Path) -> Undisturbed {
    let storage = folder.join("storage");
    let first = office(slow(), SEED, None).await;
    let at = first.folder.path().to_owned();
    let made = tokio::task::spawn_blocking(move || end_of(gateway(&at, &["init"]))).await.unwrap();
    assert_eq!(made.0, Some(0), "{}", made.1);
    copy(&first.folder.path().join("posyandu-data"), &storage);
    let at = first.folder.path().to_owned();
    let started = Instant::now();
    let run = tokio::task::spawn_blocking(move || end_of(gateway(&at, &["run", "--once"]))).await.unwrap();
    let took = started.elapsed();
    assert!(matches!(run.0, Some(0 | 1)), "{}", run.1);
    let books = Books::read(&first.ledger().await).await;
    agree(&first, &books);
    assert_eq!(books.waits(), 0);
    assert!(books.delivered.len() > ROWS, "the sample's day must have begun: {} visits", books.delivered.len());
    Undisturbed { storage, held: first.contents(), counts: books.counts, took }
}

/// One life of a ledger: killed until it gets through, then let through and compared.
async fn round(reference: &Undisturbed, chance: &mut Chance) -> Seen {
    let office = office(slow(), chance.next(), Some(&reference.storage)).await;
    let mut seen = Seen { rounds: 1, ..Seen::default() };
    while seen.kills < KILLS_IN_ROUND_MAX {
        let wait = chance.moment(reference.took);
        let at = office.folder.path().to_owned();
        let ended = tokio::task::spawn_blocking(move || {
            let mut child = gateway(&at, &["run", "--once"]);
            let started = Instant::now();
            while started.elapsed() < wait {
                if child.try_wait().unwrap().is_some() {
                    return Some(end_of(child));
                }
                std::thread::sleep(Duration::from_millis(1).min(wait.saturating_sub(started.elapsed())));
            }
            // SIGKILL: the process gets no chance to do anything.
            child.kill().unwrap();
            let (code, said) = end_of(child);
            code.map(|code| (Some(code), said))
        })
        .await
        .unwrap();
        seen.runs += 1;
        match ended {
            None => seen.kills += 1,
            Some((code, said)) => {
                assert!(matches!(code, Some(0 | 1)), "exit {code:?}: {said}");
                break;
            }
        }
    }
    complete(&office).await;
    compare(&office, reference, &mut seen).await;
    seen
}

async fn complete(office: &Office) {
    for _ in 0..RUNS_TO_END_MAX {
        let at = office.folder.path().to_owned();
        let (code, said) = tokio::task::spawn_blocking(move || end_of(gateway(&at, &["run", "--once"]))).await.unwrap();
        assert!(matches!(code, Some(0 | 1)), "exit {code:?}: {said}");
        if Books::read(&office.ledger().await).await.waits() == 0 {
            return;
        }
    }
    panic!("visits still wait after {RUNS_TO_END_MAX} runs");
}

async fn compare(office: &Office, reference: &Undisturbed, seen: &mut Seen) {
    let ledger = office.ledger().await;
    let books = Books::read(&ledger).await;
    agree(office, &books);
    assert_eq!(books.counts, reference.counts, "rows ended elsewhere than without kills");
    assert!(office.contents() == reference.held, "the server holds something else than without kills");
    seen.token_calls += office.simulator.stats().token_calls;
    for line in &books.lines {
        let story = ledger.story(line.entry_id).await.unwrap();
        let ends = story.attempts.iter().filter_map(|attempt| attempt.end.as_ref());
        let interrupted = ends.filter(|end| end.outcome == "interrupted").count() as u64;
        seen.interrupted += interrupted;
        if interrupted > 0 {
            let count = |wanted: fn(&Event) -> bool| {
                story.events.iter().filter(|line| line.event.as_ref().is_some_and(wanted)).count() as u64
            };
            seen.found_equal += count(|event| matches!(event, Event::FoundEqual));
            seen.not_found += count(|event| matches!(event, Event::NotFound { .. }));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_nothing_and_create_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let reference = std::sync::Arc::new(undisturbed(folder.path()).await);
    eprintln!("seed {SEED}; undisturbed: {:?}, {} resources", reference.took, reference.held.len());
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let reference = std::sync::Arc::clone(&reference);
            tokio::spawn(async move {
                let mut chance = Chance(SEED + lane);
                let mut seen = Seen::default();
                while seen.kills < KILLS_MIN.div_ceil(u32::try_from(LANES).unwrap()) {
                    seen.add(&round(&reference, &mut chance).await);
                }
                seen
            })
        })
        .collect();
    let mut seen = Seen::default();
    for lane in lanes {
        seen.add(&lane.await.unwrap());
    }
    eprintln!("{seen:?} in {:?}", started.elapsed());
    assert!(seen.kills >= KILLS_MIN, "{seen:?}");
    // A green run must have met what it is about.
    assert!(seen.interrupted > 0, "no kill hit a send that had begun: {seen:?}");
    assert!(seen.found_equal > 0, "no interrupted send was found at the server: {seen:?}");
    assert!(seen.not_found > 0, "no interrupted send was found to be absent: {seen:?}");
}
