//! How one record field is read from a column, a title line or a constant of its source.
//!
//! Only shapes; whether they fit together is checked with the whole profile.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::source::layout::plain_header;

/// What stands between the whole and the fraction of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// `10.5`
    #[default]
    Point,
    /// `10,5`
    Comma,
}

/// A way of writing dates that a source uses. What is not listed is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DateStyle {
    /// `2026-11-18`, also with a time behind it.
    Iso,
    /// `18/11/2026`, `18-11-2026`, `18.11.2026`.
    DayFirst,
    /// `11/18/2026`, as American programs write. With `day-first` beside it, a date that is a day both ways stays
    /// ambiguous.
    MonthFirst,
    /// `18 Nov 2026`, `15 nopember 2022`.
    MonthName,
    /// Days since 1899-12-30, as spreadsheets count.
    Serial,
}

/// How one cell is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
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
    /// A BPJS number of 13 digits; lost leading zeros are put back.
    Bpjs,
    /// A date in one of the profile's styles.
    Date,
    /// A time of day, `08:00`.
    Time,
    /// A measured number, with or without its unit; zero and dashes mean that nothing was measured.
    Number,
    /// `120/80`: both numbers of a blood pressure in one cell, which `sistole` and `diastole` share.
    BloodPressure,
    /// A whole number of things or a score, where zero is a value.
    Count,
    /// A number the source computed itself; unreadable ones are dropped.
    Computed,
    /// One of the field's codes, found by the words listed beside it.
    Words,
    /// Yes or no, found by the words listed beside it (`true`, `false`).
    Flag,
    /// Several of the field's codes in one cell, each found by the words listed beside it.
    List,
    /// A count of vitamin A capsules, or words listed beside it that say whether one was given (`true`, `false`);
    /// the colour follows from the age.
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

/// The title whose value is the name of the sheet.
pub const SHEET_TITLE: &str = "*sheet*";

/// How one record field is read from a column.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FieldSpec {
    /// Column headers that mean this column; the first is used in messages.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Several columns have this header: meant is the first to the right of the column with that other header.
    #[serde(default)]
    pub after: Option<String>,
    /// Labels of a value that stands once above the header (`Posyandu: Melati 1`); the first is used in messages.
    /// [`SHEET_TITLE`] stands for the name of the sheet.
    #[serde(default)]
    pub titles: Vec<String>,
    /// The value itself, the same for each row: what a column's position says, such as the antigen it is about.
    #[serde(default)]
    pub constant: Option<String>,
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
    /// The name of a column that is told apart by its neighbour.
    #[serde(skip)]
    beside: String,
}

impl FieldSpec {
    /// The name of the field's column in messages, and under which [`crate::source::Row::cell`] finds it.
    #[must_use]
    pub fn name(&self) -> &str {
        let first = || self.columns.first().or(self.titles.first()).map_or("", String::as_str);
        if self.beside.is_empty() { first() } else { &self.beside }
    }

    /// Columns with the same header get names of their own, `NAMA SUAMI → NIK`.
    pub(super) fn settle_name(&mut self) {
        if let (Some(after), Some(first)) = (&self.after, self.columns.first()) {
            self.beside = format!("{after} → {first}");
        }
    }

    /// A word that is listed under two codes: the profile must choose, not the order of its lines.
    pub(super) fn ambiguous_word(&self) -> Option<&str> {
        let mut codes: BTreeMap<String, &str> = BTreeMap::new();
        let listed = self.words.iter().flat_map(|(code, words)| words.iter().map(move |word| (code, word)));
        listed.into_iter().find_map(|(code, word)| {
            let known = codes.entry(plain_header(word)).or_insert(code);
            (*known != code).then_some(word.as_str())
        })
    }
}
