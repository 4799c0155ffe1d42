//! A field read by the format its profile declares: text, dates, words, counts, numbers of people.
//!
//! It must not know a dataset. Measured numbers, vaccines and capsules have rules of their own elsewhere.

use super::age::written_months;
use super::date::{self, DateRead};
use super::draft::{Draft, Scene, Written};
use super::nik::{self, NikRead};
use super::number::{self, NumberRead};
use super::schema::{Field, Kind};
use super::unit;
use super::words::{BpjsRead, bpjs, is_baby_of, phone, shown, tidy};
use super::{Value, measurement, pressure};
use crate::issue::{Code, Issue};
use crate::redact::mask;
use crate::source::cells::CellKind;
use crate::source::profile::field::{DateStyle, DecimalMark, FieldSpec, Format};

/// Age of the oldest person that is taken for one, in years (posyandu records, table 6.2).
pub const AGE_YEARS_MAX: i64 = 120;

impl Draft<'_> {
    /// Reads a field by its format; for a measured number at an age in completed months, when that is known. Formats
    /// that need more than the cell (vaccines, doses, reasons, capsules, ages) are left to their dataset.
    pub fn read_at(&mut self, name: &str, months: Option<i64>, scene: &mut Scene<'_>) {
        match self.spec(name).map(|spec| spec.format) {
            Some(Format::Number) => measurement::read(self, name, months, scene),
            Some(Format::BloodPressure) => pressure::read(self, name, months, scene),
            Some(_) => self.read(name, scene),
            None => {}
        }
    }

    /// Reads every field that the profile supplies, except those in `apart`.
    pub fn read_all(&mut self, apart: &[&str], months: Option<i64>, scene: &mut Scene<'_>) {
        let schema = std::sync::Arc::clone(&self.record().schema);
        for field in schema.fields.iter().filter(|field| !apart.contains(&field.name.as_str())) {
            self.read_at(&field.name, months, scene);
        }
    }

    /// Reads a field by its format, for the formats that need no other field.
    pub fn read(&mut self, name: &str, scene: &mut Scene<'_>) {
        let (Some(spec), Some(field), Some(cell)) = (self.spec(name), self.field(name), self.cell(name, scene.row))
        else {
            return;
        };
        if self.is_broken(name, &cell, scene) {
            return;
        }
        let value = match spec.format {
            Format::Text if spec.part.is_some() && cell.kind == CellKind::Date => {
                self.report(Issue::warning(Code::Value, "text.is_date"), name, scene);
                None
            }
            Format::Text => Some(Value::Text(cell.text.clone())),
            Format::Name => (!is_baby_of(&cell.text) || name == "nama").then(|| Value::Text(cell.text.clone())),
            Format::Phone => Some(Value::Text(phone(&cell.text))).filter(|value| *value != Value::Text(String::new())),
            Format::Bpjs => self.insurance(name, &cell, scene),
            Format::Nik => self.related_nik(name, &cell, scene),
            Format::Date => self.date(name, &cell, scene),
            Format::Time => date::time(&cell.text).map(Value::Time).or_else(|| {
                self.report(Issue::error(Code::Value, "time.unreadable").with("nilai", shown(&cell.text)), name, scene);
                None
            }),
            Format::Count => self.count(name, field, &cell, scene),
            Format::Computed => self.computed(name, &cell, scene),
            Format::Words | Format::Flag => self.code(name, spec, field, &cell, scene),
            Format::List => self.list(name, field, &cell, scene),
            Format::Number
            | Format::BloodPressure
            | Format::Capsules
            | Format::Age
            | Format::Vaccine
            | Format::Dose
            | Format::Reason => None,
        };
        if let Some(value) = value {
            self.set(name, value, cell.column.as_ref());
        }
    }

    /// Reports a cell whose formula failed: what it was to say is not known.
    pub fn is_broken(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> bool {
        let broken = cell.kind == CellKind::Error;
        if broken {
            self.report(Issue::error(Code::Value, "cell.formula"), name, scene);
        }
        broken
    }

    fn code(
        &self,
        name: &str,
        spec: &FieldSpec,
        field: &Field,
        cell: &Written,
        scene: &mut Scene<'_>,
    ) -> Option<Value> {
        let listed = self.code_of(name, &cell.text);
        let found = match (listed, cell.kind) {
            (None, CellKind::Boolean) if spec.format == Format::Flag => {
                Some(if cell.text == "1" { "true" } else { "false" })
            }
            (listed, _) => listed,
        };
        if let Some(value) = found.and_then(|code| value_of_code(&field.kind, code)) {
            return Some(value);
        }
        self.report(unknown_word(name, field, cell), name, scene);
        None
    }

    /// Several codes, kept in the order of the schema.
    fn list(&self, name: &str, field: &Field, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let parts = cell.text.split([',', ';', '/', '+', '&']).map(tidy).filter(|part| !part.is_empty());
        let codes: Option<Vec<&str>> = parts.map(|part| self.code_of(name, &part)).collect();
        let Some(codes) = codes.filter(|codes| !codes.is_empty()) else {
            self.report(unknown_word(name, field, cell), name, scene);
            return None;
        };
        let kept: Vec<&str> = field.listed.iter().map(String::as_str).filter(|code| codes.contains(code)).collect();
        (!kept.is_empty()).then(|| Value::Text(kept.join(";")))
    }

    /// A whole number, where zero is one; the schema's range is its limit.
    fn count(&self, name: &str, field: &Field, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let split = cell.text.find(char::is_alphabetic).unwrap_or(cell.text.len());
        let letters = cell.text[split..].trim_end_matches('.').to_lowercase();
        let digits = cell.text[..split].trim();
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        let whole =
            digits.len() <= COUNT_DIGITS_MAX && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let known = letters.is_empty() || unit::is_counted(letters.trim());
        let Some(number) = digits.parse::<i64>().ok().filter(|_| whole && known) else {
            self.report(Issue::error(Code::Value, "count.unreadable").with("nilai", shown(&cell.text)), name, scene);
            return None;
        };
        if let Some(hard) = field.hard.filter(|hard| !hard.holds(number.into())) {
            let issue = Issue::error(Code::Value, "measure.out_of_range")
                .with("nilai", number)
                .with("bawah", hard.minimum)
                .with("atas", hard.maximum)
                .with("satuan", "");
            self.report(issue, name, scene);
            return None;
        }
        Some(Value::Integer(number))
    }

    fn computed(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let found = number::computed(&cell.number(), cell.mark(scene)).map(Value::Decimal);
        if found.is_none() {
            let issue = Issue::information(Code::Value, "z_score.unreadable");
            self.report(issue.with("nilai", shown(&cell.text)), name, scene);
        }
        found
    }

    /// A date; a birth date has rules of its own and is never shown.
    fn date(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let personal = self.field(name).is_some_and(|field| field.personal);
        // A cell that is a date needs no style: the carrier writes it one way.
        let styles: &[DateStyle] = if cell.kind == CellKind::Date { &[DateStyle::Iso] } else { &scene.profile.dates };
        let rule = match date::read(&cell.text, styles) {
            DateRead::Date(date) => return Some(Value::Date(date)),
            DateRead::Ambiguous => "date.ambiguous",
            DateRead::Zone => "date.zone",
            DateRead::Unreadable if personal && is_age(&cell.text) => "birth_date.is_age",
            DateRead::Unreadable if personal => "birth_date.unreadable",
            DateRead::Unreadable => "date.unreadable",
        };
        self.report(Issue::error(Code::Value, rule), name, scene);
        None
    }

    /// The number of a mother, a family or a health worker: helpful, but nothing depends on it, so a damaged one is
    /// dropped.
    fn related_nik(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        match nik::read(&cell.text) {
            NikRead::Number { digits, .. } => Some(Value::Text(digits)),
            NikRead::Absent => None,
            _ => {
                self.report(Issue::warning(Code::Value, "nik.related_unusable"), name, scene);
                None
            }
        }
    }

    fn insurance(&self, name: &str, cell: &Written, scene: &mut Scene<'_>) -> Option<Value> {
        let (issue, value) = match bpjs(&cell.text) {
            BpjsRead::Number(digits) => return Some(Value::Text(digits)),
            BpjsRead::Padded(digits) => (Issue::information(Code::Value, "bpjs.padded"), Some(Value::Text(digits))),
            BpjsRead::Unusable => (Issue::warning(Code::Value, "bpjs.digits"), None),
        };
        self.report(issue, name, scene);
        value
    }
}

/// Most digits of a count.
const COUNT_DIGITS_MAX: usize = 6;

/// A code as the field's kind holds it.
fn value_of_code(kind: &Kind, code: &str) -> Option<Value> {
    match kind {
        Kind::Boolean => code.parse().ok().map(Value::Boolean),
        // An item that the card scores 0 or 1, written as yes or no.
        Kind::Integer => code
            .parse()
            .ok()
            .or(match code {
                "true" => Some(1),
                "false" => Some(0),
                _ => None,
            })
            .map(Value::Integer),
        Kind::Code(codes) => codes.iter().any(|known| known == code).then(|| Value::Text(code.to_owned())),
        _ => Some(Value::Text(code.to_owned())),
    }
}

fn unknown_word(name: &str, field: &Field, cell: &Written) -> Issue {
    let issue = match name {
        "jenis_kelamin" => Issue::error(Code::CodeInvalid, "sex.unknown"),
        "nt" => Issue::warning(Code::CodeInvalid, "nt.unknown"),
        _ if field.judgement => Issue::warning(Code::CodeInvalid, "judgement.unknown"),
        _ => Issue::error(Code::CodeInvalid, "words.unknown"),
    };
    issue.with("nilai", if field.personal { mask(&cell.text) } else { shown(&cell.text) })
}

/// Whether a birth date's cell holds an age instead: `32 th`, or a number that can only be one.
fn is_age(text: &str) -> bool {
    let bare = match number::read(text, DecimalMark::Point, None) {
        NumberRead::Number { value, unit: None, .. } => value <= AGE_YEARS_MAX.into(),
        _ => false,
    };
    bare || (text.contains(char::is_alphabetic) && written_months(text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_no_birth_dates() {
        for (text, age) in [("32 th", true), ("32", true), ("1 thn 3 bln", true), ("1957", false), ("lupa", false)] {
            assert_eq!(is_age(text), age, "{text}");
        }
    }
}
