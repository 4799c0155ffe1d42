//! The client against a server that misbehaves in one way at a time.

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
    let entry: Vec<Value> = kinds
        .iter()
        .enumerate()
        .map(|(at, kind)| {
            let location = format!("https://elsewhere.example/fhir-r4/v1/{kind}/id-{at}/_history/v{at}");
            json!({"response": {"status": "201 Created", "location": location, "etag": format!("W/\"v{at}\""),
                "resourceType": kind, "resourceID": format!("id-{at}")}})
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
    let answer = class_of(|| accepted(&["Encounter", "Observation"])).await;
    assert_eq!(answer.class, Class::Accepted);
    let ids: Vec<_> = answer.accepted.iter().map(|one| (one.position, one.id.as_str())).collect();
    assert_eq!(ids, [(0, "id-0"), (1, "id-1")]);
    assert_eq!(answer.accepted[1].version.as_deref(), Some("v1"));
    assert_eq!(answer.request_id.as_deref(), Some("r-1"));
    assert_eq!(answer.server_date, Some("2026-11-18T03:00:05Z".parse::<Timestamp>().unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_calls_at_once_ask_for_one_token() {
    let server = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    let remote = remote(&server);
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.transaction(bundle()).await.class })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Class::Accepted);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    assert_eq!((remote.calls().token, remote.calls().transaction), (1, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_is_renewed_once_for_all_calls() {
    let server = serve(|_, _, token| {
        if token == "Bearer token-0" {
            return fault(StatusCode::UNAUTHORIZED, "oauth.v2.InvalidAccessToken");
        }
        accepted(&["Encounter", "Observation"])
    })
    .await;
    let remote = remote(&server);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let remote = remote.clone();
            tokio::spawn(async move { remote.transaction(bundle()).await.class })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Class::Accepted);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_refused_twice_stops_the_client_without_a_storm() {
    let server = serve(|_, _, _| fault(StatusCode::UNAUTHORIZED, "keymanagement.service.access_token_expired")).await;
    let remote = remote(&server);
    for _ in 0..10 {
        assert_eq!(remote.transaction(bundle()).await.class, Class::Configuration);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failing_token_endpoint_is_asked_once_a_minute_and_nothing_is_sent() {
    let refusal = |_| {
        let body = json!({"ErrorCode": "invalid_client", "Error": "ClientId is Invalid"});
        (StatusCode::UNAUTHORIZED, axum::Json(body)).into_response()
    };
    let server = serve_with(refusal, |_, _, _| accepted(&[])).await;
    let clock = clock();
    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
    for _ in 0..5 {
        assert_eq!(remote.transaction(bundle()).await.class, Class::Configuration);
    }
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    clock.advance(Duration::from_secs(61));
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2);
    let again = Remote::new(options(&server.address), clock.clone()).unwrap();
    again.restore_token_failure(remote.token_failed_at().unwrap());
    again.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 2, "a restart does not ask again");
    remote.replace_secret(Personal::new("new".into()));
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 3, "a new secret is tried at once");
    assert!(server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_kept_token_is_used_until_shortly_before_its_end() {
    let server = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    let clock = clock();
    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3600);
    remote.restore_token(Token::new(Personal::new("kept".into()), end, clock.now()));
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 0);
    clock.advance(Duration::from_secs(3400));
    remote.transaction(bundle()).await;
    assert_eq!(server.tokens.load(Ordering::SeqCst), 1);
    assert_eq!(remote.current_token().unwrap().expires(), clock.now() + Duration::from_secs(3599));
}

#[tokio::test]
async fn what_is_no_whole_success_is_unknown() {
    let html = || ([("content-type", "text/html")], "<html><title>Log in</title></html>").into_response();
    assert_eq!(class_of(html).await.class, Class::Unknown);
    for kinds in [&["Encounter"][..], &["Observation", "Encounter"], &["Encounter", "Observation", "Observation"]] {
        let kinds: Vec<&'static str> = kinds.to_vec();
        assert_eq!(class_of(move || accepted(&kinds)).await.class, Class::Unknown);
    }
    for body in ["", "{", "{}", r#"{"resourceType":"Bundle"}"#, r#"{"resourceType":"Patient","id":"1"}"#] {
        let json = move || ([("content-type", "application/json")], body).into_response();
        assert_eq!(class_of(json).await.class, Class::Unknown, "{body}");
    }
    let large = || ([("content-type", "application/json")], Body::from(vec![b' '; 9 * 1024 * 1024])).into_response();
    assert_eq!(class_of(large).await.class, Class::Unknown);
    let deep = || ([("content-type", "application/json")], "[".repeat(1_000_000)).into_response();
    assert_eq!(class_of(deep).await.class, Class::Unknown);
    let failing = || (StatusCode::BAD_GATEWAY, format!("upstream saw {NIK}")).into_response();
    assert_eq!(class_of(failing).await.class, Class::Unknown);
}

#[tokio::test]
async fn push_back_is_no_doubt_whatever_its_status() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS] {
        let server = serve(move |_, _, _| fault(status, "policies.ratelimit.QuotaViolation")).await;
        let remote = remote(&server);
        let before = remote.pace_per_minute();
        assert_eq!(remote.transaction(bundle()).await.class, Class::Throttled);
        assert_eq!(remote.pace_per_minute(), before / 2);
    }
}

#[tokio::test]
async fn retry_after_holds_the_next_call_back() {
    let server = serve(|number, _, _| match number {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")], "").into_response(),
        _ => accepted(&["Encounter", "Observation"]),
    })
    .await;
    let clock = clock();
    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
    let start = clock.now();
    assert_eq!(remote.transaction(bundle()).await.retry_after, Some(Duration::from_secs(120)));
    assert_eq!(remote.transaction(bundle()).await.class, Class::Accepted);
    assert!(clock.now().duration_since(start).as_secs() >= 120);
}

/// A server on the bare socket: answers the token, then does `finish` with the connection of the write.
async fn raw(answer: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut part = [0; 4096];
            while !text.ends_with(b"}") && !text.windows(14).any(|window| window == b"client_secret=") {
                let length = socket.read(&mut part).await.unwrap();
                text.extend_from_slice(&part[..length]);
            }
            if text.starts_with(b"POST /oauth2") {
                let body = r#"{"access_token":"abc","expires_in":"3599"}"#;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
            } else {
                socket.write_all(answer).await.unwrap();
            }
            socket.shutdown().await.ok();
        }
    });
    address
}

#[tokio::test]
async fn a_cut_answer_is_unknown_wherever_it_was_cut() {
    let whole: &[&'static [u8]] = &[
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"resourceType\":",
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{",
    ];
    for answer in whole {
        let remote = Remote::new(options(&raw(answer).await), clock()).unwrap();
        let answer = remote.transaction(bundle()).await;
        assert_eq!(answer.class, Class::Unknown, "{answer:?}");
        quiet(&format!("{answer:?}"));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_unknown_after_the_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
    let clock = clock();
    let options = Options { request_timeout: Duration::from_millis(200), ..options(&address) };
    let remote = Remote::new(options, clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3600);
    remote.restore_token(Token::new(Personal::new("kept".into()), end, clock.now()));
    let answer = remote.transaction(bundle()).await;
    assert_eq!(answer.class, Class::Unknown, "{answer:?}");
    assert!(answer.server_in_trouble());
}

#[tokio::test]
async fn a_refused_connection_is_an_outage_without_doubt() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let address = format!("http://127.0.0.1:{port}");
    let clock = clock();
    let remote = Remote::new(options(&address), clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3600);
    remote.restore_token(Token::new(Personal::new("kept".into()), end, clock.now()));
    let answer = remote.transaction(bundle()).await;
    assert_eq!(answer.class, Class::Outage { may_have_executed: false }, "{answer:?}");
    assert!(!answer.excerpt.contains(&port.to_string()), "{}", answer.excerpt);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    for (status, class) in [(302, Class::Unknown), (307, Class::Outage { may_have_executed: false })] {
        let target = format!("{}/fhir-r4/v1", other.address);
        let status = StatusCode::from_u16(status).unwrap();
        let answer = class_of(move || (status, [("location", target.clone())], "").into_response()).await;
        assert_eq!(answer.class, class);
    }
    assert!(other.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn single_writes_must_come_back_as_what_was_sent() {
    let body = |id: Option<&str>, value: &str| {
        let mut resource = json!({"resourceType": "Encounter", "identifier": [{"system": "s", "value": value}]});
        if let Some(id) = id {
            resource["id"] = json!(id);
        }
        resource
    };
    let mine = body(Some("e-1"), "A");
    let good = mine.clone();
    let server = serve(move |_, _, _| (StatusCode::CREATED, axum::Json(good.clone())).into_response()).await;
    let answer = remote(&server).create("Encounter", body(None, "A").to_string()).await;
    assert_eq!((answer.class, answer.accepted[0].id.as_str()), (Class::Accepted, "e-1"));
    assert_eq!(remote(&server).create("Encounter", body(None, "B").to_string()).await.class, Class::Unknown);
    assert_eq!(remote(&server).update("Encounter", "e-1", mine.to_string()).await.class, Class::Accepted);
    let other = remote(&server).update("Encounter", "e-2", body(Some("e-2"), "A").to_string()).await;
    assert_eq!(other.class, Class::Outage { may_have_executed: true });
    let unsent = remote(&server).update("Encounter", "../x", mine.to_string()).await;
    assert_eq!(unsent.class, Class::Content);
}

#[tokio::test]
async fn reads_tell_absent_from_hidden_and_from_a_wrong_address() {
    let server = serve(|_, path, _| {
        let outcome = |status: StatusCode, code: &str, severity: &str| {
            let issue = json!([{"severity": severity, "code": code, "details": {"text": "storage_error"}}]);
            (status, axum::Json(json!({"resourceType": "OperationOutcome", "issue": issue}))).into_response()
        };
        match path.rsplit('/').next().unwrap() {
            "there" => axum::Json(json!({"resourceType": "Patient", "id": "there", "name": NAME})).into_response(),
            "absent" => outcome(StatusCode::NOT_FOUND, "no-store", "error"),
            "hidden" => outcome(StatusCode::OK, "suppressed", "information"),
            "other" => axum::Json(json!({"resourceType": "Patient", "id": "somebody"})).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    })
    .await;
    let remote = remote(&server);
    let there = remote.read("Patient", "there").await;
    assert!(matches!(there, ReadAnswer::Found(_)));
    quiet(&format!("{there:?}"));
    assert_eq!(remote.read("Patient", "absent").await, ReadAnswer::Absent);
    assert_eq!(remote.read("Patient", "hidden").await, ReadAnswer::Hidden);
    let ReadAnswer::Failed(wrong) = remote.read("Patient", "wrong").await else {
        panic!("a wrong address is no absence")
    };
    assert_eq!(wrong.class, Class::Configuration);
    assert!(matches!(remote.read("Patient", "other").await, ReadAnswer::Failed(_)));
}

#[tokio::test]
async fn searches_follow_the_page_token_only_and_keep_what_matches() {
    let server = serve(|_, path, _| {
        let encounter = |id: &str, value: &str| {
            json!({"resourceType": "Encounter", "id": id, "identifier": [{"system": "s", "value": value}]})
        };
        if path.contains("_page_token=a%2Fb") {
            return page("Encounter", &[encounter("3", "A"), encounter("1", "A")], None);
        }
        let hidden = json!({"resourceType": "OperationOutcome", "issue": [{"code": "suppressed"}]});
        let stranger = json!({"resourceType": "Patient", "id": "9"});
        let next = "https://elsewhere.example/steal?_count=1&_page_token=a%2Fb";
        page("Encounter", &[encounter("1", "A"), hidden, stranger, encounter("2", "B")], Some(next))
    })
    .await;
    let answer = remote(&server).find_by_identifier("Encounter", "s", "A").await;
    let SearchAnswer::Found(matches) = answer else { panic!("a search that failed") };
    let ids: Vec<_> = matches.resources.iter().map(|one| one.reveal()["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "3"]);
    assert_eq!((matches.hidden, matches.complete), (1, true));
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 2);
    assert!(seen[1].starts_with("/fhir-r4/v1/Encounter?identifier=s%7CA&_page_token="));
}

#[tokio::test]
async fn a_page_token_that_repeats_ends_the_search_as_incomplete() {
    let server = serve(|_, _, _| page("Encounter", &[], Some("http://x/?_page_token=same"))).await;
    let SearchAnswer::Found(matches) = remote(&server).search("Encounter", &[]).await else { panic!("failed") };
    assert!(!matches.complete);
    assert_eq!(server.seen.lock().unwrap().len(), 2);
}

async fn who(first: Vec<Value>, second: Vec<Value>) -> (IdentityAnswer, usize) {
    let server = serve(move |_, path, _| {
        let hits = if path.contains("name=") { &first } else { &second };
        page("Patient", hits, None)
    })
    .await;
    let person = PersonQuery {
        nik: Personal::new(NIK.into()),
        name: Personal::new(NAME.into()),
        birth_date: Personal::new(date(2023, 12, 5)),
        gender: Some("female".into()),
    };
    let answer = remote(&server).patient(&person).await;
    quiet(&format!("{answer:?} {person:?}"));
    let calls = server.seen.lock().unwrap().len();
    (answer, calls)
}

#[tokio::test]
async fn a_patient_is_confirmed_and_never_guessed() {
    let patient = |id: &str, nik: &str, gender: &str| {
        json!({"resourceType": "Patient", "id": id, "birthDate": "2023-12-05", "gender": gender,
            "identifier": [{"system": "https://fhir.kemkes.go.id/id/nik", "value": nik}]})
    };
    let me = patient("P00000000001", NIK, "female");
    let masked = patient("P00000000001", "################", "female");
    let stranger = patient("P00000000002", "1001014512230002", "female");
    let twin = patient("P00000000003", NIK, "female");
    let boy = patient("P00000000001", NIK, "male");
    let found = IdentityAnswer::Found(Personal::new("P00000000001".into()));
    assert_eq!(who(vec![me.clone()], vec![]).await, (found.clone(), 1));
    assert_eq!(who(vec![me.clone(), stranger.clone()], vec![]).await, (found, 1));
    assert_eq!(who(vec![me.clone(), twin], vec![]).await, (IdentityAnswer::Ambiguous(2), 1));
    assert_eq!(who(vec![boy], vec![]).await, (IdentityAnswer::Mismatch, 1));
    assert_eq!(who(vec![], vec![masked]).await, (IdentityAnswer::Mismatch, 2));
    assert_eq!(who(vec![stranger], vec![]).await, (IdentityAnswer::NotFound, 2));
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
