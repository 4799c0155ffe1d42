//! Copies of the ledger, and the way back from one.
//!
//! A copy is whole and checked before it gets its name, and no name is ever taken twice. A ledger that an older copy
//! replaces is kept; what the copy cannot know of is looked up at the server before it is sent.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use tempfile::NamedTempFile;

use super::chain::Chain;
use super::lock::{beside, lock};
use super::store::{self, backup, chain, schema};
use super::verify::Verified;
use super::{Ledger, LedgerError, Options, mirror};
use crate::clock::Clock;
use crate::seal::Keys;

/// Room left on the disk after a copy, in bytes: the gateway goes on writing beside it.
const ROOM_LEFT: u64 = 16 * 1024 * 1024;
/// Names tried for what is kept, before giving up.
const NAMES_MAX: u32 = 1_000;

/// What can go wrong with copies.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The file exists; it is never overwritten.
    #[error("{} exists already and is not overwritten: choose another name", .0.display())]
    Exists(PathBuf),
    /// Not enough room.
    #[error("the copy needs {needed} bytes in {}, and {free} are free", folder.display())]
    Room {
        /// Where.
        folder: PathBuf,
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
    },
    /// A file could not be written.
    #[error("{} cannot be written", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The copy is not sound; it was not kept, or not put in place.
    #[error("{} is not sound: {}", path.display(), findings.join(", "))]
    Unsound {
        /// The copy.
        path: PathBuf,
        /// Names of what was found.
        findings: Vec<String>,
    },
    /// The ledger failed.
    #[error("the copy of the ledger failed")]
    Ledger(#[source] LedgerError),
}

impl From<LedgerError> for BackupError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<sqlx::Error> for BackupError {
    fn from(error: sqlx::Error) -> Self {
        Self::Ledger(error.into())
    }
}

/// What restoring did.
#[derive(Debug)]
pub struct Restored {
    /// Where the ledger lies that was replaced, when there was one.
    pub aside: Option<PathBuf>,
    /// The copy as it was found.
    pub verified: Verified,
    /// Entries that are looked up at the server before they are sent.
    pub doubted: u64,
}

impl Ledger {
    /// Copies the ledger into a new file of mode 0600, also while it is written, and checks the copy.
    ///
    /// # Errors
    /// [`BackupError`]; nothing is left under the name then.
    pub async fn backup(
        options: &Options,
        keys: Arc<Keys>,
        clock: Clock,
        target: &Path,
    ) -> Result<Verified, BackupError> {
        let copy = copy(&options.path, target).await?;
        let verified = verify_at(options, copy.path(), keys, clock).await?;
        if !verified.is_sound() {
            return Err(unsound(target, &verified));
        }
        keep(copy, target)?;
        Ok(verified)
    }

    /// Puts a copy in the ledger's place. The ledger that was there is kept under another name; everything that is
    /// not delivered in the copy, and everything read again later, is looked up at the server before it is sent.
    ///
    /// # Errors
    /// [`LedgerError::Held`] inside while a gateway holds the ledger; [`BackupError`].
    pub async fn restore(
        options: &Options,
        keys: Arc<Keys>,
        clock: Clock,
        from: &Path,
    ) -> Result<Restored, BackupError> {
        if !from.is_file() {
            return Err(LedgerError::Absent(from.display().to_string()).into());
        }
        let lock = lock(&options.path)?;
        let verified = verify_at(options, from, Arc::clone(&keys), clock.clone()).await?;
        if !verified.is_sound() {
            return Err(unsound(from, &verified));
        }
        let new = copy(from, &options.path).await?;
        let (doubted, head) = doubt_all(new.path(), keys, clock.now()).await?;
        let aside = put_aside(&options.path, clock.now()).await?;
        keep(new, &options.path)?;
        mirror::tell(&lock, &options.path, head.0, &head.1)?;
        Ok(Restored { aside, verified, doubted })
    }
}

/// Copies the ledger before its schema is changed; the copy is named after the schema it has.
pub(super) async fn before_migration(path: &Path, schema: usize) -> Result<PathBuf, BackupError> {
    let target = free_name(path, &format!("schema-{schema}.backup"))?;
    let copy = copy(path, &target).await?;
    if !backup::is_whole(copy.path()).await? {
        return Err(BackupError::Unsound { path: path.to_owned(), findings: vec!["database.damaged".to_owned()] });
    }
    keep(copy, &target)?;
    Ok(target)
}

async fn verify_at(options: &Options, at: &Path, keys: Arc<Keys>, clock: Clock) -> Result<Verified, BackupError> {
    let options = Options { path: at.to_owned(), ..options.clone() };
    let ledger = Ledger::open_read_only(&options, keys, clock).await?;
    let verified = ledger.verify(None).await;
    ledger.close().await?;
    Ok(verified?)
}

fn unsound(path: &Path, verified: &Verified) -> BackupError {
    BackupError::Unsound {
        path: path.to_owned(),
        findings: verified.findings.keys().map(|name| (*name).to_owned()).collect(),
    }
}

/// A copy in the folder of its later name, without that name yet; readable by its owner only.
async fn copy(from: &Path, target: &Path) -> Result<NamedTempFile, BackupError> {
    let folder = folder_of(target);
    let failed = |source| BackupError::Write { path: folder.clone(), source };
    let needed = backup::size(from).await? + ROOM_LEFT;
    let about = rustix::fs::statvfs(&folder).map_err(|error| failed(error.into()))?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    if free < needed {
        return Err(BackupError::Room { folder, needed, free });
    }
    let file = tempfile::Builder::new().prefix(".ledger-copy-").tempfile_in(&folder).map_err(failed)?;
    backup::copy(from, file.path()).await?;
    file.as_file().sync_all().map_err(failed)?;
    Ok(file)
}

/// Gives a copy its name, unless something has it.
fn keep(copy: NamedTempFile, target: &Path) -> Result<(), BackupError> {
    copy.persist_noclobber(target).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists(target.to_owned()),
        _ => BackupError::Write { path: target.to_owned(), source: error.error },
    })?;
    sync(&folder_of(target))
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| BackupError::Write { path: folder.to_owned(), source })
}

/// A name beside the ledger that nothing has.
fn free_name(path: &Path, what: &str) -> Result<PathBuf, BackupError> {
    let names = (1..=NAMES_MAX).map(|number| match number {
        1 => beside(path, &format!(".{what}")),
        number => beside(path, &format!(".{what}-{number}")),
    });
    names.into_iter().find(|name| !name.exists()).ok_or_else(|| BackupError::Exists(beside(path, &format!(".{what}"))))
}

/// Marks everything in a copy that may have been sent by the ledger it came from; where its chain then stands.
async fn doubt_all(path: &Path, keys: Arc<Keys>, now: Timestamp) -> Result<(u64, (i64, [u8; 32])), BackupError> {
    let mut link = schema::open_writer(path, None).await?;
    schema::migrate(&mut link, path).await?;
    let chain = Chain::begin(link.file()?, keys, now).await?;
    store::recovery::recover(&mut link, &chain, now).await?;
    let doubted = store::recovery::doubt(&mut link, &chain, "commanded", now).await?;
    let head = chain::head(link.file()?).await?.ok_or(LedgerError::Spoiled("chain"))?;
    link.close().await?;
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|source| BackupError::Write { path: path.to_owned(), source })?;
    Ok((doubted, head))
}

/// Moves the ledger out of the way, with what stands beside it. The database goes first: without it the gateway
/// refuses to start, whatever happens in between.
async fn put_aside(path: &Path, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
    if !path.exists() {
        return Ok(None);
    }
    backup::fold(path).await;
    let aside = free_name(path, &format!("before-restore-{}", now.strftime("%Y%m%dT%H%M%SZ")))?;
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        if from.exists() {
            fs::rename(&from, &to).map_err(|source| BackupError::Write { path: from, source })?;
        }
    }
    sync(&folder_of(path))?;
    Ok(Some(aside))
}
