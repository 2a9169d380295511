//! Chance that falls the same way each time.
//!
//! Written here because a snapshot of a simulated day must outlive every version of a random number crate.

/// Random numbers from a seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for one question, such as the noise of one server in one minute.
    pub(crate) fn for_question(parts: &[u64]) -> Self {
        parts.iter().fold(Self(0), |mut dice, part| Self(dice.roll() ^ part))
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; zero when `end` is zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let roll = self.roll() % u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(roll).unwrap_or_default()
    }

    /// A number from -1 to 1.
    #[expect(clippy::cast_precision_loss, reason = "shifted to the 53 bits that an f64 holds")]
    pub(crate) fn deviation(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// One of `choices`.
    #[expect(clippy::indexing_slicing, reason = "an array that is not empty, and `below` stays inside")]
    pub(crate) fn pick<T: Copy, const N: usize>(&mut self, choices: &[T; N]) -> T {
        const { assert!(N > 0, "nothing to pick") };
        choices[self.below(N)]
    }

    /// The text form of a UUID.
    pub(crate) fn guid(&mut self) -> String {
        let (high, low) = (self.roll(), self.roll());
        format!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0xfff,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_stays_between_minus_one_and_one_and_is_zero_on_average() {
        let mut dice = Dice::new(2);
        let deviations: Vec<f64> = (0..10_000).map(|_| dice.deviation()).collect();
        assert!(deviations.iter().all(|deviation| (-1.0..=1.0).contains(deviation)));
        assert!((deviations.iter().sum::<f64>() / 10_000.0).abs() < 0.02);
    }

    #[test]
    fn the_order_of_the_parts_of_a_question_matters() {
        assert_ne!(Dice::for_question(&[1, 2]).roll(), Dice::for_question(&[2, 1]).roll());
    }

    #[test]
    fn a_guid_reads_as_one() {
        insta::assert_snapshot!(Dice::new(1).guid(), @"910a2dec-8902-4cc1-aeeb-8da1658eec67");
    }
}
