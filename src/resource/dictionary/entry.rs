//! The rules about a Bundle as a whole: every entry has a `fullUrl` of its own, no Bundle lies in a Bundle, and what
//! refers inside the Bundle finds something there.
//!
//! It must not look into a resource further than its references.

use std::collections::HashSet;

use serde_json::Value;
use uuid::Uuid;

use super::{Dictionary, Finding};
use crate::issue::Severity;

/// The words of these checks in the rule file.
pub const WORDS: [&str; 9] = [
    "json",
    "inner_reference",
    "structure",
    "no_bundle_inside",
    "full_url_form",
    "full_url_start",
    "full_url_uuid",
    "full_url_unique",
    "full_url_present",
];

/// How the addresses of entries begin, and all of their beginning.
const URN: (&str, &str) = ("urn:uuid", "urn:uuid:");

impl Dictionary {
    /// The findings of a Bundle as text, those of its resources with the path from the Bundle down.
    #[must_use]
    pub fn findings_of_bundle(&self, text: &str) -> Vec<Finding> {
        let Ok(bundle) = serde_json::from_str::<Value>(text) else { return self.about("json", "Bundle".to_owned()) };
        let entries = bundle.get("entry").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let url = |entry: &Value| entry.get("fullUrl").and_then(Value::as_str).unwrap_or_default().to_owned();
        let kind = |entry: &Value| {
            let resource = entry.get("resource");
            resource
                .and_then(|resource| resource.get("resourceType"))
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let mut found = self.findings_of_entries(entries.iter().map(|entry| (url(entry), kind(entry))));
        let target = |wanted: &str| entries.iter().find(|entry| url(entry) == wanted).map(kind);
        for (at, entry) in entries.iter().enumerate() {
            let Some(resource) = entry.get("resource") else { continue };
            let kind = kind(entry);
            let inside = self.findings(&kind, resource, &target).into_iter();
            let lost = self.lost_references(&kind, resource, &target);
            found.extend(inside.chain(lost).map(|finding| {
                let path = format!("Bundle.entry[{at}].resource.{}", finding.path);
                Finding { path, ..finding }
            }));
        }
        found
    }

    /// What is wrong with the addresses and types of entries.
    pub fn findings_of_entries(&self, entries: impl Iterator<Item = (String, String)>) -> Vec<Finding> {
        let mut found = Vec::new();
        let mut known = HashSet::new();
        for (at, (url, kind)) in entries.enumerate() {
            let word = wrong(&url).or_else(|| known.contains(&url).then_some("full_url_unique"));
            if let Some(word) = word {
                found.extend(self.about(word, format!("Bundle.entry[{at}].fullUrl")));
            }
            if kind == "Bundle" {
                found.extend(self.about("no_bundle_inside", format!("Bundle.entry[{at}].resource")));
            }
            known.insert(url);
        }
        found
    }

    /// The references of a resource to entries that are not there.
    #[must_use]
    pub fn lost_references(
        &self,
        resource_type: &str,
        resource: &Value,
        target: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<Finding> {
        let mut lost = Vec::new();
        references(resource_type, resource, &mut |path, reference| {
            if reference.starts_with(URN.1) && target(reference).is_none() {
                lost.push(path.to_owned());
            }
        });
        lost.into_iter().flat_map(|path| self.about("inner_reference", path)).collect()
    }

    fn about(&self, word: &str, path: String) -> Vec<Finding> {
        let rule = self.rules().iter().find(|rule| rule.word == word);
        let finding = |number| Finding { number, path, severity: Severity::Error, word: word.to_owned() };
        rule.map(|rule| finding(rule.number)).into_iter().collect()
    }
}

/// The check that an address fails.
fn wrong(url: &str) -> Option<&'static str> {
    if url.is_empty() {
        return Some("full_url_present");
    }
    if !url.starts_with(URN.0) {
        return Some("full_url_start");
    }
    match url.strip_prefix(URN.1) {
        None | Some("") => Some("full_url_form"),
        Some(id) => Uuid::try_parse(id).is_err().then_some("full_url_uuid"),
    }
}

fn references(path: &str, value: &Value, see: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(members) => {
            for (name, inner) in members {
                let path = format!("{path}.{name}");
                match inner.as_str() {
                    Some(reference) if name == "reference" => see(&path, reference),
                    _ => references(&path, inner, see),
                }
            }
        }
        Value::Array(entries) => {
            for (at, inner) in entries.iter().enumerate() {
                references(&format!("{path}[{at}]"), inner, see);
            }
        }
        _ => {}
    }
}
