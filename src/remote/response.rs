//! Decides what an exchange came to: the body first, then the status. Pure.
//!
//! It must never call something a success that does not name every resource sent; what it cannot read after
//! something was sent is unknown, not failed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{Accepted, Answer, Class, OutcomeIssue};
use super::complaint::{Complaint, Shape};
use super::excerpt::opaque;

/// What was sent, as far as the answer must agree with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// A transaction Bundle: the type of each entry, in order.
    Transaction(Vec<String>),
    /// One new resource.
    Create(SentResource),
    /// One resource under an id the server knows.
    Update(SentResource),
    /// A read or a search: nothing changes at the server.
    Read,
    /// A request for a token.
    Token,
}

impl Sent {
    /// A repeat could make something twice.
    fn creates(&self) -> bool {
        matches!(self, Self::Transaction(_) | Self::Create(_))
    }

    /// The class when something was sent and no usable answer came.
    fn without_answer(&self) -> Class {
        match self {
            Self::Transaction(_) | Self::Create(_) => Class::Unknown,
            Self::Update(_) => Class::Outage { may_have_executed: true },
            Self::Read | Self::Token => Class::Outage { may_have_executed: false },
        }
    }
}

/// One resource sent by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentResource {
    /// FHIR type.
    pub resource_type: String,
    /// Id in the address; `None` for a create.
    pub id: Option<String>,
    /// Business identifiers in the body: system and value.
    pub identifiers: Vec<(String, String)>,
}

/// An answer as it came in, whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply<'a> {
    /// HTTP status.
    pub status: u16,
    /// `Content-Type`, or empty.
    pub content_type: &'a str,
    /// `Location`.
    pub location: Option<&'a str>,
    /// `ETag`.
    pub etag: Option<&'a str>,
    /// `x-request-id`.
    pub request_id: Option<&'a str>,
    /// `Retry-After`.
    pub retry_after: Option<&'a str>,
    /// `Date`.
    pub date: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

impl Reply<'_> {
    /// Whether the body claims to be JSON or FHIR JSON.
    #[must_use]
    pub fn is_json(&self) -> bool {
        let kind = self.content_type.split(';').next().unwrap_or("").trim();
        kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case("application/fhir+json")
    }

    fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why an exchange did not end with a whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interruption {
    /// The connection could not be made: no byte of the request left.
    NotSent(String),
    /// The request may have left, but no whole answer came; the status if it was seen.
    NoAnswer(Option<u16>, String),
}

/// Decides what a whole answer came to. `now` turns a `Retry-After` date into a wait.
#[must_use]
pub fn classify(sent: &Sent, reply: &Reply<'_>, now: Timestamp) -> Answer {
    let mut answer = match accepted(sent, reply) {
        Ok(accepted) => Answer { accepted, ..Answer::of(Class::Accepted, "") },
        Err(reason) => refused(sent, reply, reason),
    };
    answer.status = Some(reply.status);
    answer.request_id = reply.request_id.map(opaque);
    answer.retry_after = reply.retry_after.and_then(|text| retry_after(text, now));
    answer.server_date = reply.date.and_then(http_date);
    answer
}

/// Decides what an exchange without a whole answer came to.
#[must_use]
pub fn interrupted(sent: &Sent, interruption: &Interruption) -> Answer {
    match interruption {
        Interruption::NotSent(text) => Answer::of(Class::Outage { may_have_executed: false }, text.clone()),
        Interruption::NoAnswer(status, text) => {
            Answer { status: *status, ..Answer::of(sent.without_answer(), text.clone()) }
        }
    }
}

/// Whether the gateway refused the token, so that a new one may help.
#[must_use]
pub fn token_refused(reply: &Reply<'_>) -> bool {
    if reply.status != 401 {
        return false;
    }
    let complaint = Complaint::read(reply.body);
    complaint.token_refused || (complaint.class.is_none() && complaint.shape != Shape::Html)
}

/// Whether an answer that is no success asks for fewer calls.
#[must_use]
pub fn is_push_back(reply: &Reply<'_>) -> bool {
    reply.status == 429 || Complaint::read(reply.body).class == Some(Class::Throttled)
}

/// The ids given by a success, or why the answer is none.
fn accepted(sent: &Sent, reply: &Reply<'_>) -> Result<Vec<Accepted>, &'static str> {
    if !reply.is_success() {
        return Err("not a success status");
    }
    if !reply.is_json() {
        return Err("a success status without JSON");
    }
    match sent {
        Sent::Transaction(types) => accepted_entries(types, reply.body),
        Sent::Create(resource) | Sent::Update(resource) => accepted_resource(resource, reply).map(|one| vec![one]),
        Sent::Read | Sent::Token => Err("nothing was written"),
    }
}

#[derive(Deserialize)]
struct BundleAnswer {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    entry: Vec<EntryAnswer>,
}

#[derive(Deserialize)]
struct EntryAnswer {
    response: EntryResponse,
}

#[derive(Deserialize)]
struct EntryResponse {
    #[serde(default)]
    status: String,
    location: Option<String>,
    etag: Option<String>,
    #[serde(rename = "resourceType")]
    resource_type: Option<String>,
    #[serde(rename = "resourceID")]
    resource_id: Option<String>,
}

fn accepted_entries(types: &[String], body: &[u8]) -> Result<Vec<Accepted>, &'static str> {
    // What is skipped over must be readable too: spoiled anywhere, an answer is no clear one. The typed reading alone passes
    // over what nobody asks for, the untyped one alone over members told twice.
    serde_json::from_slice::<Value>(body).map_err(|_| "a body that is no JSON")?;
    let answer: BundleAnswer = serde_json::from_slice(body).map_err(|_| "a body that is no Bundle")?;
    if answer.resource_type != "Bundle" || answer.kind != "transaction-response" {
        return Err("a body that is no transaction answer");
    }
    // `total` is not to be trusted: a recorded answer had 30 entries and said 8.
    if answer.entry.len() != types.len() {
        return Err("another number of entries than was sent");
    }
    let pairs = answer.entry.into_iter().zip(types).enumerate();
    pairs.map(|(position, (entry, sent))| accepted_entry(position, entry.response, sent)).collect()
}

fn accepted_entry(position: usize, response: EntryResponse, sent: &str) -> Result<Accepted, &'static str> {
    if !response.status.starts_with('2') {
        return Err("an entry without a success status");
    }
    let located = response.location.as_deref().and_then(parse_location);
    let named = response.resource_type.zip(response.resource_id.filter(|id| is_id(id)));
    let version = response.etag.as_deref().and_then(version_of).or_else(|| located.and_then(|place| place.version));
    let (resource_type, id) = match (named, located) {
        (Some((_, id)), Some(place)) if id != place.id => return Err("an entry with two ids"),
        (Some(named), _) => named,
        (None, Some(place)) => (place.resource_type.to_owned(), place.id.to_owned()),
        (None, None) => return Err("an entry without an id"),
    };
    if resource_type != sent {
        return Err("an entry of another type than was sent");
    }
    Ok(Accepted { position, resource_type, id, version: version.map(str::to_owned) })
}

fn accepted_resource(sent: &SentResource, reply: &Reply<'_>) -> Result<Accepted, &'static str> {
    let located = reply.location.and_then(parse_location);
    let body: Value = serde_json::from_slice(reply.body).map_err(|_| "a body that is no resource")?;
    let text = |path: &str| body.pointer(path).and_then(Value::as_str);
    let version = reply.etag.and_then(version_of).or_else(|| text("/meta/versionId"));
    let version = version.or_else(|| located.and_then(|place| place.version)).map(str::to_owned);
    let (resource_type, id) = if text("/resourceType") == Some("OperationOutcome") {
        // Made, but not shown for lack of consent: the id is in the Location header alone.
        let place = located.filter(|_| Complaint::read(reply.body).hidden).ok_or("an outcome without an id")?;
        (place.resource_type, place.id)
    } else {
        let own = text("/resourceType").zip(text("/id").filter(|id| is_id(id))).ok_or("a resource without an id")?;
        if located.is_some_and(|place| place.resource_type == own.0 && place.id != own.1) {
            return Err("a resource with two ids");
        }
        own
    };
    if resource_type != sent.resource_type {
        return Err("a resource of another type than was sent");
    }
    if sent.id.as_deref().is_some_and(|wanted| wanted != id) {
        return Err("a resource with another id than was sent");
    }
    let found = identifiers_of(&body);
    if !found.is_empty() && !sent.identifiers.is_empty() && !sent.identifiers.iter().any(|own| found.contains(own)) {
        return Err("a resource with another identifier than was sent");
    }
    Ok(Accepted { position: 0, resource_type: resource_type.to_owned(), id: id.to_owned(), version })
}

/// Business identifiers of a resource; a Composition holds a single one instead of a list.
pub(super) fn identifiers_of(resource: &Value) -> Vec<(String, String)> {
    let list = match resource.get("identifier") {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => &[],
    };
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    list.iter().map(|one| (text(one, "system"), text(one, "value"))).filter(|(_, value)| !value.is_empty()).collect()
}

/// What an answer that is no success came to.
fn refused(sent: &Sent, reply: &Reply<'_>, reason: &str) -> Answer {
    let complaint = Complaint::read(reply.body);
    let class = refused_class(sent, reply, &complaint);
    let excerpt = if reply.is_success() { format!("{reason}; {}", complaint.excerpt) } else { complaint.excerpt };
    let mut rules: Vec<u32> = Vec::new();
    for rule in complaint.issues.iter().filter_map(|issue| issue.rule) {
        if !rules.contains(&rule) {
            rules.push(rule);
        }
    }
    let excerpt = excerpt.chars().take(super::excerpt::EXCERPT_CHARACTERS_MAX).collect::<String>();
    let mut issues = complaint.issues;
    if reply.status == 413 && issues.is_empty() {
        issues.push(OutcomeIssue { sentence: Some("remote.too_large"), ..OutcomeIssue::default() });
    }
    // A complaint's sentence speaks of a refusal; it must not stand on an outcome that is open.
    if !matches!(class, Class::Configuration | Class::Content | Class::Dependency | Class::Duplicate) {
        issues.iter_mut().for_each(|issue| issue.sentence = None);
    }
    Answer { rules, issues, ..Answer::of(class, excerpt) }
}

fn refused_class(sent: &Sent, reply: &Reply<'_>, complaint: &Complaint) -> Class {
    let not_executed = Class::Outage { may_have_executed: false };
    // Quota and spike-arrest refusals come before the back end, also under status 500 (Apigee's default).
    if complaint.class == Some(Class::Throttled) && complaint.shape == Shape::Fault || reply.status == 429 {
        return Class::Throttled;
    }
    if reply.is_success() {
        // Some older answers refuse under 200; anything else may have been carried out.
        return match complaint.class {
            Some(class @ (Class::Duplicate | Class::Content)) if complaint.shape == Shape::Json => class,
            _ => sent.without_answer(),
        };
    }
    if reply.status >= 500 {
        return sent.without_answer();
    }
    if let Some(class) = complaint.class {
        return class;
    }
    let outcome = complaint.shape == Shape::Outcome;
    match reply.status {
        // The method is to be kept, so the request was not carried out where it was sent.
        307 | 308 => not_executed,
        300..400 | 408 => sent.without_answer(),
        // A page instead of the API's own refusal: a firewall at the edge, nothing about this record.
        403 if complaint.shape == Shape::Html => not_executed,
        401 | 403 | 407 => Class::Configuration,
        404 | 405 | 406 | 410 | 415 if !outcome => Class::Configuration,
        400 if matches!(sent, Sent::Token) => Class::Configuration,
        412 if sent.creates() => Class::Duplicate,
        413 | 422 => Class::Content,
        _ => Class::Unclassified,
    }
}

/// Whether a read was answered "there is no such resource" by the store, and not by a wrong address.
#[must_use]
pub fn says_absent(reply: &Reply<'_>) -> bool {
    matches!(reply.status, 404 | 410) && {
        let complaint = Complaint::read(reply.body);
        complaint.shape == Shape::Outcome && complaint.absent
    }
}

/// Whether a read was answered "you may not see it".
#[must_use]
pub fn says_hidden(reply: &Reply<'_>) -> bool {
    reply.is_success() && Complaint::read(reply.body).hidden
}

/// Where a resource stands at the server, from a location. The address itself is never followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// FHIR type.
    pub resource_type: &'a str,
    /// Id.
    pub id: &'a str,
    /// Version, where it was given.
    pub version: Option<&'a str>,
}

/// Takes type, id and version out of a location such as `…/fhir/Encounter/{id}/_history/{version}`.
#[must_use]
pub fn parse_location(location: &str) -> Option<Location<'_>> {
    let path = location.split(['?', '#']).next()?.trim_end_matches('/');
    let (path, version) = match path.split_once("/_history") {
        Some((before, after)) => (before, after.strip_prefix('/').filter(|version| !version.is_empty())),
        None => (path, None),
    };
    let (before, id) = path.rsplit_once('/')?;
    let resource_type = before.rsplit('/').next()?;
    (is_type(resource_type) && is_id(id)).then_some(Location { resource_type, id, version })
}

/// Whether a text can be a FHIR type.
#[must_use]
pub fn is_type(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether a text can be a FHIR id: 1 to 64 letters, digits, `-` and `.`.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=64).contains(&text.len()) && text.bytes().all(fits) && text != "." && text != ".."
}

fn version_of(etag: &str) -> Option<&str> {
    Some(etag.trim().trim_start_matches("W/").trim_matches('"')).filter(|version| !version.is_empty())
}

/// `Retry-After` as a wait: seconds or a date; a date that has passed is no wait; anything else is `None`.
#[must_use]
pub fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX)).min(u64::from(u32::MAX))));
    }
    let until = http_date(text)?;
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()
}

#[cfg(test)]
mod tests;
