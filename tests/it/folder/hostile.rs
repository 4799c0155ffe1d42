//! Names that mean harm: none leads out of the folder, none is waited for, and each is either read as a file of the
//! folder, refused by name, or passed over.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use posyandu_gateway::ingest::folder::seen::Fate;
use posyandu_gateway::source::folder::Folder;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use super::{Town, rule};

/// How long a round over all of them may take; one that waits for a pipe never ends.
const ROUND_MAX: Duration = Duration::from_secs(120);
/// What stands in the file outside that the links lead to.
const OUTSIDE: &[u8] = b"No;NIK;Nama\n1;9999000000000000;Rahasia Luar\n";

/// Names that may stand in a folder, as bytes.
fn names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = Vec::new();
    // Control characters, marks of direction, and what cannot be seen.
    let odd = (1..=31_u8).map(char::from).chain(['\u{7f}', '\u{85}', '\u{200b}', '\u{200e}', '\u{200f}']);
    let odd = odd.chain('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}').chain(['\u{feff}', '\u{ad}']);
    for letter in odd {
        names.push(format!("vsc.{letter}atad.csv").into_bytes());
        names.push(format!("{letter}data.csv").into_bytes());
    }
    // Streams of NTFS, other separators, drives.
    for name in
        ["a.csv:rahasia", "a.csv::$DATA", "C:data.csv", "luar\\..\\..\\a.csv", "\\\\server\\a.csv", "a\\..\\b.csv"]
    {
        names.push(name.as_bytes().to_vec());
    }
    // What is not UTF-8.
    for byte in 0x80..=0xff_u8 {
        names.push([b"x", [byte].as_slice(), b".csv"].concat());
    }
    names.push(vec![b'a'; 201]);
    names.push(vec![b'b'; 255]);
    names.push("é".repeat(120).into_bytes());
    names
}

/// Names that are odd but mislead nobody.
const HARMLESS: [&str; 12] = [
    "-rf",
    "--config=x",
    "a...csv ",
    "a'b\".csv",
    "$(reboot).csv",
    "`id`.csv",
    "a;b|c.csv",
    "%2e%2e%2fluar.csv",
    "CON",
    "aux.csv",
    "Data.csv",
    "DATA.CSV",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_name_leads_out_of_the_folder_or_holds_it_up() {
    let town = Town::new().await;
    let (base, masuk) = (town.office.folder.path().to_owned(), town.masuk());
    let outside = base.join("luar.csv");
    std::fs::write(&outside, [OUTSIDE, &town.export].concat()).unwrap();
    std::fs::create_dir(base.join("luar")).unwrap();
    std::fs::copy(&outside, base.join("luar/data.csv")).unwrap();
    let mut refused = 0;
    for name in names() {
        std::fs::write(masuk.join(OsStr::from_bytes(&name)), &town.export).unwrap();
        refused += 1;
    }
    // Links out of the folder, around in it and into nothing; folders, pipes, sockets.
    let targets = [Path::new("../luar.csv"), &outside, Path::new("/etc/passwd"), Path::new("/proc/self/environ")];
    let targets = targets.into_iter().chain([Path::new("."), Path::new(".."), Path::new("../luar"), Path::new("-rf")]);
    for (at, target) in targets.chain([Path::new("/dev/zero"), Path::new("tidak-ada"), Path::new("l9")]).enumerate() {
        symlink(target, masuk.join(format!("l{at}"))).unwrap();
        refused += 1;
    }
    for at in 0..3 {
        mknodat(CWD, masuk.join(format!("pipa{at}.csv")), FileType::Fifo, Mode::from(0o600), 0).unwrap();
        std::fs::create_dir_all(masuk.join(format!("map{at}/dalam"))).unwrap();
        std::fs::copy(&outside, masuk.join(format!("map{at}/dalam/a.csv"))).unwrap();
        refused += 2;
    }
    let _socket = std::os::unix::net::UnixListener::bind(masuk.join("soket.csv")).unwrap();
    refused += 1;
    // A device needs rights that not every tester has.
    refused +=
        usize::from(mknodat(CWD, masuk.join("gawai.csv"), FileType::CharacterDevice, Mode::from(0o600), 0x105).is_ok());
    for name in HARMLESS {
        std::fs::write(masuk.join(name), "tidak ada judul\n").unwrap();
    }
    assert!(refused + HARMLESS.len() >= 200);
    // The names were written a moment ago by the system's clock, which the gateway's does not follow.
    for entry in std::fs::read_dir(&masuk).unwrap().map(Result::unwrap).filter(|one| one.file_type().unwrap().is_file())
    {
        let old = town.now().saturating_sub(Duration::from_secs(3600)).unwrap();
        std::fs::File::options().write(true).open(entry.path()).unwrap().set_modified(old.into()).unwrap();
    }

    let round = tokio::time::timeout(ROUND_MAX, town.round()).await.expect("something is waited for");
    let files = &round.folders[0].files;
    let odd: Vec<_> = files.iter().filter(|file| rule(file).starts_with("folder.")).collect();
    assert_eq!(odd.len(), refused);
    assert!(odd.iter().all(|file| file.fate == Fate::Refused && file.name.chars().count() <= 81));
    assert!(files.iter().all(|file| !file.name.chars().any(char::is_control)));
    let harmless: Vec<_> = files.iter().filter(|file| rule(file) == "file.header_missing").collect();
    assert_eq!((harmless.len(), files.len()), (HARMLESS.len(), refused + HARMLESS.len()));
    assert_eq!(town.rows().await, 0, "a row came from outside");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_no_folder_holds_are_not_opened_either() {
    let town = Town::new().await;
    town.drop_old("a.csv", &town.export);
    std::fs::write(town.office.folder.path().join("luar.csv"), OUTSIDE).unwrap();
    let folder = Folder::open(&town.masuk()).unwrap();
    let sight = folder.look(town.now()).unwrap();
    let posyandu_gateway::source::folder::Standing::Ready(stamp) = sight.files[0].standing else { panic!("{sight:?}") };
    for name in ["..", ".", "", "../luar.csv", "/etc/passwd", "./a.csv", "masuk/../a.csv", "a.csv/", "a.csv\0.txt"] {
        assert!(folder.take(name, stamp).is_err(), "{name:?}");
    }
    assert!(folder.take("a.csv", stamp).is_ok());
}
