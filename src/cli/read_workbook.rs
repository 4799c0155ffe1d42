//! `read-workbook`: the process that reads a workbook for the program itself. People do not call it.
//!
//! It must not take a path: the file is its standard input, opened by the one who started it.

use std::fs::File;
use std::os::fd::AsFd;

use clap::Args;

use super::exit::Exit;
use crate::source::workbook::reader;

/// Read a workbook from standard input, with limits; started by the program itself
#[derive(Debug, Args)]
pub struct ReadWorkbook {}

impl ReadWorkbook {
    /// Runs the command.
    #[must_use]
    pub fn run(&self) -> Exit {
        let file = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
        let frames = std::io::stdout().as_fd().try_clone_to_owned().map(File::from);
        let done = file.and_then(|file| Ok(reader::run(file, frames?)));
        if done.is_ok_and(|done| done) { Exit::Fine } else { Exit::OtherSide }
    }
}
