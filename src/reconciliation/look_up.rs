//! Looks for the resources of one entry on the server.
//!
//! It only reads. A search may ignore what it was asked for, so whatever comes back must really carry the business
//! identifier; a search that was cut short proves nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ReconciliationError;
use super::compare::{Difference, EPISODE, Kind, compare};
use super::verdict::Seen;
use crate::ledger::attempt::AcceptedResource;
use crate::ledger::entry::{EntryResource, OpenEntry};
use crate::redact::Personal;
use crate::remote::answer::Answer;
use crate::remote::search::{Matches, SearchAnswer, carries};
use crate::remote::{ReadAnswer, Remote};
use crate::resource::bundle::entries;

/// The type of a visit, which all its other resources refer to.
pub(super) const ENCOUNTER: &str = "Encounter";

/// Why nothing could be seen.
pub(super) enum Blind {
    /// No usable answer.
    Failed(Box<Answer>),
    /// Our own books cannot be read.
    Stored(ReconciliationError),
}

impl From<ReconciliationError> for Blind {
    fn from(error: ReconciliationError) -> Self {
        Self::Stored(error)
    }
}

/// What the server showed of one resource.
pub(super) enum Held {
    /// Those that carry its identifier, or the one with its id.
    Shown(Vec<Value>),
    /// The id it had is gone.
    Gone,
    /// Hidden, or the search was cut short.
    Unclear,
}

/// The resources of an entry as they were stored for sending, in order.
pub(super) fn expected(entry: &OpenEntry) -> Result<Vec<Value>, ReconciliationError> {
    let stored = entries(entry.bundle.reveal())?;
    let parsed: Result<Vec<Value>, _> = stored.iter().map(|(_, json)| serde_json::from_str(json)).collect();
    let parsed = parsed.map_err(ReconciliationError::Stored)?;
    if parsed.len() == entry.resources.len() {
        Ok(parsed)
    } else {
        Err(ReconciliationError::Uneven(entry.entry_id.number()))
    }
}

/// Asks the server for every resource of an entry and compares.
pub(super) async fn look(remote: &Remote, entry: &OpenEntry) -> Result<Vec<Seen>, Blind> {
    let expected = expected(entry)?;
    let mut held: BTreeMap<u32, Held> = BTreeMap::new();
    for resource in &entry.resources {
        if let Some(id) = &resource.server_id {
            held.insert(resource.position, read(remote, &resource.resource_type, id).await?);
        } else if resource.resource_type == ENCOUNTER {
            held.insert(resource.position, find(remote, resource).await?);
        }
    }
    let visit = entry.resources.iter().find(|resource| resource.resource_type == ENCOUNTER);
    let visit = visit.and_then(|resource| held.get(&resource.position));
    let anchor = match visit {
        Some(Held::Shown(found)) => found.first().and_then(Anchor::of),
        _ => None,
    };
    let blind = matches!(visit, Some(Held::Unclear));
    let mut searched: BTreeMap<&str, Matches> = BTreeMap::new();
    for resource in entry.resources.iter().filter(|resource| resource.server_id.is_none()) {
        if held.contains_key(&resource.position) {
            continue;
        }
        // Inside a transaction nothing exists without the visit it refers to.
        let found = match &anchor {
            Some(anchor) => {
                let kind = resource.resource_type.as_str();
                if let (EPISODE, Some(id)) = (kind, &anchor.episode) {
                    // The visit's own or one that was open already: the visit says which.
                    held.insert(resource.position, read(remote, kind, id).await?);
                    continue;
                }
                if !searched.contains_key(kind) {
                    searched.insert(kind, anchor.search(remote, kind).await?);
                }
                searched.get(kind).map_or(Held::Unclear, |matches| choose(matches, resource))
            }
            None if blind => Held::Unclear,
            None => Held::Shown(Vec::new()),
        };
        held.insert(resource.position, found);
    }
    Ok(judge(entry, &expected, &held))
}

/// The types whose search must be known to be up to date before a look that showed less than all of an entry is believed:
/// those that came back without it. `None` when the look says something else already, or could not see everything.
pub(super) fn unshown(entry: &OpenEntry, seen: &[Seen]) -> Option<BTreeSet<String>> {
    let open = |seen: &Seen| matches!(seen, Seen::Equal(_) | Seen::Older | Seen::Absent);
    if !seen.iter().all(open) || seen.iter().all(|seen| matches!(seen, Seen::Equal(_))) {
        return None;
    }
    let absent = entry.resources.iter().zip(seen).filter(|(_, seen)| **seen == Seen::Absent);
    let kinds: BTreeSet<String> = absent.map(|(resource, _)| resource.resource_type.clone()).collect();
    // Without the visit the rest is not searched for.
    Some(if kinds.contains(ENCOUNTER) { BTreeSet::from([ENCOUNTER.to_owned()]) } else { kinds })
}

async fn read(remote: &Remote, kind: &str, id: &str) -> Result<Held, Blind> {
    match remote.read(kind, id).await {
        ReadAnswer::Found(found) => Ok(Held::Shown(vec![found.into_inner()])),
        ReadAnswer::Absent => Ok(Held::Gone),
        ReadAnswer::Hidden => Ok(Held::Unclear),
        ReadAnswer::Failed(answer) => Err(Blind::Failed(Box::new(answer))),
    }
}

pub(super) async fn find(remote: &Remote, resource: &EntryResource) -> Result<Held, Blind> {
    let (system, value) = (&resource.identifier_system, &resource.identifier_value);
    match remote.find_by_identifier(&resource.resource_type, system, value).await {
        SearchAnswer::Found(matches) => Ok(choose(&matches, resource)),
        SearchAnswer::Failed(answer) => Err(Blind::Failed(Box::new(answer))),
    }
}

/// Those of a search that carry the resource's identifier.
pub(super) fn choose(matches: &Matches, resource: &EntryResource) -> Held {
    let (system, value) = (&resource.identifier_system, &resource.identifier_value);
    let own = matches.resources.iter().map(Personal::reveal).filter(|found| carries(found, system, value));
    let own: Vec<Value> = own.cloned().collect();
    if own.is_empty() && (matches.hidden > 0 || !matches.complete) { Held::Unclear } else { Held::Shown(own) }
}

/// The visit at the server, by which the rest of it is searched.
pub(super) struct Anchor {
    /// Its id at the server.
    pub(super) encounter: String,
    /// Id of the Patient it is about.
    pub(super) subject: String,
    episode: Option<String>,
}

impl Anchor {
    pub(super) fn of(encounter: &Value) -> Option<Self> {
        let subject = encounter.pointer("/subject/reference")?.as_str()?;
        let (_, subject) = subject.rsplit_once('/')?;
        let episode = encounter.pointer("/episodeOfCare/0/reference").and_then(Value::as_str);
        let episode = episode.and_then(|reference| reference.rsplit_once('/')).map(|(_, id)| id.to_owned());
        Some(Self { encounter: encounter.get("id")?.as_str()?.to_owned(), subject: subject.to_owned(), episode })
    }

    /// All of a type that may belong to the visit; which parameters a type knows: satusehat-api.md, section 3.2.
    pub(super) async fn search(&self, remote: &Remote, kind: &str) -> Result<Matches, Blind> {
        let (visit, subject) = (self.encounter.as_str(), self.subject.as_str());
        let parameters: &[(&str, &str)] = match kind {
            "Condition" | "Observation" | "Procedure" => &[("encounter", visit)],
            "Immunization" | EPISODE => &[("patient", subject)],
            "MedicationStatement" | "MedicationDispense" => &[("subject", subject), ("context", visit)],
            _ => &[("subject", subject), ("encounter", visit)],
        };
        match remote.search(kind, parameters).await {
            SearchAnswer::Found(matches) => Ok(matches),
            SearchAnswer::Failed(answer) => Err(Blind::Failed(Box::new(answer))),
        }
    }
}

fn judge(entry: &OpenEntry, expected: &[Value], held: &BTreeMap<u32, Held>) -> Vec<Seen> {
    let id_of = |found: &Value| found.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    let known: Vec<(String, String)> = entry
        .resources
        .iter()
        .map(|resource| {
            let id = match held.get(&resource.position) {
                Some(Held::Shown(found)) => found.first().map(id_of),
                _ => None,
            };
            // Without an id: any of that type, for what is missing must not make its neighbours different.
            (resource.full_url.clone(), format!("{}/{}", resource.resource_type, id.unwrap_or_default()))
        })
        .collect();
    let of = |(resource, expected): (&EntryResource, &Value)| match held.get(&resource.position) {
        Some(Held::Shown(found)) if found.is_empty() => Seen::Absent,
        Some(Held::Shown(found)) => seen(resource, expected, found, &known),
        Some(Held::Gone) => {
            let gone = Difference { path: resource.resource_type.clone(), kind: Kind::Missing };
            let id = resource.server_id.clone().unwrap_or_default();
            Seen::Different(accepted(resource, id, resource.server_version.clone()), vec![gone])
        }
        Some(Held::Unclear) | None => Seen::Unclear,
    };
    entry.resources.iter().zip(expected).map(of).collect()
}

fn seen(resource: &EntryResource, expected: &Value, found: &[Value], known: &[(String, String)]) -> Seen {
    let mut first = None;
    for one in found {
        let id = one.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let version = one.pointer("/meta/versionId").and_then(Value::as_str).map(str::to_owned);
        let held = accepted(resource, id, version);
        let differences = compare(expected, one, known);
        if differences.is_empty() {
            return Seen::Equal(held);
        }
        first.get_or_insert((held, differences));
    }
    match first {
        // It was there before this version was sent, and may still be as it was.
        Some(_) if resource.server_id.is_some() && !resource.unchanged => Seen::Older,
        Some((held, differences)) => Seen::Different(held, differences),
        None => Seen::Absent,
    }
}

fn accepted(resource: &EntryResource, id: String, version: Option<String>) -> AcceptedResource {
    AcceptedResource { position: resource.position, resource_type: resource.resource_type.clone(), id, version }
}
