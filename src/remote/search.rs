//! Searches, page by page, keeping only what really matches.
//!
//! It must never follow an address of the server: only the page token is taken from it. Unknown search parameters
//! are silently ignored by the server, so whoever searches checks each hit.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::Remote;
use super::answer::{Answer, Class};
use super::excerpt;
use super::response::{self, Sent, classify};
use crate::crash;
use crate::redact::Personal;

/// Most pages read of one search.
pub const PAGES_MAX: usize = 50;

/// Most resources kept of one search.
pub const MATCHES_MAX: usize = 5_000;

/// Longest page token sent back, in bytes.
const PAGE_TOKEN_BYTES_MAX: usize = 4 * 1024;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matches {
    /// Resources of the type searched for, each id once. Reading one is explicit: it is about a person.
    pub resources: Vec<Personal<Value>>,
    /// Entries that consent rules hide from us.
    pub hidden: usize,
    /// Whether every page was read; `false` when [`PAGES_MAX`] or [`MATCHES_MAX`] was reached.
    pub complete: bool,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchAnswer {
    /// The server answered; there may be no match.
    Found(Matches),
    /// No usable answer.
    Failed(Answer),
}

/// One page, taken apart.
struct Page {
    resources: Vec<Value>,
    hidden: usize,
    next: Option<String>,
}

impl Remote {
    /// Searches a type. The entries are filtered by type only; the caller checks that they match.
    pub async fn search(&self, resource_type: &str, parameters: &[(&str, &str)]) -> SearchAnswer {
        let Some(base) = self.url(resource_type, None) else {
            return SearchAnswer::Failed(Answer::of(Class::Content, "not asked: not a FHIR type"));
        };
        let mut matches = Matches::default();
        let (mut ids, mut tokens) = (BTreeSet::new(), BTreeSet::new());
        let mut next: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut url = base.clone();
            url.query_pairs_mut()
                .extend_pairs(parameters)
                .extend_pairs(next.iter().map(|token| ("_page_token", token)));
            let page = match crash::around("send.search", self.page(url, resource_type)).await {
                Ok(page) => page,
                Err(mut answer) => {
                    answer.hide(&excerpt::personal_values(parameters));
                    return SearchAnswer::Failed(*answer);
                }
            };
            matches.hidden += page.hidden;
            for resource in page.resources {
                let id = resource["id"].as_str().unwrap_or("").to_owned();
                if matches.resources.len() == MATCHES_MAX {
                    return SearchAnswer::Found(matches);
                }
                if ids.insert(id) {
                    matches.resources.push(Personal::new(resource));
                }
            }
            match page.next {
                // A token seen before would go round for ever.
                Some(token) if tokens.insert(token.clone()) => next = Some(token),
                Some(_) => return SearchAnswer::Found(matches),
                None => {
                    matches.complete = true;
                    return SearchAnswer::Found(matches);
                }
            }
        }
        SearchAnswer::Found(matches)
    }

    /// Searches a type by business identifier and keeps the resources that really carry it.
    pub async fn find_by_identifier(&self, resource_type: &str, system: &str, value: &str) -> SearchAnswer {
        let wanted = format!("{system}|{value}");
        match self.search(resource_type, &[("identifier", &wanted)]).await {
            SearchAnswer::Found(mut matches) => {
                matches.resources.retain(|resource| carries(resource.reveal(), system, value));
                SearchAnswer::Found(matches)
            }
            failed @ SearchAnswer::Failed(_) => failed,
        }
    }

    async fn page(&self, url: Url, resource_type: &str) -> Result<Page, Box<Answer>> {
        let mut watched = Duration::ZERO;
        let received = self.get(url, &self.inner.counters.search, &mut watched).await?;
        let reply = received.reply();
        if response::says_hidden(&reply) {
            return Ok(Page { resources: Vec::new(), hidden: 1, next: None });
        }
        let page = if reply.status == 200 && reply.is_json() { take_apart(reply.body, resource_type) } else { None };
        page.ok_or_else(|| {
            Box::new(Answer { duration: watched, ..classify(&Sent::Read, &reply, self.inner.clock.now()) })
        })
    }
}

/// Whether a resource carries a business identifier.
#[must_use]
pub fn carries(resource: &Value, system: &str, value: &str) -> bool {
    response::identifiers_of(resource).iter().any(|own| own.0 == system && own.1 == value)
}

/// The systems of a resource's business identifiers.
pub fn systems(resource: &Value) -> impl Iterator<Item = String> {
    response::identifiers_of(resource).into_iter().map(|own| own.0)
}

fn take_apart(body: &[u8], resource_type: &str) -> Option<Page> {
    let Ok(Value::Object(mut bundle)) = serde_json::from_slice::<Value>(body) else { return None };
    if bundle.get("resourceType")? != "Bundle" || bundle.get("type").is_some_and(|kind| kind != "searchset") {
        return None;
    }
    let next = bundle.get("link").and_then(page_token);
    let entries = match bundle.remove("entry") {
        Some(Value::Array(entries)) => entries,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return None,
    };
    let mut page = Page { resources: Vec::new(), hidden: 0, next };
    for mut entry in entries {
        let resource = entry.get_mut("resource").map(Value::take).unwrap_or_default();
        if resource["resourceType"] == resource_type && resource["id"].as_str().is_some_and(response::is_id) {
            page.resources.push(resource);
        } else if resource["resourceType"] == "OperationOutcome" {
            page.hidden += 1;
        }
    }
    Some(page)
}

/// The page token of the next page, from wherever that link points.
fn page_token(links: &Value) -> Option<String> {
    let next = links.as_array()?.iter().find(|link| link["relation"] == "next")?;
    let query = next["url"].as_str()?.split_once('?')?.1;
    // The rest of the address is dropped unread.
    let url = Url::parse(&format!("page:?{query}")).ok()?;
    let token = url.query_pairs().find(|(name, _)| name == "_page_token")?.1.into_owned();
    (!token.is_empty() && token.len() <= PAGE_TOKEN_BYTES_MAX).then_some(token)
}
