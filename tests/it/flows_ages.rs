//! The official flows of teenagers, adults and the elderly: each local visit element by element against the samples.
//!
//! The tables are written by hand from the reference (satusehat-codes.csv, satusehat-profiles.md), not from what the
//! mappings yield. What every finding has in common is checked once; the rest of a resource must be in its table, and
//! nothing else.

mod tables;

use std::collections::BTreeMap;

use posyandu_gateway::config::assets;
use posyandu_gateway::mapping::case::{self, Case};
use serde_json::Value;

const LN: &str = "http://loinc.org";
const SCT: &str = "http://snomed.info/sct";
const CT: &str = "http://terminology.kemkes.go.id/CodeSystem/clinical-term";
const OINT: &str = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
const ICD10: &str = "http://hl7.org/fhir/sid/icd-10";
const UCUM: &str = "http://unitsofmeasure.org";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

const HEAD: &str = r#"
case: flow
posyandu:
  kode_posyandu: PSY-01
  nama: Posyandu Contoh
  kode_puskesmas: P-01
  puskesmas: Puskesmas Contoh
  zona_waktu: WIB
  jam_buka: "08:00"
  jam_tutup: "11:00"
  id_lokasi_satusehat: b7f1c6a0-0000-4000-8000-000000000001
organization: "100000101"
"#;

/// The resources of a visit by business identifier, as `path → value`, references shown by identifiers.
struct Flow(BTreeMap<String, BTreeMap<String, String>>);

impl Flow {
    fn of(text: &str) -> Self {
        let rules = assets::rules(None).unwrap();
        let case = Case::parse("flow", &format!("{HEAD}{text}"), &rules.mappings).unwrap();
        let resources = case.with_visit(|visit, switches| {
            let draft = rules.mappings.draft(visit, switches, &case::identify);
            assert!(draft.issues.is_empty(), "{:#?}", draft.issues);
            let urls: Vec<(String, String)> =
                draft.resources.iter().map(|one| (one.full_url.clone(), one.identifier.clone())).collect();
            let of = |json: &str| urls.iter().fold(json.to_owned(), |json, (url, name)| json.replace(url, name));
            draft.resources.iter().map(|one| (one.identifier.clone(), leaves(&of(&one.json)))).collect()
        });
        Self(resources)
    }

    /// Takes a resource out and compares it with what the reference lists, coding by coding.
    #[track_caller]
    fn expect(&mut self, name: &str, expected: &[(&str, &str)]) {
        let mut found = self.0.remove(name).unwrap_or_else(|| panic!("{name} is not among {:?}", self.0.keys()));
        // Texts for people differ from sample to sample; codes and values decide.
        found.retain(|path, _| !path.ends_with("display") && !path.ends_with("unit"));
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
        assert_eq!(found, expected, "{name}");
    }

    /// An Observation: what the envelope rules ask of every one, then its own table.
    #[track_caller]
    fn observation(&mut self, name: &str, category: &str, code: (&str, &str), own: &[(&str, &str)]) {
        let identifier = "http://sys-ids.kemkes.go.id/observation/100000101";
        let mut table = vec![
            ("resourceType", "Observation"),
            ("identifier[0].system", identifier),
            ("identifier[0].value", name),
            ("status", "final"),
            ("category[0].coding[0].system", CATEGORY),
            ("category[0].coding[0].code", category),
            ("code.coding[0].system", code.0),
            ("code.coding[0].code", code.1),
            ("subject.reference", "Patient/{patient}"),
            ("encounter.reference", "KUNJUNGAN-0"),
            ("effectiveDateTime", "2026-11-18T01:00:00+00:00"),
            ("issued", "2026-11-18T04:00:00+00:00"),
            ("performer[0].reference", "Practitioner/{practitioner}"),
        ];
        table.extend(own);
        self.expect(name, &table);
    }

    /// An Observation with one number.
    #[track_caller]
    fn quantity(
        &mut self,
        name: &str,
        category: &str,
        code: (&str, &str),
        value: &str,
        unit: &str,
        own: &[(&str, &str)],
    ) {
        let number = [("valueQuantity.value", value), ("valueQuantity.system", UCUM), ("valueQuantity.code", unit)];
        self.observation(name, category, code, &[&number, own].concat());
    }

    /// An Observation with one code, perhaps at a place of the body.
    #[track_caller]
    fn concept(&mut self, name: &str, category: &str, code: (&str, &str), value: &str, site: Option<&str>) {
        let mut own =
            vec![("valueCodeableConcept.coding[0].system", SCT), ("valueCodeableConcept.coding[0].code", value)];
        if let Some(site) = site {
            own.extend([("bodySite.coding[0].system", SCT), ("bodySite.coding[0].code", site)]);
        }
        self.observation(name, category, code, &own);
    }

    /// A QuestionnaireResponse of the ministry.
    #[track_caller]
    fn questionnaire(&mut self, name: &str, address: &str, own: &[(&str, &str)]) {
        let mut table = vec![
            ("resourceType", "QuestionnaireResponse"),
            ("identifier.system", "http://sys-ids.kemkes.go.id/QuestionnaireResponse/100000101"),
            ("identifier.value", name),
            ("questionnaire", address),
            ("status", "completed"),
            ("subject.reference", "Patient/{patient}"),
            ("encounter.reference", "KUNJUNGAN-0"),
            ("authored", "2026-11-18T01:00:00+00:00"),
            ("author.reference", "Practitioner/{practitioner}"),
            ("source.reference", "Patient/{patient}"),
        ];
        table.extend(own);
        self.expect(name, &table);
    }

    /// A Procedure of the posyandu's hours.
    #[track_caller]
    fn procedure(&mut self, name: &str, category: &str, code: (&str, &str), own: &[(&str, &str)]) {
        let mut table = vec![
            ("resourceType", "Procedure"),
            ("identifier[0].system", "http://sys-ids.kemkes.go.id/procedure/100000101"),
            ("identifier[0].value", name),
            ("status", "completed"),
            ("category.coding[0].system", SCT),
            ("category.coding[0].code", category),
            ("code.coding[0].system", code.0),
            ("code.coding[0].code", code.1),
            ("subject.reference", "Patient/{patient}"),
            ("encounter.reference", "KUNJUNGAN-0"),
            ("performedPeriod.start", "2026-11-18T01:00:00+00:00"),
            ("performedPeriod.end", "2026-11-18T04:00:00+00:00"),
            ("performer[0].actor.reference", "Practitioner/{practitioner}"),
        ];
        table.extend(own);
        self.expect(name, &table);
    }

    /// The referral of O16: patient referral for outpatient care.
    #[track_caller]
    fn referral(&mut self, own: &[(&str, &str)]) {
        let mut table = vec![
            ("resourceType", "ServiceRequest"),
            ("identifier[0].system", "http://sys-ids.kemkes.go.id/servicerequest/100000101"),
            ("identifier[0].value", "RUJUKAN-1"),
            ("status", "active"),
            ("intent", "order"),
            ("priority", "routine"),
            ("category[0].coding[0].system", SCT),
            ("category[0].coding[0].code", "3457005"),
            ("code.coding[0].system", SCT),
            ("code.coding[0].code", "737492002"),
            ("subject.reference", "Patient/{patient}"),
            ("encounter.reference", "KUNJUNGAN-0"),
            ("occurrenceDateTime", "2026-11-18T04:00:00+00:00"),
            ("authoredOn", "2026-11-18T04:00:00+00:00"),
            ("requester.reference", "Practitioner/{practitioner}"),
            ("performer[0].reference", "Practitioner/{practitioner}"),
        ];
        table.extend(own);
        self.expect("RUJUKAN-1", &table);
    }

    /// The finished ambulatory visit with its one diagnosis.
    #[track_caller]
    fn visit(&mut self, diagnosis: &str, icd: &str, own: &[(&str, &str)]) {
        let (start, end) = ("2026-11-18T01:00:00+00:00", "2026-11-18T04:00:00+00:00");
        let role = "http://terminology.hl7.org/CodeSystem/diagnosis-role";
        let mut table = vec![
            ("resourceType", "Encounter"),
            ("identifier[0].system", "http://sys-ids.kemkes.go.id/encounter/100000101"),
            ("identifier[0].value", "KUNJUNGAN-0"),
            ("status", "finished"),
            ("class.system", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
            ("class.code", "AMB"),
            ("subject.reference", "Patient/{patient}"),
            ("participant[0].type[0].coding[0].system", "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"),
            ("participant[0].type[0].coding[0].code", "ATND"),
            ("participant[0].individual.reference", "Practitioner/{practitioner}"),
            ("period.start", start),
            ("period.end", end),
            ("location[0].location.reference", "Location/b7f1c6a0-0000-4000-8000-000000000001"),
            ("diagnosis[0].condition.reference", diagnosis),
            ("diagnosis[0].use.coding[0].system", role),
            ("diagnosis[0].use.coding[0].code", "DD"),
            ("diagnosis[0].rank", "1"),
            ("statusHistory[0].status", "arrived"),
            ("statusHistory[0].period.start", start),
            ("statusHistory[0].period.end", start),
            ("statusHistory[1].status", "in-progress"),
            ("statusHistory[1].period.start", start),
            ("statusHistory[1].period.end", end),
            ("statusHistory[2].status", "finished"),
            ("statusHistory[2].period.start", end),
            ("statusHistory[2].period.end", end),
            (
                "hospitalization.dischargeDisposition.coding[0].system",
                "http://terminology.hl7.org/CodeSystem/discharge-disposition",
            ),
            ("hospitalization.dischargeDisposition.coding[0].code", "home"),
            ("serviceProvider.reference", "Organization/100000101"),
        ];
        table.extend(own);
        self.expect("KUNJUNGAN-0", &table);
        self.expect(
            diagnosis,
            &[
                ("resourceType", "Condition"),
                ("identifier[0].system", "http://sys-ids.kemkes.go.id/condition/100000101"),
                ("identifier[0].value", diagnosis),
                ("clinicalStatus.coding[0].system", "http://terminology.hl7.org/CodeSystem/condition-clinical"),
                ("clinicalStatus.coding[0].code", "active"),
                ("category[0].coding[0].system", "http://terminology.hl7.org/CodeSystem/condition-category"),
                ("category[0].coding[0].code", "encounter-diagnosis"),
                ("code.coding[0].system", ICD10),
                ("code.coding[0].code", icd),
                ("subject.reference", "Patient/{patient}"),
                ("encounter.reference", "KUNJUNGAN-0"),
            ],
        );
    }

    #[track_caller]
    fn end(&self) {
        assert!(self.0.is_empty(), "more than the reference lists: {:?}", self.0.keys());
    }
}

/// Every scalar of a JSON text by its path.
fn leaves(json: &str) -> BTreeMap<String, String> {
    fn walk(path: &str, value: &Value, out: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                walk(&path, value, out);
            }),
            Value::Array(entries) => {
                entries.iter().enumerate().for_each(|(at, value)| walk(&format!("{path}[{at}]"), value, out));
            }
            Value::String(text) => drop(out.insert(path.to_owned(), text.clone())),
            other => drop(out.insert(path.to_owned(), other.to_string())),
        }
    }
    let mut out = BTreeMap::new();
    walk("", &serde_json::from_str(json).unwrap(), &mut out);
    out
}

const PRESSURE: [(&str, &str); 4] = [
    ("valueRatio.numerator.system", UCUM),
    ("valueRatio.numerator.code", "mm[Hg]"),
    ("valueRatio.denominator.system", UCUM),
    ("valueRatio.denominator.code", "mm[Hg]"),
];
