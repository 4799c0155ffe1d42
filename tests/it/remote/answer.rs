//! What an answer means: only a whole success is one, and no answer is its own outcome.

use super::*;

#[tokio::test]
async fn what_is_no_whole_success_is_unknown() {
    let html = || ([("content-type", "text/html")], "<html><title>Log in</title></html>").into_response();
    assert_eq!(class_of(html).await.class, Class::Unknown);
    for kinds in [&["Encounter"][..], &["Observation", "Encounter"], &["Encounter", "Observation", "Observation"]] {
        let kinds: Vec<&'static str> = kinds.to_vec();
        assert_eq!(class_of(move || accepted(&kinds)).await.class, Class::Unknown);
    }
    for body in ["", "{", "{}", r#"{"resourceType":"Bundle"}"#, r#"{"resourceType":"Patient","id":"1"}"#] {
        let json = move || ([("content-type", "application/json")], body).into_response();
        assert_eq!(class_of(json).await.class, Class::Unknown, "{body}");
    }
    let large = || ([("content-type", "application/json")], Body::from(vec![b' '; 9 * 1024 * 1024])).into_response();
    assert_eq!(class_of(large).await.class, Class::Unknown);
    let deep = || ([("content-type", "application/json")], "[".repeat(1_000_000)).into_response();
    assert_eq!(class_of(deep).await.class, Class::Unknown);
    let failing = || (StatusCode::BAD_GATEWAY, format!("upstream saw {NIK}")).into_response();
    assert_eq!(class_of(failing).await.class, Class::Unknown);
}

#[tokio::test]
async fn push_back_is_no_doubt_whatever_its_status() {
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::TOO_MANY_REQUESTS] {
        let server = serve(move |_, _, _| fault(status, "policies.ratelimit.QuotaViolation")).await;
        let remote = remote(&server);
        let before = remote.pace_per_minute();
        assert_eq!(remote.transaction(bundle()).await.class, Class::Throttled);
        assert_eq!(remote.pace_per_minute(), before / 2.0);
    }
}

#[tokio::test]
async fn retry_after_holds_the_next_call_back() {
    let server = serve(|number, _, _| match number {
        0 => (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "120")], "").into_response(),
        _ => accepted(&["Encounter", "Observation"]),
    })
    .await;
    let clock = clock();
    let remote = Remote::new(options(&server.address), clock.clone()).unwrap();
    let start = clock.now();
    assert_eq!(remote.transaction(bundle()).await.retry_after, Some(Duration::from_secs(120)));
    assert_eq!(remote.transaction(bundle()).await.class, Class::Accepted);
    assert!(clock.now().duration_since(start).as_secs() >= 120);
}

/// A server on the bare socket: answers the token, then does `finish` with the connection of the write.
async fn raw(answer: &'static [u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let mut part = [0; 4096];
            while !text.ends_with(b"}") && !text.windows(14).any(|window| window == b"client_secret=") {
                let length = socket.read(&mut part).await.unwrap();
                text.extend_from_slice(&part[..length]);
            }
            if text.starts_with(b"POST /oauth2") {
                let body = r#"{"access_token":"abc","expires_in":"3599"}"#;
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
                let answer = format!("{head}content-length: {}\r\n\r\n{body}", body.len());
                socket.write_all(answer.as_bytes()).await.unwrap();
            } else {
                socket.write_all(answer).await.unwrap();
            }
            socket.shutdown().await.ok();
        }
    });
    address
}

#[tokio::test]
async fn a_cut_answer_is_unknown_wherever_it_was_cut() {
    let whole: &[&'static [u8]] = &[
        b"",
        b"HTTP/1.1 20",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"resourceType\":",
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{",
    ];
    for answer in whole {
        let remote = Remote::new(options(&raw(answer).await), clock()).unwrap();
        let answer = remote.transaction(bundle()).await;
        assert_eq!(answer.class, Class::Unknown, "{answer:?}");
        quiet(&format!("{answer:?}"));
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_unknown_after_the_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            kept.push(listener.accept().await.unwrap());
        }
    });
    let clock = clock();
    let options = Options { request_timeout: Duration::from_millis(200), ..options(&address) };
    let remote = Remote::new(options, clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3600);
    remote.remember_in(Shelf::with(Token::new(Personal::new("kept".into()), end, clock.now()))).await;
    let answer = remote.transaction(bundle()).await;
    assert_eq!(answer.class, Class::Unknown, "{answer:?}");
    assert!(answer.server_in_trouble());
}

#[tokio::test]
async fn a_refused_connection_is_an_outage_without_doubt() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let address = format!("http://127.0.0.1:{port}");
    let clock = clock();
    let remote = Remote::new(options(&address), clock.clone()).unwrap();
    let end = clock.now() + Duration::from_secs(3600);
    remote.remember_in(Shelf::with(Token::new(Personal::new("kept".into()), end, clock.now()))).await;
    let answer = remote.transaction(bundle()).await;
    assert_eq!(answer.class, Class::Outage { may_have_executed: false }, "{answer:?}");
    assert!(!answer.excerpt.contains(&port.to_string()), "{}", answer.excerpt);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = serve(|_, _, _| accepted(&["Encounter", "Observation"])).await;
    for (status, class) in [(302, Class::Unknown), (307, Class::Outage { may_have_executed: false })] {
        let target = format!("{}/fhir-r4/v1", other.address);
        let status = StatusCode::from_u16(status).unwrap();
        let answer = class_of(move || (status, [("location", target.clone())], "").into_response()).await;
        assert_eq!(answer.class, class);
    }
    assert!(other.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn single_writes_must_come_back_as_what_was_sent() {
    let body = |id: Option<&str>, value: &str| {
        let mut resource = json!({"resourceType": "Encounter", "identifier": [{"system": "s", "value": value}]});
        if let Some(id) = id {
            resource["id"] = json!(id);
        }
        resource
    };
    let mine = body(Some("e-1"), "A");
    let good = mine.clone();
    let server = serve(move |_, _, _| (StatusCode::CREATED, axum::Json(good.clone())).into_response()).await;
    let answer = remote(&server).create("Encounter", body(None, "A").to_string()).await;
    assert_eq!((answer.class, answer.accepted[0].id.as_str()), (Class::Accepted, "e-1"));
    assert_eq!(remote(&server).create("Encounter", body(None, "B").to_string()).await.class, Class::Unknown);
    assert_eq!(remote(&server).update("Encounter", "e-1", mine.to_string()).await.class, Class::Accepted);
    let other = remote(&server).update("Encounter", "e-2", body(Some("e-2"), "A").to_string()).await;
    assert_eq!(other.class, Class::Outage { may_have_executed: true });
    let unsent = remote(&server).update("Encounter", "../x", mine.to_string()).await;
    assert_eq!(unsent.class, Class::Content);
}
