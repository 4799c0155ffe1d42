//! Daily seals by the daemon: each zone at its own midnight, missed midnights made up for, late movements as amendments,
//! and no day closed by a clock that is known to be wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use posyandu_gateway::clock::Clock;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::standing::Part;
use posyandu_gateway::ledger::state::{Event, State};
use posyandu_gateway::ledger::statement::{Kind, Statement};
use posyandu_gateway::report::statement::Content;
use posyandu_gateway::report::{pdf, statement_page};
use posyandu_gateway::words::Language;

use crate::office::{Office, Setting};

/// The sample's day.
const DAY: Date = date(2026, 11, 18);
const HOUR: Duration = Duration::from_secs(3_600);

/// A puskesmas without sources here, and rows that name none.
const OTHERS: [&str; 2] = ["Puskesmas Selatan", "-"];

async fn office(setting: Setting) -> (Office, Daemon) {
    let office = Office::open(setting, None).await;
    office.shorten(12).await;
    let daemon = office.daemon().await;
    (office, daemon)
}

/// Lets the gateway work a round at an instant.
async fn at(office: &Office, daemon: &Daemon, instant: &str) {
    let instant: Timestamp = instant.parse().unwrap();
    office.clock.advance(Duration::try_from(instant.duration_since(office.clock.now())).unwrap());
    Box::pin(daemon.once(&|_| {})).await.unwrap();
}

async fn statements(daemon: &Daemon) -> Vec<(Statement, Content)> {
    let mut all = Vec::new();
    let mut each = |statement: Statement| {
        let content = Content::of(&statement).unwrap();
        all.push((statement, content));
    };
    daemon.ledger.statements(None, None, &mut each).await.unwrap();
    let (number, findings) = daemon.ledger.verify_statements().await.unwrap();
    assert_eq!((number, findings), (all.len() as u64, BTreeMap::new()));
    all
}

/// Puskesmas that have a seal of the sample's day.
async fn sealed(daemon: &Daemon) -> Vec<String> {
    let all = statements(daemon).await.into_iter();
    let of_day = all.filter(|(one, _)| one.service_date == DAY && one.kind == Kind::Seal);
    of_day.map(|(one, _)| one.puskesmas).filter(|name| !OTHERS.contains(&name.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_zone_is_sealed_at_its_own_midnight_and_late_movements_amend() {
    let (office, daemon) = office(Setting { unknown_every: 5, ..Setting::default() }).await;
    at(&office, &daemon, "2026-11-18T14:59:30Z").await;
    assert!(sealed(&daemon).await.is_empty(), "no day has ended");
    at(&office, &daemon, "2026-11-18T15:00:30Z").await;
    assert_eq!(sealed(&daemon).await, ["Puskesmas Timur"]);
    at(&office, &daemon, "2026-11-18T16:00:30Z").await;
    assert_eq!(sealed(&daemon).await, ["Puskesmas Tengah", "Puskesmas Timur"]);
    at(&office, &daemon, "2026-11-18T17:00:30Z").await;
    assert_eq!(sealed(&daemon).await, ["Puskesmas Tengah", "Puskesmas Timur", "Puskesmas Utara"]);
    let all = statements(&daemon).await;
    let named = |one: &Statement| one.service_date == DAY && !OTHERS.contains(&one.puskesmas.as_str());
    for (statement, content) in all.iter().filter(|(one, _)| named(one)) {
        let filter = Filter { puskesmas: Some(statement.puskesmas.clone()), ..Filter::on(DAY) };
        let counts = daemon.ledger.counts(&filter).await.unwrap();
        assert_eq!((content.total.read, content.total.rows.total()), (counts.read, counts.read));
        assert_eq!(content.total.rows.of(Part::Accepted), counts.of(State::Delivered));
        assert_eq!(content.total.rows.of(Part::Skipped), counts.skipped_total());
        assert_eq!(content.posyandu.iter().map(|one| one.counted.read).sum::<u64>(), counts.read);
        assert!(!content.made_late && content.difference.is_none() && counts.read > 0, "{content:?}");
    }
    // Nothing more is stated until the next midnight, whatever moves.
    let blocked = daemon.ledger.entries(&Filter::on(DAY), &[State::Blocked], 100).await.unwrap();
    let waived = &blocked[0];
    daemon.ledger.decide(waived.entry_id, Event::WaivedBy, "luar wilayah").await.unwrap();
    at(&office, &daemon, "2026-11-18T20:00:00Z").await;
    assert_eq!(statements(&daemon).await.len(), all.len());
    at(&office, &daemon, "2026-11-19T17:00:30Z").await;
    let later = statements(&daemon).await;
    let amended: Vec<&(Statement, Content)> =
        later.iter().filter(|(one, _)| one.kind == Kind::Amendment && one.service_date == DAY).collect();
    let (amendment, content) = amended.iter().find(|(one, _)| one.puskesmas == waived.puskesmas).unwrap();
    let difference = content.difference.as_ref().unwrap();
    assert_eq!(difference.visits[&Part::Waived], BTreeMap::from([("person".to_owned(), 1)]));
    assert_eq!(difference.visits.values().flat_map(BTreeMap::values).sum::<i64>(), 0, "none appeared or vanished");
    let before = all.iter().find(|(one, _)| one.puskesmas == waived.puskesmas && one.service_date == DAY).unwrap();
    assert_eq!(difference.amends, before.0.number);
    assert!(later.contains(before), "what was stated stays");
    let document = statement_page::page(amendment, content, &|_| None, Language::Indonesian);
    let page = document.text(Language::Indonesian);
    assert!(page.contains("PERUBAHAN ATAS SEGEL HARIAN") && page.contains("Oleh petugas"), "{page}");
    assert!(page.contains(&Statement::shown(&amendment.hash())), "{page}");
    // The pages are not compressed, so their words can be read as they are.
    let printed = String::from_utf8_lossy(&pdf::pages(&[document], Language::Indonesian)).into_owned();
    for word in [&*Statement::shown(&amendment.hash()), &*Statement::shown(&amendment.code), "halaman 1 dari 1"] {
        assert!(printed.contains(word), "{word} is not printed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn midnights_missed_are_made_up_for_and_marked() {
    let (office, daemon) = office(Setting::default()).await;
    at(&office, &daemon, "2026-11-18T12:00:00Z").await;
    // Down for three midnights.
    at(&office, &daemon, "2026-11-21T01:00:00Z").await;
    let all = statements(&daemon).await;
    for puskesmas in ["Puskesmas Utara", "Puskesmas Tengah", "Puskesmas Timur"] {
        let own: Vec<&(Statement, Content)> = all.iter().filter(|(one, _)| one.puskesmas == puskesmas).collect();
        let days: Vec<Date> =
            own.iter().filter(|(one, _)| one.kind == Kind::Seal).map(|(one, _)| one.service_date).collect();
        assert!(days.ends_with(&[DAY, date(2026, 11, 19), date(2026, 11, 20)]), "{days:?}");
        let numbers: Vec<u64> = own.iter().map(|(one, _)| one.number).collect();
        assert_eq!(numbers, (1..=own.len() as u64).collect::<Vec<_>>());
        assert!(own.iter().all(|(one, content)| content.made_late && one.made_at == office.clock.now()));
        let empty = own.iter().find(|(one, _)| one.service_date == date(2026, 11, 20)).unwrap();
        assert_eq!(empty.1.total.read, 0, "a day without rows is sealed too");
    }
    let page = statement_page::page(&all[0].0, &all[0].1, &|_| None, Language::Indonesian).text(Language::Indonesian);
    assert!(page.contains("Dibuat terlambat"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_known_to_be_wrong_closes_no_day() {
    let (office, mut daemon) = office(Setting::default()).await;
    let right = daemon.clock.clone();
    let ahead = office.clock.now() + SignedDuration::from_hours(24);
    daemon.clock = Clock::manual(ahead);
    Box::pin(daemon.once(&|_| {})).await.unwrap();
    assert!(statements(&daemon).await.is_empty(), "the computer is a day ahead of SATUSEHAT");
    daemon.clock = right;
    office.clock.advance(9 * HOUR);
    Box::pin(daemon.once(&|_| {})).await.unwrap();
    assert_eq!(sealed(&daemon).await.len(), 3);
}
