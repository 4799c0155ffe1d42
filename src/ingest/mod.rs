//! Fills the ledger: rows to records to visits to entries.
//!
//! Runs alone: it knows neither delivery nor reconciliation. A source that cannot be read stops itself, never another.

mod asked;
mod contained;
pub mod folder;
pub mod intake;
mod pass;
mod people;
pub mod register;
pub mod row;
pub mod visit;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::clock::{Clock, Zone};
use crate::issue::{Code, Issue, Place};
use crate::ledger::entry::NewEntry;
use crate::ledger::row::{PassHistory, RowSeen, RowTally, VisitId, VisitRecords};
use crate::ledger::{Ledger, LedgerError};
use crate::record::reader::{Reader, ReaderError};
use crate::record::schema::Schemas;
use crate::seal::Keys;
use crate::source::problem::SourceError;
use crate::source::profile::{Kind, Profile};
use crate::source::{Location, Reading, SkipReason};
use folder::DropFolder;
use folder::seen::FolderOutcome;
use pass::{Manner, Pass, PeopleTally, Waiting};
use register::Register;
use row::Origin;
use visit::{Mapper, VisitError};

/// Visits mapped and entered at once.
const VISITS_AT_ONCE: u32 = 64;

/// One source as configured.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it lies.
    pub location: Location,
    /// How it is read.
    pub profile: Arc<Profile>,
    /// Set when its location is a folder into which files are dropped.
    pub folder: Option<DropFolder>,
    /// The puskesmas whose records it holds; empty when the register of posyandu decides.
    pub puskesmas: String,
    /// The zone in which "today" is meant.
    pub zone: Zone,
}

/// What became of one source in this pass.
#[derive(Debug)]
pub struct SourceOutcome {
    /// Name of the source.
    pub source: String,
    /// File name.
    pub file: String,
    /// The rows; as far as they were read when `problem` is set.
    pub tally: RowTally,
    /// Why it was not read to the end.
    pub problem: Option<Box<SourceProblem>>,
    /// Rows that found nobody, and rows that told who somebody is.
    pub people: PeopleTally,
}

impl SourceOutcome {
    /// Whether another reading may find persons that were not known when this one waited for them; `later` is how
    /// many were told by sources after it.
    fn may_find_more(&self, later: u64) -> bool {
        self.problem.is_none() && self.people.unfound > 0 && self.people.told_later + later > 0
    }

    /// Counts a second reading as one with the first: a row that found its person is no issue any more.
    fn with_second(self, second: Self) -> Self {
        let (first, again) = (self.tally, second.tally);
        let mut tally = RowTally { read: again.read, ..first };
        tally.superseded += again.superseded;
        tally.new += again.new;
        tally.changed += again.changed;
        tally.skipped += again.skipped;
        tally.issue = (first.issue + again.issue).saturating_sub(again.new + again.changed + again.skipped);
        let others = tally.new + tally.changed + tally.skipped + tally.issue;
        tally.unchanged = tally.read.saturating_sub(others);
        Self { tally, ..second }
    }
}

/// How a source is read a second time: the source, and since when changes are enough.
type Reread<'a> = (&'a Source, Option<Timestamp>);

/// Why a source was not read to the end.
#[derive(Debug)]
pub struct SourceProblem {
    /// For the log.
    pub error: SourceError,
    /// For people.
    pub issue: Issue,
}

/// What can go wrong with ingesting as a whole; a source's own problems are values.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The ledger failed.
    #[error("the ledger could not be filled")]
    Ledger(#[from] LedgerError),
    /// A profile does not fit the record schemas.
    #[error("source `{source_name}` cannot be read with its profile")]
    Reader {
        /// The source.
        source_name: String,
        /// Why.
        #[source]
        source: ReaderError,
    },
    /// A visit cannot be mapped at all.
    #[error("a visit could not be mapped")]
    Visit(#[from] VisitError),
    /// Who was shown a new entry could not write it down.
    #[error("what would be sent could not be written")]
    Look(#[source] std::io::Error),
}

/// Who is shown each visit and its new entry before the entry is entered.
pub type Look<'a> = &'a mut dyn FnMut(&VisitRecords, &mut NewEntry) -> std::io::Result<()>;

/// Reads sources into a ledger.
pub struct Ingest<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// Keys for keyed names.
    pub keys: &'a Keys,
    /// Record schemas.
    pub schemas: &'a Schemas,
    /// The time.
    pub clock: &'a Clock,
}

impl Ingest<'_> {
    /// Reads the registers of posyandu among the sources. Their rows are counted as skipped.
    ///
    /// # Errors
    /// [`IngestError`] when the ledger fails.
    pub async fn register(&self, sources: &[Source]) -> Result<(Register, Vec<SourceOutcome>), IngestError> {
        let mut register = Register::default();
        let mut outcomes = Vec::new();
        for source in sources.iter().filter(|source| source.profile.posyandu) {
            let reader = self.reader(source)?;
            let today = source.zone.date_at(self.clock.now());
            let mut pass = Pass::begin(self, source).await?;
            let empty = Register::default();
            let manner = Manner { origin: self.origin(source, &empty), reader: &reader, today };
            let origin = &manner.origin;
            let mut made = |reading| {
                let seen = posyandu_row(reading, &reader, today, origin, &mut register);
                Waiting::Seen(Box::new(seen))
            };
            let result = pass.read(self, source, &manner, None, &mut made).await;
            outcomes.push(pass.end(self, source, &manner, result).await?);
        }
        Ok((register, outcomes))
    }

    /// Reads the sources of records in their order, folders file by file. A source whose rows found nobody is read
    /// once more when a source after it, or a row after them, told who it may be; a file in a folder is read again in
    /// the next round. `progress` is told the source and its rows read so far.
    ///
    /// # Errors
    /// [`IngestError`] when the ledger fails; the sources' own problems are in the outcomes.
    pub async fn sources(
        &self,
        sources: &[Source],
        register: &Register,
        progress: &(dyn Fn(&str, u64) + Sync),
    ) -> Result<(Vec<FolderOutcome>, Vec<SourceOutcome>), IngestError> {
        let mut folders = Vec::new();
        let mut first: Vec<(Option<Reread<'_>>, SourceOutcome)> = Vec::new();
        for source in sources.iter().filter(|source| !source.profile.posyandu) {
            if let Some(place) = &source.folder {
                let told = |rows| progress(&source.location.source, rows);
                let (folder, read) = self.folder(source, place, register, &told).await?;
                folders.push(folder);
                first.extend(read.into_iter().map(|outcome| (None, outcome)));
            } else {
                let since = self.since(source).await?;
                first.push((Some((source, since)), self.read(source, register, since, progress).await?));
            }
        }
        let mut later: u64 = first.iter().map(|(_, outcome)| outcome.people.told).sum();
        let mut whole = Vec::with_capacity(first.len());
        for (again, outcome) in first {
            later -= outcome.people.told;
            whole.push(match again.filter(|_| outcome.may_find_more(later)) {
                Some((source, since)) => outcome.with_second(self.read(source, register, since, progress).await?),
                None => outcome,
            });
        }
        Ok((folders, whole))
    }

    /// Reads one source of records, once. `progress` is told the rows read so far.
    ///
    /// # Errors
    /// [`IngestError`] when the ledger fails; the source's own problems are in the outcome.
    pub async fn source(
        &self,
        source: &Source,
        register: &Register,
        progress: &dyn Fn(u64),
    ) -> Result<SourceOutcome, IngestError> {
        let since = self.since(source).await?;
        self.read(source, register, since, &|_, rows| progress(rows)).await
    }

    async fn since(&self, source: &Source) -> Result<Option<Timestamp>, IngestError> {
        if !source.profile.knows_changes() {
            return Ok(None);
        }
        let history = self.history(source).await?;
        // What a person said about a row is carried out by reading it, and it need not have changed.
        let answered = self.ledger.answered_files(&source.location.source).await?;
        let is_answered = answered.get(&source.location.file()).is_some_and(|at| Some(*at) >= history.complete);
        Ok(if is_answered { None } else { window(history, self.clock.now(), source.zone) })
    }

    async fn read(
        &self,
        source: &Source,
        register: &Register,
        since: Option<Timestamp>,
        progress: &dyn Fn(&str, u64),
    ) -> Result<SourceOutcome, IngestError> {
        let reader = self.reader(source)?;
        let today = source.zone.date_at(self.clock.now());
        let mut pass = Pass::begin(self, source).await?;
        pass.is_window = since.is_some();
        let manner = Manner { origin: self.origin(source, register), reader: &reader, today };
        let mut count = 0;
        let mut made = |reading| {
            count += 1;
            progress(&source.location.source, count);
            manner.waiting(reading)
        };
        let result = pass.read(self, source, &manner, since, &mut made).await;
        pass.end(self, source, &manner, result).await
    }

    /// Maps every visit whose records changed and enters the new versions. Gives the number of entries made. `look`
    /// is shown each of them before it is entered and may take away what need not be kept.
    ///
    /// # Errors
    /// [`IngestError`] when the ledger fails, stored records cannot be read, or `look` fails.
    pub async fn map(&self, mapper: &Mapper<'_>, look: Look<'_>, progress: &dyn Fn(u64)) -> Result<u64, IngestError> {
        let mut after = VisitId::default();
        let mut made: Vec<NewEntry> = Vec::new();
        let mut entered = 0;
        loop {
            let stale = self.ledger.stale_visits_after(after, VISITS_AT_ONCE).await?;
            after = stale.last().map_or(after, |visit| visit.visit_id);
            if stale.is_empty() && made.is_empty() {
                return Ok(entered);
            }
            entered += made.len() as u64;
            let mapped = async {
                let map = |visit: &VisitRecords| {
                    let mut entry = mapper.entry(visit)?;
                    look(visit, &mut entry).map_err(IngestError::Look)?;
                    Ok(entry)
                };
                stale.iter().map(map).collect::<Result<Vec<_>, IngestError>>()
            };
            // The last page is written while this one is mapped.
            let (stored, mapped) = tokio::join!(biased; self.enter(made), mapped);
            stored?;
            made = mapped?;
            progress(entered);
        }
    }

    async fn history(&self, source: &Source) -> Result<PassHistory, LedgerError> {
        self.ledger.pass_history(&source.location.source, &source.location.file()).await
    }

    async fn enter(&self, entries: Vec<NewEntry>) -> Result<(), LedgerError> {
        if entries.is_empty() { Ok(()) } else { self.ledger.enter(entries).await }
    }

    fn reader(&self, source: &Source) -> Result<Reader, IngestError> {
        Reader::new(Arc::clone(&source.profile), self.schemas)
            .map_err(|error| IngestError::Reader { source_name: source.location.source.clone(), source: error })
    }

    fn origin<'a>(&'a self, source: &'a Source, register: &'a Register) -> Origin<'a> {
        Origin { keys: self.keys, register, puskesmas: &source.puskesmas, keyed: source.profile.kind == Kind::Database }
    }
}

/// From when on changes are enough; `None` reads everything. The first pass of a local day and every pass after one
/// that stopped read everything: a row may change without its time of change (faults, rows 45 and 50).
fn window(history: PassHistory, now: Timestamp, zone: Zone) -> Option<Timestamp> {
    let complete = history.complete?;
    let is_today = zone.date_at(complete) == zone.date_at(now);
    if is_today && !history.stopped { history.success } else { None }
}

/// A row of the register: kept in memory, counted as skipped, or an issue.
fn posyandu_row(
    reading: Reading,
    reader: &Reader,
    today: Date,
    origin: &Origin<'_>,
    register: &mut Register,
) -> RowSeen {
    let row = match reading {
        Reading::Row(row) => row,
        Reading::Skipped { place, reason } => return origin.skipped(place, reason),
        Reading::Broken(issue) => return origin.broken(issue),
    };
    let mut outcome = reader.read(&row, today);
    let place = row.place.clone();
    if !outcome.is_held() {
        for record in std::mem::take(&mut outcome.records) {
            if let Err(issue) = register.add(record) {
                outcome.issues.push(*issue);
            }
        }
    }
    match outcome.issues.iter().find(|issue| issue.is_error()) {
        None => origin.skipped(place, SkipReason::Register),
        Some(_) => origin.row(&row, outcome),
    }
}

/// An issue for a source that is configured but cannot be used at all.
#[must_use]
pub fn source_issue(rule: &'static str, source: &str, file: &str) -> Issue {
    let place = Place { source: source.into(), file: file.into(), ..Place::default() };
    Issue::error(Code::NotFound, rule).at(place)
}
