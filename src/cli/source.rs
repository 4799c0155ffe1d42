//! `source`: single files and databases of the field outside any installation, and the files of drop folders with a
//! person's decisions about them.

pub mod check;
pub mod files;
pub mod location;
pub mod new;

use clap::{Args, Subcommand};

use super::exit::Exit;
use super::{Context, print};
use crate::config::editor;
use crate::record::schema::Schemas;

/// Files and databases: propose or try a profile, list the files of drop folders
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway source new 'Data Balita.xlsx' --output balita.yaml    propose a profile for an unknown file
  posyandu-gateway source check balita.yaml 'Data Balita.xlsx'           its first rows, raw and as read
  posyandu-gateway source files                                          what became of the files of drop folders")]
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
    /// The files of drop folders with what became of them
    Files(files::Files),
    /// The JSON Schema of source profiles, for editors
    Schema,
    /// Let a file through that waits because it lost many rows
    Accept(files::Accept),
}

impl Source {
    /// Runs the command.
    ///
    /// # Errors
    /// Mistakes in the configuration, on the command line or in the profile.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        match &self.command {
            What::New(new) => Box::pin(new.run(context)).await,
            What::Check(check) => Box::pin(check.run(context)).await,
            What::Files(files) => files.run(context).await,
            What::Schema => {
                let schemas = Schemas::built_in()?;
                print::result(&format!("{:#}", editor::source_profile(&schemas)));
                Ok(Exit::Fine)
            }
            What::Accept(accept) => accept.run(context).await,
        }
    }
}
