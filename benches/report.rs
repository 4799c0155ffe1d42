//! How long the workbook of a city's month takes and how much memory: at most 5 s and 150 MiB for 45,000 visits.
//!
//! The report is made in a process of its own, so that memory is measured for it alone. Run with
//! `cargo bench --bench report`; the environment variable `REPORT_VISITS` sets another number of visits.

#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench stops and prints")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use jiff::civil::{Date, date};
use posyandu_gateway::clock::{Clock, Zone};
use posyandu_gateway::issue::{Code, Issue, Place};
use posyandu_gateway::ledger::account::Reach;
use posyandu_gateway::ledger::entry::NewEntry;
use posyandu_gateway::ledger::row::{RowKind, RowSeen, StoredRecord, VisitHead};
use posyandu_gateway::ledger::{Ledger, Options};
use posyandu_gateway::redact::Personal;
use posyandu_gateway::report::recap::area::{Area, Areas, Level};
use posyandu_gateway::report::recap::{Ask, Recap, page};
use posyandu_gateway::report::{DayReport, Request, Span, csv, html, json, text, xlsx};
use posyandu_gateway::seal::Keys;
use posyandu_gateway::words::Language;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

/// Visits of a city's month, and its posyandu (posyandu records, section 7.2).
const VISITS: usize = 45_000;
const POSYANDU: usize = 395;
/// Visits when it runs as a test.
const VISITS_TESTED: usize = 400;
/// The bounds.
const SECONDS_MAX: f64 = 5.0;
const MIB_MAX: f64 = 150.0;
/// Most lines of each list of the reconciliation report, as the pages ask for it.
const LISTED_MAX: usize = 20_000;
/// Rows written at once.
const AT_ONCE: usize = 500;
/// One row in so many needs a person.
const ISSUE_EVERY: usize = 25;
const MONTH: Date = date(2026, 11, 1);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if let [what, folder] = arguments.as_slice()
        && what == "report"
    {
        return runtime.block_on(report(Path::new(folder)));
    }
    let usual = if arguments.iter().any(|argument| argument == "--bench") { VISITS } else { VISITS_TESTED };
    let visits = std::env::var("REPORT_VISITS").map_or(usual, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(fill(folder.path(), visits));
    println!("the month of {visits} visits at {POSYANDU} posyandu:");
    let status = Command::new(std::env::current_exe().unwrap()).arg("report").arg(folder.path()).status().unwrap();
    assert!(status.success());
}

fn options(folder: &Path) -> Options {
    Options { path: folder.join("ledger.sqlite"), lease_seconds: 120, zone: Zone::Wib, bytes_max: None }
}

async fn report(folder: &Path) {
    let clock = Clock::manual("2026-12-01T03:00:00Z".parse().unwrap());
    let keys = Arc::new(Keys::load(&folder.join("keys")).unwrap());
    let ledger = Ledger::open_read_only(&options(folder), keys, clock.clone()).await.unwrap();
    let area = |at: usize| {
        let (name, puskesmas) = (format!("Posyandu {at}"), format!("Puskesmas {}", at % 25));
        (format!("P{at}"), Area { name, puskesmas, village: format!("10010{:05}", at % 68), ..Area::default() })
    };
    let areas: Areas = (0..POSYANDU).map(area).collect();
    let began = Instant::now();
    let ask = Ask {
        span: Span::Month(MONTH),
        level: Level::Posyandu,
        puskesmas: None,
        posyandu: None,
        zone: Zone::Wib,
        made_at: clock.now(),
        areas: &areas,
    };
    let recap = Recap::gather(&ledger, &ask).await.unwrap();
    let gathered = began.elapsed().as_secs_f64();
    let document = page::document(&recap, Language::Indonesian);
    let bytes = xlsx::workbook(&document, Language::Indonesian).unwrap();
    let seconds = began.elapsed().as_secs_f64();
    let peak = peak_mib();
    assert!(recap.total.child_visits > 0 && recap.total.skdn.d > 0, "nothing was counted");
    let verdict = |is_met: bool| if is_met { "met" } else { "NOT met" };
    println!("  figures        {gathered:>7.2} s");
    println!(
        "  XLSX           {seconds:>7.2} s in all, {} KiB, at most 5 s: {}",
        bytes.len() / 1_024,
        verdict(seconds <= SECONDS_MAX)
    );
    println!("  most memory    {peak:>7.1} MiB, at most 150 MiB: {}", verdict(peak <= MIB_MAX));
    let language = Language::Indonesian;
    timed("HTML", || html::page(&document, language).into_bytes());
    timed("CSV", || csv::document(&document).into_bytes());
    timed("JSON", || json::recap(&recap, language).into_bytes());
    timed("text", || document.text(language).into_bytes());
    let began = Instant::now();
    let (span, zone, made_at) = (Span::Month(MONTH), Zone::Wib, clock.now());
    let (place, listed_max) = (Reach::default(), Some(LISTED_MAX));
    let request = Request { span, zone, made_at, mapping_version: None, names: &|_| None, place, listed_max };
    let report = DayReport::gather(&ledger, request).await.unwrap();
    println!("  reconciliation {:>7.2} s to gather", began.elapsed().as_secs_f64());
    timed("its text", || text::render(&report, language).into_bytes());
    timed("its work list", || csv::work_list(&report, language).into_bytes());
    println!("  most memory    {:>7.1} MiB with all of them", peak_mib());
}

/// Writes another form of the same figures.
fn timed(form: &str, write: impl Fn() -> Vec<u8>) {
    let began = Instant::now();
    let bytes = write().len();
    println!("  {form:<14} {:>7.2} s more, {} KiB", began.elapsed().as_secs_f64(), bytes / 1_024);
}

/// The most memory this process ever held.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1_024.0
}

async fn fill(folder: &Path, visits: usize) {
    Keys::create(&folder.join("keys")).unwrap();
    let keys = Arc::new(Keys::load(&folder.join("keys")).unwrap());
    let clock = Clock::manual("2026-11-30T03:00:00Z".parse().unwrap());
    let ledger = Ledger::open(&options(folder), keys, clock).await.unwrap();
    let pass = ledger.begin_pass("eppgbm", "2026-11.csv").await.unwrap();
    let numbers: Vec<usize> = (0..visits).collect();
    for some in numbers.chunks(AT_ONCE) {
        ledger.see_rows(pass, some.iter().map(|number| row(*number)).collect()).await.unwrap();
    }
    ledger.finish_pass(pass, true).await.unwrap();
    loop {
        let stale = ledger.stale_visits(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        if stale.is_empty() {
            break;
        }
        let entry = |visit: &posyandu_gateway::ledger::row::VisitRecords| NewEntry {
            visit_key: visit.visit_key,
            revision: visit.revision,
            content_hash: visit.visit_key,
            mapping_version: "1".to_owned(),
            due: Timestamp::UNIX_EPOCH,
            person: Personal::new(String::new()),
            bundle: Personal::new(String::new()),
            resources: Vec::new(),
            issues: Vec::new(),
            refused: false,
        };
        ledger.enter(stale.iter().map(entry).collect()).await.unwrap();
    }
    ledger.close().await.unwrap();
    // Nine of ten are accepted; written past the gateway, since this is about reading.
    let mut database = SqliteConnectOptions::new().filename(folder.join("ledger.sqlite")).connect().await.unwrap();
    let accept = "UPDATE entry SET state = 'delivered', completed_at = day_ends_at, state_since = day_ends_at - 1000
        WHERE id % 10 <> 0";
    sqlx::query(accept).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

fn sha(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn row(number: usize) -> RowSeen {
    let at = number % POSYANDU;
    let day = MONTH.checked_add(jiff::Span::new().days(i64::try_from(at % 28).unwrap())).unwrap();
    let key = sha(&format!("visit {number}"));
    let born = date(2022, 1, 1).checked_add(jiff::Span::new().days(i64::try_from(number % 1_600).unwrap())).unwrap();
    let place = Place { source: "eppgbm".into(), file: "2026-11.csv".into(), row: number.to_string(), column: None };
    let (puskesmas, posyandu) = (format!("Puskesmas {}", at % 25), format!("P{at}"));
    let record = |dataset: &str, json: String| StoredRecord {
        dataset: dataset.to_owned(),
        record_key: sha(dataset),
        json,
        columns: vec![("bb".to_owned(), "Berat".to_owned()), ("pb_tb".to_owned(), "Tinggi".to_owned())],
        series: None,
    };
    let person = format!(
        r#"{{"alamat":"Jl. Contoh {number}","jenis_kelamin":"L","nama":"Anak {number}","nik":"9999{number:012}",
            "nama_ibu":"Ibu {number}","posyandu":"{posyandu}","status_nik":"asli","tanggal_lahir":"{born}"}}"#
    );
    let (kilograms, tenths) = (8 + number % 7, number % 10);
    let child = format!(
        r#"{{"bb":{kilograms}.{tenths},"cara_ukur":"berdiri","lila":14.5,"nt":"N","pb_tb":{}.{tenths},"tanggal":"{day}",
            "umur_bulan":30,"vit_a":"merah"}}"#,
        70 + number % 30
    );
    let dose = format!(
        r#"{{"antigen":"DPT-HB-HIB","dosis_ke":{},"pelapor":"kader","status":"diberikan","tanggal":"{day}"}}"#,
        1 + number % 3
    );
    let records = vec![record("sasaran", person), record("kunjungan_balita", child), record("imunisasi", dose)];
    let head = VisitHead {
        puskesmas: puskesmas.clone(),
        posyandu: posyandu.clone(),
        service_date: day,
        zone: Zone::Wib,
        due: Timestamp::UNIX_EPOCH,
    };
    let needs_person = number.is_multiple_of(ISSUE_EVERY);
    let problem = Issue::error(Code::Value, "weight.unreadable").with("nilai", "x").at(place.column("Berat"));
    RowSeen {
        row_key: sha(&format!("row {number}")),
        hash: key,
        outcome: if needs_person { RowKind::Issue } else { RowKind::Records { visit_key: key, visit: head, records } },
        issues: if needs_person { vec![problem] } else { Vec::new() },
        puskesmas: Some(puskesmas),
        posyandu: Some(posyandu),
        service_date: Some(day),
        place,
    }
}
