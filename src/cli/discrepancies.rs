//! `discrepancies`: where source, ledger and server do not agree, who must act, and a person's waiver.
//!
//! It must not close anything: only a later comparison does.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde_json::json;

use super::decision::{self, Decision};
use super::exit::Exit;
use super::{Context, Format, installation, print, report};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::decision::DecisionKind;
use crate::ledger::discrepancy::Standing;
use crate::ledger::reading::Filter;
use crate::report::{Span, discrepancy};
use crate::words::{self, Language};

/// Where source, ledger and SATUSEHAT do not agree, and who must act
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway discrepancies
  posyandu-gateway discrepancies --month 2026-11 --format csv > selisih.csv
  posyandu-gateway discrepancies waive 4 5 --reason 'recorded by the hospital, agreed by phone'

A discrepancy is closed by a later comparison only; see `reconcile --full`.")]
pub struct Discrepancies {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only this service date
    #[arg(long, value_name = "DATE", conflicts_with = "month")]
    date: Option<Date>,
    /// Only this month, e.g. 2026-11
    #[arg(long, value_name = "MONTH", value_parser = report::month)]
    month: Option<Date>,
    /// Waived and closed ones too
    #[arg(long)]
    all: bool,
    /// How to write the result
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Accept them as they are
    Waive(Waive),
}

#[derive(Debug, Args)]
struct Waive {
    /// Numbers of the discrepancies
    #[arg(value_name = "NUMBER", required = true)]
    numbers: Vec<i64>,
    #[command(flatten)]
    decision: Decision,
}

impl Discrepancies {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger; for a waiver, that another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        match &self.command {
            None => self.list(&config, language).await,
            Some(Command::Waive(waive)) => waive.run(&config, self.format, language).await,
        }
    }

    async fn list(&self, config: &Config, language: Language) -> anyhow::Result<Exit> {
        let (_, ledger) = installation::ledger_to_read(config, Clock::System).await?;
        let filter = match (self.month, self.date) {
            (Some(month), _) => Span::Month(month).filter(),
            (None, Some(date)) => Filter::on(date),
            (None, None) => Filter::default(),
        };
        let list = ledger.discrepancies(&filter, self.all).await;
        ledger.close().await?;
        let (list, now) = (list?, Clock::System.now());
        print::result(&match self.format {
            Format::Json => {
                let list: Vec<_> = list.iter().map(|one| discrepancy::as_json(one, now, language)).collect();
                json!({ "discrepancies": list }).to_string()
            }
            Format::Csv => discrepancy::as_csv(&list, now, language),
            Format::Text => discrepancy::as_text(&list, now, language),
        });
        let open = list.iter().any(|one| one.standing == Standing::Open);
        Ok(if open { Exit::NeedsAttention } else { Exit::Fine })
    }
}

impl Waive {
    async fn run(&self, config: &Config, format: Format, language: Language) -> anyhow::Result<Exit> {
        let (reason, command) = self.decision.checked()?;
        let ledger = installation::open(config, installation::keys(config)?, Clock::System).await?;
        let waived = async {
            let known = ledger.discrepancies(&Filter::default(), true).await?;
            for number in &self.numbers {
                anyhow::ensure!(
                    known.iter().any(|one| one.number == *number && one.standing != Standing::Closed),
                    "there is no open discrepancy {number}: `discrepancies` lists them"
                );
            }
            let abouts: Vec<String> = self.numbers.iter().map(i64::to_string).collect();
            decision::audit(&ledger, DecisionKind::WaiveDiscrepancy, &abouts, (&command, &reason)).await?;
            Ok(ledger.waive_discrepancies(&self.numbers, &command, &reason).await?)
        };
        let waived = waived.await;
        ledger.close().await?;
        let number = waived?;
        print::result(&match format {
            Format::Json => json!({"waived": number, "command_id": command}).to_string(),
            _ => words::text(language, "discrepancy.waived_now", &[("jumlah", number.to_string())]),
        });
        Ok(Exit::Fine)
    }
}
