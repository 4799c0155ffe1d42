//! Weight, height and girths: the number, its unit, and whether a child of that age can have it.
//!
//! It must not repair. A value in grams, metres or millimetres is held with the value that was probably meant, for
//! a person to confirm (faults, row 49).

use rust_decimal::Decimal;

use super::Value;
use super::draft::{Draft, Scene};
use super::number::{self, Note, NumberRead};
use super::words::shown;
use crate::issue::{Code, Issue};

/// Weight above which a written number cannot be kilograms of a child.
const GRAMS_FROM: u32 = 100;
/// Rough weights by age, in months, kg: until month, least, most. Far wider than the WHO flag limits at each age;
/// used only to tell whether a mis-scaled number has exactly one reading.
const WEIGHTS: [(i64, f32, f32); 6] =
    [(2, 1.0, 9.0), (5, 2.0, 13.0), (11, 3.0, 17.0), (23, 4.0, 24.0), (59, 5.0, 40.0), (71, 7.0, 50.0)];

/// A measured field and the rules it reports.
struct Measure {
    field: &'static str,
    out_of_range: &'static str,
    unreadable: &'static str,
    is_date: &'static str,
}

/// The measured fields of `kunjungan_balita`.
const MEASURES: [Measure; 4] = [
    Measure {
        field: "bb",
        out_of_range: "weight.out_of_range",
        unreadable: "weight.unreadable",
        is_date: "weight.is_date",
    },
    Measure {
        field: "pb_tb",
        out_of_range: "height.out_of_range",
        unreadable: "height.unreadable",
        is_date: "height.is_date",
    },
    Measure {
        field: "lingkar_kepala",
        out_of_range: "head.out_of_range",
        unreadable: "head.unreadable",
        is_date: "head.is_date",
    },
    Measure {
        field: "lila",
        out_of_range: "lila.out_of_range",
        unreadable: "lila.unreadable",
        is_date: "lila.is_date",
    },
];

/// Reads all measured fields of a visit. `months` is the age in completed months, when it is known.
pub fn read(draft: &mut Draft<'_>, months: Option<i64>, scene: &mut Scene<'_>) {
    for measure in &MEASURES {
        read_one(draft, measure, months, scene);
    }
}

fn read_one(draft: &mut Draft<'_>, measure: &Measure, months: Option<i64>, scene: &mut Scene<'_>) {
    let name = measure.field;
    let (Some(field), Some(cell)) = (draft.field(name), draft.written(name, scene.row)) else { return };
    let unit = field.unit.as_deref();
    let (value, note, written_unit) = match number::read(&cell.text, scene.profile.decimal, unit) {
        NumberRead::Absent => return,
        NumberRead::NotMeasured => {
            return draft.report(Issue::information(Code::Value, "number.not_measured"), name, scene);
        }
        NumberRead::IsDate(meant) => {
            let issue = Issue::error(Code::Value, measure.is_date).with("usul", meant);
            return draft.report(issue, name, scene);
        }
        NumberRead::Unreadable => {
            let issue = Issue::error(Code::Value, measure.unreadable).with("nilai", shown(&cell.text));
            return draft.report(issue, name, scene);
        }
        NumberRead::Number { value, note, unit } => (value, note, unit),
    };
    if let Some(issue) = wrong_scale(draft, name, value, written_unit.as_deref(), months) {
        return draft.report(issue.with("nilai", &cell.text), name, scene);
    }
    let unit_fits = written_unit.is_none() || written_unit.as_deref() == unit;
    if let Some(hard) = field.hard_at(months).filter(|hard| !unit_fits || !hard.holds(value)) {
        let issue = Issue::error(Code::Value, measure.out_of_range)
            .with("nilai", &cell.text)
            .with("bawah", hard.minimum)
            .with("atas", hard.maximum)
            .with("satuan", unit.unwrap_or_default());
        return draft.report(issue, name, scene);
    }
    if let Some(soft) = field.soft.filter(|soft| !soft.holds(value)) {
        let issue = Issue::warning(Code::Value, "number.unusual")
            .with("nilai", value.normalize())
            .with("bawah", soft.minimum)
            .with("atas", soft.maximum)
            .with("satuan", unit.unwrap_or_default());
        draft.report(issue, name, scene);
    }
    match note {
        Some(Note::UnitInside) => {
            draft.report(Issue::information(Code::Value, "number.unit_inside"), name, scene);
        }
        Some(Note::Colon) => {
            let issue = Issue::warning(Code::Value, "number.colon").with("nilai", value.normalize());
            draft.report(issue, name, scene);
        }
        None => {}
    }
    draft.set(name, Value::Decimal(value), Some(&cell.column));
}

/// A number that only makes sense in another unit, with the value in the expected one.
fn wrong_scale(
    draft: &Draft<'_>,
    name: &str,
    value: Decimal,
    unit: Option<&str>,
    months: Option<i64>,
) -> Option<Issue> {
    let held =
        |rule: &'static str, meant: Decimal| Some(Issue::error(Code::Value, rule).with("usul", meant.normalize()));
    let range = draft.field(name)?.hard_at(months)?;
    let thousand = Decimal::from(1000);
    match name {
        "bb" => {
            let grams_written = matches!(unit, Some("g" | "gr" | "gram"));
            let kilograms = value / thousand;
            let only_reading = !possible_weight(value / Decimal::from(100), months)
                && !possible_weight(value / Decimal::from(10), months);
            let grams = grams_written || (unit.is_none() && value > Decimal::from(GRAMS_FROM) && only_reading);
            if grams && possible_weight(kilograms, months) { held("weight.grams", kilograms) } else { None }
        }
        "pb_tb" => {
            let metres = value * Decimal::from(100);
            let millimetres = value / Decimal::from(10);
            if matches!(unit, None | Some("m")) && !range.holds(value) && range.holds(metres) {
                held("height.metres", metres)
            } else if matches!(unit, None | Some("mm")) && !range.holds(value) && range.holds(millimetres) {
                held("height.millimetres", millimetres)
            } else {
                None
            }
        }
        _ => None,
    }
}

fn possible_weight(kilograms: Decimal, months: Option<i64>) -> bool {
    let months = months.unwrap_or(WEIGHTS[4].0);
    let row = WEIGHTS.iter().find(|(until, _, _)| months <= *until);
    row.is_some_and(|(_, least, most)| {
        let bound = |bound: f32| Decimal::try_from(bound).unwrap_or_default();
        bound(*least) <= kilograms && kilograms <= bound(*most)
    })
}
