//! A server on loopback that answers as SATUSEHAT answers a transaction: ids for as many resources as were sent.
//!
//! It keeps nothing and checks nothing, so that what is measured is the sender.

use std::fmt::Write as _;
use std::io::BufRead as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;

/// Access token that it gives out.
pub const TOKEN: &str = "bench";
/// What stands before the type of each resource sent.
const BEFORE_TYPE: &str = "\"request\":{\"method\":\"POST\",\"url\":\"";

/// Starts this program as a sink that answers after so many milliseconds; gives its address.
pub fn start(latency: u64) -> (Child, String) {
    let mut program = Command::new(std::env::current_exe().unwrap());
    let mut child = program.args(["sink", &latency.to_string()]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().to_owned())
}

/// Prints its address and answers until the process is ended.
pub async fn run(latency: Duration) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("http://{}", listener.local_addr().unwrap());
    let transaction = move |body: Bytes| async move {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        ([(CONTENT_TYPE, "application/fhir+json")], answer(&body))
    };
    let token = || async {
        let body = format!("{{\"access_token\":\"{}\",\"expires_in\":\"14399\"}}", TOKEN);
        ([(CONTENT_TYPE, "application/json")], body)
    };
    let app = Router::new().route("/oauth2/v1/accesstoken", post(token)).route("/fhir-r4/v1", post(transaction));
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        }),
        app,
    )
    .await
    .unwrap();
}

fn answer(body: &[u8]) -> String {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let body = std::str::from_utf8(body).unwrap();
    let mut out = String::with_capacity(4096);
    out.push_str("{\"resourceType\":\"Bundle\",\"type\":\"transaction-response\",\"entry\":[");
    for (position, rest) in body.split(BEFORE_TYPE).skip(1).enumerate() {
        let kind = rest.split('"').next().unwrap();
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let id = format!("{number:08x}-38c9-46f8-9c35-d1fe68966a3e");
        let version = format!("MTY2{number:08x}");
        let comma = if position > 0 { "," } else { "" };
        write!(
            out,
            "{comma}{{\"response\":{{\"etag\":\"W/\\\"{version}\\\"\",\"lastModified\":\"2026-11-18T03:10:00.5+00:00\",\
             \"location\":\"https://api-satusehat.kemkes.go.id/fhir-r4/v1/{kind}/{id}/_history/{version}\",\
             \"resourceID\":\"{id}\",\"resourceType\":\"{kind}\",\"status\":\"201 Created\"}}}}"
        )
        .unwrap();
    }
    out.push_str("]}");
    out
}
