//! What a month's figures are counted from: records opened page by page, delays, and rules by place.
//!
//! It only reads, and keeps one page in memory. What it hands out is personal: whoever counts keeps numbers only.

use jiff::Timestamp;
use jiff::civil::Date;

use super::reading::Filter;
use super::store::recap;
use super::store::{count, date, hash, time};
use super::{Ledger, LedgerError};
use crate::clock::Zone;

/// Visits opened at once.
const PAGE: i64 = 500;

/// A visit with its records, opened: dataset and canonical JSON. Personal.
#[derive(Clone)]
pub struct VisitOpened {
    /// Code of the posyandu.
    pub posyandu: String,
    /// Local date of service.
    pub service_date: Date,
    /// Its records.
    pub records: Vec<(String, String)>,
}

impl std::fmt::Debug for VisitOpened {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("VisitOpened").field("posyandu", &self.posyandu).finish_non_exhaustive()
    }
}

/// How long an accepted visit took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Code of the posyandu.
    pub posyandu: String,
    /// Local days from the service to the acceptance.
    pub days: u32,
    /// Minutes from when the gateway first had it to the acceptance.
    pub minutes: u32,
}

impl Ledger {
    /// Shows the visits of a part of the ledger, opened, to `each`, one after the other.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn walk_records(
        &self,
        filter: &Filter,
        each: &mut (dyn FnMut(&VisitOpened) + Send),
    ) -> Result<(), LedgerError> {
        let mut after = 0;
        loop {
            let mut reader = self.readers.acquire().await?;
            let ids = recap::ids(&mut reader, filter, after, PAGE).await?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = *last;
            let stored = recap::records(&mut reader, &ids).await?;
            drop(reader);
            let mut open: Option<(i64, VisitOpened)> = None;
            for one in stored {
                if open.as_ref().is_none_or(|(visit, _)| *visit != one.visit) {
                    if let Some((_, visit)) = open.take() {
                        each(&visit);
                    }
                    let service_date = date(&one.service_date)?;
                    open = Some((
                        one.visit,
                        VisitOpened { posyandu: one.posyandu.clone(), service_date, records: Vec::new() },
                    ));
                }
                let json = self.open_json_of(&hash(one.key)?, &hash(one.record_key)?, &one.sealed)?;
                if let Some((_, visit)) = &mut open {
                    visit.records.push((one.dataset, json));
                }
            }
            if let Some((_, visit)) = open {
                each(&visit);
            }
        }
    }

    /// How long accepted visits took.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn delays(&self, filter: &Filter) -> Result<Vec<Delay>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = recap::delays(&mut reader, filter).await?;
        let delay = |one: recap::StoredDelay| {
            let zone = Zone::from_name(&one.zone).ok_or(LedgerError::Spoiled("zone"))?;
            let (entered, accepted): (Timestamp, Timestamp) = (time(one.entered_at)?, time(one.accepted_at)?);
            let days = (zone.date_at(accepted) - date(&one.service_date)?).get_days();
            let minutes = accepted.duration_since(entered).as_mins();
            let (days, minutes) = (u32::try_from(days).unwrap_or(0), u32::try_from(minutes).unwrap_or(0));
            Ok(Delay { posyandu: one.posyandu, days, minutes })
        };
        stored.into_iter().map(delay).collect()
    }

    /// How often each rule spoke of rows and visits that count, by posyandu as far as known.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn rule_counts(&self, filter: &Filter) -> Result<Vec<(Option<String>, String, u64)>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = recap::rules(&mut reader, filter).await?;
        stored.into_iter().map(|(posyandu, rule, number)| Ok((posyandu, rule, count(number)?))).collect()
    }
}
