//! The cells of one row in one piece of text: what every carrier of rows gives, before anything means anything.
//!
//! It must not interpret. One allocation per row, not one per cell: reading a city's files is mostly this.

use super::is_blank;

/// What a carrier knows about a cell besides its text. Text files know nothing: all their cells are `Text`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CellKind {
    /// Text, or a carrier without types.
    #[default]
    Text,
    /// A number; a spreadsheet keeps 15 digits of it.
    Number,
    /// A date or date and time, written `2026-11-18` or `2026-11-18 08:30:00`.
    Date,
    /// True or false, written `1` or `0`.
    Boolean,
    /// An error value of a formula, such as `#N/A`.
    Error,
}

/// The cells of one row.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    /// The texts with one ASCII character between two of them, whichever it is: a line of a file is taken as it is.
    text: String,
    /// Where each cell ends.
    ends: Vec<u32>,
    /// Empty while all cells are text.
    kinds: Vec<CellKind>,
    /// Whether it is known that the text is ASCII without zero bytes.
    clean: bool,
}

impl Cells {
    /// No cells yet, with memory for so many of them and so many bytes of text.
    #[must_use]
    pub fn with_capacity(cells: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ends: Vec::with_capacity(cells), kinds: Vec::new(), clean: false }
    }

    /// Adds a cell of text.
    pub fn push(&mut self, text: &str) {
        self.push_as(text, CellKind::Text);
    }

    /// Adds a cell of a known kind.
    pub fn push_as(&mut self, text: &str, kind: CellKind) {
        if kind != CellKind::Text && self.kinds.is_empty() {
            self.kinds.resize(self.ends.len(), CellKind::Text);
        }
        self.clean = false;
        if !self.ends.is_empty() {
            self.text.push('\t');
        }
        self.text.push_str(text);
        self.ends.push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        if kind != CellKind::Text || !self.kinds.is_empty() {
            self.kinds.push(kind);
        }
    }

    /// The cells of a line whose text is also the text of its cells, one ASCII character between two of them.
    /// `ends` are the positions where the cells end, in order; the last is the length of the line.
    /// `clean` says that the text is ASCII without zero bytes.
    pub(super) fn of_line(line: &str, ends: Vec<u32>, clean: bool) -> Self {
        Self { text: line.to_owned(), ends, kinds: Vec::new(), clean }
    }

    /// Whether it is known that nothing in the text can be damaged: who does not know must look.
    pub(super) fn are_clean(&self) -> bool {
        self.clean
    }

    /// All texts, with one character between two of them.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Forgets all cells and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.kinds.clear();
    }

    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The text of a cell.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&str> {
        let end = *self.ends.get(at)? as usize;
        let start = if at == 0 { 0 } else { *self.ends.get(at - 1)? as usize + 1 };
        self.text.get(start..end)
    }

    /// What is known about a cell.
    #[must_use]
    pub fn kind(&self, at: usize) -> CellKind {
        self.kinds.get(at).copied().unwrap_or_default()
    }

    /// The texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|at| self.get(at).unwrap_or_default())
    }

    /// Keeps the first cells only.
    pub fn truncate(&mut self, count: usize) {
        if count < self.len() {
            let end = if count == 0 { 0 } else { self.ends[count - 1] as usize };
            self.text.truncate(end);
            self.ends.truncate(count);
            self.kinds.truncate(count);
        }
    }

    /// Whether no cell holds anything.
    #[must_use]
    pub fn are_blank(&self) -> bool {
        self.iter().all(is_blank)
    }
}

impl PartialEq for Cells {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && (0..self.len()).all(|at| self.get(at) == other.get(at) && self.kind(at) == other.kind(at))
    }
}

impl Eq for Cells {}

impl<'a> FromIterator<&'a str> for Cells {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut cells = Self::default();
        texts.into_iter().for_each(|text| cells.push(text));
        cells
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_keep_text_and_kind() {
        let mut cells: Cells = ["a", "", "b"].into_iter().collect();
        cells.push_as("10.5", CellKind::Number);
        cells.push("c");
        assert_eq!(cells.iter().collect::<Vec<_>>(), ["a", "", "b", "10.5", "c"]);
        assert_eq!([cells.kind(0), cells.kind(3), cells.kind(4)], [CellKind::Text, CellKind::Number, CellKind::Text]);
        let mut line = Cells::of_line("a,,b,10.5,c", vec![1, 2, 4, 9, 11], true);
        assert_ne!(line, cells);
        line.truncate(3);
        assert_eq!(line, ["a", "", "b"].into_iter().collect());
        cells.truncate(2);
        assert_eq!(cells.iter().collect::<Vec<_>>(), ["a", ""]);
    }
}
