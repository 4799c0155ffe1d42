//! Ceilings of others that the gateway meets: a Bundle too long for the server, a day's calls used up.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::date;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::simulator::quota::{DAY_SECONDS, Quota, Violation, Window};

use crate::office::{Books, Office, Setting, agree, sound};

/// Fewer entries than most visits of the sample have.
const ENTRIES_MAX: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn visits_too_long_for_one_bundle_are_halved_until_all_are_delivered() {
    let office = Office::open(Setting { bundle_entries_max: Some(ENTRIES_MAX), ..Setting::default() }, None).await;
    office.shorten(10).await;
    let daemon = office.daemon().await;
    let free = Office::open(Setting::default(), None).await;
    free.shorten(10).await;
    let usual = free.daemon().await;
    usual.once(&|_| {}).await.unwrap();
    let expected = Books::read(&usual.ledger).await;
    assert!(expected.delivered.iter().any(|entry| entry.resources.len() > 2 * ENTRIES_MAX), "no visit is long enough");
    office.settle(&daemon, expected.in_state(State::Blocked)).await;
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    assert_eq!(books.counts, expected.counts, "all are delivered all the same");
}

/// Midnight in western Indonesia, in seconds of the day in UTC.
const MIDNIGHT_WIB: u64 = 17 * 3_600;
/// Calls that each puskesmas has in a day; the visits of the sample need several times as many.
const CALLS_A_DAY: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_days_calls_that_are_used_up_name_who_is_late_and_the_next_day_goes_on() {
    let quota = Quota {
        seconds: DAY_SECONDS,
        window: Window::Fixed,
        starts_at_second: MIDNIGHT_WIB,
        violation: Violation::Quota,
        ..Quota::per_minute(CALLS_A_DAY)
    };
    let office = Office::open(Setting { quotas: vec![quota], ..Setting::default() }, None).await;
    office.shorten(24).await;
    let daemon = office.daemon().await;
    let midnight: Timestamp = "2026-11-18T17:00:00Z".parse().unwrap();
    while office.clock.now() < midnight {
        daemon.once(&|_| {}).await.unwrap();
        office.clock.advance(Duration::from_secs(3_600));
    }
    let books = Books::read(&daemon.ledger).await;
    assert!(!books.delivered.is_empty() && books.waits() > 0, "{:?}", books.counts);
    assert_eq!(books.counts.read, books.counts.sum());
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0, "{:?}", books.counts);
    assert!(books.lines.iter().all(|line| line.attempts == 0), "push-back spends no attempt");
    let zone = daemon.config.puskesmas[0].timezone;
    let filter = Filter::on(date(2026, 11, 18));
    let (late, _) = daemon.ledger.late(&filter, office.clock.now(), 1_000).await.unwrap();
    let waiting = |line: &&posyandu_gateway::ledger::entry::EntryLine| {
        !line.state.is_final() && line.service_date == date(2026, 11, 18) && line.day_ends_at <= office.clock.now()
    };
    assert_eq!(late, books.lines.iter().filter(waiting).count() as u64, "each late visit is named, in {}", zone.name());
    let before = books.delivered.len();
    for _ in 0..3 {
        office.clock.advance(Duration::from_secs(3_600));
        daemon.once(&|_| {}).await.unwrap();
    }
    let books = Books::read(&daemon.ledger).await;
    sound(&office, &books);
    assert!(books.delivered.len() > before, "the next day's calls are used");
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0, "{:?}", books.counts);
}
