//! What the gateway hands to a client and asks of it besides calls: memory, secret, permission, figures.
//!
//! It must not make a call for a record.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::allowance::Giver;
use super::memory::Memory;
use super::{CallCounts, Remote};
use crate::observed::LaneObserved;
use crate::redact::Personal;

/// Clock skew above which dates may be refused as "future", and no day may be closed (faults.md, row 37).
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(120);

impl Remote {
    /// Remembers token and pace there, and goes on with what is kept. The first memory given stays.
    pub async fn remember_in(&self, memory: Arc<dyn Memory>) {
        if self.inner.memory.set(memory).is_ok() {
            self.inner.recall().await;
        }
    }

    /// Keeps the pace learnt, when it is another one than was kept last.
    pub async fn keep_learnt(&self) {
        self.inner.keep_learnt().await;
    }

    /// Reads the secret again before each request for a token and whenever the server refuses it. The first reader
    /// given stays.
    pub fn watch_secret(&self, read: impl Fn() -> Option<Personal<String>> + Send + Sync + 'static) {
        let _ = self.inner.secret_again.set(Box::new(read));
    }

    /// Whether the configured secret is another one than the one in use; it is used from now on.
    pub fn secret_changed(&self) -> bool {
        self.inner.read_secret_again()
    }

    /// Lets no new call leave, for good; those on their way end.
    pub fn hold(&self) {
        self.inner.limiter.hold();
    }

    /// Uses another secret from the next request for a token on.
    pub fn replace_secret(&self, secret: Personal<String>) {
        *self.inner.client_secret.write().unwrap_or_else(PoisonError::into_inner) = secret;
        self.inner.shelf.forget_failures();
    }

    /// How far our clock is from the server's, by the `Date` header of its last answer; `None` before the first.
    #[must_use]
    pub fn clock_skew(&self) -> Option<Duration> {
        match self.inner.skew_seconds.load(Ordering::Relaxed) {
            i64::MIN => None,
            seconds => Some(Duration::from_secs(seconds.unsigned_abs())),
        }
    }

    /// When the certificate ends that the server showed last; `None` before the first, or without TLS.
    #[must_use]
    pub fn certificate_ends(&self) -> Option<Timestamp> {
        match self.inner.certificate_ends.load(Ordering::Relaxed) {
            i64::MIN => None,
            seconds => Timestamp::from_second(seconds).ok(),
        }
    }

    /// Host of the FHIR service.
    #[must_use]
    pub fn host(&self) -> &str {
        self.inner.fhir_url.host_str().unwrap_or("")
    }

    /// Counts from now on what this client does; the first to count stays.
    pub fn observe(&self, observed: LaneObserved) {
        observed.pace(self.pace_per_minute(), self.inner.requests_per_minute);
        let _ = self.inner.observed.set(observed);
    }

    /// Who counts, if somebody does.
    #[must_use]
    pub fn observed(&self) -> Option<&LaneObserved> {
        self.inner.observed.get()
    }

    /// Calls made so far.
    #[must_use]
    pub fn calls(&self) -> CallCounts {
        let counters = &self.inner.counters;
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CallCounts {
            token: of(&counters.token),
            transaction: of(&counters.transaction),
            create: of(&counters.create),
            update: of(&counters.update),
            read: of(&counters.read),
            search: of(&counters.search),
        }
    }

    /// From now on every call also needs permission from here, which other processes share; the first giver stays.
    pub fn share_calls(&self, giver: Arc<dyn Giver>) {
        self.inner.limiter.allowance.ask_from(giver);
    }

    /// Calls a minute the limiter allows now.
    #[must_use]
    pub fn pace_per_minute(&self) -> f64 {
        self.inner.limiter.per_minute()
    }
}
