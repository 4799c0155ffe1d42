//! Bytes of a file as lines of text, in the encoding the profile declares.
//!
//! It must not guess an encoding: what it detects only explains a refusal. It never holds more than one line,
//! and a line has a ceiling.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use encoding_rs::{CoderResult, Decoder, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use sha2::{Digest, Sha256};

use super::profile::Encoding;

/// Longest physical line, in bytes of UTF-8.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// How much of a file is read at a time, and looked at to tell what kind of file it is, in bytes.
const CHUNK_BYTES: usize = 32 * 1024;

/// What the first bytes of a file show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that contradicts the declared encoding.
    AsDeclared,
    /// Another encoding, by its mark or by its bytes.
    Encoding(&'static str),
    /// Not text at all.
    Kind(&'static str),
}

/// Looks at the beginning of a file.
///
/// # Errors
/// When the file cannot be opened or read.
pub fn look(path: &Path, declared: Encoding) -> io::Result<Seen> {
    let mut head = Vec::with_capacity(CHUNK_BYTES);
    File::open(path)?.take(CHUNK_BYTES as u64).read_to_end(&mut head)?;
    let marks: [(&[u8], Seen); 5] = [
        (b"PK\x03\x04", Seen::Kind("xlsx")),
        (&[0xd0, 0xcf, 0x11, 0xe0], Seen::Kind("xls")),
        (b"SQLite format 3\0", Seen::Kind("SQLite")),
        (b"%PDF", Seen::Kind("PDF")),
        (b"\x1f\x8b", Seen::Kind("gzip")),
    ];
    if let Some((_, seen)) = marks.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Ok(*seen);
    }
    let by_mark = match head.as_slice() {
        [0xff, 0xfe, ..] => Some((Encoding::Utf16Le, "UTF-16LE")),
        [0xfe, 0xff, ..] => Some((Encoding::Utf16Be, "UTF-16BE")),
        [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, "UTF-8")),
        _ => None,
    };
    if let Some((encoding, name)) = by_mark {
        return Ok(if encoding == declared { Seen::AsDeclared } else { Seen::Encoding(name) });
    }
    let beginning = String::from_utf8_lossy(&head[..head.len().min(512)]).trim_start().to_ascii_lowercase();
    if beginning.starts_with('<') {
        return Ok(Seen::Kind("HTML"));
    }
    if matches!(declared, Encoding::Utf8 | Encoding::Windows1252) && head.contains(&0) {
        return Ok(Seen::Encoding("UTF-16"));
    }
    if declared == Encoding::Windows1252 && !head.is_ascii() && valid_beginning(&head) {
        return Ok(Seen::Encoding("UTF-8"));
    }
    Ok(Seen::AsDeclared)
}

/// Whether the bytes are UTF-8, allowing a character cut at the end.
fn valid_beginning(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    }
}

/// One physical line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// The text without its line end.
    Text(String),
    /// Longer than [`LINE_BYTES_MAX`]; its text was dropped.
    TooLong,
}

/// Reads a file line by line. A byte that the encoding does not know becomes U+FFFD.
pub struct Lines {
    bytes: BufReader<File>,
    decoder: Decoder,
    text: String,
    taken: usize,
    ended: bool,
    hash: Sha256,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: &Path, encoding: Encoding) -> io::Result<Self> {
        let encoding = match encoding {
            Encoding::Utf8 => UTF_8,
            Encoding::Windows1252 => WINDOWS_1252,
            Encoding::Utf16Le => UTF_16LE,
            Encoding::Utf16Be => UTF_16BE,
        };
        Ok(Self {
            bytes: BufReader::with_capacity(CHUNK_BYTES, File::open(path)?),
            decoder: encoding.new_decoder_with_bom_removal(),
            text: String::with_capacity(CHUNK_BYTES * 2),
            taken: 0,
            ended: false,
            hash: Sha256::new(),
        })
    }

    /// SHA-256 of the bytes read so far: of the whole file once the last line was given.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&mut self) -> io::Result<Option<Line>> {
        let mut too_long = false;
        let mut searched = self.taken;
        loop {
            if let Some(length) = self.text.as_bytes()[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + length;
                let line = self.text[self.taken..end].trim_end_matches('\r').to_owned();
                self.taken = end + 1;
                return Ok(Some(self.bounded(line, too_long)));
            }
            if self.ended {
                let line = self.text[self.taken..].trim_end_matches('\r').to_owned();
                self.text.clear();
                self.taken = 0;
                return Ok((too_long || !line.is_empty()).then(|| self.bounded(line, too_long)));
            }
            if self.text.len() - self.taken > LINE_BYTES_MAX {
                too_long = true;
                self.taken = self.text.len();
            }
            self.text.drain(..self.taken);
            self.taken = 0;
            searched = self.text.len();
            self.fill()?;
        }
    }

    fn bounded(&self, line: String, too_long: bool) -> Line {
        if too_long || line.len() > LINE_BYTES_MAX { Line::TooLong } else { Line::Text(line) }
    }

    fn fill(&mut self) -> io::Result<()> {
        let chunk = self.bytes.fill_buf()?;
        self.hash.update(chunk);
        let (length, last) = (chunk.len(), chunk.is_empty());
        let mut read = 0;
        loop {
            let need = self.decoder.max_utf8_buffer_length(length - read).unwrap_or(CHUNK_BYTES * 4);
            self.text.reserve(need.max(16));
            let (result, used, _) = self.decoder.decode_to_string(&chunk[read..], &mut self.text, last);
            read += used;
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        self.bytes.consume(length);
        self.ended = last;
        Ok(())
    }
}

/// Position, in characters from 1, of the first character that shows an undecodable or already lost byte.
/// Windows-1252 leaves five bytes without a meaning; they come out as control characters.
#[must_use]
pub fn undecodable(text: &str) -> Option<usize> {
    text.chars()
        .position(|character| character == '\u{fffd}' || ('\u{80}'..='\u{9f}').contains(&character))
        .map(|at| at + 1)
}
