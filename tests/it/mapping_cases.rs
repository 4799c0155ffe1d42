//! The mapping cases as shipped: each comes out as written, and together they take every branch of every mapping.

use std::collections::{BTreeMap, BTreeSet};

use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::mapping::case::{self, Case};
use posyandu_gateway::mapping::plan::{Operation, Records};
use posyandu_gateway::mapping::registration::REGISTRATION;
use posyandu_gateway::resource::{Outcome, prepare};

fn shipped() -> (Rules, Vec<(String, String, Case)>) {
    let rules = assets::rules(None).unwrap();
    let cases = assets::mapping_cases(None).unwrap().into_iter().map(|(file, text)| {
        let case = Case::parse(&file, &text, &rules.mappings).unwrap_or_else(|problems| panic!("{problems:#?}"));
        (file, text, case)
    });
    let cases = cases.collect();
    (rules, cases)
}

#[test]
fn each_shipped_case_comes_out_as_written() {
    let (rules, cases) = shipped();
    assert!(cases.len() >= 12, "{}", cases.len());
    for (file, text, case) in &cases {
        let result = case::run(&rules.mappings, case);
        assert!(result.passed, "{file}: {}\n{}", result.name, result.differences.join("\n"));
        assert_eq!(case::bless(&rules.mappings, case, text), *text, "{file} is not written the way bless writes it");
    }
}

#[test]
fn what_a_case_yields_passes_the_checks_before_queueing() {
    let (rules, cases) = shipped();
    for (file, text, case) in &cases {
        let expected = text.lines().any(|line| line == "resources:");
        case.with_visit(|visit, switches| {
            match prepare(&rules.mappings, &rules.profiles, visit, switches, &case::identify) {
                Outcome::Stopped(issues) => {
                    assert!(issues.iter().all(|issue| issue.rule.starts_with("mapping.")), "{file}: {issues:#?}");
                    assert!(!expected, "{file} is stopped: {issues:#?}");
                }
                Outcome::Prepared(_) => assert!(expected, "{file} expects nothing and is not stopped"),
            }
        });
    }
}

/// Notes for each guard of a plan whether it held; a guard is named by its position on the way down.
fn walk(name: &str, operations: &[Operation], records: Records<'_>, seen: &mut BTreeMap<String, BTreeSet<bool>>) {
    for (position, operation) in operations.iter().enumerate() {
        let name = format!("{name}/{position}");
        match operation {
            Operation::Guard(checks, inner) => {
                let holds = records.hold(checks);
                seen.entry(format!("{name} {checks:?}")).or_default().insert(holds);
                if holds {
                    walk(&name, inner, records, seen);
                }
            }
            Operation::Prune(inner) => walk(&name, inner, records, seen),
            _ => {}
        }
    }
}

#[test]
fn every_branch_of_every_mapping_is_taken_and_left_out_by_some_case() {
    let (rules, cases) = shipped();
    let mut seen: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for (_, _, case) in &cases {
        case.with_visit(|visit, _| {
            let own =
                Records { own: visit.visit, sasaran: visit.sasaran, posyandu: visit.posyandu, visit: visit.visit };
            let services = visit.records.iter().map(|(record, _)| Records { own: record, ..own });
            for records in std::iter::once(own).chain(services) {
                let dataset = &records.own.schema.dataset;
                let Some(mapping) = rules.mappings.all().find(|mapping| mapping.dataset == *dataset) else {
                    assert_eq!(dataset, REGISTRATION, "it follows from a person or posyandu and is not mapped itself");
                    continue;
                };
                for plan in &mapping.plans {
                    let present = records.hold(&plan.when);
                    let name = format!("{dataset}.{}", plan.name);
                    if !plan.when.is_empty() {
                        seen.entry(name.clone()).or_default().insert(present);
                    }
                    if present {
                        walk(&name, &plan.operations, records, &mut seen);
                    }
                }
            }
        });
    }
    let plans = rules.mappings.all().flat_map(|mapping| &mapping.plans).filter(|plan| !plan.when.is_empty()).count();
    assert!(seen.len() > plans, "guards inside the resources were found as well");
    let one_sided: Vec<_> = seen.iter().filter(|(_, ways)| ways.len() < 2).collect();
    assert!(one_sided.is_empty(), "{one_sided:#?}");
}

#[test]
fn a_wrong_expectation_is_told_with_its_path() {
    let (rules, cases) = shipped();
    let (file, text, _) = cases.iter().find(|(file, _, _)| file == "tests/balita_lengkap.yaml").unwrap();
    let told = |right: &str, wrong: &str| {
        assert!(text.contains(right), "{right}");
        let case = Case::parse(file, &text.replacen(right, wrong, 1), &rules.mappings).unwrap();
        let result = case::run(&rules.mappings, &case);
        assert!(!result.passed);
        result.differences
    };
    assert_eq!(
        told("      value: 11.6\n", "      value: 11.60\n"),
        ["resources[2].valueQuantity.value: expected 11.60, got 11.6"]
    );
    assert_eq!(told("    status: final\n", ""), ["resources[2].status: expected nothing, got \"final\""]);
    assert_eq!(
        told("value: BERAT_BADAN-1", "value: BERAT-1"),
        ["resources[2]: expected Observation BERAT-1, got Observation BERAT_BADAN-1"]
    );
    let (head, _) = text.split_once("resources:").unwrap();
    let bare = Case::parse(file, head, &rules.mappings).unwrap();
    assert!(case::run(&rules.mappings, &bare).differences[0].starts_with("nothing is expected yet"));
    assert_eq!(case::bless(&rules.mappings, &bare, head), *text);
}

#[test]
fn a_mistake_in_a_case_is_told_with_its_place() {
    let (rules, cases) = shipped();
    let (file, text, _) = cases.iter().find(|(file, _, _)| file == "tests/balita_lengkap.yaml").unwrap();
    for (right, wrong, expected) in [
        ("      bb: 11.6", "      bbb: 11.6", "has no field `bbb` (did you mean `bb"),
        ("      bb: 11.6", "      bb: berat", "`bb` cannot hold this"),
        ("      bb: 11.6", "      bb: 700", "`bb` of `kunjungan_balita` has a value that its schema refuses"),
        ("  - kunjungan_balita:", "  - kunjungan_balta:", "(did you mean `kunjungan_balita`?)"),
        ("  zona_waktu: WIB\n", "", "`zona_waktu` of `posyandu` is missing"),
        ("  - diagnosis_balita_z00_1", "  - diagnosis_balita", "(did you mean `diagnosis_balita_z00_1`?)"),
        ("organization:", "organisation:", "(did you mean `organization`?)"),
    ] {
        assert!(text.contains(right), "{right}");
        let problems = Case::parse(file, &text.replacen(right, wrong, 1), &rules.mappings).unwrap_err();
        let line = text[..text.find(right).unwrap()].matches('\n').count() + 1;
        let found = problems.iter().map(ToString::to_string).find(|problem| problem.contains(expected));
        let found = found.unwrap_or_else(|| panic!("expected `{expected}` in {problems:#?}"));
        let exact = format!("{file}:{line}:");
        assert!(found.starts_with(&exact) || wrong.is_empty(), "{found}");
    }
}
