//! Searches over stored resources, page by page.
//!
//! It must not complain about parameters it does not know: the platform ignores them, and so callers must check
//! what they get.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::State;
use super::options::Options;
use super::outcome::{Complaint, Reply};
use super::patient;
use super::store::Record;

/// Parameters of a search.
#[derive(Clone, Default)]
pub(super) struct Query {
    /// Names and values, decoded, in the order given.
    pub parameters: Vec<(String, String)>,
    /// Host the caller used, for the link to the next page.
    pub host: String,
}

impl Query {
    /// The first value of a parameter; empty counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// GET on a type.
pub(super) fn search(state: &State, options: &Options, kind: &str, query: &Query, now: Timestamp) -> Reply {
    let window = Window::of(query, options);
    let (total, found) = match kind {
        "Patient" => window.cut(patient::search(&state.patients, query)),
        "Practitioner" => window.cut(patient::search_workers(&state.practitioners, query)),
        "MedicationDispense" if query.get("context").is_some() && query.get("subject").is_none() => {
            return Reply::refused(400, &[Complaint::processor("value", "Missing query parameters: subject", 0)]);
        }
        _ => {
            let (total, records) = window.cut(stored(state, options, kind, query, now));
            (total, records.into_iter().map(Record::read_back).collect())
        }
    };
    Reply::json(200, &page(total, found, window, kind, query))
}

/// The part of a result that one page shows.
#[derive(Clone, Copy)]
struct Window {
    start: usize,
    size: usize,
}

impl Window {
    fn of(query: &Query, options: &Options) -> Self {
        let size = query.get("_count").and_then(|count| count.parse().ok()).unwrap_or(options.page_size).max(1);
        let start = query.get("_page_token").and_then(|token| usize::from_str_radix(token, 16).ok()).unwrap_or(0);
        Self { start, size }
    }

    /// How many there are in all, and those on the page.
    fn cut<T>(self, all: Vec<T>) -> (usize, Vec<T>) {
        (all.len(), all.into_iter().skip(self.start).take(self.size).collect())
    }
}

fn stored<'a>(state: &'a State, options: &Options, kind: &str, query: &Query, now: Timestamp) -> Vec<&'a Record> {
    let references: Vec<String> = referred(kind, query);
    let records: Vec<&Record> = if let Some(identifier) = query.get("identifier") {
        state.store.with_key(&format!("{kind}|{identifier}"))
    } else if let Some(first) = references.first() {
        state.store.referring(kind, first)
    } else {
        state.store.of_kind(kind)
    };
    let lag = Duration::from_secs(options.index_lag_seconds);
    let indexed = |record: &Record| record.seeded || record.updated.saturating_add(lag).is_ok_and(|from| from <= now);
    let fits = |record: &Record| {
        references.iter().all(|target| refers(record, target))
            && vaccine_fits(record, query)
            && episode_fits(record, query)
            && place_fits(record, query)
    };
    records.into_iter().filter(|record| indexed(record) && fits(record)).collect()
}

/// `Type/id` that the results have to refer to. Which parameter a type knows: satusehat-api.md, section 3.2.
fn referred(kind: &str, query: &Query) -> Vec<String> {
    let known: &[(&str, &str)] = match kind {
        "Encounter" => &[("subject", "Patient")],
        "Condition" | "Observation" | "Procedure" => &[("subject", "Patient"), ("encounter", "Encounter")],
        "Immunization" | "EpisodeOfCare" => &[("patient", "Patient")],
        "MedicationRequest" | "QuestionnaireResponse" => &[("subject", "Patient"), ("encounter", "Encounter")],
        "MedicationDispense" | "MedicationStatement" => &[("subject", "Patient"), ("context", "Encounter")],
        _ => &[],
    };
    let given = known.iter().filter_map(|(name, target)| Some((query.get(name)?, *target)));
    given
        .map(|(value, target)| if value.contains('/') { value.to_owned() } else { format!("{target}/{value}") })
        .collect()
}

fn refers(record: &Record, target: &str) -> bool {
    let members = ["subject", "patient", "encounter", "context"].iter().filter_map(|name| record.resource.get(*name));
    members.filter_map(|member| member.get("reference")?.as_str()).any(|reference| reference == target)
}

fn vaccine_fits(record: &Record, query: &Query) -> bool {
    let Some(wanted) = query.get("vaccineCode").filter(|_| record.kind == "Immunization") else { return true };
    let (system, code) = wanted.split_once('|').map_or(("", wanted), |(system, code)| (system, code));
    let codings =
        record.resource.get("vaccineCode").and_then(|concept| concept.get("coding")).and_then(Value::as_array);
    codings.into_iter().flatten().any(|coding| {
        let text = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
        text("code") == code && (system.is_empty() || text("system") == system)
    })
}

/// Episodes are asked for by type, status and who manages them.
fn episode_fits(record: &Record, query: &Query) -> bool {
    if record.kind != "EpisodeOfCare" {
        return true;
    }
    let text = |path: &str| Value::Object(record.resource.clone()).pointer(path)?.as_str().map(str::to_owned);
    let type_fits = query.get("type").is_none_or(|wanted| {
        let code = wanted.rsplit('|').next().unwrap_or(wanted);
        text("/type/0/coding/0/code").as_deref() == Some(code)
    });
    let status_fits = query.get("status").is_none_or(|wanted| text("/status").as_deref() == Some(wanted));
    let manager =
        query.get("organization").map(|id| format!("Organization/{}", id.trim_start_matches("Organization/")));
    type_fits && status_fits && manager.is_none_or(|wanted| text("/managingOrganization/reference") == Some(wanted))
}

/// Organizations and Locations are asked for by name and by what stands above them.
fn place_fits(record: &Record, query: &Query) -> bool {
    let (parameter, member) = match record.kind.as_str() {
        "Organization" => ("partof", "partOf"),
        "Location" => ("organization", "managingOrganization"),
        _ => return true,
    };
    let name = record.resource.get("name").and_then(Value::as_str).unwrap_or_default();
    let named = query.get("name").is_none_or(|wanted| name.to_lowercase().starts_with(&wanted.to_lowercase()));
    let above = record.resource.get(member).and_then(|member| member.get("reference")?.as_str());
    let wanted = query.get(parameter).map(|id| format!("Organization/{}", id.trim_start_matches("Organization/")));
    named && wanted.is_none_or(|wanted| above == Some(wanted.as_str()))
}

fn page(total: usize, found: Vec<Value>, window: Window, kind: &str, query: &Query) -> Value {
    let base = format!("http://{}/fhir-r4/v1/{kind}", query.host);
    let entries: Vec<Value> = found
        .into_iter()
        .map(|resource| {
            let full_url = format!("{base}/{}", resource.get("id").and_then(Value::as_str).unwrap_or_default());
            json!({"fullUrl": full_url, "resource": resource, "search": {"mode": "match"}})
        })
        .collect();
    let next = window.start + entries.len();
    let mut links = vec![json!({"relation": "self", "url": base})];
    if next < total {
        let kept = query.parameters.iter().filter(|(name, _)| name != "_page_token");
        let kept: Vec<String> = kept.map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        let url = format!("{base}?{}{}_page_token={next:08x}", kept.join("&"), if kept.is_empty() { "" } else { "&" });
        links.push(json!({"relation": "next", "url": url}));
    }
    json!({"entry": entries, "link": links, "resourceType": "Bundle", "total": total, "type": "searchset"})
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
