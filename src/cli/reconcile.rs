//! `reconcile`: asks the server what it really holds, and compares it with what the ledger says was sent.

use clap::Args;
use jiff::civil::Date;
use serde_json::json;

use super::exit::Exit;
use super::{Context, Format, installation, print, run};
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::reconciliation::read_back::ReadBackTally;
use crate::words::{self, Language};

/// Read delivered visits back from the server and compare
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway reconcile
  posyandu-gateway reconcile --date 2026-11-18 --format json

Visits without a clear answer are looked up first. Nothing is sent and nothing at the server changes.")]
pub struct Reconcile {
    /// Only visits of this day
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl Reconcile {
    /// Runs the command.
    ///
    /// # Errors
    /// What keeps it from asking at all.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let daemon = installation::daemon(config, Clock::System).await?;
        let tally = read_back(&daemon, self.date).await?;
        run::close(daemon).await?;
        match self.format {
            Format::Json => print::result(&as_json(&tally)),
            _ => print::result(&as_text(&tally, language)),
        }
        Ok(match &tally {
            tally if !tally.stopped.is_empty() || tally.failed > 0 => Exit::OtherSide,
            tally if tally.different + tally.missing > 0 => Exit::NeedsAttention,
            _ => Exit::Fine,
        })
    }
}

/// Looks unknown outcomes up, then reads delivered visits back.
///
/// # Errors
/// Failures of the ledger.
pub async fn read_back(daemon: &Daemon, date: Option<Date>) -> anyhow::Result<ReadBackTally> {
    let lanes = daemon.lanes()?;
    let reconciliation = daemon.reconciliation(&lanes);
    reconciliation.resolve_unknown().await?;
    let before = daemon.clock.now();
    Ok(reconciliation.read_back(date, before, &|_| {}).await?)
}

/// The result in lines for people.
#[must_use]
pub fn as_text(tally: &ReadBackTally, language: Language) -> String {
    let numbers = [
        ("sama", tally.equal.to_string()),
        ("beda", tally.different.to_string()),
        ("hilang", tally.missing.to_string()),
        ("tertutup", tally.hidden.to_string()),
        ("gagal", (tally.failed + tally.untouched).to_string()),
    ];
    let mut lines = vec![words::text(language, "reconcile.total", &numbers)];
    for one in &tally.differing {
        let paths: Vec<&str> = one.differences.iter().map(|difference| difference.path.as_str()).collect();
        let values = [
            ("posyandu", one.posyandu.clone()),
            ("jenis", one.resource_type.clone()),
            ("bagian", paths.join(", ")),
            ("kunjungan", one.entry_id.number().to_string()),
        ];
        lines.push(words::text(language, "reconcile.different", &values));
    }
    for stopped in &tally.stopped {
        let values = [("puskesmas", stopped.lane.as_str()), ("kata", stopped.words.as_str())];
        lines.push(words::text(language, "reconcile.stopped", &values));
    }
    lines.join("\n")
}

fn as_json(tally: &ReadBackTally) -> String {
    let differing: Vec<_> = tally
        .differing
        .iter()
        .map(|one| {
            let paths: Vec<&str> = one.differences.iter().map(|difference| difference.path.as_str()).collect();
            json!({
                "entry": one.entry_id.number(), "puskesmas": one.puskesmas, "posyandu": one.posyandu,
                "resource_type": one.resource_type, "paths": paths,
            })
        })
        .collect();
    let stopped: Vec<&str> = tally.stopped.iter().map(|stopped| stopped.lane.as_str()).collect();
    json!({
        "equal": tally.equal, "different": tally.different, "missing": tally.missing, "hidden": tally.hidden,
        "failed": tally.failed, "untouched": tally.untouched, "differing": differing, "stopped": stopped,
    })
    .to_string()
}
