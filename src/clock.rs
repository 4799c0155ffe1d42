//! Time as a value, so that every other module can be tested at any moment of any day.
//!
//! The only reader of the system clock. It must not know what the time is used for.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::{SignedDuration, Timestamp};

use stage::{Stage, UnderWay};

pub mod stage;

/// Where the time comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system clock.
    System,
    /// The system clock moved by a constant: the demonstration lives on the day of its sample.
    Moved(SignedDuration),
    /// A clock that stands still until it is moved; it also goes to the earliest of those that sleep.
    Manual(Arc<Stage>),
}

impl Clock {
    /// A clock that stands at `at` and moves only by [`Clock::advance`] and [`Clock::sleep`].
    #[must_use]
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(Stage::new(at)))
    }

    /// A clock that runs like the system clock but started at `at`.
    #[must_use]
    pub fn started_at(at: Timestamp) -> Self {
        Self::Moved(at.duration_since(Timestamp::now()))
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Moved(by) => Timestamp::now().saturating_add(*by).unwrap_or(Timestamp::MAX),
            Self::Manual(stage) => stage.now(),
        }
    }

    /// Moves a manual clock; the other clocks move by themselves and ignore this.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(stage) = self {
            stage.advance(by);
        }
    }

    /// Sets a manual clock, also back, as somebody sets a machine's; the other clocks ignore this.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(stage) = self {
            stage.set(to);
        }
    }

    /// Waits. On a manual clock this lets other tasks run, sockets included, and moves the clock unless somebody waits for
    /// less: what is under way when somebody begins to wait should not take as long as the wait.
    pub async fn sleep(&self, duration: Duration) {
        match self {
            Self::Manual(stage) => stage.sleep(duration).await,
            Self::System | Self::Moved(_) => tokio::time::sleep(duration).await,
        }
    }

    /// Waits as a server that holds an answer back: the call that it answers does not hold a manual clock meanwhile.
    pub async fn sleep_in_a_call(&self, duration: Duration) {
        let _away = self.count(-1);
        self.sleep(duration).await;
    }

    /// Tells that a call is on its way, or that something else is being done that takes the machine's time and not this
    /// clock's, until what is returned is dropped.
    #[must_use]
    pub fn under_way(&self) -> UnderWay {
        self.count(1)
    }

    fn count(&self, calls: i64) -> UnderWay {
        let Self::Manual(stage) = self else { return UnderWay::count(None, calls) };
        UnderWay::count(Some(stage), calls)
    }

    /// Starts measuring how long something takes, for durations in the history and in benchmarks.
    #[must_use]
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(since_boot())
    }

    /// Starts measuring the time that those who sleep by this clock see.
    #[must_use]
    pub fn timer(&self) -> Timer {
        match self {
            Self::Manual(stage) => Timer::Manual(Arc::clone(stage), stage.passed()),
            Self::System | Self::Moved(_) => Timer::Machine(self.stopwatch()),
        }
    }
}

/// Measures elapsed time on a clock that is never set and runs on while the machine sleeps: a lease does too.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Duration);

fn since_boot() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(now.tv_sec).unwrap_or(0), u32::try_from(now.tv_nsec).unwrap_or(0))
}

impl Stopwatch {
    /// Time since the stopwatch was started.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        since_boot().saturating_sub(self.0)
    }
}

/// Measures elapsed time as a clock lets it pass, however it is set meanwhile.
#[derive(Clone, Debug)]
pub enum Timer {
    /// What has passed on this stage, from then on.
    Manual(Arc<Stage>, Duration),
    /// On the machine.
    Machine(Stopwatch),
}

impl Timer {
    /// Time since the timer was started.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match self {
            Self::Manual(stage, begun) => stage.passed().saturating_sub(*begun),
            Self::Machine(stopwatch) => stopwatch.elapsed(),
        }
    }
}

/// One of Indonesia's three time zones: fixed offsets from UTC, no daylight saving time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Zone {
    /// Western Indonesia Time, UTC+7.
    #[serde(alias = "Asia/Jakarta")]
    Wib,
    /// Central Indonesia Time, UTC+8.
    #[serde(alias = "Asia/Makassar")]
    Wita,
    /// Eastern Indonesia Time, UTC+9.
    #[serde(alias = "Asia/Jayapura")]
    Wit,
}

impl Zone {
    /// The zone for `WIB`, `WITA`, `WIT` or its IANA name; `None` for anything else.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.trim() {
            "WIB" | "Asia/Jakarta" => Some(Self::Wib),
            "WITA" | "Asia/Makassar" => Some(Self::Wita),
            "WIT" | "Asia/Jayapura" => Some(Self::Wit),
            _ => None,
        }
    }

    /// The abbreviation people use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wib => "WIB",
            Self::Wita => "WITA",
            Self::Wit => "WIT",
        }
    }

    /// Hours ahead of UTC.
    #[must_use]
    pub fn hours_ahead(self) -> i8 {
        match self {
            Self::Wib => 7,
            Self::Wita => 8,
            Self::Wit => 9,
        }
    }

    /// The offset as databases write it, `+07:00`.
    #[must_use]
    pub fn offset_text(self) -> &'static str {
        match self {
            Self::Wib => "+07:00",
            Self::Wita => "+08:00",
            Self::Wit => "+09:00",
        }
    }

    /// The instant of a local date and time.
    #[must_use]
    pub fn instant(self, date: Date, time: Time) -> Timestamp {
        let local = date.to_datetime(time);
        let offset = jiff::tz::Offset::constant(self.hours_ahead());
        offset.to_timestamp(local).unwrap_or(Timestamp::MAX)
    }

    /// The local calendar date at an instant: the day that "same day" is measured by.
    #[must_use]
    pub fn date_at(self, instant: Timestamp) -> Date {
        jiff::tz::Offset::constant(self.hours_ahead()).to_datetime(instant).date()
    }

    /// Local date and time at an instant, to the minute, as people read it: `2026-11-18 09:30 WIB`.
    #[must_use]
    pub fn text_at(self, instant: Timestamp) -> String {
        let local = jiff::tz::Offset::constant(self.hours_ahead()).to_datetime(instant);
        format!("{} {}", local.strftime("%Y-%m-%d %H:%M"), self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, time};

    #[test]
    fn early_morning_in_each_zone_is_yesterday_in_utc_and_today_locally() {
        for (zone, utc) in [
            (Zone::Wib, "2026-02-28T17:00:00Z"),
            (Zone::Wita, "2026-02-28T16:00:00Z"),
            (Zone::Wit, "2026-02-28T15:00:00Z"),
        ] {
            let instant = zone.instant(date(2026, 3, 1), time(0, 0, 0, 0));
            assert_eq!(instant.to_string(), utc);
            assert_eq!(zone.date_at(instant), date(2026, 3, 1));
        }
    }

    /// faults.md, row 40: three zones, all hours, the ends of months, years and of February in leap years.
    #[test]
    fn every_local_hour_is_its_utc_hour_and_its_own_day() {
        for zone in [Zone::Wib, Zone::Wita, Zone::Wit] {
            let ahead = zone.hours_ahead();
            for year in [2000_i16, 2023, 2024, 2026, 2100] {
                for month in 1..=12 {
                    let last = date(year, month, 1).last_of_month();
                    for day in [date(year, month, 1), date(year, month, 28), last] {
                        for hour in 0..24_i8 {
                            // By hand: yesterday's evening in UTC as long as the zone is ahead by more.
                            let (utc_day, utc_hour) = match hour.checked_sub(ahead) {
                                Some(left @ 0..) => (day, left),
                                _ => (day.yesterday().expect("no first day of time"), hour - ahead + 24),
                            };
                            let instant = zone.instant(day, time(hour, 59, 59, 0));
                            let expected = format!("{utc_day}T{utc_hour:02}:59:59Z");
                            assert_eq!(instant.to_string(), expected, "{day} {hour} {zone:?}");
                            assert_eq!(zone.date_at(instant), day, "{hour} {zone:?}");
                        }
                    }
                }
            }
        }
    }
}
