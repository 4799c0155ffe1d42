//! The states of an entry and the one function that moves between them: every legal step on one screen.
//!
//! Pure. Delivery, reconciliation, recovery and replay all come here; it must not know the database or the network.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What an entry waits for when an older version of the same visit is still on its way.
pub const PREDECESSOR: &str = "predecessor";

/// Where an entry stands. The words are the same in code, store, reports and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits to be sent, not before its due time. New entries start here, and entries come back here after an answer
    /// that says nothing about them (throttled, outage, configuration), or when a look-up proved that the server has
    /// nothing. Leaves by a claim, a person's decision to waive, or a newer version of the visit.
    Pending,
    /// Cannot be sent yet: the patient or another thing it refers to is missing at the server, or an older version of
    /// the same visit is in flight or in doubt. It is looked at again at its due time. Leaves when the dependency
    /// appears, by a waiver, or by a newer version.
    Blocked,
    /// Claimed by a worker that holds a lease. Only the holder of the lease may answer for it. Leaves by an answer, by
    /// being given back, or when the lease runs out.
    InFlight,
    /// It was sent, or may have been, and nobody knows what became of it: no usable answer, the lease ran out after the
    /// send had begun, or the ledger was restored from an older copy. It is never sent again from here. Leaves by reconciliation only: found, found different, or not found.
    Unknown,
    /// The server holds it: it accepted the send, or was found to hold equal content. Every resource has a server id.
    /// Final until a newer version of the visit arrives.
    Delivered,
    /// The content was refused, or the server holds something else under the same identifier: a person must correct
    /// the record or the mapping. Final until a person commands a retry or waives it, or a newer version arrives.
    Refused,
    /// The attempts are spent on answers nobody could classify; outage and throttling spend none. Final until a
    /// person commands a retry or waives it, or a newer version arrives.
    Exhausted,
    /// Not to be sent, by a rule or by a person with a reason. Final until a person commands a retry or a newer
    /// version arrives.
    Waived,
    /// A newer version of the visit took its place, or its records were withdrawn before it was sent. Final.
    Superseded,
}

/// What happens to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A worker took it, by lease.
    Claimed,
    /// The worker gave it back without having sent anything.
    Released {
        /// When it may be claimed again.
        due: Timestamp,
    },
    /// The server accepted all of it.
    Accepted,
    /// The server was asked and holds equal content (after a duplicate answer, or by reconciliation).
    FoundEqual,
    /// Throttled, outage or gateway fault, and certainly not executed: no attempt is spent.
    Deferred {
        /// When it may be claimed again.
        due: Timestamp,
    },
    /// An answer that fits no class, and certainly not executed: one attempt is spent.
    Unclassified {
        /// When it may be claimed again.
        due: Timestamp,
    },
    /// Our access or configuration is wrong: the lane stops, the entry is innocent, no attempt is spent.
    RefusedConfiguration {
        /// When it may be claimed again, should the lane run.
        due: Timestamp,
    },
    /// Something it refers to is missing at the server.
    DependencyMissing {
        /// What is missing, as a word such as `patient`; never a name or number of a person.
        on: String,
        /// When to look again.
        due: Timestamp,
    },
    /// What was missing is there, or it is time to look again.
    DependencyAppeared {
        /// When it may be claimed.
        due: Timestamp,
    },
    /// Its content breaks a rule (of the mapping or of the server).
    RefusedContent,
    /// It was sent, and no usable answer came back.
    NoAnswer {
        /// When to ask the server for it.
        due: Timestamp,
    },
    /// The lease ran out, or the gateway stopped while it was held.
    LeaseExpired {
        /// Whether the send had begun.
        begun: bool,
        /// When to ask the server for it (begun), or when it may be claimed again (not begun).
        due: Timestamp,
    },
    /// The server was asked and its answer does not settle it yet (index lag, outage): ask again later.
    StillUnknown {
        /// When to ask again.
        due: Timestamp,
    },
    /// The server was asked and certainly does not hold it.
    NotFound {
        /// When it may be claimed again.
        due: Timestamp,
    },
    /// The server holds other content under the same identifier.
    FoundDifferent,
    /// The last attempt allowed is spent.
    AttemptsSpent,
    /// A rule or a person decided that it is not sent.
    WaivedBy,
    /// A person commands another try; attempts count from zero again.
    RetryCommanded {
        /// When it may be claimed.
        due: Timestamp,
    },
    /// An older copy of the ledger took the place of a newer one, which may have sent it: it is looked up first.
    Restored {
        /// When to ask the server for it.
        due: Timestamp,
    },
    /// A newer version of the same visit was entered.
    NewerVersion,
    /// The visit has no usable records left, and nothing of it was sent.
    RecordsWithdrawn,
}

/// A step that is not in the table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry that is {} cannot take the event {}", state.word(), event.word())]
pub struct Illegal {
    /// Where the entry stands.
    pub state: State,
    /// What was to happen.
    pub event: Event,
}

impl State {
    /// All states, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Blocked,
        Self::InFlight,
        Self::Unknown,
        Self::Delivered,
        Self::Refused,
        Self::Exhausted,
        Self::Waived,
        Self::Superseded,
    ];

    /// The state after an event.
    ///
    /// # Errors
    /// [`Illegal`] for every pair that is not listed here.
    pub fn after(self, event: &Event) -> Result<Self, Illegal> {
        use Event as E;
        use State as S;
        let next = match (self, event) {
            (S::Pending, E::Claimed) => S::InFlight,
            (S::Pending, E::Restored { .. }) => S::Unknown,
            (S::InFlight, E::Released { .. } | E::Deferred { .. } | E::Unclassified { .. }) => S::Pending,
            (S::InFlight, E::RefusedConfiguration { .. } | E::LeaseExpired { begun: false, .. }) => S::Pending,
            (S::InFlight, E::Accepted) => S::Delivered,
            (S::InFlight, E::NoAnswer { .. } | E::LeaseExpired { begun: true, .. }) => S::Unknown,
            (S::InFlight, E::AttemptsSpent) => S::Exhausted,
            (S::InFlight | S::Unknown, E::FoundEqual) => S::Delivered,
            (S::InFlight | S::Unknown, E::FoundDifferent) => S::Refused,
            (S::Unknown, E::NotFound { .. }) => S::Pending,
            (S::Unknown, E::StillUnknown { .. }) => S::Unknown,
            (S::Pending | S::InFlight, E::RefusedContent) => S::Refused,
            (S::Pending | S::InFlight, E::DependencyMissing { .. }) => S::Blocked,
            (S::Blocked, E::DependencyAppeared { .. }) => S::Pending,
            (S::Pending | S::Blocked | S::Refused | S::Exhausted, E::WaivedBy) => S::Waived,
            (S::Refused | S::Exhausted | S::Waived, E::RetryCommanded { .. }) => S::Pending,
            (S::Pending | S::Blocked | S::Refused | S::Exhausted | S::Waived, E::RecordsWithdrawn) => S::Superseded,
            (S::Pending | S::Blocked | S::Delivered | S::Refused | S::Exhausted | S::Waived, E::NewerVersion) => {
                S::Superseded
            }
            _ => return Err(Illegal { state: self, event: event.clone() }),
        };
        Ok(next)
    }

    /// Whether nothing happens to it any more without a person or a newer version.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Delivered | Self::Refused | Self::Exhausted | Self::Waived | Self::Superseded)
    }

    /// Whether the server may be working on it, so that nothing else of the visit may be sent.
    #[must_use]
    pub fn is_out(self) -> bool {
        matches!(self, Self::InFlight | Self::Unknown)
    }

    /// The word used in store, reports and metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Blocked => "blocked",
            Self::InFlight => "in_flight",
            Self::Unknown => "unknown",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Exhausted => "exhausted",
            Self::Waived => "waived",
            Self::Superseded => "superseded",
        }
    }

    /// The state for its word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl Event {
    /// The event's word in the history.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Released { .. } => "released",
            Self::Accepted => "accepted",
            Self::FoundEqual => "found_equal",
            Self::Deferred { .. } => "deferred",
            Self::Unclassified { .. } => "unclassified",
            Self::RefusedConfiguration { .. } => "refused_configuration",
            Self::DependencyMissing { .. } => "dependency_missing",
            Self::DependencyAppeared { .. } => "dependency_appeared",
            Self::RefusedContent => "refused_content",
            Self::NoAnswer { .. } => "no_answer",
            Self::LeaseExpired { .. } => "lease_expired",
            Self::StillUnknown { .. } => "still_unknown",
            Self::NotFound { .. } => "not_found",
            Self::FoundDifferent => "found_different",
            Self::AttemptsSpent => "attempts_spent",
            Self::WaivedBy => "waived_by",
            Self::RetryCommanded { .. } => "retry_commanded",
            Self::Restored { .. } => "restored",
            Self::NewerVersion => "newer_version",
            Self::RecordsWithdrawn => "records_withdrawn",
        }
    }

    /// When the entry is to be looked at next, if the event says so.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Released { due }
            | Self::Deferred { due }
            | Self::Unclassified { due }
            | Self::RefusedConfiguration { due }
            | Self::DependencyMissing { due, .. }
            | Self::DependencyAppeared { due }
            | Self::NoAnswer { due }
            | Self::LeaseExpired { due, .. }
            | Self::StillUnknown { due }
            | Self::NotFound { due }
            | Self::Restored { due }
            | Self::RetryCommanded { due } => Some(*due),
            _ => None,
        }
    }

    /// Whether it is a person's or a rule's decision, stored with its reason.
    #[must_use]
    pub fn is_decision(&self) -> bool {
        matches!(self, Self::WaivedBy | Self::RetryCommanded { .. })
    }
}
