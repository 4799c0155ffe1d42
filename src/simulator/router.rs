//! HTTP: which call goes where, who may make it, and the faults on the way.
//!
//! It must not look into resources.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query as UriQuery, State as Shared};
use axum::http::{HeaderMap, Method, Response, Uri};

use super::Simulator;
use super::check::rules::RESOURCE_TYPES;
use super::connection::{Flow, Valve};
use super::fault::{AppliesTo, Fault, FaultKind};
use super::outcome::{Complaint, Reply};
use super::search::Query;
use super::write::Desk;
use super::{patient, search};

/// Largest request body, in bytes; the largest Bundle known has 177 kB.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
const TOKEN_PATH: &str = "/oauth2/v1/accesstoken";
const FHIR_PATH: &str = "/fhir-r4/v1";

/// One call, taken apart.
struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    query: Query,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Call<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn kind(&self) -> AppliesTo {
        if self.path == TOKEN_PATH {
            AppliesTo::Token
        } else if self.method == Method::GET {
            AppliesTo::Read
        } else {
            AppliesTo::Write
        }
    }
}

/// The whole interface.
pub(super) fn router(simulator: Arc<Simulator>) -> Router {
    Router::new().fallback(handle).layer(DefaultBodyLimit::max(BODY_BYTES_MAX)).with_state(simulator)
}

async fn handle(
    Shared(simulator): Shared<Arc<Simulator>>,
    ConnectInfo(valve): ConnectInfo<Valve>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    valve.set(Flow::Open);
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let query = Query { parameters: parameters(&uri), host };
    let call = Call { method: &method, path: uri.path().trim_end_matches('/'), query, headers: &headers, body: &body };
    if call.path == "/_stats" || call.path == "/_dump" {
        return written(simulator.inside(call.path), None);
    }
    let (fault, request_id) = {
        let mut state = simulator.state();
        (state.injector.draw(call.kind()), state.generator.uuid().to_string())
    };
    let reply = match fault {
        Some(fault) => struck(&simulator, &call, &fault, &valve).await,
        None => simulator.answer(&call),
    };
    written(reply, Some(&request_id))
}

/// Answers a call that a fault has struck.
async fn struck(simulator: &Simulator, call: &Call<'_>, fault: &Fault, valve: &Valve) -> Reply {
    let pause = Duration::from_millis(fault.delay_ms.unwrap_or(0));
    match fault.kind {
        FaultKind::TooManyRequests => {
            let mut reply = too_many_requests();
            if let Some(seconds) = fault.retry_after_seconds {
                reply.headers.push(("retry-after", seconds.to_string()));
            }
            reply
        }
        FaultKind::Quota500 => Reply::fault(500, "Rate limit quota violation", "policies.ratelimit.QuotaViolation"),
        FaultKind::Unavailable => Reply::text(503, "no healthy upstream"),
        FaultKind::ServerErrorBeforeCommit => Reply::text(fault.status.unwrap_or(504), "Gateway Timeout"),
        FaultKind::ServerErrorAfterCommit => {
            simulator.answer(call);
            Reply::text(fault.status.unwrap_or(504), "Gateway Timeout")
        }
        FaultKind::DroppedBefore => {
            valve.set(Flow::Closed);
            Reply::empty(503)
        }
        FaultKind::DroppedAnswer => {
            let reply = simulator.answer(call);
            valve.set(Flow::Closed);
            reply
        }
        FaultKind::CutAfterBytes => {
            let reply = simulator.answer(call);
            valve.set(Flow::Cut(fault.bytes.unwrap_or(0)));
            reply
        }
        FaultKind::ExpiredToken => Reply::expired_token(),
        FaultKind::HtmlPage => Reply::html(200),
        FaultKind::ConsentSuppressed => simulator.answer(call).suppressed(),
        FaultKind::Delay => {
            simulator.clock.sleep(pause).await;
            simulator.answer(call)
        }
        FaultKind::Slow => {
            let reply = simulator.answer(call);
            valve.set(Flow::Slow(fault.bytes.unwrap_or(1), pause));
            reply
        }
    }
}

impl Simulator {
    /// Answers a call as if nothing could go wrong on the way.
    fn answer(&self, call: &Call<'_>) -> Reply {
        let now = self.clock.now();
        let mut guard = self.state();
        let state = &mut *guard;
        if call.path == TOKEN_PATH {
            state.stats.count("token");
            if call.method != Method::POST {
                return Reply::empty(404);
            }
            let mut form: HashMap<String, String> = call.query.parameters.iter().cloned().collect();
            form.extend(form_of(call.body));
            return state.tokens.issue(&self.options, &form, now, &mut state.generator);
        }
        let Some(rest) = call.path.strip_prefix(FHIR_PATH) else { return Reply::empty(404) };
        let caller = match state.tokens.caller(call.header("authorization"), now) {
            Ok(caller) => caller,
            Err(reply) => {
                state.stats.count("unauthorized");
                return reply;
            }
        };
        if let Some(per_minute) = self.options.requests_per_minute
            && !state.allowed(&caller.client_id, per_minute, now)
        {
            state.stats.count("throttled");
            return too_many_requests();
        }
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let mut desk = Desk { state, options: &self.options, now, caller };
        desk.serve(call, &parts)
    }
}

impl Desk<'_> {
    fn serve(&mut self, call: &Call<'_>, parts: &[&str]) -> Reply {
        let get = call.method == Method::GET;
        let post = call.method == Method::POST;
        let put = call.method == Method::PUT;
        match parts {
            [] if post => {
                self.state.stats.count("bundle");
                self.transact(call.body)
            }
            [kind] if get => {
                self.state.stats.count(match *kind {
                    "Patient" => "search_patient",
                    "Practitioner" => "search_practitioner",
                    _ => "search",
                });
                if *kind != "Practitioner" && !RESOURCE_TYPES.contains(kind) {
                    return not_allowed(kind);
                }
                search::search(self.state, self.options, kind, &call.query, self.now)
            }
            [kind, id] if get => {
                self.state.stats.count("read");
                self.read(kind, id)
            }
            [kind] if post => {
                self.state.stats.count("create");
                if !RESOURCE_TYPES.contains(kind) {
                    return not_allowed(kind);
                }
                self.create(kind, call.body, call.header("if-none-exist"))
            }
            [kind, id] if put && *kind != "Patient" => {
                self.state.stats.count("update");
                if !RESOURCE_TYPES.contains(kind) {
                    return not_allowed(kind);
                }
                self.update(kind, id, call.body)
            }
            _ => Reply::empty(404),
        }
    }

    fn read(&self, kind: &str, id: &str) -> Reply {
        let person = match kind {
            "Patient" => patient::read(kind, &self.state.patients, id),
            "Practitioner" => patient::read(kind, &self.state.practitioners, id),
            _ => None,
        };
        if let Some(person) = person {
            return Reply::json(200, &person);
        }
        let Some(record) = self.state.store.get(kind, id) else { return Reply::not_found(kind, id) };
        let mut reply = Reply::json(200, &record.read_back());
        reply.headers.push(("etag", record.etag()));
        reply.headers.push(("last-modified", record.last_modified()));
        reply
    }
}

fn not_allowed(kind: &str) -> Reply {
    let text = format!("Resource {kind} not allowed for current access class");
    Reply::refused(400, &[Complaint::processor("forbidden", &text, 20004)])
}

fn too_many_requests() -> Reply {
    Reply::fault(429, "Spike arrest violation", "policies.ratelimit.SpikeArrestViolation")
}

fn parameters(uri: &Uri) -> Vec<(String, String)> {
    UriQuery::try_from_uri(uri).map(|UriQuery(list)| list).unwrap_or_default()
}

fn form_of(body: &[u8]) -> Vec<(String, String)> {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    format!("/?{text}").parse().map(|uri| parameters(&uri)).unwrap_or_default()
}

fn written(reply: Reply, request_id: Option<&str>) -> Response<Body> {
    let mut response = Response::builder().status(reply.status);
    if !reply.content_type.is_empty() {
        response = response.header("content-type", reply.content_type);
    }
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    if let Some(id) = request_id {
        response = response.header("x-request-id", id);
    }
    // A head that cannot be built would be a fault of this file; the caller sees an empty 200 then.
    response.body(Body::from(reply.body)).unwrap_or_default()
}
