//! Tells when visits of today are expected to be late: once two hours before the end of the day, once half an hour.
//!
//! It must not decide what is sent. The alarm is an event of the log with named fields; `status` shows the same.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Daemon, DaemonError};
use crate::ledger::lane::NoteKind;
use crate::report::forecast::{Alarm, forecast};

/// The alarm that was given last for a lane.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Given {
    ends: Timestamp,
    alarm: String,
}

impl Daemon {
    /// Gives the alarms that are due and were not given yet, also not before a restart.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn give_alarms(&self) -> Result<Vec<(String, Alarm)>, DaemonError> {
        let now = self.clock.now();
        let mut all = Vec::new();
        for day in self.ledger.running_days().await? {
            let forecast = forecast(&day, now);
            let Some(alarm) = forecast.alarm else { continue };
            let given = Given { ends: forecast.ends, alarm: alarm.word().to_owned() };
            let last = self.ledger.note(NoteKind::Alarm, &forecast.lane).await?;
            if last.and_then(|text| serde_json::from_str::<Given>(&text).ok()).as_ref() == Some(&given) {
                continue;
            }
            tracing::warn!(
                lane = forecast.lane,
                zone = forecast.zone.name(),
                alarm = alarm.word(),
                ends = %forecast.ends,
                waiting = forecast.waiting,
                late = forecast.late,
                per_minute = forecast.per_minute,
                "visits of today will not be delivered before midnight at the present rate"
            );
            let text = serde_json::to_string(&given).ok();
            self.ledger.put_note(NoteKind::Alarm, &forecast.lane, text).await?;
            all.push((forecast.lane, alarm));
        }
        Ok(all)
    }
}
