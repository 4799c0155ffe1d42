//! Who the visit is about at SATUSEHAT: patient and health worker, looked up once and remembered.
//!
//! The answer of a look-up is kept under a keyed hash until it expires; that nobody was found is kept for a shorter
//! time. It must never pick one of several.

pub(super) mod episode;
pub(super) mod people;
mod register;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::DeliveryError;
use crate::clock::Clock;
use crate::issue::{Code, Issue};
use crate::ledger::Ledger;
use crate::ledger::remembered::Remembered;
use crate::redact::Personal;
use crate::remote::answer::Answer;
use crate::remote::identity::{IdentityAnswer, NewbornQuery, PersonQuery};
use crate::remote::lane::Lane;
use crate::resource::envelope::{Practitioner, Registration, Whom};
use crate::seal::Keys;

/// How long a found identity is believed; IHS numbers are merged now and then (faults.md, row 35).
const IDENTITY_LIVES: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long it is believed that nobody was found: shorter than the first wait before a visit is looked at again.
const MISSING_LIVES: Duration = Duration::from_secs(30 * 60);
/// Oldest age at which a newborn is registered by its mother's NIK, in days (rule 10397; satusehat-api.md, section 7).
const NEWBORN_DAYS: i32 = 60;

/// The kinds of the cache.
const PATIENT: &str = "patient";
const PRACTITIONER: &str = "practitioner";

/// What a look-up came to.
pub enum Found {
    /// The server's id.
    Id(Known),
    /// Nobody, or not certainly one.
    Missing(Missing),
    /// Its creation is on its way or in doubt; when to look again.
    Later(Timestamp),
    /// The server could not be asked.
    Failed(Box<Answer>),
}

/// An id of the server.
#[derive(Clone, Debug)]
pub struct Known {
    /// The id.
    pub id: String,
    /// It was remembered, not asked for just now, so it may have been changed since.
    pub cached: bool,
}

/// What is missing, and what a person must know about it.
#[derive(Clone, Debug)]
pub struct Missing {
    /// The word that the ledger keeps.
    pub on: String,
    /// More than the word's own sentence says; may be empty.
    pub issues: Vec<Issue>,
}

impl Found {
    fn cached(id: String) -> Self {
        Self::Id(Known { id, cached: true })
    }

    fn fresh(id: String) -> Self {
        Self::Id(Known { id, cached: false })
    }

    fn missing(on: &str, issues: Vec<Issue>) -> Self {
        Self::Missing(Missing { on: on.to_owned(), issues })
    }
}

/// Looks people up, with the ledger as memory.
pub struct Identities<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// Keys of the keyed hashes.
    pub keys: &'a Keys,
    /// The time.
    pub clock: &'a Clock,
    /// When an unknown outcome is looked for, counted from when it became unknown; the last look decides.
    pub looks: &'a [Duration],
}

impl Identities<'_> {
    /// The keyed hash that a patient's id is kept under.
    #[must_use]
    pub fn patient_key(&self, whom: &Whom) -> [u8; 32] {
        let parts = whom.key_parts();
        self.keys.hash("identity.patient", &parts.each_ref().map(String::as_str))
    }

    /// The patients among these that are known already, in one question to the ledger.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn known_patients(&self, keys: &[[u8; 32]]) -> Result<HashMap<[u8; 32], String>, DeliveryError> {
        Ok(self.ledger.identities(PATIENT, keys).await?)
    }

    /// The patient of a visit, kept under `key` once found, registered when nobody is found and the visit's envelope
    /// holds how; asks the ledger again, as another task may have found the same child meanwhile.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn patient(&self, lane: &Lane, whom: &Whom, key: [u8; 32]) -> Result<Found, DeliveryError> {
        match self.ledger.remembered(PATIENT, &key).await? {
            Some(Remembered::Id(id)) => return Ok(Found::cached(id)),
            Some(Remembered::Missing(word)) => return Ok(self.not_there(&word, whom)),
            None => {}
        }
        if whom.nik.is_empty() && whom.mother.is_none() {
            // Name, birth date and gender fit more than one person; a number is needed to be certain.
            return Ok(match &whom.registration {
                Registration::Impossible(issues) => Found::missing("patient_incomplete", issues.clone()),
                _ => Found::missing("patient_without_nik", Vec::new()),
            });
        }
        let found = self.registered(lane, whom).await?;
        match &found {
            Found::Id(known) => self.keep(PATIENT, key, &known.id).await?,
            Found::Missing(missing) if is_plain(&missing.on) => self.keep_missing(PATIENT, key, &missing.on).await?,
            _ => {}
        }
        Ok(found)
    }

    /// Forgets who the person of a visit was found to be, and lets what was refused about them be sent again.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn forget(&self, whom: &Whom) -> Result<(), DeliveryError> {
        self.ledger.forget_identity(PATIENT, self.patient_key(whom)).await?;
        if let Practitioner::ByNik(nik) = &whom.practitioner {
            self.ledger.forget_identity(PRACTITIONER, self.practitioner_key(nik)).await?;
        }
        self.forget_registration(whom, None).await
    }

    /// Asks the server who a person is: by NIK with name and birth date, a child without one by its mother.
    async fn ask(&self, lane: &Lane, whom: &Whom) -> IdentityAnswer {
        if let Some(mother) = &whom.mother {
            let child = NewbornQuery {
                mother: Personal::new(mother.clone()),
                birth_date: Personal::new(whom.birth_date),
                gender: whom.gender.clone(),
                birth_order: whom.birth_order,
            };
            return lane.remote.newborn(&child).await;
        }
        let query = PersonQuery {
            nik: Personal::new(whom.nik.clone()),
            name: Personal::new(whom.name.clone()),
            birth_date: Personal::new(whom.birth_date),
            gender: Some(whom.gender.clone()),
        };
        lane.remote.patient(&query).await
    }

    /// A patient who is not there and is not registered from here.
    fn not_there(&self, word: &str, whom: &Whom) -> Found {
        match &whom.mother {
            Some(_) if word == PATIENT => self.newborn_not_there(whom),
            _ => Found::missing(word, Vec::new()),
        }
    }

    /// A newborn whom nobody has registered: how long that can still be done.
    fn newborn_not_there(&self, whom: &Whom) -> Found {
        let on = if self.newborn_days_left(whom) < 0 { "newborn_too_old" } else { "newborn" };
        Found::missing(on, vec![self.newborn_clock(whom)])
    }

    /// Days until a newborn can no more be registered by its mother's number. In UTC, a few hours late at worst: the
    /// server has the last word.
    fn newborn_days_left(&self, whom: &Whom) -> i32 {
        let today = jiff::tz::TimeZone::UTC.to_datetime(self.clock.now()).date();
        NEWBORN_DAYS - (today - whom.birth_date).get_days()
    }

    fn newborn_clock(&self, whom: &Whom) -> Issue {
        match self.newborn_days_left(whom) {
            days if days < 0 => Issue::error(Code::BusinessRule, "person.newborn_too_old"),
            days => Issue::error(Code::NotFound, "person.newborn_waiting").with("hari", days),
        }
    }

    /// The health worker in charge.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn practitioner(&self, lane: &Lane, whom: &Whom) -> Result<Found, DeliveryError> {
        let nik = match &whom.practitioner {
            // What stands in the register is the user's word; it is never forgotten from here.
            Practitioner::Known(id) => return Ok(Found::fresh(id.clone())),
            Practitioner::ByNik(nik) if nik.is_empty() => return Ok(Found::missing("practitioner", Vec::new())),
            Practitioner::ByNik(nik) => nik,
        };
        let key = self.practitioner_key(nik);
        match self.ledger.remembered(PRACTITIONER, &key).await? {
            Some(Remembered::Id(id)) => return Ok(Found::cached(id)),
            Some(Remembered::Missing(word)) => return Ok(Found::missing(&word, Vec::new())),
            None => {}
        }
        let word = match lane.remote.practitioner(&Personal::new(nik.clone())).await {
            IdentityAnswer::Found(id) => {
                self.keep(PRACTITIONER, key, id.reveal()).await?;
                return Ok(Found::fresh(id.into_inner()));
            }
            IdentityAnswer::Failed(answer) => return Ok(Found::Failed(Box::new(answer))),
            IdentityAnswer::Ambiguous(_) => "practitioner_ambiguous",
            IdentityAnswer::NotFound | IdentityAnswer::Mismatch | IdentityAnswer::Hidden => "practitioner",
        };
        self.keep_missing(PRACTITIONER, key, word).await?;
        Ok(Found::missing(word, Vec::new()))
    }

    fn practitioner_key(&self, nik: &str) -> [u8; 32] {
        self.keys.hash("identity.practitioner", &[nik])
    }

    async fn keep(&self, kind: &str, key: [u8; 32], id: &str) -> Result<(), DeliveryError> {
        Ok(self.ledger.put_identity(kind, key, id, self.after(IDENTITY_LIVES)).await?)
    }

    async fn keep_missing(&self, kind: &str, key: [u8; 32], word: &str) -> Result<(), DeliveryError> {
        Ok(self.ledger.put_missing(kind, key, word, self.after(MISSING_LIVES)).await?)
    }

    fn after(&self, wait: Duration) -> Timestamp {
        self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)
    }
}

/// Words that say everything, so that they can be remembered alone.
fn is_plain(on: &str) -> bool {
    matches!(on, "patient" | "patient_mismatch" | "patient_ambiguous" | "patient_hidden")
}
