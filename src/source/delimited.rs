//! Rows of a delimited text file, one at a time.
//!
//! It must not hold the file in memory: a quotation mark that is never closed costs one row, not the rest of the
//! file. Line numbers are those an editor shows.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::path::PathBuf;
use std::sync::Arc;

use super::cells::Cells;
use super::encoding::{self, LINE_BYTES_MAX, Lines, Seen, look};
use super::grid::{Grid, Line};
use super::layout::{Layout, hits_needed};
use super::problem::{SourceError, long_row, open_quote};
use super::profile::{Encoding, Profile, Table};
use super::{Location, Reading};
use crate::issue::Place;

/// Most physical lines that one row may span through line breaks inside quotation marks.
const ROW_LINES_MAX: usize = 20;
/// Delimiters that are proposed when the declared one does not yield the header.
const OTHER_DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A delimited file being read.
pub struct Delimited {
    profile: Arc<Profile>,
    place: Place,
    path: PathBuf,
    before: Option<Metadata>,
    lines: Lines,
    waiting: VecDeque<encoding::Line>,
    line: u64,
    delimiter: u8,
    grid: Grid,
    ended: bool,
}

impl Delimited {
    /// Opens the file and finds its header.
    ///
    /// # Errors
    /// [`SourceError`] when the file is not what the profile expects.
    pub fn open(profile: &Arc<Profile>, location: &Location) -> Result<Self, SourceError> {
        let file = location.file();
        let failed = |source| SourceError::Open { file: file.clone(), source };
        let before = std::fs::metadata(&location.path).map_err(failed)?;
        let encoding = profile.encoding.unwrap_or(Encoding::Utf8);
        match look(&location.path, encoding).map_err(failed)? {
            Seen::AsDeclared => {}
            Seen::Kind(seen) => return Err(SourceError::Kind { file, seen: seen.to_owned(), expected: "CSV" }),
            Seen::Encoding(seen) => {
                let declared = encoding_name(encoding).to_owned();
                return Err(SourceError::Encoding { file, seen: seen.to_owned(), declared });
            }
        }
        let mut delimited = Self {
            profile: Arc::clone(profile),
            place: location.place(),
            path: location.path.clone(),
            before: Some(before),
            lines: Lines::open(&location.path, encoding).map_err(failed)?,
            waiting: VecDeque::new(),
            line: 0,
            delimiter: profile.delimiter.unwrap_or(b','),
            grid: Grid::new(profile, location.place()),
            ended: false,
        };
        delimited.find_header()?;
        Ok(delimited)
    }

    /// SHA-256 of the file once it was read to the end.
    #[must_use]
    pub fn content_hash(&self) -> Option<[u8; 32]> {
        self.ended.then(|| self.lines.hash())
    }

    /// The next row.
    ///
    /// # Errors
    /// [`SourceError`] when reading fails or the file changed meanwhile.
    pub fn read(&mut self) -> Result<Option<Reading>, SourceError> {
        loop {
            if let Some(reading) = self.grid.take() {
                return Ok(Some(reading));
            }
            let Some(line) = self.row_of_text()? else {
                self.ended = true;
                return if self.changed() {
                    Err(SourceError::Changed { file: self.place.file.clone() })
                } else {
                    Ok(None)
                };
            };
            self.grid.feed(line)?;
        }
    }

    fn changed(&self) -> bool {
        let after = std::fs::metadata(&self.path).ok();
        let stamp = |metadata: &Option<Metadata>| metadata.as_ref().map(|seen| (seen.len(), seen.modified().ok()));
        stamp(&self.before) != stamp(&after)
    }

    /// Reads until the header was found; a header that only shows with another delimiter is told as such.
    fn find_header(&mut self) -> Result<(), SourceError> {
        let profile = Arc::clone(&self.profile);
        let mut other = None;
        while !self.grid.has_header() {
            let Some(line) = self.row_of_text()? else { break };
            if let (Line::Cells(_, cells), Some(table), None) = (&line, profile.tables.first(), other) {
                other = other_delimiter(table, self.delimiter, cells, hits_needed(table));
            }
            match (self.grid.feed(line), other) {
                (Err(SourceError::Header { file, .. }), Some(seen)) => return Err(self.delimited_by(file, seen)),
                (fed, _) => fed?,
            }
        }
        match (self.grid.end(), other) {
            (Err(SourceError::Header { file, .. }), Some(seen)) => Err(self.delimited_by(file, seen)),
            (ended, _) => ended,
        }
    }

    fn delimited_by(&self, file: String, seen: u8) -> SourceError {
        let show =
            |delimiter: u8| if delimiter == b'\t' { "tab".to_owned() } else { char::from(delimiter).to_string() };
        SourceError::Delimiter { file, seen: show(seen), declared: show(self.delimiter) }
    }

    fn physical(&mut self) -> Result<Option<encoding::Line>, SourceError> {
        if let Some(line) = self.waiting.pop_front() {
            return Ok(Some(line));
        }
        let file = &self.place.file;
        self.lines.read().map_err(|source| SourceError::Read { file: file.clone(), source })
    }

    /// The next row with the number of its first line, its quoted line breaks joined.
    fn row_of_text(&mut self) -> Result<Option<Line>, SourceError> {
        let Some(first) = self.physical()? else { return Ok(None) };
        self.line += 1;
        let number = self.line;
        let place = || Place { row: number.to_string(), ..self.place.clone() };
        let encoding::Line::Text(first) = first else {
            return Ok(Some(Line::Broken(number, long_row(place(), LINE_BYTES_MAX))));
        };
        let delimiter = self.delimiter;
        let mut text = first;
        let mut joined = Vec::new();
        while quote_is_open(text.as_bytes(), delimiter) {
            let more = if joined.len() < ROW_LINES_MAX { self.physical()? } else { None };
            match more {
                Some(encoding::Line::Text(line)) if text.len() + line.len() <= LINE_BYTES_MAX => {
                    text.push('\n');
                    text.push_str(&line);
                    joined.push(encoding::Line::Text(line));
                }
                other => {
                    // The quotation mark is a slip: only its own line is lost, the lines behind it are read again.
                    joined.extend(other);
                    for line in joined.into_iter().rev() {
                        self.waiting.push_front(line);
                    }
                    let place = Place { row: number.to_string(), ..self.place.clone() };
                    return Ok(Some(Line::Broken(number, open_quote(place))));
                }
            }
        }
        self.line += joined.len() as u64;
        Ok(Some(Line::Cells(number, cut(&text, delimiter))))
    }
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Windows1252 => "Windows-1252",
        Encoding::Utf16Le => "UTF-16LE",
        Encoding::Utf16Be => "UTF-16BE",
    }
}

/// Cuts one row into cells, with the quoting rules of spreadsheets.
fn cut(text: &str, delimiter: u8) -> Cells {
    // Most rows have no quotation mark; setting up the quoting rules costs more than cutting.
    if !text.contains('"') {
        return text.split(char::from(delimiter)).collect();
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(text.len().max(64))
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => record.iter().collect(),
        Ok(false) | Err(_) => [text].into_iter().collect(),
    }
}

/// Whether the text ends inside a quotation mark that was opened at the beginning of a cell.
fn quote_is_open(text: &[u8], delimiter: u8) -> bool {
    let (mut open, mut at_start) = (false, true);
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        if open {
            if *byte == b'"' {
                if text.get(at + 1) == Some(&b'"') {
                    at += 1;
                } else {
                    open = false;
                }
            }
        } else {
            open = at_start && *byte == b'"';
            at_start = *byte == delimiter;
        }
        at += 1;
    }
    open
}

fn other_delimiter(table: &Table, used: u8, cells: &Cells, needed: usize) -> Option<u8> {
    let text = cells.iter().collect::<Vec<_>>().join(&char::from(used).to_string());
    OTHER_DELIMITERS.into_iter().filter(|delimiter| *delimiter != used).find(|delimiter| {
        let headers: Vec<String> = cut(&text, *delimiter).iter().map(str::to_owned).collect();
        Layout::loose(table, &headers).hits() >= needed
    })
}
