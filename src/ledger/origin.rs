//! Where an entry came from: the rows and columns that a person opens to correct it.
//!
//! It gives places only, never what stands in the cells.

use std::collections::BTreeMap;

use super::entry::EntryId;
use super::store::{hash, visits};
use super::{Ledger, LedgerError};
use crate::issue::Place;

/// A record that feeds an entry's visit: its row, and the column behind each of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Which record schema it follows.
    pub dataset: String,
    /// The row.
    pub place: Place,
    /// Field and column header.
    pub columns: Vec<(String, String)>,
}

impl Origin {
    /// The cell a field was read from; `None` when the row has no such column.
    #[must_use]
    pub fn cell(&self, field: &str) -> Option<Place> {
        let (_, column) = self.columns.iter().find(|(name, _)| name == field)?;
        Some(self.place.column(column.clone()))
    }
}

impl Ledger {
    /// The rows that feed the visit of an entry now, in the order they were read; none when they were withdrawn.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn rows_of_entry(&self, entry: EntryId) -> Result<Vec<Origin>, LedgerError> {
        Ok(self.rows_of_entries(&[entry]).await?.into_values().next().unwrap_or_default())
    }

    /// The same for many entries, by the key of their visit; a visit whose records were withdrawn is not among them.
    ///
    /// # Errors
    /// As [`Ledger::rows_of_entry`].
    pub async fn rows_of_entries(&self, entries: &[EntryId]) -> Result<BTreeMap<[u8; 32], Vec<Origin>>, LedgerError> {
        let ids: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
        let mut reader = self.readers.acquire().await?;
        let stored = visits::feeding(&mut reader, &ids).await?;
        drop(reader);
        let mut all: BTreeMap<[u8; 32], Vec<Origin>> = BTreeMap::new();
        for stored in &stored {
            let current = self.open_record(stored)?;
            let origin =
                Origin { dataset: current.record.dataset, place: current.place, columns: current.record.columns };
            all.entry(hash(stored.key.clone())?).or_default().push(origin);
        }
        Ok(all)
    }
}
