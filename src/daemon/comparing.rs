//! Comparing source, ledger and server while the rounds go on: what was delivered some minutes ago is read back, and
//! what the ledger alone shows is kept as discrepancies.
//!
//! It sends nothing. The rounds lend it their lanes, so that reading back waits for the same limits as sending does.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::{Daemon, DaemonError};
use crate::reconciliation::beside::Cursors;
use crate::remote::lane::Lane;

/// Pause between two looks at what is to be read back.
const PAUSE: Duration = Duration::from_secs(5);
/// Looks between two at what the ledger alone shows.
const LOOKS_PER_REFRESH: u32 = 12;

/// The lanes of the rounds.
#[derive(Debug, Default)]
pub struct PresentLanes(Mutex<Vec<Lane>>);

impl PresentLanes {
    /// From now on these.
    pub fn set(&self, lanes: &[Lane]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = lanes.to_vec();
    }

    /// How long until the next of them may be tried again that is stopped; `None` when none waits for that.
    #[must_use]
    pub fn next_try_after(&self, now: Timestamp) -> Option<Duration> {
        let tries = self.get().into_iter().filter_map(|lane| lane.breaker().stopped()?.try_at);
        tries.filter(|at| *at > now).filter_map(|at| Duration::try_from(at.duration_since(now)).ok()).min()
    }

    /// They.
    #[must_use]
    pub fn get(&self) -> Vec<Lane> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Daemon {
    /// Does some work, and compares beside it until that is done.
    pub async fn comparing<T>(&self, lanes: &PresentLanes, work: impl Future<Output = T>) -> T {
        tokio::select! {
            done = work => done,
            () = self.compare_again_and_again(lanes) => std::future::pending().await,
        }
    }

    async fn compare_again_and_again(&self, lanes: &PresentLanes) {
        let mut cursors = Cursors::default();
        for look in 0_u32.. {
            tokio::time::sleep(PAUSE).await;
            if look.is_multiple_of(LOOKS_PER_REFRESH)
                && let Err(error) = self.refresh_discrepancies().await
            {
                tracing::warn!(%error, "discrepancies could not be brought up to date");
            }
            // The rounds meet the same failure and decide what becomes of it.
            if let Err(error) = self.read_back_due(&lanes.get(), &mut cursors).await {
                tracing::warn!(%error, "delivered visits could not be read back");
            }
        }
    }

    /// Brings the discrepancies up to date that the ledger alone shows; gives how many were touched.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn refresh_discrepancies(&self) -> Result<u64, DaemonError> {
        let settings = &self.config.reconciliation;
        let stuck = Duration::from_secs(settings.stuck_after_hours.saturating_mul(3_600));
        let changed = Duration::from_secs(settings.after_seconds);
        Ok(self.ledger.refresh_discrepancies(self.ago(changed), self.ago(stuck)).await?)
    }

    /// Reads back what was delivered long enough ago and not read yet; gives how many visits.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn read_back_due(&self, lanes: &[Lane], cursors: &mut Cursors) -> Result<u64, DaemonError> {
        let before = self.ago(Duration::from_secs(self.config.reconciliation.after_seconds));
        Ok(self.reconciliation(lanes).await.read_back_unread(before, cursors, &self.halt).await?)
    }

    fn ago(&self, time: Duration) -> Timestamp {
        self.clock.now().saturating_sub(time).unwrap_or(Timestamp::MIN)
    }
}
