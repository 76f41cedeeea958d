//! Two samples side by side, counted into the same bins.

/// The bins of two samples.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    pub(super) bins: Vec<Bin>,
}

/// How many values of each sample lie between `from` and the next bin's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bin {
    pub(super) from: f64,
    pub(super) first: usize,
    pub(super) second: usize,
}

impl Histogram {
    /// Counts pairs of values into bins of a round width, about as many as asked for.
    pub(super) fn new(pairs: &[(f64, f64)], about: usize) -> Self {
        let values = || pairs.iter().flat_map(|(first, second)| [*first, *second]);
        let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if pairs.is_empty() {
            return Self { bins: Vec::new() };
        }
        let width = round_width((high - low).max(low * 1e-3).max(1e-3) / about as f64);
        let start = (low / width).floor();
        let count = (high / width).floor() - start + 1.0;
        let mut bins: Vec<_> = (0..count as usize)
            .map(|place| Bin {
                from: (start + place as f64) * width,
                first: 0,
                second: 0,
            })
            .collect();
        let place = |value: f64| ((value / width).floor() - start) as usize;
        for (first, second) in pairs {
            bins[place(*first)].first += 1;
            bins[place(*second)].second += 1;
        }
        Self { bins }
    }

    /// The most that any bin holds of one sample.
    pub(super) fn tallest(&self) -> usize {
        self.bins
            .iter()
            .map(|bin| bin.first.max(bin.second))
            .max()
            .unwrap_or(0)
    }
}

/// The next of 1, 2 or 5 times a power of ten.
pub(super) fn round_width(width: f64) -> f64 {
    let power = 10_f64.powf(width.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|round| *round >= width * 0.999_999)
        .unwrap_or(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_round() {
        for (width, round) in [
            (1.0, 1.0),
            (1.1, 2.0),
            (2.1, 5.0),
            (5.1, 10.0),
            (0.03, 0.05),
            (70.0, 100.0),
        ] {
            assert!((round_width(width) - round).abs() < 1e-9, "{width}");
        }
    }

    #[test]
    fn every_value_is_counted_once() {
        let pairs: Vec<_> = (0..100)
            .map(|n| (20.0 + f64::from(n % 9) / 3.0, 40.0 + f64::from(n % 13)))
            .collect();
        let histogram = Histogram::new(&pairs, 16);
        assert!(
            (8..=33).contains(&histogram.bins.len()),
            "{}",
            histogram.bins.len()
        );
        assert_eq!(histogram.bins.iter().map(|bin| bin.first).sum::<usize>(), 100);
        assert_eq!(histogram.bins.iter().map(|bin| bin.second).sum::<usize>(), 100);
        assert!(histogram.bins.is_sorted_by(|one, other| one.from < other.from));
    }

    #[test]
    fn one_value_and_none() {
        assert_eq!(Histogram::new(&[], 10).bins, []);
        let histogram = Histogram::new(&[(5.0, 5.0); 3], 10);
        assert_eq!(
            histogram
                .bins
                .iter()
                .map(|bin| bin.first + bin.second)
                .sum::<usize>(),
            6
        );
        assert_eq!(histogram.tallest(), 3);
    }
}
