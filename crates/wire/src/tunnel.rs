//! The tunnels that are known by their numbers.

use std::fmt;

/// A protocol by which packets travel in other packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tunnel {
    /// IP in IP (RFC 2003, RFC 4213).
    IpInIp,
    /// GRE (RFC 2784, RFC 2890), the one of PPTP (RFC 2637) and that of EoIP, and ERSPAN and WCCP in it.
    Gre,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// MPLS in IP (RFC 4023).
    MplsInIp,
    /// VXLAN (RFC 7348), also with another protocol than Ethernet in it (VXLAN-GPE).
    Vxlan,
    /// Geneve (RFC 8926).
    Geneve,
    /// GTP-U (3GPP TS 29.281): mobile networks.
    GtpU,
    /// L2TP (RFC 2661). What version 3 (RFC 3931) carries can't be told from its packets.
    L2tp,
    /// ESP (RFC 4303), also in UDP (RFC 3948): encrypted.
    Esp,
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::IpInIp => "IP in IP",
            Self::Gre => "GRE",
            Self::EtherIp => "Ethernet in IP",
            Self::MplsInIp => "MPLS in IP",
            Self::Vxlan => "VXLAN",
            Self::Geneve => "Geneve",
            Self::GtpU => "GTP-U",
            Self::L2tp => "L2TP",
            Self::Esp => "ESP",
        })
    }
}
