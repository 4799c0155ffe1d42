//! A record being filled from one row: each value with its column, each problem with its cell.
//!
//! It must not know what a dataset means, nor how a format is read; it finds the cells and keeps what was read.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::number;
use super::schema::{Field, Kind, Schema};
use super::words::{by_word, fold, says_nothing, tidy};
use super::{Record, Value};
use crate::issue::{Issue, Place};
use crate::source::Row;
use crate::source::cells::CellKind;
use crate::source::layout::plain_header;
use crate::source::profile::field::{DecimalMark, FieldSpec};
use crate::source::profile::{FieldSpecs, Profile};

/// How one dataset is read from the rows of one table.
#[derive(Debug)]
pub struct DatasetPlan {
    /// Its schema.
    pub schema: Arc<Schema>,
    /// For each field of the schema, the cell it comes from.
    cells: Vec<Option<CellPlan>>,
    /// The row yields this dataset only when this field is filled.
    pub only_with: Option<String>,
}

#[derive(Debug)]
struct CellPlan {
    column: String,
    spec: FieldSpec,
    /// How many parts the cell has, when it is parted: the fields that share it tell.
    parts: usize,
    codes: HashMap<String, String>,
}

impl DatasetPlan {
    /// Ties a profile's fields to a schema; `Err` names a field that the schema does not have.
    ///
    /// # Errors
    /// The name of the field that the schema does not know.
    pub fn new(schema: &Arc<Schema>, specs: &FieldSpecs, only_with: Option<String>) -> Result<Self, String> {
        if let Some(unknown) = specs.keys().find(|name| schema.index(name).is_none()) {
            return Err(unknown.clone());
        }
        let cells = schema.fields.iter().map(|field| {
            specs.get(&field.name).map(|spec| CellPlan {
                column: plain_header(spec.name()),
                codes: codes_of(field, spec),
                parts: specs
                    .values()
                    .filter_map(|other| other.part.filter(|_| other.name() == spec.name()))
                    .fold(2, usize::max),
                spec: spec.clone(),
            })
        });
        Ok(Self { schema: Arc::clone(schema), cells: cells.collect(), only_with })
    }
}

/// Word → code: the profile's words, and each of the field's own codes for itself.
fn codes_of(field: &Field, spec: &FieldSpec) -> HashMap<String, String> {
    let mut codes = by_word(&spec.words);
    let own: &[String] = match &field.kind {
        Kind::Code(own) => own,
        _ => &field.listed,
    };
    for code in own {
        codes.entry(fold(code)).or_insert_with(|| code.clone());
    }
    codes
}

/// A cell's text, tidied, and its header.
#[derive(Clone)]
pub struct Written {
    /// Header as in the file; `None` for a constant of the profile.
    pub column: Option<Arc<str>>,
    /// Tidied text, never empty.
    pub text: String,
    /// What the carrier knows about the cell.
    pub kind: CellKind,
}

impl Written {
    /// The text as a number: of what a spreadsheet computed, the digits it shows.
    #[must_use]
    pub fn number(&self) -> Cow<'_, str> {
        if self.kind == CellKind::Number { number::as_shown(&self.text) } else { Cow::Borrowed(&self.text) }
    }

    /// The decimal mark: a cell that is a number always has a point.
    #[must_use]
    pub fn mark(&self, scene: &Scene<'_>) -> DecimalMark {
        if self.kind == CellKind::Number { DecimalMark::Point } else { scene.profile.decimal }
    }
}

/// What is common to all records of one row.
pub struct Scene<'a> {
    /// The source's profile.
    pub profile: &'a Profile,
    /// The row.
    pub row: &'a Row,
    /// The local calendar day on which it is read.
    pub today: Date,
    /// What was found so far.
    pub issues: Vec<Issue>,
}

/// A record being filled.
pub struct Draft<'a> {
    plan: &'a DatasetPlan,
    record: Record,
}

impl<'a> Draft<'a> {
    /// An empty record of a row.
    #[must_use]
    pub fn new(plan: &'a DatasetPlan, row: &Row) -> Self {
        let schema = Arc::clone(&plan.schema);
        let count = schema.fields.len();
        let record = Record { schema, values: vec![None; count], columns: vec![None; count], place: row.place.clone() };
        Self { plan, record }
    }

    /// The filled record.
    #[must_use]
    pub fn finish(self) -> Record {
        self.record
    }

    /// The record so far.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The schema's description of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a Field> {
        self.plan.schema.index(name).and_then(|at| self.plan.schema.fields.get(at))
    }

    /// How the profile reads a field; `None` when the source does not supply it.
    #[must_use]
    pub fn spec(&self, name: &str) -> Option<&'a FieldSpec> {
        self.cell_plan(name).map(|cell| &cell.spec)
    }

    fn cell_plan(&self, name: &str) -> Option<&'a CellPlan> {
        self.plan.schema.index(name).and_then(|at| self.plan.cells.get(at)).and_then(Option::as_ref)
    }

    /// A field's cell with whatever is written in it; `None` when it is empty or the column is absent.
    #[must_use]
    pub fn written(&self, name: &str, row: &Row) -> Option<Written> {
        let plan = self.cell_plan(name)?;
        if let Some(constant) = &plan.spec.constant {
            let text = tidy(constant);
            return (!text.is_empty()).then_some(Written { column: None, text, kind: CellKind::Text });
        }
        let cell = row.cell(&plan.column)?;
        let text = match plan.spec.part {
            // A date is one thing: a spreadsheet made it of the two, and the reader says so.
            Some(part) if cell.kind != CellKind::Date => part_of(cell.raw, &plan.spec.split, part, plan.parts)?,
            _ => tidy(cell.raw),
        };
        (!text.is_empty()).then(|| Written { column: Some(Arc::clone(cell.column)), text, kind: cell.kind })
    }

    /// The code that a word stands for in a field.
    #[must_use]
    pub fn code_of(&self, name: &str, word: &str) -> Option<&'a str> {
        self.cell_plan(name).and_then(|plan| plan.codes.get(&fold(word))).map(String::as_str)
    }

    /// Whether the source has a cell for a field, filled or not.
    #[must_use]
    pub fn has_column(&self, name: &str, row: &Row) -> bool {
        self.cell_plan(name).is_some_and(|plan| plan.spec.constant.is_some() || row.cell(&plan.column).is_some())
    }

    /// Whether a field's value says something about this row, and not the same about each.
    #[must_use]
    pub fn varies(&self, name: &str) -> bool {
        self.spec(name).is_some_and(|spec| spec.constant.is_none() && spec.titles.is_empty())
    }

    /// A field's cell, when it holds more than a sign for "nothing here".
    #[must_use]
    pub fn cell(&self, name: &str, row: &Row) -> Option<Written> {
        self.written(name, row).filter(|written| !says_nothing(&written.text))
    }

    /// Sets a field. The column is `None` for a derived value.
    pub fn set(&mut self, name: &str, value: Value, column: Option<&Arc<str>>) {
        if let Some(at) = self.record.schema.index(name) {
            self.record.values[at] = Some(value);
            self.record.columns[at] = column.map(Arc::clone);
        }
    }

    /// Places an issue on a field: its cell when the source has the column, else the row.
    #[must_use]
    pub fn on(&self, issue: Issue, name: &str, row: &Row) -> Issue {
        let header = self.cell_plan(name).and_then(|plan| row.cell(&plan.column)).map(|cell| Arc::clone(cell.column));
        let place = header.as_ref().map_or_else(|| row.place.clone(), |header| row.place.column(&**header));
        let title = self.field(name).map_or(name, |field| &field.title);
        issue
            .with("kolom", header.as_deref().unwrap_or(title).to_owned())
            .on(format!("{}.{name}", self.plan.schema.dataset))
            .at(place)
    }

    /// Reports a problem with a field.
    pub fn report(&self, issue: Issue, name: &str, scene: &mut Scene<'_>) {
        scene.issues.push(self.on(issue, name, scene.row));
    }

    /// The exact number in a field.
    #[must_use]
    pub fn decimal(&self, name: &str) -> Option<Decimal> {
        match self.record.get(name) {
            Some(Value::Decimal(number)) => Some(*number),
            _ => None,
        }
    }

    /// Where the row stands, at a field's column when it came from one.
    #[must_use]
    pub fn place_of(&self, name: &str) -> Place {
        self.record.place_of(name)
    }
}

/// One part of a cell that holds as many parts as the fields that share it; a cell with another count yields nothing.
fn part_of(raw: &str, separators: &[String], part: usize, parts: usize) -> Option<String> {
    let text = tidy(raw);
    let lower = text.to_ascii_lowercase();
    let separator = separators.iter().find(|separator| lower.contains(separator.as_str()))?;
    let mut found = Vec::new();
    let mut start = 0;
    for (at, _) in lower.match_indices(separator.as_str()) {
        found.push(text.get(start..at)?);
        start = at + separator.len();
    }
    found.push(text.get(start..)?);
    let has_other = |one: &&str| separators.iter().any(|other| one.to_ascii_lowercase().contains(other.as_str()));
    if found.len() != parts || found.iter().any(has_other) {
        return None;
    }
    found.get(part.checked_sub(1)?).map(|one| tidy(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_with_two_things_is_parted_only_when_it_has_two() {
        let separators = ["/".to_owned(), " dan ".to_owned()];
        assert_eq!(part_of("001/ 002", &separators, 2, 2).as_deref(), Some("002"));
        assert_eq!(part_of("A DAN B", &separators, 1, 2).as_deref(), Some("A"));
        assert_eq!(part_of("A/B/C", &separators, 1, 2), None);
        assert_eq!(part_of("Mekar/003/005", &separators, 3, 3).as_deref(), Some("005"));
        assert_eq!(part_of("Mekar/003", &separators, 1, 3), None);
        assert_eq!(part_of("A", &separators, 1, 2), None);
    }
}
