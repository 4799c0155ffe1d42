//! The people of one visit: found before it is sent, doubted when the server says that a reference leads nowhere.
//!
//! After such an answer no visit is sent with the doubted id again: it is looked up anew first.

use std::sync::PoisonError;

use super::{Found, Identities, Known, PATIENT, PRACTITIONER};
use crate::delivery::{DeliveryError, Shared};
use crate::resource::envelope::{Practitioner, Whom};

/// Patient and health worker of a visit.
pub struct People {
    /// The patient.
    pub patient: Known,
    /// The health worker.
    pub practitioner: Known,
}

impl People {
    /// Finds both; `patient` is the id that the ledger remembered when the visit was claimed.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn find(
        shared: &Shared,
        identities: &Identities<'_>,
        whom: &Whom,
        key: [u8; 32],
        patient: Option<String>,
    ) -> Result<Result<Self, Found>, DeliveryError> {
        let practitioner = match practitioner(shared, identities, whom).await? {
            Found::Id(known) => known,
            other => return Ok(Err(other)),
        };
        let remembered = patient.filter(|id| !is_doubted(shared, id));
        let patient = match remembered {
            Some(id) => Known { id, cached: true },
            None => match identities.patient(&shared.lane, whom, key).await? {
                Found::Id(known) => known,
                other => return Ok(Err(other)),
            },
        };
        Ok(Ok(Self { patient, practitioner }))
    }

    /// Forgets both ids, for the server does not know one of them; tells whether one had been remembered, so that
    /// looking it up may help.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn doubt(
        &self,
        shared: &Shared,
        identities: &Identities<'_>,
        whom: &Whom,
        key: [u8; 32],
    ) -> Result<bool, DeliveryError> {
        shared.doubted.lock().unwrap_or_else(PoisonError::into_inner).insert(self.patient.id.clone());
        identities.ledger.forget_identity(PATIENT, key).await?;
        identities.forget_registration(whom, Some(&self.patient.id)).await?;
        if let Practitioner::ByNik(nik) = &whom.practitioner {
            shared.practitioners.lock().await.remove(nik);
            identities.ledger.forget_identity(PRACTITIONER, identities.practitioner_key(nik)).await?;
        }
        Ok(self.patient.cached || self.practitioner.cached)
    }
}

fn is_doubted(shared: &Shared, id: &str) -> bool {
    shared.doubted.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
}

/// The health worker in charge. One task asks, the others wait for its answer.
async fn practitioner(shared: &Shared, identities: &Identities<'_>, whom: &Whom) -> Result<Found, DeliveryError> {
    let Practitioner::ByNik(nik) = &whom.practitioner else { return identities.practitioner(&shared.lane, whom).await };
    let mut known = shared.practitioners.lock().await;
    if let Some(id) = known.get(nik) {
        return Ok(Found::cached(id.clone()));
    }
    let found = identities.practitioner(&shared.lane, whom).await?;
    if let Found::Id(one) = &found {
        known.insert(nik.clone(), one.id.clone());
    }
    Ok(found)
}
