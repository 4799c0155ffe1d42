//! `lanes`: which puskesmas' sending is stopped and why, what is expected by midnight, and letting a stopped one go on.
//!
//! It must not send: the next round of `run` does.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::decision::{self, Decision};
use super::exit::Exit;
use super::{Context, Format, installation, print};
use crate::clock::{Clock, Zone};
use crate::config::Config;
use crate::delivery::keeping::stopped;
use crate::ledger::decision::DecisionKind;
use crate::ledger::{Ledger, LedgerError};
use crate::remote::breaker::{Stopped, Why};
use crate::report::forecast::{Forecast, forecast};
use crate::words::{self, Language};

/// Which puskesmas' sending is stopped, and letting it go on
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway lanes
  posyandu-gateway lanes release 'Puskesmas Utara' --reason 'mapping mended'

A lane that many refusals alike stopped goes on when it is released; what was refused in that stop is tried again.")]
pub struct Lanes {
    #[command(subcommand)]
    command: Option<Command>,
    /// How to write the result
    #[arg(long, global = true, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Let a stopped lane go on, and try again what was refused in that stop
    Release(Release),
}

#[derive(Debug, Args)]
struct Release {
    /// Name of the puskesmas
    #[arg(value_name = "PUSKESMAS")]
    puskesmas: String,
    #[command(flatten)]
    decision: Decision,
}

impl Lanes {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger; for a release, that another instance holds the ledger.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        match &self.command {
            None => list(&config, self.format, language).await,
            Some(Command::Release(release)) => release.run(&config, self.format, language).await,
        }
    }
}

/// Stopped lanes of the configuration with why.
///
/// # Errors
/// Failures of the ledger.
pub async fn stopped_lanes(config: &Config, ledger: &Ledger) -> Result<Vec<(String, Zone, Stopped)>, LedgerError> {
    let mut all = Vec::new();
    for puskesmas in &config.puskesmas {
        if let Some(stopped) = stopped(ledger, &puskesmas.name).await? {
            all.push((puskesmas.name.clone(), puskesmas.timezone, stopped));
        }
    }
    Ok(all)
}

/// What is expected of the days that still run.
///
/// # Errors
/// Failures of the ledger.
pub async fn forecasts(ledger: &Ledger, clock: &Clock) -> Result<Vec<Forecast>, LedgerError> {
    Ok(ledger.running_days().await?.iter().map(|day| forecast(day, clock.now())).collect())
}

/// Stopped lanes as JSON.
#[must_use]
pub fn stopped_json(lanes: &[(String, Zone, Stopped)]) -> Vec<Value> {
    let one = |(name, _, stopped): &(String, Zone, Stopped)| {
        json!({
            "puskesmas": name, "why": stopped.why.word(), "words": stopped.words, "since": stopped.since.to_string(),
            "try_at": stopped.try_at.map(|at| at.to_string()),
        })
    };
    lanes.iter().map(one).collect()
}

/// Forecasts as JSON.
#[must_use]
pub fn forecasts_json(forecasts: &[Forecast]) -> Vec<Value> {
    let one = |one: &Forecast| {
        json!({
            "puskesmas": one.lane, "zone": one.zone.name(), "ends": one.ends.to_string(), "waiting": one.waiting,
            "blocked": one.blocked, "per_minute": one.per_minute, "late": one.late,
            "alarm": one.alarm.map(crate::report::forecast::Alarm::word),
        })
    };
    forecasts.iter().map(one).collect()
}

/// One line for each stopped lane, and one for each day of which visits will be late.
#[must_use]
pub fn lines(stopped: &[(String, Zone, Stopped)], forecasts: &[Forecast], language: Language) -> Vec<String> {
    let stops = stopped.iter().map(|(name, zone, stopped)| {
        let values =
            [("puskesmas", name.clone()), ("waktu", zone.text_at(stopped.since)), ("kata", stopped.words.clone())];
        let key = match stopped.why {
            Why::Configuration => "lanes.stopped.configuration",
            Why::MassRefusal => "lanes.stopped.mass_refusal",
            Why::Trouble => "lanes.stopped.trouble",
        };
        words::text(language, key, &values)
    });
    let late = forecasts.iter().filter(|one| one.late > 0).map(|one| {
        let values = [
            ("puskesmas", one.lane.clone()),
            ("tunggu", one.waiting.to_string()),
            ("lambat", one.late.to_string()),
            ("zona", one.zone.name().to_owned()),
        ];
        words::text(language, "lanes.late", &values)
    });
    stops.chain(late).collect()
}

async fn list(config: &Config, format: Format, language: Language) -> anyhow::Result<Exit> {
    let (_, ledger) = installation::ledger_to_read(config, Clock::System).await?;
    let (stopped, forecasts) = (stopped_lanes(config, &ledger).await?, forecasts(&ledger, &Clock::System).await?);
    ledger.close().await?;
    print::result(&match format {
        Format::Json => json!({"stopped": stopped_json(&stopped), "forecast": forecasts_json(&forecasts)}).to_string(),
        _ => {
            let lines = lines(&stopped, &forecasts, language);
            if lines.is_empty() { words::plain(language, "lanes.none") } else { lines.join("\n") }
        }
    });
    Ok(if stopped.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
}

impl Release {
    async fn run(&self, config: &Config, format: Format, language: Language) -> anyhow::Result<Exit> {
        let (reason, command) = self.decision.checked()?;
        anyhow::ensure!(
            config.puskesmas.iter().any(|puskesmas| puskesmas.name == self.puskesmas),
            "no [[puskesmas]] has the name `{}`: `lanes` lists those that are stopped",
            self.puskesmas
        );
        let keys = installation::keys(config)?;
        let ledger = installation::open(config, keys, Clock::System).await?;
        let released = async {
            let since = stopped(&ledger, &self.puskesmas).await?.and_then(|stopped| stopped.first_refusal);
            let about = [self.puskesmas.clone()];
            decision::audit(&ledger, DecisionKind::ReleaseLane, &about, (&command, &reason)).await?;
            ledger.release_lane(&self.puskesmas, since, &command, &reason).await
        };
        let released = released.await;
        ledger.close().await?;
        let visits = released?;
        print::result(&match format {
            Format::Json => json!({"puskesmas": self.puskesmas, "command_id": command, "visits": visits}).to_string(),
            _ => {
                let values = [("puskesmas", self.puskesmas.clone()), ("kunjungan", visits.to_string())];
                words::text(language, "lanes.released", &values)
            }
        });
        Ok(Exit::Fine)
    }
}
