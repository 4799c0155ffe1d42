//! How long an unknown outcome stays unknown while the server answers, and that no lag of its search makes the gateway
//! send a visit twice.
//!
//! Visits come in while answers get lost, before or after the write; later they come in without trouble. The looks are
//! those of the default configuration.

// The figures are the point.
#![allow(clippy::print_stderr)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::{Value, json};

use super::run::Run;
use crate::office::{Books, Office, Setting, agree};

/// Longest doubt with the server reachable, and what nearly all stay below (faults.md, P5 and section 6), in seconds.
const DOUBT_SECONDS_MAX: i64 = 15 * 60;
const DOUBT_SECONDS_P99_MAX: i64 = 60;
/// Between two readings, and between two looks at what is due.
const STEP: Duration = Duration::from_secs(6);
/// Visits that come in at each reading. A lane of which all answers get lost at once rests, and asks for nothing either.
const VISITS: usize = 6;
/// Lag and jitter of a search with which nearly all doubt must end in time: less than half the second look's moment.
const QUICK: (u64, u64) = (10, 10);
/// Readings of one life after which answers may get lost, and such without trouble after them, so that the second look
/// at the last doubt comes with visits of the seconds before it. The sample has no more rows of one day.
const TROUBLED: usize = 15;
const CALM: usize = 10;
/// The only source, and the lines of its head.
const EXPORT: &str = "puskesmas-utara-eppgbm.csv";
const HEAD: usize = 4;
/// The day of the sample as the export writes it.
const TODAY: &str = "18/11/2026";

/// How long each doubt lasted, in seconds, ascending.
#[derive(Default)]
struct Lasted {
    found: Vec<i64>,
    absent: Vec<i64>,
}

/// The value below which so many percent of some lie.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0)
}

fn figures(sorted: &[i64]) -> Value {
    json!({
        "number": sorted.len(), "p50": percentile(sorted, 50), "p99": percentile(sorted, 99),
        "max": percentile(sorted, 100),
    })
}

/// How long each was in doubt while the server was there, which it was from `reachable` on.
async fn lasted(daemon: &Daemon, books: &Books, reachable: Timestamp) -> Lasted {
    let mut lasted = Lasted::default();
    for line in &books.lines {
        let mut since = None;
        for step in daemon.ledger.story(line.entry_id).await.unwrap().events {
            let waited = since.map(|since| step.at.duration_since(reachable.max(since)).as_secs().max(0));
            match (&step.event, waited) {
                (Some(Event::NoAnswer { .. }), _) => since = Some(step.at),
                (Some(Event::FoundEqual), Some(waited)) => lasted.found.push(waited),
                (Some(Event::NotFound { .. }), Some(waited)) => lasted.absent.push(waited),
                _ => {}
            }
        }
    }
    lasted.found.sort_unstable();
    lasted.absent.sort_unstable();
    lasted
}

async fn next_due(daemon: &Daemon) -> Option<Timestamp> {
    let waiting = [State::Pending, State::Unknown];
    let lines = daemon.ledger.entries(&Filter::default(), &waiting, 10_000).await.unwrap();
    lines.iter().map(|line| line.due).min()
}

/// The city with one puskesmas, and the rows that come in.
async fn office(setting: Setting) -> (Office, Vec<String>) {
    let office = Office::open(setting, None).await;
    let file = office.folder.path().join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (kept, rest) = text.split_once("[[source]]\nname = \"tengah\"").unwrap();
    let delivery = rest.find("\n[delivery]").map(|at| &rest[at..]).unwrap();
    std::fs::write(&file, format!("{kept}{delivery}")).unwrap();
    let text = std::fs::read_to_string(office.folder.path().join(EXPORT)).unwrap();
    (office, text.split_inclusive('\n').map(str::to_owned).collect())
}

/// What happens to a lane.
struct Life {
    /// Visits of each reading that brings some, and rounds from one such reading to the next.
    visits: usize,
    rounds: usize,
    /// Readings after which answers may get lost, and how many of a hundred do, before and after the write.
    troubled: usize,
    lost_percent: f64,
    /// Then nothing answers for so long.
    outage: Duration,
    /// Readings without trouble after that.
    calm: usize,
    /// Lag and jitter of the search.
    lag: (u64, u64),
}

impl Life {
    /// Visits come in without a break, of which some answers get lost.
    fn busy(troubled: usize, lag: (u64, u64)) -> Self {
        let outage = Duration::ZERO;
        Self { visits: VISITS, rounds: 1, troubled, lost_percent: 15.0, outage, calm: CALM, lag }
    }

    /// A visit now and then: an answer that gets lost is all that the lane has heard lately, so that it rests.
    fn quiet(lag: (u64, u64)) -> Self {
        Self { visits: 1, rounds: 10, troubled: 10, lost_percent: 30.0, calm: 2, ..Self::busy(0, lag) }
    }

    /// Some answers get lost, and then the server is gone for a while.
    fn cut_off(outage: Duration) -> Self {
        Self { outage, ..Self::busy(3, QUICK) }
    }

    fn is_busy(&self) -> bool {
        self.rounds == 1 && self.outage.is_zero()
    }

    fn faults(&self) -> Vec<Fault> {
        let troubled = (self.troubled * self.rounds) as u64 * STEP.as_secs();
        let lost = |kind| Fault {
            probability: Some(self.lost_percent / 100.0),
            until_second: Some(troubled),
            ..Fault::at_calls(kind, AppliesTo::Write, &[])
        };
        let gone = Fault {
            probability: Some(1.0),
            from_second: Some(troubled),
            until_second: Some(troubled + self.outage.as_secs()),
            ..Fault::at_calls(FaultKind::DroppedBefore, AppliesTo::Any, &[])
        };
        let mut all = vec![lost(FaultKind::DroppedAnswer), lost(FaultKind::DroppedBefore)];
        all.extend((!self.outage.is_zero()).then_some(gone));
        all
    }

    /// From when on the server answers for good.
    fn reachable_after(&self) -> Duration {
        match self.outage {
            Duration::ZERO => Duration::ZERO,
            outage => STEP * u32::try_from(self.troubled * self.rounds).unwrap() + outage,
        }
    }
}

/// A life until nothing waits: nothing lost, nothing doubled.
async fn live(life: &Life, seed: u64) -> Lasted {
    let (lag, jitter) = life.lag;
    let setting = Setting {
        faults: life.faults(),
        seed,
        delivery: "concurrency = 4\nonce_seconds = 0",
        index_lag_seconds: lag,
        index_lag_jitter_seconds: jitter,
        ..Setting::default()
    };
    let (office, rows) = office(setting).await;
    let (head, rows) = rows.split_at(HEAD);
    let rows: Vec<&String> = rows.iter().filter(|row| row.contains(TODAY)).collect();
    let daemon = office.daemon().await;
    let start = office.clock.now();
    let reachable = start + life.reachable_after();
    let rounds = |readings: usize| readings * life.rounds;
    let out = usize::try_from(life.outage.as_secs().div_ceil(STEP.as_secs())).unwrap();
    for round in 0..rounds(life.troubled) + out + rounds(life.calm) {
        // In a long outage there are soon no more rows of one day.
        let count = ((round / life.rounds + 1) * life.visits).min(rows.len());
        let rows: String = rows[..count].iter().map(|row| row.as_str()).collect();
        std::fs::write(office.folder.path().join(EXPORT), head.concat() + &rows).unwrap();
        Box::pin(daemon.once(&|_| {})).await.unwrap();
        office.clock.advance(STEP);
    }
    let lanes = daemon.lanes().unwrap();
    while let Some(due) = next_due(&daemon).await {
        let wait = Duration::try_from(due.duration_since(office.clock.now())).unwrap_or_default();
        office.clock.advance(wait.max(STEP));
        Box::pin(daemon.deliver(&lanes, office.clock.now(), &|_| {})).await.unwrap();
        assert!(office.clock.now().duration_since(start) < SignedDuration::from_hours(4), "it never ends");
    }
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    // Nobody knows that the server is back before it answers.
    let answered = office.simulator.arrivals().into_iter().map(|call| call.at).find(|at| *at >= reachable).unwrap();
    let lasted = lasted(&daemon, &books, if life.outage.is_zero() { start } else { answered }).await;
    eprintln!(
        "lag {lag} s and up to {jitter} s more, {} s out, {:.0} s: found {}, absent {}",
        life.outage.as_secs(),
        office.clock.now().duration_since(start).as_secs_f64(),
        figures(&lasted.found),
        figures(&lasted.absent)
    );
    let (found, absent) = (!lasted.found.is_empty(), !lasted.absent.is_empty());
    // A visit now and then need not meet both; a busy lane must.
    assert!(if life.is_busy() { found && absent } else { found || absent }, "no answer got lost");
    assert!(percentile(&lasted.found, 100) <= DOUBT_SECONDS_MAX, "{:?}", lasted.found);
    assert!(percentile(&lasted.absent, 100) <= DOUBT_SECONDS_MAX, "{:?}", lasted.absent);
    lasted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubt_is_short_while_the_server_answers() {
    let run = Run::of("doubt", 30, 1);
    let mut lasted = Lasted::default();
    let mut seed = run.seed;
    while lasted.found.len() + lasted.absent.len() < usize::try_from(run.size).unwrap() {
        let more = live(&Life::busy(TROUBLED, QUICK), seed).await;
        lasted.found.extend(more.found);
        lasted.absent.extend(more.absent);
        seed += 1;
    }
    for doubts in [&mut lasted.found, &mut lasted.absent] {
        assert!(!doubts.is_empty());
        doubts.sort_unstable();
        assert!(percentile(doubts, 99) <= DOUBT_SECONDS_P99_MAX, "{doubts:?}");
    }
    let figures = json!({
        "lag_seconds": QUICK.0 + QUICK.1, "lives": seed - run.seed,
        "found_seconds": figures(&lasted.found), "absent_seconds": figures(&lasted.absent),
    });
    run.told((lasted.found.len() + lasted.absent.len()) as u64, &figures);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubt_of_a_quiet_lane_is_short() {
    for lag in [(0, 0), QUICK] {
        let lasted = live(&Life::quiet(lag), 1).await;
        assert!(!lasted.found.is_empty(), "nothing of it arrived");
        assert!(percentile(&lasted.found, 99) <= DOUBT_SECONDS_P99_MAX, "{:?}", lasted.found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn doubt_is_short_once_the_server_is_back() {
    for outage in [20, 45, 90, 150, 300] {
        for seed in [outage, outage + 1] {
            let lasted = live(&Life::cut_off(Duration::from_secs(outage)), seed).await;
            assert!(percentile(&lasted.found, 99) <= DOUBT_SECONDS_P99_MAX, "{outage} s: {:?}", lasted.found);
            assert!(percentile(&lasted.absent, 99) <= DOUBT_SECONDS_P99_MAX, "{outage} s: {:?}", lasted.absent);
        }
    }
}

/// Slower than the first look, than the second, than the third, and out of turn by as much again: each day's books agree
/// with the server, which refuses no duplicate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_lag_of_the_search_doubles_a_visit() {
    for (seed, lag) in [(1, (30, 0)), (2, (50, 0)), (3, (30, 30)), (4, (100, 100))] {
        live(&Life::busy(5, lag), seed).await;
    }
}
