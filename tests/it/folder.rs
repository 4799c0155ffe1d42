//! Files dropped into a folder: when they are taken, what becomes of them, and that nothing leaves the folder.

mod answered;
mod hostile;
mod kept;
mod listed;

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use posyandu_gateway::daemon::{Daemon, Round};
use posyandu_gateway::ingest::folder::seen::{Fate, FileSeen};
use posyandu_gateway::words::{self, Language};

use super::office::{Books, Office, Setting};

/// Rows of the export, including one that sums up others.
const ROWS: u64 = 197;

/// The city whose first puskesmas hands in its export through a folder.
struct Town {
    office: Office,
    daemon: Daemon,
    /// The export as the sample has it.
    export: Vec<u8>,
}

impl Town {
    async fn new() -> Self {
        let office = Office::open(Setting::default(), None).await;
        let base = office.folder.path();
        let export = std::fs::read(base.join("puskesmas-utara-eppgbm.csv")).unwrap();
        let file = base.join("posyandu-gateway.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("path = \"puskesmas-utara-eppgbm.csv\"", "folder = \"masuk\"");
        let (before, _) = text.split_once("[[source]]\nname = \"tengah\"").unwrap();
        let delivery = text.find("\n[delivery]").map(|at| text[at..].to_owned()).unwrap();
        std::fs::write(&file, format!("{before}{delivery}")).unwrap();
        std::fs::create_dir(base.join("masuk")).unwrap();
        let daemon = daemon(&office).await;
        Self { office, daemon, export }
    }

    fn masuk(&self) -> PathBuf {
        self.office.folder.path().join("masuk")
    }

    fn now(&self) -> Timestamp {
        self.office.clock.now()
    }

    /// Writes a file whose content was written so long ago.
    fn drop(&self, name: &str, bytes: &[u8], age: Duration) {
        let path = self.masuk().join(name);
        std::fs::write(&path, bytes).unwrap();
        let written = self.now().saturating_sub(age).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(written.into()).unwrap();
    }

    /// Writes a file that lies there for an hour.
    fn drop_old(&self, name: &str, bytes: &[u8]) {
        self.drop(name, bytes, Duration::from_secs(3600));
    }

    async fn round(&self) -> Round {
        let (round, _) = self.daemon.ingest(&mut |_, _| Ok(()), &|_| {}).await.unwrap();
        assert!(self.spool_is_empty(), "a copy was left behind");
        round
    }

    fn spool_is_empty(&self) -> bool {
        std::fs::read_dir(self.daemon.config.data_folder().join("spool")).is_ok_and(|mut files| files.next().is_none())
            || !self.daemon.config.data_folder().join("spool").exists()
    }

    /// The only file of a round.
    async fn only(&self) -> FileSeen {
        let round = self.round().await;
        let [file] = round.folders[0].files.as_slice() else { panic!("{:?}", round.folders) };
        file.clone()
    }

    /// Rows ever read of the folder.
    async fn rows(&self) -> u64 {
        let posyandu =
            std::fs::read_to_string(self.office.folder.path().join("posyandu.csv")).unwrap().lines().count() - 1;
        Books::read(&self.daemon.ledger).await.counts.read.saturating_sub(posyandu as u64)
    }
}

/// The gateway, with the program that reads workbooks.
async fn daemon(office: &Office) -> Daemon {
    let mut daemon = office.daemon().await;
    daemon.config.program = env!("CARGO_BIN_EXE_posyandu-gateway").into();
    daemon
}

fn rule(file: &FileSeen) -> String {
    let Some(issue) = &file.issue else { return String::new() };
    for language in [Language::Indonesian, Language::English] {
        let sentence = words::of_issue(language, issue);
        assert!(words::knows(&issue.rule) && !sentence.contains('{'), "{}: {sentence}", issue.rule);
    }
    issue.rule.to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_taken_once_and_the_same_content_never_again() {
    let town = Town::new().await;
    assert!(town.round().await.folders[0].files.is_empty());
    town.drop_old("a.csv", &town.export);
    let read = town.only().await;
    assert_eq!((read.fate, rule(&read).as_str()), (Fate::Read, ""));
    assert_eq!(read.rows.records + read.rows.issue + read.rows.skipped, ROWS, "{:?}", read.rows);
    assert_eq!(town.rows().await, ROWS);
    // Delivered, so that a second sending would show.
    town.office.settle(&town.daemon, usize::MAX).await;
    let sent = town.office.simulator.stats();
    assert_eq!(town.only().await.fate, Fate::Same);

    // Under another name, touched, and copied once more after a start.
    town.drop_old("b.csv", &town.export);
    town.drop("a.csv", &town.export, Duration::from_secs(600));
    let round = town.round().await;
    assert!(round.folders[0].files.iter().all(|file| file.fate == Fate::Same), "{:?}", round.folders);
    assert!(round.sources.iter().all(|source| source.source != "utara" || source.tally.read == 0));
    let again = town.daemon.ledger.taken_files("utara").await.unwrap();
    assert_eq!(again.iter().map(|one| one.outcome.word()).collect::<Vec<_>>().len(), 2);
    town.office.settle(&town.daemon, usize::MAX).await;
    let now = town.office.simulator.stats();
    assert_eq!((now.creates, now.updates), (sent.creates, sent.updates), "nothing is sent again");
    assert_eq!(town.rows().await, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_register_and_the_next_day_read_what_needs_it_again() {
    let town = Town::new().await;
    town.drop_old("a.csv", &town.export);
    let read = town.only().await;
    assert!(read.rows.issue > 0, "the sample plants rows for a person");
    assert_eq!(town.only().await.fate, Fate::Same);
    town.office.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(town.only().await.fate, Fate::Read, "rows that wait for a person are looked at again the next day");
    assert_eq!(town.only().await.fate, Fate::Same);
    let register = town.office.folder.path().join("posyandu.csv");
    let text = std::fs::read_to_string(&register).unwrap();
    std::fs::write(&register, text.replace("MELATI 1", "MELATI SATU")).unwrap();
    assert_eq!(town.only().await.fate, Fate::Read);
    assert_eq!(town.rows().await, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_being_written_is_never_read_in_part() {
    let town = Town::new().await;
    for cut in (1..town.export.len()).step_by(1024) {
        town.drop("a.csv", &town.export[..cut], Duration::ZERO);
        let file = town.only().await;
        assert_eq!((file.fate, rule(&file).as_str(), file.is_told), (Fate::Waiting, "folder.settling", false), "{cut}");
        town.office.clock.advance(Duration::from_secs(9));
        assert_eq!(town.only().await.fate, Fate::Waiting, "{cut}");
    }
    assert_eq!(town.rows().await, 0);
    town.drop("a.csv", &town.export, Duration::from_secs(10));
    assert_eq!(town.only().await.fate, Fate::Read);
    assert_eq!(town.rows().await, ROWS);
}

/// The export as a workbook.
fn workbook(export: &[u8], rows: usize) -> Vec<u8> {
    let text = String::from_utf8_lossy(export);
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (row, line) in text.trim_start_matches('\u{feff}').lines().take(rows).enumerate() {
        for (column, cell) in line.split(';').enumerate().filter(|(_, cell)| !cell.is_empty()) {
            sheet.write_string(u32::try_from(row).unwrap(), u16::try_from(column).unwrap(), cell).unwrap();
        }
    }
    book.save_to_buffer().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_stopped_in_the_middle_leaves_nothing_to_read() {
    let town = Town::new().await;
    let book = workbook(&town.export, 40);
    for cut in (1024..book.len()).step_by(1024).chain([book.len() - 1]) {
        town.drop_old("a.xlsx", &book[..cut]);
        let file = town.only().await;
        assert_eq!(
            (file.fate, rule(&file).as_str(), file.is_told),
            (Fate::Waiting, "folder.incomplete", true),
            "{cut}"
        );
    }
    // A text whose last line has no end: perhaps there is more to come.
    std::fs::remove_file(town.masuk().join("a.xlsx")).unwrap();
    town.drop("a.csv", town.export.strip_suffix(b"\r\n").unwrap_or(&town.export[..9000]), Duration::from_secs(60));
    assert_eq!(town.only().await.fate, Fate::Waiting);
    assert_eq!(town.rows().await, 0);
    std::fs::remove_file(town.masuk().join("a.csv")).unwrap();
    town.drop_old("a.xlsx", &book);
    let read = town.only().await;
    assert_eq!((read.fate, rule(&read).as_str()), (Fate::Read, ""));
    assert!(read.rows.lines >= 34, "{:?}", read.rows);
}
