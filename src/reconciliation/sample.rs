//! A sample of delivered visits when the quota cannot afford all: how many, which, and what they prove. Pure.
//!
//! It is stratified by puskesmas in proportion, drawn by a seed, and its bounds are the exact ones of Clopper and
//! Pearson (Biometrika 26, 1934); with nothing found that is the rule of three. That the population is finite and
//! stratified only makes them safer.

use std::collections::BTreeMap;

use crate::ledger::comparing::Delivered;

/// Halvings until a bound stands to twelve places.
const HALVINGS: u32 = 40;

/// How large a sample must be so that, when nothing is found in it, less than `share` of all differ with this
/// confidence; both between 0 and 1.
#[must_use]
pub fn size(confidence: f64, share: f64) -> u64 {
    ((1.0 - confidence).ln() / (1.0 - share).ln()).ceil().max(1.0) as u64
}

/// Draws so many, each puskesmas in proportion and with one at least; the same seed draws the same.
#[must_use]
pub fn draw(all: &[Delivered], number: usize, seed: u64) -> Vec<Delivered> {
    if number >= all.len() {
        return all.to_vec();
    }
    let mut strata: BTreeMap<&str, Vec<&Delivered>> = BTreeMap::new();
    for one in all {
        strata.entry(&one.puskesmas).or_default().push(one);
    }
    let mut drawn = Vec::new();
    let mut lists: Vec<Vec<&Delivered>> = Vec::new();
    for mut stratum in strata.into_values() {
        stratum.sort_by_key(|one| shuffled(seed, one.entry.number().unsigned_abs()));
        lists.push(stratum);
    }
    for share in shares(&lists.iter().map(Vec::len).collect::<Vec<_>>(), number).into_iter().zip(&lists) {
        drawn.extend(share.1.iter().take(share.0).map(|one| (*one).clone()));
    }
    drawn
}

/// Parts of `number` in proportion to the sizes, by the largest remainder; one at least from each that has any.
fn shares(sizes: &[usize], number: usize) -> Vec<usize> {
    let total: usize = sizes.iter().sum();
    let mut parts: Vec<usize> = sizes.iter().map(|size| (size * number / total.max(1)).max((*size).min(1))).collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(sizes[*at] * number % total.max(1)));
    let mut left = number.saturating_sub(parts.iter().sum());
    for at in order.into_iter().cycle().take(sizes.len() * 2) {
        if left > 0 && parts[at] < sizes[at] {
            parts[at] += 1;
            left -= 1;
        }
    }
    parts
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood 2014): mixes a seed and a number well enough to shuffle by.
fn shuffled(seed: u64, number: u64) -> u64 {
    let mut mixed = seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// The share of all that differs lies between these with this confidence, when `found` of `number` differ. With
/// nothing found the lower one is 0 and all doubt is given to the upper one.
#[must_use]
pub fn bounds(found: u64, number: u64, confidence: f64) -> (f64, f64) {
    if number == 0 {
        return (0.0, 1.0);
    }
    let doubt = 1.0 - confidence;
    let upper_doubt = if found == 0 { doubt } else { doubt / 2.0 };
    let lower_doubt = if found == number { doubt } else { doubt / 2.0 };
    let lower = if found == 0 { 0.0 } else { solve(|share| 1.0 - at_most(found - 1, number, share) < lower_doubt) };
    let upper = if found == number { 1.0 } else { solve(|share| at_most(found, number, share) > upper_doubt) };
    (lower, upper)
}

/// The share up to which something holds.
fn solve(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = (low + high) / 2.0;
        if holds(middle) { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

/// The chance of at most `found` among `number` when each differs with the chance `share`.
fn at_most(found: u64, number: u64, share: f64) -> f64 {
    if share <= 0.0 {
        return 1.0;
    }
    if share >= 1.0 {
        return if found >= number { 1.0 } else { 0.0 };
    }
    let mut logarithm = number as f64 * (1.0 - share).ln();
    let mut sum = logarithm.exp();
    for taken in 1..=found {
        logarithm += ((number - taken + 1) as f64 / taken as f64).ln() + (share / (1.0 - share)).ln();
        sum += logarithm.exp();
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::entry::EntryId;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn delivered(sizes: &[usize]) -> Vec<Delivered> {
        let mut all = Vec::new();
        for (at, size) in sizes.iter().enumerate() {
            for _ in 0..*size {
                all.push(Delivered {
                    entry: EntryId::from_number(i64::try_from(all.len()).unwrap_or(0) + 1),
                    puskesmas: format!("Puskesmas {at}"),
                    service_date: date(2026, 11, 18),
                    resources: 5,
                    types: 3,
                });
            }
        }
        all
    }

    /// Published values: the rule of three, and Clopper and Pearson's for 10 of 100 at 95 %.
    #[test]
    fn bounds_are_those_of_the_books() {
        let near = |one: f64, other: f64| (one - other).abs() < 0.000_6;
        let (lower, upper) = bounds(0, 300, 0.95);
        assert!(near(lower, 0.0) && near(upper, 3.0 / 300.0), "{upper}");
        let (lower, upper) = bounds(10, 100, 0.95);
        assert!(near(lower, 0.049_0) && near(upper, 0.176_2), "{lower} {upper}");
        let (lower, upper) = bounds(1, 1, 0.95);
        assert!(near(lower, 0.05) && near(upper, 1.0), "{lower} {upper}");
        assert_eq!(size(0.95, 0.01), 299);
    }

    proptest! {
        #[test]
        fn a_sample_has_its_size_takes_from_everybody_and_is_the_same_for_a_seed(
            sizes in prop::collection::vec(1_usize..60, 1..9), part in 0.0..1.0_f64, seed: u64
        ) {
            let all = delivered(&sizes);
            let number = ((all.len() as f64 * part) as usize).max(sizes.len());
            let drawn = draw(&all, number, seed);
            prop_assert!(drawn.len() >= number.min(all.len()) && drawn.len() <= number + sizes.len());
            let of = |name: usize| drawn.iter().filter(|one| one.puskesmas == format!("Puskesmas {name}")).count();
            prop_assert!((0..sizes.len()).all(|name| of(name) >= 1));
            prop_assert_eq!(draw(&all, number, seed), drawn);
        }

        #[test]
        fn bounds_hold_the_share_and_grow_narrower(found in 0_u64..40, more in 0_u64..400) {
            let number = found + more + 1;
            let (lower, upper) = bounds(found, number, 0.95);
            let share = found as f64 / number as f64;
            prop_assert!(lower <= share && share <= upper, "{} {} {}", lower, share, upper);
            let (_, wide) = bounds(found, number, 0.99);
            prop_assert!(wide >= upper);
        }
    }
}
