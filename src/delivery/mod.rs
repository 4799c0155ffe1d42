//! Empties the ledger: claims visits, looks people up, sends, and writes down what came of it.
//!
//! The intent is durable before the first byte leaves, the answer before it is counted. It never asks about unknown
//! outcomes (that is reconciliation) and never sends what is not in the ledger.

mod drain;
pub mod identity;
pub mod keeping;
pub mod outcome;
mod removals;
pub mod retry;
pub mod send;
mod split;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crate::clock::Clock;
use crate::ledger::entry::EntryId;
use crate::ledger::state::State;
use crate::ledger::{Ledger, LedgerError};
use crate::redact::Personal;
use crate::remote::breaker::{Stopped, Why};
use crate::remote::lane::Lane;
use crate::resource::envelope::Whom;
use crate::seal::Keys;
use identity::Identities;
use retry::Policy;

/// What can go wrong with delivery itself; answers of the server are values.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// The ledger failed: nothing more is sent.
    #[error("the ledger could not be used for delivery")]
    Ledger(#[from] LedgerError),
    /// A stored envelope or bundle cannot be read.
    #[error("a stored visit cannot be read")]
    Stored(#[source] serde_json::Error),
    /// A stored bundle cannot be taken apart.
    #[error("a stored visit cannot be taken apart")]
    Bundle(#[from] crate::resource::bundle::BundleError),
    /// A sending task ended unexpectedly.
    #[error("a sending task ended unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}

/// What was done in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accepted by the server.
    pub delivered: u64,
    /// Refused by the server.
    pub refused: u64,
    /// Waiting for a patient or another resource.
    pub blocked: u64,
    /// Put off because the server could not or would not work.
    pub deferred: u64,
    /// Outcome unknown: to be looked up.
    pub unknown: u64,
}

impl Tally {
    /// Adds the numbers of another run.
    pub fn add(&mut self, more: Self) {
        self.delivered += more.delivered;
        self.refused += more.refused;
        self.blocked += more.blocked;
        self.deferred += more.deferred;
        self.unknown += more.unknown;
    }

    fn count(&mut self, state: State) {
        match state {
            State::Delivered => self.delivered += 1,
            State::Refused | State::Exhausted => self.refused += 1,
            State::Blocked => self.blocked += 1,
            State::Unknown => self.unknown += 1,
            _ => self.deferred += 1,
        }
    }
}

/// Why a lane sends no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Access or configuration is wrong; the answer's words, masked.
    Configuration(String),
    /// Too many refusals in a row for the same reason.
    MassRefusal(String),
    /// The server is in trouble; trying on would only burn calls.
    Trouble(String),
}

impl Stop {
    fn of(stopped: &Stopped) -> Self {
        let words = stopped.words.clone();
        match stopped.why {
            Why::Configuration => Self::Configuration(words),
            Why::MassRefusal => Self::MassRefusal(words),
            Why::Trouble => Self::Trouble(words),
        }
    }

    /// Why a lane is stopped now, if it is.
    fn at_present(lane: &Lane) -> Option<Self> {
        lane.breaker().stopped().map(Self::of)
    }
}

/// How one lane's run ended.
#[derive(Clone, Debug, Default)]
pub struct LaneEnd {
    /// Name of the puskesmas.
    pub name: String,
    /// What was done.
    pub tally: Tally,
    /// Why it stopped early; `None` when nothing more was due.
    pub stop: Option<Stop>,
}

impl LaneEnd {
    /// How a lane stands before anything of it is counted: why it is stopped, if it is.
    #[must_use]
    pub fn at_present(lane: &Lane) -> Self {
        Self { name: lane.name.clone(), tally: Tally::default(), stop: Stop::at_present(lane) }
    }
}

/// Sends what is due.
#[derive(Clone)]
pub struct Delivery {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Keys of the keyed hashes.
    pub keys: Arc<Keys>,
    /// The time.
    pub clock: Clock,
    /// When to try again.
    pub policy: Policy,
    /// Wait before an unknown outcome is first looked up.
    pub first_look: Duration,
    /// Moments at which an unknown outcome of a registration is looked up, counted from when it became unknown.
    pub looks: Vec<Duration>,
    /// Set from outside to stop taking new work.
    pub halt: Arc<AtomicBool>,
    /// Visits finished so far, for progress.
    pub finished: Arc<AtomicU64>,
}

impl Delivery {
    /// Forgets who the person of a visit was found to be; a visit that waits for somebody is looked at at once.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchEntry`], failures of the ledger.
    pub async fn forget(&self, entry: EntryId) -> Result<(), DeliveryError> {
        let found = self.ledger.load(&[entry]).await?;
        let one = found.first().ok_or(LedgerError::NoSuchEntry(entry))?;
        // A visit that the mapping refused names nobody yet.
        if !one.person.reveal().is_empty() {
            let whom: Whom = serde_json::from_str(one.person.reveal()).map_err(DeliveryError::Stored)?;
            self.identities().forget(&whom).await?;
        }
        match self.ledger.wake(entry).await {
            Ok(_) | Err(LedgerError::Illegal(_) | LedgerError::LostLease(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The look-ups of this delivery.
    fn identities(&self) -> Identities<'_> {
        Identities { ledger: &self.ledger, keys: &self.keys, clock: &self.clock, looks: &self.looks }
    }
}

/// The person's data of a claimed entry, opened.
fn envelope(person: &Personal<String>) -> Result<crate::resource::envelope::Envelope, DeliveryError> {
    serde_json::from_str(person.reveal()).map_err(DeliveryError::Stored)
}
