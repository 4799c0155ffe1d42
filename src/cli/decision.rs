//! A person's decision as commands take it: a reason, and an id by which the same command twice is one decision.
//!
//! It must not keep a decision: each command hands it to the ledger, after the audit trail has it.

use clap::Args;

use crate::ledger::decision::{Decided, DecisionKind};
use crate::ledger::{Ledger, LedgerError};

/// Longest reason and command id, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// The part of a command that decides something.
#[derive(Debug, Args)]
pub struct Decision {
    /// Why; kept with the decision
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Id of this decision, so that the same command twice is one decision; made up when it is not given
    #[arg(long, value_name = "ID")]
    command_id: Option<String>,
}

impl Decision {
    /// Reason and command id, trimmed and of a fair length; an id is made up when none is given.
    ///
    /// # Errors
    /// What is empty or too long.
    pub fn checked(&self) -> anyhow::Result<(String, String)> {
        let (reason, command) = (self.reason.trim(), self.command_id.as_deref().map(str::trim));
        anyhow::ensure!(!reason.is_empty(), "say with --reason why: it is kept with the decision");
        anyhow::ensure!(reason.len() <= TEXT_BYTES_MAX, "--reason is longer than {TEXT_BYTES_MAX} bytes");
        anyhow::ensure!(
            command.is_none_or(|command| !command.is_empty() && command.len() <= TEXT_BYTES_MAX),
            "--command-id must not be empty nor longer than {TEXT_BYTES_MAX} bytes"
        );
        let command = command.map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned);
        Ok((reason.to_owned(), command))
    }
}

/// Writes a decision about each of these into the audit trail, before any of them is kept.
///
/// # Errors
/// Failures of the ledger; then nothing is to be kept.
pub async fn audit(
    ledger: &Ledger,
    kind: DecisionKind,
    abouts: &[String],
    (command, reason): (&str, &str),
) -> Result<(), LedgerError> {
    for about in abouts {
        ledger.audit_decision(Decided { account: "-", role: "cli", kind, about, command, reason }).await?;
    }
    Ok(())
}
