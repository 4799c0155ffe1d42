//! The one place for sentences that field people read, in Indonesian and in English.
//!
//! It must not decide anything: it fills the sentence of a rule with the issue's arguments. A sentence says what
//! is wrong and what to do next. The texts stand in the `.toml` files beside this one, both languages together.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::issue::Issue;

/// The catalogue's files: one per area, so that a rule's sentence is found by its name.
const FILES: [(&str, &str); 17] = [
    ("source", include_str!("source.toml")),
    ("proposal", include_str!("proposal.toml")),
    ("record", include_str!("record.toml")),
    ("person", include_str!("person.toml")),
    ("measurement", include_str!("measurement.toml")),
    ("growth", include_str!("growth.toml")),
    ("intake", include_str!("intake.toml")),
    ("mapping", include_str!("mapping.toml")),
    ("remote", include_str!("remote.toml")),
    ("ledger", include_str!("ledger.toml")),
    ("delivery", include_str!("delivery.toml")),
    ("alarm", include_str!("alarm.toml")),
    ("reconciliation", include_str!("reconciliation.toml")),
    ("report", include_str!("report.toml")),
    ("recap", include_str!("recap.toml")),
    ("statement", include_str!("statement.toml")),
    ("dashboard", include_str!("dashboard.toml")),
];

/// The language of reports and issues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// Indonesian, the default.
    #[default]
    Indonesian,
    /// English.
    English,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentence {
    id: String,
    en: String,
}

fn catalogue() -> &'static HashMap<String, Sentence> {
    static CATALOGUE: OnceLock<HashMap<String, Sentence>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let mut all = HashMap::new();
        for (area, text) in FILES {
            match toml::from_str::<HashMap<String, Sentence>>(text) {
                Ok(sentences) => all.extend(sentences),
                Err(error) => tracing::error!(area, %error, "words file cannot be read"),
            }
        }
        all
    })
}

/// The sentence for a key, its `{names}` filled from `arguments`. An unknown key is shown as itself, so that a
/// report is never empty; a test keeps every key known.
#[must_use]
pub fn text<K: AsRef<str>, V: AsRef<str>>(language: Language, key: &str, arguments: &[(K, V)]) -> String {
    let Some(sentence) = catalogue().get(key) else { return key.to_owned() };
    let template = match language {
        Language::Indonesian => &sentence.id,
        Language::English => &sentence.en,
    };
    fill(template, arguments)
}

/// The sentence for a key without arguments.
#[must_use]
pub fn plain(language: Language, key: &str) -> String {
    text::<&str, &str>(language, key, &[])
}

/// The sentence of an issue.
#[must_use]
pub fn of_issue(language: Language, issue: &Issue) -> String {
    text(language, &issue.rule, &issue.arguments)
}

/// Whether the catalogue knows a key.
#[must_use]
pub fn knows(key: &str) -> bool {
    catalogue().contains_key(key)
}

fn fill<K: AsRef<str>, V: AsRef<str>>(template: &str, arguments: &[(K, V)]) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 1..start + length];
        match arguments.iter().find(|(key, _)| key.as_ref() == name) {
            Some((_, value)) => out.push_str(value.as_ref()),
            None => out.push_str(&rest[start..=start + length]),
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn names(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn every_file_parses_and_both_languages_use_the_same_names() {
        let mut seen = BTreeSet::new();
        for (area, text) in FILES {
            let sentences: HashMap<String, Sentence> = toml::from_str(text).unwrap();
            for (key, sentence) in sentences {
                assert_eq!(names(&sentence.id), names(&sentence.en), "{area}: {key}");
                assert!(seen.insert(key.clone()), "{key} stands twice");
            }
        }
    }

    #[test]
    fn names_are_filled_and_unknown_ones_stay_visible() {
        assert_eq!(fill("a {x} b {y}", &[("x", "1")]), "a 1 b {y}");
    }
}
