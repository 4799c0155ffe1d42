//! The lock that keeps a second gateway out of a ledger's folder, and names beside the ledger's file.
//!
//! It must not write anything but the lock file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::LedgerError;

/// A name beside a file: the file's with something after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Takes the exclusive lock that keeps a second gateway out; the system frees it when the process ends.
pub(super) fn lock(path: &Path) -> Result<File, LedgerError> {
    let failed = |at: &Path| {
        let path = at.to_owned();
        move |source| LedgerError::Folder { path, source }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    let name = beside(path, ".lock");
    let file =
        OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&name).map_err(failed(&name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(LedgerError::Held(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(LedgerError::Folder { path: name, source }),
    }
}
