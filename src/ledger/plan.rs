//! Plans to send delivered visits again after the mapping changed: made here, approved by a person, carried out later.
//!
//! A changed mapping alone never sends a delivered visit again. It must not map anything: it is told what would change.

use jiff::Timestamp;

use super::command::Command;
use super::entry::{EntryId, EntryResource};
use super::row::{VisitId, VisitRecords};
use super::store::plans::{self, Change, PlanToWrite, PlannedVisit, StoredDelivered, StoredPlan};
use super::store::{count, hash, time, visits};
use super::{Ledger, LedgerError};

/// A delivered visit as it would be mapped again.
#[derive(Clone, Debug)]
pub struct DeliveredVisit {
    /// The version of the mapping that was delivered.
    pub mapping_version: String,
    /// Hash of what was delivered.
    pub content_hash: [u8; 32],
    /// The resources that were delivered.
    pub resources: Vec<EntryResource>,
    /// Its records.
    pub records: VisitRecords,
}

/// A plan to be made.
#[derive(Clone, Debug, Default)]
pub struct NewPlan {
    /// The version of the mapping that the visits are to be sent with.
    pub new_version: String,
    /// The visits whose content would change, with the version that was delivered.
    pub visits: Vec<(VisitId, String)>,
    /// What would change.
    pub effect: Effect,
}

/// What a plan does to the resources of its visits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Resources sent for the first time.
    pub added: u64,
    /// Resources replaced by a new version.
    pub changed: u64,
    /// Resources that the new mapping yields no more; they stay at the server as they are.
    pub left_out: u64,
    /// Delivered visits that the new mapping would refuse; they are no part of the plan and stay as they are.
    pub refused: u64,
}

/// A plan.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its number.
    pub number: i64,
    /// The version of the mapping that the visits are to be sent with.
    pub new_version: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Its visits.
    pub visits: u64,
    /// Those that still stand as another mapping delivered them.
    pub left: u64,
    /// What changes.
    pub effect: Effect,
    /// Who approved it, when and why.
    pub approval: Option<Approval>,
}

/// A person's decision about a plan.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Id of the command that brought it.
    pub command: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

impl Ledger {
    /// Delivered visits after one that another mapping than `version` made, a page at a time.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn delivered_by_another(
        &self,
        version: &str,
        after: VisitId,
        limit: u32,
    ) -> Result<Vec<DeliveredVisit>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let delivered = plans::delivered(&mut reader, version, after.0, limit).await?;
        let ids: Vec<i64> = delivered.iter().map(|one| one.visit).collect();
        let stored = visits::of_visits(&mut reader, &ids).await?;
        let earlier = self.earlier(&mut reader, &stored).await?;
        drop(reader);
        let records = self.open_visits(stored, earlier)?;
        let entries: Vec<EntryId> = delivered.iter().map(|one| EntryId(one.entry)).collect();
        let opened = self.load(&entries).await?;
        let mut all = Vec::with_capacity(delivered.len());
        for StoredDelivered { entry, visit, mapping_version, content_hash } in delivered {
            let opened = opened.iter().find(|one| one.entry_id.0 == entry).ok_or(LedgerError::Spoiled("entry"))?;
            // A visit without current records would be mapped to nothing: it is left as it is.
            let Some(records) = records.iter().find(|one| one.visit_id.0 == visit) else { continue };
            all.push(DeliveredVisit {
                mapping_version,
                content_hash: hash(content_hash)?,
                resources: opened.resources.clone(),
                records: records.clone(),
            });
        }
        Ok(all)
    }

    /// Keeps a plan and gives its number. Nothing is carried out before it is approved.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn make_plan(&self, plan: NewPlan) -> Result<i64, LedgerError> {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        let visits = plan.visits.into_iter();
        let written = PlanToWrite {
            new_version: plan.new_version,
            visits: visits.map(|(visit, old_version)| PlannedVisit { visit: visit.0, old_version }).collect(),
            added: number(plan.effect.added),
            changed: number(plan.effect.changed),
            left_out: number(plan.effect.left_out),
            refused: number(plan.effect.refused),
        };
        let change = Change::Make(Box::new(written));
        let made = self.writer()?.ask(|reply| Command::Plan { change, reply }).await?;
        made.ok_or(LedgerError::Spoiled("plan"))
    }

    /// Keeps a person's approval with its reason, which is sealed. The same command twice is one decision. False when
    /// there is no such plan, or another command approved it.
    ///
    /// # Errors
    /// [`LedgerError::CommandUsed`], failures of the store.
    pub async fn approve_plan(&self, plan: i64, command: &str, reason: &str) -> Result<bool, LedgerError> {
        let reason_sealed = self.keys.seal(&context(plan), reason.as_bytes())?;
        let change = Change::Approve { plan, command: command.to_owned(), reason_sealed };
        Ok(self.writer()?.ask(|reply| Command::Plan { change, reply }).await?.is_some())
    }

    /// All plans, oldest first.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn plans(&self) -> Result<Vec<Plan>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = plans::list(&mut reader).await?;
        drop(reader);
        stored.into_iter().map(|stored| self.open_plan(stored)).collect()
    }

    fn open_plan(&self, stored: StoredPlan) -> Result<Plan, LedgerError> {
        let approval = match (stored.command, stored.reason_sealed, stored.approved_at) {
            (Some(command), Some(sealed), Some(at)) => {
                let reason = self.keys.open(&context(stored.id), &sealed)?;
                let reason = String::from_utf8(reason).map_err(|_| LedgerError::Spoiled("reason"))?;
                Some(Approval { command, at: time(at)?, reason })
            }
            _ => None,
        };
        Ok(Plan {
            number: stored.id,
            new_version: stored.new_version,
            made_at: time(stored.made_at)?,
            visits: count(stored.visits)?,
            left: count(stored.left)?,
            effect: Effect {
                added: count(stored.added)?,
                changed: count(stored.changed)?,
                left_out: count(stored.left_out)?,
                refused: count(stored.refused)?,
            },
            approval,
        })
    }
}

/// Where the reason of a plan's approval belongs.
fn context(plan: i64) -> String {
    format!("mapping-plan/{plan}")
}
