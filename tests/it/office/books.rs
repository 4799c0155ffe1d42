//! What the ledger says and what the server holds, each counted from its own side and compared.

use std::collections::BTreeMap;

use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::entry::{EntryLine, OpenEntry};
use posyandu_gateway::ledger::reading::{Counts, Filter};
use posyandu_gateway::ledger::state::State;
use serde_json::{Value, json};

use super::{ENTRIES_MAX, Office};

/// Where every visit and every row stands, read from the ledger.
pub struct Books {
    pub lines: Vec<EntryLine>,
    pub delivered: Vec<OpenEntry>,
    pub counts: Counts,
}

impl Books {
    pub async fn read(ledger: &Ledger) -> Self {
        let lines = ledger.entries(&Filter::default(), &[], ENTRIES_MAX).await.unwrap();
        let ids: Vec<_> =
            lines.iter().filter(|line| line.state == State::Delivered).map(|line| line.entry_id).collect();
        let delivered = ledger.load(&ids).await.unwrap();
        Self { lines, delivered, counts: ledger.counts(&Filter::default()).await.unwrap() }
    }

    pub fn in_state(&self, state: State) -> usize {
        self.lines.iter().filter(|line| line.state == state).count()
    }

    /// Whether something waits for nothing but time.
    pub fn waits(&self) -> usize {
        [State::Pending, State::InFlight, State::Unknown].map(|state| self.in_state(state)).iter().sum()
    }

    /// Type, identifier and server id of what the ledger calls delivered.
    fn resources(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for resource in self.delivered.iter().flat_map(|entry| &entry.resources) {
            let (kind, system, value) =
                (&resource.resource_type, &resource.identifier_system, &resource.identifier_value);
            let id = resource.server_id.clone().expect("delivered without a server id");
            assert!(all.insert(format!("{kind}|{system}|{value}"), id).is_none(), "{kind} delivered twice");
        }
        all
    }
}

/// The server's resources by type and identifier: the id of each, and its content with references made comparable.
pub fn by_identifier(held: &[Value]) -> BTreeMap<String, (String, String)> {
    let key = |resource: &Value| {
        let own = match &resource["identifier"] {
            Value::Array(list) => list.first().cloned().unwrap_or_default(),
            one => one.clone(),
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        format!("{}|{}|{}", text(&resource["resourceType"]), text(&own["system"]), text(&own["value"]))
    };
    let name = |resource: &Value| {
        let (kind, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        format!("{kind}/{id}")
    };
    let names: BTreeMap<String, String> = held.iter().map(|resource| (name(resource), key(resource))).collect();
    let mut all = BTreeMap::new();
    for resource in held {
        let mut content = resource.clone();
        for member in ["id", "meta"] {
            content.as_object_mut().unwrap().remove(member);
        }
        comparable(&mut content, &names);
        let id = resource["id"].as_str().unwrap().to_owned();
        let before = all.insert(key(resource), (id, content.to_string()));
        assert!(before.is_none(), "two live resources under one identifier: {}", key(resource));
    }
    all
}

fn comparable(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| comparable(item, names)),
        Value::Object(members) => {
            for (name, member) in members {
                match member.as_str().and_then(|text| names.get(text)) {
                    Some(known) if name == "reference" => *member = json!(known),
                    _ => comparable(member, names),
                }
            }
        }
        _ => {}
    }
}

/// What must hold at any moment, also right after a kill: rows are conserved, nothing stands twice at the server, and
/// whatever the ledger calls delivered is there.
#[track_caller]
pub fn sound(office: &Office, books: &Books) {
    let held = office.held();
    in_order(&held);
    let held = by_identifier(&held);
    assert_eq!(office.simulator.stats().duplicates_live, 0, "duplicates at the server");
    assert_eq!(books.counts.read, books.counts.sum(), "rows are not conserved: {:?}", books.counts);
    for (key, id) in books.resources() {
        assert_eq!(held.get(&key).map(|(id, _)| id), Some(&id), "called delivered, but not at the server: {key}");
    }
}

/// No child stands before its parent: what a resource refers to was created before it, or with it in one Bundle. `held`
/// is in the order of creation; of what was changed since the moment of creation is not known.
#[track_caller]
fn in_order(held: &[Value]) {
    let name = |one: &Value| format!("{}/{}", one["resourceType"].as_str().unwrap(), one["id"].as_str().unwrap());
    let places: BTreeMap<String, usize> = held.iter().map(&name).zip(0..).collect();
    let own: std::collections::BTreeSet<&str> = held.iter().map(|one| one["resourceType"].as_str().unwrap()).collect();
    for (at, child) in held.iter().enumerate() {
        let mut references = Vec::new();
        referred(child, &mut references);
        // Persons and places are the server's own; of the rest it holds nothing that the gateway has not sent.
        for parent in references.iter().filter(|one| one.split('/').next().is_some_and(|kind| own.contains(kind))) {
            let place = places.get(parent.as_str()).unwrap_or_else(|| panic!("{} refers to nothing", name(child)));
            let parent = &held[*place];
            let together = parent["meta"]["lastUpdated"] == child["meta"]["lastUpdated"];
            let changed = [parent, child].iter().any(|one| one["meta"]["versionId"] != "1");
            assert!(*place < at || together || changed, "{} came before {}", name(child), name(parent));
        }
    }
}

/// All references in a resource.
fn referred(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| referred(item, into)),
        Value::Object(members) => {
            into.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| referred(member, into));
        }
        _ => {}
    }
}

/// Nothing lost, nothing twice: the ledger's delivered resources are the server's, one for one.
#[track_caller]
pub fn agree(office: &Office, books: &Books) {
    let held = office.held();
    in_order(&held);
    let held = by_identifier(&held);
    assert_eq!(office.simulator.stats().duplicates_live, 0, "duplicates at the server");
    assert_eq!(books.counts.read, books.counts.sum(), "rows are not conserved: {:?}", books.counts);
    let told = books.resources();
    let at_server: BTreeMap<String, String> = held.into_iter().map(|(key, (id, _))| (key, id)).collect();
    let lost: Vec<&String> = told.keys().filter(|key| !at_server.contains_key(*key)).collect();
    let untold: Vec<&String> = at_server.keys().filter(|key| !told.contains_key(*key)).collect();
    assert!(lost.is_empty(), "called delivered, but not at the server: {lost:?}");
    assert!(untold.is_empty(), "at the server, but not called delivered: {untold:?}");
    assert_eq!(told, at_server, "the ledger holds other server ids");
    let visits = at_server.keys().filter(|key| key.starts_with("Encounter|")).count();
    assert_eq!(visits, books.delivered.len(), "visits delivered and Encounters differ in number");
}
