//! Single values: primitives, moments and codes that look right.
//!
//! It must not know where in a resource a value stands.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

/// Why a primitive is not acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// Another JSON type is due.
    Type,
    /// The text is empty or blank.
    Empty,
    /// A number written as text.
    NumberAsText,
    /// The text has not the form its type asks for.
    Form,
}

/// Checks a primitive of FHIR type `kind`; moments are only checked for being text.
pub(super) fn primitive(kind: &str, value: &Value) -> Result<(), Misfit> {
    match kind {
        "boolean" => value.is_boolean().then_some(()).ok_or(Misfit::Type),
        "integer" | "positiveInt" | "unsignedInt" | "decimal" => number(kind, value),
        _ => {
            let text = value.as_str().ok_or(Misfit::Type)?;
            if text.trim().is_empty() {
                return Err(Misfit::Empty);
            }
            match kind {
                "date" => date(text).map(|_| ()).ok_or(Misfit::Form),
                "time" => time(text).then_some(()).ok_or(Misfit::Form),
                "id" => id(text).then_some(()).ok_or(Misfit::Form),
                "code" => (text == text.trim()).then_some(()).ok_or(Misfit::Form),
                "uri" | "url" | "canonical" => (!text.contains(char::is_whitespace)).then_some(()).ok_or(Misfit::Form),
                _ => Ok(()),
            }
        }
    }
}

fn number(kind: &str, value: &Value) -> Result<(), Misfit> {
    if let Some(text) = value.as_str() {
        return Err(if text.parse::<f64>().is_ok() { Misfit::NumberAsText } else { Misfit::Type });
    }
    let fits = match kind {
        "decimal" => value.is_number(),
        "positiveInt" => value.as_i64().is_some_and(|number| number > 0),
        "unsignedInt" => value.as_i64().is_some_and(|number| number >= 0),
        _ => value.is_i64(),
    };
    fits.then_some(()).ok_or(Misfit::Type)
}

/// A full calendar date.
pub(super) fn date(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

fn time(text: &str) -> bool {
    text.len() == 8 && text.parse::<jiff::civil::Time>().is_ok()
}

fn id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

/// Reads `YYYY-MM-DDThh:mm:ss+00:00`; any other spelling is refused unless `other_offsets` is allowed, in which case
/// any offset passes but a time and an offset are still due.
pub(super) fn moment(text: &str, other_offsets: bool) -> Option<Timestamp> {
    let strict =
        text.len() == 25 && text.is_ascii() && text.as_bytes().get(10) == Some(&b'T') && text.ends_with("+00:00");
    if strict || other_offsets { text.parse().ok() } else { None }
}

/// A moment as the platform writes it.
pub(in crate::simulator) fn written(moment: Timestamp) -> String {
    format!("{}+00:00", moment.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// True when a code has the form its system gives to codes. Unknown but well-formed codes pass, as they do there.
pub(super) fn code_looks_right(system: &str, code: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match system {
        "http://loinc.org" => {
            let code = code.strip_prefix("LA").unwrap_or(code);
            code.split_once('-').is_some_and(|(number, check)| digits(number) && digits(check) && check.len() == 1)
        }
        "http://snomed.info/sct" => digits(code) && (6..=18).contains(&code.len()),
        "http://hl7.org/fhir/sid/icd-10" => {
            let (whole, part) = code.split_once('.').unwrap_or((code, "0"));
            let mut letters = whole.chars();
            letters.next().is_some_and(|first| first.is_ascii_uppercase())
                && digits(letters.as_str())
                && whole.len() == 3
                && digits(part)
        }
        "http://hl7.org/fhir/sid/icd-9-cm" => code.split('.').all(digits) && code.split('.').count() <= 2,
        "http://hl7.org/fhir/sid/cvx" => digits(code) && code.len() <= 3,
        "http://sys-ids.kemkes.go.id/kfa" => {
            code.strip_prefix("VG").map_or(code.len() == 8 && code.starts_with('9') && digits(code), digits)
        }
        "http://terminology.kemkes.go.id/CodeSystem/clinical-term" => {
            let prefix = code.trim_end_matches(|letter: char| letter.is_ascii_digit());
            prefix.len() >= 2 && prefix.bytes().all(|byte| byte.is_ascii_uppercase()) && code.len() == prefix.len() + 6
        }
        "http://unitsofmeasure.org" => !code.contains(char::is_whitespace),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_documented_spelling_of_a_moment_passes() {
        assert!(moment("2026-11-18T02:30:00+00:00", false).is_some());
        for wrong in ["2026-11-18T02:30:00Z", "2026-11-18T09:30:00+07:00", "2026-11-18", "2026-13-18T02:30:00+00:00"] {
            assert!(moment(wrong, false).is_none(), "{wrong}");
        }
        assert!(moment("2026-11-18T09:30:00+07:00", true).is_some());
    }

    #[test]
    fn primitives_of_the_wrong_kind_are_told_apart() {
        assert_eq!(primitive("positiveInt", &json!("1")), Err(Misfit::NumberAsText));
        assert_eq!(primitive("positiveInt", &json!(0)), Err(Misfit::Type));
        assert_eq!(primitive("string", &json!("")), Err(Misfit::Empty));
        assert_eq!(primitive("date", &json!("2026-02-30")), Err(Misfit::Form));
        assert_eq!(primitive("decimal", &json!(10.5)), Ok(()));
    }

    #[test]
    fn codes_are_judged_by_their_form() {
        for (system, code, right) in [
            ("http://loinc.org", "29463-7", true),
            ("http://loinc.org", "LA15173-0", true),
            ("http://loinc.org", "weight", false),
            ("http://hl7.org/fhir/sid/icd-10", "Z00.1", true),
            ("http://hl7.org/fhir/sid/icd-10", "z001", false),
            ("http://sys-ids.kemkes.go.id/kfa", "VG89", true),
            ("http://terminology.kemkes.go.id/CodeSystem/clinical-term", "OC000146", true),
            ("http://terminology.kemkes.go.id/CodeSystem/clinical-term", "OC146", false),
        ] {
            assert_eq!(code_looks_right(system, code), right, "{code}");
        }
    }
}
