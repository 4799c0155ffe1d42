//! One visit on the wire: people, begun row, request, ended row.
//!
//! A new visit is one transaction Bundle. A visit that was delivered before is sent as single creates and updates of
//! what changed. Nothing is sent twice from here: what has no clear answer becomes unknown.

use std::sync::PoisonError;

use sha2::{Digest, Sha256};
use tracing::Instrument as _;

use super::drain::{Ready, Shared};
use super::identity::Found;
use super::identity::episode::{EPISODE, Sought};
use super::identity::people::People;
use super::outcome::{consequence, end, placed};
use super::{DeliveryError, envelope, split};
use crate::ledger::LedgerError;
use crate::ledger::attempt::AttemptId;
use crate::ledger::entry::{Claimed, OpenEntry};
use crate::ledger::state::{Event, State};
use crate::remote::answer::{Accepted, Answer, Class};
use crate::remote::fence::within;
use crate::resource::bundle::{entries, fill, resolve};

/// Sends one claimed visit.
pub(super) async fn visit(shared: &Shared, ready: Ready) -> Result<State, DeliveryError> {
    let Ready { claimed, whom, patient_key, patient } = ready;
    let delivery = &shared.delivery;
    let identities = delivery.identities();
    let people = tokio::select! {
        people = People::find(shared, &identities, &whom, patient_key, patient) => people?,
        () = shared.cut_off() => return shared.give_back(&claimed).await,
    };
    let Claimed { lease, asked, mut entry, .. } = claimed;
    let people = match people {
        Ok(people) => people,
        Err(found) => return not_found(shared, &entry, &lease, found).await,
    };
    let whole = fill(entry.bundle.reveal(), &people.patient.id, &people.practitioner.id);
    let episode = match identities.episode(shared, &entry, &whole, &people.patient.id).await? {
        Sought::None => None,
        Sought::Episode(episode) => Some(episode),
        Sought::Not(found) => return not_found(shared, &entry, &lease, found).await,
    };
    let is_change = entry.resources.iter().any(|resource| resource.server_id.is_some());
    let without = episode.as_ref().map(|episode| episode.bundle(&whole)).transpose()?.flatten();
    let hash = Sha256::digest(without.as_ref().unwrap_or(&whole).as_bytes()).into();
    let attempt = match delivery.ledger.begin_attempt(entry.entry_id, &lease, hash).await {
        Ok(attempt) => attempt,
        // The lease went to somebody else while people were looked up: it is theirs now.
        Err(LedgerError::LostLease(_)) => {
            if let Some(episode) = &episode {
                episode.let_go(shared);
            }
            return Ok(State::Pending);
        }
        Err(error) => return Err(error.into()),
    };
    let span = tracing::info_span!("attempt", attempt = attempt.number(), entry = entry.entry_id.number());
    let fence = std::sync::Arc::new(delivery.ledger.lease_watch(asked));
    let sending = async {
        if is_change {
            episode.iter().for_each(|episode| episode.join(&mut entry));
            return changes(shared, &entry, &whole).await;
        }
        let (Some(without), Some(episode)) = (without, &episode) else {
            let answer = shared.lane.remote.transaction(whole.clone()).await;
            return split::rest(shared, &entry, &whole, answer).await;
        };
        // With an episode that is there already the places in the Bundle are not those of the visit.
        let answer = shared.lane.remote.transaction(without.clone()).await;
        let mut answer = split::rest(shared, &episode.leave_out(&entry), &without, answer).await?;
        episode.restore(&mut answer, entry.resources.len());
        Ok(answer)
    };
    let answer = tokio::select! {
        answer = within(fence, sending.instrument(span)) => answer?,
        () = shared.cut_off() => Answer::of(Class::Unknown, "given up: the gateway was stopped"),
    };
    let mut again = false;
    if answer.class == Class::Dependency {
        again = people.doubt(shared, &identities, &whom, patient_key).await?;
        if let Some(episode) = &episode {
            again |= episode.doubt(&identities).await?;
        }
        again &= shared.doubting.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.entry_id);
    }
    let state = finish(shared, &entry, attempt, &lease, &answer, again).await?;
    if let Some(episode) = &episode {
        episode.end(shared, &identities, &answer).await?;
    }
    Ok(state)
}

async fn finish(
    shared: &Shared,
    entry: &OpenEntry,
    attempt: AttemptId,
    lease: &crate::ledger::entry::Lease,
    answer: &Answer,
    again: bool,
) -> Result<State, DeliveryError> {
    let delivery = &shared.delivery;
    let now = delivery.clock.now();
    told(shared, entry, attempt, answer);
    let mut what = consequence(answer, entry, &delivery.policy, delivery.first_look, now);
    if again && matches!(what.event, Event::DependencyMissing { .. }) {
        // An id was forgotten; with the one that holds now the visit may pass.
        what.event = Event::Deferred { due: now };
    }
    match &what.event {
        Event::Accepted => shared.note_worked(true),
        Event::RefusedContent => shared.note_refusal(&refusal_reason(answer)),
        _ if what.stops_lane => shared.note_configuration(&answer.excerpt),
        _ if answer.server_in_trouble() => shared.note_trouble(&answer.excerpt),
        _ if answer.status.is_some() => shared.note_worked(false),
        _ => {}
    }
    let issues = answer.issues_for_people();
    let issues = if issues.is_empty() {
        issues
    } else {
        let envelope = envelope(&entry.person)?;
        issues.into_iter().map(|issue| placed(issue, &envelope)).collect()
    };
    let ended = delivery.ledger.end_attempt(attempt, lease, what.event, end(answer, issues)).await;
    match ended {
        Ok(state) => Ok(state),
        // An acceptance that does not name every resource is no clear answer.
        Err(LedgerError::Incomplete(_)) => {
            let event = Event::NoAnswer { due: now.saturating_add(delivery.first_look).unwrap_or(now) };
            Ok(delivery.ledger.end_attempt(attempt, lease, event, end(answer, Vec::new())).await?)
        }
        // The answer came after the lease had run out: the ledger already calls the outcome unknown.
        Err(LedgerError::LostLease(_)) => Ok(State::Unknown),
        Err(error) => Err(error.into()),
    }
}

/// Tells log and metrics how an attempt ended: SATUSEHAT's own id of the request is what its support asks for.
fn told(shared: &Shared, entry: &OpenEntry, attempt: AttemptId, answer: &Answer) {
    let (class, status, server_request_id) = (answer.class.name(), answer.status, answer.request_id.as_deref());
    let duration_ms = u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX);
    let (attempt, entry, puskesmas) = (attempt.number(), entry.entry_id.number(), shared.lane.name.as_str());
    tracing::info!(attempt, entry, puskesmas, class, status, server_request_id, duration_ms, "attempt ended");
    if let Some(observed) = shared.lane.remote.observed() {
        observed.attempt(class);
    }
}

/// What makes two refusals alike: the same rules, or the same words.
fn refusal_reason(answer: &Answer) -> String {
    if answer.rules.is_empty() { answer.excerpt.clone() } else { format!("rules {:?}", answer.rules) }
}

/// Gives the claim back: the person is not known, or could not be asked for.
async fn not_found(
    shared: &Shared,
    entry: &OpenEntry,
    lease: &crate::ledger::entry::Lease,
    found: Found,
) -> Result<State, DeliveryError> {
    let delivery = &shared.delivery;
    let now = delivery.clock.now();
    let event = match found {
        Found::Missing(missing) => {
            let answer = Answer::of(Class::Dependency, String::new());
            let what = consequence(&answer, entry, &delivery.policy, delivery.first_look, now);
            let due = what.event.due().unwrap_or(now);
            return match delivery.ledger.block(entry.entry_id, lease, &missing.on, due, &missing.issues).await {
                Ok(state) => Ok(state),
                Err(LedgerError::LostLease(_)) => Ok(State::Pending),
                Err(error) => Err(error.into()),
            };
        }
        Found::Later(due) => Event::Released { due },
        Found::Failed(answer) => {
            if answer.server_in_trouble() {
                shared.note_trouble(&answer.excerpt);
            }
            // A look-up changes nothing at the server, so whatever came of it the visit simply waits.
            let what = consequence(&answer, entry, &delivery.policy, delivery.first_look, now);
            if what.stops_lane || matches!(answer.class, Class::Content) {
                shared.note_configuration(&answer.excerpt);
            }
            let due = what.event.due().unwrap_or(now);
            Event::Released { due }
        }
        Found::Id(_) => Event::Released { due: now },
    };
    match delivery.ledger.release(entry.entry_id, lease, event).await {
        Ok(state) => Ok(state),
        Err(LedgerError::LostLease(_)) => Ok(State::Pending),
        Err(error) => Err(error.into()),
    }
}

/// Sends what changed of a visit that the server holds already: new resources first, so that updates can refer to
/// them. Any answer but "accepted" ends it, except a refusal of a resource that nothing needs. When a part was written
/// before, only a look at the server tells what is left: an answer that sent the visit back or refused it would forget
/// the part, and the next try would create it again.
async fn changes(shared: &Shared, entry: &OpenEntry, bundle: &str) -> Result<Answer, DeliveryError> {
    let bodies = entries(bundle)?;
    let graph = split::Graph::of(entry, &bodies);
    let mut refused: Option<Answer> = None;
    let mut known: Vec<(String, String)> = Vec::new();
    let mut accepted: Vec<Accepted> = Vec::new();
    let mut written = false;
    for resource in &entry.resources {
        if let Some(id) = &resource.server_id {
            known.push((resource.full_url.clone(), format!("{}/{id}", resource.resource_type)));
        }
    }
    for create in [true, false] {
        for (position, resource) in entry.resources.iter().enumerate() {
            if resource.server_id.is_none() != create {
                continue;
            }
            let body = bodies.get(position).map(|(_, json)| resolve(json, &known)).unwrap_or_default();
            let answer = match &resource.server_id {
                // An episode lives on after its visit; the server refuses a PUT of it.
                Some(id) if resource.unchanged || resource.resource_type == EPISODE => {
                    accepted.push(Accepted {
                        position,
                        resource_type: resource.resource_type.clone(),
                        id: id.clone(),
                        version: resource.server_version.clone(),
                    });
                    continue;
                }
                Some(id) => shared.lane.remote.update(&resource.resource_type, id, with_id(&body, id)).await,
                None => shared.lane.remote.create(&resource.resource_type, body).await,
            };
            if answer.class == Class::Content && graph.is_leaf(position) {
                // Nothing else needs it: the others are sent, and the visit stays refused.
                let issues = answer.issues.iter().map(|issue| split::placed(issue.clone(), &[position]));
                let issues: Vec<_> = issues.collect();
                match &mut refused {
                    Some(first) => first.issues.extend(issues),
                    None => refused = Some(Answer { issues, ..answer }),
                }
                continue;
            }
            if answer.class != Class::Accepted {
                return Ok(if written { split::open(answer) } else { answer });
            }
            written = true;
            for mut one in answer.accepted {
                one.position = position;
                if create {
                    known.push((resource.full_url.clone(), format!("{}/{}", one.resource_type, one.id)));
                }
                accepted.push(one);
            }
        }
    }
    accepted.sort_by_key(|one| one.position);
    let answer = refused.unwrap_or_else(|| Answer::of(Class::Accepted, String::new()));
    Ok(Answer { accepted, ..answer })
}

fn with_id(body: &str, id: &str) -> String {
    match body.strip_prefix('{') {
        Some(rest) => format!("{{\"id\":\"{id}\",{rest}"),
        None => body.to_owned(),
    }
}
