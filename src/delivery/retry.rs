//! When an entry is tried again after an answer, and when no more. The policy is data; the decision is pure.
//!
//! It must not know the ledger or sleep. Unknown outcomes are never resent from here: they are looked up first.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use jiff::Timestamp;

use crate::remote::answer::Class;
use crate::remote::rate_limit::clamped;

/// Delays that grow: `first`, then `factor` times the one before, up to `max`; up to as much again is added by
/// chance, so that entries that failed together do not come back together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delays {
    /// First delay.
    pub first: Duration,
    /// Growth from one delay to the next; at least 1.
    pub factor: f32,
    /// Longest delay before chance.
    pub max: Duration,
}

/// The policy of one lane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policy {
    /// After an outage.
    pub outage: Delays,
    /// After push-back without a `Retry-After`.
    pub throttled: Delays,
    /// After an answer nobody knows.
    pub unclassified: Delays,
    /// While a patient or another resource is missing.
    pub dependency: Delays,
    /// Answers nobody knows, before a person must look.
    pub unclassified_attempts_max: u32,
}

impl Default for Policy {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Self {
            outage: Delays { first: Duration::from_secs(30), factor: 2.0, max: minutes(15) },
            throttled: Delays { first: Duration::from_secs(5), factor: 2.0, max: minutes(5) },
            unclassified: Delays { first: minutes(1), factor: 5.0, max: minutes(60) },
            // One hour, six hours, then daily.
            dependency: Delays { first: minutes(60), factor: 6.0, max: minutes(24 * 60) },
            unclassified_attempts_max: 3,
        }
    }
}

/// What has happened to an entry so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tries {
    /// Attempts spent: answers nobody knew, this one included.
    pub spent: u32,
    /// Answers of the present class in a row, this one included; at least 1.
    pub alike: u32,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing more to send.
    Done,
    /// Send again, not before this instant. No attempt is spent unless the class is unclassified.
    Again(Timestamp),
    /// Look for what is missing again, not before this instant.
    WaitFor(Timestamp),
    /// Look it up on the server first; reconciliation decides.
    LookUp,
    /// A person or the mapping must change it.
    Refused,
    /// Attempts are spent; a person must look.
    Exhausted,
    /// The client id stops until its configuration is changed; the entry is not to blame and stays pending.
    StopLane,
}

/// Whether an answer of this class spends an attempt.
#[must_use]
pub fn spends_an_attempt(class: Class) -> bool {
    class == Class::Unclassified
}

/// Decides what follows an answer. `retry_after` is as received; it is clamped here. `seed` gives the chance in the
/// delay: the same seed gives the same instant.
#[must_use]
pub fn next(
    policy: &Policy,
    class: Class,
    tries: Tries,
    now: Timestamp,
    retry_after: Option<Duration>,
    seed: u64,
) -> Next {
    let due = |delays: &Delays| {
        let wait = retry_after.map_or_else(|| delay(delays, tries.alike, seed), clamped);
        now.saturating_add(wait).unwrap_or(Timestamp::MAX)
    };
    match class {
        Class::Accepted => Next::Done,
        Class::Duplicate | Class::Unknown => Next::LookUp,
        Class::Content => Next::Refused,
        Class::Dependency => Next::WaitFor(due(&policy.dependency)),
        Class::Throttled => Next::Again(due(&policy.throttled)),
        // Only an update can have been carried out and be here; repeating it writes the same content again.
        Class::Outage { .. } => Next::Again(due(&policy.outage)),
        Class::Configuration => Next::StopLane,
        Class::Unclassified if tries.spent >= policy.unclassified_attempts_max => Next::Exhausted,
        Class::Unclassified => Next::Again(due(&policy.unclassified)),
    }
}

/// The delay after the `alike`-th answer in a row of the same class.
fn delay(delays: &Delays, alike: u32, seed: u64) -> Duration {
    let steps = usize::try_from(alike.clamp(1, DELAY_STEPS_MAX)).unwrap_or(1);
    let backoff = ExponentialBuilder::new()
        .with_min_delay(delays.first)
        .with_factor(delays.factor.max(1.0))
        .with_max_delay(delays.max)
        .without_max_times()
        .with_jitter()
        .with_jitter_seed(seed)
        .build();
    backoff.take(steps).last().unwrap_or(delays.max)
}

/// Delays stop growing long before this step; an outage of a week does not make the decision slow.
const DELAY_STEPS_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLASSES: [Class; 9] = [
        Class::Accepted,
        Class::Duplicate,
        Class::Content,
        Class::Dependency,
        Class::Throttled,
        Class::Outage { may_have_executed: false },
        Class::Configuration,
        Class::Unknown,
        Class::Unclassified,
    ];

    fn seconds(next: Next) -> Option<i64> {
        match next {
            Next::Again(due) | Next::WaitFor(due) => Some(due.as_second()),
            _ => None,
        }
    }

    fn after(class: Class, tries: Tries, retry_after: Option<u64>) -> Next {
        let asked = retry_after.map(Duration::from_secs);
        next(&Policy::default(), class, tries, Timestamp::UNIX_EPOCH, asked, 7)
    }

    #[test]
    fn only_unknown_words_spend_attempts_and_only_they_end() {
        assert_eq!(CLASSES.iter().filter(|class| spends_an_attempt(**class)).count(), 1);
        let many = Tries { spent: 1_000, alike: 1_000 };
        assert!(seconds(after(Class::Outage { may_have_executed: false }, many, None)).is_some());
        assert!(seconds(after(Class::Throttled, many, None)).is_some());
        assert!(seconds(after(Class::Unclassified, Tries { spent: 2, alike: 2 }, None)).is_some());
        assert_eq!(after(Class::Unclassified, Tries { spent: 3, alike: 3 }, None), Next::Exhausted);
    }

    #[test]
    fn nothing_of_open_outcome_is_sent_again() {
        let once = Tries { spent: 0, alike: 1 };
        assert_eq!(after(Class::Unknown, once, Some(1)), Next::LookUp);
        assert_eq!(after(Class::Duplicate, once, None), Next::LookUp);
        assert_eq!(after(Class::Configuration, once, None), Next::StopLane);
        assert_eq!(after(Class::Content, once, None), Next::Refused);
        assert_eq!(after(Class::Accepted, once, None), Next::Done);
    }

    #[test]
    fn a_missing_patient_is_asked_for_after_one_hour_six_hours_and_daily() {
        let at = |alike| seconds(after(Class::Dependency, Tries { spent: 0, alike }, None)).unwrap_or(0);
        assert!((3_600..7_200).contains(&at(1)));
        assert!((6 * 3_600..12 * 3_600).contains(&at(2)));
        for alike in 3..40 {
            assert!((24 * 3_600..48 * 3_600).contains(&at(alike)));
        }
    }

    proptest! {
        #[test]
        fn retry_after_is_kept_inside_the_clamp(asked in 0u64..10_000_000, alike in 0u32..100, seed: u64) {
            let now = Timestamp::UNIX_EPOCH;
            let policy = Policy::default();
            let tries = Tries { spent: 0, alike };
            let asked = Some(Duration::from_secs(asked));
            let due = seconds(next(&policy, Class::Throttled, tries, now, asked, seed)).unwrap_or(-1);
            prop_assert!((1..=15 * 60).contains(&due));
        }

        #[test]
        fn delays_have_a_ceiling_and_repeat_under_the_same_seed(alike: u32, seed: u64) {
            let policy = Policy::default();
            let first = delay(&policy.outage, alike, seed);
            prop_assert!(first >= policy.outage.first && first <= policy.outage.max * 2);
            prop_assert_eq!(first, delay(&policy.outage, alike, seed));
        }
    }
}
