//! What daemons that share a ledger agree on: who reads a source, and who may call how often.

use std::time::Duration;

use jiff::Timestamp;

use super::link::Link;
use crate::ledger::LedgerError;
use crate::ledger::sharing::{Calls, VALID, plan};

/// Takes a file or table of a source for a pass, unless another daemon is reading it.
pub async fn take_reading(
    link: &mut Link,
    (source, file): (&str, &str),
    pass: i64,
    holder: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let statement = "INSERT INTO reading (source, file, pass, holder, held_until) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (source, file) DO UPDATE SET pass = excluded.pass, holder = excluded.holder,
            held_until = excluded.held_until
        WHERE reading.holder = excluded.holder OR reading.held_until <= ?6";
    let values = values![source, file, pass, holder, until.as_millisecond(), now.as_millisecond()];
    if link.execute(statement, values).await? == 0 {
        return Err(LedgerError::BeingRead);
    }
    Ok(())
}

/// Goes on holding what a daemon reads.
pub async fn keep_readings(link: &mut Link, holder: &str, until: Timestamp) -> Result<(), LedgerError> {
    let statement = "UPDATE reading SET held_until = ?2 WHERE holder = ?1";
    link.execute(statement, values![holder, until.as_millisecond()]).await?;
    Ok(())
}

/// Whether another daemon took over the reading that a pass belongs to.
pub async fn is_taken_over(link: &mut Link, pass: i64, holder: &str) -> Result<bool, LedgerError> {
    let statement = "SELECT 1 FROM pass JOIN reading ON reading.source = pass.source AND reading.file = pass.file
        WHERE pass.id = ?1 AND reading.pass > pass.id AND reading.holder <> ?2";
    Ok(!link.all::<()>(statement, values![pass, holder]).await?.is_empty())
}

/// Lets go of everything a daemon reads.
pub async fn release_readings(link: &mut Link, holder: &str) -> Result<(), LedgerError> {
    link.execute("DELETE FROM reading WHERE holder = ?1", values![holder]).await?;
    Ok(())
}

/// Forgets who read what: in a file nobody else can be reading.
pub async fn forget_readings(link: &mut Link) -> Result<(), LedgerError> {
    link.execute("DELETE FROM reading", values![]).await?;
    Ok(())
}

/// Lets go of the reading of a pass.
pub async fn release_reading(link: &mut Link, pass: i64) -> Result<(), LedgerError> {
    link.execute("DELETE FROM reading WHERE pass = ?1", values![pass]).await?;
    Ok(())
}

/// Gives the next calls under a client id away: how many, and from when on.
pub async fn take_calls(link: &mut Link, client: &str, per_minute: u32, now: Timestamp) -> Result<Calls, LedgerError> {
    let (calls, apart) = plan(per_minute);
    let apart = i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
    let now = now.as_millisecond();
    let statement = "INSERT INTO call_allowance (client, free_at) VALUES (?1, ?2 + ?3)
        ON CONFLICT (client) DO UPDATE SET free_at = ?3 + CASE
            WHEN call_allowance.free_at > ?2 THEN call_allowance.free_at ELSE ?2 END
        RETURNING free_at";
    let free_at: i64 = link.scalar(statement, values![client, now, apart]).await?;
    let wait = Duration::from_millis(u64::try_from(free_at - apart - now).unwrap_or(0));
    Ok(Calls { calls, wait, valid: VALID })
}
