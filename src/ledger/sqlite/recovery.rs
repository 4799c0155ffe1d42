//! Start is recovery: whatever was in flight when the last process stopped is settled before anything else happens.

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{claims, restoring};
use crate::ledger::LedgerError;
use crate::ledger::chain::Chain;

/// Ends all leases, through the same transition function as everything else.
pub async fn recover(connection: &mut SqliteConnection, chain: &Chain, now: Timestamp) -> Result<(), LedgerError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    // In the order of the index over leases: by id alone the whole table would be gone through.
    let entries: Vec<i64> =
        sqlx::query_scalar("SELECT id FROM entry WHERE state = 'in_flight' ORDER BY lease_until, id")
            .fetch_all(&mut *connection)
            .await?;
    if !entries.is_empty() {
        tracing::info!(entries = entries.len(), "recovering entries that were in flight");
    }
    claims::expire(connection, &entries, now).await?;
    chain.link(connection, now).await?;
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}

/// Marks what an older copy of the ledger, found in the place of a newer one, cannot know of.
pub async fn doubt(connection: &mut SqliteConnection, chain: &Chain, now: Timestamp) -> Result<(), LedgerError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    restoring::mark(connection, "found", now).await?;
    chain.link(connection, now).await?;
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(())
}
