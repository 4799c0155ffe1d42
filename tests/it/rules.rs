//! The published rules from outside: with valid resources nothing is found, and one planted error per rule is found
//! as that rule. The resources are written for this test, in the shapes of the published samples; nobody is real.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::issue::{Issue, Severity};
use posyandu_gateway::mapping::case::{self, Case};
use posyandu_gateway::resource::dictionary::element::Element;
use posyandu_gateway::resource::dictionary::{Dictionary, Finding, Rule};
use posyandu_gateway::resource::{Outcome, prepare, structure};
use serde_json::{Value, json};

/// Numbers in the published dictionary.
const PUBLISHED: usize = 558;
/// Of these, the ones that cannot be looked at before sending.
const NOT_BEFORE_SENDING: usize = 21;

fn published() -> Dictionary {
    assets::rules_for_work(None).unwrap().profiles.dictionary
}

/// The valid resources of each type.
fn valid() -> BTreeMap<String, Vec<Value>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/aturan");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    files
        .map(|path| {
            let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (kind, serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap())
        })
        .collect()
}

fn findings(dictionary: &Dictionary, resource: &Value) -> Vec<Finding> {
    dictionary.findings(resource["resourceType"].as_str().unwrap(), resource, &|_| None)
}

fn numbers(found: &[Finding]) -> BTreeSet<u32> {
    found.iter().map(|finding| finding.number).collect()
}

#[test]
fn every_published_rule_is_looked_at_or_says_why_not() {
    let dictionary = published();
    let all: BTreeSet<u32> = dictionary.rules().iter().map(|rule| rule.number).collect();
    let checked: BTreeSet<u32> =
        dictionary.rules().iter().filter(|rule| rule.check.is_some()).map(|rule| rule.number).collect();
    assert_eq!((all.len(), all.len() - checked.len()), (PUBLISHED, NOT_BEFORE_SENDING));
    for rule in dictionary.rules().iter().filter(|rule| rule.check.is_none()) {
        assert!(rule.note.len() > 10, "rule {} does not say why it is not looked at", rule.number);
    }
}

#[test]
fn valid_resources_have_no_finding() {
    let dictionary = published();
    for (kind, resources) in valid() {
        for resource in &resources {
            if kind == "Bundle" {
                assert_eq!(dictionary.findings_of_bundle(&resource.to_string()), []);
                continue;
            }
            assert_eq!(findings(&dictionary, resource), [], "{kind}");
            let faults = structure::check(&kind, &resource.to_string()).err().unwrap_or_default();
            let known = !faults.iter().any(|fault| fault.kind == structure::FaultKind::UnknownType);
            assert!(!known || faults.is_empty(), "{kind}: {faults:#?}");
        }
    }
}

/// `Encounter.location[0].status` as a JSON pointer.
fn pointer(path: &str) -> String {
    let below = path.split_once('.').map(|(_, below)| below).unwrap_or_default();
    below
        .split('.')
        .filter(|step| !step.is_empty())
        .map(|step| format!("/{}", step.replace('[', "/").replace(']', "")))
        .collect()
}

fn remove(resource: &mut Value, path: &str) {
    let whole = path.strip_suffix(']').map_or(path, |path| path.rsplit_once('[').unwrap().0);
    let (parent, name) = whole.rsplit_once('.').unwrap();
    let parent = resource.pointer_mut(&pointer(parent)).unwrap();
    parent.as_object_mut().unwrap().shift_remove(name).unwrap();
}

/// The error that a kind of rule forbids, at a value.
fn break_value(rule: &Rule, value: &mut Value) {
    let text = value.as_str().unwrap_or_default().to_owned();
    match rule.word.as_str() {
        "system" if value.get("coding").is_some() => value["coding"][0]["system"] = json!("http://contoh.invalid"),
        "system" | "unit" | "identifier" => value["system"] = json!("http://contoh.invalid"),
        "code" | "canonical" => *value = json!("bukan-kode"),
        "ucum" => *value = json!("kg m"),
        "reference" => value["reference"] = json!("tanpa-jenis"),
        "date_time" => *value = json!(text.replace("+00:00", "Z")),
        "date" => *value = json!("18-11-2026"),
        "time" => *value = json!("jam 8"),
        "later_than" if text.contains('T') => *value = json!("2020-01-01T00:00:00+00:00"),
        "later_than" => *value = json!("2020-01-01"),
        "number" | "decimal" | "number_from_0" => *value = json!("-"),
        "integer" => *value = json!(1.5),
        "positive" => *value = json!(0),
        "boolean" => *value = json!("ya"),
        "text" => *value = json!(" "),
        "letters_digits" => *value = json!("AB-12"),
        "age" => value["value"] = json!("tua"),
        "currency" => value["currency"] = json!("rupiah"),
        other => panic!("no error is known for `{other}`"),
    }
}

/// The broken variants of the valid resources, one for each that has the element.
fn broken(rule: &Rule, resources: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    for resource in resources {
        let values = Element::parse(&rule.element).values(resource);
        let Some(path) = values.first().map(|(path, _)| path.clone()) else { continue };
        let mut resource = resource.clone();
        match rule.word.as_str() {
            "required" => remove(&mut resource, &path),
            _ => break_value(rule, resource.pointer_mut(&pointer(&path)).unwrap()),
        }
        all.push(resource);
    }
    all
}

#[test]
fn a_planted_error_per_rule_is_found_as_that_rule_and_no_other() {
    let (dictionary, valid) = (published(), valid());
    let mut wrong = Vec::new();
    for rule in dictionary.rules().iter().filter(|rule| rule.check.is_some() && rule.resource_type() != "Bundle") {
        let variants = broken(rule, &valid[rule.resource_type()]);
        let found: Vec<Vec<Finding>> = variants.iter().map(|resource| findings(&dictionary, resource)).collect();
        let only = BTreeSet::from([rule.number]);
        let fires = found
            .iter()
            .any(|found| numbers(found) == only && found.iter().all(|finding| finding.severity == Severity::Error));
        // Where its condition does not hold, another rule may speak about the same element.
        let foreign = found.iter().any(|found| !numbers(found).is_subset(&only)) && rule.condition.is_empty();
        if !fires || foreign {
            wrong.push(format!("{} {} {}: {found:?}", rule.number, rule.element, rule.word));
        }
    }
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}

#[test]
fn a_number_below_zero_a_unit_without_code_and_a_reference_to_another_type_are_found() {
    let (dictionary, valid) = (published(), valid());
    let found = |kind: &str, pointer: &str, value: Value| {
        let mut resource = valid[kind][0].clone();
        *resource.pointer_mut(pointer).unwrap() = value;
        let found = findings(&dictionary, &resource);
        (numbers(&found), found.into_iter().map(|finding| finding.path).collect::<Vec<_>>())
    };
    let one = |number: u32, path: &str| (BTreeSet::from([number]), vec![path.to_owned()]);
    let below = found("MedicationRequest", "/dispenseRequest/numberOfRepeatsAllowed", json!(-1));
    assert_eq!(below, one(10345, "MedicationRequest.dispenseRequest.numberOfRepeatsAllowed"));
    let no_code = found("Observation", "/valueQuantity/code", json!(""));
    assert_eq!(no_code, one(10012, "Observation.valueQuantity.code"));
    let other = found("Observation", "/performer/0", json!({"reference": "Organization/100000101"}));
    assert_eq!(other, one(10383, "Observation.performer[0].reference"));
    let other_org = found("Observation", "/identifier/0/system", json!("http://sys-ids.kemkes.go.id/observation/"));
    assert_eq!(other_org, one(10441, "Observation.identifier[0].system"));
}

#[test]
fn what_official_samples_send_against_the_printed_rule_is_a_warning() {
    let (dictionary, valid) = (published(), valid());
    for rule in dictionary.rules().iter().filter(|rule| !rule.disputed.is_empty()) {
        for disputed in &rule.disputed {
            let resources = &valid[rule.resource_type()];
            let (path, mut resource) = resources
                .iter()
                .find_map(|resource| {
                    let (path, _) = Element::parse(&rule.element).values(resource).into_iter().next()?;
                    Some((path, resource.clone()))
                })
                .unwrap();
            let value = resource.pointer_mut(&pointer(&path)).unwrap();
            let sent = json!(disputed.replace("{org}", "100000101").replace('*', "Q0012"));
            match rule.word.as_str() {
                "system" if value.get("coding").is_some() => value["coding"][0]["system"] = sent,
                "system" | "identifier" => value["system"] = sent,
                _ => *value = sent,
            }
            let found = findings(&dictionary, &resource);
            assert_eq!(numbers(&found), BTreeSet::from([rule.number]), "{disputed}");
            assert_eq!(found[0].severity, Severity::Warning, "{} {disputed}", rule.number);
        }
    }
}

#[test]
fn a_planted_error_of_the_whole_bundle_is_found() {
    let dictionary = published();
    let bundle = valid()["Bundle"][0].clone();
    let found = |change: &dyn Fn(&mut Value)| {
        let mut bundle = bundle.clone();
        change(&mut bundle);
        numbers(&dictionary.findings_of_bundle(&bundle.to_string()))
    };
    let url = |url: &str| found(&|bundle| bundle["entry"][1]["fullUrl"] = json!(url));
    assert_eq!(numbers(&dictionary.findings_of_bundle("{\"resourceType\":")), BTreeSet::from([20006]));
    let lost = json!("urn:uuid:00000000-0000-4000-8000-000000000000");
    let lost = found(&|bundle| bundle["entry"][1]["resource"]["encounter"]["reference"] = lost.clone());
    assert_eq!(lost, BTreeSet::from([20007]));
    let nested = found(&|bundle| bundle["entry"][1]["resource"] = json!({"resourceType": "Bundle"}));
    assert_eq!(nested, BTreeSet::from([20011]));
    assert_eq!(url("urn:uuid"), BTreeSet::from([20017]));
    assert_eq!(url("https://contoh.invalid/1"), BTreeSet::from([20018]));
    assert_eq!(url("urn:uuid:1"), BTreeSet::from([20019]));
    assert_eq!(url(bundle["entry"][0]["fullUrl"].as_str().unwrap()), BTreeSet::from([20020]));
    assert_eq!(url(""), BTreeSet::from([20021]));
    // Rule 20008 is the structural check, which names faults its own way.
    let unfit = valid()["Observation"][0].to_string().replace("\"status\"", "\"statuz\"");
    assert!(structure::check("Observation", &unfit).is_err());
    let kind = found(&|bundle| {
        bundle["entry"][1]["resource"]["encounter"]["reference"] = bundle["entry"][1]["fullUrl"].clone()
    });
    assert_eq!(kind, BTreeSet::new(), "10130 prints no type");
}

/// A shipped case with some of its text changed, through everything before queueing.
fn outcome(rules: &Rules, changes: &[(&str, &str)]) -> Vec<Issue> {
    let cases = assets::mapping_cases(None).unwrap();
    let (file, text) = cases.iter().find(|(file, _)| file.ends_with("penimbangan_dan_imunisasi.yaml")).unwrap();
    let text = changes.iter().fold(text.clone(), |text, (old, new)| {
        assert!(text.contains(old), "{old}");
        text.replacen(old, new, 1)
    });
    let case = Case::parse(file, &text, &rules.mappings).unwrap();
    case.with_visit(|visit, switches| {
        match prepare(&rules.mappings, &rules.profiles, visit, switches, &case::identify) {
            Outcome::Prepared(prepared) => prepared.issues,
            Outcome::Stopped(issues) => issues,
        }
    })
}

#[test]
fn a_finding_stops_the_visit_with_rule_element_and_field() {
    let rules = assets::rules_for_work(None).unwrap();
    let issues = outcome(&rules, &[("jam_tutup: \"11:00\"", "jam_tutup: \"07:00\"")]);
    let issue = issues.iter().find(|issue| issue.is_error()).unwrap();
    let argument =
        |name: &str| issue.arguments.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    assert_eq!(issue.rule, "resource.rule_time");
    assert_eq!(argument("number"), Some("10121"));
    assert_eq!(issue.expression.as_deref(), Some("Encounter.period.end"));
    assert_eq!(argument("field"), Some("kunjungan.tanggal"));
}

#[test]
fn what_is_remembered_of_a_shape_never_changes_an_outcome() {
    let warm = assets::rules_for_work(None).unwrap();
    let hours = ["11:00", "08:00", "07:59", "08:01"];
    let days = ["2027-01-31", "2026-11-18", "2026-11-17"];
    let cases = assets::mapping_cases(None).unwrap();
    let text = &cases.iter().find(|(file, _)| file.ends_with("penimbangan_dan_imunisasi.yaml")).unwrap().1;
    let expiry = text.lines().find(|line| line.contains("kedaluwarsa:")).map(str::trim);
    for hour in hours {
        for day in days {
            let hour = format!("jam_tutup: \"{hour}\"");
            let day = format!("kedaluwarsa: {day}");
            let mut changes = vec![("jam_tutup: \"11:00\"", hour.as_str())];
            changes.extend(expiry.map(|expiry| (expiry, day.as_str())));
            let cold = assets::rules_for_work(None).unwrap();
            assert_eq!(outcome(&cold, &changes), outcome(&warm, &changes), "{hour} {day}");
        }
    }
}
