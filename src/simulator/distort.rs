//! True answers made untrue: members changed, entries moved, bodies blown up, cut short or packed.
//!
//! It must not touch the store: what it is given was carried out already.

use std::io::Write;

use axum::body::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::catalogue;
use super::fault::{Fault, FaultKind};
use super::outcome::Reply;
use super::strike;

/// Bytes written to the packer at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// The answer as the fault leaves it.
pub(super) fn reply(mut reply: Reply, fault: &Fault, accepts_gzip: bool) -> Reply {
    match fault.kind {
        FaultKind::ServerErrorAfterCommit => strike::timeout(fault),
        FaultKind::ConsentSuppressed => reply.suppressed(),
        FaultKind::ContentType => {
            reply.content_type = fault.content_type.clone().unwrap_or_default();
            reply
        }
        FaultKind::Answer => match fault.answer.as_deref().and_then(catalogue::answer) {
            // Carried out, so the headers with the id are the true ones.
            Some(known) if reply.status < 300 => Reply { headers: reply.headers, ..known.into() },
            _ => reply,
        },
        FaultKind::Truncated => {
            reply.body = reply.body.slice(..fault.bytes.unwrap_or(0).min(reply.body.len()));
            reply
        }
        FaultKind::Huge => {
            let mut body = reply.body.to_vec();
            body.resize(body.len().saturating_add(fault.bytes.unwrap_or(0)), b' ');
            reply.body = Bytes::from(body);
            reply
        }
        FaultKind::Deep => {
            let depth = fault.depth.unwrap_or(1);
            let body = format!("{{\"resourceType\":\"Bundle\",\"entry\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
            reply.body = Bytes::from(body);
            reply
        }
        FaultKind::GzipBomb if accepts_gzip => {
            if let Ok(body) = bomb(fault.bytes.unwrap_or(0)) {
                reply.body = Bytes::from(body);
                reply.headers.push(("content-encoding", "gzip".to_owned()));
            }
            reply
        }
        FaultKind::OutcomeForBundle => {
            let issue = json!({"severity": "information", "code": "informational", "details": {"text": "All OK"}});
            reply.body = Bytes::from(json!({"resourceType": "OperationOutcome", "issue": [issue]}).to_string());
            reply
        }
        _ => rewritten(reply, |body| match fault.kind {
            FaultKind::Edited => {
                for (pointer, value) in &fault.set {
                    let path: Vec<&str> = pointer.split('/').skip(1).collect();
                    set(body, &path, value);
                }
            }
            kind => rearrange(body, kind),
        }),
    }
}

/// Changes a JSON body; others stay as they are.
fn rewritten(mut reply: Reply, change: impl FnOnce(&mut Value)) -> Reply {
    if strike::is_json(&reply)
        && let Ok(mut body) = serde_json::from_slice::<Value>(&reply.body)
    {
        change(&mut body);
        reply.body = Bytes::from(body.to_string());
    }
    reply
}

fn rearrange(body: &mut Value, kind: FaultKind) {
    let Some(entries) = body.get_mut("entry").and_then(Value::as_array_mut) else { return };
    match kind {
        FaultKind::EntriesReversed => entries.reverse(),
        FaultKind::EntriesMissing => drop(entries.pop()),
        FaultKind::EntriesRepeated => entries.extend(entries.last().cloned()),
        _ => {}
    }
}

/// Puts `value` where the path leads, or removes what is there when it is null; `*` stands for each item of a list.
fn set(at: &mut Value, path: &[&str], value: &Value) {
    let Some((name, rest)) = path.split_first() else { return };
    match at {
        Value::Array(items) if *name == "*" && rest.is_empty() => items.fill(value.clone()),
        Value::Array(items) if *name == "*" => items.iter_mut().for_each(|item| set(item, rest, value)),
        Value::Array(items) => {
            let Some(place) = name.parse::<usize>().ok().filter(|place| *place < items.len()) else { return };
            match (items.get_mut(place), rest.is_empty(), value.is_null()) {
                (_, true, true) => drop(items.remove(place)),
                (Some(item), true, false) => *item = value.clone(),
                (Some(item), false, _) => set(item, rest, value),
                (None, ..) => {}
            }
        }
        Value::Object(members) if rest.is_empty() && value.is_null() => drop(members.remove(*name)),
        Value::Object(members) if rest.is_empty() => drop(members.insert((*name).to_owned(), value.clone())),
        Value::Object(members) => {
            if let Some(member) = members.get_mut(*name) {
                set(member, rest, value);
            }
        }
        _ => {}
    }
}

/// White space of so many bytes, packed.
fn bomb(bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    let block = vec![b' '; BLOCK_BYTES];
    let mut left = bytes;
    while left > 0 {
        let step = left.min(BLOCK_BYTES);
        packer.write_all(block.get(..step).unwrap_or_default())?;
        left -= step;
    }
    packer.finish()
}

#[cfg(test)]
mod tests {
    use super::super::fault::AppliesTo;
    use super::*;

    fn edited(set: &[(&str, Value)], body: &Value) -> Value {
        let mut fault = Fault::at_calls(FaultKind::Edited, AppliesTo::Any, &[1]);
        fault.set = set.iter().map(|(pointer, value)| ((*pointer).to_owned(), value.clone())).collect();
        serde_json::from_slice(&reply(Reply::json(200, body), &fault, false).body).unwrap_or_default()
    }

    #[test]
    fn members_are_set_removed_and_set_in_every_item() {
        let body = json!({"total": 1, "entry": [{"id": "a", "b": 1}, {"id": "c", "b": 2}]});
        let changes = [("/total", json!(99)), ("/entry/*/id", Value::Null), ("/entry/1/b", json!({"x": true}))];
        assert_eq!(edited(&changes, &body), json!({"total": 99, "entry": [{"b": 1}, {"b": {"x": true}}]}));
        assert_eq!(
            edited(&[("/entry/0", Value::Null), ("/none/x", json!(1))], &body)["entry"],
            json!([{"id": "c", "b": 2}])
        );
        assert_eq!(edited(&[("/expires_in", json!(-1))], &json!({"expires_in": "3599"})), json!({"expires_in": -1}));
    }

    #[test]
    fn a_bomb_is_small_until_it_is_unpacked_and_spares_those_who_take_no_gzip() {
        let mut fault = Fault::at_calls(FaultKind::GzipBomb, AppliesTo::Any, &[1]);
        fault.bytes = Some(50_000_000);
        let packed = reply(Reply::text(200, "true"), &fault, true);
        assert!(packed.body.len() < 100_000 && packed.body.starts_with(&[0x1f, 0x8b]), "{}", packed.body.len());
        assert_eq!(reply(Reply::text(200, "true"), &fault, false).body, "true");
    }
}
