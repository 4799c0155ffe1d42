//! Visits whose records changed, and the entries made from them.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::transition;
use super::{hex, json};
use crate::ledger::LedgerError;
use crate::ledger::entry::NewResource;
use crate::ledger::state::{Event, PREDECESSOR, State};

/// The first line of every entry's history.
pub const ENTERED: &str = "\"entered\"";

/// A visit with a record of it, as stored.
#[derive(Debug, FromRow)]
pub struct StaleRecord {
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

const STALE: &str = "SELECT visit.key, visit.revision, visit.puskesmas, visit.posyandu, visit.service_date, visit.zone,
        visit.due_at, record.dataset, record.record_key, record.sealed, source_row.row_key, source_row.source,
        source_row.place_sealed
    FROM (SELECT * FROM visit WHERE revision <> entered_revision AND emptied = 0 ORDER BY id LIMIT ?1) AS visit
    JOIN record ON record.visit = visit.id AND record.current = 1
    JOIN source_row ON source_row.id = record.source_row
    ORDER BY visit.id, record.dataset, record.record_key";

/// Records of visits that changed since their entry was made.
pub async fn stale(connection: &mut SqliteConnection, limit: u32) -> Result<Vec<StaleRecord>, LedgerError> {
    Ok(sqlx::query_as(STALE).bind(i64::from(limit)).fetch_all(connection).await?)
}

/// An entry to be made, its personal content sealed.
#[derive(Debug)]
pub struct SealedEntry {
    pub visit_key: [u8; 32],
    pub revision: i64,
    pub content_hash: [u8; 32],
    pub mapping_version: String,
    pub due: Timestamp,
    pub person: Vec<u8>,
    pub bundle: Vec<u8>,
    pub resources: Vec<NewResource>,
    pub issues: Vec<super::rows::SealedIssue>,
    pub refused: bool,
}

/// The visit an entry is made for, with its newest entry that is not superseded.
#[derive(Debug, FromRow)]
struct Target {
    id: i64,
    key: Vec<u8>,
    emptied: i64,
    versions: i64,
    live: Option<i64>,
    live_state: Option<String>,
    live_hash: Option<Vec<u8>>,
    live_refused: Option<bool>,
    successor: Option<i64>,
    successor_hash: Option<Vec<u8>>,
    successor_refused: Option<bool>,
}

const TARGETS: &str = "SELECT visit.id, visit.key, visit.emptied,
        (SELECT coalesce(max(version), 0) FROM entry WHERE entry.visit = visit.id) AS versions,
        live.id AS live, live.state AS live_state, live.content_hash AS live_hash,
        live.mapping_refused AS live_refused, successor.mapping_refused AS successor_refused,
        successor.id AS successor, successor.content_hash AS successor_hash
    FROM json_each(?1) AS j CROSS JOIN visit ON visit.key = unhex(j.value)
    LEFT JOIN entry AS live
        ON live.visit = visit.id AND live.state <> 'superseded' AND live.blocked_on IS NOT 'predecessor'
    LEFT JOIN entry AS successor ON successor.visit = visit.id AND successor.blocked_on = 'predecessor'";

/// Makes entries, one version per visit; equal content makes none.
pub async fn enter(
    connection: &mut SqliteConnection,
    entries: &[SealedEntry],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let keys: Vec<String> = entries.iter().map(|entry| hex(&entry.visit_key)).collect();
    let targets: Vec<Target> = sqlx::query_as(TARGETS).bind(json(&keys)?).fetch_all(&mut *connection).await?;
    let mut targets: HashMap<Vec<u8>, Target> =
        targets.into_iter().map(|target| (target.key.clone(), target)).collect();
    for entry in entries {
        // A second entry for the same visit in one call finds its target gone.
        let target = targets.remove(entry.visit_key.as_slice()).ok_or(LedgerError::NoSuchVisit)?;
        if target.emptied == 0 {
            enter_one(connection, entry, &target, now).await?;
        }
        sqlx::query("UPDATE visit SET entered_revision = max(entered_revision, ?2) WHERE id = ?1")
            .bind(target.id)
            .bind(entry.revision)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}

async fn enter_one(
    connection: &mut SqliteConnection,
    entry: &SealedEntry,
    target: &Target,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let wanted = (Some(entry.content_hash.as_slice()), Some(entry.refused));
    let live = (target.live_hash.as_deref(), target.live_refused);
    let successor = (target.successor_hash.as_deref(), target.successor_refused);
    if wanted == if target.successor.is_some() { successor } else { live } {
        return Ok(());
    }
    if let Some(successor) = target.successor {
        transition::apply(connection, successor, &Event::NewerVersion, now).await?;
        if wanted == live {
            // Back to what is on its way already.
            return Ok(());
        }
    }
    let waits = target.live_state.as_deref().and_then(State::from_word).is_some_and(State::is_out);
    if let Some(live) = target.live.filter(|_| !waits) {
        transition::apply(connection, live, &Event::NewerVersion, now).await?;
    }
    let id = insert(connection, entry, target, waits, now).await?;
    if waits {
        return Ok(());
    }
    transition::inherit(connection, &[id]).await?;
    if entry.refused {
        transition::apply(connection, id, &Event::RefusedContent, now).await?;
    }
    Ok(())
}

const INSERT: &str =
    "INSERT INTO entry (visit, version, predecessor, lane, day_ends_at, state, blocked_on, seq, due_at,
        content_hash, mapping_version, mapping_refused, created_at, state_since)
    SELECT id, ?2, ?3, puskesmas, day_ends_at, ?8, ?9, ?10, ?4, ?5, ?6, ?11, ?7, ?7 FROM visit WHERE id = ?1
    RETURNING id";

#[derive(Serialize)]
struct ResourceRow<'a> {
    kind: &'a str,
    system: &'a str,
    identifier: &'a str,
    url: &'a str,
    hash: String,
}

async fn insert(
    connection: &mut SqliteConnection,
    entry: &SealedEntry,
    target: &Target,
    waits: bool,
    now: Timestamp,
) -> Result<i64, LedgerError> {
    let mut events = vec![(ENTERED.to_owned(), State::Pending)];
    if waits {
        // Written blocked at once: the older version is still the live one.
        let event = transition::waits_for_predecessor(entry.due);
        let text = serde_json::to_string(&event).map_err(|_| LedgerError::Spoiled("event"))?;
        events.push((text, State::Pending.after(&event)?));
    }
    let state = if waits { State::Blocked } else { State::Pending };
    let id: i64 = sqlx::query_scalar(INSERT)
        .bind(target.id)
        .bind(target.versions + 1)
        .bind(target.live)
        .bind(entry.due.as_millisecond())
        .bind(entry.content_hash.as_slice())
        .bind(&entry.mapping_version)
        .bind(now.as_millisecond())
        .bind(state.word())
        .bind(waits.then_some(PREDECESSOR))
        .bind(i64::from(waits))
        .bind(entry.refused)
        .fetch_one(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO entry_content (entry, bundle_sealed, person_sealed) VALUES (?, ?, ?)")
        .bind(id)
        .bind(&entry.bundle)
        .bind(&entry.person)
        .execute(&mut *connection)
        .await?;
    for (seq, (event, state)) in (0_i64..).zip(&events) {
        sqlx::query("INSERT INTO event (entry, seq, event, state, at) VALUES (?, ?, ?, ?, ?)")
            .bind(id)
            .bind(seq)
            .bind(event)
            .bind(state.word())
            .bind(now.as_millisecond())
            .execute(&mut *connection)
            .await?;
    }
    insert_resources(connection, id, &entry.resources).await?;
    super::rows::insert_issues(connection, None, Some(id), &entry.issues).await?;
    Ok(id)
}

async fn insert_resources(
    connection: &mut SqliteConnection,
    id: i64,
    resources: &[NewResource],
) -> Result<(), LedgerError> {
    let resources: Vec<ResourceRow<'_>> = resources
        .iter()
        .map(|resource| ResourceRow {
            kind: &resource.resource_type,
            system: &resource.identifier_system,
            identifier: &resource.identifier_value,
            url: &resource.full_url,
            hash: hex(&resource.content_hash),
        })
        .collect();
    sqlx::query(
        "INSERT INTO entry_resource (entry, position, resource_type, identifier_system, identifier_value, full_url,
            content_hash)
         SELECT ?1, key, value->>'kind', value->>'system', value->>'identifier', value->>'url',
            unhex(value->>'hash') FROM json_each(?2)",
    )
    .bind(id)
    .bind(json(&resources)?)
    .execute(connection)
    .await?;
    Ok(())
}
