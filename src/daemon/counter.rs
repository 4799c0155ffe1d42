//! The counter at which apps hand in records, and monitors ask, while the rounds go on: it listens, and what it takes is
//! mapped and sent without waiting for the next round.
//!
//! It must not read sources; the rounds do, and give it their register of posyandu.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::comparing::PresentLanes;
use super::deliver::Done;
use super::{Daemon, DaemonError, Progress, Round, set_up};
use crate::http::{self, App, Limits};
use crate::ingest::intake::Intake;
use crate::ingest::register::Register;

/// How long open requests may take to end when the gateway stops.
const STOP_MAX: Duration = Duration::from_secs(20);

/// A counter that is open.
pub struct Counter {
    /// Where it listens.
    pub address: String,
    /// Whether there are apps that may hand in records.
    pub takes_records: bool,
    app: Arc<App>,
    intake: Arc<Intake>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Why a rest between two rounds ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// It is over.
    Over,
    /// Records were taken.
    News,
    /// The gateway is to stop.
    Halt,
}

impl Counter {
    /// Opens the counter. Without senders only monitors ask there, and an address that is taken is no reason not to work:
    /// then there is none.
    ///
    /// # Errors
    /// A token that cannot be used, or an address that is taken while there are senders.
    pub async fn open(daemon: &Daemon) -> Result<Option<Self>, DaemonError> {
        let senders = set_up::senders(&daemon.config)?;
        let takes_records = !senders.is_empty();
        let listen = &daemon.config.http.listen;
        let failed = |source| DaemonError::Listen { address: listen.clone(), source };
        let listener = match TcpListener::bind(listen).await {
            Ok(listener) => listener,
            Err(source) if takes_records => return Err(failed(source)),
            Err(error) => {
                tracing::warn!(address = listen, %error, "nobody can watch: [http] listen cannot be used");
                return Ok(None);
            }
        };
        let address = listener.local_addr().map_err(failed)?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "listening beyond this machine: a reverse proxy with TLS must stand in front");
        }
        let (ledger, keys) = (Arc::clone(&daemon.ledger), Arc::clone(&daemon.keys));
        let intake = Arc::new(Intake::new(ledger, keys, &daemon.rules.schemas, daemon.clock.clone())?);
        let bound = address;
        let watching = daemon.watching(takes_records, bound).await?;
        let mut app = App::new(Arc::clone(&intake), senders, Limits::default(), watching);
        if let Some(dashboard) = daemon.dashboard(bound, takes_records, &intake).await? {
            app = app.with_dashboard(dashboard);
        }
        let app = Arc::new(app);
        let (stop, mut stopped) = watch::channel(false);
        let shutdown = async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let serving = tokio::spawn(http::serve(listener, Arc::clone(&app), shutdown));
        Ok(Some(Self { address: address.to_string(), takes_records, app, intake, stop, serving }))
    }

    /// Reads records by this register from now on.
    pub fn set_register(&self, daemon: &Daemon, register: Register) {
        if let (Some(dashboard), Ok(version)) = (self.app.dashboard(), daemon.version(&register)) {
            dashboard.set_mapping_version(version);
        }
        self.intake.set_register(Arc::new(register));
    }

    /// Does some work and meanwhile maps what is taken, so that a delivery that goes on sends it too.
    ///
    /// # Errors
    /// [`DaemonError`] when mapping fails; the work's own result is its own.
    pub async fn beside<T>(
        &self,
        daemon: &Daemon,
        progress: Progress<'_>,
        work: impl Future<Output = T>,
    ) -> Result<T, DaemonError> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done),
                () = self.intake.news() => { self.map(daemon, progress).await?; }
            }
        }
    }

    /// Maps and sends what was taken, on the lanes of the rounds.
    ///
    /// # Errors
    /// As mapping and delivering.
    pub async fn forward(
        &self,
        daemon: &Daemon,
        lanes: &PresentLanes,
        progress: Progress<'_>,
    ) -> Result<Round, DaemonError> {
        let entered = self.map(daemon, progress).await?;
        if entered == 0 {
            return Ok(Round::default());
        }
        let lanes = lanes.get();
        let deliver = daemon.deliver_with(&lanes, daemon.clock.now(), Done::BeginsAgain, progress);
        let lanes = self.beside(daemon, progress, deliver).await??;
        Ok(Round { entered, lanes, ..Round::default() })
    }

    /// Rests, at most for so long.
    pub async fn rest(&self, daemon: &Daemon, pause: Duration) -> Rest {
        tokio::select! {
            () = daemon.halted() => Rest::Halt,
            () = self.intake.news() => Rest::News,
            () = tokio::time::sleep(pause) => Rest::Over,
        }
    }

    /// Takes no new request, finishes those that are open, and lets go of the ledger.
    pub async fn close(mut self) {
        let _ = self.stop.send(true);
        match tokio::time::timeout(STOP_MAX, &mut self.serving).await {
            Ok(Ok(Ok(()))) => {}
            // The words of a panic may be a person's.
            Ok(ended) => tracing::warn!(panicked = ended.is_err(), "the counter ended badly"),
            Err(_) => {
                self.serving.abort();
                let _ = self.serving.await;
            }
        }
        if let Err(error) = self.intake.close().await {
            tracing::warn!(%error, "the passes of the senders stay open");
        }
    }

    async fn map(&self, daemon: &Daemon, progress: Progress<'_>) -> Result<u64, DaemonError> {
        let Some(register) = self.intake.register() else { return Ok(0) };
        self.intake.told();
        daemon.map(&register, &mut |_, _| Ok(()), progress).await
    }
}
