//! The sample city in a folder of its own, and what the gateway says there.
//!
//! Whatever it says is searched for personal data: no test of this folder can pass with a name or NIK in an output.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::city::{conserved, fixtures, without_selatan};

/// The configuration of a town.
pub const CONFIG: &str = "posyandu-gateway.toml";
/// The address in the sample's configuration.
const SAMPLE_ADDRESS: &str = "127.0.0.1:8210";
/// Shortest name searched for, in letters: shorter ones stand inside ordinary words.
const NAME_LETTERS_MIN: usize = 6;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Names in order that are compared with a place in a text.
const NEIGHBOURS: usize = 32;
/// Digits of a NIK.
const NIK_DIGITS: usize = 16;

/// A copy of the sample city.
pub struct Town {
    pub folder: tempfile::TempDir,
}

/// What a command said and how it ended.
pub struct Told {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Town {
    /// A city with its files and secrets, whose SATUSEHAT stands at `address`. Puskesmas Selatan sends no files.
    pub fn at(address: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixtures()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| ["csv", "sqlite", "json", "toml"].iter().any(|one| kind == *one)) {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
        let town = Self { folder };
        for name in ["utara", "tengah", "timur", "selatan"] {
            town.write(&format!("rahasia-{name}.txt"), "a-secret-of-nobody\n");
        }
        town.write(CONFIG, &without_selatan(&town.read(CONFIG)));
        town.edit(CONFIG, SAMPLE_ADDRESS, address);
        town
    }

    /// A city at whose address nothing listens.
    pub fn alone() -> Self {
        Self::at(&free_address())
    }

    /// The same with keys and an empty ledger.
    pub fn ready(address: &str) -> Self {
        let town = Self::at(address);
        assert_eq!(town.gateway(&["init"]).code, Some(0));
        town
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{name} lacks {old}");
        self.write(name, &text.replace(old, new));
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"));
        command.args(arguments).current_dir(self.folder.path());
        command
    }

    /// Runs the gateway in the city's folder.
    pub fn gateway(&self, arguments: &[&str]) -> Told {
        Told::of(&mut self.command(arguments))
    }

    /// Runs it with one setting from the environment.
    pub fn with(&self, name: &str, value: &str, arguments: &[&str]) -> Told {
        Told::of(self.command(arguments).env(format!("POSYANDU_GATEWAY__{name}"), value))
    }

    /// The counts of the ledger, which must still open and add up.
    #[track_caller]
    pub fn counts(&self) -> Value {
        let told = self.gateway(&["status", "--format", "json"]);
        assert!(matches!(told.code, Some(0 | 1)), "{}", told.err);
        let counts = told.json()["counts"].clone();
        conserved(&counts);
        counts
    }
}

impl Told {
    pub fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let told = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        no_personal_data(&told.out);
        no_personal_data(&told.err);
        for word in ["panicked", "RUST_BACKTRACE", "\u{1b}["] {
            assert!(!told.err.contains(word), "{}", told.err);
        }
        told
    }

    /// Ended with this code and one sentence that has all these words.
    #[track_caller]
    pub fn one_sentence(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.err);
        let lines: Vec<&str> = self.err.lines().filter(|line| !is_progress(line)).collect();
        assert_eq!(lines.len(), 1, "{}", self.err);
        for word in words {
            assert!(lines[0].contains(word), "`{word}` is missing: {}", self.err);
        }
    }

    /// The same, with nothing on standard output.
    #[track_caller]
    pub fn only_sentence(&self, code: i32, words: &[&str]) {
        self.one_sentence(code, words);
        assert_eq!(self.out, "");
    }

    /// The one object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        assert_eq!(self.out.trim_end().lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Progress lines name what is done, not what is wrong.
fn is_progress(line: &str) -> bool {
    ["reading ", "mapping visits:", "sending visits:", "kept: "].iter().any(|start| line.starts_with(start))
}

/// An address at which nothing listens.
pub fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

/// Names and NIKs of everybody in the sample city.
fn people() -> &'static BTreeSet<String> {
    static PEOPLE: OnceLock<BTreeSet<String>> = OnceLock::new();
    PEOPLE.get_or_init(|| {
        let mut found = BTreeSet::new();
        let text = std::fs::read_to_string(fixtures().join("simulator.json")).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        for person in known["patients"].as_array().unwrap() {
            found.insert(person["name"].as_str().unwrap().to_owned());
            found.insert(person["nik"].as_str().unwrap().to_owned());
        }
        for (file, delimiter) in [("puskesmas-utara-eppgbm.csv", b';'), ("puskesmas-tengah-register.csv", b',')] {
            let bytes = std::fs::read(fixtures().join(file)).unwrap();
            let mut reader = csv::ReaderBuilder::new()
                .delimiter(delimiter)
                .has_headers(false)
                .flexible(true)
                .from_reader(bytes.as_slice());
            let rows: Vec<csv::ByteRecord> = reader.byte_records().map(Result::unwrap).collect();
            let cell =
                |row: &csv::ByteRecord, at: usize| String::from_utf8_lossy(row.get(at).unwrap_or(b"")).into_owned();
            let header = rows.iter().position(|row| (0..row.len()).any(|at| cell(row, at).starts_with("NIK"))).unwrap();
            let is_personal = |name: &str| {
                ["NIK", "NIK Anak", "NIK Ibu", "Nama", "Nama Anak", "Nama Ibu", "Nama Ortu"].contains(&name)
            };
            let columns: Vec<usize> =
                (0..rows[header].len()).filter(|at| is_personal(&cell(&rows[header], *at))).collect();
            assert!(columns.len() >= 3, "{file}");
            for row in &rows[header + 1..] {
                found.extend(columns.iter().map(|at| cell(row, *at).trim().to_owned()));
            }
        }
        let letters = |text: &str| text.chars().filter(|letter| letter.is_alphabetic()).count();
        let is_number = |text: &str| text.len() == NIK_DIGITS && text.bytes().all(|digit| digit.is_ascii_digit());
        let mut found: BTreeSet<String> = found.iter().map(|text| text.trim_matches('\'').to_lowercase()).collect();
        found.retain(|text| letters(text) >= NAME_LETTERS_MIN || is_number(text));
        assert!(found.len() > 1000, "{}", found.len());
        found
    })
}

/// Fails when a text names somebody.
#[track_caller]
pub fn no_personal_data(text: &str) {
    let small = text.to_lowercase();
    let starts = small.char_indices().scan(false, |inside, (at, letter)| {
        let begins = letter.is_alphanumeric() && !*inside;
        *inside = letter.is_alphanumeric();
        Some(begins.then_some(at))
    });
    let hits = starts.flatten().filter(|at| {
        let rest = &small[*at..];
        // A name that begins the text sorts before it, with at most a few that share its beginning in between.
        let shortened = rest[..rest.floor_char_boundary(NAME_BYTES_MAX)].to_owned();
        people().range(..=shortened).rev().take(NEIGHBOURS).any(|name| rest.starts_with(name.as_str()))
    });
    assert_eq!(hits.count(), 0, "names or NIKs in an output");
}

/// A simulator in a process of its own, ended with the test.
pub struct Satusehat {
    child: Child,
    pub address: String,
}

impl Satusehat {
    pub fn start(extra: &[&str]) -> Self {
        Self::with_people(&fixtures().join("simulator.json"), extra)
    }

    /// One that knows the people of a file.
    pub fn with_people(people: &Path, extra: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_posyandu-gateway"))
            .args(["simulate", "--listen", "127.0.0.1:0", "--people", people.to_str().unwrap()])
            .args(extra)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        assert!(address.starts_with("127.0.0.1:"), "the simulator did not start: {line}");
        Self { child, address }
    }

    /// What it was asked and what it holds.
    pub fn stats(&self) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /_stats HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }
}

impl Drop for Satusehat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks a process of ours to stop, as systemd does.
pub fn terminate(child: &Child) {
    signal(child, "-TERM");
}

/// Sends a signal to a process that was not waited for yet.
pub fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Copies a folder with what is in it.
pub fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy_folder(&path, &target) } else { std::fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}
