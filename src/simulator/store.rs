//! What was written, with the look-ups that searches and the duplicate check need.
//!
//! It must not validate; whatever reaches it is kept.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::check::identifier::business_keys;

/// Members whose reference a search can ask for.
pub(super) const SEARCHED: [&str; 4] = ["subject", "patient", "encounter", "context"];

/// One resource and its history in short.
pub(super) struct Record {
    /// Resource type.
    pub kind: String,
    /// Server id.
    pub id: String,
    /// The resource, with id and meta.
    pub resource: Map<String, Value>,
    /// Version, from 1.
    pub version: u32,
    /// When it was created.
    pub created: Timestamp,
    /// When it was changed last.
    pub updated: Timestamp,
    /// Number of the call that changed it last.
    pub call: u64,
    /// True for what was there from the start.
    pub seeded: bool,
    /// True for what was taken away; its place stays.
    pub removed: bool,
}

impl Record {
    /// The version as an entity tag.
    pub(super) fn etag(&self) -> String {
        format!("W/\"{}\"", self.version)
    }

    /// The change time as the platform writes it.
    pub(super) fn last_modified(&self) -> String {
        moment(self.updated)
    }

    /// Whether it is about one of these patients.
    pub(super) fn is_about(&self, patients: &BTreeSet<String>) -> bool {
        about(&self.resource, patients)
    }

    /// The resource as it is read back: keys in another order, an empty list where no identifier was sent.
    pub(super) fn read_back(&self) -> Value {
        let mut resource = self.resource.clone();
        if !resource.contains_key("identifier") && self.kind != "QuestionnaireResponse" {
            resource.insert("identifier".to_owned(), json!([]));
        }
        sorted(&Value::Object(resource))
    }
}

/// All resources.
#[derive(Default)]
pub(super) struct Store {
    records: Vec<Record>,
    by_id: HashMap<String, usize>,
    by_key: HashMap<String, Vec<usize>>,
    by_reference: HashMap<String, Vec<usize>>,
    by_kind: HashMap<String, Vec<usize>>,
    /// Calls that reached the store so far.
    pub calls: u64,
}

impl Store {
    /// Keeps a new resource, or the next version of a known one, and returns it.
    pub(super) fn put(
        &mut self,
        kind: &str,
        id: &str,
        resource: Map<String, Value>,
        now: Timestamp,
    ) -> Option<&Record> {
        let place = self.by_id.get(&format!("{kind}/{id}")).copied();
        let place = place.unwrap_or(self.records.len());
        if place < self.records.len() {
            self.forget_keys(place);
        } else {
            self.by_id.insert(format!("{kind}/{id}"), place);
            self.by_kind.entry(kind.to_owned()).or_default().push(place);
        }
        for key in business_keys(kind, &resource) {
            self.by_key.entry(key).or_default().push(place);
        }
        for key in reference_keys(kind, &resource) {
            self.by_reference.entry(key).or_default().push(place);
        }
        let (version, created) = self.records.get(place).map_or((1, now), |old| (old.version + 1, old.created));
        let record = Record {
            kind: kind.to_owned(),
            id: id.to_owned(),
            resource: stamped(id, version, now, resource),
            version,
            created,
            updated: now,
            call: self.calls,
            seeded: false,
            removed: false,
        };
        match self.records.get_mut(place) {
            Some(old) => *old = record,
            None => self.records.push(record),
        }
        self.records.get(place)
    }

    fn forget_keys(&mut self, place: usize) {
        let Some(old) = self.records.get(place) else { return };
        let keys = [business_keys(&old.kind, &old.resource), reference_keys(&old.kind, &old.resource)];
        for key in keys.into_iter().flatten() {
            for index in [&mut self.by_key, &mut self.by_reference] {
                if let Some(places) = index.get_mut(&key) {
                    places.retain(|other| *other != place);
                }
            }
        }
    }

    /// Takes a resource away.
    pub(super) fn remove(&mut self, kind: &str, id: &str) {
        let Some(place) = self.by_id.remove(&format!("{kind}/{id}")) else { return };
        self.forget_keys(place);
        if let Some(places) = self.by_kind.get_mut(kind) {
            places.retain(|other| *other != place);
        }
        if let Some(record) = self.records.get_mut(place) {
            record.removed = true;
        }
    }

    /// Keeps something that is there from the start and is not counted as written.
    pub(super) fn seed(&mut self, kind: &str, id: &str, resource: Value, now: Timestamp) {
        let Value::Object(resource) = resource else { return };
        self.put(kind, id, resource, now);
        if let Some(record) = self.by_id.get(&format!("{kind}/{id}")).and_then(|place| self.records.get_mut(*place)) {
            record.seeded = true;
        }
    }

    /// The resource with this type and id.
    pub(super) fn get(&self, kind: &str, id: &str) -> Option<&Record> {
        self.by_id.get(&format!("{kind}/{id}")).and_then(|place| self.records.get(*place))
    }

    /// Those that carry a business key (`Type|system|value`).
    pub(super) fn with_key(&self, key: &str) -> Vec<&Record> {
        self.at(self.by_key.get(key))
    }

    /// Those of a type that refer to `target` (`Type/id`) by a member that can be searched.
    pub(super) fn referring(&self, kind: &str, target: &str) -> Vec<&Record> {
        self.at(self.by_reference.get(&format!("{kind}|{target}")))
    }

    /// All of a type, in the order they were created.
    pub(super) fn of_kind(&self, kind: &str) -> Vec<&Record> {
        self.at(self.by_kind.get(kind))
    }

    /// Everything written by clients, in the order it was created.
    pub(super) fn written(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| !record.seeded && !record.removed)
    }

    /// Business keys held by more than one resource.
    pub(super) fn duplicates(&self) -> usize {
        self.by_key.values().filter(|places| places.len() > 1).count()
    }

    fn at(&self, places: Option<&Vec<usize>>) -> Vec<&Record> {
        places.into_iter().flatten().filter_map(|place| self.records.get(*place)).collect()
    }
}

/// Whether a resource is about one of these patients.
pub(super) fn about(resource: &Map<String, Value>, patients: &BTreeSet<String>) -> bool {
    let targets = ["subject", "patient"].iter().filter_map(|name| resource.get(*name)?.get("reference")?.as_str());
    !patients.is_empty() && targets.filter_map(|target| target.strip_prefix("Patient/")).any(|id| patients.contains(id))
}

fn reference_keys(kind: &str, resource: &Map<String, Value>) -> Vec<String> {
    let targets = SEARCHED.iter().filter_map(|name| resource.get(*name)?.get("reference")?.as_str());
    targets.map(|target| format!("{kind}|{target}")).collect()
}

fn stamped(id: &str, version: u32, now: Timestamp, mut resource: Map<String, Value>) -> Map<String, Value> {
    let mut meta = match resource.remove("meta") {
        Some(Value::Object(meta)) => meta,
        _ => Map::new(),
    };
    meta.insert("versionId".to_owned(), json!(version.to_string()));
    meta.insert("lastUpdated".to_owned(), json!(moment(now)));
    resource.insert("id".to_owned(), json!(id));
    resource.insert("meta".to_owned(), Value::Object(meta));
    resource
}

fn moment(moment: Timestamp) -> String {
    format!("{}+00:00", moment.strftime("%Y-%m-%dT%H:%M:%S%.6f"))
}

/// The same JSON with the keys of each object in alphabetical order.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort();
            let ordered = names.into_iter().filter_map(|name| Some((name.clone(), sorted(members.get(name)?))));
            Value::Object(ordered.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}
