//! Texts of cells: tidied, compared without what people vary, and turned into codes by listed words.
//!
//! It must not know any dataset. A word that is not listed has no meaning here.

use std::collections::{BTreeMap, HashMap};

use crate::redact::mask;

/// Signs that people write for "nothing here".
const NOTHING: [&str; 8] = ["-", "--", "–", "—", "null", "n/a", "#n/a", "nihil"];

/// A text without surrounding spaces, a spreadsheet's leading apostrophe, and double or hard spaces.
#[must_use]
pub fn tidy(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    for word in raw.split(|character: char| character.is_whitespace() || "\u{a0}\u{feff}\u{200b}".contains(character)) {
        if !word.is_empty() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
    let unquoted = text.trim_start_matches(['\'', '’', '‘', '`']).trim_start();
    if unquoted.len() == text.len() { text } else { unquoted.to_owned() }
}

/// Whether a tidied text is a sign for "nothing here".
#[must_use]
pub fn says_nothing(text: &str) -> bool {
    text.is_empty() || NOTHING.contains(&text.to_lowercase().as_str())
}

/// Lower case, letters and digits only: what two spellings of the same word share.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Folded word → code, for each word of each code; a code also stands for itself.
#[must_use]
pub fn by_word(words: &BTreeMap<String, Vec<String>>) -> HashMap<String, String> {
    let each =
        words.iter().flat_map(|(code, words)| words.iter().chain([code]).map(move |word| (fold(word), code.clone())));
    each.filter(|(word, _)| !word.is_empty()).collect()
}

/// Whether a phrase occurs in the text as whole words, without regard to case and marks.
#[must_use]
pub fn mentions(text: &str, phrase: &str) -> bool {
    let words = |text: &str| {
        let spaced: String =
            text.chars().map(|character| if character.is_alphanumeric() { character } else { ' ' }).collect();
        let joined = spaced.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        format!(" {joined} ")
    };
    words(text).contains(&words(phrase))
}

/// A phone number whose leading zero a spreadsheet took away.
#[must_use]
pub fn phone(text: &str) -> String {
    let digits: String = text.chars().filter(|character| character.is_ascii_digit() || *character == '+').collect();
    if digits.starts_with('8') { format!("0{digits}") } else { digits }
}

/// Digits of a BPJS number, and the fewest that are left when a spreadsheet has taken its leading zeros.
const BPJS_DIGITS: usize = 13;
const BPJS_DIGITS_LEFT_MIN: usize = 8;

/// What a cell for a BPJS number holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BpjsRead {
    /// All digits.
    Number(String),
    /// All digits, with leading zeros put back.
    Padded(String),
    /// No such number.
    Unusable,
}

/// Reads a BPJS number: 13 digits, often with leading zeros.
#[must_use]
pub fn bpjs(text: &str) -> BpjsRead {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
    if whole.chars().any(|character| !character.is_ascii_digit() && !" -.".contains(character)) {
        return BpjsRead::Unusable;
    }
    match digits.len() {
        BPJS_DIGITS => BpjsRead::Number(digits),
        BPJS_DIGITS_LEFT_MIN..BPJS_DIGITS => BpjsRead::Padded(format!("{digits:0>BPJS_DIGITS$}")),
        _ => BpjsRead::Unusable,
    }
}

/// Most digits that an issue shows; more may be a birth date or a phone.
const SHOWN_DIGITS_MAX: usize = 6;

/// A cell's number for an issue, with its unit.
#[must_use]
pub fn shown_number(text: &str) -> String {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits <= SHOWN_DIGITS_MAX { text.to_owned() } else { mask(text) }
}

/// Longest text of a cell that an issue may show, in characters, and how many of them may be letters.
const SHOWN_CHARACTERS_MAX: usize = 10;
const SHOWN_LETTERS_MAX: usize = 4;

/// A cell's text for an issue. In a row whose cells have slipped any cell may hold a name or a number of a person,
/// so only what is too short for that is shown.
#[must_use]
pub fn shown(text: &str) -> String {
    let letters = text.chars().filter(|character| character.is_alphabetic()).count();
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let short = text.chars().count() <= SHOWN_CHARACTERS_MAX && letters <= SHOWN_LETTERS_MAX;
    let short = short && digits <= SHOWN_DIGITS_MAX;
    if short { text.to_owned() } else { mask(text) }
}

/// Whether a name says only whose baby it is: `By Ny Siti`, `Bayi Ny. Siti`.
#[must_use]
pub fn is_baby_of(name: &str) -> bool {
    let lower = name.to_lowercase();
    let mut words = lower.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    matches!(words.next(), Some("by" | "bayi"))
        && words.next().is_some_and(|word| matches!(word, "ny" | "ibu" | "nyonya"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_tidied() {
        assert_eq!(tidy("  '3671\u{a0} 0101 "), "3671 0101");
        assert!(says_nothing(&tidy(" - ")));
    }

    #[test]
    fn words_are_found_in_any_spelling() {
        let words = BTreeMap::from([("L".to_owned(), vec!["Laki-laki".to_owned()])]);
        let codes = by_word(&words);
        assert_eq!(codes.get(&fold("LAKI LAKI")).map(String::as_str), Some("L"));
        assert_eq!(codes.get(&fold("laki")), None);
        assert!(mentions("Vaksin: DITOLAK (ibu)", "ditolak"));
        assert!(!mentions("tundanya", "tunda"));
    }

    #[test]
    fn babies_without_a_name_are_recognised() {
        for name in ["By Ny Siti", "Bayi Ny. Siti", "BY.NY. SITI"] {
            assert!(is_baby_of(name), "{name}");
        }
        assert!(!is_baby_of("Bayu Nyoman"));
    }

    #[test]
    fn what_could_be_a_person_is_not_shown() {
        assert_eq!(shown("8,4,5"), "8,4,5");
        assert!(!shown("1001014512230001").contains('1'));
        assert!(!shown("Siti A").contains("Siti"));
        assert!(!shown("05121995").contains('5') && !shown("05-12-1995").contains('5'));
    }

    #[test]
    fn insurance_numbers_get_their_zeros_back() {
        assert_eq!(bpjs("0001234567890"), BpjsRead::Number("0001234567890".into()));
        assert_eq!(bpjs("1234567890.0"), BpjsRead::Padded("0001234567890".into()));
        for text in ["123", "12345678901234", "tidak punya", ""] {
            assert_eq!(bpjs(text), BpjsRead::Unusable, "{text}");
        }
    }

    #[test]
    fn a_lost_zero_is_put_back() {
        assert_eq!(phone("812-3456-7890"), "081234567890");
    }
}
