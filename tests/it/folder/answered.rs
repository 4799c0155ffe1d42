//! A person's word about a row of a dropped file: the file is read again though nobody touched it, and then no more.

use std::time::Duration;

use posyandu_gateway::ingest::folder::seen::Fate;
use posyandu_gateway::ledger::account::Reach;
use posyandu_gateway::ledger::question::{Question, Verdict};

use super::Town;

/// Digits of a NIK.
const NIK_DIGITS: usize = 16;

/// The export with a row that carries the number of the row before it under another name.
fn planted(export: &[u8]) -> String {
    let text = String::from_utf8(export.to_vec()).unwrap();
    let is_number = |line: &str| {
        let number = line.split(';').nth(1).unwrap_or_default().trim_matches('\'');
        number.len() == NIK_DIGITS && number.bytes().all(|digit| digit.is_ascii_digit())
    };
    let row = text.lines().find(|line| is_number(line)).unwrap();
    let mut cells: Vec<&str> = row.split(';').collect();
    cells[2] = "Zubaidah Rekaan";
    text.replacen(row, &format!("{row}\n{}", cells.join(";")), 1)
}

async fn waiting(town: &Town) -> Vec<Question> {
    town.daemon.ledger.person_questions(&Reach::default(), false, None, 10).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_persons_word_about_a_row_reads_its_file_again() {
    let town = Town::new().await;
    let later = || town.office.clock.advance(Duration::from_secs(60));
    town.drop_old("a.csv", planted(&town.export).as_bytes());
    let before = town.only().await.rows;
    let asked = waiting(&town).await;
    assert_eq!(asked.len(), 1, "{asked:?}");
    later();
    assert_eq!(town.only().await.fate, Fate::Same, "nobody has said anything");

    let same = Verdict::Same(asked[0].candidates[0].number);
    assert!(town.daemon.ledger.answer_person(&asked[0], same, "p-1", "ganti nama").await.unwrap());
    later();
    let read = town.only().await;
    assert_eq!((read.fate, read.rows.issue + 1, waiting(&town).await.len()), (Fate::Read, before.issue, 0));
    assert_eq!(read.rows.records, before.records + 1);
    later();
    assert_eq!(town.only().await.fate, Fate::Same, "once is enough");

    assert!(town.daemon.ledger.answer_person(&asked[0], Verdict::Open, "p-2", "keliru").await.unwrap());
    later();
    let read = town.only().await;
    assert_eq!((read.fate, read.rows, waiting(&town).await.len()), (Fate::Read, before, 1));
}
