//! Persons and their keyed names on disk: bulk look-up and bulk writing.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::intake::{self, Times};
use super::json;
use super::link::Link;
use super::questions::{self, AskedQuestion, CarriedRow};
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

/// A keyed name to be written, and the person it names.
#[derive(Serialize)]
struct Named<'a> {
    identity: &'a str,
    kind: &'static str,
    key: &'a str,
}

impl<'a> Named<'a> {
    fn all(person: &'a SealedPerson) -> impl Iterator<Item = Self> {
        let identity = person.identity.as_str();
        person.aliases.iter().map(move |(kind, key)| Self { identity, kind, key })
    }
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

/// Rows of a pass, the persons that they told and what they ask: one transaction.
#[derive(Debug)]
pub struct Batch {
    pub rows: Vec<SealedRow>,
    pub persons: Vec<SealedPerson>,
    pub questions: Vec<AskedQuestion>,
    pub carried: Vec<CarriedRow>,
    pub times: Times,
}

/// Writes the persons of a batch, sees its rows and keeps what they ask.
pub async fn see(
    link: &mut Link,
    pass: i64,
    batch: &Batch,
    holder: &str,
    now: Timestamp,
) -> Result<(RowTally, Vec<RowFate>), LedgerError> {
    tell(link, &batch.persons).await?;
    let seen = intake::see(link, pass, &batch.rows, batch.times, holder, now).await?;
    questions::ask(link, &batch.questions).await?;
    questions::carry(link, &batch.carried).await?;
    Ok(seen)
}

/// Who has one of the keyed names; each list holds those of one kind: number, family, name, baby.
pub async fn holders(
    link: &mut Link,
    [numbers, families, names, babies]: &[Vec<String>; 4],
) -> Result<Vec<StoredAlias>, LedgerError> {
    Ok(link
        .all(
            "SELECT kind, alias.key, person FROM {?1: bytes} AS j
         CROSS JOIN person_alias AS alias ON kind = 'nik' AND alias.key = j.value
         UNION ALL SELECT kind, alias.key, person FROM {?2: bytes} AS j
         CROSS JOIN person_alias AS alias ON kind = 'kk' AND alias.key = j.value
         UNION ALL SELECT kind, alias.key, person FROM {?3: bytes} AS j
         CROSS JOIN person_alias AS alias ON kind = 'nama' AND alias.key = j.value
         UNION ALL SELECT kind, alias.key, person FROM {?4: bytes} AS j
         CROSS JOIN person_alias AS alias ON kind = 'bayi' AND alias.key = j.value",
            values![json(numbers)?, json(families)?, json(names)?, json(babies)?],
        )
        .await?)
}

/// Persons in the order in which they became known.
pub async fn by_id(link: &mut Link, ids: &[i64]) -> Result<Vec<StoredPerson>, LedgerError> {
    Ok(link
        .all(
            "SELECT person.id, identity, sealed FROM {?1: int} AS j CROSS JOIN person ON person.id = j.value
         ORDER BY person.id",
            values![json(ids)?],
        )
        .await?)
}

/// Writes persons and their new names.
async fn tell(link: &mut Link, persons: &[SealedPerson]) -> Result<(), LedgerError> {
    if persons.is_empty() {
        return Ok(());
    }
    // The last to tell a person counts; PostgreSQL takes each of them once only.
    let last: BTreeMap<&str, &SealedPerson> = persons.iter().map(|person| (person.identity.as_str(), person)).collect();
    let told: Vec<&SealedPerson> = persons
        .iter()
        .filter(|person| last.get(person.identity.as_str()).is_some_and(|one| std::ptr::eq(*one, *person)))
        .collect();
    link.execute(
        "INSERT INTO person (identity, sealed)
         SELECT j.identity, j.sealed FROM {?1: identity bytes, sealed bytes} AS j WHERE true
         ON CONFLICT (identity) DO UPDATE SET sealed = excluded.sealed",
        values![json(&told)?],
    )
    .await?;
    let corrected: Vec<&str> =
        persons.iter().filter(|person| person.corrects).map(|person| person.identity.as_str()).collect();
    if !corrected.is_empty() {
        link.execute(
            "DELETE FROM person_alias WHERE kind <> 'nik' AND person IN (SELECT person.id FROM {?1: bytes} AS j
             CROSS JOIN person ON person.identity = j.value)",
            values![json(&corrected)?],
        )
        .await?;
    }
    let names: Vec<Named<'_>> = persons.iter().flat_map(Named::all).collect();
    let aliases = "INSERT INTO person_alias (kind, key, person)
         SELECT j.kind, j.key, person.id FROM {?1: identity bytes, kind text, key bytes} AS j
         CROSS JOIN person ON person.identity = j.identity WHERE true
         ON CONFLICT (kind, key, person) DO NOTHING";
    match link.execute(aliases, values![json(&names)?]).await {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(LedgerError::PersonTaken),
        result => Ok(result.map(drop)?),
    }
}
