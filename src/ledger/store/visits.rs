//! Visits whose records changed, with those records; what a new mapping makes of the visits known.

use sqlx::FromRow;

use super::link::Link;
use super::{json, plans};
use crate::ledger::LedgerError;

/// A visit with a record of it, as stored.
#[derive(Debug, FromRow)]
pub struct StaleRecord {
    pub visit: i64,
    pub key: Vec<u8>,
    pub revision: i64,
    pub puskesmas: String,
    pub posyandu: String,
    pub service_date: String,
    pub zone: String,
    pub due_at: i64,
    pub dataset: String,
    pub record_key: Vec<u8>,
    pub sealed: Vec<u8>,
    pub row_key: Vec<u8>,
    pub source: String,
    pub place_sealed: Vec<u8>,
}

const STALE: &str = "SELECT visit.id AS visit, visit.key, visit.revision, visit.puskesmas, visit.posyandu, visit.service_date, visit.zone,
        visit.due_at, record.dataset, record.record_key, record.sealed, source_row.row_key, source_row.source,
        source_row.place_sealed
    FROM (SELECT * FROM visit WHERE revision <> entered_revision AND emptied = 0 AND id > ?1
        ORDER BY id LIMIT ?2) AS visit
    JOIN record ON record.visit = visit.id AND record.current = 1
    JOIN source_row ON source_row.id = record.source_row
    ORDER BY visit.id, record.dataset, record.record_key";

/// Records of visits after `after` that changed since their entry was made.
pub async fn stale(link: &mut Link, after: i64, limit: u32) -> Result<Vec<StaleRecord>, LedgerError> {
    Ok(link.all(STALE, values![after, i64::from(limit)]).await?)
}

const OF_VISITS: &str =
    "SELECT visit.id AS visit, visit.key, visit.revision, visit.puskesmas, visit.posyandu, visit.service_date, visit.zone,
        visit.due_at, record.dataset, record.record_key, record.sealed, source_row.row_key, source_row.source,
        source_row.place_sealed
    FROM {?1: int} AS j CROSS JOIN visit ON visit.id = j.value
    JOIN record ON record.visit = visit.id AND record.current = 1
    JOIN source_row ON source_row.id = record.source_row
    ORDER BY visit.id, record.dataset, record.record_key";

/// Records of visits in the order in which they are mapped.
pub async fn of_visits(link: &mut Link, visits: &[i64]) -> Result<Vec<StaleRecord>, LedgerError> {
    Ok(link.all(OF_VISITS, values![json(visits)?]).await?)
}

const FEEDING: &str =
    "SELECT visit.id AS visit, visit.key, visit.revision, visit.puskesmas, visit.posyandu, visit.service_date, visit.zone,
        visit.due_at, record.dataset, record.record_key, record.sealed, source_row.row_key, source_row.source,
        source_row.place_sealed
    FROM {?1: int} AS j CROSS JOIN entry ON entry.id = j.value JOIN visit ON visit.id = entry.visit
    JOIN record ON record.visit = visit.id AND record.current = 1
    JOIN source_row ON source_row.id = record.source_row
    ORDER BY visit.id, source_row.id, record.id";

/// Records that feed the visits of entries now, by visit in the order they were read.
pub async fn feeding(link: &mut Link, entries: &[i64]) -> Result<Vec<StaleRecord>, LedgerError> {
    Ok(link.all(FEEDING, values![json(entries)?]).await?)
}

/// Marks visits for mapping again that another mapping made and that are not at the server nor on their way: those
/// that wait, and those that the mapping refused or a rule left out. What was delivered is marked only by an approved plan.
pub async fn remap(link: &mut Link, mapping_version: &str) -> Result<u64, LedgerError> {
    let marked = link
        .execute(
            "UPDATE visit SET revision = revision + 1 WHERE emptied = 0 AND revision = entered_revision AND id IN (
            SELECT visit FROM entry WHERE mapping_version <> ?1
                AND (state IN ('pending', 'blocked') OR (state = 'refused' AND mapping_refused = 1)
                    OR (state = 'waived' AND NOT EXISTS (SELECT 1 FROM decision
                        WHERE decision.entry = entry.id AND decision.event = 'waived_by'))))",
            values![mapping_version],
        )
        .await?;
    Ok(marked + plans::carry_out(link, mapping_version).await?)
}
