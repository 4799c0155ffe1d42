//! The whole report as one JSON object; its counts alone show that they add up.

use serde_json::{Map, Value, json};

use super::coverage::{Coverage, Late, Place};
use super::recap::figures::{Figures, chi_square, median};
use super::recap::{Line, Owner, Recap};
use super::worklist::{WorkItem, severity_word};
use super::{DayReport, Span, Sum, discrepancy};
use crate::ledger::reading::Counts;
use crate::ledger::state::State;
use crate::words::{self, Language};

/// Writes the report; sentences are in `language`, names are English.
#[must_use]
pub fn render(report: &DayReport, language: Language) -> String {
    let mut text = value(report, language).to_string();
    text.push('\n');
    text
}

/// The report as a value.
#[must_use]
pub fn value(report: &DayReport, language: Language) -> Value {
    let month = matches!(report.span, Span::Month(_)).then(|| report.span.name()).flatten();
    let date = matches!(report.span, Span::Day(_)).then(|| report.span.name()).flatten();
    let verification = &report.verification;
    let items = |items: &[WorkItem]| items.iter().map(|item| work_item(item, language)).collect::<Vec<_>>();
    let differing: Vec<Value> = report
        .differing
        .iter()
        .map(|one| {
            json!({"entry": one.entry_id.number(), "puskesmas": one.puskesmas, "posyandu": one.posyandu,
                "resource_type": one.resource_type, "differences": one.differences})
        })
        .collect();
    let left_out = report.left_out;
    json!({
        "date": date,
        "month": month,
        "made_at": report.made_at.to_string(),
        "mapping_version": report.mapping_version,
        "counts": counts(&report.counts),
        "sum": sum(Sum::of(&report.counts)),
        "same_day": coverage(report.coverage),
        "places": report.places.iter().map(|place| of_place(report, place)).collect::<Vec<_>>(),
        "late": report.late.iter().map(|late| of_late(report, late)).collect::<Vec<_>>(),
        "work": items(&report.work),
        "warnings": items(&report.warnings),
        "read_back": {
            "delivered": verification.delivered, "equal": verification.equal, "different": verification.different,
            "missing": verification.missing, "unverified": verification.unverified,
        },
        "discrepancies": discrepancy::standings_json(&report.discrepancies),
        "differing": differing,
        "left_out": {"late": left_out.late, "work": left_out.work, "warnings": left_out.warnings},
    })
}

/// Rows by state word. `read` is the sum of the others but `skipped_reasons`; no row is unchanged in a report, which
/// is about where rows stand and not about one reading.
#[must_use]
pub fn counts(counts: &Counts) -> Value {
    let mut all = Map::new();
    all.insert("read".to_owned(), counts.read.into());
    for state in State::ALL {
        all.insert(state.word().to_owned(), counts.of(state).into());
    }
    all.insert("unchanged".to_owned(), 0.into());
    all.insert("issue".to_owned(), counts.issue.into());
    all.insert("skipped".to_owned(), counts.skipped_total().into());
    all.insert("skipped_reasons".to_owned(), json!(counts.skipped));
    Value::Object(all)
}

/// The figures of a day or month as one JSON object.
#[must_use]
pub fn recap(recap: &Recap, language: Language) -> String {
    let figures = |figures: &Figures| {
        let mut object = json!(figures);
        object["median_hours"] = json!(median(&figures.delay_minutes).map(|minutes| f64::from(minutes) / 60.0));
        object["median_days"] = json!(median(&figures.delay_days));
        object["weight_chi_square"] = json!(chi_square(&figures.weight_digits));
        object["height_chi_square"] = json!(chi_square(&figures.height_digits));
        object
    };
    let line = |line: &Line| json!({"key": line.key, "name": line.name, "figures": figures(&line.figures)});
    let work = |item: &WorkItem| {
        let mut object = work_item(item, language);
        object["who"] = Owner::of(&item.issue.rule).word().into();
        object
    };
    let object = json!({
        "period": recap.span.name(), "level": recap.level.word(), "puskesmas": recap.puskesmas,
        "made_at": recap.made_at.to_string(), "lines": recap.lines.iter().map(line).collect::<Vec<_>>(),
        "total": figures(&recap.total), "work": recap.work.iter().map(work).collect::<Vec<_>>(),
        "left_out": recap.left_out,
    });
    format!("{object}\n")
}

fn sum(sum: Sum) -> Value {
    json!({"read": sum.read, "accepted": sum.accepted, "waiting": sum.waiting, "needs_attention": sum.attention,
        "waived": sum.waived})
}

fn coverage(coverage: Coverage) -> Value {
    let percent = coverage.same_day_permille().map(|permille| permille as f64 / 10.0);
    json!({"visits": coverage.visits, "accepted": coverage.accepted, "same_day": coverage.same_day,
        "same_day_percent": percent})
}

fn of_place(report: &DayReport, place: &Place) -> Value {
    let name = place.posyandu.as_deref().map(|code| report.name_of(code));
    json!({"puskesmas": place.puskesmas, "posyandu": place.posyandu, "name": name, "whole_puskesmas": place.whole,
        "rows": sum(place.sum), "same_day": coverage(place.coverage)})
}

fn of_late(report: &DayReport, late: &Late) -> Value {
    let entry = &late.entry;
    let rows: Vec<Value> =
        late.rows.iter().map(|row| json!({"source": row.source, "file": row.file, "row": row.row})).collect();
    json!({"entry": entry.entry_id.number(), "puskesmas": entry.puskesmas, "posyandu": entry.posyandu,
        "name": report.name_of(&entry.posyandu), "service_date": entry.service_date.to_string(),
        "state": entry.state.word(), "reason": late.reason(), "hours_late": late.hours, "rows": rows})
}

fn work_item(item: &WorkItem, language: Language) -> Value {
    let place = &item.place;
    json!({"puskesmas": item.puskesmas, "posyandu": item.posyandu, "source": place.source, "file": place.file,
        "row": place.row, "column": place.column, "severity": severity_word(item.issue.severity),
        "rule": item.issue.rule, "message": words::of_issue(language, &item.issue),
        "entry": item.entry.map(|(entry, _)| entry.number()),
        "state": item.entry.map_or("issue", |(_, state)| state.word())})
}
