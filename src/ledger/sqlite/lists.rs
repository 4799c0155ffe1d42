//! The statements behind reports. They only read.

use sqlx::{FromRow, SqliteConnection};

use super::{count, json, time};
use crate::ledger::LedgerError;
use crate::ledger::reading::Filter;
use crate::ledger::row::{PassHistory, RowTally};
use crate::ledger::state::State;

/// A filter as statements take it.
pub struct Bound {
    pub from: Option<String>,
    pub to: Option<String>,
}

/// Dates as they are stored.
pub fn bound(filter: &Filter) -> Bound {
    Bound { from: filter.from.map(|date| date.to_string()), to: filter.to.map(|date| date.to_string()) }
}

const COUNTS: &str = "SELECT
        CASE WHEN source_row.standing = 'superseded' THEN 'superseded'
             WHEN source_row.kind = 'issue' OR source_row.standing = 'conflict' THEN 'issue'
             WHEN source_row.kind = 'skipped' THEN 'skipped'
             WHEN EXISTS (SELECT 1 FROM visit WHERE visit.id = source_row.visit AND revision <> entered_revision)
                THEN 'pending'
             ELSE coalesce((SELECT state FROM entry WHERE entry.visit = source_row.visit
                            AND entry.state <> 'superseded' ORDER BY version DESC LIMIT 1), 'pending')
        END AS standing,
        CASE WHEN source_row.kind = 'skipped' THEN source_row.reason END AS reason,
        puskesmas, posyandu, count(*)
    FROM source_row
    WHERE (?1 IS NULL OR counted_date >= ?1) AND (?2 IS NULL OR counted_date <= ?2)
        AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)
    GROUP BY 1, 2, 3, 4";

/// Standing, reason, puskesmas, posyandu, number of rows.
pub type CountLine = (String, Option<String>, Option<String>, Option<String>, i64);

/// Rows by standing and reason, puskesmas and posyandu.
pub async fn counts(connection: &mut SqliteConnection, filter: &Filter) -> Result<Vec<CountLine>, LedgerError> {
    let Bound { from, to } = bound(filter);
    let query = sqlx::query_as(COUNTS).bind(from).bind(to).bind(&filter.puskesmas).bind(&filter.posyandu);
    Ok(query.fetch_all(connection).await?)
}

/// An entry in a list.
#[derive(Debug, FromRow)]
pub struct StoredLine {
    pub id: i64,
    pub key: Vec<u8>,
    pub content_hash: Vec<u8>,
    pub version: i64,
    pub puskesmas: String,
    pub posyandu: String,
    pub service_date: String,
    pub state: String,
    pub state_since: i64,
    pub day_ends_at: i64,
    pub due_at: i64,
    pub blocked_on: Option<String>,
    pub spent: i64,
    pub last_class: Option<String>,
    pub emptied: i64,
}

const ENTRIES: &str = of_newest!(
    "entry.id",
    "AND (?5 IS NULL OR entry.state IN (SELECT value FROM json_each(?5)))
    ORDER BY entry.day_ends_at, visit.puskesmas, visit.posyandu, entry.id LIMIT ?6"
);

/// Newest entries of visits.
pub async fn entries(
    connection: &mut SqliteConnection,
    filter: &Filter,
    states: &[State],
    limit: u32,
) -> Result<Vec<StoredLine>, LedgerError> {
    let Bound { from, to } = bound(filter);
    let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
    let words = if words.is_empty() { None } else { Some(json(&words)?) };
    let query = sqlx::query_scalar(ENTRIES).bind(from).bind(to).bind(&filter.puskesmas).bind(&filter.posyandu);
    let ids: Vec<i64> = query.bind(words).bind(i64::from(limit)).fetch_all(&mut *connection).await?;
    lines(connection, &ids).await
}

const LINES: &str = "SELECT entry.id, visit.key, entry.content_hash, entry.version, visit.puskesmas, visit.posyandu,
        visit.service_date, entry.state, entry.state_since, entry.day_ends_at, entry.due_at, entry.blocked_on,
        entry.spent,
        (SELECT attempt_end.class FROM attempt JOIN attempt_end ON attempt_end.attempt = attempt.id
            WHERE attempt.entry = entry.id ORDER BY attempt.id DESC LIMIT 1) AS last_class,
        visit.emptied
    FROM json_each(?1) AS j CROSS JOIN entry ON entry.id = j.value JOIN visit ON visit.id = entry.visit
    ORDER BY j.key";

/// Entries in the order given.
pub async fn lines(connection: &mut SqliteConnection, entries: &[i64]) -> Result<Vec<StoredLine>, LedgerError> {
    Ok(sqlx::query_as(LINES).bind(json(entries)?).fetch_all(connection).await?)
}

/// Reasons of blocked entries.
pub async fn blocked_reasons(
    connection: &mut SqliteConnection,
    filter: &Filter,
) -> Result<Vec<(String, i64)>, LedgerError> {
    let Bound { from, to } = bound(filter);
    let query = sqlx::query_as(
        "SELECT entry.blocked_on, count(*) FROM entry JOIN visit ON visit.id = entry.visit
         WHERE entry.state = 'blocked' AND (?1 IS NULL OR visit.service_date >= ?1)
            AND (?2 IS NULL OR visit.service_date <= ?2) AND (?3 IS NULL OR visit.puskesmas = ?3)
            AND (?4 IS NULL OR visit.posyandu = ?4)
         GROUP BY 1",
    );
    let query = query.bind(from).bind(to).bind(&filter.puskesmas).bind(&filter.posyandu);
    Ok(query.fetch_all(connection).await?)
}

/// Findings on resources of delivered entries.
pub async fn verification(
    connection: &mut SqliteConnection,
    filter: &Filter,
) -> Result<Vec<(Option<String>, i64)>, LedgerError> {
    let Bound { from, to } = bound(filter);
    let query = sqlx::query_as(
        "SELECT resource.verified, count(*) FROM entry JOIN visit ON visit.id = entry.visit
         JOIN entry_resource AS resource ON resource.entry = entry.id
         WHERE entry.state = 'delivered' AND (?1 IS NULL OR visit.service_date >= ?1)
            AND (?2 IS NULL OR visit.service_date <= ?2) AND (?3 IS NULL OR visit.puskesmas = ?3)
            AND (?4 IS NULL OR visit.posyandu = ?4)
         GROUP BY 1",
    );
    let query = query.bind(from).bind(to).bind(&filter.puskesmas).bind(&filter.posyandu);
    Ok(query.fetch_all(connection).await?)
}

/// What earlier passes over a file or database came to.
pub async fn pass_history(
    connection: &mut SqliteConnection,
    source: &str,
    file: &str,
) -> Result<PassHistory, LedgerError> {
    let (complete, success, last): (Option<i64>, Option<i64>, Option<bool>) = sqlx::query_as(
        "WITH before AS (SELECT id, started_at, complete, windowed FROM pass WHERE source = ?1 AND file = ?2)
         SELECT (SELECT started_at FROM before WHERE complete = 1 ORDER BY id DESC LIMIT 1),
                (SELECT started_at FROM before WHERE complete = 1 OR windowed = 1 ORDER BY id DESC LIMIT 1),
                (SELECT complete = 1 OR windowed = 1 FROM before ORDER BY id DESC LIMIT 1)",
    )
    .bind(source)
    .bind(file)
    .fetch_one(connection)
    .await?;
    Ok(PassHistory {
        complete: complete.map(time).transpose()?,
        success: success.map(time).transpose()?,
        stopped: last == Some(false),
    })
}

type PassLine = (String, String, i64, i64, i64, i64, i64, i64, i64);

/// The last complete pass over each file.
pub async fn last_passes(connection: &mut SqliteConnection) -> Result<Vec<(String, String, RowTally)>, LedgerError> {
    let rows: Vec<PassLine> = sqlx::query_as(
        "SELECT source, file, read, new, changed, unchanged, issue, skipped, superseded FROM pass
         WHERE id IN (SELECT max(id) FROM pass WHERE complete = 1 GROUP BY source, file) ORDER BY source, file",
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(source, file, read, new, changed, unchanged, issue, skipped, superseded)| {
            let tally = RowTally {
                read: count(read)?,
                new: count(new)?,
                changed: count(changed)?,
                unchanged: count(unchanged)?,
                issue: count(issue)?,
                skipped: count(skipped)?,
                superseded: count(superseded)?,
            };
            Ok((source, file, tally))
        })
        .collect()
}

/// Events of an entry: event, state after it, time.
pub async fn events(connection: &mut SqliteConnection, entry: i64) -> Result<Vec<(String, String, i64)>, LedgerError> {
    let query = sqlx::query_as("SELECT event, state, at FROM event WHERE entry = ? ORDER BY seq").bind(entry);
    Ok(query.fetch_all(connection).await?)
}

/// An attempt with its end, if it has ended.
#[derive(Debug, FromRow)]
pub struct StoredAttempt {
    pub id: i64,
    pub begun_at: i64,
    pub outcome: Option<String>,
    pub status: Option<i64>,
    pub request_id: Option<String>,
    pub class: Option<String>,
    pub excerpt: Option<String>,
    pub rules: Option<String>,
    pub duration_ms: Option<i64>,
    pub issues_sealed: Option<Vec<u8>>,
    pub ended_at: Option<i64>,
}

/// Attempts of an entry, from the first.
pub async fn attempts(connection: &mut SqliteConnection, entry: i64) -> Result<Vec<StoredAttempt>, LedgerError> {
    let query = sqlx::query_as(
        "SELECT attempt.id, attempt.begun_at, outcome, status, request_id, class, excerpt, rules, duration_ms,
            issues_sealed, ended_at
         FROM attempt LEFT JOIN attempt_end ON attempt_end.attempt = attempt.id WHERE attempt.entry = ?
         ORDER BY attempt.id",
    );
    Ok(query.bind(entry).fetch_all(connection).await?)
}
