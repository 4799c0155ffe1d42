//! A folder into which people drop files: what lies in it, and which of it can be taken now.
//!
//! It must not follow a link, leave the folder, wait for a pipe or change anything. The folder is held open and each
//! name in it is looked up beneath that handle (fault 54); only regular files are opened at all.

pub mod copy;
pub mod name;

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

use self::name::{Judgement, Lock};

/// How long a file must lie unchanged before it is taken (fault 43).
pub const SETTLE: Duration = Duration::from_secs(10);
/// The same for a text whose last line has no end: perhaps its writer stopped in the middle.
pub const SETTLE_OPEN_END: Duration = Duration::from_secs(300);
/// A file that somebody keeps open, or that stays incomplete, is told after this long (fault 46).
pub const TOLD_AFTER: Duration = Duration::from_secs(30 * 60);
/// Most names looked at in one folder: a city's posyandu hand in some hundred files a month.
pub const FILES_MAX: usize = 2000;

/// What tells one state of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Length, in bytes.
    pub bytes: u64,
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds since 1970.
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    #[allow(
        clippy::unnecessary_cast,
        clippy::useless_conversion,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "the system's types differ between machines"
    )]
    fn of(stat: &Stat) -> Self {
        Self {
            bytes: stat.st_size as u64,
            device: stat.st_dev as u64,
            inode: stat.st_ino as u64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as i64),
        }
    }

    /// When the content was written last, as the file says.
    #[must_use]
    pub fn modified(&self) -> Timestamp {
        at(self.modified)
    }

    /// All of it as one text.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{self:?}")
    }

    /// Whether it lies unchanged for so long. Copies often keep an old time of their content, so the time of the last
    /// change to the file counts too, unless it lies ahead: then the clocks disagree. A content from the future is
    /// judged by that time alone.
    #[must_use]
    pub fn has_settled(&self, now: Timestamp, settle: Duration) -> bool {
        let age = |time: (i64, i64)| Duration::try_from(now.duration_since(at(time))).ok();
        match (age(self.modified), age(self.changed)) {
            (Some(modified), Some(changed)) => modified >= settle && changed >= settle,
            (Some(age), None) | (None, Some(age)) => age >= settle,
            (None, None) => false,
        }
    }
}

fn at((seconds, nanoseconds): (i64, i64)) -> Timestamp {
    Timestamp::new(seconds, i32::try_from(nanoseconds).unwrap_or(0)).unwrap_or(Timestamp::MIN)
}

/// Why a file is not taken yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// It is empty, or was written to a moment ago.
    Settling,
    /// Somebody has it open.
    Open,
    /// Its end is missing.
    Incomplete,
}

/// What is to become of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be taken.
    Ready(Stamp),
    /// Not yet; since when.
    Waiting(Wait, Timestamp),
    /// Never under this name; a rule of the words catalogue.
    Refused(&'static str),
}

/// A name in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The name, fit to be shown: what is not is escaped, and then the file is refused.
    pub name: String,
    /// What is to become of it.
    pub standing: Standing,
}

/// What a folder holds.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// Its files, those written first in front.
    pub files: Vec<Found>,
    /// There are more than [`FILES_MAX`] names; the others were not looked at.
    pub is_full: bool,
}

/// A folder held open.
#[derive(Debug)]
pub struct Folder {
    handle: OwnedFd,
}

impl Folder {
    /// Opens the folder. A link is followed, since an administrator may point a source at one.
    ///
    /// # Errors
    /// When it is not there, is no folder, or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { handle: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// Looks at every name without opening any.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn look(&self, now: Timestamp) -> io::Result<Sight> {
        let mut sight = Sight::default();
        let mut names: Vec<Vec<u8>> = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() >= FILES_MAX {
                sight.is_full = true;
                break;
            }
            names.push(name.to_owned());
        }
        let locks: HashMap<String, Timestamp> = names
            .iter()
            .filter_map(|name| Some((Lock::of(name)?.of_file, self.stat(name).ok()?)))
            .map(|(of, stat)| (of, Stamp::of(&stat).modified()))
            .collect();
        let mut found: Vec<(Option<Timestamp>, Found)> =
            names.iter().filter_map(|name| self.judge(name, &locks, now)).collect();
        found.sort_by(|(left, one), (right, other)| (left, &one.name).cmp(&(right, &other.name)));
        sight.files = found.into_iter().map(|(_, found)| found).collect();
        Ok(sight)
    }

    /// What one name stands for; `None` for names that are passed over in silence.
    fn judge(
        &self,
        raw: &[u8],
        locks: &HashMap<String, Timestamp>,
        now: Timestamp,
    ) -> Option<(Option<Timestamp>, Found)> {
        let refused = |name: String, rule| Some((None, Found { name, standing: Standing::Refused(rule) }));
        let name = match name::judge(raw) {
            Judgement::Passed => return None,
            Judgement::Refused { shown, rule } => return refused(shown, rule),
            Judgement::Fine(name) => name.to_owned(),
        };
        // What is gone by now has left the folder.
        let stat = self.stat(raw).ok()?;
        if let Some(rule) = kind_refused(&stat) {
            return refused(name, rule);
        }
        let stamp = Stamp::of(&stat);
        let standing = match locks.get(&name.to_lowercase()) {
            Some(since) => Standing::Waiting(Wait::Open, *since),
            None if stamp.bytes == 0 || !stamp.has_settled(now, SETTLE) => {
                Standing::Waiting(Wait::Settling, stamp.modified())
            }
            None => Standing::Ready(stamp),
        };
        Some((Some(stamp.modified()), Found { name, standing }))
    }

    fn stat(&self, name: &[u8]) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// The state of a name now; `None` when it is gone or no regular file any more.
    fn stamp(&self, name: &str) -> Option<Stamp> {
        let stat = self.stat(name.as_bytes()).ok()?;
        kind_refused(&stat).is_none().then(|| Stamp::of(&stat))
    }

    /// Opens a file as it was seen.
    ///
    /// # Errors
    /// [`copy::Trouble`]: it is another file by now, somebody has it locked, or it cannot be read.
    pub fn take(&self, name: &str, seen: Stamp) -> Result<Taken, copy::Trouble> {
        match name::judge(name.as_bytes()) {
            Judgement::Fine(_) => {}
            Judgement::Passed | Judgement::Refused { .. } => return Err(copy::Trouble::Changed),
        }
        if self.stamp(name) != Some(seen) {
            return Err(copy::Trouble::Changed);
        }
        let handle = self.open_beneath(name).map_err(|error| match error {
            Errno::NOENT | Errno::LOOP | Errno::XDEV | Errno::AGAIN => copy::Trouble::Changed,
            error => copy::Trouble::Open(error.into()),
        })?;
        let stat = rustix::fs::fstat(&handle).map_err(|error| copy::Trouble::Open(error.into()))?;
        if kind_refused(&stat).is_some() || Stamp::of(&stat) != seen {
            return Err(copy::Trouble::Changed);
        }
        if is_locked(&handle) {
            return Err(copy::Trouble::Locked);
        }
        Ok(Taken { file: Arc::new(File::from(handle)), name: name.to_owned(), stamp: seen })
    }

    /// Opens a name in this folder and nowhere else. The name has no slash and is neither `.` nor `..`, so that
    /// without `openat2` (kernels before 5.6, some containers) refusing a link at the end is as good.
    fn open_beneath(&self, name: &str) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        #[cfg(target_os = "linux")]
        {
            let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
            match rustix::fs::openat2(&self.handle, name, flags, Mode::empty(), resolve) {
                Err(Errno::NOSYS | Errno::PERM) => {}
                opened => return opened,
            }
        }
        rustix::fs::openat(&self.handle, name, flags, Mode::empty())
    }
}

/// A file of the folder, open.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its content.
    pub file: Arc<File>,
    /// Its name in the folder.
    pub name: String,
    /// What it was when it was seen.
    pub stamp: Stamp,
}

/// The rule that refuses what is no regular file.
fn kind_refused(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Symlink => Some("folder.link"),
        FileType::Directory => Some("folder.subfolder"),
        _ => Some("folder.special"),
    }
}

/// Whether a program has locked the file for writing, in one of the two ways there are. Locks that cannot be asked
/// for say nothing.
fn is_locked(handle: &OwnedFd) -> bool {
    let held = |asked: Result<(), Errno>| matches!(asked, Err(Errno::WOULDBLOCK | Errno::ACCESS));
    held(rustix::fs::flock(handle, FlockOperation::NonBlockingLockShared))
        || held(rustix::fs::fcntl_lock(handle, FlockOperation::NonBlockingLockShared))
}
