//! Drafts become resources: a visit that passed every check and can be queued, or the issues that stop it.
//!
//! A [`Prepared`] visit cannot be made otherwise. Server ids are not known here; they are filled in at sending.

pub mod bundle;
pub mod envelope;
pub mod profile;
pub mod proof;
pub mod shape;
pub mod structure;

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::issue::{Code, Issue, Place};
use crate::mapping::plan::Origin;
use crate::mapping::set::MappingSet;
use crate::mapping::visit::{Draft, DraftResource, Identify, Visit, place_of};
use profile::Profiles;
use structure::FaultKind;

/// A visit that may be queued.
#[derive(Debug)]
pub struct Prepared {
    /// The transaction Bundle with tokens in place of patient and practitioner ids.
    pub bundle: String,
    /// The resources in the order of the Bundle.
    pub resources: Vec<PreparedResource>,
    /// SHA-256 of the Bundle: the same visit mapped the same way is the same content.
    pub content_hash: [u8; 32],
    /// Warnings and information; no errors.
    pub issues: Vec<Issue>,
}

/// One resource of a prepared visit.
#[derive(Debug, Clone)]
pub struct PreparedResource {
    /// FHIR resource type.
    pub resource_type: String,
    /// Name in the mapping.
    pub name: String,
    /// Business identifier: system.
    pub system: String,
    /// Business identifier: value.
    pub identifier: String,
    /// `urn:uuid:` of the Bundle entry.
    pub full_url: String,
    /// SHA-256 of the resource's JSON.
    pub content_hash: [u8; 32],
    /// Elements that came from a cell: FHIR path and the cell.
    pub lineage: Vec<(String, Place)>,
}

/// What becomes of a visit.
#[derive(Debug)]
pub enum Outcome {
    /// It may be queued.
    Prepared(Box<Prepared>),
    /// A person must act first.
    Stopped(Vec<Issue>),
}

/// Maps and checks one visit.
#[must_use]
pub fn prepare(
    set: &MappingSet,
    profiles: &Profiles,
    visit: &Visit<'_>,
    switches: &BTreeSet<String>,
    identify: Identify<'_>,
) -> Outcome {
    let Draft { resources, mut issues } = set.draft(visit, switches, identify);
    for resource in &resources {
        check(resource, profiles, visit, &mut issues);
    }
    if issues.iter().any(Issue::is_error) {
        return Outcome::Stopped(issues);
    }
    let bundle = bundle::transaction(&resources);
    let content_hash = Sha256::digest(bundle.as_bytes()).into();
    let resources = resources.into_iter().map(|resource| prepared(resource, visit)).collect();
    Outcome::Prepared(Box::new(Prepared { bundle, resources, content_hash, issues }))
}

/// Structure and rules. Of a shape that is proven only the rules that compare values are left to be looked at.
fn check(resource: &DraftResource<'_>, profiles: &Profiles, visit: &Visit<'_>, issues: &mut Vec<Issue>) {
    let kind = &resource.plan.resource_type;
    let shape = shape::name(kind, &resource.json);
    let is_proven = profiles.proven.contains(&shape);
    if is_proven && !profiles.compares(kind) {
        return;
    }
    let faults = if is_proven { Ok(()) } else { structure::check(kind, &resource.json) };
    let faults = faults.err().unwrap_or_default();
    let mut is_fine = faults.is_empty();
    for fault in faults {
        let rule = match &fault.kind {
            FaultKind::Missing(_) => "resource.element_missing",
            FaultKind::UnknownType => "resource.type_unknown",
            _ => "resource.not_fhir",
        };
        issues.push(complaint(resource, visit, Issue::error(Code::Structure, rule), &fault.path));
    }
    let Ok(value) = serde_json::from_str::<Value>(&resource.json) else { return };
    for breach in profiles.breaches(kind, &value) {
        is_fine = false;
        let issue = Issue::error(Code::BusinessRule, "resource.rule").with("number", breach.rule);
        issues.push(complaint(resource, visit, issue, &breach.path));
    }
    if is_fine {
        profiles.proven.remember(shape);
    }
}

/// Ties a complaint about an element to the cell it came from.
fn complaint(resource: &DraftResource<'_>, visit: &Visit<'_>, issue: Issue, path: &str) -> Issue {
    let own = resource.record.and_then(|index| visit.records.get(index)).map_or(visit.visit, |(record, _)| record);
    let cell = resource.plan.slots_behind(path).into_iter().find_map(|(origin, index)| {
        let record = match origin {
            Origin::Own => own,
            Origin::Sasaran => visit.sasaran,
            Origin::Posyandu => visit.posyandu,
            Origin::Visit => visit.visit,
        };
        record.columns.get(index)?.as_ref().map(|column| record.place.column(column.as_ref()))
    });
    let place = cell.unwrap_or_else(|| own.place.clone());
    issue.with("path", path).with("resource", &resource.plan.name).on(path).at(place)
}

fn prepared(resource: DraftResource<'_>, visit: &Visit<'_>) -> PreparedResource {
    let lineage = lineage(&resource, visit);
    PreparedResource {
        resource_type: resource.plan.resource_type.clone(),
        name: resource.plan.name.clone(),
        content_hash: Sha256::digest(resource.json.as_bytes()).into(),
        system: resource.system,
        identifier: resource.identifier,
        full_url: resource.full_url,
        lineage,
    }
}

fn lineage(resource: &DraftResource<'_>, visit: &Visit<'_>) -> Vec<(String, Place)> {
    let own = resource.record.and_then(|index| visit.records.get(index)).map_or(visit.visit, |(record, _)| record);
    let mut cells = Vec::new();
    for leaf in &resource.plan.lineage {
        for slot in &leaf.slots {
            let record = match slot.origin {
                Origin::Own => own,
                Origin::Sasaran => visit.sasaran,
                Origin::Posyandu => visit.posyandu,
                Origin::Visit => visit.visit,
            };
            let place = place_of(record, *slot);
            if place.column.is_some() {
                cells.push((leaf.path.clone(), place));
            }
        }
    }
    cells
}
