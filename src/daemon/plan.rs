//! What a changed mapping would do to visits that are delivered: counted, and kept as a plan for a person to approve.
//!
//! It must not send and must not mark anything: an approved plan is carried out by the next round.

use std::collections::BTreeMap;

use super::{Daemon, DaemonError};
use crate::ingest::register::Register;
use crate::ingest::visit::Mapper;
use crate::ledger::Ledger;
use crate::ledger::entry::NewEntry;
use crate::ledger::plan::{DeliveredVisit, Effect, NewPlan};
use crate::ledger::row::VisitId;

/// Delivered visits mapped at once.
const VISITS_AT_ONCE: u32 = 200;

impl Daemon {
    /// The register of posyandu, read now.
    ///
    /// # Errors
    /// [`DaemonError::RegisterUnread`] when a source of it cannot be read; failures of the ledger.
    pub async fn register(&self) -> Result<Register, DaemonError> {
        let sources = super::set_up::sources(&self.config)?;
        let (register, outcomes) = self.reading().register(&sources).await?;
        match outcomes.into_iter().find(|outcome| outcome.problem.is_some()) {
            Some(outcome) => Err(DaemonError::RegisterUnread(outcome.source)),
            None => Ok(register),
        }
    }

    /// What this mapping would change about visits that another one delivered.
    ///
    /// # Errors
    /// [`DaemonError`] when the ledger or a setting fails.
    pub async fn plan(&self, register: &Register) -> Result<NewPlan, DaemonError> {
        let means = self.means()?;
        let mapper = means.mapper(self, register);
        touched(&self.ledger, &mapper, &mut |_, _| {}).await
    }

    /// What all but the records amounts to now: the version with which the next round maps.
    ///
    /// # Errors
    /// [`DaemonError`] when a setting fails.
    pub fn version(&self, register: &Register) -> Result<String, DaemonError> {
        Ok(self.means()?.mapper(self, register).version)
    }
}

/// Who is shown each delivered visit that would change, with what it would become.
pub type Seen<'a> = &'a mut dyn FnMut(&DeliveredVisit, &NewEntry);

/// Maps every delivered visit of another mapping again and compares; `seen` is shown those that would change.
///
/// # Errors
/// [`DaemonError`] when the ledger fails or stored records cannot be read.
pub async fn touched(ledger: &Ledger, mapper: &Mapper<'_>, seen: Seen<'_>) -> Result<NewPlan, DaemonError> {
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
            } else if entry.content_hash != visit.content_hash {
                compare(visit, &entry, &mut plan.effect);
                plan.visits.push((visit.records.visit_id, visit.mapping_version.clone()));
                seen(visit, &entry);
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
