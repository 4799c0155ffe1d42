//! PostgreSQL: how a server is opened for reading only and how its values read.
//!
//! It must not know tables or pages. Encryption is as the address says: `sslmode=prefer` without a word, which
//! encrypts when the server can and checks no certificate; beyond the own network use `sslmode=verify-full`.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, Postgres, Row as _, TypeInfo as _, ValueRef as _};

use super::connection::Values;
use super::{Key, LOCK_WAIT_SECONDS, STATEMENT_SECONDS};
use crate::source::Server;
use crate::source::cells::CellKind;

/// Counts the tables an account may change, in a row of its own.
pub const WRITABLE: &str = "SELECT count(*)::text, 1 FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname NOT LIKE 'pg\\_%' AND has_schema_privilege(n.oid, 'USAGE')
      AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')";

/// Connects and makes the connection one that only reads, in the zone of the posyandu.
pub async fn open(server: &Server) -> Result<PgConnection, sqlx::Error> {
    let mut options = PgConnectOptions::from_str(&server.url)?.application_name("posyandu-gateway");
    if let Some(password) = &server.password {
        options = options.password(password.reveal());
    }
    let mut connection = options.disable_statement_logging().connect().await?;
    // `SET TIME ZONE '+07:00'` would mean seven hours west of Greenwich (POSIX); an interval means what it says.
    let text = format!(
        "SET default_transaction_read_only = on;
         SET statement_timeout = '{STATEMENT_SECONDS}s';
         SET lock_timeout = '{LOCK_WAIT_SECONDS}s';
         SET TIME ZONE INTERVAL '{}' HOUR TO MINUTE;
         SET DateStyle = 'ISO, YMD';
         SET IntervalStyle = 'postgres';
         SET standard_conforming_strings = on;
         SET bytea_output = 'hex';
         SET extra_float_digits = 1;
         SET client_min_messages = 'error'",
        server.offset
    );
    sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await?;
    Ok(connection)
}

impl Values for Postgres {
    fn cell(row: &PgRow, at: usize) -> (String, CellKind) {
        let Ok(value) = row.try_get_raw(at) else { return (String::new(), CellKind::Text) };
        if value.is_null() {
            return (String::new(), CellKind::Text);
        }
        if value.type_info().name() == "BYTEA" {
            let bytes = row.try_get_unchecked::<Vec<u8>, _>(at).unwrap_or_default();
            return (String::from_utf8_lossy(&bytes).into_owned(), CellKind::Text);
        }
        let text = String::from_utf8_lossy(value.as_bytes().unwrap_or_default()).into_owned();
        match value.type_info().name() {
            "DATE" | "TIMESTAMP" | "TIMESTAMPTZ" => super::date_cell(text),
            "BOOL" if text == "t" => ("1".to_owned(), CellKind::Boolean),
            "BOOL" => ("0".to_owned(), CellKind::Boolean),
            "CHAR" => (text.trim_end_matches(' ').to_owned(), CellKind::Text),
            _ => (text, CellKind::Text),
        }
    }

    fn key(row: &PgRow, at: usize) -> Option<Key> {
        let value = row.try_get_raw(at).ok()?;
        if value.is_null() || matches!(value.type_info().name(), "FLOAT4" | "FLOAT8") {
            return None;
        }
        let text = value.as_str().ok()?;
        let is_padded = value.type_info().name() == "CHAR";
        Some(Key::Text(if is_padded { text.trim_end_matches(' ') } else { text }.to_owned()))
    }
}
