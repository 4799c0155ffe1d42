//! Reads delivered resources back by their id and compares them with what was sent.
//!
//! It changes no state of an entry: what it finds is kept beside the resources, and as discrepancies that open and
//! close by it. What consent rules hide is counted as hidden, never as missing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use tokio::task::JoinSet;

use super::compare::Difference;
use super::judge::{self, judge, thing};
use super::look_up::expected;
use super::{BATCH, Line, Reconciliation, ReconciliationError, Stopped, UNTOUCHED_MAX, lines_to_read_back};
use crate::ledger::LedgerError;
use crate::ledger::discrepancy::Comparison;
use crate::ledger::entry::{EntryId, Finding, OpenEntry};
use crate::redact::Personal;
use crate::remote::ReadAnswer;
use crate::resource::envelope::Whom;

/// Resources kept by name because they differ; more are only counted.
pub const NAMED_MAX: usize = 1_000;

/// What reading back showed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadBackTally {
    /// Resources as they were sent.
    pub equal: u64,
    /// Resources with other content.
    pub different: u64,
    /// Resources that are gone.
    pub missing: u64,
    /// Resources that consent rules hide from us.
    pub hidden: u64,
    /// Resources that could not be read.
    pub failed: u64,
    /// Entries not asked for, because their lane stopped or is not configured.
    pub untouched: u64,
    /// The different and missing ones, up to [`NAMED_MAX`].
    pub differing: Vec<Differing>,
    /// Lanes that were not asked any further.
    pub stopped: Vec<Stopped>,
}

/// A resource that is not as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Its entry.
    pub entry_id: EntryId,
    /// The puskesmas.
    pub puskesmas: String,
    /// Code of the posyandu.
    pub posyandu: String,
    /// Resource type.
    pub resource_type: String,
    /// Where it differs; empty when the whole resource is gone.
    pub differences: Vec<Difference>,
}

/// What was found of one entry.
#[derive(Default)]
pub(super) struct Read {
    pub(super) findings: Vec<(u32, Finding)>,
    pub(super) differing: Vec<Differing>,
    pub(super) hidden: u64,
    pub(super) failed: u64,
}

/// What a search showed already, by `Type/ID`. About persons.
pub(super) type Fetched = HashMap<String, Value>;

impl Reconciliation {
    /// Reads back what was delivered on a service date, or on all, and was not read since `before`. `progress` is
    /// told how many entries are done.
    ///
    /// # Errors
    /// [`ReconciliationError`] when the ledger fails; a server that does not answer is in the tally.
    pub async fn read_back(
        &self,
        service_date: Option<Date>,
        before: Timestamp,
        progress: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<ReadBackTally, ReconciliationError> {
        let lines = lines_to_read_back(&self.lanes);
        let mut tally = ReadBackTally::default();
        let mut asked = HashSet::new();
        let (mut done, mut left) = (0_u64, 0_usize);
        loop {
            let limit = BATCH.saturating_add(u32::try_from(left).unwrap_or(u32::MAX));
            let due = self.ledger.to_verify(service_date, before, limit).await?;
            let fresh: Vec<OpenEntry> = due.into_iter().filter(|entry| asked.insert(entry.entry_id)).collect();
            if fresh.is_empty() || left >= UNTOUCHED_MAX {
                break;
            }
            let mut running: JoinSet<Result<Option<Read>, ReconciliationError>> = JoinSet::new();
            for entry in fresh {
                match lines.get(&entry.lane) {
                    Some(line) => {
                        let (own, line) = (self.clone(), Arc::clone(line));
                        running.spawn(async move { own.read_one(&line, &entry).await });
                    }
                    None => {
                        left += 1;
                        tally.untouched += 1;
                    }
                }
            }
            while let Some(read) = running.join_next().await {
                match read.map_err(ReconciliationError::Task)?? {
                    Some(read) => {
                        // Some of it stays unread, so the ledger will name the entry again.
                        left += usize::from(read.hidden + read.failed > 0);
                        tally.add(read);
                    }
                    None => {
                        left += 1;
                        tally.untouched += 1;
                    }
                }
                done += 1;
                progress(done);
            }
        }
        tally.stopped = self.ended(&lines).await;
        tally
            .differing
            .sort_by(|one, other| (one.entry_id, &one.resource_type).cmp(&(other.entry_id, &other.resource_type)));
        Ok(tally)
    }

    async fn read_one(&self, line: &Line, entry: &OpenEntry) -> Result<Option<Read>, ReconciliationError> {
        let Ok(_slot) = line.slots.acquire().await else { return Ok(None) };
        if line.stopped().is_some() || !line.may_ask(self.clock.now()) {
            return Ok(None);
        }
        let person = self.person(entry).await?;
        Ok(Some(self.check(line, entry, person, Fetched::new()).await?))
    }

    /// The person at the server that an entry is about, as far as the ledger knows.
    pub(super) async fn person(&self, entry: &OpenEntry) -> Result<Option<String>, ReconciliationError> {
        let Ok(whom) = serde_json::from_str::<Whom>(entry.person.reveal()) else { return Ok(None) };
        let parts = whom.key_parts();
        Ok(self.ledger.person_of(entry.entry_id, &parts.each_ref().map(String::as_str)).await?)
    }

    /// Compares every resource of an entry with what the server holds, and stores what that shows. What `fetched`
    /// holds already is not asked for again.
    pub(super) async fn check(
        &self,
        line: &Line,
        entry: &OpenEntry,
        person: Option<String>,
        mut fetched: Fetched,
    ) -> Result<Read, ReconciliationError> {
        let expected = expected(entry)?;
        let known: Vec<(String, String)> =
            entry.resources.iter().filter_map(|one| Some((one.full_url.clone(), thing(one)?))).collect();
        let (mut read, mut comparison) = (Read::default(), Comparison::default());
        for (resource, expected) in entry.resources.iter().zip(&expected) {
            let (Some(id), Some(thing)) = (&resource.server_id, thing(resource)) else { continue };
            let answer = match fetched.remove(&thing) {
                Some(found) => ReadAnswer::Found(Personal::new(found)),
                None => line.lane.remote.read(&resource.resource_type, id).await,
            };
            let found = match answer {
                ReadAnswer::Found(found) => Some(found),
                ReadAnswer::Absent => None,
                ReadAnswer::Hidden => {
                    read.hidden += 1;
                    continue;
                }
                ReadAnswer::Failed(answer) => {
                    read.failed += 1;
                    line.failed(&answer, self.clock.now());
                    continue;
                }
            };
            line.worked();
            let judged = judge(expected, found.as_ref().map(Personal::reveal), &known, person.as_deref());
            judge::note(&mut comparison, entry, thing, &judged);
            read.findings.push((resource.position, judged.finding));
            if judged.finding != Finding::Equal {
                read.differing.push(Differing {
                    entry_id: entry.entry_id,
                    puskesmas: entry.lane.clone(),
                    posyandu: entry.posyandu.clone(),
                    resource_type: resource.resource_type.clone(),
                    differences: judged.differences.into_iter().chain(judged.wrong_person).collect(),
                });
            }
        }
        match self.ledger.record_comparison(entry.entry_id, read.findings.clone(), comparison, person).await {
            // A newer version took its place while it was read: that one is read back when it is delivered.
            Ok(()) | Err(LedgerError::NotDelivered(_)) => Ok(read),
            Err(error) => Err(error.into()),
        }
    }
}

impl ReadBackTally {
    pub(super) fn add(&mut self, read: Read) {
        for (_, finding) in &read.findings {
            match finding {
                Finding::Equal => self.equal += 1,
                Finding::Different => self.different += 1,
                Finding::Missing => self.missing += 1,
            }
        }
        self.hidden += read.hidden;
        self.failed += read.failed;
        let room = NAMED_MAX.saturating_sub(self.differing.len());
        self.differing.extend(read.differing.into_iter().take(room));
    }
}
