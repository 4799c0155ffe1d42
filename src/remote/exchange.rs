//! One HTTP exchange: the connection's rules, the size of an answer, and what a broken one means.
//!
//! The only user of the HTTP library's errors. It must not follow redirects, repeat anything, or let an address
//! or a body into a text.

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, DATE, ETAG, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::tls::TlsInfo;
use reqwest::{Certificate, Client, Request, Url};

use super::excerpt::masked;
use super::response::{Interruption, Reply};
use super::{RemoteError, certificate};
use crate::crash;

/// Largest answer read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// An idle connection is given up before servers and gateways commonly close theirs, so that a request is not
/// written into a closing one.
const IDLE_CONNECTION_MAX: Duration = Duration::from_secs(15);

/// Longest description of a broken exchange, in characters.
const FAILURE_CHARACTERS_MAX: usize = 200;

/// Room made for an answer whose length is not announced, in bytes.
const ANSWER_BYTES_USUAL: usize = 16 * 1024;

/// How connections are made.
pub(super) struct Connecting<'a> {
    pub connect_timeout: Duration,
    /// Time allowed for a whole exchange, and for each wait for bytes.
    pub request_timeout: Duration,
    /// Extra certificate authorities (PEM) to trust.
    pub extra_ca: Option<&'a Path>,
}

/// The client for one client id.
pub(super) fn client(connecting: &Connecting<'_>, uses_tls: bool) -> Result<Client, RemoteError> {
    // A second installation finds the first in place, which is the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(connecting.connect_timeout)
        .read_timeout(connecting.request_timeout)
        .timeout(connecting.request_timeout)
        .pool_idle_timeout(IDLE_CONNECTION_MAX)
        .tcp_nodelay(true)
        .tls_info(uses_tls)
        .user_agent(concat!("posyandu-gateway/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = connecting.extra_ca {
        let path = path.to_path_buf();
        let pem = std::fs::read(&path).map_err(|source| RemoteError::ReadCertificate { path: path.clone(), source })?;
        let certificates = Certificate::from_pem_bundle(&pem);
        let certificates = certificates.map_err(|source| RemoteError::ParseCertificate { path, source })?;
        builder = builder.tls_certs_merge(certificates);
    } else if !uses_tls {
        // Plain loopback needs no certificates, and a machine without any can still run against the simulator.
        builder = builder.tls_certs_only(std::iter::empty());
    }
    builder.build().map_err(|source| RemoteError::BuildClient { source: source.without_url() })
}

/// Reads an address and refuses plain HTTP unless the host is this machine or it is allowed by configuration.
pub(super) fn address(text: &str, plain_http_allowed: bool) -> Result<Url, RemoteError> {
    let url = Url::parse(text.trim_end_matches('/')).map_err(|_| RemoteError::Address { address: text.to_owned() })?;
    let host = url.host_str().unwrap_or("");
    let loopback = host == "localhost"
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" if !host.is_empty() => Ok(url),
        "http" if loopback || (plain_http_allowed && !host.is_empty()) => Ok(url),
        "http" => Err(RemoteError::PlainHttp { host: host.to_owned() }),
        _ => Err(RemoteError::Address { address: text.to_owned() }),
    }
}

/// The host of an address, without its port; `None` when it is no address.
#[must_use]
pub fn host_of(address: &str) -> Option<String> {
    Url::parse(address).ok()?.host_str().map(str::to_owned)
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Received {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    /// End of the certificate that the server showed.
    pub certificate_ends: Option<Timestamp>,
}

impl Received {
    pub(super) fn reply(&self) -> Reply<'_> {
        let text = |key: &HeaderName| self.headers.get(key).and_then(|value| value.to_str().ok());
        Reply {
            status: self.status,
            content_type: text(&CONTENT_TYPE).unwrap_or(""),
            location: text(&LOCATION),
            etag: text(&ETAG),
            request_id: self.headers.get("x-request-id").and_then(|value| value.to_str().ok()),
            retry_after: text(&RETRY_AFTER),
            date: text(&DATE),
            body: &self.body,
        }
    }
}

/// Sends a request and reads the answer to its end.
pub(super) async fn send(client: &Client, request: Request) -> Result<Received, Interruption> {
    let mut response = client.execute(request).await.map_err(|error| {
        // Only a failed connection proves that nothing left.
        let not_sent = error.is_connect() || error.is_builder();
        let text = describe(error);
        if not_sent { Interruption::NotSent(text) } else { Interruption::NoAnswer(None, text) }
    })?;
    crash::point("answer.head");
    let status = response.status().as_u16();
    let too_large =
        || Interruption::NoAnswer(Some(status), format!("the answer is larger than {ANSWER_BYTES_MAX} bytes"));
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok());
    if announced.is_some_and(|length| length > ANSWER_BYTES_MAX) {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(announced.unwrap_or(ANSWER_BYTES_USUAL));
    loop {
        match response.chunk().await {
            Ok(Some(part)) if body.len() + part.len() > ANSWER_BYTES_MAX => return Err(too_large()),
            Ok(Some(part)) => body.extend_from_slice(&part),
            Ok(None) => break,
            Err(error) => return Err(Interruption::NoAnswer(Some(status), describe(error))),
        }
    }
    let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    let certificate_ends = shown.and_then(certificate::ends);
    Ok(Received { status, headers: std::mem::take(response.headers_mut()), body, certificate_ends })
}

/// The error and its causes, without the address.
fn describe(error: reqwest::Error) -> String {
    let timed_out = error.is_timeout();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    if timed_out {
        text.insert_str(0, "timed out: ");
    }
    masked(&text, FAILURE_CHARACTERS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_only_to_this_machine_or_by_configuration() {
        for (text, allowed, fine) in [
            ("https://api-satusehat.kemkes.go.id/fhir-r4/v1", false, true),
            ("http://127.0.0.1:8080/fhir-r4/v1", false, true),
            ("http://[::1]:8080/", false, true),
            ("http://localhost/", false, true),
            ("http://localhost.example/", false, false),
            ("http://api-satusehat.kemkes.go.id/", false, false),
            ("http://simulator.example/", true, true),
            ("ftp://127.0.0.1/", true, false),
            ("not an address", true, false),
        ] {
            assert_eq!(address(text, allowed).is_ok(), fine, "{text}");
        }
    }
}
