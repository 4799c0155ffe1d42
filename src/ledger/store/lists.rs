//! The statements behind reports. They only read.

use sqlx::FromRow;

use super::link::{Link, Value};
use super::statement::Statement;
use super::{count, json, time};
use crate::ledger::LedgerError;
use crate::ledger::reading::Filter;
use crate::ledger::row::{PassHistory, RowTally};
use crate::ledger::state::State;

/// A filter as parameters 1 to 4 of a statement: from, to, puskesmas, posyandu.
pub fn narrowed(filter: &Filter) -> Vec<Value> {
    let [from, to] = [filter.from, filter.to].map(|date| date.map(|date| date.to_string()));
    values![from, to, &filter.puskesmas, &filter.posyandu]
}

/// The same with more parameters behind it.
pub fn narrowed_with(filter: &Filter, more: Vec<Value>) -> Vec<Value> {
    let mut values = narrowed(filter);
    values.extend(more);
    values
}

macro_rules! counts {
    ($index:literal) => {
        counted!(
            "(?1 IS NULL OR counted_date >= ?1) AND (?2 IS NULL OR counted_date <= ?2)
                AND (?3 IS NULL OR puskesmas = ?3) AND (?4 IS NULL OR posyandu = ?4)",
            $index
        )
    };
}

/// Standing, reason, puskesmas, posyandu, number of rows.
pub type CountLine = (String, Option<String>, Option<String>, Option<String>, i64);

/// Rows by standing and reason, puskesmas and posyandu.
pub async fn counts(link: &mut Link, filter: &Filter) -> Result<Vec<CountLine>, LedgerError> {
    let statement = Statement::each(counts!("INDEXED BY visit_stale"), counts!(""));
    Ok(link.all(statement, narrowed(filter)).await?)
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
    "AND (?5 IS NULL OR entry.state IN (SELECT j.value FROM {?5: text} AS j))
    ORDER BY entry.day_ends_at, visit.puskesmas, visit.posyandu, entry.id LIMIT ?6"
);

/// Newest entries of visits.
pub async fn entries(
    link: &mut Link,
    filter: &Filter,
    states: &[State],
    limit: u32,
) -> Result<Vec<StoredLine>, LedgerError> {
    let words: Vec<&str> = states.iter().map(|state| state.word()).collect();
    let words = if words.is_empty() { None } else { Some(json(&words)?) };
    let ids: Vec<i64> = link.column(ENTRIES, narrowed_with(filter, values![words, i64::from(limit)])).await?;
    lines(link, &ids).await
}

const LINES: &str = "SELECT entry.id, visit.key, entry.content_hash, entry.version, visit.puskesmas, visit.posyandu,
        visit.service_date, entry.state, entry.state_since, entry.day_ends_at, entry.due_at, entry.blocked_on,
        entry.spent,
        (SELECT attempt_end.class FROM attempt JOIN attempt_end ON attempt_end.attempt = attempt.id
            WHERE attempt.entry = entry.id ORDER BY attempt.id DESC LIMIT 1) AS last_class,
        visit.emptied
    FROM {?1: int} AS j CROSS JOIN entry ON entry.id = j.value JOIN visit ON visit.id = entry.visit
    ORDER BY j.key";

/// Entries in the order given.
pub async fn lines(link: &mut Link, entries: &[i64]) -> Result<Vec<StoredLine>, LedgerError> {
    Ok(link.all(LINES, values![json(entries)?]).await?)
}

/// Reasons of blocked entries.
pub async fn blocked_reasons(link: &mut Link, filter: &Filter) -> Result<Vec<(String, i64)>, LedgerError> {
    let statement = "SELECT entry.blocked_on, count(*) FROM entry JOIN visit ON visit.id = entry.visit
         WHERE entry.state = 'blocked' AND (?1 IS NULL OR visit.service_date >= ?1)
            AND (?2 IS NULL OR visit.service_date <= ?2) AND (?3 IS NULL OR visit.puskesmas = ?3)
            AND (?4 IS NULL OR visit.posyandu = ?4)
         GROUP BY 1";
    Ok(link.all(statement, narrowed(filter)).await?)
}

/// Findings on resources of delivered entries.
pub async fn verification(link: &mut Link, filter: &Filter) -> Result<Vec<(Option<String>, i64)>, LedgerError> {
    let statement = "SELECT resource.verified, count(*) FROM entry JOIN visit ON visit.id = entry.visit
         JOIN entry_resource AS resource ON resource.entry = entry.id
         WHERE entry.state = 'delivered' AND (?1 IS NULL OR visit.service_date >= ?1)
            AND (?2 IS NULL OR visit.service_date <= ?2) AND (?3 IS NULL OR visit.puskesmas = ?3)
            AND (?4 IS NULL OR visit.posyandu = ?4)
         GROUP BY 1";
    Ok(link.all(statement, narrowed(filter)).await?)
}

/// What earlier passes over a file or database came to.
pub async fn pass_history(link: &mut Link, source: &str, file: &str) -> Result<PassHistory, LedgerError> {
    let (complete, success, last): (Option<i64>, Option<i64>, Option<i64>) = link
        .one(
            "WITH before AS (SELECT id, started_at, complete, windowed FROM pass WHERE source = ?1 AND file = ?2)
         SELECT (SELECT started_at FROM before WHERE complete = 1 ORDER BY id DESC LIMIT 1),
                (SELECT started_at FROM before WHERE complete = 1 OR windowed = 1 ORDER BY id DESC LIMIT 1),
                (SELECT CASE WHEN complete = 1 OR windowed = 1 THEN 1 ELSE 0 END FROM before ORDER BY id DESC LIMIT 1)",
            values![source, file],
        )
        .await?;
    Ok(PassHistory {
        complete: complete.map(time).transpose()?,
        success: success.map(time).transpose()?,
        stopped: last == Some(0),
    })
}

type PassLine = (String, String, i64, i64, i64, i64, i64, i64, i64);

/// The last complete pass over each file.
pub async fn last_passes(link: &mut Link) -> Result<Vec<(String, String, RowTally)>, LedgerError> {
    let rows: Vec<PassLine> = link
        .all(
            "SELECT source, file, read, new, changed, unchanged, issue, skipped, superseded FROM pass
         WHERE id IN (SELECT max(id) FROM pass WHERE complete = 1 GROUP BY source, file) ORDER BY source, file",
            values![],
        )
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
pub async fn events(link: &mut Link, entry: i64) -> Result<Vec<(String, String, i64)>, LedgerError> {
    Ok(link.all("SELECT event, state, at FROM event WHERE entry = ?1 ORDER BY seq", values![entry]).await?)
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
pub async fn attempts(link: &mut Link, entry: i64) -> Result<Vec<StoredAttempt>, LedgerError> {
    let statement =
        "SELECT attempt.id, attempt.begun_at, outcome, status, request_id, class, excerpt, rules, duration_ms,
            issues_sealed, ended_at
         FROM attempt LEFT JOIN attempt_end ON attempt_end.attempt = attempt.id WHERE attempt.entry = ?1
         ORDER BY attempt.id";
    Ok(link.all(statement, values![entry]).await?)
}
