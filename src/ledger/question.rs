//! Who a row is about, where the directory of persons cannot tell: what rows ask, and what people answer.
//!
//! An answer holds for what the row says now; a row that says something else asks again. It must not guess, nor change
//! a row: the next reading carries an answer out. Undoing an answer forgets what the directory learnt from it, and the
//! rows that were found by that ask again.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;

use super::account::Reach;
use super::command::Command;
use super::store::questions::{self, Answering, AskedQuestion, CarriedRow, StoredQuestion};
use super::store::{date, hash, hex, time};
use super::{Ledger, LedgerError, person};
use crate::issue::Place;
use crate::redact::Personal;

/// The rule of a row whose number is another person's: it cannot be a person of its own.
pub const SHARED_NUMBER: &str = "nik.shared";

/// What a row asks.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The source of the row.
    pub source: String,
    /// The key of the row.
    pub row_key: [u8; 32],
    /// Keyed hash of what the row says.
    pub key: [u8; 32],
    /// Why it asks.
    pub rule: String,
    /// The keyed name of its number, when nobody has that number yet.
    pub nik: Option<[u8; 32]>,
    /// The persons whom it may mean, as visits name them.
    pub among: Vec<[u8; 32]>,
}

/// A row that became a visit by an answer.
#[derive(Clone, Debug)]
pub struct Carried {
    /// Number of the question.
    pub question: i64,
    /// The source of the row.
    pub source: String,
    /// The key of the row.
    pub row_key: [u8; 32],
}

/// What rows of a batch ask, and which of them became visits by an answer.
#[derive(Clone, Debug, Default)]
pub struct Doubts {
    /// What they ask.
    pub asking: Vec<Asking>,
    /// Which became visits by an answer.
    pub carried: Vec<Carried>,
}

impl Doubts {
    pub(super) fn stored(&self) -> (Vec<AskedQuestion>, Vec<CarriedRow>) {
        let asked = |one: &Asking| AskedQuestion {
            source: one.source.clone(),
            row_key: hex(&one.row_key),
            key: hex(&one.key),
            rule: one.rule.clone(),
            nik: one.nik.as_ref().map(|nik| hex(nik)),
            among: one.among.iter().map(|identity| hex(identity)).collect(),
        };
        let carried = |one: &Carried| CarriedRow {
            question: one.question,
            source: one.source.clone(),
            row_key: hex(&one.row_key),
        };
        (self.asking.iter().map(asked).collect(), self.carried.iter().map(carried).collect())
    }
}

/// Who a row is about by a person's word, as visits name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One of those whom it may mean.
    Same([u8; 32]),
    /// None of them: a person of its own.
    Other([u8; 32]),
}

/// What people answered about the rows of a batch.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// By the key of what was asked: the number of the question, and the answer.
    pub by_key: HashMap<[u8; 32], (i64, Answer)>,
    /// Keyed numbers that an answer gave somebody, and its question.
    pub numbers: HashMap<[u8; 32], i64>,
    /// Persons that an answer made, and its question.
    pub persons: HashMap<[u8; 32], i64>,
}

/// What a person says about a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The row is about this person; the number of a candidate.
    Same(i64),
    /// The row is about nobody of them.
    Other,
    /// The answer is taken back.
    Open,
}

/// Somebody whom a row may mean.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Number of the person.
    pub number: i64,
    /// What is known, in the form of whoever told it.
    pub content: Personal<String>,
}

/// The answer that holds.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The person's number; `None` for a person of its own.
    pub person: Option<i64>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// A row that asks, or asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its number.
    pub number: i64,
    /// The row.
    pub place: Place,
    /// The puskesmas, as far as known.
    pub puskesmas: Option<String>,
    /// Code of the posyandu, as far as known.
    pub posyandu: Option<String>,
    /// The day of the row.
    pub date: Date,
    /// Why it asks, as the rule of an issue.
    pub rule: String,
    /// Whom it may mean.
    pub candidates: Vec<Candidate>,
    /// The answer that holds.
    pub answered: Option<Answered>,
    key: [u8; 32],
}

impl Question {
    /// Whether it may be answered with a person of its own.
    #[must_use]
    pub fn may_be_other(&self) -> bool {
        self.rule != SHARED_NUMBER
    }
}

impl Ledger {
    /// The answers that hold about these questions, keyed numbers and persons.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn person_answers(
        &self,
        keys: &[[u8; 32]],
        numbers: &[[u8; 32]],
        persons: &[[u8; 32]],
    ) -> Result<Answers, LedgerError> {
        let [keys, numbers, persons] =
            [keys, numbers, persons].map(|all| all.iter().map(|one| hex(one)).collect::<Vec<_>>());
        let mut reader = self.readers.acquire().await?;
        let stored = questions::answers(&mut reader, (&keys, &numbers, &persons)).await?;
        let mut answers = Answers::default();
        for one in stored {
            let (key, identity) = (hash(one.key)?, hash(one.identity)?);
            match (one.kind.as_str(), one.verdict.as_str()) {
                ("key", "same") => drop(answers.by_key.insert(key, (one.question, Answer::Same(identity)))),
                ("key", "other") => drop(answers.by_key.insert(key, (one.question, Answer::Other(identity)))),
                ("nik", _) => drop(answers.numbers.insert(key, one.question)),
                ("person", _) => drop(answers.persons.insert(key, one.question)),
                _ => return Err(LedgerError::Spoiled("verdict")),
            }
        }
        Ok(answers)
    }

    /// When a question of each file of a source was answered last: it must be read again after that.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn answered_files(&self, source: &str) -> Result<HashMap<String, Timestamp>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = questions::answered(&mut reader, source).await?;
        stored.into_iter().map(|(file, at)| Ok((file, time(at)?))).collect()
    }

    /// Questions before a number, the newest first: those that wait for an answer, or those that have one.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn person_questions(
        &self,
        place: &Reach,
        answered: bool,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<Question>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = questions::list(&mut reader, place, answered, before.unwrap_or(i64::MAX), limit).await?;
        drop(reader);
        self.open_questions(stored).await
    }

    /// The question of a number.
    ///
    /// # Errors
    /// Failures of the store, or content sealed with another key.
    pub async fn person_question(&self, number: i64) -> Result<Option<Question>, LedgerError> {
        let mut reader = self.readers.acquire().await?;
        let stored = questions::one(&mut reader, number).await?;
        drop(reader);
        Ok(self.open_questions(stored.into_iter().collect()).await?.pop())
    }

    /// Keeps what a person says about a question, with the reason, which is sealed. False when the verdict does not fit
    /// the question: another person than those meant, a person of its own with another's number, nothing to take back.
    /// The same command twice is one answer.
    ///
    /// # Errors
    /// [`LedgerError::CommandUsed`], failures of the store.
    pub async fn answer_person(
        &self,
        question: &Question,
        verdict: Verdict,
        command: &str,
        reason: &str,
    ) -> Result<bool, LedgerError> {
        let (word, identity) = match verdict {
            Verdict::Same(number) => {
                let mut reader = self.readers.acquire().await?;
                let meant = questions::candidates(&mut reader, &[question.number]).await?;
                let Some(one) = meant.into_iter().find(|one| one.id == number) else { return Ok(false) };
                ("same", Some(hash(one.identity)?))
            }
            Verdict::Other if question.may_be_other() => {
                ("other", Some(self.keys.hash("person.other", &[&hex(&question.key)])))
            }
            Verdict::Other => return Ok(false),
            Verdict::Open => ("open", None),
        };
        let reason_sealed = self.keys.seal(&context(command), reason.as_bytes())?;
        let (question, command) = (question.number, command.to_owned());
        let answer = Answering { question, verdict: word, identity, command, reason_sealed };
        Ok(self.writer()?.ask(|reply| Command::Answer { answer, reply }).await? == 1)
    }

    async fn open_questions(&self, stored: Vec<StoredQuestion>) -> Result<Vec<Question>, LedgerError> {
        let numbers: Vec<i64> = stored.iter().map(|one| one.id).collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let mut reader = self.readers.acquire().await?;
        let meant = questions::candidates(&mut reader, &numbers).await?;
        drop(reader);
        let mut by_question: BTreeMap<i64, Vec<(Candidate, [u8; 32])>> = BTreeMap::new();
        for one in meant {
            let identity = hash(one.identity)?;
            let content = self.keys.open(&person::context(&identity), &one.sealed)?;
            let content = Personal::new(String::from_utf8(content).map_err(|_| LedgerError::Spoiled("person"))?);
            by_question.entry(one.question).or_default().push((Candidate { number: one.id, content }, identity));
        }
        let open = |stored: StoredQuestion| {
            let meant = by_question.remove(&stored.id).unwrap_or_default();
            self.open_question(stored, meant)
        };
        stored.into_iter().map(open).collect()
    }

    fn open_question(
        &self,
        stored: StoredQuestion,
        meant: Vec<(Candidate, [u8; 32])>,
    ) -> Result<Question, LedgerError> {
        let identity = stored.identity.map(hash).transpose()?;
        let answered = match (stored.verdict, stored.command, stored.reason_sealed, stored.at) {
            (Some(verdict), Some(command), Some(sealed), Some(at)) => {
                let reason = self.keys.open(&context(&command), &sealed)?;
                let same = meant.iter().find(|(_, known)| verdict == "same" && Some(*known) == identity);
                Some(Answered {
                    person: same.map(|(candidate, _)| candidate.number),
                    at: time(at)?,
                    reason: String::from_utf8(reason).map_err(|_| LedgerError::Spoiled("reason"))?,
                })
            }
            _ => None,
        };
        Ok(Question {
            number: stored.id,
            place: self.open_place(&stored.source, &stored.row_key, &stored.place_sealed)?,
            puskesmas: stored.puskesmas,
            posyandu: stored.posyandu,
            date: date(&stored.counted_date)?,
            rule: stored.rule,
            candidates: meant.into_iter().map(|(candidate, _)| candidate).collect(),
            answered,
            key: hash(stored.key)?,
        })
    }
}

/// Where the reason of an answer belongs.
fn context(command: &str) -> String {
    format!("person/{command}")
}
