//! The persons and places the stand-in knows: its master indexes.
//!
//! It must not mask or shape anything for an answer; it only finds people.

use std::collections::HashMap;

use serde::Deserialize;

/// People published for the ministry's sandbox, with invented names (satusehat-api.md, section 7).
const DUMMIES: &str = include_str!("dummies.json");

/// One person of an index.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Civil number of 16 digits; empty for a newborn known by the mother only.
    #[serde(default)]
    pub nik: String,
    /// Number in the ministry's index.
    pub ihs: String,
    /// Full name.
    pub name: String,
    /// Date of birth, `YYYY-MM-DD`.
    pub birth_date: String,
    /// `male` or `female`.
    pub gender: String,
    /// The mother's civil number.
    #[serde(default)]
    pub nik_ibu: Option<String>,
    /// Address line.
    #[serde(default)]
    pub address: Option<String>,
    /// Birth order: 0 single, 1, 2 … for multiple births.
    #[serde(default)]
    pub birth_order: u32,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Person").field("ihs", &self.ihs).finish_non_exhaustive()
    }
}

/// An organisation known from the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownOrganization {
    /// Its number.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A place known from the start.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownLocation {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The organisation it belongs to.
    pub organization: String,
}

/// What a people file holds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct People {
    /// Patients; the same NIK twice makes a search answer two hits.
    pub patients: Vec<Person>,
    /// Health workers.
    pub practitioners: Vec<Person>,
    /// Organisations.
    pub organizations: Vec<KnownOrganization>,
    /// Places.
    pub locations: Vec<KnownLocation>,
}

impl People {
    /// Reads a people file: `{"patients":[…],"practitioners":[…],"organizations":[…],"locations":[…]}`.
    ///
    /// # Errors
    /// The text is not JSON of that form; the error names line and column.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The ministry's published dummies.
    ///
    /// # Errors
    /// The packaged file is damaged.
    pub fn dummies() -> Result<Self, serde_json::Error> {
        Self::from_json(DUMMIES)
    }
}

/// One index of people with its look-ups.
#[derive(Default)]
pub(super) struct Index {
    people: Vec<Person>,
    by_nik: HashMap<String, Vec<usize>>,
    by_ihs: HashMap<String, usize>,
    by_birth_date: HashMap<String, Vec<usize>>,
    by_mother: HashMap<String, Vec<usize>>,
}

impl Index {
    /// Adds a person.
    pub(super) fn add(&mut self, person: Person) {
        let place = self.people.len();
        if !person.nik.is_empty() {
            self.by_nik.entry(person.nik.clone()).or_default().push(place);
        }
        self.by_ihs.entry(person.ihs.clone()).or_insert(place);
        self.by_birth_date.entry(person.birth_date.clone()).or_default().push(place);
        if let Some(mother) = &person.nik_ibu {
            self.by_mother.entry(mother.clone()).or_default().push(place);
        }
        self.people.push(person);
    }

    /// Adds those of `others` whose numbers are not known yet.
    pub(super) fn add_unknown(&mut self, others: Vec<Person>) {
        for person in others {
            if !self.by_nik.contains_key(&person.nik) && !self.by_ihs.contains_key(&person.ihs) {
                self.add(person);
            }
        }
    }

    /// Gives a known person a civil number, as when a child gets one later.
    pub(super) fn identify(&mut self, ihs: &str, nik: String) {
        let Some(place) = self.by_ihs.get(ihs).copied() else { return };
        if let Some(person) = self.people.get_mut(place) {
            if let Some(places) = self.by_nik.get_mut(&person.nik) {
                places.retain(|other| *other != place);
            }
            self.by_nik.entry(nik.clone()).or_default().push(place);
            person.nik = nik;
        }
    }

    /// Everyone with this civil number.
    pub(super) fn with_nik(&self, nik: &str) -> Vec<&Person> {
        self.at(self.by_nik.get(nik))
    }

    /// Everyone born on this day.
    pub(super) fn born_on(&self, date: &str) -> Vec<&Person> {
        self.at(self.by_birth_date.get(date))
    }

    /// All children of the mother with this civil number.
    pub(super) fn children_of(&self, nik: &str) -> Vec<&Person> {
        self.at(self.by_mother.get(nik))
    }

    /// The person with this number of the ministry's index.
    pub(super) fn with_ihs(&self, ihs: &str) -> Option<&Person> {
        self.by_ihs.get(ihs).and_then(|place| self.people.get(*place))
    }

    fn at(&self, places: Option<&Vec<usize>>) -> Vec<&Person> {
        places.into_iter().flatten().filter_map(|place| self.people.get(*place)).collect()
    }
}

/// Name in the form it is compared in: upper case, single spaces.
fn comparable(name: &str) -> String {
    name.split_whitespace().map(str::to_uppercase).collect::<Vec<_>>().join(" ")
}

/// True when `query` (at least three letters) is the name or its beginning.
pub(super) fn name_matches(name: &str, query: &str) -> bool {
    let query = comparable(query);
    query.len() >= 3 && comparable(name).starts_with(&query)
}

/// A name as a bare NIK search shows it: two letters of each word and `**`.
pub(super) fn masked_name(name: &str) -> String {
    let words: Vec<String> =
        name.split_whitespace().map(|word| word.chars().take(2).collect::<String>() + "**").collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_dummies_are_packaged() -> Result<(), serde_json::Error> {
        let dummies = People::dummies()?;
        assert_eq!((dummies.patients.len(), dummies.practitioners.len()), (10, 10));
        Ok(())
    }

    #[test]
    fn an_unknown_member_of_a_people_file_is_refused() {
        assert!(People::from_json(r#"{"patiens":[]}"#).is_err());
    }

    #[test]
    fn names_are_masked_word_by_word() {
        assert_eq!(masked_name("Siti Nur Contoh"), "Si** Nu** Co**");
        assert!(name_matches("SITI  NUR CONTOH", "siti nur"));
        assert!(!name_matches("SITI NUR CONTOH", "si"));
    }
}
