//! Answers of every kind the platform is known to give, against what they must come to.
#![allow(clippy::unwrap_used)]

use super::*;

fn write() -> Sent {
    Sent::Transaction(vec!["Encounter".to_owned(), "Condition".to_owned()])
}

fn create(resource_type: &str) -> Sent {
    Sent::Create(SentResource { resource_type: resource_type.to_owned(), id: None, identifiers: Vec::new() })
}

fn reply<'a>(status: u16, content_type: &'a str, body: &'a str) -> Reply<'a> {
    Reply { status, content_type, body: body.as_bytes(), ..Reply::default() }
}

fn class(sent: &Sent, status: u16, body: &str) -> Class {
    let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
    classify(sent, &reply(status, kind, body), Timestamp::UNIX_EPOCH).class
}

fn outcome(code: &str, text: &str) -> String {
    serde_json::json!({"resourceType": "OperationOutcome", "text": {"status": "generated"},
        "issue": [{"severity": "error", "code": code, "details": {"text": text}, "expression": ["Encounter.class"]}]})
    .to_string()
}

fn store(slug: &str, diagnostics: &str) -> String {
    serde_json::json!({"issue": [{"code": "structure", "details": {"text": slug}, "diagnostics": diagnostics,
        "expression": ["Bundle.entry[0].resource.serviceRequest"], "severity": "error"}], "resourceType": "OperationOutcome"})
    .to_string()
}

fn fault(code: &str) -> String {
    serde_json::json!({"fault": {"faultstring": "x", "detail": {"errorcode": code}}}).to_string()
}

#[test]
fn an_answer_spoiled_in_a_part_that_nobody_reads_is_no_clear_one() {
    let entry = |kind: &str, note: &str| {
        format!(
            "{{\"response\":{{\"status\":\"201 Created\",\"etag\":\"W/\\\"1\\\"\",\"resourceType\":\"{kind}\",
                \"resourceID\":\"{kind}-1\",\"note\":\"{note}\"}}}}"
        )
    };
    let body = format!(
        "{{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\",\"entry\":[{},{}]}}",
        entry("Encounter", "~"),
        entry("Condition", "")
    );
    let class = |body: &[u8]| {
        let reply = Reply { body, ..reply(200, "application/json", "") };
        classify(&write(), &reply, Timestamp::UNIX_EPOCH).class
    };
    assert_eq!(class(body.as_bytes()), Class::Accepted);
    let spoiled: Vec<u8> = body.bytes().map(|byte| if byte == b'~' { 0xe9 } else { byte }).collect();
    assert_eq!(class(&spoiled), Class::Unknown);
    for unreadable in ["1e999", "\"\\ud800\""] {
        assert_eq!(class(body.replace("\"~\"", unreadable).as_bytes()), Class::Unknown, "{unreadable}");
    }
    assert_eq!(class(body.replace("\"~\"", "1e9").as_bytes()), Class::Accepted);
}

#[test]
fn refusals_of_the_validator_and_processor() {
    use Class::{Configuration, Content, Dependency, Duplicate, Unclassified};
    for (code, text, expected) in [
        ("value", "Wrong organization ID provided by system URL: 100000001 (RuleNumber: 10117)", Configuration),
        ("value", "wrong organization ID provided by serviceProvider", Configuration),
        ("forbidden", "Resource cannot be accessed due to business rule", Configuration),
        (
            "exception",
            "Failed to get permission for client for resource type Encounter (RuleNumber: 20003)",
            Configuration,
        ),
        ("exception", "(RuleNumber: 20004)", Configuration),
        ("exception", "(RuleNumber: 20009)", Configuration),
        ("value", "Invalid identifier system: 'x' (RuleNumber: 10117)", Configuration),
        ("duplicate", "Found duplicate resource: Encounter", Duplicate),
        ("exception", "Found duplicate: Observation (RuleNumber: 20002)", Duplicate),
        ("exception", "Patient Resource Exists", Duplicate),
        ("exception", "Found duplicate: Patient", Duplicate),
        ("exception", "found duplicated EpisodeOfCare Type with status active. (Rule Number: 10110)", Duplicate),
        ("value", "Code not found: 'x' in system: 'y' (RuleNumber: 10010)", Content),
        ("value", "Invalid coding system: 'x' (RuleNumber: 10002)", Content),
        ("value", "Identifier value not found (RuleNumber: 10117)", Content),
        ("value", "Reference is mandatory : Encounter.subject (RuleNumber: 10118)", Content),
        ("value", "Element not found: Immunization.lotNumber (RuleNumber: 10306)", Content),
        ("format", "Invalid date time format : 'x' (RuleNumber: 10132)", Content),
        ("format", "Invalid date time value : 'x' (RuleNumber: 10406)", Content),
        ("value", "Text is empty: '' (RuleNumber: 10413)", Content),
        ("value", "Integer formated as a string (RuleNumber: 10254)", Content),
        ("value", "something nobody has seen (RuleNumber: 19999)", Content),
        ("format", "Day difference from Birth Date with 'x' can't be more than 60 days (RuleNumber: 10397)", Content),
        ("exception", "alamat TIDAK SESUAI", Content),
        ("exception", "nik-ibu is not female", Content),
        ("forbidden", "Operation cannot be performed due to consent or privacy rules", Content),
        ("exception", "Failed to get citizen", Dependency),
        ("exception", "Resource not found (RuleNumber: 20007)", Dependency),
        ("exception", "(RuleNumber: 20016)", Content),
        ("exception", "(RuleNumber: 20021)", Content),
        ("exception", "only follow-on (RuleNumber: 20012)", Unclassified),
        ("exception", "patient consent form code unknown to us", Unclassified),
    ] {
        assert_eq!(class(&write(), 400, &outcome(code, text)), expected, "{text}");
    }
    assert_eq!(
        class(&create("Patient"), 404, &outcome("exception", "Failed to create new patient, nik-ibu not found")),
        Dependency
    );
}

#[test]
fn refusals_of_the_store() {
    for (slug, diagnostics, expected) in [
        ("unparseable_resource", "missing field", Class::Content),
        ("unparseable_resource", "fhirpath-constraint-violation-Encounter.period", Class::Content),
        ("unparseable_resource", "invalid value (expected a Quantity)", Class::Content),
        ("resource_mismatch", "ids differ", Class::Content),
        ("invalid_headers", "", Class::Content),
        ("invalid", "reference target(s) not found: Encounter/1", Class::Dependency),
    ] {
        assert_eq!(class(&write(), 400, &store(slug, diagnostics)), expected, "{slug} {diagnostics}");
    }
}

#[test]
fn the_edge_the_gateway_and_the_status() {
    let once_more = Class::Outage { may_have_executed: true };
    let untouched = Class::Outage { may_have_executed: false };
    let quota = fault("policies.ratelimit.QuotaViolation");
    let update =
        Sent::Update(SentResource { resource_type: "Encounter".into(), id: Some("1".into()), identifiers: Vec::new() });
    for (sent, status, body, expected) in [
        (&write(), 500, quota.as_str(), Class::Throttled),
        (&write(), 429, "", Class::Throttled),
        (&write(), 429, "<html></html>", Class::Throttled),
        (&write(), 401, &fault("oauth.v2.InvalidAccessToken"), Class::Configuration),
        (&write(), 401, &fault("keymanagement.service.InvalidAPICallAsNoApiProductMatchFound"), Class::Configuration),
        (&write(), 403, "<html>403</html>", untouched),
        (&write(), 403, "", Class::Configuration),
        (&write(), 404, "", Class::Configuration),
        (&write(), 412, "", Class::Duplicate),
        (&write(), 413, "", Class::Content),
        (&write(), 422, "", Class::Content),
        (&write(), 400, "", Class::Unclassified),
        (&write(), 409, "", Class::Unclassified),
        (&write(), 408, "", Class::Unknown),
        (&write(), 500, &outcome("exception", "unexpected internal error"), Class::Unknown),
        (&write(), 500, &outcome("value", "Code not found: (RuleNumber: 10010)"), Class::Unknown),
        (&write(), 502, "<html></html>", Class::Unknown),
        (&write(), 503, "no healthy upstream", Class::Unknown),
        (&write(), 504, "Gateway Timeout", Class::Unknown),
        (&update, 504, "Gateway Timeout", once_more),
        (&Sent::Read, 504, "Gateway Timeout", untouched),
        (&write(), 200, &outcome("value", "x (RuleNumber: 10010)"), Class::Unknown),
        (&create("Patient"), 200, r#"{"success":false,"message":"Patient Resource Exists"}"#, Class::Duplicate),
        (&create("Patient"), 200, r#"{"success":false,"message":"Citizen Not Exists"}"#, Class::Content),
    ] {
        assert_eq!(class(sent, status, body), expected, "{status} {body}");
    }
}

#[test]
fn among_several_complaints_the_one_that_stops_most_decides() {
    let issue = |text: &str| serde_json::json!({"severity": "error", "code": "exception", "details": {"text": text}});
    let several = |texts: &[&str]| {
        let issues: Vec<_> = texts.iter().map(|text| issue(text)).collect();
        serde_json::json!({"resourceType": "OperationOutcome", "issue": issues}).to_string()
    };
    let body = several(&["x (RuleNumber: 10010)", "y (RuleNumber: 20003)"]);
    assert_eq!(class(&write(), 400, &body), Class::Configuration);
    let body =
        several(&["Found duplicate: Condition (RuleNumber: 20002)", "z (RuleNumber: 20013)", "x (RuleNumber: 10010)"]);
    let answer = classify(&write(), &reply(400, "application/json", &body), Timestamp::UNIX_EPOCH);
    assert_eq!((answer.class, answer.rules), (Class::Content, vec![20002, 10010]));
}

#[test]
fn a_hidden_success_takes_its_id_from_the_location() {
    let body = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"information","code":"suppressed","diagnostics":"No result or no consent available"}]}"#;
    let location = "https://healthcare.googleapis.com/v1/projects/p/fhirStores/s/fhir/Encounter/abc-1/_history/MTY";
    let hidden = Reply { location: Some(location), ..reply(201, "application/json", body) };
    let answer = classify(&create("Encounter"), &hidden, Timestamp::UNIX_EPOCH);
    let expected =
        Accepted { position: 0, resource_type: "Encounter".into(), id: "abc-1".into(), version: Some("MTY".into()) };
    assert_eq!((answer.class, answer.accepted), (Class::Accepted, vec![expected]));
    assert_eq!(classify(&create("Observation"), &hidden, Timestamp::UNIX_EPOCH).class, Class::Unknown);
    assert_eq!(class(&create("Encounter"), 201, body), Class::Unknown);
}

#[test]
fn entries_without_the_extra_members_are_read_from_their_location() {
    let body = r#"{"resourceType":"Bundle","type":"transaction-response","entry":[
        {"response":{"status":"201 Created","location":"https:\/\/x\/fhir-r4\/v1\/Encounter\/e\/_history\/1","etag":"W/\"7\""}},
        {"response":{"status":"201 Created","location":"Condition/c"}}]}"#;
    let answer = classify(&write(), &reply(200, "application/fhir+json;charset=utf-8", body), Timestamp::UNIX_EPOCH);
    assert_eq!(answer.class, Class::Accepted, "{answer:?}");
    assert_eq!((answer.accepted[0].version.as_deref(), answer.accepted[1].id.as_str()), (Some("7"), "c"));
    for broken in [
        body.replace("201 Created", "400 Bad"),
        body.replace("Condition/c", "Condition/"),
        body.replace("Condition/c", "x"),
    ] {
        assert_eq!(class(&write(), 200, &broken), Class::Unknown, "{broken}");
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    let now: Timestamp = "2026-11-18T03:00:00Z".parse().unwrap();
    assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
    assert_eq!(retry_after("Wed, 18 Nov 2026 03:00:30 GMT", now), Some(Duration::from_secs(30)));
    assert_eq!(retry_after("Wed, 18 Nov 2020 03:00:30 GMT", now), Some(Duration::ZERO));
    assert_eq!(retry_after("99999999999999999999999", now), Some(Duration::from_secs(u64::from(u32::MAX))));
    for odd in ["", "-5", "soon", "1.5"] {
        assert_eq!(retry_after(odd, now), None);
    }
}

#[test]
fn locations_are_taken_apart_and_never_trusted() {
    let place = parse_location("https://x/fhir-r4/v1/Patient/P00000000001").unwrap();
    assert_eq!((place.resource_type, place.id, place.version), ("Patient", "P00000000001", None));
    for odd in ["", "/", "Patient", "https://x/patient/1", "Patient/a b", "Patient/..", "x/_history/1"] {
        assert_eq!(parse_location(odd), None, "{odd}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_a_success_or_a_panic(status in 200u16..600, bytes: Vec<u8>, json: bool) {
        let content_type = if json { "application/json" } else { "text/html" };
        let reply = Reply { status, content_type, body: &bytes, ..Reply::default() };
        for sent in [write(), create("Encounter"), Sent::Read, Sent::Token] {
            proptest::prop_assert_ne!(classify(&sent, &reply, Timestamp::UNIX_EPOCH).class, Class::Accepted);
        }
    }
}
