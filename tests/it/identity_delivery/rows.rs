//! The invented people of the clinic: as its file tells them, and as the civil register does.

use posyandu_gateway::simulator::people::Person;
use serde_json::{Value, json};

/// A boy's number of no province.
pub const BUDI: &str = "1001010905240001";
/// A mother's.
pub const MOTHER: &str = "1001015507970001";
pub const ADDRESS: &str = "Jl. Contoh 5";

/// One line of the file.
#[derive(Clone, Copy)]
pub struct Row {
    pub nik: &'static str,
    pub name: &'static str,
    pub sex: &'static str,
    pub birth: &'static str,
    pub mother: &'static str,
    pub address: &'static str,
    pub twin: &'static str,
    pub day: &'static str,
    pub weight: &'static str,
}

pub fn budi() -> Row {
    Row {
        nik: BUDI,
        name: "Budi Contoh",
        sex: "L",
        birth: "2024-05-09",
        mother: "",
        address: ADDRESS,
        twin: "0",
        day: "2026-11-18",
        weight: "12.1",
    }
}

/// Born 48 days before the day of the clinic.
pub fn newborn() -> Row {
    Row { nik: "", name: "Bayi Contoh", birth: "2026-10-01", mother: MOTHER, weight: "4.6", ..budi() }
}

/// What the civil register holds of Budi.
pub fn citizen() -> Person {
    Person {
        nik: BUDI.into(),
        ihs: "P99000000777".into(),
        name: "BUDI CONTOH".into(),
        birth_date: "2024-05-09".into(),
        gender: "male".into(),
        address: Some(ADDRESS.into()),
        rt: Some("003".into()),
        rw: Some("007".into()),
        ..Person::default()
    }
}

pub fn mother() -> Person {
    Person {
        nik: MOTHER.into(),
        ihs: "P99000000778".into(),
        name: "SITI CONTOH".into(),
        birth_date: "1997-07-15".into(),
        gender: "female".into(),
        address: Some(ADDRESS.into()),
        ..Person::default()
    }
}

/// A Patient as somebody else would create it.
pub fn patient_json(nik: &str, name: &str, gender: &str, birth: &str, line: &str) -> Value {
    let codes = [
        ("province", "10"),
        ("city", "1001"),
        ("district", "100101"),
        ("village", "1001011001"),
        ("rt", "003"),
        ("rw", "007"),
    ];
    let codes: Vec<Value> = codes.iter().map(|(url, code)| json!({"url": url, "valueCode": code})).collect();
    json!({
        "resourceType": "Patient",
        "active": true,
        "identifier": [{"use": "official", "system": "https://fhir.kemkes.go.id/id/nik", "value": nik}],
        "name": [{"use": "official", "text": name}], "gender": gender, "birthDate": birth, "multipleBirthInteger": 0,
        "address": [{"use": "home", "line": [line], "extension": [
            {"url": "https://fhir.kemkes.go.id/r4/StructureDefinition/administrativeCode", "extension": codes}]}],
    })
}
