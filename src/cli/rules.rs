//! `mapping rules`: the platform's published rules, what each demands, and which cannot be looked at before sending.
//! And for `mapping test`: what the cases break of them.
//!
//! It must not judge anything itself; it prints the table that the checks before queueing read, and what they say.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Format;
use crate::config::assets::Rules;
use crate::issue::Severity;
use crate::mapping::case::{self, Case};
use crate::mapping::visit::without_positions;
use crate::resource::dictionary::{Dictionary, Rule};
use crate::resource::{self, Outcome};

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

/// What a case breaks of the rules, and where official samples send what a printed rule does not list.
#[derive(Debug, Default)]
pub struct Held {
    /// One sentence per broken rule.
    pub broken: Vec<String>,
    /// One sentence per rule and resource of a mapping.
    pub disputed: BTreeSet<String>,
}

/// Holds what a case yields against the rules.
#[must_use]
pub fn hold(rules: &Rules, case: &Case) -> Held {
    case.with_visit(|visit, switches| {
        let mut held = Held::default();
        let outcome = resource::prepare(&rules.mappings, &rules.profiles, visit, switches, &case::identify);
        if let Outcome::Stopped(issues) = outcome {
            for issue in issues.iter().filter(|issue| issue.rule.starts_with("resource.")) {
                let number = issue.arguments.iter().find(|(name, _)| name == "number");
                let number = number.map_or("R4", |(_, number)| number.as_str());
                let path = issue.expression.as_deref().unwrap_or_default();
                held.broken.push(format!("SATUSEHAT's rule {number} does not hold at {path}"));
            }
        }
        let resources = rules.mappings.draft(visit, switches, &case::identify).resources;
        for resource in &resources {
            let Ok(json) = serde_json::from_str::<Value>(&resource.json) else { continue };
            let target = |_: &str| None;
            let found = rules.profiles.dictionary.findings(&resource.plan.resource_type, &json, &target);
            for finding in found.iter().filter(|finding| finding.severity == Severity::Warning) {
                let path = without_positions(&finding.path);
                let (name, number) = (&resource.plan.name, finding.number);
                held.disputed
                    .insert(format!("{name}: rule {number} does not list what official samples send at {path}"));
            }
        }
        held
    })
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
