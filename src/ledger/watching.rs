//! What monitors read from the ledger: how many entries stand where, and how long the oldest waits. It changes nothing.

use jiff::Timestamp;

use super::state::State;
use super::store::{count, time, watching};
use super::{Ledger, LedgerError};

/// Entries of a lane in a state that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The puskesmas.
    pub lane: String,
    /// Pending, in flight, blocked or unknown.
    pub state: State,
    /// How many.
    pub number: u64,
    /// When the oldest was entered; for unknown ones, when the first became unknown.
    pub since: Timestamp,
}

/// Entries of a lane in a state that waits no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The puskesmas.
    pub lane: String,
    /// Delivered, refused, exhausted, waived or superseded.
    pub state: State,
    /// How many.
    pub number: u64,
    /// How many of them came there before their day was over.
    pub same_day: u64,
}

impl Ledger {
    /// Entries that wait, by lane and state. Cheap: what was delivered is not looked at.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let found = watching::waiting(&mut reader).await?.into_iter();
        let one = |(lane, state, number, since): (String, String, i64, i64)| {
            Ok(Waiting { lane, state: state_of(&state)?, number: count(number)?, since: time(since)? })
        };
        found.map(one).collect()
    }

    /// Entries that wait no more, by lane and state. Reads every entry (about half a second for a million): ask rarely.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn ended(&self) -> Result<Vec<Ended>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let found = watching::ended(&mut reader).await?.into_iter();
        let one = |(lane, state, number, same_day): (String, String, i64, i64)| {
            Ok(Ended { lane, state: state_of(&state)?, number: count(number)?, same_day: count(same_day)? })
        };
        found.map(one).collect()
    }

    /// When each source was last read to its end. Reads every pass: ask at the start.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn sources_read(&self) -> Result<Vec<(String, Timestamp)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let found = watching::read(&mut reader).await?.into_iter();
        found.map(|(source, at)| Ok((source, time(at)?))).collect()
    }

    /// Whether the ledger can be written: an empty transaction of the one who writes, which takes the write lock of the
    /// database and gives it back.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn try_writing(&self) -> Result<(), LedgerError> {
        self.forget_token(NOBODY).await
    }
}

/// A client id that nobody has: no id of SATUSEHAT is empty.
const NOBODY: &str = "";

fn state_of(word: &str) -> Result<State, LedgerError> {
    State::from_word(word).ok_or(LedgerError::Spoiled("state"))
}
