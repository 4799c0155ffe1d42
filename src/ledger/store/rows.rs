//! Rows, records and issues on disk: bulk look-up and bulk writing for intake.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::link::Link;
use super::{hex, json};
use crate::clock::Zone;
use crate::ledger::LedgerError;
use crate::ledger::series::InSeries;

/// A row as intake hands it over: everything personal is sealed.
#[derive(Debug)]
pub struct SealedRow {
    pub row_key: [u8; 32],
    pub digest: [u8; 32],
    pub place_sealed: Vec<u8>,
    pub place_mark: [u8; 32],
    pub kind: &'static str,
    pub skip_reason: Option<String>,
    pub visit: Option<SealedVisit>,
    pub puskesmas: Option<String>,
    pub posyandu: Option<String>,
    pub service_date: Option<String>,
    pub issues: Vec<SealedIssue>,
}

/// The visit of a row and the row's records.
#[derive(Debug)]
pub struct SealedVisit {
    pub key: [u8; 32],
    pub puskesmas: String,
    pub posyandu: String,
    pub service_date: String,
    pub zone: Zone,
    pub day_ends_at: Timestamp,
    pub due: Timestamp,
    pub records: Vec<SealedRecord>,
}

/// A record, sealed.
#[derive(Debug)]
pub struct SealedRecord {
    pub dataset: String,
    pub record_key: [u8; 32],
    pub content_hash: [u8; 32],
    pub sealed: Vec<u8>,
    pub series: Option<InSeries>,
}

/// An issue, sealed.
#[derive(Debug)]
pub struct SealedIssue {
    pub severity: &'static str,
    pub rule: String,
    pub sealed: Vec<u8>,
}

/// A row that is known already.
#[derive(Clone, Debug, FromRow)]
pub struct KnownRow {
    pub id: i64,
    pub row_key: Vec<u8>,
    pub occurrence: i64,
    pub digest: Vec<u8>,
    pub place_mark: Vec<u8>,
    pub kind: String,
    pub standing: String,
    pub replaced: i64,
    pub visit: Option<i64>,
    pub last_pass: i64,
}

/// All occurrences of the given keys in a source.
pub async fn known(link: &mut Link, source: &str, keys: &[String]) -> Result<Vec<KnownRow>, LedgerError> {
    Ok(link
        .all(
            "SELECT source_row.id, row_key, occurrence, digest, place_mark, kind, standing, replaced, visit, last_pass
         FROM {?2: bytes} AS j CROSS JOIN source_row ON source = ?1 AND row_key = j.value
         ORDER BY source_row.row_key, occurrence",
            values![source, json(keys)?],
        )
        .await?)
}

/// A row to be written.
#[derive(Debug, Serialize)]
pub struct RowToWrite<'a> {
    pub id: i64,
    pub row_key: String,
    pub occurrence: i64,
    pub digest: String,
    pub place: String,
    pub mark: String,
    pub kind: &'a str,
    pub standing: &'a str,
    pub replaced: i64,
    pub reason: Option<&'a str>,
    pub visit: Option<i64>,
    pub puskesmas: Option<&'a str>,
    pub posyandu: Option<&'a str>,
    pub date: &'a str,
    pub stamp: i64,
}

const WRITE: &str = "INSERT INTO source_row (id, source, file, row_key, occurrence, digest, place_sealed, place_mark,
        kind, standing, replaced, reason, visit, puskesmas, posyandu, counted_date, stamp, first_pass, last_pass)
    SELECT j.id, ?2, ?3, j.row_key, j.occurrence, j.digest, j.place, j.mark, j.kind, j.standing, j.replaced, j.reason,
        j.visit, j.puskesmas, j.posyandu, j.date, j.stamp, ?4, ?4
    FROM {?1: id int, row_key bytes, occurrence int, digest bytes, place bytes, mark bytes, kind text, standing text,
        replaced int, reason text, visit int, puskesmas text, posyandu text, date text, stamp int} AS j WHERE true
    ON CONFLICT (source, row_key, occurrence) DO UPDATE SET file = excluded.file, digest = excluded.digest,
        place_sealed = excluded.place_sealed, place_mark = excluded.place_mark, kind = excluded.kind,
        standing = excluded.standing, replaced = excluded.replaced, reason = excluded.reason, visit = excluded.visit,
        puskesmas = excluded.puskesmas, posyandu = excluded.posyandu, counted_date = excluded.counted_date,
        stamp = excluded.stamp, last_pass = excluded.last_pass";

/// Writes new and changed rows.
pub async fn write(
    link: &mut Link,
    rows: &[RowToWrite<'_>],
    source: &str,
    file: &str,
    pass: i64,
) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(WRITE, values![json(rows)?, source, file, pass]).await?;
    Ok(())
}

/// Remembers that rows were seen again as they were: the only write an unchanged row costs.
pub async fn touch(link: &mut Link, rows: &[i64], file: &str, pass: i64) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(
        "UPDATE source_row SET last_pass = ?2, file = ?3 WHERE id IN (SELECT j.value FROM {?1: int} AS j)",
        values![json(rows)?, pass, file],
    )
    .await?;
    Ok(())
}

/// A row that stands elsewhere in its file now.
#[derive(Debug, Serialize)]
pub struct MovedRow {
    pub id: i64,
    pub place: String,
    pub mark: String,
}

/// Remembers new places.
pub async fn move_rows(link: &mut Link, rows: &[MovedRow]) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(
        "UPDATE source_row SET place_sealed = j.place, place_mark = j.mark
         FROM {?1: id int, place bytes, mark bytes} AS j WHERE source_row.id = j.id",
        values![json(rows)?],
    )
    .await?;
    Ok(())
}

/// A row whose standing changes.
#[derive(Debug, Serialize)]
pub struct StandingToWrite {
    pub id: i64,
    pub standing: &'static str,
    pub replaced: i64,
    pub reason: Option<&'static str>,
}

/// Writes standings of rows with records or issues; a skipped row keeps its reason while it counts.
pub async fn stand(link: &mut Link, rows: &[StandingToWrite]) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    link.execute(
        "UPDATE source_row SET standing = j.standing, replaced = j.replaced,
            reason = CASE WHEN kind = 'skipped' THEN coalesce(source_row.reason, j.reason) ELSE j.reason END
         FROM {?1: id int, standing text, replaced int, reason text} AS j WHERE source_row.id = j.id",
        values![json(rows)?],
    )
    .await?;
    Ok(())
}

/// Forgets the records and issues of rows that are written anew.
pub async fn forget_content(link: &mut Link, rows: &[i64]) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    let list = json(rows)?;
    for statement in [
        "DELETE FROM record WHERE source_row IN (SELECT j.value FROM {?1: int} AS j)",
        "DELETE FROM issue WHERE source_row IS NOT NULL AND source_row IN (SELECT j.value FROM {?1: int} AS j)",
    ] {
        link.execute(statement, values![&list]).await?;
    }
    Ok(())
}

#[derive(Serialize)]
struct RecordRow<'a> {
    row: i64,
    visit: i64,
    dataset: &'a str,
    key: String,
    hash: String,
    sealed: String,
    series: Option<String>,
}

/// Stores records, none of them current yet.
pub async fn insert_records(link: &mut Link, records: &[(i64, i64, &SealedRecord)]) -> Result<(), LedgerError> {
    if records.is_empty() {
        return Ok(());
    }
    let rows: Vec<RecordRow<'_>> = records
        .iter()
        .map(|(row, visit, record)| RecordRow {
            row: *row,
            visit: *visit,
            dataset: &record.dataset,
            key: hex(&record.record_key),
            hash: hex(&record.content_hash),
            sealed: hex(&record.sealed),
            series: record.series.map(|series| hex(&series.content)),
        })
        .collect();
    link.execute(
        "INSERT INTO record (source_row, visit, dataset, record_key, content_hash, sealed, series_content)
         SELECT j.row, j.visit, j.dataset, j.key, j.hash, j.sealed, j.series
         FROM {?1: row int, visit int, dataset text, key bytes, hash bytes, sealed bytes, series bytes} AS j",
        values![json(&rows)?],
    )
    .await?;
    Ok(())
}

#[derive(Serialize)]
struct IssueRow<'a> {
    row: Option<i64>,
    entry: Option<i64>,
    severity: &'static str,
    rule: &'a str,
    sealed: String,
}

/// What an issue is about: a row or an entry.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A row by its id.
    Row(i64),
    /// An entry by its id.
    Entry(i64),
}

/// Stores issues of rows and entries.
pub async fn insert_issues(link: &mut Link, issues: &[(About, &SealedIssue)]) -> Result<(), LedgerError> {
    if issues.is_empty() {
        return Ok(());
    }
    let rows: Vec<IssueRow<'_>> = issues
        .iter()
        .map(|(about, issue)| {
            let (row, entry) = match *about {
                About::Row(row) => (Some(row), None),
                About::Entry(entry) => (None, Some(entry)),
            };
            IssueRow { row, entry, severity: issue.severity, rule: &issue.rule, sealed: hex(&issue.sealed) }
        })
        .collect();
    link.execute(
        "INSERT INTO issue (source_row, entry, severity, rule, sealed)
         SELECT j.row, j.entry, j.severity, j.rule, j.sealed
         FROM {?1: row int, entry int, severity text, rule text, sealed bytes} AS j",
        values![json(&rows)?],
    )
    .await?;
    Ok(())
}
