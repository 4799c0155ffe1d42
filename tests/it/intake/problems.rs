//! Requests that cannot be answered: each a problem of its kind, in the caller's language, without anything inside.

use axum::body::Body;
use axum::http::{Method, Request};
use posyandu_gateway::http::Limits;
use serde_json::json;

use super::counter::{Counter, NAME, TOKEN, record};

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_read() {
    let counter = Counter::open().await;
    let body = || record("a", 1).to_string();
    let answer = counter.send(body(), &[("authorization", "")]).await;
    answer.problem(401, "unauthorized");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    let longer = format!("Bearer {TOKEN}x");
    let basic = format!("Basic {TOKEN}");
    for wrong in ["Bearer nobody", "Bearer", &longer, &basic, TOKEN] {
        let answer = counter.send(body(), &[("authorization", wrong)]).await;
        answer.problem(401, "unauthorized");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
        assert!(!answer.text.contains("nobody") && !answer.text.contains(TOKEN));
    }
    assert_eq!(counter.counts().await.read, 0);
}

#[tokio::test]
async fn addresses_and_methods() {
    let counter = Counter::open().await;
    for path in ["/", "/v1", "/v1/records/", "/v1/records/a", "/../etc/passwd", "/%2e%2e/"] {
        for method in ["GET", "POST", "OPTIONS", "BREW"] {
            counter.ask(request(method, path)).await.problem(404, "not-found");
        }
    }
    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"] {
        let answer = counter.ask(request(method, "/v1/records")).await;
        answer.problem(405, "method");
        assert_eq!(answer.header("allow"), "POST");
    }
    for path in ["/healthz", "/openapi.json"] {
        let answer = counter.ask(request("POST", path)).await;
        answer.problem(405, "method");
        assert_eq!(answer.header("allow"), "GET, HEAD");
        let found = counter.ask(request("GET", path)).await;
        assert_eq!((found.status.as_u16(), found.header("content-type")), (200, "application/json"));
    }
    for path in ["/healthz", "/nowhere", "/v1/records"] {
        let answer = counter.ask(request("HEAD", path)).await;
        assert_eq!(answer.text, "", "{path}");
    }
    assert_eq!(counter.ask(request("GET", "/healthz")).await.json(), json!({"status": "ok"}));
}

#[tokio::test]
async fn kinds_of_bodies_and_answers() {
    let counter = Counter::open().await;
    let body = || record("a", 1).to_string();
    for kind in ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        counter.send(body(), &[("content-type", kind)]).await.problem(415, "media-type");
    }
    counter.send(body(), &[("content-encoding", "gzip")]).await.problem(415, "media-type");
    counter.send(body(), &[("accept", "text/html")]).await.problem(406, "not-acceptable");
    let mut description = request("GET", "/openapi.json");
    description.headers_mut().insert("accept", "text/html".parse().unwrap());
    counter.ask(description).await.problem(406, "not-acceptable");
    assert_eq!(counter.counts().await.read, 0);
}

#[tokio::test]
async fn what_is_no_json_is_told_with_line_and_byte() {
    let counter = Counter::open().await;
    for (body, line, byte) in [
        ("", 1, 1),
        ("nik;nama\n1;Kenari Rahasia", 1, 1),
        ("<html>", 1, 1),
        ("\"Kenari Rahasia\"", 1, 1),
        ("7", 1, 1),
        ("[\n  {\"id\": nope}\n]", 2, 5),
        ("{\"id\": \"a\"} x", 1, 13),
    ] {
        let problem = counter.send(body.to_owned(), &[]).await.problem(422, "not-json");
        assert_eq!((&problem["line"], &problem["byte"]), (&json!(line), &json!(byte)), "{body}");
        assert!(problem["detail"].as_str().unwrap().contains(&format!("baris {line}, bita {byte}")), "{problem}");
    }
    let lines = [("content-type", "application/x-ndjson")];
    counter.send("nik;nama\n", &lines).await.problem(422, "not-json");
    counter.send(vec![b'"', 0xff, 0xfe, b'"'], &lines).await.problem(422, "not-json");
    let english = counter.send("x", &[("accept-language", "en-US,en;q=0.9")]).await.problem(422, "not-json");
    assert!(english["detail"].as_str().unwrap().contains("line 1, byte 1"));

    // What stands before the mistake is taken, and the answer says so.
    let body = format!("[{},{}, oops: {NAME}]", record("a", 1), record("b", 2));
    let problem = counter.send(body, &[]).await.problem(422, "not-json");
    assert_eq!(problem["taken"], 2, "{problem}");
    assert_eq!(counter.counts().await.read, 2);
}

#[tokio::test]
async fn an_empty_list_is_no_problem() {
    let counter = Counter::open().await;
    assert_eq!(counter.post(&json!([])).await.text, "[]");
    let lines = counter.send("\n\n", &[("content-type", "application/x-ndjson")]).await;
    assert_eq!((lines.status.as_u16(), lines.text.as_str()), (200, ""));
}

#[tokio::test]
async fn before_the_posyandu_are_known_the_caller_is_asked_to_come_again() {
    let counter = Counter::with(Limits::default(), false).await;
    let answer = counter.post(&record("a", 1)).await;
    answer.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "5");
    let health = Request::builder().method(Method::GET).uri("/healthz").body(Body::empty()).unwrap();
    assert_eq!(counter.ask(health).await.status, 200);
}
