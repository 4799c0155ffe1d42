//! The files of a drop folder, one by one: taken once they lie still, copied, counted, read, remembered.
//!
//! It must not read a content twice without a reason, nor store half of one: a file is read through to its end
//! before anything of it reaches the ledger. It never deletes, moves or renames a file.
//!
//! A content counts as read when the ledger has it with the same [`version`]: the text of the profile, this program,
//! the puskesmas and zone of the source, and the register of posyandu. Then it is left alone under any name, with
//! two exceptions. A file that left rows to a person is read again on the next local day, since some rules ask what
//! day it is. A name that had another content meanwhile was put back on purpose and is read.

pub mod seen;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use self::seen::{Fate, FileSeen, FolderOutcome, known, refused, told};
use super::pass::PeopleTally;
use super::register::Register;
use super::{Ingest, IngestError, Source, SourceOutcome, SourceProblem};
use crate::issue::{Code, Issue};
use crate::ledger::row::RowTally;
use crate::ledger::taken::{TakenFile, TakenOutcome, TakenRows};
use crate::source::folder::copy::{BYTES_MAX, Copy, Ending, Trouble};
use crate::source::folder::{FILES_MAX, Folder, SETTLE_OPEN_END, Stamp, Standing, TOLD_AFTER, Wait};
use crate::source::problem::SourceError;
use crate::source::{Location, Reading};

/// A file may have this many percent fewer rows than the last complete one of its name; with fewer still it waits for
/// a person (fault 45).
const FEWER_ROWS_PERCENT: u64 = 20;

/// How the files of a folder are taken.
#[derive(Clone, Debug)]
pub struct DropFolder {
    /// Folder for the copies; without one the files are read where they lie and nothing is remembered (dry run).
    pub spool: Option<PathBuf>,
    /// What the configuration adds to [`version`], see [`reading`].
    pub reading: String,
}

/// What the configuration and this program add to how a content is read, as a short name.
#[must_use]
pub fn reading(parts: [&str; 3]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    format!("{}+{}", env!("CARGO_PKG_VERSION"), data_encoding::HEXLOWER.encode(&hash.finalize()[..6]))
}

/// One name for everything but the content that decides what its rows become.
fn version(place: &DropFolder, register: &Register) -> String {
    let mut hash = Sha256::new();
    register.all().iter().for_each(|posyandu| hash.update(posyandu.record.content_hash()));
    format!("{}+{}", place.reading, data_encoding::HEXLOWER.encode(&hash.finalize()[..6]))
}

impl Ingest<'_> {
    /// Takes what can be taken from a folder. Gives its files, and the rows of each that was read now; a folder
    /// without any gives one outcome without rows.
    ///
    /// # Errors
    /// [`IngestError`] when the ledger fails; what is wrong with a file or the folder is in the outcome.
    pub async fn folder(
        &self,
        source: &Source,
        place: &DropFolder,
        register: &Register,
        progress: &dyn Fn(u64),
    ) -> Result<(FolderOutcome, Vec<SourceOutcome>), IngestError> {
        let now = self.clock.now();
        let name = source.location.source.clone();
        let mut outcome = FolderOutcome { source: name, files: Vec::new(), issue: None };
        let looked = Folder::open(&source.location.path).and_then(|folder| Ok((folder.look(now)?, folder)));
        let (sight, folder) = match looked {
            Ok(looked) => looked,
            Err(error) => return Ok((outcome, vec![unreadable(source, error)])),
        };
        if sight.is_full {
            outcome.issue = Some(Issue::warning(Code::Structure, "folder.full").with("batas", FILES_MAX));
        }
        let mut taking = Taking {
            ingest: self,
            source,
            place,
            register,
            progress,
            folder: Arc::new(folder),
            known: self.ledger.taken_files(&source.location.source).await?,
            answered: self.ledger.answered_files(&source.location.source).await?,
            version: version(place, register),
            now,
            today: source.zone.date_at(now),
            read: Vec::new(),
        };
        for found in sight.files {
            outcome.files.push(match found.standing {
                Standing::Refused(rule) => refused(found.name, rule),
                Standing::Waiting(wait, since) => taking.waiting(&found.name, wait, since),
                Standing::Ready(stamp) => taking.file(&found.name, stamp).await?,
            });
        }
        let mut read = taking.read;
        if read.is_empty() {
            read.push(without_rows(source));
        }
        Ok((outcome, read))
    }
}

/// A folder being gone through.
struct Taking<'a> {
    ingest: &'a Ingest<'a>,
    source: &'a Source,
    place: &'a DropFolder,
    register: &'a Register,
    progress: &'a dyn Fn(u64),
    folder: Arc<Folder>,
    /// Everything ever taken, oldest first.
    known: Vec<TakenFile>,
    /// When a person last said who a row of a file is about.
    answered: HashMap<String, Timestamp>,
    version: String,
    now: Timestamp,
    today: Date,
    read: Vec<SourceOutcome>,
}

impl Taking<'_> {
    async fn file(&mut self, name: &str, stamp: Stamp) -> Result<FileSeen, IngestError> {
        let source = &self.source.location.source;
        let name_hash = self.ingest.ledger.name_hash(source, name);
        let stamp_hash = self.ingest.ledger.stamp_hash(source, &stamp.text());
        let latest = self.latest(&name_hash);
        if let Some(latest) = latest.filter(|latest| latest.stamp == stamp_hash && self.stands(latest)) {
            return Ok(known(latest));
        }
        let Some(spool) = self.place.spool.clone() else { return self.in_place(name, stamp).await };
        let copy = match self.copied(name, stamp, spool).await {
            Ok(copy) => copy,
            Err(trouble) => return Ok(self.troubled(name, stamp, trouble)),
        };
        match copy.ending {
            Ending::NoDirectory => return Ok(self.waiting(name, Wait::Incomplete, stamp.modified())),
            Ending::OpenLine if !stamp.has_settled(self.now, SETTLE_OPEN_END) => {
                return Ok(self.waiting(name, Wait::Settling, stamp.modified()));
            }
            Ending::OpenLine | Ending::Whole => {}
        }
        let content = data_encoding::HEXLOWER.encode(&copy.hash);
        let file = TakenFile {
            name_hash,
            content_hash: self.ingest.keys.hash("taken-content", &[source, &content]),
            name: name.to_owned(),
            stamp: stamp_hash,
            bytes: stamp.bytes,
            taken_at: self.now,
            version: self.version.clone(),
            day: self.today,
            outcome: TakenOutcome::Read,
            issue: None,
            rows: TakenRows::default(),
            accepted_at: None,
        };
        match self.read_before(&file) {
            Some(before) => {
                let seen = known(&before);
                self.remember(before).await?;
                Ok(seen)
            }
            None => self.content(file, &copy).await,
        }
    }

    /// The newest content of a name.
    fn latest(&self, name_hash: &[u8; 32]) -> Option<&TakenFile> {
        self.known.iter().rfind(|known| known.name_hash == *name_hash)
    }

    /// Whether an outcome still holds.
    fn stands(&self, taken: &TakenFile) -> bool {
        let is_answered = self.answered.get(&taken.name).is_some_and(|at| *at >= taken.taken_at);
        taken.version == self.version
            && !is_answered
            && match taken.outcome {
                TakenOutcome::Read => taken.rows.issue == 0 || taken.day == self.today,
                TakenOutcome::Same | TakenOutcome::Refused => true,
                TakenOutcome::Waiting => taken.accepted_at.is_none(),
            }
    }

    /// What is to be remembered of a content without reading it: the file was only touched, or the same content
    /// stands under another name.
    fn read_before(&self, file: &TakenFile) -> Option<TakenFile> {
        if let Some(latest) = self.latest(&file.name_hash) {
            let is_same = latest.content_hash == file.content_hash && self.stands(latest);
            return is_same.then(|| TakenFile { stamp: file.stamp, ..latest.clone() });
        }
        let is_read =
            |known: &&TakenFile| known.content_hash == file.content_hash && known.outcome == TakenOutcome::Read;
        let twin = self.known.iter().rfind(is_read).filter(|twin| self.stands(twin))?;
        Some(TakenFile { outcome: TakenOutcome::Same, rows: twin.rows, ..file.clone() })
    }

    async fn content(&mut self, mut file: TakenFile, copy: &Copy) -> Result<FileSeen, IngestError> {
        let located = self.located(&file.name, Arc::clone(&copy.file));
        match lines(&located).await {
            Ok(lines) => file.rows.lines = lines,
            Err(error) => {
                let issue = error.issue(&located.location);
                if matches!(issue.code, Code::Transient | Code::Exception) {
                    return Ok(told(file.name, Fate::Waiting, issue));
                }
                return self.put_aside(file, TakenOutcome::Refused, issue).await;
            }
        }
        if let Some(issue) = self.fewer_rows(&file, &located.location) {
            return self.put_aside(file, TakenOutcome::Waiting, issue).await;
        }
        let mut outcome = self.ingest.source(&located, self.register, self.progress).await?;
        let problem = outcome.problem.take();
        self.read.push(outcome);
        if let Some(problem) = problem {
            return Ok(told(file.name, Fate::Waiting, problem.issue));
        }
        file.rows = self.ingest.ledger.remember_read(&self.source.location.source, &file).await?;
        let seen = FileSeen { name: file.name.clone(), fate: Fate::Read, rows: file.rows, issue: None, is_told: false };
        self.keep(file);
        Ok(seen)
    }

    /// The issue of a file that lost too many of its rows since it was read last and was not let through.
    fn fewer_rows(&self, file: &TakenFile, location: &Location) -> Option<Issue> {
        let of_name = || self.known.iter().filter(|known| known.name_hash == file.name_hash);
        if of_name().any(|known| known.content_hash == file.content_hash && known.accepted_at.is_some()) {
            return None;
        }
        let was_read = |known: &&TakenFile| matches!(known.outcome, TakenOutcome::Read | TakenOutcome::Same);
        let before = of_name().rfind(was_read)?.rows.lines;
        let is_fewer = file.rows.lines * 100 < before * (100 - FEWER_ROWS_PERCENT);
        let issue = Issue::error(Code::BusinessRule, "folder.fewer_rows").with("berkas", &file.name);
        is_fewer.then(|| issue.with("ada", file.rows.lines).with("semula", before).at(location.place()))
    }

    async fn put_aside(
        &mut self,
        mut file: TakenFile,
        outcome: TakenOutcome,
        issue: Issue,
    ) -> Result<FileSeen, IngestError> {
        (file.outcome, file.issue) = (outcome, Some(issue));
        let seen = known(&file);
        self.remember(file).await?;
        Ok(seen)
    }

    async fn remember(&mut self, file: TakenFile) -> Result<(), IngestError> {
        self.ingest.ledger.remember_taken(&self.source.location.source, &file).await?;
        self.keep(file);
        Ok(())
    }

    fn keep(&mut self, file: TakenFile) {
        let is_other = |known: &TakenFile| (known.name_hash, known.content_hash) != (file.name_hash, file.content_hash);
        self.known.retain(is_other);
        self.known.push(file);
    }

    /// Reads a file where it lies, for a dry run.
    async fn in_place(&mut self, name: &str, stamp: Stamp) -> Result<FileSeen, IngestError> {
        let taken = match self.folder.take(name, stamp) {
            Ok(taken) => taken,
            Err(trouble) => return Ok(self.troubled(name, stamp, trouble)),
        };
        let located = self.located(name, taken.file);
        let mut outcome = self.ingest.source(&located, self.register, self.progress).await?;
        let problem = outcome.problem.take();
        let tally = outcome.tally;
        self.read.push(outcome);
        if let Some(problem) = problem {
            let is_final = !matches!(problem.issue.code, Code::Transient | Code::Exception);
            return Ok(told(name.to_owned(), if is_final { Fate::Refused } else { Fate::Waiting }, problem.issue));
        }
        Ok(FileSeen { name: name.to_owned(), fate: Fate::Read, rows: rows_of(tally), issue: None, is_told: false })
    }

    async fn copied(&self, name: &str, stamp: Stamp, spool: PathBuf) -> Result<Copy, Trouble> {
        let (folder, name) = (Arc::clone(&self.folder), name.to_owned());
        let copying = move || Copy::of(&folder, &folder.take(&name, stamp)?, &spool);
        let copied = tokio::task::spawn_blocking(copying).await;
        copied.map_err(|error| Trouble::Spool(std::io::Error::other(error))).and_then(|copied| copied)
    }

    fn located(&self, name: &str, file: Arc<std::fs::File>) -> Source {
        let location = &self.source.location;
        let location = Location { path: location.path.join(name), opened: Some(file), ..location.clone() };
        Source { location, folder: None, ..self.source.clone() }
    }

    fn troubled(&self, name: &str, stamp: Stamp, trouble: Trouble) -> FileSeen {
        let issue = |code, rule| Issue::error(code, rule).with("berkas", name);
        let (fate, issue) = match trouble {
            Trouble::Changed => return self.waiting(name, Wait::Settling, self.now),
            Trouble::Locked => return self.waiting(name, Wait::Open, stamp.modified()),
            Trouble::TooLong => {
                let issue = issue(Code::Structure, "file.bytes_max").with("batas", BYTES_MAX / (1024 * 1024));
                (Fate::Refused, issue)
            }
            Trouble::Open(error) => {
                tracing::warn!(%error, "a dropped file cannot be read");
                (Fate::Waiting, issue(Code::Exception, "file.unreadable"))
            }
            Trouble::NoRoom => (Fate::Waiting, issue(Code::Exception, "folder.no_room")),
            Trouble::Spool(error) => {
                tracing::warn!(%error, "a dropped file cannot be copied");
                (Fate::Waiting, issue(Code::Exception, "folder.no_copy"))
            }
        };
        told(name.to_owned(), fate, issue)
    }

    fn waiting(&self, name: &str, wait: Wait, since: Timestamp) -> FileSeen {
        let rule = match wait {
            Wait::Settling => "folder.settling",
            Wait::Open => "folder.open",
            Wait::Incomplete => "folder.incomplete",
        };
        let issue = Issue::warning(Code::Transient, rule).with("berkas", name);
        let is_long = std::time::Duration::try_from(self.now.duration_since(since)).is_ok_and(|age| age >= TOLD_AFTER);
        FileSeen { is_told: is_long && wait != Wait::Settling, ..told(name.to_owned(), Fate::Waiting, issue) }
    }
}

/// The rows of a file that say something, counted to its end: a file that cannot be read through yields none.
async fn lines(source: &Source) -> Result<u64, SourceError> {
    let mut rows = crate::source::open(&source.profile, &source.location).await?;
    let mut lines = 0;
    while let Some(reading) = rows.next().await? {
        lines += u64::from(!matches!(reading, Reading::Skipped { .. }));
    }
    Ok(lines)
}

fn without_rows(source: &Source) -> SourceOutcome {
    let location = &source.location;
    SourceOutcome {
        source: location.source.clone(),
        file: location.file(),
        tally: RowTally::default(),
        problem: None,
        people: PeopleTally::default(),
    }
}

fn unreadable(source: &Source, error: std::io::Error) -> SourceOutcome {
    let file = source.location.file();
    let rule = if error.kind() == std::io::ErrorKind::NotFound { "folder.missing" } else { "folder.unreadable" };
    let issue = Issue::error(Code::Exception, rule).with("berkas", &file).at(source.location.place());
    let error = SourceError::Open { file, source: error };
    SourceOutcome { problem: Some(Box::new(SourceProblem { error, issue })), ..without_rows(source) }
}

fn rows_of(tally: RowTally) -> TakenRows {
    TakenRows {
        lines: tally.read - tally.skipped,
        records: tally.new + tally.changed + tally.unchanged,
        issue: tally.issue,
        skipped: tally.skipped,
    }
}
