//! Claims, leases and the begun rows of attempts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::transition::{self, Step};
use super::{hex, json, time};
use crate::ledger::LedgerError;
use crate::ledger::attempt::AttemptId;
use crate::ledger::command::ClaimedEntry;
use crate::ledger::entry::{EntryId, Lease};
use crate::ledger::state::{Event, State};
use crate::ledger::turn::{Turn, Turns};

/// Most entries one claim takes.
pub const CLAIM_MAX: u32 = 1_000;
/// Most expired leases or due dependencies looked at in one go.
const SWEEP_MAX: i64 = 1_000;

/// Deaths of the process while an entry was being prepared, before a person must look (faults.md, design rule 6).
pub const STRIKES_MAX: i64 = 3;

const TODAY: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND state = 'pending' AND strikes = 0 AND day_ends_at > ?2 AND due_at <= ?2
    ORDER BY day_ends_at, id LIMIT ?3";

const CORRECTIONS: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND state = 'pending' AND version > 1 AND strikes = 0 AND day_ends_at <= ?2 AND due_at <= ?2
    ORDER BY day_ends_at, id LIMIT ?3";

const BACKLOG: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND state = 'pending' AND strikes = 0 AND day_ends_at <= ?2 AND due_at <= ?2
    ORDER BY day_ends_at, id LIMIT ?3";

/// What the process may have died of: one at a time, so that an innocent one is cleared by getting through.
const SUSPECT: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND strikes > 0 AND state = 'pending' AND due_at <= ?2 AND (?3 OR day_ends_at > ?2)
        AND NOT EXISTS (SELECT 1 FROM entry AS other
            WHERE other.lane = ?1 AND other.strikes > 0 AND other.state = 'in_flight')
    ORDER BY strikes, id LIMIT 1";

/// The strike is written before the work: an entry that kills the process counts itself.
const CLAIM: &str = "UPDATE entry SET state = 'in_flight', seq = seq + 1, lease = ?3, lease_until = ?4,
        state_since = ?2, probes = 0, strikes = CASE WHEN strikes > 0 THEN strikes + 1 ELSE 0 END
    FROM json_each(?1) AS j WHERE entry.id = j.value AND entry.state = 'pending'
    RETURNING entry.id, entry.seq, entry.strikes";

#[derive(Serialize)]
struct ClaimedEvent {
    entry: i64,
    seq: i64,
}

/// Takes due entries of a lane under a lease, by turns, those of today before the others.
pub async fn claim(
    connection: &mut SqliteConnection,
    lane: &str,
    limit: u32,
    turns: &mut Turns,
    lease: &Lease,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<ClaimedEntry>, LedgerError> {
    sweep(connection, now).await?;
    let limit = limit.min(CLAIM_MAX);
    let mut lists: [Vec<i64>; 3] = Default::default();
    for (list, query) in lists.iter_mut().zip([TODAY, CORRECTIONS, BACKLOG]) {
        let query = sqlx::query_scalar(query).bind(lane).bind(now.as_millisecond()).bind(i64::from(limit));
        *list = query.fetch_all(&mut *connection).await?;
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut picked = turns.pick(most, [&lists[0], &lists[1], &lists[2]]);
    // What is sent first of one claim matters when the lane stops meanwhile.
    picked.sort_by_key(|(_, turn)| *turn != Turn::Today);
    let suspect: Option<i64> = sqlx::query_scalar(SUSPECT)
        .bind(lane)
        .bind(now.as_millisecond())
        .bind(picked.len() < most)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some(id) = suspect.filter(|_| most > 0) {
        picked.truncate(most - 1);
        picked.push((id, Turn::Backlog));
    }
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = picked.iter().map(|(id, _)| *id).collect();
    let taken: Vec<(i64, i64, i64)> = sqlx::query_as(CLAIM)
        .bind(json(&ids)?)
        .bind(now.as_millisecond())
        .bind(&lease.0)
        .bind(until.as_millisecond())
        .fetch_all(&mut *connection)
        .await?;
    let list: Vec<ClaimedEvent> = taken.iter().map(|&(entry, seq, _)| ClaimedEvent { entry, seq }).collect();
    sqlx::query(
        "INSERT INTO event (entry, seq, event, state, at)
         SELECT value->>'entry', value->>'seq', '\"claimed\"', 'in_flight', ?2 FROM json_each(?1)",
    )
    .bind(json(&list)?)
    .bind(now.as_millisecond())
    .execute(connection)
    .await?;
    let strikes: HashMap<i64, i64> = taken.into_iter().map(|(entry, _, strikes)| (entry, strikes)).collect();
    let claimed = picked.into_iter().filter_map(|(id, turn)| {
        let strikes = strikes.get(&id)?;
        Some(ClaimedEntry { entry: EntryId(id), turn, is_suspect: *strikes > 0 })
    });
    Ok(claimed.collect())
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
    expire(connection, &expired, false, now).await?;
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
/// When the process `died`, what was not sent yet may be the reason: it counts a strike, and the third is the last.
pub async fn expire(
    connection: &mut SqliteConnection,
    entries: &[i64],
    died: bool,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if entries.is_empty() {
        return Ok(());
    }
    if died {
        // Those that were under suspicion have counted this one when they were claimed.
        sqlx::query("UPDATE entry SET strikes = 1 FROM json_each(?1) AS j WHERE entry.id = j.value AND strikes = 0")
            .bind(json(entries)?)
            .execute(&mut *connection)
            .await?;
    }
    let struck: Vec<i64> = sqlx::query_scalar(
        "SELECT entry.id FROM json_each(?1) AS j CROSS JOIN entry ON entry.id = j.value WHERE strikes >= ?2",
    )
    .bind(json(entries)?)
    .bind(STRIKES_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let struck: HashSet<i64> = struck.into_iter().filter(|_| died).collect();
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
        let begun = begun.contains(&entry);
        let event = match !begun && struck.contains(&entry) {
            true => {
                tracing::error!(entry, "the gateway died three times over this visit: it is set aside for a person");
                Event::AttemptsSpent
            }
            false => Event::LeaseExpired { begun, due: now },
        };
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
