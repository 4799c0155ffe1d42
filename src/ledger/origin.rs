//! Where an entry came from: the rows and columns that a person opens to correct it.
//!
//! It gives places only, never what stands in the cells.

use super::entry::EntryId;
use super::sqlite::visits;
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
        let mut reader = self.readers.acquire().await?;
        let stored = visits::feeding(&mut reader, entry.0).await?;
        drop(reader);
        let origin = |stored| {
            let current = self.open_record(stored)?;
            Ok(Origin { dataset: current.record.dataset, place: current.place, columns: current.record.columns })
        };
        stored.iter().map(origin).collect()
    }
}
