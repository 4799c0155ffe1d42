//! Scripts: the settings of a run and the faults of its calls, in a YAML file that can be replayed.
//!
//! It must not interpret a fault; a step is only the written form of a [`Fault`].

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::{Location, Spanned};

use super::fault::{AppliesTo, Fault, FaultKind};
use super::options::Options;
use super::quota::Quota;

/// A script of the simulator: how it behaves, and what goes wrong when.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "posyandu-gateway: script of the simulator")]
struct Written {
    /// Seed of ids, tokens and draws: the same seed and calls give the same answers and faults.
    seed: Option<u64>,
    /// How the stand-in behaves all the time.
    settings: Settings,
    /// What goes wrong when; of several steps that fit a call the first strikes.
    #[schemars(with = "Vec<Step>")]
    steps: Vec<Spanned<Step>>,
}

/// Behaviour that holds for the whole run; what is left out stays as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Refuse a second resource with the same business identifier (rule 20002).
    duplicate_check: Option<bool>,
    /// Types that may be written twice although duplicates are refused.
    duplicates_allowed: Option<BTreeSet<String>>,
    /// Seconds until a search finds what was written.
    index_lag_seconds: Option<u64>,
    /// Up to so many seconds more, another number for each resource.
    index_lag_jitter_seconds: Option<u64>,
    /// Calls until a search finds what was written.
    index_lag_calls: Option<u64>,
    /// Entries on one page of a search.
    page_size: Option<usize>,
    /// Names of patients are masked where a resource is read back.
    masked_names: Option<bool>,
    /// Numbers of patients whose data are written but not shown (no consent).
    hidden_patients: Option<BTreeSet<String>>,
    /// Numbers of patients whose data are refused.
    refused_patients: Option<BTreeSet<String>>,
    /// Lifetime of access tokens.
    token_lifetime_seconds: Option<u64>,
    /// Moments with another offset than +00:00 are accepted and normalised.
    accept_other_offsets: Option<bool>,
    /// Only methods that were seen for a type are served.
    only_seen_methods: Option<bool>,
    /// More entries in a Bundle are answered with 413.
    bundle_entries_max: Option<usize>,
    /// Hidden limits; a call must pass them all.
    quotas: Option<Vec<Quota>>,
}

/// One step: when, and what.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Step {
    /// The calls it strikes.
    when: When,
    /// What happens to them.
    #[serde(rename = "do")]
    deed: Deed,
}

/// Which calls: all conditions must hold, and exactly one of `calls`, `every` and `probability` is given.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct When {
    /// What the call wants.
    of: AppliesTo,
    /// HTTP method.
    method: Option<String>,
    /// Path without the query; `*` stands for any run of characters.
    path: Option<String>,
    /// From this second after the start.
    from_second: Option<u64>,
    /// Before this second after the start.
    until_second: Option<u64>,
    /// At these fitting calls, counted from 1.
    calls: Vec<u64>,
    /// At every n-th fitting call; 1 for each.
    every: Option<u64>,
    /// With this chance per fitting call, 0 to 1.
    probability: Option<f64>,
    /// Not more often than this.
    at_most: Option<u64>,
}

/// What happens; which of the settings a kind needs is told when one is missing.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Deed {
    /// The kind of fault.
    fault: FaultKind,
    /// Status of a server error (500 to 599) or redirect (300 to 399).
    status: Option<u16>,
    /// Seconds in a Retry-After header.
    retry_after_seconds: Option<u64>,
    /// Bytes of an answer that is cut, slow or huge.
    bytes: Option<usize>,
    /// Bytes by which each strike of `cut_after_bytes` cuts later than the one before.
    bytes_step: Option<usize>,
    /// Milliseconds of a delay.
    delay_ms: Option<u64>,
    /// Class of the catalogue of answers, such as `mpi-500`.
    answer: Option<String>,
    /// Members to change: JSON pointer (`*` for each item) to value; null removes.
    #[serde(default)]
    set: BTreeMap<String, Value>,
    /// Where a redirect leads.
    location: Option<String>,
    /// Another content type.
    content_type: Option<String>,
    /// Entries of a Bundle that are written before it breaks off.
    entries: Option<usize>,
    /// Lists inside lists.
    depth: Option<usize>,
}

impl From<Step> for Fault {
    fn from(Step { when, deed }: Step) -> Self {
        Self {
            kind: deed.fault,
            applies_to: when.of,
            method: when.method,
            path: when.path,
            from_second: when.from_second,
            until_second: when.until_second,
            probability: when.probability,
            every: when.every,
            calls: when.calls,
            at_most: when.at_most,
            status: deed.status,
            retry_after_seconds: deed.retry_after_seconds,
            bytes: deed.bytes,
            bytes_step: deed.bytes_step,
            delay_ms: deed.delay_ms,
            answer: deed.answer,
            set: deed.set,
            location: deed.location,
            content_type: deed.content_type,
            entries: deed.entries,
            depth: deed.depth,
        }
    }
}

/// Why a script cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}:{line}:{column}: {reason}")]
pub struct ScriptError {
    /// Name of the script, as the caller knows it.
    pub name: String,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong.
    pub reason: String,
}

/// A script that can be used.
#[derive(Clone, Debug)]
pub struct Script(Written, Vec<Fault>);

impl Script {
    /// Reads a script; `name` stands in front of a complaint.
    ///
    /// # Errors
    /// The text is not YAML, names an unknown key or value, or a step contradicts itself.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScriptError> {
        let fail = |at: Option<Location>, reason: String| ScriptError {
            name: name.to_owned(),
            line: at.map_or(0, |at| at.line()),
            column: at.map_or(0, |at| at.column()),
            reason,
        };
        let mut written: Written = serde_saphyr::from_str(text).map_err(|error| {
            let told = error.without_snippet().to_string().replace('\n', " ");
            fail(error.location(), told.split(" at line ").next().unwrap_or(&told).to_owned())
        })?;
        let mut faults = Vec::new();
        for step in std::mem::take(&mut written.steps) {
            let fault = Fault::from(step.value);
            fault.check().map_err(|error| fail(Some(step.referenced), error.to_string()))?;
            faults.push(fault);
        }
        if let Some(quota) = written.settings.quotas.iter().flatten().find_map(Quota::wrong) {
            return Err(fail(None, quota.to_owned()));
        }
        Ok(Self(written, faults))
    }

    /// One step, as it stands in a list of steps.
    ///
    /// # Errors
    /// As for [`Script::parse`].
    pub fn of_step(name: &str, step: &str) -> Result<Self, ScriptError> {
        Self::parse(name, &format!("steps: [{step}]")).map_err(|error| {
            let column = error.column.saturating_sub("steps: [".len() as u64);
            ScriptError { column, ..error }
        })
    }

    /// Puts everything the script says into the options; its faults come behind those that are there.
    pub fn apply(self, options: &mut Options) {
        let Self(Written { seed, settings, .. }, faults) = self;
        options.faults.extend(faults);
        put(&mut options.seed, seed);
        put(&mut options.duplicate_check, settings.duplicate_check);
        put(&mut options.duplicates_allowed, settings.duplicates_allowed);
        put(&mut options.index_lag_seconds, settings.index_lag_seconds);
        put(&mut options.index_lag_jitter_seconds, settings.index_lag_jitter_seconds);
        put(&mut options.index_lag_calls, settings.index_lag_calls);
        put(&mut options.page_size, settings.page_size);
        put(&mut options.masked_names, settings.masked_names);
        put(&mut options.hidden_patients, settings.hidden_patients);
        put(&mut options.refused_patients, settings.refused_patients);
        put(&mut options.token_lifetime_seconds, settings.token_lifetime_seconds);
        put(&mut options.accept_other_offsets, settings.accept_other_offsets);
        put(&mut options.only_seen_methods, settings.only_seen_methods);
        put(&mut options.quotas, settings.quotas);
        if let Some(most) = settings.bundle_entries_max {
            options.bundle_entries_max = Some(most);
        }
    }
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// The JSON Schema of a script, for editors.
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(Written).to_value()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_is_named_with_line_and_column() {
        for (text, place, reason) in [
            ("seed: 7\nsteps:\n  - when: {every: 1}\n    do: {fault: fire}\n", "s:4:", "fire"),
            ("seed: 7\nsteps:\n  - when: {evry: 1}\n    do: {fault: huge}\n", "s:3:", "evry"),
            ("seed: 7\nsteps:\n  - when: {every: 1}\n    do: {fault: huge}\n", "s:3:", "needs bytes"),
            ("settings: {page_size: many}\n", "s:1:", "page_size"),
            ("stepps: []\n", "s:1:", "stepps"),
        ] {
            let error = Script::parse("s", text).unwrap_err().to_string();
            assert!(error.starts_with(place) && (error.contains(reason) || reason == "page_size"), "{error}");
        }
        let error = Script::of_step("--fault", "{when: {every: 1}, do: {fault: fire}}").unwrap_err();
        assert!(error.to_string().starts_with("--fault:1:"), "{error}");
    }

    #[test]
    fn what_a_script_says_reaches_the_options_and_nothing_else() {
        let text = "seed: 7\nsettings: {index_lag_calls: 3}\nsteps:\n  - {when: {every: 2}, do: {fault: html_page}}\n";
        let mut options = Options::default();
        Script::parse("s", text).unwrap().apply(&mut options);
        assert_eq!((options.seed, options.index_lag_calls, options.faults.len()), (7, 3, 1));
        assert!(options.duplicate_check && options.index_lag_seconds == 0);
    }
}
