//! Rows of a workbook: XLSX, XLSM, XLSB, XLS, ODS, and the `.xls` that is an HTML table.
//!
//! It must not parse a workbook in this process. A process of its own with limits does, and nothing that it writes
//! is trusted: it may be ended at any time, and then the file is refused by name. Formulas, macros, links and
//! embedded objects are never followed; only the values that the workbook keeps are read.

pub mod archive;
pub mod cut;
pub mod frame;
pub mod html;
pub mod limits;
pub mod look;
pub mod reader;
pub mod value;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use self::frame::{FRAME_BYTES_MAX, Frame, Refusal};
use self::look::{FILE_BYTES_MAX, Held};
use super::grid::{Grid, HEADER_ROWS_MAX, Line};
use super::problem::SourceError;
use super::profile::Profile;
use super::sample::Sample;
use super::{Location, ROWS_MAX, Reading, SkipReason, sheet_place};
use crate::issue::Place;

/// The hidden command that reads a workbook from standard input and writes frames to standard output.
pub const COMMAND: &str = "read-workbook";
/// How long the reading process may give nothing although it is waited for. Its processor time ends sooner
/// ([`limits::CPU_SECONDS`]), so that a file is refused within 10 seconds.
pub const PATIENCE: Duration = Duration::from_secs(9);
/// Most sheets of a workbook.
pub const SHEETS_MAX: u64 = 1000;
/// Most rows of a sheet, the ceiling of spreadsheet programs.
pub const SHEET_ROWS_MAX: u64 = 1_048_576;
/// How much is read from the process at a time, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;
/// Exit code of a program of ours that panicked: the parser met what it did not expect.
const PANIC_CODE: i32 = 101;

/// A workbook being read.
pub struct Workbook {
    place: Place,
    patience: Duration,
    held: Held,
    hash: [u8; 32],
    child: Child,
    frames: ChildStdout,
    buffer: Vec<u8>,
    taken: usize,
    grid: Grid,
    hidden: Option<Reading>,
    sheet: Sheet,
    sheets: u64,
    rows: u64,
    ended: bool,
}

/// What a frame holds for whoever reads.
enum Taken {
    /// A line; `None` for a row of a hidden sheet.
    Line(Option<Line>),
    /// The last frame: every row was given.
    End,
}

/// What is known of the sheet being read.
#[derive(Default)]
struct Sheet {
    /// Where the rows of a hidden sheet stand; they are counted and not read.
    hidden: Option<Place>,
    row: u64,
    width: usize,
}

impl Workbook {
    /// Starts reading a file in a process of its own and waits for its first row.
    ///
    /// # Errors
    /// [`SourceError`] when the file is refused or has no header that fits the profile.
    pub async fn open(
        profile: &Arc<Profile>,
        location: &Location,
        held: Held,
        patience: Duration,
    ) -> Result<Self, SourceError> {
        let mut workbook = Self::begin(profile, location, held, patience)?;
        while !workbook.ended && workbook.hidden.is_none() && !workbook.grid.has_header() {
            workbook.step().await?;
        }
        Ok(workbook)
    }

    /// The beginning of each sheet. The whole file is parsed: sheets stand one behind the other.
    ///
    /// # Errors
    /// [`SourceError`] when the file is refused.
    pub async fn sample(
        profile: &Arc<Profile>,
        location: &Location,
        held: Held,
        patience: Duration,
    ) -> Result<Sample, SourceError> {
        let mut workbook = Self::begin(profile, location, held, patience)?;
        let mut sample = Sample::default();
        while let Taken::Line(line) = workbook.take().await? {
            if let Some(line) = line {
                sample.keep(line);
            }
        }
        workbook.finish().await?;
        Ok(sample)
    }

    /// Starts the process.
    fn begin(profile: &Arc<Profile>, location: &Location, held: Held, patience: Duration) -> Result<Self, SourceError> {
        let file = location.file();
        if held.length() > FILE_BYTES_MAX {
            return Err(SourceError::Heavy { file });
        }
        let hash = held.hash().map_err(|source| SourceError::Read { file: file.clone(), source })?;
        let input = held.handle().map_err(|source| SourceError::Read { file: file.clone(), source })?;
        let (child, frames) = start(location, input)?;
        Ok(Self {
            place: location.place(),
            patience,
            held,
            hash,
            child,
            frames,
            buffer: Vec::with_capacity(CHUNK_BYTES * 2),
            taken: 0,
            grid: Grid::new(profile, location.place()),
            hidden: None,
            sheet: Sheet::default(),
            sheets: 0,
            rows: 0,
            ended: false,
        })
    }

    /// The next row.
    ///
    /// # Errors
    /// [`SourceError`] when the process gives up or is ended, or the file changed meanwhile.
    pub async fn next(&mut self) -> Result<Option<Reading>, SourceError> {
        loop {
            if let Some(reading) = self.grid.take().or_else(|| self.hidden.take()) {
                return Ok(Some(reading));
            }
            if self.ended {
                return Ok(None);
            }
            if let Err(error) = self.step().await {
                // It has nothing more to say; the system ends it in any case when this value goes.
                let _ = self.child.start_kill();
                return Err(error);
            }
        }
    }

    /// Takes one frame and passes it on.
    async fn step(&mut self) -> Result<(), SourceError> {
        match self.take().await? {
            Taken::Line(Some(line)) => self.grid.feed(line),
            Taken::Line(None) => Ok(()),
            Taken::End => {
                self.finish().await?;
                self.grid.end()
            }
        }
    }

    /// Takes one frame, reading until it is complete.
    async fn take(&mut self) -> Result<Taken, SourceError> {
        loop {
            let waiting = &self.buffer[self.taken..];
            match frame::take(waiting, self.sheet.width).map_err(|broken| self.unusable(broken.0))? {
                Some((Frame::Sheet { name, hidden }, length)) => {
                    let name = name.to_owned();
                    self.taken += length;
                    return self.begin_sheet(name, hidden).map(Taken::Line);
                }
                Some((Frame::Row { number, cells }, length)) => {
                    self.taken += length;
                    self.count(number)?;
                    self.sheet.width = self.sheet.width.max(cells.len());
                    if let Some(place) = &self.sheet.hidden {
                        let place = Place { row: number.to_string(), ..place.clone() };
                        self.hidden = Some(Reading::Skipped { place, reason: SkipReason::Sheet });
                        return Ok(Taken::Line(None));
                    }
                    return Ok(Taken::Line(Some(Line::Cells(number, cells))));
                }
                Some((Frame::End { rows }, _)) if rows == self.rows => return Ok(Taken::End),
                Some((Frame::End { .. }, _)) => return Err(self.unusable("it lost rows")),
                Some((Frame::Refused(refusal), _)) => return Err(self.refused(refusal)),
                None => self.fill().await?,
            }
        }
    }

    fn begin_sheet(&mut self, name: String, hidden: bool) -> Result<Option<Line>, SourceError> {
        self.sheets += 1;
        if self.sheets > SHEETS_MAX {
            return Err(self.unusable("too many sheets"));
        }
        self.sheet = Sheet { hidden: hidden.then(|| sheet_place(&self.place, &name)), ..Sheet::default() };
        Ok((!hidden).then_some(Line::Sheet(name)))
    }

    fn count(&mut self, number: u64) -> Result<(), SourceError> {
        if self.sheets == 0 || number <= self.sheet.row || number > SHEET_ROWS_MAX {
            return Err(self.unusable("rows out of order"));
        }
        self.sheet.row = number;
        self.rows += 1;
        if self.rows > ROWS_MAX + self.sheets * HEADER_ROWS_MAX as u64 {
            return Err(SourceError::Limit { file: self.place.file.to_string(), what: "rows", limit: ROWS_MAX });
        }
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), SourceError> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.reserve(CHUNK_BYTES);
        let file = || self.place.file.to_string();
        match timeout(self.patience, self.frames.read_buf(&mut self.buffer)).await {
            Err(_) => Err(SourceError::Heavy { file: file() }),
            Ok(Err(source)) => Err(SourceError::Read { file: file(), source }),
            Ok(Ok(0)) => Err(self.cut_off().await),
            Ok(Ok(_)) if self.buffer.len() > FRAME_BYTES_MAX + 2 * CHUNK_BYTES => Err(self.unusable("endless frame")),
            Ok(Ok(_)) => Ok(()),
        }
    }

    /// What it means that the process stopped writing before it was at the end.
    async fn cut_off(&mut self) -> SourceError {
        let file = self.place.file.to_string();
        match timeout(self.patience, self.child.wait()).await {
            Ok(Ok(status)) if status.signal().is_some() => SourceError::Heavy { file },
            Ok(Ok(status)) if status.code() == Some(PANIC_CODE) => SourceError::Damaged { file },
            _ => self.unusable("it ended too early"),
        }
    }

    async fn finish(&mut self) -> Result<(), SourceError> {
        let file = self.place.file.to_string();
        match timeout(self.patience, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            _ => return Err(self.unusable("it failed at the end")),
        }
        if self.held.changed(&self.hash) {
            return Err(SourceError::Changed { file });
        }
        self.ended = true;
        Ok(())
    }

    fn refused(&self, refusal: Refusal) -> SourceError {
        let file = self.place.file.to_string();
        match refusal {
            Refusal::Heavy => SourceError::Heavy { file },
            Refusal::Damaged => SourceError::Damaged { file },
            Refusal::Password => SourceError::Password { file },
            Refusal::NoWorkbook => SourceError::Kind { file, seen: "zip".to_owned(), expected: "XLSX / CSV" },
            Refusal::NoTable => SourceError::Kind { file, seen: "HTML".to_owned(), expected: "XLSX / CSV" },
            Refusal::NoLimits => self.unusable("it cannot limit itself"),
        }
    }

    fn unusable(&self, reason: &'static str) -> SourceError {
        SourceError::Reader { file: self.place.file.to_string(), reason: reason.to_owned() }
    }
}

/// The process: no path, no environment, nothing open but the file, the frames and `/dev/null`.
fn start(location: &Location, input: File) -> Result<(Child, ChildStdout), SourceError> {
    let unusable = |reason: String| SourceError::Reader { file: location.file(), reason };
    let mut child = Command::new(&location.program)
        .arg(COMMAND)
        .env_clear()
        .stdin(Stdio::from(input))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| unusable(format!("it cannot be started: {error}")))?;
    let frames = child.stdout.take().ok_or_else(|| unusable("it has no output".to_owned()))?;
    Ok((child, frames))
}
