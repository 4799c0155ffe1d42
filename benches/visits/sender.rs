//! The gateway's delivery as the benches start it: one lane to the sink, on the clock of this computer.
//!
//! It must not hold anything back but what the daemon would hold back too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::delivery::Delivery;
use posyandu_gateway::delivery::retry::Policy;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::remote::lane::Lane;
use posyandu_gateway::remote::{Options, Remote};
use posyandu_gateway::seal::Keys;

use crate::{ledger, visits};

/// Calls a minute that the limiter lets through: as good as no limit.
const REQUESTS_PER_MINUTE: u32 = 10_000_000;

/// Empties a ledger.
pub fn delivery(ledger: &Arc<Ledger>, keys: &Arc<Keys>) -> Delivery {
    Delivery {
        ledger: Arc::clone(ledger),
        keys: Arc::clone(keys),
        clock: Clock::System,
        policy: Policy::default(),
        first_look: Duration::from_secs(300),
        looks: Vec::new(),
        halt: Arc::new(AtomicBool::new(false)),
        finished: Arc::new(AtomicU64::new(0)),
    }
}

/// The lane of the invented visits, with so many requests in flight.
pub fn lane(address: &str, concurrency: u32) -> Lane {
    let options = Options {
        auth_url: format!("{address}/oauth2/v1"),
        fhir_url: format!("{address}/fhir-r4/v1"),
        client_id: "bench".to_owned(),
        client_secret: Personal::new("bench".to_owned()),
        organization_id: visits::ORGANIZATION.to_owned(),
        requests_per_minute: REQUESTS_PER_MINUTE,
        concurrency,
        connect_timeout: Duration::from_secs(5),
        request_timeout: Duration::from_secs(60),
        extra_ca: None,
        plain_http_allowed: false,
    };
    Lane::new(ledger::LANE, Remote::new(options, Clock::System).unwrap(), "bench", concurrency)
}
