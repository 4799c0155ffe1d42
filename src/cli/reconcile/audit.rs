//! `reconcile --full` and its samples: some days compared three ways, source with ledger and ledger with server.
//!
//! The sources are read first, so that what changed there is known. Nothing is sent.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde_json::{Value, json};

use super::Reconcile;
use crate::cli::exit::Exit;
use crate::cli::{Format, print};
use crate::daemon::Daemon;
use crate::ledger::comparing::Delivered;
use crate::ledger::discrepancy::Standings;
use crate::ledger::reading::Filter;
use crate::ledger::state::State;
use crate::reconciliation::audit::{self, AuditTally, Scope};
use crate::reconciliation::sample;
use crate::report::discrepancy;
use crate::words::{self, Language};

/// The confidence that is stated when none is asked for, in percent.
const CONFIDENCE_PERCENT: f64 = 95.0;

/// What will be asked for.
struct Plan {
    scope: Scope,
    all: usize,
    calls: u64,
    minutes: u64,
}

/// Reads the sources, plans, and audits.
///
/// # Errors
/// Failures of the ledger or a setting.
pub async fn run(command: &Reconcile, daemon: &Daemon, days: (Date, Date), language: Language) -> anyhow::Result<Exit> {
    let mut look = |_: &_, _: &mut _| Ok(());
    let (round, _) = Box::pin(daemon.ingest(&mut look, &|_| {})).await?;
    for source in round.sources.iter().filter_map(|source| source.problem.as_ref().map(|why| (&source.source, why))) {
        print::note(&format!("source `{}` could not be read: {}", source.0, source.1.error));
    }
    let filter = Filter { from: Some(days.0), to: Some(days.1), ..Filter::default() };
    // Found at an audit, a correction is a discrepancy however young it is.
    let now = daemon.clock.now();
    daemon.ledger.propose_removals().await?;
    daemon.ledger.refresh_discrepancies(now, now).await?;
    let plan = plan(command, daemon, days, &filter).await?;
    print::note(&planned(&plan, language));
    if command.plan {
        let json = json!({"visits": plan.scope.visits.len(), "of": plan.all, "calls": plan.calls,
            "minutes": plan.minutes});
        print::result(&if command.format == Format::Json { json.to_string() } else { planned(&plan, language) });
        return Ok(Exit::Fine);
    }
    let lanes = daemon.lanes()?;
    let reconciliation = daemon.reconciliation(&lanes).await;
    reconciliation.resolve_unknown().await?;
    let tally = reconciliation.audit(&plan.scope, &|_| {}).await?;
    let standings = daemon.ledger.discrepancy_standings(&filter).await?;
    let counts = daemon.ledger.counts(&filter).await?;
    let told = Told { tally: &tally, plan: &plan, standings: &standings, waived: counts.of(State::Waived) };
    print::result(&match command.format {
        Format::Json => told.as_json(command).to_string(),
        _ => told.as_text(command, language),
    });
    Ok(match () {
        () if !tally.is_complete() => Exit::OtherSide,
        () if discrepancy::open_by_class(&standings).values().sum::<u64>() > 0 => Exit::NeedsAttention,
        () => Exit::Fine,
    })
}

async fn plan(command: &Reconcile, daemon: &Daemon, days: (Date, Date), filter: &Filter) -> anyhow::Result<Plan> {
    let all: Vec<Delivered> = daemon.ledger.delivered(filter).await?;
    let number = match (command.sample, command.confidence) {
        (Some(number), _) => number,
        (None, Some(percent)) => sample::size(percent / 100.0, command.share / 100.0),
        (None, None) => u64::MAX,
    };
    let total = all.len();
    let visits = sample::draw(&all, usize::try_from(number).unwrap_or(usize::MAX), command.seed);
    let is_whole = command.sample.is_none() && command.confidence.is_none();
    let scope = Scope { first: days.0, last: days.1, visits, is_whole };
    let by_lane: BTreeMap<String, u64> = audit::calls(&scope);
    let pace = |name: &str| {
        let known = daemon.config.puskesmas.iter().find(|one| one.name == name);
        known.map_or(1, |one| u64::from(one.requests_per_minute).max(1))
    };
    // Lanes work side by side, each under its own limit.
    let minutes = by_lane.iter().map(|(name, calls)| calls.div_ceil(pace(name))).max().unwrap_or(0);
    Ok(Plan { scope, all: total, calls: by_lane.values().sum(), minutes })
}

fn planned(plan: &Plan, language: Language) -> String {
    let values = [
        ("kunjungan", plan.scope.visits.len().to_string()),
        ("semua", plan.all.to_string()),
        ("panggilan", plan.calls.to_string()),
        ("menit", plan.minutes.to_string()),
    ];
    words::text(language, "reconcile.plan", &values)
}

/// What an audit came to, ready to be told.
struct Told<'a> {
    tally: &'a AuditTally,
    plan: &'a Plan,
    standings: &'a [Standings],
    waived: u64,
}

impl Told<'_> {
    fn bounds(&self, command: &Reconcile) -> Option<(f64, f64, f64)> {
        if self.plan.scope.is_whole {
            return None;
        }
        let percent = command.confidence.unwrap_or(CONFIDENCE_PERCENT);
        let (lower, upper) = sample::bounds(self.tally.visits_differing, self.tally.visits, percent / 100.0);
        Some((percent, lower, upper))
    }

    fn as_json(&self, command: &Reconcile) -> Value {
        let (tally, read) = (self.tally, &self.tally.read);
        let mut classes = json!(discrepancy::open_by_class(self.standings));
        classes["match"] = read.equal.into();
        classes["waived"] = self.waived.into();
        let bounds = self.bounds(command).map(|(percent, lower, upper)| {
            json!({"confidence_percent": percent, "lower": lower, "upper": upper, "seed": command.seed})
        });
        json!({
            "first": self.plan.scope.first.to_string(), "last": self.plan.scope.last.to_string(),
            "visits": tally.visits, "of": self.plan.all, "visits_differing": tally.visits_differing,
            "planned": {"calls": self.plan.calls, "minutes": self.plan.minutes},
            "read_back": {"equal": read.equal, "different": read.different, "missing": read.missing,
                "hidden": read.hidden, "failed": read.failed, "untouched": read.untouched},
            "unknown": tally.unknown, "searches_cut": tally.cut, "searches_failed": tally.failed,
            "is_complete": tally.is_complete(), "classes": classes,
            "discrepancies": discrepancy::standings_json(self.standings), "bounds": bounds,
        })
    }

    fn as_text(&self, command: &Reconcile, language: Language) -> String {
        let tally = self.tally;
        let values = [
            ("kunjungan", tally.visits.to_string()),
            ("berbeda", tally.visits_differing.to_string()),
            ("terpotong", tally.cut.to_string()),
            ("gagal", tally.failed.to_string()),
        ];
        let mut lines = vec![super::as_text(&tally.read, language), words::text(language, "reconcile.audit", &values)];
        lines.extend(discrepancy::standings_lines(self.standings, language));
        if let Some((percent, lower, upper)) = self.bounds(command) {
            let values = [
                ("yakin", percent.to_string()),
                ("bawah", format!("{:.2}", lower * 100.0)),
                ("atas", format!("{:.2}", upper * 100.0)),
            ];
            lines.push(words::text(language, "reconcile.bounds", &values));
        }
        lines.join("\n")
    }
}
