//! What people must do: each row, and each visit that waits for a person, with the cell to open.
//!
//! It must not hold what stands in the cells.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::issue::{Code, Issue, Place, Severity};
use crate::ledger::entry::{EntryId, EntryLine, Story};
use crate::ledger::origin::Origin;
use crate::ledger::reading::Filter;
use crate::ledger::state::{Event, PREDECESSOR, State};
use crate::ledger::{Ledger, LedgerError};

/// Words for what a blocked visit misses, its sentence, and the field whose cell to look at first.
const BLOCKED: [(&str, &str, Option<&str>); 7] = [
    ("patient", "person.not_found", Some("nik")),
    ("patient_mismatch", "person.name_mismatch", Some("nik")),
    ("patient_ambiguous", "person.ambiguous", Some("nik")),
    ("patient_hidden", "person.hidden", Some("nik")),
    ("practitioner", "practitioner.not_found", None),
    ("practitioner_ambiguous", "practitioner.ambiguous", None),
    ("resource", "remote.dependency", None),
];

/// One thing to do, or, as a warning, to look at.
#[derive(Clone, Debug)]
pub struct WorkItem {
    /// The puskesmas, as far as known.
    pub puskesmas: Option<String>,
    /// Code of the posyandu, as far as known.
    pub posyandu: Option<String>,
    /// Row and, where it is known, column.
    pub place: Place,
    /// The visit's entry, when it is about one.
    pub entry: Option<(EntryId, State)>,
    /// What is wrong.
    pub issue: Issue,
}

/// The work list and the warnings, each sorted by puskesmas, posyandu, file and row.
///
/// # Errors
/// Failures of the store, or content sealed with another key.
pub async fn gather(
    ledger: &Ledger,
    filter: &Filter,
    entries: &[EntryLine],
) -> Result<(Vec<WorkItem>, Vec<WorkItem>), LedgerError> {
    let (mut work, mut warnings) = (Vec::new(), Vec::new());
    for row in ledger.row_issues(filter, true, super::LINES_MAX).await? {
        let item = |issue: Issue| WorkItem {
            puskesmas: row.puskesmas.clone(),
            posyandu: row.posyandu.clone(),
            place: issue.place.clone().unwrap_or_else(|| row.place.clone()),
            entry: None,
            issue,
        };
        let (errors, others): (Vec<Issue>, Vec<Issue>) = row.issues.iter().cloned().partition(Issue::is_error);
        if row.is_open && errors.is_empty() {
            work.push(item(Issue::error(Code::Exception, "report.row_needs_person")));
        }
        work.extend(errors.into_iter().map(item));
        warnings.extend(others.into_iter().map(item));
    }
    for line in entries {
        let waits_for_person = match line.state {
            State::Refused | State::Exhausted => true,
            State::Blocked => line.blocked_on.as_deref() != Some(PREDECESSOR),
            _ => false,
        };
        if waits_for_person {
            work.extend(of_entry(ledger, line).await?);
        }
    }
    work.sort_by(order);
    warnings.sort_by(order);
    Ok((work, warnings))
}

async fn of_entry(ledger: &Ledger, line: &EntryLine) -> Result<Vec<WorkItem>, LedgerError> {
    let origins = ledger.rows_of_entry(line.entry_id).await?;
    let row = row_of(&origins);
    let issues = match line.blocked_on.as_deref() {
        Some(on) => vec![blocked(on, &origins)],
        None => complaints(&ledger.story(line.entry_id).await?),
    };
    let item = |issue: Issue| WorkItem {
        puskesmas: Some(line.puskesmas.clone()),
        posyandu: Some(line.posyandu.clone()),
        place: issue.place.clone().unwrap_or_else(|| row.clone()),
        entry: Some((line.entry_id, line.state)),
        issue,
    };
    Ok(issues.into_iter().map(item).collect())
}

/// The row a person opens first: the one about the person, else the first.
fn row_of(origins: &[Origin]) -> Place {
    let about_person = origins.iter().find(|origin| origin.dataset == "sasaran");
    about_person.or(origins.first()).map(|origin| origin.place.clone()).unwrap_or_default()
}

fn blocked(on: &str, origins: &[Origin]) -> Issue {
    let known = BLOCKED.iter().find(|(word, _, _)| *word == on);
    let (_, rule, field) = known.copied().unwrap_or((on, "remote.dependency", None));
    let issue = Issue::error(Code::NotFound, rule);
    match field.and_then(|field| origins.iter().find_map(|origin| origin.cell(field))) {
        Some(cell) => issue.at(cell),
        None => issue,
    }
}

/// Why an entry was refused: by the mapping, else by the last answer, else by what reconciliation found.
fn complaints(story: &Story) -> Vec<Issue> {
    let by_mapping: Vec<Issue> = story.issues.iter().filter(|issue| issue.is_error()).cloned().collect();
    if !by_mapping.is_empty() {
        return by_mapping;
    }
    let last = story.events.last().and_then(|line| line.event.as_ref());
    if last == Some(&Event::FoundDifferent) {
        return vec![Issue::error(Code::Conflict, "reconciliation.found_different")];
    }
    let by_server = story.attempts.iter().rev().filter_map(|attempt| attempt.end.as_ref());
    let by_server = by_server.map(|end| &end.issues).find(|issues| !issues.is_empty());
    match by_server {
        Some(issues) => issues.clone(),
        None => vec![Issue::error(Code::Exception, "report.visit_needs_person")],
    }
}

fn order(one: &WorkItem, other: &WorkItem) -> Ordering {
    let place = |item: &WorkItem| (item.puskesmas.clone(), item.posyandu.clone(), item.place.file.clone());
    place(one)
        .cmp(&place(other))
        .then_with(|| row_order(&one.place.row, &other.place.row))
        .then_with(|| one.place.column.cmp(&other.place.column))
}

/// Line 9 comes before line 10, and lines before names.
pub(super) fn row_order(one: &str, other: &str) -> Ordering {
    match (one.parse::<u64>(), other.parse::<u64>()) {
        (Ok(one), Ok(other)) => one.cmp(&other),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => one.cmp(other),
    }
}

/// The word for a severity in lists.
#[must_use]
pub fn severity_word(severity: Severity) -> &'static str {
    match severity {
        Severity::Information => "information",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// Warnings by rule, with how many there are and one of them as an example; the most frequent first.
#[must_use]
pub fn by_rule(items: &[WorkItem]) -> Vec<(Cow<'static, str>, usize, &WorkItem)> {
    let mut rules: Vec<(Cow<'static, str>, usize, &WorkItem)> = Vec::new();
    for item in items {
        match rules.iter_mut().find(|(rule, _, _)| *rule == item.issue.rule) {
            Some((_, number, _)) => *number += 1,
            None => rules.push((item.issue.rule.clone(), 1, item)),
        }
    }
    rules.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    rules
}
