//! A week without SATUSEHAT: every day's rows are kept, nothing is given up, and when the server is back today's visits
//! go first and no minute holds more calls than allowed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::state::State;
use serde_json::json;

use super::run::Run;
use crate::office::{AFTERNOON, Books, Office, Setting, agree};

/// Days until the server is back, the day of the sample being the last.
const DAYS: i64 = 7;
/// Between two rounds of the gateway while nobody answers.
const ROUND: Duration = Duration::from_secs(6 * 3_600);
/// Lines of the export's head, and children who come every day in the size of every run.
const HEAD: usize = 4;
const CHILDREN: u64 = 24;
/// Visits of children whom SATUSEHAT does not know, at most, in larger sizes (percent); in that of every run there are none.
const STRANGERS_MAX_PERCENT: usize = 2;
/// Longest that the last twentieth of today's visits may wait while the backlog is sent.
const WAIT_MAX: SignedDuration = SignedDuration::from_mins(30);
/// Calls a minute that the office may make.
const PER_MINUTE: u64 = 60;
const EXPORT: &str = "puskesmas-utara-eppgbm.csv";
/// The day of the sample as the export writes it.
const TODAY: &str = "18/11/2026";
/// Today's visits must be delivered when this part of all is (percent): a share of the calls may go to older ones.
const TODAY_DELIVERED_BY_PERCENT: usize = 40;
/// Catch-up takes at most so much longer than the calls at the full pace (percent, faults.md section 6).
const SLOWER_PERCENT: i64 = 110;

/// The export of the first `days` days of the week, with so many children each day.
fn export(rows: &[String], children: usize, days: i64) -> String {
    let mut text = rows[..HEAD].concat();
    for day in 0..days {
        let date = format!("{:02}/11/2026", 18 - (DAYS - 1) + day);
        let of_today: Vec<&String> = rows[HEAD..].iter().filter(|row| row.contains(TODAY)).take(children).collect();
        assert_eq!(of_today.len(), children, "the export has no more rows of one day");
        text.extend(of_today.into_iter().map(|row| row.replace(TODAY, &date)));
    }
    text
}

async fn office(clock: Clock) -> (Office, Vec<String>) {
    let delivery = "concurrency = 4\nprobe_after_seconds = [1, 30]\nonce_seconds = 0";
    let office = Office::open(Setting { clock, delivery, ..Setting::default() }, None).await;
    let file = office.folder.path().join("posyandu-gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let (kept, rest) = text.split_once("[[source]]\nname = \"tengah\"").unwrap();
    let delivery = rest.find("\n[delivery]").map(|at| &rest[at..]).unwrap();
    let slow = format!("requests_per_minute = {PER_MINUTE}");
    std::fs::write(&file, format!("{kept}{delivery}").replace("requests_per_minute = 60000", &slow)).unwrap();
    let text = std::fs::read_to_string(office.folder.path().join(EXPORT)).unwrap();
    (office, text.split_inclusive('\n').map(str::to_owned).collect())
}

/// A configuration with the address of a server at which nothing listens.
pub fn unreachable(right: &str) -> String {
    let address = right.split("http://").nth(1).unwrap().split('/').next().unwrap();
    right.replace(address, &crate::cli::town::free_address())
}

/// When each Encounter reached the server, with the day it tells of, in the order of arrival.
fn arrivals(office: &Office) -> Vec<(Timestamp, String)> {
    let mut all: Vec<(Timestamp, String)> = office
        .held()
        .iter()
        .filter(|held| held["resourceType"] == "Encounter")
        .map(|held| {
            let at = held["meta"]["lastUpdated"].as_str().unwrap().parse().unwrap();
            (at, held["period"]["start"].as_str().unwrap()[..10].to_owned())
        })
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_week_without_the_server_is_caught_up_with_today_first_and_no_burst() {
    let run = Run::of("week", CHILDREN, 1);
    let children = usize::try_from(run.size).unwrap();
    let start: Timestamp = AFTERNOON.parse().unwrap();
    let clock = Clock::manual(start - SignedDuration::from_hours(24 * (DAYS - 1)));
    let (office, rows) = office(clock).await;
    let file = office.folder.path().join("posyandu-gateway.toml");
    let right = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, unreachable(&right)).unwrap();
    let mut daemon = office.daemon().await;
    for day in 1..=DAYS {
        std::fs::write(office.folder.path().join(EXPORT), export(&rows, children, day)).unwrap();
        let end = start - SignedDuration::from_hours(24 * (DAYS - day));
        while office.clock.now() < end {
            Box::pin(daemon.once(&|_| {})).await.unwrap();
            office.clock.advance(ROUND);
        }
    }
    Box::pin(daemon.once(&|_| {})).await.unwrap();
    let books = Books::read(&daemon.ledger).await;
    let waiting = books.in_state(State::Pending);
    assert_eq!(waiting, books.lines.len(), "an outage refuses, exhausts and doubts nothing: {:?}", books.counts);
    assert!(waiting >= children * 5, "{waiting} visits wait");
    assert!(books.lines.iter().all(|line| line.attempts == 0), "an outage spends no attempt");

    std::fs::write(&file, right).unwrap();
    daemon.config = office.config();
    office.clock.advance(Duration::from_secs(3_600));
    let lanes = daemon.lanes().unwrap();
    let back = office.clock.now();
    while Books::read(&daemon.ledger).await.waits() > 0 {
        Box::pin(daemon.deliver(&lanes, office.clock.now(), &|_| {})).await.unwrap();
        assert!(office.clock.now().duration_since(back) < SignedDuration::from_hours(24), "not caught up in a day");
        office.clock.advance(Duration::from_secs(1));
    }
    let took = office.clock.now().duration_since(back);
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    let arrived = arrivals(&office);
    // In a large export SATUSEHAT does not know some children, or as somebody else: their visits wait for a person.
    let is_strange = |on: &String| on.starts_with("patient");
    let strangers = books.lines.iter().filter(|line| line.blocked_on.as_ref().is_some_and(is_strange)).count();
    assert_eq!(arrived.len() + strangers, waiting, "{:?}", books.counts);
    // Each of them came on every day.
    let days = usize::try_from(DAYS).unwrap();
    let most = if run.size <= CHILDREN { 0 } else { waiting * STRANGERS_MAX_PERCENT / 100 };
    assert!(strangers <= most && strangers.is_multiple_of(days), "{strangers} visits of strangers");
    let last_of_today = arrived.iter().rposition(|(_, day)| day == "2026-11-18").unwrap() + 1;
    assert!(
        last_of_today * 100 <= arrived.len() * TODAY_DELIVERED_BY_PERCENT,
        "today's last visit came {last_of_today}th of {}",
        arrived.len()
    );
    let of_today: Vec<SignedDuration> =
        arrived.iter().filter(|(_, day)| day == "2026-11-18").map(|(at, _)| at.duration_since(back)).collect();
    let waited = of_today[(of_today.len() - 1) * 95 / 100];
    assert!(waited <= WAIT_MAX, "today's visits waited {waited}");
    let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
    for (at, _) in &arrived {
        *minutes.entry(at.as_second() / 60).or_default() += 1;
    }
    assert!(minutes.values().all(|calls| *calls <= PER_MINUTE), "{minutes:?}");
    let calls: u64 = lanes.iter().map(|lane| lane.remote.calls()).map(|calls| calls.transaction + calls.search).sum();
    let at_full_pace = i64::try_from(calls * 60 / PER_MINUTE).unwrap();
    // A minute more: the last visits may wait for their first look.
    let allowed = at_full_pace * SLOWER_PERCENT / 100 + 60;
    assert!(took.as_secs() <= allowed, "{took} for {calls} calls, {allowed} s were allowed");
    let figures = json!({
        "visits": arrived.len(), "strangers": strangers, "virtual_days": DAYS, "calls": calls, "catch_up_seconds": took.as_secs(),
        "at_full_pace_seconds": at_full_pace, "last_of_today": last_of_today, "of_today": of_today.len(),
        "today_p95_seconds": waited.as_secs(),
    });
    run.told(arrived.len() as u64, &figures);
}
