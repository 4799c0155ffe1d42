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
use crate::ledger::command::ClaimedEntry;
use crate::ledger::entry::{EntryId, Lease};
use crate::ledger::state::{Event, State};
use crate::ledger::turn::{Turn, Turns};

/// Most entries one claim takes.
pub const CLAIM_MAX: u32 = 1_000;
/// A lease is prolonged until its claim is so old; then its holder has forgotten it.
pub const HELD_MAX: Duration = Duration::from_secs(15 * 60);
/// Most expired leases or due dependencies looked at in one go.
const SWEEP_MAX: i64 = 1_000;

/// Deaths of the process while an entry was being prepared, before a person must look (faults.md, design rule 6).
pub const STRIKES_MAX: i64 = 3;

const TODAY: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND state = 'pending' AND look_first = 0 AND strikes = 0 AND day_ends_at > ?2 AND due_at <= ?2
    ORDER BY day_ends_at, id LIMIT ?3 /*lock*/";

const CORRECTIONS: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND state = 'pending' AND version > 1 AND look_first = 0 AND strikes = 0 AND day_ends_at <= ?2 AND due_at <= ?2
    ORDER BY day_ends_at, id LIMIT ?3 /*lock*/";

const BACKLOG: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND state = 'pending' AND look_first = 0 AND strikes = 0 AND day_ends_at <= ?2 AND due_at <= ?2
    ORDER BY day_ends_at, id LIMIT ?3 /*lock*/";

/// What the process may have died of: one at a time, so that an innocent one is cleared by getting through.
const SUSPECT: &str = "SELECT id FROM entry
    WHERE lane = ?1 AND strikes > 0 AND state = 'pending' AND look_first = 0 AND due_at <= ?2 AND (?3 = 1 OR day_ends_at > ?2)
        AND NOT EXISTS (SELECT 1 FROM entry AS other
            WHERE other.lane = ?1 AND other.strikes > 0 AND other.state = 'in_flight')
    ORDER BY strikes, id LIMIT 1 /*lock*/";

/// The strike is written before the work: an entry that kills the process counts itself.
const CLAIM: &str = "UPDATE entry SET state = 'in_flight', seq = entry.seq + 1, lease = ?3, lease_until = ?4,
        state_since = ?2, probes = 0, strikes = CASE WHEN entry.strikes > 0 THEN entry.strikes + 1 ELSE 0 END
    FROM {?1: int} AS j WHERE entry.id = j.value AND entry.state = 'pending'
    RETURNING entry.id, entry.seq, entry.strikes";

#[derive(Serialize)]
struct ClaimedEvent {
    entry: i64,
    seq: i64,
}

/// Takes due entries of a lane under a lease, by turns, those of today before the others.
pub async fn claim(
    link: &mut Link,
    lane: &str,
    limit: u32,
    turns: &mut Turns,
    lease: &Lease,
    until: Timestamp,
    now: Timestamp,
) -> Result<Vec<ClaimedEntry>, LedgerError> {
    sweep(link, now).await?;
    restoring::doubt(link, lane, now).await?;
    let limit = limit.min(CLAIM_MAX);
    let mut lists: [Vec<i64>; 3] = Default::default();
    for (list, query) in lists.iter_mut().zip([TODAY, CORRECTIONS, BACKLOG]) {
        *list = link.column(query, values![lane, now.as_millisecond(), i64::from(limit)]).await?;
    }
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut after = *turns;
    let mut picked = after.pick(most, [&lists[0], &lists[1], &lists[2]]);
    // What is sent first of one claim matters when the lane stops meanwhile.
    picked.sort_by_key(|(_, turn)| *turn != Turn::Today);
    let suspect: Option<i64> = link.first(SUSPECT, values![lane, now.as_millisecond(), picked.len() < most]).await?;
    match suspect.filter(|_| most > 0) {
        // Alone: were others made ready beside it, a death meanwhile would count against it more easily.
        Some(id) => picked = vec![(id, Turn::Backlog)],
        None => *turns = after,
    }
    if picked.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = picked.iter().map(|(id, _)| *id).collect();
    let taken: Vec<(i64, i64, i64)> =
        link.all(CLAIM, values![json(&ids)?, now.as_millisecond(), &lease.0, until.as_millisecond()]).await?;
    let list: Vec<ClaimedEvent> = taken.iter().map(|&(entry, seq, _)| ClaimedEvent { entry, seq }).collect();
    link.execute(
        "INSERT INTO event (entry, seq, event, state, at)
         SELECT j.entry, j.seq, '\"claimed\"', 'in_flight', ?2 FROM {?1: entry int, seq int} AS j",
        values![json(&list)?, now.as_millisecond()],
    )
    .await?;
    let strikes: HashMap<i64, i64> = taken.into_iter().map(|(entry, _, strikes)| (entry, strikes)).collect();
    let claimed = picked.into_iter().filter_map(|(id, turn)| {
        let strikes = strikes.get(&id)?;
        Some(ClaimedEntry { entry: EntryId(id), turn, is_suspect: *strikes > 0 })
    });
    Ok(claimed.collect())
}

/// Ends leases that ran out and wakes blocked entries whose time to look again has come.
pub async fn sweep(link: &mut Link, now: Timestamp) -> Result<(), LedgerError> {
    let ran_out = "SELECT id FROM entry WHERE state = 'in_flight' AND lease_until <= ?1
        ORDER BY lease_until LIMIT ?2 /*lock*/";
    let expired: Vec<i64> = link.column(ran_out, values![now.as_millisecond(), SWEEP_MAX]).await?;
    // A file's only process is here, so it lives; on a server a lease runs out when its daemon is gone.
    let died = matches!(link, Link::Postgres(_));
    expire(link, &expired, died, now).await?;
    let due = "SELECT id FROM entry WHERE state = 'blocked' AND due_at <= ?1 AND blocked_on <> 'predecessor'
        ORDER BY due_at LIMIT ?2 /*lock*/";
    let waiting: Vec<i64> = link.column(due, values![now.as_millisecond(), SWEEP_MAX]).await?;
    let mut steps = Vec::with_capacity(waiting.len());
    for entry in waiting {
        steps.push(Step::new(entry, State::Blocked, &Event::DependencyAppeared { due: now })?.0);
    }
    transition::take(link, &steps, now).await
}

/// Ends the leases of entries in flight: Unknown when their send had begun, with the attempt's end, Pending when not.
/// When the process `died`, what was not sent yet may be the reason: it counts a strike, and the third is the last.
pub async fn expire(link: &mut Link, entries: &[i64], died: bool, now: Timestamp) -> Result<(), LedgerError> {
    if entries.is_empty() {
        return Ok(());
    }
    if died {
        // Those that were under suspicion have counted this one when they were claimed.
        let strike = "UPDATE entry SET strikes = 1 FROM {?1: int} AS j WHERE entry.id = j.value AND entry.strikes = 0";
        link.execute(strike, values![json(entries)?]).await?;
    }
    let three = "SELECT entry.id FROM {?1: int} AS j CROSS JOIN entry ON entry.id = j.value WHERE strikes >= ?2";
    let struck: Vec<i64> = link.column(three, values![json(entries)?, STRIKES_MAX]).await?;
    let struck: HashSet<i64> = struck.into_iter().filter(|_| died).collect();
    let open = "SELECT attempt.entry, attempt.id FROM {?1: int} AS j CROSS JOIN attempt ON attempt.entry = j.value
        WHERE NOT EXISTS (SELECT 1 FROM attempt_end WHERE attempt_end.attempt = attempt.id)";
    let begun: Vec<(i64, i64)> = link.all(open, values![json(entries)?]).await?;
    let attempts: Vec<i64> = begun.iter().map(|(_, attempt)| *attempt).collect();
    let interrupted = "INSERT INTO attempt_end (attempt, outcome, class, excerpt, rules, duration_ms, ended_at)
        SELECT attempt.id, 'interrupted', 'interrupted', '', '[]',
            CASE WHEN ?2 > attempt.begun_at THEN ?2 - attempt.begun_at ELSE 0 END, ?2
        FROM {?1: int} AS j CROSS JOIN attempt ON attempt.id = j.value";
    link.execute(interrupted, values![json(&attempts)?, now.as_millisecond()]).await?;
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
    let statement = "SELECT CASE WHEN EXISTS
            (SELECT 1 FROM attempt WHERE attempt.entry = entry.id AND attempt.lease = entry.lease) THEN 1 ELSE 0 END
        FROM entry WHERE id = ?1 AND state = 'in_flight' AND lease = ?2 /*lock*/";
    let held: Option<i64> = link.first(statement, values![entry.0, &lease.0]).await?;
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
