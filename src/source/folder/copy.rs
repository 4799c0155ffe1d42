//! The copy of a dropped file, from which it is read.
//!
//! It must leave no name on the disk. The copy is a file without a name (`O_TMPFILE`, mode 0600): no other user and
//! no back-up sees it, the system frees it when the last handle is closed, also after a crash, and while it exists
//! the same content lies in the folder in clear anyway. So nothing personal outlives the source's own file
//! (promise 7), and a crash between copying and reading loses nothing: the folder still has the file, and it counts
//! as taken only when the ledger says so. Who fears that the disk itself is stolen keeps `data_dir` on an encrypted
//! one, since freed blocks keep their bytes for a while, as those of the folder do.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Folder, Stamp, Taken};
use crate::source::delimited;
use crate::source::position::Positioned;
use crate::source::workbook::look::{Container, container};

/// Largest file taken, in bytes. Workbooks have a lower ceiling of their own.
pub const BYTES_MAX: u64 = delimited::FILE_BYTES_MAX;
/// Space that a copy leaves free on the disk of the ledger, in bytes.
const SPARE_BYTES: u64 = 64 * 1024 * 1024;
/// How much is copied at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Length of the record at the end of a zip archive without its comment, in bytes, and of the longest comment.
const DIRECTORY_END_BYTES: usize = 22;
const COMMENT_BYTES_MAX: usize = 65_535;
/// First bytes of that record.
const DIRECTORY_END_MARK: [u8; 4] = *b"PK\x05\x06";

/// Why a file is not taken in this round.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// It was written to, replaced or removed meanwhile.
    #[error("the file changed meanwhile")]
    Changed,
    /// A program has it locked.
    #[error("another program has locked the file")]
    Locked,
    /// It cannot be opened or read.
    #[error("the file cannot be read")]
    Open(#[source] io::Error),
    /// It is longer than [`BYTES_MAX`].
    #[error("the file is longer than {BYTES_MAX} bytes")]
    TooLong,
    /// The disk has no room for the copy.
    #[error("the disk has no room for a copy of the file")]
    NoRoom,
    /// The copy cannot be written.
    #[error("the copy cannot be written")]
    Spool(#[source] io::Error),
}

/// How the content ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Whole,
    /// The last line of a text has no end.
    OpenLine,
    /// A zip archive without its directory: half of it is missing.
    NoDirectory,
}

/// A copy without a name.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The content.
    pub file: Arc<File>,
    /// SHA-256 of the content.
    pub hash: [u8; 32],
    /// How it ends.
    pub ending: Ending,
}

impl Copy {
    /// Copies a file of the folder into one without a name and makes sure that it is still the same file after.
    ///
    /// # Errors
    /// [`Trouble`]; nothing is left behind.
    pub fn of(folder: &Folder, taken: &Taken, spool: &Path) -> Result<Self, Trouble> {
        if taken.stamp.bytes > BYTES_MAX {
            return Err(Trouble::TooLong);
        }
        DirBuilder::new().recursive(true).mode(0o700).create(spool).map_err(Trouble::Spool)?;
        if room(spool)? < taken.stamp.bytes.saturating_add(SPARE_BYTES) {
            return Err(Trouble::NoRoom);
        }
        let mut copy = tempfile::tempfile_in(spool).map_err(Trouble::Spool)?;
        copy.set_permissions(Permissions::from_mode(0o600)).map_err(Trouble::Spool)?;
        let hash = pour(taken, &mut copy)?;
        let after = rustix::fs::fstat(&*taken.file).map_err(|error| Trouble::Open(error.into()))?;
        if Stamp::of(&after) != taken.stamp || folder.stamp(&taken.name) != Some(taken.stamp) {
            return Err(Trouble::Changed);
        }
        // Opened again for reading only: no reader can change it, and no reader shares a position with another.
        let file = File::open(format!("/proc/self/fd/{}", copy.as_raw_fd())).unwrap_or(copy);
        let file = Arc::new(file);
        let ending = ending(&file, taken.stamp.bytes).map_err(Trouble::Spool)?;
        Ok(Self { file, hash, ending })
    }
}

/// Copies the content, never more than the ceiling.
fn pour(taken: &Taken, copy: &mut File) -> Result<[u8; 32], Trouble> {
    let mut content = Positioned::new(&taken.file, 0).take(BYTES_MAX + 1);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut hash = Sha256::new();
    let mut bytes = 0;
    loop {
        let length = content.read(&mut chunk).map_err(Trouble::Open)?;
        if length == 0 {
            break;
        }
        bytes += length as u64;
        if bytes > taken.stamp.bytes {
            return Err(Trouble::Changed);
        }
        hash.update(&chunk[..length]);
        copy.write_all(&chunk[..length]).map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Trouble::NoRoom,
            _ => Trouble::Spool(error),
        })?;
    }
    if bytes == taken.stamp.bytes { Ok(hash.finalize().into()) } else { Err(Trouble::Changed) }
}

/// Bytes that may still be written to a disk.
fn room(folder: &Path) -> Result<u64, Trouble> {
    let about = rustix::fs::statvfs(folder).map_err(|error| Trouble::Spool(error.into()))?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

fn ending(file: &Arc<File>, bytes: u64) -> io::Result<Ending> {
    let mut head = Vec::new();
    Positioned::new(file, 0).take(1024).read_to_end(&mut head)?;
    let tail_bytes = (DIRECTORY_END_BYTES + COMMENT_BYTES_MAX) as u64;
    let mut tail = Vec::new();
    Positioned::new(file, bytes.saturating_sub(tail_bytes)).take(tail_bytes).read_to_end(&mut tail)?;
    Ok(match container(&head) {
        Some(Container::Archive) if !has_directory_end(&tail) => Ending::NoDirectory,
        // In UTF-16 a line end has two bytes.
        None if !tail.iter().rev().take(2).any(|byte| *byte == b'\n') => Ending::OpenLine,
        _ => Ending::Whole,
    })
}

/// Whether the bytes end with the end of a zip archive's directory, whose comment reaches exactly to the end.
fn has_directory_end(tail: &[u8]) -> bool {
    (0..tail.len().saturating_sub(DIRECTORY_END_BYTES - 1)).rev().any(|at| {
        let record = &tail[at..];
        let comment = usize::from(u16::from_le_bytes([record[20], record[21]]));
        record.starts_with(&DIRECTORY_END_MARK) && record.len() == DIRECTORY_END_BYTES + comment
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_archive_is_found_only_whole() {
        let mut end = b"PK\x05\x06".to_vec();
        end.extend([0; 16]);
        for comment in [0_u16, 3, 400] {
            let mut tail = vec![7; 50];
            tail.extend(&end);
            tail.extend(comment.to_le_bytes());
            tail.extend(vec![b'x'; usize::from(comment)]);
            assert!(has_directory_end(&tail));
            for cut in 1..=usize::from(comment) + DIRECTORY_END_BYTES {
                assert!(!has_directory_end(&tail[..tail.len() - cut]), "{comment} {cut}");
            }
        }
        assert!(!has_directory_end(b"PK"));
    }
}
