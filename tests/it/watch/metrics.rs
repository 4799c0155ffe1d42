//! `/metrics` and `/readyz` without a socket: figures of a real ledger, who may read them, and what they never say.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use posyandu_gateway::observed::LastRound;
use serde_json::json;
use sqlx::ConnectOptions as _;

use crate::intake::counter::{Answer, Counter, NAME, OTHER_TOKEN, TOKEN, record};

async fn get(counter: &Counter, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    counter.ask(request.body(Body::empty()).unwrap()).await
}

#[track_caller]
fn has(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "{line} is missing in\n{text}");
}

#[tokio::test]
async fn the_figures_are_those_of_the_ledger_and_name_nobody() {
    let counter = Counter::open().await;
    counter.post(&json!([record("anak-1", 1), record("anak-2", 2), {"id": "anak-3"}])).await;
    counter.post(&json!([record("anak-1", 1)])).await;
    let answer = get(&counter, "/metrics", Some(TOKEN)).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = &answer.text;
    let path = "path=\"/v1/records\",status=\"2xx\"";
    has(text, &format!("posyandu_gateway_http_request_duration_seconds_count{{{path}}} 2"));
    for (outcome, number) in [("read", 4), ("accepted", 2), ("issue", 1), ("unchanged", 1)] {
        let labels = format!("source=\"aplikasi-utara\",outcome=\"{outcome}\"");
        has(text, &format!("posyandu_gateway_rows_total{{{labels}}} {number}"));
    }
    has(text, &format!("posyandu_gateway_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    for name in
        ["posyandu_gateway_ledger_file_bytes{file=\"wal\"}", "process_resident_memory_bytes", "process_open_fds"]
    {
        let value = text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        assert!(value.parse::<f64>().unwrap() > 0.0, "{name} {value}");
    }
    assert!(text.ends_with("# EOF\n"));
    for secret in [NAME, TOKEN, "Melati", "UTR-01", "100101100323", "anak-1"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn only_who_has_the_scrape_token_reads_the_figures() {
    let counter = Counter::open().await;
    for token in [None, Some(OTHER_TOKEN), Some("short")] {
        get(&counter, "/metrics", token).await.problem(401, "unauthorized");
    }
    // What a balancer asks needs none.
    assert_eq!(get(&counter, "/healthz", None).await.status, 200);
    assert_eq!(get(&counter, "/readyz", None).await.status, 503);
}

#[tokio::test]
async fn ready_when_the_ledger_can_be_written_and_the_last_round_was_fine() {
    let counter = Counter::open().await;
    let fine = json!({"ledger": "ok", "disk": "ok", "configuration": "ok", "round": "ok"});
    for (round, failed) in [
        (None, &["round"][..]),
        (Some(LastRound::Fine), &[]),
        (Some(LastRound::Failed), &["round"]),
        (Some(LastRound::Misconfigured), &["configuration", "round"]),
        (Some(LastRound::Fine), &[]),
    ] {
        if let Some(round) = round {
            counter.observed.round(round, 0);
        }
        let mut expected = fine.clone();
        failed.iter().for_each(|name| expected[name] = json!("failed"));
        let answer = get(&counter, "/readyz", None).await;
        assert_eq!(answer.json()["checks"], expected);
        assert_eq!(answer.status == 200, failed.is_empty());
        assert_eq!(answer.header("retry-after").is_empty(), failed.is_empty());
    }
}

#[tokio::test]
async fn not_ready_while_somebody_else_holds_the_ledgers_write_lock() {
    let counter = Counter::open().await;
    counter.observed.round(LastRound::Fine, 0);
    let path = counter.folder.path().join("ledger.sqlite");
    let mut other = sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let answer = get(&counter, "/readyz", None).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["checks"]["ledger"], "failed");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let ready = async {
        while get(&counter, "/readyz", None).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), ready).await.unwrap();
}
