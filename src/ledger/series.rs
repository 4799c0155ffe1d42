//! What a visit is judged by besides its own records: earlier ones of the same person, found by a keyed name.
//!
//! They are part of what the visit is made from: when one of them changes, the visit counts as changed. It must not
//! know what is judged, nor how.

use std::collections::HashMap;

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::row::CurrentRecord;
use super::store::date;
use super::store::link::Link;
use super::store::series::{self, Asked};
use super::store::visits::StaleRecord;
use super::{Ledger, LedgerError};

/// Calendar months before a visit's own of which it is given the records: the one before says whether a child gained
/// weight, the one before that whether it did not gain twice running.
const MONTHS_BEFORE: i64 = 2;

/// Where a record stands among those of the same person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InSeries {
    /// Keyed hash that names the series.
    pub key: [u8; 32],
    /// Keyed hash of what later visits are judged by.
    pub content: [u8; 32],
}

/// What a visit is judged by.
#[derive(Clone, Debug, Default)]
pub struct Earlier {
    /// The records of its series from the first day of the second month before to the day before, oldest first.
    pub records: Vec<CurrentRecord>,
    /// Whether the series has visits before those.
    pub reaches_back: bool,
}

impl Ledger {
    /// What stands before the visits of records, by visit; one or two questions for all of them. Ask after the
    /// records were read: what changes in between then counts as changed since.
    pub(super) async fn earlier(
        &self,
        reader: &mut Link,
        stored: &[StaleRecord],
    ) -> Result<HashMap<i64, Earlier>, LedgerError> {
        let mut asked: Vec<Asked> = Vec::new();
        for record in stored {
            if asked.last().is_none_or(|last| last.visit != record.visit) {
                asked.push(Asked { visit: record.visit, since: since(date(&record.service_date)?).to_string() });
            }
        }
        let members = series::members(reader, &asked).await?;
        let mut all: HashMap<i64, Earlier> = members
            .into_iter()
            .map(|member| (member.visit, Earlier { records: Vec::new(), reaches_back: member.reaches_back == 1 }))
            .collect();
        asked.retain(|one| all.contains_key(&one.visit));
        if asked.is_empty() {
            return Ok(all);
        }
        for found in series::earlier(reader, &asked).await? {
            let record = self.open_record(&found.record)?;
            all.entry(found.of_visit).or_default().records.push(record);
        }
        Ok(all)
    }
}

/// The first day whose records are given to a visit.
fn since(day: Date) -> Date {
    day.first_of_month().checked_sub(MONTHS_BEFORE.months()).unwrap_or(Date::MIN)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn two_calendar_months_before_the_own_are_given() {
        assert_eq!(since(date(2026, 11, 30)), date(2026, 9, 1));
        assert_eq!(since(date(2026, 1, 1)), date(2025, 11, 1));
    }
}
