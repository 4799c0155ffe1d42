//! `mapping`: what the mapping files say, and whether their test cases hold.
//!
//! It must not change what is sent: that follows from the files and, for what was delivered, from approved plans.

mod dictionary;
mod diff;
mod explain;
mod plan;
mod test;

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::exit::Exit;
use super::{Context, Format, installation, print, rules};
use crate::config::Config;
use crate::config::assets::Rules;
use crate::config::editor;
use crate::words;

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

const RULES_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping rules
  posyandu-gateway mapping rules 10398
  posyandu-gateway mapping rules --format json";
const EXPLAIN_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping explain kunjungan_balita         what each field of a dataset becomes
  posyandu-gateway mapping explain --field lila             the same for one field, in every dataset
  posyandu-gateway mapping explain --resource Observation   which fields a type of resource is made of
  posyandu-gateway mapping explain imunisasi --format json";

const DICTIONARY_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping dictionary --output kamus.html
  posyandu-gateway --lang en mapping dictionary --output dictionary.html";

const DIFF_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping diff current pemetaan-baru                   on all configured sources
  posyandu-gateway mapping diff current built-in --records penimbangan  on one source
  posyandu-gateway mapping diff built-in pemetaan-baru --cases          on the test cases of the new folder

Nothing is changed and nobody is called. Values of records are masked; only words of the mapping files are shown.";

const PLAN_EXAMPLES: &str = "\
Examples:
  posyandu-gateway mapping plan                                              what would be sent again; makes plan 1
  posyandu-gateway mapping plans                                             all plans and whether they are approved
  posyandu-gateway mapping approve 1 --reason 'Kode LiLA diganti Dinas'      the next round sends it again

Plans stand in the ledger, so stop `run` first. A visit that was not delivered yet follows a changed mapping at once and
needs no plan.";

#[derive(Debug, Subcommand)]
enum What {
    /// Every resource that the mappings may yield, with its certainty and source
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// What each field becomes: element, code and certainty; and which fields are not reported, and why
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(explain::Explain),
    /// What another mapping would change, on the configured sources or the cases
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(diff::Diff),
    /// Plan to send delivered visits again with the changed mapping; nothing is sent before it is approved
    #[command(after_help = PLAN_EXAMPLES)]
    Plan,
    /// The plans with what became of them
    Plans,
    /// Approve a plan; the next round sends its visits again
    #[command(after_help = PLAN_EXAMPLES)]
    Approve(plan::Approve),
    /// Write the data dictionary: every field and what becomes of it, as one HTML file to read and print
    #[command(after_help = DICTIONARY_EXAMPLES)]
    Dictionary {
        /// The file to write; what stands there is replaced
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
    /// The JSON Schema of mapping files, for editors
    Schema,
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
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut config = if context.config.exists() {
            installation::config(context)?
        } else {
            Config::parse(&context.config, "", PathBuf::new(), std::iter::empty())?
        };
        if let Some(folder) = &self.directory {
            config.mapping.directory = std::path::absolute(folder)?;
        }
        match &self.command {
            What::Diff(diff) => Box::pin(diff.run(config, self.format, context)).await,
            What::Plan => Box::pin(plan::make(config, self.format, context)).await,
            What::Plans => plan::list(config, self.format, context).await,
            What::Approve(approve) => Box::pin(approve.run(config, self.format, context)).await,
            What::Rules { number } => {
                let loaded = installation::rules(&config)?;
                print::result(&rules::list(&loaded.profiles.dictionary, *number, self.format)?);
                Ok(Exit::Fine)
            }
            What::List => {
                let rules = installation::rules(&config)?;
                print::result(&self.list(&rules, &config.mapping.accept_guesses));
                Ok(Exit::Fine)
            }
            What::Explain(explain) => {
                let rules = installation::rules(&config)?;
                explain.run(&rules.mappings, self.format, installation::language(&config, context))
            }
            What::Dictionary { output } => {
                let language = installation::language(&config, context);
                let document = dictionary::html(&installation::rules(&config)?, language);
                std::fs::write(output, document).with_context(|| format!("cannot write {}", output.display()))?;
                let file = output.display().to_string();
                print::result(&words::text(language, "mapping.dictionary.written", &[("berkas", &file)]));
                Ok(Exit::Fine)
            }
            What::Schema => {
                let rules = installation::rules(&config)?;
                print::result(&format!("{:#}", editor::mapping(&rules.schemas, &rules.profiles)));
                Ok(Exit::Fine)
            }
            What::Test { bless, coverage } => {
                test::run(&config, &installation::rules(&config)?, self.format, *bless, *coverage)
            }
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
