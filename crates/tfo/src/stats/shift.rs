//! By how much one sample lies below another: Hodges and Lehmann's estimate, with the exact interval that belongs to Mann and
//! Whitney's test. It assumes nothing of how the values are distributed, and knows when there are too few of them.

use super::quantile_of_sorted;

/// How much smaller the values of one sample are than those of another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shift {
    /// The median of all differences.
    pub(crate) estimate: f64,
    /// The 95 % interval; `None` where there are too few values for one.
    pub(crate) interval: Option<(f64, f64)>,
}

/// How much smaller the values of `low` are than those of `high`; `None` if one of them is empty.
pub(crate) fn shift(high: &[f64], low: &[f64]) -> Option<Shift> {
    let mut differences: Vec<f64> = high
        .iter()
        .flat_map(|high| low.iter().map(move |low| high - low))
        .collect();
    differences.sort_unstable_by(f64::total_cmp);
    let estimate = quantile_of_sorted(&differences, 0.5)?;
    let cut = cut(high.len(), low.len());
    let interval = cut.map(|cut| (differences[cut], differences[differences.len() - 1 - cut]));
    Some(Shift { estimate, interval })
}

/// How many differences lie outside the 95 % interval at either end; `None` if not even all of them make one.
fn cut(n: usize, m: usize) -> Option<usize> {
    const TAIL: f64 = 0.025;
    const EXACT_UP_TO: usize = 60;
    if n.max(m) > EXACT_UP_TO {
        let (n, m) = (n as f64, m as f64);
        let deviation = (n * m * (n + m + 1.0) / 12.0).sqrt();
        let cut = n * m / 2.0 - 1.959_964 * deviation;
        return (cut >= 0.0).then_some(cut as usize);
    }
    let ways = ways(n, m);
    let all: f64 = ways.iter().sum();
    let mut tail = 0.0;
    let within = ways.iter().take_while(|ways| {
        tail += **ways / all;
        tail <= TAIL
    });
    within.count().checked_sub(1)
}

/// For each value of Mann and Whitney's U the number of orders of `n` and `m` values that have it.
fn ways(n: usize, m: usize) -> Vec<f64> {
    // The coefficients of the Gaussian binomial: the product of (1 - q^(m+i)) / (1 - q^i).
    let top = n * m;
    let mut ways = vec![0.0; top + 1];
    ways[0] = 1.0;
    for i in 1..=n {
        for u in (m + i..=top).rev() {
            ways[u] -= ways[u - m - i];
        }
        for u in i..=top {
            ways[u] += ways[u - i];
        }
    }
    ways
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_orders_are_counted() {
        assert_eq!(ways(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
        let ways = ways(8, 5);
        assert_eq!(ways.iter().sum::<f64>(), 1287.0, "13 over 5");
        assert_eq!(ways.iter().rev().copied().collect::<Vec<_>>(), ways);
    }

    #[test]
    fn critical_values_are_those_of_the_tables() {
        // Mann and Whitney, two-sided 5 %: U must be at most this.
        for (n, m, critical) in [
            (4, 4, 0),
            (3, 5, 0),
            (5, 5, 2),
            (8, 8, 13),
            (10, 10, 23),
            (10, 20, 55),
            (20, 20, 127),
        ] {
            assert_eq!(cut(n, m), Some(critical), "{n} {m}");
            assert_eq!(cut(m, n), Some(critical), "{m} {n}");
        }
        assert_eq!(cut(3, 3), None, "too few");
        assert_eq!(cut(1, 30), None);
        let (exact, near) = (cut(60, 60).unwrap() as f64, cut(61, 60).unwrap() as f64);
        assert!((near / exact - 61.0 / 60.0).abs() < 0.01, "{exact} {near}");
    }

    #[test]
    fn a_shift_is_found_with_its_interval() {
        // R: wilcox.test(high, low, conf.int = TRUE)
        let high = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        let low = [1.15, 0.88, 0.90, 0.74, 1.21];
        let shift = shift(&high, &low).unwrap();
        assert!((shift.estimate - 0.305).abs() < 1e-9, "{shift:?}");
        let (from, to) = shift.interval.unwrap();
        assert!(
            (from + 0.15).abs() < 1e-9 && (to - 0.76).abs() < 1e-9,
            "{shift:?}"
        );
    }

    #[test]
    fn few_values_have_no_interval() {
        let few = shift(&[40.0], &[20.0]).unwrap();
        assert_eq!((few.estimate, few.interval), (20.0, None));
        assert_eq!(shift(&[], &[20.0]), None);
    }
}
