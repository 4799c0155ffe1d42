//! The ledger's promises to delivery and reconciliation, kept on a real database: each on SQLite and on PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use jiff::civil::{Date, date};
use posyandu_gateway::ledger::attempt::AttemptEnd;
use posyandu_gateway::ledger::entry::Finding;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::{Ledger, LedgerError, Options};
use posyandu_gateway::seal::Keys;

/// Runs a case on each of the two stores.
macro_rules! on_both_stores {
    ($name:ident) => {
        mod $name {
            use $crate::ledger::Desk;

            #[tokio::test]
            async fn on_sqlite() {
                Box::pin(super::$name(Desk::new().await)).await;
            }

            #[tokio::test]
            async fn on_postgresql() {
                Box::pin(super::$name(Desk::on_server().await)).await;
            }
        }
    };
}

pub(crate) use on_both_stores;

mod accounts;
mod desk;
mod discrepancies;
mod intake;
mod questions;
mod several;
mod statements;

pub use desk::*;

on_both_stores!(a_claim_is_won_by_one);
async fn a_claim_is_won_by_one(desk: Desk) {
    desk.visits(10, DAY).await;
    let (one, two) = tokio::join!(desk.ledger.claim("Puskesmas A", 10), desk.ledger.claim("Puskesmas A", 10));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 10);
    assert!(desk.ledger.claim("Puskesmas A", 10).await.unwrap().is_empty());
    assert!(desk.ledger.claim("Puskesmas B", 10).await.unwrap().is_empty());
}

on_both_stores!(today_comes_first_then_the_oldest);
async fn today_comes_first_then_the_oldest(desk: Desk) {
    for day in [date(2026, 11, 16), DAY, date(2026, 11, 10)] {
        desk.visits(1, day).await;
    }
    let one = desk.claim_one().await;
    let rest = desk.ledger.claim("Puskesmas A", 5).await.unwrap();
    let days: Vec<Date> = std::iter::once(&one).chain(&rest).map(|claimed| claimed.entry.service_date).collect();
    assert_eq!(days, [DAY, date(2026, 11, 10), date(2026, 11, 16)]);
}

on_both_stores!(what_was_mapped_before_a_change_does_not_undo_it);
async fn what_was_mapped_before_a_change_does_not_undo_it(desk: Desk) {
    // Two may map at once: records that are handed in, and sources beside them; or two daemons on one server.
    let ledger = &desk.ledger;
    let mut mapped = Vec::new();
    for weight in ["bb=9,4", "bb=9,6"] {
        let pass = ledger.begin_pass("eppgbm", "a.csv").await.unwrap();
        ledger.see_rows(pass, vec![row("eppgbm", "one", weight, DAY)]).await.unwrap();
        ledger.finish_pass(pass, true).await.unwrap();
        let stale = ledger.stale_visits(10).await.unwrap();
        mapped.push(stale.iter().map(|visit| entry(visit, "1")).collect::<Vec<_>>());
    }
    let (newer, older) = (mapped.pop().unwrap(), mapped.pop().unwrap());
    let content = newer[0].bundle.reveal().clone();
    ledger.enter(newer).await.unwrap();
    ledger.enter(older).await.unwrap();
    assert!(ledger.stale_visits(10).await.unwrap().is_empty());
    let claimed = ledger.claim("Puskesmas A", 10).await.unwrap();
    let sent: Vec<&String> = claimed.iter().map(|one| one.entry.bundle.reveal()).collect();
    assert_eq!(sent, [&content], "the change is sent, and nothing else");
}

on_both_stores!(what_was_sent_for_the_first_time_after_a_doubt_is_named_in_order);
async fn what_was_sent_for_the_first_time_after_a_doubt_is_named_in_order(desk: Desk) {
    desk.visits(6, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 6).await.unwrap();
    desk.deliver(&claimed[0]).await.unwrap();
    let doubt = &claimed[1];
    let attempt = desk.ledger.begin_attempt(doubt.entry.entry_id, &doubt.lease, sha("r")).await.unwrap();
    // Began before the doubt ended, and tried twice: neither tells anything.
    let due = desk.now();
    let twice = &claimed[2];
    let first = desk.ledger.begin_attempt(twice.entry.entry_id, &twice.lease, sha("r")).await.unwrap();
    let deferred = Event::Deferred { due };
    desk.ledger.end_attempt(first, &twice.lease, deferred, AttemptEnd::default()).await.unwrap();
    desk.clock.advance(Duration::from_secs(10));
    let unknown = Event::NoAnswer { due };
    desk.ledger.end_attempt(attempt, &doubt.lease, unknown, AttemptEnd::default()).await.unwrap();
    let since = desk.now();
    for later in &claimed[3..] {
        desk.clock.advance(Duration::from_secs(10));
        desk.deliver(later).await.unwrap();
    }
    let again = desk.claim_one().await;
    assert_eq!(again.entry.entry_id, twice.entry.entry_id);
    desk.deliver(&again).await.unwrap();
    let open = desk.ledger.unknown_due(1).await.unwrap().remove(0);
    for (seconds, limit, expected) in [(0, 9, 3..6), (15, 9, 4..6), (20, 1, 4..5), (60, 9, 6..6)] {
        let from = since + Duration::from_secs(seconds);
        let sent = desk.ledger.first_sends_since(&open, from, limit).await.unwrap();
        let named: Vec<_> = sent.iter().map(|entry| entry.entry_id).collect();
        let expected: Vec<_> = claimed[expected].iter().map(|one| one.entry.entry_id).collect();
        assert_eq!(named, expected, "from {seconds} s on");
    }
}

on_both_stores!(a_lost_lease_may_neither_send_nor_answer);
async fn a_lost_lease_may_neither_send_nor_answer(desk: Desk) {
    desk.visits(2, DAY).await;
    let (late, later) = (desk.claim_one().await, desk.claim_one().await);
    let attempt = desk.ledger.begin_attempt(later.entry.entry_id, &later.lease, sha("r")).await.unwrap();
    let again = desk.ledger.begin_attempt(later.entry.entry_id, &later.lease, sha("r")).await;
    assert!(matches!(again, Err(LedgerError::LostLease(_))), "one attempt per lease");
    desk.clock.advance(Duration::from_secs(121));
    let begun = desk.ledger.begin_attempt(late.entry.entry_id, &late.lease, sha("r")).await;
    assert!(matches!(begun, Err(LedgerError::LostLease(_))));
    let second = desk.ledger.claim("Puskesmas A", 5).await.unwrap();
    assert_eq!(second.len(), 1, "the one whose send had begun is unknown, not pending");
    assert_eq!(second[0].entry.entry_id, late.entry.entry_id);
    let end = desk.ledger.end_attempt(attempt, &later.lease, Event::Accepted, AttemptEnd::default()).await;
    assert!(matches!(end, Err(LedgerError::LostLease(_))));
    let release = desk.ledger.release(late.entry.entry_id, &late.lease, Event::Released { due: desk.now() }).await;
    assert!(matches!(release, Err(LedgerError::LostLease(_))));
    assert_eq!(desk.state(later.entry.entry_id).await, State::Unknown);
}

on_both_stores!(a_crash_leaves_begun_sends_unknown_and_the_rest_pending);
async fn a_crash_leaves_begun_sends_unknown_and_the_rest_pending(desk: Desk) {
    desk.visits(3, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 3).await.unwrap();
    let begun = &claimed[0];
    desk.ledger.begin_attempt(begun.entry.entry_id, &begun.lease, sha("r")).await.unwrap();
    desk.deliver(&claimed[1]).await.unwrap();
    let desk = desk.after_crash().await;
    let expected = [State::Unknown, State::Delivered, State::Pending];
    for (claimed, expected) in claimed.iter().zip(expected) {
        assert_eq!(desk.state(claimed.entry.entry_id).await, expected);
    }
    let story = desk.ledger.story(begun.entry.entry_id).await.unwrap();
    assert_eq!(story.attempts[0].end.as_ref().unwrap().outcome, "interrupted");
    let unknown = desk.ledger.unknown_due(10).await.unwrap();
    assert_eq!(unknown.len(), 1);
    let found = accepted(begun);
    let state = desk.ledger.resolve(unknown[0].entry_id, Event::FoundEqual, found).await.unwrap();
    assert_eq!(state, State::Delivered);
}

on_both_stores!(delivered_needs_a_server_id_for_every_resource);
async fn delivered_needs_a_server_id_for_every_resource(desk: Desk) {
    desk.visits(1, DAY).await;
    let claimed = desk.claim_one().await;
    let attempt = desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
    let mut wrong = accepted(&claimed);
    wrong[1].resource_type = "Patient".to_owned();
    for accepted in [accepted(&claimed)[..1].to_vec(), wrong] {
        let end = AttemptEnd { accepted, ..AttemptEnd::default() };
        let ended = desk.ledger.end_attempt(attempt, &claimed.lease, Event::Accepted, end).await;
        assert!(matches!(ended, Err(LedgerError::Incomplete(_))), "{ended:?}");
    }
    assert_eq!(desk.state(claimed.entry.entry_id).await, State::InFlight);
    let end = AttemptEnd { accepted: accepted(&claimed), ..AttemptEnd::default() };
    desk.ledger.end_attempt(attempt, &claimed.lease, Event::Accepted, end).await.unwrap();
    let entry = claimed.entry.entry_id;
    let before = desk.now().saturating_add(Duration::from_secs(1)).unwrap();
    assert_eq!(desk.ledger.to_verify(Some(DAY), before, 5).await.unwrap().len(), 1);
    desk.ledger.record_verification(entry, vec![(0, Finding::Equal), (1, Finding::Missing)]).await.unwrap();
    let found = desk.ledger.verification(&Filter::on(DAY)).await.unwrap();
    assert_eq!((found.delivered, found.equal, found.missing), (2, 1, 1));
}

on_both_stores!(attempts_are_spent_only_on_answers_nobody_could_classify);
async fn attempts_are_spent_only_on_answers_nobody_could_classify(desk: Desk) {
    desk.visits(1, DAY).await;
    let due = desk.now();
    let mut spent = Vec::new();
    for event in [Event::Deferred { due }, Event::Unclassified { due }, Event::RefusedConfiguration { due }] {
        let claimed = desk.claim_one().await;
        let attempt = desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
        let end = AttemptEnd { status: Some(500), rules: vec![20_003], ..AttemptEnd::default() };
        desk.ledger.end_attempt(attempt, &claimed.lease, event, end).await.unwrap();
        spent.push(claimed.entry.attempts);
    }
    let claimed = desk.claim_one().await;
    assert_eq!((claimed.entry.attempts, claimed.entry.begun), (1, 3));
    assert_eq!(spent, [0, 0, 1]);
    let missing = Event::DependencyMissing { on: "patient".to_owned(), due: due + Duration::from_secs(3_600) };
    desk.ledger.release(claimed.entry.entry_id, &claimed.lease, missing).await.unwrap();
    assert_eq!(desk.ledger.blocked_reasons(&Filter::default()).await.unwrap()["patient"], 1);
    assert!(desk.ledger.claim("Puskesmas A", 1).await.unwrap().is_empty());
    desk.clock.advance(Duration::from_secs(3_600));
    assert_eq!(desk.claim_one().await.entry.blocked_count, 1);
}

on_both_stores!(a_person_waives_and_retries_with_a_reason);
async fn a_person_waives_and_retries_with_a_reason(desk: Desk) {
    desk.visits(1, DAY).await;
    let entry = desk.ledger.entries(&Filter::default(), &[], 5).await.unwrap()[0].entry_id;
    let ledger = &desk.ledger;
    assert_eq!(ledger.decide(entry, Event::WaivedBy, "di luar wilayah").await.unwrap(), State::Waived);
    let retry = Event::RetryCommanded { due: desk.now() };
    assert_eq!(ledger.decide(entry, retry.clone(), "salah tekan").await.unwrap(), State::Pending);
    assert!(matches!(ledger.decide(entry, retry, "lagi").await, Err(LedgerError::Illegal(_))));
    assert!(matches!(ledger.decide(entry, Event::Accepted, "").await, Err(LedgerError::NotADecision(_))));
}

on_both_stores!(many_writes_share_one_sync);
async fn many_writes_share_one_sync(desk: Desk) {
    let desk = Arc::new(desk);
    desk.visits(64, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 64).await.unwrap();
    let (commits, writes) = (desk.ledger.commits(), desk.ledger.writes());
    let sends = claimed.into_iter().map(|claimed| {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move { desk.deliver(&claimed).await.unwrap() })
    });
    for send in sends.collect::<Vec<_>>() {
        assert_eq!(send.await.unwrap(), State::Delivered);
    }
    let (commits, writes) = (desk.ledger.commits() - commits, desk.ledger.writes() - writes);
    assert_eq!(writes, 128);
    assert!(commits <= writes / 4, "{commits} commits for {writes} writes");
}

#[tokio::test]
async fn a_second_instance_is_kept_out_and_a_reader_is_not() {
    let desk = Desk::new().await;
    desk.visits(1, DAY).await;
    let options = options(desk.folder.path());
    let second = Ledger::open(&options, Arc::clone(&desk.keys), desk.clock.clone()).await;
    assert!(matches!(second, Err(LedgerError::Held(_))));
    let reader = Ledger::open_read_only(&options, Arc::clone(&desk.keys), desk.clock.clone()).await.unwrap();
    assert_eq!(reader.counts(&Filter::default()).await.unwrap().of(State::Pending), 1);
    assert!(matches!(reader.claim("Puskesmas A", 1).await, Err(LedgerError::ReadOnly)));
    reader.close().await.unwrap();
    desk.ledger.close().await.unwrap();
    let other = Arc::new(Keys::generate().unwrap());
    let wrong = Ledger::open(&options, other, desk.clock.clone()).await;
    assert!(matches!(wrong, Err(LedgerError::WrongKeys)), "{wrong:?}");
    let again = Ledger::open(&options, desk.keys, desk.clock).await.unwrap();
    again.close().await.unwrap();
}

#[tokio::test]
async fn a_newer_or_foreign_database_is_refused() {
    let desk = Desk::new().await;
    desk.run("PRAGMA user_version = 99").await.unwrap();
    // The file is looked at again under another name: the open ledger keeps its lock.
    let copy = tempfile::tempdir().unwrap();
    for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
        std::fs::copy(desk.folder.path().join(name), copy.path().join(name)).unwrap();
    }
    let opened = Ledger::open(&options(copy.path()), Arc::clone(&desk.keys), desk.clock.clone()).await;
    assert!(matches!(opened, Err(LedgerError::Newer { found: 99, .. })), "{opened:?}");
    let foreign = tempfile::tempdir().unwrap();
    std::fs::write(foreign.path().join("ledger.sqlite"), []).unwrap();
    desk.run(&format!("ATTACH '{}' AS x; PRAGMA x.application_id = 7", foreign.path().join("ledger.sqlite").display()))
        .await
        .unwrap();
    let opened = Ledger::open(&options(foreign.path()), Arc::clone(&desk.keys), desk.clock.clone()).await;
    assert!(matches!(opened, Err(LedgerError::Foreign(_))), "{opened:?}");
}

#[tokio::test]
async fn a_full_disk_refuses_without_leaving_halves_and_goes_on_when_there_is_room() {
    let desk = Desk::new().await;
    desk.visits(20, DAY).await;
    let claimed = desk.claim_one().await;
    let options = options(desk.folder.path());
    desk.ledger.close().await.unwrap();
    let size = std::fs::metadata(&options.path).unwrap().len();
    let small = Options { bytes_max: Some(size + 8_192), ..options.clone() };
    let ledger = Ledger::open(&small, Arc::clone(&desk.keys), desk.clock.clone()).await.unwrap();
    let before = ledger.counts(&Filter::default()).await.unwrap();
    let pass = ledger.begin_pass("eppgbm", "b.csv").await.unwrap();
    let rows: Vec<_> = (0..500).map(|index| row("eppgbm", &format!("new/{index}"), "bb=9,4", DAY)).collect();
    assert!(matches!(ledger.see_rows(pass, rows.clone()).await, Err(LedgerError::Full)));
    assert_eq!(ledger.counts(&Filter::default()).await.unwrap(), before);
    let claim = ledger.claim("Puskesmas A", 1).await.unwrap();
    assert_eq!(claim.len(), 1, "what fits is still done");
    ledger.close().await.unwrap();
    let ledger = Ledger::open(&options, desk.keys, desk.clock).await.unwrap();
    assert_eq!(ledger.see_rows(pass, rows).await.unwrap().new, 500);
    assert_eq!(ledger.counts(&Filter::default()).await.unwrap().read, 520);
    assert_eq!(ledger.story(claimed.entry.entry_id).await.unwrap().line.state, State::Pending);
}

on_both_stores!(what_was_found_is_kept_when_the_rest_is_sent_again_or_corrected);
async fn what_was_found_is_kept_when_the_rest_is_sent_again_or_corrected(desk: Desk) {
    desk.visits(2, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 2).await.unwrap();
    for (claimed, event, unchanged) in
        [(&claimed[0], Event::NotFound { due: desk.now() }, true), (&claimed[1], Event::FoundDifferent, false)]
    {
        let entry = claimed.entry.entry_id;
        let attempt = desk.ledger.begin_attempt(entry, &claimed.lease, sha("r")).await.unwrap();
        let lost = Event::NoAnswer { due: desk.now() };
        desk.ledger.end_attempt(attempt, &claimed.lease, lost, AttemptEnd::default()).await.unwrap();
        let mut found = accepted(claimed);
        found[1].resource_type = "Patient".to_owned();
        desk.ledger.resolve(entry, event, found).await.unwrap();
        let resources = desk.ledger.load(&[entry]).await.unwrap().remove(0).resources;
        assert_eq!((resources[0].server_id.as_deref(), resources[0].unchanged), (Some("id-0"), unchanged));
        assert_eq!(resources[1].server_id, None, "another type is never taken for it");
    }
}
