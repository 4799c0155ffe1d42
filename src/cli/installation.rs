//! An installation as a command finds it: configuration, keys, ledger, rules.
//!
//! It must not create anything; `init` does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;

use super::{Context, print};
use crate::clock::Clock;
use crate::config::assets::{self, AssetsError, Rules};
use crate::config::{Config, FILE_NAME};
use crate::daemon::{Daemon, ledger_options};
use crate::ledger::Ledger;
use crate::seal::Keys;
use crate::words::Language;

/// Reads the configuration of a command line.
///
/// # Errors
/// One clear sentence about what is wrong and where.
pub fn config(context: &Context) -> anyhow::Result<Config> {
    config_at(&context.config, context)
}

/// Reads the configuration at a path.
///
/// # Errors
/// As [`config`].
pub fn config_at(file: &Path, context: &Context) -> anyhow::Result<Config> {
    let mut config = Config::load(file, std::env::vars()).with_context(|| {
        if file.exists() { "the configuration cannot be used" } else { "run `posyandu-gateway init` first" }
    })?;
    if let Some(folder) = &context.data_dir {
        config.data_dir = std::path::absolute(folder)?;
    }
    Ok(config)
}

/// The language of a command: the command line's, else the configured one.
#[must_use]
pub fn language(config: &Config, context: &Context) -> Language {
    context.language.unwrap_or_else(|| config.language.language())
}

/// The rules of a configuration, proved. Mistakes in mapping files are printed one a line.
///
/// # Errors
/// Any mistake.
pub fn rules(config: &Config) -> anyhow::Result<Rules> {
    told(assets::rules(mapping_folder(config).as_deref()))
}

/// The rules of a configuration for work that cannot wait for a proof of what was proved when it was built.
///
/// # Errors
/// Any mistake.
pub fn rules_for_work(config: &Config) -> anyhow::Result<Rules> {
    told(assets::rules_for_work(mapping_folder(config).as_deref()))
}

/// The folder with own mapping files; `None` means the built-in ones.
#[must_use]
pub fn mapping_folder(config: &Config) -> Option<PathBuf> {
    let folder = &config.mapping.directory;
    (!folder.as_os_str().is_empty()).then(|| config.path(folder))
}

fn told(rules: Result<Rules, AssetsError>) -> anyhow::Result<Rules> {
    rules.map_err(|error| {
        if let AssetsError::Mapping(problems) = &error {
            problems.iter().for_each(|problem| print::note(&problem.to_string()));
        }
        anyhow::Error::new(error)
    })
}

/// The keys of a configuration.
///
/// # Errors
/// A missing or unreadable key file.
pub fn keys(config: &Config) -> anyhow::Result<Arc<Keys>> {
    let file = config.key_file();
    let keys = Keys::load(&file)
        .with_context(|| format!("the keys cannot be used; `posyandu-gateway init` makes {}", file.display()))?;
    Ok(Arc::new(keys))
}

/// Everything for work that writes.
///
/// # Errors
/// What is missing, or that another instance holds the ledger.
pub async fn daemon(config: Config, clock: Clock) -> anyhow::Result<Daemon> {
    let rules = rules_for_work(&config)?;
    let keys = keys(&config)?;
    let ledger = Ledger::open(&ledger_options(&config)?, Arc::clone(&keys), clock.clone()).await?;
    Ok(Daemon { config, rules, clock, keys, ledger: Arc::new(ledger), halt: Arc::new(AtomicBool::new(false)) })
}

/// The ledger for looking at it, also while another process writes.
///
/// # Errors
/// No keys or no ledger.
pub async fn ledger_to_read(config: &Config, clock: Clock) -> anyhow::Result<(Arc<Keys>, Ledger)> {
    let keys = keys(config)?;
    let ledger = Ledger::open_read_only(&ledger_options(config)?, Arc::clone(&keys), clock).await?;
    Ok((keys, ledger))
}

/// The configuration file that stands in a folder.
#[must_use]
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}
