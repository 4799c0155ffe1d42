//! HTTP: which call goes where, who may make it, and the faults on the way.
//!
//! It must not look into resources.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query as UriQuery, State as Shared};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, Response, Uri};

use super::connection::{Flow, Valve};
use super::fault::AppliesTo;
use super::injector::Asked;
use super::journal::{Arrival, Exchange};
use super::methods::{Wish, turned_away};
use super::outcome::{Complaint, Reply};
use super::search::Query;
use super::write::Desk;
use super::{Simulator, admin, patient, search, strike};

/// Largest request body, in bytes; the largest Bundle known has 177 kB.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
const TOKEN_PATH: &str = "/oauth2/v1/accesstoken";
const FHIR_PATH: &str = "/fhir-r4/v1";

/// One call, taken apart.
pub(super) struct Call<'a> {
    method: &'a Method,
    path: &'a str,
    query: Query,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Call<'_> {
    /// The value of a header, when it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The parameters of a request for a token, from its address and its body.
    fn form(&self) -> HashMap<String, String> {
        let mut form: HashMap<String, String> = self.query.parameters.iter().cloned().collect();
        form.extend(form_of(self.body));
        form
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

async fn handle(Shared(simulator): Shared<Arc<Simulator>>, parts: Parts, body: Bytes) -> Response<Body> {
    // Without a socket, as in tests, there is no connection to steer and nobody from outside.
    let valve = parts.extensions.get::<ConnectInfo<Valve>>().map(|info| info.0.clone()).unwrap_or_default();
    valve.set(Flow::Open);
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("localhost").to_owned();
    let query = Query { parameters: parameters(&parts.uri), host };
    let path = parts.uri.path().trim_end_matches('/');
    let call = Call { method: &parts.method, path, query, headers: &parts.headers, body: &body };
    if path.starts_with("/_") {
        return written(admin::answer(&simulator, path, &call.query, valve.remote), None);
    }
    let now = simulator.clock.now();
    let (struck, request_id) = {
        let mut state = simulator.state();
        let second = u64::try_from(now.duration_since(simulator.started).as_secs()).unwrap_or(0);
        let asked = Asked { kind: call.kind(), method: parts.method.as_str(), path, second };
        (state.injector.draw(asked), state.generator.uuid().to_string())
    };
    let reply = match &struck {
        Some(struck) => strike::answer(&simulator, &call, struck, &valve).await,
        None => simulator.answer(&call),
    };
    let secret = path == TOKEN_PATH;
    let client_id = simulator.client_of(&call);
    simulator.journal().arrived(Arrival { at: now, client_id, is_token: secret, status: reply.status });
    simulator.journal().keep(Exchange {
        number: 0,
        at: now,
        method: parts.method.to_string(),
        // The credentials of a token request may stand in its address.
        target: if secret { path.to_owned() } else { parts.uri.to_string() },
        status: reply.status,
        fault: struck.map(|struck| struck.fault.kind.name()),
        request: if secret { Bytes::new() } else { body.clone() },
        answer: if secret { Bytes::new() } else { reply.body.clone() },
        request_id: request_id.clone(),
    });
    let mut response = written(reply, Some(&request_id));
    // Its own time, so that clients on a moved clock meet a server that lives on the same day.
    let date = httpdate::fmt_http_date(simulator.clock.now().into());
    if let Ok(date) = date.parse() {
        response.headers_mut().insert("date", date);
    }
    response
}

impl Simulator {
    /// Who makes a call, as it says itself; empty when that is nobody known.
    fn client_of(&self, call: &Call<'_>) -> Arc<str> {
        if call.path == TOKEN_PATH {
            return call.form().remove("client_id").unwrap_or_default().into();
        }
        self.state().tokens.owner(call.header("authorization")).unwrap_or_default().into()
    }

    /// Answers a call as if nothing could go wrong on the way.
    pub(super) fn answer(&self, call: &Call<'_>) -> Reply {
        self.answer_in_part(call, None)
    }

    /// The same, but of a Bundle only the first entries are written: so many, or half of them.
    pub(super) fn answer_in_part(&self, call: &Call<'_>, entries: Option<Option<usize>>) -> Reply {
        let now = self.clock.now();
        let mut guard = self.state();
        let state = &mut *guard;
        if call.path == TOKEN_PATH {
            state.stats.count("token");
            if call.method != Method::POST {
                return Reply::empty(404);
            }
            return state.tokens.issue(&self.options, &call.form(), now, &mut state.generator);
        }
        let Some(rest) = call.path.strip_prefix(FHIR_PATH) else { return Reply::empty(404) };
        let caller = match state.tokens.caller(call.header("authorization"), now) {
            Ok(caller) => caller,
            Err(reply) => {
                state.stats.count("unauthorized");
                return reply;
            }
        };
        if let Err(reply) = state.meter.take(&caller.client_id, now) {
            state.stats.count("throttled");
            return reply;
        }
        state.store.calls += 1;
        let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
        let mut desk = Desk { state, options: &self.options, now, caller, entries };
        let reply = desk.serve(call, &parts);
        if self.keeps_replies {
            state.last_reply = Some(reply.clone());
        }
        reply
    }
}

impl Desk<'_> {
    fn serve(&mut self, call: &Call<'_>, parts: &[&str]) -> Reply {
        match (call.method, parts) {
            (&Method::POST, []) => {
                self.state.stats.count("bundle");
                self.transact(call.body)
            }
            (&Method::GET, [_, _, "$everything"]) => {
                let text = "$everything is not supported for this resource type";
                Reply::refused(400, &[Complaint::processor("not-supported", text, 20014)])
            }
            (&Method::GET, [kind, rest @ ..]) if rest.len() < 2 => {
                self.state.stats.count(match (*kind, rest) {
                    (_, [_]) => "read",
                    ("Patient", _) => "search_patient",
                    ("Practitioner", _) => "search_practitioner",
                    _ => "search",
                });
                self.served(kind, Wish::Get, |desk| match rest {
                    [id] => desk.read(kind, id),
                    _ => search::search(desk.state, desk.options, kind, &call.query, desk.now),
                })
            }
            (&Method::POST, [kind]) => {
                self.state.stats.count("create");
                self.served(kind, Wish::Create, |desk| desk.create(kind, call.body, call.header("if-none-exist")))
            }
            (&Method::PUT, [kind, id]) => {
                self.state.stats.count("update");
                self.served(kind, Wish::Update, |desk| desk.update(kind, id, call.body))
            }
            (&Method::PATCH, [kind, id]) => {
                self.state.stats.count("patch");
                self.served(kind, Wish::Patch, |desk| desk.patch(kind, id, call.body, call.header("content-type")))
            }
            _ => Reply::empty(404),
        }
    }

    fn served(&mut self, kind: &str, wish: Wish, serve: impl FnOnce(&mut Self) -> Reply) -> Reply {
        turned_away(kind, wish, self.options.only_seen_methods).unwrap_or_else(|| serve(self))
    }

    fn read(&self, kind: &str, id: &str) -> Reply {
        let person = match kind {
            "Patient" => patient::read(kind, &self.state.patients, id),
            "Practitioner" => patient::read(kind, &self.state.practitioners, id),
            _ => None,
        };
        if let Some(person) = person {
            let reply = Reply::json(200, &person);
            return if self.options.hidden_patients.contains(id) { reply.suppressed() } else { reply };
        }
        let Some(record) = self.state.store.get(kind, id) else { return Reply::not_found(kind, id) };
        let mut reply = Reply::json(200, &record.read_back());
        reply.headers.push(("etag", record.etag()));
        reply.headers.push(("last-modified", record.last_modified()));
        if record.is_about(&self.options.hidden_patients) { reply.suppressed() } else { reply }
    }
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
        response = response.header("content-type", &reply.content_type);
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
