//! The frame of every page: skip link, who is logged in, the ways to go, and the parts that pages share.
//!
//! It must not know what a page shows. Nothing here is styled or scripted inline: the policy forbids it.

use axum::body::Body;
use axum::http::{Response, StatusCode};
use maud::{DOCTYPE, Markup, html};

use super::access::Page;
use super::ask::Ask;
use super::say::Say;
use super::{Dashboard, files};
use crate::ledger::state::State;

/// The ways to go, in order.
const WAYS: [(Page, &str, &str); 11] = [
    (Page::Today, "/", "dashboard.nav.today"),
    (Page::Work, "/kerja", "dashboard.nav.work"),
    (Page::Discrepancies, "/selisih", "dashboard.nav.discrepancies"),
    (Page::Persons, "/orang", "dashboard.nav.persons"),
    (Page::Decisions, "/keputusan", "dashboard.nav.decisions"),
    (Page::Mapping, "/pemetaan", "dashboard.nav.mapping"),
    (Page::Queue, "/antrean", "dashboard.nav.queue"),
    (Page::Reports, "/laporan", "dashboard.nav.reports"),
    (Page::Seals, "/segel", "dashboard.nav.seals"),
    (Page::Accounts, "/akun", "dashboard.nav.accounts"),
    (Page::Audit, "/audit", "dashboard.nav.audit"),
];

/// A page.
pub(super) fn page(ask: &Ask<'_>, here: Option<Page>, title: &str, content: &Markup) -> Response<Body> {
    super::html(StatusCode::OK, frame(ask.say, Some(ask), here, title, content))
}

/// A page that says why there is no other.
pub(super) fn notice(board: &Dashboard, ask: Option<&Ask<'_>>, status: StatusCode, key: &str) -> Response<Body> {
    let say = Say(board.options.language);
    let title = say.t("dashboard.refused.title");
    let content = html! {
        h1 { (title) }
        p { (say.t(key)) }
        p { a href="/" { (say.t("dashboard.back")) } }
    };
    super::html(status, frame(say, ask, None, &title, &content))
}

fn frame(say: Say, ask: Option<&Ask<'_>>, here: Option<Page>, title: &str, content: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang=(say.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – posyandu-gateway" }
                link rel="stylesheet" href=(files::style());
                link rel="icon" href=(files::icon()) type="image/svg+xml";
                script src=(files::script()) defer {}
            }
            body {
                a.lompat href="#isi" { (say.t("dashboard.skip")) }
                header.atas {
                    div {
                        a.nama href="/" { "posyandu-gateway" }
                        @if let Some(ask) = ask { div.masuk { (who(ask)) } }
                    }
                }
                @if let Some(ask) = ask.filter(|ask| ask.visitor.is_admitted()) {
                    nav.utama aria-label=(say.t("dashboard.nav.label")) {
                        ul {
                            @for (page, path, key) in WAYS {
                                @if ask.may(page) {
                                    li { a href=(path) aria-current=[(here == Some(page)).then_some("page")] { (say.t(key)) } }
                                }
                            }
                        }
                    }
                }
                main #isi tabindex="-1" { (content) }
                footer.bawah { p { (say.t("dashboard.footer")) } }
            }
        }
    }
    .into_string()
}

fn who(ask: &Ask<'_>) -> Markup {
    let say = ask.say;
    html! {
        @if let Some(role) = ask.visitor.role() {
            span { (ask.visitor.name) " (" (say.role(role)) ")" }
            @if ask.visitor.token().is_some() {
                form method="post" action="/keluar" { (own_form(ask)) button type="submit" { (say.t("dashboard.log_out")) } }
            }
        } @else if ask.visitor.is_admitted() {
            span { (say.t("dashboard.guest")) }
        }
    }
}

/// The hidden field that shows that a form is of this login.
pub(super) fn own_form(ask: &Ask<'_>) -> Markup {
    html! {
        @if let Some(csrf) = ask.visitor.csrf(&ask.board.keys) { input type="hidden" name="csrf" value=(csrf); }
    }
}

/// A table that a narrow screen scrolls inside its own frame, reachable by keyboard.
pub(super) fn table(label: &str, content: &Markup) -> Markup {
    html! { div.tabel role="region" tabindex="0" aria-label=(label) { table { caption { (label) } (content) } } }
}

/// A choice of a form; the empty one means all.
pub(super) fn choice(
    name: &str,
    label: &str,
    all: Option<&str>,
    options: &[(String, String)],
    chosen: Option<&str>,
) -> Markup {
    html! {
        div {
            label for=(name) { (label) }
            select id=(name) name=(name) {
                @if let Some(all) = all { option value="" { (all) } }
                @for (value, text) in options {
                    option value=(value) selected[chosen == Some(value.as_str())] { (text) }
                }
            }
        }
    }
}

/// A date of a form.
pub(super) fn date_field(name: &str, label: &str, value: Option<String>) -> Markup {
    html! { div { label for=(name) { (label) } input type="date" id=(name) name=(name) value=[value]; } }
}

/// The class and the words of a state: both say the same, so that colour is never alone.
pub(super) fn state(say: Say, state: State) -> Markup {
    let class = match state {
        State::Delivered => "tanda baik",
        State::Pending | State::InFlight | State::Unknown => "tanda jalan",
        State::Blocked => "tanda awas",
        State::Refused | State::Exhausted => "tanda gagal",
        State::Waived | State::Superseded => "tanda kosong",
    };
    html! { span class=(class) { (say.t(&format!("report.state.{}", state.word()))) } }
}

/// Where the script says how fresh the page is.
pub(super) fn freshness(say: Say) -> Markup {
    html! {
        p.redup data-diperbarui=(say.t("dashboard.refreshed")) data-putus=(say.t("dashboard.refresh_failed")) role="status" hidden {}
    }
}
