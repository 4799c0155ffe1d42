//! Contents taken from drop folders.

use jiff::Timestamp;
use sqlx::FromRow;

use super::count;
use super::link::Link;
use crate::ledger::LedgerError;
use crate::ledger::taken::TakenRows;

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// A content has an outcome.
    Remember(Box<SealedTaken>),
    /// A person lets through what waits.
    Accept { source: String, name_hash: [u8; 32] },
}

/// A content as it is stored.
#[derive(Debug)]
pub struct SealedTaken {
    pub source: String,
    /// The file whose last pass is counted; without it the given rows are kept.
    pub counts_pass_of: Option<String>,
    pub name_hash: [u8; 32],
    pub content_hash: [u8; 32],
    pub name_sealed: Vec<u8>,
    pub stamp: [u8; 32],
    pub bytes: i64,
    pub taken_at: Timestamp,
    pub version: String,
    pub day: String,
    pub outcome: &'static str,
    pub issue_sealed: Option<Vec<u8>>,
    pub rows: TakenRows,
}

/// A content as it comes back.
#[derive(Debug, FromRow)]
pub struct StoredTaken {
    pub name_hash: Vec<u8>,
    pub content_hash: Vec<u8>,
    pub name_sealed: Vec<u8>,
    pub stamp: Vec<u8>,
    pub bytes: i64,
    pub taken_at: i64,
    pub version: String,
    pub day: String,
    pub outcome: String,
    pub issue_sealed: Option<Vec<u8>>,
    pub lines: i64,
    pub records: i64,
    pub issue: i64,
    pub skipped: i64,
    pub accepted_at: Option<i64>,
}

/// Everything taken for a source, oldest first.
pub async fn list(link: &mut Link, source: &str) -> Result<Vec<StoredTaken>, LedgerError> {
    let statement =
        "SELECT name_hash, content_hash, name_sealed, stamp, bytes, taken_at, version, day, outcome, issue_sealed,
            lines, records, issue, skipped, accepted_at
         FROM taken_file WHERE source = ?1 ORDER BY seq";
    Ok(link.all(statement, values![source]).await?)
}

/// Makes a change; gives the rows of the content, or nothing when there was nothing to change.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<Option<TakenRows>, LedgerError> {
    match change {
        Change::Remember(taken) => remember(link, taken).await.map(Some),
        Change::Accept { source, name_hash } => {
            let statement =
                "UPDATE taken_file SET accepted_at = ?3 WHERE outcome = 'waiting' AND accepted_at IS NULL AND id =
                    (SELECT id FROM taken_file WHERE source = ?1 AND name_hash = ?2 ORDER BY seq DESC LIMIT 1)";
            let values = values![source, name_hash.as_slice(), now.as_millisecond()];
            Ok((link.execute(statement, values).await? > 0).then(TakenRows::default))
        }
    }
}

async fn remember(link: &mut Link, taken: &SealedTaken) -> Result<TakenRows, LedgerError> {
    let rows = match &taken.counts_pass_of {
        Some(file) => rows(link, taken, file).await?,
        None => taken.rows,
    };
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    link.execute(
        "INSERT INTO taken_file (source, name_hash, content_hash, name_sealed, stamp, seq, bytes, taken_at, version,
            day, outcome, issue_sealed, lines, records, issue, skipped)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(seq), 0) + 1 FROM taken_file), ?6, ?7, ?8, ?9, ?10, ?11, ?12,
            ?13, ?14, ?15)
         ON CONFLICT (source, name_hash, content_hash) DO UPDATE SET stamp = excluded.stamp, seq = excluded.seq,
            taken_at = excluded.taken_at, version = excluded.version, day = excluded.day, outcome = excluded.outcome,
            issue_sealed = excluded.issue_sealed, lines = excluded.lines, records = excluded.records,
            issue = excluded.issue, skipped = excluded.skipped",
        values![
            &taken.source,
            taken.name_hash.as_slice(),
            taken.content_hash.as_slice(),
            &taken.name_sealed,
            taken.stamp.as_slice(),
            taken.bytes,
            taken.taken_at.as_millisecond(),
            &taken.version,
            &taken.day,
            taken.outcome,
            &taken.issue_sealed,
            number(rows.lines),
            number(rows.records),
            number(rows.issue),
            number(rows.skipped)
        ],
    )
    .await?;
    Ok(rows)
}

/// The rows seen in the last pass over the file, each in one of three numbers.
async fn rows(link: &mut Link, taken: &SealedTaken, file: &str) -> Result<TakenRows, LedgerError> {
    let (records, issue, skipped): (i64, i64, i64) = link
        .one(
            "SELECT count(*) FILTER (WHERE kind = 'records' AND standing <> 'conflict'),
            count(*) FILTER (WHERE kind = 'issue' OR standing = 'conflict'), count(*) FILTER (WHERE kind = 'skipped')
         FROM source_row WHERE source = ?1
            AND last_pass = (SELECT max(id) FROM pass WHERE source = ?1 AND file = ?2 AND complete = 1)",
            values![&taken.source, file],
        )
        .await?;
    Ok(TakenRows { lines: taken.rows.lines, records: count(records)?, issue: count(issue)?, skipped: count(skipped)? })
}
