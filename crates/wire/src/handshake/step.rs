//! The packets of a handshake, and what each says.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::icmp::IcmpKind;
use crate::option::{FastOpen, OptionKind};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Side {
    /// Who sent the SYN.
    Client,
    /// Who it was for.
    Server,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// One packet of a handshake. Its `Display` is a sentence such as "SYN carries 18 bytes and cookie 3021b9…".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Step {
    /// The packet's number, as the caller counts.
    pub number: u64,
    /// When it was seen, from the caller's origin of time.
    #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds"))]
    pub time: Duration,
    /// Who sent it; of an ICMP error, the side that it came from.
    pub from: Side,
    /// What it says.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub event: Event,
}

/// What a packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "snake_case")
)]
pub enum Event {
    /// A SYN without an acknowledgment.
    Syn {
        /// Its Fast Open option.
        #[cfg_attr(feature = "serde", serde(flatten))]
        fast_open: FastOpen,
        /// How many bytes it carries.
        data_bytes: usize,
        /// Whether the same sequence number was seen before.
        again: bool,
    },
    /// A SYN-ACK.
    SynAck {
        /// Its Fast Open option.
        #[cfg_attr(feature = "serde", serde(flatten))]
        fast_open: FastOpen,
        /// How many of the SYN's bytes it acknowledges; `None` where it acknowledges no SYN that was seen.
        acked_bytes: Option<usize>,
        /// How many bytes the SYN carried.
        sent_bytes: usize,
        /// How many bytes it carries itself.
        data_bytes: usize,
        /// Whether it was seen before.
        again: bool,
    },
    /// The first acknowledgment from that side, without data.
    Ack,
    /// The first data from that side after its SYN.
    Data {
        /// How many bytes.
        data_bytes: usize,
    },
    /// That side has no more to send.
    Fin,
    /// A reset.
    Rst,
    /// An ICMP error that quotes the SYN.
    IcmpError {
        /// Who sent it.
        by: IpAddr,
        /// What it says.
        #[cfg_attr(feature = "serde", serde(flatten))]
        kind: IcmpKind,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Event::Syn {
                fast_open,
                data_bytes,
                again,
            } => {
                f.write_str(if again { "SYN again" } else { "SYN" })?;
                syn_content(f, fast_open, data_bytes, again)
            }
            Event::SynAck {
                fast_open,
                acked_bytes,
                sent_bytes,
                data_bytes,
                again,
            } => {
                f.write_str(if again { "SYN-ACK again" } else { "SYN-ACK" })?;
                syn_ack_content(f, fast_open, acked_bytes, sent_bytes)?;
                match data_bytes {
                    0 => Ok(()),
                    _ => write!(f, ", with {} of its own", Bytes(data_bytes)),
                }
            }
            Event::Ack => f.write_str("ACK"),
            Event::Data { data_bytes } => write!(f, "{} sends {}", self.from, Bytes(data_bytes)),
            Event::Fin => f.write_str("FIN"),
            Event::Rst => f.write_str("RST"),
            Event::IcmpError { by, kind } => write!(f, "ICMP from {by}: {kind}"),
        }
    }
}

fn syn_content(
    f: &mut fmt::Formatter<'_>,
    fast_open: FastOpen,
    data_bytes: usize,
    again: bool,
) -> fmt::Result {
    let data = Bytes(data_bytes);
    match (fast_open, data_bytes) {
        (FastOpen::Absent, 0) if again => f.write_str(", without option and data"),
        (FastOpen::Absent, 0) => Ok(()),
        (FastOpen::Absent, _) => write!(f, " carries {data} without a cookie"),
        (FastOpen::Request(kind), 0) => write!(f, " asks for a cookie{}", Under(kind)),
        (FastOpen::Request(kind), _) => write!(f, " carries {data} and asks for a cookie{}", Under(kind)),
        (FastOpen::Cookie(kind, cookie), 0) => {
            write!(f, " carries cookie {cookie}{} and no data", Under(kind))
        }
        (FastOpen::Cookie(kind, cookie), _) => {
            write!(f, " carries {data} and cookie {cookie}{}", Under(kind))
        }
        (FastOpen::Malformed { cookie_len, .. }, _) => {
            write!(
                f,
                " carries {data} and an option of {cookie_len} bytes, which is no cookie"
            )
        }
    }
}

fn syn_ack_content(
    f: &mut fmt::Formatter<'_>,
    fast_open: FastOpen,
    acked: Option<usize>,
    sent: usize,
) -> fmt::Result {
    let separator = if acked == Some(0) && sent == 0 { "" } else { "," };
    match acked {
        None => f.write_str(" acknowledges no SYN that was seen")?,
        Some(0) if sent == 0 => {}
        Some(0) => write!(f, " acknowledges none of the {}", Bytes(sent))?,
        Some(acked) if acked == sent => write!(f, " acknowledges all {acked}")?,
        Some(acked) => write!(f, " acknowledges {acked} of the {}", Bytes(sent))?,
    }
    match fast_open {
        FastOpen::Absent => Ok(()),
        FastOpen::Request(_) => write!(f, "{separator} brings an empty option"),
        FastOpen::Cookie(kind, cookie) => write!(f, "{separator} grants cookie {cookie}{}", Under(kind)),
        FastOpen::Malformed { cookie_len, .. } => {
            write!(
                f,
                "{separator} brings an option of {cookie_len} bytes, which is no cookie"
            )
        }
    }
}

struct Bytes(usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("no data"),
            1 => f.write_str("1 byte"),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// Says so where the option came under its experimental number.
struct Under(OptionKind);

impl fmt::Display for Under {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            OptionKind::Standard => Ok(()),
            OptionKind::Experimental => f.write_str(" (option 254)"),
        }
    }
}
