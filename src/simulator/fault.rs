//! Faults on purpose: what can go wrong, and which calls it hits.
//!
//! It must not act on a connection or an answer; it only says what shall happen, and draws it repeatably.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::catalogue;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 in the gateway's fault shape; `retry_after_seconds` adds the header.
    TooManyRequests,
    /// A quota violation under status 500.
    #[serde(rename = "quota_500")]
    Quota500,
    /// 503 "no healthy upstream"; nothing was written.
    Unavailable,
    /// 503 with the HTML page of a maintenance; nothing was written.
    Maintenance,
    /// A gateway timeout; nothing was written.
    ServerErrorBeforeCommit,
    /// The same answer, but everything was written.
    ServerErrorAfterCommit,
    /// Everything was written, then the connection closes without an answer.
    DroppedAnswer,
    /// The connection closes at once; nothing was written.
    DroppedBefore,
    /// The answer (head and body) ends after `bytes`, and `bytes_step` later at each further strike; everything was
    /// written.
    CutAfterBytes,
    /// A whole answer whose body ends after `bytes`; everything was written.
    Truncated,
    /// 401 although the token is good.
    ExpiredToken,
    /// 200 with an HTML page; nothing was written.
    HtmlPage,
    /// A redirect to `location` with `status` 301, 302, 307 or 308; nothing was written.
    Redirect,
    /// The true answer under another `content_type`.
    ContentType,
    /// Success whose body is an OperationOutcome of code `suppressed`: no consent to show the result. A write is
    /// carried out, and its id stands in the Location header only (satusehat-api.md, section 5.3).
    ConsentSuppressed,
    /// The answer of the class `answer` of the catalogue, word for word; nothing is written.
    Answer,
    /// The true answer with the members in `set` changed (JSON pointers, `*` for each item; null removes).
    Edited,
    /// The true answer of another call, the one before; everything was written.
    Swapped,
    /// The entries of the answered Bundle in the opposite order; everything was written.
    EntriesReversed,
    /// The answered Bundle without its last entry; everything was written.
    EntriesMissing,
    /// The answered Bundle with its last entry twice; everything was written.
    EntriesRepeated,
    /// An OperationOutcome in place of the answered Bundle; everything was written.
    OutcomeForBundle,
    /// Of a transaction Bundle only the first `entries` are written (half when absent), then a server error.
    PartialCommit,
    /// The true answer with `bytes` of white space behind it.
    Huge,
    /// A body of lists inside lists, `depth` deep; everything was written.
    Deep,
    /// A gzip body that unpacks to `bytes`, for callers that accept gzip; the others get the true answer.
    GzipBomb,
    /// The call is handled `delay_ms` late.
    Delay,
    /// The call is handled at once and answered `delay_ms` late.
    HeldAfterCommit,
    /// The answer trickles: `bytes` at a time, `delay_ms` between.
    Slow,
    /// The connection closes once the true answer is out, without having said so.
    ClosedIdle,
    /// The connection breaks when the next request arrives on it; that request is not handled.
    ClosedOnReuse,
}

/// Each kind with its name in a script.
const NAMES: [(FaultKind, &str); 31] = [
    (FaultKind::TooManyRequests, "too_many_requests"),
    (FaultKind::Quota500, "quota_500"),
    (FaultKind::Unavailable, "unavailable"),
    (FaultKind::Maintenance, "maintenance"),
    (FaultKind::ServerErrorBeforeCommit, "server_error_before_commit"),
    (FaultKind::ServerErrorAfterCommit, "server_error_after_commit"),
    (FaultKind::DroppedAnswer, "dropped_answer"),
    (FaultKind::DroppedBefore, "dropped_before"),
    (FaultKind::CutAfterBytes, "cut_after_bytes"),
    (FaultKind::Truncated, "truncated"),
    (FaultKind::ExpiredToken, "expired_token"),
    (FaultKind::HtmlPage, "html_page"),
    (FaultKind::Redirect, "redirect"),
    (FaultKind::ContentType, "content_type"),
    (FaultKind::ConsentSuppressed, "consent_suppressed"),
    (FaultKind::Answer, "answer"),
    (FaultKind::Edited, "edited"),
    (FaultKind::Swapped, "swapped"),
    (FaultKind::EntriesReversed, "entries_reversed"),
    (FaultKind::EntriesMissing, "entries_missing"),
    (FaultKind::EntriesRepeated, "entries_repeated"),
    (FaultKind::OutcomeForBundle, "outcome_for_bundle"),
    (FaultKind::PartialCommit, "partial_commit"),
    (FaultKind::Huge, "huge"),
    (FaultKind::Deep, "deep"),
    (FaultKind::GzipBomb, "gzip_bomb"),
    (FaultKind::Delay, "delay"),
    (FaultKind::HeldAfterCommit, "held_after_commit"),
    (FaultKind::Slow, "slow"),
    (FaultKind::ClosedIdle, "closed_idle"),
    (FaultKind::ClosedOnReuse, "closed_on_reuse"),
];

impl FaultKind {
    /// Every kind, in the order of their description.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(kind, _)| *kind)
    }

    /// The name as written in a script.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// Which calls a fault can hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// POST, PUT and PATCH of resources and Bundles.
    Write,
    /// Searches and reads.
    Read,
    /// The token endpoint.
    Token,
    /// Every call.
    #[default]
    Any,
}

/// One fault and when it strikes: by `probability`, at every n-th fitting call, or at the fitting calls numbered in
/// `calls` (from 1). Exactly one of the three must be given.
#[derive(Clone, Debug)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which calls it can hit.
    pub applies_to: AppliesTo,
    /// The HTTP method of the calls it can hit; all when absent.
    pub method: Option<String>,
    /// The path of the calls it can hit, without the query, `*` for any run of characters; all when absent.
    pub path: Option<String>,
    /// It can hit calls from this second after the start of the simulator.
    pub from_second: Option<u64>,
    /// It can hit calls before this second after the start of the simulator.
    pub until_second: Option<u64>,
    /// Chance per fitting call, 0 to 1.
    pub probability: Option<f64>,
    /// Strikes at every n-th fitting call.
    pub every: Option<u64>,
    /// Strikes at these fitting calls, counted from 1.
    pub calls: Vec<u64>,
    /// Stops after this many strikes.
    pub at_most: Option<u64>,
    /// HTTP status of a server error (500 to 599; 504 when absent) or of a redirect (300 to 399; 307 when absent).
    pub status: Option<u16>,
    /// Seconds in a Retry-After header; no header when absent.
    pub retry_after_seconds: Option<u64>,
    /// Bytes of the kinds that cut, slow down or blow up an answer.
    pub bytes: Option<usize>,
    /// Bytes by which each strike of `cut_after_bytes` cuts later than the one before; 0 when absent.
    pub bytes_step: Option<usize>,
    /// Milliseconds for `delay`, `held_after_commit` and `slow`.
    pub delay_ms: Option<u64>,
    /// Class of the catalogue for `answer`.
    pub answer: Option<String>,
    /// Members changed by `edited`.
    pub set: BTreeMap<String, Value>,
    /// Where `redirect` leads.
    pub location: Option<String>,
    /// What `content_type` says.
    pub content_type: Option<String>,
    /// Entries that `partial_commit` writes.
    pub entries: Option<usize>,
    /// Lists inside lists of `deep`.
    pub depth: Option<usize>,
}

impl Fault {
    /// A fault at the given calls and nothing else set.
    #[must_use]
    pub fn at_calls(kind: FaultKind, applies_to: AppliesTo, calls: &[u64]) -> Self {
        Self {
            kind,
            applies_to,
            method: None,
            path: None,
            from_second: None,
            until_second: None,
            probability: None,
            every: None,
            calls: calls.to_vec(),
            at_most: None,
            status: None,
            retry_after_seconds: None,
            bytes: None,
            bytes_step: None,
            delay_ms: None,
            answer: None,
            set: BTreeMap::new(),
            location: None,
            content_type: None,
            entries: None,
            depth: None,
        }
    }

    /// Says what is wrong with the settings.
    ///
    /// # Errors
    /// A condition is missing or given twice, a value is out of its range, or what the kind needs is missing.
    pub fn check(&self) -> Result<(), FaultError> {
        match self.wrong_condition().or_else(|| self.wrong_setting()) {
            None => Ok(()),
            Some(wrong) => Err(FaultError { name: self.kind.name(), wrong: wrong.to_owned() }),
        }
    }

    fn wrong_condition(&self) -> Option<&'static str> {
        let conditions = [self.probability.is_some(), self.every.is_some(), !self.calls.is_empty()];
        if conditions.iter().filter(|given| **given).count() != 1 {
            return Some("needs exactly one of probability, every, calls");
        }
        if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Some("probability must lie between 0 and 1");
        }
        if self.every == Some(0) || self.calls.contains(&0) {
            return Some("every and calls count from 1");
        }
        if let (Some(from), Some(until)) = (self.from_second, self.until_second)
            && from >= until
        {
            return Some("from_second must lie before until_second");
        }
        None
    }

    fn wrong_setting(&self) -> Option<&'static str> {
        let range = if self.kind == FaultKind::Redirect { 300..=399 } else { 500..=599 };
        if self.status.is_some_and(|status| !range.contains(&status)) {
            return Some("status must lie between 500 and 599, of a redirect between 300 and 399");
        }
        match self.kind {
            FaultKind::CutAfterBytes | FaultKind::Truncated | FaultKind::Huge | FaultKind::GzipBomb
                if self.bytes.is_none() =>
            {
                Some("needs bytes")
            }
            FaultKind::Delay | FaultKind::Slow | FaultKind::HeldAfterCommit if self.delay_ms.is_none() => {
                Some("needs delay_ms")
            }
            FaultKind::Redirect if self.location.is_none() => Some("needs location"),
            FaultKind::ContentType if self.content_type.is_none() => Some("needs content_type"),
            FaultKind::Deep if self.depth.is_none() => Some("needs depth"),
            FaultKind::Edited if self.set.is_empty() => Some("needs set"),
            FaultKind::Edited if !self.set.keys().all(|pointer| pointer.starts_with('/')) => {
                Some("each name in set is a JSON pointer and begins with a slash")
            }
            FaultKind::Answer if !self.answer.as_deref().is_some_and(catalogue::knows) => {
                Some("needs answer, a class of the catalogue of answers such as `mpi-500`")
            }
            _ => None,
        }
    }
}

/// A fault that contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("fault {name}: {wrong}")]
pub struct FaultError {
    /// The kind of fault.
    pub name: &'static str,
    /// What is wrong.
    pub wrong: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_name_which_a_script_understands() {
        for kind in FaultKind::all() {
            let read: Result<FaultKind, _> = serde_json::from_value(kind.name().into());
            assert_eq!(read.ok(), Some(kind), "{}", kind.name());
        }
    }

    #[test]
    fn a_fault_that_lacks_something_is_refused() {
        let once = |kind| Fault::at_calls(kind, AppliesTo::Any, &[1]);
        assert!(once(FaultKind::HtmlPage).check().is_ok());
        for kind in [
            FaultKind::CutAfterBytes,
            FaultKind::Delay,
            FaultKind::Redirect,
            FaultKind::ContentType,
            FaultKind::Deep,
            FaultKind::Edited,
            FaultKind::Answer,
        ] {
            assert!(once(kind).check().is_err(), "{}", kind.name());
        }
        let named = |answer: &str| Fault { answer: Some(answer.to_owned()), ..once(FaultKind::Answer) };
        assert!(named("mpi-500").check().is_ok() && named("mpi-501").check().is_err());
        let upside_down = Fault { from_second: Some(2), until_second: Some(2), ..once(FaultKind::HtmlPage) };
        assert!(upside_down.check().is_err());
        assert!(Fault { status: Some(200), ..once(FaultKind::HtmlPage) }.check().is_err());
        assert!(Fault { every: Some(1), ..once(FaultKind::HtmlPage) }.check().is_err());
    }
}
