//! `init`: a commented configuration, keys and an empty ledger.
//!
//! It never overwrites: what exists stays, and is named.

use clap::Args;

use super::exit::Exit;
use super::{Context, installation, print};
use crate::clock::Clock;
use crate::config::ledger::LedgerHome;
use crate::config::{Config, DEFAULT_TEXT};
use crate::seal::Keys;

/// Write a commented configuration, keys and an empty ledger
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway init                                    in this folder
  posyandu-gateway init --config /etc/posyandu-gateway.toml --data-dir /var/lib/posyandu-gateway

What exists already is kept, so it can be run again at any time.")]
pub struct Init {}

impl Init {
    /// Runs the command.
    ///
    /// # Errors
    /// What could not be written.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let file = &context.config;
        if file.exists() {
            print::note(&format!("kept: {}", file.display()));
        } else {
            std::fs::write(file, DEFAULT_TEXT).map_err(|error| {
                let file = file.display();
                anyhow::anyhow!("cannot write {file}: {error}; choose a folder that can be written with --config")
            })?;
            print::note(&format!("written: {} (every setting explained; fill in your puskesmas)", file.display()));
        }
        let config = installation::config(context)?;
        storage(&config).await?;
        print::note("next: describe your puskesmas and sources in the file, then run `posyandu-gateway check`");
        Ok(Exit::Fine)
    }
}

/// Makes the key file and the ledger of a configuration where they do not exist yet.
///
/// # Errors
/// What could not be written.
pub async fn storage(config: &Config) -> anyhow::Result<()> {
    let key_file = config.key_file();
    if key_file.exists() {
        print::note(&format!("kept: {}", key_file.display()));
    } else {
        if let Some(folder) = key_file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| {
                let folder = folder.display();
                anyhow::anyhow!("cannot make the folder {folder}: {error}; choose another one with --data-dir")
            })?;
        }
        Keys::create(&key_file)?;
        print::note(&format!(
            "written: {} (copy it to a safe place: without it the ledger cannot be read)",
            key_file.display()
        ));
    }
    let keys = installation::keys(config)?;
    let home = config.ledger_home()?;
    // A server is asked while it is opened; what is there is kept.
    let existed = matches!(&home, LedgerHome::File(options) if options.path.exists());
    let ledger = installation::open(config, keys, Clock::System).await?;
    ledger.close().await.map_err(|error| installation::named(config, error))?;
    let done = match &home {
        LedgerHome::Server(_) => "ready",
        LedgerHome::File(_) if existed => "kept",
        LedgerHome::File(_) => "written",
    };
    print::note(&format!("{done}: {}", home.label()));
    Ok(())
}
