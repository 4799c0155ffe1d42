//! A report as tables of typed cells, from which every form is written: a page, a workbook, CSV, text or PDF.
//!
//! Nothing is reckoned or formatted twice: a form only lays out what stands here. It must hold no personal data.

use jiff::civil::Date;

use crate::words::Language;

/// One cell.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Empty,
    /// Words.
    Text(String),
    /// A count.
    Number(u64),
    /// More or fewer than before.
    Change(i64),
    /// A measure with this many decimals.
    Decimal(f64, usize),
    /// A share, in tenths of a percent.
    Permille(u64),
    /// A day.
    Date(Date),
}

impl Cell {
    /// A share of a whole; nothing of nothing.
    #[must_use]
    pub fn share(part: u64, whole: u64) -> Self {
        (part.saturating_mul(1_000) + whole / 2).checked_div(whole).map_or(Self::Empty, Self::Permille)
    }

    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Whether it stands on the right side of its column.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Change(_) | Self::Decimal(..) | Self::Permille(_))
    }

    /// As people read it.
    #[must_use]
    pub fn shown(&self, language: Language) -> String {
        let comma = |text: String| if language == Language::Indonesian { text.replace('.', ",") } else { text };
        match self {
            Self::Empty => "-".to_owned(),
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Change(number) => format!("{number:+}"),
            Self::Decimal(number, decimals) => comma(format!("{number:.decimals$}")),
            Self::Permille(permille) => comma(format!("{}.{} %", permille / 10, permille % 10)),
            Self::Date(date) => date.to_string(),
        }
    }

    /// As a program reads it: a point before decimals, a share as its percentage, nothing for what is unknown.
    #[must_use]
    pub fn plain(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Change(number) => number.to_string(),
            Self::Permille(permille) => format!("{}.{}", permille / 10, permille % 10),
            other => other.shown(Language::English),
        }
    }
}

/// A table with its explanation.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// Its name where names are short: a sheet of a workbook, the first column of a CSV. In one language.
    pub name: &'static str,
    /// Its title.
    pub title: String,
    /// Sentences above it: formulas, what is not known.
    pub notes: Vec<String>,
    /// Titles of its columns.
    pub columns: Vec<String>,
    /// Its rows; each has a cell for every column.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// Whether all cells of a column are numbers or unknown.
    #[must_use]
    pub fn is_numeric(&self, column: usize) -> bool {
        let cells = || self.rows.iter().filter_map(|row| row.get(column));
        cells().any(Cell::is_number) && cells().all(|cell| cell.is_number() || *cell == Cell::Empty)
    }

    /// Letters of the longest cell of a column, its title included, at most `max`.
    #[must_use]
    pub fn width(&self, column: usize, language: Language, max: usize) -> usize {
        let title = self.columns.get(column).map_or(0, |title| title.chars().count());
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.shown(language).chars().count()).fold(title, usize::max).min(max)
    }
}

/// A whole report.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// Lines below the title.
    pub head: Vec<String>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Lines at the end.
    pub foot: Vec<String>,
}

/// Letters of a line of text.
const TEXT_WIDTH: usize = 96;
/// Letters of the widest column of text.
const COLUMN_MAX: usize = 48;

impl Document {
    /// As text for a printer or a terminal.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let mut out = format!("{}\n", self.title.to_uppercase());
        self.head.iter().for_each(|line| wrapped(&mut out, 0, line));
        for table in &self.tables {
            out.push_str(&format!("\n{}\n", table.title.to_uppercase()));
            table.notes.iter().for_each(|line| wrapped(&mut out, 2, line));
            if table.rows.is_empty() {
                continue;
            }
            let widths: Vec<usize> = (0..table.columns.len()).map(|at| table.width(at, language, COLUMN_MAX)).collect();
            let cell = |at: usize, text: &str| {
                let room = widths.get(at).copied().unwrap_or(0);
                let shown: String = text.chars().take(room).collect();
                if table.is_numeric(at) { format!("{shown:>room$}") } else { format!("{shown:<room$}") }
            };
            let line = |cells: Vec<String>| format!("  {}\n", cells.join("  ").trim_end());
            out.push_str(&line(table.columns.iter().enumerate().map(|(at, title)| cell(at, title)).collect()));
            for row in &table.rows {
                out.push_str(&line(row.iter().enumerate().map(|(at, one)| cell(at, &one.shown(language))).collect()));
            }
        }
        if !self.foot.is_empty() {
            out.push('\n');
        }
        self.foot.iter().for_each(|line| wrapped(&mut out, 0, line));
        out
    }
}

/// Breaks a text between words; every line is indented.
pub fn wrapped(out: &mut String, indent: usize, text: &str) {
    for line in lines(text, TEXT_WIDTH - indent) {
        out.push_str(&format!("{:indent$}{line}\n", ""));
    }
}

/// A text in lines of at most so many letters, broken between words; a longer word has a line of its own.
#[must_use]
pub fn lines(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|last| last.chars().count() + 1 + word.chars().count() <= room) {
            Some(last) => {
                last.push(' ');
                last.push_str(word);
            }
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_read_alike_for_people_and_programs() {
        for (cell, shown, plain) in [
            (Cell::Empty, "-", ""),
            (Cell::Permille(985), "98,5 %", "98.5"),
            (Cell::Decimal(3.25, 1), "3,2", "3.2"),
            (Cell::Change(-2), "-2", "-2"),
            (Cell::Change(2), "+2", "2"),
            (Cell::Number(45_000), "45000", "45000"),
        ] {
            assert_eq!((cell.shown(Language::Indonesian).as_str(), cell.plain().as_str()), (shown, plain));
        }
        assert_eq!((Cell::share(2, 3), Cell::share(1, 0)), (Cell::Permille(667), Cell::Empty));
    }
}
