//! The doses of a visit.

use serde_json::{Value, json};

use super::{Name, On, SNOMED, coding, identifier, patient, practitioner, puskesmas, reference};
use crate::visits::{Dose, LOCATION, Told};

/// The antigen that is given by injection and told as a procedure too.
const PENTAVALENT: &str = "DPT-HB-HIB";

/// Whether the act of giving is told beside the dose.
pub fn is_procedure(dose: &Dose) -> bool {
    dose.told == Told::Nakes && dose.antigen == PENTAVALENT
}

impl On<'_> {
    /// The dose itself.
    pub fn immunization(&self, name: &Name, dose: &Dose) -> Value {
        let mut out = json!({
            "resourceType": "Immunization",
            "identifier": identifier(name),
            "status": if dose.told == Told::NotGiven { "not-done" } else { "completed" },
            "vaccineCode": { "coding": vaccine(dose) },
            "patient": patient(),
            "encounter": self.visit(),
            "occurrenceDateTime": self.day.open,
            "recorded": self.day.close,
            "primarySource": !matches!(dose.told, Told::Parents | Told::Book),
            "location": reference("Location", LOCATION),
            "performer": performers(dose),
            "reasonCode": reasons(dose),
            "protocolApplied": [{ "doseNumberPositiveInt": dose.number }]
        });
        let origin = "http://terminology.hl7.org/CodeSystem/immunization-origin";
        match dose.told {
            Told::Nakes => {
                out["lotNumber"] = json!(dose.batch);
                out["expirationDate"] = json!(dose.expiry.to_string());
                if dose.antigen == PENTAVALENT {
                    let route = ("inj.intramuscular", "Injection Intramuscular");
                    out["route"] = coding("http://www.whocc.no/atc", route.0, route.1);
                }
            }
            Told::Kader => out["reportOrigin"] = coding(origin, "provider", "Other Provider"),
            Told::Parents => out["reportOrigin"] = coding(origin, "recall", "Parent/Guardian/Patient Recall"),
            Told::Book => out["reportOrigin"] = coding(origin, "record", "Written Record"),
            Told::NotGiven => {
                let reasons = "http://terminology.kemkes.go.id/CodeSystem/immunization-statusReason";
                out["statusReason"] = coding(reasons, "IS000001", "Tunda");
            }
        }
        out
    }

    /// The act of giving it, see [`is_procedure`].
    pub fn vaccination(&self, name: &Name) -> Value {
        let category = json!({ "coding": [{ "system": SNOMED, "code": "107733003" }] });
        let code = coding("http://hl7.org/fhir/sid/icd-9-cm", "99.37", "Vaccination against pertussis");
        self.procedure(name, &category, &code)
    }
}

fn vaccine(dose: &Dose) -> Vec<Value> {
    let kfa = |code: &str, display: &str| json!({ "system": "http://sys-ids.kemkes.go.id/kfa", "code": code, "display": display });
    let cvx = |code: &str| json!({ "system": "http://hl7.org/fhir/sid/cvx", "code": code });
    let named = |code: &str, display: &str| json!({ "system": "http://hl7.org/fhir/sid/cvx", "code": code, "display": display });
    let product = dose.product.filter(|_| dose.told == Told::Nakes);
    let mut codings: Vec<Value> =
        product.map(|code| json!({ "system": "http://sys-ids.kemkes.go.id/kfa", "code": code })).into_iter().collect();
    codings.extend(match dose.antigen {
        "BCG" => vec![kfa("VG19", "BCG"), cvx("19")],
        "OPV" => vec![kfa("VG89", "POLIO"), cvx("178")],
        "IPV" => vec![kfa("VG89", "POLIO"), named("10", "IPV")],
        PENTAVALENT => {
            let combined = named("198", "DTP-hepB-Hib Pentavalent Non-US");
            vec![kfa("VG17", "HIB"), kfa("VG45", "HepB"), kfa("VG107", "DTAP"), combined]
        }
        "MR" => vec![kfa("VG03", "MMR"), cvx("4")],
        "PCV" => vec![kfa("VG152", "PneumoPCV"), cvx("152")],
        _ => vec![kfa("VG122", "ROTAVIRUS")],
    });
    codings
}

fn performers(dose: &Dose) -> Value {
    let function = |code: &str, display: &str| coding("http://terminology.hl7.org/CodeSystem/v2-0443", code, display);
    match dose.told {
        Told::Nakes => {
            json!([{ "function": function("AP", "Administering Provider"), "actor": practitioner() }, { "actor": puskesmas() }])
        }
        Told::Kader => {
            let mut entering = function("EP", "Entering Provider");
            if let Some(name) = dose.kader {
                entering["text"] = json!(name);
            }
            json!([{ "function": entering, "actor": puskesmas() }])
        }
        Told::Parents | Told::Book => {
            json!([{ "function": function("EP", "Entering Provider"), "actor": practitioner() }])
        }
        Told::NotGiven => json!([{ "function": function("OP", "Ordering Provider"), "actor": practitioner() }]),
    }
}

fn reasons(dose: &Dose) -> Vec<Value> {
    let reason = "http://terminology.kemkes.go.id/CodeSystem/immunization-reason";
    let timing = "http://terminology.kemkes.go.id/CodeSystem/immunization-routine-timing";
    let basic = match dose.antigen {
        PENTAVALENT => dose.number < 4,
        "MR" => dose.number < 2,
        "PCV" => dose.number < 3,
        _ => true,
    };
    let bare = |system: &str, code: &str| json!({ "coding": [{ "system": system, "code": code }] });
    let mut reasons = vec![match basic {
        true => coding(reason, "IM-Dasar", "Imunisasi Program Rutin Dasar"),
        false => bare(reason, "IM-Baduta"),
    }];
    match dose.schedule {
        Some("ideal") => reasons.push(coding(timing, "IM-Ideal", "Imunisasi Ideal")),
        Some(_) => reasons.push(bare(timing, "IM-Kejar")),
        None => {}
    }
    reasons
}
