//! Each rule refuses what it should: one change to a good visit, one rule number in the answer.

use serde_json::{Value, json};

use super::server::{Server, options};
use super::visit;

/// Entry, pointer inside its resource, new value (null removes), and what the answer must say.
type Case = (usize, &'static str, Value, &'static str);

fn change(bundle: &mut Value, entry: usize, pointer: &str, value: Value) {
    let resource = &mut bundle["entry"][entry]["resource"];
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() { resource } else { resource.pointer_mut(parent).unwrap() };
    if value.is_null() {
        assert!(parent.as_object_mut().unwrap().remove(name).is_some(), "{pointer}");
    } else if let Ok(position) = name.parse::<usize>() {
        parent[position] = value;
    } else {
        parent[name] = value;
    }
}

async fn refuse_each(cases: Vec<Case>) {
    let server = Server::ready(options()).await;
    for (entry, pointer, value, expected) in cases {
        let mut bundle = visit::bundle("a");
        change(&mut bundle, entry, pointer, value.clone());
        let answer = server.post("", &bundle).await;
        assert_eq!(answer.status, 400, "{entry} {pointer} {value}: {}", answer.text);
        assert!(answer.text.contains(expected), "{entry} {pointer} {value}: {}", answer.text);
        assert_eq!(answer.json()["resourceType"], "OperationOutcome");
    }
    assert_eq!(server.simulator.stats().creates, 0);
}

#[tokio::test]
async fn a_visit_that_breaks_a_rule_is_refused_with_its_number() {
    let org = |number: &str| json!(format!("http://sys-ids.kemkes.go.id/encounter/{number}"));
    let code = |code: &str| json!({"coding": [{"system": "http://x", "code": code}]});
    refuse_each(vec![
        (0, "/identifier", Value::Null, "Element not found: Encounter.identifier (RuleNumber: 10117)"),
        (0, "/identifier/0/system", org("999"), "Wrong organization ID provided by system URL"),
        (0, "/identifier/0/system", json!("http://elsewhere/1"), "Invalid identifier system: "),
        (0, "/identifier/0/value", Value::Null, "Identifier value not found"),
        (0, "/class", Value::Null, "10001"),
        (0, "/class/system", json!("http://x"), "Invalid coding system: http://x (RuleNumber: 10002)"),
        (0, "/class/code", json!("ABC"), "Code not found: 'ABC'"),
        (0, "/subject", Value::Null, "Reference is mandatory : Encounter.subject (RuleNumber: 10118)"),
        (0, "/subject/reference", json!("Patient/P99999999999"), "reference target(s) not found: Patient/P99999999999"),
        (0, "/subject/reference", json!("Patient/12"), "Wrong reference ID format"),
        (0, "/participant", Value::Null, "10336"),
        (0, "/participant/0/individual", Value::Null, "10119"),
        (0, "/location", Value::Null, "10120"),
        (0, "/period/end", Value::Null, "10121"),
        (0, "/period/end", json!("2026-11-18T02:00:00+00:00"), "10121"),
        (0, "/period/end", json!("2026-11-18T01:00:00+00:00"), "fhirpath-constraint-violation-Encounter.period"),
        (0, "/period/start", json!("2026-11-18T09:00:00+07:00"), "Invalid date time format"),
        (0, "/period/end", json!("2026-11-19T09:00:00+00:00"), "Invalid date time value"),
        (0, "/period/start", json!("2014-06-02T09:00:00+00:00"), "Invalid date time value"),
        (0, "/statusHistory", Value::Null, "10122"),
        (0, "/statusHistory/1/period/end", Value::Null, "every statusHistory period"),
        (0, "/serviceProvider", Value::Null, "10124"),
        (0, "/serviceProvider/reference", json!("Organization/1"), "wrong organization ID provided by serviceProvider"),
        (0, "/diagnosis", Value::Null, "10457"),
        (0, "/diagnosis/0/use", code("DD"), "10317"),
        (0, "/status", json!("done"), "Code not found: 'done'"),
        (0, "/colour", json!("red"), "unparseable_resource"),
        (0, "/participant", json!([]), "invalid value (expected a"),
        (0, "/status", json!(""), "Text is empty"),
    ])
    .await;
}

#[tokio::test]
async fn an_observation_that_breaks_a_rule_is_refused_with_its_number() {
    let organization = format!("Organization/{}", visit::ORGANIZATION);
    refuse_each(vec![
        (1, "/clinicalStatus", Value::Null, "10006"),
        (1, "/category/0/coding/0/system", json!("http://x"), "10007"),
        (1, "/code/coding/0/code", json!("nonsense"), "10003"),
        (1, "/encounter", Value::Null, "10126"),
        (2, "/performer/0/reference", json!(organization), "10383"),
        (2, "/performer", Value::Null, "10383"),
        (2, "/effectiveDateTime", Value::Null, "10295"),
        (2, "/effectiveDateTime", json!("2026-11-18"), "10295"),
        (2, "/issued", Value::Null, "10296"),
        (2, "/category", Value::Null, "10009"),
        (2, "/category/0/coding/0/code", json!("growth"), "10009"),
        (2, "/code/coding/0/system", json!("http://local"), "10010"),
        (2, "/valueQuantity/system", json!("http://local"), "10012"),
        (2, "/valueQuantity/code", Value::Null, "10012"),
        (2, "/valueQuantity/value", json!("10.5"), "Integer formated as a string"),
        (2, "/valueString", json!("x"), "second value of the same choice"),
        (
            2,
            "/encounter/reference",
            json!("urn:uuid:00000000-0000-4000-8000-999999999999"),
            "reference target(s) not found",
        ),
        (2, "/identifier/0/system", json!("http://sys-ids.kemkes.go.id/observation/1"), "10441"),
        (4, "/code/coding/0/system", json!("http://loinc.org"), "10015"),
        (4, "/category", Value::Null, "10013"),
        (4, "/performer", Value::Null, "10399"),
        (6, "/questionnaire", json!("https://example.org/Q1"), "10169"),
        (6, "/authored", Value::Null, "10373"),
        (6, "/source", Value::Null, "10372"),
        (7, "/code/coding/0/system", json!("http://x"), "10024"),
        (8, "/quantity/system", json!("http://x"), "10050"),
        (8, "/context", Value::Null, "10390"),
        (8, "/identifier", Value::Null, "10389"),
    ])
    .await;
}

#[tokio::test]
async fn an_immunisation_that_breaks_a_rule_is_refused_with_its_number() {
    refuse_each(vec![
        (5, "/lotNumber", Value::Null, "10306"),
        (5, "/expirationDate", Value::Null, "10307"),
        (5, "/expirationDate", json!("2026-11-18"), "10307"),
        (5, "/location", Value::Null, "10305"),
        (5, "/performer/0/function/coding/0/code", json!("EP"), "10106"),
        (5, "/performer/0/function", Value::Null, "Performer function must contains code"),
        (5, "/primarySource", json!(false), "10307"),
        (5, "/primarySource", Value::Null, "10292"),
        (5, "/recorded", Value::Null, "10451"),
        (5, "/reasonCode", Value::Null, "10105"),
        (5, "/reasonCode/0/coding/1/code", json!("IM-Sometime"), "10105"),
        (5, "/protocolApplied", Value::Null, "10450"),
        (5, "/protocolApplied/0/doseNumberPositiveInt", Value::Null, "10456"),
        (5, "/vaccineCode/coding/0/code", json!("92000001"), "10103"),
        (5, "/vaccineCode/coding/0/system", json!("http://x"), "10103"),
        (5, "/status", json!("not-done"), "10108"),
    ])
    .await;
}

#[tokio::test]
async fn the_accepted_ways_to_report_a_dose_pass() {
    let server = Server::ready(options()).await;
    let origin = |code: &str| json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/immunization-origin", "code": code}]});
    let mut history = visit::told_by_kader();
    history["primarySource"] = json!(false);
    history["reportOrigin"] = origin("record");
    let mut refused = visit::told_by_kader();
    refused["status"] = json!("not-done");
    refused["performer"][0]["function"]["coding"][0]["code"] = json!("OP");
    refused["statusReason"] = json!({"coding": [{
        "system": "http://terminology.kemkes.go.id/CodeSystem/immunization-statusReason", "code": "IS000001",
    }]});
    for (name, dose) in [("kader", visit::told_by_kader()), ("history", history), ("refused", refused)] {
        let mut bundle = visit::bundle(name);
        bundle["entry"][5]["resource"] = dose;
        let answer = server.post("", &bundle).await;
        assert_eq!(answer.status, 200, "{name}: {}", answer.text);
    }
}

#[tokio::test]
async fn the_envelope_of_a_bundle_is_checked() {
    let server = Server::ready(options()).await;
    let nested = json!({"resourceType": "Bundle", "type": "transaction", "entry": []});
    for (pointer, value, rule) in [
        ("/entry/1/fullUrl", json!("urn:oid:1.2"), 20017),
        ("/entry/1/fullUrl", json!("https://example.org/1"), 20018),
        ("/entry/1/fullUrl", json!("urn:uuid:1"), 20019),
        ("/entry/1/fullUrl", json!("urn:uuid:00000000-0000-4000-8000-000000000000"), 20020),
        ("/entry/1/fullUrl", json!(""), 20021),
        ("/entry/1/resource", nested, 20011),
    ] {
        let mut bundle = visit::bundle("a");
        *bundle.pointer_mut(pointer).unwrap() = value;
        let answer = server.post("", &bundle).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text.contains(&format!("(RuleNumber: {rule})")), "{rule}: {}", answer.text);
    }
}
