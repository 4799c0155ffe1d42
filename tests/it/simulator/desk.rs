//! The simulator's router without a socket, with a manual clock.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use posyandu_gateway::clock::Clock;
use posyandu_gateway::simulator::options::Options;
use posyandu_gateway::simulator::script::Script;
use posyandu_gateway::simulator::{self, Simulator};
use serde_json::Value;
use tower::ServiceExt as _;

use super::server::options;

/// A simulator that is called without a connection.
pub struct Desk {
    pub router: axum::Router,
    pub simulator: Arc<Simulator>,
    pub clock: Clock,
    pub token: String,
}

/// Status, headers and body of an answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

impl Desk {
    /// A simulator with these options and a token.
    pub async fn with(options: Options) -> Self {
        let clock = Clock::manual("2026-11-18T10:00:00Z".parse().unwrap());
        let simulator = Arc::new(Simulator::new(options, clock.clone()).unwrap());
        let router = simulator::router(Arc::clone(&simulator));
        let mut desk = Self { router, simulator, clock, token: String::new() };
        let token = desk.fetch_token("secret").await;
        desk.token = token.json()["access_token"].as_str().unwrap_or_default().to_owned();
        desk
    }

    /// A simulator with the usual options changed by a script.
    pub async fn scripted(script: &str) -> Self {
        let mut options = options();
        Script::parse("script", script).unwrap_or_else(|error| panic!("{error}")).apply(&mut options);
        Self::with(options).await
    }

    pub async fn fetch_token(&self, secret: &str) -> Answer {
        let body = format!("client_id=id&client_secret={secret}");
        let path = "/oauth2/v1/accesstoken?grant_type=client_credentials";
        self.send("POST", path, &[("content-type", "application/x-www-form-urlencoded")], body.into()).await
    }

    /// Any request at all.
    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8210");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec();
        Answer { status, headers, bytes }
    }

    /// A call with the token, below the FHIR address.
    pub async fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let bearer = format!("Bearer {}", self.token);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        self.send(method, &format!("/fhir-r4/v1{path}"), &all, body).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &[], Vec::new()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path, &[("content-type", "application/json")], body.to_string().into_bytes()).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call("PUT", path, &[("content-type", "application/json")], body.to_string().into_bytes()).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json-patch+json")];
        self.call("PATCH", path, &headers, body.to_string().into_bytes()).await
    }

    /// A page about the simulator itself.
    pub async fn page(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Vec::new()).await
    }
}
