//! The exit codes that scripts may rely on, and which failure ends with which.
//!
//! It must not print; it only judges.

use std::process::ExitCode;

use super::check::scratch::Unusable;
use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::delivery::DeliveryError;
use crate::ingest::IngestError;
use crate::ledger::LedgerError;
use crate::ledger::backup::BackupError;
use crate::reconciliation::ReconciliationError;
use crate::report::ReportError;
use crate::seal::SealError;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Everything is fine.
    Fine = 0,
    /// Records need a person.
    NeedsAttention = 1,
    /// The command line, the configuration or a mapping file is wrong.
    Usage = 2,
    /// The other side failed: the server, a database, the disk.
    OtherSide = 3,
    /// Another instance holds the ledger.
    Held = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit code for a failure.
#[must_use]
pub fn of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(of_cause).unwrap_or(Exit::Usage)
}

/// The failure of the ledger that a cause is, or that it passes on.
#[must_use]
pub fn ledger_failure<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a LedgerError> {
    if let Some(ReportError::Ledger(error)) = cause.downcast_ref::<ReportError>() {
        return Some(error);
    }
    match cause.downcast_ref::<DaemonError>() {
        None => cause.downcast_ref::<LedgerError>(),
        Some(
            DaemonError::Ledger(error)
            | DaemonError::Ingest(IngestError::Ledger(error))
            | DaemonError::Delivery(DeliveryError::Ledger(error))
            | DaemonError::Reconciliation(ReconciliationError::Ledger(error)),
        ) => Some(error),
        Some(_) => None,
    }
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(error) = ledger_failure(cause) {
        return Some(of_ledger(error));
    }
    match cause.downcast_ref::<DaemonError>() {
        Some(DaemonError::Delivery(_) | DaemonError::Reconciliation(_) | DaemonError::Task(_)) => Some(Exit::OtherSide),
        Some(_) => Some(Exit::Usage),
        None if cause.is::<Unusable>() => Some(Exit::OtherSide),
        None if matches!(cause.downcast_ref::<BackupError>(), Some(BackupError::Unsound { .. })) => {
            Some(Exit::NeedsAttention)
        }
        None if matches!(
            cause.downcast_ref::<BackupError>(),
            Some(BackupError::Room { .. } | BackupError::Write { .. })
        ) =>
        {
            Some(Exit::OtherSide)
        }
        None if cause.is::<ConfigError>() || cause.is::<SealError>() => Some(Exit::Usage),
        None => None,
    }
}

fn of_ledger(error: &LedgerError) -> Exit {
    match error {
        LedgerError::Held(_) => Exit::Held,
        LedgerError::Absent(_)
        | LedgerError::Gone(_)
        | LedgerError::Network(_)
        | LedgerError::OnServer
        | LedgerError::WrongKeys
        | LedgerError::OtherServer { .. }
        | LedgerError::Foreign(_)
        | LedgerError::Newer { .. } => Exit::Usage,
        // A number on the command line that names nothing, or a decision that does not fit where it stands.
        LedgerError::NoSuchEntry(_)
        | LedgerError::CommandUsed
        | LedgerError::NeedsCorrection(_)
        | LedgerError::NotADecision(_)
        | LedgerError::Illegal(_) => Exit::Usage,
        _ => Exit::OtherSide,
    }
}
