//! One puskesmas' way to SATUSEHAT: its client, and whether anything is sent on it at all.
//!
//! It must not decide what is sent. Clones are the same lane.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Remote;
use super::breaker::Breaker;

/// One puskesmas' way to SATUSEHAT.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Name of the puskesmas, as the ledger knows it.
    pub name: String,
    /// The client under its credentials.
    pub remote: Remote,
    /// Client id, under which the token is remembered.
    pub client_id: String,
    /// Requests in flight.
    pub concurrency: u32,
    breaker: Arc<Mutex<Breaker>>,
}

impl Lane {
    /// A lane that nothing is known against.
    #[must_use]
    pub fn new(name: &str, remote: Remote, client_id: &str, concurrency: u32) -> Self {
        let breaker = Arc::new(Mutex::new(Breaker::default()));
        Self { name: name.to_owned(), remote, client_id: client_id.to_owned(), concurrency, breaker }
    }

    /// The same lane for reading back: others go first.
    #[must_use]
    pub fn for_read_back(&self) -> Self {
        Self { remote: self.remote.for_read_back(), ..self.clone() }
    }

    /// Its breaker. It must not be held across a wait.
    pub fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
