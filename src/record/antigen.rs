//! Vaccine names as the field writes them, turned into antigen and dose.
//!
//! The names stand in `mappings/names/antigens.yaml`. It must not take an unknown name for a similar one, nor
//! count doses.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::words::{fold, mentions, tidy};

const TEXT: &str = include_str!("../../mappings/names/antigens.yaml");

/// Words that say "the dose after the first series".
const BOOSTER_WORDS: [&str; 3] = ["booster", "lanjutan", "ulangan"];
/// Words of headers and forms that say nothing about vaccine or dose.
const FILLER_WORDS: [&str; 4] = ["date", "tgl", "imunisasi", "vaksin"];
/// Roman numerals of doses.
const ROMAN: [&str; 5] = ["i", "ii", "iii", "iv", "v"];

/// What a vaccine cell says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaccineRead {
    /// An antigen, with the dose its name gives.
    Known {
        /// Antigen code.
        antigen: String,
        /// Dose in the name.
        dose: Option<i64>,
    },
    /// Several vaccines in one cell.
    Several,
    /// A name that is not listed.
    Unknown,
}

/// The listed vaccine names.
#[derive(Debug)]
pub struct Antigens {
    antigens: BTreeMap<String, Antigen>,
    names: HashMap<String, String>,
    reasons: Vec<Reason>,
    not_given: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    antigens: BTreeMap<String, Antigen>,
    not_given: Vec<String>,
    reasons: Vec<Reason>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Antigen {
    dose: Option<i64>,
    doses: i64,
    booster: Option<i64>,
    dose_before: Option<DoseBefore>,
    names: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DoseBefore {
    dose: i64,
    months: i64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reason {
    code: String,
    words: Vec<String>,
}

/// The list of vaccine names cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("mappings/names/antigens.yaml: {0}")]
pub struct AntigensError(String);

impl Antigens {
    /// The names that travel with the program.
    ///
    /// # Errors
    /// [`AntigensError`] when the list is damaged.
    pub fn built_in() -> Result<Self, AntigensError> {
        let written: Written =
            serde_saphyr::from_str(TEXT).map_err(|error| AntigensError(error.without_snippet().to_string()))?;
        let mut names = HashMap::new();
        for (code, antigen) in &written.antigens {
            for name in antigen.names.iter().chain([code]) {
                if names.insert(fold(name), code.clone()).is_some_and(|other| other != *code) {
                    return Err(AntigensError(format!("`{name}` stands under two antigens")));
                }
            }
        }
        Ok(Self { antigens: written.antigens, names, reasons: written.reasons, not_given: written.not_given })
    }

    /// Reads a vaccine name, with or without its dose.
    #[must_use]
    pub fn read(&self, text: &str) -> VaccineRead {
        let found = self.find(text);
        if found != VaccineRead::Unknown {
            return found;
        }
        let parts: Vec<&str> =
            text.split([',', '+', ';', '&']).map(str::trim).filter(|part| !part.is_empty()).collect();
        let known = |part: &&str| matches!(self.find(part), VaccineRead::Known { .. });
        if parts.len() > 1 && parts.iter().all(known) { VaccineRead::Several } else { VaccineRead::Unknown }
    }

    fn find(&self, text: &str) -> VaccineRead {
        let text = tidy(text);
        let outside = text.split_once('(').map_or(text.as_str(), |(outside, _)| outside);
        for candidate in [text.as_str(), outside] {
            if let Some(known) = self.named(&fold(candidate), None, false) {
                return known;
            }
            let (name, dose, booster) = apart(candidate);
            if let Some(known) = self.named(&name, dose, booster) {
                return known;
            }
        }
        VaccineRead::Unknown
    }

    fn named(&self, name: &str, dose: Option<i64>, booster: bool) -> Option<VaccineRead> {
        let code = self.names.get(name)?;
        let antigen = self.antigens.get(code)?;
        let dose = match (dose, booster) {
            (Some(dose), _) => Some(dose),
            (None, true) => Some(antigen.booster?),
            (None, false) => antigen.dose,
        };
        let possible = dose.is_none_or(|dose| (1..=antigen.doses).contains(&dose));
        possible.then(|| VaccineRead::Known { antigen: code.clone(), dose })
    }

    /// The dose meant by a name without a number at an age in completed months, where only one can be meant.
    #[must_use]
    pub fn only_dose_at(&self, antigen: &str, months: i64) -> Option<i64> {
        let before = self.antigens.get(antigen)?.dose_before?;
        (months < before.months).then_some(before.dose)
    }

    /// Whether an antigen has a dose of this number.
    #[must_use]
    pub fn has_dose(&self, antigen: &str, dose: i64) -> bool {
        self.antigens.get(antigen).is_some_and(|antigen| (1..=antigen.doses).contains(&dose))
    }

    /// Whether the text says by itself that the dose was not given.
    #[must_use]
    pub fn says_not_given(&self, text: &str) -> bool {
        self.not_given.iter().any(|word| mentions(text, word))
    }

    /// The code of the reason that the text gives.
    #[must_use]
    pub fn reason(&self, text: &str) -> Option<&str> {
        let says =
            |reason: &&Reason| fold(&reason.code) == fold(text) || reason.words.iter().any(|word| mentions(text, word));
        self.reasons.iter().find(says).map(|reason| reason.code.as_str())
    }

    /// The vaccine name in front of a reason: `MR 1` of `MR 1 tunda: demam`.
    #[must_use]
    pub fn before_reason<'a>(&self, text: &'a str) -> &'a str {
        let words = text.char_indices().filter(|(at, character)| {
            character.is_alphabetic() && !text[..*at].ends_with(|before: char| before.is_alphanumeric())
        });
        for (at, _) in words {
            let starts = |word: &String| {
                let rest = &text[at..];
                rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
                    && !rest[word.len()..].starts_with(|after: char| after.is_alphanumeric())
            };
            if self.not_given.iter().any(starts) {
                return text[..at].trim_end_matches(|end: char| !end.is_alphanumeric() && end != ')');
            }
        }
        text
    }
}

/// A name without its dose: (folded name, dose number, whether a booster word stands there).
fn apart(text: &str) -> (String, Option<i64>, bool) {
    let mut words: Vec<String> = Vec::new();
    let mut digit_before = None;
    for character in text.chars().flat_map(char::to_lowercase) {
        if !character.is_alphanumeric() {
            digit_before = None;
            continue;
        }
        let digit = character.is_ascii_digit();
        match words.last_mut() {
            Some(word) if digit_before == Some(digit) => word.push(character),
            _ => words.push(character.to_string()),
        }
        digit_before = Some(digit);
    }
    words.retain(|word| !FILLER_WORDS.contains(&word.as_str()));
    let before = words.len();
    words.retain(|word| !BOOSTER_WORDS.contains(&word.as_str()));
    let booster = words.len() < before;
    let last = words.last().map(String::as_str).unwrap_or_default();
    let roman = ROMAN.iter().position(|numeral| *numeral == last).and_then(|at| i64::try_from(at + 1).ok());
    let dose = roman.or_else(|| last.parse().ok());
    if dose.is_some() {
        words.pop();
    }
    (words.concat(), dose, booster)
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    fn antigens() -> Antigens {
        Antigens::built_in().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn names_of_the_field_are_recognised() {
        let antigens = antigens();
        for (text, code, dose) in [
            ("BCG", "BCG", Some(1)),
            ("BCG (<2 bln)", "BCG", Some(1)),
            ("Polio 1", "OPV", Some(1)),
            ("Polio IV", "OPV", Some(4)),
            ("Polio Tetes 1 (OPV 1)", "OPV", Some(1)),
            ("POLIO", "OPV", None),
            ("Polio Suntik 2 (IPV 2)", "IPV", Some(2)),
            ("IPV", "IPV", None),
            ("DPT-HB-Hib 2", "DPT-HB-HIB", Some(2)),
            ("dpthbhib3", "DPT-HB-HIB", Some(3)),
            ("DPT/HB II", "DPT-HB-HIB", Some(2)),
            ("BOOSTER PENTA (18 bln)", "DPT-HB-HIB", Some(4)),
            ("DPT-HB-Hib Lanjutan", "DPT-HB-HIB", Some(4)),
            ("DPT-HB-Hib 4 (Booster)", "DPT-HB-HIB", Some(4)),
            ("HB0", "HB0", Some(1)),
            ("HB-0 24 JAM", "HB0", Some(1)),
            ("Hepatitis B (HB-0)", "HB0", Some(1)),
            ("Campak", "MR", None),
            ("Campak Rubela 1", "MR", Some(1)),
            ("Campak/MR Booster", "MR", Some(2)),
            ("pcv_3_date", "PCV", Some(3)),
            ("ROTAVIRUS 1", "RV", Some(1)),
            ("JE (10 bln)", "JE", Some(1)),
        ] {
            assert_eq!(antigens.read(text), VaccineRead::Known { antigen: code.into(), dose }, "{text}");
        }
    }

    #[test]
    fn other_names_are_not_guessed() {
        let antigens = antigens();
        for text in ["", "Polio 0", "HB 1", "PCB 1", "Polio 7", "vitamin A", "DPT-HB-Hib 12", "Rotarix 2"] {
            assert_eq!(antigens.read(text), VaccineRead::Unknown, "{text}");
        }
        assert_eq!(antigens.read("BCG, Polio 1"), VaccineRead::Several);
        assert_eq!(antigens.only_dose_at("MR", 17), Some(1));
        assert_eq!(antigens.only_dose_at("MR", 18), None);
    }

    #[test]
    fn reasons_are_found_in_sentences() {
        let antigens = antigens();
        assert!(antigens.says_not_given("tunda: demam"));
        assert!(!antigens.says_not_given("demam setelah imunisasi"));
        assert_eq!(antigens.reason("tunda: demam"), Some("tunda"));
        assert_eq!(antigens.reason("tunda, vaksin habis"), Some("kosong"));
        assert_eq!(antigens.reason("Ditolak ayah"), Some("ditolak"));
        assert_eq!(antigens.before_reason("MR 1 (tunda: demam)"), "MR 1");
        assert_eq!(antigens.before_reason("tunda: demam"), "");
    }
}
