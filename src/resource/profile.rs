//! What the platform asks of a resource beyond its published rules, as data in `schemas/profile`.
//!
//! Elements that every accepted sample has and numbers known from live reports; the published rules themselves are in
//! [`super::dictionary`]. It must not hold rules in code: a rule that changes is a changed line in a file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::dictionary::check::{is_utc, later};
use super::dictionary::{Dictionary, DictionaryError, Finding};
use super::shape::Proven;
use crate::issue::Severity;

/// Everything that is asked of the resource types that we send.
#[derive(Debug, Default)]
pub struct Profiles {
    by_type: BTreeMap<String, Profile>,
    /// The published rules.
    pub dictionary: Dictionary,
    /// Shapes of resources that were found fine.
    pub proven: Proven,
    /// SHA-256 over all the files: other rules are another version of what a visit becomes.
    pub digest: [u8; 32],
}

/// The rules of one resource type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(rename = "resourceType")]
    resource_type: String,
    /// R4 element names, for suggestions.
    elements: Vec<String>,
    rules: Vec<Rule>,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Number in the ministry's dictionary.
    rule: u32,
    /// Element path below the resource, lists flattened.
    path: String,
    demand: Demand,
    /// Only for resources where `path` has this value.
    #[serde(default)]
    when: Option<When>,
    /// Where the rule is from when the dictionary does not hold it.
    #[serde(default)]
    #[allow(dead_code, reason = "for the readers of the file")]
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    path: String,
    is: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Demand {
    /// At least one value.
    Present,
    /// Later than the value at another path (dates compare with dates, instants with instants).
    After(String),
    /// The coding systems accepted.
    Systems(Vec<String>),
    /// The resource types that may be referred to.
    References(Vec<String>),
    /// `YYYY-MM-DDThh:mm:ss+00:00`.
    Utc,
    /// A whole number above zero.
    Positive,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// A profile.
    #[error("cannot read the profile {file}")]
    Profile {
        /// Its name.
        file: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The published rules.
    #[error(transparent)]
    Dictionary(#[from] DictionaryError),
}

impl Profiles {
    /// Reads profile files, name and text, and the table of published rules.
    ///
    /// # Errors
    /// The first file that is not what it should be.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
        published: &str,
    ) -> Result<Self, ProfileError> {
        let mut profiles = BTreeMap::new();
        let mut hash = Sha256::new_with_prefix(published);
        for (file, text) in files {
            hash.update(text);
            let profile: Profile =
                serde_json::from_str(text).map_err(|source| ProfileError::Profile { file: file.to_owned(), source })?;
            profiles.insert(profile.resource_type.clone(), profile);
        }
        let dictionary = Dictionary::parse(published)?;
        Ok(Self { by_type: profiles, dictionary, proven: Proven::default(), digest: hash.finalize().into() })
    }

    /// Whether a resource type has a profile: without one it is not sent.
    #[must_use]
    pub fn knows(&self, resource_type: &str) -> bool {
        self.by_type.contains_key(resource_type)
    }

    /// The resource types that have a profile.
    pub fn resource_types(&self) -> impl Iterator<Item = &str> {
        self.by_type.keys().map(String::as_str)
    }

    /// R4 element names of all types, for suggestions.
    pub fn elements(&self) -> impl Iterator<Item = &str> {
        self.by_type.values().flat_map(|profile| profile.elements.iter().map(String::as_str))
    }

    /// Every rule that a resource breaks, each named once for an element. `target` names the type of the Bundle's
    /// entry behind a `urn:uuid`.
    #[must_use]
    pub fn findings(
        &self,
        resource_type: &str,
        resource: &Value,
        target: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Finding> {
        let mut found = self.dictionary.findings(resource_type, resource, target);
        found.extend(self.dictionary.lost_references(resource_type, resource, target));
        for breach in self.breaches(resource_type, resource) {
            if !found.iter().any(|known| known.number == breach.number) {
                found.push(breach);
            }
        }
        found
    }

    /// What a resource lacks beyond the published rules.
    fn breaches(&self, resource_type: &str, resource: &Value) -> Vec<Finding> {
        let breach = |number, path: String, word: &str| Finding {
            number,
            path,
            severity: Severity::Error,
            word: word.to_owned(),
        };
        let Some(profile) = self.by_type.get(resource_type) else {
            return vec![breach(0, resource_type.to_owned(), "structure")];
        };
        profile
            .rules
            .iter()
            .filter(|rule| rule.when.as_ref().is_none_or(|when| values(resource, &when.path).contains(&&when.is)))
            .filter(|rule| !holds(rule, resource))
            .map(|rule| breach(rule.rule, format!("{resource_type}.{}", rule.path), rule.demand.word()))
            .collect()
    }
}

impl Demand {
    /// The word of the published rules for the same demand.
    fn word(&self) -> &'static str {
        match self {
            Self::Present => "required",
            Self::After(_) => "later_than",
            Self::Systems(_) => "system",
            Self::References(_) => "reference",
            Self::Utc => "date_time",
            Self::Positive => "positive",
        }
    }
}

fn holds(rule: &Rule, resource: &Value) -> bool {
    let found = values(resource, &rule.path);
    let texts = || found.iter().filter_map(|value| value.as_str());
    match &rule.demand {
        Demand::Present => found.iter().any(|value| !value.is_null() && value.as_str() != Some("")),
        Demand::After(path) => {
            let other = values(resource, path);
            let Some(bound) = other.first().and_then(|value| value.as_str()) else { return true };
            texts().all(|text| later(text, bound))
        }
        Demand::Systems(systems) => texts().all(|text| systems.iter().any(|system| text.starts_with(system.as_str()))),
        Demand::References(types) => {
            texts().all(|text| text.starts_with("urn:uuid:") || types.iter().any(|kind| is_reference(text, kind)))
        }
        Demand::Utc => texts().all(is_utc),
        Demand::Positive => found.iter().all(|value| value.as_i64().is_some_and(|number| number > 0)),
    }
}

fn is_reference(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).is_some_and(|id| !id.is_empty())
}

/// All values at a dotted path, lists flattened.
fn values<'a>(resource: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut found = vec![resource];
    for name in path.split('.') {
        found = found.into_iter().flat_map(flatten).filter_map(|value| value.get(name)).collect();
    }
    found.into_iter().flat_map(flatten).collect()
}

fn flatten(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(entries) => entries.iter().collect(),
        other => vec![other],
    }
}
