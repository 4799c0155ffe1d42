//! kill -9 at any moment of a run, again and again: nothing is lost and nothing is created twice, on a server that
//! would take everything twice.

// The seed and the figures of a run are its evidence.
#![allow(clippy::print_stderr)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::reading::Counts;
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::spawn_blocking;

use super::office::{Books, Office, Setting, agree, copy};
use super::proof::run::{Chance, Run};
use super::servers::{self, Server};

/// Kills in every run of this test, at least; `POSYANDU_PROOF_KILLS` asks for more.
const KILLS_EVERY_RUN: u64 = 60;
/// The same with the ledger on a server.
const KILLS_EVERY_RUN_ON_SERVER: u64 = 10;
/// Kills after which a run is let through, so that fresh ledgers are hit too.
const KILLS_IN_A_ROW_MAX: u32 = 10;
/// Rows of each source: a round is short, so that many moments of it are hit.
const ROWS: usize = 14;
/// Chance may need more kills until everything was met: so many times the size, at most.
const SIZES_MAX: u64 = 5;
/// What a gateway says that waits before it asks for a token once more.
const TOKEN_WAIT: &str = "tokens were asked for just now";
/// Rounds side by side.
const LANES: u64 = 2;
/// Seed of the moments and of the server.
pub const SEED: u64 = 20_261_118;
/// Runs of a round after the last kill; one is enough unless time has to pass.
const RUNS_TO_END_MAX: u32 = 20;

pub const DELIVERY: &str = "concurrency = 4\nprobe_after_seconds = [0]\nonce_seconds = 60";

/// Where rounds take place.
#[derive(Clone, Copy)]
pub struct Stage {
    /// The PostgreSQL that holds the ledger; without one it is a file.
    pub server: Option<&'static Server>,
    /// Content of `[delivery]`.
    pub delivery: &'static str,
}

/// Kills that hit a visit on its way.
#[derive(Debug, Default)]
pub struct Hits {
    /// Sends that had begun when their process was killed.
    pub interrupted: u64,
    /// Of those, found at the server with equal content.
    found_equal: u64,
    /// Of those, found absent, as a whole or in part, and sent again.
    not_found: u64,
}

impl Hits {
    fn add(&mut self, other: &Self) {
        self.interrupted += other.interrupted;
        self.found_equal += other.found_equal;
        self.not_found += other.not_found;
    }

    fn all_met(&self) -> bool {
        self.interrupted > 0 && self.found_equal > 0 && self.not_found > 0
    }

    /// A green run must have met what it is about.
    fn assert_all_met(&self) {
        assert!(self.interrupted > 0, "no kill hit a send that had begun: {self:?}");
        assert!(self.found_equal > 0, "no interrupted send was found at the server: {self:?}");
        assert!(self.not_found > 0, "no interrupted send was found to be absent: {self:?}");
    }
}

/// Whether so many kills must have met every case: a handful may miss one by chance.
fn must_meet(size: u64) -> bool {
    size >= KILLS_EVERY_RUN
}

/// What was seen over rounds.
#[derive(Debug, Default)]
struct Seen {
    rounds: u32,
    runs: u32,
    kills: u32,
    first_sends: Hits,
    corrections: Hits,
    set_aside: u64,
    token_calls: u64,
}

impl Seen {
    /// As many kills as wanted, and each case met; or as many more as chance is given.
    fn is_enough(&self, size: u64) -> bool {
        let kills = u64::from(self.kills);
        let met = self.first_sends.all_met() && self.corrections.all_met();
        (kills >= size && (met || !must_meet(size))) || kills >= size * SIZES_MAX
    }

    fn add(&mut self, other: &Self) {
        self.rounds += other.rounds;
        self.runs += other.runs;
        self.kills += other.kills;
        self.first_sends.add(&other.first_sends);
        self.corrections.add(&other.corrections);
        self.set_aside += other.set_aside;
        self.token_calls += other.token_calls;
    }
}

pub fn gateway(folder: &Path, arguments: &[&str]) -> Child {
    gateway_with(folder, arguments, &[])
}

/// The same with settings from the environment.
pub fn gateway_with(folder: &Path, arguments: &[&str], settings: &[(&str, String)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"))
        .args(arguments)
        .envs(settings.iter().cloned())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the end; the exit code and what was said.
pub fn end_of(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Some answers come late, before or after the write; others trickle, so that kills hit what is between. An update is
/// the last call of a correction: where it is held, a kill finds the whole at the server, however slow the machine.
pub fn slow() -> Vec<Fault> {
    let fault = |kind, chance, milliseconds, bytes| Fault {
        probability: Some(chance),
        delay_ms: Some(milliseconds),
        bytes: Some(bytes),
        ..Fault::at_calls(kind, AppliesTo::Write, &[])
    };
    let held = Fault { method: Some("PUT".to_owned()), ..fault(FaultKind::HeldAfterCommit, 1.0, 60, 1) };
    vec![held, fault(FaultKind::Slow, 0.5, 5, 400), fault(FaultKind::Delay, 1.0, 4, 1)]
}

/// A short day of the city.
pub async fn office(faults: Vec<Fault>, seed: u64, storage: Option<&Path>, stage: Stage) -> Office {
    let setting = Setting {
        duplicate_check: false,
        faults,
        seed,
        clock: Clock::System,
        delivery: stage.delivery,
        server: stage.server,
        ..Setting::default()
    };
    let office = Office::open(setting, storage).await;
    office.shorten(ROWS).await;
    office
}

/// How a day ends when nobody disturbs it.
pub struct End {
    held: BTreeMap<String, String>,
    counts: Counts,
    pub took: Duration,
}

/// What every round is compared with.
pub struct Undisturbed {
    /// Keys and an empty ledger that all rounds start from: the same keys give the same identifiers.
    pub storage: PathBuf,
    /// After the first run, and after the corrections.
    pub ends: [End; 2],
}

/// Corrects what was sent: another weight and one more dose for each child of a source.
pub async fn correct(office: &Office) {
    let path = office.folder.path().join("puskesmas-timur-aplikasi.sqlite");
    let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    for statement in [
        "UPDATE penimbangans SET berat_badan = round(berat_badan + 0.1, 1)",
        "INSERT INTO imunisasis (balita_id, tanggal, jenis_vaksin, dosis, status, pelapor, nomor_batch, kedaluwarsa,
            petugas, created_at, updated_at) SELECT balita_id, tanggal, 'PCV', 3, 'diberikan', 'nakes', 'PC2434A',
            '2027-06-28', 'Bidan Rekaan', '2026-11-18 06:00:00', '2026-11-18 06:00:00' FROM penimbangans
            WHERE balita_id NOT IN (SELECT balita_id FROM imunisasis WHERE jenis_vaksin = 'PCV')",
    ] {
        sqlx::raw_sql(statement).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
}

async fn run_ending(office: &Office, codes: &[i32]) -> Duration {
    office.rest().await;
    let at = office.folder.path().to_owned();
    let started = Instant::now();
    let (code, said) = spawn_blocking(move || end_of(gateway(&at, &["run", "--once"]))).await.unwrap();
    assert!(code.is_some_and(|code| codes.contains(&code)), "exit {code:?}: {said}");
    started.elapsed()
}

pub async fn undisturbed(folder: &Path, stage: Stage) -> Undisturbed {
    let storage = folder.join("storage");
    let first = office(slow(), SEED, None, stage).await;
    let at = first.folder.path().to_owned();
    let made = spawn_blocking(move || end_of(gateway(&at, &["init"]))).await.unwrap();
    assert_eq!(made.0, Some(0), "{}", made.1);
    copy(&first.folder.path().join("posyandu-data"), &storage);
    let day = run_ending(&first, &[0, 1]).await;
    let day = end(&first, day).await;
    correct(&first).await;
    let creates = first.simulator.stats().creates;
    let corrections = run_ending(&first, &[0, 1]).await;
    let corrections = end(&first, corrections).await;
    let stats = first.simulator.stats();
    assert!(stats.updates > 0 && stats.creates > creates, "the corrections changed nothing: {stats:?}");
    Undisturbed { storage, ends: [day, corrections] }
}

async fn end(office: &Office, took: Duration) -> End {
    let books = Books::read(&office.ledger().await).await;
    agree(office, &books);
    assert_eq!(books.waits(), 0);
    assert!(books.delivered.len() > ROWS, "the sample's day must have begun: {} visits", books.delivered.len());
    End { held: office.contents(), counts: books.counts, took }
}

/// One life of a ledger: killed until it gets through, then let through and compared; the same with corrections.
async fn round(reference: &Undisturbed, stage: Stage, chance: &mut Chance) -> Seen {
    let office = office(slow(), chance.next(), Some(&reference.storage), stage).await;
    let mut seen = Seen { rounds: 1, ..Seen::default() };
    for (corrections, end) in reference.ends.iter().enumerate() {
        if corrections > 0 {
            correct(&office).await;
        }
        kill_until_it_gets_through(&office, end.took, chance, &mut seen).await;
        seen.set_aside += complete(&office).await;
        let hits = compare(&office, end, corrections > 0).await;
        let sum = if corrections > 0 { &mut seen.corrections } else { &mut seen.first_sends };
        sum.add(&hits);
    }
    seen.token_calls = office.simulator.stats().token_calls;
    seen
}

async fn kill_until_it_gets_through(office: &Office, took: Duration, chance: &mut Chance, seen: &mut Seen) {
    for _ in 0..KILLS_IN_A_ROW_MAX {
        let wait = chance.moment(took);
        let at = office.folder.path().to_owned();
        let ended = spawn_blocking(move || {
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
            None => {
                seen.kills += 1;
                office.outlast_leases().await;
            }
            Some((code, said)) => {
                // Killed again and again while it asks for a token, it waits before it asks once more.
                let waits = code == Some(3) && said.contains(TOKEN_WAIT);
                assert!(waits || matches!(code, Some(0 | 1)), "exit {code:?}: {said}");
                return;
            }
        }
    }
}

/// Runs until nothing waits; gives how many visits the process had died over three times, and were sent nevertheless.
pub async fn complete(office: &Office) -> u64 {
    complete_ending(office, &[0, 1]).await
}

/// Where the server's faults may stop a lane: such a run ends with 3, and the lane goes on when it has rested.
pub async fn complete_with_stops(office: &Office) {
    complete_ending(office, &[0, 1, 3]).await;
}

async fn complete_ending(office: &Office, codes: &[i32]) -> u64 {
    let mut set_aside = 0;
    for _ in 0..RUNS_TO_END_MAX {
        run_ending(office, codes).await;
        let retried = office.retry_what_died_three_times().await;
        set_aside += retried;
        if retried == 0 && Books::read(&office.ledger().await).await.waits() == 0 {
            return set_aside;
        }
    }
    panic!("visits still wait after {RUNS_TO_END_MAX} runs");
}

/// The ledger and the server are where they are without trouble.
pub async fn compare(office: &Office, end: &End, corrections: bool) -> Hits {
    let mut hits = Hits::default();
    let ledger = office.ledger().await;
    let books = Books::read(&ledger).await;
    agree(office, &books);
    assert_eq!(books.counts, end.counts, "rows ended elsewhere than without kills");
    assert!(office.contents() == end.held, "the server holds something else than without kills");
    for line in books.lines.iter().filter(|line| !corrections || line.version > 1) {
        let story = ledger.story(line.entry_id).await.unwrap();
        let ends = story.attempts.iter().filter_map(|attempt| attempt.end.as_ref());
        let interrupted = ends.filter(|end| end.outcome == "interrupted").count() as u64;
        if interrupted > 0 {
            let count = |wanted: fn(&Event) -> bool| {
                story.events.iter().filter(|line| line.event.as_ref().is_some_and(wanted)).count() as u64
            };
            hits.interrupted += interrupted;
            hits.found_equal += count(|event| matches!(event, Event::FoundEqual));
            hits.not_found += count(|event| matches!(event, Event::NotFound { .. }));
        }
    }
    hits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_nothing_and_create_nothing_twice() {
    let stage = Stage { server: None, delivery: DELIVERY };
    killed(Run::of("kills", KILLS_EVERY_RUN, SEED), stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_kills_at_any_moment_lose_nothing_and_create_nothing_twice() {
    let stage = Stage { server: Some(servers::postgres()), delivery: DELIVERY };
    killed(Run::on("kills", "postgresql", KILLS_EVERY_RUN_ON_SERVER, SEED), stage).await;
}

async fn killed(run: Run, stage: Stage) {
    let folder = tempfile::tempdir().unwrap();
    let reference = std::sync::Arc::new(undisturbed(folder.path(), stage).await);
    for end in &reference.ends {
        eprintln!("undisturbed: {:?}, {} resources", end.took, end.held.len());
    }
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Seen::default()));
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (reference, seen) = (std::sync::Arc::clone(&reference), std::sync::Arc::clone(&seen));
            // Far apart: the numbers of one lane must not be those of another run.
            let mut chance = Chance(run.seed.wrapping_mul(LANES).wrapping_add(lane) << 32);
            tokio::spawn(async move {
                while !seen.lock().unwrap().is_enough(run.size) {
                    let round = round(&reference, stage, &mut chance).await;
                    seen.lock().unwrap().add(&round);
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.unwrap();
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    assert!(u64::from(seen.kills) >= run.size, "{seen:?}");
    if must_meet(run.size) {
        seen.first_sends.assert_all_met();
        seen.corrections.assert_all_met();
    }
    let hits =
        |hits: &Hits| json!({"interrupted": hits.interrupted, "found": hits.found_equal, "absent": hits.not_found});
    let figures = json!({
        "rounds": seen.rounds, "runs": seen.runs, "first_sends": hits(&seen.first_sends),
        "corrections": hits(&seen.corrections), "token_calls": seen.token_calls, "set_aside": seen.set_aside,
    });
    run.told(u64::from(seen.kills), &figures);
}
