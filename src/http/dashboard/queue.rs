//! The queue, the limits and how the platform answers, now and over the last day; and the alarms that other pages show.
//!
//! It must not measure; `samples` does. Nobody is named.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;
use jiff::SignedDuration;
use maud::{Markup, html};

use super::access::Page;
use super::ask::Ask;
use super::plot::{self, Point, Series};
use super::samples::Sample;
use super::say::Say;
use super::{Options, Refusal, StoppedLane, layout};
use crate::ledger::account::Reach;
use crate::ledger::alarm::{Alarm, AlarmKind};
use crate::ledger::lane::NoteKind;
use crate::ledger::state::State;
use crate::ledger::watching::Waiting;
use crate::report::alarm as alarm_words;

/// Points of a plot; samples that are closer together are averaged.
const POINTS_MAX: i32 = 240;
/// Longest time between two samples that a line goes on over; after a longer one the gateway had been stopped.
const GAP_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Calls a minute that may be made now and that are configured, of all lanes together.
pub(super) fn pace(options: &Options) -> (u64, u64) {
    let configured = |lane: &super::Lane| u64::from(lane.per_minute);
    let present = |lane: &super::Lane| options.observed.present_pace(&lane.name).unwrap_or(configured(lane));
    (options.lanes.iter().map(present).sum(), options.lanes.iter().map(configured).sum())
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
    let series = |key: &str, of: fn(&Sample) -> u64| Series { name: say.t(key), runs: runs(samples, of) };
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
        plot::lines(say, &title, &told(say, &title, all), (&times.0, &times.1), all)
    };
    html! {
        h2 { (say.t("dashboard.queue.plots")) }
        @if samples.windows(2).any(is_gap) { p { (say.t("dashboard.queue.gap")) } }
        (drawn("dashboard.queue.plot_queue", &queue))
        (drawn("dashboard.queue.plot_answers", &answers))
        (drawn("dashboard.queue.plot_speed", &speed))
        (drawn("dashboard.queue.plot_limits", &limits))
    }
}

/// A plot in words: each line with its last and highest value.
fn told(say: Say, title: &str, all: &[Series]) -> String {
    let one = |series: &Series| {
        let highest = series.points().map(|point| point.value).fold(0.0, f64::max);
        let last = series.points().last().map_or(0.0, |point| point.value);
        let values = [("nama", series.name.clone()), ("akhir", say.value(last)), ("tinggi", say.value(highest))];
        say.f("dashboard.queue.told", &values)
    };
    format!("{title}. {}", all.iter().map(one).collect::<Vec<_>>().join("; "))
}

fn is_gap(two: &[Sample]) -> bool {
    matches!(two, [before, after] if after.at.duration_since(before.at) > GAP_MAX)
}

/// What is drawn as one line each: the time between two gaps, neighbours averaged where they are closer than points.
fn runs(samples: &[Sample], of: fn(&Sample) -> u64) -> Vec<Vec<Point>> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    let whole = last.at.duration_since(first.at);
    let place = |sample: &Sample| match whole.is_zero() {
        true => 1.0,
        false => sample.at.duration_since(first.at).div_duration_f64(whole),
    };
    let average = |part: &[Sample]| {
        let number = part.len() as f64;
        let value = part.iter().map(|sample| of(sample) as f64).sum::<f64>() / number;
        Point { place: part.iter().map(place).sum::<f64>() / number, value }
    };
    let step = |sample: &Sample| (place(sample) * f64::from(POINTS_MAX)) as i32;
    samples
        .chunk_by(|before, after| after.at.duration_since(before.at) <= GAP_MAX)
        .map(|run| run.chunk_by(|before, after| step(before) == step(after)).map(average).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_breaks_where_the_gateway_was_stopped_and_points_stand_at_their_time() {
        let minutes: Vec<i64> = (0..600).chain(1_140..1_440).collect();
        let samples: Vec<Sample> = minutes.iter().map(|minute| Sample::at_minute(*minute)).collect();
        let runs = runs(&samples, |sample| sample.waiting);
        assert_eq!(runs.len(), 2);
        assert!(runs.iter().map(Vec::len).sum::<usize>() <= usize::try_from(POINTS_MAX).unwrap_or(0) + 1);
        let [first, last] = [&runs[0][0], &runs[1][0]];
        assert!(first.place < 0.01 && (last.place - 1_140.0 / 1_439.0).abs() < 0.01, "{last:?}");
        // The sample of a minute tells of as many visits.
        assert!((last.value - 1_140.0).abs() < 6.0, "{last:?}");
    }
}
