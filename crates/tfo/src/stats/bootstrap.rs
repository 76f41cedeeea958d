//! The bootstrap: how much a number computed from a sample would vary with another sample.

use super::{median, quantile_of_sorted};

/// A number, and between what it lies with 95 %.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// What the sample gives.
    pub estimate: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

#[cfg(test)]
impl Interval {
    /// Whether the value is among those that may be.
    pub fn includes(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The medians of both sides of pairs that were measured together, and what they would have been with other pairs: whole pairs are
/// drawn again, so that what disturbs both of a pair stays together.
#[derive(Clone, Debug)]
pub struct Medians {
    seen: (f64, f64),
    resampled: Vec<(f64, f64)>,
}

impl Medians {
    /// `None` of fewer than two pairs.
    pub fn of(pairs: &[(f64, f64)], resamples: usize, random: &mut Random) -> Option<Self> {
        if pairs.len() < 2 {
            return None;
        }
        let (mut first, mut second): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
        let seen = (median(&first)?, median(&second)?);
        let mut resampled = Vec::with_capacity(resamples);
        for _ in 0..resamples {
            for (first, second) in first.iter_mut().zip(&mut second) {
                (*first, *second) = pairs[random.below(pairs.len())];
            }
            resampled.push((median(&first)?, median(&second)?));
        }
        Some(Self { seen, resampled })
    }

    /// The first median divided by the second.
    pub fn ratio(&self) -> Option<Interval> {
        self.interval(|(first, second)| first / second)
    }

    /// The first median less the second.
    pub fn difference(&self) -> Option<Interval> {
        self.interval(|(first, second)| first - second)
    }

    fn interval(&self, number: impl Fn((f64, f64)) -> f64) -> Option<Interval> {
        let mut numbers: Vec<_> = self.resampled.iter().map(|medians| number(*medians)).collect();
        numbers.sort_unstable_by(f64::total_cmp);
        Some(Interval {
            estimate: number(self.seen),
            low: quantile_of_sorted(&numbers, 0.025)?,
            high: quantile_of_sorted(&numbers, 0.975)?,
        })
    }
}

/// Numbers without order from a seed: SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Copy, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator that begins with this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, each nearly as likely as any other.
    pub fn below(&mut self, bound: usize) -> usize {
        // The product's upper half is below the bound.
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_the_published_one() {
        // The reference implementation with seed 1234567.
        let mut random = Random::new(1_234_567);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
        assert!((0..1000).all(|_| random.below(7) < 7));
    }

    fn ratio(pairs: &[(f64, f64)], resamples: usize, seed: u64) -> Option<Interval> {
        Medians::of(pairs, resamples, &mut Random::new(seed))?.ratio()
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let pairs: Vec<_> = (0..30)
            .map(|n| (20.0 + f64::from(n % 7), 40.0 + f64::from(n % 5)))
            .collect();
        let interval = |seed| ratio(&pairs, 1000, seed).unwrap();
        assert_eq!(interval(1), interval(1));
        assert_ne!(interval(1), interval(2));
        let halved = interval(1);
        assert!(halved.low <= halved.estimate && halved.estimate <= halved.high);
        assert!((halved.estimate - 23.0 / 42.0).abs() < 1e-12, "{halved:?}");
        assert!(!halved.includes(1.0));
        let less = Medians::of(&pairs, 1000, &mut Random::new(1))
            .unwrap()
            .difference()
            .unwrap();
        assert_eq!(less.estimate, 23.0 - 42.0);
        assert!(
            less.low < less.estimate && less.estimate < less.high && less.high < -10.0,
            "{less:?}"
        );
    }

    #[test]
    fn it_covers_the_truth_about_as_often_as_it_says() {
        let mut random = Random::new(42);
        let mut noise = |centre: f64| centre + random.below(1000) as f64 / 100.0;
        let samples: Vec<Vec<_>> = (0..300)
            .map(|_| (0..40).map(|_| (noise(20.0), noise(40.0))).collect())
            .collect();
        let truth = 25.0 / 45.0;
        let covered = samples
            .iter()
            .filter(|pairs| ratio(pairs, 400, 7).unwrap().includes(truth))
            .count();
        assert!((270..=300).contains(&covered), "{covered} of 300");
    }

    #[test]
    fn nothing_is_said_of_too_little() {
        assert_eq!(ratio(&[(1.0, 2.0)], 10, 0), None);
        let same = [(1.0, 1.0); 5];
        assert!(ratio(&same, 10, 0).unwrap().includes(1.0));
    }
}
