//! A refused visit taken apart: the bad resource is named with its cell, the rest arrives once, and a correction sends
//! only what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::delivery::retry::Policy;
use posyandu_gateway::delivery::{Delivery, LaneEnd};
use posyandu_gateway::issue::Place;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::entry::{EntryId, NewEntry, NewResource};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::reconciliation::Reconciliation;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::remote::lane::Lane;
use posyandu_gateway::remote::{Options, Remote};
use posyandu_gateway::resource::envelope::{Envelope, Practitioner, Registration};
use posyandu_gateway::seal::Keys;
use serde_json::{Value, json};

use super::ledger::{DAY, Desk, row, sha};
use super::simulator::server::{Server, options};
use super::simulator::visit::{MIDWIFE, ORGANIZATION, PATIENT, bundle};

const LANE: &str = "Puskesmas A";
/// Position of the weight, and a status that no rule allows.
const WEIGHT: usize = 2;

pub struct Scene {
    pub server: Server,
    _folder: tempfile::TempDir,
    pub clock: Clock,
    keys: Arc<Keys>,
    pub ledger: Arc<Ledger>,
    pub lane: Lane,
}

impl Scene {
    pub async fn new() -> Self {
        let server = Server::ready(options()).await;
        let desk = Desk::new().await;
        let options = Options {
            auth_url: format!("{}/oauth2/v1", server.address),
            fhir_url: format!("{}/fhir-r4/v1", server.address),
            client_id: "id".to_owned(),
            client_secret: Personal::new("secret".to_owned()),
            organization_id: ORGANIZATION.to_owned(),
            requests_per_minute: 10_000_000,
            concurrency: 8,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(5),
            extra_ca: None,
            plain_http_allowed: false,
        };
        let Desk { folder, keys, clock, ledger, .. } = desk;
        let lane = Lane::new(LANE, Remote::new(options, clock.clone()).unwrap(), "id", 8);
        Self { server, _folder: folder, clock, keys, ledger: Arc::new(ledger), lane }
    }

    /// Enters the visit with this content of its row.
    pub async fn enter(&self, content: &str, sent: &Value) -> EntryId {
        let ledger = &self.ledger;
        let pass = ledger.begin_pass("eppgbm", "a.csv").await.unwrap();
        ledger.see_rows(pass, vec![row("eppgbm", "1", content, DAY)]).await.unwrap();
        ledger.finish_pass(pass, true).await.unwrap();
        let visit = ledger.stale_visits(1).await.unwrap().remove(0);
        let stored = sent.to_string().replace(PATIENT, "{patient}").replace(MIDWIFE, "{practitioner}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let resource = |entry: &Value| NewResource {
            resource_type: text(&entry["resource"]["resourceType"]),
            identifier_system: text(&entry["resource"]["identifier"][0]["system"]),
            identifier_value: text(&entry["resource"]["identifier"][0]["value"]),
            content_hash: sha(&entry["resource"].to_string()),
            full_url: text(&entry["fullUrl"]),
        };
        let place = Place { source: "eppgbm".into(), file: "a.csv".into(), row: "2".into(), column: None };
        let person = Envelope {
            nik: "1001014512230001".into(),
            name: "Anak Contoh".into(),
            birth_date: jiff::civil::date(2023, 12, 5),
            gender: "female".into(),
            practitioner: Practitioner::Known(MIDWIFE.into()),
            mother: None,
            birth_order: None,
            registration: Registration::Off,
            row: place.clone(),
            cells: vec![(WEIGHT, "Observation.status".into(), place.column("BB"))],
        };
        let key = self.keys.hash("identity.patient", &[&person.nik, &person.name, "2023-12-05", "", ""]);
        let expires = self.clock.now() + Duration::from_secs(86_400);
        ledger.put_identity("patient", key, PATIENT, expires).await.unwrap();
        let entry = NewEntry {
            visit_key: visit.visit_key,
            revision: visit.revision,
            content_hash: sha(&stored),
            mapping_version: "1".to_owned(),
            due: self.clock.now(),
            person: Personal::new(serde_json::to_string(&person).unwrap()),
            bundle: Personal::new(stored),
            resources: sent["entry"].as_array().unwrap().iter().map(resource).collect(),
            issues: Vec::new(),
            refused: false,
        };
        ledger.enter(vec![entry]).await.unwrap();
        ledger.entries(&Filter::default(), &[State::Pending], 10).await.unwrap()[0].entry_id
    }

    /// Sends what is due, and looks up what is unknown.
    pub async fn drain(&self) -> LaneEnd {
        let delivery = Delivery {
            ledger: Arc::clone(&self.ledger),
            keys: Arc::clone(&self.keys),
            clock: self.clock.clone(),
            policy: Policy::default(),
            first_look: Duration::from_secs(5),
            looks: vec![Duration::from_secs(5)],
            halt: Arc::new(AtomicBool::new(false)),
            finished: Arc::new(AtomicU64::new(0)),
        };
        let end = delivery.drain(&self.lane).await.unwrap();
        self.clock.advance(Duration::from_secs(10));
        let reconciliation = Reconciliation {
            ledger: Arc::clone(&self.ledger),
            lanes: vec![self.lane.clone()],
            clock: self.clock.clone(),
            probe_after: vec![Duration::from_secs(5)],
        };
        reconciliation.resolve_unknown().await.unwrap();
        end
    }

    pub async fn state(&self, entry: EntryId) -> State {
        self.ledger.story(entry).await.unwrap().line.state
    }

    fn types(&self) -> Vec<String> {
        let mut types: Vec<String> =
            self.server.dump().iter().map(|held| held["resourceType"].as_str().unwrap().to_owned()).collect();
        types.sort_unstable();
        types
    }
}

pub fn visit() -> Value {
    let mut sent = bundle("a");
    sent["entry"].as_array_mut().unwrap().truncate(6);
    sent
}

/// The visit with an episode of care in front; the weight stays where it is.
pub fn visit_of_an_episode() -> Value {
    let mut sent = visit();
    let entries = sent["entry"].as_array_mut().unwrap();
    let condition = entries.remove(1);
    entries.push(condition);
    let resource = episode("visit");
    let full_url = "urn:uuid:7a1c1f0e-0000-5000-8000-0000000000ee";
    entries[0]["resource"]["episodeOfCare"] = json!([{"reference": full_url}]);
    let request = json!({"method": "POST", "url": "EpisodeOfCare"});
    entries.insert(0, json!({"fullUrl": full_url, "resource": resource, "request": request}));
    sent
}

/// A pregnancy that goes on.
fn episode(name: &str) -> Value {
    let begun = "2026-09-02T01:00:00+00:00";
    let system = format!("http://sys-ids.kemkes.go.id/episode-of-care/{ORGANIZATION}");
    json!({
        "resourceType": "EpisodeOfCare", "identifier": [{"system": system, "value": name}], "status": "active",
        "statusHistory": [{"status": "active", "period": {"start": begun}}],
        "type": [{"coding": [{
            "system": "http://terminology.kemkes.go.id/CodeSystem/episodeofcare-type", "code": "ANC",
            "display": "Antenatal Care",
        }]}],
        "patient": {"reference": format!("Patient/{PATIENT}")},
        "managingOrganization": {"reference": format!("Organization/{ORGANIZATION}")},
        "period": {"start": begun},
    })
}

fn bad(mut sent: Value, position: usize) -> Value {
    sent["entry"][position]["resource"]["status"] = json!("weighed");
    sent
}

#[tokio::test]
async fn a_bad_leaf_is_named_with_its_cell_the_rest_arrives_and_a_correction_sends_it_alone() {
    let scene = Scene::new().await;
    let entry = scene.enter("bb=wrong", &bad(visit(), WEIGHT)).await;
    let end = scene.drain().await;
    assert_eq!((end.tally.refused, end.tally.delivered), (1, 0), "{:?}", end.stop);
    assert_eq!(scene.state(entry).await, State::Refused, "delivered is only what is there entirely");
    assert_eq!(scene.types(), ["Condition", "Encounter", "Immunization", "Observation", "Procedure"]);
    let story = scene.ledger.story(entry).await.unwrap();
    let issues = &story.attempts.last().unwrap().end.as_ref().unwrap().issues;
    assert_eq!(issues.len(), 1, "{issues:?}");
    assert_eq!(issues[0].place.as_ref().unwrap().column.as_deref(), Some("BB"), "{issues:?}");
    assert!(issues[0].expression.as_ref().unwrap().starts_with("Bundle.entry[2].resource"), "{issues:?}");
    let before = scene.server.simulator.stats();
    let corrected = scene.enter("bb=9,4", &visit()).await;
    scene.drain().await;
    assert_eq!(scene.state(corrected).await, State::Delivered);
    let after = scene.server.simulator.stats();
    assert_eq!((after.creates - before.creates, after.updates - before.updates), (1, 0), "only what was missing");
    assert_eq!(after.duplicates_live, 0);
}

#[tokio::test]
async fn a_bad_part_that_the_visit_needs_refuses_it_whole() {
    for (position, needed) in [(0, "period"), (1, "code")] {
        let scene = Scene::new().await;
        let mut sent = visit();
        sent["entry"][position]["resource"].as_object_mut().unwrap().remove(needed);
        let entry = scene.enter("bb=1", &sent).await;
        scene.drain().await;
        assert_eq!(scene.state(entry).await, State::Refused);
        assert!(scene.types().is_empty(), "{:?}", scene.types());
    }
}

/// The server refuses the Bundle although it holds a part of it: a look first, then only what is missing.
#[tokio::test]
async fn a_refused_visit_that_is_there_in_part_is_looked_up_before_anything_is_sent_again() {
    let scene = Scene::new().await;
    let mut part = visit();
    part["entry"].as_array_mut().unwrap().truncate(2);
    assert_eq!(scene.server.post("", &part).await.status, 200);
    let entry = scene.enter("bb=wrong", &bad(visit(), WEIGHT)).await;
    let end = scene.drain().await;
    assert_eq!(end.tally.unknown, 1, "{end:?}");
    assert_eq!(scene.state(entry).await, State::Pending, "looked up, the rest is to be sent");
    scene.drain().await;
    assert_eq!(scene.state(entry).await, State::Refused);
    assert_eq!(scene.types(), ["Condition", "Encounter", "Immunization", "Observation", "Procedure"]);
    assert_eq!(scene.server.simulator.stats().duplicates_live, 0);
}

#[tokio::test]
async fn a_visit_of_an_episode_that_is_open_already_is_taken_apart_as_well() {
    let scene = Scene::new().await;
    let mut open = episode("elsewhere");
    open["id"] = json!("e1000000-0000-4000-8000-000000000001");
    scene.server.simulator.load(&open.to_string()).unwrap();
    let entry = scene.enter("bb=wrong", &bad(visit_of_an_episode(), WEIGHT)).await;
    scene.drain().await;
    assert_eq!(scene.state(entry).await, State::Refused);
    let types = ["Condition", "Encounter", "EpisodeOfCare", "Immunization", "Observation", "Procedure"];
    assert_eq!(scene.types(), types);
    let story = scene.ledger.story(entry).await.unwrap();
    let issues = &story.attempts.last().unwrap().end.as_ref().unwrap().issues;
    assert_eq!(issues[0].place.as_ref().unwrap().column.as_deref(), Some("BB"), "{issues:?}");
    let before = scene.server.simulator.stats();
    let corrected = scene.enter("bb=9,4", &visit_of_an_episode()).await;
    scene.drain().await;
    assert_eq!(scene.state(corrected).await, State::Delivered);
    let after = scene.server.simulator.stats();
    assert_eq!((after.creates - before.creates, after.updates - before.updates), (1, 0), "only what was missing");
}
