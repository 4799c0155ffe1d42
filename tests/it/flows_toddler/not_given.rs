//! A dose that was not given, with each official reason (satusehat-profiles.md, section 4.3 variant 2; O06, O13, O18).

use super::immunization::{BASIC, FUNCTION, IMMUNIZATION, PENTAVALENT, TETANUS, WOMEN, dose};
use super::{Row, SNOMED};

/// Variant 2: not done, the Ordering Provider, no lot.
const NOT_DONE: &[Row] = &[
    ("status", "not-done"),
    ("primarySource", "true"),
    ("occurrenceDateTime", "2026-11-18T01:00:00+00:00"),
    ("performer[0].function.coding[0].system", FUNCTION),
    ("performer[0].function.coding[0].code", "OP"),
    ("performer[0].function.coding[0].display", "Ordering Provider"),
    ("performer[0].actor.reference", "Practitioner/{practitioner}"),
    ("protocolApplied[0].doseNumberPositiveInt", "1"),
];

#[test]
fn not_given_with_each_official_reason() {
    const REASONS: &str = "http://terminology.kemkes.go.id/CodeSystem/immunization-statusReason";
    for (why, system, code, display) in [
        ("tunda", REASONS, "IS000001", "Tunda"),
        ("ditolak", REASONS, "IS000002", "Tidak Diberikan"),
        ("kosong", REASONS, "IS000002", "Tidak Diberikan"),
        ("medis", "http://terminology.hl7.org/CodeSystem/v3-ActReason", "MEDPREC", "medical precaution"),
    ] {
        let fields = format!("status: tidak_diberikan; pelapor: nakes; dosis_ke: 1; alasan_tidak: {why}");
        dose("DPT-HB-HIB", "2026-11-18", &fields).is(
            "imunisasi_tidak_diberikan",
            &[
                IMMUNIZATION,
                PENTAVALENT,
                NOT_DONE,
                BASIC,
                &[
                    ("statusReason.coding[0].system", system),
                    ("statusReason.coding[0].code", code),
                    ("statusReason.coding[0].display", display),
                ],
            ],
        );
    }
    // O06: no consent to tetanus vaccine.
    dose("TT", "2026-11-18", "status: tidak_diberikan; pelapor: nakes; dosis_ke: 1; alasan_tidak: ditolak").is(
        "imunisasi_tidak_diberikan",
        &[
            IMMUNIZATION,
            TETANUS,
            NOT_DONE,
            WOMEN,
            &[
                ("statusReason.coding[0].system", SNOMED),
                ("statusReason.coding[0].code", "171257003"),
                ("statusReason.coding[0].display", "No consent - Tetanus/low dose diphtheria vaccine"),
            ],
        ],
    );
}
