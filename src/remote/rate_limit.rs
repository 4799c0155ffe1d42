//! Calls per minute and calls at once for one client id, slowed and raised by what the server shows.
//!
//! It must not know what is sent. The platform publishes no limit, so the configured pace is a ceiling and the
//! real one is found by trying: half on push-back, a step up after each clean minute.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::allowance::Allowance;
use crate::clock::{Clock, Stopwatch};

/// Slowest pace push-back can lead to, in calls a minute.
pub const FLOOR_PER_MINUTE: u32 = 6;

/// Time without push-back that earns one step up.
pub const CLEAN_PERIOD: Duration = Duration::from_secs(60);

/// Steps from nothing to the configured pace: one step is 10 % of it.
const STEPS: u32 = 10;

/// Shortest wait a `Retry-After` can ask for.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// Longest wait a `Retry-After` can ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(15 * 60);

/// A minute, in nanoseconds.
const MINUTE_NANOSECONDS: u64 = 60_000_000_000;

/// Longest single wait for the limiter: then the pace is looked at again, as it may have been raised.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The pace and what it becomes. Pure: time is passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    configured: u32,
    current: u32,
    since: Timestamp,
    generation: u64,
}

impl Pace {
    /// Starts at the configured pace, in calls a minute (at least 1).
    #[must_use]
    pub fn new(configured_per_minute: u32, now: Timestamp) -> Self {
        let configured = configured_per_minute.max(1);
        Self { configured, current: configured, since: now, generation: 0 }
    }

    /// Calls a minute now.
    #[must_use]
    pub fn per_minute(&self) -> u32 {
        self.current
    }

    /// Push-back on a call that left under `generation`: halves the pace. Calls that left before the last halving
    /// tell nothing about the new pace and change nothing. Returns whether the pace changed.
    pub fn throttled(&mut self, generation: u64, now: Timestamp) -> bool {
        if generation != self.generation {
            return false;
        }
        let before = self.current;
        self.current = (self.current / 2).max(FLOOR_PER_MINUTE).min(self.configured);
        self.since = now;
        self.generation += 1;
        self.current != before
    }

    /// A call without push-back: one step up if a clean minute has passed. Returns whether the pace changed.
    pub fn clean(&mut self, now: Timestamp) -> bool {
        let clean_for = Duration::try_from(now.duration_since(self.since)).unwrap_or(Duration::ZERO);
        if self.current == self.configured || clean_for < CLEAN_PERIOD {
            return false;
        }
        let step = (self.configured / STEPS).max(1);
        self.current = self.current.saturating_add(step).min(self.configured);
        self.since = now;
        true
    }
}

/// The wait a `Retry-After` asks for, inside the clamp of 1 s to 15 min.
#[must_use]
pub fn clamped(retry_after: Duration) -> Duration {
    retry_after.clamp(RETRY_AFTER_MIN, RETRY_AFTER_MAX)
}

/// The quota for a pace: never more than `per_minute` calls in any 60 s, the first burst included.
fn quota(per_minute: u32) -> Quota {
    let burst = (per_minute / 60).max(1);
    let steady = per_minute.saturating_sub(burst).saturating_add(1).max(1);
    // Rounded up: a period a nanosecond short lets one call too many into the minute.
    let period = Duration::from_nanos(MINUTE_NANOSECONDS.div_ceil(u64::from(steady)));
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    // A period is never zero, so the quota always exists.
    Quota::with_period(period).unwrap_or_else(|| Quota::per_minute(burst)).allow_burst(burst)
}

/// Our clock in the form governor asks for: time since the limiter was made, monotonic unless the clock is manual.
#[derive(Clone, Debug)]
struct Ticks {
    clock: Clock,
    origin: Timestamp,
    stopwatch: Stopwatch,
}

impl GovernorClock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        match &self.clock {
            Clock::Manual(_) => {
                Duration::try_from(self.clock.now().duration_since(self.origin)).unwrap_or(Duration::ZERO)
            }
            Clock::System | Clock::Moved(_) => self.stopwatch.elapsed(),
        }
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Ticks, NoOpMiddleware<Duration>>;

/// Which calls wait for each other's slots: look-ups must not hold up writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Creates, updates, transactions.
    Write,
    /// Reads and searches.
    LookUp,
}

/// The right to make one call; its slot is free again when it is dropped.
#[derive(Debug)]
pub struct Permit {
    generation: u64,
    _slot: Option<OwnedSemaphorePermit>,
}

/// The limiter of one client id.
#[derive(Debug)]
pub struct Limiter {
    clock: Clock,
    ticks: Ticks,
    pace: Mutex<Pace>,
    bucket: RwLock<(u64, Arc<Bucket>)>,
    at_full_pace: AtomicBool,
    /// No call before this instant, in milliseconds since 1970.
    closed_until: AtomicI64,
    writes: Arc<Semaphore>,
    look_ups: Arc<Semaphore>,
    /// Asked for each call that the pace lets through.
    pub(super) allowance: Allowance,
}

impl Limiter {
    /// A limiter at the configured pace; each lane has `concurrency` slots (at least 1).
    #[must_use]
    pub fn new(per_minute: u32, concurrency: u32, clock: Clock) -> Self {
        let now = clock.now();
        let ticks = Ticks { origin: now, stopwatch: clock.stopwatch(), clock: clock.clone() };
        let pace = Pace::new(per_minute, now);
        let bucket = Arc::new(RateLimiter::direct_with_clock(quota(pace.per_minute()), ticks.clone()));
        let slots = usize::try_from(concurrency.max(1)).unwrap_or(1).min(Semaphore::MAX_PERMITS);
        let allowance = Allowance::new(clock.clone());
        Self {
            clock,
            ticks,
            pace: Mutex::new(pace),
            bucket: RwLock::new((0, bucket)),
            at_full_pace: AtomicBool::new(true),
            closed_until: AtomicI64::new(i64::MIN),
            writes: Arc::new(Semaphore::new(slots)),
            look_ups: Arc::new(Semaphore::new(slots)),
            allowance,
        }
    }

    /// Waits for a slot in the lane and for the pace.
    pub async fn acquire(&self, lane: Lane) -> Permit {
        let slots = match lane {
            Lane::Write => &self.writes,
            Lane::LookUp => &self.look_ups,
        };
        // The semaphore is never closed, so a slot always comes.
        let slot = Arc::clone(slots).acquire_owned().await.ok();
        Permit { generation: self.pass().await, _slot: slot }
    }

    /// Waits for the pace for a second call under the same permit.
    pub async fn again(&self, permit: &mut Permit) {
        permit.generation = self.pass().await;
    }

    async fn pass(&self) -> u64 {
        loop {
            let wait = self.closed_for();
            if !wait.is_zero() {
                self.clock.sleep(wait).await;
                continue;
            }
            let (generation, bucket) = {
                let bucket = self.bucket.read().unwrap_or_else(PoisonError::into_inner);
                (bucket.0, Arc::clone(&bucket.1))
            };
            match bucket.check() {
                Ok(()) => {
                    self.allowance.pass(self.per_minute()).await;
                    return generation;
                }
                Err(not_until) => {
                    let wait = not_until.wait_time_from(self.ticks.now()).min(WAIT_MAX);
                    self.clock.sleep(wait.max(Duration::from_millis(1))).await;
                }
            }
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
        let now = self.clock.now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.throttled(permit.generation, now) {
            tracing::warn!(per_minute = pace.per_minute(), "the server pushed back; calls slowed down");
        }
        self.adopt(&pace);
    }

    /// Tells of a call without push-back.
    pub fn clean(&self) {
        if self.at_full_pace.load(Ordering::Acquire) {
            return;
        }
        let now = self.clock.now();
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if pace.clean(now) {
            tracing::info!(per_minute = pace.per_minute(), "a clean minute; calls sped up");
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
    pub fn per_minute(&self) -> u32 {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner).per_minute()
    }

    fn adopt(&self, pace: &Pace) {
        self.at_full_pace.store(pace.current == pace.configured, Ordering::Release);
        let fresh = Arc::new(RateLimiter::direct_with_clock(quota(pace.current), self.ticks.clone()));
        // A new bucket starts full; a full one after push-back would be the next burst.
        while pace.current < pace.configured && fresh.check().is_ok() {}
        *self.bucket.write().unwrap_or_else(PoisonError::into_inner) = (pace.generation, fresh);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn push_back_halves_once_and_clean_minutes_lead_back() {
        let mut pace = Pace::new(100, at(0));
        assert!(pace.throttled(0, at(10)));
        assert!(!pace.throttled(0, at(11)), "calls sent before the halving do not halve again");
        assert_eq!(pace.per_minute(), 50);
        assert!(!pace.clean(at(69)));
        assert!(pace.clean(at(70)));
        assert_eq!(pace.per_minute(), 60);
        assert!(!pace.clean(at(71)), "one step a minute");
        for minute in 2..=20 {
            pace.clean(at(70 + 60 * minute));
        }
        assert_eq!(pace.per_minute(), 100);
    }

    #[test]
    fn the_floor_holds_and_never_exceeds_a_lower_setting() {
        let mut pace = Pace::new(20, at(0));
        for generation in 0..10 {
            pace.throttled(generation, at(1));
        }
        assert_eq!(pace.per_minute(), FLOOR_PER_MINUTE);
        let mut slow = Pace::new(3, at(0));
        slow.throttled(0, at(1));
        assert_eq!(slow.per_minute(), 3);
    }

    #[tokio::test]
    async fn no_minute_holds_more_calls_than_allowed() {
        for per_minute in [1, 6, 60, 300] {
            let clock = Clock::manual(at(0));
            let limiter = Limiter::new(per_minute, 1000, clock.clone());
            let mut times = Vec::new();
            for _ in 0..per_minute * 3 + 1 {
                limiter.acquire(Lane::Write).await;
                times.push(clock.now());
            }
            for (index, first) in times.iter().enumerate() {
                let within = times[index..].iter().filter(|time| time.duration_since(*first).as_secs() < 60).count();
                assert!(within <= per_minute as usize, "{within} calls in a minute at {per_minute}");
            }
            let spent = times.last().unwrap().duration_since(at(0)).as_secs();
            assert!(spent <= 3 * 60 + 10, "{per_minute} a minute took {spent} s for three minutes' calls");
        }
    }

    #[tokio::test]
    async fn retry_after_closes_the_lane_inside_the_clamp() {
        for (asked, seconds) in [(0, 1), (30, 30), (86_400, 900)] {
            let clock = Clock::manual(at(0));
            let limiter = Limiter::new(10_000, 4, clock.clone());
            limiter.close_for(Duration::from_secs(asked));
            limiter.acquire(Lane::LookUp).await;
            assert_eq!(clock.now(), at(seconds));
        }
    }

    #[tokio::test]
    async fn push_back_slows_the_calls_that_follow() {
        let clock = Clock::manual(at(0));
        let limiter = Limiter::new(600, 4, clock.clone());
        let permit = limiter.acquire(Lane::Write).await;
        limiter.throttled(&permit);
        assert_eq!(limiter.per_minute(), 300);
        for _ in 0..300 {
            limiter.acquire(Lane::Write).await;
        }
        assert!(clock.now() >= at(59), "300 calls took until {}", clock.now());
    }
}
