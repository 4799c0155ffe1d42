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
use super::store::{Record, SEARCHED};

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
            let hidden = |record: &Record| record.is_about(&options.hidden_patients);
            let shown = |record: &Record| match hidden(record) {
                true => Reply::hidden(Some(&format!("{kind}/{}", record.id))),
                false => record.read_back(),
            };
            (total, records.into_iter().map(shown).collect())
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
    let asked: Vec<(&Filter, &str)> =
        filters(kind).iter().filter_map(|(name, filter)| Some((filter, query.get(name)?))).collect();
    let target = asked.iter().find_map(|(filter, value)| filter.indexed(value));
    let records: Vec<&Record> = if let Some(identifier) = query.get("identifier") {
        state.store.with_key(&format!("{kind}|{identifier}"))
    } else if let Some(target) = target {
        state.store.referring(kind, &target)
    } else {
        state.store.of_kind(kind)
    };
    let late = |record: &Record| record.updated.saturating_add(lag(record, options)).is_ok_and(|from| from > now);
    let few = |record: &Record| state.store.calls <= record.call.saturating_add(options.index_lag_calls);
    let lagging = |record: &Record| late(record) || (options.index_lag_calls > 0 && few(record));
    let indexed = |record: &Record| record.seeded || !lagging(record);
    let fits = |record: &Record| asked.iter().all(|(filter, value)| filter.fits(record, value));
    records.into_iter().filter(|record| indexed(record) && fits(record)).collect()
}

/// How long a search does not find what was written.
fn lag(record: &Record, options: &Options) -> Duration {
    // FNV-1a of the id: the same resource always takes the same time.
    let mark = record
        .id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |mark, byte| (mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let more = mark % options.index_lag_jitter_seconds.saturating_add(1);
    Duration::from_secs(options.index_lag_seconds.saturating_add(more))
}

/// What a parameter is compared with.
enum Filter {
    /// A member that refers to a resource, and the type meant when the caller gives only an id.
    Reference(&'static str, &'static str),
    /// A member that holds a code.
    Code(&'static str),
    /// A moment, by JSON pointer.
    Moment(&'static str),
    /// A member whose beginning is asked for, in upper or lower case.
    Beginning(&'static str),
}

use Filter::{Beginning, Code, Moment, Reference};

/// The parameters a type knows besides `identifier`: satusehat-api.md, section 3.2.
fn filters(kind: &str) -> &'static [(&'static str, Filter)] {
    const SUBJECT: (&str, Filter) = ("subject", Reference("subject", "Patient"));
    const ENCOUNTER: (&str, Filter) = ("encounter", Reference("encounter", "Encounter"));
    const CONTEXT: (&str, Filter) = ("context", Reference("context", "Encounter"));
    const PATIENT: (&str, Filter) = ("patient", Reference("patient", "Patient"));
    const NAME: (&str, Filter) = ("name", Beginning("name"));
    match kind {
        "Encounter" => &[
            SUBJECT,
            ("service-provider", Reference("serviceProvider", "Organization")),
            ("date", Moment("/period/start")),
        ],
        "Condition" => &[SUBJECT, ENCOUNTER, ("clinical-status", Code("clinicalStatus")), ("code", Code("code"))],
        "Observation" => &[SUBJECT, ENCOUNTER, ("based-on", Reference("basedOn", "ServiceRequest"))],
        "Procedure" | "MedicationRequest" | "QuestionnaireResponse" => &[SUBJECT, ENCOUNTER],
        "Immunization" => &[PATIENT, ("vaccineCode", Code("vaccineCode"))],
        "EpisodeOfCare" => &[
            PATIENT,
            ("type", Code("type")),
            ("status", Code("status")),
            ("organization", Reference("managingOrganization", "Organization")),
        ],
        "RelatedPerson" => &[PATIENT],
        "Organization" => &[NAME, ("partof", Reference("partOf", "Organization")), ("type", Code("type"))],
        "Location" => &[NAME, ("organization", Reference("managingOrganization", "Organization"))],
        "MedicationDispense" | "MedicationStatement" => &[SUBJECT, CONTEXT],
        "ServiceRequest" => &[
            ("performer", Reference("performer", "Practitioner")),
            ("requester", Reference("requester", "Practitioner")),
            ("category", Code("category")),
            ("_lastUpdated", Moment("/meta/lastUpdated")),
        ],
        _ => &[],
    }
}

impl Filter {
    /// `Type/id` under which the store lists the resources that fit.
    fn indexed(&self, value: &str) -> Option<String> {
        match self {
            Reference(member, kind) if SEARCHED.contains(member) => Some(whole(kind, value)),
            _ => None,
        }
    }

    fn fits(&self, record: &Record, value: &str) -> bool {
        match self {
            Reference(member, kind) => {
                let wanted = whole(kind, value);
                let is_wanted = |one: &Value| one.get("reference").and_then(Value::as_str) == Some(wanted.as_str());
                each(record.resource.get(*member)).iter().any(is_wanted)
            }
            Code(member) => each(record.resource.get(*member)).iter().any(|one| holds_code(one, value)),
            Beginning(member) => {
                let text = record.resource.get(*member).and_then(Value::as_str).unwrap_or_default();
                text.to_lowercase().starts_with(&value.to_lowercase())
            }
            Moment(pointer) => {
                let (first, rest) = pointer.trim_start_matches('/').split_once('/').unwrap_or((pointer, ""));
                let moment = record.resource.get(first).and_then(|member| member.get(rest)).and_then(Value::as_str);
                moment.is_some_and(|moment| in_time(moment, value))
            }
        }
    }
}

fn whole(kind: &str, value: &str) -> String {
    if value.contains('/') { value.to_owned() } else { format!("{kind}/{value}") }
}

/// A member as a list, whether it repeats or not.
fn each(member: Option<&Value>) -> &[Value] {
    match member {
        Some(Value::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
}

/// True when a code or concept holds `code` or `system|code`.
fn holds_code(one: &Value, wanted: &str) -> bool {
    let (system, code) = wanted.split_once('|').map_or(("", wanted), |(system, code)| (system, code));
    one.as_str() == Some(code)
        || each(one.get("coding")).iter().any(|coding| {
            let text = |name: &str| coding.get(name).and_then(Value::as_str).unwrap_or_default();
            text("code") == code && (system.is_empty() || text("system") == system)
        })
}

/// True when a moment lies as asked: `2026-11-18`, or with `ge`, `gt`, `le` or `lt` in front; compared as far as asked.
fn in_time(moment: &str, asked: &str) -> bool {
    let letters = asked.len() - asked.trim_start_matches(|letter: char| letter.is_ascii_lowercase()).len();
    let (prefix, asked) = asked.split_at(letters);
    let moment = moment.get(..asked.len()).unwrap_or(moment);
    match prefix {
        "ge" => moment >= asked,
        "gt" => moment > asked,
        "le" => moment <= asked,
        "lt" => moment < asked,
        _ => moment == asked,
    }
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
