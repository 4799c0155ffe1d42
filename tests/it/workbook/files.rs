//! Ordinary workbooks: what stands in a cell arrives, in each format.

use posyandu_gateway::source::cells::CellKind;
use posyandu_gateway::source::{self, Reading};
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook};

use super::containers::{ODS_HEAD, ods, sheet_xml, xlsx};
use super::{COLUMNS, all, cell, location, profile, read, register, summary, written};
use crate::city::fixtures;

/// A workbook with the header of the register and cells in its second row.
fn book(fill: impl FnOnce(&mut rust_xlsxwriter::Worksheet)) -> Vec<u8> {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(COLUMNS) {
        sheet.write(0, column, name).unwrap();
    }
    fill(sheet);
    book.save_to_buffer().unwrap()
}

#[tokio::test]
async fn a_workbook_gives_the_same_rows_as_the_text_it_was_made_from() {
    let text = std::fs::read_to_string(fixtures().join("puskesmas-tengah-register.csv"));
    let text = text.unwrap_or_else(|_| {
        let bytes = std::fs::read(fixtures().join("puskesmas-tengah-register.csv")).unwrap();
        encoding_rs::WINDOWS_1252.decode(&bytes).0.into_owned()
    });
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (number, record) in (0..).zip(reader.records()) {
        for (column, text) in (0..).zip(record.unwrap().iter()) {
            sheet.write(number, column, text).unwrap();
        }
    }
    let (_folder, path) = written("register.xlsx", &book.save_to_buffer().unwrap());
    let profile = profile("register_csv.yaml");
    let from_workbook = all(&profile, &path).await.unwrap();
    let from_text = all(&profile, &fixtures().join("puskesmas-tengah-register.csv")).await.unwrap();
    let rows = |readings: &[Reading]| -> Vec<Vec<String>> {
        let texts =
            readings.iter().filter_map(|reading| if let Reading::Row(row) = reading { Some(row) } else { None });
        texts.map(|row| row.texts().map(str::to_owned).collect()).collect()
    };
    assert!(rows(&from_text).len() > 100);
    assert_eq!(rows(&from_workbook), rows(&from_text));
}

#[tokio::test]
async fn each_kind_of_cell_arrives_exactly() {
    let date = Format::new().set_num_format("dd/mm/yyyy");
    let moment = Format::new().set_num_format("dd/mm/yyyy hh:mm");
    let percent = Format::new().set_num_format("0%");
    let rupiah = Format::new().set_num_format("\"Rp\" #,##0");
    let bytes = book(|sheet| {
        sheet.write(1, 0, "  teks \n<b> & \"ü\"").unwrap();
        sheet.write(1, 1, 10.4).unwrap();
        sheet.write(1, 2, 1_001_014_512_240_001_i64).unwrap();
        sheet.write(1, 3, 1e15).unwrap();
        sheet.write_with_format(1, 4, ExcelDateTime::from_ymd(2026, 11, 18).unwrap(), &date).unwrap();
        let at = ExcelDateTime::from_ymd(2026, 11, 18).unwrap().and_hms(8, 30, 0).unwrap();
        sheet.write_with_format(1, 5, at, &moment).unwrap();
        sheet.write_with_format(1, 6, 0.25, &percent).unwrap();
        sheet.write_with_format(1, 7, 15_000, &rupiah).unwrap();
        sheet.write(1, 8, true).unwrap();
        sheet.write(1, 9, Formula::new("1/0").set_result("#DIV/0!")).unwrap();
        sheet.write(1, 10, Formula::new("A1+1").set_result("12.5")).unwrap();
        sheet.write(1, 11, Formula::new("A1&\"x\"").set_result("jadi")).unwrap();
        let (red, plain) = (Format::new().set_bold(), Format::new());
        sheet.write_rich_string(1, 13, &[(&red, "tebal"), (&plain, " biasa")]).unwrap();
        sheet.write(1, 15, "ujung").unwrap();
    });
    let readings = read(&bytes).await.unwrap();
    assert_eq!(summary(&readings), ["row 2"]);
    let expected = [
        ("  teks \n<b> & \"ü\"", CellKind::Text),
        ("10.4", CellKind::Number),
        ("1001014512240001", CellKind::Number),
        ("1000000000000000", CellKind::Number),
        ("2026-11-18", CellKind::Date),
        ("2026-11-18 08:30:00", CellKind::Date),
        ("0.25", CellKind::Number),
        ("15000", CellKind::Number),
        ("1", CellKind::Boolean),
        ("#DIV/0!", CellKind::Error),
        ("12.5", CellKind::Number),
        ("jadi", CellKind::Text),
        ("", CellKind::Text),
        ("tebal biasa", CellKind::Text),
        ("", CellKind::Text),
        ("ujung", CellKind::Text),
    ];
    for (column, (text, kind)) in COLUMNS.into_iter().zip(expected) {
        assert_eq!(cell(&readings[0], column), (text.to_owned(), kind), "{column}");
    }
}

#[tokio::test]
async fn gaps_and_empty_rows_are_nothing_and_short_rows_are_whole() {
    let bold = Format::new().set_bold();
    let bytes = book(|sheet| {
        sheet.write(1, 0, "P01").unwrap();
        sheet.write(4, 0, "P02").unwrap();
        (5..400).for_each(|row| {
            sheet.write_blank(row, 3, &bold).unwrap();
        });
        sheet.write(1_000_000, 1, "jauh").unwrap();
    });
    let readings = read(&bytes).await.unwrap();
    assert_eq!(summary(&readings), ["row 2", "row 5", "row 1000001"]);
    assert_eq!(cell(&readings[2], "nama").0, "jauh");
}

#[tokio::test]
async fn hidden_sheets_are_counted_and_not_read() {
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    sheet.write_row(0, 0, COLUMNS).unwrap();
    sheet.write(1, 0, "P01").unwrap();
    let hidden = book.add_worksheet();
    hidden.set_hidden(true);
    hidden.write_row(0, 0, COLUMNS).unwrap();
    hidden.write(7, 0, "lama").unwrap();
    let readings = read(&book.save_to_buffer().unwrap()).await.unwrap();
    assert_eq!(summary(&readings), ["row 2", "Sheet 1", "Sheet 8"]);
}

#[tokio::test]
async fn a_row_that_is_too_wide_or_a_cell_that_is_too_long_is_broken_and_named() {
    let bytes = book(|sheet| {
        sheet.write(1, 16_383, "jauh").unwrap();
        sheet.write(2, 1, "é".repeat(10_000)).unwrap();
        sheet.write(3, 1, "baik").unwrap();
    });
    let readings = read(&bytes).await.unwrap();
    assert_eq!(summary(&readings), ["row.cells 2", "row.long 3", "row 4"]);
}

#[tokio::test]
async fn the_old_format_and_the_date_system_of_old_macs_are_read() {
    let folder = fixtures().parent().unwrap().join("workbooks");
    for name in ["register.xls", "register_1904.xls"] {
        let readings = all(&register(), &folder.join(name)).await.unwrap();
        assert_eq!(summary(&readings), ["row 2", "row 5", "Sheet 1"], "{name}");
        for (column, text, kind) in [
            ("nama", "Mélati", CellKind::Text),
            ("alias", "10.5", CellKind::Number),
            ("kode_puskesmas", "2026-11-18", CellKind::Date),
            ("puskesmas", "1", CellKind::Boolean),
            ("nik_nakes", "1001014512240001", CellKind::Number),
        ] {
            assert_eq!(cell(&readings[0], column), (text.to_owned(), kind), "{name}");
        }
    }
}

#[tokio::test]
async fn an_open_document_is_read() {
    let text = |text: &str| {
        format!("<table:table-cell office:value-type=\"string\"><text:p>{text}</text:p></table:table-cell>")
    };
    let header: String = COLUMNS.into_iter().map(text).collect();
    let content = format!(
        "{ODS_HEAD}<table:table table:name=\"Data\"><table:table-row>{header}</table:table-row>\
         <table:table-row table:number-rows-repeated=\"3\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>\
         <table:table-row>{}<table:table-cell office:value-type=\"float\" office:value=\"10.4\"/>\
         <table:table-cell office:value-type=\"date\" office:date-value=\"2026-11-18\"/>\
         <table:table-cell office:value-type=\"time\" office:time-value=\"PT08H30M00S\"/>\
         <table:table-cell office:value-type=\"boolean\" office:boolean-value=\"true\"/></table:table-row>\
         <table:table-row table:number-rows-repeated=\"1048571\"><table:table-cell table:number-columns-repeated=\"16384\"/></table:table-row>\
         </table:table></office:spreadsheet></office:body></office:document-content>",
        text("P01 &amp; anak"),
    );
    let readings = read(&ods(&content)).await.unwrap();
    assert_eq!(summary(&readings), ["row 5"]);
    for (column, text, kind) in [
        ("kode_posyandu", "P01 & anak", CellKind::Text),
        ("nama", "10.4", CellKind::Number),
        ("alias", "2026-11-18", CellKind::Date),
        ("kode_puskesmas", "08:30:00", CellKind::Text),
        ("puskesmas", "1", CellKind::Boolean),
    ] {
        assert_eq!(cell(&readings[0], column), (text.to_owned(), kind));
    }
}

#[tokio::test]
async fn inline_texts_macros_and_links_give_values_only() {
    let header: String =
        COLUMNS.into_iter().map(|name| format!("<c t=\"inlineStr\"><is><t>{name}</t></is></c>")).collect();
    let rows = format!(
        "<row r=\"1\">{header}</row><row r=\"2\"><c r=\"A2\" t=\"str\"><f>cmd|'/c calc'!A0</f><v>DDE</v></c>\
         <c r=\"B2\"><f>[1]Lain!$A$1</f><v>7</v></c><c r=\"C2\"><f>NOW()</f></c><c r=\"D2\" t=\"e\"><v>#REF!</v></c></row>"
    );
    let extra: [(&str, &[u8]); 3] = [
        ("xl/vbaProject.bin", b"Sub Auto_Open()"),
        ("xl/externalLinks/externalLink1.xml", b"<externalLink/>"),
        ("xl/embeddings/oleObject1.bin", b"MZ"),
    ];
    let readings = read(&xlsx(&sheet_xml(&rows), &extra)).await.unwrap();
    assert_eq!(summary(&readings), ["row 2"]);
    let texts = ["kode_posyandu", "nama", "alias", "kode_puskesmas"].map(|column| cell(&readings[0], column));
    let expected = [("DDE", CellKind::Text), ("7", CellKind::Number), ("", CellKind::Text), ("#REF!", CellKind::Error)];
    assert_eq!(texts, expected.map(|(text, kind)| (text.to_owned(), kind)));
}

#[tokio::test]
async fn a_change_while_reading_is_told() {
    let bytes = book(|sheet| {
        sheet.write(1, 0, "P01").unwrap();
    });
    let (_folder, path) = written("berkas.xlsx", &bytes);
    let mut rows = source::open(&register(), &location(&path)).await.unwrap();
    std::fs::write(&path, [bytes, vec![0]].concat()).unwrap();
    let mut last = rows.next().await;
    while let Ok(Some(_)) = last {
        last = rows.next().await;
    }
    assert_eq!(super::rule(&last.unwrap_err()), "file.changed");
}
