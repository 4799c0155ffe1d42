//! Reads delivered resources back by their id and compares them with what was sent.
//!
//! It changes no state: what it finds is kept beside the resources for the report. What consent rules hide is counted
//! as hidden, never as missing.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use tokio::task::JoinSet;

use super::compare::{Difference, compare};
use super::look_up::expected;
use super::{BATCH, Line, Reconciliation, ReconciliationError, Stopped, UNTOUCHED_MAX, lines, stopped};
use crate::ledger::LedgerError;
use crate::ledger::entry::{EntryId, Finding, OpenEntry};
use crate::remote::ReadAnswer;

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
struct Read {
    findings: Vec<(u32, Finding)>,
    differing: Vec<Differing>,
    hidden: u64,
    failed: u64,
}

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
        let lines = lines(&self.lanes);
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
        tally.stopped = stopped(&lines);
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
        let expected = expected(entry)?;
        let known: Vec<(String, String)> = entry
            .resources
            .iter()
            .filter_map(|resource| {
                let id = resource.server_id.as_ref()?;
                Some((resource.full_url.clone(), format!("{}/{id}", resource.resource_type)))
            })
            .collect();
        let mut read = Read::default();
        for (resource, expected) in entry.resources.iter().zip(&expected) {
            let Some(id) = &resource.server_id else { continue };
            let differences = match line.lane.remote.read(&resource.resource_type, id).await {
                ReadAnswer::Found(found) => Some(compare(expected, found.reveal(), &known)),
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
            let finding = match &differences {
                None => Finding::Missing,
                Some(differences) if differences.is_empty() => Finding::Equal,
                Some(_) => Finding::Different,
            };
            read.findings.push((resource.position, finding));
            if finding != Finding::Equal {
                read.differing.push(Differing {
                    entry_id: entry.entry_id,
                    puskesmas: entry.lane.clone(),
                    posyandu: entry.posyandu.clone(),
                    resource_type: resource.resource_type.clone(),
                    differences: differences.unwrap_or_default(),
                });
            }
        }
        match self.ledger.record_verification(entry.entry_id, read.findings.clone()).await {
            // A newer version took its place while it was read: that one is read back when it is delivered.
            Ok(()) | Err(LedgerError::NotDelivered(_)) => Ok(Some(read)),
            Err(error) => Err(error.into()),
        }
    }
}

impl ReadBackTally {
    fn add(&mut self, read: Read) {
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
