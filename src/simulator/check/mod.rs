//! The strict validator, written from the ministry's published rules and FHIR R4, never from the gateway's own types.
//!
//! It must not change a resource or the store; it only says what is wrong with one resource.

pub(super) mod identifier;
pub(super) mod rules;
pub(super) mod value;

mod encounter;
mod immunization;
mod structure;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::outcome::Complaint;

/// What a resource is judged against.
pub(super) struct Setting<'a> {
    /// The caller's organisation number.
    pub organization: &'a str,
    /// The present moment; later ones are refused.
    pub now: Timestamp,
    /// Earlier moments are refused.
    pub floor: Timestamp,
    /// Offsets other than `+00:00` pass.
    pub other_offsets: bool,
    /// Tells whether `Type`, `id` exists.
    pub exists: &'a dyn Fn(&str, &str) -> bool,
}

/// Everything wrong with a resource; empty when it is acceptable.
pub(super) fn resource(kind: &str, resource: &Map<String, Value>, setting: &Setting<'_>) -> Vec<Complaint> {
    let Ok(rules) = rules::rules() else {
        return vec![Complaint::processor("exception", "unexpected internal error", 0)];
    };
    let mut walk = structure::Walk::new(rules, setting, kind, resource);
    walk.members(kind, resource, 0);
    let mut found = walk.complaints;
    identifier::check(kind, resource, setting.organization, &mut found);
    match kind {
        "Encounter" => encounter::check(resource, setting.organization, &mut found),
        "Immunization" => immunization::check(resource, &mut found),
        "QuestionnaireResponse" => questionnaire(resource, &mut found),
        _ => {}
    }
    // One layer speaks at a time: the store sees a resource only after the validator let it pass.
    if found.iter().any(|complaint| !complaint.store) {
        found.retain(|complaint| !complaint.store);
    }
    found
}

/// The ministry's questionnaires are named by a `Q` and a number; the printed list of rule 10169 is incomplete.
fn questionnaire(response: &Map<String, Value>, found: &mut Vec<Complaint>) {
    let Some(address) = response.get("questionnaire").and_then(Value::as_str) else { return };
    let number = address.strip_prefix("https://fhir.kemkes.go.id/Questionnaire/Q").unwrap_or_default();
    if !(3..=4).contains(&number.len()) || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        let text = format!("Code not found: '{address}' in system: https://fhir.kemkes.go.id/Questionnaire");
        found.push(Complaint::rule("value", &text, 10169, "QuestionnaireResponse.questionnaire"));
    }
}

/// System and code of each coding of a CodeableConcept.
fn codings(concept: Option<&Value>) -> Vec<(&str, &str)> {
    let list = concept.and_then(|concept| concept.get("coding")).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .map(|coding| {
            let member = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
            (member("system"), member("code"))
        })
        .collect()
}

/// True when a CodeableConcept holds one of the codes.
fn has_code(concept: Option<&Value>, codes: &[&str]) -> bool {
    codings(concept).iter().any(|(_, code)| codes.contains(code))
}
