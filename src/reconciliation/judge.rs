//! What reading one delivered resource back shows, and which discrepancies follow. Pure.
//!
//! It must never show a value: evidence names elements.

use serde_json::Value;

use super::compare::{Difference, Kind, compare, relative};
use crate::ledger::discrepancy::{Cause, Class, Comparison, Found};
use crate::ledger::entry::{EntryResource, Finding, OpenEntry};

/// Elements that refer to the person a resource is about.
const ABOUT: [&str; 2] = ["subject", "patient"];
/// The classes that a read by id decides about.
const CLASSES: [Class; 3] = [Class::MissingAtServer, Class::DifferentAtServer, Class::WrongPerson];

/// What one resource came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// For the ledger's own mark.
    pub finding: Finding,
    /// Where the content differs.
    pub differences: Vec<Difference>,
    /// The element that refers to somebody else.
    pub wrong_person: Option<Difference>,
}

/// Compares a resource as sent with what the server shows; `None`: it holds none. `person` is the Patient's id by the
/// ledger; without one nothing is said about the person.
#[must_use]
pub fn judge(expected: &Value, found: Option<&Value>, known: &[(String, String)], person: Option<&str>) -> Judged {
    let Some(found) = found else {
        return Judged { finding: Finding::Missing, differences: Vec::new(), wrong_person: None };
    };
    let differences = compare(expected, found, known);
    let wrong_person = person.and_then(|person| wrong_person(found, person));
    let equal = differences.is_empty() && wrong_person.is_none();
    Judged { finding: if equal { Finding::Equal } else { Finding::Different }, differences, wrong_person }
}

fn wrong_person(found: &Value, person: &str) -> Option<Difference> {
    let kind = found.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    let other = ABOUT.iter().find(|about| {
        let reference = found.pointer(&format!("/{about}/reference")).and_then(Value::as_str);
        reference.is_some_and(|reference| relative(reference).strip_prefix("Patient/") != Some(person))
    })?;
    Some(Difference { path: format!("{kind}.{other}.reference"), kind: Kind::Different })
}

/// `Type/ID` of a resource at the server.
#[must_use]
pub fn thing(resource: &EntryResource) -> Option<String> {
    resource.server_id.as_ref().map(|id| format!("{}/{id}", resource.resource_type))
}

/// Adds what was looked at, and what is wrong with it, to a comparison.
pub fn note(comparison: &mut Comparison, entry: &OpenEntry, thing: String, judged: &Judged) {
    comparison.classes = CLASSES.to_vec();
    comparison.closing = "read back equal";
    comparison.looked.push(thing.clone());
    let paths = |differences: &[Difference]| {
        let paths: Vec<&str> = differences.iter().map(|difference| difference.path.as_str()).collect();
        paths.join(", ")
    };
    let mut add = |class: Class, evidence: String| {
        comparison.found.push(Found {
            class,
            thing: thing.clone(),
            entry: Some(entry.entry_id),
            puskesmas: entry.lane.clone(),
            posyandu: entry.posyandu.clone(),
            service_date: entry.service_date,
            cause: Cause::Server,
            evidence,
        });
    };
    if judged.finding == Finding::Missing {
        add(Class::MissingAtServer, "not there".to_owned());
    }
    // Who it is about is told by a class of its own.
    let is_about = |difference: &&Difference| judged.wrong_person.as_ref() != Some(*difference);
    let content: Vec<Difference> = judged.differences.iter().filter(is_about).cloned().collect();
    if !content.is_empty() {
        add(Class::DifferentAtServer, paths(&content));
    }
    if let Some(wrong) = &judged.wrong_person {
        add(Class::WrongPerson, wrong.path.clone());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn held(patient: &str) -> Value {
        json!({"resourceType": "Observation", "id": "o1", "status": "final",
            "subject": {"reference": format!("https://api.example/fhir-r4/v1/Patient/{patient}")}})
    }

    #[test]
    fn another_person_is_found_only_when_the_ledger_knows_whom_it_is_about() {
        let expected = json!({"resourceType": "Observation", "status": "final",
            "subject": {"reference": "Patient/{patient}"}});
        let judged = judge(&expected, Some(&held("P2")), &[], Some("P1"));
        assert_eq!(judged.finding, Finding::Different);
        assert_eq!(judged.wrong_person.unwrap().path, "Observation.subject.reference");
        assert!(judged.differences.is_empty());
        for person in [Some("P2"), None] {
            assert_eq!(judge(&expected, Some(&held("P2")), &[], person).finding, Finding::Equal);
        }
        assert_eq!(judge(&expected, None, &[], Some("P1")).finding, Finding::Missing);
    }
}
