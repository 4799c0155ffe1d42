//! What the TOML reader complains about, in words that name the key and the nearest right one.
//!
//! It must not judge; it only rewrites a complaint. A complaint in a form that is not known here stays as it is.

use crate::mapping::problem::nearest;

/// Beginnings of complaints about a name, and what to call such a name.
const UNKNOWN: [(&str, &str); 2] = [("unknown field `", "unknown key"), ("unknown variant `", "unknown value")];
/// Rust's names of types, and what a person calls them.
const TYPES: [(&str, &str); 7] = [
    ("expected u32", "expected a whole number, not below 0"),
    ("expected u64", "expected a whole number, not below 0"),
    ("expected path string", "expected a path in quotation marks"),
    ("expected a string", "expected a text in quotation marks"),
    ("expected a sequence", "expected a list in square brackets"),
    ("expected a map", "expected a section"),
    ("expected struct", "expected a section"),
];

/// Rewrites a complaint; `key` is the key on whose line it stands.
#[must_use]
pub fn plain(complaint: &str, key: Option<&str>) -> String {
    for (start, name) in UNKNOWN {
        if let Some(text) = unknown(complaint, start, name) {
            return text;
        }
    }
    let mut text = complaint.lines().map(str::trim).collect::<Vec<_>>().join(", ");
    for (rust, person) in TYPES {
        if let Some(at) = text.find(rust) {
            text.replace_range(at..at + rust.len(), person);
            break;
        }
    }
    match key {
        Some(key) if complaint.starts_with("invalid ") => format!("`{key}`: {text}"),
        _ => text,
    }
}

fn unknown(complaint: &str, start: &str, name: &str) -> Option<String> {
    let (wrong, rest) = complaint.strip_prefix(start)?.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    Some(match nearest(wrong, known.iter().copied()) {
        Some(near) => format!("{name} `{wrong}` ({near})"),
        None if known.is_empty() => format!("{name} `{wrong}`"),
        None => format!("{name} `{wrong}`; known here: {}", known.join(", ")),
    })
}

/// The key on the line that holds the byte `at`.
#[must_use]
pub fn key_at(text: &str, at: usize) -> Option<&str> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let (key, _) = text.get(start..)?.lines().next()?.split_once('=')?;
    let key = key.trim();
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    (!key.is_empty() && key.chars().all(is_name)).then_some(key)
}
