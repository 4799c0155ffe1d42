//! `report`: the reconciliation report of a day or a month, as text, JSON or CSV.

mod figures;
mod seal;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use jiff::civil::Date;

use super::exit::Exit;
use super::{Context, installation, print, run};
use crate::clock::{Clock, Zone};
use crate::config::Config;
use crate::config::assets::Rules;
use crate::daemon::{Daemon, set_up};
use crate::ingest::Ingest;
use crate::ingest::register::Register;
use crate::ledger::Ledger;
use crate::ledger::account::Reach;
use crate::report::{DayReport, Request, Span, csv, json, text};
use crate::seal::Keys;
use crate::words::Language;

/// The reports of a day or month: how the sending stands, and the figures of posyandu, puskesmas and city
#[derive(Debug, Args)]
#[command(
    after_help = "\
Examples:
  posyandu-gateway report                            today, in the zone of the first puskesmas
  posyandu-gateway report --date 2026-11-18
  posyandu-gateway report --month 2026-11 --format json
  posyandu-gateway report --date 2026-11-18 --format csv > perbaikan.csv
  posyandu-gateway report --month 2026-11 --format xlsx --output laporan.xlsx
  posyandu-gateway report --month 2026-11 --level posyandu --puskesmas 'Puskesmas Utara' --format html --output utara.html
  posyandu-gateway report seal list                  the daily statements, and whether they are as they were made

Without --level, the forms text, json and csv are the reconciliation report and its work list; with it, and as html or
xlsx, the report holds figures: same day, reasons, coverage, SKDN, immunization, quality of the data.",
    args_conflicts_with_subcommands = true
)]
pub struct Report {
    #[command(subcommand)]
    what: Option<What>,
    /// Service date
    #[arg(long, value_name = "DATE", conflicts_with = "month")]
    pub date: Option<Date>,
    /// Month, e.g. 2026-11
    #[arg(long, value_name = "MONTH", value_parser = month)]
    pub month: Option<Date>,
    /// How to write it
    #[arg(long, value_enum, default_value_t)]
    pub format: Form,
    /// Figures, with a line for each of these
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub level: Option<figures::By>,
    /// Figures of one puskesmas only
    #[arg(long, value_name = "NAME")]
    pub puskesmas: Option<String>,
    /// Figures of one posyandu only
    #[arg(long, value_name = "CODE")]
    pub posyandu: Option<String>,
    /// What somebody counted or planned: a CSV with kode_posyandu and any of s, k (of SKDN), hari_buka (planned days)
    /// and a life-cycle group (persons in the area)
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// Write into this file instead of standard output; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Form {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
    /// The work list; with `--level`, all figures.
    Csv,
    /// One page for a browser or a printer.
    Html,
    /// A workbook.
    Xlsx,
}

impl Report {
    /// Whether figures are asked for.
    fn is_about_figures(&self) -> bool {
        matches!(self.format, Form::Html | Form::Xlsx)
            || self.level.is_some()
            || self.puskesmas.is_some()
            || self.posyandu.is_some()
            || self.targets.is_some()
    }
}

#[derive(Debug, Subcommand)]
enum What {
    Seal(seal::Seal),
}

/// The first day of a month as it is written on the command line.
///
/// # Errors
/// How it is to be written.
pub fn month(text: &str) -> Result<Date, String> {
    format!("{text}-01").parse().map_err(|_| "write the month as YYYY-MM".to_owned())
}

impl Report {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        if let Some(What::Seal(seal)) = &self.what {
            return seal.run(context).await;
        }
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let rules = installation::rules_for_work(&config)?;
        let clock = Clock::System;
        let (keys, ledger) = installation::ledger_to_read(&config, clock.clone()).await?;
        let register = register(&config, &rules, &keys, &clock).await?;
        let today = zone(&config).date_at(clock.now());
        let span = match (self.month, self.date) {
            (Some(month), _) => Span::Month(month),
            (None, date) => Span::Day(date.unwrap_or(today)),
        };
        if self.is_about_figures() {
            let written = figures::write(self, (&ledger, &register, &config), span, &clock, language).await?;
            ledger.close().await?;
            put(self.output.as_deref(), &written, self.format == Form::Xlsx)?;
            return Ok(Exit::Fine);
        }
        let report = gather(&ledger, span, &register, zone(&config), &clock, Some(rules.mappings.version)).await?;
        ledger.close().await?;
        let written = match self.format {
            Form::Json => json::render(&report, language),
            Form::Csv => csv::work_list(&report, language),
            _ => text::render(&report, language),
        };
        put(self.output.as_deref(), written.as_bytes(), false)?;
        Ok(if run::needs_attention(&report.counts) > 0 { Exit::NeedsAttention } else { Exit::Fine })
    }
}

/// Puts a report where it is wanted; what is no text does not go to a terminal.
fn put(output: Option<&Path>, bytes: &[u8], is_binary: bool) -> anyhow::Result<()> {
    match output {
        Some(path) => std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display())),
        None => {
            anyhow::ensure!(!is_binary || !print::is_terminal(), "this form needs --output FILE, or a pipe");
            print::bytes(bytes);
            Ok(())
        }
    }
}

/// The zone in which reports are dated.
#[must_use]
pub fn zone(config: &Config) -> Zone {
    config.puskesmas.first().map_or(Zone::Wib, |puskesmas| puskesmas.timezone)
}

/// The register of posyandu as its source holds it now, for their names. Nothing is written.
///
/// # Errors
/// A profile that does not exist.
pub async fn register(
    config: &Config,
    rules: &Rules,
    keys: &std::sync::Arc<Keys>,
    clock: &Clock,
) -> anyhow::Result<Register> {
    let scratch = Ledger::in_memory(zone(config), std::sync::Arc::clone(keys), clock.clone()).await?;
    let ingest = Ingest { ledger: &scratch, keys, schemas: &rules.schemas, clock };
    let (register, _) = ingest.register(&set_up::sources(config)?).await?;
    scratch.close().await?;
    Ok(register)
}

/// Gathers a report.
///
/// # Errors
/// Failures of the ledger.
pub async fn gather(
    ledger: &Ledger,
    span: Span,
    register: &Register,
    zone: Zone,
    clock: &Clock,
    mapping_version: Option<String>,
) -> anyhow::Result<DayReport> {
    let names = |code: &str| register.by_code(code).map(|posyandu| posyandu.name.clone());
    let request = Request {
        span,
        zone,
        made_at: clock.now(),
        mapping_version,
        names: &names,
        place: Reach::default(),
        listed_max: None,
    };
    Ok(DayReport::gather(ledger, request).await?)
}

/// Writes the report of a day into a folder in every form and gives its text.
///
/// # Errors
/// Failures of the ledger, or a file that cannot be written.
pub async fn day(
    daemon: &Daemon,
    span: Span,
    language: Language,
    folder: &Path,
) -> anyhow::Result<(DayReport, String)> {
    let register = register(&daemon.config, &daemon.rules, &daemon.keys, &daemon.clock).await?;
    let version = Some(daemon.rules.mappings.version.clone());
    let report = gather(&daemon.ledger, span, &register, zone(&daemon.config), &daemon.clock, version).await?;
    let written = text::render(&report, language);
    let files = [
        ("laporan.txt", written.clone()),
        ("laporan.json", json::render(&report, language)),
        ("perbaikan.csv", csv::work_list(&report, language)),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok((report, written))
}
