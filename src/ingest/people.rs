//! The persons of a batch of rows: one question to the ledger for all of them, then row by row who it is.
//!
//! It must not hold more than the persons that a batch names, and decides nothing: `record::matching` does. Rows of a
//! batch find each other through what the rows before them told.

use std::collections::HashMap;

use crate::issue::{Code, Issue};
use crate::ledger::person::{Alias, AliasKind, PersonTold};
use crate::ledger::row::{RowKind, RowSeen};
use crate::ledger::{Ledger, LedgerError};
use crate::record::matching::{By, Person, Verdict, judge};
use crate::record::person::normal_name;
use crate::record::{Record, RowOutcome};
use crate::redact::Personal;
use crate::source::Row;

use super::row::{Origin, PERSON, service_date};

/// Keyed hash that names a person in visits.
type Identity = [u8; 32];

/// Persons that one keyed name may lead to, the number aside (own choice). Where a column is filled with one word
/// everybody shares a name: beyond this it tells nobody apart, and comparing all with all would take for ever.
const CANDIDATES_MAX: usize = 200;

/// A row that was read by itself and waits to hear whom it speaks of.
#[derive(Debug)]
pub struct Asked {
    /// The row.
    pub row: Row,
    outcome: Option<RowOutcome>,
    facts: Option<Person>,
    aliases: Vec<Alias>,
}

impl Asked {
    /// What a row asks, read as it is.
    #[must_use]
    pub fn new(row: Row, outcome: RowOutcome, origin: &Origin<'_>) -> Self {
        let (facts, aliases) = match outcome.records.iter().find(|record| record.schema.dataset == PERSON) {
            None => (None, Vec::new()),
            Some(record) => {
                let (facts, aliases) = question(record, &outcome.records, origin);
                (Some(facts), aliases)
            }
        };
        Self { row, outcome: Some(outcome), facts, aliases }
    }
}

/// What a row says about its person, and the keyed names that follow from it.
fn question(record: &Record, records: &[Record], origin: &Origin<'_>) -> (Person, Vec<Alias>) {
    let mut facts = Person::of(record);
    facts.is_keyed = origin.keyed;
    facts.day = service_date(records);
    let written = record.text("posyandu");
    let posyandu = written.and_then(|written| origin.register.find(written, origin.puskesmas).ok());
    facts.posyandu = posyandu.map(|posyandu| posyandu.code.clone());
    let mut aliases: Vec<Alias> = Vec::new();
    let mut add = |kind: AliasKind, parts: &[&str]| aliases.push((kind, origin.keys.hash("person.alias", parts)));
    if let Some(nik) = &facts.nik {
        add(AliasKind::Nik, &["nik", nik]);
    }
    let name = normal_name(&facts.name);
    let (Some(birth), false) = (facts.birth.map(|birth| birth.to_string()), name.is_empty()) else {
        return (facts, aliases);
    };
    // A baby that goes by its mother's name is not its mother.
    let who = if facts.is_baby() { "bayi" } else { "nama" };
    if let Some(family) = &facts.family {
        add(AliasKind::Family, &["kk", family, who, &name, &birth]);
    }
    if let Some(posyandu) = posyandu {
        let mother = facts.mother_name();
        if let Some(mother) = &mother {
            let village = match posyandu.record.text("kode_kelurahan") {
                Some(village) => ["kelurahan", village],
                None => ["posyandu", &posyandu.code],
            };
            add(AliasKind::Name, &["nama", who, &name, &birth, mother, village[0], village[1]]);
            add(AliasKind::Baby, &["bayi", "nama", mother, &birth, &posyandu.code]);
        }
        if let Some(mother) = &facts.mother_nik {
            add(AliasKind::Baby, &["bayi", "nik", mother, &birth, &posyandu.code]);
        }
    }
    (facts, aliases)
}

/// A person of the batch.
struct Entry {
    person: Person,
    aliases: Vec<Alias>,
    is_told: bool,
    corrects: bool,
}

/// What became of a row.
pub struct Settled {
    /// The row for the ledger.
    pub seen: RowSeen,
    /// It waits because nobody knows its person for sure; that may change when more persons are known.
    pub is_unfound: bool,
    /// The directory learnt something from it.
    pub has_told: bool,
}

/// The persons that a batch names.
#[derive(Default)]
pub struct People {
    persons: HashMap<Identity, Entry>,
    by_alias: HashMap<Alias, Vec<Identity>>,
    /// In the order in which they became known or changed.
    told: Vec<Identity>,
}

impl People {
    /// Asks the ledger for everybody whom a batch may speak of.
    ///
    /// # Errors
    /// Failures of the ledger.
    pub async fn of(ledger: &Ledger, batch: impl Iterator<Item = &Asked>) -> Result<Self, LedgerError> {
        let mut aliases: Vec<Alias> = batch.flat_map(|asked| &asked.aliases).copied().collect();
        aliases.sort_unstable();
        aliases.dedup();
        let mut people = Self::default();
        for found in ledger.persons(&aliases).await? {
            let person = serde_json::from_str(found.content.reveal()).map_err(|_| LedgerError::Spoiled("person"))?;
            let entry = Entry { person, aliases: Vec::new(), is_told: false, corrects: false };
            people.persons.insert(found.identity, entry);
            for alias in found.aliases {
                people.by_alias.entry(alias).or_default().push(found.identity);
            }
        }
        Ok(people)
    }

    /// Says whom a row speaks of, completes it from that person, and remembers what it tells. `read` reads the row
    /// with the person it is given.
    pub fn settle(
        &mut self,
        asked: &mut Asked,
        origin: &Origin<'_>,
        read: &dyn Fn(&Row, Option<&Person>) -> RowOutcome,
    ) -> Settled {
        let mut outcome = asked.outcome.take().unwrap_or_else(|| read(&asked.row, None));
        let Some(facts) = &asked.facts else {
            return Settled { seen: origin.row(&asked.row, outcome), is_unfound: false, has_told: false };
        };
        let (candidates, is_crowded) = self.candidates(&asked.aliases);
        let (identity, corrects) = match judge(facts, &candidates) {
            // A number names its person whatever else many have in common.
            Verdict::Stranger if is_crowded && facts.nik.is_none() => {
                outcome.issues.push(too_many(facts));
                (None, false)
            }
            Verdict::Stranger => (identity(facts, origin), false),
            Verdict::Stopped(issue) => {
                outcome.issues.push(*issue);
                (None, false)
            }
            Verdict::Same { key, person, by, varies, corrects } => {
                if needs_help(&outcome) {
                    outcome = read(&asked.row, Some(person));
                }
                outcome.issues.extend(said(facts, person, by, varies));
                (Some(*key), corrects)
            }
        };
        let seen = origin.row_of(&asked.row, outcome, identity.as_ref());
        let is_held = matches!(seen.outcome, RowKind::Issue);
        let has_told = match identity {
            Some(identity) if !is_held => self.learn(identity, facts, &asked.aliases, corrects),
            _ => false,
        };
        let of_person = |issue: &Issue| issue.rule.starts_with("nik.") || issue.rule.starts_with("person.");
        let is_unfound = is_held && seen.issues.iter().any(|issue| issue.is_error() && of_person(issue));
        Settled { seen, is_unfound, has_told }
    }

    /// What the rows settled so far told, for the ledger.
    ///
    /// # Errors
    /// When a person cannot be written, which does not happen.
    pub fn told(&self) -> Result<Vec<PersonTold>, LedgerError> {
        let told = self.told.iter().filter_map(|identity| Some((identity, self.persons.get(identity)?)));
        let write = |(identity, entry): (&Identity, &Entry)| {
            let content = serde_json::to_string(&entry.person).map_err(|_| LedgerError::Spoiled("person"))?;
            let (aliases, corrects) = (entry.aliases.clone(), entry.corrects);
            Ok(PersonTold { identity: *identity, content: Personal::new(content), aliases, corrects })
        };
        told.map(write).collect()
    }

    /// Whom keyed names lead to, and whether one of them leads to more than can be told apart; it leads nowhere then.
    fn candidates(&self, aliases: &[Alias]) -> (Vec<(By, &Identity, &Person)>, bool) {
        let leads = |alias: &&Alias| !self.is_crowded(alias);
        let candidates = aliases.iter().filter(leads).flat_map(|alias| self.having(alias)).collect();
        (candidates, aliases.iter().any(|alias| self.is_crowded(alias)))
    }

    fn is_crowded(&self, alias: &Alias) -> bool {
        self.by_alias.get(alias).is_some_and(|holders| holders.len() >= CANDIDATES_MAX)
    }

    fn having(&self, alias: &Alias) -> impl Iterator<Item = (By, &Identity, &Person)> {
        let by = match alias.0 {
            AliasKind::Nik => By::Nik,
            AliasKind::Family => By::Family,
            AliasKind::Name => By::Name,
            AliasKind::Baby => By::Baby,
        };
        let found = self.by_alias.get(alias).into_iter().flatten();
        found.filter_map(move |identity| Some((by, identity, &self.persons.get(identity)?.person)))
    }

    fn learn(&mut self, identity: Identity, facts: &Person, aliases: &[Alias], corrects: bool) -> bool {
        // Whom nothing leads to again need not be kept.
        if aliases.is_empty() {
            return false;
        }
        let is_new = !self.persons.contains_key(&identity);
        let entry = self.persons.entry(identity).or_insert_with(|| Entry {
            person: facts.clone(),
            aliases: Vec::new(),
            is_told: false,
            corrects: false,
        });
        let before = entry.person.clone();
        entry.person.learn(facts, corrects);
        let mut changed = is_new || corrects || before != entry.person;
        if corrects {
            entry.corrects = true;
            entry.aliases.retain(|(kind, _)| *kind == AliasKind::Nik);
            for (_, holders) in self.by_alias.iter_mut().filter(|((kind, _), _)| *kind != AliasKind::Nik) {
                holders.retain(|holder| *holder != identity);
            }
        }
        for alias in aliases {
            let holders = self.by_alias.entry(*alias).or_default();
            if holders.len() < CANDIDATES_MAX && !holders.contains(&identity) {
                holders.push(identity);
                entry.aliases.push(*alias);
                changed = true;
            }
        }
        if changed && !entry.is_told {
            entry.is_told = true;
            self.told.push(identity);
        }
        changed
    }
}

/// Names somebody whom nobody told before: by the number, else by name, birth, mother and posyandu (posyandu records,
/// section 6.3). Without a mother the family stands in her place, or two of one name would be one.
fn identity(facts: &Person, origin: &Origin<'_>) -> Option<Identity> {
    if let Some(nik) = &facts.nik {
        return Some(origin.keys.hash("person", &[nik]));
    }
    let birth = facts.birth?.to_string();
    let mother = facts.mother_name();
    let (how, parent) = match (&mother, &facts.family) {
        (Some(mother), _) => ("ibu", mother.as_str()),
        (None, Some(family)) => ("kk", family.as_str()),
        (None, None) => return None,
    };
    let who = if facts.is_baby() { "bayi" } else { "nama" };
    let posyandu = facts.posyandu.as_deref().unwrap_or_default();
    Some(origin.keys.hash("person.named", &[who, &normal_name(&facts.name), &birth, how, parent, posyandu]))
}

/// The issue of a row without a number whose name, birth date and mother too many share.
fn too_many(facts: &Person) -> Issue {
    let issue = Issue::error(Code::MultipleMatches, "person.too_many").with("jumlah", CANDIDATES_MAX);
    issue.on("sasaran.nik").at(facts.place.clone())
}

/// Whether a row lacks what a known person could tell.
fn needs_help(outcome: &RowOutcome) -> bool {
    let lacks = |record: &Record| {
        ["nik", "jenis_kelamin", "tanggal_lahir", "posyandu"].iter().any(|field| record.get(field).is_none())
    };
    outcome.records.iter().find(|record| record.schema.dataset == PERSON).is_some_and(lacks)
}

/// What people should know about how a row found its person. A row that finds itself is no news.
fn said(facts: &Person, person: &Person, by: By, varies: bool) -> Vec<Issue> {
    let mut issues = Vec::new();
    if by != By::Nik && facts.place != person.place {
        issues.push(Issue::information(Code::BusinessRule, "person.matched").with("dasar", by.fields()));
    }
    if varies {
        issues.push(Issue::warning(Code::Conflict, "person.name_varies").on("sasaran.nama"));
    }
    issues.into_iter().map(|issue| issue.at(facts.place.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_filled_with_one_word_is_not_compared_all_with_all() {
        const ROWS: usize = 5_000;
        let named = |kind: AliasKind, number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            (kind, key)
        };
        let mut people = People::default();
        let mut compared = 0;
        for number in 1..=ROWS {
            let aliases = [named(AliasKind::Nik, number), named(AliasKind::Baby, 0), named(AliasKind::Name, 0)];
            let (candidates, _) = people.candidates(&aliases);
            compared += candidates.len();
            let person = Person { name: format!("Anak {number}"), ..Person::default() };
            assert!(people.learn(aliases[0].1, &person, &aliases, false));
        }
        assert!(compared <= CANDIDATES_MAX * CANDIDATES_MAX, "{compared} comparisons for {ROWS} rows");
        let kept: usize = people.by_alias.values().map(Vec::len).sum();
        assert_eq!(kept, ROWS + 2 * CANDIDATES_MAX);
        let known = [named(AliasKind::Nik, ROWS), named(AliasKind::Baby, 0)];
        let (candidates, is_crowded) = people.candidates(&known);
        assert_eq!((candidates.len(), is_crowded), (1, true), "a number leads to its person all the same");
    }
}
