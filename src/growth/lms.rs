//! The LMS formulas of WHO, for one row of a table.
//!
//! As published in "WHO Child Growth Standards: Methods and development" (2006), chapter 7, computation of centiles
//! and z-scores. It must not know which index is meant: whether the tails are restricted is the caller's choice.

/// Where WHO's distance between standard deviations replaces the formula.
const RESTRICTED_FROM: f64 = 3.0;
/// The standard deviation inside that one.
const INNER: f64 = 2.0;

/// One row: Box-Cox power, median and coefficient of variation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lms {
    /// Box-Cox power.
    pub l: f64,
    /// Median, in the measurement's unit.
    pub m: f64,
    /// Coefficient of variation.
    pub s: f64,
}

impl Lms {
    /// The measurement at a z-score by the formula alone.
    #[must_use]
    pub fn measurement(self, z: f64) -> f64 {
        if self.l == 0.0 {
            self.m * (self.s * z).exp()
        } else {
            self.m * (1.0 + self.l * self.s * z).powf(self.l.recip())
        }
    }

    /// The z-score of a measurement by the formula alone.
    #[must_use]
    pub fn plain(self, measurement: f64) -> f64 {
        let ratio = measurement / self.m;
        if self.l == 0.0 { ratio.ln() / self.s } else { (ratio.powf(self.l) - 1.0) / (self.l * self.s) }
    }

    /// The z-score with restricted tails: beyond ±3 the distance to SD3 counts in units of SD3 − SD2 of that side.
    #[must_use]
    pub fn restricted(self, measurement: f64) -> f64 {
        let z = self.plain(measurement);
        if z.abs() <= RESTRICTED_FROM {
            return z;
        }
        let side = z.signum();
        let outer = self.measurement(side * RESTRICTED_FROM);
        let distance = (outer - self.measurement(side * INNER)).abs();
        side * RESTRICTED_FROM + (measurement - outer) / distance
    }

    /// The row between this one and the next, at a fraction of the way.
    #[must_use]
    pub fn towards(self, next: Self, fraction: f64) -> Self {
        let between = |from: f64, to: f64| from + fraction * (to - from);
        Self { l: between(self.l, next.l), m: between(self.m, next.m), s: between(self.s, next.s) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_ways_agree_and_the_tails_are_straight(l in -2.5_f64..2.0, s in 0.03_f64..0.16, z in -2.9_f64..2.9) {
            let row = Lms { l, m: 12.0, s };
            prop_assume!(1.0 + l * s * 3.0 > 0.05 && 1.0 - l * s * 3.0 > 0.05);
            prop_assert!((row.plain(row.measurement(z)) - z).abs() < 1e-6);
            let step = row.measurement(3.0) - row.measurement(2.0);
            prop_assert!((row.restricted(row.measurement(3.0) + step * 2.0) - 5.0).abs() < 1e-6);
        }
    }
}
