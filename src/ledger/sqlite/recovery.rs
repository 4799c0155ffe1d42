//! Start is recovery: whatever was in flight when the last process stopped is settled before anything else happens.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::claims;
use crate::crash;
use crate::ledger::LedgerError;

/// Ends all leases, through the same transition function as everything else.
pub async fn recover(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), LedgerError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    let entries: Vec<i64> = sqlx::query_scalar("SELECT id FROM entry WHERE state = 'in_flight' ORDER BY id")
        .fetch_all(&mut *connection)
        .await?;
    if !entries.is_empty() {
        tracing::info!(entries = entries.len(), "recovering entries that were in flight");
    }
    claims::expire(connection, &entries, now).await?;
    crash::around("ledger.recover.commit", sqlx::query("COMMIT").execute(&mut *connection)).await?;
    Ok(())
}
