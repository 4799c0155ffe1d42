//! The address of a database server: which engine it names, and what of it may be shown.
//!
//! It must not connect, and it must never let a password through: passwords come from files of their own.

use super::Engine;

/// What an address looks like, for messages.
const SHAPES: &str = "postgres://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT/DATABASE (MariaDB too); for SQLite give the file as `path`";
/// Settings that may follow the `?` of an address.
const POSTGRES_SETTINGS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];
/// The same for MySQL and MariaDB.
const MYSQL_SETTINGS: [&str; 5] = ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket"];

/// Why an address cannot be used. Its text holds no part of a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A scheme of another engine, or none.
    #[error("`{0}` is no database that can be read; supported are {SHAPES}")]
    Scheme(String),
    /// A password stands in the address.
    #[error("the address holds a password: put it alone into a file and name that file in `password_file`")]
    Password,
    /// Something is missing.
    #[error("the address names no {0}; it must be {SHAPES}")]
    Missing(&'static str),
    /// A setting after the `?` that is not known.
    #[error("the address has a setting `{name}` that is not known; there are: {known}")]
    Setting {
        /// Its name.
        name: String,
        /// The known ones.
        known: String,
    },
    /// It cannot be taken apart.
    #[error("the address cannot be understood: {0}")]
    Shape(String),
}

/// The engine an address names, once the whole address is as it must be.
///
/// # Errors
/// [`AddressError`].
pub fn engine_of(url: &str) -> Result<Engine, AddressError> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (engine, settings): (_, &[&str]) = match scheme.to_ascii_lowercase().as_str() {
        "postgres" | "postgresql" => (Engine::Postgres, &POSTGRES_SETTINGS),
        "mysql" | "mariadb" => (Engine::MySql, &MYSQL_SETTINGS),
        _ => return Err(AddressError::Scheme(scheme.to_owned())),
    };
    // The last `@` counts: a password that is written in against the rules may hold any character.
    let (user, _) = rest.rsplit_once('@').ok_or(AddressError::Missing("user"))?;
    if user.contains(':') {
        return Err(AddressError::Password);
    }
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    for setting in query.split('&').filter(|setting| !setting.is_empty()) {
        let name = setting.split('=').next().unwrap_or_default().to_ascii_lowercase();
        if name.contains("pass") || name == "pwd" {
            return Err(AddressError::Password);
        }
        if !settings.contains(&name.as_str()) {
            return Err(AddressError::Setting { name, known: settings.join(", ") });
        }
    }
    let (user, place) = authority.rsplit_once('@').ok_or(AddressError::Missing("user"))?;
    let (host, database) = place.split_once('/').unwrap_or((place, ""));
    match (user, host, database) {
        ("", ..) => Err(AddressError::Missing("user")),
        (_, "", _) => Err(AddressError::Missing("host")),
        (.., "") => Err(AddressError::Missing("database")),
        _ => Ok(engine),
    }
}

/// Host and database of an address, for people: no user, no password, no settings.
#[must_use]
pub fn label(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    place.split(['?', '#']).next().filter(|place| !place.is_empty()).unwrap_or("?").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_names_the_engine() {
        assert_eq!(engine_of("postgresql://baca@10.0.0.5/posyandu?sslmode=require"), Ok(Engine::Postgres));
        assert_eq!(engine_of("mariadb://baca@db:3307/posyandu"), Ok(Engine::MySql));
        let refused = engine_of("oracle://baca@db/posyandu").map_err(|error| error.to_string());
        assert!(refused.is_err_and(|text| text.contains("oracle") && text.contains("postgres://")));
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        for (url, error) in [
            ("mysql://db/posyandu", AddressError::Missing("user")),
            ("mysql://baca@/posyandu", AddressError::Missing("host")),
            ("mysql://baca@db", AddressError::Missing("database")),
            ("postgres://baca:s3cret@db/posyandu", AddressError::Password),
            ("postgres://baca:s3/c?r@et@db/posyandu", AddressError::Password),
            ("postgres://baca@db/posyandu?password=s3cret", AddressError::Password),
        ] {
            assert_eq!(engine_of(url), Err(error), "{url}");
        }
        assert!(matches!(engine_of("mysql://baca@db/p?charset=latin1"), Err(AddressError::Setting { .. })));
    }

    #[test]
    fn the_label_shows_neither_user_nor_password() {
        for url in ["mysql://baca@db:1/posyandu?ssl-mode=REQUIRED", "mysql://u:p/w?x@y#z@db:1/posyandu"] {
            assert_eq!(label(url), "db:1/posyandu");
        }
    }
}
