//! What the simulator does behind settings: lag, duplicates, consent, masks, methods, limits, and changes by PATCH.

use serde_json::{Value, json};

use super::desk::Desk;
use super::visit::{self, ORGANIZATION, PATIENT};

/// `Type/id` of an entry of an answered Bundle.
fn name(answer: &Value, entry: usize) -> String {
    let response = &answer["entry"][entry]["response"];
    format!("{}/{}", response["resourceType"].as_str().unwrap(), response["resourceID"].as_str().unwrap())
}

#[tokio::test]
async fn a_search_finds_a_write_after_so_many_calls() {
    let desk = Desk::scripted("settings: {index_lag_calls: 2}").await;
    desk.post("", &visit::bundle("a")).await;
    let mut totals = Vec::new();
    for _ in 0..3 {
        totals.push(desk.get("/Encounter").await.json()["total"].as_u64().unwrap());
    }
    assert_eq!(totals, [0, 0, 1]);
}

#[tokio::test]
async fn a_type_may_be_freed_of_the_duplicate_rule() {
    let desk = Desk::scripted("settings: {duplicates_allowed: [Observation]}").await;
    let encounter = name(&desk.post("", &visit::bundle("a")).await.json(), 0);
    let mut weight = visit::weight("late");
    weight["encounter"]["reference"] = json!(encounter);
    for _ in 0..2 {
        assert_eq!(desk.post("/Observation", &weight).await.status, 201);
    }
    assert_eq!(desk.post("", &visit::bundle("a")).await.status, 400);
    assert_eq!(desk.simulator.stats().duplicates_live, 1);
}

#[tokio::test]
async fn data_of_a_patient_without_consent_are_written_and_not_shown() {
    let desk = Desk::scripted(&format!("settings: {{hidden_patients: [{PATIENT}]}}")).await;
    let encounter = name(&desk.post("", &visit::bundle("a")).await.json(), 0);
    let read = desk.get(&format!("/{encounter}")).await;
    assert_eq!((read.status, &read.json()["issue"][0]["code"]), (200, &json!("suppressed")));
    let found = desk.get(&format!("/Encounter?subject={PATIENT}")).await.json();
    let shown = &found["entry"][0]["resource"];
    assert_eq!((&found["total"], &shown["resourceType"]), (&json!(1), &json!("OperationOutcome")));
    assert!(shown["issue"][0]["diagnostics"].as_str().unwrap().contains(&encounter));
    let medication = desk.get("/Medication").await.json();
    assert_eq!(medication["entry"][0]["resource"]["resourceType"], "Medication");
    assert_eq!(desk.simulator.stats().creates, 9);
}

#[tokio::test]
async fn names_are_masked_in_what_is_read_back() {
    let desk = Desk::scripted("settings: {masked_names: true}").await;
    let encounter = name(&desk.post("", &visit::bundle("a")).await.json(), 0);
    assert_eq!(desk.get(&format!("/{encounter}")).await.json()["subject"]["display"], "PA** CO** DU**");
}

#[tokio::test]
async fn methods_that_were_never_seen_are_served_unless_told_otherwise() {
    let patch = json!([{"op": "replace", "path": "/clinicalStatus/coding/0/code", "value": "resolved"}]);
    for (script, status) in [("{}", 200), ("settings: {only_seen_methods: true}", 404)] {
        let desk = Desk::scripted(script).await;
        let condition = name(&desk.post("", &visit::bundle("a")).await.json(), 1);
        assert_eq!(desk.patch(&format!("/{condition}"), &patch).await.status, status, "{script}");
    }
}

#[tokio::test]
async fn a_long_bundle_is_too_large_and_its_halves_are_not() {
    let desk = Desk::scripted("settings: {bundle_entries_max: 8}").await;
    assert_eq!(desk.post("", &visit::bundle("a")).await.status, 413);
    let mut half = visit::bundle("a");
    half["entry"].as_array_mut().unwrap().truncate(6);
    assert_eq!(desk.post("", &half).await.status, 200);
    assert_eq!(desk.simulator.stats().creates, 6);
}

#[tokio::test]
async fn a_daily_quota_and_a_quota_a_minute_hold_together() {
    let desk = Desk::scripted(
        "settings:\n  token_lifetime_seconds: 90000\n  quotas:\n    - {calls: 2, seconds: 60, window: sliding}\n    - {calls: 3, seconds: 86400, window: \
         fixed, status: 500, violation: quota}\n",
    )
    .await;
    let mut seen = Vec::new();
    for wait_seconds in [0, 0, 0, 60, 60, 7 * 3600, 7 * 3600] {
        desk.clock.advance(std::time::Duration::from_secs(wait_seconds));
        seen.push(desk.get("/Patient").await.status);
    }
    assert_eq!(seen, [200, 200, 429, 200, 500, 500, 200]);
    assert_eq!(desk.simulator.stats().calls["throttled"], 3);
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_is_judged_like_a_whole_resource() {
    let desk = Desk::scripted("{}").await;
    let weight = name(&desk.post("", &visit::bundle("a")).await.json(), 2);
    let path = format!("/{weight}");
    let patched = desk
        .patch(
            &path,
            &json!([
                {"op": "test", "path": "/status", "value": "final"},
                {"op": "replace", "path": "/status", "value": "entered-in-error"},
                {"op": "add", "path": "/note", "value": [{"text": "salah orang"}]},
                {"op": "remove", "path": "/valueQuantity"},
            ]),
        )
        .await;
    assert_eq!(patched.status, 200, "{}", patched.text());
    let read = desk.get(&path).await.json();
    assert_eq!((&read["status"], &read["meta"]["versionId"]), (&json!("entered-in-error"), &json!("2")));
    assert!(read.get("valueQuantity").is_none() && read["note"][0]["text"] == "salah orang");
    for (operation, text) in [
        (json!({"op": "test", "path": "/status", "value": "final"}), "the tested value differs"),
        (json!({"op": "replace", "path": "/nothing/there", "value": 1}), "no such place"),
        (json!({"op": "move", "path": "/status", "from": "/x"}), "not a list of patch operations"),
        (json!({"op": "replace", "path": "/status", "value": "done"}), "10008"),
        (json!({"op": "replace", "path": "/id", "value": "x"}), "resource_mismatch"),
    ] {
        let refused = desk.patch(&path, &json!([operation])).await;
        assert_eq!(refused.status, 400, "{operation}");
        assert!(refused.text().contains(text), "{operation}: {}", refused.text());
    }
    assert_eq!(desk.patch("/Observation/none", &json!([])).await.status, 404);
}

#[tokio::test]
async fn a_civil_number_that_comes_later_is_added_after_the_tests() {
    let desk = Desk::scripted("{}").await;
    let nik = json!([{"system": "https://fhir.kemkes.go.id/id/nik", "value": "1001014512990001", "use": "official"}]);
    let test = |path: &str, value: Value| json!({"op": "test", "path": path, "value": value});
    let operations = |birth: &str| {
        json!([
            test("/name", json!([{"text": "PASIEN CONTOH DUA"}])), test("/gender", json!("female")),
            test("/birthDate", json!(birth)), {"op": "replace", "path": "/identifier", "value": nik},
        ])
    };
    let path = format!("/Patient/{PATIENT}");
    let refused = desk.patch(&path, &operations("2000-04-09")).await;
    assert_eq!(refused.json()["data"]["validation"][0]["property"], "test:birthDate");
    let accepted = desk.patch(&path, &operations("2000-04-08")).await;
    assert_eq!((accepted.status, &accepted.json()["data"]["patient_id"]), (200, &json!(PATIENT)));
    let search = "/Patient?identifier=https://fhir.kemkes.go.id/id/nik%7C";
    assert_eq!(desk.get(&format!("{search}1001014512990001")).await.json()["entry"][0]["resource"]["id"], PATIENT);
    assert_eq!(desk.get(&format!("{search}9204014804000002")).await.json()["total"], 0);
}

#[tokio::test]
async fn the_documented_parameters_narrow_a_search() {
    let desk = Desk::scripted("{}").await;
    desk.post("", &visit::bundle("a")).await;
    for (search, total) in [
        (format!("Encounter?service-provider={ORGANIZATION}&date=2026-11-18"), 1),
        (format!("Encounter?service-provider={ORGANIZATION}&date=gt2026-11-18"), 0),
        ("Encounter?service-provider=1".to_owned(), 0),
        (format!("Condition?subject={PATIENT}&clinical-status=active"), 1),
        (format!("Condition?subject={PATIENT}&clinical-status=resolved"), 0),
        (format!("Condition?subject={PATIENT}&code=http://hl7.org/fhir/sid/icd-10%7CZ00.1"), 1),
        (format!("Condition?subject={PATIENT}&code=http://loinc.org%7CZ00.1"), 0),
        ("Observation?based-on=x".to_owned(), 0),
        (format!("Immunization?patient={PATIENT}&vaccineCode=http://sys-ids.kemkes.go.id/kfa%7CVG89"), 1),
        // Not known for this type, so ignored without a word.
        (format!("MedicationDispense?encounter=x&subject={PATIENT}"), 1),
    ] {
        assert_eq!(desk.get(&format!("/{search}")).await.json()["total"], total, "{search}");
    }
}

#[tokio::test]
async fn numbers_that_count_from_nought_are_not_negative() {
    let desk = Desk::scripted("{}").await;
    let item =
        |sequence: i64| json!({"resourceType": "MedicationRequest", "dosageInstruction": [{"sequence": sequence}]});
    assert!(desk.post("/MedicationRequest", &item(-1)).await.text().contains("(RuleNumber: 10340)"));
    assert!(!desk.post("/MedicationRequest", &item(0)).await.text().contains("(RuleNumber: 10340)"));
}

#[tokio::test]
async fn a_mother_is_written_beside_her_child_and_found_by_it() {
    let desk = Desk::scripted("{}").await;
    let mother = json!({
        "resourceType": "RelatedPerson", "active": true, "patient": {"reference": format!("Patient/{PATIENT}")},
        "identifier": [{"system": "https://fhir.kemkes.go.id/id/nik", "value": "1001014512990001"}],
        "relationship": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "code": "MTH"}]}],
        "name": [{"use": "official", "text": "Ibu Contoh"}], "gender": "female", "birthDate": "1999-12-05",
        "address": [{"line": ["Jl. Contoh"]}],
    });
    let created = desk.post("/RelatedPerson", &mother).await;
    assert_eq!(created.status, 201, "{}", created.text());
    let found = desk.get(&format!("/RelatedPerson?patient={PATIENT}")).await.json();
    assert_eq!(found["entry"][0]["resource"]["id"], created.json()["id"]);
    let mut childless = mother.clone();
    childless.as_object_mut().unwrap().remove("patient");
    assert!(desk.post("/RelatedPerson", &childless).await.text().contains("(RuleNumber: 10162)"));
}

#[tokio::test]
async fn what_was_read_can_be_written_back() {
    let desk = Desk::scripted("{}").await;
    let weight = name(&desk.post("", &visit::bundle("a")).await.json(), 2);
    let read = desk.get(&format!("/{weight}")).await.json();
    let written = desk.put(&format!("/{weight}"), &read).await;
    assert_eq!((written.status, &written.json()["meta"]["versionId"]), (200, &json!("2")), "{}", written.text());
}

#[tokio::test]
async fn places_are_found_by_name_and_by_what_stands_above() {
    let desk = Desk::scripted("{}").await;
    for (search, total) in [
        ("Location?name=posyandu".to_owned(), 1),
        ("Location?name=contoh".to_owned(), 0),
        (format!("Location?organization={ORGANIZATION}"), 1),
        ("Location?organization=1".to_owned(), 0),
        ("Organization?partof=1".to_owned(), 0),
    ] {
        assert_eq!(desk.get(&format!("/{search}")).await.json()["total"], total, "{search}");
    }
}
