//! The person of a row: who it is, and how sure the row makes us of that.
//!
//! It must not look anybody up. What no column of the file can tell is completed from the person it is given, and
//! from nowhere else; what is written wrong stays wrong.

use jiff::civil::Date;

use super::draft::{Draft, Scene};
use super::matching::Person;
use super::nik::{self, NikRead};
use super::words::is_baby_of;
use super::{RowOutcome, Value};
use crate::issue::{Code, Issue, Severity};
use crate::source::cells::CellKind;
use crate::source::profile::Kind;

/// Fields that are read first, because others are compared with them.
const FIRST: [&str; 4] = ["nama", "jenis_kelamin", "tanggal_lahir", "posyandu"];
/// Oldest age at which a newborn is registered by its mother's NIK, in days (rule 10397; satusehat-api.md, section 7).
pub const NEWBORN_DAYS: i32 = 60;
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

/// Fields without which nobody is served, with the rule of an empty cell.
const NEEDED: [(&str, &str); 3] =
    [("jenis_kelamin", "sex.unknown"), ("posyandu", "posyandu.missing"), ("tanggal_lahir", "birth_date.missing")];

/// Fills the fields of `sasaran`. `known` is the person that the row speaks of, when the directory knows exactly one.
pub fn read(draft: &mut Draft<'_>, known: Option<&Person>, scene: &mut Scene<'_>) {
    for name in FIRST {
        draft.read(name, scene);
    }
    let mut absent = complete(draft, known, scene);
    draft.read_all(&APART, None, scene);
    match draft.record().text("nama") {
        None => draft.report(Issue::error(Code::Required, "name.missing"), "nama", scene),
        Some(name) if is_baby_of(name) => {
            draft.report(Issue::warning(Code::Value, "name.baby_of"), "nama", scene);
        }
        Some(_) => {}
    }
    for (name, rule) in NEEDED {
        let has_column = draft.has_column(name, scene.row);
        if draft.record().get(name).is_some() || !has_column || (name != "posyandu" && says(draft, name, scene)) {
            continue;
        }
        draft.report(Issue::error(Code::Required, rule).with("nilai", "-"), name, scene);
    }
    if draft.record().date("tanggal_lahir").is_some_and(|birth| birth > scene.today) {
        draft.report(Issue::error(Code::Value, "birth_date.future"), "tanggal_lahir", scene);
    }
    let silent_nik = !absent.is_empty() && !draft.has_column("nik", scene.row);
    let before = scene.issues.len();
    let status = read_nik(draft, scene);
    if silent_nik {
        scene.issues.truncate(before);
        absent.push("nik");
    }
    adopt_nik(draft, known, before, scene);
    draft.set("status_nik", Value::Text(status.to_owned()), None);
    if !absent.is_empty() {
        let titles: Vec<&str> = absent.iter().filter_map(|name| Some(draft.field(name)?.title.as_str())).collect();
        let issue = Issue::error(Code::Required, "person.not_told").with("kolom", titles.join(", "));
        scene.issues.push(issue.on("sasaran").at(scene.row.place.clone()));
    }
}

fn says(draft: &Draft<'_>, name: &str, scene: &Scene<'_>) -> bool {
    draft.cell(name, scene.row).is_some()
}

/// Completes what the file has no column for from the known person; gives the fields that nobody tells.
fn complete(draft: &mut Draft<'_>, known: Option<&Person>, scene: &mut Scene<'_>) -> Vec<&'static str> {
    let (mut absent, mut completed) = (Vec::new(), Vec::new());
    for (name, _) in NEEDED {
        if draft.record().get(name).is_some() || draft.has_column(name, scene.row) {
            continue;
        }
        let value = known.and_then(|person| match name {
            "jenis_kelamin" => person.sex.clone().map(Value::Text),
            "posyandu" => person.posyandu.clone().map(Value::Text),
            _ => person.birth.map(Value::Date),
        });
        match value {
            Some(value) => {
                draft.set(name, value, None);
                completed.push(name);
            }
            None => absent.push(name),
        }
    }
    if !completed.is_empty() {
        let titles: Vec<&str> = completed.iter().filter_map(|name| Some(draft.field(name)?.title.as_str())).collect();
        let issue = Issue::information(Code::Required, "person.completed").with("kolom", titles.join(", "));
        scene.issues.push(issue.on("sasaran").at(scene.row.place.clone()));
    }
    absent
}

/// The number of the known person in place of one that is missing or damaged; the complaints about it only warn then.
fn adopt_nik(draft: &mut Draft<'_>, known: Option<&Person>, before: usize, scene: &mut Scene<'_>) {
    let nik = known.filter(|person| person.is_genuine).and_then(|person| person.nik.clone());
    let (Some(nik), None) = (nik, draft.record().text("nik")) else { return };
    draft.set("nik", Value::Text(nik), None);
    scene.issues.iter_mut().skip(before).for_each(|issue| issue.severity = Severity::Warning);
}

/// A row that tells a person and no service needs only a name and a birth date or a number: whoever is named twice
/// is found again by them. What is missing beside them warns when there is a cell for it.
pub fn ease_register(outcome: &mut RowOutcome) {
    let [person] = outcome.records.as_slice() else { return };
    let is_known = person.get("tanggal_lahir").is_some() || person.get("nik").is_some();
    if person.schema.dataset != "sasaran" || person.get("nama").is_none() || !is_known {
        return;
    }
    let lacks = |issue: &Issue| {
        let is_needed = NEEDED.iter().any(|(_, rule)| *rule == issue.rule) && issue.code == Code::Required;
        is_needed || issue.rule == "person.not_told" || issue.rule.starts_with("nik.")
    };
    let has_cell = |issue: &Issue| issue.place.as_ref().is_some_and(|place| place.column.is_some());
    outcome.issues.retain(|issue| !issue.is_error() || !lacks(issue) || has_cell(issue));
    for issue in outcome.issues.iter_mut().filter(|issue| issue.is_error()) {
        if lacks(issue) {
            issue.severity = Severity::Warning;
        }
    }
}

/// A newborn without a number goes by its mother's for 60 days: on a visit within them the missing number only warns.
pub fn ease_newborn(outcome: &mut RowOutcome) {
    let RowOutcome { records, issues } = outcome;
    let Some(person) = records.iter().find(|record| record.schema.dataset == "sasaran") else { return };
    let Some(birth) = person.date("tanggal_lahir").filter(|_| person.get("nik").is_none()) else { return };
    let mother = person.text("nik_ibu").and_then(nik::birth_part);
    let mut days = records.iter().filter_map(|record| record.date("tanggal"));
    let in_time = days.next().is_some_and(|day| (0..=NEWBORN_DAYS).contains(&(day - birth).get_days()));
    if !in_time || mother.is_none_or(|part| !part.female) {
        return;
    }
    for issue in issues.iter_mut().filter(|issue| ["nik.missing", "nik.placeholder"].contains(&&*issue.rule)) {
        let place = issue.place.take();
        *issue = Issue { place, ..Issue::warning(Code::Required, "nik.newborn").on("sasaran.nik") };
    }
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
