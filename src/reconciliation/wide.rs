//! Searches around a visit for what the ledger does not know: other Encounters of its person under our organization,
//! and resources that refer to its Encounter.
//!
//! It only reads. A search may ignore what it was asked for, so each hit is checked; what a search shows need not be
//! read again. A search that was cut short proves nothing and is counted.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::compare::relative;
use super::look_up::{Anchor, Blind};
use super::read_back::Fetched;
use super::{Line, Reconciliation, ReconciliationError};
use crate::clock::Zone;
use crate::ledger::discrepancy::{Cause, Class, Found};
use crate::ledger::entry::OpenEntry;
use crate::remote::ReadAnswer;
use crate::remote::search::{Matches, SearchAnswer, systems};

pub(super) const ENCOUNTER: &str = "Encounter";
/// An episode outlives the visit and may be another's.
const EPISODE: &str = "EpisodeOfCare";
/// What the platform sets aside instead of deleting.
const SET_ASIDE: &str = "entered-in-error";

/// What is known before the searches begin, shared by all visits of a run.
pub(super) struct Known {
    /// First and last service date that the run is about.
    pub(super) days: (Date, Date),
    /// Ids of the Encounters that the ledger knows.
    pub(super) encounters: HashSet<String>,
    /// Lanes and persons whose Encounters were searched: each lane knows its own organization's.
    pub(super) searched: Mutex<HashSet<(String, String)>>,
}

/// What searching showed.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) fetched: Fetched,
    pub(super) unknown: Vec<Found>,
    /// Searches that were cut short or of which something is hidden.
    pub(super) cut: u64,
    /// Searches without a usable answer.
    pub(super) failed: u64,
}

impl Shown {
    fn take(&mut self, found: Matches) -> Vec<Value> {
        self.cut += u64::from(!found.complete || found.hidden > 0);
        found.resources.into_iter().map(crate::redact::Personal::into_inner).collect()
    }
}

impl Reconciliation {
    /// Searches around one visit.
    pub(super) async fn search_around(
        &self,
        line: &Line,
        entry: &OpenEntry,
        person: Option<&str>,
        known: &Known,
    ) -> Result<Shown, ReconciliationError> {
        let mut shown = Shown::default();
        let Some(visit) = entry.resources.iter().find(|one| one.resource_type == ENCOUNTER) else { return Ok(shown) };
        let Some(id) = &visit.server_id else { return Ok(shown) };
        let own_system = visit.identifier_system.as_str();
        if let Some(person) = person.filter(|person| known.is_new(&line.lane.name, person)) {
            match line.lane.remote.search(ENCOUNTER, &[("subject", person)]).await {
                SearchAnswer::Found(found) => {
                    for one in shown.take(found) {
                        shown.unknown.extend(encounter(&one, line, own_system, known));
                        shown.keep(one);
                    }
                }
                SearchAnswer::Failed(answer) => {
                    shown.failed += 1;
                    line.failed(&answer, self.clock.now());
                }
            }
        }
        let own = format!("{ENCOUNTER}/{id}");
        if !shown.fetched.contains_key(&own) {
            match line.lane.remote.read(ENCOUNTER, id).await {
                ReadAnswer::Found(found) => shown.keep(found.into_inner()),
                // Comparing may read it after all; then nobody has searched within it.
                ReadAnswer::Failed(answer) => {
                    shown.failed += 1;
                    line.failed(&answer, self.clock.now());
                    return Ok(shown);
                }
                // What it means is told by comparing.
                ReadAnswer::Absent | ReadAnswer::Hidden => return Ok(shown),
            }
        }
        let Some(anchor) = shown.fetched.get(&own).and_then(Anchor::of) else { return Ok(shown) };
        self.search_within(line, entry, &anchor, &mut shown).await?;
        Ok(shown)
    }

    /// Everything that refers to the visit's Encounter, type by type as the visit has them.
    async fn search_within(
        &self,
        line: &Line,
        entry: &OpenEntry,
        anchor: &Anchor,
        shown: &mut Shown,
    ) -> Result<(), ReconciliationError> {
        let held: HashSet<String> = self.ledger.held_of_visit(entry.entry_id).await?.into_iter().collect();
        let mut kinds: Vec<(&str, &str)> = Vec::new();
        for one in entry.resources.iter().filter(|one| ![ENCOUNTER, EPISODE].contains(&one.resource_type.as_str())) {
            if !kinds.iter().any(|(kind, _)| *kind == one.resource_type) {
                kinds.push((&one.resource_type, &one.identifier_system));
            }
        }
        for (kind, system) in kinds {
            let found = match anchor.search(&line.lane.remote, kind).await {
                Ok(found) => found,
                Err(Blind::Stored(error)) => return Err(error),
                Err(Blind::Failed(answer)) => {
                    shown.failed += 1;
                    line.failed(&answer, self.clock.now());
                    continue;
                }
            };
            for one in shown.take(found) {
                let Some(thing) = thing_of(&one).filter(|_| refers_to(&one, &anchor.encounter)) else { continue };
                if held.contains(&thing) {
                    shown.keep(one);
                } else if is_live(&one) {
                    let cause = if systems(&one).any(|own| own == system) { Cause::Ours } else { Cause::Foreign };
                    shown.unknown.push(Found {
                        class: Class::UnknownToUs,
                        thing,
                        entry: Some(entry.entry_id),
                        puskesmas: entry.lane.clone(),
                        posyandu: entry.posyandu.clone(),
                        service_date: entry.service_date,
                        cause,
                        evidence: format!("refers to {ENCOUNTER}/{}", anchor.encounter),
                    });
                }
            }
        }
        Ok(())
    }

    /// Encounters of one day of the server's clock under a lane's organization that the ledger does not know: also of
    /// persons it has none of.
    pub(super) async fn search_day(&self, line: &Line, day: Date, known: &Known) -> Shown {
        let mut shown = Shown::default();
        let (organization, date) = (line.lane.remote.organization_id().to_owned(), day.to_string());
        let provider = format!("Organization/{organization}");
        let parameters = [("service-provider", provider.as_str()), ("date", date.as_str())];
        match line.lane.remote.search(ENCOUNTER, &parameters).await {
            SearchAnswer::Found(found) => {
                let system = format!("http://sys-ids.kemkes.go.id/encounter/{organization}");
                for one in shown.take(found) {
                    shown.unknown.extend(encounter(&one, line, &system, known));
                }
            }
            SearchAnswer::Failed(answer) => {
                shown.failed += 1;
                line.failed(&answer, self.clock.now());
            }
        }
        shown
    }

    /// Whether something unknown is gone or set aside meanwhile; `None` when the server does not tell.
    pub(super) async fn is_settled(&self, line: &Line, thing: &str) -> Option<bool> {
        let (kind, id) = thing.split_once('/')?;
        match line.lane.remote.read(kind, id).await {
            ReadAnswer::Found(found) => Some(!is_live(found.reveal())),
            ReadAnswer::Absent => Some(true),
            ReadAnswer::Hidden => None,
            ReadAnswer::Failed(answer) => {
                line.failed(&answer, self.clock.now());
                None
            }
        }
    }
}

impl Known {
    fn is_new(&self, lane: &str, person: &str) -> bool {
        let one = (lane.to_owned(), person.to_owned());
        self.searched.lock().unwrap_or_else(PoisonError::into_inner).insert(one)
    }
}

impl Shown {
    fn keep(&mut self, one: Value) {
        if let Some(thing) = thing_of(&one) {
            self.fetched.insert(thing, one);
        }
    }
}

/// An Encounter of ours in the days of the run that the ledger does not know.
fn encounter(one: &Value, line: &Line, own_system: &str, known: &Known) -> Option<Found> {
    let id = one.get("id")?.as_str()?;
    if known.encounters.contains(id) || !is_live(one) {
        return None;
    }
    let provider = one.pointer("/serviceProvider/reference").and_then(Value::as_str).unwrap_or_default();
    let is_ours = systems(one).any(|system| system == own_system);
    let organization = line.lane.remote.organization_id();
    if !is_ours && relative(provider).strip_prefix("Organization/") != Some(organization) {
        return None;
    }
    let service_date = day_of(one)?;
    let (first, last) = known.days;
    (first <= service_date && service_date <= last).then(|| Found {
        class: Class::UnknownToUs,
        thing: format!("{ENCOUNTER}/{id}"),
        entry: None,
        puskesmas: line.lane.name.clone(),
        posyandu: String::new(),
        service_date,
        cause: if is_ours { Cause::Ours } else { Cause::Foreign },
        evidence: format!("serviceProvider Organization/{organization}"),
    })
}

/// The local day of an Encounter. The zones of Indonesia are at most two hours apart and posyandu open by day, so the
/// date is the same in each.
fn day_of(encounter: &Value) -> Option<Date> {
    let start: Timestamp = encounter.pointer("/period/start")?.as_str()?.parse().ok()?;
    Some(Zone::Wib.date_at(start))
}

/// Whether it still counts. What was entered in error was set aside.
fn is_live(one: &Value) -> bool {
    one.get("status").and_then(Value::as_str) != Some(SET_ASIDE)
}

fn thing_of(one: &Value) -> Option<String> {
    Some(format!("{}/{}", one.get("resourceType")?.as_str()?, one.get("id")?.as_str()?))
}

fn refers_to(one: &Value, encounter: &str) -> bool {
    ["/encounter/reference", "/context/reference"].iter().any(|pointer| {
        let reference = one.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        relative(reference).strip_prefix("Encounter/") == Some(encounter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_lane_searches_a_person_once_for_its_own_organization() {
        let known = Known { days: (Date::MIN, Date::MAX), encounters: HashSet::new(), searched: Mutex::default() };
        assert!(known.is_new("Utara", "P1"));
        assert!(!known.is_new("Utara", "P1"));
        assert!(known.is_new("Timur", "P1"), "what is under its organization, the other lane does not tell");
    }
}
