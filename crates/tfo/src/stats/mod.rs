//! Statistics of times and of how often something happens: pure, and deterministic but for a seed.

mod bootstrap;
mod fisher;
mod paired;
mod shift;

pub use bootstrap::{Interval, Medians, Random};
pub(crate) use fisher::more_often;
pub(crate) use paired::PairCounts;
pub(crate) use shift::shift;

/// The middle of the values, or the mean of the two in the middle; `None` of none.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

/// The mean; `None` of none.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The value below which this share of the values lies, linear between two of them; `None` of none.
pub(crate) fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&sorted, share)
}

/// As [`quantile`], of values in ascending order.
pub(crate) fn quantile_of_sorted(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = (below + 1).min(last);
    Some(sorted[below] + part * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_quantiles() {
        assert_eq!((median(&[]), mean(&[])), (None, None));
        assert_eq!(mean(&[1.0, 5.0]), Some(3.0));
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        // R: quantile(c(1, 2, 4, 8), c(0, .25, .9, 1)), type 7
        let values = [8.0, 1.0, 4.0, 2.0];
        for (share, expected) in [(0.0, 1.0), (0.25, 1.75), (0.9, 6.8), (1.0, 8.0)] {
            let quantile = quantile(&values, share).unwrap();
            assert!((quantile - expected).abs() < 1e-12, "{share}: {quantile}");
        }
    }
}
