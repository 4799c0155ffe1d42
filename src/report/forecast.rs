//! How many visits of today will not be delivered by 24:00 if sending goes on as it does now.
//!
//! Pure. It must not promise anything: the speed is that of the last half hour, so a lane that only just began to send
//! looks slower than it is.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::Zone;
use crate::ledger::forecast::{LATELY, LaneDay};

/// What is expected of one lane's day.
#[derive(Clone, Debug, PartialEq)]
pub struct Forecast {
    /// The puskesmas.
    pub lane: String,
    /// Its zone.
    pub zone: Zone,
    /// When the day ends there.
    pub ends: Timestamp,
    /// Visits of the day that wait for their turn or an answer.
    pub waiting: u64,
    /// Visits of the day that wait for a patient or another thing; they are not among `late`.
    pub blocked: u64,
    /// Visits a minute lately.
    pub per_minute: f64,
    /// Of those that wait, how many will not be delivered in time at that speed.
    pub late: u64,
    /// The alarm that is due, if any is.
    pub alarm: Option<Alarm>,
}

/// How close the end of the day is when visits are expected to be late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// Two hours or less.
    TwoHours,
    /// Half an hour or less.
    HalfHour,
}

impl Alarm {
    /// All, the earlier first.
    pub const ALL: [Self; 2] = [Self::TwoHours, Self::HalfHour];

    /// Time before the end of the day from which it is given.
    #[must_use]
    pub fn before_end(self) -> Duration {
        match self {
            Self::TwoHours => Duration::from_secs(2 * 60 * 60),
            Self::HalfHour => Duration::from_secs(30 * 60),
        }
    }

    /// The word in JSON, logs and the ledger.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TwoHours => "two_hours",
            Self::HalfHour => "half_hour",
        }
    }
}

/// Expects of one day that the lane goes on at its speed of the last half hour.
#[must_use]
pub fn forecast(day: &LaneDay, now: Timestamp) -> Forecast {
    let left = Duration::try_from(day.ends.duration_since(now)).unwrap_or(Duration::ZERO);
    // In whole visits, so that no rounding hides one.
    let in_time = u128::from(day.lately) * left.as_millis() / LATELY.as_millis().max(1);
    let late = day.waiting.saturating_sub(u64::try_from(in_time).unwrap_or(u64::MAX));
    let is_due = |alarm: &&Alarm| late > 0 && left <= alarm.before_end();
    Forecast {
        lane: day.lane.clone(),
        zone: day.zone,
        ends: day.ends,
        waiting: day.waiting,
        blocked: day.blocked,
        per_minute: day.lately as f64 / (LATELY.as_secs_f64() / 60.0),
        late,
        alarm: Alarm::ALL.iter().rev().find(is_due).copied(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(waiting: u64, lately: u64, minutes_left: i64) -> Forecast {
        let ends: Timestamp = "2026-11-18T17:00:00Z".parse().unwrap();
        let day = LaneDay { lane: "A".into(), zone: Zone::Wib, ends, waiting, blocked: 1, lately };
        forecast(&day, ends - Duration::from_secs(u64::try_from(minutes_left).unwrap() * 60))
    }

    #[test]
    fn what_the_present_rate_does_not_reach_is_late_and_alarms_come_twice() {
        let calm = of(100, 60, 60);
        assert_eq!((calm.late, calm.alarm, calm.per_minute), (0, None, 2.0));
        assert_eq!(of(121, 60, 60).late, 1);
        assert_eq!(of(121, 60, 60).alarm, Some(Alarm::TwoHours));
        assert_eq!(of(300, 30, 180), Forecast { late: 120, alarm: None, ..of(300, 30, 180) });
        assert_eq!(of(300, 30, 120).alarm, Some(Alarm::TwoHours));
        assert_eq!(of(300, 30, 30).alarm, Some(Alarm::HalfHour));
        assert_eq!(of(7, 0, 29), Forecast { late: 7, alarm: Some(Alarm::HalfHour), ..of(7, 0, 29) });
        assert_eq!(of(0, 0, 5).alarm, None);
    }
}
