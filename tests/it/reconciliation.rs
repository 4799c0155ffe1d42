//! Unknown outcomes and delivered visits against a server that holds all, some, none or something else of them.

use std::sync::Arc;
use std::time::Duration;

use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::attempt::{AcceptedResource, AttemptEnd};
use posyandu_gateway::ledger::entry::{Claimed, EntryId, NewEntry, NewResource};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::reconciliation::Reconciliation;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::remote::lane::Lane;
use posyandu_gateway::remote::{Options, Remote};
use posyandu_gateway::resource::bundle::fill;
use serde_json::{Value, json};

use super::ledger::{DAY, Desk, row, sha};
use super::simulator::server::{Server, options};
use super::simulator::visit::{MIDWIFE, ORGANIZATION, PATIENT, bundle};

const LANE: &str = "Puskesmas A";
const PROBES: [u64; 3] = [5, 60, 600];

/// A simulator and a ledger with one visit whose send has begun.
struct Scene {
    server: Server,
    clock: posyandu_gateway::clock::Clock,
    folder: tempfile::TempDir,
    ledger: Arc<Ledger>,
    claimed: Claimed,
    attempt: posyandu_gateway::ledger::attempt::AttemptId,
    bundle: Value,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::ready(options()).await;
        let desk = Desk::new().await;
        let pass = desk.ledger.begin_pass("eppgbm", "a.csv").await.unwrap();
        desk.ledger.see_rows(pass, vec![row("eppgbm", "1", "bb=9,4", DAY)]).await.unwrap();
        desk.ledger.finish_pass(pass, true).await.unwrap();
        let visit = desk.ledger.stale_visits(1).await.unwrap().remove(0);
        // The types a posyandu visit really consists of.
        let mut sent = bundle("a");
        sent["entry"].as_array_mut().unwrap().truncate(6);
        let stored = sent.to_string().replace(PATIENT, "{patient}").replace(MIDWIFE, "{practitioner}");
        let resource = |entry: &Value| NewResource {
            resource_type: text(&entry["resource"]["resourceType"]),
            identifier_system: text(&entry["resource"]["identifier"][0]["system"]),
            identifier_value: text(&entry["resource"]["identifier"][0]["value"]),
            content_hash: sha(&entry["resource"].to_string()),
            full_url: text(&entry["fullUrl"]),
        };
        let entry = NewEntry {
            visit_key: visit.visit_key,
            revision: visit.revision,
            content_hash: sha(&stored),
            mapping_version: "1".to_owned(),
            due: desk.now(),
            person: Personal::new("{}".to_owned()),
            bundle: Personal::new(stored.clone()),
            resources: sent["entry"].as_array().unwrap().iter().map(resource).collect(),
            issues: Vec::new(),
            refused: false,
        };
        desk.ledger.enter(vec![entry]).await.unwrap();
        let claimed = desk.claim_one().await;
        let attempt = desk.ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("r")).await.unwrap();
        let filled = serde_json::from_str(&fill(&stored, PATIENT, MIDWIFE)).unwrap();
        let Desk { folder, clock, ledger, .. } = desk;
        Self { server, clock, folder, ledger: Arc::new(ledger), claimed, attempt, bundle: filled }
    }

    fn reconciliation(&self, address: &str, secret: &str) -> Reconciliation {
        let options = Options {
            auth_url: format!("{address}/oauth2/v1"),
            fhir_url: format!("{address}/fhir-r4/v1"),
            client_id: "id".to_owned(),
            client_secret: Personal::new(secret.to_owned()),
            organization_id: ORGANIZATION.to_owned(),
            requests_per_minute: 10_000_000,
            concurrency: 8,
            connect_timeout: Duration::from_secs(2),
            request_timeout: Duration::from_secs(5),
            extra_ca: None,
            plain_http_allowed: false,
        };
        let lane = Lane::new(LANE, Remote::new(options, self.clock.clone()).unwrap(), "id", 8);
        Reconciliation {
            ledger: Arc::clone(&self.ledger),
            lanes: vec![lane],
            clock: self.clock.clone(),
            probe_after: PROBES.map(Duration::from_secs).to_vec(),
        }
    }

    fn usual(&self) -> Reconciliation {
        self.reconciliation(&self.server.address, "secret")
    }

    fn entry(&self) -> EntryId {
        self.claimed.entry.entry_id
    }

    async fn end(&self, event: Event, accepted: Vec<AcceptedResource>) {
        let end = AttemptEnd { accepted, ..AttemptEnd::default() };
        self.ledger.end_attempt(self.attempt, &self.claimed.lease, event, end).await.unwrap();
    }

    async fn lose_the_answer(&self) {
        let due = self.clock.now() + Duration::from_secs(PROBES[0]);
        self.end(Event::NoAnswer { due }, Vec::new()).await;
        self.clock.advance(Duration::from_secs(PROBES[0]));
    }

    /// Sends the first `number` resources and returns what the server made of them.
    async fn arrive(&self, number: usize) -> Vec<AcceptedResource> {
        let mut part = self.bundle.clone();
        part["entry"].as_array_mut().unwrap().truncate(number);
        let answer = self.server.post("", &part).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let held = self.server.dump();
        let of = |(position, sent): (usize, &Value)| {
            let own = &sent["resource"]["identifier"][0];
            let held = held.iter().find(|held| held["identifier"][0] == *own).unwrap();
            AcceptedResource {
                position: u32::try_from(position).unwrap(),
                resource_type: text(&held["resourceType"]),
                id: text(&held["id"]),
                version: Some("1".to_owned()),
            }
        };
        part["entry"].as_array().unwrap().iter().enumerate().map(of).collect()
    }

    /// Somebody changes a weight at the server.
    async fn tamper(&self) {
        let held = self.server.dump();
        let mut weight = held.into_iter().find(|held| held["code"]["coding"][0]["code"] == "29463-7").unwrap();
        weight["valueQuantity"]["value"] = json!(11.2);
        weight.as_object_mut().unwrap().remove("meta");
        let answer = self.server.put(&format!("/Observation/{}", text(&weight["id"])), &weight).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    async fn state(&self) -> State {
        assert!(self.folder.path().exists());
        self.ledger.story(self.entry()).await.unwrap().line.state
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_send_that_arrived_without_an_answer_is_found_and_read_back_equal() {
    let scene = Scene::new().await;
    let expected = scene.arrive(6).await;
    scene.lose_the_answer().await;
    let tally = scene.usual().resolve_unknown().await.unwrap();
    assert_eq!((tally.found_equal, tally.untouched, tally.stopped.len()), (1, 0, 0));
    assert_eq!(scene.state().await, State::Delivered);
    let loaded = scene.ledger.load(&[scene.entry()]).await.unwrap().remove(0);
    let ids: Vec<String> = loaded.resources.iter().map(|resource| resource.server_id.clone().unwrap()).collect();
    assert_eq!(ids, expected.iter().map(|accepted| accepted.id.clone()).collect::<Vec<_>>());

    let told = std::sync::atomic::AtomicU64::new(0);
    let progress = |done: u64| told.store(done, std::sync::atomic::Ordering::SeqCst);
    let before = scene.clock.now() + Duration::from_secs(1);
    let read = scene.usual().read_back(Some(DAY), before, &progress).await.unwrap();
    assert_eq!((read.equal, read.different, read.missing, read.hidden, read.failed), (6, 0, 0, 0, 0));
    assert_eq!(told.into_inner(), 1);
    assert_eq!(scene.ledger.verification(&Filter::on(DAY)).await.unwrap().equal, 6);
}

#[tokio::test]
async fn a_send_that_never_arrived_is_handed_back_after_the_last_look() {
    let scene = Scene::new().await;
    scene.lose_the_answer().await;
    let reconciliation = scene.usual();
    for wait in [55, 540] {
        let tally = reconciliation.resolve_unknown().await.unwrap();
        assert_eq!((tally.still_unknown, tally.not_found), (1, 0));
        assert_eq!(reconciliation.resolve_unknown().await.unwrap().still_unknown, 0, "not before its time");
        scene.clock.advance(Duration::from_secs(wait));
    }
    assert_eq!(reconciliation.resolve_unknown().await.unwrap().not_found, 1);
    assert_eq!(scene.state().await, State::Pending);
}

#[tokio::test]
async fn other_content_under_the_same_identifier_goes_to_a_person() {
    let scene = Scene::new().await;
    scene.arrive(6).await;
    scene.tamper().await;
    scene.lose_the_answer().await;
    assert_eq!(scene.usual().resolve_unknown().await.unwrap().found_different, 1);
    assert_eq!(scene.state().await, State::Refused);
    let loaded = scene.ledger.load(&[scene.entry()]).await.unwrap().remove(0);
    let known =
        |resource: &posyandu_gateway::ledger::entry::EntryResource| resource.server_id.is_some() && !resource.unchanged;
    assert!(loaded.resources.iter().all(known), "a correction or a retry must replace what is there");
}

#[tokio::test]
async fn a_part_that_arrived_is_not_sent_again() {
    let scene = Scene::new().await;
    let arrived = scene.arrive(2).await;
    scene.lose_the_answer().await;
    let reconciliation = scene.usual();
    for wait in [55, 540] {
        assert_eq!(reconciliation.resolve_unknown().await.unwrap().still_unknown, 1);
        scene.clock.advance(Duration::from_secs(wait));
    }
    assert_eq!(reconciliation.resolve_unknown().await.unwrap().not_found, 1);
    assert_eq!(scene.state().await, State::Pending);
    let claimed = scene.ledger.claim(LANE, 1).await.unwrap().remove(0);
    for (position, resource) in claimed.entry.resources.iter().enumerate() {
        let expected = arrived.get(position).map(|accepted| accepted.id.clone());
        assert_eq!((&resource.server_id, resource.unchanged), (&expected, expected.is_some()));
    }
}

#[tokio::test]
async fn what_changed_or_vanished_after_delivery_is_named_by_its_path() {
    let scene = Scene::new().await;
    let mut accepted = scene.arrive(6).await;
    accepted[4].id = "00000000-0000-4000-8000-00000000dead".to_owned();
    scene.end(Event::Accepted, accepted).await;
    scene.tamper().await;
    let before = scene.clock.now() + Duration::from_secs(1);
    let read = scene.usual().read_back(None, before, &|_| {}).await.unwrap();
    assert_eq!((read.equal, read.different, read.missing), (4, 1, 1));
    let paths: Vec<(&str, Vec<&str>)> = read
        .differing
        .iter()
        .map(|one| {
            let paths = one.differences.iter().map(|difference| difference.path.as_str()).collect();
            (one.resource_type.as_str(), paths)
        })
        .collect();
    let expected = [("Observation", vec!["Observation.valueQuantity.value"]), ("Procedure", vec![])];
    assert_eq!(paths, expected);
    assert_eq!(scene.state().await, State::Delivered, "reading back changes no state");
}

#[tokio::test]
async fn an_outage_only_waits_and_wrong_credentials_stop_the_lane() {
    let scene = Scene::new().await;
    scene.lose_the_answer().await;
    let tally = scene.reconciliation(&scene.server.address, "wrong").resolve_unknown().await.unwrap();
    assert_eq!((tally.untouched, tally.still_unknown), (1, 0));
    assert!(tally.stopped[0].configuration && tally.stopped[0].lane == LANE);
    assert_eq!(scene.ledger.unknown_due(5).await.unwrap()[0].probes, 0);

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let reconciliation = scene.reconciliation(&format!("http://{nobody}"), "secret");
    for _ in 0..4 {
        assert_eq!(reconciliation.resolve_unknown().await.unwrap().still_unknown, 1);
        scene.clock.advance(Duration::from_secs(120));
    }
    assert_eq!(scene.state().await, State::Unknown);
}
