//! Classes of Permenkes 2/2020: the judgement that a rounded z-score stands for.
//!
//! The classes are data (`growth/permenkes_2_2020.json`). It must not judge a score that WHO flags as implausible;
//! the caller leaves those out.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;

use super::assess::Standard;
use super::gain::MinimumGain;
use super::index::Index;
use crate::record::words::fold;

/// A class of an index.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Code in the record.
    pub code: String,
    /// The regulation's own words.
    pub category: String,
    low: Option<i64>,
    low_included: bool,
    high: Option<i64>,
    high_included: bool,
    words: Vec<String>,
}

impl Class {
    fn holds(&self, score: Decimal) -> bool {
        let above = self.low.map(Decimal::from).is_none_or(|low| score > low || (self.low_included && score == low));
        let below =
            self.high.map(Decimal::from).is_none_or(|high| score < high || (self.high_included && score == high));
        above && below
    }
}

/// The classes of all indices.
#[derive(Debug)]
pub struct Categories(BTreeMap<String, Vec<Class>>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "source")]
    _source: Vec<String>,
    classes: BTreeMap<String, Vec<Class>>,
    minimum_gain: MinimumGain,
}

/// Reads classes and minimum gain.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<(Categories, MinimumGain), serde_json::Error> {
    let written: Written = serde_json::from_str(text)?;
    Ok((Categories(written.classes), written.minimum_gain))
}

impl Categories {
    fn classes(&self, index: Index, standard: Standard) -> &[Class] {
        let name = match (index, standard) {
            (Index::WeightForAge, Standard::Who2006) => "bbu",
            (Index::HeightForAge, Standard::Who2006) => "tbu",
            (Index::WeightForHeight, Standard::Who2006) => "bbtb",
            (Index::BmiForAge, Standard::Who2006) => "imtu_2006",
            (Index::BmiForAge, Standard::Who2007) => "imtu_2007",
            (Index::HeadForAge, Standard::Who2006) => "lku",
            _ => return &[],
        };
        self.0.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The class of a rounded score; `None` where the regulation has no classes.
    #[must_use]
    pub fn of(&self, index: Index, standard: Standard, rounded: Decimal) -> Option<&Class> {
        self.classes(index, standard).iter().find(|class| class.holds(rounded))
    }

    /// The class that a card's words mean; `None` when they mean none that is known.
    #[must_use]
    pub fn written(&self, index: Index, standard: Standard, folded: &str) -> Option<&Class> {
        self.classes(index, standard).iter().find(|class| class.words.iter().any(|word| fold(word) == folded))
    }
}
