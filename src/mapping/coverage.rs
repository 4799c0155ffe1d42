//! Which lines of the mapping files the cases touch: a line that no case touches is a line nobody has seen at work.
//!
//! Computed from the templates' places and the visits of the cases, so the run itself counts nothing. A resource counts
//! when it comes out of a case that no error stops. It must not judge what comes out: that is `case`'s business.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{self, Case};
use super::compile::ResourcePlan;
use super::compile::element::Written;
use super::plan::Records;
use super::set::MappingSet;
use super::tree::Position;
use super::visit::Visit;
use crate::issue::Issue;
use crate::record::Value;

/// What the cases have touched so far.
#[derive(Debug)]
pub struct Coverage<'a> {
    set: &'a MappingSet,
    /// File, place of the resource and number of the element.
    elements: BTreeSet<(&'a str, Position, usize)>,
    /// File and line of a concept map.
    rows: BTreeSet<(&'a str, usize)>,
}

/// Lines touched of all lines that can write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figure {
    /// Lines that some case touched.
    pub touched: usize,
    /// All lines.
    pub all: usize,
    /// File and line of each that no case touched, in the order of the files.
    pub untouched: Vec<(String, usize)>,
}

impl Figure {
    /// Percent of lines touched, rounded down to a tenth: 100 only when nothing is left.
    #[must_use]
    pub fn percent(&self) -> String {
        let tenths = (self.touched * 1_000).checked_div(self.all).unwrap_or(1_000);
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    fn of<'a>(lines: impl Iterator<Item = (&'a str, usize, bool)>) -> Self {
        let mut by_line: BTreeMap<(&str, usize), bool> = BTreeMap::new();
        for (file, line, touched) in lines {
            let whole = by_line.entry((file, line)).or_insert(true);
            *whole &= touched;
        }
        let untouched: Vec<_> =
            by_line.iter().filter(|(_, whole)| !**whole).map(|((file, line), _)| ((*file).to_owned(), *line)).collect();
        Self { touched: by_line.len() - untouched.len(), all: by_line.len(), untouched }
    }
}

impl<'a> Coverage<'a> {
    /// Nothing touched yet.
    #[must_use]
    pub fn new(set: &'a MappingSet) -> Self {
        Self { set, elements: BTreeSet::new(), rows: BTreeSet::new() }
    }

    /// Adds what a case touches.
    pub fn take(&mut self, case: &Case) {
        case.with_visit(|visit, switches| {
            let set = self.set;
            let draft = set.draft(visit, switches, &case::identify);
            if draft.issues.iter().any(Issue::is_error) {
                return;
            }
            for resource in &draft.resources {
                let records = records_of(visit, resource.record);
                self.written(resource.plan, records);
            }
            let services = (0..visit.records.len()).map(Some);
            for record in std::iter::once(None).chain(services) {
                let records = records_of(visit, record);
                let mapping = match record {
                    None => Some(&set.visit).filter(|mapping| mapping.dataset == visit.visit.schema.dataset),
                    Some(_) => set.of_record(&records.own.schema.dataset),
                };
                for plan in mapping.iter().flat_map(|mapping| &mapping.plans) {
                    if plan.switch.as_ref().is_none_or(|switch| switches.contains(switch)) {
                        self.translated(plan, records);
                    }
                }
            }
        });
    }

    fn written(&mut self, plan: &'a ResourcePlan, records: Records<'_>) {
        let written = plan.elements.iter().enumerate().filter(|(_, element)| records.hold(&element.checks));
        self.elements.extend(written.map(|(number, _)| (plan.file.as_str(), plan.position, number)));
    }

    /// Rows of concept maps that were asked for, those that say "not reported" included.
    fn translated(&mut self, plan: &'a ResourcePlan, records: Records<'_>) {
        for element in &plan.elements {
            let Written::Codings(slot, map) = &element.content else { continue };
            if !records.hold(&element.checks) {
                continue;
            }
            if let Some(Value::Text(word)) = records.value(*slot) {
                let asked = map.lines().iter().filter(|row| row.source_code == *word);
                self.rows.extend(asked.map(|row| (map.file.as_str(), row.line)));
            }
        }
    }

    /// Lines of templates that wrote something, of all that can write; a line with a `when` wrote when it held.
    #[must_use]
    pub fn templates(&self) -> Figure {
        let plans = self.set.all().flat_map(|mapping| &mapping.plans);
        Figure::of(plans.flat_map(|plan| {
            plan.elements.iter().enumerate().map(|(number, element)| {
                let touched = self.elements.contains(&(plan.file.as_str(), plan.position, number));
                (plan.file.as_str(), element.position.line, touched)
            })
        }))
    }

    /// Lines of concept maps that were asked for, of all lines.
    #[must_use]
    pub fn concept_maps(&self) -> Figure {
        let maps = self.set.concept_maps.values();
        Figure::of(maps.flat_map(|map| {
            let rows = map.lines().iter();
            rows.map(|row| (map.file.as_str(), row.line, self.rows.contains(&(map.file.as_str(), row.line))))
        }))
    }
}

fn records_of<'v>(visit: &Visit<'v>, record: Option<usize>) -> Records<'v> {
    let own = record.and_then(|at| visit.records.get(at)).map_or(visit.visit, |(record, _)| *record);
    Records { own, sasaran: visit.sasaran, posyandu: visit.posyandu, visit: visit.visit }
}
