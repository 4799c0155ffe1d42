//! Text of one row cut into cells, with the quoting rules of spreadsheets.
//!
//! The rules are those of the `csv` crate, and a property holds them together; that crate reads whole files and
//! would take a quotation mark that is never closed for the rest of the file. It must not read on by itself.

use std::borrow::Cow;

use crate::source::cells::Cells;

/// Follows quotation marks through the lines of a row.
#[derive(Clone, Copy, Debug)]
pub struct Quotes {
    delimiter: u8,
    open: bool,
}

impl Quotes {
    /// At the beginning of a row.
    #[must_use]
    pub fn new(delimiter: u8) -> Self {
        Self { delimiter, open: false }
    }

    /// Whether the row goes on behind this line of it, because a quotation mark is still open.
    pub fn are_open_behind(&mut self, line: &str) -> bool {
        let bytes = line.as_bytes();
        let mut at_start = !self.open;
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.open {
                if *byte == b'"' {
                    if bytes.get(at + 1) == Some(&b'"') {
                        at += 1;
                    } else {
                        self.open = false;
                    }
                }
            } else {
                self.open = at_start && *byte == b'"';
                at_start = *byte == self.delimiter;
            }
            at += 1;
        }
        self.open
    }
}

/// The lowest bit of each of eight bytes.
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each of eight bytes: set in what is not ASCII.
const HIGH_BITS: u64 = LOW_BITS << 7;
/// Fills the last eight bytes of a line: ASCII, and neither a delimiter nor a quotation mark.
const FILLER: u8 = 0x7f;

/// The highest bit of each byte that is zero.
fn zero_bytes(eight: u64) -> u64 {
    !(((eight & !HIGH_BITS) + !HIGH_BITS) | eight | !HIGH_BITS)
}

/// Cuts a row without quoted cells; `None` when a cell is quoted. `columns` is how many cells to expect.
///
/// Eight bytes at a time: cells are short, and a search that begins anew at each delimiter takes twice as long.
#[must_use]
pub fn plain(line: &str, delimiter: u8, columns: usize) -> Option<Cells> {
    let bytes = line.as_bytes();
    let mut ends = Vec::with_capacity(columns);
    let (mut start, mut odd) = (0, 0);
    let (delimiters, quotes) = (LOW_BITS * u64::from(delimiter), LOW_BITS * u64::from(b'"'));
    for (number, chunk) in bytes.chunks(size_of::<u64>()).enumerate() {
        let eight = match chunk.try_into() {
            Ok(eight) => u64::from_le_bytes(eight),
            Err(_) => {
                let mut eight = [FILLER; size_of::<u64>()];
                eight[..chunk.len()].copy_from_slice(chunk);
                u64::from_le_bytes(eight)
            }
        };
        odd |= (eight & HIGH_BITS) | zero_bytes(eight);
        let mut hits = zero_bytes(eight ^ delimiters) | zero_bytes(eight ^ quotes);
        while hits != 0 {
            let at = number * size_of::<u64>() + hits.trailing_zeros() as usize / 8;
            hits &= hits - 1;
            if bytes[at] == delimiter {
                ends.push(u32::try_from(at).ok()?);
                start = at + 1;
            } else if at == start {
                return None;
            }
        }
    }
    ends.push(u32::try_from(bytes.len()).ok()?);
    Some(Cells::of_line(line, ends, odd == 0))
}

/// Cuts a row, quoted cells and line breaks within them included.
#[must_use]
pub fn quoted(text: &str, delimiter: u8) -> Cells {
    let text = if text.contains('\r') { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) };
    let mut cells = Cells::default();
    let mut rest: &str = &text;
    loop {
        let (cell, behind) = match rest.strip_prefix('"') {
            Some(inner) => closed(inner, delimiter),
            None => match rest.split_once(char::from(delimiter)) {
                Some((cell, behind)) => (Cow::Borrowed(cell), Some(behind)),
                None => (Cow::Borrowed(rest), None),
            },
        };
        cells.push(&cell);
        match behind {
            Some(behind) => rest = behind,
            None => return cells,
        }
    }
}

/// The cell behind an opening quotation mark, and what follows behind its delimiter.
fn closed(inner: &str, delimiter: u8) -> (Cow<'_, str>, Option<&str>) {
    let mut cell = String::new();
    let mut rest = inner;
    loop {
        let Some((text, behind)) = rest.split_once('"') else {
            cell.push_str(rest);
            return (Cow::Owned(cell), None);
        };
        cell.push_str(text);
        if let Some(behind) = behind.strip_prefix('"') {
            cell.push('"');
            rest = behind;
            continue;
        }
        return match behind.split_once(char::from(delimiter)) {
            Some((tail, behind)) => {
                cell.push_str(tail);
                (Cow::Owned(cell), Some(behind))
            }
            None => {
                cell.push_str(behind);
                (Cow::Owned(cell), None)
            }
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_are_cut_as_the_csv_crate_cuts_them(line in "[ab\"; é\\x00]{0,40}") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(b';').from_reader(line.as_bytes());
            let mut record = csv::StringRecord::new();
            let expected: Cells =
                if reader.read_record(&mut record).unwrap() { record.iter().collect() } else { [""].into_iter().collect() };
            prop_assert_eq!(quoted(&line, b';'), expected.clone());
            let whole = plain(&line, b';', 2);
            let is_clean = line.is_ascii() && !line.contains('\0');
            prop_assert!(whole.as_ref().is_none_or(|cells| cells.are_clean() == is_clean));
            prop_assert!(whole.is_none() || whole == Some(expected));
            prop_assert!(!Quotes::new(b';').are_open_behind(&line) || plain(&line, b';', 2).is_none());
        }
    }
}
