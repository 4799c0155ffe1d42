//! `doctor`: looks at everything a run needs and says in one line each what is fine and what to do.
//!
//! It sends no record. It asks the server for a token and reads the clock of its answer.

use clap::Args;
use serde_json::{Value, json};

use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::sealing::SKEW_MAX;
use crate::daemon::set_up;
use crate::remote::lane::Lane;
use crate::remote::search::SearchAnswer;
use crate::source::folder::Folder;
use crate::source::problem::SourceError;
use crate::words::{self, Language};

/// Check configuration, keys, ledger, sources, clock and reachability
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  posyandu-gateway doctor\n  posyandu-gateway doctor --format json --offline")]
pub struct Doctor {
    /// Ask no server
    #[arg(long)]
    pub offline: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

struct Finding {
    what: &'static str,
    exit: Exit,
    text: String,
}

impl Finding {
    fn fine(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, exit: Exit::Fine, text: text.into() }
    }

    fn of(what: &'static str, error: &anyhow::Error) -> Self {
        Self { what, exit: super::exit::of(error), text: super::advice::sentence(error) }
    }
}

impl Doctor {
    /// Runs the command.
    ///
    /// # Errors
    /// Never for a finding; findings are printed.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut findings = Vec::new();
        match installation::config(context) {
            Err(error) => findings.push(Finding::of("configuration", &error)),
            Ok(config) => {
                findings.push(Finding::fine("configuration", context.config.display().to_string()));
                mappings(&config, &mut findings);
                storage(&config, &mut findings).await;
                sources(&config, self.offline, &mut findings).await;
                let lanes = lanes(&config, &mut findings);
                if !self.offline {
                    servers(lanes, &mut findings).await;
                }
            }
        }
        self.print(&findings);
        Ok(findings.iter().map(|finding| finding.exit).max_by_key(|exit| *exit as u8).unwrap_or(Exit::Fine))
    }

    fn print(&self, findings: &[Finding]) {
        if self.format == Format::Json {
            let list: Vec<Value> = findings
                .iter()
                .map(|one| json!({"what": one.what, "fine": one.exit == Exit::Fine, "text": one.text}))
                .collect();
            print::result(&json!({ "findings": list }).to_string());
            return;
        }
        for one in findings {
            let mark = if one.exit == Exit::Fine { "ok     " } else { "PROBLEM" };
            print::result(&format!("{mark} {:<14} {}", one.what, one.text));
        }
    }
}

fn mappings(config: &Config, findings: &mut Vec<Finding>) {
    match installation::rules(config) {
        Err(error) => findings.push(Finding::of("mappings", &error)),
        Ok(rules) => {
            findings.push(match set_up::switches(config, &rules) {
                Ok(on) => {
                    let text = format!("version {}, {} switch(es) on", rules.mappings.version, on.len());
                    Finding::fine("mappings", text)
                }
                Err(error) => Finding::of("mappings", &error.into()),
            });
        }
    }
}

async fn storage(config: &Config, findings: &mut Vec<Finding>) {
    let key_file = config.key_file();
    match installation::keys(config) {
        Err(error) => findings.push(Finding::of("keys", &error)),
        Ok(_) if key_file.starts_with(config.data_folder()) => findings
            .push(Finding::fine("keys", format!("{} (better on another disk than the ledger)", key_file.display()))),
        Ok(_) => findings.push(Finding::fine("keys", key_file.display().to_string())),
    }
    match installation::ledger_to_read(config, Clock::System).await {
        Err(error) => findings.push(Finding::of("ledger", &error)),
        Ok((_, ledger)) => {
            let counts = ledger.counts(&crate::ledger::reading::Filter::default()).await;
            findings.push(match counts {
                Ok(counts) => Finding::fine("ledger", format!("{} rows, readable", counts.read)),
                Err(error) => Finding::of("ledger", &error.into()),
            });
        }
    }
}

async fn sources(config: &Config, offline: bool, findings: &mut Vec<Finding>) {
    let sources = match set_up::sources(config) {
        Ok(sources) => sources,
        Err(error) => return findings.push(Finding::of("sources", &error.into())),
    };
    if !sources.iter().any(|source| source.profile.posyandu) {
        let text = "no source is the register of posyandu: without it no visit has a place".to_owned();
        findings.push(Finding { what: "sources", exit: Exit::Usage, text });
    }
    for source in sources.into_iter().filter(|source| !(offline && source.location.server.is_some())) {
        findings.push(source_finding(&source).await);
    }
}

/// Whether a source can be opened and has the columns its profile reads.
async fn source_finding(source: &crate::ingest::Source) -> Finding {
    let (name, title) = (&source.location.source, &source.profile.title);
    if source.folder.is_some() {
        let looked = Folder::open(&source.location.path).and_then(|folder| folder.look(Clock::System.now()));
        return match looked {
            Ok(sight) => Finding::fine("source", format!("{name}: a folder with {} file(s)", sight.files.len())),
            Err(error) => {
                let text = format!("{name}: the folder {} cannot be read: {error}", source.location.path.display());
                Finding { what: "source", exit: Exit::Usage, text }
            }
        };
    }
    match crate::source::open(&source.profile, &source.location).await {
        Ok(mut rows) => {
            let advice = match rows.may_write().await {
                Some(true) => "; its account may also change the database: give it one that can only read",
                _ => "",
            };
            Finding::fine("source", format!("{name}: readable as {title}{advice}"))
        }
        Err(error) => {
            let unreachable = matches!(error, SourceError::Unreachable { .. } | SourceError::Lost { .. });
            let exit = if unreachable { Exit::OtherSide } else { Exit::Usage };
            let sentence = words::of_issue(Language::English, &error.issue(&source.location));
            let text = match source.location.server {
                Some(_) => format!("{name}: {error}. {sentence}"),
                None => format!("{name}: {error}"),
            };
            Finding { what: "source", exit, text }
        }
    }
}

/// The lanes whose secret and address can be used, each with the puskesmas' organization.
fn lanes(config: &Config, findings: &mut Vec<Finding>) -> Vec<(Lane, String)> {
    let mut usable = Vec::new();
    if config.puskesmas.is_empty() {
        let text = "no [[puskesmas]] is configured: nothing can be sent".to_owned();
        findings.push(Finding { what: "access", exit: Exit::Usage, text });
    }
    for puskesmas in &config.puskesmas {
        match set_up::lane(config, puskesmas, &Clock::System) {
            Ok(lane) => {
                let text = format!("{}: the client secret can be read", puskesmas.name);
                findings.push(Finding::fine("secret", text));
                usable.push((lane, puskesmas.organization_id.clone()));
            }
            Err(error) => findings.push(Finding::of("secret", &error.into())),
        }
    }
    usable
}

async fn servers(lanes: Vec<(Lane, String)>, findings: &mut Vec<Finding>) {
    for (lane, organization) in lanes {
        let name = &lane.name;
        // The puskesmas' own Organization: proves token, permission and address in one harmless read.
        let answer = lane.remote.search("Organization", &[("_id", organization.as_str())]).await;
        findings.push(match answer {
            SearchAnswer::Found(_) => Finding::fine("access", format!("{name}: SATUSEHAT answers")),
            SearchAnswer::Failed(answer) => Finding {
                what: "access",
                exit: Exit::OtherSide,
                text: format!("{name}: {} {}", answer.class.name(), answer.excerpt),
            },
        });
        if let Some(skew) = lane.remote.clock_skew()
            && skew > SKEW_MAX
        {
            let text = format!("this computer differs from SATUSEHAT by {} s: set the clock", skew.as_secs());
            findings.push(Finding { what: "clock", exit: Exit::Usage, text });
        }
    }
}
