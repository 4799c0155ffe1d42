//! Reading back in the background: once, minutes after it was sent, never before what is due today, and a restart
//! forgets nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use posyandu_gateway::ledger::discrepancy::{Class, Owner};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::reconciliation::Reconciliation;
use posyandu_gateway::reconciliation::beside::Cursors;
use serde_json::Value;

use super::ledger::{DAY, entry, row};
use super::split::{Scene, visit};

/// As configured by default.
const AFTER: Duration = Duration::from_secs(300);

async fn look(scene: &Scene, cursors: &mut Cursors, halt: bool) -> u64 {
    let reconciliation = Reconciliation {
        ledger: Arc::clone(&scene.ledger),
        lanes: vec![scene.lane.clone()],
        clock: scene.clock.clone(),
        probe_after: vec![Duration::from_secs(5)],
    };
    let halt = AtomicBool::new(halt);
    reconciliation.read_back_unread(scene.clock.now() - AFTER, cursors, &halt).await.unwrap()
}

#[tokio::test]
async fn a_delivered_visit_is_read_back_once_when_it_is_old_enough() {
    let scene = Scene::new().await;
    let sent = scene.enter("one", &visit()).await;
    scene.drain().await;
    assert_eq!(scene.state(sent).await, State::Delivered);
    let mut cursors = Cursors::default();
    assert_eq!(look(&scene, &mut cursors, false).await, 0, "too young");
    scene.clock.advance(AFTER);
    assert_eq!(look(&scene, &mut cursors, true).await, 0, "the gateway stops");
    assert_eq!(look(&scene, &mut cursors, false).await, 1);
    let reads = scene.server.simulator.stats().calls["read"];
    assert_eq!(reads, 6, "one read for each resource");
    // What was read stands in the ledger: a restart does not read it again.
    assert_eq!(look(&scene, &mut Cursors::default(), false).await, 0);
    assert_eq!(scene.server.simulator.stats().calls["read"], reads);
    assert_eq!(scene.ledger.verification(&Filter::on(DAY)).await.unwrap().equal, 6);
    assert!(scene.ledger.discrepancies(&Filter::default(), true).await.unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_read_back_while_something_of_today_waits() {
    let scene = Scene::new().await;
    scene.enter("one", &visit()).await;
    scene.drain().await;
    let pass = scene.ledger.begin_pass("eppgbm", "b.csv").await.unwrap();
    scene.ledger.see_rows(pass, vec![row("eppgbm", "2", "bb=9,4", DAY)]).await.unwrap();
    scene.ledger.finish_pass(pass, true).await.unwrap();
    let stale = scene.ledger.stale_visits(10).await.unwrap();
    scene.ledger.enter(stale.iter().map(|visit| entry(visit, "1")).collect()).await.unwrap();
    scene.clock.advance(AFTER);
    assert!(scene.ledger.today_waits("Puskesmas A").await.unwrap());
    assert_eq!(look(&scene, &mut Cursors::default(), false).await, 0);
    assert!(!scene.server.simulator.stats().calls.contains_key("read"));
    // Once its day is over it is the backlog, beside which reading back has its share.
    scene.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(look(&scene, &mut Cursors::default(), false).await, 1);
}

#[tokio::test]
async fn what_is_about_another_person_is_told_as_that() {
    let scene = Scene::new().await;
    scene.enter("one", &visit()).await;
    scene.drain().await;
    let held = scene.server.dump();
    let mut weight: Value = held.into_iter().find(|held| held["resourceType"] == "Observation").unwrap();
    weight["subject"]["reference"] = "Patient/P00000000001".into();
    let id = weight["id"].as_str().unwrap().to_owned();
    scene.server.simulator.tamper("Observation", &id, Some(weight));
    scene.clock.advance(AFTER);
    assert_eq!(look(&scene, &mut Cursors::default(), false).await, 1);
    let found = scene.ledger.discrepancies(&Filter::default(), false).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].class, found[0].owner), (Class::WrongPerson, Owner::Puskesmas));
    assert_eq!(found[0].thing, format!("Observation/{id}"));
    assert_eq!(found[0].evidence, "Observation.subject.reference");
}
