//! The canonical form of a record and its hash: has this record changed?
//!
//! It must not contain where the record stands: moving a row is no change. Same values, same text, same hash.

use jiff::civil::{Date, Time};
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value as Json};
use sha2::{Digest, Sha256};

use super::schema::{Kind, Schema};
use super::{Record, RecordError, Value};

/// The business fields of a record, sorted by name, absent ones left out.
#[must_use]
pub fn canonical(record: &Record) -> Json {
    let mut map = Map::new();
    for at in &record.schema.by_name {
        let (Some(field), Some(Some(value))) = (record.schema.fields.get(*at), record.values.get(*at)) else {
            continue;
        };
        map.insert(field.name.clone(), json_of(value));
    }
    Json::Object(map)
}

/// SHA-256 over the dataset and the canonical form.
#[must_use]
pub fn hash(record: &Record) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(record.schema.dataset.as_bytes());
    hash.update([0]);
    hash.update(canonical(record).to_string().as_bytes());
    hash.finalize().into()
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Text(text) => Json::String(text.clone()),
        Value::Integer(number) => Json::Number(Number::from(*number)),
        Value::Decimal(number) => number_of(*number),
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Date(date) => Json::String(date.to_string()),
        Value::Time(time) => Json::String(time.strftime("%H:%M").to_string()),
    }
}

/// A decimal keeps its digits: `8.40` and `8.4` are the same measurement and the same text.
fn number_of(number: Decimal) -> Json {
    let text = number.normalize().to_string();
    text.parse::<Number>().map_or(Json::String(text), Json::Number)
}

/// Reads the canonical form back.
///
/// # Errors
/// [`RecordError`] when the text is no object of the schema's fields.
pub fn values_of(schema: &Schema, text: &str) -> Result<Vec<Option<Value>>, RecordError> {
    let dataset = || schema.dataset.clone();
    let json: Map<String, Json> =
        serde_json::from_str(text).map_err(|source| RecordError::Text { dataset: dataset(), source })?;
    let mut values = vec![None; schema.fields.len()];
    for (name, value) in &json {
        let wrong = || RecordError::Field { dataset: dataset(), field: name.clone() };
        let at = schema.index(name).ok_or_else(wrong)?;
        let kind = schema.fields.get(at).map(|field| &field.kind).ok_or_else(wrong)?;
        values[at] = Some(value_of(kind, value).ok_or_else(wrong)?);
    }
    Ok(values)
}

fn value_of(kind: &Kind, value: &Json) -> Option<Value> {
    match kind {
        Kind::Text | Kind::Code(_) => value.as_str().map(|text| Value::Text(text.to_owned())),
        Kind::Integer => value.as_i64().map(Value::Integer),
        Kind::Decimal => value.is_number().then(|| value.to_string().parse().ok().map(Value::Decimal)).flatten(),
        Kind::Boolean => value.as_bool().map(Value::Boolean),
        Kind::Date => value.as_str().and_then(|text| text.parse::<Date>().ok()).map(Value::Date),
        Kind::Time => value.as_str().and_then(|text| Time::strptime("%H:%M", text).ok()).map(Value::Time),
    }
}
