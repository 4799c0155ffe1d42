//! The client against a server that misbehaves in one way at a time.

mod answer;
pub mod certificate;
mod search;
mod token;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::civil::date;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::remote::answer::{Answer, Class};
use posyandu_gateway::remote::identity::{IdentityAnswer, PersonQuery};
use posyandu_gateway::remote::memory::{Kept, Later, Memory};
use posyandu_gateway::remote::pace::Learnt;
use posyandu_gateway::remote::search::SearchAnswer;
use posyandu_gateway::remote::token::Token;
use posyandu_gateway::remote::{Options, ReadAnswer, Remote, RemoteError};
use serde_json::{Value, json};

const NIK: &str = "1001014512230001";
const NAME: &str = "Melati Rembulan";

/// What the server does with a call to the API; the number counts those calls from 0.
type Behaviour = Arc<dyn Fn(usize, &str, &str) -> Response + Send + Sync>;

#[derive(Clone)]
struct Server {
    address: String,
    tokens: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Desk {
    server: Server,
    behaviour: Behaviour,
    token: Arc<dyn Fn(usize) -> Response + Send + Sync>,
}

async fn answer(State(desk): State<Desk>, request: Request) -> Response {
    let path = request.uri().path_and_query().map_or(String::new(), ToString::to_string);
    if path.starts_with("/oauth2/v1/accesstoken") {
        let number = desk.server.tokens.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        return (desk.token)(number);
    }
    let token = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
    let number = {
        let mut seen = desk.server.seen.lock().unwrap();
        seen.push(path.clone());
        seen.len() - 1
    };
    let _: Bytes = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    (desk.behaviour)(number, &path, &token)
}

fn fine_token(number: usize) -> Response {
    let body = json!({"access_token": format!("token-{number}"), "token_type": "BearerToken", "expires_in": "3599"});
    axum::Json(body).into_response()
}

async fn serve(behaviour: impl Fn(usize, &str, &str) -> Response + Send + Sync + 'static) -> Server {
    serve_with(fine_token, behaviour).await
}

async fn serve_with(
    token: impl Fn(usize) -> Response + Send + Sync + 'static,
    behaviour: impl Fn(usize, &str, &str) -> Response + Send + Sync + 'static,
) -> Server {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = Server { address, tokens: Arc::default(), seen: Arc::default() };
    let desk = Desk { server: server.clone(), behaviour: Arc::new(behaviour), token: Arc::new(token) };
    let router = Router::new().fallback(answer).with_state(desk);
    tokio::spawn(async move { axum::serve(listener, router).await });
    server
}

fn options(address: &str) -> Options {
    Options {
        auth_url: format!("{address}/oauth2/v1"),
        fhir_url: format!("{address}/fhir-r4/v1"),
        client_id: "client".into(),
        client_secret: Personal::new("very-secret".into()),
        organization_id: "100000001".into(),
        requests_per_minute: 10_000_000,
        concurrency: 64,
        connect_timeout: Duration::from_secs(2),
        request_timeout: Duration::from_secs(5),
        extra_ca: None,
        plain_http_allowed: false,
    }
}

/// A memory that one client hands to the next, as the ledger does across restarts.
#[derive(Debug, Default)]
struct Shelf(Mutex<Kept>);

impl Shelf {
    fn with(token: Token) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Kept { token: Some(token), ..Kept::default() })))
    }
}

impl Memory for Shelf {
    fn recall<'a>(&'a self, _: &'a str) -> Later<'a, Kept> {
        Box::pin(async { self.0.lock().unwrap().clone() })
    }

    fn asking<'a>(&'a self, _: &'a str, at: Timestamp) -> Later<'a, bool> {
        self.0.lock().unwrap().asked.add(at);
        Box::pin(async { true })
    }

    fn keep_token<'a>(&'a self, _: &'a str, token: Option<&'a Token>) -> Later<'a, ()> {
        self.0.lock().unwrap().token = token.cloned();
        Box::pin(async {})
    }

    fn keep_learnt<'a>(&'a self, _: &'a str, learnt: Learnt) -> Later<'a, ()> {
        self.0.lock().unwrap().learnt = Some(learnt);
        Box::pin(async {})
    }
}

fn clock() -> Clock {
    Clock::manual("2026-11-18T03:00:00Z".parse().unwrap())
}

fn remote(server: &Server) -> Remote {
    Remote::new(options(&server.address), clock()).unwrap()
}

fn bundle() -> String {
    let entry = |kind: &str| {
        json!({
            "fullUrl": "urn:uuid:7a1c1f0e-0000-5000-8000-000000000001",
            "resource": {"resourceType": kind, "subject": {"display": NAME}, "note": [{"text": NIK}]},
            "request": {"method": "POST", "url": kind},
        })
    };
    json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry("Encounter"), entry("Observation")]})
        .to_string()
}

fn accepted(kinds: &[&str]) -> Response {
    // No two answers of a server name the same resource.
    static ANSWERS: AtomicUsize = AtomicUsize::new(0);
    accepted_as(&format!("id{}", ANSWERS.fetch_add(1, Ordering::SeqCst)), kinds)
}

/// The same with ids that begin so.
fn accepted_as(id: &str, kinds: &[&str]) -> Response {
    let entry: Vec<Value> = kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| {
            let location = format!("https://elsewhere.example/fhir-r4/v1/{kind}/{id}-{at}/_history/v{at}");
            json!({"response": {"status": "201 Created", "location": location, "etag": format!("W/\"v{at}\""),
                "resourceType": kind, "resourceID": format!("{id}-{at}")}})
        })
        .collect();
    let body = json!({"resourceType": "Bundle", "type": "transaction-response", "total": 30, "entry": entry});
    ([("x-request-id", "r-1"), ("date", "Wed, 18 Nov 2026 03:00:05 GMT")], axum::Json(body)).into_response()
}

fn fault(status: StatusCode, code: &str) -> Response {
    (status, axum::Json(json!({"fault": {"faultstring": "no", "detail": {"errorcode": code}}}))).into_response()
}

fn page(kind: &str, resources: &[Value], next: Option<&str>) -> Response {
    let entry: Vec<Value> = resources.iter().map(|resource| json!({"resource": resource})).collect();
    let link = next.map_or(json!([]), |url| json!([{"relation": "next", "url": url}]));
    assert!(!kind.is_empty());
    axum::Json(
        json!({"resourceType": "Bundle", "type": "searchset", "total": entry.len(), "entry": entry, "link": link}),
    )
    .into_response()
}

fn quiet(shown: &str) {
    for personal in [NIK, NAME, "Melati", "very-secret", "token-0"] {
        assert!(!shown.contains(personal), "{personal} shows in {shown}");
    }
}

async fn class_of(behaviour: impl Fn() -> Response + Send + Sync + 'static) -> Answer {
    let server = serve(move |_, _, _| behaviour()).await;
    let answer = remote(&server).transaction(bundle()).await;
    quiet(&format!("{answer:?}"));
    answer
}

#[tokio::test]
async fn a_transaction_gives_every_id_in_the_order_sent() {
    let answer = class_of(|| accepted_as("id", &["Encounter", "Observation"])).await;
    assert_eq!(answer.class, Class::Accepted);
    let ids: Vec<_> = answer.accepted.iter().map(|one| (one.position, one.id.as_str())).collect();
    assert_eq!(ids, [(0, "id-0"), (1, "id-1")]);
    assert_eq!(answer.accepted[1].version.as_deref(), Some("v1"));
    assert_eq!(answer.request_id.as_deref(), Some("r-1"));
    assert_eq!(answer.server_date, Some("2026-11-18T03:00:05Z".parse::<Timestamp>().unwrap()));
}

#[tokio::test]
async fn refusals_quote_no_person() {
    let answer = class_of(|| {
        let text = format!("Code not found: '{NAME}' in system: '{NIK}' for {NIK} of {NAME} (RuleNumber: 10010)");
        let issue = json!([
            {"severity": "error", "code": "value", "details": {"text": "follows (RuleNumber: 20013)"}},
            {"severity": "error", "code": "value", "details": {"text": text}, "expression": ["Observation.code"]},
        ]);
        (StatusCode::BAD_REQUEST, axum::Json(json!({"resourceType": "OperationOutcome", "issue": issue})))
            .into_response()
    })
    .await;
    assert_eq!((answer.class, answer.rules.as_slice()), (Class::Content, &[10010][..]));
    assert_eq!(answer.issues[0].expression.as_deref(), Some("Observation.code"));
    assert_eq!(answer.sentence(), "remote.rule.10010");
    quiet(&format!("{:?}", answer.issues_for_people()));
    let unknown =
        class_of(|| (StatusCode::BAD_REQUEST, axum::Json(json!({"patient": NAME, "nik": NIK}))).into_response());
    assert_eq!(unknown.await.class, Class::Unclassified);
}

#[test]
fn plain_http_to_another_machine_is_refused_and_nothing_prints_the_secret() {
    let refused = Remote::new(options("http://api-satusehat.example"), clock());
    assert!(matches!(refused, Err(RemoteError::PlainHttp { .. })));
    let options = options("http://127.0.0.1:9");
    quiet(&format!("{options:?} {:?}", Remote::new(options.clone(), clock()).unwrap()));
}
