//! `run`: the gateway at work, once or until it is stopped.

mod rounds;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::{Value, json};

use super::exit::Exit;
use super::print;
use super::stop::StopSignals;
use super::{Context, Format, installation, source, systemd};
use crate::clock::Clock;
use crate::daemon::comparing::PresentLanes;
use crate::daemon::counter::Counter;
use crate::daemon::{Daemon, Round};
use crate::delivery::Stop;
use crate::ledger::reading::Counts;
use crate::ledger::row::RowTally;
use crate::ledger::state::State;
use crate::report::text::sum_line;
use crate::report::{self, Sum};
use crate::words::{self, Language};
use rounds::Rounds;

/// Exit code after a second signal, as a shell reports an interrupted program.
const ENDED_AT_ONCE: i32 = 130;

/// Read what is new, send it and look up what is unknown
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway run --once
  posyandu-gateway run --once --format json
  posyandu-gateway run                        every minute a round, until Ctrl-C or SIGTERM

Stopping takes no new visit and ends within 25 seconds: what is in flight is finished, or looked up by the next run. A
second signal ends it at once; a killed run is recovered by the next one.")]
pub struct Run {
    /// One round: read, send, look up, end
    #[arg(long)]
    pub once: bool,
    /// How to write the result
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

impl Run {
    /// Runs the command.
    ///
    /// # Errors
    /// What keeps the gateway from working at all.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let halt = Arc::new(AtomicBool::new(false));
        tokio::spawn(stopping(StopSignals::listen()?, Arc::clone(&halt)));
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        let daemon = Daemon { halt, ..installation::daemon(config, Clock::System).await? };
        let counter = if self.once { None } else { Counter::open(&daemon).await? };
        if let Some(counter) = &counter {
            let what = if counter.takes_records { "taking records" } else { "watched" };
            print::note(&format!("{what} at http://{}", counter.address));
        }
        systemd::ready(&daemon.observed);
        let (lanes, once) = (PresentLanes::default(), self.once);
        let rounds =
            Rounds { daemon: &daemon, counter: counter.as_ref(), lanes: &lanes, once, format: self.format, language };
        let rounds = rounds.all();
        // A run by the clock leaves reading back to `reconcile`: what it sent is not old enough when it ends.
        let exit = if once { Box::pin(rounds).await } else { daemon.comparing(&lanes, Box::pin(rounds)).await };
        if let (Some(counter), true) = (counter, exit.is_ok()) {
            counter.close().await;
        }
        let exit = exit?;
        close(daemon).await?;
        Ok(exit)
    }
}

/// Asks the gateway to stop at the first signal and ends it at the second.
async fn stopping(mut signals: StopSignals, halt: Arc<AtomicBool>) {
    signals.next().await;
    systemd::stopping();
    halt.store(true, Ordering::Relaxed);
    signals.next().await;
    // Asked twice: the next start recovers what is left as it does after a power cut.
    std::process::exit(ENDED_AT_ONCE);
}

/// Closes the ledger properly; what was answered before is stored already.
///
/// # Errors
/// When the database cannot be closed.
pub async fn close(daemon: Daemon) -> anyhow::Result<()> {
    if let Some(ledger) = Arc::into_inner(daemon.ledger) {
        ledger.close().await?;
    }
    Ok(())
}

/// How a round ends: failures of the other side before records that need a person.
#[must_use]
pub fn exit_of(round: &Round, counts: &Counts) -> Exit {
    if round.sources.iter().any(|source| source.problem.is_some()) {
        return Exit::Usage;
    }
    if round.lanes.iter().any(|lane| lane.stop.is_some()) {
        return Exit::OtherSide;
    }
    if needs_attention(counts) > 0 || tells_of_files(round) { Exit::NeedsAttention } else { Exit::Fine }
}

/// Whether a person must look at a drop folder.
#[must_use]
pub fn tells_of_files(round: &Round) -> bool {
    round.folders.iter().any(|folder| folder.issue.is_some() || folder.files.iter().any(|file| file.is_told))
}

/// Rows that somebody should know of: those to mend, and those held back, which mostly wait for a person too (in lines
/// for readers they count as waiting).
#[must_use]
pub fn needs_attention(counts: &Counts) -> u64 {
    Sum::of(counts).attention + counts.of(State::Blocked)
}

fn tally_json(tally: &RowTally) -> Value {
    json!({
        "read": tally.read, "new": tally.new, "changed": tally.changed, "unchanged": tally.unchanged,
        "issue": tally.issue, "skipped": tally.skipped, "superseded": tally.superseded,
    })
}

/// Each source with its rows and, when it was not read to the end, why.
#[must_use]
pub fn sources_json(round: &Round) -> Vec<Value> {
    let sources = round.sources.iter().map(|source| {
        let problem = source.problem.as_ref().map(|problem| problem.error.to_string());
        json!({"source": source.source, "file": source.file, "rows": tally_json(&source.tally), "problem": problem})
    });
    sources.collect()
}

fn as_json(round: &Round, counts: &Counts) -> Value {
    let lanes: Vec<Value> = round
        .lanes
        .iter()
        .map(|lane| {
            let tally = &lane.tally;
            json!({
                "puskesmas": lane.name, "delivered": tally.delivered, "refused": tally.refused,
                "blocked": tally.blocked, "deferred": tally.deferred, "unknown": tally.unknown,
                "stopped": lane.stop.as_ref().map(stop_words),
            })
        })
        .collect();
    json!({
        "counts": report::json::counts(counts), "sources": sources_json(round),
        "folders": source::files::folders_json(round), "entered": round.entered, "lanes": lanes,
    })
}

/// The round in lines for people.
#[must_use]
pub fn as_text(round: &Round, counts: &Counts, language: Language) -> String {
    let mut lines = Vec::new();
    for source in &round.sources {
        let tally = &source.tally;
        let numbers = [
            ("sumber", source.source.clone()),
            ("baca", tally.read.to_string()),
            ("baru", (tally.new + tally.changed).to_string()),
            ("sama", tally.unchanged.to_string()),
            ("masalah", tally.issue.to_string()),
            ("lewat", tally.skipped.to_string()),
        ];
        lines.push(words::text(language, "run.source", &numbers));
    }
    lines.extend(round.folders.iter().map(|folder| source::files::folder_line(folder, language)));
    for lane in &round.lanes {
        let tally = &lane.tally;
        let numbers = [
            ("puskesmas", lane.name.clone()),
            ("diterima", tally.delivered.to_string()),
            ("ditolak", tally.refused.to_string()),
            ("tertahan", tally.blocked.to_string()),
            ("tunda", (tally.deferred + tally.unknown).to_string()),
        ];
        lines.push(words::text(language, "run.lane", &numbers));
    }
    lines.push(sum_line(counts, language));
    lines.join("\n")
}

fn stop_words(stop: &Stop) -> String {
    match stop {
        Stop::Configuration(text) => format!("configuration: {text}"),
        Stop::MassRefusal(text) => format!("mass refusal: {text}"),
        Stop::Trouble(text) => format!("trouble: {text}"),
    }
}
