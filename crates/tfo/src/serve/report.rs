//! What the server has to tell.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use fastopen::{Arrival, ArrivalKind, FastOpen};
use serde::{Serialize, Serializer};

use super::mode::Mode;
use crate::units;

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    Listening(Started),
    Arrived(Arrived),
    Ended(Ended),
    Summary(Summary),
}

/// The server stands.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Started {
    pub(super) address: SocketAddr,
    pub(super) mode: Mode,
    pub(super) queue: u32,
    /// What keeps Fast Open from working as asked, with the command that mends it.
    pub(super) warnings: Vec<String>,
}

/// A connection was accepted.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Arrived {
    /// Its number, from 1.
    pub(super) id: u64,
    pub(crate) peer: SocketAddr,
    #[serde(serialize_with = "kind_name")]
    pub(super) arrival: ArrivalKind,
    /// Whether the application could read the SYN's data before the handshake was complete.
    pub(super) syn_data_accepted: bool,
    /// How many bytes the SYN carried, if the kernel kept it.
    pub(super) syn_bytes: Option<usize>,
    /// What the SYN said of Fast Open, if the kernel kept it.
    pub(super) syn_option: Option<SynOption>,
    /// The cookie that the client presented, shortened.
    pub(super) cookie: Option<String>,
    /// Whether the client had proved its address when the connection was accepted.
    pub(super) confirmed_on_arrival: bool,
}

/// The Fast Open option of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SynOption {
    Absent,
    Request,
    Cookie,
    Malformed,
}

impl Arrived {
    pub(super) fn new(id: u64, peer: SocketAddr, arrival: &Arrival) -> Self {
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

/// A connection is over.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ended {
    #[serde(flatten)]
    pub(crate) arrived: Arrived,
    /// Whether the client has proved its address; `null` when there is no telling.
    pub(super) confirmed: Option<bool>,
    /// How long after it was accepted.
    #[serde(rename = "confirmed_ms", serialize_with = "milliseconds")]
    pub(super) confirmed_after: Option<Duration>,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(super) end: Ending,
    /// What the system said, where that is the reason.
    pub(super) error: Option<String>,
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub(super) elapsed: Option<Duration>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ending {
    /// Both sides had said all they had to say.
    Closed,
    /// The client reset it.
    Reset,
    /// Nothing moved for the idle timeout.
    Idle,
    /// The kernel gave up waiting for the client to complete the handshake.
    Unconfirmed,
    /// The server was told to stop at once.
    CutOff,
    /// Another error.
    Failed,
}

/// What there was in all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) connections: u64,
    pub(super) fast: u64,
    pub(super) cookie_requested: u64,
    pub(super) plain: u64,
    pub(super) unknown: u64,
    /// Those whose client never proved its address.
    pub(super) unconfirmed: u64,
    pub(super) received: u64,
    pub(super) sent: u64,
}

impl Summary {
    pub(super) fn add(&mut self, ended: &Ended) {
        self.connections += 1;
        *match ended.arrived.arrival {
            ArrivalKind::Fast { .. } => &mut self.fast,
            ArrivalKind::CookieRequested => &mut self.cookie_requested,
            ArrivalKind::Plain => &mut self.plain,
            _ => &mut self.unknown,
        } += 1;
        self.unconfirmed += u64::from(ended.confirmed == Some(false));
        self.received += ended.received;
        self.sent += ended.sent;
    }
}

fn kind_name<S: Serializer>(kind: &ArrivalKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(units::milliseconds).serialize(serializer)
}
