//! Plans to send delivered visits again, and the decisions about them.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::json;
use super::link::Link;
use crate::ledger::LedgerError;

/// What changes.
#[derive(Debug)]
pub enum Change {
    /// A plan is made.
    Make(Box<PlanToWrite>),
    /// A person approves a plan.
    Approve { plan: i64, command: String, reason_sealed: Vec<u8> },
}

/// A plan as it is stored.
#[derive(Debug)]
pub struct PlanToWrite {
    pub new_version: String,
    /// Visit and the version that was delivered.
    pub visits: Vec<PlannedVisit>,
    pub added: i64,
    pub changed: i64,
    pub left_out: i64,
    pub refused: i64,
}

/// A visit of a plan.
#[derive(Debug, Serialize)]
pub struct PlannedVisit {
    pub visit: i64,
    pub old_version: String,
}

/// A plan as it comes back.
#[derive(Debug, FromRow)]
pub struct StoredPlan {
    pub id: i64,
    pub new_version: String,
    pub made_at: i64,
    pub visits: i64,
    pub left: i64,
    pub added: i64,
    pub changed: i64,
    pub left_out: i64,
    pub refused: i64,
    pub command: Option<String>,
    pub reason_sealed: Option<Vec<u8>>,
    pub approved_at: Option<i64>,
}

/// A delivered visit that another mapping made.
#[derive(Debug, FromRow)]
pub struct StoredDelivered {
    pub entry: i64,
    pub visit: i64,
    pub mapping_version: String,
    pub content_hash: Vec<u8>,
}

/// All plans, oldest first; `left` counts the visits that still stand as another mapping delivered them.
pub async fn list(link: &mut Link) -> Result<Vec<StoredPlan>, LedgerError> {
    let statement =
        "SELECT plan.id, plan.new_version, plan.made_at, plan.added, plan.changed, plan.left_out, plan.refused,
            approval.command, approval.reason_sealed, approval.at AS approved_at,
            (SELECT count(*) FROM mapping_plan_visit AS one WHERE one.plan = plan.id) AS visits,
            (SELECT count(*) FROM mapping_plan_visit AS one JOIN entry ON entry.visit = one.visit
                WHERE one.plan = plan.id AND entry.state = 'delivered'
                    AND entry.mapping_version <> plan.new_version) AS left
         FROM mapping_plan AS plan LEFT JOIN mapping_plan_approval AS approval ON approval.plan = plan.id
         ORDER BY plan.id";
    Ok(link.all(statement, values![]).await?)
}

/// Delivered visits after `after` that another mapping made and whose records did not change since.
pub async fn delivered(
    link: &mut Link,
    version: &str,
    after: i64,
    limit: u32,
) -> Result<Vec<StoredDelivered>, LedgerError> {
    let statement = "SELECT entry.id AS entry, visit.id AS visit, entry.mapping_version, entry.content_hash
         FROM visit JOIN entry ON entry.visit = visit.id AND entry.state = 'delivered'
         WHERE visit.id > ?2 AND visit.emptied = 0 AND visit.revision = visit.entered_revision
            AND entry.mapping_version <> ?1
         ORDER BY visit.id LIMIT ?3";
    Ok(link.all(statement, values![version, after, i64::from(limit)]).await?)
}

/// Makes a change; gives the number of the plan, or nothing when there is no such plan to approve.
pub async fn change(link: &mut Link, change: &Change, now: Timestamp) -> Result<Option<i64>, LedgerError> {
    match change {
        Change::Make(plan) => make(link, plan, now).await.map(Some),
        Change::Approve { plan, command, reason_sealed } => approve(link, *plan, command, reason_sealed, now).await,
    }
}

async fn make(link: &mut Link, plan: &PlanToWrite, now: Timestamp) -> Result<i64, LedgerError> {
    let insert = "INSERT INTO mapping_plan (new_version, made_at, added, changed, left_out, refused)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id";
    let counts = (plan.added, plan.changed, plan.left_out, plan.refused);
    let values = values![&plan.new_version, now.as_millisecond(), counts.0, counts.1, counts.2, counts.3];
    let number: i64 = link.scalar(insert, values).await?;
    link.execute(
        "INSERT INTO mapping_plan_visit (plan, visit, old_version)
         SELECT ?2, j.visit, j.old_version FROM {?1: visit int, old_version text} AS j",
        values![json(&plan.visits)?, number],
    )
    .await?;
    Ok(number)
}

async fn approve(
    link: &mut Link,
    plan: i64,
    command: &str,
    reason_sealed: &[u8],
    now: Timestamp,
) -> Result<Option<i64>, LedgerError> {
    let by_command: Option<i64> =
        link.first("SELECT plan FROM mapping_plan_approval WHERE command = ?1", values![command]).await?;
    if let Some(approved) = by_command {
        // The same command again is the same decision; the same id for another plan is a mistake.
        return if approved == plan { Ok(Some(plan)) } else { Err(LedgerError::CommandUsed) };
    }
    let insert = "INSERT INTO mapping_plan_approval (plan, command, reason_sealed, at)
         SELECT id, ?2, ?3, ?4 FROM mapping_plan WHERE id = ?1
            AND NOT EXISTS (SELECT 1 FROM mapping_plan_approval WHERE plan = ?1)";
    let written = link.execute(insert, values![plan, command, reason_sealed, now.as_millisecond()]).await?;
    Ok((written > 0).then_some(plan))
}

/// Marks the visits of approved plans for mapping again, while the mapping is the one that was approved.
pub async fn carry_out(link: &mut Link, mapping_version: &str) -> Result<u64, LedgerError> {
    let statement =
        "UPDATE visit SET revision = revision + 1 WHERE emptied = 0 AND revision = entered_revision AND id IN (
            SELECT one.visit FROM mapping_plan AS plan
            JOIN mapping_plan_approval AS approval ON approval.plan = plan.id
            JOIN mapping_plan_visit AS one ON one.plan = plan.id
            JOIN entry ON entry.visit = one.visit AND entry.state = 'delivered' AND entry.mapping_version <> ?1
            WHERE plan.new_version = ?1)";
    Ok(link.execute(statement, values![mapping_version]).await?)
}
