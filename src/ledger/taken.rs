//! What was taken from drop folders: which content, with what outcome, and what a person decided about it.
//!
//! It must not judge a file. Names are sealed and looked up by keyed hashes, contents too.

use jiff::Timestamp;
use jiff::civil::Date;

use super::command::Command;
use super::store::taken::{self, Change, SealedTaken};
use super::store::{count, date, hash, hex, time};
use super::{Ledger, LedgerError};
use crate::issue::Issue;

/// What became of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TakenOutcome {
    /// Read to the end.
    Read,
    /// The same content had been read under another name.
    Same,
    /// It cannot be read as it is; nothing of it was stored.
    Refused,
    /// It waits for a person's decision; nothing of it was stored.
    Waiting,
}

impl TakenOutcome {
    /// Its word in the store and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Same => "same",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Read, Self::Same, Self::Refused, Self::Waiting].into_iter().find(|outcome| outcome.word() == word)
    }
}

/// Rows of a content that was read: every row is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TakenRows {
    /// Rows with values, whatever became of them.
    pub lines: u64,
    /// Rows with records.
    pub records: u64,
    /// Rows that need a person.
    pub issue: u64,
    /// Rows that are no records.
    pub skipped: u64,
}

/// A content taken under a name.
#[derive(Clone, Debug)]
pub struct TakenFile {
    /// Keyed hash of the name, see [`Ledger::name_hash`].
    pub name_hash: [u8; 32],
    /// Keyed hash of the content.
    pub content_hash: [u8; 32],
    /// Name of the file.
    pub name: String,
    /// Keyed hash of what the file looked like from outside: the same stamp needs no second look.
    pub stamp: [u8; 32],
    /// Length, in bytes.
    pub bytes: u64,
    /// When.
    pub taken_at: Timestamp,
    /// By what it was read: profile, program, register.
    pub version: String,
    /// The local day on which it was read.
    pub day: Date,
    /// What became of it.
    pub outcome: TakenOutcome,
    /// Why it was refused or waits.
    pub issue: Option<Issue>,
    /// Its rows.
    pub rows: TakenRows,
    /// When a person let it through.
    pub accepted_at: Option<Timestamp>,
}

impl Ledger {
    /// The hash under which a name is stored.
    #[must_use]
    pub fn name_hash(&self, source: &str, name: &str) -> [u8; 32] {
        self.keys.hash("taken-name", &[source, name])
    }

    /// The hash under which the stamp of a file is stored.
    #[must_use]
    pub fn stamp_hash(&self, source: &str, stamp: &str) -> [u8; 32] {
        self.keys.hash("taken-stamp", &[source, stamp])
    }

    /// Everything taken for a source, oldest first.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn taken_files(&self, source: &str) -> Result<Vec<TakenFile>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = taken::list(&mut reader, source).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_taken(source, stored)).collect()
    }

    fn open_taken(&self, source: &str, stored: taken::StoredTaken) -> Result<TakenFile, LedgerError> {
        let name_hash = hash(stored.name_hash)?;
        let context = context(source, &name_hash);
        let name = self.keys.open(&format!("taken-name/{context}"), &stored.name_sealed)?;
        let issue = match stored.issue_sealed {
            Some(sealed) => {
                let issue = self.keys.open(&format!("taken-issue/{context}"), &sealed)?;
                Some(serde_json::from_slice(&issue).map_err(|_| LedgerError::Spoiled("issue"))?)
            }
            None => None,
        };
        Ok(TakenFile {
            name_hash,
            content_hash: hash(stored.content_hash)?,
            name: String::from_utf8(name).map_err(|_| LedgerError::Spoiled("name"))?,
            stamp: hash(stored.stamp)?,
            bytes: count(stored.bytes)?,
            taken_at: time(stored.taken_at)?,
            version: stored.version,
            day: date(&stored.day)?,
            outcome: TakenOutcome::from_word(&stored.outcome).ok_or(LedgerError::Spoiled("outcome"))?,
            issue,
            rows: TakenRows {
                lines: count(stored.lines)?,
                records: count(stored.records)?,
                issue: count(stored.issue)?,
                skipped: count(stored.skipped)?,
            },
            accepted_at: stored.accepted_at.map(time).transpose()?,
        })
    }

    /// Remembers a content and its outcome as the newest of its name.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn remember_taken(&self, source: &str, file: &TakenFile) -> Result<(), LedgerError> {
        self.remember(source, file, false).await.map(|_| ())
    }

    /// Remembers a content that was just read, and counts the rows of the last pass over its name.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn remember_read(&self, source: &str, file: &TakenFile) -> Result<TakenRows, LedgerError> {
        self.remember(source, file, true).await
    }

    async fn remember(&self, source: &str, file: &TakenFile, counts: bool) -> Result<TakenRows, LedgerError> {
        let context = context(source, &file.name_hash);
        let issue = match &file.issue {
            Some(issue) => {
                let text = serde_json::to_vec(issue).map_err(|_| LedgerError::Spoiled("issue"))?;
                Some(self.keys.seal(&format!("taken-issue/{context}"), &text)?)
            }
            None => None,
        };
        let sealed = SealedTaken {
            source: source.to_owned(),
            counts_pass_of: counts.then(|| file.name.clone()),
            name_hash: file.name_hash,
            content_hash: file.content_hash,
            name_sealed: self.keys.seal(&format!("taken-name/{context}"), file.name.as_bytes())?,
            stamp: file.stamp,
            bytes: i64::try_from(file.bytes).unwrap_or(i64::MAX),
            taken_at: file.taken_at,
            version: file.version.clone(),
            day: file.day.to_string(),
            outcome: file.outcome.word(),
            issue_sealed: issue,
            rows: file.rows,
        };
        let change = Change::Remember(Box::new(sealed));
        Ok(self.writer()?.ask(|reply| Command::Taken { change, reply }).await?.unwrap_or_default())
    }

    /// Keeps a person's decision that the newest content of a name, which waits, is to be read. False when none waits.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn accept_taken(&self, source: &str, name: &str) -> Result<bool, LedgerError> {
        let change = Change::Accept { source: source.to_owned(), name_hash: self.name_hash(source, name) };
        Ok(self.writer()?.ask(|reply| Command::Taken { change, reply }).await?.is_some())
    }
}

fn context(source: &str, name_hash: &[u8; 32]) -> String {
    format!("{source}/{}", hex(name_hash))
}
