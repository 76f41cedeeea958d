//! How much sooner the answer comes.

use fastopen::Outcome;
use serde::Serialize;

use super::evidence::{Evidence, Trial};
use crate::stats::{median, shift};
use crate::units;

/// The time to the first byte of the answer, plain against fast. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Saving {
    pub(super) fast_median_ms: f64,
    pub(super) plain_median_ms: f64,
    /// How many there were of each.
    pub(super) fast: usize,
    pub(super) plain: usize,
    /// How much sooner: the median of all differences between a plain and a fast connection.
    pub(super) saved_ms: f64,
    /// Its 95 % interval; nothing where there are too few connections for one.
    pub(super) low_ms: Option<f64>,
    pub(super) high_ms: Option<f64>,
}

impl Saving {
    /// Of the connections that were accepted, where there are any. The first connection of all is left out: caches are cold, and it is
    /// always a plain one.
    pub(super) fn of(evidence: &Evidence) -> Option<Self> {
        let times = |which: fn(&Trial) -> bool| -> Vec<f64> {
            let trials = evidence.trials.iter().skip(1).filter(|trial| which(trial));
            trials
                .filter_map(|trial| trial.made()?.first_byte())
                .map(units::milliseconds)
                .collect()
        };
        let fast = times(|trial| trial.outcome() == Some(Outcome::Accepted));
        let plain = times(|trial| !trial.is_fast());
        let shift = shift(&plain, &fast)?;
        Some(Self {
            fast_median_ms: rounded(median(&fast)?),
            plain_median_ms: rounded(median(&plain)?),
            fast: fast.len(),
            plain: plain.len(),
            saved_ms: rounded(shift.estimate),
            low_ms: shift.interval.map(|(low, _)| rounded(low)),
            high_ms: shift.interval.map(|(_, high)| rounded(high)),
        })
    }
}

/// To the microsecond.
fn rounded(milliseconds: f64) -> f64 {
    (milliseconds * 1000.0).round() / 1000.0
}
