//! A city of as many posyandu and visits as wanted: files as a puskesmas hands them in, and a simulated SATUSEHAT.
//!
//! Nobody in it can exist: the numbers begin with 10, which is no province.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use posyandu_gateway::clock::Clock;
use posyandu_gateway::config::Config;
use posyandu_gateway::config::assets;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::daemon::set_up::ledger_options;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::observed::Observed;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use posyandu_gateway::simulator::options::{Client, Options};
use posyandu_gateway::simulator::people::People;
use posyandu_gateway::simulator::{self, Simulator};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::crowd::HEADER;

/// The month.
pub const FIRST: Date = date(2026, 11, 1);
/// Days of the month on which a posyandu opens.
pub const DAYS: usize = 25;
/// Zones of the puskesmas in turn: in the first, a day's visits begin while the server's clock shows the day before.
const ZONES: [&str; 3] = ["WIT", "WIB", "WITA"];
/// Posyandu of one puskesmas.
const POSYANDU_EACH: usize = 20;
/// Ages in days: the youngest, and how many there are.
const AGES: (usize, usize) = (200, 1_500);
/// Runs until nothing waits, at most.
const RUNS_MAX: u32 = 500;

/// Column of the arm circumference, which nothing else hangs on.
pub const ARM: usize = 15;
/// Column of the weight.
pub const WEIGHT: usize = 11;

/// How large.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub posyandu: usize,
    pub visits: usize,
    /// Discrepancies of each kind.
    pub each: usize,
}

impl Size {
    /// A city's month (posyandu records, section 7.2).
    pub const FULL: Self = Self { posyandu: 395, visits: 45_000, each: 48 };
    /// What every run bears.
    pub const SMALL: Self = Self { posyandu: 12, visits: 300, each: 8 };

    /// The size of every run, or a city's month when `POSYANDU_MONTH` says `full`.
    pub fn chosen() -> Self {
        match std::env::var("POSYANDU_MONTH").as_deref() {
            Ok("full") => Self::FULL,
            // Any number of visits between.
            Ok(visits) => Self { visits: visits.parse().unwrap(), ..Self::FULL },
            Err(_) => Self::SMALL,
        }
    }

    pub fn puskesmas(self) -> usize {
        self.posyandu.div_ceil(POSYANDU_EACH).max(2)
    }

    /// Posyandu so new that nobody has told their place at the server: one visit of each day is refused there.
    fn new_posyandu(self) -> usize {
        self.each.div_ceil(DAYS)
    }
}

/// What the city goes through.
pub struct Life {
    /// Where its clock stands first.
    pub now: &'static str,
    /// Calls a minute of each puskesmas.
    pub per_minute: u32,
    pub faults: Vec<Fault>,
}

impl Life {
    /// A month with faults, looked at after its last posyandu; nothing is waited for.
    pub fn a_month() -> Self {
        Self { now: "2026-11-29T02:00:00Z", per_minute: 6_000_000, faults: faults() }
    }
}

pub struct City {
    pub folder: TempDir,
    /// Posyandu and day of each visit whose person the server does not know.
    pub blocked: Vec<String>,
    /// Posyandu and day of each visit at a posyandu without a place.
    pub refused: Vec<String>,
    newcomers: Vec<Value>,
    pub simulator: Arc<Simulator>,
    pub clock: Clock,
    serving: tokio::task::JoinHandle<()>,
}

impl Drop for City {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn organization(puskesmas: usize) -> String {
    format!("{}", 100_000_200 + puskesmas)
}

/// Faults of all kinds that a client must see through, for as long as the server lives.
fn faults() -> Vec<Fault> {
    let every = |kind, applies_to, every| {
        let fault = Fault::at_calls(kind, applies_to, &[]);
        Fault { every: Some(every), ..fault }
    };
    vec![
        every(FaultKind::TooManyRequests, AppliesTo::Any, 97),
        every(FaultKind::Unavailable, AppliesTo::Any, 83),
        every(FaultKind::ServerErrorAfterCommit, AppliesTo::Write, 41),
        every(FaultKind::ServerErrorBeforeCommit, AppliesTo::Write, 59),
        every(FaultKind::DroppedAnswer, AppliesTo::Any, 71),
        every(FaultKind::ExpiredToken, AppliesTo::Any, 113),
    ]
}

/// The cells of a visit, in the order of the header.
fn cells(at: usize, posyandu: usize, day: Date) -> (Vec<String>, Value) {
    let mut cells = vec![String::new(); HEADER.len()];
    let age = AGES.0 + at % AGES.1;
    let born = day.checked_sub(i64::try_from(age).unwrap().days()).unwrap();
    let (is_girl, months) = (at % 2 == 1, age as f64 / 30.4);
    let birthday = i32::from(born.day()) + if is_girl { 40 } else { 0 };
    // The number of a place, of the birth, and of those born alike: nobody has another's.
    let (district, alike) = (2 + at / 9_998, 1 + at % 9_998);
    let nik = format!("1002{district:02}{birthday:02}{:02}{:02}{alike:04}", born.month(), born.year() % 100);
    let written = |day: Date| day.strftime("%d-%m-%Y").to_string();
    let name = format!("Anak Contoh {}", letters(at));
    let mut put = |column: &str, text: String| {
        cells[HEADER.iter().position(|name| *name == column).unwrap()] = text;
    };
    put("No", (at + 1).to_string());
    put("Nama Posyandu", format!("Contoh {}", posyandu + 1));
    put("Tgl Kunjungan", written(day));
    put("NIK Anak", nik.clone());
    put("Nama Anak", name.clone());
    put("L/P", if is_girl { "P" } else { "L" }.to_owned());
    put("Tanggal Lahir", written(born));
    put("Nama Ibu", format!("Ibu Contoh {}", letters(at)));
    put("Alamat", format!("Gang Contoh No. {}", at % 90 + 1));
    put("RT/RW", "003/003".to_owned());
    put("BB (kg)", format!("{:.1}", 6.5 + months * 0.16 + (at % 7) as f64 * 0.1));
    put("PB/TB (cm)", format!("{:.1}", 63.0 + months * 0.75 + (at % 5) as f64 * 0.2));
    put("Cara Ukur", if months < 24.0 { "terlentang" } else { "berdiri" }.to_owned());
    put("LiLA (cm)", "14.5".to_owned());
    put("Petugas", "Kader Misalnya".to_owned());
    let person = json!({"nik": nik, "ihs": format!("P9{at:010}"), "name": name, "birth_date": born.to_string(),
        "gender": if is_girl { "female" } else { "male" }});
    (cells, person)
}

/// A name of its own for each child and each mother.
fn letters(mut number: usize) -> String {
    let mut name = String::new();
    for _ in 0..5 {
        name.push(char::from(b'a' + u8::try_from(number % 26).unwrap()));
        number /= 26;
    }
    name
}

fn location(posyandu: usize) -> String {
    format!("00000000-0000-4000-8000-{posyandu:012}")
}

/// Files, and what is known of them.
struct Written {
    known: Value,
    blocked: Vec<String>,
    refused: Vec<String>,
    newcomers: Vec<Value>,
}

/// A line of the register of posyandu; a place that nobody told is empty.
fn registered(posyandu: usize, size: Size, has_place: bool) -> String {
    let (puskesmas, number) = (posyandu % size.puskesmas(), posyandu + 1);
    let (organization, zone) = (organization(puskesmas), ZONES[puskesmas % 3]);
    let location = if has_place { location(posyandu) } else { String::new() };
    format!(
        "PSY-{number:03},Contoh {number},,P1001010{puskesmas:03},Puskesmas {puskesmas},1001011001,001,{zone},08:00,11:00,\
         {organization},{location},Posyandu Contoh {number},7209061211900001,Bidan Contoh,\n"
    )
}

/// The register of posyandu.
fn register(size: Size, all_have_places: bool) -> String {
    let head = "kode_posyandu,nama,alias,kode_puskesmas,puskesmas,kode_kelurahan,rw,zona_waktu,jam_buka,jam_tutup,\
        id_organisasi_satusehat,id_lokasi_satusehat,nama_lokasi,nik_nakes,nama_nakes,id_nakes_satusehat\n";
    let all = 0..size.posyandu + size.new_posyandu();
    let lines = all.map(|posyandu| registered(posyandu, size, all_have_places || posyandu < size.posyandu));
    head.to_owned() + &lines.collect::<String>()
}

fn opens_on(at: usize) -> Date {
    FIRST.checked_add(i64::try_from(1 + at % DAYS).unwrap().days()).unwrap()
}

/// The settings.
fn config(size: Size, per_minute: u32) -> String {
    let mut config = "data_dir = \"posyandu-data\"\n[satusehat]\nenvironment = \"custom\"\nauth_url = \
        \"http://ADDRESS/oauth2/v1\"\nfhir_url = \"http://ADDRESS/fhir-r4/v1\"\n[delivery]\nconcurrency = 8\n\
        probe_after_seconds = [1, 30]\nonce_seconds = 0\n[mapping]\naccept_guesses = \
        [\"diagnosis_balita_z00_1\", \"obat_cacing_sebagai_pernyataan\"]\n\
        [[source]]\nname = \"register\"\nprofile = \"posyandu_register\"\npath = \"posyandu.csv\"\n"
        .to_owned();
    for number in 0..size.puskesmas() {
        let (organization, zone) = (organization(number), ZONES[number % 3]);
        writeln!(
            config,
            "[[puskesmas]]\nname = \"Puskesmas {number}\"\norganization_id = \"{organization}\"\nclient_id = \"c{number}\"\n\
             client_secret_file = \"rahasia-{number}.txt\"\ntimezone = \"{zone}\"\nrequests_per_minute = {per_minute}\n\
             [[source]]\nname = \"s{number}\"\nprofile = \"register_csv\"\npath = \"puskesmas-{number}.csv\"\n\
             puskesmas = \"Puskesmas {number}\""
        )
        .unwrap();
    }
    config
}

/// Writes the files of the city: those visits that arrive, then those that cannot.
fn write(folder: &Path, size: Size, per_minute: u32) -> Written {
    let mut files = vec![format!("{}\r\n", HEADER.join(",")); size.puskesmas()];
    let mut put = |at: usize, posyandu: usize, day: Date| {
        let (cells, person) = cells(at, posyandu, day);
        files[posyandu % size.puskesmas()].push_str(&format!("{}\r\n", cells.join(",")));
        (format!("PSY-{:03} {day}", posyandu + 1), person)
    };
    let mut people = Vec::new();
    for at in 0..size.visits {
        let posyandu = at % size.posyandu;
        people.push(put(at, posyandu, opens_on(posyandu)).1);
    }
    let (mut blocked, mut refused, mut newcomers) = (Vec::new(), Vec::new(), Vec::new());
    for at in 0..size.each {
        let (name, person) = put(size.visits + at, at, opens_on(at));
        blocked.push(name);
        newcomers.push(person);
        let (name, person) = put(size.visits + size.each + at, size.posyandu + at / DAYS, opens_on(at));
        refused.push(name);
        people.push(person);
    }
    let mut organizations = Vec::new();
    for (number, rows) in files.iter().enumerate() {
        std::fs::write(folder.join(format!("puskesmas-{number}.csv")), rows).unwrap();
        std::fs::write(folder.join(format!("rahasia-{number}.txt")), "a-secret-of-nobody").unwrap();
        organizations.push(json!({"id": organization(number), "name": format!("Puskesmas {number}")}));
    }
    let place = |posyandu: usize| {
        let (number, organization) = (posyandu + 1, organization(posyandu % size.puskesmas()));
        json!({"id": location(posyandu), "name": format!("Posyandu Contoh {number}"), "organization": organization})
    };
    let places: Vec<Value> = (0..size.posyandu + size.new_posyandu()).map(place).collect();
    std::fs::write(folder.join("posyandu.csv"), register(size, false)).unwrap();
    std::fs::write(folder.join("posyandu-gateway.toml"), config(size, per_minute)).unwrap();
    let practitioners = json!([{"nik": "7209061211900001", "ihs": "10009880728", "name": "Bidan Contoh",
        "birth_date": "1990-11-12", "gender": "male"}]);
    let known = json!({"patients": people, "practitioners": practitioners, "organizations": organizations,
        "locations": places});
    std::fs::write(folder.join("people.json"), known.to_string()).unwrap();
    Written { known, blocked, refused, newcomers }
}

/// How many rows wait for nothing but time.
pub async fn waits(daemon: &Daemon) -> u64 {
    let counts = daemon.ledger.counts(&Filter::default()).await.unwrap();
    [State::Pending, State::InFlight, State::Unknown].map(|state| counts.of(state)).iter().sum()
}

impl City {
    pub async fn open(size: Size, life: Life) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let Written { known, blocked, refused, newcomers } = write(folder.path(), size, life.per_minute);
        let mut options = Options {
            faults: life.faults,
            people: People::from_json(&known.to_string()).unwrap(),
            ..Options::default()
        };
        for number in 0..size.puskesmas() {
            options.clients.push(Client {
                client_id: format!("c{number}"),
                client_secret: "a-secret-of-nobody".to_owned(),
                organization_id: organization(number),
            });
        }
        let clock = Clock::manual(life.now.parse().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = folder.path().join("posyandu-gateway.toml");
        let address = listener.local_addr().unwrap().to_string();
        let text = std::fs::read_to_string(&file).unwrap().replace("ADDRESS", &address);
        std::fs::write(&file, text).unwrap();
        let simulator = Arc::new(Simulator::new(options, clock.clone()).unwrap());
        let served = Arc::clone(&simulator);
        let serving =
            tokio::spawn(async move { simulator::run(listener, served, std::future::pending()).await.unwrap() });
        Self { folder, blocked, refused, newcomers, simulator, clock, serving }
    }

    pub async fn daemon(&self) -> Daemon {
        let config = Config::load(&self.folder.path().join("posyandu-gateway.toml"), std::iter::empty()).unwrap();
        let key_file = config.key_file();
        std::fs::create_dir_all(key_file.parent().unwrap()).unwrap();
        Keys::create(&key_file).unwrap();
        let keys = Arc::new(Keys::load(&key_file).unwrap());
        let options = ledger_options(&config).unwrap();
        let ledger = Arc::new(Ledger::open(&options, Arc::clone(&keys), self.clock.clone()).await.unwrap());
        let (rules, halt) = (assets::rules_for_work(None).unwrap(), Arc::new(AtomicBool::new(false)));
        Daemon { config, rules, clock: self.clock.clone(), keys, ledger, halt, observed: Observed::default() }
    }

    /// The server learns of the persons it did not know, and the register of the places.
    pub fn mend(&self, size: Size) {
        let file = self.folder.path().join("people.json");
        let mut known: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        known["patients"].as_array_mut().unwrap().extend(self.newcomers.clone());
        std::fs::write(file, known.to_string()).unwrap();
        for person in &self.newcomers {
            self.simulator.make_known(serde_json::from_value(person.clone()).unwrap());
        }
        std::fs::write(self.folder.path().join("posyandu.csv"), register(size, true)).unwrap();
    }

    /// Rewrites rows of the puskesmas' files: `change` is handed the cells of each.
    pub fn edit(&self, size: Size, mut change: impl FnMut(&mut Vec<String>)) {
        for number in 0..size.puskesmas() {
            let path = self.folder.path().join(format!("puskesmas-{number}.csv"));
            let mut changed = String::new();
            for line in std::fs::read_to_string(&path).unwrap().split_inclusive("\r\n") {
                let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
                change(&mut cells);
                changed.push_str(&cells.join(","));
            }
            std::fs::write(path, changed).unwrap();
        }
    }

    /// Numbers of the persons by that of the server: `Patient/…`.
    pub fn numbers(&self) -> BTreeMap<String, String> {
        let known: Value =
            serde_json::from_str(&std::fs::read_to_string(self.folder.path().join("people.json")).unwrap()).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = known["patients"].as_array().unwrap().iter();
        all.map(|one| (format!("Patient/{}", text(&one["ihs"])), text(&one["nik"]))).collect()
    }

    /// Runs again and again until everything is delivered that can be.
    pub async fn deliver(&self, daemon: &Daemon) {
        for _ in 0..RUNS_MAX {
            daemon.once(&|_| {}).await.unwrap();
            if waits(daemon).await == 0 {
                return;
            }
            self.clock.advance(Duration::from_secs(60));
        }
        panic!("visits still wait: {:?}", daemon.ledger.counts(&Filter::default()).await.unwrap());
    }

    /// What the server holds, one value per resource.
    pub fn held(&self) -> Vec<Value> {
        let mut bytes = Vec::new();
        self.simulator.dump(&mut bytes).unwrap();
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }
}
