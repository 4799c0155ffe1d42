//! A person's word about a row that fits several: it holds for what the row says, is once, and can be taken back.

use posyandu_gateway::issue::Severity;
use posyandu_gateway::ledger::LedgerError;
use posyandu_gateway::ledger::account::Reach;
use posyandu_gateway::ledger::question::{Question, Verdict};

use super::town::{Row, Seen, Town};
use super::{NIK, NIK_OF_TWIN, ani};

/// A number that nobody else has.
const NEW_NIK: &str = "1001014512240009";

async fn asked(town: &Town, answered: bool) -> Vec<Question> {
    town.ledger.person_questions(&Reach::default(), answered, None, 100).await.unwrap()
}

/// The one question that waits.
async fn waiting(town: &Town) -> Question {
    let mut all = asked(town, false).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.pop().unwrap()
}

async fn answer(town: &Town, question: &Question, verdict: Verdict, command: &str) -> bool {
    town.ledger.answer_person(question, verdict, command, "dilihat di KK").await.unwrap()
}

fn stops(seen: &Seen, rule: &str) -> bool {
    seen.visits.is_empty() && seen.has(rule, Severity::Error)
}

/// Two persons, and a row of the mother's baby that may be either.
async fn two_may_be_meant() -> Town {
    let town = Town::new().await;
    town.register(&[ani(), Row { nik: NIK_OF_TWIN, name: "Budi Contoh", ..ani() }]);
    town.visits(&[Row { nik: "", name: "By Ny Siti", day: "18/11/2026", ..ani() }]);
    assert!(stops(&town.read().await, "person.several"));
    town
}

#[tokio::test]
async fn a_row_becomes_the_visit_of_whoever_is_named_and_asks_again_when_that_is_taken_back() {
    let town = Box::pin(two_may_be_meant()).await;
    let question = waiting(&town).await;
    assert_eq!(
        (question.rule.as_str(), question.candidates.len(), question.place.row.as_str()),
        ("person.several", 2, "2")
    );
    assert_eq!(question.posyandu.as_deref(), Some("UTR-01"));
    for (candidate, nik) in question.candidates.iter().zip([NIK, NIK_OF_TWIN]) {
        let command = format!("p-{}", candidate.number);
        assert!(answer(&town, &question, Verdict::Same(candidate.number), &command).await);
        assert!(answer(&town, &question, Verdict::Same(candidate.number), &command).await, "twice is once");
        let other = town.ledger.answer_person(&question, Verdict::Open, &command, "x").await;
        assert!(matches!(other, Err(LedgerError::CommandUsed)), "{other:?}");
        let seen = town.read().await;
        assert!(seen.visits.len() == 1 && seen.visits[0].sasaran.contains(nik), "{:?}", seen.issues);
        assert!(seen.has("person.decided", Severity::Information) && asked(&town, false).await.is_empty());
        let told = asked(&town, true).await;
        assert_eq!(told[0].answered.as_ref().unwrap().person, Some(candidate.number));
        assert_eq!(told[0].answered.as_ref().unwrap().reason, "dilihat di KK");
        assert_eq!(town.read().await.visits.len(), 1, "it stays so, reading after reading");
        assert!(answer(&town, &question, Verdict::Open, &format!("{command}-batal")).await);
        assert!(stops(&town.read().await, "person.several"));
        assert_eq!(waiting(&town).await.number, question.number);
    }
    assert!(!answer(&town, &question, Verdict::Same(99), "p-99").await, "nobody who is not meant");
    let elsewhere = Reach { puskesmas: Some("Puskesmas Utara".into()), posyandu: Some("UTR-02".into()) };
    assert!(town.ledger.person_questions(&elsewhere, false, None, 100).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_holds_for_what_the_row_said() {
    let town = Box::pin(two_may_be_meant()).await;
    let question = waiting(&town).await;
    assert!(answer(&town, &question, Verdict::Same(question.candidates[0].number), "p-1").await);
    town.visits(&[Row { nik: "", name: "By Ny Siti Aminah", day: "18/11/2026", ..ani() }]);
    assert!(stops(&town.read().await, "person.several"), "another row asks for itself");
    assert_ne!(waiting(&town).await.number, question.number);
    // What it said before is answered still.
    town.visits(&[Row { nik: "", name: "By Ny Siti", day: "18/11/2026", ..ani() }]);
    assert_eq!(town.read().await.visits.len(), 1);
}

#[tokio::test]
async fn a_second_number_is_the_same_person_or_another_by_a_persons_word() {
    for is_same in [true, false] {
        let town = Town::new().await;
        town.register(&[ani()]);
        town.read().await;
        let told = Row { nik: NEW_NIK, day: "18/11/2026", ..ani() };
        town.visits(&[told]);
        assert!(stops(&town.read().await, "person.two_niks"));
        let question = waiting(&town).await;
        let verdict = if is_same { Verdict::Same(question.candidates[0].number) } else { Verdict::Other };
        assert!(answer(&town, &question, verdict, "p-1").await);
        let first = town.read().await;
        assert!(first.visits.len() == 1 && first.visits[0].sasaran.contains(NEW_NIK), "{:?}", first.issues);
        // The number is known from here on: another day asks nobody.
        let later = Row { day: "17/11/2026", ..told };
        town.visits(&[told, later]);
        let second = town.read().await;
        assert_eq!((second.visits.len(), asked(&town, false).await.len()), (2, 0), "{:?}", second.issues);
        // Taken back: all that followed asks again.
        assert!(answer(&town, &question, Verdict::Open, "p-2").await);
        assert!(stops(&town.read().await, "person.two_niks"));
        assert_eq!(asked(&town, false).await.len(), 2);
    }
}

#[tokio::test]
async fn the_visit_is_that_persons_or_one_of_its_own() {
    for is_same in [true, false] {
        let town = Town::new().await;
        let own = Row { day: "18/11/2026", ..ani() };
        town.visits(&[own]);
        let before = town.read().await;
        town.visits(&[own, Row { nik: NEW_NIK, ..own }]);
        town.read().await;
        let question = waiting(&town).await;
        let verdict = if is_same { Verdict::Same(question.candidates[0].number) } else { Verdict::Other };
        assert!(answer(&town, &question, verdict, "p-1").await);
        let seen = town.read().await;
        assert_eq!(seen.visits.len(), if is_same { 1 } else { 2 });
        assert!(seen.visits.iter().any(|visit| visit.key == before.visits[0].key));
    }
}

#[tokio::test]
async fn two_people_cannot_have_one_number() {
    let town = Town::new().await;
    town.register(&[ani()]);
    town.read().await;
    town.visits(&[Row { name: "Budi Contoh", day: "18/11/2026", ..ani() }]);
    assert!(stops(&town.read().await, "nik.shared"));
    let question = waiting(&town).await;
    assert!(!question.may_be_other() && !answer(&town, &question, Verdict::Other, "p-1").await);
    assert!(answer(&town, &question, Verdict::Same(question.candidates[0].number), "p-2").await);
    let seen = town.read().await;
    assert!(seen.visits.len() == 1 && seen.visits[0].sasaran.contains("Budi"), "the row is sent as it stands");
    // The person is known as before.
    town.visits(&[Row { day: "17/11/2026", ..ani() }]);
    assert!(!town.read().await.has("nik.shared", Severity::Error));
}

#[tokio::test]
async fn what_is_known_of_candidates_is_sealed() {
    let town = Box::pin(two_may_be_meant()).await;
    let question = waiting(&town).await;
    assert!(answer(&town, &question, Verdict::Same(question.candidates[0].number), "p-1").await);
    town.read().await;
    let disk = town.disk();
    for secret in ["Ani Contoh", NIK, "dilihat di KK"] {
        assert!(!disk.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
    assert!(!format!("{question:?}").contains("Ani Contoh"));
}
