//! Entries made from visits: one version per visit, equal content makes none, an older version makes way.
//!
//! Written in bulk: a source read for the first time makes as many entries as it has visits.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::link::Link;
use super::rows::{About, SealedIssue};
use super::statement::Statement;
use super::transition::{self, Step};
use super::{hex, json, rows};
use crate::ledger::LedgerError;
use crate::ledger::entry::{NewResource, OUT_OF_RANGE};
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
    pub waived: bool,
}

/// The visit an entry is made for, with its newest entry that is not superseded.
#[derive(Debug, FromRow)]
struct Target {
    id: i64,
    key: Vec<u8>,
    emptied: i64,
    entered_revision: i64,
    versions: i64,
    live: Option<i64>,
    live_state: Option<String>,
    live_hash: Option<Vec<u8>>,
    live_refused: Option<i64>,
    live_waived: i64,
    successor: Option<i64>,
    successor_hash: Option<Vec<u8>>,
    successor_refused: Option<i64>,
    successor_waived: i64,
}

const TARGETS: &str = "SELECT visit.id, visit.key, visit.emptied, visit.entered_revision,
        (SELECT coalesce(max(version), 0) FROM entry WHERE entry.visit = visit.id) AS versions,
        live.id AS live, live.state AS live_state, live.content_hash AS live_hash,
        live.mapping_refused AS live_refused, successor.mapping_refused AS successor_refused,
        successor.id AS successor, successor.content_hash AS successor_hash,
        (SELECT count(*) FROM issue
            WHERE issue.entry = live.id AND issue.entry IS NOT NULL AND issue.rule = ?2) AS live_waived,
        (SELECT count(*) FROM issue
            WHERE issue.entry = successor.id AND issue.entry IS NOT NULL AND issue.rule = ?2) AS successor_waived
    FROM {?1: bytes} AS j CROSS JOIN visit ON visit.key = j.value
    LEFT JOIN entry AS live
        ON live.visit = visit.id AND live.state <> 'superseded' AND live.blocked_on IS DISTINCT FROM 'predecessor'
    LEFT JOIN entry AS successor ON successor.visit = visit.id AND successor.blocked_on = 'predecessor'";

#[derive(Serialize)]
struct Seen {
    visit: i64,
    revision: i64,
}

/// Makes entries, one version per visit; equal content makes none, nor does what is older than the version entered last.
pub async fn enter(link: &mut Link, entries: &[SealedEntry], now: Timestamp) -> Result<(), LedgerError> {
    let keys: Vec<String> = entries.iter().map(|entry| hex(&entry.visit_key)).collect();
    let targets: Vec<Target> = link.all(TARGETS, values![json(&keys)?, OUT_OF_RANGE]).await?;
    let mut targets: HashMap<Vec<u8>, Target> =
        targets.into_iter().map(|target| (target.key.clone(), target)).collect();
    let (mut first, mut seen) = (Vec::new(), Vec::new());
    for entry in entries {
        // A second entry for the same visit in one call finds its target gone.
        let target = targets.remove(entry.visit_key.as_slice()).ok_or(LedgerError::NoSuchVisit)?;
        // Mapped before the visit changed, by somebody slower than whoever mapped the change: it would undo it.
        if entry.revision < target.entered_revision {
            continue;
        }
        seen.push(Seen { visit: target.id, revision: entry.revision });
        match (target.emptied, target.versions) {
            (0, 0) => first.push(Version { entry, visit: target.id, number: 1, predecessor: None, waits: false }),
            (0, _) => enter_newer(link, entry, &target, now).await?,
            _ => {}
        }
    }
    let ids = insert(link, &first, now).await?;
    set_aside(link, &first, &ids, now).await?;
    link.execute(
        "UPDATE visit SET entered_revision = j.revision
         FROM {?1: visit int, revision int} AS j WHERE visit.id = j.visit AND visit.entered_revision < j.revision",
        values![json(&seen)?],
    )
    .await?;
    Ok(())
}

/// A version of a visit that has had others.
async fn enter_newer(link: &mut Link, entry: &SealedEntry, target: &Target, now: Timestamp) -> Result<(), LedgerError> {
    let wanted = (Some(entry.content_hash.as_slice()), Some(i64::from(entry.refused)), entry.waived);
    let live_state = target.live_state.as_deref().and_then(State::from_word);
    // What the server holds already is not left out afterwards.
    let live_waived = if live_state == Some(State::Delivered) { entry.waived } else { target.live_waived > 0 };
    let live = (target.live_hash.as_deref(), target.live_refused, live_waived);
    let successor = (target.successor_hash.as_deref(), target.successor_refused, target.successor_waived > 0);
    if wanted == if target.successor.is_some() { successor } else { live } {
        return same_by_another_mapping(link, entry, target).await;
    }
    if let Some(successor) = target.successor {
        transition::apply(link, successor, &Event::NewerVersion, now).await?;
        if wanted == live {
            // Back to what is on its way already.
            return Ok(());
        }
    }
    let waits = live_state.is_some_and(State::is_out);
    if let Some(live) = target.live.filter(|_| !waits) {
        transition::apply(link, live, &Event::NewerVersion, now).await?;
    }
    let version = Version { entry, visit: target.id, number: target.versions + 1, predecessor: target.live, waits };
    let ids = insert(link, &[version], now).await?;
    if waits {
        return Ok(());
    }
    transition::inherit(link, &ids).await?;
    set_aside(link, &[version], &ids, now).await
}

/// What a rule leaves out is waived at once, and what the mapping refused goes to a person at once.
async fn set_aside(link: &mut Link, versions: &[Version<'_>], ids: &[i64], now: Timestamp) -> Result<(), LedgerError> {
    let steps = versions
        .iter()
        .zip(ids)
        .filter_map(|(version, id)| Some((id, transition::set_aside(version.entry.waived, version.entry.refused)?)))
        .map(|(id, event)| Ok(Step::new(*id, State::Pending, &event)?.0))
        .collect::<Result<Vec<_>, LedgerError>>()?;
    transition::take(link, &steps, now).await
}

/// Another mapping gave the same content: the newest entry is its work now as well, so it is not mapped again.
async fn same_by_another_mapping(link: &mut Link, entry: &SealedEntry, target: &Target) -> Result<(), LedgerError> {
    link.execute(
        "UPDATE entry SET mapping_version = ?2 WHERE id = ?1",
        values![target.successor.or(target.live), &entry.mapping_version],
    )
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
    SELECT j.id, visit.id, j.version, j.predecessor, visit.puskesmas, visit.day_ends_at, j.state, j.on, j.seq, j.due,
        j.hash, j.mapping, j.refused, ?2, ?2
    FROM {?1: id int, visit int, version int, predecessor int, state text, on text, seq int, due int, hash bytes,
        mapping text, refused int} AS j CROSS JOIN visit ON visit.id = j.visit";

/// Numbers for as many new entries as ?1 says.
const NEW_IDS: Statement = Statement::each(
    "WITH RECURSIVE fresh (id, rest) AS (SELECT coalesce(max(id), 0) + 1, ?1 FROM entry
        UNION ALL SELECT id + 1, rest - 1 FROM fresh WHERE rest > 1) SELECT id FROM fresh",
    "SELECT nextval('entry_id_seq') FROM generate_series(1, ?1)",
);

/// The contents come as one run of bytes that is cut here: as text they would be twice as long.
const INSERT_CONTENT: &str = "INSERT INTO entry_content (entry, bundle_sealed, person_sealed)
    SELECT j.id, substr(?2, CAST(j.at AS integer), CAST(j.bundle AS integer)),
        substr(?2, CAST(j.at + j.bundle AS integer), CAST(j.person AS integer))
    FROM {?1: id int, at int, bundle int, person int} AS j";

const INSERT_EVENTS: &str = "INSERT INTO event (entry, seq, event, state, at)
    SELECT j.entry, j.seq, j.event, j.state, ?2 FROM {?1: entry int, seq int, event text, state text} AS j";

const INSERT_RESOURCES: &str = "INSERT INTO entry_resource (entry, position, resource_type, identifier_system,
        identifier_value, full_url, content_hash)
    SELECT j.entry, j.position, j.kind, j.system, j.identifier, j.url, j.hash
    FROM {?1: entry int, position int, kind text, system text, identifier text, url text, hash bytes} AS j";

/// Writes versions with everything that belongs to them; returns their ids in order.
async fn insert(link: &mut Link, versions: &[Version<'_>], now: Timestamp) -> Result<Vec<i64>, LedgerError> {
    if versions.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = link.column(NEW_IDS, values![i64::try_from(versions.len()).unwrap_or(i64::MAX)]).await?;
    let (mut rows, mut events, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    let (mut issues, mut contents) = (Vec::new(), Vec::new());
    for (id, version) in ids.into_iter().zip(versions) {
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
    link.execute(INSERT, values![&list, now]).await?;
    link.execute(INSERT_CONTENT, values![&list, contents]).await?;
    link.execute(INSERT_EVENTS, values![json(&events)?, now]).await?;
    if !resources.is_empty() {
        link.execute(INSERT_RESOURCES, values![json(&resources)?]).await?;
    }
    rows::insert_issues(link, &issues).await?;
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
