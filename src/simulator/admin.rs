//! Questions about the stand-in itself: counts, the dump, and pages that show a person what arrived.
//!
//! It must not change anything, hand personal data to another machine, or be mistaken for the platform.

mod page;

use std::net::IpAddr;

use serde_json::Value;

use super::Simulator;
use super::outcome::{JSON, Reply};
use super::search::Query;
use super::store::Record;
use page::Page;

/// Resources, or hours, on one page.
const ROWS_MAX: usize = 100;

/// Answers what begins with `/_`.
pub(super) fn answer(simulator: &Simulator, path: &str, query: &Query, remote: bool) -> Reply {
    if path == "/_stats" {
        return Reply::of(200, JSON, serde_json::to_string(&simulator.stats()).unwrap_or_default());
    }
    // A page of another site could have its own name lead here; only names of this machine are answered.
    if remote || !is_here(&query.host) {
        return Reply::text(403, "This page is shown on the machine of the simulator only.");
    }
    if path == "/_dump" {
        let mut reply = Reply::of(200, "application/x-ndjson", String::new());
        reply.body = simulator.dumped().into();
        return reply;
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let page = match parts.as_slice() {
        ["_admin"] => overview(simulator),
        ["_admin", "style.css"] => return Reply::of(200, "text/css; charset=utf-8", page::STYLE.to_owned()),
        ["_admin", "resources"] => resources(simulator, query),
        ["_admin", "resource", kind, id] => match resource(simulator, kind, id) {
            Some(page) => page,
            None => return Reply::text(404, "There is no such resource."),
        },
        ["_admin", "call", number] => match number.parse().ok().and_then(|number| call(simulator, number)) {
            Some(page) => page,
            None => return Reply::text(404, "This call is not known any more."),
        },
        _ => return Reply::empty(404),
    };
    page.reply()
}

/// Whether a Host header names this machine: `localhost` or an address, not a name that somebody else chose.
fn is_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn overview(simulator: &Simulator) -> Page {
    let mut page = Page::new("What arrived");
    page.search("", "");
    let state = simulator.state();
    let mut types: Vec<(String, u64, String, String)> = Vec::new();
    let mut hours: Vec<(String, u64)> = Vec::new();
    for record in state.store.written() {
        let (created, updated) = (page::moment(record.created), page::moment(record.updated));
        let hour = record.created.strftime("%Y-%m-%d %H:00").to_string();
        match types.iter_mut().find(|(kind, ..)| *kind == record.kind) {
            Some((_, count, _, last)) => {
                *count += 1;
                *last = updated.max(last.clone());
            }
            None => types.push((record.kind.clone(), 1, created, updated)),
        }
        match hours.last_mut() {
            Some((last, count)) if *last == hour => *count += 1,
            _ => hours.push((hour, 1)),
        }
    }
    types.sort();
    page.heading("Stored resources by type");
    page.table(&["Type", "Number", "First", "Last change"], types, |row, (kind, count, first, last)| {
        row.link(&format!("/_admin/resources?type={kind}"), &kind);
        row.number(count);
        row.text(&first);
        row.text(&last);
    });
    page.heading("Stored resources by hour (UTC)");
    let newest = hours.into_iter().rev().take(ROWS_MAX);
    page.table(&["Hour", "Number"], newest, |row, (hour, count)| {
        row.text(&hour);
        row.number(count);
    });
    drop(state);
    let stats = simulator.stats();
    page.heading("Counts");
    let mut counts: Vec<(String, u64)> = vec![
        ("created".to_owned(), stats.creates),
        ("updated".to_owned(), stats.updates),
        ("business identifiers held twice".to_owned(), stats.duplicates_live),
    ];
    counts.extend(stats.calls.into_iter().map(|(kind, count)| (format!("calls: {kind}"), count)));
    counts.extend(stats.faults.into_iter().map(|(kind, count)| (format!("faults: {kind}"), count)));
    page.table(&["What", "Number"], counts, |row, (name, count)| {
        row.text(&name);
        row.number(count);
    });
    calls(simulator, &mut page);
    page
}

fn calls(simulator: &Simulator, page: &mut Page) {
    page.heading("The last calls");
    let journal = simulator.journal();
    page.table(&["Call", "When", "Request", "Answer", "Fault"], journal.newest(), |row, call| {
        row.link(&format!("/_admin/call/{}", call.number), &call.number.to_string());
        row.text(&page::moment(call.at));
        row.text(&format!("{} {}", call.method, call.target));
        row.number(call.status.into());
        row.text(call.fault.unwrap_or_default());
    });
}

fn resources(simulator: &Simulator, query: &Query) -> Page {
    let (kind, identifier) =
        (query.get("type").unwrap_or_default(), query.get("identifier").unwrap_or_default().trim());
    let mut page = Page::new("Stored resources");
    page.search(kind, identifier);
    let state = simulator.state();
    let fits = |record: &&Record| (kind.is_empty() || record.kind == kind) && carries(record, identifier);
    let mut found: Vec<&Record> = state.store.written().filter(fits).collect();
    let total = found.len();
    found.reverse();
    found.truncate(ROWS_MAX);
    page.heading(&format!("{total} found, the {} newest shown", found.len()));
    page.table(&["Type", "Id", "Identifiers", "Version", "Created", "Changed"], found, |row, record| {
        row.text(&record.kind);
        row.link(&format!("/_admin/resource/{}/{}", record.kind, record.id), &record.id);
        row.text(&identifiers(record).map(|(system, value)| format!("{system}|{value}")).collect::<Vec<_>>().join(" "));
        row.number(record.version.into());
        row.text(&page::moment(record.created));
        row.text(&page::moment(record.updated));
    });
    page
}

/// System and value of each identifier, whether the resource carries one or a list.
fn identifiers(record: &Record) -> impl Iterator<Item = (&str, &str)> {
    let member = record.resource.get("identifier");
    let list = match member {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    list.iter().map(|one| {
        let text = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or_default();
        (text("system"), text("value"))
    })
}

/// Whether a record is found by what a person types: its id, or a value alone or behind its system.
fn carries(record: &Record, wanted: &str) -> bool {
    let named = |(system, value): (&str, &str)| {
        value == wanted || wanted.strip_suffix(value).and_then(|rest| rest.strip_suffix('|')) == Some(system)
    };
    wanted.is_empty() || record.id == wanted || identifiers(record).any(named)
}

fn resource(simulator: &Simulator, kind: &str, id: &str) -> Option<Page> {
    let state = simulator.state();
    let record = state.store.get(kind, id)?;
    let mut page = Page::new(&format!("{kind}/{id}"));
    page.heading(&format!("Version {}, changed {}", record.version, page::moment(record.updated)));
    page.block(&pretty(&Value::Object(record.resource.clone())));
    Some(page)
}

fn call(simulator: &Simulator, number: u64) -> Option<Page> {
    let journal = simulator.journal();
    let call = journal.numbered(number)?;
    let mut page = Page::new(&format!("Call {number}"));
    let fault = call.fault.map_or_else(|| "no fault".to_owned(), |fault| format!("fault {fault}"));
    page.heading(&format!("{}, {fault}, request id {}", page::moment(call.at), call.request_id));
    page.heading(&format!("{} {}", call.method, call.target));
    page.block(&body(&call.request));
    page.heading(&format!("Answer: {}", call.status));
    page.block(&body(&call.answer));
    Some(page)
}

/// A body for reading: indented when it is JSON.
fn body(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => pretty(&value),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        for host in ["localhost", "localhost:8210", "127.0.0.1:8210", "[::1]:8210", "127.0.0.1"] {
            assert!(is_here(host), "{host}");
        }
        for host in ["", "example.org", "example.org:8210", "localhost.example.org", "127.0.0.1.example.org:80"] {
            assert!(!is_here(host), "{host}");
        }
    }
}
