//! Business identifiers: their systems carry the caller's organisation and the kind of resource.
//!
//! It must not look into the store; whether an identifier is taken is asked elsewhere.

use serde_json::{Map, Value};

use crate::simulator::outcome::Complaint;

/// Beginning of every local identifier system.
const LOCAL: &str = "http://sys-ids.kemkes.go.id/";
/// Beginning of the systems of visit numbers, which ride as further Encounter identifiers.
const VISIT_NUMBER: &str = "http://terminology.kemkes.go.id/CodeSystem/episodeofcare/";

/// Rule number and kinds of identifier of a resource type.
fn kinds(resource_type: &str) -> (u32, &'static [&'static str]) {
    match resource_type {
        "Encounter" => (10117, &["encounter", "asik", "sitb"]),
        "EpisodeOfCare" => (10458, &["episode-of-care"]),
        "Condition" => (10444, &["condition"]),
        "Observation" => (10441, &["observation"]),
        "Procedure" => (10442, &["procedure"]),
        "Immunization" => (0, &["immunization"]),
        "Medication" => (0, &["medication"]),
        "MedicationRequest" => (10388, &["prescription-item", "prescription"]),
        "MedicationDispense" => (10389, &["prescription-item", "prescription"]),
        "MedicationStatement" => (10445, &["medicationstatement"]),
        "QuestionnaireResponse" => (0, &["QuestionnaireResponse"]),
        "ServiceRequest" => (10415, &["servicerequest", "sitb"]),
        "Organization" => (10446, &["organization"]),
        "Location" => (10447, &["location"]),
        _ => (0, &[]),
    }
}

/// The identifiers of a resource, whether it carries one or a list, with their positions.
fn all(resource: &Map<String, Value>) -> Vec<(String, &Map<String, Value>)> {
    match resource.get("identifier") {
        Some(Value::Array(list)) => {
            let positions = list.iter().enumerate();
            positions.filter_map(|(at, one)| Some((format!("identifier[{at}]"), one.as_object()?))).collect()
        }
        Some(Value::Object(one)) => vec![("identifier".to_owned(), one)],
        _ => Vec::new(),
    }
}

/// Checks systems and values.
pub(super) fn check(kind: &str, resource: &Map<String, Value>, organization: &str, found: &mut Vec<Complaint>) {
    let (rule, kinds) = kinds(kind);
    if kinds.is_empty() {
        return;
    }
    for (place, identifier) in all(resource) {
        let system = identifier.get("system").and_then(Value::as_str).unwrap_or_default();
        let path = format!("{kind}.{place}.system");
        if kind == "Encounter" && system.starts_with(VISIT_NUMBER) {
            continue;
        }
        match system.strip_prefix(LOCAL).and_then(|rest| rest.split_once('/')) {
            Some((name, number)) if kinds.contains(&name) => {
                if number != organization {
                    let text = format!("Wrong organization ID provided by system URL: {system}");
                    found.push(Complaint::rule("value", &text, rule, &path));
                }
            }
            _ => found.push(Complaint::rule("value", &format!("Invalid identifier system: {system}"), rule, &path)),
        }
        if !identifier.get("value").is_some_and(Value::is_string) {
            let path = format!("{kind}.{place}.value");
            found.push(Complaint::rule("value", "Identifier value not found", rule, &path));
        }
    }
    // A prescribed item names both itself and the prescription it belongs to.
    if kind == "MedicationRequest" && !all(resource).is_empty() {
        for wanted in kinds {
            let system = format!("{LOCAL}{wanted}/{organization}");
            let has = |one: &Map<String, Value>| one.get("system").and_then(Value::as_str) == Some(system.as_str());
            if !all(resource).iter().any(|(_, one)| has(one)) {
                let complaint = Complaint::missing(rule, &format!("MedicationRequest.identifier {wanted}"));
                found.push(Complaint { path: Some("MedicationRequest.identifier".to_owned()), ..complaint });
            }
        }
    }
}

/// What makes a resource unique: `Type|system|value` of each local identifier. Several items share one prescription
/// number, so that one does not count.
pub(in crate::simulator) fn business_keys(kind: &str, resource: &Map<String, Value>) -> Vec<String> {
    let text = |identifier: &Map<String, Value>, name: &str| {
        identifier.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let identifiers = all(resource).into_iter().map(|(_, one)| (text(one, "system"), text(one, "value")));
    let local = identifiers.filter(|(system, value)| {
        let name = system.strip_prefix(LOCAL).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        !value.is_empty() && !name.is_empty() && name != "prescription" && name != "creator"
    });
    local.map(|(system, value)| format!("{kind}|{system}|{value}")).collect()
}

/// The organisation number named by the first local identifier, from which an open simulator learns who writes.
pub(in crate::simulator) fn organization_named(resource: &Map<String, Value>) -> Option<String> {
    all(resource).into_iter().find_map(|(_, identifier)| {
        let (_, number) = identifier.get("system")?.as_str()?.strip_prefix(LOCAL)?.split_once('/')?;
        (!number.is_empty()).then(|| number.to_owned())
    })
}
