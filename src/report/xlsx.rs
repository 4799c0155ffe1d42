//! A document as a workbook: a sheet for each table, with real numbers and dates.
//!
//! No formula is ever written: a text is a typed string, whatever it begins with. It must not format a figure as text.

use rust_xlsxwriter::{Format, FormatAlign, Workbook, Worksheet, XlsxError};

use super::document::{Cell, Document, Table};
use crate::words::Language;

/// Letters of the widest column.
const COLUMN_MAX: usize = 60;
/// Letters that a text keeps: a cell holds 32,767 at most.
const TEXT_MAX: usize = 32_000;

/// Writes the workbook.
///
/// # Errors
/// More rows or columns than a sheet holds.
pub fn workbook(document: &Document, language: Language) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let formats = Formats::new();
    about(book.add_worksheet().set_name("info")?, document, &formats)?;
    for table in &document.tables {
        sheet(book.add_worksheet().set_name(table.name)?, table, language, &formats)?;
    }
    book.save_to_buffer()
}

struct Formats {
    title: Format,
    head: Format,
    number: Format,
    change: Format,
    share: Format,
    date: Format,
    text: Format,
}

impl Formats {
    fn new() -> Self {
        Self {
            title: Format::new().set_bold().set_font_size(14),
            head: Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top),
            number: Format::new().set_num_format("0"),
            change: Format::new().set_num_format("+0;-0;0"),
            share: Format::new().set_num_format("0.0%"),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            text: Format::new().set_num_format("@"),
        }
    }

    fn decimals(decimals: usize) -> Format {
        let zeros = "0".repeat(decimals);
        Format::new().set_num_format(if decimals == 0 { "0".to_owned() } else { format!("0.{zeros}") })
    }
}

/// The first sheet: what the workbook is about, and the notes of its tables.
fn about(sheet: &mut Worksheet, document: &Document, formats: &Formats) -> Result<(), XlsxError> {
    sheet.set_column_width(0, 100)?;
    sheet.write_string_with_format(0, 0, &document.title, &formats.title)?;
    let notes = document.tables.iter().flat_map(|table| std::iter::once(&table.title).chain(&table.notes));
    let lines = document.head.iter().chain(notes).chain(&document.foot);
    for (at, line) in lines.enumerate() {
        sheet.write_string_with_format(row(at + 1)?, 0, shortened(line), &formats.head)?;
    }
    Ok(())
}

fn sheet(sheet: &mut Worksheet, table: &Table, language: Language, formats: &Formats) -> Result<(), XlsxError> {
    for (at, title) in table.columns.iter().enumerate() {
        let column = column(at)?;
        sheet.write_string_with_format(0, column, title, &formats.head)?;
        let letters = table.width(at, language, COLUMN_MAX).max(6);
        sheet.set_column_width(column, letters as f64 + 2.0)?;
    }
    sheet.set_freeze_panes(1, 1)?;
    let last = row(table.rows.len())?;
    sheet.autofilter(0, 0, last, column(table.columns.len().saturating_sub(1))?)?;
    sheet.set_repeat_rows(0, 0)?;
    sheet.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0);
    for (down, cells) in table.rows.iter().enumerate() {
        for (across, cell) in cells.iter().enumerate() {
            write(sheet, (row(down + 1)?, column(across)?), cell, formats)?;
        }
    }
    Ok(())
}

fn write(sheet: &mut Worksheet, (row, column): (u32, u16), cell: &Cell, formats: &Formats) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => return Ok(()),
        Cell::Text(text) => sheet.write_string_with_format(row, column, shortened(text), &formats.text)?,
        Cell::Number(number) => sheet.write_number_with_format(row, column, *number as f64, &formats.number)?,
        Cell::Change(number) => sheet.write_number_with_format(row, column, *number as f64, &formats.change)?,
        Cell::Decimal(number, decimals) => {
            sheet.write_number_with_format(row, column, *number, &Formats::decimals(*decimals))?
        }
        Cell::Permille(permille) => {
            sheet.write_number_with_format(row, column, *permille as f64 / 1_000.0, &formats.share)?
        }
        Cell::Date(date) => {
            let date = rust_xlsxwriter::ExcelDateTime::from_ymd(
                u16::try_from(date.year()).unwrap_or(0),
                date.month().unsigned_abs(),
                date.day().unsigned_abs(),
            )?;
            sheet.write_datetime_with_format(row, column, &date, &formats.date)?
        }
    };
    Ok(())
}

fn shortened(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

fn row(at: usize) -> Result<u32, XlsxError> {
    u32::try_from(at).map_err(|_| XlsxError::RowColumnLimitError)
}

fn column(at: usize) -> Result<u16, XlsxError> {
    u16::try_from(at).map_err(|_| XlsxError::RowColumnLimitError)
}
