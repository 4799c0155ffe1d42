//! Who and what must be registered at SATUSEHAT before a visit can refer to it: a person, or a posyandu.
//!
//! They are what a visit stands on and no part of its Bundle, so each is mapped alone. The only place that decides by
//! which way a person can be registered, or why not; it must not look anybody up nor send anything, and no issue of it
//! tells what a record holds about a person.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;

use super::set::{Mapping, MappingSet};
use super::template::json_text;
use super::visit::{Draft, Identify, Visit};
use crate::clock::Zone;
use crate::issue::{Code, Issue, Place as Cell};
use crate::record::nik::{self, NikRead};
use crate::record::person::NEWBORN_DAYS;
use crate::record::schema::Schema;
use crate::record::{Record, Value};

/// The dataset of what follows from a person or a posyandu for its registration.
pub const REGISTRATION: &str = "pendaftaran";
/// The datasets that are mapped alone.
pub const ALONE: [&str; 2] = [PERSON, PLACE];
const PERSON: &str = "sasaran";
const PLACE: &str = "posyandu";

/// Digits of a village's code (Kemendagri: 2, 4, 6 and 10 digits; satusehat-api.md, section 8).
const VILLAGE_DIGITS: usize = 10;
/// The parts of a village's code: the derived field and how many digits it has.
const REGIONS: [(&str, usize); 4] =
    [("kode_provinsi", 2), ("kode_kota", 4), ("kode_kecamatan", 6), ("kode_desa", VILLAGE_DIGITS)];
/// Words by which a source says that there is no number at all.
const NO_NUMBER: [&str; 2] = ["tidak_ada", "sementara"];
/// What the organisations above a posyandu are called in the ministry's sample (O16); each puskesmas has one of each.
const SHARED: [(&str, &str); 2] = [("unit_ukm", "POKJA-UKM"), ("divisi_posyandu", "DV-UKM-PSY")];

/// A person to be registered.
pub struct Person<'a> {
    /// The puskesmas' Organization id at SATUSEHAT.
    pub organization: &'a str,
    /// The posyandu that serves the person.
    pub posyandu: &'a Record,
    /// The person.
    pub sasaran: &'a Record,
    /// The day of registration: a newborn's 60 days end on it.
    pub day: Date,
    /// Keyed hash that identifies the person for ever.
    pub key: [u8; 32],
}

/// A posyandu to be registered.
pub struct Place<'a> {
    /// The puskesmas' Organization id at SATUSEHAT.
    pub organization: &'a str,
    /// The posyandu.
    pub posyandu: &'a Record,
    /// The day of registration.
    pub day: Date,
}

impl MappingSet {
    /// Hands what stands for a person's registration to `use_visit`, which maps it or checks it too.
    pub fn with_person<T>(&self, person: &Person<'_>, use_visit: impl FnOnce(&Visit<'_>) -> T) -> T {
        let registration = person_record(&self.registration, person.sasaran, person.day);
        use_visit(&Visit {
            organization: person.organization,
            zone: zone(person.posyandu),
            posyandu: person.posyandu,
            sasaran: person.sasaran,
            visit: &registration,
            key: person.key,
            records: &[(person.sasaran, person.key)],
        })
    }

    /// Hands what stands for a posyandu's registration to `use_visit`, with the business identifiers: its own code, and
    /// for the organisations above it a word that is the same for each posyandu of a puskesmas.
    pub fn with_place<T>(&self, place: &Place<'_>, use_visit: impl FnOnce(&Visit<'_>, Identify<'_>) -> T) -> T {
        let registration = place_record(&self.registration, place.posyandu, place.day);
        let nobody = empty(&self.sasaran);
        let code = json_text(place.posyandu.text("kode_posyandu").unwrap_or_default());
        // It stands inside a JSON text already.
        let code = code.strip_prefix('"').and_then(|code| code.strip_suffix('"')).unwrap_or_default();
        let identify = |name: &str, _: &[u8; 32]| {
            let shared = SHARED.iter().find(|(plan, _)| *plan == name);
            shared.map_or(code, |(_, word)| word).to_owned()
        };
        let visit = Visit {
            organization: place.organization,
            zone: zone(place.posyandu),
            posyandu: place.posyandu,
            sasaran: &nobody,
            visit: &registration,
            key: [0; 32],
            records: &[(place.posyandu, [0; 32])],
        };
        use_visit(&visit, &identify)
    }

    /// The Patient, and where switched on the RelatedPerson, to be created for a person; or why there are none.
    #[must_use]
    pub fn draft_person<'a>(
        &'a self,
        person: &Person<'_>,
        switches: &BTreeSet<String>,
        identify: Identify<'_>,
    ) -> Draft<'a> {
        self.with_person(person, |visit| self.draft(visit, switches, identify))
    }

    /// The Organizations and the Location to be created for a posyandu; or why there are none.
    #[must_use]
    pub fn draft_place<'a>(&'a self, place: &Place<'_>, switches: &BTreeSet<String>) -> Draft<'a> {
        self.with_place(place, |visit, identify| self.draft(visit, switches, identify))
    }

    /// The mapping of a person or posyandu, when that is what a visit stands for.
    pub(super) fn alone(&self, visit: &Visit<'_>) -> Option<&Mapping> {
        let (record, _) = visit.records.first().filter(|_| visit.visit.schema.dataset == REGISTRATION)?;
        self.alone.get(&record.schema.dataset)
    }
}

fn zone(posyandu: &Record) -> Zone {
    posyandu.text("zona_waktu").and_then(Zone::from_name).unwrap_or(Zone::Wib)
}

/// A record that says nothing.
#[must_use]
pub fn empty(schema: &Arc<Schema>) -> Record {
    let count = schema.fields.len();
    let (values, columns) = (vec![None; count], vec![None; count]);
    Record { values, columns, place: Cell::default(), schema: Arc::clone(schema) }
}

/// What follows from a person for the registration on a day: the way, and the regions of the address.
#[must_use]
pub fn person_record(schema: &Arc<Schema>, person: &Record, day: Date) -> Record {
    let mut record = Record { place: person.place.clone(), ..empty(schema) };
    set(&mut record, "tanggal", Value::Date(day));
    if let (Ok(way), true) = (way(person, day), person_obstacles(person, day).is_empty()) {
        set(&mut record, "jalur", Value::Text(way.to_owned()));
    }
    match person.text("jenis_kelamin") {
        Some("L") => set(&mut record, "kelamin", Value::Text("male".to_owned())),
        Some("P") => set(&mut record, "kelamin", Value::Text("female".to_owned())),
        _ => {}
    }
    set(&mut record, "nik_ibu_asli", Value::Boolean(matches!(mother(person), Mother::Genuine)));
    set_regions(&mut record, person.text("kode_kelurahan"), "");
    record
}

/// What follows from a posyandu for the registration: the regions of its address and of its puskesmas.
#[must_use]
pub fn place_record(schema: &Arc<Schema>, posyandu: &Record, day: Date) -> Record {
    let mut record = Record { place: posyandu.place.clone(), ..empty(schema) };
    set(&mut record, "tanggal", Value::Date(day));
    set_regions(&mut record, posyandu.text("kode_kelurahan"), "");
    set_regions(&mut record, posyandu.text("kode_kelurahan_puskesmas"), "_puskesmas");
    record
}

fn set(record: &mut Record, field: &str, value: Value) {
    if let Some(index) = record.schema.index(field) {
        record.values[index] = Some(value);
    }
}

fn set_regions(record: &mut Record, village: Option<&str>, whose: &str) {
    let Some(digits) = village.and_then(village_code) else { return };
    for (field, count) in REGIONS {
        set(record, &format!("{field}{whose}"), Value::Text(digits[..count].to_owned()));
    }
}

/// The digits of a village's code, which is also written with points; `None` when it is none.
fn village_code(written: &str) -> Option<String> {
    let digits: String = written.chars().filter(|letter| !matches!(letter, '.' | ' ' | '-')).collect();
    (digits.len() == VILLAGE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(digits)
}

/// Why what a visit stands for cannot be registered; empty when it can.
pub(super) fn obstacles(visit: &Visit<'_>) -> Vec<Issue> {
    let day = visit.visit.date("tanggal").unwrap_or_default();
    match visit.records.first() {
        Some((record, _)) if record.schema.dataset == PERSON => person_obstacles(record, day),
        Some((record, _)) => place_obstacles(record),
        None => Vec::new(),
    }
}

/// By which number a person is registered.
///
/// # Errors
/// The issue that says why by none.
fn way(person: &Record, day: Date) -> Result<&'static str, Box<Issue>> {
    let status = person.text("status_nik").unwrap_or_default();
    let about = |rule: &'static str, field: &str| Box::new(issue(Code::BusinessRule, rule, person, field));
    if status == "perlu_periksa" {
        return Err(about("mapping.registration_nik_doubtful", "nik"));
    }
    // A number that stands here although the row had none was adopted from the same person's other rows.
    if person.text("nik").is_some() {
        return Ok("nik");
    }
    if !NO_NUMBER.contains(&status) {
        return Err(about("mapping.registration_nik_unreadable", "nik"));
    }
    let days = person.date("tanggal_lahir").map(|birth| (day - birth).get_days());
    if days.is_none_or(|days| days > NEWBORN_DAYS) {
        let told = issue(Code::BusinessRule, "mapping.registration_too_old", person, "nik");
        return Err(Box::new(told.with("hari", NEWBORN_DAYS)));
    }
    match mother(person) {
        Mother::Genuine => Ok("nik_ibu"),
        Mother::Absent => Err(about("mapping.registration_mother_missing", "nik_ibu")),
        Mother::Doubtful => Err(about("mapping.registration_mother_doubtful", "nik_ibu")),
    }
}

/// The mother's number in digits, if it can be hers.
#[must_use]
pub fn mothers_number(person: &Record) -> Option<String> {
    match person.text("nik_ibu").map(nik::read) {
        Some(NikRead::Number { digits, .. }) if matches!(mother(person), Mother::Genuine) => Some(digits),
        _ => None,
    }
}

/// What the mother's number is worth.
enum Mother {
    Absent,
    Doubtful,
    Genuine,
}

fn mother(person: &Record) -> Mother {
    match person.text("nik_ibu").map(nik::read) {
        None | Some(NikRead::Absent) => Mother::Absent,
        // The platform refuses a mother who is not female.
        Some(NikRead::Number { digits, last_digit_doubtful: false })
            if nik::birth_part(&digits).is_some_and(|part| part.female) =>
        {
            Mother::Genuine
        }
        Some(_) => Mother::Doubtful,
    }
}

fn person_obstacles(person: &Record, day: Date) -> Vec<Issue> {
    let mut issues = Vec::new();
    let way = way(person, day).map_err(|issue| issues.push(*issue)).ok();
    if person.text("alasan_keluar") == Some("meninggal") {
        issues.push(issue(Code::BusinessRule, "mapping.registration_died", person, "alasan_keluar"));
    }
    if person.text("ketelitian_tanggal").is_some_and(|exactness| exactness != "hari") {
        issues.push(issue(Code::BusinessRule, "mapping.registration_birth_estimated", person, "tanggal_lahir"));
    }
    if person.date("tanggal_lahir").is_some_and(|birth| birth > day) {
        issues.push(issue(Code::BusinessRule, "mapping.registration_not_born", person, "tanggal_lahir"));
    }
    // A registration by NIK is compared with the civil register, also by address line, RT and RW.
    let needed: &[&str] = match way {
        Some("nik") => &["alamat", "rt", "rw", "kode_kelurahan"],
        _ => &["alamat", "kode_kelurahan"],
    };
    issues.extend(missing(person, needed, "mapping.registration_incomplete"));
    issues.extend(no_village(person, "kode_kelurahan"));
    issues
}

fn place_obstacles(posyandu: &Record) -> Vec<Issue> {
    let has = |field: &str| posyandu.get(field).is_some();
    let (organization, location) = (has("id_organisasi_satusehat"), has("id_lokasi_satusehat"));
    if organization && location {
        return vec![issue(Code::Duplicate, "mapping.registration_done", posyandu, "id_lokasi_satusehat")];
    }
    let mut needed = vec!["alamat", "kode_kelurahan"];
    if !organization {
        needed.extend(["telepon", "alamat_puskesmas", "telepon_puskesmas", "kode_kelurahan_puskesmas"]);
    }
    if !location {
        needed.push("nama_lokasi");
    }
    let mut issues: Vec<Issue> =
        missing(posyandu, &needed, "mapping.registration_place_incomplete").into_iter().collect();
    issues.extend(no_village(posyandu, "kode_kelurahan"));
    if !organization {
        issues.extend(no_village(posyandu, "kode_kelurahan_puskesmas"));
    }
    issues
}

/// One issue that names all columns which are empty.
fn missing(record: &Record, needed: &[&str], rule: &'static str) -> Option<Issue> {
    let absent: Vec<&str> = needed.iter().copied().filter(|field| record.get(field).is_none()).collect();
    let first = absent.first()?;
    let titles: Vec<&str> = absent.iter().map(|field| title(record, field)).collect();
    Some(issue(Code::Required, rule, record, first).with("kolom", titles.join(", ")))
}

/// A village code that is written and is none.
fn no_village(record: &Record, field: &'static str) -> Option<Issue> {
    let written = record.text(field)?;
    let issue =
        || issue(Code::Value, "mapping.registration_village", record, field).with("kolom", title(record, field));
    village_code(written).is_none().then(issue)
}

fn title<'a>(record: &'a Record, field: &'a str) -> &'a str {
    let found = record.schema.index(field).and_then(|at| record.schema.fields.get(at));
    found.map_or(field, |field| field.title.as_str())
}

fn issue(code: Code, rule: &'static str, record: &Record, field: &str) -> Issue {
    Issue::error(code, rule).on(format!("{}.{field}", record.schema.dataset)).at(record.place_of(field))
}
