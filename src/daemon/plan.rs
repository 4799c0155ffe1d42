//! What a changed mapping would do to visits that are delivered: counted, and kept as a plan for a person to approve.
//!
//! It must not send and must not mark anything: an approved plan is carried out by the next round.

use std::collections::BTreeMap;

use super::{Daemon, DaemonError};
use crate::config::assets::Rules;
use crate::ingest::register::Register;
use crate::ingest::visit::Mapper;
use crate::ledger::Ledger;
use crate::ledger::entry::NewEntry;
use crate::ledger::plan::{DeliveredVisit, Effect, NewPlan};
use crate::ledger::row::{VisitId, VisitRecords};

/// Delivered visits mapped at once.
const VISITS_AT_ONCE: u32 = 200;

impl Daemon {
    /// The register of posyandu, read now.
    ///
    /// # Errors
    /// [`DaemonError::RegisterUnread`] when a source of it cannot be read; failures of the ledger.
    pub async fn register(&self) -> Result<Register, DaemonError> {
        Ok(self.counted_register().await?.0)
    }

    /// The register of posyandu, read now, and how many of its rows wait for a correction and are not in it.
    ///
    /// # Errors
    /// As [`Daemon::register`].
    pub async fn counted_register(&self) -> Result<(Register, u64), DaemonError> {
        let sources = super::set_up::sources(&self.config)?;
        let (mut register, outcomes) = self.reading().register(&sources).await?;
        self.fill(&mut register).await?;
        let waiting = outcomes.iter().map(|outcome| outcome.tally.issue).sum();
        match outcomes.into_iter().find(|outcome| outcome.problem.is_some()) {
            Some(outcome) => Err(DaemonError::RegisterUnread(outcome.source)),
            None => Ok((register, waiting)),
        }
    }

    /// What this mapping would change about visits that another one delivered.
    ///
    /// # Errors
    /// [`DaemonError`] when the ledger or a setting fails.
    pub async fn plan(&self, register: &Register) -> Result<NewPlan, DaemonError> {
        self.plan_in(&self.ledger, register).await
    }

    /// The same of another ledger than the one that is written here.
    ///
    /// # Errors
    /// As [`Daemon::plan`].
    pub async fn plan_in(&self, ledger: &Ledger, register: &Register) -> Result<NewPlan, DaemonError> {
        let means = self.means()?;
        touched(ledger, &means.mapper(self, register)).await
    }

    /// Reads all sources and maps each visit with this mapping and with `old` ones; `seen` is shown both. `accepted`
    /// are the guesses configured, of which each mapping knows its own.
    ///
    /// # Errors
    /// As [`Daemon::ingest`]; a source that cannot be read.
    pub async fn compared(&self, old: &Rules, accepted: &[String], seen: Both<'_>) -> Result<Register, DaemonError> {
        let register = self.register().await?;
        let sources = super::set_up::sources(&self.config)?;
        let (_, read) = Box::pin(self.reading().sources(&sources, &register, &|_, _| {})).await?;
        if let Some(outcome) = read.into_iter().find(|outcome| outcome.problem.is_some()) {
            return Err(DaemonError::Setting(format!("source `{}` cannot be read: see `check`", outcome.source)));
        }
        let known = old.mappings.switches();
        let mut means = self.means()?;
        means.switches = accepted.iter().filter(|switch| known.contains(switch.as_str())).cloned().collect();
        let mapper = Mapper { mappings: &old.mappings, ..means.mapper(self, &register) };
        let mut look = |visit: &VisitRecords, entry: &mut NewEntry| {
            let was = mapper.entry(visit).map_err(std::io::Error::other)?;
            seen(visit, &was, entry);
            Ok(())
        };
        self.map(&register, &mut look, &|_| {}).await?;
        Ok(register)
    }

    /// What all but the records amounts to now: the version with which the next round maps.
    ///
    /// # Errors
    /// [`DaemonError`] when a setting fails.
    pub fn version(&self, register: &Register) -> Result<String, DaemonError> {
        Ok(self.means()?.mapper(self, register).version)
    }
}

/// Who is shown each visit with what the old and the new mapping make of it.
pub type Both<'a> = &'a mut (dyn FnMut(&VisitRecords, &NewEntry, &NewEntry) + Send);

/// Maps every delivered visit of another mapping again and compares.
async fn touched(ledger: &Ledger, mapper: &Mapper<'_>) -> Result<NewPlan, DaemonError> {
    let mut plan = NewPlan { new_version: mapper.version.clone(), ..NewPlan::default() };
    let mut after = VisitId::default();
    loop {
        let delivered = ledger.delivered_by_another(&mapper.version, after, VISITS_AT_ONCE).await?;
        let Some(last) = delivered.last() else { return Ok(plan) };
        after = last.records.visit_id;
        for visit in &delivered {
            let entry = mapper.entry(&visit.records).map_err(crate::ingest::IngestError::Visit)?;
            if entry.refused {
                plan.effect.refused += 1;
            } else if !entry.is_waived() && entry.content_hash != visit.content_hash {
                compare(visit, &entry, &mut plan.effect);
                plan.visits.push((visit.records.visit_id, visit.mapping_version.clone()));
            }
        }
    }
}

/// Counts what changes about the resources of a visit, by their business identifiers.
fn compare(visit: &DeliveredVisit, entry: &NewEntry, effect: &mut Effect) {
    let old = visit.resources.iter();
    let mut old: BTreeMap<(&str, &str), [u8; 32]> =
        old.map(|one| ((one.identifier_system.as_str(), one.identifier_value.as_str()), one.content_hash)).collect();
    for resource in &entry.resources {
        match old.remove(&(resource.identifier_system.as_str(), resource.identifier_value.as_str())) {
            None => effect.added += 1,
            Some(hash) if hash != resource.content_hash => effect.changed += 1,
            Some(_) => {}
        }
    }
    effect.left_out += old.len() as u64;
}
