//! SQLite: opens the database files, brings their schema up to date and refuses what cannot be trusted. Its twin for
//! PostgreSQL is `server`.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::link::{Link, Readers};
use crate::crash;
use crate::ledger::LedgerError;
use crate::seal::{Keys, SealError};

/// The schema's steps, oldest first; a database remembers the last one taken in `user_version`.
pub const STEPS: [&str; 17] = [
    include_str!("../../../schemas/ledger/sqlite/0001_ledger.sql"),
    include_str!("../../../schemas/ledger/sqlite/0002_window.sql"),
    include_str!("../../../schemas/ledger/sqlite/0003_taken_file.sql"),
    include_str!("../../../schemas/ledger/sqlite/0004_person.sql"),
    include_str!("../../../schemas/ledger/sqlite/0005_mapping_plan.sql"),
    include_str!("../../../schemas/ledger/sqlite/0006_series.sql"),
    include_str!("../../../schemas/ledger/sqlite/0007_sharing.sql"),
    include_str!("../../../schemas/ledger/sqlite/0008_registration.sql"),
    include_str!("../../../schemas/ledger/sqlite/0009_delivery.sql"),
    include_str!("../../../schemas/ledger/sqlite/0010_history.sql"),
    include_str!("../../../schemas/ledger/sqlite/0011_alarm.sql"),
    include_str!("../../../schemas/ledger/sqlite/0012_discrepancy.sql"),
    include_str!("../../../schemas/ledger/sqlite/0013_statement.sql"),
    include_str!("../../../schemas/ledger/sqlite/0014_account.sql"),
    include_str!("../../../schemas/ledger/sqlite/0015_person_question.sql"),
    include_str!("../../../schemas/ledger/sqlite/0016_page.sql"),
    include_str!("../../../schemas/ledger/sqlite/0017_rule.sql"),
];
/// Marks a file as ours: "PSYG" in ASCII, kept in `application_id`.
const APPLICATION: i64 = 0x5053_5947;
/// Oldest SQLite accepted: the one that corrected the WAL reset.
const LIBRARY_NEEDED: (u32, u32, u32) = (3, 51, 3);
/// The same as text.
const LIBRARY_NEEDED_TEXT: &str = "3.51.3";
/// Pages of the log (4 KiB each) after which they are carried into the database file, which waits for the disk twice:
/// 32 MiB. SQLite's own 1,000 pages are some 200 visits.
const LOG_PAGES: u32 = 8_192;
/// Pages that the writer keeps in memory, in KiB: what the visits under way touch.
const WRITER_CACHE_KIB: u32 = 8 * 1_024;
/// Connections that read, at most.
pub const READERS_MAX: u32 = 4;
/// How long a connection waits for another process, in seconds.
const BUSY_SECONDS: u64 = 10;
/// Pages that each connection of a dry run keeps in memory, in KiB.
const SCRATCH_CACHE_KIB: u32 = 1_024;
/// Rows handed over between the thread that reads them and the one that asked, before one waits for the other.
const ROWS_AHEAD: usize = 512;
/// Prepared statements kept per connection.
pub const STATEMENTS: usize = 200;
/// Name and content of the row that shows whether the keys fit.
const KEY_CHECK: (&str, &[u8]) = ("key_check", b"posyandu-gateway");

/// How long a connection waits for another process.
pub fn busy() -> Duration {
    Duration::from_secs(BUSY_SECONDS)
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(busy())
        .statement_cache_capacity(STATEMENTS)
        .foreign_keys(true)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging()
}

/// Opens the one connection that writes; the database grows to `bytes_max` at most.
pub async fn open_writer(path: &Path, bytes_max: Option<u64>) -> Result<Link, LedgerError> {
    let mut connection = options(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", LOG_PAGES.to_string())
        .pragma("cache_size", format!("-{WRITER_CACHE_KIB}"))
        .pragma("secure_delete", "on")
        .pragma("temp_store", "memory")
        .connect()
        .await?;
    if let Some(bytes) = bytes_max {
        let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut connection).await?;
        let pages = bytes / u64::try_from(page).unwrap_or(1).max(1);
        // A PRAGMA takes no bound values; this one is a number of our own.
        let text = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {pages}"));
        sqlx::raw_sql(text).execute(&mut connection).await?;
    }
    let library: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await?;
    match is_new_enough(&library) {
        true => Ok(Link::Sqlite(connection)),
        false => Err(LedgerError::Library { found: format!("SQLite {library}"), needed: LIBRARY_NEEDED_TEXT }),
    }
}

/// Whether there is no database at a path, or one without a single table.
pub async fn is_empty(path: &Path) -> Result<bool, LedgerError> {
    if !path.is_file() {
        return Ok(true);
    }
    let mut connection = options(path).read_only(true).connect().await?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(tables == 0)
}

/// Connections that only read; opened when first used.
pub fn readers(path: &Path, alone: bool) -> Readers {
    let options = options(path).read_only(alone).pragma("query_only", "on").pragma("temp_store", "memory");
    Readers::Sqlite(SqlitePoolOptions::new().max_connections(READERS_MAX).connect_lazy_with(options))
}

/// A writer and a reader on a database that lives in memory under a name of its own, for a dry run.
pub async fn in_memory(name: &Path) -> Result<(Link, Readers), LedgerError> {
    let options = options(name).in_memory(true).shared_cache(true).pragma("read_uncommitted", "on");
    let writer = options.clone().create_if_missing(true).connect().await?;
    let readers = SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options.pragma("query_only", "on"));
    Ok((Link::Sqlite(writer), Readers::Sqlite(readers)))
}

/// A writer and a reader on a file for one dry run. It need not survive anything, so nothing is kept to undo with and
/// nothing waits for the disk; what does not fit the caches, sorting included, goes to the disk.
pub async fn scratch(path: &Path) -> Result<(Link, Readers), LedgerError> {
    let options = options(path)
        .pragma("cache_size", format!("-{SCRATCH_CACHE_KIB}"))
        .pragma("temp_store", "file")
        .synchronous(SqliteSynchronous::Off)
        .journal_mode(SqliteJournalMode::Off);
    let writer = options.clone().create_if_missing(true).connect().await?;
    // The file loses its name when both are connected, so neither may ever connect again.
    let readers = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
    let readers = readers.connect_with(options.pragma("query_only", "on")).await?;
    Ok((Link::Sqlite(writer), Readers::Sqlite(readers)))
}

fn is_new_enough(library: &str) -> bool {
    let mut parts = library.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next()) >= LIBRARY_NEEDED
}

/// Refuses a database of another program or of a newer gateway; returns its schema's number.
pub async fn check_version(link: &mut Link, path: &Path) -> Result<usize, LedgerError> {
    let version: i64 = link.scalar("PRAGMA user_version", values![]).await?;
    let application: i64 = link.scalar("PRAGMA application_id", values![]).await?;
    let tables: i64 = link.scalar("SELECT count(*) FROM sqlite_schema", values![]).await?;
    let is_empty = tables == 0 && version == 0 && application == 0;
    if application != APPLICATION && !is_empty {
        return Err(LedgerError::Foreign(path.display().to_string()));
    }
    known(version)
}

/// A schema's number, unless a newer gateway made it.
pub fn known(version: i64) -> Result<usize, LedgerError> {
    usize::try_from(version)
        .ok()
        .filter(|step| *step <= STEPS.len())
        .ok_or(LedgerError::Newer { found: version, known: STEPS.len() as i64 })
}

/// The newest schema known here.
pub const NEWEST: usize = STEPS.len();

/// Type, name and text of everything a schema has, without what SQLite keeps for itself.
const SHAPE: &str = "SELECT type, name, coalesce(sql, '') FROM main.sqlite_schema
    WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name";

/// The first table, index or trigger that is not as the schema has it; `None` when all are.
pub async fn missing(connection: &mut SqliteConnection) -> Result<Option<String>, LedgerError> {
    let model = SqliteConnectOptions::new().in_memory(true).disable_statement_logging().connect().await?;
    let mut model = Link::Sqlite(model);
    migrate(&mut model, Path::new(":memory:")).await?;
    let wanted: Vec<(String, String, String)> = model.all(SHAPE, values![]).await?;
    let found: Vec<(String, String, String)> = sqlx::query_as(SHAPE).fetch_all(connection).await?;
    let differs = |(one, other): (&Vec<_>, &Vec<(String, String, String)>)| {
        let first: Option<&(String, String, String)> = one.iter().find(|part| !other.contains(part));
        first.map(|(kind, name, _)| format!("{kind} {name}"))
    };
    Ok(differs((&wanted, &found)).or_else(|| differs((&found, &wanted))))
}

/// Takes the steps that are missing, each in its own transaction.
pub async fn migrate(link: &mut Link, path: &Path) -> Result<(), LedgerError> {
    let taken = check_version(link, path).await?;
    for (number, step) in STEPS.iter().enumerate().skip(taken) {
        // Numbers of our own cannot be bound in a PRAGMA; nothing from outside enters this text.
        let text = format!(
            "BEGIN IMMEDIATE;\n{step}\nPRAGMA application_id = {APPLICATION};\nPRAGMA user_version = {};\nCOMMIT;",
            number + 1
        );
        if let Err(error) = crash::around("ledger.migrate.step", link.script(text)).await {
            // The transaction may be gone already; the first error is the one that matters.
            let _ = link.execute("ROLLBACK", values![]).await;
            return Err(error.into());
        }
    }
    Ok(())
}

/// Refuses keys that did not seal this ledger; the first opening remembers its keys.
pub async fn check_keys(link: &mut Link, keys: &Keys) -> Result<(), LedgerError> {
    let (name, content) = KEY_CHECK;
    let stored = "SELECT value FROM meta WHERE name = ?1";
    let mut found: Option<Vec<u8>> = link.first(stored, values![name]).await?;
    if found.is_none() {
        // Another daemon may do the same at this moment: what stands there then counts.
        let insert = "INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
        crash::around("ledger.key_check", link.execute(insert, values![name, keys.seal(name, content)?])).await?;
        found = link.first(stored, values![name]).await?;
    }
    match keys.open(name, &found.unwrap_or_default()) {
        Ok(plain) if plain == content => Ok(()),
        Ok(_) | Err(SealError::Altered(_) | SealError::NotSealed(_)) => Err(LedgerError::WrongKeys),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_corrected_library_is_accepted() {
        for (version, accepted) in
            [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.51.2", false), ("3.9.9", false)]
        {
            assert_eq!(is_new_enough(version), accepted, "{version}");
        }
    }
}
