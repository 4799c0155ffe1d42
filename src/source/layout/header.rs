//! The header of a table as it stands in a file: one row, or two of which the upper one groups the lower.
//!
//! It must not know a profile.

use super::plain_header;
use crate::source::cells::Cells;
use crate::source::{COLUMNS_MAX, is_blank};

/// One column's header.
#[derive(Debug, Default)]
pub struct Column {
    /// As it stands in the file; of two rows `upper / lower`.
    pub shown: String,
    /// Plain text of both rows, one behind the other.
    pub whole: String,
    /// Plain text of the lower row; of the upper one when the lower is empty.
    pub short: String,
}

impl Column {
    /// Whether it is known by a plain name.
    #[must_use]
    pub fn is(&self, plain: &str) -> bool {
        self.whole == plain || self.short == plain
    }
}

/// A possible header. Empty columns at its end are left out.
#[derive(Debug)]
pub struct Header {
    /// The columns in order; one more than [`COLUMNS_MAX`] when there are too many.
    pub columns: Vec<Column>,
    /// The plain texts of its rows, to recognise them when they are repeated.
    pub rows: Vec<Vec<String>>,
}

impl Header {
    /// A header of one row.
    pub fn single<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::own(texts.into_iter().take(COLUMNS_MAX + 1))
    }

    /// A header of one row that this program wrote itself: the fields of all datasets may be more than a file's
    /// columns, and none of them may be lost.
    pub fn own<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let columns = texts.into_iter().map(|text| {
            let plain = plain_header(text);
            Column { shown: text.trim().to_owned(), whole: plain.clone(), short: plain }
        });
        let mut columns: Vec<Column> = columns.collect();
        cut_trailing(&mut columns);
        let row = columns.iter().map(|column| column.whole.clone()).collect();
        Self { columns, rows: vec![row] }
    }

    /// A header of two rows. Merged cells are written once: an empty upper cell belongs to the one on its left.
    #[must_use]
    pub fn double(upper: &Cells, lower: &Cells) -> Self {
        let width = upper.len().max(lower.len()).min(COLUMNS_MAX + 1);
        let mut group = "";
        let mut columns: Vec<Column> = Vec::with_capacity(width);
        for at in 0..width {
            let (above, below) = (upper.get(at).unwrap_or_default(), lower.get(at).unwrap_or_default());
            if !is_blank(above) {
                group = above;
            }
            columns.push(match (is_blank(above), is_blank(below)) {
                (true, true) => Column::default(),
                (false, true) => {
                    let plain = plain_header(above);
                    Column { shown: above.trim().to_owned(), whole: plain.clone(), short: plain }
                }
                (_, false) => {
                    let short = plain_header(below);
                    let whole = format!("{} {short}", plain_header(group)).trim_start().to_owned();
                    let shown = format!("{} / {}", group.trim(), below.trim());
                    Column { shown: shown.trim_start_matches(" / ").to_owned(), whole, short }
                }
            });
        }
        cut_trailing(&mut columns);
        Self { columns, rows: [upper, lower].map(|row| row.iter().map(plain_header).collect()).into() }
    }
}

fn cut_trailing(columns: &mut Vec<Column>) {
    while columns.last().is_some_and(|column| column.whole.is_empty()) {
        columns.pop();
    }
}
