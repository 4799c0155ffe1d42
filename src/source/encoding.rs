//! Bytes of a file as lines of text, in the encoding the profile declares or the bytes show beyond doubt.
//!
//! It must not guess: a file that is neither wholly one encoding nor the other keeps its bad bytes, and the rows
//! they stand in are issues. It holds one block and one row, and a line has a ceiling.

use std::fs::File;
use std::io::{self, Read, Take};
use std::ops::Range;
use std::sync::Arc;

use encoding_rs::{CoderResult, Decoder, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use memchr::memchr;

use super::position::Positioned;
use super::profile::Encoding;

/// Longest physical line, in bytes of UTF-8.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// How much of a file is read at a time, and looked at to tell what kind of file it is, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Longest character of UTF-8, in bytes.
const CHARACTER_BYTES_MAX: usize = 4;

/// What the first bytes of a file show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Nothing that contradicts the declared encoding; the encoding when it is declared or plain from the beginning.
    Text(Option<Encoding>),
    /// Another encoding than the declared one, by its mark or by its bytes.
    Encoding(&'static str),
    /// Not text at all.
    Kind(&'static str),
}

/// Looks at the beginning of a file.
///
/// # Errors
/// When the file cannot be read.
pub fn look(file: &Arc<File>, declared: Option<Encoding>) -> io::Result<Seen> {
    let mut head = Vec::with_capacity(CHUNK_BYTES);
    Positioned::new(file, 0).take(CHUNK_BYTES as u64).read_to_end(&mut head)?;
    let marks: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "xlsx"),
        (&[0xd0, 0xcf, 0x11, 0xe0], "xls"),
        (b"SQLite format 3\0", "SQLite"),
        (b"%PDF", "PDF"),
        (b"\x89PNG", "PNG"),
        (&[0xff, 0xd8, 0xff], "JPEG"),
        (b"\x1f\x8b", "gzip"),
    ];
    if let Some((_, seen)) = marks.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Ok(Seen::Kind(seen));
    }
    let seen = match head.as_slice() {
        [0xff, 0xfe, ..] => Some(Encoding::Utf16Le),
        [0xfe, 0xff, ..] => Some(Encoding::Utf16Be),
        [0xef, 0xbb, 0xbf, ..] => Some(Encoding::Utf8),
        _ => by_zero_bytes(&head),
    };
    let beginning = String::from_utf8_lossy(&head[..head.len().min(512)]).trim_start().to_ascii_lowercase();
    if beginning.starts_with('<') {
        return Ok(Seen::Kind("HTML"));
    }
    Ok(match (seen, declared) {
        (Some(seen), Some(declared)) if seen != declared => Seen::Encoding(name(seen)),
        (_, Some(Encoding::Windows1252)) if !head.is_ascii() && valid_beginning(&head) => Seen::Encoding("UTF-8"),
        (_, Some(declared)) => Seen::Text(Some(declared)),
        (seen, None) => Seen::Text(seen),
    })
}

/// UTF-16 of languages with Latin letters: nearly every second byte is zero, and the others are not.
fn by_zero_bytes(head: &[u8]) -> Option<Encoding> {
    let zeros = |at: usize| head.iter().skip(at).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second, pairs) = (zeros(0), zeros(1), head.len() / 2);
    let mostly = |many: usize, few: usize| many > 0 && many * 2 >= pairs && few * 8 <= many;
    if mostly(second, first) {
        Some(Encoding::Utf16Le)
    } else if mostly(first, second) {
        Some(Encoding::Utf16Be)
    } else {
        None
    }
}

/// Whether the bytes are UTF-8, allowing a character cut at the end.
fn valid_beginning(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    }
}

/// The name of an encoding, as spreadsheets offer it.
#[must_use]
pub fn name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Windows1252 => "Windows-1252",
        Encoding::Utf16Le => "UTF-16LE",
        Encoding::Utf16Be => "UTF-16BE",
    }
}

/// Tells UTF-8 from Windows-1252 by the bytes beyond ASCII from a position on: one valid character of several bytes
/// makes it UTF-8, and damaged where it is not; bad bytes alone make it Windows-1252.
fn tell_apart(file: &Arc<File>, from: u64) -> io::Result<Encoding> {
    let mut file = Positioned::new(file, from);
    let mut block = vec![0; CHUNK_BYTES];
    let (mut held, mut damaged) = (0, false);
    loop {
        let read = file.read(&mut block[held..])?;
        let length = held + read;
        let mut at = 0;
        while at < length {
            let (valid, bad) = match std::str::from_utf8(&block[at..length]) {
                Ok(text) => (text.len(), None),
                Err(error) => (error.valid_up_to(), Some(error.error_len())),
            };
            if !block[at..at + valid].is_ascii() {
                return Ok(Encoding::Utf8);
            }
            at += valid;
            match bad {
                None => {}
                Some(None) if read > 0 => break,
                Some(bad) => {
                    damaged = true;
                    at += bad.unwrap_or(1);
                }
            }
        }
        held = length - at;
        block.copy_within(at..length, 0);
        if read == 0 {
            return Ok(if damaged { Encoding::Windows1252 } else { Encoding::Utf8 });
        }
    }
}

/// Where the next physical line lies, counted from the first text that was not passed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its line end, and where the next one begins.
    Text(Range<usize>, usize),
    /// Longer than [`LINE_BYTES_MAX`].
    TooLong,
    /// Nothing is left.
    End,
}

/// Reads a file line by line. A byte that the encoding does not know becomes U+FFFD.
pub struct Lines {
    file: Arc<File>,
    rest: Take<Positioned>,
    chunk: Vec<u8>,
    read: u64,
    encoding: Option<Encoding>,
    /// None while nothing but ASCII was seen and the encoding is still open.
    decoder: Option<Decoder>,
    text: String,
    passed: usize,
    ended: bool,
}

impl Lines {
    /// Reads a file of a known length in bytes; without an encoding its bytes show it. What is written behind that
    /// length meanwhile is not read.
    #[must_use]
    pub fn new(file: &Arc<File>, length: u64, encoding: Option<Encoding>) -> Self {
        Self {
            file: Arc::clone(file),
            rest: Positioned::new(file, 0).take(length),
            chunk: vec![0; CHUNK_BYTES],
            read: 0,
            encoding,
            decoder: encoding.map(decoder),
            text: String::with_capacity(CHUNK_BYTES * 2),
            passed: 0,
            ended: false,
        }
    }

    /// The encoding, as far as it is known.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// The line that begins at a position of the text not passed yet.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn line(&mut self, from: usize) -> io::Result<Line> {
        let mut searched = from;
        loop {
            let waiting = &self.text.as_bytes()[self.passed..];
            let found = memchr(b'\n', &waiting[searched..]).map(|at| searched + at);
            if let Some(end) = found.or(self.ended.then_some(waiting.len())) {
                let next = if found.is_some() { end + 1 } else { end };
                let mut line = from..end;
                while line.end > from && waiting[line.end - 1] == b'\r' {
                    line.end -= 1;
                }
                return Ok(match (line.len(), found) {
                    (0, None) => Line::End,
                    (length, _) if length > LINE_BYTES_MAX => Line::TooLong,
                    _ => Line::Text(line, next),
                });
            }
            if waiting.len() - from > LINE_BYTES_MAX {
                return Ok(Line::TooLong);
            }
            searched = waiting.len();
            self.fill()?;
        }
    }

    /// A part of the text that was not passed yet.
    #[must_use]
    pub fn text(&self, part: Range<usize>) -> &str {
        self.text[self.passed..].get(part).unwrap_or_default()
    }

    /// Goes on behind a position of the text.
    pub fn pass(&mut self, to: usize) {
        self.passed += to;
    }

    /// Goes on behind the line that is too long to be kept.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn pass_line(&mut self) -> io::Result<()> {
        loop {
            let waiting = &self.text.as_bytes()[self.passed..];
            if let Some(end) = memchr(b'\n', waiting) {
                self.passed += end + 1;
                return Ok(());
            }
            self.passed = self.text.len();
            if self.ended {
                return Ok(());
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        self.text.drain(..self.passed);
        self.passed = 0;
        let length = self.rest.read(&mut self.chunk)?;
        let (chunk, last) = (&self.chunk[..length], length == 0);
        if self.decoder.is_none() && !chunk.is_ascii() {
            let encoding = tell_apart(&self.file, self.read)?;
            self.encoding = Some(encoding);
            self.decoder = Some(decoder(encoding));
        }
        self.read += length as u64;
        self.ended = last;
        let Some(decoder) = &mut self.decoder else {
            self.text.push_str(std::str::from_utf8(chunk).unwrap_or_default());
            return Ok(());
        };
        let mut read = 0;
        loop {
            let need = decoder.max_utf8_buffer_length(length - read).unwrap_or(CHUNK_BYTES * 4);
            self.text.reserve(need.max(CHARACTER_BYTES_MAX * 4));
            let (result, used, _) = decoder.decode_to_string(&chunk[read..], &mut self.text, last);
            read += used;
            if result == CoderResult::InputEmpty {
                return Ok(());
            }
        }
    }
}

fn decoder(encoding: Encoding) -> Decoder {
    let encoding = match encoding {
        Encoding::Utf8 => UTF_8,
        Encoding::Windows1252 => WINDOWS_1252,
        Encoding::Utf16Le => UTF_16LE,
        Encoding::Utf16Be => UTF_16BE,
    };
    encoding.new_decoder_with_bom_removal()
}

/// Position, in characters from 1, of the first character that shows an undecodable or already lost byte.
/// Windows-1252 leaves five bytes without a meaning; they come out as control characters. Zero bytes are left behind
/// by a machine that lost power while it wrote.
#[must_use]
pub fn undecodable(text: &str) -> Option<usize> {
    if text.is_ascii() && memchr(0, text.as_bytes()).is_none() {
        return None;
    }
    text.chars().position(|character| matches!(character, '\0' | '\u{fffd}' | '\u{80}'..='\u{9f}')).map(|at| at + 1)
}
