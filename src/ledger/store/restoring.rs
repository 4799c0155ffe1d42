//! After an older copy took the ledger's place: what may have been sent meanwhile is looked up before it is sent.

use jiff::{SignedDuration, Timestamp};

use super::json;
use super::link::Link;
use super::transition::{self, Step};
use crate::ledger::LedgerError;
use crate::ledger::state::{Event, State};

/// Entries put in doubt at once.
const DOUBT_MAX: i64 = 1_000;
/// The day is taken in the zone where it begins first (WIT, UTC+9), so that it covers what any posyandu may have sent.
const FIRST_ZONE: SignedDuration = SignedDuration::from_hours(9);

/// Remembers that an older copy took the ledger's place, and marks everything that is not delivered; the database
/// marks what is entered later for visits up to this day. Returns how many entries were marked.
pub async fn mark(link: &mut Link, reason: &str, now: Timestamp) -> Result<u64, LedgerError> {
    let last_day = now.saturating_add(FIRST_ZONE).unwrap_or(Timestamp::MAX);
    let last_day = last_day.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    let statement = "INSERT INTO restoration (at, last_day, reason) VALUES (?1, ?2, ?3)";
    link.execute(statement, values![now.as_millisecond(), last_day, reason]).await?;
    let statement = "UPDATE entry SET look_first = 1
        WHERE look_first = 0 AND state IN ('pending', 'blocked', 'refused', 'exhausted', 'waived')";
    Ok(link.execute(statement, values![]).await?)
}

/// Puts the marked entries of a lane in doubt that would be sent next: reconciliation looks them up.
pub async fn doubt(link: &mut Link, lane: &str, now: Timestamp) -> Result<(), LedgerError> {
    loop {
        let statement = "SELECT id FROM entry WHERE lane = ?1 AND look_first = 1 AND state = 'pending'
            ORDER BY id LIMIT ?2 /*lock*/";
        let marked: Vec<i64> = link.column(statement, values![lane, DOUBT_MAX]).await?;
        if marked.is_empty() {
            return Ok(());
        }
        let statement = "UPDATE entry SET look_first = 0 WHERE id IN (SELECT j.value FROM {?1: int} AS j)";
        link.execute(statement, values![json(&marked)?]).await?;
        let steps = marked.iter().map(|entry| Ok(Step::new(*entry, State::Pending, &Event::Restored { due: now })?.0));
        let steps = steps.collect::<Result<Vec<_>, LedgerError>>()?;
        transition::take(link, &steps, now).await?;
    }
}
