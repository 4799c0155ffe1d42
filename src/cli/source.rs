//! `source`: looks at single files and databases of the field, outside any installation.
//!
//! It must not read a configuration or write a ledger: it works on a computer where nothing is installed yet.

pub mod check;
pub mod location;
pub mod new;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;

/// Single files and databases: propose a profile, try a profile
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway source new 'Data Balita.xlsx' --output balita.yaml    propose a profile for an unknown file
  posyandu-gateway source check balita.yaml 'Data Balita.xlsx'           its first rows, raw and as read")]
pub struct Source {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Look at an unknown file or database and propose a profile
    New(new::New),
    /// Show the first rows of a file or database, raw and as a profile reads them
    Check(check::Check),
}

impl Source {
    /// Runs the command.
    ///
    /// # Errors
    /// Mistakes on the command line or in the profile.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match &self.command {
            What::New(new) => Box::pin(new.run(context)).await,
            What::Check(check) => Box::pin(check.run(context)).await,
        }
    }
}
