//! The official growth and immunization flows, built from local records and compared element by element.
//!
//! What is expected was written by hand from the reference of the official samples (section and collection stand beside
//! each table), not from the blessed cases: a table names every element of a resource, so that nothing is too much
//! either. Where we deviate from a sample, the mapping file says why.

mod growth;
mod immunization;
mod not_given;
mod schedule;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::mapping::case::{self, Case};
use posyandu_gateway::resource::{Outcome, prepare};
use serde_json::Value;

/// An element's path below the resource and its value as text.
type Row = (&'static str, &'static str);

/// Opening at 08:00 in Western Indonesia (UTC+7), closing at 11:00.
const OPENING: &str = "2026-11-18T01:00:00+00:00";
const CLOSING: &str = "2026-11-18T04:00:00+00:00";
const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
const CLINICAL_TERM: &str = "http://terminology.kemkes.go.id/CodeSystem/clinical-term";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const UCUM: &str = "http://unitsofmeasure.org";

/// The mappings as shipped; their proof takes its time and is needed once.
static RULES: LazyLock<Rules> = LazyLock::new(|| assets::rules(None).unwrap());

/// The resources of a visit by name, each as its elements.
struct Sent(BTreeMap<String, BTreeMap<String, String>>);

/// Maps and checks one record of an invented child or mother at a posyandu, as before queueing.
fn sent(born: &str, switches: &[&str], visit: &str, records: &str) -> Sent {
    let switches: String = switches.iter().map(|switch| format!("  - {switch}\n")).collect();
    let text = format!(
        "case: an official flow\nposyandu:\n  kode_posyandu: PSY-01\n  nama: Posyandu Contoh\n  kode_puskesmas: P-01\n  \
         puskesmas: Puskesmas Contoh\n  zona_waktu: WIB\n  jam_buka: \"08:00\"\n  jam_tutup: \"11:00\"\n  \
         id_lokasi_satusehat: lokasi-1\nsasaran:\n  status_nik: tidak_ada\n  nama: Anak Contoh\n  jenis_kelamin: P\n  \
         tanggal_lahir: {born}\n  posyandu: PSY-01\norganization: \"100000101\"\nswitches:\n  - \
         diagnosis_balita_z00_1\n{switches}kunjungan:\n  tanggal: 2026-11-18\n{visit}records:\n{records}"
    );
    let rules = &*RULES;
    let case = Case::parse("flow.yaml", &text, &rules.mappings).unwrap_or_else(|problems| panic!("{problems:#?}"));
    case.with_visit(|visit, switches| {
        let prepared = match prepare(&rules.mappings, &rules.profiles, visit, switches, &case::identify) {
            Outcome::Prepared(prepared) => prepared,
            Outcome::Stopped(issues) => panic!("{issues:#?}"),
        };
        let mut bundle = prepared.bundle.clone();
        for resource in &prepared.resources {
            bundle = bundle.replace(&resource.full_url, &resource.name);
        }
        let bundle: Value = serde_json::from_str(&bundle).unwrap();
        let entries = bundle["entry"].as_array().unwrap();
        let named = prepared.resources.iter().zip(entries).map(|(resource, entry)| {
            let mut elements = BTreeMap::new();
            flatten("", &entry["resource"], &mut elements);
            (resource.name.clone(), elements)
        });
        Sent(named.collect())
    })
}

fn flatten(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            flatten(&path, member, out);
        }),
        Value::Array(entries) => {
            entries.iter().enumerate().for_each(|(at, entry)| flatten(&format!("{path}[{at}]"), entry, out));
        }
        Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
        other => drop(out.insert(path.to_owned(), other.to_string())),
    }
}

impl Sent {
    /// A resource has exactly these elements.
    #[track_caller]
    fn is(&self, name: &str, tables: &[&[Row]]) {
        let found = self.0.get(name).unwrap_or_else(|| panic!("{name} was not sent, but {:?}", self.0.keys()));
        let expected: BTreeMap<String, String> =
            tables.concat().iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        let missing: Vec<_> = expected.iter().filter(|(path, value)| found.get(*path) != Some(*value)).collect();
        let beyond: Vec<_> =
            found.iter().filter(|(path, _)| !expected.contains_key(*path) && !path.starts_with("identifier")).collect();
        assert!(missing.is_empty() && beyond.is_empty(), "{name}: expected {missing:#?}, too much {beyond:#?}");
        // A response has one identifier, and its system alone is written in capitals.
        let (prefix, kind) = match found["resourceType"].as_str() {
            "QuestionnaireResponse" => ("identifier", "QuestionnaireResponse".to_owned()),
            other => ("identifier[0]", other.to_lowercase()),
        };
        let system = format!("http://sys-ids.kemkes.go.id/{kind}/100000101");
        assert_eq!(found.get(&format!("{prefix}.system")), Some(&system), "{name}");
        assert!(found.contains_key(&format!("{prefix}.value")), "{name}");
    }

    /// A resource has at least these elements.
    #[track_caller]
    fn has(&self, name: &str, table: &[Row]) {
        let found = self.0.get(name).unwrap_or_else(|| panic!("{name} was not sent, but {:?}", self.0.keys()));
        for (path, value) in table {
            assert_eq!(found.get(*path).map(String::as_str), Some(*value), "{name}.{path}");
        }
    }
}

/// What every Observation has (section 1: status, subject, encounter, UTC times, a Practitioner as performer).
const OBSERVATION: &[Row] = &[
    ("resourceType", "Observation"),
    ("status", "final"),
    ("category[0].coding[0].system", CATEGORY),
    ("subject.reference", "Patient/{patient}"),
    ("encounter.reference", "kunjungan"),
    ("effectiveDateTime", OPENING),
    ("issued", CLOSING),
    ("performer[0].reference", "Practitioner/{practitioner}"),
];

/// What every Procedure has (section 1: status, category, subject, encounter, a Practitioner as performer).
const PROCEDURE: &[Row] = &[
    ("resourceType", "Procedure"),
    ("status", "completed"),
    ("category.coding[0].system", SNOMED),
    ("subject.reference", "Patient/{patient}"),
    ("encounter.reference", "kunjungan"),
    ("performedPeriod.start", OPENING),
    ("performedPeriod.end", CLOSING),
    ("performer[0].actor.reference", "Practitioner/{practitioner}"),
];

/// The visit (section 2, O13, O15, O16): ambulatory, an attending Practitioner, the posyandu's Location, the puskesmas.
const ENCOUNTER: &[Row] = &[
    ("resourceType", "Encounter"),
    ("status", "finished"),
    ("class.system", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
    ("class.code", "AMB"),
    ("participant[0].type[0].coding[0].code", "ATND"),
    ("participant[0].individual.reference", "Practitioner/{practitioner}"),
    ("period.start", OPENING),
    ("period.end", CLOSING),
    ("location[0].location.reference", "Location/lokasi-1"),
    ("diagnosis[0].use.coding[0].code", "DD"),
    ("hospitalization.dischargeDisposition.coding[0].code", "home"),
    ("serviceProvider.reference", "Organization/100000101"),
];
