//! From what an answer means to what happens to the entry: one match, pure.
//!
//! It must not send, wait or write. A complaint is tied here to the cell that a person must correct.

use std::time::Duration;

use jiff::Timestamp;

use super::retry::{Next, Policy, Tries, next};
use crate::issue::Issue;
use crate::ledger::attempt::{AcceptedResource, AttemptEnd};
use crate::ledger::entry::OpenEntry;
use crate::ledger::state::Event;
use crate::remote::answer::{Answer, Class};
use crate::resource::envelope::Envelope;

/// What follows for the entry and for its lane.
#[derive(Debug)]
pub struct Consequence {
    /// The entry's event.
    pub event: Event,
    /// The lane must stop: access or configuration is wrong.
    pub stops_lane: bool,
}

/// Decides. `first_look` is the wait before an unknown outcome is looked up.
#[must_use]
pub fn consequence(
    answer: &Answer,
    entry: &OpenEntry,
    policy: &Policy,
    first_look: Duration,
    now: Timestamp,
) -> Consequence {
    let tries = Tries {
        spent: entry.attempts + u32::from(super::retry::spends_an_attempt(answer.class)),
        alike: match answer.class {
            Class::Dependency => entry.blocked_count + 1,
            _ => entry.begun.max(1),
        },
    };
    let seed = u64::from_le_bytes(std::array::from_fn(|at| entry.visit_key[at]));
    let after = |wait: Duration| now.saturating_add(wait).unwrap_or(Timestamp::MAX);
    let keep = |event| Consequence { event, stops_lane: false };
    match next(policy, answer.class, tries, now, answer.retry_after, seed) {
        Next::Done => keep(Event::Accepted),
        Next::Again(due) if answer.class == Class::Unclassified => keep(Event::Unclassified { due }),
        Next::Again(due) => keep(Event::Deferred { due }),
        Next::WaitFor(due) => keep(Event::DependencyMissing { on: "resource".to_owned(), due }),
        // A duplicate is there already, so it can be looked up at once.
        Next::LookUp if answer.class == Class::Duplicate => keep(Event::NoAnswer { due: now }),
        Next::LookUp => keep(Event::NoAnswer { due: after(first_look) }),
        Next::Refused => keep(Event::RefusedContent),
        Next::Exhausted => keep(Event::AttemptsSpent),
        Next::StopLane => {
            Consequence { event: Event::RefusedConfiguration { due: after(policy.outage.max) }, stops_lane: true }
        }
    }
}

/// The end of an attempt as the ledger keeps it, with its complaints tied to their cells ([`placed`]).
#[must_use]
pub fn end(answer: &Answer, issues: Vec<Issue>) -> AttemptEnd {
    AttemptEnd {
        status: answer.status,
        request_id: answer.request_id.clone(),
        class: answer.class.name().to_owned(),
        excerpt: answer.excerpt.clone(),
        rules: answer.rules.clone(),
        duration: answer.duration,
        accepted: answer.accepted.iter().map(accepted).collect(),
        issues,
    }
}

fn accepted(accepted: &crate::remote::answer::Accepted) -> AcceptedResource {
    AcceptedResource {
        position: u32::try_from(accepted.position).unwrap_or(u32::MAX),
        resource_type: accepted.resource_type.clone(),
        id: accepted.id.clone(),
        version: accepted.version.clone(),
    }
}

/// Ties a complaint to the cell its element came from; without one, to the row of the person.
#[must_use]
pub fn placed(issue: Issue, envelope: &Envelope) -> Issue {
    let place = match &issue.expression {
        Some(expression) => envelope.cell(expression).clone(),
        None => envelope.row.clone(),
    };
    issue.at(place)
}
