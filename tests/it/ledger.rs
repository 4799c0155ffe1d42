//! The ledger's promises to delivery and reconciliation, kept on a real database file.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::attempt::{AcceptedResource, AttemptEnd};
use posyandu_gateway::ledger::entry::{Claimed, EntryId, Finding, NewEntry, NewResource};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::row::{RowKind, RowSeen, StoredRecord, VisitHead, VisitRecords};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::{Ledger, LedgerError, Options};
use posyandu_gateway::redact::Personal;
use posyandu_gateway::seal::Keys;
use sha2::{Digest as _, Sha256};
use sqlx::{ConnectOptions as _, SqliteConnection};
use tempfile::TempDir;

/// A name and a NIK (of no real province) that must never be found on the disk.
pub const CANARY: [&str; 3] = ["Kenari Rahasia", "1001014512230001", "Ibu Kenari"];
pub const DAY: Date = date(2026, 11, 18);

/// A ledger in a folder of its own, on a clock that stands still.
pub struct Desk {
    pub folder: TempDir,
    pub keys: Arc<Keys>,
    pub clock: Clock,
    pub ledger: Ledger,
}

pub fn options(folder: &Path) -> Options {
    Options { path: folder.join("ledger.sqlite"), lease_seconds: 120, zone: Zone::Wib, bytes_max: None }
}

pub fn sha(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

impl Desk {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::generate().unwrap());
        let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
        let ledger = Ledger::open(&options(folder.path()), Arc::clone(&keys), clock.clone()).await.unwrap();
        Self { folder, keys, clock, ledger }
    }

    /// The same ledger after a stop without warning: only what was on the disk is left.
    pub async fn after_crash(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
            let from = self.folder.path().join(name);
            if from.exists() {
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
        }
        let ledger = Ledger::open(&options(folder.path()), Arc::clone(&self.keys), self.clock.clone()).await.unwrap();
        Self { folder, keys: self.keys, clock: self.clock, ledger }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes `number` visits of a day with an entry each.
    pub async fn visits(&self, number: usize, day: Date) {
        let pass = self.ledger.begin_pass("eppgbm", &format!("{day}.csv")).await.unwrap();
        let rows = (0..number).map(|index| row("eppgbm", &format!("{day}/{index}"), "bb=9,4", day)).collect();
        self.ledger.see_rows(pass, rows).await.unwrap();
        self.ledger.finish_pass(pass, true).await.unwrap();
        self.enter_all("1").await;
    }

    /// Makes entries of all stale visits, as ingest would.
    pub async fn enter_all(&self, mapping: &str) -> usize {
        let stale = self.ledger.stale_visits(10_000).await.unwrap();
        let entries = stale.iter().map(|visit| entry(visit, mapping)).collect::<Vec<_>>();
        let number = entries.len();
        self.ledger.enter(entries).await.unwrap();
        number
    }

    pub async fn claim_one(&self) -> Claimed {
        self.ledger.claim("Puskesmas A", 1).await.unwrap().remove(0)
    }

    pub async fn state(&self, entry: EntryId) -> State {
        let story = self.ledger.story(entry).await.unwrap();
        let events: Vec<Event> = story.events.iter().filter_map(|line| line.event.clone()).collect();
        let replayed = events.iter().try_fold(State::Pending, |state, event| state.after(event)).unwrap();
        assert_eq!(replayed, story.line.state, "the history must tell the state");
        story.line.state
    }

    pub async fn deliver(&self, claimed: &Claimed) -> Result<State, LedgerError> {
        let entry = &claimed.entry;
        let attempt = self.ledger.begin_attempt(entry.entry_id, &claimed.lease, sha("request")).await?;
        let end = AttemptEnd { status: Some(200), accepted: accepted(claimed), ..AttemptEnd::default() };
        self.ledger.end_attempt(attempt, &claimed.lease, Event::Accepted, end).await
    }

    pub async fn database(&self) -> SqliteConnection {
        let path = self.folder.path().join("ledger.sqlite");
        sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap()
    }
}

pub fn row(source: &str, key: &str, content: &str, day: Date) -> RowSeen {
    let visit_key = sha(&format!("visit/{key}"));
    let json = format!(r#"{{"nama":"{}","nik":"{}","isi":"{content}"}}"#, CANARY[0], CANARY[1]);
    let record = StoredRecord {
        dataset: "kunjungan_balita".to_owned(),
        record_key: sha("kunjungan_balita"),
        json,
        columns: vec![("bb".to_owned(), "BB".to_owned())],
        series: None,
    };
    RowSeen {
        place: Place { source: source.into(), file: "a.csv".into(), row: "2".to_owned(), column: None },
        row_key: sha(key),
        hash: sha(content),
        outcome: RowKind::Records { visit_key, visit: head(day), records: vec![record] },
        issues: Vec::new(),
        puskesmas: None,
        posyandu: None,
        service_date: None,
    }
}

pub fn head(day: Date) -> VisitHead {
    let (puskesmas, posyandu) = ("Puskesmas A".to_owned(), "P01".to_owned());
    VisitHead { puskesmas, posyandu, service_date: day, zone: Zone::Wib, due: Timestamp::UNIX_EPOCH }
}

pub fn entry(visit: &VisitRecords, mapping: &str) -> NewEntry {
    let content: String = visit.records.iter().map(|record| record.record.json.as_str()).collect();
    let resource = |resource_type: &str, content: &str| NewResource {
        resource_type: resource_type.to_owned(),
        identifier_system: "urn:test".to_owned(),
        identifier_value: format!("{resource_type}{}", visit.visit_key[0]),
        content_hash: sha(content),
        full_url: "urn:uuid:1".to_owned(),
    };
    NewEntry {
        visit_key: visit.visit_key,
        revision: visit.revision,
        content_hash: sha(&format!("{content}{mapping}")),
        mapping_version: mapping.to_owned(),
        due: visit.visit.due,
        person: Personal::new(CANARY[1].to_owned()),
        bundle: Personal::new(format!("{}{content}", CANARY[2])),
        resources: vec![resource("Encounter", "encounter"), resource("Observation", &content)],
        issues: vec![Issue::warning(Code::Value, "test.rule").with("nilai", CANARY[0])],
        refused: false,
    }
}

pub fn accepted(claimed: &Claimed) -> Vec<AcceptedResource> {
    let accepted = |resource: &posyandu_gateway::ledger::entry::EntryResource| AcceptedResource {
        position: resource.position,
        resource_type: resource.resource_type.clone(),
        id: format!("id-{}", resource.position),
        version: Some("1".to_owned()),
    };
    claimed.entry.resources.iter().map(accepted).collect()
}

#[tokio::test]
async fn a_claim_is_won_by_one() {
    let desk = Desk::new().await;
    desk.visits(10, DAY).await;
    let (one, two) = tokio::join!(desk.ledger.claim("Puskesmas A", 10), desk.ledger.claim("Puskesmas A", 10));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 10);
    assert!(desk.ledger.claim("Puskesmas A", 10).await.unwrap().is_empty());
    assert!(desk.ledger.claim("Puskesmas B", 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn today_comes_first_then_the_oldest() {
    let desk = Desk::new().await;
    for day in [date(2026, 11, 16), DAY, date(2026, 11, 10)] {
        desk.visits(1, day).await;
    }
    let one = desk.claim_one().await;
    let rest = desk.ledger.claim("Puskesmas A", 5).await.unwrap();
    let days: Vec<Date> = std::iter::once(&one).chain(&rest).map(|claimed| claimed.entry.service_date).collect();
    assert_eq!(days, [DAY, date(2026, 11, 10), date(2026, 11, 16)]);
}

#[tokio::test]
async fn a_lost_lease_may_neither_send_nor_answer() {
    let desk = Desk::new().await;
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

#[tokio::test]
async fn a_crash_leaves_begun_sends_unknown_and_the_rest_pending() {
    let desk = Desk::new().await;
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

#[tokio::test]
async fn delivered_needs_a_server_id_for_every_resource() {
    let desk = Desk::new().await;
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

#[tokio::test]
async fn attempts_are_spent_only_on_answers_nobody_could_classify() {
    let desk = Desk::new().await;
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

#[tokio::test]
async fn a_person_waives_and_retries_with_a_reason() {
    let desk = Desk::new().await;
    desk.visits(1, DAY).await;
    let entry = desk.ledger.entries(&Filter::default(), &[], 5).await.unwrap()[0].entry_id;
    let ledger = &desk.ledger;
    assert_eq!(ledger.decide(entry, Event::WaivedBy, "di luar wilayah").await.unwrap(), State::Waived);
    let retry = Event::RetryCommanded { due: desk.now() };
    assert_eq!(ledger.decide(entry, retry.clone(), "salah tekan").await.unwrap(), State::Pending);
    assert!(matches!(ledger.decide(entry, retry, "lagi").await, Err(LedgerError::Illegal(_))));
    assert!(matches!(ledger.decide(entry, Event::Accepted, "").await, Err(LedgerError::NotADecision(_))));
}

#[tokio::test]
async fn many_writes_share_one_sync() {
    let desk = Arc::new(Desk::new().await);
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
    let mut database = desk.database().await;
    sqlx::query("PRAGMA user_version = 99").execute(&mut database).await.unwrap();
    let (options, keys) = (options(desk.folder.path()), Arc::clone(&desk.keys));
    desk.ledger.close().await.unwrap();
    let opened = Ledger::open(&options, Arc::clone(&keys), desk.clock.clone()).await;
    assert!(matches!(opened, Err(LedgerError::Newer { found: 99, .. })), "{opened:?}");
    sqlx::query("PRAGMA application_id = 7").execute(&mut database).await.unwrap();
    let opened = Ledger::open(&options, keys, desk.clock.clone()).await;
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

#[tokio::test]
async fn what_was_found_is_kept_when_the_rest_is_sent_again_or_corrected() {
    let desk = Desk::new().await;
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
