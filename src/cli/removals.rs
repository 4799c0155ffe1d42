//! `removals`: what SATUSEHAT holds and the records no longer tell of, and a person's decision about it.
//!
//! It must not send: the next round of `run` marks what was confirmed as entered in error.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::decision::{self, Decision};
use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::decision::DecisionKind;
use crate::ledger::removal::{Removal, RemovalState};
use crate::words::{self, Language};

/// What SATUSEHAT holds and the records no longer tell of
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway removals
  posyandu-gateway removals confirm 1 2 --reason 'recorded twice'
  posyandu-gateway removals reject 3 --reason 'the row was moved to another file'

SATUSEHAT knows no deletion: what is confirmed is marked there as entered in error by the next round of `run`.")]
pub struct Removals {
    #[command(subcommand)]
    command: Option<Command>,
    /// How to write the result
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Mark them as entered in error
    Confirm(Decide),
    /// Leave them at the server as they are
    Reject(Decide),
}

#[derive(Debug, Args)]
struct Decide {
    /// Numbers of the removals
    #[arg(value_name = "NUMBER", required = true)]
    numbers: Vec<i64>,
    #[command(flatten)]
    decision: Decision,
}

impl Removals {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger; for a decision, that another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        match &self.command {
            None => list(&config, self.format, language).await,
            Some(Command::Confirm(decide)) => decide.run(&config, true, self.format, language).await,
            Some(Command::Reject(decide)) => decide.run(&config, false, self.format, language).await,
        }
    }
}

async fn list(config: &Config, format: Format, language: Language) -> anyhow::Result<Exit> {
    let (_, ledger) = installation::ledger_to_read(config, Clock::System).await?;
    let removals = ledger.removals().await;
    ledger.close().await?;
    let removals = removals?;
    print::result(&match format {
        Format::Json => json!({"removals": removals.iter().map(as_json).collect::<Vec<_>>()}).to_string(),
        _ if removals.is_empty() => words::plain(language, "removals.none"),
        _ => removals.iter().map(|removal| as_line(removal, language)).collect::<Vec<_>>().join("\n"),
    });
    let waits = removals.iter().any(|one| matches!(one.state, RemovalState::Proposed | RemovalState::Refused));
    Ok(if waits { Exit::NeedsAttention } else { Exit::Fine })
}

fn as_json(removal: &Removal) -> Value {
    let decision = removal
        .decision
        .as_ref()
        .map(|(command, at, reason)| json!({"command_id": command, "at": at.to_string(), "reason": reason}));
    json!({
        "number": removal.number, "puskesmas": removal.puskesmas, "posyandu": removal.posyandu,
        "date": removal.service_date.to_string(), "resource": removal.resource_type, "server_id": removal.server_id,
        "whole_visit": removal.whole_visit, "state": removal.state.word(),
        "proposed_at": removal.proposed_at.to_string(), "words": removal.words, "decision": decision,
    })
}

fn as_line(removal: &Removal, language: Language) -> String {
    let what = if removal.whole_visit { "removals.whole_visit" } else { "removals.part" };
    let values = [
        ("nomor", removal.number.to_string()),
        ("puskesmas", removal.puskesmas.clone()),
        ("posyandu", removal.posyandu.clone()),
        ("tanggal", removal.service_date.to_string()),
        ("jenis", removal.resource_type.clone()),
        ("sebab", words::plain(language, what)),
        ("kata", removal.words.clone()),
    ];
    let key = match removal.state {
        RemovalState::Proposed => "removals.proposed",
        RemovalState::Withdrawn => "removals.withdrawn",
        RemovalState::Rejected => "removals.rejected",
        RemovalState::Confirmed => "removals.confirmed",
        RemovalState::Done => "removals.done",
        RemovalState::Refused => "removals.refused",
    };
    words::text(language, key, &values)
}

impl Decide {
    async fn run(&self, config: &Config, confirmed: bool, format: Format, language: Language) -> anyhow::Result<Exit> {
        let (reason, command) = self.decision.checked()?;
        let ledger = installation::open(config, installation::keys(config)?, Clock::System).await?;
        let decided = async {
            let known = ledger.removals().await?;
            for number in &self.numbers {
                anyhow::ensure!(
                    known.iter().any(|removal| removal.number == *number),
                    "there is no removal {number}: `removals` lists them"
                );
            }
            let kind = if confirmed { DecisionKind::ConfirmRemoval } else { DecisionKind::RejectRemoval };
            let abouts: Vec<String> = self.numbers.iter().map(i64::to_string).collect();
            decision::audit(&ledger, kind, &abouts, (&command, &reason)).await?;
            Ok(ledger.decide_removals(&self.numbers, confirmed, &command, &reason).await?)
        };
        let decided = decided.await;
        ledger.close().await?;
        let number = decided?;
        print::result(&match format {
            Format::Json => json!({"confirmed": confirmed, "command_id": command, "removals": number}).to_string(),
            _ => {
                let key = if confirmed { "removals.confirmed_now" } else { "removals.rejected_now" };
                words::text(language, key, &[("jumlah", number.to_string())])
            }
        });
        Ok(Exit::Fine)
    }
}
