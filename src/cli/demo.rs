//! `demo`: a sample city's posyandu day in one process, from local files to (simulated) SATUSEHAT and back.
//!
//! Everything but the server is the real thing: files, mapping, ledger, delivery, read-back, report. Run again on the
//! same folder it sends nothing; change a cell of a sample file first and it sends that correction.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::exit::Exit;
use super::print::{self, Steps};
use super::{Context, init, installation, run, troubles};
use crate::clock::Clock;
use crate::config::{Config, FILE_NAME, assets};
use crate::daemon::{Daemon, Round};
use crate::report::Span;
use crate::report::text::sum_line;
use crate::seal::Keys;
use crate::simulator::options::{Client, Options};
use crate::simulator::people::People;
use crate::simulator::{self, Simulator};
use crate::words;

/// The sample's day at 15:30 WIB: every posyandu has closed.
const SAMPLE_INSTANT: &str = "2026-11-18T08:30:00Z";
/// What the simulated server holds, kept between two demonstrations.
const SERVER_FILE: &str = "satusehat-simulasi.ndjson";

/// A sample city's day on this machine: simulator, files, delivery and report
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway demo                  in the folder posyandu-demo; run it twice: the second time sends nothing
  posyandu-gateway demo --data-dir DIR   in another folder

Afterwards change a weight in one of the sample's files and run it again: only that correction is sent.")]
pub struct Demo {}

impl Demo {
    /// Runs the command.
    ///
    /// # Errors
    /// What keeps the demonstration from running.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let folder = context.data_dir.clone().unwrap_or_else(|| PathBuf::from("posyandu-demo"));
        let folder = std::path::absolute(&folder)?;
        lay_out(&folder)?;
        let started: Timestamp = SAMPLE_INSTANT.parse()?;
        let clock = Clock::started_at(started);
        let mut config =
            installation::config_at(&folder.join(FILE_NAME), &Context { data_dir: None, ..context.clone() })?;
        let server = Server::start(&folder, &config, clock.clone()).await?;
        config.satusehat.auth_url = format!("http://{}/oauth2/v1", server.address);
        config.satusehat.fhir_url = format!("http://{}/fhir-r4/v1", server.address);
        print::note(&format!("sample city in {}; its clock stands at {started}", folder.display()));
        print::note(&format!("simulated SATUSEHAT on http://{}", server.address));
        init::storage(&config).await?;
        let language = installation::language(&config, context);
        let daemon = installation::daemon(config, clock).await?;
        let before = server.simulator.stats();
        let round = round(&daemon).await?;
        let after = server.simulator.stats();
        let counts = daemon.ledger.counts(&crate::ledger::reading::Filter::default()).await?;
        print::note(&run::as_text(&round, &counts, language));
        troubles::of_round(&round, &daemon.config, language).iter().for_each(|line| print::note(line));
        let read_back = super::reconcile::read_back(&daemon, None).await?;
        print::note(&super::reconcile::as_text(&read_back, language));
        let (report, text) = super::report::day(&daemon, Span::All, language, &folder).await?;
        print::result(&text);
        let sent = (after.creates - before.creates) + (after.updates - before.updates);
        let values = [("jumlah", sent.to_string()), ("berkas", folder.join("perbaikan.csv").display().to_string())];
        print::result(&words::text(language, "demo.sent", &values));
        print::result(&sum_line(&report.counts, language));
        run::close(daemon).await?;
        server.stop(&folder).await?;
        // What needs mending in the sample is planned; only a failure is one here.
        Ok(if round.lanes.iter().any(|lane| lane.stop.is_some()) { Exit::OtherSide } else { Exit::Fine })
    }
}

async fn round(daemon: &Daemon) -> anyhow::Result<Round> {
    let steps = Steps::default();
    let round = daemon.once(&|step| steps.show(step)).await;
    steps.done();
    Ok(round?)
}

/// Writes the sample's files where they do not exist yet, so that a change to one of them is kept.
fn lay_out(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (name, content) in assets::sample_city() {
        write_new(&folder.join(&name), &content)?;
    }
    let config = Config::load(&folder.join(FILE_NAME), std::iter::empty())?;
    for puskesmas in &config.puskesmas {
        // A throw-away secret for the simulator of this folder.
        let secret = Keys::generate()?.identifier("demo", &[&puskesmas.client_id]);
        write_new(&config.path(&puskesmas.client_secret_file), secret.as_bytes())?;
    }
    Ok(())
}

fn write_new(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    if !path.exists() {
        std::fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// The simulated SATUSEHAT of a demonstration.
struct Server {
    address: std::net::SocketAddr,
    simulator: Arc<Simulator>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<Result<(), simulator::SimulatorError>>,
}

impl Server {
    async fn start(folder: &Path, config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let mut clients = Vec::new();
        for puskesmas in &config.puskesmas {
            let path = config.path(&puskesmas.client_secret_file);
            let secret = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            clients.push(Client {
                client_id: puskesmas.client_id.clone(),
                client_secret: secret.trim().to_owned(),
                organization_id: puskesmas.organization_id.clone(),
            });
        }
        let people = std::fs::read_to_string(folder.join("simulator.json")).context("cannot read simulator.json")?;
        let people = People::from_json(&people).context("simulator.json")?;
        let simulator = Arc::new(Simulator::new(Options { clients, people, ..Options::default() }, clock)?);
        if let Ok(stored) = std::fs::read_to_string(folder.join(SERVER_FILE)) {
            simulator.load(&stored).with_context(|| format!("{SERVER_FILE} cannot be taken up"))?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.context("no free port on this machine")?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let served = Arc::clone(&simulator);
        let task = tokio::spawn(async move {
            simulator::run(listener, served, async {
                let _ = stopped.await;
            })
            .await
        });
        Ok(Self { address, simulator, stop, task })
    }

    async fn stop(self, folder: &Path) -> anyhow::Result<()> {
        let path = folder.join(SERVER_FILE);
        let mut stored = Vec::new();
        self.simulator.dump(&mut stored)?;
        std::fs::write(&path, stored).with_context(|| format!("cannot write {}", path.display()))?;
        let _ = self.stop.send(());
        self.task.await??;
        Ok(())
    }
}
