//! Brings visits up to date after their rows changed: which records count, and what becomes of entries whose visit
//! has no records left.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::contention::{self, Candidate, Standing};
use super::link::Link;
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
    link: &mut Link,
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
    link.execute(
        "INSERT INTO visit (key, puskesmas, posyandu, service_date, zone, day_ends_at, due_at)
         SELECT j.key, j.puskesmas, j.posyandu, j.date, j.zone, j.ends, j.due
         FROM {?1: key bytes, puskesmas text, posyandu text, date text, zone text, ends int, due int} AS j WHERE true
         ON CONFLICT (key) DO UPDATE SET puskesmas = excluded.puskesmas, posyandu = excluded.posyandu,
            service_date = excluded.service_date, zone = excluded.zone, day_ends_at = excluded.day_ends_at,
            due_at = excluded.due_at",
        values![&list],
    )
    .await?;
    let ids: Vec<(Vec<u8>, i64)> = link
        .all(
            "SELECT visit.key, visit.id FROM {?1: key bytes} AS j CROSS JOIN visit ON visit.key = j.key",
            values![&list],
        )
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
    FROM {?1: int} AS j CROSS JOIN record ON record.visit = j.value JOIN source_row ON source_row.id = record.source_row";

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
pub async fn settle(link: &mut Link, affected: &[(i64, bool)], now: Timestamp) -> Result<u64, LedgerError> {
    if affected.is_empty() {
        return Ok(0);
    }
    let ids: Vec<i64> = affected.iter().map(|(visit, _)| *visit).collect();
    let stored: Vec<Stored> = link.all(STORED, values![json(&ids)?]).await?;
    let mut by_visit: BTreeMap<i64, Vec<Stored>> = ids.iter().map(|visit| (*visit, Vec::new())).collect();
    for record in stored {
        by_visit.entry(record.visit).or_default().push(record);
    }
    let rewritten: HashMap<i64, bool> = affected.iter().copied().collect();
    let mut changes = Changes::default();
    for (visit, records) in by_visit {
        judge(&mut changes, visit, &records, rewritten.get(&visit) == Some(&true));
    }
    write(link, &changes, now).await?;
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

async fn write(link: &mut Link, changes: &Changes, now: Timestamp) -> Result<(), LedgerError> {
    // Cleared before set: at no point do two records of one kind count.
    for (list, current) in [(&changes.cleared, 0_i64), (&changes.set, 1)] {
        if !list.is_empty() {
            link.execute(
                "UPDATE record SET current = ?2 WHERE id IN (SELECT j.value FROM {?1: int} AS j)",
                values![json(list)?, current],
            )
            .await?;
        }
    }
    rows::stand(link, &changes.standings).await?;
    if changes.visits.is_empty() {
        return Ok(());
    }
    link.execute(
        "UPDATE visit SET revision = revision + 1, emptied = j.emptied,
            entered_revision = CASE WHEN j.emptied = 1 THEN revision + 1 ELSE entered_revision END
         FROM {?1: visit int, emptied int} AS j WHERE visit.id = j.visit",
        values![json(&changes.visits)?],
    )
    .await?;
    series::follow(link, &changes.visits.iter().map(|change| change.visit).collect::<Vec<_>>()).await?;
    let emptied: Vec<i64> =
        changes.visits.iter().filter(|change| change.emptied == 1).map(|change| change.visit).collect();
    withdraw_entries(link, &emptied, now).await
}

/// Entries of visits without records are withdrawn, unless the server may have them: those are settled later.
async fn withdraw_entries(link: &mut Link, visits: &[i64], now: Timestamp) -> Result<(), LedgerError> {
    if visits.is_empty() {
        return Ok(());
    }
    let entries: Vec<(i64, String)> = link
        .all(
            "SELECT entry.id, entry.state FROM {?1: int} AS j CROSS JOIN entry ON entry.visit = j.value
         WHERE entry.state <> 'superseded'",
            values![json(visits)?],
        )
        .await?;
    let mut steps = Vec::new();
    for (entry, word) in entries {
        let state = State::from_word(&word).ok_or(LedgerError::Spoiled("state"))?;
        if state.after(&Event::RecordsWithdrawn).is_ok() {
            steps.push(Step::new(entry, state, &Event::RecordsWithdrawn)?.0);
        }
    }
    transition::take(link, &steps, now).await
}
