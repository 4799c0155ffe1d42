//! The queue, the limits and how the platform answers, now and over the last day; and the alarms that other pages show.
//!
//! Samples are kept in memory, one a minute and a day of them: a restart begins them anew. Nobody is named.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::Response;
use jiff::Timestamp;
use maud::{Markup, html};

use super::access::Page;
use super::ask::Ask;
use super::plot::{self, Series};
use super::say::Say;
use super::{Options, Refusal, SAMPLE_EVERY, StoppedLane, layout};
use crate::ledger::account::Reach;
use crate::ledger::alarm::{Alarm, AlarmKind};
use crate::ledger::lane::NoteKind;
use crate::ledger::state::State;
use crate::ledger::watching::Waiting;
use crate::ledger::{Ledger, LedgerError};
use crate::report::alarm as alarm_words;

/// Samples kept: a day of them, some 60 KiB.
const SAMPLES_MAX: usize = 24 * 60;
/// Answers looked at for one sample: some 33 a second.
const ANSWERS_MAX: u32 = 2_000;
/// Points of a plot; more samples are averaged.
const POINTS_MAX: usize = 240;

/// How it stood at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Timestamp,
    waiting: u64,
    blocked: u64,
    unknown: u64,
    answers: u64,
    troubled: u64,
    median_ms: u64,
    pace: u64,
    pace_configured: u64,
}

/// The samples of a day.
#[derive(Debug, Default)]
pub(super) struct Samples(Mutex<VecDeque<Sample>>);

/// Classes of answers that say nothing about the visit: the platform or the way to it is in trouble.
const TROUBLES: [&str; 6] = ["outage", "throttled", "unknown", "timeout", "configuration", "unclassified"];

impl Samples {
    /// Takes one.
    pub async fn take(
        &self,
        ledger: &Ledger,
        (pace, pace_configured): (u64, u64),
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let since = now.saturating_sub(SAMPLE_EVERY).unwrap_or(Timestamp::MIN);
        let waiting = ledger.waiting().await?;
        let answers = ledger.answers_since(since, ANSWERS_MAX).await?;
        let mut durations: Vec<u128> = answers.iter().map(|answer| answer.duration.as_millis()).collect();
        durations.sort_unstable();
        let sample = Sample {
            at: now,
            waiting: number(&waiting, &[State::Pending, State::InFlight]),
            blocked: number(&waiting, &[State::Blocked]),
            unknown: number(&waiting, &[State::Unknown]),
            answers: answers.len() as u64,
            troubled: answers.iter().filter(|answer| TROUBLES.contains(&answer.class.as_str())).count() as u64,
            pace,
            pace_configured,
            median_ms: durations.get(durations.len() / 2).map_or(0, |one| u64::try_from(*one).unwrap_or(u64::MAX)),
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == SAMPLES_MAX {
            kept.pop_front();
        }
        kept.push_back(sample);
        Ok(())
    }

    fn all(&self) -> Vec<Sample> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// Calls a minute that may be made now and that are configured, of all lanes together.
pub(super) fn pace(options: &Options) -> (u64, u64) {
    let configured = |lane: &super::Lane| u64::from(lane.per_minute);
    let present = |lane: &super::Lane| options.observed.present_pace(&lane.name).unwrap_or(configured(lane));
    (options.lanes.iter().map(present).sum(), options.lanes.iter().map(configured).sum())
}

fn number(waiting: &[Waiting], states: &[State]) -> u64 {
    waiting.iter().filter(|one| states.contains(&one.state)).map(|one| one.number).sum()
}

/// The page.
pub(super) async fn page(ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    ask.must(Page::Queue)?;
    let (say, place) = (ask.say, ask.place());
    let title = say.t("dashboard.queue.title");
    let waiting = ask.board.ledger.waiting().await?;
    let samples = ask.board.samples.all();
    let content = html! {
        h1 { (title) }
        div #antrean data-hidup {
            (alarms(ask, &place).await?)
            (lanes(ask, &waiting, &place).await?)
            (plots(ask, &samples))
        }
        (layout::freshness(say))
    };
    Ok(layout::page(ask, Some(Page::Queue), &title, &content))
}

/// Why a lane is stopped.
pub(super) async fn stopped(ask: &Ask<'_>, lane: &str) -> Result<Option<StoppedLane>, Refusal> {
    let note = ask.board.ledger.note(NoteKind::Stopped, lane).await?;
    Ok(note.and_then(|note| (ask.board.options.read_stop)(&note)))
}

/// What everybody should know at once: stopped lanes, and what keeps the machine from its work.
pub(super) async fn alarms(ask: &Ask<'_>, place: &Reach) -> Result<Markup, Refusal> {
    let say = ask.say;
    let mut all = Vec::new();
    for lane in &ask.board.options.lanes {
        if place.puskesmas.as_ref().is_some_and(|own| *own != lane.name) {
            continue;
        }
        if let Some(stop) = stopped(ask, &lane.name).await? {
            all.push((lane, stop));
        }
    }
    let sentence = |lane: &super::Lane, stop: &StoppedLane| {
        let values =
            [("puskesmas", lane.name.clone()), ("waktu", lane.zone.text_at(stop.since)), ("kata", stop.words.clone())];
        let key = match stop.why {
            "configuration" => "lanes.stopped.configuration",
            "mass_refusal" => "lanes.stopped.mass_refusal",
            _ => "lanes.stopped.trouble",
        };
        say.f(key, &values)
    };
    // What is expected of the day, and stopped lanes, have places of their own.
    let elsewhere = [AlarmKind::Deadline, AlarmKind::LaneStopped, AlarmKind::MassRefusal];
    let is_shown = |alarm: &Alarm| {
        !elsewhere.contains(&alarm.kind) && place.puskesmas.as_ref().is_none_or(|own| *own == alarm.about)
    };
    let others: Vec<Alarm> = ask.board.ledger.open_alarms().await?.into_iter().filter(is_shown).collect();
    Ok(html! {
        @for alarm in &others {
            div class="pesan gagal" {
                p { strong { (say.t("dashboard.alarm")) } " " (alarm_words::sentence(alarm, say.0)) }
            }
        }
        @for (lane, stop) in &all {
            div class="pesan gagal" {
                p { strong { (say.t("dashboard.alarm")) } " " (sentence(lane, stop)) }
                @if ask.may(Page::DecideLane) && stop.try_at.is_none() {
                    p { a href="/keputusan#jalur" { (say.t("dashboard.alarm.decide")) } }
                }
            }
        }
    })
}

async fn lanes(ask: &Ask<'_>, waiting: &[Waiting], place: &Reach) -> Result<Markup, Refusal> {
    let say = ask.say;
    let mut by_lane: BTreeMap<&str, Vec<&Waiting>> = BTreeMap::new();
    for one in waiting {
        by_lane.entry(&one.lane).or_default().push(one);
    }
    let own = ask.board.options.lanes.iter();
    let own: Vec<&super::Lane> =
        own.filter(|lane| place.puskesmas.as_ref().is_none_or(|name| *name == lane.name)).collect();
    let title = say.t("dashboard.queue.lanes");
    let count = |lane: &str, state: State| {
        let of_lane = by_lane.get(lane).into_iter().flatten();
        say.number(of_lane.filter(|one| one.state == state).map(|one| one.number).sum())
    };
    let oldest = |lane: &super::Lane| {
        let since = by_lane.get(lane.name.as_str()).into_iter().flatten().map(|one| one.since).min();
        since.map_or("–".to_owned(), |since| lane.zone.text_at(since))
    };
    let states = [State::Pending, State::InFlight, State::Blocked, State::Unknown];
    let content = html! {
        thead { tr {
            th scope="col" { (say.t("dashboard.puskesmas")) }
            @for state in states { th.n scope="col" { (say.t(&format!("report.state.{}", state.word()))) } }
            th.n scope="col" { (say.t("dashboard.queue.oldest")) }
            th.n scope="col" { (say.t("dashboard.queue.pace")) }
            th.n scope="col" { (say.t("dashboard.queue.limit")) }
        } }
        tbody {
            @for lane in own {
                tr {
                    th scope="row" { (lane.name) }
                    @for state in states { td.n { (count(&lane.name, state)) } }
                    td.n { (oldest(lane)) }
                    td.n { (ask.board.options.observed.present_pace(&lane.name).map_or("–".to_owned(), |pace| say.number(pace))) }
                    td.n { (say.number(u64::from(lane.per_minute))) }
                }
            }
        }
    };
    Ok(html! { h2 { (title) } (layout::table(&title, &content)) })
}

fn plots(ask: &Ask<'_>, samples: &[Sample]) -> Markup {
    let say = ask.say;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return html! { h2 { (say.t("dashboard.queue.plots")) } p { (say.t("dashboard.queue.no_samples")) } };
    };
    let zone = ask.board.options.zone;
    let times = (zone.text_at(first.at), zone.text_at(last.at));
    let series = |key: &str, of: fn(&Sample) -> u64| Series { name: say.t(key), values: averaged(samples, of) };
    let queue = [
        series("dashboard.queue.waiting", |sample| sample.waiting),
        series("dashboard.queue.blocked", |sample| sample.blocked),
        series("dashboard.queue.unknown", |sample| sample.unknown),
    ];
    let answers = [
        series("dashboard.queue.answers", |sample| sample.answers),
        series("dashboard.queue.troubled", |sample| sample.troubled),
    ];
    let speed = [series("dashboard.queue.median", |sample| sample.median_ms)];
    let limits = [
        series("dashboard.queue.pace", |sample| sample.pace),
        series("dashboard.queue.limit", |sample| sample.pace_configured),
    ];
    let drawn = |key: &str, all: &[Series]| {
        let title = say.t(key);
        plot::lines(&title, &told(say, &title, all), (&times.0, &times.1), all)
    };
    html! {
        h2 { (say.t("dashboard.queue.plots")) }
        (drawn("dashboard.queue.plot_queue", &queue))
        (drawn("dashboard.queue.plot_answers", &answers))
        (drawn("dashboard.queue.plot_speed", &speed))
        (drawn("dashboard.queue.plot_limits", &limits))
    }
}

/// A plot in words: each line with its last and highest value.
fn told(say: Say, title: &str, all: &[Series]) -> String {
    let one = |series: &Series| {
        let highest = series.values.iter().copied().fold(0.0, f64::max);
        let last = series.values.last().copied().unwrap_or_default();
        let values =
            [("nama", series.name.clone()), ("akhir", format!("{last:.0}")), ("tinggi", format!("{highest:.0}"))];
        say.f("dashboard.queue.told", &values)
    };
    format!("{title}. {}", all.iter().map(one).collect::<Vec<_>>().join("; "))
}

/// At most so many values as a plot has points, neighbours averaged.
fn averaged(samples: &[Sample], of: fn(&Sample) -> u64) -> Vec<f64> {
    let together = samples.len().div_ceil(POINTS_MAX).max(1);
    let average = |part: &[Sample]| part.iter().map(|sample| of(sample) as f64).sum::<f64>() / part.len() as f64;
    samples.chunks(together).map(average).collect()
}
