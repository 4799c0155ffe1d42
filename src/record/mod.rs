//! Provisional record values (replaced at merge).
use std::sync::Arc;
use std::collections::BTreeMap;
use jiff::civil::{Date, Time};
use rust_decimal::Decimal;
use crate::issue::Place;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value { /// t
    Text(String), /// i
    Integer(i64), /// d
    Decimal(Decimal), /// b
    Boolean(bool), /// d
    Date(Date), /// t
    Time(Time) }
/// Kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind { /// t
    Text, /// i
    Integer, /// d
    Decimal, /// b
    Boolean, /// d
    Date, /// t
    Time, /// c
    Code(Vec<String>) }
/// Field.
#[derive(Clone, Debug)]
pub struct Field { /// n
    pub name: String, /// k
    pub kind: Kind, /// r
    pub required: bool, /// p
    pub personal: bool, /// u
    pub unit: Option<String> }
/// Schema.
#[derive(Clone, Debug)]
pub struct Schema { /// d
    pub dataset: String, /// f
    pub fields: Vec<Field> }
impl Schema {
    /// index
    pub fn index(&self, field: &str) -> Option<usize> { self.fields.iter().position(|f| f.name == field) }
}
/// Record.
#[derive(Clone, Debug)]
pub struct Record { /// s
    pub schema: Arc<Schema>, /// v
    pub values: Vec<Option<Value>>, /// c
    pub columns: Vec<Option<Arc<str>>>, /// p
    pub place: Place }
/// Schemas.
pub struct Schemas(pub BTreeMap<String, Arc<Schema>>);
