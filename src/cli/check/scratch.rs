//! The temporary folder of a dry run, and what is said when it cannot be used.

use std::path::{Path, PathBuf};

use crate::cli::exit;
use crate::ledger::LedgerError;
use crate::seal::{Keys, SealError};

/// The folder for temporary files cannot take the dry run's file.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} has no room for the temporary file of this check, or may not be written; free space there or name another \
     folder with TMPDIR; nothing was changed",
    .0.display()
)]
pub struct Unusable(PathBuf);

/// A new name in the folder for temporary files.
///
/// # Errors
/// When the operating system gives no random numbers.
pub fn folder(temporary: &Path) -> Result<PathBuf, SealError> {
    let name = Keys::generate()?.identifier("check", &[]);
    Ok(temporary.join(format!("posyandu-gateway-check-{name}")))
}

/// The failure of a check, in words that fit a temporary file.
pub fn named(error: anyhow::Error, temporary: &Path) -> anyhow::Error {
    let is_room = |failure: &LedgerError| matches!(failure, LedgerError::Full | LedgerError::Folder { .. });
    match error.chain().find_map(exit::ledger_failure) {
        Some(failure) if is_room(failure) => Unusable(temporary.to_owned()).into(),
        _ => error,
    }
}
