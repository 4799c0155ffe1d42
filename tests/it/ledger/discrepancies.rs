//! Discrepancies in the ledger: one for each thing and class, opened and closed by evidence, waived by command; on both
//! stores.

use std::time::Duration;

use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::discrepancy::{Cause, Class, Comparison, Discrepancy, Found, Owner, Standing};
use posyandu_gateway::ledger::entry::{EntryId, Finding};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::Event;

use super::{DAY, Desk, row, sha};

fn missing(entry: EntryId, thing: &str) -> Found {
    Found {
        class: Class::MissingAtServer,
        thing: thing.to_owned(),
        entry: Some(entry),
        puskesmas: "Puskesmas A".to_owned(),
        posyandu: "P01".to_owned(),
        service_date: DAY,
        cause: Cause::Server,
        evidence: "not there".to_owned(),
    }
}

fn looked(thing: &str, found: Vec<Found>) -> Comparison {
    let classes = vec![Class::MissingAtServer, Class::DifferentAtServer];
    Comparison { looked: vec![thing.to_owned()], classes, found, closing: "read back equal" }
}

/// A visit that was delivered; its resources are `Encounter/id-0` and `Observation/id-1`.
async fn delivered(desk: &Desk) -> EntryId {
    desk.visits(1, DAY).await;
    let claimed = desk.claim_one().await;
    desk.deliver(&claimed).await.unwrap();
    claimed.entry.entry_id
}

async fn all(desk: &Desk) -> Vec<Discrepancy> {
    desk.ledger.discrepancies(&Filter::default(), true).await.unwrap()
}

async fn compare(desk: &Desk, entry: EntryId, finding: Finding, comparison: Comparison) {
    desk.clock.advance(Duration::from_secs(60));
    desk.ledger.record_comparison(entry, vec![(1, finding)], comparison, Some("P1".to_owned())).await.unwrap();
}

on_both_stores!(a_discrepancy_opens_once_stays_one_and_is_closed_by_evidence_alone);
async fn a_discrepancy_opens_once_stays_one_and_is_closed_by_evidence_alone(desk: Desk) {
    let (entry, thing) = (delivered(&desk).await, "Observation/id-1");
    for _ in 0..2 {
        compare(&desk, entry, Finding::Missing, looked(thing, vec![missing(entry, thing)])).await;
    }
    let open = all(&desk).await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0].standing, open[0].owner), (Standing::Open, Owner::Platform));
    assert_eq!(open[0].last_seen_at.duration_since(open[0].first_seen_at).as_secs(), 60);
    // A look at something else, or for another class, settles nothing.
    compare(&desk, entry, Finding::Equal, looked("Encounter/id-0", Vec::new())).await;
    let other = Comparison { classes: vec![Class::WrongPerson], ..looked(thing, Vec::new()) };
    compare(&desk, entry, Finding::Equal, other).await;
    assert_eq!(all(&desk).await[0].standing, Standing::Open);
    compare(&desk, entry, Finding::Equal, looked(thing, Vec::new())).await;
    let closed = all(&desk).await;
    assert_eq!((closed[0].standing, closed[0].evidence.as_str()), (Standing::Closed, "read back equal"));
    // Found once more it is a new one: the old one's story stands.
    compare(&desk, entry, Finding::Missing, looked(thing, vec![missing(entry, thing)])).await;
    let mut states: Vec<Standing> = all(&desk).await.iter().map(|one| one.standing).collect();
    states.sort_unstable();
    assert_eq!(states, [Standing::Open, Standing::Closed]);
    let waives = "UPDATE discrepancy SET owner = 'nobody'";
    assert!(desk.run(waives).await.unwrap_err().contains("discrepancy_owner"));
    for change in ["UPDATE discrepancy_event SET at = 1", "DELETE FROM discrepancy_event"] {
        assert!(desk.run(change).await.unwrap_err().contains("discrepancy_event_append_only"), "{change}");
    }
    let twice =
        "INSERT INTO discrepancy (class, thing, visit, puskesmas, posyandu, service_date, cause, owner, evidence,
            state, seq, first_seen_at, last_seen_at, changed_at)
        SELECT class, thing, visit, puskesmas, posyandu, service_date, cause, owner, evidence, 'open', 1, 1, 1, 1
        FROM discrepancy WHERE state = 'open'";
    assert!(desk.run(twice).await.is_err(), "two open ones of a thing and class");
}

on_both_stores!(a_waiver_is_one_command_with_a_reason_and_ends_when_something_else_is_seen);
async fn a_waiver_is_one_command_with_a_reason_and_ends_when_something_else_is_seen(desk: Desk) {
    let (entry, thing) = (delivered(&desk).await, "Observation/id-1");
    compare(&desk, entry, Finding::Missing, looked(thing, vec![missing(entry, thing)])).await;
    let number = all(&desk).await[0].number;
    for _ in 0..2 {
        assert_eq!(desk.ledger.waive_discrepancies(&[number], "c1", "agreed by phone").await.unwrap(), 1);
    }
    let again = desk.ledger.waive_discrepancies(&[number + 1], "c1", "other").await;
    assert!(matches!(again, Err(LedgerError::CommandUsed)), "{again:?}");
    compare(&desk, entry, Finding::Missing, looked(thing, vec![missing(entry, thing)])).await;
    let waived = all(&desk).await;
    assert_eq!((waived.len(), waived[0].standing), (1, Standing::Waived), "seen again as it was waived");
    assert_eq!(waived[0].waiver, Some(("c1".to_owned(), Some("agreed by phone".to_owned()))));
    assert!(desk.ledger.discrepancies(&Filter::default(), false).await.unwrap().is_empty());
    let stored = String::from_utf8_lossy(&desk.stored().await).into_owned();
    assert!(!stored.contains("agreed by phone"), "reasons are sealed");
    let other = Found { evidence: "gone again".to_owned(), ..missing(entry, thing) };
    compare(&desk, entry, Finding::Missing, looked(thing, vec![other])).await;
    assert_eq!(all(&desk).await[0].standing, Standing::Open);
}

on_both_stores!(the_ledger_alone_shows_corrections_under_way_and_what_is_stuck);
async fn the_ledger_alone_shows_corrections_under_way_and_what_is_stuck(desk: Desk) {
    let entry = delivered(&desk).await;
    let now = desk.now();
    desk.ledger.refresh_discrepancies(now, now).await.unwrap();
    assert!(all(&desk).await.is_empty(), "delivered and as it should be");
    let pass = desk.ledger.begin_pass("eppgbm", &format!("{DAY}.csv")).await.unwrap();
    desk.ledger.see_rows(pass, vec![row("eppgbm", &format!("{DAY}/0"), "bb=9,9", DAY)]).await.unwrap();
    desk.ledger.finish_pass(pass, true).await.unwrap();
    desk.enter_all("1").await;
    let young = desk.now() - Duration::from_secs(60);
    desk.ledger.refresh_discrepancies(young, young).await.unwrap();
    assert!(all(&desk).await.is_empty(), "younger than asked for");
    desk.clock.advance(Duration::from_secs(300));
    desk.ledger.refresh_discrepancies(desk.now(), young).await.unwrap();
    let changed = all(&desk).await;
    assert_eq!(changed.len(), 1, "{changed:?}");
    let one = (changed[0].class, changed[0].cause, changed[0].owner, changed[0].standing);
    assert_eq!(one, (Class::ChangedInSource, Cause::Waits, Owner::Platform, Standing::Open));
    let claimed = desk.claim_one().await;
    assert_ne!(claimed.entry.entry_id, entry);
    let attempt = desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
    let end = posyandu_gateway::ledger::attempt::AttemptEnd::default();
    desk.ledger.end_attempt(attempt, &claimed.lease, Event::RefusedContent, end).await.unwrap();
    desk.clock.advance(Duration::from_secs(100_000));
    desk.ledger.refresh_discrepancies(desk.now(), desk.now()).await.unwrap();
    let refused = all(&desk).await;
    assert_eq!(refused.len(), 1, "one for the visit: {refused:?}");
    assert_eq!((refused[0].class, refused[0].owner), (Class::ChangedInSource, Owner::Mapping));
    desk.ledger.decide(claimed.entry.entry_id, Event::RetryCommanded { due: desk.now() }, "again").await.unwrap();
    let claimed = desk.claim_one().await;
    desk.deliver(&claimed).await.unwrap();
    desk.ledger.refresh_discrepancies(young, young).await.unwrap();
    let closed = all(&desk).await;
    assert_eq!(closed[0].standing, Standing::Closed);
    assert!(closed[0].evidence.ends_with("delivered"), "{}", closed[0].evidence);
    let standings = desk.ledger.discrepancy_standings(&Filter::default()).await.unwrap();
    assert!(standings.is_empty(), "{standings:?}");
}

on_both_stores!(a_visit_without_answer_for_long_is_refused_or_blocked);
async fn a_visit_without_answer_for_long_is_refused_or_blocked(desk: Desk) {
    desk.visits(2, DAY).await;
    let claimed = desk.ledger.claim("Puskesmas A", 2).await.unwrap();
    let attempt = desk.ledger.begin_attempt(claimed[0].entry.entry_id, &claimed[0].lease, sha("r")).await.unwrap();
    let end = posyandu_gateway::ledger::attempt::AttemptEnd::default();
    desk.ledger.end_attempt(attempt, &claimed[0].lease, Event::RefusedContent, end).await.unwrap();
    let due = desk.now() + Duration::from_secs(3_600);
    let blocked = Event::DependencyMissing { on: "patient".to_owned(), due };
    desk.ledger.release(claimed[1].entry.entry_id, &claimed[1].lease, blocked).await.unwrap();
    let before = desk.now() - Duration::from_secs(1);
    desk.ledger.refresh_discrepancies(before, before).await.unwrap();
    assert!(all(&desk).await.is_empty());
    desk.ledger.refresh_discrepancies(desk.now(), desk.now()).await.unwrap();
    let mut found: Vec<(Class, Owner)> = all(&desk).await.iter().map(|one| (one.class, one.owner)).collect();
    found.sort_unstable();
    assert_eq!(found, [(Class::Refused, Owner::Mapping), (Class::Blocked, Owner::Puskesmas)]);
}

on_both_stores!(what_is_to_be_read_back_is_named_once_it_is_old_enough_and_not_read);
async fn what_is_to_be_read_back_is_named_once_it_is_old_enough_and_not_read(desk: Desk) {
    let entry = delivered(&desk).await;
    let of = async |before| desk.ledger.unread("Puskesmas A", before, 0, 10).await.unwrap();
    assert!(of(desk.now() - Duration::from_secs(1)).await.is_empty(), "too young");
    assert_eq!(of(desk.now()).await, [entry]);
    assert!(desk.ledger.unread("Puskesmas B", desk.now(), 0, 10).await.unwrap().is_empty());
    assert!(desk.ledger.unread("Puskesmas A", desk.now(), entry.number(), 10).await.unwrap().is_empty());
    desk.ledger.record_verification(entry, vec![(0, Finding::Equal), (1, Finding::Equal)]).await.unwrap();
    assert!(of(desk.now()).await.is_empty());
    assert!(!desk.ledger.today_waits("Puskesmas A").await.unwrap());
    desk.visits(2, DAY).await;
    assert!(desk.ledger.today_waits("Puskesmas A").await.unwrap());
}
