//! Dates as the field writes them, read in the styles a source declares.
//!
//! It must not choose between two readings: a two-digit year or a month in the wrong place stays ambiguous
//! (faults, row 42).

use jiff::ToSpan;
use jiff::civil::{Date, Time, date};

use crate::source::profile::field::DateStyle;

/// Day that spreadsheets count from, so that serial 36526 is 2000-01-01.
const SERIAL_DAY_ZERO: Date = date(1899, 12, 30);
/// Serial numbers taken for dates: 1927-05-18 to 2099-12-31. Smaller ones may be an age or a year, and below 61 the
/// spreadsheets themselves disagree about the day.
const SERIALS: std::ops::RangeInclusive<i64> = 10_000..=73_050;
/// Zones of Indonesia, as written behind a time; in them the written day is the local day.
const LOCAL_OFFSETS: [&str; 9] = ["+07:00", "+0700", "+07", "+08:00", "+0800", "+08", "+09:00", "+0900", "+09"];
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
    /// A time with a mark of a zone that is not Indonesia's: the local day may be another one.
    Zone,
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
    let Some(day) = without_time(text) else { return DateRead::Zone };
    let parts: Vec<&str> = day.split(|byte: char| "-/. ,".contains(byte)).filter(|part| !part.is_empty()).collect();
    let mut best = DateRead::Unreadable;
    for style in styles {
        let found = match style {
            DateStyle::Iso => iso(&parts),
            DateStyle::DayFirst | DateStyle::MonthFirst => in_digits(&parts, styles),
            DateStyle::MonthName => month_name(&parts),
            DateStyle::Serial => serial(day),
        };
        match found {
            DateRead::Date(_) => return found,
            DateRead::Ambiguous => best = found,
            DateRead::Unreadable | DateRead::Zone => {}
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

/// The day of a text that also gives a time. `None` when the time stands in a zone of elsewhere: its day depends on
/// that zone.
fn without_time(text: &str) -> Option<&str> {
    let Some(at) = text.find([' ', 'T']).filter(|at| text[..*at].len() >= 8) else { return Some(text) };
    let rest = text[at + 1..].trim();
    let clock = rest.find(|byte: char| !byte.is_ascii_digit() && !matches!(byte, ':' | '.')).unwrap_or(rest.len());
    let (clock, zone) = (&rest[..clock], rest[clock..].trim());
    if clock.is_empty() || !clock.contains(':') {
        return Some(text);
    }
    let is_zone = zone.starts_with(['Z', 'z', '+', '-']) || ["UTC", "GMT"].contains(&zone);
    if zone.is_empty() || LOCAL_OFFSETS.contains(&zone) || ["WIB", "WITA", "WIT"].contains(&zone) {
        Some(&text[..at])
    } else if is_zone {
        None
    } else {
        Some(text)
    }
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

/// A date in digits, year last. Where a source writes day and month in either order, a date that is a day both ways
/// stays ambiguous; where it writes one order, a date that only the other order reads does too: whoever wrote it may
/// have swapped others.
fn in_digits(parts: &[&str], styles: &[DateStyle]) -> DateRead {
    let [first, second, year] = parts else { return DateRead::Unreadable };
    if first.len() > 2 || second.len() > 2 {
        return DateRead::Unreadable;
    }
    let (Some(one), Some(two), Some(y)) = (number(first), number(second), number(year)) else {
        return DateRead::Unreadable;
    };
    match year.len() {
        2 => return DateRead::Ambiguous,
        4 => {}
        _ => return DateRead::Unreadable,
    }
    let (day_first, month_first) = (day_of(y, two, one), day_of(y, one, two));
    let is_day = |read: DateRead| matches!(read, DateRead::Date(_));
    match (styles.contains(&DateStyle::DayFirst), styles.contains(&DateStyle::MonthFirst)) {
        (true, true) if is_day(day_first) && is_day(month_first) && day_first != month_first => DateRead::Ambiguous,
        (true, true) => {
            if is_day(day_first) {
                day_first
            } else {
                month_first
            }
        }
        (true, false) if !is_day(day_first) && is_day(month_first) => DateRead::Ambiguous,
        (true, false) => day_first,
        (false, _) if !is_day(month_first) && is_day(day_first) => DateRead::Ambiguous,
        (false, _) => month_first,
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
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fits = |days: &i64| SERIALS.contains(days) && fraction.bytes().all(|digit| digit.is_ascii_digit());
    let days = whole.parse::<i64>().ok().filter(fits);
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
        for text in ["31/02/2026", "29/02/2023", "kemarin", "99999", "60", "2026", "0000-00-00", "15 nop", "١"] {
            assert_eq!(read(text, &ALL), DateRead::Unreadable, "{text}");
        }
        assert_eq!(read("6 Nov 2026", &[DateStyle::Iso]), DateRead::Unreadable);
    }

    #[test]
    fn times_of_other_zones_leave_the_day_open() {
        for text in ["2026-11-18T08:30:00Z", "2026-11-18 20:30:00+00:00", "2026-11-18T08:30:00.000-05:00"] {
            assert_eq!(read(text, &ALL), DateRead::Zone, "{text}");
        }
        for text in ["2026-11-18T00:30:00+07:00", "2026-11-18 00:30:00.5+0900", "2026-11-18 08:30 WITA"] {
            assert_eq!(read(text, &ALL), DateRead::Date(date(2026, 11, 18)), "{text}");
        }
    }

    #[test]
    fn day_and_month_change_places_only_where_a_source_may_do_so() {
        const MONTH: [DateStyle; 1] = [DateStyle::MonthFirst];
        const EITHER: [DateStyle; 2] = [DateStyle::DayFirst, DateStyle::MonthFirst];
        for (text, styles, expected) in [
            ("11/06/2026", &ALL[..], DateRead::Date(date(2026, 6, 11))),
            ("11/06/2026", &MONTH[..], DateRead::Date(date(2026, 11, 6))),
            ("18/11/2026", &MONTH[..], DateRead::Ambiguous),
            ("11/06/2026", &EITHER[..], DateRead::Ambiguous),
            ("11/11/2026", &EITHER[..], DateRead::Date(date(2026, 11, 11))),
            ("11/18/2026", &EITHER[..], DateRead::Date(date(2026, 11, 18))),
            ("18/11/2026", &EITHER[..], DateRead::Date(date(2026, 11, 18))),
            ("11/18/2026", &ALL[..], DateRead::Ambiguous),
        ] {
            assert_eq!(read(text, styles), expected, "{text}");
        }
    }

    /// The only day that two numbers and a year can be, by the orders that a source may use.
    fn only(year: i16, readings: &[(i64, i64)]) -> Option<Date> {
        let day =
            |(day, month): &(i64, i64)| Date::new(year, i8::try_from(*month).ok()?, i8::try_from(*day).ok()?).ok();
        let mut days: Vec<Date> = readings.iter().filter_map(day).collect();
        days.dedup();
        if let [one] = days[..] { Some(one) } else { None }
    }

    /// faults.md, row 42: of all pairs of numbers none is read as a day unless it is one day only.
    #[test]
    fn no_date_is_guessed() {
        const EITHER: [DateStyle; 2] = [DateStyle::DayFirst, DateStyle::MonthFirst];
        for year in [2023_i16, 2024, 2026] {
            for (one, two) in (0..=32_i64).flat_map(|one| (0..=32_i64).map(move |two| (one, two))) {
                for text in [format!("{one}/{two}/{year}"), format!("{one:02}-{two:02}-{year}")] {
                    let of = |styles: &[DateStyle]| match read(&text, styles) {
                        DateRead::Date(day) => Some(day),
                        _ => None,
                    };
                    assert_eq!(of(&EITHER), only(year, &[(one, two), (two, one)]), "{text}");
                    assert_eq!(of(&ALL), only(year, &[(one, two)]), "{text}");
                    assert_eq!(of(&[DateStyle::MonthFirst]), only(year, &[(two, one)]), "{text}");
                    // What cannot be read that way but the other way round is no certain mistake, but a doubt.
                    let doubtful = only(year, &[(one, two)]).is_none() && only(year, &[(two, one)]).is_some();
                    assert_eq!(read(&text, &ALL) == DateRead::Ambiguous, doubtful, "{text}");
                }
                let short = format!("{one}/{two}/{:02}", year % 100);
                for styles in [&ALL[..], &EITHER[..]] {
                    assert!(!matches!(read(&short, styles), DateRead::Date(_)), "{short}");
                }
            }
        }
        for serial in 0..10_000 {
            assert_eq!(read(&serial.to_string(), &ALL), DateRead::Unreadable, "{serial}");
        }
    }

    #[test]
    fn serial_numbers_of_long_lives() {
        assert_eq!(read("10959", &ALL), DateRead::Date(date(1930, 1, 1)));
        assert_eq!(read("46344.354166", &ALL), DateRead::Date(date(2026, 11, 18)));
    }

    #[test]
    fn months_are_completed_months() {
        assert_eq!(months_between(date(2024, 11, 18), date(2026, 11, 18)), 24);
        assert_eq!(months_between(date(2024, 11, 19), date(2026, 11, 18)), 23);
    }
}
