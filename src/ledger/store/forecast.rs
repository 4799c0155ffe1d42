//! What waits of the days that still run, and how fast each lane was lately. It only reads.

use jiff::Timestamp;
use sqlx::FromRow;

use super::link::Link;
use crate::ledger::LedgerError;

/// Ends of attempts looked at for the speed of the lanes, at most: so many fit into half an hour at 11 a second.
const ENDS_MAX: i64 = 20_000;

/// One lane's day that still runs.
#[derive(Debug, FromRow)]
pub struct StoredDay {
    pub lane: String,
    pub zone: String,
    pub day_ends_at: i64,
    pub waiting: i64,
    pub blocked: i64,
}

const DAYS: &str = "SELECT entry.lane AS lane, visit.zone AS zone, entry.day_ends_at AS day_ends_at,
        sum(CASE WHEN entry.state = 'blocked' THEN 0 ELSE 1 END) AS waiting,
        sum(CASE WHEN entry.state = 'blocked' THEN 1 ELSE 0 END) AS blocked
    FROM (SELECT visit, lane, day_ends_at, state FROM entry WHERE state = 'pending' AND day_ends_at > ?1
        UNION ALL SELECT visit, lane, day_ends_at, state FROM entry WHERE state = 'in_flight' AND day_ends_at > ?1
        UNION ALL SELECT visit, lane, day_ends_at, state FROM entry WHERE state = 'unknown' AND day_ends_at > ?1
        UNION ALL SELECT visit, lane, day_ends_at, state FROM entry WHERE state = 'blocked' AND day_ends_at > ?1)
        AS entry JOIN visit ON visit.id = entry.visit
    GROUP BY entry.lane, visit.zone, entry.day_ends_at ORDER BY entry.day_ends_at, entry.lane";

const LATELY: &str = "SELECT entry.lane, count(*)
    FROM attempt_end JOIN attempt ON attempt.id = attempt_end.attempt JOIN entry ON entry.id = attempt.entry
    WHERE attempt_end.attempt > (SELECT coalesce(max(attempt), 0) FROM attempt_end) - ?2
        AND attempt_end.ended_at > ?1 AND attempt_end.outcome = 'accepted'
    GROUP BY entry.lane";

/// Days that still run, with what waits of them, and the visits that each lane delivered since an instant.
pub async fn days(
    link: &mut Link,
    now: Timestamp,
    since: Timestamp,
) -> Result<(Vec<StoredDay>, Vec<(String, i64)>), LedgerError> {
    let days = link.all(DAYS, values![now.as_millisecond()]).await?;
    let lately = link.all(LATELY, values![since.as_millisecond(), ENDS_MAX]).await?;
    Ok((days, lately))
}
