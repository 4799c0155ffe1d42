//! Resources that differ only in values which the R4B model and the profiles' rules treat alike are one shape: what is
//! found out about one of them holds for all.
//!
//! The model decides by type and a rule by kind, so neither can tell one valid instant, business identifier,
//! `urn:uuid` or plain number from another; every other text stays part of the shape. It must not widen these classes
//! by guessing: what fits none is taken literally and costs a look of its own.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

/// Shapes remembered, at most; a mapping yields some dozens, so this is reached by free texts alone.
const SHAPES_MAX: usize = 4_096;
/// Characters of a business identifier: 130 bits of base32 ([`crate::resource`] is handed them ready-made).
const IDENTIFIER_CHARACTERS: usize = 26;
/// Most digits of a whole number of the class: what fits every integer type of FHIR (32 bits).
const WHOLE_DIGITS_MAX: usize = 9;
/// Most digits of a decimal of the class, all and behind the point: a binary64 holds 15 exactly.
const DECIMAL_DIGITS_MAX: (usize, usize) = (15, 4);
/// Stand-ins for the classes: no JSON text holds these bytes.
const IDENTIFIER: u8 = 1;
/// As above.
const URN: u8 = 2;
/// As above.
const INSTANT: u8 = 3;
/// As above.
const DATE: u8 = 4;
/// As above.
const WHOLE: u8 = 5;
/// As above.
const DECIMAL: u8 = 6;

/// The name of a shape.
pub type Shape = [u8; 32];

/// Shapes that were found to be FHIR and within every rule that does not compare values.
#[derive(Debug, Default)]
pub struct Proven(Mutex<HashSet<Shape>>);

impl Proven {
    /// Whether a shape was found fine.
    #[must_use]
    pub fn contains(&self, shape: &Shape) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(shape)
    }

    /// Remembers a shape that was found fine.
    pub fn remember(&self, shape: Shape) {
        let mut shapes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shapes.len() >= SHAPES_MAX {
            shapes.clear();
        }
        shapes.insert(shape);
    }
}

/// Names the shape of a resource.
#[must_use]
pub fn name(resource_type: &str, json: &str) -> Shape {
    let mut shape = Vec::with_capacity(json.len());
    shape.extend_from_slice(resource_type.as_bytes());
    shape.push(b'\n');
    let bytes = json.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'"' => end_of_text(bytes, at),
            b'-' | b'0'..=b'9' => end_of_number(bytes, at),
            _ => at + 1,
        };
        let token = bytes.get(at..end).unwrap_or_default();
        match class(token) {
            Some(class) => shape.push(class),
            None => shape.extend_from_slice(token),
        }
        at = end;
    }
    Sha256::digest(&shape).into()
}

/// Behind the quotation mark that closes the text.
fn end_of_text(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
    start + bytes.get(start..).unwrap_or_default().iter().take_while(|byte| is_part(byte)).count()
}

fn class(token: &[u8]) -> Option<u8> {
    match token {
        [b'"', inner @ .., b'"'] => class_of_text(std::str::from_utf8(inner).ok()?),
        [b'0'..=b'9', ..] => class_of_number(token),
        _ => None,
    }
}

fn class_of_text(text: &str) -> Option<u8> {
    let is_base32 = |byte: u8| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte);
    if text.len() == IDENTIFIER_CHARACTERS && text.bytes().all(is_base32) {
        return Some(IDENTIFIER);
    }
    if text.strip_prefix("urn:uuid:").is_some_and(|id| fits(id, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")) {
        return Some(URN);
    }
    // A leap second and years that need care stay literal.
    let this_age = text.starts_with("19") || text.starts_with("20");
    let is_instant = text.ends_with("+00:00") && fits(text, "0000-00-00T00:00:00+00:00");
    if this_age && is_instant && text.get(17..19)? < "60" {
        return text.parse::<Timestamp>().is_ok().then_some(INSTANT);
    }
    (this_age && fits(text, "0000-00-00") && text.parse::<Date>().is_ok()).then_some(DATE)
}

/// `0` stands for a digit, `x` for a lower-case hexadecimal one, anything else for itself.
fn fits(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            _ => byte == wanted,
        })
}

fn class_of_number(token: &[u8]) -> Option<u8> {
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    match token.iter().position(|byte| *byte == b'.') {
        None => (token.len() <= WHOLE_DIGITS_MAX && token[0] != b'0' && digits(token)).then_some(WHOLE),
        Some(point) => {
            let (whole, behind) = (&token[..point], &token[point + 1..]);
            let (all_max, behind_max) = DECIMAL_DIGITS_MAX;
            let is_short = whole.len() + behind.len() <= all_max && (1..=behind_max).contains(&behind.len());
            (is_short && digits(whole) && digits(behind)).then_some(DECIMAL)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"a":"urn:uuid:4d689314-3df5-5a83-8dd4-300953b9da88","b":"2026-11-18T01:00:00+00:00","c":12.5,"d":3,"e":"BTBZMP3UEPRECG36IJCKR5X2B6","f":"2026-11-18"}"#;

    #[test]
    fn values_of_one_class_are_one_shape() {
        for (old, new) in [
            ("4d689314", "00000000"),
            ("T01:00", "T23:59"),
            ("12.5", "9.25"),
            (":3,", ":17,"),
            ("BTBZ", "ABCD"),
            ("\"2026-11-18\"", "\"2024-02-29\""),
        ] {
            assert_eq!(name("A", BASE), name("A", &BASE.replace(old, new)), "{new}");
        }
    }

    #[test]
    fn everything_else_is_part_of_the_shape() {
        for (old, new) in [
            ("\"a\"", "\"z\""),
            ("urn:uuid:4", "urn:uuid:G"),
            ("T01:00:00", "T25:00:00"),
            ("T01:00:00", "T01:00:60"),
            ("+00:00", "+07:00"),
            ("12.5", "12"),
            ("12.5", "-12.5"),
            ("12.5", "1e5"),
            ("12.5", "12.34567"),
            (":3,", ":0,"),
            (":3,", ":3000000000,"),
            ("BTBZ", "btbz"),
            ("\"2026-11-18\"", "\"2026-02-30\""),
            ("\"2026-11-18\"", "\"2026-11\""),
            ("12.5", "\"12.5\""),
        ] {
            assert_ne!(name("A", BASE), name("A", &BASE.replace(old, new)), "{new}");
        }
        assert_ne!(name("A", BASE), name("B", BASE));
    }

    #[test]
    fn shapes_are_remembered_within_bounds() {
        let proven = Proven::default();
        let shape = |number: usize| name("A", &format!("\"{number} kg\""));
        (0..SHAPES_MAX).for_each(|number| proven.remember(shape(number)));
        assert!(proven.contains(&shape(0)) && !proven.contains(&shape(SHAPES_MAX)));
        proven.remember(shape(SHAPES_MAX));
        assert!(!proven.contains(&shape(0)) && proven.contains(&shape(SHAPES_MAX)));
    }
}
