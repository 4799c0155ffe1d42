//! What comparing with the server needs to know of the ledger: what is to be read back, whom it is about, what is held.
//!
//! It only reads, and it must not compare.

use jiff::Timestamp;
use jiff::civil::Date;

use super::entry::EntryId;
use super::reading::Filter;
use super::store::{comparing, count, date};
use super::{Ledger, LedgerError};

/// A delivered entry as samples are drawn from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Which entry.
    pub entry: EntryId,
    /// The puskesmas.
    pub puskesmas: String,
    /// Local date of service.
    pub service_date: Date,
    /// Resources.
    pub resources: u64,
    /// Types of resources.
    pub types: u64,
}

impl Ledger {
    /// Entries of a lane past one (0 for the first) that were delivered before a moment and never read back.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn unread(
        &self,
        lane: &str,
        before: Timestamp,
        after: i64,
        limit: u32,
    ) -> Result<Vec<EntryId>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let entries = comparing::unread(&mut reader, lane, before, after, limit).await?;
        Ok(entries.into_iter().map(EntryId).collect())
    }

    /// Whether something of a lane is due to be sent whose day still runs.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn today_waits(&self, lane: &str) -> Result<bool, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        comparing::today_waits(&mut reader, lane, self.clock.now()).await
    }

    /// The person at the server that an entry is about: by the cache of identities under these parts of its key, or as
    /// it was read back before.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn person_of(&self, entry: EntryId, parts: &[&str]) -> Result<Option<String>, LedgerError> {
        let key = self.keys.hash("identity.patient", parts);
        if let Some(known) = self.identity("patient", &key).await? {
            return Ok(Some(known));
        }
        let mut reader = self.readers.acquire().await?;
        comparing::person(&mut reader, entry).await
    }

    /// `Type/ID` of everything that versions of an entry's visit put at the server.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn held_of_visit(&self, entry: EntryId) -> Result<Vec<String>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        comparing::held_of_visit(&mut reader, entry).await
    }

    /// Ids at the server of all Encounters of some days.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn encounters(&self, filter: &Filter) -> Result<Vec<String>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        comparing::encounters(&mut reader, filter).await
    }

    /// Delivered entries of some days.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn delivered(&self, filter: &Filter) -> Result<Vec<Delivered>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = comparing::frame(&mut reader, filter).await?;
        let one = |(entry, puskesmas, day, resources, types): (i64, String, String, i64, i64)| {
            let (resources, types) = (count(resources)?, count(types)?);
            Ok(Delivered { entry: EntryId(entry), puskesmas, service_date: date(&day)?, resources, types })
        };
        stored.into_iter().map(one).collect()
    }
}
