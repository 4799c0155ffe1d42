//! `mapping rules`: the platform's published rules, what each demands, and which cannot be looked at before sending.
//!
//! It must not judge anything; it prints the table that the checks before queueing read.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Format;
use crate::resource::dictionary::{Dictionary, Rule};

/// The rules, or the lines of one number.
///
/// # Errors
/// When no rule has the number.
pub fn list(dictionary: &Dictionary, number: Option<u32>, format: Format) -> anyhow::Result<String> {
    let wanted = |rule: &&Rule| number.is_none_or(|number| rule.number == number);
    let rules: Vec<&Rule> = dictionary.rules().iter().filter(wanted).collect();
    anyhow::ensure!(!rules.is_empty(), "there is no published rule with this number");
    let count = |checked: bool| {
        let of = rules.iter().filter(|rule| rule.check.is_some() == checked);
        of.map(|rule| rule.number).collect::<BTreeSet<_>>().len()
    };
    if format == Format::Json {
        let rules: Vec<Value> = rules.iter().map(|rule| as_json(rule)).collect();
        return Ok(json!({"checked": count(true), "not_checked": count(false), "rules": rules}).to_string());
    }
    let mut lines: Vec<String> = rules.iter().map(|rule| as_line(rule, number.is_some())).collect();
    if number.is_none() {
        lines.push(format!("\n{} rules are looked at before sending, {} cannot be", count(true), count(false)));
    }
    Ok(lines.join("\n"))
}

fn as_json(rule: &Rule) -> Value {
    json!({
        "number": rule.number, "element": rule.element, "check": rule.check.as_ref().map(|_| &rule.word),
        "values": rule.values, "disputed": rule.disputed, "when": rule.condition, "note": rule.note,
    })
}

fn as_line(rule: &Rule, in_full: bool) -> String {
    let mut line = match &rule.check {
        Some(_) => format!("{} {:<14} {}", rule.number, rule.word, rule.element),
        None => format!("{} {:<14} {}: {}", rule.number, "not checked", rule.element, rule.note),
    };
    if !rule.condition.is_empty() {
        line.push_str(&format!(" when {}", rule.condition));
    }
    if in_full {
        rule.values.iter().for_each(|value| line.push_str(&format!("\n  {value}")));
        rule.disputed.iter().for_each(|value| line.push_str(&format!("\n  {value} (told, not refused)")));
        if rule.check.is_some() && !rule.note.is_empty() {
            line.push_str(&format!("\n  note: {}", rule.note));
        }
    }
    line
}
