//! How a simulator is set up.
//!
//! Every limit in here is invented and settable: the ministry publishes none (satusehat-api.md, section 2).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::fault::Fault;
use super::people::People;
use super::quota::Quota;

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
    /// Types that may be written twice although duplicates are refused.
    pub duplicates_allowed: BTreeSet<String>,
    /// Calls per minute and client; `None` for no limit. The caller is not told. Short for one of `quotas`.
    pub requests_per_minute: Option<u32>,
    /// Hidden limits per client; a call must pass them all.
    pub quotas: Vec<Quota>,
    /// Moments before this are refused.
    pub date_floor: Timestamp,
    /// Accept other offsets than `+00:00`, as staging did in 2026, and normalise them when read back.
    pub accept_other_offsets: bool,
    /// Seconds until a search finds what was written; reading by id is immediate.
    pub index_lag_seconds: u64,
    /// Up to so many seconds more, another number for each resource: they are not indexed in the order of writing.
    pub index_lag_jitter_seconds: u64,
    /// Calls until a search finds what was written; both lags must be over.
    pub index_lag_calls: u64,
    /// Entries on one page of a search.
    pub page_size: usize,
    /// Names of patients are masked where a resource is read back.
    pub masked_names: bool,
    /// Numbers of patients without consent: their data are written, and read as `suppressed`.
    pub hidden_patients: BTreeSet<String>,
    /// Numbers of patients whose data are refused, as in 2022 for those who had not opted in.
    pub refused_patients: BTreeSet<String>,
    /// Serve only the methods that were seen for a type (satusehat-api.md, section 3.2).
    pub only_seen_methods: bool,
    /// More entries in a Bundle are answered with 413; the ministry states no limit.
    pub bundle_entries_max: Option<usize>,
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
            duplicates_allowed: BTreeSet::new(),
            requests_per_minute: None,
            quotas: Vec::new(),
            date_floor: DATE_FLOOR.parse().unwrap_or(Timestamp::UNIX_EPOCH),
            accept_other_offsets: false,
            index_lag_seconds: 0,
            index_lag_jitter_seconds: 0,
            index_lag_calls: 0,
            page_size: PAGE_SIZE,
            masked_names: false,
            hidden_patients: BTreeSet::new(),
            refused_patients: BTreeSet::new(),
            only_seen_methods: false,
            bundle_entries_max: None,
        }
    }
}
