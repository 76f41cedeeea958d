//! How often connections failed or lost their SYN, with Fast Open and without.

use serde::Serialize;

use super::pair::Pair;
use super::range::Range;
use crate::stats::PairCounts;

/// Both kinds of connection, and the difference between them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Reliability {
    pub(super) plain: Trouble,
    pub(super) fast: Trouble,
    /// The share of fast connections in trouble less that of plain ones.
    pub(super) difference: Option<Range>,
}

/// What went wrong with one kind of connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Trouble {
    pub(super) connections: usize,
    /// Those that brought no answer: no connection, silence, a reset, or an end without an answer.
    pub(super) failed: usize,
    /// Those whose SYN or its answer was lost, whatever came of them.
    pub(super) syn_lost: usize,
    /// Those that failed or lost their SYN.
    pub(super) either: usize,
}

impl Reliability {
    pub(super) fn of(pairs: &[Pair]) -> Self {
        let counts = PairCounts::of(
            pairs
                .iter()
                .map(|pair| (pair.fast_in_trouble(), pair.plain_in_trouble())),
        );
        let trouble = |failed: fn(&Pair) -> bool, lost: fn(&Pair) -> bool| Trouble {
            connections: pairs.len(),
            failed: pairs.iter().filter(|pair| failed(pair)).count(),
            syn_lost: pairs.iter().filter(|pair| lost(pair)).count(),
            either: pairs.iter().filter(|pair| failed(pair) || lost(pair)).count(),
        };
        Self {
            plain: trouble(|pair| pair.plain.is_none(), |pair| pair.plain_syn_lost),
            fast: trouble(|pair| pair.fast.is_none(), |pair| pair.fast_syn_lost),
            difference: counts.difference().map(Range::from),
        }
    }

    /// Whether fast connections fail more often, beyond what chance explains.
    pub(super) fn fast_is_worse(&self) -> bool {
        self.difference.is_some_and(|difference| difference.low > 0.0)
    }

    /// Whether fast ones failed more often by more than a single connection, so that nobody should rely on the opposite.
    pub(super) fn fast_may_be_worse(&self) -> bool {
        self.fast.either > self.plain.either + 1
    }

    pub(super) fn is_spotless(&self) -> bool {
        self.plain.either + self.fast.either == 0
    }
}

impl Trouble {
    /// In words: `13 of 40 fast connections (3 failed, 12 lost their SYN)`.
    pub(super) fn in_words(&self, kind: &str) -> String {
        let Self {
            connections,
            failed,
            syn_lost,
            either,
        } = *self;
        let parts: Vec<_> = [(failed, "failed"), (syn_lost, "lost their SYN")]
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        match parts.is_empty() {
            true => format!("{either} of {connections} {kind}"),
            false => format!("{either} of {connections} {kind} ({})", parts.join(", ")),
        }
    }
}
