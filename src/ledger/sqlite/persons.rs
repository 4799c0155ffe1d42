//! Persons and their keyed names on disk: bulk look-up and bulk writing.

use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::json;
use crate::ledger::LedgerError;

/// A person to be written: hashes and sealed bytes in hexadecimal.
#[derive(Debug, Serialize)]
pub struct SealedPerson {
    pub identity: String,
    pub sealed: String,
    pub aliases: Vec<(&'static str, String)>,
    pub corrects: bool,
}

/// A person and the keyed name it was found by.
#[derive(Debug, FromRow)]
pub struct StoredPerson {
    pub kind: String,
    pub key: Vec<u8>,
    pub identity: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// Everybody who has one of the keyed names.
pub async fn find(
    connection: &mut SqliteConnection,
    keys: &[(&str, String)],
) -> Result<Vec<StoredPerson>, LedgerError> {
    Ok(sqlx::query_as(
        "SELECT alias.kind, alias.key, person.identity, person.sealed FROM json_each(?1) AS j
         CROSS JOIN person_alias AS alias ON alias.kind = j.value->>0 AND alias.key = unhex(j.value->>1)
         CROSS JOIN person ON person.id = alias.person
         ORDER BY person.id",
    )
    .bind(json(keys)?)
    .fetch_all(connection)
    .await?)
}

/// Writes persons and their new names.
pub async fn tell(connection: &mut SqliteConnection, persons: &[SealedPerson]) -> Result<(), LedgerError> {
    if persons.is_empty() {
        return Ok(());
    }
    let list = json(persons)?;
    sqlx::query(
        "INSERT INTO person (identity, sealed)
         SELECT unhex(value->>'identity'), unhex(value->>'sealed') FROM json_each(?1) WHERE true
         ON CONFLICT (identity) DO UPDATE SET sealed = excluded.sealed",
    )
    .bind(&list)
    .execute(&mut *connection)
    .await?;
    if persons.iter().any(|person| person.corrects) {
        sqlx::query(
            "DELETE FROM person_alias WHERE kind <> 'nik' AND person IN (SELECT person.id FROM json_each(?1) AS j
             CROSS JOIN person ON person.identity = unhex(j.value->>'identity') WHERE j.value->>'corrects')",
        )
        .bind(&list)
        .execute(&mut *connection)
        .await?;
    }
    let aliases = "INSERT INTO person_alias (kind, key, person)
         SELECT a.value->>0, unhex(a.value->>1), person.id FROM json_each(?1) AS j
         CROSS JOIN person ON person.identity = unhex(j.value->>'identity')
         CROSS JOIN json_each(j.value, '$.aliases') AS a WHERE true
         ON CONFLICT (kind, key, person) DO NOTHING";
    match sqlx::query(aliases).bind(&list).execute(connection).await {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(LedgerError::PersonTaken),
        result => Ok(result.map(drop)?),
    }
}
