//! The schema of a dataset: which fields a record has, their kinds, units and ranges.
//!
//! It must not read rows. The schemas are JSON Schema 2020-12, so that any other tool can check a record too; what
//! JSON Schema has no word for stands under `x-`.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value as Json;

/// The schemas that travel with the program, one file per dataset.
#[derive(rust_embed::RustEmbed)]
#[folder = "schemas/record"]
struct BuiltIn;

/// What kind of value a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free text.
    Text,
    /// A whole number.
    Integer,
    /// An exact decimal number.
    Decimal,
    /// Yes or no.
    Boolean,
    /// A calendar date.
    Date,
    /// A time of day.
    Time,
    /// One of the listed codes (JSON Schema `enum`).
    Code(Vec<String>),
}

/// A closed range of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Least value.
    pub minimum: Decimal,
    /// Greatest value.
    pub maximum: Decimal,
}

impl Range {
    /// Whether the value lies inside.
    #[must_use]
    pub fn holds(&self, value: Decimal) -> bool {
        self.minimum <= value && value <= self.maximum
    }
}

/// One field of a dataset.
#[derive(Clone, Debug)]
pub struct Field {
    /// Name, Indonesian snake_case.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// A record without it is not valid.
    pub required: bool,
    /// It says something about a person and is never shown.
    pub personal: bool,
    /// Few may see it even inside the office (SRQ-20 item 17, HEEADSSS); later stages must honour it.
    pub restricted: bool,
    /// What the card's writer judged. An unknown word is not used and holds nothing back.
    pub judgement: bool,
    /// Codes of a list in one text, in the order in which they are kept.
    pub listed: Vec<String>,
    /// Age from which it is measured, in completed months.
    pub from_month: Option<i64>,
    /// Unit of measure, such as `kg`.
    pub unit: Option<String>,
    /// Outside it the row waits for a person.
    pub hard: Option<Range>,
    /// Tighter hard range up to an age in completed months.
    pub hard_until_month: Option<(i64, Range)>,
    /// Outside it the value is flagged.
    pub soft: Option<Range>,
    /// Name for people, Indonesian.
    pub title: String,
}

impl Field {
    /// The hard range that holds at an age in completed months.
    #[must_use]
    pub fn hard_at(&self, months: Option<i64>) -> Option<Range> {
        match (self.hard_until_month, months) {
            (Some((until, range)), Some(months)) if months <= until => Some(range),
            _ => self.hard,
        }
    }
}

/// A dataset's schema.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Name of the dataset.
    pub dataset: String,
    /// The fields, in the order of the schema file.
    pub fields: Vec<Field>,
    /// Positions of the fields in the order of their names: the canonical order.
    pub by_name: Vec<usize>,
    /// The JSON Schema itself, for who describes records to others.
    pub document: Json,
    validator: jsonschema::Validator,
}

/// Why a schema is refused.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON, or lacks `properties`.
    #[error("schema of `{dataset}` cannot be read")]
    Text {
        /// Dataset.
        dataset: String,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// It is no valid JSON Schema, or a field says something impossible.
    #[error("schema of `{dataset}` is not usable: {reason}")]
    Meaning {
        /// Dataset.
        dataset: String,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Written {
    #[serde(default)]
    required: Vec<String>,
    properties: serde_json::Map<String, Json>,
}

#[derive(Deserialize)]
struct WrittenField {
    #[serde(default)]
    title: String,
    #[serde(rename = "type")]
    json_type: String,
    format: Option<String>,
    #[serde(rename = "enum")]
    codes: Option<Vec<String>>,
    minimum: Option<Json>,
    maximum: Option<Json>,
    #[serde(rename = "x-unit")]
    unit: Option<String>,
    #[serde(rename = "x-personal", default)]
    personal: bool,
    #[serde(rename = "x-restricted", default)]
    restricted: bool,
    #[serde(rename = "x-judgement", default)]
    judgement: bool,
    #[serde(rename = "x-codes", default)]
    listed: Vec<String>,
    #[serde(rename = "x-from-month")]
    from_month: Option<i64>,
    #[serde(rename = "x-time", default)]
    time: bool,
    #[serde(rename = "x-soft")]
    soft: Option<WrittenRange>,
    #[serde(rename = "x-hard-by-age", default)]
    by_age: Vec<WrittenRange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRange {
    #[serde(rename = "untilMonth")]
    until_month: Option<i64>,
    minimum: Json,
    maximum: Json,
}

impl Schema {
    /// Reads a schema and compiles its validator.
    ///
    /// # Errors
    /// [`SchemaError`] when the text is no usable schema.
    pub fn parse(dataset: &str, text: &str) -> Result<Self, SchemaError> {
        let failed = |source| SchemaError::Text { dataset: dataset.to_owned(), source };
        let meaning = |reason: String| SchemaError::Meaning { dataset: dataset.to_owned(), reason };
        let whole: Json = serde_json::from_str(text).map_err(failed)?;
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&whole)
            .map_err(|error| meaning(error.to_string()))?;
        let written = Written::deserialize(&whole).map_err(failed)?;
        let mut fields = Vec::with_capacity(written.properties.len());
        for (name, field) in written.properties {
            let field = WrittenField::deserialize(&field).map_err(failed)?;
            let kind = kind_of(&field).ok_or_else(|| meaning(format!("field `{name}` has no known type")))?;
            let hard = range_of(field.minimum.as_ref(), field.maximum.as_ref());
            let aged = field.by_age.first().and_then(|aged| aged.until_month.zip(aged.range()));
            fields.push(Field {
                required: written.required.contains(&name),
                kind,
                personal: field.personal,
                restricted: field.restricted,
                judgement: field.judgement,
                listed: field.listed,
                from_month: field.from_month,
                unit: field.unit.filter(|unit| !unit.is_empty()),
                hard,
                hard_until_month: aged,
                soft: field.soft.and_then(|soft| soft.range()),
                title: if field.title.is_empty() { name.clone() } else { field.title },
                name,
            });
        }
        if let Some(lost) = written.required.iter().find(|name| !fields.iter().any(|field| field.name == **name)) {
            return Err(meaning(format!("required field `{lost}` is not described")));
        }
        let mut by_name: Vec<usize> = (0..fields.len()).collect();
        by_name.sort_by(|one, other| fields[*one].name.cmp(&fields[*other].name));
        Ok(Self { dataset: dataset.to_owned(), fields, by_name, document: whole, validator })
    }

    /// Position of a field.
    #[must_use]
    pub fn index(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|known| known.name == field)
    }

    /// What the JSON Schema finds wrong with a record: the field, and whether the value is missing.
    #[must_use]
    pub fn violations(&self, record: &Json) -> Vec<Violation> {
        if self.validator.is_valid(record) {
            return Vec::new();
        }
        let errors = self.validator.iter_errors(record);
        errors
            .map(|error| match error.kind() {
                jsonschema::error::ValidationErrorKind::Required { property } => {
                    Violation { field: property.as_str().unwrap_or_default().to_owned(), missing: true }
                }
                _ => {
                    let path = error.instance_path().to_string();
                    Violation { field: path.trim_start_matches('/').to_owned(), missing: false }
                }
            })
            .collect()
    }
}

/// One thing that the JSON Schema finds wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field; empty when the whole record is meant.
    pub field: String,
    /// The field is missing; otherwise its value is not allowed.
    pub missing: bool,
}

impl WrittenRange {
    fn range(&self) -> Option<Range> {
        range_of(Some(&self.minimum), Some(&self.maximum))
    }
}

fn kind_of(field: &WrittenField) -> Option<Kind> {
    Some(match (field.json_type.as_str(), field.format.as_deref(), &field.codes) {
        ("string", _, Some(codes)) => Kind::Code(codes.clone()),
        ("string", Some("date"), None) => Kind::Date,
        ("string", _, None) if field.time => Kind::Time,
        ("string", _, None) => Kind::Text,
        ("integer", _, _) => Kind::Integer,
        ("number", _, _) => Kind::Decimal,
        ("boolean", _, _) => Kind::Boolean,
        _ => return None,
    })
}

fn range_of(minimum: Option<&Json>, maximum: Option<&Json>) -> Option<Range> {
    let number = |value: &Json| value.to_string().parse::<Decimal>().ok();
    Some(Range { minimum: number(minimum?)?, maximum: number(maximum?)? })
}

/// The schemas by dataset.
#[derive(Clone, Debug, Default)]
pub struct Schemas(pub BTreeMap<String, Arc<Schema>>);

impl Schemas {
    /// The schemas that travel with the program.
    ///
    /// # Errors
    /// [`SchemaError`] names the dataset whose schema is not usable.
    pub fn built_in() -> Result<Self, SchemaError> {
        let mut schemas = BTreeMap::new();
        for file in <BuiltIn as rust_embed::RustEmbed>::iter() {
            let dataset = file.trim_end_matches(".json").to_owned();
            let content = <BuiltIn as rust_embed::RustEmbed>::get(&file).map(|file| file.data).unwrap_or_default();
            let schema = Schema::parse(&dataset, &String::from_utf8_lossy(&content))?;
            schemas.insert(dataset, Arc::new(schema));
        }
        Ok(Self(schemas))
    }

    /// The schema of a dataset.
    #[must_use]
    pub fn get(&self, dataset: &str) -> Option<&Arc<Schema>> {
        self.0.get(dataset)
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_schemas_are_usable_and_titled() {
        let schemas = Schemas::built_in().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(schemas.0.len(), 18, "{:?}", schemas.0.keys());
        for schema in schemas.0.values() {
            assert!(schema.fields.iter().all(|field| field.title != field.name), "{}", schema.dataset);
        }
        let visit = schemas.get("kunjungan_balita").map(Arc::clone).unwrap_or_else(|| panic!("no schema"));
        let weight = &visit.fields[visit.index("bb").unwrap_or_default()];
        assert_eq!(weight.hard_at(Some(59)).map(|range| range.maximum), Some(Decimal::from(40)));
        assert_eq!(weight.hard_at(Some(60)).map(|range| range.maximum), Some(Decimal::from(50)));
        assert_eq!(weight.unit.as_deref(), Some("kg"));
    }

    #[test]
    fn what_few_may_see_is_marked() {
        let schemas = Schemas::built_in().unwrap_or_else(|error| panic!("{error}"));
        let screening = schemas.get("skrining").map(Arc::clone).unwrap_or_else(|| panic!("no schema"));
        for field in &screening.fields {
            let expected = field.name == "srq_17" || field.name.starts_with("heeadsss_");
            assert_eq!(field.restricted, expected, "{}", field.name);
        }
    }

    #[test]
    fn violations_name_the_field() {
        let schemas = Schemas::built_in().unwrap_or_else(|error| panic!("{error}"));
        let record = serde_json::json!({"tanggal": "2026-11-18", "bb": 900});
        let found = schemas.get("kunjungan_balita").map(|schema| schema.violations(&record)).unwrap_or_default();
        assert!(found.contains(&Violation { field: "bb".into(), missing: false }), "{found:?}");
        assert!(found.contains(&Violation { field: "umur_bulan".into(), missing: true }), "{found:?}");
    }
}
