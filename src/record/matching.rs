//! Who a row speaks of: its facts about a person held against the persons that the directory offers.
//!
//! Pure. It must not look anybody up, and never takes the likelier of two: what is not certain goes to a human.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Record;
use super::person::normal_name;
use super::words::is_baby_of;
use crate::issue::{Code, Issue, Place};

/// Letters of a name for each misspelt letter that is let pass, between [`SPELLING_LEAST`] and [`SPELLING_MOST`]
/// (own choice): twins named Hasan and Husin differ by two letters.
const LETTERS_PER_MISTAKE: usize = 5;
/// Misspelt letters that are let pass in the shortest name.
const SPELLING_LEAST: usize = 1;
/// Misspelt letters that are let pass in the longest name.
const SPELLING_MOST: usize = 2;
/// Places named in one issue, at most.
const PLACES_MAX: usize = 3;

/// What is known, or said by one row, about a person.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The number, sixteen digits.
    pub nik: Option<String>,
    /// Whether nothing speaks against the number.
    pub is_genuine: bool,
    /// Name as written.
    pub name: String,
    /// Day of birth.
    pub birth: Option<Date>,
    /// `L` or `P`.
    pub sex: Option<String>,
    /// The mother's name as written.
    pub mother: Option<String>,
    /// The mother's number.
    pub mother_nik: Option<String>,
    /// The family's number.
    pub family: Option<String>,
    /// Code of the posyandu.
    pub posyandu: Option<String>,
    /// The row that told it.
    pub place: Place,
    /// The day of service in that row; none in a register.
    #[serde(default)]
    pub day: Option<Date>,
    /// Whether the row has a key of its own, so that its place is the same row for ever.
    #[serde(skip)]
    pub is_keyed: bool,
}

/// What is known of somebody never shows; where it was read does.
impl fmt::Debug for Person {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Person").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Person {
    /// What a row's record of `sasaran` says; the posyandu as written is left out, only its code tells places apart.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        let text = |field: &str| record.text(field).map(str::to_owned);
        Self {
            nik: text("nik"),
            is_genuine: record.text("status_nik") == Some("asli"),
            name: text("nama").unwrap_or_default(),
            birth: record.date("tanggal_lahir"),
            sex: text("jenis_kelamin"),
            mother: text("nama_ibu"),
            mother_nik: text("nik_ibu"),
            family: text("no_kk"),
            posyandu: None,
            place: record.place.clone(),
            day: None,
            is_keyed: false,
        }
    }

    /// Everything that tells persons apart, as one text: two rows with the same one say the same.
    #[must_use]
    pub fn spelt(&self) -> String {
        let known = Self { place: Place::default(), day: None, ..self.clone() };
        serde_json::to_string(&known).unwrap_or_default()
    }

    /// Whether this is the row that told a person, so that another fact in it is a correction. The line of a file
    /// moves and is written over, but a visit keeps its day; a wholly other name is believed only at the very place.
    fn corrects(&self, person: &Self, likeness: Likeness) -> bool {
        let same_day = self.day.is_some() && self.day == person.day;
        let same_file = self.place.source == person.place.source && self.place.file == person.place.file;
        let same_row = match (self.place == person.place, likeness == Likeness::Other) {
            (true, true) => same_day || self.is_keyed,
            (true, false) => true,
            (false, is_other) => same_file && same_day && !self.is_keyed && !is_other && self.birth != person.birth,
        };
        same_row && self.birth.is_some()
    }

    /// Whether the name says only whose baby it is.
    #[must_use]
    pub fn is_baby(&self) -> bool {
        is_baby_of(&self.name)
    }

    /// The mother's name as it is compared: her own cell, else the name of "By Ny X".
    #[must_use]
    pub fn mother_name(&self) -> Option<String> {
        let named = self.mother.as_deref().map(normal_name).filter(|name| !name.is_empty());
        named.or_else(|| self.is_baby().then(|| normal_name(&self.name)))
    }

    fn has_mother_of(&self, other: &Self) -> bool {
        let same_nik = self.mother_nik.is_some() && self.mother_nik == other.mother_nik;
        same_nik || (self.mother_name().is_some() && self.mother_name() == other.mother_name())
    }

    /// Takes over what the directory did not know yet; a correction of the row that told it replaces.
    pub fn learn(&mut self, row: &Self, corrects: bool) {
        let take = |mine: &mut Option<String>, theirs: &Option<String>| {
            if theirs.is_some() && (corrects || mine.is_none()) {
                mine.clone_from(theirs);
            }
        };
        let surer = row.nik.is_some() && row.nik == self.nik && row.is_genuine && !self.is_genuine;
        take(&mut self.sex, &row.sex);
        take(&mut self.mother, &row.mother);
        take(&mut self.mother_nik, &row.mother_nik);
        take(&mut self.family, &row.family);
        take(&mut self.posyandu, &row.posyandu);
        if row.birth.is_some() && (corrects || self.birth.is_none()) {
            self.birth = row.birth;
        }
        // A child that has a name now keeps it; the row that gave it answers for it from here on.
        if !row.name.is_empty() && (corrects || self.name.is_empty() || (self.is_baby() && !row.is_baby())) {
            self.name.clone_from(&row.name);
            self.place = row.place.clone();
            self.day = row.day;
        }
        if surer || self.nik.is_none() {
            self.nik.clone_from(&row.nik);
            self.is_genuine = row.is_genuine;
        }
    }
}

/// By what a person was found; each is weaker than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum By {
    /// The number.
    Nik,
    /// Family number, name and birth date.
    Family,
    /// Name, birth date, mother and village.
    Name,
    /// Mother, birth date and posyandu, of a child that had no name in one of the two rows.
    Baby,
}

impl By {
    /// The fields, for people.
    #[must_use]
    pub fn fields(self) -> &'static str {
        match self {
            Self::Nik => "NIK",
            Self::Family => "no KK + nama + tanggal lahir",
            Self::Name => "nama + tanggal lahir + nama ibu + kelurahan",
            Self::Baby => "ibu + tanggal lahir + posyandu",
        }
    }
}

/// Who a row speaks of.
#[derive(Debug)]
pub enum Verdict<'a, K> {
    /// Nobody that is known.
    Stranger,
    /// Exactly this person.
    Same {
        /// Whom.
        key: &'a K,
        /// The person.
        person: &'a Person,
        /// By what.
        by: By,
        /// The name is spelt another way.
        varies: bool,
        /// The row is the one that told the person, and says something else now.
        corrects: bool,
    },
    /// A human must look: why, and whom the row may mean.
    Stopped(Box<Issue>, Vec<&'a K>),
}

/// Holds a row's facts against the persons that share a key with them. Each candidate says by what it was found.
pub fn judge<'a, K: PartialEq>(row: &Person, candidates: &[(By, &'a K, &'a Person)]) -> Verdict<'a, K> {
    let found = |by: By| {
        let mut found: Vec<(&'a K, &'a Person)> = Vec::new();
        for (_, key, person) in candidates.iter().filter(|(how, _, _)| *how == by) {
            if found.iter().all(|(known, _)| known != key) {
                found.push((key, person));
            }
        }
        found
    };
    if let [(key, person), ..] = found(By::Nik).as_slice() {
        return by_nik(row, key, person);
    }
    for by in [By::Family, By::Name, By::Baby] {
        let mut found = found(by);
        if by == By::Baby {
            // Two babies without names may be twins, and so may two with numbers of their own.
            let own = |person: &Person| row.nik.is_some() && person.nik.is_some();
            found.retain(|(_, person)| row.is_baby() != person.is_baby() && !own(person));
        }
        match found.as_slice() {
            [] => {}
            [(key, person)] if row.nik.is_some() && person.nik.is_some() => {
                return stopped("person.two_niks", &[&person.place], row, vec![*key]);
            }
            [(key, person)] => {
                return Verdict::Same { key, person, by, varies: false, corrects: false };
            }
            several => {
                let places: Vec<&Place> = several.iter().map(|(_, person)| &person.place).collect();
                return stopped("person.several", &places, row, several.iter().map(|(key, _)| *key).collect());
            }
        }
    }
    Verdict::Stranger
}

/// The number is known. Is it this person's?
fn by_nik<'a, K>(row: &Person, key: &'a K, person: &'a Person) -> Verdict<'a, K> {
    let likeness = likeness(row, person);
    let corrects = row.corrects(person, likeness);
    let other = |mine: bool, theirs: bool, equal: bool| mine && theirs && !equal;
    let other_birth = other(row.birth.is_some(), person.birth.is_some(), row.birth == person.birth);
    let other_sex = other(row.sex.is_some(), person.sex.is_some(), row.sex == person.sex);
    if !corrects && (other_birth || (other_sex && likeness != Likeness::Same) || likeness == Likeness::Other) {
        return stopped("nik.shared", &[&person.place], row, vec![key]);
    }
    // Without its birth date a doubtful number names nobody.
    if !row.is_genuine && row.birth.is_none() {
        return Verdict::Stranger;
    }
    let corrects = corrects && (other_birth || other_sex || row.name != person.name);
    Verdict::Same { key, person, by: By::Nik, varies: !corrects && likeness == Likeness::Spelling, corrects }
}

fn stopped<'a, K>(rule: &'static str, places: &[&Place], row: &Person, among: Vec<&'a K>) -> Verdict<'a, K> {
    let mut places: Vec<String> = places.iter().map(|place| told(place)).collect();
    places.sort_unstable();
    let more = places.len().saturating_sub(PLACES_MAX);
    places.truncate(PLACES_MAX);
    let more = if more > 0 { format!(" (+{more})") } else { String::new() };
    let code = if rule == "person.several" { Code::MultipleMatches } else { Code::Conflict };
    let issue = Issue::error(code, rule).with("tempat", format!("{}{more}", places.join("; ")));
    Verdict::Stopped(Box::new(issue.on("sasaran.nik").at(row.place.clone())), among)
}

/// A place as it may stand in a sentence. The row of a sender is a key of its own making and may be a number of
/// somebody, so that long ones are left out.
fn told(place: &Place) -> String {
    /// Characters of the longest row that is named.
    const ROW_CHARACTERS_MAX: usize = 12;
    let file = if place.file == place.source { "" } else { &*place.file };
    let row = if place.row.chars().count() <= ROW_CHARACTERS_MAX { place.row.as_str() } else { "" };
    [&*place.source, file, row].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How two names compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Likeness {
    Same,
    Spelling,
    Other,
}

fn likeness(row: &Person, person: &Person) -> Likeness {
    if row.name == person.name {
        return Likeness::Same;
    }
    match (row.is_baby(), person.is_baby()) {
        // A row that names a number but nobody is stopped by its missing name, not by a comparison.
        _ if row.name.is_empty() || person.name.is_empty() => Likeness::Same,
        (true, true) if normal_name(&row.name) == normal_name(&person.name) => Likeness::Same,
        (true, true) => Likeness::Other,
        (true, false) | (false, true) if row.has_mother_of(person) => Likeness::Same,
        (true, false) | (false, true) => Likeness::Other,
        (false, false) => names(&normal_name(&row.name), &normal_name(&person.name)),
    }
}

/// Equal, spelt otherwise, or another's. Numbers are no letters: "Siti 1" and "Siti 2" are two.
fn names(one: &str, other: &str) -> Likeness {
    let digits = |name: &str| name.chars().filter(char::is_ascii_digit).collect::<String>();
    if one == other {
        return Likeness::Same;
    }
    if digits(one) != digits(other) {
        return Likeness::Other;
    }
    let letters = one.chars().count().min(other.chars().count());
    if letters > 1 && (one.starts_with(other) || other.starts_with(one)) {
        return Likeness::Spelling;
    }
    let (mine, theirs): (Vec<&str>, Vec<&str>) = (one.split(' ').collect(), other.split(' ').collect());
    let by_words = mine.len() != theirs.len() || mine.iter().zip(&theirs).all(|(one, other)| is_misspelt(one, other));
    if by_words && is_misspelt(one, other) { Likeness::Spelling } else { Likeness::Other }
}

/// Whether two words, or two whole names, may be one by their letters.
fn is_misspelt(one: &str, other: &str) -> bool {
    let letters = one.chars().count().min(other.chars().count());
    let mistakes = (letters / LETTERS_PER_MISTAKE).clamp(SPELLING_LEAST, SPELLING_MOST);
    strsim::osa_distance(one, other) <= mistakes
}
