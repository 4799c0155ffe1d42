//! Measured numbers as the field writes them.
//!
//! It must not convert units or shift a point: it says what the cell holds and how it is written.

use std::borrow::Cow;

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::date::{self, DateRead, month_of};
use super::unit;
use super::words::says_nothing;
use crate::source::profile::field::{DateStyle, DecimalMark};

/// Most digits of a measured number; more is no measurement.
const DIGITS_MAX: usize = 9;
/// Digits that spreadsheets show at most of a number; what they keep behind those is noise of their arithmetic.
const SHOWN_DIGITS: u32 = 15;

/// Something about the way a number is written that people should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The expected unit stands in the cell.
    UnitInside,
    /// A colon stands for the decimal mark.
    Colon,
}

/// What a number cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberRead {
    /// Nothing is written.
    Absent,
    /// A sign for "not measured" is written: a dash or zero.
    NotMeasured,
    /// A number.
    Number {
        /// The number as written.
        value: Decimal,
        /// What is unusual about its writing.
        note: Option<Note>,
        /// The unit in the cell, lower case, when one stands there.
        unit: Option<String>,
    },
    /// A spreadsheet turned the number into a date; the number that may have been meant, day.month.
    IsDate(String),
    /// It has marks of thousands, or what may be one: more than one number could be meant.
    Thousands,
    /// No number.
    Unreadable,
}

/// A number that a spreadsheet keeps, as the spreadsheet shows it: `11.200000000000001` is 11.2.
#[must_use]
pub fn as_shown(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN_DIGITS as usize || !text.contains('.') {
        return Cow::Borrowed(text);
    }
    let shown = text.parse::<Decimal>().ok().and_then(|number| number.round_sf(SHOWN_DIGITS));
    shown.map_or(Cow::Borrowed(text), |number| Cow::Owned(number.normalize().to_string()))
}

/// Reads a tidied text. `unit` is the expected unit; zero counts as "not measured".
#[must_use]
pub fn read(text: &str, mark: DecimalMark, unit: Option<&str>) -> NumberRead {
    if text.is_empty() {
        return NumberRead::Absent;
    }
    if says_nothing(text) {
        return NumberRead::NotMeasured;
    }
    if let Some(meant) = as_date(text) {
        return NumberRead::IsDate(meant);
    }
    let split = text.find(|character: char| character.is_alphabetic()).unwrap_or(text.len());
    let digits = text[..split].trim();
    let letters: String = text[split..].trim_end_matches('.').to_lowercase().split_whitespace().collect();
    if !letters.is_empty() && !unit::is_known(&letters) {
        return NumberRead::Unreadable;
    }
    let Some((value, colon)) = decimal(digits, mark) else {
        return if has_thousands(digits) { NumberRead::Thousands } else { NumberRead::Unreadable };
    };
    if value.is_zero() {
        return NumberRead::NotMeasured;
    }
    let expected = unit.is_some_and(|unit| unit::means(&letters, unit));
    let note = if colon { Some(Note::Colon) } else { expected.then_some(Note::UnitInside) };
    NumberRead::Number { value, note, unit: (!letters.is_empty()).then_some(letters) }
}

/// Reads a number that the source computed itself; zero and negative numbers are values.
#[must_use]
pub fn computed(text: &str, mark: DecimalMark) -> Option<Decimal> {
    decimal(text.trim_start_matches('+'), mark).map(|(value, _)| value)
}

/// A plain number and whether a colon stands for its decimal mark.
fn decimal(text: &str, mark: DecimalMark) -> Option<(Decimal, bool)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let marks: Vec<(usize, char)> = digits.char_indices().filter(|(_, byte)| !byte.is_ascii_digit()).collect();
    if count == 0 || count > DIGITS_MAX {
        return None;
    }
    let own = if mark == DecimalMark::Comma { ',' } else { '.' };
    let (whole, fraction, sign) = match marks.as_slice() {
        [] => (digits, "", own),
        [(at, sign @ ('.' | ',' | ':'))] => (&digits[..*at], &digits[at + 1..], *sign),
        _ => return None,
    };
    // `12.500` where the comma is the decimal mark may be twelve thousand five hundred: two readings, none chosen.
    if whole.is_empty() || (!marks.is_empty() && fraction.is_empty()) || (sign != own && fraction.len() > 2) {
        return None;
    }
    let minus = if digits.len() == text.len() { "" } else { "-" };
    let plain = if fraction.is_empty() { format!("{minus}{whole}") } else { format!("{minus}{whole}.{fraction}") };
    plain.parse().ok().map(|value| (value, sign == ':' && !marks.is_empty()))
}

/// Whether the digits stand in groups as those of thousands do: `12.500`, `1.234,5`.
fn has_thousands(digits: &str) -> bool {
    let mut groups = digits.split(['.', ',']);
    let is_number = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let first = groups.next().is_some_and(|first| is_number(first) && first.len() <= 3);
    let second = groups.next().is_some_and(|second| is_number(second) && second.len() == 3);
    first && second && groups.all(is_number)
}

/// `day.month` of a text that a spreadsheet shows as a date.
pub(super) fn as_date(text: &str) -> Option<String> {
    let meant = |day: i8, month: i8| format!("{day}.{month}");
    let styles = [DateStyle::Iso, DateStyle::DayFirst, DateStyle::MonthName];
    if let DateRead::Date(found) = date::read(text, &styles) {
        return Some(meant(found.day(), found.month()));
    }
    let parts: Vec<&str> = text.split(|byte: char| "-/. ".contains(byte)).filter(|part| !part.is_empty()).collect();
    let day = |part: &str| part.parse::<i8>().ok().filter(|day| (1..=31).contains(day));
    let [first, second, ..] = parts.as_slice() else { return None };
    if parts.len() > 3 {
        return None;
    }
    let (day, month) = match (day(first), month_of(second), month_of(first), day(second)) {
        (Some(day), Some(month), _, _) | (_, _, Some(month), Some(day)) => (day, month),
        (Some(day), None, None, Some(month)) if text.contains('/') && parts.len() == 2 => (day, month),
        _ => return None,
    };
    // A day that exists in some year; 2024 has a 29 February.
    Date::new(2024, month, day).ok().map(|_| meant(day, month))
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn number(text: &str) -> NumberRead {
        NumberRead::Number { value: text.parse().unwrap_or_default(), note: None, unit: None }
    }

    #[test]
    fn numbers_with_either_mark() {
        assert_eq!(read("8,4", DecimalMark::Comma, None), number("8.4"));
        assert_eq!(read("8.4", DecimalMark::Comma, None), number("8.4"));
        assert_eq!(read("12,500", DecimalMark::Comma, None), number("12.500"));
        assert_eq!(read("12.500", DecimalMark::Comma, None), NumberRead::Thousands);
        assert_eq!(read("1.234,5", DecimalMark::Comma, None), NumberRead::Thousands);
        assert_eq!(read("8400", DecimalMark::Point, None), number("8400"));
        assert_eq!(read("-3", DecimalMark::Point, None), number("-3"));
    }

    #[test]
    fn the_noise_of_computed_numbers_is_not_shown() {
        for (kept, shown) in [
            ("11.200000000000001", "11.2"),
            ("11.199999999999999", "11.2"),
            ("11.20000000001", "11.20000000001"),
            ("1001014512240001", "1001014512240001"),
            ("menangis.menangis.menangis", "menangis.menangis.menangis"),
        ] {
            assert_eq!(as_shown(kept), shown);
        }
    }

    #[test]
    fn notes_on_the_writing() {
        let NumberRead::Number { value, note, unit } = read("48,2 kg", DecimalMark::Comma, Some("kg")) else {
            panic!()
        };
        assert_eq!((value.to_string().as_str(), note, unit.as_deref()), ("48.2", Some(Note::UnitInside), Some("kg")));
        let NumberRead::Number { value, note, .. } = read("12:5", DecimalMark::Comma, None) else { panic!() };
        assert_eq!((value.to_string().as_str(), note), ("12.5", Some(Note::Colon)));
    }

    #[test]
    fn units_of_all_groups() {
        for (text, unit) in [("120 mmHg", "mm[Hg]"), ("110 mg/dL", "mg/dL"), ("11,5 g/dl", "g/dL"), ("28 mgg", "wk")] {
            let read = read(text, DecimalMark::Comma, Some(unit));
            assert!(matches!(read, NumberRead::Number { note: Some(Note::UnitInside), .. }), "{text}: {read:?}");
        }
        let other = read("7 bulan", DecimalMark::Comma, Some("wk"));
        assert!(matches!(other, NumberRead::Number { note: None, unit: Some(_), .. }), "{other:?}");
    }

    #[test]
    fn not_measured_is_not_zero() {
        for text in ["0", "0,0", "-", "—", "0.00 kg"] {
            assert_eq!(read(text, DecimalMark::Comma, Some("kg")), NumberRead::NotMeasured, "{text}");
        }
        assert_eq!(read("", DecimalMark::Comma, None), NumberRead::Absent);
    }

    #[test]
    fn numbers_that_a_spreadsheet_turned_into_dates() {
        for text in ["27-Mar", "27.Mar", "Mar-27", "27/03/2026", "2026-03-27 00:00:00", "27/3", "27 Maret"] {
            assert_eq!(read(text, DecimalMark::Comma, None), NumberRead::IsDate("27.3".into()), "{text}");
        }
    }

    #[test]
    fn what_is_no_number() {
        for text in ["menangis", "8,4,5", "kg", "1e5", "12345678901", ",5", "8,", "٨", "8 9", "½"] {
            assert_eq!(read(text, DecimalMark::Comma, Some("kg")), NumberRead::Unreadable, "{text}");
        }
    }
}
