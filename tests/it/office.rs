//! The sample city in a folder of its own: the gateway's files, and a simulated SATUSEHAT in this process.
//!
//! What the server holds and what the ledger says are compared here, each counted from its own side.

mod books;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::config::Config;
use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::config::ledger::LedgerHome;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::server::{Server as PostgreSql, Time};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::observed::Observed;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::simulator::fault::Fault;
use posyandu_gateway::simulator::options::{Client, Options};
use posyandu_gateway::simulator::people::People;
use posyandu_gateway::simulator::quota::Quota;
use posyandu_gateway::simulator::{self, Simulator};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::servers::{Database, OWNER, PASSWORD, Server};

use books::by_identifier;
pub use books::{Books, agree, sound};

/// Most entries read in one list; the sample has some hundred.
const ENTRIES_MAX: u32 = 100_000;
/// 15:30 WIB on the sample's day: every posyandu has closed.
pub const AFTERNOON: &str = "2026-11-18T08:30:00Z";
/// One look at what is due per call; the test moves the clock in between.
const STEP_BY_STEP: &str = "concurrency = 4\nprobe_after_seconds = [1, 30]\nonce_seconds = 0";
/// Runs until nothing waits, at most.
const RUNS_MAX: u32 = 2_000;
/// Shortest step of the clock between two runs, so that what waits a little longer is taken along.
const STEP_MIN: Duration = Duration::from_secs(60);
/// The sample's own address of the simulator.
const SAMPLE_ADDRESS: &str = "127.0.0.1:8210";

/// What differs between the tests.
pub struct Setting {
    pub duplicate_check: bool,
    pub faults: Vec<Fault>,
    pub seed: u64,
    pub clock: Clock,
    /// Content of `[delivery]`.
    pub delivery: &'static str,
    /// Seconds until a search finds what was written.
    pub index_lag_seconds: u64,
    /// Up to so many more, another number for each resource.
    pub index_lag_jitter_seconds: u64,
    /// Longest Bundle that is taken.
    pub bundle_entries_max: Option<usize>,
    /// Hidden limits of calls per client.
    pub quotas: Vec<Quota>,
    /// One patient in so many is not known to the server; 0 leaves all of the sample's.
    pub unknown_every: usize,
    /// The PostgreSQL that holds the ledger; without one it is a file.
    pub server: Option<&'static Server>,
}

impl Default for Setting {
    /// A server without faults that takes everything twice, on the afternoon of the sample's day.
    fn default() -> Self {
        let clock = Clock::manual(AFTERNOON.parse().unwrap());
        Self {
            duplicate_check: false,
            faults: Vec::new(),
            seed: 1,
            clock,
            delivery: STEP_BY_STEP,
            index_lag_seconds: 0,
            index_lag_jitter_seconds: 0,
            bundle_entries_max: None,
            quotas: Vec::new(),
            unknown_every: 0,
            server: None,
        }
    }
}

/// A folder with the city and its server.
pub struct Office {
    pub folder: TempDir,
    pub simulator: Arc<Simulator>,
    pub clock: Clock,
    /// Where the ledger is, unless in a file.
    pub database: Option<Database>,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Office {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A database for a ledger.
pub async fn database(server: Option<&'static Server>) -> Option<Database> {
    match server {
        Some(server) => Some(server.database("").await),
        None => None,
    }
}

/// The section of a configuration in this folder whose ledger is in a database.
pub fn in_database(folder: &Path, database: &Database) -> String {
    std::fs::write(folder.join("sandi-buku.txt"), PASSWORD).unwrap();
    let (port, name) = (database.server.port, &database.name);
    format!("[ledger]\nurl = \"postgres://{OWNER}@127.0.0.1:{port}/{name}\"\npassword_file = \"sandi-buku.txt\"\n")
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kota-contoh")
}

/// The sample's people without one patient in so many.
fn people(unknown_every: usize) -> People {
    let text = std::fs::read_to_string(sample().join("simulator.json")).unwrap();
    let mut known: Value = serde_json::from_str(&text).unwrap();
    let mut number = 0;
    known["patients"].as_array_mut().unwrap().retain(|_| {
        number += 1;
        unknown_every == 0 || number % unknown_every != 0
    });
    People::from_json(&known.to_string()).unwrap()
}

impl Office {
    /// Copies the city without the files of Puskesmas Selatan and starts its server. Keys and an empty ledger are taken from `storage` when given.
    pub async fn open(setting: Setting, storage: Option<&Path>) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        copy(&sample(), folder.path());
        let file = folder.path().join("posyandu-gateway.toml");
        std::fs::write(&file, crate::city::without_selatan(&std::fs::read_to_string(&file).unwrap())).unwrap();
        let config = Config::load(&file, std::iter::empty()).unwrap();
        let mut options = Options {
            duplicate_check: setting.duplicate_check,
            faults: setting.faults,
            seed: setting.seed,
            index_lag_seconds: setting.index_lag_seconds,
            index_lag_jitter_seconds: setting.index_lag_jitter_seconds,
            bundle_entries_max: setting.bundle_entries_max,
            quotas: setting.quotas,
            people: people(setting.unknown_every),
            ..Options::default()
        };
        for puskesmas in &config.puskesmas {
            let client_secret = format!("secret of {}", puskesmas.client_id);
            std::fs::write(config.path(&puskesmas.client_secret_file), &client_secret).unwrap();
            let (client_id, organization_id) = (puskesmas.client_id.clone(), puskesmas.organization_id.clone());
            options.clients.push(Client { client_id, client_secret, organization_id });
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let file = folder.path().join("posyandu-gateway.toml");
        let text = std::fs::read_to_string(&file).unwrap().replace(SAMPLE_ADDRESS, &address);
        let database = database(setting.server).await;
        let ledger = database.as_ref().map(|database| in_database(folder.path(), database)).unwrap_or_default();
        std::fs::write(&file, format!("{text}\n[delivery]\n{}\n{ledger}", setting.delivery)).unwrap();
        if let Some(storage) = storage {
            copy(storage, &folder.path().join("posyandu-data"));
        }
        let simulator = Arc::new(Simulator::new(options, setting.clock.clone()).unwrap());
        let served = Arc::clone(&simulator);
        let serving =
            tokio::spawn(async move { simulator::run(listener, served, std::future::pending()).await.unwrap() });
        Self { folder, simulator, clock: setting.clock, database, serving }
    }

    /// Keeps the first rows of each source only; returns after the files are written.
    pub async fn shorten(&self, rows: usize) {
        for name in ["puskesmas-utara-eppgbm.csv", "puskesmas-tengah-register.csv"] {
            let path = self.folder.path().join(name);
            let bytes = std::fs::read(&path).unwrap();
            let kept: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').take(rows).collect();
            std::fs::write(&path, kept.concat()).unwrap();
        }
        let path = self.folder.path().join("puskesmas-timur-aplikasi.sqlite");
        let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        for table in ["penimbangans", "imunisasis"] {
            let text = format!("DELETE FROM {table} WHERE balita_id > {rows}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut database).await.unwrap();
        }
        database.close().await.unwrap();
    }

    pub fn config(&self) -> Config {
        Config::load(&self.folder.path().join("posyandu-gateway.toml"), std::iter::empty()).unwrap()
    }

    /// The gateway as a library, on this folder and on the server's clock.
    pub async fn daemon(&self) -> Daemon {
        self.daemon_with(assets::rules_for_work(None).unwrap()).await
    }

    /// The same with rules that were loaded before.
    pub async fn daemon_with(&self, rules: Rules) -> Daemon {
        let config = self.config();
        let key_file = config.key_file();
        if !key_file.exists() {
            std::fs::create_dir_all(key_file.parent().unwrap()).unwrap();
            Keys::create(&key_file).unwrap();
        }
        let keys = Arc::new(Keys::load(&key_file).unwrap());
        let ledger = match config.ledger_home().unwrap() {
            LedgerHome::File(options) => Ledger::open(&options, Arc::clone(&keys), self.clock.clone()).await,
            LedgerHome::Server(server) => {
                let server = PostgreSql { time: Time::Clock, ..*server };
                Ledger::connect(&server, Arc::clone(&keys), self.clock.clone()).await
            }
        };
        let ledger = ledger.unwrap();
        let (ledger, halt) = (Arc::new(ledger), Arc::new(AtomicBool::new(false)));
        Daemon { config, rules, clock: self.clock.clone(), keys, ledger, halt, observed: Observed::default() }
    }

    /// Runs again and again, each run with fresh connections and the clock moved on, until nothing waits but
    /// `blocked` visits. Returns the number of runs.
    pub async fn settle(&self, daemon: &Daemon, blocked: usize) -> u32 {
        for run in 1..=RUNS_MAX {
            daemon.once(&|_| {}).await.unwrap();
            let books = Books::read(&daemon.ledger).await;
            if books.waits() == 0 && books.in_state(State::Blocked) <= blocked {
                return run;
            }
            let waiting = [State::Pending, State::InFlight, State::Unknown, State::Blocked];
            let due = books.lines.iter().filter(|line| waiting.contains(&line.state)).map(|line| line.due).min();
            let wait = due.unwrap().duration_since(self.clock.now());
            self.clock.advance(Duration::try_from(wait).unwrap_or_default().max(STEP_MIN));
        }
        panic!("visits still wait after {RUNS_MAX} runs: {:?}", Books::read(&daemon.ledger).await.counts);
    }

    /// What the server holds, one value per resource.
    pub fn held(&self) -> Vec<Value> {
        let mut bytes = Vec::new();
        self.simulator.dump(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The server's resources by type and identifier, with references made comparable.
    pub fn contents(&self) -> BTreeMap<String, String> {
        by_identifier(&self.held()).into_iter().map(|(key, (_, content))| (key, content)).collect()
    }

    /// The ledger as it was stored.
    pub async fn ledger(&self) -> Ledger {
        let config = self.config();
        let keys = Arc::new(Keys::load(&config.key_file()).unwrap());
        let ledger = match config.ledger_home().unwrap() {
            LedgerHome::File(options) => Ledger::open_read_only(&options, keys, Clock::System).await,
            LedgerHome::Server(server) => Ledger::connect_read_only(&server, keys, Clock::System).await,
        };
        ledger.unwrap()
    }

    /// Lets visits go on that the process died over three times before their send began, as a person would; gives their
    /// number. Kills may hit an innocent one so often (faults.md, design rule 6); any other end stays as it is.
    pub async fn retry_what_died_three_times(&self) -> u64 {
        let ledger = self.ledger().await;
        let mut struck = Vec::new();
        for line in Books::read(&ledger).await.lines.iter().filter(|line| line.state == State::Exhausted) {
            let story = ledger.story(line.entry_id).await.unwrap();
            if let [.., claimed, spent] = &*story.events
                && (&claimed.event, &spent.event) == (&Some(Event::Claimed), &Some(Event::AttemptsSpent))
            {
                struck.push(line.entry_id);
            }
        }
        if struck.is_empty() {
            return 0;
        }
        drop(ledger);
        let ledger = self.daemon().await.ledger;
        for &entry in &struck {
            ledger.decide(entry, Event::RetryCommanded { due: self.clock.now() }, "mati tiga kali").await.unwrap();
        }
        Arc::into_inner(ledger).unwrap().close().await.unwrap();
        struck.len() as u64
    }

    /// As if a while had passed: a lane that was stopped may be tried again, and a token asked for.
    pub async fn rest(&self) {
        let forget = "DELETE FROM lane_note WHERE kind IN ('stopped', 'token_asked')";
        if let Some(database) = &self.database {
            self.outlast_leases().await;
            let known = "to_regclass('lane_note') IS NOT NULL";
            database.run(&format!("DO $$ BEGIN IF {known} THEN {forget}; END IF; END $$")).await;
            return;
        }
        let file = self.folder.path().join("posyandu-data/ledger.sqlite");
        let mut database = SqliteConnectOptions::new().filename(file).create_if_missing(false).connect().await.unwrap();
        let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'lane_note'";
        if sqlx::query_scalar::<_, i64>(table).fetch_one(&mut database).await.unwrap() > 0 {
            sqlx::raw_sql(forget).execute(&mut database).await.unwrap();
        }
        database.close().await.unwrap();
    }

    /// As if the time of a killed process had run out: the leases on a server are ended by nobody else.
    pub async fn outlast_leases(&self) {
        let Some(database) = &self.database else { return };
        let expire = "UPDATE entry SET lease_until = 1 WHERE state = 'in_flight';
            UPDATE registration SET lease_until = 1 WHERE state = 'sending';
            UPDATE reading SET held_until = 1;";
        database.run(&format!("DO $$ BEGIN IF to_regclass('reading') IS NOT NULL THEN {expire} END IF; END $$")).await;
    }
}

/// Copies a folder's files and the folders in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
