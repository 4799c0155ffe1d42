//! Contents taken from drop folders.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::count;
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
pub async fn list(connection: &mut SqliteConnection, source: &str) -> Result<Vec<StoredTaken>, LedgerError> {
    let query = sqlx::query_as(
        "SELECT name_hash, content_hash, name_sealed, stamp, bytes, taken_at, version, day, outcome, issue_sealed,
            lines, records, issue, skipped, accepted_at
         FROM taken_file WHERE source = ? ORDER BY seq",
    );
    Ok(query.bind(source).fetch_all(connection).await?)
}

/// Makes a change; gives the rows of the content, or nothing when there was nothing to change.
pub async fn change(
    connection: &mut SqliteConnection,
    change: &Change,
    now: Timestamp,
) -> Result<Option<TakenRows>, LedgerError> {
    match change {
        Change::Remember(taken) => remember(connection, taken).await.map(Some),
        Change::Accept { source, name_hash } => {
            let update = sqlx::query(
                "UPDATE taken_file SET accepted_at = ?3 WHERE outcome = 'waiting' AND accepted_at IS NULL AND id =
                    (SELECT id FROM taken_file WHERE source = ?1 AND name_hash = ?2 ORDER BY seq DESC LIMIT 1)",
            );
            let update = update.bind(source).bind(name_hash.as_slice()).bind(now.as_millisecond());
            Ok((update.execute(connection).await?.rows_affected() > 0).then(TakenRows::default))
        }
    }
}

async fn remember(connection: &mut SqliteConnection, taken: &SealedTaken) -> Result<TakenRows, LedgerError> {
    let rows = match &taken.counts_pass_of {
        Some(file) => rows(connection, taken, file).await?,
        None => taken.rows,
    };
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO taken_file (source, name_hash, content_hash, name_sealed, stamp, seq, bytes, taken_at, version,
            day, outcome, issue_sealed, lines, records, issue, skipped)
         VALUES (?1, ?2, ?3, ?4, ?5, (SELECT coalesce(max(seq), 0) + 1 FROM taken_file), ?6, ?7, ?8, ?9, ?10, ?11, ?12,
            ?13, ?14, ?15)
         ON CONFLICT (source, name_hash, content_hash) DO UPDATE SET stamp = excluded.stamp, seq = excluded.seq,
            taken_at = excluded.taken_at, version = excluded.version, day = excluded.day, outcome = excluded.outcome,
            issue_sealed = excluded.issue_sealed, lines = excluded.lines, records = excluded.records,
            issue = excluded.issue, skipped = excluded.skipped",
    )
    .bind(&taken.source)
    .bind(taken.name_hash.as_slice())
    .bind(taken.content_hash.as_slice())
    .bind(&taken.name_sealed)
    .bind(taken.stamp.as_slice())
    .bind(taken.bytes)
    .bind(taken.taken_at.as_millisecond())
    .bind(&taken.version)
    .bind(&taken.day)
    .bind(taken.outcome)
    .bind(&taken.issue_sealed)
    .bind(number(rows.lines))
    .bind(number(rows.records))
    .bind(number(rows.issue))
    .bind(number(rows.skipped))
    .execute(connection)
    .await?;
    Ok(rows)
}

/// The rows seen in the last pass over the file, each in one of three numbers.
async fn rows(connection: &mut SqliteConnection, taken: &SealedTaken, file: &str) -> Result<TakenRows, LedgerError> {
    let (records, issue, skipped): (i64, i64, i64) = sqlx::query_as(
        "SELECT coalesce(sum(kind = 'records' AND standing <> 'conflict'), 0),
            coalesce(sum(kind = 'issue' OR standing = 'conflict'), 0), coalesce(sum(kind = 'skipped'), 0)
         FROM source_row WHERE source = ?1
            AND last_pass = (SELECT max(id) FROM pass WHERE source = ?1 AND file = ?2 AND complete = 1)",
    )
    .bind(&taken.source)
    .bind(file)
    .fetch_one(connection)
    .await?;
    Ok(TakenRows { lines: taken.rows.lines, records: count(records)?, issue: count(issue)?, skipped: count(skipped)? })
}
