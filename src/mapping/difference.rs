//! What differs between two trees, told by path: expected this, got that.
//!
//! It must not judge which side is right. The order of members does not count, the order of lists does.

use super::tree::{Content, Node};

/// Appends each difference between what was expected at `path` and what came.
pub fn find(path: &str, expected: &Node, came: &Node, out: &mut Vec<String>) {
    match (&expected.content, &came.content) {
        (Content::Map(wanted), Content::Map(found)) => {
            if let (Some(one), Some(other)) = (label(expected), label(came))
                && one != other
            {
                out.push(tell(path, Some(expected), Some(came)));
                return;
            }
            for (key, node) in wanted {
                let path = format!("{path}.{}", key.name);
                match came.member(&key.name) {
                    Some(other) => find(&path, node, other, out),
                    None => out.push(tell(&path, Some(node), None)),
                }
            }
            for (key, node) in found.iter().filter(|(key, _)| expected.member(&key.name).is_none()) {
                out.push(tell(&format!("{path}.{}", key.name), None, Some(node)));
            }
        }
        (Content::List(wanted), Content::List(found)) => {
            for position in 0..wanted.len().max(found.len()) {
                let path = format!("{path}[{position}]");
                match (wanted.get(position), found.get(position)) {
                    (Some(one), Some(other)) => find(&path, one, other, out),
                    (one, other) => out.push(tell(&path, one, other)),
                }
            }
        }
        (Content::Scalar { text: one, .. }, Content::Scalar { text: other, .. })
            if one == other && expected.is_literal() == came.is_literal() => {}
        _ => out.push(tell(path, Some(expected), Some(came))),
    }
}

fn tell(path: &str, expected: Option<&Node>, came: Option<&Node>) -> String {
    format!("{path}: expected {}, got {}", shown(expected), shown(came))
}

fn shown(node: Option<&Node>) -> String {
    let Some(node) = node else { return "nothing".to_owned() };
    match &node.content {
        Content::Scalar { text, .. } if node.is_literal() => text.clone(),
        Content::Scalar { text, .. } => format!("\"{text}\""),
        Content::List(entries) => format!("a list of {}", entries.len()),
        Content::Map(members) => label(node).unwrap_or_else(|| {
            let names: Vec<&str> = members.iter().map(|(key, _)| key.name.as_str()).collect();
            format!("{{{}}}", names.join(", "))
        }),
    }
}

/// Type and business identifier of a resource: two with different ones are not compared element by element.
fn label(node: &Node) -> Option<String> {
    let kind = node.member("resourceType")?.text()?;
    let identifier = node.member("identifier").and_then(Node::entries).and_then(|list| list.first());
    let value = identifier.and_then(|identifier| identifier.member("value")?.text()).unwrap_or("without identifier");
    Some(format!("{kind} {value}"))
}
