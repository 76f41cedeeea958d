//! Link layers: from a captured frame to the IP packet in it.

use crate::encapsulation::{Layer, ip_packet};
use crate::link_type::{LinkError, LinkType};

impl LinkType {
    /// Finds the IP packet in a frame. What follows the packet, such as Ethernet's padding, may still be at its end.
    ///
    /// # Errors
    /// [`LinkError`] where there is none, or none that can be found.
    ///
    /// # Examples
    /// ```
    /// use fastopen_wire::{LinkError, LinkType};
    ///
    /// let frame = [0, 0, 0, 2, 0x45, 0];
    /// assert_eq!(LinkType::LOOP.ip_packet(&frame), Ok(&[0x45, 0][..]));
    /// assert_eq!(LinkType(147).ip_packet(&frame), Err(LinkError::Unknown(LinkType(147))));
    /// ```
    #[inline]
    pub fn ip_packet(self, frame: &[u8]) -> Result<&[u8], LinkError> {
        match self {
            Self::ETHERNET => ip_packet(Layer::Ethernet, frame),
            Self::RAW | Self::IPV4 | Self::IPV6 | Self::BSD_RAW | Self::OPENBSD_RAW => Ok(frame),
            other => other.less_common(frame),
        }
    }

    fn less_common(self, frame: &[u8]) -> Result<&[u8], LinkError> {
        match self {
            Self::LINUX_SLL => cooked(frame, 14, 16),
            Self::LINUX_SLL2 => cooked(frame, 0, 20),
            Self::NULL | Self::LOOP => loopback(frame),
            Self::PPP => ip_packet(Layer::Ppp, frame),
            Self::PPP_HDLC | Self::CISCO_HDLC => serial(frame),
            Self::PPP_PPPD => ip_packet(Layer::Ppp, frame.get(2..).ok_or(LinkError::Short)?),
            Self::PPP_WITH_DIRECTION => ip_packet(Layer::Ppp, frame.get(1..).ok_or(LinkError::Short)?),
            Self::PPPOE => ip_packet(Layer::Pppoe, frame),
            Self::LLC => ip_packet(Layer::Llc, frame),
            Self::MPLS => ip_packet(Layer::Mpls, frame),
            Self::NFLOG => logged(frame),
            unknown => Err(LinkError::Unknown(unknown)),
        }
    }
}

/// Linux cooked: a header of `len` bytes with an EtherType at `at`, or one of the numbers of `linux/if_ether.h` in its place.
fn cooked(frame: &[u8], at: usize, len: usize) -> Result<&[u8], LinkError> {
    const ETH_P_802_2: u16 = 4;
    let (header, rest) = frame.split_at_checked(len).ok_or(LinkError::Short)?;
    match u16::from_be_bytes([header[at], header[at + 1]]) {
        ETH_P_802_2 => ip_packet(Layer::Llc, rest),
        ether_type => ip_packet(Layer::EtherType(ether_type), rest),
    }
}

/// PPP in HDLC-like framing; Cisco HDLC has an address of its own and an EtherType.
fn serial(frame: &[u8]) -> Result<&[u8], LinkError> {
    const UNICAST: u8 = 0x0f;
    const MULTICAST: u8 = 0x8f;
    match *frame {
        [UNICAST | MULTICAST, _, t1, t2, ref rest @ ..] => {
            ip_packet(Layer::EtherType(u16::from_be_bytes([t1, t2])), rest)
        }
        [] | [UNICAST | MULTICAST, ..] => Err(LinkError::Short),
        _ => ip_packet(Layer::Ppp, frame),
    }
}

/// `AF_INET`, the same everywhere, and `AF_INET6` of Linux, NetBSD and OpenBSD, FreeBSD, and macOS.
const FAMILIES: [u32; 5] = [2, 10, 24, 28, 30];

/// The address families fit in a byte, so that one order of bytes is never taken for the other.
fn loopback(frame: &[u8]) -> Result<&[u8], LinkError> {
    let (&family, rest) = frame.split_first_chunk().ok_or(LinkError::Short)?;
    let (little, big) = (u32::from_le_bytes(family), u32::from_be_bytes(family));
    if FAMILIES.contains(&little) || FAMILIES.contains(&big) {
        return Ok(rest);
    }
    Err(LinkError::NotIp {
        protocol: little.min(big),
    })
}

/// NFLOG: a header of four bytes, then attributes, of which one is the packet (`linux/netfilter/nfnetlink_log.h`).
fn logged(frame: &[u8]) -> Result<&[u8], LinkError> {
    const PAYLOAD: u16 = 9;
    let (&[family, ..], attributes) = frame.split_first_chunk::<4>().ok_or(LinkError::Short)?;
    // The attributes are in the byte order of the machine that logged: the first one's length tells which.
    let big = attributes.first() == Some(&0);
    let mut rest = attributes;
    while let Some((&[l1, l2, k1, k2], _)) = rest.split_first_chunk() {
        let number = |bytes| {
            if big {
                u16::from_be_bytes(bytes)
            } else {
                u16::from_le_bytes(bytes)
            }
        };
        let (len, kind) = (usize::from(number([l1, l2])), number([k1, k2]));
        if len < 4 {
            return Err(LinkError::NotIp {
                protocol: family.into(),
            });
        }
        if kind == PAYLOAD {
            let packet = &rest[4..len.min(rest.len())];
            return if packet.is_empty() {
                Err(LinkError::Short)
            } else {
                Ok(packet)
            };
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(LinkError::Short)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: [u8; 3] = [0x45, 1, 2];

    fn framed(header: &[u8]) -> Vec<u8> {
        [header, &PACKET].concat()
    }

    #[test]
    fn every_link_type_gives_its_packet() {
        let vlan = |tags: &[u16]| {
            let mut header = vec![7; 12];
            for tag in tags {
                header.extend(tag.to_be_bytes());
                header.extend([0, 5]);
            }
            header.extend([0x86, 0xdd]);
            framed(&header)
        };
        let cooked = framed(&[[0; 14].as_slice(), &[8, 0]].concat());
        let cooked2 = framed(&[&[8, 0][..], &[0; 18]].concat());
        let ethernet = |behind: &[u8]| framed(&[&[7; 12][..], behind].concat());
        let nflog = |order: fn(u16) -> [u8; 2]| {
            let attribute = |len, kind| [order(len), order(kind)].concat();
            framed(&[&[2, 0, 0, 30][..], &attribute(6, 1), &[7; 4], &attribute(7, 9)].concat())
        };
        for (link, frame) in [
            (LinkType::ETHERNET, vlan(&[])),
            (
                LinkType::ETHERNET,
                ethernet(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 5, 0, 0x21]),
            ),
            (
                LinkType::ETHERNET,
                ethernet(&[0x81, 0, 0, 7, 0x88, 0x64, 0x11, 0, 0, 1, 0, 5, 0, 0x57]),
            ),
            (LinkType::ETHERNET, ethernet(&[0x88, 0x47, 0, 1, 0x21, 64])),
            (
                LinkType::ETHERNET,
                ethernet(&[0x88, 0x48, 0, 1, 0x20, 64, 0, 2, 0x21, 64]),
            ),
            (
                LinkType::ETHERNET,
                // A pseudowire: a control word, and another Ethernet frame.
                ethernet(&[&[0x88, 0x47, 0, 1, 0x21, 64, 0, 0, 0, 9][..], &[7; 12], &[8, 0]].concat()),
            ),
            (
                LinkType::ETHERNET,
                ethernet(&[0, 40, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]),
            ),
            (LinkType::ETHERNET, ethernet(&[0, 40, 6, 6, 3])),
            (
                LinkType::ETHERNET,
                ethernet(&[&[0x88, 0xe7, 0, 0, 0, 1][..], &[7; 12], &[0x81, 0, 0, 7, 8, 0]].concat()),
            ),
            (
                LinkType::LINUX_SLL,
                framed(&[&[0; 14][..], &[0, 4, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat()),
            ),
            (LinkType::PPP, framed(&[0xff, 3, 0, 0x21])),
            (LinkType::PPP, framed(&[0, 0x57])),
            (LinkType::PPP, framed(&[0x21])),
            (LinkType::PPP_HDLC, framed(&[0xff, 3, 0, 0x21])),
            (LinkType::PPP_HDLC, framed(&[0x0f, 0, 8, 0])),
            (LinkType::CISCO_HDLC, framed(&[0x8f, 0, 0x86, 0xdd])),
            (LinkType::PPP_PPPD, framed(&[1, 3, 0, 0x21])),
            (
                LinkType::PPP_WITH_DIRECTION,
                framed(&[0, 0xff, 3, 2, 0x81, 0, 1, 0x21, 64]),
            ),
            (LinkType::PPPOE, framed(&[0x11, 0, 0, 1, 0, 5, 0, 0x21])),
            (LinkType::LLC, framed(&[0xaa, 0xaa, 3, 0, 0, 0, 0x86, 0xdd])),
            (LinkType::MPLS, framed(&[0, 1, 0x21, 64])),
            (LinkType::NFLOG, nflog(u16::to_le_bytes)),
            (LinkType::NFLOG, nflog(u16::to_be_bytes)),
            (LinkType::ETHERNET, vlan(&[0x8100])),
            (LinkType::ETHERNET, vlan(&[0x88a8, 0x8100])),
            (LinkType::ETHERNET, vlan(&[0x9100, 0x9100, 0x8100])),
            (LinkType::LINUX_SLL, cooked),
            (LinkType::LINUX_SLL2, cooked2),
            (LinkType::RAW, framed(&[])),
            (LinkType::IPV4, framed(&[])),
            (LinkType::IPV6, framed(&[])),
            (LinkType(12), framed(&[])),
            (LinkType(14), framed(&[])),
            (LinkType::NULL, framed(&[2, 0, 0, 0])),
            (LinkType::NULL, framed(&[0, 0, 0, 2])),
            (LinkType::LOOP, framed(&[0, 0, 0, 30])),
            (LinkType::LOOP, framed(&[24, 0, 0, 0])),
        ] {
            assert_eq!(link.ip_packet(&frame), Ok(&PACKET[..]), "{link} {frame:02x?}");
            for cut in 0..frame.len() - PACKET.len() {
                assert_eq!(
                    link.ip_packet(&frame[..cut]),
                    Err(LinkError::Short),
                    "{link} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn other_protocols_are_named() {
        let arp = [&[0; 12][..], &[0x08, 0x06]].concat();
        assert_eq!(
            LinkType::ETHERNET.ip_packet(&arp),
            Err(LinkError::NotIp { protocol: 0x0806 })
        );
        assert_eq!(
            LinkType::NULL.ip_packet(&[7, 0, 0, 0]),
            Err(LinkError::NotIp { protocol: 7 })
        );
        let discovery = [&[0; 12][..], &[0x88, 0x63, 0x11, 9, 0, 0, 0, 0]].concat();
        let spanning_tree = [&[0; 12][..], &[0, 38, 0x42, 0x42, 3, 0, 0, 0]].concat();
        let lcp = [0xff, 3, 0xc0, 0x21, 1, 1, 0, 4];
        for (link, frame, protocol) in [
            (LinkType::ETHERNET, &discovery[..], 0x8863),
            (LinkType::ETHERNET, &spanning_tree, 0x42),
            (LinkType::PPP, &lcp, 0xc021),
        ] {
            assert_eq!(link.ip_packet(frame), Err(LinkError::NotIp { protocol }));
        }
    }
}
