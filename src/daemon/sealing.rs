//! Seals each puskesmas' days when they have ended, and states what moved since: once a day, after local midnight.
//!
//! What a statement says stands in `report`, that it is never changed in `ledger`. A day that ended while the gateway
//! was down gets its seal as soon as it runs again. It must not send anything.

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::{Daemon, DaemonError};
use crate::clock::Zone;
use crate::ledger::reading::Filter;
use crate::remote::lane::Lane;
use crate::remote::tending::CLOCK_SKEW_MAX;
use crate::report::statement::{Due, by_puskesmas};

/// Statements of one puskesmas made at once, at most; the next look goes on.
const STATEMENTS_MAX: usize = 1_000;

impl Daemon {
    /// Makes the statements that are due; gives their number.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn seal_days(&self, lanes: &[Lane]) -> Result<u64, DaemonError> {
        let Some(mut due) = self.days_due(lanes).await? else { return Ok(0) };
        let last = due.values().map(|(_, _, ended)| *ended).max();
        let mut standings = by_puskesmas(self.ledger.standings(&Filter { to: last, ..Filter::default() }).await?);
        // Rows that name no puskesmas, or one that is gone from the settings, are stated by the first one's zone.
        let first = self.config.puskesmas.first().and_then(|first| due.get(&first.name).copied());
        for name in standings.keys() {
            let is_known = self.config.puskesmas.iter().any(|known| known.name == *name);
            if let Some((zone, _, ended)) = first.filter(|_| !is_known) {
                due.insert(name.clone(), (zone, Date::MAX, ended));
            }
        }
        let mut number = 0;
        for (puskesmas, (zone, every_day_from, ended)) in due {
            let days = standings.remove(&puskesmas).unwrap_or_default();
            let latest = self.ledger.latest_statements(&puskesmas).await?;
            let due = Due { puskesmas: &puskesmas, zone, every_day_from, ended, now: self.clock.now() };
            let new = due
                .statements(&days, &latest, STATEMENTS_MAX)
                .map_err(|_| crate::ledger::LedgerError::Spoiled("statement"))?;
            let made = new.len() as u64;
            if self.ledger.state(&puskesmas, new).await? {
                tracing::info!(puskesmas, statements = made, to = %ended, "days were sealed");
                number += made;
            }
        }
        Ok(number)
    }

    /// Puskesmas with days that have ended and have no seal: zone, the first such day, the last day that has ended.
    async fn days_due(&self, lanes: &[Lane]) -> Result<Option<BTreeMap<String, (Zone, Date, Date)>>, DaemonError> {
        let Some(begun) = self.ledger.begun().await? else { return Ok(None) };
        let sealed = self.ledger.sealed_to().await?;
        let now = self.clock.now();
        let of = |zone: Zone, puskesmas: &str| {
            let ended = zone.date_at(now).checked_sub(1.day()).unwrap_or(Date::MIN);
            let from = match sealed.get(puskesmas) {
                Some(day) => day.checked_add(1.day()).unwrap_or(Date::MAX),
                None => zone.date_at(begun),
            };
            (zone, from, ended)
        };
        // The alarm about the clock tells it.
        let is_doubtful = lanes.iter().filter_map(|lane| lane.remote.clock_skew()).any(|skew| skew > CLOCK_SKEW_MAX);
        let mut due = BTreeMap::new();
        for puskesmas in &self.config.puskesmas {
            let (zone, from, ended) = of(puskesmas.timezone, &puskesmas.name);
            if from <= ended && !is_doubtful {
                due.insert(puskesmas.name.clone(), (zone, from, ended));
            }
        }
        Ok((!due.is_empty()).then_some(due))
    }
}
