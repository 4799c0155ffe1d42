//! Lets a bounded number of requests work at once; the others wait with their bodies unread, or are sent away.
//!
//! It must not look at requests. A sender never holds more than half of the places, so that one slow app cannot keep
//! the others out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Kind;

/// How many may come in.
#[derive(Clone, Copy, Debug)]
pub struct GateLimits {
    /// Requests whose bodies are read at once.
    pub working: usize,
    /// Requests that wait for that.
    pub waiting: usize,
    /// Requests of one sender, at work and waiting.
    pub of_sender: usize,
    /// How long one waits.
    pub wait: Duration,
}

impl Default for GateLimits {
    fn default() -> Self {
        Self { working: 16, waiting: 1024, of_sender: 512, wait: Duration::from_secs(10) }
    }
}

struct Place {
    house: Arc<Semaphore>,
    work: Arc<Semaphore>,
}

/// The gate.
pub struct Gate {
    limits: GateLimits,
    house: Arc<Semaphore>,
    work: Arc<Semaphore>,
    senders: Vec<Place>,
}

/// The right to read a body; given back when it is dropped.
pub struct Pass {
    _held: [OwnedSemaphorePermit; 4],
}

impl Gate {
    /// A gate for so many senders.
    #[must_use]
    pub fn new(limits: GateLimits, senders: usize) -> Self {
        let semaphore = |places: usize| Arc::new(Semaphore::new(places));
        let place = || Place { house: semaphore(limits.of_sender), work: semaphore(limits.working.div_ceil(2)) };
        Self {
            house: semaphore(limits.working + limits.waiting),
            work: semaphore(limits.working),
            senders: (0..senders).map(|_| place()).collect(),
            limits,
        }
    }

    /// Waits for a place at work.
    ///
    /// # Errors
    /// [`Kind::TooBusy`] or [`Kind::Unavailable`] for a caller who should come again later.
    pub async fn enter(&self, sender: usize) -> Result<Pass, Kind> {
        let place = self.senders.get(sender).ok_or(Kind::Failure)?;
        let own_house = Arc::clone(&place.house).try_acquire_owned().map_err(|_| Kind::TooBusy)?;
        let house = Arc::clone(&self.house).try_acquire_owned().map_err(|_| Kind::Unavailable)?;
        let work = async {
            let own = Arc::clone(&place.work).acquire_owned().await.ok()?;
            Some((own, Arc::clone(&self.work).acquire_owned().await.ok()?))
        };
        let waited = timeout(self.limits.wait, work).await.ok().flatten();
        let (own_work, work) = waited.ok_or(Kind::Unavailable)?;
        Ok(Pass { _held: [own_house, house, own_work, work] })
    }
}
