//! Single writes: creating, updating, registering a newborn, and the types that hardly ever ride in a visit.

use serde_json::{Value, json};

use super::server::{Server, options};
use super::visit::{self, MIDWIFE, ORGANIZATION, PATIENT, PLACE};

const MOTHER: &str = "https://fhir.kemkes.go.id/id/nik-ibu";
const DUMMY: &str = "9204014804000002";

fn organization() -> Value {
    json!({"reference": format!("Organization/{ORGANIZATION}")})
}

fn identifier(kind: &str, value: &str) -> Value {
    json!({"system": format!("http://sys-ids.kemkes.go.id/{kind}/{ORGANIZATION}"), "value": value})
}

fn posyandu() -> Value {
    json!({
        "resourceType": "Organization", "active": true, "identifier": [identifier("organization", "PSY-1")],
        "type": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/organization-type", "code": "team"}]}],
        "name": "Posyandu Contoh", "telecom": [{"system": "phone", "use": "work", "value": "0"}],
        "address": [{"use": "work", "type": "both", "line": ["Jl. Contoh"], "country": "ID"}], "partOf": organization(),
    })
}

fn place() -> Value {
    json!({
        "resourceType": "Location", "identifier": [identifier("location", "PSY-1")], "status": "active",
        "name": "Posyandu Contoh", "description": "Posyandu", "mode": "instance",
        "physicalType": {"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/location-physical-type", "code": "ro",
        }]},
        "managingOrganization": organization(),
    })
}

#[tokio::test]
async fn single_writes_answer_with_the_resource_and_updates_count_versions() {
    let server = Server::ready(options()).await;
    let bundle = server.post("", &visit::bundle("a")).await.json();
    let encounter = format!("Encounter/{}", bundle["entry"][0]["response"]["resourceID"].as_str().unwrap());
    let mut weight = visit::weight("late");
    weight["encounter"]["reference"] = json!(encounter);
    let created = server.post("/Observation", &weight).await;
    assert_eq!((created.status, created.header("etag")), (201, "W/\"1\""));
    assert!(created.header("location").starts_with("https://healthcare.googleapis.com/v1/projects/"));
    let id = created.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/Observation/{id}");
    assert_eq!(server.put(&path, &weight).await.json()["issue"][0]["details"]["text"], "resource_mismatch");
    weight["id"] = json!(id);
    weight["valueQuantity"]["value"] = json!(11.0);
    let updated = server.put(&path, &weight).await;
    assert_eq!((updated.status, &updated.json()["meta"]["versionId"]), (200, &json!("2")));
    assert_eq!(server.put(&format!("/Patient/{PATIENT}"), &json!({})).await.status, 404);
    assert_eq!(server.post("/Claim", &json!({})).await.status, 400);

    let urn = "urn:uuid:00000000-0000-4000-8000-00000000000a";
    weight["valueQuantity"]["value"] = json!(12);
    let entry = json!({"fullUrl": urn, "resource": weight, "request": {"method": "PUT", "url": &path[1..]}});
    let answer =
        server.post("", &json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]})).await.json();
    assert_eq!(
        (&answer["entry"][0]["response"]["status"], &answer["entry"][0]["response"]["etag"]),
        (&json!("200 OK"), &json!("W/\"3\""))
    );
    assert_eq!((server.simulator.stats().updates, server.dump().len()), (2, 10));
}

#[tokio::test]
async fn what_was_sent_without_identifier_comes_back_with_an_empty_list_and_other_key_order() {
    let server = Server::ready(options()).await;
    let mut bundle = visit::bundle("a");
    bundle["entry"][2]["resource"].as_object_mut().unwrap().remove("identifier");
    let answer = server.post("", &bundle).await.json();
    let id = answer["entry"][2]["response"]["resourceID"].as_str().unwrap();
    let read = server.get(&format!("/Observation/{id}"), &[]).await;
    assert!(read.text.starts_with("{\"category\":") && read.json()["identifier"] == json!([]), "{}", read.text);
    assert!(server.dump()[2].get("identifier").is_none());
}

#[tokio::test]
async fn a_visit_under_way_needs_no_end_and_no_diagnosis() {
    let server = Server::ready(options()).await;
    let mut encounter = visit::encounter("a");
    encounter["status"] = json!("in-progress");
    encounter["statusHistory"] = json!([{"status": "arrived", "period": {"start": "2026-11-18T02:00:00+00:00"}}]);
    encounter["period"].as_object_mut().unwrap().remove("end");
    encounter.as_object_mut().unwrap().remove("diagnosis");
    let created = server.post("/Encounter", &encounter).await;
    assert_eq!(created.status, 201, "{}", created.text);
}

#[tokio::test]
async fn a_posyandu_and_its_place_can_be_provided() {
    let server = Server::ready(options()).await;
    for (kind, resource, rule) in [("Organization", posyandu(), "10446"), ("Location", place(), "10447")] {
        let path = format!("/{kind}");
        let created = server.post(&path, &resource).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let value = format!("{}|PSY-1", resource["identifier"][0]["system"].as_str().unwrap());
        let found = server.get(&path, &[("identifier", &value)]).await.json();
        assert_eq!((&found["total"], &found["entry"][0]["resource"]["id"]), (&json!(1), &created.json()["id"]));
        assert_eq!(server.post(&path, &resource).await.json()["issue"][0]["code"], "duplicate");
        let mut nameless = resource.clone();
        nameless.as_object_mut().unwrap().remove("identifier");
        assert!(server.post(&path, &nameless).await.text.contains(rule));
    }
    assert_eq!(server.get(&format!("/Location/{PLACE}"), &[]).await.status, 200);
}

#[tokio::test]
async fn a_prescribed_item_names_itself_and_its_prescription() {
    let server = Server::ready(options()).await;
    let bundle = server.post("", &visit::bundle("a")).await.json();
    let reference = |position: usize| {
        let response = &bundle["entry"][position]["response"];
        json!({"reference": format!("{}/{}", response["resourceType"].as_str().unwrap(), response["resourceID"].as_str().unwrap())})
    };
    let mut item = json!({
        "resourceType": "MedicationRequest", "status": "completed", "intent": "order",
        "identifier": [identifier("prescription", "R1"), identifier("prescription-item", "R1-1")],
        "medicationReference": reference(7), "encounter": reference(0), "authoredOn": "2026-11-18T02:20:00+00:00",
        "subject": {"reference": format!("Patient/{PATIENT}")},
        "requester": {"reference": format!("Practitioner/{MIDWIFE}")}, "dispenseRequest": {"performer": organization()},
    });
    assert_eq!(server.post("/MedicationRequest", &item).await.status, 201);
    item["identifier"][1]["value"] = json!("R1-2");
    assert_eq!(server.post("/MedicationRequest", &item).await.status, 201);
    assert!(server.post("/MedicationRequest", &item).await.text.contains("20002"));
    item["identifier"].as_array_mut().unwrap().pop();
    item["dispenseRequest"]["performer"]["reference"] = json!(format!("Practitioner/{MIDWIFE}"));
    let refused = server.post("/MedicationRequest", &item).await;
    assert!(refused.text.contains("10388") && refused.text.contains("10453"), "{}", refused.text);
}

#[tokio::test]
async fn if_none_exist_is_no_help_in_getting_the_id() {
    let mut careless = options();
    careless.duplicate_check = false;
    let server = Server::ready(careless).await;
    let address = format!("{}/fhir-r4/v1/Location", server.address);
    let query = format!("identifier=http://sys-ids.kemkes.go.id/location/{ORGANIZATION}|PSY-1");
    let mut seen = Vec::new();
    for _ in 0..2 {
        let request = server.caller.post(&address).bearer_auth(&server.token).header("if-none-exist", &query);
        seen.push(request.body(place().to_string()).send().await.unwrap().status().as_u16());
    }
    server.post("/Location", &place()).await;
    let request = server.caller.post(&address).bearer_auth(&server.token).header("if-none-exist", &query);
    seen.push(request.body(place().to_string()).send().await.unwrap().status().as_u16());
    assert_eq!(seen, [201, 400, 412]);
}

#[tokio::test]
async fn other_offsets_pass_only_when_allowed_and_are_normalised() {
    let mut lenient = options();
    lenient.accept_other_offsets = true;
    let server = Server::ready(lenient).await;
    let mut bundle = visit::bundle("a");
    bundle["entry"][2]["resource"]["effectiveDateTime"] = json!("2026-11-18T09:10:00+07:00");
    assert_eq!(server.post("", &bundle).await.status, 200);
    assert_eq!(server.dump()[2]["effectiveDateTime"], "2026-11-18T02:10:00+00:00");
}

#[tokio::test]
async fn a_newborn_is_registered_once_within_sixty_days_of_birth() {
    let server = Server::ready(options()).await;
    let child = |mother: &str, birth: &str| {
        let region = |url: &str| json!({"url": url, "valueCode": "10"});
        json!({
            "resourceType": "Patient", "identifier": [{"system": MOTHER, "use": "official", "value": mother}],
            "name": [{"use": "official", "text": "Bayi Ny. Contoh"}], "gender": "male", "birthDate": birth,
            "multipleBirthInteger": 0,
            "address": [{"line": ["Jl. Contoh"], "extension": [{
                "url": "https://fhir.kemkes.go.id/r4/StructureDefinition/administrativeCode",
                "extension": [region("province"), region("city"), region("district"), region("village")],
            }]}],
        })
    };
    let created = server.post("/Patient", &child(DUMMY, "2026-10-01")).await;
    assert_eq!(created.status, 200, "{}", created.text);
    let mother = format!("{MOTHER}|{DUMMY}");
    let found = server.get("/Patient", &[("identifier", &mother), ("birthdate", "2026-10-01")]).await.json();
    assert_eq!((&found["total"], &found["entry"][0]["resource"]["id"]), (&json!(1), &created.json()["id"]));
    let mut homeless = child(DUMMY, "2026-10-02");
    homeless["address"][0].as_object_mut().unwrap().remove("extension");
    for (child, status, text) in [
        (child(DUMMY, "2026-10-01"), 400, "Found duplicate: Patient"),
        (child(DUMMY, "2026-09-18"), 400, "10397"),
        (child("1001010000000000", "2026-10-01"), 404, "nik-ibu not found"),
        (child("9271060312000001", "2026-10-01"), 400, "nik-ibu is not female"),
        (homeless, 400, "10624"),
    ] {
        let answer = server.post("/Patient", &child).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(text), "{}", answer.text);
    }
}
