//! The ledger: what was read, what was promised, what was sent and what became of it, durable before it is counted.
//!
//! Personal data is sealed before it is stored. The ledger knows no HTTP and no mapping; a person's decision is a
//! command kept here, never a send. All SQL stands in `store`: one set of statements for SQLite and PostgreSQL.

pub mod account;
pub mod alarm;
pub mod attempt;
pub mod attention;
pub mod backup;
pub mod board;
mod cache;
mod carrying_out;
mod chain;
pub mod checkpoint;
mod command;
pub mod comparing;
pub mod decision;
mod delivery;
pub mod discrepancy;
pub mod entry;
pub mod forecast;
mod intake;
pub mod lane;
mod lock;
mod mirror;
pub mod origin;
pub mod person;
pub mod plan;
pub mod question;
pub mod reading;
pub mod recap;
pub mod registration;
pub mod remembered;
pub mod removal;
mod replay;
pub mod row;
pub mod series;
pub mod server;
pub mod sharing;
pub mod standing;
pub mod state;
pub mod statement;
#[macro_use]
mod store;
pub mod taken;
pub mod turn;
pub mod verify;
pub mod watching;
mod writer;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Zone};
use crate::crash;
use crate::seal::{Keys, SealError};
use chain::Chain;
use entry::EntryId;
use mirror::Told;
use store::link::Readers;
use writer::{Holder, Home, Writer};

/// Where the ledger lies and how it behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; a `.lock` file and SQLite's own files stand beside it.
    pub path: PathBuf,
    /// How long a claim is good for, in seconds; longer than twice the longest request.
    pub lease_seconds: u64,
    /// Zone in which a row without a service date is counted on a day.
    pub zone: Zone,
    /// Largest database, in bytes; a write beyond it is refused as [`LedgerError::Full`]. `None` leaves it to the disk.
    pub bytes_max: Option<u64>,
}

/// Lease of a dry run; nothing is ever claimed from it.
const DRY_RUN_LEASE: Duration = Duration::from_secs(60);

/// The ledger of one installation. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Ledger {
    keys: Arc<Keys>,
    clock: Clock,
    zone: Zone,
    readers: Readers,
    writer: Option<Writer>,
}

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process holds the ledger.
    #[error("another instance holds the ledger {}", .0.display())]
    Held(PathBuf),
    /// The data folder cannot be used.
    #[error("the ledger's folder cannot be used: {}", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder lies on another machine: locks and syncs there cannot be relied on.
    #[error("the ledger's folder {} lies on a network file system: put data_dir on a disk of this machine", .0.display())]
    Network(PathBuf),
    /// There is no ledger to read.
    #[error("there is no ledger at {0}")]
    Absent(String),
    /// There was a ledger, and nothing of it is left.
    #[error("there was a ledger at {}, and it is gone or empty", .0.display())]
    Gone(PathBuf),
    /// The ledger could not be copied before its schema changes, so it was left as it is.
    #[error("the ledger is not changed without a copy of it")]
    Kept(#[source] Box<backup::BackupError>),
    /// The database is damaged.
    #[error("the ledger's database is damaged")]
    Damaged,
    /// What was asked for works on a file only.
    #[error("the ledger is on a PostgreSQL server: verify, backup and restore work on a ledger in a SQLite file")]
    OnServer,
    /// The SQLite library is older than the one with the last WAL correction, or the PostgreSQL server too old.
    #[error("{found} is too old for the ledger: at least {needed} is needed")]
    Library {
        /// Version of the library.
        found: String,
        /// Oldest version accepted.
        needed: &'static str,
    },
    /// A newer gateway wrote this ledger.
    #[error("the ledger has schema {found}, this program knows up to {known}: use the newer program")]
    Newer {
        /// The ledger's schema.
        found: i64,
        /// The newest schema known here.
        known: i64,
    },
    /// The file is a database of something else.
    #[error("{0} is not a ledger of posyandu-gateway")]
    Foreign(String),
    /// The key file belongs to another ledger.
    #[error("the key file does not fit this ledger")]
    WrongKeys,
    /// Another SATUSEHAT than the one that this ledger tells about.
    #[error("this ledger tells what is at {bound}, not what is at {asked}")]
    OtherServer {
        /// Host that it belongs to.
        bound: String,
        /// Host of the configuration.
        asked: String,
    },
    /// The disk is full; nothing of the command was stored.
    #[error("the disk, or the ledger's share of it, is full, so nothing more is recorded or sent")]
    Full,
    /// A write or its sync failed, so nothing is certain any more: stop and start again.
    #[error("the ledger could not be written safely: stop the gateway and start it again")]
    Broken,
    /// The database server cannot be reached or does not let the gateway in.
    #[error("the ledger's database {place} cannot be reached or used")]
    Unreachable {
        /// Host and database.
        place: String,
        /// Why.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// The connection to the database server broke, so it is not known whether the change was stored: it is looked
    /// up, never assumed, see [`server`].
    #[error("the connection to the ledger's database broke; what was under way is looked up again")]
    Lost,
    /// The ledger was closed.
    #[error("the ledger is closed")]
    Closed,
    /// The ledger was opened for reading only.
    #[error("the ledger was opened for reading only")]
    ReadOnly,
    /// The lease ran out or was never valid: the caller must not answer for the entry.
    #[error("the lease on entry {} is lost", .0.number())]
    LostLease(EntryId),
    /// An attempt that does not exist or has ended.
    #[error("the attempt does not exist or has ended")]
    NoSuchAttempt,
    /// Another row told the same number meanwhile: look the persons up again.
    #[error("another row told the same person meanwhile")]
    PersonTaken,
    /// An entry that does not exist.
    #[error("entry {} does not exist", .0.number())]
    NoSuchEntry(EntryId),
    /// The id of a person's command was used for another decision.
    #[error("this command id was used for another decision: give each decision an id of its own")]
    CommandUsed,
    /// A visit that does not exist.
    #[error("the visit does not exist")]
    NoSuchVisit,
    /// A pass that does not exist or is finished.
    #[error("the pass does not exist or is finished")]
    NoSuchPass,
    /// Another daemon reads the same file or table at this moment.
    #[error("another daemon reads the same file or table at this moment")]
    BeingRead,
    /// A row with records must have at least one.
    #[error("a row that yields records needs at least one")]
    NoRecords,
    /// Delivered needs a server id of the right type for every resource.
    #[error("entry {} cannot be delivered: a resource lacks its server id or has another type", .0.number())]
    Incomplete(EntryId),
    /// Only delivered entries are read back.
    #[error("entry {} is not delivered", .0.number())]
    NotDelivered(EntryId),
    /// The mapping refused the records: they must be corrected, sending them again would help nobody.
    #[error("entry {} was refused by the mapping: its records must be corrected first", .0.number())]
    NeedsCorrection(EntryId),
    /// It stands behind an older version of the visit that the server may be working on: both at once may not stand.
    #[error("entry {} waits for the outcome of the version sent before it: decide after that", .0.number())]
    WaitsForPredecessor(EntryId),
    /// Only waiving and retrying are a person's decisions.
    #[error("this is not a person's decision: {0}")]
    NotADecision(&'static str),
    /// The step is not legal.
    #[error(transparent)]
    Illegal(#[from] state::Illegal),
    /// Sealing or opening failed.
    #[error("personal data cannot be sealed or opened")]
    Seal(#[from] SealError),
    /// Stored content that this program cannot have written.
    #[error("the ledger holds an impossible {0}")]
    Spoiled(&'static str),
    /// The database failed.
    #[error("the ledger's database failed")]
    Store(#[source] Arc<sqlx::Error>),
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        store::trouble::judge(error)
    }
}

impl LedgerError {
    /// The same failure once more: a transaction that fails, fails for everyone in it.
    fn again(&self) -> Self {
        match self {
            Self::Full => Self::Full,
            Self::Damaged => Self::Damaged,
            Self::Lost => Self::Lost,
            Self::Unreachable { place, source } => {
                Self::Unreachable { place: place.clone(), source: Arc::clone(source) }
            }
            Self::Store(source) => Self::Store(Arc::clone(source)),
            _ => Self::Broken,
        }
    }

    /// Whether the transaction around the failed statement is lost too.
    fn spoils_transaction(&self) -> bool {
        matches!(self, Self::Full | Self::Broken | Self::Damaged | Self::Lost | Self::Unreachable { .. })
    }
}

impl Ledger {
    /// Opens the ledger for writing, creates or migrates it, and recovers: entries that were in flight become
    /// Unknown when their send had begun, Pending when not.
    ///
    /// # Errors
    /// [`LedgerError::Held`] when another process has it open; any of the opening errors.
    pub async fn open(options: &Options, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        let (path, now) = (&options.path, clock.now());
        let lock = lock::lock(path)?;
        crash::point("ledger.open.locked");
        if mirror::told(&lock, path)? != Told::Nothing && store::schema::is_empty(path).await? {
            return Err(LedgerError::Gone(path.clone()));
        }
        let mut link = store::schema::open_writer(path, options.bytes_max).await?;
        crash::point("ledger.open.connected");
        let schema = store::schema::check_version(&mut link, path).await?;
        if schema > 0 && schema < store::schema::NEWEST {
            let kept =
                backup::before_migration(path, schema).await.map_err(|error| LedgerError::Kept(Box::new(error)))?;
            tracing::info!(schema, copy = %kept.display(), "the ledger was copied before its schema changes");
        }
        store::schema::migrate(&mut link, path).await?;
        crash::point("ledger.open.migrated");
        store::schema::check_keys(&mut link, &keys).await?;
        crash::point("ledger.open.keys_fit");
        let mut chain = Chain::begin(link.file()?, Arc::clone(&keys), now).await?;
        let is_newest = chain.follow(link.file()?, lock, path.clone()).await?;
        store::recovery::recover(&mut link, &chain, now).await?;
        crash::point("ledger.open.recovered");
        if !is_newest {
            tracing::warn!(
                "an older copy of the ledger was put in place: what it holds is looked up before it is sent"
            );
            store::recovery::doubt(&mut link, &chain, "found", now).await?;
        }
        chain.tell()?;
        let readers = store::schema::readers(path, false);
        let lease = Duration::from_secs(options.lease_seconds);
        let writer = Writer::start(link, Home::File(Some(chain)), clock.clone(), Holder::new(lease));
        Ok(Self { keys, clock, zone: options.zone, readers, writer: Some(writer) })
    }

    /// A ledger for a dry run, which counts by the very same rules. It lies in a file, so that memory does not grow
    /// with the rows: sealed as always, in a new `folder` that only its owner can enter. File and folder lose their
    /// names before the first row is written, so they are gone with the process however it ends.
    ///
    /// # Errors
    /// [`LedgerError::Folder`] when the folder cannot be made; failures of the store.
    pub async fn scratch(folder: &Path, zone: Zone, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::Folder { path: folder.to_owned(), source };
        let mut private = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut private, 0o700);
        private.create(folder).map_err(failed)?;
        let opened = Self::scratch_in(folder, zone, keys, clock).await;
        let removed = fs::remove_dir_all(folder).map_err(failed);
        let ledger = opened?;
        removed?;
        Ok(ledger)
    }

    async fn scratch_in(folder: &Path, zone: Zone, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        let path = folder.join("ledger.sqlite");
        let (mut connection, readers) = store::schema::scratch(&path).await?;
        store::schema::migrate(&mut connection, &path).await?;
        store::schema::check_keys(&mut connection, &keys).await?;
        let writer = Writer::start(connection, Home::File(None), clock.clone(), Holder::new(DRY_RUN_LEASE));
        Ok(Self { keys, clock, zone, readers, writer: Some(writer) })
    }

    /// A ledger in memory that is gone with the process, for a handful of rows.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn in_memory(zone: Zone, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        let name = PathBuf::from(format!("file:dry-run-{}", uuid::Uuid::new_v4()));
        let (mut connection, readers) = store::schema::in_memory(&name).await?;
        store::schema::migrate(&mut connection, &name).await?;
        store::schema::check_keys(&mut connection, &keys).await?;
        let writer = Writer::start(connection, Home::File(None), clock.clone(), Holder::new(DRY_RUN_LEASE));
        Ok(Self { keys, clock, zone, readers, writer: Some(writer) })
    }

    /// Opens the ledger for reading, also while another process writes it.
    ///
    /// # Errors
    /// [`LedgerError::Absent`] and the other opening errors.
    pub async fn open_read_only(options: &Options, keys: Arc<Keys>, clock: Clock) -> Result<Self, LedgerError> {
        if !options.path.is_file() {
            return Err(LedgerError::Absent(options.path.display().to_string()));
        }
        let readers = store::schema::readers(&options.path, true);
        let mut connection = readers.acquire().await?;
        store::schema::check_version(&mut connection, &options.path).await?;
        store::schema::check_keys(&mut connection, &keys).await?;
        drop(connection);
        Ok(Self { keys, clock, zone: options.zone, readers, writer: None })
    }

    /// Finishes what is queued and closes the files.
    ///
    /// # Errors
    /// When the database cannot be closed properly; everything answered before stays stored.
    pub async fn close(self) -> Result<(), LedgerError> {
        self.readers.close().await;
        match self.writer {
            Some(writer) => writer.close().await,
            None => Ok(()),
        }
    }

    /// Whether other daemons may write to it at the same time.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self.readers, Readers::Postgres(_))
    }

    /// Write transactions committed since opening, each one a sync to disk.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::commits)
    }

    /// Commands answered by those transactions.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::writes)
    }

    fn writer(&self) -> Result<&Writer, LedgerError> {
        self.writer.as_ref().ok_or(LedgerError::ReadOnly)
    }
}
