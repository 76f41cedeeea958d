//! One TCP segment, from the IP packet that carries it.

use std::net::SocketAddr;

use etherparse::{LaxIpSlice, LenSource, TcpHeaderSlice, ip_number};

use crate::{FastOpen, fast_open};

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
    /// The next sequence number that the sender expects; means something with [`Flags::ack`] only.
    pub acknowledgment: u32,
    /// The control bits.
    pub flags: Flags,
    /// The receive window as it stands in the header, unscaled.
    pub window: u16,
    /// The option bytes.
    pub options: &'a [u8],
    /// The payload's bytes, as far as they are there.
    pub payload: &'a [u8],
    /// The payload's length in bytes by the IP header's account.
    pub payload_len: usize,
}

impl<'a> Segment<'a> {
    /// Takes an IP packet, IPv4 or IPv6, from the IP header on.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but the start of a TCP segment.
    pub fn from_ip(packet: &'a [u8]) -> Result<Self, DecodeError> {
        let (ip, broken_extension) = LaxIpSlice::from_slice(packet).map_err(|_| DecodeError::Ip)?;
        if broken_extension.is_some() {
            return Err(DecodeError::Ip);
        }
        let content = ip.payload();
        if content.ip_number != ip_number::TCP {
            return Err(DecodeError::NotTcp {
                protocol: content.ip_number.0,
            });
        }
        if content.fragmented {
            return Err(DecodeError::Fragment);
        }
        let tcp = TcpHeaderSlice::from_slice(content.payload).map_err(|_| DecodeError::Tcp)?;
        let header_len = tcp.slice().len();
        let payload = &content.payload[header_len..];
        Ok(Self {
            source: SocketAddr::new(ip.source_addr(), tcp.source_port()),
            destination: SocketAddr::new(ip.destination_addr(), tcp.destination_port()),
            sequence: tcp.sequence_number(),
            acknowledgment: tcp.acknowledgment_number(),
            flags: Flags {
                syn: tcp.syn(),
                ack: tcp.ack(),
                fin: tcp.fin(),
                rst: tcp.rst(),
                psh: tcp.psh(),
            },
            window: tcp.window_size(),
            options: &content.payload[TCP_HEADER_LEN..header_len],
            payload,
            payload_len: payload.len() + missing(&ip, packet.len()),
        })
    }

    /// What the segment says of Fast Open.
    pub fn fast_open(&self) -> FastOpen {
        fast_open(self.options)
    }
}

const TCP_HEADER_LEN: usize = 20;
const IPV6_HEADER_LEN: usize = 40;

/// How many bytes the IP header promises beyond those that are there.
fn missing(ip: &LaxIpSlice<'_>, present: usize) -> usize {
    if ip.payload().len_source == LenSource::Slice && !ip.payload().incomplete {
        return 0;
    }
    let promised = match ip {
        LaxIpSlice::Ipv4(ip) => usize::from(ip.header().total_len()),
        LaxIpSlice::Ipv6(ip) => IPV6_HEADER_LEN + usize::from(ip.header().payload_length()),
    };
    promised.saturating_sub(present)
}

/// The control bits of a TCP header that say how a connection begins and ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Opens a connection.
    pub syn: bool,
    /// The acknowledgment number means something.
    pub ack: bool,
    /// The sender has no more to send.
    pub fin: bool,
    /// There is no such connection, or no more.
    pub rst: bool,
    /// Hand over to the application what has come so far.
    pub psh: bool,
}

/// Why a packet is not a TCP segment that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The IP header or an extension header is cut short or says what can't be.
    #[error("the IP header is cut short or broken")]
    Ip,
    /// Another protocol than TCP.
    #[error("IP protocol {protocol} is not TCP")]
    NotTcp {
        /// The protocol's number.
        protocol: u8,
    },
    /// A fragment of a packet, which can't be read alone.
    #[error("a fragment of an IP packet can't be read alone")]
    Fragment,
    /// The TCP header is cut short, or its data offset says what can't be.
    #[error("the TCP header is cut short or broken")]
    Tcp,
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
