//! Measured numbers of all groups: the number, its unit, and whether a person of that age can have it.
//!
//! It must not repair. A value in another scale is held with the value that was probably meant, for a person to
//! confirm (faults, row 49).

use rust_decimal::Decimal;

use super::Value;
use super::draft::{Draft, Scene, Written};
use super::number::{self, Note, NumberRead};
use super::scale;
use super::schema::{Field, Kind};
use super::unit::for_people;
use super::words::{fold, shown, shown_number};
use crate::issue::{Code, Issue};

/// The rules that a measured field reports.
struct Rules {
    out_of_range: &'static str,
    unreadable: &'static str,
    is_date: &'static str,
}

/// What is measured at every posyandu has sentences of its own; the rest shares one set that names the column.
fn rules(name: &str) -> Rules {
    let (out_of_range, unreadable, is_date) = match name {
        "bb" | "bb_lahir" | "bb_awal" | "bb_bersalin" => ("weight.out_of_range", "weight.unreadable", "weight.is_date"),
        "pb_tb" | "tb" | "pb_lahir" => ("height.out_of_range", "height.unreadable", "height.is_date"),
        "lingkar_kepala" => ("head.out_of_range", "head.unreadable", "head.is_date"),
        "lila" => ("lila.out_of_range", "lila.unreadable", "lila.is_date"),
        _ => ("measure.out_of_range", "measure.unreadable", "measure.is_date"),
    };
    Rules { out_of_range, unreadable, is_date }
}

/// Reads one measured field. `months` is the age in completed months, when it is known.
pub fn read(draft: &mut Draft<'_>, name: &str, months: Option<i64>, scene: &mut Scene<'_>) {
    let (Some(field), Some(cell)) = (draft.field(name), draft.written(name, scene.row)) else { return };
    if draft.is_broken(name, &cell, scene) || beyond_meter(draft, name, &cell, scene) {
        return;
    }
    let rules = rules(name);
    let unit = field.unit.as_deref();
    let (value, note, written_unit) = match number::read(&cell.number(), cell.mark(scene), unit) {
        NumberRead::Absent => return,
        NumberRead::NotMeasured => {
            return draft.report(Issue::information(Code::Value, "number.not_measured"), name, scene);
        }
        NumberRead::IsDate(meant) => {
            let issue = Issue::error(Code::Value, rules.is_date).with("usul", meant);
            return draft.report(issue, name, scene);
        }
        NumberRead::Thousands => {
            let issue = Issue::error(Code::Value, "number.thousands").with("nilai", shown(&cell.text));
            return draft.report(issue, name, scene);
        }
        NumberRead::Unreadable => {
            let issue = Issue::error(Code::Value, rules.unreadable).with("nilai", shown(&cell.text));
            return draft.report(issue, name, scene);
        }
        NumberRead::Number { value, note, unit } => (value, note, unit),
    };
    let printed = is_printed_wrongly(field, written_unit.as_deref());
    let written_unit = written_unit.filter(|_| !printed);
    if let Some((rule, meant)) = scale::probably_meant(field, value, written_unit.as_deref(), months) {
        let issue = Issue::error(Code::Value, rule).with("usul", meant.normalize());
        let issue = issue.with("satuan", unit.map_or("", for_people)).with("nilai", shown_number(&cell.text));
        return draft.report(issue, name, scene);
    }
    if written_unit.is_some_and(|letters| !unit.is_some_and(|unit| super::unit::means(&letters, unit))) {
        return draft.report(out_of_range(&rules, field, field.hard_at(months), &cell.text), name, scene);
    }
    if !is_possible(draft, field, value, months, &cell.text, scene) {
        return;
    }
    let Some(kept) = as_kind(field, value) else {
        let issue = Issue::error(Code::Value, "measure.not_whole").with("nilai", shown_number(&cell.text));
        return draft.report(issue, name, scene);
    };
    if printed {
        draft.report(Issue::warning(Code::Value, "hb.unit_printed"), name, scene);
    }
    match note {
        Some(Note::UnitInside) => draft.report(Issue::information(Code::Value, "number.unit_inside"), name, scene),
        Some(Note::Colon) => {
            let issue = Issue::warning(Code::Value, "number.colon").with("nilai", value.normalize());
            draft.report(issue, name, scene);
        }
        None => {}
    }
    draft.set(name, kept, cell.column.as_ref());
}

/// Whether the number lies in the hard range; tells it when not, and flags what lies outside the soft one.
pub fn is_possible(
    draft: &Draft<'_>,
    field: &Field,
    value: Decimal,
    months: Option<i64>,
    text: &str,
    scene: &mut Scene<'_>,
) -> bool {
    let name = field.name.as_str();
    if let Some(hard) = field.hard_at(months).filter(|hard| !hard.holds(value)) {
        draft.report(out_of_range(&rules(name), field, Some(hard), text), name, scene);
        return false;
    }
    if let Some(soft) = field.soft.filter(|soft| !soft.holds(value)) {
        let issue = Issue::warning(Code::Value, "number.unusual")
            .with("nilai", value.normalize())
            .with("bawah", soft.minimum)
            .with("atas", soft.maximum)
            .with("satuan", field.unit.as_deref().map_or("", for_people));
        draft.report(issue, name, scene);
    }
    if field.from_month.zip(months).is_some_and(|(from, months)| months < from) {
        let years = field.from_month.unwrap_or_default() / 12;
        draft.report(Issue::warning(Code::BusinessRule, "measure.under_age").with("umur", years), name, scene);
    }
    true
}

fn out_of_range(rules: &Rules, field: &Field, hard: Option<super::schema::Range>, text: &str) -> Issue {
    let bound = |bound: Option<Decimal>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    Issue::error(Code::Value, rules.out_of_range)
        .with("nilai", shown_number(text))
        .with("bawah", bound(hard.map(|hard| hard.minimum)))
        .with("atas", bound(hard.map(|hard| hard.maximum)))
        .with("satuan", field.unit.as_deref().map_or("", for_people))
}

/// A number as the field's kind holds it; `None` when a whole number has a fraction.
fn as_kind(field: &Field, value: Decimal) -> Option<Value> {
    if field.kind != Kind::Integer {
        return Some(Value::Decimal(value));
    }
    value.is_integer().then(|| i64::try_from(value).ok().map(Value::Integer)).flatten()
}

/// The card prints mg/dL beside haemoglobin; its values are g/dL and are kept as such (section 2.3).
fn is_printed_wrongly(field: &Field, unit: Option<&str>) -> bool {
    field.name == "hb" && unit.is_some_and(|unit| super::unit::means(unit, "mg/dL"))
}

/// A glucose meter shows HI or LO outside what it can measure: a finding without a number.
fn beyond_meter(draft: &mut Draft<'_>, name: &str, cell: &Written, scene: &mut Scene<'_>) -> bool {
    let side = match fold(&cell.text).as_str() {
        "hi" | "high" => "hi",
        "lo" | "low" => "lo",
        _ => return false,
    };
    if name != "gula_darah_sewaktu" {
        return false;
    }
    draft.report(Issue::warning(Code::Value, "glucose.beyond_meter").with("nilai", side), name, scene);
    draft.set("gula_darah_di_luar_alat", Value::Text(side.to_owned()), cell.column.as_ref());
    true
}
