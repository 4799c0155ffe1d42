//! The ledger's store: every SQL statement, one file per concern, for SQLite and PostgreSQL alike.
//!
//! It must not seal, open or decide: it is handed sealed bytes and checked steps.
//!
//! There is one set of statements instead of one implementation for each database, because two of them drift apart
//! where no test looks. [`link`] runs a statement on either connection, [`statement`] spells it for each, and the
//! contract tests run every case on both. A statement that was written for SQLite is carried over like this:
//!
//! * the function takes `link: &mut Link` and calls `link.all`, `one`, `optional`, `column`, `first`, `scalar` or
//!   `execute` with `values![…]`; rows are tuples or `derive(FromRow)` of `i64`, `String`, `Vec<u8>` and their options
//!   (no `bool`);
//! * `json_each(?1) AS j` with `j.value->>'entry'` and `unhex(j.value->>'hash')` becomes
//!   `{?1: entry int, hash bytes} AS j` with `j.entry` and `j.hash`; a bare list is `{?1: int} AS j` with `j.value`;
//!   an `INSERT … SELECT` needs the `AS j` too;
//! * parameters have numbers; truths are `CASE WHEN … THEN 1 ELSE 0 END`, sums of truths `count(*) FILTER (WHERE …)`;
//!   `IS NOT 'x'` is `IS DISTINCT FROM 'x'`; `INSERT OR IGNORE` is `ON CONFLICT (…) DO NOTHING`, `OR REPLACE` is
//!   `DO UPDATE`; a column that may be NULL is ordered `NULLS FIRST`; a sub-select in FROM has a name;
//! * in `UPDATE t … FROM list`, columns of `t` on the right side are written `t.column` where the list has one of that
//!   name; no statement changes a row twice; no alias is a word of SQL (`row`, `end`);
//! * what truly differs has two texts in one [`statement::Statement::each`]; numbers of new rows that must be known
//!   beforehand come from such a statement (`nextval` in PostgreSQL);
//! * a command that touches more than what its own lease holds stays at [`server::Reach::All`]; one that is content
//!   with less says so in `Command::reach` and locks what it reads with `/*lock*/`;
//! * the step of the schema is written a second time in `schemas/ledger/postgres`, under the same number: `bigint`,
//!   `bytea`, `text COLLATE "C"` (the order of SQLite), the same names of CHECKs and indexes, and listed in [`server`].

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

/// Rows by standing and reason, puskesmas and posyandu: from an index, but for the reasons of skipped ones. SQLite is told
/// the index of visits that are to be mapped again.
macro_rules! counted {
    ($condition:literal, $index:literal) => {
        concat!(
            "SELECT standing, reason, puskesmas, posyandu, count(*) FROM (SELECT
        CASE WHEN source_row.standing = 'superseded' THEN 'superseded'
             WHEN source_row.kind = 'issue' OR source_row.standing = 'conflict' THEN 'issue'
             WHEN source_row.kind = 'skipped' THEN 'skipped'
             WHEN EXISTS (SELECT 1 FROM visit ",
            $index,
            " WHERE visit.id = source_row.visit AND visit.revision <> visit.entered_revision) THEN 'pending'
             ELSE coalesce((SELECT state FROM entry WHERE entry.visit = source_row.visit
                            AND entry.state <> 'superseded' ORDER BY version DESC LIMIT 1), 'pending')
        END AS standing,
        CASE WHEN source_row.kind = 'skipped' THEN (SELECT own.reason FROM source_row AS own
            WHERE own.id = source_row.id) END AS reason,
        puskesmas, posyandu
    FROM source_row WHERE ",
            $condition,
            ") AS stood GROUP BY 1, 2, 3, 4"
        )
    };
}

/// The values of a statement, in order.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$($crate::ledger::store::link::Value::from($value)),*] };
}

pub mod accounts;
pub mod alarms;
pub mod attention;
pub mod backup;
pub mod board;
pub mod cache;
pub mod chain;
pub mod claims;
pub mod comparing;
pub mod contention;
pub mod covered;
pub mod discrepancies;
pub mod endings;
pub mod entering;
pub mod entries;
pub mod forecast;
pub mod intake;
pub mod lanes;
pub mod link;
pub mod lists;
pub mod persons;
pub mod plans;
pub mod questions;
pub mod recap;
pub mod recovery;
pub mod registrations;
pub mod removals;
pub mod restoring;
pub mod rows;
pub mod schema;
pub mod series;
pub mod server;
pub mod settling;
pub mod sharing;
pub mod standing;
pub mod statement;
pub mod statements;
pub mod taken;
pub mod transition;
pub mod trouble;
pub mod verify;
pub mod visits;
pub mod watching;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::LedgerError;

/// A list for `jsonb_each`: one statement instead of one per row. Statements join it with CROSS JOIN, which makes
/// SQLite go through the list and look each row up instead of the other way round.
pub fn json<T: Serialize>(list: &[T]) -> Result<String, LedgerError> {
    serde_json::to_string(list).map_err(|_| LedgerError::Spoiled("list"))
}

/// Bytes for a JSON list; `unhex` turns them back.
pub fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// A hash in hexadecimal, as lists give it.
pub fn hash_of(hex: &str) -> Result<[u8; 32], LedgerError> {
    hash(HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| LedgerError::Spoiled("hash"))?)
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
