//! `retry` and `waive`: a person's decision about visits. The pages take the same decisions.
//!
//! It must not send: the next round of `run` does.

use clap::Args;
use serde_json::json;

use super::decision::{self, Decision};
use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::ledger::decision::DecisionKind;
use crate::ledger::entry::EntryId;
use crate::ledger::state::Event;
use crate::words;

/// Try visits again that were refused, spent their attempts or were left out
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway retry 17 18 --reason 'the health worker is registered now'
  posyandu-gateway retry 17 --reason 'left out by mistake'      also undoes `waive`

The numbers are the visits', as `issues` and reports show them. On a ledger in a file stop `run` first; while it runs, the
pages do the same.")]
pub struct Retry {
    #[command(flatten)]
    decide: Decide,
}

/// Leave visits out, with a reason
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway waive 17 --reason 'lives in another city'

`retry` undoes it. On a ledger in a file stop `run` first; while it runs, the pages do the same.")]
pub struct Waive {
    #[command(flatten)]
    decide: Decide,
}

#[derive(Debug, Args)]
struct Decide {
    /// Numbers of the visits
    #[arg(value_name = "NUMBER", required = true)]
    numbers: Vec<i64>,
    #[command(flatten)]
    decision: Decision,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Retry {
    /// Runs the command.
    ///
    /// # Errors
    /// A visit that cannot be tried again, or another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        self.decide.run(context, true).await
    }
}

impl Waive {
    /// Runs the command.
    ///
    /// # Errors
    /// A visit that cannot be left out, or another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        self.decide.run(context, false).await
    }
}

impl Decide {
    async fn run(&self, context: &Context, again: bool) -> anyhow::Result<Exit> {
        let (reason, command) = self.decision.checked()?;
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let ledger = installation::open(&config, installation::keys(&config)?, Clock::System).await?;
        let decided = self.each(&ledger, again, &reason, &command).await;
        ledger.close().await?;
        decided?;
        print::result(&match self.format {
            Format::Json => json!({"again": again, "command_id": command, "visits": self.numbers}).to_string(),
            _ => {
                let key = if again { "visit.retried" } else { "visit.waived" };
                words::text(language, key, &[("jumlah", self.numbers.len().to_string())])
            }
        });
        Ok(Exit::Fine)
    }

    /// One after the other: what was decided before a visit that cannot be stays decided, and the same command again
    /// finds it so.
    async fn each(&self, ledger: &Ledger, again: bool, reason: &str, command: &str) -> anyhow::Result<()> {
        let kind = if again { DecisionKind::Retry } else { DecisionKind::Waive };
        for number in &self.numbers {
            let id = if self.numbers.len() == 1 { command.to_owned() } else { format!("{command}/{number}") };
            decision::audit(ledger, kind, &[number.to_string()], (&id, reason)).await?;
            let event = if again { Event::RetryCommanded { due: Clock::System.now() } } else { Event::WaivedBy };
            ledger.decide_once(EntryId::from_number(*number), event, &id, reason).await?;
        }
        Ok(())
    }
}
