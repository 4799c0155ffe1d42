//! The episode of care that a visit belongs to: one that is open at SATUSEHAT is taken, also another facility's; only
//! when there is none does the visit open it.
//!
//! An episode is never closed or rewritten from here: it outlives the visit, and a PUT of it is refused (403).

use std::sync::PoisonError;
use std::time::Duration;

use serde_json::Value;

use super::{Found, Identities, Known};
use crate::delivery::DeliveryError;
use crate::delivery::drain::Shared;
use crate::delivery::split::placed;
use crate::ledger::entry::OpenEntry;
use crate::ledger::remembered::Remembered;
use crate::redact::Personal;
use crate::remote::answer::{Accepted, Answer, Class};
use crate::remote::search::SearchAnswer;
use crate::resource::bundle::{BundleError, adopt, entries};

/// Resource type.
pub const EPISODE: &str = "EpisodeOfCare";
/// Kind of the cache.
const KIND: &str = "episode";
/// How long an open episode is believed to be open.
const EPISODE_LIVES: Duration = Duration::from_secs(24 * 60 * 60);
/// Wait while another visit of the same person opens the episode.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Rules whose complaint says that an active episode is there (satusehat-errors.json, dup-episode).
const DUPLICATE_RULES: [u32; 2] = [10109, 10110];
/// The mark that the server spoke of an active episode which it does not show.
const TAKEN: &str = "episode_taken";

/// The episode of one visit.
pub struct Episode {
    /// Its place in the Bundle.
    position: usize,
    full_url: String,
    key: [u8; 32],
    /// The open episode at the server; without one the visit opens it.
    adopted: Option<Known>,
}

/// What a visit needs to know about its episode.
pub enum Sought {
    /// It has none, or its own is at the server already.
    None,
    /// It is taken or opened.
    Episode(Episode),
    /// It cannot be settled now.
    Not(Found),
}

impl Identities<'_> {
    /// Finds the episode that a visit's Bundle wants to open. `bundle` holds the patient's id already.
    ///
    /// # Errors
    /// Failures of the ledger, a stored Bundle that cannot be read.
    pub(in crate::delivery) async fn episode(
        &self,
        shared: &Shared,
        entry: &OpenEntry,
        bundle: &str,
        patient: &str,
    ) -> Result<Sought, DeliveryError> {
        let Some(position) = entry.resources.iter().position(|resource| resource.resource_type == EPISODE) else {
            return Ok(Sought::None);
        };
        if entry.resources[position].server_id.is_some() {
            return Ok(Sought::None);
        }
        let Some((full_url, json)) = entries(bundle)?.into_iter().nth(position) else { return Ok(Sought::None) };
        let resource: Value = serde_json::from_str(&json).map_err(DeliveryError::Stored)?;
        let text = |path: &str| resource.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (system, code) = (text("/type/0/coding/0/system"), text("/type/0/coding/0/code"));
        let key = self.keys.hash("identity.episode", &[patient, system, code]);
        let episode = |adopted| Sought::Episode(Episode { position, full_url: full_url.clone(), key, adopted });
        let taken = match self.ledger.remembered(KIND, &key).await? {
            Some(Remembered::Id(id)) => return Ok(episode(Some(Known { id, cached: true }))),
            Some(Remembered::Missing(_)) => true,
            None => false,
        };
        if !claim(shared, key) {
            return Ok(Sought::Not(Found::Later(self.after(BUSY_WAIT))));
        }
        let sought = self.open_episode(shared, patient, system, code, taken).await;
        match sought {
            Ok(None) => Ok(episode(None)),
            Ok(Some(id)) => {
                let_go(shared, key);
                self.ledger.put_identity(KIND, key, &id, self.after(EPISODE_LIVES)).await?;
                Ok(episode(Some(Known { id, cached: false })))
            }
            Err(found) => {
                let_go(shared, key);
                Ok(Sought::Not(*found))
            }
        }
    }

    /// The one open episode of a patient; several, or one that is not shown, are for a person.
    async fn open_episode(
        &self,
        shared: &Shared,
        patient: &str,
        system: &str,
        code: &str,
        taken: bool,
    ) -> Result<Option<String>, Box<Found>> {
        let kind = format!("{system}|{code}");
        let parameters = [("patient", patient), ("type", kind.as_str()), ("status", "active")];
        let matches = match shared.lane.remote.search(EPISODE, &parameters).await {
            SearchAnswer::Found(matches) => matches,
            SearchAnswer::Failed(answer) => return Err(Box::new(Found::Failed(Box::new(answer)))),
        };
        let subject = format!("Patient/{patient}");
        let open: Vec<&Value> =
            matches.resources.iter().map(Personal::reveal).filter(|one| is_open(one, &subject, system, code)).collect();
        let missing = |on: &str| Err(Box::new(Found::missing(on, Vec::new())));
        match open.as_slice() {
            [one] => Ok(one["id"].as_str().map(str::to_owned)),
            [] if matches.hidden > 0 || !matches.complete || taken => missing("episode_hidden"),
            [] => Ok(None),
            _ => missing("episode_ambiguous"),
        }
    }
}

impl Episode {
    /// The Bundle as it is sent: without the episode when an open one is taken.
    ///
    /// # Errors
    /// A stored Bundle that cannot be read.
    pub fn bundle(&self, bundle: &str) -> Result<Option<String>, BundleError> {
        let adopted = self.adopted.as_ref();
        adopted.map(|known| adopt(bundle, &self.full_url, &format!("{EPISODE}/{}", known.id))).transpose()
    }

    /// Counts an episode that was taken as one of the visit's resources.
    pub fn join(&self, entry: &mut OpenEntry) {
        if let (Some(known), Some(resource)) = (&self.adopted, entry.resources.get_mut(self.position)) {
            resource.server_id = Some(known.id.clone());
            resource.unchanged = true;
        }
    }

    /// The visit without its episode: what is sent when an open one is taken.
    #[must_use]
    pub fn leave_out(&self, entry: &OpenEntry) -> OpenEntry {
        let mut rest = entry.clone();
        if self.position < rest.resources.len() {
            rest.resources.remove(self.position);
        }
        rest
    }

    /// The answer to a Bundle without the episode, as if it had been there, in a visit of so many resources.
    pub fn restore(&self, answer: &mut Answer, resources: usize) {
        let Some(known) = &self.adopted else { return };
        let places: Vec<usize> = (0..resources).filter(|at| *at != self.position).collect();
        for issue in &mut answer.issues {
            *issue = placed(std::mem::take(issue), &places);
        }
        if answer.accepted.is_empty() {
            return;
        }
        answer.accepted.iter_mut().filter(|one| one.position >= self.position).for_each(|one| one.position += 1);
        let accepted = Accepted {
            position: self.position,
            resource_type: EPISODE.to_owned(),
            id: known.id.clone(),
            version: None,
        };
        answer.accepted.insert(self.position.min(answer.accepted.len()), accepted);
    }

    /// Remembers what an answer showed, and lets the next visit of the person go on.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub(in crate::delivery) async fn end(
        &self,
        shared: &Shared,
        identities: &Identities<'_>,
        answer: &Answer,
    ) -> Result<(), DeliveryError> {
        let ledger = identities.ledger;
        let expires = identities.after(EPISODE_LIVES);
        if self.adopted.is_none() {
            if let Some(one) = answer.accepted.iter().find(|one| one.position == self.position) {
                ledger.put_identity(KIND, self.key, &one.id, expires).await?;
            } else if is_duplicate(answer) {
                ledger.put_missing(KIND, self.key, TAKEN, expires).await?;
            }
        }
        let_go(shared, self.key);
        Ok(())
    }

    /// Lets the next visit of the person go on without an answer.
    pub(in crate::delivery) fn let_go(&self, shared: &Shared) {
        let_go(shared, self.key);
    }

    /// Forgets the episode that was taken; tells whether it had been remembered.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn doubt(&self, identities: &Identities<'_>) -> Result<bool, DeliveryError> {
        let Some(known) = &self.adopted else { return Ok(false) };
        identities.ledger.forget_identity(KIND, self.key).await?;
        Ok(known.cached)
    }
}

/// Whether the server refused a visit because an active episode of its kind is there.
fn is_duplicate(answer: &Answer) -> bool {
    let is_told = |text: &str| text.to_ascii_lowercase().contains("duplicated episodeofcare type");
    answer.class == Class::Duplicate
        && (answer.rules.iter().any(|rule| DUPLICATE_RULES.contains(rule))
            || answer.issues.iter().any(|issue| is_told(&issue.text_excerpt)))
}

/// The search may ignore what it was asked for, so each hit must show it.
fn is_open(episode: &Value, subject: &str, system: &str, code: &str) -> bool {
    let types = episode["type"].as_array().into_iter().flatten();
    let mut codings = types.filter_map(|kind| kind["coding"].as_array()).flatten();
    episode["status"] == "active"
        && episode["patient"]["reference"]
            .as_str()
            .is_some_and(|own| own == subject || own.ends_with(&format!("/{subject}")))
        && codings.any(|coding| coding["system"] == system && coding["code"] == code)
}

/// Takes the right to open an episode; visits of one person wait for each other.
fn claim(shared: &Shared, key: [u8; 32]) -> bool {
    shared.episodes.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
}

fn let_go(shared: &Shared, key: [u8; 32]) {
    shared.episodes.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
}
