//! SQLite files that belong to somebody else's application: how they are opened and how their values read.
//!
//! It must not change the file, create one beside it, or keep its application waiting.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Row as _, Sqlite, TypeInfo as _, ValueRef as _};

use super::Key;
use super::connection::{Connection, Values};
use crate::source::Location;
use crate::source::cells::CellKind;
use crate::source::problem::SourceError;

/// Where the header of a database file says how it journals, in bytes from its start (SQLite file format, 1.3).
const JOURNAL_BYTE: usize = 18;
/// The value there that means a write-ahead log.
const WRITE_AHEAD: u8 = 2;

/// What must not change while a file is read without locks.
pub struct Still {
    path: PathBuf,
    stamp: Option<(u64, Option<SystemTime>)>,
}

impl Still {
    fn stamp(path: &Path) -> Option<(u64, Option<SystemTime>)> {
        std::fs::metadata(path).ok().map(|seen| (seen.len(), seen.modified().ok()))
    }

    /// Whether the file is another one than when it was opened.
    pub fn changed(&self) -> bool {
        Self::stamp(&self.path) != self.stamp || size_of(&beside(&self.path, "-wal")) > 0
    }
}

/// Opens a file for reading only.
///
/// A database in write-ahead mode would get two files beside it. While its application runs they exist already
/// and are used; when it does not run and left nothing behind, the file is read as immutable and checked
/// afterwards. A log without its index is refused: reading it means writing.
pub async fn open(location: &Location) -> Result<(Connection, Option<Still>), SourceError> {
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
    let connection = options.connect().await.map_err(|source| SourceError::Database { file, source })?;
    Ok((Connection::Sqlite(connection), still))
}

impl Values for Sqlite {
    /// Bytes that are no UTF-8 become U+FFFD, which breaks the row, not the reading.
    fn cell(row: &SqliteRow, at: usize) -> (String, CellKind) {
        let text = match kind(row, at).as_str() {
            "NULL" => None,
            "INTEGER" => row.try_get_unchecked::<i64, _>(at).ok().map(|value| value.to_string()),
            "REAL" => row.try_get_unchecked::<f64, _>(at).ok().map(|value| value.to_string()),
            _ => {
                let bytes = row.try_get_unchecked::<Vec<u8>, _>(at).ok();
                bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        (text.unwrap_or_default(), CellKind::Text)
    }

    fn key(row: &SqliteRow, at: usize) -> Option<Key> {
        match kind(row, at).as_str() {
            "INTEGER" => row.try_get_unchecked::<i64, _>(at).ok().map(Key::Integer),
            "REAL" => row.try_get_unchecked::<f64, _>(at).ok().map(Key::Real),
            "TEXT" => row.try_get_unchecked::<String, _>(at).ok().map(Key::Text),
            _ => None,
        }
    }
}

/// The type of the value itself: a column of SQLite may hold several. For an empty value the driver names the type of
/// the column, and would give 0 for it.
fn kind(row: &SqliteRow, at: usize) -> String {
    let value = row.try_get_raw(at).ok().filter(|value| !value.is_null());
    value.map_or_else(|| "NULL".to_owned(), |value| value.type_info().name().to_owned())
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
