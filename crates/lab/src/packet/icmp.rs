//! The messages of a router whose next hop takes no packet of that size (RFC 792, RFC 1191, section 4; RFC 4443, section 3.2), and of a
//! firewall that prohibits a packet (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1).

use super::checksum;
use super::layout::{IPV4, IPV6_HEADER};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const TTL: u8 = 64;
/// The header and the eight bytes behind it, of which the first four are TCP's ports and the rest its sequence number.
const QUOTED_BY_IPV4: usize = 20 + 8;
/// The message must fit into the smallest MTU of IPv6.
const QUOTED_BY_IPV6: usize = 1280 - IPV6_HEADER - 8;

/// What the sender of `packet` is told; it seems to come from the packet's destination. `None` for what is no IP packet.
pub(crate) fn packet_too_big(packet: &[u8], mtu: u16) -> Option<Vec<u8>> {
    let [high, low] = mtu.to_be_bytes();
    // Destination unreachable: fragmentation needed and DF set.
    error(
        packet,
        [3, 4, 0, 0, 0, 0, high, low],
        [2, 0, 0, 0, 0, 0, high, low],
    )
}

/// The same for communication that is administratively prohibited.
pub(crate) fn prohibited(packet: &[u8]) -> Option<Vec<u8>> {
    error(packet, [3, 13, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0, 0, 0])
}

/// An error about a packet, with the message's header in ICMP or ICMPv6, its checksum zero.
fn error(packet: &[u8], icmp: [u8; 8], icmpv6: [u8; 8]) -> Option<Vec<u8>> {
    let quoted = |most| &packet[..packet.len().min(most)];
    if packet.first()? >> 4 == IPV4 {
        let (source, destination) = (packet.get(12..16)?, packet.get(16..20)?);
        let message = [&icmp, quoted(QUOTED_BY_IPV4)].concat();
        let [len_high, len_low] = (20 + message.len() as u16).to_be_bytes();
        let header = [0x45, 0, len_high, len_low, 0, 0, 0, 0, TTL, ICMP, 0, 0];
        let mut answer = [&header[..], destination, source, &message].concat();
        let sum = checksum::of(&[&answer[..20]]);
        answer[10..12].copy_from_slice(&sum);
        let sum = checksum::of(&[&answer[20..]]);
        answer[22..24].copy_from_slice(&sum);
        return Some(answer);
    }
    let (source, destination) = (packet.get(8..24)?, packet.get(24..40)?);
    let message = [&icmpv6, quoted(QUOTED_BY_IPV6)].concat();
    let len = (message.len() as u16).to_be_bytes();
    let header = [0x60, 0, 0, 0, len[0], len[1], ICMPV6, TTL];
    let mut answer = [&header[..], destination, source, &message].concat();
    let pseudo_header = [destination, source, &[0, 0], &len, &[0, 0, 0, ICMPV6]].concat();
    let sum = checksum::of(&[&pseudo_header, &message]);
    answer[IPV6_HEADER + 2..IPV6_HEADER + 4].copy_from_slice(&sum);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use etherparse::{Icmpv4Slice, Icmpv4Type, Icmpv6Slice, Icmpv6Type, NetSlice, SlicedPacket};

    use super::*;
    use crate::packet::SegmentBuilder;

    fn packet(ends: [&str; 2]) -> Vec<u8> {
        let [source, destination] = ends.map(|end| end.parse().unwrap());
        SegmentBuilder::new(source, destination)
            .with_syn()
            .with_data([7; 1400])
            .to_packet()
    }

    #[test]
    fn ipv4_names_the_mtu_and_quotes_the_packet() {
        let packet = packet(["192.0.2.1:40000", "192.0.2.2:80"]);
        let answer = packet_too_big(&packet, 1300).unwrap();
        let sliced = SlicedPacket::from_ip(&answer).unwrap();
        let Some(NetSlice::Ipv4(ip)) = sliced.net else {
            panic!("{sliced:?}")
        };
        assert_eq!(ip.header().destination(), [192, 0, 2, 1]);
        assert_eq!(
            ip.header().header_checksum(),
            ip.header().to_header().calc_header_checksum()
        );
        let icmp = Icmpv4Slice::from_slice(ip.payload().payload).unwrap();
        assert!(
            matches!(
                icmp.icmp_type(),
                Icmpv4Type::DestinationUnreachable(
                    etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1300 }
                )
            ),
            "{icmp:?}"
        );
        assert_eq!(icmp.checksum(), icmp.icmp_type().calc_checksum(icmp.payload()));
        assert_eq!(icmp.payload(), &packet[..28]);
    }

    #[test]
    fn ipv6_names_the_mtu_and_quotes_as_much_as_fits() {
        let packet = packet(["[2001:db8::1]:40000", "[2001:db8::2]:80"]);
        let answer = packet_too_big(&packet, 1300).unwrap();
        assert_eq!(answer.len(), 1280);
        let sliced = SlicedPacket::from_ip(&answer).unwrap();
        let Some(NetSlice::Ipv6(ip)) = sliced.net else {
            panic!("{sliced:?}")
        };
        let (source, destination) = (ip.header().source(), ip.header().destination());
        assert_eq!(destination[..], packet[8..24]);
        let icmp = Icmpv6Slice::from_slice(ip.payload().payload).unwrap();
        assert_eq!(icmp.icmp_type(), Icmpv6Type::PacketTooBig { mtu: 1300 });
        assert!(icmp.is_checksum_valid(source, destination));
        assert_eq!(icmp.payload(), &packet[..QUOTED_BY_IPV6]);
    }

    #[test]
    fn a_prohibition_has_the_codes_of_both_protocols() {
        let answer = prohibited(&packet(["192.0.2.1:40000", "192.0.2.2:80"])).unwrap();
        assert_eq!(answer[20..22], [3, 13]);
        let answer = prohibited(&packet(["[2001:db8::1]:40000", "[2001:db8::2]:80"])).unwrap();
        assert_eq!(answer[IPV6_HEADER..IPV6_HEADER + 2], [1, 1]);
    }

    #[test]
    fn what_is_cut_short_is_not_answered() {
        let packet = packet(["192.0.2.1:40000", "192.0.2.2:80"]);
        assert_eq!(packet_too_big(&packet[..15], 1300), None);
        assert_eq!(packet_too_big(&[], 1300), None);
    }
}
