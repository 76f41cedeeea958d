//! What else is worth knowing of a connection.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::icmp::IcmpKind;

use super::step::Side;

/// Something about a connection that its verdict does not say. A connection has each kind of note at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(
    feature = "serde",
    serde(tag = "note", rename_all = "kebab-case", rename_all_fields = "snake_case")
)]
#[non_exhaustive]
pub enum Note {
    /// The option came as the experimental 254 with 0xF989 instead of 34.
    ExperimentalOption,
    /// An option with a number of bytes that no cookie has.
    MalformedOption {
        /// Who sent it.
        from: Side,
        /// How many bytes stood where the cookie belongs.
        cookie_len: usize,
    },
    /// The SYN carried data and no cookie.
    DataWithoutCookie,
    /// The client presented a cookie and the server answered with another: it has changed its key, or the client its address.
    CookieRenewed,
    /// The cookie differs from the one that this client and server used before, and no renewal was seen: servers that share an
    /// address and not their keys cause this.
    CookieChanged,
    /// The client went back to an ordinary SYN from the same ports.
    FallbackAfter {
        /// What had become of the SYN before.
        cause: FallbackCause,
        /// How long after the first SYN.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds"))]
        waited: Duration,
    },
    /// Both sides sent a SYN.
    SimultaneousOpen,
    /// A SYN of an earlier connection came again, and the server answered it again: a replay, or a duplicate that came late.
    Replayed,
    /// Two SYN-ACKs with different sequence numbers answered one SYN.
    AnsweredTwice,
    /// A SYN-ACK acknowledged what no SYN had carried; clients ignore it.
    SynAckMismatch,
    /// The SYN is not among the packets.
    SynMissing,
    /// The SYN-ACK is not among the packets, though the client got one.
    SynAckMissing,
    /// The SYN-ACK answers a SYN that is not among the packets, by the timestamp that it echoes.
    AnsweredSynMissing,
    /// One side reset the connection after the handshake had begun.
    Reset {
        /// Who did.
        by: Side,
        /// Whether the server had sent no data until then: a connection that was accepted has saved nothing.
        before_data: bool,
    },
    /// The server's first data came sooner than the client's acknowledgment of the SYN-ACK can have reached the server: it accepted the
    /// connection at the SYN, and a server that speaks first saved a round trip.
    EarlyData {
        /// The number of the packet with the data.
        number: u64,
    },
    /// The server took the data in the SYN and was silent from then on, though packets were sent again: nothing was saved.
    SilentAfterwards {
        /// How many packets were seen to be sent again, at least: the client's data or FIN, and the server's SYN-ACK. Those that come
        /// after [`Limits::settle`](super::Limits::settle) are not counted.
        resent: u32,
    },
    /// An ICMP error quotes the SYN.
    IcmpError {
        /// Who sent it: a router, or the server.
        by: IpAddr,
        /// What it says.
        #[cfg_attr(feature = "serde", serde(flatten))]
        kind: IcmpKind,
    },
    /// There was no answer as long as the connection was followed, but that was not long enough to say that none would come.
    NoAnswerSeen {
        /// How many SYNs the client sent.
        syns: u32,
        /// From the first SYN to the last.
        #[cfg_attr(feature = "serde", serde(serialize_with = "crate::serial::seconds"))]
        waited: Duration,
    },
    /// It was dropped from a full table before its end was seen.
    Evicted,
}

/// Why a client went back to an ordinary SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum FallbackCause {
    /// No answer came, and the SYN was sent again without the option.
    Timeout,
    /// The attempt before was refused.
    Refused,
    /// The attempt before was given up without an answer.
    Unanswered,
    /// An ICMP error told the client that the SYN did not arrive, such as one that is too large for a link.
    Icmp,
    /// None that was seen, and it came too soon for a timeout: an ICMP error that was not captured has this effect.
    Unseen,
}

impl fmt::Display for FallbackCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "a timeout",
            Self::Refused => "a reset",
            Self::Unanswered => "an attempt without an answer",
            Self::Icmp => "an ICMP error",
            Self::Unseen => "less than a timeout",
        })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExperimentalOption => f.write_str("experimental option 254"),
            Self::MalformedOption { from, cookie_len } => {
                write!(
                    f,
                    "malformed option from the {from}: no cookie has {cookie_len} bytes"
                )
            }
            Self::DataWithoutCookie => f.write_str("data in the SYN without a cookie"),
            Self::CookieRenewed => f.write_str("cookie renewed"),
            Self::CookieChanged => f.write_str("cookie changed between connections"),
            Self::FallbackAfter { cause, waited } => {
                write!(f, "fallback after {cause}, {:.3} s", waited.as_secs_f64())
            }
            Self::SimultaneousOpen => f.write_str("simultaneous open"),
            Self::Replayed => f.write_str("the SYN of an earlier connection, sent again and answered again"),
            Self::AnsweredTwice => f.write_str("answered by two different SYN-ACKs"),
            Self::SynAckMismatch => f.write_str("a SYN-ACK acknowledged what was never sent"),
            Self::SynMissing => f.write_str("SYN not captured"),
            Self::SynAckMissing => f.write_str("SYN-ACK not captured"),
            Self::AnsweredSynMissing => f.write_str("the SYN that was answered is not captured"),
            Self::Reset { by, before_data } => match (by, before_data) {
                (_, false) => write!(f, "reset by the {by}"),
                (Side::Server, true) => f.write_str("reset by the server before it sent data"),
                (Side::Client, true) => f.write_str("reset by the client before the server sent data"),
            },
            Self::EarlyData { number } => write!(
                f,
                "the server's data in packet {number} came before the client's ACK could reach it: one round trip saved"
            ),
            Self::SilentAfterwards { resent: 1 } => {
                f.write_str("then nothing from the server, and at least one packet sent again")
            }
            Self::SilentAfterwards { resent } => {
                write!(
                    f,
                    "then nothing from the server, and at least {resent} packets sent again"
                )
            }
            Self::IcmpError { by, kind } => write!(f, "ICMP from {by}: {kind}"),
            Self::NoAnswerSeen { syns, waited } => {
                let waited = waited.as_secs_f64();
                match syns {
                    1 => f.write_str("no answer seen to one SYN"),
                    _ => write!(f, "no answer seen to {syns} SYNs in {waited:.3} s"),
                }
            }
            Self::Evicted => f.write_str("dropped from a full table"),
        }
    }
}
