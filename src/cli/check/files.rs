//! The files of `check --output`, written while the rows pass by.
//!
//! A file carries its name only when it is whole: until then `.part` is put behind it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::redact::Personal;
use crate::report::csv;
use crate::report::worklist::WorkItem;
use crate::words::Language;

/// The Bundles, one a line.
const BUNDLES: &str = "bundles.ndjson";
/// What must be mended or looked at.
const ISSUES: &str = "issues.csv";

/// Both files of one folder.
pub struct Files {
    folder: PathBuf,
    bundles: BufWriter<File>,
    issues: BufWriter<File>,
}

impl Files {
    /// Makes the folder and begins both files.
    ///
    /// # Errors
    /// A folder or file that cannot be written, by name.
    pub fn create(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| cannot_write(folder))?;
        let begin = |name| {
            let path = part(folder, name);
            File::create(&path).map(BufWriter::new).with_context(|| cannot_write(&path))
        };
        let (bundles, mut issues) = (begin(BUNDLES)?, begin(ISSUES)?);
        issues.write_all(csv::HEADER.as_bytes()).with_context(|| cannot_write(&part(folder, ISSUES)))?;
        Ok(Self { folder: folder.to_owned(), bundles, issues })
    }

    /// Adds a Bundle.
    ///
    /// # Errors
    /// When it cannot be written; the file is named.
    pub fn bundle(&mut self, bundle: &Personal<String>) -> io::Result<()> {
        let written = self.bundles.write_all(bundle.reveal().as_bytes()).and_then(|()| self.bundles.write_all(b"\n"));
        written.map_err(|error| named(&self.folder, BUNDLES, &error))
    }

    /// Adds lines of the work list or of the warnings.
    ///
    /// # Errors
    /// When they cannot be written; the file is named.
    pub fn issues(&mut self, items: &[WorkItem], language: Language) -> io::Result<()> {
        let written = self.issues.write_all(csv::lines(items, language).as_bytes());
        written.map_err(|error| named(&self.folder, ISSUES, &error))
    }

    /// Ends both files and gives them their names.
    ///
    /// # Errors
    /// A file that cannot be written, by name.
    pub fn finish(self) -> anyhow::Result<()> {
        for (mut file, name) in [(self.bundles, BUNDLES), (self.issues, ISSUES)] {
            let path = part(&self.folder, name);
            file.flush().with_context(|| cannot_write(&path))?;
            fs::rename(&path, self.folder.join(name)).with_context(|| cannot_write(&path))?;
        }
        Ok(())
    }
}

fn part(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.part"))
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

fn named(folder: &Path, name: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", cannot_write(&part(folder, name))))
}
