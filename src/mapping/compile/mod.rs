//! From a template as written to a plan that can run, with every check that needs only the record schemas.
//!
//! Whether the result is FHIR is proved in `resource`; here a name that does not exist, a field that may be empty, a
//! code outside the packaged list or an untranslated word is found. It must not run a plan.

pub mod element;
mod part;
mod piece;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use self::element::Element;
use super::code_list::CodeList;
use super::concept_map::ConceptMap;
use super::plan::{Asked, Check, Operation, Origin, Slot, compile_question};
use super::problem::{Problem, nearest};
use super::template::{Certainty, MappingFile, Part, Question, ResourceTemplate, Template, Test};
use super::tree::Position;
use crate::record::Value;
use crate::record::schema::{Field, Kind, Schema};

/// A compiled resource template.
#[derive(Debug)]
pub struct ResourcePlan {
    /// Name inside the visit.
    pub name: String,
    /// FHIR resource type.
    pub resource_type: String,
    /// How well it is founded.
    pub certainty: Certainty,
    /// The switch it waits for, if any.
    pub switch: Option<String>,
    /// Where shape and codes come from.
    pub source: String,
    /// File it stands in.
    pub file: String,
    /// Where it stands.
    pub position: Position,
    /// Present only when these hold.
    pub when: Vec<Check>,
    /// What writes it.
    pub operations: Vec<Operation>,
    /// The business identifier's system up to the Organization id.
    pub identifier_system: String,
    /// The kinds of its business identifiers; it is found by the first, the others have the same value.
    pub identifier_kinds: Vec<String>,
    /// Which fields each element comes from.
    pub lineage: Vec<Leaf>,
    /// Tells it from every other plan of this process.
    pub serial: u64,
    /// Every place of the template, in the order of the file.
    pub elements: Vec<Element>,
}

/// The next plan's serial.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// One element of a resource and the fields it comes from.
#[derive(Debug)]
pub struct Leaf {
    /// FHIR path, list positions as in the template: `Encounter.participant[0].individual`.
    pub path: String,
    /// The record fields; empty for a constant.
    pub slots: Vec<Slot>,
    /// Where it stands in the mapping file.
    pub position: Position,
}

/// Everything templates may refer to.
pub struct Scope<'a> {
    /// Schema of the records mapped by this file.
    pub own: &'a Arc<Schema>,
    /// Schema of the person.
    pub sasaran: &'a Arc<Schema>,
    /// Schema of the posyandu.
    pub posyandu: &'a Arc<Schema>,
    /// Schema of the visit, or of the registration when a person or posyandu is mapped alone.
    pub visit: &'a Arc<Schema>,
    /// Names of the visit's own resources.
    pub visit_resources: &'a [String],
    /// Concept maps by name.
    pub concept_maps: &'a BTreeMap<String, Arc<ConceptMap>>,
    /// The packaged code list.
    pub codes: &'a CodeList,
}

/// System of all business identifiers, before kind and Organization id (satusehat-api.md, section 3.2).
const IDENTIFIER_SYSTEM: &str = "http://sys-ids.kemkes.go.id/";

/// System of a person's numbers, before their kind (satusehat-api.md, section 3.2).
const PERSON_SYSTEM: &str = "https://fhir.kemkes.go.id/id/";

/// Compiles a mapping file.
///
/// # Errors
/// Every mistake, each with its position and, where there is one, the nearest right name.
pub fn compile(file: &MappingFile, scope: &Scope<'_>) -> Result<Vec<ResourcePlan>, Vec<Problem>> {
    let mut compiler = Compiler { file, scope, problems: Vec::new(), used: BTreeSet::new() };
    let mut plans: Vec<ResourcePlan> = Vec::new();
    for resource in &file.resources {
        if plans.iter().any(|plan| plan.name == resource.name) {
            compiler.problem(resource.position, format!("the name `{}` stands twice", resource.name));
        }
        plans.push(compiler.resource(resource));
    }
    compiler.every_field_has_a_fate();
    if compiler.problems.is_empty() { Ok(plans) } else { Err(compiler.problems) }
}

/// What is certain at a place of the template: fields that are filled, and the words they can have.
#[derive(Clone, Default)]
struct Known {
    filled: BTreeSet<Slot>,
    words: BTreeMap<Slot, Vec<String>>,
}

struct Compiler<'a> {
    file: &'a MappingFile,
    scope: &'a Scope<'a>,
    problems: Vec<Problem>,
    used: BTreeSet<Slot>,
}

impl Compiler<'_> {
    fn problem(&mut self, at: Position, text: impl Into<String>) {
        self.problems.push(at.problem(&self.file.file, text));
    }

    fn suggest(&mut self, at: Position, text: String, suggestion: Option<String>) {
        let mut problem = at.problem(&self.file.file, text);
        problem.suggestion = suggestion;
        self.problems.push(problem);
    }

    fn schema(&self, origin: Origin) -> &Arc<Schema> {
        match origin {
            Origin::Own => self.scope.own,
            Origin::Sasaran => self.scope.sasaran,
            Origin::Posyandu => self.scope.posyandu,
            Origin::Visit => self.scope.visit,
        }
    }

    fn field(&self, slot: Slot) -> &Field {
        &self.schema(slot.origin).fields[slot.index]
    }

    fn slot(&mut self, at: Position, written: &str) -> Option<Slot> {
        let (origin, name) = match written.split_once('.') {
            Some(("sasaran", name)) => (Origin::Sasaran, name),
            Some(("posyandu", name)) => (Origin::Posyandu, name),
            Some((beside, name)) if beside == self.scope.visit.dataset => (Origin::Visit, name),
            _ => (Origin::Own, written),
        };
        let schema = Arc::clone(self.schema(origin));
        let Some(index) = schema.index(name) else {
            let suggestion = nearest(name, schema.fields.iter().map(|field| field.name.as_str()));
            self.suggest(at, format!("the record `{}` has no field `{name}`", schema.dataset), suggestion);
            return None;
        };
        let slot = Slot { origin, index };
        self.used.insert(slot);
        Some(slot)
    }

    fn resource(&mut self, template: &ResourceTemplate) -> ResourcePlan {
        if let Some((at, switch)) = &template.switch
            && !self.file.switches.contains_key(switch)
        {
            let suggestion = nearest(switch, self.file.switches.keys().map(String::as_str));
            self.suggest(*at, format!("switch `{switch}` is not described under `switches`"), suggestion);
        }
        let mut known = self.required_fields();
        let when = self.checks(&template.when, &mut known);
        let mut lineage = Vec::new();
        let piece = self.value(&template.skeleton, &template.resource_type, &known, &mut lineage);
        let kinds = self.identifiers(template);
        let kind = kinds.first().cloned().unwrap_or_default();
        ResourcePlan {
            name: template.name.clone(),
            resource_type: template.resource_type.clone(),
            certainty: template.certainty,
            switch: template.switch.as_ref().map(|(_, switch)| switch.clone()),
            source: template.source.clone(),
            file: self.file.file.clone(),
            position: template.position,
            when,
            operations: piece.operations,
            identifier_system: format!("{IDENTIFIER_SYSTEM}{kind}/"),
            identifier_kinds: kinds,
            lineage,
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            elements: self.elements(template),
        }
    }

    /// The kinds of a resource's business identifiers, that by which it is found first.
    fn identifiers(&mut self, template: &ResourceTemplate) -> Vec<String> {
        let mut all = Vec::new();
        identifiers(&template.skeleton, &mut all);
        let mut own = Vec::new();
        if let Part::Object(_, members) = &template.skeleton.part {
            members.iter().filter(|(name, _)| name == "identifier").for_each(|(_, part)| always(part, &mut own));
        }
        let mut kinds: Vec<String> = Vec::new();
        for (at, kind) in all {
            if !own.contains(&at) {
                self.problem(at, "`$identifier` stands in the resource's own `identifier`, under no condition");
            } else if kinds.contains(kind) {
                self.problem(at, format!("`$identifier: {kind}` stands twice in `{}`", template.name));
            } else {
                kinds.push(kind.clone());
            }
        }
        if kinds.is_empty() && names_person(&template.skeleton) {
            // A person has a number of the state's; the address inside the program is made as for any resource.
            kinds.push(template.resource_type.to_lowercase());
        }
        if kinds.is_empty() {
            let text = format!("`{}` needs an `$identifier`: it is found by it later", template.name);
            self.problem(template.position, text);
        }
        kinds
    }

    fn required_fields(&self) -> Known {
        let mut known = Known::default();
        for origin in [Origin::Own, Origin::Sasaran, Origin::Posyandu, Origin::Visit] {
            let fields = self.schema(origin).fields.iter().enumerate();
            known.filled.extend(fields.filter(|(_, f)| f.required).map(|(index, _)| Slot { origin, index }));
        }
        known
    }

    fn checks(&mut self, tests: &[Test], known: &mut Known) -> Vec<Check> {
        let mut checks = Vec::new();
        for test in tests {
            let Some(slot) = self.slot(test.position, &test.field) else { continue };
            let kind = self.field(slot).kind.clone();
            match compile_question(&test.question, |text| read_as(&kind, text)) {
                Ok(question) => {
                    if !matches!(question, Asked::Absent) {
                        known.filled.insert(slot);
                    }
                    if let Question::In(words) = &test.question {
                        known.words.insert(slot, words.clone());
                    }
                    checks.push(Check { slot, question });
                }
                Err(word) => {
                    let suggestion = match &kind {
                        Kind::Code(words) => nearest(&word, words.iter().map(String::as_str)),
                        _ => None,
                    };
                    let text = format!("`{}` can never be `{word}`", test.field);
                    self.suggest(test.position, text, suggestion);
                }
            }
        }
        checks
    }

    fn code_is_listed(&mut self, at: Position, members: &[(String, Template)]) {
        let constant = |name: &str| {
            members.iter().find(|(member, _)| member == name).and_then(|(_, template)| match &template.part {
                Part::Constant(json) => serde_json::from_str::<String>(json).ok().map(|text| (template.position, text)),
                _ => None,
            })
        };
        let (Some((_, system)), Some((code_at, code))) = (constant("system"), constant("code")) else { return };
        if !self.scope.codes.holds(&system, &code) {
            let suggestion = self.scope.codes.suggestion(&system, &code);
            let at = if code_at.line > 0 { code_at } else { at };
            self.suggest(at, format!("code `{code}` of {system} is not in the packaged code list"), suggestion);
        }
    }

    /// A quantity's UCUM code must be the unit in which the record holds the value: nothing is converted.
    fn unit_agrees(&mut self, members: &[(String, Template)]) {
        let find = |name: &str| members.iter().find(|(member, _)| member == name).map(|(_, template)| template);
        let (Some(value), Some(code)) = (find("value"), find("code")) else { return };
        let (Part::Field(field), Part::Constant(json)) = (&value.part, &code.part) else { return };
        let Some(slot) = self.slot(value.position, field) else { return };
        let Ok(code_text) = serde_json::from_str::<String>(json) else { return };
        match self.field(slot).unit.clone() {
            Some(unit) if unit != code_text => {
                self.problem(code.position, format!("`{field}` is held in {unit}, not in {code_text}"));
            }
            _ => {}
        }
    }

    /// A column that is neither mapped nor knowingly left out would be lost in silence.
    fn every_field_has_a_fate(&mut self) {
        let schema = Arc::clone(self.scope.own);
        for (index, field) in schema.fields.iter().enumerate() {
            let used = self.used.contains(&Slot { origin: Origin::Own, index });
            let excused = self.file.not_reported.get(&field.name);
            if !used && excused.is_none() {
                let text = format!("field `{}` is neither mapped nor listed under `not_reported`", field.name);
                self.problem(self.file.dataset_position, text);
            }
        }
        for (name, (at, _)) in &self.file.not_reported {
            if schema.index(name).is_none() {
                let suggestion = nearest(name, schema.fields.iter().map(|field| field.name.as_str()));
                self.suggest(*at, format!("the record `{}` has no field `{name}`", schema.dataset), suggestion);
            }
        }
    }
}

/// Whether a resource is identified by a person's number instead of an identifier of ours.
fn names_person(template: &Template) -> bool {
    match &template.part {
        Part::Constant(json) => json.trim_matches('"').starts_with(PERSON_SYSTEM),
        Part::Object(_, members) => members.iter().any(|(_, member)| names_person(member)),
        Part::List(entries) => entries.iter().any(names_person),
        Part::Conditional(_, inner) => names_person(inner),
        _ => false,
    }
}

/// Every `$identifier` of a template with its place, in the order of the file.
fn identifiers<'t>(template: &'t Template, all: &mut Vec<(Position, &'t String)>) {
    match &template.part {
        Part::Identifier(kind) => all.push((template.position, kind)),
        Part::Object(_, members) => members.iter().for_each(|(_, member)| identifiers(member, all)),
        Part::List(entries) => entries.iter().for_each(|entry| identifiers(entry, all)),
        Part::Conditional(_, inner) => identifiers(inner, all),
        _ => {}
    }
}

/// The places of those that stand in an element itself or in its list, whatever the record says.
fn always(template: &Template, places: &mut Vec<Position>) {
    match &template.part {
        Part::Identifier(_) => places.push(template.position),
        Part::List(entries) => entries.iter().for_each(|entry| always(entry, places)),
        _ => {}
    }
}

/// Reads a word of a `when` as the kind of value the field holds.
pub(super) fn read_as(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(Value::Text(text.to_owned())),
        Kind::Code(words) => words.iter().any(|word| word == text).then(|| Value::Text(text.to_owned())),
        Kind::Boolean => text.parse().ok().map(Value::Boolean),
        Kind::Integer => text.parse().ok().map(Value::Integer),
        Kind::Decimal => text.parse().ok().map(Value::Decimal),
        Kind::Date => text.parse().ok().map(Value::Date),
        Kind::Time => text.parse().ok().map(Value::Time),
    }
}
