//! Iron tablets of a pregnant woman as the ministry has them (O06): a product template that was asked for, and a product
//! that was given, each with the medicine inside.
//!
//! Deviation: the samples say how the tablets are to be taken. A posyandu record does not, so no dosage is made up.

use serde_json::Value;

use super::{at, expect, resources};

#[test]
fn iron_tablets_of_a_pregnant_woman_are_asked_for_and_given() {
    let all = resources(
        "switches: [diagnosis_ibu_hamil_z34_9]
kunjungan: {kelompok_sasaran: ibu_hamil}
records:
  - suplementasi:
      {tanggal: 2026-11-18, kelompok_sasaran: ibu_hamil, jenis: ttd, jumlah: 30, satuan: tablet, kepatuhan: setiap_hari}",
    );
    let of = |kind: &str| all.iter().find(|one| at(one, "resourceType") == kind).unwrap();
    let (request, dispense) = (of("MedicationRequest"), of("MedicationDispense"));
    // A prescribed item names itself and the prescription it belongs to (rules 10388 and 10389).
    for (one, name) in [(request, "PERMINTAAN_TTD-1"), (dispense, "PEMBERIAN_TTD-1")] {
        for (path, wanted) in [
            ("identifier.0.system", "http://sys-ids.kemkes.go.id/prescription-item/100000101"),
            ("identifier.0.value", name),
            ("identifier.1.system", "http://sys-ids.kemkes.go.id/prescription/100000101"),
            ("identifier.1.value", name),
            ("status", "completed"),
            ("contained.0.resourceType", "Medication"),
            ("contained.0.id", "obat"),
            ("contained.0.status", "active"),
            ("contained.0.code.coding.0.system", "http://sys-ids.kemkes.go.id/kfa"),
            ("medicationReference.reference", "#obat"),
            ("subject.reference", "Patient/{patient}"),
        ] {
            expect(one, path, wanted);
        }
    }
    for (path, wanted) in [
        ("contained.0.code.coding.0.code", "92000653"),
        ("intent", "order"),
        ("category.0.coding.0.system", "http://terminology.hl7.org/CodeSystem/medicationrequest-category"),
        ("category.0.coding.0.code", "community"),
        ("requester.reference", "Practitioner/{practitioner}"),
        ("authoredOn", "2026-11-18T00:00:00+00:00"),
        ("dispenseRequest.quantity.value", "30"),
        ("dispenseRequest.quantity.system", "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm"),
        ("dispenseRequest.quantity.code", "TAB"),
        ("dispenseRequest.performer.reference", "Organization/100000101"),
        ("dosageInstruction", "null"),
    ] {
        expect(request, path, wanted);
    }
    for (path, wanted) in [
        ("contained.0.code.coding.0.code", "93006500"),
        ("category.coding.0.system", "http://terminology.hl7.org/fhir/CodeSystem/medicationdispense-category"),
        ("category.coding.0.code", "community"),
        ("performer.0.actor.reference", "Practitioner/{practitioner}"),
        ("location.reference", "Location/b7f1c6a0-0000-4000-8000-000000000001"),
        ("quantity.value", "30"),
        ("quantity.system", "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm"),
        ("quantity.code", "TAB"),
        ("whenPrepared", "2026-11-18T00:00:00+00:00"),
        ("whenHandedOver", "2026-11-18T03:00:00+00:00"),
    ] {
        expect(dispense, path, wanted);
    }
    let visit = all.iter().find(|one| at(one, "resourceType") == "Encounter").unwrap();
    let reference = |one: &Value, path: &str| at(one, path).to_string();
    assert_eq!(reference(request, "encounter.reference"), reference(dispense, "context.reference"));
    assert!(reference(dispense, "authorizingPrescription.0.reference").len() > 10);
    assert_eq!(at(visit, "status"), "finished");
}
