//! A simulator on a port of its own with a manual clock, and a bare HTTP caller.

use std::sync::Arc;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::simulator::options::{Client, Options};
use posyandu_gateway::simulator::people::{KnownLocation, Person};
use posyandu_gateway::simulator::{self, Simulator};
use serde_json::Value;
use tokio::net::TcpListener;

use super::visit::{ORGANIZATION, PLACE};

/// A NIK of no province, listed twice.
pub const TWICE: &str = "1001014512230001";

/// A running simulator.
pub struct Server {
    pub address: String,
    pub simulator: Arc<Simulator>,
    pub clock: Clock,
    pub caller: reqwest::Client,
    pub token: String,
}

/// Status, content type and body of an answer.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// Settings with one client, one place and one NIK listed twice.
pub fn options() -> Options {
    let mut options = Options::default();
    let text = |text: &str| text.to_owned();
    options.clients.push(Client {
        client_id: text("id"),
        client_secret: text("secret"),
        organization_id: text(ORGANIZATION),
    });
    let place = KnownLocation { id: text(PLACE), name: text("Posyandu Contoh"), organization: text(ORGANIZATION) };
    options.people.locations.push(place);
    for ihs in ["P10010145122", "P10010145123"] {
        options.people.patients.push(Person {
            nik: text(TWICE),
            ihs: text(ihs),
            name: text("ANAK CONTOH"),
            birth_date: text("2023-12-05"),
            gender: text("female"),
            ..Person::default()
        });
    }
    options
}

impl Server {
    /// Starts a simulator on the day of the sample visit.
    pub async fn start(options: Options) -> Self {
        rustls::crypto::ring::default_provider().install_default().ok();
        let clock = Clock::manual("2026-11-18T10:00:00Z".parse().unwrap());
        let simulator = Arc::new(Simulator::new(options, clock.clone()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(simulator::run(listener, simulator.clone(), std::future::pending()));
        let caller = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { address, simulator, clock, caller, token: String::new() }
    }

    /// Starts and fetches a token.
    pub async fn ready(options: Options) -> Self {
        let mut server = Self::start(options).await;
        server.token = server.fetch_token("id", "secret").await.json()["access_token"].as_str().unwrap().to_owned();
        server
    }

    pub async fn fetch_token(&self, id: &str, secret: &str) -> Answer {
        let url = format!("{}/oauth2/v1/accesstoken?grant_type=client_credentials", self.address);
        let request = self.caller.post(url).form(&[("client_id", id), ("client_secret", secret)]);
        Self::finish(request.send().await.unwrap()).await.unwrap()
    }

    async fn finish(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        let request = self.caller.get(format!("{}/fhir-r4/v1{path}", self.address)).query(query);
        Self::finish(request.bearer_auth(&self.token).send().await.unwrap()).await.unwrap()
    }

    pub async fn try_post(&self, path: &str, body: &Value) -> Result<Answer, reqwest::Error> {
        let request = self.caller.post(format!("{}/fhir-r4/v1{path}", self.address)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        Self::finish(request.send().await?).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_post(path, body).await.unwrap()
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let request = self.caller.put(format!("{}/fhir-r4/v1{path}", self.address)).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        Self::finish(request.send().await.unwrap()).await.unwrap()
    }

    /// What the simulator holds, one resource per line.
    pub fn dump(&self) -> Vec<Value> {
        let mut bytes = Vec::new();
        self.simulator.dump(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
