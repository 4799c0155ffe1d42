//! One toddler's visit as a transaction Bundle, written by hand from the published rules.

use serde_json::{Value, json};

/// The organisation that owns the test's client.
pub const ORGANIZATION: &str = "100012345";
/// A published dummy: the patient of every visit.
pub const PATIENT: &str = "P03647103112";
/// A published dummy: the midwife in charge.
pub const MIDWIFE: &str = "10009880728";
/// The posyandu as a place.
pub const PLACE: &str = "b7f1c6a0-0000-4000-8000-000000000001";

/// Positions of the entries of [`bundle`].
pub const TYPES: [&str; 9] = [
    "Encounter",
    "Condition",
    "Observation",
    "Observation",
    "Procedure",
    "Immunization",
    "QuestionnaireResponse",
    "Medication",
    "MedicationDispense",
];

fn urn(position: usize) -> String {
    format!("urn:uuid:00000000-0000-4000-8000-{position:012}")
}

fn identifier(kind: &str, visit: &str) -> Value {
    json!([{"system": format!("http://sys-ids.kemkes.go.id/{kind}/{ORGANIZATION}"), "value": format!("{visit}-{kind}")}])
}

fn concept(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

fn period() -> Value {
    json!({"start": "2026-11-18T02:00:00+00:00", "end": "2026-11-18T02:30:00+00:00"})
}

fn patient() -> Value {
    json!({"reference": format!("Patient/{PATIENT}")})
}

fn visit() -> Value {
    json!({"reference": urn(0)})
}

fn midwife() -> Value {
    json!({"reference": format!("Practitioner/{MIDWIFE}")})
}

/// The visit itself, alone.
pub fn encounter(name: &str) -> Value {
    json!({
        "resourceType": "Encounter", "identifier": identifier("encounter", name), "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": patient(),
        "participant": [{
            "type": [concept("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND")],
            "individual": midwife(),
        }],
        "period": period(),
        "location": [{"location": {"reference": format!("Location/{PLACE}")}}],
        "statusHistory": [
            {"status": "arrived", "period": period()}, {"status": "in-progress", "period": period()},
            {"status": "finished", "period": period()},
        ],
        "diagnosis": [{
            "condition": {"reference": urn(1)}, "rank": 1,
            "use": concept("http://terminology.hl7.org/CodeSystem/diagnosis-role", "DD"),
        }],
        "serviceProvider": {"reference": format!("Organization/{ORGANIZATION}")},
    })
}

/// A weight, as part of the visit at [`urn`] 0.
pub fn weight(name: &str) -> Value {
    json!({
        "resourceType": "Observation", "identifier": identifier("observation", name), "status": "final",
        "category": [concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")],
        "code": concept("http://loinc.org", "29463-7"), "subject": patient(), "encounter": visit(),
        "performer": [midwife()], "effectiveDateTime": "2026-11-18T02:10:00+00:00",
        "issued": "2026-11-18T02:10:00+00:00",
        "valueQuantity": {"value": 10.50, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    })
}

/// A kader's report of a dose: no lot, no expiry.
pub fn told_by_kader() -> Value {
    json!({
        "resourceType": "Immunization", "status": "completed",
        "vaccineCode": {"coding": [
            {"system": "http://sys-ids.kemkes.go.id/kfa", "code": "VG89"},
            {"system": "http://hl7.org/fhir/sid/cvx", "code": "10"},
        ]},
        "patient": patient(), "encounter": visit(), "occurrenceDateTime": "2026-11-18T02:15:00+00:00",
        "recorded": "2026-11-18T02:15:00+00:00", "primarySource": true,
        "reportOrigin": concept("http://terminology.hl7.org/CodeSystem/immunization-origin", "provider"),
        "location": {"reference": format!("Location/{PLACE}")},
        "performer": [{
            "function": {
                "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0443", "code": "EP"}], "text": "Kader",
            },
            "actor": {"reference": format!("Organization/{ORGANIZATION}")},
        }],
        "reasonCode": [{"coding": [
            {"system": "http://terminology.kemkes.go.id/CodeSystem/immunization-reason", "code": "IM-Dasar"},
            {"system": "http://terminology.kemkes.go.id/CodeSystem/immunization-routine-timing", "code": "IM-Ideal"},
        ]}],
        "protocolApplied": [{"doseNumberPositiveInt": 1}],
    })
}

/// A dose given by the midwife.
pub fn given(name: &str) -> Value {
    let mut dose = told_by_kader();
    dose["identifier"] = identifier("immunization", name);
    dose["lotNumber"] = json!("A1");
    dose["expirationDate"] = json!("2027-12-31");
    dose["performer"][0]["function"] = concept("http://terminology.hl7.org/CodeSystem/v2-0443", "AP");
    dose["performer"][0]["actor"] = midwife();
    dose.as_object_mut().unwrap().remove("reportOrigin");
    dose
}

fn others(name: &str) -> [Value; 4] {
    let procedure = json!({
        "resourceType": "Procedure", "identifier": identifier("procedure", name), "status": "completed",
        "category": concept("http://snomed.info/sct", "709543002"), "code": concept("http://snomed.info/sct", "767224000"),
        "subject": patient(), "encounter": visit(), "performedPeriod": period(), "performer": [{"actor": midwife()}],
    });
    let answers = json!({
        "resourceType": "QuestionnaireResponse", "questionnaire": "https://fhir.kemkes.go.id/Questionnaire/Q0003",
        "status": "completed", "subject": patient(), "encounter": visit(), "author": midwife(), "source": patient(),
        "authored": "2026-11-18T02:20:00+00:00",
        "item": [{"linkId": "1", "item": [{"linkId": "1.1", "answer": [{"valueBoolean": true}]}]}],
    });
    let medication = json!({
        "resourceType": "Medication", "identifier": identifier("medication", name), "status": "active",
        "code": concept("http://sys-ids.kemkes.go.id/kfa", "93000143"),
    });
    let dispensed = json!({
        "resourceType": "MedicationDispense", "status": "completed", "identifier": identifier("prescription-item", name),
        "medicationReference": {"reference": urn(7)}, "subject": patient(), "context": visit(),
        "performer": [{"actor": midwife()}], "whenHandedOver": "2026-11-18T02:20:00+00:00",
        "quantity": {
            "value": 1, "system": "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm", "code": "CHEWTAB",
        },
    });
    [procedure, answers, medication, dispensed]
}

/// What was taken, as stated by the midwife; it belongs to the visit at `encounter`.
pub fn statement(name: &str, encounter: &Value) -> Value {
    json!({
        "resourceType": "MedicationStatement", "identifier": identifier("medicationstatement", name),
        "status": "completed",
        "category": concept("http://terminology.hl7.org/CodeSystem/medication-statement-category", "community"),
        "medicationCodeableConcept": concept("http://sys-ids.kemkes.go.id/kfa", "93000143"),
        "subject": patient(), "context": encounter, "effectiveDateTime": "2026-11-18T02:00:00+00:00",
        "dateAsserted": "2026-11-18T02:30:00+00:00", "informationSource": midwife(),
    })
}

/// The whole visit. `name` makes its identifiers its own.
pub fn bundle(name: &str) -> Value {
    let condition = json!({
        "resourceType": "Condition", "identifier": identifier("condition", name),
        "clinicalStatus": concept("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "category": [concept("http://terminology.hl7.org/CodeSystem/condition-category", "encounter-diagnosis")],
        "code": concept("http://hl7.org/fhir/sid/icd-10", "Z00.1"), "subject": patient(), "encounter": visit(),
    });
    let mut score = weight(&format!("{name}-score"));
    score["code"] = concept("http://snomed.info/sct", "1153593003");
    score["category"][0] = concept("http://terminology.hl7.org/CodeSystem/observation-category", "exam");
    score["valueQuantity"] =
        json!({"value": -2.35, "unit": "{Zscore}", "system": "http://unitsofmeasure.org", "code": "{Zscore}"});
    score["interpretation"] = json!([concept("http://snomed.info/sct", "248342006")]);
    let [procedure, answers, medication, dispensed] = others(name);
    let all = [encounter(name), condition, weight(name), score, procedure, given(name), answers, medication, dispensed];
    let entries: Vec<Value> = all
        .into_iter()
        .enumerate()
        .map(|(position, resource)| {
            let request = json!({"method": "POST", "url": resource["resourceType"]});
            json!({"fullUrl": urn(position), "resource": resource, "request": request})
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}
