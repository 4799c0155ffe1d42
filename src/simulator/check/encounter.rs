//! What only a visit has to fulfil: who it belongs to, and what a finished visit must hold.
//!
//! It must not repeat what the walk by rule data already finds.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::simulator::outcome::Complaint;

/// Checks a visit.
pub(super) fn check(visit: &Map<String, Value>, organization: &str, found: &mut Vec<Complaint>) {
    let provider = visit.get("serviceProvider").and_then(|provider| provider.get("reference")).and_then(Value::as_str);
    if provider.is_some_and(|provider| provider != format!("Organization/{organization}")) {
        let text = "wrong organization ID provided by serviceProvider";
        found.push(Complaint::rule("value", text, 0, "Encounter.serviceProvider"));
    }
    if visit.get("status").and_then(Value::as_str) == Some("finished") {
        finished(visit, found);
    }
}

fn finished(visit: &Map<String, Value>, found: &mut Vec<Complaint>) {
    let moment = |of: &Value, name: &str| of.get(name)?.as_str()?.parse::<Timestamp>().ok();
    if let Some(period) = visit.get("period") {
        match (moment(period, "start"), moment(period, "end")) {
            (Some(start), Some(end)) if end == start => {
                let text = "Invalid date time value : Encounter.period.end must be later than start";
                found.push(Complaint::rule("value", text, 10121, "Encounter.period.end"));
            }
            _ if period.get("end").is_none() => found.push(Complaint::missing(10121, "Encounter.period.end")),
            _ => {}
        }
    }
    let history = visit.get("statusHistory").and_then(Value::as_array);
    let open = history.into_iter().flatten().any(|item| {
        let has = |name: &str| item.get("period").and_then(|period| period.get(name)).is_some();
        !has("start") || !has("end")
    });
    if open {
        let text = "every statusHistory period start and end must be filled";
        found.push(Complaint::rule("value", text, 10122, "Encounter.statusHistory"));
    }
    let diagnoses = visit.get("diagnosis").and_then(Value::as_array);
    let Some(diagnoses) = diagnoses.filter(|list| !list.is_empty()) else {
        found.push(Complaint::missing(10457, "Encounter.diagnosis"));
        return;
    };
    let discharge = diagnoses.iter().any(|diagnosis| super::has_code(diagnosis.get("use"), &["DD"]));
    if !discharge {
        found.push(Complaint::missing(10457, "Encounter.diagnosis.use"));
    }
}
