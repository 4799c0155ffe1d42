//! The reading itself, in the process that has limits: a workbook on standard input becomes frames.
//!
//! It must not open a file, start a process or follow a link. A parser that stumbles ends this process and nothing
//! else.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};

use calamine::{
    Data, OdsError, Range, Reader, Sheet, SheetType, SheetVisible, Xls, XlsError, Xlsb, XlsbError, Xlsx, XlsxError,
};

use super::archive::{self, Kind};
use super::cut::Rows;
use super::frame::{Refusal, write_end, write_refusal};
use super::look::{Container, FILE_BYTES_MAX, container};
use super::value::Value;
use super::{html, limits};

/// How much is looked at to tell what a file is, in bytes.
const HEAD_BYTES: u64 = 1024;

/// Limits this process, reads the workbook and writes its frames. Tells whether it was read to its end.
pub fn run<W: Write>(file: File, mut out: W) -> bool {
    let read = if limits::set().is_err() { Err(Refusal::NoLimits) } else { read(file, &mut out) };
    let told = match read {
        Ok(rows) => write_end(&mut out, rows),
        Err(refusal) => write_refusal(&mut out, refusal),
    };
    told.and_then(|()| out.flush()).is_ok()
}

fn read<W: Write>(mut file: File, out: &mut W) -> Result<u64, Refusal> {
    let damaged = |_| Refusal::Damaged;
    if file.metadata().map_err(damaged)?.len() > FILE_BYTES_MAX {
        return Err(Refusal::Heavy);
    }
    let mut head = Vec::new();
    file.rewind().map_err(damaged)?;
    (&file).take(HEAD_BYTES).read_to_end(&mut head).map_err(damaged)?;
    file.seek(SeekFrom::Start(0)).map_err(damaged)?;
    let mut rows = Rows::new(out);
    match container(&head) {
        Some(Container::Archive) => {
            let kind = archive::scan(file.try_clone().map_err(damaged)?)?;
            file.rewind().map_err(damaged)?;
            match kind {
                Kind::Xlsx => xlsx(file, &mut rows)?,
                Kind::Xlsb => xlsb(file, &mut rows)?,
                Kind::Ods => ods(file, &mut rows)?,
            }
        }
        Some(Container::Compound) => xls(file, &mut rows)?,
        Some(Container::Html) => html::read(file, &mut rows)?,
        None => return Err(Refusal::NoWorkbook),
    }
    Ok(rows.end()?.0)
}

/// The sheets with rows: charts, dialogues and macros have none.
fn sheets(all: &[Sheet]) -> Vec<(String, bool)> {
    let with_rows = all.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    with_rows.map(|sheet| (sheet.name.clone(), sheet.visible != SheetVisible::Visible)).collect()
}

fn xlsx<W: Write>(file: File, rows: &mut Rows<W>) -> Result<(), Refusal> {
    let refusal = |error: XlsxError| match error {
        XlsxError::Password => Refusal::Password,
        _ => Refusal::Damaged,
    };
    let mut book = Xlsx::new(BufReader::new(file)).map_err(refusal)?;
    for (name, hidden) in sheets(book.sheets_metadata()) {
        rows.sheet(&name, hidden)?;
        let mut cells = book.worksheet_cells_reader(&name).map_err(refusal)?;
        while let Some(cell) = cells.next_cell().map_err(refusal)? {
            let (row, column) = cell.get_position();
            rows.cell(row, column, Value::from(cell.get_value()))?;
        }
    }
    Ok(())
}

fn xlsb<W: Write>(file: File, rows: &mut Rows<W>) -> Result<(), Refusal> {
    let refusal = |error: XlsbError| match error {
        XlsbError::Password => Refusal::Password,
        _ => Refusal::Damaged,
    };
    let mut book = Xlsb::new(BufReader::new(file)).map_err(refusal)?;
    for (name, hidden) in sheets(book.sheets_metadata()) {
        rows.sheet(&name, hidden)?;
        let mut cells = book.worksheet_cells_reader(&name).map_err(refusal)?;
        while let Some(cell) = cells.next_cell().map_err(refusal)? {
            let (row, column) = cell.get_position();
            rows.cell(row, column, Value::from(cell.get_value()))?;
        }
    }
    Ok(())
}

fn xls<W: Write>(mut file: File, rows: &mut Rows<W>) -> Result<(), Refusal> {
    let again = file.try_clone().map_err(|_| Refusal::Damaged)?;
    let mut book = match Xls::new(BufReader::new(again)) {
        Ok(book) => book,
        Err(XlsError::Password) => return Err(Refusal::Password),
        Err(_) => {
            // An encrypted XLSX stands in the same container.
            file.rewind().map_err(|_| Refusal::Damaged)?;
            return Err(match Xlsx::new(BufReader::new(file)) {
                Err(XlsxError::Password) => Refusal::Password,
                _ => Refusal::Damaged,
            });
        }
    };
    for (name, hidden) in sheets(book.sheets_metadata()) {
        rows.sheet(&name, hidden)?;
        let range = book.worksheet_range(&name).map_err(|_| Refusal::Damaged)?;
        of_range(&range, rows)?;
    }
    Ok(())
}

fn ods<W: Write>(file: File, rows: &mut Rows<W>) -> Result<(), Refusal> {
    let mut book = calamine::Ods::new(BufReader::new(file)).map_err(|error| match error {
        OdsError::Password => Refusal::Password,
        OdsError::InvalidMime(_) => Refusal::NoWorkbook,
        OdsError::CellLimitExceeded { .. } => Refusal::Heavy,
        _ => Refusal::Damaged,
    })?;
    for (name, hidden) in sheets(book.sheets_metadata()) {
        rows.sheet(&name, hidden)?;
        let range = book.worksheet_range(&name).map_err(|_| Refusal::Damaged)?;
        of_range(&range, rows)?;
    }
    Ok(())
}

fn of_range<W: Write>(range: &Range<Data>, rows: &mut Rows<W>) -> Result<(), Refusal> {
    let (top, left) = range.start().unwrap_or_default();
    for (row, column, data) in range.used_cells() {
        let at = |offset: u32, index: usize| offset + u32::try_from(index).unwrap_or(u32::MAX - offset);
        rows.cell(at(top, row), at(left, column), Value::from(data))?;
    }
    Ok(())
}
