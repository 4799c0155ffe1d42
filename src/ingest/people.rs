//! The persons of a batch of rows: one question to the ledger for all of them, then row by row who it is.
//!
//! It must not hold more than the persons that a batch names, and decides nothing: `record::matching` does. Rows of a
//! batch find each other through what the rows before them told.

use std::collections::HashMap;

use crate::issue::{Code, Issue};
use crate::ledger::person::{Alias, AliasKind, PersonTold};
use crate::ledger::question::{Answer, Answers, Asking, Carried, Doubts, SHARED_NUMBER};
use crate::ledger::row::{RowKind, RowSeen};
use crate::ledger::{Ledger, LedgerError};
use crate::record::matching::{By, Person, Verdict, judge};
use crate::record::{Record, RowOutcome};
use crate::redact::Personal;
use crate::source::Row;

use super::asked::{Asked, Identity, identity};
use super::row::{Origin, PERSON};

/// Reads a row with the person it is given.
type Read<'a> = &'a dyn Fn(&Row, Option<&Person>) -> RowOutcome;

/// Persons that one keyed name may lead to, the number aside (own choice). Where a column is filled with one word
/// everybody shares a name: beyond this it tells nobody apart, and comparing all with all would take for ever.
const CANDIDATES_MAX: usize = 200;

/// Whom a row speaks of.
enum Look<'a> {
    /// Nobody that is known.
    Stranger,
    /// This person; see [`Verdict::Same`].
    Known { key: Identity, person: &'a Person, by: By, varies: bool, corrects: bool },
    /// A human must say: why, and whom it may mean.
    Ask(Box<Issue>, Vec<Identity>),
}

/// What became of looking for the person of a row.
struct Settling {
    identity: Option<Identity>,
    corrects: bool,
    taught: Taught,
    /// The question whose answer it rests on.
    by: Option<i64>,
    /// What it asks: its key, the rule, and whom it may mean.
    asks: Option<([u8; 32], String, Vec<Identity>)>,
}

/// What the directory learns from a row.
#[derive(Clone, Copy)]
enum Taught {
    /// Everything that it did not know.
    All,
    /// That the row's number is the person's.
    Number,
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
    /// What people said about rows of the batch.
    answers: Answers,
    /// What rows of the batch ask, and which became visits by an answer; for the ledger.
    pub doubts: Doubts,
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
    pub async fn of(ledger: &Ledger, batch: &[&Asked], origin: &Origin<'_>) -> Result<Self, LedgerError> {
        let mut aliases: Vec<Alias> = batch.iter().flat_map(|asked| &asked.aliases).copied().collect();
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
        // A row that was answered asked before, so that those whom it may mean are in the directory by now.
        let doubtful = batch.iter().filter_map(|asked| Some((*asked, asked.facts.as_ref()?)));
        let doubtful = doubtful.filter(|(asked, facts)| matches!(people.look(facts, &asked.aliases), Look::Ask(..)));
        let keys: Vec<[u8; 32]> = doubtful.map(|(asked, facts)| asked.question(facts, origin)).collect();
        let numbers = aliases.iter().filter(|alias| alias.0 == AliasKind::Nik).map(|alias| alias.1);
        let (numbers, persons): (Vec<_>, Vec<_>) = (numbers.collect(), people.persons.keys().copied().collect());
        people.answers = ledger.person_answers(&keys, &numbers, &persons).await?;
        Ok(people)
    }

    /// The question whose answer taught by what a row found its person.
    fn taught_by(&self, identity: &Identity, number: Option<[u8; 32]>) -> Option<i64> {
        let by_number = || self.answers.numbers.get(number.as_ref()?);
        self.answers.persons.get(identity).or_else(by_number).copied()
    }

    /// Whom a row speaks of, or what it asks.
    fn look<'a>(&'a self, facts: &Person, aliases: &[Alias]) -> Look<'a> {
        let (candidates, is_crowded) = self.candidates(aliases);
        match judge(facts, &candidates) {
            // A number names its person whatever else many have in common.
            Verdict::Stranger if is_crowded && facts.nik.is_none() => Look::Ask(Box::new(too_many(facts)), Vec::new()),
            Verdict::Stranger => Look::Stranger,
            Verdict::Stopped(issue, among) => Look::Ask(issue, among.into_iter().copied().collect()),
            Verdict::Same { key, person, by, varies, corrects } => {
                Look::Known { key: *key, person, by, varies, corrects }
            }
        }
    }

    /// Finds the person of a row, or what it asks; what is to be said about that goes to the outcome.
    fn find(
        &self,
        asked: &Asked,
        facts: &Person,
        origin: &Origin<'_>,
        outcome: &mut RowOutcome,
        read: Read<'_>,
    ) -> Settling {
        let mut settling = Settling { identity: None, corrects: false, taught: Taught::All, by: None, asks: None };
        match self.look(facts, &asked.aliases) {
            Look::Stranger => settling.identity = identity(facts, origin),
            Look::Known { key, person, by, varies, corrects } => {
                if needs_help(outcome) {
                    *outcome = read(&asked.row, Some(person));
                }
                outcome.issues.extend(said(facts, person, by, varies));
                (settling.identity, settling.corrects) = (Some(key), corrects);
                settling.by = self.taught_by(&key, asked.number());
            }
            Look::Ask(issue, among) => {
                let key = asked.question(facts, origin);
                let answer = self.answers.by_key.get(&key).copied();
                let holds = |answer: &Answer| !matches!(answer, Answer::Same(identity) if !among.contains(identity));
                if let Some((question, answer)) = answer.filter(|(_, answer)| holds(answer)) {
                    let told = match answer {
                        Answer::Other(identity) => identity,
                        Answer::Same(identity) => {
                            if let Some(entry) = self.persons.get(&identity).filter(|_| needs_help(outcome)) {
                                *outcome = read(&asked.row, Some(&entry.person));
                            }
                            // The person stays as known: what the row says of them is in doubt.
                            settling.taught = Taught::Number;
                            identity
                        }
                    };
                    (settling.identity, settling.by) = (Some(told), Some(question));
                    let told = Issue::information(Code::BusinessRule, "person.decided");
                    outcome.issues.push(told.at(facts.place.clone()));
                } else {
                    settling.asks = Some((key, issue.rule.to_string(), among));
                    outcome.issues.push(*issue);
                }
            }
        }
        settling
    }

    /// Says whom a row speaks of, completes it from that person, and remembers what it tells. `read` reads the row
    /// with the person it is given.
    pub fn settle(&mut self, asked: &mut Asked, origin: &Origin<'_>, read: Read<'_>) -> Settled {
        let mut outcome = asked.outcome.take().unwrap_or_else(|| read(&asked.row, None));
        let Some(facts) = &asked.facts else {
            return Settled { seen: origin.row(&asked.row, outcome), is_unfound: false, has_told: false };
        };
        let settling = self.find(asked, facts, origin, &mut outcome, read);
        let seen = origin.row_of(&asked.row, outcome, settling.identity.as_ref());
        let is_held = matches!(seen.outcome, RowKind::Issue);
        let has_told = match settling.identity {
            Some(identity) if !is_held => match settling.taught {
                Taught::All => self.learn(identity, facts, &asked.aliases, settling.corrects),
                Taught::Number => self.learn_number(identity, &asked.aliases),
            },
            _ => false,
        };
        let (source, row_key) = (seen.place.source.to_string(), seen.row_key);
        if let Some((key, rule, among)) = settling.asks {
            let nik = asked.number().filter(|_| rule != SHARED_NUMBER);
            self.doubts.asking.push(Asking { source, row_key, key, rule, nik, among });
        } else if let Some(question) = settling.by.filter(|_| !is_held) {
            self.doubts.carried.push(Carried { question, source, row_key });
        }
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

    /// A number that nobody had is this person's from here on.
    fn learn_number(&mut self, identity: Identity, aliases: &[Alias]) -> bool {
        let is_free = |alias: &&Alias| alias.0 == AliasKind::Nik && self.by_alias.get(*alias).is_none_or(Vec::is_empty);
        let free: Vec<Alias> = aliases.iter().filter(is_free).copied().collect();
        let changed = self.name(identity, &free);
        self.tell(identity, changed)
    }

    /// Gives a person keyed names; says whether one of them is new.
    fn name(&mut self, identity: Identity, aliases: &[Alias]) -> bool {
        let Some(entry) = self.persons.get_mut(&identity) else { return false };
        let before = entry.aliases.len();
        for alias in aliases {
            let holders = self.by_alias.entry(*alias).or_default();
            if holders.len() < CANDIDATES_MAX && !holders.contains(&identity) {
                holders.push(identity);
                entry.aliases.push(*alias);
            }
        }
        entry.aliases.len() > before
    }

    /// Remembers that the ledger must hear of a person who changed.
    fn tell(&mut self, identity: Identity, changed: bool) -> bool {
        if let Some(entry) = self.persons.get_mut(&identity).filter(|entry| changed && !entry.is_told) {
            entry.is_told = true;
            self.told.push(identity);
        }
        changed
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
        changed |= self.name(identity, aliases);
        self.tell(identity, changed)
    }
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
