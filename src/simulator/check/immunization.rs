//! What only an immunisation has to fulfil: given by a health worker, told by a kader, taken from history, or not given
//! (satusehat-api.md, section 3.3; satusehat-profiles.md, section 4.3).
//!
//! It must not repeat what the walk by rule data already finds.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::value;
use crate::simulator::outcome::Complaint;

const REASON: &str = "http://terminology.kemkes.go.id/CodeSystem/immunization-reason";
const TIMING: &str = "http://terminology.kemkes.go.id/CodeSystem/immunization-routine-timing";
const KFA: &str = "http://sys-ids.kemkes.go.id/kfa";

/// Checks an immunisation.
pub(super) fn check(dose: &Map<String, Value>, found: &mut Vec<Complaint>) {
    reasons(dose, found);
    products(dose, found);
    let performers = dose.get("performer").and_then(Value::as_array);
    let function = |codes: &[&str]| {
        let list = performers.into_iter().flatten();
        list.map(|performer| performer.get("function")).any(|function| super::has_code(function, codes))
    };
    let primary = dose.get("primarySource").and_then(Value::as_bool);
    let origin = super::has_code(dose.get("reportOrigin"), &["provider", "record", "recall", "school", "jurisdiction"]);
    if dose.get("status").and_then(Value::as_str) == Some("not-done") {
        if !dose.contains_key("statusReason") {
            found.push(Complaint::missing(10108, "Immunization.statusReason"));
        }
        if primary == Some(true) && !function(&["OP", "AP", "EP"]) {
            wrong_function("AP or OP", found);
        }
        return;
    }
    if !dose.contains_key("location") {
        found.push(Complaint::reference(10305, "Immunization.location"));
    }
    match primary {
        Some(true) if function(&["AP", "OP"]) => given(dose, found),
        // The kader's report: entered, not given, by this organisation.
        Some(true) if function(&["EP"]) && super::has_code(dose.get("reportOrigin"), &["provider"]) => {}
        Some(true) if function(&["EP"]) => found.push(Complaint::missing(10106, "Immunization.reportOrigin")),
        Some(true) => wrong_function("AP or OP", found),
        Some(false) => {
            if !function(&["EP"]) {
                wrong_function("EP", found);
            }
            if !origin {
                found.push(Complaint::missing(10106, "Immunization.reportOrigin"));
            }
        }
        None => {}
    }
}

fn given(dose: &Map<String, Value>, found: &mut Vec<Complaint>) {
    if !dose.contains_key("lotNumber") {
        found.push(Complaint::missing(10306, "Immunization.lotNumber"));
    }
    let Some(expiry) = dose.get("expirationDate").and_then(Value::as_str) else {
        found.push(Complaint::missing(10307, "Immunization.expirationDate"));
        return;
    };
    let occurrence =
        dose.get("occurrenceDateTime").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
    if let (Some(expiry), Some(occurrence)) = (value::date(expiry), occurrence)
        && expiry <= jiff::tz::TimeZone::UTC.to_datetime(occurrence).date()
    {
        let text = "Invalid date time value : Immunization.expirationDate must be later than the occurrence";
        found.push(Complaint::rule("value", text, 10307, "Immunization.expirationDate"));
    }
}

fn wrong_function(codes: &str, found: &mut Vec<Complaint>) {
    let text = format!("Performer function must contains code {codes}");
    found.push(Complaint::rule("value", &text, 10307, "Immunization.performer"));
}

fn reasons(dose: &Map<String, Value>, found: &mut Vec<Complaint>) {
    let Some(list) = dose.get("reasonCode").and_then(Value::as_array) else { return };
    let codings: Vec<(&str, &str)> = list.iter().flat_map(|reason| super::codings(Some(reason))).collect();
    if !codings.iter().any(|(system, _)| *system == REASON) {
        found.push(Complaint::missing(10105, "Immunization.reasonCode"));
    }
    for (system, code) in codings {
        let known = match system {
            REASON => code.starts_with("IM-"),
            TIMING => matches!(code, "IM-Ideal" | "IM-Kejar"),
            _ => true,
        };
        if !known {
            let text = format!("Code not found: '{code}' in system: {system}");
            found.push(Complaint::rule("value", &text, 10105, "Immunization.reasonCode"));
        }
    }
}

/// Templates (92…) and ingredients (91…) cannot be given.
fn products(dose: &Map<String, Value>, found: &mut Vec<Complaint>) {
    for (system, code) in super::codings(dose.get("vaccineCode")) {
        if system == KFA && !code.starts_with("93") && !code.starts_with("VG") {
            let text = format!("Code not found: '{code}' in system: {system}");
            found.push(Complaint::rule("value", &text, 10103, "Immunization.vaccineCode"));
        }
    }
}
