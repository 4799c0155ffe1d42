//! The work list: what waits for a person, by the file and cell to open, with who must act; page by page along a key.
//!
//! It must not show what stands in a cell.

use axum::body::Body;
use axum::http::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, layout, place};
use crate::issue::Place;
use crate::ledger::attention::List;
use crate::ledger::board::{Actor, Mark, WorkFilter};
use crate::ledger::entry::EntryId;
use crate::report::question;
use crate::report::worklist::{self, WorkItem};
use crate::words;

/// Rows and visits on a page.
const PAGE: u32 = 50;

/// One line: the day, who must act, and what there is to do.
struct Line {
    day: String,
    actor: Actor,
    entry: Option<EntryId>,
    item: WorkItem,
}

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Work)?;
    let say = ask.say;
    let filter = WorkFilter {
        place: ask.place(),
        from: ask.date("dari"),
        to: ask.date("sampai"),
        actor: ask.get("siapa").and_then(Actor::from_word),
        rule: ask.get("aturan").map(str::to_owned),
    };
    let after = ask.get("sesudah").and_then(read_mark).unwrap_or_default();
    let found = ask.board.ledger.work_page(&filter, after, PAGE).await?;
    let lines = lines(ask, &found.subjects, &found.actors).await?;
    let title = say.t("dashboard.work.title");
    let next = found.next.map(|mark| following(&filter, Some(&write_mark(&mark))));
    let content = html! {
        h1 { (title) }
        p { (say.t("dashboard.work.intro")) }
        (filters(ask, &filter))
        (table(ask, &filter, &lines))
        nav.halaman aria-label=(say.t("dashboard.pages")) {
            @if after != Mark::default() { a href=(following(&filter, None)) { (say.t("dashboard.first_page")) } }
            @if let Some(next) = next { a href=(next) rel="next" { (say.t("dashboard.next_page")) } }
        }
    };
    Ok(layout::page(ask, Some(Page::Work), &title, &content))
}

async fn lines(
    ask: &Ask<'_>,
    subjects: &crate::ledger::attention::Subjects,
    actors: &[Actor],
) -> Result<Vec<Line>, Refusal> {
    let mut lines = Vec::new();
    // One page of subjects: all of them.
    for page in subjects.pages(PAGE as usize) {
        let (rows, troubles) = ask.board.ledger.look_at(page).await?;
        let mut actors = actors.iter().copied();
        let (mut items, now) = (Vec::new(), ask.board.clock.now());
        for row in &rows {
            let actor = actors.next().unwrap_or(Actor::Kader);
            worklist::of_row(row, List::Work, &mut items);
            let day = row.date.to_string();
            lines.extend(items.drain(..).map(|item| Line { day: day.clone(), actor, entry: None, item }));
        }
        for trouble in &troubles {
            let actor = actors.next().unwrap_or(Actor::Puskesmas);
            worklist::of_visit(trouble, List::Work, now, &mut items);
            let (day, entry) = (trouble.line.service_date.to_string(), Some(trouble.line.entry_id));
            lines.extend(items.drain(..).map(|item| Line { day: day.clone(), actor, entry, item }));
        }
    }
    lines.sort_by(|one, other| other.day.cmp(&one.day));
    Ok(lines)
}

fn filters(ask: &Ask<'_>, filter: &WorkFilter) -> Markup {
    let say = ask.say;
    let actors: Vec<(String, String)> =
        Actor::ALL.iter().map(|actor| (actor.word().to_owned(), say.actor(*actor))).collect();
    let all = say.t("dashboard.all");
    html! {
        form.saring method="get" action="/kerja" {
            (place::choices(ask))
            (layout::choice("siapa", &say.t("dashboard.work.actor"), Some(&all), &actors, filter.actor.map(Actor::word)))
            (layout::date_field("dari", &say.t("dashboard.from"), filter.from.map(|date| date.to_string())))
            (layout::date_field("sampai", &say.t("dashboard.to"), filter.to.map(|date| date.to_string())))
            @if let Some(rule) = &filter.rule {
                div { label for="aturan" { (say.t("dashboard.work.rule")) } input id="aturan" name="aturan" value=(rule); }
            }
            div { button type="submit" { (say.t("dashboard.filter")) } }
            @if *filter != (WorkFilter { place: ask.visitor.reach.clone(), ..WorkFilter::default() }) {
                div { a href="/kerja" { (say.t("dashboard.no_filter")) } }
            }
        }
    }
}

fn table(ask: &Ask<'_>, filter: &WorkFilter, lines: &[Line]) -> Markup {
    let say = ask.say;
    let by_rule = |rule: &str| following(&WorkFilter { rule: Some(rule.to_owned()), ..filter.clone() }, None);
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.date")) }
            th scope="col" { (say.t("dashboard.posyandu")) }
            th scope="col" { (say.t("dashboard.work.actor")) }
            th scope="col" { (say.t("dashboard.work.what")) }
            th scope="col" { (say.t("dashboard.work.where")) }
            th scope="col" { (say.t("dashboard.work.visit")) }
        } }
        tbody {
            @for line in lines {
                tr {
                    td.n { (line.day) }
                    td {
                        (line.item.posyandu.as_deref().map_or("–".to_owned(), |code| ask.board.name_of(code)))
                        @if ask.visitor.reach.puskesmas.is_none() {
                            br; span.redup { (line.item.puskesmas.as_deref().unwrap_or("–")) }
                        }
                    }
                    td { (say.actor(line.actor)) }
                    td {
                        (words::of_issue(say.0, &line.item.issue))
                        br; a.redup href=(by_rule(&line.item.issue.rule)) { (say.t("dashboard.work.alike")) }
                        @if question::is_asked(&line.item.issue.rule) && ask.may(Page::Persons) {
                            " · " a href="/orang" { (say.t("dashboard.persons.decide")) }
                        }
                    }
                    td { (cell(ask, &line.item.place)) }
                    td {
                        @if let Some(entry) = line.entry {
                            a href={ "/kunjungan/" (entry.number()) } { (say.f("dashboard.work.number", &[("nomor", entry.number().to_string())])) }
                        } @else { "–" }
                    }
                }
            }
            @if lines.is_empty() { tr { td colspan="6" { (say.t("dashboard.work.none")) } } }
        }
    };
    layout::table(&say.t("dashboard.work.caption"), &content)
}

/// File, row and column to open.
pub(super) fn cell(ask: &Ask<'_>, place: &Place) -> Markup {
    let say = ask.say;
    html! {
        @if place.file.is_empty() { "–" } @else {
            (place.file) br;
            span.redup {
                (say.f("dashboard.row", &[("baris", place.row.clone())]))
                @if let Some(column) = &place.column { ", " (say.f("dashboard.column", &[("kolom", column.clone())])) }
            }
        }
    }
}

/// The list under the same filter, after a mark.
fn following(filter: &WorkFilter, after: Option<&str>) -> String {
    let [from, to] = [filter.from, filter.to].map(|date| date.map(|date| date.to_string()));
    address(
        "/kerja",
        &[
            ("puskesmas", filter.place.puskesmas.as_deref()),
            ("posyandu", filter.place.posyandu.as_deref()),
            ("siapa", filter.actor.map(Actor::word)),
            ("dari", from.as_deref()),
            ("sampai", to.as_deref()),
            ("aturan", filter.rule.as_deref()),
            ("sesudah", after),
        ],
    )
}

/// A mark in an address: date and number of the row, then day's end and number of the visit.
fn write_mark(mark: &Mark) -> String {
    format!("{}.{}.{}.{}", mark.row.0, mark.row.1, mark.entry.0.as_nanosecond(), mark.entry.1)
}

/// The mark of an address; one that is none begins the list anew.
fn read_mark(text: &str) -> Option<Mark> {
    let mut parts = text.split('.');
    let row = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let ends = Timestamp::from_nanosecond(parts.next()?.parse().ok()?).ok()?;
    let entry = (ends, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(Mark { row, entry })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_comes_back_as_it_was_and_nonsense_begins_anew() {
        let mark = Mark { row: ("2026-11-18".parse().unwrap(), 7), ..Mark::default() };
        assert_eq!(read_mark(&write_mark(&mark)), Some(mark));
        for text in ["", "x", "2026-11-18.7", "2026-11-18.7.1.2.3", "2026-13-18.7.1.2", "' OR 1=1 --"] {
            assert_eq!(read_mark(text), None, "{text}");
        }
    }
}
