//! Resources at the server that the records no longer tell of: proposals, decisions, and what became of them.

use jiff::Timestamp;
use sqlx::FromRow;

use super::json;
use super::link::Link;
use crate::ledger::LedgerError;
use crate::ledger::account::Reach;

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// What vanished is proposed, what came back is withdrawn.
    Propose,
    /// A person decides.
    Decide { removals: Vec<i64>, confirmed: bool, command: String, reason_sealed: Vec<u8> },
    /// The server holds it as entered in error.
    Done { removal: i64 },
    /// To be tried again.
    Again { removal: i64, due: Timestamp },
    /// The server refuses it.
    Refused { removal: i64, words: String },
}

/// A removal as it comes back.
#[derive(Debug, FromRow)]
pub struct StoredRemoval {
    pub id: i64,
    pub puskesmas: String,
    pub posyandu: String,
    pub service_date: String,
    pub resource_type: String,
    pub server_id: String,
    pub whole_visit: i64,
    pub state: String,
    pub proposed_at: i64,
    pub words: String,
    pub command: Option<String>,
    pub reason_sealed: Option<Vec<u8>>,
    pub decided_at: Option<i64>,
}

/// Removals with their last decision.
macro_rules! removals {
    ($condition:literal) => {
        concat!(
            "SELECT removal.id, visit.puskesmas, visit.posyandu, visit.service_date, removal.resource_type,
                removal.server_id, removal.whole_visit, removal.state, removal.proposed_at, removal.words,
                decision.command, decision.reason_sealed, decision.at AS decided_at
            FROM removal JOIN visit ON visit.id = removal.visit
            LEFT JOIN removal_decision AS decision ON decision.removal = removal.id AND decision.id =
                (SELECT max(last.id) FROM removal_decision AS last WHERE last.removal = removal.id)
            WHERE ",
            $condition
        )
    };
}

const LIST: &str = removals!(
    "(?1 IS NULL OR visit.puskesmas = ?1) AND (?2 IS NULL OR (removal.state = 'confirmed' AND removal.due_at <= ?2))
    ORDER BY visit.puskesmas, visit.service_date, visit.posyandu, removal.id LIMIT ?3"
);

/// Removals of a puskesmas or of all; with `due_by` only those confirmed that are due.
pub async fn list(
    link: &mut Link,
    puskesmas: Option<&str>,
    due_by: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<StoredRemoval>, LedgerError> {
    let due_by = due_by.map(Timestamp::as_millisecond);
    Ok(link.all(LIST, values![puskesmas, due_by, i64::from(limit)]).await?)
}

const WAITING: &str = removals!(
    "removal.state IN ('proposed', 'confirmed', 'refused') AND (?1 IS NULL OR visit.puskesmas = ?1)
        AND (?2 IS NULL OR visit.posyandu = ?2)
    ORDER BY visit.puskesmas, visit.service_date, visit.posyandu, removal.id LIMIT ?3"
);

/// Removals about which a person may decide.
pub async fn waiting(link: &mut Link, place: &Reach, limit: u32) -> Result<Vec<StoredRemoval>, LedgerError> {
    Ok(link.all(WAITING, values![&place.puskesmas, &place.posyandu, i64::from(limit)]).await?)
}

const ONE: &str = removals!("removal.id = ?1");

/// One removal.
pub async fn one(link: &mut Link, number: i64) -> Result<Option<StoredRemoval>, LedgerError> {
    Ok(link.optional(ONE, values![number]).await?)
}

/// Whether another visit that stands has the resource of a removal.
pub async fn is_held_by_another_visit(link: &mut Link, removal: i64) -> Result<bool, LedgerError> {
    let statement = "SELECT entry.id FROM removal JOIN entry_resource AS other
            ON other.resource_type = removal.resource_type AND other.server_id = removal.server_id
        JOIN entry ON entry.id = other.entry
        WHERE removal.id = ?1 AND entry.visit <> removal.visit AND entry.state <> 'superseded' LIMIT 1";
    Ok(link.first::<i64>(statement, values![removal]).await?.is_some())
}

/// What a delivered newer version of a visit leaves out, and everything of visits without records, once nothing of the
/// visit is on its way.
const PROPOSE: &str = "INSERT INTO removal (visit, resource_type, identifier_system, identifier_value, server_id,
        whole_visit, state, due_at, proposed_at)
    SELECT DISTINCT gone.visit, old.resource_type, old.identifier_system, old.identifier_value, old.server_id,
        gone.whole, 'proposed', ?1, ?1
    FROM (SELECT live.visit AS visit, live.id AS live, 0 AS whole FROM entry AS live
            JOIN visit ON visit.id = live.visit AND visit.emptied = 0
            WHERE live.state = 'delivered' AND live.version > 1
        UNION ALL SELECT visit.id, NULL, 1 FROM visit WHERE visit.emptied = 1) AS gone
    JOIN entry AS source ON source.visit = gone.visit
    JOIN entry_resource AS old ON old.entry = source.id AND old.server_id IS NOT NULL
    WHERE NOT EXISTS (SELECT 1 FROM entry_resource AS kept WHERE kept.entry = gone.live
            AND kept.resource_type = old.resource_type AND kept.server_id = old.server_id)
        AND NOT EXISTS (SELECT 1 FROM entry AS out WHERE out.visit = gone.visit
            AND (out.state IN ('in_flight', 'unknown') OR out.blocked_on = 'predecessor'))
    ON CONFLICT (resource_type, server_id) DO UPDATE SET state = 'proposed', settled_at = NULL, due_at = excluded.due_at,
        proposed_at = excluded.proposed_at, whole_visit = excluded.whole_visit WHERE removal.state = 'withdrawn'";

/// What a later version tells of again.
const WITHDRAW: &str = "UPDATE removal SET state = 'withdrawn', settled_at = ?1
    WHERE state IN ('proposed', 'confirmed', 'rejected') AND EXISTS (
        SELECT 1 FROM entry JOIN visit ON visit.id = entry.visit AND visit.emptied = 0
        JOIN entry_resource AS kept ON kept.entry = entry.id
        WHERE entry.visit = removal.visit AND entry.state <> 'superseded'
            AND kept.resource_type = removal.resource_type AND kept.server_id = removal.server_id)";

/// A person may change their mind until it is done; what the server refused can be confirmed once more.
macro_rules! of_decided {
    ($statement:literal) => {
        concat!(
            $statement,
            " WHERE removal.id IN (SELECT j.value FROM {?1: int} AS j)
                AND removal.state IN ('proposed', 'rejected', 'confirmed', 'refused')"
        )
    };
}

/// Should the records tell of it again, it is sent as an update.
const FORGET_CONTENT: &str = "UPDATE entry_resource SET server_hash = ?2 WHERE (resource_type, server_id) IN
        (SELECT removal.resource_type, removal.server_id FROM removal WHERE removal.id = ?1) AND entry IN
        (SELECT entry.id FROM entry JOIN removal ON removal.visit = entry.visit WHERE removal.id = ?1)";

/// The hash of no content.
const NO_CONTENT: [u8; 32] = [0; 32];

/// Makes a change; gives how many removals it changed.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<i64, LedgerError> {
    let now = now.as_millisecond();
    let done = match change {
        Change::Propose => {
            link.execute(WITHDRAW, values![now]).await?;
            link.execute(PROPOSE, values![now]).await?
        }
        Change::Decide { removals, confirmed, command, reason_sealed } => {
            return decide(link, removals, *confirmed, command, reason_sealed, now).await;
        }
        Change::Done { removal } => {
            link.execute(FORGET_CONTENT, values![*removal, NO_CONTENT.as_slice()]).await?;
            let update = "UPDATE removal SET state = 'done', settled_at = ?2 WHERE id = ?1 AND state = 'confirmed'";
            link.execute(update, values![*removal, now]).await?
        }
        Change::Again { removal, due } => {
            let update = "UPDATE removal SET due_at = ?2 WHERE id = ?1 AND state = 'confirmed'";
            link.execute(update, values![*removal, due.as_millisecond()]).await?
        }
        Change::Refused { removal, words } => {
            let update = "UPDATE removal SET state = 'refused', settled_at = ?2, words = ?3
                WHERE id = ?1 AND state = 'confirmed'";
            link.execute(update, values![*removal, now, words]).await?
        }
    };
    Ok(i64::try_from(done).unwrap_or(i64::MAX))
}

async fn decide(
    link: &mut Link,
    removals: &[i64],
    confirmed: bool,
    command: &str,
    reason_sealed: &[u8],
    now: i64,
) -> Result<i64, LedgerError> {
    let statement = "SELECT removal, confirmed FROM removal_decision WHERE command = ?1 ORDER BY removal";
    let known: Vec<(i64, i64)> = link.all(statement, values![command]).await?;
    if !known.is_empty() {
        // The same command again is the same decision; the same id for another one is a mistake.
        let is_same = known.iter().all(|(removal, was)| removals.contains(removal) && (*was == 1) == confirmed);
        return if is_same { Ok(known.len() as i64) } else { Err(LedgerError::CommandUsed) };
    }
    let list = json(removals)?;
    let insert = of_decided!(
        "INSERT INTO removal_decision (removal, command, confirmed, reason_sealed, at)
         SELECT removal.id, ?2, ?3, ?4, ?5 FROM removal"
    );
    link.execute(insert, values![list.clone(), command, confirmed, reason_sealed, now]).await?;
    let update = of_decided!("UPDATE removal SET state = ?2, due_at = ?3, settled_at = NULL, words = ''");
    let state = if confirmed { "confirmed" } else { "rejected" };
    let done = link.execute(update, values![list, state, now]).await?;
    Ok(i64::try_from(done).unwrap_or(i64::MAX))
}
