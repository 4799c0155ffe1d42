//! Immunization in each official variant (satusehat-profiles.md, sections 4.1 to 4.3; O06, O09, O13, O14, O18).

use super::{ENCOUNTER, LOINC, OBSERVATION, PROCEDURE, Row, SNOMED, Sent, UCUM, sent};

const KFA: &str = "http://sys-ids.kemkes.go.id/kfa";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";
pub(super) const REASON: &str = "http://terminology.kemkes.go.id/CodeSystem/immunization-reason";
const ORIGIN: &str = "http://terminology.hl7.org/CodeSystem/immunization-origin";
pub(super) const FUNCTION: &str = "http://terminology.hl7.org/CodeSystem/v2-0443";

/// What every variant has (section 4.1: patient, encounter, times, location, dose number).
pub(super) const IMMUNIZATION: &[Row] = &[
    ("resourceType", "Immunization"),
    ("patient.reference", "Patient/{patient}"),
    ("encounter.reference", "kunjungan"),
    ("recorded", "2026-11-18T04:00:00+00:00"),
    ("location.reference", "Location/lokasi-1"),
];

/// Section 4.2: the pentavalent vaccine in groups and CVX, as seen in O13.
pub(super) const PENTAVALENT: &[Row] = &[
    ("vaccineCode.coding[0].system", KFA),
    ("vaccineCode.coding[0].code", "VG17"),
    ("vaccineCode.coding[0].display", "HIB"),
    ("vaccineCode.coding[1].system", KFA),
    ("vaccineCode.coding[1].code", "VG45"),
    ("vaccineCode.coding[1].display", "HepB"),
    ("vaccineCode.coding[2].system", KFA),
    ("vaccineCode.coding[2].code", "VG107"),
    ("vaccineCode.coding[2].display", "DTAP"),
    ("vaccineCode.coding[3].system", CVX),
    ("vaccineCode.coding[3].code", "198"),
    ("vaccineCode.coding[3].display", "DTP-hepB-Hib Pentavalent Non-US"),
];

/// The basic programme in the first year.
pub(super) const BASIC: &[Row] = &[
    ("reasonCode[0].coding[0].system", REASON),
    ("reasonCode[0].coding[0].code", "IM-Dasar"),
    ("reasonCode[0].coding[0].display", "Imunisasi Program Rutin Dasar"),
];

pub(super) const WOMEN: &[Row] = &[
    ("reasonCode[0].coding[0].system", REASON),
    ("reasonCode[0].coding[0].code", "IM-WUS"),
    ("reasonCode[0].coding[0].display", "Imunisasi Program Rutin Lanjutan Wanita Usia Subur"),
];

/// Given today at the posyandu.
const TODAY: &[Row] =
    &[("status", "completed"), ("primarySource", "true"), ("occurrenceDateTime", "2026-11-18T01:00:00+00:00")];

/// Variant 1: lot, expiry, the Administering Provider and the Organization.
const BY_HEALTH_WORKER: &[Row] = &[
    ("lotNumber", "B-0417"),
    ("expirationDate", "2027-12-31"),
    ("performer[0].function.coding[0].system", FUNCTION),
    ("performer[0].function.coding[0].code", "AP"),
    ("performer[0].function.coding[0].display", "Administering Provider"),
    ("performer[0].actor.reference", "Practitioner/{practitioner}"),
    ("performer[1].actor.reference", "Organization/100000101"),
];

const INTRAMUSCULAR: &[Row] = &[
    ("route.coding[0].system", "http://www.whocc.no/atc"),
    ("route.coding[0].code", "inj.intramuscular"),
    ("route.coding[0].display", "Injection Intramuscular"),
];

const HALF_A_MILLILITRE: &[Row] = &[
    ("doseQuantity.value", "0.5"),
    ("doseQuantity.unit", "mL"),
    ("doseQuantity.system", UCUM),
    ("doseQuantity.code", "ml"),
];

/// One dose; `fields` are the record's lines beyond antigen and day.
pub(super) fn dose(antigen: &str, day: &str, fields: &str) -> Sent {
    let fields: String = fields.split("; ").map(|field| format!("      {field}\n")).collect();
    let born = if matches!(antigen, "TT" | "Td" | "COVID-19") { "1996-03-04" } else { "2026-08-10" };
    sent(born, &[], "", &format!("  - imunisasi:\n      tanggal: {day}\n      antigen: {antigen}\n{fields}"))
}

/// Lines of a dose by a health worker.
pub(super) const NAKES: &str = "status: diberikan; pelapor: nakes; nomor_batch: B-0417; kedaluwarsa: 2027-12-31";

/// The product comes first; the groups follow it.
fn after_product(code: &'static str, groups: &[Row]) -> Vec<Row> {
    const PATHS: [[&str; 3]; 5] = [
        ["vaccineCode.coding[0].system", "vaccineCode.coding[0].code", "vaccineCode.coding[0].display"],
        ["vaccineCode.coding[1].system", "vaccineCode.coding[1].code", "vaccineCode.coding[1].display"],
        ["vaccineCode.coding[2].system", "vaccineCode.coding[2].code", "vaccineCode.coding[2].display"],
        ["vaccineCode.coding[3].system", "vaccineCode.coding[3].code", "vaccineCode.coding[3].display"],
        ["vaccineCode.coding[4].system", "vaccineCode.coding[4].code", "vaccineCode.coding[4].display"],
    ];
    let mut rows = vec![(PATHS[0][0], KFA), (PATHS[0][1], code)];
    for (path, value) in groups {
        let (at, part) = (0..4)
            .flat_map(|at| (0..3).map(move |part| (at, part)))
            .find(|(at, part)| PATHS[*at][*part] == *path)
            .unwrap();
        rows.push((PATHS[at + 1][part], *value));
    }
    rows
}

#[test]
fn given_by_a_health_worker() {
    let visit =
        dose("DPT-HB-HIB", "2026-11-18", &format!("{NAKES}; dosis_ke: 1; jadwal: ideal; kode_kfa: \"93001282\""));
    visit.has("kunjungan", ENCOUNTER);
    visit.has(
        "diagnosis_imunisasi",
        &[
            ("resourceType", "Condition"),
            ("category[0].coding[0].code", "encounter-diagnosis"),
            ("code.coding[0].system", "http://hl7.org/fhir/sid/icd-10"),
            ("code.coding[0].code", "Z27.8"),
        ],
    );
    let codes = after_product("93001282", PENTAVALENT);
    visit.is(
        "imunisasi_nakes",
        &[
            IMMUNIZATION,
            &codes,
            TODAY,
            BY_HEALTH_WORKER,
            INTRAMUSCULAR,
            HALF_A_MILLILITRE,
            BASIC,
            &[
                (
                    "reasonCode[1].coding[0].system",
                    "http://terminology.kemkes.go.id/CodeSystem/immunization-routine-timing",
                ),
                ("reasonCode[1].coding[0].code", "IM-Ideal"),
                ("reasonCode[1].coding[0].display", "Imunisasi Ideal"),
                ("protocolApplied[0].doseNumberPositiveInt", "1"),
            ],
        ],
    );
    // Accompanying (section 4.1); the reference names the category by its code alone.
    visit.is(
        "tindakan_imunisasi",
        &[
            PROCEDURE,
            &[
                ("category.coding[0].code", "107733003"),
                ("code.coding[0].system", "http://hl7.org/fhir/sid/icd-9-cm"),
                ("code.coding[0].code", "99.37"),
                ("code.coding[0].display", "Vaccination against pertussis"),
            ],
        ],
    );
}

#[test]
fn the_birth_dose_of_hepatitis_b() {
    dose("HB0", "2026-11-18", &format!("{NAKES}; dosis_ke: 1")).is(
        "imunisasi_nakes",
        &[
            IMMUNIZATION,
            TODAY,
            BY_HEALTH_WORKER,
            INTRAMUSCULAR,
            BASIC,
            &[
                ("vaccineCode.coding[0].system", KFA),
                ("vaccineCode.coding[0].code", "VG45"),
                ("vaccineCode.coding[0].display", "HepB"),
                ("vaccineCode.coding[1].system", CVX),
                ("vaccineCode.coding[1].code", "08"),
                ("protocolApplied[0].doseNumberPositiveInt", "1"),
            ],
        ],
    );
}

#[test]
fn a_reaction_told_by_the_mother() {
    let kipi = "kipi: true; kipi_gejala: pilek; kipi_tanggal: 2026-11-18; kipi_pelapor: orang_tua";
    let visit = dose("DPT-HB-HIB", "2026-11-18", &format!("{NAKES}; dosis_ke: 2; {kipi}"));
    visit.is(
        "imunisasi_nakes",
        &[
            IMMUNIZATION,
            PENTAVALENT,
            TODAY,
            BY_HEALTH_WORKER,
            INTRAMUSCULAR,
            BASIC,
            &[
                ("protocolApplied[0].doseNumberPositiveInt", "2"),
                ("reaction[0].date", "2026-11-18T01:00:00+00:00"),
                ("reaction[0].detail.reference", "kipi_nakes"),
                ("reaction[0].reported", "true"),
            ],
        ],
    );
    visit.is(
        "kipi_nakes",
        &[
            OBSERVATION,
            &[
                ("category[0].coding[0].code", "exam"),
                ("category[0].coding[0].display", "Exam"),
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "31044-1"),
                ("code.coding[0].display", "Immunization reaction"),
                ("valueCodeableConcept.coding[0].system", SNOMED),
                ("valueCodeableConcept.coding[0].code", "82272006"),
                ("valueCodeableConcept.coding[0].display", "Common cold"),
            ],
        ],
    );
}

#[test]
fn a_reaction_seen_by_the_health_worker_is_not_reported_by_the_patient() {
    let visit = dose(
        "DPT-HB-HIB",
        "2026-11-18",
        &format!("{NAKES}; dosis_ke: 2; kipi: true; kipi_gejala: lemas; kipi_pelapor: nakes"),
    );
    visit.is(
        "imunisasi_nakes",
        &[
            IMMUNIZATION,
            PENTAVALENT,
            TODAY,
            BY_HEALTH_WORKER,
            INTRAMUSCULAR,
            BASIC,
            &[("protocolApplied[0].doseNumberPositiveInt", "2"), ("reaction[0].detail.reference", "kipi_nakes")],
        ],
    );
    visit.has(
        "kipi_nakes",
        &[("valueCodeableConcept.coding[0].code", "367391008"), ("valueCodeableConcept.coding[0].display", "Malaise")],
    );
}

#[test]
fn reported_by_a_kader() {
    let visit = dose("IPV", "2026-11-18", "status: diberikan; pelapor: kader; petugas: Kader Contoh; dosis_ke: 1");
    visit.is(
        "imunisasi_kader",
        &[
            IMMUNIZATION,
            TODAY,
            BASIC,
            &[
                ("vaccineCode.coding[0].system", KFA),
                ("vaccineCode.coding[0].code", "VG89"),
                ("vaccineCode.coding[0].display", "POLIO"),
                ("vaccineCode.coding[1].system", CVX),
                ("vaccineCode.coding[1].code", "10"),
                ("vaccineCode.coding[1].display", "IPV"),
                ("reportOrigin.coding[0].system", ORIGIN),
                ("reportOrigin.coding[0].code", "provider"),
                ("reportOrigin.coding[0].display", "Other Provider"),
                ("performer[0].function.coding[0].system", FUNCTION),
                ("performer[0].function.coding[0].code", "EP"),
                ("performer[0].function.coding[0].display", "Entering Provider"),
                ("performer[0].function.text", "Kader Contoh"),
                ("performer[0].actor.reference", "Organization/100000101"),
                ("protocolApplied[0].doseNumberPositiveInt", "1"),
            ],
        ],
    );
}

/// Variant 5: earlier, not from the provider's own knowledge, entered by the health worker.
const HISTORY: &[Row] = &[
    ("status", "completed"),
    ("primarySource", "false"),
    ("occurrenceDateTime", "2026-10-14T01:00:00+00:00"),
    ("reportOrigin.coding[0].system", ORIGIN),
    ("performer[0].function.coding[0].system", FUNCTION),
    ("performer[0].function.coding[0].code", "EP"),
    ("performer[0].function.coding[0].display", "Entering Provider"),
    ("performer[0].actor.reference", "Practitioner/{practitioner}"),
    ("protocolApplied[0].doseNumberPositiveInt", "1"),
];

#[test]
fn from_memory_and_from_the_book() {
    // O14: BCG by its group, remembered by a parent.
    dose("BCG", "2026-10-14", "status: diberikan; pelapor: orang_tua; dosis_ke: 1").is(
        "imunisasi_riwayat_ingatan",
        &[
            IMMUNIZATION,
            HISTORY,
            BASIC,
            &[
                ("vaccineCode.coding[0].system", KFA),
                ("vaccineCode.coding[0].code", "VG19"),
                ("vaccineCode.coding[0].display", "BCG"),
                ("vaccineCode.coding[1].system", CVX),
                ("vaccineCode.coding[1].code", "19"),
                ("reportOrigin.coding[0].code", "recall"),
                ("reportOrigin.coding[0].display", "Parent/Guardian/Patient Recall"),
            ],
        ],
    );
    // O06: tetanus of a pregnant woman, as written in her book.
    dose("TT", "2026-10-14", "status: diberikan; pelapor: buku_kia; dosis_ke: 1; kelompok_sasaran: ibu_hamil").is(
        "imunisasi_riwayat_buku",
        &[
            IMMUNIZATION,
            HISTORY,
            WOMEN,
            TETANUS,
            &[("reportOrigin.coding[0].code", "record"), ("reportOrigin.coding[0].display", "Written Record")],
        ],
    );
}

/// Section 4.2: the group of Td and the CVX code of tetanus toxoid, as seen in O06.
pub(super) const TETANUS: &[Row] = &[
    ("vaccineCode.coding[0].system", KFA),
    ("vaccineCode.coding[0].code", "VG139"),
    ("vaccineCode.coding[0].display", "Td"),
    ("vaccineCode.coding[1].system", CVX),
    ("vaccineCode.coding[1].code", "35"),
    ("vaccineCode.coding[1].display", "tetanus toxoid, adsorbed"),
];

#[test]
fn tetanus_in_pregnancy() {
    let visit =
        dose("TT", "2026-11-18", &format!("{NAKES}; dosis_ke: 2; kode_kfa: \"93006992\"; kelompok_sasaran: ibu_hamil"));
    let codes = after_product("93006992", TETANUS);
    visit.is(
        "imunisasi_nakes",
        &[
            IMMUNIZATION,
            &codes,
            TODAY,
            BY_HEALTH_WORKER,
            HALF_A_MILLILITRE,
            WOMEN,
            &[("protocolApplied[0].doseNumberPositiveInt", "2")],
        ],
    );
    visit.is(
        "status_hamil",
        &[
            OBSERVATION,
            &[
                ("category[0].coding[0].code", "survey"),
                ("category[0].coding[0].display", "Survey"),
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "82810-3"),
                ("code.coding[0].display", "Pregnancy status"),
                ("valueCodeableConcept.coding[0].system", LOINC),
                ("valueCodeableConcept.coding[0].code", "LA15173-0"),
                ("valueCodeableConcept.coding[0].display", "Pregnant"),
            ],
        ],
    );
}
