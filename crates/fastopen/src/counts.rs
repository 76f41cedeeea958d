//! How many connects came to which outcome.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::outcome::{Outcome, Reason};

/// Every outcome, in the order in which they are counted.
const OUTCOMES: [Outcome; 11] = [
    Outcome::Accepted,
    Outcome::NoCookie,
    Outcome::Ignored,
    Outcome::SynLost,
    Outcome::Unknown,
    Outcome::NotAttempted(Reason::Policy),
    Outcome::NotAttempted(Reason::Sysctl),
    Outcome::NotAttempted(Reason::Unsupported),
    Outcome::NotAttempted(Reason::PathMemory),
    Outcome::NotAttempted(Reason::Dataless),
    Outcome::NotAttempted(Reason::Blackhole),
];

static COUNTS: [AtomicU64; OUTCOMES.len()] = [const { AtomicU64::new(0) }; OUTCOMES.len()];
static FAILURES: AtomicU64 = AtomicU64::new(0);

const fn place(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Accepted => 0,
        Outcome::NoCookie => 1,
        Outcome::Ignored => 2,
        Outcome::SynLost => 3,
        Outcome::Unknown => 4,
        Outcome::NotAttempted(Reason::Policy) => 5,
        Outcome::NotAttempted(Reason::Sysctl) => 6,
        Outcome::NotAttempted(Reason::Unsupported) => 7,
        Outcome::NotAttempted(Reason::PathMemory) => 8,
        Outcome::NotAttempted(Reason::Dataless) => 9,
        Outcome::NotAttempted(Reason::Blackhole) => 10,
    }
}

pub(crate) fn count(outcome: Outcome) {
    COUNTS[place(outcome)].fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn count_failure() {
    FAILURES.fetch_add(1, Ordering::Relaxed);
}

/// How many connects of this process came to which outcome, for a program's own metrics.
///
/// Counting costs one atomic addition a connect. The numbers only grow, so an exporter can call them counters.
///
/// ```
/// use fastopen::{Outcome, OutcomeCounts};
///
/// let counts = OutcomeCounts::now();
/// for (outcome, count) in counts.iter() {
///     println!("fastopen_connects_total{{outcome=\"{outcome}\"}} {count}");
/// }
/// println!("fastopen_connect_failures_total {}", counts.failures());
/// # assert_eq!(counts.of(Outcome::Accepted), 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeCounts {
    counts: [u64; OUTCOMES.len()],
    failures: u64,
}

impl OutcomeCounts {
    /// The numbers of this moment, for all connectors of the process together.
    pub fn now() -> Self {
        Self {
            counts: std::array::from_fn(|i| COUNTS[i].load(Ordering::Relaxed)),
            failures: FAILURES.load(Ordering::Relaxed),
        }
    }

    /// How many connections came to that outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.counts[place(outcome)]
    }

    /// Every outcome, and how many connections came to it.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        OUTCOMES.into_iter().zip(self.counts)
    }

    /// How many connects ended without a connection.
    pub fn failures(&self) -> u64 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_has_a_place_of_its_own() {
        for (i, outcome) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(place(outcome), i, "{outcome}");
        }
    }
}
