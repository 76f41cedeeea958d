//! Sockets, counted by how they began.

use std::net::{IpAddr, SocketAddr};
use std::ops::AddAssign;

use fastopen::{Outcome, TcpInfo};
use fastopen_host::sockets::{Socket, State};
use serde::Serialize;

/// Connections that this machine opened, by what became of their first bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Outgoing {
    pub(super) accepted: u64,
    pub(super) no_cookie: u64,
    pub(super) ignored: u64,
    pub(super) syn_lost: u64,
    /// Without a trace of Fast Open: not attempted, or without data.
    pub(super) unknown: u64,
    /// No SYN-ACK has come yet.
    pub(super) connecting: u64,
}

/// Connections that came to this machine, by how they arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Incoming {
    pub(super) fast: u64,
    /// Those among the fast ones whose client has not proved its address yet.
    pub(super) unconfirmed: u64,
    /// Including those that asked for a cookie: tcp_info does not show that.
    pub(super) plain: u64,
    /// Ordinary handshakes that have not finished.
    pub(super) half_open: u64,
}

/// Both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Ends {
    pub(super) outgoing: Outgoing,
    pub(super) incoming: Incoming,
}

/// How one connection began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Outgoing(Outcome),
    Connecting,
    /// Fast, and whether it is confirmed.
    Fast(bool),
    Plain,
    HalfOpen,
}

impl End {
    /// Reads it from a socket; `listened`: whether there is a listener at the socket's local address. `None` where there is no connection.
    ///
    /// The kernel does not record which side opened a connection. A mark that only one side can have decides; else whoever has a
    /// listener's address was connected to.
    pub(super) fn of(socket: &Socket, listened: bool) -> Option<Self> {
        let info = socket.tcp_info.as_deref().map(TcpInfo::from_bytes);
        let info = match (socket.state, info) {
            (State::Listen | State::Close | State::TimeWait, _) => return None,
            (State::SynSent, _) => return Some(Self::Connecting),
            (State::SynRecv, Some(_)) => return Some(Self::Fast(false)),
            (State::SynRecv, None) => return Some(Self::HalfOpen),
            (_, info) => info?,
        };
        Some(if info.fast_open_child() {
            Self::Fast(true)
        } else if info.client_fail().is_some() || !listened {
            Self::Outgoing(Outcome::from_info(&info))
        } else if info.syn_data() {
            Self::Fast(true)
        } else {
            Self::Plain
        })
    }
}

impl Outgoing {
    pub(super) fn total(&self) -> u64 {
        let Self {
            accepted,
            no_cookie,
            ignored,
            syn_lost,
            unknown,
            connecting,
        } = self;
        accepted + no_cookie + ignored + syn_lost + unknown + connecting
    }
}

impl Incoming {
    pub(super) fn total(&self) -> u64 {
        self.fast + self.plain + self.half_open
    }

    /// What is left when a part is taken away.
    pub(super) fn without(&self, part: Self) -> Self {
        Self {
            fast: self.fast.saturating_sub(part.fast),
            unconfirmed: self.unconfirmed.saturating_sub(part.unconfirmed),
            plain: self.plain.saturating_sub(part.plain),
            half_open: self.half_open.saturating_sub(part.half_open),
        }
    }
}

impl Ends {
    pub(super) fn total(&self) -> u64 {
        self.outgoing.total() + self.incoming.total()
    }
}

impl AddAssign<End> for Outgoing {
    fn add_assign(&mut self, end: End) {
        *match end {
            End::Outgoing(Outcome::Accepted) => &mut self.accepted,
            End::Outgoing(Outcome::NoCookie) => &mut self.no_cookie,
            End::Outgoing(Outcome::Ignored) => &mut self.ignored,
            End::Outgoing(Outcome::SynLost) => &mut self.syn_lost,
            End::Outgoing(_) => &mut self.unknown,
            End::Connecting => &mut self.connecting,
            End::Fast(_) | End::Plain | End::HalfOpen => return,
        } += 1;
    }
}

impl AddAssign<End> for Incoming {
    fn add_assign(&mut self, end: End) {
        *match end {
            End::Fast(confirmed) => {
                self.unconfirmed += u64::from(!confirmed);
                &mut self.fast
            }
            End::Plain => &mut self.plain,
            End::HalfOpen => &mut self.half_open,
            End::Outgoing(_) | End::Connecting => return,
        } += 1;
    }
}

impl AddAssign<End> for Ends {
    fn add_assign(&mut self, end: End) {
        self.outgoing += end;
        self.incoming += end;
    }
}

impl AddAssign for Incoming {
    fn add_assign(&mut self, other: Self) {
        self.fast += other.fast;
        self.unconfirmed += other.unconfirmed;
        self.plain += other.plain;
        self.half_open += other.half_open;
    }
}

impl AddAssign for Outgoing {
    fn add_assign(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.no_cookie += other.no_cookie;
        self.ignored += other.ignored;
        self.syn_lost += other.syn_lost;
        self.unknown += other.unknown;
        self.connecting += other.connecting;
    }
}

impl AddAssign for Ends {
    fn add_assign(&mut self, other: Self) {
        self.outgoing += other.outgoing;
        self.incoming += other.incoming;
    }
}

/// The part of an address that determines the listener. Listeners have no zone.
pub(super) fn place(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip(), address.port())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const ESTABLISHED: u8 = 1;
    const SYN_DATA: u8 = 0x20;
    const CHILD: u8 = 0x80;

    /// A connection with these options and this failure in its `tcp_info`.
    pub(in super::super) fn socket(local: &str, remote: &str, state: State, options: u8, fail: u8) -> Socket {
        let mut info = vec![0; 280];
        let shift = if cfg!(target_endian = "big") { 5 } else { 1 };
        (info[0], info[5], info[7]) = (ESTABLISHED, options, fail << shift);
        Socket {
            state,
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            uid: 0,
            inode: 0,
            receive_queue: 0,
            send_queue: 0,
            v6_only: None,
            tcp_info: Some(info),
        }
    }

    fn end(state: State, options: u8, fail: u8, listened: bool) -> Option<End> {
        End::of(
            &socket("192.0.2.1:80", "192.0.2.2:4711", state, options, fail),
            listened,
        )
    }

    #[test]
    fn the_kernels_marks_say_how_a_connection_began() {
        use State::{CloseWait, Established, SynRecv, SynSent};
        for (state, options, fail, listened, expected) in [
            (Established, SYN_DATA, 0, false, End::Outgoing(Outcome::Accepted)),
            (Established, SYN_DATA, 1, false, End::Outgoing(Outcome::Accepted)),
            (Established, 0, 1, false, End::Outgoing(Outcome::NoCookie)),
            (CloseWait, 0, 2, false, End::Outgoing(Outcome::Ignored)),
            (Established, 0, 3, false, End::Outgoing(Outcome::SynLost)),
            (Established, 0, 0, false, End::Outgoing(Outcome::Unknown)),
            (SynSent, 0, 1, false, End::Connecting),
            (SynRecv, SYN_DATA | CHILD, 0, true, End::Fast(false)),
            (SynRecv, SYN_DATA, 0, true, End::Fast(false)),
            (Established, SYN_DATA | CHILD, 0, true, End::Fast(true)),
            (Established, SYN_DATA, 0, true, End::Fast(true)),
            (Established, CHILD, 0, true, End::Fast(true)),
            (Established, 0, 0, true, End::Plain),
        ] {
            assert_eq!(
                end(state, options, fail, listened),
                Some(expected),
                "{state:?} {options} {fail}"
            );
        }
    }

    #[test]
    fn a_mark_of_one_side_outweighs_the_listener() {
        assert_eq!(
            end(State::Established, CHILD, 0, false),
            Some(End::Fast(true)),
            "its listener is gone"
        );
        assert_eq!(
            end(State::Established, 0, 1, true),
            Some(End::Outgoing(Outcome::NoCookie)),
            "it was opened from a listener's port"
        );
    }

    #[test]
    fn without_a_tcp_info_only_a_half_open_connection_is_one() {
        for (state, expected) in [
            (State::SynRecv, Some(End::HalfOpen)),
            (State::TimeWait, None),
            (State::Established, None),
        ] {
            let mut socket = socket("192.0.2.1:80", "192.0.2.2:4711", state, 0, 0);
            socket.tcp_info = None;
            assert_eq!(End::of(&socket, true), expected, "{state:?}");
        }
    }

    #[test]
    fn every_end_is_counted_once() {
        let mut ends = Ends::default();
        let all = [
            End::Outgoing(Outcome::Accepted),
            End::Outgoing(Outcome::NoCookie),
            End::Outgoing(Outcome::Ignored),
            End::Outgoing(Outcome::SynLost),
            End::Outgoing(Outcome::Unknown),
            End::Connecting,
            End::Fast(true),
            End::Fast(false),
            End::Plain,
            End::HalfOpen,
        ];
        for (counted, end) in (1..).zip(all) {
            ends += end;
            assert_eq!(ends.total(), counted, "{end:?}");
        }
        assert_eq!((ends.incoming.fast, ends.incoming.unconfirmed), (2, 1));
        let mut twice = ends;
        twice += ends;
        assert_eq!(twice.total(), 2 * ends.total());
    }
}
