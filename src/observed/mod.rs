//! What the gateway does, counted for those who watch it from outside.
//!
//! It must not know what it counts: others name their lanes, sources and states. A label is a name out of the
//! configuration or a word out of a closed set, never a posyandu, a person or a text of the server.

mod meters;
pub mod process;
pub mod pulse;

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use crate::clock::Clock;
use meters::Meters;
use pulse::Pulse;

/// Media type of [`Observed::text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A kind of call to SATUSEHAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// For an access token.
    Token,
    /// A page of a search.
    Search,
    /// One resource by its id.
    Read,
    /// A Bundle, a create or an update.
    Write,
}

impl Call {
    /// The word in metrics and logs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Search => "search",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// The class of an HTTP status; `none` when no status line came.
#[must_use]
pub fn status_class(status: Option<u16>) -> &'static str {
    match status.map(|status| status / 100) {
        Some(1) => "1xx",
        Some(2) => "2xx",
        Some(3) => "3xx",
        Some(4) => "4xx",
        Some(5) => "5xx",
        Some(_) => "other",
        None => "none",
    }
}

/// How the last round ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LastRound {
    /// None has ended since the start.
    #[default]
    None,
    /// Everything was read and every lane worked.
    Fine,
    /// Something was not read or a lane stopped.
    Failed,
    /// Access or configuration is wrong.
    Misconfigured,
}

/// What has been counted since the start. Clones count together.
#[derive(Clone)]
pub struct Observed {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    meters: Meters,
    pulse: Pulse,
    requests: AtomicU64,
    last_round: Mutex<LastRound>,
}

impl fmt::Debug for Observed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Observed").finish_non_exhaustive()
    }
}

impl Default for Observed {
    fn default() -> Self {
        let (registry, meters) = Meters::registered();
        let inner = Inner {
            registry,
            meters,
            pulse: Pulse::new(&Clock::System),
            requests: AtomicU64::new(0),
            last_round: Mutex::new(LastRound::None),
        };
        Self { inner: Arc::new(inner) }
    }
}

impl Observed {
    /// Whether the main loop lives.
    #[must_use]
    pub fn pulse(&self) -> &Pulse {
        &self.inner.pulse
    }

    /// For one puskesmas' way to SATUSEHAT.
    #[must_use]
    pub fn lane(&self, puskesmas: &str) -> LaneObserved {
        LaneObserved { observed: self.clone(), puskesmas: puskesmas.to_owned() }
    }

    /// Calls to SATUSEHAT that ended, in whatever way.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.inner.requests.load(Ordering::Relaxed)
    }

    /// Counts rows of a source by what became of them: give it a word and a number.
    pub fn rows_of(&self, source: &str) -> impl Fn(&'static str, u64) {
        let (rows, source) = (self.inner.meters.rows.clone(), source.to_owned());
        move |outcome, number| {
            rows.get_or_create(&[("source", source.clone()), ("outcome", outcome.to_owned())]).inc_by(number);
        }
    }

    /// A source was read to its end at this second since 1970.
    pub fn source_read(&self, source: &str, at_second: i64) {
        self.inner.meters.source_read.get_or_create(&[("source", source.to_owned())]).set(at_second);
    }

    /// A round ended.
    pub fn round(&self, how: LastRound, at_second: i64) {
        let word = match how {
            LastRound::None | LastRound::Fine => "fine",
            LastRound::Failed => "failed",
            LastRound::Misconfigured => "misconfigured",
        };
        self.inner.meters.rounds.get_or_create(&[("outcome", word.to_owned())]).inc();
        self.inner.meters.last_round.set(at_second);
        *self.inner.last_round.lock().unwrap_or_else(PoisonError::into_inner) = how;
    }

    /// How the last round ended.
    #[must_use]
    pub fn last_round(&self) -> LastRound {
        *self.inner.last_round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why a lane sends no more, a word for each reason there is and whether it is this one.
    pub fn lane_stopped(&self, puskesmas: &str, reasons: &[(&'static str, bool)]) {
        for (reason, holds) in reasons {
            let labels = [("puskesmas", puskesmas.to_owned()), ("reason", (*reason).to_owned())];
            self.inner.meters.lane_stopped.get_or_create(&labels).set(i64::from(*holds));
        }
    }

    /// Alarms that are open, by kind and what they are about. What is not named any more is forgotten.
    pub fn alarms<'a>(&self, open: impl Iterator<Item = (&'a str, &'a str)>) {
        let alarms = &self.inner.meters.alarms;
        alarms.clear();
        for (kind, about) in open {
            alarms.get_or_create(&[("kind", kind.to_owned()), ("about", about.to_owned())]).set(1);
        }
    }

    /// A request of an app or a monitor was answered.
    pub fn answered(&self, path: &'static str, status: u16, duration: Duration) {
        let labels = [("path", path.to_owned()), ("status", status_class(Some(status)).to_owned())];
        self.inner.meters.answered.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// Entries of the ledger by lane and state, with the age in seconds of the oldest of each that waits. What is not
    /// named any more is forgotten.
    pub fn entries(&self, entries: &[(String, &'static str, u64, Option<f64>)]) {
        let meters = &self.inner.meters;
        meters.entries.clear();
        meters.oldest.clear();
        for (puskesmas, state, number, age) in entries {
            let labels = [("puskesmas", puskesmas.clone()), ("state", (*state).to_owned())];
            meters.entries.get_or_create(&labels).set(signed(*number));
            if let Some(age) = age {
                meters.oldest.get_or_create(&labels).set(*age);
            }
        }
    }

    /// Visits that the server holds, accepted on their day or late, by lane.
    pub fn delivered(&self, delivered: &[(String, u64, u64)]) {
        let meters = &self.inner.meters;
        meters.delivered.clear();
        for (puskesmas, same_day, late) in delivered {
            for (when, number) in [("same_day", same_day), ("late", late)] {
                let labels = [("puskesmas", puskesmas.clone()), ("accepted", when.to_owned())];
                meters.delivered.get_or_create(&labels).set(signed(*number));
            }
        }
    }

    /// Visits of today that will not be delivered in time at the present speed, by lane.
    pub fn expected_late(&self, expected: &[(String, u64)]) {
        let late = &self.inner.meters.expected_late;
        late.clear();
        for (puskesmas, number) in expected {
            late.get_or_create(&[("puskesmas", puskesmas.clone())]).inc_by(signed(*number));
        }
    }

    /// Transactions of the ledger and the commands in them, both since it was opened.
    pub fn ledger_work(&self, commits: u64, writes: u64) {
        self.inner.meters.commits.inner().store(commits, Ordering::Relaxed);
        self.inner.meters.writes.inner().store(writes, Ordering::Relaxed);
    }

    /// Bytes of one of the ledger's files.
    pub fn ledger_file(&self, file: &'static str, bytes: u64) {
        self.inner.meters.ledger_bytes.get_or_create(&[("file", file.to_owned())]).set(signed(bytes));
    }

    /// Bytes that may still be written into the data folder.
    pub fn disk_free(&self, bytes: u64) {
        self.inner.meters.disk_free.set(signed(bytes));
    }

    /// Everything, in the OpenMetrics text format.
    ///
    /// # Errors
    /// When something cannot be written as text, which is a mistake in this program.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let meters = &self.inner.meters;
        let own = process::Figures::read();
        for (gauge, value) in
            [(&meters.memory, own.memory_bytes), (&meters.files, own.open_files), (&meters.files_max, own.files_max)]
        {
            gauge.set(value.map_or(-1, signed));
        }
        meters.silence.set(self.inner.pulse.silent_for().as_secs_f64());
        let mut text = String::new();
        encode(&mut text, &self.inner.registry)?;
        Ok(text)
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The same for one puskesmas' way to SATUSEHAT.
#[derive(Clone, Debug)]
pub struct LaneObserved {
    observed: Observed,
    puskesmas: String,
}

impl Observed {
    /// Calls a minute that the limiter of a puskesmas allows now; `None` before it was asked for the first time.
    #[must_use]
    pub fn present_pace(&self, puskesmas: &str) -> Option<u64> {
        let labels = [("puskesmas", puskesmas.to_owned()), ("rate", "present".to_owned())];
        self.inner.meters.pace.get(&labels).and_then(|pace| u64::try_from(pace.get()).ok())
    }
}

impl LaneObserved {
    /// A call ended; `status` is missing when no status line came.
    pub fn request(&self, call: Call, status: Option<u16>, duration: Duration) {
        let inner = &self.observed.inner;
        inner.requests.fetch_add(1, Ordering::Relaxed);
        let labels = [("call", call.word().to_owned()), ("status", status_class(status).to_owned())];
        inner.meters.requests.get_or_create(&labels).observe(duration.as_secs_f64());
    }

    /// An attempt to send a visit ended; `class` is the word of its answer's class.
    pub fn attempt(&self, class: &'static str) {
        let labels = [("puskesmas", self.puskesmas.clone()), ("class", class.to_owned())];
        self.observed.inner.meters.attempts.get_or_create(&labels).inc();
    }

    /// Calls a minute that the limiter allows now, and those configured.
    pub fn pace(&self, present: f64, configured: u32) {
        // Whole calls are enough to look at, and the conversion saturates.
        for (kind, number) in [("present", present.round() as i64), ("configured", i64::from(configured))] {
            let labels = [("puskesmas", self.puskesmas.clone()), ("rate", kind.to_owned())];
            self.observed.inner.meters.pace.get_or_create(&labels).set(number);
        }
    }

    /// The server's clock minus ours, in seconds.
    pub fn skew(&self, seconds: &AtomicI64) {
        let seconds = seconds.load(Ordering::Relaxed);
        if seconds != i64::MIN {
            let labels = [("puskesmas", self.puskesmas.clone())];
            self.observed.inner.meters.skew.get_or_create(&labels).set(seconds);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_stands_in_the_text_and_what_is_gone_does_not() {
        let observed = Observed::default();
        let lane = observed.clone().lane("Puskesmas \"A\"\nB");
        lane.request(Call::Write, Some(201), Duration::from_millis(80));
        lane.request(Call::Search, None, Duration::from_secs(61));
        lane.attempt("accepted");
        assert_eq!(observed.present_pace("Puskesmas \"A\"\nB"), None);
        lane.pace(30.0, 60);
        assert_eq!(observed.present_pace("Puskesmas \"A\"\nB"), Some(30));
        lane.skew(&AtomicI64::new(-7));
        observed.rows_of("utara")("read", 3);
        observed.entries(&[("A".to_owned(), "pending", 4, Some(90.0)), ("A".to_owned(), "waived", 1, None)]);
        observed.entries(&[("A".to_owned(), "pending", 2, Some(60.0))]);
        observed.delivered(&[("A".to_owned(), 5, 1)]);
        observed.expected_late(&[("A".to_owned(), 4), ("A".to_owned(), 3)]);
        observed.ledger_work(7, 9);
        let text = observed.text().unwrap();
        for line in [
            "posyandu_gateway_request_duration_seconds_count{call=\"write\",status=\"2xx\"} 1",
            "posyandu_gateway_request_duration_seconds_count{call=\"search\",status=\"none\"} 1",
            "posyandu_gateway_attempts_total{puskesmas=\"Puskesmas \\\"A\\\"\\nB\",class=\"accepted\"} 1",
            "posyandu_gateway_calls_per_minute{puskesmas=\"Puskesmas \\\"A\\\"\\nB\",rate=\"present\"} 30",
            "posyandu_gateway_clock_skew_seconds{puskesmas=\"Puskesmas \\\"A\\\"\\nB\"} -7",
            "posyandu_gateway_rows_total{source=\"utara\",outcome=\"read\"} 3",
            "posyandu_gateway_entries{puskesmas=\"A\",state=\"pending\"} 2",
            "posyandu_gateway_oldest_entry_age_seconds{puskesmas=\"A\",state=\"pending\"} 60.0",
            "posyandu_gateway_delivered_visits{puskesmas=\"A\",accepted=\"same_day\"} 5",
            "posyandu_gateway_expected_late_visits{puskesmas=\"A\"} 7",
            "posyandu_gateway_ledger_commits_total 7",
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
        }
        assert!(!text.contains("waived") && text.ends_with("# EOF\n"));
        assert_eq!(observed.requests(), 2);
    }

    #[test]
    fn the_last_round_is_remembered() {
        let observed = Observed::default();
        assert_eq!(observed.last_round(), LastRound::None);
        observed.round(LastRound::Failed, 5);
        assert_eq!(observed.last_round(), LastRound::Failed);
        assert!(observed.text().unwrap().contains("posyandu_gateway_rounds_total{outcome=\"failed\"} 1"));
    }
}
