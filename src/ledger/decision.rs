//! What people decide, in the words of the audit trail: the same from the pages and from the command line.
//!
//! It must not carry anything out: each decision is kept where what it is about is kept.

use super::account::Deed;
use super::{Ledger, LedgerError};

/// A kind of decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    /// A visit is tried again.
    Retry,
    /// A visit is left out.
    Waive,
    /// A resource is marked at the server as entered in error.
    ConfirmRemoval,
    /// A resource stays at the server.
    RejectRemoval,
    /// Delivered visits are sent again by a changed mapping.
    ApprovePlan,
    /// A stopped lane goes on.
    ReleaseLane,
    /// A discrepancy is accepted as it is.
    WaiveDiscrepancy,
    /// A row is about a certain person, or about nobody of those whom it may mean.
    MatchPerson,
    /// What was said about a row is taken back.
    ReopenPerson,
}

impl DecisionKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::Retry,
        Self::Waive,
        Self::ConfirmRemoval,
        Self::RejectRemoval,
        Self::ApprovePlan,
        Self::ReleaseLane,
        Self::WaiveDiscrepancy,
        Self::MatchPerson,
        Self::ReopenPerson,
    ];

    /// The word in the audit trail and in forms.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Waive => "waive",
            Self::ConfirmRemoval => "confirm_removal",
            Self::RejectRemoval => "reject_removal",
            Self::ApprovePlan => "approve_plan",
            Self::ReleaseLane => "release_lane",
            Self::WaiveDiscrepancy => "waive_discrepancy",
            Self::MatchPerson => "match_person",
            Self::ReopenPerson => "reopen_person",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// What it is about, as the audit trail names it: a kind and a number or name, never a person's.
    fn subject(self, about: &str) -> String {
        let kind = match self {
            Self::Retry | Self::Waive => "visit",
            Self::ConfirmRemoval | Self::RejectRemoval => "removal",
            Self::ApprovePlan => "plan",
            Self::ReleaseLane => "lane",
            Self::WaiveDiscrepancy => "discrepancy",
            Self::MatchPerson | Self::ReopenPerson => "question",
        };
        format!("{kind} {about}")
    }
}

/// Who decides, and what; `about` is the number or name of its subject.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// Name of the account; `-` on the command line.
    pub account: &'a str,
    /// Its role's word; `cli` on the command line.
    pub role: &'a str,
    /// What is decided.
    pub kind: DecisionKind,
    /// Number or name of what it is about.
    pub about: &'a str,
    /// Id of the command.
    pub command: &'a str,
    /// Why.
    pub reason: &'a str,
}

impl Ledger {
    /// Writes a decision into the audit trail; it is not to be kept when that fails.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn audit_decision(&self, decided: Decided<'_>) -> Result<(), LedgerError> {
        let Decided { account, role, kind, about, command, reason } = decided;
        let subject = kind.subject(about);
        let (command, reason) = (Some(command), Some(reason));
        self.audit(Deed { account, role, action: kind.word(), subject: &subject, command, reason }).await
    }
}
