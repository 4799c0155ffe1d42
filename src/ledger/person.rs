//! The directory of persons: whom rows have told, found again by keyed names. Seals on the way in, opens on the way
//! out.
//!
//! It must not decide who is who: it is asked by keys and told persons whole.

use std::collections::BTreeMap;

use super::command::Command;
use super::question::Doubts;
use super::row::{PassId, RowSeen, RowTally, TakenRow};
use super::store::intake::Times;
use super::store::persons::{Batch, SealedPerson};
use super::store::{hash, hex, persons};
use super::{Ledger, LedgerError};
use crate::crash;
use crate::redact::Personal;

/// By what a person is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AliasKind {
    /// The person's number.
    Nik,
    /// Family number, name and birth date.
    Family,
    /// Name, birth date, mother and village.
    Name,
    /// Mother, birth date and posyandu.
    Baby,
}

impl AliasKind {
    const ALL: [Self; 4] = [Self::Nik, Self::Family, Self::Name, Self::Baby];

    /// The word it is stored under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nik => "nik",
            Self::Family => "kk",
            Self::Name => "nama",
            Self::Baby => "bayi",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One keyed name of a person.
pub type Alias = (AliasKind, [u8; 32]);

/// A person as rows told it.
#[derive(Clone, Debug)]
pub struct PersonTold {
    /// Keyed hash that names the person in visits.
    pub identity: [u8; 32],
    /// What is known, in a form of the teller's own; sealed at rest.
    pub content: Personal<String>,
    /// Keyed names that are new.
    pub aliases: Vec<Alias>,
    /// Forget the keyed names of before, except numbers: the row they came from was corrected.
    pub corrects: bool,
}

/// A person of the directory that has a keyed name.
#[derive(Clone, Debug)]
pub struct PersonFound {
    /// The names asked for that are this person's.
    pub aliases: Vec<Alias>,
    /// Keyed hash that names the person in visits.
    pub identity: [u8; 32],
    /// What is known.
    pub content: Personal<String>,
}

impl Ledger {
    /// Everybody who has one of the keyed names, in the order in which they became known.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn persons(&self, aliases: &[Alias]) -> Result<Vec<PersonFound>, LedgerError> {
        if aliases.is_empty() {
            return Ok(Vec::new());
        }
        let keys = AliasKind::ALL
            .map(|kind| aliases.iter().filter(|alias| alias.0 == kind).map(|(_, key)| hex(key)).collect::<Vec<_>>());
        let mut reader = self.readers.acquire().await?;
        let mut holders: BTreeMap<i64, Vec<Alias>> = BTreeMap::new();
        for alias in persons::holders(&mut reader, &keys).await? {
            let kind = AliasKind::from_name(&alias.kind).ok_or(LedgerError::Spoiled("alias"))?;
            holders.entry(alias.person).or_default().push((kind, hash(alias.key)?));
        }
        let ids: Vec<i64> = holders.keys().copied().collect();
        let stored = if ids.is_empty() { Vec::new() } else { persons::by_id(&mut reader, &ids).await? };
        drop(reader);
        let open = |stored: persons::StoredPerson| {
            let identity = hash(stored.identity)?;
            let content = self.keys.open(&context(&identity), &stored.sealed)?;
            Ok(PersonFound {
                aliases: holders.remove(&stored.id).unwrap_or_default(),
                identity,
                content: Personal::new(String::from_utf8(content).map_err(|_| LedgerError::Spoiled("person"))?),
            })
        };
        stored.into_iter().map(open).collect()
    }

    /// [`Ledger::see_rows`], and the persons that those rows told and what they ask, in the same transaction.
    ///
    /// # Errors
    /// As there; [`LedgerError::PersonTaken`] when another row told one of the numbers meanwhile.
    pub async fn see_rows_of(
        &self,
        pass: PassId,
        rows: &[RowSeen],
        told: &[PersonTold],
        doubts: &Doubts,
    ) -> Result<RowTally, LedgerError> {
        let (rows, persons) = (self.seal_rows(rows)?, self.seal_persons(told)?);
        let (questions, carried) = doubts.stored();
        let batch = Batch { rows, persons, questions, carried, times: Times::Counted };
        let ask = self.writer()?.ask(|reply| Command::SeeRows { pass: pass.0, batch, reply });
        Ok(crash::around("ledger.see_rows", ask).await?.0)
    }

    /// [`Ledger::take_rows`], and the persons that those rows told and what they ask, in the same transaction.
    ///
    /// # Errors
    /// As [`Ledger::see_rows_of`].
    pub async fn take_rows_of(
        &self,
        pass: PassId,
        rows: &[RowSeen],
        told: &[PersonTold],
        doubts: &Doubts,
    ) -> Result<Vec<TakenRow>, LedgerError> {
        let (rows, persons) = (self.seal_rows(rows)?, self.seal_persons(told)?);
        let versions: Vec<[u8; 32]> = rows.iter().map(|row| row.digest).collect();
        let (questions, carried) = doubts.stored();
        let batch = Batch { rows, persons, questions, carried, times: Times::Once };
        let ask = self.writer()?.ask(|reply| Command::SeeRows { pass: pass.0, batch, reply });
        let (_, fates) = crash::around("ledger.take_rows", ask).await?;
        Ok(fates.into_iter().zip(versions).map(|(fate, version)| TakenRow { fate, version }).collect())
    }

    fn seal_persons(&self, told: &[PersonTold]) -> Result<Vec<SealedPerson>, LedgerError> {
        let seal = |person: &PersonTold| {
            Ok(SealedPerson {
                identity: hex(&person.identity),
                sealed: hex(&self.keys.seal(&context(&person.identity), person.content.reveal().as_bytes())?),
                aliases: person.aliases.iter().map(|(kind, key)| (kind.name(), hex(key))).collect(),
                corrects: person.corrects,
            })
        };
        told.iter().map(seal).collect()
    }
}

/// Where what is known of a person belongs.
pub(super) fn context(identity: &[u8; 32]) -> String {
    format!("known/{}", hex(identity))
}
