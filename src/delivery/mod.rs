//! Empties the ledger: claims visits, looks people up, sends, and writes down what came of it.
//!
//! The intent is durable before the first byte leaves, the answer before it is counted. It never asks about unknown
//! outcomes (that is reconciliation) and never sends what is not in the ledger.

pub mod identity;
pub mod outcome;
pub mod retry;
pub mod send;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::ledger::entry::{Claimed, EntryId};
use crate::ledger::state::{Event, State};
use crate::ledger::{Ledger, LedgerError};
use crate::redact::Personal;
use crate::remote::Remote;
use crate::remote::token::Token;
use crate::resource::envelope::Whom;
use crate::seal::Keys;
use identity::Identities;
use retry::Policy;

/// Visits sent or about to be sent for each request that may be in flight: some wait for their intent or their answer to be durable
/// while others are on the wire, and the ledger commits in groups.
const CLAIMED_PER_SLOT: u32 = 4;
/// No more visits are under way than the pace lets through in this part of a minute, so that no lease runs out waiting;
/// up to three quarters as many are claimed ahead.
const CLAIMED_PER_MINUTE_PART: u32 = 4;
/// As many refusals in a row for the same reason stop the lane: then the mapping or the platform changed, not the
/// records (faults.md, design rule 5).
pub const REFUSALS_ALIKE_MAX: u32 = 20;

/// One puskesmas' way to SATUSEHAT.
#[derive(Clone)]
pub struct Lane {
    /// Name of the puskesmas.
    pub name: String,
    /// The client under its credentials.
    pub remote: Remote,
    /// Client id, under which the token is remembered.
    pub client_id: String,
    /// Requests in flight.
    pub concurrency: u32,
}

/// What can go wrong with delivery itself; answers of the server are values.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The ledger failed: nothing more is sent.
    #[error("the ledger could not be used for delivery")]
    Ledger(#[from] LedgerError),
    /// A stored envelope or bundle cannot be read.
    #[error("a stored visit cannot be read")]
    Stored(#[source] serde_json::Error),
    /// A stored bundle cannot be taken apart.
    #[error("a stored visit cannot be taken apart")]
    Bundle(#[from] crate::resource::bundle::BundleError),
    /// A sending task ended unexpectedly.
    #[error("a sending task ended unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}

/// What was done in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted by the server.
    pub delivered: u64,
    /// Refused by the server.
    pub refused: u64,
    /// Waiting for a patient or another resource.
    pub blocked: u64,
    /// Put off because the server could not or would not work.
    pub deferred: u64,
    /// Outcome unknown: to be looked up.
    pub unknown: u64,
}

impl Tally {
    /// Adds the numbers of another run.
    pub fn add(&mut self, more: Self) {
        self.delivered += more.delivered;
        self.refused += more.refused;
        self.blocked += more.blocked;
        self.deferred += more.deferred;
        self.unknown += more.unknown;
    }
}

/// Why a lane sends no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Access or configuration is wrong; the answer's words, masked.
    Configuration(String),
    /// Too many refusals in a row for the same reason.
    MassRefusal(String),
    /// The server is in trouble; trying on would only burn calls.
    Trouble(String),
}

/// How one lane's run ended.
#[derive(Clone, Debug, Default)]
pub struct LaneEnd {
    /// Name of the puskesmas.
    pub name: String,
    /// What was done.
    pub tally: Tally,
    /// Why it stopped early; `None` when nothing more was due.
    pub stop: Option<Stop>,
}

/// Sends what is due.
#[derive(Clone)]
pub struct Delivery {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Keys of the keyed hashes.
    pub keys: Arc<Keys>,
    /// The time.
    pub clock: Clock,
    /// When to try again.
    pub policy: Policy,
    /// Wait before an unknown outcome is first looked up.
    pub first_look: Duration,
    /// Moments at which an unknown outcome of a registration is looked up, counted from when it became unknown.
    pub looks: Vec<Duration>,
    /// Set from outside to stop taking new work.
    pub halt: Arc<AtomicBool>,
    /// Visits finished so far, for progress.
    pub finished: Arc<AtomicU64>,
}

/// A claimed visit on its way to a task.
struct Ready {
    claimed: Claimed,
    whom: Whom,
    patient_key: [u8; 32],
    /// The patient's id, when the ledger remembers it.
    patient: Option<String>,
}

/// What the tasks of a lane share.
struct Shared {
    delivery: Delivery,
    lane: Lane,
    stop: std::sync::Mutex<Option<Stop>>,
    refusals_alike: AtomicU32,
    last_refusal: std::sync::Mutex<String>,
    troubles: AtomicU32,
    last_trouble: std::sync::Mutex<String>,
    /// Health workers found in this run, so that many visits of one posyandu ask once.
    practitioners: tokio::sync::Mutex<HashMap<String, String>>,
    /// Ids that the server called unknown in this run.
    doubted: std::sync::Mutex<HashSet<String>>,
    /// Visits that were sent again at once in this run because an id was doubted.
    doubting: std::sync::Mutex<HashSet<EntryId>>,
    /// Episodes of care that a visit on its way opens.
    episodes: std::sync::Mutex<HashSet<[u8; 32]>>,
}

/// As many exchanges in a row that say "the server is in trouble" stop the lane for this run.
const TROUBLES_MAX: u32 = 10;

impl Delivery {
    /// Sends everything of a lane that is due, until nothing more is, or the lane must stop.
    ///
    /// # Errors
    /// [`DeliveryError`] when the ledger fails.
    pub async fn drain(&self, lane: &Lane) -> Result<LaneEnd, DeliveryError> {
        let mut kept = self.recall_token(lane).await?;
        let shared = Arc::new(Shared {
            delivery: self.clone(),
            lane: lane.clone(),
            stop: std::sync::Mutex::new(None),
            refusals_alike: AtomicU32::new(0),
            last_refusal: std::sync::Mutex::new(String::new()),
            troubles: AtomicU32::new(0),
            last_trouble: std::sync::Mutex::new(String::new()),
            practitioners: tokio::sync::Mutex::new(HashMap::new()),
            doubted: std::sync::Mutex::default(),
            doubting: std::sync::Mutex::default(),
            episodes: std::sync::Mutex::default(),
        });
        let mut end = LaneEnd { name: lane.name.clone(), ..LaneEnd::default() };
        let mut running: JoinSet<Result<State, DeliveryError>> = JoinSet::new();
        // Claiming goes on beside the sending, or the wire would wait for the disk.
        let mut claiming: JoinSet<Result<Vec<Ready>, DeliveryError>> = JoinSet::new();
        let mut waiting: VecDeque<Ready> = VecDeque::new();
        let mut dry = false;
        loop {
            let window = window(lane);
            while (running.len() < window || !shared.goes_on())
                && let Some(ready) = waiting.pop_front()
            {
                let shared = Arc::clone(&shared);
                running.spawn(async move { shared.one(ready).await });
            }
            if !dry && claiming.is_empty() && waiting.len() <= window / 4 && shared.goes_on() {
                let (delivery, name) = (self.clone(), lane.name.clone());
                let number = u32::try_from(window.div_ceil(2)).unwrap_or(u32::MAX);
                claiming.spawn(async move { delivery.ready(delivery.ledger.claim(&name, number).await?).await });
            }
            tokio::select! {
                Some(done) = running.join_next() => {
                    count(&mut end.tally, done.map_err(DeliveryError::Task)??);
                    self.finished.fetch_add(1, Ordering::Relaxed);
                    self.keep_token(lane, &mut kept).await?;
                }
                Some(claimed) = claiming.join_next() => {
                    let claimed = claimed.map_err(DeliveryError::Task)??;
                    dry = claimed.is_empty();
                    waiting.extend(claimed);
                }
                else => break,
            }
        }
        self.keep_token(lane, &mut kept).await?;
        let fruitless = end.tally.delivered + end.tally.refused + end.tally.blocked == 0;
        if fruitless && let Some(words) = shared.last_trouble() {
            // Not one answer to work with: what waits is better tried in another run.
            shared.stop(Stop::Trouble(words));
        }
        end.stop = shared.stopped();
        Ok(end)
    }

    /// Forgets who the person of a visit was found to be; a visit that waits for somebody is looked at at once.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchEntry`], failures of the ledger.
    pub async fn forget(&self, entry: EntryId) -> Result<(), DeliveryError> {
        let found = self.ledger.load(&[entry]).await?;
        let one = found.first().ok_or(LedgerError::NoSuchEntry(entry))?;
        // A visit that the mapping refused names nobody yet.
        if !one.person.reveal().is_empty() {
            let whom: Whom = serde_json::from_str(one.person.reveal()).map_err(DeliveryError::Stored)?;
            self.identities().forget(&whom).await?;
        }
        match self.ledger.wake(entry).await {
            Ok(_) | Err(LedgerError::Illegal(_) | LedgerError::LostLease(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The look-ups of this delivery.
    fn identities(&self) -> Identities<'_> {
        Identities { ledger: &self.ledger, keys: &self.keys, clock: &self.clock, looks: &self.looks }
    }

    /// What sending needs of each claimed visit, with the patients that are known already.
    async fn ready(&self, claimed: Vec<Claimed>) -> Result<Vec<Ready>, DeliveryError> {
        let identities = self.identities();
        let mut all = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let whom: Whom = serde_json::from_str(claimed.entry.person.reveal()).map_err(DeliveryError::Stored)?;
            let patient_key = identities.patient_key(&whom);
            all.push(Ready { claimed, whom, patient_key, patient: None });
        }
        let keys: Vec<[u8; 32]> = all.iter().map(|ready| ready.patient_key).collect();
        let known = identities.known_patients(&keys).await?;
        for ready in &mut all {
            ready.patient = known.get(&ready.patient_key).cloned();
        }
        Ok(all)
    }

    /// Takes up the token that the ledger holds, unless the lane has one; gives the token in use.
    async fn recall_token(&self, lane: &Lane) -> Result<Option<Token>, DeliveryError> {
        if lane.remote.current_token().is_none()
            && let Some((text, expires)) = self.ledger.token(&lane.client_id).await?
        {
            lane.remote.restore_token(Token::new(text, expires, self.clock.now()));
        }
        Ok(lane.remote.current_token())
    }

    /// Keeps the token as soon as it is another one, not at the end of the run: a process that is killed again and
    /// again must not ask for a token each time (faults.md, row 24).
    async fn keep_token(&self, lane: &Lane, kept: &mut Option<Token>) -> Result<(), DeliveryError> {
        let used = lane.remote.current_token();
        if *kept == used {
            return Ok(());
        }
        match &used {
            Some(token) => self.ledger.put_token(&lane.client_id, token.text(), token.expires()).await?,
            None => self.ledger.forget_token(&lane.client_id).await?,
        }
        *kept = used;
        Ok(())
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.delivery.halt.load(Ordering::Relaxed) && self.stopped().is_none()
    }

    fn stopped(&self) -> Option<Stop> {
        self.stop.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn stop(&self, why: Stop) {
        let mut stop = self.stop.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        stop.get_or_insert(why);
    }

    /// Sends one claimed visit, or gives it back when the lane has stopped meanwhile.
    async fn one(&self, ready: Ready) -> Result<State, DeliveryError> {
        if !self.goes_on() {
            let claimed = ready.claimed;
            let due = self.delivery.clock.now();
            let ledger = &self.delivery.ledger;
            return match ledger.release(claimed.entry.entry_id, &claimed.lease, Event::Released { due }).await {
                Ok(state) => Ok(state),
                // It waited so long for its turn that the ledger has taken it back: nothing is left to give back.
                Err(LedgerError::LostLease(_)) => Ok(State::Pending),
                Err(error) => Err(error.into()),
            };
        }
        send::visit(self, ready).await
    }

    /// Counts refusals alike; the same reason over and over is not the records' fault.
    fn note_refusal(&self, reason: &str) {
        let mut last = self.last_refusal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last == reason {
            if self.refusals_alike.fetch_add(1, Ordering::Relaxed) + 1 >= REFUSALS_ALIKE_MAX {
                self.stop(Stop::MassRefusal(reason.to_owned()));
            }
        } else {
            reason.clone_into(&mut last);
            self.refusals_alike.store(1, Ordering::Relaxed);
        }
    }

    fn note_acceptance(&self) {
        self.refusals_alike.store(0, Ordering::Relaxed);
        self.troubles.store(0, Ordering::Relaxed);
    }

    /// The words of the last trouble since something was accepted.
    fn last_trouble(&self) -> Option<String> {
        let words = self.last_trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        (self.troubles.load(Ordering::Relaxed) > 0).then_some(words)
    }

    fn note_trouble(&self, words: &str) {
        words.clone_into(&mut self.last_trouble.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        if self.troubles.fetch_add(1, Ordering::Relaxed) + 1 >= TROUBLES_MAX {
            self.stop(Stop::Trouble(words.to_owned()));
        }
    }
}

/// How many visits may be under way at once.
fn window(lane: &Lane) -> usize {
    let paced = (lane.remote.pace_per_minute() / CLAIMED_PER_MINUTE_PART).max(1);
    let window = lane.concurrency.max(1).saturating_mul(CLAIMED_PER_SLOT).min(paced);
    usize::try_from(window).unwrap_or(usize::MAX)
}

fn count(tally: &mut Tally, state: State) {
    match state {
        State::Delivered => tally.delivered += 1,
        State::Refused | State::Exhausted => tally.refused += 1,
        State::Blocked => tally.blocked += 1,
        State::Unknown => tally.unknown += 1,
        _ => tally.deferred += 1,
    }
}

/// A lane for tests and benches: everything but the name comes from the client's own options.
#[must_use]
pub fn lane(name: &str, remote: Remote, client_id: &str, concurrency: u32) -> Lane {
    Lane { name: name.to_owned(), remote, client_id: client_id.to_owned(), concurrency }
}

/// The person's data of a claimed entry, opened.
fn envelope(person: &Personal<String>) -> Result<crate::resource::envelope::Envelope, DeliveryError> {
    serde_json::from_str(person.reveal()).map_err(DeliveryError::Stored)
}
