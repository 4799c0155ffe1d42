//! An audit of some days: every visit, or a sample, is read back and searched around, and every difference is kept as a
//! discrepancy.
//!
//! It only reads at the server. What it could not see is counted and proves nothing.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use tokio::task::JoinSet;

use super::read_back::{Read, ReadBackTally};
use super::wide::Known;
use super::{BATCH, Line, Reconciliation, ReconciliationError, lines_to_read_back};
use crate::ledger::comparing::Delivered;
use crate::ledger::discrepancy::{Class, Comparison, Found};
use crate::ledger::entry::{EntryId, OpenEntry};
use crate::ledger::reading::Filter;

/// Passes in a row that show not one visit more, after which what is left is told as not seen. As long as they show some,
/// the audit goes on: a lane that stops now and then has not seen a city's month after any fixed number.
const PASSES_MAX: u32 = 6;
/// Wait before that, longer each time: a lane in trouble is tried again within a minute, with wrong access within five.
const PASS_WAIT: Duration = Duration::from_secs(60);

/// What is audited.
pub struct Scope {
    /// First service date.
    pub first: Date,
    /// Last service date.
    pub last: Date,
    /// The visits.
    pub visits: Vec<Delivered>,
    /// They are all of these days: then each day is searched for visits that nobody knows.
    pub is_whole: bool,
}

/// What an audit came to.
#[derive(Clone, Debug, Default)]
pub struct AuditTally {
    /// Resources read back.
    pub read: ReadBackTally,
    /// Visits seen.
    pub visits: u64,
    /// Of those, visits with anything that is not as it should be.
    pub visits_differing: u64,
    /// Things at the server that the ledger does not know.
    pub unknown: u64,
    /// Searches that were cut short or of which something is hidden: they prove nothing.
    pub cut: u64,
    /// Searches without a usable answer.
    pub failed: u64,
}

impl AuditTally {
    /// Whether everything asked for was seen.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.read.stopped.is_empty() && self.cut + self.failed + self.read.failed + self.read.untouched == 0
    }
}

/// The days of the server's clock (UTC) that a day in Indonesia lies in: it begins while the one before still runs there.
fn days_at_server(day: Date) -> [Date; 2] {
    [day.saturating_sub(1.day()), day]
}

/// Calls that an audit needs, by puskesmas: a search for each type of a visit and one for its person, what they did
/// not show by id, and one for each day of the server's clock.
#[must_use]
pub fn calls(scope: &Scope) -> BTreeMap<String, u64> {
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    let mut days: HashSet<(&str, Date)> = HashSet::new();
    for visit in &scope.visits {
        let number = calls.entry(visit.puskesmas.clone()).or_default();
        *number += visit.types.max(1);
        if scope.is_whole {
            let new =
                days_at_server(visit.service_date).into_iter().filter(|day| days.insert((&visit.puskesmas, *day)));
            *number += new.count() as u64;
        }
    }
    calls
}

struct Seen {
    entry: EntryId,
    read: Read,
    unknown: Vec<Found>,
    cut: u64,
    failed: u64,
}

impl Reconciliation {
    /// Audits. `progress` is told how many visits are done.
    ///
    /// # Errors
    /// [`ReconciliationError`] when the ledger fails; a server that does not answer is in the tally.
    pub async fn audit(
        &self,
        scope: &Scope,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<AuditTally, ReconciliationError> {
        let filter = Filter { from: Some(scope.first), to: Some(scope.last), ..Filter::default() };
        let encounters = self.ledger.encounters(&filter).await?.into_iter().collect();
        let known = Known { days: (scope.first, scope.last), encounters, searched: Mutex::default() };
        let known = Arc::new(known);
        let mut tally = AuditTally::default();
        let mut left: Vec<EntryId> = scope.visits.iter().map(|visit| visit.entry).collect();
        let mut lines = lines_to_read_back(&self.lanes);
        let mut fruitless = 0;
        loop {
            let (before, is_last) = (left.len(), fruitless + 1 == PASSES_MAX);
            left = self.visits(&left, &lines, &known, &mut tally, is_last, progress).await?;
            if left.is_empty() {
                break;
            }
            fruitless = if left.len() < before { 0 } else { fruitless + 1 };
            self.clock.sleep(PASS_WAIT * (fruitless + 1)).await;
            // Persons whose visits were not seen are searched again.
            known.searched.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
            lines = lines_to_read_back(&self.lanes);
        }
        if scope.is_whole {
            self.days(scope, &lines, &known, &mut tally).await?;
        }
        self.settle_unknown(&filter, &lines, &known, &mut tally).await?;
        tally.read.stopped = self.ended(&lines).await;
        Ok(tally)
    }

    /// One pass; gives those that could not be seen whole, unless it is the last one.
    async fn visits(
        &self,
        entries: &[EntryId],
        lines: &BTreeMap<String, Arc<Line>>,
        known: &Arc<Known>,
        tally: &mut AuditTally,
        is_last: bool,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Vec<EntryId>, ReconciliationError> {
        let mut left = Vec::new();
        for part in entries.chunks(usize::try_from(BATCH).unwrap_or(1)) {
            let mut running: JoinSet<Result<Option<Seen>, ReconciliationError>> = JoinSet::new();
            let mut asked: HashSet<EntryId> = part.iter().copied().collect();
            for entry in self.ledger.load(part).await? {
                if let Some(line) = lines.get(&entry.lane) {
                    let (own, line, known) = (self.clone(), Arc::clone(line), Arc::clone(known));
                    running.spawn(async move { own.audit_one(&line, &entry, &known).await });
                }
            }
            while let Some(seen) = running.join_next().await {
                let Some(seen) = seen.map_err(ReconciliationError::Task)?? else { continue };
                let is_whole = seen.failed + seen.read.failed == 0;
                if is_whole || is_last {
                    asked.remove(&seen.entry);
                    tally.add(seen);
                    progress(tally.visits);
                }
            }
            if is_last {
                tally.read.untouched += asked.len() as u64;
            } else {
                left.extend(part.iter().filter(|entry| asked.contains(*entry)));
            }
        }
        Ok(left)
    }

    async fn audit_one(
        &self,
        line: &Line,
        entry: &OpenEntry,
        known: &Known,
    ) -> Result<Option<Seen>, ReconciliationError> {
        let Ok(_slot) = line.slots.acquire().await else { return Ok(None) };
        if line.stopped().is_some() || !line.may_ask(self.clock.now()) {
            return Ok(None);
        }
        let person = self.person(entry).await?;
        let shown = self.search_around(line, entry, person.as_deref(), known).await?;
        let read = self.check(line, entry, person, shown.fetched).await?;
        if !shown.unknown.is_empty() {
            self.ledger.note_comparison(found(shown.unknown.clone())).await?;
        }
        let (cut, failed) = (shown.cut, shown.failed);
        Ok(Some(Seen { entry: entry.entry_id, read, unknown: shown.unknown, cut, failed }))
    }

    /// Visits of each day under each organization.
    async fn days(
        &self,
        scope: &Scope,
        lines: &BTreeMap<String, Arc<Line>>,
        known: &Known,
        tally: &mut AuditTally,
    ) -> Result<(), ReconciliationError> {
        let mut days: HashSet<(&str, Date)> = HashSet::new();
        for visit in &scope.visits {
            days.extend(days_at_server(visit.service_date).map(|day| (visit.puskesmas.as_str(), day)));
        }
        let mut ordered: Vec<(&str, Date)> = days.into_iter().collect();
        ordered.sort_unstable();
        for (puskesmas, day) in ordered {
            let Some(line) = lines.get(puskesmas).filter(|line| line.stopped().is_none()) else {
                tally.failed += 1;
                continue;
            };
            let mut shown = self.search_day(line, day, known).await;
            for _ in 1..PASSES_MAX {
                if shown.failed == 0 {
                    break;
                }
                self.clock.sleep(PASS_WAIT).await;
                shown = self.search_day(line, day, known).await;
            }
            tally.cut += shown.cut;
            tally.failed += shown.failed;
            tally.unknown += self.ledger.note_comparison(found(shown.unknown)).await?;
        }
        Ok(())
    }

    /// What was unknown before may be known, gone or set aside by now. What the server does not tell is asked for again
    /// and counted in the end: it would stay open with nobody the wiser.
    async fn settle_unknown(
        &self,
        filter: &Filter,
        lines: &BTreeMap<String, Arc<Line>>,
        known: &Known,
        tally: &mut AuditTally,
    ) -> Result<(), ReconciliationError> {
        let mut left = self.ledger.discrepancies(filter, false).await?;
        left.retain(|one| one.class == Class::UnknownToUs && lines.contains_key(&one.puskesmas));
        for pass in 1..=PASSES_MAX {
            let mut untold = Vec::new();
            for one in left {
                let Some(line) = lines.get(&one.puskesmas) else { continue };
                let id = one.thing.strip_prefix("Encounter/");
                let is_known = id.is_some_and(|id| known.encounters.contains(id));
                let closing = match is_known {
                    true => "the ledger knows it",
                    false => match self.is_settled(line, &one.thing).await {
                        Some(true) => "gone or set aside at the server",
                        Some(false) => continue,
                        None => {
                            untold.push(one);
                            continue;
                        }
                    },
                };
                let classes = vec![Class::UnknownToUs];
                let comparison = Comparison { looked: vec![one.thing], classes, found: Vec::new(), closing };
                self.ledger.note_comparison(comparison).await?;
            }
            left = untold;
            if left.is_empty() || pass == PASSES_MAX {
                break;
            }
            self.clock.sleep(PASS_WAIT).await;
        }
        tally.failed += left.len() as u64;
        Ok(())
    }
}

fn found(found: Vec<Found>) -> Comparison {
    Comparison { found, ..Comparison::default() }
}

impl AuditTally {
    fn add(&mut self, seen: Seen) {
        self.visits += 1;
        self.visits_differing += u64::from(!seen.read.differing.is_empty() || !seen.unknown.is_empty());
        self.unknown += seen.unknown.len() as u64;
        self.cut += seen.cut;
        self.failed += seen.failed;
        self.read.add(seen.read);
    }
}

/// First and last day of the month that a date lies in.
#[must_use]
pub fn month(date: Date) -> (Date, Date) {
    (date.first_of_month(), date.first_of_month().saturating_add(1.month()).saturating_sub(1.day()))
}
