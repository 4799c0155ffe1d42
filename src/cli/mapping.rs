//! `mapping`: what the mapping files say, and whether their test cases hold.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::Exit;
use super::{Context, Format, installation, print, rules};
use crate::config::Config;
use crate::config::assets::{self, Rules};
use crate::mapping::case::{self, Case};

/// The mapping files: list them, or run their tests
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway mapping list
  posyandu-gateway mapping test
  posyandu-gateway mapping test --bless      in a copy of the mapping folder: write down what comes out as expected")]
pub struct Mapping {
    /// Folder with mapping files, instead of the configured or built-in ones
    #[arg(long, value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    command: What,
}

const LIST_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping list
  posyandu-gateway mapping list --directory mappings --format json";

const TEST_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping test
  posyandu-gateway mapping test --directory mappings
  posyandu-gateway mapping test --directory mappings --bless";

const RULES_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping rules
  posyandu-gateway mapping rules 10398
  posyandu-gateway mapping rules --format json";

#[derive(Debug, Subcommand)]
enum What {
    /// Every resource that the mappings may yield, with its certainty and source
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Run the test cases of the mapping files
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// Write what comes out as what is expected (needs a folder)
        #[arg(long)]
        bless: bool,
    },
    /// SATUSEHAT's published rules: what is looked at before sending, and what cannot be
    #[command(after_help = RULES_EXAMPLES)]
    Rules {
        /// Only this rule, in full
        number: Option<u32>,
    },
}

impl Mapping {
    /// Runs the command.
    ///
    /// # Errors
    /// Mistakes in the mapping files.
    pub fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut config = if context.config.exists() {
            installation::config(context)?
        } else {
            Config::parse(&context.config, "", PathBuf::new(), std::iter::empty())?
        };
        if let Some(folder) = &self.directory {
            config.mapping.directory = std::path::absolute(folder)?;
        }
        let loaded = installation::rules(&config)?;
        match self.command {
            What::Rules { number } => {
                print::result(&rules::list(&loaded.profiles.dictionary, number, self.format)?);
                Ok(Exit::Fine)
            }
            What::List => {
                print::result(&self.list(&loaded, &config.mapping.accept_guesses));
                Ok(Exit::Fine)
            }
            What::Test { bless } => self.test(&config, &loaded, bless),
        }
    }

    fn list(&self, rules: &Rules, accepted: &[String]) -> String {
        if self.format == Format::Json {
            let resources: Vec<Value> = rules
                .mappings
                .all()
                .flat_map(|mapping| mapping.plans.iter().map(move |plan| (mapping, plan)))
                .map(|(mapping, plan)| {
                    json!({
                        "dataset": mapping.dataset, "name": plan.name, "resource_type": plan.resource_type,
                        "certainty": plan.certainty.word(), "switch": plan.switch, "source": plan.source,
                        "file": plan.file, "line": plan.position.line,
                    })
                })
                .collect();
            return json!({"version": rules.mappings.version, "resources": resources}).to_string();
        }
        let mut lines = vec![format!("mapping version {}", rules.mappings.version)];
        for mapping in rules.mappings.all() {
            lines.push(format!("\n{} ({}, version {})", mapping.dataset, mapping.file, mapping.version));
            for plan in &mapping.plans {
                let certainty = plan.certainty.word();
                lines.push(format!("  {:<26} {:<20} {certainty:<12} {}", plan.name, plan.resource_type, plan.source));
            }
            for (switch, meaning) in &mapping.switches {
                let state = if accepted.contains(switch) { "on" } else { "off" };
                lines.push(format!("  switch {switch} ({state}): {meaning}"));
            }
        }
        lines.join("\n")
    }

    fn test(&self, config: &Config, loaded: &Rules, bless: bool) -> anyhow::Result<Exit> {
        let folder = installation::mapping_folder(config);
        anyhow::ensure!(!bless || folder.is_some(), "--bless writes files: name their folder with --directory");
        let cases = assets::mapping_cases(folder.as_deref())?;
        anyhow::ensure!(!cases.is_empty(), "there is no case in tests/ beside the mapping files");
        let (mut passed, mut failed, mut disputed) = (0, Vec::new(), BTreeSet::new());
        for (file, text) in &cases {
            let case = Case::parse(file, text, &loaded.mappings).map_err(|problems| {
                problems.iter().for_each(|problem| print::note(&problem.to_string()));
                anyhow::anyhow!("{file} is no mapping case")
            })?;
            if let (true, Some(folder)) = (bless, &folder) {
                let path = folder.join(file);
                std::fs::write(&path, case::bless(&loaded.mappings, &case, text))
                    .with_context(|| format!("cannot write {}", path.display()))?;
                continue;
            }
            let mut result = case::run(&loaded.mappings, &case);
            let held = rules::hold(loaded, &case);
            disputed.extend(held.disputed);
            result.passed &= held.broken.is_empty();
            result.differences.extend(held.broken);
            if result.passed {
                passed += 1;
            } else {
                failed.push((file.clone(), result));
            }
        }
        if bless {
            print::note(&format!("{} cases written; read them before you keep them", cases.len()));
            return Ok(Exit::Fine);
        }
        if self.format == Format::Json {
            let list: Vec<Value> = failed
                .iter()
                .map(|(file, result)| json!({"file": file, "case": result.name, "differences": result.differences}))
                .collect();
            print::result(&json!({"passed": passed, "failed": list, "disputed": disputed}).to_string());
        } else {
            for (file, result) in &failed {
                print::result(&format!("FAILED {file}: {}", result.name));
                result.differences.iter().for_each(|difference| print::result(&format!("  {difference}")));
            }
            disputed.iter().for_each(|sentence| print::result(&format!("disputed {sentence}")));
            print::result(&format!("{passed} passed, {} failed", failed.len()));
        }
        Ok(if failed.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
    }
}
