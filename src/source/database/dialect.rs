//! The SQL of a page: what differs between the engines in quoting, values and types, and nothing else.
//!
//! Pure text; it must not connect. No value enters a text unless it cannot end the literal it stands in: numbers are
//! digits only, everything else is hexadecimal or has its quotation marks doubled.

use std::fmt::Write as _;

use jiff::{Timestamp, ToSpan as _, tz};

use super::{Engine, Key};
use crate::source::profile::Table;

/// Rows fetched at a time.
pub const PAGE_ROWS: usize = 500;
/// Column added to each page: 0 for the row that the page before ended with, 1 for those behind it.
const BEHIND: &str = "posyandu_gateway_behind";

/// A column of a query as the database describes it.
#[derive(Clone, Debug)]
pub struct Column {
    /// Name as the database gives it.
    pub name: String,
    /// Type as the driver names it.
    pub type_name: String,
}

/// What a page of a table needs besides its position.
#[derive(Debug)]
pub struct Pages {
    engine: Engine,
    query: String,
    keys: Vec<String>,
    /// Only rows that changed lately.
    window: Option<String>,
}

impl Pages {
    /// The pages of a table. `keys` are its key columns; `changed_at` is the column of the last change and the time
    /// from which changes are wanted.
    pub fn new(engine: Engine, table: &Table, keys: &[&Column], changed_at: Option<(&Column, Timestamp)>) -> Self {
        let window = changed_at.map(|(column, since)| {
            let overlap = since.checked_sub(i64::from(table.overlap_hours).hours()).unwrap_or(Timestamp::MIN);
            engine.window(&quoted(&column.name), overlap)
        });
        let keys = keys.iter().map(|key| engine.ordered(key)).collect();
        Self { engine, query: whole(table), keys, window }
    }

    /// The page behind a key, from its own row on: whether a row is the one with that key is then told by the
    /// database's own comparison, so that two keys which its collation takes for one are noticed.
    pub fn page(&self, after: Option<&[Key]>) -> String {
        let (mut behind, mut conditions) = ("1".to_owned(), Vec::new());
        if let Some(after) = after {
            let places: Vec<String> =
                after.iter().enumerate().map(|(at, key)| self.engine.value(at + 1, key)).collect();
            behind = format!("CASE WHEN {} THEN 1 ELSE 0 END", compare(&self.keys, &places, ">"));
            // The first column alone once more: an index can be used for it.
            if let (Some(key), Some(place)) = (self.keys.first(), places.first()) {
                conditions.push(format!("{key} >= {place}"));
            }
            if self.keys.len() > 1 {
                conditions.push(compare(&self.keys, &places, ">="));
            }
        }
        conditions.extend(self.window.clone());
        let mut text = format!("SELECT page.*, {behind} AS {BEHIND} FROM ({}\n) AS page", self.query);
        for (number, condition) in conditions.iter().enumerate() {
            let word = if number == 0 { "WHERE" } else { "AND" };
            let _ = write!(text, " {word} ({condition})");
        }
        // One more than a page: the row of the page before comes again.
        let _ = write!(text, " ORDER BY {} LIMIT {}", self.keys.join(", "), PAGE_ROWS + 1);
        text
    }

    /// A query with a row when a key column is empty somewhere, where the order of the engine would hide that row.
    pub fn empty_key(&self) -> Option<String> {
        let empty: Vec<String> = self.keys.iter().map(|key| format!("{key} IS NULL")).collect();
        let (query, empty) = (&self.query, empty.join(" OR "));
        (self.engine == Engine::Postgres)
            .then(|| format!("SELECT page.*, 1 AS {BEHIND} FROM ({query}\n) AS page WHERE {empty} LIMIT 1"))
    }
}

/// The query of a table as it is described before it is read.
pub fn described(table: &Table) -> String {
    format!("SELECT page.* FROM ({}\n) AS page", whole(table))
}

fn whole(table: &Table) -> String {
    table.query.as_deref().unwrap_or_default().trim().trim_end_matches(';').to_owned()
}

/// A name in quotation marks. MySQL is told to take them for that too.
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether the keys stand behind (`>`) or not before (`>=`) the places, column by column.
fn compare(keys: &[String], places: &[String], word: &str) -> String {
    match (keys, places) {
        ([key], [place]) => format!("{key} {word} {place}"),
        ([key, keys @ ..], [place, places @ ..]) => {
            format!("{key} > {place} OR ({key} = {place} AND ({}))", compare(keys, places, word))
        }
        _ => "1 = 1".to_owned(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    format!("X'{}'", data_encoding::HEXUPPER.encode(bytes))
}

impl Engine {
    /// What a key column is ordered and compared by.
    fn ordered(self, key: &Column) -> String {
        let name = quoted(&key.name);
        match (self, key.type_name.as_str()) {
            // They are ordered by number and compared as text.
            (Self::MySql, "ENUM" | "SET") => format!("CAST({name} AS CHAR)"),
            _ => name,
        }
    }

    /// A key as it is written into a query, or its placeholder. PostgreSQL and MySQL convert a literal to the type
    /// of the column it is compared with, and compare text by the column's collation.
    fn value(self, number: usize, key: &Key) -> String {
        match (self, key) {
            (Self::Sqlite, _) => format!("?{number}"),
            (_, Key::Integer(value)) => value.to_string(),
            (_, Key::Real(value)) => value.to_string(),
            (_, Key::Number(digits)) => digits.clone(),
            (Self::Postgres, Key::Text(text)) => format!("'{}'", text.replace('\'', "''")),
            (Self::Postgres, Key::Bytes(bytes)) => format!("'\\x{}'", data_encoding::HEXLOWER.encode(bytes)),
            (Self::MySql, Key::Text(text)) => format!("_utf8mb4 {}", hexadecimal(text.as_bytes())),
            (Self::MySql, Key::Bytes(bytes)) => hexadecimal(bytes),
        }
    }

    /// Rows changed at or after a time, or without a time. Most columns do not say their zone: UTC is the earliest of
    /// the zones that can be meant in Indonesia, so nothing is missed.
    fn window(self, column: &str, from: Timestamp) -> String {
        let from = tz::Offset::UTC.to_datetime(from).strftime("%Y-%m-%d %H:%M:%S").to_string();
        match self {
            // Numbers and other ways to write a time are read always.
            Self::Sqlite => format!(
                "{column} IS NULL OR {column} NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' OR {column} >= '{from}'"
            ),
            Self::Postgres => format!("{column} IS NULL OR {column} >= '{from}+00'"),
            Self::MySql => format!("{column} IS NULL OR {column} >= '{from}'"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_can_end_its_literal() {
        let hostile = Key::Text("a'; DROP TABLE x; --\\".to_owned());
        assert_eq!(Engine::Postgres.value(1, &hostile), "'a''; DROP TABLE x; --\\'");
        let literal = Engine::MySql.value(1, &hostile);
        let digits = literal.strip_prefix("_utf8mb4 X'").and_then(|rest| rest.strip_suffix('\'')).unwrap_or("?");
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{literal}");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }

    #[test]
    fn columns_are_compared_one_after_the_other() {
        let names = |names: [&str; 3]| names.map(str::to_owned).to_vec();
        assert_eq!(
            compare(&names(["a", "b", "c"]), &names(["1", "2", "3"]), ">="),
            "a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND (c >= 3))))"
        );
    }
}
