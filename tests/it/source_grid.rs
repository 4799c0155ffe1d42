//! Tables as people draw them: headers of two rows, titles, sheets, stacked tables.

use std::sync::Arc;

use posyandu_gateway::issue::{Issue, Place};
use posyandu_gateway::source::cells::Cells;
use posyandu_gateway::source::grid::{Grid, Line};
use posyandu_gateway::source::problem::SourceError;
use posyandu_gateway::source::profile::Profile;
use posyandu_gateway::source::{Location, Reading, Row};
use posyandu_gateway::words::{self, Language};
use proptest::prelude::*;

pub const CARD: &str = "
title: Kartu
kind: file
dates: [day-first]
skipped_sheets: [Rekap*]
tables:
  - name: ibu
    sheets: [Ibu*]
    number_columns: [No]
    footers: [Jumlah]
    ignored_columns: [Keterangan, TBC Batuk]
    withdrawn:
      - columns: [Hapus]
        words: [Ya, '1']
    records:
      sasaran:
        nama: {columns: [Nama Ibu, Nama]}
        nik: {columns: [NIK]}
        nama_suami: {columns: [Nama Suami]}
        nik_suami: {columns: [NIK], after: Nama Suami, optional: true}
        posyandu: {titles: [Posyandu, Nama Posyandu]}
      kunjungan_ibu_hamil:
        tanggal: {titles: [Tanggal, '*sheet*'], optional: true}
        sistole: {columns: [Tekanan Darah Sistole]}
        bb: {columns: [BB, Penimbangan BB]}
  - name: balita
    number_columns: [No]
    records:
      sasaran:
        nama: {columns: [Nama Anak]}
        posyandu: {titles: [Posyandu], optional: true}
      kunjungan_balita:
        bb: {columns: [BB]}
        pb_tb: {columns: [TB]}
";

pub fn profile(text: &str) -> Arc<Profile> {
    Arc::new(Profile::parse("kartu.yaml", text).unwrap())
}

fn cells(line: &str) -> Cells {
    if line.is_empty() { Cells::default() } else { line.split('|').collect() }
}

/// Feeds lines; `# name` begins a sheet.
fn fed(lines: &[&str]) -> Result<Vec<Reading>, SourceError> {
    let place = Place { source: "uji".into(), file: "kartu.xlsx".into(), ..Place::default() };
    let mut grid = Grid::new(&profile(CARD), place);
    let (mut readings, mut number) = (Vec::new(), 0);
    for line in lines {
        if let Some(sheet) = line.strip_prefix("# ") {
            number = 0;
            grid.feed(Line::Sheet(sheet.to_owned()))?;
        } else {
            number += 1;
            grid.feed(Line::Cells(number, cells(line)))?;
        }
        readings.extend(std::iter::from_fn(|| grid.take()));
    }
    grid.end()?;
    readings.extend(std::iter::from_fn(|| grid.take()));
    Ok(readings)
}

pub fn told(readings: &[Reading]) -> Vec<String> {
    let each = readings.iter().map(|reading| match reading {
        Reading::Row(row) => format!("row {}", row.place.row),
        Reading::Skipped { place, reason } => format!("{} {}", reason.name(), place.row),
        Reading::Broken(issue) => {
            for language in [Language::Indonesian, Language::English] {
                assert!(words::knows(&issue.rule) && !words::of_issue(language, issue).contains('{'));
            }
            format!("{} {}", issue.rule, issue.place.as_ref().unwrap().row)
        }
    });
    each.collect()
}

pub fn rows(readings: &[Reading]) -> Vec<&Row> {
    readings.iter().filter_map(|reading| if let Reading::Row(row) = reading { Some(row) } else { None }).collect()
}

pub fn cell(row: &Row, name: &str) -> String {
    row.cell(name).map_or_else(|| "absent".to_owned(), |cell| cell.raw.to_owned())
}

pub fn refusal(error: &SourceError) -> Issue {
    let mut issue = error.issue(&Location::file_at("uji", "kartu.xlsx".into(), "none".into()));
    // A refusal shows headers as they stand; their braces are none of the sentence's parts that were not filled in.
    issue.arguments.iter_mut().for_each(|(_, value)| *value = value.replace('{', "("));
    for language in [Language::Indonesian, Language::English] {
        assert!(words::knows(&issue.rule) && !words::of_issue(language, &issue).contains('{'), "{}", issue.rule);
    }
    issue
}

const UPPER: &str = "No|Nama Ibu|NIK|Nama Suami|NIK|Penimbangan|Tekanan Darah||TBC|Hapus|||";
const LOWER: &str = "|||||BB|Sistole|Keterangan|Batuk||";

/// A sheet of mothers with its header in the rows 3 to 5 and rows behind it.
fn ibu<'a>(behind: &[&'a str]) -> Vec<&'a str> {
    let above = ["# Ibu 1", "Register Ibu", "Posyandu : Melati 1|||Kader: Ibu Contoh", UPPER, "", LOWER];
    above.iter().chain(behind).copied().collect()
}

#[test]
fn a_header_of_two_rows_is_joined_and_equal_headers_are_told_apart() {
    let readings = fed(&ibu(&[
        "(1)|(2)|(3)|(4)|(4)|(5)|(6)|(8)|(9)|10",
        "",
        "1|Ibu A|1001|Ayah A|1002|50|110|baik|Tidak",
        "2|Ibu B|1003|Ayah B||51|120|||||||",
        "3",
        "4|Ibu C|1004|Ayah C|1005|52|111|||ya",
        "Jumlah|||||341",
        "5|Ibu D|1006|Ayah D|1007|53|112||||kelebihan",
    ]))
    .unwrap();
    let expected = ["footer 6", "empty 7", "row 8", "row 9", "empty 10", "withdrawn 11", "footer 12", "row.cells 13"];
    assert_eq!(told(&readings), expected);
    let rows = rows(&readings);
    assert_eq!(&*rows[0].place.file, "kartu.xlsx [Ibu 1]");
    let names = ["nama ibu", "nik", "nama suami → nik", "tekanan darah sistole", "bb", "posyandu", "tanggal"];
    let read: Vec<String> = names.iter().map(|name| cell(rows[0], name)).collect();
    assert_eq!(read, ["Ibu A", "1001", "1002", "110", "50", "Melati 1", "Ibu 1"]);
    let columns =
        ["bb", "tekanan darah sistole", "posyandu"].map(|name| rows[0].cell(name).unwrap().column.to_string());
    assert_eq!(columns, ["Penimbangan / BB", "Tekanan Darah / Sistole", "Posyandu"]);
    assert_eq!(cell(rows[1], "nama suami → nik"), "");
}

#[test]
fn a_header_that_nobody_knows_stops_the_file_and_is_named_with_its_sheet() {
    let columns = |lower: &str| {
        let lines = ["# Ibu 1", "Posyandu: Melati", UPPER, lower, "1|Ibu A|1001|Ayah A|1002|50|110"];
        refusal(&fed(&lines).unwrap_err())
    };
    let unknown = columns("|||||BB|Sistole|Diastole|Batuk");
    assert_eq!(&*unknown.rule, "file.column_unknown_near");
    let place = unknown.place.unwrap();
    assert_eq!((&*place.file, place.row.as_str()), ("kartu.xlsx [Ibu 1]", "3"));
    assert!(unknown.arguments.contains(&("kolom".into(), "Tekanan Darah / Diastole".to_owned())));
    assert_eq!(&*columns("|||||BB|Sisto|Keterangan|Batuk").rule, "file.columns_missing_near");
    assert_eq!(&*columns("|||||BB|Sistole|BB|Batuk").rule, "file.column_twice");
}

#[test]
fn titles_are_taken_from_their_label_and_never_from_their_neighbourhood() {
    let with = |title: &str| {
        let lines = ["# Ibu", title, UPPER, LOWER, "1|Ibu A|1001|Ayah A|1002|50|110"];
        fed(&lines).map(|readings| cell(rows(&readings)[0], "posyandu"))
    };
    for title in ["Posyandu : Melati 1", "|POSYANDU|:|Melati 1", "Posyandu =||Melati 1", "Nama Posyandu||: Melati 1"] {
        assert_eq!(with(title).unwrap(), "Melati 1", "{title}");
    }
    assert_eq!(with("Posyandu: Melati 1|Nama Posyandu: Mawar").unwrap(), "Melati 1");
    for title in
        ["POSYANDU MELATI 1", "Posyandu :", "Posyandu:|Kecamatan : Utara", "Melati 1", "Posyandu|Nama Posyandu"]
    {
        assert_eq!(&*refusal(&with(title).unwrap_err()).rule, "file.title_missing", "{title}");
    }
    let twice = with("Posyandu: Melati|Posyandu: Mawar").unwrap_err();
    assert_eq!(&*refusal(&twice).rule, "file.title_twice");
}

#[test]
fn each_sheet_finds_its_own_table_and_every_other_row_is_counted() {
    let anak = ["# Anak", "Nama Anak|BB|TB", "Anak A|10,1|80"];
    let catatan = ["# Catatan", "", "Rapat", "", "Hadir|5"];
    let rekap = ["# REKAP 2026", "Nama Anak|BB|TB", "", "Anak A|1|2"];
    let mut lines = catatan.to_vec();
    lines.extend(ibu(&["1|Ibu A|1001|Ayah A|1002|50|110"]));
    lines.push("# Kosong");
    lines.extend(anak);
    lines.extend(rekap);
    let readings = fed(&lines).unwrap();
    let expected = ["sheet.header_missing 2", "sheet 4", "row 6", "row 2", "sheet 1", "sheet 3"];
    assert_eq!(told(&readings), expected);
    assert_eq!(rows(&readings).iter().map(|row| row.table).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(&*refusal(&fed(&[&catatan[..], &rekap].concat()).unwrap_err()).rule, "file.header_missing");
    let elsewhere = ["# Lain", "Nama Ibu|NIK|Nama Suami|BB|Tekanan Darah Sistole"];
    assert_eq!(&*refusal(&fed(&elsewhere).unwrap_err()).rule, "file.header_missing");
}

#[test]
fn tables_stacked_on_one_sheet_are_each_read_by_their_own_header() {
    let readings = fed(&ibu(&[
        "1|Ibu A|1001|Ayah A|1002|50|110",
        "",
        "Posyandu: Mawar",
        UPPER,
        LOWER,
        "1|Ibu B|1003|Ayah B|1004|51|111",
        "NIK|Nama|Nama Suami|BB|Tekanan Darah Sistole|No",
        "1005|Ibu C|Ayah C|52|112|7",
    ]))
    .unwrap();
    let expected = ["row 6", "empty 7", "footer 8", "footer 9", "footer 10", "row 11", "footer 12", "row 13"];
    assert_eq!(told(&readings), expected);
    let read: Vec<_> = rows(&readings)
        .iter()
        .map(|row| ["nama ibu", "nik", "bb", "posyandu"].map(|name| cell(row, name)).join(" "))
        .collect();
    assert_eq!(read, ["Ibu A 1001 50 Melati 1", "Ibu B 1003 51 Mawar", "Ibu C 1005 52 Mawar"]);
    let deviating = ibu(&[
        "1|Ibu A|1001|Ayah A|1002|50|110",
        "NIK|Nama|Nama Suami|BB|Tekanan Darah Sistol",
        "1003|Ibu B|Ayah B|51|111",
    ]);
    assert_eq!(&*refusal(&fed(&deviating).unwrap_err()).rule, "file.columns_missing_near");
    let another = fed(&["# Anak", "Nama Anak|BB|TB", "Anak A|10|80", "No|Nama Anak|TB|BB", "1|Anak B|81|11"]).unwrap();
    assert_eq!(told(&another), ["row 2", "footer 3", "row 4"]);
    assert_eq!(cell(rows(&another)[1], "bb"), "11");
    let last = fed(&["# Anak", "Nama Anak|BB|TB", "Anak A|10|80", "Nama Ibu|No|TB"]).unwrap();
    assert_eq!(told(&last), ["row 2", "row 3"], "words of other tables make no header");
}

#[test]
fn a_second_header_at_the_end_of_a_sheet_is_no_row() {
    let readings = fed(&["# Anak", "Nama Anak|BB|TB", "Anak A|10|80", "No|Nama Anak|TB|BB"]).unwrap();
    assert_eq!(told(&readings), ["row 2", "footer 3"]);
}

/// Cells of which tables, titles and mess are made.
fn word() -> impl Strategy<Value = String> {
    let words = [
        "",
        "",
        "No",
        "NIK",
        "Nama Ibu",
        "Nama Suami",
        "BB",
        "Tekanan Darah",
        "Sistole",
        "Tekanan Darah Sistole",
        "TB",
        "Nama Anak",
        "Posyandu : Melati",
        "Posyandu",
        ":",
        "Jumlah",
        "Ya",
        "1",
        "(2)",
        "Hapus",
        "x\u{fffd}y",
    ];
    prop_oneof![6 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,6}"]
}

pub fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => proptest::collection::vec(word(), 0..9).prop_map(|cells| cells.join("|")),
        2 => Just(UPPER.to_owned()),
        2 => Just(LOWER.to_owned()),
        1 => Just("Nama Anak|BB|TB".to_owned()),
        1 => proptest::sample::select(vec!["# Ibu 1", "# Anak", "# Rekap", "# "]).prop_map(str::to_owned),
    ]
}

/// Checks that the readings of each sheet stand in order and that only empty rows and rows above headers are missing.
pub fn accounted(readings: &[Reading]) -> Result<(), TestCaseError> {
    let places: Vec<(std::sync::Arc<str>, u64)> = readings
        .iter()
        .map(|reading| match reading {
            Reading::Row(row) => row.place.clone(),
            Reading::Skipped { place, .. } => place.clone(),
            Reading::Broken(issue) => issue.place.clone().unwrap(),
        })
        .map(|place| (place.file, place.row.parse().unwrap()))
        .collect();
    prop_assert!(places.windows(2).all(|pair| pair[0].0 != pair[1].0 || pair[0].1 < pair[1].1), "{places:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_row_of_any_sheet_is_accounted_for(lines in proptest::collection::vec(line(), 0..40)) {
        let mut numbered = vec!["# Ibu 0".to_owned()];
        for (at, line) in lines.iter().enumerate() {
            numbered.push(if line.starts_with("# ") { format!("# Ibu {at}") } else { line.clone() });
        }
        let lines: Vec<&str> = numbered.iter().map(String::as_str).collect();
        if let Ok(readings) = fed(&lines) {
            accounted(&readings)?;
            // Behind the first reading of a sheet no row is left out, empty ones of unread sheets aside.
            let mut number = 0;
            let mut name = "";
            for line in &lines {
                if let Some(sheet) = line.strip_prefix("# ") {
                    (name, number) = (sheet, 0);
                    continue;
                }
                number += 1;
                let of_sheet = readings.iter().filter_map(|reading| match reading {
                    Reading::Row(row) => Some(&row.place),
                    Reading::Skipped { place, .. } => Some(place),
                    Reading::Broken(issue) => issue.place.as_ref(),
                }).filter(|place| *place.file == *format!("kartu.xlsx [{name}]"));
                let numbers: Vec<u64> = of_sheet.map(|place| place.row.parse().unwrap()).collect();
                let counted = numbers.contains(&number) || numbers.first().is_none_or(|first| number < *first);
                prop_assert!(counted || cells(line).are_blank(), "row {number} of {name} is lost: {numbers:?}");
            }
        }
    }
}
