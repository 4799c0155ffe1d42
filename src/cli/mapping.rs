//! `mapping`: what the mapping files say, and whether their test cases hold.
//!
//! It must not change what is sent: that follows from the files and, for what was delivered, from approved plans.

mod explain;
mod test;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::config::Config;
use crate::config::assets::Rules;

/// The mapping files: list them, or run their tests
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway mapping list
  posyandu-gateway mapping explain kunjungan_balita
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
  posyandu-gateway mapping test --coverage            which lines of the mapping files no case touches
  posyandu-gateway mapping test --directory mappings
  posyandu-gateway mapping test --directory mappings --bless";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping explain kunjungan_balita         what each field of a dataset becomes
  posyandu-gateway mapping explain --field lila             the same for one field, in every dataset
  posyandu-gateway mapping explain --resource Observation   which fields a type of resource is made of
  posyandu-gateway mapping explain imunisasi --format json";

#[derive(Debug, Subcommand)]
enum What {
    /// Every resource that the mappings may yield, with its certainty and source
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// What each field becomes: element, code and certainty; and which fields are not reported, and why
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(explain::Explain),
    /// Run the test cases of the mapping files
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// Write what comes out as what is expected (needs a folder)
        #[arg(long)]
        bless: bool,
        /// Tell also which lines of the mapping files no case touches
        #[arg(long, conflicts_with = "bless")]
        coverage: bool,
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
        let rules = installation::rules(&config)?;
        match &self.command {
            What::List => {
                print::result(&self.list(&rules, &config.mapping.accept_guesses));
                Ok(Exit::Fine)
            }
            What::Explain(explain) => {
                explain.run(&rules.mappings, self.format, installation::language(&config, context))
            }
            What::Test { bless, coverage } => test::run(&config, &rules, self.format, *bless, *coverage),
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
}
