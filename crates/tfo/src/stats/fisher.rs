//! Whether something happens more often to one group than to another: Fisher's exact test, and its like for pairs.

/// With which probability the first group would have at least this many of all occurrences, if both were alike: one-sided. `hits` out
/// of `of` for each group.
pub(crate) fn more_often(first: (usize, usize), second: (usize, usize)) -> f64 {
    let ((a, n), (b, m)) = (first, second);
    let hits = a + b;
    let all = ln_choose(n + m, hits);
    let at_least = a..=hits.min(n);
    at_least
        .filter(|x| hits - x <= m)
        .map(|x| (ln_choose(n, x) + ln_choose(m, hits - x) - all).exp())
        .sum::<f64>()
        .min(1.0)
}

/// The logarithm of the number of ways to choose `k` out of `n`.
fn ln_choose(n: usize, k: usize) -> f64 {
    (1..=k).map(|i| ((n - k + i) as f64).ln() - (i as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_probabilities_are_those_of_the_books() {
        // R: fisher.test(matrix(c(3, 1, 1, 3), 2), alternative = "greater"), Fisher's tea.
        assert!((more_often((3, 4), (1, 4)) - 0.242_857).abs() < 1e-6);
        assert!((more_often((3, 3), (0, 5)) - 1.0 / 56.0).abs() < 1e-12);
        assert!((more_often((2, 2), (2, 2)) - 1.0).abs() < 1e-12);
        assert!((more_often((0, 5), (3, 5)) - 1.0).abs() < 1e-12);
        assert_eq!(more_often((0, 0), (0, 0)), 1.0);
    }
}
