//! An older copy of the ledger takes the place of the newer one after much was sent: nothing is lost, nothing is
//! created twice, on a server that would take everything twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use posyandu_gateway::clock::Clock;
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::daemon::set_up::ledger_options;
use posyandu_gateway::ledger::backup::BackupError;
use posyandu_gateway::ledger::state::Event;
use posyandu_gateway::ledger::{Ledger, LedgerError, Options};
use posyandu_gateway::seal::Keys;
use serde_json::json;

use super::kill::correct;
use super::ledger::{DAY, Desk, options};
use super::office::{Books, Office, Setting, agree, copy};
use super::proof::run::Run;

/// Rows of each source by the time of the copy, and later; `POSYANDU_PROOF_RESTORE` asks for more of the later ones.
const ROWS: (usize, usize) = (6, 24);

struct Before {
    office: Office,
    options: Options,
    keys: Arc<Keys>,
    /// The copy.
    backup: PathBuf,
}

async fn settle_and_close(office: &Office) -> Books {
    let daemon = office.daemon().await;
    office.settle(&daemon, usize::MAX).await;
    let books = Books::read(&daemon.ledger).await;
    close(daemon).await;
    books
}

async fn close(daemon: Daemon) {
    Arc::into_inner(daemon.ledger).unwrap().close().await.unwrap();
}

/// Sends some visits, copies the ledger, then sends many more and corrections of the first.
async fn sent_after_a_copy(rows: usize, seed: u64) -> Before {
    let office = Office::open(Setting { seed, ..Setting::default() }, None).await;
    let files = tempfile::tempdir().unwrap();
    let sources = ["puskesmas-utara-eppgbm.csv", "puskesmas-tengah-register.csv", "puskesmas-timur-aplikasi.sqlite"];
    for name in sources {
        std::fs::copy(office.folder.path().join(name), files.path().join(name)).unwrap();
    }
    office.shorten(ROWS.0).await;
    let first = settle_and_close(&office).await;
    let options = ledger_options(&office.config()).unwrap();
    let keys = Arc::new(Keys::load(&office.config().key_file()).unwrap());
    let backup = office.folder.path().join("copy.sqlite");
    let copied = Ledger::backup(&options, Arc::clone(&keys), office.clock.clone(), &backup).await.unwrap();
    assert!(copied.is_sound());
    copy(files.path(), office.folder.path());
    office.shorten(rows).await;
    correct(&office).await;
    let second = settle_and_close(&office).await;
    assert!(second.delivered.len() > first.delivered.len() + ROWS.1, "little was sent after the copy");
    agree(&office, &second);
    Before { office, options, keys, backup }
}

/// Runs on the restored ledger until nothing waits: everything was found, nothing was created. Gives how many visits
/// were looked up because the copy did not know of them.
async fn nothing_is_sent_twice(before: &Before) -> u64 {
    let creates = before.office.simulator.stats().creates;
    let contents = before.office.contents();
    let books = settle_and_close(&before.office).await;
    agree(&before.office, &books);
    assert_eq!(before.office.simulator.stats().creates, creates, "something was created again");
    assert!(before.office.contents() == contents, "the server holds something else than before");
    let ledger = before.office.ledger().await;
    let (mut doubted, mut found) = (0, 0);
    for line in &books.lines {
        let events = ledger.story(line.entry_id).await.unwrap().events;
        let has = |wanted: fn(&Event) -> bool| events.iter().any(|line| line.event.as_ref().is_some_and(wanted));
        let is_doubted = has(|event| matches!(event, Event::Restored { .. }));
        doubted += u64::from(is_doubted);
        found += u64::from(is_doubted && has(|event| matches!(event, Event::FoundEqual)));
    }
    assert!(doubted > 0 && found > 0, "{doubted} {found}");
    assert!(ledger.verify(None).await.unwrap().is_sound());
    doubted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_ledger_sends_nothing_twice() {
    let run = Run::of("restore", ROWS.1 as u64, 1);
    let before = sent_after_a_copy(usize::try_from(run.size).unwrap(), run.seed).await;
    let (options, keys) = (&before.options, &before.keys);
    let newest = std::fs::read(&options.path).unwrap();
    let restored =
        Ledger::restore(options, Arc::clone(keys), before.office.clock.clone(), &before.backup).await.unwrap();
    assert_eq!(std::fs::read(restored.aside.unwrap()).unwrap(), newest, "the newer ledger is kept as it was");
    let doubted = nothing_is_sent_twice(&before).await;
    run.told(doubted, &json!({}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_put_back_by_hand_is_noticed() {
    let before = sent_after_a_copy(ROWS.1, 1).await;
    std::fs::copy(&before.backup, &before.options.path).unwrap();
    nothing_is_sent_twice(&before).await;
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[tokio::test]
async fn a_copy_is_private_whole_never_overwritten_and_nothing_unsound_is_put_in_place() {
    let desk = Desk::new().await;
    desk.visits(20, DAY).await;
    let (options, keys, clock) = (options(desk.folder.path()), Arc::clone(&desk.keys), desk.clock.clone());
    let target = desk.folder.path().join("copy.sqlite");
    let copied = Ledger::backup(&options, Arc::clone(&keys), clock.clone(), &target).await.unwrap();
    assert_eq!((copied.counts.read, mode(&target)), (20, 0o600));
    let again = Ledger::backup(&options, Arc::clone(&keys), clock.clone(), &target).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");
    let held = Ledger::restore(&options, Arc::clone(&keys), clock.clone(), &target).await;
    assert!(matches!(held, Err(BackupError::Ledger(LedgerError::Held(_)))), "{held:?}");
    desk.ledger.close().await.unwrap();
    let before = std::fs::read(&options.path).unwrap();
    let mut spoilt = std::fs::read(&target).unwrap();
    let middle = spoilt.len() / 2;
    spoilt[middle..middle + 4_096].fill(0);
    let bad = desk.folder.path().join("bad.sqlite");
    std::fs::write(&bad, spoilt).unwrap();
    let refused = Ledger::restore(&options, Arc::clone(&keys), clock.clone(), &bad).await;
    assert!(matches!(refused, Err(BackupError::Unsound { .. } | BackupError::Ledger(_))), "{refused:?}");
    let absent = Ledger::restore(&options, Arc::clone(&keys), clock.clone(), Path::new("nowhere.sqlite")).await;
    assert!(matches!(absent, Err(BackupError::Ledger(LedgerError::Absent(_)))), "{absent:?}");
    assert_eq!(std::fs::read(&options.path).unwrap(), before, "the ledger is as it was");
    let left: Vec<_> = std::fs::read_dir(desk.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".ledger-copy")), "{left:?}");
    // A ledger that is gone comes back, and then only it decides.
    std::fs::remove_file(&options.path).unwrap();
    let restored = Ledger::restore(&options, Arc::clone(&keys), clock.clone(), &target).await.unwrap();
    assert_eq!((restored.aside, restored.doubted), (None, 20));
    let ledger = Ledger::open(&options, keys, Clock::clone(&clock)).await.unwrap();
    assert!(ledger.claim("Puskesmas A", 5).await.unwrap().is_empty(), "nothing is sent before it was looked up");
    assert_eq!(ledger.unknown_due(100).await.unwrap().len(), 20);
    ledger.close().await.unwrap();
}
