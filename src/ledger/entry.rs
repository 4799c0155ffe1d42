//! An entry: one version of one visit's bundle and how far it got. Values only.

use jiff::Timestamp;
use jiff::civil::Date;

use super::attempt::AttemptLine;
use super::state::{Event, State};
use super::turn::Turn;
use crate::clock::Stopwatch;
use crate::issue::Issue;
use crate::redact::Personal;

/// Names an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub(super) i64);

impl EntryId {
    /// The entry with a number, as reports print it.
    #[must_use]
    pub fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The number that reports print.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }
}

/// The right to answer for a claimed entry until it runs out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease(pub(super) String);

/// The issue of a visit that lies outside what the server takes; with it among its issues an entry is waived at once.
pub const OUT_OF_RANGE: &str = "visit.out_of_range";

/// An entry to be made.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The visit.
    pub visit_key: [u8; 32],
    /// [`super::row::VisitRecords::revision`] that it was made from.
    pub revision: i64,
    /// Hash of the bundle as it will be sent.
    pub content_hash: [u8; 32],
    /// The mapping that made it.
    pub mapping_version: String,
    /// When it may be sent.
    pub due: Timestamp,
    /// Whom it is about, as JSON; sealed at rest.
    pub person: Personal<String>,
    /// The bundle; sealed at rest.
    pub bundle: Personal<String>,
    /// The bundle's resources in order.
    pub resources: Vec<NewResource>,
    /// The mapping's complaints.
    pub issues: Vec<Issue>,
    /// The mapping refuses it: it goes to a person at once.
    pub refused: bool,
}

impl NewEntry {
    /// Whether a rule leaves it out: the issue that says so is kept with it, as the reason.
    #[must_use]
    pub fn is_waived(&self) -> bool {
        self.issues.iter().any(|issue| issue.rule == OUT_OF_RANGE)
    }
}

/// A resource of an entry to be made.
#[derive(Clone, Debug)]
pub struct NewResource {
    /// Resource type.
    pub resource_type: String,
    /// System of its business identifier.
    pub identifier_system: String,
    /// Value of its business identifier (a keyed hash).
    pub identifier_value: String,
    /// Hash of its content.
    pub content_hash: [u8; 32],
    /// Its `urn:uuid` in the bundle.
    pub full_url: String,
}

/// A resource of an entry.
#[derive(Clone, Debug)]
pub struct EntryResource {
    /// Position in the entry, from 0.
    pub position: u32,
    /// Resource type.
    pub resource_type: String,
    /// System of its business identifier.
    pub identifier_system: String,
    /// Value of its business identifier.
    pub identifier_value: String,
    /// Its `urn:uuid` in the bundle.
    pub full_url: String,
    /// Hash of its content.
    pub content_hash: [u8; 32],
    /// Id at the server, from this or an older version of the visit.
    pub server_id: Option<String>,
    /// Version at the server.
    pub server_version: Option<String>,
    /// The mapping that made what the server holds.
    pub server_mapping: Option<String>,
    /// The server holds this very content: nothing to send.
    pub unchanged: bool,
}

/// An entry with everything needed to send it or to ask for it.
#[derive(Clone, Debug)]
pub struct OpenEntry {
    /// Which entry.
    pub entry_id: EntryId,
    /// Which visit.
    pub visit_key: [u8; 32],
    /// Version of the visit, from 1.
    pub version: u32,
    /// The puskesmas.
    pub lane: String,
    /// Code of the posyandu.
    pub posyandu: String,
    /// Local date of service.
    pub service_date: Date,
    /// The bundle.
    pub bundle: Personal<String>,
    /// Whom it is about, as JSON.
    pub person: Personal<String>,
    /// Its resources.
    pub resources: Vec<EntryResource>,
    /// Attempts spent since the last command of a person.
    pub attempts: u32,
    /// Attempts ever begun.
    pub begun: u32,
    /// How often the server was asked without a clear answer since it became unknown.
    pub probes: u32,
    /// How often it was found blocked.
    pub blocked_count: u32,
    /// Since when it is in its state.
    pub since: Timestamp,
}

/// An entry that the caller may send until the lease runs out.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The right to answer for it.
    pub lease: Lease,
    /// When the right ends.
    pub lease_until: Timestamp,
    /// Runs since before the right was asked for.
    pub asked: Stopwatch,
    /// Whose turn it was taken in.
    pub turn: Turn,
    /// The process died the last time it was prepared for sending.
    pub is_suspect: bool,
    /// The entry.
    pub entry: OpenEntry,
}

/// What reading back showed of a delivered resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Finding {
    /// The server holds equal content.
    Equal,
    /// The server holds other content.
    Different,
    /// The server does not hold it.
    Missing,
}

impl Finding {
    /// The word in store and reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::Different => "different",
            Self::Missing => "missing",
        }
    }
}

/// An entry in a list.
#[derive(Clone, Debug)]
pub struct EntryLine {
    /// Which entry.
    pub entry_id: EntryId,
    /// Which visit.
    pub visit_key: [u8; 32],
    /// Version of the visit.
    pub version: u32,
    /// The puskesmas.
    pub puskesmas: String,
    /// Code of the posyandu.
    pub posyandu: String,
    /// Local date of service.
    pub service_date: Date,
    /// Where it stands.
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// When the service date ends in local time: the same-day promise is measured by it.
    pub day_ends_at: Timestamp,
    /// When it is looked at next.
    pub due: Timestamp,
    /// What it waits for, when blocked.
    pub blocked_on: Option<String>,
    /// Attempts spent.
    pub attempts: u32,
    /// Class of the last answer.
    pub last_class: Option<String>,
    /// All records of the visit were withdrawn, yet the server holds it.
    pub emptied: bool,
}

/// Everything that happened to an entry.
#[derive(Clone, Debug)]
pub struct Story {
    /// Summary.
    pub line: EntryLine,
    /// Events with the state after each, from the first; `None` is the entering.
    pub events: Vec<EventLine>,
    /// Attempts, from the first.
    pub attempts: Vec<AttemptLine>,
    /// The mapping's complaints.
    pub issues: Vec<Issue>,
}

/// An event in an entry's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// What happened; `None` for the entering itself.
    pub event: Option<Event>,
    /// The state after it.
    pub state: State,
    /// When.
    pub at: Timestamp,
}
