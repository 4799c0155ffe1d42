//! One visit through the mappings: which resources there are, what they are called, and their JSON.
//!
//! A visit is everything recorded for one person at one posyandu on one day. It must not check FHIR (that is
//! `resource`) nor know server ids: patient and practitioner stay tokens until the moment of sending.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::compile::ResourcePlan;
use super::plan::{Gap, Origin, Records, Run, Slot, run};
use super::registration;
use super::set::{Mapping, MappingSet};
use super::template::Certainty;
use crate::clock::Zone;
use crate::issue::{Code, Issue};
use crate::record::Record;

/// Namespace of all fullUrls: a random UUID drawn once for this program.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1b_8f0e_5c0d_4a3b_9d52_3c7a_41c8_e2b7);

/// One visit.
pub struct Visit<'a> {
    /// The puskesmas' Organization id at SATUSEHAT.
    pub organization: &'a str,
    /// The posyandu's time zone.
    pub zone: Zone,
    /// The posyandu.
    pub posyandu: &'a Record,
    /// The person.
    pub sasaran: &'a Record,
    /// The visit itself.
    pub visit: &'a Record,
    /// Keyed hash that identifies the visit for ever.
    pub key: [u8; 32],
    /// What was recorded, each with the keyed hash that identifies it for ever.
    pub records: &'a [(&'a Record, [u8; 32])],
}

/// A resource of a visit, not yet checked against FHIR.
#[derive(Debug)]
pub struct DraftResource<'a> {
    /// The plan that made it.
    pub plan: &'a ResourcePlan,
    /// Which of the visit's records it came from; `None` for the visit's own resources.
    pub record: Option<usize>,
    /// Business identifier: system.
    pub system: String,
    /// Business identifier: value.
    pub identifier: String,
    /// `urn:uuid:` made from the business identifier, so that a retry is the same bytes.
    pub full_url: String,
    /// The JSON, with tokens in place of patient and practitioner ids.
    pub json: String,
}

/// What a visit yields.
#[derive(Debug, Default)]
pub struct Draft<'a> {
    /// The resources, the visit's own first.
    pub resources: Vec<DraftResource<'a>>,
    /// What is missing or not reported.
    pub issues: Vec<Issue>,
}

/// Makes the business identifier's value from a resource name and the key of the visit or record.
pub type Identify<'a> = &'a (dyn Fn(&str, &[u8; 32]) -> String + 'a);

struct Planned<'a> {
    plan: &'a ResourcePlan,
    system: String,
    identifier: String,
}

impl MappingSet {
    /// Runs the mappings over a visit. `switches` are the guesses that the configuration accepted.
    #[must_use]
    pub fn draft<'a>(&'a self, visit: &Visit<'_>, switches: &BTreeSet<String>, identify: Identify<'_>) -> Draft<'a> {
        if let Some(mapping) = self.alone(visit) {
            return draft_alone(mapping, visit, switches, identify);
        }
        let mut draft = Draft::default();
        if let Some(issue) = self.nothing_mapped(visit) {
            draft.issues.push(issue);
            return draft;
        }
        let shared = Shared { visit, visit_mapping: &self.visit, switches, identify };
        let own = Records { own: visit.visit, sasaran: visit.sasaran, posyandu: visit.posyandu, visit: visit.visit };
        let (planned, visit_urls) = shared.planned(&self.visit, own, &visit.key, &mut draft.issues);
        shared.fill(&self.visit, planned, own, None, &visit_urls, &visit_urls, &mut draft);
        for (index, (record, key)) in visit.records.iter().enumerate() {
            let Some(mapping) = self.by_dataset.get(&record.schema.dataset) else {
                // The rest of the visit does not wait for it; a mapping that comes later maps the visit again.
                let issue = Issue::information(Code::Suppressed, "mapping.no_mapping")
                    .with("dataset", &record.schema.dataset)
                    .at(record.place.clone());
                draft.issues.push(issue);
                continue;
            };
            let records = Records { own: record, ..own };
            let before = (draft.resources.len(), draft.issues.len());
            let (planned, own_urls) = shared.planned(mapping, records, key, &mut draft.issues);
            shared.fill(mapping, planned, records, Some(index), &visit_urls, &own_urls, &mut draft);
            if mapping.must_yield && before == (draft.resources.len(), draft.issues.len()) {
                let issue = Issue::error(Code::BusinessRule, "mapping.nothing_reported").at(record.place.clone());
                draft.issues.push(issue.with("dataset", &record.schema.dataset));
            }
        }
        if draft.resources.is_empty() && !draft.issues.iter().any(Issue::is_error) {
            // An empty bundle would be refused; what is switched off or not reported was told above.
            let issue = Issue::error(Code::BusinessRule, "mapping.empty_visit").at(visit.visit.place.clone());
            draft.issues.push(issue.with("dataset", datasets(visit)));
        }
        draft
    }

    /// The issue of a visit of which no record has a mapping: there is nothing to send yet.
    fn nothing_mapped(&self, visit: &Visit<'_>) -> Option<Issue> {
        if visit.records.iter().any(|(record, _)| self.by_dataset.contains_key(&record.schema.dataset)) {
            return None;
        }
        let issue = Issue::error(Code::BusinessRule, "mapping.none").with("dataset", datasets(visit));
        Some(issue.at(visit.visit.place.clone()))
    }
}

/// Runs the mapping of a person or posyandu, who stands as the only record beside the registration.
fn draft_alone<'a>(
    mapping: &'a Mapping,
    visit: &Visit<'_>,
    switches: &BTreeSet<String>,
    identify: Identify<'_>,
) -> Draft<'a> {
    let mut draft = Draft { resources: Vec::new(), issues: registration::obstacles(visit) };
    let Some((own, key)) = visit.records.first().filter(|_| draft.issues.is_empty()) else { return draft };
    let shared = Shared { visit, visit_mapping: mapping, switches, identify };
    let records = Records { own, sasaran: visit.sasaran, posyandu: visit.posyandu, visit: visit.visit };
    let (planned, urls) = shared.planned(mapping, records, key, &mut draft.issues);
    shared.fill(mapping, planned, records, Some(0), &[], &urls, &mut draft);
    if draft.resources.is_empty() && !draft.issues.iter().any(Issue::is_error) {
        let issue = Issue::error(Code::BusinessRule, "mapping.registration_off").at(own.place.clone());
        draft.issues.push(issue.with("dataset", &own.schema.dataset));
    }
    draft
}

/// The datasets of a visit's records, for people.
fn datasets(visit: &Visit<'_>) -> String {
    let names: BTreeSet<&str> = visit.records.iter().map(|(record, _)| record.schema.dataset.as_str()).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

struct Shared<'v, 's> {
    visit: &'v Visit<'v>,
    visit_mapping: &'v Mapping,
    switches: &'s BTreeSet<String>,
    identify: Identify<'s>,
}

impl Shared<'_, '_> {
    /// Which resources of a mapping are present, and the fullUrl of each by position.
    fn planned<'a>(
        &self,
        mapping: &'a Mapping,
        records: Records<'_>,
        key: &[u8; 32],
        issues: &mut Vec<Issue>,
    ) -> (Vec<Planned<'a>>, Vec<Option<String>>) {
        let mut urls = Vec::with_capacity(mapping.plans.len());
        let mut planned = Vec::with_capacity(mapping.plans.len());
        for plan in &mapping.plans {
            if !records.hold(&plan.when) {
                urls.push(None);
                continue;
            }
            if let Some(switch) = plan.switch.as_ref().filter(|switch| !self.switches.contains(*switch)) {
                // An official part behind a switch is a trial of the gateway's: nothing of the record is held back.
                if plan.certainty != Certainty::Official {
                    let issue = Issue::information(Code::Suppressed, "mapping.guess_off")
                        .with("switch", switch)
                        .with("resource", &plan.name)
                        .at(records.own.place.clone());
                    issues.push(issue);
                }
                urls.push(None);
                continue;
            }
            let system = format!("{}{}", plan.identifier_system, self.visit.organization);
            let identifier = (self.identify)(&plan.name, key);
            urls.push(Some(full_url(&system, &identifier)));
            planned.push(Planned { plan, system, identifier });
        }
        (planned, urls)
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one run; a struct would only rename them")]
    fn fill<'a>(
        &self,
        mapping: &'a Mapping,
        planned: Vec<Planned<'a>>,
        records: Records<'_>,
        record: Option<usize>,
        visit_urls: &[Option<String>],
        own_urls: &[Option<String>],
        draft: &mut Draft<'a>,
    ) {
        for Planned { plan, system, identifier } in planned {
            let with = Run {
                records,
                zone: self.visit.zone,
                organization: self.visit.organization,
                identifier: &identifier,
                visit_urls,
                own_urls,
            };
            let mut json = String::with_capacity(JSON_BYTES_USUAL);
            match run(&plan.operations, &with, &mut json) {
                Ok(()) => {
                    let full_url = full_url(&system, &identifier);
                    draft.resources.push(DraftResource { plan, record, system, identifier, full_url, json });
                }
                Err(gap) => draft.issues.push(self.issue(gap, mapping, plan, records)),
            }
        }
    }

    fn issue(&self, gap: Gap, mapping: &Mapping, plan: &ResourcePlan, records: Records<'_>) -> Issue {
        let on_field = |slot: Slot, issue: Issue| {
            let record = records.of(slot.origin);
            let field = &record.schema.fields[slot.index];
            issue.with("field", &field.name).on(field.name.clone()).at(place_of(record, slot))
        };
        match gap {
            Gap::Unmapped(slot) => on_field(slot, Issue::error(Code::CodeInvalid, "mapping.unmapped_code")),
            Gap::NotReported(slot) => on_field(slot, Issue::information(Code::Suppressed, "mapping.not_reported")),
            Gap::NoLocation(slot) => on_field(slot, Issue::error(Code::Required, "mapping.location_missing")),
            Gap::Empty(slot) => on_field(slot, Issue::error(Code::Required, "mapping.field_empty")),
            Gap::VisitResource(index) | Gap::OwnResource(index) => {
                let plans = match gap {
                    Gap::OwnResource(_) => &mapping.plans,
                    _ => &self.visit_mapping.plans,
                };
                let place = records.own.place.clone();
                match plans.get(index).and_then(|plan| plan.switch.as_ref()) {
                    Some(switch) => Issue::error(Code::BusinessRule, "mapping.switched_off")
                        .with("switch", switch)
                        .with("resource", &plan.name)
                        .at(place),
                    None => {
                        Issue::error(Code::Exception, "mapping.reference_absent").with("resource", &plan.name).at(place)
                    }
                }
            }
        }
    }
}

/// Usual size of one resource, in bytes: saves growing the buffer.
const JSON_BYTES_USUAL: usize = 1_024;

/// The fullUrl made from a business identifier.
#[must_use]
pub fn full_url(system: &str, identifier: &str) -> String {
    let mut name = String::with_capacity(system.len() + identifier.len() + 1);
    name.push_str(system);
    name.push('|');
    name.push_str(identifier);
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).urn().to_string()
}

/// The cell a field was read from.
#[must_use]
pub fn place_of(record: &Record, slot: Slot) -> crate::issue::Place {
    match record.columns.get(slot.index).and_then(Option::as_ref) {
        Some(column) => record.place.column(column.as_ref()),
        None => record.place.clone(),
    }
}

impl ResourcePlan {
    /// The record fields behind a FHIR path, nearest element first: what a server's `expression` is answered with.
    #[must_use]
    pub fn slots_behind(&self, path: &str) -> Vec<(Origin, usize)> {
        let wanted = without_positions(path);
        let mut found: Vec<(usize, &super::compile::Leaf)> = self
            .lineage
            .iter()
            .filter_map(|leaf| {
                let known = without_positions(&leaf.path);
                let related = known.starts_with(&wanted) || wanted.starts_with(&known);
                (related && !leaf.slots.is_empty()).then_some((known.len().abs_diff(wanted.len()), leaf))
            })
            .collect();
        found.sort_by_key(|(distance, _)| *distance);
        found.into_iter().flat_map(|(_, leaf)| leaf.slots.iter().map(|slot| (slot.origin, slot.index))).collect()
    }
}

/// A FHIR path without list positions: `Encounter.location[0].location` becomes `Encounter.location.location`.
#[must_use]
pub fn without_positions(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for letter in path.chars() {
        match letter {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => out.push(letter),
            _ => {}
        }
    }
    out
}
