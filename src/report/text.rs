//! The report as plain text for a printer or a terminal of 80 to 100 columns.
//!
//! It only lays out; every word a person reads comes from `words`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::coverage::Place;
use super::document;
use super::worklist::{RuleTally, WorkItem};
use super::{DayReport, Span, Sum, discrepancy};
use crate::ledger::reading::Counts;
use crate::ledger::state::State;
use crate::words::{self, Language};

/// Columns of the names in tables.
const NAME_WIDTH: usize = 40;
/// Columns of a number in a table.
const NUMBER_WIDTH: usize = 11;
/// Warnings shown by rule; the rest stands in CSV and JSON.
const RULES_SHOWN_MAX: usize = 12;

/// Writes the report.
#[must_use]
pub fn render(report: &DayReport, language: Language) -> String {
    let mut page = Page { out: String::new(), language };
    page.head(report);
    page.breakdown(report);
    page.places(report);
    page.same_day(report);
    page.work(report);
    page.warnings(report);
    page.read_back(report);
    page.out
}

struct Page {
    out: String,
    language: Language,
}

impl Page {
    fn word(&self, key: &str) -> String {
        words::plain(self.language, key)
    }

    fn filled(&self, key: &str, arguments: &[(&str, String)]) -> String {
        words::text(self.language, key, arguments)
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    fn title(&mut self, key: &str) {
        let title = self.word(key).to_uppercase();
        self.out.push('\n');
        self.line(&title);
    }

    /// Breaks a text between words; following lines are indented.
    fn wrapped(&mut self, indent: usize, text: &str) {
        document::wrapped(&mut self.out, indent, text);
    }

    fn head(&mut self, report: &DayReport) {
        let key = match report.span {
            Span::Day(_) => "report.title_day",
            Span::Month(_) => "report.title_month",
            Span::All => "report.title_all",
        };
        let title = self.word(key).to_uppercase();
        self.line(&title);
        if let Some(name) = report.span.name() {
            let text = self.filled("report.date", &[("date", name)]);
            self.line(&text);
        }
        let mut puskesmas: Vec<&str> = report.places.iter().filter_map(|place| place.puskesmas.as_deref()).collect();
        puskesmas.dedup();
        let text = self.filled("report.puskesmas", &[("names", puskesmas.join(", "))]);
        self.wrapped(0, &text);
        let text = self.filled("report.made_at", &[("at", report.zone.text_at(report.made_at))]);
        self.line(&text);
        if let Some(version) = &report.mapping_version {
            let text = self.filled("report.mapping", &[("version", version.clone())]);
            self.line(&text);
        }
        self.out.push('\n');
        let sum = sum_line(&report.counts, self.language);
        self.line(&sum);
    }

    fn breakdown(&mut self, report: &DayReport) {
        self.title("report.breakdown");
        let counts = &report.counts;
        let groups: [(&str, &[State]); 4] = [
            ("accepted", &[State::Delivered]),
            ("waiting", &[State::Pending, State::Blocked, State::InFlight, State::Unknown]),
            ("attention", &[State::Refused, State::Exhausted]),
            ("waived", &[State::Waived, State::Superseded]),
        ];
        for (group, states) in groups {
            let mut rows: Vec<(String, u64)> = states
                .iter()
                .map(|state| (self.word(&format!("report.state.{}", state.word())), counts.of(*state)))
                .collect();
            if group == "attention" {
                rows.insert(0, (self.word("report.state.issue"), counts.issue));
            }
            if group == "waived" {
                let reasons = counts.skipped.iter().map(|(reason, number)| {
                    let key = format!("report.skipped.{reason}");
                    let word = if words::knows(&key) { self.word(&key) } else { reason.clone() };
                    (word, *number)
                });
                rows.extend(reasons.collect::<Vec<_>>());
            }
            let name = self.word(&format!("report.group.{group}"));
            for (word, number) in rows.into_iter().filter(|(_, number)| *number > 0) {
                self.line(&format!("{number:>8}  {name}: {word}"));
            }
        }
    }

    fn places(&mut self, report: &DayReport) {
        self.title("report.places");
        let heads = ["read", "accepted", "waiting", "attention", "same_day"];
        let heads: String =
            heads.iter().map(|head| right(&self.word(&format!("report.column.{head}")), NUMBER_WIDTH)).collect();
        self.line(&format!("{:NAME_WIDTH$}{heads}", ""));
        for place in &report.places {
            let name = self.place_name(report, place);
            let sum = place.sum;
            let numbers: String = [sum.read, sum.accepted, sum.waiting, sum.attention]
                .iter()
                .map(|number| right(&number.to_string(), NUMBER_WIDTH))
                .collect();
            let share = right(&self.percent(place.coverage.same_day_permille()), NUMBER_WIDTH);
            self.line(&format!("{}{numbers}{share}", left(&name, NAME_WIDTH)));
        }
    }

    fn place_name(&self, report: &DayReport, place: &Place) -> String {
        match (&place.puskesmas, &place.posyandu) {
            (Some(puskesmas), None) if place.whole => puskesmas.clone(),
            (None, None) if place.whole => self.word("report.no_puskesmas"),
            (_, Some(code)) => format!("  {}", report.name_of(code)),
            _ => format!("  {}", self.word("report.no_posyandu")),
        }
    }

    fn percent(&self, permille: Option<u64>) -> String {
        let Some(permille) = permille else { return "-".to_owned() };
        let comma = if self.language == Language::Indonesian { ',' } else { '.' };
        format!("{}{comma}{} %", permille / 10, permille % 10)
    }

    fn same_day(&mut self, report: &DayReport) {
        self.title("report.same_day");
        let coverage = report.coverage;
        let arguments = [
            ("same_day", coverage.same_day.to_string()),
            ("visits", coverage.visits.to_string()),
            ("percent", self.percent(coverage.same_day_permille())),
        ];
        let text = self.filled("report.same_day_line", &arguments);
        self.wrapped(0, &text);
        if report.late.is_empty() {
            return;
        }
        let text =
            self.filled("report.late", &[("number", (report.late.len() as u64 + report.left_out.late).to_string())]);
        self.wrapped(0, &text);
        let mut before = None;
        for late in &report.late {
            let place = (late.entry.puskesmas.as_str(), late.entry.posyandu.as_str());
            if before.replace(place) != Some(place) {
                self.line(&format!("  {} ({})", report.name_of(place.1), place.0));
            }
            let rows = late.rows.iter().map(|row| self.row(&row.file, &row.row)).collect::<Vec<_>>().join(", ");
            let age = match late.hours {
                hours if hours < 48 => self.filled("report.hours", &[("number", hours.to_string())]),
                hours => self.filled("report.days", &[("number", (hours / 24).to_string())]),
            };
            let reason = self.word(&format!("report.reason.{}", late.reason()));
            let arguments =
                [("rows", rows), ("date", late.entry.service_date.to_string()), ("age", age), ("reason", reason)];
            let text = self.filled("report.late_line", &arguments);
            self.wrapped(4, &text);
        }
        self.left_out("report.more_late", report.left_out.late);
    }

    /// Says that a list goes on.
    fn left_out(&mut self, key: &str, number: u64) {
        if number > 0 {
            let text = self.filled(key, &[("number", number.to_string())]);
            self.wrapped(2, &text);
        }
    }

    fn row(&self, file: &str, row: &str) -> String {
        self.filled("report.row", &[("file", file.to_owned()), ("row", row.to_owned())])
    }

    fn work(&mut self, report: &DayReport) {
        self.title("report.work");
        if report.work.is_empty() {
            let text = self.word("report.no_work");
            self.line(&text);
            return;
        }
        let mut alike: HashMap<Need<'_>, Vec<&WorkItem>> = HashMap::new();
        for item in &report.work {
            alike.entry(need(item)).or_default().push(item);
        }
        let mut before: Option<(Option<&str>, Option<&str>)> = None;
        for item in &report.work {
            let place = (item.puskesmas.as_deref(), item.posyandu.as_deref());
            if before.replace(place) != Some(place) {
                let puskesmas = place.0.map_or_else(|| self.word("report.no_puskesmas"), str::to_owned);
                let posyandu =
                    place.1.map_or_else(|| self.word("report.no_posyandu"), |code| report.name_of(code).to_owned());
                self.line(&format!("  {puskesmas} / {posyandu}"));
            }
            let alike = alike.get(&need(item)).map(Vec::as_slice).unwrap_or_default();
            let is_first = alike.first().is_some_and(|first| std::ptr::eq(*first, item));
            if alike.len() <= ALIKE_MAX || is_first {
                self.item(item, alike);
            }
        }
        self.left_out("report.more_work", report.left_out.work);
    }

    /// One thing to do; when many rows of a file need the very same, they are told together.
    fn item(&mut self, item: &WorkItem, alike: &[&WorkItem]) {
        let place = &item.place;
        let mut text = self.row(&place.file, &place.row);
        if alike.len() > ALIKE_MAX {
            let rows: Vec<&str> = alike.iter().take(ALIKE_MAX).map(|one| one.place.row.as_str()).collect();
            let more = [("number", (alike.len() - ALIKE_MAX).to_string())];
            text = format!("{} {}", self.row(&place.file, &rows.join(", ")), self.filled("report.rows_alike", &more));
        }
        if let Some(column) = &place.column {
            text = format!("{text}, {}", self.filled("report.column_name", &[("column", column.clone())]));
        }
        self.wrapped(4, &text);
        let sentence = words::of_issue(self.language, &item.issue);
        self.wrapped(8, &sentence);
    }

    fn warnings(&mut self, report: &DayReport) {
        if report.warning_rules.is_empty() {
            return;
        }
        self.title("report.warnings");
        let all: u64 = report.warning_rules.iter().map(|rule| rule.number).sum();
        let text = self.filled("report.warnings_line", &[("number", all.to_string())]);
        self.wrapped(0, &text);
        for RuleTally { number, example, .. } in report.warning_rules.iter().take(RULES_SHOWN_MAX) {
            let place = self.row(&example.place.file, &example.place.row);
            let sentence = words::of_issue(self.language, &example.issue);
            let arguments = [("number", number.to_string()), ("example", place), ("sentence", sentence)];
            let text = self.filled("report.warning_line", &arguments);
            self.wrapped(2, &text);
        }
    }

    fn read_back(&mut self, report: &DayReport) {
        self.title("report.read_back");
        let found = &report.verification;
        let arguments = [
            ("delivered", found.delivered.to_string()),
            ("equal", found.equal.to_string()),
            ("different", found.different.to_string()),
            ("missing", found.missing.to_string()),
            ("unverified", found.unverified.to_string()),
        ];
        let text = self.filled("report.read_back_line", &arguments);
        self.wrapped(0, &text);
        for line in discrepancy::standings_lines(&report.discrepancies, self.language) {
            self.wrapped(2, &line);
        }
        for one in &report.differing {
            let paths: Vec<&str> = one.differences.iter().map(|difference| difference.path.as_str()).collect();
            let key = if paths.is_empty() { "reconciliation.missing_line" } else { "reconciliation.different_line" };
            let arguments = [
                ("entry", one.entry_id.number().to_string()),
                ("posyandu", report.name_of(&one.posyandu).to_owned()),
                ("resource", one.resource_type.clone()),
                ("paths", paths.join(", ")),
            ];
            let text = self.filled(key, &arguments);
            self.wrapped(2, &text);
        }
    }
}

/// The line that adds up: rows read = accepted + waiting + needs attention + waived.
#[must_use]
pub fn sum_line(counts: &Counts, language: Language) -> String {
    let sum = Sum::of(counts);
    let arguments = [
        ("read", sum.read.to_string()),
        ("accepted", sum.accepted.to_string()),
        ("waiting", sum.waiting.to_string()),
        ("attention", sum.attention.to_string()),
        ("waived", sum.waived.to_string()),
    ];
    words::text(language, "report.sum", &arguments)
}

/// Rows that need the very same are told one by one up to this number; the CSV always names each.
const ALIKE_MAX: usize = 5;

/// What rows of one file and posyandu that need the very same have in common.
#[derive(PartialEq, Eq, Hash)]
struct Need<'a> {
    rule: &'a str,
    arguments: &'a [(Cow<'static, str>, String)],
    file: &'a str,
    column: Option<&'a str>,
    puskesmas: Option<&'a str>,
    posyandu: Option<&'a str>,
}

fn need(item: &WorkItem) -> Need<'_> {
    Need {
        rule: &item.issue.rule,
        arguments: &item.issue.arguments,
        file: &item.place.file,
        column: item.place.column.as_deref(),
        puskesmas: item.puskesmas.as_deref(),
        posyandu: item.posyandu.as_deref(),
    }
}

fn right(text: &str, columns: usize) -> String {
    format!("{text:>columns$}")
}

/// Cut to the column: a long name must not push the numbers out of line.
fn left(text: &str, columns: usize) -> String {
    let shown: String = text.chars().take(columns - 1).collect();
    format!("{shown:<columns$}")
}
