//! Marks resources as entered in error that a person decided to remove.
//!
//! The server knows no deletion (satusehat-api.md, section 3.1). It looks first and changes only the status, so that a
//! lost answer is settled by the next look. It must not mark anything that nobody confirmed.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::identity::episode::EPISODE;
use super::{Delivery, DeliveryError, keeping};
use crate::ledger::removal::{Removal, RemovalEnd};
use crate::remote::ReadAnswer;
use crate::remote::answer::{Answer, Class};
use crate::remote::lane::Lane;
use crate::remote::rate_limit::clamped;

/// Removals taken from the ledger at once.
const BATCH: u32 = 100;
/// Wait after an answer that settled nothing.
const AGAIN: Duration = Duration::from_secs(60);
/// Wait while consent rules hide the resource from us.
const HIDDEN: Duration = Duration::from_secs(60 * 60);
const ENTERED_IN_ERROR: &str = "entered-in-error";

impl Delivery {
    /// Marks what is confirmed and due on a lane; gives how many are done.
    ///
    /// # Errors
    /// [`DeliveryError`] when the ledger fails.
    pub async fn remove(&self, lane: &Lane) -> Result<u64, DeliveryError> {
        let mut done = 0;
        for removal in self.ledger.removals_due(&lane.name, BATCH).await? {
            if self.halt.load(Ordering::Relaxed) || lane.breaker().stopped().is_some() {
                break;
            }
            let end = self.mark(lane, &removal).await?;
            done += u64::from(end == RemovalEnd::Done);
            self.ledger.end_removal(removal.number, end).await?;
        }
        Ok(done)
    }

    async fn mark(&self, lane: &Lane, removal: &Removal) -> Result<RemovalEnd, DeliveryError> {
        let (kind, id) = (removal.resource_type.as_str(), removal.server_id.as_str());
        let held = match lane.remote.read(kind, id).await {
            ReadAnswer::Found(held) => held.into_inner(),
            ReadAnswer::Absent => return Ok(RemovalEnd::Done),
            ReadAnswer::Hidden => return Ok(RemovalEnd::Again(self.after(HIDDEN))),
            ReadAnswer::Failed(answer) => return Ok(self.open_end(lane, &answer)),
        };
        let answer = match marked(kind, held) {
            Marked::Already => return Ok(RemovalEnd::Done),
            Marked::Not => {
                let words = format!("SATUSEHAT documents no change of a {kind}: ask its help desk to remove it");
                return Ok(RemovalEnd::Refused(words));
            }
            Marked::New(marked) => lane.remote.update(kind, id, marked.to_string()).await,
            Marked::Changed(_) if self.ledger.is_held_by_another_visit(removal.number).await? => {
                return Ok(RemovalEnd::Refused(format!("other visits belong to this {kind}: it must stay")));
            }
            Marked::Changed(operations) => lane.remote.patch(kind, id, &operations).await,
        };
        Ok(match answer.class {
            Class::Accepted => RemovalEnd::Done,
            Class::Content | Class::Unclassified | Class::Dependency => RemovalEnd::Refused(answer.excerpt),
            _ => self.open_end(lane, &answer),
        })
    }

    /// Nothing is settled: the next look tells.
    fn open_end(&self, lane: &Lane, answer: &Answer) -> RemovalEnd {
        let now = self.clock.now();
        let seed = keeping::seed(&lane.name, now);
        if answer.class == Class::Configuration {
            lane.breaker().misconfigured(&answer.excerpt, now, seed);
        } else if answer.server_in_trouble() {
            lane.breaker().trouble(&answer.excerpt, now, seed);
        }
        RemovalEnd::Again(self.after(answer.retry_after.map_or(AGAIN, clamped)))
    }

    fn after(&self, wait: Duration) -> Timestamp {
        self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// A resource as it is to stand at the server.
#[derive(Debug, PartialEq)]
enum Marked {
    Already,
    /// The whole resource, for a PUT.
    New(Value),
    /// The operations of a PATCH.
    Changed(Value),
    /// The platform documents no update for this type.
    Not,
}

/// Which types can be updated, by PUT or by PATCH alone: satusehat-api.md, section 3.2. Whether each accepts the mark is an open question
/// to the ministry (security.md, question 6); R4 has it in `verificationStatus` for a Condition, in `status` elsewhere.
fn marked(kind: &str, mut held: Value) -> Marked {
    let path = match kind {
        "Encounter" | "Observation" | "Procedure" | "Immunization" => "status",
        "Condition" => "verificationStatus",
        // A PUT is refused, and a PATCH without the patient too.
        EPISODE if held["status"] == ENTERED_IN_ERROR => return Marked::Already,
        EPISODE => {
            return Marked::Changed(json!([
                {"op": "replace", "path": "/status", "value": ENTERED_IN_ERROR},
                {"op": "replace", "path": "/patient", "value": held["patient"]},
            ]));
        }
        _ => return Marked::Not,
    };
    let mark = match path {
        "status" => json!(ENTERED_IN_ERROR),
        _ => json!({"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": ENTERED_IN_ERROR,
        }]}),
    };
    let now = &held[path];
    if *now == mark || now["coding"][0]["code"] == ENTERED_IN_ERROR {
        return Marked::Already;
    }
    held[path] = mark;
    if let Some(members) = held.as_object_mut() {
        // The server's own; it is set anew, and not in the form that is accepted from us.
        members.remove("meta");
    }
    Marked::New(held)
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn only_the_status_changes_and_only_where_an_update_is_documented() {
        let held =
            json!({"resourceType": "Observation", "id": "1", "status": "final", "valueQuantity": {"value": 9.4}});
        let Marked::New(new) = marked("Observation", held.clone()) else { panic!("not marked") };
        assert_eq!((&new["status"], &new["valueQuantity"]), (&json!(ENTERED_IN_ERROR), &held["valueQuantity"]));
        assert_eq!(marked("Observation", new), Marked::Already);
        let Marked::New(new) = marked("Condition", json!({"resourceType": "Condition"})) else { panic!("not marked") };
        assert_eq!(marked("Condition", new), Marked::Already);
        assert_eq!(marked("MedicationDispense", json!({})), Marked::Not);
        let patient = json!({"reference": "Patient/1"});
        let Marked::Changed(operations) = marked(EPISODE, json!({"status": "active", "patient": patient})) else {
            panic!("not marked")
        };
        assert_eq!((&operations[0]["value"], &operations[1]["value"]), (&json!(ENTERED_IN_ERROR), &patient));
        assert_eq!(marked(EPISODE, json!({"status": ENTERED_IN_ERROR})), Marked::Already);
    }
}
