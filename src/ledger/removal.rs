//! Resources that the server holds and the records no longer tell of: proposed here, decided by a person, marked as
//! entered in error by delivery (faults.md, row 51).
//!
//! Nothing is removed by itself, and nothing is ever deleted at the server.

use jiff::Timestamp;
use jiff::civil::Date;

use super::account::Reach;
use super::command::Command;
use super::store::removals::{self, Change, StoredRemoval};
use super::store::{count, date, time};
use super::{Ledger, LedgerError};

/// Removals in a list, at most.
pub const LISTED_MAX: u32 = 10_000;

/// Where a removal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalState {
    /// It waits for a person.
    Proposed,
    /// The records tell of it again: nothing to do.
    Withdrawn,
    /// A person decided that it stays at the server.
    Rejected,
    /// A person decided that it is marked as entered in error.
    Confirmed,
    /// The server holds it as entered in error.
    Done,
    /// The server refuses the mark, or the platform knows no way for this type.
    Refused,
}

impl RemovalState {
    const ALL: [Self; 6] =
        [Self::Proposed, Self::Withdrawn, Self::Rejected, Self::Confirmed, Self::Done, Self::Refused];

    /// The word in the store and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Withdrawn => "withdrawn",
            Self::Rejected => "rejected",
            Self::Confirmed => "confirmed",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }
}

/// A resource to be marked as entered in error.
#[derive(Clone, Debug)]
pub struct Removal {
    /// Its number.
    pub number: i64,
    /// The puskesmas.
    pub puskesmas: String,
    /// Code of the posyandu.
    pub posyandu: String,
    /// Local date of service.
    pub service_date: Date,
    /// Resource type.
    pub resource_type: String,
    /// Id at the server.
    pub server_id: String,
    /// All records of its visit are gone; otherwise only what made this resource.
    pub whole_visit: bool,
    /// Where it stands.
    pub state: RemovalState,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// Why the server refused, masked.
    pub words: String,
    /// The last decision about it: the command, when, and why.
    pub decision: Option<(String, Timestamp, String)>,
}

/// What became of marking one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalEnd {
    /// The server holds it as entered in error, or not at all.
    Done,
    /// To be tried again.
    Again(Timestamp),
    /// Refused, with the server's words, masked.
    Refused(String),
}

impl Ledger {
    /// Proposes what vanished since the last time, and withdraws what came back. Gives the number of new proposals.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn propose_removals(&self) -> Result<u64, LedgerError> {
        count(self.change_removal(Change::Propose).await?)
    }

    /// All removals, by puskesmas and date.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn removals(&self) -> Result<Vec<Removal>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = removals::list(&mut reader, None, None, LISTED_MAX).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_removal(stored)).collect()
    }

    /// Removals of a place about which a person may decide, by puskesmas and date.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn removals_waiting(&self, place: &Reach, limit: u32) -> Result<Vec<Removal>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = removals::waiting(&mut reader, place, limit).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_removal(stored)).collect()
    }

    /// One removal, by its number.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn removal(&self, number: i64) -> Result<Option<Removal>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = removals::one(&mut reader, number).await?;
        drop(reader);
        stored.map(|stored| self.open_removal(stored)).transpose()
    }

    /// Confirmed removals of a puskesmas that are due.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn removals_due(&self, puskesmas: &str, limit: u32) -> Result<Vec<Removal>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = removals::list(&mut reader, Some(puskesmas), Some(self.clock.now()), limit).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_removal(stored)).collect()
    }

    /// Whether a visit that stands, other than the removal's own, has the same resource at the server: an episode of
    /// care belongs to several.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn is_held_by_another_visit(&self, removal: i64) -> Result<bool, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        removals::is_held_by_another_visit(&mut reader, removal).await
    }

    /// Keeps a person's decision with its reason, which is sealed; gives how many removals it is about. The same
    /// command twice is one decision.
    ///
    /// # Errors
    /// [`LedgerError::CommandUsed`], failures of the store.
    pub async fn decide_removals(
        &self,
        numbers: &[i64],
        confirmed: bool,
        command: &str,
        reason: &str,
    ) -> Result<u64, LedgerError> {
        let reason_sealed = self.keys.seal(&context(command), reason.as_bytes())?;
        let (removals, command) = (numbers.to_vec(), command.to_owned());
        count(self.change_removal(Change::Decide { removals, confirmed, command, reason_sealed }).await?)
    }

    /// Keeps what became of marking one.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn end_removal(&self, removal: i64, end: RemovalEnd) -> Result<(), LedgerError> {
        let change = match end {
            RemovalEnd::Done => Change::Done { removal },
            RemovalEnd::Again(due) => Change::Again { removal, due },
            RemovalEnd::Refused(words) => Change::Refused { removal, words },
        };
        self.change_removal(change).await.map(|_| ())
    }

    async fn change_removal(&self, change: Change) -> Result<i64, LedgerError> {
        self.writer()?.ask(|reply| Command::Removal { change, reply }).await
    }

    fn open_removal(&self, stored: StoredRemoval) -> Result<Removal, LedgerError> {
        let decision = match (stored.command, stored.reason_sealed, stored.decided_at) {
            (Some(command), Some(sealed), Some(at)) => {
                let reason = self.keys.open(&context(&command), &sealed)?;
                let reason = String::from_utf8(reason).map_err(|_| LedgerError::Spoiled("reason"))?;
                Some((command, time(at)?, reason))
            }
            _ => None,
        };
        let state = RemovalState::ALL.into_iter().find(|state| state.word() == stored.state);
        Ok(Removal {
            number: stored.id,
            puskesmas: stored.puskesmas,
            posyandu: stored.posyandu,
            service_date: date(&stored.service_date)?,
            resource_type: stored.resource_type,
            server_id: stored.server_id,
            whole_visit: stored.whole_visit == 1,
            state: state.ok_or(LedgerError::Spoiled("removal"))?,
            proposed_at: time(stored.proposed_at)?,
            words: stored.words,
            decision,
        })
    }
}

/// Where the reason of a decision belongs.
fn context(command: &str) -> String {
    format!("removal/{command}")
}
