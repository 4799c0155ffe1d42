//! A tree written as block YAML, the way a person would write it.
//!
//! It must not know what the tree means. Texts are quoted only where a reader of YAML, this one or another, would take
//! them for something else.

use super::template::json_text;
use super::tree::{Content, Key, Node};

/// Columns by which an inner level is indented.
const INDENT: usize = 2;

/// Writes `name: node` at the outermost level.
pub fn write(name: &str, node: &Node, out: &mut String) {
    out.push_str(name);
    out.push(':');
    child(node, 0, out);
}

/// What follows a member's name.
fn child(node: &Node, indent: usize, out: &mut String) {
    match &node.content {
        Content::Scalar { .. } => {
            out.push(' ');
            scalar(node, out);
        }
        Content::Map(inner) if inner.is_empty() => out.push_str(" {}\n"),
        Content::List(inner) if inner.is_empty() => out.push_str(" []\n"),
        Content::Map(inner) => {
            out.push('\n');
            margin(indent + INDENT, out);
            members(inner, indent + INDENT, out);
        }
        Content::List(inner) => {
            out.push('\n');
            entries(inner, indent + INDENT, out);
        }
    }
}

/// Members, the first of which stands where the writer is already.
fn members(list: &[(Key, Node)], indent: usize, out: &mut String) {
    for (position, (key, value)) in list.iter().enumerate() {
        if position > 0 {
            margin(indent, out);
        }
        text(&key.name, out);
        out.push(':');
        child(value, indent, out);
    }
}

fn entries(list: &[Node], indent: usize, out: &mut String) {
    for entry in list {
        margin(indent, out);
        out.push('-');
        match &entry.content {
            Content::Map(inner) if !inner.is_empty() => {
                out.push(' ');
                members(inner, indent + INDENT, out);
            }
            _ => child(entry, indent, out),
        }
    }
}

fn margin(indent: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn scalar(node: &Node, out: &mut String) {
    if node.is_literal() {
        out.push_str(node.text().unwrap_or_default());
    } else {
        text(node.text().unwrap_or_default(), out);
    }
    out.push('\n');
}

fn text(text: &str, out: &mut String) {
    if needs_quotes(text) {
        out.push_str(&json_text(text));
    } else {
        out.push_str(text);
    }
}

/// Whether a text would be read as something else when it stands bare.
fn needs_quotes(text: &str) -> bool {
    /// Words that some reader of YAML takes for a truth value or for nothing.
    const WORDS: [&str; 11] = ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    /// What gives a text another meaning at its start.
    const STARTS: &str = "-?:,[]{}#&*!|>'\"%@`= \t";
    let number_like = text.starts_with(|letter: char| letter.is_ascii_digit() || "+-.".contains(letter))
        && text.chars().all(|letter| letter.is_ascii_digit() || "+-._:,eExXoO".contains(letter));
    WORDS.contains(&text.to_ascii_lowercase().as_str())
        || number_like
        || text.starts_with(|letter| STARTS.contains(letter))
        || text.ends_with([' ', '\t', ':'])
        || text.contains(": ")
        || text.contains(" #")
        || text.chars().any(char::is_control)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::tree;
    use super::*;

    fn again(text: &str) -> String {
        let mut out = String::new();
        for (key, node) in tree::parse("a.yaml", text).unwrap().members().unwrap() {
            write(&key.name, node, &mut out);
        }
        out
    }

    #[test]
    fn what_is_written_reads_the_same_and_is_quoted_only_where_needed() {
        let text = "a:\n  - b: kg\n    c: \"29463-7\"\n    d: 10.50\n    e: true\n    f: \"true\"\n  - - x\n    - \"- y\"\n  - \
                    \"2027-12-31\"\ng: 2026-11-18T02:00:00+00:00\nh: {}\ni: []\nj: \"a: b\"\nk: http://loinc.org\n";
        let text = text.replace("  - - x\n    - \"- y\"\n", "");
        assert_eq!(again(&text), text);
    }

    #[test]
    fn json_becomes_block_yaml() {
        let json = r#"{"a":[{"b":"08","c":[1,"x \"y\""]},"z"],"d":{"e":"Patient/{patient}","f":-1.5}}"#;
        let expected =
            "a:\n  - b: \"08\"\n    c:\n      - 1\n      - x \"y\"\n  - z\nd:\n  e: Patient/{patient}\n  f: -1.5\n";
        assert_eq!(again(json), expected);
    }
}
