//! Several daemons on one PostgreSQL: they share the work without getting in each other's way, and none of them is
//! needed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::ledger::attempt::AttemptEnd;
use posyandu_gateway::ledger::entry::{Claimed, EntryId};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::server::{LEASE_MAX, Server, Time};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::{Ledger, LedgerError};
use posyandu_gateway::seal::Keys;

use super::{DAY, Desk, accepted, entry, row, server, server_at, sha};
use crate::servers;

const LANE: &str = "Puskesmas A";

/// Sends a claimed entry and gets the answer that it was accepted.
async fn deliver(ledger: &Ledger, claimed: &Claimed) -> Result<State, LedgerError> {
    let attempt = ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("request")).await?;
    let end = AttemptEnd { status: Some(200), accepted: accepted(claimed), ..AttemptEnd::default() };
    ledger.end_attempt(attempt, &claimed.lease, Event::Accepted, end).await
}

/// Claims and delivers until nothing is left; gives what it delivered.
async fn drain(ledger: Arc<Ledger>, at_once: u32) -> Vec<EntryId> {
    let mut delivered = Vec::new();
    loop {
        let claimed = ledger.claim(LANE, at_once).await.unwrap();
        if claimed.is_empty() {
            return delivered;
        }
        let sends = claimed.into_iter().map(|claimed| {
            let ledger = Arc::clone(&ledger);
            tokio::spawn(async move {
                assert_eq!(deliver(&ledger, &claimed).await.unwrap(), State::Delivered);
                claimed.entry.entry_id
            })
        });
        for send in sends.collect::<Vec<_>>() {
            delivered.push(send.await.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_claim_disjoint_work_under_load() {
    let desk = Desk::on_server().await;
    desk.visits(300, DAY).await;
    let mut running = Vec::new();
    for at_once in [7, 20, 11] {
        running.push(tokio::spawn(drain(Arc::new(desk.beside().await), at_once)));
    }
    let mut all = Vec::new();
    for one in running {
        all.extend(one.await.unwrap());
    }
    let different: BTreeSet<EntryId> = all.iter().copied().collect();
    assert_eq!((all.len(), different.len()), (300, 300), "each once, none twice");
    assert_eq!(desk.ledger.counts(&Filter::default()).await.unwrap().of(State::Delivered), 300);
}

#[tokio::test]
async fn a_daemon_that_stops_prolonging_is_taken_over_and_its_late_ending_is_refused() {
    let desk = Desk::on_server().await;
    desk.visits(3, DAY).await;
    let (silent, other) = (desk.beside().await, desk.beside().await);
    let claimed = silent.claim(LANE, 2).await.unwrap();
    let begun = silent.begin_attempt(claimed[0].entry.entry_id, &claimed[0].lease, sha("r")).await.unwrap();
    let alive = desk.ledger.claim(LANE, 1).await.unwrap().remove(0);
    let third = LEASE_MAX / 3;
    for _ in 0..3 {
        desk.clock.advance(third);
        desk.ledger.prolong().await.unwrap();
    }
    assert!(LEASE_MAX < Duration::from_secs(60), "taken over within a minute");
    let taken = other.claim(LANE, 5).await.unwrap();
    let taken: Vec<EntryId> = taken.iter().map(|claimed| claimed.entry.entry_id).collect();
    assert_eq!(taken, [claimed[1].entry.entry_id], "the begun one is in doubt, the living daemon's one is left alone");
    assert_eq!(desk.state(claimed[0].entry.entry_id).await, State::Unknown);
    let end = AttemptEnd { accepted: accepted(&claimed[0]), ..AttemptEnd::default() };
    let late = silent.end_attempt(begun, &claimed[0].lease, Event::Accepted, end).await;
    assert!(matches!(late, Err(LedgerError::LostLease(_))), "{late:?}");
    let late = silent.begin_attempt(claimed[1].entry.entry_id, &claimed[1].lease, sha("r")).await;
    assert!(matches!(late, Err(LedgerError::LostLease(_))), "{late:?}");
    assert_eq!(deliver(&desk.ledger, &alive).await.unwrap(), State::Delivered);
}

#[tokio::test]
async fn opening_leaves_the_leases_of_others_alone() {
    let desk = Desk::on_server().await;
    desk.visits(2, DAY).await;
    let held = desk.claim_one().await;
    let begun = desk.ledger.begin_attempt(held.entry.entry_id, &held.lease, sha("r")).await.unwrap();
    let beside = desk.beside().await;
    assert_eq!(desk.state(held.entry.entry_id).await, State::InFlight);
    let end = AttemptEnd { accepted: accepted(&held), ..AttemptEnd::default() };
    let ended = desk.ledger.end_attempt(begun, &held.lease, Event::Accepted, end).await;
    assert_eq!(ended.unwrap(), State::Delivered);
    beside.close().await.unwrap();
}

#[tokio::test]
async fn what_a_look_up_found_is_not_believed_of_an_entry_that_was_sent_again() {
    let desk = Desk::on_server().await;
    desk.visits(1, DAY).await;
    let other = desk.beside().await;
    let lose = async |ledger: &Ledger| {
        let claimed = ledger.claim(LANE, 1).await.unwrap().remove(0);
        let attempt = ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
        let lost = Event::NoAnswer { due: desk.now() };
        ledger.end_attempt(attempt, &claimed.lease, lost, AttemptEnd::default()).await.unwrap();
    };
    lose(&desk.ledger).await;
    let seen = desk.ledger.unknown_due(5).await.unwrap().remove(0);
    desk.clock.advance(Duration::from_secs(1));
    let not_found = Event::NotFound { due: desk.now() };
    let same = other.unknown_due(5).await.unwrap().remove(0);
    assert_eq!(other.resolve_as_seen(&same, not_found.clone(), vec![]).await.unwrap(), State::Pending);
    lose(&other).await;
    let late = desk.ledger.resolve_as_seen(&seen, not_found, vec![]).await;
    assert!(matches!(late, Err(LedgerError::LostLease(_))), "{late:?}");
    assert_eq!(desk.state(seen.entry_id).await, State::Unknown);
}

#[tokio::test]
async fn a_file_is_read_by_one_daemon_at_a_time() {
    let desk = Desk::on_server().await;
    let other = desk.beside().await;
    let rows = || vec![row("a", "1", "x", DAY), row("a", "1", "y", DAY), row("a", "2", "x", DAY)];
    let first = desk.ledger.begin_pass("a", "a.csv").await.unwrap();
    assert!(other.begin_pass("a", "b.csv").await.is_ok(), "another file is free");
    desk.ledger.see_rows(first, rows()[..1].to_vec()).await.unwrap();
    // It waits on the clock, which it moves: when the silent one's time is over it takes the file.
    let second = other.begin_pass("a", "a.csv").await.unwrap();
    other.see_rows(second, rows()).await.unwrap();
    let late = desk.ledger.see_rows(first, rows()[1..].to_vec()).await;
    assert!(matches!(late, Err(LedgerError::NoSuchPass)), "{late:?}");
    assert!(matches!(desk.ledger.finish_pass(first, true).await, Err(LedgerError::NoSuchPass)));
    let tally = other.finish_pass(second, true).await.unwrap();
    assert_eq!((tally.read, tally.unchanged), (3, 1));
    let counts = desk.ledger.counts(&Filter::default()).await.unwrap();
    assert_eq!((counts.read, counts.of(State::Pending), counts.of(State::Superseded)), (3, 2, 1));
    assert!(desk.ledger.begin_pass("a", "a.csv").await.is_ok(), "a finished pass lets go");
}

#[tokio::test]
async fn daemons_share_the_calls_of_a_minute() {
    const PER_MINUTE: u32 = 120;
    let desk = Desk::on_server().await;
    let daemons = [&desk.ledger, &desk.beside().await, &desk.beside().await];
    let begun = desk.now();
    let mut times = Vec::new();
    // Whoever waits least calls next, as late as it may; three minutes long.
    while desk.now().duration_since(begun).as_secs() < 180 {
        for ledger in daemons {
            let given = ledger.take_calls("client-a", PER_MINUTE).await.unwrap();
            let from = desk.now() + given.wait;
            times.extend((0..given.calls).map(|call| if call == 0 { from } else { from + given.valid }));
        }
        desk.clock.advance(Duration::from_millis(400));
    }
    times.sort_unstable();
    for (index, first) in times.iter().enumerate() {
        let within = times[index..].iter().filter(|time| time.duration_since(*first).as_secs() < 60).count();
        assert!(within <= PER_MINUTE as usize, "{within} calls within a minute of {first}");
    }
    let minutes = times.last().unwrap().duration_since(times[0]).as_secs_f64() / 60.0;
    assert!(times.len() as f64 / minutes > 0.95 * f64::from(PER_MINUTE), "{} calls in {minutes} min", times.len());
    let other = desk.ledger.take_calls("client-b", PER_MINUTE).await.unwrap();
    assert_eq!(other.wait, Duration::ZERO, "another client id has calls of its own");
}

#[tokio::test]
async fn newer_foreign_empty_and_wrongly_keyed_databases_are_refused() {
    let desk = Desk::on_server().await;
    let server = desk.server.clone().unwrap();
    let reader = Ledger::connect_read_only(&server, Arc::clone(&desk.keys), desk.clock.clone()).await.unwrap();
    assert!(matches!(reader.claim(LANE, 1).await, Err(LedgerError::ReadOnly)));
    let open = async |server: &Server| {
        Ledger::connect(server, Arc::clone(&desk.keys), desk.clock.clone()).await.map(drop).unwrap_err()
    };
    let other = Arc::new(Keys::generate().unwrap());
    let wrong = Ledger::connect(&server, other, desk.clock.clone()).await.map(drop);
    assert!(matches!(wrong, Err(LedgerError::WrongKeys)), "{wrong:?}");
    desk.run("UPDATE meta SET value = 'posyandu-gateway/99' WHERE name = 'schema'").await.unwrap();
    assert!(matches!(open(&server).await, LedgerError::Newer { found: 99, .. }));
    desk.run("UPDATE meta SET value = 'another-program' WHERE name = 'schema'").await.unwrap();
    assert!(matches!(open(&server).await, LedgerError::Foreign(_)));
    let database = servers::postgres().database("CREATE TABLE pasien (nik text)").await;
    assert!(matches!(open(&server_at(database.server.port, &database.name)).await, LedgerError::Foreign(_)));
    let empty = super::server().await;
    let absent = Ledger::connect_read_only(&empty, Arc::clone(&desk.keys), desk.clock.clone()).await.map(drop);
    assert!(matches!(absent, Err(LedgerError::Absent(_))), "{absent:?}");
    let gone = open(&server_at(1, "tidak_ada")).await;
    assert!(matches!(&gone, LedgerError::Unreachable { place, .. } if place == "127.0.0.1:1/tidak_ada"), "{gone:?}");
    assert!(!format!("{server:?} {gone:?}").contains(servers::PASSWORD));
}

/// A dump that was put back, as README.md says.
#[tokio::test]
async fn what_may_have_been_sent_since_a_dump_is_looked_up_first() {
    let desk = Desk::on(server().await).await;
    desk.visits(20, DAY).await;
    let delivered = desk.ledger.claim(LANE, 1).await.unwrap().remove(0);
    desk.deliver(&delivered).await.unwrap();
    let restored = "INSERT INTO restoration (at, last_day, reason) VALUES (1, '2026-11-18', 'commanded')";
    desk.run(restored).await.unwrap();
    assert!(desk.run("DELETE FROM restoration").await.is_err(), "what happened is not taken back");
    assert!(desk.ledger.claim(LANE, 20).await.unwrap().is_empty(), "nothing is sent before it was looked up");
    assert_eq!(desk.ledger.unknown_due(100).await.unwrap().len(), 19);
    let pass = desk.ledger.begin_pass("a", "b.csv").await.unwrap();
    desk.ledger.see_rows(pass, vec![row("a", "later", "x", DAY)]).await.unwrap();
    desk.ledger.finish_pass(pass, true).await.unwrap();
    let visits = desk.ledger.stale_visits(5).await.unwrap();
    desk.ledger.enter(visits.iter().map(|visit| entry(visit, "1")).collect()).await.unwrap();
    assert!(desk.ledger.claim(LANE, 20).await.unwrap().is_empty(), "nor what is read again for days before it");
    assert_eq!(desk.ledger.unknown_due(100).await.unwrap().len(), 20);
}

#[tokio::test]
async fn daemons_that_start_together_make_one_ledger() {
    let server = server().await;
    let keys = Arc::new(Keys::generate().unwrap());
    let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
    let open = || Ledger::connect(&server, Arc::clone(&keys), clock.clone());
    let (one, two, three) = tokio::join!(open(), open(), open());
    for ledger in [one, two, three] {
        ledger.unwrap().close().await.unwrap();
    }
}

#[tokio::test]
async fn the_database_tells_the_time_and_a_zero_in_an_answer_is_no_trouble() {
    let mut server = server().await;
    server.time = Time::Database;
    let keys = Arc::new(Keys::generate().unwrap());
    // A daemon whose clock is years behind.
    let clock = Clock::manual("2020-01-01T00:00:00Z".parse().unwrap());
    let ledger = Ledger::connect(&server, keys, clock).await.unwrap();
    let pass = ledger.begin_pass("a", "a.csv").await.unwrap();
    ledger.see_rows(pass, vec![row("a", "1", "x", DAY)]).await.unwrap();
    ledger.finish_pass(pass, true).await.unwrap();
    let visits = ledger.stale_visits(5).await.unwrap();
    ledger.enter(visits.iter().map(|visit| entry(visit, "1")).collect()).await.unwrap();
    let claimed = ledger.claim(LANE, 5).await.unwrap().remove(0);
    assert!(claimed.lease_until > "2026-01-01T00:00:00Z".parse().unwrap(), "{}", claimed.lease_until);
    let attempt = ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
    let end = AttemptEnd { excerpt: "a\0b".to_owned(), class: "content".to_owned(), ..AttemptEnd::default() };
    ledger.end_attempt(attempt, &claimed.lease, Event::RefusedContent, end).await.unwrap();
    let story = ledger.story(claimed.entry.entry_id).await.unwrap();
    assert_eq!(story.attempts[0].end.as_ref().unwrap().excerpt, "a\u{fffd}b");
    ledger.close().await.unwrap();
}

/// A server that dies in the middle loses nothing that was answered, and is found again.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_under_load_loses_nothing_acknowledged() {
    const VISITS: usize = 400;
    let own = servers::postgres_of_its_own();
    let desk = Desk::on(server_at(own.port, "postgres")).await;
    desk.visits(VISITS, DAY).await;
    let (ledger, delivered) = (Arc::new(desk.beside().await), Arc::new(std::sync::Mutex::new(Vec::new())));
    let mut lost = 0;
    let mut crashed = false;
    loop {
        let Ok(claimed) = ledger.claim(LANE, 40).await else {
            lost += 1;
            continue;
        };
        if claimed.is_empty() {
            break;
        }
        let mut sends = tokio::task::JoinSet::new();
        for claimed in claimed {
            let (ledger, delivered) = (Arc::clone(&ledger), Arc::clone(&delivered));
            sends.spawn(async move {
                let sent = deliver(&ledger, &claimed).await;
                if sent.is_ok() {
                    delivered.lock().unwrap().push(claimed.entry.entry_id);
                }
                sent
            });
        }
        let is_under_way = delivered.lock().unwrap().len() > VISITS / 4;
        if is_under_way && !crashed {
            crashed = true;
            tokio::task::spawn_blocking(|| {
                own.crash();
                own.start();
            })
            .await
            .unwrap();
        }
        while let Some(sent) = sends.join_next().await {
            match sent.unwrap() {
                Ok(state) => assert_eq!(state, State::Delivered),
                Err(LedgerError::Lost | LedgerError::Unreachable { .. } | LedgerError::LostLease(_)) => lost += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert!(crashed, "the load was over before the crash");
    let acknowledged = std::mem::take(&mut *delivered.lock().unwrap());
    for entry in &acknowledged {
        assert_eq!(desk.state(*entry).await, State::Delivered);
    }
    // What was cut off is in doubt or is taken over when its lease has run out; nothing is lost, nothing is twice.
    desk.clock.advance(LEASE_MAX);
    let again = drain(Arc::clone(&ledger), 40).await;
    assert!(again.iter().all(|entry| !acknowledged.contains(entry)), "nothing acknowledged is sent again");
    let counts = desk.ledger.counts(&Filter::default()).await.unwrap();
    assert_eq!(counts.of(State::Delivered) + counts.of(State::Unknown), VISITS as u64, "{lost} calls were cut off");
}
