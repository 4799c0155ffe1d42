//! How a client causes each class of answers, and which classes no client of ours can cause.

use serde_json::{Value, json};

use super::desk::{Answer, Desk};
use super::server::options;
use super::visit::{self, MIDWIFE, ORGANIZATION, PATIENT};

/// Classes that only a script gives, with the reason.
pub const SCRIPT_ONLY: [(&str, &str); 23] = [
    ("gw-401-no-apiproduct", "contracts of the gateway are not simulated: every client may call everything"),
    ("gw-401-bad-credentials-doc", "the documented twin of invalid_client, which is the recorded one"),
    ("gw-403-html", "a web firewall in front of the platform"),
    ("gw-503-upstream", "a proxy in front of the platform"),
    ("gw-5xx-timeout", "a proxy in front of the platform"),
    ("auth-org-mismatch", "when it is given instead of 10117 is not known"),
    ("auth-20003", "scopes of a client are not simulated"),
    ("dup-episode", "when an episode counts as the same is not known; it may be another facility's"),
    ("proc-20007", "the store's own words for a missing reference are the recorded ones"),
    ("proc-20009", "a call without client id never gets a token"),
    ("proc-20010", "KYC keys are not simulated"),
    ("proc-20013", "follow-on issues are given as 20012"),
    ("proc-20015", "only for the ministry's own portal"),
    ("proc-20016", "which edits of a Patient are refused is not known"),
    ("mpi-addr", "the civil registry is not simulated beyond the numbers it knows"),
    ("mpi-rt", "the civil registry is not simulated beyond the numbers it knows"),
    ("mpi-sex", "the civil registry is not simulated beyond the numbers it knows"),
    ("mpi-500", "a failure inside the platform"),
    ("mpi-legacy-200", "an answer of 2022 and 2023"),
    ("kyc-200-error", "the gateway does not call KYC"),
    ("msi-limit", "the gateway does not call the master facility index"),
    ("kfa-422", "the gateway does not call KFA"),
    ("kfa-null", "the gateway does not call KFA"),
];

const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
const MOTHER: &str = "https://fhir.kemkes.go.id/id/nik-ibu";
/// A published dummy: a woman.
const WOMAN: &str = "9204014804000002";
/// A published dummy: a man.
const MAN: &str = "9271060312000001";

/// Posts a good visit with one member of one entry changed; null removes.
async fn changed(entry: usize, pointer: &str, value: Value) -> Answer {
    let mut bundle = visit::bundle("a");
    let resource = &mut bundle["entry"][entry]["resource"];
    put(resource, pointer, value);
    Desk::with(options()).await.post("", &bundle).await
}

fn put(resource: &mut Value, pointer: &str, value: Value) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = resource.pointer_mut(parent).unwrap();
    if value.is_null() {
        parent.as_object_mut().unwrap().remove(name).unwrap();
    } else {
        parent[name] = value;
    }
}

/// A desk that holds a visit, and `Encounter/id` of it.
async fn visited() -> (Desk, String) {
    let desk = Desk::with(options()).await;
    let body = desk.post("", &visit::bundle("a")).await.json();
    let id = body["entry"][0]["response"]["resourceID"].as_str().unwrap().to_owned();
    (desk, format!("Encounter/{id}"))
}

fn weight(encounter: &str) -> Value {
    let mut weight = visit::weight("late");
    weight["encounter"]["reference"] = json!(encounter);
    weight
}

/// A Patient under an own number or the mother's.
fn patient(system: &str, nik: &str, birth: &str) -> Value {
    let region = |url: &str| json!({"url": url, "valueCode": "10"});
    json!({
        "resourceType": "Patient", "identifier": [{"system": system, "use": "official", "value": nik}],
        "name": [{"use": "official", "text": "Bayi Ny. Contoh"}], "gender": "male", "birthDate": birth,
        "multipleBirthInteger": 0,
        "address": [{"line": ["Jl. Contoh"], "extension": [{
            "url": "https://fhir.kemkes.go.id/r4/StructureDefinition/administrativeCode",
            "extension": [region("province"), region("city"), region("district"), region("village")],
        }]}],
    })
}

async fn registered(system: &str, nik: &str, birth: &str, times: usize) -> Answer {
    let desk = Desk::with(options()).await;
    let patient = patient(system, nik, birth);
    for _ in 1..times {
        assert_eq!(desk.post("/Patient", &patient).await.status, 200);
    }
    desk.post("/Patient", &patient).await
}

/// A visit under way: what a single create of an Encounter takes.
fn under_way() -> Value {
    let mut encounter = visit::encounter("a");
    encounter["status"] = json!("in-progress");
    encounter["statusHistory"] = json!([{"status": "arrived", "period": {"start": "2026-11-18T02:00:00+00:00"}}]);
    put(&mut encounter, "/period/end", Value::Null);
    put(&mut encounter, "/diagnosis", Value::Null);
    encounter
}

/// The third create under the same identifier, when `stored` are there already.
async fn if_none_exist(stored: usize) -> Answer {
    let mut options = options();
    options.duplicates_allowed.insert("Encounter".to_owned());
    let desk = Desk::with(options).await;
    for _ in 0..stored {
        assert_eq!(desk.post("/Encounter", &under_way()).await.status, 201);
    }
    let query = format!("identifier=http://sys-ids.kemkes.go.id/encounter/{ORGANIZATION}|a-encounter");
    desk.call("POST", "/Encounter", &[("if-none-exist", &query)], under_way().to_string().into_bytes()).await
}

async fn envelope(change: impl FnOnce(&mut Value)) -> Answer {
    let mut bundle = visit::bundle("a");
    change(&mut bundle);
    Desk::with(options()).await.post("", &bundle).await
}

async fn sent(body: &[u8]) -> Answer {
    Desk::with(options()).await.call("POST", "", &[], body.to_vec()).await
}

/// The answer of a class, caused as a client would; `None` when no client can.
pub async fn answer(class: &str) -> Option<Answer> {
    Some(match class.split_once('-')?.0 {
        "gw" | "cons" | "auth" | "dup" | "query" => access(class).await?,
        "val" => value(class).await?,
        "proc" | "store" => store(class).await?,
        "mpi" => person(class).await?,
        _ => return None,
    })
}

async fn access(class: &str) -> Option<Answer> {
    let patients = |hidden: &str| format!("settings: {{{hidden}: [{PATIENT}]}}");
    Some(match class {
        "gw-401-invalid-token" => Desk::with(options()).await.send("GET", "/fhir-r4/v1/Patient", &[], Vec::new()).await,
        "gw-401-token-expired" => {
            let desk = Desk::with(options()).await;
            desk.clock.advance(std::time::Duration::from_secs(3600));
            desk.get("/Patient").await
        }
        "gw-401-invalid-client" => Desk::with(options()).await.fetch_token("wrong").await,
        "gw-404-empty" => Desk::with(options()).await.page("/fhir-r5/Patient").await,
        "gw-429" => {
            let desk = Desk::scripted("settings: {quotas: [{calls: 1, seconds: 60, window: fixed}]}").await;
            desk.get("/Patient").await;
            desk.get("/Patient").await
        }
        "cons-200-suppressed" => {
            Desk::scripted(&patients("hidden_patients")).await.get(&format!("/Patient/{PATIENT}")).await
        }
        "cons-201-suppressed" => {
            let desk = Desk::scripted(&patients("hidden_patients")).await;
            let answer = desk.post("/Encounter", &under_way()).await;
            assert!(answer.header("location").contains("/fhir/Encounter/"));
            answer
        }
        "cons-400-forbidden" => Desk::scripted(&patients("refused_patients")).await.post("", &visit::bundle("a")).await,
        "cons-403-put-eoc" => Desk::with(options()).await.put("/EpisodeOfCare/x", &json!({})).await,
        "auth-org-url" => changed(0, "/identifier/0/system", json!("http://sys-ids.kemkes.go.id/encounter/1")).await,
        "auth-org-serviceprovider" => changed(0, "/serviceProvider/reference", json!("Organization/100000001")).await,
        "auth-20004" => Desk::with(options()).await.post("/Claim", &json!({})).await,
        "dup-encounter" => {
            let (desk, _) = visited().await;
            desk.post("", &visit::bundle("a")).await
        }
        "dup-generic" => {
            let (desk, encounter) = visited().await;
            assert_eq!(desk.post("/Observation", &weight(&encounter)).await.status, 201);
            desk.post("/Observation", &weight(&encounter)).await
        }
        "dup-patient-nik" => registered(NIK, WOMAN, "2000-04-08", 1).await,
        "dup-patient-newborn" => registered(MOTHER, WOMAN, "2026-10-01", 2).await,
        "dup-ifnoneexist-1" => if_none_exist(1).await,
        "dup-ifnoneexist-n" => if_none_exist(2).await,
        "query-missing-param" => Desk::with(options()).await.get("/MedicationDispense?context=x").await,
        _ => return None,
    })
}

async fn value(class: &str) -> Option<Answer> {
    let moment = "/effectiveDateTime";
    Some(match class {
        "val-code-not-found" => changed(2, "/code/coding/0/code", json!("weight")).await,
        "val-invalid-coding-system" => changed(1, "/code/coding/0/system", json!("http://x")).await,
        "val-invalid-identifier-system" => changed(0, "/identifier/0/system", json!("http://x")).await,
        "val-identifier-value-not-found" => changed(0, "/identifier/0/value", Value::Null).await,
        "val-reference-mandatory" => changed(2, "/performer", Value::Null).await,
        "val-element-not-found" => changed(0, "/diagnosis", Value::Null).await,
        "val-datetime-format" => changed(2, moment, json!("2026-11-18T02:10:00Z")).await,
        "val-datetime-value" => changed(2, moment, json!("2026-11-19T02:10:00+00:00")).await,
        "val-integer-as-string" => changed(5, "/protocolApplied/0/doseNumberPositiveInt", json!("1")).await,
        "val-text-is-empty" => changed(2, "/valueQuantity/unit", json!("")).await,
        "val-operational-status-path" => {
            let desk = Desk::with(options()).await;
            let path = format!("/Location/{}", visit::PLACE);
            desk.patch(&path, &json!([{"op": "replace", "path": "/operationalStatus/system", "value": "x"}])).await
        }
        "val-status-history-period" => changed(0, "/statusHistory/1/period/end", Value::Null).await,
        "val-performer-function" => changed(5, "/performer/0/function/coding/0/code", json!("XX")).await,
        "val-newborn-over-60-days" => registered(MOTHER, WOMAN, "2026-09-18", 1).await,
        "val-eoc-patch-patient" => {
            let desk = Desk::with(options()).await;
            let episode = desk.post("/EpisodeOfCare", &episode()).await;
            assert_eq!(episode.status, 201, "{}", episode.text());
            let path = format!("/EpisodeOfCare/{}", episode.json()["id"].as_str().unwrap());
            desk.patch(&path, &json!([{"op": "replace", "path": "/status", "value": "finished"}])).await
        }
        "val-wrong-ref-format" => changed(2, "/subject/reference", json!("Patient/x")).await,
        _ => return None,
    })
}

fn episode() -> Value {
    let period = json!({"start": "2026-11-18T02:00:00+00:00"});
    json!({
        "resourceType": "EpisodeOfCare", "status": "active",
        "identifier": [{
            "system": format!("http://sys-ids.kemkes.go.id/episode-of-care/{ORGANIZATION}"), "value": "E1",
        }],
        "statusHistory": [{"status": "active", "period": period}],
        "type": [{"coding": [{
            "system": "http://terminology.kemkes.go.id/CodeSystem/episodeofcare-type", "code": "ANC",
        }]}],
        "patient": {"reference": format!("Patient/{PATIENT}")}, "period": period,
        "managingOrganization": {"reference": format!("Organization/{ORGANIZATION}")},
        "careManager": {"reference": format!("Practitioner/{MIDWIFE}")},
    })
}

async fn store(class: &str) -> Option<Answer> {
    let full_url = |url: &'static str| envelope(move |bundle| bundle["entry"][8]["fullUrl"] = json!(url));
    Some(match class {
        "proc-20005" => sent(&[b'{', 0xff, b'}']).await,
        "proc-20006" => sent(b"{").await,
        "proc-20008" => sent(b"[]").await,
        "proc-20011" => envelope(|bundle| bundle["entry"][8]["resource"] = json!({"resourceType": "Bundle"})).await,
        "proc-20012" => changed(0, "/class", Value::Null).await,
        "proc-20014" => Desk::with(options()).await.get("/Patient/x/$everything").await,
        "proc-20017" => full_url("urn:x:1").await,
        "proc-20018" => full_url("MedicationDispense/1").await,
        "proc-20019" => full_url("urn:uuid:1").await,
        "proc-20020" => envelope(|bundle| bundle["entry"][8]["fullUrl"] = bundle["entry"][7]["fullUrl"].clone()).await,
        "proc-20021" => envelope(|bundle| drop(bundle["entry"][8].as_object_mut().unwrap().remove("fullUrl"))).await,
        "store-unparseable" => changed(2, "/colour", json!("red")).await,
        "store-unparseable-period" => changed(0, "/period/end", json!("2026-11-18T01:00:00+00:00")).await,
        "store-empty-array" => changed(2, "/code", json!([])).await,
        "store-mismatch" => {
            let (desk, encounter) = visited().await;
            desk.put(&format!("/{encounter}"), &visit::encounter("a")).await
        }
        "store-ref-not-found" => {
            changed(2, "/encounter/reference", json!("Encounter/00000000-0000-4000-8000-000000000abc")).await
        }
        "store-404" => Desk::with(options()).await.get("/Encounter/x").await,
        "store-invalid-headers" => {
            let (desk, encounter) = visited().await;
            let headers = [("content-type", "application/json")];
            desk.call("PATCH", &format!("/{encounter}"), &headers, b"[]".to_vec()).await
        }
        _ => return None,
    })
}

async fn person(class: &str) -> Option<Answer> {
    Some(match class {
        "mpi-citizen" => registered(NIK, "1001010000000000", "2000-04-08", 1).await,
        "mpi-mother404" => registered(MOTHER, "1001010000000000", "2026-10-01", 1).await,
        "mpi-mother-sex" => registered(MOTHER, MAN, "2026-10-01", 1).await,
        "mpi-patch-test" => {
            let path = format!("/Patient/{PATIENT}");
            Desk::with(options()).await.patch(&path, &json!([{"op": "replace", "path": "/gender", "value": "x"}])).await
        }
        _ => return None,
    })
}
