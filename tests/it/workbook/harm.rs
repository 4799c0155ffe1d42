//! Files that mean harm: each is refused by name, soon, and the program that asked stays small.

use std::io::{Cursor, Write};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use posyandu_gateway::source::workbook::Workbook;
use posyandu_gateway::source::workbook::look::Held;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::containers::{ODS_HEAD, ods, sheet_xml, xlsx};
use super::{COLUMNS, all, location, read, refused, register, rule, summary};
use crate::city::fixtures;
use crate::cli::town::Town;

/// A refusal takes at most so long (10 s), with a second for a busy machine.
const SOON: Duration = Duration::from_secs(11);
/// By how much the memory of the program that asks may rise, in KiB.
const MEMORY_RISE_MAX_KIB: u64 = 16 * 1024;
const MIB: usize = 1024 * 1024;

fn header() -> String {
    let cells: String =
        COLUMNS.into_iter().map(|name| format!("<c t=\"inlineStr\"><is><t>{name}</t></is></c>")).collect();
    format!("<row r=\"1\">{cells}</row>")
}

/// A workbook with a part of repeated bytes.
fn bomb(part: &str, piece: &[u8], times: usize) -> Vec<u8> {
    let whole = xlsx(&sheet_xml(&header()), &[]);
    let mut zip = ZipWriter::new_append(Cursor::new(whole)).unwrap();
    zip.start_file(part, SimpleFileOptions::default()).unwrap();
    let mebibyte = piece.repeat(MIB / piece.len());
    (0..times).for_each(|_| zip.write_all(&mebibyte).unwrap());
    zip.finish().unwrap().into_inner()
}

/// A gigabyte of zeros.
fn gigabyte() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| bomb("xl/worksheets/sheet2.xml", &[0], 1024))
}

async fn refused_soon(bytes: &[u8]) -> String {
    let started = Instant::now();
    let rule = refused(bytes).await;
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    rule
}

#[tokio::test]
async fn bombs_are_refused_before_they_are_unpacked() {
    assert_eq!(refused_soon(gigabyte()).await, "file.too_heavy");
    let strings = bomb("xl/sharedStrings.xml", b"<si><t>a</t></si>", 150);
    assert_eq!(refused_soon(&strings).await, "file.too_heavy");
    let many: Vec<(String, Vec<u8>)> = (0..2500).map(|at| (format!("xl/media/{at}.png"), Vec::new())).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    assert_eq!(refused_soon(&xlsx(&sheet_xml(&header()), &many)).await, "file.too_heavy");
}

#[tokio::test]
async fn a_huge_file_is_refused_without_reading_it() {
    let (_folder, path) = super::written("berkas.xls", b"PK\x03\x04");
    let started = Instant::now();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(10_000_000_000).unwrap();
    assert_eq!(rule(&all(&register(), &path).await.unwrap_err()), "file.too_heavy");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_directory_that_lies_about_a_size_is_not_believed() {
    let mut bytes = bomb("xl/worksheets/sheet2.xml", &[0], 300);
    let real = u32::try_from(300 * MIB).unwrap().to_le_bytes();
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 4] == real {
            bytes[at..at + 4].copy_from_slice(&1000_u32.to_le_bytes());
        }
    }
    assert!(["file.too_heavy", "file.damaged"].contains(&refused_soon(&bytes).await.as_str()));
}

#[tokio::test]
async fn a_sparse_sheet_is_jumped_or_refused_but_not_filled() {
    let corner = "<row r=\"1048576\"><c r=\"XFD1048576\"><v>1</v></c></row>";
    let readings = read(&xlsx(&sheet_xml(&format!("{}{corner}", header())), &[])).await.unwrap();
    assert_eq!(summary(&readings), ["row.cells 1048576"]);
    let beyond = "<row r=\"9999999\"><c r=\"A9999999\"><v>1</v></c></row>";
    assert_eq!(refused_soon(&xlsx(&sheet_xml(&format!("{}{beyond}", header())), &[])).await, "file.damaged");
    let cell =
        |attributes: &str| format!("<table:table-cell office:value-type=\"float\" office:value=\"1\" {attributes}/>");
    let sheet = |rows: &str| {
        ods(&format!(
            "{ODS_HEAD}<table:table table:name=\"D\">{rows}</table:table></office:spreadsheet></office:body></office:document-content>"
        ))
    };
    let far = format!(
        "<table:table-row>{0}</table:table-row><table:table-row table:number-rows-repeated=\"1048574\"><table:table-cell/></table:table-row>\
         <table:table-row><table:table-cell table:number-columns-repeated=\"16383\"/>{0}</table:table-row>",
        cell("")
    );
    let full = format!(
        "<table:table-row table:number-rows-repeated=\"1048576\">{}</table:table-row>",
        cell("table:number-columns-repeated=\"16384\"")
    );
    // Few enough for the parser's own ceiling, too many for the memory of the process.
    let wide = format!(
        "<table:table-row table:number-rows-repeated=\"40000\">{}</table:table-row>",
        cell("table:number-columns-repeated=\"1000\"")
    );
    for rows in [far, full, wide] {
        assert_eq!(refused_soon(&sheet(&rows)).await, "file.too_heavy");
    }
}

#[tokio::test]
async fn a_parser_that_does_not_end_is_ended() {
    let endless = ods(&format!("{ODS_HEAD}<table:table table:name=\"D\"><table:table-row/>"));
    assert_eq!(refused_soon(&endless).await, "file.too_heavy");
}

#[tokio::test]
async fn a_million_styled_empty_rows_are_nothing() {
    let mut rows = header();
    for number in 2..1_000_000 {
        rows.push_str(&format!("<row r=\"{number}\" s=\"1\" customFormat=\"1\"/>"));
    }
    rows.push_str("<row r=\"1000000\"><c r=\"A1000000\"><v>7</v></c></row>");
    let (_folder, path) = super::written("berkas.xlsx", &xlsx(&sheet_xml(&rows), &[]));
    // The tests' unoptimised parser on a busy machine needs more patience than the real one.
    let (held, patience) = (Held::open(&path).unwrap(), Duration::from_secs(60));
    let mut book = Workbook::open(&register(), &location(&path), held, patience).await.unwrap();
    let only = book.next().await.unwrap().unwrap();
    assert_eq!(summary(&[only]), ["row 1000000"]);
    assert!(book.next().await.unwrap().is_none());
}

#[tokio::test]
async fn entities_are_not_expanded() {
    let entities: String = (1..30)
        .map(|at| format!("<!ENTITY e{at} \"&e{0};&e{0};&e{0};&e{0};&e{0};&e{0};&e{0};&e{0};\">", at - 1))
        .collect();
    let sheet = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY e0 \"ha\">{entities}<!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
         <worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData>{}\
         <row r=\"2\"><c r=\"A2\" t=\"inlineStr\"><is><t>&e29;&f;</t></is></c></row></sheetData></worksheet>",
        header()
    );
    match read(&xlsx(sheet.as_bytes(), &[])).await {
        Err(error) => assert_eq!(rule(&error), "file.damaged"),
        Ok(readings) => assert!(super::cell(&readings[0], "kode_posyandu").0.len() < 20),
    }
}

#[tokio::test]
async fn half_a_file_gives_no_reading() {
    let row = |at: u32| {
        let text = format!("Posyandu {at} {:x}", at.wrapping_mul(2_654_435_761));
        format!("<row r=\"{at}\"><c t=\"inlineStr\"><is><t>{text}</t></is></c></row>")
    };
    let rows: String = (2..1500).map(row).collect();
    let whole = xlsx(&sheet_xml(&format!("{}{rows}", header())), &[]);
    assert_eq!(read(&whole).await.unwrap().len(), 1498);
    assert!(whole.len() > 15 * 1024, "{}", whole.len());
    for length in (1024..whole.len()).step_by(1024) {
        assert_eq!(refused(&whole[..length]).await, "file.damaged", "{length}");
    }
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 1;
    assert_eq!(refused(&flipped).await, "file.damaged");
}

#[tokio::test]
async fn a_locked_workbook_is_refused_by_that_name() {
    let path = fixtures().parent().unwrap().join("workbooks/sandi.xlsx");
    let error = all(&register(), &path).await.unwrap_err();
    assert_eq!(error.issue(&location(&path)).rule.as_ref(), "file.password");
}

#[tokio::test]
async fn noise_behind_each_mark_is_refused() {
    let marks: [&[u8]; 5] =
        [b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<?", b"<html><table>"];
    for (seed, mark) in (1_u64..).zip(marks) {
        let mut state = seed;
        let noise = (0..20_000).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u8
        });
        refused_soon(&mark.iter().copied().chain(noise).collect::<Vec<u8>>()).await;
    }
    refused_soon(&vec![0; MIB]).await;
    let mut xls = std::fs::read(fixtures().parent().unwrap().join("workbooks/register.xls")).unwrap();
    xls.truncate(3000);
    assert_eq!(refused_soon(&xls).await, "file.damaged");
}

/// The largest resident memory of `check` in a town, in KiB, and how long it took.
fn peak_of_check(town: &Town) -> (u64, Duration) {
    let started = Instant::now();
    let mut child =
        town.command(&["check", "--format", "json"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(peak);
        // The value only rises: looking often is enough.
        std::thread::sleep(Duration::from_millis(2));
    }
    (peak, started.elapsed())
}

#[test]
fn the_program_stays_small_whatever_the_file() {
    const UTARA: &str = "puskesmas-utara-eppgbm.csv";
    let quiet = Town::alone();
    std::fs::remove_file(quiet.path(UTARA)).unwrap();
    let (usual, usual_time) = peak_of_check(&quiet);
    assert!(usual > 0);
    let town = Town::alone();
    for (name, bytes) in [("zeros", gigabyte().to_vec()), ("tables", "<table><tr><td>".repeat(1_000_000).into_bytes())]
    {
        std::fs::write(town.path(UTARA), bytes).unwrap();
        let (peak, time) = peak_of_check(&town);
        assert!(peak < usual + MEMORY_RISE_MAX_KIB, "{name}: {usual} KiB, then {peak} KiB");
        assert!(time < usual_time + SOON, "{name}: {usual_time:?}, then {time:?}");
    }
}
