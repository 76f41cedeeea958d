//! The Internet checksum (RFC 1071), for IPv4 headers, TCP and ICMP.

use super::layout::{IPV4, tcp_offset};

const PROTOCOL_TCP: u16 = 6;

/// Puts the right checksums into an IP packet that holds a TCP segment.
pub(super) fn fill_in(packet: &mut [u8]) {
    let Some(tcp) = tcp_offset(packet) else { return };
    if packet[0] >> 4 == IPV4 {
        packet[10..12].fill(0);
        let sum = complement(add(0, &packet[..tcp]));
        packet[10..12].copy_from_slice(&sum);
    }
    packet[tcp + 16..tcp + 18].fill(0);
    let sum = complement(add(pseudo_header(packet, tcp), &packet[tcp..]));
    packet[tcp + 16..tcp + 18].copy_from_slice(&sum);
}

/// The checksum over these bytes, which count as one sequence; each part but the last has an even length.
pub(super) fn of(parts: &[&[u8]]) -> [u8; 2] {
    complement(parts.iter().fold(0, |sum, part| add(sum, part)))
}

/// Whether an IP packet with a TCP segment has the right checksums.
#[cfg(test)]
pub(crate) fn is_right(packet: &[u8]) -> bool {
    let mut expected = packet.to_vec();
    fill_in(&mut expected);
    expected == packet
}

fn pseudo_header(packet: &[u8], tcp: usize) -> u32 {
    let addresses = if packet[0] >> 4 == IPV4 {
        &packet[12..20]
    } else {
        &packet[8..40]
    };
    let len = (packet.len() - tcp) as u32;
    add(u32::from(PROTOCOL_TCP) + (len >> 16) + (len & 0xffff), addresses)
}

/// Adds bytes to a sum as 16-bit words. No packet is long enough to overflow it.
fn add(sum: u32, bytes: &[u8]) -> u32 {
    let (words, odd) = bytes.as_chunks::<2>();
    let sum = words
        .iter()
        .fold(sum, |sum, word| sum + u32::from(u16::from_be_bytes(*word)));
    odd.first().map_or(sum, |last| sum + (u32::from(*last) << 8))
}

fn complement(mut sum: u32) -> [u8; 2] {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
