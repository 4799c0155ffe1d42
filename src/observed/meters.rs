//! Every metric with its name, unit and meaning.
//!
//! Names are a promise to those who built alarms on them: one that changes belongs into the changelog.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// Label names with their values.
type Labels<const NUMBER: usize> = [(&'static str, String); NUMBER];
type Durations = Family<Labels<2>, Histogram, fn() -> Histogram>;
type Number<const NUMBER: usize> = Family<Labels<NUMBER>, Gauge>;
type Count<const NUMBER: usize> = Family<Labels<NUMBER>, Counter>;
type Fraction = Gauge<f64, AtomicU64>;

/// What begins every name that is the gateway's own.
const PREFIX: &str = "posyandu_gateway";

/// Upper ends of the buckets of durations, in seconds: SATUSEHAT answers in 50 ms to some seconds, and a request is
/// given up after 60 s.
const DURATION_SECONDS: [f64; 11] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

fn durations() -> Histogram {
    Histogram::new(DURATION_SECONDS)
}

/// The metrics. Help and names stand in [`Meters::registered`].
pub struct Meters {
    pub entries: Number<2>,
    pub oldest: Family<Labels<2>, Fraction>,
    pub delivered: Number<2>,
    pub expected_late: Number<1>,
    pub rows: Count<2>,
    pub source_read: Number<1>,
    pub rounds: Count<1>,
    pub last_round: Gauge,
    pub attempts: Count<2>,
    pub requests: Durations,
    pub pace: Number<2>,
    pub skew: Number<1>,
    pub lane_stopped: Number<2>,
    pub alarms: Number<2>,
    pub answered: Durations,
    pub commits: Counter,
    pub writes: Counter,
    pub ledger_bytes: Number<1>,
    pub disk_free: Gauge,
    pub silence: Fraction,
    pub memory: Gauge,
    pub files: Gauge,
    pub files_max: Gauge,
}

impl Meters {
    /// All of them, and the registry that knows them.
    pub fn registered() -> (Registry, Self) {
        let meters = Self {
            entries: Family::default(),
            oldest: Family::default(),
            delivered: Family::default(),
            expected_late: Family::default(),
            rows: Family::default(),
            source_read: Family::default(),
            rounds: Family::default(),
            last_round: Gauge::default(),
            attempts: Family::default(),
            requests: Family::new_with_constructor(durations),
            pace: Family::default(),
            skew: Family::default(),
            lane_stopped: Family::default(),
            alarms: Family::default(),
            answered: Family::new_with_constructor(durations),
            commits: Counter::default(),
            writes: Counter::default(),
            ledger_bytes: Family::default(),
            disk_free: Gauge::default(),
            silence: Fraction::default(),
            memory: Gauge::default(),
            files: Gauge::default(),
            files_max: Gauge::default(),
        };
        let mut registry = Registry::default();
        // The names that Prometheus' own clients use for a process.
        registry.register("process_resident_memory_bytes", "Memory of this process", meters.memory.clone());
        registry.register("process_open_fds", "Open files and sockets of this process", meters.files.clone());
        registry.register("process_max_fds", "Open files and sockets it may have", meters.files_max.clone());
        let own = registry.sub_registry_with_prefix(PREFIX);
        meters.register_records(own);
        meters.register_calls(own);
        meters.register_store(own);
        (registry, meters)
    }

    fn register_records(&self, own: &mut Registry) {
        let seconds = || Unit::Seconds;
        own.register("entries", "Entries of the ledger by puskesmas and state", self.entries.clone());
        own.register_with_unit(
            "oldest_entry_age",
            "Age of the oldest entry that is pending, in_flight or blocked (since it was entered) or unknown (since \
             it became unknown)",
            seconds(),
            self.oldest.clone(),
        );
        own.register(
            "delivered_visits",
            "Visits that the server holds, by whether they were accepted on their day",
            self.delivered.clone(),
        );
        own.register(
            "expected_late_visits",
            "Visits of days that still run that will not be delivered by their end at the speed of the last half hour",
            self.expected_late.clone(),
        );
        own.register("rows", "Rows of sources read since the start, by outcome", self.rows.clone());
        own.register_with_unit(
            "source_last_success_timestamp",
            "When a source was last read to its end, seconds since 1970",
            seconds(),
            self.source_read.clone(),
        );
        own.register("rounds", "Rounds since the start, by outcome", self.rounds.clone());
        own.register_with_unit(
            "last_round_timestamp",
            "When the last round ended, seconds since 1970",
            seconds(),
            self.last_round.clone(),
        );
        own.register_with_unit(
            "main_loop_silence",
            "Since the main loop last made progress",
            seconds(),
            self.silence.clone(),
        );
    }

    fn register_calls(&self, own: &mut Registry) {
        let seconds = || Unit::Seconds;
        own.register(
            "attempts",
            "Attempts to send a visit since the start, by class of the answer",
            self.attempts.clone(),
        );
        own.register_with_unit(
            "request_duration",
            "Calls to SATUSEHAT by kind and status class (none: no answer)",
            seconds(),
            self.requests.clone(),
        );
        own.register("calls_per_minute", "Calls a minute to SATUSEHAT, present and configured", self.pace.clone());
        own.register_with_unit("clock_skew", "SATUSEHAT's clock minus this one", seconds(), self.skew.clone());
        own.register("alarm", "1 while the alarm is open, by what it is about", self.alarms.clone());
        own.register("lane_stopped", "1 when the lane stopped for this reason", self.lane_stopped.clone());
        own.register_with_unit(
            "http_request_duration",
            "Requests of apps and monitors by path and status class",
            seconds(),
            self.answered.clone(),
        );
    }

    fn register_store(&self, own: &mut Registry) {
        own.register("ledger_commits", "Transactions of the ledger since the start", self.commits.clone());
        own.register("ledger_writes", "Commands in those transactions", self.writes.clone());
        own.register_with_unit("ledger_file", "Size of the ledger's files", Unit::Bytes, self.ledger_bytes.clone());
        own.register_with_unit(
            "data_folder_free",
            "Free space of the data folder",
            Unit::Bytes,
            self.disk_free.clone(),
        );
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        own.register("build", "The program", Info::new(version));
    }
}
