//! Claims, leases and the begun rows of attempts.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::link::Link;
use super::transition::{self, Step};
use super::{hex, json, restoring, sharing};
use crate::ledger::LedgerError;
use crate::ledger::attempt::AttemptId;
use crate::ledger::entry::{EntryId, Lease};
use crate::ledger::state::{Event, State};

/// Most entries one claim takes.
pub const CLAIM_MAX: u32 = 1_000;
/// A lease is prolonged until its claim is so old; then its holder has forgotten it.
const HELD_MAX: Duration = Duration::from_secs(15 * 60);
/// Most expired leases or due dependencies looked at in one go.
const SWEEP_MAX: i64 = 1_000;

const CLAIM: &str = "WITH due AS MATERIALIZED (
        SELECT id FROM (SELECT id, day_ends_at FROM entry
            WHERE lane = ?1 AND state = 'pending' AND look_first = 0 AND day_ends_at > ?2 AND due_at <= ?2
            ORDER BY day_ends_at, id LIMIT ?3 /*lock*/) AS today
        UNION ALL
        SELECT id FROM (SELECT id, day_ends_at FROM entry
            WHERE lane = ?1 AND state = 'pending' AND look_first = 0 AND day_ends_at <= ?2 AND due_at <= ?2
            ORDER BY day_ends_at, id LIMIT ?3 /*lock*/) AS backlog
        LIMIT ?3)
    UPDATE entry SET state = 'in_flight', seq = seq + 1, lease = ?4, lease_until = ?5,
        state_since = ?2, probes = 0
    WHERE state = 'pending' AND id IN (SELECT id FROM due)
    RETURNING id, seq, day_ends_at";

#[derive(Serialize)]
struct ClaimedEvent {
    entry: i64,
    seq: i64,
}

/// Takes due entries of a lane under a lease: those whose day still runs first, then the oldest.
pub async fn claim(
    link: &mut Link,
    lane: &str,
    limit: u32,
    lease: &Lease,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<EntryId>, LedgerError> {
    sweep(link, now).await?;
    restoring::doubt(link, lane, now).await?;
    let mut taken: Vec<(i64, i64, i64)> = link
        .all(
            CLAIM,
            values![lane, now.as_millisecond(), i64::from(limit.min(CLAIM_MAX)), &lease.0, until.as_millisecond()],
        )
        .await?;
    if taken.is_empty() {
        return Ok(Vec::new());
    }
    // RETURNING promises no order.
    taken.sort_unstable_by_key(|&(entry, _, ends)| (ends <= now.as_millisecond(), ends, entry));
    let list: Vec<ClaimedEvent> = taken.iter().map(|&(entry, seq, _)| ClaimedEvent { entry, seq }).collect();
    link.execute(
        "INSERT INTO event (entry, seq, event, state, at)
         SELECT j.entry, j.seq, '\"claimed\"', 'in_flight', ?2 FROM {?1: entry int, seq int} AS j",
        values![json(&list)?, now.as_millisecond()],
    )
    .await?;
    Ok(taken.into_iter().map(|(entry, ..)| EntryId(entry)).collect())
}

/// Ends leases that ran out and wakes blocked entries whose time to look again has come.
pub async fn sweep(link: &mut Link, now: Timestamp) -> Result<(), LedgerError> {
    let expired: Vec<i64> = link.column("SELECT id FROM entry WHERE state = 'in_flight' AND lease_until <= ?1 ORDER BY lease_until LIMIT ?2 /*lock*/", values![now.as_millisecond(), SWEEP_MAX])
    .await?;
    expire(link, &expired, now).await?;
    let waiting: Vec<i64> = link
        .column(
            "SELECT id FROM entry WHERE state = 'blocked' AND due_at <= ?1 AND blocked_on <> 'predecessor'
         ORDER BY due_at LIMIT ?2 /*lock*/",
            values![now.as_millisecond(), SWEEP_MAX],
        )
        .await?;
    let mut steps = Vec::with_capacity(waiting.len());
    for entry in waiting {
        steps.push(Step::new(entry, State::Blocked, &Event::DependencyAppeared { due: now })?.0);
    }
    transition::take(link, &steps, now).await
}

/// Ends the leases of entries in flight: Unknown when their send had begun, with the attempt's end, Pending when not.
pub async fn expire(link: &mut Link, entries: &[i64], now: Timestamp) -> Result<(), LedgerError> {
    if entries.is_empty() {
        return Ok(());
    }
    let begun: Vec<(i64, i64)> = link
        .all(
            "SELECT attempt.entry, attempt.id FROM {?1: int} AS j CROSS JOIN attempt ON attempt.entry = j.value
         WHERE NOT EXISTS (SELECT 1 FROM attempt_end WHERE attempt_end.attempt = attempt.id)",
            values![json(entries)?],
        )
        .await?;
    let attempts: Vec<i64> = begun.iter().map(|(_, attempt)| *attempt).collect();
    link.execute("INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
         SELECT attempt.id, 'interrupted', 'interrupted', '', '[]', CASE WHEN ?2 > attempt.begun_at THEN ?2 - attempt.begun_at ELSE 0 END, ?2
         FROM {?1: int} AS j CROSS JOIN attempt ON attempt.id = j.value", values![json(&attempts)?, now.as_millisecond()])
    .await?;
    let begun: HashSet<i64> = begun.into_iter().map(|(entry, _)| entry).collect();
    let mut steps = Vec::with_capacity(entries.len());
    for &entry in entries {
        let event = Event::LeaseExpired { begun: begun.contains(&entry), due: now };
        steps.push(Step::new(entry, State::InFlight, &event)?.0);
    }
    transition::take(link, &steps, now).await
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

const BEGIN: &str = "INSERT INTO attempt (entry, lease, request_hash, begun_at)
    SELECT entry.id, entry.lease, j.hash, ?2
    FROM {?1: entry int, lease text, hash bytes} AS j CROSS JOIN entry ON entry.id = j.entry
    WHERE entry.state = 'in_flight' AND entry.lease = j.lease AND entry.lease_until > ?2 /*lock entry*/
    ON CONFLICT (entry, lease) DO NOTHING RETURNING entry, id";

/// Writes begun rows for those that still hold their lease; the others get [`LedgerError::LostLease`].
pub async fn begin(
    link: &mut Link,
    begins: &[Begin],
    now: Timestamp,
) -> Result<Vec<Result<AttemptId, LedgerError>>, LedgerError> {
    let rows: Vec<BegunRow<'_>> = begins
        .iter()
        .map(|begin| BegunRow { entry: begin.entry.0, lease: &begin.lease.0, hash: hex(&begin.request_hash) })
        .collect();
    let written: Vec<(i64, i64)> = link.all(BEGIN, values![json(&rows)?, now.as_millisecond()]).await?;
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
    link: &mut Link,
    entry: EntryId,
    lease: &Lease,
    event: &Event,
    now: Timestamp,
) -> Result<State, LedgerError> {
    let held: Option<i64> = link.first("SELECT CASE WHEN EXISTS (SELECT 1 FROM attempt WHERE attempt.entry = entry.id AND attempt.lease = entry.lease)
            THEN 1 ELSE 0 END FROM entry WHERE id = ?1 AND state = 'in_flight' AND lease = ?2 /*lock*/", values![entry.0, &lease.0])
    .await?;
    match held {
        Some(0) if !matches!(event, Event::Accepted | Event::NoAnswer { .. } | Event::LeaseExpired { .. }) => {
            transition::apply(link, entry.0, event, now).await
        }
        // Once the send has begun, or with an answer, only the end of the attempt may speak.
        Some(_) => Err(crate::ledger::state::Illegal { state: State::InFlight, event: event.clone() }.into()),
        None => Err(LedgerError::LostLease(entry)),
    }
}

/// Prolongs the leases of a holder by their full time, as long as they still run.
pub async fn prolong(
    link: &mut Link,
    holder: &str,
    until: Timestamp,
    now: Timestamp,
) -> Result<Timestamp, LedgerError> {
    let statement = "UPDATE entry SET lease_until = ?2 WHERE id IN (SELECT id FROM entry
        WHERE state = 'in_flight' AND lease LIKE ?1 AND lease_until > ?3 AND state_since > ?4 /*lock*/)";
    let since = now.saturating_sub(HELD_MAX).unwrap_or(Timestamp::MIN);
    let values = values![format!("{holder}%"), until.as_millisecond(), now.as_millisecond(), since.as_millisecond()];
    link.execute(statement, values).await?;
    sharing::keep_readings(link, holder, until).await?;
    Ok(until)
}
