//! What delivery keeps about client ids and lanes across restarts, a person's word that a stopped lane may go on, and
//! whom the ledger deals with.
//!
//! It must not know what the notes mean; they hold no personal data.

use jiff::Timestamp;

use super::command::Command;
use super::entry::EntryId;
use super::store::lanes::{self, Change};
use super::{Ledger, LedgerError};

/// What a note is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteKind {
    /// When a token was last asked for, by client id.
    TokenAsked,
    /// The pace learnt, by client id.
    Pace,
    /// Why a lane is stopped, by puskesmas.
    Stopped,
}

impl NoteKind {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::TokenAsked => "token_asked",
            Self::Pace => "pace",
            Self::Stopped => "stopped",
        }
    }
}

impl Ledger {
    /// A note.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn note(&self, kind: NoteKind, name: &str) -> Result<Option<String>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        lanes::note(&mut reader, kind.word(), name).await
    }

    /// Writes a note, or removes it; it is durable when this returns.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn put_note(&self, kind: NoteKind, name: &str, value: Option<String>) -> Result<(), LedgerError> {
        let change = Change::Note { kind: kind.word(), name: name.to_owned(), value };
        self.writer()?.ask(|reply| Command::Lane { change, reply }).await.map(|_| ())
    }

    /// Ties the ledger to the host that its visits are sent to, or finds it tied to that one: what is delivered at one
    /// server is not at another. A host that took the place of `moved_from` may follow it.
    ///
    /// # Errors
    /// [`LedgerError::OtherServer`]; failures of the store.
    pub async fn bind_server(&self, host: &str, moved_from: &str) -> Result<(), LedgerError> {
        let bound = lanes::bound(&mut self.readers.acquire().await?).await?;
        if bound.as_deref() == Some(host) {
            return Ok(());
        }
        let change = Change::Bind { host: host.to_owned(), moved_from: moved_from.to_owned() };
        self.writer()?.ask(|reply| Command::Lane { change, reply }).await.map(|_| ())
    }

    /// Has the audit trail say, once for each change, which certificate authorities are trusted beside the public ones:
    /// whoever holds one of them can read what is sent (faults.md, row 29). `digest` names the content of their file.
    ///
    /// # Errors
    /// Failures of the store: then nothing may be sent.
    pub async fn tell_trust(&self, digest: Option<String>) -> Result<(), LedgerError> {
        if lanes::trusted(&mut self.readers.acquire().await?).await? == digest {
            return Ok(());
        }
        self.writer()?.ask(|reply| Command::Lane { change: Change::Trust { digest }, reply }).await.map(|_| ())
    }

    /// Lets a stopped lane go on: its note is gone, and what was refused since `refused_since` is tried again, with the
    /// reason, which is sealed. Gives the number of visits; the same command twice is one decision and gives it again.
    ///
    /// # Errors
    /// [`LedgerError::CommandUsed`] when the command id let another lane go on; failures of the store.
    pub async fn release_lane(
        &self,
        lane: &str,
        refused_since: Option<Timestamp>,
        command: &str,
        reason: &str,
    ) -> Result<u64, LedgerError> {
        let reason_sealed = self.keys.seal(&format!("lane-release/{command}"), reason.as_bytes())?;
        let (lane, command) = (lane.to_owned(), command.to_owned());
        let change = Change::Release { lane, refused_since, command, reason_sealed };
        let released = self.writer()?.ask(|reply| Command::Lane { change, reply }).await?;
        Ok(u64::try_from(released).unwrap_or(0))
    }

    /// An entry that the process may have died of got as far as the network: what follows is not its fault.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn clear_strike(&self, entry: EntryId) -> Result<(), LedgerError> {
        let change = Change::ClearStrike { entry };
        self.writer()?.ask(|reply| Command::Lane { change, reply }).await.map(|_| ())
    }
}
