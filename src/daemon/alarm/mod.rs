//! Alarms: looks at what could keep today's visits from arriving, remembers what began and what is over, and tells it:
//! to the log, the metrics, `alarms`, and a webhook of the office's own.
//!
//! It must not decide what is sent. Nothing in an alarm is about a person.

mod conditions;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{Daemon, DaemonError};
use crate::config::Config;
use crate::ledger::alarm::{Alarm, AlarmKind, Message, MessageEnd};
use crate::remote::lane::Lane;
use crate::remote::webhook::{TRY_AGAIN_SECONDS, Webhook};
use crate::report::alarm::{as_json, sentence};
use crate::words::{self, Language};

/// Messages handed over in one go, at most; the next look goes on.
const MESSAGES_AT_ONCE: u32 = 5;

impl Daemon {
    /// Looks at everything an alarm can be about; gives those that began and those that are over since the last look,
    /// also if that was before a restart.
    ///
    /// # Errors
    /// Failures of the ledger, a webhook that cannot be used.
    pub async fn give_alarms(&self, lanes: &[Lane]) -> Result<(Vec<Alarm>, Vec<Alarm>), DaemonError> {
        let looked_at = self.conditions(lanes).await?;
        let tells = !self.config.alarm.webhook_url.is_empty();
        let (raised, ended) = self.ledger.settle_alarms(looked_at, tells).await?;
        for alarm in &raised {
            let (kind, about, level) = (alarm.kind.word(), &alarm.about, &alarm.level);
            // A stopped lane is told by the round itself, in a sentence.
            if matches!(alarm.kind, AlarmKind::LaneStopped | AlarmKind::MassRefusal) {
                tracing::info!(kind, about, level, details = alarm.details, "alarm");
            } else {
                tracing::warn!(kind, about, level, details = alarm.details, "alarm");
            }
        }
        for alarm in &ended {
            tracing::info!(kind = alarm.kind.word(), about = alarm.about, "an alarm is over");
        }
        Ok((raised, ended))
    }

    /// Hands over the messages that are due. One that is refused is tried again later, under the same id.
    ///
    /// # Errors
    /// Failures of the ledger, a webhook that cannot be used.
    pub async fn tell_alarms(&self) -> Result<u64, DaemonError> {
        let Some(webhook) = webhook(&self.config)? else { return Ok(0) };
        let mut taken = 0;
        for message in self.ledger.messages_due(MESSAGES_AT_ONCE).await? {
            let now = self.clock.now();
            let body = body(&message, self.config.language.language());
            let end = match webhook.post(&message.id, now, body).await {
                Ok(()) => MessageEnd::Accepted,
                Err(words) => after_failure(&message, now, words),
            };
            if let MessageEnd::GivenUp(words) = &end {
                tracing::warn!(message = message.id, words, "the webhook did not take an alarm; it is given up");
            }
            taken += u64::from(end == MessageEnd::Accepted);
            self.ledger.end_message(&message.id, end).await?;
        }
        Ok(taken)
    }
}

/// The webhook of a configuration; `None` when there is none.
///
/// # Errors
/// An address or a secret that cannot be used.
pub fn webhook(config: &Config) -> Result<Option<Webhook>, DaemonError> {
    let Some(secret) = config.webhook_secret()? else { return Ok(None) };
    let extra_ca = &config.satusehat.extra_ca_file;
    let extra_ca = (!extra_ca.as_os_str().is_empty()).then(|| config.path(extra_ca));
    let webhook = Webhook::new(&config.alarm.webhook_url, &secret, extra_ca);
    webhook.map(Some).map_err(|error| DaemonError::Setting(format!("[alarm]: {error}")))
}

fn after_failure(message: &Message, now: Timestamp, words: String) -> MessageEnd {
    let seconds = usize::try_from(message.tries).ok().and_then(|tries| TRY_AGAIN_SECONDS.get(tries));
    match seconds {
        Some(seconds) => {
            let wait = SignedDuration::try_from(Duration::from_secs(*seconds)).unwrap_or_default();
            MessageEnd::Again(now.saturating_add(wait).unwrap_or(Timestamp::MAX), words)
        }
        None => MessageEnd::GivenUp(words),
    }
}

/// A message as it is sent.
#[must_use]
pub fn body(message: &Message, language: Language) -> String {
    let alarm = &message.alarm;
    let kind = if message.is_raised { "alarm.raised" } else { "alarm.ended" };
    let text = if message.is_raised {
        sentence(alarm, language)
    } else {
        words::text(language, "alarm.ended", &[("alarm", sentence(alarm, language))])
    };
    json!({"type": kind, "timestamp": message.made_at.to_string(), "data": as_json(alarm, &text)}).to_string()
}
