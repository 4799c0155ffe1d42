//! What a row's cells became: each cell beside the field it fills and the value that was read from it.
//!
//! It must not read anything anew: it pairs the cells of a row with what the reader made of them. Values about a
//! person are marked, and whoever shows them decides.

use super::reader::ORDER;
use super::schema::{Field, Schemas};
use super::words::{shown, tidy};
use super::{Record, RowOutcome, fingerprint};
use crate::issue::Severity;
use crate::redact::mask;
use crate::source::layout::plain_header;
use crate::source::profile::field::FieldSpec;
use crate::source::profile::{FieldSpecs, Profile};
use crate::source::{Cell, Row};

/// Digits in a row from which on a text may be the number of a person.
const NUMBER_DIGITS_MIN: usize = 9;

/// One cell and what became of it.
pub struct Pair {
    /// Header of the column or label of the title; `None` for what the profile or a rule says.
    pub column: Option<String>,
    /// Its text.
    pub raw: String,
    /// `dataset.field`.
    pub field: String,
    /// What was read; `None` when nothing could be.
    pub value: Option<String>,
    /// Unit of the value.
    pub unit: Option<String>,
    /// Both say something about a person.
    pub personal: bool,
}

impl Pair {
    /// The text of the cell for anybody. What nobody could read may be anything, so only what is short is shown.
    #[must_use]
    pub fn raw_masked(&self) -> String {
        if self.personal || has_long_number(&self.raw) {
            return mask(&self.raw);
        }
        if self.value.is_none() { shown(&self.raw) } else { self.raw.clone() }
    }

    /// The value for anybody.
    #[must_use]
    pub fn value_masked(&self) -> Option<String> {
        let hide = |value: &String| self.personal || has_long_number(value);
        self.value.as_ref().map(|value| if hide(value) { mask(value) } else { value.clone() })
    }
}

/// Whether a text holds so many digits in a row that they may be the number of a person.
#[must_use]
pub fn has_long_number(text: &str) -> bool {
    let mut run = 0;
    text.chars().any(|character| {
        // Spaces, dots and hyphens group the digits of a number.
        run = match character {
            _ if character.is_numeric() => run + 1,
            ' ' | '.' | '-' | '\u{a0}' | '\'' => run,
            _ => 0,
        };
        run >= NUMBER_DIGITS_MIN
    })
}

/// The cells of a row and what became of them, in reading order; empty cells that yield nothing are left out.
#[must_use]
pub fn of_row(profile: &Profile, schemas: &Schemas, row: &Row, outcome: &RowOutcome) -> Vec<Pair> {
    let Some(table) = profile.tables.get(row.table) else { return Vec::new() };
    let mut left: Vec<&Record> = outcome.records.iter().collect();
    let mut pairs = Vec::new();
    for dataset in ORDER {
        let Some(schema) = schemas.get(dataset) else { continue };
        for (_, specs) in table.datasets().filter(|(name, _)| *name == dataset) {
            let own = left.iter().position(|record| record.schema.dataset == dataset && fits(record, specs, row));
            let record = own.map(|at| left.remove(at));
            let values = record.map(fingerprint::canonical);
            for field in &schema.fields {
                let value = values.as_ref().and_then(|values| values.get(&field.name)).map(text_of);
                pairs.extend(pair(dataset, field, specs.get(&field.name), row, value));
            }
        }
    }
    pairs
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn pair(dataset: &str, field: &Field, spec: Option<&FieldSpec>, row: &Row, value: Option<String>) -> Option<Pair> {
    let cell = spec.and_then(|spec| cell(row, spec));
    let raw = cell.map(|cell| tidy(cell.raw)).unwrap_or_default();
    (!raw.is_empty() || value.is_some()).then(|| Pair {
        column: cell.map(|cell| cell.column.to_string()),
        raw,
        field: format!("{dataset}.{}", field.name),
        unit: field.unit.clone().filter(|_| value.is_some()),
        value,
        personal: field.personal || field.restricted,
    })
}

fn cell<'a>(row: &'a Row, spec: &FieldSpec) -> Option<Cell<'a>> {
    if spec.constant.is_some() { None } else { row.cell(&plain_header(spec.name())) }
}

/// Whether a record came from the columns of these fields.
fn fits(record: &Record, specs: &FieldSpecs, row: &Row) -> bool {
    record.schema.fields.iter().zip(&record.columns).all(|(field, column)| match (column, specs.get(&field.name)) {
        (Some(column), Some(spec)) => cell(row, spec).is_none_or(|cell| cell.column == column),
        _ => true,
    })
}

/// The word for how bad an issue is, as FHIR has it.
#[must_use]
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "information",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_noticed_also_when_grouped() {
        assert!(has_long_number("1099 0101 2020 0001") && has_long_number("NIK:1099.0101.2020.0001"));
        assert!(!has_long_number("18/11/2026") && !has_long_number("10.5") && !has_long_number("120/80"));
    }
}
