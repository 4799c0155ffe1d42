//! Cells in the order of a workbook, put together as rows and written as frames.
//!
//! It must not hold more than a row, nor invent one: a row without a value is not written, a gap is jumped.

use std::io::Write;

use super::frame::{CELLS_MAX, Refusal, TEXT_BYTES_MAX, Written, push_row, push_sheet};
use super::value::{Value, push};
use super::{SHEET_ROWS_MAX, SHEETS_MAX};

/// How much is written at a time, in bytes.
const WRITE_BYTES: usize = 64 * 1024;

/// Puts rows together and writes them.
pub struct Rows<W: Write> {
    out: W,
    frames: Vec<u8>,
    cells: Vec<Written>,
    text: String,
    row: Option<u32>,
    sheets: u64,
    count: u64,
}

impl<W: Write> Rows<W> {
    /// Rows that go to `out`.
    pub fn new(out: W) -> Self {
        let frames = Vec::with_capacity(WRITE_BYTES * 2);
        Self { out, frames, cells: Vec::new(), text: String::new(), row: None, sheets: 0, count: 0 }
    }

    /// Begins a sheet.
    ///
    /// # Errors
    /// [`Refusal::Heavy`] when there are too many.
    pub fn sheet(&mut self, name: &str, hidden: bool) -> Result<(), Refusal> {
        self.flush()?;
        self.row = None;
        self.sheets += 1;
        if self.sheets > SHEETS_MAX {
            return Err(Refusal::Heavy);
        }
        push_sheet(&mut self.frames, name, hidden);
        Ok(())
    }

    /// Takes the next cell; row and column count from 0.
    ///
    /// # Errors
    /// [`Refusal::Damaged`] when it stands above an earlier one.
    pub fn cell(&mut self, row: u32, column: u32, value: Value<'_>) -> Result<(), Refusal> {
        if matches!(value, Value::Empty | Value::Text("")) {
            return Ok(());
        }
        match self.row {
            Some(current) if row == current => {}
            Some(current) if row < current => return Err(Refusal::Damaged),
            _ => {
                self.flush()?;
                self.row = Some(row);
            }
        }
        // One cell beyond the last column shows that the row is too wide; the others add nothing to that.
        let column = (column as usize).min(CELLS_MAX - 1);
        if column == CELLS_MAX - 1 && self.cells.iter().any(|cell| cell.column == column) {
            return Ok(());
        }
        let start = self.text.len();
        let kind = push(&mut self.text, value);
        if self.text.len() - start > TEXT_BYTES_MAX {
            self.text.truncate(self.text.floor_char_boundary(start + TEXT_BYTES_MAX));
        }
        self.cells.push(Written { column, kind, start, end: self.text.len() });
        Ok(())
    }

    /// Takes a sheet whose rows are frames already.
    ///
    /// # Errors
    /// [`Refusal::Heavy`] when there are too many sheets.
    pub fn whole_sheet(&mut self, name: &str, frames: &[u8], count: u64) -> Result<(), Refusal> {
        self.sheet(name, false)?;
        self.frames.extend_from_slice(frames);
        self.count += count;
        self.write()
    }

    fn flush(&mut self) -> Result<(), Refusal> {
        let Some(row) = self.row.filter(|_| !self.cells.is_empty()) else { return Ok(()) };
        if !self.cells.is_sorted_by(|left, right| left.column < right.column) {
            self.cells.sort_by_key(|cell| cell.column);
            if self.cells.windows(2).any(|pair| pair[0].column == pair[1].column) {
                return Err(Refusal::Damaged);
            }
        }
        if u64::from(row) >= SHEET_ROWS_MAX {
            return Err(Refusal::Damaged);
        }
        push_row(&mut self.frames, row + 1, &self.cells, &self.text);
        self.count += 1;
        self.cells.clear();
        self.text.clear();
        if self.frames.len() >= WRITE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), Refusal> {
        // Whoever read this is gone: the word can only be lost.
        self.out.write_all(&self.frames).map_err(|_| Refusal::Damaged)?;
        self.frames.clear();
        Ok(())
    }

    /// Writes what is left; gives the number of rows and the way out.
    ///
    /// # Errors
    /// [`Refusal`] when the last row cannot be written.
    pub fn end(mut self) -> Result<(u64, W), Refusal> {
        self.flush()?;
        self.write()?;
        Ok((self.count, self.out))
    }
}
