//! Blood pressure: two numbers, in one cell or in two, the upper one larger.
//!
//! It must not exchange them: which of the two was meant is for a person to say.

use rust_decimal::Decimal;

use super::Value;
use super::draft::{Draft, Scene};
use super::measurement::is_possible;
use super::number::as_date;
use super::words::{says_nothing, shown};
use crate::issue::{Code, Issue};
use crate::source::cells::CellKind;

/// What stands between the two numbers.
const SEPARATORS: [char; 4] = ['/', '-', '\\', '|'];
/// Most digits of each number.
const DIGITS_MAX: usize = 3;

/// Reads both numbers from the cell that `sistole` and `diastole` share.
pub fn read(draft: &mut Draft<'_>, name: &str, months: Option<i64>, scene: &mut Scene<'_>) {
    // The cell is read once, with the first of the two fields.
    if name != "sistole" {
        return;
    }
    let Some(cell) = draft.written(name, scene.row) else { return };
    if draft.is_broken(name, &cell, scene) {
        return;
    }
    if says_nothing(&cell.text) || cell.text.trim_matches('0').is_empty() {
        return draft.report(Issue::information(Code::Value, "number.not_measured"), name, scene);
    }
    let Some(pair) = pair_of(&cell.text).filter(|_| cell.kind != CellKind::Date) else {
        let is_date = cell.kind == CellKind::Date || as_date(&cell.text).is_some();
        let rule = if is_date { "blood_pressure.is_date" } else { "blood_pressure.unreadable" };
        return draft.report(Issue::error(Code::Value, rule).with("nilai", shown(&cell.text)), name, scene);
    };
    for (name, value) in [("sistole", pair.0), ("diastole", pair.1)] {
        let Some(field) = draft.field(name) else { continue };
        if is_possible(draft, field, Decimal::from(value), months, &value.to_string(), scene) {
            draft.set(name, Value::Integer(value), cell.column.as_ref());
        }
    }
}

/// Holds a pair whose upper number is not the larger one.
pub fn compare(draft: &Draft<'_>, scene: &mut Scene<'_>) {
    let (Some(Value::Integer(upper)), Some(Value::Integer(lower))) =
        (draft.record().get("sistole"), draft.record().get("diastole"))
    else {
        return;
    };
    if upper <= lower {
        let issue = Issue::error(Code::Invariant, "blood_pressure.swapped");
        draft.report(issue.with("sistole", upper).with("diastole", lower), "sistole", scene);
    }
}

/// Both numbers of `120/80`, `120 / 80 mmHg`, `120-80`.
fn pair_of(text: &str) -> Option<(i64, i64)> {
    let lower = text.to_lowercase();
    let compact: String = lower.split_whitespace().collect();
    let (first, second) = compact.trim_end_matches('.').trim_end_matches("mmhg").split_once(SEPARATORS)?;
    let number = |part: &str| {
        let part = part.trim_end_matches("mmhg");
        let fits = !part.is_empty() && part.len() <= DIGITS_MAX && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse().ok()).flatten()
    };
    // `12/8` may be a day in August as well as a pair in another unit; it is out of range either way.
    Some((number(first)?, number(second)?)).filter(|_| first.len() + second.len() > 4 || as_date(text).is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_as_the_field_writes_them() {
        for text in ["120/80", "120 / 80 mmHg", "120-80", "120/80mmhg.", "120|80"] {
            assert_eq!(pair_of(text), Some((120, 80)), "{text}");
        }
        for text in ["120", "120/", "/80", "120/80/70", "12/8", "tinggi", "1200/80", "12O/80"] {
            assert_eq!(pair_of(text), None, "{text}");
        }
    }
}
