//! A pair of connections, as it was measured.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::units;

/// A plain and a fast connection, one right after the other.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Pair {
    pub(super) fast_first: bool,
    /// From the SYN to the first byte of the answer; nothing where none came.
    #[serde(rename = "plain_ms", serialize_with = "milliseconds")]
    pub(super) plain: Option<Duration>,
    #[serde(rename = "fast_ms", serialize_with = "milliseconds")]
    pub(super) fast: Option<Duration>,
    /// Whether the SYN was lost, or its answer.
    pub(super) plain_syn_lost: bool,
    pub(super) fast_syn_lost: bool,
    /// What became of the fast one's first bytes; nothing without a connection.
    pub(super) outcome: Option<&'static str>,
    pub(super) syn_bytes: usize,
}

impl Pair {
    pub(super) fn new(fast_first: bool) -> Self {
        Self {
            fast_first,
            plain: None,
            fast: None,
            plain_syn_lost: false,
            fast_syn_lost: false,
            outcome: None,
            syn_bytes: 0,
        }
    }

    /// Whether the connection brought no answer, or only after another SYN.
    pub(super) fn fast_in_trouble(&self) -> bool {
        self.fast.is_none() || self.fast_syn_lost
    }

    pub(super) fn plain_in_trouble(&self) -> bool {
        self.plain.is_none() || self.plain_syn_lost
    }

    /// The times with and without Fast Open in milliseconds, where both connections were answered.
    pub(super) fn times(&self) -> Option<(f64, f64)> {
        Some((units::milliseconds(self.fast?), units::milliseconds(self.plain?)))
    }
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(units::milliseconds).serialize(serializer)
}
