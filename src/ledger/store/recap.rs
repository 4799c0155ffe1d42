//! What a month's figures are counted from: visits with their records, page by page, delays, and rules by place. The
//! statements only read.

use sqlx::FromRow;

use super::json;
use super::link::Link;
use super::lists::{narrowed, narrowed_with};
use crate::ledger::LedgerError;
use crate::ledger::reading::Filter;

const IDS: &str = "SELECT visit.id FROM visit WHERE visit.id > ?5 AND visit.emptied = 0
        AND (?1 IS NULL OR visit.service_date >= ?1) AND (?2 IS NULL OR visit.service_date <= ?2)
        AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)
    ORDER BY visit.id LIMIT ?6";

/// Visits past one, in order.
pub async fn ids(link: &mut Link, filter: &Filter, after: i64, limit: i64) -> Result<Vec<i64>, LedgerError> {
    Ok(link.column(IDS, narrowed_with(filter, values![after, limit])).await?)
}

/// A record of a visit, sealed.
#[derive(Debug, FromRow)]
pub struct StoredVisitRecord {
    pub visit: i64,
    pub key: Vec<u8>,
    pub posyandu: String,
    pub service_date: String,
    pub dataset: String,
    pub record_key: Vec<u8>,
    pub sealed: Vec<u8>,
}

const RECORDS: &str = "SELECT visit.id AS visit, visit.key AS key, visit.posyandu AS posyandu,
        visit.service_date AS service_date, record.dataset AS dataset, record.record_key AS record_key,
        record.sealed AS sealed
    FROM {?1: int} AS j CROSS JOIN visit ON visit.id = j.value
    JOIN record ON record.visit = visit.id AND record.current = 1 ORDER BY visit.id, record.id";

/// The records of visits.
pub async fn records(link: &mut Link, visits: &[i64]) -> Result<Vec<StoredVisitRecord>, LedgerError> {
    Ok(link.all(RECORDS, values![json(visits)?]).await?)
}

/// An accepted visit's times.
#[derive(Debug, FromRow)]
pub struct StoredDelay {
    pub posyandu: String,
    pub service_date: String,
    pub zone: String,
    pub entered_at: i64,
    pub accepted_at: i64,
}

const DELAYS: &str = of_newest!(
    "visit.posyandu, visit.service_date, visit.zone, (SELECT min(first.created_at) FROM entry AS first
        WHERE first.visit = entry.visit) AS entered_at, entry.state_since AS accepted_at",
    "AND entry.state = 'delivered'"
);

/// When accepted visits were first entered and when they were accepted.
pub async fn delays(link: &mut Link, filter: &Filter) -> Result<Vec<StoredDelay>, LedgerError> {
    Ok(link.all(DELAYS, narrowed(filter)).await?)
}

const RULES: &str = "SELECT posyandu, rule, count(*) FROM (SELECT source_row.posyandu AS posyandu, issue.rule AS rule
        FROM source_row JOIN issue ON issue.source_row = source_row.id AND issue.source_row IS NOT NULL
        WHERE source_row.standing <> 'superseded'
            AND (?1 IS NULL OR counted_date >= ?1) AND (?2 IS NULL OR counted_date <= ?2)
            AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
        UNION ALL SELECT visit.posyandu AS posyandu, issue.rule AS rule
        FROM visit JOIN entry ON entry.id = (SELECT newest.id FROM entry AS newest WHERE newest.visit = visit.id
            AND newest.state <> 'superseded' ORDER BY newest.version DESC LIMIT 1)
        JOIN issue ON issue.entry = entry.id AND issue.entry IS NOT NULL
        WHERE (?1 IS NULL OR visit.service_date >= ?1) AND (?2 IS NULL OR visit.service_date <= ?2)
            AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)) AS found
    GROUP BY posyandu, rule";

/// How often each rule spoke, by posyandu.
pub async fn rules(link: &mut Link, filter: &Filter) -> Result<Vec<(Option<String>, String, i64)>, LedgerError> {
    Ok(link.all(RULES, narrowed(filter)).await?)
}
