//! What an alarm can be about, and how bad it is: rules over figures that others hold.
//!
//! The rules are pure; each limit has a name. It must not tell anybody.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use serde_json::json;

use super::super::{Daemon, DaemonError};
use crate::delivery::keeping;
use crate::http::watch::DISK_FREE_BYTES_MIN;
use crate::ledger::alarm::{AlarmKind, LookedAt, Standing};
use crate::observed::process;
use crate::remote::breaker::{Stopped, Why};
use crate::remote::certificate;
use crate::remote::lane::Lane;
use crate::remote::tending::CLOCK_SKEW_MAX;
use crate::report::forecast::{Alarm as Closeness, Forecast, forecast};

/// A server in trouble is an alarm only when it lasts: short ones mend themselves.
const TROUBLE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Free space of the data folder from which on somebody should make room, in bytes.
const DISK_FREE_BYTES_LOW: u64 = 4 * DISK_FREE_BYTES_MIN;

/// Part of the ledger's own limit from which on it is an alarm, in percent.
const LEDGER_FULL_PERCENT: u64 = 90;

/// Days before the end of a certificate or a secret at which it is an alarm: time to order another, and the last call.
const DAYS_SOON: i64 = 14;
/// See [`DAYS_SOON`].
const DAYS_VERY_SOON: i64 = 3;

impl Daemon {
    /// How everything stands now.
    pub(super) async fn conditions(&self, lanes: &[Lane]) -> Result<Vec<LookedAt>, DaemonError> {
        let now = self.clock.now();
        let days = self.ledger.running_days().await?;
        let forecasts: Vec<Forecast> = days.iter().map(|day| forecast(day, now)).collect();
        let mut all = Vec::new();
        for puskesmas in &self.config.puskesmas {
            let name = &puskesmas.name;
            let of_lane = forecasts.iter().filter(|forecast| forecast.lane == *name);
            all.push(looked_at(AlarmKind::Deadline, name, of_lane.filter_map(deadline).next_back()));
            let stopped = keeping::stopped(&self.ledger, name).await?;
            all.push(looked_at(AlarmKind::LaneStopped, name, stopped.as_ref().and_then(|one| lane_stopped(one, now))));
            all.push(looked_at(AlarmKind::MassRefusal, name, stopped.as_ref().and_then(mass_refusal)));
            if let Some(date) = puskesmas.client_secret_expires {
                let ends = puskesmas.timezone.instant(date.tomorrow().unwrap_or(date), Time::midnight());
                all.push(looked_at(AlarmKind::Secret, name, ends_soon(ends, now)));
            }
        }
        for lane in lanes {
            if let Some(skew) = lane.remote.clock_skew() {
                all.push(looked_at(AlarmKind::ClockSkew, &lane.name, clock_skew(skew)));
            }
            if let Some(ends) = lane.remote.certificate_ends() {
                all.push(looked_at(AlarmKind::Certificate, lane.remote.host(), ends_soon(ends, now)));
            }
        }
        let file = &self.config.satusehat.extra_ca_file;
        if !file.as_os_str().is_empty()
            && let Some(ends) = certificate::first_end(&self.config.path(file))
        {
            all.push(looked_at(AlarmKind::Certificate, "extra_ca_file", ends_soon(ends, now)));
        }
        all.extend(self.disks());
        // Lanes of one client id or host look at the same thing.
        all.dedup_by(|one, other| (one.kind, &one.about) == (other.kind, &other.about));
        Ok(all)
    }

    fn disks(&self) -> Vec<LookedAt> {
        let mut all = Vec::new();
        let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if let Some(free) = process::disk_free(&self.config.data_folder()) {
            all.push(looked_at(AlarmKind::Disk, &machine, disk(free)));
        }
        let most = self.config.ledger.mebibytes_max.saturating_mul(1024 * 1024);
        if let Ok(file) = self.config.ledger_file()
            && most > 0
        {
            let bytes = std::fs::metadata(file).map_or(0, |found| found.len());
            let percent = bytes.saturating_mul(100) / most;
            let details = json!({"persen": percent.to_string()}).to_string();
            let standing = (percent >= LEDGER_FULL_PERCENT).then_some(Standing { level: "ledger", details });
            all.push(looked_at(AlarmKind::Disk, &format!("{machine}: ledger"), standing));
        }
        all
    }
}

fn looked_at(kind: AlarmKind, about: &str, standing: Option<Standing>) -> LookedAt {
    LookedAt { kind, about: about.to_owned(), standing }
}

fn deadline(forecast: &Forecast) -> Option<Standing> {
    let level = forecast.alarm.map(Closeness::word)?;
    let details = json!({
        "tunggu": forecast.waiting.to_string(), "lambat": forecast.late.to_string(), "zona": forecast.zone.name(),
    });
    Some(Standing { level, details: details.to_string() })
}

fn lane_stopped(stopped: &Stopped, now: Timestamp) -> Option<Standing> {
    let lasts = Duration::try_from(now.duration_since(stopped.since)).unwrap_or_default();
    match stopped.why {
        Why::MassRefusal => return None,
        Why::Trouble if lasts < TROUBLE_PATIENCE => return None,
        Why::Trouble | Why::Configuration => {}
    }
    Some(Standing { level: stopped.why.word(), details: json!({"kata": stopped.words}).to_string() })
}

fn mass_refusal(stopped: &Stopped) -> Option<Standing> {
    let details = json!({"kata": stopped.words}).to_string();
    (stopped.why == Why::MassRefusal).then_some(Standing { level: "stopped", details })
}

fn clock_skew(skew: Duration) -> Option<Standing> {
    let details = json!({"detik": skew.as_secs().to_string()}).to_string();
    (skew > CLOCK_SKEW_MAX).then_some(Standing { level: "minutes", details })
}

fn disk(free: u64) -> Option<Standing> {
    let level = match free {
        0..DISK_FREE_BYTES_MIN => "critical",
        DISK_FREE_BYTES_MIN..DISK_FREE_BYTES_LOW => "low",
        _ => return None,
    };
    Some(Standing { level, details: json!({"mebibita": (free / (1024 * 1024)).to_string()}).to_string() })
}

fn ends_soon(ends: Timestamp, now: Timestamp) -> Option<Standing> {
    let left = ends.duration_since(now);
    let days = left.as_secs().div_euclid(24 * 60 * 60);
    let level = match days {
        ..0 => "over",
        0..DAYS_VERY_SOON => "very_soon",
        DAYS_VERY_SOON..DAYS_SOON => "soon",
        _ => return None,
    };
    let details = json!({"hari": days.max(0).to_string(), "waktu": ends.strftime("%Y-%m-%d").to_string()});
    Some(Standing { level, details: details.to_string() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn level(standing: Option<Standing>) -> Option<&'static str> {
        standing.map(|standing| standing.level)
    }

    #[test]
    fn what_ends_is_told_a_fortnight_before_three_days_before_and_when_it_is_over() {
        let ends: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let at = |days: i64| level(ends_soon(ends, ends - jiff::SignedDuration::from_hours(days * 24)));
        assert_eq!(
            (at(14), at(13), at(3), at(2), at(0)),
            (None, Some("soon"), Some("soon"), Some("very_soon"), Some("very_soon"))
        );
        assert_eq!(level(ends_soon(ends, ends + jiff::SignedDuration::from_secs(1))), Some("over"));
    }

    #[test]
    fn short_trouble_is_no_alarm_and_a_wrong_setting_is_at_once() {
        let since: Timestamp = "2026-11-18T03:00:00Z".parse().unwrap();
        let stopped =
            |why| Stopped { why, words: String::new(), since, try_at: None, first_refusal: None, looked: false };
        let after = |why, minutes| level(lane_stopped(&stopped(why), since + jiff::SignedDuration::from_mins(minutes)));
        assert_eq!((after(Why::Trouble, 14), after(Why::Trouble, 15)), (None, Some("trouble")));
        assert_eq!((after(Why::Configuration, 0), after(Why::MassRefusal, 99)), (Some("configuration"), None));
        assert_eq!(level(mass_refusal(&stopped(Why::MassRefusal))), Some("stopped"));
        assert_eq!(level(mass_refusal(&stopped(Why::Trouble))), None);
    }

    #[test]
    fn disks_and_clocks_have_two_minutes_and_four_times_the_least() {
        assert_eq!(level(disk(DISK_FREE_BYTES_MIN - 1)), Some("critical"));
        assert_eq!((level(disk(DISK_FREE_BYTES_MIN)), level(disk(DISK_FREE_BYTES_LOW))), (Some("low"), None));
        assert_eq!(level(clock_skew(CLOCK_SKEW_MAX)), None);
        assert_eq!(level(clock_skew(CLOCK_SKEW_MAX + Duration::from_secs(1))), Some("minutes"));
    }

    #[test]
    fn every_level_of_every_kind_has_its_sentence() {
        let levels: [(AlarmKind, &[&str]); 7] = [
            (AlarmKind::Deadline, &["two_hours", "half_hour"]),
            (AlarmKind::LaneStopped, &["configuration", "trouble"]),
            (AlarmKind::MassRefusal, &["stopped"]),
            (AlarmKind::ClockSkew, &["minutes"]),
            (AlarmKind::Disk, &["low", "critical", "ledger"]),
            (AlarmKind::Certificate, &["soon", "very_soon", "over"]),
            (AlarmKind::Secret, &["soon", "very_soon", "over"]),
        ];
        for (kind, level) in levels.iter().flat_map(|(kind, levels)| levels.iter().map(move |level| (kind, level))) {
            let key = format!("alarm.about.{}.{level}", kind.word());
            assert_ne!(crate::words::plain(crate::words::Language::Indonesian, &key), key);
        }
    }
}
