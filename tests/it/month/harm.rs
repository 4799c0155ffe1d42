//! What goes wrong at the server and in the files behind the gateway's back, and what must be told of it.

use std::collections::{BTreeMap, BTreeSet};

use posyandu_gateway::ledger::discrepancy::Class;
use serde_json::{Value, json};

use super::city::{ARM, City, Size, WEIGHT};

/// LOINC code of a body weight.
const WEIGHT_CODE: &str = "29463-7";
/// SNOMED code of the arm circumference.
const ARM_CODE: &str = "284473002";
/// Kinds of what the server holds and nobody told of.
const STRANGERS: usize = 4;

/// What was done, and how to undo it.
pub struct Harm {
    /// Class and thing of each discrepancy.
    pub expected: BTreeSet<(Class, String)>,
    /// Encounters taken away.
    pub encounters_lost: u64,
    /// Encounters put in that belong to the month and to a puskesmas.
    pub encounters_unknown: u64,
    before: Vec<(String, String, Option<Value>)>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// An Encounter with its weight.
struct Visit {
    encounter: Value,
    weight: Value,
}

fn visits(city: &City) -> Vec<Visit> {
    let held = city.held();
    let is_weight = |one: &&Value| one["code"]["coding"][0]["code"] == WEIGHT_CODE;
    let weights: BTreeMap<String, &Value> = held
        .iter()
        .filter(|one| one["resourceType"] == "Observation")
        .filter(is_weight)
        .map(|one| (text(&one["encounter"]["reference"]), one))
        .collect();
    let encounters = held.iter().filter(|one| one["resourceType"] == "Encounter");
    let visit = |encounter: &Value| {
        let weight = weights.get(&format!("Encounter/{}", text(&encounter["id"])))?;
        Some(Visit { encounter: encounter.clone(), weight: (*weight).clone() })
    };
    encounters.filter_map(visit).collect()
}

/// How far from each other lie the visits that are harmed.
fn step(size: Size) -> usize {
    let step = size.visits / (size.each * 5 + STRANGERS);
    assert!(step > 2, "not enough visits");
    step
}

/// A cadre empties a cell of visits between those that are harmed; gives what the server holds of those cells.
pub fn leave_out(city: &City, size: Size) -> BTreeSet<(Class, String)> {
    let is_arm = |one: &&Value| one["code"]["coding"][0]["code"] == ARM_CODE;
    let held = city.held();
    let arms: BTreeMap<String, String> =
        held.iter().filter(is_arm).map(|one| (text(&one["subject"]["reference"]), text(&one["id"]))).collect();
    let numbers = city.numbers();
    let mut gone = BTreeMap::new();
    for visit in visits(city).iter().skip(step(size) / 2).step_by(step(size)).take(size.each) {
        let person = text(&visit.encounter["subject"]["reference"]);
        gone.insert(numbers[&person].clone(), (Class::GoneFromSource, format!("Observation/{}", arms[&person])));
    }
    city.edit(size, |cells| {
        if gone.contains_key(&cells[3]) {
            cells[ARM].clear();
        }
    });
    gone.into_values().collect()
}

impl Harm {
    /// Does each kind of harm to visits far from each other; what is known already stays.
    pub fn done(city: &City, size: Size, expected: BTreeSet<(Class, String)>) -> Self {
        let visits = visits(city);
        assert_eq!(visits.len(), size.visits, "each visit has a weight");
        let mut harm = Self { expected, encounters_lost: 0, encounters_unknown: 0, before: Vec::new() };
        let mut chosen = visits.iter().step_by(step(size));
        let mut next = || chosen.next().unwrap();
        for at in 0..size.each {
            harm.lose(city, next(), at);
            harm.change(city, next());
            harm.confuse(city, next(), next());
            harm.add_stranger(city, next(), at);
        }
        harm.change_source(city, &visits, size);
        harm.do_nothing_wrong(city, &visits[1]);
        harm
    }

    fn put(&mut self, city: &City, resource: &Value, before: Option<&Value>) {
        let (kind, id) = (text(&resource["resourceType"]), text(&resource["id"]));
        city.simulator.tamper(&kind, &id, Some(resource.clone()));
        self.before.push((kind, id, before.cloned()));
    }

    fn expect(&mut self, class: Class, resource: &Value) {
        let thing = format!("{}/{}", text(&resource["resourceType"]), text(&resource["id"]));
        assert!(self.expected.insert((class, thing)));
    }

    fn lose(&mut self, city: &City, visit: &Visit, at: usize) {
        let lost = if at.is_multiple_of(2) { &visit.weight } else { &visit.encounter };
        self.encounters_lost += u64::from(!at.is_multiple_of(2));
        let (kind, id) = (text(&lost["resourceType"]), text(&lost["id"]));
        city.simulator.tamper(&kind, &id, None);
        self.before.push((kind, id, Some(lost.clone())));
        self.expect(Class::MissingAtServer, lost);
    }

    fn change(&mut self, city: &City, visit: &Visit) {
        let mut changed = visit.weight.clone();
        changed["valueQuantity"]["value"] = json!(visit.weight["valueQuantity"]["value"].as_f64().unwrap() + 0.7);
        self.put(city, &changed, Some(&visit.weight));
        self.expect(Class::DifferentAtServer, &changed);
    }

    fn confuse(&mut self, city: &City, visit: &Visit, other: &Visit) {
        let mut confused = visit.weight.clone();
        confused["subject"] = other.weight["subject"].clone();
        self.put(city, &confused, Some(&visit.weight));
        self.expect(Class::WrongPerson, &confused);
    }

    /// Another application's visit, one of a person whom the ledger does not know, one of a ledger that was lost, and a
    /// measurement that somebody added to our visit.
    fn add_stranger(&mut self, city: &City, visit: &Visit, at: usize) {
        let mut stranger = if at % STRANGERS == 3 { visit.weight.clone() } else { visit.encounter.clone() };
        stranger["id"] = json!(format!("00000000-0000-4000-9000-{at:012}"));
        let organization = text(&visit.encounter["serviceProvider"]["reference"]).replace("Organization/", "");
        match at % STRANGERS {
            0 => {
                let system = format!("http://sys-ids.kemkes.go.id/asik/{organization}");
                stranger["identifier"] = json!([{"system": system, "value": format!("asik-{at}")}]);
            }
            1 => {
                stranger["subject"] = json!({"reference": format!("Patient/P8{at:010}")});
                stranger["identifier"][0]["value"] = json!(format!("other-{at}"));
            }
            2 => {}
            _ => stranger["identifier"][0]["value"] = json!(format!("added-{at}")),
        }
        self.encounters_unknown += u64::from(at % STRANGERS != 3);
        self.put(city, &stranger, None);
        self.expect(Class::UnknownToUs, &stranger);
    }

    /// A cadre corrects a weight: the first visit of posyandu after posyandu that nothing else happened to.
    fn change_source(&mut self, city: &City, visits: &[Visit], size: Size) {
        let touched: BTreeSet<String> = self.before.iter().map(|(_, id, _)| id.clone()).collect();
        let is_untouched =
            |visit: &&Visit| ![&visit.weight, &visit.encounter].iter().any(|one| touched.contains(&text(&one["id"])));
        let numbers = city.numbers();
        let free: BTreeSet<&String> = visits
            .iter()
            .filter(is_untouched)
            .map(|visit| &numbers[&text(&visit.encounter["subject"]["reference"])])
            .collect();
        let mut posyandu = BTreeSet::new();
        let expected = &mut self.expected;
        city.edit(size, |cells| {
            let is_free = free.contains(&cells[3]) && !cells[ARM].is_empty();
            if posyandu.len() < size.each && is_free && posyandu.insert(cells[1].clone()) {
                let day: Vec<&str> = cells[2].split('-').collect();
                let code: usize = cells[1].trim_start_matches("Contoh ").parse().unwrap();
                let name = format!("PSY-{code:03} {}-{}-{}", day[2], day[1], day[0]);
                assert!(expected.insert((Class::ChangedInSource, name)));
                cells[WEIGHT] = format!("{:.1}", cells[WEIGHT].parse::<f64>().unwrap() + 0.4);
            }
        });
        assert_eq!(posyandu.len(), size.each);
    }

    /// What is no discrepancy: our patient elsewhere, our visit of another month, what was entered in error.
    fn do_nothing_wrong(&mut self, city: &City, visit: &Visit) {
        for at in 0..3 {
            let mut decoy = visit.encounter.clone();
            decoy["id"] = json!(format!("00000000-0000-4000-a000-{at:012}"));
            decoy["identifier"] =
                json!([{"system": "http://sys-ids.kemkes.go.id/encounter/100099999", "value": format!("decoy-{at}")}]);
            match at {
                0 => decoy["serviceProvider"] = json!({"reference": "Organization/100099999"}),
                1 => decoy["period"]["start"] = json!("2026-10-07T02:00:00+00:00"),
                _ => decoy["status"] = json!("entered-in-error"),
            }
            self.put(city, &decoy, None);
        }
    }

    pub fn of(&self, class: Class) -> u64 {
        self.expected.iter().filter(|(own, _)| *own == class).count() as u64
    }

    /// Everything at the server as it was; the corrections stay.
    pub fn undone(&self, city: &City) {
        for (kind, id, before) in self.before.iter().rev() {
            city.simulator.tamper(kind, id, before.clone());
        }
    }
}
