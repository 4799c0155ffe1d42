//! Rows of cells become readings: the header of each table is found by its text, and each row behind it is judged.
//!
//! Common to delimited text and workbooks; pure. It must not read a file, and holds no row but those among which it
//! looks for a header. Every row behind the first header of a sheet is given out as something.

mod known;
mod numbers;
mod seek;
mod titles;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use self::known::KnownHeaders;
use self::numbers::are_column_numbers;
use self::seek::{Held, Seek, Sought};
use self::titles::{Titles, Unusable};
use super::cells::Cells;
use super::judge::{Judgement, judge};
use super::layout::header::Header;
use super::layout::plain::fits_pattern;
use super::layout::{Deviation, Layout};
use super::problem::{SourceError, no_header_on_sheet, wrong_cells};
use super::profile::{Profile, Table};
use super::{COLUMNS_MAX, ROWS_MAX, Reading, Row, SkipReason, is_blank, sheet_place};
use crate::issue::{Issue, Place};

/// How many rows from the top may stand above the header, and how many empty ones within it.
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
    known: KnownHeaders,
    /// The file, and the sheet when it has a name.
    place: Place,
    file: Place,
    sheet: Option<String>,
    /// Positions of the profile's tables that may stand on this sheet.
    tables: Vec<usize>,
    state: State,
    found: bool,
    /// Hits, table and header of the row that came nearest to a header.
    best: Option<(usize, usize, Header)>,
    rows: u64,
    ready: VecDeque<Ready>,
}

enum State {
    /// The rows of this sheet are counted and not read.
    Aside,
    /// No header yet, or a row that looks like the header of another table; the layout is that of the rows above.
    Seeking(Seek, Option<Below>),
    /// Rows of a table.
    Below(Below),
}

/// A table whose header was found.
struct Below {
    table: usize,
    layout: Arc<Layout>,
    /// Whether nothing but empty rows came yet: printed column numbers stand only there.
    fresh: bool,
    titles: bool,
}

/// What waits to be taken.
enum Ready {
    Reading(Reading),
    /// Rows of a sheet that is not read, by their numbers.
    Aside(Place, Range<u64>),
}

impl Grid {
    /// A file of which nothing was seen yet; `place` is the file's.
    #[must_use]
    pub fn new(profile: &Arc<Profile>, place: Place) -> Self {
        Self {
            profile: Arc::clone(profile),
            known: KnownHeaders::of(profile),
            file: place.clone(),
            place,
            sheet: None,
            tables: (0..profile.tables.len()).collect(),
            state: State::Seeking(Seek::default(), None),
            found: false,
            best: None,
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
            Line::Sheet(name) => self.sheet(name),
            Line::Cells(number, cells) => self.row(Held::Cells(number, cells)),
            Line::Broken(number, issue) => self.row(Held::Broken(number, self.named(issue))),
        }
    }

    /// The next reading.
    pub fn take(&mut self) -> Option<Reading> {
        if let Some(Ready::Aside(place, rows)) = self.ready.front_mut()
            && rows.start + 1 < rows.end
        {
            let place = Place { row: rows.start.to_string(), ..place.clone() };
            rows.start += 1;
            return Some(Reading::Skipped { place, reason: SkipReason::Sheet });
        }
        Some(match self.ready.pop_front()? {
            Ready::Reading(reading) => reading,
            Ready::Aside(place, rows) => {
                let place = Place { row: rows.start.to_string(), ..place };
                Reading::Skipped { place, reason: SkipReason::Sheet }
            }
        })
    }

    /// Whether a header was found.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.found
    }

    /// Says that the carrier has nothing more. Readings may still wait to be taken.
    ///
    /// # Errors
    /// [`SourceError::Header`] when no header was found.
    pub fn end(&mut self) -> Result<(), SourceError> {
        self.end_sheet()?;
        if self.found { Ok(()) } else { Err(self.no_header()) }
    }

    fn sheet(&mut self, name: String) -> Result<(), SourceError> {
        self.end_sheet()?;
        let skipped = self.profile.skipped_sheets.iter().any(|pattern| fits_pattern(&name, pattern));
        let fits =
            |table: &Table| table.sheets.is_empty() || table.sheets.iter().any(|pattern| fits_pattern(&name, pattern));
        self.tables = (0..self.profile.tables.len()).filter(|at| fits(&self.profile.tables[*at])).collect();
        self.state = if skipped { State::Aside } else { State::Seeking(Seek::default(), None) };
        self.place = sheet_place(&self.file, &name);
        self.sheet = Some(name);
        Ok(())
    }

    fn end_sheet(&mut self) -> Result<(), SourceError> {
        if let State::Seeking(mut seek, above) = std::mem::replace(&mut self.state, State::Aside)
            && !seek.rows.is_empty()
        {
            let sought = seek.end(&candidates(&self.profile, &self.tables));
            self.decided(sought, seek, above)?;
            // A row that was held back may have looked like a header again.
            if matches!(self.state, State::Seeking(..)) {
                return self.end_sheet();
            }
        }
        self.state = State::Aside;
        Ok(())
    }

    fn row(&mut self, held: Held) -> Result<(), SourceError> {
        match std::mem::replace(&mut self.state, State::Aside) {
            State::Aside => self.aside(&held),
            State::Seeking(mut seek, above) => {
                let sought = seek.push(held, &candidates(&self.profile, &self.tables));
                self.decided(sought, seek, above)
            }
            State::Below(below) => match held {
                Held::Cells(number, cells) => self.row_below(below, number, cells),
                broken @ Held::Broken(..) => {
                    let given = self.give(&below, broken);
                    self.state = State::Below(below);
                    given
                }
            },
        }
    }

    fn row_below(&mut self, mut below: Below, number: u64, cells: Cells) -> Result<(), SourceError> {
        if below.fresh && !cells.are_blank() {
            below.fresh = false;
            if are_column_numbers(&cells, &below.layout) {
                self.state = State::Below(below);
                return self.skip(number, SkipReason::Footer);
            }
        }
        if self.known.begin(&cells) && !below.layout.is_repeated_by(&cells) {
            let mut seek = Seek::stacked();
            let sought = seek.push(Held::Cells(number, cells), &candidates(&self.profile, &self.tables));
            return self.decided(sought, seek, Some(below));
        }
        if below.titles
            && let Some(titles) = titles::of_row(&self.profile.tables, below.table, &cells)
        {
            let mut layout = Layout::clone(&below.layout);
            layout.titles.extend(titles);
            self.state = State::Below(Below { layout: Arc::new(layout), ..below });
            return self.skip(number, SkipReason::Footer);
        }
        let given = self.give(&below, Held::Cells(number, cells));
        self.state = State::Below(below);
        given
    }

    /// Acts on what the rows held back show.
    fn decided(&mut self, sought: Sought, seek: Seek, above: Option<Below>) -> Result<(), SourceError> {
        match sought {
            Sought::More => self.state = State::Seeking(seek, above),
            Sought::Deviating(line, deviation) => {
                return Err(SourceError::Columns { file: self.place.file.to_string(), line, deviation });
            }
            Sought::Found(table, layout, first, last) => {
                return self.settle(table, layout, first..last + 1, seek, above);
            }
            Sought::Nothing => match above {
                Some(below) => {
                    let mut rows = seek.rows.into_iter();
                    if let Some(row) = rows.next() {
                        self.give(&below, row)?;
                    }
                    self.state = State::Below(below);
                    return rows.try_for_each(|row| self.row(row));
                }
                None => return self.without_header(&seek),
            },
        }
        Ok(())
    }

    /// A header was found at these positions of the rows held back.
    fn settle(
        &mut self,
        table: usize,
        mut layout: Layout,
        header: Range<usize>,
        seek: Seek,
        above: Option<Below>,
    ) -> Result<(), SourceError> {
        if layout.headers.len() > COLUMNS_MAX {
            return Err(self.limit("columns", COLUMNS_MAX as u64));
        }
        let profile = Arc::clone(&self.profile);
        let Some(spec) = profile.tables.get(table) else { return Ok(()) };
        let known = above.as_ref().map(|below| below.layout.titles.clone()).unwrap_or_default();
        layout.titles = self.titles(spec, &seek.rows[..header.start], &known)?;
        let below = Below { table, layout: Arc::new(layout), fresh: true, titles: titles::are_read(spec) };
        self.found = true;
        let mut rows = seek.rows.into_iter().enumerate();
        for (at, row) in rows.by_ref().take(header.end) {
            match &above {
                None => {}
                Some(above) if at < header.start => self.give(above, row)?,
                Some(_) if row.is_blank() => self.skip(row.number(), SkipReason::Empty)?,
                Some(_) => self.skip(row.number(), SkipReason::Footer)?,
            }
        }
        self.state = State::Below(below);
        rows.try_for_each(|(_, row)| self.row(row))
    }

    fn titles(&self, table: &Table, above: &[Held], known: &Titles) -> Result<Titles, SourceError> {
        let rows = above.iter().filter_map(|row| if let Held::Cells(_, cells) = row { Some(cells) } else { None });
        titles::of_table(table, self.sheet.as_deref(), rows, known).map_err(|unusable| {
            let file = self.place.file.to_string();
            match unusable {
                Unusable::Missing(title) => SourceError::Title { file, title, twice: false },
                Unusable::Twice(title) => SourceError::Title { file, title, twice: true },
            }
        })
    }

    /// A sheet of a workbook may hold something else; then the file does not say so, and a person must.
    fn without_header(&mut self, seek: &Seek) -> Result<(), SourceError> {
        if let Some(best) = seek.best(&candidates(&self.profile, &self.tables))
            && self.best.as_ref().is_none_or(|(hits, ..)| best.0 > *hits)
        {
            self.best = Some(best);
        }
        if self.sheet.is_none() {
            return Err(self.no_header());
        }
        self.state = State::Aside;
        let mut rows = seek.rows.iter().filter(|row| !row.is_blank());
        if let Some(first) = rows.next() {
            self.count()?;
            let issue = no_header_on_sheet(self.place_of(first.number()), self.sheet.as_deref().unwrap_or_default());
            self.ready.push_back(Ready::Reading(Reading::Broken(issue)));
        }
        rows.try_for_each(|row| self.aside(row))
    }

    fn aside(&mut self, row: &Held) -> Result<(), SourceError> {
        if row.is_blank() {
            return Ok(());
        }
        self.count()?;
        let number = row.number();
        match self.ready.back_mut() {
            Some(Ready::Aside(place, rows)) if rows.end == number && place.file == self.place.file => rows.end += 1,
            _ => self.ready.push_back(Ready::Aside(self.place.clone(), number..number + 1)),
        }
        Ok(())
    }

    /// Gives out a row of a table.
    fn give(&mut self, below: &Below, row: Held) -> Result<(), SourceError> {
        self.count()?;
        let reading = match row {
            Held::Broken(_, issue) => Reading::Broken(issue),
            Held::Cells(number, cells) => self.read(below, number, cells),
        };
        self.ready.push_back(Ready::Reading(reading));
        Ok(())
    }

    fn read(&self, below: &Below, number: u64, mut cells: Cells) -> Reading {
        let place = self.place_of(number);
        let (layout, width) = (&below.layout, below.layout.headers.len());
        let Some(table) = self.profile.tables.get(below.table) else {
            return Reading::Skipped { place, reason: SkipReason::Empty };
        };
        match judge(layout, table, &place, &cells) {
            Judgement::Skip(reason) => Reading::Skipped { place, reason },
            Judgement::Broken(issue) => Reading::Broken(issue),
            Judgement::Row => {
                // Workbooks do not write the empty cells at the end of a row; in delimited text a cell too few is a slip.
                while self.sheet.is_some() && cells.len() < width {
                    cells.push("");
                }
                let filled = |at: usize| cells.get(at).is_some_and(|cell| !is_blank(cell));
                let surplus = (width..cells.len()).any(filled) || layout.unnamed.iter().any(|at| filled(*at));
                if cells.len() < width || surplus {
                    return Reading::Broken(wrong_cells(place, cells.len(), width));
                }
                cells.truncate(width);
                Reading::Row(Row { place, table: below.table, cells, layout: Arc::clone(layout) })
            }
        }
    }

    fn skip(&mut self, number: u64, reason: SkipReason) -> Result<(), SourceError> {
        self.count()?;
        let place = self.place_of(number);
        self.ready.push_back(Ready::Reading(Reading::Skipped { place, reason }));
        Ok(())
    }

    fn place_of(&self, number: u64) -> Place {
        Place { row: number.to_string(), ..self.place.clone() }
    }

    /// The carrier knows the file; the sheet is known here.
    fn named(&self, issue: Issue) -> Issue {
        let place = issue.place.clone().map(|place| Place { file: Arc::clone(&self.place.file), ..place });
        Issue { place, ..issue }
    }

    fn count(&mut self) -> Result<(), SourceError> {
        self.rows += 1;
        if self.rows > ROWS_MAX { Err(self.limit("rows", ROWS_MAX)) } else { Ok(()) }
    }

    fn limit(&self, what: &'static str, limit: u64) -> SourceError {
        SourceError::Limit { file: self.place.file.to_string(), what, limit }
    }

    fn no_header(&self) -> SourceError {
        let nothing = Header::single([]);
        let (table, header) = self.best.as_ref().map_or((0, &nothing), |(_, table, header)| (*table, header));
        let missing = match self.profile.tables.get(table).map(|table| Layout::fitting(table, header)) {
            Some(Err(Deviation::Missing { columns, .. })) => columns,
            _ => Vec::new(),
        };
        SourceError::Header { file: self.file.file.to_string(), lines: HEADER_ROWS_MAX, missing }
    }
}

fn candidates<'a>(profile: &'a Profile, tables: &[usize]) -> Vec<(usize, &'a Table)> {
    tables.iter().filter_map(|at| Some((*at, profile.tables.get(*at)?))).collect()
}
