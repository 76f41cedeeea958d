//! What the middlebox does, as a pure state machine: packets and the time go in, packets and the time at which to deliver them come
//! out. It has no clock, no socket and no thread.
//!
//! ```text
//!   arrive ─→ undo an address change ─→ find the flow ─→ SYN proxy ─→ rules, in order ─→ hold or ─→ redo the change ─→ queue ─→ depart
//! ```
//!
//! The middlebox stands next to the receiver: a packet has crossed the path when a rule sees it, and an answer that the middlebox
//! makes has the whole path to go back.

#![forbid(unsafe_code)]

mod apply;
mod deliver;
mod direction;
mod flow;
mod matching;
mod proxy;
mod queue;
#[cfg(test)]
mod tests;
mod topology;

use std::time::Duration;

use fastopen_wire::Segment;

use self::direction::Direction;
use self::flow::{Flow, FlowKey, Flows, Tracked};
use self::matching::ActiveRule;
use self::proxy::Step;
pub(crate) use self::queue::Departure;
use self::queue::Queue;
use self::topology::Topology;
use crate::packet::SegmentBuilder;
use crate::packet::TcpPacket;
use crate::scenario::{Hold, Rule, Scenario};

/// Time since the lab began.
pub(crate) type Time = Duration;
/// A host, by its place in the scenario.
pub(crate) type PortId = usize;

/// What became of the packets of a lab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Those that were delivered to a host, copies and the middlebox's own included.
    pub delivered: u64,
    /// Those that a rule dropped.
    pub dropped: u64,
    /// Those for an address that no host has.
    pub unroutable: u64,
    /// Those that were lost because the middlebox had no room or no time: with any of them a measurement means little.
    pub overflowed: u64,
}

/// What the middlebox does with each packet: the rules, and the state they need.
#[derive(Debug)]
pub(crate) struct Engine {
    one_way: Duration,
    topology: Topology,
    rules: Vec<ActiveRule>,
    flows: Flows,
    queue: Queue,
    held: Vec<Held>,
    counters: Counters,
}

/// A packet that waits for its release.
#[derive(Debug)]
struct Held {
    flow: Option<FlowKey>,
    departure: Departure,
}

/// A packet on its way through the rules.
struct Transit {
    from: PortId,
    /// When it has crossed the path.
    due: Time,
    packet: Vec<u8>,
    tracked: Option<Tracked>,
    copies: usize,
    hold: Option<Hold>,
}

impl Transit {
    fn edit(&mut self, edit: impl FnOnce(&mut TcpPacket)) {
        self.packet = edited(std::mem::take(&mut self.packet), edit);
    }

    /// A packet for its sender, which goes back all the way.
    fn answer(&self, one_way: Duration, segment: &SegmentBuilder) -> Departure {
        Departure {
            at: self.due + one_way,
            from: None,
            to: self.from,
            packet: segment.to_packet(),
        }
    }
}

/// Changes a packet, if it is TCP.
fn edited(packet: Vec<u8>, edit: impl FnOnce(&mut TcpPacket)) -> Vec<u8> {
    match TcpPacket::new(packet) {
        Ok(mut packet) => {
            edit(&mut packet);
            packet.finish()
        }
        Err(packet) => packet,
    }
}

impl Engine {
    /// For a scenario that has been checked.
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let topology = Topology::new(scenario);
        Self {
            one_way: scenario.rtt / 2,
            rules: ActiveRule::all(&topology, scenario.seed, &scenario.rules),
            topology,
            flows: Flows::default(),
            queue: Queue::default(),
            held: Vec::new(),
            counters: Counters::default(),
        }
    }

    pub(crate) fn set_rules(&mut self, scenario: &Scenario, rules: &[Rule]) {
        self.rules = ActiveRule::all(&self.topology, scenario.seed, rules);
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// Counts packets that were lost outside.
    pub(crate) fn count_overflows(&mut self, lost: u64) {
        self.counters.overflowed += lost;
    }

    /// The host that a packet is for, as far as its address tells.
    pub(crate) fn destination(&self, packet: &[u8]) -> Option<PortId> {
        self.topology.host_of(topology::destination(packet)?)
    }

    /// Takes a packet that a host has sent at that time.
    pub(crate) fn arrive(&mut self, now: Time, from: PortId, packet: Vec<u8>) {
        let mut transit = Transit {
            from,
            due: now + self.one_way,
            packet: self.flows.translate_back(packet),
            tracked: None,
            copies: 1,
            hold: None,
        };
        let Ok(segment) = Segment::from_ip(&transit.packet) else {
            return self.apply_rules(transit);
        };
        let tracked = self.flows.track(&segment);
        if let (true, Some(key)) = (tracked.opens, tracked.flow.map(|(key, _)| key)) {
            let member = self.topology.next_member(key.server.ip(), key.client);
            self.flows.with(key, |flow| flow.member = member);
        }
        transit.tracked = Some(tracked);
        self.replay_after_close(&transit);
        self.pass_proxy(transit);
    }

    /// The next packet that is due.
    pub(crate) fn depart(&mut self, now: Time) -> Option<Departure> {
        let departure = self.queue.pop(now)?;
        self.counters.delivered += 1;
        Some(departure)
    }

    /// When the next packet is due.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.queue.next_due()
    }

    /// Lets everything go that is held back; says how much it was.
    pub(crate) fn release(&mut self, now: Time) -> usize {
        let held = std::mem::take(&mut self.held);
        let count = held.len();
        for Held { flow, mut departure } in held {
            departure.at = departure.at.max(now);
            self.enqueue(departure);
            if let Some(key) = flow {
                self.flows.with(key, Flow::release);
            }
        }
        count
    }

    /// Delivers a packet at once; whether somebody has its address.
    pub(crate) fn inject(&mut self, now: Time, packet: Vec<u8>) -> bool {
        let to =
            topology::destination(&packet).and_then(|address| self.topology.route(address, None, &packet));
        let Some(to) = to else { return false };
        self.enqueue(Departure {
            at: now,
            from: None,
            to,
            packet,
        });
        true
    }

    /// A proxied connection's packets go to the proxy first.
    fn pass_proxy(&mut self, mut transit: Transit) {
        let Some((key, direction)) = transit.flow() else {
            return self.apply_rules(transit);
        };
        let Some(step) = self
            .flows
            .with(key, |flow| {
                flow.proxy_step(direction, transit.due, &transit.packet)
            })
            .flatten()
        else {
            return self.apply_rules(transit);
        };
        match step {
            Step::Pass(packet) => {
                transit.packet = packet;
                self.apply_rules(transit);
            }
            Step::Answer(segment) => {
                let answer = transit.answer(self.one_way, &segment);
                self.enqueue(answer);
            }
            Step::Open(segment) => {
                self.deliver(transit.due, None, segment.to_packet(), Some((key, direction)));
            }
            // The proxy stands next to the server: its part of the handshake takes no time.
            Step::Splice(waiting) => {
                let now = transit.due.saturating_sub(self.one_way);
                for (due, packet) in waiting {
                    self.deliver(now.max(due), None, packet, Some((key, Direction::ToServer)));
                }
            }
            Step::Consume => {}
        }
    }
}

impl Transit {
    fn flow(&self) -> Option<(FlowKey, Direction)> {
        self.tracked?.flow
    }
}
