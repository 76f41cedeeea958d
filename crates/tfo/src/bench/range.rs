//! An estimate with its interval.

use serde::Serialize;

use crate::stats::Interval;

/// An estimate and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Range {
    pub(super) estimate: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl From<Interval> for Range {
    fn from(interval: Interval) -> Self {
        Self {
            estimate: rounded(interval.estimate),
            low: rounded(interval.low),
            high: rounded(interval.high),
        }
    }
}

/// To three places: microseconds, or thousandths.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}
