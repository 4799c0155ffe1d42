//! What people change in their files after the day was sent: exactly that is sent, under the same identities, also
//! when the server fails in the middle of it.

use std::time::Duration;

use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::state::State;
use posyandu_gateway::simulator::Stats;
use posyandu_gateway::simulator::fault::{AppliesTo, Fault, FaultKind};
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::office::{Books, Office, Setting, agree};

/// Rows of each source.
const ROWS: usize = 24;
/// Rows of each source where the city is delivered anew for each fault.
const ROWS_FEW: usize = 10;
const UTARA: &str = "puskesmas-utara-eppgbm.csv";
const TIMUR: &str = "puskesmas-timur-aplikasi.sqlite";
/// A third pneumococcal dose on the day of the visit of child 7, which was weighed and delivered.
const NEW_DOSE: &str = "INSERT INTO imunisasis (balita_id, tanggal, jenis_vaksin, dosis, status, pelapor, nomor_batch,
    kedaluwarsa, petugas, created_at, updated_at) VALUES (7, '2026-11-18', 'PCV', 3, 'diberikan', 'nakes', 'PC2434A',
    '2027-06-28', 'Bidan Rekaan', '2026-11-18 06:00:00', '2026-11-18 06:00:00')";
const NEW_WEIGHT: &str = "UPDATE penimbangans SET berat_badan = 8.1 WHERE balita_id = 7";
/// Weight as LOINC names it.
const WEIGHT: &str = "29463-7";
/// Observations that a weight changes: itself, BMI, and three z-scores.
const OF_WEIGHT: u64 = 5;

/// A city whose day is delivered.
struct Delivered {
    office: Office,
    daemon: Daemon,
    blocked: usize,
    before: Stats,
}

impl Delivered {
    async fn new(rows: usize, faults: Vec<Fault>) -> Self {
        let office = Office::open(Setting { faults, ..Setting::default() }, None).await;
        office.shorten(rows).await;
        let daemon = office.daemon().await;
        daemon.once(&|_| {}).await.unwrap();
        let books = Books::read(&daemon.ledger).await;
        assert_eq!(books.waits(), 0);
        agree(&office, &books);
        let (blocked, before) = (books.in_state(State::Blocked), office.simulator.stats());
        Self { office, daemon, blocked, before }
    }

    /// Changes a text that stands once in a CSV file.
    fn rewrite(&self, file: &str, old: &str, new: &str) {
        let path = self.office.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(old).count(), 1, "{old}");
        std::fs::write(&path, text.replace(old, new)).unwrap();
    }

    async fn execute(&self, statement: &'static str) {
        let path = self.office.folder.path().join(TIMUR);
        let mut database = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        let changed = sqlx::raw_sql(statement).execute(&mut database).await.unwrap().rows_affected();
        assert!(changed > 0, "{statement}");
        database.close().await.unwrap();
    }

    /// Creates and updates since the day was delivered.
    fn sent(&self) -> (u64, u64) {
        let now = self.office.simulator.stats();
        (now.creates - self.before.creates, now.updates - self.before.updates)
    }

    async fn settle(&self) -> Books {
        self.office.clock.advance(Duration::from_secs(60));
        self.office.settle(&self.daemon, self.blocked).await;
        let books = Books::read(&self.daemon.ledger).await;
        agree(&self.office, &books);
        books
    }

    /// Everything the ledger calls delivered is read back as it was sent.
    async fn read_back(&self, books: &Books) {
        let lanes = self.daemon.lanes().unwrap();
        let before = self.office.clock.now() + Duration::from_secs(1);
        let read = self.daemon.reconciliation(&lanes).await.read_back(None, before, &|_| {}).await.unwrap();
        let resources: usize = books.delivered.iter().map(|entry| entry.resources.len()).sum();
        assert_eq!((read.equal, read.different, read.missing), (resources as u64, 0, 0), "{read:?}");
    }

    /// Resources at the server that are not in their first version.
    fn changed(&self) -> Vec<Value> {
        self.office.held().into_iter().filter(|held| held["meta"]["versionId"] != "1").collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_cell_a_new_row_and_a_mended_row_send_exactly_that() {
    let city = Delivered::new(ROWS, Vec::new()).await;

    city.rewrite(UTARA, ";14,5;97,9;", ";14,7;97,9;");
    let books = city.settle().await;
    assert_eq!(city.sent(), (0, OF_WEIGHT), "one weight is replaced, and what follows from it");
    let changed = city.changed();
    assert!(changed.iter().all(|one| one["meta"]["versionId"] == "2" && one["resourceType"] == "Observation"));
    let weight: Vec<_> = changed.iter().filter(|one| one["code"]["coding"][0]["code"] == WEIGHT).collect();
    assert_eq!((weight.len(), changed.len() as u64), (1, OF_WEIGHT));
    assert_eq!(weight[0]["valueQuantity"]["value"].as_f64(), Some(14.7));
    city.read_back(&books).await;

    city.execute(NEW_DOSE).await;
    let books = city.settle().await;
    assert_eq!(city.sent(), (1, OF_WEIGHT), "one dose is added");
    let newest = city.office.held().pop().unwrap();
    assert_eq!((&newest["resourceType"], &newest["meta"]["versionId"]), (&"Immunization".into(), &"1".into()));
    city.read_back(&books).await;

    // A weight of 62.4 kg was an issue.
    let (issues, visits) = (books.counts.issue, books.delivered.len());
    city.rewrite(UTARA, ";62,4;91,0;", ";12,4;91,0;");
    let books = city.settle().await;
    assert_eq!((books.counts.issue, books.delivered.len()), (issues - 1, visits + 1));
    let known: Vec<_> = books.delivered.iter().filter(|entry| entry.version == 1).collect();
    let mended = known.iter().max_by_key(|entry| entry.entry_id.number()).unwrap();
    assert_eq!(city.sent(), (1 + mended.resources.len() as u64, OF_WEIGHT), "one visit is added");
    city.read_back(&books).await;

    let sent = city.sent();
    city.settle().await;
    assert_eq!(city.sent(), sent, "nothing more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_is_gone_sends_and_deletes_nothing() {
    let city = Delivered::new(ROWS, Vec::new()).await;
    let contents = city.office.contents();
    let path = city.office.folder.path().join(UTARA);
    let text = std::fs::read_to_string(&path).unwrap();
    let kept: Vec<&str> = text.split_inclusive('\n').filter(|line| !line.contains("1001016401238727")).collect();
    std::fs::write(&path, kept.concat()).unwrap();
    let books = city.settle().await;
    assert_eq!(city.sent(), (0, 0));
    assert!(city.office.contents() == contents);
    city.read_back(&books).await;
    std::fs::write(&path, &text).unwrap();
    city.settle().await;
    assert_eq!(city.sent(), (0, 0), "a row that comes back as it was is nothing new");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_correction_cut_off_at_any_of_its_writes_creates_nothing_twice() {
    let first = Delivered::new(ROWS_FEW, Vec::new()).await;
    let of = |kind: &str| first.before.calls.get(kind).copied().unwrap_or(0);
    let writes = of("bundle") + of("create") + of("update");
    drop(first);
    let kinds = [
        FaultKind::TooManyRequests,
        FaultKind::Unavailable,
        FaultKind::ServerErrorAfterCommit,
        FaultKind::DroppedAnswer,
        FaultKind::DroppedBefore,
        FaultKind::HtmlPage,
        FaultKind::ExpiredToken,
    ];
    for kind in kinds {
        // Three creates (two doses, and the act of vaccination against pertussis) and the first update.
        for write in 1..=4 {
            // A token refused twice is no token any more: the lane stops.
            let calls = if kind == FaultKind::ExpiredToken { vec![write, write + 1] } else { vec![write] };
            let calls: Vec<u64> = calls.into_iter().map(|call| writes + call).collect();
            let city = Delivered::new(ROWS_FEW, vec![Fault::at_calls(kind, AppliesTo::Write, &calls)]).await;
            city.execute(NEW_DOSE).await;
            city.execute(
                "INSERT INTO imunisasis SELECT 9001, balita_id, tanggal, 'DPT-HB-Hib', dosis, status, alasan,
                pelapor, nomor_batch, kedaluwarsa, petugas, created_at, updated_at, deleted_at
                FROM imunisasis WHERE jenis_vaksin = 'PCV' AND balita_id = 7",
            )
            .await;
            city.execute(NEW_WEIGHT).await;
            let books = city.settle().await;
            let about = format!("{} at write {write}", kind.name());
            assert_eq!(city.office.simulator.stats().faults.len(), 1, "{about} did not strike");
            let (creates, updates) = city.sent();
            assert_eq!(creates, 3, "{about}");
            // An update that got no answer may be sent once more: it writes the same content again.
            assert!((OF_WEIGHT..=OF_WEIGHT + 1).contains(&updates), "{updates} updates: {about}");
            assert_eq!(books.in_state(State::Refused) + books.in_state(State::Exhausted), 0, "{about}");
            city.read_back(&books).await;
        }
    }
}
