//! Persons and posyandu as FHIR, element by element beside what the reference lists for Patient, RelatedPerson,
//! Organization and Location, and what the strict simulator says of them.
//!
//! The tables are copied by hand from `satusehat-api.md` sections 3.2, 7 and 8 and `satusehat-profiles.md` section 2.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::civil::{Date, date};
use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::issue::Issue;
use posyandu_gateway::mapping::case::{Case, identify};
use posyandu_gateway::mapping::registration::{Person, Place};
use posyandu_gateway::record::Record;
use posyandu_gateway::resource::{Outcome, bundle, prepare};
use serde_json::{Value, json};

use crate::simulator::server::{Server, options};
use crate::simulator::visit::ORGANIZATION;

const CODES: &str = "https://fhir.kemkes.go.id/r4/StructureDefinition/administrativeCode";
const DAY: Date = date(2026, 11, 18);

/// A shipped case's text without what it expects.
fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings/tests").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let end = ["\nresources:", "\nissues:"].iter().filter_map(|key| text.find(key)).min().unwrap();
    text[..=end].to_owned()
}

/// What a case yields, checked as before sending; the issues when it is stopped.
fn yielded(rules: &Rules, text: &str) -> Result<Vec<Value>, Vec<Issue>> {
    let case = Case::parse("case.yaml", text, &rules.mappings).unwrap_or_else(|problems| panic!("{problems:#?}"));
    case.with_visit(|visit, switches| match prepare(&rules.mappings, &rules.profiles, visit, switches, &identify) {
        Outcome::Stopped(issues) => Err(issues),
        Outcome::Prepared(prepared) => {
            let entries = bundle::entries(&prepared.bundle).unwrap();
            Ok(entries.iter().map(|(_, json)| serde_json::from_str(json).unwrap()).collect())
        }
    })
}

/// Every element of a resource as `path = value`, list positions included.
fn elements(value: &Value) -> BTreeSet<String> {
    fn walk(path: &str, value: &Value, out: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                members.iter().for_each(|(name, value)| walk(&format!("{path}.{name}"), value, out))
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(at, one)| walk(&format!("{path}[{at}]"), one, out))
            }
            other => drop(out.insert(format!("{} = {other}", &path[1..]))),
        }
    }
    let mut out = BTreeSet::new();
    walk("", value, &mut out);
    out
}

/// The table's lines are all there is, no more and no less.
#[track_caller]
fn has_exactly(resource: &Value, table: &str) {
    let wanted: BTreeSet<String> =
        table.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    let found = elements(resource);
    let (more, less): (Vec<_>, Vec<_>) = (found.difference(&wanted).collect(), wanted.difference(&found).collect());
    assert!(more.is_empty() && less.is_empty(), "not in the reference: {more:#?}\nmissing: {less:#?}");
}

/// The lines of an address with the regions of a village of the invented province 10.
fn address(path: &str, line: &str, village: &str, more: &[(&str, &str)]) -> String {
    let regions =
        [("province", &village[..2]), ("city", &village[..4]), ("district", &village[..6]), ("village", village)];
    let mut lines = format!("{path}.line[0] = \"{line}\"\n{path}.extension[0].url = \"{CODES}\"\n");
    for (at, (url, code)) in regions.iter().chain(more).enumerate() {
        let part = format!("{path}.extension[0].extension[{at}]");
        lines += &format!("{part}.url = \"{url}\"\n{part}.valueCode = \"{code}\"\n");
    }
    lines
}

const PERSON: &str = r#"
    resourceType = "Patient"
    meta.profile[0] = "https://fhir.kemkes.go.id/r4/StructureDefinition/Patient"
    identifier[0].use = "official"
    active = true
    name[0].use = "official"
    telecom[0].system = "phone"
    telecom[0].use = "mobile"
    telecom[0].value = "081200000000"
    address[0].use = "home"
"#;
const HOME: [(&str, &str); 2] = [("rt", "003"), ("rw", "007")];

#[test]
fn a_person_with_an_own_nik_has_every_element_that_the_civil_register_compares() {
    let rules = assets::rules_for_work(None).unwrap();
    let all = yielded(&rules, &shipped("daftar_nik.yaml")).unwrap();
    assert_eq!(all.len(), 1);
    let own = r#"
        identifier[0].system = "https://fhir.kemkes.go.id/id/nik"
        identifier[0].value = "1001014905900001"
        name[0].text = "Siti Contoh"
        gender = "female"
        birthDate = "1990-05-09"
        multipleBirthInteger = 0
    "#;
    has_exactly(&all[0], &format!("{PERSON}{own}{}", address("address[0]", "Jl. Contoh 5", "1001011001", &HOME)));
}

#[test]
fn a_newborn_is_known_by_its_mothers_nik_and_its_place_among_twins() {
    let rules = assets::rules_for_work(None).unwrap();
    let all = yielded(&rules, &shipped("daftar_bayi.yaml")).unwrap();
    assert_eq!(all.len(), 1);
    let own = r#"
        identifier[0].system = "https://fhir.kemkes.go.id/id/nik-ibu"
        identifier[0].value = "1001014905900001"
        name[0].text = "Bayi Ny. Siti Contoh"
        gender = "male"
        birthDate = "2026-10-01"
        multipleBirthInteger = 2
    "#;
    has_exactly(&all[0], &format!("{PERSON}{own}{}", address("address[0]", "Jl. Contoh 5", "1001011001", &HOME)));
}

#[test]
fn a_mother_is_a_family_member_of_her_child() {
    let rules = assets::rules_for_work(None).unwrap();
    let all = yielded(&rules, &shipped("daftar_ibu.yaml")).unwrap();
    let types: Vec<&Value> = all.iter().map(|one| &one["resourceType"]).collect();
    assert_eq!(types, ["Patient", "RelatedPerson"]);
    has_exactly(
        &all[1],
        r#"
        resourceType = "RelatedPerson"
        identifier[0].use = "official"
        identifier[0].system = "https://fhir.kemkes.go.id/id/nik"
        identifier[0].value = "1001014905900001"
        active = true
        patient.reference = "Patient/{patient}"
        relationship[0].coding[0].system = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
        relationship[0].coding[0].code = "FAMMEMB"
        relationship[0].coding[1].system = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
        relationship[0].coding[1].code = "MTH"
        name[0].use = "official"
        name[0].text = "Siti Contoh"
        gender = "female"
        "#,
    );
}

const TEAM: &str = r#"
    resourceType = "Organization"
    active = true
    type[0].coding[0].system = "http://terminology.hl7.org/CodeSystem/organization-type"
    type[0].coding[0].code = "team"
    type[0].coding[0].display = "Organizational team"
    telecom[0].system = "phone"
    telecom[0].use = "work"
    address[0].use = "work"
    identifier[0].system = "http://sys-ids.kemkes.go.id/organization/100000101"
"#;

/// What a posyandu yields with the business identifiers that it is registered by, and the address of each.
fn place(rules: &Rules, posyandu: &Record) -> Result<Vec<(String, Value)>, Vec<Issue>> {
    let place = Place { organization: "100000101", posyandu, day: DAY };
    rules.mappings.with_place(&place, |visit, identify| {
        match prepare(&rules.mappings, &rules.profiles, visit, &BTreeSet::new(), identify) {
            Outcome::Stopped(issues) => Err(issues),
            Outcome::Prepared(prepared) => {
                let entries = bundle::entries(&prepared.bundle).unwrap();
                Ok(entries.into_iter().map(|(url, json)| (url, serde_json::from_str(&json).unwrap())).collect())
            }
        }
    })
}

/// The posyandu of a shipped case.
fn posyandu(rules: &Rules, text: &str) -> Record {
    let case = Case::parse("case.yaml", text, &rules.mappings).unwrap_or_else(|problems| panic!("{problems:#?}"));
    case.with_visit(|visit, _| visit.posyandu.clone())
}

#[test]
fn a_posyandu_hangs_below_division_unit_and_puskesmas() {
    let rules = assets::rules_for_work(None).unwrap();
    let all = place(&rules, &posyandu(&rules, &shipped("tempat_lengkap.yaml"))).unwrap();
    let above = address("address[0]", "Jl. Contoh 1", "1001011002", &[]);
    let own = address("address[0]", "Balai RW 7", "1001011001", &HOME[1..]);
    let organizations = [
        ("POKJA-UKM", "Program Kerja UKM", "0211000000", &above, "Organization/100000101"),
        ("DV-UKM-PSY", "Divisi Posyandu", "0211000000", &above, all[0].0.as_str()),
        ("UTR-01", "Melati 1", "0211000001", &own, all[1].0.as_str()),
    ];
    for ((_, resource), (identifier, name, phone, address, parent)) in all.iter().zip(organizations) {
        let own = format!(
            "identifier[0].value = \"{identifier}\"\nname = \"{name}\"\ntelecom[0].value = \"{phone}\"\n\
             partOf.reference = \"{parent}\"\n"
        );
        has_exactly(resource, &format!("{TEAM}{own}{address}"));
    }
    let place = r#"
        resourceType = "Location"
        identifier[0].system = "http://sys-ids.kemkes.go.id/location/100000101"
        identifier[0].value = "UTR-01"
        status = "active"
        mode = "instance"
        name = "Posyandu Melati 1"
        description = "Balai RW 7"
        physicalType.coding[0].system = "http://terminology.hl7.org/CodeSystem/location-physical-type"
        physicalType.coding[0].code = "ro"
        physicalType.coding[0].display = "Room"
        position.longitude = 106.8005
        position.latitude = -6.2001
        address.use = "work"
    "#;
    let managed = format!("managingOrganization.reference = \"{}\"\n", all[2].0);
    let address = address("address", "Balai RW 7", "1001011001", &HOME[1..]);
    has_exactly(&all[3].1, &format!("{place}{managed}{address}"));
    assert_eq!(all.len(), 4);
}

#[test]
fn posyandu_of_one_puskesmas_share_what_stands_above_them() {
    let rules = assets::rules_for_work(None).unwrap();
    let text = shipped("tempat_lengkap.yaml");
    let quoted = text.replace("kode_posyandu: UTR-01", "kode_posyandu: 'UTR \"02\"'");
    let [one, other] = [text, quoted].map(|text| place(&rules, &posyandu(&rules, &text)).unwrap());
    assert_eq!(one[..2], other[..2], "the same bytes, so the second is found and not made again");
    assert_ne!(one[2].0, other[2].0);
    assert_eq!(other[2].1["identifier"][0]["value"], "UTR \"02\"", "a code is text, whatever stands in it");
}

#[test]
fn whoever_cannot_be_registered_is_named_with_the_reason_and_nothing_of_the_record() {
    let rules = assets::rules_for_work(None).unwrap();
    for (case, rule) in [
        ("daftar_nik_diragukan.yaml", "mapping.registration_nik_doubtful"),
        ("daftar_nik_rusak.yaml", "mapping.registration_nik_unreadable"),
        ("daftar_bayi_hari_61.yaml", "mapping.registration_too_old"),
        ("daftar_bayi_tanpa_ibu.yaml", "mapping.registration_mother_missing"),
        ("daftar_bayi_ibu_salah.yaml", "mapping.registration_mother_doubtful"),
        ("daftar_meninggal.yaml", "mapping.registration_died"),
        ("daftar_tanggal_taksiran.yaml", "mapping.registration_birth_estimated"),
        ("daftar_belum_lahir.yaml", "mapping.registration_not_born"),
        ("daftar_alamat_kurang.yaml", "mapping.registration_incomplete"),
        ("daftar_kode_kelurahan_salah.yaml", "mapping.registration_village"),
        ("daftar_tanpa_urutan.yaml", "mapping.registration_off"),
        ("tempat_kurang.yaml", "mapping.registration_place_incomplete"),
        ("tempat_sudah_ada.yaml", "mapping.registration_done"),
    ] {
        let issues = yielded(&rules, &shipped(case)).unwrap_err();
        assert!(issues.iter().any(|issue| issue.rule == rule && issue.is_error()), "{case}: {issues:#?}");
        let told = format!("{:?}", issues.iter().map(|issue| &issue.arguments).collect::<Vec<_>>());
        for personal in ["Siti", "1001014905900001", "1990", "2026-10", "Jl. Contoh", "100101"] {
            assert!(!told.contains(personal), "{case}: {told}");
        }
    }
}

#[test]
fn a_number_adopted_from_the_persons_other_rows_counts_as_the_own_one() {
    let rules = assets::rules_for_work(None).unwrap();
    let adopted = shipped("daftar_nik.yaml").replace("status_nik: asli", "status_nik: tidak_ada");
    assert_eq!(yielded(&rules, &adopted).unwrap()[0]["identifier"][0]["system"], "https://fhir.kemkes.go.id/id/nik");
}

#[test]
fn nothing_of_person_and_posyandu_rides_in_a_visit() {
    let rules = assets::rules_for_work(None).unwrap();
    let apart = ["Patient", "RelatedPerson", "Organization", "Location"];
    let set = &rules.mappings;
    let of_visit = std::iter::once(&set.visit).chain(set.by_dataset.values()).flat_map(|mapping| &mapping.plans);
    assert!(of_visit.clone().count() > 100);
    assert!(of_visit.clone().all(|plan| !apart.contains(&plan.resource_type.as_str())));
    let alone: BTreeSet<&str> =
        set.alone.values().flat_map(|mapping| &mapping.plans).map(|plan| plan.resource_type.as_str()).collect();
    assert_eq!(alone, BTreeSet::from(apart));
}

/// Members that say who did, asked for or wrote down something.
const DOERS: [&str; 9] =
    ["performer", "requester", "author", "recorder", "asserter", "informationSource", "participant", "source", "actor"];

/// Every doer in a template with the path to it: references as `$reference NAME`, fields as `$field NAME`.
fn doers(path: &str, value: &Value, inside: bool, out: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let inside = inside || DOERS.contains(&name.as_str());
                if let (true, true, Some(text)) = (inside, name.starts_with('$'), value.as_str()) {
                    out.push((path.to_owned(), format!("{name} {text}")));
                }
                doers(&format!("{path}.{name}"), value, inside, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|one| doers(path, one, inside, out)),
        _ => {}
    }
}

#[test]
fn a_kader_is_nobodys_performer_but_names_herself_in_the_immunization_she_reports() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("mappings");
    let mut others = BTreeSet::new();
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|kind| kind != "yaml") {
            continue;
        }
        let options = serde_saphyr::options! { strict_booleans: true };
        let file: Value =
            serde_saphyr::from_str_with_options(&std::fs::read_to_string(&path).unwrap(), options).unwrap();
        for resource in file["resources"].as_array().unwrap() {
            let mut found = Vec::new();
            doers("", &resource["resource"], false, &mut found);
            seen += found.len();
            let name = resource["name"].as_str().unwrap();
            others.extend(found.into_iter().filter(|(_, who)| who != "$reference practitioner").map(|(path, who)| {
                format!("{} {name}{path} {who}", resource["resource"]["resourceType"].as_str().unwrap())
            }));
        }
    }
    assert!(seen > 150, "{seen}");
    // The questionnaires are told by the patient; an immunization has its puskesmas beside the health worker (O13).
    others.retain(|doer| !(doer.starts_with("QuestionnaireResponse") && doer.ends_with(".source $reference patient")));
    let allowed = [
        "Immunization imunisasi_kader.performer.actor $reference puskesmas",
        "Immunization imunisasi_kader.performer.function.text $optional petugas",
        "Immunization imunisasi_nakes.performer.actor $reference puskesmas",
        "MedicationRequest permintaan_ttd.dispenseRequest.performer $reference puskesmas",
    ];
    assert_eq!(others, BTreeSet::from(allowed.map(str::to_owned)));
}

#[tokio::test]
async fn the_strict_simulator_takes_a_newborn_and_the_whole_chain_of_a_posyandu() {
    let rules = assets::rules_for_work(None).unwrap();
    let server = Server::ready(options()).await;
    let twin = shipped("daftar_bayi.yaml").replace("1001014905900001", "9204014804000002");
    let case = Case::parse("case.yaml", &twin, &rules.mappings).unwrap();
    let drafted = case.with_visit(|visit, _| {
        let person = Person {
            organization: visit.organization,
            posyandu: visit.posyandu,
            sasaran: visit.sasaran,
            day: DAY,
            key: visit.key,
        };
        let draft = rules.mappings.draft_person(&person, &BTreeSet::new(), &identify);
        draft.resources.iter().map(|one| one.json.clone()).collect::<Vec<_>>()
    });
    let created = server.post("/Patient", &serde_json::from_str(&drafted[0]).unwrap()).await;
    assert_eq!((created.status, &created.json()["multipleBirthInteger"]), (200, &json!(2)), "{}", created.text);

    let mut record = posyandu(&rules, &shipped("tempat_lengkap.yaml"));
    record.place = Default::default();
    let place = Place { organization: ORGANIZATION, posyandu: &record, day: DAY };
    let draft = rules.mappings.draft_place(&place, &BTreeSet::new());
    let mut known: Vec<(String, String)> = Vec::new();
    for one in &draft.resources {
        let kind = &one.plan.resource_type;
        let resource = serde_json::from_str(&bundle::resolve(&one.json, &known)).unwrap();
        let created = server.post(&format!("/{kind}"), &resource).await;
        assert_eq!(created.status, 201, "{kind}: {}", created.text);
        known.push((one.full_url.clone(), format!("{kind}/{}", created.json()["id"].as_str().unwrap())));
    }
    assert_eq!(known.len(), 4);
}
