//! The platform's published validation rules, all of them, as data in `schemas/rule/satusehat.csv`.
//!
//! A line is a rule and what it demands of one element; a rule that cannot be looked at before sending says why. It
//! must not hold a rule in code: what is here is the closed vocabulary in which the lines are written.

pub mod check;
pub mod element;
pub mod entry;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::issue::Severity;
use check::{Check, Judged};
use element::{Element, Missing};

/// Separates the values of a cell.
const SEPARATOR: &str = " ; ";

/// All published rules.
#[derive(Debug, Default)]
pub struct Dictionary {
    rules: Vec<Rule>,
    /// Positions in `rules`, by resource type.
    by_type: BTreeMap<String, Vec<usize>>,
}

/// One line: a rule and what it demands of one element.
#[derive(Debug)]
pub struct Rule {
    /// Number in the ministry's dictionary; several lines may share it.
    pub number: u32,
    /// The element as written: `Encounter.period.end`.
    pub element: String,
    /// What is demanded; `None` when it cannot be looked at before sending.
    pub check: Option<Check>,
    /// The word for the demand as written.
    pub word: String,
    /// What it is compared with, as written.
    pub values: Vec<String>,
    /// The condition under which it is demanded, as written; empty for always.
    pub condition: String,
    /// Values that official request bodies send although the printed rule does not list them: told, never refused.
    pub disputed: Vec<String>,
    /// Why it cannot be looked at, or how the printed rule was understood.
    pub note: String,
    when: Option<When>,
    path: Element,
    /// Positions on the way to the element that another rule demands: when one is missing, that rule speaks.
    demanded: Vec<usize>,
}

/// A condition on another element of the resource.
#[derive(Debug)]
struct When {
    element: Element,
    is: String,
    equal: bool,
}

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Number in the ministry's dictionary.
    pub number: u32,
    /// FHIR path with list positions: `Encounter.participant[0].individual`.
    pub path: String,
    /// An error stops the resource; a warning says that published sources contradict each other here.
    pub severity: Severity,
    /// What kind of demand it was: a word of the file.
    pub word: String,
}

/// A rule file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DictionaryError {
    /// It is not such a table.
    #[error("the rules cannot be read")]
    Table(#[from] csv::Error),
    /// A line does not say what to look at.
    #[error("rule {number}: {sentence}")]
    Line {
        /// Number of the rule.
        number: u32,
        /// What is wrong.
        sentence: String,
    },
}

#[derive(Deserialize)]
struct Line {
    rule: u32,
    element: String,
    check: String,
    values: String,
    disputed: String,
    when: String,
    note: String,
}

impl Dictionary {
    /// Reads the table.
    ///
    /// # Errors
    /// [`DictionaryError`] at the first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, DictionaryError> {
        let lines = csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<Vec<Line>, _>>()?;
        let mut rules = lines.into_iter().map(rule).collect::<Result<Vec<_>, _>>()?;
        let required: Vec<String> = rules
            .iter()
            .filter(|rule| matches!(rule.check, Some(Check::Required)) && rule.when.is_none())
            .map(|rule| rule.element.clone())
            .collect();
        for rule in &mut rules {
            rule.demanded =
                rule.path.prefixes().filter(|(_, name)| required.contains(name)).map(|(at, _)| at).collect();
        }
        let mut by_type: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.check.is_some()) {
            by_type.entry(rule.resource_type().to_owned()).or_default().push(index);
        }
        Ok(Self { rules, by_type })
    }

    /// All lines, in the order of the file.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The findings of one resource. `target` names the type of the Bundle's entry behind a `urn:uuid`.
    #[must_use]
    pub fn findings(&self, resource_type: &str, json: &Value, target: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
        let mut found = Vec::new();
        for index in self.by_type.get(resource_type).into_iter().flatten() {
            self.rules[*index].judge(json, target, &mut found);
        }
        found.sort();
        found.dedup_by(|one, other| one.number == other.number && one.path == other.path);
        found
    }
}

impl Rule {
    /// The resource type it is about; `Bundle` for what concerns the whole.
    #[must_use]
    pub fn resource_type(&self) -> &str {
        self.element.split('.').next().unwrap_or_default()
    }

    fn judge(&self, json: &Value, target: &dyn Fn(&str) -> Option<String>, found: &mut Vec<Finding>) {
        let Some(check) = &self.check else { return };
        if self.when.as_ref().is_some_and(|when| !when.holds(json)) {
            return;
        }
        let finding =
            |path: String, severity: Severity| Finding { number: self.number, path, severity, word: self.word.clone() };
        if matches!(check, Check::Required) {
            let mut missing = Missing { demanded: &self.demanded, paths: Vec::new() };
            self.path.missing(json, &mut missing);
            found.extend(missing.paths.into_iter().map(|path| finding(path, Severity::Error)));
            return;
        }
        for (path, value) in self.path.values(json) {
            let mut told = Vec::new();
            check.judge(value, json, &self.disputed, target, &mut told);
            for Judged { below, disputed } in told {
                let severity = if disputed { Severity::Warning } else { Severity::Error };
                found.push(finding(format!("{path}{below}"), severity));
            }
        }
    }
}

impl When {
    fn holds(&self, json: &Value) -> bool {
        let is = self.element.values(json).iter().any(|(_, value)| value.as_str() == Some(self.is.as_str()));
        is == self.equal
    }

    fn parse(written: &str, resource_type: &str) -> Option<Self> {
        let (element, is, equal) = match written.split_once(" != ") {
            Some((element, is)) => (element, is, false),
            None => written.split_once(" = ").map(|(element, is)| (element, is, true))?,
        };
        let element = Element::parse(&format!("{resource_type}.{element}"));
        Some(Self { element, is: is.to_owned(), equal })
    }
}

fn rule(line: Line) -> Result<Rule, DictionaryError> {
    let wrong = |sentence: String| DictionaryError::Line { number: line.rule, sentence };
    let resource_type = line.element.split('.').next().unwrap_or_default();
    let list = |cell: &str| -> Vec<String> {
        cell.split(SEPARATOR).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let check = match line.check.as_str() {
        "none" => None,
        word => {
            let check = Check::parse(word, list(&line.values), resource_type);
            Some(check.ok_or_else(|| wrong(format!("there is no check `{word}`")))?)
        }
    };
    if check.is_none() && line.note.is_empty() {
        return Err(wrong("it is not looked at and does not say why".to_owned()));
    }
    let when = match line.when.as_str() {
        "" => None,
        written => {
            let when = When::parse(written, resource_type);
            Some(when.ok_or_else(|| wrong(format!("`{written}` is no condition")))?)
        }
    };
    Ok(Rule {
        number: line.rule,
        path: Element::parse(&line.element),
        check,
        when,
        values: list(&line.values),
        disputed: list(&line.disputed),
        condition: line.when,
        demanded: Vec::new(),
        word: line.check,
        element: line.element,
        note: line.note,
    })
}
