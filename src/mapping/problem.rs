//! A mistake in a mapping file, told as file:line:column with the nearest right name.
//!
//! Written for the person who edits the file; it must not be used for mistakes in records (those are issues).

use std::fmt;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File name, as the editor knows it.
    pub file: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub text: String,
    /// The nearest right name, or what to do.
    pub suggestion: Option<String>,
}

impl Problem {
    /// The line it stands on, with a mark below the column, when the text of the file is at hand.
    #[must_use]
    pub fn excerpt(&self, text: &str) -> Option<String> {
        excerpt(text, self.line, self.column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", self.file, self.line, self.column, self.text)?;
        match &self.suggestion {
            Some(suggestion) => write!(formatter, " ({suggestion})"),
            None => Ok(()),
        }
    }
}

/// A line of a text with its number and a mark below a column, both counted from 1; `None` when there is no such line.
#[must_use]
pub fn excerpt(text: &str, line: usize, column: usize) -> Option<String> {
    excerpt_of(text.lines().nth(line.checked_sub(1)?)?, line, column)
}

/// The same of a line that is at hand by itself; `None` when its place is not known.
#[must_use]
pub fn excerpt_of(shown: &str, line: usize, column: usize) -> Option<String> {
    let shown: String =
        shown.chars().take(EXCERPT_LENGTH_MAX).map(|letter| if letter == '\t' { ' ' } else { letter }).collect();
    let mark = column.checked_sub(1)?.min(shown.chars().count());
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    Some(format!("  {number} | {shown}\n  {margin} | {}^", " ".repeat(mark)))
}

/// Longest part of a line that is shown, in characters.
const EXCERPT_LENGTH_MAX: usize = 160;

/// The candidate most like `name`, phrased as a suggestion; `None` when none is near.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness >= LIKENESS_AT_LEAST)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// Below this Jaro-Winkler likeness (0 to 1) a suggestion would be noise.
const LIKENESS_AT_LEAST: f64 = 0.75;
