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

/// A line of a table in letters of one width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaidOut {
    /// It belongs to the titles of the columns.
    pub is_head: bool,
    /// Its letters.
    pub text: String,
}

/// Letters between two columns.
const BETWEEN: &str = "  ";

impl Table {
    /// The table in letters of one width: titles are broken between words to the width of their column, numbers stand
    /// on the right; words are cut where the table would be wider than `room`.
    #[must_use]
    pub fn laid_out(&self, language: Language, room: usize) -> Vec<LaidOut> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let heads: Vec<Vec<String>> = (0..self.columns.len()).map(|at| self.head(at, language)).collect();
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().filter_map(|row| row.get(at));
                let cells = cells.map(|cell| cell.shown(language).chars().count()).max().unwrap_or(0).min(COLUMN_MAX);
                heads[at].iter().map(|line| line.chars().count()).fold(cells, usize::max)
            })
            .collect();
        self.narrow(&mut widths, room);
        let aligned = |at: usize, text: &str| {
            let room = widths.get(at).copied().unwrap_or(0);
            let shown: String = text.chars().take(room).collect();
            if self.is_numeric(at) { format!("{shown:>room$}") } else { format!("{shown:<room$}") }
        };
        let deep = heads.iter().map(Vec::len).max().unwrap_or(0);
        let mut lines = Vec::with_capacity(deep + self.rows.len());
        for down in 0..deep {
            // Titles stand on the bottom line of the head.
            let title = |(at, head): (usize, &Vec<String>)| {
                let text = (down + head.len()).checked_sub(deep).and_then(|line| head.get(line));
                aligned(at, text.map_or("", String::as_str))
            };
            let text = heads.iter().enumerate().map(title).collect::<Vec<_>>().join(BETWEEN);
            lines.push(LaidOut { is_head: true, text: text.trim_end().to_owned() });
        }
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(at, cell)| aligned(at, &cell.shown(language)));
            let text = cells.collect::<Vec<_>>().join(BETWEEN);
            lines.push(LaidOut { is_head: false, text: text.trim_end().to_owned() });
        }
        lines
    }

    fn head(&self, at: usize, language: Language) -> Vec<String> {
        let cells = self.rows.iter().filter_map(|row| row.get(at));
        let cells = cells.map(|cell| cell.shown(language).chars().count()).max().unwrap_or(0).min(COLUMN_MAX);
        lines(&self.columns[at], cells.max(HEAD_MIN))
    }

    /// Takes what is too much from the columns of words, the widest first.
    fn narrow(&self, widths: &mut [usize], room: usize) {
        loop {
            let all = widths.iter().sum::<usize>() + BETWEEN.len() * widths.len().saturating_sub(1);
            let words = (0..widths.len()).filter(|at| !self.is_numeric(*at));
            match words.max_by_key(|at| widths[*at]).filter(|at| all > room && widths[*at] > HEAD_MIN) {
                Some(widest) => widths[widest] -= 1,
                None => return,
            }
        }
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
/// Letters of the narrowest column, whose title may have several lines.
const HEAD_MIN: usize = 10;

impl Document {
    /// As text for a printer or a terminal.
    #[must_use]
    pub fn text(&self, language: Language) -> String {
        let mut out = format!("{}\n", self.title.to_uppercase());
        self.head.iter().for_each(|line| wrapped(&mut out, 0, line));
        for table in &self.tables {
            out.push_str(&format!("\n{}\n", table.title.to_uppercase()));
            table.notes.iter().for_each(|line| wrapped(&mut out, 2, line));
            for line in table.laid_out(language, usize::MAX) {
                out.push_str(&format!("  {}\n", line.text));
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
