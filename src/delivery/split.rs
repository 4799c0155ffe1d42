//! A refused visit taken apart: which resource is the bad one, and what can be sent without it.
//!
//! Only a resource that no other refers to is left out, never the visit itself nor what it needs (an Encounter without
//! its diagnosis is refused, rule 10457). A visit of which a resource is refused stays refused; what was accepted is
//! remembered, so that a correction sends the rest alone (satusehat-api.md, section 4; faults.md, rows 14 and 15).

use std::collections::BTreeSet;

use super::DeliveryError;
use super::drain::Shared;
use crate::ledger::entry::OpenEntry;
use crate::remote::answer::{Accepted, Answer, Class, OutcomeIssue};
use crate::remote::search::SearchAnswer;
use crate::resource::bundle::{entries, part, resolve};

const ENCOUNTER: &str = "Encounter";
/// How a complaint names an entry of a Bundle.
const ENTRY: &str = "Bundle.entry[";
/// The answer to a request that is too large.
const TOO_LARGE: u16 = 413;

/// Who refers to whom among the resources of a visit.
pub(super) struct Graph {
    refers_to: Vec<Vec<usize>>,
    core: BTreeSet<usize>,
}

impl Graph {
    /// Of the resources with their `urn:uuid`, in order.
    pub(super) fn of(entry: &OpenEntry, bodies: &[(String, String)]) -> Self {
        let refers = |at: usize, json: &str| {
            let others =
                bodies.iter().enumerate().filter(|(other, (url, _))| *other != at && json.contains(url.as_str()));
            others.map(|(other, _)| other).collect::<Vec<_>>()
        };
        let refers_to: Vec<Vec<usize>> = bodies.iter().enumerate().map(|(at, (_, json))| refers(at, json)).collect();
        let is_visit = |at: &usize| entry.resources.get(*at).is_some_and(|one| one.resource_type == ENCOUNTER);
        let mut open: Vec<usize> = (0..bodies.len()).filter(is_visit).collect();
        let mut core = BTreeSet::new();
        while let Some(at) = open.pop() {
            if core.insert(at) {
                open.extend(refers_to.get(at).into_iter().flatten());
            }
        }
        Self { refers_to, core }
    }

    /// Whether the visit stays whole without it: nothing refers to it, and it is not what the visit needs.
    pub(super) fn is_leaf(&self, at: usize) -> bool {
        !self.core.contains(&at) && !self.refers_to.iter().any(|refers| refers.contains(&at))
    }
}

/// What follows a refused Bundle: the rest is sent without the resource to blame, where that can be told.
pub(super) async fn rest(
    shared: &Shared,
    entry: &OpenEntry,
    bundle: &str,
    answer: Answer,
) -> Result<Answer, DeliveryError> {
    if answer.class != Class::Content || entry.resources.len() < 2 {
        return Ok(answer);
    }
    if is_there_in_part(shared, entry).await {
        // A look at the server tells what is left; the rest follows in the next attempt.
        return Ok(open(answer));
    }
    let bodies = entries(bundle)?;
    let graph = Graph::of(entry, &bodies);
    let mut parts =
        Parts { shared, entry, graph, bodies, known: Vec::new(), accepted: Vec::new(), refused: Vec::new() };
    let all: Vec<usize> = (0..parts.bodies.len()).collect();
    if let Some(stopped) = parts.refused_list(&all, &answer).await? {
        return Ok(if parts.accepted.is_empty() { stopped } else { open(stopped) });
    }
    Ok(parts.end(answer))
}

/// An outcome that only a look at the server can settle. A sentence about a refusal must not stand on it.
pub(super) fn open(mut answer: Answer) -> Answer {
    answer.issues.iter_mut().for_each(|issue| issue.sentence = None);
    Answer { class: Class::Unknown, ..answer }
}

/// Whether the server shows the visit although it refused the Bundle, or could not be asked.
async fn is_there_in_part(shared: &Shared, entry: &OpenEntry) -> bool {
    let Some(visit) = entry.resources.iter().find(|one| one.resource_type == ENCOUNTER) else { return false };
    let (system, value) = (&visit.identifier_system, &visit.identifier_value);
    match shared.lane.remote.find_by_identifier(ENCOUNTER, system, value).await {
        SearchAnswer::Found(found) => !found.resources.is_empty() || found.hidden > 0 || !found.complete,
        SearchAnswer::Failed(_) => true,
    }
}

/// The sending of a visit in parts.
struct Parts<'a> {
    shared: &'a Shared,
    entry: &'a OpenEntry,
    graph: Graph,
    bodies: Vec<(String, String)>,
    /// `urn:uuid` and server reference of what was accepted.
    known: Vec<(String, String)>,
    accepted: Vec<Accepted>,
    refused: Vec<OutcomeIssue>,
}

impl Parts<'_> {
    /// Sends some of the resources; gives an answer that ends the sending early.
    async fn send(&mut self, list: &[usize]) -> Result<Option<Answer>, DeliveryError> {
        // What refers to something that was refused would be refused for that.
        let list: Vec<usize> = list.iter().copied().filter(|at| self.can_stand(*at, list)).collect();
        let remote = &self.shared.lane.remote;
        let answer = match list.as_slice() {
            [] => return Ok(None),
            [one] if !self.graph.core.contains(one) => {
                remote.create(self.type_of(*one), resolve(&self.bodies[*one].1, &self.known)).await
            }
            several => {
                let texts: Vec<(String, String, &str)> = several
                    .iter()
                    .map(|at| {
                        let (url, json) = &self.bodies[*at];
                        (url.clone(), resolve(json, &self.known), self.type_of(*at))
                    })
                    .collect();
                remote.transaction(part(&texts)).await
            }
        };
        match answer.class {
            Class::Accepted => {
                for mut one in answer.accepted {
                    let Some(at) = list.get(one.position) else { continue };
                    self.known.push((self.bodies[*at].0.clone(), format!("{}/{}", one.resource_type, one.id)));
                    one.position = *at;
                    self.accepted.push(one);
                }
                Ok(None)
            }
            Class::Content => self.refused_list(&list, &answer).await,
            _ => Ok(Some(answer)),
        }
    }

    /// What follows when these resources were refused together, or one alone.
    async fn refused_list(&mut self, list: &[usize], answer: &Answer) -> Result<Option<Answer>, DeliveryError> {
        let named: BTreeSet<usize> =
            answer.issues.iter().filter_map(|issue| list.get(position(issue)?).copied()).collect();
        let are_all_named = !answer.issues.is_empty() && answer.issues.iter().all(|issue| position(issue).is_some());
        let is_core = |at: &usize| self.graph.core.contains(at);
        let (core, others): (Vec<usize>, Vec<usize>) = list.iter().copied().partition(is_core);
        let whole = list.len() == 1 || others.is_empty();
        if whole || (are_all_named && named.iter().any(|at| !self.graph.is_leaf(*at))) {
            self.blame(list, answer);
            return Ok(None);
        }
        if are_all_named && answer.status != Some(TOO_LARGE) {
            self.blame(list, answer);
            let rest: Vec<usize> = list.iter().copied().filter(|at| !named.contains(at)).collect();
            return Box::pin(self.send(&rest)).await;
        }
        // Too large, or nobody knows which: halves, of which the first holds what the visit needs.
        let (first, second) = others.split_at(if core.is_empty() { others.len() / 2 } else { (others.len() - 1) / 2 });
        let mut first = [core.as_slice(), first].concat();
        first.sort_unstable();
        if let Some(stopped) = Box::pin(self.send(&first)).await? {
            return Ok(Some(stopped));
        }
        if !core.is_empty() && self.accepted.is_empty() {
            return Ok(None);
        }
        Box::pin(self.send(second)).await
    }

    /// Whether everything it refers to is there or comes with it.
    fn can_stand(&self, at: usize, list: &[usize]) -> bool {
        let is_there = |other: &usize| list.contains(other) || self.accepted.iter().any(|one| one.position == *other);
        self.graph.refers_to.get(at).is_some_and(|refers| refers.iter().all(is_there))
    }

    fn type_of(&self, at: usize) -> &str {
        self.entry.resources.get(at).map_or("", |one| one.resource_type.as_str())
    }

    /// Keeps the complaints, with the places that the resources have in the visit.
    fn blame(&mut self, list: &[usize], answer: &Answer) {
        let mut issues = answer.issues.clone();
        for issue in &mut issues {
            *issue = placed(issue.clone(), list);
        }
        if issues.is_empty() {
            let place = list.first().filter(|_| list.len() == 1).map(|at| format!("{ENTRY}{at}].resource"));
            issues.push(OutcomeIssue {
                text_excerpt: answer.excerpt.clone(),
                expression: place,
                ..OutcomeIssue::default()
            });
        }
        self.refused.extend(issues);
    }

    /// The answer to the whole: accepted when nothing is left to blame.
    fn end(mut self, first: Answer) -> Answer {
        self.accepted.sort_by_key(|one| one.position);
        let accepted = self.accepted;
        if self.refused.is_empty() && accepted.len() == self.bodies.len() {
            return Answer { accepted, issues: Vec::new(), rules: Vec::new(), class: Class::Accepted, ..first };
        }
        if self.refused.is_empty() {
            return Answer { accepted, ..first };
        }
        let mut rules: Vec<u32> = self.refused.iter().filter_map(|issue| issue.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        Answer { accepted, rules, issues: self.refused, ..first }
    }
}

/// The place in the Bundle that a complaint names.
fn position(issue: &OutcomeIssue) -> Option<usize> {
    issue.expression.as_deref()?.strip_prefix(ENTRY)?.split_once(']')?.0.parse().ok()
}

/// The complaint about a part, as one about the visit.
pub(super) fn placed(mut issue: OutcomeIssue, list: &[usize]) -> OutcomeIssue {
    let below = |expression: &str| expression.split_once(']').map_or(String::new(), |(_, below)| below.to_owned());
    issue.expression = match (issue.expression.take(), list) {
        (Some(expression), _) if expression.starts_with(ENTRY) => {
            let at = position(&OutcomeIssue { expression: Some(expression.clone()), ..OutcomeIssue::default() });
            match at.and_then(|at| list.get(at)) {
                Some(at) => Some(format!("{ENTRY}{at}]{}", below(&expression))),
                None => Some(expression),
            }
        }
        (Some(expression), [one]) => Some(format!("{ENTRY}{one}].resource.{expression}")),
        (None, [one]) => Some(format!("{ENTRY}{one}].resource")),
        (other, _) => other,
    };
    issue
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(expression: Option<&str>) -> OutcomeIssue {
        OutcomeIssue { expression: expression.map(str::to_owned), ..OutcomeIssue::default() }
    }

    #[test]
    fn a_complaint_about_a_part_names_the_place_in_the_visit() {
        let of = |expression, list: &[usize]| placed(issue(expression), list).expression;
        let below = Some("Bundle.entry[1].resource.observation.issued");
        assert_eq!(of(below, &[0, 4]).as_deref(), Some("Bundle.entry[4].resource.observation.issued"));
        assert_eq!(
            of(Some("Observation.issued"), &[3]).as_deref(),
            Some("Bundle.entry[3].resource.Observation.issued")
        );
        assert_eq!(of(None, &[3]).as_deref(), Some("Bundle.entry[3].resource"));
        assert_eq!(of(None, &[0, 3]), None);
        assert_eq!(position(&issue(Some("Bundle.entry[x].resource"))), None);
    }
}
