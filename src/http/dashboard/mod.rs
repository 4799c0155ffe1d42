//! The dashboard: pages in plain HTML that show where the day's visits stand, what a person must do, and take decisions.
//!
//! It must not send anything: a decision is a command kept in the ledger. Nothing is shown that the role of whoever asks
//! may not see, and what names a person is written to the audit trail before it is shown. No page reads the whole
//! ledger. Every value goes through maud, which escapes it.

pub mod access;
mod accounts;
mod ask;
mod attempts;
mod audit;
mod decisions;
mod discrepancies;
mod files;
mod layout;
mod login;
mod mapping;
mod password;
mod persons;
mod place;
mod plot;
mod queue;
mod reply;
mod reports;
mod samples;
mod say;
mod seals;
mod story;
mod today;
mod visitor;
mod work;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use axum::body::Body;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use jiff::Timestamp;
use jiff::civil::Date;
use tokio::sync::{RwLock, Semaphore};

use crate::clock::{Clock, Zone};
use crate::ingest::intake::Intake;
use crate::ledger::{Ledger, LedgerError};
use crate::observed::Observed;
use crate::seal::Keys;
use crate::words::Language;
use ask::Ask;
use attempts::Attempts;
use reply::{html, secured, see_other};
use samples::Samples;
use visitor::Seen;

/// A puskesmas as the pages know it.
#[derive(Clone, Debug)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: Zone,
    /// Calls a minute that are configured.
    pub per_minute: u32,
}

/// Why a lane is stopped, as whoever keeps that note reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoppedLane {
    /// Why, as a word.
    pub why: &'static str,
    /// The server's words, masked.
    pub words: String,
    /// Since when.
    pub since: Timestamp,
    /// When one call may try again; `None` while a person must let it go on.
    pub try_at: Option<Timestamp>,
    /// Since when visits were refused alike, which are tried again with the release.
    pub first_refusal: Option<Timestamp>,
}

/// One resource of the mapping files, as a line of the mapping page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MappedResource {
    /// The dataset it is made from.
    pub dataset: String,
    /// Its name in the file.
    pub name: String,
    /// Type of resource.
    pub resource_type: String,
    /// How certain it is, as a word.
    pub certainty: String,
    /// Where it is written that it is reported so.
    pub source: String,
    /// File and line.
    pub place: String,
    /// The fields of the record that go into it.
    pub fields: Vec<String>,
}

/// What is reported how, rendered by whoever has the mapping.
#[derive(Clone, Debug, Default)]
pub struct MappingSheet {
    /// Version of the mapping in use.
    pub version: String,
    /// Its resources.
    pub resources: Vec<MappedResource>,
}

/// A reverse proxy that says in a header who asks.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The header with the name of the account.
    pub header: HeaderName,
    /// Addresses from which that header is believed.
    pub addresses: Vec<IpAddr>,
}

/// How the dashboard is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Language of the pages.
    pub language: Language,
    /// Zone of dates where no puskesmas is meant.
    pub zone: Zone,
    /// The puskesmas.
    pub lanes: Vec<Lane>,
    /// The address under which people reach it through a proxy with TLS, `https://…`; `None` on this machine only.
    pub public_url: Option<String>,
    /// The proxy that says who asks.
    pub proxy: Option<Proxy>,
    /// Whether whoever sits at this machine sees counts while there are no accounts: not when a proxy passes others on.
    pub guests: bool,
    /// Reads the note that delivery keeps about a stopped lane.
    pub read_stop: fn(&str) -> Option<StoppedLane>,
    /// What is reported how.
    pub mapping: Arc<MappingSheet>,
    /// What was counted since the start.
    pub observed: Observed,
    /// Where the measurements of the last day are kept for the plots; `None` in memory only.
    pub samples_file: Option<PathBuf>,
}

/// How often a sample of the queue is taken.
pub(super) const SAMPLE_EVERY: std::time::Duration = std::time::Duration::from_secs(60);
/// Pages made at once; more wait for a moment, then are told to come again.
const PAGES_AT_ONCE: usize = 8;
/// How long a request waits for its turn.
const TURN_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// The dashboard.
pub struct Dashboard {
    options: Options,
    ledger: Arc<Ledger>,
    keys: Arc<Keys>,
    clock: Clock,
    intake: Arc<Intake>,
    attempts: Attempts,
    samples: Samples,
    turns: Semaphore,
    /// The mapping that visits are made with now; it hangs on the register too.
    mapping_version: std::sync::RwLock<String>,
    /// Whether there are accounts: asked until there are, for a ledger never loses its last one.
    has_accounts: RwLock<bool>,
}

/// Why a page is not given.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Nobody is logged in.
    LogIn,
    /// The role may not.
    Forbidden,
    /// The form was not of this login or not from these pages.
    Foreign,
    /// There is no such page, or not within the reach of the account.
    NotFound,
    /// The address takes other methods.
    Method(&'static str),
    /// A field is missing or wrong; key of the sentence.
    Wrong(&'static str),
    /// Too many attempts.
    TooMany,
    /// The ledger failed.
    Ledger(LedgerError),
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NoSuchEntry(_) => Self::NotFound,
            LedgerError::CommandUsed => Self::Wrong("dashboard.wrong.command"),
            LedgerError::NeedsCorrection(_) => Self::Wrong("dashboard.wrong.correction"),
            LedgerError::Illegal(_) => Self::Wrong("dashboard.wrong.moved_on"),
            error => Self::Ledger(error),
        }
    }
}

impl Dashboard {
    /// Sets up.
    #[must_use]
    pub fn new(options: Options, ledger: Arc<Ledger>, keys: Arc<Keys>, clock: Clock, intake: Arc<Intake>) -> Self {
        let mapping_version = std::sync::RwLock::new(options.mapping.version.clone());
        let samples = Samples::open(options.samples_file.clone());
        Self {
            mapping_version,
            options,
            ledger,
            keys,
            clock,
            intake,
            attempts: Attempts::default(),
            samples,
            turns: Semaphore::new(PAGES_AT_ONCE),
            has_accounts: RwLock::new(false),
        }
    }

    /// The mapping that visits are made with from now on.
    pub fn set_mapping_version(&self, version: String) {
        *self.mapping_version.write().unwrap_or_else(PoisonError::into_inner) = version;
    }

    fn mapping_version(&self) -> String {
        self.mapping_version.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether an address is one of the pages'.
    #[must_use]
    pub fn has(path: &str) -> bool {
        let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        let pages = [
            "",
            "kerja",
            "kunjungan",
            "pemetaan",
            "antrean",
            "laporan",
            "orang",
            "segel",
            "selisih",
            "keputusan",
            "masuk",
            "keluar",
            "akun",
            "audit",
            "aset",
        ];
        pages.contains(&first)
    }

    /// Takes the sample of this minute, for the plots.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn sample(&self) -> Result<(), LedgerError> {
        let pace = queue::pace(&self.options);
        self.samples.take(&self.ledger, pace, self.clock.now()).await
    }

    /// Answers a request, with every header of a page.
    pub async fn answer(&self, head: &Parts, body: Body, from: Option<IpAddr>) -> Response<Body> {
        if let Some(file) = files::find(head.uri.path()) {
            return secured(file, self.options.public_url.is_some());
        }
        let turn = tokio::time::timeout(TURN_MAX, self.turns.acquire()).await;
        let answered = match turn {
            Ok(Ok(_turn)) => self.page(head, body, from).await,
            _ => Err((None, Refusal::TooMany)),
        };
        let response = answered.unwrap_or_else(|(ask, refusal)| self.refused(ask.as_ref(), head, &refusal));
        secured(response, self.options.public_url.is_some())
    }

    async fn page(
        &self,
        head: &Parts,
        body: Body,
        from: Option<IpAddr>,
    ) -> Result<Response<Body>, (Option<Ask<'_>>, Refusal)> {
        let seen = Seen { headers: &head.headers, from };
        let visitor = visitor::of(self, &seen).await.map_err(|refusal| (None, refusal))?;
        let mut ask = Ask::new(self, visitor, head);
        let path = head.uri.path();
        if head.method == Method::POST {
            if !visitor::is_own_origin(self, &seen) {
                return Err((Some(ask), Refusal::Foreign));
            }
            match ask::form(&head.headers, body).await {
                Ok(form) => ask.form = form,
                Err(refusal) => return Err((Some(ask), refusal)),
            }
            if !path.starts_with("/masuk") && !ask.is_own_form() {
                return Err((Some(ask), Refusal::Foreign));
            }
        } else if ![Method::GET, Method::HEAD].contains(&head.method) {
            return Err((Some(ask), Refusal::Method("GET, HEAD, POST")));
        }
        match self.route(&ask, head, from).await {
            Ok(response) => Ok(response),
            Err(refusal) => Err((Some(ask), refusal)),
        }
    }

    async fn route(&self, ask: &Ask<'_>, head: &Parts, from: Option<IpAddr>) -> Result<Response<Body>, Refusal> {
        let is_post = head.method == Method::POST;
        let parts: Vec<&str> = head.uri.path().trim_matches('/').split('/').collect();
        let response = match (parts.as_slice(), is_post) {
            ([""], false) => today::page(ask).await,
            (["kerja"], false) => work::page(ask).await,
            (["kunjungan", number], false) => story::page(ask, number).await,
            (["kunjungan", number, "nama"], true) => story::names(ask, number).await,
            (["pemetaan"], false) => mapping::page(ask).await,
            (["antrean"], false) => queue::page(ask).await,
            (["laporan"], false) => reports::page(ask).await,
            (["laporan", file], false) => reports::file(ask, file).await,
            (["selisih"], false) => discrepancies::page(ask).await,
            (["segel"], false) => seals::page(ask).await,
            (["segel", file], false) => seals::file(ask, file).await,
            (["orang"], false) => persons::page(ask).await,
            (["orang", number], false) => persons::one(ask, number).await,
            (["orang", number, "nama"], true) => persons::names(ask, number).await,
            (["keputusan"], false) => decisions::page(ask).await,
            (["keputusan"], true) => decisions::decide(ask).await,
            (["masuk"], false) => login::page(ask, None),
            (["masuk"], true) => login::enter(ask, from).await,
            (["masuk", "kode"], false) => login::code_page(ask, None),
            (["masuk", "kode"], true) => login::choose(ask, from).await,
            (["keluar"], true) => login::leave(ask).await,
            (["akun"], false) => accounts::page(ask, None).await,
            (["akun"], true) => accounts::change(ask).await,
            (["audit"], false) => audit::page(ask).await,
            (["kunjungan" | "orang", _, "nama"] | ["keluar"], false) => Err(Refusal::Method("POST")),
            (_, true) => Err(Refusal::Method("GET, HEAD")),
            _ => Err(Refusal::NotFound),
        };
        let response = response?;
        // The ledger is left alone by a page that only looks; whoever looked is in the audit trail by now.
        Ok(response)
    }

    fn refused(&self, ask: Option<&Ask<'_>>, head: &Parts, refusal: &Refusal) -> Response<Body> {
        if matches!(refusal, Refusal::LogIn) && head.method == Method::GET {
            return see_other("/masuk");
        }
        let (status, key) = match refusal {
            Refusal::LogIn => (StatusCode::UNAUTHORIZED, "dashboard.refused.log_in"),
            Refusal::Forbidden => (StatusCode::FORBIDDEN, "dashboard.refused.forbidden"),
            Refusal::Foreign => (StatusCode::FORBIDDEN, "dashboard.refused.foreign"),
            Refusal::NotFound => (StatusCode::NOT_FOUND, "dashboard.refused.not_found"),
            Refusal::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, "dashboard.refused.method"),
            Refusal::Wrong(key) => (StatusCode::UNPROCESSABLE_ENTITY, *key),
            Refusal::TooMany => (StatusCode::TOO_MANY_REQUESTS, "dashboard.refused.too_many"),
            Refusal::Ledger(error) => {
                tracing::warn!(%error, "a page could not be made");
                (StatusCode::SERVICE_UNAVAILABLE, "dashboard.refused.unavailable")
            }
        };
        let mut response = layout::notice(self, ask, status, key);
        if let Refusal::Method(allowed) = refusal {
            response.headers_mut().insert(axum::http::header::ALLOW, HeaderValue::from_static(allowed));
        }
        if matches!(refusal, Refusal::TooMany | Refusal::Ledger(_)) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
        }
        response
    }

    /// Whether there are accounts.
    async fn has_accounts(&self) -> Result<bool, LedgerError> {
        if *self.has_accounts.read().await {
            return Ok(true);
        }
        let found = !self.ledger.accounts().await?.is_empty();
        *self.has_accounts.write().await = found;
        Ok(found)
    }

    /// Today where dates are counted.
    fn today(&self) -> Date {
        self.options.zone.date_at(self.clock.now())
    }

    /// Name of a posyandu, or its code.
    fn name_of(&self, code: &str) -> String {
        let register = self.intake.register();
        let known = register.as_ref().and_then(|register| register.by_code(code));
        known.map_or_else(|| code.to_owned(), |posyandu| posyandu.name.clone())
    }
}
