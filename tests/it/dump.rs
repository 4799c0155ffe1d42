//! What the stand-in holds is FHIR: proved by two validators that nobody of this project wrote.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use posyandu_gateway::config::assets;
use posyandu_gateway::mapping::case::{self, Case};
use posyandu_gateway::mapping::registration::REGISTRATION;
use posyandu_gateway::resource::{Outcome, prepare};
use serde_json::{Value, json};

use crate::simulator::server::{Server, options};
use crate::simulator::visit;

/// What stops the test when the tools are missing (exit status 2 of the script).
const MISSING: &str = "tests/validators.sh needs python3 with venv, node, npm and their package registries";

fn urn(position: usize) -> String {
    format!("urn:uuid:00000000-0000-4000-8000-{position:012}")
}

fn renamed(mut resource: Value, name: &str) -> Value {
    resource["identifier"][0]["value"] = json!(name);
    resource
}

fn coding(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": format!("http://terminology.hl7.org/CodeSystem/{system}"), "code": code}]})
}

/// A dose told by a kader, one from the mother's book, one from memory, and one that was not given.
fn other_doses(name: &str) -> Vec<Value> {
    let midwife = json!({"reference": format!("Practitioner/{}", visit::MIDWIFE)});
    let mut told = visit::told_by_kader();
    told["identifier"] = visit::given(name)["identifier"].clone();
    let history = |origin: &str| {
        let mut dose = told.clone();
        dose["primarySource"] = json!(false);
        dose["reportOrigin"] = coding("immunization-origin", origin);
        dose["performer"] = json!([{"function": coding("v2-0443", "EP"), "actor": midwife}]);
        dose
    };
    let mut refused = told.clone();
    refused["status"] = json!("not-done");
    refused["statusReason"] = coding("v3-ActReason", "MEDPREC");
    refused["performer"] = json!([{"function": coding("v2-0443", "OP"), "actor": midwife}]);
    refused.as_object_mut().unwrap().remove("reportOrigin");
    let doses = [("kader", told.clone()), ("book", history("record")), ("memory", history("recall")), ("no", refused)];
    doses.into_iter().map(|(kind, dose)| renamed(dose, &format!("{name}-{kind}"))).collect()
}

/// A visit with everything a mapping yields: two diagnoses, measurements, vitamin, every kind of dose, a statement.
fn bundle(name: &str) -> Value {
    let mut bundle = visit::bundle(name);
    let entries = bundle["entry"].as_array_mut().unwrap();
    let encounter = json!({"reference": urn(0)});
    let mut diagnosis = renamed(entries[1]["resource"].clone(), &format!("{name}-second"));
    diagnosis["code"]["coding"][0]["code"] = json!("Z27.8");
    let mut length = visit::weight(&format!("{name}-length"));
    length["code"]["coding"][0]["code"] = json!("8306-3");
    length["valueQuantity"] = json!({"value": 82, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"});
    let mut more = vec![diagnosis, length, visit::statement(name, &encounter)];
    more.extend(other_doses(name));
    let mut second = entries[0]["resource"]["diagnosis"][0].clone();
    second["rank"] = json!(2);
    second["condition"]["reference"] = json!(urn(entries.len()));
    entries[0]["resource"]["diagnosis"].as_array_mut().unwrap().push(second);
    for resource in more {
        let request = json!({"method": "POST", "url": resource["resourceType"]});
        entries.push(json!({"fullUrl": urn(entries.len()), "resource": resource, "request": request}));
    }
    bundle
}

/// The validators are installed into one folder: one test at a time.
static INSTALLING: Mutex<()> = Mutex::new(());

/// Exit code and words of both validators on a dump.
pub fn validated(file: &Path) -> (Option<i32>, String) {
    let _alone = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/validators.sh");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("validators");
    let Output { status, stdout, stderr } = Command::new("sh").arg(script).arg(file).arg(folder).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_ne!(status.code(), Some(2), "{MISSING}: {text}");
    (status.code(), text)
}

/// Line of the first resource of a type, and the dump with that resource changed.
fn corrupted(lines: &[Value], kind: &str, change: impl FnOnce(&mut Value)) -> (usize, String) {
    let mut lines = lines.to_vec();
    let position = lines.iter().position(|line| line["resourceType"] == kind).unwrap();
    change(&mut lines[position]);
    (position + 1, lines.iter().map(|line| format!("{line}\n")).collect())
}

#[tokio::test]
async fn a_dump_is_fhir_and_a_corrupted_one_is_not() {
    let server = Server::ready(options()).await;
    for name in ["a", "b"] {
        let answer = server.post("", &bundle(name)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.ndjson");
    server.simulator.dump(&mut std::fs::File::create(&file).unwrap()).unwrap();
    let (status, text) = validated(&file);
    assert_eq!(status, Some(0), "{text}");
    assert_eq!(text.matches("32 resources, ").count(), 2, "both validators read the whole file: {text}");

    let lines = server.dump();
    let (status_line, wrong) =
        corrupted(&lines, "Observation", |line| drop(line.as_object_mut().unwrap().remove("status")));
    std::fs::write(&file, wrong).unwrap();
    let (status, text) = validated(&file);
    assert_eq!(status, Some(1), "{text}");
    let told = text
        .lines()
        .filter(|line| line.starts_with(&format!("line {status_line}: Observation")) && line.contains("status"));
    assert_eq!(told.count(), 2, "both validators name line and element: {text}");

    // What the models let pass is found by the script's own walk.
    let (line, wrong) = corrupted(&lines, "Condition", |line| line["encounter"]["reference"] = json!("Encounter/none"));
    std::fs::write(&file, wrong).unwrap();
    let (status, text) = validated(&file);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains(&format!("line {line}: Condition.encounter: leads nowhere: Encounter/none")), "{text}");
}

/// The Bundle of a mapping case with everybody's ids filled in; `None` when a person must act first, and for a person or
/// posyandu, who is registered before any visit and not by a Bundle.
fn bundle_of(file: &str, text: &str, rules: &assets::Rules) -> Option<Value> {
    let case = Case::parse(file, text, &rules.mappings).unwrap();
    let identify = |name: &str, key: &[u8; 32]| format!("{file}-{}", case::identify(name, key));
    let outcome = case.with_visit(|visit, switches| {
        assert_eq!(visit.organization, CASE_ORGANIZATION, "{file}");
        prepare(&rules.mappings, &rules.profiles, visit, switches, &identify)
    });
    let Outcome::Prepared(prepared) = outcome else { return None };
    if case.with_visit(|visit, _| visit.visit.schema.dataset == REGISTRATION) {
        return None;
    }
    let text = prepared.bundle.replace("{patient}", visit::PATIENT).replace("{practitioner}", visit::MIDWIFE);
    Some(serde_json::from_str(&text).unwrap())
}

/// The organisation that all mapping cases belong to.
const CASE_ORGANIZATION: &str = "100000101";

#[tokio::test]
async fn what_the_mapping_cases_yield_is_accepted_and_fhir() {
    let mut options = options();
    // All cases are about one person, who can have one open episode of care; their identifiers differ.
    options.duplicate_check = false;
    options.clients[0].organization_id = CASE_ORGANIZATION.to_owned();
    options.people.locations[0].organization = CASE_ORGANIZATION.to_owned();
    let server = Server::ready(options).await;
    let rules = assets::rules(None).unwrap();
    let mut sent = 0;
    for (file, text) in assets::mapping_cases(None).unwrap() {
        if let Some(bundle) = bundle_of(&file, &text, &rules) {
            let answer = server.post("", &bundle).await;
            assert_eq!(answer.status, 200, "{file}: {}", answer.text);
            sent += 1;
        }
    }
    assert!(sent >= 12, "{sent}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cases.ndjson");
    server.simulator.dump(&mut std::fs::File::create(&file).unwrap()).unwrap();
    let (status, text) = validated(&file);
    assert_eq!(status, Some(0), "{text}");
    let count = format!("{} resources, ", server.dump().len());
    assert_eq!(text.matches(&count).count(), 2, "{text}");
}
