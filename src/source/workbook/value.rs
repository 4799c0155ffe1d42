//! A cell's value as text, the same for every kind of workbook.
//!
//! It must not round or guess: a number is written with the fewest digits that mean exactly it, a date only where the
//! cell's format says that it is one.

use std::fmt::Write;

use calamine::{CellErrorType, Data, DataRef, ExcelDateTime};
use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

use crate::source::cells::CellKind;

/// Seconds of a day.
const DAY_SECONDS: f64 = 86_400.0;
/// Milliseconds from which a second is rounded up: spreadsheets keep times as fractions of a day.
const HALF_SECOND_MS: u16 = 500;
/// The last day of spreadsheets, 9999-12-31, as a serial number.
const LAST_DAY: f64 = 2_958_466.0;
/// Up to this size, 2^53, every integer has its own number.
const INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// A value as the parser gives it.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Nothing.
    Empty,
    /// Text.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Boolean(bool),
    /// A number in a cell whose format is a date, a time or a duration.
    Serial(ExcelDateTime),
    /// A date or time as text.
    Iso(&'a str),
    /// A duration as text.
    Duration(&'a str),
    /// An error.
    Error(&'a CellErrorType),
}

impl<'a> From<&'a DataRef<'_>> for Value<'a> {
    fn from(data: &'a DataRef<'_>) -> Self {
        match data {
            DataRef::Empty => Self::Empty,
            DataRef::String(text) => Self::Text(text),
            DataRef::SharedString(text) => Self::Text(text),
            DataRef::Float(number) => Self::Number(*number),
            DataRef::Int(number) => Self::Integer(*number),
            DataRef::Bool(truth) => Self::Boolean(*truth),
            DataRef::DateTime(serial) => Self::Serial(*serial),
            DataRef::DateTimeIso(text) => Self::Iso(text),
            DataRef::DurationIso(text) => Self::Duration(text),
            DataRef::Error(error) => Self::Error(error),
        }
    }
}

impl<'a> From<&'a Data> for Value<'a> {
    fn from(data: &'a Data) -> Self {
        match data {
            Data::Empty => Self::Empty,
            Data::String(text) => Self::Text(text),
            Data::Float(number) => Self::Number(*number),
            Data::Int(number) => Self::Integer(*number),
            Data::Bool(truth) => Self::Boolean(*truth),
            Data::DateTime(serial) => Self::Serial(*serial),
            Data::DateTimeIso(text) => Self::Iso(text),
            Data::DurationIso(text) => Self::Duration(text),
            Data::Error(error) => Self::Error(error),
        }
    }
}

/// Appends a value's text and tells its kind.
pub fn push(out: &mut String, value: Value<'_>) -> CellKind {
    // Writing to a string cannot fail.
    match value {
        Value::Empty => CellKind::Text,
        Value::Text(text) => {
            out.push_str(text);
            CellKind::Text
        }
        Value::Number(number) => push_number(out, number),
        Value::Integer(number) => {
            let _ = write!(out, "{number}");
            CellKind::Number
        }
        Value::Boolean(truth) => {
            out.push(if truth { '1' } else { '0' });
            CellKind::Boolean
        }
        Value::Serial(serial) => push_serial(out, serial),
        Value::Iso(text) => push_iso(out, text),
        Value::Duration(text) => match text.parse::<SignedDuration>() {
            Ok(duration) => push_duration(out, duration.as_secs()),
            Err(_) => push(out, Value::Text(text)),
        },
        Value::Error(error) => {
            let _ = write!(out, "{error}");
            CellKind::Error
        }
    }
}

fn push_number(out: &mut String, number: f64) -> CellKind {
    if !number.is_finite() {
        out.push_str("#NUM!");
        return CellKind::Error;
    }
    let _ = if number.fract() == 0.0 && number.abs() < INTEGER_MAX {
        write!(out, "{}", number as i64)
    } else {
        write!(out, "{number}")
    };
    CellKind::Number
}

fn push_serial(out: &mut String, serial: ExcelDateTime) -> CellKind {
    let number = serial.as_f64();
    if serial.is_duration() || (0.0..1.0).contains(&number) {
        // A time of day without a day is no date.
        return push_duration(out, (number * DAY_SECONDS).round() as i64);
    }
    let moment = if (1.0..LAST_DAY).contains(&number) { moment(serial) } else { None };
    match moment {
        Some(moment) => push_moment(out, moment),
        None => push_number(out, number),
    }
}

fn moment(serial: ExcelDateTime) -> Option<DateTime> {
    let (year, month, day, hour, minute, second, milliseconds) = serial.to_ymd_hms_milli();
    let whole = |part: u8| i8::try_from(part).ok();
    let date = Date::new(i16::try_from(year).ok()?, whole(month)?, whole(day)?).ok()?;
    let time = Time::new(whole(hour)?, whole(minute)?, whole(second)?, 0).ok()?;
    let rest = i64::from(milliseconds >= HALF_SECOND_MS);
    date.to_datetime(time).checked_add(SignedDuration::from_secs(rest)).ok()
}

fn push_moment(out: &mut String, moment: DateTime) -> CellKind {
    let _ = if moment.time() == Time::midnight() {
        write!(out, "{}", moment.date())
    } else {
        write!(out, "{} {}", moment.date(), moment.strftime("%H:%M:%S"))
    };
    CellKind::Date
}

fn push_iso(out: &mut String, text: &str) -> CellKind {
    match (text.parse::<DateTime>(), text.parse::<Date>()) {
        (Ok(moment), _) => push_moment(out, moment),
        (Err(_), Ok(date)) => push_moment(out, date.to_datetime(Time::midnight())),
        (Err(_), Err(_)) => push(out, Value::Text(text)),
    }
}

fn push_duration(out: &mut String, seconds: i64) -> CellKind {
    let sign = if seconds < 0 { "-" } else { "" };
    let seconds = seconds.unsigned_abs();
    let _ = write!(out, "{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    CellKind::Text
}

#[cfg(test)]
mod tests {
    use super::*;
    use calamine::ExcelDateTimeType;

    fn text(value: Value<'_>) -> (String, CellKind) {
        let mut out = String::new();
        let kind = push(&mut out, value);
        (out, kind)
    }

    #[test]
    fn a_number_is_written_exactly() {
        for (number, expected) in [
            (10.4, "10.4"),
            (3.0, "3"),
            (-0.0, "0"),
            (1e15, "1000000000000000"),
            (1_001_014_512_240_001.0, "1001014512240001"),
            (1e17, "100000000000000000"),
            (0.000_001, "0.000001"),
        ] {
            assert_eq!(text(Value::Number(number)), (expected.to_owned(), CellKind::Number));
        }
        assert_eq!(text(Value::Number(f64::NAN)), ("#NUM!".to_owned(), CellKind::Error));
    }

    #[test]
    fn a_date_is_one_by_its_format() {
        let serial = |number, kind, old_mac| Value::Serial(ExcelDateTime::new(number, kind, old_mac));
        let moment = ExcelDateTimeType::DateTime;
        for (value, expected, kind) in [
            (serial(46_344.0, moment, false), "2026-11-18", CellKind::Date),
            (serial(44_882.0, moment, true), "2026-11-18", CellKind::Date),
            (serial(46_344.354_166_666_66, moment, false), "2026-11-18 08:30:00", CellKind::Date),
            (serial(46_343.999_999_999, moment, false), "2026-11-18", CellKind::Date),
            (serial(0.354_166_666_666_66, moment, false), "08:30:00", CellKind::Text),
            (serial(1.5, ExcelDateTimeType::TimeDelta, false), "36:00:00", CellKind::Text),
            (serial(60.0, moment, false), "60", CellKind::Number),
            (serial(-3.0, moment, false), "-3", CellKind::Number),
            (serial(9e9, moment, false), "9000000000", CellKind::Number),
            (Value::Iso("2026-11-18T00:00:00"), "2026-11-18", CellKind::Date),
            (Value::Iso("2026-11-18"), "2026-11-18", CellKind::Date),
            (Value::Iso("kemarin"), "kemarin", CellKind::Text),
            (Value::Duration("PT08H30M00S"), "08:30:00", CellKind::Text),
        ] {
            assert_eq!(text(value), (expected.to_owned(), kind));
        }
    }
}
