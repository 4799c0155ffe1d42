//! Fills the ledger: rows to records to visits to entries.
//!
//! Runs alone: it knows neither delivery nor reconciliation. A source that cannot be read stops itself, never another.

pub mod folder;
pub mod intake;
pub mod register;
pub mod row;
pub mod visit;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::clock::{Clock, Zone};
use crate::issue::{Code, Issue, Place};
use crate::ledger::entry::NewEntry;
use crate::ledger::row::{PassEnding, PassHistory, PassId, RowSeen, RowTally, VisitId, VisitRecords};
use crate::ledger::{Ledger, LedgerError};
use crate::record::reader::{Reader, ReaderError};
use crate::record::schema::Schemas;
use crate::seal::Keys;
use crate::source::problem::SourceError;
use crate::source::profile::{Kind, Profile};
use crate::source::{Location, Reading, Rows, SkipReason};
use folder::DropFolder;
use register::Register;
use row::Origin;
use visit::{Mapper, VisitError};

/// Rows handed to the ledger at once: one transaction each.
const ROWS_AT_ONCE: usize = 500;
/// Visits mapped and entered at once.
const VISITS_AT_ONCE: u32 = 200;

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
}

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
            let origin = self.origin(source, &empty);
            let mut seen = |reading| posyandu_row(reading, &reader, today, &origin, &mut register);
            let result = pass.read(self, source, None, &mut seen).await;
            outcomes.push(pass.end(self, source, result).await?);
        }
        Ok((register, outcomes))
    }

    /// Reads one source of records. `progress` is told the rows read so far.
    ///
    /// # Errors
    /// [`IngestError`] when the ledger fails; the source's own problems are in the outcome.
    pub async fn source(
        &self,
        source: &Source,
        register: &Register,
        progress: &dyn Fn(u64),
    ) -> Result<SourceOutcome, IngestError> {
        let reader = self.reader(source)?;
        let now = self.clock.now();
        let today = source.zone.date_at(now);
        let since = match source.profile.knows_changes() {
            true => window(self.history(source).await?, now, source.zone),
            false => None,
        };
        let mut pass = Pass::begin(self, source).await?;
        pass.is_window = since.is_some();
        let origin = self.origin(source, register);
        let mut count = 0;
        let mut seen = |reading| {
            count += 1;
            progress(count);
            match reading {
                Reading::Row(row) => origin.row(&row, reader.read(&row, today)),
                Reading::Skipped { place, reason } => origin.skipped(place, reason),
                Reading::Broken(issue) => origin.broken(issue),
            }
        };
        let result = pass.read(self, source, since, &mut seen).await;
        pass.end(self, source, result).await
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

/// One reading of one source, on its way into the ledger.
struct Pass {
    id: PassId,
    waiting: Vec<RowSeen>,
    /// It reads only what changed lately.
    is_window: bool,
}

async fn see(ingest: &Ingest<'_>, pass: PassId, rows: Vec<RowSeen>) -> Result<(), LedgerError> {
    if !rows.is_empty() {
        ingest.ledger.see_rows(pass, rows).await?;
    }
    Ok(())
}

/// Reads the next batch; says whether there may be more.
async fn fill(
    waiting: &mut Vec<RowSeen>,
    rows: &mut Rows,
    seen: &mut dyn FnMut(Reading) -> RowSeen,
) -> Result<bool, SourceError> {
    while waiting.len() < ROWS_AT_ONCE {
        match rows.next().await? {
            Some(reading) => waiting.push(seen(reading)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Why a pass stopped.
enum Halt {
    Source(SourceError),
    Ledger(LedgerError),
}

impl From<SourceError> for Halt {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Pass {
    async fn begin(ingest: &Ingest<'_>, source: &Source) -> Result<Self, IngestError> {
        let id = ingest.ledger.begin_pass(&source.location.source, &source.location.file()).await?;
        Ok(Self { id, waiting: Vec::with_capacity(ROWS_AT_ONCE), is_window: false })
    }

    /// Reads a source to its end; each batch is written while the next one is read.
    async fn read(
        &mut self,
        ingest: &Ingest<'_>,
        source: &Source,
        since: Option<Timestamp>,
        seen: &mut dyn FnMut(Reading) -> RowSeen,
    ) -> Result<(), Halt> {
        let mut rows = crate::source::open_since(&source.profile, &source.location, since).await?;
        let mut is_more = true;
        while is_more {
            let full = std::mem::replace(&mut self.waiting, Vec::with_capacity(ROWS_AT_ONCE));
            let (stored, filled) =
                tokio::join!(biased; see(ingest, self.id, full), fill(&mut self.waiting, &mut rows, seen));
            stored?;
            is_more = filled?;
        }
        Ok(())
    }

    async fn end(
        self,
        ingest: &Ingest<'_>,
        source: &Source,
        result: Result<(), Halt>,
    ) -> Result<SourceOutcome, IngestError> {
        let problem = match result {
            Ok(()) => None,
            Err(Halt::Ledger(error)) => return Err(error.into()),
            Err(Halt::Source(error)) => {
                let issue = error.issue(&source.location);
                Some(Box::new(SourceProblem { error, issue }))
            }
        };
        see(ingest, self.id, self.waiting).await?;
        let ending = match (&problem, self.is_window) {
            (Some(_), _) => PassEnding::Stopped,
            (None, true) => PassEnding::Window,
            (None, false) => PassEnding::Complete,
        };
        let tally = ingest.ledger.end_pass(self.id, ending).await?;
        let (source, file) = (source.location.source.clone(), source.location.file());
        Ok(SourceOutcome { source, file, tally, problem })
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
    let place = Place { source: source.to_owned(), file: file.to_owned(), ..Place::default() };
    Issue::error(Code::NotFound, rule).at(place)
}
