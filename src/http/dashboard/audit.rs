//! The audit trail: who looked at whom and who decided what, the newest first, page by page.
//!
//! It only reads; nobody changes what stands there.

use axum::body::Body;
use axum::http::Response;
use maud::html;

use super::access::Page;
use super::ask::{Ask, address};
use super::{Refusal, layout};

/// Lines on a page.
const PAGE: u32 = 100;

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Audit)?;
    let (say, zone) = (ask.say, ask.board.options.zone);
    let before = ask.get("sebelum").and_then(|text| text.parse().ok());
    let lines = ask.board.ledger.audit_trail(before, PAGE).await?;
    let next = (lines.len() == PAGE as usize).then(|| lines.last().map(|line| line.number.to_string())).flatten();
    let title = say.t("dashboard.audit.title");
    let table = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.time")) }
            th scope="col" { (say.t("dashboard.login.name")) }
            th scope="col" { (say.t("dashboard.audit.action")) }
            th scope="col" { (say.t("dashboard.audit.subject")) }
            th scope="col" { (say.t("dashboard.reason")) }
        } }
        tbody {
            @for line in &lines {
                tr {
                    td.n { (zone.text_at(line.at)) }
                    td { (line.account) @if !line.role.is_empty() { " (" (line.role) ")" } }
                    td { (line.action) }
                    td { (line.subject) }
                    td { (line.reason.as_deref().unwrap_or("–")) }
                }
            }
            @if lines.is_empty() { tr { td colspan="5" { (say.t("dashboard.audit.none")) } } }
        }
    };
    let content = html! {
        h1 { (title) }
        p { (say.t("dashboard.audit.intro")) }
        (layout::table(&title, &table))
        nav.halaman aria-label=(say.t("dashboard.pages")) {
            @if before.is_some() { a href="/audit" { (say.t("dashboard.first_page")) } }
            @if let Some(next) = &next {
                a href=(address("/audit", &[("sebelum", Some(next))])) rel="next" { (say.t("dashboard.next_page")) }
            }
        }
    };
    Ok(layout::page(ask, Some(Page::Audit), &title, &content))
}
