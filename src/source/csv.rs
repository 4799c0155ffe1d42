//! Rows of a delimited text file, one at a time.
//!
//! It must not hold the file in memory: a quotation mark that is never closed costs one row, not the rest of the
//! file. Line numbers are those an editor shows.

use std::collections::VecDeque;
use std::fs::Metadata;
use std::path::PathBuf;
use std::sync::Arc;

use super::encoding::{LINE_BYTES_MAX, Line, Lines, Seen, look};
use super::layout::{Deviation, Layout, hits_needed};
use super::problem::{SourceError, long_row, open_quote, wrong_cells};
use super::profile::{Encoding, Profile, Table};
use super::{COLUMNS_MAX, Cell, Judgement, Location, ROWS_MAX, Reading, Row, is_blank, judge};
use crate::issue::{Issue, Place};

/// How many rows from the top may stand above the header.
const HEADER_ROWS_MAX: usize = 15;
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
    waiting: VecDeque<Line>,
    line: u64,
    rows: u64,
    layout: Arc<Layout>,
    ended: bool,
}

/// One row of text, before it is cut into cells.
enum Text {
    Cells(Vec<String>),
    Broken(Issue),
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
        match look(&location.path, profile.encoding).map_err(failed)? {
            Seen::AsDeclared => {}
            Seen::Kind(seen) => return Err(SourceError::Kind { file, seen: seen.to_owned(), expected: "CSV" }),
            Seen::Encoding(seen) => {
                let declared = encoding_name(profile.encoding).to_owned();
                return Err(SourceError::Encoding { file, seen: seen.to_owned(), declared });
            }
        }
        let mut delimited = Self {
            profile: Arc::clone(profile),
            place: location.place(),
            path: location.path.clone(),
            before: Some(before),
            lines: Lines::open(&location.path, profile.encoding).map_err(failed)?,
            waiting: VecDeque::new(),
            line: 0,
            rows: 0,
            layout: Arc::default(),
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
        let Some((line, text)) = self.row_of_text()? else {
            self.ended = true;
            return if self.changed() { Err(SourceError::Changed { file: self.place.file.clone() }) } else { Ok(None) };
        };
        self.rows += 1;
        if self.rows > ROWS_MAX {
            return Err(self.limit("rows", ROWS_MAX));
        }
        let place = Place { row: line.to_string(), ..self.place.clone() };
        let mut cells = match text {
            Text::Broken(issue) => return Ok(Some(Reading::Broken(issue))),
            Text::Cells(cells) => cells,
        };
        let Some(table) = self.table() else { return Ok(None) };
        let width = self.layout.headers.len();
        match judge(&self.layout, table, &place, &cells) {
            Judgement::Skip(reason) => return Ok(Some(Reading::Skipped { place, reason })),
            Judgement::Broken(issue) => return Ok(Some(Reading::Broken(issue))),
            Judgement::Row => {}
        }
        let surplus = cells.iter().skip(width).any(|cell| !is_blank(cell));
        let unnamed = self.layout.headers.iter().zip(&cells).any(|(header, cell)| header.is_empty() && !is_blank(cell));
        if cells.len() < width || surplus || unnamed {
            return Ok(Some(Reading::Broken(wrong_cells(place, cells.len(), width))));
        }
        cells.truncate(width);
        let headers = self.layout.headers.iter();
        let cells = headers.zip(cells).map(|(column, raw)| Cell { column: Arc::clone(column), raw }).collect();
        Ok(Some(Reading::Row(Row { place, table: 0, cells, layout: Arc::clone(&self.layout) })))
    }

    fn table(&self) -> Option<&Table> {
        self.profile.tables.first()
    }

    fn limit(&self, what: &'static str, limit: u64) -> SourceError {
        SourceError::Limit { file: self.place.file.clone(), what, limit }
    }

    fn changed(&self) -> bool {
        let after = std::fs::metadata(&self.path).ok();
        let stamp = |metadata: &Option<Metadata>| metadata.as_ref().map(|seen| (seen.len(), seen.modified().ok()));
        stamp(&self.before) != stamp(&after)
    }

    fn find_header(&mut self) -> Result<(), SourceError> {
        let profile = Arc::clone(&self.profile);
        let Some(table) = profile.tables.first() else { return Ok(()) };
        let needed = hits_needed(table);
        let mut best: (usize, Vec<String>) = (0, Vec::new());
        let mut other = None;
        for _ in 0..HEADER_ROWS_MAX {
            let Some((line, text)) = self.row_of_text()? else { break };
            let Text::Cells(headers) = text else { continue };
            if headers.len() > COLUMNS_MAX {
                return Err(self.limit("columns", COLUMNS_MAX as u64));
            }
            let hits = Layout::loose(table, &headers).hits();
            if hits >= needed {
                self.layout = Arc::new(Layout::strict(table, &headers).map_err(|deviation| SourceError::Columns {
                    file: self.place.file.clone(),
                    line,
                    deviation,
                })?);
                return Ok(());
            }
            other = other.or_else(|| other_delimiter(table, self.profile.delimiter, &headers, needed));
            if hits >= best.0 {
                best = (hits, headers);
            }
        }
        let file = self.place.file.clone();
        if let Some(seen) = other {
            let show =
                |delimiter: u8| if delimiter == b'\t' { "tab".to_owned() } else { char::from(delimiter).to_string() };
            return Err(SourceError::Delimiter { file, seen: show(seen), declared: show(self.profile.delimiter) });
        }
        let missing = match Layout::strict(table, &best.1) {
            Err(Deviation::Missing { columns, .. }) => columns,
            _ => Vec::new(),
        };
        Err(SourceError::Header { file, lines: HEADER_ROWS_MAX, missing })
    }

    fn physical(&mut self) -> Result<Option<Line>, SourceError> {
        if let Some(line) = self.waiting.pop_front() {
            return Ok(Some(line));
        }
        let file = &self.place.file;
        self.lines.read().map_err(|source| SourceError::Read { file: file.clone(), source })
    }

    /// The next row with the number of its first line, its quoted line breaks joined.
    fn row_of_text(&mut self) -> Result<Option<(u64, Text)>, SourceError> {
        let Some(first) = self.physical()? else { return Ok(None) };
        self.line += 1;
        let number = self.line;
        let place = || Place { row: number.to_string(), ..self.place.clone() };
        let Line::Text(first) = first else {
            return Ok(Some((number, Text::Broken(long_row(place(), LINE_BYTES_MAX)))));
        };
        let delimiter = self.profile.delimiter;
        let mut text = first;
        let mut joined = Vec::new();
        while quote_is_open(text.as_bytes(), delimiter) {
            let more = if joined.len() < ROW_LINES_MAX { self.physical()? } else { None };
            match more {
                Some(Line::Text(line)) if text.len() + line.len() <= LINE_BYTES_MAX => {
                    text.push('\n');
                    text.push_str(&line);
                    joined.push(Line::Text(line));
                }
                other => {
                    // The quotation mark is a slip: only its own line is lost, the lines behind it are read again.
                    joined.extend(other);
                    for line in joined.into_iter().rev() {
                        self.waiting.push_front(line);
                    }
                    let place = Place { row: number.to_string(), ..self.place.clone() };
                    return Ok(Some((number, Text::Broken(open_quote(place)))));
                }
            }
        }
        self.line += joined.len() as u64;
        Ok(Some((number, Text::Cells(cut(&text, delimiter)))))
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
fn cut(text: &str, delimiter: u8) -> Vec<String> {
    // Most rows have no quotation mark; setting up the quoting rules costs more than cutting.
    if !text.contains('"') {
        return text.split(char::from(delimiter)).map(str::to_owned).collect();
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .buffer_capacity(text.len().max(64))
        .from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    match reader.read_record(&mut record) {
        Ok(true) => record.iter().map(str::to_owned).collect(),
        Ok(false) | Err(_) => vec![text.to_owned()],
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

fn other_delimiter(table: &Table, declared: u8, cells: &[String], needed: usize) -> Option<u8> {
    let text = cells.join(&char::from(declared).to_string());
    OTHER_DELIMITERS
        .into_iter()
        .filter(|delimiter| *delimiter != declared)
        .find(|delimiter| Layout::loose(table, &cut(&text, *delimiter)).hits() >= needed)
}
