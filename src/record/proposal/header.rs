//! The header of an unknown sheet: the row, or two rows, with most of the names that the field uses.
//!
//! It must not take a row of data for a header: its cells would be printed. A row with a number of a person in it is
//! none, and where too few names are known nothing is proposed.

use crate::record::preview::has_long_number;
use crate::source::cells::Cells;
use crate::source::grid::HEADER_ROWS_MAX;
use crate::source::layout::header::{Column, Header};
use crate::source::layout::plain_header;
use crate::source::sample::Sheet;

use super::known::Known;

/// Least points of a header: two names that stand in the lists. A similar name counts half.
const POINTS_MIN: usize = 4;
/// Points of a name that stands in the lists.
const POINTS_LISTED: usize = 2;
/// So many known names make a header, also when most of its names are not known.
const KNOWN_MIN: usize = 5;

/// A header among the rows of a sheet.
pub struct Found {
    /// Its columns.
    pub header: Header,
    /// Position of the row behind it.
    pub behind: usize,
    /// How sure it is one.
    pub points: usize,
}

/// The likeliest header of a sheet; of one row where a second one tells nothing more.
#[must_use]
pub fn find(sheet: &Sheet, known: &Known) -> Option<Found> {
    let filled = sheet.rows.iter().enumerate().filter(|(_, (_, cells))| !cells.are_blank());
    let rows: Vec<(usize, &Cells)> = filled.map(|(at, (_, cells))| (at, cells)).take(HEADER_ROWS_MAX).collect();
    let usable = |at: &usize| rows.get(*at).filter(|(_, cells)| may_be_header(cells)).copied();
    let single = (0..rows.len()).filter_map(|at| usable(&at)).map(|(at, cells)| (Header::single(cells.iter()), at + 1));
    let double = (0..rows.len()).filter_map(|at| usable(&at).zip(usable(&(at + 1)))).filter_map(|(upper, lower)| {
        let header = Header::double(upper.1, lower.1);
        groups(upper.1, lower.1, known).then_some((header, lower.0 + 1))
    });
    let mut best: Option<Found> = None;
    for (header, behind) in single.chain(double) {
        let points = points(&header, known);
        if points > 0 && best.as_ref().is_none_or(|best| points > best.points) {
            best = Some(Found { header, behind, points });
        }
    }
    best
}

/// Whether no cell of a row is what only data are: a long number, or a date.
fn may_be_header(cells: &Cells) -> bool {
    let is_data = |cell: &str| {
        let digits = cell.chars().filter(char::is_ascii_digit).count();
        has_long_number(cell) || (digits >= 6 && !cell.chars().any(char::is_alphabetic))
    };
    !cells.iter().any(is_data)
}

/// Whether a row may be the upper one of two: what stands in it alone are names of columns, not labels with values of
/// a person beside them.
fn groups(upper: &Cells, lower: &Cells, known: &Known) -> bool {
    let alone = || {
        let blank = |at: usize| plain_header(lower.get(at).unwrap_or_default()).is_empty();
        upper.iter().enumerate().filter(move |(at, cell)| blank(*at) && !plain_header(cell).is_empty())
    };
    let listed = alone().filter(|(_, cell)| is_listed(cell, known)).count();
    !upper.iter().any(|cell| cell.contains([':', '='])) && listed * 3 >= alone().count() * 2
}

fn is_listed(name: &str, known: &Known) -> bool {
    known.find(name).is_some() || known.numbering.contains(&plain_header(name))
}

/// How sure a header is one; 0 when it is none.
fn points(header: &Header, known: &Known) -> usize {
    let of = |column: &Column| {
        let names = [column.whole.as_str(), column.short.as_str()];
        if names.iter().any(|name| known.find(name).is_some()) {
            return POINTS_LISTED;
        }
        usize::from(known.similar(&column.short).is_some())
    };
    let each: Vec<usize> = header.columns.iter().filter(|column| !column.whole.is_empty()).map(of).collect();
    let (found, sum) = (each.iter().filter(|points| **points > 0).count(), each.iter().sum());
    // Labels of a card, each with its value beside it, are no header.
    if sum >= POINTS_MIN && (found * 2 > each.len() || found >= KNOWN_MIN) { sum } else { 0 }
}
