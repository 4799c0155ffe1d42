//! The beginning of an unknown file: the rows of each sheet as they stand, before anybody knows what they mean.
//!
//! It must not need a profile, and holds no more than the first rows of each sheet. Which of several profiles fit
//! these rows is told here too, by the very rules by which a file is read.

use std::sync::Arc;

use super::cells::Cells;
use super::delimited::Delimited;
use super::grid::{Grid, Line};
use super::layout::{known_headers, plain_header};
use super::problem::SourceError;
use super::profile::{Kind, Profile};
use super::workbook::look::Held;
use super::workbook::{self, Workbook};
use super::{Location, encoding};
use crate::issue::Place;

/// Rows of each sheet that are looked at: enough to see what a column holds.
pub const ROWS_MAX: usize = 1_000;
/// Sheets that are looked at: a workbook with a sheet a person has hundreds alike.
pub const SHEETS_MAX: usize = 40;
/// Bytes of cells that are held, so that wide rows cannot fill the memory.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The first rows of a sheet, or of a file without sheets.
pub struct Sheet {
    /// Its name; none in delimited text.
    pub name: Option<String>,
    /// Number and cells of each row.
    pub rows: Vec<(u64, Cells)>,
}

/// The beginnings of all sheets of one reading of a file. Delimited text has several readings, one for each
/// delimiter that it may have.
#[derive(Default)]
pub struct Sample {
    /// The sheets, in order; hidden ones are left out.
    pub sheets: Vec<Sheet>,
    bytes: usize,
}

impl Sample {
    /// Keeps a line if there is room for it.
    pub(super) fn keep(&mut self, line: Line) {
        match line {
            Line::Sheet(name) if self.sheets.len() < SHEETS_MAX => {
                self.sheets.push(Sheet { name: Some(name), rows: Vec::new() });
            }
            Line::Sheet(_) => self.bytes = BYTES_MAX,
            Line::Cells(number, cells) => {
                if self.sheets.is_empty() {
                    self.sheets.push(Sheet { name: None, rows: Vec::new() });
                }
                let room = self.bytes < BYTES_MAX;
                if let Some(sheet) = self.sheets.last_mut().filter(|sheet| room && sheet.rows.len() < ROWS_MAX) {
                    self.bytes += cells.text().len();
                    sheet.rows.push((number, cells));
                }
            }
            Line::Broken(..) => {}
        }
    }

    /// Whether another row could still be kept.
    pub(super) fn has_room(&self) -> bool {
        self.bytes < BYTES_MAX && self.sheets.last().is_none_or(|sheet| sheet.rows.len() < ROWS_MAX)
    }

    /// How many columns of a profile's tables stand in these rows; `None` when the profile does not fit.
    #[must_use]
    pub fn fits(&self, profile: &Arc<Profile>) -> Option<usize> {
        if profile.kind != Kind::File {
            return None;
        }
        let mut grid = Grid::new(profile, Place::default());
        for sheet in &self.sheets {
            if let Some(name) = &sheet.name {
                grid.feed(Line::Sheet(name.clone())).ok()?;
            }
            for (number, cells) in &sheet.rows {
                grid.feed(Line::Cells(*number, cells.clone())).ok()?;
                while grid.take().is_some() {}
            }
        }
        grid.end().ok()?;
        let known: Vec<String> = profile.tables.iter().flat_map(known_headers).collect();
        let rows = self.sheets.iter().flat_map(|sheet| &sheet.rows);
        let hits = |cells: &Cells| cells.iter().filter(|cell| known.contains(&plain_header(cell))).count();
        rows.map(|(_, cells)| hits(cells)).max()
    }
}

/// Looks at the beginning of a file of any kind that can be read. Delimited text gives one sample for each delimiter.
///
/// # Errors
/// [`SourceError`] when the file cannot be opened, is no such file or is refused.
pub async fn of_file(location: &Location) -> Result<Vec<Sample>, SourceError> {
    let failed = |source| SourceError::Open { file: location.file(), source };
    let held = Held::open(&location.path).map_err(failed)?;
    let blank = Arc::new(Profile::of_nothing());
    if held.container().is_some() {
        let opened = Box::pin(Workbook::sample(&blank, location, held, workbook::PATIENCE)).await;
        return opened.map(|sample| vec![sample]);
    }
    Delimited::samples(&blank, location, held)
}

/// Whether a file is a SQLite database, by its first bytes.
///
/// # Errors
/// [`SourceError::Open`].
pub fn is_database(location: &Location) -> Result<bool, SourceError> {
    let failed = |source| SourceError::Open { file: location.file(), source };
    // A pipe is refused here, before anything waits for it.
    let held = Held::open(&location.path).map_err(failed)?;
    let seen = encoding::look(held.file(), None).map_err(failed)?;
    Ok(seen == encoding::Seen::Kind("SQLite"))
}
