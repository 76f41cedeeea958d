//! Changes to a TCP segment inside its IP packet. All other bits stay as they are, unknown ones included.

use std::net::IpAddr;

use fastopen_wire::{OptionKind, Options, Segment};

use super::checksum;
use super::layout::{IPV4, IPV6_HEADER, TCP_HEADER, tcp_offset};

const MAX_OPTIONS: usize = 40;
const NO_OPERATION: u8 = 1;
/// Fast Open's mark behind the kind and length of an experimental option.
const EXPERIMENT_ID: usize = 2;

/// An IP packet that holds a whole TCP segment, for changing it. [`finish`](Self::finish) puts the checksums right.
pub(crate) struct TcpPacket {
    bytes: Vec<u8>,
    tcp: usize,
}

impl TcpPacket {
    /// Takes an IP packet; gives it back when it can't be changed: not TCP, a fragment, cut short, or behind extension headers.
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self, Vec<u8>> {
        match tcp_offset(&bytes) {
            Some(tcp) if Segment::from_ip(&bytes).is_ok() => Ok(Self { bytes, tcp }),
            _ => Err(bytes),
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        checksum::fill_in(&mut self.bytes);
        self.bytes
    }

    /// Changes the source address, to one of the same family; another one is ignored.
    pub(crate) fn set_source(&mut self, address: IpAddr) {
        self.set_address(address, 12, 8);
    }

    /// Changes the destination address, to one of the same family; another one is ignored.
    pub(crate) fn set_destination(&mut self, address: IpAddr) {
        self.set_address(address, 16, 24);
    }

    pub(crate) fn set_source_port(&mut self, port: u16) {
        self.put(0, &port.to_be_bytes());
    }

    pub(crate) fn set_sequence(&mut self, sequence: u32) {
        self.put(4, &sequence.to_be_bytes());
    }

    pub(crate) fn set_acknowledgment(&mut self, acknowledgment: u32) {
        self.put(8, &acknowledgment.to_be_bytes());
    }

    /// Replaces every Fast Open option by no-operations, as the boxes do that strip it.
    pub(crate) fn strip_fast_open(&mut self) {
        for (start, cookie) in self.fast_open_options() {
            self.bytes[start..cookie.end].fill(NO_OPERATION);
        }
    }

    /// Removes what stands behind the TCP header.
    pub(crate) fn strip_data(&mut self) {
        self.bytes.truncate(self.options_end());
        self.set_len(self.bytes.len());
    }

    /// Replaces the cookie, if there is one, by what the function makes of it. Other options move as needed; what would need more
    /// than a header's 40 bytes of options is left alone.
    pub(crate) fn change_cookie(&mut self, change: impl FnOnce(&[u8]) -> Vec<u8>) {
        let Some((start, cookie)) = self.fast_open_options().pop() else {
            return;
        };
        if cookie.is_empty() {
            return;
        }
        let replacement = change(&self.bytes[cookie.clone()]);
        let options_start = self.tcp + TCP_HEADER;
        let mut options = self.bytes[options_start..self.options_end()].to_vec();
        let (option, cookie) = (
            start - options_start,
            cookie.start - options_start..cookie.end - options_start,
        );
        let len = replacement.len() + (cookie.start - option);
        options.splice(cookie, replacement);
        options[option + 1] = len as u8;
        trim_padding(&mut options);
        if options.len() <= MAX_OPTIONS {
            self.set_options(&options);
        }
    }

    /// Puts other options in, and pads them to a multiple of four bytes.
    fn set_options(&mut self, options: &[u8]) {
        let mut padded = options.to_vec();
        padded.resize(options.len().next_multiple_of(4), 0);
        let old = self.tcp + TCP_HEADER..self.options_end();
        let total = self.bytes.len() - old.len() + padded.len();
        let words = (TCP_HEADER + padded.len()) / 4;
        self.bytes.splice(old, padded);
        let data_offset = self.tcp + 12;
        self.bytes[data_offset] = self.bytes[data_offset] & 0x0f | (words as u8) << 4;
        self.set_len(total);
    }

    /// Writes the packet's length into its IP header.
    fn set_len(&mut self, total: usize) {
        if self.bytes[0] >> 4 == IPV4 {
            self.bytes[2..4].copy_from_slice(&(total as u16).to_be_bytes());
        } else {
            self.bytes[4..6].copy_from_slice(&((total - IPV6_HEADER) as u16).to_be_bytes());
        }
    }

    /// Where each Fast Open option starts in the packet, and where its cookie stands.
    fn fast_open_options(&self) -> Vec<(usize, std::ops::Range<usize>)> {
        let start = self.tcp + TCP_HEADER;
        Options::new(&self.bytes[start..self.options_end()])
            .map_while(Result::ok)
            .filter_map(|option| {
                let mark = match option.kind {
                    kind if kind == OptionKind::Standard.number() => 0,
                    kind if kind == OptionKind::Experimental.number()
                        && option.data.starts_with(&[0xf9, 0x89]) =>
                    {
                        EXPERIMENT_ID
                    }
                    _ => return None,
                };
                let at = start + option.offset;
                Some((at, at + 2 + mark..at + 2 + option.data.len()))
            })
            .collect()
    }

    fn options_end(&self) -> usize {
        self.tcp + usize::from(self.bytes[self.tcp + 12] >> 4) * 4
    }

    fn put(&mut self, offset: usize, value: &[u8]) {
        let at = self.tcp + offset;
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }

    fn set_address(&mut self, address: IpAddr, ipv4_offset: usize, ipv6_offset: usize) {
        match (address, self.bytes[0] >> 4 == IPV4) {
            (IpAddr::V4(address), true) => {
                self.bytes[ipv4_offset..ipv4_offset + 4].copy_from_slice(&address.octets());
            }
            (IpAddr::V6(address), false) => {
                self.bytes[ipv6_offset..ipv6_offset + 16].copy_from_slice(&address.octets());
            }
            _ => {}
        }
    }
}

/// Takes the padding off the end of options, the end markers and the no-operations.
fn trim_padding(options: &mut Vec<u8>) {
    let used = Options::new(options)
        .map_while(Result::ok)
        .filter(|option| option.kind != NO_OPERATION)
        .map(|option| option.offset + 2 + option.data.len())
        .last();
    // What follows options that can't be walked may be significant, so it stays.
    if Options::new(options).all(|option| option.is_ok()) {
        options.truncate(used.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use fastopen_wire::FastOpen;

    use super::super::{SegmentBuilder, checksum::is_right};
    use super::*;

    const ENDS: [[&str; 2]; 2] = [
        ["192.0.2.1:40000", "192.0.2.2:80"],
        ["[2001:db8::1]:40000", "[2001:db8::2]:80"],
    ];
    const COOKIE: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

    fn syn([source, destination]: [&str; 2], options: &[u8]) -> Vec<u8> {
        let [source, destination]: [SocketAddr; 2] = [source.parse().unwrap(), destination.parse().unwrap()];
        SegmentBuilder::new(source, destination)
            .with_syn()
            .with_sequence(7)
            .with_options(options)
            .with_data(b"odd")
            .to_packet()
    }

    fn with_cookie() -> Vec<u8> {
        [&[2, 4, 5, 0xb4, 1, 1, 34, 10][..], &COOKIE, &[1, 3, 3, 7]].concat()
    }

    fn edited(packet: Vec<u8>, edit: impl FnOnce(&mut TcpPacket)) -> Vec<u8> {
        let mut editable = TcpPacket::new(packet).unwrap();
        edit(&mut editable);
        let packet = editable.finish();
        assert!(is_right(&packet));
        packet
    }

    #[test]
    fn stripping_leaves_everything_else_where_it_was() {
        for ends in ENDS {
            let packet = edited(syn(ends, &with_cookie()), TcpPacket::strip_fast_open);
            let segment = Segment::from_ip(&packet).unwrap();
            assert_eq!(
                segment.options,
                [&[2, 4, 5, 0xb4][..], &[1; 12], &[1, 3, 3, 7]].concat()
            );
            assert_eq!(segment.payload, b"odd");
        }
    }

    #[test]
    fn the_experimental_option_is_stripped_as_well() {
        let packet = edited(
            syn(ENDS[0], &[254, 6, 0xf9, 0x89, 1, 2, 254, 4, 0, 1]),
            TcpPacket::strip_fast_open,
        );
        let segment = Segment::from_ip(&packet).unwrap();
        assert_eq!(segment.options, [1, 1, 1, 1, 1, 1, 254, 4, 0, 1, 0, 0]);
    }

    #[test]
    fn a_cookie_of_any_length_takes_the_old_one_s_place() {
        for ends in ENDS {
            for len in 0..=20 {
                let packet = edited(syn(ends, &with_cookie()), |packet| {
                    packet.change_cookie(|_| vec![9; len]);
                });
                let segment = Segment::from_ip(&packet).unwrap();
                let option = Options::new(segment.options)
                    .flatten()
                    .find(|option| option.kind == 34)
                    .unwrap();
                assert_eq!(option.data, vec![9; len], "{len}");
                let window_scale = Options::new(segment.options)
                    .flatten()
                    .find(|option| option.kind == 3)
                    .unwrap();
                assert_eq!((window_scale.data, segment.payload), (&[7][..], &b"odd"[..]));
            }
        }
    }

    #[test]
    fn a_cookie_that_has_no_room_changes_nothing() {
        let packet = syn(ENDS[0], &with_cookie());
        assert_eq!(
            edited(packet.clone(), |packet| packet.change_cookie(|_| vec![9; 36])),
            packet
        );
    }

    #[test]
    fn a_request_is_no_cookie() {
        let packet = edited(syn(ENDS[0], &[34, 2]), |packet| {
            packet.change_cookie(|_| vec![9; 8]);
        });
        let fast_open = Segment::from_ip(&packet).unwrap().fast_open();
        assert_eq!(fast_open, FastOpen::Request(OptionKind::Standard));
    }

    #[test]
    fn numbers_and_addresses_are_changed() {
        for (ends, address) in ENDS.into_iter().zip(["198.51.100.7", "2001:db8:1::7"]) {
            let address: IpAddr = address.parse().unwrap();
            let packet = edited(syn(ends, &[]), |packet| {
                packet.set_source(address);
                packet.set_destination(address);
                packet.set_source_port(9);
                packet.set_sequence(0xffff_fffe);
                packet.set_acknowledgment(3);
            });
            let segment = Segment::from_ip(&packet).unwrap();
            assert_eq!(segment.source, SocketAddr::new(address, 9));
            assert_eq!(segment.destination, SocketAddr::new(address, 80));
            assert_eq!((segment.sequence, segment.acknowledgment), (0xffff_fffe, 3));
        }
    }

    #[test]
    fn what_is_not_tcp_comes_back() {
        assert!(TcpPacket::new(vec![]).is_err());
        let mut udp = syn(ENDS[0], &[]);
        udp[9] = 17;
        assert_eq!(TcpPacket::new(udp.clone()).err(), Some(udp));
    }

    proptest::proptest! {
        #[test]
        fn any_options_survive_stripping_and_forging(
            options in proptest::collection::vec(proptest::num::u8::ANY, 0..=40), len in 0..40_usize,
        ) {
            let packet = edited(syn(ENDS[1], &options), |packet| {
                packet.change_cookie(|_| vec![9; len]);
                packet.strip_fast_open();
            });
            let segment = Segment::from_ip(&packet).unwrap();
            assert_eq!(segment.fast_open(), FastOpen::Absent);
            assert_eq!((segment.payload, segment.payload_len), (&b"odd"[..], 3));
        }
    }
}
