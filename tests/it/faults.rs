//! A server that fails in every way we know, one way at a time and all at once: in the end the ledger and the server
//! agree, and nobody innocent was refused.

use std::collections::BTreeMap;
use std::path::Path;

use posyandu_gateway::ledger::reading::Counts;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};

use serde_json::Value;

use super::office::{Books, Office, Setting, agree, copy};

/// Rows of each source and the share of the calls that a fault hits, when it is alone.
const ALONE: (usize, f64) = (14, 0.15);
/// The same for each fault when all are there.
const TOGETHER: (usize, f64) = (24, 0.03);

/// The same for an odd answer, which strikes at writes only.
const ODDLY: (usize, f64) = (9, 0.3);

/// What comes now and then from a real server.
const KINDS: [FaultKind; 11] = [
    FaultKind::TooManyRequests,
    FaultKind::Quota500,
    FaultKind::Unavailable,
    FaultKind::ServerErrorBeforeCommit,
    FaultKind::ServerErrorAfterCommit,
    FaultKind::DroppedAnswer,
    FaultKind::DroppedBefore,
    FaultKind::CutAfterBytes,
    FaultKind::ExpiredToken,
    FaultKind::HtmlPage,
    FaultKind::ConsentSuppressed,
];

/// Answers that no server should give, and connections that end as none should: rows 5, 8, 10, 11, 13, 14 and 32 of the
/// list of faults.
const ODD: [FaultKind; 17] = [
    FaultKind::Maintenance,
    FaultKind::Truncated,
    FaultKind::Redirect,
    FaultKind::ContentType,
    FaultKind::Edited,
    FaultKind::EntriesReversed,
    FaultKind::EntriesMissing,
    FaultKind::EntriesRepeated,
    FaultKind::OutcomeForBundle,
    FaultKind::PartialCommit,
    FaultKind::Huge,
    FaultKind::Deep,
    FaultKind::GzipBomb,
    FaultKind::Slow,
    FaultKind::HeldAfterCommit,
    FaultKind::ClosedIdle,
    FaultKind::ClosedOnReuse,
];
/// More than an answer may have (faults, row 10).
const HUGE_BYTES: usize = 9 * 1024 * 1024;

/// What a kind of [`ODD`] needs to strike.
fn odd(kind: FaultKind, chance: f64) -> Fault {
    let writes = Fault { probability: Some(chance), ..Fault::at_calls(kind, AppliesTo::Write, &[]) };
    match kind {
        FaultKind::Truncated => Fault { bytes: Some(200), ..writes },
        FaultKind::Redirect => Fault { location: Some("http://127.0.0.1:9/".to_owned()), ..writes },
        FaultKind::ContentType => Fault { content_type: Some("text/html".to_owned()), ..writes },
        // Neither an id nor where it would be.
        FaultKind::Edited => {
            let paths = ["/entry/*/response/location", "/entry/*/response/resourceID", "/id"];
            Fault { set: paths.map(|path| (path.to_owned(), Value::Null)).into(), ..writes }
        }
        FaultKind::Huge | FaultKind::GzipBomb => Fault { bytes: Some(HUGE_BYTES), at_most: Some(3), ..writes },
        FaultKind::Deep => Fault { depth: Some(200_000), ..writes },
        FaultKind::Slow => Fault { bytes: Some(2_000), delay_ms: Some(1), ..writes },
        // It is answered in time; that the answer may never come has a test of its own.
        FaultKind::HeldAfterCommit => Fault { delay_ms: Some(5), ..writes },
        FaultKind::ClosedOnReuse | FaultKind::ClosedIdle => Fault { applies_to: AppliesTo::Any, ..writes },
        _ => writes,
    }
}

fn fault(kind: FaultKind, chance: f64) -> Fault {
    // Enough for the head of an answer and some of its body.
    let bytes = (kind == FaultKind::CutAfterBytes).then_some(400);
    Fault { probability: Some(chance), bytes, ..Fault::at_calls(kind, AppliesTo::Any, &[]) }
}

/// How the city ends on a server without faults.
struct Calm {
    rows: usize,
    folder: tempfile::TempDir,
    contents: BTreeMap<String, String>,
    counts: Counts,
    blocked: usize,
}

impl Calm {
    async fn new(rows: usize) -> Self {
        let office = Office::open(Setting::default(), None).await;
        office.shorten(rows).await;
        let daemon = office.daemon().await;
        daemon.once(&|_| {}).await.unwrap();
        let books = Books::read(&daemon.ledger).await;
        agree(&office, &books);
        assert_eq!(books.waits(), 0);
        assert!(books.delivered.len() > rows);
        let folder = tempfile::tempdir().unwrap();
        copy(daemon.config.key_file().parent().unwrap(), &folder.path().join("keys"));
        Self {
            rows,
            contents: office.contents(),
            counts: books.counts.clone(),
            blocked: books.in_state(State::Blocked),
            folder,
        }
    }

    fn keys(&self) -> &Path {
        self.folder.path()
    }

    /// The same city on a server with faults.
    async fn with(&self, faults: Vec<Fault>, duplicate_check: bool, index_lag_seconds: u64, seed: u64) {
        let kinds: Vec<&str> = faults.iter().map(|fault| fault.kind.name()).collect();
        let setting = Setting { duplicate_check, faults, seed, index_lag_seconds, ..Setting::default() };
        let office = Office::open(setting, Some(self.keys())).await;
        office.shorten(self.rows).await;
        let daemon = office.daemon().await;
        let runs = office.settle(&daemon, self.blocked).await;
        let books = Books::read(&daemon.ledger).await;
        let stats = office.simulator.stats();
        let about = format!("{kinds:?}, duplicate check {duplicate_check}, seed {seed}, {runs} runs");
        agree(&office, &books);
        assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0, "{about}");
        assert_eq!(books.counts, self.counts, "{about}");
        assert!(office.contents() == self.contents, "the server holds something else: {about}");
        assert_eq!(stats.creates, self.contents.len() as u64, "{about}");
        assert_eq!(stats.updates, 0, "{about}");
        for kind in kinds {
            assert!(stats.faults.get(kind).copied().unwrap_or(0) > 0, "{kind} never struck: {about}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_alone_loses_nothing_and_doubles_nothing() {
    let calm = Calm::new(ALONE.0).await;
    for (seed, kind) in KINDS.into_iter().enumerate() {
        for duplicate_check in [false, true] {
            calm.with(vec![fault(kind, ALONE.1)], duplicate_check, 0, seed as u64).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_odd_answer_alone_loses_nothing_and_doubles_nothing() {
    let calm = Calm::new(ODDLY.0).await;
    for (seed, kind) in ODD.into_iter().enumerate() {
        calm.with(vec![odd(kind, ODDLY.1)], false, 0, seed as u64).await;
    }
}

/// One request at a time: otherwise the answer to the other one may come first, and only reading back shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_to_another_request_is_never_taken_for_its_own() {
    let fault = Fault { every: Some(3), ..Fault::at_calls(FaultKind::Swapped, AppliesTo::Write, &[]) };
    let delivery = "concurrency = 1\nprobe_after_seconds = [1, 30]\nonce_seconds = 0";
    let office = Office::open(Setting { faults: vec![fault], delivery, ..Setting::default() }, None).await;
    super::proof::simulation::alone(office.folder.path());
    office.shorten(TOGETHER.0).await;
    let daemon = office.daemon().await;
    office.settle(&daemon, 0).await;
    agree(&office, &Books::read(&daemon.ledger).await);
    assert!(office.simulator.stats().faults["swapped"] > 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_together_lose_nothing_and_double_nothing() {
    let calm = Calm::new(TOGETHER.0).await;
    let all = || KINDS.map(|kind| fault(kind, TOGETHER.1)).to_vec();
    for (seed, (duplicate_check, lag)) in [(false, 0), (true, 0), (false, 20), (true, 20)].into_iter().enumerate() {
        calm.with(all(), duplicate_check, lag, 100 + seed as u64).await;
    }
}
