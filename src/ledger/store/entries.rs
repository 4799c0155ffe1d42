//! Entries with their content, for sending and for asking; findings of read-back; decisions of persons.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::link::Link;
use super::statement::Statement;
use super::{json, transition};
use crate::ledger::LedgerError;
use crate::ledger::entry::{EntryId, Finding};
use crate::ledger::state::{Event, PREDECESSOR, State};

/// An entry as stored, its content still sealed.
#[derive(Debug, FromRow)]
pub struct StoredEntry {
    pub id: i64,
    pub key: Vec<u8>,
    pub version: i64,
    pub lane: String,
    pub posyandu: String,
    pub service_date: String,
    pub content_hash: Vec<u8>,
    pub spent: i64,
    pub begun: i64,
    pub probes: i64,
    pub blocked_count: i64,
    pub state_since: i64,
    pub bundle_sealed: Vec<u8>,
    pub person_sealed: Vec<u8>,
}

/// A resource as stored: its hash in hexadecimal.
#[derive(Debug, Deserialize)]
pub struct StoredResource {
    pub position: u32,
    pub resource_type: String,
    pub identifier_system: String,
    pub identifier_value: String,
    pub full_url: String,
    pub content_hash: String,
    pub server_id: Option<String>,
    pub server_version: Option<String>,
    pub server_mapping: Option<String>,
    pub unchanged: i64,
}

const OPEN: &str = "SELECT entry.id, visit.key, entry.version, entry.lane, visit.posyandu, visit.service_date,
        entry.content_hash, entry.spent, (SELECT count(*) FROM attempt WHERE attempt.entry = entry.id) AS begun,
        entry.probes, entry.blocked_count, entry.state_since, content.bundle_sealed, content.person_sealed
    FROM {?1: int} AS j CROSS JOIN entry ON entry.id = j.value JOIN visit ON visit.id = entry.visit
    JOIN entry_content AS content ON content.entry = entry.id ORDER BY j.key";

/// One row for each entry, as a list of the fields of [`StoredResource`]: handing rows over costs more than finding them.
const RESOURCES: Statement = Statement::each(
    "SELECT j.value, (SELECT json_group_array(json_array(position, resource_type, identifier_system,
            identifier_value, full_url, hex(content_hash), server_id, server_version, server_mapping,
            CASE WHEN server_hash = content_hash THEN 1 ELSE 0 END))
        FROM entry_resource WHERE entry_resource.entry = j.value)
    FROM {?1: int} AS j",
    "SELECT j.value, (SELECT coalesce(json_agg(json_build_array(position, resource_type, identifier_system,
            identifier_value, full_url, encode(content_hash, 'hex'), server_id, server_version, server_mapping,
            CASE WHEN server_hash = content_hash THEN 1 ELSE 0 END))::text, '[]')
        FROM entry_resource WHERE entry_resource.entry = j.value)
    FROM {?1: int} AS j",
);

/// Entries in the order given, and the resources of each, the first one first.
pub async fn load(
    link: &mut Link,
    entries: &[i64],
) -> Result<(Vec<StoredEntry>, HashMap<i64, Vec<StoredResource>>), LedgerError> {
    let list = json(entries)?;
    let stored = link.all(OPEN, values![&list]).await?;
    let lists: Vec<(i64, String)> = link.all(RESOURCES, values![&list]).await?;
    let read = |(entry, list): (i64, String)| {
        let mut resources: Vec<StoredResource> =
            serde_json::from_str(&list).map_err(|_| LedgerError::Spoiled("resource"))?;
        resources.sort_unstable_by_key(|resource| resource.position);
        Ok((entry, resources))
    };
    Ok((stored, lists.into_iter().map(read).collect::<Result<_, LedgerError>>()?))
}

/// Unknown entries that are due to be asked for, the longest unknown first.
pub async fn unknown_due(link: &mut Link, limit: u32, now: Timestamp) -> Result<Vec<i64>, LedgerError> {
    Ok(link
        .column(
            "SELECT id FROM entry WHERE state = 'unknown' AND due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
            values![now.as_millisecond(), i64::from(limit)],
        )
        .await?)
}

/// Delivered entries of a doubt's lane whose only attempt began later than the doubt's last one, at `from` or after it,
/// and was accepted: none of it was at the server before. The oldest first.
pub async fn first_sends_since(
    link: &mut Link,
    doubt: i64,
    from: Timestamp,
    limit: u32,
) -> Result<Vec<i64>, LedgerError> {
    Ok(link
        .column(
            "SELECT entry.id FROM attempt JOIN attempt_end ON attempt_end.attempt = attempt.id
            JOIN entry ON entry.id = attempt.entry
         WHERE attempt.id > (SELECT max(id) FROM attempt WHERE entry = ?1) AND attempt.begun_at >= ?2
            AND attempt_end.outcome = 'accepted' AND entry.state = 'delivered' AND entry.version = 1
            AND entry.lane = (SELECT lane FROM entry WHERE id = ?1)
            AND NOT EXISTS (SELECT 1 FROM attempt AS other WHERE other.entry = entry.id AND other.id <> attempt.id)
         ORDER BY attempt.id LIMIT ?3",
            values![doubt, from.as_millisecond(), i64::from(limit)],
        )
        .await?)
}

/// Delivered entries of a service date (or of all) that were not read back since `before`, the oldest look first.
pub async fn to_verify(
    link: &mut Link,
    date: Option<&str>,
    before: Timestamp,
    limit: u32,
) -> Result<Vec<i64>, LedgerError> {
    Ok(link
        .column(
            "SELECT entry.id FROM entry JOIN visit ON visit.id = entry.visit
         WHERE entry.state = 'delivered' AND (?1 IS NULL OR visit.service_date = ?1)
            AND NOT EXISTS (SELECT 1 FROM removal
                WHERE removal.visit = visit.id AND removal.whole_visit = 1 AND removal.state = 'done')
            AND EXISTS
            (SELECT 1 FROM entry_resource AS resource WHERE resource.entry = entry.id
             AND (resource.verified_at IS NULL OR resource.verified_at < ?2))
         ORDER BY entry.day_ends_at, entry.id LIMIT ?3",
            values![date, before.as_millisecond(), i64::from(limit)],
        )
        .await?)
}

#[derive(Serialize)]
struct FindingRow {
    position: u32,
    finding: &'static str,
}

/// Stores what reading back a delivered entry showed.
pub async fn verify(
    link: &mut Link,
    entry: EntryId,
    findings: &[(u32, Finding)],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let state = transition::state_of(link, entry.0).await?;
    if state != State::Delivered {
        return Err(LedgerError::NotDelivered(entry));
    }
    let rows: Vec<FindingRow> = findings
        .iter()
        .map(|(position, finding)| FindingRow { position: *position, finding: finding.word() })
        .collect();
    link.execute(
        "UPDATE entry_resource SET verified = j.finding, verified_at = ?3 FROM {?2: position int, finding text} AS j
         WHERE entry_resource.entry = ?1 AND entry_resource.position = j.position",
        values![entry.0, json(&rows)?, now.as_millisecond()],
    )
    .await?;
    Ok(())
}

/// Carries out a person's or a rule's decision and keeps its reason. The same command twice is one decision, and gives
/// the state that it led to.
pub async fn decide(
    link: &mut Link,
    entry: EntryId,
    event: &Event,
    command: Option<&str>,
    reason_sealed: &[u8],
    now: Timestamp,
) -> Result<State, LedgerError> {
    if let Some(command) = command {
        let known = "SELECT entry, event, state FROM decision_command WHERE command = ?1";
        let known: Option<(i64, String, String)> = link.optional(known, values![command]).await?;
        if let Some((decided, word, state)) = known {
            let is_same = decided == entry.0 && word == event.word();
            let state = State::from_word(&state).ok_or(LedgerError::Spoiled("state"))?;
            return if is_same { Ok(state) } else { Err(LedgerError::CommandUsed) };
        }
    }
    let waits = "SELECT id FROM entry WHERE id = ?1 AND blocked_on = ?2";
    if link.first::<i64>(waits, values![entry.0, PREDECESSOR]).await?.is_some() {
        return Err(LedgerError::WaitsForPredecessor(entry));
    }
    let refused: Option<i64> = link.first("SELECT mapping_refused FROM entry WHERE id = ?1", values![entry.0]).await?;
    if refused == Some(1) && matches!(event, Event::RetryCommanded { .. }) {
        return Err(LedgerError::NeedsCorrection(entry));
    }
    let state = transition::apply(link, entry.0, event, now).await?;
    link.execute(
        "INSERT INTO decision (entry, event, reason_sealed, at) VALUES (?1, ?2, ?3, ?4)",
        values![entry.0, event.word(), reason_sealed, now.as_millisecond()],
    )
    .await?;
    if let Some(command) = command {
        link.execute(
            "INSERT INTO decision_command (command, entry, event, state, at) VALUES (?1, ?2, ?3, ?4, ?5)",
            values![command, entry.0, event.word(), state.word(), now.as_millisecond()],
        )
        .await?;
    }
    Ok(state)
}
