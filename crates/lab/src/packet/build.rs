//! TCP segments built byte by byte.

use std::net::{IpAddr, SocketAddr};

use fastopen_wire::Segment;

use super::checksum;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const MAX_OPTIONS: usize = 40;

/// A TCP segment to be sent, with anything in it that fits the header: also what no kernel would send.
///
/// ```
/// use fastopen_lab::SegmentBuilder;
///
/// // A SYN with a cookie of five bytes, which no server grants, and data.
/// let syn = SegmentBuilder::new("192.0.2.3:40000".parse()?, "192.0.2.2:80".parse()?)
///     .with_syn()
///     .with_sequence(1000)
///     .with_options([34, 7, 1, 2, 3, 4, 5])
///     .with_data("GET /");
/// assert_eq!(syn.to_packet().len(), 20 + 20 + 8 + 5);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentBuilder {
    source: SocketAddr,
    destination: SocketAddr,
    sequence: u32,
    acknowledgment: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    data: Vec<u8>,
}

impl SegmentBuilder {
    /// A segment without flags, options and data, with a window of 65,535 bytes. Both addresses are of the same family.
    pub fn new(source: SocketAddr, destination: SocketAddr) -> Self {
        Self {
            source,
            destination,
            sequence: 0,
            acknowledgment: 0,
            flags: 0,
            window: u16::MAX,
            options: Vec::new(),
            data: Vec::new(),
        }
    }

    /// Who it comes from.
    pub fn source(&self) -> SocketAddr {
        self.source
    }

    /// Who it is for.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// Sets who it comes from.
    pub fn with_source(mut self, source: SocketAddr) -> Self {
        self.source = source;
        self
    }

    /// Sets the sequence number of its first byte, or of the SYN.
    pub fn with_sequence(mut self, sequence: u32) -> Self {
        self.sequence = sequence;
        self
    }

    /// Sets the ACK flag, and the next sequence number that is expected.
    pub fn with_ack(mut self, acknowledgment: u32) -> Self {
        self.acknowledgment = acknowledgment;
        self.flags |= ACK;
        self
    }

    /// Sets the SYN flag.
    pub fn with_syn(mut self) -> Self {
        self.flags |= SYN;
        self
    }

    /// Sets the FIN flag.
    pub fn with_fin(mut self) -> Self {
        self.flags |= FIN;
        self
    }

    /// Sets the RST flag.
    pub fn with_rst(mut self) -> Self {
        self.flags |= RST;
        self
    }

    /// Sets the PSH flag.
    pub fn with_psh(mut self) -> Self {
        self.flags |= PSH;
        self
    }

    /// Sets the window field, unscaled.
    pub fn with_window(mut self, window: u16) -> Self {
        self.window = window;
        self
    }

    /// Sets the option bytes, whatever they are. Zeros fill them up to a multiple of four.
    ///
    /// # Panics
    /// With more than 40 bytes, which no header has room for.
    pub fn with_options(mut self, options: impl AsRef<[u8]>) -> Self {
        let options = options.as_ref();
        assert!(
            options.len() <= MAX_OPTIONS,
            "a TCP header holds 40 bytes of options, not {}",
            options.len()
        );
        self.options = options.to_vec();
        self
    }

    /// Adds a Fast Open option behind the options that are there: empty for a request, else the cookie's bytes, in any number.
    ///
    /// # Panics
    /// When the options then have more than 40 bytes, which no header has room for.
    pub fn with_fast_open(self, cookie: &[u8]) -> Self {
        let options = [&self.options[..], &[34, cookie.len() as u8 + 2], cookie].concat();
        self.with_options(options)
    }

    /// Sets the data that it carries.
    pub fn with_data(mut self, data: impl AsRef<[u8]>) -> Self {
        self.data = data.as_ref().to_vec();
        self
    }

    /// How many sequence numbers it takes: its data, and one each for SYN and FIN.
    pub fn sequence_len(&self) -> u32 {
        self.data.len() as u32 + u32::from(self.flags & SYN != 0) + u32::from(self.flags & FIN != 0)
    }

    /// The IP packet, checksums included.
    ///
    /// # Panics
    /// When one address is of IPv4 and the other of IPv6, or with more data than an IP packet holds.
    pub fn to_packet(&self) -> Vec<u8> {
        let tcp = self.to_tcp();
        let Ok(len) = u16::try_from(tcp.len()) else {
            panic!("{} bytes don't fit into an IP packet", tcp.len());
        };
        let mut packet = ip_header(self.source.ip(), self.destination.ip(), len);
        packet.extend(tcp);
        checksum::fill_in(&mut packet);
        packet
    }

    fn to_tcp(&self) -> Vec<u8> {
        let mut options = self.options.clone();
        options.resize(options.len().next_multiple_of(4), 0);
        let data_offset = ((20 + options.len()) / 4) as u8;
        let mut tcp = Vec::with_capacity(20 + options.len() + self.data.len());
        tcp.extend(self.source.port().to_be_bytes());
        tcp.extend(self.destination.port().to_be_bytes());
        tcp.extend(self.sequence.to_be_bytes());
        tcp.extend(self.acknowledgment.to_be_bytes());
        tcp.extend([data_offset << 4, self.flags]);
        tcp.extend(self.window.to_be_bytes());
        // The checksum comes later; nothing is urgent.
        tcp.extend([0; 4]);
        tcp.extend(options);
        tcp.extend(&self.data);
        tcp
    }
}

/// The same segment again, for sending it changed: everything but the bits that [`Segment`] doesn't know.
impl From<&Segment<'_>> for SegmentBuilder {
    fn from(segment: &Segment<'_>) -> Self {
        let flags = segment.flags;
        Self {
            source: segment.source,
            destination: segment.destination,
            sequence: segment.sequence,
            acknowledgment: segment.acknowledgment,
            flags: [
                (flags.fin, FIN),
                (flags.syn, SYN),
                (flags.rst, RST),
                (flags.psh, PSH),
                (flags.ack, ACK),
            ]
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, bit)| bit)
            .sum(),
            window: segment.window,
            options: segment.options.to_vec(),
            data: segment.payload.to_vec(),
        }
    }
}

fn ip_header(source: IpAddr, destination: IpAddr, payload_len: u16) -> Vec<u8> {
    const TTL: u8 = 64;
    const TCP: u8 = 6;
    const DONT_FRAGMENT: u8 = 0x40;
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let [high, low] = payload_len.saturating_add(20).to_be_bytes();
            let fixed = [0x45, 0, high, low, 0, 0, DONT_FRAGMENT, 0, TTL, TCP, 0, 0];
            [&fixed[..], &source.octets(), &destination.octets()].concat()
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let [high, low] = payload_len.to_be_bytes();
            let fixed = [0x60, 0, 0, 0, high, low, TCP, TTL];
            [&fixed[..], &source.octets(), &destination.octets()].concat()
        }
        _ => panic!("{source} and {destination} are of different families"),
    }
}

#[cfg(test)]
mod tests {
    use etherparse::PacketBuilder;

    use super::*;

    #[test]
    fn packets_are_those_of_another_implementation() {
        let segment = SegmentBuilder::new(
            "192.0.2.1:40000".parse().unwrap(),
            "192.0.2.2:80".parse().unwrap(),
        )
        .with_syn()
        .with_psh()
        .with_sequence(7)
        .with_ack(9)
        .with_window(1000)
        .with_options([2, 4, 5, 0xb4, 34, 2])
        .with_data("odd");
        let mut expected = Vec::new();
        PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
            .tcp(40000, 80, 7, 1000)
            .syn()
            .psh()
            .ack(9)
            .options_raw(&[2, 4, 5, 0xb4, 34, 2, 0, 0])
            .unwrap()
            .write(&mut expected, b"odd")
            .unwrap();
        assert_eq!(segment.to_packet(), expected);

        let source: std::net::Ipv6Addr = "2001:db8::1".parse().unwrap();
        let segment = segment.with_source(SocketAddr::from((source, 1)));
        let segment = SegmentBuilder {
            destination: SocketAddr::from((source, 2)),
            ..segment
        };
        let mut expected = Vec::new();
        PacketBuilder::ipv6(source.octets(), source.octets(), 64)
            .tcp(1, 2, 7, 1000)
            .syn()
            .psh()
            .ack(9)
            .options_raw(&[2, 4, 5, 0xb4, 34, 2, 0, 0])
            .unwrap()
            .write(&mut expected, b"odd")
            .unwrap();
        assert_eq!(segment.to_packet(), expected);
    }

    #[test]
    fn a_segment_that_was_seen_is_built_again() {
        let built = SegmentBuilder::new(
            "[2001:db8::1]:1".parse().unwrap(),
            "[2001:db8::2]:2".parse().unwrap(),
        )
        .with_syn()
        .with_fin()
        .with_ack(5)
        .with_fast_open(&[1, 2, 3, 4, 5, 6])
        .with_data("x");
        let packet = built.to_packet();
        assert_eq!(SegmentBuilder::from(&Segment::from_ip(&packet).unwrap()), built);
        assert_eq!(built.sequence_len(), 3);
    }
}
