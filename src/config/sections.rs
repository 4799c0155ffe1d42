//! The sections of the configuration file, one struct each, with their defaults.
//!
//! Only shapes and defaults; whether settings fit together is checked in the parent. Unknown keys are refused.

use std::path::PathBuf;

use jiff::civil::Date;
use serde::Deserialize;

use crate::clock::Zone;
use crate::remote::rate_limit::READ_BACK_PERCENT;
use crate::words::Language;

/// Language by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LanguageName {
    /// Indonesian.
    Id,
    /// English.
    En,
}

impl LanguageName {
    /// The language of the words catalogue.
    #[must_use]
    pub fn language(self) -> Language {
        match self {
            Self::Id => Language::Indonesian,
            Self::En => Language::English,
        }
    }
}

/// `[ledger]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ledger {
    /// `sqlite:PATH` or `postgres://USER@HOST:PORT/DATABASE`; empty means a file in the data folder.
    pub url: String,
    /// File with the password of that user alone; empty leaves it to PGPASSFILE.
    pub password_file: PathBuf,
    /// Largest ledger, mebibytes; 0 means until the disk is full.
    pub mebibytes_max: u64,
}

/// `[seal]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Seal {
    /// Key file; empty means in the data folder.
    pub key_file: PathBuf,
}

/// Which SATUSEHAT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// The sandbox.
    Staging,
    /// The real one.
    Production,
    /// Addresses given in the file.
    Custom,
}

/// `[satusehat]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Satusehat {
    /// Which SATUSEHAT.
    pub environment: Environment,
    /// Address of the token service, for `custom`.
    pub auth_url: String,
    /// Address of the FHIR service, for `custom`.
    pub fhir_url: String,
    /// Host whose place this one took, so that its ledger may be used here; empty for none.
    pub moved_from: String,
    /// Extra certificate authority.
    pub extra_ca_file: PathBuf,
    /// Earliest local service date that SATUSEHAT takes; older visits are left out.
    pub earliest_date: Date,
}

/// Earliest service date in the newer text of the rules; an older sample says 31 August 2022 (satusehat-api.md, 6).
const EARLIEST_DATE: Date = jiff::civil::date(2014, 6, 3);

impl Default for Satusehat {
    fn default() -> Self {
        Self {
            environment: Environment::Staging,
            auth_url: String::new(),
            fhir_url: String::new(),
            moved_from: String::new(),
            extra_ca_file: PathBuf::new(),
            earliest_date: EARLIEST_DATE,
        }
    }
}

/// `[delivery]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    /// Requests in flight per puskesmas.
    pub concurrency: u32,
    /// Time to connect, seconds.
    pub connect_timeout_seconds: u64,
    /// Time for a whole request, seconds.
    pub request_timeout_seconds: u64,
    /// Life of a claim, seconds.
    pub lease_seconds: u64,
    /// When an unknown outcome is looked up, seconds since it became unknown; the last look decides.
    pub probe_after_seconds: Vec<u64>,
    /// Longest `run --once`, seconds.
    pub once_seconds: u64,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            concurrency: 8,
            connect_timeout_seconds: 10,
            request_timeout_seconds: 60,
            lease_seconds: 180,
            probe_after_seconds: vec![5, 45, 90, 180, 600],
            once_seconds: 900,
        }
    }
}

/// `[reconciliation]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Reconciliation {
    /// A delivered visit is read back once, so many seconds after it was sent.
    pub after_seconds: u64,
    /// Share of the calls a minute while others wait, percent.
    pub share_percent: u32,
    /// What is refused or blocked for so many hours is a discrepancy.
    pub stuck_after_hours: u64,
}

impl Default for Reconciliation {
    fn default() -> Self {
        Self { after_seconds: 300, share_percent: READ_BACK_PERCENT, stuck_after_hours: 24 }
    }
}

/// `[mapping]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Folder with own mapping files; empty means the built-in ones.
    pub directory: PathBuf,
    /// Switches turned on.
    pub accept_guesses: Vec<String>,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address.
    pub listen: String,
    /// File that holds only the token for `/metrics`; empty means none.
    pub scrape_token_file: PathBuf,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: "127.0.0.1:8200".to_owned(), scrape_token_file: PathBuf::new() }
    }
}

/// `[alarm]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alarm {
    /// Where alarms are sent; empty means nowhere.
    pub webhook_url: String,
    /// File that holds only the secret that the receiver shows.
    pub webhook_secret_file: PathBuf,
}

/// `[[puskesmas]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Puskesmas {
    /// Name, as sources refer to it.
    pub name: String,
    /// SATUSEHAT Organization id.
    pub organization_id: String,
    /// SATUSEHAT client id.
    pub client_id: String,
    /// File that holds only the client secret.
    pub client_secret_file: PathBuf,
    /// Last day on which the client secret is valid, where the platform tells one.
    #[serde(default)]
    pub client_secret_expires: Option<Date>,
    /// Time zone.
    pub timezone: Zone,
    /// Calls a minute allowed.
    #[serde(default = "default_requests_per_minute")]
    pub requests_per_minute: u32,
    /// Registers persons at SATUSEHAT whom it does not know.
    #[serde(default)]
    pub create_patients: bool,
}

/// `[[source]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name for reports.
    pub name: String,
    /// Source profile.
    pub profile: String,
    /// File or database.
    #[serde(default)]
    pub path: PathBuf,
    /// Folder into which files are dropped; each is read once it stopped changing.
    #[serde(default)]
    pub folder: PathBuf,
    /// Address of a database server, `postgres://user@host/database` or `mysql://…`, without a password. Encryption
    /// follows `?sslmode=` or `?ssl-mode=`; without one it is used when the server offers it.
    #[serde(default)]
    pub url: String,
    /// File that holds only the password for `url`; empty means none is needed.
    #[serde(default)]
    pub password_file: PathBuf,
    /// The puskesmas whose records it holds; empty for the posyandu register.
    #[serde(default)]
    pub puskesmas: String,
}

/// `[[sender]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    /// Name for reports; it stands in the place of a source.
    pub name: String,
    /// File that holds only the token.
    pub token_file: PathBuf,
    /// The puskesmas whose records it sends.
    pub puskesmas: String,
}

fn default_requests_per_minute() -> u32 {
    60
}
