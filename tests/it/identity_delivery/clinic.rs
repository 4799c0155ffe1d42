//! One puskesmas with one file, its gateway and its SATUSEHAT.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::config::{Config, assets};
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::daemon::set_up::ledger_options;
use posyandu_gateway::issue::Issue;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::entry::{EntryId, EntryLine};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::remote::answer::Class;
use posyandu_gateway::report::worklist;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::simulator::fault::Fault;
use posyandu_gateway::simulator::options::{Client, Options};
use posyandu_gateway::simulator::people::{KnownLocation, People, Person};
use posyandu_gateway::simulator::{self, Simulator};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::rows::{ADDRESS, MOTHER, Row, patient_json};

pub const HOUR: Duration = Duration::from_secs(3600);
/// A health worker's.
pub const WORKER: &str = "1001011001850001";
/// A published health worker of the sandbox.
const KNOWN_WORKER: &str = "7209061211900001";
const PLACE: &str = "8141fe35-7bca-5f51-9363-7b1086afa64f";
const ORGANIZATION: &str = "100000101";
/// 15:30 WIB.
const AFTERNOON: &str = "2026-11-18T08:30:00Z";
const ENTRIES_MAX: u32 = 1_000;
/// Rounds until nothing waits, at most.
const ROUNDS_MAX: u32 = 60;

const PROFILE: &str = r#"
title: Berkas uji
kind: file
encoding: utf-8
delimiter: ";"
dates: [iso]
tables:
  - name: uji
    GROUP
    records:
      sasaran:
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {columns: [JK], format: words, words: {L: [L], P: [P]}}
        tanggal_lahir: {columns: [Lahir], format: date}
        nama_ibu: {columns: [Ibu], format: name}
        nik_ibu: {columns: [NIK Ibu], format: nik}
        alamat: {columns: [Alamat]}
        rt: {columns: [RT]}
        rw: {columns: [RW]}
        kode_kelurahan: {columns: [Kelurahan]}
        urutan_kembar: {columns: [Kembar], format: count}
        posyandu: {columns: [Posyandu]}
      DATASET:
        tanggal: {columns: [Tanggal], format: date}
        bb: {columns: [BB], format: number}
"#;
const HEADER: &str = "NIK;Nama;JK;Lahir;Ibu;NIK Ibu;Alamat;RT;RW;Kelurahan;Kembar;Posyandu;Tanggal;BB";

/// What differs between the tests.
pub struct Settings {
    pub create: bool,
    pub patients: Vec<Person>,
    pub citizens: Vec<Person>,
    pub workers: Vec<Person>,
    /// The posyandu's health worker is [`WORKER`] and no published one.
    pub own_worker: bool,
    pub faults: Vec<Fault>,
    pub duplicate_check: bool,
    pub index_lag_seconds: u64,
    /// The dataset of the visits.
    pub pregnant: bool,
}

impl Default for Settings {
    /// A server that would take everybody twice.
    fn default() -> Self {
        Self {
            create: true,
            patients: Vec::new(),
            citizens: Vec::new(),
            workers: Vec::new(),
            own_worker: false,
            faults: Vec::new(),
            duplicate_check: false,
            index_lag_seconds: 0,
            pregnant: false,
        }
    }
}

pub struct Clinic {
    folder: TempDir,
    pub simulator: Arc<Simulator>,
    pub clock: Clock,
    pub daemon: Daemon,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for Clinic {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Clinic {
    pub async fn open(settings: Settings) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let clock = Clock::manual(AFTERNOON.parse().unwrap());
        let client =
            Client { client_id: "uji".into(), client_secret: "secret".into(), organization_id: ORGANIZATION.into() };
        let place = KnownLocation { id: PLACE.into(), name: "Posyandu Uji".into(), organization: ORGANIZATION.into() };
        let people = People {
            patients: settings.patients,
            citizens: settings.citizens,
            practitioners: settings.workers,
            locations: vec![place],
            ..People::default()
        };
        let options = Options {
            clients: vec![client],
            people,
            faults: settings.faults,
            duplicate_check: settings.duplicate_check,
            index_lag_seconds: settings.index_lag_seconds,
            ..Options::default()
        };
        let simulator = Arc::new(Simulator::new(options, clock.clone()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let served = Arc::clone(&simulator);
        let serving =
            tokio::spawn(async move { simulator::run(listener, served, std::future::pending()).await.unwrap() });
        let folder = tempfile::tempdir().unwrap();
        write_files(&folder, &address, [settings.create, settings.pregnant, settings.own_worker]);
        let daemon = daemon(&folder, &clock).await;
        let clinic = Self { folder, simulator, clock, daemon, serving };
        clinic.write(&[]);
        clinic
    }

    /// The same clinic after its process ended without a word.
    pub async fn restarted(mut self) -> Self {
        let other =
            Ledger::in_memory(posyandu_gateway::clock::Zone::Wib, Arc::clone(&self.daemon.keys), self.clock.clone());
        let old = std::mem::replace(&mut self.daemon.ledger, Arc::new(other.await.unwrap()));
        Arc::into_inner(old).unwrap().close().await.unwrap();
        self.daemon = daemon(&self.folder, &self.clock).await;
        self
    }

    pub fn write(&self, rows: &[Row]) {
        let mut text = format!("{HEADER}\n");
        for row in rows {
            let Row { nik, name, sex, birth, mother, address, twin, day, weight } = row;
            let mothers = if mother.is_empty() { "" } else { "Siti Contoh" };
            text += &format!(
                "{nik};{name};{sex};{birth};{mothers};{mother};{address};003;007;1001011001;{twin};Uji;{day};{weight}\n"
            );
        }
        std::fs::write(self.folder.path().join("uji.csv"), text).unwrap();
    }

    pub async fn round(&self) {
        self.daemon.once(&|_| {}).await.unwrap();
    }

    /// Rounds, with the clock moved on by what is due, until every visit is delivered.
    pub async fn settle(&self) {
        self.settle_by(Duration::from_secs(1)).await;
    }

    /// The same, in steps of at least a minute.
    pub async fn settle_slowly(&self) {
        self.settle_by(Duration::from_secs(60)).await;
    }

    async fn settle_by(&self, step: Duration) {
        for _ in 0..ROUNDS_MAX {
            self.round().await;
            let lines = self.lines().await;
            let open: Vec<&EntryLine> = lines.iter().filter(|line| line.state != State::Delivered).collect();
            let Some(due) = open.iter().map(|line| line.due).min() else { return };
            let wait = Duration::try_from(due.duration_since(self.clock.now())).unwrap_or_default();
            self.clock.advance(wait.max(step));
        }
        let lines = self.lines().await;
        let open: Vec<_> =
            lines.iter().map(|line| (line.state, line.blocked_on.clone(), line.last_class.clone())).collect();
        panic!("visits still wait: {open:?} {:?}", self.issues().await);
    }

    async fn lines(&self) -> Vec<EntryLine> {
        let lines = self.daemon.ledger.entries(&Filter::default(), &[], ENTRIES_MAX).await.unwrap();
        lines.into_iter().filter(|line| line.state != State::Superseded).collect()
    }

    pub async fn states(&self) -> BTreeMap<State, usize> {
        let mut states = BTreeMap::new();
        self.lines().await.into_iter().for_each(|line| *states.entry(line.state).or_default() += 1);
        states
    }

    pub async fn blocked(&self) -> Vec<String> {
        self.lines().await.into_iter().filter_map(|line| line.blocked_on).collect()
    }

    /// The one visit's entry.
    pub async fn entry(&self) -> EntryId {
        self.lines().await[0].entry_id
    }

    pub async fn due(&self) -> Timestamp {
        self.lines().await.into_iter().map(|line| line.due).min().unwrap()
    }

    pub async fn issues(&self) -> Vec<Issue> {
        let mut all = Vec::new();
        let list = posyandu_gateway::ledger::attention::List::Work;
        let ledger = &self.daemon.ledger;
        let mut each = |items: Vec<worklist::WorkItem>| {
            all.extend(items.into_iter().map(|item| item.issue.at(item.place)));
            Ok(())
        };
        worklist::walk(ledger, &Filter::default(), list, self.clock.now(), 1_000, &mut each).await.unwrap();
        all
    }

    pub async fn newborns(&self) -> Option<(u64, i64)> {
        worklist::newborns(&self.daemon.ledger, &Filter::default(), self.clock.now()).await.unwrap()
    }

    pub fn calls(&self, kind: &str) -> u64 {
        self.simulator.stats().calls.get(kind).copied().unwrap_or(0)
    }

    /// What the server holds.
    pub fn held(&self) -> Vec<Value> {
        let mut bytes = Vec::new();
        self.simulator.dump(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn known_by(&self, system: &str, number: &str) -> usize {
        let held = self.held();
        let has = |one: &&Value| one["identifier"][0]["system"] == system && one["identifier"][0]["value"] == number;
        held.iter().filter(|one| one["resourceType"] == "Patient").filter(has).count()
    }

    /// Patients created under a number.
    pub fn patients(&self, nik: &str) -> usize {
        self.known_by("https://fhir.kemkes.go.id/id/nik", nik)
    }

    /// Children created under a mother's number.
    pub fn children(&self, mother: &str) -> usize {
        self.known_by("https://fhir.kemkes.go.id/id/nik-ibu", mother)
    }

    /// Creates a resource beside the gateway.
    pub async fn create(&self, resource: &Value) -> String {
        let kind = resource["resourceType"].as_str().unwrap();
        let answer = self.daemon.lanes().unwrap()[0].remote.create(kind, resource.to_string()).await;
        assert_eq!(answer.class, Class::Accepted, "{}", answer.excerpt);
        answer.accepted[0].id.clone()
    }

    pub async fn register_mother(&self) {
        self.create(&patient_json(MOTHER, "SITI CONTOH", "female", "1997-07-15", ADDRESS)).await;
    }

    /// Changes the ledger behind the gateway's back.
    pub async fn change(&self, statement: &'static str) {
        let path = self.daemon.config.ledger_file().unwrap();
        let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        assert!(sqlx::query(statement).execute(&mut database).await.unwrap().rows_affected() > 0);
        database.close().await.unwrap();
    }
}

/// Configuration, register and profile of the clinic.
fn write_files(folder: &TempDir, address: &str, [create, pregnant, own_worker]: [bool; 3]) {
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("rahasia.txt", "secret");
    let (group, dataset) =
        if pregnant { ("group: ibu_hamil", "kunjungan_ibu_hamil") } else { ("", "kunjungan_balita") };
    write("uji.yaml", &PROFILE.replace("GROUP", group).replace("DATASET", dataset));
    let worker = if own_worker { WORKER } else { KNOWN_WORKER };
    write(
        "posyandu.csv",
        &format!(
            "kode_posyandu,nama,kode_puskesmas,puskesmas,zona_waktu,jam_buka,jam_tutup,id_organisasi_satusehat,\
             id_lokasi_satusehat,nik_nakes\nUTR-01,Uji,P1,Puskesmas Utara,WIB,08:00,11:00,{ORGANIZATION},{PLACE},{worker}\n"
        ),
    );
    write(
        "posyandu-gateway.toml",
        &format!(
            r#"
[satusehat]
environment = "custom"
auth_url = "http://{address}/oauth2/v1"
fhir_url = "http://{address}/fhir-r4/v1"
[mapping]
accept_guesses = ["diagnosis_balita_z00_1", "diagnosis_ibu_hamil_z34_9"]
[delivery]
concurrency = 4
probe_after_seconds = [1, 30]
once_seconds = 0
[[puskesmas]]
name = "Puskesmas Utara"
organization_id = "{ORGANIZATION}"
client_id = "uji"
client_secret_file = "rahasia.txt"
timezone = "WIB"
requests_per_minute = 60000
create_patients = {create}
[[source]]
name = "register"
profile = "posyandu_register"
path = "posyandu.csv"
[[source]]
name = "uji"
profile = "uji.yaml"
path = "uji.csv"
puskesmas = "Puskesmas Utara"
"#
        ),
    );
}

async fn daemon(folder: &TempDir, clock: &Clock) -> Daemon {
    let config = Config::load(&folder.path().join("posyandu-gateway.toml"), std::iter::empty()).unwrap();
    let key_file = config.key_file();
    if !key_file.exists() {
        std::fs::create_dir_all(key_file.parent().unwrap()).unwrap();
        Keys::create(&key_file).unwrap();
    }
    let keys = Arc::new(Keys::load(&key_file).unwrap());
    let rules = assets::rules_for_work(None).unwrap();
    let options = ledger_options(&config).unwrap();
    let ledger = Ledger::open(&options, Arc::clone(&keys), clock.clone()).await.unwrap();
    let (ledger, halt) = (Arc::new(ledger), Arc::new(AtomicBool::new(false)));
    Daemon { config, rules, clock: clock.clone(), keys, ledger, halt }
}
