//! `reconcile`: asks the server what it really holds, and compares it with what the ledger says was sent.

mod audit;

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
  posyandu-gateway reconcile --full --month 2026-11
  posyandu-gateway reconcile --month 2026-11 --sample 300
  posyandu-gateway reconcile --month 2026-11 --confidence 95 --share 1 --plan

Visits without a clear answer are looked up first. Nothing is sent and nothing at the server changes. An audit (--full,
--sample, --confidence) reads the sources too and searches for what the ledger does not know; what it finds is listed by
`discrepancies`.")]
pub struct Reconcile {
    /// Only visits of this day
    #[arg(long, value_name = "DATE")]
    pub date: Option<Date>,
    /// Audit of this month, e.g. 2026-11
    #[arg(long, value_name = "MONTH", value_parser = super::report::month, conflicts_with = "date")]
    pub month: Option<Date>,
    /// Audit: every visit of the day or month, and what the ledger does not know
    #[arg(long)]
    pub full: bool,
    /// Audit of so many visits, each puskesmas in proportion
    #[arg(long, value_name = "VISITS", conflicts_with_all = ["full", "confidence"])]
    pub sample: Option<u64>,
    /// Audit of as many visits as show, when nothing is found, with this confidence that less than --share differ
    #[arg(long, value_name = "PERCENT", value_parser = percent, conflicts_with = "full")]
    pub confidence: Option<f64>,
    /// The share that --confidence is about
    #[arg(long, value_name = "PERCENT", value_parser = percent, default_value_t = 1.0)]
    pub share: f64,
    /// The same seed draws the same sample
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Audit: only say how many calls and minutes it needs
    #[arg(long)]
    pub plan: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// More than 0 and less than 100.
fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "write a percentage such as 95".to_owned())?;
    if number > 0.0 && number < 100.0 { Ok(number) } else { Err("write more than 0 and less than 100".to_owned()) }
}

impl Reconcile {
    /// The days of an audit, if one is asked for.
    fn audited(&self) -> anyhow::Result<Option<(Date, Date)>> {
        let is_audit = self.full || self.sample.is_some() || self.confidence.is_some();
        anyhow::ensure!(is_audit || !self.plan, "--plan belongs to --full, --sample or --confidence");
        Ok(match (self.month, self.date) {
            (Some(month), _) => Some(crate::reconciliation::audit::month(month)),
            (None, Some(date)) if is_audit => Some((date, date)),
            (None, None) if is_audit => anyhow::bail!("say which days with --month or --date"),
            _ => None,
        })
    }

    /// Runs the command.
    ///
    /// # Errors
    /// What keeps it from asking at all.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let audited = self.audited()?;
        let daemon = installation::daemon(config, Clock::System).await?;
        if let Some(days) = audited {
            let exit = audit::run(self, &daemon, days, language).await;
            run::close(daemon).await?;
            return exit;
        }
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
    let reconciliation = daemon.reconciliation(&lanes).await;
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
