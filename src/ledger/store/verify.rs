//! What `ledger verify` reads: the database's own checks, summaries beside their histories, and what must be zero.

use sqlx::{FromRow, SqliteConnection};

use crate::ledger::LedgerError;
use crate::ledger::replay::StoredEvent;

/// Complaints of the database's own check, at most.
const COMPLAINTS_MAX: i64 = 100;

/// What the database says of itself: complaints of its structure, and references that lead nowhere.
pub async fn integrity(connection: &mut SqliteConnection) -> Result<(Vec<String>, u64), LedgerError> {
    let text = format!("PRAGMA integrity_check({COMPLAINTS_MAX})");
    let told: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(text)).fetch_all(&mut *connection).await?;
    let orphans = sqlx::query("PRAGMA foreign_key_check").fetch_all(connection).await?.len() as u64;
    Ok((told.into_iter().filter(|line| line != "ok").collect(), orphans))
}

/// The stored summary of an entry.
#[derive(Clone, Debug, FromRow)]
pub struct StoredSummary {
    pub id: i64,
    pub state: String,
    pub seq: i64,
    pub due_at: i64,
    pub blocked_on: Option<String>,
    pub blocked_count: i64,
    pub lease: Option<String>,
    pub spent: i64,
    pub probes: i64,
    pub state_since: i64,
    pub completed_at: Option<i64>,
    /// The lease of an attempt without an end; `None` without any.
    pub open_lease: Option<String>,
}

/// Summaries past an id, in order.
pub async fn summaries(
    connection: &mut SqliteConnection,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredSummary>, LedgerError> {
    Ok(sqlx::query_as(
        "SELECT id, state, seq, due_at, blocked_on, blocked_count, lease, spent, probes, state_since, completed_at,
            (SELECT attempt.lease FROM attempt WHERE attempt.entry = entry.id AND NOT EXISTS
                (SELECT 1 FROM attempt_end WHERE attempt_end.attempt = attempt.id) LIMIT 1) AS open_lease
         FROM entry WHERE id > ?1 ORDER BY id LIMIT ?2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}

/// The histories of entries past `after` up to `last`, by entry in order.
pub async fn histories(
    connection: &mut SqliteConnection,
    after: i64,
    last: i64,
) -> Result<Vec<(i64, StoredEvent)>, LedgerError> {
    let rows: Vec<(i64, i64, String, String, i64)> = sqlx::query_as(
        "SELECT entry, seq, event, state, at FROM event WHERE entry > ?1 AND entry <= ?2 ORDER BY entry, seq",
    )
    .bind(after)
    .bind(last)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(entry, seq, event, state, at)| (entry, StoredEvent { seq, event, state, at })).collect())
}

/// Passes whose numbers do not add up.
pub async fn uneven_passes(connection: &mut SqliteConnection) -> Result<i64, LedgerError> {
    let text = "SELECT count(*) FROM pass WHERE read <> new + changed + unchanged + issue + skipped";
    Ok(sqlx::query_scalar(text).fetch_one(connection).await?)
}
