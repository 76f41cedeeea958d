//! The packets of one connection at a time, seen through a packet socket where this process may have one (CAP_NET_RAW).
//!
//! There may be as many as there are targets at a time, and each is asked right after its connection: so it has no ring of memory, whose
//! blocks come later, as `fastopen_host::packets` has for a flood of packets.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen_host::connecting::IcmpError;
use fastopen_wire::{Connection, Content, Decoded, IcmpKind, Limits, LinkType, Options, Segment, Tracker};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::evidence::{Seen, SynAckLook};

/// Sees the packets from and to one address.
#[derive(Debug)]
pub(super) struct Sniffer {
    socket: Socket,
    server: SocketAddr,
}

/// Headers and options are all that is looked at; the IP header tells how much there was behind them.
const SNAPSHOT: u32 = 256;

impl Sniffer {
    /// Begins to look; `None` without the privilege. Loopback has no wire to look at: packets are seen twice there.
    pub(super) fn new(server: SocketAddr) -> Option<Self> {
        match server.ip().is_loopback() {
            true => None,
            false => Self::open(server).ok(),
        }
    }

    fn open(server: SocketAddr) -> io::Result<Self> {
        let protocol = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        // Of the kind whose packets begin with the IP header.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
        socket.attach_filter(&filter(server.ip()))?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, server })
    }

    /// Forgets what has been seen so far.
    pub(super) fn forget(&self) {
        self.drain(|_| {});
    }

    /// The one connection to the server that began since; `None` if there was none, or several.
    pub(super) fn connection(&self, local: Option<SocketAddr>) -> Option<Seen> {
        let mut tracker = Tracker::new(Limits {
            connections: 16,
            ..Limits::default()
        });
        let mut number = 0;
        let (mut answers, mut errors) = (Vec::new(), Vec::new());
        self.drain(|packet| {
            errors.extend(self.icmp_error(packet));
            if let Ok(segment) = Segment::from_ip(packet) {
                number += 1;
                tracker.observe(number, Duration::from_micros(number), &segment);
                if segment.source == self.server {
                    answers.extend(Answer::of(packet, &segment));
                }
            }
        });
        tracker.finish();
        let is_ours = |seen: &Connection| {
            seen.server == self.server
                && seen.syn.is_some()
                && local.is_none_or(|local| same(local, seen.client))
        };
        let mut ours = std::iter::from_fn(|| tracker.poll()).filter(is_ours);
        let connection = ours.next().filter(|_| ours.next().is_none())?;
        let mut answers = answers
            .into_iter()
            .filter(|answer| same(answer.client, connection.client));
        let mut seen = Seen {
            connection: connection.clone(),
            syn_ack: None,
            later_hop_limit: None,
            reset_hop_limit: None,
            icmp: errors
                .iter()
                .find(|(client, _)| same(*client, connection.client))
                .map(|(_, error)| *error),
        };
        for Answer { hop_limit, kind, .. } in answers.by_ref() {
            match kind {
                Kind::SynAck(look) => seen.syn_ack = seen.syn_ack.or(Some(look)),
                Kind::Reset => seen.reset_hop_limit = Some(hop_limit),
                Kind::Later => seen.later_hop_limit = seen.later_hop_limit.or(Some(hop_limit)),
            }
        }
        Some(seen)
    }

    /// An ICMP error about a SYN to the server, and who sent that SYN.
    fn icmp_error(&self, packet: &[u8]) -> Option<(SocketAddr, IcmpError)> {
        let decoded = Decoded::from_frame(LinkType::RAW, packet, packet.len()).ok()?;
        let Content::IcmpError(error) = decoded.content else {
            return None;
        };
        let icmp = IcmpError {
            from: error.from,
            v6: error.from.is_ipv6(),
            kind: error.number,
            code: error.code,
        };
        // A packet that is too large is sent again as it fits, and nobody has rejected it.
        let about_size = matches!(error.kind, IcmpKind::FragmentationNeeded { .. });
        let ours = same(error.destination, self.server) && error.syn != Some(false) && !about_size;
        ours.then_some((error.source, icmp))
    }

    fn drain(&self, mut take: impl FnMut(&[u8])) {
        let mut packet = [0; SNAPSHOT as usize];
        // Any error ends the reading: a packet that is missing looks like one that never came.
        while let Ok(len) = (&self.socket).read(&mut packet) {
            take(&packet[..len]);
        }
    }
}

/// A packet from the server.
struct Answer {
    client: SocketAddr,
    hop_limit: u8,
    kind: Kind,
}

enum Kind {
    SynAck(SynAckLook),
    Reset,
    Later,
}

impl Answer {
    fn of(packet: &[u8], segment: &Segment<'_>) -> Option<Self> {
        let hop_limit = match packet.first()? >> 4 {
            4 => *packet.get(8)?,
            _ => *packet.get(7)?,
        };
        let kind = match (segment.flags.syn, segment.flags.rst) {
            (true, _) => Kind::SynAck(look(hop_limit, segment)),
            (_, true) => Kind::Reset,
            _ => Kind::Later,
        };
        Some(Self {
            client: segment.destination,
            hop_limit,
            kind,
        })
    }
}

fn look(hop_limit: u8, segment: &Segment<'_>) -> SynAckLook {
    const PADDING: [u8; 2] = [0, 1];
    const TIMESTAMP: u8 = 8;
    const FAST_OPEN: [u8; 2] = [34, 254];
    let mut look = SynAckLook {
        hop_limit,
        window: segment.window,
        options: Vec::new(),
        timestamp: None,
    };
    for option in Options::new(segment.options).map_while(Result::ok) {
        match option.kind {
            kind if PADDING.contains(&kind) || FAST_OPEN.contains(&kind) => {}
            TIMESTAMP => {
                look.options.push(TIMESTAMP);
                look.timestamp = option.data.first_chunk().map(|bytes| u32::from_be_bytes(*bytes));
            }
            kind => {
                look.options.push(kind);
                look.options.extend(option.data);
            }
        }
    }
    look
}

fn same(one: SocketAddr, other: SocketAddr) -> bool {
    one.port() == other.port() && one.ip().to_canonical() == other.ip().to_canonical()
}

/// Packets in which the last four bytes of source or destination are those of the address, and ICMP, which a router sends; the rest is
/// checked when they are read.
fn filter(server: IpAddr) -> [SockFilter; 8] {
    const LOAD_WORD: u16 = 0x20;
    const LOAD_BYTE: u16 = 0x30;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    let (last_word, source, destination) = match server {
        IpAddr::V4(ip) => (ip.to_bits(), 12, 16),
        IpAddr::V6(ip) => (ip.to_bits() as u32, 20, 36),
    };
    let (protocol, icmp) = match server {
        IpAddr::V4(_) => (9, libc::IPPROTO_ICMP as u32),
        IpAddr::V6(_) => (6, libc::IPPROTO_ICMPV6 as u32),
    };
    [
        SockFilter::new(LOAD_BYTE, 0, 0, protocol),
        SockFilter::new(JUMP_IF_EQUAL, 4, 0, icmp),
        SockFilter::new(LOAD_WORD, 0, 0, source),
        SockFilter::new(JUMP_IF_EQUAL, 2, 0, last_word),
        SockFilter::new(LOAD_WORD, 0, 0, destination),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, last_word),
        SockFilter::new(RETURN, 0, 0, SNAPSHOT),
        SockFilter::new(RETURN, 0, 0, 0),
    ]
}
