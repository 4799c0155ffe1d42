//! `check`: the whole way from source to bundle as a dry run, by the very rules of a real one.
//!
//! It changes no file of the installation, writes no ledger of it and opens no connection. What it must remember lies
//! in a sealed temporary file without a name, and no list is held whole: memory does not grow with the rows.

mod files;
mod plan;
pub(super) mod scratch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use jiff::civil::Date;
use serde_json::{Value, json};

use super::exit::Exit;
use super::print::{self, Steps};
use super::{Context, Format, installation, run, source, troubles};
use crate::clock::Clock;
use crate::config::{Config, FILE_NAME};
use crate::daemon::{Daemon, Round};
use crate::ingest::register::Register;
use crate::ledger::Ledger;
use crate::ledger::account::Reach;
use crate::ledger::entry::NewEntry;
use crate::ledger::row::VisitRecords;
use crate::observed::Observed;
use crate::redact::Personal;
use crate::report::worklist::WorkItem;
use crate::report::{DayReport, ReportError, Request, Span, csv, json as report_json, text};
use crate::seal::Keys;
use crate::words::{self, Language};
use files::Files;
use plan::{Plan, Plans};

/// Most lines of each list in text and JSON: a person reads no more, and `--output` writes them all.
const LISTED_MAX: usize = 1_000;

/// Dry run: read, validate and map; change nothing and call nobody
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway check                                 all configured sources
  posyandu-gateway check e-PPGBM                         one source by its name
  posyandu-gateway check tests/fixtures/kota-contoh      a folder with its own posyandu-gateway.toml
  posyandu-gateway check --output hasil --format json

With --output DIR it writes bundles.ndjson (one Bundle a line, as it would be sent; {patient} and {practitioner}
stand for ids that are looked up when sending) and issues.csv. Text and JSON show the first 1000 lines of a list; the
files have them all. While it works it uses a sealed temporary file (TMPDIR), about 3 GB for a million rows.")]
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

impl Check {
    /// Runs the command.
    ///
    /// # Errors
    /// Mistakes in configuration, mapping files or on the command line; no room for a temporary file.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut config = self.config(context)?;
        config.reads_in_place = true;
        let language = installation::language(&config, context);
        let temporary = std::env::temp_dir();
        Box::pin(self.on(config, language, &temporary)).await.map_err(|error| scratch::named(error, &temporary))
    }

    async fn on(&self, config: Config, language: Language, temporary: &Path) -> anyhow::Result<Exit> {
        let daemon = dry(config, self.clock(), temporary).await?;
        let mut files = self.output.as_deref().map(Files::create).transpose()?;
        let mut plans = Plans::new(&daemon.config);
        let steps = Steps::default();
        let look = &mut |visit: &VisitRecords, entry: &mut NewEntry| look(visit, entry, &mut plans, files.as_mut());
        let ingested = daemon.ingest(look, &|step| steps.show(step)).await;
        steps.done();
        let (round, register) = ingested?;
        if self.format == Format::Csv {
            print::part(csv::HEADER);
        }
        let each = &mut |items: &[WorkItem]| {
            if self.format == Format::Csv {
                print::part(&csv::lines(items, language));
            }
            files.as_mut().map_or(Ok(()), |files| files.issues(items, language))
        };
        let report = gather(&daemon, &register, each).await?;
        if let Some(files) = files {
            files.finish()?;
        }
        let plans = plans.finish();
        match self.format {
            Format::Text => print::result(&as_text(&report, &plans, language)),
            Format::Json => print::result(&as_json(&round, &report, &plans, language)),
            Format::Csv => {}
        }
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
        narrow(&mut config, &self.sources)?;
        Ok(config)
    }
}

/// Narrows a configuration to the sources that were named; none named means all.
pub(super) fn narrow(config: &mut Config, sources: &[String]) -> anyhow::Result<()> {
    for name in sources {
        let names = || config.source.iter().map(|source| source.name.as_str());
        if !names().any(|known| known == name) {
            let near = crate::mapping::problem::nearest(name, names()).unwrap_or_default();
            anyhow::bail!("there is no source `{name}`, nor a folder of that name with a {FILE_NAME} {near}");
        }
    }
    if !sources.is_empty() {
        // The register of posyandu is always needed; it is told from the others by having no puskesmas.
        config.source.retain(|source| source.puskesmas.is_empty() || sources.contains(&source.name));
    }
    Ok(())
}

/// The gateway on a ledger for once. Without keys of its own it borrows new ones: only identifiers then differ.
pub(super) async fn dry(config: Config, clock: Clock, temporary: &Path) -> anyhow::Result<Daemon> {
    let rules = installation::rules(&config)?;
    let file = config.key_file();
    let keys = Arc::new(if file.is_file() { Keys::load(&file)? } else { Keys::generate()? });
    let zone = super::report::zone(&config);
    let folder = scratch::folder(temporary)?;
    let ledger = Ledger::scratch(&folder, zone, Arc::clone(&keys), clock.clone()).await?;
    let halt = Arc::new(AtomicBool::new(false));
    Ok(Daemon { config, rules, clock, keys, ledger: Arc::new(ledger), halt, observed: Observed::default() })
}

/// Counts and writes what would be sent; the ledger of a dry run need not keep it.
fn look(visit: &VisitRecords, entry: &mut NewEntry, plans: &mut Plans, files: Option<&mut Files>) -> io::Result<()> {
    let person = std::mem::replace(&mut entry.person, Personal::new(String::new()));
    let bundle = std::mem::replace(&mut entry.bundle, Personal::new(String::new()));
    entry.resources.clear();
    if entry.refused || entry.is_waived() {
        return Ok(());
    }
    plans.add(&visit.visit.puskesmas, &person)?;
    files.map_or(Ok(()), |files| files.bundle(&bundle))
}

async fn gather(
    daemon: &Daemon,
    register: &Register,
    each: &mut (dyn FnMut(&[WorkItem]) -> io::Result<()> + Send),
) -> Result<DayReport, ReportError> {
    let request = Request {
        span: Span::All,
        zone: super::report::zone(&daemon.config),
        made_at: daemon.clock.now(),
        mapping_version: Some(daemon.rules.mappings.version.clone()),
        names: &|code| register.by_code(code).map(|posyandu| posyandu.name.clone()),
        place: Reach::default(),
        listed_max: Some(LISTED_MAX),
    };
    DayReport::gather_and_show(&daemon.ledger, request, each).await
}

fn as_text(report: &DayReport, plans: &[Plan], language: Language) -> String {
    let mut out = text::render(report, language);
    out.push('\n');
    for plan in plans {
        let values = [
            ("puskesmas", plan.puskesmas.clone()),
            ("kunjungan", plan.visits.to_string()),
            ("panggilan", plan.calls.to_string()),
            ("menit", plan.minutes().to_string()),
            ("batas", plan.per_minute.to_string()),
        ];
        out.push_str(&words::text(language, "check.plan", &values));
        out.push('\n');
    }
    out.push_str(&words::plain(language, "check.nothing_changed"));
    out
}

fn as_json(round: &Round, report: &DayReport, plans: &[Plan], language: Language) -> String {
    let mut whole = report_json::value(report, language);
    let plans: Vec<Value> = plans
        .iter()
        .map(|plan| {
            json!({
                "puskesmas": plan.puskesmas, "visits": plan.visits, "calls_at_most": plan.calls,
                "requests_per_minute": plan.per_minute, "minutes": plan.minutes(),
            })
        })
        .collect();
    whole["would_send"] = Value::Array(plans);
    whole["sources"] = Value::Array(run::sources_json(round));
    whole["folders"] = Value::Array(source::files::folders_json(round));
    whole.to_string()
}
