//! Reports to take away: a day or a month, in every form that `report` writes.
//!
//! It must not make up a form of its own: [`FORMS`] is the one place where a form is plugged in.

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, Response};
use jiff::civil::Date;
use maud::html;

use super::access::Page;
use super::ask::Ask;
use super::{Refusal, layout};
use crate::report::{DayReport, ReportError, Request, Span, csv, json, text};
use crate::words::Language;

/// A form of a report: its ending, its media type, the key of its name, and what writes it.
type Form = (&'static str, &'static str, &'static str, fn(&DayReport, Language) -> String);

/// Every form there is.
const FORMS: [Form; 3] = [
    ("txt", "text/plain; charset=utf-8", "dashboard.reports.text", text::render),
    ("csv", "text/csv; charset=utf-8", "dashboard.reports.csv", csv::work_list),
    ("json", "application/json", "dashboard.reports.json", json::render),
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
    let content = html! {
        h1 { (title) }
        p { (say.t("dashboard.reports.intro")) }
        form.saring method="get" action="/laporan" {
            (layout::date_field("tanggal", &say.t("dashboard.date"), Some(day.to_string())))
            div { button type="submit" { (say.t("dashboard.show")) } }
        }
        @for (name, key) in [(day.to_string(), "dashboard.reports.day"), (month, "dashboard.reports.month")] {
            h2 { (say.f(key, &[("waktu", name.clone())])) }
            ul {
                @for (end, _, form, _) in FORMS { li { a href={ "/laporan/" (name) "." (end) } { (say.t(form)) } } }
            }
        }
    };
    Ok(layout::page(ask, Some(Page::Reports), &title, &content))
}

/// A report as a file: `2026-11-18.txt`, `2026-11.csv`.
pub(super) async fn file(ask: &Ask<'_>, name: &str) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Reports)?;
    let (span, end) = name.rsplit_once('.').ok_or(Refusal::NotFound)?;
    let (_, media_type, _, render) = FORMS.into_iter().find(|form| form.0 == end).ok_or(Refusal::NotFound)?;
    let span = match span.len() {
        7 => Span::Month(format!("{span}-01").parse::<Date>().map_err(|_| Refusal::NotFound)?),
        _ => Span::Day(span.parse::<Date>().map_err(|_| Refusal::NotFound)?),
    };
    ask.audit("report", name, None, None).await?;
    let register = ask.board.intake.register();
    let names = |code: &str| Some(register.as_ref()?.by_code(code)?.name.clone());
    let request = Request {
        span,
        zone: ask.board.options.zone,
        made_at: ask.board.clock.now(),
        mapping_version: Some(ask.board.mapping_version()),
        names: &names,
        listed_max: Some(LISTED_MAX),
    };
    let report = DayReport::gather(&ask.board.ledger, request).await.map_err(|error| match error {
        ReportError::Ledger(error) => Refusal::from(error),
        ReportError::Write(_) => Refusal::NotFound,
    })?;
    let mut response = Response::new(Body::from(render(&report, ask.say.0)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    let saved_as = format!("attachment; filename=\"laporan-{}.{end}\"", span.name().unwrap_or_default());
    if let Ok(saved_as) = HeaderValue::from_str(&saved_as) {
        headers.insert(CONTENT_DISPOSITION, saved_as);
    }
    Ok(response)
}
