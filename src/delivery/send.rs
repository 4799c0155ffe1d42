//! One visit on the wire: people, begun row, request, ended row.
//!
//! A new visit is one transaction Bundle. A visit that was delivered before is sent as single creates and updates of
//! what changed. Nothing is sent twice from here: what has no clear answer becomes unknown.

use sha2::{Digest, Sha256};
use tracing::Instrument as _;

use super::identity::{Found, Identities};
use super::outcome::{consequence, end, placed};
use super::{DeliveryError, Ready, Shared, Stop, envelope};
use crate::ledger::LedgerError;
use crate::ledger::attempt::AttemptId;
use crate::ledger::entry::{Claimed, OpenEntry};
use crate::ledger::state::{Event, State};
use crate::remote::answer::{Accepted, Answer, Class};
use crate::resource::bundle::{entries, fill, resolve};
use crate::resource::envelope::{Practitioner, Whom};

/// Sends one claimed visit.
pub(super) async fn visit(shared: &Shared, ready: Ready) -> Result<State, DeliveryError> {
    let Ready { claimed: Claimed { lease, entry, .. }, whom, patient_key, patient } = ready;
    let delivery = &shared.delivery;
    let identities = Identities { ledger: &delivery.ledger, keys: &delivery.keys, clock: &delivery.clock };
    let practitioner = practitioner(shared, &identities, &whom).await?;
    let Found::Id(practitioner) = practitioner else { return not_found(shared, &entry, &lease, practitioner).await };
    let patient = match patient {
        Some(id) => Found::Id(id),
        None => identities.patient(&shared.lane, &whom, patient_key).await?,
    };
    let Found::Id(patient) = patient else { return not_found(shared, &entry, &lease, patient).await };
    let bundle = fill(entry.bundle.reveal(), &patient, &practitioner);
    let hash = Sha256::digest(bundle.as_bytes()).into();
    let attempt = match delivery.ledger.begin_attempt(entry.entry_id, &lease, hash).await {
        Ok(attempt) => attempt,
        // The lease went to somebody else while people were looked up: it is theirs now.
        Err(LedgerError::LostLease(_)) => return Ok(State::Pending),
        Err(error) => return Err(error.into()),
    };
    let span = tracing::info_span!("attempt", attempt = attempt.number(), entry = entry.entry_id.number());
    let sending = async {
        if entry.resources.iter().any(|resource| resource.server_id.is_some()) {
            changes(shared, &entry, &bundle).await
        } else {
            Ok(shared.lane.remote.transaction(bundle).await)
        }
    };
    let answer = sending.instrument(span).await?;
    finish(shared, &entry, attempt, &lease, &answer).await
}

/// The health worker in charge. One task asks, the others wait for its answer.
async fn practitioner(shared: &Shared, identities: &Identities<'_>, whom: &Whom) -> Result<Found, DeliveryError> {
    let name = match &whom.practitioner {
        Practitioner::Known(id) => return Ok(Found::Id(id.clone())),
        Practitioner::ByNik(nik) => nik.clone(),
    };
    let mut known = shared.practitioners.lock().await;
    if let Some(id) = known.get(&name) {
        return Ok(Found::Id(id.clone()));
    }
    let found = identities.practitioner(&shared.lane, whom).await?;
    if let Found::Id(id) = &found {
        known.insert(name, id.clone());
    }
    Ok(found)
}

async fn finish(
    shared: &Shared,
    entry: &OpenEntry,
    attempt: AttemptId,
    lease: &crate::ledger::entry::Lease,
    answer: &Answer,
) -> Result<State, DeliveryError> {
    let delivery = &shared.delivery;
    let now = delivery.clock.now();
    told(shared, entry, attempt, answer);
    let what = consequence(answer, entry, &delivery.policy, delivery.first_look, now);
    match &what.event {
        Event::Accepted => shared.note_acceptance(),
        Event::RefusedContent => shared.note_refusal(&refusal_reason(answer)),
        _ if answer.server_in_trouble() => shared.note_trouble(&answer.excerpt),
        _ => {}
    }
    if what.stops_lane {
        shared.stop(Stop::Configuration(answer.excerpt.clone()));
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
        Found::Missing(on) => {
            let answer = Answer::of(Class::Dependency, String::new());
            match consequence(&answer, entry, &delivery.policy, delivery.first_look, now).event {
                Event::DependencyMissing { due, .. } => Event::DependencyMissing { on: on.to_owned(), due },
                other => other,
            }
        }
        Found::Failed(answer) => {
            if answer.server_in_trouble() {
                shared.note_trouble(&answer.excerpt);
            }
            // A look-up changes nothing at the server, so whatever came of it the visit simply waits.
            let what = consequence(&answer, entry, &delivery.policy, delivery.first_look, now);
            if what.stops_lane || matches!(answer.class, Class::Content) {
                shared.stop(Stop::Configuration(answer.excerpt.clone()));
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
/// them. Any answer but "accepted" ends it; then the outcome of the whole is looked up.
async fn changes(shared: &Shared, entry: &OpenEntry, bundle: &str) -> Result<Answer, DeliveryError> {
    let bodies = entries(bundle)?;
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
                Some(id) if resource.unchanged => {
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
            if answer.class != Class::Accepted {
                return Ok(if written { open_whole(answer) } else { answer });
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
    let mut answer = Answer::of(Class::Accepted, String::new());
    answer.accepted = accepted;
    Ok(answer)
}

/// A part was written and the next was not, for whatever reason: only a look at the server tells what is left to send.
/// An answer that sent the visit back or refused it would forget the part, and the next try would create it again.
fn open_whole(mut answer: Answer) -> Answer {
    answer.issues.iter_mut().for_each(|issue| issue.sentence = None);
    Answer { class: Class::Unknown, ..answer }
}

fn with_id(body: &str, id: &str) -> String {
    match body.strip_prefix('{') {
        Some(rest) => format!("{{\"id\":\"{id}\",{rest}"),
        None => body.to_owned(),
    }
}
