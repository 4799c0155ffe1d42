//! Rows of a delimited text file, one at a time.
//!
//! It must not hold the file in memory: a quotation mark that is never closed costs one row, not the rest of the
//! file. Line numbers are those an editor shows. What the profile does not declare is recognised: the encoding by
//! the bytes, the delimiter as the one that yields the header.

mod cut;

use std::sync::Arc;

use self::cut::Quotes;
use super::encoding::{self, LINE_BYTES_MAX, Lines, Seen, look};
use super::grid::{Grid, Line};
use super::problem::{SourceError, long_row, open_quote};
use super::profile::{Encoding, Profile};
use super::sample::Sample;
use super::workbook::look::Held;
use super::{Location, Reading};
use crate::issue::Place;

/// Longest delimited file, in bytes: a million rows of the widest export are about 400 MiB.
pub const FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Most physical lines that one row may span through line breaks inside quotation marks.
const ROW_LINES_MAX: usize = 20;
/// Delimiters that are recognised.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A delimited file being read.
pub struct Delimited {
    place: Place,
    held: Arc<Held>,
    lines: Lines,
    line: u64,
    delimiter: u8,
    columns: usize,
    grid: Grid,
}

impl Delimited {
    /// Finds the header of the file.
    ///
    /// # Errors
    /// [`SourceError`] when the file is not what the profile expects.
    pub fn open(profile: &Arc<Profile>, location: &Location, held: Held) -> Result<Self, SourceError> {
        let file = location.file();
        let mut encoding = Self::look_at(profile, location, &held)?;
        let held = Arc::new(held);
        let mut no_header = None;
        for delimiter in profile.delimiter.into_iter().chain(DELIMITERS) {
            let mut tried = Self::with(profile, location, &held, encoding, delimiter);
            let found = tried.find_header();
            encoding = tried.lines.encoding();
            match (found, profile.delimiter) {
                (Err(error @ (SourceError::Header { .. } | SourceError::Limit { .. })), _) => {
                    no_header.get_or_insert(error);
                }
                (Err(SourceError::Columns { .. } | SourceError::Title { .. }) | Ok(()), Some(declared))
                    if declared != delimiter =>
                {
                    return Err(SourceError::Delimiter { file, seen: shown(delimiter), declared: shown(declared) });
                }
                (found, _) => return found.map(|()| tried),
            }
        }
        Err(no_header.unwrap_or(SourceError::Changed { file }))
    }

    /// The encoding of a file that may be read, as far as its beginning tells.
    fn look_at(profile: &Profile, location: &Location, held: &Held) -> Result<Option<Encoding>, SourceError> {
        let file = location.file();
        if held.length() > FILE_BYTES_MAX {
            return Err(SourceError::Limit { file, what: "bytes", limit: FILE_BYTES_MAX });
        }
        let seen = look(held.file(), profile.encoding);
        match seen.map_err(|source| SourceError::Open { file: file.to_string(), source })? {
            Seen::Text(encoding) => Ok(encoding),
            Seen::Kind(seen) => Err(SourceError::Kind { file, seen: seen.to_owned(), expected: "CSV" }),
            Seen::Encoding(seen) => {
                let declared = profile.encoding.map_or("", encoding::name).to_owned();
                Err(SourceError::Encoding { file, seen: seen.to_owned(), declared })
            }
        }
    }

    /// The beginning of the file, once for each delimiter it may have.
    ///
    /// # Errors
    /// [`SourceError`] when the file is no text or cannot be read.
    pub fn samples(profile: &Arc<Profile>, location: &Location, held: Held) -> Result<Vec<Sample>, SourceError> {
        let encoding = Self::look_at(profile, location, &held)?;
        let held = Arc::new(held);
        let mut samples = Vec::with_capacity(DELIMITERS.len());
        for delimiter in DELIMITERS {
            let mut tried = Self::with(profile, location, &held, encoding, delimiter);
            let mut sample = Sample::default();
            while sample.has_room()
                && let Some(line) = tried.row_of_text()?
            {
                sample.keep(line);
            }
            samples.push(sample);
        }
        Ok(samples)
    }

    fn with(
        profile: &Arc<Profile>,
        location: &Location,
        held: &Arc<Held>,
        encoding: Option<Encoding>,
        delimiter: u8,
    ) -> Self {
        Self {
            place: location.place(),
            held: Arc::clone(held),
            lines: Lines::new(held.file(), held.length(), encoding),
            line: 0,
            delimiter,
            columns: 0,
            grid: Grid::new(profile, location.place()),
        }
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
            if let Some(line) = self.row_of_text()? {
                self.grid.feed(line)?;
                continue;
            }
            self.grid.end()?;
            if let Some(reading) = self.grid.take() {
                return Ok(Some(reading));
            }
            if self.held.is_touched() {
                return Err(SourceError::Changed { file: self.place.file.to_string() });
            }
            return Ok(None);
        }
    }

    fn find_header(&mut self) -> Result<(), SourceError> {
        while !self.grid.has_header() {
            match self.row_of_text()? {
                Some(line) => self.grid.feed(line)?,
                None => return self.grid.end(),
            }
        }
        Ok(())
    }

    fn physical(&mut self, from: usize) -> Result<encoding::Line, SourceError> {
        let file = &self.place.file;
        self.lines.line(from).map_err(|source| SourceError::Read { file: file.to_string(), source })
    }

    /// The next row with the number of its first line, its quoted line breaks joined.
    fn row_of_text(&mut self) -> Result<Option<Line>, SourceError> {
        let first = self.physical(0)?;
        let number = self.line + 1;
        let place = || Place { row: number.to_string(), ..self.place.clone() };
        let (line, next) = match first {
            encoding::Line::End => return Ok(None),
            encoding::Line::Text(line, next) => (line, next),
            encoding::Line::TooLong => {
                let issue = long_row(place(), LINE_BYTES_MAX);
                let file = &self.place.file;
                self.lines.pass_line().map_err(|source| SourceError::Read { file: file.to_string(), source })?;
                self.line = number;
                return Ok(Some(Line::Broken(number, issue)));
            }
        };
        self.line = number;
        if let Some(cells) = cut::plain(self.lines.text(line.clone()), self.delimiter, self.columns) {
            self.columns = cells.len();
            self.lines.pass(next);
            return Ok(Some(Line::Cells(number, cells)));
        }
        let mut quotes = Quotes::new(self.delimiter);
        let (mut end, mut behind, mut joined) = (line.end, next, 0);
        let mut goes_on = quotes.are_open_behind(self.lines.text(line));
        while goes_on {
            match if joined < ROW_LINES_MAX { self.physical(behind)? } else { encoding::Line::TooLong } {
                encoding::Line::Text(line, next) if line.end <= LINE_BYTES_MAX => {
                    goes_on = quotes.are_open_behind(self.lines.text(line.clone()));
                    (end, behind, joined) = (line.end, next, joined + 1);
                }
                _ => {
                    // The quotation mark is a slip: only its own line is lost, the lines behind it are read again.
                    self.lines.pass(next);
                    let place = Place { row: number.to_string(), ..self.place.clone() };
                    return Ok(Some(Line::Broken(number, open_quote(place))));
                }
            }
        }
        let cells = cut::quoted(self.lines.text(0..end), self.delimiter);
        self.lines.pass(behind);
        self.line += joined as u64;
        Ok(Some(Line::Cells(number, cells)))
    }
}

/// A delimiter as people name it.
fn shown(delimiter: u8) -> String {
    if delimiter == b'\t' { "tab".to_owned() } else { char::from(delimiter).to_string() }
}
