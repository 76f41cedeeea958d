//! Where things stand in an IP packet that holds a TCP segment.

/// The version number of IPv4.
pub(super) const IPV4: u8 = 4;
pub(super) const IPV6_HEADER: usize = 40;
pub(super) const TCP_HEADER: usize = 20;

/// Where the TCP header starts, in a packet that has one right behind the IP header.
pub(super) fn tcp_offset(packet: &[u8]) -> Option<usize> {
    const TCP: u8 = 6;
    let (offset, protocol) = match packet.first()? >> 4 {
        IPV4 => (usize::from(packet[0] & 0x0f) * 4, *packet.get(9)?),
        _ => (IPV6_HEADER, *packet.get(6)?),
    };
    (protocol == TCP && packet.len() >= offset + TCP_HEADER).then_some(offset)
}
