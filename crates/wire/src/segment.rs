//! One TCP segment, from the packet that carries it.

use std::net::SocketAddr;

use crate::error::DecodeError;
use crate::ip::{Fragment, IpPacket, TCP};
use crate::link_type::LinkType;
use crate::option::{FastOpen, fast_open};

const HEADER_LEN: usize = 20;

/// A TCP segment, borrowed from an IP packet.
///
/// The packet may be cut short behind the TCP header, as captures and the kernel's saved SYN are: [`payload_len`](Self::payload_len)
/// is what the IP header promises, [`payload`](Self::payload) what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// Who it is for.
    pub destination: SocketAddr,
    /// The sequence number of its first byte, or of the SYN.
    pub sequence: u32,
    /// The next sequence number that the sender expects; valid only with [`Flags::ack`].
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: Flags,
    /// The receive window as it stands in the header, unscaled.
    pub window: u16,
    /// The option bytes.
    pub options: &'a [u8],
    /// The payload's bytes, as far as they are there.
    pub payload: &'a [u8],
    /// The payload's length in bytes, as the IP header gives it.
    pub payload_len: usize,
}

impl<'a> Segment<'a> {
    /// Takes a frame as a capture holds it, from the link layer's header on. Tunnels are not looked into: [`Decoded`](crate::Decoded)
    /// does that.
    ///
    /// `original_len` is the frame's length in bytes when it was captured; where the capture kept all of it that is `frame.len()`.
    /// It counts only for packets whose IP header leaves the length out, as segmentation offload makes them.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the start of a TCP segment.
    ///
    /// # Examples
    /// ```
    /// use fastopen_wire::{DecodeError, LinkError, LinkType, Segment};
    ///
    /// let arp = [&[0xff; 12][..], &[0x08, 0x06], &[0; 28]].concat();
    /// let got = Segment::from_frame(LinkType::ETHERNET, &arp, arp.len());
    /// assert_eq!(got, Err(DecodeError::Link(LinkError::NotIp { protocol: 0x0806 })));
    /// ```
    #[inline]
    pub fn from_frame(link: LinkType, frame: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
        let packet = link.ip_packet(frame)?;
        let header_len = frame.len() - packet.len();
        Self::from_ip_of(packet, original_len.saturating_sub(header_len))
    }

    /// Takes an IP packet, IPv4 or IPv6, from the IP header on.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the start of a TCP segment.
    pub fn from_ip(packet: &'a [u8]) -> Result<Self, DecodeError> {
        Self::from_ip_of(packet, packet.len())
    }

    #[inline]
    fn from_ip_of(packet: &'a [u8], original_len: usize) -> Result<Self, DecodeError> {
        Self::in_packet(&IpPacket::parse(packet, original_len)?)
    }

    #[inline]
    pub(crate) fn in_packet(ip: &IpPacket<'a>) -> Result<Self, DecodeError> {
        match (ip.protocol, ip.fragment) {
            (TCP, Fragment::Whole) => {}
            (TCP, Fragment::First) if opens(ip.payload) => return Err(DecodeError::FragmentedSyn),
            (TCP, _) => return Err(DecodeError::Fragment),
            (protocol, _) => return Err(DecodeError::NotTcp { protocol }),
        }
        let (header, _) = ip
            .payload
            .split_first_chunk::<HEADER_LEN>()
            .ok_or(DecodeError::Tcp)?;
        let header_len = usize::from(header[12] >> 4) * 4;
        let options = ip.payload.get(HEADER_LEN..header_len).ok_or(DecodeError::Tcp)?;
        let payload = &ip.payload[header_len..];
        let &[
            s1,
            s2,
            d1,
            d2,
            q1,
            q2,
            q3,
            q4,
            a1,
            a2,
            a3,
            a4,
            _,
            bits,
            w1,
            w2,
            ..,
        ] = header;
        Ok(Self {
            source: SocketAddr::new(ip.source, u16::from_be_bytes([s1, s2])),
            destination: SocketAddr::new(ip.destination, u16::from_be_bytes([d1, d2])),
            sequence: u32::from_be_bytes([q1, q2, q3, q4]),
            acknowledgment: u32::from_be_bytes([a1, a2, a3, a4]),
            flags: Flags::from_bits(bits),
            window: u16::from_be_bytes([w1, w2]),
            options,
            payload,
            payload_len: payload.len() + ip.missing,
        })
    }

    /// What the segment says of Fast Open.
    pub fn fast_open(&self) -> FastOpen {
        fast_open(self.options)
    }
}

/// The control bits of a TCP header that say how a connection begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Opens a connection.
    pub syn: bool,
    /// The acknowledgment number is valid.
    pub ack: bool,
    /// The sender has no more to send.
    pub fin: bool,
    /// There is no such connection, or no more.
    pub rst: bool,
    /// Hand over to the application what has come so far.
    pub psh: bool,
}

impl Flags {
    #[inline]
    fn from_bits(bits: u8) -> Self {
        let set = |bit: u8| bits & bit != 0;
        Self {
            fin: set(0x01),
            syn: set(0x02),
            rst: set(0x04),
            psh: set(0x08),
            ack: set(0x10),
        }
    }
}

/// Whether the start of a TCP header has the SYN bit.
fn opens(header: &[u8]) -> bool {
    header.get(13).is_some_and(|bits| Flags::from_bits(*bits).syn)
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    fn syn_with_data(options: &[u8], data: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .tcp(40000, 80, 7, 65535)
            .syn()
            .options_raw(options)
            .unwrap()
            .write(&mut packet, data)
            .unwrap();
        packet
    }

    #[test]
    fn a_syn_with_data_is_read() {
        let packet = syn_with_data(&[34, 2, 1, 1], b"hello");
        let segment = Segment::from_ip(&packet).unwrap();
        assert_eq!(segment.source, "192.0.2.1:40000".parse().unwrap());
        assert_eq!(segment.destination, "192.0.2.2:80".parse().unwrap());
        assert_eq!(
            segment.flags,
            Flags {
                syn: true,
                ..Flags::default()
            }
        );
        assert_eq!(
            (segment.sequence, segment.options, segment.payload),
            (7, &[34, 2, 1, 1][..], &b"hello"[..])
        );
        assert_eq!(segment.payload_len, 5);
    }

    #[test]
    fn a_packet_without_its_payload_still_tells_the_length() {
        let packet = syn_with_data(&[], b"hello");
        let segment = Segment::from_ip(&packet[..40]).unwrap();
        assert_eq!((segment.payload, segment.payload_len), (&b""[..], 5));
    }

    #[test]
    fn ethernet_padding_is_not_payload() {
        let mut packet = syn_with_data(&[], b"");
        packet.extend([0; 6]);
        assert_eq!(Segment::from_ip(&packet).unwrap().payload_len, 0);
    }

    #[test]
    fn every_cut_is_an_error_or_a_segment() {
        let packet = syn_with_data(&[34, 2, 1, 1], b"hello");
        for cut in 0..packet.len() {
            let got = Segment::from_ip(&packet[..cut]);
            assert_eq!(got.is_ok(), cut >= 44, "cut at {cut}: {got:?}");
        }
    }
}
