//! What a failure of the database means for the ledger. Pure.

use std::sync::Arc;

use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::ledger::LedgerError;

/// SQLite's result code for a full disk (SQLITE_FULL).
const SQLITE_FULL: i64 = 13;
/// SQLite's result code after which the handle cannot be trusted (SQLITE_IOERR).
const SQLITE_LOST: i64 = 10;
/// SQLite's result codes for a file that is no sound database: CORRUPT, NOTADB.
const SQLITE_DAMAGED: [i64; 2] = [11, 26];
/// PostgreSQL's codes for a full disk: disk_full, and the quota of an account or a container.
const POSTGRES_FULL: [&str; 1] = ["53100"];
/// PostgreSQL's codes after which the connection is gone: ended by an administrator, by a crash, not yet possible, idle
/// for too long, idle in a transaction for too long; and all of class 08.
const POSTGRES_GONE: [&str; 5] = ["57P01", "57P02", "57P03", "57P05", "25P03"];

/// The failure of the ledger that a failure of the database is.
pub fn judge(error: sqlx::Error) -> LedgerError {
    match &error {
        sqlx::Error::Database(told) => {
            let code = told.code().unwrap_or_default();
            if told.try_downcast_ref::<PgDatabaseError>().is_some() {
                return of_postgres(&code).unwrap_or_else(|| LedgerError::Store(Arc::new(error)));
            }
            if told.try_downcast_ref::<SqliteError>().is_some() {
                return of_sqlite(&code).unwrap_or_else(|| LedgerError::Store(Arc::new(error)));
            }
            LedgerError::Store(Arc::new(error))
        }
        // Only a server is spoken to over a wire.
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            tracing::info!(error = %error, "the connection to the ledger's database broke");
            LedgerError::Lost
        }
        _ => LedgerError::Store(Arc::new(error)),
    }
}

fn of_sqlite(code: &str) -> Option<LedgerError> {
    match code.parse::<i64>().ok()? & 0xff {
        SQLITE_FULL => Some(LedgerError::Full),
        SQLITE_LOST => {
            tracing::info!("the ledger's database cannot be trusted any more");
            Some(LedgerError::Broken)
        }
        code if SQLITE_DAMAGED.contains(&code) => Some(LedgerError::Damaged),
        _ => None,
    }
}

fn of_postgres(code: &str) -> Option<LedgerError> {
    if POSTGRES_FULL.contains(&code) {
        return Some(LedgerError::Full);
    }
    (POSTGRES_GONE.contains(&code) || code.starts_with("08")).then(|| {
        tracing::info!(code, "the ledger's database closed the connection");
        LedgerError::Lost
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_one_database_mean_nothing_in_the_other() {
        assert!(matches!(of_postgres("53100"), Some(LedgerError::Full)));
        assert!(matches!(of_postgres("57P01"), Some(LedgerError::Lost)));
        assert!(matches!(of_postgres("08006"), Some(LedgerError::Lost)));
        assert!(of_postgres("13").is_none() && of_postgres("40P01").is_none());
        assert!(matches!(of_sqlite("13"), Some(LedgerError::Full)));
        assert!(matches!(of_sqlite("266"), Some(LedgerError::Broken)), "extended codes keep the code in the low byte");
        assert!(matches!(of_sqlite("11"), Some(LedgerError::Damaged)));
        assert!(of_sqlite("19").is_none());
    }
}
