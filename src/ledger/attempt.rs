//! One try to send an entry: a begun row before the first byte leaves, an end row after the answer. Never changed.

use std::time::Duration;

use jiff::Timestamp;

use crate::issue::Issue;

/// Names an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AttemptId(pub(super) i64);

impl AttemptId {
    /// The number that logs print.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }
}

/// Longest kept excerpt of an answer, in bytes.
pub const EXCERPT_BYTES_MAX: usize = 2048;

/// How an attempt ended.
#[derive(Clone, Debug, Default)]
pub struct AttemptEnd {
    /// HTTP status, if an answer came.
    pub status: Option<u16>,
    /// The server's own number for the request.
    pub request_id: Option<String>,
    /// Class of the answer, as a word.
    pub class: String,
    /// Redacted excerpt of the answer; cut at [`EXCERPT_BYTES_MAX`].
    pub excerpt: String,
    /// SATUSEHAT rule numbers in the answer.
    pub rules: Vec<u32>,
    /// Time from the first byte out to the last byte in.
    pub duration: Duration,
    /// What the server holds now, when the event is `Accepted` or `FoundEqual`.
    pub accepted: Vec<AcceptedResource>,
    /// The answer's complaints.
    pub issues: Vec<Issue>,
}

/// A resource that the server holds with the entry's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedResource {
    /// Position in the entry, from 0.
    pub position: u32,
    /// Resource type the server named; it must be the entry's.
    pub resource_type: String,
    /// The server's id.
    pub id: String,
    /// The server's version id.
    pub version: Option<String>,
}

/// An attempt in an entry's story.
#[derive(Clone, Debug)]
pub struct AttemptLine {
    /// Which attempt.
    pub attempt_id: AttemptId,
    /// When the send was about to begin.
    pub begun_at: Timestamp,
    /// How it ended; `None` while it runs.
    pub end: Option<EndedLine>,
}

/// The end of an attempt in an entry's story.
#[derive(Clone, Debug)]
pub struct EndedLine {
    /// Word of the event that ended it, or `interrupted`.
    pub outcome: String,
    /// HTTP status.
    pub status: Option<u16>,
    /// The server's own number for the request.
    pub request_id: Option<String>,
    /// Class of the answer.
    pub class: String,
    /// Redacted excerpt.
    pub excerpt: String,
    /// Rule numbers in the answer.
    pub rules: Vec<u32>,
    /// How long it took.
    pub duration: Duration,
    /// The answer's complaints.
    pub issues: Vec<Issue>,
    /// When it ended.
    pub ended_at: Timestamp,
}
