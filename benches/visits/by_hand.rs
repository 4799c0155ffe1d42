//! The hand-written rival of the mappings: the JSON of a visit built with `json!`, as an ordinary program would do it.
//!
//! Ordinary good code, not a straw man: nothing is built twice, and what is the same for all resources is built once
//! per visit. It must give the same JSON as the mapping files.

use jiff::tz::Offset;
use posyandu_gateway::issue::Issue;
use posyandu_gateway::mapping::plan::{PATIENT_TOKEN, PRACTITIONER_TOKEN};
use posyandu_gateway::mapping::visit::{Draft, DraftResource};
use serde_json::{Value, json};

use crate::visits::{DAY, HOURS, LOCATION, Made, ORGANIZATION, Seen, ZONE};

#[path = "by_hand/doses.rs"]
mod doses;

const LOINC: &str = "http://loinc.org";
const SNOMED: &str = "http://snomed.info/sct";
/// The ministry's own terms.
const TERMS: &str = "http://terminology.kemkes.go.id/CodeSystem/clinical-term";

/// What identifies a resource, made beforehand.
pub struct Name {
    /// Name in the mapping.
    pub resource: String,
    /// Key of the visit or record it belongs to.
    pub key: [u8; 32],
    system: String,
    /// Value of its business identifier.
    pub value: String,
    full_url: String,
}

impl Name {
    /// The names of a draft made with [`hashed`] identifiers, in order.
    pub fn all(draft: &Draft<'_>) -> Vec<Self> {
        assert!(!draft.issues.iter().any(Issue::is_error), "{:?}", draft.issues);
        let name = |resource: &DraftResource<'_>| {
            let (_, key) = resource.identifier.split_once('.').unwrap();
            let key = data_encoding::HEXLOWER.decode(key.as_bytes()).unwrap();
            Self {
                resource: resource.plan.name.clone(),
                key: key.try_into().unwrap(),
                system: resource.system.clone(),
                value: resource.identifier.clone(),
                full_url: resource.full_url.clone(),
            }
        };
        draft.resources.iter().map(name).collect()
    }
}

/// An identifier that tells what it was made from.
pub fn hashed(name: &str, key: &[u8; 32]) -> String {
    format!("{name}.{}", data_encoding::HEXLOWER.encode(key))
}

/// The whole visit.
pub fn bundle(made: &Made, names: &[Name]) -> String {
    let mut names = names.iter();
    let mut next = || names.next().unwrap();
    let seen = &made.seen;
    let day = Day { open: instant(HOURS[0]), close: instant(HOURS[1]) };
    let visit = next();
    let checkup = next();
    let vaccination = (!seen.doses.is_empty()).then(&mut next);
    let on = On { day, visit: &visit.full_url };
    let mut entries = vec![
        entry(visit, on.encounter(visit, checkup, vaccination)),
        entry(checkup, on.condition(checkup, "Z00.1", "Routine child health examination")),
    ];
    if let Some(name) = vaccination {
        let display = "Need for immunization against other combinations of infectious diseases";
        entries.push(entry(name, on.condition(name, "Z27.8", display)));
    }
    let vital = ("vital-signs", "Vital Signs");
    let length = if seen.standing { ("8308-9", "Body height --standing") } else { ("8306-3", "Body height --lying") };
    for (code, value, unit) in [
        (("29463-7", "Body weight"), seen.weight, "kg"),
        (length, seen.length, "cm"),
        (("9843-4", "Head Occipital-frontal circumference"), seen.head, "cm"),
    ] {
        let name = next();
        entries.push(entry(name, on.observation(name, vital, (LOINC, code.0, code.1), value, unit)));
    }
    let name = next();
    entries.push(entry(name, on.arm(name, seen)));
    if seen.vitamin_a {
        let name = next();
        entries.push(entry(name, on.vitamin_a(name)));
    }
    if seen.deworming {
        let name = next();
        entries.push(entry(name, on.deworming(name)));
    }
    for dose in &seen.doses {
        let name = next();
        entries.push(entry(name, on.immunization(name, dose)));
        if doses::is_procedure(dose) {
            let name = next();
            entries.push(entry(name, on.vaccination(name)));
        }
    }
    json!({ "resourceType": "Bundle", "type": "transaction", "entry": entries }).to_string()
}

fn entry(name: &Name, resource: Value) -> Value {
    let kind = resource["resourceType"].clone();
    json!({ "fullUrl": name.full_url, "resource": resource, "request": { "method": "POST", "url": kind } })
}

fn instant(time: jiff::civil::Time) -> String {
    let utc = Offset::UTC.to_datetime(ZONE.instant(DAY, time));
    utc.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}

fn coding(system: &str, code: &str, display: &str) -> Value {
    json!({ "coding": [{ "system": system, "code": code, "display": display }] })
}

fn quantity(value: f64, unit: &str) -> Value {
    json!({ "value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit })
}

fn reference(kind: &str, id: &str) -> Value {
    json!({ "reference": format!("{kind}/{id}") })
}

fn patient() -> Value {
    reference("Patient", PATIENT_TOKEN)
}

fn practitioner() -> Value {
    reference("Practitioner", PRACTITIONER_TOKEN)
}

fn puskesmas() -> Value {
    reference("Organization", ORGANIZATION)
}

fn identifier(name: &Name) -> Value {
    json!([{ "system": name.system, "value": name.value }])
}

/// The opening hours as instants.
struct Day {
    open: String,
    close: String,
}

/// The visit that every resource belongs to.
struct On<'a> {
    day: Day,
    visit: &'a str,
}

impl On<'_> {
    fn visit(&self) -> Value {
        json!({ "reference": self.visit })
    }

    fn encounter(&self, name: &Name, checkup: &Name, vaccination: Option<&Name>) -> Value {
        let Day { open, close } = &self.day;
        let period = |start: &str, end: &str| json!({ "start": start, "end": end });
        let diagnosis = |(at, name): (usize, &Name)| {
            json!({
                "condition": { "reference": name.full_url },
                "use": coding("http://terminology.hl7.org/CodeSystem/diagnosis-role", "DD", "Discharge diagnosis"),
                "rank": at + 1
            })
        };
        let diagnoses: Vec<Value> = std::iter::once(checkup).chain(vaccination).enumerate().map(diagnosis).collect();
        let home = coding("http://terminology.hl7.org/CodeSystem/discharge-disposition", "home", "Home");
        json!({
            "resourceType": "Encounter",
            "identifier": identifier(name),
            "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB", "display": "ambulatory"
            },
            "subject": patient(),
            "participant": [{
                "type": [coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "ATND", "attender")],
                "individual": practitioner()
            }],
            "period": period(open, close),
            "location": [{ "location": reference("Location", LOCATION) }],
            "diagnosis": diagnoses,
            "statusHistory": [
                { "status": "arrived", "period": period(open, open) },
                { "status": "in-progress", "period": period(open, close) },
                { "status": "finished", "period": period(close, close) }
            ],
            "hospitalization": { "dischargeDisposition": home },
            "serviceProvider": puskesmas()
        })
    }

    fn condition(&self, name: &Name, code: &str, display: &str) -> Value {
        let category = "http://terminology.hl7.org/CodeSystem/condition-category";
        json!({
            "resourceType": "Condition",
            "identifier": identifier(name),
            "clinicalStatus": coding("http://terminology.hl7.org/CodeSystem/condition-clinical", "active", "Active"),
            "category": [coding(category, "encounter-diagnosis", "Encounter Diagnosis")],
            "code": coding("http://hl7.org/fhir/sid/icd-10", code, display),
            "subject": patient(),
            "encounter": self.visit()
        })
    }

    fn observation(
        &self,
        name: &Name,
        category: (&str, &str),
        code: (&str, &str, &str),
        value: f64,
        unit: &str,
    ) -> Value {
        let categories = "http://terminology.hl7.org/CodeSystem/observation-category";
        json!({
            "resourceType": "Observation",
            "identifier": identifier(name),
            "status": "final",
            "category": [coding(categories, category.0, category.1)],
            "code": coding(code.0, code.1, code.2),
            "subject": patient(),
            "encounter": self.visit(),
            "effectiveDateTime": self.day.open,
            "issued": self.day.close,
            "performer": [practitioner()],
            "valueQuantity": quantity(value, unit)
        })
    }

    fn arm(&self, name: &Name, seen: &Seen) -> Value {
        let code = (SNOMED, "284473002", "Mid upper arm circumference");
        let mut out = self.observation(name, ("exam", "Exam"), code, seen.arm, "cm");
        if !(2..60).contains(&seen.months) {
            return out;
        }
        let poor = coding(TERMS, "OI000001", "Gizi Buruk");
        let under = coding(SNOMED, "248325000", "Undernourished");
        let normal = coding("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation", "N", "Normal");
        let class = match seen.arm {
            arm if arm < 11.5 => &poor,
            arm if arm < 12.5 => &under,
            _ => &normal,
        };
        out["interpretation"] = json!([class]);
        out["referenceRange"] = json!([
            { "high": quantity(11.4, "cm"), "text": "Gizi Buruk", "type": poor },
            { "low": quantity(11.5, "cm"), "high": quantity(12.4, "cm"), "type": under },
            { "low": quantity(12.5, "cm"), "type": normal }
        ]);
        out
    }

    fn procedure(&self, name: &Name, category: &Value, code: &Value) -> Value {
        json!({
            "resourceType": "Procedure",
            "identifier": identifier(name),
            "status": "completed",
            "category": category,
            "code": code,
            "subject": patient(),
            "encounter": self.visit(),
            "performedPeriod": { "start": self.day.open, "end": self.day.close },
            "performer": [{ "actor": practitioner() }]
        })
    }

    fn vitamin_a(&self, name: &Name) -> Value {
        let category = coding(SNOMED, "709543002", "Administration of vitamin");
        self.procedure(name, &category, &coding(SNOMED, "767224000", "Administration of vitamin A"))
    }

    fn deworming(&self, name: &Name) -> Value {
        let categories = "http://terminology.hl7.org/CodeSystem/medication-statement-category";
        let product = "Albendazole 400 mg Tablet Kunyah (HOLI PHARMA)";
        json!({
            "resourceType": "MedicationStatement",
            "identifier": identifier(name),
            "status": "completed",
            "category": coding(categories, "community", "Community"),
            "medicationCodeableConcept": coding("http://sys-ids.kemkes.go.id/kfa", "93000143", product),
            "subject": patient(),
            "context": self.visit(),
            "effectiveDateTime": self.day.open,
            "dateAsserted": self.day.close,
            "informationSource": practitioner()
        })
    }
}
