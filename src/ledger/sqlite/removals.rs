//! Resources at the server that the records no longer tell of: proposals, decisions, and what became of them.

use jiff::Timestamp;
use sqlx::{FromRow, SqliteConnection};

use super::json;
use crate::ledger::LedgerError;

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

const LIST: &str = "SELECT removal.id, visit.puskesmas, visit.posyandu, visit.service_date, removal.resource_type,
        removal.server_id, removal.whole_visit, removal.state, removal.proposed_at, removal.words,
        decision.command, decision.reason_sealed, decision.at AS decided_at
    FROM removal JOIN visit ON visit.id = removal.visit
    LEFT JOIN removal_decision AS decision ON decision.removal = removal.id AND decision.id =
        (SELECT max(last.id) FROM removal_decision AS last WHERE last.removal = removal.id)
    WHERE (?1 IS NULL OR visit.puskesmas = ?1) AND (?2 IS NULL OR (removal.state = 'confirmed' AND removal.due_at <= ?2))
    ORDER BY visit.puskesmas, visit.service_date, visit.posyandu, removal.id LIMIT ?3";

/// Removals of a puskesmas or of all; with `due_by` only those confirmed that are due.
pub async fn list(
    connection: &mut SqliteConnection,
    puskesmas: Option<&str>,
    due_by: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<StoredRemoval>, LedgerError> {
    let query = sqlx::query_as(LIST).bind(puskesmas).bind(due_by.map(Timestamp::as_millisecond));
    Ok(query.bind(i64::from(limit)).fetch_all(connection).await?)
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

/// Makes a change; gives how many removals it changed.
pub async fn change(connection: &mut SqliteConnection, change: &Change, now: Timestamp) -> Result<i64, LedgerError> {
    let now = now.as_millisecond();
    let done = match change {
        Change::Propose => {
            sqlx::query(WITHDRAW).bind(now).execute(&mut *connection).await?;
            sqlx::query(PROPOSE).bind(now).execute(connection).await?
        }
        Change::Decide { removals, confirmed, command, reason_sealed } => {
            return decide(connection, removals, *confirmed, command, reason_sealed, now).await;
        }
        Change::Done { removal } => {
            // Should the records tell of it again, it is sent as an update.
            sqlx::query(
                "UPDATE entry_resource SET server_hash = zeroblob(32) WHERE (resource_type, server_id) IN
                    (SELECT resource_type, server_id FROM removal WHERE id = ?1) AND entry IN
                    (SELECT entry.id FROM entry JOIN removal ON removal.visit = entry.visit WHERE removal.id = ?1)",
            )
            .bind(removal)
            .execute(&mut *connection)
            .await?;
            let update = "UPDATE removal SET state = 'done', settled_at = ?2 WHERE id = ?1 AND state = 'confirmed'";
            sqlx::query(update).bind(removal).bind(now).execute(connection).await?
        }
        Change::Again { removal, due } => {
            let update = "UPDATE removal SET due_at = ?2 WHERE id = ?1 AND state = 'confirmed'";
            sqlx::query(update).bind(removal).bind(due.as_millisecond()).execute(connection).await?
        }
        Change::Refused { removal, words } => {
            let update = "UPDATE removal SET state = 'refused', settled_at = ?2, words = ?3
                WHERE id = ?1 AND state = 'confirmed'";
            sqlx::query(update).bind(removal).bind(now).bind(words).execute(connection).await?
        }
    };
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}

async fn decide(
    connection: &mut SqliteConnection,
    removals: &[i64],
    confirmed: bool,
    command: &str,
    reason_sealed: &[u8],
    now: i64,
) -> Result<i64, LedgerError> {
    let known: Vec<(i64, bool)> =
        sqlx::query_as("SELECT removal, confirmed FROM removal_decision WHERE command = ?1 ORDER BY removal")
            .bind(command)
            .fetch_all(&mut *connection)
            .await?;
    if !known.is_empty() {
        // The same command again is the same decision; the same id for another one is a mistake.
        let is_same = known.iter().all(|(removal, was)| removals.contains(removal) && *was == confirmed);
        return if is_same { Ok(known.len() as i64) } else { Err(LedgerError::CommandUsed) };
    }
    let list = json(removals)?;
    // A person may change their mind until it is done; what the server refused can be confirmed once more.
    let decided = "removal.id IN (SELECT j.value FROM json_each(?1) AS j)
        AND removal.state IN ('proposed', 'rejected', 'confirmed', 'refused')";
    let insert = format!(
        "INSERT INTO removal_decision (removal, command, confirmed, reason_sealed, at)
         SELECT removal.id, ?2, ?3, ?4, ?5 FROM removal WHERE {decided}"
    );
    sqlx::query(sqlx::AssertSqlSafe(insert))
        .bind(&list)
        .bind(command)
        .bind(i64::from(confirmed))
        .bind(reason_sealed)
        .bind(now)
        .execute(&mut *connection)
        .await?;
    let update = format!("UPDATE removal SET state = ?2, due_at = ?3, settled_at = NULL, words = '' WHERE {decided}");
    let state = if confirmed { "confirmed" } else { "rejected" };
    let done = sqlx::query(sqlx::AssertSqlSafe(update)).bind(&list).bind(state).bind(now).execute(connection).await?;
    Ok(i64::try_from(done.rows_affected()).unwrap_or(i64::MAX))
}
