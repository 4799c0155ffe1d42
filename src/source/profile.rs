//! What a source profile says: how a real file or table becomes records. Adding a source touches no Rust.
//!
//! It must not read any source. A profile is refused as a whole when one line of it is wrong, with the line.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::layout::plain_header;

/// The profiles that travel with the program: file name and text.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("eppgbm_csv.yaml", include_str!("../../mappings/sources/eppgbm_csv.yaml")),
    ("register_csv.yaml", include_str!("../../mappings/sources/register_csv.yaml")),
    ("posyandu_laravel.yaml", include_str!("../../mappings/sources/posyandu_laravel.yaml")),
    ("posyandu_register.yaml", include_str!("../../mappings/sources/posyandu_register.yaml")),
];

/// What carries the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A delimited text file.
    Csv,
    /// A SQLite database file.
    Sqlite,
}

/// Character encoding of a delimited file. Declared, never guessed (faults, row 47).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Windows-1252, what older spreadsheets save as "CSV".
    #[serde(rename = "windows-1252")]
    Windows1252,
    /// UTF-16, little endian, with a byte order mark.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big endian, with a byte order mark.
    #[serde(rename = "utf-16be")]
    Utf16Be,
}

/// What stands between the whole and the fraction of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// `10.5`
    #[default]
    Point,
    /// `10,5`
    Comma,
}

/// A way of writing dates that a source uses. What is not listed is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateStyle {
    /// `2026-11-18`, also with a time behind it.
    Iso,
    /// `18/11/2026`, `18-11-2026`, `18.11.2026`.
    DayFirst,
    /// `18 Nov 2026`, `15 nopember 2022`.
    MonthName,
    /// Days since 1899-12-30, as spreadsheets count.
    Serial,
}

/// How one cell is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Text as written, spaces tidied.
    #[default]
    Text,
    /// A person's name.
    Name,
    /// A 16-digit population number.
    Nik,
    /// A phone number; a lost leading zero is put back.
    Phone,
    /// A date in one of the profile's styles.
    Date,
    /// A time of day, `08:00`.
    Time,
    /// A measured number.
    Number,
    /// A number the source computed itself; unreadable ones are dropped.
    Computed,
    /// One of the field's codes, found by the words listed beside it.
    Words,
    /// Yes or no, found by the words listed beside it (`true`, `false`).
    Flag,
    /// A count of vitamin A capsules; the colour follows from the age.
    Capsules,
    /// An age written out, used only to compare.
    Age,
    /// A vaccine name, with or without its dose.
    Vaccine,
    /// A dose number.
    Dose,
    /// Words or a sentence that say why something was not done.
    Reason,
}

/// How one record field is read from a column.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldSpec {
    /// Column headers that mean this column; the first is used in messages.
    pub columns: Vec<String>,
    /// How the cell is read.
    #[serde(default)]
    pub format: Format,
    /// The file is accepted without this column.
    #[serde(default)]
    pub optional: bool,
    /// Words that stand for each code of the field.
    #[serde(default)]
    pub words: BTreeMap<String, Vec<String>>,
    /// Separators of a cell that holds two things, such as `RT/RW`.
    #[serde(default)]
    pub split: Vec<String>,
    /// Which part of a split cell belongs to this field, from 1.
    #[serde(default)]
    pub part: Option<usize>,
}

impl FieldSpec {
    /// A word that is listed under two codes: the profile must choose, not the order of its lines.
    fn ambiguous_word(&self) -> Option<&str> {
        let mut codes: BTreeMap<String, &str> = BTreeMap::new();
        let listed = self.words.iter().flat_map(|(code, words)| words.iter().map(move |word| (code, word)));
        listed.into_iter().find_map(|(code, word)| {
            let known = codes.entry(plain_header(word)).or_insert(code);
            (*known != code).then_some(word.as_str())
        })
    }
}

/// The fields of one dataset.
pub type FieldSpecs = BTreeMap<String, FieldSpec>;

/// A table of a database, or the one table of a delimited file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Name people know it by; in a database it is part of each row's place.
    pub name: String,
    /// The query of a database table. It must give every key column and must not order or limit.
    #[serde(default)]
    pub query: Option<String>,
    /// Columns of the query that together identify a row.
    #[serde(default)]
    pub key: Vec<String>,
    /// Headers that may be present and are not read.
    #[serde(default)]
    pub ignored_columns: Vec<String>,
    /// Headers that number the rows: a row with nothing else is empty.
    #[serde(default)]
    pub number_columns: Vec<String>,
    /// First words of a row that sums up the rows above it.
    #[serde(default)]
    pub footers: Vec<String>,
    /// Which datasets a row yields, and each field's column.
    pub records: BTreeMap<String, FieldSpecs>,
    /// Dataset → field that must be filled for the row to yield that dataset.
    #[serde(default)]
    pub only_with: BTreeMap<String, String>,
}

/// A checked source profile.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Name of the profile: the file name without its ending.
    pub name: String,
    /// What the source is, for people.
    pub title: String,
    /// What carries the rows.
    pub kind: Kind,
    /// Character encoding of a delimited file.
    pub encoding: Encoding,
    /// Delimiter of a delimited file, one ASCII character.
    pub delimiter: u8,
    /// Decimal mark of measured numbers.
    pub decimal: DecimalMark,
    /// Date styles the source uses, tried in order.
    pub dates: Vec<DateStyle>,
    /// The tables, in reading order.
    pub tables: Vec<Table>,
    /// Whether the rows fill the register of posyandu instead of yielding visits.
    pub posyandu: bool,
    /// The datasets that the rows yield.
    pub datasets: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    kind: Kind,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    delimiter: Option<char>,
    #[serde(default)]
    decimal: DecimalMark,
    dates: Vec<DateStyle>,
    tables: Vec<Table>,
}

/// Why a profile is refused.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The YAML cannot be read, or a key or word in it is unknown.
    #[error("{file}:{line}:{column}: {reason}")]
    Text {
        /// Profile file.
        file: String,
        /// Line, from 1; 0 when unknown.
        line: u64,
        /// Column, from 1; 0 when unknown.
        column: u64,
        /// What is wrong.
        reason: String,
    },
    /// The parts of the profile do not fit together.
    #[error("{file}: {reason}")]
    Meaning {
        /// Profile file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

/// Name of the dataset that fills the register of posyandu.
const REGISTER_DATASET: &str = "posyandu";

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`ProfileError`] names the file and, for a mistake in the text, line and column.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, ProfileError> {
        let written: Written = serde_saphyr::from_str(text).map_err(|error| {
            let at = error.location();
            ProfileError::Text {
                file: file_name.to_owned(),
                line: at.map_or(0, |at| at.line()),
                column: at.map_or(0, |at| at.column()),
                reason: error.without_snippet().to_string().replace('\n', " "),
            }
        })?;
        let datasets: BTreeSet<String> =
            written.tables.iter().flat_map(|table| table.records.keys().cloned()).collect();
        let stem = file_name.rsplit('/').next().unwrap_or(file_name);
        let profile = Self {
            name: stem.split('.').next().unwrap_or(stem).to_owned(),
            title: written.title,
            kind: written.kind,
            encoding: written.encoding,
            delimiter: u8::try_from(written.delimiter.unwrap_or(',')).unwrap_or(0),
            decimal: written.decimal,
            dates: written.dates,
            tables: written.tables,
            posyandu: datasets.contains(REGISTER_DATASET),
            datasets,
        };
        match profile.mistake() {
            Some(reason) => Err(ProfileError::Meaning { file: file_name.to_owned(), reason }),
            None => Ok(profile),
        }
    }

    fn mistake(&self) -> Option<String> {
        if self.tables.is_empty() || self.datasets.is_empty() {
            return Some("no table yields a record".to_owned());
        }
        if !self.delimiter.is_ascii() || self.delimiter == 0 || self.delimiter == b'"' {
            return Some("`delimiter` must be one ASCII character other than a quote".to_owned());
        }
        if self.kind == Kind::Csv && self.tables.len() != 1 {
            return Some("a csv profile has exactly one table".to_owned());
        }
        if self.posyandu && self.datasets.len() != 1 {
            return Some("a profile that fills the register of posyandu yields nothing else".to_owned());
        }
        self.tables.iter().find_map(|table| self.mistake_in(table))
    }

    fn mistake_in(&self, table: &Table) -> Option<String> {
        let name = &table.name;
        match (self.kind, &table.query, table.key.is_empty()) {
            (Kind::Sqlite, None, _) => return Some(format!("table `{name}` needs a `query`")),
            (Kind::Sqlite, Some(_), true) => return Some(format!("table `{name}` needs its `key` columns")),
            (Kind::Csv, Some(_), _) => return Some("a csv profile has no `query`".to_owned()),
            _ => {}
        }
        for (dataset, field) in &table.only_with {
            if !table.records.get(dataset).is_some_and(|fields| fields.contains_key(field)) {
                return Some(format!("table `{name}`: `only_with` names {dataset}.{field}, which is not read"));
            }
        }
        let mut seen: BTreeMap<String, &str> = BTreeMap::new();
        for (dataset, fields) in &table.records {
            for (field, spec) in fields {
                let Some(first) = spec.columns.first() else {
                    return Some(format!("table `{name}`: {dataset}.{field} names no column"));
                };
                if spec.part.is_some() == spec.split.is_empty() {
                    return Some(format!("table `{name}`: {dataset}.{field}: `part` and `split` go together"));
                }
                if let Some(word) = spec.ambiguous_word() {
                    return Some(format!("table `{name}`: {dataset}.{field}: `{word}` stands for two codes"));
                }
                for alias in &spec.columns {
                    let known = seen.entry(plain_header(alias)).or_insert(first);
                    if known != first {
                        return Some(format!("table `{name}`: `{alias}` means two columns: {known} and {first}"));
                    }
                }
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_are_accepted() {
        for (file, text) in BUILT_IN {
            let profile = Profile::parse(file, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(format!("{}.yaml", profile.name), file);
            assert_eq!(profile.posyandu, file == "posyandu_register.yaml");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text = "title: x\nkind: csv\ndates: [iso]\ntables:\n  - name: t\n    colour: red\n    records: {}\n";
        let error = Profile::parse("a.yaml", text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("a.yaml:6:"), "{error}");
        assert!(error.contains("colour"), "{error}");
    }

    #[test]
    fn a_word_with_two_meanings_is_refused() {
        let (file, text) = BUILT_IN[3];
        let error = Profile::parse(file, &text.replace("WITA: [WITA,", "WITA: [wib,")).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("stands for two codes"), "{error}");
    }
}
