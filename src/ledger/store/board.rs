//! The statements behind the dashboard. They only read, along an index each, so that a page of a ledger with a million
//! visits costs what stands on the page.

use jiff::Timestamp;
use jiff::civil::Date;
use sqlx::FromRow;

use super::link::Link;
use super::lists::CountLine;
use super::statement::Statement;
use crate::ledger::LedgerError;
use crate::ledger::account::Reach;
use crate::ledger::board::WorkFilter;

/// Rows of a day by standing and reason, puskesmas and posyandu.
macro_rules! day_counts {
    ($index:literal) => {
        counted!("counted_date = ?1 AND (?2 IS NULL OR puskesmas = ?2) AND (?3 IS NULL OR posyandu = ?3)", $index)
    };
}

const COUNTS: &str = day_counts!("INDEXED BY visit_stale");

/// Rows of a day by where they stand.
pub async fn counts(link: &mut Link, day: Date, place: &Reach) -> Result<Vec<CountLine>, LedgerError> {
    let statement = Statement::each(COUNTS, day_counts!(""));
    Ok(link.all(statement, values![day.to_string(), &place.puskesmas, &place.posyandu]).await?)
}

/// Newest entries of a day's visits by posyandu: to be sent, accepted, accepted on their day.
pub const COVERAGE: &str = "SELECT visit.puskesmas, visit.posyandu, count(*),
        count(*) FILTER (WHERE entry.state = 'delivered'),
        count(*) FILTER (WHERE entry.state = 'delivered' AND entry.state_since <= entry.day_ends_at)
    FROM visit CROSS JOIN entry ON entry.visit = visit.id
    WHERE visit.service_date = ?1 AND (?2 IS NULL OR visit.puskesmas = ?2) AND (?3 IS NULL OR visit.posyandu = ?3)
        AND entry.state NOT IN ('waived', 'superseded') AND NOT EXISTS (SELECT 1 FROM entry AS newer
            WHERE newer.visit = entry.visit AND newer.version > entry.version AND newer.state <> 'superseded')
    GROUP BY 1, 2";

/// The lines of [`COVERAGE`].
pub async fn coverage(
    link: &mut Link,
    day: Date,
    place: &Reach,
) -> Result<Vec<(String, String, i64, i64, i64)>, LedgerError> {
    Ok(link.all(COVERAGE, values![day.to_string(), &place.puskesmas, &place.posyandu]).await?)
}

/// Something that waits for a person.
#[derive(Debug, FromRow)]
pub struct StoredWork {
    pub id: i64,
    pub day: String,
    pub ends: i64,
    pub actor: String,
}

/// Rows that wait for a person before a date and number, the newest first; parameters 3 to 8 narrow them.
macro_rules! work_rows {
    ($index:literal) => {
        concat!(
            "SELECT id, counted_date AS day, CASE WHEN 1 = 1 THEN 1 ELSE 0 END AS ends,
                CASE WHEN standing = 'conflict' THEN 'puskesmas' ELSE 'kader' END AS actor
            FROM source_row ",
            $index,
            " WHERE standing <> 'superseded' AND (kind = 'issue' OR standing = 'conflict')
                AND (counted_date, id) < (?1, ?2)
                AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
                AND (?5 IS NULL OR counted_date >= ?5) AND (?6 IS NULL OR counted_date <= ?6)
                AND (?7 IS NULL OR ?7 = CASE WHEN standing = 'conflict' THEN 'puskesmas' ELSE 'kader' END)
                AND (?8 IS NULL OR EXISTS (SELECT 1 FROM issue WHERE issue.source_row = source_row.id
                    AND issue.source_row IS NOT NULL AND issue.rule = ?8))
            ORDER BY counted_date DESC, id DESC LIMIT ?9"
        )
    };
}

pub const WORK_ROWS: &str = work_rows!("INDEXED BY source_row_for_person");

/// Rows that wait for a person.
pub async fn work_rows(
    link: &mut Link,
    filter: &WorkFilter,
    before: (Date, i64),
    limit: u32,
) -> Result<Vec<StoredWork>, LedgerError> {
    let mut values = values![before.0.to_string(), before.1];
    values.extend(narrowed(filter, limit));
    Ok(link.all(Statement::each(WORK_ROWS, work_rows!("")), values).await?)
}

/// Visits that wait for a person, likewise.
macro_rules! work_entries {
    ($index:literal) => {
        concat!(
            "SELECT entry.id, visit.service_date AS day, entry.day_ends_at AS ends,
                CASE WHEN entry.mapping_refused = 1 THEN 'mapping' WHEN entry.state = 'exhausted' THEN 'platform'
                    ELSE 'puskesmas' END AS actor
            FROM entry ",
            $index,
            " CROSS JOIN visit ON visit.id = entry.visit
            WHERE entry.state IN ('blocked', 'refused', 'exhausted') AND entry.blocked_on IS DISTINCT FROM 'predecessor'
                AND (entry.day_ends_at, entry.id) < (?1, ?2)
                AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)
                AND (?5 IS NULL OR visit.service_date >= ?5) AND (?6 IS NULL OR visit.service_date <= ?6)
                AND (?7 IS NULL OR ?7 = CASE WHEN entry.mapping_refused = 1 THEN 'mapping'
                    WHEN entry.state = 'exhausted' THEN 'platform' ELSE 'puskesmas' END)
                AND (?8 IS NULL OR entry.blocked_on = ?8 OR EXISTS (SELECT 1 FROM issue WHERE issue.entry = entry.id
                    AND issue.entry IS NOT NULL AND issue.rule = ?8))
            ORDER BY entry.day_ends_at DESC, entry.id DESC LIMIT ?9"
        )
    };
}

pub const WORK_ENTRIES: &str = work_entries!("INDEXED BY entry_for_person");

/// Visits that wait for a person.
pub async fn work_entries(
    link: &mut Link,
    filter: &WorkFilter,
    before: (Timestamp, i64),
    limit: u32,
) -> Result<Vec<StoredWork>, LedgerError> {
    let mut values = values![before.0.as_millisecond(), before.1];
    values.extend(narrowed(filter, limit));
    Ok(link.all(Statement::each(WORK_ENTRIES, work_entries!("")), values).await?)
}

fn narrowed(filter: &WorkFilter, limit: u32) -> Vec<super::link::Value> {
    let [from, to] = [filter.from, filter.to].map(|date| date.map(|date| date.to_string()));
    let actor = filter.actor.map(crate::ledger::board::Actor::word);
    values![&filter.place.puskesmas, &filter.place.posyandu, from, to, actor, &filter.rule, i64::from(limit)]
}

/// A resource with what reading back showed.
#[derive(Debug, FromRow)]
pub struct StoredSeen {
    pub position: i64,
    pub resource_type: String,
    pub identifier_value: String,
    pub server_id: Option<String>,
    pub server_version: Option<String>,
    pub server_mapping: Option<String>,
    pub is_current: i64,
    pub as_before: Option<i64>,
    pub verified: Option<String>,
    pub verified_at: Option<i64>,
}

const RESOURCES: &str = "SELECT own.position, own.resource_type, own.identifier_value, own.server_id,
        own.server_version, own.server_mapping,
        CASE WHEN own.server_hash = own.content_hash THEN 1 ELSE 0 END AS is_current,
        (SELECT CASE WHEN old.content_hash = own.content_hash THEN 1 ELSE 0 END FROM entry_resource AS old
            WHERE old.entry = entry.predecessor AND old.resource_type = own.resource_type
                AND old.identifier_value = own.identifier_value LIMIT 1) AS as_before,
        own.verified, own.verified_at
    FROM entry JOIN entry_resource AS own ON own.entry = entry.id WHERE entry.id = ?1 ORDER BY own.position";

/// Resources of an entry in order.
pub async fn resources(link: &mut Link, entry: i64) -> Result<Vec<StoredSeen>, LedgerError> {
    Ok(link.all(RESOURCES, values![entry]).await?)
}

/// Entry, version, state, mapping and time of each version of the visit of an entry.
pub async fn versions(link: &mut Link, entry: i64) -> Result<Vec<(i64, i64, String, String, i64)>, LedgerError> {
    let statement = "SELECT id, version, state, mapping_version, created_at FROM entry
        WHERE visit = (SELECT visit FROM entry AS own WHERE own.id = ?1) ORDER BY version";
    Ok(link.all(statement, values![entry]).await?)
}

/// Class, duration and time of the last answers.
pub async fn answers(link: &mut Link, since: i64, limit: u32) -> Result<Vec<(String, i64, i64)>, LedgerError> {
    let statement = "SELECT class, duration_ms, ended_at FROM
        (SELECT attempt, class, duration_ms, ended_at FROM attempt_end ORDER BY attempt DESC LIMIT ?2) AS last
        WHERE ended_at > ?1 ORDER BY attempt DESC";
    Ok(link.all(statement, values![since, i64::from(limit)]).await?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ledger::store::schema;
    use crate::ledger::store::statement::Dialect;

    #[tokio::test]
    async fn no_page_reads_the_whole_ledger() {
        let name = Path::new("file:board-plan");
        let (mut link, _readers) = schema::in_memory(name).await.unwrap();
        schema::migrate(&mut link, name).await.unwrap();
        let Link::Sqlite(mut connection) = link else { panic!("a ledger in memory is SQLite's") };
        for statement in [COUNTS, COVERAGE, WORK_ROWS, WORK_ENTRIES, RESOURCES] {
            let text = Statement::from(statement);
            let text = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", text.text(Dialect::Sqlite)));
            let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(&mut connection).await.unwrap();
            let scans: Vec<&str> =
                plan.iter().map(|step| step.3.as_str()).filter(|step| step.starts_with("SCAN")).collect();
            assert!(scans.is_empty(), "{statement}\n{plan:?}");
        }
    }
}
