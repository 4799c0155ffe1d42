//! What stands on the lists of the pages: rows that wait for a person, rows that ask whom they mean, and seals.
//!
//! Told to the ledger as the gateway tells it, so that it is sealed and linked as it would be.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use posyandu_gateway::clock::Zone;
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::person::{AliasKind, PersonTold};
use posyandu_gateway::ledger::question::{Asking, Doubts, Verdict};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::row::{RowKind, RowSeen};
use posyandu_gateway::record::matching::Person;
use posyandu_gateway::redact::Personal;
use posyandu_gateway::report::statement::{Due, by_puskesmas};
use sha2::{Digest, Sha256};

use crate::filled::{POSYANDU, PUSKESMAS};

/// Rows told at once.
const ROWS: usize = 1_000;
/// Of so many rows that wait, one asks whom it means; a third of those is answered.
const ROWS_PER_QUESTION: usize = 7;
/// Its rule.
const ASKS: &str = "person.ambiguous";
/// Days that are sealed.
const DAYS_SEALED: i64 = 60;
/// Statements of one puskesmas, at most.
const STATEMENTS_MAX: usize = 1_000;

fn sha(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn place(index: usize) -> Place {
    Place { source: "kartu".into(), file: "kartu.csv".into(), row: index.to_string(), column: None }
}

/// Rows that wait for a person, over all days up to `today`: most for one reason, some for another.
pub async fn rows(ledger: &Ledger, today: Date, number: usize) {
    let pass = ledger.begin_pass("kartu", "kartu.csv").await.unwrap();
    let row = |index: usize| {
        let rule = match index {
            asks if asks.is_multiple_of(ROWS_PER_QUESTION) => ASKS,
            index if index.is_multiple_of(50) => "weight.unreadable",
            _ => "posyandu.unknown",
        };
        RowSeen {
            row_key: sha(&index.to_string()),
            hash: sha("isi"),
            outcome: RowKind::Issue,
            issues: vec![Issue::error(Code::Value, rule).with("tertulis", "•••").at(place(index))],
            place: place(index),
            puskesmas: Some(format!("Puskesmas {}", index % POSYANDU % PUSKESMAS)),
            posyandu: Some(format!("P{}", index % POSYANDU)),
            service_date: Some(today.saturating_sub(((index % 400) as i64).days())),
        }
    };
    for part in (0..number).collect::<Vec<_>>().chunks(ROWS) {
        let asking: Vec<usize> = part.iter().copied().filter(|index| index.is_multiple_of(ROWS_PER_QUESTION)).collect();
        let told: Vec<PersonTold> = asking.iter().flat_map(|index| [1, 2].map(|who| person(*index, who))).collect();
        let asking = asking.iter().map(|index| asks(*index)).collect();
        let rows: Vec<RowSeen> = part.iter().map(|index| row(*index)).collect();
        ledger.see_rows_of(pass, &rows, &told, &Doubts { asking, carried: Vec::new() }).await.unwrap();
    }
    ledger.finish_pass(pass, true).await.unwrap();
    answer(ledger).await;
}

fn name(index: usize, who: u8) -> [u8; 32] {
    sha(&format!("{index} {who}"))
}

fn person(index: usize, who: u8) -> PersonTold {
    let person = Person {
        nik: None,
        is_genuine: false,
        name: format!("Anak Contoh {who}"),
        birth: None,
        sex: None,
        mother: None,
        mother_nik: None,
        family: None,
        posyandu: Some(format!("P{}", index % POSYANDU)),
        place: place(index),
        day: None,
        is_keyed: true,
    };
    let identity = name(index, who);
    let aliases = vec![(AliasKind::Name, identity)];
    PersonTold { identity, content: Personal::new(serde_json::to_string(&person).unwrap()), aliases, corrects: false }
}

fn asks(index: usize) -> Asking {
    let (row_key, rule) = (sha(&index.to_string()), ASKS.to_owned());
    let among = vec![name(index, 1), name(index, 2)];
    Asking { source: "kartu".into(), row_key, key: sha(&format!("asks {index}")), rule, nik: None, among }
}

/// Answers a third of the questions.
async fn answer(ledger: &Ledger) {
    for number in (1..).step_by(3) {
        let Some(question) = ledger.person_question(number).await.unwrap() else { break };
        let verdict = Verdict::Same(question.candidates[0].number);
        assert!(
            ledger.answer_person(&question, verdict, &format!("jawab {number}"), "sudah ditanyakan").await.unwrap()
        );
    }
}

/// Seals the last days of every puskesmas before `today`.
pub async fn seals(ledger: &Ledger, today: Date, now: Timestamp) {
    let (from, to) = (today.saturating_sub(DAYS_SEALED.days()), today.saturating_sub(1.days()));
    let filter = Filter { from: Some(from), to: Some(to), ..Filter::default() };
    for (puskesmas, days) in by_puskesmas(ledger.standings(&filter).await.unwrap()) {
        let due = Due { puskesmas: &puskesmas, zone: Zone::Wib, every_day_from: from, ended: to, now };
        let new = due.statements(&days, &ledger.latest_statements(&puskesmas).await.unwrap(), STATEMENTS_MAX).unwrap();
        assert!(ledger.state(&puskesmas, new).await.unwrap());
    }
}
