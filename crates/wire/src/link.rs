//! Link layers: from a captured frame to the IP packet in it.

use std::fmt;

/// What stands in front of the IP packet, numbered as in capture files (<https://www.tcpdump.org/linktypes.html>).
///
/// Any number is a link type; of those that are not named here, [`ip_packet`](Self::ip_packet) says that it can't read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in four bytes, of the capturing machine's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet, with any number of VLAN tags.
    pub const ETHERNET: Self = Self(1);
    /// The IP header comes first.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: the address family in four bytes, in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, as on the device `any`.
    pub const LINUX_SLL: Self = Self(113);
    /// The IPv4 header comes first.
    pub const IPV4: Self = Self(228);
    /// The IPv6 header comes first.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// `DLT_RAW` as some BSDs number it: files that their programs wrote carry it.
    const BSD_RAW: Self = Self(12);
    /// `DLT_RAW` as OpenBSD numbers it.
    const OPENBSD_RAW: Self = Self(14);

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
            Self::ETHERNET => ethernet(frame),
            Self::LINUX_SLL => cooked(frame, 14, 16),
            Self::LINUX_SLL2 => cooked(frame, 0, 20),
            Self::RAW | Self::IPV4 | Self::IPV6 | Self::BSD_RAW | Self::OPENBSD_RAW => Ok(frame),
            Self::NULL | Self::LOOP => loopback(frame),
            unknown => Err(LinkError::Unknown(unknown)),
        }
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ETHERNET => f.write_str("Ethernet"),
            Self::LINUX_SLL => f.write_str("Linux cooked"),
            Self::LINUX_SLL2 => f.write_str("Linux cooked v2"),
            Self::RAW | Self::BSD_RAW | Self::OPENBSD_RAW => f.write_str("raw IP"),
            Self::IPV4 => f.write_str("raw IPv4"),
            Self::IPV6 => f.write_str("raw IPv6"),
            Self::NULL | Self::LOOP => f.write_str("BSD loopback"),
            Self(number) => write!(f, "link type {number}"),
        }
    }
}

/// Why there is no IP packet to be had from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A link layer that can't be read here.
    #[error("frames of {0} can't be read")]
    Unknown(LinkType),
    /// The frame carries another protocol than IP.
    #[error("protocol {protocol:#06x} is not IP")]
    NotIp {
        /// Its EtherType, or on BSD loopback its address family.
        protocol: u32,
    },
    /// The frame ends within the link layer's header.
    #[error("the frame ends within its link-layer header")]
    Short,
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
/// What announces a VLAN tag: 802.1Q, 802.1ad, and the number that came before 802.1ad.
const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];

#[inline]
fn ethernet(frame: &[u8]) -> Result<&[u8], LinkError> {
    cooked(frame, 12, 14)
}

/// A header of `len` bytes with an EtherType at `at`, then VLAN tags, if any.
#[inline]
fn cooked(frame: &[u8], at: usize, len: usize) -> Result<&[u8], LinkError> {
    let (header, mut rest) = frame.split_at_checked(len).ok_or(LinkError::Short)?;
    let mut protocol = u16::from_be_bytes([header[at], header[at + 1]]);
    while VLAN.contains(&protocol) {
        let (&[_, _, p1, p2], behind) = rest.split_first_chunk().ok_or(LinkError::Short)?;
        protocol = u16::from_be_bytes([p1, p2]);
        rest = behind;
    }
    match protocol {
        IPV4 | IPV6 => Ok(rest),
        other => Err(LinkError::NotIp {
            protocol: other.into(),
        }),
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
        for (link, frame) in [
            (LinkType::ETHERNET, vlan(&[])),
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
    }
}
