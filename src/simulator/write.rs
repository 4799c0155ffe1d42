//! Creating and updating single resources.
//!
//! It must not know HTTP beyond the answer it shapes; Bundles and newborns have their own files.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::State;
use super::check::{self, Setting, identifier, value};
use super::options::Options;
use super::outcome::{Complaint, JSON, Reply};
use super::token::Caller;

/// Beginning of the address a single create is answered with; it belongs to the store behind the gateway.
const STORE_BASE: &str = "https://healthcare.googleapis.com/v1/projects/dto-ihs-simulator/locations/asia-southeast2/datasets/simulator/fhirStores/simulator/fhir";

/// One write in progress: who, when, and under which settings.
pub(super) struct Desk<'a> {
    /// Everything the stand-in holds.
    pub state: &'a mut State,
    /// The settings.
    pub options: &'a Options,
    /// The present moment.
    pub now: Timestamp,
    /// Who writes.
    pub caller: Caller,
}

impl Desk<'_> {
    /// POST of one resource.
    pub(super) fn create(&mut self, kind: &str, body: &[u8], if_none_exist: Option<&str>) -> Reply {
        let resource = match parse(kind, body) {
            Ok(resource) => resource,
            Err(reply) => return reply,
        };
        self.learn(&resource);
        if kind == "Patient" {
            return self.register(&resource);
        }
        if let Some(reply) = if_none_exist.and_then(|query| self.already_there(kind, query)) {
            return reply;
        }
        let mut complaints = self.judge(kind, &resource, &[]);
        if complaints.is_empty() {
            complaints = self.taken(kind, &resource, "").into_iter().collect();
        }
        if !complaints.is_empty() {
            return Reply::refused(400, &complaints);
        }
        let id = self.state.generator.uuid().to_string();
        self.commit(kind, &id, resource);
        self.state.stats.creates += 1;
        self.stored(201, kind, &id)
    }

    /// PUT of one resource.
    pub(super) fn update(&mut self, kind: &str, id: &str, body: &[u8]) -> Reply {
        let resource = match parse(kind, body) {
            Ok(resource) => resource,
            Err(reply) => return reply,
        };
        self.learn(&resource);
        if resource.get("id").and_then(Value::as_str) != Some(id) {
            let complaint = Complaint {
                code: "structure",
                text: Some("resource_mismatch".to_owned()),
                diagnostics: Some("id in the path and in the resource differ".to_owned()),
                path: None,
                store: true,
            };
            return Reply::refused(400, &[complaint]);
        }
        if self.state.store.get(kind, id).is_none() {
            return Reply::not_found(kind, id);
        }
        let mut complaints = self.judge(kind, &resource, &[]);
        complaints.extend(self.taken(kind, &resource, id));
        if !complaints.is_empty() {
            return Reply::refused(400, &complaints);
        }
        self.commit(kind, id, resource);
        self.state.stats.updates += 1;
        self.stored(200, kind, id)
    }

    /// What is wrong with a resource; `planned` are `Type/id` of the same Bundle.
    pub(super) fn judge(&self, kind: &str, resource: &Map<String, Value>, planned: &[String]) -> Vec<Complaint> {
        let exists = |kind: &str, id: &str| {
            self.state.exists(kind, id) || planned.iter().any(|known| known.split_once('/') == Some((kind, id)))
        };
        let setting = Setting {
            organization: &self.caller.organization,
            now: self.now,
            floor: self.options.date_floor,
            other_offsets: self.options.accept_other_offsets,
            exists: &exists,
        };
        check::resource(kind, resource, &setting)
    }

    /// The duplicate rule: a business identifier that a live resource other than `own_id` holds.
    pub(super) fn taken(&self, kind: &str, resource: &Map<String, Value>, own_id: &str) -> Option<Complaint> {
        if !self.options.duplicate_check {
            return None;
        }
        if let Some(complaint) = self.open_episode(kind, resource, own_id) {
            return Some(complaint);
        }
        let mut keys = identifier::business_keys(kind, resource).into_iter();
        let held = keys.any(|key| self.state.store.with_key(&key).iter().any(|record| record.id != own_id));
        held.then(|| duplicate(kind))
    }

    /// The rule of the one open episode: a second active one of a type is refused, whoever opened the first.
    fn open_episode(&self, kind: &str, resource: &Map<String, Value>, own_id: &str) -> Option<Complaint> {
        let is_active = |one: &Map<String, Value>| one.get("status").and_then(Value::as_str) == Some("active");
        let code = |one: &Map<String, Value>| one.get("type")?.pointer("/0/coding/0/code")?.as_str().map(str::to_owned);
        if kind != "EpisodeOfCare" || !is_active(resource) {
            return None;
        }
        let patient = resource.get("patient")?.get("reference")?.as_str()?;
        let others = self.state.store.referring(kind, patient).into_iter().filter(|one| one.id != own_id);
        let text = "found duplicated EpisodeOfCare Type with status active. (Rule Number: 10110)";
        let mut same = others.filter(|one| is_active(&one.resource) && code(&one.resource) == code(resource));
        same.next().map(|_| Complaint::processor("duplicate", text, 0))
    }

    /// An open simulator learns whose client this is from the first identifier the client writes.
    pub(super) fn learn(&mut self, resource: &Map<String, Value>) {
        if !self.caller.organization.is_empty() {
            return;
        }
        if let Some(organization) = identifier::organization_named(resource) {
            self.state.tokens.learn(&self.caller.client_id, &organization);
            if self.state.store.get("Organization", &organization).is_none() {
                let seed = json!({"resourceType": "Organization", "active": true, "name": organization});
                self.state.store.seed("Organization", &organization, seed, self.now);
            }
            self.caller.organization = organization;
        }
    }

    /// Keeps a resource that passed, the way the platform keeps it.
    pub(super) fn commit(&mut self, kind: &str, id: &str, mut resource: Map<String, Value>) {
        if self.options.accept_other_offsets {
            for value in resource.values_mut() {
                normalise_offsets(value);
            }
        }
        if let Some(Value::Object(subject)) = resource.get_mut("subject") {
            let ihs = subject.get("reference").and_then(Value::as_str).and_then(|text| text.strip_prefix("Patient/"));
            if let Some(person) = ihs.and_then(|ihs| self.state.patients.with_ihs(ihs)) {
                subject.insert("display".to_owned(), json!(person.name));
            }
        }
        self.state.store.put(kind, id, resource, self.now);
    }

    fn stored(&self, status: u16, kind: &str, id: &str) -> Reply {
        let Some(record) = self.state.store.get(kind, id) else { return Reply::not_found(kind, id) };
        let location = format!("{STORE_BASE}/{kind}/{id}/_history/{}", record.version);
        let mut headers = vec![("etag", record.etag()), ("last-modified", record.last_modified())];
        headers.push(("via", "1.1 google".to_owned()));
        if status == 201 {
            headers.push(("location", location));
        }
        Reply { status, content_type: JSON, headers, body: record.read_back().to_string().into_bytes() }
    }

    /// If-None-Exist, as tried on staging: one match is a duplicate error, several are 412.
    fn already_there(&self, kind: &str, query: &str) -> Option<Reply> {
        let query =
            query.strip_prefix('?').unwrap_or(query).replace("%7C", "|").replace("%3A", ":").replace("%2F", "/");
        let key = query.strip_prefix("identifier=").map(|identifier| format!("{kind}|{identifier}"))?;
        match self.state.store.with_key(&key).len() {
            0 => None,
            1 => Some(Reply::refused(400, &[duplicate(kind)])),
            _ => Some(Reply::empty(412)),
        }
    }
}

/// The complaint of rule 20002, which gives no id.
pub(super) fn duplicate(kind: &str) -> Complaint {
    let text = if kind == "Encounter" {
        format!("Found duplicate resource: {kind}")
    } else {
        format!("Found duplicate: {kind}")
    };
    Complaint::processor("duplicate", &text, 20002)
}

/// Reads a body as a resource of type `kind`.
fn parse(kind: &str, body: &[u8]) -> Result<Map<String, Value>, Reply> {
    let resource = object(body)?;
    if resource.get("resourceType").and_then(Value::as_str) != Some(kind) {
        return Err(Reply::refused(400, &[Complaint::unparseable(kind, "resourceType does not fit the address")]));
    }
    Ok(resource)
}

/// Reads a body as a JSON object.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, Reply> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Reply::refused(400, &[Complaint::processor("structure", "Payload is not an object", 20008)])),
        Err(_) => Err(Reply::refused(400, &[Complaint::processor("structure", "Payload is not JSON", 20006)])),
    }
}

fn normalise_offsets(value: &mut Value) {
    match value {
        Value::String(text) if text.len() >= 20 && text.as_bytes().get(10) == Some(&b'T') => {
            if let Ok(moment) = text.parse::<Timestamp>() {
                *text = value::written(moment);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(normalise_offsets),
        Value::Object(members) => members.values_mut().for_each(normalise_offsets),
        _ => {}
    }
}
