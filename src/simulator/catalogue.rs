//! The catalogue of known answers other than plain success (`answers.json`, after satusehat-errors.json), for scripts
//! that want one word for word.
//!
//! It must not decide when an answer is due. Where no wording is known, `answers.json` says the rule in plain words.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::Value;

/// The answer of one class.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Known {
    /// HTTP status; 400 or 401 where the status is not known for certain.
    pub status: u16,
    /// Content type; empty for an answer without body.
    pub content_type: String,
    /// Text, or JSON.
    pub body: Value,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// True when the call was carried out all the same: only the body is this one.
    #[serde(default)]
    pub commits: bool,
}

static ANSWERS: LazyLock<Result<BTreeMap<String, Known>, serde_json::Error>> =
    LazyLock::new(|| serde_json::from_str(include_str!("answers.json")));

/// Tells whether the packaged file can be read.
pub(super) fn readable() -> Result<(), String> {
    ANSWERS.as_ref().map(|_| ()).map_err(ToString::to_string)
}

/// The answer of a class.
pub(super) fn answer(class: &str) -> Option<&'static Known> {
    ANSWERS.as_ref().ok()?.get(class)
}

/// Whether there is such a class.
pub(super) fn knows(class: &str) -> bool {
    answer(class).is_some()
}
