//! A baby's and a toddler's growth visit (satusehat-profiles.md, sections 3.1 to 3.6; O09, O12, O14, O15).

use super::{CLINICAL_TERM, CLOSING, ENCOUNTER, LOINC, OBSERVATION, OPENING, PROCEDURE, Row, SNOMED, Sent, UCUM, sent};

const VITAL: &[Row] =
    &[("category[0].coding[0].code", "vital-signs"), ("category[0].coding[0].display", "Vital Signs")];
const EXAM: &[Row] = &[("category[0].coding[0].code", "exam"), ("category[0].coding[0].display", "Exam")];
const SURVEY: &[Row] = &[("category[0].coding[0].code", "survey"), ("category[0].coding[0].display", "Survey")];
const IN_CM: &[Row] = &[("valueQuantity.unit", "cm"), ("valueQuantity.system", UCUM), ("valueQuantity.code", "cm")];

/// The whole visit of a baby of eight months, with all that a sample shows; two parts are agreed guesses.
fn baby() -> Sent {
    sent(
        "2026-03-10",
        &["jumlah_kapsul_vitamin_a", "perkembangan_sebagai_sdidtk"],
        "",
        "  - kunjungan_balita:\n      tanggal: 2026-11-18\n      umur_bulan: 8\n      bb: 7.9\n      pb_tb: 70.2\n      \
         cara_ukur: terlentang\n      lingkar_kepala: 44.1\n      lila: 12.1\n      vit_a: biru\n      asi_eksklusif: \
         false\n      mp_asi: true\n      pitting_edema: 2\n      imunisasi_lengkap: false\n      perkembangan: \
         tidak_lengkap\n      edukasi: makanan beragam\n",
    )
}

#[test]
fn the_measurements_of_a_baby() {
    let visit = baby();
    visit.has("kunjungan", ENCOUNTER);
    visit.is(
        "berat_badan",
        &[
            OBSERVATION,
            VITAL,
            &[
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "29463-7"),
                ("code.coding[0].display", "Body weight"),
                ("valueQuantity.value", "7.9"),
                ("valueQuantity.unit", "kg"),
                ("valueQuantity.system", UCUM),
                ("valueQuantity.code", "kg"),
            ],
        ],
    );
    visit.is(
        "panjang_badan",
        &[
            OBSERVATION,
            VITAL,
            IN_CM,
            &[
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "8306-3"),
                ("code.coding[0].display", "Body height --lying"),
                ("valueQuantity.value", "70.2"),
            ],
        ],
    );
    visit.is(
        "lingkar_kepala",
        &[
            OBSERVATION,
            VITAL,
            IN_CM,
            &[
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "9843-4"),
                ("code.coding[0].display", "Head Occipital-frontal circumference"),
                ("valueQuantity.value", "44.1"),
            ],
        ],
    );
}

/// Section 3.3 and satusehat-reference-ranges.csv (O12): three classes, the first with a text.
const ARM_RANGES: &[Row] = &[
    ("referenceRange[0].high.value", "11.4"),
    ("referenceRange[0].high.unit", "cm"),
    ("referenceRange[0].high.system", UCUM),
    ("referenceRange[0].high.code", "cm"),
    ("referenceRange[0].text", "Gizi Buruk"),
    ("referenceRange[0].type.coding[0].system", CLINICAL_TERM),
    ("referenceRange[0].type.coding[0].code", "OI000001"),
    ("referenceRange[0].type.coding[0].display", "Gizi Buruk"),
    ("referenceRange[1].low.value", "11.5"),
    ("referenceRange[1].low.unit", "cm"),
    ("referenceRange[1].low.system", UCUM),
    ("referenceRange[1].low.code", "cm"),
    ("referenceRange[1].high.value", "12.4"),
    ("referenceRange[1].high.unit", "cm"),
    ("referenceRange[1].high.system", UCUM),
    ("referenceRange[1].high.code", "cm"),
    ("referenceRange[1].type.coding[0].system", SNOMED),
    ("referenceRange[1].type.coding[0].code", "248325000"),
    ("referenceRange[1].type.coding[0].display", "Undernourished"),
    ("referenceRange[2].low.value", "12.5"),
    ("referenceRange[2].low.unit", "cm"),
    ("referenceRange[2].low.system", UCUM),
    ("referenceRange[2].low.code", "cm"),
    ("referenceRange[2].type.coding[0].system", "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"),
    ("referenceRange[2].type.coding[0].code", "N"),
    ("referenceRange[2].type.coding[0].display", "Normal"),
];

#[test]
fn the_arm_with_its_class_and_cut_offs() {
    baby().is(
        "lingkar_lengan",
        &[
            OBSERVATION,
            EXAM,
            IN_CM,
            ARM_RANGES,
            &[
                ("code.coding[0].system", SNOMED),
                ("code.coding[0].code", "284473002"),
                ("code.coding[0].display", "Mid upper arm circumference"),
                ("valueQuantity.value", "12.1"),
                ("interpretation[0].coding[0].system", SNOMED),
                ("interpretation[0].coding[0].code", "248325000"),
                ("interpretation[0].coding[0].display", "Undernourished"),
            ],
        ],
    );
}

#[test]
fn feeding_oedema_and_immunization_status() {
    let visit = baby();
    visit.is(
        "asi_eksklusif",
        &[
            OBSERVATION,
            SURVEY,
            &[
                ("code.coding[0].system", SNOMED),
                ("code.coding[0].code", "1145307003"),
                ("code.coding[0].display", "Exclusively breastfed"),
                ("valueBoolean", "false"),
            ],
        ],
    );
    visit.is(
        "mp_asi",
        &[
            OBSERVATION,
            SURVEY,
            &[
                ("code.coding[0].system", CLINICAL_TERM),
                ("code.coding[0].code", "OC000009"),
                ("code.coding[0].display", "Makanan Pendamping ASI (MPASI)"),
                ("valueBoolean", "true"),
            ],
        ],
    );
    visit.is(
        "edema",
        &[
            OBSERVATION,
            EXAM,
            &[
                ("code.coding[0].system", SNOMED),
                ("code.coding[0].code", "284521000"),
                ("code.coding[0].display", "Pitting edema"),
                ("valueCodeableConcept.coding[0].system", SNOMED),
                ("valueCodeableConcept.coding[0].code", "421605005"),
                ("valueCodeableConcept.coding[0].display", "2+ pitting edema"),
            ],
        ],
    );
    visit.is(
        "imunisasi_belum_lengkap",
        &[
            OBSERVATION,
            SURVEY,
            &[
                ("code.coding[0].system", SNOMED),
                ("code.coding[0].code", "304250009"),
                ("code.coding[0].display", "Immunization status"),
                ("valueCodeableConcept.coding[0].system", SNOMED),
                ("valueCodeableConcept.coding[0].code", "1002253002"),
                ("valueCodeableConcept.coding[0].display", "Immunization series incomplete"),
            ],
        ],
    );
}

#[test]
fn vitamin_a_counselling_and_development() {
    let visit = baby();
    visit.is(
        "vitamin_a",
        &[
            PROCEDURE,
            &[
                ("category.coding[0].code", "709543002"),
                ("category.coding[0].display", "Administration of vitamin"),
                ("code.coding[0].system", SNOMED),
                ("code.coding[0].code", "767224000"),
                ("code.coding[0].display", "Administration of vitamin A"),
            ],
        ],
    );
    visit.is(
        "kapsul_vitamin_a",
        &[
            OBSERVATION,
            EXAM,
            &[
                ("code.coding[0].system", CLINICAL_TERM),
                ("code.coding[0].code", "OC000164"),
                ("code.coding[0].display", "Jumlah kapsul vitamin A yang diberikan"),
                ("valueCodeableConcept.coding[0].system", CLINICAL_TERM),
                ("valueCodeableConcept.coding[0].code", "OV000310"),
                ("valueCodeableConcept.coding[0].display", "1 kapsul biru"),
            ],
        ],
    );
    // Deviation: the subject is free text on the card, so it goes as a note beside the general code of O06.
    visit.is(
        "edukasi",
        &[
            PROCEDURE,
            &[
                ("category.coding[0].code", "409073007"),
                ("category.coding[0].display", "Education"),
                ("code.coding[0].system", SNOMED),
                ("code.coding[0].code", "409073007"),
                ("code.coding[0].display", "Education"),
                ("note[0].text", "makanan beragam"),
            ],
        ],
    );
    // Section 3.5: items 1.1 and 2.2 of Q0003; items 1.2 to 1.7 are not on the card.
    visit.is(
        "perkembangan",
        &[&[
            ("resourceType", "QuestionnaireResponse"),
            ("questionnaire", "https://fhir.kemkes.go.id/Questionnaire/Q0003"),
            ("status", "completed"),
            ("subject.reference", "Patient/{patient}"),
            ("encounter.reference", "kunjungan"),
            ("authored", OPENING),
            ("author.reference", "Practitioner/{practitioner}"),
            ("source.reference", "Patient/{patient}"),
            ("item[0].linkId", "1"),
            ("item[0].item[0].linkId", "1.1"),
            ("item[0].item[0].answer[0].valueBoolean", "true"),
            ("item[1].linkId", "2"),
            ("item[1].item[0].linkId", "2.2"),
            ("item[1].item[0].answer[0].valueCoding.system", CLINICAL_TERM),
            ("item[1].item[0].answer[0].valueCoding.code", "OI000017"),
            ("item[1].item[0].answer[0].valueCoding.display", "Tidak Sesuai Usia"),
        ]],
    );
}

#[test]
fn a_toddler_standing() {
    let toddler = sent(
        "2024-05-12",
        &["kapsul_merah_sebagai_produk"],
        "",
        "  - kunjungan_balita:\n      tanggal: 2026-11-18\n      umur_bulan: 30\n      pb_tb: 86.5\n      cara_ukur: \
         berdiri\n      vit_a: merah\n",
    );
    toddler.is(
        "tinggi_badan",
        &[
            OBSERVATION,
            VITAL,
            IN_CM,
            &[
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "8308-9"),
                ("code.coding[0].display", "Body height --standing"),
                ("valueQuantity.value", "86.5"),
            ],
        ],
    );
    // Section 3.6: no value for the red capsule is published; the product is known from third parties.
    toddler.is(
        "kapsul_merah",
        &[&[
            ("resourceType", "MedicationStatement"),
            ("status", "completed"),
            ("category.coding[0].system", "http://terminology.hl7.org/CodeSystem/medication-statement-category"),
            ("category.coding[0].code", "community"),
            ("category.coding[0].display", "Community"),
            ("medicationCodeableConcept.coding[0].system", "http://sys-ids.kemkes.go.id/kfa"),
            ("medicationCodeableConcept.coding[0].code", "93002593"),
            ("subject.reference", "Patient/{patient}"),
            ("context.reference", "kunjungan"),
            ("effectiveDateTime", OPENING),
            ("dateAsserted", CLOSING),
            ("informationSource.reference", "Practitioner/{practitioner}"),
        ]],
    );
}

#[test]
fn a_newborn_with_weight_and_length_at_birth() {
    let newborn = sent(
        "2026-11-01",
        &[],
        "",
        "  - kunjungan_balita:\n      tanggal: 2026-11-18\n      umur_bulan: 0\n      bb_lahir: 3.1\n      pb_lahir: \
         49\n",
    );
    // Deviation: O09 has grams; the record holds kilograms and nothing is converted.
    newborn.is(
        "berat_lahir",
        &[
            OBSERVATION,
            SURVEY,
            &[
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "8339-4"),
                ("code.coding[0].display", "Birth weight Measured"),
                ("valueQuantity.value", "3.1"),
                ("valueQuantity.unit", "kg"),
                ("valueQuantity.system", UCUM),
                ("valueQuantity.code", "kg"),
            ],
        ],
    );
    newborn.is(
        "panjang_lahir",
        &[
            OBSERVATION,
            VITAL,
            IN_CM,
            &[
                ("code.coding[0].system", LOINC),
                ("code.coding[0].code", "89269-5"),
                ("code.coding[0].display", "Body height Measured --at birth"),
                ("valueQuantity.value", "49"),
            ],
        ],
    );
}
