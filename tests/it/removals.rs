//! What vanished from the records stays at the server until a person decides; then it is marked, never deleted.

use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::removal::{Removal, RemovalState};
use posyandu_gateway::ledger::state::State;
use serde_json::Value;

use super::split::{Scene, visit, visit_of_an_episode};

/// Position of the procedure, which nothing refers to.
const PROCEDURE: usize = 4;

async fn listed(scene: &Scene) -> Vec<Removal> {
    scene.ledger.propose_removals().await.unwrap();
    scene.ledger.removals().await.unwrap()
}

fn held(scene: &Scene, kind: &str) -> Value {
    let mut all = scene.server.dump().into_iter().filter(|held| held["resourceType"] == kind);
    let one = all.next().unwrap();
    assert!(all.next().is_none(), "{kind} is there once");
    one
}

#[tokio::test]
async fn what_a_correction_leaves_out_is_proposed_confirmed_and_marked_and_can_come_back() {
    let scene = Scene::new().await;
    let first = scene.enter("one", &visit()).await;
    scene.drain().await;
    assert_eq!(scene.state(first).await, State::Delivered);
    assert!(listed(&scene).await.is_empty());
    let mut shorter = visit();
    shorter["entry"].as_array_mut().unwrap().remove(PROCEDURE);
    let second = scene.enter("two", &shorter).await;
    scene.drain().await;
    assert_eq!(scene.state(second).await, State::Delivered);
    let proposed = listed(&scene).await;
    assert_eq!(proposed.len(), 1, "{proposed:?}");
    assert_eq!((proposed[0].state, proposed[0].resource_type.as_str()), (RemovalState::Proposed, "Procedure"));
    assert_eq!(listed(&scene).await.len(), 1, "proposed once");
    scene.drain().await;
    assert_eq!(held(&scene, "Procedure")["status"], "completed", "nobody has decided yet");

    let numbers = [proposed[0].number];
    assert_eq!(scene.ledger.decide_removals(&numbers, true, "one", "recorded twice").await.unwrap(), 1);
    assert_eq!(scene.ledger.decide_removals(&numbers, true, "one", "recorded twice").await.unwrap(), 1);
    let other = scene.ledger.decide_removals(&numbers, false, "one", "no").await;
    assert!(matches!(other, Err(LedgerError::CommandUsed)), "{other:?}");
    scene.drain().await;
    let after = scene.ledger.removals().await.unwrap();
    assert_eq!(held(&scene, "Procedure")["status"], "entered-in-error", "{after:?}");
    let done = listed(&scene).await;
    assert_eq!(done[0].state, RemovalState::Done);
    assert_eq!(done[0].decision.as_ref().unwrap().2, "recorded twice");
    let updates = scene.server.simulator.stats().updates;
    scene.drain().await;
    assert_eq!(scene.server.simulator.stats().updates, updates, "marked once");

    let third = scene.enter("three", &visit()).await;
    scene.drain().await;
    assert_eq!(scene.state(third).await, State::Delivered);
    assert_eq!(held(&scene, "Procedure")["status"], "completed", "it is told of again, under the same id");
}

#[tokio::test]
async fn what_is_rejected_stays_as_it_is() {
    let scene = Scene::new().await;
    scene.enter("one", &visit()).await;
    scene.drain().await;
    let mut shorter = visit();
    shorter["entry"].as_array_mut().unwrap().remove(PROCEDURE);
    scene.enter("two", &shorter).await;
    scene.drain().await;
    let numbers: Vec<i64> = listed(&scene).await.iter().map(|removal| removal.number).collect();
    scene.ledger.decide_removals(&numbers, false, "no", "moved to another file").await.unwrap();
    scene.drain().await;
    assert_eq!(held(&scene, "Procedure")["status"], "completed");
    assert_eq!(listed(&scene).await[0].state, RemovalState::Rejected);
}

/// An episode can only be changed by a PATCH.
#[tokio::test]
async fn an_episode_that_was_opened_in_error_is_patched() {
    let scene = Scene::new().await;
    let first = scene.enter("one", &visit_of_an_episode()).await;
    scene.drain().await;
    assert_eq!(scene.state(first).await, State::Delivered);
    let second = scene.enter("two", &visit()).await;
    scene.drain().await;
    assert_eq!(scene.state(second).await, State::Delivered);
    let proposed = listed(&scene).await;
    let episode = proposed.iter().find(|one| one.resource_type == "EpisodeOfCare").unwrap();
    scene.ledger.decide_removals(&[episode.number], true, "one", "not pregnant").await.unwrap();
    scene.drain().await;
    let after = scene.ledger.removals().await.unwrap();
    assert_eq!(held(&scene, "EpisodeOfCare")["status"], "entered-in-error", "{after:?}");
    assert_eq!(scene.server.simulator.stats().calls["patch"], 1);
    assert!(listed(&scene).await.iter().all(|one| one.state == RemovalState::Done));
}
