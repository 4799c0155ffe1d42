//! Three small files of one town and a ledger on the disk: a register, visits, and measurements with number and name.

use std::path::PathBuf;
use std::sync::Arc;

use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::ingest::{Ingest, Source, SourceOutcome};
use posyandu_gateway::issue::{Issue, Severity};
use posyandu_gateway::ledger::Ledger;
use posyandu_gateway::ledger::reading::Filter;
use posyandu_gateway::record::schema::Schemas;
use posyandu_gateway::seal::Keys;
use posyandu_gateway::source::Location;
use posyandu_gateway::source::profile::{self, Profile};
use tempfile::TempDir;

use crate::ledger::options;

const PERSON: &str = r#"
title: Berkas uji
kind: file
encoding: utf-8
delimiter: ";"
dates: [day-first]
tables:
  - name: uji
    records:
      sasaran:
        nik: {columns: [NIK], format: nik}
        nama: {columns: [Nama], format: name}
        jenis_kelamin: {columns: [JK], format: words, words: {L: [Lk], P: [Pr]}}
        tanggal_lahir: {columns: [Lahir], format: date}
        nama_ibu: {columns: [Ibu], format: name}
        no_kk: {columns: [KK], format: nik}
        posyandu: {columns: [Posyandu]}
"#;
const VISIT: &str = r#"
      kunjungan_balita:
        tanggal: {columns: [Tanggal], format: date}
        bb: {columns: [BB], format: number}
"#;
const POSYANDU: &str = "kode_posyandu,nama,kode_puskesmas,puskesmas,kode_kelurahan,zona_waktu,jam_buka,jam_tutup
UTR-01,Melati 1,P1,Puskesmas Utara,1001,WIB,08:00,11:00
UTR-02,Melati 2,P1,Puskesmas Utara,1001,WIB,08:00,11:00
UTR-03,Mawar 1,P1,Puskesmas Utara,1002,WIB,08:00,11:00
";

/// One line, in whichever file it stands.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub nik: &'static str,
    pub name: &'static str,
    pub sex: &'static str,
    pub birth: &'static str,
    pub mother: &'static str,
    pub family: &'static str,
    pub posyandu: &'static str,
    pub day: &'static str,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            nik: "",
            name: "",
            sex: "Pr",
            birth: "05/12/2024",
            mother: "Ibu Contoh",
            family: "",
            posyandu: "Melati 1",
            day: "",
        }
    }
}

pub struct Visit {
    pub key: [u8; 32],
    pub day: String,
    pub sasaran: String,
}

/// What stands in the ledger.
pub struct Seen {
    pub visits: Vec<Visit>,
    pub issues: Vec<Issue>,
}

impl Seen {
    pub fn has(&self, rule: &str, severity: Severity) -> bool {
        self.issues.iter().any(|issue| issue.rule == rule && issue.severity == severity)
    }

    pub fn rules(&self) -> Vec<String> {
        self.issues.iter().map(|issue| issue.rule.to_string()).collect()
    }
}

pub struct Town {
    folder: TempDir,
    keys: Arc<Keys>,
    clock: Clock,
    schemas: Schemas,
    pub ledger: Ledger,
}

impl Town {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("posyandu.csv"), POSYANDU).unwrap();
        let keys = Arc::new(Keys::generate().unwrap());
        let clock = Clock::manual("2026-11-18T09:00:00Z".parse().unwrap());
        let ledger = Ledger::open(&options(folder.path()), Arc::clone(&keys), clock.clone()).await.unwrap();
        Self { folder, keys, clock, schemas: Schemas::built_in().unwrap(), ledger }
    }

    pub async fn restarted(self) -> Self {
        self.ledger.close().await.unwrap();
        let options = options(self.folder.path());
        let ledger = Ledger::open(&options, Arc::clone(&self.keys), self.clock.clone()).await.unwrap();
        Self { ledger, ..self }
    }

    pub fn register(&self, rows: &[Row]) {
        self.write("register.csv", "NIK;Nama;JK;Lahir;Ibu;KK;Posyandu", rows, |row| {
            [row.nik, row.name, row.sex, row.birth, row.mother, row.family, row.posyandu].join(";")
        });
    }

    pub fn visits(&self, rows: &[Row]) {
        self.write("visits.csv", "NIK;Nama;JK;Lahir;Ibu;KK;Posyandu;Tanggal;BB", rows, |row| {
            let who = [row.nik, row.name, row.sex, row.birth, row.mother, row.family, row.posyandu];
            format!("{};{};10,4", who.join(";"), row.day)
        });
    }

    pub fn measured(&self, rows: &[Row]) {
        self.write("measured.csv", "NIK;Nama;Tanggal;BB", rows, |row| [row.nik, row.name, row.day, "10,4"].join(";"));
    }

    fn write(&self, file: &str, header: &str, rows: &[Row], line: impl Fn(&Row) -> String) {
        let lines: Vec<String> = std::iter::once(header.to_owned()).chain(rows.iter().map(line)).collect();
        std::fs::write(self.folder.path().join(file), lines.join("\n") + "\n").unwrap();
    }

    /// Reads all files that there are, those that complete nobody last known first.
    pub async fn ingest(&self) -> Vec<SourceOutcome> {
        let ingest = Ingest { ledger: &self.ledger, keys: &self.keys, schemas: &self.schemas, clock: &self.clock };
        let own = |text: &str| Profile::parse("uji.yaml", text).unwrap();
        let (name, text) = profile::built_in().into_iter().find(|(name, _)| name == "posyandu_register.yaml").unwrap();
        let posyandu = self.source("posyandu", Profile::parse(&name, &text).unwrap());
        let lacking: String = PERSON.lines().filter(|line| !line.contains("[JK]")).fold(String::new(), |text, line| {
            let is_lacking = ["[Lahir]", "[Ibu]", "[KK]", "[Posyandu]"].iter().any(|column| line.contains(column));
            if is_lacking { text } else { text + line + "\n" }
        });
        let sources = [
            self.source("measured", own(&format!("{}{}", lacking.trim_end(), VISIT))),
            self.source("visits", own(&format!("{}{}", PERSON.trim_end(), VISIT))),
            self.source("register", own(PERSON)),
        ];
        let (register, outcomes) = ingest.register(&[posyandu]).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.problem.is_none()), "{outcomes:?}");
        let there: Vec<Source> = sources.into_iter().filter(|source| source.location.path.exists()).collect();
        let (_, outcomes) = ingest.sources(&there, &register, &|_, _| {}).await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.problem.is_none()), "{outcomes:?}");
        outcomes
    }

    fn source(&self, name: &str, profile: Profile) -> Source {
        let path = self.folder.path().join(format!("{name}.csv"));
        Source {
            location: Location::file_at(name, path, PathBuf::new()),
            profile: Arc::new(profile),
            folder: None,
            puskesmas: String::new(),
            zone: Zone::Wib,
        }
    }

    pub async fn read(&self) -> Seen {
        self.ingest().await;
        let sasaran = |records: &[posyandu_gateway::ledger::row::CurrentRecord]| {
            records.iter().find(|record| record.record.dataset == "sasaran").unwrap().record.json.clone()
        };
        let visits = self.ledger.stale_visits(1000).await.unwrap();
        let visits = visits.iter().map(|visit| Visit {
            key: visit.visit_key,
            day: visit.visit.service_date.to_string(),
            sasaran: sasaran(&visit.records),
        });
        let rows = self.ledger.row_issues(&Filter::default(), true, 1000).await.unwrap();
        Seen { visits: visits.collect(), issues: rows.into_iter().flat_map(|row| row.issues).collect() }
    }

    /// Everything in the ledger's files.
    pub fn disk(&self) -> Vec<u8> {
        let files = ["ledger.sqlite", "ledger.sqlite-wal"].map(|name| self.folder.path().join(name));
        files.iter().filter_map(|file| std::fs::read(file).ok()).flatten().collect()
    }
}
