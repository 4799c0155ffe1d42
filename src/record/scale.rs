//! Numbers that only make sense in another scale: grams, metres, millimetres, a lost decimal point.
//!
//! It must not change a value. It proposes one only when exactly one reading is possible (posyandu records, M8).

use rust_decimal::Decimal;

use super::schema::Field;

/// Weight above which a written number cannot be kilograms of a newborn or toddler.
const GRAMS_FROM: u32 = 100;
/// Rough weights by age, in months, kg: until month, least, most. Far wider than the WHO flag limits at each age;
/// used only to tell whether a mis-scaled number has exactly one reading.
const WEIGHTS: [(i64, f32, f32); 6] =
    [(2, 1.0, 9.0), (5, 2.0, 13.0), (11, 3.0, 17.0), (23, 4.0, 24.0), (59, 5.0, 40.0), (71, 7.0, 50.0)];

/// The rule of a number in another scale and the value that was probably meant, in the field's unit. `unit` is what
/// stands behind the number.
#[must_use]
pub fn probably_meant(
    field: &Field,
    value: Decimal,
    unit: Option<&str>,
    months: Option<i64>,
) -> Option<(&'static str, Decimal)> {
    let range = field.hard_at(months)?;
    let is_foreign = unit.is_some_and(|unit| matches!(unit, "g" | "gr" | "gram" | "m" | "mm"));
    if range.holds(value) && !is_foreign {
        return None;
    }
    match field.unit.as_deref() {
        Some("kg") => weight(field, value, unit, months),
        Some("cm") => length(field, value, unit, months),
        Some("g/dL") if unit.is_none() => only(vec![without_point(value, 10)], |value| range.holds(value)),
        _ => None,
    }
}

/// A reading: its rule and the value.
type Reading = (&'static str, Decimal);

fn without_point(value: Decimal, by: u32) -> Reading {
    ("measure.without_point", value / Decimal::from(by))
}

/// The one possible reading; `None` when there are none or several.
fn only(readings: Vec<Reading>, possible: impl Fn(Decimal) -> bool) -> Option<Reading> {
    let mut fitting = readings.into_iter().filter(|(_, value)| possible(*value));
    let first = fitting.next()?;
    fitting.next().is_none().then_some(first)
}

fn weight(field: &Field, value: Decimal, unit: Option<&str>, months: Option<i64>) -> Option<Reading> {
    let toddler = field.name == "bb" && field.hard_until_month.is_some();
    let possible = |value: Decimal| {
        if toddler {
            possible_weight(value, months)
        } else {
            field.hard_at(months).is_some_and(|range| range.holds(value))
        }
    };
    let grams = ("weight.grams", value / Decimal::from(1000));
    match unit {
        Some("g" | "gr" | "gram") => only(vec![grams], possible),
        // Applications lose two digits of a weight; one digit only shows from three digits on.
        None if value > Decimal::from(GRAMS_FROM) => {
            only(vec![grams, without_point(value, 100), without_point(value, 10)], possible)
        }
        _ => None,
    }
}

fn length(field: &Field, value: Decimal, unit: Option<&str>, months: Option<i64>) -> Option<Reading> {
    let possible = |value: Decimal| field.hard_at(months).is_some_and(|range| range.holds(value));
    let height = matches!(field.name.as_str(), "pb_tb" | "tb" | "pb_lahir");
    let metres = ("height.metres", value * Decimal::from(100));
    let tenth = if height { ("height.millimetres", value / Decimal::from(10)) } else { without_point(value, 10) };
    match unit {
        Some("m") if height => only(vec![metres], possible),
        Some("mm") => only(vec![tenth], possible),
        None if height => only(vec![metres, tenth], possible),
        None => only(vec![tenth], possible),
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
