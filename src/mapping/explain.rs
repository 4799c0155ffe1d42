//! What each record field becomes: resource, element, code and certainty, read off the compiled templates.
//!
//! It only describes; it must not decide anything nor touch records. Sentences for people are made by who prints it.

use std::sync::Arc;

use super::compile::ResourcePlan;
use super::compile::element::{Element, Written};
use super::concept_map::{ConceptMap, Row};
use super::plan::{Asked, Check, Origin, Slot};
use super::set::{Mapping, MappingSet};
use super::template::Certainty;
use crate::record::Value;
use crate::record::schema::{Field, Schema};

/// One use of a field by a mapping.
#[derive(Debug)]
pub struct Use<'a> {
    /// The mapping that uses it.
    pub mapping: &'a Mapping,
    /// The resource.
    pub plan: &'a ResourcePlan,
    /// Whose field it is.
    pub origin: Origin,
    /// The field.
    pub field: &'a Field,
    /// What it does there.
    pub role: Role<'a>,
    /// FHIR path of the element; the resource type alone for a condition of the whole resource.
    pub path: &'a str,
    /// The codes that say what the element means.
    pub codes: Vec<Coding>,
    /// Conditions under which it is there.
    pub checks: &'a [Check],
    /// Line in the mapping file.
    pub line: usize,
}

/// What a field does at an element.
#[derive(Debug)]
pub enum Role<'a> {
    /// Its value is sent.
    Value,
    /// Its words are sent as the codings of a concept map.
    Words(&'a Arc<ConceptMap>),
    /// It decides whether the element is there.
    Condition,
}

/// A code with its system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coding {
    /// System.
    pub system: String,
    /// Code.
    pub code: String,
    /// Display; empty when there is none.
    pub display: String,
}

impl Role<'_> {
    /// The word in JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Words(_) => "concept_map",
            Self::Condition => "condition",
        }
    }
}

impl Use<'_> {
    /// The field as templates write it.
    #[must_use]
    pub fn field_name(&self) -> String {
        written_name(self.mapping, self.origin, self.field)
    }

    /// Conditions of the element itself: those of the whole resource only where the resource itself is meant.
    #[must_use]
    pub fn own_checks(&self) -> &[Check] {
        if self.path == self.plan.resource_type { self.checks } else { &self.checks[self.plan.when.len()..] }
    }

    /// The concept map rows of a translated field.
    #[must_use]
    pub fn rows(&self) -> &[Row] {
        match self.role {
            Role::Words(map) => map.lines(),
            _ => &[],
        }
    }

    /// How well it is founded.
    #[must_use]
    pub fn certainty(&self) -> Certainty {
        self.plan.certainty
    }
}

/// A field's name with the record it belongs to, as templates write it.
fn written_name(mapping: &Mapping, origin: Origin, field: &Field) -> String {
    let whose = match origin {
        Origin::Own => return field.name.clone(),
        Origin::Sasaran => "sasaran",
        Origin::Posyandu => "posyandu",
        Origin::Visit => &mapping.beside.dataset,
    };
    format!("{whose}.{}", field.name)
}

impl MappingSet {
    /// The field in a slot of a mapping.
    #[must_use]
    pub fn field<'a>(&'a self, mapping: &'a Mapping, slot: Slot) -> &'a Field {
        &self.schema_of(mapping, slot.origin).fields[slot.index]
    }

    fn schema_of<'a>(&'a self, mapping: &'a Mapping, origin: Origin) -> &'a Schema {
        match origin {
            Origin::Own => &mapping.schema,
            Origin::Sasaran => &self.sasaran,
            Origin::Posyandu => &self.posyandu,
            Origin::Visit => &mapping.beside,
        }
    }

    /// The field's position in the schema of its record.
    #[must_use]
    pub fn position(&self, mapping: &Mapping, one: &Use<'_>) -> usize {
        self.schema_of(mapping, one.origin).index(&one.field.name).unwrap_or_default()
    }

    /// Every use of a field by a mapping, in the order of its file.
    #[must_use]
    pub fn uses<'a>(&'a self, mapping: &'a Mapping) -> Vec<Use<'a>> {
        let mut uses = Vec::new();
        for plan in &mapping.plans {
            for element in &plan.elements {
                for (slot, role) in roles(element) {
                    uses.push(Use {
                        mapping,
                        plan,
                        origin: slot.origin,
                        field: self.field(mapping, slot),
                        codes: plan.codes_at(&element.path, matches!(role, Role::Condition)),
                        role,
                        path: &element.path,
                        checks: &element.checks,
                        line: element.position.line,
                    });
                }
            }
        }
        uses
    }

    /// Conditions in words of the mapping file: `antigen: MR, dosis_ke < 2`.
    #[must_use]
    pub fn conditions(&self, mapping: &Mapping, checks: &[Check]) -> String {
        let told = |check: &Check| {
            let name = written_name(mapping, check.slot.origin, self.field(mapping, check.slot));
            match &check.question {
                Asked::Present => format!("{name}: present"),
                Asked::Absent => format!("{name}: absent"),
                Asked::In(values) => {
                    let values: Vec<String> = values.iter().map(word).collect();
                    format!("{name}: {}", values.join(" | "))
                }
                Asked::AtLeast(bound) => format!("{name} >= {bound}"),
                Asked::Below(bound) => format!("{name} < {bound}"),
            }
        };
        checks.iter().map(told).collect::<Vec<_>>().join(", ")
    }
}

fn word(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Time(time) => time.to_string(),
    }
}

fn roles(element: &Element) -> Vec<(Slot, Role<'_>)> {
    match &element.content {
        Written::Fields(slots) => slots.iter().map(|slot| (*slot, Role::Value)).collect(),
        Written::Codings(slot, map) => vec![(*slot, Role::Words(map))],
        Written::Test(slot) => vec![(*slot, Role::Condition)],
        Written::Frame | Written::Constant(_) => Vec::new(),
    }
}

/// Members of a resource, component or item that say what it is about, the first found counts.
const ABOUT: [&str; 5] = ["code", "vaccineCode", "medicationCodeableConcept", "contained[0].code", "type"];

impl ResourcePlan {
    /// The codes that say what the element at a path means: those inside it when it stands under a condition of its
    /// own, else those of the nearest level above that has some.
    #[must_use]
    pub fn codes_at(&self, path: &str, inside: bool) -> Vec<Coding> {
        let is_whole = path == self.resource_type;
        if inside && !is_whole {
            let own = self.codings(|place| place.starts_with(path) && !place[path.len()..].is_empty());
            if !own.is_empty() {
                return own;
            }
        }
        let mut level = path;
        loop {
            let item = self.text_at(&format!("{level}.linkId"));
            if let Some(code) = item {
                let display = self.text_at(&format!("{level}.text")).unwrap_or_default();
                return vec![Coding { system: "linkId".to_owned(), code, display }];
            }
            for about in ABOUT {
                let start = format!("{level}.{about}.coding[");
                let found = self.codings(|place| place.starts_with(&start));
                if !found.is_empty() {
                    return found;
                }
            }
            match level.rfind('.') {
                Some(dot) => level = &level[..dot],
                None => return Vec::new(),
            }
        }
    }

    /// The constant codings at places that are wanted.
    fn codings(&self, wanted: impl Fn(&str) -> bool) -> Vec<Coding> {
        let system_of =
            |element: &&Element| element.path.strip_suffix(".system").filter(|place| wanted(place)).is_some();
        self.elements
            .iter()
            .filter(system_of)
            .filter_map(|element| {
                let place = element.path.strip_suffix(".system")?;
                // A quantity has system and code too, but it names a unit.
                if !place.ends_with(']') || self.elements.iter().any(|other| other.path == format!("{place}.value")) {
                    return None;
                }
                Some(Coding {
                    system: constant(element)?,
                    code: self.text_at(&format!("{place}.code"))?,
                    display: self.text_at(&format!("{place}.display")).unwrap_or_default(),
                })
            })
            .collect()
    }

    fn text_at(&self, path: &str) -> Option<String> {
        self.elements.iter().find(|element| element.path == path).and_then(constant)
    }
}

/// A constant text.
fn constant(element: &Element) -> Option<String> {
    match &element.content {
        Written::Constant(json) => serde_json::from_str(json).ok(),
        _ => None,
    }
}
