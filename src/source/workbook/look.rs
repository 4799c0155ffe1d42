//! Which file is a workbook, told by its first bytes and never by its name; and the hold on it while it is read.
//!
//! It must not open anything but a regular file: a pipe would block, a device has no end. A link is followed, since
//! an administrator may point a source at one; what it leads to must be a regular file.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::source::Location;
use crate::source::position::Positioned;

/// Largest workbook file, in bytes: as much as its content may be when unpacked.
pub const FILE_BYTES_MAX: u64 = 200 * 1024 * 1024;
/// How much is looked at to tell what a file is, in bytes.
const HEAD_BYTES: usize = 1024;
/// How much is read at a time for the content hash, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// The containers that workbooks come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// A zip archive: XLSX, XLSM, XLSB or ODS.
    Archive,
    /// A compound file: XLS, or an encrypted XLSX.
    Compound,
    /// HTML or what begins like it.
    Html,
}

/// What the first bytes of a file show; `None` when it is no workbook.
#[must_use]
pub fn container(head: &[u8]) -> Option<Container> {
    if [b"PK\x03\x04".as_slice(), b"PK\x05\x06", b"PK\x07\x08"].iter().any(|mark| head.starts_with(mark)) {
        return Some(Container::Archive);
    }
    if head.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        return Some(Container::Compound);
    }
    // Marks of byte order and the zero half of each UTF-16 letter say nothing here.
    let mut letters = head.iter().filter(|byte| !matches!(byte, 0xef | 0xbb | 0xbf | 0xff | 0xfe | 0));
    let first = letters.by_ref().find(|byte| !byte.is_ascii_whitespace());
    let second = letters.next();
    let is_tag = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'!' | b'?');
    (first == Some(&b'<') && second.is_some_and(is_tag)).then_some(Container::Html)
}

/// A file held open: what is read of it cannot be swapped for another.
#[derive(Debug)]
pub struct Held {
    file: Arc<File>,
    /// Where its name stands; without one it is a copy that has none, or was opened by whoever found it.
    path: Option<PathBuf>,
    before: Metadata,
    head: Vec<u8>,
}

impl Held {
    /// Holds the file of a location: the one that was opened for it, else the one at its path.
    ///
    /// # Errors
    /// As [`Held::open`].
    pub fn of(location: &Location) -> io::Result<Self> {
        match &location.opened {
            Some(file) => Self::new(Arc::clone(file), None),
            None => Self::open(&location.path),
        }
    }

    /// Opens a regular file.
    ///
    /// # Errors
    /// When it is not there, cannot be read, or is no regular file.
    pub fn open(path: &Path) -> io::Result<Self> {
        // Looked at before it is opened: opening a pipe waits for its writer.
        regular(&std::fs::metadata(path)?)?;
        Self::new(Arc::new(File::open(path)?), Some(path.to_owned()))
    }

    fn new(file: Arc<File>, path: Option<PathBuf>) -> io::Result<Self> {
        let before = file.metadata()?;
        regular(&before)?;
        let mut head = Vec::with_capacity(HEAD_BYTES);
        Positioned::new(&file, 0).take(HEAD_BYTES as u64).read_to_end(&mut head)?;
        Ok(Self { file, path, before, head })
    }

    /// The container of a workbook; `None` when the file is no workbook.
    #[must_use]
    pub fn container(&self) -> Option<Container> {
        container(&self.head)
    }

    /// Length of the file when it was opened, in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.before.len()
    }

    /// The file. Whoever reads it does so at positions of its own.
    #[must_use]
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The same file for another process.
    ///
    /// # Errors
    /// When the system has no more handles.
    pub fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// SHA-256 of the content. Reads at positions of its own: the place where another process reads stays.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn hash(&self) -> io::Result<[u8; 32]> {
        let mut hash = Sha256::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        // A file that grows without end has changed in any case.
        let mut content = Positioned::new(&self.file, 0).take(FILE_BYTES_MAX + 1);
        loop {
            match content.read(&mut chunk)? {
                0 => return Ok(hash.finalize().into()),
                length => hash.update(&chunk[..length]),
            }
        }
    }

    /// Whether the file is not what it was when it was opened: its stamps, its content, or which file has its name.
    #[must_use]
    pub fn changed(&self, hash: &[u8; 32]) -> bool {
        self.is_touched() || self.hash().ok().as_ref() != Some(hash)
    }

    /// Whether its stamps are others than when it was opened, or another file has its name.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let stamp = |seen: &Metadata| (seen.dev(), seen.ino(), seen.len(), seen.mtime(), seen.mtime_nsec());
        let before = stamp(&self.before);
        let same = |seen: io::Result<Metadata>| seen.is_ok_and(|seen| stamp(&seen) == before);
        !same(self.file.metadata()) || self.path.as_ref().is_some_and(|path| !same(std::fs::metadata(path)))
    }
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_is_known_by_its_first_bytes() {
        let utf16: Vec<u8> = "\u{feff}<html>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (head, expected) in [
            (b"PK\x03\x04".as_slice(), Some(Container::Archive)),
            (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", Some(Container::Compound)),
            (b"\xef\xbb\xbf \r\n<table>", Some(Container::Html)),
            (b"<!DOCTYPE html>", Some(Container::Html)),
            (&utf16, Some(Container::Html)),
            (b"<2 kg;NIK", None),
            (b"NIK;Nama", None),
            (b"", None),
            (&[0; 64], None),
        ] {
            assert_eq!(container(head), expected, "{head:?}");
        }
    }
}
