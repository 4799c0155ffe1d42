//! One lane's run: claims by turns, hands visits to tasks, stops with the lane's breaker, and ends in time when the
//! gateway is stopped.
//!
//! It must not judge an answer; `send` and `outcome` do.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::keeping::{Breakers, LedgerMemory};
use super::{Delivery, DeliveryError, LaneEnd, Stop, send};
use crate::clock::Stopwatch;
use crate::ledger::LedgerError;
use crate::ledger::entry::{Claimed, EntryId};
use crate::ledger::state::{Event, State};
use crate::ledger::turn::Turns;
use crate::remote::breaker::Gate;
use crate::remote::lane::Lane;
use crate::resource::envelope::Whom;

/// Visits sent or about to be sent for each request that may be in flight: some wait for their intent or their answer to
/// be durable while others are on the wire, and the ledger commits in groups. What a stop leaves in doubt is bounded by
/// it, and so is memory: it must not depend on how fast the server happens to be.
const CLAIMED_PER_SLOT: u32 = 4;
/// No more visits are under way than the pace lets through in this part of a minute, so that no lease runs out waiting;
/// up to three quarters as many are claimed ahead.
const CLAIMED_PER_MINUTE_PART: f64 = 4.0;
/// Once the gateway is told to stop, what is on the wire has this long to end; then its outcome is unknown. With the
/// closing of the ledger it stays below the 25 s that a service manager is asked for.
pub const DRAIN_MAX: Duration = Duration::from_secs(15);
/// How often a run looks whether the gateway is to stop.
const LOOK: Duration = Duration::from_millis(200);

/// A claimed visit on its way to a task.
pub(super) struct Ready {
    pub claimed: Claimed,
    pub whom: Whom,
    pub patient_key: [u8; 32],
    /// The patient's id, when the ledger remembers it.
    pub patient: Option<String>,
}

/// What the tasks of a lane share.
pub(super) struct Shared {
    pub delivery: Delivery,
    pub lane: Lane,
    /// One visit is tried on a lane that is stopped.
    is_trying: bool,
    last_trouble: Mutex<Option<String>>,
    /// Health workers found in this run, so that many visits of one posyandu ask once.
    pub practitioners: tokio::sync::Mutex<HashMap<String, String>>,
    /// Ids that the server called unknown in this run.
    pub doubted: Mutex<HashSet<String>>,
    /// Visits that were sent again at once in this run because an id was doubted.
    pub doubting: Mutex<HashSet<EntryId>>,
    /// Episodes of care that a visit on its way opens.
    pub episodes: Mutex<HashSet<[u8; 32]>>,
    cut: watch::Receiver<bool>,
}

impl Delivery {
    /// Sends everything of a lane that is due, until nothing more is, or the lane must stop.
    ///
    /// # Errors
    /// [`DeliveryError`] when the ledger fails.
    pub async fn drain(&self, lane: &Lane) -> Result<LaneEnd, DeliveryError> {
        LedgerMemory::hand_to(&self.ledger, &self.clock, lane).await;
        let breakers = Breakers { ledger: &self.ledger, clock: &self.clock };
        breakers.recall(lane).await?;
        if lane.remote.secret_changed() {
            lane.breaker().try_now(self.clock.now());
        }
        let mut end = LaneEnd { name: lane.name.clone(), ..LaneEnd::default() };
        match breakers.gate(lane).await? {
            Gate::Closed(stopped) => end.stop = Some(Stop::of(&stopped)),
            Gate::Try => {
                let before = self.finished.load(Ordering::Relaxed);
                self.run(lane, &mut end, true).await?;
                if self.finished.load(Ordering::Relaxed) == before {
                    // Nothing was due, so the try is left to a look-up.
                    lane.breaker().try_now(self.clock.now());
                }
                end.stop = Stop::at_present(lane);
            }
            Gate::Open => {}
        }
        if end.stop.is_none() {
            self.run(lane, &mut end, false).await?;
            end.stop = Stop::at_present(lane);
        }
        if end.stop.is_none() {
            self.remove(lane).await?;
        }
        breakers.keep(lane).await?;
        lane.remote.keep_learnt().await;
        Ok(end)
    }

    async fn run(&self, lane: &Lane, end: &mut LaneEnd, is_trying: bool) -> Result<(), DeliveryError> {
        let (cut_off, cut) = watch::channel(false);
        let shared = Arc::new(Shared {
            delivery: self.clone(),
            lane: lane.clone(),
            is_trying,
            last_trouble: Mutex::new(None),
            practitioners: tokio::sync::Mutex::new(HashMap::new()),
            doubted: Mutex::default(),
            doubting: Mutex::default(),
            episodes: Mutex::default(),
            cut,
        });
        let before = end.tally;
        let mut running: JoinSet<Result<State, DeliveryError>> = JoinSet::new();
        // Claiming goes on beside the sending, or the wire would wait for the disk.
        let mut claiming: JoinSet<Result<(Vec<Ready>, Turns), DeliveryError>> = JoinSet::new();
        let (mut waiting, mut turns, mut dry) = (VecDeque::<Ready>::new(), Turns::default(), false);
        let mut look = tokio::time::interval(LOOK);
        let mut halted: Option<Stopwatch> = None;
        loop {
            let window = if is_trying { 1 } else { window(lane) };
            while (running.len() < window || !shared.goes_on())
                && let Some(ready) = waiting.pop_front()
            {
                let shared = Arc::clone(&shared);
                running.spawn(async move { Box::pin(shared.one(ready)).await });
            }
            let ahead = window.div_ceil(2);
            if !dry && claiming.is_empty() && waiting.len() <= ahead / 2 && shared.goes_on() {
                claiming.spawn(self.clone().claim(lane.name.clone(), ahead, turns));
            }
            if running.is_empty() && claiming.is_empty() {
                break;
            }
            tokio::select! {
                Some(done) = running.join_next() => {
                    end.tally.count(done.map_err(DeliveryError::Task)??);
                    self.finished.fetch_add(1, Ordering::Relaxed);
                    lane.remote.keep_learnt().await;
                    Breakers { ledger: &self.ledger, clock: &self.clock }.keep(lane).await?;
                }
                Some(claimed) = claiming.join_next() => {
                    let (claimed, after) = claimed.map_err(DeliveryError::Task)??;
                    turns = after;
                    dry = claimed.is_empty() || is_trying;
                    waiting.extend(claimed);
                }
                _ = look.tick() => halted = self.stop_in_time(lane, halted, &cut_off),
            }
        }
        let fruitless = before.delivered + before.refused + before.blocked
            == end.tally.delivered + end.tally.refused + end.tally.blocked;
        if fruitless
            && !is_trying
            && halted.is_none()
            && let Some(words) = shared.last_trouble()
        {
            // Not one answer to work with: what waits is better tried later.
            let now = self.clock.now();
            lane.breaker().give_up(&words, now, keeping_seed(lane, now));
        }
        Ok(())
    }

    /// Claims visits and makes them ready; gives whose turn it is next.
    async fn claim(self, lane: String, number: usize, mut turns: Turns) -> Result<(Vec<Ready>, Turns), DeliveryError> {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        let claimed = self.ledger.claim_by_turns(&lane, number, &mut turns).await?;
        let ready = self.ready(claimed).await?;
        for suspect in ready.iter().filter(|ready| ready.claimed.is_suspect) {
            // What the process may have died of was read without harm; from here on it waits for the network.
            self.ledger.clear_strike(suspect.claimed.entry.entry_id).await?;
        }
        Ok((ready, turns))
    }

    /// When the gateway is told to stop, no new call leaves, and what is on the wire is given up after a while.
    fn stop_in_time(&self, lane: &Lane, halted: Option<Stopwatch>, cut_off: &watch::Sender<bool>) -> Option<Stopwatch> {
        if !self.halt.load(Ordering::Relaxed) {
            return halted;
        }
        lane.remote.hold();
        let since = halted.unwrap_or_else(|| self.clock.stopwatch());
        if since.elapsed() >= DRAIN_MAX && !*cut_off.borrow() {
            tracing::warn!(lane = lane.name, "the server did not answer in time; those outcomes will be looked up");
            cut_off.send_replace(true);
        }
        Some(since)
    }

    /// What sending needs of each claimed visit, with the patients that are known already.
    async fn ready(&self, claimed: Vec<Claimed>) -> Result<Vec<Ready>, DeliveryError> {
        let identities = self.identities();
        let mut all = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let Ok(whom) = serde_json::from_str::<Whom>(claimed.entry.person.reveal()) else {
                // One spoiled visit must not stop the others.
                tracing::error!(entry = claimed.entry.entry_id.number(), "a stored visit cannot be read");
                match self.ledger.release(claimed.entry.entry_id, &claimed.lease, Event::RefusedContent).await {
                    Ok(_) | Err(LedgerError::LostLease(_)) => continue,
                    Err(error) => return Err(error.into()),
                }
            };
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
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.delivery.halt.load(Ordering::Relaxed) && (self.is_trying || self.lane.breaker().stopped().is_none())
    }

    /// Returns when what is on the wire is given up.
    pub async fn cut_off(&self) {
        let mut cut = self.cut.clone();
        if cut.wait_for(|cut| *cut).await.is_err() {
            // The run has ended, and this task with it.
            std::future::pending::<()>().await;
        }
    }

    /// Sends one claimed visit, or gives it back when the lane has stopped meanwhile.
    async fn one(&self, ready: Ready) -> Result<State, DeliveryError> {
        if !self.goes_on() {
            return self.give_back(&ready.claimed).await;
        }
        send::visit(self, ready).await
    }

    /// Gives a claimed visit back that nothing was sent of.
    pub async fn give_back(&self, claimed: &Claimed) -> Result<State, DeliveryError> {
        let due = self.delivery.clock.now();
        let ledger = &self.delivery.ledger;
        match ledger.release(claimed.entry.entry_id, &claimed.lease, Event::Released { due }).await {
            Ok(state) => Ok(state),
            // It waited so long for its turn that the ledger has taken it back: nothing is left to give back.
            Err(LedgerError::LostLease(_)) => Ok(State::Pending),
            Err(error) => Err(error.into()),
        }
    }

    /// The words of the last trouble since the server was of use.
    fn last_trouble(&self) -> Option<String> {
        self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn note_worked(&self, accepted: bool) {
        *self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let mut breaker = self.lane.breaker();
        if accepted {
            breaker.worked();
        } else {
            breaker.answered();
        }
    }

    /// Counts refusals alike; the same reason over and over is not the records' fault.
    pub fn note_refusal(&self, reason: &str) {
        self.lane.breaker().refused(reason, self.delivery.clock.now());
    }

    pub fn note_trouble(&self, words: &str) {
        *self.last_trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(words.to_owned());
        let now = self.delivery.clock.now();
        self.lane.breaker().trouble(words, now, keeping_seed(&self.lane, now));
    }

    pub fn note_configuration(&self, words: &str) {
        let now = self.delivery.clock.now();
        self.lane.breaker().misconfigured(words, now, keeping_seed(&self.lane, now));
    }
}

fn keeping_seed(lane: &Lane, now: jiff::Timestamp) -> u64 {
    super::keeping::seed(&lane.name, now)
}

/// How many visits may be under way at once.
fn window(lane: &Lane) -> usize {
    // Saturates, and is never negative.
    let paced = ((lane.remote.pace_per_minute() / CLAIMED_PER_MINUTE_PART) as u32).max(1);
    let most = lane.concurrency.max(1).saturating_mul(CLAIMED_PER_SLOT);
    usize::try_from(most.min(paced)).unwrap_or(usize::MAX)
}
