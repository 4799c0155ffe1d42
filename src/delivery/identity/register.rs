//! Registers a person whom SATUSEHAT does not know, once: looked up first, the intent durable before the first byte, an
//! unknown outcome looked up before anything is repeated.
//!
//! It must not decide by which number a person can be registered (the mapping did), and what the civil register or the
//! ministry refuses goes to a person after one attempt.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{Found, Identities};
use crate::delivery::{DeliveryError, Lane};
use crate::issue::{Code, Issue};
use crate::ledger::registration::{Moment, Registration as Stored, Standing, Subject, Told, Turn};
use crate::redact::Personal;
use crate::remote::answer::{Answer, Class};
use crate::remote::identity::IdentityAnswer;
use crate::resource::envelope::{NewPatient, Registration, Whom};

/// Resource type.
const PATIENT: &str = "Patient";
/// Wait while another task creates the same person.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Wait before a create is sent again that found the mother, or the civil register's answer, missing.
const MISSING_WAIT: Duration = Duration::from_secs(60 * 60);
/// Creates of one content without a clear end (never found, never refused in words we know), before a person looks.
const CREATES_MAX: u32 = 3;
/// Tries at a person whom the civil register does not know or could not be asked for: one more, later (mpi-citizen).
const CITIZEN_TRIES_MAX: u32 = 2;
/// Shortest wait before the next look.
const LOOK_WAIT_MIN: Duration = Duration::from_secs(1);

/// One person to be registered.
struct Person<'a> {
    lane: &'a Lane,
    whom: &'a Whom,
    key: [u8; 32],
}

impl Person<'_> {
    fn subject(&self) -> Subject<'_> {
        Subject { lane: &self.lane.name, kind: PATIENT, key: self.key }
    }
}

impl Identities<'_> {
    /// Looks a person up, settles what an earlier create left open, and creates who is certainly not there.
    pub(super) async fn registered(&self, lane: &Lane, whom: &Whom) -> Result<Found, DeliveryError> {
        let person = Person { lane, whom, key: self.registration_key(whom) };
        let mut stored = self.ledger.registration(PATIENT, &person.key).await?;
        if let Some(known) = &stored {
            match self.standing(known) {
                Some(found) => return Ok(found),
                None if known.standing == Standing::Sending => {
                    let turn = Turn::Interrupted { due: self.clock.now() };
                    self.turn(&person, known.moment, turn, None).await?;
                    stored = self.ledger.registration(PATIENT, &person.key).await?;
                }
                None => {}
            }
        }
        let word = match self.ask(lane, whom).await {
            IdentityAnswer::Failed(answer) => return Ok(Found::Failed(Box::new(answer))),
            IdentityAnswer::Found(id) => {
                let server_id = id.into_inner();
                if let Some(known) = stored {
                    self.turn(&person, known.moment, Turn::Found { server_id: server_id.clone() }, None).await?;
                }
                return Ok(Found::fresh(server_id));
            }
            IdentityAnswer::NotFound => return self.absent(&person, stored).await,
            IdentityAnswer::Mismatch => "patient_mismatch",
            IdentityAnswer::Ambiguous(_) => "patient_ambiguous",
            IdentityAnswer::Hidden => "patient_hidden",
        };
        if let Some(known) = stored.filter(|known| known.standing == Standing::Unknown) {
            // It exists, and not as this person: nothing of ours is on its way any more.
            self.turn(&person, known.moment, Turn::Refused { on: word }, None).await?;
        }
        Ok(Found::missing(word, Vec::new()))
    }

    /// The keyed hash that identifies a registration: a mended name or address is the same person.
    pub(super) fn registration_key(&self, whom: &Whom) -> [u8; 32] {
        match &whom.mother {
            Some(mother) => {
                let order = whom.birth_order.map(|order| order.to_string()).unwrap_or_default();
                self.keys.hash("registration.newborn", &[mother, &whom.birth_date.to_string(), &order])
            }
            None => self.keys.hash("registration.patient", &[&whom.nik]),
        }
    }

    /// What can be said without asking the server; `None` when it must be asked.
    fn standing(&self, known: &Stored) -> Option<Found> {
        let now = self.clock.now();
        match known.standing {
            Standing::Held => known.server_id.clone().map(Found::cached),
            Standing::Sending => known.lease_until.filter(|until| *until > now).map(|_| self.later(BUSY_WAIT)),
            Standing::Unknown if known.due > now => Some(Found::Later(known.due)),
            Standing::Unknown | Standing::Waiting | Standing::Refused => None,
        }
    }

    /// Nobody was found: what an earlier create left open is settled, then the person is created.
    async fn absent(&self, person: &Person<'_>, stored: Option<Stored>) -> Result<Found, DeliveryError> {
        let Some(known) = stored else { return self.create(person).await };
        if known.standing != Standing::Unknown {
            return self.create(person).await;
        }
        if let Some(due) = self.next_look(&known) {
            self.turn(person, known.moment, Turn::StillUnknown { due }, None).await?;
            return Ok(Found::Later(due));
        }
        let now = self.clock.now();
        if known.creates >= CREATES_MAX {
            self.turn(person, known.moment, Turn::Refused { on: "patient_unconfirmed" }, None).await?;
            return Ok(Found::missing("patient_unconfirmed", Vec::new()));
        }
        self.turn(person, known.moment, Turn::Waits { on: "patient", due: now }, None).await?;
        self.create(person).await
    }

    /// When to look again; `None` when this was the last look.
    fn next_look(&self, known: &Stored) -> Option<Timestamp> {
        let next = usize::try_from(known.probes).ok()?.checked_add(1)?;
        let at = known.since.saturating_add(*self.looks.get(next)?).unwrap_or(Timestamp::MAX);
        Some(at.max(self.after(LOOK_WAIT_MIN)))
    }

    async fn create(&self, person: &Person<'_>) -> Result<Found, DeliveryError> {
        let whom = person.whom;
        if whom.mother.is_some() && self.newborn_days_left(whom) < 0 {
            return Ok(self.newborn_not_there(whom));
        }
        let patient = match &whom.registration {
            Registration::Off => return Ok(self.not_there("patient", whom)),
            Registration::Impossible(issues) => return Ok(Found::missing("patient_incomplete", issues.clone())),
            Registration::Possible(patient) => patient,
        };
        if let Some(mother) = &whom.mother {
            match person.lane.remote.is_known(&Personal::new(mother.clone())).await {
                Ok(true) => {}
                Ok(false) => return Ok(self.mother_missing(whom)),
                Err(answer) => return Ok(Found::Failed(answer)),
            }
        }
        let hash = Sha256::digest(patient.json.as_bytes()).into();
        let Some(moment) = self.ledger.begin_registration(person.subject(), hash).await? else {
            return self.not_now(person).await;
        };
        let answer = person.lane.remote.create(PATIENT, patient.json.clone()).await;
        self.answered(person, patient, moment, answer).await
    }

    /// Why a create may not be sent now.
    async fn not_now(&self, person: &Person<'_>) -> Result<Found, DeliveryError> {
        let Some(known) = self.ledger.registration(PATIENT, &person.key).await? else {
            return Ok(self.later(BUSY_WAIT));
        };
        Ok(match (known.standing, &known.on, known.server_id) {
            (Standing::Held, _, Some(id)) => Found::cached(id),
            (Standing::Refused, Some(on), _) => Found::missing(on, known.issues),
            (Standing::Waiting, Some(on), _) if on == "mother" => self.mother_missing(person.whom),
            (Standing::Waiting, Some(on), _) if on == "citizen" => Found::missing(on, Vec::new()),
            _ => Found::Later(known.due.max(self.after(BUSY_WAIT))),
        })
    }

    /// Writes down what became of a create, and what follows for the visit.
    async fn answered(
        &self,
        person: &Person<'_>,
        patient: &NewPatient,
        moment: Moment,
        answer: Answer,
    ) -> Result<Found, DeliveryError> {
        let now = self.clock.now();
        let issues: Vec<Issue> = answer.issues_for_people().into_iter().map(|issue| placed(issue, patient)).collect();
        let told = told(&answer, issues.clone());
        let first_look = self.after(self.looks.first().copied().unwrap_or(LOOK_WAIT_MIN));
        let (turn, found) = match answer.class {
            Class::Accepted => match answer.accepted.into_iter().next() {
                Some(one) => (Turn::Found { server_id: one.id.clone() }, Found::fresh(one.id)),
                None => (Turn::NoAnswer { due: first_look }, Found::Later(first_look)),
            },
            Class::Duplicate => {
                self.turn(person, moment, Turn::NoAnswer { due: now }, Some(told)).await?;
                // Somebody was faster, or holds the number under another name: look at once.
                return Box::pin(self.registered(person.lane, person.whom)).await;
            }
            Class::Content => (Turn::Refused { on: "patient_refused" }, Found::missing("patient_refused", issues)),
            Class::Dependency => return self.dependency(person, moment, &answer, told).await,
            Class::Throttled | Class::Outage { .. } | Class::Configuration => {
                (Turn::Deferred { due: now }, Found::Failed(Box::new(answer)))
            }
            Class::Unknown => (Turn::NoAnswer { due: first_look }, Found::Later(first_look)),
            Class::Unclassified => {
                let tries = self.ledger.registration(PATIENT, &person.key).await?.map_or(1, |known| known.creates);
                if tries >= CREATES_MAX {
                    (Turn::Refused { on: "patient_refused" }, Found::missing("patient_refused", issues))
                } else {
                    (Turn::Waits { on: "patient", due: now }, Found::missing("patient_refused", issues))
                }
            }
        };
        self.turn(person, moment, turn, Some(told)).await?;
        Ok(found)
    }

    /// The mother is not there, or the civil register does not know the person or cannot be asked.
    async fn dependency(
        &self,
        person: &Person<'_>,
        moment: Moment,
        answer: &Answer,
        told: Told,
    ) -> Result<Found, DeliveryError> {
        let due = self.after(MISSING_WAIT);
        let issues = told.issues.clone();
        let (turn, found) = match answer.sentence().as_str() {
            "person.mother_not_found" => (Turn::Waits { on: "mother", due }, self.mother_missing(person.whom)),
            "person.citizen_unknown" => {
                let tries = self.ledger.registration(PATIENT, &person.key).await?.map_or(1, |known| known.creates);
                if tries >= CITIZEN_TRIES_MAX {
                    let issues = vec![Issue::error(Code::NotFound, "person.citizen_refused")];
                    (Turn::Refused { on: "citizen_refused" }, Found::missing("citizen_refused", issues))
                } else {
                    (Turn::Waits { on: "citizen", due }, Found::missing("citizen", issues))
                }
            }
            _ => (Turn::Waits { on: "patient", due }, Found::missing("patient_refused", issues)),
        };
        self.turn(person, moment, turn, Some(told)).await?;
        Ok(found)
    }

    fn mother_missing(&self, whom: &Whom) -> Found {
        let issue = Issue::error(Code::NotFound, "person.mother_not_found");
        Found::missing("mother", vec![issue, self.newborn_clock(whom)])
    }

    async fn turn(
        &self,
        person: &Person<'_>,
        moment: Moment,
        turn: Turn,
        told: Option<Told>,
    ) -> Result<(), DeliveryError> {
        // Whoever was faster has written down what holds; the next look finds it.
        self.ledger.turn_registration(person.subject(), moment, turn, told.unwrap_or_default()).await?;
        Ok(())
    }

    fn later(&self, wait: Duration) -> Found {
        Found::Later(self.after(wait))
    }

    /// Forgets that a patient is registered, whatever is known of it or under the one id that the server called invalid.
    pub(super) async fn forget_registration(&self, whom: &Whom, id: Option<&str>) -> Result<(), DeliveryError> {
        let key = self.registration_key(whom);
        let known = self.ledger.registration(PATIENT, &key).await?;
        if let Some(known) = known.filter(|known| id.is_none() || known.server_id.as_deref() == id) {
            let subject = Subject { lane: "", kind: PATIENT, key };
            self.ledger.turn_registration(subject, known.moment, Turn::Forgotten, Told::default()).await?;
        }
        Ok(())
    }
}

/// Ties a complaint to the cell of the person that it names; without one to the person's row, which the list finds.
fn placed(issue: Issue, patient: &NewPatient) -> Issue {
    let place = issue.expression.as_deref().and_then(|expression| patient.cell(expression)).cloned();
    match place {
        Some(place) => issue.at(place),
        None => issue,
    }
}

fn told(answer: &Answer, issues: Vec<Issue>) -> Told {
    Told {
        status: answer.status,
        request_id: answer.request_id.clone(),
        class: answer.class.name().to_owned(),
        excerpt: answer.excerpt.clone(),
        rules: answer.rules.clone(),
        issues,
    }
}
