//! Answers and files that nobody would write: mutated by a seed from true ones, millions if wanted. Nothing panics, and
//! no answer counts as an acceptance unless a second, plain reader agrees.
//!
//! Plain functions and a mutator of our own instead of cargo-fuzz: that needs a nightly compiler and a separate build,
//! and would run in no one's every-day tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use posyandu_gateway::remote::answer::Class;
use posyandu_gateway::remote::response::{Reply, Sent, SentResource, classify};
use posyandu_gateway::remote::token::Token;
use posyandu_gateway::source::{self, Location};
use serde_json::{Value, json};

use super::run::{Chance, Run};
use crate::city::fixtures;
use crate::source_grid::profile;

/// Answers of every run (faults.md, section 5), and files.
const ANSWERS_EVERY_RUN: u64 = 200_000;
const FILES_EVERY_RUN: u64 = 300;
/// Longest reading of one small file.
const FILE_SECONDS_MAX: Duration = Duration::from_secs(10);

/// Kinds of content, the right ones more often.
const CONTENT_TYPES: [&str; 4] = ["application/json", "application/json", "application/fhir+json", "text/html"];

/// Pieces that parsers stumble over.
const PIECES: [&[u8]; 24] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"201 Created",
    b"200",
    b"\"id\":\"\"",
    b"resourceType",
    b"Bundle",
    b"/_history/",
    b"\0",
    b"\n",
    b"../",
];

/// One to some changes of bytes.
fn mutate(chance: &mut Chance, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..1 + chance.below(4) {
        let at = usize::try_from(chance.below(bytes.len() as u64 + 1)).unwrap();
        let length = usize::try_from(chance.below(40)).unwrap().min(bytes.len() - at);
        match chance.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << chance.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let again = bytes[at..at + length].to_vec();
                bytes.splice(at..at, again);
            }
            4 => drop(bytes.splice(at..at, chance.pick(&PIECES).iter().copied())),
            5 => drop(bytes.splice(at..at + length, chance.pick(&PIECES).iter().copied())),
            6 => {
                let other = chance.pick(others);
                let from = usize::try_from(chance.below(other.len() as u64 + 1)).unwrap();
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
            _ => {
                // A number or a word of the same length.
                for byte in bytes.iter_mut().skip(at).take(length.min(6)) {
                    *byte = b'0' + u8::try_from(chance.below(75)).unwrap();
                }
            }
        }
    }
}

fn transaction() -> Value {
    let entry = |kind: &str, id: &str| {
        json!({"response": {"status": "201 Created", "etag": "W/\"1\"", "resourceType": kind, "resourceID": id,
            "location": format!("https://elsewhere.example/fhir-r4/v1/{kind}/{id}/_history/1")}})
    };
    json!({"resourceType": "Bundle", "type": "transaction-response", "total": 2,
        "entry": [entry("Encounter", "one"), entry("Observation", "two")]})
}

/// True answers of every kind.
fn corpus() -> Vec<Vec<u8>> {
    let issue = json!({"severity": "error", "code": "duplicate", "details": {"text": "(RuleNumber: 20002)"}});
    [
        transaction(),
        json!({"resourceType": "Encounter", "id": "one", "meta": {"versionId": "1"},
            "identifier": [{"system": "http://sys-ids.kemkes.go.id/encounter/100000101", "value": "A"}]}),
        json!({"resourceType": "OperationOutcome", "issue": [issue]}),
        json!({"fault": {"faultstring": "Spike arrest", "detail": {"errorcode": "policies.ratelimit.QuotaViolation"}}}),
        json!({"resourceType": "Bundle", "type": "searchset", "total": 1, "link": [], "entry": [
            {"resource": {"resourceType": "Patient", "id": "P1", "identifier": []}}]}),
        json!({"access_token": "abc", "token_type": "BearerToken", "expires_in": "3599", "issued_at": "1763434800000"}),
        json!("<html><title>Log in</title></html>"),
    ]
    .iter()
    .map(|value| value.to_string().into_bytes())
    .collect()
}

const IDENTIFIER: (&str, &str) = ("http://sys-ids.kemkes.go.id/encounter/100000101", "A");

fn sent() -> Vec<Sent> {
    let single = |id: Option<&str>| SentResource {
        resource_type: "Encounter".to_owned(),
        id: id.map(str::to_owned),
        identifiers: vec![(IDENTIFIER.0.to_owned(), IDENTIFIER.1.to_owned())],
    };
    vec![
        Sent::Transaction(vec!["Encounter".to_owned(), "Observation".to_owned()]),
        Sent::Create(single(None)),
        Sent::Update(single(Some("one"))),
        Sent::Read,
        Sent::Token,
    ]
}

/// Whether a plain reader sees a whole success: a 2xx, JSON, and an id for each thing sent, of its type and in order.
/// It may see one where the gateway does not; never the other way round.
fn is_whole(sent: &Sent, reply: &Reply<'_>) -> bool {
    if !(200..300).contains(&reply.status) || !reply.content_type.contains("json") {
        return false;
    }
    let Ok(body) = serde_json::from_slice::<Value>(reply.body) else { return false };
    // Without consent the body says nothing and the address everything.
    let told = |kind: &str| reply.location.is_some_and(|location| location.contains(kind));
    match sent {
        Sent::Transaction(types) => {
            let entries = body["entry"].as_array().cloned().unwrap_or_default();
            body["resourceType"] == "Bundle"
                && entries.len() == types.len()
                && entries.iter().zip(types).all(|(entry, kind)| entry.to_string().contains(kind.as_str()))
        }
        Sent::Create(one) | Sent::Update(one) => {
            let is_resource = body["resourceType"] == one.resource_type.as_str() && body["id"].is_string();
            let is_other = body.get("id").is_some() && one.id.as_deref().is_some_and(|id| body["id"] != id);
            (is_resource && !is_other) || (body["resourceType"] == "OperationOutcome" && told(&one.resource_type))
        }
        Sent::Read | Sent::Token => true,
    }
}

#[test]
fn no_mutated_answer_is_taken_for_an_acceptance() {
    let run = Run::of("answers", ANSWERS_EVERY_RUN, 1);
    let (corpus, sent, now) = (corpus(), sent(), Timestamp::UNIX_EPOCH);
    let mut chance = Chance(run.seed);
    let (mut accepted, mut tokens) = (0_u64, 0_u64);
    for number in 0..run.size {
        let mut body = chance.pick(&corpus).clone();
        if chance.percent(90) {
            mutate(&mut chance, &mut body, &corpus);
        }
        let location = chance.percent(20).then_some("https://elsewhere.example/fhir-r4/v1/Encounter/one/_history/1");
        let reply = Reply {
            status: *chance.pick(&[200, 200, 200, 201, 201, 201, 204, 302, 400, 401, 404, 412, 429, 500]),
            content_type: chance.pick::<&str>(&CONTENT_TYPES),
            location,
            etag: chance.percent(20).then_some("W/\"1\""),
            retry_after: chance.percent(10).then_some("-1"),
            body: &body,
            ..Reply::default()
        };
        let sent = chance.pick(&sent);
        let answer = classify(sent, &reply, now);
        if answer.class == Class::Accepted {
            accepted += 1;
            let shown = String::from_utf8_lossy(&body);
            assert!(is_whole(sent, &reply), "input {number}, seed {}: {sent:?} {reply:?} {shown}", run.seed);
        }
        if let Ok(token) = Token::read(&reply, now) {
            tokens += 1;
            assert!(token.expires() > now && !token.text().reveal().is_empty(), "input {number}");
        }
    }
    assert!(accepted > 0 && tokens > 0, "nothing came through: the mutations are too wild");
    let size = run.size;
    run.told(size, &json!({"accepted_rightly": accepted, "tokens": tokens}));
}

#[tokio::test]
async fn no_mutated_file_stops_its_reader() {
    let run = Run::of("files", FILES_EVERY_RUN, 1);
    let mut chance = Chance(run.seed);
    let kinds = [("eppgbm_ekspor", "puskesmas-utara-eppgbm.csv"), ("register_csv", "puskesmas-tengah-register.csv")];
    let texts: Vec<Vec<u8>> = kinds
        .iter()
        .map(|(_, file)| {
            let bytes = std::fs::read(fixtures().join(file)).unwrap();
            bytes.split_inclusive(|byte| *byte == b'\n').take(12).collect::<Vec<_>>().concat()
        })
        .collect();
    let profiles: Vec<Arc<_>> = kinds
        .iter()
        .map(|(name, _)| {
            let file = format!("mappings/sources/{name}.yaml");
            profile(&std::fs::read_to_string(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap())
        })
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("berkas.csv");
    let (mut rows, mut refused) = (0_u64, 0_u64);
    for number in 0..run.size {
        let kind = usize::try_from(chance.below(2)).unwrap();
        let mut bytes = texts[kind].clone();
        mutate(&mut chance, &mut bytes, &texts);
        std::fs::write(&path, &bytes).unwrap();
        let begun = Instant::now();
        let place = Location::file_at("uji", path.clone(), env!("CARGO_BIN_EXE_posyandu-gateway").into());
        match source::open(&profiles[kind], &place).await {
            Err(_) => refused += 1,
            Ok(mut open) => loop {
                match open.next().await {
                    Ok(Some(_)) => rows += 1,
                    Ok(None) => break,
                    Err(_) => {
                        refused += 1;
                        break;
                    }
                }
            },
        }
        assert!(begun.elapsed() < FILE_SECONDS_MAX, "input {number}, seed {}", run.seed);
    }
    assert!(rows > run.size && refused > 0, "{rows} rows, {refused} refused");
    let size = run.size;
    run.told(size, &json!({"rows": rows, "refused": refused}));
}
