//! Moves entries from state to state: the summary and the event in one go, through `State::after` and nothing else.

use jiff::Timestamp;
use serde::Serialize;

use super::link::Link;
use super::{json, time};
use crate::ledger::LedgerError;
use crate::ledger::entry::{EntryId, OUT_OF_RANGE};
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
    state = j.to,
    seq = entry.seq + 1,
    due_at = coalesce(j.due, entry.due_at),
    blocked_on = j.on,
    blocked_count = entry.blocked_count + CASE WHEN j.to = 'blocked' AND j.on <> 'predecessor' THEN 1 ELSE 0 END,
    lease = NULL,
    lease_until = NULL,
    spent = CASE WHEN j.retried = 1 THEN 0 ELSE entry.spent + j.spent END,
    probes = CASE WHEN j.probed = 1 THEN entry.probes + 1 ELSE 0 END,
    strikes = CASE WHEN j.kept = 1 THEN entry.strikes ELSE 0 END,
    state_since = CASE WHEN entry.state = j.to THEN entry.state_since ELSE ?2 END,
    completed_at = CASE WHEN j.is_final = 1 THEN ?2 END
    FROM {?1: entry int, from text, to text, due int, on text, spent int, probed int, retried int, kept int,
        is_final int} AS j
    WHERE entry.id = j.entry AND entry.state = j.from";

const REMEMBER: &str = "INSERT INTO event (entry, seq, event, state, at)
    SELECT entry.id, entry.seq, j.event, j.to, ?2
    FROM {?1: entry int, event text, to text} AS j CROSS JOIN entry ON entry.id = j.entry";

/// Takes steps, at most one per entry, and lets successors follow.
pub async fn take(link: &mut Link, steps: &[Step], now: Timestamp) -> Result<(), LedgerError> {
    take_alone(link, steps, now).await?;
    let settled: Vec<i64> =
        steps.iter().filter(|step| !matches!(step.to, "in_flight" | "unknown")).map(|step| step.entry).collect();
    follow(link, &settled, now).await
}

async fn take_alone(link: &mut Link, steps: &[Step], now: Timestamp) -> Result<(), LedgerError> {
    if steps.is_empty() {
        return Ok(());
    }
    let list = json(steps)?;
    let now = now.as_millisecond();
    let moved = link.execute(MOVE, values![&list, now]).await?;
    if moved != steps.len() as u64 {
        // Each step was checked against the state it starts from inside this transaction.
        return Err(LedgerError::Spoiled("state"));
    }
    link.execute(REMEMBER, values![&list, now]).await?;
    Ok(())
}

/// One event for one entry, whatever its state.
pub async fn apply(link: &mut Link, entry: i64, event: &Event, now: Timestamp) -> Result<State, LedgerError> {
    let state = state_of(link, entry).await?;
    let (step, to) = Step::new(entry, state, event)?;
    take(link, &[step], now).await?;
    Ok(to)
}

/// The state of an entry.
pub async fn state_of(link: &mut Link, entry: i64) -> Result<State, LedgerError> {
    let word: Option<String> = link.first("SELECT state FROM entry WHERE id = ?1", values![entry]).await?;
    let word = word.ok_or(LedgerError::NoSuchEntry(EntryId(entry)))?;
    State::from_word(&word).ok_or(LedgerError::Spoiled("state"))
}

const FOLLOWERS: &str = "SELECT entry.id, entry.state, successor.id, successor.due_at, successor.mapping_refused,
        (SELECT count(*) FROM issue
            WHERE issue.entry = successor.id AND issue.entry IS NOT NULL AND issue.rule = ?2), visit.emptied
    FROM {?1: int} AS j CROSS JOIN entry ON entry.id = j.value JOIN visit ON visit.id = entry.visit
    LEFT JOIN entry AS successor ON successor.visit = entry.visit AND successor.blocked_on = 'predecessor'
    WHERE successor.id IS NOT NULL OR visit.emptied = 1";

/// Entry, its state, its successor with due time, the mapping's refusal and a rule's waiver, and whether its visit was
/// emptied.
type Follower = (i64, String, Option<i64>, Option<i64>, Option<i64>, i64, i64);

/// What happens at once to a new version that is not to be sent: a rule's waiver goes before a refusal, which nobody
/// needs to mend then.
pub fn set_aside(waived: bool, refused: bool) -> Option<Event> {
    match (waived, refused) {
        (true, _) => Some(Event::WaivedBy),
        (false, true) => Some(Event::RefusedContent),
        (false, false) => None,
    }
}

/// An entry that came back from the server makes way: for the newer version that waited for it, or, when its records
/// were withdrawn meanwhile, for nothing.
async fn follow(link: &mut Link, settled: &[i64], now: Timestamp) -> Result<(), LedgerError> {
    if settled.is_empty() {
        return Ok(());
    }
    let rows: Vec<Follower> = link.all(FOLLOWERS, values![json(settled)?, OUT_OF_RANGE]).await?;
    let (mut leaving, mut coming, mut aside, mut heirs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (entry, word, successor, due, refused, waived, emptied) in rows {
        let state = State::from_word(&word).ok_or(LedgerError::Spoiled("state"))?;
        match successor {
            Some(successor) if successor != entry && !state.is_out() && state != State::Superseded => {
                let due = due.map_or(Ok(now), time)?.max(now);
                leaving.push(Step::new(entry, state, &Event::NewerVersion)?.0);
                coming.push(Step::new(successor, State::Blocked, &Event::DependencyAppeared { due })?.0);
                if let Some(event) = set_aside(waived > 0, refused == Some(1)) {
                    aside.push(Step::new(successor, State::Pending, &event)?.0);
                }
                heirs.push(successor);
            }
            None if emptied == 1 && state.after(&Event::RecordsWithdrawn).is_ok() => {
                leaving.push(Step::new(entry, state, &Event::RecordsWithdrawn)?.0);
            }
            _ => {}
        }
    }
    take_alone(link, &leaving, now).await?;
    inherit(link, &heirs).await?;
    take_alone(link, &coming, now).await?;
    take_alone(link, &aside, now).await
}

const INHERIT: &str = "UPDATE entry_resource SET server_id = older.server_id, server_version = older.server_version,
        server_hash = older.server_hash, server_mapping = older.server_mapping
    FROM (SELECT heir.id AS entry, resource.identifier_system, resource.identifier_value, resource.resource_type,
            resource.server_id, resource.server_version, resource.server_hash, resource.server_mapping,
            row_number() OVER (PARTITION BY heir.id, resource.resource_type, resource.identifier_system,
                resource.identifier_value ORDER BY source.version DESC) AS place
        FROM {?1: int} AS j CROSS JOIN entry AS heir ON heir.id = j.value
        JOIN entry AS source ON source.visit = heir.visit AND source.version < heir.version
        JOIN entry_resource AS resource ON resource.entry = source.id AND resource.server_id IS NOT NULL) AS older
    WHERE older.place = 1 AND entry_resource.entry = older.entry AND entry_resource.resource_type = older.resource_type
        AND entry_resource.identifier_system = older.identifier_system
        AND entry_resource.identifier_value = older.identifier_value";

/// Gives new versions the server ids that older versions of their visit were given for the same identifiers.
pub async fn inherit(link: &mut Link, heirs: &[i64]) -> Result<(), LedgerError> {
    if heirs.is_empty() {
        return Ok(());
    }
    link.execute(INHERIT, values![json(heirs)?]).await?;
    Ok(())
}

/// Whether an entry waits for an older version of its visit.
pub fn waits_for_predecessor(due: Timestamp) -> Event {
    Event::DependencyMissing { on: PREDECESSOR.to_owned(), due }
}
