//! Registrations: what is created at SATUSEHAT alone, before a visit can refer to it, such as a Patient.
//!
//! As with visits the intent is durable before the first byte leaves, and what has no clear answer is looked up before
//! it is repeated. It must not send anything, and it keeps nothing personal in clear.

use std::collections::HashMap;

use jiff::Timestamp;

use super::attempt::EXCERPT_BYTES_MAX;
use super::command::Command;
use super::entry::{EntryId, Lease};
use super::sqlite::registrations::{self, Change, StoredRegistration};
use super::sqlite::{count, hash, hex, time};
use super::state::{Event, PREDECESSOR, State};
use super::{Ledger, LedgerError};
use crate::issue::Issue;

/// Where a registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// A create is on its way under a lease.
    Sending,
    /// A create was sent and nobody knows what became of it: to be looked up, never sent again from here.
    Unknown,
    /// Nothing is on its way; it may be created once it is due.
    Waiting,
    /// The server refused this content: only another content, or a person's word, is sent again.
    Refused,
    /// The server holds it.
    Held,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sending, Self::Unknown, Self::Waiting, Self::Refused, Self::Held];

    /// The word in the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.word() == word)
    }

    /// Where it stands after a turn; `None` for every pair that is not listed here.
    #[must_use]
    pub fn after(self, turn: &Turn) -> Option<Self> {
        use Standing as S;
        Some(match (self, turn) {
            (S::Waiting | S::Refused, Turn::Begun) => S::Sending,
            (S::Sending, Turn::NoAnswer { .. } | Turn::Interrupted { .. }) => S::Unknown,
            (S::Unknown, Turn::StillUnknown { .. }) => S::Unknown,
            (S::Sending, Turn::Deferred { .. }) => S::Waiting,
            (S::Sending | S::Unknown, Turn::Waits { .. }) => S::Waiting,
            (S::Sending | S::Unknown, Turn::Refused { .. }) => S::Refused,
            (S::Sending | S::Unknown | S::Waiting | S::Refused, Turn::Found { .. }) => S::Held,
            (S::Waiting | S::Refused | S::Held, Turn::Forgotten) => S::Waiting,
            _ => return None,
        })
    }
}

/// What happens to a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A create is about to leave.
    Begun,
    /// The server holds it under this id: it was created, or found.
    Found {
        /// The server's id.
        server_id: String,
    },
    /// Certainly not carried out, and not its fault: it does not count as a try.
    Deferred {
        /// When it may be sent again.
        due: Timestamp,
    },
    /// Certainly not carried out, because something is missing.
    Waits {
        /// What, as a word.
        on: &'static str,
        /// When it may be sent again.
        due: Timestamp,
    },
    /// A person must change something.
    Refused {
        /// What is wrong, as a word.
        on: &'static str,
    },
    /// Sent, and no usable answer came.
    NoAnswer {
        /// When to look for it.
        due: Timestamp,
    },
    /// Its sender was never heard of again.
    Interrupted {
        /// When to look for it.
        due: Timestamp,
    },
    /// Looked for, and not clear yet.
    StillUnknown {
        /// When to look again.
        due: Timestamp,
    },
    /// The id is not valid any more, or a person mended what stood in the way.
    Forgotten,
}

impl Turn {
    /// The word in the history.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Found { .. } => "found",
            Self::Deferred { .. } => "deferred",
            Self::Waits { .. } => "waits",
            Self::Refused { .. } => "refused",
            Self::NoAnswer { .. } => "no_answer",
            Self::Interrupted { .. } => "interrupted",
            Self::StillUnknown { .. } => "still_unknown",
            Self::Forgotten => "forgotten",
        }
    }

    /// When it is looked at next, if the turn says so.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Deferred { due }
            | Self::Waits { due, .. }
            | Self::NoAnswer { due }
            | Self::Interrupted { due }
            | Self::StillUnknown { due } => Some(*due),
            _ => None,
        }
    }
}

/// A registration at one moment of its history: whoever changes it must know its last turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub(super) id: i64,
    pub(super) seq: i64,
}

/// A registration as it stands.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Its present moment.
    pub moment: Moment,
    /// Where it stands.
    pub standing: Standing,
    /// Creates begun with this content that may have been judged.
    pub creates: u32,
    /// How often it was looked for without a clear answer.
    pub probes: u32,
    /// When the right to answer for a create on its way ends.
    pub lease_until: Option<Timestamp>,
    /// When it may be looked for, or sent again.
    pub due: Timestamp,
    /// Since when it stands so.
    pub since: Timestamp,
    /// What it waits for, or why it was refused.
    pub on: Option<String>,
    /// The server's id, when it is held.
    pub server_id: Option<String>,
    /// What a person must do, when it was refused.
    pub issues: Vec<Issue>,
}

/// What identifies a registration.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The puskesmas under whose credentials it is created.
    pub lane: &'a str,
    /// Resource type.
    pub kind: &'a str,
    /// Keyed hash of what identifies it.
    pub key: [u8; 32],
}

/// What an answer said, for the history.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The server's own number for the request.
    pub request_id: Option<String>,
    /// Class of the answer, as a word.
    pub class: String,
    /// Masked excerpt.
    pub excerpt: String,
    /// Rule numbers in the answer.
    pub rules: Vec<u32>,
    /// What a person must do.
    pub issues: Vec<Issue>,
}

impl Ledger {
    /// A registration; `None` when nothing was ever sent for it.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn registration(&self, kind: &str, key: &[u8; 32]) -> Result<Option<Registration>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = registrations::find(&mut reader, kind, key).await?;
        drop(reader);
        stored.map(|stored| self.open_registration(kind, key, stored)).transpose()
    }

    /// Server ids of registrations that are held, by key.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn registered(&self, kind: &str, keys: &[[u8; 32]]) -> Result<HashMap<[u8; 32], String>, LedgerError> {
        let list: Vec<String> = keys.iter().map(|key| hex(key)).collect();
        let mut reader = self.readers.acquire().await?;
        let rows = registrations::held(&mut reader, kind, &list).await?;
        rows.into_iter().map(|(key, id)| Ok((hash(key)?, id))).collect()
    }

    /// Writes down that a create is about to be sent; durable when this returns. `None`: do not send, for it is held,
    /// on its way or in doubt, not due yet, or this very content was refused before.
    ///
    /// # Errors
    /// Failures of the store: do not send either.
    pub async fn begin_registration(
        &self,
        subject: Subject<'_>,
        request_hash: [u8; 32],
    ) -> Result<Option<Moment>, LedgerError> {
        let (lane, kind) = (subject.lane.to_owned(), subject.kind.to_owned());
        let change = Change::Begin { lane, kind, key: subject.key, request_hash };
        self.change_registration(change).await
    }

    /// Takes down that the server was found to hold what no create of ours made.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn adopt_registration(&self, subject: Subject<'_>, server_id: &str) -> Result<(), LedgerError> {
        let (lane, kind) = (subject.lane.to_owned(), subject.kind.to_owned());
        let change = Change::Adopt { lane, kind, key: subject.key, server_id: server_id.to_owned() };
        self.change_registration(change).await?;
        Ok(())
    }

    /// Writes down what became of it. `None` when somebody else has changed it meanwhile, or the turn is not legal:
    /// then nothing is written.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn turn_registration(
        &self,
        subject: Subject<'_>,
        moment: Moment,
        turn: Turn,
        told: Told,
    ) -> Result<Option<Moment>, LedgerError> {
        let sealed = self.seal_complaints(&context(subject.kind, &subject.key), &told.issues)?;
        let mut told = told;
        told.excerpt.truncate(told.excerpt.floor_char_boundary(EXCERPT_BYTES_MAX));
        self.change_registration(Change::Turn { moment, turn, told: Box::new(told), issues_sealed: sealed }).await
    }

    /// Blocks a claimed entry from which nothing was sent, with what a person must know about it.
    ///
    /// # Errors
    /// As [`Ledger::release`].
    pub async fn block(
        &self,
        entry: EntryId,
        lease: &Lease,
        on: &str,
        due: Timestamp,
        issues: &[Issue],
    ) -> Result<State, LedgerError> {
        let event = Event::DependencyMissing { on: on.to_owned(), due };
        let sealed = self.seal_complaints(&complaint_context(entry.0), issues)?;
        let change = Change::Block { entry, lease: lease.clone(), event, complaint_sealed: sealed };
        self.change_registration(change).await?;
        Ok(State::Blocked)
    }

    /// Wakes a blocked entry before its time, unless it waits for an older version of its visit.
    ///
    /// # Errors
    /// [`LedgerError::Illegal`] when it is not blocked; failures of the store.
    pub async fn wake(&self, entry: EntryId) -> Result<State, LedgerError> {
        let event = Event::DependencyAppeared { due: self.clock.now() };
        let lines = self.story(entry).await?;
        if lines.line.blocked_on.as_deref() == Some(PREDECESSOR) {
            return Ok(State::Blocked);
        }
        self.resolve(entry, event, Vec::new()).await
    }

    pub(super) async fn change_registration(&self, change: Change) -> Result<Option<Moment>, LedgerError> {
        self.writer()?.ask(|reply| Command::Register { change, reply }).await
    }

    fn seal_complaints(&self, context: &str, issues: &[Issue]) -> Result<Option<Vec<u8>>, LedgerError> {
        if issues.is_empty() {
            return Ok(None);
        }
        let plain = serde_json::to_vec(issues).map_err(|_| LedgerError::Spoiled("issue"))?;
        Ok(Some(self.keys.seal(context, &plain)?))
    }

    fn open_registration(
        &self,
        kind: &str,
        key: &[u8; 32],
        stored: StoredRegistration,
    ) -> Result<Registration, LedgerError> {
        let issues = match stored.issues_sealed {
            Some(sealed) => serde_json::from_slice(&self.keys.open(&context(kind, key), &sealed)?)
                .map_err(|_| LedgerError::Spoiled("issue"))?,
            None => Vec::new(),
        };
        Ok(Registration {
            moment: Moment { id: stored.id, seq: stored.seq },
            standing: Standing::from_word(&stored.state).ok_or(LedgerError::Spoiled("state"))?,
            creates: count(stored.creates)?,
            probes: count(stored.probes)?,
            lease_until: stored.lease_until.map(time).transpose()?,
            due: time(stored.due_at)?,
            since: time(stored.state_since)?,
            on: stored.waits_for,
            server_id: stored.server_id,
            issues,
        })
    }
}

/// Where the complaints about a registration belong.
fn context(kind: &str, key: &[u8; 32]) -> String {
    format!("registration/{kind}/{}", hex(key))
}

/// Where the complaints of an entry's events belong.
pub(super) fn complaint_context(entry: i64) -> String {
    format!("complaint/{entry}")
}
