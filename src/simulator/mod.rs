//! A stand-in for SATUSEHAT on loopback, for trying, training and testing without touching the ministry.
//!
//! It shares nothing with the client but the clock, never uses the client's FHIR types, and never claims to be the
//! platform: what it refuses and answers is written from the published documents alone.

mod admin;
mod bundle;
mod catalogue;
mod check;
mod connection;
mod distort;
pub mod fault;
mod generator;
mod injector;
pub mod journal;
mod methods;
pub mod options;
mod outcome;
mod patch;
mod patient;
pub mod people;
pub mod quota;
mod router;
pub mod script;
mod search;
mod store;
mod strike;
mod tamper;
mod token;
mod write;

use std::collections::BTreeMap;
use std::future::Future;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::connection::{Door, Valve};
use self::fault::{FaultError, FaultKind};
use self::generator::Generator;
use self::injector::Injector;
use self::journal::{Arrival, Journal};
use self::options::Options;
use self::outcome::Reply;
use self::people::{Index, People};
use self::quota::{Meter, Quota};
use self::store::Store;
use self::token::Tokens;
use crate::clock::Clock;

/// Why the simulator cannot be set up or run.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// A packaged file of rules or people is damaged.
    #[error("a packaged file of the simulator cannot be read: {reason}")]
    Packaged {
        /// What the reader said.
        reason: String,
    },
    /// A fault contradicts itself.
    #[error("the faults cannot be used")]
    Fault(#[source] FaultError),
    /// Connections can no longer be served.
    #[error("connections cannot be served")]
    Serve(#[source] std::io::Error),
    /// A line of an earlier dump cannot be taken up.
    #[error("line {line} of the stored resources is no resource")]
    Load {
        /// Line, from 1.
        line: usize,
    },
    /// The dump cannot be written.
    #[error("the stored resources cannot be written out")]
    Dump(#[source] std::io::Error),
}

/// What happened so far.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// Calls by kind: `token`, `bundle`, `create`, `update`, `patch`, `read`, `search`, `search_patient`, `search_practitioner`,
    /// and those turned away, `unauthorized` and `throttled`.
    pub calls: BTreeMap<String, u64>,
    /// Stored resources by type, without those known from the start.
    pub resources: BTreeMap<String, u64>,
    /// Resources created, in Bundles and singly.
    pub creates: u64,
    /// Resources updated.
    pub updates: u64,
    /// Calls of the token endpoint that were answered.
    pub token_calls: u64,
    /// Faults injected, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Business identifiers held by more than one live resource.
    pub duplicates_live: u64,
}

impl Stats {
    fn count(&mut self, kind: &str) {
        match self.calls.get_mut(kind) {
            Some(count) => *count += 1,
            None => drop(self.calls.insert(kind.to_owned(), 1)),
        }
    }
}

/// Everything that changes while the simulator runs.
struct State {
    store: Store,
    patients: Index,
    citizens: Index,
    practitioners: Index,
    tokens: Tokens,
    meter: Meter,
    generator: Generator,
    injector: Injector,
    stats: Stats,
    /// The last answer about resources, kept only for a fault that swaps answers.
    last_reply: Option<Reply>,
}

impl State {
    fn exists(&self, kind: &str, id: &str) -> bool {
        match kind {
            "Patient" => self.patients.with_ihs(id).is_some(),
            "Practitioner" => self.practitioners.with_ihs(id).is_some(),
            _ => self.store.get(kind, id).is_some(),
        }
    }
}

/// The stand-in: its settings and everything it holds in memory.
pub struct Simulator {
    options: Options,
    clock: Clock,
    started: Timestamp,
    keeps_replies: bool,
    state: Mutex<State>,
    journal: Mutex<Journal>,
}

impl Simulator {
    /// Sets up a simulator; nothing listens yet, see [`run`].
    ///
    /// # Errors
    /// A fault contradicts itself, or a packaged file is damaged.
    pub fn new(options: Options, clock: Clock) -> Result<Self, SimulatorError> {
        options.faults.iter().try_for_each(fault::Fault::check).map_err(SimulatorError::Fault)?;
        check::rules::readable().map_err(|reason| SimulatorError::Packaged { reason })?;
        catalogue::readable().map_err(|reason| SimulatorError::Packaged { reason })?;
        let dummies = People::dummies().map_err(|error| SimulatorError::Packaged { reason: error.to_string() })?;
        let simple = options.requests_per_minute.map(Quota::per_minute);
        let quotas = options.quotas.iter().cloned().chain(simple);
        let mut state = State {
            store: Store::default(),
            patients: Index::default(),
            citizens: Index::default(),
            practitioners: Index::default(),
            tokens: Tokens::default(),
            meter: Meter::new(quotas.collect()),
            generator: Generator::new(options.seed),
            injector: Injector::new(options.faults.clone(), options.seed),
            stats: Stats::default(),
            last_reply: None,
        };
        let people = options.people.clone();
        people.patients.into_iter().for_each(|person| state.patients.add(person));
        people.citizens.into_iter().for_each(|person| state.citizens.add(person));
        people.practitioners.into_iter().for_each(|person| state.practitioners.add(person));
        state.patients.add_unknown(dummies.patients);
        state.practitioners.add_unknown(dummies.practitioners);
        let now = clock.now();
        let own = options.clients.iter().map(|client| (client.organization_id.clone(), "Puskesmas".to_owned()));
        let listed = people.organizations.into_iter().map(|organization| (organization.id, organization.name));
        for (id, name) in own.chain(listed) {
            let seed = json!({"resourceType": "Organization", "active": true, "name": name});
            state.store.seed("Organization", &id, seed, now);
        }
        for place in people.locations {
            let organization = json!({"reference": format!("Organization/{}", place.organization)});
            let seed = json!({"resourceType": "Location", "status": "active", "mode": "instance", "name": place.name,
                "managingOrganization": organization});
            state.store.seed("Location", &place.id, seed, now);
        }
        let keeps_replies = options.faults.iter().any(|fault| fault.kind == FaultKind::Swapped);
        let journal = Mutex::new(Journal::default());
        Ok(Self { options, clock, started: now, keeps_replies, state: Mutex::new(state), journal })
    }

    /// Writes every stored resource, one per line, in the order of creation; what was known from the start is left out.
    ///
    /// # Errors
    /// The writer fails.
    pub fn dump(&self, writer: &mut impl Write) -> Result<(), SimulatorError> {
        writer.write_all(&self.dumped()).and_then(|()| writer.flush()).map_err(SimulatorError::Dump)
    }

    /// Takes up what an earlier [`Simulator::dump`] wrote, so that a demonstration can go on where it stopped.
    ///
    /// # Errors
    /// A line is no resource with type and id.
    pub fn load(&self, dump: &str) -> Result<(), SimulatorError> {
        let wrong = |number: usize| SimulatorError::Load { line: number + 1 };
        let mut state = self.state();
        for (number, line) in dump.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Ok(Value::Object(resource)) = serde_json::from_str(line) else { return Err(wrong(number)) };
            let text = |name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(kind), Some(id)) = (text("resourceType"), text("id")) else { return Err(wrong(number)) };
            state.store.put(&kind, &id, resource, self.clock.now());
        }
        Ok(())
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let state = self.state();
        let mut stats = state.stats.clone();
        for record in state.store.written() {
            *stats.resources.entry(record.kind.clone()).or_default() += 1;
        }
        stats.token_calls = stats.calls.get("token").copied().unwrap_or(0);
        stats.faults = state.injector.struck.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        stats.duplicates_live = u64::try_from(state.store.duplicates()).unwrap_or(u64::MAX);
        stats
    }

    /// When calls arrived and from whom, oldest first; those of long ago are forgotten.
    #[must_use]
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.journal().arrivals().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dumped(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        for record in self.state().store.written() {
            lines.extend_from_slice(Value::Object(record.resource.clone()).to_string().as_bytes());
            lines.push(b'\n');
        }
        lines
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The interface without a socket, to be called by a test or put behind another listener.
pub fn router(simulator: Arc<Simulator>) -> axum::Router {
    router::router(simulator)
}

/// Serves callers until `shutdown` is done; open calls are finished first.
///
/// # Errors
/// The listener fails.
pub async fn run(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SimulatorError> {
    let door = Door { listener, clock: simulator.clock.clone() };
    let service = router::router(simulator).into_make_service_with_connect_info::<Valve>();
    axum::serve(door, service).with_graceful_shutdown(shutdown).await.map_err(SimulatorError::Serve)
}
