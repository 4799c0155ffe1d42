//! How the queue, the limits and the platform's answers stood, minute by minute over the last day, kept across a restart.
//!
//! A file beside the ledger, not a table in it: each daemon measures itself, and losing a minute of it harms nobody. It
//! must not name anybody, and must not keep the gateway from its work when it cannot be read or written.

use std::collections::VecDeque;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::SAMPLE_EVERY;
use crate::ledger::state::State;
use crate::ledger::watching::Waiting;
use crate::ledger::{Ledger, LedgerError};

/// Samples kept: a day of them, some 60 KiB in memory and 200 KiB in the file.
const SAMPLES_MAX: usize = 24 * 60;
/// How long a sample is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24);
/// Answers looked at for one sample: some 33 a second.
const ANSWERS_MAX: u32 = 2_000;
/// Most that is read of the file, in bytes: some ten times what is ever written.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// How it stood at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sample {
    pub at: Timestamp,
    pub waiting: u64,
    pub blocked: u64,
    pub unknown: u64,
    pub answers: u64,
    pub troubled: u64,
    pub median_ms: u64,
    pub pace: u64,
    pub pace_configured: u64,
}

/// The samples of a day.
#[derive(Debug, Default)]
pub(super) struct Samples {
    kept: Mutex<VecDeque<Sample>>,
    /// Where they are kept; `None` in memory only.
    file: Option<PathBuf>,
    /// Lines in the file; `usize::MAX` while it must be written anew.
    lines: AtomicUsize,
}

/// Classes of answers that say nothing about the visit: the platform or the way to it is in trouble.
const TROUBLES: [&str; 6] = ["outage", "throttled", "unknown", "timeout", "configuration", "unclassified"];

impl Samples {
    /// Goes on with those in a file.
    pub fn open(file: Option<PathBuf>) -> Self {
        let mut kept = VecDeque::new();
        if let Some(path) = &file {
            match read(path) {
                Ok(read) => kept = read,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => tracing::warn!(path = %path.display(), %error, "the measurements cannot be read"),
            }
        }
        // Written anew with the next sample, without what was left out now.
        Self { kept: Mutex::new(kept), file, lines: AtomicUsize::new(usize::MAX) }
    }

    /// Takes one.
    pub async fn take(
        &self,
        ledger: &Ledger,
        (pace, pace_configured): (u64, u64),
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let since = now.saturating_sub(SAMPLE_EVERY).unwrap_or(Timestamp::MIN);
        let waiting = ledger.waiting().await?;
        let answers = ledger.answers_since(since, ANSWERS_MAX).await?;
        let mut durations: Vec<u128> = answers.iter().map(|answer| answer.duration.as_millis()).collect();
        durations.sort_unstable();
        let sample = Sample {
            at: now,
            waiting: number(&waiting, &[State::Pending, State::InFlight]),
            blocked: number(&waiting, &[State::Blocked]),
            unknown: number(&waiting, &[State::Unknown]),
            answers: answers.len() as u64,
            troubled: answers.iter().filter(|answer| TROUBLES.contains(&answer.class.as_str())).count() as u64,
            pace,
            pace_configured,
            median_ms: durations.get(durations.len() / 2).map_or(0, |one| u64::try_from(*one).unwrap_or(u64::MAX)),
        };
        let all = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            // A clock that was set back would draw lines backwards.
            kept.retain(|one| one.at < now && now.duration_since(one.at) < KEPT);
            if kept.len() == SAMPLES_MAX {
                kept.pop_front();
            }
            kept.push_back(sample);
            kept.clone()
        };
        self.keep(sample, all).await;
        Ok(())
    }

    /// Samples in the order of time.
    pub fn all(&self) -> Vec<Sample> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Adds the newest to the file, or writes the file anew when half of it is out of date.
    async fn keep(&self, newest: Sample, all: VecDeque<Sample>) {
        let Some(path) = self.file.clone() else { return };
        let is_long = self.lines.load(Ordering::Relaxed) >= 2 * SAMPLES_MAX;
        let lines = if is_long { all.len() } else { self.lines.load(Ordering::Relaxed) + 1 };
        let write = move || if is_long { write_anew(&path, &all) } else { append(&path, newest) };
        match tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => self.lines.store(lines, Ordering::Relaxed),
            Err(error) => {
                self.lines.store(usize::MAX, Ordering::Relaxed);
                tracing::warn!(%error, "the measurements cannot be kept; the plots begin anew after a restart");
            }
        }
    }
}

fn number(waiting: &[Waiting], states: &[State]) -> u64 {
    waiting.iter().filter(|one| states.contains(&one.state)).map(|one| one.number).sum()
}

/// The newest samples of a file; a line that was cut short or damaged is left out. Which of them are out of date, the next
/// sample decides.
fn read(path: &Path) -> io::Result<VecDeque<Sample>> {
    let mut kept: VecDeque<Sample> = VecDeque::new();
    for line in BufReader::new(std::fs::File::open(path)?.take(FILE_BYTES_MAX)).split(b'\n') {
        let line = line?;
        let Ok(sample) = serde_json::from_slice::<Sample>(&line) else { continue };
        if kept.back().is_none_or(|last| last.at < sample.at) {
            kept.push_back(sample);
        }
        if kept.len() > SAMPLES_MAX {
            kept.pop_front();
        }
    }
    Ok(kept)
}

fn line(sample: Sample) -> io::Result<String> {
    Ok(serde_json::to_string(&sample)? + "\n")
}

fn append(path: &Path, sample: Sample) -> io::Result<()> {
    std::fs::File::options().append(true).open(path)?.write_all(line(sample)?.as_bytes())
}

fn write_anew(path: &Path, all: &VecDeque<Sample>) -> io::Result<()> {
    let text = all.iter().map(|sample| line(*sample)).collect::<io::Result<String>>()?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
impl Sample {
    /// With as many visits waiting as minutes have passed since 1970.
    pub fn at_minute(minute: i64) -> Self {
        let at = Timestamp::from_second(minute * 60).unwrap_or_default();
        let waiting = u64::try_from(minute).unwrap_or(0);
        Self { at, waiting, blocked: 0, unknown: 0, answers: 0, troubled: 0, median_ms: 0, pace: 0, pace_configured: 0 }
    }
}
