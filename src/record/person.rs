//! The person of a row: who it is, and how sure the row makes us of that.
//!
//! It must not look anybody up or complete anything: a sex that is not written stays unknown, a number that is
//! damaged stays damaged.

use jiff::civil::Date;

use super::Value;
use super::draft::{Draft, Scene};
use super::nik::{self, NikRead};
use super::words::is_baby_of;
use crate::issue::{Code, Issue};
use crate::source::cells::CellKind;
use crate::source::profile::Kind;

/// Fields that are read first, because others are compared with them.
const FIRST: [&str; 4] = ["nama", "jenis_kelamin", "tanggal_lahir", "posyandu"];
/// Fields that are read by rules of their own, or derived.
const APART: [&str; 6] = ["nama", "jenis_kelamin", "tanggal_lahir", "posyandu", "nik", "status_nik"];
/// Words before a name that are no part of it, in upper case (posyandu records, section 6.3).
const TITLES: [&str; 9] = ["NY", "NYONYA", "TN", "TUAN", "AN", "BY", "BAYI", "H", "HJ"];

/// A name as it is compared: upper case, without titles and marks, with single spaces. Two people may share it.
#[must_use]
pub fn normal_name(name: &str) -> String {
    let upper = name.to_uppercase();
    // A mark inside a word is dropped (`Ma'ruf`), one between words parts them (`By.Ny.Siti`, `Siti-Aminah`).
    let plain: String = upper.chars().filter(|character| !"'’‘`´".contains(*character)).collect();
    let words: Vec<&str> =
        plain.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let first = words.iter().take_while(|word| TITLES.contains(word)).count();
    // Somebody whose whole name looks like titles keeps it.
    if first == words.len() { words.join(" ") } else { words[first..].join(" ") }
}

/// Whether the row names nobody: neither a name nor a number.
#[must_use]
pub fn names_nobody(draft: &Draft<'_>, scene: &Scene<'_>) -> bool {
    draft.cell("nama", scene.row).is_none() && draft.cell("nik", scene.row).is_none()
}

/// Fills the fields of `sasaran`.
pub fn read(draft: &mut Draft<'_>, scene: &mut Scene<'_>) {
    for name in FIRST {
        draft.read(name, scene);
    }
    draft.read_all(&APART, None, scene);
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

/// Reads the person's own number and returns its status.
fn read_nik(draft: &mut Draft<'_>, scene: &mut Scene<'_>) -> &'static str {
    let cell = draft.written("nik", scene.row);
    let text = cell.as_ref().map_or("", |cell| &cell.text);
    let (issue, status) = match nik::read(text) {
        NikRead::Absent => (Issue::error(Code::Required, "nik.missing"), "tidak_ada"),
        NikRead::Scientific => (Issue::error(Code::Value, "nik.scientific"), "tidak_valid"),
        NikRead::Masked => (Issue::error(Code::Value, "nik.masked"), "tersamar"),
        NikRead::Placeholder => (Issue::error(Code::Value, "nik.placeholder"), "sementara"),
        NikRead::Letters => (Issue::error(Code::Value, "nik.letters"), "tidak_valid"),
        NikRead::Digits(count) => (Issue::error(Code::Value, "nik.digits").with("panjang", count), "tidak_valid"),
        NikRead::Number { digits, last_digit_doubtful } => {
            // A number column of a database keeps all digits; a spreadsheet keeps fifteen.
            let in_sheet =
                scene.profile.kind == Kind::File && cell.as_ref().is_some_and(|cell| cell.kind == CellKind::Number);
            let stored = if last_digit_doubtful || (in_sheet && digits.ends_with('0')) {
                Some("nik.last_digit")
            } else {
                in_sheet.then_some("nik.stored_as_number")
            };
            let doubts = doubts(draft, &digits, stored);
            let status = if doubts.is_empty() { "asli" } else { "perlu_periksa" };
            draft.set("nik", Value::Text(digits), cell.as_ref().and_then(|cell| cell.column.as_ref()));
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
fn doubts(draft: &Draft<'_>, digits: &str, stored: Option<&'static str>) -> Vec<&'static str> {
    let mut rules: Vec<&'static str> = stored.into_iter().collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_titles_and_marks() {
        for (name, normal) in [
            ("Ny. Siti  Aminah", "SITI AMINAH"),
            ("By.Ny. Siti Aminah", "SITI AMINAH"),
            ("BAYI NY SITI AMINAH", "SITI AMINAH"),
            ("An. Ahmad Ma'ruf", "AHMAD MARUF"),
            ("H. M. Yusuf, S.Pd", "M YUSUF S PD"),
            ("hj siti-aminah", "SITI AMINAH"),
            ("Anwar Hadi", "ANWAR HADI"),
            ("Siti H", "SITI H"),
            ("An", "AN"),
            ("  ", ""),
        ] {
            assert_eq!(normal_name(name), normal, "{name}");
        }
    }
}
