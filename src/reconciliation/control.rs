//! Whether the server's search has caught up beyond a doubt: then what it does not show is not there.
//!
//! The proof is a control: a visit of the same lane that was sent for the first time after the doubt began, was accepted,
//! and is found by the very same kind of search. It must not take anything else for a proof, such as a visit that was
//! there before, or the time alone.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::Value;

use super::ReconciliationError;
use super::look_up::{Anchor, Blind, ENCOUNTER, Held, choose, find};
use crate::ledger::Ledger;
use crate::ledger::entry::{EntryId, EntryResource, OpenEntry};
use crate::remote::Remote;

/// Younger visits looked up for each type; all of them must be found. One that was indexed out of turn is no proof.
const CONTROLS_MAX: usize = 2;
/// Younger visits taken from the ledger to choose from.
const CANDIDATES_MAX: u32 = 8;

/// How far a lane's younger visits prove that the search has caught up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// None was sent, so nothing can be proved yet.
    None,
    /// Some were sent and are not found yet.
    Sent,
    /// Those asked for are found.
    Found,
}

/// What was asked about controls in one run of a lane: doubts of the same minute share them.
#[derive(Default)]
pub(super) struct Controls {
    shown: Mutex<HashMap<(EntryId, String), bool>>,
}

impl Controls {
    /// Whether visits sent since `from` are found by the searches of these types.
    pub(super) async fn found(
        &self,
        (remote, ledger): (&Remote, &Ledger),
        doubt: &OpenEntry,
        kinds: &BTreeSet<String>,
        from: Timestamp,
    ) -> Result<Control, Blind> {
        if kinds.is_empty() {
            return Ok(Control::Found);
        }
        let sent = ledger.first_sends_since(doubt, from, CANDIDATES_MAX).await.map_err(ReconciliationError::from)?;
        for kind in kinds {
            let has_it = |control: &&OpenEntry| control.resources.iter().any(|one| one.resource_type == *kind);
            let mut found = 0;
            for control in sent.iter().filter(has_it).take(CONTROLS_MAX) {
                if !self.shows(remote, control, kind).await? {
                    return Ok(Control::Sent);
                }
                found += 1;
            }
            if found == 0 {
                return Ok(Control::None);
            }
        }
        Ok(Control::Found)
    }

    async fn shows(&self, remote: &Remote, control: &OpenEntry, kind: &str) -> Result<bool, Blind> {
        let key = (control.entry_id, kind.to_owned());
        let known = self.shown.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let shown = is_found(remote, control, kind).await?;
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(key, shown);
        Ok(shown)
    }
}

/// Whether all resources of one type of a delivered visit are found as if nothing were known of them.
async fn is_found(remote: &Remote, control: &OpenEntry, kind: &str) -> Result<bool, Blind> {
    let Some(visit) = control.resources.iter().find(|resource| resource.resource_type == ENCOUNTER) else {
        return Ok(false);
    };
    let Some(encounter) = own(find(remote, visit).await?, visit) else { return Ok(false) };
    if kind == ENCOUNTER {
        return Ok(true);
    }
    let Some(anchor) = Anchor::of(&encounter) else { return Ok(false) };
    let matches = anchor.search(remote, kind).await?;
    let mut of_kind = control.resources.iter().filter(|resource| resource.resource_type == kind);
    Ok(of_kind.all(|resource| own(choose(&matches, resource), resource).is_some()))
}

/// The one that the ledger knows by its id.
fn own(held: Held, resource: &EntryResource) -> Option<Value> {
    let Held::Shown(found) = held else { return None };
    let id = resource.server_id.as_deref()?;
    found.into_iter().find(|one| one.get("id").and_then(Value::as_str) == Some(id))
}
