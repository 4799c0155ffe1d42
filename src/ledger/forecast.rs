//! What waits of the days that still run, lane by lane: what a forecast of the deadline is made of.
//!
//! Only counts. The forecast itself stands in `report`.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::store::{count, forecast, time};
use super::{Ledger, LedgerError};
use crate::clock::Zone;

/// Over how long the speed of a lane is measured.
pub const LATELY: Duration = Duration::from_secs(30 * 60);

/// One lane's day that still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneDay {
    /// The puskesmas.
    pub lane: String,
    /// Its zone.
    pub zone: Zone,
    /// When the day ends there.
    pub ends: Timestamp,
    /// Visits of the day that are not delivered and wait for nothing but their turn or an answer.
    pub waiting: u64,
    /// Visits of the day that wait for a patient or another thing.
    pub blocked: u64,
    /// Visits, of any day, that the lane delivered within [`LATELY`].
    pub lately: u64,
}

impl Ledger {
    /// The days that still run, with what waits of them.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn running_days(&self) -> Result<Vec<LaneDay>, LedgerError> {
        let now = self.clock.now();
        let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
        let mut reader = self.readers.acquire().await?;
        let (days, lately) = forecast::days(&mut reader, now, since).await?;
        drop(reader);
        let lately: HashMap<String, i64> = lately.into_iter().collect();
        let open = |day: forecast::StoredDay| {
            Ok(LaneDay {
                zone: Zone::from_name(&day.zone).ok_or(LedgerError::Spoiled("zone"))?,
                ends: time(day.day_ends_at)?,
                waiting: count(day.waiting)?,
                blocked: count(day.blocked)?,
                lately: count(lately.get(&day.lane).copied().unwrap_or(0))?,
                lane: day.lane,
            })
        };
        days.into_iter().map(open).collect()
    }
}
