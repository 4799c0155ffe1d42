//! Rows of queries on a database that belongs to somebody else's application: SQLite, PostgreSQL, MySQL, MariaDB.
//!
//! It must not change the database or keep its application waiting: it opens read-only and reads page by page in the
//! order of the key, holding no lock and no transaction between two pages. One mechanism; the engines' differences
//! stand in `dialect` (SQL) and in a file for each engine (opening, values).

pub mod address;
pub mod catalogue;
mod connection;
mod dialect;
mod link;
mod mysql;
mod postgres;
mod sqlite;
mod trouble;

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;

use self::connection::Line;
use self::dialect::{Column, PAGE_ROWS, Pages};
use self::link::Link;
use super::cells::CellKind;
use super::layout::{Deviation, Layout, plain_header};
use super::problem::SourceError;
use super::profile::{Profile, Table};
use super::{COLUMNS_MAX, Judgement, Location, ROWS_MAX, Reading, Row, judge};
use crate::issue::Place;

/// Longest time a server may spend on one page, in seconds; the server itself stops then.
const STATEMENT_SECONDS: u64 = 60;
/// Longest wait for a lock of the application, in seconds.
const LOCK_WAIT_SECONDS: u64 = 5;

/// A kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A SQLite file.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
    /// A MySQL or MariaDB server.
    MySql,
}

/// A value of a key column, to go on behind it.
#[derive(Clone, Debug, PartialEq)]
enum Key {
    Integer(i64),
    Real(f64),
    /// Digits of a number of any size.
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
}

impl Key {
    fn text(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Real(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => data_encoding::HEXLOWER.encode(bytes),
        }
    }

    /// Its length in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Integer(_) | Self::Real(_) => size_of::<i64>(),
            Self::Number(text) | Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
        }
    }
}

/// What is known about a table before its first row.
struct Shape {
    layout: Arc<Layout>,
    positions: Vec<usize>,
    pages: Pages,
}

/// A database being read.
pub struct Database {
    link: Link,
    profile: Arc<Profile>,
    place: Place,
    shapes: Vec<Shape>,
    table: usize,
    after: Option<Vec<Key>>,
    page: VecDeque<Reading>,
    last_page: bool,
    rows: u64,
}

impl Database {
    /// Opens the database for reading only and checks the columns of every query. With `since` a table that knows
    /// when its rows were changed gives only those changed since then, or a little before.
    ///
    /// # Errors
    /// [`SourceError`] when the file or server cannot be opened without changing something, or when the columns of
    /// a query do not fit the profile.
    pub async fn open(
        profile: &Arc<Profile>,
        location: &Location,
        since: Option<Timestamp>,
    ) -> Result<Self, SourceError> {
        let mut link = Link::open(location).await?;
        let mut shapes = Vec::with_capacity(profile.tables.len());
        for table in &profile.tables {
            let columns = link.columns(&table.name, &dialect::described(table)).await?;
            shapes.push(shape(link.engine(), table, &columns, since, location)?);
        }
        Ok(Self {
            link,
            profile: Arc::clone(profile),
            place: location.place(),
            shapes,
            table: 0,
            after: None,
            page: VecDeque::new(),
            last_page: false,
            rows: 0,
        })
    }

    /// The next row.
    ///
    /// # Errors
    /// [`SourceError`] when a query fails, the connection is lost for good, or a file changed meanwhile.
    pub async fn next(&mut self) -> Result<Option<Reading>, SourceError> {
        loop {
            if let Some(reading) = self.page.pop_front() {
                self.rows += 1;
                if self.rows > ROWS_MAX {
                    return Err(SourceError::Limit {
                        file: self.place.file.to_string(),
                        what: "rows",
                        limit: ROWS_MAX,
                    });
                }
                return Ok(Some(reading));
            }
            if self.last_page {
                self.table += 1;
                (self.after, self.last_page) = (None, false);
            }
            if self.table >= self.profile.tables.len() {
                return match self.link.changed() {
                    true => Err(SourceError::Changed { file: self.place.file.to_string() }),
                    false => Ok(None),
                };
            }
            self.fetch().await?;
        }
    }

    /// Whether the account may also change the database; `None` when that is not known or does not matter.
    pub async fn may_write(&mut self) -> Option<bool> {
        let question = match self.link.engine() {
            Engine::Sqlite => return None,
            Engine::Postgres => postgres::WRITABLE,
            Engine::MySql => mysql::WRITABLE,
        };
        self.link.number(question).await.map(|tables| tables > 0)
    }

    async fn fetch(&mut self) -> Result<(), SourceError> {
        let profile = Arc::clone(&self.profile);
        let (Some(table), Some(shape)) = (profile.tables.get(self.table), self.shapes.get(self.table)) else {
            return Ok(());
        };
        if let (None, Some(query)) = (&self.after, shape.pages.empty_key())
            && !self.link.lines(&table.name, &query, &[], &[]).await?.is_empty()
        {
            return Err(self.no_key(table));
        }
        let query = shape.pages.page(self.after.as_deref());
        let keys = self.after.as_deref().unwrap_or_default();
        let lines = self.link.lines(&table.name, &query, keys, &shape.positions).await?;
        // Only the row that the page before ended with may come again; another one with its key would be lost.
        if lines.iter().filter(|line| !line.is_behind).count() > 1 {
            return Err(self.no_key(table));
        }
        self.last_page = lines.len() <= PAGE_ROWS;
        let layout = Arc::clone(&shape.layout);
        for line in lines.into_iter().filter(|line| line.is_behind) {
            if line.key.is_none() || line.key == self.after {
                return Err(self.no_key(table));
            }
            self.after.clone_from(&line.key);
            self.page.push_back(self.reading(table, &layout, line));
        }
        Ok(())
    }

    fn reading(&self, table: &Table, layout: &Arc<Layout>, line: Line) -> Reading {
        let cells = line.cells;
        let name = line.key.iter().flatten().map(Key::text).collect::<Vec<_>>().join("/");
        let place = Place { file: table.name.as_str().into(), row: name, ..self.place.clone() };
        match judge(layout, table, &place, &cells) {
            Judgement::Skip(reason) => Reading::Skipped { place, reason },
            Judgement::Broken(issue) => Reading::Broken(issue),
            Judgement::Row => Reading::Row(Row { place, table: self.table, cells, layout: Arc::clone(layout) }),
        }
    }

    fn no_key(&self, table: &Table) -> SourceError {
        SourceError::Key { file: self.place.file.to_string(), table: table.name.clone() }
    }
}

fn shape(
    engine: Engine,
    table: &Table,
    columns: &[Column],
    since: Option<Timestamp>,
    location: &Location,
) -> Result<Shape, SourceError> {
    if columns.len() > COLUMNS_MAX {
        return Err(SourceError::Limit { file: location.file(), what: "columns", limit: COLUMNS_MAX as u64 });
    }
    let deviating = |deviation| SourceError::Columns { file: table.name.clone(), line: 0, deviation };
    let position = |name: &String| {
        let at = columns.iter().position(|column| plain_header(&column.name) == plain_header(name));
        at.ok_or_else(|| deviating(Deviation::Missing { columns: vec![name.clone()], nearest: None }))
    };
    let positions = table.key.iter().map(position).collect::<Result<Vec<_>, _>>()?;
    let changed_at = table.changed_at.as_ref().map(position).transpose()?;
    let headers: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let layout = Layout::strict(table, &headers).map_err(deviating)?;
    let keys: Vec<&Column> = positions.iter().filter_map(|at| columns.get(*at)).collect();
    let window = changed_at.and_then(|at| columns.get(at)).zip(since);
    Ok(Shape { layout: Arc::new(layout), positions, pages: Pages::new(engine, table, &keys, window) })
}

/// A date or a date and time of a server, without parts of a second and zone: the connection is set to the zone of the
/// posyandu. What is none, such as `infinity` or a year before Christ, stays text.
fn date_cell(text: String) -> (String, CellKind) {
    let bytes = text.as_bytes();
    let fits = |length: usize, shape: &str| {
        bytes.len() >= length
            && bytes.iter().zip(shape.bytes()).all(|(byte, shape)| match shape {
                b'9' => byte.is_ascii_digit(),
                other => *byte == other,
            })
    };
    let length = if fits(19, "9999-99-99 99:99:99") { 19 } else { 10 };
    let rest = text.get(length..).unwrap_or_default();
    if !fits(10, "9999-99-99") || rest.contains(|found: char| !(found.is_ascii_digit() || ".+-:".contains(found))) {
        return (text, CellKind::Text);
    }
    (text.get(..length).unwrap_or_default().to_owned(), CellKind::Date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_a_server_are_written_in_one_way() {
        for (text, read, kind) in [
            ("2026-11-18", "2026-11-18", CellKind::Date),
            ("2026-11-18 08:30:00", "2026-11-18 08:30:00", CellKind::Date),
            ("2026-11-18 08:30:00.123456+07", "2026-11-18 08:30:00", CellKind::Date),
            ("infinity", "infinity", CellKind::Text),
            ("0044-03-15 BC", "0044-03-15 BC", CellKind::Text),
            ("12026-11-18", "12026-11-18", CellKind::Text),
        ] {
            assert_eq!(date_cell(text.to_owned()), (read.to_owned(), kind));
        }
    }
}
