//! ICMP errors about TCP segments (RFC 792, RFC 4443).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use crate::ip::{Fragment, IpPacket, TCP};

const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
const HEADER_LEN: usize = 8;

/// An ICMP error, and as much of the TCP segment as it quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IcmpError {
    /// Who sent the error: a router, or the host that the segment was for.
    pub from: IpAddr,
    /// What is wrong.
    pub kind: IcmpKind,
    /// The message's type: 3 for "destination unreachable" in ICMP, 1 in ICMPv6.
    pub number: u8,
    /// The message's code.
    pub code: u8,
    /// Who sent the segment.
    pub source: SocketAddr,
    /// Who the segment was for.
    pub destination: SocketAddr,
    /// The segment's sequence number.
    pub sequence: u32,
    /// Whether the segment was a SYN; `None` where the quote ends before the flags, as RFC 792 allows.
    pub syn: Option<bool>,
}

/// What an ICMP error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(tag = "icmp", rename_all = "kebab-case", rename_all_fields = "snake_case")
)]
#[non_exhaustive]
pub enum IcmpKind {
    /// There is no route.
    NetworkUnreachable,
    /// The last router can't reach the host.
    HostUnreachable,
    /// The host does not speak TCP.
    ProtocolUnreachable,
    /// The host does not take the port, or a firewall says so in its name.
    PortUnreachable,
    /// A firewall forbids it.
    Prohibited,
    /// The packet is larger than the next link takes.
    FragmentationNeeded {
        /// What the link takes, in bytes; 0 where the router does not say.
        mtu: u32,
    },
    /// The packet went through too many routers, or its fragments did not all arrive.
    TimeExceeded,
    /// A header field makes no sense to a router.
    ParameterProblem,
    /// Another reason.
    Other {
        /// The message's code.
        code: u8,
    },
}

impl IcmpError {
    /// The error that a packet carries; `None` for anything else.
    pub(crate) fn in_packet(ip: &IpPacket<'_>) -> Option<Self> {
        let (&header, quote) = ip.payload.split_first_chunk::<HEADER_LEN>()?;
        let kind = match (ip.protocol, ip.fragment) {
            (ICMP, Fragment::Whole | Fragment::First) => v4(header)?,
            (ICMPV6, Fragment::Whole | Fragment::First) => v6(header)?,
            _ => return None,
        };
        let quoted = IpPacket::parse(quote, quote.len()).ok()?;
        if quoted.protocol != TCP || quoted.fragment == Fragment::Later {
            return None;
        }
        let &[s1, s2, d1, d2, q1, q2, q3, q4] = quoted.payload.first_chunk()?;
        Some(Self {
            from: ip.source,
            kind,
            number: header[0],
            code: header[1],
            source: SocketAddr::new(quoted.source, u16::from_be_bytes([s1, s2])),
            destination: SocketAddr::new(quoted.destination, u16::from_be_bytes([d1, d2])),
            sequence: u32::from_be_bytes([q1, q2, q3, q4]),
            syn: quoted.payload.get(13).map(|bits| bits & 0x02 != 0),
        })
    }
}

fn v4([kind, code, _, _, _, _, m1, m2]: [u8; HEADER_LEN]) -> Option<IcmpKind> {
    const UNREACHABLE: u8 = 3;
    const TIME_EXCEEDED: u8 = 11;
    const PARAMETER_PROBLEM: u8 = 12;
    Some(match (kind, code) {
        (UNREACHABLE, 0 | 6 | 11) => IcmpKind::NetworkUnreachable,
        (UNREACHABLE, 1 | 7 | 8 | 12) => IcmpKind::HostUnreachable,
        (UNREACHABLE, 2) => IcmpKind::ProtocolUnreachable,
        (UNREACHABLE, 3) => IcmpKind::PortUnreachable,
        (UNREACHABLE, 4) => IcmpKind::FragmentationNeeded {
            mtu: u16::from_be_bytes([m1, m2]).into(),
        },
        (UNREACHABLE, 9 | 10 | 13) => IcmpKind::Prohibited,
        (UNREACHABLE, code) => IcmpKind::Other { code },
        (TIME_EXCEEDED, _) => IcmpKind::TimeExceeded,
        (PARAMETER_PROBLEM, _) => IcmpKind::ParameterProblem,
        _ => return None,
    })
}

fn v6([kind, code, _, _, m1, m2, m3, m4]: [u8; HEADER_LEN]) -> Option<IcmpKind> {
    const UNREACHABLE: u8 = 1;
    const TOO_BIG: u8 = 2;
    const TIME_EXCEEDED: u8 = 3;
    const PARAMETER_PROBLEM: u8 = 4;
    Some(match (kind, code) {
        (UNREACHABLE, 0) => IcmpKind::NetworkUnreachable,
        (UNREACHABLE, 1 | 5 | 6) => IcmpKind::Prohibited,
        (UNREACHABLE, 3) => IcmpKind::HostUnreachable,
        (UNREACHABLE, 4) => IcmpKind::PortUnreachable,
        (UNREACHABLE, code) => IcmpKind::Other { code },
        (TOO_BIG, _) => IcmpKind::FragmentationNeeded {
            mtu: u32::from_be_bytes([m1, m2, m3, m4]),
        },
        (TIME_EXCEEDED, _) => IcmpKind::TimeExceeded,
        (PARAMETER_PROBLEM, _) => IcmpKind::ParameterProblem,
        _ => return None,
    })
}

impl fmt::Display for IcmpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ProtocolUnreachable => "protocol unreachable",
            Self::PortUnreachable => "port unreachable",
            Self::Prohibited => "administratively prohibited",
            Self::FragmentationNeeded { mtu: 0 } => "fragmentation needed",
            Self::FragmentationNeeded { mtu } => return write!(f, "fragmentation needed, MTU {mtu}"),
            Self::TimeExceeded => "time exceeded",
            Self::ParameterProblem => "parameter problem",
            Self::Other { code } => return write!(f, "destination unreachable, code {code}"),
        })
    }
}
