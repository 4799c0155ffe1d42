//! Bodies that are too much, too slow, cut off or hostile: a bounded answer, and nothing taken twice or lost.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body_util::{BodyExt as _, Full};
use posyandu_gateway::http::Limits;
use posyandu_gateway::http::gate::GateLimits;
use serde_json::{Value, json};

use super::counter::{Counter, NAME, OTHER_TOKEN, TOKEN, record};

/// Bytes, then nothing more and no end.
fn stalled(text: &str) -> Body {
    Body::new(Full::new(Bytes::from(text.to_owned())).with_trailers(std::future::pending()))
}

/// Bytes, then the connection is gone.
fn cut_off(text: &str) -> Body {
    let gone = async { Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))) };
    Body::new(Full::new(Bytes::from(text.to_owned())).map_err(|never| match never {}).with_trailers(gone))
}

fn quick() -> Limits {
    Limits { idle: Duration::from_millis(20), ..Limits::default() }
}

#[tokio::test]
async fn too_many_bytes_are_refused_before_and_while_reading() {
    let counter = Counter::with(Limits { body_bytes: 2_000, ..Limits::default() }, true).await;
    let declared = counter.send("[]", &[("content-length", "2001")]).await;
    let problem = declared.problem(413, "too-large");
    assert!(problem.get("taken").is_none() && problem["detail"].as_str().unwrap().contains("2000"));
    let many: Vec<Value> = (0..20).map(|number| record(&format!("a{number}"), number)).collect();
    let body = Body::new(Full::new(Bytes::from(json!(many).to_string())));
    counter.send(body, &[]).await.problem(413, "too-large");
}

#[tokio::test]
async fn too_many_records_are_refused_and_the_first_are_taken() {
    let counter = Counter::with(Limits { records: 3, ..Limits::default() }, true).await;
    let many: Vec<Value> = (0..5).map(|number| record(&format!("a{number}"), number)).collect();
    let problem = counter.post(&json!(many)).await.problem(413, "too-many-records");
    assert_eq!(problem["taken"], 3);
    assert_eq!(counter.counts().await.read, 3);
    assert_eq!(counter.post(&json!(many[..3])).await.items().len(), 3);
}

#[tokio::test]
async fn a_body_that_stops_coming_or_breaks_off_keeps_what_was_whole() {
    let counter = Counter::with(quick(), true).await;
    let start = format!("[{},{},{{\"id\": \"c\", \"sas", record("a", 1), record("b", 2));
    let problem = counter.send(stalled(&start), &[]).await.problem(408, "timeout");
    assert_eq!(problem["taken"], 2);
    let problem = counter.send(cut_off(&start), &[]).await.problem(400, "incomplete");
    assert_eq!(problem["taken"], 2);
    // The end is missing, although the connection ended well.
    let problem = counter.send(start, &[]).await.problem(400, "incomplete");
    assert_eq!(problem["taken"], 2);
    assert_eq!(counter.counts().await.read, 2);
    let items = counter.post(&json!([record("a", 1), record("b", 2), record("c", 3)])).await.items();
    let outcomes: Vec<&Value> = items.iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["unchanged", "unchanged", "accepted"]);
}

#[tokio::test]
async fn a_whole_body_has_a_deadline_too() {
    let limits = Limits { request: Duration::from_millis(20), ..Limits::default() };
    let counter = Counter::with(limits, true).await;
    counter.send(stalled("["), &[]).await.problem(408, "timeout");
}

#[tokio::test]
async fn one_hostile_record_is_an_issue_and_the_others_are_taken() {
    let counter = Counter::open().await;
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let long = format!("{{\"id\": \"l\", \"sasaran\": {{\"alamat\": \"{}\"}}}}", "x".repeat(70_000));
    let nested = format!("{{\"id\": \"n\", \"sasaran\": {{\"nama\": {}1{}}}}}", "[".repeat(9), "]".repeat(9));
    let twice = record("t", 4).to_string().replace("\"bb\":", "\"bb\":13.0,\"bb\":");
    let body = format!(
        "[{},{deep},{long},{nested},{twice},{{\"id\": \"u\\u0000\"}},{},7,null,\"x\",{{\"id\":\"n\\ud800\"}}]",
        record("a", 1),
        record("b", 2)
    );
    let items = counter.send(body, &[]).await.items();
    let rule = |at: usize| items[at]["issues"][0]["rule"].as_str().unwrap_or_default().to_owned();
    assert_eq!([&items[0]["outcome"], &items[6]["outcome"]], ["accepted", "accepted"]);
    let rules: Vec<String> = [1, 2, 3, 4, 5, 7, 8, 9, 10].into_iter().map(rule).collect();
    let expected = [
        "intake.record_deep",
        "intake.record_long",
        "intake.record_deep",
        "intake.twice",
        "intake.id_form",
        "intake.not_object",
        "intake.not_object",
        "intake.not_object",
        "intake.type",
    ];
    assert_eq!(rules, expected);
    assert_eq!(items[4]["issues"][0]["field"], "/kunjungan_balita/bb");
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.issue), (3, 1));
}

#[tokio::test]
async fn bytes_that_are_no_utf_8_are_an_issue_of_their_record() {
    let counter = Counter::open().await;
    let mut body = format!("{}\n", record("a", 1)).into_bytes();
    body.extend_from_slice(b"{\"id\": \"b\", \"sasaran\": {\"nama\": \"\xff\xfe\"}}\n");
    body.extend_from_slice(record("c", 3).to_string().as_bytes());
    let answer = counter.send(body, &[("content-type", "application/x-ndjson"), ("accept", "application/json")]).await;
    let items = answer.items();
    let outcomes: Vec<&Value> = items.iter().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["accepted", "issue", "accepted"]);
    assert_eq!(items[1]["issues"][0]["rule"], "intake.json");
}

#[tokio::test]
async fn an_answer_stays_short_whatever_is_wrong() {
    let counter = Counter::with(Limits { detail_bytes: 20_000, ..Limits::default() }, true).await;
    let members: Vec<String> = (0..400).map(|number| format!("\"salah_{number}\": 1")).collect();
    let wrong = format!("{{\"id\": \"a\", {}}}", members.join(","));
    let item = counter.send(wrong.clone(), &[]).await.item();
    // The 50 named ones, and that it names nobody.
    assert_eq!(item["issues"].as_array().unwrap().len(), 51);
    assert_eq!(item["left_out"], 350);
    let many: Vec<String> = (0..20).map(|number| wrong.replacen("\"a\"", &format!("\"a{number}\""), 1)).collect();
    let answer = counter.send(format!("[{}]", many.join(",")), &[]).await;
    let items = answer.items();
    assert_eq!(items.len(), 20);
    assert!(answer.text.len() < 50_000, "{}", answer.text.len());
    assert_eq!((items[19]["issues"].as_array().unwrap().len(), &items[19]["left_out"]), (1, &json!(400)));
}

#[tokio::test]
async fn callers_wait_for_a_place_and_are_sent_away_when_too_many_wait() {
    let gate = GateLimits { working: 2, waiting: 1, of_sender: 2, wait: Duration::from_millis(40) };
    let counter = Counter::with(Limits { idle: Duration::from_secs(60), gate, ..Limits::default() }, true).await;
    let counter = &counter;
    let other = format!("Bearer {OTHER_TOKEN}");
    let own = format!("Bearer {TOKEN}");
    let slow = |token: String| async move {
        let _ = counter.send(stalled("["), &[("authorization", &token)]).await;
    };
    // One sender holds one of the two places at most: its second request waits and is asked to come again.
    let asked = async {
        let first = counter.send(record("a", 1).to_string(), &[("authorization", &own)]).await;
        let second = counter.send(record("b", 2).to_string(), &[("authorization", &other)]).await;
        (first, second)
    };
    tokio::select! {
        biased;
        () = slow(own.clone()) => panic!("the slow request ended"),
        (first, second) = asked => {
            first.problem(503, "unavailable");
            assert_eq!(first.header("retry-after"), "5");
            assert_eq!(second.item()["outcome"], "issue");
        }
    }
    // Its third is one too many.
    tokio::select! {
        biased;
        () = slow(own.clone()) => panic!("the slow request ended"),
        () = slow(own.clone()) => panic!("it had to wait"),
        third = counter.send(record("a", 1).to_string(), &[]) => {
            third.problem(429, "too-busy");
            assert_eq!(third.header("retry-after"), "5");
        }
    }
    // Whoever waited and gave up has left no trace.
    assert_eq!(counter.post(&record("a", 1)).await.item()["outcome"], "accepted");
    assert!(!counter.post(&record("a", 1)).await.text.contains(NAME));
}

#[tokio::test]
async fn a_large_body_is_taken_in_batches() {
    let counter = Counter::open().await;
    let many: Vec<String> = (0..1_200).map(|number| record(&format!("a{number}"), number).to_string()).collect();
    let answer = counter.send(many.join("\n"), &[("content-type", "application/x-ndjson")]).await;
    assert_eq!(answer.text.lines().count(), 1_200);
    assert!(answer.text.lines().all(|line| line.contains("\"accepted\"")));
    let counts = counter.counts().await;
    assert_eq!((counts.read, counts.issue), (1_200, 0));
}
