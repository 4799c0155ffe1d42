//! How often somebody may try to log in: per account and per address, so that neither a name nor a place can be used to
//! try out passwords.
//!
//! Kept in memory and bounded: a restart begins anew. It must not know whether a try succeeded elsewhere.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

/// Failures after which an account, or an address, waits.
const OF_ACCOUNT_MAX: u32 = 5;
const OF_ADDRESS_MAX: u32 = 20;
/// How long failures count.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Names and addresses remembered; beyond them the oldest are forgotten.
const REMEMBERED_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
}

impl Key {
    fn limit(&self) -> u32 {
        match self {
            Self::Account(_) => OF_ACCOUNT_MAX,
            Self::Address(_) => OF_ADDRESS_MAX,
        }
    }
}

/// The failures of late.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<Key, (Timestamp, u32)>>);

impl Attempts {
    /// Counts a try before it is made, as failed until [`Attempts::succeeded`] says otherwise: tries made at the same
    /// moment count too. False when it must not be made.
    pub fn begin(&self, account: &str, from: Option<IpAddr>, now: Timestamp) -> bool {
        let keys = std::iter::once(Key::Account(account.to_lowercase())).chain(from.map(Key::Address));
        let keys: Vec<Key> = keys.collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_over = |since: Timestamp| now.duration_since(since).unsigned_abs() >= WINDOW;
        if all.len() >= REMEMBERED_MAX {
            all.retain(|_, (since, _)| !is_over(*since));
        }
        if all.len() >= REMEMBERED_MAX {
            let oldest = all.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| key.clone());
            oldest.map(|key| all.remove(&key));
        }
        let mut may = true;
        for key in keys {
            let limit = key.limit();
            let (since, number) = all.entry(key).or_insert((now, 0));
            if is_over(*since) {
                (*since, *number) = (now, 0);
            }
            *number = number.saturating_add(1);
            may &= *number <= limit;
        }
        may
    }

    /// The try succeeded: the account's failures are forgotten, and the address is not blamed for this one.
    pub fn succeeded(&self, account: &str, from: Option<IpAddr>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&Key::Account(account.to_lowercase()));
        if let Some((_, number)) = from.and_then(|from| all.get_mut(&Key::Address(from))) {
            *number = number.saturating_sub(1);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_account_and_an_address_wait_after_failures_and_not_for_ever() {
        let (attempts, from) = (Attempts::default(), Some("192.0.2.7".parse().unwrap()));
        let start: Timestamp = "2026-11-18T03:00:00Z".parse().unwrap();
        let tries = |name: &str, at| (0..30).filter(|_| attempts.begin(name, from, at)).count();
        assert_eq!(tries("sari", start), 5);
        assert!(!attempts.begin("SARI", None, start), "letters are not another account");
        assert!(!attempts.begin("tono", from, start), "the address tried more than its share");
        let later = start + WINDOW;
        assert!(attempts.begin("sari", from, later));
        attempts.succeeded("sari", from);
        assert_eq!(tries("sari", later), 5);
    }

    #[test]
    fn what_is_remembered_stays_bounded() {
        let attempts = Attempts::default();
        let now: Timestamp = "2026-11-18T03:00:00Z".parse().unwrap();
        for number in 0..REMEMBERED_MAX + 100 {
            attempts.begin(&number.to_string(), None, now);
        }
        assert!(attempts.0.lock().unwrap().len() <= REMEMBERED_MAX + 1);
    }
}
