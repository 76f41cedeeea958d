//! By how much something happens more often on one side of pairs than on the other.

use super::Interval;

/// How often something happened in pairs: on both sides, on either alone, on neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PairCounts {
    pub(crate) both: usize,
    pub(crate) first_only: usize,
    pub(crate) second_only: usize,
    pub(crate) neither: usize,
}

impl PairCounts {
    pub(crate) fn of(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for pair in pairs {
            *match pair {
                (true, true) => &mut counts.both,
                (true, false) => &mut counts.first_only,
                (false, true) => &mut counts.second_only,
                (false, false) => &mut counts.neither,
            } += 1;
        }
        counts
    }

    /// The share of the first side less that of the second, with its 95 % interval; `None` of no pairs.
    ///
    /// The interval is Newcombe's for paired proportions, from Wilson's for each (Statistics in Medicine 17, 1998, pages 2635 to 2650,
    /// method 10): it holds for small samples and for shares of none or all.
    pub(crate) fn difference(&self) -> Option<Interval> {
        let [a, b, c, d] = [self.both, self.first_only, self.second_only, self.neither].map(|n| n as f64);
        let n = a + b + c + d;
        if n == 0.0 {
            return None;
        }
        let (first, second) = ((a + b) / n, (a + c) / n);
        let (first_low, first_high) = wilson(first, n);
        let (second_low, second_high) = wilson(second, n);
        let correlation = correlation(a, b, c, d, n);
        let reach = |x: f64, y: f64| (x * x - 2.0 * correlation * x * y + y * y).max(0.0).sqrt();
        let estimate = first - second;
        Some(Interval {
            estimate,
            low: estimate - reach(first - first_low, second_high - second),
            high: estimate + reach(first_high - first, second - second_low),
        })
    }
}

/// How alike the two sides of a pair are, with Newcombe's correction for continuity; 0 where a margin is empty.
fn correlation(a: f64, b: f64, c: f64, d: f64, n: f64) -> f64 {
    let margins = (a + b) * (c + d) * (a + c) * (b + d);
    if margins == 0.0 {
        return 0.0;
    }
    let excess = a * d - b * c;
    let corrected = if excess > 0.0 {
        (excess - n / 2.0).max(0.0)
    } else {
        excess
    };
    corrected / margins.sqrt()
}

/// Wilson's 95 % interval for a share of `n`.
fn wilson(share: f64, n: f64) -> (f64, f64) {
    const Z: f64 = 1.959_964;
    let z2 = Z * Z;
    let middle = (2.0 * n * share + z2) / (2.0 * (n + z2));
    let reach = Z * (z2 + 4.0 * n * share * (1.0 - share)).sqrt() / (2.0 * (n + z2));
    ((middle - reach).max(0.0), (middle + reach).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(both: usize, first_only: usize, second_only: usize, neither: usize) -> PairCounts {
        PairCounts {
            both,
            first_only,
            second_only,
            neither,
        }
    }

    #[test]
    fn intervals_are_those_of_the_paper() {
        // The first two are examples of the paper's; the others were computed apart from this program.
        for (counts, estimate, low, high) in [
            (counts(36, 12, 2, 0), 0.2, 0.0569, 0.3404),
            (counts(20, 12, 2, 16), 0.2, 0.0562, 0.3292),
            (counts(0, 29, 1, 20), 0.56, 0.3865, 0.69),
            (counts(0, 30, 0, 20), 0.6, 0.4445, 0.7239),
            (counts(2, 14, 1, 23), 0.325, 0.1462, 0.484),
        ] {
            let interval = counts.difference().unwrap();
            for (found, expected) in [
                (interval.estimate, estimate),
                (interval.low, low),
                (interval.high, high),
            ] {
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{counts:?}: {interval:?}, not {low} to {high}"
                );
            }
        }
        assert_eq!(counts(0, 0, 0, 0).difference(), None);
    }

    #[test]
    fn pairs_are_counted() {
        let pairs = [
            (true, true),
            (true, false),
            (true, false),
            (false, true),
            (false, false),
        ];
        assert_eq!(PairCounts::of(pairs), counts(1, 2, 1, 1));
    }
}
