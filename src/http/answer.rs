//! The answer to a request while it grows: one item per record, in order, as a JSON array or one item a line.
//!
//! It must not grow without end: behind a named length an item keeps its first problem only, and says how many it left
//! out.

use serde_json::{Value, json};

use super::split::Form;
use crate::ingest::intake::outcome::Taken;
use crate::issue::Severity;
use crate::words::{self, Language};

/// Problems told of one record, at most.
const PROBLEMS_MAX: usize = 100;
/// Longest sentence, in characters.
const SENTENCE_LENGTH_MAX: usize = 400;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    form: Form,
    language: Language,
    detail_bytes: usize,
    bytes: Vec<u8>,
    items: u64,
}

impl Answer {
    /// An empty answer; up to `detail_bytes` every problem of a record is told.
    #[must_use]
    pub fn new(form: Form, language: Language, detail_bytes: usize) -> Self {
        let bytes = if form == Form::Json { b"[".to_vec() } else { Vec::new() };
        Self { form, language, detail_bytes, bytes, items: 0 }
    }

    /// Number of items.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Adds what became of a record.
    pub fn push(&mut self, taken: &Taken) {
        let item = self.item(taken);
        if self.form == Form::Json && self.items > 0 {
            self.bytes.push(b',');
        }
        self.bytes.extend_from_slice(item.to_string().as_bytes());
        if self.form == Form::Lines {
            self.bytes.push(b'\n');
        }
        self.items += 1;
    }

    /// The whole text.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        if self.form == Form::Json {
            self.bytes.push(b']');
        }
        self.bytes
    }

    fn item(&self, taken: &Taken) -> Value {
        let told = if self.bytes.len() < self.detail_bytes { PROBLEMS_MAX } else { 1 };
        let issues: Vec<Value> = taken
            .found
            .iter()
            .take(told)
            .map(|found| {
                let message = words::of_issue(self.language, &found.issue);
                let message: String = message.chars().take(SENTENCE_LENGTH_MAX).collect();
                let severity = match found.issue.severity {
                    Severity::Information => "information",
                    Severity::Warning => "warning",
                    Severity::Error => "error",
                };
                json!({"rule": found.issue.rule, "severity": severity, "field": found.pointer, "message": message})
            })
            .collect();
        let mut item = json!({"id": taken.id, "outcome": taken.outcome.name(), "issues": issues});
        if let Some(version) = &taken.version {
            item["version"] = json!(version);
        }
        let left_out = taken.found.len().saturating_sub(told) + taken.more;
        if left_out > 0 {
            item["left_out"] = json!(left_out);
        }
        item
    }
}
