//! `forget`: what is remembered about the person of a visit, for whoever had it mended at SATUSEHAT.
//!
//! It sends nothing: the next run looks the person up anew.

use clap::Args;

use super::exit::Exit;
use super::{Context, installation, print};
use crate::clock::Clock;
use crate::ledger::entry::EntryId;
use crate::words;

/// Forget who the person of a visit was found to be
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway forget 17     after a person's record was merged or mended at SATUSEHAT

The number is the visit's, as reports show it. What SATUSEHAT refused about the person may be sent again, and a visit
that waits is looked at by the next run instead of at its time. Stop `run` first: both need the ledger for themselves.")]
pub struct Forget {
    /// Number of the visit's entry
    #[arg(value_name = "NUMBER")]
    pub entry: i64,
}

impl Forget {
    /// Runs the command.
    ///
    /// # Errors
    /// There is no such visit, or another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let daemon = installation::daemon(config, Clock::System).await?;
        daemon.forget(EntryId::from_number(self.entry)).await?;
        print::result(&words::text(language, "forget.done", &[("nomor", self.entry.to_string())]));
        Ok(Exit::Fine)
    }
}
