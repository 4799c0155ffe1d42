//! Every class of the catalogue of answers: the simulator gives it, word for word from a script and, where a client can
//! cause it, by itself; status, content type, shape and texts are held against the facts in
//! `tests/fixtures/satusehat/answers.json`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::desk::{Answer, Desk};
use super::provoked::{self, SCRIPT_ONLY};

/// The facts about each class.
fn facts() -> Vec<Value> {
    let facts: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/satusehat/answers.json")).unwrap();
    assert_eq!(facts.len(), 80);
    facts
}

fn class(fact: &Value) -> &str {
    fact["class"].as_str().unwrap()
}

/// Why an answer is not one of the class; empty when it is.
fn differs(fact: &Value, answer: &Answer) -> String {
    let status = match &fact["status"] {
        Value::Number(number) => number.as_u64() == Some(answer.status.into()),
        Value::String(range) => range.starts_with(&(answer.status / 100).to_string()),
        _ => true,
    };
    if !status {
        return format!("status {}", answer.status);
    }
    let (content_type, text) = (answer.header("content-type"), answer.text());
    let json: Option<Value> = serde_json::from_str(&text).ok();
    let is_json = json.is_some() && content_type.starts_with("application/");
    let shape = fact["shape"].as_str().unwrap();
    let has = |pointer: &str| json.as_ref().is_some_and(|json| json.pointer(pointer).is_some());
    let shaped = match shape {
        "OperationOutcome" => is_json && has("/issue/0") && text.contains("\"resourceType\":\"OperationOutcome\""),
        "fault" => is_json && has("/fault/faultstring") && has("/fault/detail/errorcode"),
        "flat" => is_json && has("/ErrorCode") && has("/Error"),
        "html" => content_type.starts_with("text/html") && text.contains("<html"),
        "text/plain" => content_type.starts_with("text/plain") && json.is_none() && !text.is_empty(),
        "empty" => content_type.is_empty() && text.is_empty(),
        "mpi-patch" => is_json && has("/code") && has("/error") && has("/data/validation/0/property"),
        "legacy-mpi" => is_json && has("/success") && has("/message"),
        "kyc" => is_json && has("/metadata/code") && has("/data/error"),
        "masterdata" => is_json && has("/status_code") && has("/message") && has("/data"),
        "kfa-validation" => is_json && has("/detail/0/loc") && has("/detail/0/msg") && has("/detail/0/type"),
        "kfa-result" => is_json && has("/search_code") && has("/search_identifier") && has("/result"),
        "unknown" => true,
        other => panic!("unknown shape {other}"),
    };
    if !shaped {
        return format!("shape {shape}: {content_type} {text}");
    }
    let body = json.unwrap_or(Value::Null);
    if signed(fact, &body, &text, content_type) { String::new() } else { format!("signs: {text}") }
}

/// Whether an answer carries the signs of the class: those of an issue all on one issue, the others in the body.
fn signed(fact: &Value, body: &Value, text: &str, content_type: &str) -> bool {
    let signs = fact["signs"].as_object().unwrap();
    let no_issue = vec![serde_json::json!({"details": {"text": text}})];
    let issues = body["issue"].as_array().unwrap_or(&no_issue);
    let numbers: Vec<u64> = fact["rules"].as_array().unwrap().iter().map(|rule| rule.as_u64().unwrap()).collect();
    issues.iter().any(|issue| {
        let says = issue["details"]["text"].as_str().unwrap_or_default();
        let by_rule = fact["by_rule"].as_bool() != Some(true)
            || numbers.iter().any(|number| says.contains(&format!("(RuleNumber: {number})")));
        by_rule && signs.iter().all(|(name, sign)| carries(name, sign, issue, says, body, text, content_type))
    })
}

fn carries(name: &str, sign: &Value, issue: &Value, says: &str, body: &Value, text: &str, content_type: &str) -> bool {
    let word = sign.as_str().unwrap_or_default();
    let one_of = |holds: &dyn Fn(&str) -> bool| sign.as_array().unwrap().iter().any(|one| holds(one.as_str().unwrap()));
    match name {
        "errorcode" => body["fault"]["detail"]["errorcode"] == *sign,
        "errorcode_any" => one_of(&|one| body["fault"]["detail"]["errorcode"] == one),
        "ErrorCode" => body["ErrorCode"] == *sign,
        "severity" => issue["severity"] == *sign,
        "issue_code" => issue["code"] == *sign,
        "content_type" => content_type.starts_with(word),
        "body" => text.is_empty(),
        "text_contains" => says.contains(word),
        "text_contains_any" => one_of(&|one| says.contains(one)),
        "text_contains_any_case" => says.to_lowercase().contains(&word.to_lowercase()),
        "text_prefix" => says.starts_with(word),
        "details_text" => says == word,
        "diagnostics_contains" => issue["diagnostics"].as_str().is_some_and(|text| text.contains(word)),
        "validation_property_any" => one_of(&|one| body["data"]["validation"][0]["property"] == one),
        "body_success" => body["success"] == *sign,
        "message" => body["message"] == *sign,
        "metadata_code" => body["metadata"]["code"] == *sign,
        "message_contains" => body["message"].as_str().is_some_and(|message| message.contains(word)),
        "body_has" => body["detail"][0]["loc"].is_array(),
        "body_result" => body["result"] == *sign,
        "status_only" => true,
        other => panic!("unknown sign {other}"),
    }
}

#[tokio::test]
async fn a_script_gives_each_class_word_for_word() {
    for fact in facts() {
        let script =
            format!("steps: [{{when: {{of: write, calls: [1]}}, do: {{fault: answer, answer: {}}}}}]", class(&fact));
        let desk = Desk::scripted(&script).await;
        let answer = desk.post("", &super::visit::bundle("a")).await;
        // Carried out, but not shown: the answer of a single create, whatever the call was.
        let commits = class(&fact) == "cons-201-suppressed";
        assert_eq!(differs(&fact, &answer), "", "{}", class(&fact));
        assert_eq!(desk.simulator.stats().creates > 0, commits, "{}", class(&fact));
        assert_eq!(desk.simulator.stats().faults["answer"], 1);
        assert_eq!(desk.post("", &super::visit::bundle("b")).await.status, 200);
    }
}

#[tokio::test]
async fn what_a_client_can_cause_the_simulator_answers_by_itself() {
    for fact in facts() {
        let reason = SCRIPT_ONLY.iter().find(|(class, _)| *class == fact["class"]);
        match (provoked::answer(class(&fact)).await, reason) {
            (Some(answer), None) => assert_eq!(differs(&fact, &answer), "", "{}", class(&fact)),
            (None, Some((_, reason))) => assert!(!reason.is_empty()),
            (Some(_), Some(_)) => panic!("{} is caused and listed as not to be caused", class(&fact)),
            (None, None) => panic!("{} is neither caused nor listed with a reason", class(&fact)),
        }
    }
    let known: BTreeSet<String> = facts().iter().map(|fact| class(fact).to_owned()).collect();
    assert!(SCRIPT_ONLY.iter().all(|(class, _)| known.contains(*class)));
}

#[tokio::test]
async fn the_comparison_tells_a_class_from_plain_answers() {
    let desk = Desk::scripted("{}").await;
    let plain = [
        desk.post("", &super::visit::bundle("a")).await,
        desk.get("/Encounter").await,
        desk.page("/_stats").await,
        Answer { status: 400, headers: Vec::new(), bytes: b"{}".to_vec() },
    ];
    for fact in facts().iter().filter(|fact| fact["shape"] != "unknown") {
        for answer in &plain {
            assert_ne!(differs(fact, answer), "", "{} {}", class(fact), answer.text());
        }
    }
}
