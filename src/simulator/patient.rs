//! Patients and practitioners: searches with their masks, and registering a newborn (satusehat-api.md, section 7).
//!
//! It must not hand out more than the real index does for the same question.

use serde_json::{Map, Value, json};

use super::options::NEWBORN_DAYS;
use super::outcome::{Complaint, Reply};
use super::people::{Index, Person, masked_name, name_matches};
use super::search::Query;
use super::write::Desk;

const NIK: &str = "https://fhir.kemkes.go.id/id/nik";
const MOTHER: &str = "https://fhir.kemkes.go.id/id/nik-ibu";
const NUMBER: &str = "https://fhir.kemkes.go.id/id/ihs-number";
const WORKER_NUMBER: &str = "https://fhir.kemkes.go.id/id/nakes-his-number";
const MASKED_NIK: &str = "################";
/// Sub-extensions of an address and the rules that ask for them.
const REGIONS: [(&str, u32); 4] = [("province", 10621), ("city", 10622), ("district", 10623), ("village", 10624)];

/// How much of a person is shown.
#[derive(Clone, Copy)]
enum Mask {
    /// Name in two letters per word, NIK hidden, nothing else.
    NikOnly,
    /// Everything.
    Full,
    /// NIK hidden, address cut.
    NameKnown,
    /// A child found by its mother.
    Child,
    /// A health worker found by NIK.
    Worker,
}

/// GET Patient with the parameters of `query`.
pub(super) fn search(index: &Index, query: &Query) -> Vec<Value> {
    let identifier = query.get("identifier").unwrap_or_default();
    let (name, birth, gender) = (query.get("name"), query.get("birthdate"), query.get("gender"));
    let fits = |person: &Person| {
        name.is_none_or(|name| name_matches(&person.name, name)) && birth.is_none_or(|birth| person.birth_date == birth)
    };
    if let Some(mother) = identifier.strip_prefix(MOTHER).and_then(|rest| rest.strip_prefix('|')) {
        let children =
            index.children_of(mother).into_iter().filter(|child| birth.is_none_or(|day| child.birth_date == day));
        return children.map(|child| shown("Patient", child, Mask::Child)).collect();
    }
    if let Some(nik) = identifier.strip_prefix(NIK).and_then(|rest| rest.strip_prefix('|')) {
        let mask = if name.is_some() && birth.is_some() { Mask::Full } else { Mask::NikOnly };
        let found = index.with_nik(nik).into_iter().filter(|person| fits(person));
        return found.map(|person| shown("Patient", person, mask)).collect();
    }
    by_name("Patient", index, name, birth, gender)
}

/// GET Practitioner with the parameters of `query`.
pub(super) fn search_workers(index: &Index, query: &Query) -> Vec<Value> {
    let identifier = query.get("identifier").unwrap_or_default();
    if let Some(nik) = identifier.strip_prefix(NIK).and_then(|rest| rest.strip_prefix('|')) {
        return index.with_nik(nik).into_iter().map(|person| shown("Practitioner", person, Mask::Worker)).collect();
    }
    by_name("Practitioner", index, query.get("name"), query.get("birthdate"), query.get("gender"))
}

/// One person by number.
pub(super) fn read(kind: &str, index: &Index, id: &str) -> Option<Value> {
    index.with_ihs(id).map(|person| shown(kind, person, Mask::NameKnown))
}

fn by_name(kind: &str, index: &Index, name: Option<&str>, birth: Option<&str>, gender: Option<&str>) -> Vec<Value> {
    let (Some(name), Some(birth), Some(gender)) = (name, birth, gender) else { return Vec::new() };
    let born = index.born_on(birth).into_iter();
    let found = born.filter(|person| person.gender == gender && name_matches(&person.name, name));
    found.map(|person| shown(kind, person, Mask::NameKnown)).collect()
}

fn shown(kind: &str, person: &Person, mask: Mask) -> Value {
    let nik = if matches!(mask, Mask::Full | Mask::Worker) { person.nik.as_str() } else { MASKED_NIK };
    let name =
        if matches!(mask, Mask::NikOnly | Mask::Worker) { masked_name(&person.name) } else { person.name.clone() };
    let number = if kind == "Patient" { NUMBER } else { WORKER_NUMBER };
    let mut identifiers = Vec::new();
    if !person.nik.is_empty() {
        identifiers.push(json!({"system": NIK, "use": "official", "value": nik}));
    }
    if let (Mask::Child, Some(mother)) = (mask, &person.nik_ibu) {
        identifiers.push(json!({"system": MOTHER, "use": "official", "value": mother}));
    }
    identifiers.push(json!({"system": number, "use": "official", "value": person.ihs}));
    let mut shown = json!({
        "active": true,
        "id": person.ihs,
        "identifier": identifiers,
        "meta": {"lastUpdated": "2024-12-01T00:00:00+00:00", "versionId": "1"},
        "name": [{"text": name, "use": "official"}],
        "resourceType": kind,
    });
    if let (false, Some(members)) = (matches!(mask, Mask::NikOnly), shown.as_object_mut()) {
        members.insert("birthDate".to_owned(), json!(person.birth_date));
        members.insert("gender".to_owned(), json!(person.gender));
        if let Some(line) = &person.address {
            let line =
                if matches!(mask, Mask::Full | Mask::Child) { line.clone() } else { line.chars().take(2).collect() };
            members.insert("address".to_owned(), json!([{"line": [line], "use": "home"}]));
        }
        if matches!(mask, Mask::Child) {
            members.insert("multipleBirthInteger".to_owned(), json!(person.birth_order));
        }
    }
    shown
}

impl Desk<'_> {
    /// POST Patient: a citizen under the own NIK, compared with the civil register, or a newborn under the mother's.
    pub(super) fn register(&mut self, patient: &Map<String, Value>) -> Reply {
        let mut complaints = self.judge("Patient", patient, &[]);
        if complaints.iter().all(|complaint| !complaint.store) {
            complaints.extend(regions(patient));
        }
        if !complaints.is_empty() {
            return Reply::refused(400, &complaints);
        }
        if let Some(nik) = identifier(patient, NIK) {
            return self.citizen(patient, nik);
        }
        let Some(mother) = identifier(patient, MOTHER) else {
            return Reply::refused(400, &[Complaint::missing(10166, "Patient.identifier")]);
        };
        self.newborn(patient, mother)
    }

    fn citizen(&mut self, patient: &Map<String, Value>, nik: String) -> Reply {
        if self.options.duplicate_check && !self.state.patients.with_nik(&nik).is_empty() {
            return Reply::refused(400, &[Complaint::processor("exception", "Patient Resource Exists", 0)]);
        }
        let told = self.told(patient, Person { nik: nik.clone(), ..Person::default() });
        let citizens = self.state.citizens.with_nik(&nik);
        let Some(citizen) = citizens.first() else {
            return Reply::refused(400, &[Complaint::processor("exception", "Failed to get citizen", 0)]);
        };
        let complaints = disagreements(&told, citizen);
        if !complaints.is_empty() {
            return Reply::refused(400, &complaints);
        }
        self.admit(patient, told)
    }

    /// The person that a resource tells of.
    fn told(&mut self, patient: &Map<String, Value>, person: Person) -> Person {
        let text = |path: &str| patient.get(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let name = patient.get("name").and_then(|list| list.pointer("/0/text")).and_then(Value::as_str);
        let order = patient.get("multipleBirthInteger").and_then(Value::as_u64).unwrap_or(0);
        Person {
            ihs: self.state.generator.patient_number(),
            name: name.unwrap_or_default().to_owned(),
            birth_date: text("birthDate"),
            gender: text("gender"),
            address: patient.get("address").and_then(|list| list.pointer("/0/line/0")?.as_str().map(str::to_owned)),
            rt: region(patient, "rt"),
            rw: region(patient, "rw"),
            birth_order: u32::try_from(order).unwrap_or(u32::MAX),
            ..person
        }
    }

    /// Takes a person into the index; Patient is the one type whose create answers 200.
    fn admit(&mut self, patient: &Map<String, Value>, person: Person) -> Reply {
        let id = person.ihs.clone();
        self.state.patients.add(person);
        let mut kept = patient.clone();
        if let Some(Value::Array(list)) = kept.get_mut("identifier") {
            list.push(json!({"system": NUMBER, "use": "official", "value": id}));
        }
        self.commit("Patient", &id, kept);
        self.state.stats.creates += 1;
        match self.state.store.get("Patient", &id) {
            Some(record) => Reply::json(200, &record.read_back()),
            None => Reply::not_found("Patient", &id),
        }
    }

    fn newborn(&mut self, patient: &Map<String, Value>, mother: String) -> Reply {
        let child = self.told(patient, Person { nik_ibu: Some(mother.clone()), ..Person::default() });
        let today = jiff::tz::TimeZone::UTC.to_datetime(self.now).date();
        let born = child.birth_date.parse::<jiff::civil::Date>().unwrap_or(today);
        let age_days = i64::from(born.until(today).map_or(0, |span| span.get_days()));
        if age_days > NEWBORN_DAYS {
            let text = format!("Day difference from Birth Date with {today} can't be more than {NEWBORN_DAYS} days");
            return Reply::refused(400, &[Complaint::rule("format", &text, 10397, "Patient.birthDate")]);
        }
        let mothers = self.state.patients.with_nik(&mother);
        let Some(found) = mothers.first() else {
            let text = "Failed to create new patient, nik-ibu not found";
            return Reply::refused(404, &[Complaint::processor("exception", text, 0)]);
        };
        if found.gender != "female" {
            let text = "Patient with nik-ibu is not female";
            return Reply::refused(400, &[Complaint::processor("exception", text, 0)]);
        }
        let twin_of = |other: &&Person| {
            other.name.eq_ignore_ascii_case(&child.name)
                && other.birth_date == child.birth_date
                && other.gender == child.gender
                && other.birth_order == child.birth_order
        };
        if self.options.duplicate_check && self.state.patients.children_of(&mother).iter().any(twin_of) {
            return Reply::refused(400, &[Complaint::processor("duplicate", "Found duplicate: Patient", 0)]);
        }
        self.admit(patient, child)
    }
}

/// One complaint per field that the civil register knows otherwise. The texts for name and birth date are guesses: only
/// the others were recorded.
fn disagreements(told: &Person, citizen: &Person) -> Vec<Complaint> {
    let alike = |one: &str, other: &str| one.trim().eq_ignore_ascii_case(other.trim());
    let known = |told: &Option<String>, held: &Option<String>| match held {
        Some(held) => told.as_deref().is_some_and(|told| alike(told, held)),
        None => true,
    };
    let rt = "Patient.address[0].extension[0] (url:rt)";
    let checks = [
        (alike(&told.name, &citizen.name), "nama TIDAK SESUAI", "Patient.name"),
        (told.birth_date == citizen.birth_date, "tanggal_lahir TIDAK SESUAI", "Patient.birthDate"),
        (told.gender == citizen.gender, "jenis_kelamin TIDAK SESUAI", "Patient.gender"),
        (known(&told.address, &citizen.address), "alamat TIDAK SESUAI", "Patient.address"),
        (known(&told.rt, &citizen.rt), "no_rt TIDAK SESUAI", rt),
        (known(&told.rw, &citizen.rw), "no_rw TIDAK SESUAI", "Patient.address[0].extension[0] (url:rw)"),
    ];
    let wrong = checks.into_iter().filter(|(agrees, _, _)| !agrees);
    wrong
        .map(|(_, text, path)| {
            let complaint = Complaint::processor("exception", text, 0);
            Complaint { path: Some(path.to_owned()), ..complaint }
        })
        .collect()
}

/// A sub-extension of the address.
fn region(patient: &Map<String, Value>, name: &str) -> Option<String> {
    let parts = patient.get("address")?.pointer("/0/extension/0/extension")?.as_array()?;
    let found = parts.iter().find(|part| part.get("url").and_then(Value::as_str) == Some(name))?;
    found.get("valueCode").and_then(Value::as_str).map(str::to_owned)
}

fn identifier(patient: &Map<String, Value>, system: &str) -> Option<String> {
    let mut list = patient.get("identifier").and_then(Value::as_array).into_iter().flatten();
    let found = list.find(|one| one.get("system").and_then(Value::as_str) == Some(system))?;
    found.get("value").and_then(Value::as_str).map(str::to_owned)
}

/// One complaint per region code that is missing, all with the same expression.
fn regions(patient: &Map<String, Value>) -> Vec<Complaint> {
    let address = patient.get("address").and_then(|list| list.get(0));
    let parts = address.and_then(|address| address.pointer("/extension/0/extension")).and_then(Value::as_array);
    let has =
        |name: &str| parts.into_iter().flatten().any(|part| part.get("url").and_then(Value::as_str) == Some(name));
    let missing = REGIONS.iter().filter(|(name, _)| !has(name));
    missing
        .map(|(name, rule)| {
            let complaint = Complaint::missing(*rule, &format!("Patient.address.extension {name}"));
            Complaint { path: Some("Patient.address".to_owned()), ..complaint }
        })
        .collect()
}
