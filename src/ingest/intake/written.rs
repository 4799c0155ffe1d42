//! One sent record, taken apart: JSON → id and the cells of a row, with an issue for each thing that is not as it
//! must be.
//!
//! It must not judge values; the reader does, by the rules of every source. Numbers keep the digits they were
//! written with, and a member that stands twice is never decided by its position.

use std::collections::BTreeSet;
use std::fmt;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{Dataset, ELEMENTS_MAX, Fields, is_derived};
use crate::issue::{Code, Issue, Place};
use crate::mapping::problem::nearest;
use crate::record::schema::Kind;
use crate::record::words::{says_nothing, shown};
use crate::source::CELL_BYTES_MAX;

/// Longest id of a record, in characters.
pub const ID_LENGTH_MAX: usize = 64;
/// What an id is made of, as OpenAPI says it.
pub const ID_PATTERN: &str = "^[A-Za-z0-9._:-]{1,64}$";
/// Problems of its JSON that are named of one record, at most: each is stored.
pub const FOUND_MAX: usize = 50;
/// Digits of a NIK: an id is shown in reports, so it must not hold one.
const NIK_DIGITS: usize = 16;

/// A problem and where in the record it stands.
#[derive(Clone, Debug)]
pub struct Found {
    /// The problem.
    pub issue: Issue,
    /// JSON pointer into the record; empty for the whole record.
    pub pointer: String,
}

/// A record as far as its JSON tells.
#[derive(Default)]
pub struct Written {
    /// The sender's key, when there is a usable one.
    pub id: Option<String>,
    /// The sender takes the record back.
    pub withdrawn: bool,
    /// The texts of the cells, one for each column.
    pub cells: Vec<String>,
    /// What is wrong with the JSON.
    pub found: Vec<Found>,
    /// Further problems that were only counted.
    pub more: usize,
    /// Datasets that were sent as a list.
    pub lists: BTreeSet<String>,
    /// Columns whose value could not be taken over: what the reader says about them would be a second complaint.
    pub spoilt: BTreeSet<usize>,
    /// It is no JSON at all.
    pub is_broken: bool,
}

/// The members of an object in the order in which they stand, also those that stand twice.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reading;
        impl<'de> Visitor<'de> for Reading {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reading)
    }
}

/// Takes a record apart.
#[must_use]
pub fn read(fields: &Fields, text: &[u8], source: &Place) -> Written {
    let mut reading = Reading { fields, place: source.clone(), out: Written::default() };
    reading.out.cells = vec![String::new(); fields.headers.len()];
    match std::str::from_utf8(text).ok().and_then(|text| serde_json::from_str::<&RawValue>(text).ok()) {
        None => {
            reading.out.is_broken = true;
            reading.report(Issue::error(Code::Structure, "intake.json"), String::new());
        }
        Some(value) => match members(value) {
            Some(members) => reading.record(&members),
            None => reading.report(Issue::error(Code::Structure, "intake.not_object"), String::new()),
        },
    }
    reading.out
}

fn members(value: &RawValue) -> Option<Members<'_>> {
    serde_json::from_str(value.get()).ok()
}

struct Reading<'a> {
    fields: &'a Fields,
    place: Place,
    out: Written,
}

impl Reading<'_> {
    fn report(&mut self, issue: Issue, pointer: String) {
        let place = self.place.clone();
        self.keep(issue.at(place), pointer);
    }

    fn keep(&mut self, issue: Issue, pointer: String) {
        if self.is_full() {
            self.out.more += 1;
        } else {
            self.out.found.push(Found { issue, pointer });
        }
    }

    fn is_full(&self) -> bool {
        self.out.found.len() >= FOUND_MAX
    }

    fn record(&mut self, members: &Members<'_>) {
        self.id(members);
        let mut seen = BTreeSet::new();
        let mut has_content = false;
        for (name, value) in &members.0 {
            let pointer = below("", name);
            if !seen.insert(name.as_str()) {
                self.report(Issue::error(Code::Duplicate, "intake.twice").with("nama", shown(name)), pointer);
                continue;
            }
            match (name.as_str(), self.fields.datasets.get(name)) {
                ("id", _) => {}
                ("withdrawn", _) => match value.get() {
                    "true" => self.out.withdrawn = true,
                    "false" | "null" => {}
                    _ => self.wrong_type("withdrawn", "boolean", pointer),
                },
                (_, Some(dataset)) if value.get() != "null" => {
                    has_content = true;
                    self.dataset(dataset, value, &pointer);
                }
                (_, Some(_)) => {}
                (_, None) => {
                    let known = self.fields.datasets.keys().map(String::as_str);
                    self.unknown(name, known.chain(["id", "withdrawn"]), pointer);
                }
            }
        }
        if self.out.withdrawn && has_content {
            self.report(Issue::error(Code::Conflict, "intake.withdrawn_content"), "/withdrawn".to_owned());
        }
    }

    fn id(&mut self, members: &Members<'_>) {
        let pointer = "/id".to_owned();
        let Some((_, value)) = members.0.iter().find(|(name, _)| name == "id") else {
            return self.report(Issue::error(Code::Required, "intake.id_missing"), pointer);
        };
        let Ok(id) = serde_json::from_str::<String>(value.get()) else {
            return self.wrong_type("id", "string", pointer);
        };
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        if id.is_empty() || id.len() > ID_LENGTH_MAX || !id.bytes().all(allowed) {
            let issue = Issue::error(Code::Value, "intake.id_form").with("batas", ID_LENGTH_MAX);
            return self.report(issue, pointer);
        }
        if id.split(|letter: char| !letter.is_ascii_digit()).any(|run| run.len() == NIK_DIGITS) {
            return self.report(Issue::error(Code::Value, "intake.id_nik"), pointer);
        }
        self.place.row.clone_from(&id);
        self.out.id = Some(id);
    }

    fn dataset(&mut self, dataset: &Dataset, value: &RawValue, pointer: &str) {
        let name = dataset.schema.dataset.as_str();
        if value.get().starts_with('[') && dataset.is_list() {
            let Ok(elements) = serde_json::from_str::<Vec<&RawValue>>(value.get()) else { return };
            if elements.len() > ELEMENTS_MAX {
                let issue = Issue::error(Code::Structure, "intake.several").with("kolom", name);
                return self.report(issue.with("batas", ELEMENTS_MAX).on(name), pointer.to_owned());
            }
            self.out.lists.insert(name.to_owned());
            for (at, element) in elements.iter().enumerate() {
                self.object(dataset, element, &format!("{pointer}/{at}"));
            }
            return;
        }
        self.object(dataset, value, pointer);
    }

    fn object(&mut self, dataset: &Dataset, value: &RawValue, pointer: &str) {
        let name = dataset.schema.dataset.as_str();
        let Some(members) = members(value) else { return self.wrong_type(name, "object", pointer.to_owned()) };
        let mut seen = BTreeSet::new();
        for (field, value) in &members.0 {
            let at = below(pointer, field);
            let Some(column) = dataset.columns.get(field).copied() else {
                if is_derived(field) && dataset.schema.index(field).is_some() {
                    let issue = Issue::error(Code::BusinessRule, "intake.derived");
                    self.report(issue.with("kolom", format!("{name}.{field}")), at);
                } else {
                    self.unknown(field, dataset.columns.keys().map(String::as_str), at);
                }
                continue;
            };
            if !seen.insert(field.as_str()) {
                self.out.spoilt.insert(column);
                self.on_column(Issue::error(Code::Duplicate, "intake.twice").with("nama", field), column, at);
                continue;
            }
            self.field(dataset, field, column, value, at);
        }
        let missing = dataset.marker.as_ref().and_then(|marker| Some((marker, *dataset.columns.get(marker)?)));
        if let Some((marker, column)) = missing
            && says_nothing(self.out.cells[column].trim())
            && !self.out.spoilt.contains(&column)
        {
            let rule = if marker == "tanggal" { "date.missing" } else { "field.missing" };
            self.out.spoilt.insert(column);
            self.on_column(Issue::error(Code::Required, rule), column, below(pointer, marker));
        }
    }

    fn field(&mut self, dataset: &Dataset, field: &str, column: usize, value: &RawValue, at: String) {
        let schema = &dataset.schema;
        let Some(kind) = schema.index(field).and_then(|at| schema.fields.get(at)).map(|field| &field.kind) else {
            return;
        };
        match cell(kind, value.get()) {
            Ok(text) if text.len() <= CELL_BYTES_MAX => self.out.cells[column] = text,
            Ok(_) => {
                self.out.spoilt.insert(column);
                let issue = Issue::error(Code::Structure, "intake.long").with("batas", CELL_BYTES_MAX);
                self.on_column(issue, column, at);
            }
            Err(()) => {
                self.out.spoilt.insert(column);
                let issue = Issue::error(Code::Structure, "intake.type").with("harus", json_type(kind));
                self.on_column(issue, column, at);
            }
        }
    }

    fn on_column(&mut self, issue: Issue, column: usize, pointer: String) {
        let header = self.fields.headers.get(column).cloned().unwrap_or_default();
        let place = self.place.column(&*header);
        self.keep(issue.with("kolom", &header).on(header).at(place), pointer);
    }

    fn wrong_type(&mut self, name: &str, expected: &'static str, pointer: String) {
        let issue = Issue::error(Code::Structure, "intake.type").with("harus", expected).with("kolom", name);
        self.report(issue, pointer);
    }

    /// The name of an unknown member is shown to its sender by the pointer alone: it is stored only if it is short.
    fn unknown<'n>(&mut self, name: &str, known: impl Iterator<Item = &'n str>, pointer: String) {
        // Looking for a similar name costs time, which a record of nothing but wrong names must not get.
        let near = if self.is_full() { None } else { nearest(name, known) };
        let near = near.and_then(|text| text.split('`').nth(1).map(str::to_owned));
        let issue = match near {
            Some(near) => Issue::error(Code::Structure, "intake.unknown_near").with("mirip", near),
            None => Issue::error(Code::Structure, "intake.unknown"),
        };
        self.report(issue.with("nama", shown(name)), pointer);
    }
}

/// A JSON pointer one step further down (RFC 6901).
fn below(pointer: &str, name: &str) -> String {
    format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The JSON type of a field.
fn json_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Code(_) | Kind::Date | Kind::Time => "string",
        Kind::Integer => "integer",
        Kind::Decimal => "number",
        Kind::Boolean => "boolean",
    }
}

/// A value as the text of a cell; `null` is an empty one. `Err` when the schema wants another type.
fn cell(kind: &Kind, json: &str) -> Result<String, ()> {
    let is_text = matches!(kind, Kind::Text | Kind::Code(_) | Kind::Date | Kind::Time);
    match json.as_bytes().first() {
        Some(b'n') => Ok(String::new()),
        Some(b'"') if is_text => serde_json::from_str(json).map_err(drop),
        Some(b't' | b'f') if *kind == Kind::Boolean => Ok(json.to_owned()),
        Some(b'-' | b'0'..=b'9') if *kind == Kind::Decimal => Ok(number(json).map_or(json.to_owned(), plain)),
        Some(b'-' | b'0'..=b'9') if *kind == Kind::Integer => {
            number(json).filter(Decimal::is_integer).map(|whole| plain(whole.normalize())).ok_or(())
        }
        _ => Err(()),
    }
}

fn number(json: &str) -> Option<Decimal> {
    if json.contains(['e', 'E']) { Decimal::from_scientific(json).ok() } else { Decimal::from_str_exact(json).ok() }
}

fn plain(number: Decimal) -> String {
    number.to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::record::schema::Schemas;

    fn rules(text: &str) -> Vec<(String, String)> {
        let fields = Fields::of(&Schemas::built_in().unwrap());
        let written = read(&fields, text.as_bytes(), &Place::default());
        written.found.into_iter().map(|found| (found.issue.rule.into_owned(), found.pointer)).collect()
    }

    fn only(text: &str) -> (String, String) {
        let found = rules(text);
        assert_eq!(found.len(), 1, "{found:?}");
        found[0].clone()
    }

    #[test]
    fn numbers_keep_their_digits() {
        assert_eq!(cell(&Kind::Decimal, "8.40").as_deref(), Ok("8.40"));
        assert_eq!(cell(&Kind::Decimal, "1.2e1").as_deref(), Ok("12"));
        assert_eq!(cell(&Kind::Integer, "2.0").as_deref(), Ok("2"));
        assert_eq!(cell(&Kind::Integer, "2.5"), Err(()));
        assert_eq!(cell(&Kind::Decimal, "\"8.4\""), Err(()));
        assert_eq!(cell(&Kind::Text, "null").as_deref(), Ok(""));
        assert_eq!(cell(&Kind::Decimal, "1e999").as_deref(), Ok("1e999"));
    }

    #[test]
    fn each_slip_of_the_sender_is_named_with_its_place() {
        for (text, rule, pointer) in [
            ("[1]", "intake.not_object", ""),
            ("7", "intake.not_object", ""),
            ("{\"id\": }", "intake.json", ""),
            ("{}", "intake.id_missing", "/id"),
            (r#"{"id": 7}"#, "intake.type", "/id"),
            (r#"{"id": ""}"#, "intake.id_form", "/id"),
            (r#"{"id": "a b"}"#, "intake.id_form", "/id"),
            (r#"{"id": "anak-1001014512230001"}"#, "intake.id_nik", "/id"),
            (r#"{"id": "a", "id": "b"}"#, "intake.twice", "/id"),
            (r#"{"id": "a", "kunjungan": {}}"#, "intake.unknown_near", "/kunjungan"),
            (r#"{"id": "a", "x/y~z": {}}"#, "intake.unknown", "/x~1y~0z"),
            (r#"{"id": "a", "sasaran": 7}"#, "intake.type", "/sasaran"),
            (r#"{"id": "a", "sasaran": {"nama": 7}}"#, "intake.type", "/sasaran/nama"),
            (r#"{"id": "a", "sasaran": {"nama": "\ud800"}}"#, "intake.type", "/sasaran/nama"),
            (r#"{"id": "a", "sasaran": {"rt": "1", "rt": "2"}}"#, "intake.twice", "/sasaran/rt"),
            (r#"{"id": "a", "sasaran": {"status_nik": "asli"}}"#, "intake.derived", "/sasaran/status_nik"),
            (r#"{"id": "a", "kunjungan_balita": {}}"#, "date.missing", "/kunjungan_balita/tanggal"),
            (r#"{"id": "a", "imunisasi": [{"dosis_ke": 1}]}"#, "field.missing", "/imunisasi/0/antigen"),
            (r#"{"id": "a", "imunisasi": [{}, {}]}"#, "intake.several", "/imunisasi"),
            (r#"{"id": "a", "withdrawn": 1}"#, "intake.type", "/withdrawn"),
            (r#"{"id": "a", "withdrawn": true, "sasaran": {}}"#, "intake.withdrawn_content", "/withdrawn"),
        ] {
            assert_eq!(only(text), (rule.to_owned(), pointer.to_owned()), "{text}");
        }
        let long = format!(r#"{{"id": "a", "sasaran": {{"alamat": "{}"}}}}"#, "x".repeat(CELL_BYTES_MAX + 1));
        assert_eq!(only(&long).0, "intake.long");
        assert_eq!(rules(r#"{"id": "a", "imunisasi": [], "sasaran": null, "withdrawn": false}"#), []);
    }
}
