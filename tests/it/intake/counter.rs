//! The intake without a socket: a ledger of its own, the sample city's posyandu, and a way to ask.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::config::assets;
use posyandu_gateway::http::auth::{ScrapeToken, Senders};
use posyandu_gateway::http::watch::{Scrape, Watching};
use posyandu_gateway::http::{App, Limits, router};
use posyandu_gateway::ingest::intake::{Intake, Sender};
use posyandu_gateway::ingest::{Ingest, Source};
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::reading::{Counts, Filter};
use posyandu_gateway::observed::Observed;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::source::Location;
use posyandu_gateway::source::profile::Profile;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::city::fixtures;
use crate::ledger::options;

/// Token of the app of Puskesmas Utara.
pub const TOKEN: &str = "utara-utara-utara-utara-utara-01";
/// Token of the app of Puskesmas Tengah.
pub const OTHER_TOKEN: &str = "tengah-tengah-tengah-tengah-0001";
/// A name that must stand in no problem and no log.
pub const NAME: &str = "Kenari Rahasia";

/// An intake and its ledger.
pub struct Counter {
    pub ledger: Arc<Ledger>,
    pub keys: Arc<Keys>,
    pub clock: Clock,
    pub schemas: Schemas,
    pub app: Arc<App>,
    pub observed: Observed,
    pub folder: TempDir,
}

/// An answer, read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The items of an answer that was given.
    #[track_caller]
    pub fn items(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json().as_array().unwrap().clone()
    }

    /// The only item.
    #[track_caller]
    pub fn item(&self) -> Value {
        let items = self.items();
        assert_eq!(items.len(), 1, "{}", self.text);
        items[0].clone()
    }

    /// A problem of this status and name.
    #[track_caller]
    pub fn problem(&self, status: u16, name: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["type"], format!("urn:posyandu-gateway:problem:{name}"));
        assert_eq!(problem["status"], status);
        for member in ["title", "detail", "instance"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty() && !text.contains('{')), "{problem}");
        }
        assert!(!self.text.contains(NAME) && !self.text.contains("http."), "{}", self.text);
        problem
    }
}

impl Counter {
    pub async fn open() -> Self {
        Self::with(Limits::default(), true).await
    }

    /// With other limits, and perhaps before the posyandu were read.
    pub async fn with(limits: Limits, registered: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::generate().unwrap());
        let clock = Clock::manual("2026-11-18T08:30:00Z".parse().unwrap());
        let ledger = Ledger::open(&options(folder.path()), Arc::clone(&keys), clock.clone()).await.unwrap();
        let schemas = Schemas::built_in().unwrap();
        let ledger = Arc::new(ledger);
        let intake = Intake::new(Arc::clone(&ledger), Arc::clone(&keys), &schemas, clock.clone()).unwrap();
        let intake = Arc::new(intake);
        let sender = |name: &str, puskesmas: &str, token: &str| {
            let sender = Sender { name: name.to_owned(), puskesmas: puskesmas.to_owned(), zone: Zone::Wib };
            (sender, Personal::new(token.to_owned()))
        };
        let senders = vec![
            sender("aplikasi-utara", "Puskesmas Utara", TOKEN),
            sender("aplikasi-tengah", "Puskesmas Tengah", OTHER_TOKEN),
        ];
        let scrape = Scrape::Token(ScrapeToken::new(&Personal::new(TOKEN.to_owned())).unwrap());
        let observed = Observed::default();
        let (data, file) = (folder.path().to_owned(), Some(folder.path().join("ledger.sqlite")));
        let watching = Watching::new(observed.clone(), Arc::clone(&ledger), clock.clone(), data, file, scrape);
        let app = Arc::new(App::new(Arc::clone(&intake), Senders::new(senders).unwrap(), limits, watching));
        let counter = Self { ledger, keys, clock, schemas, app, observed, folder };
        if registered {
            let source = counter.source("posyandu_register", &fixtures().join("posyandu.csv"), "");
            let (register, outcomes) = counter.ingest().register(&[source]).await.unwrap();
            assert!(outcomes[0].problem.is_none() && register.len() > 3);
            intake.set_register(Arc::new(register));
        }
        counter
    }

    pub fn ingest(&self) -> Ingest<'_> {
        Ingest { ledger: &self.ledger, keys: &self.keys, schemas: &self.schemas, clock: &self.clock }
    }

    /// A source with one of the built-in profiles.
    pub fn source(&self, profile: &str, path: &std::path::Path, puskesmas: &str) -> Source {
        let (file, text) = assets::source_profile(profile, std::path::Path::new(".")).unwrap().unwrap();
        Source {
            location: Location::file_at(profile, path.to_owned(), std::path::PathBuf::new()),
            profile: Arc::new(Profile::parse(&file, &text).unwrap()),
            folder: None,
            puskesmas: puskesmas.to_owned(),
            zone: Zone::Wib,
        }
    }

    pub async fn ask(&self, request: Request<Body>) -> Answer {
        let response = router(Arc::clone(&self.app)).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        assert_eq!(head.headers.get("x-content-type-options").unwrap(), "nosniff");
        assert!(head.headers.get("server").is_none() && head.headers.get("access-control-allow-origin").is_none());
        Answer { status: head.status, headers: head.headers, text }
    }

    /// Hands in a body with some headers in place of the usual ones.
    pub async fn send(&self, body: impl Into<Body>, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::post("/v1/records");
        let usual = [("authorization", format!("Bearer {TOKEN}")), ("content-type", "application/json".to_owned())];
        for (name, value) in &usual {
            if !headers.iter().any(|(other, _)| other == name) {
                request = request.header(*name, value);
            }
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        self.ask(request.body(body.into()).unwrap()).await
    }

    /// Hands in JSON.
    pub async fn post(&self, records: &Value) -> Answer {
        self.send(records.to_string(), &[]).await
    }

    /// Where all rows of the senders stand; the rows of the register are left out.
    pub async fn counts(&self) -> Counts {
        let mut counts = self.ledger.counts(&Filter::default()).await.unwrap();
        assert_eq!(counts.read, counts.sum());
        counts.read -= counts.skipped.remove("register").unwrap_or(0);
        counts
    }

    /// What the visits are made of now: one text for each record.
    pub async fn stored(&self) -> Vec<String> {
        let stale = self.ledger.stale_visits(10_000).await.unwrap();
        stale.iter().flat_map(|visit| &visit.records).map(|record| record.record.json.clone()).collect()
    }
}

/// A child of Posyandu Melati 1 that was weighed; `number` tells children apart.
pub fn record(id: &str, number: u32) -> Value {
    // A mother of its own for each child: one name, birth date and mother with two numbers is a conflict.
    let mother: String = number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
    json!({
        "id": id,
        "sasaran": {
            "nik": format!("100101100323{number:04}"), "nama": NAME, "jenis_kelamin": "L",
            "tanggal_lahir": "2023-03-10", "nama_ibu": format!("Ibu Kenari {mother}"), "posyandu": "Melati 1",
        },
        "kunjungan_balita": {"tanggal": "2026-11-18", "bb": 14.2, "pb_tb": 97.5, "cara_ukur": "berdiri"},
    })
}
