//! Packets that are seen again at another interface.

use std::collections::VecDeque;
use std::time::Duration;

use fastopen_host::packets::Packet;
use fastopen_wire::Segment;

/// How long after its first sight a packet counts as the same one at another interface. Senders retransmit later than this.
const WITHIN: Duration = Duration::from_millis(20);
/// How many packets are remembered, at most.
const MOST: usize = 1024;

/// Tells packets that were seen at one interface already, such as at a bridge and behind it.
///
/// Only SYNs and resets are remembered; other packets do no harm when they are seen twice.
#[derive(Debug, Default)]
pub(super) struct Echoes {
    seen: VecDeque<Seen>,
}

#[derive(Debug)]
struct Seen {
    time: Duration,
    interface: u32,
    packet: Box<[u8]>,
}

impl Echoes {
    /// Whether the packet was seen a moment ago at another interface.
    pub(super) fn repeats(&mut self, packet: &Packet<'_>) -> bool {
        let Ok(segment) = Segment::from_ip(packet.bytes) else {
            return false;
        };
        if !segment.flags.syn && !segment.flags.rst {
            return false;
        }
        while let Some(oldest) = self.seen.front()
            && (self.seen.len() >= MOST || oldest.time + WITHIN < packet.time)
        {
            self.seen.pop_front();
        }
        let from_transport_on = behind_hop_limit(packet.bytes);
        let again = self
            .seen
            .iter()
            .any(|seen| seen.interface != packet.interface && *seen.packet == *from_transport_on);
        if !again {
            self.seen.push_back(Seen {
                time: packet.time,
                interface: packet.interface,
                packet: from_transport_on.into(),
            });
        }
        again
    }
}

/// What a router does not change: all behind the hop limit, in IPv4 all behind the header's checksum.
fn behind_hop_limit(packet: &[u8]) -> &[u8] {
    const IPV4: usize = 12;
    const IPV6: usize = 8;
    let fixed = match packet.first() {
        Some(first) if first >> 4 == 4 => IPV4,
        _ => IPV6,
    };
    packet.get(fixed..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn syn(hops: u8, sequence: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], hops)
            .tcp(40_000, 80, sequence, 65_535)
            .syn()
            .write(&mut bytes, b"hello")
            .unwrap();
        bytes
    }

    #[test]
    fn only_the_same_packet_soon_and_elsewhere_is_an_echo() {
        let mut echoes = Echoes::default();
        let mut see = |ms, interface, bytes: &[u8]| {
            echoes.repeats(&Packet {
                time: Duration::from_millis(ms),
                interface,
                bytes,
                original_len: bytes.len(),
            })
        };
        let [here, behind_a_router, other] = [syn(64, 1), syn(63, 1), syn(64, 2)];
        assert!(!see(0, 1, &here));
        assert!(see(1, 2, &behind_a_router));
        assert!(see(2, 3, &here));
        assert!(!see(3, 2, &other), "another SYN");
        assert!(!see(4, 1, &here), "sent again, at the same interface");
        assert!(!see(1000, 2, &here), "sent again after a while");
        assert!(see(1001, 1, &here));
    }
}
