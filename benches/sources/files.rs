//! Text and workbooks: the gateway beside the bare parsers.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::time::Instant;

use calamine::{Reader as _, Xlsx};

use super::{Best, ROUNDS, built_in, crowd, file, ours, print};

/// A register as CSV: one record used again and again is the fastest way of the csv crate, records() the usual one.
pub async fn csv(rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("register.csv");
    crowd::write(&mut BufWriter::new(File::create(&path).unwrap()), rows);
    let profile = built_in("register_csv.yaml");
    let (mut own, mut one, mut each) =
        (Best::of("gateway"), Best::of("csv, one record reused"), Best::of("csv, records()"));
    for _ in 0..ROUNDS {
        let began = Instant::now();
        own.note(began, ours(&profile, &file(&path)).await);
        let began = Instant::now();
        one.note(began, reused(&path));
        let began = Instant::now();
        each.note(began, records(&path));
    }
    print("CSV", &own, &[one, each]);
}

fn reader(path: &Path) -> csv::Reader<File> {
    csv::ReaderBuilder::new().flexible(true).from_path(path).unwrap()
}

fn reused(path: &Path) -> usize {
    let mut reader = reader(path);
    let mut record = csv::StringRecord::new();
    let (mut number, mut bytes) = (0, 0);
    while reader.read_record(&mut record).unwrap() {
        number += 1;
        bytes += record.iter().map(str::len).sum::<usize>();
    }
    assert!(bytes > number);
    number
}

fn records(path: &Path) -> usize {
    let (mut number, mut bytes) = (0, 0);
    for record in reader(path).records() {
        number += 1;
        bytes += record.unwrap().iter().map(str::len).sum::<usize>();
    }
    assert!(bytes > number);
    number
}

/// The same register as a workbook: our reader is a process of its own with limits, calamine holds the sheet.
pub async fn xlsx(rows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("register.xlsx");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(crowd::HEADER) {
        sheet.write(0, column, name).unwrap();
    }
    for at in 0..rows {
        let line = u32::try_from(at + 1).unwrap();
        for (column, text) in (0..).zip(crowd::cells(at)).filter(|(_, text)| !text.is_empty()) {
            match text.parse::<f64>() {
                // A NIK has more digits than a number of a workbook.
                Ok(number) if text.len() < 15 => sheet.write(line, column, number).unwrap(),
                _ => sheet.write(line, column, text).unwrap(),
            };
        }
    }
    book.save(&path).unwrap();
    let profile = built_in("register_csv.yaml");
    let (mut own, mut bare) = (Best::of("gateway, in a limited process"), Best::of("calamine"));
    for _ in 0..ROUNDS {
        let began = Instant::now();
        own.note(began, ours(&profile, &file(&path)).await);
        let began = Instant::now();
        bare.note(began, calamine(&path));
    }
    print("XLSX", &own, &[bare]);
}

fn calamine(path: &Path) -> usize {
    let mut book: Xlsx<_> = calamine::open_workbook(path).unwrap();
    let range = book.worksheet_range_at(0).unwrap().unwrap();
    let filled = |row: &[calamine::Data]| row.iter().any(|cell| !matches!(cell, calamine::Data::Empty));
    range.rows().skip(1).filter(|row| filled(row)).count()
}
