//! The exit codes that scripts may rely on, and which failure ends with which.
//!
//! It must not print; it only judges.

use std::process::ExitCode;

use crate::config::ConfigError;
use crate::daemon::DaemonError;
use crate::delivery::DeliveryError;
use crate::ingest::IngestError;
use crate::ledger::LedgerError;
use crate::reconciliation::ReconciliationError;
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

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(error) = cause.downcast_ref::<LedgerError>() {
        return Some(of_ledger(error));
    }
    if let Some(error) = cause.downcast_ref::<DaemonError>() {
        return match error {
            DaemonError::Ledger(error)
            | DaemonError::Ingest(IngestError::Ledger(error))
            | DaemonError::Delivery(DeliveryError::Ledger(error))
            | DaemonError::Reconciliation(ReconciliationError::Ledger(error)) => Some(of_ledger(error)),
            DaemonError::Delivery(_) | DaemonError::Reconciliation(_) | DaemonError::Task(_) => Some(Exit::OtherSide),
            _ => Some(Exit::Usage),
        };
    }
    if cause.is::<ConfigError>() || cause.is::<SealError>() {
        return Some(Exit::Usage);
    }
    None
}

fn of_ledger(error: &LedgerError) -> Exit {
    match error {
        LedgerError::Held(_) => Exit::Held,
        LedgerError::Absent(_) | LedgerError::WrongKeys | LedgerError::Foreign(_) | LedgerError::Newer { .. } => {
            Exit::Usage
        }
        _ => Exit::OtherSide,
    }
}
