//! The events that the server prints.

use std::net::SocketAddr;

use fastopen::ArrivalKind;
use serde::Serialize;

use crate::server::{Arrived, Ended, Mode};

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Event {
    Listening(Started),
    Arrived(Arrived),
    Ended(Ended),
    Summary(Summary),
    Failed(Failed),
}

/// The server listens.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Started {
    pub(super) address: SocketAddr,
    pub(super) mode: Mode,
    /// How many fast connections the kernel lets be unconfirmed at once, which may be fewer than asked for.
    pub(super) queue: u32,
    /// What keeps Fast Open from working as asked, with the command that fixes it.
    pub(super) warnings: Vec<String>,
}

/// There is no server.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Failed {
    pub(super) error: String,
}

/// All connections together.
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
