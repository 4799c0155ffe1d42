//! Entries made from visits: one version per visit, equal content makes none, an older version makes way.
//!
//! Written in bulk: a source read for the first time makes as many entries as it has visits.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::{FromRow, SqliteConnection};

use super::rows::{About, SealedIssue};
use super::transition::{self, Step};
use super::{hex, json, rows};
use crate::ledger::LedgerError;
use crate::ledger::entry::NewResource;
use crate::ledger::state::{Event, PREDECESSOR, State};

/// The first line of every entry's history.
pub const ENTERED: &str = "\"entered\"";

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
    pub issues: Vec<SealedIssue>,
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

#[derive(Serialize)]
struct Seen {
    visit: i64,
    revision: i64,
}

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
    let (mut first, mut seen) = (Vec::new(), Vec::new());
    for entry in entries {
        // A second entry for the same visit in one call finds its target gone.
        let target = targets.remove(entry.visit_key.as_slice()).ok_or(LedgerError::NoSuchVisit)?;
        seen.push(Seen { visit: target.id, revision: entry.revision });
        match (target.emptied, target.versions) {
            (0, 0) => first.push(Version { entry, visit: target.id, number: 1, predecessor: None, waits: false }),
            (0, _) => enter_newer(connection, entry, &target, now).await?,
            _ => {}
        }
    }
    let ids = insert(connection, &first, now).await?;
    refuse(connection, &first, &ids, now).await?;
    sqlx::query(
        "UPDATE visit SET entered_revision = max(entered_revision, j.value->>'revision')
         FROM json_each(?1) AS j WHERE visit.id = j.value->>'visit'",
    )
    .bind(json(&seen)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// A version of a visit that has had others.
async fn enter_newer(
    connection: &mut SqliteConnection,
    entry: &SealedEntry,
    target: &Target,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let wanted = (Some(entry.content_hash.as_slice()), Some(entry.refused));
    let live = (target.live_hash.as_deref(), target.live_refused);
    let successor = (target.successor_hash.as_deref(), target.successor_refused);
    if wanted == if target.successor.is_some() { successor } else { live } {
        return same_by_another_mapping(connection, entry, target).await;
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
    let version = Version { entry, visit: target.id, number: target.versions + 1, predecessor: target.live, waits };
    let ids = insert(connection, &[version], now).await?;
    if waits {
        return Ok(());
    }
    transition::inherit(connection, &ids).await?;
    refuse(connection, &[version], &ids, now).await
}

/// What the mapping refused goes to a person at once.
async fn refuse(
    connection: &mut SqliteConnection,
    versions: &[Version<'_>],
    ids: &[i64],
    now: Timestamp,
) -> Result<(), LedgerError> {
    let refused = versions.iter().zip(ids).filter(|(version, _)| version.entry.refused);
    let steps = refused
        .map(|(_, id)| Ok(Step::new(*id, State::Pending, &Event::RefusedContent)?.0))
        .collect::<Result<Vec<_>, LedgerError>>()?;
    transition::take(connection, &steps, now).await
}

/// Another mapping gave the same content: the newest entry is its work now as well, so it is not mapped again.
async fn same_by_another_mapping(
    connection: &mut SqliteConnection,
    entry: &SealedEntry,
    target: &Target,
) -> Result<(), LedgerError> {
    sqlx::query("UPDATE entry SET mapping_version = ?2 WHERE id = ?1")
        .bind(target.successor.or(target.live))
        .bind(&entry.mapping_version)
        .execute(connection)
        .await?;
    Ok(())
}

/// A version of a visit to be written.
#[derive(Clone, Copy)]
struct Version<'a> {
    entry: &'a SealedEntry,
    visit: i64,
    number: i64,
    predecessor: Option<i64>,
    /// The older version is still the live one.
    waits: bool,
}

#[derive(Serialize)]
struct EntryRow<'a> {
    id: i64,
    visit: i64,
    version: i64,
    predecessor: Option<i64>,
    state: &'static str,
    on: Option<&'static str>,
    seq: u8,
    due: i64,
    hash: String,
    mapping: &'a str,
    refused: u8,
    at: usize,
    bundle: usize,
    person: usize,
}

#[derive(Serialize)]
struct EventRow {
    entry: i64,
    seq: u8,
    event: String,
    state: &'static str,
}

#[derive(Serialize)]
struct ResourceRow<'a> {
    entry: i64,
    position: usize,
    kind: &'a str,
    system: &'a str,
    identifier: &'a str,
    url: &'a str,
    hash: String,
}

const INSERT: &str = "INSERT INTO entry (id, visit, version, predecessor, lane, day_ends_at, state, blocked_on, seq,
        due_at, content_hash, mapping_version, mapping_refused, created_at, state_since)
    SELECT j.value->>'id', visit.id, j.value->>'version', j.value->>'predecessor', visit.puskesmas,
        visit.day_ends_at, j.value->>'state', j.value->>'on', j.value->>'seq', j.value->>'due',
        unhex(j.value->>'hash'), j.value->>'mapping', j.value->>'refused', ?2, ?2
    FROM json_each(?1) AS j CROSS JOIN visit ON visit.id = j.value->>'visit'";

/// The contents come as one run of bytes that is cut here: as text they would be twice as long.
const INSERT_CONTENT: &str = "INSERT INTO entry_content (entry, bundle_sealed, person_sealed)
    SELECT value->>'id', substr(?2, value->>'at', value->>'bundle'),
        substr(?2, (value->>'at') + (value->>'bundle'), value->>'person') FROM json_each(?1)";

const INSERT_EVENTS: &str = "INSERT INTO event (entry, seq, event, state, at)
    SELECT value->>'entry', value->>'seq', value->>'event', value->>'state', ?2 FROM json_each(?1)";

const INSERT_RESOURCES: &str = "INSERT INTO entry_resource (entry, position, resource_type, identifier_system,
        identifier_value, full_url, content_hash)
    SELECT value->>'entry', value->>'position', value->>'kind', value->>'system', value->>'identifier',
        value->>'url', unhex(value->>'hash') FROM json_each(?1)";

/// Writes versions with everything that belongs to them; returns their ids in order.
async fn insert(
    connection: &mut SqliteConnection,
    versions: &[Version<'_>],
    now: Timestamp,
) -> Result<Vec<i64>, LedgerError> {
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let last: i64 = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM entry").fetch_one(&mut *connection).await?;
    let (mut rows, mut events, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut issues, mut contents) = (Vec::new(), Vec::new());
    for (id, version) in (last + 1..).zip(versions) {
        rows.push(entry_row(id, version, contents.len() + 1));
        contents.extend_from_slice(&version.entry.bundle);
        contents.extend_from_slice(&version.entry.person);
        events.push(EventRow { entry: id, seq: 0, event: ENTERED.to_owned(), state: State::Pending.word() });
        if version.waits {
            // Written blocked at once: the older version is still the live one.
            let event = transition::waits_for_predecessor(version.entry.due);
            let text = serde_json::to_string(&event).map_err(|_| LedgerError::Spoiled("event"))?;
            let state = State::Pending.after(&event)?.word();
            events.push(EventRow { entry: id, seq: 1, event: text, state });
        }
        resources
            .extend(version.entry.resources.iter().enumerate().map(|(at, resource)| resource_row(id, at, resource)));
        issues.extend(version.entry.issues.iter().map(|issue| (About::Entry(id), issue)));
    }
    let now = now.as_millisecond();
    let list = json(&rows)?;
    sqlx::query(INSERT).bind(&list).bind(now).execute(&mut *connection).await?;
    sqlx::query(INSERT_CONTENT).bind(&list).bind(contents).execute(&mut *connection).await?;
    sqlx::query(INSERT_EVENTS).bind(json(&events)?).bind(now).execute(&mut *connection).await?;
    if !resources.is_empty() {
        sqlx::query(INSERT_RESOURCES).bind(json(&resources)?).execute(&mut *connection).await?;
    }
    rows::insert_issues(connection, &issues).await?;
    Ok(rows.iter().map(|row| row.id).collect())
}

fn entry_row<'a>(id: i64, version: &Version<'a>, at: usize) -> EntryRow<'a> {
    let entry = version.entry;
    let state = if version.waits { State::Blocked } else { State::Pending };
    EntryRow {
        id,
        visit: version.visit,
        version: version.number,
        predecessor: version.predecessor,
        state: state.word(),
        on: version.waits.then_some(PREDECESSOR),
        seq: u8::from(version.waits),
        due: entry.due.as_millisecond(),
        hash: hex(&entry.content_hash),
        mapping: &entry.mapping_version,
        refused: u8::from(entry.refused),
        at,
        bundle: entry.bundle.len(),
        person: entry.person.len(),
    }
}

fn resource_row(entry: i64, position: usize, resource: &NewResource) -> ResourceRow<'_> {
    ResourceRow {
        entry,
        position,
        kind: &resource.resource_type,
        system: &resource.identifier_system,
        identifier: &resource.identifier_value,
        url: &resource.full_url,
        hash: hex(&resource.content_hash),
    }
}
