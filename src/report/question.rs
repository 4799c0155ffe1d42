//! Rows that ask who they are about, as people read them.
//!
//! It only words what the ledger holds. It must not show what is known of a person, only where it was read: whoever may
//! see more asks for it with a reason.

use serde_json::{Value, json};

use crate::clock::Zone;
use crate::issue::Place;
use crate::ledger::question::{Candidate, Question, SHARED_NUMBER};
use crate::record::matching::Person;
use crate::words::{self, Language};

/// Whether a row that is stopped by a rule asks whom it is about.
#[must_use]
pub fn is_asked(rule: &str) -> bool {
    matches!(rule, "person.several" | "person.two_niks" | "person.too_many" | SHARED_NUMBER)
}

/// Why a row asks.
#[must_use]
pub fn why(question: &Question, language: Language) -> String {
    let key = match question.rule.as_str() {
        SHARED_NUMBER => "persons.why.shared",
        "person.two_niks" => "persons.why.two_niks",
        "person.too_many" => "persons.why.too_many",
        _ => "persons.why.several",
    };
    words::plain(language, key)
}

/// What is known of somebody whom a row may mean; `None` when it cannot be read.
#[must_use]
pub fn known(candidate: &Candidate) -> Option<Person> {
    serde_json::from_str(candidate.content.reveal()).ok()
}

/// File and row, in one line.
#[must_use]
pub fn place(place: &Place) -> String {
    let parts = [&*place.source, &*place.file, place.row.as_str()];
    let mut named: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    named.dedup();
    named.join(" ")
}

/// A question in lines.
#[must_use]
pub fn as_text(question: &Question, zone: Zone, language: Language) -> String {
    let values = [
        ("nomor", question.number.to_string()),
        ("tanggal", question.date.to_string()),
        ("puskesmas", question.puskesmas.clone().unwrap_or_default()),
        ("posyandu", question.posyandu.clone().unwrap_or_default()),
        ("tempat", place(&question.place)),
        ("sebab", why(question, language)),
    ];
    let mut lines = vec![words::text(language, "persons.line", &values)];
    for candidate in &question.candidates {
        let told = known(candidate).map(|person| place(&person.place)).unwrap_or_default();
        let values = [("nomor", candidate.number.to_string()), ("tempat", told)];
        lines.push(words::text(language, "persons.candidate", &values));
    }
    if let Some(answered) = &question.answered {
        let mut values = vec![("waktu", zone.text_at(answered.at)), ("alasan", answered.reason.clone())];
        let key = match answered.person {
            Some(person) => {
                values.push(("orang", person.to_string()));
                "persons.answered_same"
            }
            None => "persons.answered_other",
        };
        lines.push(words::text(language, key, &values));
    }
    lines.join("\n")
}

/// A question as a value.
#[must_use]
pub fn as_json(question: &Question) -> Value {
    let candidate = |one: &Candidate| {
        let told = known(one).map(|person| person.place).unwrap_or_default();
        json!({"person": one.number, "source": told.source, "file": told.file, "row": told.row})
    };
    let answered = question
        .answered
        .as_ref()
        .map(|answered| json!({"person": answered.person, "at": answered.at.to_string(), "reason": answered.reason}));
    json!({
        "number": question.number, "rule": question.rule, "date": question.date.to_string(),
        "puskesmas": question.puskesmas, "posyandu": question.posyandu, "source": question.place.source,
        "file": question.place.file, "row": question.place.row,
        "candidates": question.candidates.iter().map(candidate).collect::<Vec<_>>(), "answered": answered,
    })
}
