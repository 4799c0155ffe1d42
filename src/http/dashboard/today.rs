//! A day: how far it is by puskesmas and posyandu, what is expected by 24:00, and each posyandu by its state.
//!
//! Counts only; nobody is named.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;
use jiff::civil::Date;
use maud::{Markup, html};

use super::access::Page;
use super::ask::{Ask, address};
use super::say::Say;
use super::{Refusal, layout, place, queue};
use crate::ledger::account::Reach;
use crate::ledger::reading::Counts;
use crate::report::Sum;
use crate::report::forecast::{Forecast, forecast};

/// One line: a puskesmas, or a posyandu.
#[derive(Clone, Debug, Default)]
struct Line {
    counts: Counts,
    visits: u64,
    accepted: u64,
    same_day: u64,
}

impl Line {
    fn add(&mut self, other: &Self) {
        self.counts.add(&other.counts);
        self.visits += other.visits;
        self.accepted += other.accepted;
        self.same_day += other.same_day;
    }
}

/// Lines by puskesmas and posyandu; empty names where a row names none.
type Lines = BTreeMap<(String, String), Line>;

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Today)?;
    let (say, place) = (ask.say, ask.place());
    let today = ask.board.today();
    let day = ask.date("tanggal").unwrap_or(today);
    let lines = gather(ask, day, &place).await?;
    let mut all = Line::default();
    lines.values().for_each(|line| all.add(line));
    let expected = if day == today { forecasts(ask, &place).await? } else { Vec::new() };
    let title_key = if day == today { "dashboard.today.title" } else { "dashboard.today.title_other" };
    let title = say.f(title_key, &[("tanggal", day.to_string())]);
    let content = html! {
        h1 { (title) }
        form.saring method="get" action="/" {
            (layout::date_field("tanggal", &say.t("dashboard.date"), Some(day.to_string())))
            (place::choices(ask))
            div { button type="submit" { (say.t("dashboard.show")) } }
        }
        div #hari data-hidup {
            (queue::alarms(ask, &place).await?)
            (expectation(say, &expected))
            (summary(say, &all))
            (by_place(ask, &lines, &place, day))
            (grid(ask, &lines, &place, day))
        }
        (layout::freshness(say))
    };
    Ok(layout::page(ask, Some(Page::Today), &title, &content))
}

async fn gather(ask: &Ask<'_>, day: Date, place: &Reach) -> Result<Lines, Refusal> {
    let mut lines = Lines::new();
    // Side by side: on the day on which all posyandu open, each takes a tenth of a second.
    let ledger = &ask.board.ledger;
    let (rows, visits) =
        futures_util::future::try_join(ledger.day_counts(day, place), ledger.day_coverage(day, place)).await?;
    for ((puskesmas, posyandu), counts) in rows {
        let key = (puskesmas.unwrap_or_default(), posyandu.unwrap_or_default());
        lines.entry(key).or_default().counts.add(&counts);
    }
    for one in visits {
        let line = lines.entry((one.puskesmas, one.posyandu)).or_default();
        (line.visits, line.accepted, line.same_day) = (one.visits, one.accepted, one.same_day);
    }
    Ok(lines)
}

async fn forecasts(ask: &Ask<'_>, place: &Reach) -> Result<Vec<Forecast>, Refusal> {
    let days = ask.board.ledger.running_days().await?;
    let own = days.iter().filter(|day| place.puskesmas.as_ref().is_none_or(|name| *name == day.lane));
    Ok(own.map(|day| forecast(day, ask.board.clock.now())).collect())
}

/// What is expected by the end of the day, in words.
fn expectation(say: Say, expected: &[Forecast]) -> Markup {
    let sentence = |one: &Forecast| {
        let values = [
            ("puskesmas", one.lane.clone()),
            ("tunggu", say.number(one.waiting)),
            ("lambat", say.number(one.late)),
            ("laju", format!("{:.1}", one.per_minute)),
            ("zona", one.zone.name().to_owned()),
        ];
        say.f(if one.late > 0 { "dashboard.forecast.late" } else { "dashboard.forecast.fine" }, &values)
    };
    html! {
        @if !expected.is_empty() {
            section aria-label=(say.t("dashboard.forecast.title")) {
                h2 { (say.t("dashboard.forecast.title")) }
                @for one in expected {
                    div class=(if one.late > 0 { "pesan awas" } else { "pesan baik" }) { p { (sentence(one)) } }
                }
            }
        }
    }
}

fn summary(say: Say, all: &Line) -> Markup {
    let sum = Sum::of(&all.counts);
    let parts = [
        ("dashboard.sum.read", sum.read),
        ("dashboard.sum.accepted", sum.accepted),
        ("dashboard.sum.waiting", sum.waiting),
        ("dashboard.sum.attention", sum.attention),
        ("dashboard.sum.waived", sum.waived),
    ];
    let same_day = Say::share(all.same_day, all.visits);
    html! {
        h2 { (say.t("dashboard.sum.title")) }
        dl.angka {
            @for (key, number) in parts { div { dt { (say.t(key)) } dd { (say.number(number)) } } }
            div {
                dt { (say.t("dashboard.sum.same_day")) }
                dd {
                    (same_day.map_or("–".to_owned(), |share| format!("{share} %")))
                    small { (say.f("dashboard.sum.of_visits", &[("jumlah", say.number(all.same_day)), ("semua", say.number(all.visits))])) }
                }
            }
        }
    }
}

/// By puskesmas; by posyandu once one puskesmas is meant.
fn by_place(ask: &Ask<'_>, lines: &Lines, place: &Reach, day: Date) -> Markup {
    let (say, day) = (ask.say, day.to_string());
    let by_posyandu = place.puskesmas.is_some();
    let mut shown: BTreeMap<String, (String, Line)> = BTreeMap::new();
    for ((puskesmas, posyandu), line) in lines {
        let key = if by_posyandu { posyandu } else { puskesmas };
        let name = match (key.as_str(), by_posyandu) {
            ("", _) => say.t("dashboard.nowhere"),
            (code, true) => ask.board.name_of(code),
            (name, false) => name.to_owned(),
        };
        shown.entry(key.clone()).or_insert_with(|| (name, Line::default())).1.add(line);
    }
    let title = say.t(if by_posyandu { "dashboard.by_posyandu" } else { "dashboard.by_puskesmas" });
    let heads = ["read", "accepted", "waiting", "attention", "waived"];
    let link = |key: &str| {
        let (lane, posyandu) = if by_posyandu { (place.puskesmas.as_deref(), Some(key)) } else { (Some(key), None) };
        address("/", &[("tanggal", Some(&day)), ("puskesmas", lane), ("posyandu", posyandu)])
    };
    let content = html! {
        thead { tr {
            th scope="col" { (say.t(if by_posyandu { "dashboard.posyandu" } else { "dashboard.puskesmas" })) }
            @for head in heads { th.n scope="col" { (say.t(&format!("dashboard.sum.{head}"))) } }
            th.n scope="col" { (say.t("dashboard.sum.same_day")) }
        } }
        tbody {
            @for (key, (name, line)) in &shown {
                @let sum = Sum::of(&line.counts);
                tr {
                    th scope="row" { @if key.is_empty() { (name) } @else { a href=(link(key)) { (name) } } }
                    @for number in [sum.read, sum.accepted, sum.waiting, sum.attention, sum.waived] {
                        td.n { (say.number(number)) }
                    }
                    td.n {
                        @match Say::share(line.same_day, line.visits) {
                            Some(share) => { (share) " %" }
                            None => { "–" }
                        }
                    }
                }
            }
            @if shown.is_empty() { tr { td colspan="7" { (say.t("dashboard.nothing_read")) } } }
        }
    };
    html! { h2 { (title) } (layout::table(&title, &content)) }
}

/// How a posyandu stands, in the order of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Attention,
    Waiting,
    Done,
    Nothing,
}

impl Standing {
    const ALL: [Self; 4] = [Self::Attention, Self::Waiting, Self::Done, Self::Nothing];

    fn of(line: Option<&Line>) -> Self {
        let sum = line.map(|line| Sum::of(&line.counts)).unwrap_or_default();
        match sum {
            Sum { attention: 1.., .. } => Self::Attention,
            Sum { waiting: 1.., .. } => Self::Waiting,
            Sum { accepted: 1.., .. } => Self::Done,
            _ => Self::Nothing,
        }
    }

    /// Class, sign and words: three ways to tell, so that colour is never alone.
    fn told(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Attention => ("gagal", "!", "dashboard.standing.attention"),
            Self::Waiting => ("jalan", "↑", "dashboard.standing.waiting"),
            Self::Done => ("baik", "✓", "dashboard.standing.done"),
            Self::Nothing => ("kosong", "–", "dashboard.standing.nothing"),
        }
    }
}

/// A posyandu in the grid: code, name, how it stands, rows accepted and read.
type Tile = (String, String, Standing, u64, u64);

/// Every posyandu of the register within the place, by puskesmas, with its state.
fn grid(ask: &Ask<'_>, lines: &Lines, place: &Reach, day: Date) -> Markup {
    let (say, day) = (ask.say, day.to_string());
    let mut by_puskesmas: BTreeMap<String, Vec<Tile>> = BTreeMap::new();
    for (code, name, puskesmas) in place::posyandu(ask, place.puskesmas.as_deref()) {
        if place.posyandu.as_ref().is_some_and(|own| *own != code) {
            continue;
        }
        let line = lines.get(&(puskesmas.clone(), code.clone()));
        let sum = line.map(|line| Sum::of(&line.counts)).unwrap_or_default();
        by_puskesmas.entry(puskesmas).or_default().push((code, name, Standing::of(line), sum.accepted, sum.read));
    }
    let is_work = ask.may(Page::Work);
    let link = |puskesmas: &str, code: &str| {
        let path = if is_work { "/kerja" } else { "/" };
        let (from, to, one) = if is_work { (Some(&day), Some(&day), None) } else { (None, None, Some(&day)) };
        let text = |value: Option<&String>| value.cloned();
        let (from, to, one) = (text(from), text(to), text(one));
        address(
            path,
            &[
                ("puskesmas", Some(puskesmas)),
                ("posyandu", Some(code)),
                ("dari", from.as_deref()),
                ("sampai", to.as_deref()),
                ("tanggal", one.as_deref()),
            ],
        )
    };
    html! {
        @if !by_puskesmas.is_empty() {
            h2 { (say.t("dashboard.grid.title")) }
            ul.kunci aria-label=(say.t("dashboard.grid.legend")) {
                @for standing in Standing::ALL {
                    @let (class, sign, key) = standing.told();
                    @let number = by_puskesmas.values().flatten().filter(|one| one.2 == standing).count();
                    li { span class={ "tanda " (class) } { (sign) " " (say.t(key)) ": " (say.number(number as u64)) } }
                }
            }
            @for (puskesmas, all) in &by_puskesmas {
                h3 { (puskesmas) }
                ul.petak {
                    @for (code, name, standing, accepted, read) in all {
                        @let (class, sign, key) = standing.told();
                        li class=(class) {
                            strong { a href=(link(puskesmas, code)) { (name) } }
                            span aria-hidden="true" { (sign) " " } (say.t(key))
                            @if *read > 0 { " · " (say.f("dashboard.grid.of", &[("diterima", say.number(*accepted)), ("baca", say.number(*read))])) }
                        }
                    }
                }
            }
        }
    }
}
