//! A record being filled from one row: each value with its column, each problem with its cell.
//!
//! It must not know what a dataset means; it reads single cells by the format their profile declares.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::date::{self, DateRead};
use super::nik::{self, NikRead};
use super::schema::{Field, Schema};
use super::words::{by_word, fold, is_baby_of, phone, says_nothing, shown, tidy};
use super::{Record, Value, number};
use crate::issue::{Code, Issue, Place};
use crate::redact::mask;
use crate::source::Row;
use crate::source::layout::plain_header;
use crate::source::profile::field::{FieldSpec, Format};
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
                codes: by_word(&spec.words),
                spec: spec.clone(),
            })
        });
        Ok(Self { schema: Arc::clone(schema), cells: cells.collect(), only_with })
    }
}

/// A cell's text, tidied, and its header.
#[derive(Clone)]
pub struct Written {
    /// Header as in the file.
    pub column: Arc<str>,
    /// Tidied text; never a sign for "nothing here".
    pub text: String,
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
        let cell = row.cell(&plan.column)?;
        let text = match plan.spec.part {
            Some(part) => part_of(cell.raw, &plan.spec.split, part)?,
            None => tidy(cell.raw),
        };
        (!text.is_empty()).then(|| Written { column: Arc::clone(cell.column), text })
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

    /// Reads a field by the format its profile declares, for the formats that need no other field.
    pub fn read(&mut self, name: &str, scene: &mut Scene<'_>) {
        let (Some(spec), Some(field), Some(cell)) = (self.spec(name), self.field(name), self.cell(name, scene.row))
        else {
            return;
        };
        let value = match spec.format {
            Format::Text => Some(Value::Text(cell.text.clone())),
            Format::Name => (!is_baby_of(&cell.text) || name == "nama").then(|| Value::Text(cell.text.clone())),
            Format::Phone => Some(Value::Text(phone(&cell.text))).filter(|value| *value != Value::Text(String::new())),
            Format::Nik => self.related_nik(name, &cell, scene),
            Format::Date => self.date(name, &cell, scene),
            Format::Time => date::time(&cell.text).map(Value::Time).or_else(|| {
                self.report(Issue::error(Code::Value, "time.unreadable").with("nilai", shown(&cell.text)), name, scene);
                None
            }),
            Format::Computed => self.computed(name, &cell, scene),
            Format::Words | Format::Flag => self.code(name, spec, field, &cell, scene),
            Format::Number | Format::Capsules | Format::Age | Format::Vaccine | Format::Dose | Format::Reason => None,
        };
        if let Some(value) = value {
            self.set(name, value, Some(&cell.column));
        }
    }

    fn code(
        &self,
        name: &str,
        spec: &FieldSpec,
        field: &Field,
        cell: &Written,
        scene: &mut Scene<'_>,
    ) -> Option<Value> {
        let found = self.cell_plan(name).and_then(|plan| plan.codes.get(&fold(&cell.text)));
        if let Some(code) = found {
            return Some(if spec.format == Format::Flag {
                Value::Boolean(code == "true")
            } else {
                Value::Text(code.clone())
            });
        }
        let issue = match name {
            "jenis_kelamin" => Issue::error(Code::CodeInvalid, "sex.unknown"),
            "nt" => Issue::warning(Code::CodeInvalid, "nt.unknown"),
            _ => Issue::error(Code::CodeInvalid, "words.unknown"),
        };
        let value = if field.personal { mask(&cell.text) } else { shown(&cell.text) };
        self.report(issue.with("nilai", value), name, scene);
        None
    }

    fn computed(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let found = number::computed(&cell.text, scene.profile.decimal).map(Value::Decimal);
        if found.is_none() {
            self.report(
                Issue::information(Code::Value, "z_score.unreadable").with("nilai", shown(&cell.text)),
                name,
                scene,
            );
        }
        found
    }

    /// A date; a birth date has rules of its own and is never shown.
    fn date(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let personal = self.field(name).is_some_and(|field| field.personal);
        let rule = match date::read(&cell.text, &scene.profile.dates) {
            DateRead::Date(date) => return Some(Value::Date(date)),
            DateRead::Ambiguous => "date.ambiguous",
            DateRead::Unreadable if personal => "birth_date.unreadable",
            DateRead::Unreadable => "date.unreadable",
        };
        self.report(Issue::error(Code::Value, rule), name, scene);
        None
    }

    /// The number of a mother or health worker: helpful, but nothing depends on it, so a damaged one is dropped.
    fn related_nik(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        match nik::read(&cell.text) {
            NikRead::Number { digits, .. } => Some(Value::Text(digits)),
            NikRead::Absent => None,
            _ => {
                self.report(Issue::warning(Code::Value, "nik.related_unusable"), name, scene);
                None
            }
        }
    }

    /// The number in a field.
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

/// One part of a cell that holds as many parts as its separators promise; a cell with another count yields nothing.
fn part_of(raw: &str, separators: &[String], part: usize) -> Option<String> {
    let text = tidy(raw);
    let lower = text.to_ascii_lowercase();
    let separator = separators.iter().find(|separator| lower.contains(separator.as_str()))?;
    let at = lower.find(separator.as_str())?;
    let (first, second) = (text.get(..at)?, text.get(at + separator.len()..)?);
    if separators.iter().any(|separator| second.to_ascii_lowercase().contains(separator.as_str())) {
        return None;
    }
    match part {
        1 => Some(tidy(first)),
        2 => Some(tidy(second)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_with_two_things_is_parted_only_when_it_has_two() {
        let separators = ["/".to_owned(), " dan ".to_owned()];
        assert_eq!(part_of("001/ 002", &separators, 2).as_deref(), Some("002"));
        assert_eq!(part_of("A DAN B", &separators, 1).as_deref(), Some("A"));
        assert_eq!(part_of("A/B/C", &separators, 1), None);
        assert_eq!(part_of("A", &separators, 1), None);
    }
}
