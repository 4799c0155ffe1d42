//! The ledger in SQLite: every SQL statement of the store, one file per concern.
//!
//! It must not seal, open or decide: it is handed sealed bytes and checked steps.

/// Newest entries of visits: parameters 1 to 4 narrow the visits.
macro_rules! of_newest {
    ($columns:literal, $rest:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM entry JOIN visit ON visit.id = entry.visit
            WHERE (?1 IS NULL OR visit.service_date >= ?1) AND (?2 IS NULL OR visit.service_date <= ?2)
                AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)
                AND NOT EXISTS (SELECT 1 FROM entry AS newer WHERE newer.visit = entry.visit
                    AND newer.version > entry.version AND newer.state <> 'superseded') ",
            $rest
        )
    };
}

pub mod attention;
pub mod backup;
pub mod cache;
pub mod chain;
pub mod claims;
pub mod contention;
pub mod endings;
pub mod entering;
pub mod entries;
pub mod intake;
pub mod lists;
pub mod persons;
pub mod plans;
pub mod recovery;
pub mod restoring;
pub mod rows;
pub mod schema;
pub mod settling;
pub mod taken;
pub mod transition;
pub mod verify;
pub mod visits;

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::LedgerError;

/// A list for `json_each`: one statement instead of one per row. Statements join it with CROSS JOIN, which makes
/// SQLite go through the list and look each row up instead of the other way round.
pub fn json<T: Serialize>(list: &[T]) -> Result<String, LedgerError> {
    serde_json::to_string(list).map_err(|_| LedgerError::Spoiled("list"))
}

/// Bytes for a JSON list; `unhex` turns them back.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// A stored hash.
pub fn hash(bytes: Vec<u8>) -> Result<[u8; 32], LedgerError> {
    bytes.try_into().map_err(|_| LedgerError::Spoiled("hash"))
}

/// A stored time.
pub fn time(milliseconds: i64) -> Result<Timestamp, LedgerError> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| LedgerError::Spoiled("time"))
}

/// A stored date.
pub fn date(text: &str) -> Result<Date, LedgerError> {
    text.parse().map_err(|_| LedgerError::Spoiled("date"))
}

/// A stored count.
pub fn count<T: TryFrom<i64>>(number: i64) -> Result<T, LedgerError> {
    T::try_from(number).map_err(|_| LedgerError::Spoiled("number"))
}
