//! The official flows of pregnancy (O06), time after birth (O08) and newborn (O09) beside what a local record yields.
//!
//! The tables below are copied by hand from the reference's code list and profile document, not from what comes out:
//! element by element they say which code, system, unit and structure the ministry's samples have. What the samples
//! have and a posyandu record cannot know is listed in the mapping files.

mod tablets;

use posyandu_gateway::config::assets;
use posyandu_gateway::mapping::case::{Case, identify};
use serde_json::Value;

/// Short names of the code systems, as in the reference (section 0).
const SYSTEMS: [(&str, &str); 7] = [
    ("LN", "http://loinc.org"),
    ("SCT", "http://snomed.info/sct"),
    ("CT", "http://terminology.kemkes.go.id/CodeSystem/clinical-term"),
    ("WANC", "http://fhir.org/guides/who/anc-cds/CodeSystem/anc-custom-codes"),
    ("KANC", "http://terminology.kemkes.go.id/CodeSystem/anc-custom-codes"),
    ("OINT", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"),
    ("ICD10", "http://hl7.org/fhir/sid/icd-10"),
];

fn system(short: &str) -> &'static str {
    SYSTEMS.iter().find(|(name, _)| *name == short).unwrap_or_else(|| panic!("{short}")).1
}

/// Everything around the record: place, person, posyandu.
const AROUND: &str = r#"case: flow
posyandu:
  {kode_posyandu: PSY-01, nama: Posyandu Contoh, kode_puskesmas: P-01, puskesmas: Puskesmas Contoh, zona_waktu: WITA,
   jam_buka: "08:00", jam_tutup: "11:00", id_lokasi_satusehat: b7f1c6a0-0000-4000-8000-000000000001}
sasaran:
  {nik: "1001015507970001", status_nik: asli, nama: Orang Contoh, jenis_kelamin: P, tanggal_lahir: 1997-07-15,
   posyandu: PSY-01}
organization: "100000101"
"#;

/// The resources of a local record.
fn resources(record: &str) -> Vec<Value> {
    let rules = assets::rules_for_work(None).unwrap();
    let case = Case::parse("flow.yaml", &format!("{AROUND}{record}"), &rules.mappings);
    let case = case.unwrap_or_else(|problems| panic!("{problems:#?}"));
    case.with_visit(|visit, switches| {
        let draft = rules.mappings.draft(visit, switches, &identify);
        assert!(draft.issues.is_empty(), "{:#?}", draft.issues);
        draft.resources.iter().map(|resource| serde_json::from_str(&resource.json).unwrap()).collect()
    })
}

/// The element at a dotted path with list positions: `code.coding.0.system`.
fn at<'a>(resource: &'a Value, path: &str) -> &'a Value {
    let pointer = format!("/{}", path.replace('.', "/"));
    resource.pointer(&pointer).unwrap_or(&Value::Null)
}

#[track_caller]
fn expect(resource: &Value, path: &str, wanted: &str) {
    let found = at(resource, path);
    let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    assert_eq!(found, wanted, "{path} of {resource:#}");
}

/// The resource whose first coding is this one; it is taken out, so that what is left over shows.
#[track_caller]
fn take(all: &mut Vec<Value>, resource_type: &str, coding: &str) -> Value {
    let (short, code) = coding.split_once(' ').unwrap();
    let found = all.iter().position(|resource| {
        resource["resourceType"] == resource_type
            && at(resource, "code.coding.0.code") == code
            && at(resource, "code.coding.0.system") == system(short)
    });
    all.remove(found.unwrap_or_else(|| panic!("no {resource_type} {coding}")))
}

/// Rows of `first code | second code | category | value element | value | UCUM code`.
#[track_caller]
fn observations(all: &mut Vec<Value>, table: &str) -> Vec<Value> {
    let mut seen = Vec::new();
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [first, second, category, element, value, unit] = cells[..] else { panic!("{row}") };
        let one = take(all, "Observation", first);
        expect(&one, "identifier.0.system", "http://sys-ids.kemkes.go.id/observation/100000101");
        expect(&one, "status", "final");
        expect(&one, "category.0.coding.0.system", "http://terminology.hl7.org/CodeSystem/observation-category");
        expect(&one, "category.0.coding.0.code", category);
        match second.split_once(' ') {
            Some((short, code)) => {
                expect(&one, "code.coding.1.system", system(short));
                expect(&one, "code.coding.1.code", code);
            }
            None => expect(&one, "code.coding.1", "null"),
        }
        expect(&one, "subject.reference", "Patient/{patient}");
        expect(&one, "performer.0.reference", "Practitioner/{practitioner}");
        expect(&one, "effectiveDateTime", "2026-11-18T00:00:00+00:00");
        expect(&one, "issued", "2026-11-18T03:00:00+00:00");
        assert!(at(&one, "encounter.reference").as_str().unwrap().starts_with("urn:uuid:"), "{one:#}");
        match (element, value.split_once(' ')) {
            ("valueQuantity", _) => {
                expect(&one, "valueQuantity.value", value);
                expect(&one, "valueQuantity.system", "http://unitsofmeasure.org");
                expect(&one, "valueQuantity.code", unit);
            }
            ("valueCodeableConcept", Some((short, code))) => {
                expect(&one, "valueCodeableConcept.coding.0.system", system(short));
                expect(&one, "valueCodeableConcept.coding.0.code", code);
            }
            _ => expect(&one, element, value),
        }
        seen.push(one);
    }
    seen
}

/// Rows of `code | category`.
#[track_caller]
fn procedures(all: &mut Vec<Value>, table: &str) {
    for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
        let (code, category) = row.split_once('|').unwrap();
        let one = take(all, "Procedure", code.trim());
        expect(&one, "identifier.0.system", "http://sys-ids.kemkes.go.id/procedure/100000101");
        expect(&one, "status", "completed");
        expect(&one, "category.coding.0.system", system("SCT"));
        expect(&one, "category.coding.0.code", category.trim());
        expect(&one, "subject.reference", "Patient/{patient}");
        expect(&one, "performer.0.actor.reference", "Practitioner/{practitioner}");
        expect(&one, "performedPeriod.start", "2026-11-18T00:00:00+00:00");
        expect(&one, "performedPeriod.end", "2026-11-18T03:00:00+00:00");
    }
}

/// The visit and its diagnosis (section 2), and the episode where its trial is on (section 1).
#[track_caller]
fn visit(all: &mut Vec<Value>, diagnosis: &str, episode: Option<&str>) {
    let encounter = all.remove(0);
    for (path, wanted) in [
        ("resourceType", "Encounter"),
        ("identifier.0.system", "http://sys-ids.kemkes.go.id/encounter/100000101"),
        ("status", "finished"),
        ("class.system", "http://terminology.hl7.org/CodeSystem/v3-ActCode"),
        ("class.code", "AMB"),
        ("subject.reference", "Patient/{patient}"),
        ("participant.0.type.0.coding.0.code", "ATND"),
        ("participant.0.individual.reference", "Practitioner/{practitioner}"),
        ("period.start", "2026-11-18T00:00:00+00:00"),
        ("period.end", "2026-11-18T03:00:00+00:00"),
        ("location.0.location.reference", "Location/b7f1c6a0-0000-4000-8000-000000000001"),
        ("statusHistory.0.status", "arrived"),
        ("statusHistory.1.status", "in-progress"),
        ("statusHistory.2.status", "finished"),
        ("diagnosis.0.use.coding.0.system", "http://terminology.hl7.org/CodeSystem/diagnosis-role"),
        ("diagnosis.0.use.coding.0.code", "DD"),
        ("diagnosis.0.rank", "1"),
        ("hospitalization.dischargeDisposition.coding.0.code", "home"),
        ("serviceProvider.reference", "Organization/100000101"),
    ] {
        expect(&encounter, path, wanted);
    }
    let condition = take(all, "Condition", diagnosis);
    expect(&condition, "identifier.0.system", "http://sys-ids.kemkes.go.id/condition/100000101");
    expect(&condition, "clinicalStatus.coding.0.code", "active");
    expect(&condition, "category.0.coding.0.code", "encounter-diagnosis");
    let Some(kind) = episode else { return expect(&encounter, "episodeOfCare", "null") };
    assert!(at(&encounter, "episodeOfCare.0.reference").as_str().unwrap().starts_with("urn:uuid:"));
    let found = all.iter().position(|resource| resource["resourceType"] == "EpisodeOfCare").unwrap();
    let one = all.remove(found);
    for (path, wanted) in [
        ("identifier.0.system", "http://sys-ids.kemkes.go.id/episode-of-care/100000101"),
        ("status", "active"),
        ("type.0.coding.0.system", "http://terminology.kemkes.go.id/CodeSystem/episodeofcare-type"),
        ("type.0.coding.0.code", kind),
        ("patient.reference", "Patient/{patient}"),
        ("managingOrganization.reference", "Organization/100000101"),
        ("period.start", "2026-11-18T00:00:00+00:00"),
    ] {
        expect(&one, path, wanted);
    }
}

const ANC: &str = "
LN 11996-6 | WANC ANC.B6.DE24 | survey | valueInteger | 2 |
LN 11977-6 | WANC ANC.B6.DE32 | survey | valueInteger | 1 |
LN 69043-8 | WANC ANC.B6.DE25 | survey | valueInteger | 0 |
LN 8665-2 | WANC ANC.B6.DE14 | survey | valueDateTime | 2026-05-06T00:00:00+00:00 |
LN 11778-8 | WANC ANC.B6.DE22 | survey | valueDateTime | 2027-02-10T00:00:00+00:00 |
LN 56077-1 | WANC ANC.B8.DE2 | survey | valueQuantity | 52.5 | kg
CT OC000010 | KANC ANC.SS.DE58 | exam | valueQuantity | 21.3 | kg/m2
CT OC000011 | WANC ANC.B8.DE10 | exam | valueCodeableConcept | CT OV000009 |
CT OC000001 | KANC ANC.SS.DE53 | survey | valueQuantity | 36 | mo
LN 18185-9 | WANC ANC.B6.DE17 | survey | valueQuantity | 28 | wk
LN 32418-6 | KANC ANC.SS.DE13 | survey | valueInteger | 3 |
LN 8302-2 | WANC ANC.B8.DE1 | vital-signs | valueQuantity | 157 | cm
LN 29463-7 | WANC ANC.B8.DE3 | vital-signs | valueQuantity | 60.2 | kg
SCT 284473002 | KANC ANC.SS.DE3 | exam | valueQuantity | 25.5 | cm
LN 11881-0 | WANC ANC.B8.DE105 | exam | valueQuantity | 26 | cm
LN 8480-6 | WANC ANC.B8.DE17 | vital-signs | valueQuantity | 110 | mm[Hg]
LN 8462-4 | WANC ANC.B8.DE19 | vital-signs | valueQuantity | 70 | mm[Hg]
LN 8867-4 | WANC ANC.B8.DE36 | vital-signs | valueQuantity | 84 | /min
LN 8310-5 | WANC ANC.B8.DE34 | vital-signs | valueQuantity | 36.6 | Cel
LN 9279-1 | KANC ANC.SS.DE2 | vital-signs | valueQuantity | 20 | /min
LN 55283-6 | WANC ANC.B8.DE107 | exam | valueQuantity | 142 | {beats}/min
LN 89087-1 | KANC ANC.SS.DE1 | exam | valueQuantity | 1150 | g
LN 72155-5 | WANC ANC.B8.DE111 | exam | valueCodeableConcept | SCT 1209182005 |
SCT 246435002 | WANC ANC.B8.DE109 | exam | valueInteger | 1 |
LN 883-9 | WANC ANC.B9.DE24 | laboratory | valueCodeableConcept | LN LA19710-5 |
LN 10331-7 | WANC ANC.B9.DE29 | laboratory | valueCodeableConcept | LN LA6576-8 |
LN 718-7 | WANC ANC.B9.DE175 | laboratory | valueQuantity | 11.4 | g/dL
LN 68961-2 | WANC ANC.B9.DE32 | laboratory | valueCodeableConcept | SCT 131194007 |
LN 20508-8 | WANC ANC.B9.DE96 | laboratory | valueCodeableConcept | SCT 131194007 |
LN 75410-1 | WANC ANC.B9.DE60 | laboratory | valueCodeableConcept | SCT 11214006 |
LN 74774-1 | WANC ANC.B9.DE159 | laboratory | valueQuantity | 98 | mg/dL
LN 5804-0 | WANC ANC.B9.DE114 | laboratory | valueQuantity | 30 | mg/dL
LN 72166-2 | | social-history | valueCodeableConcept | SCT 43381005 |
LN 11331-6 | | social-history | valueCodeableConcept | SCT 105542008 |
";

#[test]
fn an_antenatal_visit_has_the_codes_of_the_official_flow() {
    let mut all = resources(
        "switches: [diagnosis_ibu_hamil_z34_9, episode_perawatan]
kunjungan: {kelompok_sasaran: ibu_hamil}
records:
  - kunjungan_ibu_hamil:
      {tanggal: 2026-11-18, umur_tahun: 29, gravida: 2, paritas: 1, abortus: 0, hpht: 2026-05-06, hpl: 2027-02-10,
       usia_kehamilan: 28, trimester: 3, jarak_kehamilan: 36, bb_sebelum_hamil: 52.5, imt_sebelum_hamil: 21.3,
       target_kenaikan_bb: kg_7_11_5, tb: 157, bb: 60.2, lila: 25.5, tfu: 26, sistole: 110, diastole: 70, nadi: 84,
       suhu: 36.6, napas: 20, djj: 142, taksiran_berat_janin: 1150, presentasi_janin: kepala, jumlah_janin: 1,
       golongan_darah: A, rhesus: positif, hb: 11.4, hiv: non_reaktif, sifilis: non_reaktif, sifilis_cara: rpr,
       hbsag: reaktif, gula_darah: 98, protein_urin: 30, merokok: perokok_pasif, alkohol: tidak, pmt_diterima: true,
       pmt_jenis: pabrikan, edukasi: gizi}",
    );
    visit(&mut all, "ICD10 Z34.9", Some("ANC"));
    let seen = observations(&mut all, ANC);
    let of = |code: &str| seen.iter().find(|one| at(one, "code.coding.0.code") == code).unwrap();
    expect(of("OC000010"), "interpretation.0.coding.0.system", system("SCT"));
    expect(of("OC000010"), "interpretation.0.coding.0.code", "43664005");
    for (path, wanted) in [
        ("0.low", "null"),
        ("0.high.value", "18.4"),
        ("0.text", "Kurus"),
        ("1.low.value", "18.5"),
        ("1.high.value", "24.9"),
        ("1.text", "Normal"),
        ("2.low.value", "25"),
        ("2.high.value", "29.9"),
        ("2.text", "Gemuk"),
        ("3.low.value", "30"),
        ("3.high", "null"),
        ("3.text", "Obesitas"),
        ("3.low.code", "kg/m2"),
    ] {
        expect(of("OC000010"), &format!("referenceRange.{path}"), wanted);
    }
    expect(of("284473002"), "interpretation.0.coding.0.system", system("OINT"));
    expect(of("284473002"), "interpretation.0.coding.0.code", "N");
    procedures(&mut all, "SCT 409073007 | 409073007");
    let answers = all.pop().unwrap();
    for (path, wanted) in [
        ("resourceType", "QuestionnaireResponse"),
        ("questionnaire", "https://fhir.kemkes.go.id/Questionnaire/Q0002"),
        ("status", "completed"),
        ("subject.reference", "Patient/{patient}"),
        ("author.reference", "Practitioner/{practitioner}"),
        ("source.reference", "Patient/{patient}"),
        ("authored", "2026-11-18T03:00:00+00:00"),
        ("item.0.linkId", "1"),
        ("item.0.item.0.linkId", "1.1"),
        ("item.0.item.0.answer.0.valueBoolean", "true"),
        ("item.0.item.1.linkId", "1.2"),
        ("item.0.item.1.answer.0.valueCoding.system", system("CT")),
        ("item.0.item.1.answer.0.valueCoding.code", "FO000002"),
    ] {
        expect(&answers, path, wanted);
    }
    assert_eq!(all, Vec::<Value>::new());
}

const PNC: &str = "
LN 93857-1 | | survey | valueDateTime | 2026-11-08T00:00:00+00:00 |
LN 29463-7 | | vital-signs | valueQuantity | 58.1 | kg
LN 8302-2 | | vital-signs | valueQuantity | 157 | cm
SCT 284473002 | | exam | valueQuantity | 24 | cm
LN 8480-6 | | vital-signs | valueQuantity | 118 | mm[Hg]
LN 8462-4 | | vital-signs | valueQuantity | 76 | mm[Hg]
LN 8867-4 | | vital-signs | valueQuantity | 80 | /min
LN 8310-5 | | vital-signs | valueQuantity | 36.7 | Cel
LN 9279-1 | | vital-signs | valueQuantity | 19 | /min
LN 718-7 | | laboratory | valueQuantity | 11.2 | g/dL
LN 81661-1 | | exam | valueQuantity | 50 | mL
CT OC000020 | | exam | valueBoolean | false |
CT OC000025 | | exam | valueBoolean | false |
LN 32422-8 | | exam | valueCodeableConcept | SCT 290084006 |
SCT 289700000 | | exam | valueBoolean | true |
SCT 249214003 | | exam | valueCodeableConcept | SCT 449828001 |
SCT 249215002 | | exam | valueBoolean | false |
CT OC000017 | | survey | valueCodeableConcept | CT OV000016 |
SCT 102834005 | | survey | valueBoolean | true |
SCT 366257004 | | survey | valueBoolean | true |
";

#[test]
fn a_visit_after_birth_has_the_codes_of_the_official_flow() {
    let mut all = resources(
        "switches: [diagnosis_ibu_nifas_z39, episode_perawatan]
kunjungan: {kelompok_sasaran: ibu_nifas_menyusui, masa_nifas: true}
records:
  - kunjungan_ibu_nifas:
      {tanggal: 2026-11-18, umur_tahun: 29, tanggal_bersalin: 2026-11-08, tb: 157, bb: 58.1, lila: 24, sistole: 118,
       diastole: 76, nadi: 80, suhu: 36.7, napas: 19, hb: 11.2, perdarahan: 50, infeksi_perineum: false,
       infeksi_luka_sc: false, payudara: normal, kontraksi_rahim: true, lokia_warna: serosa, lokia_berbau: false,
       produksi_asi: ada, bak_normal: true, bab_normal: true, edukasi: gizi}",
    );
    visit(&mut all, "ICD10 Z39.2", Some("PNC"));
    let seen = observations(&mut all, PNC);
    let blood = seen.iter().find(|one| at(one, "code.coding.0.code") == "81661-1").unwrap();
    expect(blood, "bodySite.coding.0.system", system("SCT"));
    expect(blood, "bodySite.coding.0.code", "76784001");
    procedures(&mut all, "SCT 409073007 | 409073007");
    assert_eq!(all, Vec::<Value>::new());
}

const NEWBORN: &str = "
LN 8339-4 | | survey | valueQuantity | 3100 | g
LN 89269-5 | | vital-signs | valueQuantity | 49 | cm
LN 76516-4 | | survey | valueQuantity | 39 | wk
SCT 365475008 | | survey | valueInteger | 2 |
LN 29463-7 | | vital-signs | valueQuantity | 3.2 | kg
LN 8306-3 | | vital-signs | valueQuantity | 50 | cm
LN 9843-4 | | vital-signs | valueQuantity | 34.5 | cm
LN 8867-4 | | vital-signs | valueQuantity | 130 | /min
LN 8310-5 | | vital-signs | valueQuantity | 36.8 | Cel
LN 9279-1 | | vital-signs | valueQuantity | 44 | /min
CT OC000016 | | survey | valueCodeableConcept | CT OV000014 |
SCT 1145307003 | | survey | valueBoolean | true |
";

#[test]
fn a_newborn_visit_has_the_codes_of_the_official_flow() {
    let mut all = resources(
        "switches: [diagnosis_balita_z00_1]
records:
  - kunjungan_neonatus:
      {tanggal: 2026-11-18, kunjungan_ke: KN2, bb_lahir: 3100, pb_lahir: 49, usia_kehamilan_lahir: 39, anak_ke: 2,
       bb: 3.2, pb: 50, lingkar_kepala: 34.5, nadi: 130, suhu: 36.8, napas: 44, imd: kurang_1_jam, asi_eksklusif: true,
       vit_k1: true, salep_mata: true, perawatan_tali_pusat: true, mtbm: true, shk: true}",
    );
    visit(&mut all, "ICD10 Z00.1", None);
    observations(&mut all, NEWBORN);
    procedures(
        &mut all,
        "SCT 431868002 | 440626008
         SCT 448883004 | 409063005
         CT PC000002 | 409063005
         CT PC000001 | 409063005
         CT PC000003 | 409063005
         SCT 400984005 | 103693007",
    );
    assert_eq!(all, Vec::<Value>::new());
}
