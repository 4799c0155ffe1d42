//! Rows that ask who they are about, whom they may mean, and what people answered.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::link::Link;
use super::{json, settling};
use crate::ledger::LedgerError;
use crate::ledger::account::Reach;

/// Why a row does not count whose person was taken back.
const TAKEN_BACK: &str = "person.reopened";

/// A question to be written: hashes in hexadecimal.
#[derive(Debug, Serialize)]
pub struct AskedQuestion {
    pub source: String,
    pub row_key: String,
    pub key: String,
    pub rule: String,
    pub nik: Option<String>,
    #[serde(skip)]
    pub among: Vec<String>,
}

#[derive(Serialize)]
struct MeantPerson<'a> {
    source: &'a str,
    row_key: &'a str,
    identity: &'a str,
}

/// A row that became a visit by an answer: hashes in hexadecimal.
#[derive(Debug, Serialize)]
pub struct CarriedRow {
    pub question: i64,
    pub source: String,
    pub row_key: String,
}

/// An answer to be kept.
#[derive(Debug)]
pub struct Answering {
    pub question: i64,
    pub verdict: &'static str,
    pub identity: Option<[u8; 32]>,
    pub command: String,
    pub reason_sealed: Vec<u8>,
}

/// A question as it comes back, with the answer that holds.
#[derive(Debug, FromRow)]
pub struct StoredQuestion {
    pub id: i64,
    pub source: String,
    pub row_key: Vec<u8>,
    pub key: Vec<u8>,
    pub rule: String,
    pub place_sealed: Vec<u8>,
    pub puskesmas: Option<String>,
    pub posyandu: Option<String>,
    pub counted_date: String,
    pub verdict: Option<String>,
    pub identity: Option<Vec<u8>>,
    pub command: Option<String>,
    pub reason_sealed: Option<Vec<u8>>,
    pub at: Option<i64>,
}

/// A person whom a row may mean.
#[derive(Debug, FromRow)]
pub struct StoredCandidate {
    pub question: i64,
    pub id: i64,
    pub identity: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// Writes what rows ask; nothing is written for a question that stands as it was.
pub async fn ask(link: &mut Link, questions: &[AskedQuestion]) -> Result<(), LedgerError> {
    if questions.is_empty() {
        return Ok(());
    }
    let list = json(questions)?;
    let insert = "INSERT INTO person_question (source, row_key, key, rule, nik)
        SELECT j.source, j.row_key, j.key, j.rule, j.nik
        FROM {?1: source text, row_key bytes, key bytes, rule text, nik bytes} AS j WHERE true
        ON CONFLICT (source, row_key) DO UPDATE SET key = excluded.key, rule = excluded.rule, nik = excluded.nik
        WHERE person_question.key <> excluded.key OR person_question.rule <> excluded.rule
            OR person_question.nik IS DISTINCT FROM excluded.nik";
    link.execute(insert, values![&list]).await?;
    let meant: Vec<MeantPerson<'_>> = questions
        .iter()
        .flat_map(|one| {
            let (source, row_key) = (one.source.as_str(), one.row_key.as_str());
            one.among.iter().map(move |identity| MeantPerson { source, row_key, identity })
        })
        .collect();
    let meant = json(&meant)?;
    let forget = "DELETE FROM person_candidate WHERE question IN (SELECT question.id
            FROM {?1: source text, row_key bytes} AS j
            CROSS JOIN person_question AS question ON question.source = j.source AND question.row_key = j.row_key)
        AND (question, person) NOT IN (SELECT question.id, person.id
            FROM {?2: source text, row_key bytes, identity bytes} AS k
            CROSS JOIN person_question AS question ON question.source = k.source AND question.row_key = k.row_key
            CROSS JOIN person ON person.identity = k.identity)";
    link.execute(forget, values![&list, &meant]).await?;
    let insert = "INSERT INTO person_candidate (question, person) SELECT question.id, person.id
        FROM {?1: source text, row_key bytes, identity bytes} AS j
        CROSS JOIN person_question AS question ON question.source = j.source AND question.row_key = j.row_key
        CROSS JOIN person ON person.identity = j.identity WHERE true ON CONFLICT (question, person) DO NOTHING";
    link.execute(insert, values![meant]).await?;
    Ok(())
}

/// Remembers rows that became visits by an answer.
pub async fn carry(link: &mut Link, rows: &[CarriedRow]) -> Result<(), LedgerError> {
    if rows.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO person_carried (question, source, row_key) SELECT j.question, j.source, j.row_key
        FROM {?1: question int, source text, row_key bytes} AS j WHERE true
        ON CONFLICT (question, source, row_key) DO NOTHING";
    link.execute(insert, values![json(rows)?]).await?;
    Ok(())
}

/// An answer that holds: what it is about (a question, a number or a person, as `kind` says), its question, and whom it
/// names.
#[derive(Debug, FromRow)]
pub struct HeldAnswer {
    pub kind: String,
    pub key: Vec<u8>,
    pub question: i64,
    pub verdict: String,
    pub identity: Vec<u8>,
}

/// The answers that hold about questions; those that gave somebody a number; and those that made persons of their own.
pub async fn answers(
    link: &mut Link,
    (keys, numbers, persons): (&[String], &[String], &[String]),
) -> Result<Vec<HeldAnswer>, LedgerError> {
    // Mostly nobody has answered anything.
    if link.first::<i64>("SELECT id FROM person_decision LIMIT 1", values![]).await?.is_none() {
        return Ok(Vec::new());
    }
    let statement = "SELECT 'key' AS kind, held.key, held.question, held.verdict, held.identity FROM {?1: bytes} AS j
            CROSS JOIN person_decision AS held ON held.key = j.value
            WHERE held.verdict <> 'open'
                AND held.id = (SELECT max(last.id) FROM person_decision AS last WHERE last.key = held.key)
        UNION ALL SELECT 'nik', held.nik, held.question, held.verdict, held.identity FROM {?2: bytes} AS k
            CROSS JOIN person_decision AS held ON held.nik = k.value
            WHERE held.verdict = 'same'
                AND held.id = (SELECT max(last.id) FROM person_decision AS last WHERE last.question = held.question)
        UNION ALL SELECT 'person', held.identity, held.question, held.verdict, held.identity FROM {?3: bytes} AS l
            CROSS JOIN person_decision AS held ON held.identity = l.value
            WHERE held.verdict = 'other'
                AND held.id = (SELECT max(last.id) FROM person_decision AS last WHERE last.question = held.question)";
    Ok(link.all(statement, values![json(keys)?, json(numbers)?, json(persons)?]).await?)
}

/// When a question of each file of a source was answered last.
pub async fn answered(link: &mut Link, source: &str) -> Result<Vec<(String, i64)>, LedgerError> {
    let statement = "SELECT line.file, max(decision.at) FROM person_decision AS decision
        JOIN person_question AS question ON question.id = decision.question AND question.source = ?1
        JOIN source_row AS line ON line.source = question.source AND line.row_key = question.row_key
        GROUP BY line.file";
    Ok(link.all(statement, values![source]).await?)
}

macro_rules! questions {
    ($rest:literal) => {
        concat!(
            "SELECT question.id, question.source, question.row_key, question.key, question.rule, line.place_sealed,
                line.puskesmas, line.posyandu, line.counted_date, held.verdict, held.identity, held.command,
                held.reason_sealed, held.at
            FROM person_question AS question
            JOIN source_row AS line ON line.id = (SELECT max(own.id) FROM source_row AS own
                WHERE own.source = question.source AND own.row_key = question.row_key)
            LEFT JOIN person_decision AS held ON held.verdict <> 'open' AND held.id = (SELECT max(last.id)
                FROM person_decision AS last WHERE last.question = question.id AND last.key = question.key) ",
            $rest
        )
    };
}

/// A row waits for an answer: it asks still, and nobody answered or the person of the answer is not meant any more.
const OPEN: &str = questions!(
    "WHERE line.standing = 'current' AND EXISTS (SELECT 1 FROM issue
            WHERE issue.source_row = line.id AND issue.source_row IS NOT NULL AND issue.rule = question.rule)
        AND (held.id IS NULL OR (held.verdict = 'same' AND NOT EXISTS (SELECT 1 FROM person_candidate AS meant
            JOIN person ON person.id = meant.person
            WHERE meant.question = question.id AND person.identity = held.identity)))
        AND (?1 IS NULL OR line.puskesmas = ?1) AND (?2 IS NULL OR line.posyandu = ?2) AND question.id < ?3
    ORDER BY question.id DESC LIMIT ?4"
);

const ANSWERED: &str = questions!(
    "WHERE held.id IS NOT NULL
        AND (?1 IS NULL OR line.puskesmas = ?1) AND (?2 IS NULL OR line.posyandu = ?2) AND question.id < ?3
    ORDER BY question.id DESC LIMIT ?4"
);

/// Questions before a number, the newest first: those that wait, or those that were answered.
pub async fn list(
    link: &mut Link,
    place: &Reach,
    answered: bool,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredQuestion>, LedgerError> {
    let values = values![&place.puskesmas, &place.posyandu, before, i64::from(limit)];
    Ok(link.all(if answered { ANSWERED } else { OPEN }, values).await?)
}

/// The question of a number.
pub async fn one(link: &mut Link, number: i64) -> Result<Option<StoredQuestion>, LedgerError> {
    Ok(link.all(questions!("WHERE question.id = ?1"), values![number]).await?.pop())
}

/// Whom the rows of questions may mean, in the order in which they became known.
pub async fn candidates(link: &mut Link, questions: &[i64]) -> Result<Vec<StoredCandidate>, LedgerError> {
    let statement = "SELECT meant.question, person.id, person.identity, person.sealed FROM {?1: int} AS j
        CROSS JOIN person_candidate AS meant ON meant.question = j.value
        CROSS JOIN person ON person.id = meant.person ORDER BY person.id";
    Ok(link.all(statement, values![json(questions)?]).await?)
}

/// What an answer taught the directory: the names of a person of its own, or the number of the person that was meant.
const FORGET_OTHER: &str = "DELETE FROM person_alias WHERE person IN (SELECT person.id FROM person_decision AS held
    JOIN person ON person.identity = held.identity WHERE held.verdict = 'other' AND held.id =
        (SELECT max(last.id) FROM person_decision AS last WHERE last.question = ?1))";
const FORGET_SAME: &str = "DELETE FROM person_alias WHERE kind = 'nik'
    AND (key, person) IN (SELECT held.nik, person.id FROM person_decision AS held
        JOIN person ON person.identity = held.identity
        WHERE held.verdict = 'same' AND held.nik IS NOT NULL AND held.id =
            (SELECT max(last.id) FROM person_decision AS last WHERE last.question = ?1))";

/// Keeps an answer and forgets what the one before it taught; gives 1, or 0 when there
/// is nothing to take back. The same command twice is one answer.
pub async fn answer(link: &mut Link, answer: &Answering, now: Timestamp) -> Result<i64, LedgerError> {
    let statement = "SELECT question, verdict, identity FROM person_decision WHERE command = ?1";
    let known: Option<(i64, String, Option<Vec<u8>>)> = link.optional(statement, values![&answer.command]).await?;
    if let Some((question, verdict, identity)) = known {
        let is_same = (question, verdict.as_str()) == (answer.question, answer.verdict)
            && identity.as_deref() == answer.identity.as_ref().map(<[u8; 32]>::as_slice);
        return if is_same { Ok(1) } else { Err(LedgerError::CommandUsed) };
    }
    let statement = "SELECT identity FROM person_decision WHERE question = ?1 ORDER BY id DESC LIMIT 1";
    let held: Option<(Option<Vec<u8>>,)> = link.optional(statement, values![answer.question]).await?;
    let held = held.and_then(|(identity,)| identity);
    if held.is_none() && answer.identity.is_none() {
        return Ok(0);
    }
    if held.is_some_and(|held| Some(held.as_slice()) != answer.identity.as_ref().map(<[u8; 32]>::as_slice)) {
        for forget in [FORGET_OTHER, FORGET_SAME] {
            link.execute(forget, values![answer.question]).await?;
        }
        take_back(link, answer.question, now).await?;
    }
    let insert = "INSERT INTO person_decision (question, key, command, verdict, identity, nik, reason_sealed, at)
        SELECT question.id, question.key, ?2, ?3, ?4, CASE WHEN ?3 = 'same' THEN question.nik END, ?5, ?6
        FROM person_question AS question WHERE question.id = ?1";
    let identity = answer.identity.as_ref().map(<[u8; 32]>::as_slice);
    let values = values![
        answer.question,
        &answer.command,
        answer.verdict,
        identity,
        &answer.reason_sealed,
        now.as_millisecond()
    ];
    let done = link.execute(insert, values).await?;
    Ok(i64::try_from(done).unwrap_or(i64::MAX))
}

/// Rows that became visits by an answer do not count any more, until they are read again.
async fn take_back(link: &mut Link, question: i64, now: Timestamp) -> Result<(), LedgerError> {
    let carried = "SELECT DISTINCT line.visit FROM person_carried AS carried
        JOIN source_row AS line ON line.source = carried.source AND line.row_key = carried.row_key
        WHERE carried.question = ?1 AND line.kind = 'records' AND line.replaced = 0 ORDER BY line.visit";
    let visits: Vec<i64> = link.column(carried, values![question]).await?;
    let update = "UPDATE source_row SET standing = 'superseded', replaced = 1, reason = ?2
        WHERE kind = 'records' AND replaced = 0 AND (source, row_key) IN
            (SELECT carried.source, carried.row_key FROM person_carried AS carried WHERE carried.question = ?1)";
    link.execute(update, values![question, TAKEN_BACK]).await?;
    link.execute("DELETE FROM person_carried WHERE question = ?1", values![question]).await?;
    let affected: Vec<(i64, bool)> = visits.into_iter().map(|visit| (visit, false)).collect();
    settling::settle(link, &affected, now).await?;
    Ok(())
}
