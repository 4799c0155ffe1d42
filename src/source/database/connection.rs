//! A connection to one of the three engines, and the rows of a query through it.
//!
//! It must not know tables or keys' meaning, and it never writes: each engine's file opens for reading only.

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sqlx::{
    AssertSqlSafe, Column as _, Executor, MySql, MySqlConnection, PgConnection, Postgres, Row as _, SqlSafeStr as _,
    Sqlite, SqliteConnection, Statement as _, TypeInfo as _,
};

use super::Key;
use super::dialect::Column;
use crate::source::CELL_BYTES_MAX;
use crate::source::cells::{CellKind, Cells};

/// Longest value of a key column, in bytes: MySQL orders no more than the first 1024 bytes of a text.
const KEY_BYTES_MAX: usize = 1_000;

/// A connection that reads.
pub enum Connection {
    /// A file.
    Sqlite(SqliteConnection),
    /// A PostgreSQL server.
    Postgres(PgConnection),
    /// A MySQL or MariaDB server.
    MySql(MySqlConnection),
}

/// One row of a page.
pub struct Line {
    /// It stands behind the key the page was asked for, and is not the row with that key.
    pub is_behind: bool,
    /// Its key; `None` when a part is empty, too long or a kind of value that cannot be a key.
    pub key: Option<Vec<Key>>,
    /// Its cells.
    pub cells: Cells,
}

/// How values of an engine are read.
pub trait Values: sqlx::Database {
    /// A value as people read it, and what is known about it.
    fn cell(row: &Self::Row, at: usize) -> (String, CellKind);
    /// A value to go on behind; `None` when it cannot be one.
    fn key(row: &Self::Row, at: usize) -> Option<Key>;
}

impl Connection {
    /// The columns of a query, without running it. A text with more than one statement is refused by the servers.
    pub async fn columns(&mut self, query: &str) -> Result<Vec<Column>, sqlx::Error> {
        let query = AssertSqlSafe(query.to_owned()).into_sql_str();
        Ok(match self {
            Self::Sqlite(connection) => columns::<Sqlite>(connection.prepare(query).await?.columns()),
            Self::Postgres(connection) => columns::<Postgres>(connection.prepare(query).await?.columns()),
            Self::MySql(connection) => columns::<MySql>(connection.prepare(query).await?.columns()),
        })
    }

    /// The rows of a page; `keys` are bound where the engine binds, `positions` are the key columns.
    pub async fn lines(&mut self, page: &str, keys: &[Key], positions: &[usize]) -> Result<Vec<Line>, sqlx::Error> {
        let page = AssertSqlSafe(page.to_owned());
        // The servers give exact text for every type only when nothing is bound.
        match self {
            Self::Sqlite(connection) => {
                let query = keys.iter().fold(sqlx::query(page), |query, key| match key {
                    Key::Integer(value) => query.bind(*value),
                    Key::Real(value) => query.bind(*value),
                    Key::Number(text) | Key::Text(text) => query.bind(text.clone()),
                    Key::Bytes(bytes) => query.bind(bytes.clone()),
                });
                gather::<Sqlite>(query.persistent(false).fetch(connection), positions).await
            }
            Self::Postgres(connection) => gather::<Postgres>(sqlx::raw_sql(page).fetch(connection), positions).await,
            Self::MySql(connection) => gather::<MySql>(sqlx::raw_sql(page).fetch(connection), positions).await,
        }
    }
}

fn columns<DB: sqlx::Database>(columns: &[DB::Column]) -> Vec<Column> {
    columns
        .iter()
        .map(|column| Column { name: column.name().to_owned(), type_name: column.type_info().name().to_owned() })
        .collect()
}

/// Row by row, so that one long value is in memory at a time and not a page of them.
async fn gather<DB: Values>(
    mut rows: BoxStream<'_, Result<DB::Row, sqlx::Error>>,
    positions: &[usize],
) -> Result<Vec<Line>, sqlx::Error> {
    let mut lines = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let last = row.len().saturating_sub(1);
        let mut cells = Cells::default();
        for at in 0..last {
            let key = positions.contains(&at).then(|| DB::key(&row, at)).flatten();
            let (mut text, kind) = match key {
                // A key of bytes reads as in the row's place: as text it would break its row.
                Some(key @ Key::Bytes(_)) => (key.text(), CellKind::Text),
                _ => DB::cell(&row, at),
            };
            // One character beyond the limit is enough to be refused for it.
            text.truncate(text.ceil_char_boundary(CELL_BYTES_MAX + 1));
            cells.push_as(&text, kind);
        }
        let key: Option<Vec<Key>> = positions.iter().map(|at| DB::key(&row, *at)).collect();
        let key = key.filter(|key| key.iter().all(|part| part.bytes() <= KEY_BYTES_MAX));
        lines.push(Line { is_behind: DB::cell(&row, last).0 == "1", key, cells });
    }
    Ok(lines)
}
