//! The statements behind the lists that people work through: who stands on a list, in the order of the places, and
//! then page by page what there is to say. They only read.

use sqlx::FromRow;

use super::json;
use super::link::Link;
use super::lists::{narrowed, narrowed_with};
use crate::ledger::LedgerError;
use crate::ledger::reading::Filter;

/// A row and one of its issues.
#[derive(Debug, FromRow)]
pub struct StoredRowIssue {
    pub id: i64,
    pub source: String,
    pub row_key: Vec<u8>,
    pub place_sealed: Vec<u8>,
    pub kind: String,
    pub standing: String,
    pub puskesmas: Option<String>,
    pub posyandu: Option<String>,
    pub counted_date: String,
    pub issue_sealed: Option<Vec<u8>>,
    pub other_source: Option<String>,
    pub other_file: Option<String>,
}

const ROWS: &str = "SELECT line.id, line.source, line.row_key, line.place_sealed, line.kind, line.standing,
        line.puskesmas, line.posyandu, line.counted_date, issue.sealed AS issue_sealed,
        CASE WHEN line.standing = 'conflict' THEN (SELECT other.source FROM source_row AS other WHERE
            other.visit = line.visit AND other.standing = 'conflict' AND other.source <> line.source LIMIT 1)
        END AS other_source,
        CASE WHEN line.standing = 'conflict' THEN (SELECT other.file FROM source_row AS other WHERE
            other.visit = line.visit AND other.standing = 'conflict' AND other.source <> line.source LIMIT 1)
        END AS other_file
    FROM {?1: int} AS j CROSS JOIN source_row AS line ON line.id = j.value
    LEFT JOIN issue ON issue.source_row = line.id
    ORDER BY j.key, issue.id";

/// Rows with their issues, in the order given.
pub async fn rows(link: &mut Link, rows: &[i64]) -> Result<Vec<StoredRowIssue>, LedgerError> {
    Ok(link.all(ROWS, values![json(rows)?]).await?)
}

/// Rows that need a person, or (with ?5) any with an issue; parameters 1 to 4 narrow them.
const OPEN_ROWS: &str = "SELECT id FROM source_row
    WHERE standing <> 'superseded'
        AND (kind = 'issue' OR standing = 'conflict' OR (?5 = 1 AND EXISTS
            (SELECT 1 FROM issue WHERE issue.source_row = source_row.id AND source_row IS NOT NULL)))
        AND (?1 IS NULL OR counted_date >= ?1) AND (?2 IS NULL OR counted_date <= ?2)
        AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
    ORDER BY counted_date, puskesmas NULLS FIRST, posyandu NULLS FIRST, source, file, id LIMIT ?6";

/// Rows with issues, the oldest date first.
pub async fn open_rows(
    link: &mut Link,
    filter: &Filter,
    warnings: bool,
    limit: u32,
) -> Result<Vec<StoredRowIssue>, LedgerError> {
    let values = narrowed_with(filter, values![warnings, i64::from(limit)]);
    let ids: Vec<i64> = link.column(OPEN_ROWS, values).await?;
    rows(link, &ids).await
}

/// Rows that need a person, and visits that do, these with their numbers below zero: by place and order of reading.
const WORK: &str = concat!(
    "SELECT subject FROM (SELECT id AS subject, puskesmas, posyandu, file, stamp FROM source_row
        WHERE standing <> 'superseded'
            AND (kind = 'issue' OR standing = 'conflict' OR EXISTS (SELECT 1 FROM issue
                WHERE issue.source_row = source_row.id AND source_row IS NOT NULL AND severity = 'error'))
            AND (?1 IS NULL OR counted_date >= ?1) AND (?2 IS NULL OR counted_date <= ?2)
            AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
        UNION ALL ",
    of_newest!(
        "-entry.id, visit.puskesmas, visit.posyandu,
            (SELECT file FROM source_row WHERE source_row.visit = visit.id ORDER BY source_row.id LIMIT 1),
            (SELECT stamp FROM source_row WHERE source_row.visit = visit.id ORDER BY source_row.id LIMIT 1)",
        "AND (entry.state IN ('refused', 'exhausted')
            OR (entry.state = 'blocked' AND entry.blocked_on <> 'predecessor'))"
    ),
    ") AS subjects ORDER BY puskesmas NULLS FIRST, posyandu NULLS FIRST, file, stamp"
);

/// Rows with warnings, and visits whose mapping has some (a card that differs from what was computed).
const WARNINGS: &str = concat!(
    "SELECT subject FROM (SELECT id AS subject, puskesmas, posyandu, file, stamp FROM source_row
        WHERE standing <> 'superseded'
            AND EXISTS (SELECT 1 FROM issue
                WHERE issue.source_row = source_row.id AND source_row IS NOT NULL AND severity <> 'error')
            AND (?1 IS NULL OR counted_date >= ?1) AND (?2 IS NULL OR counted_date <= ?2)
            AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
        UNION ALL ",
    of_newest!(
        "-entry.id, visit.puskesmas, visit.posyandu,
            (SELECT file FROM source_row WHERE source_row.visit = visit.id ORDER BY source_row.id LIMIT 1),
            (SELECT stamp FROM source_row WHERE source_row.visit = visit.id ORDER BY source_row.id LIMIT 1)",
        "AND entry.state <> 'superseded' AND EXISTS (SELECT 1 FROM issue
            WHERE issue.entry = entry.id AND issue.entry IS NOT NULL AND severity <> 'error')"
    ),
    ") AS subjects ORDER BY puskesmas NULLS FIRST, posyandu NULLS FIRST, file, stamp"
);

/// Who stands on the work list, or on the list of warnings: rows, and entries with their numbers below zero.
pub async fn subjects(link: &mut Link, filter: &Filter, is_work: bool) -> Result<Vec<i64>, LedgerError> {
    Ok(link.column(if is_work { WORK } else { WARNINGS }, narrowed(filter)).await?)
}

const COVERAGE: &str = of_newest!(
    "visit.puskesmas, visit.posyandu, count(*), count(*) FILTER (WHERE entry.state = 'delivered'),
        count(*) FILTER (WHERE entry.state = 'delivered' AND entry.state_since <= entry.day_ends_at)",
    "AND entry.state NOT IN ('waived', 'superseded') GROUP BY 1, 2"
);

/// By puskesmas and posyandu: visits to be sent, those accepted, those accepted on their day.
pub async fn coverage(link: &mut Link, filter: &Filter) -> Result<Vec<(String, String, i64, i64, i64)>, LedgerError> {
    Ok(link.all(COVERAGE, narrowed(filter)).await?)
}

const LATE: &str = of_newest!(
    "entry.id",
    "AND entry.state NOT IN ('waived', 'superseded') AND entry.day_ends_at <= ?5
        AND NOT (entry.state = 'delivered' AND entry.state_since <= entry.day_ends_at)
    ORDER BY visit.puskesmas, visit.posyandu, visit.service_date, entry.id LIMIT ?6"
);

const LATE_NUMBER: &str = of_newest!(
    "count(*)",
    "AND entry.state NOT IN ('waived', 'superseded') AND entry.day_ends_at <= ?5
        AND NOT (entry.state = 'delivered' AND entry.state_since <= entry.day_ends_at)"
);

/// Entries not accepted on their day, which has ended: how many, and the first of them by place.
pub async fn late(link: &mut Link, filter: &Filter, now: i64, limit: usize) -> Result<(i64, Vec<i64>), LedgerError> {
    let number = link.scalar(LATE_NUMBER, narrowed_with(filter, values![now])).await?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok((number, link.column(LATE, narrowed_with(filter, values![now, limit])).await?))
}

/// Sealed issues of entries, by entry in the order they were found.
pub async fn entry_issues(link: &mut Link, entries: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, LedgerError> {
    let statement = "SELECT issue.entry, issue.sealed FROM {?1: int} AS j
         CROSS JOIN issue ON issue.entry = j.value AND issue.entry IS NOT NULL ORDER BY issue.id";
    Ok(link.all(statement, values![json(entries)?]).await?)
}

/// The last event of each entry.
pub async fn last_events(link: &mut Link, entries: &[i64]) -> Result<Vec<(i64, String)>, LedgerError> {
    let statement = "SELECT event.entry, event.event FROM {?1: int} AS j CROSS JOIN event ON event.entry = j.value
            AND event.seq = (SELECT max(seq) FROM event AS last WHERE last.entry = j.value)";
    Ok(link.all(statement, values![json(entries)?]).await?)
}

/// Entry, attempt and sealed issues of each answer that had some, the last answer first.
pub async fn answers(link: &mut Link, entries: &[i64]) -> Result<Vec<(i64, i64, Vec<u8>)>, LedgerError> {
    let statement = "SELECT attempt.entry, attempt.id, attempt_end.issues_sealed FROM {?1: int} AS j
         CROSS JOIN attempt ON attempt.entry = j.value
         JOIN attempt_end ON attempt_end.attempt = attempt.id AND attempt_end.issues_sealed IS NOT NULL
         ORDER BY attempt.id DESC";
    Ok(link.all(statement, values![json(entries)?]).await?)
}
