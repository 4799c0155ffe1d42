//! N, T, O, B and 2T from the weighings that the ledger knows: in any order of reading, at any posyandu, and again when
//! an earlier weighing comes late or is corrected.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::config::{Config, assets};
use posyandu_gateway::daemon::Daemon;
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::entry::NewEntry;
use posyandu_gateway::ledger::row::VisitRecords;
use posyandu_gateway::seal::Keys;
use tempfile::TempDir;

use crate::ledger::options;

const PROFILE: &str = r#"
title: Berkas uji
kind: file
encoding: utf-8
delimiter: ";"
decimal: point
dates: [iso]
tables:
  - name: uji
    records:
      sasaran:
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {constant: L}
        tanggal_lahir: {columns: [Lahir], format: date}
        posyandu: {columns: [Posyandu]}
      kunjungan_balita:
        tanggal: {columns: [Tanggal], format: date}
        bb: {columns: [BB], format: number}
        nt: {columns: [NT], format: words, optional: true, words: {N: [N], T: [T], B: [B], O: [O]}}
        pitting_edema: {columns: [Edema], format: number, optional: true}
"#;
const POSYANDU: &str =
    "kode_posyandu,nama,kode_puskesmas,puskesmas,zona_waktu,jam_buka,jam_tutup,id_lokasi_satusehat,nik_nakes
UTR-01,Melati 1,P1,Puskesmas Utara,WIB,08:00,11:00,b7f1c6a0-0000-4000-8000-000000000001,1001015205900001
UTR-02,Melati 2,P1,Puskesmas Utara,WIB,08:00,11:00,b7f1c6a0-0000-4000-8000-000000000002,1001015205900001
";
const CONFIG: &str = r#"
data_dir = "data"
[satusehat]
environment = "custom"
auth_url = "http://127.0.0.1:9/oauth2/v1"
fhir_url = "http://127.0.0.1:9/fhir-r4/v1"
[mapping]
accept_guesses = ["diagnosis_balita_z00_1"]
[[puskesmas]]
name = "Puskesmas Utara"
organization_id = "100000101"
client_id = "contoh"
client_secret_file = "rahasia.txt"
timezone = "WIB"
requests_per_minute = 60
[[source]]
name = "posyandu"
profile = "posyandu_register"
path = "posyandu.csv"
[[source]]
name = "uji"
profile = "uji.yaml"
path = "uji.csv"
"#;
/// A boy, 12 months old in October 2026: he should gain 200 g a month from then on.
const BOY: &str = "1001010110250001;Anak Contoh;2025-10-01";

/// What became of each visit that was mapped in one round, by its day.
type Mapped = BTreeMap<String, String>;

struct Home {
    folder: TempDir,
    daemon: Daemon,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("posyandu.csv", POSYANDU), ("uji.yaml", PROFILE), ("config.toml", CONFIG)] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let clock = Clock::manual("2026-12-18T09:00:00Z".parse().unwrap());
        let keys = Arc::new(Keys::generate().unwrap());
        let ledger = Ledger::open(&options(folder.path()), Arc::clone(&keys), clock.clone()).await.unwrap();
        let daemon = daemon(folder.path(), keys, ledger, clock);
        Self { folder, daemon }
    }

    /// The same files on the ledger of a dry run.
    async fn dry(self) -> Self {
        let (keys, clock) = (Arc::clone(&self.daemon.keys), self.daemon.clock.clone());
        let scratch = self.folder.path().join("scratch");
        let ledger = Ledger::scratch(&scratch, Zone::Wib, Arc::clone(&keys), clock.clone()).await.unwrap();
        Self { daemon: daemon(self.folder.path(), keys, ledger, clock), folder: self.folder }
    }

    /// Reads a file of these visits, `posyandu;day;weight;letter;oedema` behind the person, and maps.
    async fn read(&self, rows: &[(&str, &str)]) -> Mapped {
        let mut text = "NIK;Nama;Lahir;Posyandu;Tanggal;BB;NT;Edema\n".to_owned();
        rows.iter().for_each(|(who, visit)| text += &format!("{who};{visit}\n"));
        std::fs::write(self.folder.path().join("uji.csv"), text).unwrap();
        let mut mapped = Mapped::new();
        let mut look = |visit: &VisitRecords, entry: &mut NewEntry| {
            let before = mapped.insert(visit.visit.service_date.to_string(), told(entry));
            assert_eq!(before, None, "a visit was mapped twice in one round");
            Ok(())
        };
        let (round, _) = self.daemon.ingest(&mut look, &|_| {}).await.unwrap();
        assert!(round.sources.iter().all(|source| source.problem.is_none()), "{:?}", round.sources);
        mapped
    }
}

fn daemon(folder: &Path, keys: Arc<Keys>, ledger: Ledger, clock: Clock) -> Daemon {
    let config = Config::load(&folder.join("config.toml"), std::iter::empty()).unwrap();
    let (ledger, halt) = (Arc::new(ledger), Arc::new(AtomicBool::new(false)));
    Daemon {
        config,
        rules: assets::rules_for_work(None).unwrap(),
        clock,
        keys,
        ledger,
        halt,
        observed: posyandu_gateway::observed::Observed::default(),
    }
}

/// What is sent about the gain, and what a person is told about it.
fn told(entry: &NewEntry) -> String {
    assert!(!entry.refused, "{:?}", entry.issues);
    let mut told = Vec::new();
    for (code, letter) in [("OC000012", "N"), ("OC000146", "T")] {
        told.extend(entry.bundle.reveal().contains(code).then(|| letter.to_owned()));
    }
    for issue in &entry.issues {
        let arguments: Vec<&str> = issue.arguments.iter().map(|(_, value)| value.as_str()).collect();
        let rule = issue.rule.strip_prefix("growth.");
        told.extend(rule.map(|rule| [&[rule], &*arguments].concat().join(" ")));
    }
    told.join(", ")
}

fn mapped(all: &[(&str, &str)]) -> Mapped {
    all.iter().map(|(day, told)| ((*day).to_owned(), (*told).to_owned())).collect()
}

/// Five months of a boy at two posyandu, the last first, and what is told of each.
const LIFE: [(&str, &str, &str); 6] = [
    ("Melati 1;2026-12-09;9.55;T;", "2026-12-09", "T, twice_not_enough"),
    ("Melati 2;2026-10-14;9.4;N;", "2026-10-14", "N"),
    ("Melati 1;2026-11-11;9.5;N;", "2026-11-11", "T, nt_differs N T"),
    ("Melati 1;2026-06-10;8.5;B;", "2026-06-10", ""),
    ("Melati 1;2026-09-09;9.1;B;", "2026-09-09", "nt_differs B O"),
    ("Melati 1;2026-09-30;9.2;;", "2026-09-30", ""),
];

#[tokio::test]
async fn a_letter_follows_from_the_months_before_in_any_order_of_reading() {
    let expected: Vec<(&str, &str)> = LIFE.iter().map(|(_, day, told)| (*day, *told)).collect();
    let rows: Vec<(&str, &str)> = LIFE.iter().map(|(visit, ..)| (BOY, *visit)).collect();
    let home = Home::new().await;
    assert_eq!(home.read(&rows).await, mapped(&expected));
    assert_eq!(home.read(&rows).await, mapped(&[]), "nothing changed");
    let turned: Vec<(&str, &str)> = rows.iter().rev().copied().collect();
    assert_eq!(home.read(&turned).await, mapped(&[]), "the order of rows says nothing");
    let home = Home::new().await;
    assert_eq!(home.read(&turned).await, mapped(&expected));
    let dry = home.dry().await;
    assert_eq!(dry.read(&rows).await, mapped(&expected), "a dry run knows as much");
}

#[tokio::test]
async fn what_is_not_known_is_not_judged() {
    let home = Home::new().await;
    // Nobody weighed him here before: the card may know more, and nothing is sent.
    let first = (BOY, "Melati 1;2026-10-14;9.4;N;");
    assert_eq!(home.read(&[first]).await, mapped(&[("2026-10-14", "")]));
    // Another boy is another series; a swollen child's weight and one beyond WHO's limits are not compared.
    let other = ("1001010110250002;Anak Lain;2025-10-01", "Melati 1;2026-11-11;9.9;N;");
    let swollen = ("1001010110250003;Anak Bengkak;2025-10-01", "Melati 1;2026-10-13;9.0;;2");
    let later = ("1001010110250003;Anak Bengkak;2025-10-01", "Melati 1;2026-11-10;9.9;N;");
    let rows = [first, other, swollen, later];
    let found = home.read(&rows).await;
    assert_eq!(found, mapped(&[("2026-10-13", "oedema"), ("2026-11-10", ""), ("2026-11-11", "")]));
    let heavy = (BOY, "Melati 1;2026-11-12;19.9;;");
    let found = home.read(&[first, other, swollen, later, heavy]).await;
    assert_eq!(found, mapped(&[("2026-11-12", "implausible BB/U 7.32")]));
    let after = (BOY, "Melati 1;2026-12-10;10.4;;");
    let found = home.read(&[first, other, swollen, later, heavy, after]).await;
    assert_eq!(found, mapped(&[("2026-12-10", "")]));
}

#[tokio::test]
async fn a_late_or_corrected_weighing_maps_the_later_ones_again() {
    let home = Home::new().await;
    let october = (BOY, "Melati 2;2026-10-14;9.4;;");
    let november = (BOY, "Melati 1;2026-11-11;9.5;;");
    let december = (BOY, "Melati 1;2026-12-09;9.55;;");
    let other = ("1001010110250002;Anak Lain;2025-10-01", "Melati 1;2026-11-10;9.9;;");
    assert_eq!(home.read(&[november]).await, mapped(&[("2026-11-11", "")]));
    // The weighing of October comes late, with the one of December.
    let found = home.read(&[november, december, october]).await;
    let expected = [("2026-10-14", ""), ("2026-11-11", "T"), ("2026-12-09", "T, twice_not_enough")];
    assert_eq!(found, mapped(&expected));
    // It is corrected: November gained enough then.
    let corrected = (BOY, "Melati 2;2026-10-14;9.3;;");
    let found = home.read(&[november, december, corrected, other]).await;
    let expected = [("2026-10-14", ""), ("2026-11-10", ""), ("2026-11-11", "N"), ("2026-12-09", "T")];
    assert_eq!(found, mapped(&expected));
    // What says nothing about the weight judges nothing anew.
    let named = (BOY, "Melati 2;2026-10-14;9.3;N;");
    assert_eq!(home.read(&[november, december, named, other]).await, mapped(&[("2026-10-14", "")]));
    // The feet were swollen: there is nothing to compare with.
    let swollen = (BOY, "Melati 2;2026-10-14;9.3;N;2");
    let found = home.read(&[november, december, swollen, other]).await;
    let expected = [("2026-10-14", "oedema"), ("2026-11-11", ""), ("2026-12-09", "T")];
    assert_eq!(found, mapped(&expected));
}
