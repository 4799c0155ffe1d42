//! Rows that fit several persons, and people's answers: once, taken back with what followed from them.

use posyandu_gateway::issue::{Code, Issue};
use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::account::Reach;
use posyandu_gateway::ledger::person::{AliasKind, PersonTold};
use posyandu_gateway::ledger::question::{Answer, Asking, Carried, Doubts, Question, Verdict};
use posyandu_gateway::ledger::row::{RowKind, RowSeen};
use posyandu_gateway::redact::Personal;

use super::{DAY, Desk, row, sha};

const NUMBER: &str = "a number that nobody has";

fn told(name: &str, aliases: Vec<(AliasKind, [u8; 32])>) -> PersonTold {
    PersonTold { identity: sha(name), content: Personal::new(format!("\"{name}\"")), aliases, corrects: false }
}

fn asking(among: &[&str]) -> Doubts {
    let among = among.iter().map(|name| sha(name)).collect();
    let rule = "person.two_niks".to_owned();
    let (row_key, key, nik) = (sha("row"), sha("question"), Some(sha(NUMBER)));
    Doubts { asking: vec![Asking { source: "eppgbm".to_owned(), row_key, key, rule, nik, among }], carried: Vec::new() }
}

fn issue_row() -> RowSeen {
    let issues = vec![Issue::error(Code::Conflict, "person.two_niks")];
    RowSeen { row_key: sha("row"), outcome: RowKind::Issue, issues, ..row("eppgbm", "1", "bb=9,4", DAY) }
}

async fn see(desk: &Desk, rows: Vec<RowSeen>, told: &[PersonTold], doubts: &Doubts) {
    let pass = desk.ledger.begin_pass("eppgbm", "a.csv").await.unwrap();
    desk.ledger.see_rows_of(pass, &rows, told, doubts).await.unwrap();
    desk.ledger.finish_pass(pass, true).await.unwrap();
}

async fn open(desk: &Desk, answered: bool) -> Vec<Question> {
    desk.ledger.person_questions(&Reach::default(), answered, None, 10).await.unwrap()
}

async fn by_key(desk: &Desk) -> Option<(i64, Answer)> {
    let answers = desk.ledger.person_answers(&[sha("question")], &[sha(NUMBER)], &[sha("one")]).await.unwrap();
    let answer = answers.by_key.get(&sha("question")).copied();
    assert_eq!(answers.numbers.contains_key(&sha(NUMBER)), matches!(answer, Some((_, Answer::Same(_)))));
    answer
}

on_both_stores!(an_answer_is_once_and_is_taken_back_with_what_followed);
async fn an_answer_is_once_and_is_taken_back_with_what_followed(desk: Desk) {
    let people = [told("one", Vec::new()), told("two", Vec::new())];
    see(&desk, vec![issue_row()], &people, &asking(&["one", "two"])).await;
    // Asked again as it was, and then with one candidate less: the question is the same.
    for among in [&["one", "two"][..], &["one"]] {
        see(&desk, vec![issue_row()], &[], &asking(among)).await;
        let asked = open(&desk, false).await;
        assert_eq!((asked.len(), asked[0].candidates.len()), (1, among.len()));
    }
    let question = open(&desk, false).await.pop().unwrap();
    assert_eq!(question.candidates[0].content.reveal(), "\"one\"");
    assert!(by_key(&desk).await.is_none());
    assert!(!desk.ledger.answer_person(&question, Verdict::Open, "p-0", "x").await.unwrap(), "nothing to take back");
    let ledger = &desk.ledger;
    let one = Verdict::Same(question.candidates[0].number);
    for _ in 0..2 {
        assert!(ledger.answer_person(&question, one, "p-1", "KK").await.unwrap());
    }
    let other = ledger.answer_person(&question, Verdict::Other, "p-1", "KK").await;
    assert!(matches!(other, Err(LedgerError::CommandUsed)), "{other:?}");
    assert_eq!(by_key(&desk).await, Some((question.number, Answer::Same(sha("one")))));
    assert_eq!((open(&desk, false).await.len(), open(&desk, true).await.len()), (0, 1));
    assert!(ledger.answered_files("eppgbm").await.unwrap().contains_key("a.csv"));
    assert!(ledger.answered_files("kartu").await.unwrap().is_empty());

    // The next reading carries it out: a visit, and the number is the person's.
    let carried = row("eppgbm", "1", "bb=9,4", DAY);
    let (source, row_key) = ("eppgbm".to_owned(), carried.row_key);
    let doubts = Doubts { carried: vec![Carried { question: question.number, source, row_key }], ..Doubts::default() };
    let taught = [told("one", vec![(AliasKind::Nik, sha(NUMBER))])];
    for _ in 0..2 {
        see(&desk, vec![carried.clone()], &taught, &doubts).await;
    }
    let found = ledger.persons(&[(AliasKind::Nik, sha(NUMBER))]).await.unwrap();
    assert_eq!((found.len(), ledger.stale_visits(10).await.unwrap().len()), (1, 1));

    // Taken back: neither counts any more, and the row is a visit again when the same is answered.
    assert!(ledger.answer_person(&question, Verdict::Open, "p-2", "salah").await.unwrap());
    assert!(ledger.persons(&[(AliasKind::Nik, sha(NUMBER))]).await.unwrap().is_empty());
    assert!(ledger.stale_visits(10).await.unwrap().is_empty() && by_key(&desk).await.is_none());
    assert!(ledger.answer_person(&question, Verdict::Other, "p-3", "kembar").await.unwrap());
    let Some((_, Answer::Other(own))) = by_key(&desk).await else { panic!("another person") };
    assert!(own != sha("one") && own != sha("two"));
    see(&desk, vec![carried], &taught, &doubts).await;
    assert_eq!(ledger.stale_visits(10).await.unwrap().len(), 1);
}
