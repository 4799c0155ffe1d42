//! Calls per minute and calls at once for one client id, slowed and raised by what the server shows.
//!
//! It must not know what is sent. The platform publishes no limit, so the configured pace is a ceiling and the real one
//! is found by trying (`pace`). Look-ups and writes take turns, so that a backlog of one never holds up the other.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::allowance::Allowance;
use super::pace::{Learnt, Left, Pace};
use crate::clock::{Clock, Timer};

/// Shortest wait a `Retry-After` can ask for.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Longest wait a `Retry-After` can ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// Part of the calls that look-ups get while writes wait as well, in percent; what one kind leaves, the other takes.
pub const LOOK_UPS_PERCENT: i32 = 30;

/// Part of the calls that reading back gets while others wait as well, in percent, unless it is set.
pub const READ_BACK_PERCENT: u32 = 10;

/// The largest such part: sending comes first.
pub const READ_BACK_PERCENT_MAX: u32 = 50;

/// A minute, in nanoseconds.
const MINUTE_NANOSECONDS: f64 = 60e9;

/// Longest single wait for the limiter: then the pace is looked at again, as it may have been raised.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Calls that may leave at once, as part of a minute: a second's worth while no limit is known, a tenth of it after.
const BURST_PARTS: (f64, f64) = (60.0, 600.0);

/// The wait a `Retry-After` asks for, inside the clamp of 1 s to 15 min.
#[must_use]
pub fn clamped(retry_after: Duration) -> Duration {
    retry_after.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

/// The quota for a pace: never more than `per_minute` calls in any 60 s, the first burst included.
fn quota(per_minute: f64, burst_part: f64) -> Quota {
    let burst = (per_minute / burst_part).floor().max(1.0);
    let steady = (per_minute - burst + 1.0).max(1.0);
    // Rounded up: a period a nanosecond short lets one call too many into the minute.
    let period = Duration::from_nanos((MINUTE_NANOSECONDS / steady).ceil() as u64);
    let burst = NonZeroU32::new(burst as u32).unwrap_or(NonZeroU32::MIN);
    // A period is never zero, so the quota always exists.
    Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(burst)).allow_burst(burst)
}

/// Our clock in the form governor asks for: time since the limiter was made.
#[derive(Clone, Debug)]
struct Ticks(Timer);

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// Which calls wait for each other's slots: look-ups must not hold up writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Creates, updates, transactions.
    Write,
    /// Reads and searches that something waits for to be sent.
    LookUp,
    /// Reads and searches that nothing waits for: whether what was delivered is still there.
    ReadBack,
}

impl Kind {
    /// All kinds, in the order of their shares.
    const ALL: [Self; 3] = [Self::Write, Self::LookUp, Self::ReadBack];

    fn index(self) -> usize {
        match self {
            Self::Write => 0,
            Self::LookUp => 1,
            Self::ReadBack => 2,
        }
    }
}

/// Parts of the calls that each kind gets of those that wait, in percent of a percent: reading back its percentage of the
/// whole, the others the rest by their own shares.
fn shares(waits: [bool; 3], read_back_percent: i32) -> [i32; 3] {
    let own = [(100 - LOOK_UPS_PERCENT) * 100, LOOK_UPS_PERCENT * 100];
    let part = |at: usize| if waits[at] { own[at] } else { 0 };
    let others = part(0) + part(1);
    let read_back = others * read_back_percent / (100 - read_back_percent);
    [part(0), part(1), if waits[2] { read_back } else { 0 }]
}

/// The right to make one call; its slot is free again when it is dropped.
#[derive(Debug)]
pub struct Permit {
    left: Left,
    _slot: Option<OwnedSemaphorePermit>,
}

/// The calls of one kind that wait.
#[derive(Debug)]
struct Queue {
    slots: Arc<Semaphore>,
    /// Held by the one that is next.
    head: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
}

impl Queue {
    fn new(slots: usize) -> Self {
        let slots = Arc::new(Semaphore::new(slots));
        Self { slots, head: tokio::sync::Mutex::new(()), waiting: AtomicUsize::new(0) }
    }
}

/// Counts a call as waiting until it goes or is given up.
struct Waiting<'a> {
    queue: &'a Queue,
    turned: &'a Notify,
}

impl<'a> Waiting<'a> {
    fn new(queue: &'a Queue, turned: &'a Notify) -> Self {
        queue.waiting.fetch_add(1, Ordering::AcqRel);
        Self { queue, turned }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(1, Ordering::AcqRel);
        self.turned.notify_waiters();
    }
}

/// The limiter of one client id.
#[derive(Debug)]
pub struct Limiter {
    clock: Clock,
    ticks: Ticks,
    pace: Mutex<Pace>,
    bucket: RwLock<Arc<Bucket>>,
    /// No call before this instant, in milliseconds since 1970.
    closed_until: AtomicI64,
    queues: [Queue; 3],
    /// What each kind is owed, in ten thousandths of a call.
    owed: Mutex<[i32; 3]>,
    read_back_percent: AtomicI32,
    turned: Notify,
    is_held: AtomicBool,
    /// Asked for each call that the pace lets through.
    pub(super) allowance: Allowance,
}

impl Limiter {
    /// A limiter at the configured pace; each kind of call has `concurrency` slots (at least 1).
    #[must_use]
    pub fn new(per_minute: u32, concurrency: u32, clock: Clock) -> Self {
        let ticks = Ticks(clock.timer());
        let pace = Pace::new(per_minute, None);
        let slots = usize::try_from(concurrency.max(1)).unwrap_or(1).min(Semaphore::MAX_PERMITS);
        let allowance = Allowance::new(clock.clone());
        Self {
            bucket: RwLock::new(Arc::new(bucket(&pace, &ticks))),
            clock,
            ticks,
            pace: Mutex::new(pace),
            closed_until: AtomicI64::new(i64::MIN),
            queues: Kind::ALL.map(|_| Queue::new(slots)),
            owed: Mutex::new([0; 3]),
            read_back_percent: AtomicI32::new(READ_BACK_PERCENT as i32),
            turned: Notify::new(),
            is_held: AtomicBool::new(false),
            allowance,
        }
    }

    /// Goes on with what an earlier run learnt, as long as nothing was learnt here.
    pub fn restore(&self, learnt: Learnt) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.is_free() {
            pace.restore(learnt, self.ticks.now());
            self.adopt(&pace);
        }
    }

    /// What was learnt, to be kept across restarts.
    #[must_use]
    pub fn learnt(&self) -> Learnt {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).learnt()
    }

    /// Lets no more call through, for good: the gateway stops.
    pub fn hold(&self) {
        self.is_held.store(true, Ordering::Release);
        self.turned.notify_waiters();
    }

    /// Waits for a slot and for the pace; `None` when no more call is let through.
    pub async fn acquire(&self, kind: Kind) -> Option<Permit> {
        // The semaphore is never closed, so a slot always comes.
        let slot = Arc::clone(&self.queue(kind).slots).acquire_owned().await.ok();
        Some(Permit { left: self.pass(kind).await?, _slot: slot })
    }

    /// Waits for the pace for a second call under the same permit.
    pub async fn again(&self, kind: Kind, permit: &mut Permit) -> Option<()> {
        permit.left = self.pass(kind).await?;
        Some(())
    }

    /// Gives reading back another part of the calls, in percent.
    pub fn share_read_back(&self, percent: u32) {
        self.read_back_percent.store(percent.min(READ_BACK_PERCENT_MAX) as i32, Ordering::Relaxed);
    }

    fn queue(&self, kind: Kind) -> &Queue {
        &self.queues[kind.index()]
    }

    /// The kinds that wait now, and this one.
    fn waiting_beside(&self, kind: Kind) -> [bool; 3] {
        let waits = |one: Kind| one == kind || self.queue(one).waiting.load(Ordering::Acquire) > 0;
        Kind::ALL.map(waits)
    }

    async fn pass(&self, kind: Kind) -> Option<Left> {
        let waiting = Waiting::new(self.queue(kind), &self.turned);
        let _head = waiting.queue.head.lock().await;
        loop {
            if self.is_held.load(Ordering::Acquire) {
                return None;
            }
            let wait = self.closed_for();
            if !wait.is_zero() {
                self.clock.sleep(wait.min(WAIT_MAX)).await;
                continue;
            }
            let turned = self.turned.notified();
            let mut turned = std::pin::pin!(turned);
            turned.as_mut().enable();
            if !self.is_turn_of(kind) {
                turned.await;
                continue;
            }
            let bucket = Arc::clone(&self.bucket.read().unwrap_or_else(PoisonError::into_inner));
            if let Err(not_until) = bucket.check() {
                let wait = not_until.wait_time_from(self.ticks.now()).min(WAIT_MAX);
                self.clock.sleep(wait.max(Duration::from_millis(1))).await;
                continue;
            }
            // A part of a call counts as one: what is asked for together stays below the ceiling.
            self.allowance.pass(self.per_minute().ceil() as u32).await;
            self.took_turn(kind);
            let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
            return Some(pace.left(self.ticks.now()));
        }
    }

    /// Whether this kind may go: no other kind that waits is owed more.
    fn is_turn_of(&self, kind: Kind) -> bool {
        let owed = *self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = self.waiting_beside(kind);
        let own = (owed[kind.index()], std::cmp::Reverse(kind.index()));
        (0..waits.len()).filter(|at| waits[*at]).all(|at| own >= (owed[at], std::cmp::Reverse(at)))
    }

    fn took_turn(&self, kind: Kind) {
        let waits = self.waiting_beside(kind);
        if waits.iter().filter(|waits| **waits).count() < 2 {
            return;
        }
        let shares = shares(waits, self.read_back_percent.load(Ordering::Relaxed));
        let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        // Each call gives all that wait their share, and is paid by its own kind.
        for (at, share) in shares.into_iter().enumerate() {
            owed[at] += share;
            owed[kind.index()] -= share;
        }
    }

    fn closed_for(&self) -> Duration {
        let until = self.closed_until.load(Ordering::Acquire);
        if until == i64::MIN {
            return Duration::ZERO;
        }
        let left = until.saturating_sub(self.clock.now().as_millisecond());
        if left <= 0 {
            // Left in place by a race at worst, which costs one more look at the clock.
            let _ = self.closed_until.compare_exchange(until, i64::MIN, Ordering::AcqRel, Ordering::Relaxed);
        }
        // A wall clock set back must not close the lane for longer than a Retry-After may.
        Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(RETRY_AFTER_MAX)
    }

    /// Tells of push-back on a call: halves the pace.
    pub fn throttled(&self, permit: &Permit) {
        let now = self.ticks.now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.throttled(permit.left, now) {
            tracing::warn!(per_minute = shown(pace.per_minute()), "the server pushed back; calls slowed down");
            self.adopt(&pace);
        }
    }

    /// Tells of a call without push-back.
    pub fn clean(&self, permit: &Permit) {
        let now = self.ticks.now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.clean(permit.left, now) {
            tracing::info!(per_minute = shown(pace.per_minute()), "calls sped up");
            self.adopt(&pace);
        }
    }

    /// No call before the clamped `Retry-After` has passed.
    pub fn close_for(&self, retry_after: Duration) {
        let until = self.clock.now().saturating_add(clamped(retry_after)).unwrap_or(Timestamp::MAX);
        self.closed_until.fetch_max(until.as_millisecond(), Ordering::AcqRel);
    }

    /// Calls a minute now.
    #[must_use]
    pub fn per_minute(&self) -> f64 {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).per_minute()
    }

    fn adopt(&self, pace: &Pace) {
        let fresh = bucket(pace, &self.ticks);
        // A new bucket starts full; a full one after push-back would be the next burst.
        while !pace.is_free() && fresh.check().is_ok() {}
        *self.bucket.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
    }
}

fn bucket(pace: &Pace, ticks: &Ticks) -> Bucket {
    let part = if pace.is_free() { BURST_PARTS.0 } else { BURST_PARTS.1 };
    RateLimiter::direct_with_clock(quota(pace.per_minute(), part), ticks.clone())
}

/// A pace as people read it.
fn shown(per_minute: f64) -> f64 {
    (per_minute * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests;
