//! A lane that the city can leave alone: it stops for what no record is to blame for, tries again by one call, learns a
//! changed secret, and keeps all of it across restarts.
#![allow(clippy::print_stdout, reason = "the figures are the point")]

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use posyandu_gateway::cli::reconcile;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::daemon::{Daemon, Round};
use posyandu_gateway::delivery::Stop;
use posyandu_gateway::delivery::keeping::stopped;
use posyandu_gateway::ledger::alarm::AlarmKind;
use posyandu_gateway::ledger::lane::NoteKind;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::remote::breaker::Why;
use posyandu_gateway::report::forecast::Alarm;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};

use super::ledger::{DAY, Desk, on_both_stores};
use super::office::{Books, Office, Setting, agree};

/// Rows of each source.
const ROWS: usize = 6;

fn always(kind: FaultKind, applies_to: AppliesTo) -> Fault {
    Fault { probability: Some(1.0), ..Fault::at_calls(kind, applies_to, &[]) }
}

fn struck(office: &Office) -> u64 {
    office.simulator.stats().faults.values().sum()
}

fn stops(round: &Round) -> Vec<&Stop> {
    round.lanes.iter().filter_map(|lane| lane.stop.as_ref()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_spends_no_attempt_and_is_tried_by_one_call_in_half_a_minute() {
    let fault = Fault { at_most: Some(2_000), ..always(FaultKind::Unavailable, AppliesTo::Any) };
    let office = Office::open(Setting { faults: vec![fault], ..Setting::default() }, None).await;
    office.shorten(ROWS).await;
    let daemon = office.daemon().await;
    daemon.once(&|_| {}).await.unwrap();
    let lanes = daemon.config.puskesmas.len() as u64;
    let before = struck(&office);
    const MINUTES: u64 = 10;
    for _ in 0..MINUTES * 6 {
        office.clock.advance(Duration::from_secs(10));
        let round = daemon.once(&|_| {}).await.unwrap();
        assert!(stops(&round).iter().all(|stop| matches!(stop, Stop::Trouble(_))), "{:?}", stops(&round));
    }
    let made = struck(&office) - before;
    let most = lanes * MINUTES * 60 / 30;
    println!("{made} calls of {lanes} lanes in {MINUTES} minutes of outage, at most {most}");
    assert!(made > 0 && made <= most, "{made} calls, {most} at most");
    let books = Books::read(&daemon.ledger).await;
    assert!(books.lines.iter().all(|line| line.attempts == 0), "an outage spends no attempt");
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_stops_the_lane_at_once_and_a_new_one_goes_on_without_a_restart() {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(ROWS).await;
    let daemon = office.daemon().await;
    let first = &daemon.config.puskesmas[0];
    let file = daemon.config.path(&first.client_secret_file);
    let good = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, "rotated away").unwrap();
    let round = daemon.once(&|_| {}).await.unwrap();
    assert!(matches!(stops(&round)[..], [Stop::Configuration(_)]), "{:?}", stops(&round));
    let kept = stopped(&daemon.ledger, &first.name).await.unwrap().unwrap();
    assert_eq!(kept.why, Why::Configuration);
    assert_eq!(Books::read(&daemon.ledger).await.in_state(State::Refused), 0, "no record is to blame");
    // A restart in between changes nothing, and asks for no token within the minute.
    let tokens = office.simulator.stats().token_calls;
    daemon.once(&|_| {}).await.unwrap();
    assert_eq!(office.simulator.stats().token_calls, tokens);
    std::fs::write(&file, good).unwrap();
    office.clock.advance(Duration::from_secs(15 * 60));
    office.settle(&daemon, Books::read(&daemon.ledger).await.in_state(State::Blocked)).await;
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0, "0 failed records");
    assert!(stopped(&daemon.ledger, &first.name).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_restarts_in_a_minute_ask_for_a_token_twice_at_most() {
    for fault in [always(FaultKind::Unavailable, AppliesTo::Token), always(FaultKind::DroppedAnswer, AppliesTo::Token)]
    {
        let office = Office::open(Setting { faults: vec![fault], ..Setting::default() }, None).await;
        office.shorten(ROWS).await;
        let lanes = office.config().puskesmas.len() as u64;
        for _ in 0..20 {
            let daemon = office.daemon().await;
            daemon.once(&|_| {}).await.unwrap();
            Arc::into_inner(daemon.ledger).unwrap().close().await.unwrap();
            office.clock.advance(Duration::from_secs(3));
        }
        let asked: u64 = office.simulator.stats().faults.values().sum();
        println!("{asked} requests for a token of {lanes} clients in 20 restarts within a minute");
        // Those without a visit to send ask for none.
        assert!(asked > 0 && asked <= 2 * lanes, "{asked} requests of {lanes} clients");
    }
}

/// `reconcile` is a process of its own, on lanes that know nothing yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_back_goes_on_with_the_token_and_the_pace_of_the_run() {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(ROWS).await;
    let daemon = office.daemon().await;
    daemon.once(&|_| {}).await.unwrap();
    for puskesmas in &daemon.config.puskesmas {
        let learnt = Some(r#"{"ceiling":50.0}"#.to_owned());
        daemon.ledger.put_note(NoteKind::Pace, &puskesmas.client_id, learnt).await.unwrap();
    }
    let tokens = || office.simulator.arrivals().iter().filter(|call| call.is_token).count();
    let asked = tokens();
    assert!(asked > 0);
    for _ in 0..3 {
        office.clock.advance(Duration::from_secs(1));
        let read = reconcile::read_back(&daemon, None).await.unwrap();
        assert!(read.equal > 0 && read.failed + read.missing + read.different == 0, "{read:?}");
    }
    assert_eq!(tokens(), asked, "the tokens of the run still hold");
    let lanes = daemon.lanes().unwrap();
    daemon.reconciliation(&lanes).await;
    let paces: Vec<f64> = lanes.iter().map(|lane| lane.remote.pace_per_minute()).collect();
    assert!(paces.iter().all(|pace| *pace < 100.0), "60,000 are configured, not {paces:?}");
}

/// The process dies each time the first of three visits is prepared.
#[tokio::test]
async fn what_kills_the_process_three_times_is_set_aside_and_the_others_go_on() {
    let mut desk = Desk::new().await;
    desk.visits(3, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 3).await.unwrap();
    let poison = claimed[0].entry.entry_id;
    desk = desk.after_crash().await;
    let mut deaths = 1;
    while desk.state(poison).await != State::Exhausted {
        for claimed in desk.ledger.claim("Puskesmas A", 3).await.unwrap() {
            assert!(claimed.is_suspect);
            if claimed.entry.entry_id == poison {
                desk = desk.after_crash().await;
                deaths += 1;
                break;
            }
            desk.ledger.clear_strike(claimed.entry.entry_id).await.unwrap();
            desk.deliver(&claimed).await.unwrap();
        }
        assert!(deaths <= 3, "still tried after {deaths} deaths");
    }
    assert_eq!(deaths, 3);
    for _ in 0..2 {
        for claimed in desk.ledger.claim("Puskesmas A", 3).await.unwrap() {
            desk.deliver(&claimed).await.unwrap();
        }
    }
    for other in &claimed[1..] {
        assert_eq!(desk.state(other.entry.entry_id).await, State::Delivered);
    }
}

#[tokio::test]
async fn a_suspect_is_claimed_alone_and_the_others_right_after() {
    let mut desk = Desk::new().await;
    desk.visits(4, DAY).await;
    let suspect = desk.ledger.claim("Puskesmas A", 1).await.unwrap().remove(0).entry.entry_id;
    desk = desk.after_crash().await;
    let alone = desk.ledger.claim("Puskesmas A", 4).await.unwrap();
    assert_eq!(alone.iter().map(|one| (one.entry.entry_id, one.is_suspect)).collect::<Vec<_>>(), [(suspect, true)]);
    let others = desk.ledger.claim("Puskesmas A", 4).await.unwrap();
    assert!(others.len() == 3 && !others.iter().any(|one| one.is_suspect));
}

#[tokio::test]
async fn a_suspect_that_died_of_something_else_is_cleared_by_getting_through() {
    let mut desk = Desk::new().await;
    desk.visits(1, DAY).await;
    for _ in 0..6 {
        let claimed = desk.ledger.claim("Puskesmas A", 1).await.unwrap().remove(0);
        if claimed.is_suspect {
            desk.ledger.clear_strike(claimed.entry.entry_id).await.unwrap();
        }
        // A kill while it waits for the network is not its fault.
        desk = desk.after_crash().await;
        assert_eq!(desk.state(claimed.entry.entry_id).await, State::Pending);
    }
}

#[tokio::test]
async fn a_release_tries_again_what_the_mass_refusal_refused_and_counts_once() {
    let desk = Desk::new().await;
    desk.visits(5, DAY).await;
    let refuse = async |number: u32| {
        for claimed in desk.ledger.claim("Puskesmas A", number).await.unwrap() {
            desk.ledger.release(claimed.entry.entry_id, &claimed.lease, Event::RefusedContent).await.unwrap();
        }
    };
    refuse(2).await;
    desk.clock.advance(Duration::from_secs(60));
    let since = desk.now();
    refuse(3).await;
    let released = desk.ledger.release_lane("Puskesmas A", Some(since), "one", "mapping mended").await.unwrap();
    assert_eq!(released, 3, "those refused before were refused for reasons of their own");
    assert_eq!(desk.ledger.release_lane("Puskesmas A", Some(since), "one", "again").await.unwrap(), 3);
    assert!(desk.ledger.release_lane("Puskesmas B", None, "one", "other").await.is_err(), "used for another lane");
    assert_eq!(desk.ledger.claim("Puskesmas A", 9).await.unwrap().len(), 3);
}

on_both_stores!(what_is_trusted_is_told_once_for_each_change);
async fn what_is_trusted_is_told_once_for_each_change(desk: Desk) {
    let told = async |digest: Option<&str>| {
        desk.ledger.tell_trust(digest.map(str::to_owned)).await.unwrap();
        desk.ledger.tell_trust(digest.map(str::to_owned)).await.unwrap();
        let lines = desk.ledger.audit_trail(None, 9).await.unwrap();
        lines.into_iter().map(|line| format!("{} {}", line.action, line.subject)).collect::<Vec<_>>()
    };
    assert!(told(None).await.is_empty());
    assert_eq!(told(Some("aa")).await, ["trust_extra_ca sha256 aa"]);
    assert_eq!(told(Some("bb")).await[..1], ["trust_extra_ca sha256 bb"]);
    assert_eq!(told(None).await[..1], ["distrust_extra_ca sha256 bb"]);
    assert_eq!(told(None).await.len(), 3);
}

/// On the real clock: one visit is on the wire of a server that is slow to answer when the gateway is told to stop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_within_25_seconds_and_loses_nothing() {
    let slow = Fault { delay_ms: Some(60_000), ..always(FaultKind::Delay, AppliesTo::Write) };
    let clock = Clock::started_at("2026-11-18T08:30:00Z".parse().unwrap());
    let delivery = "concurrency = 2\nrequest_timeout_seconds = 50\nlease_seconds = 180\nonce_seconds = 600";
    let office = Office::open(Setting { faults: vec![slow], clock, delivery, ..Setting::default() }, None).await;
    office.shorten(ROWS).await;
    let daemon = office.daemon().await;
    let halt = Arc::clone(&daemon.halt);
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        halt.store(true, Ordering::Relaxed);
    });
    let begun = std::time::Instant::now();
    daemon.once(&|_| {}).await.unwrap();
    let took = begun.elapsed();
    println!("ended {:.1} s after the stop", took.as_secs_f64() - 4.0);
    assert!(took < Duration::from_secs(4 + 25), "{took:?}");
    let books = Books::read(&daemon.ledger).await;
    assert_eq!(books.in_state(State::InFlight), 0, "nothing is left in the air");
    assert!(books.in_state(State::Unknown) > 0, "what was on the wire is looked up later");
    assert_eq!(books.in_state(State::Refused), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_come_two_hours_and_half_an_hour_before_the_day_ends_in_each_zone_once() {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(ROWS).await;
    let daemon = office.daemon().await;
    daemon.ingest(&mut |_, _| Ok(()), &|_| {}).await.unwrap();
    assert!(deadlines(&daemon).await.is_empty(), "half past three");
    let zones: std::collections::BTreeMap<&str, u64> = {
        let hours = |name: &str| daemon.config.puskesmas.iter().find(|one| one.name == name).unwrap().timezone;
        let days = daemon.ledger.running_days().await.unwrap();
        days.iter().fold(Default::default(), |mut zones, day| {
            assert_eq!(day.zone, hours(&day.lane));
            *zones.entry(day.zone.name()).or_insert(0) += day.waiting;
            zones
        })
    };
    println!("waiting by zone: {zones:?}");
    let mut given = Vec::new();
    // From 15:30 to 24:00 WIB in steps of five minutes.
    for _ in 0..102 {
        office.clock.advance(Duration::from_secs(5 * 60));
        given.extend(deadlines(&daemon).await);
    }
    for alarm in [Alarm::TwoHours, Alarm::HalfHour] {
        let lanes = given.iter().filter(|level| *level == alarm.word()).count();
        assert_eq!(lanes, zones.len(), "{alarm:?}: {given:?}");
    }
}

/// Levels of the alarms about the deadline that began just now.
async fn deadlines(daemon: &Daemon) -> Vec<String> {
    let (raised, _) = daemon.give_alarms(&[]).await.unwrap();
    raised.into_iter().filter(|alarm| alarm.kind == AlarmKind::Deadline).map(|alarm| alarm.level).collect()
}
