//! The ledger behind the pages and the pages themselves, asked without a socket.
//!
//! The last day has visits that went through the gateway, so that there is something to open; the others are filled in.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::config::assets::{self, Rules};
use posyandu_gateway::http::auth::Senders;
use posyandu_gateway::http::dashboard::{Dashboard, Lane, MappedResource, MappingSheet, Options as Setting};
use posyandu_gateway::http::watch::{Scrape, Watching};
use posyandu_gateway::http::{App, Limits, router};
use posyandu_gateway::ingest::intake::Intake;
use posyandu_gateway::ingest::register::Register;
use posyandu_gateway::ledger::account::{Reach, Role};
use posyandu_gateway::ledger::{Ledger, Options};
use posyandu_gateway::observed::Observed;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::words::Language;
use tower::ServiceExt as _;

use crate::addresses::{Address, PLACE, Shown};
use crate::content;
use crate::filled::{self, FIRST, Filled, POSYANDU, PUSKESMAS};
use crate::ledger::{LANE, Maker};
use crate::visits;

/// Visits that went through the gateway.
const REAL: usize = 500;
/// Of so many rows one waits for a person, over all days.
const ROWS_PER_ISSUE: usize = 25;
/// The last day.
const TODAY: &str = "2026-11-18";
/// When the pages are asked for.
const NOW: &str = "2026-11-18T03:00:00Z";
/// Resources of a visit.
const RESOURCES: usize = 6;

/// A busy day runs, all posyandu were open the day before, and 2,150 visits came on each day before that (posyandu
/// records, section 7.2).
const DAY: &str = "CASE WHEN x < 9000 THEN '2026-11-18' WHEN x < 50500 THEN '2026-11-17'
    ELSE date('2026-11-16', '-' || ((x - 50500) / 2150) || ' days') END";
/// A fifth of today waits; of all others one in 200 misses its person, and some were refused, given up or waived.
const STATE: &str = "CASE WHEN x < 9000 AND x % 5 = 1 THEN 'pending' WHEN x % 200 = 7 THEN 'blocked'
    WHEN x % 300 = 11 THEN 'refused' WHEN x % 5000 = 13 THEN 'exhausted' WHEN x % 400 = 17 THEN 'waived' ELSE 'delivered' END";

/// What became of the visits that went through the gateway, and what else two years leave behind: accounts, looks,
/// discrepancies, removals, alarms.
const MORE: &str = "
    UPDATE entry_resource SET server_id = hex(randomblob(16)), server_version = '1', server_hash = content_hash,
        verified = 'equal', verified_at = 1 WHERE entry < {first};
    UPDATE entry SET state = CASE WHEN id % 10 = 0 THEN 'refused' ELSE 'delivered' END, completed_at = 1, seq = 1
        WHERE id < {first};
    INSERT INTO event SELECT id, 1, CASE WHEN id % 10 = 0 THEN '\"refused_content\"' ELSE '\"accepted\"' END, state, 1
        FROM entry WHERE id < {first};
    INSERT INTO attempt (id, entry, lease, request_hash, begun_at) SELECT id, id, 'lease', zeroblob(32), 1 FROM entry
        WHERE id < {first};
    INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
        SELECT id, 'accepted', 'accepted', '', '[]', 300, 1 FROM entry WHERE id < {first};
    INSERT INTO account (name, role, puskesmas, posyandu, made_at)
        SELECT 'kader ' || place, 'kader', lane, place, 1 FROM n WHERE x < {posyandu};
    INSERT INTO audit (at, account, role, action, subject) SELECT 1, 'a', 'dinkes', 'look', 'visit ' || id FROM n
        WHERE x % 10 = 0;
    INSERT INTO discrepancy (id, class, thing, visit, puskesmas, posyandu, service_date, cause, owner, evidence, state,
            seq, first_seen_at, last_seen_at, changed_at)
        SELECT id, 'missing_at_server', 'Observation/' || id, id, lane, place, day, 'server', 'platform', 'gone',
            CASE WHEN x % 200 = 0 THEN 'open' ELSE 'closed' END, 1, 1, 1, 1 FROM n WHERE x % 20 = 0;
    INSERT INTO discrepancy_event (discrepancy, seq, state, evidence, at)
        SELECT id, 1, state, evidence, 1 FROM discrepancy;
    INSERT INTO removal (id, visit, resource_type, identifier_system, identifier_value, server_id, whole_visit, state,
            due_at, proposed_at, settled_at)
        SELECT id, id, 'Encounter', 's', 'v', 'r' || id, 1, CASE WHEN x % 500 = 0 THEN 'proposed' ELSE 'done' END, 1, 1,
            CASE WHEN x % 500 = 0 THEN NULL ELSE 1 END FROM n WHERE x % 50 = 0;
    INSERT INTO alarm (kind, about, level, details, raised_at, seen_at, ended_at)
        SELECT 'deadline', lane, 'warning', '{}', 1, 1, 1 FROM n WHERE x < 2000;";

fn options(folder: &Path) -> Options {
    Options { path: folder.join("ledger.sqlite"), lease_seconds: 120, zone: Zone::Wib, bytes_max: None }
}

fn clock() -> Clock {
    Clock::manual(NOW.parse().unwrap())
}

/// Makes the ledger with its keys.
pub async fn prepare(folder: &Path, visits: usize) {
    std::fs::create_dir_all(folder).unwrap();
    Keys::create(&folder.join("keys")).unwrap();
    let (keys, rules) = (Arc::new(Keys::load(&folder.join("keys")).unwrap()), assets::rules(None).unwrap());
    let ledger = Arc::new(Ledger::open(&options(folder), Arc::clone(&keys), clock()).await.unwrap());
    Maker::new(&rules, &keys).fill(&ledger, "2026-11-18.csv", 0..REAL, |_| ()).await;
    let today = TODAY.parse().unwrap();
    content::rows(&ledger, today, visits / ROWS_PER_ISSUE).await;
    Arc::into_inner(ledger).unwrap().close().await.unwrap();
    let all = Filled { number: visits, day: DAY, resources: RESOURCES, state: STATE, more: MORE };
    filled::fill(&folder.join("ledger.sqlite"), &all).await;
    let ledger = Ledger::open(&options(folder), keys, clock()).await.unwrap();
    content::seals(&ledger, today, clock().now()).await;
    accounts(&ledger).await;
    ledger.close().await.unwrap();
}

/// One account of each role, logged in.
async fn accounts(ledger: &Ledger) {
    let [puskesmas, posyandu] = PLACE.map(str::to_owned);
    for role in Role::ALL {
        let reach = match role {
            Role::Kader => Reach { puskesmas: Some(puskesmas.clone()), posyandu: Some(posyandu.clone()) },
            Role::Puskesmas => Reach { puskesmas: Some(puskesmas.clone()), posyandu: None },
            _ => Reach::default(),
        };
        ledger.add_account(role.word(), role, &reach, "KODE").await.unwrap();
        let account = ledger.account(role.word()).await.unwrap().unwrap();
        ledger.begin_login(&account, role.word()).await.unwrap();
    }
}

/// The pages over a ledger.
pub struct Site {
    app: Arc<App>,
    bytes: u64,
    /// What there is to look at.
    pub shown: Shown,
}

impl Site {
    /// Opens the ledger.
    pub async fn open(folder: &Path, visits: usize) -> Self {
        let keys = Arc::new(Keys::load(&folder.join("keys")).unwrap());
        let rules = assets::rules(None).unwrap();
        let ledger = Arc::new(Ledger::open(&options(folder), Arc::clone(&keys), clock()).await.unwrap());
        let intake = Intake::new(Arc::clone(&ledger), Arc::clone(&keys), &rules.schemas, clock()).unwrap();
        let intake = Arc::new(intake);
        intake.set_register(Arc::new(register(&rules)));
        let (data, scrape) = (folder.to_owned(), Scrape::Closed);
        let watching = Watching::new(Observed::default(), Arc::clone(&ledger), clock(), data, None, scrape);
        let dashboard = Dashboard::new(setting(&rules), Arc::clone(&ledger), keys, clock(), Arc::clone(&intake));
        let app = App::new(intake, Senders::new(Vec::new()).unwrap(), Limits::default(), watching);
        let [waiting, delivered, other] = [7, 7 + POSYANDU * PUSKESMAS, 12_345].map(|x| (FIRST + visits - x) as i64);
        let [questions, own_questions] = [None, Some(PLACE)].map(|place| Reach {
            puskesmas: place.map(|[puskesmas, _]| puskesmas.to_owned()),
            posyandu: place.map(|[_, posyandu]| posyandu.to_owned()),
        });
        let first = async |reach: Reach| ledger.person_questions(&reach, false, None, 1).await.unwrap()[0].number;
        let shown = Shown {
            stories: vec![1, 10, waiting, other],
            own_stories: vec![waiting, delivered],
            question: first(questions).await,
            own_question: first(own_questions).await,
        };
        let bytes = std::fs::metadata(folder.join("ledger.sqlite")).unwrap().len();
        Self { app: Arc::new(app.with_dashboard(dashboard)), bytes, shown }
    }

    /// How large the ledger is.
    pub fn mebibytes(&self) -> u64 {
        self.bytes / 1_048_576
    }

    /// Asks once: how long it took, and how long the answer is.
    pub async fn ask(&self, role: Role, address: &Address) -> (Duration, usize) {
        let cookie = format!("posyandu_masuk={}", role.word());
        let request = Request::builder().uri(&address.path).header("host", "localhost").header("cookie", &cookie);
        let request = if address.form.is_empty() {
            request.body(Body::empty())
        } else {
            let page = self.send(Request::get("/").header("host", "localhost").header("cookie", &cookie)).await;
            let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
            let form = format!("{}&csrf={}", address.form, rest.split('"').next().unwrap());
            let request = request.method("POST").header("origin", "http://localhost");
            request.header("content-type", "application/x-www-form-urlencoded").body(Body::from(form))
        };
        let request = request.unwrap();
        let began = Instant::now();
        let response = router(Arc::clone(&self.app)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200, "{address:?}");
        let bytes = response.into_body().collect().await.unwrap().to_bytes().len();
        (began.elapsed(), bytes)
    }

    async fn send(&self, request: axum::http::request::Builder) -> String {
        let response = router(Arc::clone(&self.app)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }
}

fn setting(rules: &Rules) -> Setting {
    let lane = |name: String| Lane { name, zone: Zone::Wib, per_minute: 60 };
    let lanes = (0..PUSKESMAS).map(|number| format!("Puskesmas {number}")).chain([LANE.to_owned()]);
    let resource = |number: usize| MappedResource {
        dataset: ["kunjungan_balita", "imunisasi", "kunjungan_bumil", "kunjungan_lansia"][number % 4].to_owned(),
        name: format!("resource {number}"),
        resource_type: "Observation".to_owned(),
        certainty: "sure".to_owned(),
        source: "the ministry's sample".to_owned(),
        place: format!("kunjungan_balita.yaml:{number}"),
        fields: vec!["bb".to_owned(), "pb_tb".to_owned()],
    };
    let version = rules.mappings.version.clone();
    let mapping = MappingSheet { version, resources: (0..300).map(resource).collect() };
    Setting {
        language: Language::Indonesian,
        zone: Zone::Wib,
        lanes: lanes.map(lane).collect(),
        public_url: None,
        proxy: None,
        guests: false,
        read_stop: |_| None,
        mapping: Arc::new(mapping),
        observed: Observed::default(),
        samples_file: None,
    }
}

fn register(rules: &Rules) -> Register {
    let mut register = Register::default();
    for number in 0..POSYANDU {
        let (code, name) = (format!("P{number}"), format!("Melati {number}"));
        let (above, puskesmas) = (number % PUSKESMAS, format!("Puskesmas {}", number % PUSKESMAS));
        let record = visits::posyandu_named(rules, [&code, &name, &format!("P32{above:02}"), &puskesmas]);
        register.add(record).unwrap();
    }
    register
}
