//! Every place of a template with the conditions above it: what coverage, explanations and the dictionary read.
//!
//! Made once, when a template is loaded, beside the plan and not inside it, so that a record pays nothing for it. It
//! tells no mistakes: the plan's compiler has told them all.

use std::sync::Arc;

use super::super::concept_map::ConceptMap;
use super::super::plan::{Asked, Check, Slot};
use super::super::template::{Part, ResourceTemplate, Template, Test};
use super::super::tree::Position;
use super::{Compiler, Known};

/// One place of a template.
#[derive(Debug)]
pub struct Element {
    /// FHIR path, list positions as in the template.
    pub path: String,
    /// Where it stands in the mapping file.
    pub position: Position,
    /// It is written only when all of these hold.
    pub checks: Arc<[Check]>,
    /// What stands there.
    pub content: Written,
}

/// What stands at a place of a template.
#[derive(Debug)]
pub enum Written {
    /// Lists and objects, and instructions that read no field of a record.
    Frame,
    /// A test of a `when`: the field asked.
    Test(Slot),
    /// A constant, as JSON text.
    Constant(String),
    /// Values of these fields.
    Fields(Vec<Slot>),
    /// The codings of a concept map for this field.
    Codings(Slot, Arc<ConceptMap>),
}

impl Compiler<'_> {
    /// The places of a resource, in the order of the file.
    pub(super) fn elements(&mut self, template: &ResourceTemplate) -> Vec<Element> {
        let told = self.problems.len();
        let mut walk = Walk { compiler: self, elements: Vec::new() };
        let checks = walk.tests(&template.when, &template.resource_type, &[]);
        walk.part(&template.skeleton, &template.resource_type, &checks);
        let elements = walk.elements;
        self.problems.truncate(told);
        elements
    }
}

struct Walk<'w, 'a> {
    compiler: &'w mut Compiler<'a>,
    elements: Vec<Element>,
}

impl Walk<'_, '_> {
    /// Notes the tests and gives the checks that hold below them.
    fn tests(&mut self, tests: &[Test], path: &str, above: &[Check]) -> Vec<Check> {
        let mut checks = above.to_vec();
        checks.extend(self.compiler.checks(tests, &mut Known::default()));
        for test in tests {
            if let Some(slot) = self.compiler.slot(test.position, &test.field) {
                self.note(path, test.position, &checks, Written::Test(slot));
            }
        }
        checks
    }

    fn note(&mut self, path: &str, position: Position, checks: &[Check], content: Written) {
        // Neighbours mostly share their conditions; thousands of places would be megabytes of copies.
        let shared = self.elements.last().filter(|last| *last.checks == *checks).map(|last| Arc::clone(&last.checks));
        let checks = shared.unwrap_or_else(|| checks.into());
        self.elements.push(Element { path: path.to_owned(), position, checks, content });
    }

    fn part(&mut self, template: &Template, path: &str, checks: &[Check]) {
        let at = template.position;
        match &template.part {
            Part::Constant(json) => self.note(path, at, checks, Written::Constant(json.clone())),
            Part::Object(tests, members) => {
                self.note(path, at, checks, Written::Frame);
                let checks = self.tests(tests, path, checks);
                for (name, member) in members {
                    self.part(member, &format!("{path}.{name}"), &checks);
                }
            }
            Part::List(entries) => {
                self.note(path, at, checks, Written::Frame);
                for (index, entry) in entries.iter().enumerate() {
                    self.part(entry, &format!("{path}[{index}]"), checks);
                }
            }
            Part::Conditional(tests, inner) => {
                let checks = self.tests(tests, path, checks);
                self.part(inner, path, &checks);
            }
            Part::Field(name) => self.fields(path, at, checks, &[name]),
            Part::Optional(name) => {
                let mut checks = checks.to_vec();
                if let Some(slot) = self.compiler.slot(at, name) {
                    checks.push(Check { slot, question: Asked::Present });
                }
                self.fields(path, at, &checks, &[name]);
            }
            Part::Date(name) => self.fields(path, at, checks, &[name]),
            Part::Instant(date, time) => self.fields(path, at, checks, &[date, time]),
            Part::Translate(field, (_, map)) => {
                let map = self.compiler.scope.concept_maps.get(map).cloned();
                if let Some((slot, map)) = self.compiler.slot(at, field).zip(map) {
                    self.note(path, at, checks, Written::Codings(slot, map));
                }
            }
            Part::Identifier(_) | Part::Reference(_) | Part::OptionalReference(_) => {
                self.note(path, at, checks, Written::Frame)
            }
        }
    }

    fn fields(&mut self, path: &str, at: Position, checks: &[Check], names: &[&String]) {
        let slots = names.iter().filter_map(|name| self.compiler.slot(at, name)).collect();
        self.note(path, at, checks, Written::Fields(slots));
    }
}
