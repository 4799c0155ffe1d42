//! The stand-in for SATUSEHAT, called as any client would call it.

mod admin;
mod behaviour;
mod catalogue;
pub mod desk;
mod distorted;
mod provoked;
mod rules;
mod script;
pub mod server;
mod single;
mod statement;
pub mod visit;

use std::time::Duration;

use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::{Value, json};

use self::server::{Server, TWICE, options};
use self::visit::{ORGANIZATION, PATIENT};

const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
const DUMMY: &str = "9204014804000002";

#[tokio::test]
async fn a_token_is_all_text_and_ends_with_its_time() {
    let mut server = Server::start(options()).await;
    let refused = server.fetch_token("id", "wrong").await;
    assert_eq!((refused.status, refused.json()["ErrorCode"].as_str()), (401, Some("invalid_client")));
    assert_eq!(server.get("/Patient", &[]).await.json()["fault"]["detail"]["errorcode"], "oauth.v2.InvalidAccessToken");
    let token = server.fetch_token("id", "secret").await.json();
    assert_eq!((&token["expires_in"], &token["token_type"]), (&json!("3599"), &json!("BearerToken")));
    server.token = token["access_token"].as_str().unwrap().to_owned();
    assert_eq!(server.get("/Patient", &[("identifier", "x")]).await.status, 200);
    server.clock.advance(Duration::from_secs(3599));
    assert_eq!(server.get("/Patient", &[]).await.status, 401);
}

#[tokio::test]
async fn searches_of_people_show_what_the_question_earns() {
    let server = Server::ready(options()).await;
    let nik = format!("{NIK}|{DUMMY}");
    let bare = server.get("/Patient", &[("identifier", &nik)]).await.json();
    let found = &bare["entry"][0]["resource"];
    assert_eq!((&bare["total"], &found["id"]), (&json!(1), &json!(PATIENT)));
    assert_eq!(
        (&found["name"][0]["text"], &found["identifier"][0]["value"]),
        (&json!("PA** CO** DU**"), &json!("#".repeat(16)))
    );
    assert!(found.get("birthDate").is_none() && found.get("gender").is_none());

    let full = [("identifier", nik.as_str()), ("name", "Pasien Contoh Dua"), ("birthdate", "2000-04-08")];
    let found = &server.get("/Patient", &full).await.json()["entry"][0]["resource"];
    assert_eq!((&found["identifier"][0]["value"], &found["birthDate"]), (&json!(DUMMY), &json!("2000-04-08")));

    let named = [("name", "Pasien Contoh Dua"), ("birthdate", "2000-04-08"), ("gender", "female")];
    let found = &server.get("/Patient", &named).await.json()["entry"][0]["resource"];
    assert_eq!(
        (&found["identifier"][0]["value"], &found["name"][0]["text"]),
        (&json!("#".repeat(16)), &json!("PASIEN CONTOH DUA"))
    );

    let wrong = [("identifier", nik.as_str()), ("name", "Orang Lain"), ("birthdate", "2000-04-08")];
    assert_eq!(server.get("/Patient", &wrong).await.json()["total"], 0);
    let twice = format!("{NIK}|{TWICE}");
    assert_eq!(server.get("/Patient", &[("identifier", &twice)]).await.json()["total"], 2);

    let worker = format!("{NIK}|7209061211900001");
    let found = &server.get("/Practitioner", &[("identifier", &worker)]).await.json()["entry"][0]["resource"];
    assert_eq!(
        (&found["name"][0]["text"], &found["identifier"][0]["value"]),
        (&json!("NA** CO** SA**"), &json!("7209061211900001"))
    );
}

#[tokio::test]
async fn a_visit_is_stored_whole_and_its_references_are_rewritten() {
    let server = Server::ready(options()).await;
    let answer = server.post("", &visit::bundle("a")).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let body = answer.json();
    assert_eq!((&body["type"], &body["total"]), (&json!("transaction-response"), &json!(9)));
    let entries = body["entry"].as_array().unwrap();
    for (entry, kind) in entries.iter().zip(visit::TYPES) {
        let response = &entry["response"];
        assert_eq!((&response["status"], &response["resourceType"]), (&json!("201 Created"), &json!(kind)));
        let id = response["resourceID"].as_str().unwrap();
        assert!(response["location"].as_str().unwrap().ends_with(&format!("/fhir-r4/v1/{kind}/{id}/_history/1")));
        assert_eq!(entry.as_object().unwrap().len(), 1);
    }
    let encounter = entries[0]["response"]["resourceID"].as_str().unwrap();
    let read = server.get(&format!("/Encounter/{encounter}"), &[]).await.json();
    let condition = format!("Condition/{}", entries[1]["response"]["resourceID"].as_str().unwrap());
    assert_eq!(read["diagnosis"][0]["condition"]["reference"], condition);
    assert_eq!(read["subject"]["display"], "PASIEN CONTOH DUA");
    let lines = server.dump();
    assert_eq!(lines.len(), 9);
    let complete = |line: &Value| {
        line["id"].is_string() && line["meta"]["versionId"] == "1" && line["meta"]["lastUpdated"].is_string()
    };
    assert!(lines.iter().all(complete) && !lines.iter().any(|line| line.to_string().contains("urn:uuid")));
    let weight = lines.iter().find(|line| line["valueQuantity"]["unit"] == "kg").unwrap();
    assert_eq!(weight["valueQuantity"]["value"].to_string(), "10.5");

    for (path, query, total) in [
        (
            "/Encounter",
            [("identifier", format!("http://sys-ids.kemkes.go.id/encounter/{ORGANIZATION}|a-encounter"))],
            1,
        ),
        ("/Encounter", [("subject", PATIENT.to_owned())], 1),
        ("/Observation", [("encounter", encounter.to_owned())], 2),
        ("/Condition", [("subject", format!("Patient/{PATIENT}"))], 1),
        ("/Immunization", [("patient", PATIENT.to_owned())], 1),
        ("/Observation", [("unheard-of", "1".to_owned())], 2),
        ("/Observation", [("encounter", "another".to_owned())], 0),
    ] {
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(server.get(path, &query).await.json()["total"], total, "{path} {query:?}");
    }
    let first = server.get("/Observation", &[("_count", "1")]).await.json();
    assert_eq!((first["entry"].as_array().unwrap().len(), &first["link"][1]["relation"]), (1, &json!("next")));
    let token = first["link"][1]["url"].as_str().unwrap().rsplit_once("_page_token=").unwrap().1.to_owned();
    let second = server.get("/Observation", &[("_count", "1"), ("_page_token", &token)]).await.json();
    assert_ne!(first["entry"][0]["resource"]["id"], second["entry"][0]["resource"]["id"]);
    assert_eq!(second["link"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/Encounter/none", &[]).await.json()["issue"][0]["details"]["text"], "storage_error");
}

#[tokio::test]
async fn one_bad_entry_leaves_nothing_behind() {
    let server = Server::ready(options()).await;
    let mut bundle = visit::bundle("a");
    bundle["entry"][0]["resource"].as_object_mut().unwrap().remove("class");
    let body = server.post("", &bundle).await.json();
    assert_eq!(body["issue"][0]["expression"][0], "Bundle.entry[0].resource.class");
    assert!(body["issue"][1]["details"]["text"].as_str().unwrap().contains("(RuleNumber: 20012)"));
    assert_eq!((server.dump().len(), server.simulator.stats().creates), (0, 0));
}

#[tokio::test]
async fn a_repeated_visit_is_a_duplicate_unless_the_check_is_off() {
    let server = Server::ready(options()).await;
    server.post("", &visit::bundle("a")).await;
    let again = server.post("", &visit::bundle("a")).await;
    assert_eq!((again.status, &again.json()["issue"][0]["code"]), (400, &json!("duplicate")));
    assert!(again.text.contains("Found duplicate resource: Encounter (RuleNumber: 20002)"), "{}", again.text);
    assert_eq!(server.simulator.stats().duplicates_live, 0);

    let mut careless = options();
    careless.duplicate_check = false;
    let server = Server::ready(careless).await;
    for _ in 0..2 {
        assert_eq!(server.post("", &visit::bundle("a")).await.status, 200);
    }
    let stats = server.simulator.stats();
    assert_eq!((stats.creates, stats.duplicates_live, stats.resources["Encounter"]), (18, 8, 2));
}

async fn with_fault(fault: Fault) -> Server {
    let mut options = options();
    options.faults.push(fault);
    Server::ready(options).await
}

#[tokio::test]
async fn faults_that_answer_say_so_and_commit_only_when_they_should() {
    for (kind, status, text, creates) in [
        (FaultKind::TooManyRequests, 429, "policies.ratelimit.SpikeArrestViolation", 0),
        (FaultKind::Quota500, 500, "policies.ratelimit.QuotaViolation", 0),
        (FaultKind::Unavailable, 503, "no healthy upstream", 0),
        (FaultKind::ServerErrorBeforeCommit, 504, "Gateway Timeout", 0),
        (FaultKind::ServerErrorAfterCommit, 504, "Gateway Timeout", 9),
        (FaultKind::ExpiredToken, 401, "access_token_expired", 0),
        (FaultKind::HtmlPage, 200, "<html>", 0),
        (FaultKind::ConsentSuppressed, 200, "\"suppressed\"", 9),
        (FaultKind::Delay, 200, "transaction-response", 9),
        (FaultKind::Slow, 200, "transaction-response", 9),
    ] {
        let mut fault = Fault::at_calls(kind, AppliesTo::Write, &[1]);
        fault.retry_after_seconds = Some(3);
        fault.delay_ms = Some(50);
        fault.bytes = Some(64);
        let server = with_fault(fault).await;
        let answer = server.post("", &visit::bundle("a")).await;
        assert_eq!((answer.status, answer.text.contains(text)), (status, true), "{kind:?} {}", answer.text);
        let stats = server.simulator.stats();
        assert_eq!((stats.creates, stats.faults[kind.name()]), (creates, 1), "{kind:?}");
        assert_eq!(answer.header("retry-after"), if creates == 0 { "3" } else { "" });
        let next = server.post("", &visit::bundle("b")).await;
        assert_eq!(next.status, 200, "{kind:?} {}", next.text);
    }
}

#[tokio::test]
async fn faults_of_the_connection_leave_the_caller_without_an_answer() {
    for (kind, creates) in [(FaultKind::DroppedBefore, 0), (FaultKind::DroppedAnswer, 9), (FaultKind::CutAfterBytes, 9)]
    {
        let mut fault = Fault::at_calls(kind, AppliesTo::Write, &[1]);
        fault.bytes = Some(700);
        let server = with_fault(fault).await;
        assert!(server.try_post("", &visit::bundle("a")).await.is_err(), "{kind:?}");
        assert_eq!(server.simulator.stats().creates, creates, "{kind:?}");
        assert_eq!(server.post("", &visit::bundle("b")).await.status, 200, "{kind:?}");
    }
}

#[tokio::test]
async fn a_hidden_limit_answers_429_until_time_passes() {
    let mut limited = options();
    limited.requests_per_minute = Some(2);
    let server = Server::ready(limited).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(server.get("/Patient", &[]).await.status);
    }
    assert_eq!(seen, [200, 200, 429]);
    server.clock.advance(Duration::from_secs(30));
    assert_eq!(server.get("/Patient", &[]).await.status, 200);
}

#[tokio::test]
async fn a_search_finds_a_write_only_after_the_index_lag() {
    let mut lagging = options();
    lagging.index_lag_seconds = 60;
    let server = Server::ready(lagging).await;
    server.post("", &visit::bundle("a")).await;
    assert_eq!(server.get("/Encounter", &[("subject", PATIENT)]).await.json()["total"], 0);
    server.clock.advance(Duration::from_secs(60));
    assert_eq!(server.get("/Encounter", &[("subject", PATIENT)]).await.json()["total"], 1);
}

#[tokio::test]
async fn an_open_simulator_learns_the_organisation_from_the_first_write() {
    let mut open = options();
    open.clients.clear();
    open.open = true;
    let server = Server::ready(open).await;
    assert_eq!(server.post("", &visit::bundle("a")).await.status, 200);
    let mut other = visit::bundle("b");
    other["entry"][0]["resource"]["identifier"][0]["system"] = json!("http://sys-ids.kemkes.go.id/encounter/1");
    assert!(server.post("", &other).await.text.contains("10117"));
    let stats = server.caller.get(format!("{}/_stats", server.address)).send().await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&stats).unwrap()["resources"]["Observation"], 2);
    let dump = server.caller.get(format!("{}/_dump", server.address)).send().await.unwrap().text().await.unwrap();
    assert_eq!(dump.lines().count(), 9);
}
