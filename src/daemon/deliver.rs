//! Sending of all lanes side by side, with look-ups beside it, until nothing more is due.
//!
//! It must not send anything itself; `delivery` does.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{Daemon, DaemonError, NAP_MAX, Progress, Step};
use crate::delivery::keeping::Breakers;
use crate::delivery::retry::Policy;
use crate::delivery::{Delivery, DeliveryError, LaneEnd};
use crate::ledger::entry::EntryLine;
use crate::ledger::reading::Filter;
use crate::ledger::state::State;
use crate::reconciliation::{Reconciliation, ReconciliationError};
use crate::remote::lane::Lane;

/// Entries looked at to find out when the next is due.
const DUE_LOOKED_AT: u32 = 100_000;
/// While a backlog is sent, open outcomes are looked for this often and lanes that are done begin again, so that none
/// waits for its end.
const LOOK_BESIDE: Duration = Duration::from_secs(5);

/// What becomes of a lane that is done while another one has more to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// It waits for the end of the others: what is sent ends as soon as it can.
    Waits,
    /// It begins again and again: what comes in meanwhile, or is due only then, does not wait for a backlog of somebody
    /// else, and as long as one of them has something to do the sending goes on.
    BeginsAgain,
}

impl Daemon {
    /// Sends what is due and looks up what is unknown, until nothing more is due before `deadline`.
    ///
    /// # Errors
    /// [`DaemonError`] when the ledger fails; what the server says is in the lanes' ends.
    pub async fn deliver(
        &self,
        lanes: &[Lane],
        deadline: Timestamp,
        progress: Progress<'_>,
    ) -> Result<Vec<LaneEnd>, DaemonError> {
        self.deliver_with(lanes, deadline, Done::Waits, progress).await
    }

    /// The same, where it is said what becomes of a lane that is done.
    ///
    /// # Errors
    /// As [`Daemon::deliver`].
    pub async fn deliver_with(
        &self,
        lanes: &[Lane],
        deadline: Timestamp,
        done: Done,
        progress: Progress<'_>,
    ) -> Result<Vec<LaneEnd>, DaemonError> {
        let finished = Arc::new(AtomicU64::new(0));
        let delivery = self.delivery(&finished);
        let reconciliation = self.reconciliation(lanes).await;
        let mut ends: Vec<LaneEnd> =
            lanes.iter().map(|lane| LaneEnd { name: lane.name.clone(), ..LaneEnd::default() }).collect();
        loop {
            self.drain((&delivery, &reconciliation), (lanes, done), &mut ends, progress).await?;
            tokio::select! {
                resolved = reconciliation.resolve_unknown() => { resolved?; }
                // Looking up changes nothing at the server: what is not finished is asked for again.
                () = self.halted() => break,
            }
            for lane in lanes {
                // An answer to a look-up lets a stopped lane go on, also one that nothing was sent in.
                Breakers { ledger: &self.ledger, clock: &self.clock }.keep(lane).await?;
            }
            self.ledger.propose_removals().await?;
            self.give_alarms(lanes).await?;
            self.tell_alarms().await?;
            self.seal_days(lanes).await?;
            let Some(due) = self.next_due(lanes, &ends).await? else { break };
            let now = self.clock.now();
            if due > deadline || now >= deadline || self.halt.load(Ordering::Relaxed) {
                break;
            }
            let wait = Duration::try_from(due.duration_since(now)).unwrap_or_default();
            if !wait.is_zero() {
                self.clock.sleep(wait.min(NAP_MAX)).await;
            }
        }
        Ok(ends)
    }

    pub(super) fn delivery(&self, finished: &Arc<AtomicU64>) -> Delivery {
        let first_look = self.config.delivery.probe_after_seconds.first().copied().unwrap_or(5);
        Delivery {
            ledger: Arc::clone(&self.ledger),
            keys: Arc::clone(&self.keys),
            clock: self.clock.clone(),
            policy: Policy::default(),
            first_look: Duration::from_secs(first_look),
            looks: self.config.delivery.probe_after_seconds.iter().copied().map(Duration::from_secs).collect(),
            halt: Arc::clone(&self.halt),
            finished: Arc::clone(finished),
        }
    }

    /// All lanes side by side, except those that stopped.
    async fn drain(
        &self,
        (delivery, reconciliation): (&Delivery, &Reconciliation),
        (lanes, done): (&[Lane], Done),
        ends: &mut [LaneEnd],
        progress: Progress<'_>,
    ) -> Result<(), DaemonError> {
        let waiting = self.ledger.counts(&Filter::default()).await?.of(State::Pending);
        let mut running = Running::default();
        running.begin(delivery, lanes, ends);
        let mut looking: JoinSet<Result<(), ReconciliationError>> = JoinSet::new();
        let mut looked = self.clock.timer();
        loop {
            tokio::select! {
                end = running.next() => match end {
                    Some(end) => add(ends, end?),
                    None => break,
                },
                Some(looked) = looking.join_next() => looked.map_err(DaemonError::Task)??,
                () = tokio::time::sleep(NAP_MAX) => {}
            }
            progress(Step::Sending { finished: delivery.finished.load(Ordering::Relaxed), waiting });
            if looked.elapsed() >= LOOK_BESIDE && !self.halt.load(Ordering::Relaxed) {
                looked = self.clock.timer();
                if done == Done::BeginsAgain {
                    running.begin(delivery, lanes, ends);
                }
                // At a slow pace many look-ups take longer than that.
                if looking.is_empty() {
                    let reconciliation = reconciliation.clone();
                    looking.spawn(async move { reconciliation.resolve_unknown().await.map(|_| ()) });
                }
                self.give_alarms(lanes).await?;
                self.seal_days(lanes).await?;
            }
        }
        // Looking up changes nothing at the server: what is cut short is asked for again.
        looking.shutdown().await;
        Ok(())
    }

    /// When something is due next in a lane that still runs or goes on, or whose doubts may be looked up once before it
    /// does; `None` when nothing waits for time alone.
    async fn next_due(&self, lanes: &[Lane], ends: &[LaneEnd]) -> Result<Option<Timestamp>, DaemonError> {
        let states = [State::Pending, State::Unknown];
        let lines = self.ledger.entries(&Filter::default(), &states, DUE_LOOKED_AT).await?;
        let is_due = |lane: &Lane, end: &LaneEnd, state: State| {
            let breaker = lane.breaker();
            end.stop.is_none() || breaker.stopped().is_none() || (state == State::Unknown && breaker.may_look_ahead())
        };
        let pairs = || lanes.iter().zip(ends);
        let waits =
            |line: &&EntryLine| pairs().any(|(lane, end)| lane.name == line.puskesmas && is_due(lane, end, line.state));
        Ok(lines.iter().filter(waits).map(|line| line.due).min())
    }
}

/// The lanes that are being sent in.
#[derive(Default)]
struct Running {
    tasks: JoinSet<(String, Result<LaneEnd, DeliveryError>)>,
    names: HashSet<String>,
}

impl Running {
    /// Begins every lane that is not under way yet; a stopped one is left alone until it may be tried again.
    fn begin(&mut self, delivery: &Delivery, lanes: &[Lane], ends: &[LaneEnd]) {
        let now = delivery.clock.now();
        let rests = |lane: &Lane| lane.breaker().stopped().is_some_and(|stopped| !stopped.may_be_tried(now));
        for (lane, end) in lanes.iter().zip(ends) {
            if (end.stop.is_none() || !rests(lane)) && self.names.insert(lane.name.clone()) {
                let (delivery, lane) = (delivery.clone(), lane.clone());
                self.tasks.spawn(async move { (lane.name.clone(), delivery.drain(&lane).await) });
            }
        }
    }

    /// The next lane that is done, and how it ended; `None` when no lane is under way.
    async fn next(&mut self) -> Option<Result<LaneEnd, DaemonError>> {
        Some(match self.tasks.join_next().await? {
            Ok((name, end)) => {
                self.names.remove(&name);
                end.map_err(DaemonError::from)
            }
            Err(error) => Err(DaemonError::Task(error)),
        })
    }
}

fn add(ends: &mut [LaneEnd], more: LaneEnd) {
    if let Some(end) = ends.iter_mut().find(|end| end.name == more.name) {
        end.tally.add(more.tally);
        end.stop = more.stop;
    }
}
