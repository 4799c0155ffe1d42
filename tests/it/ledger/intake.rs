//! How the ledger counts rows: corrections, duplicates, disagreements, newer versions; and what the disk may show.

use posyandu_gateway::issue::{Code, Issue};
use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::attempt::AttemptEnd;
use posyandu_gateway::ledger::reading::{Counts, Filter};
use posyandu_gateway::ledger::row::{RowKind, RowSeen, RowTally};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::redact::Personal;
use proptest::prelude::*;

use crate::ledger::{CANARY, DAY, Desk, accepted, row, sha};

impl Desk {
    async fn read(&self, source: &str, rows: Vec<RowSeen>) -> RowTally {
        let pass = self.ledger.begin_pass(source, "a.csv").await.unwrap();
        self.ledger.see_rows(pass, rows).await.unwrap();
        self.ledger.finish_pass(pass, true).await.unwrap()
    }

    async fn counts(&self) -> Counts {
        let counts = self.ledger.counts(&Filter::default()).await.unwrap();
        assert_eq!(counts.read, counts.sum());
        counts
    }

    async fn contents(&self) -> Vec<String> {
        let visits = self.ledger.stale_visits(100).await.unwrap();
        visits.iter().flat_map(|visit| &visit.records).map(|record| record.record.json.clone()).collect()
    }
}

fn issue_row(key: &str) -> RowSeen {
    let issue = Issue::error(Code::Value, "nik.digits").with("panjang", CANARY[1]);
    RowSeen { outcome: RowKind::Issue, issues: vec![issue], ..row("a", key, "x", DAY) }
}

fn skipped_row(key: &str) -> RowSeen {
    RowSeen { outcome: RowKind::Skipped("footer".to_owned()), ..row("a", key, "total", DAY) }
}

on_both_stores!(skipped_rows_are_counted_by_reason_and_a_moved_row_is_found_where_it_stands_now);
async fn skipped_rows_are_counted_by_reason_and_a_moved_row_is_found_where_it_stands_now(desk: Desk) {
    desk.read("a", vec![issue_row("1"), skipped_row("2")]).await;
    let counts = desk.counts().await;
    assert_eq!((counts.read, counts.issue, counts.skipped["footer"]), (2, 1, 1));
    let mut moved = issue_row("1");
    moved.place.row = "17".to_owned();
    assert_eq!(desk.read("a", vec![moved, skipped_row("2")]).await.unchanged, 2);
    let open = desk.ledger.row_issues(&Filter::default(), false, 5).await.unwrap();
    assert_eq!(open[0].issues[0].place.as_ref().unwrap().row, "17");
    assert_eq!(desk.ledger.last_passes().await.unwrap()[0].2.unchanged, 2);
}

on_both_stores!(an_unchanged_file_costs_and_changes_nothing);
async fn an_unchanged_file_costs_and_changes_nothing(desk: Desk) {
    let rows = || vec![row("a", "1", "x", DAY), row("a", "2", "x", DAY), issue_row("3")];
    let first = desk.read("a", rows()).await;
    assert_eq!((first.read, first.new, first.issue), (3, 2, 1));
    assert_eq!(desk.enter_all("1").await, 2);
    let second = desk.read("a", rows()).await;
    assert_eq!((second.read, second.unchanged), (3, 3));
    assert_eq!(desk.enter_all("1").await, 0);
    assert_eq!(desk.counts().await.of(State::Pending), 2);
}

on_both_stores!(of_several_rows_with_one_key_the_last_counts);
async fn of_several_rows_with_one_key_the_last_counts(desk: Desk) {
    desk.read("a", vec![row("a", "1", "x", DAY), row("a", "1", "y", DAY), row("a", "2", "x", DAY)]).await;
    assert!(desk.contents().await.iter().any(|json| json.contains("\"y\"")));
    desk.enter_all("1").await;
    let counts = desk.counts().await;
    assert_eq!((counts.read, counts.of(State::Pending), counts.of(State::Superseded)), (3, 2, 1));
    // The same file again, then with the correction taken out.
    desk.read("a", vec![row("a", "1", "x", DAY), row("a", "1", "y", DAY), row("a", "2", "x", DAY)]).await;
    assert!(desk.contents().await.is_empty());
    desk.read("a", vec![row("a", "1", "x", DAY), row("a", "2", "x", DAY)]).await;
    assert!(desk.contents().await[0].contains("\"x\""));
    assert_eq!(desk.counts().await.of(State::Superseded), 1);
}

on_both_stores!(a_changed_first_occurrence_does_not_beat_its_correction);
async fn a_changed_first_occurrence_does_not_beat_its_correction(desk: Desk) {
    desk.read("a", vec![row("a", "1", "x", DAY), row("a", "1", "y", DAY)]).await;
    desk.enter_all("1").await;
    desk.read("a", vec![row("a", "1", "z", DAY), row("a", "1", "y", DAY)]).await;
    desk.enter_all("1").await;
    let claimed = desk.claim_one().await;
    assert_eq!(claimed.entry.version, 1, "the visit still says y");
}

on_both_stores!(rows_that_left_their_file_with_a_problem_no_longer_wait);
async fn rows_that_left_their_file_with_a_problem_no_longer_wait(desk: Desk) {
    desk.read("a", vec![issue_row("1"), issue_row("2")]).await;
    let open = desk.ledger.row_issues(&Filter::on(DAY), false, 10).await.unwrap();
    assert_eq!((open.len(), open[0].issues[0].rule.as_ref()), (2, "nik.digits"));
    let pass = desk.ledger.begin_pass("a", "a.csv").await.unwrap();
    desk.ledger.see_rows(pass, vec![row("a", "1", "x", DAY)]).await.unwrap();
    desk.ledger.finish_pass(pass, false).await.unwrap();
    assert_eq!(desk.counts().await.issue, 1, "an incomplete pass proves nothing about the others");
    desk.read("a", vec![row("a", "1", "x", DAY)]).await;
    let counts = desk.counts().await;
    assert_eq!((counts.issue, counts.of(State::Superseded), counts.of(State::Pending)), (0, 1, 1));
    desk.read("a", vec![row("a", "1", "x", DAY), issue_row("2")]).await;
    assert_eq!(desk.counts().await.issue, 1, "it is back");
}

on_both_stores!(sources_that_disagree_are_used_by_neither_until_they_agree);
async fn sources_that_disagree_are_used_by_neither_until_they_agree(desk: Desk) {
    desk.read("a", vec![row("a", "1", "x", DAY)]).await;
    desk.enter_all("1").await;
    desk.read("b", vec![row("b", "1", "other", DAY)]).await;
    let counts = desk.counts().await;
    assert_eq!((counts.issue, counts.of(State::Pending)), (2, 0));
    assert!(desk.ledger.claim("Puskesmas A", 5).await.unwrap().is_empty(), "nothing of it is sent meanwhile");
    let issues = desk.ledger.row_issues(&Filter::default(), false, 10).await.unwrap();
    assert_eq!(issues[0].issues[0].rule, "visit.conflicting_sources");
    assert!(issues[0].issues[0].arguments.iter().any(|(_, value)| value == "b"));
    desk.read("b", vec![row("b", "1", "x", DAY)]).await;
    let counts = desk.counts().await;
    assert_eq!((counts.issue, counts.of(State::Pending), counts.of(State::Superseded)), (0, 1, 1));
    desk.enter_all("1").await;
    assert_eq!(desk.claim_one().await.entry.version, 2);
}

on_both_stores!(a_newer_version_of_a_delivered_visit_knows_what_the_server_has);
async fn a_newer_version_of_a_delivered_visit_knows_what_the_server_has(desk: Desk) {
    desk.read("a", vec![row("a", "1", "x", DAY)]).await;
    desk.enter_all("1").await;
    let first = desk.claim_one().await;
    desk.deliver(&first).await.unwrap();
    desk.read("a", vec![row("a", "1", "y", DAY)]).await;
    assert_eq!(desk.counts().await.of(State::Pending), 1);
    desk.enter_all("1").await;
    assert_eq!(desk.state(first.entry.entry_id).await, State::Superseded);
    let second = desk.claim_one().await;
    let known: Vec<_> =
        second.entry.resources.iter().map(|resource| (resource.server_id.as_deref(), resource.unchanged)).collect();
    assert_eq!(known, [(Some("id-0"), true), (Some("id-1"), false)]);
    let attempt = desk.ledger.begin_attempt(second.entry.entry_id, &second.lease, sha("r")).await.unwrap();
    let end = AttemptEnd { accepted: accepted(&second)[1..].to_vec(), ..AttemptEnd::default() };
    let state = desk.ledger.end_attempt(attempt, &second.lease, Event::Accepted, end).await.unwrap();
    assert_eq!(state, State::Delivered);
    assert_eq!(desk.counts().await.of(State::Delivered), 1);
}

on_both_stores!(a_newer_version_waits_for_the_one_that_is_out);
async fn a_newer_version_waits_for_the_one_that_is_out(desk: Desk) {
    for ends_unknown in [false, true] {
        let desk = desk.another().await;
        desk.read("a", vec![row("a", "1", "x", DAY)]).await;
        desk.enter_all("1").await;
        let first = desk.claim_one().await;
        let attempt = desk.ledger.begin_attempt(first.entry.entry_id, &first.lease, sha("r")).await.unwrap();
        for content in ["y", "z"] {
            desk.read("a", vec![row("a", "1", content, DAY)]).await;
            desk.enter_all("1").await;
            assert_eq!(desk.counts().await.of(State::Blocked), 1);
            assert!(desk.ledger.claim("Puskesmas A", 5).await.unwrap().is_empty());
        }
        let blocked = desk.ledger.entries(&Filter::default(), &[State::Blocked], 5).await.unwrap()[0].entry_id;
        for decision in [Event::WaivedBy, Event::RetryCommanded { due: desk.now() }] {
            let refused = desk.ledger.decide(blocked, decision, "not now").await.unwrap_err();
            assert!(matches!(refused, LedgerError::WaitsForPredecessor(_)), "{refused}");
        }
        let end = AttemptEnd { accepted: accepted(&first), ..AttemptEnd::default() };
        if ends_unknown {
            let event = Event::NoAnswer { due: desk.now() };
            desk.ledger.end_attempt(attempt, &first.lease, event, AttemptEnd::default()).await.unwrap();
            assert!(desk.ledger.claim("Puskesmas A", 5).await.unwrap().is_empty(), "still in doubt");
            desk.ledger.resolve(first.entry.entry_id, Event::NotFound { due: desk.now() }, vec![]).await.unwrap();
        } else {
            desk.ledger.end_attempt(attempt, &first.lease, Event::Accepted, end).await.unwrap();
        }
        assert_eq!(desk.state(first.entry.entry_id).await, State::Superseded);
        let third = desk.claim_one().await;
        assert_eq!(third.entry.version, 3);
        assert_eq!(third.entry.resources[0].unchanged, !ends_unknown);
        assert_eq!(desk.state(third.entry.entry_id).await, State::InFlight);
    }
}

on_both_stores!(what_the_mapping_refused_is_never_sent);
async fn what_the_mapping_refused_is_never_sent(desk: Desk) {
    desk.read("a", vec![row("a", "1", "x", DAY)]).await;
    let stale = desk.ledger.stale_visits(5).await.unwrap();
    let mut refused = crate::ledger::entry(&stale[0], "1");
    refused.refused = true;
    desk.ledger.enter(vec![refused.clone()]).await.unwrap();
    assert_eq!(desk.counts().await.of(State::Refused), 1);
    let entry = desk.ledger.entries(&Filter::default(), &[State::Refused], 5).await.unwrap()[0].entry_id;
    assert!(desk.ledger.decide(entry, Event::RetryCommanded { due: desk.now() }, "coba").await.is_err());
    assert!(desk.ledger.claim("Puskesmas A", 5).await.unwrap().is_empty());
    refused.refused = false;
    desk.ledger.enter(vec![refused]).await.unwrap();
    assert_eq!(desk.claim_one().await.entry.version, 2);
}

on_both_stores!(nothing_personal_lies_in_clear_on_the_disk);
async fn nothing_personal_lies_in_clear_on_the_disk(desk: Desk) {
    desk.read("a", vec![row("a", "1", "x", DAY), issue_row("2")]).await;
    desk.enter_all("1").await;
    let claimed = desk.claim_one().await;
    assert!(claimed.entry.bundle.reveal().contains(CANARY[2]));
    assert!(!format!("{claimed:?}").contains(CANARY[2]));
    let attempt = desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
    let issues = vec![Issue::error(Code::Value, "server.rule").with("nama", CANARY[0])];
    let end = AttemptEnd { issues, ..AttemptEnd::default() };
    desk.ledger.end_attempt(attempt, &claimed.lease, Event::RefusedContent, end).await.unwrap();
    let expires = desk.now() + std::time::Duration::from_secs(60);
    desk.ledger.put_token("client", &Personal::new(CANARY[0].to_owned()), expires).await.unwrap();
    assert_eq!(desk.ledger.token("client").await.unwrap().unwrap().0.reveal(), CANARY[0]);
    desk.ledger.decide(claimed.entry.entry_id, Event::WaivedBy, CANARY[0]).await.unwrap();
    let stored = desk.stored().await;
    for canary in CANARY {
        for canary in [canary.to_owned(), data_encoding::HEXLOWER.encode(canary.as_bytes())] {
            assert!(!stored.windows(canary.len()).any(|window| window == canary.as_bytes()));
        }
    }
}

on_both_stores!(identities_expire_and_can_be_forgotten);
async fn identities_expire_and_can_be_forgotten(desk: Desk) {
    let expires = desk.now() + std::time::Duration::from_secs(60);
    desk.ledger.put_identity("patient", sha("nik"), "P02478375538", expires).await.unwrap();
    assert_eq!(desk.ledger.identity("patient", &sha("nik")).await.unwrap().as_deref(), Some("P02478375538"));
    desk.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(desk.ledger.identity("patient", &sha("nik")).await.unwrap(), None);
    desk.ledger.put_identity("patient", sha("x"), "P1", desk.now() + std::time::Duration::from_secs(9)).await.unwrap();
    desk.ledger.forget_identity("patient", sha("x")).await.unwrap();
    assert_eq!(desk.ledger.identity("patient", &sha("x")).await.unwrap(), None);
}

on_both_stores!(the_database_refuses_what_the_code_must_never_do);
async fn the_database_refuses_what_the_code_must_never_do(desk: Desk) {
    desk.visits(2, DAY).await;
    let claimed = desk.claim_one().await;
    desk.deliver(&claimed).await.unwrap();
    // SQLite names the column instead of the index.
    let one_live = if desk.server.is_some() { "entry_one_live_per_visit" } else { "entry.visit" };
    for (statement, name) in [
        ("UPDATE entry SET state = 'failed' WHERE state = 'pending'", "entry_state"),
        ("UPDATE entry SET lease = 'x' WHERE state = 'pending'", "entry_lease_iff_in_flight"),
        ("UPDATE entry SET state = 'in_flight' WHERE state = 'pending'", "entry_lease_iff_in_flight"),
        ("UPDATE entry SET completed_at = 1 WHERE state = 'pending'", "entry_completed_iff_final"),
        (
            "UPDATE entry SET state = 'delivered', completed_at = 1 WHERE state = 'pending'",
            "entry_delivered_has_server_ids",
        ),
        ("UPDATE entry SET state = 'blocked' WHERE state = 'pending'", "entry_blocked_on_iff_blocked"),
        ("UPDATE entry SET visit = 1, version = id + 7", one_live),
        ("UPDATE event SET at = 0", "event_append_only"),
        ("DELETE FROM event", "event_append_only"),
        ("UPDATE attempt SET begun_at = 0", "attempt_append_only"),
        ("DELETE FROM attempt_end", "attempt_end_append_only"),
        ("UPDATE pass SET read = read + 1", "pass_adds_up"),
        ("UPDATE source_row SET standing = 'superseded'", "source_row_reason_given"),
    ] {
        let error = desk.run(statement).await.unwrap_err();
        assert!(error.contains(name), "{statement}: {error}");
    }
}

/// One thing that happens to a small ledger.
#[derive(Clone, Debug)]
enum Move {
    Read { source: u8, rows: Vec<(u8, u8)>, complete: bool },
    Enter,
    Send(u8),
    Resolve(u8),
    Wait,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let rows = proptest::collection::vec((0_u8..5, 0_u8..5), 0..6);
    let one = prop_oneof![
        3 => (0_u8..2, rows, any::<bool>()).prop_map(|(source, rows, complete)| Move::Read { source, rows, complete }),
        2 => Just(Move::Enter),
        3 => (0_u8..6).prop_map(Move::Send),
        1 => (0_u8..4).prop_map(Move::Resolve),
        1 => Just(Move::Wait),
    ];
    proptest::collection::vec(one, 1..25)
}

async fn play(desk: &Desk, step: Move) {
    let due = desk.now();
    match step {
        Move::Read { source, rows, complete } => {
            let source = ["a", "b"][usize::from(source)];
            let pass = desk.ledger.begin_pass(source, "a.csv").await.unwrap();
            let rows: Vec<RowSeen> = rows
                .iter()
                .map(|(key, content)| match content {
                    0 => issue_row(&key.to_string()),
                    4 => skipped_row(&key.to_string()),
                    _ => row(source, &key.to_string(), &content.to_string(), DAY),
                })
                .collect();
            let number = rows.len() as u64;
            let mut rows = rows.into_iter();
            let first: Vec<RowSeen> = rows.by_ref().take(2).collect();
            desk.ledger.see_rows(pass, first).await.unwrap();
            desk.ledger.see_rows(pass, rows.collect()).await.unwrap();
            let tally = desk.ledger.finish_pass(pass, complete).await.unwrap();
            assert_eq!(tally.read, number);
            assert_eq!(tally.read, tally.new + tally.changed + tally.unchanged + tally.issue + tally.skipped);
        }
        Move::Enter => {
            desk.enter_all("1").await;
        }
        Move::Send(how) => {
            let Some(claimed) = desk.ledger.claim("Puskesmas A", 1).await.unwrap().pop() else { return };
            let attempt = desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
            let event = match how {
                0 => Event::NoAnswer { due },
                1 => Event::RefusedContent,
                2 => Event::Deferred { due },
                3 => return,
                _ => Event::Accepted,
            };
            let end = AttemptEnd { accepted: accepted(&claimed), ..AttemptEnd::default() };
            desk.ledger.end_attempt(attempt, &claimed.lease, event, end).await.unwrap();
        }
        Move::Resolve(how) => {
            let Some(unknown) = desk.ledger.unknown_due(1).await.unwrap().pop() else { return };
            let event = match how {
                0 => Event::NotFound { due },
                1 => Event::FoundDifferent,
                _ => Event::StillUnknown { due },
            };
            desk.ledger.resolve(unknown.entry_id, event, vec![]).await.unwrap();
        }
        Move::Wait => desk.clock.advance(std::time::Duration::from_secs(300)),
    }
}

/// Plays steps on a ledger and looks at its sums after each.
fn played(steps: Vec<Move>, on_server: bool) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = if on_server { Desk::on_server().await } else { Desk::new().await };
        for step in steps {
            play(&desk, step).await;
            desk.counts().await;
        }
        for line in desk.ledger.entries(&Filter::default(), &[], 1_000).await.unwrap() {
            desk.state(line.entry_id).await;
        }
        let before = desk.counts().await;
        let desk = desk.after_crash().await;
        assert_eq!(desk.counts().await.read, before.read);
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn rows_read_are_always_the_sum_of_the_states(steps in moves()) {
        played(steps, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn rows_read_are_the_sum_of_the_states_on_a_server_too(steps in moves()) {
        played(steps, true);
    }
}
