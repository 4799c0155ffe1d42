//! Where rows and visits stand and why, grouped by place and day. The statements only read.

use sqlx::FromRow;

use super::link::Link;
use super::lists::narrowed;
use crate::ledger::LedgerError;
use crate::ledger::reading::Filter;

/// Why an entry stands where it does: when it was accepted, what it waits for, who or what waived it, which rule refused it
/// (of the mapping, else of the last answer).
macro_rules! entry_reason {
    () => {
        "CASE WHEN entry.state = 'delivered'
                THEN CASE WHEN entry.state_since <= entry.day_ends_at THEN 'same_day' ELSE 'late' END
            WHEN entry.state = 'blocked' THEN entry.blocked_on
            WHEN entry.state = 'waived' THEN CASE WHEN EXISTS (SELECT 1 FROM decision
                WHERE decision.entry = entry.id AND decision.event = 'waived_by') THEN 'person' ELSE 'out_of_range' END
            WHEN entry.state IN ('refused', 'exhausted') THEN coalesce(
                (SELECT issue.rule FROM issue WHERE issue.entry = entry.id AND issue.entry IS NOT NULL
                    AND issue.severity = 'error' ORDER BY issue.id LIMIT 1),
                (SELECT CASE WHEN attempt_end.rules <> '[]' THEN attempt_end.rules ELSE attempt_end.class END
                    FROM attempt JOIN attempt_end ON attempt_end.attempt = attempt.id
                    WHERE attempt.entry = entry.id ORDER BY attempt.id DESC LIMIT 1))
        END"
    };
}

/// The entry that tells where a visit stands.
macro_rules! newest_entry {
    () => {
        "LEFT JOIN entry ON entry.id = (SELECT newest.id FROM entry AS newest WHERE newest.visit = visit.id
            AND newest.state <> 'superseded' ORDER BY newest.version DESC LIMIT 1)"
    };
}

/// A number of rows, or of visits, that stand alike.
#[derive(Debug, FromRow)]
pub struct StoredStanding {
    pub puskesmas: Option<String>,
    pub posyandu: Option<String>,
    pub day: String,
    pub standing: String,
    pub reason: Option<String>,
    pub number: i64,
}

const ROWS: &str = concat!(
    "SELECT puskesmas, posyandu, day, standing, reason, count(*) AS number FROM (
        SELECT source_row.puskesmas AS puskesmas, source_row.posyandu AS posyandu, source_row.counted_date AS day,
            CASE WHEN source_row.standing = 'superseded' THEN 'superseded'
                WHEN source_row.kind = 'issue' OR source_row.standing = 'conflict' THEN 'issue'
                WHEN source_row.kind = 'skipped' THEN 'skipped'
                WHEN visit.revision <> visit.entered_revision THEN 'pending'
                ELSE coalesce(entry.state, 'pending') END AS standing,
            CASE WHEN source_row.standing = 'superseded' THEN NULL
                WHEN source_row.kind = 'skipped' THEN source_row.reason
                WHEN source_row.standing = 'conflict' THEN 'visit.conflicting_sources'
                WHEN source_row.kind = 'issue' THEN (SELECT issue.rule FROM issue
                    WHERE issue.source_row = source_row.id AND issue.source_row IS NOT NULL
                        AND issue.severity = 'error' ORDER BY issue.id LIMIT 1)
                WHEN visit.revision <> visit.entered_revision THEN NULL
                ELSE ",
    entry_reason!(),
    " END AS reason
        FROM source_row LEFT JOIN visit ON visit.id = source_row.visit ",
    newest_entry!(),
    " WHERE (?1 IS NULL OR source_row.counted_date >= ?1) AND (?2 IS NULL OR source_row.counted_date <= ?2)
            AND (?3 IS NULL OR source_row.puskesmas = ?3) AND (?4 IS NULL OR source_row.posyandu = ?4)) AS stood
    GROUP BY puskesmas, posyandu, day, standing, reason"
);

const VISITS: &str = concat!(
    "SELECT puskesmas, posyandu, day, standing, reason, count(*) AS number FROM (
        SELECT visit.puskesmas AS puskesmas, visit.posyandu AS posyandu, visit.service_date AS day,
            CASE WHEN visit.revision <> visit.entered_revision AND visit.emptied = 0 THEN 'pending'
                ELSE coalesce(entry.state, 'pending') END AS standing,
            CASE WHEN visit.revision <> visit.entered_revision AND visit.emptied = 0 THEN NULL
                ELSE ",
    entry_reason!(),
    " END AS reason
        FROM visit ",
    newest_entry!(),
    " WHERE (visit.emptied = 0 OR entry.id IS NOT NULL)
            AND (?1 IS NULL OR visit.service_date >= ?1) AND (?2 IS NULL OR visit.service_date <= ?2)
            AND (?3 IS NULL OR visit.puskesmas = ?3) AND (?4 IS NULL OR visit.posyandu = ?4)) AS stood
    GROUP BY puskesmas, posyandu, day, standing, reason"
);

/// Rows by where they stand.
pub async fn rows(link: &mut Link, filter: &Filter) -> Result<Vec<StoredStanding>, LedgerError> {
    Ok(link.all(ROWS, narrowed(filter)).await?)
}

/// Visits by where they stand; those whose records are gone and of which nothing was sent are none.
pub async fn visits(link: &mut Link, filter: &Filter) -> Result<Vec<StoredStanding>, LedgerError> {
    Ok(link.all(VISITS, narrowed(filter)).await?)
}
