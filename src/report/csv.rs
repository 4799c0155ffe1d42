//! The work list as CSV, for a spreadsheet: one line per thing to do, then one per warning.
//!
//! A spreadsheet runs what looks like a formula, so such cells are disarmed.

use super::DayReport;
use super::document::{Cell, Document};
use super::worklist::{WorkItem, severity_word};
use crate::issue::Issue;
use crate::words::{self, Language};

/// Column headers.
pub const HEADER: &str = "source,file,row,column,value,severity,rule,message\n";
/// Beginnings that a spreadsheet takes for a formula.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\0'];

/// Writes the work list and the warnings.
#[must_use]
pub fn work_list(report: &DayReport, language: Language) -> String {
    format!("{HEADER}{}{}", lines(&report.work, language), lines(&report.warnings, language))
}

/// One line for each item, to stand below [`HEADER`].
#[must_use]
pub fn lines(items: &[WorkItem], language: Language) -> String {
    let mut out = String::new();
    for item in items {
        let message = words::of_issue(language, &item.issue);
        let place = &item.place;
        let cells = [
            &*place.source,
            &place.file,
            &place.row,
            place.column.as_deref().unwrap_or_default(),
            written(&item.issue),
            severity_word(item.issue.severity),
            &item.issue.rule,
            &message,
        ];
        let line: Vec<String> = cells.iter().map(|cell| safe(cell)).collect();
        out.push_str(&line.join(","));
        out.push('\n');
    }
    out
}

/// All tables of a document: each line begins with the name of its table, each table with its titles.
#[must_use]
pub fn document(document: &Document) -> String {
    let mut out = String::new();
    for table in &document.tables {
        let titles: Vec<String> = table.columns.iter().map(|title| safe(title)).collect();
        out.push_str(&format!("{},{}\n", table.name, titles.join(",")));
        for row in &table.rows {
            let cells: Vec<String> = row.iter().map(of_cell).collect();
            out.push_str(&format!("{},{}\n", table.name, cells.join(",")));
        }
    }
    out
}

/// Only words can be taken for a formula; a number that is less than none is a number.
fn of_cell(cell: &Cell) -> String {
    if cell.is_number() { cell.plain() } else { safe(&cell.plain()) }
}

/// What stands in the cell, where the issue tells it; personal values were masked when the issue was made.
fn written(issue: &Issue) -> &str {
    let value = issue.arguments.iter().find(|(name, _)| name == "nilai" || name == "tertulis");
    value.map_or("", |(_, value)| value.as_str())
}

/// A cell, disarmed and quoted where needed.
pub(super) fn safe(cell: &str) -> String {
    let guard = if cell.starts_with(FORMULA) { "'" } else { "" };
    if cell.contains([',', '"', '\n', '\r', ';']) {
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    } else {
        format!("{guard}{cell}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed_and_separators_quoted() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("-2", "'-2"),
            ("@x", "'@x"),
            ("+62", "'+62"),
            ("\tx", "'\tx"),
            ("a,b", "\"a,b\""),
            ("=\"a\",b", "\"'=\"\"a\"\",b\""),
            ("Berat 9,4 kg", "\"Berat 9,4 kg\""),
            ("biasa", "biasa"),
        ] {
            assert_eq!(safe(cell), written);
        }
    }
}
