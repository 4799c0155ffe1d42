//! Discrepancies as people read them: sorted by who must act, with age and the next step.
//!
//! It only words what the ledger holds. It must not show personal data: a thing is a visit's number or a server id.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::csv::safe;
use crate::ledger::discrepancy::{Cause, Class, Discrepancy, Standing, Standings};
use crate::words::{self, Language};

/// Column headers of the list.
const HEADER: &str = "number,owner,class,state,puskesmas,posyandu,service_date,thing,age_hours,evidence,next_step\n";

/// Key of the sentence that says what to do next.
fn next_step(class: Class, cause: Cause) -> &'static str {
    match (class, cause) {
        (Class::MissingAtServer, _) => "discrepancy.next.missing",
        (Class::DifferentAtServer, _) => "discrepancy.next.different",
        (Class::UnknownToUs, Cause::Ours) => "discrepancy.next.unknown_ours",
        (Class::UnknownToUs, _) => "discrepancy.next.unknown_foreign",
        (Class::WrongPerson, _) => "discrepancy.next.wrong_person",
        (Class::GoneFromSource, Cause::Decide) => "discrepancy.next.decide",
        (Class::GoneFromSource, Cause::ServerRefused) => "discrepancy.next.mark_refused",
        (Class::GoneFromSource, Cause::Rejected) => "discrepancy.next.rejected",
        (Class::GoneFromSource, _) => "discrepancy.next.mark_waits",
        (_, Cause::Data) => "discrepancy.next.data",
        (_, Cause::ServerRefused) => "discrepancy.next.server_refused",
        (_, Cause::Exhausted) => "discrepancy.next.exhausted",
        (_, Cause::Person) => "discrepancy.next.person",
        _ => "discrepancy.next.waits",
    }
}

/// What to do next, in words.
#[must_use]
pub fn next(one: &Discrepancy, language: Language) -> String {
    words::plain(language, next_step(one.class, one.cause))
}

/// Whole hours since it was seen first.
#[must_use]
pub fn age_hours(one: &Discrepancy, now: Timestamp) -> i64 {
    now.duration_since(one.first_seen_at).as_hours().max(0)
}

/// One line for each.
#[must_use]
pub fn as_text(list: &[Discrepancy], now: Timestamp, language: Language) -> String {
    if list.is_empty() {
        return words::plain(language, "discrepancy.none");
    }
    let mut lines = Vec::new();
    let mut owner = None;
    for one in list {
        if owner.replace(one.owner) != Some(one.owner) {
            lines.push(words::plain(language, &format!("discrepancy.owner.{}", one.owner.word())).to_uppercase());
        }
        let values = [
            ("nomor", one.number.to_string()),
            ("kelas", words::plain(language, &format!("discrepancy.class.{}", one.class.word()))),
            ("puskesmas", one.puskesmas.clone()),
            ("posyandu", one.posyandu.clone()),
            ("tanggal", one.service_date.to_string()),
            ("benda", one.thing.clone()),
            ("jam", age_hours(one, now).to_string()),
            ("bukti", one.evidence.clone()),
            ("langkah", next(one, language)),
        ];
        let key = match one.standing {
            Standing::Open => "discrepancy.open",
            Standing::Closed => "discrepancy.closed",
            Standing::Waived => "discrepancy.waived",
        };
        lines.push(words::text(language, key, &values));
    }
    lines.join("\n")
}

/// The list as CSV.
#[must_use]
pub fn as_csv(list: &[Discrepancy], now: Timestamp, language: Language) -> String {
    let mut out = HEADER.to_owned();
    for one in list {
        let next = next(one, language);
        let (number, age, date) =
            (one.number.to_string(), age_hours(one, now).to_string(), one.service_date.to_string());
        let cells = [
            &*number,
            one.owner.word(),
            one.class.word(),
            one.standing.word(),
            &one.puskesmas,
            &one.posyandu,
            &date,
            &one.thing,
            &age,
            &one.evidence,
            &next,
        ];
        out.push_str(&cells.map(safe).join(","));
        out.push('\n');
    }
    out
}

/// One as a value.
#[must_use]
pub fn as_json(one: &Discrepancy, now: Timestamp, language: Language) -> Value {
    let waiver = one.waiver.as_ref().map(|(command, reason)| json!({"command_id": command, "reason": reason}));
    json!({
        "number": one.number, "class": one.class.word(), "owner": one.owner.word(), "state": one.standing.word(),
        "thing": one.thing, "puskesmas": one.puskesmas, "posyandu": one.posyandu,
        "service_date": one.service_date.to_string(), "cause": one.cause.word(), "evidence": one.evidence,
        "age_hours": age_hours(one, now), "first_seen_at": one.first_seen_at.to_string(),
        "last_seen_at": one.last_seen_at.to_string(), "changed_at": one.changed_at.to_string(),
        "next_step": next(one, language), "waiver": waiver,
    })
}

/// How many stand, by class and owner.
#[must_use]
pub fn standings_json(standings: &[Standings]) -> Vec<Value> {
    let one = |one: &Standings| {
        json!({"class": one.class.word(), "owner": one.owner.word(), "state": one.standing.word(),
            "number": one.number})
    };
    standings.iter().map(one).collect()
}

/// The open ones of all owners, by class; every class is named.
#[must_use]
pub fn open_by_class(standings: &[Standings]) -> BTreeMap<&'static str, u64> {
    let mut classes: BTreeMap<&'static str, u64> = Class::ALL.iter().map(|class| (class.word(), 0)).collect();
    for one in standings.iter().filter(|one| one.standing == Standing::Open) {
        *classes.entry(one.class.word()).or_default() += one.number;
    }
    classes
}

/// A line for each class and owner that has open ones.
#[must_use]
pub fn standings_lines(standings: &[Standings], language: Language) -> Vec<String> {
    let open = standings.iter().filter(|one| one.standing == Standing::Open);
    let line = |one: &Standings| {
        let values = [
            ("jumlah", one.number.to_string()),
            ("kelas", words::plain(language, &format!("discrepancy.class.{}", one.class.word()))),
            ("pemilik", words::plain(language, &format!("discrepancy.owner.{}", one.owner.word()))),
        ];
        words::text(language, "discrepancy.standing", &values)
    };
    open.map(line).collect()
}
