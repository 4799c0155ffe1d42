//! `mapping diff`: what another mapping would make of the configured sources or the cases, and how many visits that are
//! at SATUSEHAT already it touches.
//!
//! A dry run: it changes nothing, calls nobody and shows no value of a record.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::plan;
use crate::cli::check::{self, scratch};
use crate::cli::exit::Exit;
use crate::cli::{Context, Format, installation, print, run};
use crate::clock::Clock;
use crate::config::Config;
use crate::config::assets::{self, Rules};
use crate::config::ledger::LedgerHome;
use crate::daemon::Daemon;
use crate::ledger::entry::NewEntry;
use crate::ledger::plan::NewPlan;
use crate::ledger::row::VisitRecords;
use crate::mapping::case::{self, Case};
use crate::mapping::compare::{Comparison, Counts, Made};
use crate::mapping::set::{MappingSet, VISIT};
use crate::mapping::tree::{self, Node};
use crate::seal::Keys;
use crate::words::{self, Language};

/// What `mapping diff` is asked.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// Mapping folder, `built-in`, or `current` for the configured one
    #[arg(value_name = "OLD")]
    old: String,
    /// The same
    #[arg(value_name = "NEW")]
    new: String,
    /// Only these sources
    #[arg(long, value_name = "SOURCE", num_args = 1..)]
    records: Vec<String>,
    /// The test cases of NEW instead of the sources
    #[arg(long, conflicts_with = "records")]
    cases: bool,
}

impl Diff {
    /// Compares and prints.
    pub(super) async fn run(&self, config: Config, format: Format, context: &Context) -> anyhow::Result<Exit> {
        let language = installation::language(&config, context);
        let old_rules = self.rules(&config, &self.old)?;
        let (comparison, sent) = if self.cases {
            let new_rules = self.rules(&config, &self.new)?;
            (self.on_cases(&config, &old_rules, &new_rules)?, None)
        } else {
            let temporary = std::env::temp_dir();
            let done = Box::pin(self.on_sources(config, &old_rules, &temporary)).await;
            done.map_err(|error| scratch::named(error, &temporary))?
        };
        print::result(&match format {
            Format::Json => as_json(&comparison, sent.as_ref()).to_string(),
            _ => as_text(&comparison, sent.as_ref(), language),
        });
        Ok(Exit::Fine)
    }

    fn rules(&self, config: &Config, name: &str) -> anyhow::Result<Rules> {
        let mut config = config.clone();
        config.mapping.directory = folder(&config, name)?;
        installation::rules(&config)
    }

    fn on_cases(&self, config: &Config, old: &Rules, new: &Rules) -> anyhow::Result<Comparison> {
        let mut comparison = Comparison::new(&old.mappings, &new.mappings);
        let folder = folder(config, &self.new)?;
        let cases = assets::mapping_cases((!folder.as_os_str().is_empty()).then_some(folder.as_path()))?;
        for (file, text) in cases {
            let made = |set: &MappingSet| Case::parse(&file, &text, set).map(|case| drafted(set, &case));
            // What one of them has no words for, such as a dataset without a mapping, it makes nothing of.
            comparison.add(made(&old.mappings).unwrap_or_default(), made(&new.mappings).unwrap_or_default());
        }
        Ok(comparison)
    }

    async fn on_sources(
        &self,
        mut config: Config,
        old: &Rules,
        temporary: &Path,
    ) -> anyhow::Result<(Comparison, Option<NewPlan>)> {
        config.mapping.directory = folder(&config, &self.new)?;
        config.reads_in_place = true;
        check::narrow(&mut config, &self.records)?;
        let mut daemon = check::dry(config, Clock::System, temporary).await?;
        let known = daemon.rules.mappings.switches();
        let accepted = daemon.config.mapping.accept_guesses.clone();
        daemon.config.mapping.accept_guesses.retain(|switch| known.contains(switch.as_str()));
        let mut comparison = Comparison::new(&old.mappings, &daemon.rules.mappings);
        let keys = std::sync::Arc::clone(&daemon.keys);
        let mut seen = |visit: &VisitRecords, was: &NewEntry, now: &NewEntry| {
            let before = (!was.refused).then(|| resources(&old.mappings, &keys, visit, was));
            let after = (!now.refused).then(|| resources(&daemon.rules.mappings, &keys, visit, now));
            comparison.add(before, after);
        };
        let register = daemon.compared(old, &accepted, &mut seen).await?;
        let sent = match ledger(&daemon).await? {
            None => None,
            Some(ledger) => {
                let plan = daemon.plan_in(&ledger, &register).await;
                ledger.close().await?;
                Some(plan?)
            }
        };
        run::close(daemon).await?;
        Ok((comparison, sent))
    }
}

/// The folder that a name means; empty for the built-in files.
fn folder(config: &Config, name: &str) -> anyhow::Result<PathBuf> {
    Ok(match name {
        "built-in" => PathBuf::new(),
        "current" => installation::mapping_folder(config).unwrap_or_default(),
        _ => {
            let folder = std::path::absolute(name)?;
            anyhow::ensure!(folder.is_dir(), "`{name}` is no folder: name a mapping folder, `built-in` or `current`");
            folder
        }
    })
}

/// The ledger of the installation for looking at it; `None` when there is none yet.
async fn ledger(daemon: &Daemon) -> anyhow::Result<Option<crate::ledger::Ledger>> {
    let is_absent = match daemon.config.ledger_home()? {
        LedgerHome::File(options) => !options.path.is_file(),
        LedgerHome::Server(_) => false,
    };
    if !daemon.config.key_file().is_file() || is_absent {
        return Ok(None);
    }
    let (_, ledger) = installation::ledger_to_read(&daemon.config, Clock::System).await.context("the ledger")?;
    Ok(Some(ledger))
}

/// The resources of a case; `None` when an error stops it.
fn drafted(set: &MappingSet, case: &Case) -> Option<Vec<Made>> {
    case.with_visit(|visit, switches| {
        let draft = set.draft(visit, switches, &case::identify);
        if draft.issues.iter().any(crate::issue::Issue::is_error) {
            return None;
        }
        let made = draft.resources.into_iter().filter_map(|resource| {
            let dataset = match resource.record {
                None => VISIT,
                Some(index) => &visit.records[index].0.schema.dataset,
            };
            let content = tree::parse(&resource.plan.name, &resource.json).ok()?;
            Some(Made { dataset: dataset.to_owned(), identifier: resource.identifier, content })
        });
        Some(made.collect())
    })
}

/// What stands for a dataset that no record of the visit has.
const DERIVED: &str = "-";

/// The resources of a visit's entry with the datasets they came from.
fn resources(set: &MappingSet, keys: &Keys, visit: &VisitRecords, entry: &NewEntry) -> Vec<Made> {
    let records = visit.records.iter().map(|record| (record.record.dataset.as_str(), record.record.record_key));
    let places: Vec<(&str, [u8; 32])> = std::iter::once((VISIT, visit.visit_key)).chain(records).collect();
    let dataset_of = |identifier: &str| {
        let found = places.iter().find(|(dataset, key)| {
            let key = data_encoding::HEXLOWER.encode(key);
            let plans = set.all().filter(|mapping| mapping.dataset == *dataset).flat_map(|mapping| &mapping.plans);
            plans.into_iter().any(|plan| keys.identifier("resource", &[&plan.name, &key]) == identifier)
        });
        found.map_or(DERIVED, |(dataset, _)| dataset).to_owned()
    };
    // JSON is YAML too; reading it as such keeps every digit of a number.
    let bundle = tree::parse("bundle", entry.bundle.reveal()).ok();
    let entries = bundle.as_ref().and_then(|bundle| bundle.member("entry")).and_then(Node::entries).unwrap_or_default();
    let content = |url: &str| {
        let one = entries.iter().find(|one| one.member("fullUrl").and_then(Node::text) == Some(url))?;
        one.member("resource").cloned()
    };
    let made = entry.resources.iter().filter_map(|resource| {
        let content = content(&resource.full_url)?;
        let identifier = resource.identifier_value.clone();
        Some(Made { dataset: dataset_of(&identifier), identifier, content })
    });
    made.collect()
}

fn as_json(comparison: &Comparison, sent: Option<&NewPlan>) -> Value {
    let counts = |counts: &Counts| json!({"added": counts.added, "removed": counts.removed, "changed": counts.changed, "equal": counts.equal});
    let datasets: serde_json::Map<String, Value> =
        comparison.datasets.iter().map(|(dataset, one)| (dataset.clone(), counts(one))).collect();
    let elements = comparison.elements.iter().map(|((dataset, path, old, new), times)| {
        json!({"dataset": dataset, "element": path, "old": old, "new": new, "times": times})
    });
    let delivered = sent.map(|plan| {
        json!({
            "visits": plan.visits.len(), "visits_refused": plan.effect.refused,
            "resources": {"added": plan.effect.added, "changed": plan.effect.changed, "left_out": plan.effect.left_out},
        })
    });
    json!({
        "visits": comparison.visits, "differing": comparison.differing, "freed": comparison.freed,
        "stopped": comparison.stopped, "datasets": datasets, "elements": elements.collect::<Vec<_>>(),
        "delivered": delivered,
    })
}

fn as_text(comparison: &Comparison, sent: Option<&NewPlan>, language: Language) -> String {
    let text = |key: &str, values: &[(&str, String)]| words::text(language, key, values);
    let numbers = [
        ("kunjungan", comparison.visits.to_string()),
        ("beda", comparison.differing.to_string()),
        ("bebas", comparison.freed.to_string()),
        ("tahan", comparison.stopped.to_string()),
    ];
    let mut lines = vec![text("mapping.diff.visits", &numbers)];
    for (dataset, counts) in &comparison.datasets {
        let numbers = [
            ("data", dataset.clone()),
            ("tambah", counts.added.to_string()),
            ("hapus", counts.removed.to_string()),
            ("ubah", counts.changed.to_string()),
            ("sama", counts.equal.to_string()),
        ];
        lines.push(text("mapping.diff.dataset", &numbers));
        for ((_, path, old, new), times) in comparison.elements.iter().filter(|((of, ..), _)| of == dataset) {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
            lines.push(format!("    {path}: {} → {} ({times}×)", shown(old), shown(new)));
        }
    }
    match sent {
        None => lines.push(words::plain(language, "mapping.diff.no_ledger")),
        Some(plan) => {
            lines.push(text("mapping.diff.delivered", &[("kunjungan", plan.visits.len().to_string())]));
            lines.extend(plan::effect_lines(plan.effect, language));
        }
    }
    lines.join("\n")
}
