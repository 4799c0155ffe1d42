//! A server before the simulator that answers every third call itself, with what it was sent: in complaints, pages,
//! headers, broken answers and plain text.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, Response, StatusCode};
use futures_util::stream;
use http_body_util::BodyExt as _;
use serde_json::json;
use tokio::net::TcpListener;

use super::people::Canaries;

/// Ways of throwing things back.
const WAYS: usize = 8;
/// One of so many calls is not passed on.
const EVERY: usize = 3;
/// Push-back slows the client down, so it is used this often only.
const PUSH_BACKS_MAX: usize = 3;
/// A look-up that is refused stops the lane for that run, so each such way is used this often only.
const REFUSED_LOOK_UPS_MAX: usize = 1;

/// The way that is a refusal of the content.
const REFUSAL: usize = 4;

#[derive(Clone)]
pub struct Echo {
    pub address: String,
    inner: Arc<Inner>,
}

struct Inner {
    server: String,
    client: reqwest::Client,
    canaries: Canaries,
    calls: AtomicUsize,
    thrown: [AtomicUsize; WAYS],
    secrets: AtomicBool,
    token: Mutex<Option<String>>,
}

impl Echo {
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        rustls::crypto::ring::default_provider().install_default().ok();
        let inner = Arc::new(Inner {
            server: server.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
            canaries: Canaries::new(),
            calls: AtomicUsize::new(0),
            thrown: Default::default(),
            secrets: AtomicBool::new(false),
            token: Mutex::new(None),
        });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner }
    }

    /// How often each way was used.
    pub fn thrown(&self) -> [usize; WAYS] {
        std::array::from_fn(|way| self.inner.thrown[way].load(Ordering::Relaxed))
    }

    /// Whether the token endpoint answers with what it was sent.
    pub fn throw_secrets(&self, secrets: bool) {
        self.inner.secrets.store(secrets, Ordering::Relaxed);
    }

    /// The access token that was given last.
    pub fn token(&self) -> Option<String> {
        self.inner.token.lock().unwrap().clone()
    }
}

async fn handle(State(inner): State<Arc<Inner>>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let query = head.uri.query().unwrap_or("").replace(['+', '%'], " ");
    let text = format!("{query} {}", String::from_utf8_lossy(&body));
    let is_token = head.uri.path().ends_with("accesstoken");
    if is_token && inner.secrets.load(Ordering::Relaxed) {
        let body = json!({"ErrorCode": "invalid_client", "Error": format!("ClientId is Invalid {text}")});
        return answered(401, "application/json", body.to_string(), None);
    }
    if head.method != Method::GET && is_refused_always(&text) {
        inner.thrown[REFUSAL].fetch_add(1, Ordering::Relaxed);
        return thrown(&inner, REFUSAL, &text);
    }
    let call = inner.calls.fetch_add(1, Ordering::Relaxed);
    if !is_token && call % EVERY == 0 {
        let way = (call / EVERY) % WAYS;
        let is_look_up = head.method == Method::GET;
        let often = inner.thrown[way].load(Ordering::Relaxed);
        let most = match way {
            3 => PUSH_BACKS_MAX,
            0 | 4 | 7 if is_look_up => REFUSED_LOOK_UPS_MAX,
            _ => usize::MAX,
        };
        if often < most {
            inner.thrown[way].fetch_add(1, Ordering::Relaxed);
            return thrown(&inner, way, &text);
        }
    }
    inner.passed_on(head, body, is_token).await
}

/// A refused visit is taken apart and its parts sent again, so it is refused in the end only if all of it always is:
/// that of each patient whose id ends so.
fn is_refused_always(text: &str) -> bool {
    let id = text.split("\"Patient/").nth(1).and_then(|rest| rest.split('"').next());
    id.is_some_and(|id| id.ends_with('3'))
}

impl Inner {
    async fn passed_on(&self, head: axum::http::request::Parts, body: Bytes, is_token: bool) -> Response<Body> {
        let url = format!("http://{}{}", self.server, head.uri.path_and_query().unwrap());
        let mut headers = head.headers;
        headers.remove("host");
        let answer = self.client.request(head.method, url).headers(headers).body(body).send().await.unwrap();
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            if !["content-length", "transfer-encoding", "connection"].contains(&name.as_str()) {
                response = response.header(name, value);
            }
        }
        let bytes = answer.bytes().await.unwrap();
        if is_token && let Ok(body) = serde_json::from_slice::<serde_json::Value>(&bytes) {
            *self.token.lock().unwrap() = body["access_token"].as_str().map(str::to_owned);
        }
        response.body(Body::from(bytes)).unwrap()
    }
}

/// What was sent comes back, the persons in it first and without quotes.
fn thrown(inner: &Inner, way: usize, text: &str) -> Response<Body> {
    let persons = inner.canaries.in_text(text);
    let first = persons.first().cloned().unwrap_or_default();
    let plain: String = text.chars().map(|one| if one.is_alphanumeric() { one } else { ' ' }).collect();
    let back = format!("{} {plain} {text}", persons.join(" "));
    let outcome = |diagnostics: &str| {
        let issue = json!({"severity": "error", "code": first, "diagnostics": diagnostics, "details": {"text": diagnostics},
            "expression": [format!("Patient.name {first}"), first]});
        json!({"resourceType": "OperationOutcome", "issue": [issue]}).to_string()
    };
    match way {
        0 => answered(400, "application/json", outcome(&back), Some(&first)),
        1 => answered(500, "text/html", format!("<html><title>{back}</title><body>{back}</body></html>"), Some(&first)),
        2 => answered(502, "text/plain", back, Some(&first)),
        3 => {
            let detail = json!({"errorcode": "policies.ratelimit.QuotaViolation"});
            let fault = json!({"fault": {"faultstring": format!("Quota {back}"), "detail": detail}});
            answered(429, "application/json", fault.to_string(), Some(&first))
        }
        4 => answered(422, "application/json", outcome(&format!("invalid name {first}")), Some(&first)),
        5 => {
            let broken = std::io::Error::other("cut");
            let pieces = [Ok(Bytes::from(back)), Err(broken)];
            Response::builder().status(200).body(Body::from_stream(stream::iter(pieces))).unwrap()
        }
        6 => answered(200, "application/json", json!([back]).to_string(), Some(&first)),
        _ => answered(404, "application/json", outcome(&back), Some(&first)),
    }
}

fn answered(status: u16, kind: &str, body: String, name: Option<&str>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response.headers_mut().insert("content-type", HeaderValue::from_str(kind).unwrap());
    for header in ["x-request-id", "location", "etag"] {
        if let Some(value) = name.and_then(|name| HeaderValue::from_str(name).ok()) {
            response.headers_mut().insert(header, value);
        }
    }
    response
}
