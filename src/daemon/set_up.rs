//! From the configuration to the parts of a round: sources with their profiles, the ledger's options, lanes.
//!
//! Only settles settings; it reads no source and sends nothing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::DaemonError;
use crate::clock::{Clock, Zone};
use crate::config::Config;
use crate::config::assets::{self, Rules};
use crate::config::ledger::LedgerHome;
use crate::config::sections::{Environment, Puskesmas};
use crate::http::auth::Senders;
use crate::ingest::Source;
use crate::ingest::folder::{DropFolder, reading};
use crate::ingest::intake::Sender;
use crate::ledger::LedgerError;
use crate::remote::lane::Lane;
use crate::remote::{self, Remote};
use crate::source::database::address::engine_of;
use crate::source::profile::{Kind, Profile};
use crate::source::{Location, Server};

/// The sources of a configuration with their profiles.
///
/// # Errors
/// A profile that does not exist or cannot be read.
pub fn sources(config: &Config) -> Result<Vec<Source>, DaemonError> {
    if config.source.is_empty() {
        let text = "no [[source]] is configured: describe your files in the configuration first".to_owned();
        return Err(DaemonError::Setting(text));
    }
    config.source.iter().map(|one| source(config, one)).collect()
}

fn source(config: &Config, one: &crate::config::sections::Source) -> Result<Source, DaemonError> {
    let Some((file, text)) = assets::source_profile(&one.profile, &config.base)? else {
        let names = assets::source_profile_names();
        let near = crate::mapping::problem::nearest(&one.profile, names.iter().map(String::as_str));
        let near = near.unwrap_or_else(|| format!("there are: {}", names.join(", ")));
        let text = format!("source `{}`: there is no profile `{}` ({near})", one.name, one.profile);
        return Err(DaemonError::Setting(text));
    };
    let profile = Profile::parse(&file, &text)
        .map_err(|source| DaemonError::Profile { source_name: one.name.clone(), source })?;
    let puskesmas = config.puskesmas.iter().find(|puskesmas| puskesmas.name == one.puskesmas);
    let zone = puskesmas.map_or(Zone::Wib, |puskesmas| puskesmas.timezone);
    Ok(Source {
        location: location(config, one, zone, profile.kind)?,
        folder: drop_folder(config, one, &profile, &text)?,
        profile: Arc::new(profile),
        puskesmas: one.puskesmas.clone(),
        zone,
    })
}

/// The guesses that a configuration accepts; an unknown name is a mistake.
///
/// # Errors
/// A name that no mapping knows.
pub fn switches(config: &Config, rules: &Rules) -> Result<BTreeSet<String>, DaemonError> {
    let known = rules.mappings.switches();
    for name in &config.mapping.accept_guesses {
        if !known.contains(name.as_str()) {
            let near = crate::mapping::problem::nearest(name, known.iter().copied()).unwrap_or_default();
            let text = format!("[mapping] accept_guesses: no mapping has a switch `{name}` {near}");
            return Err(DaemonError::Setting(text.trim_end().to_owned()));
        }
    }
    Ok(config.mapping.accept_guesses.iter().cloned().collect())
}

/// The options of a ledger that is a file.
///
/// # Errors
/// An address that is not supported, or that names a server.
pub fn ledger_options(config: &Config) -> Result<crate::ledger::Options, DaemonError> {
    match config.ledger_home()? {
        LedgerHome::File(options) => Ok(options),
        LedgerHome::Server(_) => Err(LedgerError::OnServer.into()),
    }
}

/// The lane of a puskesmas: its client under its own credentials.
///
/// # Errors
/// A secret that cannot be read, an address that is none.
pub fn lane(config: &Config, puskesmas: &Puskesmas, clock: &Clock) -> Result<Lane, DaemonError> {
    let secret = config.client_secret(puskesmas)?;
    let (auth_url, fhir_url) = config.addresses();
    let extra_ca = &config.satusehat.extra_ca_file;
    let options = remote::Options {
        auth_url,
        fhir_url,
        client_id: puskesmas.client_id.clone(),
        client_secret: secret,
        organization_id: puskesmas.organization_id.clone(),
        requests_per_minute: puskesmas.requests_per_minute,
        concurrency: config.delivery.concurrency,
        connect_timeout: Duration::from_secs(config.delivery.connect_timeout_seconds),
        request_timeout: Duration::from_secs(config.delivery.request_timeout_seconds),
        extra_ca: (!extra_ca.as_os_str().is_empty()).then(|| config.path(extra_ca)),
        plain_http_allowed: config.satusehat.environment == Environment::Custom,
    };
    let remote = Remote::new(options, clock.clone())
        .map_err(|source| DaemonError::Remote { puskesmas: puskesmas.name.clone(), source })?;
    remote.share_read_back(config.reconciliation.share_percent);
    let (config_again, puskesmas_again) = (config.clone(), puskesmas.clone());
    remote.watch_secret(move || config_again.client_secret(&puskesmas_again).ok());
    Ok(Lane::new(&puskesmas.name, remote, &puskesmas.client_id, config.delivery.concurrency))
}

/// The apps that may send records, with their tokens.
///
/// # Errors
/// A token that cannot be read or used.
pub fn senders(config: &Config) -> Result<Senders, DaemonError> {
    let one = |sender: &crate::config::sections::Sender| {
        let puskesmas = config.puskesmas.iter().find(|puskesmas| puskesmas.name == sender.puskesmas);
        let zone = puskesmas.map_or(Zone::Wib, |puskesmas| puskesmas.timezone);
        let who = Sender { name: sender.name.clone(), puskesmas: sender.puskesmas.clone(), zone };
        Ok((who, config.sender_token(sender)?))
    };
    let all = config.sender.iter().map(one).collect::<Result<Vec<_>, DaemonError>>()?;
    Senders::new(all).map_err(|error| DaemonError::Setting(error.to_string()))
}

/// Where a source lies: a file, or a server with its password from a file of its own.
fn location(
    config: &Config,
    one: &crate::config::sections::Source,
    zone: Zone,
    kind: Kind,
) -> Result<Location, DaemonError> {
    let server = match one.url.as_str() {
        "" => None,
        url => {
            let setting = |text: String| DaemonError::Setting(format!("source `{}`: {text}", one.name));
            engine_of(url).map_err(|error| setting(error.to_string()))?;
            if kind == Kind::File {
                return Err(setting(format!(
                    "its profile `{}` reads files: give a `path` instead of `url`",
                    one.profile
                )));
            }
            let password = config.source_password(one)?;
            Some(Server { url: url.to_owned(), password, offset: zone.offset_text().to_owned() })
        }
    };
    let path = match (&server, one.folder.as_os_str().is_empty()) {
        (Some(_), _) => PathBuf::new(),
        (None, true) => config.path(&one.path),
        (None, false) => config.path(&one.folder),
    };
    Ok(Location { server, ..Location::file_at(&one.name, path, config.program.clone()) })
}

/// How the files of a folder are taken; `None` for other sources.
fn drop_folder(
    config: &Config,
    one: &crate::config::sections::Source,
    profile: &Profile,
    text: &str,
) -> Result<Option<DropFolder>, DaemonError> {
    if one.folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let needs = match (profile.kind, profile.posyandu) {
        (Kind::Database, _) => "a database, which is no file to drop: give a `path` or a `url`",
        (Kind::File, true) => "the register of posyandu, which is one file: give a `path`",
        (Kind::File, false) => {
            let zone = config.puskesmas.iter().find(|puskesmas| puskesmas.name == one.puskesmas);
            let zone = zone.map_or(Zone::Wib, |puskesmas| puskesmas.timezone);
            let spool = (!config.reads_in_place).then(|| config.data_folder().join("spool"));
            return Ok(Some(DropFolder { spool, reading: reading([text, &one.puskesmas, zone.name()]) }));
        }
    };
    Err(DaemonError::Setting(format!(
        "source `{}`: its profile `{}` reads {needs} instead of `folder`",
        one.name, one.profile
    )))
}
