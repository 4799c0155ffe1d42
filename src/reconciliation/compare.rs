//! What was sent against what the server holds: where do they differ?
//!
//! Pure. It compares a canonical projection: every leaf that was sent must be found with an equal value at the same
//! path; what the server adds, reorders or rewrites without changing the meaning is equal (satusehat-api.md, section
//! 4, "Read-back differs from what was sent"). It must never show a value: differences are paths only.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// One place where the two differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Difference {
    /// FHIR path, such as `Observation.code.coding[0].code`.
    pub path: String,
    /// How they differ.
    pub kind: Kind,
}

/// How the two differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The server has nothing there.
    Missing,
    /// The server has something else there.
    Different,
}

/// Lists whose order means nothing.
const UNORDERED: [&str; 2] = ["coding", "identifier"];
/// What a stored Bundle holds in place of ids that are looked up when it is sent.
const TOKENS: [&str; 2] = ["{patient}", "{practitioner}"];
/// The type of an episode of care, which outlives the visit.
pub(super) const EPISODE: &str = "EpisodeOfCare";
/// How a reference inside a Bundle begins.
const INNER: &str = "urn:uuid:";

/// Compares a resource as stored for sending with the resource as read back. `known` gives the server's `Type/id` for
/// each `urn:uuid:` (or other reference as sent); a `Type/` without an id stands for any resource of that type, and so
/// does a reference that still holds a token. The result is empty when they are equal.
#[must_use]
pub fn compare(expected: &Value, found: &Value, known: &[(String, String)]) -> Vec<Difference> {
    let root = expected.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let mut comparison = Comparison { known, differences: Vec::new() };
    if root == EPISODE {
        // It may have been opened by somebody else, and it goes on after the visit: only whose it is must agree.
        for key in ["patient", "type"] {
            let (expected, found) = (expected.get(key).unwrap_or(&Value::Null), found.get(key).unwrap_or(&Value::Null));
            comparison.value(&format!("{root}.{key}"), key, expected, found);
        }
    } else {
        comparison.value(root, "", expected, found);
    }
    comparison.differences
}

struct Comparison<'a> {
    known: &'a [(String, String)],
    differences: Vec<Difference>,
}

impl Comparison<'_> {
    fn note(&mut self, path: &str, kind: Kind) {
        self.differences.push(Difference { path: path.to_owned(), kind });
    }

    fn value(&mut self, path: &str, key: &str, expected: &Value, found: &Value) {
        match (expected, found) {
            (Value::Null, _) => {}
            (Value::Object(expected), Value::Object(found)) => self.members(path, expected, found),
            (Value::Array(expected), Value::Array(found)) => self.items(path, key, expected, found),
            (Value::String(expected), Value::String(found)) => {
                let equal = match key {
                    "reference" => self.refers_alike(expected, found),
                    _ => expected == found || same_instant(expected, found),
                };
                if !equal {
                    self.note(path, Kind::Different);
                }
            }
            (Value::Number(expected), Value::Number(found)) => {
                // Both come from the same parser, so equal decimals are equal here however they were written.
                if expected != found && expected.as_f64() != found.as_f64() {
                    self.note(path, Kind::Different);
                }
            }
            (expected, found) if expected == found => {}
            _ => self.note(path, Kind::Different),
        }
    }

    fn members(&mut self, path: &str, expected: &Map<String, Value>, found: &Map<String, Value>) {
        for (key, expected) in expected {
            // The server puts names of persons and wordings of its own there.
            if key == "display" && expected.is_string() {
                continue;
            }
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match found.get(key) {
                Some(found) if !found.is_null() => self.value(&below, key, expected, found),
                _ if is_nothing(expected) => {}
                _ => self.note(&below, Kind::Missing),
            }
        }
    }

    fn items(&mut self, path: &str, key: &str, expected: &[Value], found: &[Value]) {
        let unordered = UNORDERED.contains(&key);
        let mut taken = vec![false; found.len()];
        let mut alone: Vec<usize> = Vec::new();
        for (position, item) in expected.iter().enumerate() {
            if found.get(position).is_some_and(|other| self.equal(key, item, other)) {
                taken[position] = true;
            } else {
                alone.push(position);
            }
        }
        for position in alone {
            let item = &expected[position];
            let elsewhere = found
                .iter()
                .enumerate()
                .position(|(other, value)| unordered && !taken[other] && self.equal(key, item, value));
            let below = format!("{path}[{position}]");
            match (elsewhere, found.get(position)) {
                (Some(other), _) => taken[other] = true,
                (None, Some(other)) => {
                    let before = self.differences.len();
                    self.value(&below, key, item, other);
                    if self.differences.len() == before {
                        self.note(&below, Kind::Missing);
                    }
                }
                (None, None) => self.note(&below, Kind::Missing),
            }
        }
    }

    fn equal(&self, key: &str, expected: &Value, found: &Value) -> bool {
        let mut inner = Comparison { known: self.known, differences: Vec::new() };
        inner.value("", key, expected, found);
        inner.differences.is_empty()
    }

    fn refers_alike(&self, expected: &str, found: &str) -> bool {
        let found = relative(found);
        if let Some((kind, _)) = TOKENS.iter().find_map(|token| expected.split_once(token)) {
            return is_of(found, kind);
        }
        match self.known.iter().find(|(sent, _)| sent == expected) {
            Some((_, held)) if held.ends_with('/') => is_of(found, held),
            Some((_, held)) => relative(held) == found,
            None => relative(expected) == found,
        }
    }
}

/// Whether a reference is `Type/` with some id.
fn is_of(reference: &str, kind: &str) -> bool {
    reference.strip_prefix(kind).is_some_and(|id| !id.is_empty() && !id.contains('/'))
}

/// `Type/id` of a reference: without the server's address and without a version.
pub(super) fn relative(reference: &str) -> &str {
    if reference.starts_with(INNER) {
        return reference;
    }
    let current = reference.split_once("/_history/").map_or(reference, |(current, _)| current);
    if !current.contains("://") {
        return current;
    }
    let mut slashes = current.rmatch_indices('/').map(|(at, _)| at).skip(1);
    slashes.next().map_or(current, |at| &current[at + 1..])
}

/// Whether two texts name the same instant, whatever the offset they are written with.
fn same_instant(one: &str, other: &str) -> bool {
    let instant = |text: &str| match text.as_bytes().get(10) {
        Some(b'T') => text.parse::<Timestamp>().ok(),
        _ => None,
    };
    instant(one).is_some_and(|one| instant(other) == Some(one))
}

/// Whether there is nothing in it that could be missed.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_nothing),
        Value::Object(members) => members.iter().all(|(key, value)| key == "display" || is_nothing(value)),
        _ => false,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn weight() -> Value {
        json!({
            "resourceType": "Observation",
            "identifier": [{"system": "http://sys-ids.kemkes.go.id/observation/1", "value": "ABC"}],
            "code": {"coding": [
                {"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"},
                {"system": "http://snomed.info/sct", "code": "27113001"},
            ]},
            "subject": {"reference": "Patient/{patient}", "display": "Melati"},
            "encounter": {"reference": "urn:uuid:1"},
            "performer": [{"reference": "Practitioner/{practitioner}"}],
            "issued": "2026-11-18T02:10:00+00:00",
            "valueQuantity": {"value": 10.50, "unit": "kg"},
        })
    }

    fn held() -> Value {
        json!({
            "meta": {"versionId": "1"}, "id": "o1", "note": [],
            "valueQuantity": {"unit": "kg", "value": 10.5},
            "issued": "2026-11-18T09:10:00+07:00",
            "performer": [{"reference": "https://api.example/fhir-r4/v1/Practitioner/N1/_history/3"}],
            "encounter": {"reference": "https://api.example/fhir-r4/v1/Encounter/e1"},
            "subject": {"reference": "Patient/P1", "display": "ME***"},
            "code": {"coding": [
                {"code": "27113001", "system": "http://snomed.info/sct"},
                {"display": "", "code": "29463-7", "system": "http://loinc.org"},
            ]},
            "identifier": [{"value": "ABC", "system": "http://sys-ids.kemkes.go.id/observation/1"}],
            "resourceType": "Observation",
        })
    }

    fn known() -> Vec<(String, String)> {
        vec![("urn:uuid:1".to_owned(), "Encounter/e1".to_owned())]
    }

    #[test]
    fn what_the_server_rewrites_without_changing_it_is_equal() {
        assert_eq!(compare(&weight(), &held(), &known()), []);
        let mut none_sent = weight();
        none_sent["identifier"] = json!([]);
        let mut none_held = held();
        none_held.as_object_mut().unwrap().remove("identifier");
        assert_eq!(compare(&none_sent, &none_held, &known()), []);
        let any = vec![("urn:uuid:1".to_owned(), "Encounter/".to_owned())];
        assert_eq!(compare(&weight(), &held(), &any), []);
    }

    #[test]
    fn differences_name_the_path_and_never_the_value() {
        let mut found = held();
        found["valueQuantity"]["value"] = json!(10.6);
        found["encounter"]["reference"] = json!("Encounter/e2");
        found["subject"]["reference"] = json!("Group/1");
        found["issued"] = json!("2026-11-18T09:10:01+07:00");
        found["code"]["coding"][1]["code"] = json!("8302-2");
        found.as_object_mut().unwrap().remove("identifier");
        let differences = compare(&weight(), &found, &known());
        let paths: Vec<&str> = differences.iter().map(|difference| difference.path.as_str()).collect();
        let expected = [
            "Observation.identifier",
            "Observation.code.coding[0].system",
            "Observation.code.coding[0].code",
            "Observation.subject.reference",
            "Observation.encounter.reference",
            "Observation.issued",
            "Observation.valueQuantity.value",
        ];
        assert_eq!(paths, expected);
        assert_eq!(differences[0].kind, Kind::Missing);
        assert!(!format!("{differences:?}").contains("10.6"));
    }

    #[test]
    fn an_inner_reference_nobody_knows_is_a_difference() {
        assert_eq!(compare(&weight(), &held(), &[])[0].path, "Observation.encounter.reference");
    }

    fn shuffled(value: &Value, seed: u64) -> Value {
        match value {
            Value::Object(members) => {
                let mut names: Vec<&String> = members.keys().collect();
                names.sort_by_key(|name| {
                    name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
                });
                Value::Object(names.into_iter().map(|name| (name.clone(), shuffled(&members[name], seed))).collect())
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| shuffled(item, seed)).collect()),
            other => other.clone(),
        }
    }

    /// JSON pointers of all leaves.
    fn leaves(value: &Value, at: &str, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), all))
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(key, value)| leaves(value, &format!("{at}/{key}"), all))
            }
            _ => all.push(at.to_owned()),
        }
    }

    fn tree() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            (-1000.0..1000.0_f64).prop_map(Value::from),
            "[a-z{}/:]{0,8}".prop_map(Value::from),
        ];
        let name = prop_oneof![Just("coding"), Just("reference"), Just("a"), Just("b"), Just("identifier"), Just("c")];
        leaf.prop_recursive(4, 40, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((name.clone(), inner), 0..5).prop_map(|members| Value::Object(
                    members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
                )),
            ]
        })
    }

    proptest! {
        #[test]
        fn everything_is_equal_to_itself_in_another_order(value in tree(), seed: u64) {
            prop_assert_eq!(compare(&value, &shuffled(&value, seed), &[]), []);
        }

        #[test]
        fn any_changed_leaf_is_found(value in tree(), which: prop::sample::Index, removed: bool) {
            let mut all = Vec::new();
            leaves(&value, "", &mut all);
            prop_assume!(!all.is_empty() && !value.is_string() && !value.is_number() && !value.is_boolean());
            let mut found = value.clone();
            let at: &String = which.get(&all);
            let leaf = found.pointer_mut(at).unwrap();
            *leaf = if removed { Value::Null } else { json!("changed beyond doubt") };
            prop_assert!(!compare(&value, &found, &[]).is_empty());
        }
    }
}
