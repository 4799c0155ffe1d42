//! Brings visits up to date after their rows changed: which records count, and what becomes of entries whose visit
//! has no records left.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::contention::{self, Candidate, Standing};
use super::rows::{self, SealedVisit, StandingToWrite};
use super::transition::{self, Step};
use super::{hex, json, series};
use crate::ledger::LedgerError;
use crate::ledger::state::{Event, State};

/// Rule of rows whose sources disagree about a visit.
pub const CONFLICT: &str = "visit.conflicting_sources";

#[derive(Serialize)]
struct VisitRow<'a> {
    key: String,
    puskesmas: &'a str,
    posyandu: &'a str,
    date: &'a str,
    zone: &'static str,
    ends: i64,
    due: i64,
}

/// Makes sure that visits exist, with their latest head; returns their ids by key.
pub async fn ensure_visits<'a>(
    connection: &mut SqliteConnection,
    visits: impl Iterator<Item = &'a SealedVisit>,
) -> Result<HashMap<Vec<u8>, i64>, LedgerError> {
    // The last row of a visit speaks for it; one line per visit.
    let rows: BTreeMap<[u8; 32], VisitRow<'_>> = visits
        .map(|visit| {
            let row = VisitRow {
                key: hex(&visit.key),
                puskesmas: &visit.puskesmas,
                posyandu: &visit.posyandu,
                date: &visit.service_date,
                zone: visit.zone.name(),
                ends: visit.day_ends_at.as_millisecond(),
                due: visit.due.as_millisecond(),
            };
            (visit.key, row)
        })
        .collect();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    let list = json(&rows.into_values().collect::<Vec<_>>())?;
    sqlx::query(
        "INSERT INTO visit (key, puskesmas, posyandu, service_date, zone, day_ends_at, due_at)
         SELECT unhex(value->>'key'), value->>'puskesmas', value->>'posyandu', value->>'date', value->>'zone',
            value->>'ends', value->>'due' FROM json_each(?1) WHERE true
         ON CONFLICT (key) DO UPDATE SET puskesmas = excluded.puskesmas, posyandu = excluded.posyandu,
            service_date = excluded.service_date, zone = excluded.zone, day_ends_at = excluded.day_ends_at,
            due_at = excluded.due_at",
    )
    .bind(&list)
    .execute(&mut *connection)
    .await?;
    let ids: Vec<(Vec<u8>, i64)> = sqlx::query_as(
        "SELECT visit.key, visit.id FROM json_each(?1) AS j CROSS JOIN visit ON visit.key = unhex(j.value->>'key')",
    )
    .bind(&list)
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().collect())
}

#[derive(FromRow)]
struct Stored {
    visit: i64,
    record: i64,
    row: i64,
    source: String,
    record_key: Vec<u8>,
    content: Vec<u8>,
    stamp: i64,
    current: i64,
    replaced: i64,
    standing: String,
    reason: Option<String>,
}

const STORED: &str = "SELECT record.visit, record.id AS record, source_row.id AS row, source_row.source,
        record.record_key, record.content_hash AS content, source_row.stamp, record.current, source_row.replaced,
        source_row.standing, source_row.reason
    FROM json_each(?1) AS j CROSS JOIN record ON record.visit = j.value JOIN source_row ON source_row.id = record.source_row";

/// Changes that follow from the verdicts on some visits.
#[derive(Default)]
struct Changes {
    cleared: Vec<i64>,
    set: Vec<i64>,
    standings: Vec<StandingToWrite>,
    visits: Vec<VisitChange>,
    superseded: u64,
}

#[derive(Serialize)]
struct VisitChange {
    visit: i64,
    emptied: u8,
}

/// Settles visits, each with whether its records were rewritten; returns how many rows became superseded.
pub async fn settle(
    connection: &mut SqliteConnection,
    affected: &[(i64, bool)],
    now: Timestamp,
) -> Result<u64, LedgerError> {
    if affected.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = affected.iter().map(|(visit, _)| *visit).collect();
    let stored: Vec<Stored> = sqlx::query_as(STORED).bind(json(&ids)?).fetch_all(&mut *connection).await?;
    let mut by_visit: BTreeMap<i64, Vec<Stored>> = ids.iter().map(|visit| (*visit, Vec::new())).collect();
    for record in stored {
        by_visit.entry(record.visit).or_default().push(record);
    }
    let rewritten: HashMap<i64, bool> = affected.iter().copied().collect();
    let mut changes = Changes::default();
    for (visit, records) in by_visit {
        judge(&mut changes, visit, &records, rewritten.get(&visit) == Some(&true));
    }
    write(connection, &changes, now).await?;
    Ok(changes.superseded)
}

fn judge(changes: &mut Changes, visit: i64, records: &[Stored], rewritten: bool) {
    let candidates: Vec<Candidate> = records
        .iter()
        .filter(|record| record.replaced == 0)
        .map(|record| Candidate {
            record: record.record,
            row: record.row,
            source: record.source.clone(),
            record_key: record.record_key.clone(),
            content: record.content.clone(),
            stamp: record.stamp,
        })
        .collect();
    let verdict = contention::settle(&candidates);
    let mut moved = rewritten;
    let mut before: BTreeMap<i64, (&str, Option<&str>)> = BTreeMap::new();
    for record in records {
        before.insert(record.row, (&record.standing, record.reason.as_deref()));
        match (record.current == 1, verdict.current.contains(&record.record)) {
            (true, false) => changes.cleared.push(record.record),
            (false, true) => changes.set.push(record.record),
            _ => continue,
        }
        moved = true;
    }
    for (&row, standing) in &verdict.rows {
        let (standing, reason) = match standing {
            Standing::Current => ("current", None),
            Standing::Superseded(rule) => ("superseded", Some(*rule)),
            Standing::Conflict => ("conflict", Some(CONFLICT)),
        };
        if before.get(&row) != Some(&(standing, reason)) {
            let was_superseded = before.get(&row).is_some_and(|(standing, _)| *standing == "superseded");
            changes.superseded += u64::from(standing == "superseded" && !was_superseded);
            changes.standings.push(StandingToWrite { id: row, standing, replaced: 0, reason });
        }
    }
    if moved {
        changes.visits.push(VisitChange { visit, emptied: u8::from(verdict.current.is_empty()) });
    }
}

async fn write(connection: &mut SqliteConnection, changes: &Changes, now: Timestamp) -> Result<(), LedgerError> {
    // Cleared before set: at no point do two records of one kind count.
    for (list, current) in [(&changes.cleared, 0), (&changes.set, 1)] {
        if !list.is_empty() {
            sqlx::query("UPDATE record SET current = ?2 WHERE id IN (SELECT value FROM json_each(?1))")
                .bind(json(list)?)
                .bind(current)
                .execute(&mut *connection)
                .await?;
        }
    }
    rows::stand(connection, &changes.standings).await?;
    if changes.visits.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "UPDATE visit SET revision = revision + 1, emptied = j.value->>'emptied',
            entered_revision = CASE WHEN j.value->>'emptied' = 1 THEN revision + 1 ELSE entered_revision END
         FROM json_each(?1) AS j WHERE visit.id = j.value->>'visit'",
    )
    .bind(json(&changes.visits)?)
    .execute(&mut *connection)
    .await?;
    series::follow(connection, &changes.visits.iter().map(|change| change.visit).collect::<Vec<_>>()).await?;
    let emptied: Vec<i64> =
        changes.visits.iter().filter(|change| change.emptied == 1).map(|change| change.visit).collect();
    withdraw_entries(connection, &emptied, now).await
}

/// Entries of visits without records are withdrawn, unless the server may have them: those are settled later.
async fn withdraw_entries(
    connection: &mut SqliteConnection,
    visits: &[i64],
    now: Timestamp,
) -> Result<(), LedgerError> {
    if visits.is_empty() {
        return Ok(());
    }
    let entries: Vec<(i64, String)> = sqlx::query_as(
        "SELECT entry.id, entry.state FROM json_each(?1) AS j CROSS JOIN entry ON entry.visit = j.value
         WHERE entry.state <> 'superseded'",
    )
    .bind(json(visits)?)
    .fetch_all(&mut *connection)
    .await?;
    let mut steps = Vec::new();
    for (entry, word) in entries {
        let state = State::from_word(&word).ok_or(LedgerError::Spoiled("state"))?;
        if state.after(&Event::RecordsWithdrawn).is_ok() {
            steps.push(Step::new(entry, state, &Event::RecordsWithdrawn)?.0);
        }
    }
    transition::take(connection, &steps, now).await
}
