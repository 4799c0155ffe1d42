//! Start is recovery: what the last process left in flight is settled before anything else happens.

use jiff::Timestamp;

use super::claims;
use super::link::Link;
use super::server::{self, Reach};
use super::{registrations, sharing};
use crate::crash;
use crate::ledger::LedgerError;

/// Ends all leases of a file, which nobody else can hold, through the same transition function as everything else.
pub async fn recover(link: &mut Link, now: Timestamp) -> Result<(), LedgerError> {
    link.execute("BEGIN IMMEDIATE", values![]).await?;
    let statement = "SELECT id FROM entry WHERE state = 'in_flight' ORDER BY id";
    let entries: Vec<i64> = link.column(statement, values![]).await?;
    if !entries.is_empty() {
        tracing::info!(entries = entries.len(), "recovering entries that were in flight");
    }
    claims::expire(link, &entries, true, now).await?;
    registrations::recover(link, now).await?;
    sharing::forget_readings(link).await?;
    crash::around("ledger.recover.commit", link.execute("COMMIT", values![])).await?;
    Ok(())
}

/// Ends the leases on a server that ran out; the others belong to daemons that live. The time is the database's,
/// unless one is `given`.
pub async fn settle_expired(link: &mut Link, given: Option<Timestamp>) -> Result<(), LedgerError> {
    let now = server::begin(link, Reach::Own).await?;
    claims::sweep(link, given.unwrap_or(now)).await?;
    link.execute("COMMIT", values![]).await?;
    Ok(())
}
