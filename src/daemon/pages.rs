//! Sets the pages for people up from the configuration: what they may know of mapping, lanes and proxies.
//!
//! It must not open them to other machines without TLS and accounts: that is refused, not warned about.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::{Daemon, DaemonError};
use crate::config::assets::Rules;
use crate::http::dashboard::{Dashboard, Lane, MappedResource, MappingSheet, Options, Proxy, StoppedLane};
use crate::ingest::intake::Intake;
use crate::remote::breaker::Stopped;

/// Measurements of the last day, in the data folder.
const SAMPLES: &str = "samples.ndjson";

impl Daemon {
    /// The pages; none when they are turned off.
    ///
    /// # Errors
    /// They would be reached from other machines without TLS or without accounts; failures of the ledger.
    pub(super) async fn dashboard(
        &self,
        address: SocketAddr,
        takes_records: bool,
        intake: &Arc<Intake>,
    ) -> Result<Option<Dashboard>, DaemonError> {
        let setting = &self.config.dashboard;
        if !setting.enabled {
            return Ok(None);
        }
        if !address.ip().is_loopback() {
            let missing = match (setting.public_url.is_empty(), self.ledger.accounts().await?.is_empty()) {
                (true, _) => "put a proxy with TLS in front and write its address under [dashboard] public_url",
                (false, true) => "make an account first (`posyandu-gateway account add`)",
                (false, false) => "",
            };
            if !missing.is_empty() {
                return Err(DaemonError::Setting(format!(
                    "[http] listen: {address} is reached from other machines, and the pages would be too: {missing}, or \
                     turn them off with [dashboard] enabled = false"
                )));
            }
        }
        let lane = |one: &crate::config::sections::Puskesmas| Lane {
            name: one.name.clone(),
            zone: one.timezone,
            per_minute: one.requests_per_minute,
        };
        let proxy = match setting.proxy_header.parse() {
            Ok(header) => Some(Proxy { header, addresses: setting.proxy_addresses.clone() }),
            Err(_) => None,
        };
        let options = Options {
            language: self.config.language.language(),
            zone: self.config.puskesmas.first().map_or(crate::clock::Zone::Wib, |puskesmas| puskesmas.timezone),
            lanes: self.config.puskesmas.iter().map(lane).collect(),
            public_url: (!setting.public_url.is_empty()).then(|| setting.public_url.clone()),
            proxy,
            // What a proxy passes on for apps looks as if it came from this machine.
            guests: !takes_records,
            read_stop,
            mapping: Arc::new(sheet(&self.rules)),
            observed: self.observed.clone(),
            samples_file: Some(self.config.data_folder().join(SAMPLES)),
        };
        let (ledger, keys) = (Arc::clone(&self.ledger), Arc::clone(&self.keys));
        Ok(Some(Dashboard::new(options, ledger, keys, self.clock.clone(), Arc::clone(intake))))
    }
}

/// The note that delivery keeps about a stopped lane.
fn read_stop(note: &str) -> Option<StoppedLane> {
    let Stopped { why, words, since, try_at, first_refusal, looked: _ } = serde_json::from_str(note).ok()?;
    Some(StoppedLane { why: why.word(), words, since, try_at, first_refusal })
}

/// What is reported how, as lines.
pub fn sheet(rules: &Rules) -> MappingSheet {
    let mut resources = Vec::new();
    for mapping in rules.mappings.all() {
        let mut fields: BTreeMap<(&str, usize), BTreeSet<String>> = BTreeMap::new();
        for one in rules.mappings.uses(mapping) {
            fields.entry((&one.plan.name, one.plan.position.line)).or_default().insert(one.field_name());
        }
        for plan in &mapping.plans {
            let own = fields.remove(&(plan.name.as_str(), plan.position.line)).unwrap_or_default();
            resources.push(MappedResource {
                dataset: mapping.dataset.clone(),
                name: plan.name.clone(),
                resource_type: plan.resource_type.clone(),
                certainty: plan.certainty.word().to_owned(),
                source: plan.source.clone(),
                place: format!("{}:{}", plan.file, plan.position.line),
                fields: own.into_iter().collect(),
            });
        }
    }
    MappingSheet { version: rules.mappings.version.clone(), resources }
}
