//! Persons and their keyed names on disk: bulk look-up and bulk writing.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::intake::{self, Times};
use super::json;
use super::rows::SealedRow;
use crate::ledger::LedgerError;
use crate::ledger::row::{RowFate, RowTally};

/// A person to be written: hashes and sealed bytes in hexadecimal.
#[derive(Debug, Serialize)]
pub struct SealedPerson {
    pub identity: String,
    pub sealed: String,
    pub aliases: Vec<(&'static str, String)>,
    pub corrects: bool,
}

/// A keyed name and whose it is.
#[derive(Debug, FromRow)]
pub struct StoredAlias {
    pub kind: String,
    pub key: Vec<u8>,
    pub person: i64,
}

/// A person.
#[derive(Debug, FromRow)]
pub struct StoredPerson {
    pub id: i64,
    pub identity: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// Rows of a pass and the persons that they told: one transaction.
#[derive(Debug)]
pub struct Batch {
    pub rows: Vec<SealedRow>,
    pub persons: Vec<SealedPerson>,
    pub times: Times,
}

/// Writes the persons of a batch and sees its rows.
pub async fn see(
    connection: &mut SqliteConnection,
    pass: i64,
    batch: &Batch,
    now: Timestamp,
) -> Result<(RowTally, Vec<RowFate>), LedgerError> {
    tell(connection, &batch.persons).await?;
    intake::see(connection, pass, &batch.rows, batch.times, now).await
}

/// Who has one of the keyed names; each list holds those of one kind: number, family, name, baby.
pub async fn holders(
    connection: &mut SqliteConnection,
    [numbers, families, names, babies]: &[Vec<String>; 4],
) -> Result<Vec<StoredAlias>, LedgerError> {
    Ok(sqlx::query_as(
        "SELECT kind, alias.key, person FROM json_each(?1) AS j
         CROSS JOIN person_alias AS alias ON kind = 'nik' AND alias.key = unhex(j.value)
         UNION ALL SELECT kind, alias.key, person FROM json_each(?2) AS j
         CROSS JOIN person_alias AS alias ON kind = 'kk' AND alias.key = unhex(j.value)
         UNION ALL SELECT kind, alias.key, person FROM json_each(?3) AS j
         CROSS JOIN person_alias AS alias ON kind = 'nama' AND alias.key = unhex(j.value)
         UNION ALL SELECT kind, alias.key, person FROM json_each(?4) AS j
         CROSS JOIN person_alias AS alias ON kind = 'bayi' AND alias.key = unhex(j.value)",
    )
    .bind(json(numbers)?)
    .bind(json(families)?)
    .bind(json(names)?)
    .bind(json(babies)?)
    .fetch_all(connection)
    .await?)
}

/// Persons in the order in which they became known.
pub async fn by_id(connection: &mut SqliteConnection, ids: &[i64]) -> Result<Vec<StoredPerson>, LedgerError> {
    Ok(sqlx::query_as(
        "SELECT person.id, identity, sealed FROM json_each(?1) AS j CROSS JOIN person ON person.id = j.value
         ORDER BY person.id",
    )
    .bind(json(ids)?)
    .fetch_all(connection)
    .await?)
}

/// Writes persons and their new names.
async fn tell(connection: &mut SqliteConnection, persons: &[SealedPerson]) -> Result<(), LedgerError> {
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
