//! Patients, health workers and episodes on their way to SATUSEHAT: registered once or left to a person, never guessed.
//!
//! A small clinic of its own: files written by the test, a simulated SATUSEHAT with a civil register, a manual clock.

mod clinic;
mod episodes;
mod rows;

use std::collections::BTreeMap;
use std::time::Duration;

use posyandu_gateway::ledger::registration::{Standing, Subject};
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::remote::identity::{IdentityAnswer, NewbornQuery};
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use posyandu_gateway::simulator::people::Person;

use clinic::{Clinic, HOUR, Settings};
use rows::{ADDRESS, BUDI, MOTHER, Row, budi, citizen, mother, newborn, patient_json};

#[tokio::test]
async fn a_person_of_the_civil_register_is_registered_once_for_all_visits() {
    let settings = Settings { citizens: vec![citizen()], ..Settings::default() };
    let clinic = Clinic::open(settings).await;
    let other_day = Row { day: "2026-11-17", ..budi() };
    clinic.write(&[budi(), other_day]);
    clinic.settle().await;
    assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 2)]));
    assert_eq!(clinic.patients(BUDI), 1);
    assert_eq!(clinic.calls("create"), 1);
    let told = clinic.daemon.ledger.identity_counts().await.unwrap();
    assert_eq!((told["patient"], told["practitioner"]), ((1, 0), (1, 0)));
}

#[tokio::test]
async fn without_the_setting_nobody_is_registered_and_the_visit_is_looked_at_again() {
    let clinic = Clinic::open(Settings { create: false, citizens: vec![citizen()], ..Settings::default() }).await;
    clinic.write(&[budi()]);
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["patient"]);
    let (searches, due) = (clinic.calls("search_patient"), clinic.due().await);
    clinic.round().await;
    assert_eq!(clinic.calls("search_patient"), searches, "nothing is asked before its time");
    let wait = Duration::try_from(due.duration_since(clinic.clock.now())).unwrap();
    assert!((HOUR..2 * HOUR).contains(&wait), "{wait:?}");
    clinic.clock.advance(wait);
    clinic.round().await;
    assert!(clinic.calls("search_patient") > searches);
    let wait = Duration::try_from(clinic.due().await.duration_since(clinic.clock.now())).unwrap();
    assert!((6 * HOUR..12 * HOUR).contains(&wait), "{wait:?}");
    assert_eq!((clinic.calls("create"), clinic.patients(BUDI)), (0, 0));
}

#[tokio::test]
async fn a_mismatch_with_the_civil_register_is_one_attempt_and_names_the_column() {
    let clinic = Clinic::open(Settings { citizens: vec![citizen()], ..Settings::default() }).await;
    clinic.write(&[Row { address: "Jl. Lain 9", ..budi() }]);
    for _ in 0..4 {
        clinic.round().await;
        assert_eq!(clinic.blocked().await, ["patient_refused"]);
        clinic.clock.advance(30 * HOUR);
    }
    assert_eq!(clinic.calls("create"), 1, "a refusal is not repeated");
    let issues = clinic.issues().await;
    let columns: Vec<&str> = issues.iter().filter_map(|issue| issue.place.as_ref()?.column.as_deref()).collect();
    assert_eq!(columns, ["Alamat"], "{issues:?}");
    assert!(issues.iter().all(|issue| issue.rule == "person.registry_mismatch"));
    clinic.write(&[budi()]);
    clinic.settle().await;
    assert_eq!((clinic.calls("create"), clinic.patients(BUDI)), (2, 1), "a mended row is tried again");
}

#[tokio::test]
async fn a_citizen_nobody_knows_is_tried_once_more_and_then_left_to_a_person() {
    let clinic = Clinic::open(Settings::default()).await;
    clinic.write(&[budi()]);
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["citizen"]);
    for _ in 0..3 {
        clinic.clock.advance(30 * HOUR);
        clinic.round().await;
        assert_eq!(clinic.blocked().await, ["citizen_refused"]);
    }
    assert_eq!(clinic.calls("create"), 2);
}

#[tokio::test]
async fn a_newborn_waits_for_its_mother_with_its_days_counted_down() {
    let clinic = Clinic::open(Settings { citizens: vec![mother()], ..Settings::default() }).await;
    clinic.write(&[newborn()]);
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["mother"]);
    assert_eq!(clinic.calls("create"), 0, "nothing of the child is sent before the mother is there");
    assert_eq!(clinic.newborns().await, Some((1, 12)));
    clinic.clock.advance(Duration::from_secs(3 * 24 * 3600));
    assert_eq!(clinic.newborns().await, Some((1, 9)), "also while nobody looks");
    clinic.register_mother().await;
    clinic.round().await;
    assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 1)]));
    assert_eq!(clinic.children(MOTHER), 1);
    assert_eq!(clinic.newborns().await, None);
}

#[tokio::test]
async fn after_sixty_days_a_newborn_is_an_issue_with_words_and_is_never_sent() {
    let clinic = Clinic::open(Settings { citizens: vec![mother()], ..Settings::default() }).await;
    clinic.register_mother().await;
    clinic.write(&[Row { birth: "2026-09-18", day: "2026-11-16", ..newborn() }]);
    clinic.round().await;
    let before = clinic.calls("create");
    assert_eq!(clinic.blocked().await, ["newborn_too_old"]);
    assert_eq!(clinic.issues().await[0].rule, "person.newborn_too_old");
    clinic.clock.advance(40 * HOUR);
    clinic.round().await;
    assert_eq!((clinic.calls("create"), clinic.children(MOTHER)), (before, 0));
}

#[tokio::test]
async fn twins_are_told_apart_by_their_place_and_nobody_is_taken_for_the_other() {
    let clinic = Clinic::open(Settings { citizens: vec![mother()], ..Settings::default() }).await;
    clinic.register_mother().await;
    clinic.write(&[Row { twin: "1", ..newborn() }]);
    clinic.round().await;
    assert_eq!(clinic.children(MOTHER), 1);
    let remote = &clinic.daemon.lanes().unwrap()[0].remote;
    let child = |birth_order, gender: &str| NewbornQuery {
        mother: Personal::new(MOTHER.to_owned()),
        birth_date: Personal::new("2026-10-01".parse().unwrap()),
        gender: gender.to_owned(),
        birth_order,
    };
    assert!(matches!(remote.newborn(&child(Some(1), "male")).await, IdentityAnswer::Found(_)));
    assert_eq!(remote.newborn(&child(Some(2), "male")).await, IdentityAnswer::NotFound);
    assert_eq!(remote.newborn(&child(Some(1), "female")).await, IdentityAnswer::Mismatch);
    assert_eq!(remote.newborn(&child(Some(0), "male")).await, IdentityAnswer::Mismatch);
    assert_eq!(remote.newborn(&child(None, "male")).await, IdentityAnswer::Ambiguous(1));
}

/// A number that several persons have, each in a form the search shows: nobody is picked.
#[tokio::test]
async fn of_several_persons_none_is_ever_picked() {
    for (number, name) in [(2, "BUDI CONTOH"), (3, "BUDI CONTOH SATU"), (27, "BUDI CONTOH")] {
        let listed = (0..number).map(|at| Person { ihs: format!("P9900000{at:04}"), name: name.into(), ..citizen() });
        let settings = Settings { patients: listed.collect(), citizens: vec![citizen()], ..Settings::default() };
        let clinic = Clinic::open(settings).await;
        clinic.write(&[budi()]);
        clinic.round().await;
        assert_eq!(clinic.blocked().await, ["patient_ambiguous"]);
        assert_eq!((clinic.calls("bundle"), clinic.calls("create")), (0, 0));
    }
    let stranger = Person { ihs: "P99000000001".into(), name: "ORANG LAIN".into(), ..citizen() };
    let clinic =
        Clinic::open(Settings { patients: vec![stranger], citizens: vec![citizen()], ..Settings::default() }).await;
    clinic.write(&[budi()]);
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["patient_mismatch"]);
    assert_eq!((clinic.calls("bundle"), clinic.calls("create")), (0, 0));
}

/// The answer to the create is lost, with and without the server having carried it out, on a server that would take
/// everybody twice: in the end there is one.
#[tokio::test]
async fn a_lost_answer_to_a_create_is_looked_up_and_never_repeated_blindly() {
    for kind in [
        FaultKind::ServerErrorAfterCommit,
        FaultKind::ServerErrorBeforeCommit,
        FaultKind::DroppedAnswer,
        FaultKind::DroppedBefore,
        FaultKind::CutAfterBytes,
        FaultKind::HtmlPage,
        FaultKind::ConsentSuppressed,
    ] {
        let bytes = (kind == FaultKind::CutAfterBytes).then_some(300);
        let fault = Fault { bytes, ..Fault::at_calls(kind, AppliesTo::Write, &[1]) };
        let settings = Settings { citizens: vec![citizen()], faults: vec![fault], ..Settings::default() };
        let clinic = Clinic::open(settings).await;
        clinic.write(&[budi()]);
        clinic.settle().await;
        assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 1)]), "{}", kind.name());
        assert_eq!(clinic.patients(BUDI), 1, "{}", kind.name());
    }
}

/// A process that is killed between the begun row and the answer, before or after the server carried it out.
#[tokio::test]
async fn a_crash_between_create_and_answer_loses_nobody_and_doubles_nobody() {
    for carried_out in [false, true] {
        let clinic = Clinic::open(Settings { citizens: vec![citizen()], ..Settings::default() }).await;
        let key = clinic.daemon.keys.hash("registration.patient", &[BUDI]);
        let subject = Subject { lane: "Puskesmas Utara", kind: "Patient", key };
        clinic.daemon.ledger.begin_registration(subject, [7; 32]).await.unwrap().unwrap();
        assert!(clinic.daemon.ledger.begin_registration(subject, [8; 32]).await.unwrap().is_none(), "one at a time");
        if carried_out {
            clinic.create(&patient_json(BUDI, "BUDI CONTOH", "male", "2024-05-09", ADDRESS)).await;
        }
        let clinic = clinic.restarted().await;
        let known = clinic.daemon.ledger.registration("Patient", &key).await.unwrap().unwrap();
        assert_eq!(known.standing, Standing::Unknown, "start is recovery");
        clinic.write(&[budi()]);
        clinic.settle().await;
        assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 1)]));
        assert_eq!(clinic.patients(BUDI), 1);
        let known = clinic.daemon.ledger.registration("Patient", &key).await.unwrap().unwrap();
        assert_eq!(known.standing, Standing::Held);
    }
}

#[tokio::test]
async fn a_health_worker_nobody_knows_is_asked_for_once_and_several_are_for_a_person() {
    let worker = |ihs: &str| Person { nik: clinic::WORKER.into(), ihs: ihs.into(), ..citizen() };
    for (workers, word) in [(vec![], "practitioner"), (vec![worker("N1"), worker("N2")], "practitioner_ambiguous")] {
        let settings = Settings { patients: vec![citizen()], workers, own_worker: true, ..Settings::default() };
        let clinic = Clinic::open(settings).await;
        let days = ["2026-11-16", "2026-11-17", "2026-11-18"];
        clinic.write(&days.map(|day| Row { day, ..budi() }));
        clinic.round().await;
        assert_eq!(clinic.blocked().await, [word; 3]);
        assert_eq!((clinic.calls("search_practitioner"), clinic.calls("bundle")), (1, 0));
    }
}

#[tokio::test]
async fn an_id_that_the_server_does_not_know_any_more_is_sent_once_and_never_again() {
    let clinic = Clinic::open(Settings { patients: vec![citizen()], ..Settings::default() }).await;
    clinic.write(&[budi()]);
    clinic.settle().await;
    clinic.change("UPDATE identity SET server_id = 'P99999999999' WHERE kind = 'patient'").await;
    clinic.write(&["2026-11-15", "2026-11-16", "2026-11-17", "2026-11-18"].map(|day| Row { day, ..budi() }));
    clinic.settle_slowly().await;
    assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 4)]));
    let sent = clinic.calls("bundle");
    // The three new visits may have been on the wire together; each is sent again once, with the id that holds.
    assert!(sent <= 1 + 3 + 3, "{sent}");
    clinic.write(
        &["2026-11-14", "2026-11-15", "2026-11-16", "2026-11-17", "2026-11-18"].map(|day| Row { day, ..budi() }),
    );
    clinic.settle().await;
    assert_eq!(clinic.calls("bundle"), sent + 1);
}

/// Whoever had the register mended says so, and need not wait for the next look.
#[tokio::test]
async fn what_is_remembered_of_a_person_can_be_forgotten_by_the_number_of_the_visit() {
    let clinic = Clinic::open(Settings { citizens: vec![mother()], ..Settings::default() }).await;
    clinic.write(&[newborn()]);
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["mother"]);
    clinic.register_mother().await;
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["mother"], "not before its time");
    clinic.daemon.forget(clinic.entry().await).await.unwrap();
    clinic.round().await;
    assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 1)]));
    let nobody = posyandu_gateway::ledger::entry::EntryId::from_number(99);
    assert!(clinic.daemon.forget(nobody).await.is_err());
}
