//! A compiled template: what is constant is ready JSON, the rest a short list of operations.
//!
//! Runs per record, so it parses nothing and looks nothing up by name. It must not decide what is right: all checks
//! were done when it was compiled, except that a code may be missing from a concept map.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::concept_map::{ConceptMap, Target};
use super::template::{Question, json_text};
use crate::clock::Zone;
use crate::record::{Record, Value};

/// Whose field it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The record being mapped.
    Own,
    /// The person.
    Sasaran,
    /// The posyandu.
    Posyandu,
    /// The visit.
    Visit,
}

/// A field by position: no name is looked up per record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Whose field.
    pub origin: Origin,
    /// Position in that record.
    pub index: usize,
}

/// A compiled test.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The field asked.
    pub slot: Slot,
    /// The question.
    pub question: Asked,
}

/// A compiled question.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Filled.
    Present,
    /// Empty.
    Absent,
    /// One of these.
    In(Vec<Value>),
    /// At least.
    AtLeast(Decimal),
    /// Below.
    Below(Decimal),
}

/// One operation.
#[derive(Debug)]
pub enum Operation {
    /// Constant JSON.
    Text(String),
    /// A comma, unless the list or object was only just opened.
    Comma,
    /// A field's value as JSON.
    Field(Slot),
    /// A date as an instant, see [`write_day`].
    Day(Slot),
    /// Date and time in the posyandu's zone as a UTC instant.
    Instant(Slot, Slot),
    /// The puskesmas' Organization id, bare.
    Organization,
    /// The value of the resource's own business identifier, bare.
    OwnIdentifier,
    /// A reference to a resource of the same visit.
    Reference(Pointer),
    /// The codings of a concept map, without the list's brackets.
    Codings(Slot, Arc<ConceptMap>),
    /// Operations that run only when all checks hold.
    Guard(Vec<Check>, Vec<Operation>),
    /// A reference, or an empty object when the resource referred to is not present.
    WherePresent(Vec<Operation>),
    /// Operations whose list or object may come out empty; then nothing is written.
    Prune(Vec<Operation>),
}

/// What a reference points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pointer {
    /// A resource of the visit itself, by position in the visit's mapping.
    Visit(usize),
    /// A resource of the same record, by position in this mapping.
    Own(usize),
    /// The patient: filled in when the identity is known, at sending.
    Patient,
    /// The health worker in charge: filled in at sending.
    Practitioner,
    /// The puskesmas.
    Puskesmas,
    /// The posyandu's Location.
    Location(Slot),
    /// The posyandu's own Organization.
    Posyandu(Slot),
}

/// Stands in a stored bundle for the patient's IHS number until it is sent.
pub const PATIENT_TOKEN: &str = "{patient}";
/// Stands in a stored bundle for the practitioner's IHS number until it is sent.
pub const PRACTITIONER_TOKEN: &str = "{practitioner}";

/// The records that a template may read.
#[derive(Clone, Copy)]
pub struct Records<'a> {
    /// The record being mapped.
    pub own: &'a Record,
    /// The person.
    pub sasaran: &'a Record,
    /// The posyandu.
    pub posyandu: &'a Record,
    /// The visit.
    pub visit: &'a Record,
}

impl<'a> Records<'a> {
    /// The value in a slot.
    #[must_use]
    pub fn value(&self, slot: Slot) -> Option<&'a Value> {
        self.of(slot.origin).values.get(slot.index)?.as_ref()
    }

    /// The record of an origin.
    #[must_use]
    pub fn of(&self, origin: Origin) -> &'a Record {
        match origin {
            Origin::Own => self.own,
            Origin::Sasaran => self.sasaran,
            Origin::Posyandu => self.posyandu,
            Origin::Visit => self.visit,
        }
    }

    /// Whether all checks hold.
    #[must_use]
    pub fn hold(&self, checks: &[Check]) -> bool {
        checks.iter().all(|check| self.holds(check))
    }

    fn holds(&self, check: &Check) -> bool {
        check.question.holds(self.value(check.slot))
    }
}

impl Asked {
    /// Whether a value answers the question.
    #[must_use]
    pub fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Present => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => value.is_some_and(|value| values.contains(value)),
            Self::AtLeast(bound) => value.and_then(number).is_some_and(|number| number >= *bound),
            Self::Below(bound) => value.and_then(number).is_some_and(|number| number < *bound),
        }
    }
}

fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Integer(number) => Some(Decimal::from(*number)),
        Value::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// What running a template needs besides the records.
pub struct Run<'a> {
    /// The records.
    pub records: Records<'a>,
    /// The posyandu's zone.
    pub zone: Zone,
    /// The puskesmas' Organization id.
    pub organization: &'a str,
    /// The resource's business identifier value.
    pub identifier: &'a str,
    /// fullUrl of each of the visit's own resources, `None` when it is not present.
    pub visit_urls: &'a [Option<String>],
    /// fullUrl of each resource of the same record.
    pub own_urls: &'a [Option<String>],
}

/// Why a template could not be filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The concept map does not hold the code in this slot.
    Unmapped(Slot),
    /// The concept map says that the code in this slot is not reported.
    NotReported(Slot),
    /// The visit's resource referred to is not present.
    VisitResource(usize),
    /// The same record's resource referred to is not present.
    OwnResource(usize),
    /// The posyandu has no Location id yet.
    NoLocation(Slot),
    /// A field that was promised is empty.
    Empty(Slot),
}

/// Runs the operations, appending JSON to `out`.
///
/// # Errors
/// The first [`Gap`]; what was appended so far is then meaningless.
pub fn run(operations: &[Operation], with: &Run<'_>, out: &mut String) -> Result<(), Gap> {
    for operation in operations {
        match operation {
            Operation::Text(text) => out.push_str(text),
            Operation::Comma => {
                if !matches!(out.as_bytes().last(), None | Some(b'{' | b'[')) {
                    out.push(',');
                }
            }
            Operation::Field(slot) => write_value(with.records.value(*slot).ok_or(Gap::Empty(*slot))?, out),
            Operation::Day(date) => write_day(with, *date, out)?,
            Operation::Instant(date, time) => write_instant(with, *date, *time, out)?,
            Operation::Organization => out.push_str(with.organization),
            Operation::OwnIdentifier => out.push_str(with.identifier),
            Operation::Reference(target) => write_reference(target, with, out)?,
            Operation::Codings(slot, map) => write_codings(*slot, map, with, out)?,
            Operation::Guard(checks, inner) => {
                if with.records.hold(checks) {
                    run(inner, with, out)?;
                }
            }
            Operation::WherePresent(inner) => {
                let start = out.len();
                match run(inner, with, out) {
                    Err(Gap::VisitResource(_) | Gap::OwnResource(_)) => {
                        out.truncate(start);
                        out.push_str("{}");
                    }
                    other => other?,
                }
            }
            Operation::Prune(inner) => {
                let start = out.len();
                run(inner, with, out)?;
                if out.ends_with("{}") || out.ends_with("[]") {
                    out.truncate(start);
                }
            }
        }
    }
    Ok(())
}

fn write_value(value: &Value, out: &mut String) {
    let _ = match value {
        Value::Text(text) => {
            out.push_str(&json_text(text));
            Ok(())
        }
        Value::Integer(number) => write!(out, "{number}"),
        Value::Decimal(number) => write!(out, "{number}"),
        Value::Boolean(truth) => write!(out, "{truth}"),
        Value::Date(date) => write!(out, "\"{date}\""),
        Value::Time(time) => write!(out, "\"{}\"", time.strftime("%H:%M:%S")),
    };
}

/// A day at midnight UTC. SATUSEHAT refuses a dateTime without time (rule 10429), and of all instants this one lies on
/// the same calendar day whether it is read in UTC or in any zone of Indonesia.
fn write_day(with: &Run<'_>, date: Slot, out: &mut String) -> Result<(), Gap> {
    let Some(Value::Date(day)) = with.records.value(date) else { return Err(Gap::Empty(date)) };
    let _ = write!(out, "\"{day}T00:00:00+00:00\"");
    Ok(())
}

fn write_instant(with: &Run<'_>, date: Slot, time: Slot, out: &mut String) -> Result<(), Gap> {
    let Some(Value::Date(day)) = with.records.value(date) else { return Err(Gap::Empty(date)) };
    let Some(Value::Time(hour)) = with.records.value(time) else { return Err(Gap::Empty(time)) };
    out.push('"');
    push_utc(with.zone.instant(*day, *hour), out);
    out.push('"');
    Ok(())
}

/// `YYYY-MM-DDThh:mm:ss+00:00`, the only form SATUSEHAT documents (satusehat-api.md, section 6).
pub fn push_utc(instant: Timestamp, out: &mut String) {
    let utc = jiff::tz::Offset::UTC.to_datetime(instant);
    let _ = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}+00:00",
        utc.year(),
        utc.month(),
        utc.day(),
        utc.hour(),
        utc.minute(),
        utc.second()
    );
}

fn write_reference(target: &Pointer, with: &Run<'_>, out: &mut String) -> Result<(), Gap> {
    out.push_str("{\"reference\":\"");
    match target {
        Pointer::Visit(index) => out.push_str(url(with.visit_urls, *index).ok_or(Gap::VisitResource(*index))?),
        Pointer::Own(index) => out.push_str(url(with.own_urls, *index).ok_or(Gap::OwnResource(*index))?),
        Pointer::Patient => {
            out.push_str("Patient/");
            out.push_str(PATIENT_TOKEN);
        }
        Pointer::Practitioner => {
            out.push_str("Practitioner/");
            out.push_str(PRACTITIONER_TOKEN);
        }
        Pointer::Puskesmas => {
            out.push_str("Organization/");
            out.push_str(with.organization);
        }
        Pointer::Location(slot) => {
            let Some(Value::Text(id)) = with.records.value(*slot) else { return Err(Gap::NoLocation(*slot)) };
            out.push_str("Location/");
            out.push_str(id);
        }
        Pointer::Posyandu(slot) => {
            let Some(Value::Text(id)) = with.records.value(*slot) else { return Err(Gap::Empty(*slot)) };
            out.push_str("Organization/");
            out.push_str(id);
        }
    }
    out.push_str("\"}");
    Ok(())
}

fn url(urls: &[Option<String>], index: usize) -> Option<&str> {
    urls.get(index)?.as_deref()
}

fn write_codings(slot: Slot, map: &ConceptMap, with: &Run<'_>, out: &mut String) -> Result<(), Gap> {
    let Some(Value::Text(code)) = with.records.value(slot) else { return Err(Gap::Empty(slot)) };
    match map.target(code) {
        Some(Target::Codings { json, .. }) => {
            out.push_str(json);
            Ok(())
        }
        Some(Target::NotReported) => Err(Gap::NotReported(slot)),
        None => Err(Gap::Unmapped(slot)),
    }
}

/// Compiles a question against the kind of values it will meet.
///
/// # Errors
/// A sentence saying which written value does not fit.
pub fn compile_question(question: &Question, read: impl Fn(&str) -> Option<Value>) -> Result<Asked, String> {
    let decimal = |text: &str| text.parse::<Decimal>().map_err(|_| format!("`{text}` is not a number"));
    Ok(match question {
        Question::Present => Asked::Present,
        Question::Absent => Asked::Absent,
        Question::In(values) => {
            Asked::In(values.iter().map(|text| read(text).ok_or_else(|| text.clone())).collect::<Result<_, _>>()?)
        }
        Question::AtLeast(text) => Asked::AtLeast(decimal(text)?),
        Question::Below(text) => Asked::Below(decimal(text)?),
    })
}
