//! Faults on purpose: which call is hit, and by what.
//!
//! It must not act on a connection or an answer; it only draws, repeatably from the seed, what shall go wrong.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::generator::Generator;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// 429 in the gateway's fault shape; `retry_after_seconds` adds the header.
    TooManyRequests,
    /// A quota violation under status 500.
    #[serde(rename = "quota_500")]
    Quota500,
    /// 503 "no healthy upstream"; nothing was written.
    Unavailable,
    /// A gateway timeout; nothing was written.
    ServerErrorBeforeCommit,
    /// The same answer, but everything was written.
    ServerErrorAfterCommit,
    /// Everything was written, then the connection closes without an answer.
    DroppedAnswer,
    /// The connection closes at once; nothing was written.
    DroppedBefore,
    /// The answer (head and body) ends after `bytes`; everything was written.
    CutAfterBytes,
    /// 401 although the token is good.
    ExpiredToken,
    /// 200 with an HTML page; nothing was written.
    HtmlPage,
    /// Success whose body is an OperationOutcome of code `suppressed`: no consent to show the result. A write is
    /// carried out, and its id stands in the Location header only (satusehat-api.md, section 5.3).
    ConsentSuppressed,
    /// The call is handled `delay_ms` late.
    Delay,
    /// The answer trickles: `bytes` at a time, `delay_ms` between.
    Slow,
}

impl FaultKind {
    /// The name as written in a fault file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TooManyRequests => "too_many_requests",
            Self::Quota500 => "quota_500",
            Self::Unavailable => "unavailable",
            Self::ServerErrorBeforeCommit => "server_error_before_commit",
            Self::ServerErrorAfterCommit => "server_error_after_commit",
            Self::DroppedAnswer => "dropped_answer",
            Self::DroppedBefore => "dropped_before",
            Self::CutAfterBytes => "cut_after_bytes",
            Self::ExpiredToken => "expired_token",
            Self::HtmlPage => "html_page",
            Self::ConsentSuppressed => "consent_suppressed",
            Self::Delay => "delay",
            Self::Slow => "slow",
        }
    }
}

/// Which calls a fault can hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppliesTo {
    /// POST and PUT of resources and Bundles.
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
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Which calls it can hit.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// Chance per fitting call, 0 to 1.
    pub probability: Option<f64>,
    /// Strikes at every n-th fitting call.
    pub every: Option<u64>,
    /// Strikes at these fitting calls, counted from 1.
    #[serde(default)]
    pub calls: Vec<u64>,
    /// Stops after this many strikes.
    pub at_most: Option<u64>,
    /// HTTP status of a server error (500 to 599); 504 when absent.
    pub status: Option<u16>,
    /// Seconds in a Retry-After header; no header when absent.
    pub retry_after_seconds: Option<u64>,
    /// Bytes for `cut_after_bytes` and `slow`.
    pub bytes: Option<usize>,
    /// Milliseconds for `delay` and `slow`.
    pub delay_ms: Option<u64>,
}

impl Fault {
    /// A fault at the given calls and nothing else set.
    #[must_use]
    pub fn at_calls(kind: FaultKind, applies_to: AppliesTo, calls: &[u64]) -> Self {
        Self {
            kind,
            applies_to,
            probability: None,
            every: None,
            calls: calls.to_vec(),
            at_most: None,
            status: None,
            retry_after_seconds: None,
            bytes: None,
            delay_ms: None,
        }
    }

    /// Says what is wrong with the settings.
    ///
    /// # Errors
    /// A condition is missing or given twice, or a value is out of its range.
    pub fn check(&self) -> Result<(), FaultError> {
        let name = self.kind.name();
        let conditions = [self.probability.is_some(), self.every.is_some(), !self.calls.is_empty()];
        let wrong = if conditions.iter().filter(|given| **given).count() != 1 {
            "needs exactly one of probability, every, calls"
        } else if self.probability.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            "probability must lie between 0 and 1"
        } else if self.every == Some(0) || self.calls.contains(&0) {
            "every and calls count from 1"
        } else if self.status.is_some_and(|status| !(500..=599).contains(&status)) {
            "status must lie between 500 and 599"
        } else if self.kind == FaultKind::CutAfterBytes && self.bytes.is_none() {
            "needs bytes"
        } else if matches!(self.kind, FaultKind::Delay | FaultKind::Slow) && self.delay_ms.is_none() {
            "needs delay_ms"
        } else {
            return Ok(());
        };
        Err(FaultError::Setting { name, wrong })
    }
}

/// A file of faults: `seed` and a list of `[[fault]]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// Seed of the draw; the simulator's own when absent.
    pub seed: Option<u64>,
    /// The faults, the first that strikes wins.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
}

/// Why a fault file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// Not TOML, or an unknown key or value.
    #[error("the fault file cannot be read")]
    Form(#[source] Box<toml::de::Error>),
    /// A fault contradicts itself.
    #[error("fault {name}: {wrong}")]
    Setting {
        /// The kind of fault.
        name: &'static str,
        /// What is wrong.
        wrong: &'static str,
    },
}

impl Faults {
    /// Reads a fault file.
    ///
    /// # Errors
    /// The text is not TOML, names an unknown key or kind, or a fault contradicts itself.
    pub fn from_toml(text: &str) -> Result<Self, FaultError> {
        let faults: Self = toml::from_str(text).map_err(|source| FaultError::Form(Box::new(source)))?;
        faults.faults.iter().try_for_each(Fault::check)?;
        Ok(faults)
    }
}

/// Draws faults call by call.
pub(super) struct Injector {
    faults: Vec<Fault>,
    /// Fitting calls and strikes so far, per fault.
    counts: Vec<(u64, u64)>,
    generator: Generator,
    /// Strikes so far, by kind.
    pub struck: BTreeMap<&'static str, u64>,
}

impl Injector {
    /// Prepares the draw.
    pub(super) fn new(faults: Vec<Fault>, seed: u64) -> Self {
        let counts = vec![(0, 0); faults.len()];
        Self { faults, counts, generator: Generator::new(seed ^ 0x5EED), struck: BTreeMap::new() }
    }

    /// The fault that strikes this call, if any.
    pub(super) fn draw(&mut self, call: AppliesTo) -> Option<Fault> {
        let mut chosen = None;
        for (fault, (calls, strikes)) in self.faults.iter().zip(&mut self.counts) {
            if fault.applies_to != AppliesTo::Any && fault.applies_to != call {
                continue;
            }
            *calls += 1;
            // The draw happens in any case, so that one fault does not shift the draws of another.
            let drawn = fault.probability.is_some_and(|chance| self.generator.chance(chance));
            let due =
                drawn || fault.every.is_some_and(|every| calls.is_multiple_of(every)) || fault.calls.contains(calls);
            if due && chosen.is_none() && fault.at_most.is_none_or(|most| *strikes < most) {
                *strikes += 1;
                chosen = Some(fault.clone());
            }
        }
        if let Some(fault) = &chosen {
            *self.struck.entry(fault.kind.name()).or_default() += 1;
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_file_is_read_and_an_unknown_key_refused() {
        let good = "seed = 7\n[[fault]]\nkind = \"too_many_requests\"\napplies_to = \"write\"\nevery = 3\n";
        assert!(Faults::from_toml(good).is_ok_and(|faults| faults.faults.len() == 1 && faults.seed == Some(7)));
        assert!(Faults::from_toml("[[fault]]\nkind = \"html_page\"\nevry = 3\n").is_err());
        assert!(Faults::from_toml("[[fault]]\nkind = \"html_page\"\n").is_err());
        assert!(Faults::from_toml("[[fault]]\nkind = \"fire\"\nevery = 1\n").is_err());
    }

    #[test]
    fn the_same_seed_strikes_the_same_calls() {
        let mut fault = Fault::at_calls(FaultKind::HtmlPage, AppliesTo::Any, &[]);
        fault.probability = Some(0.3);
        let strikes = |seed| {
            let mut injector = Injector::new(vec![fault.clone()], seed);
            (0..200).map(|_| injector.draw(AppliesTo::Read).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(5), strikes(5));
        assert_ne!(strikes(5), strikes(6));
    }

    #[test]
    fn calls_are_counted_per_fault_and_kind_of_call() {
        let mut injector = Injector::new(vec![Fault::at_calls(FaultKind::HtmlPage, AppliesTo::Write, &[2])], 1);
        let calls = [AppliesTo::Write, AppliesTo::Read, AppliesTo::Write, AppliesTo::Write];
        let struck: Vec<bool> = calls.into_iter().map(|call| injector.draw(call).is_some()).collect();
        assert_eq!(struck, [false, false, true, false]);
    }
}
