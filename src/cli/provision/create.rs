//! `provision` for real: goes through the register, has what is missing adopted or created, and tells the ids.
//!
//! It decides nothing and never writes the register: the ids stand in the ledger and, on request, in a CSV file.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{Found, Missing, all};
use crate::cli::exit::Exit;
use crate::cli::{Context, Format, installation, print};
use crate::clock::Clock;
use crate::config::Config;
use crate::daemon::Daemon;
use crate::daemon::provision::{IDS, Placed, Wanted};
use crate::words::{self, Language};

/// Header of the file with the ids; its columns are those of the register.
const HEADER: [&str; 5] = ["kode_posyandu", "nama", "puskesmas", "id_organisasi_satusehat", "id_lokasi_satusehat"];

/// One place that was gone for.
struct Done {
    posyandu: String,
    code: String,
    kind: String,
    identifier: String,
    placed: Placed,
}

/// Runs the command on the real ledger.
///
/// # Errors
/// Mistakes in configuration or mapping files; another instance holds the ledger; the output cannot be written.
pub async fn run(config: Config, context: &Context, output: Option<&Path>, format: Format) -> anyhow::Result<Exit> {
    let language = installation::language(&config, context);
    let daemon = installation::daemon(config, Clock::System).await?;
    let (register, rows) = daemon.counted_register().await?;
    let before = all(&daemon, register.all())?;
    let mut done = Vec::new();
    for found in before.iter().filter(|found| !found.missing.is_empty()) {
        done.extend(one(&daemon, found).await?);
    }
    // Read again: now with the ids that were taken or given.
    let (register, _) = daemon.counted_register().await?;
    let after = all(&daemon, register.all())?;
    if let Some(path) = output {
        std::fs::write(path, as_csv(&after)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    match format {
        Format::Json => print::result(&as_json(&done, &after, language)),
        _ => print::result(&as_text(&done, &after, language)),
    }
    Ok(if done.iter().any(|one| matches!(one.placed, Placed::Failed(_))) {
        Exit::OtherSide
    } else if rows == 0 && !after.is_empty() && after.iter().all(Found::is_whole) {
        Exit::Fine
    } else {
        Exit::NeedsAttention
    })
}

async fn one(daemon: &Daemon, found: &Found) -> anyhow::Result<Vec<Done>> {
    let name = &found.posyandu.puskesmas;
    let Some(puskesmas) = daemon.config.puskesmas.iter().find(|one| one.name == *name) else { return Ok(Vec::new()) };
    let lane = crate::daemon::set_up::lane(&daemon.config, puskesmas, &daemon.clock)?;
    let wanted: Vec<Wanted> = found.missing.iter().map(wanted).collect();
    let placed = daemon.provision(&lane, &puskesmas.organization_id, &wanted).await?;
    let done = wanted.into_iter().zip(placed).map(|(wanted, placed)| Done {
        posyandu: found.posyandu.name.clone(),
        code: found.posyandu.code.clone(),
        kind: wanted.kind,
        identifier: wanted.identifier,
        placed,
    });
    Ok(done.collect())
}

fn wanted(missing: &Missing) -> Wanted {
    Wanted {
        kind: missing.kind.clone(),
        system: missing.system.clone(),
        identifier: missing.identifier.clone(),
        full_url: missing.full_url.clone(),
        json: missing.json.clone(),
    }
}

/// Key of the sentence, the word for programs, and the server's words if there are any.
fn told(placed: &Placed) -> (&'static str, &'static str, &str) {
    match placed {
        Placed::Known(_) => ("provision.known", "known", ""),
        Placed::Adopted(_) => ("provision.adopted", "adopted", ""),
        Placed::Created(_) => ("provision.created", "created", ""),
        Placed::Open(_) => ("provision.open", "open", ""),
        Placed::Unclear => ("provision.unclear", "unclear", ""),
        Placed::Refused(answer) => ("provision.refused", "refused", &answer.excerpt),
        Placed::Failed(answer) => ("provision.failed", "failed", &answer.excerpt),
        Placed::Waits => ("provision.waits", "waits", ""),
    }
}

fn totals(done: &[Done]) -> BTreeMap<&'static str, usize> {
    let mut totals = BTreeMap::from([("adopted", 0), ("created", 0)]);
    done.iter().for_each(|one| *totals.entry(told(&one.placed).1).or_default() += 1);
    totals
}

fn as_text(done: &[Done], after: &[Found], language: Language) -> String {
    let mut lines = Vec::new();
    for one in done {
        let (key, _, text) = told(&one.placed);
        let values = [
            ("posyandu", one.posyandu.clone()),
            ("kode", one.code.clone()),
            ("bagian", format!("{} {}", one.kind, one.identifier)),
            ("nomor", one.placed.id().unwrap_or_default().to_owned()),
            ("kata", text.to_owned()),
        ];
        lines.push(words::text(language, key, &values));
    }
    lines.extend(super::lacking(after, language));
    let totals = totals(done);
    let values = [
        ("posyandu", after.len()),
        ("lengkap", after.iter().filter(|found| found.is_whole()).count()),
        ("dibuat", totals["created"]),
        ("dipakai", totals["adopted"]),
    ];
    lines.push(words::text(language, "provision.done", &values.map(|(name, number)| (name, number.to_string()))));
    lines.join("\n")
}

fn as_json(done: &[Done], after: &[Found], language: Language) -> String {
    let places: Vec<Value> = done
        .iter()
        .map(|one| {
            let (_, word, text) = told(&one.placed);
            json!({
                "posyandu": one.code, "resource_type": one.kind, "identifier": one.identifier, "outcome": word,
                "id": one.placed.id(), "text": text,
            })
        })
        .collect();
    let posyandu: Vec<Value> = after
        .iter()
        .map(|found| {
            let id = |field: &str| found.posyandu.record.text(field);
            json!({
                "code": found.posyandu.code, "name": found.posyandu.name, "puskesmas": found.posyandu.puskesmas,
                "organization": id(IDS[0].0), "location": id(IDS[1].0),
                "issues": found.issues.iter().map(|issue| {
                    json!({"rule": issue.rule, "text": words::of_issue(language, issue)})
                }).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({"dry_run": false, "places": places, "totals": totals(done), "posyandu": posyandu}).to_string()
}

fn as_csv(after: &[Found]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(HEADER)?;
    for found in after {
        let posyandu = &found.posyandu;
        let id = |field: &str| posyandu.record.text(field).unwrap_or_default();
        writer.write_record([
            posyandu.code.as_str(),
            &posyandu.name,
            &posyandu.puskesmas,
            id(IDS[0].0),
            id(IDS[1].0),
        ])?;
    }
    Ok(writer.into_inner()?)
}
