//! What comes in while a backlog is sent: it is read, told and sent at once, whoever the backlog belongs to.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;
use posyandu_gateway::daemon::deliver::Done;
use posyandu_gateway::daemon::{Daemon, DaemonError, Round};
use posyandu_gateway::ledger::state::State;

use super::office::{Books, Office, Setting, agree};
use super::proof::simulation::pace;

/// Calls a minute of each puskesmas, and lines of the export of Puskesmas Utara: its lane is busy for some minutes.
const PER_MINUTE: u32 = 12;
const LINES: usize = 60;
/// Between two readings.
const READING: Duration = Duration::from_secs(60);
/// When the others hand in theirs.
const HANDED_IN_AFTER: Duration = Duration::from_secs(70);
/// Pause, of the machine, between two looks at the clock.
const LOOK: Duration = Duration::from_millis(1);
/// Their rows.
const ROWS: usize = 4;

/// Puskesmas Utara has a backlog and Puskesmas Tengah has handed in nothing yet: gives its file and what comes.
async fn office() -> (Office, PathBuf, Vec<u8>) {
    let office = Office::open(Setting::default(), None).await;
    office.shorten(LINES).await;
    pace(office.folder.path(), PER_MINUTE);
    let file = office.folder.path().join("puskesmas-tengah-register.csv");
    let bytes = std::fs::read(&file).unwrap();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').take(1 + ROWS).collect();
    std::fs::write(&file, lines[0]).unwrap();
    (office, file, lines.concat())
}

/// Reads, sends and reads on; gives what each reading meanwhile came to.
async fn work(daemon: &Daemon) -> Vec<Round> {
    let lanes = daemon.lanes().unwrap();
    daemon.read(&|_| {}).await.unwrap().expect("nobody stops it");
    let told = Mutex::new(Vec::new());
    let tell = async |round: Round, _| {
        told.lock().unwrap().push(round);
        Ok::<(), DaemonError>(())
    };
    let sending = daemon.send(&lanes, Done::BeginsAgain, &|_| {});
    Box::pin(daemon.reading_on(READING, &lanes, tell, sending)).await.unwrap();
    told.into_inner().unwrap()
}

/// Writes a file when its time has come; only the gateway's own waiting lets time pass.
fn later(office: &Office, file: &Path, content: Vec<u8>) -> tokio::task::JoinHandle<()> {
    let (clock, file) = (office.clock.clone(), file.to_owned());
    let timer = clock.timer();
    tokio::spawn(async move {
        while timer.elapsed() < HANDED_IN_AFTER {
            tokio::time::sleep(LOOK).await;
        }
        std::fs::write(file, content).unwrap();
    })
}

/// When the visits of a puskesmas arrived at the server.
fn arrivals(office: &Office, puskesmas: &str) -> Vec<Timestamp> {
    let config = office.config();
    let own = config.puskesmas.iter().find(|one| one.name == puskesmas).unwrap();
    let organization = format!("Organization/{}", own.organization_id);
    let held = office.held();
    let visits = held.iter().filter(|one| one["resourceType"] == "Encounter");
    let own = visits.filter(|one| one["serviceProvider"]["reference"] == *organization);
    own.map(|one| one["meta"]["lastUpdated"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_come_in_do_not_wait_for_the_backlog_of_another_puskesmas() {
    let (office, file, whole) = office().await;
    let daemon = office.daemon().await;
    let begun = office.clock.now();
    let handing_in = later(&office, &file, whole);
    let told = work(&daemon).await;
    assert!(handing_in.is_finished(), "the backlog was gone before anything came in");
    let entered: Vec<u64> = told.iter().map(|round| round.entered).filter(|entered| *entered > 0).collect();
    assert_eq!(entered.len(), 1, "one reading brought something: {told:?}");
    let (one, other) = (arrivals(&office, "Puskesmas Tengah"), arrivals(&office, "Puskesmas Utara"));
    assert!(!one.is_empty() && one.len() as u64 <= entered[0], "{} of {entered:?} arrived", one.len());
    let (last, end) = (one.iter().max().unwrap(), other.iter().max().unwrap());
    let within = HANDED_IN_AFTER + READING + Duration::from_secs(60);
    assert!(last.duration_since(begun).unsigned_abs() <= within, "{last} is late, {begun} it began");
    assert!(end > last, "the backlog was gone at {end} already");
    agree(&office, &Books::read(&daemon.ledger).await);
}

/// The register of posyandu vanishes for a while: what is being sent goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reading_that_fails_is_told_and_stops_no_sending() {
    let (office, file, whole) = office().await;
    std::fs::write(file, whole).unwrap();
    let daemon = office.daemon().await;
    let register = office.folder.path().join("posyandu.csv");
    let handing_in = later(&office, &register, b"kode_posyandu\n".to_vec());
    let told = work(&daemon).await;
    assert!(handing_in.is_finished(), "the backlog was gone before anything came in");
    assert!(told.iter().any(|round| round.register_unread), "{told:?}");
    let books = Books::read(&daemon.ledger).await;
    assert_eq!(books.waits(), 0, "{:?}", books.counts);
    assert!(books.in_state(State::Delivered) > ROWS, "{:?}", books.counts);
    agree(&office, &books);
}
