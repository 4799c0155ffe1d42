//! Growth standards: what WHO 2006 and 2007 and Permenkes 2/2020 say about a child's measurements.
//!
//! Pure: numbers in, z-scores and classes out. It must not know FHIR, and it never changes what was written down: a
//! card that says otherwise becomes an issue beside the computed value.

pub mod assess;
pub mod category;
pub mod compare;
pub mod gain;
pub mod index;
pub mod lms;
pub mod pertumbuhan;
pub mod table;
pub mod weighing;

use category::Categories;
use gain::MinimumGain;
use table::{Table, TableError};

/// A child's sex, as the tables tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Boys.
    Male,
    /// Girls.
    Female,
}

impl Sex {
    /// Reads the field's letter.
    #[must_use]
    pub fn from_letter(letter: &str) -> Option<Self> {
        match letter {
            "L" => Some(Self::Male),
            "P" => Some(Self::Female),
            _ => None,
        }
    }
}

/// All tables, read once.
#[derive(Debug)]
pub struct Standards {
    weight_for_age: Table,
    height_for_age: Table,
    weight_for_length: Table,
    weight_for_height: Table,
    bmi_for_age: Table,
    head_for_age: Table,
    arm_for_age: Table,
    weight_for_age_2007: Table,
    height_for_age_2007: Table,
    bmi_for_age_2007: Table,
    /// Classes of Permenkes 2/2020.
    pub categories: Categories,
    /// Minimum weight gain by month.
    pub minimum_gain: MinimumGain,
}

/// Why the standards cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GrowthError {
    /// A table is damaged.
    #[error("the growth table {name} cannot be read")]
    Table {
        /// File name.
        name: &'static str,
        /// What is wrong with it.
        #[source]
        source: TableError,
    },
    /// The classes are damaged.
    #[error("the nutrition classes cannot be read")]
    Categories(#[from] serde_json::Error),
}

/// Reads one of the tables in `growth/`, given in steps of `$per_unit` to the unit of its second column.
macro_rules! table {
    ($name:literal, $per_unit:expr) => {
        Table::parse(include_str!(concat!("../../growth/", $name, ".csv")), $per_unit)
            .map_err(|source| GrowthError::Table { name: $name, source })?
    };
}

/// Table rows to a day or month of age.
const PER_AGE: f64 = 1.0;
/// Table rows to a centimetre.
const PER_CENTIMETRE: f64 = 10.0;

impl Standards {
    /// The standards that travel with the program.
    ///
    /// # Errors
    /// [`GrowthError`] names the file that cannot be read.
    pub fn built_in() -> Result<Self, GrowthError> {
        let (categories, minimum_gain) = category::parse(include_str!("../../growth/permenkes_2_2020.json"))?;
        Ok(Self {
            weight_for_age: table!("who_2006_weight_for_age", PER_AGE),
            height_for_age: table!("who_2006_length_height_for_age", PER_AGE),
            weight_for_length: table!("who_2006_weight_for_length", PER_CENTIMETRE),
            weight_for_height: table!("who_2006_weight_for_height", PER_CENTIMETRE),
            bmi_for_age: table!("who_2006_bmi_for_age", PER_AGE),
            head_for_age: table!("who_2006_head_for_age", PER_AGE),
            arm_for_age: table!("who_2006_arm_for_age", PER_AGE),
            weight_for_age_2007: table!("who_2007_weight_for_age", PER_AGE),
            height_for_age_2007: table!("who_2007_height_for_age", PER_AGE),
            bmi_for_age_2007: table!("who_2007_bmi_for_age", PER_AGE),
            categories,
            minimum_gain,
        })
    }
}
