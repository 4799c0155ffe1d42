//! What can be wrong with a whole source or with a row that cannot be read.
//!
//! English for the log; the sentence for the field comes from the words catalogue through an issue. Neither may
//! carry a cell's text.

use crate::issue::{Code, Issue, Place};

use super::Location;
use super::database::address::AddressError;
use super::grid::HEADER_ROWS_MAX;
use super::layout::Deviation;

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("cannot open `{file}`")]
    Open {
        /// File name.
        file: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// Reading the file failed half-way.
    #[error("cannot read on in `{file}`")]
    Read {
        /// File name.
        file: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The file is of another kind than the profile expects.
    #[error("`{file}` is {seen}, not {expected}")]
    Kind {
        /// File name.
        file: String,
        /// What the file is.
        seen: String,
        /// What the profile expects.
        expected: &'static str,
    },
    /// The file is in another character encoding.
    #[error("`{file}` is encoded as {seen}, but its profile says {declared}")]
    Encoding {
        /// File name.
        file: String,
        /// Encoding found.
        seen: String,
        /// Encoding of the profile.
        declared: String,
    },
    /// The columns are separated by another character.
    #[error("`{file}` separates its columns with `{seen}`, but its profile says `{declared}`")]
    Delimiter {
        /// File name.
        file: String,
        /// Delimiter found.
        seen: String,
        /// Delimiter of the profile.
        declared: String,
    },
    /// No line looks like the header.
    #[error("no header within the first {lines} lines of `{file}`; missing columns: {}", missing.join(", "))]
    Header {
        /// File name.
        file: String,
        /// Lines that were looked at.
        lines: usize,
        /// Columns that were not seen.
        missing: Vec<String>,
    },
    /// The header deviates from the profile.
    #[error("header of `{file}` at line {line} does not fit its profile: {deviation:?}")]
    Columns {
        /// File, table or query name.
        file: String,
        /// Line of the header; 0 for a query.
        line: u64,
        /// How it deviates.
        deviation: Deviation,
    },
    /// A value that stands once above the header is missing, or stands there with two values.
    #[error("`{file}` has no clear title `{title}` above its header")]
    Title {
        /// File name.
        file: String,
        /// The profile's name of the title.
        title: String,
        /// Whether there are two values.
        twice: bool,
    },
    /// A ceiling was reached.
    #[error("`{file}` has more {what} than {limit}")]
    Limit {
        /// File name.
        file: String,
        /// What there is too much of: `rows`, `columns` or `bytes`.
        what: &'static str,
        /// The ceiling.
        limit: u64,
    },
    /// The file changed while it was read.
    #[error("`{file}` changed while it was being read")]
    Changed {
        /// File name.
        file: String,
    },
    /// The file takes more memory or time than a workbook may.
    #[error("`{file}` takes too much memory or time when it is opened")]
    Heavy {
        /// File name.
        file: String,
    },
    /// The file is cut off, or its parts do not fit together.
    #[error("`{file}` is damaged or incomplete")]
    Damaged {
        /// File name.
        file: String,
    },
    /// The file needs a password.
    #[error("`{file}` is protected with a password")]
    Password {
        /// File name.
        file: String,
    },
    /// The process that reads workbooks did not do its work.
    #[error("the process that reads `{file}` failed: {reason}")]
    Reader {
        /// File name.
        file: String,
        /// What it did.
        reason: String,
    },
    /// A database with changes that cannot be read without writing beside it.
    #[error("`{file}` has a write-ahead log without its index; it cannot be read without changing it")]
    Unfinished {
        /// File name.
        file: String,
    },
    /// A query fails: a table or column is missing.
    #[error("query of table `{table}` fails in `{file}`: {reason}")]
    Query {
        /// File name.
        file: String,
        /// Table of the profile.
        table: String,
        /// What the database says.
        reason: String,
    },
    /// The key columns do not identify the rows.
    #[error("key of table `{table}` in `{file}` is empty or not unique")]
    Key {
        /// File name.
        file: String,
        /// Table of the profile.
        table: String,
    },
    /// The address of a database server cannot be used.
    #[error("the address of the database `{file}` cannot be used")]
    Address {
        /// Host and database.
        file: String,
        /// Why.
        #[source]
        source: AddressError,
    },
    /// A database server cannot be reached.
    #[error("the database server of `{file}` cannot be reached")]
    Unreachable {
        /// Host and database.
        file: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// A database server does not let the account in.
    #[error("the database `{file}` does not let this account in: {reason}")]
    Login {
        /// Host and database.
        file: String,
        /// What the server says.
        reason: String,
    },
    /// A database server takes too long.
    #[error("table `{table}` of `{file}` gave no page within {seconds} s, or was locked")]
    Timeout {
        /// Host and database.
        file: String,
        /// Table of the profile.
        table: String,
        /// The limit.
        seconds: u64,
    },
    /// The connection to a database server broke and could not be made again.
    #[error("the connection to `{file}` broke and could not be made again")]
    Lost {
        /// Host and database.
        file: String,
        /// Cause.
        #[source]
        source: std::io::Error,
    },
    /// The database cannot be opened or read.
    #[error("database `{file}` cannot be read")]
    Database {
        /// File name.
        file: String,
        /// Cause.
        #[source]
        source: sqlx::Error,
    },
}

impl SourceError {
    /// The same problem for the people of the field, tied to the file.
    #[must_use]
    pub fn issue(&self, location: &Location) -> Issue {
        let (code, rule) = self.rule();
        let mut place = location.place();
        // A problem of one sheet names it.
        if let Self::Columns { file, .. } | Self::Title { file, .. } = self
            && file.starts_with(&*place.file)
        {
            place.file = file.as_str().into();
        }
        let issue = Issue::error(code, rule).with("berkas", &place.file);
        let issue = match self {
            Self::Kind { seen, expected, .. } => issue.with("jenis", seen).with("harus", expected),
            Self::Encoding { seen, declared, .. } | Self::Delimiter { seen, declared, .. } => {
                issue.with("ada", seen).with("harus", declared)
            }
            Self::Header { missing, lines, .. } => issue.with("kolom", missing.join(", ")).with("baris", lines),
            Self::Columns { deviation, line, .. } => {
                place.row = line.to_string();
                deviating(issue, deviation)
            }
            Self::Title { title, .. } => issue.with("judul", title),
            Self::Limit { what: "bytes", limit, .. } => issue.with("batas", limit / (1024 * 1024)),
            Self::Limit { limit, .. } => issue.with("batas", limit),
            Self::Query { table, reason, .. } => issue.with("tabel", table).with("sebab", reason),
            Self::Key { table, .. } => issue.with("tabel", table),
            Self::Timeout { table, seconds, .. } => issue.with("tabel", table).with("batas", seconds),
            _ => issue,
        };
        issue.at(place)
    }

    fn rule(&self) -> (Code, &'static str) {
        match self {
            Self::Open { .. } | Self::Read { .. } | Self::Database { .. } => (Code::Exception, "file.unreadable"),
            Self::Kind { .. } => (Code::Structure, "file.kind"),
            Self::Encoding { .. } => (Code::Structure, "file.encoding"),
            Self::Delimiter { .. } => (Code::Structure, "file.delimiter"),
            Self::Header { .. } => (Code::Structure, "file.header_missing"),
            Self::Columns { deviation: Deviation::Missing { nearest: Some(_), .. }, .. } => {
                (Code::Structure, "file.columns_missing_near")
            }
            Self::Columns { deviation: Deviation::Missing { .. }, .. } => (Code::Structure, "file.columns_missing"),
            Self::Columns { deviation: Deviation::Unknown { nearest: Some(_), .. }, .. } => {
                (Code::Structure, "file.column_unknown_near")
            }
            Self::Columns { deviation: Deviation::Unknown { .. }, .. } => (Code::Structure, "file.column_unknown"),
            Self::Columns { deviation: Deviation::Twice { .. }, .. } => (Code::Duplicate, "file.column_twice"),
            Self::Title { twice: true, .. } => (Code::MultipleMatches, "file.title_twice"),
            Self::Title { .. } => (Code::Required, "file.title_missing"),
            Self::Limit { what: "bytes", .. } => (Code::Structure, "file.bytes_max"),
            Self::Limit { what: "columns", .. } => (Code::Structure, "file.columns_max"),
            Self::Limit { .. } => (Code::Structure, "file.rows_max"),
            Self::Changed { .. } => (Code::Transient, "file.changed"),
            Self::Heavy { .. } => (Code::Structure, "file.too_heavy"),
            Self::Damaged { .. } => (Code::Structure, "file.damaged"),
            Self::Password { .. } => (Code::Structure, "file.password"),
            Self::Reader { .. } => (Code::Exception, "file.reader"),
            Self::Unfinished { .. } => (Code::Transient, "file.unfinished"),
            Self::Query { .. } => (Code::Structure, "file.query"),
            Self::Key { .. } => (Code::Structure, "file.key"),
            Self::Address { .. } => (Code::Structure, "database.address"),
            Self::Unreachable { .. } => (Code::Transient, "database.unreachable"),
            Self::Login { .. } => (Code::Exception, "database.login"),
            Self::Timeout { .. } => (Code::Transient, "database.timeout"),
            Self::Lost { .. } => (Code::Transient, "database.lost"),
        }
    }
}

fn deviating(issue: Issue, deviation: &Deviation) -> Issue {
    let (column, nearest) = match deviation {
        Deviation::Missing { columns, nearest } => (columns.join(", "), nearest.as_ref()),
        Deviation::Unknown { column, nearest } => (column.clone(), nearest.as_ref()),
        Deviation::Twice { column } => (column.clone(), None),
    };
    let issue = issue.with("kolom", column);
    match nearest {
        Some(nearest) => issue.with("mirip", nearest),
        None => issue,
    }
}

/// A row with another number of cells than the header.
pub(super) fn wrong_cells(place: Place, seen: usize, expected: usize) -> Issue {
    Issue::error(Code::Structure, "row.cells").with("ada", seen).with("harus", expected).at(place)
}

/// A sheet with rows but without a header that the profile knows.
pub(super) fn no_header_on_sheet(place: Place, sheet: &str) -> Issue {
    Issue::error(Code::Structure, "sheet.header_missing").with("sheet", sheet).with("baris", HEADER_ROWS_MAX).at(place)
}

/// A row whose quotation mark is never closed.
pub(super) fn open_quote(place: Place) -> Issue {
    Issue::error(Code::Structure, "row.quote").at(place)
}

/// A row or cell beyond its ceiling, in bytes.
pub(super) fn long_row(place: Place, limit: usize) -> Issue {
    Issue::error(Code::Structure, "row.long").with("batas", limit).at(place)
}

/// A cell with a byte that its encoding does not know, at a character position from 1.
pub(super) fn undecodable_cell(place: Place, position: usize) -> Issue {
    Issue::error(Code::Structure, "encoding.byte").with("huruf", position).at(place)
}
