//! The time of a manual clock: it goes to the earliest of those that wait, when nobody has anything else to do.
//!
//! For tests, and for what runs in virtual time. It must not know what is waited for. Time that passes and time that
//! somebody sets are two things here as they are on a machine: a clock set back makes nobody wait longer.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// Turns that a waiting task gives to others before it moves the clock: sockets are looked at after 61 of them, and an
/// exchange on this machine takes a few such looks.
pub(super) const TURNS_BEFORE_A_MOVE: u32 = 256;

/// Longest time, of the machine, that a waiting task gives to calls that are on the wire: one that is never answered must
/// not hold the clock for good.
const CALL_PATIENCE: Duration = Duration::from_millis(250);

/// The same for one whose time comes earlier but that does not go on. Longer, since that one may just have been patient
/// with a call.
const SLEEPER_PATIENCE: Duration = Duration::from_secs(1);

/// Pause, of the machine, between two looks whether calls are still on the wire.
const CALL_LOOK: Duration = Duration::from_millis(1);

/// The time of a manual clock, and what holds it.
#[derive(Debug)]
pub struct Stage {
    time: Mutex<Time>,
    /// Calls on the wire, less those that wait at the server for this clock.
    under_way: AtomicI64,
}

#[derive(Debug)]
struct Time {
    at: Timestamp,
    /// What has passed since the clock was made, whatever it was set to.
    passed: Duration,
    /// Until when somebody waits, by what will have passed then; the number tells two apart.
    waits: BTreeSet<(Duration, u64)>,
    number: u64,
}

impl Time {
    fn pass(&mut self, by: Duration) {
        self.passed += by;
        self.at = self.at.saturating_add(by).unwrap_or(Timestamp::MAX);
    }
}

/// Somebody waits until this is dropped.
struct Wait<'a> {
    stage: &'a Stage,
    until: (Duration, u64),
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.stage.time().waits.remove(&self.until);
    }
}

/// Holds a manual clock while a call is on its way, so that no virtual second passes between its leaving and its
/// arrival, or while sources are read; or lets it go while the server holds the answer back. On any other clock it does
/// nothing.
#[derive(Debug)]
pub struct UnderWay(Option<(Arc<Stage>, i64)>);

impl UnderWay {
    /// Counts so many calls, on this stage.
    pub(super) fn count(stage: Option<&Arc<Stage>>, calls: i64) -> Self {
        Self(stage.map(|stage| {
            stage.under_way.fetch_add(calls, Ordering::AcqRel);
            (Arc::clone(stage), calls)
        }))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some((stage, calls)) = &self.0 {
            stage.under_way.fetch_sub(*calls, Ordering::AcqRel);
        }
    }
}

impl Stage {
    /// Time stands at this instant.
    pub(super) fn new(at: Timestamp) -> Self {
        let time = Time { at, passed: Duration::ZERO, waits: BTreeSet::new(), number: 0 };
        Self { time: Mutex::new(time), under_way: AtomicI64::new(0) }
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.time().at
    }

    /// What has passed since the clock was made.
    pub(super) fn passed(&self) -> Duration {
        self.time().passed
    }

    /// Lets time pass.
    pub(super) fn advance(&self, by: Duration) {
        self.time().pass(by);
    }

    /// Sets the clock, without time having passed.
    pub(super) fn set(&self, to: Timestamp) {
        self.time().at = to;
    }

    /// Waits until so much time has passed, and moves the clock when nobody waits for less.
    pub(super) async fn sleep(&self, duration: Duration) {
        let wait = self.wait(duration);
        let (mut seen, mut stuck) = (self.time().passed, Instant::now());
        loop {
            self.let_others_go().await;
            let mut time = self.time();
            if time.passed != seen {
                (seen, stuck) = (time.passed, Instant::now());
            }
            if time.waits.first() == Some(&wait.until) || stuck.elapsed() >= SLEEPER_PATIENCE {
                let left = wait.until.0.saturating_sub(time.passed);
                time.pass(left);
            }
            if time.passed >= wait.until.0 {
                break;
            }
        }
        drop(wait);
        tokio::task::yield_now().await;
    }

    fn wait(&self, duration: Duration) -> Wait<'_> {
        let mut time = self.time();
        time.number += 1;
        let until = (time.passed.saturating_add(duration), time.number);
        time.waits.insert(until);
        Wait { stage: self, until }
    }

    /// Gives others their turn, and what is on the wire the time to arrive.
    async fn let_others_go(&self) {
        let patience = Instant::now();
        while self.under_way.load(Ordering::Acquire) > 0 && patience.elapsed() < CALL_PATIENCE {
            tokio::time::sleep(CALL_LOOK).await;
        }
        for _ in 0..TURNS_BEFORE_A_MOVE {
            tokio::task::yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn it_moves_only_when_told() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now().as_second(), 60);
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
    }

    #[tokio::test]
    async fn it_stands_still_while_a_call_is_on_its_way_unless_the_server_waits_for_it() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let call = clock.under_way();
        let (held, served) = (clock.clone(), clock.clone());
        let sleeper = tokio::spawn(async move { held.sleep(Duration::from_secs(60)).await });
        for _ in 0..2 * TURNS_BEFORE_A_MOVE {
            tokio::task::yield_now().await;
            assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        }
        drop(call);
        sleeper.await.expect("the sleeper ends");
        assert_eq!(clock.now().as_second(), 60);

        let _call = clock.under_way();
        let server = tokio::spawn(async move { served.sleep_in_a_call(Duration::from_secs(60)).await });
        for _ in 0..2 * TURNS_BEFORE_A_MOVE {
            tokio::task::yield_now().await;
        }
        assert!(server.is_finished(), "it waited for the call that it answers");
        assert_eq!(clock.now().as_second(), 120);
        clock.sleep(Duration::from_secs(60)).await;
        assert_eq!(clock.now().as_second(), 180, "a call that is never answered holds no clock for good");
    }

    /// Each waits for its own time, whoever began first, and all of them together for the longest.
    #[tokio::test]
    async fn it_goes_to_the_earliest_of_those_that_wait() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for seconds in [10_u64, 3, 7, 3, 0] {
            let (clock, woken) = (clock.clone(), Arc::clone(&woken));
            tasks.spawn(async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                let second = clock.now().as_second();
                woken.lock().expect("no panic").push((seconds, second));
            });
        }
        tasks.join_all().await;
        assert_eq!(*woken.lock().expect("no panic"), [(0, 0), (3, 3), (3, 3), (7, 7), (10, 10)]);
    }

    #[tokio::test]
    async fn one_that_gave_up_waiting_or_does_not_go_on_holds_nobody_and_a_clock_set_back_neither() {
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let mut earlier = Box::pin(clock.sleep(Duration::from_secs(1)));
        assert!((&mut earlier).now_or_never().is_none());
        drop(earlier);
        let mut stuck = Box::pin(clock.sleep(Duration::from_secs(2)));
        assert!((&mut stuck).now_or_never().is_none());
        clock.sleep(Duration::from_secs(5)).await;
        assert_eq!(clock.now().as_second(), 5);
        stuck.await;
        assert_eq!(clock.now().as_second(), 5, "its time had come long before");

        let sleeper = clock.clone();
        let sleeper = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(5)).await });
        tokio::task::yield_now().await;
        clock.set(Timestamp::UNIX_EPOCH);
        sleeper.await.expect("the sleeper ends");
        assert_eq!(clock.now().as_second(), 5, "it waited five seconds, whatever the clock was set to");
    }
}
