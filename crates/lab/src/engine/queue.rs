//! Packets that wait for their time or their release.

use std::collections::BTreeMap;

use super::{PortId, Time};

/// As many packets wait for their time at most, and as many for their release.
pub(super) const ROOM: usize = 65_536;

/// A packet to be delivered to a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) at: Time,
    /// The host that sent it; `None` for what the middlebox made itself.
    pub(crate) from: Option<PortId>,
    pub(crate) to: PortId,
    pub(crate) packet: Vec<u8>,
}

/// In order of time, and of arrival where the time is the same.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<(Time, u64), Departure>,
    count: u64,
}

impl Queue {
    /// Whether there was room.
    pub(super) fn push(&mut self, departure: Departure) -> bool {
        if self.waiting.len() >= ROOM {
            return false;
        }
        self.waiting.insert((departure.at, self.count), departure);
        self.count += 1;
        true
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self, now: Time) -> Option<Departure> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
