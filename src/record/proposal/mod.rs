//! A profile proposed for an unknown file or database: what each column probably is, each guess marked as one.
//!
//! It must not print a value of a cell, and decides nothing: a person reads the proposal before it reads records.

pub mod guess;
pub mod header;
pub mod known;
pub mod look;
pub mod scalar;
pub mod tables;
pub mod write;

use std::collections::BTreeMap;

use self::guess::{Column, Guess};
use self::known::{Known, KnownError, Meaning};
use super::antigen::{Antigens, AntigensError};
use super::schema::{SchemaError, Schemas};
use crate::source::cells::Cells;
use crate::source::layout::plain::behind_plain;
use crate::source::layout::plain_header;
use crate::source::profile::Kind;
use crate::source::sample::{Sample, Sheet};

/// What a proposal is made from besides the file.
pub struct Ground {
    /// The schemas of all datasets.
    pub schemas: Schemas,
    /// The known headers.
    pub known: Known,
    /// The known vaccines.
    pub antigens: Antigens,
}

/// Why nothing can be proposed at all: the program's own files are damaged.
#[derive(Debug, thiserror::Error)]
pub enum GroundError {
    /// A schema.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The list of vaccines.
    #[error(transparent)]
    Antigens(#[from] AntigensError),
    /// The known headers.
    #[error(transparent)]
    Known(#[from] KnownError),
}

/// One table of a proposal.
pub struct Table {
    /// Its name in the profile.
    pub name: String,
    /// Its query, key and column of the last change; only in a database.
    pub query: Option<Query>,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Columns that number the rows, by their names.
    pub numbering: Vec<String>,
    /// Position, from 1, and filled cells of columns without a header.
    pub unnamed: Vec<(usize, usize)>,
    /// Labels above the header and what stands beside them.
    pub titles: Vec<(String, Meaning)>,
    /// What the columns probably are.
    pub guess: Guess,
}

/// How a table of a database is read.
pub struct Query {
    /// The SQL.
    pub text: String,
    /// Columns of the key.
    pub key: Vec<String>,
    /// Column of the last change.
    pub changed_at: Option<String>,
    /// Rows of the table, by the database's own estimate.
    pub rows: Option<u64>,
}

/// A proposed profile.
pub struct Proposal {
    /// What carries the rows.
    pub kind: Kind,
    /// The tables.
    pub tables: Vec<Table>,
    /// Sheets that have no header with known names.
    pub headless: usize,
}

impl Ground {
    /// Schemas and lists that travel with the program.
    ///
    /// # Errors
    /// [`GroundError`].
    pub fn built_in() -> Result<Self, GroundError> {
        let schemas = Schemas::built_in()?;
        let known = Known::built_in(&schemas)?;
        Ok(Self { known, antigens: Antigens::built_in()?, schemas })
    }

    /// A profile for a file; `None` when no sheet has a header with known names.
    #[must_use]
    pub fn of_file(&self, samples: &[Sample], only: Option<&str>, context: &str) -> Option<Proposal> {
        let points = |sample: &&Sample| -> usize {
            sample.sheets.iter().filter_map(|sheet| header::find(sheet, &self.known)).map(|found| found.points).sum()
        };
        // Of several delimiters the first with most known names is meant.
        let mut best: Option<(usize, &Sample)> = None;
        for sample in samples {
            let points = points(&sample);
            if best.is_none_or(|(most, _)| points > most) {
                best = Some((points, sample));
            }
        }
        let (_, sample) = best?;
        let mut proposal = Proposal { kind: Kind::File, tables: Vec::new(), headless: 0 };
        let mut seen: BTreeMap<Vec<String>, usize> = BTreeMap::new();
        for sheet in sample.sheets.iter().filter(|sheet| is_wanted(sheet, only)) {
            match self.of_sheet(sheet, context) {
                Some(table) => {
                    let names = table.columns.iter().map(|column| plain_header(&column.name)).collect();
                    // Sheets alike are one table: a sheet for each month or person.
                    if let std::collections::btree_map::Entry::Vacant(new) = seen.entry(names) {
                        new.insert(proposal.tables.len());
                        let number = proposal.tables.len() + 1;
                        proposal.tables.push(Table { name: format!("tabel {number}"), ..table });
                    }
                }
                None if sheet.rows.iter().all(|(_, cells)| cells.are_blank()) => {}
                None => proposal.headless += 1,
            }
        }
        (!proposal.tables.is_empty()).then_some(proposal)
    }

    fn of_sheet(&self, sheet: &Sheet, context: &str) -> Option<Table> {
        let found = header::find(sheet, &self.known)?;
        let (mut columns, mut unnamed, mut numbering) = (Vec::new(), Vec::new(), Vec::new());
        let mut seen: Vec<String> = Vec::new();
        for (at, column) in found.header.columns.iter().enumerate() {
            let mut look = look::Look::default();
            let cells = sheet.rows.iter().skip(found.behind).map(|(_, cells)| cells);
            cells.for_each(|cells| look.count(cells.get(at).unwrap_or_default(), cells.kind(at), &self.antigens));
            if column.whole.is_empty() {
                if look.filled > 0 {
                    unnamed.push((at + 1, look.filled));
                }
                continue;
            }
            let shown = column.shown.trim().to_owned();
            let name = if plain_header(&shown) == column.whole { shown } else { column.whole.clone() };
            if self.known.numbering.contains(&column.whole) && self.known.find(&column.whole).is_none() {
                numbering.push(name);
                continue;
            }
            // Two columns with one header cannot be told apart: the first may mean something.
            let twin = seen.contains(&column.whole);
            seen.push(column.whole.clone());
            let mut known_as = vec![column.whole.clone(), column.short.clone()];
            known_as.dedup();
            if twin {
                known_as.clear();
                look = look.only_filled();
            }
            columns.push(Column { name, known_as, look });
        }
        let sheet_name = sheet.name.as_deref().unwrap_or_default();
        let guess = guess::place(&columns, &format!("{context} {sheet_name}"), &self.known, &self.antigens);
        if guess.placed.is_empty() {
            return None;
        }
        let titles = self.titles(sheet.rows.iter().take(found.behind).map(|(_, cells)| cells), &guess);
        Some(Table { name: String::new(), query: None, columns, numbering, unnamed, titles, guess })
    }

    /// Labels with a colon above the header that fill fields of the person.
    fn titles<'a>(&self, rows: impl Iterator<Item = &'a Cells>, guess: &Guess) -> Vec<(String, Meaning)> {
        let taken = |meaning: &Meaning| {
            guess.placed.iter().flat_map(|placed| &placed.meanings).any(|one| one.field == meaning.field)
        };
        let mut found: Vec<(String, Meaning)> = Vec::new();
        for cell in rows.flat_map(Cells::iter) {
            for (label, meanings) in &self.known.titles {
                let marked = behind_plain(cell, label).is_some_and(|rest| rest.trim_start().starts_with([':', '=']));
                let meaning = meanings.iter().filter_map(|at| self.known.meanings.get(*at)).find(|meaning| {
                    meaning.dataset == guess::PERSONS
                        && matches!(meaning.field.as_str(), "posyandu" | "puskesmas" | "kelurahan")
                });
                if let (true, Some(meaning)) = (marked, meaning)
                    && !taken(meaning)
                    && found.iter().all(|(_, known)| known.field != meaning.field)
                {
                    found.push((label.clone(), meaning.clone()));
                }
            }
        }
        found
    }
}

fn is_wanted(sheet: &Sheet, only: Option<&str>) -> bool {
    only.is_none_or(|only| sheet.name.as_deref().is_some_and(|name| plain_header(name) == plain_header(only)))
}
