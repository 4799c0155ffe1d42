//! The header of an unknown sheet: the row, or two rows, with most of the names that the field uses.
//!
//! It must not take a row of data for a header: its cells would be printed. A row with a number of a person in it is
//! none, and where too few names are known nothing is proposed.

use crate::record::preview::has_long_number;
use crate::source::cells::Cells;
use crate::source::grid::HEADER_ROWS_MAX;
use crate::source::layout::header::Header;
use crate::source::sample::Sheet;

use super::guess::SIMILAR_MIN;
use super::known::Known;

/// Least points of a header: two names that stand in the lists. A similar name counts half.
const POINTS_MIN: usize = 4;
/// Points of a name that stands in the lists.
const POINTS_LISTED: usize = 2;

/// A header among the rows of a sheet.
pub struct Found {
    /// Its columns.
    pub header: Header,
    /// Position of the row behind it.
    pub behind: usize,
    /// How sure it is one.
    pub points: usize,
}

/// The likeliest header of a sheet.
#[must_use]
pub fn find(sheet: &Sheet, known: &Known) -> Option<Found> {
    let mut best: Option<Found> = None;
    let filled = sheet.rows.iter().enumerate().filter(|(_, (_, cells))| !cells.are_blank());
    let rows: Vec<(usize, &Cells)> = filled.map(|(at, (_, cells))| (at, cells)).take(HEADER_ROWS_MAX).collect();
    for (order, (at, cells)) in rows.iter().enumerate() {
        if !may_be_header(cells) {
            continue;
        }
        let mut consider = |header: Header, behind: usize| {
            let points = points(&header, known);
            if points >= POINTS_MIN && best.as_ref().is_none_or(|best| points > best.points) {
                best = Some(Found { header, behind, points });
            }
        };
        consider(Header::single(cells.iter()), at + 1);
        if let Some((below, lower)) = rows.get(order + 1)
            && may_be_header(lower)
        {
            consider(Header::double(cells, lower), below + 1);
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

fn points(header: &Header, known: &Known) -> usize {
    let of = |column: &crate::source::layout::header::Column| {
        let names = [column.whole.as_str(), column.short.as_str()];
        if names.iter().any(|name| known.find(name).is_some()) {
            return POINTS_LISTED;
        }
        usize::from(names.iter().any(|name| known.similar(name, SIMILAR_MIN).is_some()))
    };
    header.columns.iter().map(of).sum()
}
