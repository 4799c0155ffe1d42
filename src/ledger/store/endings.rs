//! Ends of attempts and answers of reconciliation: the answer, the new state and the server ids in one transaction.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use super::json;
use super::link::Link;
use super::statement::Statement;
use super::transition::{self, Step};
use crate::ledger::LedgerError;
use crate::ledger::attempt::{AcceptedResource, AttemptEnd, AttemptId};
use crate::ledger::entry::{EntryId, Lease};
use crate::ledger::state::{Event, State};

/// An end row to be written.
#[derive(Debug)]
pub struct End {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Under which lease.
    pub lease: Lease,
    /// What it means for the entry.
    pub event: Event,
    /// The answer.
    pub end: AttemptEnd,
    /// Its issues, sealed; `None` without any.
    pub issues_sealed: Option<Vec<u8>>,
}

#[derive(Serialize)]
struct EndRow<'a> {
    attempt: i64,
    outcome: &'static str,
    status: Option<u16>,
    request: Option<&'a str>,
    class: &'a str,
    excerpt: &'a str,
    rules: String,
    duration: u64,
    issues: Option<String>,
}

#[derive(Serialize)]
struct AcceptedRow<'a> {
    entry: i64,
    position: u32,
    kind: &'a str,
    id: &'a str,
    version: Option<&'a str>,
    /// Whether the server holds the entry's content under this id, or something else.
    equal: u8,
}

/// What an ending needs to know of its entry before it is written.
struct Standing {
    entry: i64,
    held: bool,
    /// Position and type of the resources whose content the server is not known to hold.
    missing: HashMap<u32, String>,
}

/// What an entry lacks, as one text: handing rows over costs more than finding them.
macro_rules! lacking {
    (sqlite $entry:literal) => {
        lacking!("json_group_object(position || '', resource_type)", $entry)
    };
    (postgres $entry:literal) => {
        lacking!("coalesce(json_object_agg(position, resource_type)::text, '{}')", $entry)
    };
    ($object:literal, $entry:literal) => {
        concat!(
            "(SELECT ",
            $object,
            " FROM entry_resource WHERE entry_resource.entry = ",
            $entry,
            " AND (server_id IS NULL OR server_hash <> content_hash))"
        )
    };
}

macro_rules! standing {
    ($lacking:expr) => {
        concat!(
            "SELECT attempt.id, attempt.entry,
                CASE WHEN entry.state = 'in_flight' AND entry.lease = attempt.lease AND entry.lease = j.lease
                    AND NOT EXISTS (SELECT 1 FROM attempt_end WHERE attempt_end.attempt = attempt.id)
                    THEN 1 ELSE 0 END, ",
            $lacking,
            " FROM {?1: attempt int, lease text} AS j CROSS JOIN attempt ON attempt.id = j.attempt
            JOIN entry ON entry.id = attempt.entry /*lock entry*/"
        )
    };
}

const STANDING: Statement =
    Statement::each(standing!(lacking!(sqlite "entry.id")), standing!(lacking!(postgres "entry.id")));

const MISSING: Statement =
    Statement::each(concat!("SELECT ", lacking!(sqlite "?1")), concat!("SELECT ", lacking!(postgres "?1")));

/// Attempts that were passed over: another daemon is ending their leases at this moment.
const PASSED_OVER: &str =
    "SELECT attempt.id, attempt.entry FROM {?1: int} AS j CROSS JOIN attempt ON attempt.id = j.value";

const ACCEPT: &str = "UPDATE entry_resource
    SET server_id = j.id, server_version = j.version,
        server_hash = CASE WHEN j.equal = 1 THEN content_hash ELSE ?2 END,
        server_mapping = CASE WHEN server_hash = content_hash AND server_mapping IS NOT NULL THEN server_mapping
            ELSE (SELECT mapping_version FROM entry WHERE entry.id = entry_resource.entry) END,
        verified = NULL, verified_at = NULL
    FROM {?1: entry int, position int, kind text, id text, version text, equal int} AS j
    WHERE entry_resource.entry = j.entry AND entry_resource.position = j.position
        AND entry_resource.resource_type = j.kind AND j.id <> ''";

/// Stands for content of the server that is not ours.
const NO_HASH: [u8; 32] = [0; 32];

const END: &str = "INSERT INTO attempt_end (attempt, outcome, status, request_id, class, excerpt, rules, duration_ms,
        issues_sealed, ended_at)
    SELECT j.attempt, j.outcome, j.status, j.request, j.class, j.excerpt, j.rules, j.duration, j.issues, ?2
    FROM {?1: attempt int, outcome text, status int, request text, class text, excerpt text, rules text, duration int,
        issues bytes} AS j";

/// Writes the ends that are due to their callers; one that lost its lease or takes an illegal step is left out and
/// told so.
pub async fn end(
    link: &mut Link,
    ends: &[End],
    now: Timestamp,
) -> Result<Vec<Result<State, LedgerError>>, LedgerError> {
    let standings = standings(link, ends).await?;
    let (mut answers, mut steps, mut rows, mut accepted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut ended = HashSet::new();
    for end in ends {
        let checked = match standings.get(&end.attempt.0) {
            Some(standing) if ended.insert(standing.entry) => check(standing, end),
            Some(_) | None => Err(LedgerError::NoSuchAttempt),
        };
        answers.push(checked.map(|(step, state, entry)| {
            steps.push(step);
            rows.push(end_row(end));
            accepted.extend(accepted_rows(entry, &end.event, &end.end.accepted));
            state
        }));
    }
    if !steps.is_empty() {
        link.execute(END, values![json(&rows)?, now.as_millisecond()]).await?;
        accept(link, &accepted).await?;
        transition::take(link, &steps, now).await?;
    }
    Ok(answers)
}

fn check(standing: &Standing, end: &End) -> Result<(Step, State, i64), LedgerError> {
    if !standing.held {
        return Err(LedgerError::LostLease(EntryId(standing.entry)));
    }
    let (step, state) = Step::new(standing.entry, State::InFlight, &end.event)?;
    if state == State::Delivered {
        is_complete(standing.entry, &standing.missing, &end.end.accepted)?;
    }
    Ok((step, state, standing.entry))
}

/// Delivered is only what the server holds entirely, resource by resource.
fn is_complete(entry: i64, missing: &HashMap<u32, String>, accepted: &[AcceptedResource]) -> Result<(), LedgerError> {
    let given: HashMap<u32, &str> = accepted
        .iter()
        .filter(|resource| !resource.id.is_empty())
        .map(|resource| (resource.position, resource.resource_type.as_str()))
        .collect();
    let fits = missing.iter().all(|(position, wanted)| given.get(position).is_some_and(|given| given == wanted));
    if fits { Ok(()) } else { Err(LedgerError::Incomplete(EntryId(entry))) }
}

async fn standings(link: &mut Link, ends: &[End]) -> Result<HashMap<i64, Standing>, LedgerError> {
    #[derive(Serialize)]
    struct Asked<'a> {
        attempt: i64,
        lease: &'a str,
    }
    let asked: Vec<Asked<'_>> = ends.iter().map(|end| Asked { attempt: end.attempt.0, lease: &end.lease.0 }).collect();
    let rows: Vec<(i64, i64, i64, String)> = link.all(STANDING, values![json(&asked)?]).await?;
    let mut standings = HashMap::with_capacity(ends.len());
    for (attempt, entry, held, lacking) in rows {
        standings.insert(attempt, Standing { entry, held: held == 1, missing: missing(&lacking)? });
    }
    let absent: Vec<i64> =
        ends.iter().map(|end| end.attempt.0).filter(|attempt| !standings.contains_key(attempt)).collect();
    if !absent.is_empty() {
        let passed_over: Vec<(i64, i64)> = link.all(PASSED_OVER, values![json(&absent)?]).await?;
        let lost = |(attempt, entry)| (attempt, Standing { entry, held: false, missing: HashMap::new() });
        standings.extend(passed_over.into_iter().map(lost));
    }
    Ok(standings)
}

/// Position and type of the resources that an entry lacks, as the database gives them.
fn missing(lacking: &str) -> Result<HashMap<u32, String>, LedgerError> {
    serde_json::from_str(lacking).map_err(|_| LedgerError::Spoiled("resource"))
}

fn end_row(end: &End) -> EndRow<'_> {
    EndRow {
        attempt: end.attempt.0,
        outcome: end.event.word(),
        status: end.end.status,
        request: end.end.request_id.as_deref(),
        class: &end.end.class,
        excerpt: &end.end.excerpt,
        rules: format!("[{}]", end.end.rules.iter().map(u32::to_string).collect::<Vec<_>>().join(",")),
        duration: u64::try_from(end.end.duration.as_millis()).unwrap_or(u64::MAX),
        issues: end.issues_sealed.as_deref().map(super::hex),
    }
}

fn accepted_rows<'a>(entry: i64, event: &Event, accepted: &'a [AcceptedResource]) -> Vec<AcceptedRow<'a>> {
    let equal = match event {
        // Not found as a whole: what is there already need not be sent again.
        // Refused with a part that was accepted: the same, for the correction.
        Event::Accepted | Event::FoundEqual | Event::NotFound { .. } | Event::RefusedContent => true,
        // A corrected version, or a person's retry, then replaces it instead of running into a duplicate.
        Event::FoundDifferent => false,
        _ => return Vec::new(),
    };
    let row = |resource: &'a AcceptedResource| AcceptedRow {
        entry,
        position: resource.position,
        kind: &resource.resource_type,
        id: &resource.id,
        version: resource.version.as_deref(),
        equal: u8::from(equal),
    };
    accepted.iter().map(row).collect()
}

async fn accept(link: &mut Link, accepted: &[AcceptedRow<'_>]) -> Result<(), LedgerError> {
    if !accepted.is_empty() {
        link.execute(ACCEPT, values![json(accepted)?, NO_HASH.as_slice()]).await?;
    }
    Ok(())
}

/// An entry as it was when somebody began to look it up: since when in its state, and how often asked for.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub since: Timestamp,
    pub probes: i64,
}

/// What reconciliation or another rule found out about an entry that nobody holds.
pub async fn resolve(
    link: &mut Link,
    entry: EntryId,
    event: &Event,
    accepted: &[AcceptedResource],
    seen: Option<Seen>,
    now: Timestamp,
) -> Result<State, LedgerError> {
    let from = transition::state_of(link, entry.0).await?;
    if let Some(seen) = seen {
        // Sent again or asked for by another daemon meanwhile: what was seen tells nothing of that.
        let statement = "SELECT 1 FROM entry WHERE id = ?1 AND state_since = ?2 AND probes = ?3";
        let values = values![entry.0, seen.since.as_millisecond(), seen.probes];
        if link.all::<()>(statement, values).await?.is_empty() {
            return Err(LedgerError::LostLease(entry));
        }
    }
    if from == State::InFlight {
        return Err(LedgerError::LostLease(entry));
    }
    let (step, state) = Step::new(entry.0, from, event)?;
    if state == State::Delivered {
        let lacking: String = link.scalar(MISSING, values![entry.0]).await?;
        is_complete(entry.0, &missing(&lacking)?, accepted)?;
    }
    accept(link, &accepted_rows(entry.0, event, accepted)).await?;
    transition::take(link, &[step], now).await?;
    Ok(state)
}
