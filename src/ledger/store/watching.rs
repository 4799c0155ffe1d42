//! The statements behind monitoring. They only read, and those asked for at every look use partial indexes: their cost
//! grows with what waits, not with what was ever sent.

use super::link::Link;
use super::statement::Statement;
use crate::ledger::LedgerError;

/// Entries that wait, by lane and state, and since when the oldest does: since it was entered (the lowest id is the
/// oldest), or for an unknown outcome since it became unknown. One branch per partial index.
pub const WAITING: &str = "SELECT found.lane, found.state, found.number,
        coalesce(found.since, (SELECT created_at FROM entry WHERE entry.id = found.oldest)) AS since
    FROM (
        SELECT lane, 'pending' AS state, count(*) AS number, min(id) AS oldest, NULL AS since
            FROM entry INDEXED BY entry_claimable WHERE state = 'pending' GROUP BY lane
        UNION ALL SELECT lane, 'in_flight', count(*), min(id), NULL
            FROM entry INDEXED BY entry_leased WHERE state = 'in_flight' GROUP BY lane
        UNION ALL SELECT lane, 'blocked', count(*), min(id), NULL
            FROM entry INDEXED BY entry_waiting WHERE state = 'blocked' GROUP BY lane
        UNION ALL SELECT lane, 'unknown', count(*), NULL, min(state_since)
            FROM entry INDEXED BY entry_in_doubt WHERE state = 'unknown' GROUP BY lane
    ) AS found";

/// The same for PostgreSQL, whose planner takes the partial indexes by itself.
const WAITING_ON_SERVER: &str = "SELECT found.lane, found.state, found.number,
        coalesce(found.since, (SELECT created_at FROM entry WHERE entry.id = found.oldest)) AS since
    FROM (
        SELECT lane, 'pending' AS state, count(*) AS number, min(id) AS oldest, NULL::bigint AS since
            FROM entry WHERE state = 'pending' GROUP BY lane
        UNION ALL SELECT lane, 'in_flight', count(*), min(id), NULL::bigint
            FROM entry WHERE state = 'in_flight' GROUP BY lane
        UNION ALL SELECT lane, 'blocked', count(*), min(id), NULL::bigint
            FROM entry WHERE state = 'blocked' GROUP BY lane
        UNION ALL SELECT lane, 'unknown', count(*), NULL::bigint, min(state_since)
            FROM entry WHERE state = 'unknown' GROUP BY lane
    ) AS found";

/// Entries that wait no more, by lane and state, and how many of them were completed on their day. Reads every entry.
pub const ENDED: &str = "SELECT lane, state, count(*) AS number,
        count(*) FILTER (WHERE completed_at <= day_ends_at) AS same_day
    FROM entry WHERE completed_at IS NOT NULL GROUP BY lane, state";

/// When each source was last read to its end.
const READ: &str = "SELECT source, max(finished_at) FROM pass WHERE complete = 1 OR windowed = 1 GROUP BY source";

/// Lane, state, number, since.
pub async fn waiting(link: &mut Link) -> Result<Vec<(String, String, i64, i64)>, LedgerError> {
    Ok(link.all(Statement::each(WAITING, WAITING_ON_SERVER), Vec::new()).await?)
}

/// Lane, state, number, of them on their day.
pub async fn ended(link: &mut Link) -> Result<Vec<(String, String, i64, i64)>, LedgerError> {
    Ok(link.all(ENDED, Vec::new()).await?)
}

/// Source, time.
pub async fn read(link: &mut Link) -> Result<Vec<(String, i64)>, LedgerError> {
    Ok(link.all(READ, Vec::new()).await?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::store::schema;

    #[tokio::test]
    async fn what_every_look_asks_for_reads_no_entry_that_waits_no_more() {
        let name = Path::new("file:watching-plan");
        let (mut link, _readers) = schema::in_memory(name).await.unwrap();
        schema::migrate(&mut link, name).await.unwrap();
        let Link::Sqlite(mut connection) = link else { panic!("a ledger in memory is SQLite's") };
        let text = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {WAITING}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(&mut connection).await.unwrap();
        let steps: Vec<&str> = plan.iter().map(|step| step.3.as_str()).filter(|step| step.contains("entry")).collect();
        assert_eq!(steps.len(), 5, "{steps:?}");
        let cheap = |step: &&str| step.contains("INDEX entry_") || step.contains("USING INTEGER PRIMARY KEY");
        assert!(steps.iter().all(cheap), "{steps:?}");
    }
}
