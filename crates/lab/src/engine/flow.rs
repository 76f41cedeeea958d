//! Connections: which segment belongs to which, and what has been decided for them.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use fastopen_wire::Segment;

use super::direction::Direction;
use super::proxy::{self, Proxy, Step};
use super::{PortId, Time, edited};
use crate::scenario::{Hold, Moment, Rebind, SegmentKind};

/// How many connections are kept; beyond that the oldest are dropped.
const ROOM: usize = 65_536;

/// A connection, by its ends as the hosts know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FlowKey {
    /// Who sent the SYN.
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

/// What a segment is to its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tracked {
    pub(super) kind: SegmentKind,
    /// `None` for a segment of a connection whose SYN was never seen.
    pub(super) flow: Option<(FlowKey, Direction)>,
    /// Whether the connection begins with it.
    pub(super) opens: bool,
}

/// What is known and decided of a connection.
#[derive(Debug, Default)]
pub(super) struct Flow {
    initial_sequence: u32,
    syn_acked: bool,
    acked: bool,
    finished: [bool; 2],
    reset: bool,
    holds: [Option<Until>; 2],
    released: bool,
    /// The client's address outside, where it was rebound.
    outside: Option<SocketAddr>,
    pub(super) member: Option<PortId>,
    pub(super) blackholed: bool,
    pub(super) after_close: Vec<(Duration, Direction, Vec<u8>)>,
    proxy: Option<Proxy>,
}

/// Until when something is held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    Time(Time),
    Released,
}

pub(super) fn hold_until(moment: Moment, due: Time) -> Until {
    match moment {
        Moment::Released => Until::Released,
        Moment::After(wait) => Until::Time(due + wait),
    }
}

impl Flow {
    /// Notes a hold that a rule wants for a segment, if one does; says until when the segment is held.
    pub(super) fn hold(&mut self, direction: Direction, due: Time, wanted: Option<&Hold>) -> Option<Until> {
        let held = &mut self.holds[direction as usize];
        if held.is_some() || self.released {
            return *held;
        }
        let wanted = wanted?;
        let until = hold_until(wanted.until, due);
        if wanted.following {
            *held = Some(until);
        }
        Some(until)
    }

    pub(super) fn begin_proxy(&mut self) {
        self.proxy.get_or_insert(Proxy::Answered);
    }

    /// What comes of a packet, if the connection is proxied.
    pub(super) fn proxy_step(&mut self, direction: Direction, due: Time, packet: &[u8]) -> Option<Step> {
        let (proxy, step) = proxy::step(self.proxy.take()?, direction, due, packet);
        self.proxy = Some(proxy);
        Some(step)
    }

    /// Holds nothing more.
    pub(super) fn release(&mut self) {
        self.holds = [None; 2];
        self.released = true;
    }

    /// What was to be replayed once the connection has ended, if it has.
    pub(super) fn take_replays(&mut self) -> Vec<(Duration, Direction, Vec<u8>)> {
        if self.reset || self.finished == [true; 2] {
            return std::mem::take(&mut self.after_close);
        }
        Vec::new()
    }

    fn see(&mut self, direction: Direction, segment: &Segment<'_>) -> SegmentKind {
        self.reset |= segment.flags.rst;
        self.finished[direction as usize] |= segment.flags.fin;
        let from_client = direction == Direction::ToServer;
        if segment.flags.syn {
            self.syn_acked |= segment.flags.ack && !from_client;
            return if segment.flags.ack {
                SegmentKind::SynAck
            } else {
                SegmentKind::Syn
            };
        }
        if from_client && self.syn_acked && !self.acked && !segment.flags.rst {
            self.acked = true;
            return SegmentKind::HandshakeAck;
        }
        SegmentKind::Established
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Flows {
    known: HashMap<FlowKey, Flow>,
    by_age: VecDeque<FlowKey>,
    /// The connections that were rebound, by what the server takes for the client, and the server.
    outside: HashMap<(SocketAddr, SocketAddr), FlowKey>,
}

impl Flows {
    pub(super) fn get(&self, key: FlowKey) -> Option<&Flow> {
        self.known.get(&key)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Does something with a connection, if it is known.
    pub(super) fn with<T>(&mut self, key: FlowKey, change: impl FnOnce(&mut Flow) -> T) -> Option<T> {
        self.known.get_mut(&key).map(change)
    }

    /// Finds a segment's connection, or begins it.
    pub(super) fn track(&mut self, segment: &Segment<'_>) -> Tracked {
        let opens = segment.flags.syn && !segment.flags.ack && self.begin(segment);
        let forth = FlowKey {
            client: segment.source,
            server: segment.destination,
        };
        let back = FlowKey {
            client: segment.destination,
            server: segment.source,
        };
        for (key, direction) in [(forth, Direction::ToServer), (back, Direction::ToClient)] {
            if let Some(flow) = self.known.get_mut(&key) {
                let kind = flow.see(direction, segment);
                return Tracked {
                    kind,
                    flow: Some((key, direction)),
                    opens,
                };
            }
        }
        let kind = if segment.flags.syn {
            SegmentKind::SynAck
        } else {
            SegmentKind::Established
        };
        Tracked {
            kind,
            flow: None,
            opens,
        }
    }

    /// Begins a connection, unless the SYN is one sent again.
    fn begin(&mut self, syn: &Segment<'_>) -> bool {
        let key = FlowKey {
            client: syn.source,
            server: syn.destination,
        };
        match self.known.get(&key) {
            Some(known) if known.initial_sequence == syn.sequence => return false,
            Some(known) => {
                if let Some(outside) = known.outside {
                    self.outside.remove(&(outside, key.server));
                }
            }
            None => self.make_room(key),
        }
        let flow = Flow {
            initial_sequence: syn.sequence,
            ..Flow::default()
        };
        self.known.insert(key, flow);
        true
    }

    fn make_room(&mut self, key: FlowKey) {
        self.by_age.push_back(key);
        if self.by_age.len() <= ROOM {
            return;
        }
        let Some(oldest) = self.by_age.pop_front() else {
            return;
        };
        let outside = self.known.remove(&oldest).and_then(|flow| flow.outside);
        if let Some(outside) = outside {
            self.outside.remove(&(outside, oldest.server));
        }
    }

    /// Gives a connection's client another address, unless it has one already.
    pub(super) fn rebind(&mut self, key: FlowKey, to: &Rebind) {
        let address = match key.client {
            SocketAddr::V4(_) => to.ipv4.into(),
            SocketAddr::V6(_) => to.ipv6.into(),
        };
        let Some(flow) = self.known.get_mut(&key) else {
            return;
        };
        if flow.outside.is_none() {
            let outside = SocketAddr::new(address, key.client.port());
            flow.outside = Some(outside);
            self.outside.insert((outside, key.server), key);
        }
    }

    /// Gives a packet the client's address outside.
    pub(super) fn translate(&self, flow: Option<(FlowKey, Direction)>, packet: Vec<u8>) -> Vec<u8> {
        let Some((key, Direction::ToServer)) = flow else {
            return packet;
        };
        match self.get(key).and_then(|flow| flow.outside) {
            Some(outside) => edited(packet, |packet| packet.set_source(outside.ip())),
            None => packet,
        }
    }

    /// Gives a packet for a client's address outside the client's own address.
    pub(super) fn translate_back(&self, packet: Vec<u8>) -> Vec<u8> {
        if self.outside.is_empty() {
            return packet;
        }
        let key = Segment::from_ip(&packet)
            .ok()
            .and_then(|segment| self.outside.get(&(segment.destination, segment.source)));
        match key {
            Some(key) => edited(packet, |packet| packet.set_destination(key.client.ip())),
            None => packet,
        }
    }
}
