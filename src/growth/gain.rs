//! Weight gain by the KMS card: N, T, B and O, and T twice running.
//!
//! The card's curve is not drawn here; the minimum gain (KBM) alone decides. It must not compare weighings of other
//! months than this one and the month before, and says nothing where a weight cannot be compared.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;

use super::Sex;
use crate::record::date::months_between;

/// Grams of a kilogram.
const GRAMS: i64 = 1000;

/// Least gain in grams since the month before, by completed months at the later weighing: months 1 to 11, then all
/// later ones.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MinimumGain {
    #[serde(rename = "L")]
    male: Vec<i64>,
    #[serde(rename = "P")]
    female: Vec<i64>,
}

impl MinimumGain {
    /// Least gain at an age in completed months, in grams; `None` in the month of birth.
    #[must_use]
    pub fn grams(&self, sex: Sex, months: i64) -> Option<i64> {
        let list = if sex == Sex::Male { &self.male } else { &self.female };
        let at = usize::try_from(months).ok()?.checked_sub(1)?;
        list.get(at).or(list.last()).copied()
    }
}

/// One weighing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighing {
    /// When.
    pub day: Date,
    /// Weight in kg; `None` when the child was weighed but the weight cannot be compared.
    pub weight: Option<Decimal>,
}

/// What the card says about the gain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gain {
    /// N: gained at least the minimum.
    Enough,
    /// T: gained less, nothing, or lost.
    NotEnough,
    /// B: first weighing.
    First,
    /// O: not weighed the month before.
    MissedMonth,
}

impl Gain {
    /// The card's letter.
    #[must_use]
    pub fn letter(self) -> &'static str {
        match self {
            Self::Enough => "N",
            Self::NotEnough => "T",
            Self::First => "B",
            Self::MissedMonth => "O",
        }
    }
}

impl MinimumGain {
    /// The gain at the last of a child's weighings, oldest first; `None` without one, in the month of birth, and where
    /// a weight cannot be compared.
    #[must_use]
    pub fn judge(&self, sex: Sex, born: Date, weighings: &[Weighing]) -> Option<Gain> {
        let (last, earlier) = weighings.split_last()?;
        let month = |day: Date| i64::from(day.year()) * 12 + i64::from(day.month());
        let earlier = || earlier.iter().filter(|one| month(one.day) < month(last.day));
        if earlier().next().is_none() {
            return Some(Gain::First);
        }
        let Some(before) = earlier().rfind(|one| month(one.day) + 1 == month(last.day)) else {
            return Some(Gain::MissedMonth);
        };
        let minimum = self.grams(sex, months_between(born, last.day))?;
        let gained = last.weight?.checked_sub(before.weight?)?.checked_mul(Decimal::from(GRAMS))?;
        Some(if gained >= Decimal::from(minimum) { Gain::Enough } else { Gain::NotEnough })
    }

    /// 2T: T at the last weighing and at the one of the month before.
    #[must_use]
    pub fn is_twice_not_enough(&self, sex: Sex, born: Date, weighings: &[Weighing]) -> bool {
        let is_t = |weighings: &[Weighing]| self.judge(sex, born, weighings) == Some(Gain::NotEnough);
        let month = |day: Date| (day.year(), day.month());
        let Some(last) = weighings.last() else { return false };
        let before = weighings.iter().take_while(|one| month(one.day) < month(last.day)).count();
        is_t(weighings) && is_t(&weighings[..before])
    }
}
