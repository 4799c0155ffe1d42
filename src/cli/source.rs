//! `source`: what is known about the sources of an installation, and a person's decisions about them.

pub mod files;

use clap::{Args, Subcommand};

use super::Context;
use super::exit::Exit;

/// Files of drop folders
#[derive(Debug, Args)]
pub struct Source {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The files of drop folders with what became of them
    Files(files::Files),
    /// Let a file through that waits because it lost many rows
    Accept(files::Accept),
}

impl Source {
    /// Runs the command.
    ///
    /// # Errors
    /// As the command.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match &self.what {
            What::Files(files) => files.run(context).await,
            What::Accept(accept) => accept.run(context).await,
        }
    }
}
