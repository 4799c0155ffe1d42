//! Claims, leases and the begun rows of attempts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::transition::{self, Step};
use super::{hex, json, restoring, time};
use crate::ledger::LedgerError;
use crate::ledger::attempt::AttemptId;
use crate::ledger::entry::{EntryId, Lease};
use crate::ledger::state::{Event, State};

/// Most entries one claim takes.
pub const CLAIM_MAX: u32 = 1_000;
/// Most expired leases or due dependencies looked at in one go.
const SWEEP_MAX: i64 = 1_000;

const CLAIM: &str = "UPDATE entry SET state = 'in_flight', seq = seq + 1, lease = ?4, lease_until = ?5,
        state_since = ?2, probes = 0
    WHERE state = 'pending' AND id IN (
        SELECT id FROM (SELECT id, day_ends_at FROM entry
            WHERE lane = ?1 AND state = 'pending' AND day_ends_at > ?2 AND due_at <= ?2
            ORDER BY day_ends_at, id LIMIT ?3)
        UNION ALL
        SELECT id FROM (SELECT id, day_ends_at FROM entry
            WHERE lane = ?1 AND state = 'pending' AND day_ends_at <= ?2 AND due_at <= ?2
            ORDER BY day_ends_at, id LIMIT ?3)
        LIMIT ?3)
    RETURNING id, seq, day_ends_at";

#[derive(Serialize)]
struct ClaimedEvent {
    entry: i64,
    seq: i64,
}

/// Takes due entries of a lane under a lease: those whose day still runs first, then the oldest.
pub async fn claim(
    connection: &mut SqliteConnection,
    lane: &str,
    limit: u32,
    lease: &Lease,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<EntryId>, LedgerError> {
    sweep(connection, now).await?;
    restoring::doubt(connection, lane, now).await?;
    let mut taken: Vec<(i64, i64, i64)> = sqlx::query_as(CLAIM)
        .bind(lane)
        .bind(now.as_millisecond())
        .bind(i64::from(limit.min(CLAIM_MAX)))
        .bind(&lease.0)
        .bind(until.as_millisecond())
        .fetch_all(&mut *connection)
        .await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    // RETURNING promises no order.
    taken.sort_unstable_by_key(|&(entry, _, ends)| (ends <= now.as_millisecond(), ends, entry));
    let list: Vec<ClaimedEvent> = taken.iter().map(|&(entry, seq, _)| ClaimedEvent { entry, seq }).collect();
    sqlx::query(
        "INSERT INTO event (entry, seq, event, state, at)
         SELECT value->>'entry', value->>'seq', '\"claimed\"', 'in_flight', ?2 FROM json_each(?1)",
    )
    .bind(json(&list)?)
    .bind(now.as_millisecond())
    .execute(connection)
    .await?;
    Ok(taken.into_iter().map(|(entry, ..)| EntryId(entry)).collect())
}

/// Ends leases that ran out and wakes blocked entries whose time to look again has come.
async fn sweep(connection: &mut SqliteConnection, now: Timestamp) -> Result<(), LedgerError> {
    let expired: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM entry WHERE state = 'in_flight' AND lease_until <= ?1 ORDER BY lease_until LIMIT ?2",
    )
    .bind(now.as_millisecond())
    .bind(SWEEP_MAX)
    .fetch_all(&mut *connection)
    .await?;
    expire(connection, &expired, now).await?;
    let waiting: Vec<i64> = sqlx::query_scalar(
        "SELECT id FROM entry WHERE state = 'blocked' AND due_at <= ?1 AND blocked_on <> 'predecessor'
         ORDER BY due_at LIMIT ?2",
    )
    .bind(now.as_millisecond())
    .bind(SWEEP_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let mut steps = Vec::with_capacity(waiting.len());
    for entry in waiting {
        steps.push(Step::new(entry, State::Blocked, &Event::DependencyAppeared { due: now })?.0);
    }
    transition::take(connection, &steps, now).await
}

/// Ends the leases of entries in flight: Unknown when their send had begun, with the attempt's end, Pending when not.
pub async fn expire(connection: &mut SqliteConnection, entries: &[i64], now: Timestamp) -> Result<(), LedgerError> {
    if entries.is_empty() {
        return Ok(());
    }
    let begun: Vec<(i64, i64)> = sqlx::query_as(
        "SELECT attempt.entry, attempt.id FROM json_each(?1) AS j CROSS JOIN attempt ON attempt.entry = j.value
         WHERE NOT EXISTS (SELECT 1 FROM attempt_end WHERE attempt_end.attempt = attempt.id)",
    )
    .bind(json(entries)?)
    .fetch_all(&mut *connection)
    .await?;
    let attempts: Vec<i64> = begun.iter().map(|(_, attempt)| *attempt).collect();
    sqlx::query(
        "INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
         SELECT attempt.id, 'interrupted', 'interrupted', '', '[]', max(0, ?2 - attempt.begun_at), ?2
         FROM json_each(?1) AS j CROSS JOIN attempt ON attempt.id = j.value",
    )
    .bind(json(&attempts)?)
    .bind(now.as_millisecond())
    .execute(&mut *connection)
    .await?;
    let begun: HashSet<i64> = begun.into_iter().map(|(entry, _)| entry).collect();
    let mut steps = Vec::with_capacity(entries.len());
    for &entry in entries {
        let event = Event::LeaseExpired { begun: begun.contains(&entry), due: now };
        steps.push(Step::new(entry, State::InFlight, &event)?.0);
    }
    transition::take(connection, &steps, now).await
}

/// A begun row to be written.
#[derive(Debug)]
pub struct Begin {
    /// Which entry.
    pub entry: EntryId,
    /// Under which lease.
    pub lease: Lease,
    /// Hash of the request.
    pub request_hash: [u8; 32],
}

#[derive(Serialize)]
struct BegunRow<'a> {
    entry: i64,
    lease: &'a str,
    hash: String,
}

const BEGIN: &str = "INSERT OR IGNORE INTO attempt (entry, lease, request_hash, begun_at)
    SELECT entry.id, entry.lease, unhex(j.value->>'hash'), ?2
    FROM json_each(?1) AS j CROSS JOIN entry ON entry.id = j.value->>'entry'
    WHERE entry.state = 'in_flight' AND entry.lease = j.value->>'lease' AND entry.lease_until > ?2
    RETURNING entry, id";

/// Writes begun rows for those that still hold their lease; the others get [`LedgerError::LostLease`].
pub async fn begin(
    connection: &mut SqliteConnection,
    begins: &[Begin],
    now: Timestamp,
) -> Result<Vec<Result<AttemptId, LedgerError>>, LedgerError> {
    let rows: Vec<BegunRow<'_>> = begins
        .iter()
        .map(|begin| BegunRow { entry: begin.entry.0, lease: &begin.lease.0, hash: hex(&begin.request_hash) })
        .collect();
    let written: Vec<(i64, i64)> =
        sqlx::query_as(BEGIN).bind(json(&rows)?).bind(now.as_millisecond()).fetch_all(connection).await?;
    // Taken out when answered: a second begin under the same lease gets nothing.
    let mut written: HashMap<i64, i64> = written.into_iter().collect();
    let mut seen: HashSet<(i64, &str)> = HashSet::new();
    Ok(begins
        .iter()
        .map(|begin| {
            let first = seen.insert((begin.entry.0, &begin.lease.0));
            let attempt = if first { written.remove(&begin.entry.0) } else { None };
            attempt.map(AttemptId).ok_or(LedgerError::LostLease(begin.entry))
        })
        .collect())
}

/// Gives a claimed entry back, or blocks it, without an attempt.
pub async fn release(
    connection: &mut SqliteConnection,
    entry: EntryId,
    lease: &Lease,
    event: &Event,
    now: Timestamp,
) -> Result<State, LedgerError> {
    let held: Option<i64> = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM attempt WHERE attempt.entry = entry.id AND attempt.lease = entry.lease)
         FROM entry WHERE id = ?1 AND state = 'in_flight' AND lease = ?2",
    )
    .bind(entry.0)
    .bind(&lease.0)
    .fetch_optional(&mut *connection)
    .await?;
    match held {
        Some(0) if !matches!(event, Event::Accepted | Event::NoAnswer { .. } | Event::LeaseExpired { .. }) => {
            transition::apply(connection, entry.0, event, now).await
        }
        // Once the send has begun, or with an answer, only the end of the attempt may speak.
        Some(_) => Err(crate::ledger::state::Illegal { state: State::InFlight, event: event.clone() }.into()),
        None => Err(LedgerError::LostLease(entry)),
    }
}

/// Leases a worker still needs while it waits: prolongs those that are held.
pub async fn prolong(
    connection: &mut SqliteConnection,
    lease: &Lease,
    lease_time: Duration,
    now: Timestamp,
) -> Result<Timestamp, LedgerError> {
    let until = now.saturating_add(lease_time).unwrap_or(Timestamp::MAX);
    sqlx::query("UPDATE entry SET lease_until = ?2 WHERE state = 'in_flight' AND lease = ?1 AND lease_until > ?3")
        .bind(&lease.0)
        .bind(until.as_millisecond())
        .bind(now.as_millisecond())
        .execute(connection)
        .await?;
    time(until.as_millisecond())
}
