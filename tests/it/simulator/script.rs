//! Scripts: the same seed gives the same faults, mistakes name their place, and editors get a schema.

use std::path::Path;

use posyandu_gateway::simulator::fault::FaultKind;
use posyandu_gateway::simulator::script::{self, Script};
use serde_json::{Value, json};

use super::desk::Desk;
use super::visit;

const STORM: &str = "\
steps:
  - when: {of: write, probability: 0.3}
    do: {fault: server_error_after_commit, status: 502}
  - when: {of: read, probability: 0.2, at_most: 20}
    do: {fault: edited, set: {/total: 7}}
  - when: {path: /fhir-r4/v1/Encounter*, every: 7}
    do: {fault: answer, answer: gw-503-upstream}
  - when: {from_second: 100, until_second: 160, every: 2}
    do: {fault: maintenance}
";

/// Statuses and bodies of a fixed run of calls.
async fn run(seed: u64) -> Vec<(u16, String)> {
    let desk = Desk::scripted(&format!("seed: {seed}\n{STORM}")).await;
    let mut seen = Vec::new();
    for number in 0..60 {
        desk.clock.advance(std::time::Duration::from_secs(5));
        for answer in [
            desk.post("", &visit::bundle(&format!("v{number}"))).await,
            desk.get("/Encounter").await,
            desk.get("/Observation?_count=1").await,
        ] {
            seen.push((answer.status, answer.text()));
        }
    }
    let faults = desk.simulator.stats().faults;
    assert_eq!(faults.len(), 4, "{faults:?}");
    assert_eq!(faults["edited"], 20);
    seen
}

#[tokio::test]
async fn the_same_seed_gives_the_same_run_to_the_byte() {
    let first = run(7).await;
    assert!(first == run(7).await);
    assert!(first != run(8).await);
}

#[tokio::test]
async fn a_time_window_opens_and_closes() {
    let script = "steps: [{when: {from_second: 10, until_second: 20, every: 1}, do: {fault: maintenance}}]";
    let desk = Desk::scripted(script).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(desk.get("/Encounter").await.status);
        desk.clock.advance(std::time::Duration::from_secs(10));
    }
    assert_eq!(seen, [200, 503, 200]);
}

#[test]
fn the_shipped_schema_is_what_the_program_prints_and_accepts_what_it_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/editor/script.json");
    let schema = script::schema();
    let shipped: Value = std::fs::read_to_string(path).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap());
    assert!(shipped == schema, "write it again: posyandu-gateway simulate --print-schema > schemas/editor/script.json");
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    for kind in FaultKind::all() {
        let step = json!({"when": {"every": 1}, "do": {"fault": kind.name()}});
        assert!(validator.is_valid(&json!({"steps": [step]})), "{}", kind.name());
    }
    assert!(validator.is_valid(&serde_saphyr::from_str(STORM).unwrap()));
    for wrong in [
        json!({"step": []}),
        json!({"steps": [{"when": {"every": 1}, "do": {"fault": "fire"}}]}),
        json!({"steps": [{"when": {"evry": 1}, "do": {"fault": "huge"}}]}),
        json!({"steps": [{"when": {"every": 1}}]}),
        json!({"settings": {"page_size": "many"}}),
    ] {
        assert!(!validator.is_valid(&wrong), "{wrong}");
        assert!(Script::parse("s", &wrong.to_string()).is_err(), "{wrong}");
    }
}

#[test]
fn a_mistake_names_file_line_and_column() {
    for (step, place, reason) in [
        ("- when: {every: 1}\n    do: {fault: fire}", "a.yaml:3:", "unknown variant `fire`"),
        ("- when: {evry: 1}\n    do: {fault: html_page}", "a.yaml:2:", "unknown field `evry`"),
        ("- when: {every: 1, calls: [1]}\n    do: {fault: html_page}", "a.yaml:2:", "exactly one of"),
        ("- when: {every: 1}\n    do: {fault: answer, answer: mpi-501}", "a.yaml:2:", "class of the catalogue"),
    ] {
        let error = Script::parse("a.yaml", &format!("steps:\n  {step}\n")).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(reason), "{error}");
    }
}
