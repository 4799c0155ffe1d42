//! Looking for the header of a table among rows: one row or two, of whichever of the profile's tables fits.
//!
//! It must not give out rows: it holds those it looked at, at most a few dozen, and says which of them are the header.

use super::HEADER_ROWS_MAX;
use crate::issue::Issue;
use crate::source::cells::Cells;
use crate::source::layout::header::Header;
use crate::source::layout::{Deviation, Layout, hits, hits_needed};
use crate::source::profile::Table;

/// A row that waits for a decision.
pub enum Held {
    /// With cells.
    Cells(u64, Cells),
    /// That could not be cut into cells.
    Broken(u64, Issue),
}

impl Held {
    /// Its number.
    pub fn number(&self) -> u64 {
        match self {
            Self::Cells(number, _) | Self::Broken(number, _) => *number,
        }
    }

    /// Whether nothing stands in it.
    pub fn is_blank(&self) -> bool {
        matches!(self, Self::Cells(_, cells) if cells.are_blank())
    }

    fn cells(&self) -> Option<&Cells> {
        match self {
            Self::Cells(_, cells) => Some(cells),
            Self::Broken(..) => None,
        }
    }
}

/// The rows looked at so far.
#[derive(Default)]
pub struct Seek {
    /// In order, the candidate and the rows behind it included.
    pub rows: Vec<Held>,
    /// The row that looks like a header, until the row behind it tells whether it has a second one.
    candidate: Option<usize>,
    /// Whether rows of another table stand above.
    stacked: bool,
}

/// What the rows show.
pub enum Sought {
    /// More rows are needed.
    More,
    /// There is no header.
    Nothing,
    /// The header of a table, by its position among the tables, and the first and last of its rows.
    Found(usize, Layout, usize, usize),
    /// A header that deviates, by the number of its last row.
    Deviating(u64, Deviation),
}

/// A header that scored: how often, which, and its first and last row.
struct Shape {
    header: Header,
    first: usize,
    last: usize,
}

impl Seek {
    /// Begins below the rows of another table.
    pub fn stacked() -> Self {
        Self { stacked: true, ..Self::default() }
    }

    /// Takes the next row.
    pub fn push(&mut self, held: Held, tables: &[(usize, &Table)]) -> Sought {
        let (blank, broken) = (held.is_blank(), matches!(held, Held::Broken(..)));
        self.rows.push(held);
        let last = self.rows.len() - 1;
        if let Some(candidate) = self.candidate {
            let far = last - candidate > HEADER_ROWS_MAX;
            return match (blank, broken || far) {
                (_, true) => self.decide(candidate, None, tables),
                (true, false) => Sought::More,
                (false, false) => self.decide(candidate, Some(last), tables),
            };
        }
        if !blank && !broken && self.shapes(last, None).iter().any(|shape| scores(shape, tables)) {
            self.candidate = Some(last);
            return Sought::More;
        }
        let hopeless = self.stacked && last > 0 && !blank;
        if hopeless || self.rows.len() >= HEADER_ROWS_MAX { Sought::Nothing } else { Sought::More }
    }

    /// No row follows.
    pub fn end(&mut self, tables: &[(usize, &Table)]) -> Sought {
        match self.candidate {
            Some(candidate) => self.decide(candidate, None, tables),
            None => Sought::Nothing,
        }
    }

    /// The best score of a row as a header of one row, for the message when none is found.
    pub fn best(&self, tables: &[(usize, &Table)]) -> Option<(usize, usize, Header)> {
        let rows = self.rows.iter().filter(|row| !row.is_blank()).filter_map(Held::cells);
        let scored = rows.flat_map(|cells| {
            tables.iter().map(move |(table, spec)| {
                let header = Header::single(cells.iter());
                (hits(spec, &header), *table, header)
            })
        });
        scored.max_by_key(|(hits, ..)| *hits)
    }

    /// The headers that a row may be or belong to, the likeliest first.
    fn shapes(&self, at: usize, next: Option<usize>) -> Vec<Shape> {
        let cells = |at: usize| self.rows.get(at).and_then(Held::cells);
        let Some(own) = cells(at) else { return Vec::new() };
        let mut shapes = vec![Shape { header: Header::single(own.iter()), first: at, last: at }];
        if let Some((next, lower)) = next.and_then(|next| Some((next, cells(next)?))) {
            shapes.push(Shape { header: Header::double(own, lower), first: at, last: next });
        }
        let above = self.rows[..at].iter().rposition(|row| !row.is_blank());
        if let Some((above, upper)) = above.and_then(|above| Some((above, cells(above)?))) {
            shapes.push(Shape { header: Header::double(upper, own), first: above, last: at });
        }
        shapes
    }

    fn decide(&self, candidate: usize, next: Option<usize>, tables: &[(usize, &Table)]) -> Sought {
        let shapes = self.shapes(candidate, next);
        let mut worst: Option<(usize, u64, Deviation)> = None;
        for (index, table) in tables {
            let mut best: Option<(&Shape, Layout)> = None;
            for shape in shapes.iter().filter(|shape| scores(shape, &[(*index, table)])) {
                match Layout::fitting(table, &shape.header) {
                    Ok(layout) if best.as_ref().is_none_or(|(_, best)| layout.hits() > best.hits()) => {
                        best = Some((shape, layout));
                    }
                    Ok(_) => {}
                    Err(deviation) => {
                        let score = hits(table, &shape.header);
                        if worst.as_ref().is_none_or(|(before, ..)| score > *before) {
                            worst = Some((score, self.rows[shape.last].number(), deviation));
                        }
                    }
                }
            }
            if let Some((shape, layout)) = best {
                return Sought::Found(*index, layout, shape.first, shape.last);
            }
        }
        worst.map_or(Sought::Nothing, |(_, number, deviation)| Sought::Deviating(number, deviation))
    }
}

fn scores(shape: &Shape, tables: &[(usize, &Table)]) -> bool {
    tables.iter().any(|(_, table)| hits(table, &shape.header) >= hits_needed(table))
}
