//! The lock that keeps a second gateway out of a ledger's folder, and names beside the ledger's file.
//!
//! It must not write anything but the lock file.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use super::LedgerError;

/// File systems on other machines, by the number that statfs(2) tells: NFS, SMB, CIFS, SMB 2 and 3, AFS, Ceph.
const NETWORK: [u32; 6] = [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x5346_414F, 0x00C3_6400];

/// Whether a kind of file system lies on another machine.
fn is_network(kind: u32) -> bool {
    NETWORK.contains(&kind)
}

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
        let kind = rustix::fs::statfs(folder).map_err(|error| failed(folder)(error.into()))?.f_type;
        // The number has 32 bits; some machines tell it in more.
        if is_network(kind as u32) {
            return Err(LedgerError::Network(folder.to_owned()));
        }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn disks_of_this_machine_are_told_from_those_of_others() {
        // ext4, XFS, Btrfs, tmpfs, overlayfs (statfs(2)).
        for kind in [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994, 0x794C_7630] {
            assert!(!is_network(kind), "{kind:x}");
        }
        assert!(NETWORK.into_iter().all(is_network));
        // Told with the sign of a 32-bit word, as some machines do.
        assert!(is_network(-11_317_950_i64 as u32), "CIFS");
        let folder = tempfile::tempdir().unwrap();
        assert!(lock(&folder.path().join("buku.sqlite")).is_ok());
    }
}
