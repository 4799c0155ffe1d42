//! The calls a minute of one client id, shared by the daemons on one ledger.
//!
//! It must not make calls. A daemon that wants to call asks for a few calls at once; what it does not use in time is
//! lost, so that no minute ever holds more calls than allowed, whoever makes them.

use std::time::Duration;

use super::command::Command;
use super::{Ledger, LedgerError};

/// How long calls may be begun once their time has come; half of what the plan reckons with, the other half is for
/// the way of the answer.
pub(super) const VALID: Duration = Duration::from_millis(500);
/// What the plan reckons with.
const VALID_RECKONED_MS: u64 = 1_000;
/// Calls given away at once: those of this part of a minute.
const PART_OF_MINUTE: u32 = 60;
/// A minute, in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// Calls that may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calls {
    /// How many, at least one.
    pub calls: u32,
    /// From when on, counted from now.
    pub wait: Duration,
    /// For how long from then on.
    pub valid: Duration,
}

/// How many calls are given away at once at a pace, and how far such gifts lie apart: so far that those which reach
/// into any one minute are no more calls than the pace.
pub(super) fn plan(per_minute: u32) -> (u32, Duration) {
    let calls = (per_minute / PART_OF_MINUTE).max(1);
    let gifts = u64::from((per_minute / calls).max(1));
    (calls, Duration::from_millis((MINUTE_MS + VALID_RECKONED_MS) / gifts + 1))
}

impl Ledger {
    /// The next calls under a client id at a pace that all daemons on this ledger keep together.
    ///
    /// # Errors
    /// Failures of the store: then no call may be made.
    pub async fn take_calls(&self, client: &str, per_minute: u32) -> Result<Calls, LedgerError> {
        let client = client.to_owned();
        self.writer()?.ask(|reply| Command::TakeCalls { client, per_minute, reply }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_minute_holds_more_calls_than_the_pace() {
        for per_minute in [1, 2, 7, 59, 60, 61, 119, 120, 300, 1_000, 6_001] {
            let (calls, apart) = plan(per_minute);
            let apart = u64::try_from(apart.as_millis()).unwrap_or(0);
            // A gift counts for a minute when it begins less than its validity before that minute or inside it.
            let gifts = (MINUTE_MS + VALID_RECKONED_MS) / apart + 1;
            assert!(gifts * u64::from(calls) <= u64::from(per_minute), "{per_minute}: {gifts} gifts of {calls}");
            assert!(per_minute < 30 || gifts * u64::from(calls) * 100 >= u64::from(per_minute) * 95, "{per_minute}");
        }
    }
}
