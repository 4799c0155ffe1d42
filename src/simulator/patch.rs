//! PATCH: the few JSON Patch operations the platform was seen to take (satusehat-api.md, sections 3.1 and 7).
//!
//! It must not judge the result; that is the validator's part.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::outcome::{Complaint, Reply};
use super::write::Desk;

/// The content type a patch must have.
const PATCH_JSON: &str = "application/json-patch+json";
/// Members of a Patient that a patch must test before it changes anything.
const TESTED: [&str; 3] = ["name", "gender", "birthDate"];

/// One operation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operation {
    op: String,
    path: String,
    #[serde(default)]
    value: Value,
}

impl Desk<'_> {
    /// PATCH of one resource.
    pub(super) fn patch(&mut self, kind: &str, id: &str, body: &[u8], content_type: Option<&str>) -> Reply {
        let named = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !named.eq_ignore_ascii_case(PATCH_JSON) {
            let text = format!("content type must be {PATCH_JSON}");
            return Reply::refused(400, &[Complaint::stored("invalid_headers", &text)]);
        }
        let operations: Vec<Operation> = match serde_json::from_slice(body) {
            Ok(operations) => operations,
            Err(_) => return Reply::refused(400, &[Complaint::unparseable(kind, "not a list of patch operations")]),
        };
        if kind == "Patient" {
            return self.patch_person(id, &operations);
        }
        let Some(record) = self.state.store.get(kind, id) else { return Reply::not_found(kind, id) };
        if let Some(complaint) = particular(kind, &operations) {
            return Reply::refused(400, &[complaint]);
        }
        let mut whole = Value::Object(record.resource.clone());
        if let Some(complaint) = operations.iter().find_map(|operation| apply(kind, &mut whole, operation)) {
            return Reply::refused(400, &[complaint]);
        }
        match whole {
            Value::Object(resource) if resource.get("id").and_then(Value::as_str) == Some(id) => {
                self.replace(kind, id, resource)
            }
            _ => Reply::refused(400, &[Complaint::stored("resource_mismatch", "the id must not change")]),
        }
    }

    /// PATCH of a person: the way a NIK is added later.
    fn patch_person(&mut self, id: &str, operations: &[Operation]) -> Reply {
        let Some(person) = self.state.patients.with_ihs(id) else { return Reply::not_found("Patient", id) };
        let known = json!({"name": [{"text": person.name}], "gender": person.gender, "birthDate": person.birth_date});
        let mut wrong = Vec::new();
        for member in TESTED {
            let tests = operations.iter().filter(|operation| operation.op == "test");
            let mut tests = tests.filter(|test| test.path.trim_start_matches('/').split('/').next() == Some(member));
            let message = match tests.next() {
                None => format!("Test operation for '{member}' can not be empty"),
                Some(test) if !agrees(known.get(member), test) => format!("Test operation for '{member}' failed"),
                Some(_) => continue,
            };
            let property = format!("test:{member}");
            wrong.push(json!({"property": property, "message": message, "valid": false, "mandatory": true}));
        }
        if !wrong.is_empty() {
            // The HTTP status was not recorded, only the code inside the body.
            let body = json!({"code": 400, "error": true, "message": "Bad Request", "data": {"validation": wrong}});
            return Reply::json(400, &body);
        }
        let nik = operations.iter().filter(|operation| operation.op != "test").find_map(nik_in);
        if let Some(nik) = nik {
            self.state.patients.identify(id, nik);
        }
        self.state.stats.updates += 1;
        Reply::json(200, &json!({"code": 200, "error": false, "message": "Success", "data": {"patient_id": id}}))
    }
}

/// A civil number that an operation brings.
fn nik_in(operation: &Operation) -> Option<String> {
    let listed = match &operation.value {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    let is_nik = |one: &&Value| one.get("system").and_then(Value::as_str) == Some("https://fhir.kemkes.go.id/id/nik");
    listed.into_iter().find(is_nik)?.get("value")?.as_str().map(str::to_owned)
}

/// Compares a tested value with what is known; a name may be tested as a whole or by its text.
fn agrees(known: Option<&Value>, test: &Operation) -> bool {
    let text = |value: &Value| value.pointer("/0/text").or_else(|| value.get("text")).unwrap_or(value).clone();
    known.is_some_and(|known| text(known) == text(&test.value))
}

/// What was seen to be refused for one type only.
fn particular(kind: &str, operations: &[Operation]) -> Option<Complaint> {
    let changes =
        |path: &str| operations.iter().any(|one| one.path == path || one.path.starts_with(&format!("{path}/")));
    if kind == "Location" && changes("/operationalStatus/system") {
        let text = "Use /operationalStatus instead of /operationalStatus/system";
        return Some(Complaint::rule("value", text, 10171, "Location.operationalStatus"));
    }
    if kind == "EpisodeOfCare" && !changes("/patient") {
        let text = "EpisodeOfCare.status :: patient reference can't be empty";
        return Some(Complaint::rule("value", text, 0, "EpisodeOfCare.status"));
    }
    None
}

/// Carries out one operation on a resource.
fn apply(kind: &str, whole: &mut Value, operation: &Operation) -> Option<Complaint> {
    let broken = |text: &str| Some(Complaint::unparseable(kind, &format!("{text}: {}", operation.path)));
    if operation.op == "test" {
        let same = whole.pointer(&operation.path) == Some(&operation.value);
        return if same { None } else { broken("the tested value differs") };
    }
    let Some((parent, name)) = operation.path.rsplit_once('/') else { return broken("not a path") };
    let name = name.replace("~1", "/").replace("~0", "~");
    let Some(parent) = whole.pointer_mut(parent) else { return broken("there is no such place") };
    let done = match (operation.op.as_str(), parent) {
        ("add", Value::Object(members)) => put(members, name, &operation.value),
        ("replace", Value::Object(members)) => members.contains_key(&name) && put(members, name, &operation.value),
        ("remove", Value::Object(members)) => members.remove(&name).is_some(),
        (op, Value::Array(items)) => in_list(op, items, &name, &operation.value),
        _ => return broken("this operation is not known"),
    };
    if done { None } else { broken("there is no such place") }
}

fn put(members: &mut Map<String, Value>, name: String, value: &Value) -> bool {
    members.insert(name, value.clone());
    true
}

fn in_list(op: &str, items: &mut Vec<Value>, name: &str, value: &Value) -> bool {
    let place = if name == "-" && op == "add" { Some(items.len()) } else { name.parse::<usize>().ok() };
    match (op, place) {
        ("add", Some(place)) if place <= items.len() => items.insert(place, value.clone()),
        ("replace", Some(place)) => match items.get_mut(place) {
            Some(item) => *item = value.clone(),
            None => return false,
        },
        ("remove", Some(place)) if place < items.len() => drop(items.remove(place)),
        _ => return false,
    }
    true
}
