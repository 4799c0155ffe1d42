//! Discrepancies as pages show them: narrowed, the oldest first, so many at a time.
//!
//! It must not read settled ones, of which there may be very many.

use jiff::Timestamp;

use super::{Class, Discrepancy, Owner, Standing};
use crate::ledger::account::Reach;
use crate::ledger::entry::EntryId;
use crate::ledger::store::discrepancies;
use crate::ledger::{Ledger, LedgerError};

/// Which discrepancies are meant, and after which one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveFilter {
    /// Whose.
    pub place: Reach,
    /// How two do not agree.
    pub class: Option<Class>,
    /// Who must act.
    pub owner: Option<Owner>,
    /// Seen first at this moment or before.
    pub seen_before: Option<Timestamp>,
    /// Open or waived.
    pub standing: Standing,
    /// When the last one of the page before was seen first, and its number.
    pub after: Option<(Timestamp, i64)>,
}

impl Ledger {
    /// A page of open or waived discrepancies, the oldest first.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn live_discrepancies(&self, filter: &LiveFilter, limit: u32) -> Result<Vec<Discrepancy>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = discrepancies::live(&mut reader, filter, limit).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_discrepancy(stored)).collect()
    }

    /// The discrepancy of a number.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn discrepancy(&self, number: i64) -> Result<Option<Discrepancy>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = discrepancies::one(&mut reader, number).await?;
        drop(reader);
        stored.map(|stored| self.open_discrepancy(stored)).transpose()
    }

    /// Open and waived discrepancies of the visit of an entry and of what the server holds of it.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn discrepancies_of(&self, entry: EntryId) -> Result<Vec<Discrepancy>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = discrepancies::of_entry(&mut reader, entry.0).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_discrepancy(stored)).collect()
    }
}
