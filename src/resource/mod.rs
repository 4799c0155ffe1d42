//! Drafts become resources: a visit that passed every check and can be queued, or the issues that stop it.
//!
//! A [`Prepared`] visit cannot be made otherwise. Server ids are not known here; they are filled in at sending.

pub mod bundle;
pub mod dictionary;
pub mod envelope;
pub mod profile;
pub mod proof;
pub mod shape;
pub mod structure;

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::issue::{Code, Issue, Place, Severity};
use crate::mapping::plan::{Origin, Records};
use crate::mapping::set::MappingSet;
use crate::mapping::visit::{Draft, DraftResource, Identify, Visit, place_of};
use crate::record::Record;
use dictionary::Finding;
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
    check(&resources, profiles, visit, &mut issues);
    if issues.iter().any(Issue::is_error) {
        return Outcome::Stopped(issues);
    }
    let bundle = bundle::transaction(&resources);
    let content_hash = Sha256::digest(bundle.as_bytes()).into();
    let resources = resources.into_iter().map(|resource| prepared(resource, visit)).collect();
    Outcome::Prepared(Box::new(Prepared { bundle, resources, content_hash, issues }))
}

/// The rule that a reference inside a Bundle leads to one of its entries.
const DANGLING_REFERENCE: u32 = 20007;

/// Structure and rules. A shape that is proven needs no second look.
pub fn check(resources: &[DraftResource<'_>], profiles: &Profiles, visit: &Visit<'_>, issues: &mut Vec<Issue>) {
    // A resource that could not be filled was told already; that others point to it is no news.
    let is_whole = !issues.iter().any(Issue::is_error);
    for resource in resources {
        let own = own_record(resource, visit);
        let records = Records { own, sasaran: visit.sasaran, posyandu: visit.posyandu, visit: visit.visit };
        let shape = profiles.proven.name(resource.plan, records, visit.zone, visit.organization, resources);
        if profiles.proven.contains(shape) {
            continue;
        }
        let before = issues.len();
        let told = |finding: &Finding| is_whole || finding.number != DANGLING_REFERENCE;
        look(resource, resources, profiles, visit, &told, issues);
        if issues.len() == before {
            profiles.proven.remember(shape);
        }
    }
    for (at, resource) in resources.iter().enumerate() {
        // Addresses are made from keyed identifiers, so two alike are two records that claim to be one.
        if resources[..at].iter().any(|other| other.full_url == resource.full_url) {
            let entries = resources.iter().map(|entry| (entry.full_url.clone(), entry.plan.resource_type.clone()));
            let found = profiles.dictionary.findings_of_entries(entries).into_iter();
            issues.extend(found.map(|finding| breach(resource, visit, &finding)));
            break;
        }
    }
}

/// Everything about one resource that no proof has settled yet.
fn look(
    resource: &DraftResource<'_>,
    all: &[DraftResource<'_>],
    profiles: &Profiles,
    visit: &Visit<'_>,
    told: &dyn Fn(&Finding) -> bool,
    issues: &mut Vec<Issue>,
) {
    let kind = &resource.plan.resource_type;
    for fault in structure::check(kind, &resource.json).err().unwrap_or_default() {
        let rule = match &fault.kind {
            FaultKind::Missing(_) => "resource.element_missing",
            FaultKind::UnknownType => "resource.type_unknown",
            _ => "resource.not_fhir",
        };
        issues.push(complaint(resource, visit, Issue::error(Code::Structure, rule), &fault.path));
    }
    let Ok(value) = serde_json::from_str::<Value>(&resource.json) else { return };
    let target =
        |url: &str| all.iter().find(|entry| entry.full_url == url).map(|entry| entry.plan.resource_type.clone());
    // A warning is about the published sources, which contradict each other: nothing to mend in a record.
    let findings = profiles.findings(kind, &value, &target).into_iter();
    let errors = findings.filter(|finding| finding.severity == Severity::Error && told(finding));
    issues.extend(errors.map(|finding| breach(resource, visit, &finding)));
}

/// A rule that does not hold, in words that say what to do about its kind.
fn breach(resource: &DraftResource<'_>, visit: &Visit<'_>, finding: &Finding) -> Issue {
    let rule = match finding.word.as_str() {
        "required" => "resource.rule_empty",
        "date_time" | "date" | "time" | "later_than" => "resource.rule_time",
        "number" | "number_from_0" | "decimal" | "integer" | "positive" | "age" => "resource.rule_number",
        "system" | "code" | "unit" | "ucum" | "canonical" | "identifier" | "reference" => "resource.rule_code",
        _ => "resource.rule",
    };
    let issue = Issue::error(Code::BusinessRule, rule).with("number", finding.number);
    complaint(resource, visit, issue, &finding.path)
}

/// The record that a resource came from.
fn own_record<'a>(resource: &DraftResource<'_>, visit: &Visit<'a>) -> &'a Record {
    resource.record.and_then(|index| visit.records.get(index)).map_or(visit.visit, |(record, _)| record)
}

/// Ties a complaint about an element to the cell it came from.
fn complaint(resource: &DraftResource<'_>, visit: &Visit<'_>, issue: Issue, path: &str) -> Issue {
    let own = own_record(resource, visit);
    let slots = resource.plan.slots_behind(path);
    let record = |origin: Origin| match origin {
        Origin::Own => own,
        Origin::Sasaran => visit.sasaran,
        Origin::Posyandu => visit.posyandu,
        Origin::Visit => visit.visit,
    };
    let cell = slots.iter().find_map(|(origin, index)| {
        let record = record(*origin);
        record.columns.get(*index)?.as_ref().map(|column| record.place.column(column.as_ref()))
    });
    let field = slots.first().and_then(|(origin, index)| {
        let schema = &record(*origin).schema;
        schema.fields.get(*index).map(|field| format!("{}.{}", schema.dataset, field.name))
    });
    let place = cell.unwrap_or_else(|| own.place.clone());
    let issue = issue.with("path", path).with("resource", &resource.plan.name).on(path).at(place);
    match field {
        Some(field) => issue.with("field", field),
        None => issue,
    }
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
    let own = own_record(resource, visit);
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
