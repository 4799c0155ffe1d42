//! A visit of any of the six groups: when, how old, what was measured, judged and given.
//!
//! It must not judge growth or health; that needs standards and history. It derives only what follows from birth
//! date and visit date, and says so.

use rust_decimal::{Decimal, RoundingStrategy};

use super::Value;
use super::age::written_months;
use super::draft::{Draft, Scene};
use super::group::Group;
use super::occasion::{Told, check_day, check_person};
use super::{pressure, vitamin_a};
use crate::issue::{Code, Issue};

/// Age from which a child is measured standing, in months (posyandu records, section 2.3).
const STANDING_FROM_MONTH: i64 = 24;
/// The arm circumference, in millimetres, that the pregnancy card leaves undefined (section 2.3).
const ARM_UNDEFINED: i64 = 235;
/// Square centimetres in a square metre.
const SQUARE_CENTIMETRES: i64 = 10_000;

/// Fields that are derived or read by a rule of their own.
const APART: [&str; 7] =
    ["tanggal", "umur_bulan", "umur_tahun", "cara_ukur_diturunkan", "gula_darah_di_luar_alat", "imt", "vit_a"];

/// Fills the fields of a visit's dataset.
pub fn read(draft: &mut Draft<'_>, group: &Group, told: &Told<'_>, scene: &mut Scene<'_>) {
    draft.read("tanggal", scene);
    let usable = check_day(draft, told, scene, "date.before_birth");
    let day = draft.record().date("tanggal").filter(|_| usable);
    let months = day.and_then(|day| told.months_on(day));
    if let Some(months) = months {
        draft.set("umur_bulan", Value::Integer(months), None);
        draft.set("umur_tahun", Value::Integer(months / 12), None);
    }
    check_person(group, months, told, scene);
    if let Some(months) = months {
        compare_age(draft, months, scene);
    }
    draft.read_all(&APART, months, scene);
    pressure::compare(draft, scene);
    body_mass_index(draft);
    position(draft, months, scene);
    vitamin_a::of_visit(draft, months, scene);
    remarks(draft, group, scene);
}

/// The written age is only compared: it was true on the day somebody typed it.
fn compare_age(draft: &Draft<'_>, months: i64, scene: &mut Scene<'_>) {
    if let Some(cell) = draft.cell("umur_bulan", scene.row)
        && written_months(&cell.text).is_some_and(|written| written != months)
    {
        let issue = Issue::information(Code::Conflict, "age.mismatch").with("umur", months);
        draft.report(issue, "umur_bulan", scene);
    }
    let Some(cell) = draft.cell("umur_tahun", scene.row) else { return };
    let bare = cell.text.parse::<i64>().ok();
    let years = bare.or_else(|| written_months(&cell.text).map(|written| written / 12));
    if years.is_some_and(|years| years != months / 12) {
        let issue = Issue::information(Code::Conflict, "age.mismatch").with("umur", months);
        draft.report(issue, "umur_tahun", scene);
    }
}

fn position(draft: &mut Draft<'_>, months: Option<i64>, scene: &mut Scene<'_>) {
    let (Some(months), Some(_)) = (months, draft.decimal("pb_tb")) else { return };
    let by_age = if months < STANDING_FROM_MONTH { "terlentang" } else { "berdiri" };
    match draft.record().text("cara_ukur") {
        Some(written) => {
            if written != by_age {
                let issue = Issue::warning(Code::Conflict, "position.contradicts_age")
                    .with("nilai", written)
                    .with("umur", months);
                draft.report(issue, "cara_ukur", scene);
            }
            draft.set("cara_ukur_diturunkan", Value::Boolean(false), None);
        }
        None if draft.cell("cara_ukur", scene.row).is_none() => {
            draft.report(Issue::warning(Code::Required, "position.derived").with("usul", by_age), "cara_ukur", scene);
            draft.set("cara_ukur", Value::Text(by_age.to_owned()), None);
            draft.set("cara_ukur_diturunkan", Value::Boolean(true), None);
        }
        None => {}
    }
}

/// kg/m2 to one decimal, as the official cut-offs are written; the cards hold only the judgement.
fn body_mass_index(draft: &mut Draft<'_>) {
    let (Some(weight), Some(height)) = (draft.decimal("bb"), draft.decimal("tb")) else { return };
    if draft.field("imt").is_none() {
        return;
    }
    let squared = height * height;
    if let Some(index) = (weight * Decimal::from(SQUARE_CENTIMETRES)).checked_div(squared) {
        let rounded = index.round_dp_with_strategy(1, RoundingStrategy::MidpointAwayFromZero);
        draft.set("imt", Value::Decimal(rounded.normalize()), None);
    }
}

/// What the printed cards leave open (section 2.3).
fn remarks(draft: &Draft<'_>, group: &Group, scene: &mut Scene<'_>) {
    if group.name == "ibu_hamil" && draft.decimal("lila") == Some(Decimal::new(ARM_UNDEFINED, 1)) {
        draft.report(Issue::warning(Code::Value, "lila.undefined"), "lila", scene);
    }
    if draft.record().text("jarak_anak").is_some_and(|text| !text.contains(char::is_alphabetic)) {
        draft.report(Issue::warning(Code::Value, "spacing.no_unit"), "jarak_anak", scene);
    }
    if draft.decimal("bb_bersalin").is_some() {
        draft.report(Issue::information(Code::Value, "weight.whose"), "bb_bersalin", scene);
    }
}
