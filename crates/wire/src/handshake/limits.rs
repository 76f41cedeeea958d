//! The bounds of a tracker, in memory and in time.

use std::time::Duration;

/// How much a [`Tracker`](super::Tracker) keeps, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections are followed at a time, and how many past ones and cookies are remembered. A SYN alone takes about 200 bytes,
    /// a connection with more packets about 1 KiB, and 4 KiB at most.
    pub connections: usize,
    /// How long after its last SYN a connection is unanswered. 120 s is the longest that Linux waits between two SYNs
    /// (`TCP_RTO_MAX`), and the time after which RFC 9293 assumes that packets have left the network.
    pub patience: Duration,
    /// How long after its verdict a connection is still followed for the first data and acknowledgments.
    pub settle: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 65_536,
            patience: Duration::from_secs(120),
            settle: Duration::from_secs(3),
        }
    }
}
