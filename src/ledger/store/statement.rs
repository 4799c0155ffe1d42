//! A statement's text in the words of each database: most are written once, in a neutral notation, and rendered here.
//!
//! Written once, so that the two stores cannot drift apart. It must not change what a statement means: it only
//! spells the same thing for each database. The notation, beyond what both understand:
//!
//! * `?1`, `?2`: parameters (PostgreSQL: `$1`).
//! * `{?1: entry int, hash bytes} AS j`: a list, given as one JSON text (`json(…)`), whose columns are `j.entry` and
//!   `j.hash`; types are `int`, `text` and `bytes` (hexadecimal in the JSON). `{?1: int} AS j` is a list of bare
//!   values: `j.value`, and `j.key` in the order given. In SQLite this is `jsonb_each` (`json_each` would
//!   write each item as text, to be read again for each column), never a sub-select: its planner then goes through the
//!   list and looks each row up.
//! * `CROSS JOIN t ON …`: SQLite keeps the order of a CROSS JOIN; for PostgreSQL it is a plain join.
//! * `CASE WHEN … THEN 1 ELSE 0 END`: a truth value, read as `i64`.
//! * `/*lock*/`: rows found are locked and those that another daemon has locked are passed over; nothing in SQLite,
//!   which has one writer. `/*lock entry*/` locks those of one table.

use std::collections::HashMap;
use std::sync::{LazyLock, PoisonError, RwLock};

/// A database's way of speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// A statement.
#[derive(Clone, Copy, Debug)]
pub struct Statement {
    sqlite: &'static str,
    postgres: &'static str,
}

impl Statement {
    /// Two texts, where the databases truly differ; each is rendered like any other.
    pub const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }

    /// The text for a database, rendered once.
    pub fn text(self, dialect: Dialect) -> &'static str {
        type Key = (usize, usize, Dialect);
        static RENDERED: LazyLock<RwLock<HashMap<Key, &'static str>>> = LazyLock::new(RwLock::default);
        let text = match dialect {
            Dialect::Sqlite => self.sqlite,
            Dialect::Postgres => self.postgres,
        };
        // A text compiled in never moves, so its place names it; there are as many as the program has statements.
        let key = (text.as_ptr() as usize, text.len(), dialect);
        if let Some(rendered) = RENDERED.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return rendered;
        }
        let mut all = RENDERED.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_insert_with(|| Box::leak(render(text, dialect).into_boxed_str()))
    }
}

impl From<&'static str> for Statement {
    fn from(text: &'static str) -> Self {
        Self::each(text, text)
    }
}

/// A list of a statement: the name it is known by, and its columns; a bare list has one without a name.
struct List<'a> {
    alias: &'a str,
    columns: Vec<(&'a str, &'a str)>,
}

impl<'a> List<'a> {
    /// Reads `{?1: entry int, hash bytes} AS j` at the start of a text; gives parameter, list and length.
    fn read(text: &'a str) -> Option<(&'a str, Self, usize)> {
        let (inside, after) = text.strip_prefix('{')?.split_once('}')?;
        let (parameter, columns) = inside.split_once(':')?;
        let alias = word(after.strip_prefix(" AS ")?);
        let columns = columns.split(',').map(|column| {
            let column = column.trim();
            column.split_once(' ').unwrap_or(("", column))
        });
        let length = text.len() - after.len() + " AS ".len() + alias.len();
        Some((parameter.strip_prefix('?')?, Self { alias, columns: columns.collect() }, length))
    }

    fn is_bare(&self) -> bool {
        self.columns.iter().all(|(name, _)| name.is_empty())
    }

    fn definition(&self, parameter: &str, dialect: Dialect) -> String {
        let alias = self.alias;
        let types = |kind: &str| if kind == "int" { "bigint" } else { "text" };
        match dialect {
            Dialect::Sqlite => format!("jsonb_each(?{parameter}) AS {alias}"),
            Dialect::Postgres if self.is_bare() => {
                let kind = self.columns.first().map_or("text", |(_, kind)| types(kind));
                format!(
                    "(SELECT item.value::{kind} AS value, item.key FROM jsonb_array_elements_text(${parameter}::jsonb)
                    WITH ORDINALITY AS item(value, key)) AS {alias}"
                )
            }
            Dialect::Postgres => {
                let columns: Vec<String> =
                    self.columns.iter().map(|(name, kind)| format!("\"{name}\" {}", types(kind))).collect();
                format!("jsonb_to_recordset(${parameter}::jsonb) AS {alias}({})", columns.join(", "))
            }
        }
    }

    /// How a column is read; `None` when the list has no such column, as with `j.key`.
    fn column(&self, name: &str, dialect: Dialect) -> Option<String> {
        let (own, kind) = match self.is_bare() {
            true => self.columns.first().filter(|_| name == "value")?,
            false => self.columns.iter().find(|(own, _)| *own == name)?,
        };
        let alias = self.alias;
        Some(match (dialect, own.is_empty(), *kind) {
            (Dialect::Sqlite, true, "bytes") => format!("unhex({alias}.value)"),
            (Dialect::Sqlite, true, _) => format!("{alias}.value"),
            (Dialect::Sqlite, false, "bytes") => format!("unhex({alias}.value->>'{own}')"),
            // In brackets, since `->>` binds no closer than `+`.
            (Dialect::Sqlite, false, _) => format!("({alias}.value->>'{own}')"),
            (Dialect::Postgres, true, "bytes") => format!("decode({alias}.value, 'hex')"),
            (Dialect::Postgres, true, _) => format!("{alias}.value"),
            (Dialect::Postgres, false, "bytes") => format!("decode({alias}.\"{own}\", 'hex')"),
            (Dialect::Postgres, false, _) => format!("{alias}.\"{own}\""),
        })
    }
}

/// The word at the start of a text.
fn word(text: &str) -> &str {
    let end = text.find(|found: char| !found.is_ascii_alphanumeric() && found != '_').unwrap_or(text.len());
    &text[..end]
}

/// A statement in the words of a database.
fn render(text: &str, dialect: Dialect) -> String {
    let lists: Vec<List<'_>> =
        text.match_indices('{').filter_map(|(at, _)| List::read(&text[at..])).map(|(_, list, _)| list).collect();
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (piece, length) = piece(rest, first, &lists, dialect);
        out.push_str(&piece);
        rest = &rest[length..];
    }
    match dialect {
        Dialect::Sqlite => out,
        // A bare 1 would be of the type `int`, and everything here is read as `bigint`.
        Dialect::Postgres => out.replace("THEN 1 ELSE 0 END", "THEN 1::bigint ELSE 0::bigint END"),
    }
}

/// What the start of a text becomes, and how long that start is.
fn piece(rest: &str, first: char, lists: &[List<'_>], dialect: Dialect) -> (String, usize) {
    let is_postgres = dialect == Dialect::Postgres;
    if first == '\'' {
        let length = rest[1..].find('\'').map_or(rest.len(), |end| end + 2);
        return (rest[..length].to_owned(), length);
    }
    if first == '{'
        && let Some((parameter, list, length)) = List::read(rest)
    {
        return (list.definition(parameter, dialect), length);
    }
    if first == '?' && is_postgres {
        return ("$".to_owned(), 1);
    }
    if let Some(lock) = rest.strip_prefix("/*lock").and_then(|lock| lock.split_once("*/")) {
        let of = if lock.0.is_empty() { String::new() } else { format!(" OF{}", lock.0) };
        let text = if is_postgres { format!("FOR UPDATE{of} SKIP LOCKED") } else { String::new() };
        return (text, rest.len() - lock.1.len());
    }
    let name = word(rest);
    if name.is_empty() {
        return (first.to_string(), first.len_utf8());
    }
    if name == "CROSS" && is_postgres {
        return (String::new(), name.len());
    }
    let column = rest[name.len()..].strip_prefix('.').map(word);
    let list = lists.iter().find(|list| list.alias == name);
    match (list, column) {
        (Some(list), Some(column)) => {
            let length = name.len() + 1 + column.len();
            (list.column(column, dialect).unwrap_or_else(|| rest[..length].to_owned()), length)
        }
        _ => (name.to_owned(), name.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> (String, String) {
        let plain = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
        (plain(render(text, Dialect::Sqlite)), plain(render(text, Dialect::Postgres)))
    }

    #[test]
    fn a_list_with_names_is_looked_through_in_both() {
        let (sqlite, postgres) = both(
            "UPDATE entry SET lease = ?2 FROM {?1: entry int, to text, hash bytes} AS j
             WHERE entry.id = j.entry AND state = j.to AND hash = j.hash AND adj.entry = 'j.to ?1'",
        );
        assert_eq!(
            sqlite,
            "UPDATE entry SET lease = ?2 FROM jsonb_each(?1) AS j WHERE entry.id = (j.value->>'entry') AND \
             state = (j.value->>'to') AND hash = unhex(j.value->>'hash') AND adj.entry = 'j.to ?1'"
        );
        assert_eq!(
            postgres,
            "UPDATE entry SET lease = $2 FROM jsonb_to_recordset($1::jsonb) AS j(\"entry\" bigint, \"to\" text, \
             \"hash\" text) WHERE entry.id = j.\"entry\" AND state = j.\"to\" AND hash = decode(j.\"hash\", 'hex') \
             AND adj.entry = 'j.to ?1'"
        );
    }

    #[test]
    fn a_bare_list_keeps_its_order() {
        let (sqlite, postgres) =
            both("SELECT visit.id FROM {?1: bytes} AS j CROSS JOIN visit ON visit.key = j.value ORDER BY j.key");
        assert_eq!(
            sqlite,
            "SELECT visit.id FROM jsonb_each(?1) AS j CROSS JOIN visit ON visit.key = unhex(j.value) ORDER BY j.key"
        );
        assert_eq!(
            postgres,
            "SELECT visit.id FROM (SELECT item.value::text AS value, item.key FROM \
             jsonb_array_elements_text($1::jsonb) WITH ORDINALITY AS item(value, key)) AS j JOIN visit ON \
             visit.key = decode(j.value, 'hex') ORDER BY j.key"
        );
    }

    #[test]
    fn truths_and_locks_are_spelt_for_each() {
        let (sqlite, postgres) = both("SELECT CASE WHEN a THEN 1 ELSE 0 END FROM t LIMIT ?10 /*lock*/");
        assert_eq!(sqlite, "SELECT CASE WHEN a THEN 1 ELSE 0 END FROM t LIMIT ?10");
        assert_eq!(
            postgres,
            "SELECT CASE WHEN a THEN 1::bigint ELSE 0::bigint END FROM t LIMIT $10 FOR UPDATE SKIP LOCKED"
        );
        assert_eq!(both("SELECT 1 /*lock entry*/").1, "SELECT 1 FOR UPDATE OF entry SKIP LOCKED");
    }

    #[test]
    fn a_statement_is_rendered_once() {
        let statement = Statement::from("SELECT ?1");
        assert_eq!(statement.text(Dialect::Postgres), "SELECT $1");
        assert!(std::ptr::eq(statement.text(Dialect::Sqlite), statement.text(Dialect::Sqlite)));
    }
}
