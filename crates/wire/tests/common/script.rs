//! Handshakes as scripts: what each packet says, when, and what the whole means.

use std::net::SocketAddr;
use std::time::Duration;

use etherparse::PacketBuilder;
use fastopen_wire::{Note, Side, Verdict};

/// Near the end of the sequence space, so that every handshake wraps.
pub(crate) const CLIENT_ISN: u32 = u32::MAX - 3;
pub(crate) const SERVER_ISN: u32 = u32::MAX - 1;

/// One packet. Sequence and acknowledgment count from the first byte behind the SYN.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) at: Duration,
    pub(crate) from: Side,
    pub(crate) flags: &'static str,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) options: Vec<u8>,
    pub(crate) data: usize,
    /// Which attempt between the same ports this is.
    pub(crate) attempt: u32,
    /// Another port than the script's own.
    pub(crate) port_shift: u16,
}

impl Packet {
    fn new(at_ms: u64, from: Side, flags: &'static str) -> Self {
        Self {
            at: Duration::from_millis(at_ms),
            from,
            flags,
            sequence: 0,
            acknowledgment: 0,
            options: Vec::new(),
            data: 0,
            attempt: 0,
            port_shift: 0,
        }
    }

    pub(crate) fn option(mut self, bytes: &[u8]) -> Self {
        self.options.extend(bytes);
        self
    }

    pub(crate) fn request(self) -> Self {
        self.option(&[34, 2])
    }

    pub(crate) fn cookie(self, cookie: &[u8]) -> Self {
        let len = cookie.len() as u8 + 2;
        self.option(&[34, len]).option(cookie)
    }

    pub(crate) fn stamped(self, value: u32, echo: u32) -> Self {
        self.option(&[8, 10])
            .option(&value.to_be_bytes())
            .option(&echo.to_be_bytes())
    }

    pub(crate) fn data(mut self, bytes: usize) -> Self {
        self.data = bytes;
        self
    }

    pub(crate) fn sequence(mut self, sequence: u32) -> Self {
        self.sequence = sequence;
        self
    }

    pub(crate) fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    pub(crate) fn port_shift(mut self, shift: u16) -> Self {
        self.port_shift = shift;
        self
    }

    pub(crate) fn is_client_syn(&self) -> bool {
        self.flags == "S" && self.from == Side::Client
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.flags.contains('R')
    }

    /// The packet from its IP header on, between these ends.
    pub(crate) fn to_ip(&self, client: SocketAddr, server: SocketAddr) -> Vec<u8> {
        let client = SocketAddr::new(client.ip(), client.port() + self.port_shift);
        let shift = self.attempt.wrapping_mul(0x1234_5678);
        let (client_isn, server_isn) = (CLIENT_ISN.wrapping_add(shift), SERVER_ISN.wrapping_sub(shift));
        let (source, destination, own, other) = match self.from {
            Side::Client => (client, server, client_isn, server_isn),
            Side::Server => (server, client, server_isn, client_isn),
        };
        let first = |isn: u32, syn: bool| if syn { isn } else { isn.wrapping_add(1) };
        let is = |flag| self.flags.contains(flag);
        let sequence = first(own, is('S')).wrapping_add(self.sequence);
        let acknowledgment = first(other, false).wrapping_add(self.acknowledgment);
        let ip = match (source, destination) {
            (SocketAddr::V4(s), SocketAddr::V4(d)) => {
                PacketBuilder::ipv4(s.ip().octets(), d.ip().octets(), 64)
            }
            (SocketAddr::V6(s), SocketAddr::V6(d)) => {
                PacketBuilder::ipv6(s.ip().octets(), d.ip().octets(), 64)
            }
            _ => panic!("{source} and {destination} are of different families"),
        };
        let mut tcp = ip.tcp(source.port(), destination.port(), sequence, 65535);
        if is('S') {
            tcp = tcp.syn();
        }
        if is('A') {
            tcp = tcp.ack(acknowledgment);
        }
        if is('R') {
            tcp = tcp.rst();
        }
        if is('F') {
            tcp = tcp.fin();
        }
        let mut bytes = Vec::new();
        tcp.options_raw(&self.options)
            .expect("options fit the header")
            .write(&mut bytes, &vec![b'x'; self.data])
            .expect("a vector takes everything");
        bytes
    }
}

/// A client's SYN.
pub(crate) fn syn(at_ms: u64) -> Packet {
    Packet::new(at_ms, Side::Client, "S")
}

/// A server's SYN-ACK that acknowledges so many of the SYN's bytes.
pub(crate) fn syn_ack(at_ms: u64, acked: u32) -> Packet {
    Packet {
        acknowledgment: acked,
        ..Packet::new(at_ms, Side::Server, "SA")
    }
}

/// Any other packet.
pub(crate) fn packet(at_ms: u64, from: Side, flags: &'static str, acked: u32) -> Packet {
    Packet {
        acknowledgment: acked,
        ..Packet::new(at_ms, from, flags)
    }
}

/// The client's acknowledgment of the SYN-ACK, then a request and its answer, then both FINs.
pub(crate) fn exchange(at_ms: u64) -> Vec<Packet> {
    exchange_from(at_ms, 0)
}

/// As [`exchange`], with so many of the client's bytes sent before.
pub(crate) fn exchange_from(at_ms: u64, sent: u32) -> Vec<Packet> {
    use Side::{Client, Server};
    vec![
        packet(at_ms, Client, "A", 0).sequence(sent),
        packet(at_ms + 1, Client, "A", 0).sequence(sent).data(100),
        packet(at_ms + 60, Server, "A", sent + 100).data(1000),
        packet(at_ms + 61, Client, "FA", 1000).sequence(sent + 100),
        packet(at_ms + 120, Server, "FA", sent + 101).sequence(1000),
    ]
}

/// A handshake, or several in a row between the same hosts.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    pub(crate) packets: Vec<Packet>,
    /// The verdicts, in the order in which the connections began.
    pub(crate) verdicts: Vec<Verdict>,
    /// How many of the SYN's bytes the first connection's SYN-ACK acknowledged.
    pub(crate) acked: Option<usize>,
    /// The notes of the last connection.
    pub(crate) notes: Vec<Note>,
    /// How long nothing more comes at the end.
    pub(crate) silence: Duration,
}

impl Script {
    pub(crate) fn new(name: &'static str, verdict: Verdict, packets: Vec<Packet>) -> Self {
        Self {
            name,
            packets,
            verdicts: vec![verdict],
            acked: None,
            notes: Vec::new(),
            silence: Duration::ZERO,
        }
    }

    pub(crate) fn then(mut self, verdict: Verdict, packets: Vec<Packet>) -> Self {
        self.verdicts.push(verdict);
        self.packets.extend(packets);
        self
    }

    pub(crate) fn acked(mut self, bytes: usize) -> Self {
        self.acked = Some(bytes);
        self
    }

    pub(crate) fn note(mut self, note: Note) -> Self {
        self.notes.push(note);
        self
    }

    pub(crate) fn silence(mut self, seconds: u64) -> Self {
        self.silence = Duration::from_secs(seconds);
        self
    }

    /// Whether every SYN has a timestamp, as Linux sends it.
    pub(crate) fn is_stamped(&self) -> bool {
        self.packets
            .iter()
            .filter(|packet| packet.flags.contains('S'))
            .all(|packet| packet.options.windows(2).any(|pair| pair == [8, 10]))
    }
}
