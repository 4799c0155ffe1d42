//! The figures of one posyandu, kelurahan, kecamatan, puskesmas or city; those of parts add up to those of the whole.
//!
//! Numbers only: who was counted is forgotten once the counting is over.

use std::collections::BTreeMap;

use serde::Serialize;

use super::area::Targets;
use crate::ledger::standing::Standing;

/// Children below five by the letters of SKDN (posyandu records, section 5.1). D and what follows count children who
/// came; S and K are known only when somebody counted them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Skdn {
    /// S: registered in the area; none when a part of it is not known.
    pub s: Option<u64>,
    /// K: hold the growth card.
    pub k: Option<u64>,
    /// D: weighed in the period.
    pub d: u64,
    /// N: gained enough, by the card.
    pub n: u64,
    /// T: did not gain enough.
    pub t: u64,
    /// B: first weighing.
    pub b: u64,
    /// O: not weighed the month before.
    pub o: u64,
    /// Weighed, and the card says no letter.
    pub without_letter: u64,
}

/// Terminal digits of a measure: how often each digit of tenths was written.
pub type Digits = [u64; 10];

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Posyandu of the register.
    pub posyandu: u64,
    /// Of those, posyandu with at least one row in the period.
    pub reported: u64,
    /// Days on which a posyandu had visits, added up over posyandu: hari buka held.
    pub days_held: u64,
    /// Days on which they were to open, and persons of each life-cycle group in their areas.
    pub targets: Targets,
    /// Rows and visits by where they stand and why.
    #[serde(flatten)]
    pub standing: Standing,
    /// Local days from service to acceptance, of each accepted visit.
    #[serde(skip)]
    pub delay_days: Vec<u32>,
    /// Minutes from the first reading to acceptance, of each accepted visit.
    #[serde(skip)]
    pub delay_minutes: Vec<u32>,
    /// Persons who came at least once, by life-cycle group.
    pub persons: BTreeMap<String, u64>,
    /// Persons who came to more than one posyandu in the period.
    pub at_several: u64,
    /// Visits by the state of the NIK.
    pub nik: BTreeMap<String, u64>,
    /// SKDN.
    pub skdn: Skdn,
    /// Visits of children.
    pub child_visits: u64,
    /// Of those, without a weight.
    pub without_weight: u64,
    /// Of those, without a length or height.
    pub without_height: u64,
    /// Terminal digits of weights.
    pub weight_digits: Digits,
    /// Terminal digits of lengths and heights.
    pub height_digits: Digits,
    /// How often each rule spoke.
    pub rules: BTreeMap<String, u64>,
    /// Doses given, by antigen and dose: boys, girls.
    pub doses: BTreeMap<String, [u64; 2]>,
    /// Children of 12 to 23 months who came.
    pub one_year_olds: u64,
    /// Of those, complete as the card says.
    pub complete_by_card: u64,
    /// Of those, with every basic dose among the doses that the period's records tell of.
    pub complete_by_doses: u64,
}

fn add<K: Ord + Clone>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, number) in from {
        *to.entry(key.clone()).or_default() += number;
    }
}

/// Known only when both parts are.
fn both(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one? + other?)
}

impl Figures {
    /// Nothing counted yet; what is expected of nothing, and S and K of it, are 0, so that parts add up.
    #[must_use]
    pub fn none() -> Self {
        let skdn = Skdn { s: Some(0), k: Some(0), ..Skdn::default() };
        Self { skdn, targets: Targets::none(), ..Self::default() }
    }

    /// Adds those of another part; what is known of only one of both is not known of the whole.
    pub fn join(&mut self, other: &Self) {
        let (own, more) = (&mut self.skdn, &other.skdn);
        (own.s, own.k) = (both(own.s, more.s), both(own.k, more.k));
        self.targets.join(&other.targets);
        self.count(other);
    }

    /// Adds what was counted in another part, which says nothing about what is expected.
    pub fn count(&mut self, other: &Self) {
        self.posyandu += other.posyandu;
        self.reported += other.reported;
        self.days_held += other.days_held;
        self.standing.join(&other.standing);
        self.delay_days.extend(&other.delay_days);
        self.delay_minutes.extend(&other.delay_minutes);
        add(&mut self.persons, &other.persons);
        self.at_several += other.at_several;
        add(&mut self.nik, &other.nik);
        let (own, more) = (&mut self.skdn, &other.skdn);
        (own.d, own.n, own.t) = (own.d + more.d, own.n + more.n, own.t + more.t);
        (own.b, own.o) = (own.b + more.b, own.o + more.o);
        own.without_letter += more.without_letter;
        self.child_visits += other.child_visits;
        self.without_weight += other.without_weight;
        self.without_height += other.without_height;
        for digit in 0..10 {
            self.weight_digits[digit] += other.weight_digits[digit];
            self.height_digits[digit] += other.height_digits[digit];
        }
        add(&mut self.rules, &other.rules);
        for (dose, [boys, girls]) in &other.doses {
            let own = self.doses.entry(dose.clone()).or_default();
            (own[0], own[1]) = (own[0] + boys, own[1] + girls);
        }
        self.one_year_olds += other.one_year_olds;
        self.complete_by_card += other.complete_by_card;
        self.complete_by_doses += other.complete_by_doses;
    }

    /// How often rules spoke whose name is in a list or ends like it.
    #[must_use]
    pub fn rules_like(&self, is_meant: impl Fn(&str) -> bool) -> u64 {
        self.rules.iter().filter(|(rule, _)| is_meant(rule)).map(|(_, number)| number).sum()
    }
}

/// The middle of some numbers, the lower one of two.
#[must_use]
pub fn median(numbers: &[u32]) -> Option<u32> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// Of the terminal digits, those that are 0 or 5: one in five when nobody rounds.
#[must_use]
pub fn rounded(digits: &Digits) -> (u64, u64) {
    (digits[0] + digits[5], digits.iter().sum())
}

/// Pearson's chi-square of ten digits against an even spread, nine degrees of freedom: above 16.9 is unlikely (5 %) by
/// chance. Nothing below [`DIGITS_MIN`] digits, where it says nothing.
#[must_use]
pub fn chi_square(digits: &Digits) -> Option<f64> {
    let all: u64 = digits.iter().sum();
    let expected = all as f64 / 10.0;
    (all >= DIGITS_MIN).then(|| digits.iter().map(|seen| (*seen as f64 - expected).powi(2) / expected).sum())
}

/// Fewest digits for a chi-square: five expected of each.
pub const DIGITS_MIN: u64 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_and_rounding_shows() {
        assert_eq!((median(&[]), median(&[3]), median(&[9, 1, 5, 2])), (None, Some(3), Some(2)));
        let even = [10; 10];
        assert_eq!((chi_square(&even), rounded(&even)), (Some(0.0), (20, 100)));
        let mut heaped = [0; 10];
        (heaped[0], heaped[5]) = (50, 50);
        assert_eq!((chi_square(&heaped), rounded(&heaped)), (Some(400.0), (100, 100)));
        assert_eq!(chi_square(&[1; 10]), None);
    }

    #[test]
    fn s_is_known_only_when_every_part_knows_it() {
        let known = |s| Figures { skdn: Skdn { s, k: Some(0), ..Skdn::default() }, ..Figures::default() };
        let mut all = Figures::none();
        all.join(&known(Some(3)));
        assert_eq!(all.skdn.s, Some(3));
        all.join(&known(None));
        assert_eq!(all.skdn.s, None);
    }

    #[test]
    fn a_target_is_known_only_when_every_part_knows_it() {
        let posyandu = |days, children| {
            let targets = Targets { days, persons: BTreeMap::from([("bayi_balita_apras", children)]) };
            Figures { targets, ..Figures::default() }
        };
        let mut all = Figures::none();
        all.join(&posyandu(Some(2), 40));
        all.join(&posyandu(Some(1), 60));
        assert_eq!(all.targets, Targets { days: Some(3), persons: BTreeMap::from([("bayi_balita_apras", 100)]) });
        all.join(&posyandu(None, 5));
        assert_eq!((all.targets.days, all.targets.persons["bayi_balita_apras"]), (None, 105));
        all.join(&Figures::default());
        assert_eq!(all.targets, Targets::default());
    }
}
