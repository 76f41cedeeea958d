//! Why a packet can't be decoded.

use crate::link_type::LinkError;
use crate::tunnel::Tunnel;

/// Why a packet is not a TCP segment that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The frame carries no IP packet that can be found.
    #[error(transparent)]
    Link(#[from] LinkError),
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
    /// The first fragment of a packet that carries a SYN: the SYN's data and their length are in the others, too.
    #[error("the first fragment of a SYN can't be read alone")]
    FragmentedSyn,
    /// The TCP header is cut short, or its data offset says what can't be.
    #[error("the TCP header is cut short or broken")]
    Tcp,
    /// A tunnel whose packets do not show what they carry.
    #[error("{0} that can't be looked into")]
    Opaque(Tunnel),
    /// Tunnels within tunnels, more than are looked into.
    #[error("{0} within more tunnels than are looked into")]
    TooDeep(Tunnel),
}
