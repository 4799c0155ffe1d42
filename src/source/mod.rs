//! Rows of the field's own files and tables, in order, with the place a person can open.
//!
//! It must not interpret values, change anything at the source, or hold more than a page of rows. What is wrong
//! with one row is an issue; what is wrong with the whole file is a [`SourceError`].

pub mod csv;
pub mod encoding;
pub mod layout;
pub mod problem;
pub mod profile;
pub mod sqlite;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::issue::{Issue, Place};
use crate::redact::MASK;

use self::layout::{Layout, plain_header};
use self::problem::SourceError;
use self::profile::{Kind, Profile};

/// Most rows of one file or table. A city's posyandu open together yield about 41 000 visits a day.
pub const ROWS_MAX: u64 = 1_000_000;
/// Longest cell, in bytes.
pub const CELL_BYTES_MAX: usize = 8 * 1024;
/// Most columns of a file or query.
pub const COLUMNS_MAX: usize = 256;

/// One cell as it stands in the source.
#[derive(Clone)]
pub struct Cell {
    /// Header as in the file.
    pub column: Arc<str>,
    /// Untouched text.
    pub raw: String,
}

impl fmt::Debug for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {MASK}", self.column)
    }
}

/// One row as it stands in the source.
#[derive(Clone, Debug)]
pub struct Row {
    /// Where it stands; the column is `None`, the row is the line number or the table key.
    pub place: Place,
    /// Which of the profile's tables it belongs to.
    pub table: usize,
    /// The cells in the order of the source.
    pub cells: Vec<Cell>,
    layout: Arc<Layout>,
}

impl Row {
    /// A row from headers and texts, for callers that do not read a file.
    #[must_use]
    pub fn new(profile: &Profile, table: usize, place: Place, cells: Vec<(String, String)>) -> Self {
        let headers: Vec<String> = cells.iter().map(|(header, _)| header.clone()).collect();
        let layout = profile.tables.get(table).map(|table| Layout::loose(table, &headers)).unwrap_or_default();
        let cells = cells.into_iter().map(|(header, raw)| Cell { column: Arc::from(header.trim()), raw }).collect();
        Self { place, table, cells, layout: Arc::new(layout) }
    }

    /// The cell of a column, named by the first of its headers in the profile, as [`plain_header`] writes it.
    #[must_use]
    pub fn cell(&self, plain_name: &str) -> Option<&Cell> {
        self.layout.position(plain_name).and_then(|at| self.cells.get(at))
    }
}

/// Why a row yields no visit although nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// No value but a row number.
    Empty,
    /// A line that sums up the rows above it, or repeats the header.
    Footer,
    /// A row of the register of posyandu: it yields a `posyandu` record but no visit. Given by who counts.
    Register,
}

impl SkipReason {
    /// The word it is counted under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Footer => "footer",
            Self::Register => "register",
        }
    }
}

/// What one row of a source is.
#[derive(Clone, Debug)]
pub enum Reading {
    /// A row with values.
    Row(Row),
    /// A row without values to read.
    Skipped {
        /// Where it stands.
        place: Place,
        /// Why.
        reason: SkipReason,
    },
    /// A row that cannot be read at all; the issue names its place.
    Broken(Issue),
}

/// Where a source lies.
#[derive(Clone, Debug)]
pub struct Location {
    /// Name of the source in the configuration.
    pub source: String,
    /// The file.
    pub path: PathBuf,
}

impl Location {
    /// The file's name without its folders.
    #[must_use]
    pub fn file(&self) -> String {
        self.path.file_name().map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The place of a whole file.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { source: self.source.clone(), file: self.file(), ..Place::default() }
    }
}

/// The rows of one source, read one by one. Reading blocks briefly on the local disk.
pub struct Rows(Carrier);

enum Carrier {
    Csv(Box<csv::Delimited>),
    Sqlite(Box<sqlite::Database>),
}

/// Opens a source and checks that it is what the profile expects, before any row is given out.
///
/// # Errors
/// [`SourceError`] when the file cannot be opened, or is not what the profile says.
pub async fn open(profile: &Arc<Profile>, location: &Location) -> Result<Rows, SourceError> {
    Ok(Rows(match profile.kind {
        Kind::Csv => Carrier::Csv(Box::new(csv::Delimited::open(profile, location)?)),
        Kind::Sqlite => Carrier::Sqlite(Box::new(sqlite::Database::open(profile, location).await?)),
    }))
}

impl Rows {
    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// [`SourceError`] when reading fails, a ceiling is reached, or the file changed while it was read: then the
    /// rows given out so far must not count as a complete reading.
    pub async fn next(&mut self) -> Result<Option<Reading>, SourceError> {
        match &mut self.0 {
            Carrier::Csv(delimited) => delimited.read(),
            Carrier::Sqlite(database) => database.next().await,
        }
    }

    /// SHA-256 of the whole file, once the last row was given; `None` before, and for a database.
    #[must_use]
    pub fn content_hash(&self) -> Option<[u8; 32]> {
        match &self.0 {
            Carrier::Csv(delimited) => delimited.content_hash(),
            Carrier::Sqlite(_) => None,
        }
    }
}

/// What the rules common to all carriers say about the cells of a row.
fn judge(layout: &Layout, table: &profile::Table, place: &Place, cells: &[String]) -> Judgement {
    let filled = |at: usize| cells.get(at).is_some_and(|cell| !is_blank(cell));
    let numbering = |at: usize| layout.numbering.get(at).copied().unwrap_or(false);
    let Some(first) = (0..cells.len()).find(|at| filled(*at) && !numbering(*at)) else {
        let only_number = (0..cells.len()).find(|at| filled(*at));
        let footer = only_number.and_then(|at| cells.get(at)).is_some_and(|cell| is_footer(table, cell));
        return Judgement::Skip(if footer { SkipReason::Footer } else { SkipReason::Empty });
    };
    let first_of_all = (0..cells.len()).find(|at| filled(*at)).unwrap_or(first);
    let repeats_header = cells.len() == layout.headers.len()
        && cells.iter().zip(&layout.headers).all(|(cell, header)| plain_header(cell) == plain_header(header));
    if repeats_header || [first, first_of_all].iter().any(|at| is_footer(table, &cells[*at])) {
        return Judgement::Skip(SkipReason::Footer);
    }
    for (at, cell) in cells.iter().enumerate() {
        let column = layout.headers.get(at).map_or("?", |header| &**header);
        if cell.len() > CELL_BYTES_MAX {
            return Judgement::Broken(problem::long_row(place.column(column), CELL_BYTES_MAX));
        }
        if let Some(position) = encoding::undecodable(cell) {
            return Judgement::Broken(problem::undecodable_cell(place.column(column), position));
        }
    }
    Judgement::Row
}

enum Judgement {
    Row,
    Skip(SkipReason),
    Broken(Issue),
}

fn is_blank(cell: &str) -> bool {
    cell.chars().all(|character| character.is_whitespace() || character == '\u{a0}')
}

fn is_footer(table: &profile::Table, cell: &str) -> bool {
    let plain = plain_header(cell);
    table.footers.iter().any(|footer| {
        plain
            .strip_prefix(&plain_header(footer))
            .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    })
}
