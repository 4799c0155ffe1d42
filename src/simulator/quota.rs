//! Hidden limits of calls: fixed windows, sliding windows and buckets, per client.
//!
//! It must not tell the caller anything but the refusal. The ministry publishes no limit (satusehat-api.md, section 2):
//! every one in here is invented and settable.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::outcome::Reply;

/// Seconds of a day, the window of a daily quota.
pub const DAY_SECONDS: u64 = 86_400;
/// Thousandths of a call: the unit a bucket is filled in.
const THOUSANDTHS: u64 = 1000;

/// How calls are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// A bucket that fills evenly: short bursts pass.
    #[default]
    Bucket,
    /// All calls of the last `seconds`.
    Sliding,
    /// Windows of `seconds` one after the other; all calls are free again when the next begins.
    Fixed,
}

/// What the gateway calls the refusal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// `policies.ratelimit.SpikeArrestViolation`.
    #[default]
    SpikeArrest,
    /// `policies.ratelimit.QuotaViolation`.
    Quota,
}

/// A limit of calls per client.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Calls in each window.
    pub calls: u32,
    /// Length of the window in seconds; 86400 for a daily quota.
    pub seconds: u64,
    /// How calls are counted.
    #[serde(default)]
    pub window: Window,
    /// Seconds by which fixed windows begin after midnight UTC; 61200 for midnight in western Indonesia.
    #[serde(default)]
    pub starts_at_second: u64,
    /// Status of the refusal: 429, or 500 as older gateways give it.
    #[serde(default = "too_many")]
    pub status: u16,
    /// Name of the refusal.
    #[serde(default)]
    pub violation: Violation,
}

fn too_many() -> u16 {
    429
}

impl Quota {
    /// A bucket of so many calls a minute, refused with 429.
    #[must_use]
    pub fn per_minute(calls: u32) -> Self {
        Self {
            calls,
            seconds: 60,
            window: Window::Bucket,
            starts_at_second: 0,
            status: too_many(),
            violation: Violation::SpikeArrest,
        }
    }

    /// What is wrong with the settings.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        if self.calls == 0 || self.seconds == 0 {
            Some("a quota needs at least one call and one second")
        } else if !(400..=599).contains(&self.status) {
            Some("the status of a quota must lie between 400 and 599")
        } else {
            None
        }
    }

    fn refusal(&self) -> Reply {
        match self.violation {
            Violation::SpikeArrest => {
                Reply::fault(self.status, "Spike arrest violation", "policies.ratelimit.SpikeArrestViolation")
            }
            Violation::Quota => {
                Reply::fault(self.status, "Rate limit quota violation", "policies.ratelimit.QuotaViolation")
            }
        }
    }
}

/// What one client used of one quota.
#[derive(Clone, Debug, Default)]
struct Used {
    /// Sliding: moments of the calls in the window, in milliseconds.
    moments: VecDeque<i64>,
    /// Fixed: number of the window and calls in it.
    window: (i64, u32),
    /// Bucket: thousandths of a call that are gone, and since when, in milliseconds.
    spent: (u64, i64),
}

impl Used {
    /// Whether one more call is within the quota at `now`; brings the counters up to that moment.
    fn has_room(&mut self, quota: &Quota, now: i64) -> bool {
        let length = i64::try_from(quota.seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
        match quota.window {
            Window::Sliding => {
                while self.moments.front().is_some_and(|first| now.saturating_sub(*first) >= length) {
                    self.moments.pop_front();
                }
                self.moments.len() < quota.calls as usize
            }
            Window::Fixed => {
                let shift = i64::try_from(quota.starts_at_second).unwrap_or(0).saturating_mul(1000);
                let number = now.saturating_sub(shift).div_euclid(length);
                if self.window.0 != number {
                    self.window = (number, 0);
                }
                self.window.1 < quota.calls
            }
            Window::Bucket => {
                let passed = u64::try_from(now.saturating_sub(self.spent.1)).unwrap_or(0);
                let gained = passed.saturating_mul(u64::from(quota.calls)) / quota.seconds;
                if gained > 0 || self.spent.0 == 0 {
                    self.spent = (self.spent.0.saturating_sub(gained), now);
                }
                self.spent.0 + THOUSANDTHS <= u64::from(quota.calls) * THOUSANDTHS
            }
        }
    }

    fn take(&mut self, quota: &Quota, now: i64) {
        match quota.window {
            Window::Sliding => self.moments.push_back(now),
            Window::Fixed => self.window.1 += 1,
            Window::Bucket => self.spent.0 += THOUSANDTHS,
        }
    }
}

/// All quotas of all clients.
#[derive(Default)]
pub(super) struct Meter {
    quotas: Vec<Quota>,
    clients: HashMap<String, Vec<Used>>,
}

impl Meter {
    /// Counts by these quotas.
    pub(super) fn new(quotas: Vec<Quota>) -> Self {
        Self { quotas, clients: HashMap::new() }
    }

    /// Takes one call of a client from every quota, or refuses it and takes none.
    pub(super) fn take(&mut self, client_id: &str, now: Timestamp) -> Result<(), Reply> {
        if self.quotas.is_empty() {
            return Ok(());
        }
        let fresh = || vec![Used::default(); self.quotas.len()];
        let used = self.clients.entry(client_id.to_owned()).or_insert_with(fresh);
        let now = now.as_millisecond();
        for (quota, used) in self.quotas.iter().zip(used.iter_mut()) {
            if !used.has_room(quota, now) {
                return Err(quota.refusal());
            }
        }
        for (quota, used) in self.quotas.iter().zip(used.iter_mut()) {
            used.take(quota, now);
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// How many of the calls at the given milliseconds pass.
    fn passed(quota: Quota, moments: &[i64]) -> Vec<bool> {
        let mut meter = Meter::new(vec![quota]);
        let at = |moment: &i64| Timestamp::from_millisecond(*moment).unwrap();
        moments.iter().map(|moment| meter.take("a", at(moment)).is_ok()).collect()
    }

    fn quota(window: Window) -> Quota {
        Quota { calls: 2, seconds: 10, window, ..Quota::per_minute(2) }
    }

    #[test]
    fn the_three_windows_count_differently() {
        let moments = [9_000, 9_500, 9_900, 10_100, 10_200, 19_100, 19_600];
        assert_eq!(passed(quota(Window::Fixed), &moments), [true, true, false, true, true, false, false]);
        assert_eq!(passed(quota(Window::Sliding), &moments), [true, true, false, false, false, true, true]);
        assert_eq!(passed(quota(Window::Bucket), &moments), [true, true, false, false, false, true, true]);
    }

    #[test]
    fn a_daily_quota_begins_at_its_own_hour() {
        let daily = Quota { seconds: DAY_SECONDS, starts_at_second: 61_200, ..quota(Window::Fixed) };
        let hour = 3_600_000;
        assert_eq!(passed(daily, &[hour, 2 * hour, 16 * hour, 17 * hour]), [true, true, false, true]);
    }

    #[test]
    fn clients_do_not_share_and_a_refused_call_costs_nothing() {
        let mut meter = Meter::new(vec![quota(Window::Sliding), Quota { calls: 1, ..quota(Window::Fixed) }]);
        let now = Timestamp::UNIX_EPOCH;
        assert!(meter.take("a", now).is_ok() && meter.take("a", now).is_err() && meter.take("b", now).is_ok());
        assert_eq!(meter.clients.get("a").and_then(|used| used.first()).map(|used| used.moments.len()), Some(1));
    }
}
