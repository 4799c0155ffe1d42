//! The whole gateway on a clock that only the test moves: seeds decide which calls fail and how, when the process
//! stops, when the clock jumps, and what people correct meanwhile. When the faults are over, everything must agree.
//!
//! What the seed decides: faults by the number of the call, the moment of a stop by the number of ledger commits, all
//! times, all corrections. What it does not: in which order the sockets of three lanes and the database's own thread
//! become ready. So a seed repeats its plan exactly, and its course nearly always, not certainly.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::json;
use tokio::runtime::Runtime;

use super::rate;
use super::run::{Chance, Run};
use crate::office::{AFTERNOON, Books, Office, Setting, agree, sound};

/// The sample's calls a minute, and those of the seeds.
const SAMPLE_PACE: &str = "requests_per_minute = 60000\n";
const PACES: [u32; 4] = [20, 60, 600, 60_000];
/// Seeds of every run.
const SEEDS_EVERY_RUN: u64 = 12;
/// Lines of the export's head.
const HEAD: u64 = 4;
/// A fresh correction is delivered within this time when nothing fails any more (faults.md, 4.3).
const LIVELY: SignedDuration = SignedDuration::from_secs(60);
/// One after the other, so that the course depends on the seed as far as possible.
const DELIVERY: &str = "concurrency = 1\nprobe_after_seconds = [1, 30]\nonce_seconds = 0";
/// Times that something is repeated because a late fault struck it, at most: no plan has more faults.
const REPEATS_MAX: u32 = 50;
/// From this many seeds on each one of [`SOMETIMES`] must have been seen.
const SEEDS_TO_MEET_ALL: u64 = 60;
/// The first of [`SOMETIMES`], which a run of every day must have seen as well.
const ALWAYS: usize = 9;
/// What a run must have gone through somewhere, or it proves nothing: events, ends of attempts, classes of answers.
const SOMETIMES: [&str; 18] = [
    "accepted",
    "found_equal",
    "not_found",
    "no_answer",
    "still_unknown",
    "stopped",
    "correction",
    "released",
    "lease_expired before the send",
    "lease_expired after the send had begun",
    "claimed",
    "deferred",
    "newer version",
    "attempt interrupted",
    "class unknown",
    "class throttled",
    "class accepted",
    "clock set back",
];

const KINDS: [FaultKind; 12] = [
    FaultKind::TooManyRequests,
    FaultKind::Quota500,
    FaultKind::Unavailable,
    FaultKind::ServerErrorBeforeCommit,
    FaultKind::ServerErrorAfterCommit,
    FaultKind::DroppedAnswer,
    FaultKind::DroppedBefore,
    FaultKind::CutAfterBytes,
    FaultKind::ExpiredToken,
    FaultKind::HtmlPage,
    FaultKind::ConsentSuppressed,
    FaultKind::Delay,
];

/// What was gone through, and how often.
type Seen = BTreeMap<String, u64>;

fn note(seen: &mut Seen, what: impl Into<String>) {
    *seen.entry(what.into()).or_default() += 1;
}

/// Single strikes, each at one call, and an outage over some calls. They end by themselves.
fn faults(chance: &mut Chance) -> Vec<Fault> {
    let mut all = Vec::new();
    for _ in 0..2 + chance.below(8) {
        let kind = *chance.pick(&KINDS);
        let applies_to = *chance.pick(&[AppliesTo::Write, AppliesTo::Write, AppliesTo::Read, AppliesTo::Token]);
        let call = 1 + chance.below(if applies_to == AppliesTo::Token { 3 } else { 15 });
        let mut fault = Fault::at_calls(kind, applies_to, &[call]);
        fault.bytes = (kind == FaultKind::CutAfterBytes).then(|| usize::try_from(chance.below(3_000)).unwrap());
        // A request that takes a minute, or ten hours: the machine slept meanwhile and its lease ran out.
        fault.delay_ms = (kind == FaultKind::Delay).then(|| *chance.pick(&[60_000, 36_000_000]));
        all.push(fault);
    }
    if chance.percent(40) {
        let from = 1 + chance.below(20);
        let calls: Vec<u64> = (from..from + 1 + chance.below(25)).collect();
        let kind = *chance.pick(&[FaultKind::Unavailable, FaultKind::DroppedBefore, FaultKind::DroppedAnswer]);
        all.push(Fault::at_calls(kind, AppliesTo::Any, &calls));
    }
    all
}

/// One puskesmas hands in alone: then nothing but the seed decides the order of the calls.
pub fn alone(folder: &Path) {
    let file = folder.join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (kept, rest) = text.split_once("[[source]]\nname = \"tengah\"").unwrap();
    let delivery = rest.find("\n[delivery]").map(|at| &rest[at..]).unwrap();
    std::fs::write(&file, format!("{kept}{delivery}")).unwrap();
}

/// Lets every puskesmas make so many calls a minute.
pub fn pace(folder: &Path, per_minute: u32) {
    let file = folder.join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(SAMPLE_PACE), "the sample's configuration looks otherwise now");
    std::fs::write(&file, text.replace(SAMPLE_PACE, &format!("requests_per_minute = {per_minute}\n"))).unwrap();
}

/// The gateway of a seed: its server lives on, itself stops now and then.
struct World {
    office: Office,
    /// Where the server runs; it is never stopped.
    server: Runtime,
    /// Calls a minute that each puskesmas may make.
    per_minute: u32,
    chance: Chance,
    seen: Seen,
}

/// A life of the gateway: everything in it is gone when its runtime is dropped.
fn single() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Done when the ledger has committed so often, and the tasks have had some more turns.
async fn stop(daemon: &Daemon, commits: u64, turns: u64) {
    while daemon.ledger.commits() < commits {
        tokio::time::sleep(Duration::from_micros(50)).await;
    }
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}

impl World {
    fn new(seed: u64, storage: &Path) -> Self {
        let mut chance = Chance(seed);
        // Of its own chance, so that older seeds keep their plans.
        let per_minute = *Chance(!seed).pick(&PACES);
        let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let setting = Setting {
            duplicate_check: chance.percent(30),
            faults: faults(&mut chance),
            seed,
            clock: Clock::manual(AFTERNOON.parse().unwrap()),
            delivery: DELIVERY,
            index_lag_seconds: if chance.percent(30) { 20 } else { 0 },
            ..Setting::default()
        };
        let office = server.block_on(async {
            let office = Office::open(setting, Some(storage)).await;
            office.shorten(usize::try_from(HEAD + 3 + chance.below(6)).unwrap()).await;
            if chance.percent(70) {
                alone(office.folder.path());
            }
            pace(office.folder.path(), per_minute);
            office
        });
        Self { office, server, per_minute, chance, seen: Seen::new() }
    }

    /// One life: rounds, pauses and corrections until it stops, or `None` when it lived to its end.
    fn live(&mut self, rules: Rules, may_stop: bool) -> (Rules, bool) {
        let runtime = single();
        let daemon = runtime.block_on(self.office.daemon_with(rules));
        let mut stopped = false;
        for _ in 0..2 + self.chance.below(4) {
            let at = daemon.ledger.commits() + 1 + self.chance.below(20);
            let turns = self.chance.below(40);
            let stops = may_stop && self.chance.percent(35);
            stopped = runtime.block_on(async {
                tokio::select! {
                    biased;
                    () = stop(&daemon, at, turns), if stops => true,
                    round = Box::pin(daemon.once(&|_| {})) => { round.unwrap(); false }
                }
            });
            if stopped {
                note(&mut self.seen, "stopped");
                break;
            }
            self.pause();
        }
        // All tasks end where they stand. The database's own thread may still finish what it was told to do.
        drop(runtime);
        let Daemon { rules, ledger, .. } = daemon;
        drop(ledger);
        let after = single();
        after.block_on(async {
            sound(&self.office, &Books::read(&self.office.ledger().await).await);
        });
        (rules, stopped)
    }

    /// Time passes, clocks are set, people correct.
    fn pause(&mut self) {
        let seconds = *self.chance.pick(&[1, 30, 60, 600, 3_600, 6 * 3_600]);
        self.office.clock.advance(Duration::from_secs(seconds));
        let day = SignedDuration::from_hours(24);
        match self.chance.below(12) {
            0 => self.set_clock(day),
            1 => {
                self.set_clock(-day);
                note(&mut self.seen, "clock set back");
            }
            2..=5 => self.correct(),
            _ => {}
        }
    }

    fn set_clock(&self, by: SignedDuration) {
        let clock = &self.office.clock;
        clock.set(clock.now().checked_add(by).unwrap());
    }

    /// Another digit behind the comma of a weight.
    fn correct(&mut self) {
        let path = self.office.folder.path().join("puskesmas-utara-eppgbm.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        let rows = lines.len() as u64 - HEAD;
        let at = usize::try_from(HEAD + self.chance.below(rows)).unwrap();
        let mut cells: Vec<String> = lines[at].split(';').map(str::to_owned).collect();
        let Some((kilos, _)) = cells[19].split_once(',') else { return };
        cells[19] = format!("{kilos},{}", self.chance.below(10));
        lines[at] = cells.join(";");
        std::fs::write(path, lines.concat()).unwrap();
        note(&mut self.seen, "correction");
    }

    /// The faults are over: what waits is delivered, everything agrees, and something new is delivered soon.
    fn end(&mut self, rules: Rules) -> Rules {
        let runtime = single();
        let daemon = runtime.block_on(self.office.daemon_with(rules));
        runtime.block_on(async {
            Box::pin(self.office.settle(&daemon, 0)).await;
            self.fresh(&daemon).await;
            let books = Books::read(&daemon.ledger).await;
            agree(&self.office, &books);
            assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0);
            self.read_back(&daemon, &books).await;
            self.remember(&daemon, &books).await;
            rate::keeps_its_limits(&self.office.simulator.arrivals(), self.per_minute);
        });
        drop(runtime);
        daemon.rules
    }

    /// Faults of the plan that have met a call.
    fn struck(&self) -> u64 {
        self.office.simulator.stats().faults.values().sum()
    }

    /// Something new is delivered soon, once no fault of the plan is left that its calls could meet and the clock is right
    /// again: before their day visits are not sent.
    async fn fresh(&mut self, daemon: &Daemon) {
        self.office.clock.set(self.office.clock.now().max(AFTERNOON.parse().unwrap()));
        for _ in 0..REPEATS_MAX {
            self.correct();
            let (begun, faults) = (self.office.clock.now(), self.struck());
            Box::pin(self.office.settle(daemon, 0)).await;
            if self.struck() == faults {
                let took = self.office.clock.now().duration_since(begun);
                assert!(took <= LIVELY, "a fresh correction took {took}");
                return;
            }
        }
        panic!("the faults do not end");
    }

    /// What the ledger calls delivered is at the server as it was sent.
    async fn read_back(&self, daemon: &Daemon, books: &Books) {
        let lanes = daemon.lanes().unwrap();
        let reconciliation = daemon.reconciliation(&lanes).await;
        let resources: usize = books.delivered.iter().map(|entry| entry.resources.len()).sum();
        // A fault of the plan whose call had not come yet may strike a read; then all is read once more.
        for _ in 0..REPEATS_MAX {
            let (before, faults) = (self.office.clock.now() + SignedDuration::from_secs(1), self.struck());
            let read = Box::pin(reconciliation.read_back(None, before, &|_| {})).await.unwrap();
            assert_eq!((read.different, read.missing), (0, 0), "{read:?}");
            if read.equal == resources as u64 && read.failed == 0 {
                return;
            }
            // What is hidden without a fault is hidden for good.
            let is_hidden = read.hidden > 0 && self.struck() > faults;
            assert!(
                read.failed + read.untouched > 0 || !read.stopped.is_empty() || is_hidden,
                "{read:?} of {resources}"
            );
            self.office.clock.advance(Duration::from_secs(60));
        }
        panic!("the server does not recover");
    }

    async fn remember(&mut self, daemon: &Daemon, books: &Books) {
        for line in &books.lines {
            let story = daemon.ledger.story(line.entry_id).await.unwrap();
            let events: Vec<&Event> = story.events.iter().filter_map(|line| line.event.as_ref()).collect();
            let replayed = events.iter().try_fold(State::Pending, |state, event| state.after(event)).unwrap();
            assert_eq!(replayed, line.state, "the history must tell the state");
            if line.version > 1 {
                note(&mut self.seen, "newer version");
            }
            for event in events {
                note(
                    &mut self.seen,
                    match event {
                        Event::LeaseExpired { begun: true, .. } => "lease_expired after the send had begun",
                        Event::LeaseExpired { begun: false, .. } => "lease_expired before the send",
                        other => other.word(),
                    },
                );
            }
            for end in story.attempts.iter().filter_map(|attempt| attempt.end.as_ref()) {
                note(&mut self.seen, format!("class {}", end.class));
                // The server's own word for a child that came before its parent; no plan injects it.
                assert_ne!(end.class, "dependency", "{}", end.excerpt);
                if end.outcome == "interrupted" {
                    note(&mut self.seen, "attempt interrupted");
                }
            }
        }
    }
}

/// One seed from its morning to its end.
fn simulate(seed: u64, storage: &Path, mut rules: Rules) -> (Rules, Seen) {
    let mut world = World::new(seed, storage);
    let lives = 1 + world.chance.below(4);
    for _ in 0..lives {
        (rules, _) = world.live(rules, true);
    }
    rules = world.end(rules);
    let World { office, server, seen, .. } = world;
    server.block_on(async { drop(office) });
    (rules, seen)
}

/// The same keys for every seed, so that a seed makes the same identifiers again.
fn keys(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("keys/site.key");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("seal {}\nhash {}\n", "5e".repeat(32), "4a".repeat(32))).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_simulated_city_ends_in_agreement_whatever_happens() {
    let run = Run::of("simulation", SEEDS_EVERY_RUN, 1);
    let folder = tempfile::tempdir().unwrap();
    keys(folder.path());
    let mut rules = assets::rules_for_work(None).unwrap();
    let mut seen = Seen::new();
    for seed in run.seed..run.seed + run.size {
        let told = Told(seed);
        let (back, more) = simulate(seed, folder.path(), rules);
        std::mem::forget(told);
        rules = back;
        for (what, times) in more {
            *seen.entry(what).or_default() += times;
        }
    }
    let expected = match run.size {
        SEEDS_TO_MEET_ALL.. => &SOMETIMES[..],
        SEEDS_EVERY_RUN.. => &SOMETIMES[..ALWAYS],
        _ => &[],
    };
    let missed: BTreeSet<&str> = expected.iter().copied().filter(|what| !seen.contains_key(*what)).collect();
    assert!(missed.is_empty(), "never met: {missed:?}; met: {seen:?}");
    let size = run.size;
    run.told(size, &json!({"met": seen}));
}

/// Says which seed failed.
struct Told(u64);

impl Drop for Told {
    #[allow(clippy::print_stderr)]
    fn drop(&mut self) {
        eprintln!("to see it again: POSYANDU_SEED={} POSYANDU_PROOF_SIMULATION=1", self.0);
    }
}
