//! PostgreSQL: connects, brings the schema up to date, opens and orders transactions, and refuses what cannot be
//! trusted. The twin of `schema`.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, PgConnection};

use super::link::{Link, Readers};
use super::{schema, time};
use crate::crash;
use crate::ledger::LedgerError;
use crate::ledger::server::Server;

/// The schema's steps, oldest first, with the numbers of SQLite's; `meta` remembers the last one taken.
const STEPS: [&str; schema::STEPS.len()] = [
    include_str!("../../../schemas/ledger/postgres/0001_ledger.sql"),
    include_str!("../../../schemas/ledger/postgres/0002_window.sql"),
    include_str!("../../../schemas/ledger/postgres/0003_taken_file.sql"),
    include_str!("../../../schemas/ledger/postgres/0004_person.sql"),
    include_str!("../../../schemas/ledger/postgres/0005_mapping_plan.sql"),
    include_str!("../../../schemas/ledger/postgres/0006_series.sql"),
    include_str!("../../../schemas/ledger/postgres/0007_sharing.sql"),
    include_str!("../../../schemas/ledger/postgres/0008_registration.sql"),
    include_str!("../../../schemas/ledger/postgres/0009_delivery.sql"),
    include_str!("../../../schemas/ledger/postgres/0010_history.sql"),
    include_str!("../../../schemas/ledger/postgres/0011_alarm.sql"),
    include_str!("../../../schemas/ledger/postgres/0012_discrepancy.sql"),
    include_str!("../../../schemas/ledger/postgres/0013_statement.sql"),
    include_str!("../../../schemas/ledger/postgres/0014_account.sql"),
    include_str!("../../../schemas/ledger/postgres/0015_person_question.sql"),
    include_str!("../../../schemas/ledger/postgres/0016_page.sql"),
    include_str!("../../../schemas/ledger/postgres/0017_rule.sql"),
];
/// Oldest server accepted (`server_version_num`): the oldest that its makers still correct.
const SERVER_NEEDED: i64 = 140_000;
/// The same as text.
const SERVER_NEEDED_TEXT: &str = "14";
/// Longest time one statement may take; the server itself stops then.
const STATEMENT_TIMEOUT: &str = "60s";
/// Longest wait for a lock: longer than the server lets a stopped daemon keep one.
const LOCK_TIMEOUT: &str = "40s";
/// A daemon that was suspended in the middle of a transaction loses it, and its locks, after this.
const IDLE_TIMEOUT: &str = "20s";
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before what is queued for a server that went away fails: some 20 s for one that refuses at once.
const RECONNECT_PAUSES: u32 = 80;
/// Pause between two attempts to connect again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(250);
/// The advisory lock of the ledger ("PSYG" in ASCII), and the one of what only spares calls.
const LOCK_LEDGER: i64 = 0x5053_5947;
const LOCK_CACHE: i64 = 0x5053_5948;

/// What a group of commands may touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Only entries under this daemon's own leases, and entries that nobody else has locked.
    Own,
    /// Those, and what is remembered to spare calls.
    Cache,
    /// Everything.
    All,
}

fn options(server: &Server) -> Result<PgConnectOptions, sqlx::Error> {
    let mut options = PgConnectOptions::from_str(&server.url)?
        .application_name("posyandu-gateway")
        .statement_cache_capacity(schema::STATEMENTS)
        .options([
            ("synchronous_commit", "on"),
            ("statement_timeout", STATEMENT_TIMEOUT),
            ("lock_timeout", LOCK_TIMEOUT),
            ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
            ("default_transaction_isolation", "read committed"),
            // Tables grow a thousandfold while a statement stays prepared: each run is planned for what is there.
            ("plan_cache_mode", "force_custom_plan"),
            ("jit", "off"),
            ("client_min_messages", "warning"),
        ]);
    if let Some(password) = &server.password {
        options = options.password(password.reveal());
    }
    Ok(options.disable_statement_logging())
}

/// Connects for writing.
///
/// # Errors
/// [`LedgerError::Unreachable`], [`LedgerError::Library`].
pub async fn open(server: &Server) -> Result<Link, LedgerError> {
    let mut link = Link::Postgres(connect(server).await?);
    let version: i64 = link.scalar("SELECT current_setting('server_version_num')::bigint", values![]).await?;
    if version < SERVER_NEEDED {
        let found = format!("PostgreSQL {}", version / 10_000);
        return Err(LedgerError::Library { found, needed: SERVER_NEEDED_TEXT });
    }
    Ok(link)
}

/// Connects, without asking for more.
pub async fn connect(server: &Server) -> Result<PgConnection, LedgerError> {
    let unreachable = |source| LedgerError::Unreachable { place: server.label.clone(), source: Arc::new(source) };
    let options = options(server).map_err(unreachable)?;
    match tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await {
        Ok(connected) => connected.map_err(unreachable),
        Err(_) => Err(unreachable(sqlx::Error::PoolTimedOut)),
    }
}

/// Connects to a server that went away, for as long as a restart takes.
pub async fn connect_again(server: &Server) -> Result<Link, LedgerError> {
    let mut pauses = RECONNECT_PAUSES;
    loop {
        match connect(server).await {
            Ok(connection) => {
                tracing::info!("connected to the ledger's database again");
                return Ok(Link::Postgres(connection));
            }
            Err(error) if pauses == 0 => return Err(error),
            Err(_) => tokio::time::sleep(RECONNECT_PAUSE).await,
        }
        pauses -= 1;
    }
}

/// Connections that only read; opened when first used, and again when the server was gone.
pub fn readers(server: &Server) -> Result<Readers, LedgerError> {
    let options = options(server)?.options([("default_transaction_read_only", "on")]);
    let pool = PgPoolOptions::new().max_connections(schema::READERS_MAX).acquire_timeout(CONNECT_TIMEOUT);
    Ok(Readers::Postgres(pool.connect_lazy_with(options)))
}

/// Refuses a database of another program or of a newer gateway; returns its schema's number.
pub async fn check_version(link: &mut Link, label: &str) -> Result<usize, LedgerError> {
    let foreign = || LedgerError::Foreign(label.to_owned());
    let (tables, own): (i64, i64) = link
        .one(
            "SELECT count(*), count(*) FILTER (WHERE c.relname = 'meta') FROM pg_catalog.pg_class AS c
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = current_schema()
             WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')",
            values![],
        )
        .await?;
    if own == 0 {
        return if tables == 0 { Ok(0) } else { Err(foreign()) };
    }
    let stored: Result<Option<Vec<u8>>, _> =
        link.first("SELECT value FROM meta WHERE name = 'schema'", values![]).await;
    let text = match stored {
        Ok(Some(stored)) => String::from_utf8(stored).map_err(|_| foreign())?,
        // A table of that name with other columns, or without our mark.
        Ok(None) | Err(sqlx::Error::Database(_) | sqlx::Error::ColumnDecode { .. }) => return Err(foreign()),
        Err(error) => return Err(error.into()),
    };
    let number = text.strip_prefix("posyandu-gateway/").and_then(|number| number.parse().ok());
    schema::known(number.ok_or_else(foreign)?)
}

/// Takes the steps that are missing, all in one transaction: daemons that start together do it once.
pub async fn migrate(link: &mut Link, label: &str) -> Result<(), LedgerError> {
    if check_version(link, label).await? == STEPS.len() {
        return Ok(());
    }
    let result = migrate_alone(link, label).await;
    if result.is_err() {
        // The first error is the one that matters.
        let _ = link.execute("ROLLBACK", values![]).await;
    }
    result
}

async fn migrate_alone(link: &mut Link, label: &str) -> Result<(), LedgerError> {
    begin(link, Reach::All).await?;
    let taken = check_version(link, label).await?;
    for (number, step) in STEPS.iter().enumerate().skip(taken) {
        link.script((*step).to_owned()).await?;
        let mark = format!("posyandu-gateway/{}", number + 1).into_bytes();
        let statement = "INSERT INTO meta (name, value) VALUES ('schema', ?1)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        link.execute(statement, values![mark]).await?;
    }
    crash::around("ledger.connect.migrate", link.execute("COMMIT", values![])).await?;
    Ok(())
}

/// The database's time in milliseconds, once the lock is held.
macro_rules! now_after {
    ($locks:literal) => {
        concat!("SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint FROM ", $locks)
    };
}

/// Begins a transaction that may touch so much; gives the database's time.
pub async fn begin(link: &mut Link, reach: Reach) -> Result<Timestamp, LedgerError> {
    link.execute("BEGIN", values![]).await?;
    let now: i64 = match reach {
        Reach::Own => link.scalar(now_after!("pg_advisory_xact_lock_shared(?1)"), values![LOCK_LEDGER]).await?,
        Reach::Cache => {
            let locks = now_after!("pg_advisory_xact_lock_shared(?1), pg_advisory_xact_lock(?2)");
            link.scalar(locks, values![LOCK_LEDGER, LOCK_CACHE]).await?
        }
        Reach::All => link.scalar(now_after!("pg_advisory_xact_lock(?1)"), values![LOCK_LEDGER]).await?,
    };
    time(now)
}
