//! A small seeded generator (SplitMix64), so that a run with the same seed and calls gives the same ids and faults.
//!
//! It must not be used for anything secret: it only has to look random and be repeatable.

/// SplitMix64: one 64-bit word of state, good enough to spread faults and ids.
#[derive(Clone, Debug)]
pub(super) struct Generator(u64);

impl Generator {
    /// A generator that starts from `seed`.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// True with the given probability, which lies between 0 and 1.
    #[allow(clippy::cast_precision_loss)] // 53 bits fit a double exactly
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        ((self.next() >> 11) as f64) / ((1_u64 << 53) as f64) < probability
    }

    /// A version 4 UUID, the form of most server ids.
    pub(super) fn uuid(&mut self) -> uuid::Uuid {
        let bits = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    /// A patient number: `P` and eleven digits (satusehat-api.md, section 7).
    pub(super) fn patient_number(&mut self) -> String {
        format!("P{:011}", self.next() % 100_000_000_000)
    }

    /// An opaque access token.
    pub(super) fn token(&mut self) -> String {
        format!("{:016x}{:016x}", self.next(), self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids() {
        let (mut first, mut second) = (Generator::new(7), Generator::new(7));
        assert_eq!(first.uuid(), second.uuid());
        assert_eq!(first.patient_number().len(), 12);
        assert_eq!(first.uuid().get_version_num(), 4);
    }

    #[test]
    fn probabilities_nought_and_one_are_never_and_always() {
        let mut generator = Generator::new(1);
        assert!((0..1000).all(|_| !generator.chance(0.0) && generator.chance(1.0)));
    }
}
