//! What is kept back, for how long, and who decides: locked, replaced, shortened and refused files; a folder that is
//! not there; a start in the middle.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use posyandu_gateway::config::Config;
use posyandu_gateway::ingest::folder::seen::Fate;
use posyandu_gateway::ledger::taken::TakenOutcome;
use posyandu_gateway::source::folder::copy::{Copy, Trouble};
use posyandu_gateway::source::folder::{Folder, Standing};

use super::{ROWS, Town, daemon, rule};

/// The first lines of the export.
fn lines(export: &[u8], number: usize) -> Vec<u8> {
    export.split_inclusive(|byte| *byte == b'\n').take(number).collect::<Vec<_>>().concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_open_waits_and_is_told_after_half_an_hour() {
    let town = Town::new().await;
    for lock in ["~$Data.csv", ".~lock.data.CSV#"] {
        town.drop_old("data.csv", &town.export);
        town.drop(lock, b"Bidan Rekaan", Duration::ZERO);
        for (minutes, told) in [(0, false), (29, false), (1, true)] {
            town.office.clock.advance(Duration::from_secs(minutes * 60));
            let file = town.only().await;
            assert_eq!((file.fate, rule(&file).as_str(), file.is_told), (Fate::Waiting, "folder.open", told), "{lock}");
        }
        std::fs::remove_file(town.masuk().join(lock)).unwrap();
    }
    let held = std::fs::File::options().read(true).write(true).open(town.masuk().join("data.csv")).unwrap();
    held.lock().unwrap();
    assert_eq!(rule(&town.only().await), "folder.open");
    assert_eq!(town.rows().await, 0);
    drop(held);
    assert_eq!(town.only().await.fate, Fate::Read);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_on_their_way_are_passed_over_in_silence() {
    let town = Town::new().await;
    for name in [".tersembunyi.csv", "a.csv.part", "b.crdownload", "c.TMP", "~$d.xlsx", ".~lock.e.ods#"] {
        town.drop_old(name, &town.export);
    }
    assert!(town.round().await.folders[0].files.is_empty());
    town.drop_old("kosong.csv", b"");
    assert_eq!(rule(&town.only().await), "folder.settling");
    assert_eq!(town.rows().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_corrects_and_one_that_lost_many_rows_asks() {
    let town = Town::new().await;
    town.drop_old("a.csv", &town.export);
    let before = town.only().await.rows;
    // Ten rows fewer and a weight corrected: read like any other.
    let text = String::from_utf8(lines(&town.export, 191)).unwrap().replacen(";14,5;97,9;", ";14,7;97,9;", 1);
    town.drop("a.csv", text.as_bytes(), Duration::from_secs(60));
    let read = town.round().await;
    assert_eq!(read.folders[0].files[0].fate, Fate::Read);
    assert_eq!(read.sources.last().unwrap().tally.changed, 1, "{:?}", read.sources);
    assert_eq!(town.rows().await, ROWS, "absent is not deleted");

    let few = lines(&town.export, 120);
    town.drop("a.csv", &few, Duration::from_secs(30));
    for _ in 0..2 {
        let held = town.only().await;
        assert_eq!((held.fate, rule(&held).as_str(), held.is_told), (Fate::Waiting, "folder.fewer_rows", true));
    }
    assert_eq!(town.daemon.ledger.taken_files("utara").await.unwrap().last().unwrap().outcome, TakenOutcome::Waiting);
    assert!(!town.daemon.ledger.accept_taken("utara", "b.csv").await.unwrap());
    assert!(town.daemon.ledger.accept_taken("utara", "a.csv").await.unwrap());
    assert!(!town.daemon.ledger.accept_taken("utara", "a.csv").await.unwrap(), "decided once");
    assert_eq!(town.only().await.fate, Fate::Read);
    assert_eq!(town.only().await.fate, Fate::Same);
    // The first content once more, under its name: put back on purpose.
    town.drop("a.csv", &town.export, Duration::from_secs(20));
    let back = town.only().await;
    assert_eq!((back.fate, back.rows.lines), (Fate::Read, before.lines));
    assert_eq!(town.rows().await, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_another_kind_is_refused_by_name_once_and_the_others_are_read() {
    let town = Town::new().await;
    town.drop_old("a.csv", b"judul;lain\n1;2\n");
    town.drop_old("b.csv", &town.export);
    for again in [false, true] {
        let round = town.round().await;
        let files = &round.folders[0].files;
        assert_eq!((files[0].fate, rule(&files[0]).as_str()), (Fate::Refused, "file.header_missing"));
        assert_eq!(files[1].fate, if again { Fate::Same } else { Fate::Read });
    }
    assert_eq!(town.rows().await, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_between_copy_and_reading_takes_the_file_again() {
    let mut town = Town::new().await;
    town.drop_old("a.csv", &town.export);
    let folder = Folder::open(&town.masuk()).unwrap();
    let sight = folder.look(town.now()).unwrap();
    let Standing::Ready(stamp) = sight.files[0].standing else { panic!("{sight:?}") };
    let spool = town.daemon.config.data_folder().join("spool");
    let copy = Copy::of(&folder, &folder.take("a.csv", stamp).unwrap(), &spool).unwrap();
    assert_eq!(copy.file.metadata().unwrap().len(), town.export.len() as u64);
    assert_eq!(copy.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(town.spool_is_empty(), "the copy has a name");
    drop(copy);
    let Town { office, daemon: before, .. } = town;
    posyandu_gateway::cli::run::close(before).await.unwrap();
    let daemon = daemon(&office).await;
    town = Town { office, daemon, export: Vec::new() };
    assert_eq!(town.only().await.fate, Fate::Read);
    assert_eq!(town.rows().await, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_goes_or_changes_while_it_is_copied_is_left_for_the_next_round() {
    let town = Town::new().await;
    let folder = Folder::open(&town.masuk()).unwrap();
    let spool = town.daemon.config.data_folder().join("spool");
    let seen = || {
        town.drop_old("a.csv", &town.export);
        let sight = folder.look(town.now()).unwrap();
        let Standing::Ready(stamp) = sight.files[0].standing else { panic!("{sight:?}") };
        stamp
    };
    let path = town.masuk().join("a.csv");
    let stamp = seen();
    let taken = folder.take("a.csv", stamp).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Copy::of(&folder, &taken, &spool), Err(Trouble::Changed)), "removed");
    let stamp = seen();
    let taken = folder.take("a.csv", stamp).unwrap();
    town.drop_old("b.csv", &town.export);
    std::fs::rename(town.masuk().join("b.csv"), &path).unwrap();
    assert!(matches!(Copy::of(&folder, &taken, &spool), Err(Trouble::Changed)), "replaced");
    let stamp = seen();
    let taken = folder.take("a.csv", stamp).unwrap();
    town.drop_old("a.csv", &town.export[..500]);
    assert!(matches!(Copy::of(&folder, &taken, &spool), Err(Trouble::Changed)), "cut");
    let stamp = seen();
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(matches!(folder.take("a.csv", stamp), Err(Trouble::Changed)), "a link instead");
    assert!(town.spool_is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_is_not_there_is_told_and_stops_no_other_source() {
    let town = Town::new().await;
    std::fs::remove_dir(town.masuk()).unwrap();
    for expected in ["folder.missing", "folder.unreadable"] {
        let round = town.round().await;
        let outcome = round.sources.iter().find(|source| source.source == "utara").unwrap();
        let problem = outcome.problem.as_ref().unwrap();
        assert_eq!(problem.issue.rule, expected);
        std::fs::write(town.masuk(), "no folder").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_counts_and_keeps_nothing() {
    let mut town = Town::new().await;
    town.drop_old("a.csv", &town.export);
    town.drop_old("b.xlsx", &super::workbook(&town.export, 40));
    town.daemon.config.reads_in_place = true;
    for _ in 0..2 {
        let round = town.round().await;
        let fates: Vec<Fate> = round.folders[0].files.iter().map(|file| file.fate).collect();
        assert_eq!(fates, [Fate::Read, Fate::Read], "{:?}", round.folders);
    }
    assert!(town.daemon.ledger.taken_files("utara").await.unwrap().is_empty());
    assert!(!town.daemon.config.data_folder().join("spool").exists());
}

#[test]
fn a_folder_fits_only_profiles_of_files() {
    let refused = |profile: &str, more: &str| {
        let text = format!("[[source]]\nname = \"x\"\nprofile = \"{profile}\"\nfolder = \"masuk\"\n{more}");
        let config = Config::parse("g.toml".as_ref(), &text, "/".into(), std::iter::empty());
        let text = match config {
            Err(error) => error.to_string(),
            Ok(config) => posyandu_gateway::daemon::set_up::sources(&config).unwrap_err().to_string(),
        };
        assert!(text.contains("source `x`") && text.contains("`folder`"), "{text}");
    };
    refused("posyandu_register", "");
    refused("posyandu_laravel", "");
    refused("eppgbm_csv", "path = \"a.csv\"\n");
}
