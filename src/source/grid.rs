//! Rows of cells become readings: the header is found by its text, and each row behind it is judged.
//!
//! Common to delimited text and workbooks; pure. It must not read a file, and holds no row but those above a header.

use std::collections::VecDeque;
use std::sync::Arc;

use super::cells::Cells;
use super::layout::{Deviation, Layout, hits_needed};
use super::problem::{SourceError, wrong_cells};
use super::profile::Profile;
use super::{COLUMNS_MAX, Judgement, ROWS_MAX, Reading, Row, judge};
use crate::issue::{Issue, Place};

/// How many rows from the top may stand above the header.
pub const HEADER_ROWS_MAX: usize = 15;

/// What a carrier of cells gives.
#[derive(Debug)]
pub enum Line {
    /// A new sheet begins. Delimited text has none.
    Sheet(String),
    /// The next row with its number, from 1, as people see it.
    Cells(u64, Cells),
    /// A row that cannot be cut into cells.
    Broken(u64, Issue),
}

/// The state of one file between two rows.
pub struct Grid {
    profile: Arc<Profile>,
    place: Place,
    layout: Option<Arc<Layout>>,
    above: usize,
    best: (usize, Vec<String>),
    rows: u64,
    ready: VecDeque<Reading>,
}

impl Grid {
    /// A file of which nothing was seen yet; `place` is the file's.
    #[must_use]
    pub fn new(profile: &Arc<Profile>, place: Place) -> Self {
        Self {
            profile: Arc::clone(profile),
            place,
            layout: None,
            above: 0,
            best: (0, Vec::new()),
            rows: 0,
            ready: VecDeque::new(),
        }
    }

    /// Takes what the carrier gives next. The readings that follow from it wait in [`Grid::take`].
    ///
    /// # Errors
    /// [`SourceError`] when the header does not fit the profile or a ceiling is reached.
    pub fn feed(&mut self, line: Line) -> Result<(), SourceError> {
        match line {
            Line::Sheet(_) => Ok(()),
            Line::Broken(_, issue) => {
                if self.layout.is_some() {
                    self.count()?;
                    self.ready.push_back(Reading::Broken(issue));
                } else {
                    self.above += 1;
                }
                Ok(())
            }
            Line::Cells(number, cells) => match self.layout.clone() {
                Some(layout) => self.row(&layout, number, cells),
                None => self.header(number, &cells),
            },
        }
    }

    /// The next reading.
    pub fn take(&mut self) -> Option<Reading> {
        self.ready.pop_front()
    }

    /// Whether the header was found.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.layout.is_some()
    }

    /// Says that the carrier has nothing more.
    ///
    /// # Errors
    /// [`SourceError::Header`] when no header was found.
    pub fn end(&mut self) -> Result<(), SourceError> {
        if self.layout.is_some() { Ok(()) } else { Err(self.no_header()) }
    }

    fn header(&mut self, number: u64, cells: &Cells) -> Result<(), SourceError> {
        let profile = Arc::clone(&self.profile);
        let Some(table) = profile.tables.first() else { return Ok(()) };
        if cells.len() > COLUMNS_MAX {
            return Err(self.limit("columns", COLUMNS_MAX as u64));
        }
        let headers: Vec<String> = cells.iter().map(str::to_owned).collect();
        let hits = Layout::loose(table, &headers).hits();
        if hits >= hits_needed(table) {
            let layout = Layout::strict(table, &headers).map_err(|deviation| SourceError::Columns {
                file: self.place.file.clone(),
                line: number,
                deviation,
            })?;
            self.layout = Some(Arc::new(layout));
            return Ok(());
        }
        if hits >= self.best.0 {
            self.best = (hits, headers);
        }
        self.above += 1;
        if self.above >= HEADER_ROWS_MAX { Err(self.no_header()) } else { Ok(()) }
    }

    fn row(&mut self, layout: &Arc<Layout>, number: u64, mut cells: Cells) -> Result<(), SourceError> {
        self.count()?;
        let profile = Arc::clone(&self.profile);
        let Some(table) = profile.tables.first() else { return Ok(()) };
        let place = Place { row: number.to_string(), ..self.place.clone() };
        let width = layout.headers.len();
        let reading = match judge(layout, table, &place, &cells) {
            Judgement::Skip(reason) => Reading::Skipped { place, reason },
            Judgement::Broken(issue) => Reading::Broken(issue),
            Judgement::Row => {
                let blank = |text: &str| super::is_blank(text);
                let surplus = cells.iter().skip(width).any(|cell| !blank(cell));
                let unnamed =
                    layout.headers.iter().zip(cells.iter()).any(|(header, cell)| header.is_empty() && !blank(cell));
                if cells.len() < width || surplus || unnamed {
                    Reading::Broken(wrong_cells(place, cells.len(), width))
                } else {
                    cells.truncate(width);
                    Reading::Row(Row { place, table: 0, cells, layout: Arc::clone(layout) })
                }
            }
        };
        self.ready.push_back(reading);
        Ok(())
    }

    fn count(&mut self) -> Result<(), SourceError> {
        self.rows += 1;
        if self.rows > ROWS_MAX { Err(self.limit("rows", ROWS_MAX)) } else { Ok(()) }
    }

    fn limit(&self, what: &'static str, limit: u64) -> SourceError {
        SourceError::Limit { file: self.place.file.clone(), what, limit }
    }

    fn no_header(&self) -> SourceError {
        let table = self.profile.tables.first();
        let missing = match table.map(|table| Layout::strict(table, &self.best.1)) {
            Some(Err(Deviation::Missing { columns, .. })) => columns,
            _ => Vec::new(),
        };
        SourceError::Header { file: self.place.file.clone(), lines: HEADER_ROWS_MAX, missing }
    }
}
