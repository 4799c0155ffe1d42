//! Reports to take away: a day or a month, in every form that `report` writes.
//!
//! It must not make up a form of its own: [`FORMS`] is the one place where a form is plugged in.

use axum::body::Body;
use axum::http::Response;
use jiff::civil::Date;
use maud::html;

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, layout, place, reply};
use crate::ingest::register::Register;
use crate::ledger::account::Reach;
use crate::report::document::Document;
use crate::report::recap::area::{Area, Areas, Level};
use crate::report::recap::{Ask as Figures, Recap, page as recap};
use crate::report::{DayReport, ReportError, Request, Span, csv, html as html_page, json, text, xlsx};
use crate::words::Language;

/// What writes a form.
#[derive(Clone, Copy)]
enum Writer {
    /// The reconciliation report.
    Report(fn(&DayReport, Language) -> String),
    /// The figures by posyandu; none when they do not fit the form.
    Figures(fn(&Document, Language) -> Option<Vec<u8>>),
}

/// A form of a report: its ending, its media type, the key of its name, and what writes it.
type Form = (&'static str, &'static str, &'static str, Writer);

/// The media type of a workbook.
const WORKBOOK: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Every form there is.
const FORMS: [Form; 5] = [
    ("html", "text/html; charset=utf-8", "dashboard.reports.html", Writer::Figures(page_of_figures)),
    ("xlsx", WORKBOOK, "dashboard.reports.xlsx", Writer::Figures(workbook)),
    ("txt", "text/plain; charset=utf-8", "dashboard.reports.text", Writer::Report(text::render)),
    ("csv", "text/csv; charset=utf-8", "dashboard.reports.csv", Writer::Report(csv::work_list)),
    ("json", "application/json", "dashboard.reports.json", Writer::Report(json::render)),
];

/// Most lines of each list: what a person reads, and what memory bears.
const LISTED_MAX: usize = 20_000;

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Reports)?;
    let say = ask.say;
    let day = ask.date("tanggal").unwrap_or_else(|| ask.board.today());
    let title = say.t("dashboard.reports.title");
    let month = day.strftime("%Y-%m").to_string();
    let place = ask.place();
    let to = |name: &str, end: &str| {
        let (puskesmas, posyandu) = (place.puskesmas.as_deref(), place.posyandu.as_deref());
        address(&format!("/laporan/{name}.{end}"), &[("puskesmas", puskesmas), ("posyandu", posyandu)])
    };
    let content = html! {
        h1 { (title) }
        p { (say.t("dashboard.reports.intro")) }
        form.saring method="get" action="/laporan" {
            (layout::date_field("tanggal", &say.t("dashboard.date"), Some(day.to_string())))
            (place::choices(ask))
            div { button type="submit" { (say.t("dashboard.show")) } }
        }
        p { strong { (of_whom(ask, &place)) } }
        @for (name, key) in [(day.to_string(), "dashboard.reports.day"), (month, "dashboard.reports.month")] {
            h2 { (say.f(key, &[("waktu", name.clone())])) }
            ul {
                @for (end, _, form, _) in FORMS { li { a href=(to(&name, end)) { (say.t(form)) } } }
            }
        }
    };
    Ok(layout::page(ask, Some(Page::Reports), &title, &content))
}

/// Whose rows and visits a report is about, in words.
fn of_whom(ask: &Ask<'_>, place: &Reach) -> String {
    match (&place.posyandu, &place.puskesmas) {
        (Some(code), _) => ask.say.f("dashboard.reports.of", &[("siapa", ask.board.name_of(code))]),
        (None, Some(puskesmas)) => ask.say.f("dashboard.reports.of", &[("siapa", puskesmas.clone())]),
        (None, None) => ask.say.t("dashboard.reports.of_all"),
    }
}

/// A report as a file: `2026-11-18.txt`, `2026-11.csv`, of a puskesmas or posyandu when the address or the account says so.
pub(super) async fn file(ask: &Ask<'_>, name: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Reports)?;
    let (span, end) = name.rsplit_once('.').ok_or(Refusal::NotFound)?;
    let (_, media_type, _, writer) = FORMS.into_iter().find(|form| form.0 == end).ok_or(Refusal::NotFound)?;
    let span = match span.len() {
        7 => Span::Month(format!("{span}-01").parse::<Date>().map_err(|_| Refusal::NotFound)?),
        _ => Span::Day(span.parse::<Date>().map_err(|_| Refusal::NotFound)?),
    };
    let place = ask.place();
    let narrowed = [place.puskesmas.as_deref(), place.posyandu.as_deref()].into_iter().flatten();
    let named: Vec<&str> = std::iter::once(name).chain(narrowed).collect();
    ask.audit("report", &named.join(" "), None, None).await?;
    let register = ask.board.intake.register();
    let content = match writer {
        Writer::Report(render) => {
            render(&day_report(ask, span, &place, register.as_deref()).await?, ask.say.0).into_bytes()
        }
        Writer::Figures(write) => {
            let areas = register.as_deref().map(areas).unwrap_or_default();
            let (zone, made_at) = (ask.board.options.zone, ask.board.clock.now());
            let Reach { puskesmas, posyandu } = place.clone();
            let figures = Figures { span, level: Level::Posyandu, puskesmas, posyandu, zone, made_at, areas: &areas };
            let gathered = Recap::gather(&ask.board.ledger, &figures).await.map_err(refusal)?;
            write(&recap::document(&gathered, ask.say.0), ask.say.0).ok_or(Refusal::NotFound)?
        }
    };
    let span = span.name().unwrap_or_default();
    let of = place.posyandu.or(place.puskesmas).map(|of| format!("-{}", plain(&of))).unwrap_or_default();
    Ok(reply::file(content, media_type, &format!("laporan-{span}{of}.{end}")))
}

/// A name as it may stand in that of a file.
fn plain(name: &str) -> String {
    name.to_lowercase().replace(|sign: char| !sign.is_ascii_alphanumeric(), "-")
}

fn page_of_figures(document: &Document, language: Language) -> Option<Vec<u8>> {
    Some(html_page::page(document, language).into_bytes())
}

fn workbook(document: &Document, language: Language) -> Option<Vec<u8>> {
    let made = xlsx::workbook(document, language);
    made.inspect_err(|error| tracing::error!(%error, "a workbook cannot be made")).ok()
}

/// What the register tells of each posyandu.
fn areas(register: &Register) -> Areas {
    let one = |posyandu: &std::sync::Arc<crate::ingest::register::Posyandu>| {
        (posyandu.code.clone(), Area::new(&posyandu.name, &posyandu.puskesmas, posyandu.village()))
    };
    register.all().iter().map(one).collect()
}

fn refusal(error: ReportError) -> Refusal {
    match error {
        ReportError::Ledger(error) => Refusal::from(error),
        ReportError::Write(_) => Refusal::NotFound,
    }
}

async fn day_report(
    ask: &Ask<'_>,
    span: Span,
    place: &Reach,
    register: Option<&Register>,
) -> Result<DayReport, Refusal> {
    let names = |code: &str| Some(register?.by_code(code)?.name.clone());
    let request = Request {
        span,
        zone: ask.board.options.zone,
        made_at: ask.board.clock.now(),
        mapping_version: Some(ask.board.mapping_version()),
        names: &names,
        place: place.clone(),
        listed_max: Some(LISTED_MAX),
    };
    DayReport::gather(&ask.board.ledger, request).await.map_err(refusal)
}
