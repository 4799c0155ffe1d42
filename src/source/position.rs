//! Reading a file that several readers share, each at a position of its own.
//!
//! It must not move the position of the file itself: another process may read there.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// A reader with its own position.
#[derive(Clone, Debug)]
pub struct Positioned {
    file: Arc<File>,
    at: u64,
}

impl Positioned {
    /// Reads from a position on, in bytes.
    #[must_use]
    pub fn new(file: &Arc<File>, at: u64) -> Self {
        Self { file: Arc::clone(file), at }
    }
}

impl Read for Positioned {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read_at(buffer, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}
