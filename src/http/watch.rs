//! What monitors ask: the metrics, and whether the gateway is ready to work.
//!
//! It must not answer with anything about a person or a secret; `/readyz` names checks and nothing else, for it is open
//! to everybody who reaches the listener.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderValue;
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::auth::ScrapeToken;
use super::problem::Kind;
use crate::clock::{Clock, Stopwatch};
use crate::ledger::watching::Ended;
use crate::ledger::{Ledger, LedgerError};
use crate::observed::{LastRound, Observed, process};
use crate::report::forecast::forecast;

/// What `/readyz` looks at, in this order.
pub const CHECKS: [&str; 4] = ["ledger", "disk", "configuration", "round"];
/// How long the ledger may take to say that it can be written.
const LEDGER_MAX: Duration = Duration::from_secs(5);
/// Least free space of the data folder, in bytes: room for the ledger's log to be folded in, with a wide margin.
pub const DISK_FREE_BYTES_MIN: u64 = 256 * 1024 * 1024;
/// Longest age of the counts that need every entry to be read.
const ENDED_AGE_MAX: Duration = Duration::from_secs(60);

/// Who may read the metrics.
#[derive(Debug)]
pub enum Scrape {
    /// Everybody who reaches the listener: this machine, and no app has access.
    Open,
    /// Who has the token.
    Token(ScrapeToken),
    /// Nobody: apps have access and no token is configured.
    Closed,
}

/// What monitoring needs.
pub struct Watching {
    /// What was counted.
    pub observed: Observed,
    ledger: Arc<Ledger>,
    clock: Clock,
    data_folder: PathBuf,
    ledger_file: Option<PathBuf>,
    scrape: Scrape,
    /// Held during a look, so that two at once do not mix their figures.
    ended: Mutex<Option<(Stopwatch, Vec<Ended>)>>,
}

impl Watching {
    /// Sets up. `ledger_file` is missing when the ledger is not a file.
    #[must_use]
    pub fn new(
        observed: Observed,
        ledger: Arc<Ledger>,
        clock: Clock,
        data_folder: PathBuf,
        ledger_file: Option<PathBuf>,
        scrape: Scrape,
    ) -> Self {
        Self { observed, ledger, clock, data_folder, ledger_file, scrape, ended: Mutex::new(None) }
    }

    /// All figures as text.
    ///
    /// # Errors
    /// No access, or a ledger that does not answer.
    pub async fn metrics(&self, authorization: Option<&HeaderValue>) -> Result<String, Kind> {
        let given = authorization.and_then(|value| value.to_str().ok());
        match &self.scrape {
            Scrape::Open => {}
            Scrape::Token(token) if given.is_some_and(|given| token.fits(given)) => {}
            Scrape::Token(_) | Scrape::Closed => {
                return Err(Kind::Unauthorized { given: authorization.is_some() });
            }
        }
        let mut ended = self.ended.lock().await;
        self.look(&mut ended).await.map_err(|error| {
            tracing::warn!(%error, "the ledger cannot be counted");
            Kind::Unavailable
        })?;
        self.observed.text().map_err(|_| Kind::Failure)
    }

    async fn look(&self, kept: &mut Option<(Stopwatch, Vec<Ended>)>) -> Result<(), LedgerError> {
        let ended = match kept.take().filter(|(since, _)| since.elapsed() < ENDED_AGE_MAX) {
            Some(ended) => ended,
            None => (self.clock.stopwatch(), self.ledger.ended().await?),
        };
        let waiting = self.ledger.waiting().await?;
        let now = self.clock.now();
        let mut entries = Vec::with_capacity(ended.1.len() + waiting.len());
        for one in waiting {
            let age = now.duration_since(one.since).as_secs_f64().max(0.0);
            entries.push((one.lane, one.state.word(), one.number, Some(age)));
        }
        let mut delivered = Vec::new();
        for one in &ended.1 {
            if one.state == crate::ledger::state::State::Delivered {
                delivered.push((one.lane.clone(), one.same_day, one.number.saturating_sub(one.same_day)));
            }
            entries.push((one.lane.clone(), one.state.word(), one.number, None));
        }
        *kept = Some(ended);
        self.observed.entries(&entries);
        self.observed.delivered(&delivered);
        let alarms = self.ledger.open_alarms().await?;
        self.observed.alarms(alarms.iter().map(|alarm| (alarm.kind.word(), alarm.about.as_str())));
        let days = self.ledger.running_days().await?;
        let late: Vec<(String, u64)> = days.iter().map(|day| (day.lane.clone(), forecast(day, now).late)).collect();
        self.observed.expected_late(&late);
        self.observed.ledger_work(self.ledger.commits(), self.ledger.writes());
        if let Some(file) = &self.ledger_file {
            self.observed.ledger_file("ledger", size(file));
            let mut log = file.as_os_str().to_owned();
            log.push("-wal");
            self.observed.ledger_file("wal", size(Path::new(&log)));
        }
        if let Some(bytes) = self.disk_free() {
            self.observed.disk_free(bytes);
        }
        Ok(())
    }

    /// Whether all checks are fine, and each by name as JSON.
    pub async fn ready(&self) -> (bool, String) {
        let wrote = timeout(LEDGER_MAX, self.ledger.try_writing()).await;
        let ledger = match wrote {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the ledger cannot be written");
                false
            }
            Err(_) => {
                tracing::warn!(seconds = LEDGER_MAX.as_secs(), "the ledger does not answer");
                false
            }
        };
        let disk = self.disk_free().is_none_or(|bytes| bytes >= DISK_FREE_BYTES_MIN);
        let last = self.observed.last_round();
        let held = [ledger, disk, last != LastRound::Misconfigured, last == LastRound::Fine];
        let checks = CHECKS
            .iter()
            .zip(held)
            .map(|(name, holds)| ((*name).to_owned(), Value::from(if holds { "ok" } else { "failed" })));
        let is_ready = held.iter().all(|holds| *holds);
        let status = if is_ready { "ready" } else { "not ready" };
        (is_ready, json!({"status": status, "checks": checks.collect::<Map<_, _>>()}).to_string())
    }

    fn disk_free(&self) -> Option<u64> {
        process::disk_free(&self.data_folder)
    }
}

/// Bytes of a file; none when there is no such file.
fn size(file: &Path) -> u64 {
    std::fs::metadata(file).map_or(0, |found| found.len())
}
