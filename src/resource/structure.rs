//! Is it FHIR? The R4B model reads each resource and writes it back; whatever it dropped or changed is a fault.
//!
//! The model silently drops elements it does not know and values that do not fit, so reading alone proves nothing.
//! What is sent is always our own JSON, never what the model wrote.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde_json::Value;

/// One way in which a resource is not FHIR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// FHIR path with list positions: `Encounter.period.start`.
    pub path: String,
    /// What is wrong.
    pub kind: FaultKind,
}

/// The kinds of faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// We do not send this resource type.
    UnknownType,
    /// The model does not know the element, or its value does not fit.
    Dropped,
    /// The model reads another value than was written.
    Changed,
    /// A required element is missing; its name.
    Missing(String),
    /// The model refuses it, in its own words.
    Refused(String),
}

/// Checks one resource.
///
/// # Errors
/// Every fault found.
pub fn check(resource_type: &str, json: &str) -> Result<(), Vec<Fault>> {
    let one = |path: &str, kind| vec![Fault { path: path.to_owned(), kind }];
    let back = match fhir_structure::round_trip(resource_type, json) {
        None => return Err(one(resource_type, FaultKind::UnknownType)),
        Some(Err(sentence)) => return Err(one(resource_type, refusal(&sentence))),
        Some(Ok(back)) => back,
    };
    let written: Value = parse(json).map_err(|sentence| one(resource_type, FaultKind::Refused(sentence)))?;
    let read: Value = parse(&back).map_err(|sentence| one(resource_type, FaultKind::Refused(sentence)))?;
    let mut faults = Vec::new();
    if written.get("resourceType").and_then(Value::as_str) != Some(resource_type) {
        faults.push(Fault { path: format!("{resource_type}.resourceType"), kind: FaultKind::Changed });
    }
    compare(resource_type, &written, &read, &mut faults);
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn parse(json: &str) -> Result<Value, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

fn refusal(sentence: &str) -> FaultKind {
    match sentence.split_once("missing field `").and_then(|(_, rest)| rest.split_once('`')) {
        Some((name, _)) => FaultKind::Missing(name.to_owned()),
        None => FaultKind::Refused(sentence.to_owned()),
    }
}

fn compare(path: &str, written: &Value, read: &Value, faults: &mut Vec<Fault>) {
    match (written, read) {
        (Value::Object(written), Value::Object(read)) => {
            for (name, value) in written {
                let path = format!("{path}.{name}");
                match read.get(name) {
                    Some(other) => compare(&path, value, other, faults),
                    None if name == "resourceType" => {}
                    None => faults.push(Fault { path, kind: FaultKind::Dropped }),
                }
            }
        }
        (Value::Array(written), Value::Array(read)) => {
            for (index, value) in written.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match read.get(index) {
                    Some(other) => compare(&path, value, other, faults),
                    None => faults.push(Fault { path, kind: FaultKind::Dropped }),
                }
            }
        }
        _ if same(written, read) => {}
        _ => faults.push(Fault { path: path.to_owned(), kind: FaultKind::Changed }),
    }
}

/// Equal as FHIR values: decimals and instants by value, everything else literally.
fn same(written: &Value, read: &Value) -> bool {
    match (written, read) {
        (Value::Number(one), Value::Number(other)) => decimal(one) == decimal(other),
        (Value::String(one), Value::String(other)) => {
            one == other || instant(one).is_some_and(|a| instant(other) == Some(a))
        }
        _ => written == read,
    }
}

fn decimal(number: &serde_json::Number) -> Option<Decimal> {
    number.to_string().parse::<Decimal>().ok().map(|value| value.normalize())
}

fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_the_model_drops_is_a_fault() {
        let json = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantiti":{"value":1}}"#;
        let faults = check("Observation", json).unwrap_err();
        assert_eq!(faults, [Fault { path: "Observation.valueQuantiti".into(), kind: FaultKind::Dropped }]);
    }

    #[test]
    fn a_missing_required_element_is_named() {
        let faults = check("Observation", r#"{"resourceType":"Observation","code":{"text":"x"}}"#).unwrap_err();
        assert_eq!(faults[0].kind, FaultKind::Missing("status".into()));
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_a_fault_and_a_rewritten_instant_is_not() {
        let wrong =
            r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":"1"}}"#;
        assert!(check("Observation", wrong).is_err());
        let fine = r#"{"resourceType":"Observation","status":"final","code":{"text":"x"},"issued":"2026-11-18T01:00:00+00:00","valueQuantity":{"value":10.50}}"#;
        assert_eq!(check("Observation", fine), Ok(()));
    }
}
