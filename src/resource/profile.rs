//! The part of SATUSEHAT's rules that is checked before anything is queued, as data in `schemas/profile`.
//!
//! Cardinalities and relations by rule number (satusehat-rules.csv). It must not hold rules in code: a rule that
//! changes is a changed line in a file.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::shape::Proven;

/// The rules of all resource types that we send.
#[derive(Debug, Default)]
pub struct Profiles {
    by_type: BTreeMap<String, Profile>,
    /// Shapes of resources that were found fine.
    pub proven: Proven,
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

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Number in the ministry's dictionary.
    pub rule: u32,
    /// FHIR path: `Encounter.period.end`.
    pub path: String,
}

/// A profile file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the profile {file}")]
pub struct ProfileError {
    file: String,
    #[source]
    source: serde_json::Error,
}

impl Profiles {
    /// Reads profile files: name and text.
    ///
    /// # Errors
    /// The first file that is not a profile.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ProfileError> {
        let mut profiles = BTreeMap::new();
        for (file, text) in files {
            let profile: Profile =
                serde_json::from_str(text).map_err(|source| ProfileError { file: file.to_owned(), source })?;
            profiles.insert(profile.resource_type.clone(), profile);
        }
        Ok(Self { by_type: profiles, proven: Proven::default() })
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

    /// Whether some rule of a type compares values with each other or with a number: then resources of one
    /// [`crate::resource::shape`] may differ in what they break.
    #[must_use]
    pub fn compares(&self, resource_type: &str) -> bool {
        let compares = |rule: &Rule| {
            matches!(rule.demand, Demand::After(_)) || rule.when.as_ref().is_some_and(|when| when.is.is_number())
        };
        self.by_type.get(resource_type).is_none_or(|profile| profile.rules.iter().any(compares))
    }

    /// The rules that a resource breaks.
    #[must_use]
    pub fn breaches(&self, resource_type: &str, resource: &Value) -> Vec<Breach> {
        let Some(profile) = self.by_type.get(resource_type) else {
            return vec![Breach { rule: 0, path: resource_type.to_owned() }];
        };
        profile
            .rules
            .iter()
            .filter(|rule| rule.when.as_ref().is_none_or(|when| values(resource, &when.path).contains(&&when.is)))
            .filter(|rule| !holds(rule, resource))
            .map(|rule| Breach { rule: rule.rule, path: format!("{resource_type}.{}", rule.path) })
            .collect()
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

/// A date is compared with the date part of an instant; two instants in full.
fn later(text: &str, bound: &str) -> bool {
    let shared = text.len().min(bound.len());
    match (text.get(..shared), bound.get(..shared)) {
        (Some(one), Some(other)) => one > other,
        _ => false,
    }
}

fn is_reference(text: &str, kind: &str) -> bool {
    text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('/')).is_some_and(|id| !id.is_empty())
}

fn is_utc(text: &str) -> bool {
    text.len() == "2026-11-18T01:00:00+00:00".len()
        && text.ends_with("+00:00")
        && text.parse::<jiff::Timestamp>().is_ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_compares_a_date_with_the_day_of_an_instant() {
        assert!(later("2027-01-31", "2026-11-18T01:00:00+00:00"));
        assert!(!later("2026-11-18", "2026-11-18T01:00:00+00:00"));
        assert!(later("2026-11-18T02:00:00+00:00", "2026-11-18T01:00:00+00:00"));
    }
}
