//! An installation as a command finds it: configuration, keys, ledger, rules.
//!
//! It must not create anything; `init` does.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{Context, print};
use crate::clock::Clock;
use crate::config::assets::{self, AssetsError, Rules};
use crate::config::ledger::LedgerHome;
use crate::config::{Config, FILE_NAME};
use crate::daemon::Daemon;
use crate::ledger::{Ledger, LedgerError};
use crate::mapping::problem::Problem;
use crate::observed::Observed;
use crate::remote::exchange;
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
    let mut config = Config::load(file, environment())?;
    if let Some(folder) = &context.data_dir {
        config.data_dir = std::path::absolute(folder)?;
    }
    Ok(config)
}

/// Variables that are not UTF-8 are none of ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
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
    let folder = mapping_folder(config);
    told(assets::rules(folder.as_deref()), folder.as_deref())
}

/// The rules of a configuration for work that cannot wait for a proof of what was proved when it was built.
///
/// # Errors
/// Any mistake.
pub fn rules_for_work(config: &Config) -> anyhow::Result<Rules> {
    let folder = mapping_folder(config);
    told(assets::rules_for_work(folder.as_deref()), folder.as_deref())
}

/// The folder with own mapping files; `None` means the built-in ones.
#[must_use]
pub fn mapping_folder(config: &Config) -> Option<PathBuf> {
    let folder = &config.mapping.directory;
    (!folder.as_os_str().is_empty()).then(|| config.path(folder))
}

/// Prints a mistake in a file with the line it stands on.
pub fn problem_told(problem: &Problem, text: Option<&str>) {
    print::note(&problem.to_string());
    if let Some(excerpt) = text.and_then(|text| problem.excerpt(text)) {
        print::note(&excerpt);
    }
}

fn told(rules: Result<Rules, AssetsError>, folder: Option<&Path>) -> anyhow::Result<Rules> {
    rules.map_err(|error| {
        if let AssetsError::Mapping(problems) = &error {
            let texts = assets::mapping_texts(folder).unwrap_or_default();
            for problem in problems {
                problem_told(problem, texts.get(&problem.file).map(String::as_str));
            }
        }
        anyhow::Error::new(error)
    })
}

/// The keys of a configuration.
///
/// # Errors
/// A missing or unreadable key file.
pub fn keys(config: &Config) -> anyhow::Result<Arc<Keys>> {
    Ok(Arc::new(Keys::load(&config.key_file())?))
}

/// Everything for work that writes.
///
/// # Errors
/// What is missing, or that another instance holds the ledger.
pub async fn daemon(config: Config, clock: Clock) -> anyhow::Result<Daemon> {
    let rules = rules_for_work(&config)?;
    let keys = keys(&config)?;
    let ledger = open(&config, Arc::clone(&keys), clock.clone()).await?;
    // An address that is none is told by the lane that needs it.
    if let Some(host) = exchange::host_of(&config.addresses().1) {
        let bound = ledger.bind_server(&host, &config.satusehat.moved_from).await;
        bound.map_err(|error| named(&config, error))?;
    }
    tell_trust(&config, &ledger).await?;
    Ok(Daemon {
        config,
        rules,
        clock,
        keys,
        ledger: Arc::new(ledger),
        halt: Arc::new(AtomicBool::new(false)),
        observed: Observed::default(),
    })
}

/// Has the audit trail say whose certificates are trusted beside the public ones.
async fn tell_trust(config: &Config, ledger: &Ledger) -> anyhow::Result<()> {
    let file = &config.satusehat.extra_ca_file;
    let digest = if file.as_os_str().is_empty() {
        None
    } else {
        // A file that cannot be read is told by the lane that needs it, which then sends nothing.
        let Ok(pem) = std::fs::read(config.path(file)) else { return Ok(()) };
        Some(HEXLOWER.encode(&Sha256::digest(pem)))
    };
    ledger.tell_trust(digest).await.map_err(|error| named(config, error))
}

/// Opens the ledger for writing; makes it when there is none.
///
/// # Errors
/// Another instance holds it, other keys made it, or the disk fails.
pub async fn open(config: &Config, keys: Arc<Keys>, clock: Clock) -> anyhow::Result<Ledger> {
    let opened = match config.ledger_home()? {
        LedgerHome::File(options) => Ledger::open(&options, keys, clock).await,
        LedgerHome::Server(server) => Ledger::connect(&server, keys, clock).await,
    };
    opened.map_err(|error| named(config, error))
}

/// A failure of the ledger with its file, and with the key file when that is what does not fit.
pub fn named(config: &Config, error: impl Into<anyhow::Error>) -> anyhow::Error {
    let error: anyhow::Error = error.into();
    let Ok(place) = config.ledger_home().map(|home| home.label()) else { return error };
    let ledger = error.chain().find_map(super::exit::ledger_failure);
    match ledger {
        Some(LedgerError::WrongKeys) => {
            let key_file = config.key_file();
            error.context(format!("key file {}, ledger {place}", key_file.display()))
        }
        // These name their place themselves.
        None | Some(LedgerError::Held(_) | LedgerError::Absent(_) | LedgerError::Foreign(_)) => error,
        Some(LedgerError::Folder { .. } | LedgerError::Network(_) | LedgerError::Unreachable { .. }) => error,
        Some(_) => error.context(format!("ledger {place}")),
    }
}

/// The ledger for looking at it, also while another process writes.
///
/// # Errors
/// No keys or no ledger.
pub async fn ledger_to_read(config: &Config, clock: Clock) -> anyhow::Result<(Arc<Keys>, Ledger)> {
    let keys = keys(config)?;
    let opened = match config.ledger_home()? {
        LedgerHome::File(options) => Ledger::open_read_only(&options, Arc::clone(&keys), clock).await,
        LedgerHome::Server(server) => Ledger::connect_read_only(&server, Arc::clone(&keys), clock).await,
    };
    let ledger = opened.map_err(|error| named(config, error))?;
    Ok((keys, ledger))
}

/// The configuration file that stands in a folder.
#[must_use]
pub fn file_in(folder: &Path) -> PathBuf {
    folder.join(FILE_NAME)
}
