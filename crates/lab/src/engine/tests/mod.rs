//! Each rule, without a network: packets in, packets and times out.

mod changing;
mod connections;
mod picking;

use std::net::SocketAddr;
use std::time::Duration;

use fastopen_wire::{FastOpen, Segment};

use super::{Departure, Engine, PortId, Time};
use crate::packet::SegmentBuilder;
use crate::packet::is_right;
use crate::scenario::{Rule, Scenario};

const CLIENT: PortId = 0;
const SERVER: PortId = 1;
const ONE_WAY: Duration = Duration::from_millis(30);
const COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

fn ms(ms: u64) -> Time {
    Duration::from_millis(ms)
}

fn scenario(rules: impl IntoIterator<Item = Rule>) -> Scenario {
    rules
        .into_iter()
        .fold(Scenario::new("test").with_rtt(2 * ONE_WAY), Scenario::with_rule)
}

fn engine(rules: impl IntoIterator<Item = Rule>) -> Engine {
    Engine::new(&scenario(rules))
}

/// The ends of a connection, in both families.
const FAMILIES: [[&str; 2]; 2] = [
    ["192.0.2.1:40000", "192.0.2.2:80"],
    ["[2001:db8::1]:40000", "[2001:db8::2]:80"],
];

/// A connection as its two ends send it.
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

impl Ends {
    fn new([client, server]: [&str; 2]) -> Self {
        Self {
            client: client.parse().unwrap(),
            server: server.parse().unwrap(),
        }
    }

    fn up(&self, sequence: u32) -> SegmentBuilder {
        SegmentBuilder::new(self.client, self.server).with_sequence(sequence)
    }

    fn down(&self, sequence: u32) -> SegmentBuilder {
        SegmentBuilder::new(self.server, self.client).with_sequence(sequence)
    }

    fn syn(&self) -> SegmentBuilder {
        self.up(100)
            .with_syn()
            .with_options([1, 1])
            .with_fast_open(&COOKIE)
            .with_data("hello")
    }

    fn syn_ack(&self) -> SegmentBuilder {
        self.down(900)
            .with_syn()
            .with_ack(106)
            .with_options([1, 1])
            .with_fast_open(&COOKIE)
    }

    fn ack(&self) -> SegmentBuilder {
        self.up(106).with_ack(901)
    }
}

fn ends() -> Ends {
    Ends::new(FAMILIES[0])
}

/// Everything that leaves, checksums looked at.
fn drain(engine: &mut Engine) -> Vec<Departure> {
    let mut departures = Vec::new();
    while let Some(departure) = engine.depart(Duration::MAX) {
        assert!(is_right(&departure.packet), "{departure:?}");
        departures.push(departure);
    }
    departures
}

fn send(engine: &mut Engine, at: Time, from: PortId, segment: &SegmentBuilder) -> Vec<Departure> {
    engine.arrive(at, from, segment.to_packet());
    drain(engine)
}

fn built(departure: &Departure) -> SegmentBuilder {
    SegmentBuilder::from(&Segment::from_ip(&departure.packet).unwrap())
}

/// When and where packets arrive, without what is in them.
fn arrivals(departures: &[Departure]) -> Vec<(Time, PortId)> {
    departures
        .iter()
        .map(|departure| (departure.at, departure.to))
        .collect()
}

fn fast_open(departure: &Departure) -> FastOpen {
    Segment::from_ip(&departure.packet).unwrap().fast_open()
}

fn handshake(engine: &mut Engine, ends: &Ends) {
    send(engine, ms(0), CLIENT, &ends.syn());
    send(engine, ms(0), SERVER, &ends.syn_ack());
}
