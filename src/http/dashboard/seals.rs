//! The daily statements of puskesmas: number, figures, amendments, hash, and each to take away or print.
//!
//! Counts only; it must not make a statement nor change one.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;
use jiff::ToSpan as _;
use jiff::civil::Date;
use maud::{Markup, html};
use serde_json::json;

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, layout, place, reply};
use crate::ledger::account::Reach;
use crate::ledger::standing::{LATE, Part, SAME_DAY};
use crate::ledger::statement::{Kind, Statement};
use crate::report::statement::Content;
use crate::report::{pdf, statement_page};

/// Days on a page when none is asked for.
const DAYS: i32 = 14;
/// Statements on a page, at most.
const STATEMENTS_MAX: u32 = 300;
/// Every form: its ending, its media type and what it is called.
const FORMS: [(&str, &str, &str); 2] = [("pdf", "application/pdf", "PDF"), ("json", "application/json", "JSON")];

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Seals)?;
    let (say, today) = (ask.say, ask.board.today());
    let to = ask.date("sampai").unwrap_or(today);
    let from = ask.date("dari").unwrap_or_else(|| to.checked_sub(DAYS.days()).unwrap_or(to));
    let place = Reach { posyandu: None, ..ask.place() };
    let found = ask.board.ledger.statements_of(place.puskesmas.as_deref(), (from, to), STATEMENTS_MAX).await?;
    let title = say.t("dashboard.seals.title");
    let lanes: Vec<(String, String)> = place::puskesmas(ask).into_iter().map(|name| (name.clone(), name)).collect();
    let content = html! {
        h1 { (title) }
        p { (say.t("dashboard.seals.intro")) }
        form.saring method="get" action="/segel" {
            @if ask.visitor.reach.puskesmas.is_none() {
                (layout::choice("puskesmas", &say.t("dashboard.puskesmas"), Some(&say.t("dashboard.all")), &lanes, place.puskesmas.as_deref()))
            }
            (layout::date_field("dari", &say.t("dashboard.from"), Some(from.to_string())))
            (layout::date_field("sampai", &say.t("dashboard.to"), Some(to.to_string())))
            div { button type="submit" { (say.t("dashboard.filter")) } }
        }
        @if found.len() == STATEMENTS_MAX as usize { p { (say.f("dashboard.seals.more", &[("jumlah", STATEMENTS_MAX.to_string())])) } }
        (table(ask, &title, &found))
    };
    Ok(layout::page(ask, Some(Page::Seals), &title, &content))
}

fn table(ask: &Ask<'_>, title: &str, found: &[Statement]) -> Markup {
    let say = ask.say;
    let mut days: BTreeMap<(std::cmp::Reverse<Date>, &str), Vec<&Statement>> = BTreeMap::new();
    for one in found {
        days.entry((std::cmp::Reverse(one.service_date), &one.puskesmas)).or_default().push(one);
    }
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.date")) }
            th scope="col" { (say.t("dashboard.seals.number")) }
            th.n scope="col" { (say.t("dashboard.sum.read")) }
            th.n scope="col" { (say.t("dashboard.sum.same_day")) }
            th.n scope="col" { (say.t("dashboard.seals.late")) }
            th.n scope="col" { (say.t("dashboard.sum.waiting")) }
            th.n scope="col" { (say.t("dashboard.seals.refused")) }
            th.n scope="col" { (say.t("dashboard.sum.waived")) }
            th scope="col" { (say.t("dashboard.seals.files")) }
        } }
        @for ((day, puskesmas), all) in &days {
            tbody {
                @for (at, one) in all.iter().enumerate() {
                    tr {
                        @if at == 0 {
                            th scope="rowgroup" rowspan=(all.len()) {
                                span.utuh { (day.0) }
                                @if ask.visitor.reach.puskesmas.is_none() { br; span.redup { (puskesmas) } }
                            }
                        }
                        (line(ask, one))
                        @if at == 0 { td rowspan=(all.len()) { (files(day.0, puskesmas)) } }
                    }
                }
            }
        }
        @if days.is_empty() { tbody { tr { td colspan="9" { (say.t("dashboard.seals.none")) } } } }
    };
    layout::table(title, &content)
}

/// Number, kind, hash and figures of one statement.
fn line(ask: &Ask<'_>, one: &Statement) -> Markup {
    let say = ask.say;
    let content = Content::of(one).ok();
    let is_sound = one.is_sound(&ask.board.keys);
    let figures = content.as_ref().map(|content| {
        let rows = &content.total.rows;
        let accepted = |reason| rows.with(Part::Accepted, reason);
        let not_sent = [Part::Waived, Part::Replaced, Part::Skipped].map(|part| rows.of(part)).iter().sum();
        let parts = [accepted(SAME_DAY), accepted(LATE), rows.of(Part::Waiting), rows.of(Part::Refused), not_sent];
        (content.total.read, parts)
    });
    html! {
        td {
            (say.f("dashboard.seals.kind", &[("nomor", one.number.to_string()), ("jenis", say.t(&format!("statement.kind.{}", one.kind.word())))]))
            @if let Some(content) = &content {
                br; span.redup.utuh { (content.zone.text_at(one.made_at)) }
                @if let Some(difference) = &content.difference { br; (say.f("dashboard.seals.amends", &[("nomor", difference.amends.to_string())])) }
                @if content.made_late && one.kind == Kind::Seal { br; (say.t("statement.made_late")) }
            }
            @if !is_sound { br; strong class="tanda gagal" { (say.t("statement.unsound")) } }
            details { summary { "SHA-256" } span.kode { (Statement::shown(&one.hash())) } }
        }
        @match figures {
            Some((read, parts)) => { td.n { (say.number(read)) } @for number in parts { td.n { (say.number(number)) } } }
            None => { td colspan="6" { (say.t("statement.unsound")) } }
        }
    }
}

fn files(day: Date, puskesmas: &str) -> Markup {
    html! {
        ul.berkas {
            @for (end, _, name) in FORMS {
                li { a href=(address(&format!("/segel/{day}.{end}"), &[("puskesmas", Some(puskesmas))])) { (name) } }
            }
        }
    }
}

/// The statements about a day as a file: `2026-11-18.pdf?puskesmas=…`.
pub(super) async fn file(ask: &Ask<'_>, name: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Seals)?;
    let (day, end) = name.rsplit_once('.').ok_or(Refusal::NotFound)?;
    let (_, media_type, _) = FORMS.into_iter().find(|form| form.0 == end).ok_or(Refusal::NotFound)?;
    let day: Date = day.parse().map_err(|_| Refusal::NotFound)?;
    let puskesmas = ask.place().puskesmas.ok_or(Refusal::NotFound)?;
    let found = ask.board.ledger.statements_of(Some(&puskesmas), (day, day), STATEMENTS_MAX).await?;
    if found.is_empty() {
        return Err(Refusal::NotFound);
    }
    ask.audit("seal", &format!("{puskesmas} {name}"), None, None).await?;
    let register = ask.board.intake.register();
    let names = |code: &str| Some(register.as_ref()?.by_code(code)?.name.clone());
    let language = ask.say.0;
    let (mut objects, mut pages) = (Vec::new(), Vec::new());
    for one in &found {
        let content = Content::of(one).map_err(|_| Refusal::NotFound)?;
        objects.push(content.as_json(one, one.is_sound(&ask.board.keys)));
        pages.push(statement_page::page(one, &content, &names, language));
    }
    let bytes = match end {
        "pdf" => pdf::pages(&pages, language),
        _ => format!("{}\n", json!({"statements": objects})).into_bytes(),
    };
    Ok(reply::file(bytes, media_type, &format!("segel-{day}.{end}")))
}
