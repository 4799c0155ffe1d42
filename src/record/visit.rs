//! The visit of a child under six: when, how old, what was measured and given.
//!
//! It must not judge growth; that needs the standards and the child's history. It derives only what follows from
//! birth date and visit date, and says so.

use jiff::civil::Date;

use super::Value;
use super::date::{FLOOR, months_between};
use super::draft::{Draft, Scene};
use super::measurement;
use super::words::{fold, says_nothing, shown};
use crate::issue::{Code, Issue, Place};
use crate::source::profile::field::Format;

/// Age at which a child leaves the group, in months (posyandu records, section 2.1).
const AGE_MONTHS_END: i64 = 72;
/// Age from which a child is measured standing, in months (posyandu records, section 2.3).
const STANDING_FROM_MONTH: i64 = 24;
/// Ages of the blue and of the red vitamin A capsule, in months (satusehat profiles, section 12.3).
const BLUE_MONTHS: std::ops::RangeInclusive<i64> = 6..=11;
const RED_MONTHS: std::ops::RangeInclusive<i64> = 12..=59;

/// The birth date of the row's child and the cell it stands in.
#[derive(Clone)]
pub struct Birth {
    /// The day.
    pub date: Date,
    /// Its cell.
    pub place: Place,
}

/// Holds a child that has left the group; the birth date is the likelier mistake, so that cell is named.
pub fn check_age(months: i64, birth: &Birth, scene: &mut Scene<'_>) {
    if months >= AGE_MONTHS_END {
        let issue = Issue::error(Code::BusinessRule, "visit.age_out_of_group").with("umur", months);
        scene.issues.push(issue.on("sasaran.tanggal_lahir").at(birth.place.clone()));
    }
}

/// Checks the day of a service against birth and today; `false` when the row must wait.
pub fn check_day(draft: &Draft<'_>, birth: Option<&Birth>, scene: &mut Scene<'_>, before_birth: &'static str) -> bool {
    let name = "tanggal";
    let Some(day) = draft.record().date(name) else {
        if draft.cell(name, scene.row).is_none() {
            draft.report(Issue::error(Code::Required, "date.missing"), name, scene);
        }
        return false;
    };
    let issue = if day > scene.today {
        Issue::error(Code::Value, "date.future")
    } else if birth.is_some_and(|birth| birth.date <= scene.today && day < birth.date) {
        Issue::error(Code::Invariant, before_birth)
    } else if day < FLOOR {
        Issue::error(Code::BusinessRule, "date.too_old").with("batas", FLOOR)
    } else {
        return true;
    };
    draft.report(issue.with("nilai", day), name, scene);
    false
}

/// Fills the fields of `kunjungan_balita`.
pub fn read(draft: &mut Draft<'_>, birth: Option<&Birth>, scene: &mut Scene<'_>) {
    draft.read("tanggal", scene);
    let usable = check_day(draft, birth, scene, "date.before_birth");
    let day = draft.record().date("tanggal").filter(|_| usable);
    let months = day.zip(birth).map(|(day, birth)| months_between(birth.date, day)).filter(|months| *months >= 0);
    if let (Some(months), Some(birth)) = (months, birth) {
        draft.set("umur_bulan", Value::Integer(months), None);
        check_age(months, birth, scene);
        compare_age(draft, months, scene);
    }
    measurement::read(draft, months, scene);
    for name in ["cara_ukur", "obat_cacing", "asi_eksklusif", "mp_asi", "nt", "bbu", "tbu", "bbtb", "petugas"] {
        draft.read(name, scene);
    }
    for name in ["zs_bbu", "zs_tbu", "zs_bbtb"] {
        draft.read(name, scene);
    }
    position(draft, months, scene);
    vitamin_a(draft, months, scene);
}

/// The written age is only compared: it was true on the day somebody typed it.
fn compare_age(draft: &Draft<'_>, months: i64, scene: &mut Scene<'_>) {
    let Some(cell) = draft.cell("umur_bulan", scene.row) else { return };
    if written_months(&cell.text).is_some_and(|written| written != months) {
        let issue = Issue::information(Code::Conflict, "age.mismatch").with("umur", months);
        draft.report(issue, "umur_bulan", scene);
    }
}

/// Completed months of `1 Tahun - 11 Bulan - 13 Hari`, `35THN1BLN` or a bare number of months.
fn written_months(text: &str) -> Option<i64> {
    if let Ok(months) = text.parse::<i64>() {
        return Some(months);
    }
    let (mut months, mut found) = (0_i64, false);
    let mut digits = String::new();
    let mut letters = String::new();
    for character in fold(text).chars().chain(['0']) {
        if !character.is_ascii_digit() {
            letters.push(character);
            continue;
        }
        if !letters.is_empty() {
            let count: i64 = digits.parse().ok().filter(|count| *count < 1000)?;
            match letters.as_str() {
                "tahun" | "thn" | "th" => months += count * 12,
                "bulan" | "bln" | "bl" => months += count,
                "hari" | "hr" => {}
                _ => return None,
            }
            found = true;
            digits.clear();
            letters.clear();
        }
        digits.push(character);
    }
    found.then_some(months)
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

fn vitamin_a(draft: &mut Draft<'_>, months: Option<i64>, scene: &mut Scene<'_>) {
    let Some(spec) = draft.spec("vit_a") else { return };
    if spec.format == Format::Capsules {
        return capsules(draft, months, scene);
    }
    draft.read("vit_a", scene);
    let fits = match (draft.record().text("vit_a"), months) {
        (Some("biru"), Some(months)) => BLUE_MONTHS.contains(&months),
        (Some("merah"), Some(months)) => RED_MONTHS.contains(&months),
        _ => true,
    };
    if !fits {
        let colour = draft.record().text("vit_a").unwrap_or_default().to_owned();
        let issue = Issue::error(Code::Invariant, "vitamin_a.colour_contradicts_age");
        let issue = issue.with("nilai", colour).with("umur", months.unwrap_or_default());
        draft.report(issue, "vit_a", scene);
    }
}

/// A count of capsules says that one was given; which one follows from the age.
fn capsules(draft: &mut Draft<'_>, months: Option<i64>, scene: &mut Scene<'_>) {
    let Some(cell) = draft.written("vit_a", scene.row).filter(|cell| !says_nothing(&cell.text)) else { return };
    let Ok(count) = cell.text.parse::<u8>() else {
        return draft.report(
            Issue::error(Code::Value, "words.unknown").with("nilai", shown(&cell.text)),
            "vit_a",
            scene,
        );
    };
    let Some(months) = months else { return };
    let colour = match count {
        0 => "tidak",
        _ if BLUE_MONTHS.contains(&months) => "biru",
        _ if RED_MONTHS.contains(&months) => "merah",
        _ => {
            let issue = Issue::error(Code::Invariant, "vitamin_a.colour_contradicts_age");
            return draft.report(issue.with("nilai", count).with("umur", months), "vit_a", scene);
        }
    };
    if count > 0 {
        draft.report(Issue::warning(Code::Required, "vitamin_a.color_derived").with("usul", colour), "vit_a", scene);
    }
    draft.set("vit_a", Value::Text(colour.to_owned()), Some(&cell.column));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_ages() {
        for (text, months) in [
            ("1 Tahun - 11 Bulan - 13 Hari", Some(23)),
            ("35THN1BLN", Some(421)),
            ("17", Some(17)),
            ("5 bln", Some(5)),
            ("entah", None),
            ("3", Some(3)),
        ] {
            assert_eq!(written_months(text), months, "{text}");
        }
    }
}
