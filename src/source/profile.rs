//! What a source profile says: how a real file or table becomes records. Adding a source touches no Rust.
//!
//! It must not read any source. A profile is refused as a whole when one line of it is wrong, with the line.

pub mod field;
mod grammar;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use field::{DateStyle, DecimalMark, FieldSpec};

/// The profiles that travel with the program, one file each.
#[derive(rust_embed::RustEmbed)]
#[folder = "mappings/sources"]
struct BuiltIn;

/// File name and text of each profile that travels with the program.
#[must_use]
pub fn built_in() -> Vec<(String, String)> {
    let read = |file: std::borrow::Cow<'static, str>| {
        let content = <BuiltIn as rust_embed::RustEmbed>::get(&file)?.data;
        Some((file.into_owned(), String::from_utf8_lossy(&content).into_owned()))
    };
    <BuiltIn as rust_embed::RustEmbed>::iter().filter_map(read).collect()
}

/// What carries the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A file of rows, recognised by its content: delimited text or a workbook.
    File,
    /// Queries on a database.
    Database,
}

/// Character encoding of a delimited file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
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

/// The fields of one dataset.
pub type FieldSpecs = BTreeMap<String, FieldSpec>;

/// Words in a column that say something about the whole row.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Headers that mean this column.
    pub columns: Vec<String>,
    /// The words, in any spelling of case and marks.
    pub words: Vec<String>,
}

fn default_overlap_hours() -> u32 {
    48
}

/// A table of a database, or of a file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
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
    /// Column of the query that says when a row was last changed. With it only what changed lately is read again,
    /// and everything once a day.
    #[serde(default)]
    pub changed_at: Option<String>,
    /// How far back behind the last reading changes are looked for, in hours: clocks differ, transactions are late.
    #[serde(default = "default_overlap_hours")]
    pub overlap_hours: u32,
    /// Names of the sheets it stands on; `*` at the end stands for anything. None means any sheet.
    #[serde(default)]
    pub sheets: Vec<String>,
    /// The life-cycle group its services belong to; else the dataset or the age decides.
    #[serde(default)]
    pub group: Option<String>,
    /// Marks of rows that the source has withdrawn: they are counted and not read.
    #[serde(default)]
    pub withdrawn: Vec<Mark>,
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
    #[serde(default)]
    pub records: BTreeMap<String, FieldSpecs>,
    /// Datasets of which a row yields several records, such as one dose for each vaccine's own date column.
    #[serde(default)]
    pub repeated: BTreeMap<String, Vec<FieldSpecs>>,
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
    /// Character encoding of a delimited file; none means it is recognised.
    pub encoding: Option<Encoding>,
    /// Delimiter of a delimited file, one ASCII character; none means the header decides.
    pub delimiter: Option<u8>,
    /// Names of sheets that hold no records, such as recapitulations; `*` at the end stands for anything.
    pub skipped_sheets: Vec<String>,
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// What the source is, for people.
    title: String,
    /// What carries the rows.
    kind: Kind,
    /// Character encoding of a delimited file; none means it is recognised.
    #[serde(default)]
    encoding: Option<Encoding>,
    /// Delimiter of a delimited file, one ASCII character; none means the header decides.
    #[serde(default)]
    delimiter: Option<char>,
    /// Names of sheets that hold no records, such as recapitulations; `*` at the end stands for anything.
    #[serde(default)]
    skipped_sheets: Vec<String>,
    /// Decimal mark of measured numbers.
    #[serde(default)]
    decimal: DecimalMark,
    /// Date styles the source uses, tried in order.
    dates: Vec<DateStyle>,
    /// The tables, in reading order.
    tables: Vec<Table>,
}

/// The JSON Schema of profiles, as far as it follows from their shape alone.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(Written).to_value()
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
        /// The line as it stands in the file.
        excerpt: String,
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

/// A complaint about an unknown key or word, with the nearest of those that it lists as known. Its place stands in
/// front already.
fn with_suggestion(reason: &str) -> String {
    let reason = reason.split(" at line ").next().unwrap_or(reason);
    let Some((told, known)) = reason.split_once("expected ") else { return reason.to_owned() };
    let Some(unknown) = told.split('`').nth(1) else { return reason.to_owned() };
    let known = known.trim_start_matches("one of ").split([',', ' ', '`']).filter(|word| !word.is_empty());
    let likeness = |known: &str| strsim::jaro_winkler(unknown, known);
    let near = known.filter(|known| likeness(known) >= LIKENESS_AT_LEAST);
    match near.max_by(|one, other| likeness(one).total_cmp(&likeness(other))) {
        Some(near) => format!("{reason} (did you mean `{near}`?)"),
        None => reason.to_owned(),
    }
}

/// Below this Jaro-Winkler likeness (0 to 1) a suggestion would be noise.
const LIKENESS_AT_LEAST: f64 = 0.75;

/// Name of the dataset that fills the register of posyandu.
const REGISTER_DATASET: &str = "posyandu";

impl Profile {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`ProfileError`] names the file and, for a mistake in the text, line and column.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, ProfileError> {
        let mut written: Written = serde_saphyr::from_str(text).map_err(|error| {
            let at = error.location();
            let line = at.and_then(|at| usize::try_from(at.line()).ok()).unwrap_or(0);
            ProfileError::Text {
                excerpt: text.lines().nth(line.saturating_sub(1)).unwrap_or_default().to_owned(),
                file: file_name.to_owned(),
                line: at.map_or(0, |at| at.line()),
                column: at.map_or(0, |at| at.column()),
                reason: with_suggestion(&error.without_snippet().to_string().replace('\n', " ")),
            }
        })?;
        for specs in written.tables.iter_mut().flat_map(Table::specs_mut) {
            specs.values_mut().for_each(FieldSpec::settle_name);
        }
        let datasets: BTreeSet<String> =
            written.tables.iter().flat_map(|table| table.datasets().map(|(dataset, _)| dataset.to_owned())).collect();
        let stem = file_name.rsplit('/').next().unwrap_or(file_name);
        let profile = Self {
            name: stem.split('.').next().unwrap_or(stem).to_owned(),
            title: written.title,
            kind: written.kind,
            encoding: written.encoding,
            delimiter: written.delimiter.map(|delimiter| u8::try_from(delimiter).unwrap_or(0)),
            skipped_sheets: written.skipped_sheets,
            decimal: written.decimal,
            dates: written.dates,
            tables: written.tables,
            posyandu: datasets.contains(REGISTER_DATASET),
            datasets,
        };
        match grammar::mistake(&profile) {
            Some(reason) => Err(ProfileError::Meaning { file: file_name.to_owned(), reason }),
            None => Ok(profile),
        }
    }
}

impl Profile {
    /// A profile that reads nothing, to look at a file that nobody knows yet.
    #[must_use]
    pub fn of_nothing() -> Self {
        Self {
            name: String::new(),
            title: String::new(),
            kind: Kind::File,
            encoding: None,
            delimiter: None,
            skipped_sheets: Vec::new(),
            decimal: DecimalMark::default(),
            dates: Vec::new(),
            tables: Vec::new(),
            posyandu: false,
            datasets: BTreeSet::new(),
        }
    }

    /// Whether some of its rows say when they were changed, so that a reading may leave out the others.
    #[must_use]
    pub fn knows_changes(&self) -> bool {
        self.kind == Kind::Database && self.tables.iter().any(|table| table.changed_at.is_some())
    }
}

impl Table {
    /// Each record that a row may yield: its dataset and how its fields are read.
    pub fn datasets(&self) -> impl Iterator<Item = (&str, &FieldSpecs)> {
        let single = self.records.iter().map(|(dataset, fields)| (dataset.as_str(), fields));
        let repeated = self.repeated.iter().flat_map(|(dataset, all)| all.iter().map(|one| (dataset.as_str(), one)));
        single.chain(repeated)
    }

    fn specs_mut(&mut self) -> impl Iterator<Item = &mut FieldSpecs> {
        self.records.values_mut().chain(self.repeated.values_mut().flatten())
    }
}

#[cfg(test)]
#[allow(clippy::panic, clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_profiles_are_accepted() {
        for (file, text) in built_in() {
            let profile = Profile::parse(&file, &text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(format!("{}.yaml", profile.name), file);
            assert_eq!(profile.posyandu, file == "posyandu_register.yaml");
        }
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let text = "title: x\nkind: file\ndates: [iso]\ntables:\n  - name: t\n    colour: red\n    records: {}\n";
        let error = Profile::parse("a.yaml", text).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.starts_with("a.yaml:6:"), "{error}");
        assert!(error.contains("colour"), "{error}");
        let error = Profile::parse("a.yaml", &text.replace("colour: red", "fotters: [a]")).unwrap_err();
        assert!(error.to_string().contains("did you mean `footers`?"), "{error}");
        assert!(matches!(error, ProfileError::Text { excerpt, .. } if excerpt == "    fotters: [a]"));
    }

    #[track_caller]
    fn refused(change: (&str, &str), reason: &str) {
        let (file, text) = built_in().into_iter().find(|(file, _)| file == "posyandu_register.yaml").unwrap();
        let error = Profile::parse(&file, &text.replace(change.0, change.1)).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }

    #[test]
    fn parts_that_do_not_fit_together_are_refused() {
        refused(("{columns: [nama]}", "{titles: [nama], after: alias}"), "`after` without `columns`");
        refused(("{columns: [nama]}", "{titles: [kode_posyandu]}"), "of a column and of a title");
        refused(("{columns: [nama]}", "{constant: a, titles: [b]}"), "needs one of");
        refused(("dates:", "skipped_sheets: ['a*b']\ndates:"), "stands at the end");
        refused(("footers:", "withdrawn: [{columns: [x], words: []}]\n    footers:"), "needs its columns and words");
    }

    #[test]
    fn a_word_with_two_meanings_is_refused() {
        refused(("WITA: [WITA,", "WITA: [wib,"), "stands for two codes");
    }
}
