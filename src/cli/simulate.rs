//! `simulate`: the stand-in for SATUSEHAT as a server of its own.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use tokio::net::TcpListener;

use super::exit::Exit;
use super::print;
use crate::clock::Clock;
use crate::simulator::options::Options;
use crate::simulator::people::People;
use crate::simulator::script::{self, Script};
use crate::simulator::{Simulator, run};

/// A stand-in for SATUSEHAT on this machine
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway simulate --people tests/fixtures/kota-contoh/simulator.json
  posyandu-gateway simulate --script outage.yaml --dump stored.ndjson
  posyandu-gateway simulate --fault '{when: {of: write, every: 5}, do: {fault: server_error_after_commit}}'

A script (YAML) says how it behaves and what goes wrong when; the same seed gives the same faults:
  seed: 7
  settings: {index_lag_seconds: 20, masked_names: true}
  steps:
    - when: {of: write, probability: 0.05}
      do: {fault: dropped_answer}
    - when: {path: /fhir-r4/v1/Encounter*, calls: [1, 4]}
      do: {fault: answer, answer: dup-encounter}
    - when: {from_second: 600, until_second: 1200, every: 1}
      do: {fault: maintenance}
    - when: {of: token, calls: [1]}
      do: {fault: edited, set: {/expires_in: null}}

It accepts any client id and secret. /_admin in a browser shows what arrived, GET /_stats counts what it was asked,
GET /_dump gives what it stores. It is a stand-in and never claims to be the platform.
Stop it with Ctrl-C; with --dump it then writes every stored resource as NDJSON.")]
pub struct Simulate {
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8210")]
    pub listen: String,
    /// Patients, practitioners, organizations and locations that exist from the start (JSON)
    #[arg(long, value_name = "FILE")]
    pub people: Option<PathBuf>,
    /// How it behaves and what goes wrong when (YAML)
    #[arg(long, value_name = "FILE")]
    pub script: Option<PathBuf>,
    /// One step of a script, after those of the file; may be given several times
    #[arg(long, value_name = "STEP")]
    pub fault: Vec<String>,
    /// Print the JSON Schema of a script, for editors, and stop
    #[arg(long)]
    pub print_schema: bool,
    /// Accept a resource with a known business identifier again, as a server without duplicate check
    #[arg(long)]
    pub no_duplicate_check: bool,
    /// Hidden limit of calls a minute per client
    #[arg(long, value_name = "N")]
    pub requests_per_minute: Option<u32>,
    /// Write every stored resource to this file when stopping
    #[arg(long, value_name = "FILE")]
    pub dump: Option<PathBuf>,
    /// Stand on another moment, e.g. 2026-11-18T08:30:00Z
    #[arg(long, value_name = "INSTANT")]
    pub now: Option<jiff::Timestamp>,
}

impl Simulate {
    /// Runs the command.
    ///
    /// # Errors
    /// A file that cannot be read or an address that is taken.
    pub async fn run(&self) -> anyhow::Result<Exit> {
        if self.print_schema {
            print::result(&format!("{:#}", script::schema()));
            return Ok(Exit::Fine);
        }
        let mut options = Options { open: true, ..Options::default() };
        if let Some(file) = &self.people {
            options.people = People::from_json(&read(file)?).with_context(|| format!("{}", file.display()))?;
        }
        if let Some(file) = &self.script {
            Script::parse(&file.display().to_string(), &read(file)?)?.apply(&mut options);
        }
        for step in &self.fault {
            Script::of_step("--fault", step)?.apply(&mut options);
        }
        options.duplicate_check &= !self.no_duplicate_check;
        options.requests_per_minute = self.requests_per_minute;
        let clock = self.now.map_or(Clock::System, Clock::started_at);
        let simulator = Arc::new(Simulator::new(options, clock)?);
        let listener = TcpListener::bind(&self.listen).await.map_err(|error| {
            anyhow::anyhow!("cannot listen on {}: {error}; choose another address with --listen", self.listen)
        })?;
        let mut signals = super::stop::StopSignals::listen()?;
        print::result(&format!("listening on http://{}", listener.local_addr()?));
        run(listener, Arc::clone(&simulator), async move { signals.next().await }).await?;
        if let Some(file) = &self.dump {
            let mut out = std::io::BufWriter::new(
                std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?,
            );
            simulator.dump(&mut out)?;
            std::io::Write::flush(&mut out)?;
        }
        Ok(Exit::Fine)
    }
}

fn read(file: &std::path::Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
