//! SATUSEHAT as a client sees it: token, calls, limits, and what the answers mean.
//!
//! It must not decide when something is sent again, and it keeps nothing on disk.

pub mod allowance;
pub mod answer;
pub mod breaker;
mod call;
pub mod certificate;
mod complaint;
pub mod excerpt;
pub mod exchange;
pub mod fence;
pub mod given;
pub mod identity;
pub mod lane;
pub mod memory;
pub mod pace;
pub mod rate_limit;
pub mod response;
pub mod search;
pub mod tending;
pub mod token;
pub mod webhook;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Request, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::clock::Clock;
use crate::crash;
use crate::observed::LaneObserved;
use crate::redact::{MASK, Personal};
use answer::{Answer, Class};
use given::Given;
use memory::Memory;
use pace::Learnt;
use rate_limit::{Kind, Limiter};
use response::{Sent, SentResource, classify, interrupted};
use token::Shelf;

/// How to reach SATUSEHAT under one client id.
#[derive(Clone, Debug)]
pub struct Options {
    /// Base of the token endpoint, ending in `/oauth2/v1`.
    pub auth_url: String,
    /// Base of the FHIR API, ending in `/fhir-r4/v1`.
    pub fhir_url: String,
    /// Client id.
    pub client_id: String,
    /// Client secret; never printed.
    pub client_secret: Personal<String>,
    /// Organization id the client id belongs to.
    pub organization_id: String,
    /// Calls a minute at most.
    pub requests_per_minute: u32,
    /// Calls at once at most, for writes and for look-ups each.
    pub concurrency: u32,
    /// Time allowed for making a connection; shorter than `request_timeout`.
    pub connect_timeout: Duration,
    /// Time allowed for a whole exchange, and for each wait for bytes.
    pub request_timeout: Duration,
    /// Extra certificate authorities (PEM) to trust, for networks that look into TLS.
    pub extra_ca: Option<PathBuf>,
    /// Whether plain HTTP may leave this machine: for a custom environment only.
    pub plain_http_allowed: bool,
}

impl Options {
    fn connecting(&self) -> exchange::Connecting<'_> {
        let (connect_timeout, request_timeout) = (self.connect_timeout, self.request_timeout);
        exchange::Connecting { connect_timeout, request_timeout, extra_ca: self.extra_ca.as_deref() }
    }
}

/// The client could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// An address is none.
    #[error("not an http address: {address}")]
    Address {
        /// As configured.
        address: String,
    },
    /// Plain HTTP to another machine.
    #[error("refusing plain http to {host}: personal data would travel in clear")]
    PlainHttp {
        /// Host of the address.
        host: String,
    },
    /// The extra certificates cannot be read.
    #[error("cannot read certificates from {}", path.display())]
    ReadCertificate {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The extra certificates are not PEM.
    #[error("cannot parse certificates in {}", path.display())]
    ParseCertificate {
        /// File.
        path: PathBuf,
        /// Cause.
        source: reqwest::Error,
    },
    /// The HTTP client cannot be built, for instance because the machine trusts no authority.
    #[error("cannot set up the http client")]
    BuildClient {
        /// Cause.
        source: reqwest::Error,
    },
}

/// What a read came to.
#[derive(Clone, Debug, PartialEq)]
pub enum ReadAnswer {
    /// The resource.
    Found(Personal<Value>),
    /// The store says that there is none.
    Absent,
    /// It may exist, but consent rules hide it from us.
    Hidden,
    /// No usable answer.
    Failed(Answer),
}

/// How many calls were made, by kind. Repeats after a renewed token count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallCounts {
    /// Requests for a token.
    pub token: u64,
    /// Transaction Bundles.
    pub transaction: u64,
    /// Single creates.
    pub create: u64,
    /// Single updates.
    pub update: u64,
    /// Reads by id.
    pub read: u64,
    /// Pages of searches.
    pub search: u64,
}

#[derive(Default)]
struct Counters {
    token: AtomicU64,
    transaction: AtomicU64,
    create: AtomicU64,
    update: AtomicU64,
    read: AtomicU64,
    search: AtomicU64,
}

/// The client of one client id. Clones share token, limits and connections.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
    /// As what its reads and searches wait for the limiter.
    looking: Kind,
}

struct Inner {
    client: RwLock<Client>,
    /// Makes another one like it, without its connections.
    connect: Box<dyn Fn() -> Result<Client, RemoteError> + Send + Sync>,
    given: OnceLock<Arc<Given>>,
    token_url: Url,
    fhir_url: Url,
    client_id: String,
    client_secret: RwLock<Personal<String>>,
    organization_id: String,
    clock: Clock,
    limiter: Limiter,
    shelf: Shelf,
    /// Reads the secret again from where it is configured; `None` when it cannot be read.
    secret_again: OnceLock<SecretAgain>,
    memory: OnceLock<Arc<dyn Memory>>,
    /// The pace that was kept last.
    learnt: tokio::sync::Mutex<Learnt>,
    counters: Counters,
    /// Server's clock minus ours at the last answer, in seconds; `i64::MIN` before the first.
    skew_seconds: AtomicI64,
    /// End of the certificate that the server showed last, in seconds since 1970; `i64::MIN` before the first.
    certificate_ends: AtomicI64,
    requests_per_minute: u32,
    observed: OnceLock<LaneObserved>,
}

/// The content type of a PATCH; another one is refused (satusehat-api.md, section 3.1).
const PATCH_JSON: &str = "application/json-patch+json";

/// Reads a secret that may have been changed.
type SecretAgain = Box<dyn Fn() -> Option<Personal<String>> + Send + Sync>;

impl fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let organization = &self.inner.organization_id;
        formatter.debug_struct("Remote").field("organization_id", organization).finish_non_exhaustive()
    }
}

/// The part of a Bundle the answer must agree with; the rest is skipped over.
#[derive(Deserialize)]
struct BundleSent {
    entry: Vec<EntrySent>,
}

#[derive(Deserialize)]
struct EntrySent {
    resource: ResourceSent,
}

#[derive(Deserialize)]
struct ResourceSent {
    #[serde(rename = "resourceType")]
    resource_type: String,
}

impl Remote {
    /// Sets the client up; calls nobody.
    pub fn new(options: Options, clock: Clock) -> Result<Self, RemoteError> {
        let mut token_url = exchange::address(&options.auth_url, options.plain_http_allowed)?;
        let fhir_url = exchange::address(&options.fhir_url, options.plain_http_allowed)?;
        let path = format!("{}/accesstoken", token_url.path().trim_end_matches('/'));
        token_url.set_path(&path);
        token_url.set_query(Some("grant_type=client_credentials"));
        let uses_tls = token_url.scheme() == "https" || fhir_url.scheme() == "https";
        let again = Options { client_secret: Personal::new(String::new()), ..options.clone() };
        let connect = move || exchange::client(&again.connecting(), uses_tls);
        let inner = Inner {
            client: RwLock::new(connect()?),
            connect: Box::new(connect),
            given: OnceLock::new(),
            token_url,
            fhir_url,
            limiter: Limiter::new(options.requests_per_minute, options.concurrency, clock.clone()),
            client_id: options.client_id,
            client_secret: RwLock::new(options.client_secret),
            organization_id: options.organization_id,
            clock,
            shelf: Shelf::default(),
            secret_again: OnceLock::new(),
            memory: OnceLock::new(),
            learnt: tokio::sync::Mutex::default(),
            counters: Counters::default(),
            skew_seconds: AtomicI64::new(i64::MIN),
            certificate_ends: AtomicI64::new(i64::MIN),
            requests_per_minute: options.requests_per_minute,
            observed: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner), looking: Kind::LookUp })
    }

    /// The same client for what nothing waits for: its reads and searches let others go first.
    #[must_use]
    pub fn for_read_back(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), looking: Kind::ReadBack }
    }

    /// Gives reading back so many percent of the calls while others wait; alone it may use all.
    pub fn share_read_back(&self, percent: u32) {
        self.inner.limiter.share_read_back(percent);
    }

    /// The Organization that the client id belongs to.
    #[must_use]
    pub fn organization_id(&self) -> &str {
        &self.inner.organization_id
    }

    /// Sends a transaction Bundle.
    pub async fn transaction(&self, bundle: String) -> Answer {
        let Ok(shape) = serde_json::from_str::<BundleSent>(&bundle) else {
            return Answer::of(Class::Content, "not sent: not a Bundle of resources");
        };
        let types = shape.entry.into_iter().map(|entry| entry.resource.resource_type).collect();
        let url = self.inner.fhir_url.clone();
        let counter = &self.inner.counters.transaction;
        let sent = Sent::Transaction(types);
        self.own(crash::around("send.bundle", self.write(&sent, Method::POST, url, bundle, counter)).await)
    }

    /// Creates one resource.
    pub async fn create(&self, resource_type: &str, body: String) -> Answer {
        let Some((sent, url)) = self.single(resource_type, None, &body) else {
            return Answer::of(Class::Content, "not sent: the resource does not fit its address");
        };
        let counter = &self.inner.counters.create;
        let sent = Sent::Create(sent);
        self.own(crash::around("send.create", self.write(&sent, Method::POST, url, body, counter)).await)
    }

    /// Replaces one resource under the id the server gave it.
    pub async fn update(&self, resource_type: &str, id: &str, body: String) -> Answer {
        let Some((sent, url)) = self.single(resource_type, Some(id), &body) else {
            return Answer::of(Class::Content, "not sent: the resource does not fit its address");
        };
        self.changed(sent, Method::PUT, url, body).await
    }

    /// Changes members of one resource: `operations` of JSON Patch (satusehat-api.md, 3.1); the answer may be a part.
    pub async fn patch(&self, resource_type: &str, id: &str, operations: &Value) -> Answer {
        let Some(url) = self.url(resource_type, Some(id)) else {
            return Answer::of(Class::Content, "not sent: the resource does not fit its address");
        };
        let resource_type = resource_type.to_owned();
        let sent = SentResource { resource_type, id: Some(id.to_owned()), identifiers: Vec::new() };
        self.changed(sent, Method::PATCH, url, operations.to_string()).await
    }

    async fn changed(&self, sent: SentResource, method: Method, url: Url, body: String) -> Answer {
        let counter = &self.inner.counters.update;
        crash::around("send.update", self.write(&Sent::Update(sent), method, url, body, counter)).await
    }

    /// Reads one resource by its id at the server.
    pub async fn read(&self, resource_type: &str, id: &str) -> ReadAnswer {
        let Some(url) = self.url(resource_type, Some(id)) else {
            return ReadAnswer::Failed(Answer::of(Class::Content, "not asked: not a FHIR type and id"));
        };
        let mut watched = Duration::ZERO;
        let get = self.get(url, &self.inner.counters.read, &mut watched);
        let received = match crash::around("send.read", get).await {
            Ok(received) => received,
            Err(answer) => return ReadAnswer::Failed(*answer),
        };
        let reply = received.reply();
        if response::says_absent(&reply) {
            return ReadAnswer::Absent;
        }
        if response::says_hidden(&reply) {
            return ReadAnswer::Hidden;
        }
        let failed = || Answer { duration: watched, ..classify(&Sent::Read, &reply, self.inner.clock.now()) };
        if reply.status != 200 || !reply.is_json() {
            return ReadAnswer::Failed(failed());
        }
        match serde_json::from_slice::<Value>(reply.body) {
            Ok(value) if value["resourceType"] == resource_type && value["id"] == id => {
                ReadAnswer::Found(Personal::new(value))
            }
            _ => ReadAnswer::Failed(failed()),
        }
    }

    fn single(&self, resource_type: &str, id: Option<&str>, body: &str) -> Option<(SentResource, Url)> {
        let value: Value = serde_json::from_str(body).ok()?;
        let own_id = value.get("id").and_then(Value::as_str);
        if value["resourceType"] != resource_type || (id.is_some() && own_id != id) {
            return None;
        }
        let identifiers = response::identifiers_of(&value);
        let sent = SentResource { resource_type: resource_type.to_owned(), id: id.map(str::to_owned), identifiers };
        Some((sent, self.url(resource_type, id)?))
    }

    fn url(&self, resource_type: &str, id: Option<&str>) -> Option<Url> {
        if !response::is_type(resource_type) || !id.is_none_or(response::is_id) {
            return None;
        }
        let mut url = self.inner.fhir_url.clone();
        url.path_segments_mut().ok()?.push(resource_type).extend(id);
        Some(url)
    }

    async fn write(&self, sent: &Sent, method: Method, url: Url, body: String, counter: &AtomicU64) -> Answer {
        let mut request = Request::new(method, url);
        let kind = if *request.method() == Method::PATCH { PATCH_JSON } else { "application/json" };
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        *request.body_mut() = Some(body.into());
        // Shares the body; it is looked into only when the server complains.
        let copy = request.try_clone();
        let mut watched = Duration::ZERO;
        let mut answer = match self.exchange(Kind::Write, request, counter, &mut watched).await {
            Ok(Ok(received)) => classify(sent, &received.reply(), self.inner.clock.now()),
            Ok(Err(interruption)) => interrupted(sent, &interruption),
            Err(answer) => *answer,
        };
        let sent_body = copy.as_ref().and_then(|copy| copy.body()?.as_bytes());
        let repeats = |id: &String| sent_body.is_some_and(|body| memchr::memmem::find(body, id.as_bytes()).is_some());
        if answer.request_id.as_ref().is_some_and(repeats) {
            // A server that repeats what was sent where its own number belongs.
            answer.request_id = Some(MASK.to_owned());
        }
        let sent_body = sent_body.filter(|_| !answer.excerpt.is_empty() || !answer.issues.is_empty());
        if let Some(value) = sent_body.and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok()) {
            answer.hide(&excerpt::personal_texts(&value));
        }
        Answer { duration: watched, ..answer }
    }
}
