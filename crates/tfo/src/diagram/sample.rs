//! Connections to draw in tests: a cookie asked for, data accepted, data ignored, and no answer.

use std::net::SocketAddr;
use std::time::Duration;

use fastopen_wire::{Connection, Flags, Limits, Segment, Tracker};

const REQUEST: &[u8] = &[34, 2, 1, 1];
const COOKIE: &[u8] = &[34, 10, 0x30, 0x21, 0xb9, 0xd8, 0x89, 0x01, 0x7e, 0xeb];

struct Wire {
    tracker: Tracker,
    number: u64,
    client: SocketAddr,
    server: SocketAddr,
}

impl Wire {
    fn new() -> Self {
        Self {
            tracker: Tracker::new(Limits::default()),
            number: 0,
            client: "192.0.2.1:40000".parse().unwrap(),
            server: "192.0.2.2:80".parse().unwrap(),
        }
    }

    /// A segment: from the client or not, flags as tcpdump writes them, sequence and acknowledgment, options, length of the payload.
    fn packet(
        &mut self,
        ms: u64,
        up: bool,
        flags: &str,
        numbers: [u32; 2],
        options: &[u8],
        payload_len: usize,
    ) {
        let (source, destination) = match up {
            true => (self.client, self.server),
            false => (self.server, self.client),
        };
        self.number += 1;
        let segment = Segment {
            source,
            destination,
            sequence: numbers[0],
            acknowledgment: numbers[1],
            flags: Flags {
                syn: flags.contains('S'),
                ack: flags.contains('.'),
                fin: flags.contains('F'),
                rst: flags.contains('R'),
                psh: false,
            },
            window: 65_535,
            options,
            payload: &[],
            payload_len,
        };
        let time = Duration::from_millis(1_700_000_000_000 + ms);
        self.tracker.observe(self.number, time, &segment);
    }

    fn connection(&mut self) -> Connection {
        self.tracker.finish();
        self.client.set_port(self.client.port() + 1);
        self.tracker.poll().unwrap()
    }
}

/// An ordinary handshake.
pub(crate) fn plain() -> Connection {
    let mut wire = Wire::new();
    wire.packet(0, true, "S", [100, 0], &[], 0);
    wire.packet(60, false, "S.", [500, 101], &[], 0);
    wire.packet(61, true, ".", [101, 501], &[], 0);
    wire.packet(61, true, ".", [101, 501], &[], 18);
    wire.packet(121, false, ".", [501, 119], &[], 300);
    wire.connection()
}

/// A SYN-ACK whose SYN was not captured.
pub(crate) fn lone_syn_ack() -> Connection {
    let mut wire = Wire::new();
    wire.packet(60, false, "S.", [500, 101], COOKIE, 0);
    wire.connection()
}

/// A server that takes the data and says no more.
pub(crate) fn silent_afterwards() -> Connection {
    let mut wire = Wire::new();
    wire.packet(0, true, "S", [100, 0], COOKIE, 18);
    wire.packet(60, false, "S.", [500, 119], &[], 0);
    wire.packet(61, true, ".", [119, 501], &[], 7);
    wire.packet(330, true, ".", [119, 501], &[], 7);
    wire.packet(850, true, ".", [119, 501], &[], 7);
    wire.connection()
}

/// A server that takes the data and resets the connection.
pub(crate) fn reset_unanswered() -> Connection {
    let mut wire = Wire::new();
    wire.packet(0, true, "S", [100, 0], COOKIE, 18);
    wire.packet(60, false, "S.", [500, 119], &[], 0);
    wire.packet(61, false, "R.", [501, 119], &[], 0);
    wire.connection()
}

/// A server that speaks first, to a client that presented its cookie.
pub(crate) fn banner() -> Connection {
    let mut wire = Wire::new();
    wire.packet(0, true, "S", [100, 0], COOKIE, 0);
    wire.packet(60, false, "S.", [500, 101], &[], 0);
    wire.packet(60, true, ".", [101, 501], &[], 0);
    wire.packet(61, false, ".", [501, 101], &[], 30);
    wire.connection()
}

pub(crate) fn connections() -> Vec<Connection> {
    let mut wire = Wire::new();
    let mut connections = Vec::new();

    wire.packet(0, true, "S", [100, 0], REQUEST, 0);
    wire.packet(60, false, "S.", [500, 101], COOKIE, 0);
    wire.packet(61, true, ".", [101, 501], &[], 18);
    wire.packet(121, false, ".", [501, 119], &[], 300);
    connections.push(wire.connection());

    wire.packet(1000, true, "S", [100, 0], COOKIE, 18);
    wire.packet(1060, false, "S.", [500, 119], &[], 0);
    wire.packet(1061, false, ".", [501, 119], &[], 300);
    wire.packet(1062, true, ".", [119, 801], &[], 0);
    connections.push(wire.connection());

    wire.packet(2000, true, "S", [100, 0], COOKIE, 18);
    wire.packet(2060, false, "S.", [500, 101], &[], 0);
    wire.packet(2061, true, ".", [101, 501], &[], 18);
    connections.push(wire.connection());

    wire.packet(3000, true, "S", [100, 0], COOKIE, 18);
    wire.packet(4000, true, "S", [100, 0], &[], 0);
    wire.packet(6000, true, "S", [100, 0], &[], 0);
    wire.tracker.advance(Duration::from_secs(1_700_001_000));
    connections.push(wire.connection());
    connections
}
