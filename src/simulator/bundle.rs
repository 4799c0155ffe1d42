//! Transaction Bundles: all or nothing (satusehat-api.md, section 4).
//!
//! It must not validate a single resource; that is the validator's part.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::check::identifier::business_keys;
use super::check::rules::RESOURCE_TYPES;
use super::outcome::{Complaint, Reply};
use super::write::{Desk, duplicate, object};

/// Beginning of the addresses in a Bundle's answer.
const PUBLIC_BASE: &str = "https://api-satusehat-stg.dto.kemkes.go.id/fhir-r4/v1";
/// Beginning of every fullUrl.
const URN: &str = "urn:uuid:";

/// One entry that can be carried out.
struct Step {
    kind: String,
    id: String,
    update: bool,
    full_url: String,
    resource: Map<String, Value>,
}

impl Desk<'_> {
    /// POST of a transaction Bundle.
    pub(super) fn transact(&mut self, body: &[u8]) -> Reply {
        let mut bundle = match object(body) {
            Ok(bundle) => bundle,
            Err(reply) => return reply,
        };
        let is = |name: &str, value: &str| bundle.get(name).and_then(Value::as_str) == Some(value);
        if !is("resourceType", "Bundle") || !is("type", "transaction") {
            let complaint = Complaint::processor("structure", "Payload is not a transaction Bundle", 20008);
            return Reply::refused(400, &[complaint]);
        }
        let Some(Value::Array(entries)) =
            bundle.remove("entry").filter(|list| list.as_array().is_some_and(|l| !l.is_empty()))
        else {
            return Reply::refused(400, &[Complaint::unparseable("Bundle.entry", "missing required field")]);
        };
        if self.options.bundle_entries_max.is_some_and(|most| entries.len() > most) {
            return Reply::text(413, "Request Entity Too Large");
        }
        let complaints = envelope(&entries);
        if !complaints.is_empty() {
            return Reply::refused(400, &complaints);
        }
        let mut steps = match self.steps(entries) {
            Ok(steps) => steps,
            Err(complaint) => return Reply::refused(400, &[complaint]),
        };
        link(&mut steps);
        for step in &steps {
            self.learn(&step.resource);
        }
        let complaints = self.judge_all(&steps);
        if !complaints.is_empty() {
            return Reply::refused(400, &complaints);
        }
        self.carry_out(steps)
    }

    fn steps(&mut self, entries: Vec<Value>) -> Result<Vec<Step>, Complaint> {
        let mut steps = Vec::with_capacity(entries.len());
        for (position, mut entry) in entries.into_iter().enumerate() {
            let text = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            let (method, url, full_url) = (text("/request/method"), text("/request/url"), text("/fullUrl"));
            let kind = text("/resource/resourceType");
            let broken = |text: &str| Complaint::unparseable(&format!("Bundle.entry[{position}]"), text);
            let Some(Value::Object(resource)) = entry.get_mut("resource").map(Value::take) else {
                return Err(broken("missing required field resource"));
            };
            if !RESOURCE_TYPES.contains(&kind.as_str()) || kind == "Patient" {
                let text = format!("Resource {kind} not allowed for current access class");
                return Err(Complaint::processor("forbidden", &text, 20004));
            }
            let id = match (method.as_str(), url.split_once('/')) {
                ("POST", None) if url == kind => self.state.generator.uuid().to_string(),
                ("PUT", Some((named, id))) if named == kind && !id.is_empty() => id.to_owned(),
                _ => return Err(broken("request does not fit the resource")),
            };
            let update = method == "PUT";
            if update && self.state.store.get(&kind, &id).is_none() {
                return Err(Complaint::dangling(&format!("Bundle.entry[{position}].request.url"), &url));
            }
            if update && resource.get("id").and_then(Value::as_str) != Some(id.as_str()) {
                let complaint = broken("id in the address and in the resource differ");
                return Err(Complaint { text: Some("resource_mismatch".to_owned()), ..complaint });
            }
            steps.push(Step { kind, id, update, full_url, resource });
        }
        Ok(steps)
    }

    fn judge_all(&self, steps: &[Step]) -> Vec<Complaint> {
        let planned: Vec<String> = steps.iter().map(|step| format!("{}/{}", step.kind, step.id)).collect();
        let mut complaints = Vec::new();
        let mut refused = Vec::new();
        for (position, (step, name)) in steps.iter().zip(&planned).enumerate() {
            let found = self.judge(&step.kind, &step.resource, &planned);
            if !found.is_empty() {
                refused.push(name.as_str());
            }
            complaints.extend(found.into_iter().map(|complaint| complaint.in_entry(position)));
        }
        if complaints.iter().any(|complaint| !complaint.store) {
            complaints.retain(|complaint| !complaint.store);
            // Entries that lean on a refused one get a complaint of their own, to be read as a consequence only.
            let follows = |step: &Step| refused.iter().any(|name| mentions(&step.resource, name));
            if let Some(step) =
                steps.iter().zip(&planned).find(|(step, name)| !refused.contains(&name.as_str()) && follows(step))
            {
                let text = format!("{} refused because of an earlier error", step.0.kind);
                complaints.push(Complaint::processor("processing", &text, 20012));
            }
        }
        if complaints.is_empty() {
            complaints.extend(self.duplicates(steps));
        }
        complaints
    }

    fn duplicates(&self, steps: &[Step]) -> Vec<Complaint> {
        let mut seen = HashSet::new();
        let mut complaints = Vec::new();
        for step in steps {
            let own_id = if step.update { step.id.as_str() } else { "" };
            let repeated = business_keys(&step.kind, &step.resource).into_iter().any(|key| !seen.insert(key));
            if let Some(complaint) = self.taken(&step.kind, &step.resource, own_id) {
                complaints.push(complaint);
            } else if repeated && self.refuses_duplicates(&step.kind) {
                complaints.push(duplicate(&step.kind));
            }
        }
        complaints
    }

    fn carry_out(&mut self, mut steps: Vec<Step>) -> Reply {
        if let Some(entries) = self.entries {
            steps.truncate(entries.unwrap_or(steps.len() / 2));
        }
        let mut entries = Vec::with_capacity(steps.len());
        for step in steps {
            self.commit(&step.kind, &step.id, step.resource);
            if step.update {
                self.state.stats.updates += 1;
            } else {
                self.state.stats.creates += 1;
            }
            let Some(record) = self.state.store.get(&step.kind, &step.id) else { continue };
            let location = format!("{PUBLIC_BASE}/{}/{}/_history/{}", step.kind, step.id, record.version);
            entries.push(json!({"response": {
                "etag": record.etag(),
                "lastModified": record.last_modified(),
                "location": location,
                "resourceID": step.id,
                "resourceType": step.kind,
                "status": if step.update { "200 OK" } else { "201 Created" },
            }}));
        }
        let total = entries.len();
        let body = json!({"entry": entries, "resourceType": "Bundle", "total": total, "type": "transaction-response"});
        Reply::json(200, &body)
    }
}

/// The rules about the envelope: fullUrl and nesting (20011, 20017 to 20021).
fn envelope(entries: &[Value]) -> Vec<Complaint> {
    let mut seen = HashSet::new();
    let mut complaints = Vec::new();
    for entry in entries {
        let full_url = entry.get("fullUrl").and_then(Value::as_str).unwrap_or_default();
        let problem = match full_url.strip_prefix(URN) {
            _ if full_url.is_empty() => Some(("Bundle entry without fullUrl", 20021)),
            None if full_url.starts_with("urn:") => Some(("fullUrl must have the form urn:uuid:{uuid}", 20017)),
            None => Some(("fullUrl must begin with urn:uuid", 20018)),
            Some(id) if id.len() != 36 || uuid::Uuid::try_parse(id).is_err() => {
                Some(("fullUrl holds an invalid UUID", 20019))
            }
            Some(_) if !seen.insert(full_url.to_ascii_lowercase()) => Some(("fullUrl is repeated", 20020)),
            Some(_) => None,
        };
        if let Some((text, rule)) = problem {
            complaints.push(Complaint::processor("value", text, rule));
        }
        if entry.pointer("/resource/resourceType").and_then(Value::as_str) == Some("Bundle") {
            complaints.push(Complaint::processor("structure", "Bundle inside a Bundle is forbidden", 20011));
        }
    }
    complaints
}

/// Turns references between entries into `Type/id`; what is left dangling is found by the validator.
fn link(steps: &mut [Step]) {
    let names: HashMap<String, String> =
        steps.iter().map(|step| (step.full_url.clone(), format!("{}/{}", step.kind, step.id))).collect();
    for step in steps {
        step.resource.values_mut().for_each(|value| rewrite(value, &names));
    }
}

fn rewrite(value: &mut Value, names: &HashMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| rewrite(item, names)),
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "reference" => {
                        if let Some(target) = names.get(text.as_str()) {
                            text.clone_from(target);
                        }
                    }
                    other => rewrite(other, names),
                }
            }
        }
        _ => {}
    }
}

fn mentions(resource: &Map<String, Value>, target: &str) -> bool {
    fn within(value: &Value, target: &str) -> bool {
        match value {
            Value::String(text) => text == target,
            Value::Array(items) => items.iter().any(|item| within(item, target)),
            Value::Object(members) => members.values().any(|member| within(member, target)),
            _ => false,
        }
    }
    resource.values().any(|value| within(value, target))
}
