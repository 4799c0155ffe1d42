//! Who the visit is about at SATUSEHAT: patient and health worker, looked up once and remembered.
//!
//! The answer of a look-up is kept under a keyed hash until it expires. It must never pick one of several.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::DeliveryError;
use crate::clock::Clock;
use crate::ledger::Ledger;
use crate::redact::Personal;
use crate::remote::answer::Answer;
use crate::remote::identity::{IdentityAnswer, PersonQuery};
use crate::remote::lane::Lane;
use crate::resource::envelope::{Practitioner, Whom};
use crate::seal::Keys;

/// How long a found identity is believed; IHS numbers are merged now and then (faults.md, row 35).
const IDENTITY_LIVES: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// What a look-up came to.
pub enum Found {
    /// The server's id.
    Id(String),
    /// Nobody, or not certainly one: the word the ledger keeps for what is missing.
    Missing(&'static str),
    /// The server could not be asked.
    Failed(Box<Answer>),
}

/// Looks people up, with the ledger as memory.
pub struct Identities<'a> {
    /// The ledger.
    pub ledger: &'a Ledger,
    /// Keys of the keyed hashes.
    pub keys: &'a Keys,
    /// The time.
    pub clock: &'a Clock,
}

impl Identities<'_> {
    /// The keyed hash that a patient's id is kept under.
    #[must_use]
    pub fn patient_key(&self, whom: &Whom) -> [u8; 32] {
        self.keys.hash("identity.patient", &[&whom.nik, &whom.name, &whom.birth_date.to_string()])
    }

    /// The patients among these that are known already, in one question to the ledger.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn known_patients(&self, keys: &[[u8; 32]]) -> Result<HashMap<[u8; 32], String>, DeliveryError> {
        Ok(self.ledger.identities("patient", keys).await?)
    }

    /// The patient of a visit, kept under `key` once found; asks the ledger again, as another task may have found
    /// the same child meanwhile.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn patient(&self, lane: &Lane, whom: &Whom, key: [u8; 32]) -> Result<Found, DeliveryError> {
        if let Some(id) = self.ledger.identity("patient", &key).await? {
            return Ok(Found::Id(id));
        }
        let query = PersonQuery {
            nik: Personal::new(whom.nik.clone()),
            name: Personal::new(whom.name.clone()),
            birth_date: Personal::new(whom.birth_date),
            gender: Some(whom.gender.clone()),
        };
        let words = ["patient", "patient_mismatch", "patient_ambiguous", "patient_hidden"];
        self.keep("patient", key, lane.remote.patient(&query).await, words).await
    }

    /// The health worker in charge.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn practitioner(&self, lane: &Lane, whom: &Whom) -> Result<Found, DeliveryError> {
        let nik = match &whom.practitioner {
            Practitioner::Known(id) => return Ok(Found::Id(id.clone())),
            Practitioner::ByNik(nik) if nik.is_empty() => return Ok(Found::Missing("practitioner")),
            Practitioner::ByNik(nik) => nik,
        };
        let key = self.keys.hash("identity.practitioner", &[nik]);
        if let Some(id) = self.ledger.identity("practitioner", &key).await? {
            return Ok(Found::Id(id));
        }
        let answer = lane.remote.practitioner(&Personal::new(nik.clone())).await;
        let words = ["practitioner", "practitioner", "practitioner_ambiguous", "practitioner"];
        self.keep("practitioner", key, answer, words).await
    }

    async fn keep(
        &self,
        kind: &str,
        key: [u8; 32],
        answer: IdentityAnswer,
        [missing, mismatch, ambiguous, hidden]: [&'static str; 4],
    ) -> Result<Found, DeliveryError> {
        Ok(match answer {
            IdentityAnswer::Found(id) => {
                let expires = self.clock.now().saturating_add(IDENTITY_LIVES).unwrap_or(Timestamp::MAX);
                self.ledger.put_identity(kind, key, id.reveal(), expires).await?;
                Found::Id(id.into_inner())
            }
            IdentityAnswer::NotFound => Found::Missing(missing),
            IdentityAnswer::Mismatch => Found::Missing(mismatch),
            IdentityAnswer::Ambiguous(_) => Found::Missing(ambiguous),
            IdentityAnswer::Hidden => Found::Missing(hidden),
            IdentityAnswer::Failed(answer) => Found::Failed(Box::new(answer)),
        })
    }
}
