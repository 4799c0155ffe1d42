//! The child of a row: who it is, and how sure the row makes us of that.
//!
//! It must not look anybody up or complete anything: a sex that is not written stays unknown, a number that is
//! damaged stays damaged.

use jiff::civil::Date;

use super::Value;
use super::draft::{Draft, Scene};
use super::nik::{self, NikRead};
use super::words::is_baby_of;
use crate::issue::{Code, Issue};

/// Fields that are read as their profile says, without a rule of their own.
const PLAIN: [&str; 9] = ["nama_ibu", "nik_ibu", "nama_ayah", "alamat", "rt", "rw", "no_hp", "puskesmas", "kelurahan"];

/// Whether the row names nobody: neither a name nor a number.
#[must_use]
pub fn names_nobody(draft: &Draft<'_>, scene: &Scene<'_>) -> bool {
    draft.cell("nama", scene.row).is_none() && draft.cell("nik", scene.row).is_none()
}

/// Fills the fields of `sasaran`.
pub fn read(draft: &mut Draft<'_>, scene: &mut Scene<'_>) {
    for name in ["nama", "jenis_kelamin", "tanggal_lahir", "posyandu"].iter().chain(&PLAIN) {
        draft.read(name, scene);
    }
    match draft.record().text("nama") {
        None => draft.report(Issue::error(Code::Required, "name.missing"), "nama", scene),
        Some(name) if is_baby_of(name) => {
            draft.report(Issue::warning(Code::Value, "name.baby_of"), "nama", scene);
        }
        Some(_) => {}
    }
    if draft.record().get("jenis_kelamin").is_none() && draft.cell("jenis_kelamin", scene.row).is_none() {
        draft.report(Issue::error(Code::Required, "sex.unknown").with("nilai", "-"), "jenis_kelamin", scene);
    }
    if draft.record().get("posyandu").is_none() {
        draft.report(Issue::error(Code::Required, "posyandu.missing"), "posyandu", scene);
    }
    match draft.record().date("tanggal_lahir") {
        None if draft.cell("tanggal_lahir", scene.row).is_none() => {
            draft.report(Issue::error(Code::Required, "birth_date.missing"), "tanggal_lahir", scene);
        }
        Some(birth) if birth > scene.today => {
            draft.report(Issue::error(Code::Value, "birth_date.future"), "tanggal_lahir", scene);
        }
        _ => {}
    }
    let status = read_nik(draft, scene);
    draft.set("status_nik", Value::Text(status.to_owned()), None);
}

/// Reads the child's own number and returns its status.
fn read_nik(draft: &mut Draft<'_>, scene: &mut Scene<'_>) -> &'static str {
    let cell = draft.written("nik", scene.row);
    let text = cell.as_ref().map_or("", |cell| &cell.text);
    let (issue, status) = match nik::read(text) {
        NikRead::Absent => (Issue::error(Code::Required, "nik.missing"), "tidak_ada"),
        NikRead::Scientific => (Issue::error(Code::Value, "nik.scientific"), "tidak_valid"),
        NikRead::Masked => (Issue::error(Code::Value, "nik.masked"), "tersamar"),
        NikRead::Placeholder => (Issue::error(Code::Value, "nik.placeholder"), "sementara"),
        NikRead::Digits(count) => (Issue::error(Code::Value, "nik.digits").with("panjang", count), "tidak_valid"),
        NikRead::Number { digits, last_digit_doubtful } => {
            let doubts = doubts(draft, &digits, last_digit_doubtful);
            let status = if doubts.is_empty() { "asli" } else { "perlu_periksa" };
            draft.set("nik", Value::Text(digits), cell.as_ref().map(|cell| &cell.column));
            for rule in doubts {
                draft.report(Issue::warning(Code::Conflict, rule), "nik", scene);
            }
            return status;
        }
    };
    draft.report(issue, "nik", scene);
    status
}

/// What in the row speaks against a well-formed number.
fn doubts(draft: &Draft<'_>, digits: &str, last_digit_doubtful: bool) -> Vec<&'static str> {
    let mut rules = Vec::new();
    if last_digit_doubtful {
        rules.push("nik.last_digit");
    }
    let Some(part) = nik::birth_part(digits) else {
        rules.push("nik.not_a_date");
        return rules;
    };
    let birth: Option<Date> = draft.record().date("tanggal_lahir");
    if birth.is_some_and(|birth| !part.agrees_with(birth)) {
        rules.push("nik.birth_mismatch");
    }
    let written_female = draft.record().text("jenis_kelamin").map(|sex| sex == "P");
    if written_female.is_some_and(|female| female != part.female) {
        rules.push("sex.nik_contradiction");
    }
    rules
}
