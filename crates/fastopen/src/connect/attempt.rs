//! What a connect tried, and how each try ended.

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::CallError;

/// One attempt at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where to.
    pub address: SocketAddr,
    /// What its SYN was like.
    pub syn: Syn,
    /// When it began, counted from the start of connecting.
    pub started: Duration,
    /// How long it was under way.
    pub elapsed: Duration,
    /// How it ended.
    pub end: AttemptEnd,
}

/// An attempt's SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syn {
    /// An ordinary one.
    Plain,
    /// With the Fast Open option: a cookie and data, or a request for a cookie.
    Fast {
        /// How many of the first bytes it carries; 0 without a cookie.
        bytes: usize,
    },
}

impl Attempt {
    pub(crate) fn is_connected(&self) -> bool {
        self.end == AttemptEnd::Connected
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// Its handshake is complete: this is the connection that the caller has.
    Connected,
    /// The system or the network turned it away.
    Failed(CallError),
    /// It had no answer when another attempt won or the time was up, and was closed.
    Unanswered,
}
