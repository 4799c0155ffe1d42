//! Visits from before the earliest date that SATUSEHAT takes: left out by the setting before anything is sent, counted
//! and named with the reason, and sent after all when the setting or a person says so.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::{Date, date};
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::entry::OUT_OF_RANGE;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::ledger::standing::Part;
use posyandu_gateway::ledger::state::{Event, State};
use serde_json::Value;

use crate::cli::town::{CONFIG, Satusehat, Town};
use crate::office::{Books, Office, Setting, sound};

const REGISTER: &str = "puskesmas-tengah-register.csv";
/// The sample's day.
const DAY: Date = date(2026, 11, 18);
/// The day of the visit that comes too late.
const DAY_BEFORE: Date = date(2026, 11, 17);
/// A row of the register, which is a good visit on the sample's day, and the same on the day before.
const ROW: (&str, &str) = ("18-11-2026,1002025003258963", "17-11-2026,1002025003258963");

/// Puts the row there; the register is written in an old encoding.
fn on_the_day_before(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let places: Vec<usize> =
        bytes.windows(ROW.0.len()).enumerate().filter(|(_, at)| *at == ROW.0.as_bytes()).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 1, "the register looks otherwise now");
    bytes[places[0]..places[0] + ROW.1.len()].copy_from_slice(ROW.1.as_bytes());
    std::fs::write(file, bytes).unwrap();
}

fn remarks(report: &Value) -> Vec<&Value> {
    let all = report["warnings"].as_array().unwrap().iter();
    all.filter(|one| one["rule"] == OUT_OF_RANGE).collect()
}

#[test]
fn a_visit_before_the_earliest_date_is_left_out_counted_and_named() {
    let server = Satusehat::start(&[]);
    let town = Town::ready(&server.address);
    on_the_day_before(&town.path(REGISTER));
    town.edit(CONFIG, "[satusehat]\n", "[satusehat]\nearliest_date = \"2026-11-18\"\n");
    let on_day = |arguments: &[&str]| town.gateway(&[arguments, &["--format", "json"]].concat()).json();
    let ready = |told: &Value| told["would_send"][1]["visits"].as_u64().unwrap();
    let would_send = ready(&on_day(&["check", "--today", "2026-11-18"]));
    town.gateway(&["run", "--once"]);
    let report = on_day(&["report", "--date", "2026-11-17"]);
    let counts = &report["counts"];
    assert_eq!((&counts["read"], &counts["waived"]), (&1.into(), &1.into()), "{counts}");
    assert!(report["late"].as_array().unwrap().is_empty(), "nobody promised to send it: {}", report["late"]);
    let named = remarks(&report);
    assert_eq!(named.len(), 1, "{report}");
    assert_eq!((&named[0]["file"], &named[0]["column"]), (&REGISTER.into(), &"Tgl Kunjungan".into()));
    assert_eq!(named[0]["state"], "waived");
    let text = town.gateway(&["report", "--date", "2026-11-17", "--lang", "en"]).out;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("before 2026-11-18, the earliest that SATUSEHAT takes"), "{text}");
    let sent = server.stats();

    // With the date moved back it goes out, and nothing else does.
    let (name, value) = ("SATUSEHAT__EARLIEST_DATE", "2026-11-17");
    let would = town.with(name, value, &["check", "--today", "2026-11-18", "--format", "json"]).json();
    assert_eq!(ready(&would), would_send + 1);
    town.with(name, value, &["run", "--once"]);
    let counts = on_day(&["report", "--date", "2026-11-17"])["counts"].clone();
    assert_eq!((&counts["waived"], &counts["delivered"]), (&0.into(), &1.into()), "{counts}");
    let now = server.stats();
    assert!(now["creates"].as_u64() > sent["creates"].as_u64() && now["updates"] == sent["updates"], "{now}");

    // Moved forward again, what the server holds stays delivered.
    town.gateway(&["run", "--once"]);
    let counts = on_day(&["report", "--date", "2026-11-17"])["counts"].clone();
    assert_eq!((&counts["waived"], &counts["delivered"]), (&0.into(), &1.into()), "{counts}");
    assert_eq!(server.stats()["creates"], now["creates"]);
    town.counts();
}

/// The one visit of the day before.
async fn left_out(daemon: &Daemon) -> (posyandu_gateway::ledger::entry::EntryId, State) {
    let lines = daemon.ledger.entries(&Filter::on(DAY_BEFORE), &State::ALL, 10).await.unwrap();
    let live: Vec<_> = lines.iter().filter(|line| line.state != State::Superseded).collect();
    assert_eq!(live.len(), 1, "{live:?}");
    (live[0].entry_id, live[0].state)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_may_send_what_the_rule_left_out_and_the_rule_does_not_take_it_back() {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(8).await;
    on_the_day_before(&office.folder.path().join(REGISTER));
    let mut daemon = office.daemon().await;
    daemon.config.satusehat.earliest_date = DAY;
    Box::pin(daemon.once(&|_| {})).await.unwrap();
    let (entry, state) = left_out(&daemon).await;
    assert_eq!(state, State::Waived);
    let story = daemon.ledger.story(entry).await.unwrap();
    assert_eq!(story.events.iter().map(|one| one.state).collect::<Vec<_>>(), [State::Pending, State::Waived]);
    assert!(story.attempts.is_empty(), "it was decided before anything was sent");
    let standings = daemon.ledger.standings(&Filter::on(DAY_BEFORE)).await.unwrap();
    let reasons: Vec<_> = standings.values().map(|one| (one.rows.0.clone(), one.visits.0.clone())).collect();
    let alone = BTreeMap::from([(Part::Waived, BTreeMap::from([("out_of_range".to_owned(), 1)]))]);
    assert_eq!(reasons, [(alone.clone(), alone)]);

    daemon.ledger.decide(entry, Event::RetryCommanded { due: office.clock.now() }, "tanggal benar").await.unwrap();
    // Another switch is another version of the mapping, so everything that waits is mapped again.
    daemon.config.mapping.accept_guesses.pop();
    Box::pin(daemon.once(&|_| {})).await.unwrap();
    let (after, state) = left_out(&daemon).await;
    assert_eq!((after, state), (entry, State::Delivered), "the person's decision stands");
    sound(&office, &Books::read(&daemon.ledger).await);
}
