//! What people must do: each row, and each visit that waits for a person, with the cell to open.
//!
//! It must not hold what stands in the cells.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::io;

use jiff::Timestamp;

use super::ReportError;
use crate::issue::{Code, Issue, Place, Severity};
use crate::ledger::Ledger;
use crate::ledger::attention::{List, RowIssues, Trouble};
use crate::ledger::entry::EntryId;
use crate::ledger::origin::Origin;
use crate::ledger::reading::Filter;
use crate::ledger::state::{Event, State};

/// Words for what a blocked visit misses, its sentence, and the field whose cell to look at first.
const BLOCKED: [(&str, &str, Option<&str>); 18] = [
    ("patient", "person.not_found", Some("nik")),
    ("patient_mismatch", "person.name_mismatch", Some("nik")),
    ("patient_ambiguous", "person.ambiguous", Some("nik")),
    ("patient_hidden", "person.hidden", Some("nik")),
    ("patient_without_nik", "person.without_nik", Some("nik")),
    ("patient_incomplete", "person.incomplete", Some("nik")),
    ("patient_refused", "person.refused", Some("nik")),
    ("patient_unconfirmed", "person.unconfirmed", Some("nik")),
    ("citizen", "person.citizen_unknown", Some("nik")),
    ("citizen_refused", "person.citizen_refused", Some("nik")),
    ("newborn", "person.newborn_unregistered", Some("nik_ibu")),
    ("newborn_too_old", "person.newborn_too_old", Some("nik")),
    ("mother", "person.mother_not_found", Some("nik_ibu")),
    ("episode_hidden", "person.episode_hidden", None),
    ("episode_ambiguous", "person.episode_ambiguous", None),
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

impl WorkItem {
    /// It says that the mapping files leave something out: nothing that a person mends at this place.
    #[must_use]
    pub fn is_left_out_by_mapping(&self) -> bool {
        self.issue.code == Code::Suppressed && self.issue.severity == Severity::Information
    }
}

/// Rows and visits looked at together.
const PAGE: usize = 500;

/// Goes through a list by puskesmas, posyandu, file and row, and hands it on in parts that are sorted in themselves.
/// A list of at most `together` things is one part.
///
/// # Errors
/// Failures of the store, content sealed with another key, and what `each` fails with.
pub async fn walk(
    ledger: &Ledger,
    filter: &Filter,
    list: List,
    now: Timestamp,
    together: usize,
    each: &mut (dyn FnMut(Vec<WorkItem>) -> io::Result<()> + Send),
) -> Result<(), ReportError> {
    let subjects = ledger.subjects(filter, list).await?;
    let mut items = Vec::new();
    for page in subjects.pages(PAGE.min(together)) {
        let (rows, troubles) = ledger.look_at(page).await?;
        rows.iter().for_each(|row| of_row(row, list, &mut items));
        troubles.iter().for_each(|trouble| of_visit(trouble, list, now, &mut items));
        if items.len() > together {
            items.sort_by(order);
            each(std::mem::take(&mut items)).map_err(ReportError::Write)?;
        }
    }
    items.sort_by(order);
    each(items).map_err(ReportError::Write)
}

/// What there is to say about a row.
pub fn of_row(row: &RowIssues, list: List, items: &mut Vec<WorkItem>) {
    let item = |issue: Issue| WorkItem {
        puskesmas: row.puskesmas.clone(),
        posyandu: row.posyandu.clone(),
        place: issue.place.clone().unwrap_or_else(|| row.place.clone()),
        entry: None,
        issue,
    };
    let wanted = row.issues.iter().filter(|issue| issue.is_error() == (list == List::Work));
    let before = items.len();
    items.extend(wanted.cloned().map(item));
    if list == List::Work && row.is_open && items.len() == before {
        items.push(item(Issue::error(Code::Exception, "report.row_needs_person")));
    }
}

/// What there is to say about a visit.
pub fn of_visit(trouble: &Trouble, list: List, now: Timestamp, items: &mut Vec<WorkItem>) {
    let line = &trouble.line;
    let row = row_of(&trouble.origins);
    let issues = match (list, line.blocked_on.as_deref()) {
        (List::Warnings, _) => trouble.issues.iter().filter(|issue| !issue.is_error()).cloned().collect(),
        (List::Work, Some(on)) => blocked(on, trouble, now),
        (List::Work, None) => complaints(trouble),
    };
    let item = |issue: Issue| WorkItem {
        puskesmas: Some(line.puskesmas.clone()),
        posyandu: Some(line.posyandu.clone()),
        place: issue.place.clone().unwrap_or_else(|| row.clone()),
        entry: Some((line.entry_id, line.state)),
        issue,
    };
    items.extend(issues.into_iter().map(item));
}

/// The row a person opens first: the one about the person, else the first.
fn row_of(origins: &[Origin]) -> Place {
    let about_person = origins.iter().find(|origin| origin.dataset == "sasaran");
    about_person.or(origins.first()).map(|origin| origin.place.clone()).unwrap_or_default()
}

/// What a visit waits for: what was told about it, else the word's own sentence.
fn blocked(on: &str, trouble: &Trouble, now: Timestamp) -> Vec<Issue> {
    let origins = &trouble.origins;
    let known = BLOCKED.iter().find(|(word, _, _)| *word == on);
    let (_, rule, field) = known.copied().unwrap_or((on, "remote.dependency", None));
    let cell = field.and_then(|field| origins.iter().find_map(|origin| origin.cell(field)));
    let issues = match &trouble.complained {
        Some((at, issues)) if !issues.is_empty() => issues.iter().map(|issue| dated(issue, *at, now)).collect(),
        _ => vec![Issue::error(Code::NotFound, rule)],
    };
    let placed = |issue: Issue| match (&issue.place, &cell) {
        (None, Some(cell)) => issue.at(cell.clone()),
        _ => issue,
    };
    issues.into_iter().map(placed).collect()
}

/// The sentence that counts a newborn's days, of which more have passed since it was written down.
const NEWBORN_CLOCK: &str = "person.newborn_waiting";

/// The days that a newborn has left now, when an issue counts them; negative when they have passed.
fn days_left(issue: &Issue, at: Timestamp, now: Timestamp) -> Option<i64> {
    let (_, days) = issue.arguments.iter().find(|(name, _)| issue.rule == NEWBORN_CLOCK && name == "hari")?;
    let passed = now.duration_since(at).as_hours() / 24;
    Some(days.parse::<i64>().ok()? - passed)
}

/// The issue as it reads now.
fn dated(issue: &Issue, at: Timestamp, now: Timestamp) -> Issue {
    match days_left(issue, at, now) {
        None => issue.clone(),
        Some(days) if days < 0 => Issue { arguments: Vec::new(), ..renamed(issue, "person.newborn_too_old") },
        Some(days) => Issue { arguments: Vec::new(), ..issue.clone() }.with("hari", days),
    }
}

fn renamed(issue: &Issue, rule: &'static str) -> Issue {
    Issue { rule: rule.into(), ..issue.clone() }
}

/// Newborns that wait for their registration: how many visits, and the fewest days that one has left (negative when
/// they have passed).
///
/// # Errors
/// Failures of the store, or content sealed with another key.
pub async fn newborns(ledger: &Ledger, filter: &Filter, now: Timestamp) -> Result<Option<(u64, i64)>, ReportError> {
    let complaints = ledger.blocked_complaints(filter, NEWBORNS_MAX).await?;
    let days = |(at, issues): &(Timestamp, Vec<Issue>)| issues.iter().find_map(|issue| days_left(issue, *at, now));
    let left: Vec<i64> = complaints.iter().filter_map(days).collect();
    Ok(left.iter().min().map(|fewest| (left.len() as u64, *fewest)))
}

/// Blocked visits looked at for newborns, at most.
const NEWBORNS_MAX: u32 = 100_000;

/// Why an entry was refused: by the mapping, else by the last answer, else by what reconciliation found.
fn complaints(trouble: &Trouble) -> Vec<Issue> {
    let by_mapping: Vec<Issue> = trouble.issues.iter().filter(|issue| issue.is_error()).cloned().collect();
    if !by_mapping.is_empty() {
        return by_mapping;
    }
    if trouble.last_event == Some(Event::FoundDifferent) {
        return vec![Issue::error(Code::Conflict, "reconciliation.found_different")];
    }
    if trouble.answered.is_empty() {
        return vec![Issue::error(Code::Exception, "report.visit_needs_person")];
    }
    trouble.answered.clone()
}

fn order(one: &WorkItem, other: &WorkItem) -> Ordering {
    fn place(item: &WorkItem) -> (&Option<String>, &Option<String>, &str) {
        (&item.puskesmas, &item.posyandu, &item.place.file)
    }
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

/// How often a rule was found, with one place as an example.
#[derive(Clone, Debug)]
pub struct RuleTally {
    /// The rule.
    pub rule: Cow<'static, str>,
    /// How often.
    pub number: u64,
    /// The first of them.
    pub example: WorkItem,
}

/// Adds items to the tallies of their rules.
pub fn tally(rules: &mut Vec<RuleTally>, items: &[WorkItem]) {
    for item in items {
        match rules.iter_mut().find(|known| known.rule == item.issue.rule) {
            Some(known) => known.number += 1,
            None => rules.push(RuleTally { rule: item.issue.rule.clone(), number: 1, example: item.clone() }),
        }
    }
}
