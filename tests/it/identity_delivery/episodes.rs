//! One episode of care for a pregnancy: opened by the first visit, taken by the next, also another facility's.

use std::collections::BTreeMap;
use std::time::Duration;

use posyandu_gateway::ledger::state::State;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::{Value, json};

use super::clinic::{Clinic, Settings};
use super::rows::{MOTHER, Row, budi, mother};

fn visits(days: &[&'static str]) -> Vec<Row> {
    let siti = Row { nik: MOTHER, name: "Siti Contoh", sex: "P", birth: "1997-07-15", weight: "58.2", ..budi() };
    days.iter().map(|day| Row { day, ..siti }).collect()
}

fn settings() -> Settings {
    Settings { patients: vec![mother()], pregnant: true, ..Settings::default() }
}

fn of<'a>(held: &'a [Value], kind: &str) -> Vec<&'a Value> {
    held.iter().filter(|one| one["resourceType"] == kind).collect()
}

/// Every visit leads to the one episode there is.
#[track_caller]
fn one_episode(clinic: &Clinic, visits: usize) -> String {
    let held = clinic.held();
    let (episodes, encounters) = (of(&held, "EpisodeOfCare"), of(&held, "Encounter"));
    assert_eq!((episodes.len(), encounters.len()), (1, visits));
    let id = format!("EpisodeOfCare/{}", episodes[0]["id"].as_str().unwrap());
    for encounter in encounters {
        assert_eq!(encounter["episodeOfCare"][0]["reference"], id.as_str());
    }
    id
}

#[tokio::test]
async fn the_first_visit_opens_the_episode_and_the_others_take_it() {
    for duplicate_check in [false, true] {
        let clinic = Clinic::open(Settings { duplicate_check, ..settings() }).await;
        clinic.write(&visits(&["2026-11-16", "2026-11-17", "2026-11-18"]));
        clinic.settle().await;
        one_episode(&clinic, 3);
        clinic.clock.advance(Duration::from_secs(2 * 24 * 3600));
        clinic.write(&visits(&["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19"]));
        clinic.settle().await;
        one_episode(&clinic, 4);
        let read = clinic
            .daemon
            .reconciliation(&clinic.daemon.lanes().unwrap())
            .await
            .read_back(None, clinic.clock.now(), &|_| {})
            .await
            .unwrap();
        assert_eq!((read.different, read.missing), (0, 0), "an episode that was taken is equal: {:?}", read.differing);
    }
}

/// An open episode that another facility manages.
fn elsewhere() -> Value {
    json!({
        "resourceType": "EpisodeOfCare", "id": "e1000000-0000-4000-8000-000000000001", "status": "active",
        "type": [{"coding": [{"system": "http://terminology.kemkes.go.id/CodeSystem/episodeofcare-type", "code": "ANC"}]}],
        "patient": {"reference": "Patient/P99000000778"},
        "managingOrganization": {"reference": "Organization/100000999"},
        "identifier": [{"system": "http://sys-ids.kemkes.go.id/episode-of-care/100000999", "value": "X"}],
    })
}

#[tokio::test]
async fn an_open_episode_of_another_facility_is_taken_also_when_an_answer_is_lost() {
    for kind in [None, Some(FaultKind::DroppedAnswer), Some(FaultKind::ServerErrorBeforeCommit)] {
        let faults = kind.map(|kind| Fault::at_calls(kind, AppliesTo::Write, &[1])).into_iter().collect();
        let clinic = Clinic::open(Settings { duplicate_check: true, faults, ..settings() }).await;
        clinic.simulator.load(&elsewhere().to_string()).unwrap();
        clinic.write(&visits(&["2026-11-18"]));
        clinic.settle().await;
        assert_eq!(one_episode(&clinic, 1), "EpisodeOfCare/e1000000-0000-4000-8000-000000000001");
    }
}

#[tokio::test]
async fn an_episode_that_the_search_does_not_show_yet_is_taken_after_the_duplicate_answer() {
    let clinic = Clinic::open(Settings { duplicate_check: true, index_lag_seconds: 20, ..settings() }).await;
    clinic.simulator.load(&elsewhere().to_string()).unwrap();
    clinic.write(&visits(&["2026-11-18"]));
    clinic.settle().await;
    assert_eq!(clinic.calls("bundle"), 2, "refused once, then sent without an episode of its own");
    one_episode(&clinic, 1);
}

#[tokio::test]
async fn several_open_episodes_or_a_hidden_one_are_for_a_person() {
    let clinic = Clinic::open(settings()).await;
    let mut other = elsewhere();
    other["id"] = json!("e1000000-0000-4000-8000-000000000002");
    clinic.simulator.load(&format!("{}\n{other}", elsewhere())).unwrap();
    clinic.write(&visits(&["2026-11-18"]));
    clinic.round().await;
    assert_eq!(clinic.blocked().await, ["episode_ambiguous"]);
    assert_eq!(clinic.calls("bundle"), 0);

    let mut finished = elsewhere();
    finished["status"] = json!("finished");
    let clinic = Clinic::open(settings()).await;
    clinic.simulator.load(&finished.to_string()).unwrap();
    clinic.write(&visits(&["2026-11-18"]));
    clinic.settle().await;
    assert_eq!(clinic.states().await, BTreeMap::from([(State::Delivered, 1)]), "a closed one is no obstacle");
}
