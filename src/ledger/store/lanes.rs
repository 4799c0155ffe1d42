//! Notes of delivery about client ids and lanes, the release of a stopped lane, and whom the ledger deals with: the host
//! that it belongs to and the authorities that vouch for it.

use jiff::Timestamp;

use super::link::Link;
use super::transition::{self, Step};
use crate::ledger::LedgerError;
use crate::ledger::entry::EntryId;
use crate::ledger::state::{Event, State};

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// A note is written or removed.
    Note { kind: &'static str, name: String, value: Option<String> },
    /// A person lets a stopped lane go on.
    Release { lane: String, refused_since: Option<Timestamp>, command: String, reason_sealed: Vec<u8> },
    /// The ledger belongs to this host from now on: the first one, or one that moved.
    Bind { host: String, moved_from: String },
    /// Other authorities are trusted beside the public ones from now on: the digest of their file, or none any more.
    Trust { digest: Option<String> },
    /// A suspect got as far as the network.
    ClearStrike { entry: EntryId },
}

/// A note.
pub async fn note(link: &mut Link, kind: &str, name: &str) -> Result<Option<String>, LedgerError> {
    Ok(link.first("SELECT value FROM lane_note WHERE kind = ?1 AND name = ?2", values![kind, name]).await?)
}

/// Makes a change; gives the number of visits released.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<i64, LedgerError> {
    match change {
        Change::Note { kind, name, value } => put_note(link, kind, name, value.as_deref()).await?,
        Change::Release { lane, refused_since, command, reason_sealed } => {
            return release(link, lane, *refused_since, command, reason_sealed, now).await;
        }
        Change::Bind { host, moved_from } => bind(link, host, moved_from).await?,
        Change::Trust { digest } => trust(link, digest.as_deref(), now).await?,
        Change::ClearStrike { entry } => {
            let clear = "UPDATE entry SET strikes = strikes - 1 WHERE id = ?1 AND state = 'in_flight' AND strikes > 1";
            link.execute(clear, values![entry.number()]).await?;
        }
    }
    Ok(0)
}

/// The host that the ledger belongs to, once it belongs to one.
pub async fn bound(link: &mut Link) -> Result<Option<String>, LedgerError> {
    let stored: Option<Vec<u8>> = link.first("SELECT value FROM meta WHERE name = 'server'", values![]).await?;
    stored.map(|host| String::from_utf8(host).map_err(|_| LedgerError::Spoiled("server"))).transpose()
}

async fn bind(link: &mut Link, host: &str, moved_from: &str) -> Result<(), LedgerError> {
    match bound(link).await? {
        Some(bound) if bound != host && bound != moved_from => {
            Err(LedgerError::OtherServer { bound, asked: host.to_owned() })
        }
        _ => {
            let write = "INSERT INTO meta (name, value) VALUES ('server', ?1)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            link.execute(write, values![host.as_bytes()]).await?;
            Ok(())
        }
    }
}

/// Digest of the certificates that are trusted beside the public ones, as last told to the audit trail.
pub async fn trusted(link: &mut Link) -> Result<Option<String>, LedgerError> {
    let stored: Option<Vec<u8>> = link.first("SELECT value FROM meta WHERE name = 'extra_ca'", values![]).await?;
    stored.map(|digest| String::from_utf8(digest).map_err(|_| LedgerError::Spoiled("extra_ca"))).transpose()
}

async fn trust(link: &mut Link, digest: Option<&str>, now: Timestamp) -> Result<(), LedgerError> {
    let before = trusted(link).await?;
    // Of two daemons on one database the second one finds it told.
    if before.as_deref() == digest {
        return Ok(());
    }
    let (action, subject) = match digest {
        Some(digest) => {
            let write = "INSERT INTO meta (name, value) VALUES ('extra_ca', ?1)
                ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            link.execute(write, values![digest.as_bytes()]).await?;
            ("trust_extra_ca", digest)
        }
        None => {
            link.execute("DELETE FROM meta WHERE name = 'extra_ca'", values![]).await?;
            ("distrust_extra_ca", before.as_deref().unwrap_or_default())
        }
    };
    let line = "INSERT INTO audit (at, account, role, action, subject) VALUES (?1, '-', 'config', ?2, ?3)";
    link.execute(line, values![now.as_millisecond(), action, format!("sha256 {subject}")]).await?;
    Ok(())
}

async fn put_note(link: &mut Link, kind: &str, name: &str, value: Option<&str>) -> Result<(), LedgerError> {
    match value {
        Some(value) => {
            let write = "INSERT INTO lane_note (kind, name, value) VALUES (?1, ?2, ?3)
                ON CONFLICT (kind, name) DO UPDATE SET value = excluded.value";
            link.execute(write, values![kind, name, value]).await?;
        }
        None => {
            link.execute("DELETE FROM lane_note WHERE kind = ?1 AND name = ?2", values![kind, name]).await?;
        }
    }
    Ok(())
}

async fn release(
    link: &mut Link,
    lane: &str,
    refused_since: Option<Timestamp>,
    command: &str,
    reason_sealed: &[u8],
    now: Timestamp,
) -> Result<i64, LedgerError> {
    let known: Option<(String, i64)> =
        link.optional("SELECT lane, entries FROM lane_release WHERE command = ?1", values![command]).await?;
    if let Some((released, entries)) = known {
        return if released == lane { Ok(entries) } else { Err(LedgerError::CommandUsed) };
    }
    let refused: Vec<i64> = link
        .column(
            "SELECT id FROM entry WHERE lane = ?1 AND state = 'refused' AND mapping_refused = 0 AND state_since >= ?2
         ORDER BY id",
            values![lane, refused_since.map_or(i64::MAX, Timestamp::as_millisecond)],
        )
        .await?;
    let retry = Event::RetryCommanded { due: now };
    let steps = refused.iter().map(|id| Ok(Step::new(*id, State::Refused, &retry)?.0));
    let steps = steps.collect::<Result<Vec<_>, LedgerError>>()?;
    transition::take(link, &steps, now).await?;
    let entries = i64::try_from(refused.len()).unwrap_or(i64::MAX);
    link.execute(
        "INSERT INTO lane_release (command, lane, entries, reason_sealed, at) VALUES (?1, ?2, ?3, ?4, ?5)",
        values![command, lane, entries, reason_sealed, now.as_millisecond()],
    )
    .await?;
    put_note(link, "stopped", lane, None).await?;
    Ok(entries)
}
