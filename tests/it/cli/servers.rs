//! SATUSEHAT away, or refusing the access: everything waits, and the sentence names whom to ask.

use std::time::{Duration, Instant};

use posyandu_gateway::simulator::options::{Client, Options};

use super::town::{Town, free_address};
use crate::city::conserved;
use crate::simulator::server::Server;

/// A run against nothing ends far sooner than `once_seconds` (900).
const QUICKLY: Duration = Duration::from_secs(30);

#[test]
fn a_server_that_is_down_is_told_once_and_everything_waits() {
    let address = free_address();
    let town = Town::ready(&address);
    let started = Instant::now();
    let told = town.gateway(&["run", "--once", "--format", "json"]);
    assert!(started.elapsed() < QUICKLY, "{:?}", started.elapsed());
    told.one_sentence(3, &[&address, "Puskesmas Tengah, Puskesmas Timur", "tidak ada data yang hilang"]);
    let counts = town.counts();
    assert_eq!(told.json()["counts"], counts);
    for word in ["delivered", "in_flight", "unknown", "refused", "exhausted"] {
        assert_eq!(counts[word], 0, "{word}");
    }
    assert!(counts["pending"].as_u64().unwrap() > 300, "{counts}");
    let text = town.gateway(&["run", "--once"]);
    text.one_sentence(3, &[&address]);
    assert!(text.out.contains("Puskesmas Utara"), "{}", text.out);
    assert_eq!(town.counts(), counts);
    // The log as JSON lines says no more than the sentence.
    let logged = town.gateway(&["--log-format", "json", "run", "--once"]);
    logged.one_sentence(3, &[&address]);
}

fn clients(organization: &str, secret: &str) -> Options {
    let client = |name: &str, organization: &str| Client {
        client_id: format!("contoh-{name}"),
        client_secret: secret.to_owned(),
        organization_id: organization.to_owned(),
    };
    let clients = ["utara", "tengah", "timur"].map(|name| client(name, organization)).to_vec();
    Options { clients, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_access_is_told_as_such_and_everything_waits() {
    let server = Server::start(clients("100000101", "another-secret")).await;
    let address = server.address.trim_start_matches("http://").to_owned();
    let town = Town::ready(&address);
    let told = town.gateway(&["run", "--once", "--format", "json"]);
    told.one_sentence(3, &[&address, "Puskesmas", "client_id", "client secret", "tidak ada data yang hilang"]);
    let counts = town.counts();
    conserved(&counts);
    assert!(counts["pending"].as_u64().unwrap() > 300 && counts["delivered"] == 0, "{counts}");
    let doctor = town.gateway(&["doctor", "--format", "json"]);
    assert_eq!(doctor.code, Some(3), "{}", doctor.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_of_another_organization_stops_the_lane_and_refuses_nobody() {
    let server = Server::start(clients("100000999", "a-secret-of-nobody")).await;
    let address = server.address.trim_start_matches("http://").to_owned();
    let town = Town::ready(&address);
    let told = town.gateway(&["run", "--once", "--format", "json"]);
    let counts = told.json()["counts"].clone();
    conserved(&counts);
    assert_eq!(counts["delivered"], 0, "{counts}");
    assert_eq!(server.simulator.stats().creates, 0);
    assert!(matches!(told.code, Some(1 | 3)), "{:?} {}", told.code, told.err);
}
