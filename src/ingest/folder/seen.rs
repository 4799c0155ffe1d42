//! What became of the files of a drop folder in one round, as values.
//!
//! Only shapes; what is done with a file is decided in the parent.

use crate::issue::{Code, Issue};
use crate::ledger::taken::{TakenFile, TakenOutcome, TakenRows};

/// What became of a file in this round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was read now.
    Read,
    /// Its content was read before.
    Same,
    /// It is not taken yet.
    Waiting,
    /// It cannot be taken.
    Refused,
}

/// A file of the folder.
#[derive(Clone, Debug)]
pub struct FileSeen {
    /// Its name, fit to be shown.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
    /// Its rows, when it was read now or before.
    pub rows: TakenRows,
    /// Why it waits or is refused, in words.
    pub issue: Option<Issue>,
    /// A person must do something, or wants to know.
    pub is_told: bool,
}

/// A folder in this round.
#[derive(Clone, Debug)]
pub struct FolderOutcome {
    /// Name of the source.
    pub source: String,
    /// Its files, those written first in front.
    pub files: Vec<FileSeen>,
    /// What is wrong with the folder, though it can be read.
    pub issue: Option<Issue>,
}

impl FolderOutcome {
    /// How many files had a fate.
    #[must_use]
    pub fn number(&self, fate: Fate) -> usize {
        self.files.iter().filter(|file| file.fate == fate).count()
    }
}

/// A file that somebody is told about.
pub(super) fn told(name: String, fate: Fate, issue: Issue) -> FileSeen {
    FileSeen { name, fate, rows: TakenRows::default(), issue: Some(issue), is_told: true }
}

/// A name that is no file to take. Folders are passed over: people keep old files in them.
pub(super) fn refused(name: String, rule: &'static str) -> FileSeen {
    let issue = Issue::warning(Code::Structure, rule).with("berkas", &name);
    FileSeen { is_told: rule != "folder.subfolder", ..told(name, Fate::Refused, issue) }
}

/// A file as the ledger knows it.
pub(super) fn known(taken: &TakenFile) -> FileSeen {
    let (fate, is_told) = match taken.outcome {
        TakenOutcome::Read | TakenOutcome::Same => (Fate::Same, false),
        TakenOutcome::Refused => (Fate::Refused, true),
        TakenOutcome::Waiting => (Fate::Waiting, true),
    };
    FileSeen { name: taken.name.clone(), fate, rows: taken.rows, issue: taken.issue.clone(), is_told }
}
