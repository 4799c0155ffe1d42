//! One dose of a row: which antigen, which dose, given or not, told by whom.
//!
//! It must not count doses from history or age; a dose number that is not written is missing, except where the
//! name can only mean one.

use std::sync::Arc;

use super::Value;
use super::antigen::{Antigens, VaccineRead};
use super::draft::{Draft, Scene};
use super::occasion::{Told, check_day, set_group};
use super::words::tidy;
use crate::issue::{Code, Issue};

/// Fills the fields of `imunisasi`.
pub fn read(draft: &mut Draft<'_>, told: &Told<'_>, antigens: &Antigens, scene: &mut Scene<'_>) {
    draft.read_all(&["antigen", "dosis_ke", "alasan_tidak", "vaksin_nama", "kelompok_sasaran"], None, scene);
    given_or_not(draft, antigens, scene);
    day_of_dose(draft, told, scene);
    set_group(draft, told, scene);
    vaccine(draft, told, antigens, scene);
    let given = draft.record().text("status") == Some("diberikan");
    if !given && draft.record().text("alasan_tidak").is_none() {
        draft.report(Issue::error(Code::Required, "immunization.reason_missing"), "alasan_tidak", scene);
    }
    match draft.record().text("pelapor") {
        None if draft.cell("pelapor", scene.row).is_none() => {
            draft.report(Issue::error(Code::Required, "immunization.reporter_missing"), "pelapor", scene);
        }
        Some("nakes") if given => vial(draft, scene),
        _ => {}
    }
}

/// Whether the dose was given: by the status column, or by words beside the vaccine.
fn given_or_not(draft: &mut Draft<'_>, antigens: &Antigens, scene: &Scene<'_>) {
    let vaccine = draft.cell("antigen", scene.row);
    let remark = draft.cell("alasan_tidak", scene.row);
    let says_not = |text: &str| antigens.says_not_given(text);
    let refused = vaccine.as_ref().is_some_and(|cell| says_not(&cell.text))
        || remark.as_ref().is_some_and(|cell| says_not(&cell.text));
    let (status, column) = match draft.record().text("status") {
        Some(status) if status == "tidak_diberikan" || !refused => (status.to_owned(), draft.place_of("status").column),
        _ if refused => ("tidak_diberikan".to_owned(), None),
        // A status that was written but not understood is reported already and must not be replaced.
        _ if draft.cell("status", scene.row).is_some() => return,
        _ => ("diberikan".to_owned(), None),
    };
    let not_given = status == "tidak_diberikan";
    let column: Option<Arc<str>> = column.map(Arc::from);
    draft.set("status", Value::Text(status), column.as_ref());
    if not_given {
        let reason = [remark, vaccine]
            .into_iter()
            .flatten()
            .find_map(|cell| antigens.reason(&cell.text).map(|code| (code.to_owned(), cell.column)));
        if let Some((code, column)) = reason {
            draft.set("alasan_tidak", Value::Text(code), column.as_ref());
        }
    }
}

/// A dose that a health worker or kader reports without a day was given at the visit; one that is only remembered
/// or copied from a book needs its own day. The visit's day was checked with the visit.
fn day_of_dose(draft: &mut Draft<'_>, told: &Told<'_>, scene: &mut Scene<'_>) {
    let from_memory = matches!(draft.record().text("pelapor"), Some("orang_tua" | "buku_kia"));
    match &told.visit_day {
        Some((day, column)) if !from_memory && draft.cell("tanggal", scene.row).is_none() => {
            draft.set("tanggal", Value::Date(*day), column.as_ref());
        }
        _ => {
            check_day(draft, told, scene, "immunization.before_birth");
        }
    }
}

fn vaccine(draft: &mut Draft<'_>, told: &Told<'_>, antigens: &Antigens, scene: &mut Scene<'_>) {
    let Some(cell) = draft.cell("antigen", scene.row) else {
        return draft.report(Issue::error(Code::Required, "immunization.unknown_antigen"), "antigen", scene);
    };
    let name = tidy(antigens.before_reason(&cell.text));
    let (antigen, named_dose) = match antigens.read(&name) {
        VaccineRead::Known { antigen, dose } => (antigen, dose),
        VaccineRead::Several => {
            return draft.report(Issue::error(Code::Structure, "immunization.several"), "antigen", scene);
        }
        VaccineRead::Unknown => {
            return draft.report(Issue::error(Code::CodeInvalid, "immunization.unknown_antigen"), "antigen", scene);
        }
    };
    let written = draft.cell("dosis_ke", scene.row);
    let written_dose = written.as_ref().and_then(|cell| dose_of(&cell.text));
    draft.set("vaksin_nama", Value::Text(name), cell.column.as_ref());
    draft.set("antigen", Value::Text(antigen.clone()), cell.column.as_ref());
    let months = draft.record().date("tanggal").and_then(|day| told.months_on(day));
    // The newborn dose is "dose 0" to the field and the first dose to everybody else.
    let birth_dose = antigen == "HB0" && written_dose == Some(0);
    let (dose, column) = match (named_dose, written_dose) {
        (Some(named), Some(written)) if named != written && !birth_dose => {
            let issue = Issue::error(Code::Conflict, "immunization.dose_conflict");
            return draft.report(issue.with("nama", named).with("dosis", written), "dosis_ke", scene);
        }
        (Some(named), None) if written.is_none() => (Some(named), cell.column.as_ref()),
        (Some(named), Some(_)) => (Some(named), cell.column.as_ref()),
        (None, Some(dose)) if antigens.has_dose(&antigen, dose) => {
            (Some(dose), written.as_ref().and_then(|cell| cell.column.as_ref()))
        }
        (None, None) if written.is_none() => {
            (months.and_then(|months| antigens.only_dose_at(&antigen, months)), cell.column.as_ref())
        }
        _ => (None, None),
    };
    match dose {
        Some(dose) => draft.set("dosis_ke", Value::Integer(dose), column),
        None => {
            let issue = Issue::error(Code::Required, "immunization.dose_missing").with("antigen", antigen);
            draft.report(issue, "dosis_ke", scene);
        }
    }
}

/// Most digits of a dose number.
const DOSE_DIGITS_MAX: usize = 2;

fn dose_of(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(".0");
    let roman = ["I", "II", "III", "IV", "V"].iter().position(|numeral| text.eq_ignore_ascii_case(numeral));
    roman
        .and_then(|at| i64::try_from(at + 1).ok())
        .or_else(|| digits.parse().ok().filter(|_| digits.len() <= DOSE_DIGITS_MAX))
}

/// What a health worker who gave the dose must have read off the vial.
fn vial(draft: &Draft<'_>, scene: &mut Scene<'_>) {
    if draft.record().get("nomor_batch").is_none() {
        draft.report(Issue::error(Code::Required, "immunization.lot_missing"), "nomor_batch", scene);
    }
    let day = draft.record().date("tanggal");
    match draft.record().date("kedaluwarsa") {
        None if draft.cell("kedaluwarsa", scene.row).is_none() => {
            draft.report(Issue::error(Code::Required, "immunization.expiry_missing"), "kedaluwarsa", scene);
        }
        Some(expiry) if day.is_some_and(|day| expiry < day) => {
            let issue = Issue::error(Code::Invariant, "immunization.expiry_before_dose").with("nilai", expiry);
            draft.report(issue, "kedaluwarsa", scene);
        }
        _ => {}
    }
}
