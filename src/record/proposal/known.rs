//! Which headers the field is known to use for which record field: those of all shipped profiles and the list of
//! `mappings/names/columns.yaml`.
//!
//! It must not look at a file.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::record::group::Group;
use crate::record::schema::Schemas;
use crate::record::words::fold;
use crate::source::layout::plain_header;
use crate::source::profile::field::{FieldSpec, Format};
use crate::source::profile::{Profile, Table, built_in};

const TEXT: &str = include_str!("../../../mappings/names/columns.yaml");
/// Stands in the list for the visit of any group.
const ANY_VISIT: &str = "kunjungan";
/// The register of posyandu has a profile of its own and is not proposed.
const REGISTER: &str = "posyandu";

/// Least similarity (Jaro-Winkler, 0 to 1) at which a header is taken for a misspelt one.
const SIMILAR_MIN: f64 = 0.88;
/// Least share of letters in place (Damerau-Levenshtein, 0 to 1): a common beginning alone is no misspelling.
const SPELLING_MIN: f64 = 0.75;
/// Shortest header that is compared by similarity, in bytes.
const LETTERS_MIN: usize = 4;

/// What a header may mean.
#[derive(Clone, Debug)]
pub struct Meaning {
    /// Dataset.
    pub dataset: String,
    /// Field of it.
    pub field: String,
    /// How the cell is read; its columns are not used.
    pub spec: FieldSpec,
    /// What the profile says besides about each record of the kind, such as the antigen a column is about.
    pub constants: Vec<(String, FieldSpec)>,
    /// Datasets of the tables in which it was seen.
    pub beside: BTreeSet<String>,
    /// How many profiles say so.
    pub count: usize,
}

/// The known headers.
#[derive(Debug)]
pub struct Known {
    /// What may be meant.
    pub meanings: Vec<Meaning>,
    /// Plain header → positions in `meanings`.
    plain: BTreeMap<String, Vec<usize>>,
    /// The same without units and marks.
    loose: BTreeMap<String, Vec<usize>>,
    /// Labels of values above the header → positions in `meanings`.
    pub titles: BTreeMap<String, Vec<usize>>,
    /// Headers that only number rows.
    pub numbering: BTreeSet<String>,
}

/// Why there is nothing to compare with: a file that travels with the program is damaged.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct KnownError {
    file: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    columns: Vec<Column>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    fields: Vec<String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    split: Vec<String>,
    names: Vec<String>,
}

/// A header without what stands in brackets, units, marks and spaces that vary.
#[must_use]
pub fn loose(header: &str) -> String {
    let outside = header.split(['(', '[']).next().unwrap_or(header);
    let spaced: String =
        outside.chars().map(|character| if character.is_alphanumeric() { character } else { ' ' }).collect();
    plain_header(&spaced)
}

impl Known {
    /// The headers that travel with the program.
    ///
    /// # Errors
    /// [`KnownError`] when a file of the program is damaged.
    pub fn built_in(schemas: &Schemas) -> Result<Self, KnownError> {
        let mut known = Self {
            meanings: Vec::new(),
            plain: BTreeMap::new(),
            loose: BTreeMap::new(),
            titles: BTreeMap::new(),
            numbering: ["no", "no.", "nomor", "no urut", "nomor urut", "#"].map(str::to_owned).into(),
        };
        for (file, text) in built_in() {
            let profile = Profile::parse(&file, &text)
                .map_err(|error| KnownError { file: file.clone(), reason: error.to_string() })?;
            profile.tables.iter().filter(|_| !profile.posyandu).for_each(|table| known.learn(table));
        }
        let damaged = |error: serde_saphyr::Error| KnownError {
            file: "mappings/names/columns.yaml".to_owned(),
            reason: error.without_snippet().to_string(),
        };
        let written: Written = serde_saphyr::from_str(TEXT).map_err(damaged)?;
        written.columns.iter().for_each(|column| known.learn_column(column, schemas));
        Ok(known)
    }

    /// What a header means, and whether it stands in the lists as it is.
    #[must_use]
    pub fn find(&self, header: &str) -> Option<(&[usize], bool)> {
        let exact = self.plain.get(&plain_header(header)).map(|found| (found.as_slice(), true));
        exact.or_else(|| self.loose.get(&loose(header)).map(|found| (found.as_slice(), false)))
    }

    /// The most similar known header, with how similar it is (Jaro-Winkler, 0 to 1), if it is similar enough.
    #[must_use]
    pub fn similar(&self, header: &str) -> Option<(&str, f64, &[usize])> {
        let wanted = loose(header);
        let scored = self.loose.iter().map(|(name, found)| (name, strsim::jaro_winkler(&wanted, name), found));
        let near = scored.filter(|(name, score, _)| {
            *score >= SIMILAR_MIN
                && name.len().min(wanted.len()) >= LETTERS_MIN
                && strsim::normalized_damerau_levenshtein(&wanted, name) >= SPELLING_MIN
        });
        let best = near.max_by(|one, other| one.1.total_cmp(&other.1));
        best.map(|(name, score, found)| (name.as_str(), score, found.as_slice()))
    }

    fn learn(&mut self, table: &Table) {
        let beside: BTreeSet<String> = table.datasets().map(|(dataset, _)| dataset.to_owned()).collect();
        self.numbering.extend(table.number_columns.iter().map(|name| plain_header(name)));
        for (dataset, specs) in table.datasets().filter(|(dataset, _)| *dataset != REGISTER) {
            let is_repeated = table.repeated.contains_key(dataset) && !table.records.contains_key(dataset);
            let told = specs.iter().filter(|(_, spec)| is_repeated && spec.constant.is_some());
            let constants: Vec<(String, FieldSpec)> = told.map(|(field, spec)| (field.clone(), spec.clone())).collect();
            // A column that is told apart by its neighbour means nothing by itself.
            for (field, spec) in specs.iter().filter(|(_, spec)| spec.constant.is_none() && spec.after.is_none()) {
                let mut reading = spec.clone();
                reading.columns.clear();
                reading.titles.clear();
                let meaning = Meaning {
                    dataset: dataset.to_owned(),
                    field: field.clone(),
                    spec: reading,
                    constants: constants.clone(),
                    beside: beside.clone(),
                    count: 1,
                };
                let at = self.add(meaning);
                spec.columns.iter().for_each(|name| self.name(name, at));
                for title in spec.titles.iter().filter(|title| title.chars().any(char::is_alphabetic)) {
                    note(&mut self.titles, plain_header(title), at);
                }
            }
        }
    }

    fn learn_column(&mut self, column: &Column, schemas: &Schemas) {
        let visits: Vec<&str> =
            crate::record::reader::ORDER.into_iter().filter(|dataset| Group::by_dataset(dataset).is_some()).collect();
        for (part, name) in column.fields.iter().enumerate() {
            let Some((dataset, field)) = name.split_once('.') else { continue };
            let datasets = if dataset == ANY_VISIT { visits.clone() } else { vec![dataset] };
            let parted = !column.split.is_empty();
            for dataset in datasets.into_iter().filter(|dataset| {
                schemas.get(dataset).is_some_and(|schema| schema.index(field).is_some())
                    && (column.all || !known_before(column, part, dataset, schemas))
            }) {
                let mut spec = FieldSpec::default();
                spec.format = column.format;
                spec.split.clone_from(&column.split);
                spec.part = parted.then_some(part + 1);
                let at = self.add(Meaning {
                    dataset: dataset.to_owned(),
                    field: field.to_owned(),
                    spec,
                    constants: Vec::new(),
                    beside: BTreeSet::new(),
                    count: 1,
                });
                column.names.iter().for_each(|name| self.name(name, at));
            }
        }
    }

    /// The position of a meaning; the same one said twice is one, with the words of both.
    fn add(&mut self, meaning: Meaning) -> usize {
        let told = |meaning: &Meaning| -> Vec<(String, Option<String>)> {
            meaning.constants.iter().map(|(field, spec)| (field.clone(), spec.constant.clone())).collect()
        };
        let same = |known: &Meaning| {
            (&known.dataset, &known.field, known.spec.format, known.spec.part)
                == (&meaning.dataset, &meaning.field, meaning.spec.format, meaning.spec.part)
                && told(known) == told(&meaning)
        };
        if let Some(at) = self.meanings.iter().position(same) {
            let known = &mut self.meanings[at];
            known.beside.extend(meaning.beside);
            known.count += 1;
            merge(&mut known.spec.words, &meaning.spec.words);
            return at;
        }
        self.meanings.push(meaning);
        self.meanings.len() - 1
    }

    fn name(&mut self, name: &str, at: usize) {
        note(&mut self.plain, plain_header(name), at);
        note(&mut self.loose, loose(name), at);
    }
}

fn known_before(column: &Column, part: usize, dataset: &str, schemas: &Schemas) -> bool {
    let names = column.fields.iter().take(part).filter_map(|name| name.split_once('.'));
    let schema = schemas.get(dataset);
    names.into_iter().any(|(_, field)| schema.is_some_and(|schema| schema.index(field).is_some()))
}

fn note(names: &mut BTreeMap<String, Vec<usize>>, name: String, at: usize) {
    if name.is_empty() {
        return;
    }
    let found = names.entry(name).or_default();
    if !found.contains(&at) {
        found.push(at);
    }
}

/// Adds words that do not stand under another code already.
fn merge(words: &mut BTreeMap<String, Vec<String>>, more: &BTreeMap<String, Vec<String>>) {
    for (code, said) in more {
        for word in said {
            let taken = words.iter().any(|(other, words)| {
                let own = other == code;
                words.iter().any(|known| if own { known == word } else { fold(known) == fold(word) })
            });
            if !taken {
                words.entry(code.clone()).or_default().push(word.clone());
            }
        }
    }
}
