//! Who a person is at SATUSEHAT: NIK to IHS number, confirmed by name and birth date, never guessed.
//!
//! A search by NIK alone shows masked names, so it cannot confirm anybody; the search by name, birth date and NIK
//! can: a hit is the match. It must not choose between several people.

use jiff::civil::Date;
use serde_json::Value;

use super::Remote;
use super::answer::Answer;
use super::response::identifiers_of;
use super::search::{Matches, SearchAnswer};
use crate::crash;
use crate::redact::Personal;

/// Identifier system of a NIK.
pub const NIK_SYSTEM: &str = "https://fhir.kemkes.go.id/id/nik";

/// Identifier system of the mother's NIK, by which a newborn is known.
pub const MOTHER_SYSTEM: &str = "https://fhir.kemkes.go.id/id/nik-ibu";

/// A newborn without a number of its own, as the local record knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewbornQuery {
    /// The mother's NIK.
    pub mother: Personal<String>,
    /// Birth date.
    pub birth_date: Personal<Date>,
    /// FHIR administrative gender.
    pub gender: String,
    /// 0 for a single birth, 1, 2 … among twins; `None` when it is not written.
    pub birth_order: Option<u32>,
}

/// A person as the local record knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonQuery {
    /// NIK, 16 digits.
    pub nik: Personal<String>,
    /// Full name as written.
    pub name: Personal<String>,
    /// Birth date.
    pub birth_date: Personal<Date>,
    /// FHIR administrative gender (`male`, `female`), where it is known.
    pub gender: Option<String>,
}

/// Who was found.
#[derive(Clone, Debug, PartialEq)]
pub enum IdentityAnswer {
    /// One person: the IHS number, which is the id of the Patient or Practitioner.
    Found(Personal<String>),
    /// Nobody has this NIK.
    NotFound,
    /// The NIK belongs to somebody whose name, birth date or gender differs.
    Mismatch,
    /// Somebody was found, but consent rules hide who.
    Hidden,
    /// Several people; how many.
    Ambiguous(usize),
    /// No usable answer.
    Failed(Answer),
}

impl IdentityAnswer {
    /// Key of the sentence for people; `patient` tells a patient from a practitioner. `None` when found.
    #[must_use]
    pub fn sentence(&self, patient: bool) -> Option<String> {
        let key = match (self, patient) {
            (Self::Found(_), _) => return None,
            (Self::Failed(answer), _) => return Some(answer.sentence()),
            (Self::NotFound, true) => "person.not_found",
            (Self::Mismatch, true) => "person.name_mismatch",
            (Self::Hidden, _) => "person.hidden",
            (Self::Ambiguous(_), true) => "person.ambiguous",
            (Self::NotFound | Self::Mismatch, false) => "practitioner.not_found",
            (Self::Ambiguous(_), false) => "practitioner.ambiguous",
        };
        Some(key.to_owned())
    }
}

impl Remote {
    /// Finds a patient by NIK and confirms name and birth date; one call, or two when the first finds nobody.
    pub async fn patient(&self, person: &PersonQuery) -> IdentityAnswer {
        let identifier = format!("{NIK_SYSTEM}|{}", person.nik.reveal());
        let birth_date = person.birth_date.reveal().to_string();
        let confirmed =
            [("name", person.name.reveal().as_str()), ("birthdate", &birth_date), ("identifier", &identifier)];
        let hits = match crash::around("send.patient", self.search("Patient", &confirmed)).await {
            SearchAnswer::Found(matches) => matches,
            SearchAnswer::Failed(answer) => return IdentityAnswer::Failed(answer),
        };
        let holders = with_nik(&hits, person.nik.reveal());
        match holders.as_slice() {
            [one] if agrees(one, &birth_date, person.gender.as_deref()) => found(one),
            [_] => IdentityAnswer::Mismatch,
            [] if hits.hidden > 0 => IdentityAnswer::Hidden,
            [] => self.unconfirmed(&identifier, person.nik.reveal()).await,
            several => IdentityAnswer::Ambiguous(several.len()),
        }
    }

    /// Finds a practitioner by NIK.
    pub async fn practitioner(&self, nik: &Personal<String>) -> IdentityAnswer {
        let identifier = format!("{NIK_SYSTEM}|{}", nik.reveal());
        let parameters = [("identifier", identifier.as_str())];
        let hits = match crash::around("send.practitioner", self.search("Practitioner", &parameters)).await {
            SearchAnswer::Found(matches) => matches,
            SearchAnswer::Failed(answer) => return IdentityAnswer::Failed(answer),
        };
        let holders = with_nik(&hits, nik.reveal());
        match holders.as_slice() {
            [one] => found(one),
            [] if hits.hidden > 0 => IdentityAnswer::Hidden,
            [] => IdentityAnswer::NotFound,
            several => IdentityAnswer::Ambiguous(several.len()),
        }
    }

    /// Finds a newborn among its mother's children: by birth date, gender and birth order, never by name, which changes
    /// when the child gets one.
    pub async fn newborn(&self, child: &NewbornQuery) -> IdentityAnswer {
        let identifier = format!("{MOTHER_SYSTEM}|{}", child.mother.reveal());
        let birth_date = child.birth_date.reveal().to_string();
        let hits = match self.search("Patient", &[("identifier", &identifier), ("birthdate", &birth_date)]).await {
            SearchAnswer::Found(matches) => matches,
            SearchAnswer::Failed(answer) => return IdentityAnswer::Failed(answer),
        };
        if hits.hidden > 0 || !hits.complete {
            return IdentityAnswer::Hidden;
        }
        let born: Vec<&Value> = hits
            .resources
            .iter()
            .map(Personal::reveal)
            .filter(|one| one["birthDate"] == birth_date.as_str() && is_child_of(one, child.mother.reveal()))
            .collect();
        siblings(&born, child)
    }

    /// Whether anybody at SATUSEHAT has a NIK.
    ///
    /// # Errors
    /// The answer, when it was no usable one.
    pub async fn is_known(&self, nik: &Personal<String>) -> Result<bool, Box<Answer>> {
        let identifier = format!("{NIK_SYSTEM}|{}", nik.reveal());
        match self.search("Patient", &[("identifier", &identifier)]).await {
            SearchAnswer::Found(hits) => Ok(hits.hidden > 0 || !with_nik(&hits, nik.reveal()).is_empty()),
            SearchAnswer::Failed(answer) => Err(Box::new(answer)),
        }
    }

    /// Nobody fits name and birth date: does the NIK belong to somebody else?
    async fn unconfirmed(&self, identifier: &str, nik: &str) -> IdentityAnswer {
        let parameters = [("identifier", identifier)];
        match crash::around("send.unconfirmed", self.search("Patient", &parameters)).await {
            SearchAnswer::Failed(answer) => IdentityAnswer::Failed(answer),
            SearchAnswer::Found(hits) if !with_nik(&hits, nik).is_empty() => IdentityAnswer::Mismatch,
            SearchAnswer::Found(hits) if hits.hidden > 0 => IdentityAnswer::Hidden,
            SearchAnswer::Found(_) => IdentityAnswer::NotFound,
        }
    }
}

/// Which of the children born to a mother on a day is meant.
fn siblings(born: &[&Value], child: &NewbornQuery) -> IdentityAnswer {
    let order = |one: &Value| one["multipleBirthInteger"].as_u64().and_then(|order| u32::try_from(order).ok());
    let Some(wanted) = child.birth_order else {
        // Only a child that is told to be a single birth is certainly the one.
        return match born {
            [] => IdentityAnswer::NotFound,
            [one] if order(one) == Some(0) && one["gender"] == child.gender.as_str() => found(one),
            several => IdentityAnswer::Ambiguous(several.len()),
        };
    };
    let alike: Vec<&&Value> = born.iter().filter(|one| order(one) == Some(wanted)).collect();
    match alike.as_slice() {
        [one] if one["gender"] == child.gender.as_str() => found(one),
        [_] => IdentityAnswer::Mismatch,
        // A single birth beside another child of that day, or the other way round: one of the two is wrong.
        [] if born.iter().any(|one| (order(one) == Some(0)) != (wanted == 0)) => IdentityAnswer::Mismatch,
        [] => IdentityAnswer::NotFound,
        several => IdentityAnswer::Ambiguous(several.len()),
    }
}

/// The search may ignore what it was asked for, so each hit must show the mother's number.
fn is_child_of(resource: &Value, mother: &str) -> bool {
    let shown: Vec<(String, String)> =
        identifiers_of(resource).into_iter().filter(|own| own.0 == MOTHER_SYSTEM).collect();
    shown.iter().any(|(_, own)| own == mother || is_mask(own))
}

/// The hits that hold the NIK, or show it as a mask.
fn with_nik<'a>(matches: &'a Matches, nik: &str) -> Vec<&'a Value> {
    let holds = |resource: &Value| {
        let shown: Vec<String> =
            identifiers_of(resource).into_iter().filter(|own| own.0 == NIK_SYSTEM).map(|own| own.1).collect();
        shown.is_empty() || shown.iter().any(|own| own == nik || is_mask(own))
    };
    matches.resources.iter().map(Personal::reveal).filter(|resource| holds(resource)).collect()
}

/// `################`, as the server shows a NIK it does not want to show.
fn is_mask(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| matches!(letter, '#' | '*'))
}

/// What the server shows in clear must agree; what it hides says nothing.
fn agrees(resource: &Value, birth_date: &str, gender: Option<&str>) -> bool {
    let shown = |key: &str| resource[key].as_str().filter(|text| !text.is_empty() && !text.contains(['#', '*']));
    shown("birthDate").is_none_or(|own| own == birth_date)
        && gender.is_none_or(|gender| shown("gender").is_none_or(|own| own == gender))
}

fn found(resource: &Value) -> IdentityAnswer {
    // A search keeps only entries with an id.
    IdentityAnswer::Found(Personal::new(resource["id"].as_str().unwrap_or("").to_owned()))
}
