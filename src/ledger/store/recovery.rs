//! Start is recovery: what the last process left in flight is settled before anything else happens.

use jiff::Timestamp;

use super::link::Link;
use super::server::{self, Reach};
use super::{claims, registrations, restoring, sharing};
use crate::crash;
use crate::ledger::LedgerError;
use crate::ledger::chain::Chain;

/// Ends all leases of a file, which nobody else can hold, through the same transition function as everything else.
pub async fn recover(link: &mut Link, chain: &Chain, now: Timestamp) -> Result<(), LedgerError> {
    link.execute("BEGIN IMMEDIATE", values![]).await?;
    // In the order of the index over leases: by id alone the whole table would be gone through.
    let statement = "SELECT id FROM entry WHERE state = 'in_flight' ORDER BY lease_until, id";
    let entries: Vec<i64> = link.column(statement, values![]).await?;
    if !entries.is_empty() {
        tracing::info!(entries = entries.len(), "recovering entries that were in flight");
    }
    claims::expire(link, &entries, true, now).await?;
    registrations::recover(link, now).await?;
    sharing::forget_readings(link).await?;
    chain.link(link.file()?, now).await?;
    crash::around("ledger.recover.commit", link.execute("COMMIT", values![])).await?;
    Ok(())
}

/// Marks what an older copy of the ledger, put in the place of a newer one, cannot know of; gives how many entries.
pub async fn doubt(link: &mut Link, chain: &Chain, reason: &str, now: Timestamp) -> Result<u64, LedgerError> {
    link.execute("BEGIN IMMEDIATE", values![]).await?;
    let doubted = restoring::mark(link, reason, now).await?;
    chain.link(link.file()?, now).await?;
    link.execute("COMMIT", values![]).await?;
    Ok(doubted)
}

/// Ends the leases on a server that ran out; the others belong to daemons that live. The time is the database's,
/// unless one is `given`.
pub async fn settle_expired(link: &mut Link, given: Option<Timestamp>) -> Result<(), LedgerError> {
    let now = server::begin(link, Reach::Own).await?;
    claims::sweep(link, given.unwrap_or(now)).await?;
    crash::around("ledger.connect.settle", link.execute("COMMIT", values![])).await?;
    Ok(())
}
