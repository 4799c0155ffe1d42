//! What the rules common to all carriers say about the cells of a row: nothing to read, withdrawn, damaged, or a row.
//!
//! It must not interpret values. It runs for every row of every source and writes nothing for a row that is fine.

use super::cells::Cells;
use super::layout::plain::{behind_plain, is_plain};
use super::layout::{Layout, plain_header};
use super::profile::Table;
use super::{CELL_BYTES_MAX, SkipReason, encoding, is_blank, problem};
use crate::issue::{Issue, Place};

/// What a row is before its values are looked at.
pub(super) enum Judgement {
    /// A row with values.
    Row,
    /// Nothing to read.
    Skip(SkipReason),
    /// A row that cannot be read.
    Broken(Issue),
}

/// Judges the cells of a row at a place; `table` is the one that `layout` was made for.
pub(super) fn judge(layout: &Layout, table: &Table, place: &Place, cells: &Cells) -> Judgement {
    let filled = |at: &usize| cells.get(*at).is_some_and(|cell| !is_blank(cell));
    let is_footer = |at: usize| cells.get(at).is_some_and(|cell| is_footer(layout, cell));
    let Some(first_of_all) = (0..cells.len()).find(filled) else { return Judgement::Skip(SkipReason::Empty) };
    let numbering = |at: usize| layout.numbering.get(at).copied().unwrap_or(false);
    let Some(first) = (first_of_all..cells.len()).find(|at| !numbering(*at) && filled(at)) else {
        let footer = is_footer(first_of_all);
        return Judgement::Skip(if footer { SkipReason::Footer } else { SkipReason::Empty });
    };
    if is_footer(first) || is_footer(first_of_all) || layout.is_repeated_by(cells) || is_ratios(cells, first) {
        return Judgement::Skip(SkipReason::Footer);
    }
    let withdrawn = layout.withdrawn.iter().any(|(at, mark)| {
        let words = table.withdrawn.get(*mark).map_or(&[][..], |mark| &mark.words);
        filled(at) && cells.get(*at).is_some_and(|cell| words.iter().any(|word| is_word(cell, word)))
    });
    if withdrawn {
        return Judgement::Skip(SkipReason::Withdrawn);
    }
    damage(layout, place, cells).map_or(Judgement::Row, Judgement::Broken)
}

fn is_word(cell: &str, word: &str) -> bool {
    is_plain(cell, &plain_header(word))
}

/// Whether a cell begins with the word of a row that sums up, and the word ends there.
fn is_footer(layout: &Layout, cell: &str) -> bool {
    layout.footers.iter().any(|footer| {
        behind_plain(cell, footer).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    })
}

/// Whether from a cell on nothing stands in the row but parts of wholes, such as `5/8`: who came of those expected.
fn is_ratios(cells: &Cells, first: usize) -> bool {
    let mut filled = (first..cells.len()).filter_map(|at| cells.get(at)).filter(|cell| !is_blank(cell));
    filled.all(|cell| {
        let parts = cell.trim().split_once('/');
        let number = |text: &str| text.trim().parse::<u16>().ok();
        let numbers = parts.and_then(|(part, whole)| Some((number(part)?, number(whole)?)));
        numbers.is_some_and(|(part, whole)| part <= whole)
    })
}

fn damage(layout: &Layout, place: &Place, cells: &Cells) -> Option<Issue> {
    let text = cells.text();
    if text.len() <= CELL_BYTES_MAX && (cells.are_clean() || encoding::undecodable(text).is_none()) {
        return None;
    }
    cells.iter().enumerate().find_map(|(at, cell)| {
        let place = || place.column(layout.headers.get(at).map_or("?", |header| &**header));
        if cell.len() > CELL_BYTES_MAX {
            return Some(problem::long_row(place(), CELL_BYTES_MAX));
        }
        encoding::undecodable(cell).map(|position| problem::undecodable_cell(place(), position))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_ratios_sums_up() {
        for (cells, expected) in [
            (&["", "5/8", "", " 6 / 8 "][..], true),
            (&["1", "5/8"], false),
            (&["Kania", "5/8"], false),
            // A blood pressure is no part of a whole.
            (&["", "120/80"], false),
            (&["", "05/08/2026"], false),
        ] {
            let cells: Cells = cells.iter().copied().collect();
            let first = cells.iter().position(|cell| !is_blank(cell)).unwrap_or_default();
            assert_eq!(is_ratios(&cells, first), expected);
        }
    }
}
