//! Texts as YAML writes them.
//!
//! It must not know profiles.

use std::fmt::Write as _;

use crate::source::layout::plain_header;

/// A text without line breaks and other marks that are no letters.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

/// A text as YAML, plain where nothing can be misread.
#[must_use]
pub fn scalar(text: &str) -> String {
    let plain = text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|character| character.is_ascii_alphanumeric() || " _/".contains(character))
        && !text.ends_with(' ')
        && plain_header(text).len() > 3
        && !["true", "false", "null"].contains(&plain_header(text).as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// A text in quotation marks, with everything escaped that YAML does not print.
#[must_use]
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            ' '..='~' | '\u{a1}'..='\u{ff}' | 'Ā'..='ʯ' | '≤'..='≥' => out.push(character),
            other if u32::from(other) <= 0xffff => {
                let _ = write!(out, "\\u{:04X}", u32::from(other));
            }
            other => {
                let _ = write!(out, "\\U{:08X}", u32::from(other));
            }
        }
    }
    out.push('"');
    out
}
