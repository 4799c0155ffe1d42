//! MySQL and MariaDB: how a server is opened for reading only and how its values read.
//!
//! It must not know tables or pages. Encryption is as the address says: `ssl-mode=PREFERRED` without a word, which
//! encrypts when the server can and checks no certificate; beyond the own network use `ssl-mode=VERIFY_IDENTITY`.

use std::str::FromStr as _;

use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, MySql, MySqlConnection, Row as _, TypeInfo as _, ValueRef as _};

use super::connection::Values;
use super::{Key, LOCK_WAIT_SECONDS, STATEMENT_SECONDS};
use crate::source::Server;
use crate::source::cells::CellKind;

/// Counts the rights of an account to change something in this database, in a row of its own.
pub const WRITABLE: &str = "SELECT CAST(count(*) AS CHAR), 1 FROM (
      SELECT PRIVILEGE_TYPE AS privilege, GRANTEE AS grantee FROM information_schema.USER_PRIVILEGES
      UNION ALL SELECT PRIVILEGE_TYPE, GRANTEE FROM information_schema.SCHEMA_PRIVILEGES
        WHERE DATABASE() LIKE TABLE_SCHEMA
      UNION ALL SELECT PRIVILEGE_TYPE, GRANTEE FROM information_schema.TABLE_PRIVILEGES
        WHERE DATABASE() = TABLE_SCHEMA) AS given
    WHERE privilege IN ('INSERT', 'UPDATE', 'DELETE', 'DROP', 'ALTER')
      AND grantee = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')";

/// Connects and makes the connection one that only reads, in the zone of the posyandu. Names may stand in double
/// quotation marks and `||` joins texts, as in the other engines, so that one profile fits all of them.
pub async fn open(server: &Server) -> Result<MySqlConnection, sqlx::Error> {
    let mut options = MySqlConnectOptions::from_str(&server.url)?
        .charset("utf8mb4")
        .timezone(None)
        .pipes_as_concat(false)
        .no_engine_substitution(false);
    if let Some(password) = &server.password {
        options = options.password(password.reveal());
    }
    let mut connection = options.disable_statement_logging().connect().await?;
    let version: String = sqlx::query_scalar("SELECT VERSION()").fetch_one(&mut connection).await?;
    let limit = if version.to_lowercase().contains("mariadb") {
        format!("max_statement_time = {STATEMENT_SECONDS}")
    } else {
        format!("max_execution_time = {}", STATEMENT_SECONDS * 1_000)
    };
    for text in [
        "SET LOCAL TRANSACTION READ ONLY".to_owned(),
        format!(
            "SET autocommit = 1, sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT', time_zone = '{}',
             lock_wait_timeout = {LOCK_WAIT_SECONDS}, innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, {limit}",
            server.offset
        ),
    ] {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await?;
    }
    Ok(connection)
}

impl Values for MySql {
    fn cell(row: &MySqlRow, at: usize) -> (String, CellKind) {
        let Some((bytes, kind)) = value(row, at) else { return (String::new(), CellKind::Text) };
        if kind == "BIT" {
            return (bits(&bytes).to_string(), CellKind::Text);
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match kind.as_str() {
            // What an application writes where there is no date.
            "DATE" | "DATETIME" | "TIMESTAMP" if text.starts_with("0000-00-00") => (String::new(), CellKind::Text),
            "DATE" | "DATETIME" | "TIMESTAMP" => super::date_cell(text),
            _ => (text, CellKind::Text),
        }
    }

    fn key(row: &MySqlRow, at: usize) -> Option<Key> {
        let (bytes, kind) = value(row, at)?;
        match kind.as_str() {
            "FLOAT" | "DOUBLE" => None,
            "BIT" => Some(Key::Number(bits(&bytes).to_string())),
            "BOOLEAN" | "DECIMAL" | "YEAR" => number(bytes),
            kind if kind.contains("INT") && !kind.contains("POINT") => number(bytes),
            kind if kind.contains("BINARY") || kind.contains("BLOB") => Some(Key::Bytes(bytes)),
            _ => String::from_utf8(bytes).ok().map(Key::Text),
        }
    }
}

/// The bytes of a value and its type; `None` when there is none.
fn value(row: &MySqlRow, at: usize) -> Option<(Vec<u8>, String)> {
    let value = row.try_get_raw(at).ok()?;
    let kind = value.type_info().name().to_owned();
    if value.is_null() {
        return None;
    }
    row.try_get_unchecked::<Option<Vec<u8>>, _>(at).ok().flatten().map(|bytes| (bytes, kind))
}

/// A number in decimal digits, which needs no quotation marks.
fn number(bytes: Vec<u8>) -> Option<Key> {
    let text = String::from_utf8(bytes).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(&text);
    let is_plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    is_plain.then_some(Key::Number(text))
}

/// A field of bits as the number it is.
fn bits(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
