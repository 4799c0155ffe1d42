//! One visit, one transaction Bundle: inner references by `urn:uuid`, so that a retry is the same bytes.
//!
//! It must not know server ids; [`fill`] puts patient and practitioner in at the moment of sending.

use crate::mapping::plan::{PATIENT_TOKEN, PRACTITIONER_TOKEN};
use crate::mapping::visit::DraftResource;

/// The transaction Bundle of a visit: every entry a POST, in the order given (satusehat-api.md, section 4).
#[must_use]
pub fn transaction(resources: &[DraftResource<'_>]) -> String {
    let content: usize = resources.iter().map(|resource| resource.json.len() + ENTRY_BYTES_AROUND).sum();
    let mut out = String::with_capacity(content + ENTRY_BYTES_AROUND);
    out.push_str(BEGIN);
    for (index, resource) in resources.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str("{\"fullUrl\":\"");
        out.push_str(&resource.full_url);
        out.push_str("\",\"resource\":");
        out.push_str(&resource.json);
        out.push_str(",\"request\":{\"method\":\"POST\",\"url\":\"");
        out.push_str(&resource.plan.resource_type);
        out.push_str("\"}}");
    }
    out.push_str(END);
    out
}

/// How a transaction begins and ends.
const BEGIN: &str = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[";
const END: &str = "]}";

/// Bytes around one resource in a Bundle: fullUrl, request and brackets.
const ENTRY_BYTES_AROUND: usize = 160;

/// Puts the server's ids in place of the tokens.
#[must_use]
pub fn fill(json: &str, patient: &str, practitioner: &str) -> String {
    let mut out = String::with_capacity(json.len() + 512);
    let mut rest = json;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        if let Some(after) = after.strip_prefix(PATIENT_TOKEN) {
            out.push_str(patient);
            rest = after;
        } else if let Some(after) = after.strip_prefix(PRACTITIONER_TOKEN) {
            out.push_str(practitioner);
            rest = after;
        } else {
            out.push('{');
            rest = &after[1..];
        }
    }
    out.push_str(rest);
    out
}

/// A Bundle that cannot be taken apart: it was not made here.
#[derive(Debug, thiserror::Error)]
#[error("the stored Bundle cannot be read")]
pub struct BundleError(#[from] serde_json::Error);

/// The entries of a stored Bundle as JSON texts with their fullUrl, for sending them one by one.
///
/// # Errors
/// When the text is not a Bundle of ours.
pub fn entries(bundle: &str) -> Result<Vec<(String, String)>, BundleError> {
    #[derive(serde::Deserialize)]
    struct Bundle<'a> {
        #[serde(borrow)]
        entry: Vec<Entry<'a>>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry<'a> {
        full_url: String,
        #[serde(borrow)]
        resource: &'a serde_json::value::RawValue,
    }
    let bundle: Bundle<'_> = serde_json::from_str(bundle)?;
    Ok(bundle.entry.into_iter().map(|entry| (entry.full_url, entry.resource.get().to_owned())).collect())
}

/// The Bundle without the entry of a fullUrl: what referred to it refers to `reference` at the server instead.
///
/// # Errors
/// When the text is not a Bundle of ours.
pub fn adopt(bundle: &str, full_url: &str, reference: &str) -> Result<String, BundleError> {
    #[derive(serde::Deserialize)]
    struct Bundle<'a> {
        #[serde(borrow)]
        entry: Vec<&'a serde_json::value::RawValue>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Name {
        full_url: String,
    }
    let whole: Bundle<'_> = serde_json::from_str(bundle)?;
    let mut kept = Vec::with_capacity(whole.entry.len());
    for entry in whole.entry {
        let name: Name = serde_json::from_str(entry.get())?;
        if name.full_url != full_url {
            kept.push(entry.get());
        }
    }
    let text = format!("{BEGIN}{}{END}", kept.join(","));
    Ok(resolve(&text, &[(full_url.to_owned(), reference.to_owned())]))
}

/// Puts server references in place of `urn:uuid` references, for a resource that is sent alone.
#[must_use]
pub fn resolve(json: &str, known: &[(String, String)]) -> String {
    known.iter().fold(json.to_owned(), |json, (full_url, reference)| json.replace(full_url, reference))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_filled_and_nothing_else_changes() {
        let json = r#"{"a":{"reference":"Patient/{patient}"},"b":"Practitioner/{practitioner}","c":"{x}"}"#;
        assert_eq!(fill(json, "P1", "N2"), r#"{"a":{"reference":"Patient/P1"},"b":"Practitioner/N2","c":"{x}"}"#);
    }

    #[test]
    fn an_entry_that_is_there_already_is_left_out_and_referred_to() {
        let entry = |url: &str, inside: &str| {
            format!(r#"{{"fullUrl":"{url}","resource":{{{inside}}},"request":{{"method":"POST","url":"X"}}}}"#)
        };
        let visit = entry("urn:uuid:1", r#""episodeOfCare":[{"reference":"urn:uuid:2"}]"#);
        let whole = format!("{BEGIN}{visit},{}{END}", entry("urn:uuid:2", ""));
        let adopted = adopt(&whole, "urn:uuid:2", "EpisodeOfCare/e").unwrap();
        assert_eq!(adopted, format!("{BEGIN}{}{END}", visit.replace("urn:uuid:2", "EpisodeOfCare/e")));
    }

    #[test]
    fn a_bundle_comes_apart_into_the_texts_it_was_made_of() {
        let bundle = r#"{"resourceType":"Bundle","entry":[{"fullUrl":"urn:uuid:1","resource":{"x": 1.50}}]}"#;
        assert_eq!(entries(bundle).unwrap(), [("urn:uuid:1".to_owned(), r#"{"x": 1.50}"#.to_owned())]);
    }
}
