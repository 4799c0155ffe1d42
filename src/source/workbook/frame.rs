//! What the process that reads a workbook tells: a sheet begins, a row, the end, or why the file is refused.
//!
//! Pure. It must not trust the bytes: each length is bounded and each text is checked.
//!
//! A frame is a tag (1 byte), the length of its content (4 bytes, least first) and its content. A row is its number
//! (4), the number of its cells (2), kind (1) and length (2) of each, and all texts in one piece.

use std::io::{self, Write};

use crate::source::cells::{CellKind, Cells};
use crate::source::{CELL_BYTES_MAX, COLUMNS_MAX};

/// Longest text of a cell, in bytes: longer than any that is accepted, so that the row shows as too long.
pub const TEXT_BYTES_MAX: usize = CELL_BYTES_MAX + 4;
/// Most cells of a row: one more than is accepted, so that the row shows as too wide.
pub const CELLS_MAX: usize = COLUMNS_MAX + 1;
/// Longest frame, in bytes.
pub const FRAME_BYTES_MAX: usize = HEAD_BYTES + ROW_BYTES + CELLS_MAX * (CELL_BYTES + TEXT_BYTES_MAX);
/// Longest name of a sheet, in bytes. Spreadsheet programs allow 31 characters.
pub const NAME_BYTES_MAX: usize = 512;

const HEAD_BYTES: usize = 5;
const ROW_BYTES: usize = 6;
const CELL_BYTES: usize = 3;

const SHEET: u8 = 1;
const ROW: u8 = 2;
const END: u8 = 3;
const REFUSED: u8 = 4;

const KINDS: [CellKind; 5] = [CellKind::Text, CellKind::Number, CellKind::Date, CellKind::Boolean, CellKind::Error];

/// Why the process refuses a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It takes too much memory or time, or is packed suspiciously tight.
    Heavy,
    /// It is cut off or inconsistent.
    Damaged,
    /// It needs a password.
    Password,
    /// A container of something else.
    NoWorkbook,
    /// HTML without a table.
    NoTable,
    /// The system does not let the process limit itself.
    NoLimits,
}

const REFUSALS: [Refusal; 6] =
    [Refusal::Heavy, Refusal::Damaged, Refusal::Password, Refusal::NoWorkbook, Refusal::NoTable, Refusal::NoLimits];

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A sheet begins.
    Sheet {
        /// Its name.
        name: &'a str,
        /// Whether people do not see it.
        hidden: bool,
    },
    /// A row with at least one value.
    Row {
        /// Its number, from 1.
        number: u64,
        /// Its cells, from the first column.
        cells: Cells,
    },
    /// The workbook was read to its end.
    End {
        /// Rows that were given.
        rows: u64,
    },
    /// The workbook cannot be read.
    Refused(Refusal),
}

/// What a frame breaks.
#[derive(Debug, PartialEq, Eq)]
pub struct Broken(pub &'static str);

/// The first frame of `bytes` and its length; `None` while it is not complete. A row is filled up with empty cells
/// to `width`.
///
/// # Errors
/// [`Broken`] when the bytes cannot be the beginning of a frame.
pub fn take(bytes: &[u8], width: usize) -> Result<Option<(Frame<'_>, usize)>, Broken> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Ok(None) };
    let length = number(head.get(1..).unwrap_or_default()) as usize;
    if !(SHEET..=REFUSED).contains(&head[0]) {
        return Err(Broken("unknown frame"));
    }
    if HEAD_BYTES + length > FRAME_BYTES_MAX {
        return Err(Broken("frame too long"));
    }
    let Some(content) = rest.get(..length) else { return Ok(None) };
    let frame = match head[0] {
        SHEET => sheet(content),
        ROW => row(content, width),
        END if length == 8 => Some(Frame::End { rows: number(content) }),
        END => None,
        _ => content.first().and_then(|code| REFUSALS.get(usize::from(*code))).map(|why| Frame::Refused(*why)),
    };
    frame.map(|frame| Some((frame, HEAD_BYTES + length))).ok_or(Broken("frame content"))
}

fn sheet(content: &[u8]) -> Option<Frame<'_>> {
    let (hidden, name) = content.split_first()?;
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    Some(Frame::Sheet { name: std::str::from_utf8(name).ok()?, hidden: *hidden != 0 })
}

fn row(content: &[u8], width: usize) -> Option<Frame<'_>> {
    let (head, rest) = content.split_at_checked(ROW_BYTES)?;
    let count = number(&head[4..]) as usize;
    if count > CELLS_MAX {
        return None;
    }
    let (heads, text) = rest.split_at_checked(count * CELL_BYTES)?;
    let text = std::str::from_utf8(text).ok()?;
    let mut cells = Cells::with_capacity(count.max(width.min(CELLS_MAX)), text.len());
    let mut start = 0;
    for cell in heads.chunks_exact(CELL_BYTES) {
        let end = start + number(&cell[1..]) as usize;
        if end - start > TEXT_BYTES_MAX {
            return None;
        }
        cells.push_as(text.get(start..end)?, *KINDS.get(usize::from(cell[0]))?);
        start = end;
    }
    if start != text.len() {
        return None;
    }
    (count..width.min(CELLS_MAX)).for_each(|_| cells.push(""));
    Some(Frame::Row { number: number(&head[..4]), cells })
}

/// A number with its least byte first, of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A cell of a row that is being written: its column from 0, its kind, and where its text ends.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Column, from 0.
    pub column: usize,
    /// Kind.
    pub kind: CellKind,
    /// Beginning of its text, in bytes.
    pub start: usize,
    /// End of its text, in bytes.
    pub end: usize,
}

/// Appends the frame of a sheet's beginning.
pub fn push_sheet(out: &mut Vec<u8>, name: &str, hidden: bool) {
    let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
    head(out, SHEET, name.len() + 1);
    out.push(u8::from(hidden));
    out.extend_from_slice(name.as_bytes());
}

/// Appends the frame of a row; `cells` are in the order of their columns, each of which stands once.
pub fn push_row(out: &mut Vec<u8>, number: u32, cells: &[Written], text: &str) {
    let count = cells.last().map_or(0, |cell| cell.column + 1).min(CELLS_MAX);
    let length: usize = cells.iter().map(|cell| cell.end - cell.start).sum();
    head(out, ROW, ROW_BYTES + count * CELL_BYTES + length);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
    let mut column = 0;
    for cell in cells {
        for _ in column..cell.column {
            out.extend_from_slice(&[0; CELL_BYTES]);
        }
        column = cell.column + 1;
        out.push(KINDS.iter().position(|kind| *kind == cell.kind).unwrap_or(0) as u8);
        let length = u16::try_from(cell.end - cell.start).unwrap_or(u16::MAX);
        out.extend_from_slice(&length.to_le_bytes());
    }
    cells.iter().for_each(|cell| out.extend_from_slice(&text.as_bytes()[cell.start..cell.end]));
}

fn head(out: &mut Vec<u8>, tag: u8, length: usize) {
    out.push(tag);
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
}

/// Writes the frame of the end.
///
/// # Errors
/// When nobody reads any more.
pub fn write_end(out: &mut impl Write, rows: u64) -> io::Result<()> {
    let mut frame = Vec::new();
    head(&mut frame, END, 8);
    frame.extend_from_slice(&rows.to_le_bytes());
    out.write_all(&frame)
}

/// Writes the frame of a refusal.
///
/// # Errors
/// When nobody reads any more.
pub fn write_refusal(out: &mut impl Write, refusal: Refusal) -> io::Result<()> {
    let code = REFUSALS.iter().position(|one| *one == refusal).unwrap_or(0) as u8;
    let mut frame = Vec::new();
    head(&mut frame, REFUSED, 1);
    frame.push(code);
    out.write_all(&frame)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_arrives_as_it_was_written() {
        let mut bytes = Vec::new();
        push_sheet(&mut bytes, "Balita", true);
        let cells = [
            Written { column: 0, kind: CellKind::Text, start: 0, end: 2 },
            Written { column: 2, kind: CellKind::Number, start: 2, end: 6 },
        ];
        push_row(&mut bytes, 7, &cells, "é10.5");
        let (first, length) = take(&bytes, 0).unwrap().unwrap();
        assert_eq!(first, Frame::Sheet { name: "Balita", hidden: true });
        let (row, rest) = take(&bytes[length..], 4).unwrap().unwrap();
        let Frame::Row { number: 7, cells } = row else { unreachable!("{row:?}") };
        assert_eq!(cells.iter().collect::<Vec<_>>(), ["é", "", "10.5"].iter().copied().chain([""]).collect::<Vec<_>>());
        assert_eq!(cells.kind(2), CellKind::Number);
        assert_eq!(length + rest, bytes.len());
        for end in 0..bytes.len() - length {
            assert_eq!(take(&bytes[length..length + end], 4), Ok(None));
        }
    }

    #[test]
    fn a_frame_beyond_its_bounds_is_broken() {
        assert_eq!(take(&[2, 255, 255, 255, 255], 0), Err(Broken("frame too long")));
        assert_eq!(take(&[9, 0, 0, 0, 0], 0), Err(Broken("unknown frame")));
        assert_eq!(take(&[4, 1, 0, 0, 0, 77], 0), Err(Broken("frame content")));
    }

    proptest! {
        #[test]
        fn no_bytes_break_the_reader(tag in 0_u8..6, content in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut bytes = vec![tag, content.len() as u8, 0, 0, 0];
            bytes.extend_from_slice(&content);
            let _ = take(&bytes, 3);
        }
    }
}
