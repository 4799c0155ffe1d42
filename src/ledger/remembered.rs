//! What is remembered about identities at SATUSEHAT until it expires: ids, and that nobody was found.
//!
//! It only spares calls and may be emptied at any time; it must not hold a name or a number in clear.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::sqlite::registrations::Change;
use super::sqlite::{cache, count};
use super::{Ledger, LedgerError};

/// What the cache of identities holds for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// The server's id.
    Id(String),
    /// Nobody, or not certainly one; the word for what is missing.
    Missing(String),
}

impl Ledger {
    /// What the cache holds for a key, while it is valid.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn remembered(&self, kind: &str, key: &[u8; 32]) -> Result<Option<Remembered>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        Ok(match cache::remembered(&mut reader, kind, key, self.clock.now()).await? {
            Some((Some(id), _)) => Some(Remembered::Id(id)),
            Some((None, Some(word))) => Some(Remembered::Missing(word)),
            _ => None,
        })
    }

    /// Remembers until it expires that nobody, or not certainly one, was found.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn put_missing(
        &self,
        kind: &str,
        key: [u8; 32],
        word: &str,
        expires: Timestamp,
    ) -> Result<(), LedgerError> {
        let change = Change::Miss { kind: kind.to_owned(), key, word: word.to_owned(), expires };
        self.change_registration(change).await?;
        Ok(())
    }

    /// Identities in the cache by kind: how many are known, and how many are known to be missing.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn identity_counts(&self) -> Result<BTreeMap<String, (u64, u64)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let rows = cache::counts(&mut reader, self.clock.now()).await?;
        rows.into_iter().map(|(kind, known, missing)| Ok((kind, (count(known)?, count(missing)?)))).collect()
    }
}
