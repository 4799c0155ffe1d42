//! Statements: the numbered, chained record of each puskesmas' days that is never changed afterwards.
//!
//! Each carries a plain hash over itself and the one before it, which anybody can compute again from printed pages,
//! and a keyed code, which only this installation can make. It must not know what a statement says.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::command::Command;
use super::store::statements::{self, StoredStatement};
use super::store::{count, date, hash, hex, time};
use super::verify::Found;
use super::{Ledger, LedgerError};
use crate::seal::Keys;

/// Statements read at once.
const PAGE: i64 = 200;

/// What a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// How a day stood when it ended: one for each day.
    Seal,
    /// How it moved since its last statement.
    Amendment,
}

impl Kind {
    /// The word in store and JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::Amendment => "amendment",
        }
    }
}

/// A statement to be made.
#[derive(Clone, Debug)]
pub struct NewStatement {
    /// The day it is about.
    pub service_date: Date,
    /// What it is.
    pub kind: Kind,
    /// When it was made.
    pub made_at: Timestamp,
    /// What it says, as JSON.
    pub content: String,
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The puskesmas.
    pub puskesmas: String,
    /// Its number among those of the puskesmas, from 1 without a gap.
    pub number: u64,
    /// The day it is about.
    pub service_date: Date,
    /// What it is.
    pub kind: Kind,
    /// When it was made.
    pub made_at: Timestamp,
    /// What it says, as JSON.
    pub content: String,
    /// SHA-256 of what it says.
    pub content_hash: [u8; 32],
    /// Hash of the statement before it; before the first, of the name of the puskesmas.
    pub previous: [u8; 32],
    /// Keyed code over its hash.
    pub code: [u8; 32],
}

impl Statement {
    fn new(keys: &Keys, puskesmas: &str, (number, previous): (u64, [u8; 32]), new: NewStatement) -> Self {
        let mut statement = Self {
            puskesmas: puskesmas.to_owned(),
            number,
            service_date: new.service_date,
            kind: new.kind,
            made_at: new.made_at,
            content_hash: Sha256::digest(new.content.as_bytes()).into(),
            content: new.content,
            previous,
            code: [0; 32],
        };
        statement.code = statement.coded(keys);
        statement
    }

    /// SHA-256 over everything it states and the hash before it: the number printed on paper.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let (number, made_at) = (self.number.to_string(), self.made_at.as_millisecond().to_string());
        let day = self.service_date.to_string();
        let texts = [self.puskesmas.as_str(), &number, &day, self.kind.word(), &made_at];
        for part in texts.iter().map(|text| text.as_bytes()).chain([&self.content_hash[..], &self.previous[..]]) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// A hash or code as it is printed.
    #[must_use]
    pub fn shown(hash: &[u8; 32]) -> String {
        hex(hash)
    }

    fn coded(&self, keys: &Keys) -> [u8; 32] {
        keys.code("ledger.statement", &[&self.hash()])
    }

    /// Whether it is as it was made.
    #[must_use]
    pub fn is_sound(&self, keys: &Keys) -> bool {
        let content_hash: [u8; 32] = Sha256::digest(self.content.as_bytes()).into();
        content_hash == self.content_hash && self.coded(keys) == self.code
    }

    fn stored(&self) -> Result<StoredStatement, LedgerError> {
        Ok(StoredStatement {
            puskesmas: self.puskesmas.clone(),
            number: i64::try_from(self.number).map_err(|_| LedgerError::Spoiled("statement"))?,
            service_date: self.service_date.to_string(),
            kind: self.kind.word().to_owned(),
            made_at: self.made_at.as_millisecond(),
            content: self.content.clone(),
            content_hash: self.content_hash.to_vec(),
            previous: self.previous.to_vec(),
            code: self.code.to_vec(),
        })
    }

    fn open(stored: StoredStatement) -> Result<Self, LedgerError> {
        let kind = [Kind::Seal, Kind::Amendment].into_iter().find(|kind| kind.word() == stored.kind);
        Ok(Self {
            puskesmas: stored.puskesmas,
            number: count(stored.number)?,
            service_date: date(&stored.service_date)?,
            kind: kind.ok_or(LedgerError::Spoiled("statement"))?,
            made_at: time(stored.made_at)?,
            content: stored.content,
            content_hash: hash(stored.content_hash)?,
            previous: hash(stored.previous)?,
            code: hash(stored.code)?,
        })
    }
}

/// What the first statement of a puskesmas follows: each has a chain of its own.
fn beginning(puskesmas: &str) -> [u8; 32] {
    Sha256::digest(puskesmas.as_bytes()).into()
}

impl Ledger {
    /// Appends statements of a puskesmas behind its last one; false, and none is kept, when another daemon has added
    /// some meanwhile.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn state(&self, puskesmas: &str, new: Vec<NewStatement>) -> Result<bool, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let heads = statements::heads(&mut reader).await?;
        drop(reader);
        let head = heads.into_iter().find(|head| head.puskesmas == puskesmas).map(Statement::open).transpose()?;
        let mut after = head.map_or_else(|| (1, beginning(puskesmas)), |head| (head.number + 1, head.hash()));
        let mut made = Vec::with_capacity(new.len());
        for new in new {
            let statement = Statement::new(&self.keys, puskesmas, after, new);
            after = (statement.number + 1, statement.hash());
            made.push(statement.stored()?);
        }
        if made.is_empty() {
            return Ok(true);
        }
        self.writer()?.ask(|reply| Command::State { statements: made, reply }).await
    }

    /// Up to which day each puskesmas has seals.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn sealed_to(&self) -> Result<BTreeMap<String, Date>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let sealed = statements::sealed_to(&mut reader).await?;
        sealed.into_iter().map(|(puskesmas, day)| Ok((puskesmas, date(&day)?))).collect()
    }

    /// When the ledger began its work: when the first file or table was read.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn begun(&self) -> Result<Option<Timestamp>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        statements::begun(&mut reader).await?.map(time).transpose()
    }

    /// The last statement about each day of a puskesmas, by day.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn latest_statements(&self, puskesmas: &str) -> Result<BTreeMap<Date, Statement>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let latest = statements::latest(&mut reader, puskesmas).await?;
        let open = |stored| Statement::open(stored).map(|statement| (statement.service_date, statement));
        latest.into_iter().map(open).collect()
    }

    /// Shows statements by puskesmas and number to `each`; those of a puskesmas and of a day when given.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn statements(
        &self,
        puskesmas: Option<&str>,
        day: Option<Date>,
        each: &mut (dyn FnMut(Statement) + Send),
    ) -> Result<(), LedgerError> {
        let day = day.map(|day| day.to_string());
        let mut after = (String::new(), 0);
        loop {
            let mut reader = self.readers.acquire().await?;
            let page = statements::page(&mut reader, (puskesmas, day.as_deref()), (&after.0, after.1), PAGE).await?;
            drop(reader);
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.puskesmas.clone(), last.number);
            for stored in page {
                each(Statement::open(stored)?);
            }
        }
    }

    /// Statements about days, of one puskesmas or of all: the newest day first, those of a day in their order.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn statements_of(
        &self,
        puskesmas: Option<&str>,
        (from, to): (Date, Date),
        limit: u32,
    ) -> Result<Vec<Statement>, LedgerError> {
        let days = (from.to_string(), to.to_string());
        let mut reader = self.readers.acquire().await?;
        let stored = statements::of_days(&mut reader, puskesmas, (&days.0, &days.1), limit).await?;
        drop(reader);
        stored.into_iter().map(Statement::open).collect()
    }

    /// Checks every statement and their order, on both kinds of store: how many there are, and what must not be. What
    /// was cut off at the end shows in the chain of a file, or on the last printed page.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn verify_statements(&self) -> Result<(u64, BTreeMap<&'static str, Found>), LedgerError> {
        let mut checked = Checked::default();
        let mut last: Option<Statement> = None;
        let walked = self
            .statements(None, None, &mut |statement| {
                checked.follow(&self.keys, last.as_ref(), &statement);
                last = Some(statement);
            })
            .await;
        match walked {
            Err(LedgerError::Spoiled(what)) => checked.found("statement.altered", what.to_owned()),
            other => other?,
        }
        Ok((checked.number, checked.findings))
    }
}

#[derive(Default)]
struct Checked {
    number: u64,
    findings: BTreeMap<&'static str, Found>,
}

impl Checked {
    fn follow(&mut self, keys: &Keys, last: Option<&Statement>, statement: &Statement) {
        self.number += 1;
        let place = format!("{}, {}", statement.puskesmas, statement.number);
        if !statement.is_sound(keys) {
            self.found("statement.altered", place.clone());
        }
        let last = last.filter(|last| last.puskesmas == statement.puskesmas);
        let expected = last.map_or_else(|| (1, beginning(&statement.puskesmas)), |last| (last.number + 1, last.hash()));
        if (statement.number, statement.previous) != expected {
            self.found("statement.gap", place);
        }
    }

    fn found(&mut self, name: &'static str, place: String) {
        self.findings.entry(name).or_default().add(1, place);
    }
}
