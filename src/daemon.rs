//! The three verbs in order: ingest, deliver, reconcile; once, or again and again until told to stop.
//!
//! It must not know how a person started it, and it decides nothing that the three decide themselves.

pub mod alarm;
pub mod comparing;
pub mod counter;
pub mod deliver;
pub mod observing;
pub mod pages;
pub mod plan;
pub mod provision;
mod rounds;
pub mod sealing;
pub mod set_up;
mod shared_pace;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::civil::Date;

use crate::clock::Clock;
use crate::config::assets::{AssetsError, Rules};
use crate::config::{Config, ConfigError};
use crate::delivery::keeping::LedgerMemory;
use crate::delivery::{DeliveryError, LaneEnd};
use crate::ingest::folder::seen::FolderOutcome;
use crate::ingest::intake::IntakeError;
use crate::ingest::register::Register;
use crate::ingest::visit::{self, Mapper};
use crate::ingest::{Ingest, IngestError, Look, SourceOutcome};
use crate::ledger::entry::EntryId;
use crate::ledger::{Ledger, LedgerError};
use crate::observed::Observed;
use crate::reconciliation::{Reconciliation, ReconciliationError};
use crate::remote::RemoteError;
use crate::remote::lane::Lane;
use crate::seal::Keys;
use crate::source::profile::ProfileError;

/// Longest sleep between two looks at the ledger, so that a stop is noticed.
const NAP_MAX: Duration = Duration::from_millis(200);

/// Why the gateway cannot work at all.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Mapping files, schemas.
    #[error(transparent)]
    Assets(#[from] AssetsError),
    /// A source profile.
    #[error("source `{source_name}`")]
    Profile {
        /// The source.
        source_name: String,
        /// Why.
        #[source]
        source: ProfileError,
    },
    /// A setting names something that does not exist.
    #[error("{0}")]
    Setting(String),
    /// The register of posyandu cannot be read, so no visit can be mapped.
    #[error("the register of posyandu (source `{0}`) cannot be read: see `check`")]
    RegisterUnread(String),
    /// A client cannot be made.
    #[error("the connection of `{puskesmas}` cannot be set up")]
    Remote {
        /// The puskesmas.
        puskesmas: String,
        /// Why.
        #[source]
        source: RemoteError,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Ingest.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// Delivery.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// Reconciliation.
    #[error(transparent)]
    Reconciliation(#[from] ReconciliationError),
    /// The address cannot be listened on.
    #[error("[http] listen: {address} cannot be used: another program may have it")]
    Listen {
        /// The address.
        address: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The intake cannot be set up.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// A task ended unexpectedly.
    #[error("a lane ended unexpectedly")]
    Task(#[source] tokio::task::JoinError),
}

/// What one round came to.
#[derive(Debug, Default)]
pub struct Round {
    /// Each source with its rows.
    pub sources: Vec<SourceOutcome>,
    /// Each drop folder with its files.
    pub folders: Vec<FolderOutcome>,
    /// New versions of visits entered.
    pub entered: u64,
    /// A register of posyandu could not be read, so the other sources were left for the next round.
    pub register_unread: bool,
    /// Each lane with what it sent; a lane that ran several times is added up.
    pub lanes: Vec<LaneEnd>,
}

/// How far a round is.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// Rows read of a source.
    Reading {
        /// The source.
        source: &'a str,
        /// Rows so far.
        rows: u64,
    },
    /// Visits mapped so far.
    Mapping(u64),
    /// Visits sent of those that waited.
    Sending {
        /// Finished so far.
        finished: u64,
        /// Waiting when the sending began.
        waiting: u64,
    },
}

/// Told how far a round is.
pub type Progress<'a> = &'a (dyn Fn(Step<'_>) + Sync);

/// Everything a round needs.
pub struct Daemon {
    /// Configuration.
    pub config: Config,
    /// Schemas, mappings, profiles.
    pub rules: Rules,
    /// The time.
    pub clock: Clock,
    /// Keys.
    pub keys: Arc<Keys>,
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Set to stop taking new work.
    pub halt: Arc<AtomicBool>,
    /// Counts what is done.
    pub observed: Observed,
}

/// What a mapper borrows from the configuration.
struct Means {
    switches: BTreeSet<String>,
    organizations: Vec<(String, String)>,
    registering: BTreeSet<String>,
    earliest: Date,
}

impl Means {
    fn mapper<'a>(&'a self, daemon: &'a Daemon, register: &'a Register) -> Mapper<'a> {
        let rules = &daemon.rules;
        Mapper {
            keys: &daemon.keys,
            schemas: &rules.schemas,
            standards: &rules.standards,
            mappings: &rules.mappings,
            profiles: &rules.profiles,
            switches: &self.switches,
            register,
            organizations: &self.organizations,
            registering: &self.registering,
            earliest: self.earliest,
            version: visit::version(
                &rules.mappings,
                &rules.profiles,
                &self.switches,
                register,
                &self.organizations,
                &self.registering,
                self.earliest,
            ),
        }
    }
}

impl Daemon {
    /// Reads all sources and enters what is new; sends nothing. `look` is shown each new entry first.
    ///
    /// # Errors
    /// [`DaemonError`] when the ledger or a setting fails; a source's own problem is in its outcome.
    pub async fn ingest(&self, look: Look<'_>, progress: Progress<'_>) -> Result<(Round, Register), DaemonError> {
        let sources = set_up::sources(&self.config)?;
        // A wrong name is told before anything is read.
        set_up::switches(&self.config, &self.rules)?;
        let ingest = self.reading();
        let (mut register, mut outcomes) = ingest.register(&sources).await?;
        self.fill(&mut register).await?;
        // Without its places every row would turn into an issue, also those that were fine yesterday.
        if outcomes.iter().any(|outcome| outcome.problem.is_some()) {
            return Ok((Round { sources: outcomes, register_unread: true, ..Round::default() }, register));
        }
        let reading = |source: &str, rows: u64| progress(Step::Reading { source, rows });
        let (folders, read) = Box::pin(ingest.sources(&sources, &register, &reading)).await?;
        outcomes.extend(read);
        let entered = self.map(&register, look, progress).await?;
        Ok((Round { sources: outcomes, folders, entered, ..Round::default() }, register))
    }

    /// Maps what the ledger took since the last time and enters it; returns the number of entries made. `look` is shown
    /// each of them first.
    ///
    /// # Errors
    /// [`DaemonError`] when the ledger or a setting fails.
    pub async fn map(&self, register: &Register, look: Look<'_>, progress: Progress<'_>) -> Result<u64, DaemonError> {
        let means = self.means()?;
        let mapper = means.mapper(self, register);
        self.ledger.remap(&mapper.version).await?;
        Ok(self.reading().map(&mapper, look, &|visits| progress(Step::Mapping(visits))).await?)
    }

    fn means(&self) -> Result<Means, DaemonError> {
        let puskesmas = self.config.puskesmas.iter();
        let registering = puskesmas.clone().filter(|one| one.create_patients).map(|one| one.name.clone());
        Ok(Means {
            registering: registering.collect(),
            earliest: self.config.satusehat.earliest_date,
            switches: set_up::switches(&self.config, &self.rules)?,
            organizations: puskesmas.map(|one| (one.name.clone(), one.organization_id.clone())).collect(),
        })
    }

    fn reading(&self) -> Ingest<'_> {
        Ingest { ledger: &self.ledger, keys: &self.keys, schemas: &self.rules.schemas, clock: &self.clock }
    }

    /// All lanes of the configuration.
    ///
    /// # Errors
    /// As [`set_up::lane`].
    pub fn lanes(&self) -> Result<Vec<Lane>, DaemonError> {
        let mut lanes: Vec<Lane> = Vec::with_capacity(self.config.puskesmas.len());
        let given = Arc::default();
        for puskesmas in &self.config.puskesmas {
            // One client id has one limit and one token, whoever uses it.
            let known = lanes.iter().find(|lane| lane.client_id == puskesmas.client_id);
            lanes.push(match known {
                Some(known) => Lane::new(&puskesmas.name, known.remote.clone(), &known.client_id, known.concurrency),
                None => {
                    let lane = set_up::lane(&self.config, puskesmas, &self.clock)?;
                    lane.remote.observe(self.observed.lane(&lane.name));
                    shared_pace::share(&lane, &self.ledger);
                    lane.remote.share_given(&given);
                    lane
                }
            });
        }
        Ok(lanes)
    }

    /// Returns when the gateway is to stop.
    pub async fn halted(&self) {
        while !self.halt.load(Ordering::Relaxed) {
            tokio::time::sleep(NAP_MAX).await;
        }
    }

    /// The look-ups of this installation over its lanes, which go on with the tokens and the paces that are kept.
    pub async fn reconciliation(&self, lanes: &[Lane]) -> Reconciliation {
        for lane in lanes {
            LedgerMemory::hand_to(&self.ledger, &self.clock, lane).await;
        }
        let seconds = self.config.delivery.probe_after_seconds.iter();
        Reconciliation {
            ledger: Arc::clone(&self.ledger),
            lanes: lanes.to_vec(),
            clock: self.clock.clone(),
            probe_after: seconds.copied().map(Duration::from_secs).collect(),
        }
    }

    /// Forgets who the person of a visit was found to be, so that the next round asks again.
    ///
    /// # Errors
    /// There is no such visit; failures of the ledger.
    pub async fn forget(&self, entry: EntryId) -> Result<(), DaemonError> {
        Ok(self.delivery(&Arc::default()).forget(entry).await?)
    }
}
