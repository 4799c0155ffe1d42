//! What a caller is told when a whole request cannot be answered: RFC 9457 problem details.
//!
//! It must never tell the inside of the gateway, a token, or anything of the body.

use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::split::Broken;
use crate::words::{self, Language};

/// Media type of a problem.
pub const PROBLEM: &str = "application/problem+json";
/// After how many seconds a caller may come again.
pub const RETRY_AFTER_SECONDS: u32 = 5;

/// Why a request is not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No token, or an unknown one.
    Unauthorized {
        /// There was one.
        given: bool,
    },
    /// No such address.
    NotFound,
    /// The address takes other methods.
    Method(&'static str),
    /// The answer is not available as the caller wishes.
    NotAcceptable(&'static str),
    /// The body came too slowly.
    Timeout,
    /// The body is too large, bytes allowed.
    TooLarge(usize),
    /// Too many records, number allowed.
    TooMany(usize),
    /// The body is of a kind that cannot be read.
    MediaType(&'static str),
    /// The body is no list of records from there on.
    NotJson(Broken),
    /// The body ended before its end.
    Incomplete,
    /// This sender has too many requests open.
    TooBusy,
    /// The gateway is full, just started, or cannot store.
    Unavailable,
    /// Something that should not happen.
    Failure,
}

/// A problem of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Why.
    pub kind: Kind,
    /// Records of this request that are in the ledger, or answered for, nevertheless.
    pub taken: Option<u64>,
}

impl From<Kind> for Problem {
    fn from(kind: Kind) -> Self {
        Self { kind, taken: None }
    }
}

impl Kind {
    /// Status and name; the name is the end of `type`.
    #[must_use]
    pub fn named(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found"),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "method"),
            Self::NotAcceptable(_) => (StatusCode::NOT_ACCEPTABLE, "not-acceptable"),
            Self::Timeout => (StatusCode::REQUEST_TIMEOUT, "timeout"),
            Self::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
            Self::TooMany(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too-many-records"),
            Self::MediaType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type"),
            Self::NotJson(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not-json"),
            Self::Incomplete => (StatusCode::BAD_REQUEST, "incomplete"),
            Self::TooBusy => (StatusCode::TOO_MANY_REQUESTS, "too-busy"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::Failure => (StatusCode::INTERNAL_SERVER_ERROR, "failure"),
        }
    }

    /// Keys of title and detail.
    fn keys(&self) -> (&'static str, &'static str) {
        match self {
            Self::Unauthorized { .. } => ("http.title.unauthorized", "http.detail.unauthorized"),
            Self::NotFound => ("http.title.not_found", "http.detail.not_found"),
            Self::Method(_) => ("http.title.method", "http.detail.method"),
            Self::NotAcceptable(_) => ("http.title.not_acceptable", "http.detail.not_acceptable"),
            Self::Timeout => ("http.title.timeout", "http.detail.timeout"),
            Self::TooLarge(_) => ("http.title.too_large", "http.detail.too_large"),
            Self::TooMany(_) => ("http.title.too_many", "http.detail.too_many"),
            Self::MediaType(_) => ("http.title.media_type", "http.detail.media_type"),
            Self::NotJson(_) => ("http.title.not_json", "http.detail.not_json"),
            Self::Incomplete => ("http.title.incomplete", "http.detail.incomplete"),
            Self::TooBusy => ("http.title.too_busy", "http.detail.too_busy"),
            Self::Unavailable => ("http.title.unavailable", "http.detail.unavailable"),
            Self::Failure => ("http.title.failure", "http.detail.failure"),
        }
    }

    fn arguments(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Method(allowed) => vec![("metode", (*allowed).to_owned())],
            Self::NotAcceptable(kinds) | Self::MediaType(kinds) => vec![("jenis", (*kinds).to_owned())],
            Self::TooLarge(limit) | Self::TooMany(limit) => vec![("batas", limit.to_string())],
            Self::NotJson(broken) => vec![("baris", broken.line.to_string()), ("bita", broken.byte.to_string())],
            _ => Vec::new(),
        }
    }

    /// Headers that go with it.
    fn headers(&self) -> Vec<(axum::http::HeaderName, HeaderValue)> {
        match self {
            Self::Unauthorized { given: true } => {
                vec![(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""))]
            }
            Self::Unauthorized { given: false } => vec![(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))],
            Self::Method(allowed) => vec![(ALLOW, HeaderValue::from_static(allowed))],
            Self::TooBusy | Self::Unavailable => vec![(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS))],
            _ => Vec::new(),
        }
    }
}

impl Problem {
    /// The answer. `instance` names this occurrence; the log has it too.
    #[must_use]
    pub fn response(&self, language: Language, instance: &str) -> Response<Body> {
        let (status, name) = self.kind.named();
        let (title, detail) = self.kind.keys();
        let mut body = Map::new();
        body.insert("type".to_owned(), json!(format!("urn:posyandu-gateway:problem:{name}")));
        body.insert("title".to_owned(), json!(words::plain(language, title)));
        body.insert("status".to_owned(), json!(status.as_u16()));
        body.insert("detail".to_owned(), json!(words::text(language, detail, &self.kind.arguments())));
        body.insert("instance".to_owned(), json!(instance));
        if let Some(taken) = self.taken {
            body.insert("taken".to_owned(), json!(taken));
        }
        if let Kind::NotJson(broken) = self.kind {
            body.insert("line".to_owned(), json!(broken.line));
            body.insert("byte".to_owned(), json!(broken.byte));
        }
        let mut response = Response::new(Body::from(Value::Object(body).to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        response.headers_mut().extend(self.kind.headers());
        response
    }
}
