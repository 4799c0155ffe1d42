//! Accounts, logins, the audit trail and decisions by command, and the lists of the pages: the same on both stores.

use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::account::{CODE_LIVES, Deed, IDLE_MAX, Reach, Role};
use posyandu_gateway::ledger::board::{Actor, Mark, WorkFilter};
use posyandu_gateway::ledger::entry::EntryId;
use posyandu_gateway::ledger::state::{Event, State};

use super::{DAY, Desk};

fn own() -> Reach {
    Reach { puskesmas: Some("Puskesmas A".to_owned()), posyandu: None }
}

on_both_stores!(accounts_are_named_once_and_their_logins_end);
async fn accounts_are_named_once_and_their_logins_end(desk: Desk) {
    let ledger = &desk.ledger;
    assert!(ledger.add_account("sari", Role::Puskesmas, &own(), "KODE-SARI").await.unwrap());
    assert!(!ledger.add_account("sari", Role::Dinkes, &Reach::default(), "LAIN").await.unwrap());
    assert!(!ledger.choose_password("sari", "LAIN", "x".to_owned()).await.unwrap());
    assert!(ledger.choose_password("sari", "KODE-SARI", "x".to_owned()).await.unwrap());
    assert!(!ledger.choose_password("sari", "KODE-SARI", "y".to_owned()).await.unwrap());
    let account = ledger.account("sari").await.unwrap().unwrap();
    assert_eq!((account.role, &account.reach, account.password.as_deref()), (Role::Puskesmas, &own(), Some("x")));
    ledger.begin_login(&account, "token-sari").await.unwrap();
    assert_eq!(ledger.login("token-sari").await.unwrap().unwrap().name, "sari");
    assert!(ledger.login("Token-sari").await.unwrap().is_none());
    desk.clock.advance(IDLE_MAX);
    assert!(ledger.login("token-sari").await.unwrap().is_none());
    ledger.begin_login(&account, "next").await.unwrap();
    assert!(ledger.close_account("sari", true).await.unwrap() && ledger.login("next").await.unwrap().is_none());
    assert!(!ledger.close_account("nobody", true).await.unwrap());
    assert!(ledger.renew_code("sari", "BARU").await.unwrap());
    assert!(!ledger.choose_password("sari", "BARU", "z".to_owned()).await.unwrap(), "closed");
    ledger.close_account("sari", false).await.unwrap();
    desk.clock.advance(CODE_LIVES);
    assert!(!ledger.choose_password("sari", "BARU", "z".to_owned()).await.unwrap(), "ran out");
    for wrong in [
        "INSERT INTO account (name, role, made_at) VALUES ('a', 'king', 1)",
        "INSERT INTO account (name, role, made_at) VALUES ('a', 'kader', 1)",
        "INSERT INTO account (name, role, puskesmas, made_at) VALUES ('a', 'dinkes', 'A', 1)",
    ] {
        assert!(desk.run(wrong).await.is_err(), "{wrong}");
    }
    let stored = desk.stored().await;
    for secret in ["KODE-SARI", "token-sari"] {
        let secret = secret.as_bytes();
        assert!(!stored.windows(secret.len()).any(|part| part == secret), "codes and tokens are kept as hashes");
    }
}

on_both_stores!(the_audit_trail_is_never_changed);
async fn the_audit_trail_is_never_changed(desk: Desk) {
    for subject in ["visit 1", "visit 2", "visit 3"] {
        let deed =
            Deed { account: "sari", role: "dinkes", action: "look", subject, command: None, reason: Some("rahasia") };
        desk.ledger.audit(deed).await.unwrap();
    }
    let trail = desk.ledger.audit_trail(None, 2).await.unwrap();
    let subjects: Vec<&str> = trail.iter().map(|line| line.subject.as_str()).collect();
    assert_eq!((subjects, trail[0].reason.as_deref()), (vec!["visit 3", "visit 2"], Some("rahasia")));
    let rest = desk.ledger.audit_trail(Some(trail[1].number), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
    for statement in ["UPDATE audit SET subject = 'x'", "DELETE FROM audit", "DELETE FROM decision_command"] {
        desk.visits(1, DAY).await;
        let number = desk.ledger.work_page(&WorkFilter::default(), Mark::default(), 1).await.unwrap().actors.len();
        assert_eq!(number, 0);
        let waived = desk.ledger.decide_once(EntryId::from_number(1), Event::WaivedBy, "p-1", "x").await;
        assert_eq!(waived.unwrap(), State::Waived);
        let refused = desk.run(statement).await.unwrap_err();
        assert!(refused.contains("append_only"), "{statement}: {refused}");
    }
}

on_both_stores!(the_same_command_twice_is_one_decision);
async fn the_same_command_twice_is_one_decision(desk: Desk) {
    desk.visits(2, DAY).await;
    let (one, two) = (EntryId::from_number(1), EntryId::from_number(2));
    for _ in 0..2 {
        assert_eq!(desk.ledger.decide_once(one, Event::WaivedBy, "p-1", "x").await.unwrap(), State::Waived);
    }
    for (entry, event) in [(two, Event::WaivedBy), (one, Event::RetryCommanded { due: desk.now() })] {
        let used = desk.ledger.decide_once(entry, event, "p-1", "x").await;
        assert!(matches!(used, Err(LedgerError::CommandUsed)), "{used:?}");
    }
    assert_eq!(desk.state(two).await, State::Pending);
}

on_both_stores!(the_work_list_goes_on_after_its_mark);
async fn the_work_list_goes_on_after_its_mark(desk: Desk) {
    desk.visits(7, DAY).await;
    for claimed in desk.ledger.claim("Puskesmas A", 7).await.unwrap() {
        let (entry, lease) = (claimed.entry.entry_id, &claimed.lease);
        desk.ledger.block(entry, lease, "patient", desk.now(), &[]).await.unwrap();
    }
    let (mut after, mut sizes) = (Some(Mark::default()), Vec::new());
    while let Some(mark) = after {
        let page = desk.ledger.work_page(&WorkFilter::default(), mark, 3).await.unwrap();
        assert!(page.actors.iter().all(|actor| *actor == Actor::Puskesmas));
        sizes.push(page.actors.len());
        after = page.next;
    }
    assert_eq!(sizes, [3, 3, 1]);
    let none = WorkFilter { rule: Some("newborn".to_owned()), ..WorkFilter::default() };
    assert!(desk.ledger.work_page(&none, Mark::default(), 3).await.unwrap().actors.is_empty());
    let day = desk.ledger.day_coverage(DAY, &own()).await.unwrap();
    assert_eq!((day.len(), day[0].visits, day[0].accepted), (1, 7, 0));
    let counts = desk.ledger.day_counts(DAY, &own()).await.unwrap();
    assert_eq!(counts.values().map(|counts| counts.of(State::Blocked)).sum::<u64>(), 7);
    let elsewhere = Reach { puskesmas: Some("Puskesmas B".to_owned()), posyandu: None };
    assert!(desk.ledger.day_counts(DAY, &elsewhere).await.unwrap().is_empty());
    assert_eq!(desk.ledger.versions(EntryId::from_number(1)).await.unwrap().len(), 1);
    assert_eq!(desk.ledger.resources_seen(EntryId::from_number(1)).await.unwrap().len(), 2);
    assert!(desk.ledger.answers_since(desk.now(), 5).await.unwrap().is_empty());
}
