//! How long each page of the dashboard takes on a ledger with a million visits, at p95: 200 ms are promised.
//!
//! Run with `cargo bench --bench pages`; `PAGES_VISITS` sets another number of visits, `PAGES_ROUNDS` of requests a page.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use jiff::civil::Date;
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::http::auth::Senders;
use posyandu_gateway::http::dashboard::{Dashboard, Lane, MappingSheet, Options as Setting};
use posyandu_gateway::http::watch::{Scrape, Watching};
use posyandu_gateway::http::{App, Limits, router};
use posyandu_gateway::ingest::intake::Intake;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::account::{Reach, Role};
use posyandu_gateway::ledger::row::{RowKind, RowSeen};
use posyandu_gateway::ledger::{Ledger, Options};
use posyandu_gateway::observed::Observed;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::words::Language;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tower::ServiceExt as _;

/// Visits in the ledger.
const VISITS: usize = 1_000_000;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 20_000;
/// Visits of a day: a city's busiest.
const VISITS_A_DAY: usize = 2_500;
/// Of so many rows one waits for a person.
const ROWS_PER_ISSUE: usize = 25;
/// What is promised at p95.
const PROMISED: Duration = Duration::from_millis(200);
/// The last day.
const TODAY: &str = "2026-11-18";

/// Delivered visits of many days with their rows. Written past the gateway: this is about reading.
const FILL: &str = "
    CREATE TEMP TABLE n AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {visits}) SELECT x,
        date('2026-11-18', '-' || (x / {a_day}) || ' days') AS day, 'Puskesmas ' || (x % 20) AS lane, 'P' || (x % 395) AS place FROM n;
    INSERT INTO pass (id, source, file, day, started_at, finished_at, complete) VALUES (1, 's', 'f', '2026-11-18', 1, 2, 1);
    INSERT INTO visit (id, key, puskesmas, posyandu, service_date, zone, day_ends_at, due_at, revision, entered_revision)
        SELECT x, randomblob(32), lane, place, day, 'WIB', unixepoch(day) * 1000 + 61200000, 1, 1, 1 FROM n;
    INSERT INTO source_row (id, source, file, row_key, occurrence, digest, place_sealed, place_mark, kind, standing,
            visit, puskesmas, posyandu, counted_date, stamp, first_pass, last_pass)
        SELECT x, 's', 'f', randomblob(32), 1, randomblob(32), zeroblob(80), zeroblob(32), 'records', 'current', x, lane, place,
            day, x, 1, 1 FROM n;
    INSERT INTO entry (id, visit, version, lane, day_ends_at, state, seq, due_at, content_hash, mapping_version, created_at,
            state_since, completed_at, blocked_on)
        SELECT x, x, 1, lane, unixepoch(day) * 1000 + 61200000, CASE WHEN x % 40 = 1 AND x < 2500 THEN 'pending' ELSE 'delivered' END,
            1, 1, zeroblob(32), '1', 1, 1, CASE WHEN x % 40 = 1 AND x < 2500 THEN NULL ELSE 1 END, NULL FROM n;
    INSERT INTO event SELECT x, 0, '\"entered\"', 'pending', 1 FROM n;
    INSERT INTO attempt (id, entry, lease, request_hash, begun_at) SELECT x, x, 'lease', zeroblob(32), 1 FROM n;
    INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
        SELECT x, 'accepted', 'accepted', '', '[]', 300, unixepoch(day) * 1000 FROM n;";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let usual = if std::env::args().any(|argument| argument == "--bench") { VISITS } else { VISITS_TESTED };
    let number = |name: &str, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    runtime.block_on(measure(number("PAGES_VISITS", usual), number("PAGES_ROUNDS", 40)));
}

async fn measure(visits: usize, rounds: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let options = Options { path: path.clone(), lease_seconds: 120, zone: Zone::Wib, bytes_max: None };
    let keys = Arc::new(Keys::generate().unwrap());
    let clock = Clock::manual("2026-11-18T03:00:00Z".parse().unwrap());
    Ledger::open(&options, Arc::clone(&keys), clock.clone()).await.unwrap().close().await.unwrap();
    fill(&path, visits).await;
    let ledger = Arc::new(Ledger::open(&options, Arc::clone(&keys), clock.clone()).await.unwrap());
    issues(&ledger, visits / ROWS_PER_ISSUE).await;
    let (app, cookie) = site(&ledger, keys, clock, folder.path()).await;
    println!("{visits} visits, {} MiB:", std::fs::metadata(&path).unwrap().len() / 1_048_576);
    let month_before = TODAY.parse::<Date>().unwrap().yesterday().unwrap();
    let pages = [
        "/".to_owned(),
        format!("/?tanggal={month_before}"),
        "/?puskesmas=Puskesmas%203".to_owned(),
        "/kerja".to_owned(),
        "/kerja?siapa=kader&puskesmas=Puskesmas%203".to_owned(),
        "/kerja?aturan=no.such.rule".to_owned(),
        "/kerja?sesudah=2026-06-01.900000.1763000000000.1".to_owned(),
        format!("/kunjungan/{}", visits / 2),
        "/antrean".to_owned(),
        "/pemetaan".to_owned(),
        "/laporan".to_owned(),
        "/keputusan".to_owned(),
    ];
    let mut slow = Vec::new();
    for page in pages {
        let mut times = Vec::with_capacity(rounds);
        let mut bytes = 0;
        for _ in 0..rounds {
            let request = Request::get(&page).header("host", "localhost").header("cookie", &cookie);
            let began = Instant::now();
            let response = router(Arc::clone(&app)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), 200, "{page}");
            bytes = response.into_body().collect().await.unwrap().to_bytes().len();
            times.push(began.elapsed());
        }
        times.sort_unstable();
        let p95 = times[(times.len() * 95 / 100).min(times.len() - 1)];
        println!("  {:<55} p95 {:>7.1} ms, {:>4} KiB", page, p95.as_secs_f64() * 1e3, bytes / 1024);
        if p95 > PROMISED {
            slow.push(page);
        }
    }
    assert!(slow.is_empty(), "slower than {PROMISED:?} at p95: {slow:?}");
}

async fn fill(path: &Path, visits: usize) {
    let options = SqliteConnectOptions::new().filename(path).foreign_keys(false).pragma("synchronous", "off");
    let mut database = options.connect().await.unwrap();
    let text = FILL.replace("{visits}", &visits.to_string()).replace("{a_day}", &VISITS_A_DAY.to_string());
    sqlx::raw_sql(AssertSqlSafe(format!("BEGIN; {text} COMMIT;"))).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

/// Rows that wait for a person, over all days.
async fn issues(ledger: &Ledger, number: usize) {
    let (pass, today) = (ledger.begin_pass("kartu", "kartu.csv").await.unwrap(), TODAY.parse::<Date>().unwrap());
    let sha = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
    let row = |index: usize| {
        let place = Place { source: "kartu".into(), file: "kartu.csv".into(), row: index.to_string(), column: None };
        RowSeen {
            row_key: sha(&index.to_string()),
            hash: sha("isi"),
            outcome: RowKind::Issue,
            issues: vec![Issue::error(Code::Value, "posyandu.unknown").with("tertulis", "•••").at(place.clone())],
            place,
            puskesmas: Some(format!("Puskesmas {}", index % 20)),
            posyandu: Some(format!("P{}", index % 395)),
            service_date: Some(today.saturating_sub(jiff::Span::new().days((index % 400) as i64))),
        }
    };
    for part in (0..number).collect::<Vec<_>>().chunks(1_000) {
        ledger.see_rows(pass, part.iter().map(|index| row(*index)).collect()).await.unwrap();
    }
    ledger.finish_pass(pass, true).await.unwrap();
}

async fn site(ledger: &Arc<Ledger>, keys: Arc<Keys>, clock: Clock, folder: &Path) -> (Arc<App>, String) {
    let lane = |number: usize| Lane { name: format!("Puskesmas {number}"), zone: Zone::Wib, per_minute: 60 };
    let setting = Setting {
        language: Language::Indonesian,
        zone: Zone::Wib,
        lanes: (0..20).map(lane).collect(),
        public_url: None,
        proxy: None,
        guests: false,
        read_stop: |_| None,
        mapping: Arc::new(MappingSheet::default()),
        observed: Observed::default(),
    };
    let schemas = Schemas::built_in().unwrap();
    let intake = Intake::new(Arc::clone(ledger), Arc::clone(&keys), &schemas, clock.clone()).unwrap();
    let intake = Arc::new(intake);
    let (data, scrape) = (folder.to_owned(), Scrape::Closed);
    let watching = Watching::new(Observed::default(), Arc::clone(ledger), clock.clone(), data, None, scrape);
    let dashboard = Dashboard::new(setting, Arc::clone(ledger), keys, clock, Arc::clone(&intake));
    let app = App::new(intake, Senders::new(Vec::new()).unwrap(), Limits::default(), watching);
    ledger.add_account("bench", Role::Dinkes, &Reach::default(), "KODE").await.unwrap();
    let account = ledger.account("bench").await.unwrap().unwrap();
    ledger.begin_login(&account, "token").await.unwrap();
    (Arc::new(app.with_dashboard(dashboard)), "posyandu_masuk=token".to_owned())
}
