//! Configuration: defaults, the file over them, the environment over both; checked once.
//!
//! Modules receive their own options from here; none reads the configuration itself. Unknown keys are refused, and
//! secrets come from files only.

pub mod assets;
mod credentials;
pub mod dashboard;
pub mod editor;
pub mod ledger;
pub mod sections;
pub mod senders;
pub mod wording;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::redact::Personal;
use crate::remote::rate_limit::READ_BACK_PERCENT_MAX;
use sections::{
    Alarm, Delivery, Environment, Http, LanguageName, Ledger, Mapping, Puskesmas, Reconciliation, Satusehat, Seal,
    Sender, Source,
};

/// The commented defaults, as `init` writes them.
pub const DEFAULT_TEXT: &str = include_str!("default.toml");
/// Usual name of the configuration file.
pub const FILE_NAME: &str = "posyandu-gateway.toml";
/// Start of environment variables that change a setting.
const ENVIRONMENT_PREFIX: &str = "POSYANDU_GATEWAY__";
/// Most calls a minute that may be configured: above it a typing mistake is likelier than a permission.
const REQUESTS_PER_MINUTE_AT_MOST: u32 = 100_000_000;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Folder of ledger and keys.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// `id` or `en`.
    #[serde(default = "default_language")]
    pub language: LanguageName,
    /// The ledger.
    #[serde(default)]
    pub ledger: Ledger,
    /// Keys.
    #[serde(default)]
    pub seal: Seal,
    /// The platform.
    #[serde(default)]
    pub satusehat: Satusehat,
    /// Sending.
    #[serde(default)]
    pub delivery: Delivery,
    /// Reading back.
    #[serde(default)]
    pub reconciliation: Reconciliation,
    /// Mapping files.
    #[serde(default)]
    pub mapping: Mapping,
    /// Where the gateway listens.
    #[serde(default)]
    pub http: Http,
    /// Alarms.
    #[serde(default)]
    pub alarm: Alarm,
    /// Pages for people.
    #[serde(default)]
    pub dashboard: dashboard::Dashboard,
    /// Puskesmas with their access.
    #[serde(default)]
    pub puskesmas: Vec<Puskesmas>,
    /// Sources.
    #[serde(default)]
    pub source: Vec<Source>,
    /// Apps that send records.
    #[serde(default)]
    pub sender: Vec<Sender>,
    /// Folder that relative paths start from.
    #[serde(skip)]
    pub base: PathBuf,
    /// Folder in which systemd puts credentials; none when it started nothing.
    #[serde(skip)]
    pub credentials: Option<PathBuf>,
    /// This program, which reads workbooks in processes of their own.
    #[serde(skip)]
    pub program: PathBuf,
    /// For a dry run: dropped files are read where they lie, and nothing is kept of them.
    #[serde(skip)]
    pub reads_in_place: bool,
}

fn default_data_dir() -> PathBuf {
    PathBuf::from("posyandu-data")
}

fn default_language() -> LanguageName {
    LanguageName::Id
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {file}")]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not as it must be.
    #[error("{file}:{line}:{column}: {text}")]
    Wrong {
        /// The file.
        file: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        text: String,
    },
    /// An environment variable is not a setting.
    #[error("environment variable {name}: {text}")]
    Environment {
        /// The variable.
        name: String,
        /// What is wrong.
        text: String,
    },
    /// A client secret cannot be read.
    #[error("puskesmas `{puskesmas}`: cannot read the client secret file {path}")]
    Secret {
        /// The puskesmas.
        puskesmas: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file of a client secret holds none.
    #[error("puskesmas `{puskesmas}`: the client secret file {path} is empty")]
    NoSecret {
        /// The puskesmas.
        puskesmas: String,
        /// The file.
        path: PathBuf,
    },
    /// A password of a source cannot be read.
    #[error("source `{source_name}`: cannot read the password file {path}")]
    Password {
        /// The source.
        source_name: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Settings do not fit together.
    #[error("{0}")]
    Unfit(String),
}

impl Config {
    /// Reads the configuration file and the environment variables over it.
    ///
    /// # Errors
    /// One clear sentence with the place of the mistake.
    pub fn load(file: &Path, environment: impl Iterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(file).map_err(|source| ConfigError::Read { file: file.to_owned(), source })?;
        let base = file.parent().map_or_else(PathBuf::new, Path::to_path_buf);
        Self::parse(file, &text, base, environment)
    }

    /// The configuration of a text; `file` is for messages and `base` for relative paths.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(
        file: &Path,
        text: &str,
        base: PathBuf,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| wrong(file, text, &error))?;
        let (credentials, mut changes) = credentials::split(environment);
        changes.retain(|(name, _)| name.starts_with(ENVIRONMENT_PREFIX));
        if !changes.is_empty() {
            let mut table: toml::Table = toml::from_str(text).map_err(|error| wrong(file, text, &error))?;
            for (name, value) in &changes {
                change(&mut table, name, value)?;
                // One after the other, so that the wrong one is named.
                config = table.clone().try_into().map_err(|error: toml::de::Error| ConfigError::Environment {
                    name: name.clone(),
                    text: wording::plain(error.message(), None),
                })?;
            }
        }
        config.base = base;
        config.credentials = credentials;
        config.program = std::env::current_exe().unwrap_or_default();
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let unfit = |text: String| Err(ConfigError::Unfit(text));
        for (index, source) in self.source.iter().enumerate() {
            if self.source[..index].iter().any(|other| other.name == source.name) {
                return unfit(format!("two sources are called `{}`: give each its own name", source.name));
            }
            let given = [&source.path, &source.folder].map(|path| !path.as_os_str().is_empty());
            if given.into_iter().chain([!source.url.is_empty()]).filter(|given| *given).count() != 1 {
                return unfit(format!("source `{}` needs a `path`, a `folder` or a `url`, one of them", source.name));
            }
            if !source.puskesmas.is_empty() && !self.puskesmas.iter().any(|one| one.name == source.puskesmas) {
                let near = crate::mapping::problem::nearest(
                    &source.puskesmas,
                    self.puskesmas.iter().map(|one| one.name.as_str()),
                );
                let near = near.map(|text| format!(" ({text})")).unwrap_or_default();
                return unfit(format!(
                    "source `{}` names puskesmas `{}`, which is not configured{near}",
                    source.name, source.puskesmas
                ));
            }
        }
        for (index, one) in self.puskesmas.iter().enumerate() {
            if self.puskesmas[..index].iter().any(|other| other.name == one.name) {
                return unfit(format!("two puskesmas are called `{}`", one.name));
            }
            if one.requests_per_minute == 0 || one.requests_per_minute > REQUESTS_PER_MINUTE_AT_MOST {
                return unfit(format!("puskesmas `{}`: requests_per_minute must be 1 or more", one.name));
            }
        }
        if self.satusehat.environment == Environment::Custom
            && (self.satusehat.auth_url.is_empty() || self.satusehat.fhir_url.is_empty())
        {
            return unfit("[satusehat] environment = \"custom\" needs auth_url and fhir_url".to_owned());
        }
        if self.delivery.lease_seconds <= 2 * self.delivery.request_timeout_seconds {
            return unfit("[delivery] lease_seconds must be more than twice request_timeout_seconds".to_owned());
        }
        if self.delivery.concurrency == 0 || self.delivery.probe_after_seconds.is_empty() {
            return unfit("[delivery] concurrency and probe_after_seconds must not be empty".to_owned());
        }
        if !(1..=READ_BACK_PERCENT_MAX).contains(&self.reconciliation.share_percent) {
            return unfit(format!("[reconciliation] share_percent must be 1 to {READ_BACK_PERCENT_MAX}"));
        }
        self.dashboard.check()?;
        self.check_senders()
    }

    /// A path of the configuration, made absolute against the file's folder; one that begins with
    /// `$CREDENTIALS_DIRECTORY` lies where systemd puts credentials.
    #[must_use]
    pub fn path(&self, path: &Path) -> PathBuf {
        credentials::named(self.credentials.as_deref(), path).unwrap_or_else(|| self.base.join(path))
    }

    /// The data folder.
    #[must_use]
    pub fn data_folder(&self) -> PathBuf {
        self.path(&self.data_dir)
    }

    /// The key file.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        if self.seal.key_file.as_os_str().is_empty() {
            self.data_folder().join("keys").join("site.key")
        } else {
            self.path(&self.seal.key_file)
        }
    }

    /// The client secret of a puskesmas.
    ///
    /// # Errors
    /// A file that cannot be read or holds nothing.
    pub fn client_secret(&self, one: &Puskesmas) -> Result<Personal<String>, ConfigError> {
        let path = self.path(&one.client_secret_file);
        let puskesmas = one.name.clone();
        match std::fs::read_to_string(&path) {
            Err(source) => Err(ConfigError::Secret { puskesmas, path, source }),
            Ok(text) if text.trim().is_empty() => Err(ConfigError::NoSecret { puskesmas, path }),
            Ok(text) => Ok(Personal::new(text.trim().to_owned())),
        }
    }

    /// The password of a source's database; none when no file is configured.
    ///
    /// # Errors
    /// A file that cannot be read or holds nothing.
    pub fn source_password(&self, one: &Source) -> Result<Option<Personal<String>>, ConfigError> {
        if one.password_file.as_os_str().is_empty() {
            return Ok(None);
        }
        let path = self.path(&one.password_file);
        let source = one.name.clone();
        match std::fs::read_to_string(&path) {
            Err(cause) => Err(ConfigError::Password { source_name: source, path, source: cause }),
            Ok(text) if text.trim().is_empty() => {
                Err(ConfigError::Unfit(format!("source `{source}`: the password file {} is empty", path.display())))
            }
            Ok(text) => Ok(Some(Personal::new(text.trim().to_owned()))),
        }
    }

    /// Addresses of token and FHIR service (satusehat-api.md, section 1).
    #[must_use]
    pub fn addresses(&self) -> (String, String) {
        let of = |host: &str| (format!("https://{host}/oauth2/v1"), format!("https://{host}/fhir-r4/v1"));
        match self.satusehat.environment {
            Environment::Staging => of("api-satusehat-stg.dto.kemkes.go.id"),
            Environment::Production => of("api-satusehat.kemkes.go.id"),
            Environment::Custom => (self.satusehat.auth_url.clone(), self.satusehat.fhir_url.clone()),
        }
    }
}

fn wrong(file: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let before = &text[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |tail| tail.chars().count()) + 1;
    let text = wording::plain(error.message(), wording::key_at(text, start));
    ConfigError::Wrong { file: file.to_owned(), line, column, text }
}

/// Puts one environment variable into the table; the value is TOML if it reads as such, else a text.
fn change(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let path: Vec<String> = name[ENVIRONMENT_PREFIX.len()..].split("__").map(str::to_ascii_lowercase).collect();
    let Some((last, sections)) = path.split_last() else { return Ok(()) };
    let mut at = table;
    for section in sections {
        let entry = at.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
        at = entry.as_table_mut().ok_or_else(|| ConfigError::Environment {
            name: name.to_owned(),
            text: format!("`{section}` is no section with keys of its own; change it in the file"),
        })?;
    }
    let parsed = toml::from_str::<toml::Table>(&format!("x = {value}")).ok().and_then(|mut table| table.remove("x"));
    // Dates are texts in the file.
    let parsed = parsed.filter(|value| !value.is_datetime());
    at.insert(last.clone(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::parse(Path::new("g.toml"), text, PathBuf::new(), environment)
    }

    #[test]
    fn the_commented_file_says_the_same_as_the_defaults() {
        let written = parse(DEFAULT_TEXT, &[]).unwrap();
        assert_eq!(format!("{written:?}"), format!("{:?}", parse("", &[]).unwrap()));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let error = parse("[delivery]\nconcurency = 3\n", &[]).unwrap_err().to_string();
        assert_eq!(error, "g.toml:2:1: unknown key `concurency` (did you mean `concurrency`?)");
        let error = parse("[satusehat]\nenvironment = \"prod\"\n", &[]).unwrap_err().to_string();
        assert_eq!(error, "g.toml:2:15: unknown value `prod` (did you mean `production`?)");
    }

    #[test]
    fn a_value_of_another_type_is_told_with_its_key() {
        let error = parse("[delivery]\nconcurrency = \"three\"\n", &[]).unwrap_err().to_string();
        let told = "`concurrency`: invalid type: string \"three\", expected a whole number, not below 0";
        assert_eq!(error, format!("g.toml:2:15: {told}"));
    }

    #[test]
    fn the_environment_goes_over_the_file_and_its_mistakes_are_named() {
        let config = parse("", &[("POSYANDU_GATEWAY__DELIVERY__CONCURRENCY", "3")]).unwrap();
        assert_eq!(config.delivery.concurrency, 3);
        let error = parse("", &[("POSYANDU_GATEWAY__DELIVERY__SPEED", "3")]).unwrap_err().to_string();
        assert!(error.contains("POSYANDU_GATEWAY__DELIVERY__SPEED") && error.contains("speed"), "{error}");
    }
}
