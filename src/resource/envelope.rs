//! What delivery must know of a visit besides its Bundle: whom to look up, and which cell each element came from.
//!
//! Kept sealed in the ledger beside the Bundle. It must not hold more than these two purposes need.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::PreparedResource;
use crate::issue::{Issue, Place};
use crate::mapping::visit::without_positions;

/// The person, the health worker and the cells of a visit. It is personal data: it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
pub struct Envelope {
    /// National identity number.
    pub nik: String,
    /// Name as recorded.
    pub name: String,
    /// Birth date.
    pub birth_date: Date,
    /// FHIR administrative gender.
    pub gender: String,
    /// The health worker in charge.
    pub practitioner: Practitioner,
    /// The mother's NIK, of a child without a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mother: Option<String>,
    /// Place among twins: 0 for a single birth; `None` when it is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_order: Option<u32>,
    /// How the person is registered if SATUSEHAT does not know them.
    #[serde(default)]
    pub registration: Registration,
    /// The row that a complaint about the whole visit points to.
    pub row: Place,
    /// Elements that came from a cell: position of the resource, FHIR path, the cell.
    pub cells: Vec<(usize, String, Place)>,
}

/// The health worker in charge of a posyandu.
#[derive(Clone, Serialize, Deserialize)]
pub enum Practitioner {
    /// Known by IHS number.
    Known(String),
    /// To be looked up by NIK.
    ByNik(String),
}

/// How a person is registered whom SATUSEHAT does not know.
#[derive(Clone, Default, Serialize, Deserialize)]
pub enum Registration {
    /// The puskesmas leaves it to somebody else.
    #[default]
    Off,
    /// With this Patient.
    Possible(Box<NewPatient>),
    /// Not, and why not.
    Impossible(Vec<Issue>),
}

/// A Patient to be created.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewPatient {
    /// The resource.
    pub json: String,
    /// Elements that came from a cell: FHIR path, the cell.
    pub cells: Vec<(String, Place)>,
}

impl NewPatient {
    /// The cell behind a server's `expression`; `None` when none of its cells is meant.
    #[must_use]
    pub fn cell(&self, expression: &str) -> Option<&Place> {
        nearest(self.cells.iter().map(|(path, place)| (path.as_str(), place)), expression, false)
    }
}

/// The part of an [`Envelope`] that every sending needs; the cells are read only when there is a complaint.
#[derive(Deserialize)]
pub struct Whom {
    /// National identity number.
    pub nik: String,
    /// Name as recorded.
    pub name: String,
    /// Birth date.
    pub birth_date: Date,
    /// FHIR administrative gender.
    pub gender: String,
    /// The health worker in charge.
    pub practitioner: Practitioner,
    /// The mother's NIK, of a child without a number of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mother: Option<String>,
    /// Place among twins: 0 for a single birth; `None` when it is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_order: Option<u32>,
    /// How the person is registered if SATUSEHAT does not know them.
    #[serde(default)]
    pub registration: Registration,
}

impl Whom {
    /// What a person's keyed hash is made of: the same person gives the same parts.
    #[must_use]
    pub fn key_parts(&self) -> [String; 5] {
        let order = self.birth_order.map(|order| order.to_string()).unwrap_or_default();
        let mother = self.mother.clone().unwrap_or_default();
        [self.nik.clone(), self.name.clone(), self.birth_date.to_string(), mother, order]
    }
}

impl Envelope {
    /// Collects the cells of all resources.
    #[must_use]
    pub fn cells_of(resources: &[PreparedResource]) -> Vec<(usize, String, Place)> {
        let of = |(position, resource): (usize, &PreparedResource)| {
            resource.lineage.iter().map(|(path, place)| (position, path.clone(), place.clone())).collect::<Vec<_>>()
        };
        resources.iter().enumerate().flat_map(of).collect()
    }

    /// The cell behind a server's `expression`, which may start with `Bundle.entry[n].resource` and differs in case.
    #[must_use]
    pub fn cell(&self, expression: &str) -> &Place {
        let (entry, path) = split(expression);
        let candidates = self.cells.iter().filter(|(position, _, _)| entry.is_none_or(|entry| entry == *position));
        nearest(candidates.map(|(_, path, place)| (path.as_str(), place)), path, entry.is_some()).unwrap_or(&self.row)
    }
}

/// The cell whose path is nearest to a path, above or below it.
fn nearest<'a>(cells: impl Iterator<Item = (&'a str, &'a Place)>, path: &str, below: bool) -> Option<&'a Place> {
    let wanted = plain(path);
    let distance = |known: &str| {
        let known = plain(known);
        let apart = |known: &str| {
            (known.starts_with(&wanted) || wanted.starts_with(known)).then(|| known.len().abs_diff(wanted.len()))
        };
        // Below an entry the type may be left out: `Bundle.entry[2].resource.status`.
        apart(&known).or_else(|| known.split_once('.').filter(|_| below).and_then(|(_, rest)| apart(rest)))
    };
    let near = cells.filter_map(|(path, place)| distance(path).map(|distance| (distance, place)));
    near.min_by_key(|(distance, _)| *distance).map(|(_, place)| place)
}

/// Entry number and the path below it: `Bundle.entry[2].resource.observation.issued` → (2, `observation.issued`).
fn split(expression: &str) -> (Option<usize>, &str) {
    let Some(rest) = expression.strip_prefix("Bundle.entry[") else { return (None, expression) };
    let Some((number, rest)) = rest.split_once(']') else { return (None, expression) };
    (number.parse().ok(), rest.trim_start_matches(".resource").trim_start_matches('.'))
}

/// Lower case, without list positions.
fn plain(path: &str) -> String {
    without_positions(path).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_finds_the_nearest_cell_of_its_entry() {
        let place = |column: &str| Place { file: "a.csv".into(), row: "7".into(), ..Place::default() }.column(column);
        let envelope = Envelope {
            nik: String::new(),
            name: String::new(),
            birth_date: Date::constant(2025, 1, 1),
            gender: String::new(),
            practitioner: Practitioner::Known("1".into()),
            mother: None,
            birth_order: None,
            registration: Registration::Off,
            row: Place { file: "a.csv".into(), row: "7".into(), ..Place::default() },
            cells: vec![
                (0, "Encounter.period.start".into(), place("Tgl")),
                (1, "Observation.valueQuantity.value".into(), place("BB")),
            ],
        };
        let found = envelope.cell("Bundle.entry[1].resource.observation.valueQuantity");
        assert_eq!(found.column.as_deref(), Some("BB"));
        assert_eq!(envelope.cell("Bundle.entry[1].resource.valueQuantity").column.as_deref(), Some("BB"));
        assert_eq!(envelope.cell("Encounter.period.start").column.as_deref(), Some("Tgl"));
        assert_eq!(envelope.cell("Encounter.class").column, None);
    }
}
