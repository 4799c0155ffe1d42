//! `alarms`: what somebody should look at now, what was before, and a test of the webhook.
//!
//! It must not raise or end an alarm: only the gateway at work does, from what it sees.

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Exit;
use super::{Context, Format, installation, print, report};
use crate::clock::{Clock, Zone};
use crate::config::Config;
use crate::daemon::alarm;
use crate::ledger::alarm::Alarm;
use crate::report::alarm::{as_json, sentence};
use crate::words::{self, Language};

/// What somebody should look at now
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posyandu-gateway alarms
  posyandu-gateway alarms --format json
  posyandu-gateway alarms test                 a message to the webhook of [alarm]")]
pub struct Alarms {
    /// How to write the result
    #[arg(long, value_enum, default_value_t, global = true)]
    format: Format,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Send a message to the webhook now, to see whether it arrives
    #[command(after_help = "Examples:\n  posyandu-gateway alarms test")]
    Test,
}

impl Alarms {
    /// Runs the command.
    ///
    /// # Errors
    /// No keys or no ledger; a webhook that cannot be used.
    pub async fn run(&self, context: &Context) -> anyhow::Result<Exit> {
        let config = installation::config(context)?;
        let language = installation::language(&config, context);
        match &self.command {
            None => list(&config, self.format, language).await,
            Some(Command::Test) => test(&config, self.format, language).await,
        }
    }
}

async fn list(config: &Config, format: Format, language: Language) -> anyhow::Result<Exit> {
    let (_, ledger) = installation::ledger_to_read(config, Clock::System).await?;
    let alarms = ledger.alarms().await;
    ledger.close().await?;
    let alarms = alarms?;
    let (open, ended): (Vec<&Alarm>, Vec<&Alarm>) = alarms.iter().partition(|alarm| alarm.ended_at.is_none());
    let zone = report::zone(config);
    print::result(&match format {
        Format::Json => {
            let all = |alarms: &[&Alarm]| -> Vec<_> {
                alarms.iter().map(|one| as_json(one, &sentence(one, language))).collect()
            };
            json!({"open": all(&open), "ended": all(&ended)}).to_string()
        }
        _ if alarms.is_empty() => words::plain(language, "alarm.none"),
        _ => alarms.iter().map(|one| line(one, zone, language)).collect::<Vec<_>>().join("\n"),
    });
    Ok(if open.is_empty() { Exit::Fine } else { Exit::NeedsAttention })
}

fn line(one: &Alarm, zone: Zone, language: Language) -> String {
    let (text, began) = (sentence(one, language), zone.text_at(one.raised_at));
    match one.ended_at {
        None => words::text(language, "alarm.since", &[("waktu", began), ("alarm", text)]),
        Some(at) => {
            let values = [("mulai", began), ("selesai", zone.text_at(at)), ("alarm", text)];
            words::text(language, "alarm.was", &values)
        }
    }
}

async fn test(config: &Config, format: Format, language: Language) -> anyhow::Result<Exit> {
    let Some(webhook) = alarm::webhook(config)? else {
        anyhow::bail!("{}", words::plain(language, "alarm.test.none"));
    };
    let (id, now) = (format!("msg_{}", uuid::Uuid::new_v4().simple()), Clock::System.now());
    let body = json!({"type": "alarm.test", "timestamp": now.to_string(), "data": {}}).to_string();
    let posted = webhook.post(&id, now, body).await;
    print::result(&match (format, &posted) {
        (Format::Json, _) => json!({"id": id, "accepted": posted.is_ok(), "words": posted.as_ref().err()}).to_string(),
        (_, Ok(())) => words::plain(language, "alarm.test.accepted"),
        (_, Err(why)) => words::text(language, "alarm.test.refused", &[("kata", why.clone())]),
    });
    Ok(if posted.is_ok() { Exit::Fine } else { Exit::OtherSide })
}
