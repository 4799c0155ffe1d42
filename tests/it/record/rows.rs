//! What intake makes of rows of all groups: their visits and keys, registers, and visits without a mapping.

use std::collections::BTreeSet;

use posyandu_gateway::clock::Zone;
use posyandu_gateway::config::assets;
use posyandu_gateway::ingest::register::Register;
use posyandu_gateway::ingest::row::Origin;
use posyandu_gateway::ledger::row::{RowKind, RowSeen, StoredRecord};
use posyandu_gateway::mapping::head::visit_record;
use posyandu_gateway::mapping::visit::Visit;
use posyandu_gateway::record::group::Group;
use posyandu_gateway::resource::{Outcome, prepare};
use posyandu_gateway::seal::Keys;

use super::*;

fn posyandu_record() -> Record {
    let changes = [("nama", "Melati")];
    let outcome = read("posyandu_register.yaml", 0, &POSYANDU, &changes);
    record(&outcome, "posyandu").clone()
}

fn seen(keys: &Keys, outcome: &RowOutcome) -> RowSeen {
    let mut register = Register::default();
    register.add(posyandu_record()).unwrap();
    let origin = Origin { keys, register: &register, puskesmas: "", keyed: false };
    let place = Place { source: "uji".into(), file: "berkas".into(), row: "7".into(), column: None };
    let cells: Cells = ["a"].into_iter().collect();
    let known = reader("register_csv.yaml");
    let row = Row::new(&known.0, 0, place, &["a".to_owned()], cells);
    origin.row(&row, outcome.clone())
}

fn keys_of(seen: &RowSeen) -> ([u8; 32], Vec<StoredRecord>) {
    match &seen.outcome {
        RowKind::Records { visit_key, records, .. } => (*visit_key, records.clone()),
        other => panic!("{other:?}"),
    }
}

fn key_of(seen: &RowSeen, dataset: &str) -> [u8; 32] {
    keys_of(seen).1.into_iter().find(|record| record.dataset == dataset).unwrap().record_key
}

#[test]
fn a_register_of_persons_is_skipped_and_counted() {
    let keys = Keys::generate().unwrap();
    let row = seen(&keys, &services::read_row(&[]));
    assert!(matches!(&row.outcome, RowKind::Skipped(reason) if reason == "register"), "{:?}", row.outcome);
    assert_eq!(row.posyandu.as_deref(), Some("P01"));
    let nobody = services::read_row(&[("Nama", ""), ("NIK", "")]);
    assert!(matches!(seen(&keys, &nobody).outcome, RowKind::Issue));
    let elsewhere = seen(&keys, &services::read_row(&[("Posyandu", "Tidak Ada")]));
    assert!(matches!(elsewhere.outcome, RowKind::Issue) && elsewhere.issues.len() == 1);
}

#[test]
fn records_are_named_by_what_they_are() {
    let keys = Keys::generate().unwrap();
    let of = |changes: &[(&str, &str)]| seen(&keys, &services::read_row(changes));
    let (spring, summer) = (("Tanggal", "10/02/2026"), ("Tanggal", "10/06/2026"));
    let worm = ("Obat Cacing", "Ya");
    assert_eq!(
        key_of(&of(&[worm, spring]), "suplementasi"),
        key_of(&of(&[worm, summer]), "suplementasi"),
        "once in a half-year"
    );
    assert_ne!(key_of(&of(&[worm, spring]), "suplementasi"), key_of(&of(&[worm]), "suplementasi"));
    let tablets = ("TTD", "30");
    assert_ne!(key_of(&of(&[tablets, spring]), "suplementasi"), key_of(&of(&[tablets, summer]), "suplementasi"));
    let cough = ("Batuk", "Ya");
    assert_ne!(key_of(&of(&[cough]), "skrining"), key_of(&of(&[("Skor PUMA", "5")]), "skrining"));
    assert_eq!(key_of(&of(&[cough]), "skrining"), key_of(&of(&[("Batuk", "Tidak")]), "skrining"));
    assert_ne!(key_of(&of(&[("Rujuk", "pustu")]), "rujukan"), key_of(&of(&[("Rujuk", "puskesmas")]), "rujukan"));
    let visit = |changes: &[(&str, &str)]| keys_of(&of(changes)).0;
    assert_eq!(visit(&[cough]), visit(&[tablets]), "one visit on one day");
    let adult = [("Tgl Lahir", "15/05/1995"), ("NIK", "1001014512240001"), cough];
    assert_ne!(visit(&[cough]), visit(&adult), "another group is another visit");
}

/// A visit as the mappings see it.
/// Prepares the row's visit as if some datasets had no mapping.
fn prepared(outcome: &RowOutcome, unmapped: &[&str]) -> Outcome {
    let mut rules = assets::rules(None).unwrap();
    rules.mappings.by_dataset.retain(|dataset, _| !unmapped.contains(&dataset.as_str()));
    let posyandu = posyandu_record();
    let person = record(outcome, "sasaran");
    let services: Vec<(&Record, [u8; 32])> = outcome
        .records
        .iter()
        .filter(|record| record.schema.dataset != "sasaran")
        .enumerate()
        .map(|(at, record)| (record, [u8::try_from(at).unwrap(); 32]))
        .collect();
    let records: Vec<&Record> = services.iter().map(|(record, _)| *record).collect();
    let group = Group::of(records.iter().copied()).name;
    let head = visit_record(
        &rules.mappings.visit.schema,
        TODAY,
        person.date("tanggal_lahir"),
        group,
        &records,
        Place::default(),
    );
    let visit = Visit {
        organization: "10000004",
        zone: Zone::from_name("WIB").unwrap(),
        posyandu: &posyandu,
        sasaran: person,
        visit: &head,
        key: [9; 32],
        records: &services,
    };
    let switches: BTreeSet<String> = rules.mappings.switches().into_iter().map(str::to_owned).collect();
    prepare(&rules.mappings, &rules.profiles, &visit, &switches, &|name, key| format!("{name}-{}", key[0]))
}

#[test]
fn a_visit_waits_until_something_of_it_is_mapped() {
    let outcome = services::read_row(&[("Batuk", "Ya"), ("TTD", "30")]);
    let Outcome::Stopped(issues) = prepared(&outcome, &["skrining", "suplementasi"]) else { panic!() };
    let rules: Vec<&str> = issues.iter().map(|issue| issue.rule.as_ref()).collect();
    assert_eq!(rules, ["mapping.none"], "{issues:?}");
    let sentence = words::of_issue(Language::Indonesian, &issues[0]);
    assert!(sentence.contains("Belum ada pemetaan untuk skrining, suplementasi"), "{sentence}");
}

#[test]
fn what_has_no_mapping_does_not_hold_the_rest_of_the_visit_back() {
    let outcome = services::read_row(&[("Batuk", "Ya"), ("BCG", "10/01/2025")]);
    let prepared = match prepared(&outcome, &["skrining"]) {
        Outcome::Prepared(prepared) => prepared,
        Outcome::Stopped(issues) => panic!("{issues:?}"),
    };
    let told = prepared.issues.iter().find(|issue| issue.rule == "mapping.no_mapping").unwrap();
    assert_eq!(told.severity, INFORMATION);
    assert!(prepared.resources.iter().any(|resource| resource.resource_type == "Immunization"));
}
