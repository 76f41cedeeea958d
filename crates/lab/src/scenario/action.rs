//! What the middlebox does to a packet.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;

/// What is done to a packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Deliver it this much later than the path does.
    #[serde(with = "duration")]
    Delay(Duration),
    /// Drop it.
    Drop,
    /// Deliver it once more at the same time.
    Duplicate,
    /// Replace its Fast Open option by no-operations.
    StripOption,
    /// Remove what a TCP segment carries behind its header.
    StripData,
    /// Drop it, and answer with a RST that its sender accepts.
    Reset,
    /// Drop it, and tell its sender by ICMP that no packet of more than so many bytes passes, as a router does.
    TooBig(u16),
    /// Drop it, and tell its sender by ICMP that a firewall prohibits it.
    Prohibit,
    /// Change the cookie in it.
    ForgeCookie(Forgery),
    /// Hold it back.
    Hold(Hold),
    /// Deliver it once more later.
    Replay(Replay),
    /// From this packet on, let the connection's client appear under another address. Connections that are not rebound keep theirs.
    Rebind(Rebind),
    /// Answer the SYN with a SYN-ACK that has no Fast Open option and acknowledges no data; when the client's ACK has come open a
    /// connection to the server, and splice the two.
    SynProxy,
    /// Drop whatever comes after the connection's handshake, either way.
    Blackhole,
}

/// How a cookie is changed. An empty option, the request for a cookie, is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forgery {
    /// Every bit is inverted.
    Invert,
    /// These bytes take its place, in a file as hexadecimal digits; any number that fits into the options, also one that no cookie has.
    Set(#[serde(with = "super::hex")] Vec<u8>),
    /// It is cut, or filled up with zeros, to this many bytes.
    Resize(usize),
}

/// How packets are held back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hold {
    /// Until when.
    pub until: Moment,
    /// Whether what follows in the same connection and direction waits as well, in order. With `false` a later segment that
    /// acknowledges the same bytes overtakes the one held back.
    #[serde(default = "yes")]
    pub following: bool,
}

/// When something that is held back goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// When [`Lab::release`](crate::Lab::release) is called.
    Released,
    /// So long after it came.
    #[serde(with = "duration")]
    After(Duration),
}

/// How a packet is delivered once more. The copy passes no further rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Replay {
    /// How long afterwards.
    #[serde(with = "duration")]
    pub after: Duration,
    /// Whether the time counts from the end of the connection (a RST, or a FIN from both sides), not from the packet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub closed: bool,
    /// The port that it seems to come from; the original one when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_port: Option<u16>,
}

/// The address that a client appears under, for each family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rebind {
    /// In IPv4.
    pub ipv4: Ipv4Addr,
    /// In IPv6.
    pub ipv6: Ipv6Addr,
}

fn yes() -> bool {
    true
}
