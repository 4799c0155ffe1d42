//! What an error of a database means: whether to try again, and what to tell people.
//!
//! A server's own words are passed on only where they speak of tables and columns: others may quote a person's data.

use std::io::ErrorKind;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

use crate::source::problem::SourceError;

/// What an error means.
#[derive(Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection broke, or the server is going down or is busy: another try may succeed.
    Lost,
    /// The account, its password or its database is not accepted.
    Login,
    /// A limit of time was reached.
    Timeout,
    /// The query cannot be answered; a reason without anybody's data.
    Query(String),
    /// The file itself cannot be read.
    File,
}

impl Trouble {
    /// What an error means.
    pub fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => Self::told(&**error),
            sqlx::Error::Protocol(text) if text.contains("authentication") => Self::Login,
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => Self::Lost,
            sqlx::Error::Configuration(_) => Self::Login,
            _ => Self::File,
        }
    }

    fn told(error: &dyn DatabaseError) -> Self {
        if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
            return Self::of_postgres(error.code(), error.message());
        }
        if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
            return Self::of_mysql(error.number(), error.message());
        }
        match error.try_downcast_ref::<SqliteError>().map(|error| error.message().to_owned()) {
            Some(reason) if reason.starts_with("no such") || reason.contains("syntax error") => Self::Query(reason),
            _ => Self::File,
        }
    }

    /// By SQLSTATE (PostgreSQL manual, appendix A).
    fn of_postgres(code: &str, message: &str) -> Self {
        match code {
            "57014" | "55P03" => Self::Timeout,
            "3D000" => Self::Login,
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300" => Self::Lost,
            code if code.starts_with("28") => Self::Login,
            code if code.starts_with("08") => Self::Lost,
            // Syntax error or access rule violation: it names tables, columns and types only.
            code if code.starts_with("42") => Self::Query(message.to_owned()),
            code => Self::Query(format!("PostgreSQL {code}")),
        }
    }

    /// By error number (MariaDB knowledge base, "error codes"; MySQL error reference).
    fn of_mysql(number: u16, message: &str) -> Self {
        match number {
            1205 | 1969 | 3024 => Self::Timeout,
            1044 | 1045 | 1049 | 1130 | 1251 | 1524 | 1698 | 2059 | 4151 => Self::Login,
            1040 | 1053 | 1077 | 1079 | 1080 | 1152 | 1158..=1161 | 1184 | 1203 | 1317 | 1927 | 2006 | 2013 => {
                Self::Lost
            }
            // Missing or forbidden tables and columns, and mistakes in the query.
            1051 | 1052 | 1054 | 1060 | 1064 | 1103 | 1109 | 1142 | 1143 | 1146 | 1267 | 1305 | 1356 => {
                Self::Query(message.to_owned())
            }
            number => Self::Query(format!("MySQL {number}")),
        }
    }

    /// The problem of a source, with the table that was being read.
    pub fn problem(source: sqlx::Error, file: &str, table: &str) -> SourceError {
        let (file, table) = (file.to_owned(), table.to_owned());
        match Self::of(&source) {
            Self::Lost => SourceError::Lost { file, source: plain(source) },
            Self::Login => SourceError::Login { file, reason: reason(&source) },
            Self::Timeout => SourceError::Timeout { file, table, seconds: super::STATEMENT_SECONDS },
            Self::Query(reason) => SourceError::Query { file, table, reason },
            Self::File => SourceError::Database { file, source },
        }
    }

    /// The problem of a server that cannot be opened.
    pub fn opening(source: sqlx::Error, file: &str) -> SourceError {
        match Self::of(&source) {
            Self::Lost => SourceError::Unreachable { file: file.to_owned(), source: plain(source) },
            _ => Self::problem(source, file, "-"),
        }
    }
}

/// Why an account is refused. A server names the account and its host here, never the password.
fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        error => error.to_string(),
    }
}

/// The error of a broken connection, for the chain of causes in the log.
fn plain(error: sqlx::Error) -> std::io::Error {
    match error {
        sqlx::Error::Io(error) => error,
        sqlx::Error::Database(error) => std::io::Error::new(ErrorKind::ConnectionAborted, error.message().to_owned()),
        error => std::io::Error::other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_may_quote_a_value_is_not_passed_on() {
        let quoting = "invalid input syntax for type integer: \"Anak Contoh\"";
        assert_eq!(Trouble::of_postgres("22P02", quoting), Trouble::Query("PostgreSQL 22P02".to_owned()));
        assert_eq!(Trouble::of_mysql(1292, quoting), Trouble::Query("MySQL 1292".to_owned()));
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        for code in ["57P01", "08006"] {
            assert_eq!(Trouble::of_postgres(code, ""), Trouble::Lost);
        }
        assert_eq!(Trouble::of_mysql(1927, ""), Trouble::Lost);
        assert_eq!(Trouble::of_postgres("28P01", ""), Trouble::Login);
        assert_eq!(Trouble::of_mysql(1969, ""), Trouble::Timeout);
    }
}
