//! Statements about medication: written in a visit or alone, found again, and refused by the rule they break.

use serde_json::{Value, json};

use super::server::{Server, options};
use super::visit::{self, ORGANIZATION, PATIENT};

/// A visit that ends with a statement.
fn bundle(name: &str) -> Value {
    let mut bundle = visit::bundle(name);
    let visit = json!({"reference": bundle["entry"][0]["fullUrl"]});
    bundle["entry"].as_array_mut().unwrap().push(json!({
        "fullUrl": "urn:uuid:00000000-0000-4000-8000-0000000000ff", "resource": visit::statement(name, &visit),
        "request": {"method": "POST", "url": "MedicationStatement"},
    }));
    bundle
}

#[tokio::test]
async fn a_statement_rides_in_a_visit_and_is_found_by_visit_and_patient() {
    let server = Server::ready(options()).await;
    let answer = server.post("", &bundle("a")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    let encounter = body["entry"][0]["response"]["resourceID"].as_str().unwrap();
    let id = body["entry"][9]["response"]["resourceID"].as_str().unwrap();
    let read = server.get(&format!("/MedicationStatement/{id}"), &[]).await.json();
    assert_eq!(read["context"]["reference"], format!("Encounter/{encounter}"));
    for (context, subject, total) in [(encounter, PATIENT, 1), ("another", PATIENT, 0), (encounter, "P99999999999", 0)]
    {
        let query = [("context", context), ("subject", subject)];
        assert_eq!(server.get("/MedicationStatement", &query).await.json()["total"], total, "{query:?}");
    }
}

#[tokio::test]
async fn a_statement_is_written_once_and_updated_alone() {
    let server = Server::ready(options()).await;
    let body = server.post("", &visit::bundle("a")).await.json();
    let encounter = format!("Encounter/{}", body["entry"][0]["response"]["resourceID"].as_str().unwrap());
    let mut statement = visit::statement("late", &json!({"reference": encounter}));
    let created = server.post("/MedicationStatement", &statement).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let again = server.post("/MedicationStatement", &statement).await;
    assert!(again.text.contains("Found duplicate: MedicationStatement (RuleNumber: 20002)"), "{}", again.text);
    statement["id"] = created.json()["id"].clone();
    statement["status"] = json!("not-taken");
    let updated = server.put(&format!("/MedicationStatement/{}", statement["id"].as_str().unwrap()), &statement).await;
    assert_eq!((updated.status, &updated.json()["meta"]["versionId"]), (200, &json!("2")));
}

#[tokio::test]
async fn a_statement_that_breaks_a_rule_is_refused_with_its_number() {
    let server = Server::ready(options()).await;
    let system = |kind: &str, organization: &str| json!(format!("http://sys-ids.kemkes.go.id/{kind}/{organization}"));
    let cases = [
        ("/status", Value::Null, "10159"),
        ("/status", json!("done"), "10159"),
        (
            "/medicationCodeableConcept",
            Value::Null,
            "Element not found: MedicationStatement.medication[x] (RuleNumber: 10160)",
        ),
        ("/subject", Value::Null, "10161"),
        ("/dateAsserted", Value::Null, "10299"),
        ("/dateAsserted", json!("2026-11-18"), "10299"),
        ("/dateAsserted", json!("2026-11-19T00:00:00+00:00"), "10299"),
        ("/medicationCodeableConcept/coding/0/system", json!("http://x"), "10433"),
        ("/category/coding/0/system", json!("http://x"), "10436"),
        ("/category/coding/0/code", json!("posyandu"), "10436"),
        ("/context", Value::Null, "10438"),
        ("/context/reference", json!(format!("Patient/{PATIENT}")), "10438"),
        ("/informationSource", Value::Null, "10439"),
        ("/informationSource/reference", json!("Location/x"), "10439"),
        ("/identifier/0/system", system("medicationstatement", "1"), "10445"),
        ("/identifier/0/system", system("medication", ORGANIZATION), "10445"),
        ("/effectivePeriod", json!({"start": "2026-11-18T02:00:00+00:00"}), "second value of the same choice"),
        ("/medication", json!("x"), "unknown field"),
    ];
    for (pointer, value, expected) in cases {
        let mut bundle = bundle("a");
        let statement = &mut bundle["entry"][9]["resource"];
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = statement.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Value::Null => drop(parent.remove(name)),
            ref value => drop(parent.insert(name.to_owned(), value.clone())),
        }
        let answer = server.post("", &bundle).await;
        assert_eq!(answer.status, 400, "{pointer} {value}: {}", answer.text);
        assert!(answer.text.contains(expected), "{pointer} {value}: {}", answer.text);
    }
    assert_eq!(server.simulator.stats().creates, 0);
}
