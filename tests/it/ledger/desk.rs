//! A ledger to try things on: in a file or on a server, with rows and entries like those of a posyandu.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::attempt::{AcceptedResource, AttemptEnd};
use posyandu_gateway::ledger::entry::{Claimed, EntryId, NewEntry, NewResource};
use posyandu_gateway::ledger::row::{RowKind, RowSeen, StoredRecord, VisitHead, VisitRecords};
use posyandu_gateway::ledger::server::{LEASE_MAX, Server, Time};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::{Ledger, LedgerError, Options};
use posyandu_gateway::redact::Personal;
use posyandu_gateway::seal::Keys;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::servers::{self, OWNER, PASSWORD};

/// A name and a NIK (of no real province) that must never be found on the disk.
pub const CANARY: [&str; 3] = ["Kenari Rahasia", "1001014512230001", "Ibu Kenari"];
pub const DAY: Date = date(2026, 11, 18);

/// A ledger of its own, on a clock that stands still.
pub struct Desk {
    /// Holds the file, unless a server holds the ledger.
    pub folder: TempDir,
    pub server: Option<Server>,
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
        Self::made(None).await
    }

    /// The same in a database of its own on a server.
    pub async fn on_server() -> Self {
        Self::made(Some(server().await)).await
    }

    /// The same on this server.
    pub async fn on(server: Server) -> Self {
        Self::made(Some(server)).await
    }

    async fn made(server: Option<Server>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::generate().unwrap());
        let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
        let ledger = opened(server.as_ref(), folder.path(), &keys, &clock).await;
        Self { folder, server, keys, clock, ledger }
    }

    /// An empty one in a store of the same kind.
    pub async fn another(&self) -> Self {
        if self.server.is_some() { Self::on_server().await } else { Self::new().await }
    }

    /// A second process on the same server.
    pub async fn beside(&self) -> Ledger {
        opened(self.server.as_ref(), self.folder.path(), &self.keys, &self.clock).await
    }

    /// The same ledger after a stop without warning: only what was stored is left. On a server the leases of the dead
    /// run out first.
    pub async fn after_crash(self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["ledger.sqlite", "ledger.sqlite-wal"] {
            let from = self.folder.path().join(name);
            if from.exists() {
                std::fs::copy(from, folder.path().join(name)).unwrap();
            }
        }
        if self.server.is_some() {
            drop(self.ledger);
            self.clock.advance(LEASE_MAX);
        }
        let ledger = opened(self.server.as_ref(), folder.path(), &self.keys, &self.clock).await;
        Self { folder, server: self.server, keys: self.keys, clock: self.clock, ledger }
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

    /// Does something to the database that the ledger would not do; gives the refusal.
    pub async fn run(&self, statement: &str) -> Result<(), String> {
        let statement = sqlx::AssertSqlSafe(statement.to_owned());
        let told = |error: sqlx::Error| error.to_string();
        match &self.server {
            None => {
                let path = self.folder.path().join("ledger.sqlite");
                let mut database = SqliteConnectOptions::new().filename(path).connect().await.map_err(told)?;
                database.execute(statement).await.map(drop).map_err(told)
            }
            Some(server) => raw(server).await.execute(statement).await.map(drop).map_err(told),
        }
    }

    /// Everything that is stored, as bytes; what a server keeps as bytes is hexadecimal here.
    pub async fn stored(&self) -> Vec<u8> {
        let Some(server) = &self.server else {
            let files = std::fs::read_dir(self.folder.path()).unwrap();
            return files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
        };
        let mut database = raw(server).await;
        let tables = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut database).await.unwrap();
        assert!(tables.len() > 10, "{tables:?}");
        let mut all = String::new();
        for table in tables {
            let question = format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t");
            let rows: String =
                sqlx::query_scalar(sqlx::AssertSqlSafe(question)).fetch_one(&mut database).await.unwrap();
            all.push_str(&rows);
        }
        all.into_bytes()
    }
}

async fn raw(server: &Server) -> PgConnection {
    let options: PgConnectOptions = server.url.parse().unwrap();
    options.password(PASSWORD).connect().await.unwrap()
}

/// A database of its own on the tests' server, for a ledger whose time is the clock's.
pub async fn server() -> Server {
    let database = servers::postgres().database("").await;
    server_at(database.server.port, &database.name)
}

pub fn server_at(port: u16, name: &str) -> Server {
    Server {
        url: format!("postgres://{OWNER}@127.0.0.1:{port}/{name}"),
        password: Some(Personal::new(PASSWORD.to_owned())),
        label: format!("127.0.0.1:{port}/{name}"),
        lease_seconds: 120,
        zone: Zone::Wib,
        time: Time::Clock,
    }
}

async fn opened(server: Option<&Server>, folder: &Path, keys: &Arc<Keys>, clock: &Clock) -> Ledger {
    match server {
        None => Ledger::open(&options(folder), Arc::clone(keys), clock.clone()).await.unwrap(),
        Some(server) => Ledger::connect(server, Arc::clone(keys), clock.clone()).await.unwrap(),
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
        issues: vec![Issue::warning(Code::Value, "test.rule").with("rahasia", CANARY[0])],
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
