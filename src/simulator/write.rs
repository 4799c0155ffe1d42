//! Creating and updating single resources.
//!
//! It must not know HTTP beyond the answer it shapes; Bundles and newborns have their own files.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::State;
use super::check::{self, Setting, identifier, value};
use super::options::Options;
use super::outcome::{Complaint, JSON, Reply};
use super::people::masked_name;
use super::store::about;
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
    /// Of a Bundle only the first entries are written: so many, or half of them.
    pub entries: Option<Option<usize>>,
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
            let text = "id in the path and in the resource differ";
            return Reply::refused(400, &[Complaint::stored("resource_mismatch", text)]);
        }
        if self.state.store.get(kind, id).is_none() {
            return Reply::not_found(kind, id);
        }
        self.replace(kind, id, resource)
    }

    /// The next version of a resource that is there.
    pub(super) fn replace(&mut self, kind: &str, id: &str, mut resource: Map<String, Value>) -> Reply {
        // The server's own stamps come back with what was read; they are no claim of the client.
        if let Some(Value::Object(meta)) = resource.get_mut("meta") {
            meta.retain(|name, _| name != "lastUpdated" && name != "versionId");
        }
        resource.retain(|name, value| name != "meta" || value.as_object().is_none_or(|meta| !meta.is_empty()));
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
        if about(resource, &self.options.refused_patients) {
            let text = "Operation cannot be performed due to business rules, consent or privacy rules, or access \
                        permission constraints";
            return vec![Complaint::processor("forbidden", text, 0)];
        }
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
        if !self.refuses_duplicates(kind) {
            return None;
        }
        let mut keys = identifier::business_keys(kind, resource).into_iter();
        let held = keys.any(|key| self.state.store.with_key(&key).iter().any(|record| record.id != own_id));
        held.then(|| duplicate(kind))
    }

    /// Whether a business identifier may be used only once for this type.
    pub(super) fn refuses_duplicates(&self, kind: &str) -> bool {
        self.options.duplicate_check && !self.options.duplicates_allowed.contains(kind)
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
                let masked = self.options.masked_names;
                let name = if masked { masked_name(&person.name) } else { person.name.clone() };
                subject.insert("display".to_owned(), json!(name));
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
        let reply = Reply { headers, ..Reply::of(status, JSON, record.read_back().to_string()) };
        if record.is_about(&self.options.hidden_patients) { reply.suppressed() } else { reply }
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
        Err(_) if std::str::from_utf8(body).is_err() => {
            Err(Reply::refused(400, &[Complaint::processor("structure", "Payload cannot be read", 20005)]))
        }
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
