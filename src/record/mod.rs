//! Checked records: the field's own words turned into typed values, each tied to its cell.
//!
//! It must not guess. What cannot be read one way only becomes an issue, and the row waits for a person.

pub mod age;
pub mod antigen;
pub mod date;
pub mod draft;
pub mod fingerprint;
pub mod format;
pub mod group;
pub mod immunization;
pub mod matching;
pub mod measurement;
pub mod nik;
pub mod number;
pub mod occasion;
pub mod person;
pub mod place;
pub mod pressure;
pub mod preview;
pub mod proposal;
pub mod reader;
pub mod scale;
pub mod schema;
pub mod screening;
pub mod supplement;
pub mod unit;
pub mod visit;
pub mod vitamin_a;
pub mod words;

use std::fmt;
use std::sync::Arc;

use jiff::civil::{Date, Time};
use rust_decimal::Decimal;

use crate::issue::{Issue, Place};
use crate::redact::MASK;

use self::schema::Schema;

/// A typed value of a record.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Text, or a code of an enumeration.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// An exact decimal number in the field's unit.
    Decimal(Decimal),
    /// Yes or no.
    Boolean(bool),
    /// A calendar date in the posyandu's zone.
    Date(Date),
    /// A time of day in the posyandu's zone.
    Time(Time),
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(MASK)
    }
}

/// One checked record.
#[derive(Clone)]
pub struct Record {
    /// Its schema.
    pub schema: Arc<Schema>,
    /// Values in the order of the schema's fields.
    pub values: Vec<Option<Value>>,
    /// Header of the column each value came from; `None` for derived and absent values.
    pub columns: Vec<Option<Arc<str>>>,
    /// The row it stands in.
    pub place: Place,
}

/// Which fields are filled may be seen, what they hold may not.
impl fmt::Debug for Record {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at {}:", self.schema.dataset, self.place)?;
        let named = self.schema.fields.iter().zip(&self.values).filter(|(_, value)| value.is_some());
        named.into_iter().try_for_each(|(field, _)| write!(formatter, " {}", field.name))
    }
}

/// Why a stored record cannot be read back.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The text is no JSON object.
    #[error("stored record of `{dataset}` is no JSON object")]
    Text {
        /// Dataset.
        dataset: String,
        /// Cause.
        #[source]
        source: serde_json::Error,
    },
    /// A field is unknown or holds another kind of value.
    #[error("stored record of `{dataset}` has an unusable field `{field}`")]
    Field {
        /// Dataset.
        dataset: String,
        /// Field.
        field: String,
    },
}

impl Record {
    /// The value of a field.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.schema.index(field).and_then(|at| self.values.get(at)).and_then(Option::as_ref)
    }

    /// The text or code of a field.
    #[must_use]
    pub fn text(&self, field: &str) -> Option<&str> {
        match self.get(field) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The date of a field.
    #[must_use]
    pub fn date(&self, field: &str) -> Option<Date> {
        match self.get(field) {
            Some(Value::Date(date)) => Some(*date),
            _ => None,
        }
    }

    /// The cell of a field; the whole row when the value was derived or is absent.
    #[must_use]
    pub fn place_of(&self, field: &str) -> Place {
        let column = self.schema.index(field).and_then(|at| self.columns.get(at)).and_then(Option::as_ref);
        column.map_or_else(|| self.place.clone(), |column| self.place.column(&**column))
    }

    /// The canonical text: business fields only, sorted by name, absent ones left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        fingerprint::canonical(self).to_string()
    }

    /// Reads a record back from [`Record::to_json`].
    ///
    /// # Errors
    /// [`RecordError`] when the text does not fit the schema.
    pub fn from_json(
        schema: &Arc<Schema>,
        json: &str,
        place: Place,
        columns: Vec<Option<Arc<str>>>,
    ) -> Result<Self, RecordError> {
        let values = fingerprint::values_of(schema, json)?;
        Ok(Self { schema: Arc::clone(schema), values, columns, place })
    }

    /// SHA-256 of the dataset and the canonical text.
    #[must_use]
    pub fn content_hash(&self) -> [u8; 32] {
        fingerprint::hash(self)
    }
}

/// What one row yields. With an issue of severity error the row waits for a person and its records are not used.
#[derive(Clone, Debug, Default)]
pub struct RowOutcome {
    /// The records, in the order of [`reader::ORDER`].
    pub records: Vec<Record>,
    /// What was found, in reading order.
    pub issues: Vec<Issue>,
}

impl RowOutcome {
    /// Whether the row waits for a person.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.issues.iter().any(Issue::is_error)
    }
}
