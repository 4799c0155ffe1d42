//! The records of one visit, mapped and checked, as a new entry of the ledger.
//!
//! It must not decide which records count (the ledger did) nor when to send.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use super::contained::contained;
use super::register::{Posyandu, Register};
use crate::growth::Standards;
use crate::growth::pertumbuhan::{self, Derived};
use crate::growth::weighing::Past;
use crate::issue::{Code, Issue, Place};
use crate::ledger::entry::{NewEntry, NewResource, OUT_OF_RANGE};
use crate::ledger::row::{CurrentRecord, VisitRecords};
use crate::mapping::head::visit_record;
use crate::mapping::registration::{Person, mothers_number};
use crate::mapping::set::MappingSet;
use crate::mapping::visit::Visit;
use crate::record::group::Group;
use crate::record::schema::Schemas;
use crate::record::{Record, RecordError, Value};
use crate::redact::Personal;
use crate::resource::bundle::entries;
use crate::resource::envelope::{Envelope, NewPatient, Practitioner, Registration};
use crate::resource::profile::Profiles;
use crate::resource::{Outcome, Prepared, prepare};
use crate::seal::Keys;

/// What mapping a visit needs besides its records.
pub struct Mapper<'a> {
    /// Keys for business identifiers.
    pub keys: &'a Keys,
    /// Record schemas.
    pub schemas: &'a Schemas,
    /// Growth standards.
    pub standards: &'a Standards,
    /// Mappings.
    pub mappings: &'a MappingSet,
    /// SATUSEHAT's rules.
    pub profiles: &'a Profiles,
    /// Guesses that the configuration accepted.
    pub switches: &'a BTreeSet<String>,
    /// The posyandu.
    pub register: &'a Register,
    /// Organization id by puskesmas name.
    pub organizations: &'a [(String, String)],
    /// Names of the puskesmas that register persons whom SATUSEHAT does not know.
    pub registering: &'a BTreeSet<String>,
    /// Earliest local service date that SATUSEHAT takes: older visits are left out.
    pub earliest: Date,
    /// What all of this amounts to, see [`version`].
    pub version: String,
}

/// One name for everything but the records that decides what a visit becomes: mapping files, SATUSEHAT's rules,
/// accepted guesses, register, organizations, who registers persons, the earliest date. When it changes, what was not sent yet is mapped again.
#[must_use]
pub fn version(
    mappings: &MappingSet,
    profiles: &Profiles,
    switches: &BTreeSet<String>,
    register: &Register,
    organizations: &[(String, String)],
    registering: &BTreeSet<String>,
    earliest: Date,
) -> String {
    let mut hash = Sha256::new_with_prefix(profiles.digest);
    let organizations = organizations.iter().flat_map(|(name, id)| [name, id]);
    for text in switches.iter().chain(organizations).chain(registering) {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    register.all().iter().for_each(|posyandu| hash.update(posyandu.record.content_hash()));
    hash.update(earliest.to_string().as_bytes());
    format!("{}+{}", mappings.version, data_encoding::HEXLOWER.encode(&hash.finalize()[..3]))
}

/// Why a visit could not be mapped at all.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// A stored record does not fit its schema any more.
    #[error("a stored record cannot be read back")]
    Record(#[from] RecordError),
    /// The envelope cannot be written.
    #[error("the visit's envelope cannot be written")]
    Envelope(#[from] serde_json::Error),
}

impl Mapper<'_> {
    /// The entry for a visit: ready to send, or refused with the issues that stop it.
    ///
    /// # Errors
    /// [`VisitError`] when stored records cannot be read back.
    pub fn entry(&self, visit: &VisitRecords) -> Result<NewEntry, VisitError> {
        let records = visit.records.iter().map(|record| self.restore(record)).collect::<Result<Vec<_>, _>>()?;
        let place = visit.records.first().map(|record| record.place.clone()).unwrap_or_default();
        let mut entry = NewEntry {
            visit_key: visit.visit_key,
            revision: visit.revision,
            content_hash: [0; 32],
            mapping_version: self.version.clone(),
            due: visit.visit.due,
            person: Personal::new(String::new()),
            bundle: Personal::new(String::new()),
            resources: Vec::new(),
            issues: Vec::new(),
            refused: true,
        };
        let past = self.past(visit)?;
        let mapped = contained(
            || place.clone(),
            || {
                self.outcome(visit, &records, &past, place.clone()).map(|(prepared, posyandu, sasaran)| {
                    let registration = self.registration(visit, &posyandu, sasaran);
                    (prepared, posyandu, sasaran, registration)
                })
            },
        );
        match mapped.unwrap_or_else(|issue| Err(vec![*issue])) {
            Ok((prepared, posyandu, sasaran, registration)) => {
                self.fill(&mut entry, *prepared, &posyandu, sasaran, registration)?;
            }
            Err(issues) => {
                entry.content_hash = refusal_hash(&issues);
                entry.issues = issues;
            }
        }
        entry.issues.extend(self.out_of_range(visit, &records));
        Ok(entry)
    }

    /// Why a visit is not sent however good it is: the server takes nothing so old (faults, row 41). A warning, since
    /// nobody has to act, and one slip of the pen in a year looks the same.
    fn out_of_range(&self, visit: &VisitRecords, records: &[(Record, [u8; 32])]) -> Option<Issue> {
        let day = visit.visit.service_date;
        let is_visit = |record: &&Record| Group::by_dataset(&record.schema.dataset).is_some();
        let of_day = || records.iter().map(|(record, _)| record).filter(|record| record.date("tanggal") == Some(day));
        let place = of_day().find(is_visit).or_else(|| of_day().next());
        let place = place.map(|record| record.place_of("tanggal")).unwrap_or_default();
        let issue = Issue::warning(Code::BusinessRule, OUT_OF_RANGE).with("nilai", day).with("batas", self.earliest);
        (day < self.earliest).then(|| issue.on("tanggal").at(place))
    }

    #[allow(clippy::type_complexity, reason = "three parts of one success, used once")]
    fn outcome<'r>(
        &self,
        visit: &VisitRecords,
        records: &'r [(Record, [u8; 32])],
        past: &Past,
        place: Place,
    ) -> Result<(Box<Prepared>, Arc<Posyandu>, &'r Record), Vec<Issue>> {
        let one = |issue: Issue| vec![issue.at(place.clone())];
        let posyandu = self.register.by_code(&visit.visit.posyandu).ok_or_else(|| {
            one(Issue::error(Code::NotFound, "posyandu.unknown").with("tertulis", &visit.visit.posyandu))
        })?;
        let organization =
            self.organizations.iter().find(|(name, _)| *name == posyandu.puskesmas).map(|(_, id)| id.as_str());
        let organization = organization.ok_or_else(|| {
            one(Issue::error(Code::NotFound, "puskesmas.not_configured").with("puskesmas", &posyandu.puskesmas))
        })?;
        let of = |dataset: &str| records.iter().rev().find(|(record, _)| record.schema.dataset == dataset);
        let (sasaran, _) = of("sasaran").ok_or_else(|| one(Issue::error(Code::Required, "visit.no_person")))?;
        let mut services: Vec<(&Record, [u8; 32])> = records
            .iter()
            .filter(|(record, _)| record.schema.dataset != "sasaran")
            .map(|(record, key)| (record, *key))
            .collect();
        let (grown, noted) = self.growth(sasaran, &services, past);
        services.extend(grown.iter().map(|(record, key)| (record, *key)));
        let head = self.head(visit, sasaran, &services, place.clone());
        let mapped = Visit {
            organization,
            zone: posyandu.zone,
            posyandu: &posyandu.record,
            sasaran,
            visit: &head,
            key: visit.visit_key,
            records: &services,
        };
        let identify = |name: &str, key: &[u8; 32]| {
            self.keys.identifier("resource", &[name, &data_encoding::HEXLOWER.encode(key)])
        };
        match prepare(self.mappings, self.profiles, &mapped, self.switches, &identify) {
            Outcome::Prepared(mut prepared) => {
                prepared.issues.extend(noted);
                Ok((prepared, Arc::clone(posyandu), sasaran))
            }
            Outcome::Stopped(issues) => Err(issues.into_iter().chain(noted).collect()),
        }
    }

    /// What the growth standards say about each child's visit: a record beside the visit's own, under the same key, if
    /// both are mapped; and what a person should look at.
    fn growth(
        &self,
        sasaran: &Record,
        services: &[(&Record, [u8; 32])],
        past: &Past,
    ) -> (Vec<(Record, [u8; 32])>, Vec<Issue>) {
        let (mut records, mut issues) = (Vec::new(), Vec::new());
        let Some(schema) = self.schemas.get(pertumbuhan::DATASET) else { return (records, issues) };
        let is_mapped = |dataset: &str| self.mappings.by_dataset.contains_key(dataset);
        for (service, key) in services {
            let Derived { record, issues: noted } = pertumbuhan::derive(self.standards, schema, sasaran, service, past);
            issues.extend(noted);
            if is_mapped(pertumbuhan::DATASET) && is_mapped(&service.schema.dataset) {
                records.extend(record.map(|record| (record, *key)));
            }
        }
        (records, issues)
    }

    /// The visit itself as a record, made from what was recorded.
    fn head(&self, visit: &VisitRecords, sasaran: &Record, services: &[(&Record, [u8; 32])], place: Place) -> Record {
        let records: Vec<&Record> = services.iter().map(|(record, _)| *record).collect();
        let group = Group::of(records.iter().copied()).name;
        let born = sasaran.date("tanggal_lahir");
        visit_record(&self.mappings.visit.schema, visit.visit.service_date, born, group, &records, place)
    }

    /// What was known of the person before the visit.
    fn past(&self, visit: &VisitRecords) -> Result<Past, VisitError> {
        let weighings = visit.earlier.records.iter().map(|record| Ok(self.restore(record)?.0));
        Ok(Past { weighings: weighings.collect::<Result<_, VisitError>>()?, reaches_back: visit.earlier.reaches_back })
    }

    fn restore(&self, current: &CurrentRecord) -> Result<(Record, [u8; 32]), VisitError> {
        let stored = &current.record;
        let missing = || RecordError::Field { dataset: stored.dataset.clone(), field: "*".to_owned() };
        let schema = self.schemas.get(&stored.dataset).ok_or_else(missing)?;
        let mut columns: Vec<Option<Arc<str>>> = vec![None; schema.fields.len()];
        for (field, column) in &stored.columns {
            if let Some(index) = schema.index(field) {
                columns[index] = Some(Arc::from(column.as_str()));
            }
        }
        let record = Record::from_json(schema, &stored.json, current.place.clone(), columns)?;
        Ok((record, stored.record_key))
    }

    /// How the person is registered if SATUSEHAT does not know them, on the day of the visit: the same visit yields the
    /// same. Whether a newborn's days have passed since is asked again at sending.
    fn registration(&self, visit: &VisitRecords, posyandu: &Posyandu, sasaran: &Record) -> Registration {
        let found = self.organizations.iter().find(|(name, _)| *name == posyandu.puskesmas);
        let Some((_, organization)) = found.filter(|(name, _)| self.registering.contains(name)) else {
            return Registration::Off;
        };
        let (day, key) = (visit.visit.service_date, visit.visit_key);
        let person = Person { organization, posyandu: &posyandu.record, sasaran, day, key };
        let identify = |name: &str, key: &[u8; 32]| {
            self.keys.identifier("resource", &[name, &data_encoding::HEXLOWER.encode(key)])
        };
        let outcome = self
            .mappings
            .with_person(&person, |visit| prepare(self.mappings, self.profiles, visit, self.switches, &identify));
        let prepared = match outcome {
            Outcome::Prepared(prepared) => prepared,
            Outcome::Stopped(issues) => {
                return Registration::Impossible(issues.into_iter().filter(Issue::is_error).collect());
            }
        };
        let json = entries(&prepared.bundle).unwrap_or_default();
        let patient = prepared.resources.into_iter().zip(json).find(|(one, _)| one.resource_type == "Patient");
        patient.map_or(Registration::Off, |(one, (_, json))| {
            Registration::Possible(Box::new(NewPatient { json, cells: one.lineage }))
        })
    }

    fn fill(
        &self,
        entry: &mut NewEntry,
        prepared: Prepared,
        posyandu: &Posyandu,
        sasaran: &Record,
        registration: Registration,
    ) -> Result<(), VisitError> {
        let text = |record: &Record, field: &str| record.text(field).unwrap_or_default().to_owned();
        let known = text(&posyandu.record, "id_nakes_satusehat");
        let practitioner = match known.as_str() {
            "" => Practitioner::ByNik(text(&posyandu.record, "nik_nakes")),
            _ => Practitioner::Known(known),
        };
        let envelope = Envelope {
            nik: text(sasaran, "nik"),
            name: text(sasaran, "nama"),
            birth_date: sasaran.date("tanggal_lahir").unwrap_or_default(),
            gender: if sasaran.text("jenis_kelamin") == Some("P") { "female" } else { "male" }.to_owned(),
            practitioner,
            mother: sasaran.get("nik").is_none().then(|| mothers_number(sasaran)).flatten(),
            birth_order: birth_order(sasaran, &registration),
            registration,
            row: sasaran.place.clone(),
            cells: Envelope::cells_of(&prepared.resources),
        };
        entry.person = Personal::new(serde_json::to_string(&envelope)?);
        entry.content_hash = content_hash(&prepared.content_hash, &envelope);
        entry.issues = prepared.issues;
        entry.refused = false;
        entry.resources = prepared.resources.into_iter().map(new_resource).collect();
        entry.bundle = Personal::new(prepared.bundle);
        Ok(())
    }
}

fn new_resource(resource: crate::resource::PreparedResource) -> NewResource {
    NewResource {
        resource_type: resource.resource_type,
        identifier_system: resource.system,
        identifier_value: resource.identifier,
        content_hash: resource.content_hash,
        full_url: resource.full_url,
    }
}

/// The Bundle names nobody, so whom it is about is part of the content: a name that was mended is a new version.
fn content_hash(bundle: &[u8; 32], envelope: &Envelope) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bundle);
    let practitioner = match &envelope.practitioner {
        Practitioner::Known(id) | Practitioner::ByNik(id) => id,
    };
    let birth_date = envelope.birth_date.to_string();
    for text in [&envelope.nik, &envelope.name, &birth_date, &envelope.gender, practitioner] {
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    // A mended address or birth order is sent again too, where it matters.
    for text in envelope.mother.iter().chain(envelope.birth_order.map(|order| order.to_string()).iter()) {
        hash.update(text.as_bytes());
        hash.update([1]);
    }
    match &envelope.registration {
        Registration::Off => {}
        Registration::Possible(patient) => hash.update(&patient.json),
        Registration::Impossible(issues) => hash.update(refusal_hash(issues)),
    }
    hash.finalize().into()
}

/// The place among twins as it is written, else as the registration takes it.
fn birth_order(sasaran: &Record, registration: &Registration) -> Option<u32> {
    let written = match sasaran.get("urutan_kembar") {
        Some(Value::Integer(order)) => u32::try_from(*order).ok(),
        _ => None,
    };
    let taken = || match registration {
        Registration::Possible(patient) => {
            let json: serde_json::Value = serde_json::from_str(&patient.json).ok()?;
            u32::try_from(json["multipleBirthInteger"].as_u64()?).ok()
        }
        _ => None,
    };
    written.or_else(taken)
}

/// A refusal's content is its complaints: the same complaints are the same entry.
fn refusal_hash(issues: &[Issue]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for issue in issues {
        hash.update(issue.rule.as_bytes());
        hash.update(issue.place.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
        hash.update([0]);
    }
    hash.finalize().into()
}
