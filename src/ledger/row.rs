//! What intake tells the ledger: passes, rows and their records, and the visits that follow from them.
//!
//! Values only; how they are counted and stored stands in `store`.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::series::{Earlier, InSeries};
use crate::clock::Zone;
use crate::issue::{Issue, Place};

/// One reading of one file or table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PassId(pub(super) i64);

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PassEnding {
    /// Every row was seen, so that what is missing has left the file or table.
    Complete,
    /// Every row that changed lately was seen; the others are as they were.
    Window,
    /// It stopped half-way.
    Stopped,
}

/// What earlier passes over a file or database came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassHistory {
    /// When the last complete pass began.
    pub complete: Option<Timestamp>,
    /// When the last pass began that saw everything it was meant to.
    pub success: Option<Timestamp>,
    /// The last pass did not, or never ended.
    pub stopped: bool,
}

/// A row as it was read in a pass. Rows are seen in the order of the file.
#[derive(Clone, Debug)]
pub struct RowSeen {
    /// Where a person finds it.
    pub place: Place,
    /// Keyed hash of its natural key: the same row in the next pass has the same one.
    pub row_key: [u8; 32],
    /// Hash of its content.
    pub hash: [u8; 32],
    /// What it turned out to be.
    pub outcome: RowKind,
    /// Problems of the row; errors only with [`RowKind::Issue`].
    pub issues: Vec<Issue>,
    /// Puskesmas, as far as known. Of a row with records, the visit's counts.
    pub puskesmas: Option<String>,
    /// Posyandu code, as far as known. Of a row with records, the visit's counts.
    pub posyandu: Option<String>,
    /// Service date, as far as known. A row without one is counted on the day of its first pass.
    pub service_date: Option<Date>,
}

/// What a row turned out to be.
#[derive(Clone, Debug)]
pub enum RowKind {
    /// It yields checked records of a visit.
    Records {
        /// Keyed hash that names the visit.
        visit_key: [u8; 32],
        /// The visit's place, date and due time.
        visit: VisitHead,
        /// Its records, at least one.
        records: Vec<StoredRecord>,
    },
    /// A person must correct it.
    Issue,
    /// It is no record: `empty`, `footer`, `register`.
    Skipped(String),
}

/// One checked record of a row.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Which record schema it follows.
    pub dataset: String,
    /// Keyed hash of its natural key inside the visit: of two records with the same one the later counts.
    pub record_key: [u8; 32],
    /// The record in canonical form; sealed at rest.
    pub json: String,
    /// Field and the column it was read from.
    pub columns: Vec<(String, String)>,
    /// Where it stands among records of the same person by which later visits are judged; told on the way in only.
    pub series: Option<InSeries>,
}

impl std::fmt::Debug for StoredRecord {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredRecord").field("dataset", &self.dataset).finish_non_exhaustive()
    }
}

/// Where and when a visit took place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitHead {
    /// The puskesmas, which is also the lane of delivery.
    pub puskesmas: String,
    /// Code of the posyandu.
    pub posyandu: String,
    /// The local date of service.
    pub service_date: Date,
    /// The zone of that date.
    pub zone: Zone,
    /// When it may be sent at the earliest.
    pub due: Timestamp,
}

/// What became of the rows of a pass, or of a part of it: `read` is the sum of the five numbers after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowTally {
    /// Rows read.
    pub read: u64,
    /// Rows with records that were never seen before.
    pub new: u64,
    /// Rows with records whose content differs from the last time.
    pub changed: u64,
    /// Rows that are as they were.
    pub unchanged: u64,
    /// New or changed rows that a person must correct.
    pub issue: u64,
    /// New or changed rows that are no records.
    pub skipped: u64,
    /// Rows, of this pass or older, that another one replaced; they are not part of the sum.
    pub superseded: u64,
}

/// What became of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowFate {
    /// It has records and was never seen before.
    New,
    /// It has records, with other content than the last time.
    Changed,
    /// It is as it was.
    Unchanged,
    /// New or changed, and a person must correct it.
    Issue,
    /// New or changed, and no record.
    Skipped,
}

/// What became of a row that its sender waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenRow {
    /// What became of it.
    pub fate: RowFate,
    /// Keyed hash of everything in it that matters: the same content has the same one.
    pub version: [u8; 32],
}

/// Where a visit stands in the ledger's own order; before all visits by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VisitId(pub(super) i64);

/// A visit whose records changed since its entry was made.
#[derive(Clone, Debug)]
pub struct VisitRecords {
    /// Its place in the ledger's order.
    pub visit_id: VisitId,
    /// The visit.
    pub visit_key: [u8; 32],
    /// Where and when.
    pub visit: VisitHead,
    /// State of the records; hand it back in [`super::entry::NewEntry`], so that a change in between is not lost.
    pub revision: i64,
    /// The records that count, never empty.
    pub records: Vec<CurrentRecord>,
    /// What it is judged by besides: part of what it is made from.
    pub earlier: Earlier,
}

/// A record that counts for its visit.
#[derive(Clone, Debug)]
pub struct CurrentRecord {
    /// The record.
    pub record: StoredRecord,
    /// The row it came from.
    pub place: Place,
}
