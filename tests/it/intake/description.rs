//! The description of the interface says what is so.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use posyandu_gateway::http::{self, Limits, openapi};
use posyandu_gateway::ingest::intake::fields::Fields;
use posyandu_gateway::observed::LastRound;
use posyandu_gateway::record::schema::Schemas;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::counter::{Counter, NAME, TOKEN, record};

fn document() -> Value {
    openapi::document(&Fields::of(&Schemas::built_in().unwrap()), &Limits::default())
}

/// Every `$ref` of a value.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| references(element, found)),
        _ => {}
    }
}

#[test]
fn its_references_lead_somewhere_and_a_sound_record_fits_it() {
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 10);
    for reference in found {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "components": document["components"],
        "$ref": "#/components/schemas/Record",
    });
    let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&whole).unwrap();
    assert!(validator.is_valid(&record("anak-1", 1)));
    let content = &document["paths"]["/v1/records"]["post"]["requestBody"]["content"];
    assert!(validator.is_valid(&content["application/json"]["example"][0]));
    for (pointer, value) in [("/id", json!("")), ("/sasaran/nama", json!(7)), ("/kunjungan_balita/bb", json!(900))] {
        let mut wrong = record("anak-1", 1);
        *wrong.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&wrong), "{pointer}");
    }
    let schemas = &document["components"]["schemas"];
    assert!(schemas["sasaran"]["properties"].get("status_nik").is_none());
    assert_eq!(schemas["sasaran"].get("$id"), None);
}

/// What stops the test when the tools are missing (exit status 2 of the script).
const MISSING: &str = "tests/schemathesis.sh needs python3 with venv, and PyPI";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checker_that_nobody_here_wrote_finds_every_answer_as_described() {
    // The checker also sends one record too many: few are enough to prove it.
    let counter = Counter::with(Limits { records: 100, ..Limits::default() }, true).await;
    // The checker takes no 503 for an answer, so the gateway must be ready.
    counter.observed.round(LastRound::Fine, 0);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(http::serve(listener, Arc::clone(&counter.app), std::future::pending()));
    let checked = tokio::task::spawn_blocking(move || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis.sh");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
        Command::new("sh").arg(script).arg(address).arg(folder).env("TOKEN", TOKEN).output().unwrap()
    });
    let output = checked.await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_ne!(output.status.code(), Some(2), "{MISSING}: {text}");
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!serving.is_finished(), "it still serves");
    assert_eq!(counter.post(&json!([record("after", 1)])).await.items().len(), 1);
    assert!(!text.contains(NAME));
}
