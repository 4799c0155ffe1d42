//! One reading of one source, on its way into the ledger batch by batch.
//!
//! Rows wait until a batch is full, so that the directory of persons is asked once for all of them.

use jiff::Timestamp;
use jiff::civil::Date;

use super::asked::Asked;
use super::contained::contained;
use super::people::{People, Settled};
use super::row::Origin;
use super::{Ingest, IngestError, Source, SourceOutcome, SourceProblem};
use crate::ledger::person::PersonTold;
use crate::ledger::question::Doubts;
use crate::ledger::row::{PassEnding, PassId, RowSeen, RowTally};
use crate::ledger::{Ledger, LedgerError};
use crate::record::RowOutcome;
use crate::record::matching::Person;
use crate::record::reader::Reader;
use crate::source::problem::SourceError;
use crate::source::{Reading, Row, Rows};

/// Rows handed to the ledger at once: one transaction each.
const ROWS_AT_ONCE: usize = 250;
/// How often a batch is settled anew when others tell the same persons at the same time.
pub const TRIES: usize = 5;

/// One reading of one source.
pub struct Pass {
    id: PassId,
    waiting: Vec<Waiting>,
    /// It reads only what changed lately.
    pub is_window: bool,
    people: PeopleTally,
}

/// What a pass and the directory of persons were to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeopleTally {
    /// Rows that wait because nobody knows their person for sure.
    pub unfound: u64,
    /// Rows that told the directory something new.
    pub told: u64,
    /// Of these, those that came after a row that waits.
    pub told_later: u64,
}

/// A row on its way.
pub enum Waiting {
    /// It waits to hear whom it speaks of.
    Asked(Box<Asked>),
    /// It asks nobody.
    Seen(Box<RowSeen>),
}

/// How the rows of a pass are read.
pub struct Manner<'a> {
    /// Names rows.
    pub origin: Origin<'a>,
    /// Reads them.
    pub reader: &'a Reader,
    /// The local day.
    pub today: Date,
}

impl Manner<'_> {
    /// A row as it was read, before anybody was asked about its person.
    pub fn waiting(&self, reading: Reading) -> Waiting {
        match reading {
            Reading::Row(row) => {
                let outcome = self.read(&row, None);
                Waiting::Asked(Box::new(Asked::new(row, outcome, &self.origin)))
            }
            Reading::Skipped { place, reason } => Waiting::Seen(Box::new(self.origin.skipped(place, reason))),
            Reading::Broken(issue) => Waiting::Seen(Box::new(self.origin.broken(issue))),
        }
    }

    fn read(&self, row: &Row, known: Option<&Person>) -> RowOutcome {
        contained(|| row.place.clone(), || self.reader.read_of(row, self.today, known))
            .unwrap_or_else(|issue| RowOutcome { records: Vec::new(), issues: vec![*issue] })
    }
}

/// Why a pass stopped.
pub enum Halt {
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

/// Reads the next batch; says whether there may be more.
async fn fill(
    waiting: &mut Vec<Waiting>,
    rows: &mut Rows,
    made: &mut dyn FnMut(Reading) -> Waiting,
) -> Result<bool, SourceError> {
    while waiting.len() < ROWS_AT_ONCE {
        match rows.next().await? {
            Some(reading) => waiting.push(made(reading)),
            None => return Ok(false),
        }
    }
    Ok(true)
}

/// Asks for the persons of a batch and hands it to the ledger.
async fn write(
    ingest: &Ingest<'_>,
    manner: &Manner<'_>,
    pass: PassId,
    before: PeopleTally,
    mut waiting: Vec<Waiting>,
) -> Result<PeopleTally, LedgerError> {
    if waiting.is_empty() {
        return Ok(before);
    }
    let mut tries = 0;
    loop {
        tries += 1;
        let (seen, people) = settle(ingest, manner, before, &mut waiting).await?;
        match seen.see(ingest.ledger, pass).await {
            Err(LedgerError::PersonTaken) if tries < TRIES => {}
            result => return result.map(|_| people),
        }
    }
}

/// A batch, ready for the ledger.
struct Seen {
    rows: Vec<RowSeen>,
    told: Vec<PersonTold>,
    doubts: Doubts,
}

impl Seen {
    async fn see(&self, ledger: &Ledger, pass: PassId) -> Result<RowTally, LedgerError> {
        ledger.see_rows_of(pass, &self.rows, &self.told, &self.doubts).await
    }
}

async fn settle(
    ingest: &Ingest<'_>,
    manner: &Manner<'_>,
    before: PeopleTally,
    waiting: &mut [Waiting],
) -> Result<(Seen, PeopleTally), LedgerError> {
    let asking = waiting.iter().filter_map(|one| match one {
        Waiting::Asked(asked) => Some(&**asked),
        Waiting::Seen(_) => None,
    });
    let mut people = People::of(ingest.ledger, &asking.collect::<Vec<_>>(), &manner.origin).await?;
    let mut tally = before;
    let mut rows = Vec::with_capacity(waiting.len());
    for one in waiting {
        let settled = match one {
            Waiting::Asked(asked) => people.settle(asked, &manner.origin, &|row, known| manner.read(row, known)),
            Waiting::Seen(seen) => Settled { seen: (**seen).clone(), is_unfound: false, has_told: false },
        };
        tally.unfound += u64::from(settled.is_unfound);
        tally.told += u64::from(settled.has_told);
        tally.told_later += u64::from(settled.has_told && tally.unfound > 0);
        rows.push(settled.seen);
    }
    let told = people.told()?;
    Ok((Seen { rows, told, doubts: people.doubts }, tally))
}

impl Pass {
    /// Begins a pass.
    pub async fn begin(ingest: &Ingest<'_>, source: &Source) -> Result<Self, IngestError> {
        let id = ingest.ledger.begin_pass(&source.location.source, &source.location.file()).await?;
        Ok(Self { id, waiting: Vec::with_capacity(ROWS_AT_ONCE), is_window: false, people: PeopleTally::default() })
    }

    /// Reads a source to its end; each batch is written while the next one is read.
    pub async fn read(
        &mut self,
        ingest: &Ingest<'_>,
        source: &Source,
        manner: &Manner<'_>,
        since: Option<Timestamp>,
        made: &mut dyn FnMut(Reading) -> Waiting,
    ) -> Result<(), Halt> {
        let mut rows = crate::source::open_since(&source.profile, &source.location, since).await?;
        let mut is_more = fill(&mut self.waiting, &mut rows, made).await?;
        while is_more {
            let mut full = std::mem::replace(&mut self.waiting, Vec::with_capacity(ROWS_AT_ONCE));
            // Whoever the last batch told is in the directory by now; only the writing itself goes on beside.
            let (seen, people) = settle(ingest, manner, self.people, &mut full).await?;
            let written = seen.see(ingest.ledger, self.id);
            let (written, filled) = tokio::join!(biased; written, fill(&mut self.waiting, &mut rows, made));
            self.people = match written {
                Err(LedgerError::PersonTaken) => write(ingest, manner, self.id, self.people, full).await?,
                result => result.map(|_| people)?,
            };
            is_more = filled?;
        }
        Ok(())
    }

    /// Ends the pass with what is left.
    pub async fn end(
        mut self,
        ingest: &Ingest<'_>,
        source: &Source,
        manner: &Manner<'_>,
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
        self.people = write(ingest, manner, self.id, self.people, self.waiting).await?;
        let ending = match (&problem, self.is_window) {
            (Some(_), _) => PassEnding::Stopped,
            (None, true) => PassEnding::Window,
            (None, false) => PassEnding::Complete,
        };
        let tally = ingest.ledger.end_pass(self.id, ending).await?;
        let (source, file) = (source.location.source.clone(), source.location.file());
        Ok(SourceOutcome { source, file, tally, problem, people: self.people })
    }
}
