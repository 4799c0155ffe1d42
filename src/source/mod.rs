//! Rows of the field's own files and tables, in order, with the place a person can open.
//!
//! It must not interpret values, change anything at the source, or hold more than a page of rows. What is wrong
//! with one row is an issue; what is wrong with the whole file is a [`SourceError`].

pub mod cells;
pub mod database;
pub mod delimited;
pub mod encoding;
pub mod folder;
pub mod grid;
mod judge;
pub mod layout;
pub mod position;
pub mod problem;
pub mod profile;
pub mod sample;
pub mod workbook;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::issue::{Issue, Place};
use crate::redact::{MASK, Personal};

use self::cells::{CellKind, Cells};
use self::judge::{Judgement, judge};
use self::layout::Layout;
use self::problem::SourceError;
use self::profile::{Kind, Profile};

/// Most rows of one file or table. A city's posyandu open together yield about 41 000 visits a day.
pub const ROWS_MAX: u64 = 1_000_000;
/// Longest cell, in bytes.
pub const CELL_BYTES_MAX: usize = 8 * 1024;
/// Most columns of a file or query.
pub const COLUMNS_MAX: usize = 256;

/// One cell as it stands in the source.
#[derive(Clone, Copy)]
pub struct Cell<'a> {
    /// Header as in the file.
    pub column: &'a Arc<str>,
    /// Untouched text.
    pub raw: &'a str,
    /// What the carrier knows about it.
    pub kind: CellKind,
}

impl fmt::Debug for Cell<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {MASK}", self.column)
    }
}

/// One row as it stands in the source.
#[derive(Clone)]
pub struct Row {
    /// Where it stands; the column is `None`, the row is the line number or the table key.
    pub place: Place,
    /// Which of the profile's tables it belongs to.
    pub table: usize,
    cells: Cells,
    layout: Arc<Layout>,
}

impl fmt::Debug for Row {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Row").field("place", &self.place).field("table", &self.table).finish_non_exhaustive()
    }
}

impl Row {
    /// A row from headers and cells, for callers that do not read a file.
    #[must_use]
    pub fn new(profile: &Profile, table: usize, place: Place, headers: &[String], cells: Cells) -> Self {
        let layout = profile.tables.get(table).map(|table| Layout::loose(table, headers)).unwrap_or_default();
        Self { place, table, cells, layout: Arc::new(layout) }
    }

    /// A row of one of the profile's tables from cells whose columns were tied before.
    #[must_use]
    pub fn laid_out(place: Place, table: usize, cells: Cells, layout: &Arc<Layout>) -> Self {
        Self { place, table, cells, layout: Arc::clone(layout) }
    }

    /// The cell of a column or title, named as [`profile::field::FieldSpec::name`] does, in the spelling of
    /// [`layout::plain_header`].
    #[must_use]
    pub fn cell(&self, plain_name: &str) -> Option<Cell<'_>> {
        let Some(at) = self.layout.position(plain_name) else { return self.layout.title(plain_name) };
        let (column, raw) = (self.layout.headers.get(at)?, self.cells.get(at)?);
        Some(Cell { column, raw, kind: self.cells.kind(at) })
    }

    /// The texts of all cells in the order of the source.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.cells.iter()
    }
}

/// Why a row yields no visit although nothing is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkipReason {
    /// No value but a row number.
    Empty,
    /// A line that sums up the rows above it, or repeats the header.
    Footer,
    /// A row of a register: it yields a record of a posyandu, a person or an opening day but no visit. Given by who
    /// counts.
    Register,
    /// A row of a sheet that holds no records, such as a recapitulation.
    Sheet,
    /// A row that the source marks as withdrawn.
    Withdrawn,
}

impl SkipReason {
    /// The word it is counted under.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Footer => "footer",
            Self::Register => "register",
            Self::Sheet => "sheet",
            Self::Withdrawn => "withdrawn",
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
    /// The file; empty when the records lie on a database server.
    pub path: PathBuf,
    /// The file's content, held open by whoever found it; it is read instead of what has the name by now.
    pub opened: Option<Arc<File>>,
    /// The database server.
    pub server: Option<Server>,
    /// This program: workbooks are read by a process of its own with limits.
    pub program: PathBuf,
}

/// A database server and how to reach it.
#[derive(Clone)]
pub struct Server {
    /// `postgres://user@host:port/database` or `mysql://…`, without a password.
    pub url: String,
    /// The password, from a file of its own.
    pub password: Option<Personal<String>>,
    /// Zone in which the server is to give times, as `+07:00`.
    pub offset: String,
}

impl fmt::Debug for Server {
    /// Without its address: somebody may have written a password into it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Server({}, {})", database::address::label(&self.url), self.offset)
    }
}

impl Location {
    /// A file, read by this program.
    #[must_use]
    pub fn file_at(source: &str, path: PathBuf, program: PathBuf) -> Self {
        Self { source: source.to_owned(), path, opened: None, server: None, program }
    }

    /// The file's name without its folders; of a server its host and database.
    #[must_use]
    pub fn file(&self) -> String {
        if let Some(server) = &self.server {
            return database::address::label(&server.url);
        }
        self.path.file_name().map_or_else(|| "?".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The place of a whole file or database.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { source: self.source.as_str().into(), file: self.file().into(), ..Place::default() }
    }
}

/// The rows of one source, read one by one. Reading blocks briefly on the local disk.
pub struct Rows(Carrier);

enum Carrier {
    Delimited(Box<delimited::Delimited>),
    Workbook(Box<workbook::Workbook>),
    Database(Box<database::Database>),
}

/// Opens a source and checks that it is what the profile expects, before any row is given out.
///
/// # Errors
/// [`SourceError`] when the file cannot be opened, or is not what the profile says.
pub async fn open(profile: &Arc<Profile>, location: &Location) -> Result<Rows, SourceError> {
    open_since(profile, location, None).await
}

/// Opens a source as [`open`] does. With `since` the tables of a database that know when a row was changed give only
/// rows changed since then, less the profile's overlap; all other rows are as in [`open`].
///
/// # Errors
/// As [`open`].
pub async fn open_since(
    profile: &Arc<Profile>,
    location: &Location,
    since: Option<Timestamp>,
) -> Result<Rows, SourceError> {
    Ok(Rows(match profile.kind {
        Kind::File => {
            let failed = |source| SourceError::Open { file: location.file(), source };
            let held = workbook::look::Held::of(location).map_err(failed)?;
            if held.container().is_some() {
                let opened = workbook::Workbook::open(profile, location, held, workbook::PATIENCE);
                Carrier::Workbook(Box::new(Box::pin(opened).await?))
            } else {
                Carrier::Delimited(Box::new(delimited::Delimited::open(profile, location, held)?))
            }
        }
        Kind::Database => Carrier::Database(Box::new(database::Database::open(profile, location, since).await?)),
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
            Carrier::Delimited(delimited) => delimited.read(),
            Carrier::Workbook(workbook) => workbook.next().await,
            Carrier::Database(database) => database.next().await,
        }
    }

    /// Whether the account that reads a database server may also change it; `None` for files and when the server
    /// does not say.
    pub async fn may_write(&mut self) -> Option<bool> {
        match &mut self.0 {
            Carrier::Delimited(_) | Carrier::Workbook(_) => None,
            Carrier::Database(database) => database.may_write().await,
        }
    }
}

/// The place of a sheet of a file: `data.xlsx [November]`.
fn sheet_place(file: &Place, name: &str) -> Place {
    let shown = if is_blank(name) { Arc::clone(&file.file) } else { format!("{} [{}]", file.file, name.trim()).into() };
    Place { file: shown, ..file.clone() }
}

fn is_blank(cell: &str) -> bool {
    match cell.as_bytes().first() {
        Some(first) if first.is_ascii_graphic() => false,
        _ => cell.chars().all(|character| character.is_whitespace() || character == '\u{a0}'),
    }
}
