//! Values that stand once, above the header: `Posyandu : Melati 1`.
//!
//! It must not take what is near for what is meant: a value stands behind the colon of its label or in the next
//! filled cell to the right, or it is missing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::source::cells::Cells;
use crate::source::encoding::undecodable;
use crate::source::layout::plain::behind_plain;
use crate::source::layout::plain_header;
use crate::source::profile::Table;
use crate::source::profile::field::{FieldSpec, SHEET_TITLE};
use crate::source::{CELL_BYTES_MAX, is_blank};

/// What the column of a value is called that is the name of its sheet.
const SHEET_COLUMN: &str = "sheet";

/// Plain name of a title → its label as it stands there, and its value.
pub type Titles = BTreeMap<String, (Arc<str>, String)>;

/// A title that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// A title the profile needs is not there.
    Missing(String),
    /// It stands there with two values.
    Twice(String),
}

/// The titles of a table among the rows above its header.
///
/// # Errors
/// The first title that is needed and missing, or that has two values.
pub fn of_table<'a>(
    table: &Table,
    sheet: Option<&str>,
    rows: impl Iterator<Item = &'a Cells> + Clone,
    known: &Titles,
) -> Result<Titles, Unusable> {
    let labels = labels(table);
    let mut titles = Titles::new();
    for spec in specs(table) {
        let name = plain_header(spec.name());
        if titles.contains_key(&name) {
            continue;
        }
        let mut found = None;
        for label in &spec.titles {
            let sheet = sheet.filter(|sheet| label == SHEET_TITLE && !is_blank(sheet));
            let mut values: Vec<(Arc<str>, String)> =
                rows.clone().flat_map(|cells| values_of(cells, &plain_header(label), &labels)).collect();
            values.extend(sheet.map(|sheet| (Arc::from(SHEET_COLUMN), sheet.trim().to_owned())));
            values.dedup_by(|one, other| plain_header(&one.1) == plain_header(&other.1));
            if values.len() > 1 {
                return Err(Unusable::Twice(spec.name().to_owned()));
            }
            found = found.or(values.pop());
        }
        match found.or_else(|| known.get(&name).cloned()) {
            Some(value) => {
                titles.insert(name, value);
            }
            None if is_needed(table, spec) => return Err(Unusable::Missing(spec.name().to_owned())),
            None => {}
        }
    }
    Ok(titles)
}

/// The titles of a row between the rows of a table: its first filled cell is a label with a colon behind it. A label
/// of another table of the profile tells this one nothing: it stands above another side of the same card.
pub fn of_row(tables: &[Table], own: usize, cells: &Cells) -> Option<Titles> {
    let table = tables.get(own)?;
    let first = cells.iter().find(|cell| !is_blank(cell)).filter(|first| first.contains([':', '=']))?;
    let begins = |labels: &[String]| labels.iter().any(|label| marked(first, label).is_some());
    let labels = labels(table);
    if !begins(&labels) {
        return tables.iter().any(|other| begins(&self::labels(other))).then(Titles::new);
    }
    let mut titles = Titles::new();
    for spec in specs(table) {
        let values = spec.titles.iter().flat_map(|label| values_of(cells, &plain_header(label), &labels));
        titles.extend(values.map(|value| (plain_header(spec.name()), value)));
    }
    (!titles.is_empty()).then_some(titles)
}

/// Whether a table has titles at all.
pub fn are_read(table: &Table) -> bool {
    specs(table).next().is_some()
}

fn specs(table: &Table) -> impl Iterator<Item = &FieldSpec> {
    table.datasets().flat_map(|(_, fields)| fields.values()).filter(|spec| !spec.titles.is_empty())
}

fn is_needed(table: &Table, spec: &FieldSpec) -> bool {
    specs(table).any(|other| other.name() == spec.name() && !other.optional)
}

fn labels(table: &Table) -> Vec<String> {
    specs(table)
        .flat_map(|spec| &spec.titles)
        .filter(|label| *label != SHEET_TITLE)
        .map(|title| plain_header(title))
        .collect()
}

/// What follows behind a label and its colon in the same cell.
fn marked<'a>(cell: &'a str, label: &str) -> Option<&'a str> {
    behind_plain(cell, label)?.trim_start_matches(char::is_whitespace).strip_prefix([':', '='])
}

/// Each value of a label in a row.
fn values_of(cells: &Cells, label: &str, labels: &[String]) -> Vec<(Arc<str>, String)> {
    let found = cells.iter().enumerate().filter_map(|(at, cell)| {
        let behind = behind_plain(cell, label)?;
        let shown = cell[..cell.len() - behind.len()].trim();
        let value = match marked(cell, label) {
            Some(value) if !is_blank(value) => value,
            Some(_) => beside(cells, at, labels)?,
            None if is_blank(behind) => beside(cells, at, labels)?,
            None => return None,
        };
        let usable = value.len() <= CELL_BYTES_MAX && undecodable(value).is_none();
        usable.then(|| (Arc::from(shown), value.trim().to_owned()))
    });
    found.collect()
}

/// The next filled cell to the right, unless it is a label itself.
fn beside<'a>(cells: &'a Cells, at: usize, labels: &[String]) -> Option<&'a str> {
    let right = (at + 1..cells.len()).filter_map(|at| cells.get(at));
    let value = right.map(|cell| cell.trim_start().trim_start_matches([':', '='])).find(|cell| !is_blank(cell))?;
    let before = value.split([':', '=']).next().filter(|before| before.len() < value.len());
    let is_label = before.is_some_and(|before| before.trim_end().ends_with(char::is_alphabetic));
    (!is_label && !labels.iter().any(|label| plain_header(value) == *label)).then_some(value)
}
