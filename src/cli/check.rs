//! `check`: the whole way from source to bundle as a dry run, by the very rules of a real one.
//!
//! It changes no file of the installation, writes no ledger and opens no connection.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::exit::Exit;
use super::print::{self, Steps};
use super::{Context, Format, installation, run, source, troubles};
use crate::clock::Clock;
use crate::config::{Config, FILE_NAME};
use crate::daemon::{Daemon, Round};
use crate::ledger::Ledger;
use crate::ledger::entry::OpenEntry;
use crate::ledger::reading::Filter;
use crate::ledger::state::State;
use crate::report::{DayReport, Span, csv, json as report_json, text};
use crate::resource::envelope::{Envelope, Practitioner};
use crate::seal::Keys;
use crate::words::{self, Language};

/// Visits looked at when counting calls and writing bundles.
const VISITS_MAX: u32 = 1_000_000;

/// Dry run: read, validate and map; change nothing and call nobody
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway check                                 all configured sources
  posyandu-gateway check e-PPGBM                         one source by its name
  posyandu-gateway check tests/fixtures/kota-contoh      a folder with its own posyandu-gateway.toml
  posyandu-gateway check --output hasil --format json

With --output DIR it writes bundles.ndjson (one Bundle a line, as it would be sent; {patient} and {practitioner}
stand for ids that are looked up when sending) and issues.csv.")]
pub struct Check {
    /// Names of sources, or a folder with its own configuration
    #[arg(value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// Folder for bundles.ndjson and issues.csv
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Check as if it were this day
    #[arg(long, value_name = "DATE")]
    pub today: Option<Date>,
}

/// What would be sent under one client id.
struct Plan {
    puskesmas: String,
    visits: u64,
    calls: u64,
    per_minute: u32,
}

impl Check {
    /// Runs the command.
    ///
    /// # Errors
    /// Mistakes in configuration, mapping files or on the command line.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut config = self.config(context)?;
        config.reads_in_place = true;
        let language = installation::language(&config, context);
        let daemon = dry(config, self.clock()).await?;
        let steps = Steps::default();
        let ingested = daemon.ingest(&|step| steps.show(step)).await;
        steps.done();
        let (round, register) = ingested?;
        let zone = super::report::zone(&daemon.config);
        let version = Some(daemon.rules.mappings.version.clone());
        let report = super::report::gather(&daemon.ledger, Span::All, &register, zone, &daemon.clock, version).await?;
        let ready = ready(&daemon.ledger).await?;
        let plans = plans(&daemon.config, &ready)?;
        if let Some(folder) = &self.output {
            write_output(folder, &report, &ready, language)?;
        }
        print::result(&match self.format {
            Format::Text => as_text(&report, &plans, language),
            Format::Json => as_json(&round, &report, &plans, language)?,
            Format::Csv => csv::work_list(&report, language),
        });
        troubles::of_round(&round, &daemon.config, language).iter().for_each(|line| print::note(line));
        Ok(if round.sources.iter().any(|source| source.problem.is_some()) {
            Exit::Usage
        } else if run::needs_attention(&report.counts) > 0 || run::tells_of_files(&round) {
            Exit::NeedsAttention
        } else {
            Exit::Fine
        })
    }

    fn clock(&self) -> Clock {
        let end_of_day = |day: Date| crate::clock::Zone::Wib.instant(day, jiff::civil::time(23, 0, 0, 0));
        self.today.map_or(Clock::System, |day| Clock::started_at(end_of_day(day)))
    }

    /// The configuration of the command line, of a folder that was named, or narrowed to the sources that were named.
    fn config(&self, context: &Context) -> anyhow::Result<Config> {
        let folder = self.sources.iter().map(Path::new).find(|path| installation::file_in(path).is_file());
        if let Some(folder) = folder {
            anyhow::ensure!(self.sources.len() == 1, "name one folder with its own {FILE_NAME}, or sources; not both");
            return installation::config_at(&installation::file_in(folder), context);
        }
        let mut config = installation::config(context)?;
        for name in &self.sources {
            let names = || config.source.iter().map(|source| source.name.as_str());
            if !names().any(|known| known == name) {
                let near = crate::mapping::problem::nearest(name, names()).unwrap_or_default();
                anyhow::bail!("there is no source `{name}`, nor a folder of that name with a {FILE_NAME} {near}");
            }
        }
        if !self.sources.is_empty() {
            // The register of posyandu is always needed; it is told from the others by having no puskesmas.
            config.source.retain(|source| source.puskesmas.is_empty() || self.sources.contains(&source.name));
        }
        Ok(config)
    }
}

/// The gateway on a ledger in memory. Without keys of its own it borrows new ones: only identifiers then differ.
async fn dry(config: Config, clock: Clock) -> anyhow::Result<Daemon> {
    let rules = installation::rules(&config)?;
    let file = config.key_file();
    let keys = Arc::new(if file.is_file() { Keys::load(&file)? } else { Keys::generate()? });
    let zone = super::report::zone(&config);
    let ledger = Ledger::in_memory(zone, Arc::clone(&keys), clock.clone()).await?;
    let halt = Arc::new(AtomicBool::new(false));
    Ok(Daemon { config, rules, clock, keys, ledger: Arc::new(ledger), halt })
}

/// The visits that a real run would send.
async fn ready(ledger: &Ledger) -> anyhow::Result<Vec<OpenEntry>> {
    let lines = ledger.entries(&Filter::default(), &[State::Pending], VISITS_MAX).await?;
    let ids: Vec<_> = lines.iter().map(|line| line.entry_id).collect();
    Ok(ledger.load(&ids).await?)
}

/// Calls if nobody is known yet: one for the token, one for each person and health worker, one for each visit.
fn plans(config: &Config, ready: &[OpenEntry]) -> anyhow::Result<Vec<Plan>> {
    let mut plans = Vec::new();
    for puskesmas in &config.puskesmas {
        let mut people: HashSet<String> = HashSet::new();
        let mut visits = 0;
        for entry in ready.iter().filter(|entry| entry.lane == puskesmas.name) {
            let envelope: Envelope = serde_json::from_str(entry.person.reveal()).context("a visit cannot be read")?;
            people.insert(envelope.nik);
            if let Practitioner::ByNik(nik) = envelope.practitioner {
                people.insert(nik);
            }
            visits += 1;
        }
        let calls = if visits == 0 { 0 } else { 1 + visits + people.len() as u64 };
        plans.push(Plan {
            puskesmas: puskesmas.name.clone(),
            visits,
            calls,
            per_minute: puskesmas.requests_per_minute,
        });
    }
    Ok(plans)
}

fn write_output(folder: &Path, report: &DayReport, ready: &[OpenEntry], language: Language) -> anyhow::Result<()> {
    let failed = |path: &Path| format!("cannot write {}", path.display());
    std::fs::create_dir_all(folder).with_context(|| failed(folder))?;
    let mut bundles = String::new();
    for entry in ready {
        bundles.push_str(entry.bundle.reveal());
        bundles.push('\n');
    }
    for (name, content) in [("bundles.ndjson", bundles), ("issues.csv", csv::work_list(report, language))] {
        let path = folder.join(name);
        std::fs::write(&path, content).with_context(|| failed(&path))?;
    }
    Ok(())
}

fn as_text(report: &DayReport, plans: &[Plan], language: Language) -> String {
    let mut out = text::render(report, language);
    out.push('\n');
    for plan in plans {
        let values = [
            ("puskesmas", plan.puskesmas.clone()),
            ("kunjungan", plan.visits.to_string()),
            ("panggilan", plan.calls.to_string()),
            ("menit", minutes(plan).to_string()),
            ("batas", plan.per_minute.to_string()),
        ];
        out.push_str(&words::text(language, "check.plan", &values));
        out.push('\n');
    }
    out.push_str(&words::plain(language, "check.nothing_changed"));
    out
}

fn as_json(round: &Round, report: &DayReport, plans: &[Plan], language: Language) -> anyhow::Result<String> {
    let mut whole: Value = serde_json::from_str(&report_json::render(report, language))?;
    let plans: Vec<Value> = plans
        .iter()
        .map(|plan| {
            json!({
                "puskesmas": plan.puskesmas, "visits": plan.visits, "calls_at_most": plan.calls,
                "requests_per_minute": plan.per_minute, "minutes": minutes(plan),
            })
        })
        .collect();
    whole["would_send"] = Value::Array(plans);
    whole["sources"] = Value::Array(run::sources_json(round));
    whole["folders"] = Value::Array(source::files::folders_json(round));
    Ok(whole.to_string())
}

fn minutes(plan: &Plan) -> u64 {
    plan.calls.div_ceil(u64::from(plan.per_minute.max(1)))
}
