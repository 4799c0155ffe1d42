//! What only spares calls: server ids of persons by keyed hash, and sealed access tokens.

use std::collections::HashMap;

use jiff::Timestamp;

use super::link::Link;
use super::{hash, hex, json};
use crate::ledger::LedgerError;

/// Expired identities removed at each write, at most.
const CLEANED_MAX: i64 = 100;

/// Stores the server id for a keyed hash, or forgets it.
pub async fn put_identity(
    link: &mut Link,
    kind: &str,
    key: &[u8; 32],
    server_id: Option<&str>,
    expires: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let Some(server_id) = server_id else {
        let statement = "DELETE FROM identity WHERE kind = ?1 AND key = ?2";
        link.execute(statement, values![kind, key.as_slice()]).await?;
        return Ok(());
    };
    link.execute(
        "INSERT INTO identity (kind, key, server_id, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, key) DO UPDATE SET server_id = excluded.server_id, expires_at = excluded.expires_at",
        values![kind, key.as_slice(), server_id, expires.as_millisecond()],
    )
    .await?;
    link.execute(
        "DELETE FROM identity WHERE (kind, key) IN
         (SELECT kind, key FROM identity WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        values![now.as_millisecond(), CLEANED_MAX],
    )
    .await?;
    Ok(())
}

/// The server id for a keyed hash, until it expires.
pub async fn identity(
    link: &mut Link,
    kind: &str,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<Option<String>, LedgerError> {
    Ok(link
        .first(
            "SELECT server_id FROM identity WHERE kind = ?1 AND key = ?2 AND expires_at > ?3",
            values![kind, key.as_slice(), now.as_millisecond()],
        )
        .await?)
}

/// The server ids for several keyed hashes, until they expire.
pub async fn identities(
    link: &mut Link,
    kind: &str,
    keys: &[[u8; 32]],
    now: Timestamp,
) -> Result<HashMap<[u8; 32], String>, LedgerError> {
    let list: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    let rows: Vec<(Vec<u8>, String)> = link
        .all(
            "SELECT identity.key, server_id FROM {?1: bytes} AS j
         CROSS JOIN identity ON identity.kind = ?2 AND identity.key = j.value WHERE expires_at > ?3",
            values![json(&list)?, kind, now.as_millisecond()],
        )
        .await?;
    rows.into_iter().map(|(key, id)| Ok((hash(key)?, id))).collect()
}

/// Stores a client's sealed token, or forgets it.
pub async fn put_token(
    link: &mut Link,
    client: &str,
    sealed: Option<&[u8]>,
    expires: Timestamp,
) -> Result<(), LedgerError> {
    let Some(sealed) = sealed else {
        link.execute("DELETE FROM token WHERE client = ?1", values![client]).await?;
        return Ok(());
    };
    let statement = "INSERT INTO token (client, sealed, expires_at) VALUES (?1, ?2, ?3)
        ON CONFLICT (client) DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at";
    link.execute(statement, values![client, sealed, expires.as_millisecond()]).await?;
    Ok(())
}

/// A client's sealed token and when it ends, until then.
pub async fn token(link: &mut Link, client: &str, now: Timestamp) -> Result<Option<(Vec<u8>, i64)>, LedgerError> {
    Ok(link
        .optional(
            "SELECT sealed, expires_at FROM token WHERE client = ?1 AND expires_at > ?2",
            values![client, now.as_millisecond()],
        )
        .await?)
}
