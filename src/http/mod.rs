//! The gateway's own HTTP: records of posyandu apps come in, its description and its health go out.
//!
//! It must not decide anything about records; `ingest` and the ledger do. Memory is bounded: at most
//! [`gate::GateLimits::working`] (16) bodies are read at once, each with one piece of the connection (up to 400 KiB),
//! one batch (1 MiB of records, about three times that once read and sealed) and its answer (2 MiB and 10 000 items of
//! about 700 bytes at the worst): some 13 MiB each, 210 MiB for all. Requests that wait hold their head only (up to
//! 400 KiB on each of at most 1 024 connections), and a caller who does not read its answer is cut off.

pub mod answer;
pub mod auth;
pub mod connection;
pub mod dashboard;
pub mod gate;
pub mod negotiation;
pub mod openapi;
pub mod problem;
pub mod records;
pub mod split;
pub mod watch;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, RETRY_AFTER, VARY};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tokio::net::TcpListener;

use self::auth::Senders;
use self::connection::{AtWork, Door};
use self::dashboard::Dashboard;
use self::gate::{Gate, GateLimits};
use self::problem::{Kind, Problem};
use self::split::RecordLimits;
use self::watch::Watching;
use crate::clock::Clock;
use crate::ingest::intake::Intake;
use crate::observed::MEDIA_TYPE;
use crate::words::Language;

/// What a request may be and take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Records of a request.
    pub records: usize,
    /// Of one record.
    pub record: RecordLimits,
    /// Bytes of an answer up to which every problem of a record is told.
    pub detail_bytes: usize,
    /// How long the next piece of a body may take.
    pub idle: Duration,
    /// How long a whole body may take.
    pub request: Duration,
    /// How many requests at once.
    pub gate: GateLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 32 * 1024 * 1024,
            records: 10_000,
            record: RecordLimits { bytes: 64 * 1024, depth: 8 },
            detail_bytes: 2 * 1024 * 1024,
            idle: Duration::from_secs(10),
            request: Duration::from_secs(300),
            gate: GateLimits::default(),
        }
    }
}

/// Headers of every answer: nothing is guessed, framed, kept or told on.
const SECURITY: [(&str, &str); 5] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// Everything that answers.
pub struct App {
    intake: Arc<Intake>,
    senders: Senders,
    limits: Limits,
    gate: Gate,
    description: Bytes,
    watching: Watching,
    dashboard: Option<Dashboard>,
}

impl App {
    /// Sets up; nothing listens yet.
    #[must_use]
    pub fn new(intake: Arc<Intake>, senders: Senders, limits: Limits, watching: Watching) -> Self {
        let description = Bytes::from(openapi::document(intake.fields(), &limits).to_string());
        let gate = Gate::new(limits.gate, senders.len());
        Self { intake, senders, limits, gate, description, watching, dashboard: None }
    }

    /// The same with pages for people.
    #[must_use]
    pub fn with_dashboard(mut self, dashboard: Dashboard) -> Self {
        self.dashboard = Some(dashboard);
        self
    }

    /// The pages, if there are any.
    #[must_use]
    pub fn dashboard(&self) -> Option<&Dashboard> {
        self.dashboard.as_ref()
    }

    /// The sender of a request.
    fn caller(&self, authorization: Option<&HeaderValue>) -> Result<usize, Kind> {
        let found = authorization.and_then(|value| value.to_str().ok()).and_then(|text| self.senders.who(text));
        found.ok_or_else(|| Kind::Unauthorized { given: authorization.is_some() })
    }
}

/// The whole interface.
pub fn router(app: Arc<App>) -> Router {
    Router::new().fallback(handle).with_state(app)
}

/// Serves callers until `shutdown` is done; open requests are finished first.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    app: Arc<App>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let sampling = tokio::spawn(sample(Arc::clone(&app)));
    let service = router(app).into_make_service_with_connect_info::<AtWork>();
    let served = axum::serve(Door::new(listener), service).with_graceful_shutdown(shutdown).await;
    sampling.abort();
    let _ = sampling.await;
    served
}

/// Takes the samples of the plots, one a minute, as long as somebody is served.
async fn sample(app: Arc<App>) {
    let Some(dashboard) = &app.dashboard else { return };
    let mut minutes = tokio::time::interval(dashboard::SAMPLE_EVERY);
    loop {
        minutes.tick().await;
        if let Err(error) = dashboard.sample().await {
            tracing::warn!(%error, "the queue could not be measured");
        }
    }
}

async fn handle(State(app): State<Arc<App>>, mut request: Request) -> Response<Body> {
    let at_work = request.extensions_mut().remove::<ConnectInfo<AtWork>>();
    let from = at_work.as_ref().and_then(|ConnectInfo(at_work)| at_work.address());
    let _working = at_work.map(|ConnectInfo(at_work)| at_work.begin());
    let stopwatch = Clock::System.stopwatch();
    let request_id = uuid::Uuid::new_v4();
    let (head, body) = request.into_parts();
    let mut response = match &app.dashboard {
        Some(dashboard) if Dashboard::has(head.uri.path()) => Box::pin(dashboard.answer(&head, body, from)).await,
        _ => {
            let language = negotiation::language(&head.headers);
            let answered = answer(&app, &head.method, head.uri.path(), &head.headers, body, language).await;
            answered.unwrap_or_else(|problem| problem.response(language, &format!("urn:uuid:{request_id}")))
        }
    };
    let answered = Answered { request_id, method: &head.method, path: head.uri.path(), status: response.status() };
    answered.tell(&app.watching, stopwatch.elapsed());
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        // A page says itself what it may use and how long it is kept.
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    headers.insert(VARY, HeaderValue::from_static("accept, accept-language"));
    if let Ok(value) = HeaderValue::from_str(&request_id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    if head.method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// One request that was answered, as log and metrics hear of it: never with anything that the caller wrote.
struct Answered<'a> {
    request_id: uuid::Uuid,
    method: &'a Method,
    path: &'a str,
    status: StatusCode,
}

/// Every path there is but those of pages, which are told as `page`; another one is told as `other`.
const PATHS: [&str; 5] = ["/v1/records", "/openapi.json", "/healthz", "/readyz", "/metrics"];

impl Answered<'_> {
    fn tell(&self, watching: &Watching, duration: Duration) {
        let path = match PATHS.into_iter().find(|path| *path == self.path) {
            Some(path) => path,
            None if Dashboard::has(self.path) => "page",
            None => "other",
        };
        let method = [Method::GET, Method::HEAD, Method::POST].iter().find(|known| *known == self.method).cloned();
        let method = method.as_ref().map_or("other", Method::as_str);
        let (request_id, status) = (self.request_id, self.status.as_u16());
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        if self.status.is_server_error() {
            tracing::warn!(%request_id, method, path, status, duration_ms, "a request could not be answered");
        } else if self.status == StatusCode::UNAUTHORIZED {
            tracing::warn!(%request_id, method, path, status, duration_ms, "a request without a valid token was refused");
        } else {
            tracing::info!(%request_id, method, path, status, duration_ms, "request answered");
        }
        watching.observed.answered(path, status, duration);
    }
}

async fn answer(
    app: &App,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: Body,
    language: Language,
) -> Result<Response<Body>, Problem> {
    let reads = [Method::GET, Method::HEAD].contains(method);
    match path {
        "/v1/records" if method == Method::POST => {
            let (bytes, media_type) = records::post(app, headers, body, language).await?;
            let mut response = found(bytes.into(), media_type);
            let code = if language == Language::English { "en" } else { "id" };
            response.headers_mut().insert(CONTENT_LANGUAGE, HeaderValue::from_static(code));
            Ok(response)
        }
        "/v1/records" => Err(Kind::Method("POST").into()),
        "/openapi.json" | "/healthz" | "/readyz" | "/metrics" if !reads => Err(Kind::Method("GET, HEAD").into()),
        "/metrics" => Ok(found(app.watching.metrics(headers.get(AUTHORIZATION)).await?.into(), MEDIA_TYPE)),
        "/openapi.json" | "/healthz" | "/readyz" if !negotiation::takes_json(headers) => {
            Err(Kind::NotAcceptable(negotiation::JSON).into())
        }
        "/openapi.json" => Ok(found(app.description.clone(), negotiation::JSON)),
        "/healthz" if app.watching.observed.pulse().is_alive() => {
            Ok(found(Bytes::from_static(b"{\"status\":\"ok\"}"), negotiation::JSON))
        }
        "/healthz" => Err(Kind::Unavailable.into()),
        "/readyz" => {
            let (is_ready, text) = app.watching.ready().await;
            let mut response = found(text.into(), negotiation::JSON);
            if !is_ready {
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(problem::RETRY_AFTER_SECONDS));
            }
            Ok(response)
        }
        _ => Err(Kind::NotFound.into()),
    }
}

fn found(body: Bytes, media_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
