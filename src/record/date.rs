//! Dates as the field writes them, read in the styles a source declares.
//!
//! It must not choose between two readings: a two-digit year or a month in the wrong place stays ambiguous
//! (faults, row 42).

use jiff::ToSpan;
use jiff::civil::{Date, Time, date};

use crate::source::profile::field::DateStyle;

/// Earliest service date that SATUSEHAT takes.
pub const FLOOR: Date = date(2014, 6, 3);
/// Day that spreadsheets count from, so that serial 36526 is 2000-01-01.
const SERIAL_DAY_ZERO: Date = date(1899, 12, 30);
/// Serial numbers taken for dates: 1980-01-01 to 2099-12-31.
const SERIALS: std::ops::RangeInclusive<i64> = 29221..=73050;
/// Earliest year that is taken for a date of a living person.
const YEAR_MIN: i16 = 1900;

/// Month names and their usual short forms, Indonesian and English.
const MONTHS: [&[&str]; 12] = [
    &["jan", "januari", "january"],
    &["feb", "februari", "february", "peb", "pebruari"],
    &["mar", "maret", "march", "mrt"],
    &["apr", "april"],
    &["mei", "may"],
    &["jun", "juni", "june"],
    &["jul", "juli", "july"],
    &["agu", "agustus", "august", "aug", "ags", "agt", "agust"],
    &["sep", "sept", "september"],
    &["okt", "oktober", "october", "oct"],
    &["nov", "november", "nop", "nopember"],
    &["des", "desember", "december", "dec"],
];

/// What a date cell says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateRead {
    /// One day.
    Date(Date),
    /// More than one day could be meant.
    Ambiguous,
    /// No day that exists, in none of the declared styles.
    Unreadable,
}

/// The month, 1 to 12, of a name or its short form.
#[must_use]
pub fn month_of(word: &str) -> Option<i8> {
    let word = word.to_lowercase();
    let at = MONTHS.iter().position(|names| names.contains(&word.as_str()))?;
    i8::try_from(at + 1).ok()
}

/// Reads a tidied text.
#[must_use]
pub fn read(text: &str, styles: &[DateStyle]) -> DateRead {
    if !text.is_ascii() {
        return DateRead::Unreadable;
    }
    let day = without_time(text);
    let parts: Vec<&str> = day.split(|byte: char| "-/. ,".contains(byte)).filter(|part| !part.is_empty()).collect();
    let mut best = DateRead::Unreadable;
    for style in styles {
        let found = match style {
            DateStyle::Iso => iso(&parts),
            DateStyle::DayFirst => day_first(&parts),
            DateStyle::MonthName => month_name(&parts),
            DateStyle::Serial => serial(day),
        };
        match found {
            DateRead::Date(_) => return found,
            DateRead::Ambiguous => best = found,
            DateRead::Unreadable => {}
        }
    }
    best
}

/// Completed months from one day to a later one; negative when it is earlier.
#[must_use]
pub fn months_between(from: Date, to: Date) -> i64 {
    let months = i64::from(to.year() - from.year()) * 12 + i64::from(to.month() - from.month());
    months - i64::from(to.day() < from.day())
}

/// A time of day such as `08:00` or `8.00`.
#[must_use]
pub fn time(text: &str) -> Option<Time> {
    let mut parts = text.split([':', '.']);
    let hour = parts.next()?.trim().parse().ok()?;
    let minute = parts.next()?.trim().parse().ok()?;
    let second = parts.next().map_or(Some(0), |second| second.trim().parse().ok())?;
    Time::new(hour, minute, second, 0).ok()
}

/// The day of a text that also gives a time. A time with a zone mark is left: its day depends on the zone.
fn without_time(text: &str) -> &str {
    let Some(at) = text.find([' ', 'T']).filter(|at| text[..*at].len() >= 8) else { return text };
    let rest = text[at + 1..].trim();
    let is_time = !rest.is_empty()
        && rest.contains(':')
        && rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
    if is_time { &text[..at] } else { text }
}

fn number(part: &str) -> Option<i16> {
    if part.len() > 4 || !part.bytes().all(|byte| byte.is_ascii_digit()) { None } else { part.parse().ok() }
}

fn day_of(year: i16, month: i16, day: i16) -> DateRead {
    let made =
        i8::try_from(month).ok().zip(i8::try_from(day).ok()).and_then(|(month, day)| Date::new(year, month, day).ok());
    match made {
        Some(made) if year >= YEAR_MIN => DateRead::Date(made),
        _ => DateRead::Unreadable,
    }
}

fn iso(parts: &[&str]) -> DateRead {
    let [year, month, day] = parts else { return DateRead::Unreadable };
    match (number(year), number(month), number(day)) {
        (Some(y), Some(m), Some(d)) if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => day_of(y, m, d),
        _ => DateRead::Unreadable,
    }
}

fn day_first(parts: &[&str]) -> DateRead {
    let [day, month, year] = parts else { return DateRead::Unreadable };
    match (number(day), number(month), number(year)) {
        (Some(_), Some(_), Some(_)) if day.len() <= 2 && month.len() <= 2 && year.len() == 2 => DateRead::Ambiguous,
        (Some(d), Some(m), Some(y)) if day.len() <= 2 && month.len() <= 2 && year.len() == 4 => {
            // Month first, in a source that puts the day first: whoever wrote this may have swapped others too.
            if m > 12 && d <= 12 && matches!(day_of(y, d, m), DateRead::Date(_)) {
                return DateRead::Ambiguous;
            }
            day_of(y, m, d)
        }
        _ => DateRead::Unreadable,
    }
}

fn month_name(parts: &[&str]) -> DateRead {
    let [day, month, year] = parts else { return DateRead::Unreadable };
    match (number(day), month_of(month), number(year)) {
        (Some(_), Some(_), Some(_)) if year.len() == 2 => DateRead::Ambiguous,
        (Some(d), Some(m), Some(y)) if day.len() <= 2 && year.len() == 4 => day_of(y, i16::from(m), d),
        _ => DateRead::Unreadable,
    }
}

fn serial(text: &str) -> DateRead {
    let days = text.strip_suffix(".0").unwrap_or(text).parse::<i64>().ok().filter(|days| SERIALS.contains(days));
    let found = days.and_then(|days| SERIAL_DAY_ZERO.checked_add(days.days()).ok());
    found.map_or(DateRead::Unreadable, DateRead::Date)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DateStyle; 4] = [DateStyle::DayFirst, DateStyle::Iso, DateStyle::MonthName, DateStyle::Serial];

    #[test]
    fn dates_in_all_styles() {
        for (text, expected) in [
            ("18/11/2026", date(2026, 11, 18)),
            ("6-11-2026", date(2026, 11, 6)),
            ("2026-11-18 00:00:00", date(2026, 11, 18)),
            ("2026-11-18T08:30:00", date(2026, 11, 18)),
            ("6 Nov 2026", date(2026, 11, 6)),
            ("15 nopember 2022", date(2022, 11, 15)),
            ("12 April 2001", date(2001, 4, 12)),
            ("36526", date(2000, 1, 1)),
            ("29/02/2024", date(2024, 2, 29)),
        ] {
            assert_eq!(read(text, &ALL), DateRead::Date(expected), "{text}");
        }
    }

    #[test]
    fn what_has_two_readings_stays_ambiguous() {
        for text in ["18/11/26", "11/18/2026", "6 Nov 26"] {
            assert_eq!(read(text, &ALL), DateRead::Ambiguous, "{text}");
        }
    }

    #[test]
    fn what_is_no_day_is_unreadable() {
        for text in
            ["31/02/2026", "29/02/2023", "kemarin", "99999", "2026-11-18T08:30:00Z", "0000-00-00", "15 nop", "١"]
        {
            assert_eq!(read(text, &ALL), DateRead::Unreadable, "{text}");
        }
        assert_eq!(read("6 Nov 2026", &[DateStyle::Iso]), DateRead::Unreadable);
    }

    #[test]
    fn months_are_completed_months() {
        assert_eq!(months_between(date(2024, 11, 18), date(2026, 11, 18)), 24);
        assert_eq!(months_between(date(2024, 11, 19), date(2026, 11, 18)), 23);
    }
}
