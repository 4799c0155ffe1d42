//! Which column of a file or query is which column of the profile.
//!
//! It must not look at values. Headers are matched by text, never by position or printed number; a header that
//! nobody knows stops the whole file, so that no value ends under a wrong name (faults, row 48).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Cell;
use super::cells::CellKind;
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
#[derive(Debug, Default)]
pub struct Layout {
    /// Headers as they stand in the file, in order.
    pub headers: Vec<Arc<str>>,
    /// Plain name of each column the profile reads → position in the file.
    positions: BTreeMap<String, usize>,
    /// Plain name of each title the profile reads → its label and what stands beside it.
    pub titles: BTreeMap<String, (Arc<str>, String)>,
    /// For each position, whether it only numbers the rows.
    pub numbering: Vec<bool>,
}

/// A header without what people vary: case, spaces, line breaks, quotes, marks of duty.
#[must_use]
pub fn plain_header(header: &str) -> String {
    let mut plain = String::with_capacity(header.len());
    for word in header.split(|character: char| character.is_whitespace() || "\u{a0}\u{feff}*'\"_".contains(character)) {
        if !word.is_empty() {
            if !plain.is_empty() {
                plain.push(' ');
            }
            plain.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
    plain
}

impl Layout {
    /// Ties headers to the profile's columns without complaint; for the score and for rows made by hand.
    #[must_use]
    pub fn loose(table: &Table, headers: &[String]) -> Self {
        let plain: Vec<String> = headers.iter().map(|header| plain_header(header)).collect();
        let mut positions = BTreeMap::new();
        for aliases in aliases_of(table) {
            let names: Vec<String> = aliases.1.iter().map(|alias| plain_header(alias)).collect();
            let found = names.iter().find_map(|name| plain.iter().position(|header| header == name));
            if let (Some(at), Some(first)) = (found, names.first()) {
                positions.insert(first.clone(), at);
            }
        }
        let numbering = plain
            .iter()
            .map(|header| table.number_columns.iter().any(|column| plain_header(column) == *header))
            .collect();
        Self {
            headers: headers.iter().map(|header| Arc::from(header.trim())).collect(),
            positions,
            numbering,
            titles: BTreeMap::new(),
        }
    }

    /// Ties headers to the profile's columns.
    ///
    /// # Errors
    /// The first [`Deviation`]: a required column missing, an unknown header, a column given twice.
    pub fn strict(table: &Table, headers: &[String]) -> Result<Self, Deviation> {
        let layout = Self::loose(table, headers);
        let required = aliases_of(table);
        let missing: Vec<String> = required
            .iter()
            .filter(|(_, aliases, optional)| {
                !optional && !aliases.first().is_some_and(|first| layout.positions.contains_key(&plain_header(first)))
            })
            .map(|(first, _, _)| (*first).to_owned())
            .collect();
        if let Some(first) = missing.first() {
            let unread = headers.iter().enumerate().filter(|(at, _)| !layout.positions.values().any(|p| p == at));
            let nearest = nearest(first, unread.map(|(_, header)| header.as_str()));
            return Err(Deviation::Missing { columns: missing, nearest });
        }
        let mut known: Vec<(String, &str)> = Vec::new();
        for (first, aliases, _) in &required {
            known.extend(aliases.iter().map(|alias| (plain_header(alias), *first)));
        }
        let marks = table.changed_at.iter().chain(table.withdrawn.iter().flat_map(|mark| &mark.columns));
        for column in table.ignored_columns.iter().chain(&table.number_columns).chain(&table.key).chain(marks) {
            known.push((plain_header(column), column));
        }
        let mut seen: Vec<&str> = Vec::new();
        for header in headers.iter().filter(|header| !plain_header(header).is_empty()) {
            let plain = plain_header(header);
            let Some((_, meaning)) = known.iter().find(|(name, _)| *name == plain) else {
                let nearest = nearest(header, known.iter().map(|(_, first)| *first));
                return Err(Deviation::Unknown { column: header.trim().to_owned(), nearest });
            };
            if seen.contains(meaning) {
                return Err(Deviation::Twice { column: header.trim().to_owned() });
            }
            seen.push(meaning);
        }
        Ok(layout)
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
}

/// (name in messages, all aliases, optional) of each distinct column the table reads.
fn aliases_of(table: &Table) -> Vec<(&str, Vec<&str>, bool)> {
    let mut columns: Vec<(&str, Vec<&str>, bool)> = Vec::new();
    for spec in table.datasets().flat_map(|(_, fields)| fields.values()) {
        let Some(first) = spec.columns.first() else { continue };
        let aliases = spec.columns.iter().map(String::as_str);
        match columns.iter_mut().find(|(name, _, _)| name == first) {
            Some((_, all, optional)) => {
                all.extend(aliases);
                *optional &= spec.optional;
            }
            None => columns.push((first, aliases.collect(), spec.optional)),
        }
    }
    columns
}

/// How many columns of the profile must be recognised before a line is taken for the header.
#[must_use]
pub fn hits_needed(table: &Table) -> usize {
    aliases_of(table).iter().filter(|(_, _, optional)| !optional).count().div_ceil(2)
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
