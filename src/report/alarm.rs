//! An alarm as people and programs read it: what is wrong and what to do.
//!
//! It must not judge; the daemon does.

use serde_json::{Map, Value, json};

use crate::ledger::alarm::Alarm;
use crate::words::{self, Language};

/// An alarm as JSON, with its sentence.
#[must_use]
pub fn as_json(alarm: &Alarm, text: &str) -> Value {
    json!({
        "number": alarm.number, "kind": alarm.kind.word(), "about": alarm.about, "level": alarm.level,
        "details": details(alarm), "raised_at": alarm.raised_at.to_string(),
        "ended_at": alarm.ended_at.map(|at| at.to_string()), "text": text,
    })
}

/// An alarm in words: what is wrong and what to do.
#[must_use]
pub fn sentence(alarm: &Alarm, language: Language) -> String {
    let details = details(alarm);
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut values: Vec<(&str, String)> = details.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    values.push(("perihal", alarm.about.clone()));
    words::text(language, &format!("alarm.about.{}.{}", alarm.kind.word(), alarm.level), &values)
}

fn details(alarm: &Alarm) -> Map<String, Value> {
    serde_json::from_str(&alarm.details).unwrap_or_default()
}
