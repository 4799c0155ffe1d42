//! Proof of the mappings before any record is seen: every template is filled from the schemas and must be FHIR.
//!
//! Samples are made from the schemas alone: all fields filled, only the required ones, each word of each coded
//! field. A fault is told at the template's line, with the nearest element name. It must not touch real records.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use jiff::civil::{date, time};
use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::profile::Profiles;
use super::structure::{self, FaultKind};
use crate::clock::Zone;
use crate::issue::{Place, Severity};
use crate::mapping::compile::ResourcePlan;
use crate::mapping::plan::{Asked, Check, Gap, Origin, Records, Run, run};
use crate::mapping::problem::{Problem, nearest};
use crate::mapping::set::{Mapping, MappingSet};
use crate::record::schema::{Field, Kind, Schema};
use crate::record::{Record, Value};

/// Proves all mappings; an empty list means proved.
#[must_use]
pub fn prove(set: &MappingSet, profiles: &Profiles) -> Vec<Problem> {
    let mut problems = Vec::new();
    for mapping in set.all() {
        for plan in &mapping.plans {
            let mut proof = Proof { set, profiles, mapping, plan, told: BTreeSet::new(), judged: HashSet::new() };
            proof.run(&mut problems);
        }
    }
    problems
}

struct Proof<'a> {
    set: &'a MappingSet,
    profiles: &'a Profiles,
    mapping: &'a Mapping,
    plan: &'a ResourcePlan,
    told: BTreeSet<(usize, String)>,
    /// What came out already: many samples differ in fields that the plan does not read.
    judged: HashSet<String>,
}

impl Proof<'_> {
    fn run(&mut self, problems: &mut Vec<Problem>) {
        let mut ever = false;
        for own in samples(&self.mapping.schema, &self.plan.when) {
            for sasaran_full in [true, false] {
                ever |= self.one(&own, sasaran_full, problems);
            }
        }
        if !ever {
            let text = format!("`{}` can never be present: its `when` cannot hold", self.plan.name);
            problems.push(self.plan.position.problem(&self.plan.file, text));
        }
    }

    fn one(&mut self, own: &Record, full: bool, problems: &mut Vec<Problem>) -> bool {
        let mut sasaran = sample(&self.set.sasaran, full);
        satisfy(&mut sasaran, &self.plan.when, Origin::Sasaran);
        let mut posyandu = sample(&self.set.posyandu, full);
        if let Some(index) = posyandu.schema.index("id_lokasi_satusehat") {
            posyandu.values[index] = Some(Value::Text("lokasi".to_owned()));
        }
        let mut visit = sample(&self.mapping.beside, full);
        satisfy(&mut visit, &self.plan.when, Origin::Visit);
        let is_visit = self.mapping.dataset == self.set.visit.dataset;
        let visit = if is_visit { own.clone() } else { visit };
        let records = Records { own, sasaran: &sasaran, posyandu: &posyandu, visit: &visit };
        if !records.hold(&self.plan.when) {
            return false;
        }
        let urls = |kind: u8, plans: usize| (0..plans).map(|at| Some(stand_in(kind, at))).collect::<Vec<_>>();
        let visit_urls = urls(OF_VISIT, self.set.visit.plans.len());
        let own_urls = urls(OF_RECORD, self.mapping.plans.len());
        let with = Run {
            records,
            zone: Zone::Wib,
            organization: "100000000",
            identifier: "CONTOH",
            visit_urls: &visit_urls,
            own_urls: &own_urls,
        };
        let mut json = String::new();
        match run(&self.plan.operations, &with, &mut json) {
            Ok(()) if self.judged.contains(&json) => {}
            Ok(()) => {
                self.judge(&json, problems);
                self.judged.insert(json);
            }
            Err(Gap::NotReported(_)) => {}
            Err(gap) => {
                self.tell(&self.plan.resource_type.clone(), format!("cannot be filled: {gap:?}"), None, problems)
            }
        }
        true
    }

    fn judge(&mut self, json: &str, problems: &mut Vec<Problem>) {
        let kind = self.plan.resource_type.clone();
        if !self.profiles.knows(&kind) {
            let text = format!("there is no profile for {kind}, so it is never sent");
            self.tell(&kind, text, None, problems);
        }
        for fault in structure::check(&kind, json).err().unwrap_or_default() {
            let name =
                fault.path.rsplit('.').next().unwrap_or_default().split('[').next().unwrap_or_default().to_owned();
            let (text, suggestion) = match &fault.kind {
                FaultKind::Dropped => {
                    let near = nearest(&name, self.profiles.elements().filter(|element| *element != name));
                    let path = &fault.path;
                    (format!("R4 has no element `{path}` with such a value"), near)
                }
                FaultKind::Changed => (format!("R4 reads another value at `{}`", fault.path), None),
                FaultKind::Missing(element) => (format!("the required element `{element}` of {kind} is missing"), None),
                FaultKind::UnknownType => {
                    (format!("`{kind}` is not a resource type we send"), nearest(&kind, RESOURCE_TYPES))
                }
                FaultKind::Refused(sentence) => (format!("R4 refuses it: {sentence}"), None),
            };
            self.tell(&fault.path, text, suggestion, problems);
        }
        if let Ok(value) = serde_json::from_str::<Json>(json) {
            // A warning is about the published sources, which contradict each other: no mistake of the file.
            let findings = self.profiles.findings(&kind, &value, &|url| self.target(url)).into_iter();
            for finding in findings.filter(|finding| finding.severity == Severity::Error) {
                let text = format!("SATUSEHAT's rule {} does not hold at `{}`", finding.number, finding.path);
                self.tell(&finding.path, text, None, problems);
            }
        }
    }

    /// The resource type behind a stand-in.
    fn target(&self, url: &str) -> Option<String> {
        let known = |kind: u8, mapping: &Mapping| {
            let at = (0..mapping.plans.len()).find(|at| stand_in(kind, *at) == url)?;
            mapping.plans.get(at).map(|plan| plan.resource_type.clone())
        };
        known(OF_VISIT, &self.set.visit).or_else(|| known(OF_RECORD, self.mapping))
    }

    /// Tells a fault once per place, at the line of the element it is about.
    fn tell(&mut self, path: &str, text: String, suggestion: Option<String>, problems: &mut Vec<Problem>) {
        let position = self
            .plan
            .lineage
            .iter()
            .find(|leaf| leaf.path.starts_with(path))
            .map_or(self.plan.position, |leaf| leaf.position);
        if self.told.insert((position.line, text.clone())) {
            let mut problem = position.problem(&self.plan.file, text);
            problem.suggestion = suggestion;
            problems.push(problem);
        }
    }
}

/// Marks the stand-in of a visit's resource.
const OF_VISIT: u8 = 1;
/// Marks the stand-in of a record's resource.
const OF_RECORD: u8 = 2;

/// Stands for the address of a resource of the same visit.
fn stand_in(kind: u8, at: usize) -> String {
    format!("urn:uuid:00000000-0000-4000-8{kind:03x}-{at:012x}")
}

/// The resource types that we send.
const RESOURCE_TYPES: [&str; 15] = [
    "Encounter",
    "Condition",
    "EpisodeOfCare",
    "Observation",
    "Procedure",
    "Immunization",
    "MedicationDispense",
    "MedicationRequest",
    "MedicationStatement",
    "QuestionnaireResponse",
    "ServiceRequest",
    "Patient",
    "RelatedPerson",
    "Organization",
    "Location",
];

/// Samples of a record for which a resource's `when` can hold.
fn samples(schema: &Arc<Schema>, when: &[Check]) -> Vec<Record> {
    let mut all = Vec::new();
    for full in [true, false] {
        let mut base = sample(schema, full);
        satisfy(&mut base, when, Origin::Own);
        for (index, field) in schema.fields.iter().enumerate() {
            let Kind::Code(words) = &field.kind else { continue };
            for word in words {
                let mut record = base.clone();
                record.values[index] = Some(Value::Text(word.clone()));
                all.push(record);
            }
        }
        for number in [1_i64, 2, 3, 4] {
            let mut record = base.clone();
            for (value, field) in record.values.iter_mut().zip(&schema.fields) {
                if field.kind == Kind::Integer && value.is_some() {
                    *value = Some(Value::Integer(number));
                }
            }
            satisfy(&mut record, when, Origin::Own);
            all.push(record);
        }
        all.push(base);
    }
    all
}

fn satisfy(record: &mut Record, when: &[Check], origin: Origin) {
    for check in when.iter().filter(|check| check.slot.origin == origin) {
        let index = check.slot.index;
        let kind = record.schema.fields[index].kind.clone();
        record.values[index] = match &check.question {
            Asked::Present => record.values[index].clone().or_else(|| Some(plausible(&kind))),
            Asked::Absent => None,
            Asked::In(values) => values.first().cloned(),
            Asked::AtLeast(bound) => Some(of_number(&kind, *bound)),
            // The lower end of a range comes first and may hold already.
            Asked::Below(_) if check.question.holds(record.values[index].as_ref()) => continue,
            Asked::Below(bound) => Some(of_number(&kind, *bound - Decimal::ONE)),
        };
    }
}

fn of_number(kind: &Kind, number: Decimal) -> Value {
    match kind {
        Kind::Integer => Value::Integer(i64::try_from(number).unwrap_or_default()),
        _ => Value::Decimal(number),
    }
}

fn sample(schema: &Arc<Schema>, full: bool) -> Record {
    let filled = |(index, field): (usize, &Field)| (full || field.required).then(|| plausible_at(&field.kind, index));
    Record {
        values: schema.fields.iter().enumerate().map(filled).collect(),
        columns: vec![None; schema.fields.len()],
        place: Place::default(),
        schema: Arc::clone(schema),
    }
}

/// Dates and times rise with the field's position, so that openings precede closings and doses precede expiry.
fn plausible_at(kind: &Kind, index: usize) -> Value {
    let steps = i8::try_from(index % 12).unwrap_or_default();
    match kind {
        Kind::Date => Value::Date(date(2026, 1 + steps, 18)),
        Kind::Time => Value::Time(time(6 + steps, 0, 0, 0)),
        other => plausible(other),
    }
}

fn plausible(kind: &Kind) -> Value {
    match kind {
        Kind::Text => Value::Text("contoh".to_owned()),
        Kind::Integer => Value::Integer(1),
        Kind::Decimal => Value::Decimal(Decimal::new(105, 1)),
        Kind::Boolean => Value::Boolean(true),
        Kind::Date => Value::Date(date(2026, 11, 18)),
        Kind::Time => Value::Time(time(8, 0, 0, 0)),
        Kind::Code(words) => Value::Text(words.first().cloned().unwrap_or_default()),
    }
}
