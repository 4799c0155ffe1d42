//! The chain as statements: which rows a transaction touched, how each of them reads as text, and the links themselves.
//! What is covered stands in `covered`.
//!
//! The writer's connection notes touched rows by temporary triggers, so that no statement of the store has to
//! remember the chain. Only a file has one, so these statements speak SQLite only.

use sqlx::SqliteConnection;

use super::covered::{KINDS, Kind};
use super::{hash, json};
use crate::ledger::LedgerError;

/// Rows covered by one link, at most; a larger transaction gets several.
pub const LINK_MAX: i64 = 5_000;

/// Texts made here of constants only; nothing from outside enters them.
fn own(text: String) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(text)
}

/// Lets a connection note what it touches from now on.
pub async fn watch(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    // Each row once, however many changes touch it: an answer touches the resources of its entry one by one.
    let mut text = "CREATE TEMP TABLE touched (kind TEXT NOT NULL, id INTEGER NOT NULL, seq INTEGER NOT NULL,
            PRIMARY KEY (kind, id, seq)) WITHOUT ROWID;"
        .to_owned();
    for kind in &KINDS {
        for (number, (when, id, seq)) in kind.touched.iter().enumerate() {
            text.push_str(&format!(
                "CREATE TEMP TRIGGER touched_{}_{number} AFTER {when}
                 BEGIN INSERT INTO touched (kind, id, seq) VALUES ('{}', {id}, {seq}) ON CONFLICT DO NOTHING; END;",
                kind.name, kind.name
            ));
        }
    }
    sqlx::raw_sql(own(text)).execute(connection).await?;
    Ok(())
}

/// Whether everything that stands in the ledger is still to be chained.
pub async fn is_due(connection: &mut SqliteConnection) -> Result<bool, LedgerError> {
    let due: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT value FROM meta WHERE name = 'chain_due'").fetch_optional(connection).await?;
    Ok(due.is_some())
}

/// Notes everything that stands in the ledger as touched.
pub async fn touch_all(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM meta WHERE name = 'chain_due'").execute(&mut *connection).await?;
    for kind in &KINDS {
        let (id, seq) = kind.key;
        let text = format!(
            "INSERT INTO touched (kind, id, seq) SELECT '{}', {id}, {seq} FROM {} WHERE TRUE ON CONFLICT DO NOTHING",
            kind.name, kind.table
        );
        sqlx::query(own(text)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Kind, number of rows, and keys of the rows as a JSON list.
pub type Touched = (String, i64, String);

const TOUCHED: &str = "SELECT kind, count(*), json_group_array(json_array(id, seq) ORDER BY id, seq)
    FROM (SELECT kind, id, seq FROM touched WHERE (kind, id, seq) > (?1, ?2, ?3)
        ORDER BY kind, id, seq LIMIT ?4) GROUP BY kind ORDER BY kind";

/// What was touched, past a key: at most [`LINK_MAX`] rows.
pub async fn touched(
    connection: &mut SqliteConnection,
    (kind, id, seq): (&str, i64, i64),
) -> Result<Vec<Touched>, LedgerError> {
    let query = sqlx::query_as(TOUCHED).bind(kind).bind(id).bind(seq).bind(LINK_MAX);
    Ok(query.fetch_all(connection).await?)
}

/// Forgets what was touched.
pub async fn forget_touched(connection: &mut SqliteConnection) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM touched").execute(connection).await?;
    Ok(())
}

/// The text of history rows, and how many there are.
pub async fn history(connection: &mut SqliteConnection, kind: &Kind, keys: &str) -> Result<(String, i64), LedgerError> {
    let text = format!(
        "SELECT coalesce(group_concat({}, char(10) ORDER BY j.key), ''), count(*)
         FROM jsonb_each(?1) AS j CROSS JOIN {} AS t ON {}",
        kind.text,
        kind.table,
        kind.on()
    );
    Ok(sqlx::query_as(own(text)).bind(keys).fetch_one(connection).await?)
}

/// The present state of things as text, in the order of the keys; what is gone is left out.
pub async fn states(
    connection: &mut SqliteConnection,
    kind: &Kind,
    keys: &str,
) -> Result<Vec<(i64, String)>, LedgerError> {
    let text = format!(
        "SELECT t.{}, {} FROM jsonb_each(?1) AS j CROSS JOIN {} AS t ON {}",
        kind.key.0,
        kind.text,
        kind.table,
        kind.on()
    );
    Ok(sqlx::query_as(own(text)).bind(keys).fetch_all(connection).await?)
}

/// Ids past one, in order: a page of what a kind has.
pub async fn ids(
    connection: &mut SqliteConnection,
    kind: &Kind,
    after: i64,
    limit: i64,
) -> Result<Vec<i64>, LedgerError> {
    let id = kind.key.0;
    let text = format!("SELECT {id} FROM {} WHERE {id} > ?1 ORDER BY {id} LIMIT ?2", kind.table);
    Ok(sqlx::query_scalar(own(text)).bind(after).bind(limit).fetch_all(connection).await?)
}

/// How many rows a kind has.
pub async fn number(connection: &mut SqliteConnection, kind: &Kind) -> Result<i64, LedgerError> {
    let text = format!("SELECT count(*) FROM {}", kind.table);
    Ok(sqlx::query_scalar(own(text)).fetch_one(connection).await?)
}

/// Keys as [`history`] and [`states`] take them.
pub fn keys_of(ids: &[i64]) -> Result<String, LedgerError> {
    json(&ids.iter().map(|id| (*id, 0)).collect::<Vec<_>>())
}

/// A link as it is stored.
#[derive(Debug, sqlx::FromRow)]
pub struct StoredLink {
    pub number: i64,
    pub at: i64,
    pub previous: Vec<u8>,
    pub size: i64,
    pub covers: String,
    pub code: Vec<u8>,
}

/// The end of the chain: its number and code.
pub async fn head(connection: &mut SqliteConnection) -> Result<Option<(i64, [u8; 32])>, LedgerError> {
    let head: Option<(i64, Vec<u8>)> = sqlx::query_as("SELECT number, code FROM chain ORDER BY number DESC LIMIT 1")
        .fetch_optional(connection)
        .await?;
    head.map(|(number, code)| Ok((number, hash(code)?))).transpose()
}

/// The code of a link.
pub async fn code_of(connection: &mut SqliteConnection, number: i64) -> Result<Option<[u8; 32]>, LedgerError> {
    let code: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT code FROM chain WHERE number = ?1").bind(number).fetch_optional(connection).await?;
    code.map(hash).transpose()
}

/// Appends a link.
pub async fn append(connection: &mut SqliteConnection, link: &StoredLink) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO chain (number, at, previous, size, covers, code) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        .bind(link.number)
        .bind(link.at)
        .bind(&link.previous)
        .bind(link.size)
        .bind(&link.covers)
        .bind(&link.code)
        .execute(connection)
        .await?;
    Ok(())
}

/// Links past a number, in order.
pub async fn links(connection: &mut SqliteConnection, after: i64, limit: i64) -> Result<Vec<StoredLink>, LedgerError> {
    Ok(sqlx::query_as(
        "SELECT number, at, previous, size, covers, code FROM chain WHERE number > ?1 ORDER BY number LIMIT ?2",
    )
    .bind(after)
    .bind(limit)
    .fetch_all(connection)
    .await?)
}
