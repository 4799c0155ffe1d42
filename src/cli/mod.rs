//! The command line: arguments as written, commands as meant, errors printed once as a chain.
//!
//! The only place that prints. What a command does stands in the modules above; here it is only asked for.

pub mod account;
pub mod advice;
pub mod alarms;
pub mod check;
pub mod decision;
pub mod demo;
pub mod discrepancies;
pub mod doctor;
pub mod exit;
pub mod forget;
pub mod init;
pub mod installation;
pub mod issues;
pub mod lanes;
pub mod ledger;
pub mod log;
pub mod mapping;
pub mod persons;
pub mod print;
pub mod provision;
pub mod read_workbook;
pub mod reconcile;
pub mod removals;
pub mod report;
pub mod retry;
pub mod rules;
pub mod run;

pub mod simulate;
pub mod source;
pub mod status;
pub mod stop;
pub mod systemd;
pub mod troubles;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::words::Language;
use exit::Exit;
use log::{LogFormat, LogLevel};

/// Carries the day's posyandu records to SATUSEHAT, effectively once, and proves it by reconciliation.
#[derive(Debug, Parser)]
#[command(name = "posyandu-gateway", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    /// Configuration file
    #[arg(long, global = true, value_name = "FILE", default_value = "posyandu-gateway.toml")]
    config: PathBuf,
    /// Folder of ledger and keys, instead of the configured one
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Language of issues and reports, instead of the configured one
    #[arg(long, global = true, value_name = "LANG")]
    lang: Option<Lang>,
    /// How log events are written to standard error
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
    /// Which log events are written
    #[arg(long, global = true, value_name = "LEVEL", value_enum, default_value_t)]
    log_level: LogLevel,
    /// Kill this process at named points; for the project's own tests, in builds with debug assertions only
    #[cfg(debug_assertions)]
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    crash_at: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  posyandu-gateway demo                      a city's day, from files to a reconciliation report
  posyandu-gateway init                      write a commented configuration, keys and an empty ledger
  posyandu-gateway check                     read, validate and map everything; change nothing, call nobody
  posyandu-gateway run --once                read what is new, send it, look up what is unknown, end
  posyandu-gateway report --date 2026-11-18  the day's reconciliation report

Exit codes: 0 fine; 1 records need attention; 2 usage or configuration; 3 the other side (server, database,
disk) failed; 4 another instance holds the ledger.";

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Lang {
    Id,
    En,
}

/// How a command writes its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object on standard output.
    Json,
    /// The work list as CSV.
    Csv,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// A sample city's day on this machine: simulator, files, delivery and report
    Demo(demo::Demo),
    /// Write a commented configuration, keys and an empty ledger
    Init(init::Init),
    /// Dry run: read, validate and map; change nothing and call nobody
    Check(check::Check),
    /// Read what is new, send it and look up what is unknown
    Run(run::Run),
    /// Read delivered visits back from the server and compare
    Reconcile(reconcile::Reconcile),
    /// Where source, ledger and SATUSEHAT do not agree, and who must act
    Discrepancies(discrepancies::Discrepancies),
    /// The reconciliation report of a day or month
    Report(report::Report),
    /// How many visits stand where
    Status(status::Status),
    /// What waits for a person
    Issues(issues::Issues),
    /// Try visits again that were refused, spent their attempts or were left out
    Retry(retry::Retry),
    /// Leave visits out, with a reason
    Waive(retry::Waive),
    /// Who may look at the pages
    Account(account::Account),
    /// Which puskesmas' sending is stopped, and letting it go on
    Lanes(lanes::Lanes),
    Alarms(alarms::Alarms),
    /// What SATUSEHAT holds and the records no longer tell of
    Removals(removals::Removals),
    /// Rows that fit more than one person, and whom they are about
    Persons(persons::Persons),
    /// The ledger itself: verify it, copy it, restore it from a copy
    Ledger(ledger::LedgerCommand),
    /// The mapping files: list them, or run their tests
    Mapping(mapping::Mapping),
    /// Files and databases: propose or try a profile, list the files of drop folders
    Source(source::Source),
    /// The Organizations and Locations of posyandu that SATUSEHAT does not know yet
    Provision(provision::Provision),
    /// Forget who the person of a visit was found to be
    Forget(forget::Forget),
    /// A stand-in for SATUSEHAT on this machine
    Simulate(simulate::Simulate),
    /// Check configuration, keys, ledger, sources, clock and reachability
    Doctor(doctor::Doctor),
    /// Read a workbook from standard input, with limits; started by the program itself
    #[command(hide = true)]
    ReadWorkbook(read_workbook::ReadWorkbook),
}

/// What every command needs to know of the command line.
#[derive(Debug, Clone)]
pub struct Context {
    /// Configuration file.
    pub config: PathBuf,
    /// Data folder given on the command line.
    pub data_dir: Option<PathBuf>,
    /// Language given on the command line.
    pub language: Option<Language>,
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::ReadWorkbook(read_workbook) = &arguments.command {
        // Before anything else starts: its limits leave no room for threads.
        log::quiet_panics();
        return read_workbook.run().into();
    }
    log::start(arguments.log_format, arguments.log_level);
    #[cfg(debug_assertions)]
    if let Some(file) = &arguments.crash_at
        && let Err(error) = crate::crash::armed::arm(file)
    {
        print::error(&anyhow::Error::new(error).context("--crash-at"));
        return Exit::Usage.into();
    }
    let context = Context {
        config: arguments.config,
        data_dir: arguments.data_dir,
        language: arguments.lang.map(|lang| match lang {
            Lang::Id => Language::Indonesian,
            Lang::En => Language::English,
        }),
    };
    // A dry run calls nobody: on one thread it needs less memory, and waits less for its own writer.
    let mut builder = match &arguments.command {
        Command::Check(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match builder.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            print::error(&anyhow::Error::new(error).context("cannot start"));
            return Exit::OtherSide.into();
        }
    };
    match runtime.block_on(command(arguments.command, &context)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            print::error(&error);
            exit::of(&error).into()
        }
    }
}

/// A write beyond the file size limit of a process (`ulimit -f`) shall fail like one on a full disk instead of killing
/// it: with a listener installed the signal no longer does.
fn outlive_file_size_limit() {
    let _ = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(FILE_SIZE_SIGNAL));
}

/// SIGXFSZ on Linux and macOS.
const FILE_SIZE_SIGNAL: i32 = 25;

async fn command(command: Command, context: &Context) -> anyhow::Result<Exit> {
    outlive_file_size_limit();
    match command {
        Command::Demo(demo) => Box::pin(demo.run(context)).await,
        Command::Init(init) => init.run(context).await,
        Command::Check(check) => Box::pin(check.run(context)).await,
        Command::Run(run) => Box::pin(run.run(context)).await,
        Command::Discrepancies(discrepancies) => Box::pin(discrepancies.run(context)).await,
        Command::Reconcile(reconcile) => Box::pin(reconcile.run(context)).await,
        Command::Report(report) => Box::pin(report.run(context)).await,
        Command::Status(status) => status.run(context).await,
        Command::Issues(issues) => issues.run(context).await,
        Command::Retry(retry) => retry.run(context).await,
        Command::Waive(waive) => waive.run(context).await,
        Command::Account(account) => account.run(context).await,
        Command::Lanes(lanes) => lanes.run(context).await,
        Command::Alarms(alarms) => alarms.run(context).await,
        Command::Persons(persons) => persons.run(context).await,
        Command::Removals(removals) => removals.run(context).await,
        Command::Ledger(ledger) => Box::pin(ledger.run(context)).await,
        Command::Mapping(mapping) => Box::pin(mapping.run(context)).await,
        Command::Source(source) => Box::pin(source.run(context)).await,
        Command::Forget(forget) => Box::pin(forget.run(context)).await,
        Command::Provision(provision) => Box::pin(provision.run(context)).await,
        Command::Simulate(simulate) => simulate.run().await,
        Command::Doctor(doctor) => Box::pin(doctor.run(context)).await,
        Command::ReadWorkbook(read_workbook) => Ok(read_workbook.run()),
    }
}
