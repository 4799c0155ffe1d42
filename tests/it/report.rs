//! The day report: its numbers add up, names cells and no persons, and every form says the same.

use posyandu_gateway::clock::Zone;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::attempt::AttemptEnd;
use posyandu_gateway::ledger::row::{RowKind, RowSeen};
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::report::worklist::WorkItem;
use posyandu_gateway::report::{DayReport, Request, Span, Sum, csv, json, text};
use posyandu_gateway::words::Language;
use serde_json::Value;

use super::ledger::{CANARY, DAY, Desk, row, sha};

/// Five visits (delivered, late, blocked, refused, pending), a row to correct, one with a warning, and a footer.
async fn report() -> DayReport {
    gather(None, &mut |_| Ok(())).await
}

async fn gather(
    listed_max: Option<usize>,
    each: &mut (dyn FnMut(&[WorkItem]) -> std::io::Result<()> + Send),
) -> DayReport {
    let desk = Desk::new().await;
    let pass = desk.ledger.begin_pass("eppgbm", "a.csv").await.unwrap();
    let rows = (0..5).map(|number| numbered(number, desk_row(number))).chain([bad_row(), footer()]).collect();
    desk.ledger.see_rows(pass, rows).await.unwrap();
    desk.ledger.finish_pass(pass, true).await.unwrap();
    desk.enter_all("1").await;
    let mut claimed = desk.ledger.claim("Puskesmas A", 4).await.unwrap();
    desk.deliver(&claimed.remove(0)).await.unwrap();
    let blocked = claimed.remove(0);
    let due = "2026-12-24T00:00:00Z".parse().unwrap();
    let missing = Event::DependencyMissing { on: "patient".to_owned(), due };
    desk.ledger.release(blocked.entry.entry_id, &blocked.lease, missing).await.unwrap();
    let refused = claimed.remove(0);
    let attempt = desk.ledger.begin_attempt(refused.entry.entry_id, &refused.lease, sha("r")).await.unwrap();
    let place = Place { source: "eppgbm".into(), file: "a.csv".into(), row: "4".into(), column: Some("BB".into()) };
    let issue = Issue::error(Code::BusinessRule, "remote.content").with("text", "t").with("element", "e").at(place);
    let end = AttemptEnd { status: Some(400), issues: vec![issue], ..AttemptEnd::default() };
    desk.ledger.end_attempt(attempt, &refused.lease, Event::RefusedContent, end).await.unwrap();
    desk.clock.advance(std::time::Duration::from_secs(20 * 3_600));
    let late = desk.ledger.claim("Puskesmas A", 1).await.unwrap().remove(0);
    desk.deliver(&late).await.unwrap();
    let names = |code: &str| (code == "P01").then(|| "Posyandu Melati".to_owned());
    let request = Request {
        span: Span::Day(DAY),
        zone: Zone::Wib,
        made_at: desk.now(),
        mapping_version: Some("7".to_owned()),
        names: &names,
        place: posyandu_gateway::ledger::account::Reach::default(),
        listed_max,
    };
    DayReport::gather_and_show(&desk.ledger, request, each).await.unwrap()
}

fn desk_row(number: usize) -> RowSeen {
    let mut row = row("eppgbm", &number.to_string(), "bb=9,4", DAY);
    if let RowKind::Records { records, .. } = &mut row.outcome {
        records[0].dataset = "sasaran".to_owned();
        records[0].columns.push(("nik".to_owned(), "NIK anak".to_owned()));
    }
    if number == 0 {
        row.issues = vec![Issue::warning(Code::Value, "visit.no_person").at(row.place.column("BB"))];
    }
    row
}

fn numbered(number: usize, mut row: RowSeen) -> RowSeen {
    row.place.row = (number + 2).to_string();
    row
}

fn bad_row() -> RowSeen {
    let mut row = numbered(10, desk_row(10));
    let place = row.place.column("+Posyandu");
    row.issues = vec![Issue::error(Code::NotFound, "posyandu.unknown").with("tertulis", "Mawar").at(place)];
    row.outcome = RowKind::Issue;
    row.puskesmas = Some("Puskesmas A".to_owned());
    row.service_date = Some(DAY);
    row
}

fn footer() -> RowSeen {
    let mut row = numbered(11, desk_row(11));
    row.outcome = RowKind::Skipped("footer".to_owned());
    row.service_date = Some(DAY);
    row
}

#[tokio::test]
async fn the_sum_line_adds_up_and_the_day_is_measured_at_midnight() {
    let report = report().await;
    let expected = "Baris dibaca 7 = diterima 2 + menunggu 2 + perlu diperbaiki 2 + dikecualikan 1";
    assert_eq!(text::sum_line(&report.counts, Language::Indonesian), expected);
    let sum = Sum::of(&report.counts);
    assert_eq!(sum.read, sum.accepted + sum.waiting + sum.attention + sum.waived);
    assert_eq!((report.coverage.visits, report.coverage.accepted, report.coverage.same_day), (5, 2, 1));
    let reasons: Vec<&str> = report.late.iter().map(posyandu_gateway::report::coverage::Late::reason).collect();
    assert_eq!(report.late.len(), 4, "{reasons:?}");
    assert!(reasons.contains(&"patient") && reasons.contains(&"refused") && reasons.contains(&"delivered"));
    assert!(report.late.iter().all(|late| &*late.rows[0].file == "a.csv"));
}

#[tokio::test]
async fn the_work_list_names_the_cell_of_each_row_and_visit() {
    let report = report().await;
    let work: Vec<(&str, Option<&str>, &str)> = report
        .work
        .iter()
        .map(|item| (item.place.row.as_str(), item.place.column.as_deref(), item.issue.rule.as_ref()))
        .collect();
    let expected = [
        ("12", Some("+Posyandu"), "posyandu.unknown"),
        ("3", Some("NIK anak"), "person.not_found"),
        ("4", Some("BB"), "remote.content"),
    ];
    assert_eq!(work, expected);
    // A row has one, and the mapping of each of the five visits.
    let visits = report.warnings.iter().filter(|item| item.entry.is_some());
    assert_eq!((report.warnings.len(), visits.count()), (6, 5));
    let lines = csv::work_list(&report, Language::Indonesian);
    let mut lines = lines.lines();
    assert_eq!(lines.next(), Some("source,file,row,column,value,severity,rule,message"));
    assert!(lines.next().unwrap().starts_with("eppgbm,a.csv,12,'+Posyandu,Mawar,error,posyandu.unknown,"));
    assert_eq!(lines.count(), 8);
}

#[tokio::test]
async fn short_lists_say_what_they_leave_out_and_everything_is_shown_on_the_way() {
    let mut shown = Vec::new();
    let mut each = |items: &[WorkItem]| {
        shown.extend(items.iter().map(|item| item.issue.rule.to_string()));
        Ok(())
    };
    let report = gather(Some(1), &mut each).await;
    let (work, warnings) = shown.split_at(3);
    assert_eq!(work, ["posyandu.unknown", "person.not_found", "remote.content"]);
    let of = |rule: &str| warnings.iter().filter(|shown| *shown == rule).count();
    assert_eq!((of("visit.no_person"), of("test.rule"), warnings.len()), (1, 5, 6));
    assert_eq!((report.work.len(), report.warnings.len(), report.late.len()), (1, 1, 1));
    let left_out = report.left_out;
    assert_eq!((left_out.work, left_out.warnings, left_out.late), (2, 5, 3));
    assert_eq!((report.coverage.visits, report.coverage.accepted, report.coverage.same_day), (5, 2, 1));
    assert_eq!(report.warning_rules.iter().map(|rule| rule.number).sum::<u64>(), 6);
    let page = text::render(&report, Language::English);
    assert!(page.contains("4 visits were not accepted") && page.contains("and 3 more visits"), "{page}");
    assert!(page.contains("2 more are not shown here"), "{page}");
    let whole: Value = serde_json::from_str(&json::render(&report, Language::English)).unwrap();
    assert_eq!(whole["left_out"], serde_json::json!({"late": 3, "work": 2, "warnings": 5}));
}

#[tokio::test]
async fn the_json_adds_up_by_itself() {
    let report = report().await;
    let whole: Value = serde_json::from_str(&json::render(&report, Language::English)).unwrap();
    let counts = whole["counts"].as_object().unwrap();
    let others = counts.iter().filter(|(name, _)| !["read", "skipped_reasons"].contains(&name.as_str()));
    assert_eq!(others.map(|(_, number)| number.as_u64().unwrap()).sum::<u64>(), 7);
    assert_eq!((&counts["read"], &counts["delivered"], &counts["issue"]), (&7.into(), &2.into(), &1.into()));
    assert_eq!(counts["skipped_reasons"]["footer"], 1);
    assert_eq!(whole["date"], "2026-11-18");
    let parts: u64 = whole["places"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|place| place["whole_puskesmas"] == true)
        .map(|place| place["rows"]["read"].as_u64().unwrap())
        .sum();
    assert_eq!(parts, 7);
}

#[tokio::test]
async fn the_text_is_narrow_complete_and_free_of_personal_data() {
    let report = report().await;
    for language in [Language::Indonesian, Language::English] {
        let page = text::render(&report, language);
        assert!(page.lines().all(|line| line.chars().count() <= 100), "{page}");
        assert!(page.contains("Posyandu Melati") && page.contains("2026-11-18"), "{page}");
        let unknown = page.split(|letter: char| letter.is_whitespace() || ",:()".contains(letter));
        let unknown: Vec<&str> = unknown.filter(|word| word.starts_with("report.") || word.starts_with('{')).collect();
        assert!(unknown.is_empty(), "{unknown:?} in {page}");
        for text in [page, json::render(&report, language), csv::work_list(&report, language)] {
            assert!(!CANARY.iter().any(|personal| text.contains(personal)), "{text}");
        }
    }
}
