//! The indices: what is compared with what, whether its tails are restricted, and from where on a value cannot be true.
//!
//! It must not hold tables.

use rust_decimal::{Decimal, RoundingStrategy};

use super::lms::Lms;

/// Decimals of a reported z-score (Permenkes 2/2020 compares rounded scores).
const DECIMALS: u32 = 2;

/// A growth index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Index {
    /// BB/U.
    WeightForAge,
    /// PB/U and TB/U.
    HeightForAge,
    /// BB/PB and BB/TB.
    WeightForHeight,
    /// IMT/U.
    BmiForAge,
    /// LK/U.
    HeadForAge,
    /// LiLA/U.
    ArmForAge,
}

impl Index {
    /// How the field writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WeightForAge => "BB/U",
            Self::HeightForAge => "PB/U atau TB/U",
            Self::WeightForHeight => "BB/PB atau BB/TB",
            Self::BmiForAge => "IMT/U",
            Self::HeadForAge => "LK/U",
            Self::ArmForAge => "LiLA/U",
        }
    }

    /// WHO restricts the tails of what depends on weight or soft tissue; height and head are near normal (L = 1).
    fn is_restricted(self) -> bool {
        !matches!(self, Self::HeightForAge | Self::HeadForAge)
    }

    /// Scores outside these cannot be true: WHO's flags (posyandu records, section 6.2). Those of body mass index and arm
    /// are not in the reference: WHO Anthro's usual limits.
    fn plausible(self) -> (Decimal, Decimal) {
        let (low, high) = match self {
            Self::WeightForAge => (-6, 5),
            Self::HeightForAge => (-6, 6),
            Self::WeightForHeight | Self::BmiForAge | Self::HeadForAge | Self::ArmForAge => (-5, 5),
        };
        (Decimal::from(low), Decimal::from(high))
    }

    /// The score of a measurement; `None` when it has none.
    #[must_use]
    pub fn score(self, row: Lms, measurement: f64) -> Option<Score> {
        if measurement <= 0.0 {
            return None;
        }
        let z = if self.is_restricted() { row.restricted(measurement) } else { row.plain(measurement) };
        let rounded = Decimal::from_f64_retain(z)?
            .round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointAwayFromZero)
            .normalize();
        Some(Score { index: self, z, rounded })
    }
}

/// A z-score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Of which index.
    pub index: Index,
    /// As computed.
    pub z: f64,
    /// Rounded to two decimals, as it is judged and reported.
    pub rounded: Decimal,
}

impl Score {
    /// Whether it lies inside WHO's limits.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        let (low, high) = self.index.plausible();
        low <= self.rounded && self.rounded <= high
    }
}
