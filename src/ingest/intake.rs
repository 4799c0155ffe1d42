//! Records that posyandu apps send: each becomes the same reading, keys and rows in the ledger as a row of a file.
//!
//! It must not speak HTTP, and knows no rule of its own about values. The gateway answers for a record once the
//! ledger has committed it; a record without a usable id cannot be found again and is therefore not kept.

pub mod fields;
pub mod outcome;
pub mod written;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::{Mutex, Notify};

use self::fields::{FILE, Fields};
use self::outcome::{Outcome, Taken};
use self::written::{Found, Written};
use super::asked::Asked;
use super::pass::TRIES;
use super::people::People;
use super::register::Register;
use super::row::Origin;
use crate::clock::{Clock, Zone};
use crate::issue::{Code, Issue, Place};
use crate::ledger::person::PersonTold;
use crate::ledger::question::Doubts;
use crate::ledger::row::{PassId, RowFate, RowKind, RowSeen, TakenRow};
use crate::ledger::{Ledger, LedgerError};
use crate::record::RowOutcome;
use crate::record::matching::Person;
use crate::record::reader::{Reader, ReaderError};
use crate::record::schema::Schemas;
use crate::seal::Keys;
use crate::source::cells::Cells;
use crate::source::layout::Layout;
use crate::source::profile::{Profile, ProfileError};
use crate::source::{Row, SkipReason};

/// Records handed to the ledger at once, at most: one transaction.
pub const BATCH_RECORDS_MAX: usize = 500;
/// Bytes of records handed to the ledger at once, at most.
pub const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// How long records are gathered before the visits they belong to are mapped.
const GATHER: Duration = Duration::from_millis(500);
/// Bytes of a version that are shown: enough to tell two contents apart.
const VERSION_BYTES: usize = 12;

/// Who sends.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Name; it stands in the place of a source.
    pub name: String,
    /// The puskesmas whose records these are, and no other's.
    pub puskesmas: String,
    /// The zone in which "today" is meant.
    pub zone: Zone,
}

/// A record, read and judged, on its way into the ledger.
#[derive(Debug)]
pub struct Prepared {
    /// The sender's key, when there is a usable one.
    pub id: Option<String>,
    /// It is no JSON at all.
    pub is_broken: bool,
    found: Vec<Found>,
    more: usize,
    kept: Option<Kept>,
}

/// What of a record goes to the ledger.
enum Kept {
    /// It no longer counts.
    Withdrawn(Box<RowSeen>),
    /// It waits to hear whom it speaks of.
    Asked(Box<Asked>, Box<Written>),
}

/// What was sent about somebody never shows.
impl std::fmt::Debug for Kept {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Withdrawn(_) => "Withdrawn",
            Self::Asked(..) => "Asked",
        })
    }
}

/// Why the intake cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The schemas make no profile.
    #[error("the record schemas make no profile")]
    Profile(#[from] ProfileError),
    /// The profile does not fit the reader.
    #[error("sent records cannot be read")]
    Reader(#[from] ReaderError),
}

/// One table of the profile: the dataset of the visit that its rows tell, if any, and its columns.
struct Table {
    visit: Option<String>,
    layout: Arc<Layout>,
}

/// Takes records into a ledger.
pub struct Intake {
    ledger: Arc<Ledger>,
    keys: Arc<Keys>,
    clock: Clock,
    fields: Fields,
    reader: Reader,
    tables: Vec<Table>,
    register: RwLock<Option<Arc<Register>>>,
    /// One pass per sender and day, never complete: what a sender does not repeat has not gone.
    passes: Mutex<BTreeMap<(String, Date), PassId>>,
    has_news: AtomicBool,
    news: Notify,
}

impl Intake {
    /// An intake that waits for its register of posyandu.
    ///
    /// # Errors
    /// [`IntakeError`] when the schemas cannot be used.
    pub fn new(ledger: Arc<Ledger>, keys: Arc<Keys>, schemas: &Schemas, clock: Clock) -> Result<Self, IntakeError> {
        let profile: Arc<Profile> = Arc::new(fields::profile(schemas)?);
        let fields = Fields::of(schemas);
        let tables = fields::tables(schemas).into_iter().zip(&profile.tables).map(|(visit, table)| Table {
            visit: visit.map(str::to_owned),
            layout: Arc::new(Layout::loose(table, &fields.headers)),
        });
        let tables = tables.collect();
        Ok(Self {
            ledger,
            keys,
            clock,
            fields,
            reader: Reader::new(profile, schemas)?,
            tables,
            register: RwLock::new(None),
            passes: Mutex::new(BTreeMap::new()),
            has_news: AtomicBool::new(false),
            news: Notify::new(),
        })
    }

    /// What may be sent.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// The posyandu by which records are read from now on.
    pub fn set_register(&self, register: Arc<Register>) {
        *self.register.write().unwrap_or_else(PoisonError::into_inner) = Some(register);
    }

    /// The posyandu; none before they were read for the first time.
    #[must_use]
    pub fn register(&self) -> Option<Arc<Register>> {
        self.register.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads one record; nothing is stored yet.
    #[must_use]
    pub fn read(&self, sender: &Sender, register: &Register, text: &[u8]) -> Prepared {
        let place = Place { source: sender.name.as_str().into(), file: FILE.into(), ..Place::default() };
        let mut written = written::read(&self.fields, text, &place);
        let Some(id) = written.id.clone() else {
            let Written { is_broken, found, more, .. } = written;
            return Prepared { id: None, is_broken, found, more, kept: None };
        };
        let place = Place { row: id.clone(), ..place };
        let origin = Origin { keys: &self.keys, register, puskesmas: &sender.puskesmas, keyed: true };
        if written.withdrawn && written.found.is_empty() {
            // The key is the record's, so that it takes the record's place.
            let mut seen = origin.skipped(place.clone(), SkipReason::Withdrawn);
            seen.row_key = self.keys.hash("row.key", &[&place.file, &place.row]);
            let kept = Some(Kept::Withdrawn(Box::new(seen)));
            return Prepared { id: Some(id), is_broken: false, found: Vec::new(), more: 0, kept };
        }
        let (table, layout) = self.table(&mut written, &place);
        let cells: Cells = written.cells.iter().map(String::as_str).collect();
        written.cells = Vec::new();
        let row = Row::laid_out(place, table, cells, layout);
        let outcome = self.outcome(sender, &written, &row, None);
        let asked = Box::new(Asked::new(row, outcome, &origin));
        let more = written.more;
        let kept = Some(Kept::Asked(asked, Box::new(written)));
        Prepared { id: Some(id), is_broken: false, found: Vec::new(), more, kept }
    }

    /// What a record yields: by itself, or as that of a known person.
    fn outcome(&self, sender: &Sender, written: &Written, row: &Row, known: Option<&Person>) -> RowOutcome {
        let mut outcome = self.reader.read_of(row, sender.zone.date_at(self.clock.now()), known);
        outcome.issues.retain(|issue| self.column_of(issue).is_none_or(|column| !written.spoilt.contains(&column)));
        outcome.issues.splice(0..0, written.found.iter().map(|found| found.issue.clone()));
        outcome
    }

    /// The rows of a batch with their persons, ready for the ledger; what was found goes to each record.
    async fn settle(
        &self,
        sender: &Sender,
        register: &Register,
        records: &mut [Prepared],
    ) -> Result<(Vec<RowSeen>, Vec<PersonTold>, Doubts), LedgerError> {
        let origin = Origin { keys: &self.keys, register, puskesmas: &sender.puskesmas, keyed: true };
        let asking = records.iter().filter_map(|record| match &record.kept {
            Some(Kept::Asked(asked, _)) => Some(&**asked),
            _ => None,
        });
        let mut people = People::of(&self.ledger, &asking.collect::<Vec<_>>(), &origin).await?;
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            match &mut record.kept {
                None => {}
                Some(Kept::Withdrawn(seen)) => rows.push((**seen).clone()),
                Some(Kept::Asked(asked, written)) => {
                    let read = |row: &Row, known: Option<&Person>| self.outcome(sender, written, row, known);
                    let mut seen = people.settle(asked, &origin, &read).seen;
                    if matches!(seen.outcome, RowKind::Issue) && !seen.issues.iter().any(Issue::is_error) {
                        let place = asked.row.place.clone();
                        seen.issues.push(Issue::error(Code::Required, "intake.no_service").at(place));
                    }
                    record.found = self.found(written, &seen);
                    rows.push(seen);
                }
            }
        }
        let told = people.told()?;
        Ok((rows, told, people.doubts))
    }

    /// A record that was not even read: too long or too deeply nested.
    #[must_use]
    pub fn unread(&self, issue: Issue) -> Prepared {
        let found = vec![Found { issue, pointer: String::new() }];
        Prepared { id: None, is_broken: false, found, more: 0, kept: None }
    }

    /// Stores records and says what became of each, in their order. When it returns they are on the disk.
    ///
    /// # Errors
    /// Failures of the ledger; then nothing of these records is stored.
    pub async fn take(
        &self,
        sender: &Sender,
        register: &Register,
        mut records: Vec<Prepared>,
    ) -> Result<Vec<Taken>, LedgerError> {
        let (kinds, stored) = self.store(sender, register, &mut records).await?;
        let mut stored = stored.into_iter().zip(kinds);
        let mut news = false;
        let mut taken = Vec::with_capacity(records.len());
        for record in records {
            let kept = if record.id.is_some() { stored.next() } else { None };
            let outcome = match &kept {
                None => Outcome::Issue,
                Some((_, Some(outcome))) => *outcome,
                Some((row, None)) if row.fate == RowFate::Unchanged => Outcome::Unchanged,
                Some(_) => Outcome::Accepted,
            };
            news |= kept.as_ref().is_some_and(|(row, _)| row.fate != RowFate::Unchanged);
            let version = kept.map(|(row, _)| data_encoding::HEXLOWER.encode(&row.version[..VERSION_BYTES]));
            taken.push(Taken { id: record.id, outcome, version, found: record.found, more: record.more });
        }
        if news {
            self.has_news.store(true, Ordering::Release);
            self.news.notify_one();
        }
        Ok(taken)
    }

    /// Settles and stores records; once more when another row told one of their persons in between.
    async fn store(
        &self,
        sender: &Sender,
        register: &Register,
        records: &mut [Prepared],
    ) -> Result<(Vec<Option<Outcome>>, Vec<TakenRow>), LedgerError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let (rows, told, doubts) = self.settle(sender, register, records).await?;
            if rows.is_empty() {
                return Ok((Vec::new(), Vec::new()));
            }
            match self.ledger.take_rows_of(self.pass(sender).await?, &rows, &told, &doubts).await {
                Err(LedgerError::PersonTaken) if tries < TRIES => {}
                result => return Ok((rows.iter().map(decided).collect(), result?)),
            }
        }
    }

    /// Waits until records were taken that nobody has mapped yet, and a moment longer for their company.
    pub async fn news(&self) {
        while !self.has_news.load(Ordering::Acquire) {
            self.news.notified().await;
        }
        tokio::time::sleep(GATHER).await;
    }

    /// Says that what was taken so far is being mapped.
    pub fn told(&self) {
        self.has_news.store(false, Ordering::Release);
    }

    /// Ends the passes.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn close(&self) -> Result<(), LedgerError> {
        let passes = std::mem::take(&mut *self.passes.lock().await);
        for pass in passes.into_values() {
            self.ledger.finish_pass(pass, false).await?;
        }
        Ok(())
    }

    async fn pass(&self, sender: &Sender) -> Result<PassId, LedgerError> {
        let key = (sender.name.clone(), sender.zone.date_at(self.clock.now()));
        let mut passes = self.passes.lock().await;
        if let Some(pass) = passes.get(&key) {
            return Ok(*pass);
        }
        let pass = self.ledger.begin_common_pass(&sender.name, FILE).await?;
        passes.insert(key, pass);
        Ok(pass)
    }

    /// The table that a record belongs to by the visit it tells. Two visits are two records.
    fn table(&self, written: &mut Written, place: &Place) -> (usize, &Arc<Layout>) {
        let is_told = |dataset: &str| {
            let columns = self.fields.datasets.get(dataset).into_iter().flat_map(|dataset| dataset.columns.values());
            columns.into_iter().any(|column| written.cells.get(*column).is_some_and(|cell| !cell.is_empty()))
        };
        let told: Vec<usize> = self
            .tables
            .iter()
            .enumerate()
            .filter_map(|(at, table)| table.visit.as_deref().is_some_and(is_told).then_some(at))
            .collect();
        let at = told.first().copied().unwrap_or_default();
        if let Some(second) = told.get(1).and_then(|at| self.tables[*at].visit.clone()) {
            let issue = Issue::error(Code::Structure, "intake.two_visits").with("nama", &second).at(place.clone());
            written.found.push(Found { issue, pointer: format!("/{second}") });
        }
        (at, &self.tables[at].layout)
    }

    fn column_of(&self, issue: &Issue) -> Option<usize> {
        let column = issue.place.as_ref()?.column.as_ref()?;
        self.fields.headers.iter().position(|header| header == column)
    }

    /// Each issue with its JSON pointer: of the JSON as found there, of the reader from its column.
    fn found(&self, written: &Written, seen: &RowSeen) -> Vec<Found> {
        let mut found = written.found.clone();
        for issue in seen.issues.iter().skip(found.len()) {
            let column = issue.place.as_ref().and_then(|place| place.column.as_deref());
            let named = column.or(issue.expression.as_deref()).and_then(|name| name.split_once('.'));
            let pointer = match named {
                Some((dataset, field)) if self.fields.datasets.contains_key(dataset) => {
                    let list = if written.lists.contains(dataset) { "/0" } else { "" };
                    format!("/{dataset}{list}/{field}")
                }
                _ => String::new(),
            };
            found.push(Found { issue: issue.clone(), pointer });
        }
        found
    }
}

/// How a record ends whatever the ledger knows of it.
fn decided(row: &RowSeen) -> Option<Outcome> {
    match &row.outcome {
        RowKind::Issue => Some(Outcome::Issue),
        RowKind::Skipped(reason) if reason == SkipReason::Withdrawn.name() => Some(Outcome::Withdrawn),
        RowKind::Skipped(_) | RowKind::Records { .. } => None,
    }
}
