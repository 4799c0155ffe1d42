//! `init`: a commented configuration, keys and an empty ledger.
//!
//! It never overwrites: what exists stays, and is named.

use anyhow::Context as _;
use clap::Args;

use super::exit::Exit;
use super::{Context, installation, print};
use crate::clock::Clock;
use crate::config::{Config, DEFAULT_TEXT};
use crate::daemon::ledger_options;
use crate::ledger::Ledger;
use crate::seal::Keys;

/// Write a commented configuration, keys and an empty ledger
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  posyandu-gateway init --config posyandu-gateway.toml")]
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
            std::fs::write(file, DEFAULT_TEXT)
                .map_err(|error| anyhow::anyhow!("cannot write {}: {error}", file.display()))?;
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
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Keys::create(&key_file)?;
        print::note(&format!(
            "written: {} (copy it to a safe place: without it the ledger cannot be read)",
            key_file.display()
        ));
    }
    let keys = installation::keys(config)?;
    let options = ledger_options(config)?;
    let existed = options.path.exists();
    Ledger::open(&options, keys, Clock::System).await?.close().await?;
    print::note(&format!("{}: {}", if existed { "kept" } else { "written" }, options.path.display()));
    Ok(())
}
