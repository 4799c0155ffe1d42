//! A dashboard on a ledger with something of everything on it, asked without a socket.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use jiff::civil::Date;
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::http::auth::Senders;
use posyandu_gateway::http::connection::AtWork;
use posyandu_gateway::http::dashboard::{Dashboard, Lane, MappedResource, MappingSheet, Options, Proxy, StoppedLane};
use posyandu_gateway::http::watch::{Scrape, Watching};
use posyandu_gateway::http::{App, Limits, router};
use posyandu_gateway::ingest::intake::Intake;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::account::{Reach, Role};
use posyandu_gateway::ledger::attempt::AttemptEnd;
use posyandu_gateway::ledger::entry::{Claimed, EntryId, Finding, NewEntry, NewResource};
use posyandu_gateway::ledger::lane::NoteKind;
use posyandu_gateway::ledger::plan::NewPlan;
use posyandu_gateway::ledger::row::{RowKind, RowSeen, StoredRecord, VisitHead, VisitId};
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::observed::Observed;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::words::Language;
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::intake::counter::Counter;
use crate::ledger::{DAY, accepted, sha};

/// A name and a number (of no real province) that pages show only to whoever asks for them with a reason.
pub const NAME: &str = "Kenari Rahasia";
pub const NIK: &str = "1001014512230001";
/// What a hostile file may be called.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>=HYPERLINK(\"x\")";
/// The password of every account here.
pub const PASSWORD: &str = "empat kata yang mudah";

/// A dashboard and what is behind it.
pub struct Site {
    pub app: Arc<App>,
    pub ledger: Arc<Ledger>,
    pub clock: Clock,
    /// Holds the ledger's file.
    _folder: TempDir,
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

    /// The value of the hidden field of a name.
    #[track_caller]
    pub fn hidden(&self, name: &str) -> String {
        let from = self.text.split(&format!("name=\"{name}\" value=\"")).nth(1).expect(name);
        from.split('"').next().unwrap().to_owned()
    }
}

pub fn setting() -> Options {
    let lane = |name: &str, zone| Lane { name: name.to_owned(), zone, per_minute: 60 };
    let mapped = MappedResource {
        dataset: "kunjungan_balita".to_owned(),
        name: "berat badan".to_owned(),
        resource_type: "Observation".to_owned(),
        certainty: "official".to_owned(),
        source: "playbook".to_owned(),
        place: "kunjungan_balita.yaml:12".to_owned(),
        fields: vec!["bb".to_owned()],
    };
    Options {
        language: Language::Indonesian,
        zone: Zone::Wib,
        lanes: vec![lane("Puskesmas Utara", Zone::Wib), lane("Puskesmas Tengah", Zone::Wita)],
        public_url: None,
        proxy: None,
        guests: true,
        read_stop,
        mapping: Arc::new(MappingSheet { version: "peta-1".to_owned(), resources: vec![mapped] }),
        observed: Observed::default(),
        samples_file: None,
    }
}

fn read_stop(note: &str) -> Option<StoppedLane> {
    let (words, at) = (note.to_owned(), "2026-11-18T02:00:00Z".parse().unwrap());
    Some(StoppedLane { why: "mass_refusal", words, since: at, try_at: None, first_refusal: Some(at) })
}

pub fn proxy() -> Proxy {
    Proxy { header: "x-remote-user".parse().unwrap(), addresses: vec!["127.0.0.1".parse().unwrap()] }
}

impl Site {
    pub async fn open() -> Self {
        Self::with(setting()).await
    }

    pub async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = Arc::new(Keys::generate().unwrap());
        let clock = Clock::manual("2026-11-18T08:30:00Z".parse().unwrap());
        let ledger = Ledger::open(&crate::ledger::options(folder.path()), Arc::clone(&keys), clock.clone()).await;
        let ledger = Arc::new(ledger.unwrap());
        fill(&ledger, &clock).await;
        let intake = Intake::new(Arc::clone(&ledger), Arc::clone(&keys), &Schemas::built_in().unwrap(), clock.clone());
        let intake = Arc::new(intake.unwrap());
        // The register of the sample city, read beside the ledger.
        let counter = Counter::open().await;
        let source = counter.source("posyandu_register", &crate::city::fixtures().join("posyandu.csv"), "");
        let (register, _) = counter.ingest().register(&[source]).await.unwrap();
        intake.set_register(Arc::new(register));
        let data = folder.path().to_owned();
        let watching =
            Watching::new(Observed::default(), Arc::clone(&ledger), clock.clone(), data, None, Scrape::Closed);
        let dashboard = Dashboard::new(options, Arc::clone(&ledger), keys, clock.clone(), Arc::clone(&intake));
        let app = App::new(intake, Senders::new(Vec::new()).unwrap(), Limits::default(), watching);
        Self { app: Arc::new(app.with_dashboard(dashboard)), ledger, clock, _folder: folder }
    }

    /// An account with the password of all, logged in: its cookie.
    pub async fn log_in(&self, name: &str, role: Role, reach: Reach) -> String {
        self.account(name, role, reach).await;
        let answer = self.enter(name, PASSWORD).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    /// An account with the password of all.
    pub async fn account(&self, name: &str, role: Role, reach: Reach) {
        assert!(self.ledger.add_account(name, role, &reach, "KODE").await.unwrap());
        assert!(self.ledger.choose_password(name, "KODE", HASH.to_owned()).await.unwrap());
    }

    /// A try to log in.
    pub async fn enter(&self, name: &str, password: &str) -> Answer {
        let body = format!("nama={}&sandi={}", encoded(name), encoded(password));
        self.send(post("/masuk", &body, "")).await
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::get(path).header("host", "127.0.0.1:8200").header("cookie", cookie);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A form with the token of the page it stands on.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)], cookie: &str) -> Answer {
        let csrf = self.get("/", cookie).await.hidden("csrf");
        let own = [("csrf", csrf.as_str())];
        let all = fields.iter().chain(&own).map(|(name, value)| format!("{name}={}", encoded(value)));
        let body = all.collect::<Vec<_>>().join("&");
        self.send(post(path, &body, cookie)).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from(request, "127.0.0.1").await
    }

    pub async fn send_from(&self, mut request: Request<Body>, from: &str) -> Answer {
        let from: IpAddr = from.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(AtWork::from(from)));
        let response = router(Arc::clone(&self.app)).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }
}

/// The argon2id of [`PASSWORD`], with the parameters of the program: the tests need not wait for it each time.
pub const HASH: &str = include_str!("kata_sandi.txt").trim_ascii();

pub fn post(path: &str, body: &str, cookie: &str) -> Request<Body> {
    Request::post(path)
        .header("host", "127.0.0.1:8200")
        .header("origin", "http://127.0.0.1:8200")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

pub fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub fn reach(puskesmas: &str, posyandu: &str) -> Reach {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Reach { puskesmas: some(puskesmas), posyandu: some(posyandu) }
}

/// The reach that fits a role: of the north, and its first posyandu.
pub fn reach_of(role: Role) -> Reach {
    match role {
        Role::Kader => reach("Puskesmas Utara", "UTR-01"),
        Role::Puskesmas => reach("Puskesmas Utara", ""),
        _ => reach("", ""),
    }
}

/// Visits of two puskesmas in every state, rows to mend, a stopped lane, a plan, a removal; entries are 1, 2, 3 ….
async fn fill(ledger: &Ledger, clock: &Clock) {
    visits(ledger, "Puskesmas Utara", "UTR-01", DAY, 6, HOSTILE).await;
    visits(ledger, "Puskesmas Utara", "UTR-02", DAY, 2, "b.csv").await;
    visits(ledger, "Puskesmas Tengah", "TGH-01", DAY, 3, "c.csv").await;
    let claimed = ledger.claim("Puskesmas Utara", 4).await.unwrap();
    for one in &claimed[..2] {
        end(ledger, one, Event::Accepted, Vec::new()).await;
    }
    let found = vec![(0, Finding::Equal), (1, Finding::Different)];
    ledger.record_verification(claimed[0].entry.entry_id, found).await.unwrap();
    let told = Issue::error(Code::Value, "remote.content").with("text", HOSTILE).with("element", "e");
    end(ledger, &claimed[2], Event::RefusedContent, vec![told]).await;
    let complaint = vec![Issue::error(Code::NotFound, "person.not_found")];
    ledger.block(claimed[3].entry.entry_id, &claimed[3].lease, "patient", clock.now(), &complaint).await.unwrap();
    ledger.decide(EntryId::from_number(6), Event::WaivedBy, "di luar wilayah").await.unwrap();
    ledger.put_note(NoteKind::Stopped, "Puskesmas Tengah", Some(HOSTILE.to_owned())).await.unwrap();
    let plan = NewPlan {
        new_version: "peta-1".to_owned(),
        visits: vec![(VisitId::default(), String::new())],
        ..NewPlan::default()
    };
    // A plan of no visit is kept too; its number is 1.
    ledger.make_plan(NewPlan { visits: Vec::new(), ..plan }).await.unwrap();
    issue_rows(ledger).await;
}

/// Ends a claimed entry.
pub async fn end(ledger: &Ledger, claimed: &Claimed, event: Event, issues: Vec<Issue>) {
    let attempt = ledger.begin_attempt(claimed.entry.entry_id, &claimed.lease, sha("request")).await.unwrap();
    let is_accepted = event == Event::Accepted;
    let accepted = if is_accepted { accepted(claimed) } else { Vec::new() };
    let (status, class) = (Some(if is_accepted { 200 } else { 400 }), if is_accepted { "accepted" } else { "content" });
    let (class, excerpt) = (class.to_owned(), HOSTILE.to_owned());
    let ended = AttemptEnd { status, class, excerpt, accepted, issues, ..AttemptEnd::default() };
    let state = ledger.end_attempt(attempt, &claimed.lease, event, ended).await.unwrap();
    assert!(matches!(state, State::Delivered | State::Refused));
}

/// Visits of a posyandu on a day, entered.
pub async fn visits(ledger: &Ledger, puskesmas: &str, posyandu: &str, day: Date, number: usize, file: &str) {
    let pass = ledger.begin_pass("eppgbm", &format!("{posyandu}/{day}")).await.unwrap();
    let row = |index: usize| {
        let key = format!("{posyandu}/{day}/{index}");
        let json = format!(r#"{{"nama":"{NAME}","nik":"{NIK}","bb":"9,4"}}"#);
        let columns = vec![("bb".to_owned(), "BB".to_owned())];
        let record = StoredRecord {
            dataset: "kunjungan_balita".to_owned(),
            record_key: sha("kunjungan_balita"),
            json,
            columns,
            series: None,
        };
        let visit = VisitHead {
            puskesmas: puskesmas.to_owned(),
            posyandu: posyandu.to_owned(),
            service_date: day,
            zone: Zone::Wib,
            due: jiff::Timestamp::UNIX_EPOCH,
        };
        RowSeen {
            place: Place { source: "eppgbm".into(), file: file.into(), row: (index + 2).to_string(), column: None },
            row_key: sha(&key),
            hash: sha(&format!("{key}/isi")),
            outcome: RowKind::Records { visit_key: sha(&format!("visit/{key}")), visit, records: vec![record] },
            issues: Vec::new(),
            puskesmas: None,
            posyandu: None,
            service_date: None,
        }
    };
    ledger.see_rows(pass, (0..number).map(row).collect()).await.unwrap();
    ledger.finish_pass(pass, true).await.unwrap();
    let stale = ledger.stale_visits(10_000).await.unwrap();
    let entries = stale.iter().map(|visit| {
        let resource = |kind: &str| NewResource {
            resource_type: kind.to_owned(),
            identifier_system: "urn:test".to_owned(),
            identifier_value: format!("{kind}-{}-{}", visit.visit_key[0], visit.visit_key[1]),
            content_hash: sha(kind),
            full_url: "urn:uuid:1".to_owned(),
        };
        NewEntry {
            visit_key: visit.visit_key,
            revision: visit.revision,
            content_hash: sha("isi"),
            mapping_version: "peta-1".to_owned(),
            due: visit.visit.due,
            person: Personal::new(format!(r#"{{"nama":"{NAME} <b>","nik":"{NIK}"}}"#)),
            bundle: Personal::new(format!(r#"{{"nama":"{NAME}"}}"#)),
            resources: vec![resource("Encounter"), resource("Observation")],
            issues: Vec::new(),
            refused: false,
        }
    });
    ledger.enter(entries.collect()).await.unwrap();
}

/// Rows that a person must correct: one in each puskesmas, the northern one with a hostile file and column.
async fn issue_rows(ledger: &Ledger) {
    let pass = ledger.begin_pass("kartu", "kartu.csv").await.unwrap();
    let row = |puskesmas: &str, posyandu: &str, file: &str| {
        let column = Some(HOSTILE.to_owned());
        let place = Place { source: "kartu".into(), file: file.into(), row: "7".to_owned(), column };
        RowSeen {
            row_key: sha(posyandu),
            hash: sha(file),
            outcome: RowKind::Issue,
            issues: vec![Issue::error(Code::Value, "posyandu.unknown").with("tertulis", HOSTILE).at(place.clone())],
            place,
            puskesmas: Some(puskesmas.to_owned()),
            posyandu: Some(posyandu.to_owned()),
            service_date: Some(DAY),
        }
    };
    let rows = vec![row("Puskesmas Utara", "UTR-01", HOSTILE), row("Puskesmas Tengah", "TGH-01", "tengah.csv")];
    ledger.see_rows(pass, rows).await.unwrap();
    ledger.finish_pass(pass, true).await.unwrap();
}
