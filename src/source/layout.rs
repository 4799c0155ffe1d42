//! Which column of a file or query is which column of the profile.
//!
//! It must not look at values. Headers are matched by text, never by position or printed number; a header that
//! nobody knows stops the whole file, so that no value ends under a wrong name (faults, row 48).

pub mod header;
pub mod plain;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::header::{Column, Header};
use self::plain::is_plain;
use super::Cell;
use super::cells::{CellKind, Cells};
use super::profile::Table;

/// How a header deviates from what the profile expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deviation {
    /// Required columns that are not there, and the nearest header seen for the first of them.
    Missing {
        /// The profile's names of the missing columns.
        columns: Vec<String>,
        /// The most similar header that is there.
        nearest: Option<String>,
    },
    /// A header the profile neither reads nor ignores.
    Unknown {
        /// The header as it stands in the file.
        column: String,
        /// The most similar known header.
        nearest: Option<String>,
    },
    /// Two headers mean the same column.
    Twice {
        /// The second of them, as it stands in the file.
        column: String,
    },
}

/// The columns of one file or query, tied to the columns of the profile.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// Headers as they stand in the file, in order.
    pub headers: Vec<Arc<str>>,
    /// Plain name of each column the profile reads → position in the file.
    positions: BTreeMap<String, usize>,
    /// Plain name of each title the profile reads → its label and what stands beside it.
    pub titles: BTreeMap<String, (Arc<str>, String)>,
    /// For each position, whether it only numbers the rows.
    pub numbering: Vec<bool>,
    /// Positions without a header.
    pub unnamed: Vec<usize>,
    /// Position and mark of the table of each column that marks withdrawn rows.
    pub withdrawn: Vec<(usize, usize)>,
    /// Plain first words of rows that sum up.
    pub footers: Vec<String>,
    /// Plain texts of the rows of the header.
    rows: Vec<Vec<String>>,
}

/// What stands between two words, or beside them, without a meaning: spaces, line breaks, quotes, marks of duty.
fn separates(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{a0}' | '\u{feff}' | '*' | '\'' | '"' | '_')
}

/// A header without what people vary: case, spaces, line breaks, quotes, marks of duty.
#[must_use]
pub fn plain_header(header: &str) -> String {
    let mut plain = String::with_capacity(header.len());
    for word in header.split(separates).filter(|word| !word.is_empty()) {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase));
    }
    plain
}

impl Layout {
    /// Ties headers to the profile's columns without complaint; for the score and for rows made by hand.
    #[must_use]
    pub fn loose(table: &Table, headers: &[String]) -> Self {
        let header = Header::own(headers.iter().map(String::as_str));
        Self::of(table, &header, &resolved(table, &wanted(table), &header))
    }

    /// Ties headers to the profile's columns.
    ///
    /// # Errors
    /// The first [`Deviation`]: a required column missing, an unknown header, a column given twice.
    pub fn strict(table: &Table, headers: &[String]) -> Result<Self, Deviation> {
        Self::fitting(table, &Header::single(headers.iter().map(String::as_str)))
    }

    /// Ties a header of one or two rows to the profile's columns.
    ///
    /// # Errors
    /// As [`Layout::strict`].
    pub fn fitting(table: &Table, header: &Header) -> Result<Self, Deviation> {
        let wanted = wanted(table);
        let found = resolved(table, &wanted, header);
        let missing: Vec<String> = wanted
            .iter()
            .zip(&found)
            .filter(|(column, at)| at.is_none() && !column.optional)
            .map(|(column, _)| column.name.to_owned())
            .collect();
        let unread = || header.columns.iter().enumerate().filter(|(at, _)| !found.contains(&Some(*at)));
        if let Some(first) = missing.first() {
            let nearest = nearest(first, unread().map(|(_, column)| column.shown.as_str()));
            return Err(Deviation::Missing { columns: missing, nearest });
        }
        let passed: Vec<String> = passed_over(table).map(plain_header).collect();
        for (_, column) in unread().filter(|(_, column)| !column.whole.is_empty()) {
            if passed.iter().any(|name| column.is(name)) {
                continue;
            }
            if wanted.iter().flat_map(|wanted| &wanted.aliases).any(|alias| column.is(alias)) {
                return Err(Deviation::Twice { column: column.shown.clone() });
            }
            let known = wanted.iter().map(|column| column.name).chain(passed_over(table));
            let nearest = nearest(&column.shown, known);
            return Err(Deviation::Unknown { column: column.shown.clone(), nearest });
        }
        Ok(Self::of(table, header, &found))
    }

    fn of(table: &Table, header: &Header, found: &[Option<usize>]) -> Self {
        let numbers: Vec<String> = table.number_columns.iter().map(|column| plain_header(column)).collect();
        let columns = || header.columns.iter().enumerate();
        let marks = table.withdrawn.iter().enumerate().flat_map(|(mark, withdrawn)| {
            let names: Vec<String> = withdrawn.columns.iter().map(|column| plain_header(column)).collect();
            columns().filter(move |(_, column)| names.iter().any(|name| column.is(name))).map(move |(at, _)| (at, mark))
        });
        let positions =
            wanted(table).into_iter().zip(found).filter_map(|(column, at)| Some((plain_header(column.name), (*at)?)));
        Self {
            headers: columns().map(|(_, column)| Arc::from(column.shown.as_str())).collect(),
            positions: positions.collect(),
            titles: BTreeMap::new(),
            numbering: columns().map(|(_, column)| numbers.iter().any(|name| column.is(name))).collect(),
            unnamed: columns().filter(|(_, column)| column.whole.is_empty()).map(|(at, _)| at).collect(),
            withdrawn: marks.collect(),
            footers: table.footers.iter().map(|footer| plain_header(footer)).collect(),
            rows: header.rows.clone(),
        }
    }

    /// How many of the profile's columns were found: the score of a possible header row.
    #[must_use]
    pub fn hits(&self) -> usize {
        self.positions.len()
    }

    /// Where a column of the profile, named by the first of its headers, stands in the file.
    #[must_use]
    pub fn position(&self, plain_name: &str) -> Option<usize> {
        self.positions.get(plain_name).copied()
    }

    /// What stands above the header under a label that the profile reads.
    #[must_use]
    pub fn title(&self, plain_name: &str) -> Option<Cell<'_>> {
        self.titles.get(plain_name).map(|(column, raw)| Cell { column, raw, kind: CellKind::Text })
    }

    /// Whether a row repeats a row of the header.
    #[must_use]
    pub fn is_repeated_by(&self, cells: &Cells) -> bool {
        self.rows.iter().any(|row| {
            cells.len().max(row.len()) > 0
                && (0..cells.len().max(row.len()))
                    .all(|at| is_plain(cells.get(at).unwrap_or_default(), row.get(at).map_or("", String::as_str)))
        })
    }
}

/// A column that the table reads.
struct Wanted<'a> {
    /// Its name in messages.
    name: &'a str,
    /// Plain headers that mean it.
    aliases: Vec<String>,
    /// Plain header of the column to the left of it.
    after: Option<String>,
    optional: bool,
}

fn wanted(table: &Table) -> Vec<Wanted<'_>> {
    let mut columns: Vec<Wanted<'_>> = Vec::new();
    for spec in table.datasets().flat_map(|(_, fields)| fields.values()).filter(|spec| !spec.columns.is_empty()) {
        let aliases = spec.columns.iter().map(|alias| plain_header(alias));
        match columns.iter_mut().find(|column| column.name == spec.name()) {
            Some(column) => {
                column.aliases.extend(aliases);
                column.optional &= spec.optional;
            }
            None => columns.push(Wanted {
                name: spec.name(),
                aliases: aliases.collect(),
                after: spec.after.as_deref().map(plain_header),
                optional: spec.optional,
            }),
        }
    }
    columns
}

/// Headers that may stand there and are not read, or not as a value.
fn passed_over(table: &Table) -> impl Iterator<Item = &str> {
    let marks = table.withdrawn.iter().flat_map(|mark| &mark.columns);
    let told = table.ignored_columns.iter().chain(&table.number_columns).chain(&table.key);
    told.chain(&table.changed_at).chain(marks).map(String::as_str)
}

/// Every header that a table may have, as [`plain_header`] writes it.
pub fn known_headers(table: &Table) -> impl Iterator<Item = String> {
    wanted(table).into_iter().flat_map(|column| column.aliases).chain(passed_over(table).map(plain_header))
}

/// The position of each wanted column: first those told apart by their neighbour, then by the whole header, then by
/// its lower row alone.
fn resolved(table: &Table, wanted: &[Wanted<'_>], header: &Header) -> Vec<Option<usize>> {
    let mut found: Vec<Option<usize>> = vec![None; wanted.len()];
    let columns = &header.columns;
    let free = |found: &[Option<usize>], from: usize, fits: &dyn Fn(&Column) -> bool| {
        (from..columns.len()).find(|at| fits(&columns[*at]) && !found.contains(&Some(*at)))
    };
    for (at, column) in wanted.iter().enumerate() {
        let Some(after) = &column.after else { continue };
        let anchor = columns.iter().position(|column| column.is(after));
        found[at] = anchor
            .and_then(|anchor| free(&found, anchor + 1, &|header| column.aliases.iter().any(|alias| header.is(alias))));
    }
    let alone = || wanted.iter().enumerate().filter(|(_, column)| column.after.is_none());
    for (at, column) in alone() {
        found[at] = column.aliases.iter().find_map(|alias| free(&found, 0, &|header| header.whole == *alias));
    }
    let passed: Vec<String> = passed_over(table).map(plain_header).collect();
    for (at, column) in alone() {
        let fits = |header: &Column, alias: &String| header.short == *alias && !passed.contains(&header.whole);
        if found[at].is_none() {
            found[at] = column.aliases.iter().find_map(|alias| free(&found, 0, &|header| fits(header, alias)));
        }
    }
    found
}

/// How many of a table's columns a possible header has.
#[must_use]
pub fn hits(table: &Table, header: &Header) -> usize {
    resolved(table, &wanted(table), header).into_iter().flatten().count()
}

/// How many columns of the profile must be recognised before a line is taken for the header: half of the required
/// ones, and two if there are two, so that a title of one word is none.
#[must_use]
pub fn hits_needed(table: &Table) -> usize {
    let columns = wanted(table);
    let required = columns.iter().filter(|column| !column.optional).count();
    required.div_ceil(2).max(columns.len().min(2)).max(1)
}

/// Least similarity (Jaro-Winkler, 0 to 1) at which another name is worth proposing.
const SIMILAR_ENOUGH: f64 = 0.75;

fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let wanted = plain_header(wanted);
    candidates
        .map(|candidate| (strsim::jaro_winkler(&wanted, &plain_header(candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= SIMILAR_ENOUGH)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate.trim().to_owned())
}
