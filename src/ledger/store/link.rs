//! A connection to the ledger's database, whichever it is: the one place where the two stores part.
//!
//! Instead of a store trait with two implementations of every operation there is one set of statements and this one
//! type that runs them, so that a rule of the ledger is written once and cannot come to mean two things. It must not
//! know tables.

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    Arguments, Connection as _, Database, FromRow, PgConnection, PgPool, Postgres, Sqlite, SqliteConnection, SqlitePool,
};

use super::statement::{Dialect, Statement};
use crate::ledger::LedgerError;

/// A row that both databases can give.
pub trait Stored: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl<T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin> Stored for T {}

/// A value of a statement.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number, a time in milliseconds, or 1 and 0 for a truth.
    Int(Option<i64>),
    /// A text, or a list as JSON.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Int(Some(i64::from(truth)))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(Some(text.clone()))
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        Self::Text(text.map(str::to_owned))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Some(bytes.to_vec()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

impl From<&Vec<u8>> for Value {
    fn from(bytes: &Vec<u8>) -> Self {
        Self::Bytes(Some(bytes.clone()))
    }
}

impl From<Option<&[u8]>> for Value {
    fn from(bytes: Option<&[u8]>) -> Self {
        Self::Bytes(bytes.map(<[u8]>::to_vec))
    }
}

impl From<&Option<Vec<u8>>> for Value {
    fn from(bytes: &Option<Vec<u8>>) -> Self {
        Self::Bytes(bytes.clone())
    }
}

/// A connection: a writer's own, or one of the readers'.
#[derive(Debug)]
pub enum Link {
    /// The writer of a SQLite file.
    Sqlite(SqliteConnection),
    /// A reader of a SQLite file.
    SqliteReader(PoolConnection<Sqlite>),
    /// The writer of a PostgreSQL database.
    Postgres(PgConnection),
    /// A reader of a PostgreSQL database.
    PostgresReader(PoolConnection<Postgres>),
}

enum At<'a> {
    Sqlite(&'a mut SqliteConnection),
    Postgres(&'a mut PgConnection),
}

/// A piece of work on either database: the same method on the same statement.
macro_rules! run {
    ($link:expr, $query:ident, $statement:expr, $values:expr, $method:ident) => {{
        let statement: Statement = $statement.into();
        match $link.at() {
            At::Sqlite(connection) => {
                let values = for_sqlite($values)?;
                sqlx::$query(statement.text(Dialect::Sqlite), values).$method(connection).await
            }
            At::Postgres(connection) => {
                let values = for_postgres($values)?;
                sqlx::$query(statement.text(Dialect::Postgres), values).$method(connection).await
            }
        }
    }};
}

impl Link {
    fn at(&mut self) -> At<'_> {
        match self {
            Self::Sqlite(connection) => At::Sqlite(connection),
            Self::SqliteReader(connection) => At::Sqlite(connection),
            Self::Postgres(connection) => At::Postgres(connection),
            Self::PostgresReader(connection) => At::Postgres(connection),
        }
    }

    /// The connection to a file, for what a server does in its own way or not at all.
    ///
    /// # Errors
    /// [`LedgerError::OnServer`].
    pub fn file(&mut self) -> Result<&mut SqliteConnection, LedgerError> {
        match self.at() {
            At::Sqlite(connection) => Ok(connection),
            At::Postgres(_) => Err(LedgerError::OnServer),
        }
    }

    /// All rows.
    pub async fn all<T: Stored>(
        &mut self,
        statement: impl Into<Statement>,
        values: Vec<Value>,
    ) -> sqlx::Result<Vec<T>> {
        run!(self, query_as_with, statement, values, fetch_all)
    }

    /// The first row, if there is one.
    pub async fn optional<T: Stored>(
        &mut self,
        statement: impl Into<Statement>,
        values: Vec<Value>,
    ) -> sqlx::Result<Option<T>> {
        run!(self, query_as_with, statement, values, fetch_optional)
    }

    /// The first row.
    pub async fn one<T: Stored>(&mut self, statement: impl Into<Statement>, values: Vec<Value>) -> sqlx::Result<T> {
        run!(self, query_as_with, statement, values, fetch_one)
    }

    /// The first column of all rows.
    pub async fn column<T>(&mut self, statement: impl Into<Statement>, values: Vec<Value>) -> sqlx::Result<Vec<T>>
    where
        (T,): Stored,
    {
        Ok(self.all::<(T,)>(statement, values).await?.into_iter().map(|(value,)| value).collect())
    }

    /// The first column of the first row, if there is one.
    pub async fn first<T>(&mut self, statement: impl Into<Statement>, values: Vec<Value>) -> sqlx::Result<Option<T>>
    where
        (T,): Stored,
    {
        Ok(self.optional::<(T,)>(statement, values).await?.map(|(value,)| value))
    }

    /// The first column of the first row.
    pub async fn scalar<T>(&mut self, statement: impl Into<Statement>, values: Vec<Value>) -> sqlx::Result<T>
    where
        (T,): Stored,
    {
        Ok(self.one::<(T,)>(statement, values).await?.0)
    }

    /// Changes rows; gives their number.
    pub async fn execute(&mut self, statement: impl Into<Statement>, values: Vec<Value>) -> sqlx::Result<u64> {
        let statement: Statement = statement.into();
        match self.at() {
            At::Sqlite(connection) => {
                let query = sqlx::query_with(statement.text(Dialect::Sqlite), for_sqlite(values)?);
                Ok(query.execute(connection).await?.rows_affected())
            }
            At::Postgres(connection) => {
                let query = sqlx::query_with(statement.text(Dialect::Postgres), for_postgres(values)?);
                Ok(query.execute(connection).await?.rows_affected())
            }
        }
    }

    /// Runs a script of our own, statement by statement.
    pub async fn script(&mut self, script: String) -> sqlx::Result<()> {
        // Scripts hold no value from outside: they are compiled in, with numbers of our own.
        let script = sqlx::raw_sql(sqlx::AssertSqlSafe(script));
        match self.at() {
            At::Sqlite(connection) => script.execute(connection).await.map(drop),
            At::Postgres(connection) => script.execute(connection).await.map(drop),
        }
    }

    /// Closes a connection of one's own; a reader goes back to the others.
    pub async fn close(self) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(connection) => connection.close().await,
            Self::Postgres(connection) => connection.close().await,
            Self::SqliteReader(_) | Self::PostgresReader(_) => Ok(()),
        }
    }
}

/// Connections that only read.
#[derive(Clone, Debug)]
pub enum Readers {
    /// Of a SQLite file.
    Sqlite(SqlitePool),
    /// Of a PostgreSQL database.
    Postgres(PgPool),
}

impl Readers {
    /// One of them.
    pub async fn acquire(&self) -> sqlx::Result<Link> {
        Ok(match self {
            Self::Sqlite(pool) => Link::SqliteReader(pool.acquire().await?),
            Self::Postgres(pool) => Link::PostgresReader(pool.acquire().await?),
        })
    }

    /// Closes them all.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(pool) => pool.close().await,
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

fn arguments<'t, A>(values: Vec<Value>) -> sqlx::Result<A>
where
    A: Arguments,
    Option<i64>: sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
    Option<String>: sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
    Option<Vec<u8>>: sqlx::Encode<'t, A::Database> + sqlx::Type<A::Database>,
    A::Database: Database,
{
    let mut all = A::default();
    for value in values {
        match value {
            Value::Int(number) => all.add(number),
            Value::Text(text) => all.add(text),
            Value::Bytes(bytes) => all.add(bytes),
        }
        .map_err(sqlx::Error::Encode)?;
    }
    Ok(all)
}

fn for_sqlite(values: Vec<Value>) -> sqlx::Result<SqliteArguments> {
    arguments(values)
}

/// PostgreSQL's texts cannot hold U+0000, which an answer of a server may: it becomes the sign for what cannot be shown.
fn for_postgres(mut values: Vec<Value>) -> sqlx::Result<PgArguments> {
    for value in &mut values {
        if let Value::Text(Some(text)) = value
            && (text.contains('\0') || text.contains("\\u0000"))
        {
            *text = without_zero(text);
        }
    }
    arguments(values)
}

/// A text, or JSON, with U+FFFD for U+0000.
fn without_zero(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '\0']) {
        out.push_str(&rest[..at]);
        let found = &rest[at..];
        let (with, length) = match found {
            _ if found.starts_with('\0') => ("\u{fffd}", 1),
            _ if found.starts_with("\\u0000") => ("\\ufffd", 6),
            _ if found.starts_with("\\\\") => ("\\\\", 2),
            _ => ("\\", 1),
        };
        out.push_str(with);
        rest = &found[length..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_text_of_postgresql_holds_is_shown_as_such() {
        for (text, kept) in [
            ("a\0b", "a\u{fffd}b"),
            (r#"["a\u0000b"]"#, r#"["a\ufffdb"]"#),
            (r#"["a\\u0000b"]"#, r#"["a\\u0000b"]"#),
            (r#"["a\n\\\u0000"]"#, r#"["a\n\\\ufffd"]"#),
        ] {
            assert_eq!(without_zero(text), kept);
        }
    }
}
