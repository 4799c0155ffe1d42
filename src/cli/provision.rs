//! `provision`: what SATUSEHAT must be told about the posyandu of the register before visits can refer to them.
//!
//! A dry run reads the register, maps and checks, and calls nobody. It must not choose between places, nor write the
//! register, which is the user's.

mod create;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::check::{self, scratch};
use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::provision::IDS;
use crate::daemon::{Daemon, set_up};
use crate::ingest::register::Posyandu;
use crate::issue::Issue;
use crate::mapping::registration::Place;
use crate::resource::{self, Outcome, bundle};
use crate::words::{self, Language};

/// The Organizations and Locations of posyandu that SATUSEHAT does not know yet
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway provision --dry-run                          what would be created, and what lacks for it
  posyandu-gateway provision --dry-run --output tempat.ndjson   the resources too, one a line
  posyandu-gateway provision --dry-run --format json
  posyandu-gateway provision --output nomor.csv                 adopt or create what is missing; the ids as CSV

Reads the register of posyandu only. References between resources that have no id yet are written as
Organization?identifier=SYSTEM|VALUE. The organisations above a posyandu are written once for each puskesmas.

What SATUSEHAT holds already, by name under the same organisation or by identifier, is adopted; only the rest is
created, each once however often the command is given. The ids are kept in the ledger and fill the empty columns of the
register when it is read; the register itself is not changed. Stop `run` first: both need the ledger for themselves.")]
pub struct Provision {
    /// Only show it; call nobody
    #[arg(long)]
    pub dry_run: bool,
    /// File for the resources, one a line (NDJSON, dry run), or for the ids of all posyandu (CSV)
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// A resource that would be created.
struct Missing {
    kind: String,
    system: String,
    identifier: String,
    full_url: String,
    /// The resource as it is sent, with `urn:uuid` references.
    json: String,
    /// The resource with readable references.
    resource: Value,
}

/// One posyandu of the register.
struct Found {
    posyandu: Arc<Posyandu>,
    /// The puskesmas' Organization id; `None` when the puskesmas is not configured.
    organization: Option<String>,
    /// Resource types whose id stands in the register.
    there: Vec<&'static str>,
    missing: Vec<Missing>,
    issues: Vec<Issue>,
}

impl Found {
    /// Whether both ids stand in the register.
    fn is_whole(&self) -> bool {
        self.there.len() == IDS.len()
    }

    /// Whether the Organization id is the one of the puskesmas.
    fn is_under_puskesmas(&self) -> bool {
        let id = self.posyandu.record.text("id_organisasi_satusehat");
        id.is_some() && id == self.organization.as_deref()
    }
}

impl Provision {
    /// Runs the command.
    ///
    /// # Errors
    /// Mistakes in configuration or mapping files; no room for a temporary file; the output cannot be written.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let mut config = installation::config(context)?;
        config.reads_in_place = true;
        let language = installation::language(&config, context);
        if !self.dry_run {
            return Box::pin(create::run(config, context, self.output.as_deref(), self.format)).await;
        }
        let temporary = std::env::temp_dir();
        let daemon = check::dry(config, Clock::System, &temporary).await;
        let daemon = daemon.map_err(|error| scratch::named(error, &temporary))?;
        let (register, rows) = daemon.counted_register().await?;
        if rows > 0 {
            print::note(&words::text(language, "provision.rows", &[("jumlah", rows.to_string())]));
        }
        if register.is_empty() {
            print::note(&words::plain(language, "provision.no_register"));
        }
        let found = all(&daemon, register.all())?;
        let shown = once(&found);
        if let Some(path) = &self.output {
            let lines: String = shown.iter().map(|missing| format!("{}\n", missing.resource)).collect();
            std::fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))?;
        }
        match self.format {
            Format::Json => print::result(&as_json(&found, &shown, language)),
            _ => print::result(&as_text(&found, &shown, language)),
        }
        let is_fine = rows == 0 && found.iter().all(|one| one.organization.is_some() && one.issues.is_empty());
        Ok(if is_fine && !register.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
    }
}

fn all(daemon: &Daemon, register: &[Arc<Posyandu>]) -> anyhow::Result<Vec<Found>> {
    let switches = set_up::switches(&daemon.config, &daemon.rules)?;
    register.iter().map(|posyandu| one(daemon, posyandu, &switches)).collect()
}

fn one(daemon: &Daemon, posyandu: &Arc<Posyandu>, switches: &BTreeSet<String>) -> anyhow::Result<Found> {
    let there = IDS.iter().filter(|(field, _)| posyandu.record.get(field).is_some()).map(|(_, kind)| *kind).collect();
    let organization = organization(&daemon.config, posyandu);
    let mut found =
        Found { posyandu: Arc::clone(posyandu), organization, there, missing: Vec::new(), issues: Vec::new() };
    let Some(organization) = found.organization.as_deref().filter(|_| !found.is_whole()) else { return Ok(found) };
    let day = posyandu.zone.date_at(daemon.clock.now());
    let place = Place { organization, posyandu: &posyandu.record, day };
    let (set, profiles) = (&daemon.rules.mappings, &daemon.rules.profiles);
    match set.with_place(&place, |visit, identify| resource::prepare(set, profiles, visit, switches, identify)) {
        Outcome::Stopped(issues) => found.issues = issues.into_iter().filter(Issue::is_error).collect(),
        Outcome::Prepared(prepared) => {
            let names: Vec<(String, String)> = prepared
                .resources
                .iter()
                .map(|one| {
                    let name = format!("{}?identifier={}|{}", one.resource_type, one.system, one.identifier);
                    (one.full_url.clone(), name)
                })
                .collect();
            for ((full_url, json), one) in bundle::entries(&prepared.bundle)?.into_iter().zip(&prepared.resources) {
                let resource = serde_json::from_str(&bundle::resolve(&json, &names))?;
                let (kind, system) = (one.resource_type.clone(), one.system.clone());
                let identifier = one.identifier.clone();
                found.missing.push(Missing { kind, system, identifier, full_url, json, resource });
            }
        }
    }
    Ok(found)
}

fn organization(config: &Config, posyandu: &Posyandu) -> Option<String> {
    let puskesmas = config.puskesmas.iter().find(|puskesmas| puskesmas.name == posyandu.puskesmas)?;
    Some(puskesmas.organization_id.clone())
}

/// Each resource once: the posyandu of a puskesmas share what stands above them.
fn once(found: &[Found]) -> Vec<&Missing> {
    let mut seen = BTreeSet::new();
    let all = found.iter().flat_map(|one| &one.missing);
    all.filter(|missing| seen.insert((&missing.kind, &missing.system, &missing.identifier))).collect()
}

fn count(shown: &[&Missing], kind: &str) -> usize {
    shown.iter().filter(|missing| missing.kind == kind).count()
}

/// How many posyandu are whole, could be created, and cannot.
fn tally(found: &[Found]) -> (usize, usize, usize) {
    let whole = found.iter().filter(|one| one.is_whole()).count();
    let ready = found.iter().filter(|one| !one.missing.is_empty()).count();
    (whole, ready, found.len() - whole - ready)
}

/// What keeps posyandu from being registered.
fn lacking(found: &[Found], language: Language) -> Vec<String> {
    let mut lines = Vec::new();
    for one in found {
        let posyandu = &one.posyandu;
        let line = |key: &str, name: &str, value: String| {
            let values = [("posyandu", posyandu.name.clone()), ("kode", posyandu.code.clone()), (name, value)];
            words::text(language, key, &values)
        };
        if one.organization.is_none() {
            lines.push(line("provision.no_puskesmas", "puskesmas", posyandu.puskesmas.clone()));
        }
        lines.extend(one.issues.iter().map(|issue| line("provision.cannot", "kata", words::of_issue(language, issue))));
    }
    lines
}

fn as_text(found: &[Found], shown: &[&Missing], language: Language) -> String {
    let mut lines = Vec::new();
    for one in found {
        let posyandu = &one.posyandu;
        let line = |key: &str, name: &str, value: String| {
            let values = [("posyandu", posyandu.name.clone()), ("kode", posyandu.code.clone()), (name, value)];
            words::text(language, key, &values)
        };
        if !one.there.is_empty() {
            lines.push(line("provision.there", "bagian", one.there.join(", ")));
        }
        if one.is_under_puskesmas() {
            lines.push(line("provision.puskesmas_itself", "bagian", String::new()));
        }
        if !one.missing.is_empty() {
            let names: Vec<String> =
                one.missing.iter().map(|missing| format!("{} {}", missing.kind, missing.identifier)).collect();
            lines.push(line("provision.would", "bagian", names.join(", ")));
        }
    }
    lines.extend(lacking(found, language));
    let (whole, ready, lacking) = tally(found);
    let values = [
        ("posyandu", found.len()),
        ("lengkap", whole),
        ("siap", ready),
        ("organisasi", count(shown, "Organization")),
        ("lokasi", count(shown, "Location")),
        ("kurang", lacking),
    ];
    lines.push(words::text(language, "provision.total", &values.map(|(name, number)| (name, number.to_string()))));
    lines.join("\n")
}

fn as_json(found: &[Found], shown: &[&Missing], language: Language) -> String {
    let posyandu: Vec<Value> = found
        .iter()
        .map(|one| {
            let record = &one.posyandu.record;
            let identifiers = |missing: &Missing| json!({"resource_type": missing.kind, "value": missing.identifier});
            json!({
                "code": one.posyandu.code, "name": one.posyandu.name, "puskesmas": one.posyandu.puskesmas,
                "puskesmas_organization": one.organization,
                "organization": record.text("id_organisasi_satusehat"), "location": record.text("id_lokasi_satusehat"),
                "organization_is_puskesmas": one.is_under_puskesmas(),
                "would_create": one.missing.iter().map(identifiers).collect::<Vec<_>>(),
                "issues": one.issues.iter().map(|issue| {
                    json!({"rule": issue.rule, "text": words::of_issue(language, issue)})
                }).collect::<Vec<_>>(),
            })
        })
        .collect();
    let (whole, ready, lacking) = tally(found);
    json!({
        "dry_run": true, "posyandu": posyandu, "there": whole, "ready": ready, "lacking": lacking,
        "organizations": count(shown, "Organization"), "locations": count(shown, "Location"),
        "resources": shown.iter().map(|missing| &missing.resource).collect::<Vec<_>>(),
    })
    .to_string()
}
