//! Visits that are judged by earlier ones of the same person: which stand before a visit, and which must be mapped
//! again when one before them changed.

use serde::Serialize;
use sqlx::FromRow;

use super::link::Link;
use super::rows::SealedRecord;
use super::visits::StaleRecord;
use super::{hex, json};
use crate::ledger::LedgerError;

/// A visit whose earlier ones are asked for, and the first day that is asked for.
#[derive(Debug, Serialize)]
pub struct Asked {
    pub visit: i64,
    pub since: String,
}

/// A visit that belongs to a series.
#[derive(Debug, FromRow)]
pub struct Member {
    pub visit: i64,
    /// Whether the series has visits before the first day that was asked for: 0 or 1.
    pub reaches_back: i64,
}

/// A record of an earlier visit.
#[derive(Debug, FromRow)]
pub struct EarlierRecord {
    pub of_visit: i64,
    #[sqlx(flatten)]
    pub record: StaleRecord,
}

const MEMBERS: &str = "SELECT mine.visit, CASE WHEN EXISTS (SELECT 1 FROM series AS older
        WHERE older.key = mine.key AND older.day < j.since AND older.content IS NOT NULL)
        THEN 1 ELSE 0 END AS reaches_back
    FROM {?1: visit int, since text} AS j CROSS JOIN series AS mine ON mine.visit = j.visit";

/// Those of some visits that belong to a series.
pub async fn members(link: &mut Link, asked: &[Asked]) -> Result<Vec<Member>, LedgerError> {
    Ok(link.all(MEMBERS, values![json(asked)?]).await?)
}

/// In an order that does not depend on what was read first.
const EARLIER: &str =
    "SELECT mine.visit AS of_visit, visit.id AS visit, visit.key, visit.revision, visit.puskesmas, visit.posyandu,
        visit.service_date, visit.zone, visit.due_at, record.dataset, record.record_key, record.sealed,
        source_row.row_key, source_row.source, source_row.place_sealed
    FROM {?1: visit int, since text} AS j CROSS JOIN series AS mine ON mine.visit = j.visit
    JOIN series AS earlier ON earlier.key = mine.key AND earlier.day >= j.since AND earlier.day < mine.day
        AND earlier.content IS NOT NULL
    JOIN visit ON visit.id = earlier.visit
    JOIN record ON record.visit = earlier.visit AND record.current = 1 AND record.series_content IS NOT NULL
    JOIN source_row ON source_row.id = record.source_row
    ORDER BY mine.visit, earlier.day, visit.key";

/// The records of the series before some visits, oldest first.
pub async fn earlier(link: &mut Link, asked: &[Asked]) -> Result<Vec<EarlierRecord>, LedgerError> {
    Ok(link.all(EARLIER, values![json(asked)?]).await?)
}

#[derive(Serialize)]
struct Joining {
    visit: i64,
    key: String,
}

/// Puts the visits of new records into their series; a visit never leaves one, for its name holds the person.
pub async fn join(link: &mut Link, records: &[(i64, i64, &SealedRecord)]) -> Result<(), LedgerError> {
    let joining: Vec<Joining> = records
        .iter()
        .filter_map(|(_, visit, record)| Some(Joining { visit: *visit, key: hex(&record.series?.key) }))
        .collect();
    if joining.is_empty() {
        return Ok(());
    }
    link.execute(
        "INSERT INTO series (visit, key, day)
         SELECT visit.id, j.key, visit.service_date
         FROM {?1: visit int, key bytes} AS j CROSS JOIN visit ON visit.id = j.visit WHERE true
         ON CONFLICT (visit) DO NOTHING",
        values![json(&joining)?],
    )
    .await?;
    Ok(())
}

/// What later visits are judged by, as the records that count now say it.
const FOLLOW: &str = "UPDATE series SET content = (SELECT record.series_content FROM record
        WHERE record.visit = series.visit AND record.current = 1 AND record.series_content IS NOT NULL)
    WHERE visit IN (SELECT j.value FROM {?1: int} AS j)
        AND content IS DISTINCT FROM (SELECT record.series_content FROM record
            WHERE record.visit = series.visit AND record.current = 1 AND record.series_content IS NOT NULL)
    RETURNING visit";

const LATER: &str = "UPDATE visit SET revision = revision + 1 WHERE emptied = 0 AND id IN (
        SELECT later.visit FROM {?1: int} AS j CROSS JOIN series AS moved ON moved.visit = j.value
        JOIN series AS later ON later.key = moved.key AND later.day > moved.day)";

/// Marks the visits that are judged by some others as changed, as far as those say something else now than before.
pub async fn follow(link: &mut Link, visits: &[i64]) -> Result<(), LedgerError> {
    let moved: Vec<i64> = link.column(FOLLOW, values![json(visits)?]).await?;
    if !moved.is_empty() {
        link.execute(LATER, values![json(&moved)?]).await?;
    }
    Ok(())
}
