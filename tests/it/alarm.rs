//! Alarms: what begins is told once, on all ways, and what is over too; the webhook's signatures are judged by the
//! reference implementation of their form.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::alarm::{Alarm, AlarmKind, LookedAt, MessageEnd, Standing};
use posyandu_gateway::remote::lane::Lane;
use posyandu_gateway::remote::webhook::TRY_AGAIN_SECONDS;
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;

use crate::ledger::{Desk, on_both_stores};
use crate::office::{Office, Setting};
use crate::remote::certificate::{DAY, server};

/// 24 bytes in base64, as a receiver would show them.
const SECRET: &str = "whsec_Y29udG9oIHJhaGFzaWEgdW50dWsgdWpp";
/// Rows of each source that are kept, so that the test is short.
const ROWS: usize = 12;

fn disk(level: &'static str) -> LookedAt {
    let standing = Standing { level, details: "{}".to_owned() };
    LookedAt { kind: AlarmKind::Disk, about: "mesin".to_owned(), standing: (level != "fine").then_some(standing) }
}

fn levels(alarms: &[Alarm]) -> Vec<&str> {
    alarms.iter().map(|alarm| alarm.level.as_str()).collect()
}

on_both_stores!(an_alarm_begins_once_changes_its_level_and_is_over);
async fn an_alarm_begins_once_changes_its_level_and_is_over(desk: Desk) {
    let ledger = &desk.ledger;
    let settle = async |level| {
        let (raised, ended) = ledger.settle_alarms(vec![disk(level)], true).await.unwrap();
        format!("{:?} {:?}", levels(&raised), levels(&ended))
    };
    assert_eq!(settle("fine").await, "[] []");
    assert_eq!(settle("low").await, r#"["low"] []"#);
    let writes = ledger.writes();
    assert_eq!(settle("low").await, "[] []");
    assert_eq!(ledger.writes(), writes, "nothing new is written");
    assert_eq!(settle("critical").await, r#"["critical"] []"#);
    assert_eq!(levels(&ledger.open_alarms().await.unwrap()), ["critical"]);
    assert_eq!(settle("fine").await, r#"[] ["critical"]"#);
    assert_eq!(levels(&ledger.alarms().await.unwrap()), ["critical", "low"]);
    let messages = ledger.messages_due(9).await.unwrap();
    let told: Vec<(&str, bool)> =
        messages.iter().map(|message| (message.alarm.level.as_str(), message.is_raised)).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    ledger.end_message(&messages[0].id, MessageEnd::Accepted).await.unwrap();
    let later = desk.clock.now() + Duration::from_secs(60);
    ledger.end_message(&messages[1].id, MessageEnd::Again(later, "tutup".to_owned())).await.unwrap();
    ledger.end_message(&messages[2].id, MessageEnd::GivenUp("tutup".to_owned())).await.unwrap();
    assert!(ledger.messages_due(9).await.unwrap().is_empty());
    desk.clock.advance(Duration::from_secs(60));
    let again = ledger.messages_due(9).await.unwrap();
    assert_eq!((again.len(), again[0].tries, &again[0].id), (1, 1, &messages[1].id));
}

on_both_stores!(an_alarm_that_nobody_looks_at_any_more_is_over_after_a_day);
async fn an_alarm_that_nobody_looks_at_any_more_is_over_after_a_day(desk: Desk) {
    let settle = async |looked_at| desk.ledger.settle_alarms(looked_at, false).await.unwrap().1.len();
    settle(vec![disk("low")]).await;
    for _ in 0..30 {
        desk.clock.advance(Duration::from_secs(60 * 60));
        assert_eq!(settle(vec![disk("low")]).await, 0, "it still stands");
    }
    desk.clock.advance(Duration::from_secs(23 * 60 * 60));
    assert_eq!(settle(vec![]).await, 0);
    desk.clock.advance(Duration::from_secs(60 * 60));
    assert_eq!(settle(vec![]).await, 1);
    assert!(desk.ledger.messages_due(9).await.unwrap().is_empty(), "there is no webhook");
}

/// What a receiver got, and the status it answers with.
#[derive(Clone)]
struct Receiver {
    got: Arc<Mutex<Vec<(String, Value)>>>,
    status: Arc<Mutex<StatusCode>>,
}

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self { got: Arc::default(), status: Arc::new(Mutex::new(StatusCode::NO_CONTENT)) };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/peringatan", listener.local_addr().unwrap());
        let router = Router::new().route("/peringatan", post(take)).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (receiver, address)
    }

    fn answers(&self, status: StatusCode) {
        *self.status.lock().unwrap() = status;
    }

    fn got(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.got.lock().unwrap())
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // The times of the sample's day are long gone for the judge, who has a clock of his own: only the signature counts.
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let seconds = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
    let signed = Webhook::new(SECRET).unwrap().sign(&id, seconds, &body).unwrap();
    assert_eq!(headers["webhook-signature"].to_str().unwrap(), signed);
    receiver.got.lock().unwrap().push((id, serde_json::from_slice(&body).unwrap()));
    *receiver.status.lock().unwrap()
}

async fn watched(office: &Office, url: &str) -> Daemon {
    let mut daemon = office.daemon().await;
    let secret = office.folder.path().join("rahasia-webhook.txt");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    daemon.config.alarm.webhook_url = url.to_owned();
    daemon.config.alarm.webhook_secret_file = secret;
    daemon
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_is_told_of_what_begins_and_is_over_under_one_id_until_it_takes_it() {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(ROWS).await;
    let (receiver, url) = Receiver::start().await;
    let daemon = watched(&office, &url).await;
    daemon.ingest(&mut |_, _| Ok(()), &|_| {}).await.unwrap();
    // 23:40 in Jakarta, and nothing is sent.
    office.clock.advance(Duration::from_secs(8 * 3600 + 10 * 60));
    let (raised, _) = daemon.give_alarms(&[]).await.unwrap();
    assert!(raised.iter().any(|alarm| alarm.level == "half_hour"), "{raised:?}");
    receiver.answers(StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(daemon.tell_alarms().await.unwrap(), 0);
    let refused = receiver.got();
    assert_eq!(refused.len(), raised.len());
    assert_eq!(daemon.tell_alarms().await.unwrap(), 0);
    assert!(receiver.got().is_empty(), "not before the wait is over");
    office.clock.advance(Duration::from_secs(TRY_AGAIN_SECONDS[0]));
    receiver.answers(StatusCode::NO_CONTENT);
    assert_eq!(daemon.tell_alarms().await.unwrap(), raised.len() as u64);
    let taken = receiver.got();
    assert_eq!(sorted(&taken), sorted(&refused), "the same messages under the same ids");
    let one = &taken[0].1;
    assert_eq!(one["type"], "alarm.raised");
    let text = one["data"]["text"].as_str().unwrap();
    assert!(text.contains("setengah jam") && !text.contains('{'), "{text}");
    daemon.once(&|_| {}).await.unwrap();
    let lanes = daemon.lanes().unwrap();
    daemon.give_alarms(&lanes).await.unwrap();
    daemon.tell_alarms().await.unwrap();
    let over = receiver.got();
    let ended = over.iter().filter(|(_, message)| message["type"] == "alarm.ended").count();
    assert!(ended > 0, "{over:?}");
    assert!(daemon.ledger.open_alarms().await.unwrap().iter().all(|alarm| alarm.kind != AlarmKind::Deadline));
}

fn sorted(messages: &[(String, Value)]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = messages.iter().map(|(id, body)| (id.clone(), body.to_string())).collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_nobody_takes_is_given_up_at_last() {
    let office = Office::open(Setting::default(), None).await;
    let (receiver, url) = Receiver::start().await;
    receiver.answers(StatusCode::FOUND);
    let daemon = watched(&office, &url).await;
    daemon.ledger.settle_alarms(vec![disk("low")], true).await.unwrap();
    for seconds in TRY_AGAIN_SECONDS {
        assert_eq!(daemon.tell_alarms().await.unwrap(), 0);
        assert_eq!(receiver.got().len(), 1);
        office.clock.advance(Duration::from_secs(seconds));
    }
    assert_eq!(daemon.tell_alarms().await.unwrap(), 0);
    assert_eq!(receiver.got().len(), 1);
    office.clock.advance(Duration::from_secs(1_000_000));
    assert_eq!(daemon.tell_alarms().await.unwrap(), 0);
    assert!(receiver.got().is_empty(), "it was given up");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_and_secrets_that_end_soon_are_told() {
    let office = Office::open(Setting::default(), None).await;
    let mut daemon = office.daemon().await;
    // The TLS library looks at the machine's clock, so the certificate must be valid today.
    let now = Clock::System.now();
    daemon.clock = Clock::manual(now);
    let (address, pem, _) = server("localhost", now - DAY, 11 * DAY).await;
    let file = office.folder.path().join("tls.pem");
    std::fs::write(&file, pem).unwrap();
    daemon.config.satusehat.auth_url = address.clone();
    daemon.config.satusehat.fhir_url = address;
    daemon.config.satusehat.extra_ca_file = file;
    let today = daemon.config.puskesmas[0].timezone.date_at(now);
    daemon.config.puskesmas[0].client_secret_expires = Some(today);
    let lanes: Vec<Lane> = daemon.lanes().unwrap();
    lanes[0].remote.search("Patient", &[]).await;
    let (raised, _) = daemon.give_alarms(&lanes).await.unwrap();
    let about = |kind: AlarmKind| -> Vec<(&str, &str)> {
        let of_kind = raised.iter().filter(|alarm| alarm.kind == kind);
        of_kind.map(|alarm| (alarm.about.as_str(), alarm.level.as_str())).collect()
    };
    assert_eq!(about(AlarmKind::Certificate), [("localhost", "soon"), ("extra_ca_file", "soon")]);
    assert_eq!(about(AlarmKind::Secret), [(daemon.config.puskesmas[0].name.as_str(), "very_soon")]);
}
