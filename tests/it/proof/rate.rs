//! How often the gateway calls, counted by the server: never more than the known limit for longer than a step of the pace,
//! nearly all of a hidden one, and the token endpoint seldom.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use posyandu_gateway::simulator::journal::Arrival;
use posyandu_gateway::simulator::quota::{Quota, Violation, Window};
use serde_json::{Value, json};

use super::run::Run;
use super::simulation::{alone, pace};
use crate::office::{Books, Office, Setting, agree};

/// In which calls are counted.
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
/// Longest stretch above a limit: a step up lasts a clean minute, and a halving follows.
const STEP: SignedDuration = MINUTE;
/// Most requests for a token in a minute and in five (README, "Stops").
const TOKENS: [(SignedDuration, usize); 2] = [(MINUTE, 2), (SignedDuration::from_mins(5), 5)];
/// A hidden limit is searched for so long, then so much of it is used (percent).
const SEARCH: SignedDuration = SignedDuration::from_mins(5);
const USED_PERCENT: f64 = 95.0;
/// How long it is used then, at least.
const USED_FOR: SignedDuration = SignedDuration::from_mins(5);
/// What the configuration allows while the server allows less.
const CONFIGURED: u32 = 600;
const EXPORT: &str = "puskesmas-utara-eppgbm.csv";
/// Lines of the export's head.
const HEAD: usize = 4;
/// The day of the sample as the export writes it.
const TODAY: &str = "18/11/2026";

/// The moments of calls by client. Where the clock was set back another stretch begins: the minutes before and after are
/// not the same ones.
fn stretches<'a>(calls: impl Iterator<Item = &'a Arrival>) -> Vec<Vec<Timestamp>> {
    let mut by_client: BTreeMap<&str, Vec<Vec<Timestamp>>> = BTreeMap::new();
    for call in calls {
        let own = by_client.entry(&call.client_id).or_default();
        match own.last_mut() {
            Some(last) if last.last().is_some_and(|before| *before <= call.at) => last.push(call.at),
            _ => own.push(vec![call.at]),
        }
    }
    by_client.into_values().flatten().collect()
}

/// Most calls within a length of time.
fn most_within(calls: &[Timestamp], length: SignedDuration) -> usize {
    let mut within = VecDeque::new();
    calls.iter().map(|at| enter(&mut within, *at, length)).max().unwrap_or(0)
}

/// How many calls lie within a length of time that ends with this one.
fn enter(within: &mut VecDeque<Timestamp>, at: Timestamp, length: SignedDuration) -> usize {
    within.push_back(at);
    while within.front().is_some_and(|first| at.duration_since(*first) >= length) {
        within.pop_front();
    }
    within.len()
}

/// Longest time through which each call was one too many in its minute.
fn longest_over(calls: &[Timestamp], limit: usize) -> SignedDuration {
    let (mut within, mut since, mut longest) = (VecDeque::new(), None, SignedDuration::ZERO);
    for at in calls {
        if enter(&mut within, *at, MINUTE) > limit {
            longest = longest.max(at.duration_since(*since.get_or_insert(*at)));
        } else {
            since = None;
        }
    }
    longest
}

/// Whatever happened, nobody called more often than allowed for longer than a step, nor asked for tokens too often.
pub fn keeps_its_limits(arrivals: &[Arrival], per_minute: u32) {
    let limit = usize::try_from(per_minute).unwrap();
    for calls in stretches(arrivals.iter().filter(|call| !call.is_token && !call.client_id.is_empty())) {
        let over = longest_over(&calls, limit);
        assert!(over <= STEP, "{over} above {limit} calls a minute, {} at most", most_within(&calls, MINUTE));
    }
    for asks in stretches(arrivals.iter().filter(|call| call.is_token)) {
        for (length, most) in TOKENS {
            let asked = most_within(&asks, length);
            assert!(asked <= most, "asked for a token {asked} times within {length}: {asks:?}");
        }
    }
}

#[test]
fn the_counting_finds_what_is_too_much() {
    let call = |second: i64, is_token: bool| Arrival {
        at: Timestamp::from_second(second).unwrap(),
        client_id: "a".into(),
        is_token,
        status: 200,
    };
    let calls = |seconds: &[i64]| seconds.iter().map(|second| call(*second, false)).collect::<Vec<_>>();
    let over = |seconds: &[i64], limit| longest_over(&stretches(calls(seconds).iter())[0], limit).as_secs();
    assert_eq!(over(&[0, 30, 60, 90], 2), 0);
    assert_eq!(over(&[0, 10, 20, 30, 70, 80, 200], 2), 60, "from the third call to the last of them");
    assert_eq!(over(&(0..200).collect::<Vec<_>>(), 50), 149);
    assert_eq!(stretches(calls(&[5, 6, 1, 2]).iter()).len(), 2, "the clock was set back");
    keeps_its_limits(&[call(0, true), call(59, true), call(120, true)], 1);
    let too_many = |calls: Vec<Arrival>| std::panic::catch_unwind(move || keeps_its_limits(&calls, 50)).is_err();
    assert!(too_many(vec![call(0, true), call(1, true), call(2, true)]));
    assert!(too_many(calls(&(0..200).collect::<Vec<_>>())));
}

/// A lane with enough visits for the whole test under a hidden limit.
async fn office(limit: u32) -> Office {
    let quota = Quota { window: Window::Sliding, violation: Violation::Quota, ..Quota::per_minute(limit) };
    let delivery = "concurrency = 4\nonce_seconds = 0";
    let office = Office::open(Setting { quotas: vec![quota], delivery, ..Setting::default() }, None).await;
    alone(office.folder.path());
    pace(office.folder.path(), CONFIGURED);
    let path = office.folder.path().join(EXPORT);
    let text = std::fs::read_to_string(&path).unwrap();
    let rows: Vec<&str> = text.split_inclusive('\n').collect();
    let of_today: Vec<&&str> = rows[HEAD..].iter().filter(|row| row.contains(TODAY)).collect();
    let minutes = u32::try_from((SEARCH + USED_FOR).as_mins()).unwrap() + 2;
    // A person is looked up once, so that a visit is one call or two.
    let mut left = usize::try_from(limit * minutes).unwrap();
    let mut export = rows[..HEAD].concat();
    for day in (1..=18).rev() {
        let now = left.min(of_today.len());
        export.extend(of_today[..now].iter().map(|row| row.replace(TODAY, &format!("{day:02}/11/2026"))));
        left -= now;
    }
    assert_eq!(left, 0, "the export has too few rows for so high a limit");
    std::fs::write(path, export).unwrap();
    office
}

#[tokio::test]
async fn a_hidden_limit_is_used_and_hardly_exceeded() {
    let run = Run::of("rate", 60, 1);
    let limit = u32::try_from(run.size).unwrap();
    let figures = used_and_hardly_exceeded(limit).await;
    run.told(u64::from(limit), &figures);
}

/// Where a call weighs more: each one of twelve that is not made is eight percent.
#[tokio::test]
async fn a_low_hidden_limit_is_used_too() {
    used_and_hardly_exceeded(12).await;
}

/// Empties a lane under a hidden limit, and judges and gives the figures.
async fn used_and_hardly_exceeded(limit: u32) -> Value {
    let office = office(limit).await;
    let daemon = office.daemon().await;
    daemon.ingest(&mut |_, _| Ok(()), &|_| {}).await.unwrap();
    let lanes = daemon.lanes().unwrap();
    let begun = office.clock.now();
    while Books::read(&daemon.ledger).await.waits() > 0 {
        Box::pin(daemon.deliver(&lanes, office.clock.now(), &|_| {})).await.unwrap();
        assert!(office.clock.now().duration_since(begun) < SignedDuration::from_hours(3), "it never ends");
        office.clock.advance(Duration::from_secs(1));
    }
    agree(&office, &Books::read(&daemon.ledger).await);
    let arrivals = office.simulator.arrivals();
    keeps_its_limits(&arrivals, CONFIGURED);
    let calls: Vec<&Arrival> = arrivals.iter().filter(|call| !call.is_token).collect();
    let (from, to) = (begun + SEARCH, calls.last().unwrap().at);
    assert!(to.duration_since(from) >= USED_FOR, "the visits were gone at {to}");
    let late: Vec<&Arrival> = calls.into_iter().filter(|call| call.at >= from).collect();
    let passed = late.iter().filter(|call| call.status != 429).count();
    let used = passed as f64 * 6_000.0 / (f64::from(limit) * to.duration_since(from).as_secs_f64());
    let moments: Vec<Timestamp> = late.iter().map(|call| call.at).collect();
    let over = longest_over(&moments, usize::try_from(limit).unwrap());
    let figures = json!({
        "limit_per_minute": limit, "configured": CONFIGURED, "calls": arrivals.len(), "used_percent": used,
        "refused_after_search": late.len() - passed, "over_seconds": over.as_secs(),
        "minutes": to.duration_since(begun).as_mins(), "pace": lanes[0].remote.pace_per_minute(),
    });
    assert!(used >= USED_PERCENT, "{figures}");
    assert!(over <= STEP, "{figures}");
    figures
}
