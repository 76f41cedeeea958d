//! What two snapshots say together. The JSON form is described by `schemas/watch.json`.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use fastopen_host::counters::Counter;
use serde::{Serialize, Serializer};

use super::snapshot::Snapshot;
use super::sockets::Listening;
use super::tally::{Ends, Incoming, Outgoing};

/// The state of things at one moment, and how fast it changes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Report {
    #[serde(serialize_with = "rfc3339")]
    pub(super) time: SystemTime,
    /// Since the report before; `None` for the first.
    #[serde(rename = "elapsed_s", serialize_with = "seconds")]
    pub(super) elapsed: Option<Duration>,
    pub(super) counters: Vec<CounterRow>,
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
    /// Those that use Fast Open first, then those with the most connections.
    pub(super) listeners: Vec<ListenerRow>,
    pub(super) other_listeners: OtherListeners,
    /// Those with the most connections first.
    pub(super) peers: Vec<PeerRow>,
    pub(super) other_peers: Ends,
    /// Of the server's keys; metrics alone tell them.
    #[serde(skip)]
    pub(super) fingerprints: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct CounterRow {
    #[serde(rename = "name", serialize_with = "counter_name")]
    pub(super) counter: Counter,
    pub(super) value: u64,
    /// How much it rose since the report before.
    pub(super) rise: Option<u64>,
    pub(super) per_second: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct ListenerRow {
    pub(super) address: SocketAddr,
    pub(super) sockets: u64,
    pub(super) fast_open_queue: Option<u64>,
    pub(super) to_accept: u64,
    pub(super) incoming: Incoming,
}

/// The listeners that are not shown one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct OtherListeners {
    pub(super) addresses: u64,
    pub(super) incoming: Incoming,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct PeerRow {
    pub(super) address: IpAddr,
    #[serde(flatten)]
    pub(super) ends: Ends,
}

impl Report {
    /// A snapshot, and what changed since the one before.
    pub(super) fn new(before: Option<&Snapshot>, now: &Snapshot) -> Self {
        let elapsed = before.map(|before| now.taken.duration_since(before.taken));
        let mut listeners: Vec<_> = now.sockets.listeners.iter().map(ListenerRow::new).collect();
        listeners.sort_by_key(|row| {
            let is_fast = row.fast_open_queue.is_some_and(|queue| queue > 0);
            (Reverse((is_fast, row.incoming.total())), row.address)
        });
        let peers = now.sockets.peers.by_size().into_iter();
        Self {
            time: now.time,
            elapsed,
            counters: counters(before, now, elapsed),
            outgoing: now.sockets.all.outgoing,
            incoming: now.sockets.all.incoming,
            listeners,
            other_listeners: OtherListeners::default(),
            peers: peers.map(|(address, ends)| PeerRow { address, ends }).collect(),
            other_peers: now.sockets.peers.others(),
            fingerprints: now.fingerprints.clone(),
        }
    }

    /// The same with at most so many listeners and peers; the others are counted together.
    #[must_use]
    pub(super) fn shortened(mut self, listeners: usize, peers: usize) -> Self {
        for row in self.listeners.drain(listeners.min(self.listeners.len())..) {
            self.other_listeners.addresses += 1;
            self.other_listeners.incoming += row.incoming;
        }
        for row in self.peers.drain(peers.min(self.peers.len())..) {
            self.other_peers += row.ends;
        }
        self
    }
}

fn counters(before: Option<&Snapshot>, now: &Snapshot, elapsed: Option<Duration>) -> Vec<CounterRow> {
    let risen = before.map(|before| now.counters.since(&before.counters));
    let rows = now.counters.iter().map(|(counter, value)| {
        let rise = risen.and_then(|risen| risen.get(counter));
        CounterRow {
            counter,
            value,
            rise,
            per_second: rise.zip(elapsed).map(|(rise, elapsed)| rate(rise, elapsed)),
        }
    });
    rows.collect()
}

/// Rounded to a thousandth: clocks are no better than that here.
fn rate(rise: u64, elapsed: Duration) -> f64 {
    let per_second = rise as f64 / elapsed.as_secs_f64().max(1e-3);
    (per_second * 1000.0).round() / 1000.0
}

impl ListenerRow {
    fn new(listening: &Listening) -> Self {
        let Listening {
            address,
            sockets,
            fast_open_queue,
            to_accept,
            incoming,
        } = *listening;
        Self {
            address,
            sockets,
            fast_open_queue,
            to_accept,
            incoming,
        }
    }
}

fn rfc3339<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_rfc3339_millis(*time))
}

fn seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_micros() as f64 / 1e6)
        .serialize(serializer)
}

fn counter_name<S: Serializer>(counter: &Counter, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(counter.name())
}
