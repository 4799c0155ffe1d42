//! A month of a city with faults on: discrepancies of every class are put in, all are found, none is invented, and what
//! the reports count a script counts again from the raw files. `POSYANDU_MONTH=full` takes 395 posyandu and 45,000
//! visits; `cargo bench --bench month` does so too, in a quick build of its own.
#![allow(clippy::print_stdout, reason = "the figures of a large run are the point")]

// By path, since the bench of the same name takes this file from elsewhere.
#[path = "month/city.rs"]
pub mod city;
#[path = "month/harm.rs"]
mod harm;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::account::Reach;
use posyandu_gateway::ledger::discrepancy::{Class, Discrepancy, Standing};
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::reconciliation::audit::{AuditTally, Scope, month};
use posyandu_gateway::reconciliation::beside::Cursors;
use posyandu_gateway::report::recap::area::{Areas, Level};
use posyandu_gateway::report::recap::{Ask, Recap};
use posyandu_gateway::report::{DayReport, Request, Span, json};
use posyandu_gateway::words::Language;
use serde_json::Value;

use city::{City, FIRST, Life, Size};
use harm::Harm;

/// Days after which a blocked visit is looked at again.
const NEXT_DAYS: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// Minutes after which everything delivered is old enough to be read back.
const LATER: Duration = Duration::from_secs(20 * 60);
/// Rounds of reading back until nothing is left, at most: faults make some wait.
const LOOKS_MAX: u32 = 60;

/// Reads everything back in the background, as `run` does.
async fn read_back(city: &City, daemon: &Daemon) -> u64 {
    let (mut cursors, mut number) = (Cursors::default(), 0);
    for _ in 0..LOOKS_MAX {
        city.clock.advance(LATER);
        let lanes = daemon.lanes().unwrap();
        number += daemon.read_back_due(&lanes, &mut cursors).await.unwrap();
        let mut unread = 0;
        for lane in &lanes {
            unread += daemon.ledger.unread(&lane.name, city.clock.now(), 0, 1).await.unwrap().len();
        }
        if unread == 0 {
            return number;
        }
    }
    panic!("delivered visits stay unread");
}

/// Audits until one saw everything, at most.
const AUDITS_MAX: usize = 5;

/// Source, ledger and server compared, as `reconcile --full` does.
async fn audit(daemon: &Daemon) -> AuditTally {
    let mut look = |_: &_, _: &mut _| Ok(());
    Box::pin(daemon.ingest(&mut look, &|_| {})).await.unwrap();
    let now = daemon.clock.now();
    daemon.ledger.propose_removals().await.unwrap();
    daemon.ledger.refresh_discrepancies(now, now).await.unwrap();
    let (first, last) = month(FIRST);
    let visits = daemon.ledger.delivered(&Span::Month(FIRST).filter()).await.unwrap();
    let lanes = daemon.lanes().unwrap();
    let scope = Scope { first, last, visits, is_whole: true };
    // What faults kept it from seeing it tells, and it is run again: the server refuses access at random here, and
    // a lane that was refused is tried once in five minutes.
    let mut tally = AuditTally::default();
    for _ in 0..AUDITS_MAX {
        tally = daemon.reconciliation(&lanes).await.audit(&scope, &|_| {}).await.unwrap();
        if tally.is_complete() {
            return tally;
        }
    }
    panic!("{tally:?}");
}

async fn open(daemon: &Daemon) -> Vec<Discrepancy> {
    daemon.ledger.discrepancies(&Filter::default(), false).await.unwrap()
}

/// Class and thing; of a visit its place and day, which its row tells.
fn named(list: &[Discrepancy]) -> BTreeSet<(Class, String)> {
    let name = |one: &Discrepancy| match one.thing.split_once('/') {
        Some(("visit", _)) => (one.class, format!("{} {}", one.posyandu, one.service_date)),
        _ => (one.class, one.thing.clone()),
    };
    list.iter().map(name).collect()
}

/// What the script counts from the raw files.
fn recount(city: &City, folder: &Path) -> Value {
    let mut dump = Vec::new();
    city.simulator.dump(&mut dump).unwrap();
    std::fs::write(folder.join("dump.ndjson"), dump).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recount.py");
    let counted = Command::new("python3").arg(script).arg(folder).output();
    let counted = counted.expect("python3 is missing. On Debian or Ubuntu: apt install python3");
    assert!(counted.status.success(), "{}", String::from_utf8_lossy(&counted.stderr));
    serde_json::from_slice(&counted.stdout).unwrap()
}

async fn report(daemon: &Daemon) -> Value {
    let (zone, made_at) = (posyandu_gateway::clock::Zone::Wib, daemon.clock.now());
    let request = Request {
        span: Span::Month(FIRST),
        zone,
        made_at,
        mapping_version: None,
        names: &|_| None,
        place: Reach::default(),
        listed_max: None,
    };
    json::value(&DayReport::gather(&daemon.ledger, request).await.unwrap(), Language::Indonesian)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The totals of the report are those that the script counts, for the whole and for each puskesmas and posyandu;
/// `waiting` are the rows that the server holds nothing of yet, or an older version.
#[track_caller]
fn totals_agree(report: &Value, counted: &Value, waiting: u64) {
    // The rows of the register of posyandu stand on the day they were read, which is not in another month.
    let rows = number(&report["sum"]["read"]) - number(&report["counts"]["skipped"]);
    assert_eq!(rows, number(&counted["rows"]));
    assert_eq!(number(&report["same_day"]["visits"]), number(&counted["visits"]));
    assert_eq!(number(&report["sum"]["accepted"]) + waiting, number(&counted["rows"]));
    for place in report["places"].as_array().unwrap() {
        let (Some(puskesmas), posyandu) = (place["puskesmas"].as_str(), place["posyandu"].as_str()) else { continue };
        let told = match posyandu {
            None => &counted["by_puskesmas"][puskesmas],
            Some(posyandu) => &counted["by_posyandu"][posyandu],
        };
        assert_eq!(number(&place["rows"]["read"]), number(told), "{puskesmas} {posyandu:?}");
    }
}

/// The figures of the month are those that the script counts, at each level.
async fn figures_agree(daemon: &Daemon, counted: &Value) {
    let (zone, made_at) = (posyandu_gateway::clock::Zone::Wib, daemon.clock.now());
    let areas = Areas::new();
    for level in [Level::Posyandu, Level::Puskesmas, Level::City] {
        let (puskesmas, posyandu) = (None, None);
        let ask = Ask { span: Span::Month(FIRST), level, puskesmas, posyandu, zone, made_at, areas: &areas };
        let recap = Recap::gather(&daemon.ledger, &ask).await.unwrap();
        let object: Value = serde_json::from_str(&json::recap(&recap, Language::Indonesian)).unwrap();
        let wanted = counted["figures"][level.word()].as_object().unwrap();
        // The rows of the register of posyandu stand at no place.
        let lines = object["lines"].as_array().unwrap().iter().filter(|line| line["key"] != "");
        let lines: Vec<&Value> = lines.collect();
        assert_eq!(lines.len(), wanted.len(), "{level:?}");
        for line in lines {
            let (key, told) = (line["key"].as_str().unwrap(), &line["figures"]);
            for (figure, number) in wanted[key].as_object().unwrap() {
                let found = told.pointer(figure).unwrap_or_else(|| panic!("{figure} of {key}"));
                assert_eq!(found, number, "{figure} of {key}");
            }
        }
    }
}

/// Who waits because of its person, or of its place at the server.
fn stuck(city: &City) -> BTreeSet<(Class, String)> {
    let blocked = city.blocked.iter().map(|name| (Class::Blocked, name.clone()));
    blocked.chain(city.refused.iter().map(|name| (Class::Refused, name.clone()))).collect()
}

#[track_caller]
fn exactly(found: &[Discrepancy], expected: &BTreeSet<(Class, String)>) {
    let told = named(found);
    let (missed, invented): (Vec<_>, Vec<_>) =
        (expected.difference(&told).collect(), told.difference(expected).collect());
    assert!(missed.is_empty() && invented.is_empty(), "missed {missed:?}, invented {invented:?}");
    assert_eq!(found.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn injected_discrepancies_of_every_class_are_all_found_and_none_is_invented() {
    run(Size::chosen()).await;
}

/// The month from its files to the last discrepancy closed.
pub async fn run(size: Size) {
    let city = City::open(size, Life::a_month()).await;
    let daemon = city.daemon().await;
    let begun = std::time::Instant::now();
    let done = |what: &str| println!("{what} after {:.0?}", begun.elapsed());
    city.deliver(&daemon).await;
    done(&format!("{} visits delivered", size.visits));
    // A visit of which a fault hid a part is read again.
    let whole = read_back(&city, &daemon).await;
    assert!(whole > 0 && whole <= size.visits as u64, "{whole}");
    let seen = daemon.ledger.verification(&Filter::default()).await.unwrap();
    assert_eq!((seen.unverified, seen.equal), (0, seen.delivered), "{seen:?}");
    done("read back");
    let tally = audit(&daemon).await;
    done("audited");
    assert_eq!((tally.visits, tally.visits_differing, tally.unknown), (size.visits as u64, 0, 0));
    let stuck = stuck(&city);
    exactly(&open(&daemon).await, &stuck);
    let counted = recount(&city, city.folder.path());
    totals_agree(&report(&daemon).await, &counted, stuck.len() as u64);
    assert_eq!(number(&counted["encounters_missing"]), stuck.len() as u64);
    figures_agree(&daemon, &counted).await;
    done("counted again");

    let gone = harm::leave_out(&city, size);
    city.deliver(&daemon).await;
    let harm = Harm::done(&city, size, gone.union(&stuck).cloned().collect());
    city.clock.advance(LATER);
    audit(&daemon).await;
    done(&format!("audited with {} discrepancies", harm.expected.len()));
    for class in Class::ALL {
        assert!(harm.of(*class) >= size.each as u64, "{class:?}");
    }
    exactly(&open(&daemon).await, &harm.expected);
    let counted = recount(&city, city.folder.path());
    let waiting = harm.of(Class::ChangedInSource) + stuck.len() as u64;
    totals_agree(&report(&daemon).await, &counted, waiting);
    figures_agree(&daemon, &counted).await;
    assert_eq!(number(&counted["encounters_missing"]), harm.encounters_lost + stuck.len() as u64);
    assert_eq!(number(&counted["encounters_unknown"]), harm.encounters_unknown);
    assert_eq!(number(&counted["weights_missing"]), harm.of(Class::MissingAtServer) - harm.encounters_lost);
    let differing = harm.of(Class::DifferentAtServer) + harm.of(Class::ChangedInSource);
    assert_eq!(number(&counted["weights_differing"]), differing);
    assert_eq!(number(&counted["wrong_person"]), harm.of(Class::WrongPerson));
    let told = report(&daemon).await;
    let told: u64 = told["discrepancies"].as_array().unwrap().iter().map(|one| number(&one["number"])).sum();
    assert_eq!(told, harm.expected.len() as u64);

    harm.undone(&city);
    city.mend(size);
    let removals: Vec<i64> = daemon.ledger.removals().await.unwrap().iter().map(|removal| removal.number).collect();
    assert_eq!(daemon.ledger.decide_removals(&removals, true, "one", "not measured").await.unwrap(), size.each as u64);
    // Whoever was not known is looked for again after a day.
    city.clock.advance(NEXT_DAYS);
    city.deliver(&daemon).await;
    audit(&daemon).await;
    assert!(open(&daemon).await.is_empty(), "closed by evidence: {:?}", named(&open(&daemon).await));
    let all = daemon.ledger.discrepancies(&Filter::default(), true).await.unwrap();
    assert!(all.iter().all(|one| one.standing == Standing::Closed && !one.evidence.is_empty()));
    assert_eq!(all.len(), harm.expected.len());
    let counted = recount(&city, city.folder.path());
    totals_agree(&report(&daemon).await, &counted, 0);
    for figure in ["encounters_missing", "encounters_unknown", "weights_missing", "weights_differing", "wrong_person"] {
        assert_eq!(number(&counted[figure]), 0, "{figure}");
    }
    done("closed");
}
