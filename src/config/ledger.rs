//! Where the ledger of a configuration is: a file, or a database on a server.
//!
//! It must not open anything. A password comes from a file of its own, never from the address.

use std::path::{Path, PathBuf};

use super::{Config, ConfigError};
use crate::clock::Zone;
use crate::ledger::Options;
use crate::ledger::server::{Server, Time};
use crate::redact::Personal;
use crate::source::database::Engine;
use crate::source::database::address::{engine_of, label};

/// The place of a ledger.
#[derive(Clone, Debug)]
pub enum LedgerHome {
    /// A SQLite file.
    File(Options),
    /// A PostgreSQL server.
    Server(Box<Server>),
}

impl LedgerHome {
    /// The file, or host and database, for messages.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::File(options) => options.path.display().to_string(),
            Self::Server(server) => server.label.clone(),
        }
    }
}

impl Config {
    /// Where the ledger is and how it behaves there.
    ///
    /// # Errors
    /// An address that is none, a password file that cannot be read or holds nothing.
    pub fn ledger_home(&self) -> Result<LedgerHome, ConfigError> {
        let zone = self.puskesmas.first().map_or(Zone::Wib, |puskesmas| puskesmas.timezone);
        let lease_seconds = self.delivery.lease_seconds;
        let url = self.ledger.url.as_str();
        if url.is_empty() || url.starts_with("sqlite:") {
            let bytes_max = self.ledger.mebibytes_max.saturating_mul(1024 * 1024);
            let bytes_max = (bytes_max > 0).then_some(bytes_max);
            return Ok(LedgerHome::File(Options { path: self.ledger_file()?, lease_seconds, zone, bytes_max }));
        }
        match engine_of(url) {
            Ok(Engine::Postgres) => {}
            Ok(_) => return Err(ConfigError::Unfit("[ledger] url: the ledger is SQLite or PostgreSQL".to_owned())),
            Err(error) => return Err(ConfigError::Unfit(format!("[ledger] url: {error}"))),
        }
        Ok(LedgerHome::Server(Box::new(Server {
            url: url.to_owned(),
            password: self.ledger_password()?,
            label: label(url),
            lease_seconds,
            zone,
            time: Time::Database,
        })))
    }

    /// The ledger's file.
    ///
    /// # Errors
    /// When the ledger is not in a SQLite file.
    pub fn ledger_file(&self) -> Result<PathBuf, ConfigError> {
        match self.ledger.url.as_str() {
            "" => Ok(self.data_folder().join("ledger.sqlite")),
            url => match url.strip_prefix("sqlite:") {
                Some(path) => Ok(self.path(Path::new(path.trim_start_matches("//")))),
                None => Err(ConfigError::Unfit(format!("[ledger] url: the ledger is no file, but on {}", label(url)))),
            },
        }
    }

    fn ledger_password(&self) -> Result<Option<Personal<String>>, ConfigError> {
        if self.ledger.password_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let path = self.path(&self.ledger.password_file);
        let shown = path.display();
        match std::fs::read_to_string(&path) {
            Err(error) => Err(ConfigError::Unfit(format!("[ledger] password_file: cannot read {shown}: {error}"))),
            Ok(text) if text.trim().is_empty() => {
                Err(ConfigError::Unfit(format!("[ledger] password_file: {shown} is empty")))
            }
            Ok(text) => Ok(Some(Personal::new(text.trim().to_owned()))),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn home(text: &str) -> Result<LedgerHome, String> {
        let config = Config::parse(Path::new("g.toml"), text, PathBuf::new(), std::iter::empty());
        config.unwrap().ledger_home().map_err(|error| error.to_string())
    }

    #[test]
    fn the_address_says_whether_it_is_a_file_or_a_server() {
        assert_eq!(home("").unwrap().label(), "posyandu-data/ledger.sqlite");
        assert_eq!(home("[ledger]\nurl = \"sqlite:a/b.sqlite\"").unwrap().label(), "a/b.sqlite");
        let server = home("[ledger]\nurl = \"postgres://tulis@db:5432/buku?sslmode=verify-full\"").unwrap();
        assert_eq!(server.label(), "db:5432/buku");
    }

    #[test]
    fn a_wrong_address_is_told_without_its_password() {
        for (url, told) in [
            ("mysql://tulis@db/buku", "SQLite or PostgreSQL"),
            ("postgres://tulis:r4hasia@db/buku", "password_file"),
            ("postgres://db/buku", "names no user"),
            ("buku.sqlite", "supported are"),
        ] {
            let error = home(&format!("[ledger]\nurl = \"{url}\"")).unwrap_err();
            assert!(error.contains(told) && !error.contains("r4hasia"), "{error}");
        }
        let error = home("[ledger]\nurl = \"postgres://a@b/c\"\npassword_file = \"tidak-ada\"").unwrap_err();
        assert!(error.contains("password_file") && error.contains("tidak-ada"), "{error}");
    }
}
