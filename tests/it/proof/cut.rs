//! Answers cut at every byte: whatever was carried out is found again, whatever was not is sent again, and half an
//! answer is never taken for a whole one.

use std::time::Duration;

use posyandu_gateway::ledger::state::State;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::json;

use super::run::Run;
use crate::kill::correct;
use crate::office::{Books, Office, Setting, agree};

/// Bytes between two cuts of every run. Which bytes those are moves with the seed; as many rounds as this reach
/// each byte once (`POSYANDU_PROOF_CUTS`).
const STEP: u64 = 100;
/// Longest answer, head and body, in bytes: a cut behind its end does nothing, which the test makes sure of.
const BYTES_MAX: u64 = 12_000;
/// The same for searches, tokens and single answers.
const SMALL_BYTES_MAX: u64 = 3_000;
const TOKEN_BYTES_MAX: u64 = 700;
/// Rows of each source: together they make more calls than there are cuts.
const ROWS: usize = 60;
const FEW: usize = 24;

/// One cut for each call from `first` on.
fn cuts(applies_to: AppliesTo, first: u64, offset: u64, bytes_max: u64, step: u64) -> Vec<Fault> {
    (0..bytes_max / step)
        .map(|number| {
            let bytes = usize::try_from(offset + number * step).unwrap();
            let fault = Fault::at_calls(FaultKind::CutAfterBytes, applies_to, &[first + number]);
            Fault { bytes: Some(bytes), ..fault }
        })
        .collect()
}

/// A day with these faults, to its end. Returns how many resources are at the server.
async fn day(faults: Vec<Fault>, rows: usize) -> (Office, u64) {
    let wanted = faults.len() as u64;
    let office = Office::open(Setting { faults, ..Setting::default() }, None).await;
    office.shorten(rows).await;
    let daemon = office.daemon().await;
    // Nobody innocent is blocked for good: a look-up that was cut is repeated.
    office.settle(&daemon, usize::MAX).await;
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0);
    let stats = office.simulator.stats();
    let struck = stats.faults.get("cut_after_bytes").copied().unwrap_or(0);
    assert_eq!(struck, wanted, "not every cut found its call: {stats:?}");
    assert_eq!((stats.creates, stats.updates), (office.held().len() as u64, 0), "sent again without need");
    (office, struck)
}

/// The corrections of a delivered day, each single create and update cut.
async fn corrected(offset: u64, step: u64) -> u64 {
    let calm = day(Vec::new(), FEW).await.0;
    let of = |kind: &str| calm.simulator.stats().calls.get(kind).copied().unwrap_or(0);
    let first = of("bundle") + of("create") + of("update") + 1;
    drop(calm);
    let faults = cuts(AppliesTo::Write, first, offset, SMALL_BYTES_MAX, step);
    let office = Office::open(Setting { faults, ..Setting::default() }, None).await;
    office.shorten(FEW).await;
    let daemon = office.daemon().await;
    office.settle(&daemon, usize::MAX).await;
    correct(&office).await;
    office.clock.advance(Duration::from_secs(60));
    office.settle(&daemon, usize::MAX).await;
    let books = Books::read(&daemon.ledger).await;
    agree(&office, &books);
    assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0);
    office.simulator.stats().faults.get("cut_after_bytes").copied().unwrap_or(0)
}

/// Every request for a token cut until one gets through.
async fn tokens(offset: u64, step: u64) -> u64 {
    let faults = cuts(AppliesTo::Token, 1, offset, TOKEN_BYTES_MAX, step);
    let wanted = faults.len() as u64;
    let office = Office::open(Setting { faults, ..Setting::default() }, None).await;
    office.shorten(8).await;
    let daemon = office.daemon().await;
    office.settle(&daemon, usize::MAX).await;
    agree(&office, &Books::read(&daemon.ledger).await);
    // A cut behind its end leaves a token whole, and then no more is asked for.
    let struck = office.simulator.stats().faults.get("cut_after_bytes").copied().unwrap_or(0);
    assert!(struck > 0 && struck <= wanted, "{struck} of {wanted}");
    struck
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_cut_at_any_byte_loses_nothing_and_doubles_nothing() {
    let run = Run::of("cuts", 1, 1);
    let (mut bundles, mut searches, mut singles, mut asked) = (0, 0, 0, 0);
    for offset in (0..run.size).map(|round| (run.seed + round) % STEP) {
        bundles += day(cuts(AppliesTo::Write, 1, offset, BYTES_MAX, STEP), ROWS).await.1;
        searches += day(cuts(AppliesTo::Read, 1, offset, SMALL_BYTES_MAX, STEP), FEW).await.1;
        singles += corrected(offset, STEP).await;
        asked += tokens(offset, STEP).await;
    }
    assert!(singles > 0);
    let figures = json!({"rounds": run.size, "bundles": bundles, "searches": searches, "singles": singles, "tokens": asked, "step": STEP});
    run.told(bundles + searches + singles + asked, &figures);
}
