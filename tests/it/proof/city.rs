//! A city after a week without SATUSEHAT, through the whole gateway: what is handed in while the backlog is sent is read
//! at once, goes first, and nothing is lost or sent twice.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use posyandu_gateway::clock::Clock;
use posyandu_gateway::config::Config;
use posyandu_gateway::daemon::deliver::Done;
use posyandu_gateway::daemon::{Daemon, DaemonError};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use serde_json::{Value, json};

use super::rate::keeps_its_limits;
use super::run::Run;
use super::week::unreachable;
use crate::month::city::{City, DAYS, Life, Size, waits};

/// Posyandu of a city, and its visits a day from which on it is one.
const POSYANDU: usize = 395;
const VISITS_OF_A_CITY: u64 = 1_000;
/// The same in the size of every run.
const POSYANDU_FEW: usize = 50;
const VISITS_FEW: u64 = 24;
/// On this day the server is back, after so many days away.
const TODAY: Date = date(2026, 11, 26);
const DAYS_AWAY: i64 = 7;
/// 15:00 WIB of the first day, and 13:00 WIB of the last: every posyandu has closed, the kader begin to type.
const FIRST_AFTERNOON: &str = "2026-11-19T08:00:00Z";
const BACK_AT: &str = "2026-11-26T06:00:00Z";
/// Calls a minute of each puskesmas.
const PER_MINUTE: u32 = 12;
/// Today's rows are handed in in so many parts, one after the other: over four hours in a city.
const PARTS: usize = 16;
const PART_OF_A_CITY: Duration = Duration::from_secs(15 * 60);
/// The same in the size of every run, whose backlog is shorter.
const PART_FEW: Duration = Duration::from_secs(20);
/// Pause, of the machine, between two looks at the clock.
const LOOK: Duration = Duration::from_millis(1);
/// Everything must be sent by then.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(24 * 3_600);
/// Between two readings.
const READING: Duration = Duration::from_secs(60);
/// Longest that the last twentieth of today's visits may wait while the backlog is sent.
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(30);
/// The same where the whole backlog takes little longer.
const WAIT_FEW_MAX: SignedDuration = SignedDuration::from_mins(5);
/// Catch-up takes at most so much longer than the calls at the full pace (percent, faults.md section 6).
const SLOWER_PERCENT: i64 = 110;
/// The column of the day and that of the child's number.
const DAY: usize = 2;
const NIK: usize = 3;

/// The rows of one puskesmas.
struct Rows {
    head: String,
    earlier: Vec<(Date, String)>,
    today: Vec<String>,
}

fn rows(city: &City, size: Size) -> Vec<Rows> {
    let read = |number: usize| {
        let text = std::fs::read_to_string(city.folder.path().join(format!("puskesmas-{number}.csv"))).unwrap();
        let mut lines = text.split_inclusive("\r\n").map(str::to_owned);
        let head = lines.next().unwrap();
        let dated = lines.map(|line| {
            let day = line.split(',').nth(DAY).unwrap();
            (Date::strptime("%d-%m-%Y", day).unwrap(), line)
        });
        let first = TODAY.checked_sub(DAYS_AWAY.days()).unwrap();
        let week: Vec<(Date, String)> = dated.filter(|(day, _)| *day >= first).collect();
        let (earlier, today): (Vec<_>, Vec<_>) = week.into_iter().partition(|(day, _)| *day < TODAY);
        Rows { head, earlier, today: today.into_iter().map(|(_, line)| line).collect() }
    };
    (0..size.puskesmas()).map(read).collect()
}

/// The rows of such a part of today.
fn part(today: &[String], parts: Range<usize>) -> &[String] {
    &today[today.len() * parts.start / PARTS..today.len() * parts.end / PARTS]
}

/// Writes the files as they are on a day, with so many parts of today.
fn hand_in(folder: &std::path::Path, rows: &[Rows], day: Date, parts: usize) {
    for (number, rows) in rows.iter().enumerate() {
        let earlier = rows.earlier.iter().filter(|(of, _)| *of <= day).map(|(_, line)| line);
        let lines: String = earlier.chain(part(&rows.today, 0..parts)).map(String::as_str).collect();
        std::fs::write(folder.join(format!("puskesmas-{number}.csv")), rows.head.clone() + &lines).unwrap();
    }
}

/// A week of which every day's rows are read and nothing is sent.
async fn away(city: &City, daemon: &Daemon, rows: &[Rows]) {
    for day in 0..DAYS_AWAY {
        let today = TODAY.checked_sub((DAYS_AWAY - day).days()).unwrap();
        hand_in(city.folder.path(), rows, today, 0);
        Box::pin(daemon.once(&|_| {})).await.unwrap();
        let next = city.clock.now() + SignedDuration::from_hours(24);
        let until = next.min(BACK_AT.parse().unwrap());
        city.clock.advance(until.duration_since(city.clock.now()).unsigned_abs());
    }
}

/// Reads and sends as `run` does, until everything was handed in and nothing waits.
async fn work(daemon: &Daemon, is_all_handed_in: impl Fn() -> bool) {
    let (lanes, timer) = (daemon.lanes().unwrap(), daemon.clock.timer());
    loop {
        let was_all = is_all_handed_in();
        daemon.read(&|_| {}).await.unwrap().expect("nobody stops it");
        let sending = daemon.send(&lanes, Done::BeginsAgain, &|_| {});
        Box::pin(daemon.reading_on(READING, &lanes, async |_, _| Ok::<(), DaemonError>(()), sending)).await.unwrap();
        if was_all && waits(daemon).await == 0 {
            return;
        }
        assert!(timer.elapsed() < CAUGHT_UP_WITHIN, "not caught up in a day");
        daemon.clock.sleep(READING).await;
    }
}

/// When the visit of each child arrived, by its number, in the order of arrival.
fn arrivals(city: &City) -> Vec<(Timestamp, String)> {
    let numbers = city.numbers();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all: Vec<_> = city
        .held()
        .iter()
        .filter(|held| held["resourceType"] == "Encounter")
        .map(|held| {
            let at: Timestamp = held["meta"]["lastUpdated"].as_str().unwrap().parse().unwrap();
            (at, numbers[&text(&held["subject"]["reference"])].clone())
        })
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_is_caught_up_with_and_today_does_not_wait() {
    let run = Run::of("city", VISITS_FEW, 1);
    let is_city = run.size >= VISITS_OF_A_CITY;
    let (posyandu, pause, most) = match is_city {
        true => (POSYANDU, PART_OF_A_CITY, WAIT_MAX),
        false => (POSYANDU_FEW, PART_FEW, WAIT_FEW_MAX),
    };
    let size = Size { posyandu, visits: usize::try_from(run.size).unwrap() * DAYS, each: 0 };
    let life = Life { now: FIRST_AFTERNOON, per_minute: PER_MINUTE, faults: Vec::new() };
    let city = City::open(size, life).await;
    let rows = rows(&city, size);
    let file = city.folder.path().join("posyandu-gateway.toml");
    let right = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, unreachable(&right)).unwrap();
    let mut daemon = city.daemon().await;
    away(&city, &daemon, &rows).await;
    let backlog: usize = rows.iter().map(|rows| rows.earlier.len()).sum();
    assert_eq!(waits(&daemon).await, backlog as u64, "an outage refuses, exhausts and doubts nothing");

    std::fs::write(&file, right).unwrap();
    daemon.config = Config::load(&file, std::iter::empty()).unwrap();
    let back = city.clock.now();
    let today: usize = rows.iter().map(|rows| rows.today.len()).sum();
    let (clock, folder) = (city.clock.clone(), city.folder.path().to_owned());
    let kader = tokio::spawn(async move { through_the_day(&clock, &folder, &rows, pause).await });
    work(&daemon, || kader.is_finished()).await;
    let handed_in = kader.await.unwrap();

    let counts = daemon.ledger.counts(&Filter::default()).await.unwrap();
    assert_eq!(counts.of(State::Delivered), (backlog + today) as u64, "{counts:?}");
    assert_eq!(city.simulator.stats().duplicates_live, 0);
    let arrived = arrivals(&city);
    assert_eq!(arrived.len(), backlog + today);
    let mut waited: Vec<SignedDuration> =
        arrived.iter().filter_map(|(at, nik)| Some(at.duration_since(*handed_in.get(nik)?))).collect();
    assert_eq!(waited.len(), today);
    waited.sort();
    let of = |percent: usize| waited[(waited.len() - 1) * percent / 100];
    let last_of_backlog = arrived.iter().rposition(|(_, nik)| !handed_in.contains_key(nik)).unwrap();
    let beside = arrived[..last_of_backlog].iter().filter(|(_, nik)| handed_in.contains_key(nik)).count();
    let calls = city.simulator.arrivals();
    keeps_its_limits(&calls, PER_MINUTE);
    let mut by_client: HashMap<&str, i64> = HashMap::new();
    for call in calls.iter().filter(|call| !call.is_token) {
        *by_client.entry(&call.client_id).or_default() += 1;
    }
    let busiest = *by_client.values().max().unwrap();
    let at_full_pace = busiest * 60 / i64::from(PER_MINUTE);
    let took = arrived[last_of_backlog].0.duration_since(back);
    let figures = json!({
        "posyandu": posyandu, "backlog": backlog, "of_today": today, "today_beside_the_backlog": beside, "calls": calls.len(),
        "per_minute_of_each_puskesmas": PER_MINUTE, "catch_up_seconds": took.as_secs(), "at_full_pace_seconds": at_full_pace,
        "today_p50_seconds": of(50).as_secs(), "today_p95_seconds": of(95).as_secs(), "today_longest_seconds": of(100).as_secs(),
    });
    assert!(of(95) <= most, "{figures}");
    assert!(beside * 2 > today, "most of today came while the backlog was sent: {figures}");
    assert!(took.as_secs() <= at_full_pace * SLOWER_PERCENT / 100 + 60, "{figures}");
    run.told(arrived.len() as u64, &figures);
}

/// Hands today's rows in part by part, each when its time has come, and lets no time pass itself; gives when each child's
/// was.
async fn through_the_day(
    clock: &Clock,
    folder: &std::path::Path,
    rows: &[Rows],
    pause: Duration,
) -> HashMap<String, Timestamp> {
    let (timer, mut handed_in) = (clock.timer(), HashMap::new());
    for number in 0..PARTS {
        while timer.elapsed() < pause * u32::try_from(number).unwrap() {
            tokio::time::sleep(LOOK).await;
        }
        hand_in(folder, rows, TODAY, number + 1);
        for line in rows.iter().flat_map(|rows| part(&rows.today, number..number + 1)) {
            handed_in.insert(line.split(',').nth(NIK).unwrap().to_owned(), clock.now());
        }
    }
    handed_in
}
