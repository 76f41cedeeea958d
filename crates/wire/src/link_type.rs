//! Link layers by their numbers, and why a frame has no IP packet that can be read.

use std::fmt;

/// The link layer of a frame, numbered as in capture files (<https://www.tcpdump.org/linktypes.html>).
///
/// Any number is a link type; for those that are not named here, [`ip_packet`](Self::ip_packet) returns [`LinkError::Unknown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in four bytes, in the byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// Ethernet, with EtherTypes or 802.2 headers, VLAN tags, PPPoE sessions and MPLS labels.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without its HDLC-like framing.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC-like framing, or Cisco HDLC.
    pub const PPP_HDLC: Self = Self(50);
    /// A PPPoE session, from the PPPoE header on.
    pub const PPPOE: Self = Self(51);
    /// 802.2 LLC, as in RFC 1483's ATM frames.
    pub const LLC: Self = Self(100);
    /// The IP header comes first.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const CISCO_HDLC: Self = Self(104);
    /// OpenBSD loopback: the address family in four bytes, in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, as on the device `any`.
    pub const LINUX_SLL: Self = Self(113);
    /// PPP as pppd records it: the direction in place of the framing's address byte.
    pub const PPP_PPPD: Self = Self(166);
    /// PPP behind a byte with its direction.
    pub const PPP_WITH_DIRECTION: Self = Self(204);
    /// MPLS labels come first.
    pub const MPLS: Self = Self(219);
    /// The IPv4 header comes first.
    pub const IPV4: Self = Self(228);
    /// The IPv6 header comes first.
    pub const IPV6: Self = Self(229);
    /// What Linux' netfilter logs (`tcpdump -i nflog`).
    pub const NFLOG: Self = Self(239);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);

    /// `DLT_RAW` as some BSDs number it: files that their programs wrote carry it.
    pub(crate) const BSD_RAW: Self = Self(12);
    /// `DLT_RAW` as OpenBSD numbers it.
    pub(crate) const OPENBSD_RAW: Self = Self(14);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match *self {
            Self::ETHERNET => "Ethernet",
            Self::LINUX_SLL => "Linux cooked",
            Self::LINUX_SLL2 => "Linux cooked v2",
            Self::RAW | Self::BSD_RAW | Self::OPENBSD_RAW => "raw IP",
            Self::IPV4 => "raw IPv4",
            Self::IPV6 => "raw IPv6",
            Self::NULL | Self::LOOP => "BSD loopback",
            Self::PPP | Self::PPP_PPPD | Self::PPP_WITH_DIRECTION => "PPP",
            Self::PPP_HDLC => "PPP in HDLC-like framing",
            Self::CISCO_HDLC => "Cisco HDLC",
            Self::PPPOE => "PPPoE",
            Self::LLC => "802.2 LLC",
            Self::MPLS => "MPLS",
            Self::NFLOG => "NFLOG",
            Self(number) => return write!(f, "link type {number}"),
        })
    }
}

/// Why no IP packet can be read from a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A link layer that can't be read here.
    #[error("frames of {0} can't be read")]
    Unknown(LinkType),
    /// The frame carries another protocol than IP.
    #[error("protocol {protocol:#06x} is not IP")]
    NotIp {
        /// Its number in the innermost header that was read: an EtherType, a PPP protocol, an 802.2 service access point, or an
        /// address family.
        protocol: u32,
    },
    /// The frame ends within the link layer's header.
    #[error("the frame ends within its link-layer header")]
    Short,
}
