//! How a connection arrived, and how it ended.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen::{Arrival, ArrivalKind, FastOpen};
use serde::{Serialize, Serializer};

use crate::units;

/// A connection was accepted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Arrived {
    /// Its number, from 1.
    pub(crate) id: u64,
    pub(crate) peer: SocketAddr,
    #[serde(serialize_with = "kind_name")]
    pub(crate) arrival: ArrivalKind,
    /// Whether the application could read the SYN's data before the handshake was complete.
    pub(crate) syn_data_accepted: bool,
    /// How many bytes the SYN carried, if the kernel kept it.
    pub(crate) syn_bytes: Option<usize>,
    /// The Fast Open option of the SYN, if the kernel kept it.
    pub(crate) syn_option: Option<SynOption>,
    /// The cookie that the client presented, shortened.
    pub(crate) cookie: Option<String>,
    /// Whether the client had proved its address when the connection was accepted.
    pub(crate) confirmed_on_arrival: bool,
}

/// The Fast Open option of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum SynOption {
    Absent,
    Request,
    Cookie,
    Malformed,
}

impl Arrived {
    pub(crate) fn new(id: u64, peer: SocketAddr, arrival: &Arrival) -> Self {
        let fast_open = arrival.syn.map(|syn| syn.fast_open);
        Self {
            id,
            peer: SocketAddr::new(canonical(peer.ip()), peer.port()),
            arrival: arrival.kind,
            syn_data_accepted: matches!(arrival.kind, ArrivalKind::Fast { data: true }),
            syn_bytes: arrival.syn.map(|syn| syn.data_bytes),
            syn_option: fast_open.map(SynOption::from),
            cookie: match fast_open {
                Some(FastOpen::Cookie(_, cookie)) => Some(cookie.to_string()),
                _ => None,
            },
            confirmed_on_arrival: arrival.confirmed,
        }
    }
}

/// An IPv4 client of an IPv6 socket looks like one.
fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

impl From<FastOpen> for SynOption {
    fn from(option: FastOpen) -> Self {
        match option {
            FastOpen::Absent => Self::Absent,
            FastOpen::Request(_) => Self::Request,
            FastOpen::Cookie(..) => Self::Cookie,
            FastOpen::Malformed { .. } => Self::Malformed,
        }
    }
}

/// A connection has ended.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ended {
    #[serde(flatten)]
    pub(crate) arrived: Arrived,
    /// Whether the client has proved its address; `null` when that can't be told.
    pub(crate) confirmed: Option<bool>,
    /// How long after it was accepted.
    #[serde(rename = "confirmed_ms", serialize_with = "milliseconds")]
    pub(crate) confirmed_after: Option<Duration>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) end: Ending,
    /// The system's error, where that is the reason.
    pub(crate) error: Option<String>,
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub(crate) elapsed: Option<Duration>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// Both sides closed it.
    Closed,
    /// The client reset it.
    Reset,
    /// Nothing was sent or received for the idle timeout.
    Idle,
    /// The kernel gave up waiting for the client to complete the handshake.
    Unconfirmed,
    /// A second stop request came.
    CutOff,
    /// Another error.
    Failed,
}

fn kind_name<S: Serializer>(kind: &ArrivalKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(units::milliseconds).serialize(serializer)
}
