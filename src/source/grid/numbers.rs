//! Printed column numbers under a header: they say nothing about a person.
//!
//! It must not use the numbers: forms repeat some and leave out others.

use crate::source::cells::Cells;
use crate::source::layout::Layout;
use crate::source::{COLUMNS_MAX, is_blank};

/// Fewest numbers that are taken for printed column numbers.
const COLUMN_NUMBERS_MIN: usize = 3;

/// Whether a row under a header only numbers its columns: `1 2 3 4`, `(1) (2) (3)`.
pub fn are_column_numbers(cells: &Cells, layout: &Layout) -> bool {
    let mut numbers: Vec<usize> = Vec::new();
    for cell in cells.iter().filter(|cell| !is_blank(cell)) {
        let bare = cell.trim().trim_start_matches('(').trim_end_matches([')', '.']).trim();
        match bare.parse() {
            Ok(number) if number <= COLUMNS_MAX && !bare.starts_with('+') => numbers.push(number),
            _ => return false,
        }
    }
    let named = layout.headers.len() - layout.unnamed.len();
    numbers.len() >= COLUMN_NUMBERS_MIN.max(named.div_ceil(2))
        && numbers.first().is_some_and(|first| *first <= 2)
        && numbers.is_sorted()
}
