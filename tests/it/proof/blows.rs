//! What else befalls a gateway in the middle of its work: the database dies under it, it is told to stop, or it is
//! suspended until another one has taken its work over. Nothing is lost, and nothing is created twice on a server that
//! would take everything twice.

use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::run::{Chance, Run};
use crate::cli::town::{free_address, signal, terminate};
use crate::kill::{
    DELIVERY, SEED, Stage, Undisturbed, compare, complete_with_stops, correct, end_of, gateway_with, office,
    undisturbed,
};
use crate::office::Office;
use crate::servers;

/// Blows of each kind in every run; `POSYANDU_PROOF_<FAMILY>` asks for more.
const DEATHS_EVERY_RUN: u64 = 3;
const STOPS_EVERY_RUN: u64 = 8;
const SUSPENDED_EVERY_RUN: u64 = 4;
/// Blows after which a run is let through, so that fresh ledgers are hit too.
const BLOWS_IN_A_ROW_MAX: u32 = 6;
/// So many blows in a hundred come at any moment of a run, the others when the server has stored so many resources more,
/// at most.
const BY_TIME_PERCENT: u64 = 25;
const WRITES_MAX: u64 = 200;
/// How late answers come, in milliseconds.
const LATE_MS: u64 = 30;
/// Suspensions from which on some must have hit a send that had begun.
const BLOWS_TELLING: u64 = 20;
/// Rounds side by side of suspended gateways, which mostly wait.
const SUSPENDED_LANES: usize = 3;
/// Longest time until a gateway that was told to stop has ended (faults.md, row 71).
const STOPS_WITHIN: Duration = Duration::from_secs(30);
/// Leases of a daemon that nobody prolongs are over after this, by the clock of the database.
const LEASE: Duration = Duration::from_secs(5);
/// The same in a configuration.
const SHORT_LEASES: &str =
    "concurrency = 4\nprobe_after_seconds = [0]\nonce_seconds = 60\nrequest_timeout_seconds = 2\nlease_seconds = 5";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    DatabaseDies,
    ToldToStop,
    Suspended,
}

/// Every answer comes late, so that something is always under way.
fn slower() -> Vec<Fault> {
    let late = Fault { delay_ms: Some(LATE_MS), ..Fault::at_calls(FaultKind::Delay, AppliesTo::Write, &[]) };
    vec![Fault { probability: Some(1.0), ..late }]
}

/// What was seen over rounds.
#[derive(Debug, Default)]
struct Seen {
    rounds: u64,
    blows: u64,
    /// A stop that came before the gateway listens to one, which is a kill.
    too_early: u64,
    /// Sends in doubt because of a blow.
    interrupted: u64,
    longest_stop: Duration,
}

/// Waits for the moment; false when the child ended before.
async fn until(child: &mut Child, is_the_moment: impl Fn() -> bool) -> bool {
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if is_the_moment() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// How much the server was made to store.
fn writes(office: &Office) -> u64 {
    let stats = office.simulator.stats();
    stats.creates + stats.updates
}

/// Lets a gateway run and strikes: at any moment, or more often while visits are sent. Gives whether it was still at
/// work.
async fn struck(office: &Office, blow: Blow, took: Duration, chance: &mut Chance, seen: &Mutex<Seen>) -> bool {
    let by_time = chance.percent(BY_TIME_PERCENT);
    // Where nothing is left to send, the moment comes all the same.
    let wait = if by_time { chance.moment(took) } else { took * 2 };
    let enough = writes(office) + chance.below(WRITES_MAX);
    let folder = office.folder.path();
    let arguments: &[&str] = if blow == Blow::ToldToStop { &["run"] } else { &["run", "--once"] };
    let listen = [("POSYANDU_GATEWAY__HTTP__LISTEN", free_address())];
    let mut child = gateway_with(folder, arguments, &listen);
    let started = Instant::now();
    let is_the_moment = || started.elapsed() >= wait || (!by_time && writes(office) > enough);
    let is_at_work = until(&mut child, is_the_moment).await;
    let told = Instant::now();
    if is_at_work {
        match blow {
            Blow::DatabaseDies => {
                let server = office.database.as_ref().unwrap().server;
                let again = move || {
                    server.crash();
                    server.start();
                };
                spawn_blocking(again).await.unwrap();
            }
            Blow::ToldToStop => terminate(&child),
            Blow::Suspended => {
                signal(&child, "-STOP");
                // In truth: only the database's clock says when a lease is over.
                tokio::time::sleep(LEASE).await;
                let other = gateway_with(folder, &["run", "--once"], &[]);
                let (code, said) = spawn_blocking(move || end_of(other)).await.unwrap();
                assert!(matches!(code, Some(0 | 1 | 3)), "exit {code:?}: {said}");
                signal(&child, "-CONT");
            }
        }
    }
    let (code, said) = spawn_blocking(move || end_of(child)).await.unwrap();
    let mut seen = seen.lock().unwrap();
    match code {
        Some(0 | 1 | 3) => seen.blows += u64::from(is_at_work),
        None if blow == Blow::ToldToStop => seen.too_early += 1,
        _ => panic!("{blow:?}, exit {code:?}: {said}"),
    }
    if blow == Blow::ToldToStop {
        seen.longest_stop = seen.longest_stop.max(told.elapsed());
        assert!(told.elapsed() < STOPS_WITHIN, "{:?}", told.elapsed());
    }
    is_at_work
}

/// One life of a ledger: struck until it gets through, then let through and compared; the same with corrections.
async fn round(reference: &Undisturbed, blow: Blow, stage: Stage, chance: &mut Chance, seen: &Mutex<Seen>) {
    let office = office(slower(), chance.next(), Some(&reference.storage), stage).await;
    for (corrections, end) in reference.ends.iter().enumerate() {
        if corrections > 0 {
            correct(&office).await;
        }
        for _ in 0..BLOWS_IN_A_ROW_MAX {
            if !struck(&office, blow, end.took, chance, seen).await {
                break;
            }
        }
        complete_with_stops(&office).await;
        let hits = compare(&office, end, corrections > 0).await;
        seen.lock().unwrap().interrupted += hits.interrupted;
    }
    seen.lock().unwrap().rounds += 1;
}

/// Rounds on each of the stages until there were as many blows as wanted.
async fn befallen(run: Run, blow: Blow, stages: Vec<Stage>) {
    let folder = tempfile::tempdir().unwrap();
    let reference = Arc::new(undisturbed(folder.path(), stages[0]).await);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let mut lanes = tokio::task::JoinSet::new();
    for (lane, stage) in stages.into_iter().enumerate() {
        let (reference, seen, size) = (Arc::clone(&reference), Arc::clone(&seen), run.size);
        // Far apart: the numbers of one lane must not be those of another run.
        let mut chance = Chance(run.seed.wrapping_mul(SUSPENDED_LANES as u64).wrapping_add(lane as u64) << 32);
        lanes.spawn(async move {
            while seen.lock().unwrap().blows < size {
                round(&reference, blow, stage, &mut chance, &seen).await;
            }
        });
    }
    while let Some(done) = lanes.join_next().await {
        done.unwrap();
    }
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    // The others need not leave any: what is under way is finished, or ended when the database is there again.
    let must_hit = blow == Blow::Suspended && seen.blows >= BLOWS_TELLING;
    assert!(!must_hit || seen.interrupted > 0, "no blow hit a send that had begun: {seen:?}");
    let figures = json!({
        "rounds": seen.rounds, "interrupted": seen.interrupted, "too_early": seen.too_early,
        "longest_stop_ms": u64::try_from(seen.longest_stop.as_millis()).unwrap(),
    });
    run.told(seen.blows, &figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_dies_at_any_moment_loses_nothing_and_doubles_nothing() {
    let stage = Stage { server: Some(servers::postgres_of_its_own()), delivery: DELIVERY };
    let run = Run::on("database", "postgresql", DEATHS_EVERY_RUN, SEED);
    befallen(run, Blow::DatabaseDies, vec![stage]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_moment_is_obeyed_and_loses_nothing_and_doubles_nothing() {
    let stage = Stage { server: None, delivery: DELIVERY };
    befallen(Run::of("stops", STOPS_EVERY_RUN, SEED), Blow::ToldToStop, vec![stage; 2]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_wakes_after_its_work_was_taken_over_doubles_nothing() {
    let stage = Stage { server: Some(servers::postgres()), delivery: SHORT_LEASES };
    let run = Run::on("suspended", "postgresql", SUSPENDED_EVERY_RUN, SEED);
    befallen(run, Blow::Suspended, vec![stage; SUSPENDED_LANES]).await;
}
