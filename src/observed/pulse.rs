//! Whether the main loop makes progress. It beats; others look how long ago.
//!
//! It must not beat by itself: a timer would go on beside a loop that hangs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::{Clock, Stopwatch};

/// Longest silence of a healthy main loop, with room: SATUSEHAT may close a lane for 15 minutes (`Retry-After`), a
/// query may take 60 s, a request 60 s. `WatchdogSec` in the systemd unit is the same.
pub const SILENCE_MAX: Duration = Duration::from_secs(20 * 60);

/// The beats of one main loop.
#[derive(Debug)]
pub struct Pulse {
    begun: Stopwatch,
    /// Moment of the last beat, in milliseconds since `begun`.
    last: AtomicU64,
    beats: AtomicU64,
}

impl Pulse {
    /// Begins to live.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self { begun: clock.stopwatch(), last: AtomicU64::new(0), beats: AtomicU64::new(0) }
    }

    /// The main loop made progress.
    pub fn beat(&self) {
        let now = u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Beats so far.
    #[must_use]
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Time since the last beat.
    #[must_use]
    pub fn silent_for(&self) -> Duration {
        self.begun.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)))
    }

    /// Whether the silence is not suspicious yet.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.silent_for() <= SILENCE_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beat_ends_the_silence() {
        let pulse = Pulse::new(&Clock::System);
        std::thread::sleep(Duration::from_millis(30));
        assert!(pulse.silent_for() >= Duration::from_millis(30));
        pulse.beat();
        assert!(pulse.silent_for() < Duration::from_millis(30) && pulse.is_alive());
        assert_eq!(pulse.beats(), 1);
    }
}
