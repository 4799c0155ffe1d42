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
