//! What only spares calls: server ids of persons by keyed hash, and sealed access tokens.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{hash, hex, json};
use crate::ledger::LedgerError;

/// Expired identities removed at each write, at most.
const CLEANED_MAX: i64 = 100;

/// Stores the server id for a keyed hash, or forgets it.
pub async fn put_identity(
    connection: &mut SqliteConnection,
    kind: &str,
    key: &[u8; 32],
    server_id: Option<&str>,
    expires: Timestamp,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let Some(server_id) = server_id else {
        let delete = sqlx::query("DELETE FROM identity WHERE kind = ? AND key = ?").bind(kind).bind(key.as_slice());
        delete.execute(connection).await?;
        return Ok(());
    };
    sqlx::query(
        "INSERT INTO identity (kind, key, server_id, expires_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (kind, key) DO UPDATE SET server_id = excluded.server_id, missing = NULL,
            expires_at = excluded.expires_at",
    )
    .bind(kind)
    .bind(key.as_slice())
    .bind(server_id)
    .bind(expires.as_millisecond())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM identity WHERE (kind, key) IN
         (SELECT kind, key FROM identity WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
    )
    .bind(now.as_millisecond())
    .bind(CLEANED_MAX)
    .execute(connection)
    .await?;
    Ok(())
}

/// The server id for a keyed hash, until it expires.
pub async fn identity(
    connection: &mut SqliteConnection,
    kind: &str,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<Option<String>, LedgerError> {
    Ok(sqlx::query_scalar(
        "SELECT server_id FROM identity WHERE kind = ? AND key = ? AND expires_at > ? AND server_id IS NOT NULL",
    )
    .bind(kind)
    .bind(key.as_slice())
    .bind(now.as_millisecond())
    .fetch_optional(connection)
    .await?)
}

/// The server ids for several keyed hashes, until they expire.
pub async fn identities(
    connection: &mut SqliteConnection,
    kind: &str,
    keys: &[[u8; 32]],
    now: Timestamp,
) -> Result<HashMap<[u8; 32], String>, LedgerError> {
    let list: Vec<String> = keys.iter().map(|key| hex(key)).collect();
    let rows: Vec<(Vec<u8>, String)> = sqlx::query_as(
        "SELECT identity.key, server_id FROM json_each(?1) AS j
         CROSS JOIN identity ON identity.kind = ?2 AND identity.key = unhex(j.value)
         WHERE expires_at > ?3 AND server_id IS NOT NULL",
    )
    .bind(json(&list)?)
    .bind(kind)
    .bind(now.as_millisecond())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|(key, id)| Ok((hash(key)?, id))).collect()
}

/// Stores that nobody, or not certainly one, was found for a keyed hash.
pub async fn put_missing(
    connection: &mut SqliteConnection,
    kind: &str,
    key: &[u8; 32],
    word: &str,
    expires: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO identity (kind, key, missing, expires_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, key) DO UPDATE SET server_id = NULL, missing = excluded.missing,
            expires_at = excluded.expires_at",
    )
    .bind(kind)
    .bind(key.as_slice())
    .bind(word)
    .bind(expires.as_millisecond())
    .execute(connection)
    .await?;
    Ok(())
}

/// The server id for a keyed hash, or the word for what is missing, until it expires.
pub async fn remembered(
    connection: &mut SqliteConnection,
    kind: &str,
    key: &[u8; 32],
    now: Timestamp,
) -> Result<Option<(Option<String>, Option<String>)>, LedgerError> {
    let query =
        sqlx::query_as("SELECT server_id, missing FROM identity WHERE kind = ?1 AND key = ?2 AND expires_at > ?3");
    Ok(query.bind(kind).bind(key.as_slice()).bind(now.as_millisecond()).fetch_optional(connection).await?)
}

/// Kind, known ids and known gaps that have not expired.
pub async fn counts(connection: &mut SqliteConnection, now: Timestamp) -> Result<Vec<(String, i64, i64)>, LedgerError> {
    let query = sqlx::query_as(
        "SELECT kind, count(server_id), count(missing) FROM identity WHERE expires_at > ?1 GROUP BY kind ORDER BY kind",
    );
    Ok(query.bind(now.as_millisecond()).fetch_all(connection).await?)
}

/// Stores a client's sealed token, or forgets it.
pub async fn put_token(
    connection: &mut SqliteConnection,
    client: &str,
    sealed: Option<&[u8]>,
    expires: Timestamp,
) -> Result<(), LedgerError> {
    let query = match sealed {
        Some(sealed) => sqlx::query("INSERT OR REPLACE INTO token (client, sealed, expires_at) VALUES (?, ?, ?)")
            .bind(client)
            .bind(sealed)
            .bind(expires.as_millisecond()),
        None => sqlx::query("DELETE FROM token WHERE client = ?").bind(client),
    };
    query.execute(connection).await?;
    Ok(())
}

/// A client's sealed token and when it ends, until then.
pub async fn token(
    connection: &mut SqliteConnection,
    client: &str,
    now: Timestamp,
) -> Result<Option<(Vec<u8>, i64)>, LedgerError> {
    Ok(sqlx::query_as("SELECT sealed, expires_at FROM token WHERE client = ? AND expires_at > ?")
        .bind(client)
        .bind(now.as_millisecond())
        .fetch_optional(connection)
        .await?)
}
