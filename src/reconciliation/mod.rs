//! Checks the ledger against the server: what became of sends without an answer, and whether what was delivered is
//! still there as it was sent.
//!
//! It never sends. Only from here does an entry leave the unknown state.

pub mod audit;
pub mod beside;
pub mod compare;
mod control;
pub mod judge;
mod look_up;
pub mod read_back;
pub mod sample;
pub mod verdict;
mod wide;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::ledger::entry::OpenEntry;
use crate::ledger::state::Event;
use crate::ledger::{Ledger, LedgerError};
use crate::remote::answer::{Answer, Class};
use crate::remote::breaker::{Gate, TRY_AGAIN, Why};
use crate::remote::lane::Lane;
use crate::remote::rate_limit::clamped;
use control::{Control, Controls};
use look_up::{Blind, look, unshown};
use verdict::{Schedule, Seen, decide};

/// Entries looked at in one lane at the same time.
const IN_FLIGHT: usize = 8;
/// Entries taken from the ledger at once.
const BATCH: u32 = 200;
/// Entries left untouched in one run before it ends: their lanes do not answer.
const UNTOUCHED_MAX: usize = 5_000;
/// As many look-ups in a row without a usable answer end a lane's run.
const TROUBLES_MAX: u32 = 5;
/// Wait after a look-up that got no usable answer. Lanes in trouble wait for their next try besides.
const TROUBLE_WAIT: Duration = TRY_AGAIN;

/// What can go wrong with reconciliation itself; answers of the server are values.
#[derive(Debug, thiserror::Error)]
pub enum ReconciliationError {
    /// The ledger failed.
    #[error("the ledger could not be used for reconciliation")]
    Ledger(#[from] LedgerError),
    /// A stored bundle cannot be taken apart.
    #[error("a stored visit cannot be taken apart")]
    Bundle(#[from] crate::resource::bundle::BundleError),
    /// A stored resource cannot be read.
    #[error("a stored resource cannot be read")]
    Stored(#[source] serde_json::Error),
    /// A stored bundle and its list of resources do not fit each other.
    #[error("the stored bundle of entry {0} does not fit its list of resources")]
    Uneven(i64),
    /// A task ended unexpectedly.
    #[error("a look-up ended unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}

/// Why a lane was not asked any further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Name of the puskesmas.
    pub lane: String,
    /// Whether its access or configuration is wrong; otherwise the server is in trouble.
    pub configuration: bool,
    /// The last answer's words, masked.
    pub words: String,
}

/// What became of entries without an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolveTally {
    /// Found with equal content: delivered.
    pub found_equal: u64,
    /// Found with other content: a person must look.
    pub found_different: u64,
    /// Certainly not there: to be sent again.
    pub not_found: u64,
    /// Not clear yet: to be looked up again later.
    pub still_unknown: u64,
    /// Not asked for, because the lane stopped or is not configured.
    pub untouched: u64,
    /// Lanes that were not asked any further.
    pub stopped: Vec<Stopped>,
}

/// Asks the server and keeps the ledger true.
#[derive(Clone)]
pub struct Reconciliation {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Ways to the server.
    pub lanes: Vec<Lane>,
    /// The time.
    pub clock: Clock,
    /// Moments of the looks, counted from when the outcome became unknown; the last one decides, or one from the second
    /// on when the server's search shows visits that were sent later.
    pub probe_after: Vec<Duration>,
}

/// A lane during a run.
struct Line {
    lane: Lane,
    slots: Semaphore,
    controls: Controls,
    troubles: AtomicU32,
    stopped: Mutex<Option<Stopped>>,
}

impl Line {
    fn new(lane: &Lane) -> Arc<Self> {
        let slots = Semaphore::new(IN_FLIGHT);
        let (controls, troubles, stopped) = (Controls::default(), AtomicU32::new(0), Mutex::new(None));
        Arc::new(Self { lane: lane.clone(), slots, controls, troubles, stopped })
    }

    fn stopped(&self) -> Option<Stopped> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Learns from an answer that showed nothing; tells whether the configuration is to blame.
    fn failed(&self, answer: &Answer, now: Timestamp) -> bool {
        let configuration = matches!(answer.class, Class::Configuration);
        let seed = now.as_millisecond().unsigned_abs();
        match answer.class {
            Class::Configuration => _ = self.lane.breaker().misconfigured(&answer.excerpt, now, seed),
            _ if answer.server_in_trouble() => _ = self.lane.breaker().trouble(&answer.excerpt, now, seed),
            _ => {}
        }
        let troubles = self.troubles.fetch_add(1, Ordering::Relaxed) + 1;
        if configuration || troubles >= TROUBLES_MAX {
            let mut stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let (lane, words) = (self.lane.name.clone(), answer.excerpt.clone());
            stopped.get_or_insert(Stopped { lane, configuration, words });
        }
        configuration
    }

    fn worked(&self) {
        self.troubles.store(0, Ordering::Relaxed);
        self.lane.breaker().answered();
    }

    /// Whether the lane may be asked: it is not stopped, or one call may try it. A mass refusal stops sending only.
    fn may_ask(&self, now: Timestamp) -> bool {
        let mut breaker = self.lane.breaker();
        if breaker.stopped().is_none_or(|stopped| stopped.why == Why::MassRefusal) {
            return true;
        }
        !matches!(breaker.gate_to_look(now, now.as_millisecond().unsigned_abs()), Gate::Closed(_))
    }
}

fn lines(lanes: &[Lane]) -> BTreeMap<String, Arc<Line>> {
    lanes.iter().map(|lane| (lane.name.clone(), Line::new(lane))).collect()
}

/// The same for reading back, which lets everything else go first.
fn lines_to_read_back(lanes: &[Lane]) -> BTreeMap<String, Arc<Line>> {
    lanes.iter().map(|lane| (lane.name.clone(), Line::new(&lane.for_read_back()))).collect()
}

impl Reconciliation {
    /// Keeps what a run learnt of the servers' pace, and tells which lanes it stopped asking.
    async fn ended(&self, lines: &BTreeMap<String, Arc<Line>>) -> Vec<Stopped> {
        for lane in &self.lanes {
            lane.remote.keep_learnt().await;
        }
        lines.values().filter_map(|line| line.stopped()).collect()
    }

    /// Looks for every entry without an answer whose time has come.
    ///
    /// # Errors
    /// [`ReconciliationError`] when the ledger fails; a server that does not answer is in the tally.
    pub async fn resolve_unknown(&self) -> Result<ResolveTally, ReconciliationError> {
        let lines = lines(&self.lanes);
        let mut tally = ResolveTally::default();
        let mut asked = HashSet::new();
        let mut untouched = 0_usize;
        loop {
            let limit = BATCH.saturating_add(u32::try_from(untouched).unwrap_or(u32::MAX));
            let due = self.ledger.unknown_due(limit).await?;
            let fresh: Vec<OpenEntry> = due.into_iter().filter(|entry| asked.insert(entry.entry_id)).collect();
            if fresh.is_empty() || untouched >= UNTOUCHED_MAX {
                break;
            }
            let mut running: JoinSet<Result<Option<Event>, ReconciliationError>> = JoinSet::new();
            for entry in fresh {
                match lines.get(&entry.lane) {
                    Some(line) => {
                        let (own, line) = (self.clone(), Arc::clone(line));
                        running.spawn(async move { own.resolve(&line, &entry).await });
                    }
                    None => untouched += 1,
                }
            }
            while let Some(done) = running.join_next().await {
                match done.map_err(ReconciliationError::Task)?? {
                    Some(Event::FoundEqual) => tally.found_equal += 1,
                    Some(Event::FoundDifferent) => tally.found_different += 1,
                    Some(Event::NotFound { .. }) => tally.not_found += 1,
                    Some(_) => tally.still_unknown += 1,
                    None => untouched += 1,
                }
            }
        }
        tally.untouched = untouched as u64;
        tally.stopped = self.ended(&lines).await;
        Ok(tally)
    }

    async fn resolve(&self, line: &Line, entry: &OpenEntry) -> Result<Option<Event>, ReconciliationError> {
        let Ok(_slot) = line.slots.acquire().await else { return Ok(None) };
        if line.stopped().is_some() || !line.may_ask(self.clock.now()) {
            return Ok(None);
        }
        let (since, now) = (entry.since, self.clock.now());
        let schedule = Schedule { probe_after: &self.probe_after, probes: entry.probes, since, now };
        let (event, found) = match self.see(line, entry, schedule).await {
            Ok((seen, control)) => {
                line.worked();
                decide(&seen, schedule, control)
            }
            Err(Blind::Stored(error)) => return Err(error),
            Err(Blind::Failed(answer)) if line.failed(&answer, now) => return Ok(None),
            Err(Blind::Failed(answer)) => {
                let wait = answer.retry_after.map_or(TROUBLE_WAIT, clamped);
                (Event::StillUnknown { due: now.saturating_add(wait).unwrap_or(Timestamp::MAX) }, Vec::new())
            }
        };
        match self.ledger.resolve_as_seen(entry, event.clone(), found).await {
            Ok(_) => Ok(Some(event)),
            // Somebody else has settled it meanwhile.
            Err(LedgerError::Illegal(_) | LedgerError::LostLease(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What the server shows of an entry, and whether its search is known to have caught up beyond it.
    async fn see(&self, line: &Line, entry: &OpenEntry, schedule: Schedule<'_>) -> Result<(Vec<Seen>, Control), Blind> {
        let remote = &line.lane.remote;
        let seen = look(remote, entry).await?;
        let (Some(kinds), Some(from), false) = (unshown(entry, &seen), schedule.controls_since(), schedule.is_last())
        else {
            return Ok((seen, Control::None));
        };
        let control = line.controls.found((remote, &self.ledger), entry, &kinds, from).await?;
        if control != Control::Found {
            return Ok((seen, control));
        }
        // Only a look that is younger than the proof is worth anything: the index may have caught up in between.
        let again = look(remote, entry).await?;
        let is_covered = unshown(entry, &again).is_some_and(|still| still.is_subset(&kinds));
        Ok((again, if is_covered { Control::Found } else { Control::None }))
    }
}
