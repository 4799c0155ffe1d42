//! What the sender of a record is told: how it ended, as values.
//!
//! It must not decide anything; the ledger and the reader do.

use super::written::Found;

/// How a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the ledger, new or with new content.
    Accepted,
    /// It was there already, with the same content.
    Unchanged,
    /// It no longer counts, as its sender wished.
    Withdrawn,
    /// A person must correct it.
    Issue,
}

impl Outcome {
    /// The word for it in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Unchanged => "unchanged",
            Self::Withdrawn => "withdrawn",
            Self::Issue => "issue",
        }
    }
}

/// What became of a record.
#[derive(Debug)]
pub struct Taken {
    /// The sender's key, when there is a usable one.
    pub id: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// The version that the ledger holds: the same content has the same one. None when nothing was kept.
    pub version: Option<String>,
    /// What was found, errors and warnings.
    pub found: Vec<Found>,
    /// Further problems that were only counted.
    pub more: usize,
}
