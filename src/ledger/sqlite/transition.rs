//! Moves entries from state to state: the summary and the event in one go, through `State::after` and nothing else.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::SqliteConnection;

use super::{json, time};
use crate::ledger::LedgerError;
use crate::ledger::entry::EntryId;
use crate::ledger::state::{Event, PREDECESSOR, State};

/// A checked step of one entry.
#[derive(Debug, Serialize)]
pub struct Step {
    entry: i64,
    from: &'static str,
    to: &'static str,
    due: Option<i64>,
    on: Option<String>,
    spent: u8,
    probed: u8,
    retried: u8,
    kept: u8,
    event: String,
    is_final: u8,
}

impl Step {
    /// The step that `event` makes an entry take from `state`.
    pub fn new(entry: i64, state: State, event: &Event) -> Result<(Self, State), LedgerError> {
        let to = state.after(event)?;
        let on = match event {
            Event::DependencyMissing { on, .. } => Some(on.clone()),
            _ => None,
        };
        let step = Self {
            entry,
            from: state.word(),
            to: to.word(),
            due: event.due().map(Timestamp::as_millisecond),
            on,
            spent: u8::from(matches!(event, Event::Unclassified { .. } | Event::AttemptsSpent)),
            probed: u8::from(matches!(event, Event::StillUnknown { .. })),
            retried: u8::from(matches!(event, Event::RetryCommanded { .. })),
            kept: u8::from(matches!(event, Event::LeaseExpired { .. } | Event::DependencyAppeared { .. })),
            event: serde_json::to_string(event).map_err(|_| LedgerError::Spoiled("event"))?,
            is_final: u8::from(to.is_final()),
        };
        Ok((step, to))
    }
}

const MOVE: &str = "UPDATE entry SET
    state = j.value->>'to',
    seq = seq + 1,
    due_at = coalesce(j.value->>'due', due_at),
    blocked_on = j.value->>'on',
    blocked_count = blocked_count + (j.value->>'to' = 'blocked' AND j.value->>'on' <> 'predecessor'),
    lease = NULL,
    lease_until = NULL,
    spent = CASE WHEN j.value->>'retried' = 1 THEN 0 ELSE spent + (j.value->>'spent') END,
    probes = CASE WHEN j.value->>'probed' = 1 THEN probes + 1 ELSE 0 END,
    strikes = CASE WHEN j.value->>'kept' = 1 THEN strikes ELSE 0 END,
    state_since = CASE WHEN state = j.value->>'to' THEN state_since ELSE ?2 END,
    completed_at = CASE WHEN j.value->>'is_final' = 1 THEN ?2 END
    FROM json_each(?1) AS j WHERE entry.id = j.value->>'entry' AND entry.state = j.value->>'from'";

const REMEMBER: &str = "INSERT INTO event (entry, seq, event, state, at)
    SELECT entry.id, entry.seq, j.value->>'event', j.value->>'to', ?2
    FROM json_each(?1) AS j CROSS JOIN entry ON entry.id = j.value->>'entry'";

/// Takes steps, at most one per entry, and lets successors follow.
pub async fn take(connection: &mut SqliteConnection, steps: &[Step], now: Timestamp) -> Result<(), LedgerError> {
    take_alone(connection, steps, now).await?;
    let settled: Vec<i64> =
        steps.iter().filter(|step| !matches!(step.to, "in_flight" | "unknown")).map(|step| step.entry).collect();
    follow(connection, &settled, now).await
}

async fn take_alone(connection: &mut SqliteConnection, steps: &[Step], now: Timestamp) -> Result<(), LedgerError> {
    if steps.is_empty() {
        return Ok(());
    }
    let list = json(steps)?;
    let now = now.as_millisecond();
    let moved = sqlx::query(MOVE).bind(&list).bind(now).execute(&mut *connection).await?.rows_affected();
    if moved != steps.len() as u64 {
        // Each step was checked against the state it starts from inside this transaction.
        return Err(LedgerError::Spoiled("state"));
    }
    sqlx::query(REMEMBER).bind(&list).bind(now).execute(&mut *connection).await?;
    Ok(())
}

/// One event for one entry, whatever its state.
pub async fn apply(
    connection: &mut SqliteConnection,
    entry: i64,
    event: &Event,
    now: Timestamp,
) -> Result<State, LedgerError> {
    let state = state_of(connection, entry).await?;
    let (step, to) = Step::new(entry, state, event)?;
    take(connection, &[step], now).await?;
    Ok(to)
}

/// The state of an entry.
pub async fn state_of(connection: &mut SqliteConnection, entry: i64) -> Result<State, LedgerError> {
    let word: Option<String> =
        sqlx::query_scalar("SELECT state FROM entry WHERE id = ?").bind(entry).fetch_optional(connection).await?;
    let word = word.ok_or(LedgerError::NoSuchEntry(EntryId(entry)))?;
    State::from_word(&word).ok_or(LedgerError::Spoiled("state"))
}

const FOLLOWERS: &str = "SELECT entry.id, entry.state, successor.id, successor.due_at, successor.mapping_refused,
        visit.emptied
    FROM json_each(?1) AS j CROSS JOIN entry ON entry.id = j.value JOIN visit ON visit.id = entry.visit
    LEFT JOIN entry AS successor ON successor.visit = entry.visit AND successor.blocked_on = 'predecessor'
    WHERE successor.id IS NOT NULL OR visit.emptied = 1";

/// Entry, its state, its successor with due time and the mapping's refusal, and whether its visit was emptied.
type Follower = (i64, String, Option<i64>, Option<i64>, Option<bool>, i64);

/// An entry that came back from the server makes way: for the newer version that waited for it, or, when its records
/// were withdrawn meanwhile, for nothing.
async fn follow(connection: &mut SqliteConnection, settled: &[i64], now: Timestamp) -> Result<(), LedgerError> {
    if settled.is_empty() {
        return Ok(());
    }
    let rows: Vec<Follower> = sqlx::query_as(FOLLOWERS).bind(json(settled)?).fetch_all(&mut *connection).await?;
    let (mut leaving, mut coming, mut refusing, mut heirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (entry, word, successor, due, refused, emptied) in rows {
        let state = State::from_word(&word).ok_or(LedgerError::Spoiled("state"))?;
        match successor {
            Some(successor) if successor != entry && !state.is_out() && state != State::Superseded => {
                let due = due.map_or(Ok(now), time)?.max(now);
                leaving.push(Step::new(entry, state, &Event::NewerVersion)?.0);
                coming.push(Step::new(successor, State::Blocked, &Event::DependencyAppeared { due })?.0);
                if refused == Some(true) {
                    refusing.push(Step::new(successor, State::Pending, &Event::RefusedContent)?.0);
                }
                heirs.push(successor);
            }
            None if emptied == 1 && state.after(&Event::RecordsWithdrawn).is_ok() => {
                leaving.push(Step::new(entry, state, &Event::RecordsWithdrawn)?.0);
            }
            _ => {}
        }
    }
    take_alone(connection, &leaving, now).await?;
    inherit(connection, &heirs).await?;
    take_alone(connection, &coming, now).await?;
    take_alone(connection, &refusing, now).await
}

const INHERIT: &str = "UPDATE entry_resource SET server_id = older.server_id, server_version = older.server_version,
        server_hash = older.server_hash, server_mapping = older.server_mapping
    FROM (SELECT heir.id AS entry, resource.identifier_system, resource.identifier_value, resource.resource_type,
            resource.server_id, resource.server_version, resource.server_hash, resource.server_mapping,
            max(source.version)
        FROM json_each(?1) AS j CROSS JOIN entry AS heir ON heir.id = j.value
        JOIN entry AS source ON source.visit = heir.visit AND source.version < heir.version
        JOIN entry_resource AS resource ON resource.entry = source.id AND resource.server_id IS NOT NULL
        GROUP BY heir.id, resource.resource_type, resource.identifier_system, resource.identifier_value) AS older
    WHERE entry_resource.entry = older.entry AND entry_resource.resource_type = older.resource_type
        AND entry_resource.identifier_system = older.identifier_system
        AND entry_resource.identifier_value = older.identifier_value";

/// Gives new versions the server ids that older versions of their visit were given for the same identifiers.
pub async fn inherit(connection: &mut SqliteConnection, heirs: &[i64]) -> Result<(), LedgerError> {
    if heirs.is_empty() {
        return Ok(());
    }
    sqlx::query(INHERIT).bind(json(heirs)?).execute(connection).await?;
    Ok(())
}

/// Whether an entry waits for an older version of its visit.
pub fn waits_for_predecessor(due: Timestamp) -> Event {
    Event::DependencyMissing { on: PREDECESSOR.to_owned(), due }
}
