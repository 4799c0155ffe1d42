//! Makes texts of the server fit to keep: no quoted values, no long digits, bounded length.
//!
//! Server texts quote what was sent, so they can hold names, numbers and birth dates. It must not judge the text.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::redact::MASK;

/// Longest text kept of one answer, in characters.
pub const EXCERPT_CHARACTERS_MAX: usize = 300;

/// Digits in a row that may be a NIK, a telephone number, a date or an IHS number, in digits. Rule numbers have 5.
const PERSONAL_DIGITS_MIN: usize = 6;

/// Longest name of an element or a code kept, in characters.
const NAME_CHARACTERS_MAX: usize = 200;

/// The text with quoted values and long digits masked, white space folded, cut to `characters_max`.
#[must_use]
pub fn masked(text: &str, characters_max: usize) -> String {
    // Masking looks at a bounded part only: an answer may be megabytes long.
    let part: String = text.chars().take(characters_max.saturating_mul(4)).collect();
    let quiet = without_digits(&without_quoted(&part));
    quiet.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(characters_max).collect()
}

/// A path, code or header of the server: visible ASCII only, long digits masked, cut.
#[must_use]
pub fn name(text: &str) -> String {
    let visible: String = text.chars().filter(char::is_ascii_graphic).take(NAME_CHARACTERS_MAX).collect();
    without_digits(&without_quoted(&visible))
}

/// Longest id of a request kept, in characters.
const OPAQUE_CHARACTERS_MAX: usize = 64;
/// Digits in a row that an id of a request has at most: a telephone number has more.
const OPAQUE_DIGITS_MAX: usize = 8;

/// A server's id of a request as it came, or a mask when it may be something else. ([`name`] would spoil it: half of
/// all UUIDs have six digits in a row.)
#[must_use]
pub fn opaque(text: &str) -> String {
    let text = text.trim();
    let usual = |one: u8| one.is_ascii_alphanumeric() || b"-._:".contains(&one);
    let longest = text.split(|one: char| !one.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    let fits = (1..=OPAQUE_CHARACTERS_MAX).contains(&text.len()) && longest <= OPAQUE_DIGITS_MAX;
    if fits && text.bytes().all(usual) { text.to_owned() } else { MASK.to_owned() }
}

/// Members of a resource whose text may name a person.
const PERSONAL_MEMBERS: [&str; 8] = ["display", "name", "text", "given", "family", "line", "value", "birthDate"];
/// Of these the ones whose single words name somebody too.
const NAMING_MEMBERS: [&str; 5] = ["name", "given", "family", "line", "address"];

/// Shortest text looked for again, in bytes: shorter ones stand in every sentence.
const REPEATED_BYTES_MIN: usize = 4;

/// How a text of what was sent is looked for in an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Telling {
    Nothing,
    Whole,
    EachWord,
}

/// The texts of what was sent that may name a person: the server may repeat them without quotes, names also in part.
#[must_use]
pub fn personal_texts(sent: &Value) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    collect(sent, Telling::Nothing, &mut texts);
    texts
}

/// The same for the values of a query or a form.
#[must_use]
pub fn personal_values(parameters: &[(&str, &str)]) -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    parameters.iter().for_each(|(_, value)| add(value, Telling::EachWord, &mut texts));
    texts
}

fn collect(value: &Value, telling: Telling, texts: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => add(text, telling, texts),
        Value::Array(list) => list.iter().for_each(|one| collect(one, telling, texts)),
        Value::Object(members) => members.iter().for_each(|(key, one)| {
            let key = key.as_str();
            // The display of a reference is somebody's name; that of a code is a word of the trade.
            let names = NAMING_MEMBERS.contains(&key) || (key == "display" && members.contains_key("reference"));
            let telling = match telling {
                Telling::EachWord => Telling::EachWord,
                _ if names => Telling::EachWord,
                _ if PERSONAL_MEMBERS.contains(&key) => Telling::Whole,
                _ => Telling::Nothing,
            };
            collect(one, telling, texts);
        }),
        _ => {}
    }
}

fn add(text: &str, telling: Telling, texts: &mut BTreeSet<String>) {
    let words = text.split(|one: char| !one.is_alphanumeric()).filter(|_| telling == Telling::EachWord);
    let whole = Some(text).filter(|_| telling != Telling::Nothing);
    let long = words.chain(whole).filter(|one| one.len() >= REPEATED_BYTES_MIN);
    texts.extend(long.map(str::to_lowercase));
}

/// The text with each of `texts` (lower case) masked, whatever its letter case.
#[must_use]
pub fn without(text: &str, texts: &BTreeSet<String>) -> String {
    let lower = text.to_lowercase();
    if lower.len() != text.len() {
        // Positions do not carry over, so the lower-case form is what is kept.
        return texts.iter().fold(lower, |kept, part| kept.replace(part, MASK));
    }
    let mut out = text.to_owned();
    // What the mask itself holds would be replaced for ever.
    for part in texts.iter().filter(|part| !part.is_empty() && !MASK.contains(part.as_str())) {
        while let Some(at) = out.to_lowercase().find(part.as_str()) {
            if out.get(at..at + part.len()).is_none() {
                return MASK.to_owned();
            }
            out.replace_range(at..at + part.len(), MASK);
        }
    }
    out
}

/// Masks what stands between quotes. An apostrophe inside a word (`can't`) opens nothing; a quote that is never
/// closed masks the rest.
fn without_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    let mut before = ' ';
    while let Some(letter) = letters.next() {
        out.push(letter);
        let close = match letter {
            '"' | '`' => Some(letter),
            '\'' if !(before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric())) => {
                Some('\'')
            }
            '“' => Some('”'),
            '‘' => Some('’'),
            _ => None,
        };
        before = letter;
        let Some(close) = close else { continue };
        let (closed, any) = skip_quoted(&mut letters, close);
        if any {
            out.push_str(MASK);
        }
        if closed {
            out.push(close);
        }
        before = close;
    }
    out
}

/// Skips to the closing quote; returns whether it was found and whether anything stood before it.
fn skip_quoted(letters: &mut std::iter::Peekable<std::str::Chars<'_>>, close: char) -> (bool, bool) {
    let mut any = false;
    while let Some(letter) = letters.next() {
        let inside_a_word = close == '\'' && any && letters.peek().is_some_and(|next| next.is_alphanumeric());
        if letter == close && !inside_a_word {
            return (true, any);
        }
        any = true;
    }
    (false, any)
}

/// Masks runs of six digits and more, also when single separators stand between them, as in dates and telephones.
fn without_digits(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < letters.len() {
        if !letters[at].is_ascii_digit() {
            out.push(letters[at]);
            at += 1;
            continue;
        }
        let (mut end, mut digits) = (at, 0);
        while end < letters.len() {
            let joined = matches!(letters[end], '-' | '/' | '.' | ' ' | ':')
                && letters.get(end + 1).is_some_and(char::is_ascii_digit);
            if letters[end].is_ascii_digit() {
                digits += 1;
            } else if !joined {
                break;
            }
            end += 1;
        }
        if digits >= PERSONAL_DIGITS_MIN {
            out.push_str(MASK);
        } else {
            out.extend(&letters[at..end]);
        }
        at = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked_and_words_stay() {
        let text = "Code not found: 'Siti Aminah' in system: \"http://x\" 1001014512230001 born 2023-04-05 (RuleNumber: 10003)";
        assert_eq!(masked(text, 300), "Code not found: '•••' in system: \"•••\" ••• born ••• (RuleNumber: 10003)");
        assert_eq!(
            masked("can't be more than 60 days, Text is empty: ''", 300),
            "can't be more than 60 days, Text is empty: ''"
        );
        assert_eq!(masked("name 'Nur'aini' unknown", 300), "name '•••' unknown");
        assert_eq!(masked("open 'Siti Aminah", 300), "open '•••");
        assert_eq!(masked(&"long ".repeat(200), 300).chars().count(), 300);
    }

    #[test]
    fn what_was_sent_is_masked_when_it_comes_back_without_quotes() {
        let sent = serde_json::json!({"subject": {"display": "Melati Rembulan"}, "status": "finished", "text": "••"});
        let texts = personal_texts(&sent);
        assert_eq!(without("MELATI REMBULAN is finished, melati rembulan", &texts), "••• is finished, •••");
    }

    #[test]
    fn names_of_elements_stay_readable() {
        assert_eq!(
            name("Bundle.entry[12].resource.where(system='a')"),
            "Bundle.entry[12].resource.where(system='•••')"
        );
    }
}
