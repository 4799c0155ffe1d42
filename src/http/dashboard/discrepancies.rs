//! Where source, ledger and SATUSEHAT do not agree: how many, and for whoever may see visits each one with its age, who
//! must act, what to do next, and the waiver.
//!
//! It must not close anything: only a later comparison does.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::access::Page;
use super::ask::{Ask, address};
use super::say::Say;
use super::{Refusal, decisions, layout, place};
use crate::ledger::decision::DecisionKind;
use crate::ledger::discrepancy::page::LiveFilter;
use crate::ledger::discrepancy::{Class, Discrepancy, Owner, Standing, Standings};
use crate::ledger::reading::Filter;
use crate::report::discrepancy;

/// Discrepancies on a page.
const PAGE: u32 = 50;
/// The ages that are asked for, in days.
const AGES: [u64; 4] = [1, 3, 7, 30];
/// A day.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Discrepancies)?;
    let (say, place, now) = (ask.say, ask.place(), ask.board.clock.now());
    let days = ask.get("umur").and_then(|text| text.parse().ok()).filter(|days| AGES.contains(days));
    let filter = LiveFilter {
        place: place.clone(),
        class: ask.get("kelas").and_then(Class::from_word),
        owner: ask.get("siapa").and_then(Owner::from_word),
        seen_before: days.and_then(|days| now.checked_sub(DAY.saturating_mul(u32::try_from(days).ok()?)).ok()),
        standing: if ask.get("keadaan") == Some("waived") { Standing::Waived } else { Standing::Open },
        after: ask.get("sesudah").and_then(read_mark),
    };
    let counted = Filter { puskesmas: place.puskesmas, posyandu: place.posyandu, ..Filter::default() };
    let standings = ask.board.ledger.discrepancy_standings(&counted).await?;
    let title = say.t("dashboard.discrepancies.title");
    let listed = match ask.may(Page::DiscrepancyList) {
        true => list(ask, &filter, days).await?,
        false => html! {},
    };
    let content = html! {
        h1 { (title) }
        (decisions::kept(ask))
        p { (say.t("dashboard.discrepancies.intro")) }
        div #selisih data-hidup { (counts(say, &standings)) }
        (listed)
        (layout::freshness(say))
    };
    Ok(layout::page(ask, Some(Page::Discrepancies), &title, &content))
}

/// Open ones by class and owner, and how many are accepted.
fn counts(say: Say, standings: &[Standings]) -> Markup {
    let mut by_class: BTreeMap<Class, (BTreeMap<Owner, u64>, u64)> = BTreeMap::new();
    for one in standings {
        let line = by_class.entry(one.class).or_default();
        match one.standing {
            Standing::Waived => line.1 += one.number,
            _ => *line.0.entry(one.owner).or_default() += one.number,
        }
    }
    let title = say.t("dashboard.discrepancies.counts");
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.discrepancies.class")) }
            @for owner in Owner::ALL { th.n scope="col" { (named(say, *owner)) } }
            th.n scope="col" { (say.t("dashboard.discrepancies.waived")) }
        } }
        tbody {
            @for (class, (owners, waived)) in &by_class {
                tr {
                    th scope="row" { (class_of(say, *class)) }
                    @for owner in Owner::ALL { td.n { (say.number(owners.get(owner).copied().unwrap_or(0))) } }
                    td.n { (say.number(*waived)) }
                }
            }
            @if by_class.is_empty() { tr { td colspan="6" { (say.t("dashboard.discrepancies.none")) } } }
        }
    };
    html! { h2 { (title) } (layout::table(&title, &content)) }
}

async fn list(ask: &Ask<'_>, filter: &LiveFilter, days: Option<u64>) -> Result<Markup, Refusal> {
    let say = ask.say;
    let all = ask.board.ledger.live_discrepancies(filter, PAGE).await?;
    let last = all.last().filter(|_| all.len() == PAGE as usize);
    let next = last.map(|last| following(filter, days, Some(&write_mark(last))));
    let title = say.t("dashboard.discrepancies.list");
    Ok(html! {
        h2 { (title) }
        (filters(ask, filter, days))
        (table(ask, &title, &all))
        nav.halaman aria-label=(say.t("dashboard.pages")) {
            @if filter.after.is_some() { a href=(following(filter, days, None)) { (say.t("dashboard.first_page")) } }
            @if let Some(next) = next { a href=(next) rel="next" { (say.t("dashboard.next_page")) } }
        }
    })
}

fn filters(ask: &Ask<'_>, filter: &LiveFilter, days: Option<u64>) -> Markup {
    let say = ask.say;
    let all = say.t("dashboard.all");
    let classes: Vec<(String, String)> =
        Class::ALL.iter().map(|class| (class.word().to_owned(), class_of(say, *class))).collect();
    let owners: Vec<(String, String)> =
        Owner::ALL.iter().map(|owner| (owner.word().to_owned(), named(say, *owner))).collect();
    let ages =
        AGES.map(|days| (days.to_string(), say.f("dashboard.discrepancies.days", &[("hari", days.to_string())])));
    let states = [("waived".to_owned(), say.t("dashboard.discrepancies.waived"))];
    let (class, owner) = (filter.class.map(Class::word), filter.owner.map(Owner::word));
    let (days, open) = (days.map(|days| days.to_string()), say.t("dashboard.discrepancies.open"));
    let state = (filter.standing == Standing::Waived).then_some("waived");
    html! {
        form.saring method="get" action="/selisih" {
            (place::choices(ask))
            (layout::choice("kelas", &say.t("dashboard.discrepancies.class"), Some(&all), &classes, class))
            (layout::choice("siapa", &say.t("dashboard.work.actor"), Some(&all), &owners, owner))
            (layout::choice("umur", &say.t("dashboard.discrepancies.age"), Some(&all), &ages, days.as_deref()))
            (layout::choice("keadaan", &say.t("dashboard.state"), Some(&open), &states, state))
            div { button type="submit" { (say.t("dashboard.filter")) } }
        }
    }
}

/// A table of discrepancies, with a form for each that may be accepted.
fn table(ask: &Ask<'_>, title: &str, all: &[Discrepancy]) -> Markup {
    let (say, now) = (ask.say, ask.board.clock.now());
    let may_waive = ask.may(Page::DecideDiscrepancy);
    let content = html! {
        thead { tr {
            th.n scope="col" { (say.t("dashboard.discrepancies.age")) }
            th scope="col" { (say.t("dashboard.posyandu")) }
            th scope="col" { (say.t("dashboard.discrepancies.what")) }
            th scope="col" { (say.t("dashboard.work.actor")) }
            th scope="col" { (say.t("dashboard.discrepancies.next")) }
            @if may_waive { th scope="col" { (say.t("dashboard.decisions.title")) } }
        } }
        tbody {
            @for one in all {
                tr {
                    td.n { (age(say, one, now)) }
                    td {
                        (if one.posyandu.is_empty() { "–".to_owned() } else { ask.board.name_of(&one.posyandu) })
                        @if ask.visitor.reach.puskesmas.is_none() { br; span.redup { (one.puskesmas) } }
                        br; span.redup.utuh { (one.service_date) }
                    }
                    td.kalimat {
                        (class_of(say, one.class))
                        @if let Some(entry) = one.entry {
                            br; a href={ "/kunjungan/" (entry.number()) } { (say.f("dashboard.work.number", &[("nomor", entry.number().to_string())])) }
                        }
                        br; span.kode.redup { (one.thing) " · " (one.evidence) }
                    }
                    td { (named(say, one.owner)) }
                    td.kalimat { (discrepancy::next(one, say.0)) }
                    @if may_waive { td { (waiver(ask, one)) } }
                }
            }
            @if all.is_empty() { tr { td colspan="6" { (say.t("dashboard.discrepancies.none")) } } }
        }
    };
    layout::table(title, &content)
}

fn waiver(ask: &Ask<'_>, one: &Discrepancy) -> Markup {
    let say = ask.say;
    html! {
        @if one.standing == Standing::Open {
            details {
                summary { (say.t("dashboard.decide.accept")) }
                (decisions::form(ask, DecisionKind::WaiveDiscrepancy, &one.number.to_string(), true))
            }
        } @else if let Some((_, reason)) = &one.waiver {
            (say.t("dashboard.discrepancies.waived")) ": " (reason.as_deref().unwrap_or("–"))
        }
    }
}

/// Those of one visit.
pub(super) fn of_visit(ask: &Ask<'_>, all: &[Discrepancy]) -> Markup {
    let title = ask.say.t("dashboard.discrepancies.title");
    html! { @if !all.is_empty() { h2 { (title) } (table(ask, &title, all)) } }
}

fn age(say: Say, one: &Discrepancy, now: Timestamp) -> String {
    let hours = discrepancy::age_hours(one, now);
    match hours / 24 {
        0 => say.f("dashboard.discrepancies.hours", &[("jam", hours.to_string())]),
        days => say.f("dashboard.discrepancies.old", &[("hari", days.to_string())]),
    }
}

fn class_of(say: Say, class: Class) -> String {
    say.t(&format!("discrepancy.class.{}", class.word()))
}

fn named(say: Say, owner: Owner) -> String {
    say.t(&format!("discrepancy.owner.{}", owner.word()))
}

fn following(filter: &LiveFilter, days: Option<u64>, after: Option<&str>) -> String {
    let days = days.map(|days| days.to_string());
    address(
        "/selisih",
        &[
            ("puskesmas", filter.place.puskesmas.as_deref()),
            ("posyandu", filter.place.posyandu.as_deref()),
            ("kelas", filter.class.map(Class::word)),
            ("siapa", filter.owner.map(Owner::word)),
            ("umur", days.as_deref()),
            ("keadaan", (filter.standing == Standing::Waived).then_some("waived")),
            ("sesudah", after),
        ],
    )
}

/// A mark in an address: when the last one was seen first, and its number.
fn write_mark(last: &Discrepancy) -> String {
    format!("{}.{}", last.first_seen_at.as_millisecond(), last.number)
}

/// The mark of an address; one that is none begins the list anew.
fn read_mark(text: &str) -> Option<(Timestamp, i64)> {
    let (seen, number) = text.split_once('.')?;
    Some((Timestamp::from_millisecond(seen.parse().ok()?).ok()?, number.parse().ok()?))
}
