//! Registrations and their history, and the complaints of entries that were blocked before anything was sent.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::FromRow;

use super::link::Link;
use super::{cache, claims, json};
use crate::ledger::LedgerError;
use crate::ledger::entry::{EntryId, Lease};
use crate::ledger::registration::{Moment, Standing, Told, Turn};
use crate::ledger::state::Event;

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// A create is about to be sent.
    Begin { lane: String, kind: String, key: [u8; 32], request_hash: [u8; 32] },
    /// Something happened to it.
    Turn { moment: Moment, turn: Turn, told: Box<Told>, issues_sealed: Option<Vec<u8>> },
    /// The server holds it without a create of ours.
    Adopt { lane: String, kind: String, key: [u8; 32], server_id: String },
    /// A claimed entry is blocked, with its complaints.
    Block { entry: EntryId, lease: Lease, event: Event, complaint_sealed: Option<Vec<u8>> },
    /// Somebody was not found.
    Miss { kind: String, key: [u8; 32], word: String, expires: Timestamp },
}

/// A registration as it comes back.
#[derive(Debug, FromRow)]
pub struct StoredRegistration {
    pub id: i64,
    pub seq: i64,
    pub state: String,
    pub creates: i64,
    pub probes: i64,
    pub lease_until: Option<i64>,
    pub due_at: i64,
    pub state_since: i64,
    pub waits_for: Option<String>,
    pub server_id: Option<String>,
    pub issues_sealed: Option<Vec<u8>>,
}

/// The registration of a key.
pub async fn find(link: &mut Link, kind: &str, key: &[u8; 32]) -> Result<Option<StoredRegistration>, LedgerError> {
    Ok(link.optional("SELECT id, seq, state, creates, probes, lease_until, due_at, state_since, waits_for, server_id, issues_sealed
         FROM registration WHERE kind = ?1 AND key = ?2", values![kind, key.as_slice()]).await?)
}

/// Keys and server ids of those that are held.
pub async fn held(link: &mut Link, kind: &str, keys: &[String]) -> Result<Vec<(Vec<u8>, String)>, LedgerError> {
    Ok(link
        .all(
            "SELECT registration.key, registration.server_id FROM {?1: bytes} AS j
         CROSS JOIN registration ON registration.kind = ?2 AND registration.key = j.value
         WHERE registration.state = 'held'",
            values![json(keys)?, kind],
        )
        .await?)
}

/// Makes a change; gives the moment after it, or nothing when it may not be made any more.
pub async fn change(
    link: &mut Link,
    change: &Change,
    lease: Duration,
    now: Timestamp,
) -> Result<Option<Moment>, LedgerError> {
    match change {
        Change::Begin { lane, kind, key, request_hash } => {
            begin(link, [lane, kind], key, request_hash, lease, now).await
        }
        Change::Turn { moment, turn, told, issues_sealed } => {
            take(link, *moment, turn, told, issues_sealed.as_deref(), now).await
        }
        Change::Adopt { lane, kind, key, server_id } => {
            adopt(link, [lane, kind], key, server_id, now).await?;
            Ok(None)
        }
        Change::Block { entry, lease, event, complaint_sealed } => {
            claims::release(link, *entry, lease, event, now).await?;
            complain(link, *entry, complaint_sealed.as_deref()).await?;
            Ok(None)
        }
        Change::Miss { kind, key, word, expires } => {
            cache::put_missing(link, kind, key, word, *expires).await?;
            Ok(None)
        }
    }
}

/// A refusal of the same content stands until it is forgotten.
const BEGIN: &str = "INSERT INTO registration
        (lane, kind, key, state, seq, request_hash, creates, probes, lease_until, due_at, state_since)
    VALUES (?1, ?2, ?3, 'sending', 1, ?4, 1, 0, ?5, ?6, ?6)
    ON CONFLICT (kind, key) DO UPDATE SET lane = excluded.lane, state = 'sending', seq = registration.seq + 1,
        request_hash = excluded.request_hash, probes = 0, lease_until = excluded.lease_until,
        creates = CASE WHEN registration.request_hash = excluded.request_hash THEN registration.creates + 1 ELSE 1 END,
        due_at = excluded.due_at, state_since = excluded.state_since, waits_for = NULL, issues_sealed = NULL
    WHERE ((registration.state = 'waiting' AND registration.due_at <= excluded.due_at) OR registration.state = 'refused')
        AND NOT EXISTS (SELECT 1 FROM registration_event AS refusal
            WHERE refusal.registration = registration.id AND refusal.event = 'refused'
                AND refusal.request_hash = excluded.request_hash
                AND NOT EXISTS (SELECT 1 FROM registration_event AS forgotten
                    WHERE forgotten.registration = registration.id AND forgotten.event = 'forgotten'
                        AND forgotten.seq > refusal.seq))
    RETURNING id, seq";

async fn begin(
    link: &mut Link,
    [lane, kind]: [&str; 2],
    key: &[u8; 32],
    request_hash: &[u8; 32],
    lease: Duration,
    now: Timestamp,
) -> Result<Option<Moment>, LedgerError> {
    let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
    let begun: Option<(i64, i64)> = link
        .optional(
            BEGIN,
            values![lane, kind, key.as_slice(), request_hash.as_slice(), until.as_millisecond(), now.as_millisecond()],
        )
        .await?;
    let Some((id, seq)) = begun else { return Ok(None) };
    let moment = Moment { id, seq };
    remember(link, moment, &Turn::Begun, &Told::default(), now).await?;
    Ok(Some(moment))
}

const TURN: &str = "UPDATE registration SET state = ?3, seq = seq + 1, lease_until = NULL,
        creates = CASE WHEN ?4 = 'deferred' THEN creates - 1 WHEN ?4 = 'forgotten' THEN 0 ELSE creates END,
        probes = CASE WHEN ?4 = 'still_unknown' THEN probes + 1 ELSE 0 END,
        due_at = coalesce(?5, ?6), state_since = CASE WHEN state = ?3 THEN state_since ELSE ?6 END,
        waits_for = ?7, server_id = ?8, issues_sealed = ?9
    WHERE id = ?1 AND seq = ?2";

async fn take(
    link: &mut Link,
    moment: Moment,
    turn: &Turn,
    told: &Told,
    issues_sealed: Option<&[u8]>,
    now: Timestamp,
) -> Result<Option<Moment>, LedgerError> {
    let state: Option<String> =
        link.first("SELECT state FROM registration WHERE id = ?1 AND seq = ?2", values![moment.id, moment.seq]).await?;
    let Some(state) = state else { return Ok(None) };
    let standing = Standing::from_word(&state).ok_or(LedgerError::Spoiled("state"))?;
    let Some(to) = standing.after(turn) else { return Ok(None) };
    let (on, server_id) = match turn {
        Turn::Waits { on, .. } | Turn::Refused { on } => (Some(*on), None),
        Turn::Deferred { .. } => (Some("server"), None),
        Turn::Forgotten => (Some("patient"), None),
        Turn::Found { server_id } => (None, Some(server_id.as_str())),
        _ => (None, None),
    };
    link.execute(
        TURN,
        values![
            moment.id,
            moment.seq,
            to.word(),
            turn.word(),
            turn.due().map(Timestamp::as_millisecond),
            now.as_millisecond(),
            on,
            server_id,
            issues_sealed
        ],
    )
    .await?;
    let moment = Moment { id: moment.id, seq: moment.seq + 1 };
    remember(link, moment, turn, told, now).await?;
    Ok(Some(moment))
}

const REMEMBER: &str = "INSERT INTO registration_event
        (registration, seq, event, state, request_hash, status, request_id, class, excerpt, rules, at)
    SELECT id, seq, ?3, state, request_hash, ?4, ?5, ?6, ?7, ?8, ?9 FROM registration WHERE id = ?1 AND seq = ?2";

async fn remember(
    link: &mut Link,
    moment: Moment,
    turn: &Turn,
    told: &Told,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let is_answer = !told.class.is_empty();
    link.execute(
        REMEMBER,
        values![
            moment.id,
            moment.seq,
            turn.word(),
            told.status.map(i64::from),
            told.request_id.as_deref(),
            is_answer.then_some(told.class.as_str()),
            is_answer.then_some(told.excerpt.as_str()),
            is_answer.then(|| json(&told.rules)).transpose()?,
            now.as_millisecond()
        ],
    )
    .await?;
    Ok(())
}

async fn adopt(
    link: &mut Link,
    [lane, kind]: [&str; 2],
    key: &[u8; 32],
    server_id: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if let Some(stored) = find(link, kind, key).await? {
        let (moment, turn) =
            (Moment { id: stored.id, seq: stored.seq }, Turn::Found { server_id: server_id.to_owned() });
        take(link, moment, &turn, &Told::default(), None, now).await?;
        return Ok(());
    }
    let id: i64 = link.scalar("INSERT INTO registration (lane, kind, key, state, seq, request_hash, creates, probes, due_at, state_since, server_id)
         VALUES (?1, ?2, ?3, 'held', 1, ?4, 0, 0, ?5, ?5, ?6) RETURNING id", values![lane, kind, key.as_slice(), [0_u8; 32].as_slice(), now.as_millisecond(), server_id])
    .await?;
    let turn = Turn::Found { server_id: server_id.to_owned() };
    remember(link, Moment { id, seq: 1 }, &turn, &Told::default(), now).await
}

/// Start is recovery: nobody is left who could answer for a create on its way.
pub async fn recover(link: &mut Link, now: Timestamp) -> Result<(), LedgerError> {
    let sending: Vec<(i64, i64)> =
        link.all("SELECT id, seq FROM registration WHERE state = 'sending'", values![]).await?;
    for (id, seq) in sending {
        take(link, Moment { id, seq }, &Turn::Interrupted { due: now }, &Told::default(), None, now).await?;
    }
    Ok(())
}

async fn complain(link: &mut Link, entry: EntryId, sealed: Option<&[u8]>) -> Result<(), LedgerError> {
    let Some(sealed) = sealed else { return Ok(()) };
    link.execute(
        "INSERT INTO event_complaint (entry, seq, sealed) SELECT id, seq, ?2 FROM entry WHERE id = ?1",
        values![entry.number(), sealed],
    )
    .await?;
    Ok(())
}

/// Entry, time and sealed complaints of the last event of each entry that has some.
pub async fn complaints(link: &mut Link, entries: &[i64]) -> Result<Vec<(i64, i64, Vec<u8>)>, LedgerError> {
    Ok(link
        .all(
            "SELECT entry.id, event.at, event_complaint.sealed FROM {?1: int} AS j
         CROSS JOIN entry ON entry.id = j.value
         JOIN event_complaint ON event_complaint.entry = entry.id AND event_complaint.seq = entry.seq
         JOIN event ON event.entry = entry.id AND event.seq = entry.seq",
            values![json(entries)?],
        )
        .await?)
}
