//! A child's measurements against the standards: which table, which correction, which score.
//!
//! It must not guess: what was not measured, or how it was measured, is left out. WHO's rules: age in days to 1856
//! days (WHO 2006), then in months of 30.4375 days (WHO 2007); a length is lying below 731 days and standing from
//! then on, 0.7 cm apart; oedema makes every score that holds the weight meaningless.

use jiff::civil::Date;
use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::index::{Index, Score};
use super::{Sex, Standards};

/// Last day of the WHO 2006 tables.
const LAST_DAY_2006: i64 = 1856;
/// First day on which a child is compared by its standing height.
const STANDING_FROM_DAY: i64 = 731;
/// What a child is longer lying than standing, in millimetres.
const LYING_EXTRA_MM: i64 = 7;
/// Days of a month: 365.25 / 12.
const DAYS_IN_MONTH: f64 = 30.4375;
/// Table rows to a centimetre of length.
const STEPS_IN_CENTIMETRE: i64 = 10;

/// How a length was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// Lying.
    Lying,
    /// Standing.
    Standing,
}

/// Which standard holds at the child's age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standard {
    /// WHO Child Growth Standards, 0 to 60 months.
    Who2006,
    /// WHO reference, 5 to 19 years.
    Who2007,
}

/// What was measured.
#[derive(Clone, Copy, Debug, Default)]
pub struct Measured {
    /// Weight in kg.
    pub weight: Option<Decimal>,
    /// Length or height in cm.
    pub height: Option<(Decimal, Position)>,
    /// Head circumference in cm.
    pub head: Option<Decimal>,
    /// Arm circumference in cm.
    pub arm: Option<Decimal>,
    /// Pitting oedema of both feet: the weight says nothing about the child's nutrition.
    pub has_oedema: bool,
}

/// What the standards say.
#[derive(Clone, Debug)]
pub struct Assessment {
    /// The standard used.
    pub standard: Standard,
    /// Age in days.
    pub days: i64,
    /// How the length was compared, after correction.
    pub compared_as: Position,
    /// Body mass index in kg/m², from the corrected length.
    pub bmi: Option<Decimal>,
    /// The scores there are, implausible ones included, in the order of [`Index`].
    pub scores: Vec<Score>,
}

impl Assessment {
    /// The score of an index.
    #[must_use]
    pub fn score(&self, index: Index) -> Option<&Score> {
        self.scores.iter().find(|score| score.index == index)
    }
}

/// Age in days; `None` before birth.
#[must_use]
pub fn days_between(born: Date, day: Date) -> Option<i64> {
    let days = born.until(day).ok()?.get_days();
    (days >= 0).then_some(i64::from(days))
}

impl Standards {
    /// Compares a child of an age in days; `None` when no standard holds at that age.
    #[must_use]
    pub fn assess(&self, sex: Sex, days: i64, measured: &Measured) -> Option<Assessment> {
        match days {
            ..0 => None,
            0..=LAST_DAY_2006 => Some(self.assess_2006(sex, days, measured)),
            _ => self.assess_2007(sex, days, measured),
        }
    }

    fn assess_2006(&self, sex: Sex, days: i64, measured: &Measured) -> Assessment {
        let compared_as = if days < STANDING_FROM_DAY { Position::Lying } else { Position::Standing };
        let height = measured.height.map(|(height, position)| corrected(height, position, compared_as));
        let weight = measured.weight.filter(|_| !measured.has_oedema);
        let bmi = weight.zip(height).and_then(|(weight, height)| body_mass_index(weight, height));
        let by_length = match compared_as {
            Position::Lying => &self.weight_for_length,
            Position::Standing => &self.weight_for_height,
        };
        let weight_for_height = weight.zip(height).and_then(|(weight, height)| {
            let (step, fraction) = steps(height)?;
            Index::WeightForHeight.score(by_length.at(sex, step, fraction)?, weight.to_f64()?)
        });
        let by_day = |index: Index, table: &super::table::Table, value: Option<f64>| {
            index.score(table.at(sex, days, 0.0)?, value?)
        };
        let number = |value: Option<Decimal>| value.and_then(|value| value.to_f64());
        let scores = [
            by_day(Index::WeightForAge, &self.weight_for_age, number(weight)),
            by_day(Index::HeightForAge, &self.height_for_age, number(height)),
            weight_for_height,
            by_day(Index::BmiForAge, &self.bmi_for_age, bmi),
            by_day(Index::HeadForAge, &self.head_for_age, number(measured.head)),
            by_day(Index::ArmForAge, &self.arm_for_age, number(measured.arm)),
        ];
        let scores = scores.into_iter().flatten().collect();
        Assessment { standard: Standard::Who2006, days, compared_as, bmi: bmi.and_then(two_decimals), scores }
    }

    /// WHO publishes no correction for children measured lying at this age, so theirs is not compared.
    fn assess_2007(&self, sex: Sex, days: i64, measured: &Measured) -> Option<Assessment> {
        let months = days.to_f64()? / DAYS_IN_MONTH;
        let (month, fraction) = (months.trunc().to_i64()?, months.fract());
        if month > self.bmi_for_age_2007.ends().1 {
            return None;
        }
        let height = measured.height.filter(|(_, position)| *position == Position::Standing).map(|(height, _)| height);
        let weight = measured.weight.filter(|_| !measured.has_oedema);
        let bmi = weight.zip(height).and_then(|(weight, height)| body_mass_index(weight, height));
        let by_month = |index: Index, table: &super::table::Table, value: Option<f64>| {
            index.score(table.at(sex, month, fraction)?, value?)
        };
        let number = |value: Option<Decimal>| value.and_then(|value| value.to_f64());
        let scores = [
            by_month(Index::WeightForAge, &self.weight_for_age_2007, number(weight)),
            by_month(Index::HeightForAge, &self.height_for_age_2007, number(height)),
            by_month(Index::BmiForAge, &self.bmi_for_age_2007, bmi),
        ];
        let scores = scores.into_iter().flatten().collect();
        let (standard, compared_as) = (Standard::Who2007, Position::Standing);
        Some(Assessment { standard, days, compared_as, bmi: bmi.and_then(two_decimals), scores })
    }
}

fn corrected(height: Decimal, measured: Position, compared_as: Position) -> Decimal {
    let extra = Decimal::new(LYING_EXTRA_MM, 1);
    match (measured, compared_as) {
        (Position::Standing, Position::Lying) => height + extra,
        (Position::Lying, Position::Standing) => height - extra,
        _ => height,
    }
}

/// The table's row below a length, and how far the length lies towards the next one.
fn steps(height: Decimal) -> Option<(i64, f64)> {
    let steps = height.checked_mul(Decimal::from(STEPS_IN_CENTIMETRE))?;
    Some((steps.trunc().to_i64()?, steps.fract().to_f64()?))
}

fn body_mass_index(weight: Decimal, height: Decimal) -> Option<f64> {
    let metres = height.to_f64()? / 100.0;
    (metres > 0.0).then_some(weight.to_f64()? / (metres * metres))
}

fn two_decimals(value: f64) -> Option<Decimal> {
    let rounded = Decimal::from_f64_retain(value)?.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero);
    Some(rounded.normalize())
}
