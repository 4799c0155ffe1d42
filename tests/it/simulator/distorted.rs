//! Answers that are not what they should be: each fault of a script does what it says, on the router and on a socket.

use serde_json::{Value, json};

use super::desk::{Answer, Desk};
use super::server::{Server, options};
use super::visit;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use posyandu_gateway::simulator::script::Script;

/// The first write of a visit on a desk with one step.
async fn struck(deed: &str) -> (Desk, Answer) {
    let desk = Desk::scripted(&format!("steps: [{{when: {{of: write, calls: [1]}}, do: {{{deed}}}}}]")).await;
    let answer = desk.post("", &visit::bundle("a")).await;
    (desk, answer)
}

fn types(answer: &Answer) -> Vec<String> {
    let entries = answer.json()["entry"].as_array().unwrap().clone();
    entries.iter().map(|entry| entry["response"]["resourceType"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_transaction_may_be_answered_in_ways_that_are_not_standard() {
    let mut backwards = visit::TYPES.map(str::to_owned).to_vec();
    backwards.reverse();
    assert_eq!(types(&struck("fault: entries_reversed").await.1), backwards);
    assert_eq!(types(&struck("fault: entries_missing").await.1).len(), 8);
    assert_eq!(types(&struck("fault: entries_repeated").await.1).len(), 10);
    let nameless =
        struck("fault: edited, set: {/entry/*/response/resourceID: null, /entry/*/response/location: null, /total: 8}");
    let (desk, answer) = nameless.await;
    let body = answer.json();
    assert_eq!((&body["total"], body["entry"].as_array().unwrap().len()), (&json!(8), 9));
    assert!(
        body["entry"][3]["response"].get("location").is_none() && body["entry"][3]["response"].get("etag").is_some()
    );
    assert_eq!(desk.simulator.stats().creates, 9);
    let (desk, answer) = struck("fault: outcome_for_bundle").await;
    assert_eq!((answer.status, &answer.json()["resourceType"]), (200, &json!("OperationOutcome")));
    assert_eq!(desk.simulator.stats().creates, 9);
}

#[tokio::test]
async fn a_bundle_may_be_written_in_part_before_the_server_fails() {
    for (entries, status, creates) in [("", 504, 4), (", entries: 1, status: 502", 502, 1)] {
        let (desk, answer) = struck(&format!("fault: partial_commit{entries}")).await;
        assert_eq!((answer.status, desk.simulator.stats().creates), (status, creates));
        // What was left behind is in the way of the same Bundle.
        assert_eq!(desk.post("", &visit::bundle("a")).await.json()["issue"][0]["code"], "duplicate");
    }
}

#[tokio::test]
async fn bodies_and_heads_may_be_wrong_while_everything_was_written() {
    for (deed, check) in [
        ("fault: truncated, bytes: 40", (|answer| answer.bytes.len() == 40) as fn(&Answer) -> bool),
        ("fault: huge, bytes: 9000000", |answer| answer.bytes.len() > 9_000_000 && answer.json()["total"] == 9),
        ("fault: deep, depth: 5000", |answer| answer.text().contains(&"[".repeat(5000))),
        ("fault: content_type, content_type: text/html", |answer| answer.header("content-type") == "text/html"),
        ("fault: gzip_bomb, bytes: 100000", |answer| answer.header("content-encoding").is_empty()),
        ("fault: held_after_commit, delay_ms: 90000", |answer| answer.status == 200),
    ] {
        let (desk, answer) = struck(deed).await;
        assert!(check(&answer), "{deed} {}", answer.status);
        assert_eq!(desk.simulator.stats().creates, 9, "{deed}");
    }
    let desk = Desk::scripted("steps: [{when: {every: 1, of: read}, do: {fault: gzip_bomb, bytes: 50000000}}]").await;
    let answer = desk.call("GET", "/Encounter", &[("accept-encoding", "gzip, br")], Vec::new()).await;
    assert_eq!((answer.header("content-encoding"), answer.bytes.len() < 100_000), ("gzip", true));
}

#[tokio::test]
async fn a_call_may_be_turned_away_before_anything_is_written() {
    for (deed, status, content_type) in [
        ("fault: maintenance", 503, "text/html"),
        ("fault: redirect, location: 'http://127.0.0.1:9/'", 307, ""),
        ("fault: redirect, status: 301, location: 'http://127.0.0.1:9/'", 301, ""),
    ] {
        let (desk, answer) = struck(deed).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, content_type), "{deed}");
        let location = if status == 503 { "" } else { "http://127.0.0.1:9/" };
        assert_eq!((answer.header("location"), desk.simulator.stats().creates), (location, 0), "{deed}");
    }
}

#[tokio::test]
async fn an_answer_may_belong_to_the_call_before() {
    let desk = Desk::scripted("steps: [{when: {of: write, calls: [2]}, do: {fault: swapped}}]").await;
    let first = desk.post("", &visit::bundle("a")).await;
    let second = desk.post("", &visit::bundle("b")).await;
    assert_eq!((first.text(), desk.simulator.stats().creates), (second.text(), 18));
}

#[tokio::test]
async fn a_token_answer_may_be_malformed() {
    for (value, seen) in [
        ("null", Value::Null),
        ("3599", json!(3599)),
        ("-1", json!(-1)),
        ("'99999999999999999999'", json!("99999999999999999999")),
        ("soon", json!("soon")),
    ] {
        let step = format!(
            "steps: [{{when: {{of: token, calls: [2]}}, do: {{fault: edited, set: {{/expires_in: {value}}}}}}}]"
        );
        let token = Desk::scripted(&step).await.fetch_token("secret").await.json();
        assert_eq!(token["expires_in"], seen, "{value}");
        assert!(token["access_token"].is_string());
    }
}

#[tokio::test]
async fn a_total_may_be_wrong() {
    let desk = Desk::scripted(
        "steps: [{when: {path: '*/Encounter', method: GET, every: 1}, do: {fault: edited, set: {/total: 0}}}]",
    )
    .await;
    desk.post("", &visit::bundle("a")).await;
    let found = desk.get("/Encounter").await.json();
    assert_eq!((&found["total"], found["entry"].as_array().unwrap().len()), (&json!(0), 1));
}

#[tokio::test]
async fn an_answer_is_cut_one_byte_later_each_time_until_it_is_whole() {
    let mut fault = Fault::at_calls(FaultKind::CutAfterBytes, AppliesTo::Read, &[]);
    (fault.every, fault.bytes, fault.bytes_step) = (Some(1), Some(0), Some(1));
    let mut options = options();
    options.faults.push(fault);
    let server = Server::ready(options).await;
    let address = format!("{}/fhir-r4/v1/Encounter/none", server.address);
    let mut cut = 0;
    loop {
        let sent = server.caller.get(&address).bearer_auth(&server.token).send().await;
        let whole = match sent {
            Ok(response) => response.text().await.is_ok(),
            Err(_) => false,
        };
        if whole {
            break;
        }
        cut += 1;
        assert!(cut < 2000, "never whole");
    }
    // Head and body of a 404 are longer than its body alone.
    assert!(cut > 150, "{cut}");
    assert_eq!(server.simulator.stats().faults["cut_after_bytes"], cut + 1);
}

#[tokio::test]
async fn a_connection_may_end_silently_after_an_answer_or_when_it_is_used_again() {
    for (kind, reused) in [("closed_idle", false), ("closed_on_reuse", true)] {
        let mut options = options();
        let step = format!("{{when: {{of: read, calls: [1]}}, do: {{fault: {kind}}}}}");
        Script::of_step("step", &step).unwrap().apply(&mut options);
        let server = Server::ready(options).await;
        let address = server.address.trim_start_matches("http://").to_owned();
        let request = format!(
            "GET /fhir-r4/v1/Encounter/none HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
            server.token
        );
        let ended = tokio::task::spawn_blocking(move || {
            use std::io::{Read as _, Write as _};
            let mut line = std::net::TcpStream::connect(address).unwrap();
            line.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
            line.write_all(request.as_bytes()).unwrap();
            let mut seen = vec![0; 4096];
            let read = line.read(&mut seen).unwrap();
            assert!(seen[..read].starts_with(b"HTTP/1.1 404"));
            if reused {
                // The line still stands until the next request.
                line.write_all(request.as_bytes()).unwrap();
            }
            // Closed or reset, but no second answer.
            line.read(&mut seen).map_or(0, |read| read)
        });
        assert_eq!(ended.await.unwrap(), 0, "{kind}");
        assert_eq!(server.simulator.stats().calls["read"], 1, "{kind}");
        assert_eq!(server.get("/Encounter/none", &[]).await.status, 404, "{kind}");
    }
}
