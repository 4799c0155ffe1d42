//! How a simulator is set up.
//!
//! Every limit in here is invented and settable: the ministry publishes none (satusehat-api.md, section 2).

use jiff::Timestamp;

use super::fault::Fault;
use super::people::People;

/// Lifetime of an access token, in seconds, as the token answer states it.
pub const TOKEN_LIFETIME_SECONDS: u64 = 3599;
/// Entries on one page of a search when the caller asks for nothing else.
pub const PAGE_SIZE: usize = 50;
/// Oldest age in days at which a newborn can be registered by the mother's NIK (rule 10397).
pub const NEWBORN_DAYS: i64 = 60;
/// The earliest moment the validator accepts: 3 June 2014 (satusehat-api.md, section 6).
pub const DATE_FLOOR: &str = "2014-06-03T00:00:00Z";

/// One registered caller: its credentials and the only organisation it may write for.
#[derive(Clone)]
pub struct Client {
    /// The client id.
    pub client_id: String,
    /// The client secret.
    pub client_secret: String,
    /// The organisation number that identifier systems and `serviceProvider` must carry.
    pub organization_id: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Client").field("organization_id", &self.organization_id).finish_non_exhaustive()
    }
}

/// Everything that can be set.
#[derive(Clone, Debug)]
pub struct Options {
    /// Known callers.
    pub clients: Vec<Client>,
    /// Accept any client id and secret, and learn its organisation from its first write.
    pub open: bool,
    /// Lifetime of access tokens, in seconds, measured with the clock.
    pub token_lifetime_seconds: u64,
    /// People and places known to the platform, besides the published dummies.
    pub people: People,
    /// Faults to inject.
    pub faults: Vec<Fault>,
    /// Seed of ids, tokens and faults.
    pub seed: u64,
    /// Refuse a second resource with the same business identifier (rule 20002).
    pub duplicate_check: bool,
    /// Calls per minute and client; `None` for no limit. The caller is not told.
    pub requests_per_minute: Option<u32>,
    /// Moments before this are refused.
    pub date_floor: Timestamp,
    /// Accept other offsets than `+00:00`, as staging did in 2026, and normalise them when read back.
    pub accept_other_offsets: bool,
    /// Seconds until a search finds what was written; reading by id is immediate.
    pub index_lag_seconds: u64,
    /// Entries on one page of a search.
    pub page_size: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clients: Vec::new(),
            open: false,
            token_lifetime_seconds: TOKEN_LIFETIME_SECONDS,
            people: People::default(),
            faults: Vec::new(),
            seed: 1,
            duplicate_check: true,
            requests_per_minute: None,
            date_floor: DATE_FLOOR.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            accept_other_offsets: false,
            index_lag_seconds: 0,
            page_size: PAGE_SIZE,
        }
    }
}
