//! Rows of queries on a SQLite database that belongs to somebody else's application.
//!
//! It must not change the database, create a file beside it, or keep its application waiting: it opens read-only
//! and reads page by page in the order of the key, holding no lock between two pages.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Row as _, TypeInfo, ValueRef};

use super::cells::Cells;
use super::layout::{Layout, plain_header};
use super::problem::SourceError;
use super::profile::{Profile, Table};
use super::{COLUMNS_MAX, Judgement, Location, ROWS_MAX, Reading, Row, judge};
use crate::issue::Place;

/// Rows fetched at a time.
const PAGE_ROWS: usize = 500;
/// Where the header of a database file says how it journals, in bytes from its start (SQLite file format, 1.3).
const JOURNAL_BYTE: usize = 18;
/// The value there that means a write-ahead log.
const WRITE_AHEAD: u8 = 2;

/// A database being read.
pub struct Database {
    connection: SqliteConnection,
    profile: Arc<Profile>,
    place: Place,
    table: usize,
    layout: Option<Arc<Layout>>,
    after: Option<Vec<Key>>,
    page: VecDeque<Reading>,
    last_page: bool,
    rows: u64,
    still: Option<Still>,
}

/// A value of a key column, to go on behind it.
#[derive(Clone, Debug, PartialEq)]
enum Key {
    Integer(i64),
    Real(f64),
    Text(String),
}

/// What must not change while a file is read without locks.
struct Still {
    path: PathBuf,
    stamp: Option<(u64, Option<SystemTime>)>,
}

impl Still {
    fn stamp(path: &Path) -> Option<(u64, Option<SystemTime>)> {
        std::fs::metadata(path).ok().map(|seen| (seen.len(), seen.modified().ok()))
    }

    fn changed(&self) -> bool {
        Self::stamp(&self.path) != self.stamp || size_of(&beside(&self.path, "-wal")) > 0
    }
}

impl Database {
    /// Opens the database for reading only.
    ///
    /// A database in write-ahead mode would get two files beside it. While its application runs they exist already
    /// and are used; when it does not run and left nothing behind, the file is read as immutable and checked
    /// afterwards. A log without its index is refused: reading it means writing.
    ///
    /// # Errors
    /// [`SourceError`] when the file is no SQLite database or cannot be opened without changing something.
    pub async fn open(profile: &Arc<Profile>, location: &Location) -> Result<Self, SourceError> {
        let (file, path) = (location.file(), &location.path);
        let header = head(path).map_err(|source| SourceError::Open { file: file.clone(), source })?;
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(SourceError::Kind { file, seen: "another kind of file".to_owned(), expected: "SQLite" });
        }
        let mut still = None;
        if header.get(JOURNAL_BYTE) == Some(&WRITE_AHEAD) {
            if size_of(&beside(path, "-wal")) == 0 {
                still = Some(Still { path: path.clone(), stamp: Still::stamp(path) });
            } else if !beside(path, "-shm").exists() {
                return Err(SourceError::Unfinished { file });
            }
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .immutable(still.is_some())
            .disable_statement_logging();
        let connection =
            options.connect().await.map_err(|source| SourceError::Database { file: file.clone(), source })?;
        Ok(Self {
            connection,
            profile: Arc::clone(profile),
            place: location.place(),
            table: 0,
            layout: None,
            after: None,
            page: VecDeque::new(),
            last_page: false,
            rows: 0,
            still,
        })
    }

    /// The next row.
    ///
    /// # Errors
    /// [`SourceError`] when a query fails, its columns do not fit the profile, or the file changed meanwhile.
    pub async fn next(&mut self) -> Result<Option<Reading>, SourceError> {
        loop {
            if let Some(reading) = self.page.pop_front() {
                self.rows += 1;
                if self.rows > ROWS_MAX {
                    return Err(SourceError::Limit { file: self.place.file.clone(), what: "rows", limit: ROWS_MAX });
                }
                return Ok(Some(reading));
            }
            if self.last_page {
                self.table += 1;
                (self.layout, self.after, self.last_page) = (None, None, false);
            }
            if self.table >= self.profile.tables.len() {
                return match &self.still {
                    Some(still) if still.changed() => Err(SourceError::Changed { file: self.place.file.clone() }),
                    _ => Ok(None),
                };
            }
            self.fetch().await?;
        }
    }

    async fn fetch(&mut self) -> Result<(), SourceError> {
        let profile = Arc::clone(&self.profile);
        let Some(table) = profile.tables.get(self.table) else { return Ok(()) };
        let mut query = sqlx::query(AssertSqlSafe(page_query(table, self.after.is_some())));
        for key in self.after.iter().flatten() {
            query = match key {
                Key::Integer(value) => query.bind(*value),
                Key::Real(value) => query.bind(*value),
                Key::Text(value) => query.bind(value.clone()),
            };
        }
        let rows = query.persistent(false).fetch_all(&mut self.connection).await;
        let rows = rows.map_err(|source| self.failed(table, source))?;
        self.last_page = rows.len() < PAGE_ROWS;
        for row in rows {
            let layout = self.layout_of(table, &row)?;
            let key = key_of(table, &row);
            if key.is_none() || key == self.after {
                return Err(SourceError::Key { file: self.place.file.clone(), table: table.name.clone() });
            }
            self.after = key;
            self.page.push_back(self.reading(table, &layout, &row));
        }
        Ok(())
    }

    fn layout_of(&mut self, table: &Table, row: &SqliteRow) -> Result<Arc<Layout>, SourceError> {
        if let Some(layout) = &self.layout {
            return Ok(Arc::clone(layout));
        }
        let headers: Vec<String> = row.columns().iter().map(|column| column.name().to_owned()).collect();
        if headers.len() > COLUMNS_MAX {
            let limit = COLUMNS_MAX as u64;
            return Err(SourceError::Limit { file: self.place.file.clone(), what: "columns", limit });
        }
        let layout = Layout::strict(table, &headers).map_err(|deviation| SourceError::Columns {
            file: table.name.clone(),
            line: 0,
            deviation,
        })?;
        let layout = Arc::new(layout);
        self.layout = Some(Arc::clone(&layout));
        Ok(layout)
    }

    fn reading(&self, table: &Table, layout: &Arc<Layout>, row: &SqliteRow) -> Reading {
        let mut cells = Cells::default();
        (0..row.columns().len()).for_each(|at| cells.push(&text_of(row, at)));
        let name = self.after.iter().flatten().map(Key::text).collect::<Vec<_>>().join("/");
        let place = Place { file: table.name.clone(), row: name, ..self.place.clone() };
        match judge(layout, table, &place, &cells) {
            Judgement::Skip(reason) => Reading::Skipped { place, reason },
            Judgement::Broken(issue) => Reading::Broken(issue),
            Judgement::Row => Reading::Row(Row { place, table: self.table, cells, layout: Arc::clone(layout) }),
        }
    }

    fn failed(&self, table: &Table, source: sqlx::Error) -> SourceError {
        let file = self.place.file.clone();
        match source.as_database_error().map(|error| error.message().to_owned()) {
            Some(reason) if reason.starts_with("no such") || reason.contains("syntax error") => {
                SourceError::Query { file, table: table.name.clone(), reason }
            }
            _ => SourceError::Database { file, source },
        }
    }
}

impl Key {
    fn text(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Text(value) => value.clone(),
        }
    }
}

/// The profile's query, in the order of its key, behind the last key when there is one.
fn page_query(table: &Table, goes_on: bool) -> String {
    let query = table.query.as_deref().unwrap_or_default().trim().trim_end_matches(';');
    let columns: Vec<String> = table.key.iter().map(|key| format!("\"{}\"", key.replace('"', "\"\""))).collect();
    let order = columns.join(", ");
    let behind = if goes_on {
        let places: Vec<String> = (1..=columns.len()).map(|number| format!("?{number}")).collect();
        format!(" WHERE ({order}) > ({})", places.join(", "))
    } else {
        String::new()
    };
    format!("SELECT * FROM ({query}){behind} ORDER BY {order} LIMIT {PAGE_ROWS}")
}

fn key_of(table: &Table, row: &SqliteRow) -> Option<Vec<Key>> {
    let position = |key: &str| row.columns().iter().position(|column| plain_header(column.name()) == plain_header(key));
    table
        .key
        .iter()
        .map(|key| {
            let at = position(key)?;
            let value = row.try_get_raw(at).ok()?;
            match value.type_info().name() {
                "INTEGER" => row.try_get_unchecked::<i64, _>(at).ok().map(Key::Integer),
                "REAL" => row.try_get_unchecked::<f64, _>(at).ok().map(Key::Real),
                "TEXT" => row.try_get_unchecked::<String, _>(at).ok().map(Key::Text),
                _ => None,
            }
        })
        .collect()
}

/// A value as text. Bytes that are no UTF-8 become U+FFFD, which breaks the row, not the reading.
fn text_of(row: &SqliteRow, at: usize) -> String {
    let Ok(value) = row.try_get_raw(at) else { return String::new() };
    let text = match value.type_info().name() {
        "NULL" => None,
        "INTEGER" => row.try_get_unchecked::<i64, _>(at).ok().map(|value| value.to_string()),
        "REAL" => row.try_get_unchecked::<f64, _>(at).ok().map(|value| value.to_string()),
        _ => row.try_get_unchecked::<Vec<u8>, _>(at).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    };
    text.unwrap_or_default()
}

fn head(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(JOURNAL_BYTE + 2);
    File::open(path)?.take(JOURNAL_BYTE as u64 + 2).read_to_end(&mut head)?;
    Ok(head)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |seen| seen.len())
}
