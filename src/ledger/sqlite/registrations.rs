//! Registrations and their history, and the complaints of entries that were blocked before anything was sent.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

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
pub async fn find(
    connection: &mut SqliteConnection,
    kind: &str,
    key: &[u8; 32],
) -> Result<Option<StoredRegistration>, LedgerError> {
    let query = sqlx::query_as(
        "SELECT id, seq, state, creates, probes, lease_until, due_at, state_since, waits_for, server_id, issues_sealed
         FROM registration WHERE kind = ?1 AND key = ?2",
    );
    Ok(query.bind(kind).bind(key.as_slice()).fetch_optional(connection).await?)
}

/// Keys and server ids of those that are held.
pub async fn held(
    connection: &mut SqliteConnection,
    kind: &str,
    keys: &[String],
) -> Result<Vec<(Vec<u8>, String)>, LedgerError> {
    let query = sqlx::query_as(
        "SELECT registration.key, registration.server_id FROM json_each(?1) AS j
         CROSS JOIN registration ON registration.kind = ?2 AND registration.key = unhex(j.value)
         WHERE registration.state = 'held'",
    );
    Ok(query.bind(json(keys)?).bind(kind).fetch_all(connection).await?)
}

/// Makes a change; gives the moment after it, or nothing when it may not be made any more.
pub async fn change(
    connection: &mut SqliteConnection,
    change: &Change,
    lease: Duration,
    now: Timestamp,
) -> Result<Option<Moment>, LedgerError> {
    match change {
        Change::Begin { lane, kind, key, request_hash } => {
            begin(connection, [lane, kind], key, request_hash, lease, now).await
        }
        Change::Turn { moment, turn, told, issues_sealed } => {
            take(connection, *moment, turn, told, issues_sealed.as_deref(), now).await
        }
        Change::Adopt { lane, kind, key, server_id } => {
            adopt(connection, [lane, kind], key, server_id, now).await?;
            Ok(None)
        }
        Change::Block { entry, lease, event, complaint_sealed } => {
            claims::release(connection, *entry, lease, event, now).await?;
            complain(connection, *entry, complaint_sealed.as_deref()).await?;
            Ok(None)
        }
        Change::Miss { kind, key, word, expires } => {
            cache::put_missing(connection, kind, key, word, *expires).await?;
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
    connection: &mut SqliteConnection,
    [lane, kind]: [&str; 2],
    key: &[u8; 32],
    request_hash: &[u8; 32],
    lease: Duration,
    now: Timestamp,
) -> Result<Option<Moment>, LedgerError> {
    let until = now.saturating_add(lease).unwrap_or(Timestamp::MAX);
    let begun: Option<(i64, i64)> = sqlx::query_as(BEGIN)
        .bind(lane)
        .bind(kind)
        .bind(key.as_slice())
        .bind(request_hash.as_slice())
        .bind(until.as_millisecond())
        .bind(now.as_millisecond())
        .fetch_optional(&mut *connection)
        .await?;
    let Some((id, seq)) = begun else { return Ok(None) };
    let moment = Moment { id, seq };
    remember(connection, moment, &Turn::Begun, &Told::default(), now).await?;
    Ok(Some(moment))
}

const TURN: &str = "UPDATE registration SET state = ?3, seq = seq + 1, lease_until = NULL,
        creates = CASE WHEN ?4 = 'deferred' THEN creates - 1 WHEN ?4 = 'forgotten' THEN 0 ELSE creates END,
        probes = CASE WHEN ?4 = 'still_unknown' THEN probes + 1 ELSE 0 END,
        due_at = coalesce(?5, ?6), state_since = CASE WHEN state = ?3 THEN state_since ELSE ?6 END,
        waits_for = ?7, server_id = ?8, issues_sealed = ?9
    WHERE id = ?1 AND seq = ?2";

async fn take(
    connection: &mut SqliteConnection,
    moment: Moment,
    turn: &Turn,
    told: &Told,
    issues_sealed: Option<&[u8]>,
    now: Timestamp,
) -> Result<Option<Moment>, LedgerError> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM registration WHERE id = ?1 AND seq = ?2")
        .bind(moment.id)
        .bind(moment.seq)
        .fetch_optional(&mut *connection)
        .await?;
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
    sqlx::query(TURN)
        .bind(moment.id)
        .bind(moment.seq)
        .bind(to.word())
        .bind(turn.word())
        .bind(turn.due().map(Timestamp::as_millisecond))
        .bind(now.as_millisecond())
        .bind(on)
        .bind(server_id)
        .bind(issues_sealed)
        .execute(&mut *connection)
        .await?;
    let moment = Moment { id: moment.id, seq: moment.seq + 1 };
    remember(connection, moment, turn, told, now).await?;
    Ok(Some(moment))
}

const REMEMBER: &str = "INSERT INTO registration_event
        (registration, seq, event, state, request_hash, status, request_id, class, excerpt, rules, at)
    SELECT id, seq, ?3, state, request_hash, ?4, ?5, ?6, ?7, ?8, ?9 FROM registration WHERE id = ?1 AND seq = ?2";

async fn remember(
    connection: &mut SqliteConnection,
    moment: Moment,
    turn: &Turn,
    told: &Told,
    now: Timestamp,
) -> Result<(), LedgerError> {
    let is_answer = !told.class.is_empty();
    sqlx::query(REMEMBER)
        .bind(moment.id)
        .bind(moment.seq)
        .bind(turn.word())
        .bind(told.status.map(i64::from))
        .bind(told.request_id.as_deref())
        .bind(is_answer.then_some(told.class.as_str()))
        .bind(is_answer.then_some(told.excerpt.as_str()))
        .bind(is_answer.then(|| json(&told.rules)).transpose()?)
        .bind(now.as_millisecond())
        .execute(connection)
        .await?;
    Ok(())
}

async fn adopt(
    connection: &mut SqliteConnection,
    [lane, kind]: [&str; 2],
    key: &[u8; 32],
    server_id: &str,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if let Some(stored) = find(connection, kind, key).await? {
        let (moment, turn) =
            (Moment { id: stored.id, seq: stored.seq }, Turn::Found { server_id: server_id.to_owned() });
        take(connection, moment, &turn, &Told::default(), None, now).await?;
        return Ok(());
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO registration (lane, kind, key, state, seq, request_hash, creates, probes, due_at, state_since, server_id)
         VALUES (?1, ?2, ?3, 'held', 1, ?4, 0, 0, ?5, ?5, ?6) RETURNING id",
    )
    .bind(lane)
    .bind(kind)
    .bind(key.as_slice())
    .bind([0_u8; 32].as_slice())
    .bind(now.as_millisecond())
    .bind(server_id)
    .fetch_one(&mut *connection)
    .await?;
    let turn = Turn::Found { server_id: server_id.to_owned() };
    remember(connection, Moment { id, seq: 1 }, &turn, &Told::default(), now).await
}

/// Start is recovery: nobody is left who could answer for a create on its way.
pub async fn recover(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), LedgerError> {
    let sending: Vec<(i64, i64)> =
        sqlx::query_as("SELECT id, seq FROM registration WHERE state = 'sending'").fetch_all(&mut *connection).await?;
    for (id, seq) in sending {
        take(connection, Moment { id, seq }, &Turn::Interrupted { due: now }, &Told::default(), None, now).await?;
    }
    Ok(())
}

async fn complain(connection: &mut SqliteConnection, entry: EntryId, sealed: Option<&[u8]>) -> Result<(), LedgerError> {
    let Some(sealed) = sealed else { return Ok(()) };
    sqlx::query("INSERT INTO event_complaint (entry, seq, sealed) SELECT id, seq, ?2 FROM entry WHERE id = ?1")
        .bind(entry.number())
        .bind(sealed)
        .execute(connection)
        .await?;
    Ok(())
}

/// Entry, time and sealed complaints of the last event of each entry that has some.
pub async fn complaints(
    connection: &mut SqliteConnection,
    entries: &[i64],
) -> Result<Vec<(i64, i64, Vec<u8>)>, LedgerError> {
    let query = sqlx::query_as(
        "SELECT entry.id, event.at, event_complaint.sealed FROM json_each(?1) AS j
         CROSS JOIN entry ON entry.id = j.value
         JOIN event_complaint ON event_complaint.entry = entry.id AND event_complaint.seq = entry.seq
         JOIN event ON event.entry = entry.id AND event.seq = entry.seq",
    );
    Ok(query.bind(json(entries)?).fetch_all(connection).await?)
}
