//! The pages that show what arrived: complete, escaped, for this machine only, and never mistaken for the platform.

use serde_json::json;

use super::desk::Desk;
use super::visit::{self, ORGANIZATION};

const HARM: &str = "<img src=x onerror=alert(1)>\"'&\u{202e}";

async fn desk() -> Desk {
    let desk = Desk::scripted("steps: [{when: {of: write, calls: [2]}, do: {fault: dropped_answer}}]").await;
    let mut bundle = visit::bundle("a");
    bundle["entry"][2]["resource"]["note"] = json!([{"text": HARM}]);
    assert_eq!(desk.post("", &bundle).await.status, 200);
    desk.post("", &visit::bundle("b")).await;
    desk.get("/Observation?identifier=%3Cb%3E").await;
    desk
}

#[tokio::test]
async fn the_overview_tells_what_arrived_and_that_it_is_a_stand_in() {
    let desk = desk().await;
    let page = desk.page("/_admin").await;
    let text = page.text();
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(text.contains("stand-in for SATUSEHAT") && text.contains("not the platform"));
    assert!(!text.contains("<script") && page.header("content-security-policy").contains("default-src 'none'"));
    for shown in [
        "<td><a href=\"/_admin/resources?type=Observation\">Observation</a></td><td class=\"number\">4</td>",
        "<td>2026-11-18 10:00</td><td class=\"number\">18</td>",
        "<td>POST /fhir-r4/v1</td><td class=\"number\">200</td><td>dropped_answer</td>",
        "<td>faults: dropped_answer</td><td class=\"number\">1</td>",
        "identifier=%3Cb%3E",
    ] {
        assert!(text.contains(shown), "{shown} is not in {text}");
    }
    // The credentials of the token request are nowhere.
    assert!(!text.contains("secret") && !text.contains(&desk.token));
    let token = desk.page("/_admin/call/1").await.text();
    assert!(token.contains("(nothing)") && !token.contains(&desk.token), "{token}");
}

#[tokio::test]
async fn resources_are_found_by_identifier_and_shown_whole_and_escaped() {
    let desk = desk().await;
    let system = format!("http://sys-ids.kemkes.go.id/observation/{ORGANIZATION}");
    for identifier in ["a-observation".to_owned(), format!("{system}%7Ca-observation")] {
        let found = desk.page(&format!("/_admin/resources?identifier={identifier}")).await.text();
        assert!(found.contains("1 found"), "{found}");
    }
    assert!(desk.page("/_admin/resources?type=Condition").await.text().contains("2 found"));
    assert!(desk.page("/_admin/resources?identifier=none").await.text().contains("0 found"));
    let mut dump = Vec::new();
    desk.simulator.dump(&mut dump).unwrap();
    let third: serde_json::Value =
        serde_json::from_str(String::from_utf8(dump).unwrap().lines().nth(2).unwrap()).unwrap();
    let page = desk.page(&format!("/_admin/resource/Observation/{}", third["id"].as_str().unwrap())).await.text();
    assert!(page.contains("&quot;valueQuantity&quot;: {"), "{page}");
    assert!(
        page.contains("&lt;img src=x onerror=alert(1)&gt;") && !page.contains("<img") && !page.contains('\u{202e}')
    );
    let call = desk.page("/_admin/call/2").await.text();
    assert!(call.contains("&lt;img") && call.contains("transaction-response") && !call.contains("<img"));
    let typed = desk.page("/_admin/resources?identifier=%22%3E%3Cscript%3E").await.text();
    assert!(typed.contains("value=\"&quot;&gt;&lt;script&gt;\"") && !typed.contains("<script"));
    for (path, status) in [("/_admin/resource/Observation/none", 404), ("/_admin/call/99", 404), ("/_admin/x", 404)] {
        assert_eq!(desk.page(path).await.status, status, "{path}");
    }
    assert_eq!(desk.page("/_admin/style.css").await.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn another_site_cannot_lead_a_browser_here() {
    let desk = desk().await;
    for path in ["/_admin", "/_dump", "/_admin/call/2"] {
        let request = axum::http::Request::get(path).header("host", "example.org:8210");
        let request = request.body(axum::body::Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(desk.router.clone(), request).await.unwrap();
        assert_eq!(response.status().as_u16(), 403, "{path}");
    }
}
